"""Compares two files of measurements and fails where something became worse by more than a tenth.

    python -m harness.throughput.compare OLD.json NEW.json [--limit 0.1]

Either both are results of `throughput`, or both come from ``pytest --benchmark-json``. The exit code is 1 where
anything is worse by more than the limit or is not there any more, and its name is printed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from harness.contracts.errors import Refusal, WiwError
from harness.throughput.results import Result, read_result

LIMIT = 0.1
WORSE, USAGE = 1, 2
_FASTEST = 1e-12


@dataclass(frozen=True)
class Change:
    """One number in both files; ``worse`` is by which share it became worse (below 0: better), infinity: it is gone."""

    name: str
    old: float
    new: Optional[float]
    worse: float

    def __str__(self) -> str:
        """Return a line for a person."""
        if self.new is None:
            return f"{self.name}: {self.old:.4g} -> nothing"
        return f"{self.name}: {self.old:.4g} -> {self.new:.4g} ({100 * abs(self.worse):.1f} % {self._direction})"

    @property
    def _direction(self) -> str:
        return "worse" if self.worse > 0.0 else "better"


@dataclass(frozen=True)
class Comparison:
    """All numbers that both files have or the old one alone, and what else differs."""

    changes: tuple[Change, ...]
    remarks: tuple[str, ...]

    def beyond(self, limit: float) -> tuple[Change, ...]:
        """Return what became worse by more than ``limit``."""
        return tuple(change for change in self.changes if change.worse > limit)


def compare(old: Path, new: Path) -> Comparison:
    """Compare two files of one kind; Refusal where they cannot be, or where the old one has no number."""
    plain = [_read(path) for path in (old, new)]
    kinds = ["benchmarks" in each for each in plain]
    if kinds[0] != kinds[1]:
        raise Refusal(f"{old} and {new} are files of two kinds.", "Compare throughput.json, or files of pytest.")
    if kinds[0]:
        changes = _changes(_medians(plain[0]), _medians(plain[1]), True)
        found = Comparison(tuple(changes), tuple(_machines(*plain)))
    else:
        found = compare_results(read_result(old), read_result(new))
    if not found.changes:
        raise Refusal(f"{old} holds no measurement.", "Measure again.")
    return found


def compare_results(old: Result, new: Result) -> Comparison:
    """Compare two results; Refusal where they did not measure the same question, or the old one does not count."""
    for name, one, other in (
        ("world model", old.model.name, new.model.name),
        ("scenario", old.settings.scenario, new.settings.scenario),
        ("tier", old.settings.tier, new.settings.tier),
        ("arrivals a second", old.settings.rate, new.settings.rate),
        ("candidates", old.candidates, new.candidates),
        ("number of replicas", old.replicas, new.replicas),
    ):
        if one != other:
            raise Refusal(f"the {name} of the old result is {one}, of the new one {other}.", "Measure the same.")
    if not old.valid:
        raise Refusal(f"the old result does not count: {old.broken[0].text}.", "Measure again.")
    rates = [{"decisions/s": result.rates.decisions_per_s} for result in (old, new)]
    changes = [*_changes(rates[0], rates[1], False), *_changes(_costs(old), _costs(new), True)]
    remarks = [f"the new result does not count: {finding.text}" for finding in new.broken]
    changes += [Change("valid", 1.0, None, math.inf)] if remarks else []
    if old.output != new.output:
        remarks.append("the output differs: it is not the same model, or not computed the same way")
    if old.settings.cache_check and not new.settings.cache_check:
        remarks.append("nobody looked whether the new model keeps its answers, which would make it faster")
    before, now = old.machine.hardware, new.machine.hardware  # an older result may not say everything
    other_machine = any(before[name] != now[name] for name in before.keys() & now.keys())
    if other_machine or old.resources.gpus != new.resources.gpus:
        remarks.append("they were measured on two machines")
    return Comparison(tuple(changes), tuple(remarks))


def _costs(result: Result) -> dict[str, float]:
    """Return what shall be low, by name; a percentile whose query failed is not there."""
    found = {f"latency p{100 * each.percentile:g} (s)": each.value_s for each in result.latency}
    found["s/decision"] = sum(result.split_s.values()) or None
    used = result.resources
    found["CPU (s/decision)"] = used.cpu_s / result.counts.decisions if used.cpu_s else None
    found |= {"memory (bytes)": _number(used.rss_bytes), "GPU memory (bytes)": _number(used.gpu_bytes)}
    return {name: value for name, value in found.items() if value is not None}


def _number(value: Optional[int]) -> Optional[float]:
    return None if value is None else float(value)


def _changes(old: Mapping[str, float], new: Mapping[str, float], lower: bool) -> Iterator[Change]:
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            yield Change(name, before, None, math.inf)
            continue
        cost, was = (after, before) if lower else (before, after)
        yield Change(name, before, after, cost / max(was, _FASTEST) - 1.0)


def _medians(plain: Mapping[str, Any]) -> dict[str, float]:
    """Return the median seconds of each benchmark of pytest's by its full name."""
    return {case["fullname"]: float(case["stats"]["median"]) for case in plain["benchmarks"]}


def _machines(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old.get("machine_info", {}).get("cpu") != new.get("machine_info", {}).get("cpu"):
        yield "they were measured on two machines"


def _read(path: Path) -> dict[str, Any]:
    try:
        plain = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be read: {error}.", "Give two files of measurements.") from error
    if not isinstance(plain, dict):
        raise Refusal(f"{path} is no file of measurements.", "Give two files of measurements.")
    return plain


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--limit", type=float, default=LIMIT, help="share by which a number may be worse [0.1]")
    asked = parser.parse_args(arguments)
    try:
        found = compare(asked.old, asked.new)
    except WiwError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    worse = found.beyond(asked.limit)
    for change in found.changes:
        print(f"{'WORSE  ' if change in worse else '       '}{change}")
    for remark in found.remarks:
        print(f"note   {remark}")
    if worse:
        print(f"worse by more than {100 * asked.limit:g} %: {', '.join(change.name for change in worse)}")
    return WORSE if worse else 0


if __name__ == "__main__":
    sys.exit(main())
