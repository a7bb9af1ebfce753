"""Commands with subcommands: each group is a Typer application of its own, registered by one line.

A group's module is imported for every command, so it imports nothing heavy; its work is imported where it is done.
"""

from __future__ import annotations

import typer

from harness.cli.images import group as images_group
from harness.cli.plugin import group as plugin_group
from harness.cli.run_folders import group as runs_group


def register(app: typer.Typer) -> None:
    """Add every group to the main application."""
    app.add_typer(runs_group, name="runs")
    app.add_typer(images_group, name="images")
    app.add_typer(plugin_group, name="plugin")
