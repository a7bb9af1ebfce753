"""How the post-trained SVD is told the actions: a prefix matrix, sinusoids, and a sum with the time embedding.

Written from the description of the published protocol (arXiv 2510.18135), not from its code. Where the description
leaves a choice (the value of an empty entry, the order of the features), it is made here and said so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from diffusers.models.embeddings import TimestepEmbedding
from torch import nn

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Action, Primitive
from harness.contracts.errors import Refusal

FRAMES = 14
FREQUENCIES = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
FEATURES = FRAMES * len(FREQUENCIES) * 2
HIDDEN = 256
START_ID = 4
ACTION_IDS = {FORWARD: 1, TURN_LEFT: 2, TURN_RIGHT: 3}
PADDING_ID = ACTION_IDS[FORWARD]


def action_ids(actions: Sequence[Action]) -> list[int]:
    """Return one id for each of 14 frames: the start, then each action; short candidates go on with forwards."""
    ids = [START_ID]
    for action in actions:
        if not isinstance(action, Primitive) or action.name not in ACTION_IDS:
            raise Refusal(f"FTsvd does not know the action {action}.", f"It knows {', '.join(ACTION_IDS)}.")
        ids.append(ACTION_IDS[action.name])
    if len(ids) > FRAMES:
        raise Refusal(f"FTsvd imagines {FRAMES - 1} actions, not {len(actions)}.", "Send shorter candidates.")
    return ids + [PADDING_ID] * (FRAMES - len(ids))


def prefix_matrix(ids: Sequence[int]) -> torch.Tensor:
    """Return [T, T]: row t holds the ids up to frame t, so that a frame knows what led to it; the rest is empty (0)."""
    row = torch.tensor(ids, dtype=torch.float32)
    return torch.tril(row.expand(len(ids), len(ids)))


def sinusoids(matrix: torch.Tensor) -> torch.Tensor:
    """Return [..., T * 12]: cosine and sine of every entry at six frequencies."""
    angles = matrix.unsqueeze(-1) * torch.tensor(FREQUENCIES, device=matrix.device)
    return torch.stack([torch.cos(angles), torch.sin(angles)], dim=-1).flatten(-3)


class ActionEmbedding(nn.Module):  # type: ignore[misc]
    """Maps prefix features [B, T, 168] to what is added to the time embedding of each frame, [B * T, 1280]."""

    def __init__(self, width: int = 1280, features: int = FEATURES) -> None:
        super().__init__()
        self.project = nn.Linear(features, HIDDEN)
        self.embed = TimestepEmbedding(HIDDEN, width)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return one vector a frame, batch and frames flattened."""
        result: torch.Tensor = self.embed(self.project(features)).flatten(0, 1)
        return result


@contextmanager
def added_to_time_embedding(unet: Any, vectors: torch.Tensor) -> Iterator[None]:
    """Add ``vectors`` [B * T, C] to the time embedding that every block of ``unet`` gets inside.

    A batch with guidance is twice as long; actions are never dropped, so both halves get them.
    """

    def add(_: Any, arguments: Any, options: dict[str, Any]) -> Any:
        time = options["temb"]
        options["temb"] = time + vectors.repeat(time.shape[0] // vectors.shape[0], 1).to(time)
        return arguments, options

    with ExitStack() as hooks:
        for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
            hooks.callback(block.register_forward_pre_hook(add, with_kwargs=True).remove)
        yield
