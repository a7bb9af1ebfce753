"""Weights: how a run's are chosen, whether they are here, and the one message that says how to get them.

Looked at before anything starts, by file names alone: a run that cannot begin says so in less than a second.
So is code of a model's authors, which is no part of a plugin: its licence may forbid to pass it on. A plugin that runs
it declares the setting ``code``, the folder of a checkout, and its plugin.toml says how to get one (``code_from``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute
from harness.contracts.manifests import FROM_HUB, PLUGIN, RANDOM, Checkpoint, ModelManifest
from harness.worldmodels.hub_cache import DEFAULT_REVISION, cache_folder, find_snapshot, incomplete, is_hub_id

PIPELINE = "pipeline"
"""The setting that names a pipeline of diffusers: such models load safetensors and nothing else."""

BESIDE = "./"
"""How the source of weights begins that lie in the family's own folder: they come with the code and count among it."""

NOT_APPLICABLE, PRESENT, ABSENT = "-", "present", "absent"


@dataclass(frozen=True)
class Lack:
    """A part that is not here: what, and the steps to get it.

    ``learnt`` says that it is weights, in whose place random ones show that all else works; ``packages`` that it is
    packages, which random weights need as well.
    """

    what: str
    steps: tuple[str, ...]
    learnt: bool = True
    packages: bool = False


def has_weights(manifest: ModelManifest) -> bool:
    """Say whether the model is one that weights are loaded for."""
    return manifest.kind == PLUGIN and bool(manifest.checkpoint.source or manifest.base_checkpoint.source)


def choose_weights(manifest: ModelManifest, chosen: str) -> ModelManifest:
    """Return the manifest with ``weights`` filled in: ``hub`` (also for ""), ``random``, or an existing path.

    A model without weights stays as it is; choosing any for it raises Refusal.
    """
    if not has_weights(manifest):
        if chosen:
            raise Refusal(f"world model {manifest.name!r} loads no weights.", "Leave --weights out.")
        return manifest
    if chosen in ("", FROM_HUB, RANDOM):
        return replace(manifest, weights=chosen or FROM_HUB)
    path = absolute(chosen)
    if not path.exists():
        raise Refusal(f"--weights {chosen!r} does not exist.", "Give hub, random, or the path of a checkpoint.")
    return replace(manifest, weights=str(path))


def own_folder(manifest: ModelManifest, family: Optional[Path] = None) -> Optional[Path]:
    """Return the folder or file of the model's own checkpoint; None where it is random, not here or not applicable.

    ``family`` is the folder of the plugin.toml, in which some checkpoints lie.
    """
    if manifest.weights in ("", RANDOM):
        return None
    if manifest.weights != FROM_HUB:
        return Path(manifest.weights)
    return place_of(manifest.checkpoint, family)


def place_of(checkpoint: Checkpoint, family: Optional[Path] = None) -> Optional[Path]:
    """Return where declared weights are: an absolute path, a folder in the ``family``'s own, or a snapshot in the hub's
    cache; None where they are not. A snapshot may be incomplete.
    """
    source = checkpoint.source
    if source.startswith(BESIDE):
        return family / source if family is not None and (family / source).exists() else None
    if is_hub_id(source):
        return find_snapshot(source, checkpoint.revision)
    return Path(source) if Path(source).is_absolute() and Path(source).exists() else None


def state(manifest: ModelManifest, family: Optional[Path] = None) -> str:
    """Return whether the published weights of a model are here, for a table."""
    if not has_weights(manifest):
        return NOT_APPLICABLE
    return ABSENT if declared_lacks(manifest, family) else PRESENT


def declared_lacks(manifest: ModelManifest, family: Optional[Path] = None) -> tuple[Lack, ...]:
    """Return what a model lacks here when it is played with the weights that its plugin.toml declares."""
    return lacks(replace(manifest, weights=FROM_HUB), family) if has_weights(manifest) else ()


def lacks(manifest: ModelManifest, family: Optional[Path] = None) -> tuple[Lack, ...]:
    """Return what a model with chosen weights lacks on this machine; () where it can start.

    ``family`` is the folder of its plugin.toml, in which its own weights may lie.
    """
    found = [_chosen_lack(manifest), _beside_lack(manifest, family)]
    found += [_lack(manifest, checkpoint) for checkpoint in used_checkpoints(manifest).values()]
    return tuple(lack for lack in found if lack is not None)


def used_checkpoints(manifest: ModelManifest) -> dict[str, Checkpoint]:
    """Return what a model with chosen weights loads of what its plugin.toml declares, by the field's name.

    Weights that lie in the family's folder are left out: they are part of the digest of the code.
    """
    if manifest.weights in ("", RANDOM):
        return {}
    own = manifest.weights == FROM_HUB and not manifest.checkpoint.source.startswith(BESIDE)
    used = {"checkpoint": manifest.checkpoint} if own else {}
    if manifest.base_checkpoint.source and not _is_pipeline(manifest.weights):
        used["base_checkpoint"] = manifest.base_checkpoint
    return used


def _is_pipeline(weights: str) -> bool:
    """Say whether a chosen folder holds a whole pipeline, so that nothing else is loaded."""
    return weights != FROM_HUB and (Path(weights) / "model_index.json").is_file()


def _chosen_lack(manifest: ModelManifest) -> Optional[Lack]:
    """Return what a chosen folder lacks to be loaded as a pipeline or a part of one; other models look themselves."""
    if manifest.weights in ("", FROM_HUB, RANDOM) or PIPELINE not in manifest.settings:
        return None
    folder = Path(manifest.weights)
    reason = incomplete(folder, str(manifest.settings.get("variant", ""))) if folder.is_dir() else ""
    if not reason:
        return None
    return Lack(f"weights in {folder}: {reason}", (f"save or fetch them again; then --weights {folder}",))


def _beside_lack(manifest: ModelManifest, family: Optional[Path]) -> Optional[Lack]:
    """Return what lacks of weights that should lie in the family's folder; None where nothing does."""
    source = manifest.checkpoint.source
    if family is None or manifest.weights != FROM_HUB or not source.startswith(BESIDE):
        return None
    if place_of(manifest.checkpoint, family) is not None:
        return None
    return Lack(
        f"weights of {manifest.name}: there is no {family / source}",
        (f"train them (python benchmark.py posttrain {manifest.name}, docs/posttraining.md); then --weights FOLDER",),
    )


def _lack(manifest: ModelManifest, checkpoint: Checkpoint) -> Optional[Lack]:
    source = checkpoint.source
    if not source:
        return Lack(
            f"{manifest.name}'s own weights: nobody has published them",
            (
                f"train them, or get them from their authors; then --weights /path/to/"
                f"{manifest.name}, a folder with the trained part in safetensors and its card (docs/worldmodels.md)",
            ),
        )
    place = place_of(checkpoint)
    if not is_hub_id(source):
        return (
            None
            if place is not None
            else Lack(
                f"{manifest.name}'s weights from {source}{_terms(manifest)}", ("get them there; then --weights /path",)
            )
        )
    reason = "not in the cache" if place is None else incomplete(place, str(manifest.settings.get("variant", "")))
    if not reason:
        return None
    revision = f" --revision {checkpoint.revision}" if checkpoint.revision else ""
    return Lack(
        f"weights {source} ({checkpoint.revision or DEFAULT_REVISION}) from the Hugging Face Hub{_terms(manifest)}: "
        f"{reason} ({cache_folder()})",
        (f"accept its licence at https://huggingface.co/{source} if it asks; then: hf download {source}{revision}",),
    )


def _terms(manifest: ModelManifest) -> str:
    size = f"about {manifest.download_gb:g} GB" if manifest.download_gb else "size unknown"
    return f", {size}, licence: {manifest.licence or 'not known, see its page'}"


CODE_SETTING = "code"
IN_IMAGE = Path("/code")
"""Where the code lies in an image that was built with it: what an empty setting means."""


def with_chosen_code(manifest: ModelManifest) -> ModelManifest:
    """Return the manifest with the folder that the user chose as an absolute path: a service starts elsewhere."""
    folder = str(manifest.settings[CODE_SETTING])
    whole = str(absolute(folder)) if folder else ""
    return replace(manifest, settings={**manifest.settings, CODE_SETTING: whole})


def code_lacks(manifest: ModelManifest, container: bool, chosen: bool, code_from: str) -> tuple[Lack, ...]:
    """Return what a model lacks of its authors' code; () where nothing can be said before it starts.

    ``chosen`` says that the folder comes from the user. Any other path is one of the ``container`` that the model
    runs in, if it does.
    """
    if CODE_SETTING not in manifest.settings or (container and not chosen):
        return ()
    folder = str(manifest.settings[CODE_SETTING])
    if (Path(folder) if folder else IN_IMAGE).is_dir():
        return ()
    why = f"{folder} is no folder" if folder else f"the setting {CODE_SETTING} is empty"
    get = code_from or f"get it from its authors (the README of {manifest.family!r})"
    return (
        Lack(
            f"the authors' own code, which {manifest.name} runs and which is not part of it: {why}",
            (get, f"then --set {CODE_SETTING}=/path/to/the/checkout"),
            learnt=False,
        ),
    )
