"""The plan of a measurement: that of a run, with states in the place of episodes.

Workers, journal, retries, deadlines and resuming are those of runs, because the plan names another player and nothing
else is different.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Optional, Tuple

from harness.banking.measures import METRICS
from harness.contracts.episodes import Episode
from harness.contracts.failures import BROKEN
from harness.contracts.from_plain import from_plain
from harness.contracts.manifests import ENVIRONMENT, ModelManifest
from harness.contracts.results import PLANNED
from harness.records.banks import BANK_HASH
from harness.records.folder import RunFolder
from harness.records.identity import RunIdentity
from harness.records.model_parts import asks_the_same, changed_parts
from harness.running.plan import RunPlan
from harness.worldmodels.conditioning import view_request
from tasks.bank_files import SEED, SPLIT, Bank
from tasks.suite import Suite

PLAYER = "harness.banking.player:BankPlayer"
BANK_PATH = "bank"
"""Key of the plan's options with the bank's file."""


def plan_measurement(plan: RunPlan, suite: Suite, bank: Bank) -> RunPlan:
    """Return the plan that asks the world model of a run's ``plan`` in every state of ``bank``.

    The environment stays in the plan only where the model is it, or where the model wants a view that the bank does
    not hold: then it renders that view and tells nothing else.
    """
    identity = replace(
        plan.identity,
        split=SPLIT,
        seeds=(SEED,),
        episodes=state_episodes(suite, plan.identity.tier, bank),
        episodes_subset="",
        specs={**plan.identity.specs, BANK_HASH: bank.hash},
    )
    wanted = needs_environment(identity, suite)
    kinds = {kind: image for kind, image in plan.images.items() if wanted or kind != "environment"}
    return replace(
        plan,
        identity=identity,
        player=PLAYER,
        metrics=METRICS,
        environment=plan.environment if wanted else None,
        options={BANK_PATH: str(bank.path.absolute())},
        images=kinds,
    )


def state_episodes(suite: Suite, tier: str, bank: Bank) -> Tuple[Episode, ...]:
    """Return one episode a state, named after the state: the rows of a measurement."""
    known = {episode.id: episode for episode in suite.episodes(tier, SPLIT)}
    return tuple(replace(known[state.episode], id=state.id) for state in bank.states)


def needs_environment(identity: RunIdentity, suite: Suite) -> bool:
    """Say whether the bank alone is not enough to ask a world model."""
    manifest = from_plain(ModelManifest, dict(identity.wm_manifest))
    if manifest.kind == ENVIRONMENT:
        return True
    return view_request(manifest, suite.rig, suite.tier(identity.tier).loop.agent_camera) is not None


def unfinished(folders: Tuple[RunFolder, ...], plan: RunPlan, broken: bool = False) -> Optional[RunFolder]:
    """Return the latest of the measurements that asks what ``plan`` asks and has states left to ask.

    With ``broken``, states in which the world model failed are left too. A measurement from before digests were
    written down is taken at its manifest.
    """
    for folder in reversed(folders):
        digests = folder.identity.wm_digests or plan.identity.wm_digests
        if replace(folder.identity, wm_digests=digests) == plan.identity and _has_states_left(folder, broken):
            return folder
    return None


def outdated(folders: Tuple[RunFolder, ...], plan: RunPlan) -> Optional[Tuple[RunFolder, Tuple[str, ...]]]:
    """Return the latest measurement that stopped and cannot go on because the world model is another one now, and the
    parts of it that are."""
    for folder in reversed(folders):
        changed = changed_parts(folder.identity, plan.identity)
        if changed and asks_the_same(folder.identity, plan.identity) and _has_states_left(folder):
            return folder, changed
    return None


def _has_states_left(folder: RunFolder, broken: bool = False) -> bool:
    left = (PLANNED, *BROKEN) if broken else (PLANNED,)
    return any(row.result.state in left for row in folder.rows())
