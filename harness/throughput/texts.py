"""A result in words: the rows of its table, and what a reader must not overlook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from harness.throughput.results import Result
from harness.throughput.sampling import CONFIDENCE, Percentile
from harness.throughput.scenarios import MULTI_STREAM, OFFLINE, SERVER

GB = 1e9


def title(result: Result) -> str:
    """Return what was measured."""
    settings, model = result.settings, result.model
    weights = f", weights {model.weights}" if model.weights else ""
    changed = f" ({', '.join(model.overrides)})" if model.overrides else ""
    kind = settings.scenario
    kind += f" at {settings.rate:g}/s" if kind == SERVER else ""
    kind += f" of {settings.per_query} decisions" if kind == MULTI_STREAM else ""
    replicas = f", {result.replicas} replicas" if result.replicas > 1 else ""
    return (
        f"{model.name}{changed}{weights}: {kind}, {settings.tier}, {result.candidates} candidates a decision{replicas}"
    )


def rows(result: Result) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and note of each number."""
    counts, rates = result.counts, result.rates
    failed = ", ".join(f"{count} {kind}" for kind, count in counts.failed.items()) or "none failed"
    yield "queries", str(counts.queries), f"{counts.decisions} decisions in {result.seconds:.1f} s; {failed}"
    if result.replicas > 1:
        yield "replicas", str(result.replicas), "services side by side: rates and resources are those of all"
    yield "decisions/s", f"{rates.decisions_per_s:.3g}", "answered ones over the whole time"
    yield "rollouts/s", f"{rates.rollouts_per_s:.3g}", ""
    yield "frames/s", f"{rates.frames_per_s:.3g}", ""
    if result.settings.scenario != OFFLINE:
        yield from (_percentile(each, counts.queries) for each in result.latency)
    for name, seconds in result.split_s.items():
        yield f"s/decision: {name}", f"{seconds:.4g}", PARTS.get(name, "as the plugin says")
    warm = result.warm_up
    slowest = f"{max(warm.decisions_s):.3g} s at most for one of {len(warm.decisions_s)} decisions"
    compiled = f", {warm.compile_s:.1f} s of it compiling" if warm.compile_s else ""
    yield "warm-up", f"{warm.start_s:.1f} s", f"start of the service{compiled}; {slowest}; not counted"
    yield from _resources(result)
    if result.cache.questions is not None:
        found = result.cache.questions
        note = f"time over that of new questions, {result.cache.pairs} pairs, p {found.p:.2g}"
        yield "asked again", f"{found.ratio:.2f} x", note
    if result.output is not None:
        yield (
            "output",
            result.output.root[:16],
            f"root of {result.output.rollouts} rollouts, the same whatever the seed",
        )


PARTS = {
    "prepare": "the harness, before and after its calls",
    "transport": "the rest of the calls",
    "imagine": "in the service, which reports no other phase",
    "unsplit": "calls: nobody reports phases",
}


def _percentile(each: Percentile, queries: int) -> tuple[str, str, str]:
    bound = _seconds(each.bound_s) if queries >= each.needed else f"needs {each.needed} queries"
    note = f"at most {bound} with {100 * CONFIDENCE:g} % confidence" if queries >= each.needed else bound
    return f"latency p{100 * each.percentile:g}", _seconds(each.value_s), note


def _resources(result: Result) -> Iterator[tuple[str, str, str]]:
    used, roofline = result.resources, result.roofline
    decisions = max(1, result.counts.decisions)
    joules = None if used.energy_j is None else f"{used.energy_j / decisions:.3g} J/decision"
    share = None if roofline.share is None else f"{100 * roofline.share:.1f} %"
    cpu = None if used.cpu_s is None else f"{used.cpu_s / decisions:.4g} s/decision"
    yield "CPU", cpu or "n/a", used.reasons.get("cpu_s", "processor seconds of the service, whatever else runs here")
    yield "memory", _gigabytes(used.rss_bytes), used.reasons.get("rss_bytes", "resident at most")
    yield "GPU memory", _gigabytes(used.gpu_bytes), used.reasons.get("gpu_bytes", ", ".join(used.gpus))
    yield "energy", joules or "n/a", used.reasons.get("energy_j", "of the whole GPU")
    yield "roofline", share or "n/a", roofline.reason or "of the card's measured peak"


def findings(result: Result) -> list[str]:
    """Return what a reader must not overlook, a line each."""
    return [f"{'INVALID' if f.broken else 'note'}: {f.kind}: {f.text}" for f in result.findings]


def _seconds(value: Optional[float]) -> str:
    return "failed" if value is None else f"{value:.4g} s"


def _gigabytes(count: Optional[int]) -> str:
    return "n/a" if count is None else f"{count / GB:.2f} GB"
