"""How a run's options become its plan.

Everything here is checked before anything starts: a wrong word costs a sentence and less than a second.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from harness.contracts.commands import command
from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.contracts.manifests import PLUGIN, ModelManifest
from harness.contracts.search import SEARCH, Search
from harness.records.identity import POLICY, ImageRecord, RunIdentity
from harness.running.chosen_policy import PlannedPolicy, check_one_machine, plan_policy
from harness.running.compatibility import check_actions, check_reference, check_view, choose_tier, tier_for
from harness.running.model_digests import with_digests
from harness.running.plan import RunPlan
from harness.running.run_images import find_image, read_file
from harness.running.run_options import (
    MAX_WORKERS,
    TRIAL_SUITE,
    RunOptions,
    again_words,
    batching_stamps,
    check_account,
    check_gpus,
    check_placement,
    check_rows,
    choose_episodes,
    default_workers,
    interpreter,
    parse_seeds,
)
from harness.running.scenes import choose_scenes
from harness.running.services import Placement, find_gpu, find_gpus, plan_environment, plan_world_model
from harness.runtimes.environments import FILES, has_module, titles_of
from harness.runtimes.service import ServiceSpec
from harness.worldmodels import plugin_images
from harness.worldmodels.catalog import Catalog, CatalogEntry, load_catalog
from harness.worldmodels.digests import Progress, quiet
from harness.worldmodels.packages import package_lacks
from harness.worldmodels.plugin_images import MANIFEST_PATH
from harness.worldmodels.preparing import Prepared, check, prepare
from harness.worldmodels.strangers import stamps_of
from tasks import fresh_homes
from tasks.fresh_homes import FRESH, is_fresh, named_split
from tasks.registry import load_task
from tasks.requirements import environment_of_requirement
from tasks.subsets import subset_name
from tasks.suite import DRAFT, DRAFT_TIER, Suite, Tier, load_suite


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


def choose_search(options: RunOptions, tier: Tier, wm: str) -> Search:
    """Return the search that was asked for; Refusal where the tier, or the world model ``wm``, has none such."""
    share = options.wm_share
    if options.candidates is not None and not 1 <= options.candidates <= tier.candidates:
        raise Refusal(
            f"--candidates {options.candidates} is not in 1..{tier.candidates}: so many has a decision of "
            f"{tier.suite}/{tier.name}.",
            "Leave it out to search all of them.",
        )
    if share is not None and not 0.0 <= share <= 1.0:
        raise Refusal(
            f"--wm-share {share:g} is not in 0..1.", "Give the share of decisions in which the model is asked, as 0.5."
        )
    if share is not None and not tier.asks_model(wm):
        raise Refusal(f"{wm} asks no world model in any decision.", "Leave out --wm-share.")
    if (options.decision_seconds, options.step_seconds) != (None, None) and not tier.asks_model(wm):
        raise Refusal(f"{wm} asks no world model, so its decisions cost nothing.", "Leave out --decision-seconds.")
    try:
        return Search(options.candidates, share, options.decision_seconds, options.step_seconds)
    except ValueError as error:
        raise Refusal(
            f"--decision-seconds and --step-seconds: {error}.",
            "Give both: --decision-seconds 4 --step-seconds 0.5 lets 8 steps pass while a decision is made.",
        ) from error


def make_plan(options: RunOptions, reading: Progress = quiet) -> RunPlan:
    """Return the complete plan of a run; every wrong option raises Refusal before anything is written.

    ``reading`` is called with the bytes of weights that were read and those in all: first to check them, then for their
    digests.

    The engine is asked last, so that a wrong word is answered at once; only an image's own manifest comes before the
    options that depend on it.
    """
    if not 1 <= options.workers <= MAX_WORKERS:
        raise Refusal(f"--workers {options.workers} is not in 1..{MAX_WORKERS}.", "One a core is a good choice.")
    check_placement(options)
    task = load_task(options.task)
    environment = Placement(
        options.env_container, interpreter(options.env_python, "--env-python"), find_gpu(options.env_gpu)
    )
    world_model = Placement(options.wm_container, interpreter(options.wm_python, "--wm-python"))
    model_gpus = find_gpus(options.wm_gpu)
    check_gpus(model_gpus, options.workers)
    parse_seeds(options.seeds)
    catalog = load_catalog(options.plugins)
    image = find_image(options.wm_image) if options.wm_image else None
    entry = choose_model(options, catalog, image)
    packages = () if options.wm_container else package_lacks(entry, world_model.python)
    prepared = prepare(entry.manifest, options.choice, options.wm_container, entry.code_from, packages, entry.folder)
    suite = choose_suite(options, prepared)
    prepared = check(prepared, options.choice, reading, entry.folder)
    entry = replace(entry, manifest=prepared.manifest)
    check_account(options, entry.manifest)
    batching = batching_stamps(options, entry.manifest, entry.batch_invariant)
    policy = plan_policy(options, catalog, suite)
    if policy is not None:
        check_one_machine(options, policy)
    stamps = (*stamps_of(entry, options.wm_container), *batching)
    identity = identify(options, suite, prepared, image, stamps, policy)
    model_plan, model_image = plan_world_model(entry, image, world_model, prepared.code)
    environment_plan, environment_image = _environment(options, suite, identity, environment)
    images = {"environment": environment_image, "world_model": model_image}
    plan = RunPlan(
        identity,
        environment=environment_plan,
        world_model=model_plan,
        policy=None if policy is None else policy.service,
        workers=options.workers,
        images={kind: image for kind, image in images.items() if image is not None},
        again=again_words(options, environment, world_model, model_gpus, entry.manifest),
        metrics=task.metrics,
        model_gpus=model_gpus,
        cluster=options.cluster,
    ).with_patience(options.patience)
    return with_digests(plan, reading)


def _environment(
    options: RunOptions, suite: Suite, identity: RunIdentity, where: Placement
) -> tuple[ServiceSpec, ImageRecord | None]:
    """Return how to start the environment that plays the suite, and its image if it runs in a container."""
    known = suite.scenes_of(identity.tier, identity.split)
    digests = {scene: known[scene] for scene in sorted({episode.scene for episode in identity.episodes})}
    files = {} if suite.is_elsewhere else digests  # those of homes are of homes; their exporter checks them
    return plan_environment(suite, choose_scenes(options.scenes, suite), files, where)


def identify(
    options: RunOptions,
    suite: Suite,
    prepared: Prepared,
    image: ImageRecord | None,
    stamps: tuple[str, ...] = (),
    policy: PlannedPolicy | None = None,
) -> RunIdentity:
    """Return what the run asks: all that decides its outcome; ``stamps`` are further ones of its result."""
    manifest = prepared.manifest
    tier = choose_tier(manifest, suite, options.tier)
    stop = options.stop or tier.loop.stop_rules[0]
    tier.check_stop(stop)
    split = named_split(options.split, options.fresh_seed) or suite.default_split
    if is_fresh(split):
        fresh_homes.make(suite, tier, split, options.workers if options.cluster is None else default_workers())
    available = suite.episodes(tier.name, split)
    episodes = choose_episodes(available, options.episodes)
    seeds = parse_seeds(options.seeds)
    check_rows(len(episodes), len(seeds))
    check_reference(manifest, suite, tier)
    loop, search = tier.loop_for(manifest.name), choose_search(options, tier, manifest.name)
    limits: dict[str, object] = {SEARCH: search.given} if search.given else {}
    if policy is not None:
        limits[POLICY] = policy.specs
        stamps = tuple(dict.fromkeys((*stamps, *policy.stamps, f"proposer-{policy.manifest.name}")))
    made = {FRESH: fresh_homes.read(suite, tier, split).digest()} if is_fresh(split) else {}
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
        planner=loop.planner_with("" if policy is None else policy.manifest.name),
        seeds=seeds,
        episodes=episodes,
        episodes_subset=subset_name(len(episodes), len(available), options.episodes),
        specs=to_plain({"rig": suite.rig, "action_space": suite.action_space, "loop": loop, **limits, **made}),
        wm_image=image,
        wm_overrides=prepared.overrides,
        stamps=(*prepared.stamps, *stamps, *search.stamps, *((DRAFT_TIER,) if tier.status == DRAFT else ())),
        batch_wait_ms=options.batch_episodes,
    )
