"""Does the imagined camera move the way the action says: estimated against commanded motion, in real homes."""

from __future__ import annotations

from itertools import accumulate
from typing import Sequence

from harness.conformance.motion import Locator, Motion, rank_correlation, slope
from harness.conformance.plugin_under_test import Subject
from harness.conformance.requests import STRAIGHT, TO_LEFT, TO_RIGHT
from harness.conformance.results import REPORTED, SKIPPED, Outcome, verdict
from harness.contracts.actions import Action, signed_turn

HELD_TO_IT = ("numbers", "camera")
"""Conditionings that say how far to move. A prompt is no measure, so models that read one are reported only."""

NO_ARM = Outcome(SKIPPED, note="the homes have no robot arm whose motion could be compared")

LEAST_CORRELATION = 0.6
LEAST_SLOPE = 0.15
MOST_SLOPE = 3.0
LEAST_SIGNS = 0.8
LEAST_TIMED = 0.6


def forwards(subject: Subject) -> Outcome:
    """Walking ahead looks like walking ahead: rank correlation and slope of 0.2 to 1.0 m."""
    if subject.questions.arm:
        return NO_ARM
    commanded: list[float] = []
    estimated: list[float] = []
    for place in range(len(subject.questions.places)):
        motions = _imagined(subject, STRAIGHT, place)
        commanded += [0.2 * (index + 1) for index in range(len(motions))]
        estimated += [motion.ahead_m for motion in motions]
    correlation = rank_correlation(commanded, estimated)
    factor = slope(commanded, estimated)
    measured = f"rank correlation {correlation:.2f}, slope {factor:.2f}, {len(commanded)} frames"
    fine = correlation >= LEAST_CORRELATION and LEAST_SLOPE <= factor <= MOST_SLOPE
    limit = f"at least {LEAST_CORRELATION:g}; {LEAST_SLOPE:g} to {MOST_SLOPE:g}"
    return _held(subject, fine, measured, limit, "Forwards do not move the imagined camera ahead as commanded.")


def turns(subject: Subject) -> Outcome:
    """Turns go to the side that was commanded, and at the frame of their action."""
    if subject.questions.arm:
        return NO_ARM
    commanded: list[float] = []
    estimated: list[float] = []
    for place in range(len(subject.questions.places)):
        for plan in (TO_LEFT, TO_RIGHT):
            motions = _imagined(subject, plan, place)
            commanded += _yaws(subject.questions.fitted(plan))
            estimated += [motion.yaw_deg for motion in motions]
    turned = [(a, b) for a, b in zip(commanded, estimated, strict=True) if a]
    if not turned:
        return Outcome(SKIPPED, note="the model's rollouts are too short for a turn after a forward")
    signs = sum(a * b > 0.0 for a, b in turned) / len(turned)
    timed = sum(abs(a - b) < 1.0 for a, b in zip(commanded, estimated, strict=True)) / len(commanded)
    measured = f"right side {signs:.0%}, right angle at its frame {timed:.0%}, {len(commanded)} frames"
    fine = signs >= LEAST_SIGNS and timed >= LEAST_TIMED
    limit = f"at least {LEAST_SIGNS:.0%}; {LEAST_TIMED:.0%}"
    return _held(subject, fine, measured, limit, "Turns go to the wrong side, at the wrong frame, or nowhere.")


def _held(subject: Subject, fine: bool, measured: str, limit: str, note: str) -> Outcome:
    """Judge a model that claims to be told how far to move; report any other."""
    manifest = subject.manifest
    if manifest.conditioning not in HELD_TO_IT:
        return Outcome(REPORTED, measured, limit, f'conditioning = "{manifest.conditioning}" is not held to it')
    if not subject.learnt:
        return Outcome(REPORTED, measured, limit, "untrained weights have learnt nothing")
    step = "Left is positive yaw; frame i follows action i; forwards are metres along the heading of that moment."
    return verdict(fine, measured, limit, note, step)


def _imagined(subject: Subject, actions: Sequence[Action], place: int) -> list[Motion]:
    frames = subject.ask_one(subject.questions.request(actions, place))
    locator = Locator(subject.questions.places[place], subject.questions.panorama)
    return [locator.locate(frame) for frame in frames]


def _yaws(actions: Sequence[Action]) -> list[float]:
    return list(accumulate(signed_turn(action) for action in actions))
