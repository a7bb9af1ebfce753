"""The training loop: batches in an order that seed and step decide, saved so that it goes on after any interruption."""

from __future__ import annotations

import math
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Optional

import torch

from harness.contracts.errors import Refusal
from harness.contracts.training import LOSS, ActionUse, Trainee
from harness.posttraining import state
from harness.posttraining.draws import Batches, draw_seed, learning_rate, share
from harness.posttraining.optimizing import LossModule, check_losses, make_optimizer
from harness.posttraining.preparing import Prepared
from harness.posttraining.recipe import Recipe

LOG_EVERY = 10
"""Steps between two entries of the curves: reading a loss waits for the device."""

NORM = "gradient_norm"


@dataclass(frozen=True)
class Entry:
    """What is known after ``step`` steps, of the steps since the entry before it: means, in seconds and GB.

    ``beside`` says whether a validation went on during all of them (True) or none (False).
    """

    step: int
    losses: Mapping[str, float]
    learning_rate: float
    step_s: float
    memory_gb: float
    beside: Optional[bool] = None

    def to_plain(self) -> dict[str, Any]:
        """Return the entry as it stands in ``training.json``."""
        return {
            "step": self.step,
            "losses": dict(self.losses),
            "learning_rate": self.learning_rate,
            "step_s": round(self.step_s, 6),
            "memory_gb": round(self.memory_gb, 3),
            **({} if self.beside is None else {"beside": self.beside}),
        }


@dataclass
class Clock:
    """The seconds of a training's steps, over all its interruptions, and how many of them it waited for validation."""

    trained_s: float = 0.0
    held_up_s: float = 0.0

    def to_plain(self) -> dict[str, float]:
        """Return both and the share."""
        share = self.held_up_s / self.trained_s if self.trained_s else 0.0
        return {**{name: round(value, 3) for name, value in asdict(self).items()}, "held_up_share": round(share, 5)}


def paces(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the median seconds of a step with a validation beside it and without; None where there was none."""
    found = {side: [entry["step_s"] for entry in entries if entry.get("beside") is side] for side in (True, False)}
    medians = {side: round(statistics.median(values), 6) if values else None for side, values in found.items()}
    return {"step_s_beside": medians[True], "step_s_alone": medians[False]}


@dataclass
class Curve:
    """The entries of a training so far, plain."""

    entries: list[dict[str, Any]] = field(default_factory=list)


class Diverged(Refusal):
    """A loss or a gradient is no finite number any more: the same command would only come here again."""


OnEntry = Callable[[Entry], None]
OnStep = Callable[[int], None]


class Trainer:
    """Trains a trainee's part on prepared clips, from the state in ``folder`` on where there is one."""

    def __init__(
        self, trainee: Trainee, recipe: Recipe, clips: Prepared, seed: int, accelerator: Any, folder: Path
    ) -> None:
        training = recipe.training
        if training.batch_size % accelerator.num_processes:
            raise Refusal(
                f"a batch of {training.batch_size} clips does not divide among {accelerator.num_processes} processes.",
                f"--set training.batch_size={accelerator.num_processes}, or a multiple.",
            )
        self._trainee, self._training, self._clips, self._seed = trainee, training, clips, seed
        self._accelerator, self._folder = accelerator, folder
        self._batches = Batches(len(clips), training, seed)
        module = LossModule(trainee)
        optimizer = make_optimizer(module.parameters(), training, accelerator.device.type == "cuda")
        self._model, self._optimizer = accelerator.prepare(module, optimizer)
        self._parameters = [p for p in self._model.parameters() if p.requires_grad]
        self.step = 0
        self.curve = Curve()
        self.clock = Clock()
        self._mark = time.monotonic()
        self._beside: Optional[bool] = None
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._counted, self._since = 0, time.monotonic()
        kept = state.read_state(folder)
        if kept is not None:
            state.put(self._model, self._optimizer.optimizer, kept)
            self.step = int(kept.facts["step"])
            self.curve = Curve(list(kept.facts["entries"]))
            self.clock = Clock(**kept.facts.get("clock", {}))

    @property
    def model(self) -> Any:
        """The trainee's loss as it is trained: what `action_use.judge` asks."""
        return self._model

    def part(self) -> dict[str, Any]:
        """Return the trained part, gathered on the CPU; every process has to call it."""
        return state.take(self._model, self._optimizer.optimizer)[0]

    def run(
        self,
        on_entry: OnEntry,
        on_step: OnStep = lambda step: None,
        busy: Optional[Callable[[], bool]] = None,
    ) -> bool:
        """Train until the recipe's last step; return False where the user stopped it, after the state was saved.

        ``on_step`` is what validation has the training wait for, ``busy`` says whether one goes on beside it. Raises
        `Diverged`, with the last good state kept, when a loss is no number.
        """
        training = self._training
        self._since = self._mark = time.monotonic()
        with _stopping() as stopped:
            while self.step < training.steps:
                self._add(self._one_step())
                self.step += 1
                finished = self.step == training.steps
                ends = self._agreed(stopped[0], finished)
                if ends or finished or self.step % LOG_EVERY == 0 or self.step % training.checkpoint_every == 0:
                    self._note(on_entry, busy)
                self._hold_up(on_step)  # before the state that goes on after it, so that no step is ever left out
                if ends or finished or self.step % training.checkpoint_every == 0:
                    self.save()
                if ends:
                    return False
        return True

    def _hold_up(self, on_step: OnStep) -> None:
        began = time.monotonic()
        on_step(self.step)
        now = time.monotonic()
        self.clock.held_up_s += now - began
        self.clock.trained_s += now - self._mark
        self._mark = now
        self._since += now - began  # the seconds of a step are those of training

    def trial(self, steps: int) -> float:
        """Do some steps that nobody keeps, the first one to warm up; return the seconds of one."""
        self._one_step()
        self._wait_for_device()
        began = time.monotonic()
        for _ in range(steps):
            self._one_step()
        self._wait_for_device()
        return (time.monotonic() - began) / steps

    def optimizer_bytes(self) -> int:
        """Return how much the optimizer keeps of the parameters, after a step."""
        tensors = [v for kept in self._optimizer.state.values() for v in kept.values() if isinstance(v, torch.Tensor)]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def _wait_for_device(self) -> None:
        if self._accelerator.device.type == "cuda":
            torch.cuda.synchronize(self._accelerator.device)

    def save(self) -> None:
        """Write the state; every process takes part, the main one writes."""
        part, moments = state.take(self._model, self._optimizer.optimizer)
        if self._accelerator.is_main_process:
            facts = {"step": self.step, "entries": self.curve.entries, "clock": asdict(self.clock)}
            state.write_state(self._folder, part, moments, facts)
        self._accelerator.wait_for_everyone()
        self._since = time.monotonic()

    def _one_step(self) -> dict[str, Any]:
        """Do one step of the optimizer; return the means of its losses and the norm of its gradient, on the device."""
        training, accelerator = self._training, self._accelerator
        rate = learning_rate(training, self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        sums: dict[str, Any] = {}
        for micro in range(training.accumulate):
            rows = share(self._batches.rows(self.step, micro), accelerator.process_index, accelerator.num_processes)
            with accelerator.accumulate(self._model):
                with accelerator.autocast():  # of FSDP's wrappers none does it
                    losses = self._model(self._clips.batch(rows), ActionUse.CORRECT, self._draws(micro))
                check_losses(losses, self._trainee)
                accelerator.backward(losses[LOSS])
                if accelerator.sync_gradients:
                    sums[NORM] = accelerator.clip_grad_norm_(self._parameters, training.clip_norm).detach().float()
                self._optimizer.step()
                self._optimizer.zero_grad(set_to_none=True)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value.detach().float() / training.accumulate
        return sums

    def _draws(self, micro: int) -> Any:
        """Return the generator of one batch; torch's own ones are seeded as well, for layers that drop at random."""
        accelerator = self._accelerator
        drawn = draw_seed(self._seed, self.step, micro, accelerator.process_index)
        torch.default_generator.manual_seed(drawn)  # torch.manual_seed does the same in 7 ms
        if accelerator.device.type == "cuda":
            torch.cuda.manual_seed(drawn)
        return torch.Generator(accelerator.device).manual_seed(drawn)

    def _add(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1  # not every step has every part
        self._counted += 1

    def _note(self, on_entry: OnEntry, busy: Optional[Callable[[], bool]]) -> None:
        """Make an entry of the steps since the last one; raise `Diverged` where they hold no finite number."""
        if not self._counted:
            return
        names = sorted(self._sums)
        stacked = torch.stack([torch.as_tensor(self._sums[name]) for name in names]).to(self._accelerator.device)
        if self._accelerator.num_processes > 1:
            stacked = self._accelerator.reduce(stacked, reduction="mean")
        means = {n: total / self._counts[n] for n, total in zip(names, stacked.tolist(), strict=True)}
        step_s = (time.monotonic() - self._since) / self._counted
        self._sums, self._counts, self._counted, self._since = {}, {}, 0, time.monotonic()
        wrong = [name for name, value in means.items() if not math.isfinite(value)]
        if wrong:
            raise Diverged(
                f"{wrong[0]} is {means[wrong[0]]} in the steps up to {self.step}.",
                f"{self._kept()} Train into another --out with a lower --set training.learning_rate=...",
            )
        rate = learning_rate(self._training, self.step - 1)
        now = None if busy is None else busy()
        before, self._beside = self._beside, now
        beside = now if now == before else None
        entry = Entry(self.step, means, rate, step_s, memory_gb(self._accelerator.device), beside)
        self.curve.entries.append(entry.to_plain())
        on_entry(entry)

    def _kept(self) -> str:
        kept = state.read_state(self._folder)
        return "No state was saved before." if kept is None else f"The state of step {kept.facts['step']} is kept."

    def _agreed(self, stopped: bool, finished: bool) -> bool:
        """Say whether training ends here; processes of one training ask each other now and then, and end together."""
        if self._accelerator.num_processes == 1:
            return stopped and not finished
        if self.step % LOG_EVERY:
            return False
        asked = torch.tensor([float(stopped)], device=self._accelerator.device)
        return bool(self._accelerator.reduce(asked, reduction="sum").item()) and not finished


def memory_gb(device: Any) -> float:
    """Return the most memory of a GPU that was in use so far; 0 for a CPU."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0


@contextmanager
def _stopping() -> Iterator[list[bool]]:
    """Turn the first Ctrl-C (or SIGTERM) into a wish to stop; a second one interrupts at once."""
    stopped = [False]

    def ask(number: int, frame: Optional[FrameType]) -> None:
        if stopped[0]:
            raise KeyboardInterrupt
        stopped[0] = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
