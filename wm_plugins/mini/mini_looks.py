"""Other looks for the rooms of a walk, so that depth is learnt from shapes and not from the materials of one style.

What a surface looks like is changed as a function of its colour and of its place in the world, so that all views of
a walk agree: a palette turns every material into another colour, and waves through space paint stripes, checks and
blotches on some of them. The kind of augmentation is known as domain randomisation (Tobin et al., arXiv 1703.06907).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mini_network as net
import torch
from torch import Tensor

WAVES = 6
SHORTEST_M, LONGEST_M = 0.12, 3.0
"""Lengths of the waves; one that is shorter than four pixels where it is seen fades."""
PALETTE_TURNS = 2.5
"""Standard deviation of the radians that a palette turns for a colour that changes from 0 to 1."""
UNCHANGED = 0.25
"""Share of the walks that keep their looks."""


@dataclass(frozen=True, eq=False)
class Looks:
    """How the looks of B walks are changed.

    ``strength`` [B] of 0..1; ``palette`` [B, 3, 4] radians for each of red, green, blue and 1; ``vectors`` [B, W, 4]
    radians for each metre ahead, left and up, and the phase; ``edges`` [B, W], how sharp; ``paint`` [B, W, 3], colour
    added where a wave is 1; ``gates`` [B, W, 4], as the palette: which colours it paints; ``change`` [B, 3, 4], of
    all colours at the end, the last column added.
    """

    strength: Tensor
    palette: Tensor
    vectors: Tensor
    edges: Tensor
    paint: Tensor
    gates: Tensor
    change: Tensor

    def of(self, walks: Tensor) -> Looks:
        """Return those of walks [N]."""
        return Looks(**{name: part[walks] for name, part in vars(self).items()})


def drawn(count: int, strength: float, draws: torch.Generator) -> Looks:
    """Draw the looks of ``count`` walks, changed by up to ``strength`` (0: as they are; 1: any)."""
    device = draws.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=draws, device=device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=draws, device=device)

    own = strength * ((uniform() - UNCHANGED) / (1.0 - UNCHANGED)).clamp(min=0.0)
    length = SHORTEST_M * (LONGEST_M / SHORTEST_M) ** uniform(WAVES, 1)
    towards = normal(WAVES, 3)
    axis = torch.nn.functional.one_hot(towards.abs().argmax(2), 3).to(towards.dtype)
    towards = torch.where(uniform(WAVES, 1) < 0.5, axis, towards / towards.norm(dim=2, keepdim=True).clamp_min(1e-6))
    vectors = torch.cat((towards * (2.0 * math.pi / length), 2.0 * math.pi * uniform(WAVES, 1)), 2)
    palette = torch.cat((PALETTE_TURNS * normal(3, 3), 2.0 * math.pi * uniform(3, 1)), 2)
    gates = torch.cat((2.0 * PALETTE_TURNS * normal(WAVES, 3), 2.0 * math.pi * uniform(WAVES, 1)), 2)
    edges = 0.5 + 7.5 * uniform(WAVES) ** 2
    return Looks(own, palette, vectors, edges, 0.15 * normal(WAVES, 3), gates, _changes(own, draws))


def _changes(strength: Tensor, draws: torch.Generator) -> Tensor:
    """Return random changes of all colours [B, 3, 4], the last column added.

    The hue is turned by up to ``strength`` [B] times 180 degrees; saturation and contrast become up to
    e^(strength / 2) times as high or low, and all is brighter or darker by up to 0.15 ``strength``.
    """
    device = draws.device
    drawn = (torch.rand(len(strength), 4, generator=draws, device=device) * 2.0 - 1.0) * strength[:, None]
    angle, spread, contrast = math.pi * drawn[:, 0], torch.exp(0.5 * drawn[:, 1]), torch.exp(0.5 * drawn[:, 2])
    grey = torch.full((3, 3), 1.0 / 3.0, device=device)
    root = 1.0 / math.sqrt(3.0)
    cross = root * torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=device)
    across = torch.eye(3, device=device) - grey
    turned = torch.cos(angle)[:, None, None] * across + torch.sin(angle)[:, None, None] * cross
    change = contrast[:, None, None] * (grey + spread[:, None, None] * turned)
    shift = 0.5 - 0.5 * change.sum(2) + 0.15 * drawn[:, 3:]
    return torch.cat((change, shift[:, :, None]), 2)


def changed(views: Tensor, metres: Tensor, poses: Tensor, looks: Looks) -> Tensor:
    """Return views [N, 3, H, W] in 0..1 with other looks (those of each view's walk).

    ``metres`` [N, H, W] are their distances and ``poses`` [N, 3] (ahead, left, yaw) say where in the walk's world they
    were taken, so that a place looks the same from wherever it is seen.
    """
    with torch.autocast(views.device.type, enabled=False):
        metres = metres.float()
        strength = looks.strength.view(-1, 1, 1, 1)
        own = 0.5 + 0.5 * torch.sin(_linear(looks.palette, views))
        painted = views + strength * (own - views)
        waves = _waves(metres, poses, looks)
        for number in range(WAVES):
            gate = torch.sigmoid(4.0 * torch.sin(_linear(looks.gates[:, number : number + 1], views)))
            paint = looks.paint[:, number].view(-1, 3, 1, 1)
            painted = painted + strength * gate * paint * waves[:, number : number + 1]
        return (
            _linear(looks.change, painted.clamp(0.0, 1.0)).clamp(0.0, 1.0).contiguous(memory_format=torch.channels_last)
        )


def _waves(metres: Tensor, poses: Tensor, looks: Looks) -> Tensor:
    """Return the waves [N, W, H, W'] of -1..1 where the pixels of views lie in the world."""
    count, height, _ = metres.shape
    shape = metres.shape
    ahead, left, up = net.points(metres)
    ahead, left = net.placed(ahead.flatten(1), left.flatten(1), poses)
    world = torch.stack((ahead.view(shape), left.view(shape), up), 1)
    radians = _linear(looks.vectors, world)
    pixel = looks.vectors[:, :, :3].norm(dim=2).view(count, WAVES, 1, 1) * metres[:, None] * (math.pi / height)
    fade = (1.5 - pixel * (2.0 / math.pi)).clamp(0.0, 1.0)
    return fade * torch.tanh(looks.edges.view(count, WAVES, 1, 1) * torch.sin(radians))


def _linear(matrix: Tensor, planes: Tensor) -> Tensor:
    """Return planes [N, K, H, W] of ``matrix`` [N, K, 4], the last column added, times ``planes`` [N, 3, H, W]."""
    return torch.einsum("nkc,nchw->nkhw", matrix[:, :, :3], planes) + matrix[:, :, 3, None, None]
