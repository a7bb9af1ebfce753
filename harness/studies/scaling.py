"""Success against search and against training data: ``python -m harness.studies.scaling RUNS... --out DIR``.

Three kinds of curve, made of finished runs: against the candidates of a decision (``--candidates``), against the share
of decisions that ask the world model (``--wm-share``), and against the clips that a checkpoint was trained on, which
its card says. Runs of one figure were played on the same episodes, with the same seeds and stop rule. Writes
``scaling.md``, ``scaling.json``, one SVG a figure, and ``scaling.html`` with all of it; nothing is played.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from harness.contracts.commands import FIRST_TASK, command
from harness.contracts.digest import digest, to_plain
from harness.contracts.errors import WiwError
from harness.contracts.manifests import FROM_HUB, RANDOM
from harness.contracts.printing import one_line, printable
from harness.contracts.results import Metric
from harness.contracts.search import Search
from harness.records.atomic import write_atomic
from harness.records.errors import disk_errors
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity
from harness.records.model_parts import is_code
from harness.reporting.curves import Curve, curve_svg
from harness.scoring.comparing import without_nan
from harness.scoring.data import RunData
from harness.scoring.metrics import rate, success_sample
from harness.scoring.next_commands import identity_words
from harness.scoring.references import row_name
from harness.studies.markdown_sections import code_block, columns, percent
from harness.studies.paired_differences import lead, size
from harness.studies.run_selection import PassedOver, incomplete, not_of_suite, run_folders, sound_run
from harness.studies.scaling_page import Section, Verdict, html_page
from harness.studies.training_amounts import Clips
from tasks.suite import Suite, load_suite

SCHEMA_VERSION = 1
LINE = "\n"
_NOTE = (
    "Success in per cent with 95 % intervals clustered by home; *behind*: points less than the run with most (of "
    "several the latest), paired by episode, t interval over homes. An interval of *behind* below zero says that more "
    "made it worse."
)
CONTROL = "gtsim"
"""The world model that is right: what it loses by more search is no model's fault."""
_ALONE = "no other run differs from it in one of the three alone, or a later one was played in its place"
CANDIDATES, SHARE, DATA = "candidates", "share", "data"
LABELS = {
    CANDIDATES: "candidates of a decision",
    SHARE: "share of decisions that ask the world model",
    DATA: "clips trained on",
}


@dataclass(frozen=True)
class Point:
    """One run of a curve: ``x`` is what is scaled. ``behind`` is how much less it solves than the run with most of it
    (paired by episode, interval over homes); None for that run itself."""

    x: float
    success: Metric
    homes: int
    behind: Optional[Metric]
    run_id: str
    command: str


@dataclass(frozen=True)
class Line:
    """One world model in a figure, by rising ``x``."""

    name: str
    points: Tuple[Point, ...]


@dataclass(frozen=True)
class Figure:
    """The curves of one kind on the same episodes. ``limits`` are the stamps of a limited search that all
    have; ``file`` is the name of its picture."""

    kind: str
    tier: str
    split: str
    stop: str
    episodes: int
    seeds: Tuple[int, ...]
    limits: Tuple[str, ...]
    file: str
    lines: Tuple[Line, ...]


@dataclass(frozen=True)
class Scaling:
    """All figures of a suite, and what entered none."""

    suite: str
    task: str
    command: str
    figures: Tuple[Figure, ...]
    passed_over: Tuple[PassedOver, ...]


@dataclass(frozen=True)
class _Key:
    """What all runs of a figure share; ``limits`` are those of their search that it does not scale."""

    kind: str
    tier: str
    split: str
    stop: str
    episodes: Tuple[str, ...]
    seeds: Tuple[int, ...]
    limits: Search


@dataclass(frozen=True)
class _Place:
    """A run on a curve: the figure and the curve that it belongs to, and where it stands there."""

    figure: _Key
    curve: str
    x: float
    run: RunData


def make_scaling(suite: Suite, roots: Sequence[Path], clips: Clips, command: str = "") -> Scaling:
    """Return every curve of two different numbers or more that the runs below ``roots`` allow."""
    listed, unread = run_folders(roots)
    passed = [PassedOver(folder.path.name, folder.why) for folder in unread]
    curves: Dict[_Key, Dict[str, List[_Place]]] = {}
    usable: List[str] = []
    for folder in listed:
        run, reason = sound_run(folder, lambda asked: _reason(asked, suite))
        if run is None:
            passed.append(PassedOver(folder.record.run_id, reason))
            continue
        usable.append(run.record.run_id)
        places, lacking = _places(run, suite, clips)
        passed += [PassedOver(run.record.run_id, f"on no curve of {LABELS[DATA]}: {lacking}")] if lacking else []
        for place in places:
            curves.setdefault(place.figure, {}).setdefault(place.curve, []).append(place)
    figures = [_figure(key, lines) for key, lines in curves.items()]
    drawn = {point.run_id for figure in figures for line in figure.lines for point in line.points}
    told = {one.run_id for one in passed}
    passed += [PassedOver(name, _ALONE) for name in usable if name not in drawn | told]
    ordered = sorted((figure for figure in figures if figure.lines), key=lambda f: (list(LABELS).index(f.kind), f.file))
    return Scaling(suite.name, suite.task, command, tuple(ordered), tuple(passed))


def _reason(folder: RunFolder, suite: Suite) -> str:
    """Return why a run enters no curve, "" where it may."""
    return not_of_suite(folder.identity, suite) or incomplete(folder)


def _places(run: RunData, suite: Suite, clips: Clips) -> Tuple[List[_Place], str]:
    """Return every curve that a run may stand on, and what is missing of it ("": nothing).

    A limit that a curve does not scale is part of its figure's key, and another checkpoint or other code under one name
    is another curve (of the third kind, other code alone), so that nothing else differs along one.
    """
    identity, search = run.identity, run.identity.search
    tier = suite.tier(identity.tier)
    exact, trained = (f"{row_name(run)}{LINE}{digest(_model(identity, weights))}" for weights in (True, False))
    places = [
        _Place(_key(CANDIDATES, identity), exact, float(search.candidates or tier.candidates), run),
    ]
    if tier.asks_model(identity.wm):
        places.append(_Place(_key(SHARE, identity), exact, 1.0 if search.wm_share is None else search.wm_share, run))
    amount, why = clips.of(identity)
    if amount:
        places.append(_Place(_key(DATA, identity), trained, float(amount), run))
    return places, why


def _key(kind: str, identity: RunIdentity) -> _Key:
    scaled = {CANDIDATES: {"candidates": None}, SHARE: {"wm_share": None}}.get(kind, {})
    episodes = tuple(sorted(episode.id for episode in identity.episodes))
    limits = replace(identity.search, **scaled)
    return _Key(kind, identity.tier, identity.split, identity.stop, episodes, identity.seeds, limits)


def _model(identity: RunIdentity, weights: bool) -> List[Any]:
    """Return all that a world model is, with its ``weights`` or without, but not where they were kept."""
    left_out = ("weights",) if weights else ("weights", "checkpoint")
    declared = {name: value for name, value in identity.wm_manifest.items() if name not in left_out}
    parts = {part: value for part, value in identity.wm_digests.items() if weights or is_code(part)}
    return [declared, parts, identity.wm_manifest.get("weights") == RANDOM]


def _figure(key: _Key, curves: Mapping[str, Sequence[_Place]]) -> Figure:
    lines: List[Tuple[str, str, Tuple[Point, ...]]] = []
    for curve, places in curves.items():
        kept = places if key.kind == DATA else _latest(places)
        if len({place.x for place in kept}) > 1:
            name, exact = curve.split(LINE)
            lines.append((name, exact, _points(sorted(kept, key=lambda place: place.x))))
    names = [name for name, _, _ in lines]
    called = [
        Line(name if names.count(name) == 1 else f"{name} ({exact[:6]})", points) for name, exact, points in lines
    ]
    file = "-".join((key.kind, key.tier, key.split, key.stop, str(len(key.episodes)), digest(key)[:6])) + ".svg"
    return Figure(
        key.kind,
        key.tier,
        key.split,
        key.stop,
        len(key.episodes),
        key.seeds,
        key.limits.stamps,
        file,
        tuple(sorted(called, key=lambda line: line.name)),
    )


def _latest(places: Sequence[_Place]) -> List[_Place]:
    """Return the latest run at each number: the same asked twice is no second measurement."""
    return list({place.x: place for place in places}.values())  # the oldest comes first


def _points(places: Sequence[_Place]) -> Tuple[Point, ...]:
    most = places[-1].run
    return tuple(
        Point(
            x=place.x,
            success=rate(success_sample(place.run.results)),
            homes=size(place.run)[1],
            behind=None if place.run is most else lead(most, place.run),
            run_id=place.run.record.run_id,
            command=_command(place.run.identity),
        )
        for place in places
    )


def _command(identity: RunIdentity) -> str:
    """Return the command that plays a run again; a path of its weights is told as CHECKPOINT."""
    weights = str(identity.wm_manifest.get("weights", ""))
    own = weights not in ("", FROM_HUB, RANDOM)
    asked = identity.episodes_subset or str(len(identity.episodes))
    words = identity_words(identity, identity.split, asked)
    return command(*words, *(("--weights", "CHECKPOINT" if own else RANDOM) if own or weights == RANDOM else ()))


def page(scaling: Scaling) -> str:
    """Return the page of all figures."""
    parts = [
        f"# Scaling on `{scaling.suite}`, task `{scaling.task}`",
        f"{_NOTE} No digit is written by hand.",
        code_block([scaling.command]),
    ]
    for figure in scaling.figures:
        parts += _section(figure)
    parts.append("## Runs not used")
    parts.append("\n".join(f"- `{one.run_id}`: {one.reason}" for one in scaling.passed_over) or "None.")
    return "\n\n".join(parts) + "\n"


def _section(figure: Figure) -> List[str]:
    title = _title(figure)
    shown = "\n".join(f"- {verdict.text}" for verdict in verdicts(figure))
    table = columns(_named_points(figure), ("world model", lambda at: f"`{at[0]}`"), *_cells(figure))
    return [f"## {title}", f"![{title}]({figure.file})", shown, table, code_block(_commands(figure))]


def _named_points(figure: Figure) -> List[Tuple[str, Point]]:
    return [(line.name, point) for line in figure.lines for point in line.points]


def _cells(figure: Figure) -> Tuple[Tuple[str, Callable[[Tuple[str, Point]], str]], ...]:
    return (
        (LABELS[figure.kind], lambda at: f"{at[1].x:g}"),
        ("success", lambda at: percent(at[1].success)),
        ("behind, points", lambda at: percent(at[1].behind)),
        ("n", lambda at: str(at[1].success.n)),
        ("homes", lambda at: str(at[1].homes)),
    )


def _commands(figure: Figure) -> List[str]:
    return list(dict.fromkeys(point.command for _, point in _named_points(figure)))


def _title(figure: Figure) -> str:
    return f"Success against {LABELS[figure.kind]}: {_played(figure)}"


def _played(figure: Figure) -> str:
    seeds = ", ".join(map(str, figure.seeds))
    return (
        f"{figure.tier}, {figure.split} split, {figure.stop}-stop, "
        f"{', '.join((f'{figure.episodes} episodes', f'seed {seeds}', *figure.limits))}"
    )


def verdicts(figure: Figure) -> Tuple[Verdict, ...]:
    """Return for each curve whether more is shown to be worse, each point alone; of a search also what is missing of
    the control."""
    found = []
    for line in figure.lines:
        worse = [f"{point.x:g}" for point in line.points if point.behind is not None and point.behind.high < 0.0]
        most = f"{line.points[-1].x:g}"
        said = (
            f"with {most} it solves less than with {' or '.join(worse)}"
            if worse
            else "not shown to get worse with more"
        )
        found.append(Verdict(f"{line.name}: {said}.", bool(worse)))
    if figure.kind == CANDIDATES and not any(line.name.startswith(CONTROL) for line in figure.lines):
        found.append(Verdict(f"The control {CONTROL} is not here: play it with the same --candidates."))
    return tuple(found)


def report(scaling: Scaling) -> str:
    """Return all figures as one HTML page."""
    sections = [
        Section(
            anchor=figure.file.removesuffix(".svg"),
            title=f"Success against {LABELS[figure.kind]}: {figure.tier}",
            played=_played(figure),
            picture=picture(figure),
            verdicts=verdicts(figure),
            heads=("world model", *(head for head, _ in _cells(figure))),
            rows=tuple((at[0], *(cell(at) for _, cell in _cells(figure))) for at in _named_points(figure)),
            commands=tuple(_commands(figure)),
        )
        for figure in scaling.figures
    ]
    passed = [(one.run_id, one.reason) for one in scaling.passed_over]
    title = f"Scaling on {scaling.suite}, task {scaling.task}"
    whole: str = html_page(title, _NOTE.replace("*", ""), sections, passed, scaling.command)
    return whole


def picture(figure: Figure) -> str:
    """Return the SVG of a figure."""
    curves = [Curve(line.name, tuple((point.x, point.success) for point in line.points)) for line in figure.lines]
    return curve_svg(_title(figure), LABELS[figure.kind], curves, logarithmic=figure.kind != SHARE)


def write_scaling(scaling: Scaling, out: Path) -> List[Path]:
    """Write pages, numbers and pictures into ``out``; older ones of the same names are replaced whole."""
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    plain = {"schema": SCHEMA_VERSION, **without_nan(to_plain(scaling))}
    texts = {"scaling.md": page(scaling), "scaling.json": json.dumps(plain, indent=1, allow_nan=False) + "\n"}
    texts["scaling.html"] = report(scaling)
    texts.update({figure.file: picture(figure) for figure in scaling.figures})
    for name, text in texts.items():
        write_atomic(out / name, text.encode())
    return [out / name for name in texts]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Make the curves that the command line asks for; return 0, or 2 after saying what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m harness.studies.scaling", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hold run folders, such as runs/")
    parser.add_argument("--out", type=Path, required=True, help="where page, numbers and pictures are written")
    parser.add_argument("--checkpoints", action="append", type=Path, default=[], help="more folders with cards below")
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--task", default=FIRST_TASK)
    asked = parser.parse_args(arguments)
    told = f"{parser.prog} {' '.join(map(str, asked.runs))} --out {asked.out}"
    told += "".join(f" --checkpoints {folder}" for folder in asked.checkpoints)
    told += f" --suite {asked.suite} --task {asked.task}"
    try:
        scaling = make_scaling(load_suite(asked.suite, asked.task), asked.runs, Clips(asked.checkpoints), told)
        files = write_scaling(scaling, asked.out)
    except WiwError as error:
        print(printable(f"error: {error.what}\n{error.next_step}".rstrip()), file=sys.stderr)
        return 2
    for file in files:
        print(file)
    for passed in scaling.passed_over:
        print(one_line(f"not used {passed.run_id}: {passed.reason}"), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
