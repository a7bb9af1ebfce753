"""Imaginers: what a decision loop calls to see the ends of its candidates.

Two kinds answer in the same form: the environment itself (`EnvironmentImaginer`, the world model `gtsim`) and a
plugin (`PluginImaginer`, which folds turns, shares equal work and batches). The model `none` has no imaginer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Collection, Iterator, Mapping, Optional, Protocol, Sequence

from harness.contracts.actions import Action, ActionSpace, Candidate, Primitive
from harness.contracts.cameras import EQUIRECT, Camera
from harness.contracts.errors import EpisodeError, Refusal, RolloutError
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import View, ViewRequest
from harness.contracts.rollouts import ContextView, Rollout, RolloutRequest, check_wanted
from harness.wire.sdk import Environment, Imagining, imagine_wrongly, require
from harness.worldmodels.conditioning import Conditioning, conditioning_of, pose_before
from harness.worldmodels.folding import FoldedCandidate, FrameSource, PlannedRollout, SharedRollouts, fold, share
from harness.worldmodels.merging import as_many_as_fit
from harness.worldmodels.panorama import front_crop, resize, resized_view, roll
from harness.worldmodels.planted_errors import NOTHING, PlantedErrors

Imagined = Mapping[int, View]
"""The imagined views of one candidate by frame index: exactly the wanted frames, each with the camera that sees it.

Index 0 is the real view now, index i the view after action i.
"""


@dataclass(frozen=True, eq=False)
class EarlierView:
    """A real view from earlier in this episode, and the actions that were commanded from then until now."""

    view: View
    actions: tuple[Action, ...]


PERSPECTIVE_HFOV_DEG = 90.0
PERSPECTIVE_SIZE = (128, 128)
"""Height and width of the front crop for perspective models that declare no native size."""


class Imaginer(Protocol):
    """Imagines candidates from the present view.

    ``every_frame``: a rollout costs the same however few frames are wanted. ``rollouts`` counts the rollouts that
    were really asked for so far. ``further_view`` is what it wants to see besides the agent's camera, or None;
    ``context_max`` is how many earlier views of the same kind it makes use of.
    """

    @property
    def every_frame(self) -> bool: ...

    @property
    def rollouts(self) -> int: ...

    @property
    def further_view(self) -> Optional[ViewRequest]: ...

    @property
    def context_max(self) -> int: ...

    def imagine(
        self,
        view: View,
        candidates: Sequence[Candidate],
        frames: Sequence[Sequence[int]],
        seeds: Sequence[int],
        further: Optional[View] = None,
        earlier: Sequence[EarlierView] = (),
    ) -> list[Imagined]:
        """Return the wanted ``frames`` (ascending, in 0..len) of each candidate as seen from ``view``'s camera.

        ``seeds`` holds one uint64 a candidate; ``further`` is the answer to ``further_view``, from the same place;
        ``earlier`` holds at most ``context_max`` views, the oldest first. A rollout that fails raises EpisodeError.
        """
        ...


class ImaginingModel(Protocol):
    """The part of a world model's client that `PluginImaginer` needs."""

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]: ...


class EnvironmentImaginer:
    """The simulator as the world model: real rollouts from a saved state, one call a decision.

    ``errors`` are what it gets wrong on purpose: the environment walks wrongly, images are changed here.
    """

    every_frame = False
    further_view = None
    context_max = 0

    def __init__(self, environment: Environment, name: str = "gtsim", errors: PlantedErrors = NOTHING) -> None:
        self._environment = environment
        self._name = name
        self._errors = errors
        self.rollouts = 0

    def imagine(
        self,
        view: View,
        candidates: Sequence[Candidate],
        frames: Sequence[Sequence[int]],
        seeds: Sequence[int],
        further: Optional[View] = None,
        earlier: Sequence[EarlierView] = (),
    ) -> list[Imagined]:
        """Return the real views of the wanted frames, or wrong ones; seeds draw errors, earlier views never matter."""
        _check_asked(candidates, frames, seeds)
        if not candidates:
            return []
        wrong, image, answered = self._errors.world, self._errors.image, self._errors.answers
        wanted = answered.asked(candidates, frames)
        if wrong is None:
            answers = require(self._environment, Imagining).imagine(candidates, view.camera.name, wanted)
        else:
            answers = imagine_wrongly(self._environment, candidates, view.camera.name, wanted, wrong, seeds)
        self.rollouts += len(candidates)
        by_id = _collect(self._name, answers, dict(enumerate(wanted)), view.camera)
        rollouts = answered.answered(candidates, frames, [by_id[index] for index in range(len(candidates))])
        return [{i: image.applied(seen) for i, seen in rollout.items()} for rollout in rollouts]


class PluginImaginer:
    """A plugin as the world model: folds turns, asks equal prefixes once, batches, and merges the frames back.

    Panorama models see the panorama rolled by the leading turns, at the size they work at, and their frames are brought
    to the size of the agent's view, so that all models are compared with the same real views. Perspective models see a
    front crop of their own size and answer with pinhole views; so are the real views in their results, since the two
    kinds are never compared with each other. Where the agent looks through a pinhole itself, their views too are
    brought to the size of its own. Where there is no panorama at all and nothing turns, they see the pinhole's whole
    view. ``further_view`` is what `conditioning.view_request` chose. ``most_a_call`` is how
    many requests ``model`` takes at once, 0 for as many as the manifest's ``max_batch``.
    """

    def __init__(
        self,
        model: ImaginingModel,
        manifest: ModelManifest,
        action_space: ActionSpace,
        further_view: Optional[ViewRequest] = None,
        most_a_call: int = 0,
    ) -> None:
        self._model = model
        self._most_a_call = most_a_call or manifest.max_batch
        self._manifest = manifest
        self._action_space = action_space
        self._conditioning: Conditioning = conditioning_of(manifest)
        self.further_view = further_view
        self._panorama = manifest.view == "panorama"
        self.rollouts = 0

    @property
    def every_frame(self) -> bool:
        """Say whether all frames of a rollout are asked for anyway."""
        return self._manifest.every_frame

    @property
    def context_max(self) -> int:
        """Return how many earlier views a request may carry, as the manifest says."""
        return self._manifest.context_max

    def imagine(
        self,
        view: View,
        candidates: Sequence[Candidate],
        frames: Sequence[Sequence[int]],
        seeds: Sequence[int],
        further: Optional[View] = None,
        earlier: Sequence[EarlierView] = (),
    ) -> list[Imagined]:
        """Return the wanted frames of each candidate; only what follows the first move comes from the model."""
        _check_asked(candidates, frames, seeds)
        source = view if further is None else further
        self._check_view(source)
        folded = [self._fold(candidate) for candidate in candidates]
        shared = share(folded, frames, seeds)
        imagined = self._ask(source, shared, earlier)
        real = view if self._panorama else source
        if self._panorama:
            imagined = {i: _as_large_as(view, imagined[i], plan.frames) for i, plan in enumerate(shared.rollouts)}
        results: list[Imagined] = []
        for index, (fold_, wanted) in enumerate(zip(folded, frames, strict=True)):
            core_views = imagined.get(shared.rollout_of[index], {})
            seen = {i: self._resolve(real, core_views, fold_.sources[i]) for i in wanted}
            alike = self._panorama == (view.camera.kind == EQUIRECT)
            results.append(_as_large_as(view, seen, seen) if alike else seen)
        return results

    def _fold(self, candidate: Candidate) -> FoldedCandidate:
        for action in candidate.actions:
            if not self._action_space.allows(action):
                raise Refusal(
                    f"action {action} is not in the space {self._action_space.name!r}.",
                    f"Allowed: {_allowed(self._action_space)}.",
                )
        folded = fold(candidate, fold_trailing=self._panorama)
        most = self._conditioning.most_actions
        if 0 < most < len(folded.core):
            raise Refusal(
                f"world model {self._manifest.name!r} imagines at most {most} actions after the leading turns, "
                f"not {len(folded.core)}.",
                "Choose a loop with shorter candidates.",
            )
        return folded

    def _check_view(self, view: View) -> None:
        camera = view.camera
        turns = self._action_space.vector_width == 0
        if camera.kind != EQUIRECT and (self._panorama or turns):
            raise Refusal(
                f"world model {self._manifest.name!r} needs an equirect view; camera {camera.name!r} is {camera.kind}."
            )

    def _turned(self, view: View, yaw_left_deg: float) -> View:
        """Return the real view after a turn, as the model's kind of camera sees it."""
        if self._panorama:
            return _rolled(view, yaw_left_deg)
        if view.camera.kind != EQUIRECT:  # `_check_view`: then nothing turns
            return self._sized(view)
        height = self._manifest.height or PERSPECTIVE_SIZE[0]
        width = self._manifest.width or PERSPECTIVE_SIZE[1]
        return front_crop(view, (height, width), PERSPECTIVE_HFOV_DEG, yaw_left_deg)

    def _resolve(self, real: View, core_views: Imagined, source: FrameSource) -> View:
        if source.core_frame == 0:
            return self._turned(real, source.yaw_deg)
        return _rolled(core_views[source.core_frame], source.yaw_deg)

    def _conditioning_view(self, source: View, yaw_left_deg: float) -> View:
        """Return what the model starts from: the real view after the leading turns, at the size it works at."""
        turned = self._turned(source, yaw_left_deg)
        return self._sized(turned) if self._panorama else turned

    def _sized(self, turned: View) -> View:
        """Return a view at the size that the model works at."""
        camera = turned.camera
        size = (self._manifest.height or camera.height, self._manifest.width or camera.width)
        if size == (camera.height, camera.width):
            return turned
        if turned.depth is not None:
            raise Refusal(
                f"world model {self._manifest.name!r} needs depth at {size[0]} x {size[1]}, camera {camera.name!r} "
                f"has {camera.height} x {camera.width}.",
                "Depth is not resized: use a suite whose rig has a camera of that size, or --set height and width.",
            )
        return View(replace(camera, height=size[0], width=size[1]), resize(turned.rgb, *size))

    def _request(
        self, index: int, plan: PlannedRollout, view: View, context: tuple[ContextView, ...]
    ) -> RolloutRequest:
        return RolloutRequest(
            id=index,
            seed=plan.seed,
            view=view.rgb,
            camera=view.camera,
            candidate=Candidate(plan.actions),
            frames=tuple(range(1, len(plan.actions) + 1)) if self.every_frame else tuple(sorted(plan.frames)),
            depth=view.depth,
            prompt=self._conditioning.prompt(plan.actions, self._action_space),
            poses=self._conditioning.camera_poses(plan.actions),
            context=context,
        )

    def _contexts(
        self, starts: Collection[float], earlier: Sequence[EarlierView]
    ) -> dict[float, tuple[ContextView, ...]]:
        """Return what each request carries of the earlier views, by the leading turn of its conditioning view.

        The views keep their own headings and are as large as the model works at. Their poses are made of commanded
        actions: what the agent itself does not know, the model is not told.
        """
        if len(earlier) > self.context_max:
            raise Refusal(f"{len(earlier)} earlier views for a world model that declares {self.context_max}.")
        images = [self._conditioning_view(seen.view, 0.0).rgb for seen in earlier]
        return {
            lead_deg: tuple(
                ContextView(rgb, pose_before(seen.actions, lead_deg)) for rgb, seen in zip(images, earlier, strict=True)
            )
            for lead_deg in starts
        }

    def _ask(self, source: View, shared: SharedRollouts, earlier: Sequence[EarlierView]) -> dict[int, Imagined]:
        """Ask the model for the shared rollouts, as many a call as it takes; return their frames by request id.

        Fewer go into a call where views and earlier views are so large that one message holds no more of them.
        """
        starts = {plan.lead_deg for plan in shared.rollouts}
        views = {lead_deg: self._conditioning_view(source, lead_deg) for lead_deg in starts}
        contexts = self._contexts(starts, earlier)
        requests = [
            self._request(index, plan, views[plan.lead_deg], contexts[plan.lead_deg])
            for index, plan in enumerate(shared.rollouts)
        ]
        imagined: dict[int, Imagined] = {}
        most = min([self._most_a_call, *(as_many_as_fit(request) for request in requests[:1])])
        for start in range(0, len(requests), most):
            batch = requests[start : start + most]
            self.rollouts += len(batch)
            answers = self._model.imagine_batch(batch)
            wanted = {request.id: request.frames for request in batch}
            imagined.update(_collect(self._manifest.name, answers, wanted, batch[0].camera, RolloutError))
        return imagined


def _collect(
    name: str,
    rollouts: Iterator[Rollout],
    wanted: Mapping[int, Sequence[int]],
    camera: Camera,
    fault: type[EpisodeError] = EpisodeError,
) -> dict[int, Imagined]:
    """Return the frames by rollout id; raise ``fault`` for a failed, missing, double or misshapen rollout."""
    collected: dict[int, Imagined] = {}
    for rollout in rollouts:
        if rollout.error:
            raise fault(f"world model {name!r} failed on rollout {rollout.id}: {rollout.error}")
        if rollout.id not in wanted or rollout.id in collected:
            raise fault(f"world model {name!r} answered rollout {rollout.id}, which was not asked (again).")
        indices = wanted[rollout.id]
        expected = (len(indices), camera.height, camera.width, 3)
        if rollout.rgb.shape != expected or rollout.camera.kind != camera.kind:
            raise fault(
                f"world model {name!r} answered {rollout.camera.kind} {list(rollout.rgb.shape)} where "
                f"{camera.kind} {list(expected)} was asked.",
                "The plugin must return exactly the frames asked for, in the size of the request's view.",
            )
        collected[rollout.id] = {i: View(rollout.camera, rgb) for i, rgb in zip(indices, rollout.rgb, strict=True)}
    missing = sorted(set(wanted) - set(collected))
    if missing:
        raise fault(f"world model {name!r} did not answer the rollouts {missing}.")
    return collected


def _as_large_as(view: View, imagined: Imagined, wanted: Collection[int]) -> Imagined:
    """Return the wanted ones of the imagined views at the size of ``view``."""
    return {i: resized_view(imagined[i], view.camera.height, view.camera.width) for i in sorted(wanted)}


def _rolled(view: View, yaw_left_deg: float) -> View:
    """Return a panorama after a turn, with its depth if it has one."""
    if yaw_left_deg == 0.0:
        return view
    depth = None if view.depth is None else roll(view.depth, yaw_left_deg)
    return View(view.camera, roll(view.rgb, yaw_left_deg), depth)


def _check_asked(candidates: Sequence[Candidate], frames: Sequence[Sequence[int]], seeds: Sequence[int]) -> None:
    check_wanted(candidates, frames)
    if len(candidates) != len(seeds):
        raise Refusal(f"{len(candidates)} candidates came with {len(seeds)} seeds.", "Give one a candidate.")


def _allowed(space: ActionSpace) -> str:
    if space.vector_width:
        return f"vectors of {space.vector_width} values"
    return ", ".join(_text(primitive) for primitive in space.primitives)


def _text(action: Action) -> str:
    return f"{action.name} {action.magnitude:g}" if isinstance(action, Primitive) else str(action)
