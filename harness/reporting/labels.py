"""How numbers are called and written for readers: label, unit, digits, and one sentence each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, Optional

from harness.contracts.results import Metric

MISSING = "–"


@dataclass(frozen=True)
class Label:
    """How one number is shown. ``kind``: ``percent`` (value x 100), ``share`` (0-1) or ``number``; ``better``: which
    way is good (``up``, ``down`` or empty)."""

    name: str
    unit: str
    kind: str
    digits: int
    meaning: str
    better: str = ""


METRICS: Dict[str, Label] = {
    "success_rate": Label(
        "Success", "%", "percent", 1, "Solved episodes of all planned ones; interval clustered by home.", "up"
    ),
    "success_rate_wilson": Label(
        "Success, episodes independent", "%", "percent", 1, "The same rate with Wilson's interval, homes ignored.", "up"
    ),
    "reached_rate": Label(
        "Reached", "%", "percent", 1, "Some decision ended within the goal's radius, wherever the agent ended.", "up"
    ),
    "spl": Label("SPL, in actions", "", "share", 3, "Success weighted by shortest / taken actions; turns count.", "up"),
    "spl_m": Label("SPL, in metres", "", "share", 3, "Success weighted by shortest / taken path length.", "up"),
    "final_distance_m": Label("Final distance", "m", "number", 2, "Geodesic distance to the goal at the end.", "down"),
    "path_m": Label("Path length", "m", "number", 2, "Metres walked."),
    "actions": Label("Actions", "", "number", 1, "Executed actions, turns included."),
    "decisions": Label("Decisions", "", "number", 2, "Rounds of propose, imagine, revise, act."),
    "collisions": Label("Contacts", "", "number", 2, "Steps that touched something."),
    "rollouts": Label("Rollouts", "", "number", 1, "Rollouts that the world model was asked for."),
}

GAPS: Dict[str, Label] = {
    "ssim": Label("SSIM", "", "share", 3, "Structural similarity, 1: equal.", "up"),
    "psnr": Label("PSNR", "dB", "number", 2, "Peak signal-to-noise ratio.", "up"),
    "lpips": Label("LPIPS", "", "share", 3, "Learnt perceptual distance, 0: equal.", "down"),
}

RATIO = Label("", "", "share", 2, "")
"""How gains and correlations are written."""

COLUMNS: Dict[str, Label] = {
    "spl": Label("SPL", "", "share", 2, "in actions"),
    "final_distance_m": Label("End", "m", "number", 2, "geodesic distance to the goal at the end"),
    "path_m": Label("Path", "m", "number", 2, "metres walked"),
    "actions": Label("Actions", "", "number", 0, "executed actions"),
    "decisions": Label("Decisions", "", "number", 0, "decisions taken"),
    "rollouts": Label("Rollouts", "", "number", 0, "rollouts asked for"),
    "gap_ssim": Label("SSIM", "", "share", 2, "mean SSIM of imagined and real views"),
    "gap_psnr": Label("PSNR", "dB", "number", 1, "mean PSNR of imagined and real views"),
    "gap_lpips": Label("LPIPS", "", "share", 2, "mean LPIPS of imagined and real views"),
}
"""Columns of the episode table, in order, where the run has them."""


PHASES: Dict[str, str] = {
    "reset": "The environment opens the home and renders start and goal.",
    "imagine": "Waiting for the world model's rollouts.",
    "score": "Comparing what was imagined with the goal, and choosing.",
    "step": "The environment executes the chosen actions and renders.",
    "gap": "Comparing imagined with real views; decides nothing.",
    "play": "The whole of the above, with what lies between.",
    "record": "Writing trajectory, pictures and video.",
    "episode": "Play and record together.",
}
"""What the seconds of each phase of an episode were spent on; the last three hold others."""


def phase_order(name: str) -> int:
    """Return where a phase stands in a table: in the order of an episode, unknown ones last."""
    return list(PHASES).index(name) if name in PHASES else len(PHASES)


def gap_label(name: str) -> Label:
    """Return the label of a gap measure; unknown measures show their own name."""
    return GAPS.get(name, Label(name, "", "share", 3, ""))


def metric_label(name: str) -> Label:
    """Return the label of a metric; unknown metrics show their own name."""
    return METRICS.get(name, Label(name, "", "number", 3, ""))


def number(value: Optional[float], label: Label) -> str:
    """Return ``value`` as text without its unit; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return MISSING
    scaled = value * 100.0 if label.kind == "percent" else value
    text = f"{scaled:.{label.digits}f}"
    return text.replace("-", "\u2212")


def interval(metric: Metric, label: Label) -> str:
    """Return a metric's interval as ``low – high``; a dash where it has none."""
    if not (math.isfinite(metric.low) and math.isfinite(metric.high)):
        return MISSING
    return f"{number(metric.low, label)} \u2013 {number(metric.high, label)}"
