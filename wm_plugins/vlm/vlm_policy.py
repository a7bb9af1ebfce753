"""A vision-language model as the planner: one question a plan, with a seed of its own, answered by a JSON schema.

A try that gives no plan is counted by its kind and made again with another seed, ``tries`` times; a plan that never
came is missing, and nothing stands in for it.
"""

from __future__ import annotations

import base64
import io
import os
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tomllib
from chat_api import KEY_VARIABLE, ChatApi, Failed
from PIL import Image

from harness.contracts.actions import DISCRETE7, Action, ActionSpace, Vector
from harness.contracts.errors import Refusal
from harness.contracts.manifests import ModelManifest
from harness.contracts.observations import RGB
from harness.wire.sdk import Policy, ProposalReply, ProposalRequest, Proposed

PROMPTS = Path(__file__).parent / "prompts"
USUAL = {DISCRETE7: "arm-v1", "navigation": "body-v1"}
"""The prompt that is taken for a space where the settings name none."""

NUMBERS: Mapping[str, int] = {"x": 100, "y": 100, "z": 100, "roll": 120, "pitch": 120, "yaw": 120, "gripper": 1}
"""The numbers of a pose and the largest value of each."""

NOT_A_PLAN = "not_a_plan"
SEEDS = 2**31
MOST_WORDS = 1000


class VlmPolicy(Policy):
    """Asks the server of the settings; the key, if it wants one, is in the environment."""

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        given = dict(manifest.settings)
        self._model = str(given["model"])
        if not self._model:
            raise Refusal("policy 'vlm' was told no model.", "Add --proposer-set model=NAME, as the server calls it.")
        self._sampling = {"temperature": float(given["temperature"]), "top_p": float(given["top_p"])}
        self._max_tokens, self._tries = int(given["max_tokens"]), int(given["tries"])
        self._max_images, self._image_px = int(given["max_images"]), int(given["image_px"])
        for name, value in (("max_tokens", self._max_tokens), ("tries", self._tries), ("image_px", self._image_px)):
            if value < 1:
                raise Refusal(f"settings.{name} is {value}.", "Give a whole number of at least 1.")
        self._prompt = str(given["prompt"])
        self._api = ChatApi(str(given["api_url"]), os.environ.get(KEY_VARIABLE, ""), float(given["timeout_s"]))

    def propose(self, request: ProposalRequest) -> ProposalReply:
        """Return the plans that came, in order; Refusal for a space without a prompt and for too many pictures."""
        body = self._body(request)
        plans: list[Proposed] = []
        failures: Counter[str] = Counter()
        began = time.perf_counter()
        for number in range(request.plans):
            for again in range(self._tries):
                seed = (request.seed + number * self._tries + again) % SEEDS
                try:
                    plans.append(plan_of(self._api.ask({**body, "seed": seed}), request))
                    break
                except Failed as failed:
                    failures[failed.kind] += 1
                    print(f"plan {number}, try {again}: {failed.kind}: {failed}", flush=True)
        return ProposalReply(tuple(plans), dict(failures), {"ask": time.perf_counter() - began})

    def _body(self, request: ProposalRequest) -> dict[str, Any]:
        pictures = [view.rgb for view in request.views.values()]
        pictures += [] if request.prompt is None else [request.prompt.rgb]
        if len(pictures) > self._max_images:
            raise Refusal(
                f"a question has {len(pictures)} pictures; the server is sent at most max_images = {self._max_images}.",
                "Name fewer cameras, or raise max_images to what the server takes.",
            )
        system, user = messages(self._prompt or USUAL.get(request.space.name, ""), request)
        content = [{"type": "text", "text": user}, *(picture(rgb, self._image_px) for rgb in pictures)]
        return {
            "model": self._model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": content}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "plan", "strict": True, "schema": schema(request.space, request.longest)},
            },
            "max_tokens": self._max_tokens,
            **self._sampling,
        }


def messages(name: str, request: ProposalRequest) -> tuple[str, str]:
    """Return the system's and the user's text of a prompt file; Refusal where there is none for the space."""
    file = PROMPTS / f"{name}.toml"
    known = sorted(path.stem for path in PROMPTS.glob("*.toml"))
    if name not in known:
        raise Refusal(f"there is no prompt {name!r} for {request.space.name}.", f"Prompts: {', '.join(known)}.")
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    if data["space"] != request.space.name:
        raise Refusal(f"prompt {name} is for {data['space']}, not {request.space.name}.", f"Prompts: {known}.")
    facts = {
        "longest": str(request.longest),
        "words": request.words or "as the last picture shows",
        "cameras": ", ".join(request.views),
        "prompt": data["prompt"] if request.prompt is not None else "",
        "body": ", ".join(f"{name} {value:.3f}" for name, value in sorted(request.body.items())) or "not told",
        "actions": ", ".join(f"{step.name} ({step.magnitude:g})" for step in request.space.primitives),
    }
    return filled(data["system"], facts), filled(data["user"], facts)


def filled(text: str, facts: Mapping[str, str]) -> str:
    """Return a text with each ``{name}`` of the facts; other braces stay, and no fact is looked into."""
    parts = text.split("{")
    done = [parts[0]]
    for part in parts[1:]:
        name, closed, rest = part.partition("}")
        done.append(f"{facts[name]}{rest}" if closed and name in facts else "{" + part)
    return "".join(done).strip()


def schema(space: ActionSpace, longest: int) -> dict[str, Any]:
    """Return the JSON schema of an answer: what the plan does, and its steps."""
    if space.name == DISCRETE7:
        fields: dict[str, Any] = {
            name: {"type": "integer", "minimum": 0, "maximum": most} for name, most in NUMBERS.items()
        }
    else:
        fields = {"action": {"type": "string", "enum": [step.name for step in space.primitives]}}
    steps = {"type": "array", "minItems": 1, "maxItems": longest, "items": _object(fields)}
    return _object({"does": {"type": "string"}, "steps": steps})


def _object(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(fields), "required": list(fields), "additionalProperties": False}


def plan_of(answer: Mapping[str, Any], request: ProposalRequest) -> Proposed:
    """Return the plan of an answer; `Failed` where it is none, since not every server keeps to the schema."""
    steps, does = answer.get("steps"), answer.get("does", "")
    if not isinstance(steps, list) or not 1 <= len(steps) <= request.longest:
        raise Failed(NOT_A_PLAN, f"steps: {str(steps)[:200]}")
    return Proposed(tuple(_action(step, request.space) for step in steps), str(does)[:MOST_WORDS])


def _action(step: Any, space: ActionSpace) -> Action:
    if isinstance(step, dict) and space.name == DISCRETE7:
        values = [step.get(name) for name in NUMBERS]
        if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            return Vector(DISCRETE7, tuple(float(value) for value in values if value is not None))
    elif isinstance(step, dict):
        found = [primitive for primitive in space.primitives if primitive.name == step.get("action")]
        if found:
            return found[0]
    raise Failed(NOT_A_PLAN, f"a step is {str(step)[:200]}")


def picture(rgb: RGB, most_px: int) -> dict[str, Any]:
    """Return a picture as a part of a message, reduced where its longer side has more than ``most_px``."""
    image = Image.fromarray(np.ascontiguousarray(rgb))
    longer = max(image.size)
    if longer > most_px:
        width, height = (max(1, side * most_px // longer) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}
