"""Manifests: what a world model declares about itself, and what a run records about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Mapping, Tuple, Union

from harness.contracts.digest import digest
from harness.contracts.field_limits import (
    MAX_INT64,
    MAX_NAME,
    MAX_NUMBERS,
    MAX_PATH,
    MAX_TAGS,
    Count,
    Few,
    Finite,
    Given,
    Name,
    Note,
    NotNegative,
    Text,
    Whole,
    Word,
)

PLUGIN = "plugin"
ENVIRONMENT = "environment"
NONE = "none"
POLICY = "policy"
SERVED = (PLUGIN, POLICY)
"""The kinds that run a class of their family's folder as a service."""

Kind = Annotated[str, Word((PLUGIN, ENVIRONMENT, NONE, POLICY))]
EntryPoint = Annotated[str, Text(MAX_NAME, r"([\w.]+:\w+)?")]

FROM_HUB = "hub"
RANDOM = "random"

NETWORK = "network"
"""What ``needs`` names if the model asks others over the network."""

SPENDING = "WIW_SPENDING"
"""The environment variable that tells such a model the file in which it keeps what its run has spent.

All services of a run share the file, and a resumed run goes on with it.
"""

Setting = Union[bool, Annotated[int, Whole(-MAX_INT64, MAX_INT64)], Finite, Note]
"""A value of a model's own settings. Its type is part of the manifest's hash: 5 and 5.0 are two settings."""


@dataclass(frozen=True)
class Checkpoint:
    """Where weights come from: ``source`` (a hub id or path), ``revision`` and the SHA-256 of the file or folder."""

    source: Annotated[str, Text(MAX_PATH)] = ""
    revision: Name = ""
    sha256: Annotated[str, Text(pattern="([0-9a-f]{64})?")] = ""


@dataclass(frozen=True)
class ModelManifest:
    """One model of a plugin family, as ``plugin.toml`` declares it.

    ``kind``: ``plugin`` runs a class of the family's folder; ``environment`` is the simulator's own Imagine
    (``gtsim``); ``none`` is no model at all; ``policy`` runs a class that proposes plans and imagines nothing
    (`harness.contracts.policies`), to which conditioning, view, frames and size mean nothing.
    ``conditioning``: ``text`` | ``camera`` | ``numbers`` | ``none``. ``view``: ``panorama`` | ``perspective``.
    ``frames`` is the native rollout length without the conditioning frame (0: any). ``every_frame`` says that a
    rollout costs the same however few frames are wanted, so the harness asks for all of them. ``height`` and
    ``width`` are the native size (0: the size of the view). ``fps`` is the frame rate that a video model is told (0:
    it is told none).

    ``checkpoint`` is the model's own: for a post-trained model the part that was trained (a transformer or UNet
    folder, a LoRA), which replaces that part of ``base_checkpoint``, the pipeline it was trained from.
    ``download_gb`` is the size of what the hub has of both, for the message about missing weights. ``weights`` says
    how the weights were chosen: "" not applicable, ``hub``, ``random``, or an absolute path; no plugin.toml has it,
    the harness fills it in when a run is planned. ``settings`` are the model's own words and numbers (a negative
    prompt, a scheduler). All fields are part of the hash.
    """

    name: Annotated[str, Text(100, "[A-Za-z0-9][A-Za-z0-9._-]*")]
    family: Given
    kind: Kind
    conditioning: Annotated[str, Word(("text", "camera", "numbers", "none"))] = "numbers"
    view: Annotated[str, Word(("panorama", "perspective"))] = "panorama"
    entry_point: EntryPoint = ""
    image: Name = ""
    licence: Name = ""
    base: Name = ""
    height: Annotated[int, Whole(0, 4096)] = 0
    width: Annotated[int, Whole(0, 8192)] = 0
    frames: Annotated[int, Whole(0, 1024)] = 0
    every_frame: bool = True
    steps: Count = 0
    guidance: Finite = 0.0
    dtype: Name = ""
    context_max: Annotated[int, Whole(0, 64)] = 0
    max_batch: Annotated[int, Whole(1, 1024)] = 1
    deterministic: bool = True
    home_suite: Name = "embedded"
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    card: Note = ""
    description: Note = ""
    settings: Annotated[Mapping[Name, Setting], Few(MAX_NUMBERS)] = field(default_factory=dict)
    needs: Annotated[Tuple[Name, ...], Few(MAX_TAGS)] = ()
    fps: NotNegative = 0.0
    weights: Annotated[str, Text(MAX_PATH)] = ""
    base_checkpoint: Checkpoint = field(default_factory=Checkpoint)
    download_gb: NotNegative = 0.0

    def digest(self) -> str:
        """Return the hash of all fields."""
        return digest(self)
