"""The networks of `mini` and `FTmini` as they are trained; the same without torch is in `mini_numbers`.

A panorama is seen in polar coordinates: column c looks along the azimuth pi - (c + 0.5) / W * 2 pi (left positive, 0
ahead), row r along the elevation (0.5 - (r + 0.5) / H) * pi. The floor is seen from above as (ahead, left) in metres
from the camera. All convolutions go round sideways and see zeros above and below, and sizes are divided by at most 16,
so that a panorama rolled by 16 of its 256 columns (22.5 degrees) gives the same features, rolled.
"""

from __future__ import annotations

import math
from typing import List, Sequence, Tuple

import torch
from mini_shapes import (
    CROP_BEHIND_M,
    CROP_CELL_M,
    CROP_CELLS,
    DEPTH_BOTTOM,
    DEPTH_WIDTHS,
    ENOUGH,
    FARTHEST_M,
    FEATURES,
    FLOOR_CHANNELS,
    FRAMES,
    LEAK,
    LEAST_LOG,
    MOST_LOG,
    MOTION_SCALE,
    NEAREST_M,
    REFINE_BOTTOM,
    REFINE_WIDTHS,
    STEP_HIDDEN,
    STEP_WIDTHS,
)
from torch import Tensor, nn
from torch.nn import functional

SHARPNESS = 8
"""How much nearer points outweigh farther ones that fall on the same pixel: (nearest / distance) ** SHARPNESS."""
FAR_AWAY = int(torch.tensor(1e9).view(torch.int32))
"""The bits of the distance of a pixel that no point is nearest to."""


class Convolution(nn.Module):  # type: ignore[misc]
    """A 3 x 3 convolution that goes round sideways (or sees zeros there too) and sees zeros above and below."""

    def __init__(self, inputs: int, outputs: int, round_sideways: bool = True, gain: float = 1.0) -> None:
        super().__init__()
        self._round_sideways = round_sideways
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=(1, 0 if round_sideways else 1))
        nn.init.normal_(self.convolution.weight, std=gain * math.sqrt(2.0 / (9 * inputs)))
        nn.init.zeros_(self.convolution.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self._round_sideways:
            x = torch.cat((x[..., -1:], x, x[..., :1]), 3)
        return self.convolution(x)  # type: ignore[no-any-return]


class Mix(nn.Module):  # type: ignore[misc]
    """A 1 x 1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 1)
        nn.init.normal_(self.convolution.weight, std=math.sqrt(1.0 / inputs))
        nn.init.zeros_(self.convolution.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x)  # type: ignore[no-any-return]


class Block(nn.Module):  # type: ignore[misc]
    """x + second(rectified(first(rectified(x)))), two convolutions; the second starts small, so that x goes through."""

    def __init__(self, channels: int, round_sideways: bool = True) -> None:
        super().__init__()
        self.first = Convolution(channels, channels, round_sideways)
        self.second = Convolution(channels, channels, round_sideways, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(rectified(self.first(rectified(x))))


def rectified(x: Tensor) -> Tensor:
    """Return ``x``, a tenth of it where it is negative."""
    return functional.leaky_relu(x, LEAK)


def halved(x: Tensor) -> Tensor:
    """Return [B, C, H, W] as [B, 4 C, H / 2, W / 2]."""
    return functional.pixel_unshuffle(x, 2)


def doubled(x: Tensor) -> Tensor:
    """Return [B, C, H, W] with every value repeated in 2 x 2 pixels."""
    batch, channels, height, width = x.shape
    wide = x[:, :, :, None, :, None].expand(batch, channels, height, 2, width, 2)
    return wide.reshape(batch, channels, 2 * height, 2 * width)


class Hourglass(nn.Module):  # type: ignore[misc]
    """A U-Net on halved images: four sizes, skips that are added, a head that gives 2 x 2 pixels a place."""

    def __init__(self, inputs: int, widths: Sequence[int], outputs: int, bottom: int, first_block: bool) -> None:
        super().__init__()
        one, two, three, four = widths
        self.stem = Convolution(4 * inputs, one)
        self.down = nn.ModuleList(
            [nn.ModuleList([Block(one)] if first_block else [])]
            + [nn.ModuleList([Mix(4 * a, b), Block(b)]) for a, b in ((one, two), (two, three))]
        )
        self.bottom = nn.ModuleList([Mix(4 * three, four), *[Block(four) for _ in range(bottom)]])
        self.up = nn.ModuleList(
            [nn.ModuleList([Mix(b, a), Block(a)]) for a, b in ((three, four), (two, three), (one, two))]
        )
        self.head = Convolution(one, 4 * outputs, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(halved(x))
        skips: List[Tensor] = []
        for number, layers in enumerate(self.down):
            x = halved(x) if number else x
            for layer in layers:  # type: ignore[attr-defined]
                x = layer(x)
            skips.append(x)
        x = halved(x)
        for layer in self.bottom:
            x = layer(x)
        for mix, block in self.up:  # type: ignore[misc]
            x = block(skips.pop() + doubled(mix(x)))
        with torch.autocast(x.device.type, enabled=False):
            return functional.pixel_shuffle(self.head(rectified(x).float()), 2)


class Steps(nn.Module):  # type: ignore[misc]
    """How far one forward of full length gets, from the floor around the body: free or not, and the way if not."""

    def __init__(self) -> None:
        super().__init__()
        one, two, three, four = STEP_WIDTHS
        self.stem = Convolution(FLOOR_CHANNELS, one, round_sideways=False)
        self.layers = nn.ModuleList(
            [
                Mix(4 * one, two), Block(two, round_sideways=False),
                Mix(4 * two, three), Block(three, round_sideways=False),
                Mix(4 * three, four),
            ]
        )  # fmt: skip
        side = CROP_CELLS // 8
        self.hidden = nn.Linear(four * side * side, STEP_HIDDEN)
        self.output = nn.Linear(STEP_HIDDEN, 3)

    def forward(self, floor: Tensor) -> Tensor:
        """Return [N, 3] for floor crops [N, C, 24, 24]: logit of a free step, and (ahead, left) of one that is not,
        as parts of the whole step."""
        x = self.stem(floor)
        for layer in self.layers:
            if isinstance(layer, Mix):
                x = halved(rectified(x))
            x = layer(x)
        x = self.hidden(rectified(x).flatten(1))
        return self.output(rectified(x))  # type: ignore[no-any-return]


class Mini(nn.Module):  # type: ignore[misc]
    """All that is learnt: depth and features of a view, how to finish a splatted one, and how the body moves.

    ``stride`` times MOTION_SCALE is how far a free forward gets as a part of its magnitude, ``turn`` times it how far a
    turn does: both 1 in a world without slip. ``drift`` [T, 3] is where a body is on average (ahead, left, yaw) after t
    frames of a walk: what is known of motion without actions.
    """

    def __init__(self) -> None:
        super().__init__()
        self.depth = Hourglass(4, DEPTH_WIDTHS, 2 + FEATURES, bottom=DEPTH_BOTTOM, first_block=True)
        self.refine = Hourglass(6 + FEATURES, REFINE_WIDTHS, 4, bottom=REFINE_BOTTOM, first_block=False)
        self.steps = Steps()
        self.stride = nn.Parameter(torch.tensor(0.5 / MOTION_SCALE))
        self.turn = nn.Parameter(torch.tensor(0.5 / MOTION_SCALE))
        self.drift = nn.Parameter(torch.zeros(FRAMES, 3))


def elevations(height: int, device: torch.device) -> Tensor:
    """Return the elevation of every row, in radians."""
    return (0.5 - (torch.arange(height, device=device) + 0.5) / height) * math.pi


def row_sines(images: Tensor) -> Tensor:
    """Return the sine of every row's elevation as an image [B, 1, H, W] for ``images`` [B, C, H, W]."""
    batch, _, height, width = images.shape
    return torch.sin(elevations(height, images.device)).view(1, 1, height, 1).expand(batch, 1, height, width)


def azimuths(width: int, device: torch.device) -> Tensor:
    """Return the azimuth of every column, in radians."""
    return math.pi - (torch.arange(width, device=device) + 0.5) / width * (2.0 * math.pi)


def seen(model: Mini, rgb: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """Return (metres [B, H, W], weight [B, H, W] in 0..1, features [B, F, H, W]) of views [B, 3, H, W] in 0..1."""
    out = model.depth(torch.cat((rgb - 0.5, row_sines(rgb)), 1))
    metres = torch.exp(out[:, 0].clamp(LEAST_LOG, MOST_LOG) + math.log(2.0))
    return metres.clamp(NEAREST_M, FARTHEST_M), torch.sigmoid(out[:, 1]), out[:, 2:]


class _Added(torch.autograd.Function):  # type: ignore[misc]
    """Values [N, C] added up at places of a flat image, in whole numbers, so that their order changes no bit."""

    SCALE = float(1 << 18)

    @staticmethod
    def forward(ctx, values: Tensor, places: Tensor, size: int) -> Tensor:  # type: ignore[no-untyped-def, override]
        ctx.save_for_backward(places)
        whole = (values * _Added.SCALE).round_().int()
        total = torch.zeros(size, values.shape[1], dtype=torch.int32, device=values.device)
        total.index_add_(0, places, whole)
        return total.to(values.dtype) / _Added.SCALE

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def, override]
        (places,) = ctx.saved_tensors
        return gradient[places], None, None


def points(metres: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """Return (ahead, left, up) [B, H, W] of every pixel of views with distances ``metres`` [B, H, W]."""
    _, height, width = metres.shape
    up, round_ = elevations(height, metres.device).view(1, -1, 1), azimuths(width, metres.device).view(1, 1, -1)
    level = metres * torch.cos(up)
    return level * torch.cos(round_), level * torch.sin(round_), metres * torch.sin(up)


def moved(ahead: Tensor, left: Tensor, pose: Tensor) -> Tuple[Tensor, Tensor]:
    """Return floor points [B, ...] of the frame in which a body stands at ``pose`` [B, 3], as that body sees them."""
    shape = (-1, *([1] * (ahead.dim() - 1)))
    x, y = ahead - pose[:, 0].view(shape), left - pose[:, 1].view(shape)
    cosine, sine = torch.cos(pose[:, 2]).view(shape), torch.sin(pose[:, 2]).view(shape)
    return cosine * x + sine * y, cosine * y - sine * x


def placed(ahead: Tensor, left: Tensor, pose: Tensor) -> Tuple[Tensor, Tensor]:
    """Return floor points [B, N] that a body at ``pose`` [B, 3] sees, in the frame that the pose is given in."""
    cosine, sine = torch.cos(pose[:, 2:3]), torch.sin(pose[:, 2:3])
    return pose[:, :1] + cosine * ahead - sine * left, pose[:, 1:2] + sine * ahead + cosine * left


def splatted(
    position: Tuple[Tensor, Tensor, Tensor], weight: Tensor, values: Tensor, height: int, width: int
) -> Tuple[Tensor, Tensor]:
    """Return (values [B, C + 1, H, W], cover [B, 1, H, W]) of points (ahead, left, up) [B, N] as seen from the origin.

    ``weight`` is [B, N] and ``values`` [B, C, N]; the channel that is added is log2 of the distance. A point is shared
    out to four pixels; at a pixel nearer points outweigh farther ones. No gradient flows to the positions.
    """
    batch, channels, count = values.shape
    with torch.no_grad():
        ahead, left, up = (part.float() for part in position)
        level = torch.sqrt(ahead * ahead + left * left)
        distance = torch.sqrt(level * level + up * up).clamp_min(0.05)
        column = (math.pi - torch.atan2(left, ahead)) * (width / (2.0 * math.pi)) - 0.5
        row = (0.5 - torch.atan2(up, level) / math.pi) * height - 0.5
        first_column, first_row = torch.floor(column), torch.floor(row)
        across, down = column - first_column, row - first_row
        offset = (torch.arange(batch, device=values.device) * (height * width)).view(-1, 1)

        def pixel(r: Tensor, c: Tensor) -> Tensor:
            return offset + r.long().clamp(0, height - 1) * width + c.long() % width

        # Distances are positive, so that their bits, read as whole numbers, have their order: the same bits everywhere.
        bits = torch.full((batch * height * width,), 2**31 - 1, dtype=torch.int32, device=values.device)
        at = pixel(torch.floor(row + 0.5), torch.floor(column + 0.5))
        bits.scatter_reduce_(0, at.view(-1), distance.contiguous().view(torch.int32).view(-1), "amin")
        nearest = torch.where(bits == 2**31 - 1, FAR_AWAY, bits).view(torch.float32)
        corners = [(below, right) for below in (0, 1) for right in (0, 1)]
        place = torch.stack([pixel(first_row + below, first_column + right) for below, right in corners], -1)
        share = torch.stack(
            [(down if below else 1.0 - down) * (across if right else 1.0 - across) for below, right in corners], -1
        )
        front = (nearest[place] / distance[..., None]).clamp(max=1.0) ** SHARPNESS
    full = torch.cat((values, torch.log2(distance).view(batch, 1, count)), 1)
    worth = (share * front) * weight[..., None]
    flat = torch.cat((full, torch.ones_like(full[:, :1])), 1).transpose(1, 2)
    spread = flat[:, :, None, :] * worth[..., None]
    total = _Added.apply(spread.reshape(-1, channels + 2), place.reshape(-1), batch * height * width)
    image = total.view(batch, height, width, channels + 2).permute(0, 3, 1, 2)
    return image[:, :-1], image[:, -1:]


def filled(sums: Tensor, cover: Tensor) -> Tensor:
    """Return ``sums`` [B, C, H, W] divided by ``cover`` [B, 1, H, W], holes filled from ever coarser means."""
    levels = [(sums, cover)]
    while levels[-1][0].shape[-2] > 1:
        levels.append(tuple(functional.avg_pool2d(part, 2) for part in levels[-1]))  # type: ignore[arg-type]
    coarse = levels[-1][0] / levels[-1][1].clamp_min(1e-6)
    for part, weight in reversed(levels[:-1]):
        coarse = (part + ENOUGH * doubled(coarse)) / (weight + ENOUGH)
    return coarse


def floor_map(ahead: Tensor, left: Tensor, up: Tensor, camera_height_m: float, cells: int) -> Tensor:
    """Return what lies around a camera, seen from above: [B, 3, cells, cells], ahead first, 5 cm a cell.

    Channels: things up to 0.4 m above the floor, things from there to 1.6 m, and the floor itself; each
    min(1, points / 4) of points [B, N].
    """
    batch = ahead.shape[0]
    height = up + camera_height_m
    row = torch.floor(ahead / CROP_CELL_M).long() + cells // 2
    column = torch.floor(left / CROP_CELL_M).long() + cells // 2
    inside = (row >= 0) & (row < cells) & (column >= 0) & (column < cells)
    channel = torch.full_like(row, -1)
    channel[(height > -0.15) & (height <= 0.07)] = 2
    channel[(height > 0.07) & (height <= 0.4)] = 0
    channel[(height > 0.4) & (height <= 1.6)] = 1
    kept = inside & (channel >= 0)
    batch_index = torch.arange(batch, device=ahead.device).view(-1, 1).expand_as(row)
    place = ((batch_index * FLOOR_CHANNELS + channel) * cells + row) * cells + column
    count = torch.zeros(batch * FLOOR_CHANNELS * cells * cells, dtype=torch.long, device=ahead.device)
    count.index_add_(0, place[kept], torch.ones_like(place[kept]))
    return (count.view(batch, FLOOR_CHANNELS, cells, cells).float() / 4.0).clamp(max=1.0)


def crops(floor: Tensor, pose: Tensor) -> Tensor:
    """Return [N, C, 24, 24] of ``floor`` [N, C, S, S] around bodies at ``pose`` [N, 3], rows ahead, columns left."""
    cells = floor.shape[-1]
    along = (torch.arange(CROP_CELLS, device=floor.device) + 0.5) * CROP_CELL_M
    ahead = (along - CROP_BEHIND_M).view(1, -1, 1)
    left = (along - CROP_CELLS * CROP_CELL_M / 2.0).view(1, 1, -1)
    cosine, sine = torch.cos(pose[:, 2]).view(-1, 1, 1), torch.sin(pose[:, 2]).view(-1, 1, 1)
    row = (pose[:, 0].view(-1, 1, 1) + cosine * ahead - sine * left) / CROP_CELL_M + cells // 2 - 0.5
    column = (pose[:, 1].view(-1, 1, 1) + sine * ahead + cosine * left) / CROP_CELL_M + cells // 2 - 0.5
    scale = 2.0 / cells
    grid = torch.stack(((column + 0.5) * scale - 1.0, (row + 0.5) * scale - 1.0), -1)
    return functional.grid_sample(floor, grid, align_corners=False, padding_mode="zeros")
