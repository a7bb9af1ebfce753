"""Manifests: what a world model declares about itself, and what a run records about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Tuple

from harness.contracts.digest import digest

PLUGIN = "plugin"
ENVIRONMENT = "environment"
NONE = "none"


@dataclass(frozen=True)
class Checkpoint:
    """Where weights come from: ``source`` (a hub id or path), ``revision`` and the SHA-256 of the file or folder."""

    source: str = ""
    revision: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class ModelManifest:
    """One model of a plugin family, as ``plugin.toml`` declares it.

    ``kind``: ``plugin`` runs a class of the family's folder; ``environment`` is the simulator's own Imagine
    (``gtsim``); ``none`` is no model at all. ``conditioning``: ``text`` | ``camera`` | ``numbers`` | ``none``.
    ``view``: ``panorama`` | ``perspective``. ``frames`` is the native rollout length without the conditioning
    frame (0: any). ``every_frame`` says that a rollout costs the same however few frames are wanted, so the
    harness asks for all of them. ``height`` and ``width`` are the native size (0: the size of the view).
    """

    name: str
    family: str
    kind: str
    conditioning: str = "numbers"
    view: str = "panorama"
    entry_point: str = ""
    image: str = ""
    licence: str = ""
    base: str = ""
    height: int = 0
    width: int = 0
    frames: int = 0
    every_frame: bool = True
    steps: int = 0
    guidance: float = 0.0
    dtype: str = ""
    context_max: int = 0
    max_batch: int = 1
    deterministic: bool = True
    home_suite: str = "embedded"
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    card: str = ""
    description: str = ""
    settings: Mapping[str, float] = field(default_factory=dict)
    needs: Tuple[str, ...] = ()

    def digest(self) -> str:
        """Return the hash of all fields."""
        return digest(self)
