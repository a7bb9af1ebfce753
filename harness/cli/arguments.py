"""Options that several commands share, with one wording each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

Out = Annotated[Path, typer.Option("--out", help="Folder of the runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Run = Annotated[Path, typer.Argument(help="A run folder, such as runs/20261123-1724-ignav-easy-gtsim-s0-ab12.")]
Plugins = Annotated[
    Optional[list[Path]], typer.Option("--plugins", help="Another folder of world-model plugins (repeatable).")
]
MaxFailures = Annotated[
    Optional[int],
    typer.Option("--max-failures", min=0, help="Stop after so many equal failures in a row; 0: never. [3]"),
]
Timeout = Annotated[
    Optional[float], typer.Option("--timeout", help="Seconds that one call of the world model may take. [600]")
]
StartTimeout = Annotated[
    Optional[float], typer.Option("--start-timeout", help="Seconds until the world model must be ready. [600]")
]
RUNS = Path("runs")
