"""The parts that a suite of manipulation can name."""

from __future__ import annotations

from harness.planning.parts import PartCatalog, ProposerPart, ScorePart

PARTS = PartCatalog(
    proposers={"scripted": ProposerPart("tasks.manip.proposers.scripted:Scripted")},
    scores={"picture": ScorePart("tasks.manip.scores.picture:Picture")},
)
