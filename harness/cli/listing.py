"""`list`: world models, tasks, suites, images and runs by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.cli.console import note, print_json, print_table
from harness.cli.results import show_runs
from harness.contracts.errors import Refusal
from harness.contracts.names import nearest
from harness.worldmodels import weights
from harness.worldmodels.catalog import load_catalog
from tasks.registry import list_tasks, load_task
from tasks.suite import list_suites, load_suite

KINDS = ("wms", "tasks", "suites", "images", "runs")


def show(kind: str, out: Path, plugins: Sequence[Path], as_json: bool) -> int:
    """Print one list; Refusal for an unknown kind."""
    if kind not in KINDS:
        raise Refusal(f"there is no list of {kind!r}.", nearest(kind, KINDS))
    if kind == "runs":
        return show_runs(out, as_json)
    if kind == "images":
        from harness.cli import image_work
        from harness.cli.images import LOCK

        return image_work.show(LOCK, as_json)
    rows = {"wms": lambda: wm_rows(plugins), "tasks": task_rows, "suites": suite_rows}[kind]()
    if as_json:
        print_json({kind: rows})
    else:
        columns = list(rows[0])
        print_table(kind, columns, [[row[c] for c in columns] for row in rows])
    return 0


def wm_rows(plugins: Sequence[Path]) -> list[dict[str, str]]:
    """Return one row a world model; installed plugins that cannot be used are named on stderr."""
    catalog = load_catalog(plugins)
    for plugin in catalog.broken:
        note(str(plugin))
    return [
        {
            "name": e.manifest.name,
            "family": e.manifest.family,
            "kind": e.manifest.kind,
            "suite": e.manifest.home_suite,
            "conditioning": e.manifest.conditioning,
            "view": e.manifest.view,
            "weights": weights.state(e.manifest),
            "description": e.manifest.description,
        }
        for e in sorted(catalog.entries, key=lambda e: e.manifest.name)
    ]


def task_rows() -> list[dict[str, str]]:
    """Return one row a task."""
    return [{"name": name, "summary": load_task(name).summary} for name in list_tasks()]


def suite_rows() -> list[dict[str, str]]:
    """Return one row a tier of each suite, with its hash where its episodes are here."""
    rows = []
    for task in list_tasks():
        for name in list_suites(task):
            suite = load_suite(name, task)
            for tier in suite.tiers.values():
                try:
                    suite.require_runnable()
                    state = suite.hash(tier.name)[:16]
                except Refusal as refusal:
                    state = f"cannot run here: {refusal.what}"
                splits = ", ".join(f"{s} {size.episodes}" for s, size in tier.splits.items())
                rows.append(
                    {"suite": name, "task": task, "tier": tier.name, "status": tier.status}
                    | {"episodes": splits, "hash": state, "description": tier.description}
                )
    return rows
