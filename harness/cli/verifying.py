"""`verify`: whether a bundle holds, and what is drawn for a submission."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from harness.cli.arguments import Assignments, EnvGpu, EnvPython, Json, StartTimeout, Timeout, WmGpu, Workers, taking
from harness.cli.console import note, print_json, say
from harness.cli.leaderboard import REFUTED
from harness.contracts.commands import FIRST_TASK
from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal

if TYPE_CHECKING:
    from harness.auditing.audit import Audited
    from harness.cli.progress import ProgressLine
    from harness.leaderboard.comparing import Replay
    from harness.leaderboard.verifying import Verification
    from harness.records.folder import RunFolder

INCOMPLETE = 3
"""The exit code where an episode could not be played again, and nothing else speaks against the bundle."""

_OF_REPLAYS = {
    "replay_randomness": "--replay-randomness", "as_process": "--as-process", "retry_errors": "--retry-errors",
    "workers": "--workers", "wm_gpu": "--wm-gpu",
    "env_gpu": "--env-gpu", "env_python": "--env-python", "scenes": "--scenes", "assignments": "--set",
    "timeout": "--timeout", "start_timeout": "--start-timeout",
}  # fmt: skip


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
    probe: Annotated[bool, typer.Option("--probe", help="Ask the image what only a cheat answers otherwise.")] = False
    replay: Annotated[
        int, typer.Option("--replay", min=0, help="Play so many episodes again, drawn with --replay-randomness.")
    ] = 0
    replay_randomness: Annotated[
        str, typer.Option("--replay-randomness", help="Public text that was not known when the bundle was handed in.")
    ] = ""
    as_process: Annotated[
        bool, typer.Option("--as-process", help="Replay a model of the catalog as a process instead of its image.")
    ] = False
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Play again what could not be played in an earlier replay.")
    ] = False
    workers: Workers = None
    wm_gpu: WmGpu = ""
    env_gpu: EnvGpu = ""
    env_python: EnvPython = ""
    scenes: Annotated[str, typer.Option("--scenes", help="Habitat: folder of the scenes.")] = ""
    assignments: Assignments = None
    timeout: Timeout = None
    start_timeout: StartTimeout = None
    out: Annotated[Path, typer.Option("--out", help="Folder of the replays.")] = Path("runs/replays")
    html: Annotated[Optional[Path], typer.Option("--html", help="Write what was found as a page, too.")] = None
    as_json: Json = False


@taking(VerifyArguments)
def verify_command(asked: VerifyArguments) -> int:
    """Check a bundle: signature, contents, and every number worked out again from its records; play episodes again."""
    _check(asked)
    if asked.draw:
        return _draw(asked)
    if asked.bundle is None:
        raise Refusal("verify needs a bundle.", "For example: python benchmark.py verify submission.zip")
    found = _verified(asked, asked.bundle)
    if asked.html is not None:
        _write_page(found, asked.html)
    if asked.as_json:
        print_json({"holds": found.holds, **to_plain(found)})
    else:
        for line in _lines(found):
            say(line)
    if not found.holds:
        return REFUTED
    return 0 if found.complete else INCOMPLETE


def _verified(asked: VerifyArguments, path: Path) -> Verification:
    """Return what was found; where the records hold, probes and the replay follow as they are asked for."""
    from harness.leaderboard.drawing import check_randomness
    from harness.leaderboard.verifying import Known, opened
    from harness.running.run_options import default_workers

    if asked.replay:
        check_randomness(asked.replay_randomness, "--replay-randomness")
    workers = default_workers() if asked.workers is None else asked.workers
    known = Known(asked.signers or (), asked.image, asked.randomness, workers if asked.replay else 0)
    with opened(path, known) as found:
        seen = found.verification
        if (asked.probe or asked.replay) and not seen.holds:
            note("its image is not asked anything: its records do not hold")
            return seen
        seen = _probed(seen, found.runs) if asked.probe else seen
        return _replayed(asked, workers, seen, found.runs) if asked.replay and seen.holds else seen


def _probed(seen: Verification, found: Sequence[Audited]) -> Verification:
    from harness.cli.plugin import CheckLine
    from harness.leaderboard.probing import probe
    from harness.leaderboard.verifying import with_probes

    assert seen.manifest is not None  # a bundle that holds has one
    note(f"probing {seen.manifest.image}")
    with CheckLine() as line:
        return with_probes(seen, *probe(seen.manifest.image, found[0].folder.identity, line))


def _replayed(asked: VerifyArguments, workers: int, seen: Verification, found: Sequence[Audited]) -> Verification:
    from harness.leaderboard.replaying import Asked, replay
    from harness.leaderboard.verifying import replayed
    from harness.running.continuing import Continuation
    from harness.running.plan import Patience

    continuation = Continuation(
        workers=workers,
        env_python=asked.env_python,
        env_gpu=asked.env_gpu,
        wm_gpu=asked.wm_gpu,
        scenes=asked.scenes,
        assignments=tuple(asked.assignments or ()),
        patience=Patience(timeout_s=asked.timeout, start_s=asked.start_timeout),
    )
    text, place = asked.replay_randomness, asked.out / _place(asked, seen.digest)
    how = Asked(asked.replay, text, place, continuation, asked.as_process, asked.retry_errors)
    assert seen.manifest is not None
    return replayed(seen, replay(how, seen.manifest, seen.digest, found, _told))


def _place(asked: VerifyArguments, digest: str) -> str:
    """Return the name of a replay's folder: what was played on another device, or as a process, is not gone on with,
    since bits are compared with those of this one."""
    from harness.records.provenance import device, hardware

    text, here = asked.replay_randomness, repr(device(hardware()))
    parts = (hashlib.sha256(part.encode()).hexdigest()[:8] for part in (text, here))
    return "-".join((digest[:16], *parts, str(asked.replay), *(("as-process",) if asked.as_process else ())))


def _write_page(found: Verification, path: Path) -> None:
    """Write the page of a verification; what stands there already has to be a plain file."""
    from harness.records.atomic import write_atomic
    from harness.records.safe_files import check_kind
    from harness.reporting.site_pages import verification_html

    check_kind(path)
    page = verification_html({"holds": found.holds, **to_plain(found)})
    write_atomic(path, page.encode("utf-8", "backslashreplace"))


def _told(folder: RunFolder) -> ProgressLine:
    """Return the line that shows how the replay of a run goes."""
    from harness.cli.progress import ProgressLine

    note(f"playing again in {folder.path}")
    return ProgressLine(folder=folder.path)


def _check(asked: VerifyArguments) -> None:
    """Raise Refusal for options that would be ignored."""
    about = {"--wm": asked.wm, "--task": asked.task, "--suite": asked.suite, "--tier": asked.tier}
    ignored = [f"{name} {value}" for name, value in about.items() if value and (not asked.draw or asked.bundle)]
    if ignored:
        raise Refusal(
            f"{', '.join(ignored)}: verify takes that with --draw and --image alone.", "A bundle says it itself."
        )
    if asked.draw and (asked.replay or asked.probe):
        raise Refusal("--draw plays nothing.", "Draw first, play what it prints, and verify the bundle of that.")
    if asked.draw and asked.signers:
        raise Refusal(f"--signer {asked.signers[0]}: --draw looks at no signature.", "Verify the bundle with it.")
    if asked.draw and not asked.randomness:
        raise Refusal("--draw needs --randomness.", "Give a text that was published after the image was registered.")
    if asked.replay and asked.replay_randomness in ("", asked.randomness):
        raise Refusal(
            "--replay needs a text of its own (--replay-randomness).",
            "Give one that was published after the bundle was handed in: the text that fresh homes were drawn with "
            "(--randomness) was known before, and a bundle can be made until its draw misses what is forged.",
        )
    if asked.draw and asked.html is not None:
        raise Refusal("--draw looks at nothing that --html could show.", "Leave out one of them.")
    how = [name for name in _OF_REPLAYS if getattr(asked, name)]
    if how and not asked.replay:
        raise Refusal(f"{', '.join(map(_OF_REPLAYS.__getitem__, how))}: that says how --replay plays.", "Add --replay.")
    if asked.draw and (asked.bundle is None) == (not asked.image):
        raise Refusal("--draw is for a bundle, or for an image.", "Give one of them: BUNDLE, or --image.")


def _draw(asked: VerifyArguments) -> int:
    """Print the drawn seed of each tier, and the command that plays its homes."""
    from harness.leaderboard.drawing import fresh_command, fresh_seed
    from harness.leaderboard.verifying import verify
    from tasks.registry import load_task
    from tasks.suite import load_suite

    image, wm = asked.image, asked.wm
    if asked.bundle is not None:
        manifest = verify(asked.bundle).manifest
        if manifest is None:
            raise Refusal(f"{asked.bundle} cannot be read as a bundle.", "See why: python benchmark.py verify BUNDLE")
        image, wm = manifest.image, manifest.model
        where = {(run.suite, run.task, run.tier, run.suite_hash, run.stop): None for run in manifest.runs}
    else:
        task = asked.task or FIRST_TASK
        load_task(task)  # refuses a task that is not there, by its name
        suite = load_suite(asked.suite or "embedded", task)
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
    if found.probed is not None:
        yield f"probes  {len(found.probed.states)} questions that a cheat answers otherwise"
        yield from (f"failed  probe {name}: {error}" for name, error in found.probed.failures.items())
    if found.replay is not None:
        yield from _replay_lines(found.replay)
    if not found.holds:
        yield "does not hold"
    elif not found.complete:
        yield "holds so far: not everything could be played again or probed"
    else:
        agrees = ", and what was asked again agrees" if found.replay or found.probed else ""
        yield f"holds: its records are whole and give its numbers{agrees}"


def _replay_lines(replay: Replay) -> Iterator[str]:
    """Yield what playing again found, for people."""
    source = (
        "as processes of this checkout's own model: nothing is shown of the image" if replay.as_process else "image"
    )
    yield f"replay  {replay.drawn} of {replay.of} rows played again ({source}): {replay.equal} equal to the last bit"
    exact = sum(pair.exact for pair in replay.pairs)
    if replay.p is not None:
        yield (
            f"success {replay.recorded_successes} in the records, {replay.replayed_successes} in the replay; "
            f"p = {replay.p:.2g} of so many losses by chance ({replay.drawn - exact} rows are compared by success)"
        )
    for cause, count in replay.technical.items():
        yield f"failed  {count} could not be played again: {cause}"
    shares = ", ".join(f"{100 * each.share:g} %: {each.probability:.3f}" for each in replay.chances)
    yield f"finds   a cheat in a share of all episodes with probability  {shares}"
