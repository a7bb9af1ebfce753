"""Planted errors of answers: every view is right, but of another moment or of another request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Sequence, Tuple

from harness.contracts.actions import Candidate, signed_turn
from harness.contracts.observations import View


@dataclass(frozen=True)
class AnswerError:
    """What is wrong with the order of answers.

    ``frozen``: after the first forward the imagined view stands still, whatever is walked or turned. ``swapped``: every
    request is answered with the views of the next one that is asked together with it (the last with those of the
    first), so that one alone is answered rightly.
    """

    frozen: bool = False
    swapped: bool = False

    def asked(self, candidates: Sequence[Candidate], frames: Sequence[Sequence[int]]) -> List[Tuple[int, ...]]:
        """Return the frames that have to be imagined so that the wanted ones can be answered."""
        if not self.frozen:
            return [tuple(wanted) for wanted in frames]
        return [
            tuple(sorted({min(frame, _first_move(candidate)) for frame in wanted}))
            for candidate, wanted in zip(candidates, frames, strict=True)
        ]

    def answered(
        self,
        candidates: Sequence[Candidate],
        frames: Sequence[Sequence[int]],
        imagined: Sequence[Mapping[int, View]],
    ) -> List[Mapping[int, View]]:
        """Return the views of the wanted frames out of those that were `asked` for."""
        answers: List[Mapping[int, View]] = [dict(views) for views in imagined]
        if self.frozen:
            answers = [
                {frame: views[min(frame, _first_move(candidate))] for frame in wanted}
                for candidate, wanted, views in zip(candidates, frames, imagined, strict=True)
            ]
        return _swapped(answers) if self.swapped else answers


NO_ANSWER_ERROR = AnswerError()


def _first_move(candidate: Candidate) -> int:
    """Return after how many actions the first one that is no turn is done; all of them where there is none."""
    for number, action in enumerate(candidate.actions, start=1):
        if signed_turn(action) == 0.0:
            return number
    return len(candidate)


def _swapped(answers: Sequence[Mapping[int, View]]) -> List[Mapping[int, View]]:
    """Return each request's frames with the views of the next request: the first for the first, the last from then on
    where it has fewer."""
    swapped: List[Mapping[int, View]] = []
    for number, answer in enumerate(answers):
        others = answers[(number + 1) % len(answers)]
        views = [others[frame] for frame in sorted(others)]
        swapped.append({frame: views[min(at, len(views) - 1)] for at, frame in enumerate(sorted(answer))})
    return swapped
