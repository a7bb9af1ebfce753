"""Continuing a run: its plan is made anew, from what the run asks, this checkout, and the options on the command line.

A run folder may come from anybody. It is read for what was asked, which is checked against catalog and suite; what is
executed comes from the catalog and the user (`harness.records.resuming`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.manifests import FROM_HUB, PLUGIN, RANDOM, ModelManifest
from harness.records import resuming
from harness.records.banks import BANK_HASH
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity
from harness.running.cluster import Cluster
from harness.running.make_plan import make_plan
from harness.running.plan import UNCHANGED, Patience, RunPlan, check_suite
from harness.running.run_images import DOCKER, PROCESS, check_images, find_image
from harness.running.run_options import MAX_WORKERS, RunOptions, default_workers, needs_word
from harness.runtimes.service import WORLD_MODEL
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.conditioning import PLAN_ACTIONS, PROMPT_TEMPLATE
from harness.worldmodels.digests import Progress, commits_of, quiet
from harness.worldmodels.preparing import FACTS, PREFIX, UNCARDED, Choice
from tasks.suite import load_suite

PLACES = ("--workers", "--executor", "--address", "--gpus")
"""Options that say where a run is played, which changes nothing that it asks."""

TAKEN = (*resuming.KNOWN, *PLACES, "--resume", "--retry-errors", "--runtime", "--set", "--json", *resuming.PATIENCE)
"""The options that mean something beside ``--resume``."""

_AS_PLANNED = "--resume continues a run as it was planned"
LINE = "\n"
_SETTLED = (*FACTS, PROMPT_TEMPLATE, PLAN_ACTIONS)


@dataclass(frozen=True)
class Continuation:
    """How a run is continued; empty means as it was begun, or this interpreter, or none."""

    workers: int | None = None
    env_python: str = ""
    wm_python: str = ""
    plugins: tuple[Path, ...] = ()
    runtime: str = ""
    env_gpu: str = ""
    wm_gpu: str = ""
    scenes: str = ""
    weights: str = ""
    assignments: tuple[str, ...] = field(default=())
    proposer_assignments: tuple[str, ...] = ()
    patience: Patience = UNCHANGED
    cluster: Cluster | None = None

    def options(self) -> dict[str, Any]:
        """Return what was given, by the option's name."""
        return {
            resuming.ENV_PYTHON: self.env_python,
            resuming.WM_PYTHON: self.wm_python,
            resuming.ENV_GPU: self.env_gpu,
            resuming.WM_GPU: self.wm_gpu,
            resuming.SCENES: self.scenes,
            resuming.WEIGHTS: self.weights,
            resuming.PLUGINS: self.plugins,
            resuming.PROPOSER_SET: self.proposer_assignments,
        }


def check_options(given: Mapping[str, Any]) -> None:
    """Raise Refusal, naming each with its value, where options beside ``--resume`` (name -> value) would be ignored."""
    ignored = [name if value is True else f"{name} {value}" for name, value in given.items() if name not in TAKEN]
    for assignment in given.get("--set") or ():
        if _key(assignment) in _SETTLED:
            ignored.append(f"--set {assignment}")
    if given.get(resuming.WEIGHTS) in (FROM_HUB, RANDOM):
        ignored.append(f"{resuming.WEIGHTS} {given[resuming.WEIGHTS]}")
    if ignored:
        raise Refusal(f"{_AS_PLANNED} and does not take {', '.join(ignored)}.", "Leave that out, or begin a new run.")


def plan_again(folder: RunFolder, given: Continuation, reading: Progress = quiet) -> RunPlan:
    """Return the plan of an existing run, made anew.

    Refusal names the options that have to be given again; SpecMismatch says what this checkout has differently.
    """
    identity = folder.identity
    if BANK_HASH in identity.specs:
        raise Refusal(f"{folder.path} is a measurement on a decision bank.", "Give its own command again: it goes on.")
    check_suite(identity, load_suite(identity.suite, identity.task).hash(identity.tier))
    if identity.wm_image is not None:  # before anything is read from an image that may be another one
        check_images({WORLD_MODEL: identity.wm_image}, {WORLD_MODEL: find_image(identity.wm_image.reference)})
    choice = _choice(folder, given)
    planned = make_plan(
        RunOptions(
            wm=identity.wm,
            task=identity.task,
            proposer=identity.proposer,
            proposer_assignments=given.proposer_assignments,
            suite=identity.suite,
            tier=identity.tier,
            split=identity.split,
            episodes="all",
            seeds=",".join(map(str, identity.seeds)),
            stop=identity.stop,
            workers=_workers(folder, given),
            env_python=given.env_python,
            wm_python=given.wm_python,
            plugins=given.plugins,
            runtime=given.runtime or (DOCKER if resuming.in_containers(folder.record) else PROCESS),
            wm_image="" if identity.wm_image is None else identity.wm_image.reference,
            env_gpu=given.env_gpu,
            wm_gpu=given.wm_gpu,
            choice=choice,
            candidates=identity.search.candidates,
            wm_share=identity.search.wm_share,
            decision_seconds=identity.search.decision_seconds,
            step_seconds=identity.search.step_seconds,
            batch_episodes=identity.batch_wait_ms,
            scenes=given.scenes,
            patience=given.patience,
            cluster=given.cluster,
        ),
        reading,
    )
    return replace(planned, identity=_with_episodes(planned.identity, identity))


def _with_episodes(now: RunIdentity, began: RunIdentity) -> RunIdentity:
    """Return ``now``, which has all episodes of the split, with those that the run began with; SpecMismatch where the
    suite has none such."""
    known = {episode.id: episode for episode in now.episodes}
    strange = [episode.id for episode in began.episodes if known.get(episode.id) != episode]
    if strange:
        raise SpecMismatch(
            f"{began.suite}/{began.task}/{began.tier} has no episode {strange[0]!r} as the run describes it"
            f"{f' (nor {len(strange) - 1} others)' if len(strange) > 1 else ''}.",
            "Its run.json was changed, or is of another version: start a new run.",
        )
    return replace(now, episodes=began.episodes, episodes_subset=began.episodes_subset)


def _choice(folder: RunFolder, given: Continuation) -> Choice:
    """Return what was chosen about the world model, with what had to be given again; Refusal where that is lacking."""
    identity = folder.identity
    manifest = _declared(identity, given.plugins)
    told = {_key(assignment): assignment for assignment in given.assignments}
    wanted = {key for key, value in identity.wm_overrides.items() if needs_word(key, value, manifest)}
    strange = [f"--set {assignment}" for key, assignment in told.items() if key not in wanted]
    chosen = resuming.is_path(str(identity.wm_manifest.get("weights", "")))
    if given.weights and not chosen:
        strange.append(f"{resuming.WEIGHTS} {given.weights}")
    if strange:
        raise Refusal(f"{_AS_PLANNED}, and {', '.join(strange)} would change that.", "Leave that out.")
    options = given.options()
    lacking = [option for option in resuming.KNOWN if option in resuming.needed(folder.record) and not options[option]]
    lacking += [f"--set {key}=..." for key in sorted(wanted - set(told))]
    if lacking:
        raise Refusal(
            f"the run was begun with {', '.join(lacking)}, and a run folder is not believed about what is executed.",
            "Give that again, as it was (run.json keeps the command that began the run).",
        )
    kept = [assignment(key, value, identity) for key, value in identity.wm_overrides.items() if key not in wanted]
    weights = given.weights if chosen else str(identity.wm_manifest.get("weights", ""))
    commits = commits_of(identity.wm_digests)  # of hub references, which may have moved since
    return Choice((*kept, *told.values()), weights, UNCARDED in identity.stamps, commits)


def _declared(identity: RunIdentity, plugins: Sequence[Path]) -> ModelManifest:
    """Return what the catalog declares of the run's world model; of one in an image nothing but its kind is known."""
    if identity.wm_image is not None:
        return ModelManifest(identity.wm, "", PLUGIN)
    catalog = load_catalog(plugins)
    if identity.wm not in catalog.names():
        raise Refusal(
            f"the run plays the world model {identity.wm!r}, which is not in the catalog.",
            f"Give the folder of its plugin again: {resuming.PLUGINS} FOLDER.",
        )
    return catalog.find(identity.wm).manifest


def assignment(key: str, value: Any, identity: RunIdentity) -> str:
    """Return an override as ``--set`` takes it; of a prompt template the text, which the run keeps, not a file."""
    if key == PROMPT_TEMPLATE:
        settings = identity.wm_manifest.get("settings")
        text = str(settings.get(key, "")) if isinstance(settings, dict) else ""
        return f"{PREFIX}{key}={text if LINE in text else LINE}"  # without a line it would be read as a file's name
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{key}={written}" if key in FACTS else f"{PREFIX}{key}={written}"


def _workers(folder: RunFolder, given: Continuation) -> int:
    """Return how many workers are wanted: those of a cluster, or as many as the run had, or the usual number where it
    says nothing sensible."""
    if given.workers is not None or given.cluster is not None:
        return given.workers or MAX_WORKERS
    kept = folder.record.execution.get("workers")
    return kept if type(kept) is int and 1 <= kept <= MAX_WORKERS else default_workers()


def _key(assignment: str) -> str:
    return assignment.partition("=")[0].strip().removeprefix(PREFIX)
