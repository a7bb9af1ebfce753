"""Checks of the manifest: what it promises is there, and what it declares unread is unread."""

from __future__ import annotations

from harness.conformance.plugin_under_test import Subject, difference
from harness.conformance.requests import AHEAD, STRAIGHT, TO_RIGHT
from harness.conformance.results import PASSED, Outcome, verdict
from harness.wire.limits import MAX_BATCH, MAX_MESSAGE_BYTES

NONE = "none"


def largest_batch(subject: Subject) -> Outcome:
    """A batch as large as the manifest allows is answered in one call."""
    pixels = subject.questions.views[0].rgb.nbytes * (1 + subject.manifest.context_max)
    fits = max(MAX_MESSAGE_BYTES * 3 // 4 // pixels, 1)
    size = min(subject.manifest.max_batch, MAX_BATCH, fits)
    subject.ask(subject.questions.different(size))
    return Outcome(PASSED, f"{size} requests at once", f"max_batch = {subject.manifest.max_batch}")


def longest_candidate(subject: Subject) -> Outcome:
    """A candidate as long as the manifest allows is answered to its last frame."""
    actions = (AHEAD,) * subject.questions.longest
    frames = subject.ask_one(subject.questions.request(actions))
    declared = f"frames = {subject.manifest.frames}" if subject.manifest.frames else "frames = 0 (any length)"
    return verdict(len(frames) == len(actions), f"{len(frames)} frames", declared)


def conditioning(subject: Subject) -> Outcome:
    """Actions change the frames of a model that declares to be conditioned by them, and of no other."""
    straight, turning = STRAIGHT[:4], TO_RIGHT
    one, other = (subject.ask_one(subject.questions.request(actions)) for actions in (straight, turning))
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
