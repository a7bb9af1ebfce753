"""`runs` says rate, model and state of every run, and `--page` writes one page that links to all of them."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.contracts.digest import digest
from harness.records.folder import RunFolder
from harness.reporting.report import write_report
from tests.auditing.written_run import change, written_run
from tests.reporting.chromium import dump_dom, needs_chromium
from tests.reporting.synthetic_folder import write_run
from tests.scoring.synthetic import synthetic_run

EVIL = "</td><script>alert(1)</script>"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder with three runs: complete with a report, one with an error and a stamp, one not begun."""
    good = write_run(tmp_path, synthetic_run("FTmine", 0.9, homes=3, per_home=2))
    write_report(good)
    write_run(tmp_path, synthetic_run("warp", 0.2, homes=3, per_home=2, errors=1, stamps=("uncarded",)))
    planted = synthetic_run("gtsim", homes=3, per_home=2, wm_overrides={"jitter_m": 0.2})
    identity, provenance = planted.record.identity, replace(planted.record.provenance, created_at=1.8e9)
    manifest = {**identity.wm_manifest, "settings": {**identity.wm_manifest.get("settings", {}), "jitter_m": 0.2}}
    identity = replace(identity, wm_manifest=manifest, wm_manifest_hash=digest(manifest))
    RunFolder.create(tmp_path, identity, {}, provenance, "fresh")
    return tmp_path


def listed(runs: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert main(["runs", "--out", str(runs), "--json"]) in (0, 1)
    return {row["run"]: row for row in json.loads(capsys.readouterr().out)["runs"]}


def test_every_run_has_rate_model_tier_and_state(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = listed(runs, capsys)
    good = rows["FTmine-ignav-easy"]
    assert good["state"] == "complete" and good["success_rate"] == good["solved"] / 6  # type: ignore[operator]
    assert rows["warp-ignav-easy"]["state"] == "PARTIAL" and rows["warp-ignav-easy"]["stamps"] == ["uncarded"]
    assert rows["fresh"]["state"] == "not begun" and rows["fresh"]["model"] == "gtsim (jitter_m=0.2)"
    assert {row["tier"] for row in rows.values()} == {"easy"}


def test_how_a_run_was_played_is_stamped_as_in_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written_run(tmp_path)
    change(folder, "UPDATE episodes SET imported = 1 WHERE position = 0")
    change(folder, "DROP TABLE chain")  # which would tell that no run did that
    (run,) = listed(tmp_path, capsys).values()
    assert main(["report", str(tmp_path / "run"), "--json"]) == 0
    assert run["stamps"] == json.loads(capsys.readouterr().out)["stamps"] == ["imported"]


@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_table_shows_them_at_every_width(
    runs: Path, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    main(["runs", "--out", str(runs)])
    said = capsys.readouterr().out
    rows = listed(runs, capsys)
    assert f"{100 * rows['FTmine-ignav-easy']['success_rate']:.1f} %" in said  # type: ignore[operator]
    for words in ("complete", "PARTIAL", "not begun", "uncarded", "fresh"):
        assert words in said
    assert said.count("FTmine ") + said.count("FTmine\n") == 1 and "gtsim (jitter_m=0.2)" in said
    assert (" tier " in said) == (width == 160)
    assert all(len(line) <= width for line in said.splitlines() if str(runs) not in line)


@needs_chromium
def test_the_page_breaks_names_at_hyphens_alone(tmp_path: Path, runs: Path) -> None:
    """As wide as a small laptop, where the column of the model is the narrowest."""
    main(["runs", "--page", "--out", str(runs)])
    page = runs / "index.html"
    measure = """<script>for (const small of document.querySelectorAll("#runs small")) {
      for (const word of small.textContent.split(/[-\\s]+/).filter(Boolean)) {
        const text = small.firstChild, at = text.textContent.indexOf(word);
        if (at < 0) continue;
        const range = new Range();
        range.setStart(text, at); range.setEnd(text, at + word.length);
        if (range.getClientRects().length > 1) document.body.dataset.broken = word;
      }
    } document.body.dataset.measured = "yes";</script></body>"""
    page.write_text(
        page.read_text("utf-8")
        .replace("FTmine-ignav-easy", "20261129-2350-ignav-easy-warp-s0-91aa")
        .replace("</body>", measure),
        "utf-8",
    )
    dom = dump_dom(page, tmp_path / "profile")
    assert 'data-measured="yes"' in dom and "data-broken" not in dom


def test_the_page_links_to_every_report(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--page", "--out", str(runs)]) == 0
    assert str(runs / "index.html") in capsys.readouterr().out
    page = (runs / "index.html").read_text(encoding="utf-8")
    assert 'href="FTmine-ignav-easy/report.html"' in page and 'href="fresh/"' in page
    assert "gtsim (jitter_m=0.2)" in page and "uncarded" in page and "not begun" in page
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page) and "default-src 'none'" in page


def test_the_page_is_named_as_json_too(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--page", "--json", "--out", str(runs)]) == 0
    assert json.loads(capsys.readouterr().out) == {"page": str(runs / "index.html")}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, file = tmp_path / "rusn", tmp_path / "file"
    file.write_text("")
    for named in (missing, file):
        assert main(["runs", "--out", str(named)]) == 0
        assert main(["runs", "--page", "--out", str(named)]) == 2
        printed = capsys.readouterr()
        assert printed.out == f"no runs: there is no folder {named}\n"
        assert printed.err.startswith(f"error: there is no folder {named} ")
    assert not missing.exists()


def test_names_are_escaped(tmp_path: Path) -> None:
    run = synthetic_run("FTmine", homes=3, per_home=2, tier="easy")
    identity = replace(run.identity, stop=EVIL)
    from harness.cli.run_list import COMPLETE, ListedFolder, write_page

    folder = write_run(tmp_path, run)
    record = replace(folder.record, identity=identity)
    folder.record = record
    page = write_page(tmp_path, [ListedFolder(folder, run.results, COMPLETE)]).read_text("utf-8")
    assert EVIL not in page and html.escape(EVIL) in page


@needs_chromium
def test_a_click_sorts_by_any_column(runs: Path, tmp_path: Path) -> None:
    main(["runs", "--page", "--out", str(runs)])
    page = runs / "index.html"
    assert order(dump_dom(page, tmp_path / "a")) == ["fresh", "FTmine-ignav-easy", "warp-ignav-easy"]
    click = "document.querySelectorAll('#runs thead button')[4].click();"
    page.write_text(page.read_text("utf-8").replace("</script>\n</body>", f"{click}</script>\n</body>"), "utf-8")
    assert order(dump_dom(page, tmp_path / "b"))[0] == "FTmine-ignav-easy", "the best rate stands first"


def order(dom: str) -> list[str]:
    body = dom[dom.index("<tbody>") :]
    return re.findall(r'<a href="([^"/]+)/', body)
