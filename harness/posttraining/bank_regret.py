"""What a checkpoint's choices are worth: its regret on the decision bank, beside that of its base model and `copy`.

A low loss is not what a world model is for. The bank asks in frozen decisions, without a simulator, in a process of
its own: ``python -m harness.posttraining.bank_regret JOB.json PARENT`` writes what it found beside the job.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

from harness.banking.measures import METRICS
from harness.banking.plan import plan_measurement
from harness.contracts.commands import FIRST_TASK
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.from_plain import from_plain
from harness.contracts.from_source import CHECKOUT
from harness.contracts.manifests import RANDOM
from harness.contracts.results import PLAYED, EpisodeResult, Metric
from harness.posttraining.metrics import metric_of, plain_metric
from harness.records.atomic import write_atomic
from harness.records.banks import new_bank_id
from harness.records.folder import STATES
from harness.running import runs
from harness.running.make_plan import make_plan
from harness.running.plan import RunPlan
from harness.running.run_options import TRIAL_SUITE, RunOptions
from harness.running.worker_loop import die_with
from harness.scoring.intervals import Sample
from harness.scoring.metrics import rate, success_sample
from harness.worldmodels.preparing import Choice
from tasks.bank_files import bank_path, read_bank
from tasks.suite import load_suite

REGRET = METRICS[0].key
FOUND = ".found.json"
COPY = "copy"
REFUSED = 2


@dataclass(frozen=True)
class Job:
    """What is measured: a world model with its weights, in the first ``states`` states of every home (0: in all), and
    in closed loop in ``episodes`` validation episodes, spread over homes. ``assignments`` are settings of the model."""

    wm: str
    weights: str
    plugins: tuple[str, ...]
    out: str
    states: int = 0
    workers: int = 1
    episodes: int = 0
    assignments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Regrets:
    """The regret in metres by state, 1 or 0 by episode that was solved or not, and the home of each."""

    by_state: Mapping[str, float]
    homes: Mapping[str, str]
    solved: Mapping[str, float] = field(default_factory=dict)
    episode_homes: Mapping[str, str] = field(default_factory=dict)

    def mean(self) -> Metric:
        """Return the mean with its interval over homes."""
        return metric_of(list(self.by_state.values()), [self.homes[state] for state in self.by_state])

    def success(self) -> Metric:
        """Return the share of episodes that were solved, with its interval over homes; NaN without any."""
        if not self.solved:
            return metric_of([], [])
        return rate(Sample.of(list(self.solved.values()), [self.episode_homes[name] for name in self.solved]))

    def minus(self, other: Regrets) -> Metric:
        """Return the paired difference to another measurement, over the states in which both answered."""
        shared = [state for state in self.by_state if state in other.by_state]
        return metric_of([self.by_state[s] - other.by_state[s] for s in shared], [self.homes[s] for s in shared])


def measure(job: Job) -> Regrets:
    """Ask in the states of the bank, play the episodes, and return what came of it; Refusal where there is no bank for
    the model's views."""
    plan = _plan(job)
    root = Path(job.out)
    root.mkdir(parents=True, exist_ok=True)
    results = _played(plan, root / new_bank_id(plan.identity, time.time()), STATES)
    failed = next((result for result in results if result.state not in PLAYED), None)
    if failed is not None:
        raise WiwError(f"{job.wm} did not answer in {failed.episode}: {failed.error or failed.state}.")
    return Regrets(
        {result.episode: result.metrics[REGRET] for result in results},
        {result.episode: result.home for result in results},
        **_closed_loop(job, root),
    )


def _closed_loop(job: Job, root: Path) -> dict[str, dict[str, Any]]:
    """Return which of the job's episodes were solved, and their homes; an episode that ended in an error was not."""
    if not job.episodes:
        return {}
    results = _played(make_plan(replace(_options(job), episodes=str(job.episodes), stop="")), root)
    solved = success_sample(results).values.tolist()
    return {
        "solved": {result.episode: one for result, one in zip(results, solved, strict=True)},
        "episode_homes": {result.episode: result.home for result in results},
    }


def _played(plan: RunPlan, root: Path, run_id: str = "") -> list[EpisodeResult]:
    folder = runs.create(plan, root, run_id)
    runs.play(folder, plan)
    return [row.result for row in folder.rows()]


def check_asked(wm: str, plugins: Sequence[Path]) -> None:
    """Raise Refusal where a model of that name could not be asked on a bank here, whatever its weights."""
    _plan(Job(wm, RANDOM, tuple(map(str, plugins)), ""))


def _options(job: Job) -> RunOptions:
    choice = Choice(job.assignments, job.weights, allow_uncarded=True)
    return RunOptions(
        wm=job.wm, task=FIRST_TASK, suite=TRIAL_SUITE, split="validation", episodes="all", stop="oracle",
        workers=job.workers, plugins=tuple(map(Path, job.plugins)), choice=choice,
    )  # fmt: skip


def _plan(job: Job) -> RunPlan:
    plan = make_plan(_options(job))
    suite = load_suite(plan.identity.suite, plan.identity.task)
    bank = read_bank(suite, suite.tier(plan.identity.tier), bank_path(suite))
    measured = plan_measurement(plan, suite, bank)
    if not job.states:
        return measured
    counts: dict[str, int] = {}
    chosen = []
    for episode in measured.identity.episodes:
        counts[episode.home] = counts.get(episode.home, 0) + 1
        if counts[episode.home] <= job.states:
            chosen.append(episode)
    return replace(measured, identity=replace(measured.identity, episodes=tuple(chosen)))


class Measuring:
    """A measurement that goes on in a process of its own, at a low priority, until it is `done`."""

    def __init__(self, job: Job, folder: Path, name: str) -> None:
        self.job_file = folder / f"{name}.json"
        self._found = self.job_file.with_suffix(FOUND)
        self._log = (folder / f"{name}.log").open("wb")
        self._process: Optional[subprocess.Popen[bytes]] = None
        if not self._found.is_file():
            write_atomic(self.job_file, json.dumps(asdict(job)).encode())
            words = ["nice", "-n", "10", sys.executable, "-m", __name__, str(self.job_file), str(os.getpid())]
            self._process = subprocess.Popen(
                words, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                start_new_session=True,
            )  # fmt: skip  # Ctrl-C is for the training, which ends this itself

    def done(self) -> bool:
        """Say whether there is a result, or never will be."""
        return self._process is None or self._process.poll() is not None

    def result(self) -> Regrets:
        """Wait for the measurement and return it; WiwError with the end of its log where it failed, Refusal where the
        model cannot be asked here."""
        try:
            if self._process is not None:
                self._process.wait()
        except BaseException:  # Ctrl-C: a process in a session of its own would go on
            self.stop()
            raise
        self._log.close()
        if not self._found.is_file():
            said = Path(self._log.name).read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            refused = self._process is not None and self._process.returncode == REFUSED
            raise (Refusal if refused else WiwError)(
                f"the decision bank could not be asked: {said[-1].removeprefix('error: ')}",
                f"Its log: {self._log.name}. --no-bank trains without it.",
            )
        return from_plain(Regrets, json.loads(self._found.read_bytes()))

    def stop(self) -> None:
        """End the measurement; what it found so far is lost."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10.0)
        self._log.close()


def main(words: Sequence[str]) -> int:
    """Measure what a job file says, and write what was found beside it; ``words`` are the file and the training's
    process, which it ends with."""
    file = Path(words[0])
    die_with(int(words[1]), signal.SIGTERM)
    try:
        found = measure(from_plain(Job, json.loads(file.read_bytes())))
    except WiwError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED if isinstance(error, Refusal) else 1
    write_atomic(file.with_suffix(FOUND), json.dumps(asdict(found)).encode())
    return 0


def plain_regret(regrets: Mapping[str, Regrets], model: str) -> dict[str, Any]:
    """Return the regrets by model and the paired differences of ``model`` minus each other one, for the card."""
    others = [name for name in regrets if name != model]
    return {
        "regret_m": {name: plain_metric(found.mean()) for name, found in regrets.items()},
        "regret_m_minus": {name: plain_metric(regrets[model].minus(regrets[name])) for name in others},
        "states": len(regrets[model].by_state),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
