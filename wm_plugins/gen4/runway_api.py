"""Runway's HTTP API, as far as a world model needs it: begin a task, ask for its state, fetch its video.

The standard library is enough, so the plugin needs no package of Runway's. The key goes to the API's own address and
nowhere else: not to the address of a video, not into a message, not into a log.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from harness.contracts.errors import EpisodeError, Refusal

KEY_VARIABLE = "RUNWAYML_API_SECRET"
"""The environment variable of the key, as in Runway's own SDK."""
VERSION = "2024-11-06"
"""The version of the API, as its header ``X-Runway-Version`` names it."""
REPLY_BYTES = 2**20
VIDEO_BYTES = 2**28
CALL_S = 60.0
TRIES = 4
LONGEST_PAUSE_S = 60.0
_NOT_ACCEPTED = (429, 502, 503, 504)
"""Answers after which the same call may be made again: it was not carried out."""


class Unanswered(EpisodeError):
    """A call was sent and no answer came: nobody knows whether it was carried out."""


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing: a redirect would take the key along."""


class RunwayApi:
    """The API at one address with one key. ``pause_s`` is the first pause after an answer that asks for patience."""

    def __init__(self, address: str, key: str, pause_s: float = 1.0) -> None:
        self._address = address.rstrip("/")
        self._key = key
        self._pause_s = pause_s
        self._opener = build_opener(_NoRedirects)
        if not _is_safe(self._address):
            raise Refusal(f"api_url {address!r} is not https.", "The key is sent only over https, or to this machine.")

    def __repr__(self) -> str:
        return f"RunwayApi({self._address!r})"

    def begin(self, body: Mapping[str, Any]) -> str:
        """Begin an image-to-video task and return its id."""
        reply = self._json(self._call("POST", "/v1/image_to_video", body))
        task = reply.get("id")
        if not isinstance(task, str) or not task:
            raise Unanswered("Runway's answer to a new task has no id.")
        return task

    def state(self, task: str) -> dict[str, Any]:
        """Return a task: ``status``, and ``output`` (addresses) or ``failure`` where it has ended."""
        return self._json(self._call("GET", f"/v1/tasks/{quote(task, safe='')}", None))

    def cancel(self, task: str) -> None:
        """Give a task up; one that has ended already is not there any more."""
        try:
            self._call("DELETE", f"/v1/tasks/{quote(task, safe='')}", None)
        except EpisodeError:
            return

    def video(self, address: str) -> bytes:
        """Return the bytes of a video; its address is one that Runway gave out, and gets no key."""
        if not _is_safe(address):
            raise EpisodeError("Runway gave the address of a video that is not https.")
        try:
            with build_opener().open(Request(address), timeout=CALL_S) as answer:
                content: bytes = answer.read(VIDEO_BYTES + 1)
        except (URLError, OSError) as error:
            raise EpisodeError(f"the video of a task could not be fetched: {_reason(error)}.") from error
        if len(content) > VIDEO_BYTES:
            raise EpisodeError(f"the video of a task is larger than {VIDEO_BYTES} bytes.")
        return content

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        """Make a call, again where Runway asks for patience. A call whose fate is not known is never made twice."""
        for attempt in range(TRIES):
            try:
                with self._opener.open(self._request(method, path, body), timeout=CALL_S) as answer:
                    content: bytes = answer.read(REPLY_BYTES)
                    return content
            except HTTPError as error:
                if error.code not in _NOT_ACCEPTED or attempt == TRIES - 1:
                    _refused(method, path, error)
                time.sleep(self._pause(attempt, error.headers.get("Retry-After")))
            except (URLError, OSError) as error:
                if method == "POST" or attempt == TRIES - 1:
                    raise Unanswered(f"Runway did not answer {method} {path}: {_reason(error)}.") from error
                time.sleep(self._pause(attempt, None))
        raise AssertionError("the last try returns or raises")

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Request:
        headers = {"Authorization": f"Bearer {self._key}", "X-Runway-Version": VERSION, "Accept": "application/json"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        return Request(f"{self._address}{path}", data, headers, method=method)

    def _pause(self, attempt: int, asked: str | None) -> float:
        """Return how long to wait: what Runway asks for, otherwise twice as long each time, spread at random."""
        try:
            seconds = float(asked or "")
        except ValueError:
            seconds = self._pause_s * 2**attempt * (1.0 + random.random() / 2.0)
        return min(max(seconds, 0.0), LONGEST_PAUSE_S)

    @staticmethod
    def _json(content: bytes) -> dict[str, Any]:
        try:
            reply = json.loads(content)
        except ValueError as error:
            raise Unanswered("Runway answered something that is not JSON.") from error
        if not isinstance(reply, dict):
            raise Unanswered("Runway answered JSON that is no object.")
        return reply


def _refused(method: str, path: str, error: HTTPError) -> NoReturn:
    """Raise what an answer with an error code means for the user."""
    said = ""
    try:
        reply = json.loads(error.read(REPLY_BYTES))
        said = f": {str(reply['error'])[:300]}" if isinstance(reply, dict) and "error" in reply else ""
    except (ValueError, OSError):
        pass
    what = f"Runway refuses {method} {path} with {error.code}{said}."
    if error.code in (401, 403):
        raise Refusal(what, f"Look at the key in {KEY_VARIABLE} and at your credits.")
    if error.code >= 500:
        raise Unanswered(what)
    raise EpisodeError(what)


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost"))


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", error) or type(error).__name__)
