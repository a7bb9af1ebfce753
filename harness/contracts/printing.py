"""Text that may quote a stranger, made safe to show: terminals and browsers obey some characters."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return ``text`` with control characters and overrides of the writing direction escaped; lines and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def one_line(text: str) -> str:
    """Return ``text`` as `printable` does and without line ends and tabs, so that a cell cannot pose as a line."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def counted(number: int, thing: str, things: str = "") -> str:
    """Return ``1 home`` or ``2 homes``; ``things`` is the plural where an s does not make it."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
