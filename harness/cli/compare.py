"""`compare`: runs of several world models on the same episodes, beside each other.

This module is imported for every command, so it imports nothing heavy; the work is imported where it is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli.arguments import Json


def compare_command(
    runs: Annotated[list[Path], typer.Argument(help="Two run folders or more; the first is the baseline.")],
    baseline: Annotated[
        Optional[Path], typer.Option("--baseline", help="The run that the others are compared with. [the first]")
    ] = None,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Compare runs that are not complete; stamped.")
    ] = False,
    allow_prompts: Annotated[
        bool, typer.Option("--allow-prompts", help="Compare world models asked in different words; stamped.")
    ] = False,
    out: Annotated[
        Optional[Path],
        typer.Option("--out", help="Folder for compare.html and compare.json. [runs/compare-MODELS-HASH]"),
    ] = None,
    as_json: Json = False,
) -> int:
    """Compare runs on the same episodes: who solves more, by how much, and is it more than luck?"""
    from harness.cli.comparison import compare_runs

    return compare_runs(runs, baseline, allow_partial, allow_prompts, out, as_json)
