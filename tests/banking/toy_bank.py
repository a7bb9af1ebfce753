"""A bank of states from the toy world, in a suite with the toy's cameras, in a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.contracts.cameras import Rig
from harness.contracts.digest import digest
from harness.planning.bank_states import DecisionState, decision_states
from harness.planning.parts import Parts
from tasks.bank_files import DECISIONS, SEED, SPLIT, bank_bytes, bank_path, encoded, state_data
from tasks.ignav.parts import PARTS
from tasks.ignav.task import TASK
from tasks.suite import Split, Suite, Tier, load_suite
from tasks.suite_files import write_episodes, write_json
from tests.planning.test_loop import toy_tier
from tests.planning.toy import FRONT, PANO, ToyEnvironment, toy_episode

EPISODES = 3


def toy_suite(folder: Path) -> Suite:
    """Return `embedded-v1` with the toy's rig and two tiers of the toy's episodes: ``easy`` and a variant of it."""
    folder.mkdir(parents=True, exist_ok=True)
    tier = replace(toy_tier(), splits={SPLIT: Split(1, EPISODES)})
    variant = replace(tier, name="easy-other", loop=replace(tier.loop, decisions=2, stop_rules=("oracle",)))
    tiers = {"easy": tier, "easy-other": variant}
    suite = replace(load_suite("embedded-v1"), folder=folder, rig=Rig((PANO, FRONT)), tiers=tiers)
    write_json(folder / "homes.json", {"toy": digest("toy")})
    write_episodes(suite.episode_path("easy", SPLIT), [toy_episode(number) for number in range(EPISODES)])
    return suite


def parts_of(tier: Tier) -> Parts:
    """Return the parts of a tier's own loop."""
    return PARTS.make(tier.loop, tier.action_space)


def toy_states(suite: Suite) -> list[DecisionState]:
    """Return the states of all episodes."""
    parts, environment = parts_of(suite.tier("easy")), ToyEnvironment()
    return [
        state
        for episode in suite.episodes("easy", SPLIT)
        for state in decision_states(TASK.begin, environment, episode, parts, SEED, DECISIONS)
    ]


def toy_bytes(suite: Suite, states: Sequence[DecisionState]) -> bytes:
    """Return the bank of these states."""
    kept = [state_data(state) for state in states]
    images = {}
    for data, state in zip(kept, states, strict=True):
        images[data.view], images[data.goal] = encoded(state.view.rgb), encoded(state.prompt.rgb)
    return bank_bytes(suite, {"easy": kept}, images)


def write_toy_bank(suite: Suite) -> Path:
    """Write the bank where the suite keeps it; return its path."""
    path = bank_path(suite)
    path.write_bytes(toy_bytes(suite, toy_states(suite)))
    return path
