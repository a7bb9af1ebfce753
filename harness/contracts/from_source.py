"""Makes Python compile the checkout's own modules from their sources, whatever bytecode lies beside them.

A plugin that runs as a process is a process of the user: it can write a ``.pyc`` of any module here, which the next run
would load and nobody would see, since no look at the sources shows it. A changed source is seen (``git status``).

Run as a script, ``python from_source.py MODULE ARGUMENTS...``, it runs a module of the checkout in that way, as
``python -m MODULE`` does in the checkout's root. The script itself has no bytecode.
"""

from __future__ import annotations

import runpy
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
OWN = ("harness", "images", "tasks", "wm_plugins")
"""The folders of the checkout that hold its code; an environment with installed packages may lie beside them."""


class _FromSource(SourceFileLoader):
    """Loads a module without looking for its bytecode, and writes none."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def use_sources() -> None:
    """Compile every module of the checkout that is imported from now on from its source."""
    hook = FileFinder.path_hook((_FromSource, SOURCE_SUFFIXES))

    def find_here(path: str) -> Any:
        if not _is_own(Path(path)):
            raise ImportError(f"{path} is not in the checkout")  # the next hook is asked
        return hook(path)

    sys.path_hooks.insert(0, find_here)
    sys.path_importer_cache.clear()


def _is_own(path: Path) -> bool:
    real = path.resolve()
    return real == CHECKOUT or any(real == CHECKOUT / name or CHECKOUT / name in real.parents for name in OWN)


def main() -> None:
    """Run the module that the command line names."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [str(CHECKOUT), *(entry for entry in sys.path if Path(entry).resolve() not in (here, CHECKOUT))]
    sys.argv[:] = sys.argv[1:]
    use_sources()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
