"""How busy a world model is with and without batching across episodes: `python -m tests.benchmarks.batching_speed`.

The model stands for one GPU: a batch of at most ``--max-batch`` requests takes ``--batch-ms``, whatever it holds, and
no two batches run at once on the machine, whoever asks. Episodes are real ones of the embedded tier `easy`, played to
their last decision. Busy is the share of the time between the first batch's beginning and the last one's end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

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
every_frame = false
batch_invariant = true
"""


@dataclass(frozen=True)
class Batch:
    """When one batch began and ended (seconds), and how many requests it had."""

    began: float
    ended: float
    requests: int


def play(folder: Path, options: argparse.Namespace, workers: int, merge: bool) -> list[Batch]:
    """Play the episodes; return the batches that the model was asked for."""
    kept = folder / "batches.txt"
    kept.unlink(missing_ok=True)
    plugin = folder / "sleeper"
    plugin.mkdir(exist_ok=True)
    (plugin / "sleeper_model.py").write_text(MODEL.format(kept=str(kept), seconds=options.batch_ms / 1000.0))
    (plugin / "plugin.toml").write_text(MANIFEST.format(max_batch=options.max_batch))
    command = [sys.executable, "benchmark.py", "--wm", "sleeper", "--plugins", str(plugin), "--task", "ignav"]
    command += ["--tier", "easy", "--episodes", str(options.episodes), "--stop", "oracle", "--workers", str(workers)]
    command += ["--out", str(folder / "runs"), "--json"]
    command += ["--candidates", str(options.candidates)] if options.candidates else []
    command += ["--batch-episodes", f"{options.wait_ms:g}"] if merge else []
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = [line.split() for line in kept.read_text().splitlines()]
    return [Batch(float(began), float(ended), int(requests)) for began, ended, requests in lines]


def main() -> None:
    """Play with and without the mode for each number of workers, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--candidates", type=int, default=0, help="of a decision; 0: all 8")
    parser.add_argument("--max-batch", type=int, default=8)
    parser.add_argument("--batch-ms", type=float, default=100.0)
    parser.add_argument("--wait-ms", type=float, default=10.0)
    options = parser.parse_args()
    print("| workers | batching | batches | requests a batch | busy | episodes a minute |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for workers in options.workers:
            for merge in (False, True):
                batches = play(Path(folder), options, workers, merge)
                span_s = max(batch.ended for batch in batches) - min(batch.began for batch in batches)
                busy = sum(batch.ended - batch.began for batch in batches) / span_s
                mean = sum(batch.requests for batch in batches) / len(batches)
                mode = "across episodes" if merge else "inside a decision"
                rate = 60.0 * options.episodes / span_s
                print(f"| {workers} | {mode} | {len(batches)} | {mean:.1f} | {busy:.2f} | {rate:.1f} |", flush=True)


if __name__ == "__main__":
    main()
