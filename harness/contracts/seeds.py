"""Every random draw of the harness comes from here.

Draws are keyed, not sequenced: the key names what the draw is for, so neither worker count, order nor
resume can change an outcome.
"""

from __future__ import annotations

import numpy as np

from harness.contracts.digest import digest

MAX_SEED = 2**63 - 1
"""Largest run seed: seeds travel as signed 64-bit integers in databases and JSON."""


def derive(run_seed: int, episode: str, decision: int, candidate: int, role: str) -> int:
    """Return a 128-bit seed: the first 128 bits of the SHA-256 of its key.

    Use -1 for a decision or candidate that does not apply. Roles are names such as ``proposer``.
    """
    return int(digest([run_seed, episode, decision, candidate, role])[:32], 16)


def generator(run_seed: int, episode: str, decision: int, candidate: int, role: str) -> np.random.Generator:
    """Return a fresh generator for one key.

    In anything hashed, draw only with ``random``, ``integers``, ``permutation`` and ``shuffle``: the
    other distributions call libm.
    """
    sequence = np.random.SeedSequence(derive(run_seed, episode, decision, candidate, role))
    return np.random.Generator(np.random.PCG64(sequence))


def request_seed(run_seed: int, view_digest: str, decision: int, candidate: int, role: str = "imagine") -> int:
    """Return the uint64 seed that a world model receives with one request.

    Keyed by the view that it conditions on, not by the episode: episodes are public, so a model could try all their
    ids, find the one whose seeds it is given, and know where the goal is.
    """
    return derive(run_seed, view_digest, decision, candidate, role) >> 64
