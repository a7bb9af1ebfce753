"""Which requests share one call of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.contracts.frame_maps import native_length
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import RolloutRequest


@dataclass(frozen=True, eq=False)
class Batch:
    """Requests for one call: the same size and the same number of generated frames."""

    requests: tuple[RolloutRequest, ...]
    frames: int


def video_length(request: RolloutRequest, manifest: ModelManifest, multiple: int) -> int:
    """Return how many frames are generated for ``request``; it depends on nothing but the request.

    The model's own length, or with a frame ``multiple`` what the candidate needs, if that is less.
    """
    longest = manifest.frames + 1
    if not multiple:
        return longest
    needed = native_length(len(request.candidate), multiple)
    return min(needed, longest) if manifest.frames else needed


def batches(
    requests: Sequence[RolloutRequest], manifest: ModelManifest, multiple: int, largest: int, one_view: bool
) -> list[Batch]:
    """Return ``requests`` in as few batches as possible.

    A batch has at most ``largest`` requests of equal size and length; with ``one_view`` all share their view, for
    pipelines that take a single image.
    """
    groups: dict[tuple[object, ...], list[RolloutRequest]] = {}
    for request in requests:
        key: tuple[object, ...] = (request.view.shape, video_length(request, manifest, multiple))
        groups.setdefault((*key, request.view.tobytes()) if one_view else key, []).append(request)
    return [
        Batch(tuple(group[start : start + largest]), video_length(group[0], manifest, multiple))
        for group in groups.values()
        for start in range(0, len(group), largest)
    ]
