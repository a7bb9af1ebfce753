"""Claims written down before: what finished runs say of them, and that leaving runs out never helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.contracts.manifests import FROM_HUB
from harness.studies.claims import EQUIVALENT, Claim, judge, main, page, read_claims
from harness.studies.run_selection import find_runs
from tasks.suite import Suite
from tests.scoring.synthetic import known_manifest
from tests.studies.small_suite import solved_by, write_small_run

MORE = "solves more"
DECLARED = Path(__file__).parents[2] / "docs" / "science" / "claims.toml"


def claim(says: str, model: str, *than: str, family: str = "secondary") -> Claim:
    return Claim.model_validate({"family": family, "says": says, "model": model, "than": than, "tier": "precise"})


def test_claims_are_judged_by_pairs_with_holm_over_their_family(tmp_path: Path, suite: Suite) -> None:
    for wm, share in (("gtsim", 0.9), ("homing", 0.7), ("warp", 0.4), ("copy", 0.4)):
        write_small_run(tmp_path, suite, wm, solved_by(share))
    write_small_run(tmp_path, suite, "warp", solved_by(0.5), overrides={"depth_m": 2.0})
    claims = (
        claim(MORE, "homing", "warp", "warp (depth_m=2.0)", family="primary"),
        claim(MORE, "warp", "homing"),
        claim(EQUIVALENT, "copy", "warp"),
        claim(EQUIVALENT, "copy", "homing"),
        claim(MORE, "homing", "nobody"),
    )
    found = find_runs([tmp_path], suite)
    more, fewer, same, apart, missing = judge(claims, found)
    assert more.other == "warp (depth_m=2.0)" and more.difference is not None
    assert more.difference.value == pytest.approx(0.2) and more.holm_p == more.p < 0.01 and more.verdict == "shown"
    assert fewer.p < 0.05 and fewer.verdict == "not shown"  # a difference, in the other direction
    assert same.verdict == "shown" and apart.verdict == "not shown" and apart.p > 0.9
    assert missing.verdict == "not played" and missing.p == 1.0
    assert same.holm_p > same.p  # one of four
    text = page((more, fewer, missing), found)
    assert "| `homing` | 70.0 [" in text and "| not played |" in text
    assert "| `warp`, gain, % | −150.0 [" in text, "0.3 below homing, the baseline, which is 0.2 below gtsim"


def test_runs_of_several_seeds_are_averaged_by_episode(tmp_path: Path, suite: Suite) -> None:
    write_small_run(tmp_path, suite, "look", solved_by(0.4))
    write_small_run(tmp_path, suite, "none", solved_by(0.4), seeds=(0, 1))
    found = find_runs([tmp_path], suite)
    (same,) = judge([claim(EQUIVALENT, "look", "none")], found)
    assert same.difference is not None and same.difference.n == 120


def test_a_model_that_was_played_with_other_weights_on_another_tier_is_refused(tmp_path: Path, suite: Suite) -> None:
    """The latest run of each tier is taken, so that a new checkpoint must have been played on all of them."""

    def played(tier: str, sha256: str, created_at: float) -> None:
        known = known_manifest("FTmini")
        manifest = {**known, "weights": FROM_HUB, "checkpoint": {**known["checkpoint"], "sha256": sha256}}
        write_small_run(
            tmp_path, suite, "FTmini", solved_by(0.5), tier, created_at=created_at, run_id=f"{tier}-{sha256}",
            changes={"wm_manifest": manifest, "wm_manifest_hash": digest(manifest)},
        )  # fmt: skip

    claims = [claim(MORE, "FTmini", "copy"), claim(MORE, "FTmini", "copy").model_copy(update={"tier": "detour"})]
    played("precise", "a" * 64, 1.0)
    played("detour", "a" * 64, 2.0)
    judge(claims, find_runs([tmp_path], suite))
    played("precise", "b" * 64, 3.0)
    with pytest.raises(Refusal, match=r"FTmini were played with several weights: b{12} on precise, a{12} on detour"):
        judge(claims, find_runs([tmp_path], suite))
    played("detour", "b" * 64, 4.0)
    judge(claims, find_runs([tmp_path], suite))


def test_a_damaged_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "claims.toml"
    file.write_text("[[claim]]\nfamily = 'a'\nsays = 'is nicer'\n")
    with pytest.raises(Refusal, match="says"):
        read_claims(file)
    assert main([str(file), str(tmp_path)]) == 2 and "error:" in capsys.readouterr().err


def test_the_declared_claims_name_world_models_and_tiers_of_the_suite(suite: Suite) -> None:
    claims = read_claims(DECLARED)
    assert [one.tier for one in claims if one.family == "primary"] == ["detour"]
    assert {one.model for one in claims} == {"mini", "FTmini"}
