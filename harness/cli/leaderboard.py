"""`submit`: a bundle of finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from harness.cli.arguments import Json
from harness.cli.console import note, print_json, say
from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.contracts.printing import counted

if TYPE_CHECKING:
    from harness.running.run_options import RunOptions

REFUTED = 1


def submit_command(
    runs: Annotated[Optional[list[Path]], typer.Argument(help="Finished run folders.", show_default=False)] = None,
    image: Annotated[str, typer.Option("--image", help="The plugin image: NAME@sha256:DIGEST.")] = "",
    card: Annotated[Optional[Path], typer.Option("--card", help="The checkpoint's card (README.md).")] = None,
    key: Annotated[Optional[Path], typer.Option("--key", help="Private key that signs the bundle.")] = None,
    new_key: Annotated[Optional[Path], typer.Option("--new-key", help="Write a new private key and stop.")] = None,
    out: Annotated[Path, typer.Option("--out", help="The bundle to write.")] = Path("submission.zip"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is missing; write nothing.")] = False,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Play three unscored episodes of the image, and stop.")
    ] = False,
    wm: Annotated[str, typer.Option("--wm", help="Preflight: the image's model.")] = "",
    task: Annotated[str, typer.Option("--task", help="Preflight: the task.")] = "",
    suite: Annotated[str, typer.Option("--suite", help="Preflight: the suite (default: the model's).")] = "",
    tier: Annotated[str, typer.Option("--tier", help="Preflight: the tier (default: the model's).")] = "",
    wm_gpu: Annotated[str, typer.Option("--wm-gpu", help="Preflight: the model's GPU.")] = "",
    as_json: Json = False,
) -> int:
    """Make a signed bundle of finished runs for a leaderboard, or say what is missing."""
    if preflight:
        from harness.leaderboard.preflight import options_of

        return _preflight(options_of(image, wm, task, suite, tier, wm_gpu), out.absolute().parent, as_json)
    from harness.leaderboard import signing
    from harness.leaderboard.submitting import Submission, examine, submit

    if new_key is not None:
        say(f"key     {signing.new_key(new_key)}\nkeep    {new_key} to yourself: whoever has it can sign for you")
        return 0
    if not runs or not image or card is None:
        raise Refusal("submit needs run folders, --image and --card.", "benchmark.py submit --help lists its options.")
    if key is None and not dry_run:
        raise Refusal("submit needs the key that signs (--key).", "Make one: submit --new-key FILE.")
    asked = Submission(runs, image, card)
    examined = examine(asked)
    if as_json and (dry_run or examined.reasons):
        print_json({"accepted": not examined.reasons, "reasons": to_plain(examined.reasons)})
    for reason in () if as_json else examined.reasons:
        say(str(reason))
    if examined.reasons:
        note(f"not submitted: {counted(len(examined.reasons), 'reason')}, see above")
        return REFUTED
    if dry_run or key is None:
        if not as_json:
            say("nothing is missing")
        return 0
    manifest = submit(asked, examined, key, out)
    if as_json:
        print_json({"accepted": True, "bundle": str(out), "manifest": to_plain(manifest)})
    else:
        say(f"bundle  {out}  {out.stat().st_size / 2**20:.1f} MiB, {len(manifest.files)} files")
        say(f"signed  {signing.key_id(key)}")
    return 0


def _preflight(options: RunOptions, out: Path, as_json: bool) -> int:
    """Play a preflight below ``out``/preflight and say what it found."""
    from harness.cli.progress import ProgressLine
    from harness.leaderboard.preflight import preflight

    with ProgressLine(lambda progress: f"{progress.done}/{progress.total} episodes · {progress.phase}") as line:
        found = preflight(options, out / "preflight", line)
    if as_json:
        print_json({"passed": found.passed, **to_plain(found)})
        return 0 if found.passed else REFUTED
    if found.cause:
        say(f"{found.cause}: {found.error}")
    for tried in found.episodes:
        played = f"played in {tried.seconds:.1f} s" if tried.seconds is not None else f"{tried.cause}: {tried.error}"
        say(f"{tried.episode}  {played}" + (f"\n    {tried.remedy}" if tried.remedy else ""))
    if found.hours is not None:
        say(f"pace    the {found.test_episodes} test episodes of {found.tier} take {found.hours:.1f} h of one worker")
    if "@sha256:" not in found.image:
        say(f"note    {found.image} is a tag: a submission names a digest")
    say(f"logs    {found.logs}")
    say("passed: nothing technical stands in the way" if found.passed else "not passed: each cause is above")
    return 0 if found.passed else REFUTED
