"""The digests of the world model that a plan starts: written down when it is planned, looked at when it is started."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Dict, Mapping, Optional, Tuple

from harness.contracts.digest import digest, to_plain
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.from_plain import from_plain
from harness.contracts.manifests import ModelManifest
from harness.records.damage import Damage
from harness.running.plan import RunPlan
from harness.runtimes.service import ServiceSpec
from harness.worldmodels.digests import (
    CODE,
    IMAGE,
    Progress,
    changed_files,
    file_digests,
    files_by_part,
    known_files,
    quiet,
    weights_digests,
)
from harness.worldmodels.weights import CODE_SETTING

_SHOWN = 4
"""Files named of those that changed."""

_PUT_BACK = "Put it back as it was and continue, or start a new run."
_WRITES_ITSELF = (
    f"{_PUT_BACK} A plugin that writes there itself has to write somewhere else, as into a folder of its own in "
    "~/.cache (docs/plugins.md, What a plugin may write)."
)


def with_digests(plan: RunPlan, progress: Progress = quiet) -> RunPlan:
    """Return a plan that says which bytes its world model consists of; one without a service of its own has none."""
    service = plan.world_model
    if service is None:
        return plan
    digests = service_digests(service, progress)
    return replace(plan, identity=replace(plan.identity, wm_digests=digests), model_files=service_files(service))


def service_digests(service: ServiceSpec, progress: Progress = quiet) -> Dict[str, str]:
    """Return by part the digests of the bytes that a model's service consists of: its code, and its weights."""
    return {**_code(service, service_files(service)), **weights_digests(_manifest(service), progress)}


def service_files(service: ServiceSpec) -> Dict[str, Dict[str, str]]:
    """Return the digest of each file of the code on this machine that a world model's service runs, by part."""
    folders = [] if service.container is not None else [Path(folder) for folder in service.path]
    return files_by_part(folders, _checkout(service))


def check_files(plan: RunPlan) -> None:
    """Raise SpecMismatch where the code or weights that were just started are not what the run was planned with.

    Workers start a service again and again: an edit in between would make one run of two models. Of weights only
    what may have changed is read again.
    """
    began, service = plan.identity.wm_digests, plan.world_model
    if not began or service is None:
        return
    files = service_files(service)
    try:
        now = service_digests(service)
    except OSError as error:
        what = f"{error.filename} of world model {service.name!r} cannot be read: {error.strerror}."
        raise SpecMismatch(what, _PUT_BACK) from error
    changed = [part for part in {**began, **now} if began.get(part) != now.get(part)]
    if changed:
        what = f"the {changed[0]} of world model {service.name!r} has changed since the run was planned"
        named = _differences(plan.model_files.get(changed[0], {}), files.get(changed[0], {}))
        raise SpecMismatch(f"{what}{named and f': {named}'}.", _WRITES_ITSELF if named else _PUT_BACK)


def check_policy_files(service: ServiceSpec, began: Mapping[str, str]) -> None:
    """Raise SpecMismatch where a policy's code or weights are not those that the run was planned with."""
    now = service_digests(service)
    changed = [part for part in {**began, **now} if began.get(part) != now.get(part)]
    if changed:
        what = f"the {changed[0]} of policy {service.name!r} has changed since the run was planned."
        raise SpecMismatch(what, _WRITES_ITSELF)


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return the files that are new, gone or different, a few by name; "" where none is."""
    words = [(name, "is new" if name not in before else "is gone" if name not in now else "differs")
             for name in sorted({*before, *now}) if before.get(name) != now.get(name)]  # fmt: skip
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(f"{name} {word}" for name, word in words[:_SHOWN]) + more


def _code(service: ServiceSpec, files: Mapping[str, Mapping[str, str]]) -> Dict[str, str]:
    image = {} if service.container is None else {CODE: f"{IMAGE}{service.container.image_id}"}
    return {**image, **{part: digest(found) for part, found in files.items()}}


def _manifest(service: ServiceSpec) -> ModelManifest:
    return from_plain(ModelManifest, to_plain(service.manifest))


class ModelFiles:
    """The files of a world model's code and weights as they are when a run begins to play, to be compared at its end.

    A model may read a file of its own again with each call, which no look at a service's start can see. Files that are
    new since then do not count: a plugin may write beside its code.
    """

    def __init__(self, service: Optional[ServiceSpec]) -> None:
        own = service is not None and service.container is None
        self._folders = [Path(folder) for folder in service.path] if own and service is not None else []
        self._before = [file_digests(folder) for folder in self._folders]
        self._weights = known_files(_manifest(service)) if service is not None else ()

    def damage(self) -> Tuple[Damage, ...]:
        """Return each file that is no longer what it was."""
        found = [Damage(str(file), "these weights changed while the run was played")
                 for file in changed_files(self._weights)]  # fmt: skip
        for folder, before in zip(self._folders, self._before):
            try:
                now = file_digests(folder)
            except Refusal as refusal:
                found.append(Damage(str(folder), refusal.what.rstrip(".")))
                continue
            changed = [name for name, known in before.items() if now.get(name) != known]
            found += [Damage(f"{CODE} {folder.name}/{name}", "it changed while the run was played") for name in changed]
        return tuple(found)


def _checkout(service: ServiceSpec) -> str:
    """Return the folder of the authors' code that the service sees, "" where it has none of the host's."""
    settings = service.manifest.get("settings") or {}
    folder = str(settings.get(CODE_SETTING, ""))
    mounted = service.container is None or folder in {mount.source for mount in service.container.mounts}
    return folder if folder and mounted and Path(folder).is_dir() else ""
