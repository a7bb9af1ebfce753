"""From the catalog to imagined views: the reference plugins as real services, and in-process beside them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Iterator, Sequence

import numpy as np
import pytest

from harness.contracts.actions import Candidate, navigation_space
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.observations import View
from harness.contracts.rollouts import Rollout, RolloutRequest
from harness.runtimes.process import start_process
from harness.runtimes.service import ServiceLimits
from harness.wire.client import WorldModelClient
from harness.wire.sdk import WorldModel
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.imaginer import PluginImaginer
from tests.worldmodels.toy_world import AHEAD, LEFT, RIGHT

pytest.importorskip("numba", reason="warp needs numba (the extra 'embedded')")

from wm_plugins.reference.copy_model import Copy
from wm_plugins.reference.warp_model import Warp

CAMERA = Camera("pano", EQUIRECT, 64, 128, 360.0, 1.25)
CANDIDATES = [
    Candidate((*[lead] * turns, *[AHEAD] * n, LEFT)) for lead in (LEFT, RIGHT) for turns in (1, 3) for n in (2, 5)
]
FRAMES = [[0, 1, len(candidate) - 1, len(candidate)] for candidate in CANDIDATES]
SEEDS = list(range(len(CANDIDATES)))


class InProcess:
    """A plugin's object behind the methods of its client."""

    def __init__(self, model: WorldModel) -> None:
        self._model = model

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        return self._model.imagine_batch(requests)


@pytest.mark.parametrize(("name", "kind"), [("copy", Copy), ("warp", Warp)])
def test_a_reference_plugin_answers_the_same_as_a_service_and_in_process(
    name: str, kind: type[WorldModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = load_catalog().find(name)
    noise = np.random.Generator(np.random.PCG64(3)).integers(0, 256, (64, 128, 3)).astype(np.uint8)
    view = View(CAMERA, noise)
    local = PluginImaginer(InProcess(kind(entry.manifest)), entry.manifest, navigation_space())
    expected = local.imagine(view, CANDIDATES, FRAMES, SEEDS)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        with start_process(entry.service_spec(sys.executable), ServiceLimits(), tmp_path / "wm.log") as service:
            client = WorldModelClient(service.socket, expected=entry.manifest)
            imaginer = PluginImaginer(client, entry.manifest, navigation_space())
            imagined = imaginer.imagine(view, CANDIDATES, FRAMES, SEEDS)
            client.close()
    assert imaginer.rollouts == local.rollouts == 4
    for ours, theirs in zip(expected, imagined, strict=True):
        assert list(ours) == list(theirs)
        for frame, imagined_view in theirs.items():
            assert imagined_view.camera == CAMERA
            np.testing.assert_array_equal(ours[frame].rgb, imagined_view.rgb)
