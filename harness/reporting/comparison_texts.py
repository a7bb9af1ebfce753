"""How a comparison is written for people: the same cells and sentences on the command line and on the page."""

from __future__ import annotations

import math
from typing import List, Optional, Sequence, Tuple

from harness.contracts.metrics import SUCCESS
from harness.contracts.results import Metric
from harness.reporting import labels
from harness.reporting.labels import MISSING, Label, label_of, number
from harness.scoring.comparing import Comparison, Contrast, NumberContrast

Table = Tuple[Sequence[str], List[List[str]]]
"""Column heads and rows of cells."""

SMALLEST_P = 0.001
SOLVED = label_of(SUCCESS)
POINTS = Label("", labels.POINTS, 1)


def p_text(p: float) -> str:
    """Return a p-value with three decimals, ``< .001`` below them."""
    return "< .001" if p < SMALLEST_P else f"{p:.3f}".lstrip("0") if p < 0.9995 else "1"


def signed(value: float, label: Label) -> str:
    """Return a difference with its sign."""
    return f"+{number(value, label)}" if value > 0.0 else number(value, label)


def signed_interval(metric: Metric, label: Label) -> str:
    """Return ``+12.5 [3.1, 21.9]``, the value alone where there is no interval."""
    if not (math.isfinite(metric.low) and math.isfinite(metric.high)):
        return signed(metric.value, label)
    return f"{signed(metric.value, label)} [{signed(metric.low, label)}, {signed(metric.high, label)}]"


def points(value: Optional[float]) -> str:
    """Return a share as percentage points; a dash where there is none."""
    return number(value, POINTS)


def sentence(comparison: Comparison, contrast: Contrast) -> str:
    """Return the verdict of a contrast as one sentence."""
    other, baseline = comparison.runs[contrast.other].label, comparison.runs[comparison.baseline].label
    margin = f"{points(comparison.margin).removesuffix('.0')} points"
    size = f"{signed_interval(contrast.difference, POINTS)} points"
    if contrast.verdict in ("more", "fewer"):
        small = f", yet by less than {margin}" if contrast.adjusted_equivalence_p <= 0.05 else ""
        return f"{other} solves {contrast.verdict} than {baseline}: {size}, p {_equals(contrast.adjusted_p)}{small}."
    if contrast.verdict == "equivalent":
        p = _equals(contrast.adjusted_equivalence_p)
        return f"{other} and {baseline} are equivalent within {margin}: {size}, p of equivalence {p}."
    least = points(contrast.detectable)
    found = f"a difference of {least} points would be found 4 times in 5" if contrast.detectable else "too few pairs"
    return f"{other} and {baseline} cannot be told apart here: {size}, p {_equals(contrast.adjusted_p)}; {found}."


def run_rows(comparison: Comparison) -> Table:
    """Return the table of runs."""
    rows = []
    for index, run in enumerate(comparison.runs):
        name = f"{run.label} (baseline)" if index == comparison.baseline else run.label
        interval = f"{number(run.success.value, SOLVED)} [{_ends(run.success)}]"
        rows.append([name, interval, ", ".join(run.stamps) or MISSING, run.run_id])
    return ("world model", "success % [95 %]", "stamps", "run"), rows


def test_rows(comparison: Comparison) -> Table:
    """Return the table of contrasts: difference, tests, and what could have been found."""
    margin = points(comparison.margin).removesuffix(".0")
    rows = []
    for contrast in comparison.contrasts:
        outcomes = contrast.outcomes
        rows.append(
            [
                comparison.runs[contrast.other].label,
                signed_interval(contrast.difference, POINTS),
                p_text(contrast.adjusted_p),
                p_text(contrast.mcnemar_p),
                p_text(contrast.adjusted_equivalence_p),
                points(contrast.detectable),
                f"{outcomes.only_other} / {outcomes.only_baseline}",
                f"{outcomes.both} / {outcomes.neither}",
            ]
        )
    columns = ("world model", "points [95 %]", "p by home", "McNemar, unadjusted", f"p within ±{margin}", "detectable")
    return (*columns, "only the model / only baseline", "both / neither"), rows


def number_rows(comparison: Comparison) -> Table:
    """Return the table of all other numbers; those of one name stand below each other, named once."""
    rows = []
    for spec in comparison.metrics:
        label = label_of(spec)
        heading = f"{label.name} {label.unit}".strip()
        for contrast in comparison.contrasts:
            for found in contrast.numbers:
                if found.name == spec.key:
                    rows.append([heading, comparison.runs[contrast.other].label, *_number_cells(found, label)])
                    heading = ""
    return ("number", "world model", "baseline", "the model", "difference [95 %]", "p by home", "pairs"), rows


def _number_cells(found: NumberContrast, label: Label) -> List[str]:
    return [
        number(found.baseline, label),
        number(found.other, label),
        signed_interval(found.difference, label),
        p_text(found.adjusted_p),
        str(found.difference.n),
    ]


def _equals(p: float) -> str:
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"


def _ends(metric: Metric) -> str:
    return f"{number(metric.low, SOLVED)}, {number(metric.high, SOLVED)}"
