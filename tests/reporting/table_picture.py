"""Shows how the arm carried out what it chose: a GIF of the front camera, made of a run's record by playing it again.

    python benchmark.py --wm gtsim --task manip --episodes 4
    python -m tests.reporting.table_picture runs/RUN --episode easy-validation-insert_onto_square_peg-0-0

Every action has to end in the frame whose digest is on record. Writes docs/pictures/table.gif.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from harness.contracts.actions import Vector
from harness.contracts.digest import array_digest
from harness.records.episode_files import read_trajectory
from images.rlbench.actions import discrete_target, target_of
from images.tabletop.play import Play
from tasks.manip.episodes import TableScene
from tasks.suite import load_suite
from tasks.task import payload_of
from tests.reporting.readme_pictures import PICTURES

TICKS_A_FRAME, FRAME_MS, LAST_MS = 5, 120, 1500
COLOURS = 96


class Film:
    """A scene that is played, and every fifth tick of it as a picture."""

    def __init__(self, scene: str) -> None:
        self.play = Play(scene)
        self.frames: list[Image.Image] = []
        self._ticks = 0

    def seen(self, camera: str) -> Image.Image:
        """Return what a camera sees now."""
        return Image.fromarray(self.play.stage.views(self.play.world, {camera: (False, False)})[camera].rgb)

    def act(self, action: Vector) -> None:
        """Carry an action out before the camera."""
        self.play.controller.carry_out(target_of(action), self._tick)

    def _tick(self) -> None:
        play = self.play
        play.progress = play.puzzle.after(play.progress, play.world, play.controller.gripper_open)
        if self._ticks % TICKS_A_FRAME == 0:
            self.frames.append(self.seen("front_large"))
        self._ticks += 1


def film(run: Path, name: str) -> list[Image.Image]:
    """Return the frames of what was carried out in an episode of a run."""
    trajectory = read_trajectory(run / "episodes" / f"{name}-s0")
    tier, split = name.split("-")[:2]
    episode = next(one for one in load_suite("embedded-v1", "manip").episodes(tier, split) if one.id == name)
    made = Film(episode.scene)
    for goal in payload_of(TableScene, episode).before:
        made.play.act(discrete_target(goal))
    for decision in trajectory.decisions:
        for step in decision.steps:
            assert isinstance(step.action, Vector)
            made.act(step.action)
            view = made.play.stage.views(made.play.world, {"front": (False, False)})["front"]
            if array_digest(view.rgb) != step.frame_digest:
                raise SystemExit(f"{step.action} ends in another frame than the run's: use its code.")
    if not made.play.progress.succeeded:
        raise SystemExit(f"{name} was not solved: name another episode.")
    return [*made.frames, made.seen("front_large")]


def in_one_palette(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """Return frames in the same few colours, which cover those of small things too."""
    all_of_them = Image.new("RGB", (frames[0].width, frames[0].height * len(frames)))
    for number, frame in enumerate(frames):
        all_of_them.paste(frame, (0, number * frame.height))
    palette = all_of_them.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def main(arguments: Sequence[str]) -> int:
    """Write the GIF; return 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("--episode", required=True, help="an episode that was solved")
    parser.add_argument("--out", type=Path, default=PICTURES / "table.gif")
    asked = parser.parse_args(arguments)
    frames = in_one_palette(film(asked.run, asked.episode))
    waits = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    frames[0].save(asked.out, save_all=True, append_images=frames[1:], duration=waits, loop=0, optimize=True)
    print(asked.out, asked.out.stat().st_size)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
