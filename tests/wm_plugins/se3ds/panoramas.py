"""What the tests of SE3DS and Pathdreamer ask: a panorama with depth, and the poses of a walk."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.contracts.actions import Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.manifests import RANDOM, ModelManifest
from harness.contracts.observations import RGB, Depth
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.runtimes.process import start_process
from harness.runtimes.service import ServiceLimits
from harness.wire.client import WorldModelClient
from harness.wire.host import load_class
from harness.worldmodels.catalog import CatalogEntry, load_catalog
from harness.worldmodels.conditioning import relative_poses

LIBRARIES = Path(__file__).parent / "standin" / "libraries"
HEIGHT, WIDTH = 36, 64
PANO = Camera("pano", EQUIRECT, HEIGHT, WIDTH, 360.0, 1.25)
AHEAD, LEFT, RIGHT = Primitive("forward", 0.2), Primitive("turn_left", 22.5), Primitive("turn_right", 22.5)


def view() -> RGB:
    """Return a panorama of patches, large enough to survive a resize."""
    patches = np.random.default_rng(4).integers(60, 250, (9, 16, 3))
    return np.kron(patches, np.ones((4, 4, 1))).astype(np.uint8)


def depth(metres: float = 3.0) -> Depth:
    return np.full((HEIGHT, WIDTH), metres, np.float32)


def ask(*actions: Primitive, id: int = 0, seed: int = 5, **more: Any) -> RolloutRequest:
    """Return a request as the harness makes it for a model that is conditioned by camera poses."""
    more.setdefault("frames", tuple(range(1, len(actions) + 1)))
    more.setdefault("depth", depth())
    more.setdefault("poses", relative_poses(actions))
    more.setdefault("camera", PANO)
    return RolloutRequest(id, seed, view(), candidate=Candidate(actions), **more)


def small(name: str, checkout: Path, weights: str = RANDOM, **settings: Any) -> ModelManifest:
    """Return the manifest of ``name`` on a checkout, at the size of the tests' panoramas."""
    manifest = load_catalog().find(name).manifest
    known = {**manifest.settings, "code": str(checkout), "image_height": 32, **settings}
    return replace(manifest, height=HEIGHT, width=WIDTH, weights=weights, settings=known)


def saved(root: str, **changed: Any) -> str:
    """Return a checkpoint of the stand-in's net under ``root``, beside what training saves; None leaves a part out."""
    layers = {name: {"kernel": 2.0} for name in ("first", "second", "again", "for_training")}
    net = {name: part for name, part in {**layers, "metrics": {}, **changed}.items() if part is not None}
    return json.dumps({root: net, "optimizer": {"iter": 7}, "generator": layers})


def made(manifest: ModelManifest) -> Any:
    """Return the world model of ``manifest``, made as the service makes it."""
    entry = load_catalog().find(manifest.name)
    folders = [str(folder) for folder in (entry.folder, *entry.shared, LIBRARIES)]
    return load_class(manifest.entry_point, [folder for folder in folders if folder not in sys.path])(manifest)


def through_the_service(manifest: ModelManifest, requests: Sequence[RolloutRequest], log: Path) -> list[Rollout]:
    """Return what the real service of ``manifest`` answers, by id."""
    entry = load_catalog().find(manifest.name)
    spec = CatalogEntry(manifest, entry.folder, (*entry.shared, LIBRARIES)).service_spec(sys.executable)
    with start_process(spec, ServiceLimits(start_s=60.0), log) as service:
        client = WorldModelClient(service.socket, expected=manifest)
        answers = sorted(client.imagine_batch(requests), key=lambda rollout: rollout.id)
        client.close()
    return answers
