"""What a policy was asked and answered in an episode: ``proposals.json`` in its folder.

It is there where a policy proposed. It stands in no digest: what was executed does, in the trajectory.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Mapping, Sequence, Tuple

from harness.contracts.digest import to_plain
from harness.contracts.from_plain import from_plain
from harness.contracts.policies import ProposalRecord
from harness.records.errors import RecordError
from harness.records.safe_files import read_json_inside

PROPOSALS = "proposals.json"
PROPOSALS_BYTES = 8 << 20


@dataclass(frozen=True)
class _File:
    """The whole of ``proposals.json``."""

    proposals: Tuple[ProposalRecord, ...]


@dataclass(frozen=True)
class ProposalCounts:
    """What a policy did in the episodes that were played: decisions, plans that could be imagined, and by kind the
    tries that gave none. Decisions without any plan are errors of their episodes, and are told there."""

    decisions: int
    plans: int
    failures: Mapping[str, int]


def proposals_json(proposals: Sequence[ProposalRecord]) -> bytes:
    """Return the bytes of the file."""
    return json.dumps(to_plain(_File(tuple(proposals))), allow_nan=False, separators=(",", ":")).encode()


def read_proposals(folder: Path) -> Tuple[ProposalRecord, ...]:
    """Return what the file in an episode's folder says, () where there is none.

    RecordError where it is a link, too large, or not of this format.
    """
    try:
        value = read_json_inside(folder.parent, f"{folder.name}/{PROPOSALS}", PROPOSALS_BYTES)
        return from_plain(_File, value).proposals
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise RecordError(
            f"cannot read {folder / PROPOSALS}: {error}.", "Remove it; no outcome stands in it."
        ) from error


def count_proposals(episodes: Iterable[Sequence[ProposalRecord]]) -> ProposalCounts:
    """Return the counts over episodes."""
    decisions, plans = 0, 0
    failures: Dict[str, int] = Counter()
    for episode in episodes:
        for record in episode:
            decisions, plans = decisions + 1, plans + len(record.plans)
            failures.update(record.failures)
    return ProposalCounts(decisions, plans, dict(sorted(failures.items())))
