"""Scenes of the tabletop: what their names mean, and that they can be solved by whole numbers. No simulator needed."""

from __future__ import annotations

import pytest

from harness.contracts.errors import Refusal
from images.rlbench.actions import discrete_target
from images.tabletop.scenes import COLOURS, FREE, PLAYED_VARIATIONS, TABLE_M, TASKS, VARIATIONS, Thing, parse_scene
from images.tabletop.tasks.all import PUZZLES, make_puzzle

SCENES = [f"{task}/variation{v}/episode{v % 3}" for task in TASKS for v in range(0, PLAYED_VARIATIONS, 5)]


def layout(things: tuple[Thing, ...]) -> list[tuple[str, object, float]]:
    return [(thing.name, thing.position, thing.heading_deg) for thing in things]


def colours(things: tuple[Thing, ...]) -> tuple[object, ...]:
    return tuple(look.tint for thing in things for look in thing.looks)


def test_every_task_has_scenes() -> None:
    assert tuple(PUZZLES) == TASKS and 20 <= PLAYED_VARIATIONS < VARIATIONS


@pytest.mark.parametrize(
    "name",
    [
        "push_buttons",
        "push_buttons/variation1",
        "push_buttons/variation300/episode0",
        "fold/variation1/episode0",
        "a b",
    ],
)
def test_a_name_that_no_scene_has_is_refused(name: str) -> None:
    with pytest.raises(Refusal):
        parse_scene(name)


@pytest.mark.parametrize("task", TASKS)
def test_a_variation_keeps_its_words_and_an_episode_its_places(task: str) -> None:
    first, again, other = (make_puzzle(f"{task}/variation4/episode{episode}") for episode in (1, 1, 2))
    assert first.words == again.words == other.words
    assert layout(first.things) == layout(again.things) != layout(other.things)
    puzzles = [make_puzzle(f"{task}/variation{variation}/episode1") for variation in range(20)]
    assert len({(puzzle.words, colours(puzzle.things)) for puzzle in puzzles}) == 20


@pytest.mark.parametrize("scene", SCENES)
def test_things_lie_on_the_table_and_sub_goals_are_actions(scene: str) -> None:
    puzzle = make_puzzle(scene)
    assert len({thing.name for thing in puzzle.things}) == len(puzzle.things)
    assert any(colour in puzzle.words.split() for colour in COLOURS)
    for thing in puzzle.things:
        x, y, z = thing.position
        assert -0.1 < x < 0.55 and -0.45 < y < 0.45 and TABLE_M <= z < TABLE_M + 0.1
    free = [thing for thing in puzzle.things if thing.kind == FREE]
    for one in free:
        for other in free:
            apart = sum((a - b) ** 2 for a, b in zip(one.position[:2], other.position[:2], strict=True)) ** 0.5
            assert one is other or apart > 0.1
    for goal in puzzle.sub_goals():
        assert discrete_target(goal.values()).open == goal.open
