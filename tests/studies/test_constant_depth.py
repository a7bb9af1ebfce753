"""The best constant depth: a true minimum, from training homes alone, the same every time."""

from __future__ import annotations

import pytest

from harness.contracts.errors import Refusal
from harness.contracts.folders import cache_root
from harness.studies.constant_depth import best_depth, lowest, main


def test_a_parabola_is_found_exactly_also_between_uneven_depths() -> None:
    depths = (1.0, 2.0, 2.5, 4.0, 6.0)
    assert lowest(depths, [(depth - 2.7) ** 2 + 3.0 for depth in depths]) == pytest.approx(2.7)
    assert lowest((1.0, 2.0, 3.0), [2.0, 1.0, 2.0]) == pytest.approx(2.0)


@pytest.mark.parametrize("errors", [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
def test_a_grid_that_does_not_enclose_the_best_is_refused(errors: list[float]) -> None:
    with pytest.raises(Refusal, match="edge of the grid"):
        lowest((1.0, 2.0, 3.0), errors)


def test_the_same_arguments_give_the_same_numbers() -> None:
    depths = (1.0, 2.5, 6.0)
    first, again = (best_depth(["train-0000"], 2, 0, str(cache_root()), depths) for _ in range(2))
    assert first == again and first.frames == 16 and 1.0 < first.best_m < 6.0
    assert first != best_depth(["train-0000"], 2, 1, str(cache_root()), depths)


def test_no_home_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("--scenes", "0")) == 2
    assert "0 homes" in capsys.readouterr().err
