"""The network of `FTmini-manip`: what a front view will be after some sub-goals, mixed from pictures that there are.

For every pixel it says how much of it is the view itself, how much the view with something moved along, how much the
room without an arm, which it has learnt by heart, and how much a colour that it makes up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import torch
from manip_hand import NUMBERS, PICTURES, SIZE, WARPS, Told
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from harness.contracts.errors import Refusal
from harness.contracts.tensor_names import match_names, refuse_faults

WEIGHTS_FILE = "model.safetensors"
WIDTHS = (24, 40, 64, 80)
"""Channels at a half, a quarter, an eighth and a sixteenth of the picture's side."""

LEARNT = 5
"""Planes that are learnt by heart beside the room's three colours."""

FINE = 16
SOURCES = WARPS + 3
"""What a pixel is mixed from: the view, the views with something moved, the room, a colour made up."""


class Block(nn.Module):  # type: ignore[misc]
    """Two convolutions beside a straight way; the plan's numbers shift what lies between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.told = nn.Linear(NUMBERS, channels)
        self.norm = nn.GroupNorm(4, channels)

    def forward(self, x: Tensor, numbers: Tensor) -> Tensor:
        inside = self.first(functional.leaky_relu(self.norm(x), 0.1)) + self.told(numbers)[:, :, None, None]
        return x + self.second(functional.leaky_relu(inside, 0.1))


class Manip(nn.Module):  # type: ignore[misc]
    """A U-Net over the view and what a plan says of it."""

    def __init__(self) -> None:
        super().__init__()
        inputs = 3 + 3 + LEARNT + 3 * WARPS + PICTURES
        self.room = nn.Parameter(torch.full((3, SIZE, SIZE), 0.5))
        self.learnt = nn.Parameter(0.1 * torch.randn(LEARNT, SIZE, SIZE))
        self.stem = nn.Conv2d(inputs, WIDTHS[0], 3, stride=2, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(WIDTHS[:-1], WIDTHS[1:]))
        self.going = nn.ModuleList(Block(width) for width in WIDTHS)
        self.deep = Block(WIDTHS[-1])
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in zip(WIDTHS[:-1], WIDTHS[1:]))
        self.coming = nn.ModuleList(Block(width) for width in WIDTHS[:-1])
        self.thin = nn.Conv2d(WIDTHS[0], FINE, 1)
        self.fine = nn.Conv2d(FINE + inputs, FINE, 3, padding=1)
        self.last = nn.Conv2d(FINE, 3 + SOURCES, 3, padding=1)
        with torch.no_grad():
            self.last.weight *= 0.1
            self.last.bias.zero_()
            self.last.bias[3] = 3.0  # begins with the view as it is

    def forward(self, view: Tensor, told: Told) -> Tensor:
        """Return the pictures [N, 3, H, W] in 0..1 that views [N, 3, H, W] turn into."""
        count = len(view)
        room, learnt = (plane[None].expand(count, -1, -1, -1) for plane in (self.room, self.learnt))
        given = torch.cat((view - 0.5, room - 0.5, learnt, told.moved.flatten(1, 2) - 0.5, told.pictures), 1)
        given = given.contiguous(memory_format=torch.channels_last)
        x = self.going[0](functional.leaky_relu(self.stem(given), 0.1), told.numbers)
        skips: List[Tensor] = [x]
        for down, block in zip(self.down, self.going[1:]):
            x = block(down(x), told.numbers)
            skips.append(x)
        x = self.deep(x, told.numbers)
        for level in range(len(WIDTHS) - 2, -1, -1):
            x = functional.interpolate(self.up[level](x), scale_factor=2, mode="nearest") + skips[level]
            x = self.coming[level](x, told.numbers)
        fine = functional.interpolate(self.thin(x), scale_factor=2, mode="bilinear", align_corners=False)
        fine = functional.leaky_relu(self.fine(torch.cat((fine, given), 1)), 0.1)
        out = self.last(fine).float()
        made_up, weights = torch.sigmoid(out[:, :3]), torch.softmax(out[:, 3:], 1)
        sources = torch.cat((view[:, None], told.moved, room[:, None], made_up[:, None]), 1).float()
        return (weights[:, :, None] * sources).sum(1)


def read_checkpoint(model: Any, place: Path) -> None:
    """Load a file or folder into the module; Refusal names tensors that are missing, unknown or misshapen."""
    file = place / WEIGHTS_FILE if place.is_dir() else place
    try:
        stored = load_file(file)
    except (OSError, SafetensorError) as error:
        raise Refusal(f"cannot read weights from {file}: {error}.", f"Give a folder with {WEIGHTS_FILE}.") from error
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    match = match_names(stored, wanted)
    named = {match.names[name]: tensor for name, tensor in stored.items() if name in match.names}
    faults = {
        "are missing": match.missing,
        "are unknown": match.unexpected,
        "have another shape": [name for name, tensor in named.items() if tuple(tensor.shape) != wanted[name]],
        "hold NaN or infinity": [name for name, tensor in named.items() if not bool(torch.isfinite(tensor).all())],
    }
    refuse_faults(file, "Give weights that `posttrain` made for this model.", faults, match.missing or wanted)
    model.load_state_dict({name: tensor.float() for name, tensor in named.items()})


def write_checkpoint(model: Any, folder: Path) -> None:
    """Write the module's parameters into ``folder``, half precision."""
    tensors = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS_FILE)
