"""Does a model use its actions? Its loss on held-out clips with the right actions, those of another clip, and none.

A loss that falls proves nothing of it: a video model that ignores what it is told still learns what homes look like.
Losses are compared clip by clip with equal noise, two clips of one home at a time, which exchange their actions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from harness.contracts.results import Metric
from harness.contracts.seeds import generator
from harness.contracts.training import LOSS, ActionUse
from harness.posttraining.clips import Item
from harness.posttraining.draws import draw_seed
from harness.posttraining.metrics import metric_of, plain_metric
from harness.posttraining.plan import PAIR
from harness.posttraining.preparing import Prepared

MOST_CLIPS = 128
"""Held-out clips that are judged at most: more would take minutes for an interval that is short already."""

ENOUGH = 64
"""Pairs that are evaluated at least, by more draws of the noise where there are fewer of clips."""

MOST_DRAWS = 4

Tell = Callable[[int, int], None]
Pair = tuple[int, int]


@dataclass(frozen=True)
class ActionUseFinding:
    """Mean losses by use of actions, and how much larger the loss is without the right ones (paired, by home)."""

    clips: int
    homes: int
    losses: Mapping[str, Metric]
    shuffled_minus_correct: Metric
    none_minus_correct: Metric

    @property
    def uses_actions(self) -> bool:
        """Whether the loss with the right actions is significantly below that with another clip's."""
        return self.shuffled_minus_correct.low > 0.0

    def to_plain(self) -> dict[str, Any]:
        """Return the finding as cards and ``training.json`` have it: value and interval of each."""
        return {
            "uses_actions": self.uses_actions,
            "clips": self.clips,
            "homes": self.homes,
            "loss": {name: plain_metric(metric) for name, metric in self.losses.items()},
            "shuffled_minus_correct": plain_metric(self.shuffled_minus_correct),
            "none_minus_correct": plain_metric(self.none_minus_correct),
        }


def chosen_items(items: Sequence[Item], seed: int) -> list[Item]:
    """Return the held-out clips that are judged: all, or as many as are enough, drawn by ``seed``."""
    if len(items) <= MOST_CLIPS:
        return list(items)
    order = generator(seed, "", -1, -1, "posttrain-judged").permutation(len(items))[:MOST_CLIPS]
    return [items[place] for place in sorted(order.tolist())]


def pairs_of(scenes: Sequence[str]) -> list[Pair]:
    """Return pairs of rows of one scene each; a row that is alone in its scene is paired with the next scene's first.

    The first row of a pair says which home it counts for.
    """
    by_scene: dict[str, list[int]] = {}
    for row, scene in enumerate(scenes):
        by_scene.setdefault(scene, []).append(row)
    groups = list(by_scene.values())
    found: list[Pair] = []
    for number, rows in enumerate(groups):
        if len(rows) == 1:
            found.append((rows[0], groups[(number + 1) % len(groups)][0]))
            continue
        found += [(rows[place], rows[place + 1]) for place in range(0, len(rows) - 1, PAIR)]
        if len(rows) % PAIR:
            found.append((rows[-1], rows[0]))
    return [pair for pair in found if pair[0] != pair[1]]


def judge(
    model: Any,
    clips: Prepared,
    items: Sequence[Item],
    seed: int,
    device: Any,
    casting: Callable[[], AbstractContextManager[Any]],
    tell: Tell = lambda *_: None,
    most_draws: int = MOST_DRAWS,
) -> ActionUseFinding:
    """Return what the losses of ``model`` (an `optimizing.LossModule`, or its wrapper) say of its use of actions.

    ``clips`` are the prepared ``items``. In parallel training every process has to call it, and all find the same.
    """
    pairs = pairs_of([item.scene for item in items])
    draws = max(1, min(most_draws, -(-ENOUGH // max(1, len(pairs)))))
    found: dict[str, list[float]] = {use.value: [] for use in ActionUse}
    was_training = model.training
    model.eval()
    try:
        for number, pair in enumerate(pairs):
            tell(number, len(pairs))
            batch = clips.batch(pair)
            for use in ActionUse:
                losses = [
                    _loss(model, batch, use, draw_seed(seed, d, number, 0, "gate"), device, casting)
                    for d in range(draws)
                ]
                found[use.value].append(torch.stack(losses).mean().item())
    finally:
        model.train(was_training)
    tell(len(pairs), len(pairs))
    return summarised(found, [items[first].scene for first, _ in pairs], len(items))


def _loss(model: Any, batch: Any, use: ActionUse, seed: int, device: Any, casting: Callable[[], Any]) -> Any:
    torch.default_generator.manual_seed(seed)
    draws = torch.Generator(device).manual_seed(seed)
    with torch.no_grad(), casting():
        return model(batch, use, draws)[LOSS].detach().float()


def summarised(losses: Mapping[str, Sequence[float]], scenes: Sequence[str], clips: int) -> ActionUseFinding:
    """Return means and paired differences with their intervals, homes as clusters."""
    correct = np.array(losses[ActionUse.CORRECT.value])
    shuffled, nothing = (np.array(losses[use.value]) for use in (ActionUse.SHUFFLED, ActionUse.NONE))
    return ActionUseFinding(
        clips=clips,
        homes=len(set(scenes)),
        losses={name: metric_of(values, scenes) for name, values in losses.items()},
        shuffled_minus_correct=metric_of(shuffled - correct, scenes),
        none_minus_correct=metric_of(nothing - correct, scenes),
    )
