"""`list`: world models, policies, tasks, suites, images and runs by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.cli.console import GAP, READABLE, note, print_json, print_table, say, width_of_output, wrapped
from harness.cli.run_list import show_runs
from harness.contracts.commands import FIRST_TASK, command
from harness.contracts.errors import Refusal
from harness.contracts.names import nearest
from harness.running.compatibility import place_of
from harness.worldmodels import weights
from harness.worldmodels.catalog import CatalogEntry, load_catalog
from harness.worldmodels.conditioning import ACTION_SPACE
from tasks.registry import list_tasks, load_task
from tasks.suite import list_suites, load_suite

KINDS = ("wms", "policies", "tasks", "suites", "images", "runs")


def show(kind: str, out: Path, plugins: Sequence[Path], as_json: bool) -> int:
    """Print one list; Refusal for an unknown kind."""
    if not kind:
        raise Refusal("list what?", "\n".join(command("list", known) for known in KINDS))
    if kind not in KINDS:
        raise Refusal(f"there is no list of {kind!r}.", nearest(kind, KINDS))
    if kind == "runs":
        return show_runs(out, as_json)
    if kind == "images":
        from harness.cli import image_actions
        from harness.cli.images import LOCK

        return image_actions.show(LOCK, as_json)
    rows = {
        "wms": lambda: wm_rows(plugins),
        "policies": lambda: policy_rows(plugins),
        "tasks": task_rows,
        "suites": suite_rows,
    }[kind]()
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

    ``task`` is the first that can ask it, ``options`` are those that its command needs here beside ``--wm`` and
    ``--task``, ``lacks`` what is missing for that ("" where it runs), and ``refused`` why no suite plays it ("" where
    one does).
    """
    catalog = load_catalog(plugins)
    for plugin in catalog.broken:
        note(str(plugin))
    return [_wm_row(entry) for entry in sorted(catalog.entries, key=lambda entry: entry.manifest.name)]


def _wm_row(entry: CatalogEntry) -> dict[str, str]:
    manifest, place = entry.manifest, place_of(entry)
    return {
        "name": manifest.name,
        "family": manifest.family,
        "kind": manifest.kind,
        "task": place.task,
        "suite": manifest.home_suite,
        "conditioning": manifest.conditioning,
        "view": manifest.view,
        "weights": weights.state(manifest, entry.folder),
        "options": " ".join(place.words),
        "lacks": ", ".join(place.lacks),
        "refused": place.refused,
        "description": manifest.description,
    }


def policy_rows(plugins: Sequence[Path]) -> list[dict[str, str]]:
    """Return one row a policy; ``actions`` is the space that it was made for ("any": those that it is asked for)."""
    manifests = sorted((entry.manifest for entry in load_catalog(plugins).policies), key=lambda found: found.name)
    return [
        {
            "name": manifest.name,
            "family": manifest.family,
            "actions": str(manifest.settings.get(ACTION_SPACE) or "any"),
            "needs": ", ".join(manifest.needs),
            "description": manifest.description,
        }
        for manifest in manifests
    ]


def wm_lines(rows: Sequence[dict[str, str]], width: int) -> list[str]:
    """Return the list of world models as lines, under the command that plays them and what they lack for it.

    Those that run here come first, and of these the ones that run on their home suite.
    """
    groups: dict[str, list[dict[str, str]]] = {}
    for row in sorted(
        rows,
        key=lambda row: (bool(row["refused"]), bool(row["lacks"]), row["task"] != FIRST_TASK, bool(row["options"])),
    ):
        groups.setdefault(_heading(row), []).append(row)
    names = max((len(row["name"]) for row in rows), default=0) + GAP
    lines: list[str] = []
    for heading, members in groups.items():
        lines += [*([""] if lines else []), *wrapped(f"{heading} ({len(members)})", "", width)]
        for row in members:
            facts = " · ".join(fact for fact in (row["family"], row["view"], row["conditioning"]) if fact != "none")
            text = " ".join(part for part in (row["description"], f"({facts})", row["refused"]) if part)
            if width - names - GAP >= READABLE * 1.5:
                lines += wrapped(text, " " * GAP + f"{row['name']:<{names}}", width)
            else:
                lines += [" " * GAP + row["name"], *wrapped(text, " " * 2 * GAP, width)]
    if any(row["lacks"] for row in rows):
        step = "What a model lacks, with the commands that get it: add --dry-run to its command."
        lines += ["", *wrapped(step, "", width)]
    return lines


def _heading(row: dict[str, str]) -> str:
    if row["refused"]:
        return f"No suite plays them yet; to try one alone: {command('plugin', 'check', 'NAME')}"
    words = row["options"].split()
    own = f" (not on {row['suite']}, their home suite)" if "--suite" in words else ""
    start = f"Lack {row['lacks']}; with that they run here" if row["lacks"] else "Run here"
    return f"{start}{own}: {command('--wm', 'NAME', '--task', row['task'], *words)}"


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
                    missing = suite.missing()
                    state = f"cannot run here: {missing[0].reason}" if missing else suite.hash(tier.name)[:16]
                except Refusal as refusal:
                    state = f"cannot run here: {refusal.what}"
                splits = ", ".join(f"{s} {size.episodes}" for s, size in tier.splits.items())
                rows.append(
                    {"suite": name, "task": task, "tier": tier.name, "status": tier.status}
                    | {"episodes": splits, "hash": state, "description": tier.description}
                )
    return rows
