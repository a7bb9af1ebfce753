"""The script that measures steps of post-training: a recipe that takes too long ends alone."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="post-training needs torch (the extra 'models')")
pytest.importorskip("diffusers", reason="the zoo needs diffusers (the extra 'models')")
pytest.importorskip("peft", reason="adapters need peft (the extra 'models')")

from tests.benchmarks.posttrain_steps import SHARDED, Measuring, parsed, recipes


def test_all_recipes_of_the_video_families_are_known() -> None:
    assert set(SHARDED) < set(recipes())
    assert {"FTsvd", "FTltx", "FTcosmos", "FTwan21", "FTwan22", "FTwan22-14B"} <= set(recipes())


@pytest.mark.slow
def test_a_recipe_is_measured_and_another_ended() -> None:
    late = Measuring("FTltx-lora", parsed(["--tiny", "--limit", "0.1"])).answer()
    assert "not done within 0.1 s" in late["error"]
    found = Measuring("FTltx-lora", parsed(["--tiny", "--steps", "5", "--limit", "300"])).answer()
    assert found["fell"] and found["steps"] == 5 and found["trained"] < found["parameters"]
