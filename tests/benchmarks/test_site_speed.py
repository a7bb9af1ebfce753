"""How long a leaderboard of 200 submissions takes to make and to open; run with ``-n 0 --benchmark-only``.

python -m pytest tests/benchmarks/test_site_speed.py --benchmark-only -n 0
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.leaderboard import admission
from harness.leaderboard.boards import make_boards
from harness.leaderboard.entries import Entry, read_entry
from harness.leaderboard.site import BOARDS, write_site
from harness.leaderboard.verifying import NOTHING
from harness.scoring.summary import NO_CONTEXT
from tests.leaderboard.conftest import Ready, made  # noqa: F401  (a fixture)
from tests.leaderboard.many import many_entries
from tests.leaderboard.submissions import outcomes, write_bundle
from tests.reporting.chromium import FLAGS, PATH, needs_chromium

SUBMISSIONS = 200


@pytest.fixture(scope="module")
def bundle(made: Ready, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:  # noqa: F811
    """A bundle of 120 test and 120 fresh episodes."""
    folder = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission, "load_suite", lambda name, task: made.suite)
        yield write_bundle(made, folder, outcomes(0.6, 1, 120), "model", outcomes(0.6, 2, 120), 1.0, pictures=True)


def read(bundle: Path, folder: Path) -> Entry:
    _, entry = read_entry(bundle, NOTHING, lambda run, data: NO_CONTEXT, folder)
    assert entry is not None
    return entry


def test_verify_and_read_a_bundle_of_240_episodes(benchmark: Any, bundle: Path, tmp_path: Path) -> None:
    """What a submission adds to building a site."""
    benchmark.pedantic(read, args=(bundle, tmp_path), rounds=3)


def test_rank_and_write_two_hundred(benchmark: Any, bundle: Path, tmp_path: Path) -> None:
    """19,900 paired tests a table, and the pages."""
    entries = tuple(many_entries(read(bundle, tmp_path / "media"), SUBMISSIONS))

    def write() -> None:
        shutil.rmtree(tmp_path / "site", ignore_errors=True)
        write_site(tmp_path / "site", "Leaderboard", entries, make_boards(entries, {}), {})

    benchmark.pedantic(write, rounds=1)


@needs_chromium
@pytest.mark.parametrize("page", ("index", "board"))
def test_open_a_page_of_two_hundred(benchmark: Any, bundle: Path, tmp_path: Path, page: str) -> None:
    """Goal: 2 s from navigation to the loaded page. The benchmark's own figure includes starting the browser."""
    entries = tuple(many_entries(read(bundle, tmp_path / "media"), SUBMISSIONS))
    write_site(tmp_path / "site", "Leaderboard", entries, make_boards(entries, {}), {})
    (board,) = (tmp_path / "site" / BOARDS).iterdir()
    target = board if page == "board" else tmp_path / "site" / "index.html"
    assert page == "index" or target.read_text().count("<tr ") >= SUBMISSIONS
    # The page runs no script and allows none: a copy that does says when it was loaded and laid out.
    script = "<script>onload=()=>{document.body.offsetHeight;document.title='loaded '+performance.now()}</script>"
    timed = target.with_name(f"timed-{target.name}")
    timed.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', script, target.read_text()))
    milliseconds: list[float] = []

    def open_page() -> None:
        profile = tmp_path / f"profile-{len(milliseconds)}"
        command = (str(PATH), *FLAGS, f"--user-data-dir={profile}", "--dump-dom", timed.absolute().as_uri())
        dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        shutil.rmtree(profile, ignore_errors=True)
        found = re.search(r"<title>loaded ([0-9.]+)", dom)
        assert found, "the page was not loaded"
        milliseconds.append(float(found.group(1)))

    benchmark.pedantic(open_page, rounds=5)
    benchmark.extra_info["loaded_ms"] = sorted(milliseconds)
    benchmark.extra_info["bytes"] = target.stat().st_size
