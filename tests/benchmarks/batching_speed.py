"""How busy a world model is with and without batching across episodes: `python -m tests.benchmarks.batching_speed`.

The model stands for one GPU: a batch of at most ``--max-batch`` requests takes ``--batch-ms``, whatever it holds, and
no two batches run at once on the machine, whoever asks. Episodes are real ones of the embedded tier `easy`, played to
their last decision. Busy is the share of the time between the first batch's beginning and the last one's end.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.records.folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
KEPT = "batches.txt"
MODES = {"inside-a-decision": False, "across-episodes": True}

MODEL = """
import fcntl
import time
from pathlib import Path

import numpy as np

from harness.contracts.rollouts import Rollout
from harness.wire.sdk import WorldModel

KEPT = Path({kept!r})


class Sleeper(WorldModel):
    def imagine(self, request):
        return Rollout(request.id, np.repeat(request.view[None], len(request.frames), axis=0), request.camera)

    def imagine_batch(self, requests):
        with KEPT.open("a") as gpu:
            fcntl.flock(gpu, fcntl.LOCK_EX)
            began = time.time()
            time.sleep({seconds})
            gpu.write(f"{{began}} {{time.time()}} {{len(requests)}}\\n")
            gpu.flush()
        yield from map(self.imagine, requests)
"""
MANIFEST = """
[family]
name = "sleeper"
entry_point = "sleeper_model:Sleeper"
[[model]]
name = "sleeper"
max_batch = {max_batch}
batch_invariant = true
"""


@dataclass(frozen=True)
class Played:
    """What one run shows: the batches of the stand-in (none of another model), how much of the time it was busy, and
    episodes a minute between the first that ended and the last."""

    batches: int
    requests: float
    busy: float
    episodes_a_minute: float


def play(folder: Path, options: argparse.Namespace, workers: int, merge: bool) -> Played:
    """Play the episodes with the mode or without."""
    out = folder / f"{workers}-{merge}"
    command = [sys.executable, "benchmark.py", *(options.wm or stand_in(folder, options)), "--task", "ignav"]
    command += ["--episodes", str(options.episodes), "--stop", "oracle", "--workers", str(workers)]
    command += ["--tier", options.tier] if options.tier else []
    command += ["--candidates", str(options.candidates)] if options.candidates else []
    command += ["--batch-episodes", f"{options.wait_ms:g}"] if merge else []
    command += ["--out", str(out), "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    (path,) = (file.parent for file in out.glob("*/run.json"))
    ended = sorted(row.committed_at for row in RunFolder.open(path).rows() if row.committed_at)
    rate = 60.0 * (len(ended) - 1) / (ended[-1] - ended[0])
    kept = folder / KEPT
    lines = [tuple(map(float, line.split())) for line in kept.read_text().splitlines()] if kept.exists() else []
    kept.unlink(missing_ok=True)
    if not lines:
        return Played(0, 0.0, float("nan"), rate)
    began, end, requests = zip(*lines, strict=True)
    busy = sum(b - a for a, b in zip(began, end, strict=True)) / (max(end) - min(began))
    return Played(len(lines), sum(requests) / len(lines), busy, rate)


def stand_in(folder: Path, options: argparse.Namespace) -> list[str]:
    """Write the stand-in's plugin; return the words that name it."""
    plugin = folder / "sleeper"
    plugin.mkdir(exist_ok=True)
    model = MODEL.format(kept=str(folder / KEPT), seconds=options.batch_ms / 1000.0)
    (plugin / "sleeper_model.py").write_text(model)
    (plugin / "plugin.toml").write_text(MANIFEST.format(max_batch=options.max_batch))
    return ["--wm", "sleeper", "--plugins", str(plugin)]


def main() -> None:
    """Play with and without the mode for each number of workers, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wm", type=shlex.split, help="another model, as: --wm '--wm FTmini --weights random'")
    parser.add_argument("--tier", default="easy", help="'' for the model's own")
    parser.add_argument("--episodes", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--candidates", type=int, default=0, help="of a decision; 0: all 8")
    parser.add_argument("--max-batch", type=int, default=8)
    parser.add_argument("--batch-ms", type=float, default=100.0)
    parser.add_argument("--wait-ms", type=float, default=10.0)
    parser.add_argument("--only", choices=list(MODES), help="one of the two modes")
    options = parser.parse_args()
    print("| workers | batching | batches | requests a batch | busy | episodes a minute |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for workers in options.workers:
            for mode, merge in MODES.items():
                if options.only not in (None, mode):
                    continue
                played = play(Path(folder), options, workers, merge)
                shown = f"{played.batches} | {played.requests:.1f} | {played.busy:.2f} | {played.episodes_a_minute:.1f}"
                print(f"| {workers} | {mode} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
