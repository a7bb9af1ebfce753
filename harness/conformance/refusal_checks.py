"""Checks of bad input: a clear error, for the request that was wrong alone, and the next request works."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Mapping

from harness.conformance.plugin_under_test import Subject, difference
from harness.conformance.results import PASSED, Fault, Outcome
from harness.contracts.actions import Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.errors import DeadlineExceeded, WiwError
from harness.contracts.observations import RGB
from harness.contracts.rollouts import RolloutRequest
from harness.wire.channel import Connection
from harness.wire.codec.messages import parse
from harness.wire.codec.rollouts import write_batch
from harness.wire.limits import MAX_BATCH
from harness.worldmodels.panorama import resize
from harness.worldmodels.probe import SEED, STRAIGHT, TO_LEFT, renamed

NUMBERS = "numbers"
SHORTEST_MESSAGE = 8


def bad_requests(subject: Subject) -> Outcome:
    """An unknown action, another size, another camera: an error or a right answer, and the others go on."""
    good = subject.probe.request(TO_LEFT)
    expected = subject.ask_one(good)
    strict = ("unknown action",) if subject.manifest.conditioning == NUMBERS else ()
    told = []
    for name, bad in _bad_requests(good).items():
        answer = subject.send([bad])[bad.id]
        if name in strict and not answer.error:
            raise Fault(f"{name}: answered as if it were known.", "Raise Refusal for what the model does not know.")
        told.append(f"{name}: {'refused' if answer.error else 'answered'}")
        _check_next(subject, good, expected, name)
    if subject.manifest.max_batch > 1:
        _check_neighbour(subject, good, strict)
    return Outcome(PASSED, "; ".join(told), "an error for the bad request alone")


def bad_messages(subject: Subject) -> Outcome:
    """Messages that no client would send are refused: frames out of range, too many requests, no message at all."""
    good = subject.probe.request(TO_LEFT)
    expected = subject.ask_one(good)
    valid = write_batch([good]).serialized()
    makers: Mapping[str, Callable[[], bytes]] = {
        "frame out of range": lambda: _with_frame(valid, len(good.candidate) + 1),
        "frame 0": lambda: _with_frame(valid, 0),
        f"{MAX_BATCH + 1} requests": lambda: _many(valid, MAX_BATCH + 1),
        "half a message": lambda: valid[: len(valid) // 2],
        "no message": lambda: b"\xff" * SHORTEST_MESSAGE,
    }
    for name, make in makers.items():
        _check_refused(subject, name, make())
        _check_next(subject, good, expected, name)
    return Outcome(PASSED, f"{len(makers)} refused", "a contract error each; the next request works")


def _bad_requests(good: RolloutRequest) -> dict[str, RolloutRequest]:
    camera = good.camera
    height, width = max(camera.height // 2, 1), max(camera.width // 2, 1)
    small = replace(camera, height=height, width=width)
    other = PINHOLE if camera.kind == EQUIRECT else EQUIRECT
    wrong_kind = Camera("other", other, camera.height, camera.width, 90.0 if other == PINHOLE else 360.0, 1.25)
    actions = (*good.candidate.actions[:-1], Primitive("fly", 3.0))
    return {
        "unknown action": replace(good, candidate=Candidate(actions)),
        "half the size": replace(
            good,
            camera=small,
            view=resize(good.view, height, width),
            context=tuple(replace(seen, rgb=resize(seen.rgb, height, width)) for seen in good.context),
        ),
        "another camera": replace(good, camera=wrong_kind),
    }


def _check_next(subject: Subject, good: RolloutRequest, expected: RGB, name: str) -> None:
    apart = difference(subject.ask_one(good), expected)
    if apart > subject.repeat_tolerance:
        raise Fault(
            f"after {name} a good request has another answer ({apart:.2g} grey levels apart).",
            "A request that failed must leave nothing behind.",
        )


def _check_neighbour(subject: Subject, good: RolloutRequest, strict: tuple[str, ...]) -> None:
    """Raise Fault unless a good request is answered although a bad one shares its batch."""
    if not strict:
        return
    bad = renamed(_bad_requests(good)["unknown action"], 1)
    neighbour = replace(subject.probe.request(STRAIGHT, seed=SEED + 1), id=2)
    answers = subject.send([good, bad, neighbour])
    failed = [id for id in (0, 2) if answers[id].error]
    if failed or not answers[1].error:
        raise Fault(
            f"a batch with one bad request of three: errors for {[id for id in answers if answers[id].error]}.",
            "Yield a rollout with an error for the bad request (failed_rollout) and answer the others.",
        )


def _check_refused(subject: Subject, name: str, message: bytes) -> None:
    connection = Connection(subject.service.socket, "WorldModel")
    try:
        for _ in connection.stream("Imagine", message, subject.deadline_s):
            raise Fault(f"{name}: answered.", "Use the harness's own wire: it refuses what the contract excludes.")
    except DeadlineExceeded as error:
        raise Fault(f"{name}: no answer.", error.next_step) from error
    except Fault:
        raise
    except WiwError as error:
        if not subject.service.alive():
            raise Fault(f"{name}: the service died: {error.what}", "It must refuse and live on.") from error
    finally:
        connection.close()


def _with_frame(message: bytes, frame: int) -> bytes:
    parsed = parse("WorldModelImagineRequest", message)
    del parsed.requests[0].frames[:]
    parsed.requests[0].frames.append(frame)
    data: bytes = parsed.SerializeToString()
    return data


def _many(message: bytes, count: int) -> bytes:
    """Return a batch of ``count`` requests without their views: it is refused for its number, not its bytes."""
    parsed = parse("WorldModelImagineRequest", message)
    parsed.requests[0].ClearField("view")
    for id in range(1, count):
        parsed.requests.add().CopyFrom(parsed.requests[0])
        parsed.requests[-1].id = id
    data: bytes = parsed.SerializeToString()
    return data
