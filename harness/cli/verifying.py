"""`verify`: whether a bundle holds, and what is drawn for a submission."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from harness.cli.arguments import Json, taking
from harness.cli.console import print_json, say
from harness.cli.leaderboard import REFUTED
from harness.contracts.commands import FIRST_TASK
from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal

if TYPE_CHECKING:
    from harness.leaderboard.verifying import Verification


@dataclass(frozen=True)
class VerifyArguments:
    """What stands on the command line, as it was given; "" and None where it was not."""

    bundle: Annotated[Optional[Path], typer.Argument(help="A bundle that `submit` wrote.", show_default=False)] = None
    signers: Annotated[
        Optional[list[str]], typer.Option("--signer", help="Id of a key whose bundles are taken (repeatable).")
    ] = None
    image: Annotated[str, typer.Option("--image", help="The image that was registered: NAME@sha256:DIGEST.")] = ""
    randomness: Annotated[
        str, typer.Option("--randomness", help="Public text that was not known when the image was registered.")
    ] = ""
    draw: Annotated[
        bool, typer.Option("--draw", help="Print the fresh homes of a bundle, or of --image, and what plays them.")
    ] = False
    wm: Annotated[str, typer.Option("--wm", help="With --draw --image: the model, where the image has several.")] = ""
    task: Annotated[str, typer.Option("--task", help=f"With --draw --image: the task. [{FIRST_TASK}]")] = ""
    suite: Annotated[str, typer.Option("--suite", help="With --draw --image: the suite. [embedded]")] = ""
    tier: Annotated[str, typer.Option("--tier", help="With --draw --image: the tier. [the suite's]")] = ""
    as_json: Json = False


@taking(VerifyArguments)
def verify_command(asked: VerifyArguments) -> int:
    """Check a bundle: signature, contents, and every number worked out again from its records."""
    from harness.leaderboard.verifying import Known, verify

    _check(asked)
    if asked.draw:
        return _draw(asked)
    if asked.bundle is None:
        raise Refusal("verify needs a bundle.", "For example: python benchmark.py verify submission.zip")
    found = verify(asked.bundle, Known(asked.signers or (), asked.image, asked.randomness))
    if asked.as_json:
        print_json({"holds": found.holds, **to_plain(found)})
    else:
        for line in _lines(found):
            say(line)
    return 0 if found.holds else REFUTED


def _check(asked: VerifyArguments) -> None:
    """Raise Refusal for options that would be ignored."""
    about = {"--wm": asked.wm, "--task": asked.task, "--suite": asked.suite, "--tier": asked.tier}
    ignored = [f"{name} {value}" for name, value in about.items() if value and (not asked.draw or asked.bundle)]
    if ignored:
        raise Refusal(
            f"{', '.join(ignored)}: verify takes that with --draw and --image alone.", "A bundle says it itself."
        )
    if asked.draw and not asked.randomness:
        raise Refusal("--draw needs --randomness.", "Give what was published after the image was registered.")
    if asked.draw and (asked.bundle is None) == (not asked.image):
        raise Refusal("--draw is for a bundle, or for an image.", "Give one of them: BUNDLE, or --image.")


def _draw(asked: VerifyArguments) -> int:
    """Print the drawn seed of each tier, and the command that plays its homes."""
    from harness.leaderboard.drawing import fresh_command, fresh_seed
    from harness.leaderboard.verifying import verify
    from tasks.suite import load_suite

    image, wm = asked.image, asked.wm
    if asked.bundle is not None:
        manifest = verify(asked.bundle).manifest
        if manifest is None:
            raise Refusal(f"{asked.bundle} cannot be read as a bundle.", "See why: python benchmark.py verify BUNDLE")
        image, wm = manifest.image, manifest.model
        where = {(run.suite, run.task, run.tier, run.suite_hash, run.stop): None for run in manifest.runs}
    else:
        suite = load_suite(asked.suite or "embedded", asked.task or FIRST_TASK)
        tier = suite.tier(asked.tier)
        where = {(suite.name, suite.task, tier.name, suite.hash(tier.name), ""): None}
    drawn: list[dict[str, Any]] = []
    for name, task, tier_name, suite_hash, stop in where:
        seed = fresh_seed(asked.randomness, image, suite_hash)
        facts = {"suite": name, "task": task, "tier": tier_name, "suite_hash": suite_hash, "fresh_seed": seed}
        drawn.append({**facts, "command": fresh_command(image, wm, name, task, tier_name, seed, stop)})
    if asked.as_json:
        print_json({"image": image, "randomness": asked.randomness, "drawn": drawn})
        return 0
    for each in drawn:
        say(f"{each['suite']}/{each['task']}/{each['tier']}  fresh seed {each['fresh_seed']}\n{each['command']}")
    return 0


def _lines(found: Verification) -> Iterator[str]:
    """Yield what verifying found, for people."""
    yield from map(str, found.reasons)
    for sentence in found.unchecked:
        yield f"unchecked: {sentence}"
    if found.trusted is False:
        yield f"unknown-signer: {found.signer} is none of the signers given."
    if found.manifest is not None:
        for run in found.manifest.runs:
            where = f"{run.suite}/{run.tier}, {run.split}"
            yield f"run     {run.run_id}  {where}: {100 * run.success:.1f} %, {run.episodes} rows"
        yield f"signer  {found.signer}{' (not compared with a known key)' if found.trusted is None else ''}"
        yield f"digest  {found.digest}"
    yield "holds: its records are whole and give its numbers" if found.holds else "does not hold"
