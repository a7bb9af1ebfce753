"""A command takes the fields of its dataclass as options, and gets them as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Optional

import pytest
import typer

from harness.cli.app import app
from harness.cli.arguments import CollectArguments, taking, words_of


@dataclass(frozen=True)
class Asked:
    name: Annotated[Optional[str], typer.Argument(help="Who.")] = None
    often: Annotated[int, typer.Option("--often", help="How often.")] = 1
    words: Annotated[Optional[list[str]], typer.Option("--word", help="What (repeatable).")] = None


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], Asked()), (["a", "--often", "3", "--word", "x", "--word", "y"], Asked("a", 3, ["x", "y"]))],
)
def test_the_fields_are_the_options(words: list[str], expected: Asked) -> None:
    got: list[tuple[bool, Asked]] = []
    inner = typer.Typer(add_completion=False)

    @inner.command()
    @taking(Asked)
    def command(context: typer.Context, asked: Asked) -> int:
        """Do it."""
        got.append((context.command is not None, asked))
        return 7

    assert inner(args=words, prog_name="x", standalone_mode=False) == 7
    assert got == [(True, expected)]


def test_called_from_python_it_takes_values_in_the_order_of_the_fields() -> None:
    @taking(Asked)
    def command(asked: Asked) -> int:
        return asked.often

    assert command("a", 4) == 4 and command(often=2) == 2


def test_the_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["collect", "--help"]):
        app(args=words, prog_name="benchmark.py", standalone_mode=False)
        said = capsys.readouterr().out
        assert "--seed <int>" in said and "--json" in said and "asked" not in said.replace("asked in", "")


def test_options_are_written_as_they_were_given() -> None:
    given = CollectArguments("demo", Path("data"), 2, scenes="train-0000,train-0001", depth=True, clips=8)
    assert words_of(given) == ["demo", "data", "2", "--scenes=train-0000,train-0001", "--clips=8", "--depth"]
