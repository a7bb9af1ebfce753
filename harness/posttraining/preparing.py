"""Prepared clips: what a trainee makes of each, once, kept where batches are taken from.

Clips are read ahead (`reading`) while the trainee works on the one before, and are prepared in order, so that what is
kept depends on nothing else.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import torch

from harness.contracts.actions import Action, navigation_space
from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.training import Trainee
from harness.posttraining.clips import Item
from harness.posttraining.reading import read_ahead
from harness.posttraining.recipe import DEVICE, DISK
from harness.records.atomic import write_atomic
from harness.worldmodels.conditioning import conditioning_of, with_template

DONE = "prepared.json"

Told = Callable[[Sequence[Action]], str]
"""Returns the prompt of actions; "" where a model reads none."""

Preparing = Callable[[int, int], None]
"""Called with the number of clips that are prepared and of all."""


def prompts_of(manifest: ModelManifest) -> Told:
    """Return what makes the prompt of actions, as in use: by the manifest's template and the length of its plans."""
    conditioning = conditioning_of(with_template(manifest))
    space = navigation_space()
    return lambda actions: conditioning.prompt(actions, space)


@dataclass(frozen=True)
class Place:
    """Where prepared clips are kept: on the ``device``, in ``memory``, or on ``disk`` in files below ``folder``.

    ``identity`` says what they are made with, beside the clips: files of another one are made again.
    """

    keep: str
    device: Any
    folder: Path
    identity: str


class Prepared:
    """Prepared clips stacked by key: `batch` gives rows of them on the device."""

    def __init__(self, tensors: Mapping[str, Any], device: Any) -> None:
        self._tensors = tensors
        self._device = device

    def __len__(self) -> int:
        return len(next(iter(self._tensors.values())))

    def bytes_a_clip(self) -> int:
        """Return how many bytes one prepared clip takes."""
        return sum(tensor[0].numel() * tensor.element_size() for tensor in self._tensors.values())

    def batch(self, rows: Sequence[int]) -> dict[str, Any]:
        """Return the clips of these rows, stacked, on the device."""
        found = {}
        for name, tensor in self._tensors.items():
            chosen = torch.as_tensor(list(rows), dtype=torch.int64, device=tensor.device)
            found[name] = tensor.index_select(0, chosen).to(self._device, non_blocking=True)
        return found


def prepare_all(
    trainee: Trainee, items: Sequence[Item], place: Place, told: Told, tell: Preparing = lambda *_: None
) -> Prepared:
    """Return all clips prepared and kept in ``place``; files of an earlier call for the same are taken as they are.

    ``told`` is what the model is told of actions where it reads text.
    """
    prepared_clips = _prepared(trainee, items, told, tell)
    if place.keep == DISK:
        return _on_disk(prepared_clips, items, place)
    keep, device = place.keep, place.device
    where = device if keep == DEVICE else torch.device("cpu")
    tensors: dict[str, Any] = {}
    for row, prepared in enumerate(prepared_clips):
        if not tensors:
            tensors = {n: torch.empty((len(items), *t.shape), dtype=t.dtype, device=where) for n, t in prepared.items()}
        for name, tensor in prepared.items():
            tensors[name][row].copy_(tensor)
    return Prepared(tensors, device)


def _on_disk(prepared_clips: Iterator[Mapping[str, Any]], items: Sequence[Item], place: Place) -> Prepared:
    folder, device = place.folder, place.device
    identity = digest([place.identity, [[item.name, item.data.sha256] for item in items]])
    done = folder / DONE
    known = json.loads(done.read_bytes()) if done.is_file() else {}
    if known.get("identity") == identity:
        return Prepared(_mapped(folder, known["tensors"]), device)
    folder.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    shapes: dict[str, Any] = {}
    mapped: dict[str, Any] = {}
    for row, prepared in enumerate(prepared_clips):
        if not mapped:
            shapes = {n: {"shape": [len(items), *t.shape], "dtype": str(t.dtype)[6:]} for n, t in prepared.items()}
            mapped = _mapped(folder, shapes, new=True)
        for name, tensor in prepared.items():
            mapped[name][row].copy_(tensor)
    del mapped
    write_atomic(done, json.dumps({"identity": identity, "tensors": shapes}).encode())
    return Prepared(_mapped(folder, shapes), device)


def _mapped(folder: Path, shapes: Mapping[str, Any], new: bool = False) -> dict[str, Any]:
    """Return tensors that lie in files, one a key; pages are read when a batch needs them."""
    found = {}
    for number, (name, known) in enumerate(sorted(shapes.items())):
        file = folder / f"{number}.raw"
        dtype = getattr(torch, known["dtype"])
        count = 1
        for side in known["shape"]:
            count *= side
        if new:
            file.unlink(missing_ok=True)
            with file.open("xb") as made:
                # room for all of it: a page that finds none when it is written would end the process without a word
                os.posix_fallocate(made.fileno(), 0, count * dtype.itemsize)
        flat = torch.from_file(str(file), shared=True, size=count, dtype=dtype)
        found[name] = flat.view(known["shape"])
    return found


def _prepared(trainee: Trainee, items: Sequence[Item], told: Told, tell: Preparing) -> Iterator[Mapping[str, Any]]:
    """Yield each clip as the trainee prepares it, in order; Refusal where one is unlike the first."""
    first: Optional[dict[str, tuple[Any, ...]]] = None
    tell(0, len(items))
    for number, clip in enumerate(read_ahead(items)):
        prepared = trainee.prepare(replace(clip, prompt=told(clip.actions)))
        forms = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in prepared.items()}
        first = first or forms
        if forms != first:
            raise Refusal(
                f"{type(trainee).__name__}.prepare made {forms} of {clip.name}, and {first} of the first clip.",
                "Every clip has to give tensors of one form: fix the trainee.",
            )
        yield prepared
        tell(number + 1, len(items))


class Eta:
    """How long something of known length still takes, from its own pace."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: Optional[tuple[float, float]] = None

    def left_s(self, done: float, total: float) -> Optional[float]:
        """Return the seconds left, None before there is a pace."""
        now = self._clock()
        if self._begun is None or self._begun[1] == 0:  # the first of all waits for what has to be loaded
            self._begun = (now, done)
        began, first = self._begun
        return (now - began) * (total - done) / (done - first) if done > first else None
