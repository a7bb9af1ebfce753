"""Code of a model's authors that the user supplies: found and imported, or one message that says how to get it.

Such code is not part of this project: its licence may forbid to pass it on, and a copy would age. A plugin adapts
requests to it and calls it as its authors do.
The settings of such a plugin are what `[model.settings]` of its plugin.toml may say, and nothing else.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Dict, List, Mapping, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.manifests import Setting
from harness.contracts.names import nearest

IN_IMAGE = Path("/code")
"""Where the code lies in an image that was built with it; looked at where the setting names no folder."""


@dataclass(frozen=True)
class OfficialCode:
    """What the code is, where it comes from, under which licence, and how a checkout is recognised.

    ``landmarks`` are files that every checkout has. ``packages`` are what it needs besides, as pip names them.
    ``licence`` is named to the user, who has to agree with it.
    """

    model: str
    address: str
    revision: str
    licence: str
    landmarks: Tuple[str, ...]
    packages: str

    def checkout(self, folder: str) -> Path:
        """Return the checkout in ``folder``, "" being the image's; Refusal says how to get and give it."""
        path = Path(folder).expanduser().absolute() if folder else IN_IMAGE
        missing = [name for name in self.landmarks if not (path / name).is_file()]
        if not missing:
            return path
        what = f"{path} is no checkout of it: it has no {missing[0]}" if folder else "the setting code is empty"
        raise Refusal(
            f"world model {self.model!r} runs its authors' own code, which is not part of this project; {what}.",
            f"Get it: git clone {self.address} (licence: {self.licence}; written for revision {self.revision[:10]}). "
            f"Give it: --set code=/path/to/the/checkout. It needs: pip install {self.packages}.",
        )

    def import_loose(self, path: Path, *names: str) -> List[ModuleType]:
        """Import modules of the checkout ``path``, which is no package.

        It is on the path only meanwhile: its other files have names such as ``datasets``, which libraries look for.
        """
        sys.path.insert(0, str(path))
        try:
            return [self.import_module(name) for name in names]
        finally:
            sys.path.remove(str(path))

    def import_package(self, path: Path, name: str) -> None:
        """Make the checkout ``path`` importable as package ``name``, whatever its folder is called."""
        known = sys.modules.get(name)
        if known is not None and list(getattr(known, "__path__", ())) == [str(path)]:
            return
        package = ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package

    def import_module(self, name: str) -> ModuleType:
        """Import a module of the checkout; Refusal names the package that it lacks, or the file that cannot be read."""
        try:
            return importlib.import_module(name)
        except (ImportError, OSError) as error:
            raise Refusal(
                f"the code of {self.model!r} cannot be imported: {error}.",
                f"It needs: pip install {self.packages}, in the Python that runs the model (--wm-python).",
            ) from error


OF_THE_HARNESS: Mapping[str, Setting] = {
    "depth": False,
    "plan_actions": 0,
    "prompt_template": "",
    "batch_tolerance": 0.0,
}
"""Settings that the harness reads and plugins only let pass."""


def read_settings(given: Mapping[str, Setting], defaults: Mapping[str, Setting]) -> Dict[str, Setting]:
    """Return ``defaults`` with what is ``given``; an unknown name and a value of another type raise Refusal."""
    known = {**OF_THE_HARNESS, **defaults}
    result = dict(known)
    for name, value in given.items():
        if name not in known:
            raise Refusal(f"there is no setting {name!r} for this world model.", nearest(name, sorted(known)))
        result[name] = _typed(name, value, known[name])
    return result


def _typed(name: str, value: Setting, default: Setting) -> Setting:
    """Return ``value`` as the type of ``default``; a whole number may stand for a real one."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise Refusal(f"setting {name!r} is {value!r}, a {type(value).__name__}.", f"Give a {type(default).__name__}.")
    return value
