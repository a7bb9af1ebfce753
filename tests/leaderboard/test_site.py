"""The site: of bundles that hold alone, the same bytes for the same bundles, and a stranger's text stays text."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from harness.cli.app import main
from harness.contracts.digest import to_plain
from harness.contracts.results import OK, TIMEOUT, EpisodeResult
from harness.leaderboard import admission
from harness.leaderboard.admission import Reason
from harness.leaderboard.comparing import pair, summed
from harness.leaderboard.drawing import fresh_seed
from harness.leaderboard.submitting import SHOWN, Submission
from harness.leaderboard.verifying import Verification, replayed, verify
from harness.records.identity import ImageRecord
from harness.reporting.site_pages import shown_name
from tests.leaderboard.conftest import COMMIT, DIGEST, IMAGE, ROWS, Ready, at_commit, write_run
from tests.leaderboard.submissions import MOVIE, outcomes, write_bundle
from tests.leaderboard.test_forged_bundles import read, signed_again, write
from tests.reporting.chromium import dump_dom, needs_chromium
from tests.studies.small_suite import write_small_run

EVIL = "</pre><script>document.title='owned'</script><img src=https://evil.example/x onerror=alert(1)>\u202egnp"


@pytest.fixture(scope="module")
def bundles(made: Ready, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Submissions: good, one that knows the test homes, one with no test homes, one of a hostile card, and one that was
    played in public homes alone."""
    folder = tmp_path_factory.mktemp("bundles")
    card = Path(shutil.copytree(made.asked.card, folder / "card"))
    (card / "README.md").write_text((card / "README.md").read_text() + EVIL)
    hostile = replace(made, asked=Submission((), IMAGE, card))
    every, none = (True,) * ROWS, (False,) * ROWS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission, "load_suite", lambda name, task: made.suite)
        yield {
            "good": write_bundle(
                made, folder / "a", outcomes(0.8, 1, ROWS), "good", outcomes(0.8, 2, ROWS), 2.0, pictures=True
            ),
            "knowing": write_bundle(made, folder / "b", every, "knowing", none, seconds=1.0),
            "fresh": write_bundle(made, folder / "c", outcomes(0.5, 3, ROWS), "fresh", split="fresh-0" + "1" * 15),
            "hostile": write_bundle(
                hostile, folder / "d", outcomes(0.3, 4, ROWS), "hostile", outcomes(0.3, 5, ROWS), seconds=0.5
            ),
            "public": write_bundle(made, folder / "e", outcomes(0.7, 6, ROWS), "public"),
        }


def with_more_pictures(bundle: Path, key: Path, out: Path) -> Path:
    """Return a bundle with a picture of every episode, and a video far too large, signed again by who made it."""
    files = read(bundle)
    picture = next(data for name, data in files.items() if name.endswith("goal.jpg"))
    trajectories = [name for name in files if name.endswith("trajectory.json")]
    more = {name.replace("trajectory.json", "goal.jpg"): picture for name in trajectories}
    videos = {name: MOVIE + os.urandom(9 << 20) for name in files if name.endswith("video.mp4")}
    return write(out, signed_again({**files, **more, **videos}, key))


@pytest.fixture(scope="module")
def site(bundles: dict[str, Path], made: Ready, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the four, below a folder with a space in its name, with references played here."""
    root = tmp_path_factory.mktemp("a place")
    for wm, ability in (("homing", 0.2), ("gtsim", 0.95)):
        write_small_run(
            root / "refs", made.suite, wm, outcomes(ability, 9, ROWS), kept=ROWS, played=ROWS, files=True,
            changes={"episodes_subset": "all"},
        )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.cli.results.load_suite", lambda name, task: made.suite)
        words = [*map(str, bundles.values()), "--references", str(root / "refs"), "--out", str(root / "sub" / "site")]
        assert main(["leaderboard", "build", *words, "--title", "<i>Title</i>"]) == 0
    return root / "sub" / "site"


def data_of(site: Path) -> dict[str, dict[str, object]]:
    (board,) = json.loads((site / "leaderboard.json").read_text())["boards"]
    return {row["model"]: row for row in board["rows"]}


def files_of(site: Path) -> dict[str, bytes]:
    return {str(file.relative_to(site)): file.read_bytes() for file in sorted(site.rglob("*")) if file.is_file()}


def test_who_has_a_rank_and_who_has_none(site: Path) -> None:
    rows = data_of(site)
    assert rows["good"]["ranks"] and rows["hostile"]["ranks"] and rows["good"]["unranked"] is None
    assert rows["knowing"]["ranks"] is None and "than in fresh" in str(rows["knowing"]["unranked"])
    assert rows["fresh"]["ranks"] is None and "no run on the test homes" in str(rows["fresh"]["unranked"])
    assert rows["public"]["ranks"] is None and "no fresh homes" in str(rows["public"]["unranked"])
    assert rows["good"]["gain"] and rows["good"]["seconds_a_decision"] == 2.0 and rows["good"]["fresh"]
    (board,) = (site / "boards").iterdir()
    page = board.read_text()
    assert "gtsim" in page and "reference" in page and "<svg" in page


def test_nobody_is_an_end_of_its_own_scale(made: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (admission.__name__, "harness.cli.results"):
        monkeypatch.setattr(f"{name}.load_suite", lambda name, task: made.suite)
    refs = tmp_path / "refs"
    for wm, ability in (("homing", 0.2), ("gtsim", 0.95)):
        write_small_run(
            refs, made.suite, wm, outcomes(ability, 9, ROWS), kept=ROWS, played=ROWS, files=True,
            changes={"episodes_subset": "all"},
        )  # fmt: skip
    monkeypatch.setattr(admission, "_of_model", lambda identity: ())  # which would refuse it by its kind already
    bundles = [str(write_bundle(made, tmp_path / wm, outcomes(0.9, 5, ROWS), wm)) for wm in ("gtsim", "other")]
    out = tmp_path / "site"
    assert main(["leaderboard", "build", *bundles, "--references", str(refs), "--out", str(out)]) == 0
    assert data_of(out)["gtsim"]["gain"] is None and data_of(out)["other"]["gain"]
    (board,) = json.loads((out / "leaderboard.json").read_text())["boards"]
    assert {reference["name"] for reference in board["references"]} == {"homing", "gtsim"}


class Links(HTMLParser):
    """What a page leads to or loads, and the names of its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_every_link_leads_into_the_site_and_nothing_is_run_or_loaded_from_elsewhere(site: Path) -> None:
    seen = 0
    for page in site.rglob("*.html"):
        found = Links(page.read_text())
        assert "script" not in found.tags and "link" in found.tags
        for link in found.links:
            if link.startswith(("data:,", "#")):
                continue
            target = (page.parent / unquote(link)).resolve()
            assert target.is_file() and site.resolve() in target.parents, (page, link)
            seen += 1
    assert seen > 20


def test_a_strangers_text_stays_text(site: Path) -> None:
    ident = str(data_of(site)["hostile"]["submission"])
    page = (site / "submissions" / ident / "index.html").read_text()
    assert "&lt;script&gt;" in page and "<img src=https" not in page and "\u202e" not in page
    assert "<i>Title</i>" not in (site / "index.html").read_text()


def test_names_are_short_lines_of_their_own() -> None:
    assert shown_name("a\nb\u202ec") == "a\\nb\\u202ec"
    assert shown_name("Z" + "\u0301" * 50 + "a") == "Z\u0301\u0301a"
    assert len(shown_name("x" * 500)) == 60 and shown_name(" \u200b ") and shown_name("") == "(no name)"
    assert shown_name("מודל") == "מודל"


def test_the_pictures_of_a_bundle_are_shown_and_something_else_in_their_place_is_not(site: Path) -> None:
    rows = data_of(site)
    folder, *others = (site / "submissions" / str(rows["good"]["submission"]) / "run-1").iterdir()
    assert len(others) == SHOWN - 1
    assert {file.name for file in folder.iterdir()} == {"prompt.jpg", "00.jpg", "01.jpg", "video.mp4"}
    assert (folder / "video.mp4").read_bytes() == MOVIE


def test_no_more_pictures_are_shown_than_the_root_chooses(
    bundles: dict[str, Path], made: Ready, tmp_path: Path
) -> None:
    more = with_more_pictures(bundles["good"], made.key, tmp_path / "more.zip")
    assert verify(more).holds
    assert main(["leaderboard", "build", str(more), "--out", str(tmp_path / "site")]) == 0
    (submission,) = (tmp_path / "site" / "submissions").iterdir()
    assert len(list((submission / "run-1").iterdir())) == SHOWN
    assert not list(submission.rglob("*.mp4")) and "<video" not in (submission / "index.html").read_text()


def test_equal_bundles_make_equal_bytes_in_any_order_and_place(bundles: dict[str, Path], tmp_path: Path) -> None:
    copies = [Path(shutil.copy(path, tmp_path / f"{name}.zip")) for name, path in bundles.items() if name != "fresh"]
    for out, order in (("one", copies), ("two", copies[::-1])):
        assert main(["leaderboard", "build", *map(str, order), "--out", str(tmp_path / out)]) == 0
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert not any(str(tmp_path).encode() in data for data in files_of(tmp_path / "one").values())
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", *(copy.name for copy in copies)}


def test_a_bundle_that_does_not_hold_is_named_and_the_old_site_stays(
    bundles: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, bad = tmp_path / "site", tmp_path / "bad.zip"
    good = str(bundles["hostile"])
    assert main(["leaderboard", "build", good, "--out", str(out)]) == 0
    before = files_of(out)
    bad.write_bytes(bundles["hostile"].read_bytes()[:-200])
    capsys.readouterr()
    assert main(["leaderboard", "build", good, str(bad), "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert "bad.zip: no-zip" in said.out and "nothing was written" in said.err
    assert main(["leaderboard", "build", good, "--out", str(out), "--signer", "nobody"]) == 1
    assert "unknown-signer" in capsys.readouterr().out
    assert main(["leaderboard", "build", good, good, "--out", str(out)]) == 2
    assert files_of(out) == before and {path.name for path in tmp_path.iterdir()} == {"site", "bad.zip"}


def test_no_other_folder_is_replaced(bundles: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("work")
    for place in ("mine", "mine/work.txt", "mine/none/.."):
        assert main(["leaderboard", "build", str(bundles["hostile"]), "--out", str(tmp_path / place)]) != 0
    words = ["--out", str(tmp_path / "site"), "--references", str(tmp_path / "none")]
    assert main(["leaderboard", "build", str(bundles["hostile"]), *words]) == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["work.txt"]


def test_withdrawn_and_corrected_submissions_stay_visible(bundles: dict[str, Path], site: Path, tmp_path: Path) -> None:
    names = {model: str(row["submission"]) for model, row in data_of(site).items()}
    errata = tmp_path / "errata.toml"
    errata.write_text(
        f'[[withdrawn]]\nsubmission = "{names["good"]}"\ndate = "2026-11-30"\nreason = "<b>taken back</b>"\n'
        f'[[corrected]]\nsubmission = "{names["hostile"]}"\ndate = "2026-11-29"\nreason = "another licence"\n'
    )
    out = tmp_path / "site"
    words = [str(bundles["good"]), str(bundles["hostile"]), "--errata", str(errata), "--out", str(out)]
    assert main(["leaderboard", "build", *words]) == 0
    rows = data_of(out)
    assert rows["good"]["ranks"] is None and rows["good"]["unranked"] == "withdrawn"
    assert rows["hostile"]["ranks"] == [1, 1]
    (board,) = (out / "boards").iterdir()
    for page in (board, out / "submissions" / names["good"] / "index.html"):
        assert "&lt;b&gt;taken back" in page.read_text()
    assert "another licence" in board.read_text()


def test_who_was_withdrawn_does_not_come_back_under_another_name(
    bundles: dict[str, Path], made: Ready, tmp_path: Path
) -> None:
    again = write_bundle(
        made, tmp_path / "again", outcomes(0.8, 1, ROWS), "better", outcomes(0.8, 2, ROWS), 1.0, pictures=True
    )
    words, out = ["leaderboard", "build", str(bundles["good"]), str(again)], tmp_path / "site"
    assert main([*words, "--out", str(out)]) == 0
    rows = data_of(out)
    ident, other = str(rows["good"]["submission"]), str(rows["better"]["submission"])
    assert rows["good"]["ranks"] and rows["better"]["same_episodes_as"] == [ident]
    (board,) = (out / "boards").iterdir()
    assert f"same episodes as {ident}" in board.read_text()
    errata = tmp_path / "errata.toml"
    errata.write_text(f'[[withdrawn]]\nsubmission = "{ident}"\ndate = "2026-11-30"\nreason = "it cheats"\n')
    assert main([*words, "--errata", str(errata), "--out", str(out)]) == 0
    rows = data_of(out)
    assert rows["better"]["ranks"] is None and ident in str(rows["better"]["unranked"])
    note = f'[[corrected]]\nsubmission = "{other}"\ndate = "2026-11-30"\nreason = "whose it is"\n'
    errata.write_text(errata.read_text() + note)
    assert main([*words, "--errata", str(errata), "--out", str(out)]) == 0
    assert data_of(out)["better"]["ranks"] == [1, 1]


def test_records_of_earlier_verifications_are_shown(bundles: dict[str, Path], tmp_path: Path) -> None:
    records, out = tmp_path / "records", tmp_path / "site"
    records.mkdir()
    found = verify(bundles["good"])
    record = EpisodeResult("e", "home", 0, OK, {}, "ab" * 32)
    again = summed([pair("one", record, record, True)] * 3, ROWS, "drand 7", False)

    def write(verification: Verification, name: str = "good.json") -> None:
        (records / name).write_text(json.dumps({"holds": verification.holds, **to_plain(verification)}))

    words = ["leaderboard", "build", str(bundles["good"]), "--out", str(out), "--verified", str(records)]
    write(found)
    assert main(words) == 0
    (board,) = (out / "boards").iterdir()
    assert "not drawn</small>" in board.read_text() and "of 3 equal" not in board.read_text()
    write(replace(replayed(found, again), randomness="drand 7"))
    assert main(words) == 0
    assert "3 of 3 equal" in board.read_text() and "not drawn</small>" not in board.read_text()
    assert data_of(out)["good"]["fresh_drawn_with"] == "drand 7"
    assert data_of(out)["good"]["played_again"]
    page = out / "submissions" / str(data_of(out)["good"]["submission"]) / "index.html"
    assert "drawn with <code>drand 7</code>" in page.read_text()
    slow = replace(record, state=TIMEOUT, error="it did not answer")
    write(replayed(found, summed([pair("one", record, slow, True)], ROWS, "drand 7", False)))
    assert main(words) == 0 and "could not all be" in str(data_of(out)["good"]["unranked"])
    before = files_of(out)
    write(replace(found, reasons=(Reason("other-trajectory", "one", "it differs.", ""),)))
    assert main(words) == 1, "who was refuted is not listed"
    write(replace(found, signer="somebody"))
    assert main(words) == 2
    write(found)
    write(verify(bundles["hostile"]), "more.json")
    assert main(words) == 2, "a record of no bundle here"
    for text in ("[", "[]", "{}", json.dumps({"holds": False, **to_plain(found)})):
        (records / "more.json").write_text(text)
        assert main(words) == 2
    assert files_of(out) == before


def test_a_drawn_seed_whose_homes_nobody_looked_at_is_not_shown_as_drawn(
    ready: Ready, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = fresh_seed("drand 6", IMAGE, ready.suite.hash("precise"))
    run = write_run(tmp_path / "chosen", ready.suite, "two", split=f"fresh-{seed}")
    bundle = ready.having(ready.run, run).bundle(tmp_path / "bundle.zip")
    (tmp_path / "records").mkdir()
    words = [
        "leaderboard",
        "build",
        str(bundle),
        "--out",
        str(tmp_path / "site"),
        "--verified",
        str(tmp_path / "records"),
    ]
    for made, drawn in ((False, None), (True, "drand 6")):
        monkeypatch.setattr("tasks.fresh_homes.is_made", lambda suite, tier, split, made=made: made)
        capsys.readouterr()
        assert main(["verify", str(bundle), "--randomness", "drand 6", "--json"]) == 0
        (tmp_path / "records" / "b.json").write_text(capsys.readouterr().out)
        assert main(words) == 0
        (row,) = data_of(tmp_path / "site").values()
        assert row["fresh"] and row["fresh_drawn_with"] == drawn


def test_nobody_loses_a_rank_to_who_plans_the_episodes_in_another_order(
    made: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (admission.__name__, "harness.cli.results"):
        monkeypatch.setattr(f"{name}.load_suite", lambda name, task: made.suite)
    episodes = made.suite.episodes("precise", "test")[:ROWS]
    bundles = []
    for wm, turned, solved in (("honest", episodes, 9), ("turned", episodes[::-1], 3)):
        outcomes = tuple(episodes.index(episode) < solved for episode in turned)
        changes = {"wm_image": ImageRecord("sized:latest", DIGEST), "episodes_subset": "all", "episodes": turned}
        run = write_small_run(
            tmp_path / wm, made.suite, wm, outcomes, kept=ROWS, played=ROWS, changes=changes, files=True
        )
        at_commit(run.path, COMMIT)
        fresh = write_run(tmp_path / wm, made.suite, "fresh", wm, split="fresh-00000000feedc0de")
        bundles.append(str(made.having(run.path, fresh).bundle(tmp_path / f"{wm}.zip")))
    out = tmp_path / "site"
    assert main(["leaderboard", "build", *bundles, "--out", str(out)]) == 0
    assert all(row["ranks"] for row in data_of(out).values())


def test_a_site_never_replaces_what_is_not_its_own(bundles: dict[str, Path], tmp_path: Path) -> None:
    words = ["leaderboard", "build", str(bundles["hostile"]), "--out", str(tmp_path / "site")]
    assert main(words) == 0 and main(words) == 0
    (tmp_path / "site" / ".git").mkdir()
    assert main(words) == 2 and (tmp_path / "site" / ".git").is_dir()


@needs_chromium
def test_the_pages_fit_a_phone_and_show_their_pictures(site: Path, tmp_path: Path) -> None:
    (board,) = (site / "boards").iterdir()
    good = str(data_of(site)["good"]["submission"])
    pages = [site / "index.html", board, site / "submissions" / good / "index.html"]
    frames = "".join(f'<iframe width=390 height=800 src="{page.as_uri()}"></iframe>' for page in pages)
    script = """<script>onload = () => { document.title = JSON.stringify([...document.querySelectorAll("iframe")].map(
      (f) => [f.contentDocument.documentElement.scrollWidth,
              [...f.contentDocument.images].filter((i) => i.complete && !i.naturalWidth).length])); }</script>"""
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(f"<!doctype html><title>-</title>{frames}{script}")
    dom = dump_dom(wrapper, tmp_path / "profile", flags=("--allow-file-access-from-files",))
    found = re.search(r"<title>(\[.*?\])</title>", dom)
    assert found and json.loads(found.group(1)) == [[390, 0]] * 3
