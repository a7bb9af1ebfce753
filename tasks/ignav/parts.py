"""The parts that a suite of image-goal navigation can name.

Adding a proposer, score or reviser is a module and one line here; it changes no suite hash until a tier names it.
"""

from __future__ import annotations

from harness.planning.parts import REVISERS, PartCatalog, ProposerPart, ReviserPart, ScorePart

PARTS = PartCatalog(
    proposers={
        "dog-legs": ProposerPart("tasks.navigation.proposers.dog_legs:DogLegs"),
        "heading-fan": ProposerPart("tasks.navigation.proposers.heading_fan:HeadingFan"),
        "heuristic": ProposerPart("tasks.navigation.proposers.heuristic:Heuristic"),
        "look-fan": ProposerPart("tasks.navigation.proposers.look_fan:LookFan"),
    },
    scores={
        "classical": ScorePart("tasks.ignav.scores.classical:Classical", looks_round=True),
        "front": ScorePart("tasks.ignav.scores.front:FrontSimilarity", check="tasks.ignav.scores.front:check"),
        "learnt": ScorePart(
            "tasks.ignav.scores.learnt:Learnt", looks_round=True, check="tasks.ignav.scores.learnt_weights:check"
        ),
    },
    revisers={
        **REVISERS,
        "homing": ReviserPart(
            "tasks.ignav.references.homing:NearestToMatch",
            imagines=False,
            scorer="tasks.ignav.references.homing:homing",
        ),
        "look": ReviserPart(
            "tasks.ignav.references.look:BestDirection", imagines=False, scorer="tasks.ignav.references.look:look"
        ),
    },
    memory="tasks.navigation.memory:visited_places",
)
