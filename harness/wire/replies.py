"""Replies against requests: a service must answer what it was asked, in the shape that was asked for.

The codec proves that a reply is well formed; this module that it is the right one. All checks raise Refusal, which
the client reports as a `ServiceError` of the service that answered.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Set, Tuple

from harness.contracts.cameras import Camera, Pose, Rig
from harness.contracts.digest import digest, to_plain
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.field_limits import FIX_SENDER
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import Observation, View, ViewRequest
from harness.contracts.rollouts import RolloutRequest
from harness.wire.codec.messages import PROTOCOL_VERSION


def check_protocol(theirs: int, who: str) -> None:
    """Raise SpecMismatch unless the other side speaks this protocol version."""
    if theirs != PROTOCOL_VERSION:
        raise SpecMismatch(
            f"{who} speaks protocol version {theirs}, this side version {PROTOCOL_VERSION}.",
            "Use the same release of the harness on both sides.",
        )


def check_spec_digest(theirs: str, spec: Any, who: str) -> None:
    """Raise SpecMismatch if the digest that was sent is not that of the spec as it arrived."""
    ours = digest(spec)
    if theirs != ours:
        raise SpecMismatch(
            f"{who} declares spec digest {theirs or 'none'}; its fields as read here give {ours}.",
            "The two sides have different contracts: use the same release of the harness on both.",
        )


def check_expected(declared: Any, expected: Any, who: str) -> None:
    """Raise SpecMismatch with the fields of both sides that differ."""
    theirs: Dict[str, Any] = to_plain(declared)
    ours: Dict[str, Any] = to_plain(expected)
    differing = [name for name in ours if ours[name] != theirs.get(name)]
    if differing:
        sides = "; ".join(f"{name}: declared {theirs.get(name)!r}, expected {ours[name]!r}" for name in differing)
        digests = f"declares {digest(declared)[:12]}, expected is {digest(expected)[:12]}"
        raise SpecMismatch(
            f"{who} {digests}: {sides}.",
            "Start the service that the run names, or change the run.",
        )


def _check_view(view: View, request: ViewRequest, camera: Camera, where: str) -> None:
    if view.camera != camera:
        raise Refusal(f"{where} was seen by {view.camera} instead of {camera}.", FIX_SENDER)
    for channel, wanted, image in (("depth", request.depth, view.depth), ("ids", request.ids, view.ids)):
        if wanted != (image is not None):
            state = "missing" if wanted else "not asked for"
            raise Refusal(f"{where}.{channel} is {state}.", FIX_SENDER)


def check_views(views: Mapping[str, View], requests: Sequence[ViewRequest], rig: Rig, where: str) -> None:
    """Raise Refusal unless there is exactly one view a request, seen by the rig's camera, with its channels."""
    wanted = {request.camera for request in requests}
    if set(views) != wanted:
        raise Refusal(f"{where} has the views {sorted(views)} instead of {sorted(wanted)}.", FIX_SENDER)
    for request in requests:
        name = request.camera
        _check_view(views[name], request, rig.camera(name), f"{where}.{name}")


def check_observations(
    observations: List[Observation], actions: int, requests: Sequence[ViewRequest], rig: Rig
) -> None:
    """Raise Refusal unless there is one observation an action (fewer only if the last one is done)."""
    ended_early = 0 < len(observations) < actions and observations[-1].done
    if len(observations) != actions and not ended_early:
        raise Refusal(f"there are {len(observations)} observations for {actions} actions.", FIX_SENDER)
    for index, observation in enumerate(observations):
        check_views(observation.views, requests, rig, f"observations[{index}]")


def check_rendered(found: Sequence[Mapping[str, View]], poses: int, requests: Sequence[ViewRequest], rig: Rig) -> None:
    """Raise Refusal unless there are the views of every pose."""
    if len(found) != poses:
        raise Refusal(f"there are the views of {len(found)} poses instead of {poses}.", FIX_SENDER)
    for index, views in enumerate(found):
        check_views(views, requests, rig, f"render[{index}]")


def check_rollout_poses(poses: Sequence[Sequence[Pose]], frames: Sequence[Sequence[int]]) -> None:
    """Raise Refusal unless there is one pose a wanted frame of every candidate."""
    counts, wanted = [len(rollout) for rollout in poses], [len(indices) for indices in frames]
    if counts != wanted:
        raise Refusal(f"rollout_poses has {counts} poses instead of {wanted}.", FIX_SENDER)


class ExpectedRollouts:
    """The rollouts of one call: each id exactly once, each with the frames and camera that were asked for."""

    def __init__(self, frames: Mapping[int, int], cameras: Mapping[int, Sequence[Camera]]) -> None:
        self._frames = frames
        self._cameras = cameras
        self._seen: Set[int] = set()

    def accept(self, id: int, camera: Camera, frames: int, failed: bool) -> None:
        """Check the head of one rollout."""
        if id not in self._frames:
            raise Refusal(f"rollout {id} was not asked for.", FIX_SENDER)
        if id in self._seen:
            raise Refusal(f"rollout {id} came twice.", FIX_SENDER)
        self._seen.add(id)
        if not failed and frames != self._frames[id]:
            raise Refusal(f"rollout {id} has {frames} frames instead of {self._frames[id]}.", FIX_SENDER)
        if camera not in self._cameras[id]:
            wanted = " or ".join(str(allowed) for allowed in self._cameras[id])
            raise Refusal(f"rollout {id} was seen by {camera} instead of {wanted}.", FIX_SENDER)

    def finish(self) -> None:
        """Raise Refusal if a rollout has not come."""
        missing = sorted(set(self._frames) - self._seen)
        if missing:
            raise Refusal(f"rollouts {missing} are missing.", FIX_SENDER)


def expected_of_batch(requests: Sequence[RolloutRequest], manifest: ModelManifest) -> ExpectedRollouts:
    """Return what a model must answer: the request's camera, or the same camera at the model's native size."""
    cameras: Dict[int, Tuple[Camera, ...]] = {}
    for request in requests:
        camera = request.camera
        native = Camera(
            camera.name,
            camera.kind,
            manifest.height or camera.height,
            manifest.width or camera.width,
            camera.hfov_deg,
            camera.height_m,
            camera.yaw_deg,
            camera.pitch_deg,
        )
        cameras[request.id] = (camera,) if native == camera else (camera, native)
    return ExpectedRollouts({request.id: len(request.frames) for request in requests}, cameras)
