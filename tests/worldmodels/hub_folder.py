"""Small folders in the layouts of the hub's cache and of checkpoints, for tests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Mapping

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cached(cache: Path, source: str, files: Mapping[str, str], revision: str = "main") -> Path:
    """Make a repository of the hub's cache as its client leaves it (links to blobs); return its snapshot."""
    repository = cache / f"models--{source.replace('/', '--')}"
    reference = repository / "refs" / revision
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    (repository / "blobs").mkdir(exist_ok=True)
    for name, content in files.items():
        blob = repository / "blobs" / hashlib.sha256(content.encode()).hexdigest()
        blob.write_text(content)
        link = snapshot / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return snapshot


def pipeline_files() -> dict[str, str]:
    """Return the files of a tiny pipeline with one component in two parts."""
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    return {
        "model_index.json": json.dumps({"_class_name": "P", "transformer": ["diffusers", "T"], "none": [None, None]}),
        "transformer/model.safetensors.index.json": json.dumps(index),
        "transformer/model-1.safetensors": "one",
        "transformer/model-2.safetensors": "two",
    }


def sha256(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


CARD = f"""---
license: apache-2.0
base_model: org/base
tags: [world-model]
wiw:
  training_data:
    - name: embedded-homes-train
      sha256: {"a" * 64}
      clips: 40
  steps: 12
  hyperparameters: {{learning_rate: 1.0e-5, batch_size: 8, optimizer: adamw}}
  weights:
    transformer/weights.safetensors: {sha256("trained")}
---
# A checkpoint
"""


def checkpoint(folder: Path, card: str = CARD) -> Path:
    """Make a checkpoint with one file of weights and a card ("" for none)."""
    (folder / "transformer").mkdir(parents=True)
    (folder / "transformer" / "weights.safetensors").write_text("trained")
    if card:
        (folder / "README.md").write_text(card)
    return folder
