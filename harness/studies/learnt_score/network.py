"""The network of the learnt score as it is trained; `tasks.ignav.scores.learnt_network` runs it without torch."""

from __future__ import annotations

from typing import Any, Dict, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.ignav.scores.learnt_kernels import HEADINGS, WINDOW
from tasks.ignav.scores.learnt_network import STRIDES

BINS = 24
PRIOR_FROM_M = 3.5
PRIOR_FALL_PER_M = 1.0
"""What is far has to be shown: beyond 3.5 m a distance counts as e times less likely for each further metre.

Training draws far pairs more often than a decision meets them, so an unsure network guesses too far. Both numbers were
chosen on the validation homes 0 to 7.
"""
FARTHEST_M = 6.0
"""Farther places count as this far: goals lie within 4 m, and mass on distances beyond would only blur nearer ones."""
WIDTHS = (24, 48, 48, 64, 64, 64)
WINDOW_CHANNELS = 64
HEADING_SIZE = 128
HEADS = 4
SUMMARY = 64
HIDDEN = 256


class Encoder(nn.Module):  # type: ignore[misc]
    """Convolutions with batch norm and ReLU, stride 8; those that keep the shape add to their input.

    Rows beyond the image repeat its edge; columns too, or they wrap around (``circular``). Borders are made by
    concatenation, whose gradient is fast and reproducible.
    """

    def __init__(self, circular: bool) -> None:
        super().__init__()
        self.circular = circular
        inputs = (3, *WIDTHS[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, 3 if number else 5, stride, bias=False)
            for number, (i, o, stride) in enumerate(zip(inputs, WIDTHS, STRIDES))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in WIDTHS)

    def forward(self, image: Tensor) -> Tensor:
        """Return features [B, C, H / 8, W / 8] of images [B, 3, H, W] in -0.5..0.5."""
        features = image
        for convolution, norm in zip(self.convolutions, self.norms):
            padded = self._padded(features, convolution.kernel_size[0] // 2)
            out = functional.relu(norm(convolution(padded)))
            features = out + features if out.shape == features.shape else out
        return features

    def _padded(self, x: Tensor, border: int) -> Tensor:
        if self.circular:
            x = torch.cat([x[..., -border:], x, x[..., :border]], 3)
        else:
            x = torch.cat([x[..., :1].expand(-1, -1, -1, border), x, x[..., -1:].expand(-1, -1, -1, border)], 3)
        rows = (x[:, :, :1].expand(-1, -1, border, -1), x, x[:, :, -1:].expand(-1, -1, border, -1))
        return torch.cat(rows, 2)


class DistanceNetwork(nn.Module):  # type: ignore[misc]
    """Goal and panorama in, logits over `BINS` distances out; 0.6 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        channels = WIDTHS[-1]
        self.panorama = Encoder(circular=True)
        self.goal = Encoder(circular=False)
        # A 1 x 1 convolution of (panorama, goal, their product), split so that the panorama's part is done once.
        self.window_from_panorama = nn.Conv2d(channels, WINDOW_CHANNELS, 1, bias=False)
        self.window_from_goal = nn.Conv2d(channels, WINDOW_CHANNELS, 1)
        self.window_from_product = nn.Conv2d(channels, WINDOW_CHANNELS, 1, bias=False)
        self.window_convolutions = nn.ModuleList(nn.Conv2d(WINDOW_CHANNELS, WINDOW_CHANNELS, 3, 2, 1) for _ in range(2))
        self.heading = nn.Linear(WINDOW_CHANNELS * 4, HEADING_SIZE)
        self.attention = nn.Linear(HEADING_SIZE, HEADS)
        self.goal_summary = nn.Linear(channels, SUMMARY)
        self.panorama_summary = nn.Linear(2 * channels, SUMMARY)
        self.hidden = nn.Linear(HEADING_SIZE * (HEADS + 1) + 3 * SUMMARY, HIDDEN)
        self.output = nn.Linear(HIDDEN, BINS)
        self.register_buffer("distances_m", FARTHEST_M * torch.linspace(0.0, 1.0, BINS) ** 1.5)

    def forward(self, goals: Tensor, panoramas: Tensor) -> Tensor:
        """Return logits [G, P, bins] of goals [G, 3, 64, 64] against their panoramas [G, P, 3, 64, 256]."""
        each = panoramas.shape[1]
        goal = self.goal(goals).repeat_interleave(each, 0)
        panorama = self.panorama(panoramas.flatten(0, 1))
        found = self._at_headings(goal, panorama)
        shares = torch.softmax(self.attention(found), 1)
        attended = (shares.transpose(1, 2) @ found).flatten(1)
        wanted = self.goal_summary(goal.mean((2, 3)))
        here = self.panorama_summary(torch.cat([panorama.mean((2, 3)), panorama.amax((2, 3))], 1))
        joined = torch.cat([attended, found.amax(1), wanted, here, wanted * here], 1)
        return self.output(functional.relu(self.hidden(joined))).unflatten(0, (-1, each))

    def _at_headings(self, goal: Tensor, panorama: Tensor) -> Tensor:
        """Return [B, 16, D]: what comparing the goal with the panorama's window gives at each heading."""
        windows = _windows(panorama)
        product = self.window_from_product((windows * goal[:, None]).flatten(0, 1))
        here = _windows(self.window_from_panorama(panorama)).flatten(0, 1)
        wanted = self.window_from_goal(goal).repeat_interleave(HEADINGS, 0)
        compared = functional.relu(product + here + wanted)
        for convolution in self.window_convolutions:
            compared = functional.relu(convolution(compared))
        return functional.relu(self.heading(compared.flatten(1))).unflatten(0, (-1, HEADINGS))

    def distance(self, logits: Tensor) -> Tensor:
        """Return the mean distance in metres under the logits: what training fits."""
        return (torch.softmax(logits.float(), -1) * self.distances_m).sum(-1)

    def decided(self, logits: Tensor) -> Tensor:
        """Return the mean distance in metres under the logits and the prior: what the score plays with."""
        return self.distance(logits.float() - prior(self.distances_m))


def prior(distances_m: Tensor) -> Tensor:
    """Return what is taken from the logits of ``distances_m`` because distances beyond a goal's reach are rarer."""
    return PRIOR_FALL_PER_M * (distances_m - PRIOR_FROM_M).clamp(min=0.0)


def _windows(features: Tensor) -> Tensor:
    """Return [B, 16, C, H, 8]: the columns of ``features`` [B, C, H, W] around each heading, wrapping around."""
    wrapped = torch.cat([features[..., -WINDOW // 2 :], features, features[..., : WINDOW // 2]], 3)
    step = features.shape[3] // HEADINGS
    return wrapped.unfold(3, WINDOW, step)[:, :, :, :HEADINGS].permute(0, 3, 1, 2, 4)


def exported(network: DistanceNetwork) -> Dict[str, npt.NDArray[Any]]:
    """Return the tensors that the score reads, float32; batch norms and the prior are folded into the layers before."""
    state = {name: tensor.detach().double().cpu() for name, tensor in network.state_dict().items()}
    tensors = {name: tensor for name, tensor in state.items() if not name.startswith(("panorama.", "goal."))}
    tensors["output.bias"] = tensors["output.bias"] - prior(tensors["distances_m"])
    for encoder in ("panorama", "goal"):
        for number in range(len(STRIDES)):
            norm = f"{encoder}.norms.{number}."
            epsilon = getattr(network, encoder).norms[number].eps
            scale = state[norm + "weight"] / torch.sqrt(state[norm + "running_var"] + epsilon)
            weight = state[f"{encoder}.convolutions.{number}.weight"]
            tensors[f"{encoder}.{number}.weight"] = weight * scale[:, None, None, None]
            tensors[f"{encoder}.{number}.bias"] = state[norm + "bias"] - state[norm + "running_mean"] * scale
    return {name: tensor.numpy().astype(np.float32) for name, tensor in tensors.items()}


def parameter_count(tensors: Sequence[npt.NDArray[Any]]) -> int:
    """Return how many numbers the exported tensors hold."""
    return sum(int(tensor.size) for tensor in tensors)
