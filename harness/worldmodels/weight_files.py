"""Which files hold weights, by their names: one list for the hub's cache, for cards and for what containers see."""

from __future__ import annotations

import glob
from pathlib import Path

INDEX = ".index"
DATA_PATTERN = ".data-?????-of-?????"
PATTERNS = (
    "*.safetensors",
    "*.bin",
    "*.ckpt",
    "*.pt",
    "*.pth",
    "*.pth.tar",
    f"*{INDEX}",
    f"*{DATA_PATTERN}",
    "*.msgpack",
)
"""A TensorFlow checkpoint is a small ``NAME.index`` and its data, ``NAME.data-00000-of-00001`` and so on."""

_DIGITS = 5


def is_weights(file: Path) -> bool:
    """Say whether a file holds weights, or a part of them."""
    return any(file.match(pattern) for pattern in PATTERNS)


def weight_files(checkpoint: Path) -> tuple[Path, ...]:
    """Return the files of weights of a checkpoint, sorted; of a file, itself and the data that it is the index of."""
    if not checkpoint.is_dir():
        return (*data_files(checkpoint), checkpoint)
    return tuple(sorted(path for path in checkpoint.rglob("*") if is_weights(path) and path.is_file()))


def data_files(file: Path) -> tuple[Path, ...]:
    """Return the data beside the ``.index`` file of a TensorFlow checkpoint, sorted; () for any other file."""
    if file.suffix != INDEX:
        return ()
    return tuple(sorted(file.parent.glob(glob.escape(file.stem) + DATA_PATTERN)))


def missing_data(index: Path) -> str:
    """Return the name of the first data file that an ``.index`` file lacks, "" where all that it has are there.

    How many there are is in the name of each; without any, the first is named.
    """
    present = {file.name for file in data_files(index)}
    count = max((int(name[-_DIGITS:]) for name in present), default=1)
    wanted = (f"{index.stem}.data-{number:0{_DIGITS}}-of-{count:0{_DIGITS}}" for number in range(count))
    return next((name for name in wanted if name not in present), "")
