"""No number of a run is believed that its own files contradict: the run is DAMAGED, and the row is named."""

from __future__ import annotations

import functools
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.auditing.audit import audit
from harness.cli.app import main
from harness.contracts.digest import digest
from harness.records.errors import RecordError
from harness.records.folder import RunFolder
from tests.auditing.written_run import change, edit_json, edit_trajectory, written_run

FIRST, SECOND = "validation-0000-00", "validation-0001-00"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_run(tmp_path_factory.mktemp("untouched")).path


@pytest.fixture(scope="module")
def from_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from before the digests of records and of the plan."""
    return written_run(tmp_path_factory.mktemp("before"), old=True).path


@pytest.fixture
def run(untouched: Path, tmp_path: Path) -> RunFolder:
    shutil.copytree(untouched, tmp_path / "run")
    return RunFolder.open(tmp_path / "run")


def edited(folder: RunFolder, name: str = "wm") -> Any:
    return json.loads((folder.path / "run.json").read_bytes())["identity"][name]


def forge_metric(folder: RunFolder) -> None:
    """Write a better SPL into journal and file, with a digest that fits both."""

    def better(value: Any) -> None:
        value["result"]["metrics"]["spl"] = 1.0

    found = edit_trajectory(folder, f"{SECOND}-s0", better)
    metrics = json.loads((folder.episodes / f"{SECOND}-s0" / "trajectory.json").read_bytes())["result"]["metrics"]
    text = json.dumps(metrics, sort_keys=True)
    change(folder, "UPDATE episodes SET metrics = ?, record_digest = ? WHERE episode = ?", text, found, SECOND)


def forge_success(folder: RunFolder) -> None:
    """Turn a failure into a success everywhere, but for the place where the agent ended."""

    def nearer(value: Any) -> None:
        trajectory = value["trajectory"]
        trajectory["solved"], trajectory["final_distance_m"] = True, 0.1
        value["result"]["state"] = "ok"
        from harness.contracts.from_plain import from_plain
        from harness.contracts.trajectories import Trajectory
        from tasks.ignav.outcome import measure

        walked = from_plain(Trajectory, trajectory)
        value["result"]["trajectory_digest"] = walked.digest()
        value["result"]["metrics"] = measure(folder.identity.episode(SECOND), walked)

    found = edit_trajectory(folder, f"{SECOND}-s0", nearer)
    result = json.loads((folder.episodes / f"{SECOND}-s0" / "trajectory.json").read_bytes())["result"]
    values = ("ok", json.dumps(result["metrics"], sort_keys=True), result["trajectory_digest"], found, SECOND)
    change(
        folder,
        "UPDATE episodes SET state = ?, metrics = ?, trajectory_digest = ?, record_digest = ? WHERE episode = ?",
        *values,
    )


def exchange_files(folder: RunFolder) -> None:
    shutil.rmtree(folder.episodes / f"{SECOND}-s0")
    shutil.copytree(folder.episodes / f"{FIRST}-s0", folder.episodes / f"{SECOND}-s0")


TIMES = [
    *(("committed_at", value) for value in (-1.0, 0.0, 1.7e9, 1e300, math.inf)),
    *(("timings", value) for value in (-0.5, 1e9, 1e300, 10**300)),
]
"""Times that no row can have, in a run that was made at 1.79e9."""


def change_time(folder: RunFolder, field: str, value: float) -> None:
    change(
        folder,
        f"UPDATE episodes SET {field} = ? WHERE episode = ?",
        json.dumps({"decide": value}) if field == "timings" else value,
        SECOND,
    )


def plant(folder: RunFolder) -> None:
    """Put the episode of another run into journal and files, with digests that fit but for the plan's."""
    found = edit_trajectory(folder, f"{SECOND}-s0", lambda value: value.update(plan_digest="ab" * 32))
    change(folder, "UPDATE episodes SET record_digest = ? WHERE episode = ?", found, SECOND)


def link_files(folder: RunFolder) -> None:
    (folder.episodes / f"{SECOND}-s0").rename(folder.path / "elsewhere")
    (folder.episodes / f"{SECOND}-s0").symlink_to(folder.path / "elsewhere")


TAMPERINGS: dict[str, Callable[[RunFolder], object]] = {
    "state": lambda f: change(f, "UPDATE episodes SET state = 'ok' WHERE episode = ?", SECOND),
    "state hidden as an error": lambda f: change(f, "UPDATE episodes SET state = 'error' WHERE episode = ?", SECOND),
    "state hidden as planned": lambda f: change(f, "UPDATE episodes SET state = 'planned' WHERE episode = ?", SECOND),
    "metrics": lambda f: change(f, "UPDATE episodes SET metrics = '{\"success\": 1.0}' WHERE episode = ?", SECOND),
    "metrics in both": forge_metric,
    "success in both": forge_success,
    "attempts": lambda f: change(f, "UPDATE episodes SET attempts = 3 WHERE episode = ?", SECOND),
    "fewer seconds": lambda f: change(f, "UPDATE episodes SET timings = '{}' WHERE episode = ?", SECOND),
    "another minute": lambda f: change(
        f, "UPDATE episodes SET committed_at = committed_at + 60 WHERE episode = ?", SECOND
    ),
    "home": lambda f: change(f, "UPDATE episodes SET home = 'elsewhere' WHERE episode = ?", SECOND),
    "digest": lambda f: change(f, "UPDATE episodes SET trajectory_digest = ? WHERE episode = ?", "ab" * 32, SECOND),
    "record digest": lambda f: change(f, "UPDATE episodes SET record_digest = ? WHERE episode = ?", "ab" * 32, SECOND),
    "no record digest": lambda f: change(f, "UPDATE episodes SET record_digest = '' WHERE episode = ?", SECOND),
    "deleted row": lambda f: change(f, "DELETE FROM episodes WHERE episode = ?", SECOND),
    "exchanged rows": lambda f: change(f, "UPDATE episodes SET position = 3 - position"),
    "added row": lambda f: change(
        f, "INSERT INTO episodes (position, task, tier, episode, seed, home, state) "
        "VALUES (9, 'ignav', 'easy', 'validation-0001-00-more', 0, 'h', 'planned')"
    ),
    "files gone": lambda f: shutil.rmtree(f.episodes / f"{SECOND}-s0"),
    "files exchanged": lambda f: exchange_files(f),
    "state in the file": lambda f: edit_trajectory(f, f"{SECOND}-s0", lambda v: v["result"].update(state="ok")),
    "distance in the file": lambda f: edit_trajectory(
        f, f"{SECOND}-s0", lambda v: v["trajectory"].update(final_distance_m=0.1), sealed=False
    ),
    "world model in the file": lambda f: edit_trajectory(f, f"{SECOND}-s0", lambda v: v["trajectory"].update(wm="x")),
    "files of another run": plant,
    **{f"{field} {value}": functools.partial(change_time, field=field, value=value) for field, value in TIMES},
    "linked files": lambda f: link_files(f),
}  # fmt: skip


def test_an_untouched_run_is_sound(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run.path)]) == 0
    assert "DAMAGED" not in "".join(capsys.readouterr())
    results = json.loads((run.path / "results.json").read_bytes())
    assert (results["damaged"], results["damage"], results["unchecked"]) == (False, [], [])


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_row_that_was_tampered_with_is_named_everywhere(
    run: RunFolder, tampering: str, capsys: pytest.CaptureFixture[str]
) -> None:
    TAMPERINGS[tampering](run)
    assert main(["report", str(run.path)]) == 1
    printed = capsys.readouterr().out
    assert "DAMAGED" in printed and SECOND in printed
    results = json.loads((run.path / "results.json").read_bytes())
    assert results["damaged"] and any(SECOND in damage["where"] for damage in results["damage"])
    page = (run.path / "report.html").read_text("utf-8")
    assert "DAMAGED" in page and SECOND in page


def test_imported_episodes_are_stamped_everywhere(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run.path / "journal.sqlite").unlink()
    run.journal_to_write().close()
    assert main(["report", str(run.path)]) == 0
    assert "4 episodes imported from episodes/" in capsys.readouterr().out
    results = json.loads((run.path / "results.json").read_bytes())
    assert results["stamps"] == ["imported"] and "4 episodes imported" in results["notes"][0]
    page = (run.path / "report.html").read_text("utf-8")
    assert "imported" in page and "4 episodes imported from" in page
    other = written_run(tmp_path / "other", "copy", run_id="other")
    assert main(["compare", str(other.path), str(run.path), "--out", str(tmp_path / "page"), "--json"]) == 0
    assert "imported" in capsys.readouterr().out


@pytest.mark.parametrize("tampering", ["state", "metrics in both", "deleted row", "files gone"])
def test_a_damaged_run_is_compared_with_nothing(
    run: RunFolder, untouched: Path, tampering: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TAMPERINGS[tampering](run)
    other = written_run(tmp_path / "other", "copy")
    assert main(["compare", str(other.path), str(run.path), "--out", str(tmp_path / "page")]) == 1
    assert SECOND in capsys.readouterr().err


def test_the_journal_of_another_run_is_noticed(run: RunFolder, tmp_path: Path) -> None:
    other = written_run(tmp_path / "other", run_id="other")  # the same plan, the same walks, another run
    shutil.copy(other.path / "journal.sqlite", run.path / "journal.sqlite")
    assert "journal.sqlite" in audit(run).findings.where


def test_a_journal_that_lost_whose_it_is_is_damage_and_is_not_continued(run: RunFolder) -> None:
    change(run, "DROP TABLE plan")
    assert "journal.sqlite" in audit(run).findings.where
    with pytest.raises(RecordError, match=r"which plan it belongs to.*Move journal.sqlite away"):
        run.journal_to_write()


@pytest.mark.parametrize("played", [True, False])
def test_a_journal_from_before_plans_is_continued_and_then_says_whose_it_is(tmp_path: Path, played: bool) -> None:
    run = written_run(tmp_path, old=True)
    if not played:
        change(run, "UPDATE episodes SET state = 'planned', metrics = '{}', timings = '{}', attempts = 0, "
               "trajectory_digest = '', committed_at = NULL")  # fmt: skip
    run.journal_to_write().close()
    assert run.account()[1] == run.plan_digest and not audit(run).findings.damage


RUN_JSON: dict[str, Callable[[Any], object]] = {
    "radius": lambda v: [episode.update(radius_m=5.0) for episode in v["identity"]["episodes"]],
    "goal": lambda v: v["identity"]["episodes"][0]["goal"].update(position=[0.0, 0.0, 0.0]),
    "fewer episodes": lambda v: v["identity"]["episodes"].pop(),
    "other episodes": lambda v: v["identity"]["episodes"][0].update(id="validation-0009-00"),
    "world model": lambda v: v["identity"].update(wm="gtsim"),
    "world model and manifest": lambda v: (
        v["identity"].update(wm="gtsim"), v["identity"]["wm_manifest"].update(name="gtsim"),
        v["identity"].update(wm_manifest_hash=digest(v["identity"]["wm_manifest"])),
    ),
    "manifest": lambda v: v["identity"]["wm_manifest"].update(steps=50),
    "manifest hash": lambda v: v["identity"].update(wm_manifest_hash="ab" * 32),
    "stop rule": lambda v: v["identity"].update(stop="oracle"),
    "loop": lambda v: v["identity"]["specs"]["loop"].update(decisions=99),
    "no specs": lambda v: v["identity"].update(specs={}),
    "no loop": lambda v: v["identity"]["specs"].pop("loop"),
    "planner": lambda v: v["identity"].update(planner="vlm/vlm/vlm"),
    "called all": lambda v: v["identity"].update(episodes_subset="all"),
    "called mini": lambda v: v["identity"].update(episodes_subset="mini"),
    "split": lambda v: v["identity"].update(split="test"),
}  # fmt: skip


def other_manifest(value: Any, **fields: Any) -> object:
    """Change the manifest of the world model, with a hash that fits, and return the identity."""
    identity = value["identity"]
    settings = {**identity["wm_manifest"]["settings"], **fields.pop("settings", {})}
    identity["wm_manifest"].update(**fields, settings=settings)
    identity["wm_manifest_hash"] = digest(identity["wm_manifest"])
    return identity


MANIFESTS: dict[str, Callable[[Any], object]] = {
    "entry point": lambda v: other_manifest(v, entry_point="copy_model:Copy"),
    "setting": lambda v: other_manifest(v, settings={"depth_m": 9.0}),
    "setting more": lambda v: other_manifest(v, settings={"more": 1}),
    "fact": lambda v: other_manifest(v, max_batch=1),
    "override of other value": lambda v: (
        other_manifest(v, settings={"depth_m": 9.0}), v["identity"].update(wm_overrides={"depth_m": 8.0})
    ),
    "override that is not there": lambda v: v["identity"].update(wm_overrides={"depth_m": 8.0}),
    "override of what none may change": lambda v: (
        other_manifest(v, entry_point="copy_model:Copy"),
        v["identity"].update(wm_overrides={"entry_point": "copy_model:Copy"}),
    ),
    "weights": lambda v: other_manifest(v, weights="hub"),
    "random weights": lambda v: other_manifest(v, weights="random"),
    "source": lambda v: other_manifest(v, checkpoint={"source": "a/b", "revision": "", "sha256": ""}),
    "no settings": lambda v: (
        v["identity"]["wm_manifest"].pop("settings"),
        v["identity"].update(wm_manifest_hash=digest(v["identity"]["wm_manifest"])),
    ),
    "family": lambda v: other_manifest(v, family="mini"),
}  # fmt: skip


@pytest.mark.parametrize("edit", MANIFESTS)
def test_a_manifest_that_is_not_the_catalogs_is_damage_unless_the_run_names_what_was_set(
    edit: str, tmp_path: Path
) -> None:
    run = written_run(tmp_path, old=True)  # no journal says which plan it was
    edit_json(run.path / "run.json", MANIFESTS[edit])
    assert "run.json" in audit(RunFolder.open(run.path)).findings.where


def test_a_named_override_is_no_damage(tmp_path: Path) -> None:
    run = written_run(tmp_path, old=True)
    edit_json(
        run.path / "run.json",
        lambda v: (
            other_manifest(v, settings={"depth_m": 9.0}, max_batch=2, description="x"),
            v["identity"].update(wm_overrides={"depth_m": 9.0, "max_batch": 2}),
        ),
    )
    found = audit(RunFolder.open(run.path)).findings
    assert not found.damage and not found.unchecked


def test_a_manifest_of_other_code_is_said_to_be_another_versions(tmp_path: Path) -> None:
    run = written_run(tmp_path, old=True)
    edit_json(
        run.path / "run.json",
        lambda v: (
            other_manifest(v, settings={"depth_m": 9.0}),
            v["identity"]["wm_digests"].update({"code reference": "ab" * 32}),
        ),
    )
    found = audit(RunFolder.open(run.path)).findings
    assert not found.damage and "other code" in found.unchecked[0] and "depth_m" in found.unchecked[0]


def test_a_strangers_process_without_its_stamp_is_damage(tmp_path: Path) -> None:
    run = written_run(tmp_path, old=True)

    def stranger(value: Any) -> None:
        value["identity"]["wm"] = "stranger"
        other_manifest(value, name="stranger", family="strange")

    edit_json(run.path / "run.json", stranger)
    found = audit(RunFolder.open(run.path)).findings
    assert any("unsandboxed" in damage.what for damage in found.damage)
    image = {"reference": "mine", "id": f"sha256:{'a' * 64}", "repo_digest": ""}
    edit_json(run.path / "run.json", lambda v: v["identity"].update(wm_image=image))  # and of no image
    found = audit(RunFolder.open(run.path)).findings
    assert sum("unsandboxed" in damage.what or "image" in damage.what for damage in found.damage) == 2
    edit_json(run.path / "run.json", lambda v: v["identity"].update(stamps=["unsandboxed"], wm_image=None))
    assert "run.json" not in audit(RunFolder.open(run.path)).findings.where


@pytest.mark.parametrize("old", [False, True], ids=["bound to its journal", "from before"])
@pytest.mark.parametrize("edit", RUN_JSON)
def test_an_edited_run_json_is_noticed(
    edit: str, old: bool, untouched: Path, from_before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(from_before if old else untouched, tmp_path / "run")
    edit_json(run / "run.json", RUN_JSON[edit])
    assert main(["report", str(run)]) == 1
    printed = capsys.readouterr().out
    assert "DAMAGED" in printed and ("run.json" in printed or "validation-" in printed)


def test_a_run_from_before_the_digests_of_records_still_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = written_run(tmp_path, old=True)
    assert main(["report", str(run.path)]) == 0
    assert "DAMAGED" not in capsys.readouterr().out
    change(run, "UPDATE episodes SET state = 'ok' WHERE episode = ?", SECOND)
    assert main(["report", str(run.path)]) == 1


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ({"suite_hash": "ab" * 32}, "another version"),
        ({"suite": "embedded-v0"}, "not checked"),
        ({"wm": "stranger"}, "only the hash was checked"),
    ],
)
def test_what_cannot_be_checked_here_is_said_and_is_no_damage(
    edit: dict[str, str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = written_run(tmp_path, old=True)

    def moved(value: Any) -> None:
        value["identity"].update(edit)
        value["identity"]["wm_manifest"]["name"] = value["identity"]["wm"]
        value["identity"]["wm_manifest_hash"] = digest(value["identity"]["wm_manifest"])

    edit_json(run.path / "run.json", moved)
    for row in run.rows():
        edit_trajectory(
            run, row.key.folder_name, lambda v: v["trajectory"].update(wm=edit.get("wm", "warp")), sealed=False
        )
    assert main(["report", str(run.path)]) == 0
    printed = capsys.readouterr().out
    assert says in printed and "DAMAGED" not in printed


def test_damage_that_was_found_while_playing_is_kept(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    found = [{"where": f"{SECOND}-s0", "what": "its files were changed"}]
    (run.path / "damage.json").write_text(json.dumps(found))
    assert main(["report", str(run.path)]) == 1
    assert SECOND in capsys.readouterr().out
