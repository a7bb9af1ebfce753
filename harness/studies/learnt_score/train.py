"""Train the learnt score: ``python -m harness.studies.learnt_score.train --data DIR --out FILE.safetensors``.

The best weights so far are always in FILE; at the end stand beside it the held-out errors (FILE.json) and the card
(FILE.md). Training homes are trained on, validation homes choose the checkpoint, homes of other splits in DIR are only
reported.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np
import torch

from harness.contracts.errors import Refusal, WiwError
from harness.studies.learnt_score.batches import TRAIN, VALIDATION, Homes, as_images, halved, load_splits
from harness.studies.learnt_score.check import LICENCE, card_of
from harness.studies.learnt_score.fit import CONDITIONS, SMOKE, Checkpoint, Settings, errors_on, fit
from harness.studies.learnt_score.network import DistanceNetwork, exported, parameter_count
from tasks.ignav.scores.learnt_file import read_tensors, write_tensors
from tasks.ignav.scores.learnt_network import network_from

MOST_BYTES = 4_000_000
_SUFFIX = ".safetensors"
_COMPARED = 4
_ALLOWED_DIFFERENCE_M = 1e-3


def train(data: Path, out: Path, settings: Settings, device: str, command: str) -> Mapping[str, Any]:
    """Train, write the weights, the errors and the card; return the record that the JSON holds."""
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    started = time.monotonic()
    splits = load_splits(data, device)
    _say(f"loaded {', '.join(f'{len(homes.names)} {split}' for split, homes in splits.items())} homes "
         f"in {time.monotonic() - started:.0f} s on {device}")  # fmt: skip
    digests = {split: homes.digest for split, homes in splits.items()}
    best, progress = fit(
        splits[TRAIN], splits[VALIDATION], settings, _say, lambda kept: _write(out, kept, digests[TRAIN])
    )
    errors = _all_errors(best.network, splits, settings)
    file = read_tensors(out)
    record: Dict[str, Any] = {
        "name": out.stem,
        "sha256": file.sha256,
        "bytes": out.stat().st_size,
        "parameters": parameter_count(list(file.tensors.values())),
        "licence": LICENCE,
        "command": command,
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "torch": torch.__version__,
        **progress,
        "difference_m": _difference(best.network, out, splits[VALIDATION]),
        "data": {split: _described(homes) for split, homes in splits.items()},
        "settings": asdict(settings),
        "errors": errors,
    }
    out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    out.with_suffix(".md").write_text(card_of(record), encoding="utf-8")
    return record


def _write(out: Path, kept: Checkpoint, data_digest: str) -> None:
    metadata = {"score": "learnt", "licence": LICENCE, "step": str(kept.step), "training_data": data_digest}
    write_tensors(out, exported(kept.network), metadata)
    if out.stat().st_size > MOST_BYTES:
        raise Refusal(f"{out} has {out.stat().st_size} bytes, more than {MOST_BYTES}.", "Make the network smaller.")


def _all_errors(
    network: DistanceNetwork, splits: Mapping[str, Homes], settings: Settings
) -> Dict[str, Dict[str, Dict[str, object]]]:
    """Return the errors by held-out split and condition, on several times the pairs that checkpoints are chosen by."""
    errors: Dict[str, Dict[str, Dict[str, object]]] = {}
    size = (4 * settings.evaluation_batches, settings.evaluation_goals)
    for split, homes in splits.items():
        if split == TRAIN:
            continue
        errors[split] = {name: errors_on(network, homes, name, *size).plain() for name in CONDITIONS}
        _say(f"{split}: " + ", ".join(f"{name} {of['all_m']} m" for name, of in errors[split].items()))
    return errors


def _difference(network: DistanceNetwork, out: Path, homes: Homes) -> float:
    """Return the largest difference in metres between torch and the score, as it is run from the file; a few pairs."""
    score = network_from(read_tensors(out).tensors)
    generator = torch.Generator(homes.distances_m.device).manual_seed(2)
    goals, panoramas, _ = homes.pairs(_COMPARED, _COMPARED, generator)
    goal_images = halved(as_images(goals))
    images = as_images(panoramas.flatten(0, 1)).unflatten(0, panoramas.shape[:2])
    with torch.inference_mode():
        cpu = DistanceNetwork()
        cpu.load_state_dict(network.state_dict())
        expected = cpu.eval().decided(cpu(goal_images.cpu() - 0.5, images.cpu() - 0.5)).numpy()
    differences: List[float] = []
    for index, goal in enumerate(goal_images.permute(0, 2, 3, 1).cpu().numpy()):
        features = score.goal_features(np.ascontiguousarray(goal * 255.0))
        bands = panoramas[index].cpu().numpy().astype(np.float32)
        differences += [abs(score.distance_m(features, band) - e) for band, e in zip(bands, expected[index])]
    if max(differences) > _ALLOWED_DIFFERENCE_M:
        raise Refusal(f"the score differs from the network by {max(differences)} m.", "Do not use this file.")
    return float(max(differences))


def _described(homes: Homes) -> Dict[str, Any]:
    pairs = int(homes.distances_m.numel())
    return {"homes": len(homes.names), "first": homes.names[0], "last": homes.names[-1], "pairs": pairs,
            "digest": homes.digest}  # fmt: skip


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2: refused)."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.studies.learnt_score.train", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that make_data filled")
    parser.add_argument("--out", type=Path, required=True, help="file of the weights, .safetensors")
    parser.add_argument("--seconds", type=float, help="time of the training (default: 300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="compile the network first; faster on a GPU")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--smoke", action="store_true", help="a tiny training that only shows that everything works")
    chosen = parser.parse_args(arguments)
    settings = replace(SMOKE if chosen.smoke else Settings(), seed=chosen.seed, compiled=chosen.compile)
    if chosen.seconds is not None:
        settings = replace(settings, seconds=chosen.seconds)
    given = sys.argv[1:] if arguments is None else arguments
    command = f"python -m harness.studies.learnt_score.train {shlex.join(given)}"
    try:
        if chosen.out.suffix != _SUFFIX:
            raise Refusal(f"{chosen.out} does not end with {_SUFFIX}.", "Name the file so.")
        record = train(chosen.data, chosen.out, settings, chosen.device, command)
    except WiwError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{chosen.out}: SHA-256 {record['sha256']}, card {chosen.out.with_suffix('.md')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
