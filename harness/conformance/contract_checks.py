"""Checks of single answers: what contract and manifest promise is there, and what is declared unread is unread."""

from __future__ import annotations

import time

import numpy as np

from harness.conformance.following_checks import Locator
from harness.conformance.plugin_under_test import Subject, difference
from harness.conformance.results import PASSED, SKIPPED, Outcome, verdict, worst
from harness.contracts.errors import DeadFrame
from harness.running.frame_checks import check_frame
from harness.wire.codec.messages import PROTOCOL_VERSION
from harness.wire.limits import MAX_BATCH, MAX_MESSAGE_BYTES
from harness.worldmodels.probe import AHEAD, STRAIGHT, TO_LEFT, TO_RIGHT


def handshake(subject: Subject) -> Outcome:
    """The service starts, speaks this protocol, and declares the manifest that its folder or image holds."""
    subject.client.describe()
    return Outcome(PASSED, f"protocol {PROTOCOL_VERSION}, ready in {subject.started_s:.1f} s", f"{subject.start_s:g} s")


def shapes(subject: Subject) -> Outcome:
    """Each request is answered with its frames, uint8 [T, H, W, 3], by the kind of camera that was asked."""
    requests = [subject.probe.request(plan, seed=7 + n, id=n) for n, plan in enumerate((STRAIGHT, TO_LEFT))]
    subject.first = [subject.ask_one(request) for request in requests]
    camera = requests[0].camera
    found = [list(frames.shape) for frames in subject.first]
    right = all(
        frames.dtype == np.uint8 and frames.ndim == 4 and len(frames) == len(request.frames) and frames.shape[3] == 3
        for frames, request in zip(subject.first, requests, strict=True)
    )
    return verdict(right, f"uint8 {found}", f"[{len(requests[0].frames)}, {camera.height}, {camera.width}, 3]")


def values(subject: Subject) -> Outcome:
    """Confidence lies in [0, 1], one a frame or none; no phase takes longer than the whole call did."""
    request = subject.probe.request(TO_RIGHT)
    began = time.monotonic()
    rollout = subject.ask_rollout(request)
    wall_s = time.monotonic() - began
    longest = worst(list(rollout.timings.values()))
    fine = longest <= wall_s and all(0.0 <= value <= 1.0 for value in rollout.confidence)
    measured = f"{len(rollout.confidence)} confidences, longest phase {longest:.3f} s"
    return verdict(
        fine, measured, f"0..1; at most {wall_s:.3f} s", "A phase is longer than the call.", "Report measured seconds."
    )


def live_frames(subject: Subject) -> Outcome:
    """No imagined frame is black or of one value."""
    requests = [subject.probe.request(plan, place, id=0) for place, plan in enumerate((STRAIGHT, TO_LEFT))]
    count = 0
    for request in requests:
        for index, frame in zip(request.frames, subject.ask_one(request), strict=True):
            try:
                check_frame("the plugin", frame, f"frame {index} of a rollout")
            except DeadFrame as error:
                return verdict(False, error.what, "a picture", "", "Look whether weights and decoder are loaded.")
            count += 1
    return Outcome(PASSED, f"{count} frames alive", "no black or constant frame")


def start_view(subject: Subject) -> Outcome:
    """Frame 0 is the conditioning view: the first imagined frame resembles it more than any other place's view."""
    if not subject.learnt:
        return Outcome(SKIPPED, note="untrained weights imagine nothing that could resemble a view")
    locators = [Locator(place, subject.probe.panorama) for place in subject.probe.places]
    own, others = [], []
    for number in range(len(locators)):
        first = subject.ask_one(subject.probe.request((STRAIGHT[0],), number))[0]
        likeness = [locator.likeness(first) for locator in locators]
        own.append(likeness[number])
        others.append(max(likeness[:number] + likeness[number + 1 :]))
    margin = min(a - b for a, b in zip(own, others, strict=True))
    return verdict(
        margin > 0.0,
        f"likeness {min(own):.2f}, of other places {max(others):.2f}",
        "its own view is the most alike",
        "A rollout does not start where its conditioning view was taken.",
        "Start the rollout from request.view; frame i is the view after action i.",
    )


def view_used(subject: Subject) -> Outcome:
    """Another conditioning view gives other frames: nothing is answered from memory."""
    views = [subject.probe.request(place=0), subject.probe.request(place=1)]
    frames = [subject.ask_one(request) for request in views]
    apart = difference(*frames)
    return verdict(
        apart > subject.repeat_tolerance,
        f"{apart:.2g} grey levels apart",
        f"above {subject.repeat_tolerance:g}",
        "Two views, the same actions and seed: the same frames.",
        "Make every rollout from its own request.view; never cache replies by actions or seed.",
    )


def chosen_frames(subject: Subject) -> Outcome:
    """A frame is the same whether it is asked for alone or with all others: indices mean what the contract says."""
    whole = subject.probe.request(TO_LEFT)
    some = whole.frames[1::2] or whole.frames
    part = subject.probe.request(TO_LEFT, frames=some)
    expected = subject.ask_one(whole)[[index - 1 for index in some]]
    apart = difference(subject.ask_one(part), expected)
    return verdict(
        apart <= subject.batch_tolerance,
        f"{apart:.2g} grey levels apart",
        f"at most {subject.batch_tolerance:g}",
        f"Frames {list(some)} differ when they are asked for alone.",
        "Answer request.frames: index i is the view after action i, in the order asked for.",
    )


NONE = "none"


def largest_batch(subject: Subject) -> Outcome:
    """A batch as large as the manifest allows is answered in one call."""
    pixels = subject.probe.views[0].rgb.nbytes * (1 + subject.manifest.context_max)
    fits = max(MAX_MESSAGE_BYTES * 3 // 4 // pixels, 1)
    size = min(subject.manifest.max_batch, MAX_BATCH, fits)
    subject.ask(subject.probe.different(size))
    return Outcome(PASSED, f"{size} requests at once", f"max_batch = {subject.manifest.max_batch}")


def longest_candidate(subject: Subject) -> Outcome:
    """A candidate as long as the manifest allows is answered to its last frame."""
    actions = (AHEAD,) * subject.probe.longest
    frames = subject.ask_one(subject.probe.request(actions))
    declared = f"frames = {subject.manifest.frames}" if subject.manifest.frames else "frames = 0 (any length)"
    return verdict(len(frames) == len(actions), f"{len(frames)} frames", declared)


def conditioning(subject: Subject) -> Outcome:
    """Actions change the frames of a model that declares to be conditioned by them, and of no other."""
    straight, turning = STRAIGHT[:4], TO_RIGHT
    one, other = (subject.ask_one(subject.probe.request(actions)) for actions in (straight, turning))
    apart = difference(one, other)
    declared = subject.manifest.conditioning
    limit = f"{'at most' if declared == NONE else 'above'} {subject.repeat_tolerance:g}"
    if declared == NONE:
        fine = apart <= subject.repeat_tolerance
        note = 'The manifest says conditioning = "none", but actions change the frames.'
    else:
        fine = apart > subject.repeat_tolerance
        note = f"The manifest says conditioning = {declared!r}, but other actions gave the same frames."
    measured = f"straight and turning: {apart:.2g} grey levels apart"
    return verdict(fine, measured, limit, note, "Declare what the model reads: text, camera, numbers or none.")
