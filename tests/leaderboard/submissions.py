"""Bundles of many world models on the small suite: cheap variations of one run, with outcomes that a test chooses."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from harness.leaderboard.submitting import examine, submit
from harness.records.identity import ImageRecord
from tests.leaderboard.conftest import COMMIT, DIGEST, ROWS, Ready, at_commit
from tests.studies.small_suite import write_small_run

MOVIE = b"\0\0\0\x18ftypisom\0\0\0\0isomiso2"
"""What a film begins with; nothing here plays it."""


def outcomes(ability: float, number: int, rows: int = ROWS) -> tuple[bool, ...]:
    """Return what a model of this ability solves: easier episodes more likely, with luck of its own."""
    rng = np.random.default_rng([number, 11])
    ease = np.random.default_rng(7).random(rows) * 0.6 - 0.3
    return tuple(bool(solved) for solved in rng.random(rows) < ability + ease)


def write_bundle(
    ready: Ready,
    folder: Path,
    solved: Sequence[bool],
    wm: str = "warp",
    fresh: Sequence[bool] = (),
    seconds: float = 0.0,
    tiers: Sequence[str] = ("precise",),
    pictures: bool = False,
    split: str = "test",
) -> Path:
    """Return the bundle of a model that solved ``solved`` in ``split`` and ``fresh`` in fresh homes, in all ``tiers``.

    An episode of two decisions waits ``seconds`` for the model in each; with ``pictures`` all have some.
    """
    splits = {split: solved, **({"fresh-00000000feedc0de": fresh} if fresh else {})}
    runs = []
    for tier in tiers:
        for split, rows in splits.items():
            name = f"{tier}-{split}"
            changes = {"wm_image": ImageRecord("sized:latest", DIGEST), "episodes_subset": "all", "split": split}
            timings = {"imagine": 2.0 * seconds} if seconds else {}
            run = write_small_run(
                folder / "runs", ready.suite, wm, tuple(rows), tier, kept=len(rows), played=len(rows), run_id=name,
                changes=changes, files=True, timings=timings,
            )  # fmt: skip
            at_commit(run.path, COMMIT)
            for episode in sorted(run.episodes.iterdir()) if pictures else ():
                _add_pictures(episode)
            runs.append(run.path)
    asked = replace(ready.asked, runs=tuple(runs))
    submit(asked, examine(asked), ready.key, folder / "bundle.zip")
    return folder / "bundle.zip"


def _add_pictures(episode: Path) -> None:
    for name, size in (("goal.jpg", (96, 48)), ("decision-00.jpg", (480, 96)), ("decision-01.jpg", (480, 96))):
        across, down = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
        picture = np.stack([across * 255 // size[0], down * 255 // size[1], 128 + 0 * across], -1).astype(np.uint8)
        data = io.BytesIO()
        Image.fromarray(picture).save(data, "JPEG")
        (episode / name).write_bytes(data.getvalue())
    (episode / "video.mp4").write_bytes(MOVIE)
