"""Whether a suite can play a world model: its actions, its views, its kind, and what its environment can do.

The reasons are found before anything starts, and say which suites can.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from harness.contracts.actions import NAVIGATION
from harness.contracts.cameras import EQUIRECT
from harness.contracts.commands import FIRST_TASK, command
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ENVIRONMENT, NONE, PLUGIN, ModelManifest
from harness.contracts.names import nearest
from harness.running.run_options import TRIAL_SUITE
from harness.runtimes.environments import declared_environments
from harness.wire.sdk import CAPABILITIES, capability_of
from harness.worldmodels.catalog import CatalogEntry
from harness.worldmodels.conditioning import ACTION_SPACE
from harness.worldmodels.packages import package_lacks
from harness.worldmodels.planted_errors import planted_errors
from harness.worldmodels.preparing import Choice, prepare
from tasks.registry import list_tasks, load_task
from tasks.suite import PANORAMA, PERSPECTIVE, Suite, Tier, list_suites, load_suite

UNTOLD = "none"
"""The conditioning of a model that is told nothing of the actions."""


def check_actions(manifest: ModelManifest, suite: Suite, alone: str = "") -> None:
    """Raise Refusal where the model was made for other actions than the suite's, and say which suites have those.

    ``alone`` is the command that tries the model alone; by default it names the model as the catalog does.
    A model that says nothing moves the camera. It would refuse each candidate when it is asked, so the run is refused.
    What is told nothing of the actions imagines the same for any, unless it says whose views it knows; the simulator
    imagines what it can execute.
    """
    own = manifest.settings.get(ACTION_SPACE, NAVIGATION)
    for_any = manifest.conditioning == UNTOLD and ACTION_SPACE not in manifest.settings
    if own == suite.action_space.name or manifest.kind != PLUGIN or for_any:
        return
    home = ", its home suite," if suite.family == manifest.home_suite else ""
    others = [load_suite(name, suite.task) for name in list_suites(suite.task)]
    able = [f"--suite {other.family}" for other in others if other.action_space.name == own]
    step = f"Try the model alone: {alone or command('plugin', 'check', manifest.name)}"
    raise Refusal(
        f"{manifest.name} imagines actions of the space {own!r} (settings.{ACTION_SPACE}), but suite "
        f"{suite.name}{home} has {suite.task} in the space {suite.action_space.name!r}.",
        f"Play it with {' or '.join(able)}." if able else f"No suite of {suite.task} has {own!r} yet. {step}",
    )


def check_view(manifest: ModelManifest, suite: Suite, tier: Tier, alone: str = "") -> None:
    """Raise Refusal where the tier's score cannot judge what the model imagines; say which tiers can.

    ``alone`` is the command that tries the model alone; by default it names the model as the catalog does.
    Comparing only the one heading that a perspective model shows would be another score under the same suite hash, and
    a front view cut out of a panorama is what no perspective model could have imagined: each kind has tiers of its own.
    """
    if not _can_judge(tier, manifest.name, manifest.kind, manifest.view):
        raise Refusal(
            f"{manifest.name} imagines {manifest.view} views, but {suite.name}/{tier.name} compares "
            f"{'front views' if tier.view == PERSPECTIVE else 'panoramas'} (score {tier.loop.score.name!r}).",
            _able(manifest, suite, alone or command("plugin", "check", manifest.name)),
        )
    turns = suite.action_space.name == NAVIGATION
    if manifest.kind == PLUGIN and turns and not any(camera.kind == EQUIRECT for camera in suite.rig.cameras):
        raise Refusal(
            f"{manifest.name} cannot be asked in {suite.name}: where a body turns, every world model sets out from a "
            f"panorama, and none of its cameras is equirect.",
            "Give the suite's rig an equirect camera; gtsim, none and look need none.",
        )
    camera = suite.rig.camera(tier.loop.agent_camera)
    if tier.view == PERSPECTIVE and manifest.kind == PLUGIN:
        height, width = manifest.height or camera.height, manifest.width or camera.width
        if height * camera.width != width * camera.height:
            raise Refusal(
                f"{manifest.name} imagines views of {height} x {width}, whose shape is not that of the camera "
                f"{camera.name!r} ({camera.height} x {camera.width}) of {suite.name}/{tier.name}.",
                f"Give it the same shape: --set height={width * camera.height // camera.width} --set width={width}",
            )


def choose_tier(manifest: ModelManifest, suite: Suite, asked: str) -> Tier:
    """Return the tier called ``asked``; for "" the suite's default one, or the first that plays this kind of view.

    Refusal for an unknown one, which names the other suites that have it.
    """
    if not asked:
        suited = tier_for(suite, manifest.view) if manifest.kind == PLUGIN else ""
        return suite.tier(suited)
    others = (load_suite(name, suite.task) for name in list_suites(suite.task) if name != suite.name)
    elsewhere = [f"--suite {other.family} --tier {asked}" for other in others if asked in other.tiers]
    if asked in suite.tiers or not elsewhere:
        return suite.tier(asked)
    home = f", the home suite of {manifest.name}," if suite.family == manifest.home_suite else ""
    raise Refusal(
        f"suite {suite.name}{home} has no tier {asked!r} of {suite.task}.",
        f"Another suite has it: {' or '.join(elsewhere)}",
    )


def tier_for(suite: Suite, view: str) -> str:
    """Return the tier to try models of this kind of view on: the default one if it can be, else the first, else ""."""
    able = [name for name in (suite.default_tier, *suite.tiers) if _can_judge(suite.tier(name), "", PLUGIN, view)]
    return able[0] if able else ""


def _can_judge(tier: Tier, name: str, kind: str, view: str) -> bool:
    judges = load_task(tier.task).parts.judges
    if kind != PLUGIN:  # the simulator imagines what the agent sees
        return tier.view == PERSPECTIVE or judges(tier.loop_for(name), view)
    return (tier.view, view) != (PERSPECTIVE, PANORAMA) and judges(tier.loop_for(name), view)


def _able(manifest: ModelManifest, suite: Suite, alone: str) -> str:
    """Return where such a model can be played, in this suite and in others, or how to try it ``alone``."""
    able = [
        f"--suite {suite.family} --tier {name}"
        for name, tier in suite.tiers.items()
        if _can_judge(tier, manifest.name, PLUGIN, manifest.view)
    ]
    others = (load_suite(name, suite.task) for name in list_suites(suite.task) if name != suite.name)
    for other in others:
        tier = tier_for(other, manifest.view)
        if tier:
            able.append(f"--suite {other.family}" + ("" if tier == other.default_tier else f" --tier {tier}"))
    if not able:
        return f"Try the model alone: {alone}"
    words = [f"Play it with {able[0]}", *(f"or with {words}" for words in able[1:])]
    return "\n".join([*words, f"or try the model alone: {alone}"])


ORACLE = "oracle"
"""The reviser that has to be told where candidates lead."""


def check_reference(manifest: ModelManifest, suite: Suite, tier: Tier) -> None:
    """Raise Refusal now for what the first decision would refuse.

    That is a model of kind ``none`` that the suite names no reviser for, so that nothing would choose; a score
    without its weights; and an environment without a capability that the task, the oracle or the simulator's own
    imagining needs.
    """
    loop, parts = tier.loop_for(manifest.name), load_task(suite.task).parts
    if manifest.kind == NONE and parts.imagines(loop):
        raise Refusal(
            f"suite {tier.suite} has no reference {manifest.name!r}, so nothing says how it chooses.",
            nearest(manifest.name, [reference.wm for reference in tier.references]),
        )
    parts.check_score(loop.score)
    _check_capabilities(f"task {suite.task}", load_task(suite.task).needs, suite)
    _check_capabilities(manifest.name, capabilities_for(manifest, tier), suite)


def capabilities_for(manifest: ModelManifest, tier: Tier) -> tuple[str, ...]:
    """Return what an environment has to be capable of for a world model or reference: the simulator imagines itself."""
    names = []
    if manifest.kind == ENVIRONMENT:
        wrong = planted_errors(manifest).world
        names.append("imagining" if wrong is None else capability_of(wrong))
    if tier.loop_for(manifest.name).reviser.name == ORACLE:
        names += load_task(tier.task).oracle_needs
    return tuple(names)


def _check_capabilities(who: str, names: tuple[str, ...], suite: Suite) -> None:
    """Raise Refusal where the suite's environment does not declare what a task or world model needs; say which do."""
    missing = [name for name in names if name not in suite.played_by.capabilities]
    if missing:
        raise Refusal(
            f"{who} cannot be played in {suite.environment}: it {CAPABILITIES[missing[0]].missing}",
            "\n".join(f"Play it in {title}: {words}." for title, words in _able_suites(names)),
        )


def _able_suites(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the environments with all of these capabilities, and the options of a suite that is played in each."""
    able = {each.name: each.title for each in declared_environments() if {*names} <= {*each.capabilities}}
    found: dict[str, str] = {}
    for task in _tasks():
        for suite in (load_suite(name, task) for name in list_suites(task)):
            words = f"--task {task} --suite {suite.family}"
            found.setdefault(suite.environment, words)
    return [(title, found[name]) for name, title in able.items() if name in found]


def _tasks() -> list[str]:
    return [FIRST_TASK, *(task for task in list_tasks() if task != FIRST_TASK)]


@dataclass(frozen=True)
class Place:
    """Where a world model is best tried here.

    ``task`` is the first one that can ask it. ``words`` are what the command needs beside ``--wm`` and ``--task``: none
    on its home suite, another suite and its tier where the home suite cannot run here. ``lacks`` is what is missing
    there, and ``refused`` why no suite plays the model at all ("" where one does).
    """

    task: str = FIRST_TASK
    words: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    refused: str = ""


def place_of(entry: CatalogEntry) -> Place:
    """Return where a world model is best tried here: on its home suite, else on the suite that needs nothing.

    No weights are read and no service is started: a model that runs here by this answer may still break.
    """
    first = _place_of(entry, FIRST_TASK)
    others = (_place_of(entry, task) for task in _tasks()[1:])
    return next((place for place in others if not place.refused), first) if first.refused else first


def _place_of(entry: CatalogEntry, task: str) -> Place:
    home = entry.manifest.home_suite
    if home != TRIAL_SUITE and not _is_here(home, task):
        trial = _place_on(entry, TRIAL_SUITE, task)
        if not trial.refused:
            return trial
    return _place_on(entry, home, task)


def _place_on(entry: CatalogEntry, family: str, task: str) -> Place:
    manifest = entry.manifest
    try:
        prepared = prepare(manifest, Choice(), code_from=entry.code_from, family=entry.folder)
        suite = load_suite(family, task)
        tier = choose_tier(manifest, suite, "")
        check_actions(manifest, suite)
        check_view(manifest, suite, tier)
        _check_capabilities(manifest.name, capabilities_for(manifest, tier), suite)
    except Refusal as refusal:
        return Place(refused=refusal.what)
    words: tuple[str, ...] = () if suite.family == manifest.home_suite else ("--suite", suite.family)
    if words and tier.name != suite.default_tier:
        words = (*words, "--tier", tier.name)
    lacks = [] if _is_here(family, task) else [f"suite {suite.name}"]
    if any(not lack.learnt for lack in prepared.lacks):
        lacks.append("its authors' code")
    if any(lack.learnt for lack in prepared.lacks):
        lacks.append("weights")
    lacks += [f"the extra {entry.extra}" if entry.extra else "packages" for _ in package_lacks(entry)]
    return Place(task, words, tuple(lacks))


@functools.cache
def _is_here(family: str, task: str) -> bool:
    try:
        return not load_suite(family, task).missing()
    except Refusal:  # the task has no such suite
        return False
