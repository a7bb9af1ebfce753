"""What is wrong in a checked file is said in one clause a field."""

from __future__ import annotations

from typing import Any, List

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from harness.contracts.wrong_fields import MOST_CLAUSES, wrong_fields


class Table(BaseModel):
    size: int
    name: str = ""


def told(value: object, kind: Any = Table) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return wrong_fields(caught.value.errors())


def test_field_reason_and_value_are_told() -> None:
    assert told({"size": "four"}).startswith("size: Input should be a valid integer")
    assert told({"size": "four"}).endswith("(found 'four')")
    assert told({}) == "size: Field required"


def test_an_item_of_a_list_is_numbered() -> None:
    assert told([{"size": 1}, {"size": 1, "name": 2}], List[Table]).startswith("item 1: name: ")
    assert told(7).startswith("all of it: ")


def test_many_problems_are_counted_and_long_values_cut() -> None:
    text = told([{"size": "x" * 1000}] * 50, List[Table])
    assert text.count(" size: ") == MOST_CLAUSES and text.endswith(f"(and {50 - MOST_CLAUSES} more)")
    assert len(text) < 1000
