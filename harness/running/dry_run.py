"""What a plan would play and what it would cost, before anything is played."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Mapping

from harness.contracts.manifests import NONE
from harness.records.identity import RunIdentity
from harness.records.listing import read_runs
from harness.running.plan import RunPlan
from harness.worldmodels.digests import commits_of
from harness.worldmodels.preparing import UNPINNED
from tasks.suite import load_suite


def plan_facts(plan: RunPlan, out: Path) -> dict[str, Any]:
    """Return what ``--dry-run`` says of a plan, by name; earlier runs below ``out`` give its seconds."""
    identity = plan.identity
    rows = len(identity.keys())
    per_episode = 0 if identity.wm_manifest["kind"] == NONE else rollouts_at_most(identity)
    seconds, source = estimate(plan, out)
    started = [service.kind for service in (plan.environment, plan.world_model, plan.policy) if service is not None]
    images = {kind: {"runtime": "docker", **asdict(image)} for kind, image in plan.images.items()}
    return {
        "suite": identity.suite,
        "suite_hash": identity.suite_hash,
        "task": identity.task,
        "tier": identity.tier,
        "split": identity.split,
        "stop": identity.stop,
        "wm": identity.wm,
        "wm_overrides": dict(identity.wm_overrides),
        "weights": identity.wm_manifest["weights"] or "none",
        "checkpoints": loaded(identity),
        "stamps": list(identity.stamps),
        "planner": identity.planner,
        **({"proposer": identity.proposer} if identity.proposer else {}),
        "seeds": list(identity.seeds),
        "episodes": rows,
        "episodes_subset": identity.episodes_subset,
        "homes": len({e.home for e in identity.episodes}),
        "rollouts_at_most": rows * per_episode,
        "workers": plan.workers,
        **({} if identity.batch_wait_ms is None else {"batch_wait_ms": identity.batch_wait_ms}),
        "services": {kind: {"runtime": "process"} for kind in started} | images,
        "seconds_estimated": seconds,
        "estimate_from": source,
    }


def fact_lines(facts: Mapping[str, Any]) -> list[str]:
    """Return those facts for people, one a line."""
    shown = {name: value for name, value in facts.items() if name != "services"}
    for kind, service in facts["services"].items():
        shown[kind] = "  ".join(part for part in service.values() if part)
    width = max(map(len, facts))
    lines = []
    for name, value in shown.items():
        text = "; ".join(f"{part}: {fact}" for part, fact in value.items()) if name == "references" else value
        lines.append(f"{name:<{width}}  {'unknown' if text is None else text}")
    return lines


def rollouts_at_most(identity: RunIdentity) -> int:
    """Return how many candidates an episode of a run has in all its decisions."""
    tier = load_suite(identity.suite, identity.task).tier(identity.tier)
    return (identity.search.candidates or tier.candidates) * tier.loop.decisions


def _played_alike(first: RunIdentity, other: RunIdentity) -> bool:
    mine, theirs = (
        (each.wm, each.suite_hash, each.search, each.proposer, each.batch_wait_ms) for each in (first, other)
    )
    return mine == theirs


def loaded(identity: RunIdentity) -> list[str]:
    """Return what of the hub a run loads, with its commit, and whether it was the plugin.toml that named it."""
    commits = commits_of(identity.wm_digests)
    sources = {field: identity.wm_manifest[field]["source"] for field in commits}
    note = " (not pinned: what the cache holds now)" if UNPINNED in identity.stamps else ""
    return [f"{sources[field]}@{commit}{note}" for field, commit in commits.items()]


def estimate(plan: RunPlan, out: Path) -> tuple[float | None, str]:
    """Return the expected seconds of a run and the run that they come from: the latest of the same WM and tier."""
    for listed in reversed(read_runs(out).runs):
        folder = listed.folder
        same = _played_alike(folder.identity, plan.identity)
        seconds = [row.result.timings.get("episode", 0.0) for row in listed.rows] if same else []
        played = [s for s in seconds if s > 0.0]
        if played:
            total = sum(played) / len(played) * len(plan.identity.keys()) / plan.workers
            return round(total, 1), folder.path.name
    return None, "no earlier run of this world model and tier here"
