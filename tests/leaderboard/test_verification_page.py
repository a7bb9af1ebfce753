"""The page of one verification: what `verify --json` prints, readable, with a stranger's words as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.contracts.digest import to_plain
from harness.contracts.results import FAILED, OK, TIMEOUT, EpisodeResult
from harness.leaderboard.comparing import pair, summed
from harness.leaderboard.verifying import replayed, verify
from harness.reporting.site_pages import verification_html
from tests.leaderboard.conftest import Ready


def text_of(page: Path) -> str:
    return " ".join(page.read_text().split())


def test_verify_writes_a_page_of_what_it_found(
    ready: Ready, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, page, bad = ready.bundle(tmp_path / "b.zip"), tmp_path / "v.html", tmp_path / "<b>.zip"
    assert main(["verify", str(bundle), "--html", str(page)]) == 0
    assert "holds" in capsys.readouterr().out
    said = text_of(page)
    assert "Holds:" in said and "warp" in said and "Not looked at" in said and "not compared with a known key" in said
    assert "<script" not in said and "http" not in said.replace("http-equiv", "")
    assert main(["verify", str(bundle), "--html", str(page), "--signer", "nobody"]) == 1
    assert "Does not hold" in text_of(page) and "none of the signers" in text_of(page)
    bad.write_bytes(b"<script>alert(1)</script>")
    assert main(["verify", str(bad), "--html", str(page)]) == 1
    assert "no-zip" in text_of(page) and "<b>" not in text_of(page).replace("<b>none", "")


def test_a_page_takes_the_place_of_no_folder_and_of_no_draw(ready: Ready, tmp_path: Path) -> None:
    bundle = ready.bundle(tmp_path / "b.zip")
    assert main(["verify", str(bundle), "--html", str(tmp_path)]) == 1
    draw = ["verify", str(bundle), "--draw", "--randomness", "1", "--html", str(tmp_path / "v.html")]
    assert main(draw) == 2 and not (tmp_path / "v.html").exists()


def test_what_was_played_again_is_told(ready: Ready, tmp_path: Path) -> None:
    found = verify(ready.bundle(tmp_path / "b.zip"))
    record = EpisodeResult("e<1>", "home", 0, OK, {}, "ab" * 32)
    slow = replace(record, state=TIMEOUT, error="it did not answer </td><script>")
    lost = replace(record, state=FAILED, trajectory_digest="cd" * 32)
    pairs = [pair("one", record, again, exact) for again, exact in ((record, True), (lost, False), (slow, True))]
    verification = replayed(found, summed(pairs, 12, "drand 7", False))
    page = " ".join(verification_html({"holds": True, **to_plain(verification)}).split())
    assert "3 of 12 episodes were drawn with <code>drand 7</code>" in page
    assert "Of 2 that could be compared, 1 are equal to the last bit" in page
    assert "could not all be" in page and "Holds:" not in page
    assert "Not played again: 1 ×" in page and "&lt;/td&gt;&lt;script&gt;" in page and "<script" not in page
