"""Comparing runs: what is refused and with which words, what is paired, and what is said."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import pytest

from harness.contracts.errors import Refusal
from harness.contracts.results import ERROR, FAILED, OK, PLANNED, EpisodeResult
from harness.records.identity import EpisodeKey
from harness.records.journal import JournalRow
from harness.scoring.comparing import Comparison, as_plain, compare, labels
from harness.scoring.comparing_matching import Terms, check_comparable
from harness.scoring.data import RunData
from tests.image_goals import changed
from tests.scoring.synthetic import synthetic_episodes, synthetic_record, synthetic_run

HOMES, PER_HOME = 60, 2
LOOP: Mapping[str, Any] = {"proposer": {"name": "fan", "params": {"headings": 8}}, "reviser": {"name": "similarity"}}


def run_of(wm: str, states: Sequence[str], seeds: Tuple[int, ...] = (0,), **changes: Any) -> RunData:
    """Return a run with these states, in the order of seeds and episodes; solved ones end at the goal."""
    episodes = changes.pop("episodes", synthetic_episodes(HOMES, PER_HOME))
    identity: Dict[str, Any] = {"specs": {"loop": LOOP}, **changes}
    record = synthetic_record(wm, episodes, seeds=seeds, **identity)
    rows = []
    keys = [(seed, episode) for seed in seeds for episode in episodes]
    for number, ((seed, episode), state) in enumerate(zip(keys, states, strict=True)):
        numbers = {"spl": 0.8, "final_distance_m": 0.2} if state == OK else {"spl": 0.0, "final_distance_m": 2.0}
        metrics = numbers if state in (OK, FAILED) else {}
        result = EpisodeResult(episode.id, episode.home, seed, state, metrics, "")
        rows.append(JournalRow(EpisodeKey("ignav", "easy", episode.id, seed), number, 1, result, None))
    return RunData(record, tuple(rows), metrics=record.metrics)


def states(solved_each: int, of: int = 10, n: int = HOMES * PER_HOME) -> List[str]:
    """Return ``solved_each`` solved of every ``of`` episodes."""
    return [OK if i % of < solved_each else FAILED for i in range(n)]


def warp() -> RunData:
    return run_of("warp", states(5))


def refusal(*runs: RunData, terms: Terms | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        compare(runs, terms=terms)
    return caught.value


# ---- what is refused


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("suite", "embedded-v2"),
        ("suite_hash", "0" * 64),
        ("task", "ar"),
        ("tier", "detour"),
        ("split", "validation"),
        ("stop", "oracle"),
        ("seeds", (1,)),
        ("planner", "vlm"),
    ],
)
def test_a_differing_field_is_named_with_both_values(field: str, value: Any) -> None:
    first, other = warp(), run_of("mini", states(6))
    record = other.record
    changed = dataclasses.replace(record, identity=dataclasses.replace(record.identity, **{field: value}))
    error = refusal(first, dataclasses.replace(other, record=changed))
    assert field in error.what
    shown = [v if isinstance(v, str) else repr(v) for v in (getattr(first.identity, field), value)]
    assert all(text[:40] in error.what for text in shown)
    assert first.record.run_id in error.what and other.record.run_id in error.what
    assert error.next_step


def test_a_constant_deep_in_the_loop_is_named() -> None:
    loop = {**LOOP, "proposer": {"name": "fan", "params": {"headings": 16}}}
    error = refusal(warp(), run_of("mini", states(6), specs={"loop": loop}))
    assert "specs.loop.proposer.params.headings differs: 8 in warp" in error.what and "16 in mini" in error.what


def test_a_missing_setting_is_a_difference() -> None:
    error = refusal(warp(), run_of("mini", states(6), specs={"loop": LOOP, "vlm": {"prompt": "Choose."}}))
    assert "specs.vlm differs: (missing) in warp" in error.what


def test_other_episodes_are_counted_and_one_is_named() -> None:
    fewer = synthetic_episodes(HOMES - 1, PER_HOME)
    error = refusal(warp(), run_of("mini", states(6, n=len(fewer)), episodes=fewer))
    assert "warp-ignav-easy has 120 episodes and mini-ignav-easy has 118, of which 118 are in both" in error.what
    assert "easy-test-0118 is in warp-ignav-easy alone" in error.what


def test_an_episode_of_the_same_name_with_another_start_is_a_difference() -> None:
    episodes = synthetic_episodes(HOMES, PER_HOME)
    moved = (changed(episodes[0], radius_m=0.3), *episodes[1:])
    assert "episode easy-test-0000 (1 differ)" in refusal(warp(), run_of("mini", states(6), episodes=moved)).what


def test_one_run_and_the_same_run_twice_are_refused() -> None:
    assert "1 run cannot" in refusal(warp()).what
    assert "was given twice" in refusal(warp(), warp()).what


def test_a_later_run_is_checked_too() -> None:
    assert "split" in refusal(warp(), run_of("mini", states(6)), run_of("gtsim", states(9), split="validation")).what


def test_partial_runs_are_refused_until_asked_for_and_then_stamped() -> None:
    partial = run_of("mini", [ERROR, ERROR, PLANNED, *states(6)[3:]])
    error = refusal(warp(), partial)
    assert "PARTIAL: 117 of 120" in error.what and "--resume" in error.next_step
    comparison = compare([warp(), partial], terms=Terms(allow_partial=True))
    assert comparison.pairs == 119 and comparison.planned == 120
    assert any(note.startswith("PARTIAL") and "2 broke" in note for note in comparison.notes)
    broken = comparison.contrasts[0].outcomes
    assert broken.only_baseline == 2  # they keep their place and count as not solved


def test_runs_that_share_no_played_episode_are_refused() -> None:
    nothing = run_of("mini", [PLANNED] * 120)
    assert "share no played episode" in refusal(warp(), nothing, terms=Terms(allow_partial=True)).what


# ---- what is tolerated, and said


def manifest(template: str) -> Dict[str, Any]:
    return {"name": "video", "conditioning": "text", "settings": {"prompt_template": template}}


def test_prompts_must_be_equal_unless_allowed() -> None:
    first = run_of("svd", states(5), wm_manifest=manifest('name = "ours"\ntemplate = "{actions}"\n'))
    other = run_of("wan", states(6), wm_manifest=manifest('name = "theirs"\ntemplate = "Move: {actions}"\n'))
    error = refusal(first, other)
    assert "prompt_template differs: ours (sha256" in error.what and "theirs (sha256" in error.what
    notes = check_comparable([first, other], Terms(allow_prompts=True))
    assert any(note.startswith("PROMPTS DIFFER") for note in notes)
    assert not check_comparable([first, run_of("gtsim", states(9))], Terms())  # a model that reads no text


def test_a_reference_may_have_the_reviser_that_the_suite_gives_it() -> None:
    uniform = {**LOOP, "reviser": {"name": "uniform"}}
    none = run_of("none", states(1), specs={"loop": uniform}, planner="fan/uniform")
    assert "specs.loop.reviser.name" in refusal(warp(), none).what
    terms = Terms(loop=LOOP, reference_loops={"none": uniform})
    comparison = compare([none, warp()], terms=terms)
    assert any("none is a reference that the suite plays with the reviser 'uniform'" in n for n in comparison.notes)
    cheat = run_of("mini", states(9), specs={"loop": uniform}, planner="fan/uniform")
    assert "specs.loop.reviser.name" in refusal(warp(), cheat, terms=terms).what


def test_what_may_differ_is_said() -> None:
    other = run_of("mini", states(6), view="perspective")
    provenance = dataclasses.replace(other.record.provenance, git_commit="def")
    other = dataclasses.replace(other, record=dataclasses.replace(other.record, provenance=provenance))
    notes = check_comparable([warp(), other], Terms())
    assert any("views" in note for note in notes) and any("different commits" in note for note in notes)


def test_stamps_are_kept() -> None:
    comparison = compare([warp(), run_of("mini", states(6), stamps=("random-weights",))])
    assert comparison.runs[1].stamps == ("random-weights",)


def test_runs_of_one_model_are_told_apart_by_their_overrides() -> None:
    runs = [run_of("wan", states(5), wm_overrides={"steps": steps}) for steps in (10, 35)]
    assert labels(runs) == ("wan (steps=10)", "wan (steps=35)")


# ---- what is said


def test_a_clear_difference_is_found_with_its_counts() -> None:
    comparison = compare([warp(), run_of("gtsim", states(9))])
    contrast = comparison.contrasts[0]
    assert contrast.verdict == "more"
    assert (contrast.outcomes.only_other, contrast.outcomes.only_baseline) == (48, 0)
    assert contrast.difference.value == pytest.approx(0.4)
    assert contrast.difference.low < 0.4 < contrast.difference.high
    assert contrast.homes_more + contrast.homes_fewer <= comparison.homes == 60
    spl = next(number for number in contrast.numbers if number.name == "spl")
    assert [spl.baseline, spl.other] == pytest.approx([0.4, 0.72])
    assert spl.p < 0.01 and spl.adjusted_p >= spl.p


def test_exchanging_the_runs_changes_signs_alone() -> None:
    runs = [warp(), run_of("mini", states(6))]
    there, back = compare(runs), compare(runs, baseline=1)
    mine, theirs = there.contrasts[0], back.contrasts[0]
    assert theirs.p == pytest.approx(mine.p)
    assert theirs.difference.value == -mine.difference.value
    assert theirs.difference.low == pytest.approx(-mine.difference.high)


def test_equal_runs_are_equivalent_and_an_honest_little_is_undecided() -> None:
    same = compare([warp(), run_of("mini", states(5))]).contrasts[0]
    assert same.verdict == "equivalent" and same.p == 1.0
    rather = [OK if i % 10 == 7 else FAILED if i % 20 == 2 else state for i, state in enumerate(states(5))]
    little = compare([warp(), run_of("mini", rather)]).contrasts[0]
    assert (little.outcomes.only_other, little.outcomes.only_baseline) == (12, 6)
    assert little.verdict == "undecided" and little.detectable is not None and 0.05 < little.detectable < 0.25


def test_several_runs_are_corrected_together() -> None:
    runs = [warp(), run_of("mini", states(6)), run_of("gtsim", states(9))]
    comparison = compare(runs)
    assert [contrast.other for contrast in comparison.contrasts] == [1, 2]
    assert all(contrast.adjusted_p >= contrast.p for contrast in comparison.contrasts)
    alone = compare(runs[:2]).contrasts[0]
    assert comparison.contrasts[0].adjusted_p == pytest.approx(alone.p)  # the larger of two p-values stays
    assert comparison.contrasts[1].adjusted_p == pytest.approx(2 * comparison.contrasts[1].p)


def test_seeds_are_paired_and_homes_stay_the_clusters() -> None:
    once = compare([warp(), run_of("mini", states(6))])
    five = tuple(range(5))
    pooled = compare([run_of("warp", states(5) * 5, five), run_of("mini", states(6) * 5, five)])
    assert pooled.pairs == 600 and pooled.homes == 60
    assert width(pooled) == pytest.approx(width(once), rel=0.06)  # five copies tell no more than one
    assert pooled.contrasts[0].mcnemar_p < once.contrasts[0].mcnemar_p  # which takes them for independent


def width(comparison: Comparison) -> float:
    difference = comparison.contrasts[0].difference
    return difference.high - difference.low


def test_few_homes_are_said() -> None:
    few = synthetic_episodes(10, 2)
    runs = [run_of(wm, states(each, n=20), episodes=few) for wm, each in (("warp", 5), ("mini", 6))]
    assert any("10 homes are few" in note for note in compare(runs).notes)


def test_the_plain_form_is_json_without_nan() -> None:
    one = synthetic_episodes(1, 2)
    runs = [run_of(wm, [OK, FAILED], episodes=one) for wm in ("warp", "mini")]
    plain = as_plain(compare(runs))
    assert json.loads(json.dumps(plain, allow_nan=False))["contrasts"][0]["verdict"] in ("undecided", "equivalent")


def test_gaps_are_compared_where_both_runs_have_them() -> None:
    names = {n.name for n in compare([synthetic_run("mini"), synthetic_run("warp")]).contrasts[0].numbers}
    assert {"spl", "final_distance_m", "gap_ssim"} <= names
    assert "gap_ssim" not in {
        n.name for n in compare([synthetic_run("mini"), synthetic_run("none")]).contrasts[0].numbers
    }


# ---- whether two runs are of the same world model


CODE = {"code mine": "a" * 64}


def notes_of(first: Mapping[str, str], second: Mapping[str, str], **changes: Any) -> str:
    runs = [run_of("mine", states(5), seeds=(0,), wm_digests=digests, **changes) for digests in (first, second)]
    named = [replace(run, record=replace(run.record, run_id=f"run-{i}")) for i, run in enumerate(runs)]
    return " ".join(check_comparable(named, Terms()))


def test_equal_bytes_are_the_same_world_model() -> None:
    assert "noise of its own" in notes_of(CODE, CODE)


@pytest.mark.parametrize("other", [{"code mine": "b" * 64}, {}, {**CODE, "checkpoint": "commit " + "c" * 40}])
def test_other_or_unknown_bytes_are_never_called_the_same(other: Mapping[str, str]) -> None:
    note = notes_of(CODE, other)
    assert "noise of its own" not in note
    if other:
        changed = next(name for name in {**CODE, **other} if CODE.get(name) != other.get(name))
        assert "NOT of the same world model" in note and changed in note
    else:
        assert "not known" in note


def test_runs_of_before_digests_are_compared_and_nothing_is_claimed() -> None:
    assert "not known" in notes_of({}, {})


def test_a_model_without_bytes_of_its_own_is_the_same() -> None:
    runs = [run_of("gtsim", states(5), wm_manifest={"kind": "environment"}) for _ in range(2)]
    named = [replace(run, record=replace(run.record, run_id=f"run-{i}")) for i, run in enumerate(runs)]
    assert "noise of its own" in " ".join(check_comparable(named, Terms()))


def test_runs_with_another_search_are_refused() -> None:
    four = run_of("FTmini", states(5), specs={"loop": LOOP, "search": {"candidates": 4}})
    found = refusal(warp(), four)
    assert "search differs: all candidates of every decision in" in found.what and "--candidates 4 in" in found.what
    assert "--wm-share" in found.next_step
    same = run_of("warp", states(5), specs={"loop": LOOP, "search": {"candidates": 4}})
    check_comparable((same, four), Terms())
