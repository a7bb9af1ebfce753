"""JSON Schemas of what others read: a bundle's manifest, and what `verify --json` prints; written beside this module.

Both are made of the dataclasses, so that a field stands in one place: ``python -m harness.leaderboard.schemas``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.leaderboard.bundle import SCHEMA, Manifest
from harness.leaderboard.verifying import Verification

FOLDER = Path(__file__).parent
MANIFEST_SCHEMA = FOLDER / "manifest.schema.json"
VERIFICATION_SCHEMA = FOLDER / "verification.schema.json"


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of the payload that a bundle's envelope signs."""
    schema = _schema(Manifest)
    schema["properties"]["schema"]["const"] = SCHEMA
    return schema


def verification_schema() -> dict[str, Any]:
    """Return the JSON Schema of the object that `verify --json` prints: the verification and whether it holds."""
    schema = _schema(Verification)
    schema["properties"]["holds"] = {"type": "boolean", "description": "Nothing speaks against the bundle."}
    schema["required"] = ["holds", *schema["required"]]
    return schema


def _schema(kind: type) -> dict[str, Any]:
    """Return the schema of a dataclass as it is printed: every field is there, and no other."""
    from pydantic import TypeAdapter

    schema: dict[str, Any] = TypeAdapter(kind).json_schema(mode="serialization")
    for part in (schema, *schema.get("$defs", {}).values()):
        part["additionalProperties"] = False
        part["required"] = list(part["properties"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def encoded(schema: dict[str, Any]) -> str:
    """Return the text of a schema's file."""
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write both schemas."""
    MANIFEST_SCHEMA.write_text(encoded(manifest_schema()), encoding="utf-8")
    VERIFICATION_SCHEMA.write_text(encoded(verification_schema()), encoding="utf-8")


if __name__ == "__main__":
    main()
