"""Plays drawn episodes of a bundle again, as any run is played, and compares them with its records.

What is played comes from the verifier: this checkout's suite and harness, and the image that the bundle's digest names.
The bundle is read for what was asked alone. Replays are run folders of their own, one for each run and seed, so that
the same command goes on where an interrupted one stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.auditing.audit import Audited, audit
from harness.contracts.errors import Refusal, SpecMismatch, WiwError
from harness.contracts.results import PLANNED, EpisodeResult
from harness.leaderboard.bundle import Manifest
from harness.leaderboard.comparing import Pair, Replay, pair, summed
from harness.leaderboard.drawing import drawn_rows
from harness.records.folder import RunFolder
from harness.records.identity import ImageRecord, RunIdentity
from harness.records.journal import JournalRow
from harness.records.provenance import GPUS, device, hardware
from harness.records.resuming import WM_GPU, needed
from harness.running import runs
from harness.running.continuing import Continuation, plan_again
from harness.running.plan import RunPlan
from harness.running.progress import ProgressCallback
from harness.running.run_images import find_image
from harness.running.sameness import check_same
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.strangers import is_strangers


@dataclass(frozen=True)
class Asked:
    """How a replay is made.

    ``count`` rows are drawn with ``randomness`` and played below ``out``; ``continuation`` holds what a run folder is
    not believed about (workers, GPU, scenes). ``as_process`` plays a model of this checkout's catalog as a process in
    the place of the image; ``retry_errors`` plays what could not be played once more.
    """

    count: int
    randomness: str
    out: Path
    continuation: Continuation = field(default_factory=Continuation)
    as_process: bool = False
    retry_errors: bool = False


Telling = Callable[[RunFolder], AbstractContextManager[ProgressCallback]]
"""Gives, for a run folder that is about to be played, who is told how it goes."""


@dataclass(frozen=True)
class _Part:
    """The drawn rows of one run and seed."""

    run: Audited
    seed: int
    rows: tuple[JournalRow, ...]

    @property
    def name(self) -> str:
        return f"{self.run.folder.record.run_id[:180]}-s{self.seed}"


def replay(asked: Asked, manifest: Manifest, digest: str, found: Sequence[Audited], telling: Telling) -> Replay:
    """Play ``asked.count`` rows of the bundle's runs again and compare them.

    ``digest`` is the bundle's. Refusal where so many rows cannot be drawn; whatever keeps an episode from being played
    is told of its pair, and `KeyboardInterrupt` leaves the replay to be continued.
    """
    drawn = drawn_rows(found, digest, asked.randomness, asked.count)
    pairs: list[Pair] = []
    for part in _parts(drawn):
        again, why = _played(asked, part, manifest.image, telling)
        exact = _is_exact(part.run)
        for row in part.rows:
            planned = EpisodeResult(row.key.episode, row.result.home, part.seed, PLANNED, {}, "")
            result = again.get(row.key.episode, planned)
            pairs.append(pair(part.run.folder.record.run_id, row.result, result, exact, why))
    return summed(pairs, sum(len(run.rows) for run in found), asked.randomness, asked.as_process)


def _parts(drawn: Sequence[tuple[Audited, JournalRow]]) -> Iterator[_Part]:
    """Yield the drawn rows by run and seed, in the order of the plan."""
    grouped: dict[tuple[str, int], tuple[Audited, list[JournalRow]]] = {}
    for run, row in drawn:
        grouped.setdefault((run.folder.record.run_id, row.key.seed), (run, []))[1].append(row)
    for (_, seed), (run, rows) in sorted(grouped.items()):
        yield _Part(run, seed, tuple(sorted(rows, key=lambda row: row.position)))


def _is_exact(run: Audited) -> bool:
    """Say whether a run's records have to be found again to the last bit: its model promises it, on such a device.

    Where a GPU was used, and machines do not say that they have this one kind of GPU, nobody knows which it was.
    """
    recorded = device(run.folder.record.provenance.hardware)
    if recorded is None or not run.folder.identity.wm_manifest.get("deterministic"):
        return False
    if WM_GPU in needed(run.folder.record) and len(set(recorded[GPUS])) != 1:
        return False
    return recorded == device(hardware())


def _played(asked: Asked, part: _Part, image: str, telling: Telling) -> tuple[dict[str, EpisodeResult], str]:
    """Play a part, or what is left of it; return its results by episode, and why those that are planned still are.

    Nothing counts of a folder that could not be continued: it may hold what another image, or a process, played.
    """
    path = asked.out / part.name
    try:
        plan = _plan(asked, part, image)
        folder = RunFolder.open(path) if path.exists() else runs.create(plan, asked.out, part.name)
        with telling(folder) as progress:
            outcome = runs.resume(path, plan, progress, asked.retry_errors)
        if outcome.interrupted and not outcome.stopped:
            raise KeyboardInterrupt
    except WiwError as error:
        return {}, str(error)
    done = audit(RunFolder.open(path))
    if done.findings.damage:
        return {}, f"the replay's own folder {path} is damaged: {done.findings.damage[0]}"
    return {row.key.episode: row.result for row in done.rows}, outcome.stopped


def _plan(asked: Asked, part: _Part, image: str) -> RunPlan:
    """Return the plan of a part, made anew as that of a resumed run is.

    Refusal where image, suite or options are not here, SpecMismatch where the image is another model than the run says.
    """
    folder, identity = part.run.folder, part.run.folder.identity
    if asked.as_process:
        _check_own(identity)
    wanted = replace(
        identity,
        wm_image=None if asked.as_process else _image(identity, image),
        episodes=tuple(identity.episode(row.key.episode) for row in part.rows),
        seeds=(part.seed,),
        episodes_subset="",
    )
    copy = RunFolder(folder.path, replace(folder.record, identity=wanted), "")
    plan = plan_again(copy, asked.continuation)
    check_same(replace(wanted, wm_digests=plan.identity.wm_digests), plan.identity)
    return plan


def _image(identity: RunIdentity, image: str) -> ImageRecord:
    """Return the image of a bundle's digest as it is on this machine; Refusal where it is not."""
    if identity.wm_image is None:
        raise Refusal("the run names no image.", "Only what runs in the sandbox is played again.")
    here = find_image(image)
    if image.rpartition("@")[2] not in (here.id, here.repo_digest.rpartition("@")[2]):
        raise SpecMismatch(f"{image} is {here.id} here.", f"Get it: docker pull {image}")
    return here


def _check_own(identity: RunIdentity) -> None:
    """Raise Refusal unless a run's model is one of this checkout's own, which alone are trusted as processes."""
    catalog = load_catalog()
    if identity.wm not in catalog.names() or is_strangers(catalog.find(identity.wm)):
        raise Refusal(
            f"{identity.wm} did not come with the harness, and a stranger's model is played in its image alone.",
            "Leave out --as-process.",
        )
