"""Suites: versioned data that says what is played, with which cameras, actions and loop.

A task's folder holds ``suites/<name>/suite.toml`` with its episode files; nothing about an outcome is in code. The
suite hash is per (task, tier), so that a new tier or task never changes an old result's hash.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from harness.contracts.actions import ActionSpace
from harness.contracts.cameras import PINHOLE, Rig
from harness.contracts.commands import FIRST_TASK
from harness.contracts.digest import digest
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.names import nearest
from harness.planning.config import LoopConfig
from harness.planning.seeding import EpisodeSeeds
from harness.runtimes.environments import DeclaredEnvironment, find_environment
from tasks import fresh_homes
from tasks.fresh_homes import TEST
from tasks.registry import TASKS_FOLDER, load_task, task_folders
from tasks.requirements import Missing, missing_requirement
from tasks.suite_files import Reference as Reference
from tasks.suite_files import Split as Split
from tasks.suite_files import read_episodes, read_homes, read_suite
from tasks.task import checked

NAVMESHES = "navmeshes.json"
"""Beside `homes.json`, where a suite's data were prepared with a simulator that told of its walkable areas."""

FROZEN, DRAFT = "frozen", "draft"
DRAFT_TIER = "draft-tier"
"""Stamps the result of a tier whose hash may still change: nobody should cite it."""

PANORAMA, PERSPECTIVE = "panorama", "perspective"
"""What the agent of a tier sees, and what world models imagine for it."""

AT = "@"
"""Stands between the name of a suite and an environment that is not its own."""


@dataclass(frozen=True)
class Tier:
    """One difficulty of a suite's task: which episodes, and the loop they are played with.

    ``constants`` are the task's own, such as the distances that episodes are drawn by.

    ``episodes_of`` names the tier whose episodes are played: another one where this is a variant with another score.

    ``view`` is ``perspective`` where the agent looks ahead through a pinhole, else ``panorama``. ``baseline`` names the
    reference that the normalised gain starts from.

    ``status`` is ``frozen`` where nothing may change any more but by a new version, else ``draft``: its hash still may.
    No part of the hash, so that a tier is frozen as it was tried.
    """

    name: str
    suite: str
    task: str
    description: str
    constants: Any
    splits: Mapping[str, Split]
    loop: LoopConfig
    references: Tuple[Reference, ...]
    action_space: ActionSpace
    episodes_of: str
    status: str = FROZEN
    view: str = PANORAMA
    baseline: str = ""

    def loop_for(self, wm: str) -> LoopConfig:
        """Return the loop that ``wm`` is played with: the tier's, or that of the reference of that name."""
        loop = self.loop
        for reference in self.references:
            if reference.wm == wm:
                if reference.reviser:
                    loop = load_task(self.task).parts.with_reviser(loop, reference.reviser)
                loop = replace(loop, agent_camera=reference.camera or loop.agent_camera)
        return loop

    def asks_model(self, wm: str) -> bool:
        """Say whether decisions with ``wm``, which may be a reference, go by what a world model imagines."""
        return load_task(self.task).parts.imagines(self.loop_for(wm))

    @property
    def candidates(self) -> int:
        """Return how many candidates a decision has."""
        proposer = load_task(self.task).parts.make_proposer(self.loop.proposer, self.action_space)
        return len(proposer.propose(0, (), EpisodeSeeds(0, "")).candidates)

    def check_stop(self, stop: str) -> None:
        """Raise Refusal unless the stop rule is one that this tier allows."""
        if stop not in self.loop.stop_rules:
            raise Refusal(
                f"tier {self.name!r} of {self.suite} has no stop rule {stop!r}.",
                f"Allowed: {', '.join(self.loop.stop_rules)}.",
            )


@dataclass(frozen=True)
class Suite:
    """A task's data in one versioned suite.

    ``name`` is ``<family>-v<version>``, followed by ``@<environment>`` where the suite is played in another environment
    than its own: the name enters the hash, so results of two simulators are never taken for each other. ``environment``
    plays it; ``navmesh`` are the settings of the walkable area there, where the suite fixes them, and ``elsewhere``
    those of the other environments that can play it. ``requires`` lists what has to be here before it can run.
    ``baseline`` names the reference that the normalised gain starts from, where a tier names no other.
    """

    name: str
    family: str
    task: str
    requires: Tuple[str, ...]
    rig: Rig
    action_space: ActionSpace
    tiers: Mapping[str, Tier]
    references: Tuple[Reference, ...]
    default_tier: str
    default_split: str
    baseline: str
    folder: Path
    environment: str
    elsewhere: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    navmesh: Mapping[str, Any] = field(default_factory=dict)

    @property
    def played_by(self) -> DeclaredEnvironment:
        """Return what is declared of the environment that plays this suite."""
        return find_environment(self.environment)

    @property
    def is_elsewhere(self) -> bool:
        """Say whether another environment than its own plays this suite."""
        return AT in self.name

    def in_environment(self, environment: str) -> Suite:
        """Return this suite as ``environment`` plays it: itself for its own, a suite of another name and hash else."""
        if environment == self.environment:
            return self
        found = find_environment(environment)
        if environment not in self.elsewhere or found.evaluation is None:
            raise Refusal(
                f"suite {self.name} cannot be played in {environment}: it is made for {self.environment}.",
                "Leave out --environment.",
            )
        requires = (*self.requires, f"image:{found.evaluation.image}")
        return replace(
            self,
            name=f"{self.name}{AT}{environment}",
            environment=environment,
            requires=requires,
            navmesh=self.elsewhere[environment],
        )

    def tier(self, name: str = "") -> Tier:
        """Return the tier called ``name`` (the default one for ""); Refusal names the nearest."""
        chosen = name or self.default_tier
        if chosen not in self.tiers:
            raise Refusal(f"suite {self.name} has no tier {chosen!r} of {self.task}.", nearest(chosen, self.tiers))
        return self.tiers[chosen]

    def episodes(self, tier: str, split: str = "") -> Tuple[Episode, ...]:
        """Return the episodes of a tier and split, in file order; Refusal where the split or its file is missing."""
        known = self.tier(tier).splits
        chosen = split or self.default_split
        if fresh_homes.is_fresh(chosen):
            return fresh_homes.read(self, self.tier(tier), chosen).episodes
        if chosen not in known:
            raise Refusal(f"tier {tier!r} of {self.name} has no split {chosen!r}.", nearest(chosen, known))
        return read_episodes(self.episode_path(tier, chosen), self.task, self.name)

    def split_sizes(self, tier: str, split: str = "") -> Mapping[str, int]:
        """Return the number of episodes of each split of a tier, and of ``split`` where it is a fresh one; empty for a
        tier that this version does not know."""
        known = self.tiers.get(tier)
        sizes = {} if known is None else {name: size.episodes for name, size in known.splits.items()}
        return {**sizes, split: sizes[TEST]} if fresh_homes.is_fresh(split) and TEST in sizes else sizes

    def scenes_of(self, tier: str, split: str) -> Mapping[str, str]:
        """Return scene name -> digest of the scene's bytes, of a tier and split at least."""
        if fresh_homes.is_fresh(split):
            return fresh_homes.read(self, self.tier(tier), split).scenes
        return self.scene_digests()

    def episode_path(self, tier: str, split: str) -> Path:
        """Return where the episodes of a tier and split are kept."""
        return self.folder / f"{self.tier(tier).episodes_of}-{split}.json.gz"

    def scene_digests(self) -> Mapping[str, str]:
        """Return scene name -> digest of the scene's bytes."""
        return read_homes(self.folder / "homes.json", self.task, self.name)

    def navmesh_digests(self) -> Mapping[str, str]:
        """Return scene name -> digest of the walkable area that distances were measured on; {} where none was written.

        No part of the hash: the simulator that plays the suite compares, as it does with the scenes' bytes.
        """
        path = self.folder / NAVMESHES
        return read_homes(path, self.task, self.name) if path.exists() else {}

    def missing(self) -> Tuple[Missing, ...]:
        """Return everything that this suite needs and that is not here, with what to do about each."""
        found = (missing_requirement(requirement) for requirement in self.requires)
        return tuple(missing for missing in found if missing is not None)

    def require_runnable(self) -> None:
        """Raise Refusal with the first reason and what would work, when this suite cannot run here."""
        for missing in self.missing():
            raise Refusal(f"suite {self.name} cannot run here: {missing.reason}.", missing.remedy)

    def hash(self, tier: str = "") -> str:
        """Return the suite hash of this task and one tier."""
        return suite_hash(self, tier or self.default_tier)


def suite_hash(suite: Suite, tier: str) -> str:
    """Return the hash of all that decides an outcome of one tier: equal hashes mean comparable results.

    It covers the episodes of all splits, the digests of the scenes they use, rig, action space and loop (with the
    constants of proposer, score and reviser). Other tiers and tasks do not enter, nor do references: one more of them
    changes no other result.
    """
    chosen = suite.tier(tier)
    episodes = [episode for split in sorted(chosen.splits) for episode in suite.episodes(chosen.name, split)]
    known = suite.scene_digests()
    scenes = sorted({episode.scene for episode in episodes})
    unknown = [scene for scene in scenes if scene not in known]
    if unknown:
        raise Refusal(
            f"{suite.folder / 'homes.json'} has no digest of scene {unknown[0]!r} ({len(unknown)} missing).",
            f"Run `python -m tasks.{suite.task}.make_episodes --suite {suite.name} --tier {tier}`.",
        )
    elsewhere = {"navmesh": suite.navmesh} if suite.is_elsewhere else {}
    return digest(
        {
            **elsewhere,
            "suite": suite.name,
            "task": suite.task,
            "tier": chosen.name,
            "episodes": [episode.digest() for episode in episodes],
            "scenes": {scene: known[scene] for scene in scenes},
            "rig": suite.rig,
            "action_space": suite.action_space,
            "loop": chosen.loop,
        }
    )


def list_suites(task: str = FIRST_TASK, root: Optional[Path] = None) -> Tuple[str, ...]:
    """Return the names of all suites that hold ``task``, sorted; ``root`` holds the tasks' folders elsewhere."""
    return tuple(sorted(path.parent.name for path in _suites(task, root).glob("*/suite.toml")))


def load_suite(name: str = "embedded", task: str = FIRST_TASK, root: Optional[Path] = None) -> Suite:
    """Return the suite called ``name`` (``embedded-v1``) or the newest version of a family (``embedded``).

    ``embedded@habitat`` is the suite as Habitat plays it. Episode files are read only when asked for, so that loading
    and every refusal stay fast.
    """
    name, at, environment = name.partition(AT)
    names = list_suites(task, root)
    versions = [known for known in names if known.rpartition("-v")[0] == name]
    chosen = max(versions, key=_version) if versions else name
    if chosen not in names:
        families = {known.rpartition("-v")[0] for known in names}
        raise Refusal(f"there is no suite {name!r} for task {task!r}.", nearest(name, {*names, *families}))
    suite = _load(_suites(task, root) / chosen)
    return suite.in_environment(environment) if at else suite


@functools.lru_cache(maxsize=8)
def _load(folder: Path) -> Suite:
    path = folder / "suite.toml"
    data = read_suite(path)
    task = load_task(data.task)
    references = tuple(Reference(r.name, r.wm, r.reviser, r.view, r.camera) for r in data.references)
    space, rig = data.space(), data.cameras()
    views = {
        name: PERSPECTIVE if rig.camera(tier.loop.agent_camera).kind == PINHOLE else PANORAMA
        for name, tier in data.tiers.items()
    }
    tiers: Dict[str, Tier] = {
        name: Tier(
            name=name,
            suite=data.name,
            task=data.task,
            description=tier.description,
            constants=checked(task.constants, tier.own, f"{path}: tiers.{name}."),
            splits={split: Split(size.homes, size.episodes) for split, size in tier.splits.items()},
            loop=tier.loop,
            references=tuple(r for r in references if r.view in ("", views[name])),
            action_space=space,
            status=tier.status,
            view=views[name],
            baseline=tier.baseline or data.baseline,
            episodes_of=name,
        )
        for name, tier in data.tiers.items()
    }
    for name, variant in data.variants.items():
        tier = tiers[variant.tier]
        reviser = tier.loop.reviser if variant.reviser is None else variant.reviser
        loop = replace(tier.loop, score=variant.score, reviser=reviser)
        tiers[name] = replace(tier, name=name, description=variant.description, loop=loop, status=variant.status)
    return Suite(
        name=data.name,
        family=data.name.rpartition("-v")[0],
        task=data.task,
        requires=data.requires,
        rig=rig,
        action_space=space,
        tiers=tiers,
        references=references,
        default_tier=data.default_tier,
        default_split=data.default_split,
        baseline=data.baseline,
        folder=folder,
        environment=data.environment,
        elsewhere={name: there.navmesh for name, there in data.elsewhere.items()},
    )


def _suites(task: str, root: Optional[Path]) -> Path:
    folder = task_folders().get(task, TASKS_FOLDER / task) if root is None else root / task
    return folder / "suites"


def _version(name: str) -> int:
    return int(name.rpartition("-v")[2])
