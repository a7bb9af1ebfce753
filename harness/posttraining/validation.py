"""Validation while training: candidates are saved now and then, and judged by another process.

That asks the decision bank and plays a few validation episodes.

Every candidate is asked, however slow that is, so that which one is best depends on the training alone; what training
waits for is the saving of a candidate. Ties go to the earlier one.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional

from harness.contracts.errors import WiwError
from harness.posttraining.bank_regret import Job, Measuring, Regrets
from harness.posttraining.metrics import plain_metric
from harness.posttraining.state import read_part, write_part
from harness.records.atomic import sync_folder

WEIGHTS = "weights"
_STEP = "step-"

JobOf = Callable[[Path], Job]
Export = Callable[[Mapping[str, Any], Path], None]
"""Writes the model whose trained part is given into an empty folder."""


class Validation:
    """The candidates of one training, in ``folder``; ``job_of`` says how one with given weights is asked."""

    def __init__(self, folder: Path, every: int, job_of: JobOf) -> None:
        self._folder, self.every, self._job_of = folder, every, job_of
        self._running: Optional[tuple[int, Measuring]] = None
        self.regrets: dict[int, Regrets] = {}
        self._failed: set[int] = set()
        folder.mkdir(exist_ok=True)
        for aside in folder.glob("writing-*"):
            shutil.rmtree(aside)

    def busy(self) -> bool:
        """Say whether a candidate is being measured."""
        return self._running is not None and not self._running[1].done()

    def steps(self) -> list[int]:
        """Return the steps of all candidates."""
        return sorted(int(place.name.removeprefix(_STEP)) for place in self._folder.glob(f"{_STEP}*") if place.is_dir())

    def place(self, step: int) -> Path:
        """Return the folder of a candidate."""
        return self._folder / f"{_STEP}{step:08d}"

    def offer(self, step: int, part: Mapping[str, Any], export: Export) -> None:
        """Save a candidate by ``export``, unless an earlier try of the same training did."""
        if self.place(step).is_dir():
            return
        aside = self._folder / f"writing-{step}"
        shutil.rmtree(aside, ignore_errors=True)
        (aside / WEIGHTS).mkdir(parents=True)
        export(part, aside / WEIGHTS)
        write_part(aside, part)
        aside.replace(self.place(step))
        sync_folder(self._folder)

    def poll(self) -> None:
        """Take the result of a measurement that ended, and begin the next one; never waits.

        One that failed ends no training, whose memory it may have lacked: it is tried again when `wait` is called.
        """
        if self._running is not None and self._running[1].done():
            step = self._running[0]
            try:
                self._take()
            except WiwError:
                self._failed.add(step)
        if self._running is None:
            self._begin([step for step in self.steps() if step not in self.regrets and step not in self._failed])

    def wait(self, tell: Callable[[int, int], None]) -> None:
        """Wait until every candidate was asked."""
        if self._running is not None:
            with contextlib.suppress(WiwError):  # it is tried again, now that nothing else goes on
                self._take()
        steps = self.steps()
        while len(self.regrets) < len(steps):
            tell(len(self.regrets), len(steps))
            if self._running is None:
                self._begin([step for step in steps if step not in self.regrets])
            self._take()
        tell(len(steps), len(steps))

    def _begin(self, waiting: list[int]) -> None:
        if waiting:
            place = self.place(waiting[0])
            self._running = (waiting[0], Measuring(self._job_of(place / WEIGHTS), self._folder, place.name))

    def stop(self) -> None:
        """End what is being measured; it is asked again when the training goes on."""
        if self._running is not None:
            self._running[1].stop()
            self._running = None

    def best(self) -> int:
        """Return the step of the candidate with the lowest regret."""
        return min(self.regrets, key=lambda step: (self.regrets[step].mean().value, step))

    def part(self, step: int) -> Mapping[str, Any]:
        """Return the trained part of a candidate."""
        return read_part(self.place(step))

    def to_plain(self) -> list[dict[str, Any]]:
        """Return the curve of the validations."""
        return [
            {"step": step, "regret_m": plain_metric(found.mean()), "success": plain_metric(found.success())}
            for step, found in sorted(self.regrets.items())
        ]

    def _take(self) -> None:
        if self._running is None:
            raise WiwError("nothing is being measured")
        step, measuring = self._running
        self._running = None
        self.regrets[step] = measuring.result()
