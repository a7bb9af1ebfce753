"""`leaderboard`: a static site of submissions, and results in the formats of others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from harness.cli.arguments import Json, PassingGroup
from harness.cli.console import note, print_json, say
from harness.cli.live import SEPARATOR, LiveBar, clock
from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.contracts.printing import counted

if TYPE_CHECKING:
    from harness.leaderboard.entries import SURROUNDINGS
    from harness.leaderboard.verifying import Verification
    from harness.records.folder import RunFolder
    from harness.scoring.data import RunData
    from harness.scoring.summary import Context

REFUTED = 1

group = typer.Typer(cls=PassingGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@group.callback()
def leaderboard_command() -> None:
    """Make a static site of bundles that hold; export results."""


@group.command("build")
def build_command(
    bundles: Annotated[list[Path], typer.Argument(help="Bundles that `submit` wrote.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder of the site; an older site there is replaced.")] = Path(
        "site"
    ),
    references: Annotated[
        Optional[Path],
        typer.Option("--references", help="Folder with your own runs of the references, for gains. [shipped ones]"),
    ] = None,
    errata: Annotated[
        Optional[Path], typer.Option("--errata", help="TOML file: which submissions are withdrawn or corrected.")
    ] = None,
    verified: Annotated[
        Optional[Path],
        typer.Option("--verified", help="Folder of what `verify --json` printed of these bundles, such as replays."),
    ] = None,
    signers: Annotated[
        Optional[list[str]], typer.Option("--signer", help="Id of a key whose bundles are taken (repeatable).")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="What the site is called.")] = "Leaderboard",
    as_json: Json = False,
) -> int:
    """Verify bundles and write the site; where one does not hold, name it and write nothing."""
    if references is not None and not references.is_dir():
        raise Refusal(f"there is no folder {references}.", "Give the folder that holds your runs, such as runs/.")
    from harness.leaderboard.site import DATA, INDEX, Order, build
    from harness.leaderboard.verifying import Known

    order = Order(tuple(bundles), out, Known(tuple(signers or ())), errata, verified, title)
    with BundleLine() as line:
        built = build(order, _surroundings(references), line)
    if as_json:
        names = [{"submission": entry.ident, "model": entry.manifest.model} for entry in built.entries]
        print_json({"built": not built.refused, "submissions": names, "refused": to_plain(built.refused)})
    elif not built.refused:
        for entry in built.entries:
            say(f"{entry.ident}  {entry.manifest.model}")
        submissions, tables = counted(len(built.entries), "submission"), counted(len(built.boards), "table")
        say(f"site    {out / INDEX}  {submissions}, {tables}; {out / DATA} for programs")
    if not built.refused:
        return 0
    if not as_json:
        _say_refused(built.refused)
    note(f"not built: {counted(len(built.refused), 'bundle')} of {len(bundles)} not taken; nothing was written")
    return REFUTED


@group.command("export")
def export_command(
    source: Annotated[Path, typer.Argument(metavar="BUNDLE|RUN", help="A bundle that holds, or a finished run.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.", show_default=False)],
    hugging_face: Annotated[
        str, typer.Option("--hugging-face", metavar="DATASET", help="As .eval_results of this dataset on the Hub.")
    ] = "",
    url: Annotated[str, typer.Option("--url", help="With --hugging-face: where the result can be looked at.")] = "",
    every_eval_ever: Annotated[
        str, typer.Option("--every-eval-ever", metavar="ORGANIZATION", help="As a record of who evaluated.")
    ] = "",
    relationship: Annotated[
        str, typer.Option("--relationship", help="With --every-eval-ever: how that is related to who made the model.")
    ] = "other",
) -> int:
    """Write a result as Hugging Face's .eval_results (YAML), or by the schema of Every Eval Ever (JSON)."""
    from harness.leaderboard import exports
    from harness.records.atomic import write_atomic
    from harness.records.safe_files import check_kind

    if bool(hugging_face) == bool(every_eval_ever):
        raise Refusal("export writes one format.", "Give --hugging-face DATASET, or --every-eval-ever ORGANIZATION.")
    check_kind(out)
    exported = exports.read_exported(source)
    if hugging_face:
        text = exports.hugging_face(exported, hugging_face, url)
    else:
        text = exports.every_eval_ever(exported, every_eval_ever, relationship)
    write_atomic(out, text.encode())
    say(f"export  {out}  {counted(len(exported.runs), 'run')} of {exported.model}")
    return 0


class BundleLine(LiveBar):
    """Shows which bundle is verified, and the time left; a log file gets a line now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def __call__(self, done: int, total: int, doing: str) -> None:
        left = (time.monotonic() - self._began) * (total - done) / done if done else 0.0
        time_left = [f"{clock(left)} left"] if 0 < done < total else []
        self.show(SEPARATOR.join((f"{done}/{total} bundles", doing, *time_left)), done, total)


def _say_refused(refused: Sequence[Verification]) -> None:
    for found in refused:
        for reason in found.reasons:
            say(f"{found.bundle}: {reason}")
        if found.trusted is False:
            say(f"{found.bundle}: unknown-signer: {found.signer} is none of the signers given.")


def _surroundings(references: Optional[Path]) -> SURROUNDINGS:
    """Return what knows the references of a run; runs of one table and split share them, so that each is read once."""
    from harness.cli.results import context_of
    from harness.leaderboard.entries import place_of

    found: dict[tuple[str, str], Context] = {}

    def surroundings(folder: RunFolder, run: RunData) -> Context:
        key = (place_of(folder.identity), folder.identity.split)
        if key not in found:
            found[key] = context_of(folder, references, run)
        return found[key]

    return surroundings
