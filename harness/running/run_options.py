"""What a user chose for a run, by the names of the options, and what is checked of each alone."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.contracts.episodes import DEFAULT_EPISODES, Episode
from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute
from harness.contracts.manifests import NETWORK, PLUGIN, ModelManifest
from harness.contracts.names import nearest
from harness.contracts.seeds import MAX_SEED
from harness.records.journal import MAX_ROWS
from harness.records.resuming import (
    CALL_TIMEOUT,
    ENV_GPU,
    ENV_PYTHON,
    MAX_FAILURES,
    PLUGINS,
    PROPOSER_SET,
    SCENES,
    START_TIMEOUT,
    WEIGHTS,
    WM_GPU,
    WM_PYTHON,
    is_path,
)
from harness.running.cluster import Cluster
from harness.running.plan import UNCHANGED, Patience
from harness.running.run_images import DOCKER, PROCESS
from harness.running.services import Placement
from harness.worldmodels.conditioning import PLAN_ACTIONS, PROMPT_TEMPLATE
from harness.worldmodels.preparing import FACTS, PREFIX, Choice
from harness.worldmodels.weights import CODE_SETTING as CODE
from tasks.subsets import ALL, MINI, mini

MAX_WORKERS = 256

RUNTIMES = (PROCESS, DOCKER)

BATCH_DEPENDENT = "batch-dependent"
"""The stamp of a run that batches across episodes with a model that does not promise equal bytes in every batch."""

MAX_BATCH_WAIT_MS = 60_000.0

TRIAL_SUITE = "embedded"
"""The suite that needs nothing but packages."""


@dataclass(frozen=True)
class RunOptions:
    """The options of the main command, as given; empty means the default of the suite or the world model.

    ``wm_image`` puts the world model into a container whatever the runtime: a stranger's image never runs otherwise.
    ``proposer`` names the policy that proposes ("": the tier's own proposer), ``proposer_assignments`` what is changed
    of it. ``choice`` is what was chosen about the world model itself: overrides, weights, and whether its card may be
    missing.
    ``candidates``, ``wm_share``, ``decision_seconds`` and ``step_seconds`` limit the search
    (`harness.contracts.search`). ``batch_episodes`` is how many
    milliseconds a request waits for those of other episodes; None: each worker has a world model of its own.
    ``cluster`` is where workers are, None: on this machine.
    """

    wm: str
    task: str
    suite: str = ""
    tier: str = ""
    split: str = ""
    fresh_seed: str = ""
    episodes: str = ""
    seeds: str = "0"
    stop: str = ""
    workers: int = 1
    env_python: str = ""
    wm_python: str = ""
    plugins: tuple[Path, ...] = ()
    runtime: str = PROCESS
    wm_image: str = ""
    env_gpu: str = ""
    wm_gpu: str = ""
    choice: Choice = field(default_factory=Choice)
    candidates: int | None = None
    wm_share: float | None = None
    decision_seconds: float | None = None
    step_seconds: float | None = None
    batch_episodes: float | None = None
    environment: str = ""
    scenes: str = ""
    patience: Patience = UNCHANGED
    cluster: Cluster | None = None
    proposer: str = ""
    proposer_assignments: tuple[str, ...] = ()

    @property
    def env_container(self) -> bool:
        """Say whether the environment runs in a container."""
        return self.runtime == DOCKER

    @property
    def wm_container(self) -> bool:
        """Say whether the world model runs in a container."""
        return self.runtime == DOCKER or bool(self.wm_image)


MOST_WORKERS = 4
"""Workers that a command takes by itself at most, however many cores there are."""


def default_workers(most: int = MOST_WORKERS) -> int:
    """Return one worker a usable core, at most ``most``: the outcome is the same whatever the number."""
    return min(len(os.sched_getaffinity(0)), most)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of ``3``, ``0-4`` or ``0,2,7``; Refusal for anything else."""
    seeds: list[int] = []
    try:
        for part in text.split(","):
            low, dash, high = part.partition("-")
            wanted = range(int(low), int(high) + 1) if dash else range(int(low), int(low) + 1)
            seeds.extend(wanted[: MAX_ROWS + 1])  # no more than can be refused
    except ValueError:
        seeds = []
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0 or max(seeds) > MAX_SEED:
        raise Refusal(f"seeds {text!r} are not understood.", "Give --seed 3, or --seeds 0-4, or --seeds 0,2,7.")
    check_rows(1, len(seeds))
    return tuple(seeds)


def check_rows(episodes: int, seeds: int) -> None:
    """Raise Refusal for a run that could not be opened again."""
    if episodes * seeds > MAX_ROWS:
        raise Refusal(f"a run has at most {MAX_ROWS:,} rows, an episode and a seed each.", "Give fewer --seeds.")


def choose_episodes(episodes: Sequence[Episode], wanted: str) -> tuple[Episode, ...]:
    """Return ``wanted`` of the episodes (a number, ``all``, or the subset ``mini``), in file order.

    A number is spread evenly over the homes: one episode of each home is taken before a second one of any, because
    intervals are clustered by home.
    """
    if wanted == ALL:
        return tuple(episodes)
    if wanted == MINI:
        return mini(episodes)
    if wanted and not wanted.isdigit():
        raise Refusal(f"--episodes {wanted!r} is not understood.", "Give a number, mini, or all.")
    number = int(wanted or min(DEFAULT_EPISODES, len(episodes)))
    if not 1 <= number <= len(episodes):
        raise Refusal(f"--episodes {number} is not in 1..{len(episodes)}.", f"This split has {len(episodes)} episodes.")
    turn: dict[str, int] = {}
    rounds = []
    for position, episode in enumerate(episodes):
        turn[episode.home] = turn.get(episode.home, -1) + 1
        rounds.append((turn[episode.home], position))
    chosen = sorted(position for _, position in sorted(rounds)[:number])
    return tuple(episodes[position] for position in chosen)


def interpreter(given: str, option: str) -> str:
    """Return the absolute path of an interpreter, "" for this one; Refusal where it does not exist."""
    if not given:
        return ""
    found = shutil.which(absolute(given) if given.startswith("~") else given)
    if found is None:
        raise Refusal(f"{option} {given!r} is not a program.", f"Give the path of a Python, such as {sys.executable}.")
    return str(absolute(found))  # a service starts in another folder; a link of a venv stays one


def check_runtime(runtime: str, env_python: str) -> None:
    """Raise Refusal for a runtime that does not exist, or an interpreter that a container has no use for."""
    if runtime not in RUNTIMES:
        raise Refusal(f"there is no runtime {runtime!r}.", nearest(runtime, RUNTIMES))
    if env_python and runtime == DOCKER:
        raise Refusal("--env-python names an interpreter for a process.", "Leave it out, or use --runtime process.")


def check_placement(options: RunOptions) -> None:
    """Raise Refusal where the options that say what runs where contradict each other; asks no engine."""
    check_runtime(options.runtime, options.env_python)
    if options.wm_python and options.wm_container:
        raise Refusal(
            "--wm-python names an interpreter for a process, but the world model runs in a container.",
            "Leave it out: an image brings its own interpreter.",
        )
    if options.cluster is not None:
        _check_cluster(options, options.cluster)


def _check_cluster(options: RunOptions, cluster: Cluster) -> None:
    """Raise Refusal for what is of one machine alone."""
    gpus = {ENV_GPU: options.env_gpu, WM_GPU: options.wm_gpu}
    check_places(cluster, gpus, options.wm_container or options.env_container)
    if options.batch_episodes is not None:
        raise Refusal("--batch-episodes has one world model for all workers, on one machine.", "Leave one of them out.")


def check_places(cluster: Cluster, gpus: Mapping[str, str], containers: bool) -> None:
    """Raise Refusal for a GPU that an option names (option -> GPU, "" for none), and for GPUs of a cluster that would
    be given to ``containers``."""
    for option, given in gpus.items():
        if given:
            raise Refusal(f"{option} {given} is a GPU of one machine.", "Give --gpus: every worker gets as many.")
    if cluster.gpus and containers:
        raise Refusal("--gpus gives GPUs to processes, and here are containers.", "Use --runtime process.")


def check_account(options: RunOptions, manifest: ModelManifest) -> None:
    """Raise Refusal for a hosted model on a cluster: its account of what was spent is a file of one machine."""
    if options.cluster is not None and NETWORK in manifest.needs:
        raise Refusal(
            f"{manifest.name} costs money, and its account is a file of one machine.", "Use --executor local."
        )


def batching_stamps(options: RunOptions, manifest: ModelManifest, batch_invariant: bool) -> tuple[str, ...]:
    """Return the stamps of batching across episodes; Refusal for a wait, or a world model, that cannot be."""
    wait_ms = options.batch_episodes
    if wait_ms is None:
        return ()
    if not 0.0 <= wait_ms <= MAX_BATCH_WAIT_MS:
        raise Refusal(
            f"--batch-episodes {wait_ms:g} is not in 0..{MAX_BATCH_WAIT_MS:g} milliseconds.",
            "Give how long a request waits for those of other episodes, as 10.",
        )
    if manifest.kind != PLUGIN:
        raise Refusal(f"{manifest.name} has no service whose requests could be batched.", "Leave out --batch-episodes.")
    return () if batch_invariant else (BATCH_DEPENDENT,)


def check_gpus(gpus: Sequence[str], workers: int) -> None:
    """Raise Refusal where a GPU of the world models would have no worker that asks it."""
    if len(gpus) > workers:
        raise Refusal(
            f"--wm-gpu names {len(gpus)} GPUs, and --workers {workers} would leave some without work.",
            f"Give --workers {len(gpus)} or more, or fewer GPUs.",
        )


def again_words(
    options: RunOptions,
    environment: Placement,
    world_model: Placement,
    model_gpus: Sequence[str],
    manifest: ModelManifest,
) -> tuple[str, ...]:
    """Return what a resume of a run with these options needs, as ``--option=value``, with paths that hold anywhere."""
    given = {
        ENV_PYTHON: environment.python,
        WM_PYTHON: world_model.python,
        ENV_GPU: environment.gpu,
        WM_GPU: ",".join(model_gpus),
        SCENES: str(absolute(options.scenes)) if options.scenes else "",
        WEIGHTS: manifest.weights if is_path(manifest.weights) else "",
    }
    found = [f"{option}={value}" for option, value in given.items() if value]
    found += [f"{PLUGINS}={absolute(folder)}" for folder in options.plugins]
    found += [f"{PROPOSER_SET}={assignment}" for assignment in options.proposer_assignments]
    patience = {
        MAX_FAILURES: options.patience.max_failures,
        CALL_TIMEOUT: options.patience.timeout_s,
        START_TIMEOUT: options.patience.start_s,
    }
    found += [f"{option}={value:g}" for option, value in patience.items() if value is not None]
    for assignment in options.choice.assignments:
        key, _, text = assignment.partition("=")
        short = key.strip().removeprefix(PREFIX)
        value = manifest.settings.get(short)
        if needs_word(short, value, manifest):
            found.append(f"--set={key}={value if short == CODE else text}")
    return (*found, *(options.cluster.words if options.cluster else ()))


def needs_word(key: str, value: object, manifest: ModelManifest) -> bool:
    """Say whether an override has to be given again: text may name a file, an address or code, and numbers of a model
    that asks others over the network are money. What the harness itself reads of a model is neither."""
    if manifest.kind != PLUGIN or key in (*FACTS, PROMPT_TEMPLATE, PLAN_ACTIONS):
        return False
    return isinstance(value, str) or isinstance(manifest.settings.get(key), str) or NETWORK in manifest.needs
