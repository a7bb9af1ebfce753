"""The VLM planner against recorded replies of a server on this machine: nothing leaves it."""

from __future__ import annotations

import base64
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.contracts.actions import Primitive, Vector, discrete7_space, ee_pose8_space, navigation_space
from harness.contracts.cameras import Camera
from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from harness.contracts.policies import ProposalRequest, wrong_in
from harness.running.services import start
from harness.wire.policy_client import PolicyClient
from harness.worldmodels.catalog import load_catalog
from tests.wm_plugins.vlm.chat_server import GOOD, PLAN, chat_server, completion

FAMILY = Path(__file__).parents[3] / "wm_plugins" / "vlm"
sys.path.append(str(FAMILY))

from chat_api import KEY_VARIABLE  # noqa: E402
from vlm_policy import VlmPolicy, filled  # noqa: E402

FRONT = Camera("front", "pinhole", 40, 60, 40.0, 0.0)
KEY = "key_for_tests_0123456789"


def view(value: int) -> View:
    return View(FRONT, np.full((40, 60, 3), value, np.uint8))


def request(plans: int = 1, **changed: Any) -> ProposalRequest:
    body = {"ee.x": 0.25, "gripper_open": 1.0}
    asked = ProposalRequest(
        41, plans, 5, discrete7_space(), {"front": view(10)}, view(200), "Push the {green} button.", body
    )
    return replace(asked, **changed)


def policy(address: str, **changed: Any) -> VlmPolicy:
    manifest = load_catalog().find_policy("vlm").manifest
    settings = {**manifest.settings, "model": "small-vlm", "api_url": address, "timeout_s": 5.0, **changed}
    return VlmPolicy(replace(manifest, settings=settings))


def test_a_plan_is_asked_with_pictures_words_seed_and_schema() -> None:
    with chat_server() as chat:
        reply = policy(chat.address, temperature=0.5).propose(request(2))
    assert chat.paths == ["/v1/chat/completions"] * 2
    (plan, again), body = reply.plans, chat.bodies[0]
    assert plan.words == PLAN["does"] and plan == again and reply.failures == {}
    assert plan.actions[1] == Vector("discrete7", (50.0, 40.0, 12.0, 60.0, 0.0, 60.0, 0.0))
    assert all(wrong_in(action, discrete7_space()) == "" for action in plan.actions)
    assert (body["model"], body["temperature"], body["top_p"], body["max_tokens"]) == ("small-vlm", 0.5, 1.0, 1024)
    assert [asked["seed"] for asked in chat.bodies] == [41, 44]  # a plan has three tries
    system, user = body["messages"]
    text, *pictures = user["content"]
    assert "at most 5 of them" in system["content"] and "Push the {green} button." in text["text"]
    assert "ee.x 0.250" in text["text"] and "{" not in text["text"].replace("{green}", "")
    shown = [Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].split(",")[1]))) for part in pictures]
    assert [(image.size, image.getpixel((0, 0))) for image in shown] == [((60, 40), (10,) * 3), ((60, 40), (200,) * 3)]
    wanted = body["response_format"]["json_schema"]
    steps = wanted["schema"]["properties"]["steps"]
    assert wanted["strict"] is True and (steps["minItems"], steps["maxItems"]) == (1, 5)
    assert steps["items"]["properties"]["roll"] == {"type": "integer", "minimum": 0, "maximum": 120}
    assert steps["items"]["required"] == ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b'{"error": "slow down"}', "busy"),
        (503, b"no", "busy"),
        (200, b"\xff\xfe", "not_json"),
        (200, completion("Sure! Here is a plan."), "not_json"),
        (200, completion("[1, 2]"), "not_json"),
        (200, completion('{"does": "x", "st', "length"), "cut_off"),
        (200, completion("", refusal="I cannot."), "refused"),
        (200, completion("{}", "content_filter"), "refused"),
        (200, completion('{"does": "x", "steps": []}'), "not_a_plan"),
        (200, completion(json.dumps({"does": "x", "steps": PLAN["steps"] * 3})), "not_a_plan"),
        (200, completion('{"does": "x", "steps": [{"x": 1.5}]}'), "not_a_plan"),
        (0, b"", "no_answer"),
    ],
)
def test_a_try_that_gives_no_plan_is_counted_by_its_kind_and_made_again(status: int, body: bytes, kind: str) -> None:
    with chat_server((status, body), GOOD) as chat:
        reply = policy(chat.address).propose(request())
    assert len(reply.plans) == 1 and reply.failures == {kind: 1}
    assert [asked["seed"] for asked in chat.bodies] == [41, 42]


def test_a_plan_that_never_comes_is_missing_and_nothing_stands_in_for_it() -> None:
    with chat_server((200, completion("no")), (200, completion("no")), GOOD) as chat:
        reply = policy(chat.address, tries=2).propose(request(2))
    assert len(reply.plans) == 1 and reply.failures == {"not_json": 2} and len(chat.bodies) == 3
    with chat_server((500, b"")) as chat:
        assert policy(chat.address, tries=2).propose(request(2)).failures == {"busy": 4}
    assert policy("http://127.0.0.1:9/v1", tries=1).propose(request()).failures == {"no_answer": 1}


def test_what_another_try_would_not_change_is_refused_with_the_server_s_words() -> None:
    for status in (400, 401, 404):
        with chat_server((status, b'{"error": {"message": "no model small-vlm"}}')) as chat:
            with pytest.raises(Refusal, match=rf"status {status}: .*no model small-vlm"):
                policy(chat.address).propose(request())
            assert len(chat.bodies) == 1


def test_a_key_goes_to_this_machine_or_over_https_alone_and_into_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with chat_server() as chat:
        policy(chat.address).propose(request())
        monkeypatch.setenv(KEY_VARIABLE, KEY)
        asked = policy(chat.address)
        asked.propose(request())
    assert "Authorization" not in chat.headers[0] and chat.headers[1]["Authorization"] == f"Bearer {KEY}"
    with pytest.raises(Refusal, match="is not https") as refused:
        policy("http://198.51.100.7/v1")
    assert KEY not in str(refused.value)
    policy("https://198.51.100.7/v1")


def test_pictures_are_limited_in_number_and_size() -> None:
    with chat_server() as chat:
        policy(chat.address, image_px=30).propose(request())
        with pytest.raises(Refusal, match="has 2 pictures; the server is sent at most max_images = 1"):
            policy(chat.address, max_images=1).propose(request())
    url = chat.bodies[0]["messages"][1]["content"][1]["image_url"]["url"]
    assert Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).size == (30, 20)


def test_a_body_that_walks_is_asked_for_steps_by_their_names() -> None:
    space = navigation_space()
    answer = {"does": "It walks.", "steps": [{"action": "forward"}, {"action": "turn_left"}]}
    with chat_server((200, completion(json.dumps(answer)))) as chat:
        reply = policy(chat.address).propose(request(space=space, body={}))
    assert reply.plans[0].actions == (Primitive("forward", 0.2), Primitive("turn_left", 22.5))
    steps = chat.bodies[0]["response_format"]["json_schema"]["schema"]["properties"]["steps"]
    assert steps["items"]["properties"]["action"]["enum"] == ["forward", "turn_left", "turn_right", "stop"]
    assert "forward (0.2)" in chat.bodies[0]["messages"][0]["content"]


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(Refusal, match="was told no model"):
        policy("http://127.0.0.1:1/v1", model="")
    with pytest.raises(Refusal, match="is no http address"):
        policy("file:///etc/passwd")
    with pytest.raises(Refusal, match=r"settings\.tries is 0"):
        policy("http://127.0.0.1:1/v1", tries=0)
    with pytest.raises(Refusal, match="there is no prompt"):
        policy("http://127.0.0.1:1/v1").propose(request(space=ee_pose8_space()))
    with pytest.raises(Refusal, match="prompt body-v1 is for navigation, not discrete7"):
        policy("http://127.0.0.1:1/v1", prompt="body-v1").propose(request())


def test_words_that_look_like_places_of_the_prompt_stay_words() -> None:
    assert filled("a {words} {b} {", {"words": "{longest}", "longest": "5"}) == "a {longest} {b} {"


def test_it_serves_as_a_run_starts_it(tmp_path: Path) -> None:
    entry = load_catalog().find_policy("vlm")
    with chat_server((500, b""), GOOD) as chat:
        settings = {**entry.manifest.settings, "model": "small-vlm", "api_url": chat.address}
        entry = replace(entry, manifest=replace(entry.manifest, settings=settings))
        with start(entry.service_spec(""), 60.0, tmp_path / "log") as service:
            client = PolicyClient(service.socket, expected=entry.manifest)
            reply = client.propose(request())
            client.close()
    assert len(reply.plans) == 1 and reply.failures == {"busy": 1}
    assert "plan 0, try 0: busy" in (tmp_path / "log").read_text()
