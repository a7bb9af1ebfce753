"""Compares what ``run.json`` says with the suite's data and the catalog of world models that are here.

A folder of another version of the suite, or of a plugin that is not installed, is no damage: what could not be checked
is said. What is here and says something else is.
"""

from __future__ import annotations

from typing import List, Mapping, Sequence

from harness.auditing.model_checks import check_model
from harness.contracts.digest import to_plain
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.manifests import PLUGIN
from harness.records.damage import Damage, Findings
from harness.records.folder import RECORD
from harness.records.identity import RunIdentity
from tasks import fresh_homes
from tasks.fresh_homes import FRESH, is_fresh
from tasks.subsets import ALL, MINI, MINI_EPISODES
from tasks.suite import DRAFT, DRAFT_TIER, Suite, Tier, load_suite


def check_identity(identity: RunIdentity) -> Findings:
    """Return what is wrong with the identity of a run."""
    return check_model(identity) + _check_suite(identity, with_episodes=True)


def check_bank(identity: RunIdentity) -> Findings:
    """Return what is wrong with the identity of a measurement but for its states, which its bank knows."""
    return check_model(identity) + _check_suite(identity, with_episodes=False)


def _check_suite(identity: RunIdentity, with_episodes: bool) -> Findings:
    """Return where tier, specs and episodes are not those of the suite's data."""
    at = f"{identity.suite}/{identity.task}/{identity.tier}"
    try:
        suite = load_suite(identity.suite, identity.task)
        tier = suite.tier(identity.tier)
        present = suite.hash(tier.name)
    except Refusal as refusal:
        return Findings((), (f"episodes and radius were not checked against {at}: {refusal.what}",))
    if present != identity.suite_hash:
        sentence = (
            f"it was played on another version of {at} ({identity.suite_hash[:12]}) than is here ({present[:12]})"
        )
        return Findings((), (f"{sentence}: episodes and radius were not checked.",))
    loop = tier.loop_for(identity.wm)
    declared = to_plain({"rig": suite.rig, "action_space": suite.action_space, "loop": loop})
    damage = [_wrong(f"its {name} is not that of {at}")
              for name, value in declared.items() if identity.specs.get(name) != value]  # fmt: skip
    damage += map(_wrong, _words(identity, tier, loop.planner_with(identity.proposer), at))
    if not with_episodes:
        return Findings(tuple(damage))
    if is_fresh(identity.split) and not fresh_homes.is_made(suite, tier, identity.split):
        said = f"the homes of split {identity.split} are not made here: episodes and radius were not checked."
        return Findings(tuple(damage), (said,))
    return Findings((*damage, *_episodes(identity, suite, at)))


def _words(identity: RunIdentity, tier: Tier, planner: str, at: str) -> List[str]:
    """Return what the words of a run say else than its tier does."""
    damage = []
    if identity.stop not in tier.loop.stop_rules:
        damage.append(f"stop rule {identity.stop!r} is none of {at}")
    if identity.planner != planner:
        damage.append(f"planner is {identity.planner!r}, that of {at} is {planner!r}")
    if identity.wm_manifest.get("kind") != PLUGIN and identity.view != tier.view:
        damage.append(f"view is {identity.view!r}, the agent of {at} sees {tier.view!r}")
    if tier.status == DRAFT and DRAFT_TIER not in identity.stamps:
        damage.append(f"{at} is a draft, and the stamp {DRAFT_TIER!r} is missing")
    if identity.proposer and f"proposer-{identity.proposer}" not in identity.stamps:
        damage.append(f"its proposer is the policy {identity.proposer!r}, and no stamp says so")
    missing = [stamp for stamp in identity.search.stamps if stamp not in identity.stamps]
    damage += [f"its search is limited, and the stamp {stamp!r} is missing" for stamp in missing]
    return damage


def _episodes(identity: RunIdentity, suite: Suite, at: str) -> List[Damage]:
    try:
        known = suite.episodes(identity.tier, identity.split)
    except Refusal as refusal:
        return [_wrong(refusal.what)]
    subset, count = identity.episodes_subset, len(identity.episodes)
    names = ("", ALL if count == len(known) else str(count), *((MINI,) if count == MINI_EPISODES else ()))
    called = f"it holds {count} of the {len(known)} episodes of {at}, and is called {subset!r}"
    originals = {episode.id: episode for episode in known}
    if is_fresh(identity.split):
        present = fresh_homes.read(suite, suite.tier(identity.tier), identity.split).digest()
        if identity.specs.get(FRESH) != present:
            said = str(identity.specs.get(FRESH, "missing"))[:12]
            return [_wrong(f"its fresh homes have the hash {said}, those of {identity.split} here {present[:12]}")]
    differences = differing(identity.episodes, originals, f"{at} ({identity.split})")
    return differences if subset in names else [_wrong(called), *differences]


def differing(episodes: Sequence[Episode], known: Mapping[str, Episode], where: str) -> List[Damage]:
    """Return each of ``episodes`` that is not, field by field, the one of its id in ``known``."""
    damage = []
    for episode in episodes:
        original = known.get(episode.id)
        if original is None:
            damage.append(Damage(f"{RECORD}, {episode.id}", f"{where} has no such episode"))
            continue
        if episode == original:  # nearly always
            continue
        mine, theirs = to_plain(episode), to_plain(original)
        fields = [name for name in theirs if mine[name] != theirs[name]]
        if fields:
            what = ", ".join(f"{name} {mine[name]!r} instead of {theirs[name]!r}" for name in fields[:2])
            damage.append(Damage(f"{RECORD}, {episode.id}", what))
    return damage


def _wrong(what: str) -> Damage:
    return Damage(RECORD, what)
