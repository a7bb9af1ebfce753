"""`datasets`: what the suites play on, whether it is here, and how it gets here."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from harness.cli.console import note, print_json, print_table, say
from harness.cli.live import LiveBar, clock
from harness.contracts.errors import Refusal

if TYPE_CHECKING:
    from harness.running.services import Placement
    from tasks.datasets.catalog import Dataset
    from tasks.datasets.checking import Finding

ACTIONS = ("verify", "fetch", "prepare")
_BROKEN, _PARTIAL = 1, 3
_REDRAWN_S = 0.1


def datasets_command(
    words: Annotated[
        Optional[list[str]], typer.Argument(metavar="[verify|fetch|prepare] [NAME|all]", help="Alone: what there is.")
    ] = None,
    data: Annotated[Optional[Path], typer.Option("--data", help="Data folder. [WIW_DATA, or ./data]")] = None,
    env_python: Annotated[str, typer.Option("--env-python", help="prepare: interpreter with habitat-sim.")] = "",
    runtime: Annotated[str, typer.Option("--runtime", help="prepare: process, or docker with the image.")] = "process",
    env_gpu: Annotated[str, typer.Option("--env-gpu", help="prepare: GPU that Habitat draws on.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> int:
    """Explain, verify or fetch the data of the published suites, or make episodes of them."""
    from tasks.datasets.catalog import data_folder, find_datasets

    folder = data_folder(data)
    action, names = _parse(words or [])
    if action == "prepare":
        return prepare(names, folder, Where(env_python, runtime, env_gpu), as_json)
    chosen = find_datasets(names)
    if action == "verify":
        return verify(chosen, folder, as_json)
    if action == "fetch":
        return fetch(chosen, folder, as_json)
    return explain(chosen, folder, as_json)


def explain(chosen: Iterable[Dataset], data: Path, as_json: bool) -> int:
    """Print what each dataset is, its size, licence, place, and whether it is here."""
    rows = [describe(dataset, data) for dataset in chosen]
    if as_json:
        print_json({"data": str(data), "datasets": rows})
        return 0
    if len(rows) > 1:
        columns = ("name", "state", "about_size", "title")
        print_table(f"Datasets in {data}", columns, [[row[column] for column in columns] for row in rows])
        say("More: python benchmark.py datasets NAME, datasets verify NAME, datasets fetch NAME")
        return 0
    for field, value in rows[0].items():
        lines = value if isinstance(value, list) else str(value).splitlines()
        say(f"{field + ':':<12}{lines[0] if lines else '-'}")
        for line in lines[1:]:
            say(f"{'':<12}{line}")
    return 0


def describe(dataset: Dataset, data: Path) -> dict[str, Any]:
    """Return one dataset's facts."""
    from tasks.official.scenes import steps

    missing = dataset.missing(data)
    here = "present" if not missing else "absent" if len(missing) == len(dataset.files) else "incomplete"
    name = dataset.name
    get = f"python benchmark.py datasets fetch {name}" if dataset.fetchable else steps(dataset.scenes, data)
    return {
        "name": name,
        "title": dataset.title,
        "state": here,
        "about_size": dataset.about_size,
        "licence": dataset.licence,
        "page": dataset.page,
        "needs": list(dataset.needs),
        "files": [str(data / file.path) for file in dataset.files],
        "get": get,
    }


def verify(chosen: Iterable[Dataset], data: Path, as_json: bool) -> int:
    """Check size and SHA-256 of every file, then read the content; 1 if anything is missing or wrong."""
    from tasks.datasets.checking import MISSING, WRONG, describe_content
    from tasks.datasets.checking import verify as verify_files

    sound = True
    shown: dict[str, Any] = {}
    for dataset in chosen:
        with ProgressNote() as progress:
            findings = list(verify_files(dataset, data, progress.add))
        broken = [finding for finding in findings if finding.state in (MISSING, WRONG)]
        sound = sound and not broken
        content = () if broken else describe_content(dataset, data)
        shown[dataset.name] = {"files": [asdict(finding) for finding in findings], "content": list(content)}
        if not as_json:
            show_findings(dataset, findings, content)
            if broken:
                say(f"  next: python benchmark.py datasets {'fetch ' if dataset.fetchable else ''}{dataset.name}")
    if as_json:
        print_json({"data": str(data), "sound": sound, "datasets": shown})
    return 0 if sound else _BROKEN


def fetch(chosen: Iterable[Dataset], data: Path, as_json: bool) -> int:
    """Fetch what is not here, check it, and read its content; 3 where it was interrupted."""
    from tasks.datasets.checking import describe_content
    from tasks.datasets.fetching import fetch as fetch_files

    shown: dict[str, Any] = {}
    for dataset in chosen:
        try:
            with ProgressNote() as progress:
                findings = list(fetch_files(dataset, data, progress.file))
        except KeyboardInterrupt:
            note("interrupted: what has arrived is kept. Run the same command again: it continues where it stopped.")
            return _PARTIAL
        content = describe_content(dataset, data)
        shown[dataset.name] = {"files": [asdict(finding) for finding in findings], "content": list(content)}
        if not as_json:
            show_findings(dataset, findings, content)
    if as_json:
        print_json({"data": str(data), "datasets": shown})
    return 0


@dataclass(frozen=True)
class Where:
    """Where Habitat runs, as it was typed."""

    python: str = ""
    runtime: str = "process"
    gpu: str = ""

    def placement(self) -> Placement:
        """Return the checked placement."""
        from harness.running.run_images import DOCKER
        from harness.running.run_options import check_runtime, interpreter
        from harness.running.services import Placement, find_gpu

        check_runtime(self.runtime, self.python)
        return Placement(self.runtime == DOCKER, interpreter(self.python, "--env-python"), find_gpu(self.gpu))


def prepare(names: list[str], data: Path, where: Where, as_json: bool) -> int:
    """Make the episodes of the published suite from its files, measured in Habitat."""
    from harness.running.scenes import make_suite_data
    from tasks.suite import load_suite

    if names != ["ignav"]:
        raise Refusal(
            f"datasets prepare {' '.join(names)}: only ignav becomes a suite.",
            "Run: python benchmark.py datasets prepare ignav --env-python PYTHON (or --runtime docker)",
        )
    suite = load_suite("wiw", "ignav")
    episodes = make_suite_data(suite, data, where.placement(), note)
    facts = {"suite": suite.name, "suite_hash": suite.hash(), "episodes": len(episodes), "folder": str(suite.folder)}
    if as_json:
        print_json(facts)
    else:
        say(f"{suite.name}: {len(episodes)} episodes in {suite.folder}, suite hash {suite.hash()}")
    return 0


def show_findings(dataset: Dataset, findings: Iterable[Finding], content: Iterable[str]) -> None:
    """Print one line a file, then what its content is."""
    say(f"{dataset.name}: {dataset.title}")
    for finding in findings:
        say(f"  {finding.state:<9}{finding.path}: {finding.detail}")
    for line in content:
        say(f"  {line}")


class ProgressNote(LiveBar):
    """Shows the bytes so far of one file after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._started = self._drawn = time.monotonic()
        self._first = self._read = 0
        self._path = ""

    def add(self, count: int) -> None:
        """Count bytes of a verification, whose total nobody knows."""
        self._read += count
        self.file("verified", self._read, 0)

    def file(self, path: str, done: int, total: int) -> None:
        """Show how far the file called ``path`` is."""
        now = time.monotonic()
        if path != self._path:
            self._path, self._started, self._first = path, now, done
        elif done != total and now - self._drawn < _REDRAWN_S:
            return
        self._drawn = now
        text = progress_line(path, done, total, self._first, now - self._started)
        self.show(text, done, total, path, done == total)


def progress_line(path: str, done: int, total: int, first: int, elapsed_s: float) -> str:
    """Return ``name: 12.0 of 300.0 MB · 3.1 MB/s · 1:33 left``; speed counts from the ``first`` byte of this try."""
    parts = [f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"]
    speed = (done - first) / elapsed_s if elapsed_s > 0 else 0.0
    if speed > 0:
        parts.append(f"{speed / 1e6:.1f} MB/s")
        if total > done:
            parts.append(f"{clock((total - done) / speed)} left")
    return f"{Path(path).name}: {' · '.join(parts)}"


def _parse(words: list[str]) -> tuple[str, list[str]]:
    """Return (action, names): ``verify ignav`` or ``ignav`` or nothing, which explains all."""
    action = words[0] if words and words[0] in ACTIONS else ""
    names = words[1:] if action else words
    if action and not names:
        raise Refusal(
            f"datasets {action}: which one?", f"For example: python benchmark.py datasets {action} ignav, or all."
        )
    return action, names or ["all"]
