"""A world model behind the wire: one bad item never touches the others, and a wrong answer is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List

import numpy as np
import pytest

from harness.contracts.actions import Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal, ServiceError, SpecMismatch
from harness.contracts.rollouts import RolloutRequest
from harness.wire.client import Deadlines, WorldModelClient
from tests.wire.hosting import hosted
from tests.wire.objects import FRONT, example_manifest

WALK = Candidate((Primitive("forward", 0.2),) * 3)
LONG_WALK = Candidate(WALK.actions[:1] * 13)
LARGE = Camera("large", EQUIRECT, 576, 1024, 360.0, 1.25)
MANIFEST = example_manifest()


def request(id: int, prompt: str = "", frames: Any = (1, 3)) -> RolloutRequest:
    return RolloutRequest(id, 2**64 - 1, np.zeros((16, 24, 3), np.uint8), FRONT, WALK, frames, prompt=prompt)


def serve(class_name: str) -> Iterator[WorldModelClient]:
    with hosted("world_model", class_name, manifest=to_plain(MANIFEST)) as host:
        client = WorldModelClient(host.socket, Deadlines(imagine_s=20.0))
        yield client
        client.close()


@pytest.fixture(scope="module")
def paint() -> Iterator[WorldModelClient]:
    yield from serve("PaintModel")


@pytest.fixture(scope="module")
def batch() -> Iterator[WorldModelClient]:
    yield from serve("BatchModel")


def test_the_manifest_comes_back_whole(paint: WorldModelClient) -> None:
    assert paint.describe() == MANIFEST
    other = example_manifest("paint", steps=3)
    client = WorldModelClient(paint._connection.socket, expected=other)
    with pytest.raises(SpecMismatch, match="steps: declared 0, expected 3"):
        client.imagine(request(0))


def test_a_rollout_comes_back(paint: WorldModelClient) -> None:
    rollout = paint.imagine(request(9))
    assert rollout.rgb.shape == (2, 16, 24, 3)
    assert rollout.rgb[:, 0, 0, 0].tolist() == [1, 3]
    assert (rollout.id, rollout.camera, rollout.confidence) == (9, FRONT, (0.5, 0.5))
    assert rollout.timings == {"paint": 0.5}
    assert list(paint.imagine_batch([])) == []


def test_a_model_that_reports_no_phase_is_timed_by_its_service(paint: WorldModelClient) -> None:
    silent, other = paint.imagine_batch([request(0, "slow, and silent about it"), request(1)])
    assert list(silent.timings) == ["imagine"] and 0.05 <= silent.timings["imagine"] < 5.0
    assert other.timings == {"paint": 0.5}


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("raise", "PaintModel.imagine failed with ValueError: no paint left at objects.py"),
        ("refuse", "the view is too dark. Use another one."),
        ("float", "has dtype float64 instead of uint8"),
        ("none", "AttributeError"),
    ],
)
def test_one_bad_item_leaves_the_others_alone(paint: WorldModelClient, prompt: str, reason: str) -> None:
    rollouts = {r.id: r for r in paint.imagine_batch([request(0), request(1, prompt), request(2)])}
    assert [rollouts[id].error == "" for id in range(3)] == [True, False, True]
    assert reason in rollouts[1].error
    assert rollouts[1].rgb.shape == (0, 16, 24, 3)
    assert len(rollouts[2].rgb) == 2


def errors(client: WorldModelClient, prompts: List[str]) -> List[str]:
    found = {r.id: r.error for r in client.imagine_batch([request(i, p) for i, p in enumerate(prompts)])}
    return [found[index] for index in range(len(prompts))]


def test_a_batch_that_breaks_off_fails_what_is_still_due(batch: WorldModelClient) -> None:
    assert errors(batch, ["", "", ""]) == ["", "", ""]
    first, second, third = errors(batch, ["", "raise", ""])
    assert third == ""
    assert "no paint left" in first
    assert "no paint left" in second
    first, second, third = errors(batch, ["", "end", ""])
    assert (first, third) == ("the model answered without this rollout.", "")
    assert errors(batch, ["stranger", ""]) == ["", ""]


@pytest.mark.parametrize("camera", [FRONT, LARGE], ids=["one part", "many parts"])
def test_a_rollout_is_received_while_the_next_is_imagined(camera: Camera, tmp_path: Path) -> None:
    for client in serve("WaitingModel"):
        seen = np.zeros((camera.height, camera.width, 3), np.uint8)
        received = [tmp_path / str(number) for number in range(2)]
        prompts = ["", *[str(file) for file in received]]
        frames = tuple(range(1, len(LONG_WALK) + 1))
        requests = [
            RolloutRequest(id, 0, seen, camera, LONG_WALK, frames, prompt=prompt) for id, prompt in enumerate(prompts)
        ]
        answers = client.imagine_batch(requests)
        for file in received:
            assert next(answers).error == ""
            file.touch()  # only now the model goes on
        assert next(answers).error == ""


def test_a_rollout_with_too_few_frames_is_named(paint: WorldModelClient) -> None:
    with pytest.raises(ServiceError, match="bad reply to Imagine: rollout 4 has 1 frames instead of 2"):
        paint.imagine(request(4, "short"))


def test_a_wrong_batch_is_refused_before_it_is_sent(paint: WorldModelClient) -> None:
    with pytest.raises(Refusal, match="one id twice"):
        list(paint.imagine_batch([request(1), request(1)]))


def test_a_model_that_dies_is_named() -> None:
    for client in serve("PaintModel"):
        with pytest.raises(ServiceError, match="cannot be reached for Imagine"):
            client.imagine(request(0, "die"))


def test_what_a_model_raises_is_in_its_log_with_the_whole_traceback() -> None:
    with hosted("world_model", "PaintModel", manifest=to_plain(MANIFEST)) as host:
        client = WorldModelClient(host.socket, Deadlines(imagine_s=20.0))
        assert "no paint left" in client.imagine(request(0, "raise")).error
        client.close()
        log = host.log.read_text()
    assert "Traceback (most recent call last)" in log and log.rstrip().endswith("ValueError: no paint left")
    assert 'objects.py", line' in log


@pytest.mark.parametrize("prompt", ["interrupt", "cancelled", "unreadable"])
def test_whatever_a_model_raises_ends_the_call(prompt: str) -> None:
    with hosted("world_model", "RaisingModel", manifest=to_plain(MANIFEST)) as host:
        client = WorldModelClient(host.socket, Deadlines(imagine_s=10.0))
        assert "imagine failed with" in client.imagine(request(0, prompt)).error
        client.close()
