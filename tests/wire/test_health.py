"""Health from inside a container: the exit status that an image's HEALTHCHECK reads."""

from __future__ import annotations

import json
from pathlib import Path

from harness.wire import health


def test_an_absent_service_is_unhealthy(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"socket": str(tmp_path / "absent.sock")}))
    assert health.main(["--spec", str(spec)]) == 1


def test_a_spec_that_cannot_be_read_is_told_apart(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    assert health.main(["--spec", str(spec)]) == 2
    spec.write_text("[]")
    assert health.main(["--spec", str(spec)]) == 2
