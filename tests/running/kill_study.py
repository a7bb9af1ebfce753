"""Kills a real run again and again and shows that nothing is lost: `python -m tests.running.kill_study --kills 30`.

Plays the command once undisturbed, then many times from a cold cache, each time with SIGKILLs at times uniform over
the run: on a worker, on a service, on the main process alone, or on all processes of the run at once. What is dead is
resumed. At the end every planned episode must have exactly one committed row, the trajectory root must be that of the
undisturbed run, and no process or unfinished file may be left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Set

from harness.contracts.errors import WiwError
from harness.contracts.results import PLANNED
from harness.records.episode_files import read_trajectory
from harness.records.folder import RunFolder
from tests.running.processes import SERVICE, WORKER, descendants, kill, running, survivors

CHECKOUT = Path(__file__).resolve().parents[2]
KINDS = ("worker", "service", "main", "tree")
_GIVE_UP_S = 3600.0
_POLL_S = 0.01


@dataclass(frozen=True)
class Commands:
    """The command lines under study; ``{out}`` and ``{run}`` stand for the folder of runs and the run's folder."""

    start: str
    resume: str


@dataclass
class Findings:
    """What the study saw; everything but ``kills``, ``runs`` and ``seconds`` has to stay empty."""

    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    seconds: List[float] = field(default_factory=list)
    lost_rows: int = 0
    duplicated_rows: int = 0
    wrong_files: int = 0
    orphans: int = 0
    leftovers: int = 0
    other_roots: int = 0
    failures: List[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Say whether nothing was lost, doubled, different or left behind."""
        counts = (self.lost_rows, self.duplicated_rows, self.wrong_files, self.orphans, self.leftovers)
        return not any(counts) and not self.other_roots and not self.failures

    def summary(self) -> Dict[str, object]:
        """Return the findings as plain data."""
        return {
            "kills": sum(self.kills.values()),
            "kills_by_kind": dict(self.kills),
            "runs": self.runs,
            "undisturbed_s": round(self.seconds[0], 2) if self.seconds else None,
            "lost_rows": self.lost_rows,
            "duplicated_rows": self.duplicated_rows,
            "wrong_files": self.wrong_files,
            "orphans": self.orphans,
            "leftovers": self.leftovers,
            "equal_root": not self.other_roots,
            "failures": self.failures,
        }


class Study:
    """Plays, kills, resumes and checks runs of one command."""

    def __init__(self, commands: Commands, scratch: Path, seed: int) -> None:
        self._commands = commands
        self._scratch = scratch
        self._draw = random.Random(seed)
        self.findings = Findings()

    def undisturbed(self) -> str:
        """Play once without kills, from a cold cache; return the trajectory root."""
        out = self._fresh_folders(0)
        began = time.monotonic()
        code = self._launch(out, None).wait()
        self.findings.seconds.append(time.monotonic() - began)
        folder = _run_below(out)
        if folder is None or code != 0:
            raise SystemExit(f"the undisturbed run ended with {code}; see {out}")
        self._check(folder, folder.trajectory_root())
        return folder.trajectory_root()

    def killed(self, number: int, kills: int, root: str, kinds: Sequence[str]) -> None:
        """Play from a cold cache with ``kills`` kills, resume until the run is complete, and check it."""
        out = self._fresh_folders(number)
        times = sorted(self._draw.uniform(0.0, self.findings.seconds[0]) for _ in range(kills))
        played = 0.0
        give_up = time.monotonic() + _GIVE_UP_S
        code: Optional[int] = None
        while code is None and time.monotonic() < give_up:
            began = time.monotonic()
            process = self._launch(out, _run_below(out))
            while times and process.poll() is None:
                if played + time.monotonic() - began >= times[0]:
                    times.pop(0)
                    self._kill(process, self._draw.choice(kinds))
                time.sleep(_POLL_S)
            code = process.wait()
            played += time.monotonic() - began
            if code < 0:
                code = None
        self.findings.runs += 1
        folder = _run_below(out)
        if folder is None or code != 0:
            self.findings.failures.append(f"run {number} ended with {code}; see {out}")
            return
        self._check(folder, root)
        if self.findings.clean:
            shutil.rmtree(out.parent)

    def _kill(self, process: subprocess.Popen[bytes], kind: str) -> None:
        """Kill one kind of process, and count it if there was one; a dead main process may leave no other behind."""
        below = descendants(process.pid)
        victims: Dict[str, List[int]] = {
            "worker": self._one_of(running(WORKER, below)),
            "service": self._one_of(running(SERVICE, below)),
            "main": [process.pid],
            "tree": [process.pid, *below],
        }
        if not victims[kind] or process.poll() is not None:
            return
        kill(victims[kind])
        self.findings.kills[kind] += 1
        if process.pid in victims[kind]:
            process.wait()
            self.findings.orphans += len(survivors(below))

    def _one_of(self, pids: List[int]) -> List[int]:
        return [self._draw.choice(pids)] if pids else []

    def _check(self, folder: RunFolder, root: str) -> None:
        """Compare the journal, the episodes' folders and the root with what must be."""
        rows = folder.rows()
        committed = Counter(row.key for row in rows if row.result.state != PLANNED)
        planned = set(folder.identity.keys())
        self.findings.lost_rows += len(planned - set(committed))
        self.findings.duplicated_rows += sum(committed.values()) - len(set(committed) & planned)
        for row in rows:
            try:
                same = read_trajectory(folder.episode_folder(row.key)).digest() == row.result.trajectory_digest
            except WiwError:
                same = False
            self.findings.wrong_files += not same
        expected: Set[str] = {key.folder_name for key in planned}
        self.findings.leftovers += len({path.name for path in folder.episodes.iterdir()} - expected)
        self.findings.other_roots += folder.trajectory_root() != root

    def _fresh_folders(self, number: int) -> Path:
        """Make the scratch of one run, with an empty cache, and return its folder of runs."""
        scratch = self._scratch / f"{number:03d}"
        for name in ("runs", "cache"):
            (scratch / name).mkdir(parents=True)
        return scratch / "runs"

    def _launch(self, out: Path, folder: Optional[RunFolder]) -> subprocess.Popen[bytes]:
        """Start or, when there is a run folder, resume the run."""
        if folder is None:
            command = self._commands.start.format(out=out)
        else:
            command = self._commands.resume.format(run=folder.path)
        environment = {**os.environ, "WIW_CACHE": str(out.parent / "cache"), "PYTHONPATH": str(CHECKOUT)}
        with (out.parent / "output.log").open("ab") as log:
            return subprocess.Popen(
                shlex.split(command),
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _run_below(out: Path) -> Optional[RunFolder]:
    """Return the run below ``out``; None where it was killed before its `run.json` was there."""
    for path in sorted(out.iterdir()):
        if (path / "run.json").exists():
            return RunFolder.open(path)
    return None


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the study, print its findings as JSON, and return 0 when they are clean."""
    python = shlex.quote(sys.executable)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--kills-per-run", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--start", help="command that starts a run below {out}")
    parser.add_argument("--resume", default=f"{python} benchmark.py --resume {{run}}", help="command for {run}")
    parser.add_argument("--scratch", type=Path, help="where runs and caches go (default: a temporary folder)")
    given = parser.parse_args(arguments)
    default = f"{python} benchmark.py --wm gtsim --task ignav --episodes {given.episodes} --workers {given.workers}"
    commands = Commands(given.start or f"{default} --out {{out}}", given.resume)
    scratch = given.scratch or Path(tempfile.mkdtemp(prefix="kill-study-"))
    study = Study(commands, scratch, given.seed)
    root = study.undisturbed()
    number = 0
    while sum(study.findings.kills.values()) < given.kills:
        number += 1
        wanted = min(given.kills_per_run, given.kills - sum(study.findings.kills.values()))
        study.killed(number, wanted, root, given.kinds)
        print(json.dumps({"run": number, **study.findings.summary()}), file=sys.stderr, flush=True)
    print(json.dumps(study.findings.summary(), indent=1))
    if study.findings.clean and given.scratch is None:
        shutil.rmtree(scratch)
    return 0 if study.findings.clean else 1


if __name__ == "__main__":
    sys.exit(main())
