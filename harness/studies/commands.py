"""The commands behind a number: what plays a run again, whoever wants to see it with their own eyes."""

from __future__ import annotations

from typing import Mapping, Optional

from harness.contracts.manifests import Setting
from harness.records.identity import RunIdentity
from harness.scoring.next_commands import setting_text
from harness.studies.run_selection import SELF, SPLIT
from tasks.suite import Suite


def play_command(
    suite: Suite, tier: str, wm: str, stop: str = SELF, settings: Optional[Mapping[str, Setting]] = None
) -> str:
    """Return the command that plays a world model on the whole test split of a tier."""
    return (
        f"python benchmark.py --wm {wm} --task {suite.task} --suite {suite.name} --tier {tier} --split {SPLIT} "
        f"--episodes all --stop {stop}{_changes(settings)}"
    )


def bank_command(suite: Suite, tier: str, wm: str, settings: Optional[Mapping[str, Setting]] = None) -> str:
    """Return the command that measures a world model on the decision bank of a tier."""
    return f"python benchmark.py bank --wm {wm} --suite {suite.name} --tier {tier}{_changes(settings)}"


def command_of(identity: RunIdentity, suite: Suite) -> str:
    """Return the command that plays a run of the whole test split again."""
    seeds = identity.seeds
    several = f" --seeds {','.join(map(str, seeds))}" if seeds != (0,) else ""
    if len(seeds) > 1 and seeds == tuple(range(seeds[0], seeds[-1] + 1)):
        several = f" --seeds {seeds[0]}-{seeds[-1]}"
    return play_command(suite, identity.tier, identity.wm, identity.stop, identity.wm_overrides) + several


def _changes(settings: Optional[Mapping[str, Setting]]) -> str:
    return "".join(f" --set {name}={setting_text(value)}" for name, value in (settings or {}).items())
