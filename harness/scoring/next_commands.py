"""The commands that would tell more about a run, made of what it recorded: to be pasted into a shell as they are."""

from __future__ import annotations

from typing import List, Sequence

from harness.contracts.commands import command
from harness.contracts.manifests import Setting
from harness.records.identity import POLICY, RunIdentity, RunRecord
from harness.records.resuming import PROPOSER_SET

KEPT = (
    "--plugins",
    "--wm-python",
    "--env-python",
    "--runtime",
    "--weights",
    "--scenes",
    "--wm-gpu",
    "--env-gpu",
    "--out",
)
"""Options of the recorded command that its identity does not hold, each followed by one value."""

KEPT_FLAGS = ("--allow-uncarded",)


def setting_text(value: Setting) -> str:
    """Return a setting as ``--set`` reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def reference_command(record: RunRecord) -> str:
    """Return the run's own command with ``--references``, which plays what is missing and never the run again."""
    identity = record.identity
    return _play(record, identity.split, identity.episodes_subset or str(len(identity.episodes)))


def more_command(record: RunRecord, episodes: int) -> str:
    """Return the command that plays the same world model, and the references, on so many episodes of its split."""
    return _play(record, record.identity.split, str(episodes))


def larger_command(record: RunRecord, split: str) -> str:
    """Return the command that plays the same world model, and the references, on all episodes of ``split``."""
    return _play(record, split, "all")


def _play(record: RunRecord, split: str, episodes: str) -> str:
    identity = record.identity
    image = () if identity.wm_image is None else ("--wm-image", identity.wm_image.reference)
    return command(
        *[
            *image,
            *identity_words(identity, split, episodes),
            *_kept(record.provenance.command),
            "--references",
        ]
    )


def identity_words(identity: RunIdentity, split: str, episodes: str) -> Sequence[str]:
    """Return the options that play what a run asks on other episodes, but for what its identity does not hold."""
    changes = [f"{name}={setting_text(value)}" for name, value in identity.wm_overrides.items()]
    return [
        *("--wm", identity.wm, "--task", identity.task, "--suite", identity.suite, "--tier", identity.tier),
        *("--split", split, "--episodes", episodes, "--stop", identity.stop),
        *_seeds(identity.seeds),
        *identity.loop_words,
        *(word for change in _policy_changes(identity) for word in (PROPOSER_SET, change)),
        *(() if identity.batch_wait_ms is None else ("--batch-episodes", f"{identity.batch_wait_ms:g}")),
        *(word for change in changes for word in ("--set", change)),
    ]


def _policy_changes(identity: RunIdentity) -> Sequence[str]:
    policy = identity.specs.get(POLICY)
    changed = policy.get("overrides", {}) if isinstance(policy, dict) else {}
    return [f"{name}={setting_text(value)}" for name, value in changed.items()]


def _seeds(seeds: Sequence[int]) -> Sequence[str]:
    if tuple(seeds) == (0,):
        return ()
    return ("--seed", str(seeds[0])) if len(seeds) == 1 else ("--seeds", ",".join(map(str, seeds)))


def _kept(recorded: Sequence[str]) -> Sequence[str]:
    """Return the options of a recorded command that must be given again, in either of the forms that a shell takes."""
    kept: List[str] = []
    for place, word in enumerate(recorded):
        name, equals, _ = word.partition("=")
        if word in KEPT_FLAGS or (name in KEPT and equals):
            kept.append(word)
        elif word in KEPT and place + 1 < len(recorded):
            kept += [word, recorded[place + 1]]
    return kept
