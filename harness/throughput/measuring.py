"""One measurement of one world model: warm-up, whose answers are its output, the scenario, and repeated questions."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import Optional, Sequence

from harness.contracts.digest import merkle_root
from harness.contracts.manifests import ModelManifest
from harness.runtimes.service import Service
from harness.throughput.asking import DIED, FAILED, LATE, Answer, Asker
from harness.throughput.caching import FASTER, CacheCheck, Paired, check_caching
from harness.throughput.decisions import Decisions, Purpose, Situation
from harness.throughput.replicas import Progress, Tally, together
from harness.throughput.resources import Gpus, Meter, Resources
from harness.throughput.results import Counts, Finding, Output, Rates, WarmUp
from harness.throughput.sampling import PERCENTILES, Percentile, kept_bound, needed, percentile_of
from harness.throughput.scenarios import (
    OFFLINE,
    PERCENTILE,
    UNANSWERED,
    Measured,
    Query,
    Settings,
    check_replicas,
    measure,
)
from harness.worldmodels.imaginer import ImaginingModel

WARM_UP_SEED = 0
"""The warm-up asks the same whatever the seed of the measurement, so that its answers tell models apart."""

PREPARE, TRANSPORT, UNSPLIT = "prepare", "transport", "unsplit"

REPLICAS_DIFFER = "replicas-differ"


@dataclass(frozen=True)
class Session:
    """A model that can be asked, once a replica. ``services`` are those behind ``models``, none where these are in this
    process; ``start_s`` is what the start of all took.

    ``gpus`` was made before that.
    """

    models: tuple[ImaginingModel, ...]
    services: tuple[Service, ...] = ()
    start_s: float = 0.0
    gpus: Gpus = field(default_factory=Gpus)


@dataclass(frozen=True)
class Findings:
    """What was measured; the parts of a `Result` that the model itself is the cause of."""

    candidates: int
    replicas: int
    counts: Counts
    seconds: float
    rates: Rates
    latency: tuple[Percentile, ...]
    latencies_s: tuple[Optional[float], ...]
    split_s: dict[str, float]
    warm_up: WarmUp
    resources: Resources
    cache: CacheCheck
    output: Optional[Output]
    findings: tuple[Finding, ...]


def measure_model(
    session: Session,
    manifest: ModelManifest,
    situations: Sequence[Situation],
    settings: Settings,
    progress: Progress,
) -> Findings:
    """Measure the model of a session. A failure of the model is a finding, whatever it is; nothing is raised for it.

    Refusal where the scenario asks no more than one replica, and the session has several.
    """
    check_replicas(settings, len(session.models))
    decisions = Decisions(manifest, situations, settings.seed, settings.candidates)
    asks = [Asker(model, manifest) for model in session.models]
    tally = Tally(progress, "warming up", len(asks) * settings.warm_up)
    first = Decisions(manifest, situations, WARM_UP_SEED, settings.candidates)
    warm = together([partial(_warm_up, ask, first, settings.warm_up, tally) for ask in asks])
    measured, meter = Measured((), 0.0), Meter(session.services, session.gpus)
    cache = CacheCheck(failure="the model does not answer")
    outputs: list[Output] = []
    if not any(answers[-1].failure for answers in warm):
        with meter:
            measured = measure(
                lambda number: decisions(Purpose.MEASURE, number),
                asks,
                settings,
                1.0 / sum(1.0 / answers[-1].seconds for answers in warm),
                lambda done, total: progress("measuring", done, total),
            )
        if not any(answer.lost for query in measured.queries for answer in query.answers):
            cache = CacheCheck()
            if settings.cache_check:
                progress("asking again", 0, 0)
                cache = check_caching(asks[0], Decisions(manifest, situations, settings.seed), manifest.steps > 0)
            outputs = [_output(answers) for answers in warm]
    answers = [answer for query in measured.queries for answer in query.answers]
    return Findings(
        candidates=decisions.candidates,
        replicas=len(asks),
        counts=_counts(measured.queries, answers),
        seconds=measured.seconds,
        rates=_rates(answers, measured.seconds),
        latency=tuple(percentile_of([query.seconds for query in measured.queries], p) for p in PERCENTILES),
        latencies_s=tuple(q.seconds if math.isfinite(q.seconds) else None for q in measured.queries),
        split_s=split(answers),
        warm_up=WarmUp(session.start_s, max(ask.warm_up_s for ask in asks), _seconds(warm)),
        resources=meter.found,
        cache=cache,
        output=outputs[0] if outputs else None,
        findings=(*_found(warm, measured.queries, settings, cache), *_differing(outputs, manifest.deterministic)),
    )


def _warm_up(ask: Asker, decisions: Decisions, count: int, tally: Tally) -> list[Answer]:
    """Ask what is not counted, with digests: the first calls compile. It ends at the first failure."""
    answers: list[Answer] = []
    for number in range(count):
        answers.append(ask(decisions(Purpose.WARM_UP, number), True))
        tally.one_more()
        if answers[-1].failure:
            break
    return answers


def _seconds(warm: Sequence[Sequence[Answer]]) -> tuple[float, ...]:
    return tuple(answer.seconds for answers in warm for answer in answers)


def _output(answers: Sequence[Answer]) -> Output:
    """Return the output of a replica that failed in no decision of its warm-up."""
    digests = [digest for answer in answers for digest in answer.digests]
    return Output(merkle_root(digests), len(answers), len(digests))


def _counts(queries: Sequence[Query], answers: Sequence[Answer]) -> Counts:
    failed = Counter(query.failure for query in queries if query.failure)
    rollouts, frames = (sum(getattr(answer, name) for answer in answers) for name in ("rollouts", "frames"))
    return Counts(len(queries), len(answers), dict(sorted(failed.items())), rollouts, frames)


def _rates(answers: Sequence[Answer], seconds: float) -> Rates:
    good = [answer for answer in answers if not answer.failure]
    per_s = [n / seconds if seconds else 0.0 for n in (
        len(good), sum(answer.rollouts for answer in good), sum(answer.frames for answer in good)
    )]  # fmt: skip
    return Rates(*per_s)


def split(answers: Sequence[Answer]) -> dict[str, float]:
    """Return mean seconds of an answered decision by part; they add up to what a decision takes."""
    good = [answer for answer in answers if not answer.failure]
    if not good:
        return {}
    phases: dict[str, float] = defaultdict(float)
    for answer in good:
        phases[PREPARE] += answer.seconds - answer.called_s
        for name, seconds in answer.phases.items():
            phases[name] += seconds
        rest = answer.called_s - sum(answer.phases.values())
        phases[TRANSPORT if answer.phases else UNSPLIT] += rest
    return {name: seconds / len(good) for name, seconds in phases.items()}


WORDS = {
    FAILED: "the world model failed in {count} of {queries} queries: {error}",
    LATE: "a call passed its deadline, and no more was asked: {error}",
    DIED: "the service was lost, and no more was asked: {error}",
    UNANSWERED: "{count} of {queries} queries were not answered before the end",
}


def _found(
    warm: Sequence[Sequence[Answer]], queries: Sequence[Query], settings: Settings, cache: CacheCheck
) -> list[Finding]:
    found = []
    for number, answers in enumerate(warm):
        last, whose = answers[-1], f" of replica {number}" if len(warm) > 1 else ""
        if last.failure:
            text = f"{_in_line(last.error)} (decision {len(answers)} of the warm-up{whose}: nothing was measured)"
            found.append(Finding(last.failure, text, True))
    if found:
        return found
    kinds = Counter(query.failure for query in queries if query.failure)
    for kind, count in sorted(kinds.items()):
        error = next((a.error for q in queries for a in q.answers if a.failure == kind), "")
        text = WORDS[kind].format(count=count, queries=len(queries), error=_in_line(error))
        found.append(Finding(kind, text, True))
    if not settings.cache_check:
        found.append(Finding("not-asked-again", "nobody looked for kept answers (--no-cache-check)", False))
    return [*found, *_sampled(queries, settings), *_kept(cache)]


def _sampled(queries: Sequence[Query], settings: Settings) -> list[Finding]:
    """Return what the number of queries leaves open, and whether the bound on latency is kept."""
    if settings.scenario == OFFLINE:
        return []
    percentile = PERCENTILE[settings.scenario]
    found = []
    if len(queries) < needed(percentile):
        text = f"stopped early with {len(queries)} queries: percentile {100 * percentile:g} needs {needed(percentile)}"
        found.append(Finding("few-queries", text, False))
    if settings.bound_s and not kept_bound([query.seconds for query in queries], settings.bound_s, percentile):
        text = f"percentile {100 * percentile:g} is not shown to keep {settings.bound_s:g} s at {settings.rate:g}/s"
        found.append(Finding("bound", text, True))
    return found


def _kept(cache: CacheCheck) -> list[Finding]:
    found = []
    if cache.failure:
        found.append(Finding("not-asked-again", f"not looked for kept answers: {_in_line(cache.failure)}", True))
    if cache.questions is not None and cache.questions.remembered:
        found.append(Finding("cached", f"answers are kept: asked again, they {_share(cache.questions)}", True))
    if cache.views is not None and cache.views.remembered:
        text = f"it remembers views: questions from known ones {_share(cache.views)}; none is measured twice"
        found.append(Finding("remembers-views", text, False))
    if cache.same_views:
        found.append(Finding("same-views", "two views had the same frames: it does not answer what it is asked", True))
    if cache.same_seeds:
        found.append(Finding("same-seeds", "two seeds had the same frames, though it declares sampling steps", True))
    return found


def _differing(outputs: Sequence[Output], deterministic: bool) -> list[Finding]:
    """Return what is to be said where replicas' outputs differ: it breaks the result unless that was to be expected."""
    roots = [output.root[:16] for output in outputs]
    if len(set(roots)) <= 1:
        return []
    text = f"the replicas' outputs differ: {', '.join(f'{root} of replica {n}' for n, root in enumerate(roots))}"
    note = "" if deterministic else "; the model does not declare that it is deterministic"
    return [Finding(REPLICAS_DIFFER, text + note, deterministic)]


def _share(found: Paired) -> str:
    return f"take {found.ratio:.2f} of a new one's time (limit {FASTER:g}, p = {found.p:.2g})"


def _in_line(error: str) -> str:
    words = " ".join(error.split())
    return words if len(words) <= 300 else words[:299] + "…"
