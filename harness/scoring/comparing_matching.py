"""Which runs may be compared: everything but the world model and the machine must be equal.

A difference between two runs is blamed on the world model. Anything else that differs would be an explanation that
nobody sees in the number, so it is refused, with the field, both values and the way out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Iterator, List, Mapping, Sequence, Set, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.printing import counted
from harness.contracts.results import PLANNED, PLAYED
from harness.contracts.search import SEARCH, Search
from harness.records.identity import POLICY, RunIdentity
from harness.records.model_parts import changed_parts, same_name, unknown_parts
from harness.scoring.data import RunData

FIELDS = {
    "suite": "Play both on one suite (--suite).",
    "task": "Play both on one task (--task).",
    "tier": "Play both on one tier (--tier).",
    "split": "Play both on one split (--split).",
    "stop": "Play both with one stop rule (--stop).",
    "suite_hash": "Their episodes, homes, cameras, loop or score are not the same data: play the older run again with "
    "this version of the suite.",
    "seeds": "Play both with the same --seed or --seeds.",
}
"""Fields of a run's identity that must be equal, and what to do where they are not."""

PLANNER_NEXT = "Play both with the same planner: the same --planner, --reviser and settings of the loop."
PROPOSER_NEXT = "Play both with the same --proposer, its code and its --proposer-set, or both without."
SEARCH_NEXT = (
    "Play both with the same --candidates, --wm-share, --decision-seconds and --step-seconds, or both without."
)
TEMPLATE = "prompt_template"
SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Terms:
    """What a comparison tolerates and knows.

    ``allow_partial`` takes runs with episodes that broke or were not played. ``allow_prompts`` takes text-conditioned
    world models that were asked in different words. ``loop`` is the tier's decision loop as plain data, and
    ``reference_loops`` that of each reference (by world model) which the suite plays with a reviser of its own, such
    as ``none``, which has nothing to revise by; empty where the suite's data are not here.
    """

    allow_partial: bool = False
    allow_prompts: bool = False
    loop: Mapping[str, Any] = field(default_factory=dict)
    reference_loops: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def check_comparable(runs: Sequence[RunData], terms: Terms) -> Tuple[str, ...]:
    """Return what a reader must know about runs that may be compared; raise Refusal for runs that may not.

    The first run is compared with each other one, which covers all pairs.
    """
    if len(runs) < 2:
        raise Refusal(f"{len(runs)} run cannot be compared.", "Give two run folders or more; see `list runs`.")
    _check_distinct(runs)
    for other in runs[1:]:
        _check_equal(runs[0], other, terms)
    notes = [note for run in runs for note in _check_complete(run, terms)]
    return (*notes, *_reference_notes(runs, terms), *_model_notes(runs, terms))


def _check_distinct(runs: Sequence[RunData]) -> None:
    seen: Set[str] = set()
    for run in runs:
        name = run.record.run_id
        if name in seen:
            raise Refusal(f"run {name} was given twice.", "A run differs from itself in nothing; give each run once.")
        seen.add(name)


def _check_equal(first: RunData, other: RunData, terms: Terms) -> None:
    mine, theirs = first.identity, other.identity
    for name, remedy in FIELDS.items():
        if getattr(mine, name) != getattr(theirs, name):
            raise _refusal(name, getattr(mine, name), getattr(theirs, name), first, other, remedy)
    if mine.specs.get(POLICY) != theirs.specs.get(POLICY):
        one, another = (identity.proposer or "the tier's own" for identity in (mine, theirs))
        raise _refusal("the policy that proposes", one, another, first, other, PROPOSER_NEXT)
    if not mine.searches_as(theirs):
        raise _refusal(SEARCH, _searched(mine.search), _searched(theirs.search), first, other, SEARCH_NEXT)
    _check_episodes(first, other)
    my_specs, their_specs = _specs(mine, terms), _specs(theirs, terms)
    for where, left, right in _differences("specs", my_specs, their_specs):
        raise _refusal(where, left, right, first, other, PLANNER_NEXT)
    declared = my_specs != mine.specs or their_specs != theirs.specs
    if mine.planner != theirs.planner and not declared:
        raise _refusal("planner", mine.planner, theirs.planner, first, other, PLANNER_NEXT)
    _check_prompts(first, other, terms)


def _check_episodes(first: RunData, other: RunData) -> None:
    mine = {episode.id: episode for episode in first.identity.episodes}
    theirs = {episode.id: episode for episode in other.identity.episodes}
    lone = sorted(set(mine) ^ set(theirs))
    if lone:
        owner = first if lone[0] in mine else other
        raise Refusal(
            f"these runs cannot be compared: {first.record.run_id} has {counted(len(mine), 'episode')} and "
            f"{other.record.run_id} has {len(theirs)}, of which {len(set(mine) & set(theirs))} are in both; "
            f"{lone[0]} is in {owner.record.run_id} alone.",
            "Play one of them again with the --episodes of the other.",
        )
    changed = [name for name, episode in mine.items() if episode != theirs[name]]
    if changed:
        name = f"episode {changed[0]} ({len(changed)} differ)"
        raise _refusal(name, mine[changed[0]], theirs[changed[0]], first, other, FIELDS["suite_hash"])


def _specs(identity: RunIdentity, terms: Terms) -> Mapping[str, Any]:
    """Return the specs, with the tier's loop in place of one that the suite itself declares for this reference."""
    declared = terms.reference_loops.get(identity.wm)
    if declared is None or identity.specs.get("loop") != declared:
        return identity.specs
    return {**identity.specs, "loop": terms.loop}


def _searched(search: Search) -> str:
    return " ".join(search.words) or "all candidates of every decision"


def _check_prompts(first: RunData, other: RunData, terms: Terms) -> None:
    mine, theirs = _template(first), _template(other)
    if mine and theirs and mine != theirs and not terms.allow_prompts:
        raise _refusal(
            f"wm_manifest.settings.{TEMPLATE}",
            _called(mine),
            _called(theirs),
            first,
            other,
            "Play both with one template (--set prompt_template=NAME); or, where a checkpoint needs the words that it "
            "was trained on, add --allow-prompts, which stamps the comparison.",
        )


def _check_complete(run: RunData, terms: Terms) -> Iterator[str]:
    """Yield the note of a run that is not complete; raise Refusal where that was not asked for."""
    states = [result.state for result in run.results]
    played = sum(state in PLAYED for state in states)
    pending = states.count(PLANNED)
    if played == len(states):
        return
    broken = len(states) - played - pending
    counts = f"{played} of {len(states)} episodes were played to their end"
    counts += f" ({broken} broke or timed out, {pending} not played yet)"
    if not terms.allow_partial:
        raise Refusal(
            f"run {run.record.run_id} is PARTIAL: {counts}.",
            f"Complete it: python benchmark.py --resume RUN{' --retry-errors' if broken else ''}. Or compare it as it "
            "is with --allow-partial, which stamps the comparison.",
        )
    yield (
        f"PARTIAL: of {run.record.run_id}, {counts}. Broken ones count as not solved; pairs that some run has not "
        "played yet are left out."
    )


def _reference_notes(runs: Sequence[RunData], terms: Terms) -> Iterator[str]:
    for name in sorted({run.identity.wm for run in runs if _specs(run.identity, terms) is not run.identity.specs}):
        reviser = terms.reference_loops[name].get("reviser", {}).get("name", "another")
        yield f"{name} is a reference that the suite plays with the reviser {reviser!r}; everything else is equal."


def _model_notes(runs: Sequence[RunData], terms: Terms) -> List[str]:
    """Return notes on differences that are allowed and that a reader should not overlook."""
    notes = []
    if len({run.identity.view for run in runs}) > 1:
        notes.append("views: " + ", ".join(f"{r.identity.wm} {r.identity.view}" for r in runs) + " (classes apart).")
    commits = sorted({run.record.provenance.git_commit[:10] or "unknown" for run in runs})
    if len(commits) > 1:
        notes.append(f"the runs were made by different commits of the harness: {', '.join(commits)}.")
    templates = sorted({_called(template) for template in map(_template, runs) if template})
    if len(templates) > 1:
        notes.append(f"PROMPTS DIFFER: world models were asked in different words ({', '.join(templates)}).")
    return [*notes, *_same_model_notes(runs)]


def _same_model_notes(runs: Sequence[RunData]) -> Iterator[str]:
    """Yield what is known of runs whose world models have one manifest, each sentence once."""
    told: Set[str] = set()
    for mine, theirs in combinations(runs, 2):
        first, second = mine.identity, theirs.identity
        changed = changed_parts(first, second)
        if same_name(first, second) and changed:
            note = (
                f"{mine.record.run_id} and {theirs.record.run_id} are NOT of the same world model, although it is "
                f"called {first.wm} in both: {'; '.join(changed)} differ."
            )
        elif (first.wm_manifest_hash, first.wm_image) != (second.wm_manifest_hash, second.wm_image):
            continue
        elif unknown := unknown_parts(first, second):
            note = f"whether two of the runs are of the same world model, {first.wm}, is not known: {unknown}."
        else:
            note = "two of the runs are of the same world model: their difference is noise of its own."
        if note not in told:
            told.add(note)
            yield note


def _template(run: RunData) -> str:
    """Return the text of the prompt template that a text-conditioned world model was asked with, '' for others."""
    manifest = run.identity.wm_manifest
    return str(manifest.get("settings", {}).get(TEMPLATE, "")) if manifest.get("conditioning") == "text" else ""


def _called(template: str) -> str:
    """Return the name that a template gives itself and the start of its hash."""
    lines = [line.partition("=")[2].strip().strip("\"'") for line in template.splitlines() if line.startswith("name")]
    return f"{lines[0] if lines else 'template'} (sha256 {hashlib.sha256(template.encode()).hexdigest()[:12]})"


def _differences(where: str, left: Any, right: Any) -> Iterator[Tuple[str, Any, Any]]:
    """Yield (path, left, right) of every difference of two plain values, '(missing)' where one has no such entry."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in sorted(set(left) | set(right)):
            yield from _differences(f"{where}.{key}", left.get(key, "(missing)"), right.get(key, "(missing)"))
    elif left != right:
        yield where, left, right


def _refusal(where: str, left: Any, right: Any, first: RunData, other: RunData, remedy: str) -> Refusal:
    return Refusal(
        f"these runs cannot be compared: {where} differs: {_shown(left)} in {first.record.run_id}, "
        f"{_shown(right)} in {other.record.run_id}.",
        remedy,
    )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
