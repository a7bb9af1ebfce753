"""One way to say what is wrong in a file that was checked against a schema."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

MOST_CLAUSES = 5
MOST_FOUND = 80


def wrong_fields(problems: Sequence[Mapping[str, Any]]) -> str:
    """Return ``item 3: goal.position.1: <what is wrong> (found 'x'); ...`` without a full stop.

    ``problems`` is what pydantic's ``ValidationError.errors()`` gives; only its plain data are read, so nothing here
    needs pydantic. A number in front of the first field is an item of a list. The first problems are told; the
    others are counted, for a file of the wrong kind has thousands.
    """
    clauses = [_clause(problem) for problem in problems[:MOST_CLAUSES]]
    more = len(problems) - len(clauses)
    return "; ".join(clauses) + (f" (and {more} more)" if more else "")


def _clause(problem: Mapping[str, Any]) -> str:
    place = list(problem["loc"])
    item = f"item {place.pop(0)}: " if place and isinstance(place[0], int) else ""
    field = ".".join(str(part) for part in place) or "all of it"
    return f"{item}{field}: {problem['msg']}{_found(problem)}"


def _found(problem: Mapping[str, Any]) -> str:
    """Return the wrong value; nothing where a field is missing, or where it would be a whole table or list."""
    value = problem["input"]
    if problem["type"] == "missing" or isinstance(value, (dict, list, tuple)):
        return ""
    shown = repr(value)
    return f" (found {shown if len(shown) <= MOST_FOUND else shown[: MOST_FOUND - 3] + '...'})"
