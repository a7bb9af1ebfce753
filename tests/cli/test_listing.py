"""`list wms`: who runs here and by which command, and what the others lack."""

from __future__ import annotations

from harness.cli.listing import suite_rows, wm_lines, wm_rows

ROWS = {row["name"]: row for row in wm_rows(())}


def row(name: str, options: str = "", lacks: str = "", refused: str = "") -> dict[str, str]:
    facts = {"family": "f", "view": "panorama", "conditioning": "none", "description": "d.", "suite": "wiw"}
    return {"name": name, "task": "ignav", "options": options, "lacks": lacks, "refused": refused, **facts}


def test_a_perspective_model_runs_here_on_the_tier_that_is_for_it() -> None:
    for name in ("copy-front", "warp-front", "warp"):
        assert (ROWS[name]["options"], ROWS[name]["lacks"], ROWS[name]["refused"]) == ("", "", "")


def test_a_model_whose_home_suite_is_not_here_is_listed_with_the_suite_that_plays_it() -> None:
    assert ROWS["ltx"]["options"] == "--suite embedded --tier easy-front"
    assert ROWS["FTcosmos"]["options"] == "--suite embedded"
    assert "suite" not in ROWS["ltx"]["lacks"] and "ee_pose8" in ROWS["FTsvd-manip"]["refused"]


def test_headings_are_commands_and_a_refusal_stands_with_its_model() -> None:
    rows = [
        row("arm", refused="arm moves an arm."),
        row("big", "--suite embedded", "weights"),
        row("hosted", "--suite embedded"),
        row("own"),
    ]
    lines = wm_lines(rows, 200)
    assert [line.partition(" (")[0] for line in lines if line and not line.startswith(" ")] == [
        "Run here: python benchmark.py --wm NAME --task ignav",
        "Run here",
        "Lack weights; with that they run here",
        "No suite plays them yet; to try one alone: python benchmark.py plugin check NAME",
        "What a model lacks, with the commands that get it: add --dry-run to its command.",
    ]
    assert "  big     d. (f · panorama)" in lines and "  arm     d. (f · panorama) arm moves an arm." in lines
    assert any("(not on wiw, their home suite): python benchmark.py" in line for line in lines)


def test_what_only_an_arm_can_be_asked_stands_under_its_task() -> None:
    assert ROWS["gtsim-offset-1cm"]["task"] == "manip" and ROWS["gtsim-walls"]["task"] == "ignav"


def test_no_line_is_wider_than_the_terminal() -> None:
    for width in (120, 80, 40):
        assert max(map(len, wm_lines(list(ROWS.values()), width))) <= width


def test_a_suite_that_is_not_here_says_so_once() -> None:
    (state,) = [row["hash"] for row in suite_rows() if row["suite"] == "wiw-v1"]
    assert state.count("cannot run here") == 1 and "suite" not in state
