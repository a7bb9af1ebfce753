"""What a user asked for, and how it becomes the plan of a run.

Everything here is checked before anything starts: a wrong word costs a sentence and less than a second.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from harness.cli import again
from harness.cli.progress import ReadingLine
from harness.cli.scenes import choose_scenes
from harness.contracts.commands import command
from harness.contracts.digest import to_plain
from harness.contracts.episodes import DEFAULT_EPISODES, Episode
from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute
from harness.contracts.manifests import PLUGIN, ModelManifest
from harness.contracts.names import nearest
from harness.contracts.seeds import MAX_SEED
from harness.records.identity import ImageRecord, RunIdentity
from harness.records.journal import MAX_ROWS
from harness.running.action_spaces import check_actions
from harness.running.model_digests import with_digests
from harness.running.plan import UNCHANGED, Patience, RunPlan
from harness.running.reference_checks import check_reference
from harness.running.run_images import DOCKER, PROCESS, find_image, read_file
from harness.running.services import Placement, find_gpu, plan_environment, plan_world_model
from harness.running.view_match import check_view, choose_tier, tier_for
from harness.runtimes.environments import FILES, has_module, titles_of
from harness.runtimes.specs import ServiceSpec
from harness.worldmodels import plugin_images
from harness.worldmodels.catalog import Catalog, CatalogEntry, load_catalog
from harness.worldmodels.packages import package_lacks
from harness.worldmodels.plugin_images import MANIFEST_PATH
from harness.worldmodels.preparing import Choice, Prepared, check, prepare
from harness.worldmodels.strangers import stamps_of
from tasks.registry import load_task
from tasks.requirements import environment_of_requirement
from tasks.subsets import ALL, MINI, mini, subset_name
from tasks.suite import DRAFT, DRAFT_TIER, Suite, load_suite

MAX_WORKERS = 256

RUNTIMES = (PROCESS, DOCKER)

TRIAL_SUITE = "embedded"
"""The suite that needs nothing but packages."""


@dataclass(frozen=True)
class RunOptions:
    """The options of the main command, as given; empty means the default of the suite or the world model.

    ``wm_image`` puts the world model into a container whatever the runtime: a stranger's image never runs otherwise.
    ``choice`` is what was chosen about the world model itself: overrides, weights, and whether its card may be missing.
    """

    wm: str
    task: str
    suite: str = ""
    tier: str = ""
    split: str = ""
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
    environment: str = ""
    scenes: str = ""
    patience: Patience = UNCHANGED

    @property
    def env_container(self) -> bool:
        """Say whether the environment runs in a container."""
        return self.runtime == DOCKER

    @property
    def wm_container(self) -> bool:
        """Say whether the world model runs in a container."""
        return self.runtime == DOCKER or bool(self.wm_image)


def default_workers() -> int:
    """Return one worker a usable core, at most 4: the outcome is the same whatever the number."""
    return min(len(os.sched_getaffinity(0)), 4)


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
    _check_rows(1, len(seeds))
    return tuple(seeds)


def _check_rows(episodes: int, seeds: int) -> None:
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


def check_placement(options: RunOptions) -> None:
    """Raise Refusal where the options that say what runs where contradict each other; asks no engine."""
    if options.runtime not in RUNTIMES:
        raise Refusal(f"there is no runtime {options.runtime!r}.", nearest(options.runtime, RUNTIMES))
    if options.env_python and options.env_container:
        raise Refusal("--env-python names an interpreter for a process.", "Leave it out, or use --runtime process.")
    if options.wm_python and options.wm_container:
        raise Refusal(
            "--wm-python names an interpreter for a process, but the world model runs in a container.",
            "Leave it out: an image brings its own interpreter.",
        )


def choose_model(options: RunOptions, catalog: Catalog, image: ImageRecord | None) -> CatalogEntry:
    """Return the world model asked for, from the image if there is one, else from the catalog."""
    if image is None:
        return catalog.find(options.wm)
    content = read_file(image, MANIFEST_PATH)
    return plugin_images.choose_model(content, image.reference, options.wm, catalog.names())


def choose_suite(options: RunOptions, prepared: Prepared) -> Suite:
    """Return the suite asked for, or the world model's home suite.

    Refusal where something is missing here: all of it in one message, so that nobody learns of the second thing only
    after an hour of fetching the first.
    """
    manifest = prepared.manifest
    suite = load_suite(options.suite or manifest.home_suite, options.task)
    suite = suite.in_environment(options.environment) if options.environment else suite
    alone = command("plugin", "check", *_named(options, manifest))
    check_actions(manifest, suite, alone)
    check_view(manifest, suite, choose_tier(manifest, suite, options.tier), alone)
    environment = suite.played_by
    if options.scenes and environment.scenes != FILES:
        raise Refusal(
            f"--scenes is for {titles_of(lambda other: other.scenes == FILES)}, and {environment.title} "
            f"play {suite.name}.",
            "Leave it out.",
        )
    if environment.module and options.env_python:
        environment.require_module(interpreter(options.env_python, "--env-python"))
    if environment.module and not options.env_container and has_module(options.env_python, environment.module):
        needs = tuple(need for need in suite.requires if environment_of_requirement(need) != environment)
        suite = replace(suite, requires=needs)
    here = [f"{missing.reason}. {missing.remedy}" for missing in suite.missing()]
    here += [f"{lack.what}. To get them: {'; '.join(lack.steps)}." for lack in prepared.lacks]
    if len(here) == 1 and not prepared.lacks:
        suite.require_runnable()
    if here:
        raise Refusal(
            f"{manifest.name} on {options.task} of suite {suite.name} cannot run here: "
            f"{len(here)} {'thing is' if len(here) == 1 else 'things are'} missing.",
            "\n".join([*(f"- {line}" for line in here), *_trial(options, suite, prepared)]),
        )
    return suite


def _named(options: RunOptions, manifest: ModelManifest) -> tuple[str, ...]:
    """Return the words with which `plugin check` finds the run's world model."""
    if options.wm_image:
        return (
            options.wm_image if {"/", ":"} & set(options.wm_image) else f"{options.wm_image}:latest",
            "--model",
            manifest.name,
        )
    return (manifest.name, *_plugins(options))


def _plugins(options: RunOptions) -> tuple[str, ...]:
    return tuple(word for folder in options.plugins for word in ("--plugins", str(folder)))


def _trial(options: RunOptions, suite: Suite, prepared: Prepared) -> tuple[str, ...]:
    """Return the command that plays without what is missing, or tries the model alone where none plays it, if any."""
    packages = any(lack.packages for lack in prepared.lacks)
    learnt = any(lack.learnt for lack in prepared.lacks)
    if not all(lack.learnt or lack.packages for lack in prepared.lacks) or not (learnt or suite.missing()):
        return ()
    manifest = prepared.manifest
    trial = load_suite(TRIAL_SUITE, options.task) if suite.missing() else suite
    if trial.missing():
        return ()
    without = "With those packages and without the rest" if packages else "Without all that"
    weights = ("--weights", "random") if learnt else ()
    tier = tier_for(trial, manifest.view)
    alone = f"{without}, the model alone: {command('plugin', 'check', *_named(options, manifest), *weights)}"
    if not tier:
        return (alone,)
    why = "a dry trial with random weights" if weights else "a run in embedded homes"
    named = () if tier == trial.default_tier else ("--tier", tier)
    words = ("--wm", options.wm, "--task", options.task, "--suite", trial.family, *named, *weights, *_plugins(options))
    played = f"{without}, {why}: {command(*words)}"
    return (played, alone) if named else (played,)


def make_plan(options: RunOptions) -> RunPlan:
    """Return the complete plan of a run; every wrong option raises Refusal before anything is written.

    The engine is asked last, so that a wrong word is answered at once; only an image's own manifest comes before the
    options that depend on it.
    """
    if not 1 <= options.workers <= MAX_WORKERS:
        raise Refusal(f"--workers {options.workers} is not in 1..{MAX_WORKERS}.", "One a core is a good choice.")
    check_placement(options)
    load_task(options.task)
    environment = Placement(
        options.env_container, interpreter(options.env_python, "--env-python"), find_gpu(options.env_gpu)
    )
    world_model = Placement(
        options.wm_container, interpreter(options.wm_python, "--wm-python"), find_gpu(options.wm_gpu)
    )
    parse_seeds(options.seeds)
    catalog = load_catalog(options.plugins)
    image = find_image(options.wm_image) if options.wm_image else None
    entry = choose_model(options, catalog, image)
    packages = () if options.wm_container else package_lacks(entry, world_model.python)
    prepared = prepare(entry.manifest, options.choice, options.wm_container, entry.code_from, packages)
    suite = choose_suite(options, prepared)
    prepared = check(prepared, options.choice, ReadingLine())
    entry = replace(entry, manifest=prepared.manifest)
    identity = identify(options, suite, prepared, image, stamps_of(entry, options.wm_container))
    model_plan, model_image = plan_world_model(entry, image, world_model, prepared.code)
    environment_plan, environment_image = _environment(options, suite, identity, environment)
    images = {"environment": environment_image, "world_model": model_image}
    plan = RunPlan(
        identity,
        environment=environment_plan,
        world_model=model_plan,
        workers=options.workers,
        images={kind: image for kind, image in images.items() if image is not None},
        again=again.words(options, environment, world_model, entry.manifest),
    ).with_patience(options.patience)
    return with_digests(plan, ReadingLine())


def _environment(
    options: RunOptions, suite: Suite, identity: RunIdentity, where: Placement
) -> tuple[ServiceSpec, ImageRecord | None]:
    """Return how to start the environment that plays the suite, and its image if it runs in a container."""
    known = suite.scene_digests()
    digests = {scene: known[scene] for scene in sorted({episode.scene for episode in identity.episodes})}
    files = {} if suite.is_elsewhere else digests  # those of homes are of homes; their exporter checks them
    return plan_environment(suite, choose_scenes(options.scenes, suite), files, where)


def identify(
    options: RunOptions, suite: Suite, prepared: Prepared, image: ImageRecord | None, stamps: tuple[str, ...] = ()
) -> RunIdentity:
    """Return what the run asks: all that decides its outcome; ``stamps`` are further ones of its result."""
    manifest = prepared.manifest
    tier = choose_tier(manifest, suite, options.tier)
    stop = options.stop or tier.loop.stop_rules[0]
    tier.check_stop(stop)
    split = options.split or suite.default_split
    available = suite.episodes(tier.name, split)
    episodes = choose_episodes(available, options.episodes)
    seeds = parse_seeds(options.seeds)
    _check_rows(len(episodes), len(seeds))
    check_reference(manifest, suite, tier)
    loop = tier.loop_for(manifest.name)
    return RunIdentity(
        suite=suite.name,
        suite_hash=suite.hash(tier.name),
        task=options.task,
        tier=tier.name,
        split=split,
        stop=stop,
        view=manifest.view if manifest.kind == PLUGIN else tier.view,
        wm=manifest.name,
        wm_manifest=asdict(manifest),
        wm_manifest_hash=manifest.digest(),
        planner=loop.planner,
        seeds=seeds,
        episodes=episodes,
        episodes_subset=subset_name(len(episodes), len(available), options.episodes),
        specs=to_plain({"rig": suite.rig, "action_space": suite.action_space, "loop": loop}),
        wm_image=image,
        wm_overrides=prepared.overrides,
        stamps=(*prepared.stamps, *stamps, *((DRAFT_TIER,) if tier.status == DRAFT else ())),
    )
