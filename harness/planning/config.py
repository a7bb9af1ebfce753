"""What a decision loop is made of: names of parts with their constants, as plain hashable data.

Suite data chooses every part and constant, so that two runs with equal suite hashes made their decisions the
same way. Files are read and checked in `tasks.suite`; here is only the frozen result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Mapping, Sequence, Tuple, Union

from harness.contracts.digest import digest
from harness.contracts.field_limits import Few, Given, NotNegative, Whole, Word

SELF = "self"
ORACLE = "oracle"
STOP_RULES = (SELF, ORACLE)

Parameter = Union[bool, int, float, str, Sequence[int], Sequence[float]]


@dataclass(frozen=True)
class PartConfig:
    """One part of the loop: its registered name and the constants that it takes as keyword arguments."""

    name: Given
    params: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True)
class LoopConfig:
    """A whole decision loop.

    ``decisions`` is K, the most rounds an episode may take. Ends within ``memory_radius_m`` of an earlier decision
    point, by commanded odometry, are left out (0: none is). ``agent_camera`` is what the agent looks with,
    ``goal_camera`` what the prompt is shown with. ``stop_rules`` lists the allowed
    ones, the headline first: ``self`` (the agent stops when staying scores best) and ``oracle`` (the true distance is
    checked at decision ends).
    """

    proposer: PartConfig
    score: PartConfig
    reviser: PartConfig
    decisions: Annotated[int, Whole(1)]
    memory_radius_m: NotNegative
    agent_camera: Given
    goal_camera: Given
    stop_rules: Annotated[Tuple[Annotated[str, Word(STOP_RULES)], ...], Few(2, least=1)]

    @property
    def planner(self) -> str:
        """Return the names of the parts that decide, as results show them."""
        return self.planner_with("")

    def planner_with(self, policy: str) -> str:
        """Return the same with a policy of this name as the proposer ("": the loop's own)."""
        return f"{policy or self.proposer.name}/{self.reviser.name}/{self.score.name}"

    def digest(self) -> str:
        """Return the hash of all parts and constants."""
        return digest(self)
