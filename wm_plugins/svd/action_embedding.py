"""How the post-trained SVD is told the actions: a row of numbers a frame, sinusoids, a sum with the time embedding.

In navigation a row holds the ids of all actions so far; in manipulation it holds the pose of the gripper.

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

from harness.contracts.actions import EE_POSE8, FORWARD, TURN_LEFT, TURN_RIGHT, Action, Primitive, Vector
from harness.contracts.arm_poses import ten_numbers
from harness.contracts.errors import Refusal
from harness.contracts.portable import PI

FRAMES = 14
FREQUENCIES = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
FEATURES_A_NUMBER = len(FREQUENCIES) * 2
HIDDEN = 256
START_ID = 4
ACTION_IDS = {FORWARD: 1, TURN_LEFT: 2, TURN_RIGHT: 3}
PADDING_ID = ACTION_IDS[FORWARD]

POSE_NUMBERS = 10
SCENE_LOW, SCENE_HIGH = (-0.3, -0.5, 0.6), (0.7, 0.5, 1.6)
"""The published bounds of the gripper's position, metres."""


def action_ids(actions: Sequence[Action]) -> list[int]:
    """Return one id for each of 14 frames: the start, then each action; short candidates go on with forwards."""
    ids = [START_ID]
    for action in actions:
        if not isinstance(action, Primitive) or action.name not in ACTION_IDS:
            raise Refusal(f"the action {action} is not known.", f"Known: {', '.join(ACTION_IDS)}.")
        ids.append(ACTION_IDS[action.name])
    if len(ids) > FRAMES:
        raise Refusal(f"{FRAMES - 1} actions can be imagined, not {len(actions)}.", "Send shorter candidates.")
    return ids + [PADDING_ID] * (FRAMES - len(ids))


def prefix_matrix(ids: Sequence[int]) -> torch.Tensor:
    """Return [T, T]: row t holds the ids up to frame t, so that a frame knows what led to it; the rest is empty (0)."""
    row = torch.tensor(ids, dtype=torch.float32)
    return torch.tril(row.expand(len(ids), len(ids)))


def pose_matrix(actions: Sequence[Action]) -> torch.Tensor:
    """Return [14, 10]: row t holds the gripper's pose at frame t; a short candidate's last pose goes on.

    A request does not hold the present pose, so row 0 repeats the first one. Positions within the scene's bounds
    become -2 pi..2 pi; entries of the rotation matrix (-1..1) and the gripper (0 closed, 1 open) become -pi..pi.
    """
    poses = [_pose_row(action) for action in actions]
    if not 0 < len(poses) < FRAMES:
        raise Refusal(f"{FRAMES - 1} poses can be imagined, not {len(poses)}.", "Send candidates of that length.")
    return torch.tensor([poses[0], *poses, *[poses[-1]] * (FRAMES - 1 - len(poses))], dtype=torch.float32)


def _pose_row(action: Action) -> list[float]:
    if not isinstance(action, Vector) or action.space != EE_POSE8:
        raise Refusal(f"the action {action} is not known.", f"Send vectors of the space {EE_POSE8}.")
    numbers = ten_numbers(action.values)
    position = [
        (2.0 * (value - low) / (high - low) - 1.0) * 2.0 * PI
        for value, low, high in zip(numbers[:3], SCENE_LOW, SCENE_HIGH, strict=True)
    ]
    rotation = [value * PI for value in numbers[3:9]]
    return [*position, *rotation, (2.0 * numbers[9] - 1.0) * PI]


def sinusoids(matrix: torch.Tensor) -> torch.Tensor:
    """Return [..., N * 12] for rows of N numbers: cosine and sine of each at six frequencies."""
    angles = matrix.unsqueeze(-1) * torch.tensor(FREQUENCIES, device=matrix.device)
    return torch.stack([torch.cos(angles), torch.sin(angles)], dim=-1).flatten(-3)


def turned_columns(actions: Sequence[Action], width: int) -> list[int]:
    """Return by how many of ``width`` columns each action turns the view, left positive; 0 where it does not turn."""
    signs = {TURN_LEFT: 1, TURN_RIGHT: -1}
    return [
        signs[action.name] * round(action.magnitude / 360.0 * width)
        if isinstance(action, Primitive) and action.name in signs
        else 0
        for action in actions
    ]


def turn_with_camera(noise: torch.Tensor, columns: Sequence[int]) -> torch.Tensor:
    """Return noise [T, ..., W] in which a frame after a turn has that of the frame before, rolled by its columns."""
    frames = list(noise)
    for index, count in enumerate(columns[: len(frames) - 1], start=1):
        if count:
            frames[index] = frames[index - 1].roll(count, dims=-1)
    return torch.stack(frames)


class ActionEmbedding(nn.Module):  # type: ignore[misc]
    """Maps the features of a row, [B, T, N * 12], to what is added to the time embedding of each frame, [B * T, C]."""

    def __init__(self, width: int = 1280, numbers: int = FRAMES) -> None:
        super().__init__()
        self.project = nn.Linear(numbers * FEATURES_A_NUMBER, HIDDEN)
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
