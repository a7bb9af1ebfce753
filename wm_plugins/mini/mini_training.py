"""How `mini` and `FTmini` are trained: pairs of views of a walk, from one of which the other is imagined.

From the first view come depth, features and the floor plan; the points are moved to where the second view was taken,
splatted and finished. While it is trained the true motion is used, so that errors of motion do not teach blur, and
motion is learnt beside it: how far an action leads (`FTmini`), or where bodies are on average after so many frames
(`mini`). Where nothing is trained (`module().eval()`) the motion is the model's own, so that the loss tells whether
actions are used.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar, Dict, FrozenSet, Mapping, Optional, Tuple

import mini_looks
import mini_network as net
import numpy as np
import torch
from mini_checkpoint import read_checkpoint, write_checkpoint
from mini_losses import depth_loss, image_loss, rows_weighted, spread_loss, unlike
from mini_shapes import CONTEXT_WEIGHT, FLOOR_CELLS, FRAMES, MOTION_SCALE
from torch import Tensor
from torch.nn import functional

from harness.contracts.action_numbers import motions
from harness.contracts.cameras import EQUIRECT, quaternion_to_yaw
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest, Setting
from harness.contracts.training import COLLIDED, DEPTH, POSES, ActionUse, Trainee, TrainingClip

FREE_PART = 0.95
"""A forward that gets at least this far of its length was free."""
STEPS_LEARNT = 6
"""Forwards of a walk, counted from the view, that the floor plan is asked about."""

OUT_OF_SIGHT_M = 1000.0
"""Where the points of an earlier view go that a pair does not use: on no floor plan, and behind everything."""
Cloud = Tuple[Tensor, Tensor, Tensor]
"""Points (ahead, left, up) [B, N] around the first views."""

DEFAULTS: Mapping[str, Setting] = {
    "actions": True,
    "depth_supervision": True,
    "blocked_steps": True,
    "context": 0.5,
    "targets": 2,
    "photometric": 0.2,
    "looks": 0.0,
}
"""`actions`: learn what actions do; off, only where bodies are on average. `depth_supervision`: compare depth with the
data's; off, it is learnt from how views resemble one another when moved. `blocked_steps`: learn where forwards are
blocked. `context`: share of the batches in which an earlier view is given too. `targets`: views imagined from one.
`photometric`: weight of the likeness of moved views, by which depth is learnt without data of it. `looks`: how far
the colours and patterns of a walk's surfaces are changed (`mini_looks`; 0: as they are), so that a room is known by its
shape."""


class MiniTrainee(Trainee):
    """The trainee of both models; the recipe's ``[settings]`` say which."""

    needs: ClassVar[FrozenSet[str]] = frozenset({POSES, DEPTH, COLLIDED})

    def __init__(
        self, manifest: ModelManifest, settings: Mapping[str, Setting], weights: Optional[Path], device: Any, seed: int
    ) -> None:
        unknown = sorted(set(settings) - set(DEFAULTS))
        if unknown:
            raise Refusal(f"mini knows no setting {unknown[0]!r}.", f"Known: {', '.join(sorted(DEFAULTS))}.")
        self._set = {**DEFAULTS, **settings}
        if not 0.0 <= float(self._set["looks"]) <= 1.0:
            raise Refusal(f"looks is {self._set['looks']}.", "Give a number from 0, as they are, to 1, any looks.")
        self._height_m = float(manifest.settings.get("camera_height_m", 1.25))
        torch.manual_seed(seed)
        torch.backends.cudnn.deterministic = True
        self._model = net.Mini()
        if weights is not None:
            read_checkpoint(self._model, weights)
        self._model.to(device, memory_format=torch.channels_last)

    def prepare(self, clip: TrainingClip) -> Mapping[str, Any]:
        """Return uint8 views [T, 3, H, W] and float16 metres [T, H, W] with poses [T, 3] (ahead, left, yaw in radians),
        and motions [T - 1, 2] (metres ahead, yaw in radians) with whether each was blocked."""
        if clip.camera.kind != EQUIRECT:
            raise Refusal(f"clip {clip.name} was seen by a {clip.camera.kind} camera.", "Collect with --camera pano.")
        assert clip.depth is not None and clip.collided is not None
        if clip.frames.shape[0] > FRAMES:
            raise Refusal(f"a clip has {clip.frames.shape[0]} frames.", f"Set data.frames to at most {FRAMES}.")
        poses = [[-p.position[2], -p.position[0], math.radians(quaternion_to_yaw(p.rotation))] for p in clip.poses]
        told = [[ahead, math.radians(yaw)] for ahead, _, yaw in motions(clip.actions)]
        return {
            "views": torch.from_numpy(np.ascontiguousarray(clip.frames.transpose(0, 3, 1, 2))),
            "metres": torch.from_numpy(clip.depth).half(),
            "poses": torch.tensor(poses, dtype=torch.float32),
            "motions": torch.tensor(told, dtype=torch.float32).reshape(-1, 2),
            "blocked": torch.from_numpy(clip.collided.copy()),
        }

    def module(self) -> net.Mini:
        """Return all networks."""
        return self._model

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`, half precision."""
        write_checkpoint(self._model, folder)

    def loss(self, batch: Mapping[str, Any], use: ActionUse, draws: Any) -> Mapping[str, Any]:
        """Return the loss of one pair of views a clip (and target), and its parts."""
        pairs = _Pairs(batch, draws, int(self._set["targets"]), float(self._set["context"]))
        if self._model.training and self._set["looks"]:
            pairs.change_looks(mini_looks.drawn(pairs.batch, float(self._set["looks"]), draws))
        told = batch["motions"].roll(1, 0) if use is ActionUse.SHUFFLED else batch["motions"]
        metres, weight, features = net.seen(self._model, pairs.sources)
        parts: Dict[str, Tensor] = {}
        if self._set["depth_supervision"]:
            parts["depth"] = depth_loss(metres, pairs.metres)
        cloud = _cloud(pairs, metres.detach())
        floor = net.floor_map(*cloud, self._height_m, FLOOR_CELLS)
        if self._model.training:
            poses = pairs.target_poses
            parts.update(self._motion_losses(batch, pairs, floor))
        else:
            poses = self._own_poses(pairs, told, floor, use)
        likeness = float(self._set["photometric"]) if self._set["depth_supervision"] else 1.0
        if likeness:
            parts["photometric"] = likeness * photometric_loss(pairs, metres)
        image, spread = self._imagined(pairs, cloud, weight, features, poses)
        parts["image"] = image_loss(image, pairs.target_views)
        parts["spread"] = 0.01 * spread_loss(image.detach(), pairs.target_views, spread)
        total = torch.stack(list(parts.values())).sum() if self._model.training else parts["image"]
        return {"loss": total, **{name: part.detach() for name, part in parts.items()}}

    def _imagined(
        self, pairs: _Pairs, cloud: Cloud, weight: Tensor, features: Tensor, poses: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """Return (views [N, 3, H, W] in 0..1, logarithm of their expected error [N, 1, H, W])."""
        height, width = weight.shape[-2:]
        values = torch.cat((pairs.sources, features), 1).flatten(2).float()
        weights = weight.flatten(1).float()
        if pairs.context is not None:
            values = pairs.beside(values, 2)
            used = torch.cat((torch.ones_like(pairs.context), pairs.context * CONTEXT_WEIGHT))
            weights = pairs.beside(weights * used[:, None], 1)
        ahead, left, up, weights, values = (_repeated(part, pairs.targets) for part in (*cloud, weights, values))
        x, y = net.moved(ahead, left, poses)
        sums, cover = net.splatted((x, y, up), weights, values, height, width)
        return finished(self._model, sums, cover)

    def _motion_losses(self, batch: Mapping[str, Tensor], pairs: _Pairs, floor: Tensor) -> Dict[str, Tensor]:
        """Return how wrong the learnt motion is: of actions, or of bodies on average."""
        if not self._set["actions"]:
            wrong = pairs.target_poses - self._model.drift[pairs.frames_between()]
            return {"drift": 0.1 * wrong.abs().mean()}
        told, true = batch["motions"], batch["poses"]
        ahead, _, turned = _steps_of(true)
        forward, turning = told[..., 0] > 0.0, told[..., 1] != 0.0
        free = forward & ~batch["blocked"].bool()
        stride = functional.smooth_l1_loss(self._stride() * told[..., 0][free], ahead[free], beta=0.01)
        turn = functional.smooth_l1_loss(self._turn() * told[..., 1][turning], turned[turning], beta=0.01)
        parts = {"motion": torch.nan_to_num(stride) + torch.nan_to_num(turn)}
        if self._set["blocked_steps"]:
            parts["blocked"] = self._blocked_loss(batch, pairs, floor)
        return parts

    def _blocked_loss(self, batch: Mapping[str, Tensor], pairs: _Pairs, floor: Tensor) -> Tensor:
        """Return how badly the floor plan tells which of the next forwards are blocked, and how far they get."""
        told, true = batch["motions"], batch["poses"]
        ahead, left, _ = _steps_of(true)
        clips, steps = pairs.next_steps(told.shape[1], STEPS_LEARNT)
        forward = told[clips, steps, 0] > 0.0
        clips, steps = clips[forward], steps[forward]
        start = relative(true[clips, steps], pairs.source_poses[clips])
        out = self._model.steps(net.crops(floor[clips], start)).float()
        length = told[clips, steps, 0]
        part = torch.stack((ahead[clips, steps], left[clips, steps]), 1) / length[:, None]
        free = (part[:, 0] > FREE_PART).float()
        known = functional.binary_cross_entropy_with_logits(out[:, 0], free)
        way = ((out[:, 1:] - part).abs().sum(1) * (1.0 - free)).sum() / (1.0 - free).sum().clamp_min(1.0)
        return 0.2 * (known + way)

    def _stride(self) -> Tensor:
        return self._model.stride * MOTION_SCALE

    def _turn(self) -> Tensor:
        return self._model.turn * MOTION_SCALE

    def _own_poses(self, pairs: _Pairs, told: Tensor, floor: Tensor, use: ActionUse) -> Tensor:
        """Return where the model itself believes that the second views are."""
        if use is ActionUse.NONE or not self._set["actions"]:
            return self._model.drift[pairs.frames_between()].detach()
        repeat = pairs.targets
        pose = torch.zeros(pairs.batch, 3, device=told.device)
        ends = torch.zeros(pairs.batch * repeat, 3, device=told.device)
        rows = torch.arange(pairs.batch, device=told.device)
        for step in range(told.shape[1]):
            at = pairs.source + step
            inside = at < told.shape[1]
            pose = torch.where(
                inside[:, None], self._after(pose, told[rows, at.clamp(max=told.shape[1] - 1)], floor), pose
            )
            reached = (pairs.target == (at + 1).repeat_interleave(repeat))[:, None]
            ends = torch.where(reached, pose.repeat_interleave(repeat, 0), ends)
        backwards = (pairs.target < pairs.source.repeat_interleave(repeat))[:, None]
        return torch.where(backwards, pairs.target_poses, ends)

    def _after(self, pose: Tensor, told: Tensor, floor: Tensor) -> Tensor:
        """Return the pose after one action [B, 2], with what blocks it."""
        length = told[:, :1] * self._stride().detach()
        way = torch.cat((torch.ones_like(length), torch.zeros_like(length)), 1)
        if self._set["blocked_steps"]:
            out = self._model.steps(net.crops(floor, pose)).float()
            way = torch.where(out[:, :1] > 0.0, way, out[:, 1:].clamp(-1.0, 1.0))
        ahead, left = (way * length).unbind(1)
        cosine, sine = torch.cos(pose[:, 2]), torch.sin(pose[:, 2])
        yaw = pose[:, 2] + told[:, 1] * self._turn().detach()
        return torch.stack(
            (pose[:, 0] + cosine * ahead - sine * left, pose[:, 1] + sine * ahead + cosine * left, yaw), 1
        )


class _Pairs:
    """Which view of each clip is the first, which are imagined from it, and which earlier one is given as well."""

    def __init__(self, batch: Mapping[str, Tensor], draws: torch.Generator, targets: int, context: float) -> None:
        views, poses = batch["views"], batch["poses"]
        self.batch, frames = views.shape[:2]
        self.targets = targets
        device = views.device

        def draw(count: int) -> Tensor:
            return torch.rand(count, generator=draws, device=device)

        rows = torch.arange(self.batch, device=device)
        self.source = (draw(self.batch) * (frames - 1)).long()
        offset = 1 + (draw(self.batch * targets) * (frames - 1)).long()
        self.target = (self.source.repeat_interleave(targets) + offset) % frames
        self.source_poses = poses[rows, self.source]
        several = rows.repeat_interleave(targets)
        self.target_poses = relative(poses[several, self.target], self.source_poses[several])
        self.target_views = _floats(views[several, self.target])
        self._target_metres = batch["metres"][several, self.target]
        self.rows = rows
        first, metres = views[rows, self.source], batch["metres"][rows, self.source].float()
        self.context: Optional[Tensor] = None
        if bool(draw(1) < context):
            other = (draw(self.batch) * frames).long()
            self.context = (other != self.source).float()
            clash = (other.repeat_interleave(targets) == self.target).view(self.batch, targets).any(1)
            self.context = self.context * (~clash).float()
            self.context_poses = relative(poses[rows, other], self.source_poses)
            first = torch.cat((first, views[rows, other]))
            metres = torch.cat((metres, batch["metres"][rows, other].float()))
        self.sources = _floats(first)
        self.metres = metres

    def change_looks(self, looks: mini_looks.Looks) -> None:
        """Change the looks of every walk's views, and of what is imagined of it."""
        walks, here = self.rows, torch.zeros_like(self.source_poses)
        if self.context is not None:
            walks, here = torch.cat((walks, walks)), torch.cat((here, self.context_poses))
        self.sources = mini_looks.changed(self.sources, self.metres, here, looks.of(walks))
        several = self.rows.repeat_interleave(self.targets)
        self.target_views = mini_looks.changed(
            self.target_views, self._target_metres, self.target_poses, looks.of(several)
        )

    def beside(self, part: Tensor, along: int) -> Tensor:
        """Return [2 B, ...] of first and earlier views as [B, ...], the earlier ones after the first along an axis."""
        return torch.cat((part[: self.batch], part[self.batch :]), along)

    def frames_between(self) -> Tensor:
        """Return how many frames lie between first and imagined view, 0 where the latter is earlier."""
        return (self.target - self.source.repeat_interleave(self.targets)).clamp_min(0)

    def next_steps(self, steps: int, count: int) -> Tuple[Tensor, Tensor]:
        """Return (clip, step) of the ``count`` actions after each first view, those that exist."""
        at = self.source[:, None] + torch.arange(count, device=self.source.device)
        clips = self.rows[:, None].expand_as(at)
        inside = at < steps
        return clips[inside], at[inside]


def relative(pose: Tensor, origin: Tensor) -> Tensor:
    """Return poses [N, 3] as bodies at ``origin`` [N, 3] see them; yaw in -pi..pi."""
    ahead, left = net.moved(pose[:, 0], pose[:, 1], origin)
    yaw = torch.remainder(pose[:, 2] - origin[:, 2] + math.pi, 2.0 * math.pi) - math.pi
    return torch.stack((ahead, left, yaw), 1)


def _cloud(pairs: _Pairs, metres: Tensor) -> Cloud:
    """Return the points around the first view of each pair: its own, and those of the earlier view beside it."""
    ahead, left, up = (part.flatten(1) for part in net.points(metres.float()))
    if pairs.context is None:
        return ahead, left, up
    batch = pairs.batch
    ahead_c, left_c = net.placed(ahead[batch:], left[batch:], pairs.context_poses)
    far = (1.0 - pairs.context[:, None]) * OUT_OF_SIGHT_M
    return torch.cat((ahead[:batch], ahead_c + far), 1), torch.cat((left[:batch], left_c), 1), pairs.beside(up, 1)


def _steps_of(poses: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """Return (ahead, left, yaw) [B, T - 1] of each step of walks [B, T, 3]."""
    batch, frames, _ = poses.shape
    step = relative(poses[:, 1:].reshape(-1, 3), poses[:, :-1].reshape(-1, 3)).view(batch, frames - 1, 3)
    return step[..., 0], step[..., 1], step[..., 2]


def _repeated(part: Tensor, times: int) -> Tensor:
    """Return [B, ...] with every item ``times`` times in a row; its gradient is a sum in a fixed order."""
    return part[:, None].expand(part.shape[0], times, *part.shape[1:]).reshape(-1, *part.shape[1:])


def _floats(views: Tensor) -> Tensor:
    return (views.float() / 255.0).contiguous(memory_format=torch.channels_last)


def finished(model: net.Mini, sums: Tensor, cover: Tensor) -> Tuple[Tensor, Tensor]:
    """Return (views, logarithm of their expected error) of splatted values: holes filled, then refined."""
    base = net.filled(sums, cover)
    colours, rest = base[:, :3], base[:, 3:]
    given = torch.cat((colours - 0.5, rest, cover.clamp(max=1.0), net.row_sines(base)), 1)
    out = model.refine(given.contiguous(memory_format=torch.channels_last))
    return colours + out[:, :3], out[:, 3:]


def photometric_loss(pairs: _Pairs, metres: Tensor) -> Tensor:
    """Return how unlike the first views are to the second ones, looked up where the depth says that they show the same.

    The gradient flows to the depth through where it is looked up; what is hidden in the second view is left to be an
    outlier of the absolute error.
    """
    repeat = pairs.targets
    ahead, left, up = (_repeated(part[: pairs.batch], repeat) for part in net.points(metres.float()))
    x, y = net.moved(ahead, left, pairs.target_poses)
    level = torch.sqrt(x * x + y * y + 1e-6)
    column = -torch.atan2(y, x) / math.pi
    row = -torch.atan2(up, level) * (2.0 / math.pi)
    padded = torch.cat((pairs.target_views[..., -1:], pairs.target_views, pairs.target_views[..., :1]), -1)
    width = pairs.target_views.shape[-1]
    grid = torch.stack((column * (width / (width + 2)), row), -1)
    found = functional.grid_sample(padded, grid, align_corners=False, padding_mode="border")
    true = pairs.sources[: pairs.batch].repeat_interleave(repeat, 0)
    error = (found - true).abs().mean(1, keepdim=True) + 0.5 * unlike(found, true).mean(1, keepdim=True)
    return rows_weighted(error.clamp(max=0.4))
