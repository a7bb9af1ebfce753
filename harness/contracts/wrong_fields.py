"""What a file holds, as the contract that it describes; and one way to say what is wrong in it."""

from __future__ import annotations

import functools
import json
from typing import Any, Callable, Mapping, Sequence, TypeVar

from harness.contracts.errors import Refusal

T = TypeVar("T")

MOST_CLAUSES = 5
MOST_FOUND = 80
_WORDS = {"unexpected_keyword_argument": "Extra inputs are not permitted"}
"""Where pydantic speaks of a dataclass as a function."""


def checked(kind: Callable[..., T], value: Any, where: str, next_step: str) -> T:
    """Return plain values, as TOML and JSON give them, as an instance of a dataclass.

    Its types and limits (`field_limits`) are checked by pydantic, strictly: no text is taken for a number, and no field
    that the dataclass does not have. Refusal begins with ``where`` and names every wrong field and its value.
    """
    from pydantic import ValidationError  # here, because contracts are imported where pydantic is not

    # Of Python's own values pydantic would take no table for a dataclass; a date fits no field, whatever it is.
    text = json.dumps(value, default=lambda date: {"date": str(date)})
    try:
        found: T = _adapter(kind).validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        raise Refusal(f"{where}{wrong_fields(error.errors())}.", next_step) from error
    return found


@functools.lru_cache(maxsize=64)
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


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
    said = _WORDS.get(problem["type"], problem["msg"])
    return f"{item}{field}: {said}{_found(problem)}"


def _found(problem: Mapping[str, Any]) -> str:
    """Return the wrong value; nothing where a field is missing, or where it would be a whole table or list."""
    value = problem["input"]
    if problem["type"] == "missing" or isinstance(value, (dict, list, tuple)):
        return ""
    shown = repr(value)
    return f" (found {shown if len(shown) <= MOST_FOUND else shown[: MOST_FOUND - 3] + '...'})"
