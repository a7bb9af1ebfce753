"""OpenAI's chat completions, as far as a planner needs them: one question with pictures, one answer by a JSON schema.

The standard library is enough. What a server answers is a stranger's: it is bounded, and whatever gives no answer has a
kind by which it is counted. The key goes to the address of the settings and nowhere else.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from harness.contracts.errors import Refusal

KEY_VARIABLE = "WIW_VLM_API_KEY"
REPLY_BYTES = 4 << 20
SHOWN = 300
_LATER = (408, 409, 425, 429)

NO_ANSWER, BUSY, REFUSED, CUT_OFF, NOT_JSON = "no_answer", "busy", "refused", "cut_off", "not_json"
"""Kinds of failure: nothing came in time; the server was busy or broken; the model declined; the answer was longer than
``max_tokens``; it is no JSON object."""


class Failed(Exception):
    """One try gave nothing; ``kind`` is what it is counted as."""

    def __init__(self, kind: str, said: str) -> None:
        super().__init__(said)
        self.kind = kind


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing: a redirect would take the key along."""


class ChatApi:
    """The API at one address. ``key`` may be empty: a server on this machine often asks for none."""

    def __init__(self, address: str, key: str, timeout_s: float) -> None:
        self._address, self._key, self._timeout_s = address.rstrip("/"), key, timeout_s
        self._opener = build_opener(_NoRedirects)
        if urlsplit(self._address).scheme not in ("http", "https"):
            raise Refusal(f"api_url {address!r} is no http address.", "Give it with its version: http://HOST:8000/v1")
        if key and not _is_safe(self._address):
            raise Refusal(
                f"api_url {address!r} is not https.", f"The key in {KEY_VARIABLE} goes over https, or to this machine."
            )

    def ask(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the object that the model answered; `Failed` where this try gave none.

        Refusal for what another try would not change: an address without this API, a key or a model that the server
        does not know.
        """
        try:
            with self._opener.open(self._request(body), timeout=self._timeout_s) as answer:
                data = answer.read(REPLY_BYTES + 1)
        except HTTPError as error:
            said = _shown(error.read(REPLY_BYTES))
            if error.code >= 500 or error.code in _LATER:
                raise Failed(BUSY, f"status {error.code}: {said}") from error
            raise Refusal(
                f"{self._address} answered with status {error.code}: {said}", "Fix the settings of the policy."
            ) from error
        except (URLError, OSError) as error:
            raise Failed(NO_ANSWER, str(getattr(error, "reason", error))) from error
        return _object_of(data)

    def _request(self, body: Mapping[str, Any]) -> Request:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return Request(f"{self._address}/chat/completions", json.dumps(body).encode(), headers, method="POST")


def _object_of(data: bytes) -> dict[str, Any]:
    """Return the JSON object in the content of a completion."""
    if len(data) > REPLY_BYTES:
        raise Failed(NOT_JSON, f"an answer of more than {REPLY_BYTES} bytes")
    try:
        choice = json.loads(data)["choices"][0]
        message = choice["message"]
        if message.get("refusal") or choice.get("finish_reason") == "content_filter":
            raise Failed(REFUSED, str(message.get("refusal"))[:SHOWN])
        if choice.get("finish_reason") == "length":
            raise Failed(CUT_OFF, "the answer is longer than max_tokens")
        found = json.loads(message["content"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise Failed(NOT_JSON, _shown(data)) from error
    if not isinstance(found, dict):
        raise Failed(NOT_JSON, _shown(data))
    return found


def _shown(data: bytes) -> str:
    return " ".join(data[: 4 * SHOWN].decode("utf-8", "replace").split())[:SHOWN]


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
