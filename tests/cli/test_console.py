"""What is printed may quote a stranger's program: its control characters never reach the terminal."""

from __future__ import annotations

import pytest

from harness.cli.console import print_error, print_table, printable, say
from harness.contracts.errors import ServiceError

COMMANDS = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202e"


def test_control_characters_are_escaped_and_text_is_kept() -> None:
    text = "Größe 3 m²,\ttab\nline — “quoted” 日本"
    assert printable(text) == text
    assert all(c.isprintable() for c in printable(COMMANDS)) and "owned" in printable(COMMANDS)


def test_every_line_of_a_next_step_is_indented(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(ServiceError("two things are missing.", "- the first\n- the second\nThen try again."))
    expected = "error: two things are missing.\n       - the first\n       - the second\n       Then try again.\n"
    assert capsys.readouterr().err == expected


def test_no_error_of_a_plugin_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(ServiceError(f"it said {COMMANDS}", f"Look at its log: {COMMANDS}"))
    say(f"played {COMMANDS}")
    out, errors = capsys.readouterr()
    assert not set(out + errors) & set(COMMANDS) - set(printable(COMMANDS))
    assert "\\x1b]0;owned\\x07" in out and "\\x1b]0;owned\\x07" in errors


def test_no_cell_of_a_table_commands_the_terminal_or_poses_as_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        f"Runs in {COMMANDS}", ["name", f"more {COMMANDS}"], [["evil\nsuccess 100 %\t", COMMANDS], ["[red]x", ""]]
    )
    out = capsys.readouterr().out
    assert not set(out) & set(COMMANDS) - set(printable(COMMANDS)) and "\t" not in out
    assert "evil\\nsuccess" in out and "[red]x" in out
