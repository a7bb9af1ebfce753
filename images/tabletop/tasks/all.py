"""The tasks by name."""

from __future__ import annotations

from typing import Callable, Mapping

from harness.contracts.digest import array_digest, digest
from images.tabletop.scenes import SceneName, parse_scene
from images.tabletop.tasks.insert_peg import InsertPeg
from images.tabletop.tasks.push_buttons import PushButtons
from images.tabletop.tasks.puzzle import Puzzle
from images.tabletop.tasks.slide_block import SlideBlock
from images.tabletop.tasks.stack_cups import StackCups

PUZZLES: Mapping[str, Callable[[SceneName], Puzzle]] = {
    "push_buttons": PushButtons,
    "slide_block_to_color_target": SlideBlock,
    "insert_onto_square_peg": InsertPeg,
    "stack_cups": StackCups,
}


def make_puzzle(scene: str) -> Puzzle:
    """Return the scene of this name; Refusal for a name that no scene has."""
    name = parse_scene(scene)
    return PUZZLES[name.task](name)


def scene_digest(puzzle: Puzzle) -> str:
    """Return the SHA-256 of all that a scene is made of: its things as they are simulated and drawn."""
    things = [
        {
            "name": thing.name,
            "kind": thing.kind,
            "position": thing.position,
            "heading_deg": thing.heading_deg,
            "friction": thing.friction,
            "solids": thing.solids,
            "looks": [
                (array_digest(look.mesh.corners), array_digest(look.mesh.normals), look.tint, look.texture, look.gloss)
                for look in thing.looks
            ],
        }
        for thing in puzzle.things
    ]
    return digest(things)
