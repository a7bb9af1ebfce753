"""Hypothesis strategies for every type that crosses the wire."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from harness.contracts.actions import ActionSpace, Candidate, Primitive, Vector
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera, Pose, Rig
from harness.contracts.episodes import Episode
from harness.contracts.manifests import Checkpoint, ModelManifest
from harness.contracts.observations import (
    EnvironmentSpec,
    ObjectBox,
    Observation,
    ShortestPath,
    TopDownMap,
    View,
    ViewRequest,
)
from harness.contracts.rollouts import ContextView, Rollout, RolloutRequest

names = st.text(max_size=12)  # hypothesis leaves surrogates out by itself
floats = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(0.0, 1e6)
flags = st.booleans()
counts = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
vec3 = st.tuples(floats, floats, floats)
numbers = st.dictionaries(names, st.floats(allow_nan=False), max_size=3)
seconds = st.dictionaries(names, positive, max_size=3)


@st.composite
def rotations(draw: Any) -> Any:
    """Draw a unit quaternion."""
    parts = draw(st.tuples(*[st.floats(-1.0, 1.0)] * 4).filter(lambda q: sum(v * v for v in q) > 1e-3))
    length = math.sqrt(sum(part * part for part in parts))
    return tuple(part / length for part in parts)


poses = st.builds(Pose, vec3, rotations())
sides = st.integers(1, 5)
pinholes = st.builds(Camera, names, st.just(PINHOLE), sides, sides, st.floats(1.0, 179.0), floats, floats, floats)
equirects = st.builds(Camera, names, st.just(EQUIRECT), sides, sides, st.just(360.0), floats, floats, floats)
cameras = st.one_of(pinholes, equirects)
rigs = st.lists(cameras, max_size=3, unique_by=lambda camera: camera.name).map(lambda items: Rig(tuple(items)))
primitives = st.builds(Primitive, names, floats)
vectors = st.builds(Vector, names, st.lists(floats, max_size=4).map(tuple))
actions = st.one_of(primitives, vectors)
candidates = st.lists(actions, max_size=4).map(lambda items: Candidate(tuple(items)))
action_spaces = st.builds(ActionSpace, names, st.lists(primitives, max_size=3).map(tuple), st.integers(0, 256))
spaces = st.lists(action_spaces, max_size=2).map(tuple)
environment_specs = st.builds(EnvironmentSpec, names, names, rigs, spaces, names)
tags = st.lists(names, max_size=3).map(tuple)
payloads = st.dictionaries(names, st.one_of(floats, names, st.booleans(), st.lists(floats, max_size=4)), max_size=4)
payloads = payloads.map(lambda items: dict(sorted(items.items())))
episodes = st.builds(Episode, names, names, names, names, names, names, poses, counts, payloads, tags)
checkpoints = st.builds(Checkpoint, names, names, st.from_regex(r"([0-9a-f]{64})?", fullmatch=True))
manifest_settings = st.dictionaries(
    names, st.one_of(flags, st.integers(-(2**63) + 1, 2**63 - 1), floats, names), max_size=3
)
manifests = st.builds(
    ModelManifest,
    st.from_regex("[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True),
    st.text(min_size=1, max_size=12),
    st.sampled_from(["plugin", "environment", "none"]),
    st.sampled_from(["text", "camera", "numbers", "none"]),
    st.sampled_from(["panorama", "perspective"]),
    st.sampled_from(["", "module.part:Class"]),
    *[names] * 3,
    st.integers(0, 4096),
    st.integers(0, 8192),
    st.integers(0, 1024),
    flags,
    counts,
    floats,
    names,
    st.integers(0, 64),
    st.integers(1, 1024),
    flags,
    names,
    checkpoints,
    names,
    names,
    manifest_settings,
    tags,
    positive,
    names,
    checkpoints,
    positive,
)
view_requests = st.lists(st.builds(ViewRequest, names, flags, flags), max_size=3, unique_by=lambda r: r.camera)
edges = st.tuples(positive, positive, positive)
box = st.builds(ObjectBox, st.integers(0, 2**31 - 1), names, vec3, edges, rotations())
boxes = st.lists(box, max_size=3).map(tuple)
paths = st.builds(ShortestPath, positive, st.lists(vec3, max_size=3).map(tuple))


def arrays(dtype: str, *shape: int) -> Any:
    """Draw an array whose bytes follow from a drawn seed; float32 is not negative and finite."""

    def make(seed: int) -> Any:
        generator = np.random.default_rng(seed)
        if dtype == "float32":
            return generator.random(shape, np.float32) * np.float32(9.0)
        if dtype == "bool":
            return generator.random(shape) < 0.5
        info = np.iinfo(dtype)
        return generator.integers(info.min, info.max, shape, dtype, endpoint=True)

    return st.integers(0, 2**32 - 1).map(make)


@st.composite
def views(draw: Any) -> View:
    """Draw a view with or without depth and ids."""
    camera = draw(cameras)
    size = (camera.height, camera.width)
    depth = draw(st.none() | arrays("float32", *size))
    ids = draw(st.none() | arrays("int32", *size))
    return View(camera, draw(arrays("uint8", *size, 3)), depth, ids)


views_by_name = st.dictionaries(names, views(), max_size=2)
observations = st.builds(Observation, views_by_name, poses, flags, flags, numbers)
rendered = st.lists(views_by_name, max_size=3)


@st.composite
def maps(draw: Any) -> TopDownMap:
    """Draw a map of up to 6 x 6 cells."""
    rows, columns = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    return TopDownMap(draw(arrays("bool", rows, columns)), draw(st.tuples(floats, floats)), draw(st.floats(0.01, 9.0)))


@st.composite
def frame_indices(draw: Any, low: int, high: int) -> Any:
    """Draw ascending frame indices in [low, high]."""
    return tuple(sorted(draw(st.sets(st.integers(low, high)))) if high >= low else ())


@st.composite
def rollout_requests(draw: Any) -> RolloutRequest:
    """Draw a request with any of its optional parts."""
    camera, candidate = draw(cameras), draw(candidates)
    size = (camera.height, camera.width)
    context = st.builds(ContextView, arrays("uint8", *size, 3), poses)
    count = len(candidate)
    return RolloutRequest(
        draw(uint64),
        draw(uint64),
        draw(arrays("uint8", *size, 3)),
        camera,
        candidate,
        draw(frame_indices(1, count)),
        draw(st.none() | arrays("float32", *size)),
        draw(names),
        draw(st.just(()) | st.lists(poses, min_size=count, max_size=count).map(tuple)),
        tuple(draw(st.lists(context, max_size=2))),
    )


@st.composite
def rollouts(draw: Any) -> Rollout:
    """Draw a rollout or a failed one."""
    camera = draw(cameras)
    error = draw(st.just("") | names)
    frames = 0 if error else draw(st.integers(0, 4))
    rgb = draw(arrays("uint8", frames, camera.height, camera.width, 3))
    confidence = draw(st.just(()) | st.lists(st.floats(0.0, 1.0), min_size=frames, max_size=frames).map(tuple))
    return Rollout(draw(uint64), rgb, camera, confidence, draw(seconds), error)
