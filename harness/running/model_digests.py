"""The digests of the world model that a plan starts: written down when it is planned, looked at when it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Tuple

from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.manifests import ModelManifest
from harness.records.damage import Damage
from harness.records.identity import RunIdentity
from harness.running.plan import ServicePlan
from harness.worldmodels.authors_code import SETTING
from harness.worldmodels.digests import CODE, code_digests, file_digests, image_digests, weights_digests
from harness.worldmodels.file_hashes import Progress, quiet


def model_digests(
    service: Optional[ServicePlan], manifest: ModelManifest, progress: Progress = quiet
) -> Dict[str, str]:
    """Return the digests by part of a world model that is a service; {} for one that is none."""
    return {} if service is None else {**service_code(service), **weights_digests(manifest, progress)}


def service_code(service: ServicePlan) -> Dict[str, str]:
    """Return the digests of the code that a world model's service runs."""
    checkout = _checkout(service)
    if service.container is not None:
        return image_digests(service.container.image_id, checkout)
    return code_digests([Path(folder) for folder in service.path], checkout)


def check_code(identity: RunIdentity, service: ServicePlan) -> None:
    """Raise SpecMismatch where the code that was just started is not what the run was planned with.

    Workers start a service again and again: an edit in between would make one run of two models.
    """
    if not identity.wm_digests:
        return
    now = service_code(service)
    changed = [part for part, digest in now.items() if identity.wm_digests.get(part) != digest]
    if changed:
        raise SpecMismatch(
            f"the {changed[0]} of world model {identity.wm!r} has changed since the run was planned.",
            "Put it back as it was and continue, or start a new run.",
        )


class ModelFiles:
    """The files of a world model's code as they are when a run begins to play, to be compared at its end.

    A model may read a file of its own again with each call, which no look at a service's start can see. Files that are
    new since then do not count: a plugin may write beside its code.
    """

    def __init__(self, service: Optional[ServicePlan]) -> None:
        own = service is not None and service.container is None
        self._folders = [Path(folder) for folder in service.path] if own and service is not None else []
        self._before = [file_digests(folder) for folder in self._folders]

    def damage(self) -> Tuple[Damage, ...]:
        """Return each file that is no longer what it was."""
        found: List[Damage] = []
        for folder, before in zip(self._folders, self._before):
            try:
                now = file_digests(folder)
            except Refusal as refusal:
                found.append(Damage(str(folder), refusal.what.rstrip(".")))
                continue
            changed = [name for name, known in before.items() if now.get(name) != known]
            found += [Damage(f"{CODE} {folder.name}/{name}", "it changed while the run was played") for name in changed]
        return tuple(found)


def _checkout(service: ServicePlan) -> str:
    """Return the folder of the authors' code that the service sees, "" where it has none of the host's."""
    settings = service.manifest.get("settings") or {}
    folder = str(settings.get(SETTING, ""))
    mounted = service.container is None or folder in {mount.source for mount in service.container.mounts}
    return folder if folder and mounted and Path(folder).is_dir() else ""
