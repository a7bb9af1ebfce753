"""What is known of embedded homes without building one; light, so that a wrong name is refused at once."""

from __future__ import annotations

from images.embedded.homes import GENERATOR_VERSION
from images.embedded.homes.splits import parse_home

SIMULATOR = f"embedded homes, generator {GENERATOR_VERSION}"
"""What the data call the simulator of embedded homes."""


def check_home(name: str) -> None:
    """Raise Refusal, naming the nearest, for a name that no home has."""
    parse_home(name)
