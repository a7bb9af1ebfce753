"""A leaderboard's site: static pages made of bundles that hold, written beside the old one and then put in its place.

Equal bundles and errata give equal bytes, in whatever order they are given: no page holds a time, a path or a name of
this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.leaderboard.boards import Board, make_boards
from harness.leaderboard.entries import SURROUNDINGS, Entry, read_entry
from harness.leaderboard.errata import Erratum, read_errata
from harness.leaderboard.site_views import board_view, submission_view
from harness.leaderboard.verified import read_verified
from harness.leaderboard.verifying import Known, Verification
from harness.records.errors import disk_errors
from harness.records.safe_files import check_kind
from harness.reporting.site_pages import SiteBoard, board_html, index_html, submission_html
from harness.scoring.comparing import without_nan
from harness.scoring.summary import metric_plain

INDEX, DATA = "index.html", "leaderboard.json"
BOARDS, SUBMISSIONS = "boards", "submissions"
SCHEMA = 1

Told = Callable[[int, int, str], None]
"""Called with how many bundles are done, of how many, and what is being done."""


def untold(done: int, total: int, doing: str) -> None:
    """Say nothing; the default of whoever builds without a person in front."""


@dataclass(frozen=True)
class Order:
    """What a site is made of: bundles, what the verifier knows, a file of errata, a folder with records of earlier
    verifications, a title, and where it goes."""

    bundles: Sequence[Path]
    out: Path
    known: Known
    errata: Optional[Path] = None
    verified: Optional[Path] = None
    title: str = "Leaderboard"


@dataclass(frozen=True, eq=False)
class Built:
    """What `build` did: ``refused`` are the verifications of bundles that do not hold; then nothing was written."""

    entries: tuple[Entry, ...]
    boards: tuple[Board, ...]
    refused: tuple[Verification, ...]


def build(order: Order, surroundings: SURROUNDINGS, told: Told = untold) -> Built:
    """Write the site, or nothing where a bundle does not hold; ``surroundings`` knows the references of a run, ``told``
    hears how it goes.

    Raises Refusal for errata that do not fit, for a bundle that was given twice, and where something else than a site
    stands in its place.
    """
    order = replace(order, out=Path(os.path.abspath(order.out)))  # noqa: PTH100  (links stay links)
    _check_place(order.out)
    order.out.parent.mkdir(parents=True, exist_ok=True)
    with (
        disk_errors(order.out),
        tempfile.TemporaryDirectory(prefix=f".{order.out.name}.partial-", dir=order.out.parent) as scratch,
    ):
        staging = Path(scratch) / order.out.name
        entries, refused = _entries(order, surroundings, staging / SUBMISSIONS, told)
        if refused:
            return Built((), (), refused)
        errata = read_errata(order.errata, {entry.ident for entry in entries}) if order.errata else {}
        told(len(entries), len(entries), "ranking")
        boards = make_boards(entries, errata)
        write_site(staging, order.title, entries, boards, errata)
        _put_in_place(staging, order.out)
    return Built(entries, boards, ())


def _entries(
    order: Order, surroundings: SURROUNDINGS, media: Path, told: Told
) -> tuple[tuple[Entry, ...], tuple[Verification, ...]]:
    """Return all entries by their names, and what was refused; each bundle is looked at, not only the first bad one."""
    earlier = dict(read_verified(order.verified)) if order.verified else {}
    found: dict[str, tuple[Path, Entry]] = {}
    refused: list[Verification] = []
    for number, path in enumerate(order.bundles):
        told(number, len(order.bundles), path.name)
        verification, entry = read_entry(path, order.known, surroundings, media)
        record = earlier.pop(verification.digest, None)
        if entry is None:
            refused.append(verification)
        elif entry.ident in found:
            raise Refusal(f"{path} and {found[entry.ident][0]} are one submission.", "Give each bundle once.")
        elif record is not None and not record.holds:
            refused.append(replace(record, bundle=str(path)))
        else:
            found[entry.ident] = (path, entry if record is None else entry.verified_as(record))
    for record in earlier.values():
        raise Refusal(
            f"{record.bundle} is about none of the bundles here.", "Give its bundle too, or remove the record."
        )
    return tuple(found[ident][1] for ident in sorted(found)), tuple(refused)


def write_site(
    root: Path, title: str, entries: Sequence[Entry], boards: Sequence[Board], errata: Mapping[str, Erratum]
) -> None:
    """Write the pages into the folder ``root``, in which the pictures of ``entries`` lie already."""
    views = [board_view(board, errata) for board in boards]
    (root / BOARDS).mkdir(parents=True)
    _write_text(root / INDEX, index_html(title, views, len(entries), ()))
    for view in views:
        _write_text(root / BOARDS / view.href, board_html(title, view))
    for entry in entries:
        folder = root / SUBMISSIONS / entry.ident
        folder.mkdir(parents=True, exist_ok=True)
        shown = submission_view(entry, boards, views, errata)
        _write_text(folder / INDEX, submission_html(title, shown))
    _write_text(root / DATA, json.dumps(_data(title, boards, views, errata), indent=1, sort_keys=True) + "\n")


def _write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "backslashreplace"))


def _data(
    title: str, boards: Sequence[Board], views: Sequence[SiteBoard], errata: Mapping[str, Erratum]
) -> dict[str, Any]:
    """Return what the pages say, for programs."""
    said = [{"page": f"{BOARDS}/{view.href}", **_board_data(board)} for board, view in zip(boards, views, strict=True)]
    return {"schema": SCHEMA, "title": title, "boards": said, "errata": to_plain(dict(errata))}


def _board_data(board: Board) -> dict[str, Any]:
    identity = board.identity
    names = ("suite", "suite_hash", "task", "tier", "stop", "view", "planner", "seeds")
    return {
        **{name: to_plain(getattr(identity, name)) for name in names},
        "rows": [dict(_row_data(board, number)) for number in range(len(board.rows))],
        "references": [
            {"name": reference.name, "success": metric_plain(reference.success), "gain": metric_plain(reference.gain)}
            for reference in board.references
        ],
    }


def _row_data(board: Board, number: int) -> Iterator[tuple[str, Any]]:
    row = board.rows[number]
    names = [each.entry.ident for each in board.rows]
    yield "submission", row.entry.ident
    yield "model", row.entry.manifest.model
    yield "image", row.entry.manifest.image
    yield "ranks", None if row.standing is None else [row.standing.first, row.standing.last]
    yield "unranked", row.unranked or None
    for relation in ("better", "worse"):
        yield relation, [] if row.standing is None else [names[each] for each in getattr(row.standing, relation)]
    yield "split", row.shown.identity.split
    yield "success", metric_plain(row.success)
    yield "fresh", metric_plain(row.fresh)
    yield "fresh_drawn_with", row.entry.verification.randomness or None
    yield "test_minus_fresh", metric_plain(row.excess)
    yield "test_minus_fresh_p", without_nan(row.excess_p)
    own = next((reference for reference in row.shown.summary.references if reference.is_this_run), None)
    yield "gain", metric_plain(None if own is None else own.gain)
    yield "technical_failures", row.shown.broken
    yield "episodes", row.shown.summary.episodes["planned"]
    yield "seconds_a_decision", row.shown.seconds
    yield "played_again", _replay_data(row.entry.verification)
    yield "same_episodes_as", list(row.copies)
    yield "trajectory_root", row.shown.summary.trajectory_root


def _replay_data(verification: Verification) -> Optional[dict[str, Any]]:
    again = verification.replay
    if again is None:
        return None
    names = ("randomness", "drawn", "of", "as_process", "equal", "recorded_successes", "replayed_successes", "p")
    return {**{name: getattr(again, name) for name in names}, "technical": dict(again.technical)}


def _check_place(out: Path) -> None:
    """Raise Refusal unless ``out`` is free, an empty folder, or a site that this wrote, which would go with all that
    somebody put beside it."""
    if not check_kind(out, folder=True):
        return
    found = {entry.name for entry in out.iterdir()}
    others = sorted(found - {INDEX, DATA, BOARDS, SUBMISSIONS}) or ([] if DATA in found else sorted(found))
    if others:
        raise Refusal(
            f"{out} is a folder with other files ({', '.join(others[:3])}).",
            "Name a new folder with --out, and copy the site from there; a site replaces itself alone.",
        )


def _put_in_place(staging: Path, out: Path) -> None:
    """Let the finished site take the place of the old one, which comes back where that fails."""
    staging.chmod(0o755)
    old = staging.with_name(f"{out.name}.old")
    if out.exists():
        out.replace(old)
    try:
        staging.replace(out)
    except OSError:
        if old.exists():
            old.replace(out)
        raise
    shutil.rmtree(old, ignore_errors=True)
