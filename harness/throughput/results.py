"""What a measurement says: one file, whose form is written down in `result.schema.json` beside this module."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from harness.contracts.digest import to_plain
from harness.contracts.errors import Refusal
from harness.throughput.caching import CacheCheck
from harness.throughput.resources import Resources
from harness.throughput.sampling import Percentile
from harness.throughput.scenarios import Settings

SCHEMA_VERSION = 1
SCHEMA_FILE = Path(__file__).with_name("result.schema.json")
RESULT_FILE = "throughput.json"


@dataclass(frozen=True)
class Finding:
    """What a reader must not overlook. ``broken`` findings make the measurement one that counts for nothing."""

    kind: str
    text: str
    broken: bool


@dataclass(frozen=True)
class Counts:
    """How many queries were planned and decisions asked, how many queries failed by kind, and what came back."""

    queries: int
    decisions: int
    failed: Mapping[str, int]
    rollouts: int
    frames: int


@dataclass(frozen=True)
class WarmUp:
    """What comes before the measurement: seconds of start (load), of compiling as the plugin says, of each decision."""

    start_s: float
    compile_s: float
    decisions_s: tuple[float, ...]


@dataclass(frozen=True)
class Rates:
    """Of what was answered, in the seconds of the whole measurement."""

    decisions_per_s: float
    rollouts_per_s: float
    frames_per_s: float


@dataclass(frozen=True)
class Roofline:
    """FLOP of a decision by the shapes of its tensors, the most that this card was measured to do, and the share used.

    All are None where ``reason`` says why.
    """

    decision_flop: Optional[float] = None
    peak_flop_per_s: Optional[float] = None
    share: Optional[float] = None
    reason: str = ""


@dataclass(frozen=True)
class Output:
    """The Merkle root over the digests of all rollouts of the warm-up, which asks the same whatever the seed."""

    root: str
    decisions: int
    rollouts: int


@dataclass(frozen=True)
class Model:
    """Which world model was measured, as `run.json` would name it."""

    name: str
    manifest_hash: str
    weights: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """Where and when (seconds since 1970) it was measured; ``commit`` ends in ``+`` where files differed from it."""

    hardware: Mapping[str, Any]
    versions: Mapping[str, str]
    commit: str
    at: float
    command: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """The whole of a measurement.

    ``replicas`` is how many services answered side by side: rates and resources are those of all of them.
    ``latencies_s`` are the seconds of each query in the order of arrival, None where it failed. ``split_s`` are mean
    seconds of a decision by part: ``prepare`` (the harness, before and after its calls), the phases that the plugin
    reports, and ``transport``, the rest of the calls; ``unsplit`` in its place where nobody reports a phase.
    """

    model: Model
    settings: Settings
    candidates: int
    counts: Counts
    seconds: float
    rates: Rates
    latency: tuple[Percentile, ...]
    latencies_s: tuple[Optional[float], ...]
    split_s: Mapping[str, float]
    warm_up: WarmUp
    resources: Resources
    roofline: Roofline
    cache: CacheCheck
    output: Optional[Output]
    findings: tuple[Finding, ...]
    machine: Machine
    replicas: int = 1
    schema_version: int = SCHEMA_VERSION

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings for which the measurement counts for nothing."""
        return tuple(finding for finding in self.findings if finding.broken)

    @property
    def valid(self) -> bool:
        """Say whether the measurement counts."""
        return not self.broken


def as_plain(result: Result) -> dict[str, Any]:
    """Return a result as plain data."""
    plain: dict[str, Any] = to_plain(result)
    return {**plain, "valid": result.valid}


def encoded(result: Result) -> bytes:
    """Return the bytes of a result file."""
    return (json.dumps(as_plain(result), indent=1, allow_nan=False) + "\n").encode()


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a result file."""
    from pydantic import TypeAdapter

    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **TypeAdapter(Result).json_schema()}


def read_result(path: Path) -> Result:
    """Return the result in a file; Refusal where it is none, or one of another version."""
    from pydantic import TypeAdapter, ValidationError

    from harness.contracts.wrong_fields import wrong_fields

    try:
        plain = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be read: {error}.", "Give a throughput.json.") from error
    version = plain.get("schema_version") if isinstance(plain, dict) else None
    if version != SCHEMA_VERSION:
        raise Refusal(f"{path} has the schema version {version}, not {SCHEMA_VERSION}.", "Measure again.")
    try:
        return TypeAdapter(Result).validate_python(plain)
    except ValidationError as error:
        raise Refusal(f"{path}: {wrong_fields(error.errors())}.", "Measure again.") from error


def main() -> None:
    """Write the schema."""
    SCHEMA_FILE.write_text(json.dumps(schema(), indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
