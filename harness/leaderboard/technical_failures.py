"""Technical failures by their cause: an episode that was not played says nothing about a world model's pictures.

Each has a code, so that who submits knows what to repair and a leaderboard can count them beside success. The cause is
read from the words that the run recorded. Part of them are the plugin's own, so a cause is a diagnosis and never
excuses an episode: it keeps its place in the denominator.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Iterable, Mapping

from harness.contracts.results import ERROR, TIMEOUT, EpisodeResult

NOT_READY = "not-ready"
ASKED_NETWORK = "asked-for-network"
OUT_OF_MEMORY = "out-of-memory"
OUT_OF_GPU_MEMORY = "out-of-gpu-memory"
TOO_SLOW = "too-slow"
WRONG_SHAPE = "wrong-shape"
BAD_REPLY = "bad-reply"
CRASHED = "crashed"
RAISED = "raised-an-error"
OTHER = "other"

_CAUSES = (
    (NOT_READY, r"was not ready within"),
    (TOO_SLOW, r"did not answer \w+ within|not finished after"),
    (WRONG_SHAPE, r"sent a bad reply .*(instead of|elements; at most|bytes of pixels|of \d+ bytes)"),
    (WRONG_SHAPE, r"an answer that cannot be sent: .*(has dtype|has shape|elements; at most)"),
    (BAD_REPLY, r"sent a bad reply |an answer that cannot be sent"),
    (
        ASKED_NETWORK,
        r"Name or service not known|Temporary failure in name resolution|Network is unreachable|NameResolutionError"
        r"|Failed to resolve|getaddrinfo failed|couldn't connect to 'https?://|LocalEntryNotFoundError"
        r"|offline mode is enabled",
    ),
    (OUT_OF_GPU_MEMORY, r"out of GPU memory|CUDA out of memory|CUDA error: out of memory|OutOfMemoryError"),
    (OUT_OF_MEMORY, r"out of memory|MemoryError|Cannot allocate memory|Out of memory\? "),
    ("no-space", r"no space left|No space left on device|file-size limit reached"),
    ("read-only", r"read-only file system|Read-only file system"),
    ("process-limit", r"process limit reached|can't start new thread"),
    ("missing-module", r"No module named|module not found|cannot import name|cannot open shared object file"),
    (CRASHED, r"ended while "),
    (RAISED, r" failed on rollout | failed with "),
)
_FOUND = tuple((code, re.compile(pattern, re.DOTALL)) for code, pattern in _CAUSES)

REMEDIES: Mapping[str, str] = {
    NOT_READY: "Load less, or say in plugin.toml how long a start takes (start_s).",
    TOO_SLOW: "A decision has to end within the limit that the manifest declares; measure it with `throughput`.",
    WRONG_SHAPE: "Frames, size and dtype have to be those of the request; `plugin check` shows which differ.",
    BAD_REPLY: "Run `plugin check` on the image.",
    ASKED_NETWORK: "There is no network: put weights and tokenizers into the image.",
    OUT_OF_GPU_MEMORY: "Use a smaller batch (max_batch) or a smaller dtype.",
    OUT_OF_MEMORY: "Use a smaller batch (max_batch), or load the weights without a second copy.",
    "no-space": "Only /tmp and /dev/shm can be written, and both are small.",
    "read-only": "Write to /tmp only, and put what is needed into the image.",
    "process-limit": "Start fewer processes and threads (OMP_NUM_THREADS in the image).",
    "missing-module": "Install it in the image.",
    CRASHED: "The service's log has its last words.",
    RAISED: "The service's log has the traceback.",
    OTHER: "The run's logs say more.",
}


def cause_of(error: str) -> str:
    """Return the code of the cause that the words of an error show; `OTHER` where none is known."""
    return next((code for code, pattern in _FOUND if pattern.search(error)), OTHER)


def causes(results: Iterable[EpisodeResult]) -> dict[str, int]:
    """Return how many of the episodes were not played for which cause, the most frequent first, then by name."""
    found = Counter(cause_of(result.error) for result in results if result.state in (ERROR, TIMEOUT))
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
