"""OpenAI's chat completions on this machine: answers with recorded replies, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PLAN: dict[str, Any] = {
    "does": "It pushes the green button.",
    "steps": [
        {"x": 50, "y": 40, "z": 20, "roll": 60, "pitch": 0, "yaw": 60, "gripper": 0},
        {"x": 50, "y": 40, "z": 12, "roll": 60, "pitch": 0, "yaw": 60, "gripper": 0},
    ],
}


def completion(content: str, finish_reason: str = "stop", **message: Any) -> bytes:
    """Return the body of an answer, with the fields that such servers send."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, **message},
        "finish_reason": finish_reason,
        "logprobs": None,
    }
    usage = {"prompt_tokens": 1200, "completion_tokens": 60, "total_tokens": 1260}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
    return json.dumps({**head, "choices": [choice], "usage": usage}).encode()


GOOD = (200, completion(json.dumps(PLAN)))


@dataclass
class ChatServer:
    """``replies`` are status and body of each answer in turn; the last one repeats. A status of 0 never answers."""

    replies: list[tuple[int, bytes]] = field(default_factory=lambda: [GOOD])
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def chat_server(*replies: tuple[int, bytes]) -> Iterator[ChatServer]:
    """Serve on a free port of this machine."""
    chat = ChatServer(list(replies) or [GOOD])

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            return

        def do_POST(self) -> None:
            chat.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            chat.headers.append(dict(self.headers))
            chat.paths.append(self.path)
            status, body = chat.replies.pop(0) if len(chat.replies) > 1 else chat.replies[0]
            if status == 0:
                time.sleep(12.0)
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    chat.address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
