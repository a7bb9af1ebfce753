"""Proposes what was proposed before, in a run whose policy cost money, was slow, or is not here.

What is asked is found by its digest and seed: the same views, picture, words and history in a run of the same seed. So
a decision that an earlier run did not come to has no plan, and nothing is made up for it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping, Sequence

from harness.contracts.actions import Action, Primitive, Vector
from harness.contracts.errors import EpisodeError, Refusal
from harness.contracts.manifests import ModelManifest
from harness.wire.sdk import Policy, ProposalReply, ProposalRequest, Proposed

FILES = "episodes/*/proposals.json"
MAX_BYTES = 8 << 20


class Recorded(Policy):
    """Reads all ``proposals.json`` of a run folder when it starts."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        named = str(manifest.settings.get("run", ""))
        if not named:
            raise Refusal(
                f"policy {manifest.name!r} proposes what an earlier run did, and none was named.",
                "Add --proposer-set settings.run=runs/RUN, a run that was played with --proposer.",
            )
        self._known: dict[tuple[str, int], ProposalReply] = {}
        for file in sorted(Path(named).expanduser().glob(FILES)):
            self._known.update(read_file(file))
        if not self._known:
            raise Refusal(f"{named} holds no {FILES}.", "Name the folder of a run that was played with --proposer.")

    def propose(self, request: ProposalRequest) -> ProposalReply:
        """Return the recorded plans; EpisodeError where this was never asked."""
        asked = request.digest()
        if (asked, request.seed) not in self._known:
            raise EpisodeError(
                f"no recorded proposal answers the request {asked[:12]}: seed, views, picture, words or history differ "
                f"from those of the {len(self._known)} that were recorded.",
                "Record a run on the same episodes with the same --seed.",
            )
        return self._known[asked, request.seed]


def read_file(file: Path) -> dict[tuple[str, int], ProposalReply]:
    """Return the replies in a ``proposals.json`` by digest and seed of what was asked; Refusal where it is none."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        records = json.loads(file.read_text(encoding="utf-8"))["proposals"]
        return {
            (record["asked"], record["seed"]): ProposalReply(_plans(record["plans"]), dict(record["failures"]))
            for record in records
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{file} holds no proposals: {error}.", "Remove it, or record the run again.") from error


def _plans(plain: Sequence[Mapping[str, Any]]) -> tuple[Proposed, ...]:
    return tuple(Proposed(tuple(map(_action, plan["actions"])), str(plan["words"])) for plan in plain)


def _action(plain: Mapping[str, Any]) -> Action:
    if "space" in plain:
        return Vector(str(plain["space"]), tuple(float(value) for value in plain["values"]))
    return Primitive(str(plain["name"]), float(plain["magnitude"]))
