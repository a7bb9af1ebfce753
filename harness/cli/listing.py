"""`list`: world models, tasks, suites, images and runs by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.cli.columns import GAP, READABLE, width_of_output, wrapped
from harness.cli.console import note, print_json, print_table, say
from harness.cli.run_list import show_runs
from harness.cli.runnable import obstacles
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
    elif kind == "wms":
        for line in wm_lines(rows, width_of_output()):
            say(line)
    else:
        columns = list(rows[0])
        print_table(kind, columns, [[row[c] for c in columns] for row in rows])
    return 0


def wm_rows(plugins: Sequence[Path]) -> list[dict[str, str]]:
    """Return one row a world model; installed plugins that cannot be used are named on stderr.

    ``lacks`` is what keeps it from running here, "" where it runs.
    """
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
            "lacks": ", ".join(obstacles(e)),
            "description": e.manifest.description,
        }
        for e in sorted(catalog.entries, key=lambda e: e.manifest.name)
    ]


def wm_lines(rows: Sequence[dict[str, str]], width: int) -> list[str]:
    """Return the list of world models as lines: those that run here first, the others under what they lack."""
    groups: dict[str, list[dict[str, str]]] = {"": []}
    for row in rows:
        groups.setdefault(row["lacks"], []).append(row)
    names = max((len(row["name"]) for row in rows), default=0) + GAP
    lines: list[str] = []
    for lacks, members in groups.items():
        head = (
            f"Cannot run here for lack of {lacks}" if lacks else "Run here: python benchmark.py --wm NAME --task ignav"
        )
        lines += [*([""] if lines else []), *wrapped(f"{head} ({len(members)})", "", width)]
        for row in members:
            facts = " · ".join(fact for fact in (row["family"], row["view"], row["conditioning"]) if fact != "none")
            text = f"{row['description']} ({facts})"
            if width - names - GAP >= READABLE * 1.5:
                lines += wrapped(text, " " * GAP + f"{row['name']:<{names}}", width)
            else:
                lines += [" " * GAP + row["name"], *wrapped(text, " " * 2 * GAP, width)]
    if len(groups) > 1:
        step = "What each needs, with the commands: python benchmark.py --wm NAME --task ignav --dry-run"
        lines += ["", *wrapped(step, "", width)]
    return lines


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
