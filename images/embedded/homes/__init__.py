"""Procedural homes: seed in, furnished and lit ``Home`` out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from images.embedded.homes.style import HomeStyle

if TYPE_CHECKING:
    from images.embedded.mesh import Home

GENERATOR_VERSION = 2
"""Raise whenever the same seed gives other bytes: caches and suite hashes depend on it."""


def build_home(seed: int, style: Optional[HomeStyle] = None) -> Home:
    """Build, furnish and light the home of a seed (deterministic; see ``homes.build`` and ``homes.ood``).

    A seed of an ``ood`` split gives a home of the other distribution, whose style is its own.
    The builder needs numba and scipy, which take seconds to import, so they load here.
    """
    from images.embedded.homes.build import build_home as build
    from images.embedded.homes.splits import is_ood
    from images.embedded.homes.style import DEFAULT_STYLE

    if is_ood(seed) and style is None:
        from images.embedded.homes.ood.build import build_ood_home

        return build_ood_home(seed)
    return build(seed, DEFAULT_STYLE if style is None else style)


__all__ = ["GENERATOR_VERSION", "HomeStyle", "build_home"]
