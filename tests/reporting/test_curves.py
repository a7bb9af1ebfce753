"""The picture of curves: well-formed whatever things are called, and its points where its numbers are."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

import pytest

from harness.contracts.results import Metric
from harness.reporting.curves import Curve, curve_svg

SVG = "{http://www.w3.org/2000/svg}"


def share(value: float, half: float = 0.05) -> Metric:
    return Metric(value, value - half, value + half, 400)


def drawn(*curves: Curve, logarithmic: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(curve_svg('Success <of> "x" & y', "candidates", curves, logarithmic))


def circles(root: ElementTree.Element) -> list[tuple[float, float]]:
    return [(float(one.get("cx", "")), float(one.get("cy", ""))) for one in root.findall(f"{SVG}circle")]


def test_points_lie_where_their_numbers_are() -> None:
    found = circles(drawn(Curve("a<b>", ((1.0, share(0.2)), (2.0, share(0.5)), (3.0, share(0.8))))))
    (x0, y0), (x1, y1), (x2, y2) = found
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and y0 - y1 == pytest.approx(y1 - y2, abs=0.2) and y0 > y1


def test_a_logarithmic_axis_spaces_by_ratios() -> None:
    (x0, _), (x1, _), (x2, _) = circles(
        drawn(Curve("a", ((1.0, share(0.2)), (2.0, share(0.5)), (4.0, share(0.8)))), logarithmic=True)
    )
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)


def test_the_line_goes_through_the_mean_of_what_stands_at_one_number() -> None:
    root = drawn(Curve("a", ((1.0, share(0.2)), (1.0, share(0.4)), (2.0, share(0.8)))))
    line = root.find(f"{SVG}polyline")
    assert line is not None
    first, last = (tuple(map(float, point.split(","))) for point in line.get("points", "").split())
    points = circles(root)
    assert first[1] == pytest.approx((points[0][1] + points[1][1]) / 2.0, abs=0.1) and last == points[2]


def test_one_number_and_an_interval_that_does_not_exist_are_drawn() -> None:
    root = drawn(Curve("a", ((0.0, Metric(0.0, math.nan, math.nan, 1)),)), Curve("b", ((0.0, share(1.0)),)))
    assert len(circles(root)) == 2 and "nan" not in ElementTree.tostring(root, encoding="unicode")
