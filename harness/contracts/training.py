"""Post-training: what a family implements so that its models can be trained by the harness, and what it is handed.

Tensors and modules are torch's; their types are `Any`, because contracts are imported where torch is not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, FrozenSet, Mapping, Optional, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import Action
from harness.contracts.cameras import Camera, Pose
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest, Setting
from harness.contracts.observations import RGB

ACTIONS, POSES, COLLIDED, DEPTH = "actions", "poses", "collided", "depth"
NEEDS = (ACTIONS, POSES, COLLIDED, DEPTH)
"""What data may hold beside frames, and a trainee may need."""

LOSS = "loss"
"""The key of what `Trainee.loss` has minimised."""


class ActionUse(Enum):
    """Which actions a loss is computed with.

    CORRECT: the clip's own; SHUFFLED: those of another clip of the batch; NONE: what the model is told where nobody
    says an action (its null action, zeros, or an empty prompt).
    """

    CORRECT = "correct"
    SHUFFLED = "shuffled"
    NONE = "none"


@dataclass(frozen=True, eq=False)
class TrainingClip:
    """A window of consecutive frames of one walk or demonstration.

    ``name`` says where it is from, uniquely in its data. ``frames`` is uint8 [T, H, W, 3], seen by ``camera``.
    ``actions`` has T - 1 items: action t leads from frame t to frame t + 1. ``poses`` has T items, relative to the
    first frame (x right, y up, z back). ``collided`` [T - 1] says which actions were blocked or slid. ``depth`` is
    float32 [T, H, W] in metres, 0 where nothing was hit. Poses and actions are () and the others None where the data
    do not hold them. ``prompt`` is what a model that reads text is told of all the actions, made by the template and
    the length of plan of its own manifest, as in use; "" for other models.
    """

    name: str
    frames: RGB
    camera: Camera
    actions: Tuple[Action, ...] = ()
    poses: Tuple[Pose, ...] = ()
    collided: Optional[npt.NDArray[np.bool_]] = None
    depth: Optional[npt.NDArray[np.float32]] = None
    prompt: str = ""


@dataclass(frozen=True)
class Adapter:
    """Low-rank additions to layers whose own weights stay as they are: ``alpha / rank`` times the product of two.

    ``targets`` are the last parts of the layers' names, such as ``to_q``.
    """

    rank: int
    alpha: float
    targets: Tuple[str, ...]


class Trainee(ABC):
    """A model as it is trained. One is constructed a process, as ``cls(manifest, settings, weights, device, seed)``.

    ``manifest`` is that of the model that comes out, ``settings`` the recipe's table of that name (the trainee checks
    it and raises Refusal), ``weights`` the file or folder of the base's weights, or None for random ones of the
    declared size, drawn from ``seed``. ``device`` is a torch device.
    """

    needs: ClassVar[FrozenSet[str]] = frozenset({ACTIONS})
    """What clips have to hold, of `NEEDS`; data without them are refused by name."""

    @abstractmethod
    def __init__(
        self, manifest: ModelManifest, settings: Mapping[str, Setting], weights: Optional[Path], device: Any, seed: int
    ) -> None:
        """Build the model on ``device``."""

    @abstractmethod
    def prepare(self, clip: TrainingClip) -> Mapping[str, Any]:
        """Return what is kept of a clip, as CPU tensors: done once a clip, in any order, equal for equal clips.

        Every clip gives the same keys, dtypes and shapes, so that clips can be stacked.
        """

    def adapt(self, adapter: Adapter) -> None:
        """Train ``adapter`` instead of the whole part; called at most once, before everything else."""
        raise Refusal(f"{type(self).__name__} takes no adapter.", "Leave [adapter] out of the recipe.")

    def restore_adapter(self, folder: Path) -> None:
        """Take the adapter that `save` wrote to ``folder``, all of it or Refusal; called after `adapt`."""
        raise Refusal(
            f"{type(self).__name__} cannot take an adapter that was saved.",
            "What was found when it was trained stands in its card.",
        )

    def checkpoint_gradients(self) -> None:
        """Compute activations again in the backward pass instead of keeping them; called before the first `loss`."""
        raise Refusal(
            f"{type(self).__name__} cannot compute activations again.", "Set training.gradient_checkpointing=false."
        )

    @abstractmethod
    def module(self) -> Any:
        """Return the trained part (torch.nn.Module): its parameters with ``requires_grad`` are optimised."""

    @abstractmethod
    def loss(self, batch: Mapping[str, Any], use: ActionUse, draws: Any) -> Mapping[str, Any]:
        """Return scalars: ``loss`` is minimised, other keys are parts of it that are logged.

        ``batch`` holds prepared clips stacked along a new first axis on the device. Every random number comes from
        ``draws``, a torch.Generator of the device, so that equal draws give the same noise for every ``use``. The
        trained part is called as `module` returned it, also in parallel training: what exchanges gradients is around
        this method.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what ``--weights FOLDER`` of this model accepts (safetensors) into an empty folder, but no card."""
