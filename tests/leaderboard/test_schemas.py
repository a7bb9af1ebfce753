"""The schemas beside the code: those of the code, kept by what it writes, and as strict as its reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.leaderboard.schemas import (
    MANIFEST_SCHEMA,
    VERIFICATION_SCHEMA,
    encoded,
    manifest_schema,
    verification_schema,
)
from tests.leaderboard.conftest import Ready
from tests.leaderboard.test_forged_bundles import payload, read

jsonschema = pytest.importorskip("jsonschema")


def wrong(schema: dict[str, Any], value: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(value)]


def test_the_schemas_beside_the_code_are_those_of_the_code() -> None:
    command = "python -m harness.leaderboard.schemas writes them"
    assert MANIFEST_SCHEMA.read_text() == encoded(manifest_schema()), command
    assert VERIFICATION_SCHEMA.read_text() == encoded(verification_schema()), command


def test_a_bundle_keeps_the_schema_and_what_the_reader_refuses_does_not(ready: Ready, tmp_path: Path) -> None:
    manifest = payload(read(ready.bundle(tmp_path / "bundle.zip")))
    schema = json.loads(MANIFEST_SCHEMA.read_text())
    assert wrong(schema, manifest) == []
    for change in ({"rank": 1}, {"schema": 99}, {"runs": [{"run_id": "one"}]}, {"files": {"a": {"size": "7"}}}):
        assert wrong(schema, {**manifest, **change}), change
    assert wrong(schema, {name: value for name, value in manifest.items() if name != "image"})


def test_what_verify_prints_keeps_its_schema(ready: Ready, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(VERIFICATION_SCHEMA.read_text())
    bundle = ready.bundle(tmp_path / "bundle.zip")
    (tmp_path / "none.zip").write_bytes(b"no zip")
    for path, holds in ((bundle, True), (tmp_path / "none.zip", False)):
        main(["verify", str(path), "--json"])
        said = json.loads(capsys.readouterr().out)
        assert said["holds"] is holds and wrong(schema, said) == []
