"""The table of all world models in docs/zoo.md, made of their manifests.

    python -m tests.wm_plugins.zoo_table            # print it
    python -m tests.wm_plugins.zoo_table --write    # put it into docs/zoo.md

Whether a model ran at its real size is read from the tables of measurements in the same file: a row that begins with
its name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from pathlib import Path

from harness.contracts.manifests import PLUGIN, Checkpoint, ModelManifest
from harness.worldmodels.catalog import load_catalog

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/zoo.md"
BEGIN, END = "<!-- models: python -m tests.wm_plugins.zoo_table --write -->", "<!-- end of models -->"

COLUMNS = (
    "name",
    "pipeline or class",
    "home suite",
    "conditioning",
    "view",
    "size",
    "frames",
    "steps",
    "guidance",
    "fps",
    "dtype",
    "checkpoint",
    "licence",
    "loaded in tests",
    "run at real size",
)
NOTHING = "–"


def table(measured: Collection[str]) -> str:
    """Return the Markdown table of all models that are plugins; ``measured`` are those that ran at their real size."""
    manifests = [entry.manifest for entry in load_catalog().entries if entry.manifest.kind == PLUGIN]
    lines = [COLUMNS, ("---",) * len(COLUMNS)]
    lines += [row(manifest, measured) for manifest in sorted(manifests, key=lambda m: (m.family, m.name.lower()))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def row(manifest: ModelManifest, measured: Collection[str]) -> tuple[str, ...]:
    """Return the cells of one model."""
    size = f"{manifest.height} × {manifest.width}" if manifest.height else "any"
    return (
        f"`{manifest.name}`",
        f"`{manifest.settings.get('pipeline') or manifest.entry_point.rpartition(':')[2]}`",
        manifest.home_suite,
        manifest.conditioning,
        manifest.view,
        size,
        str(manifest.frames + 1) if manifest.frames else "any",
        _number(manifest.steps),
        _number(manifest.guidance),
        _number(manifest.fps),
        manifest.dtype or NOTHING,
        _checkpoint(manifest),
        manifest.licence or NOTHING,
        _loading(manifest),
        "yes" if manifest.name in measured or not _weights(manifest) else "no",
    )


def measured_models(page: str) -> set[str]:
    """Return the models of the page's tables of measurements: rows outside of the table of models."""
    before, _, rest = page.partition(BEGIN)
    return set(re.findall(r"^\| `([^`]+)`", before + rest.partition(END)[2], flags=re.MULTILINE))


def with_table(page: str) -> str:
    """Return the page with the table as it should be."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks the lines {BEGIN} and {END}.")
    return f"{before}{begin}\n{table(measured_models(page))}\n{end}{after}"


def _number(value: float) -> str:
    return f"{value:g}" if value else NOTHING


def _checkpoint(manifest: ModelManifest) -> str:
    parts = [_named(checkpoint) for checkpoint in (manifest.base_checkpoint, manifest.checkpoint) if checkpoint.source]
    if manifest.base and not manifest.checkpoint.source:
        parts.append(f"a {manifest.settings.get('part', 'part')} of yours")
    return " and ".join(parts) or NOTHING


def _weights(manifest: ModelManifest) -> bool:
    """Say whether the model has weights; one that has none runs as it is, wherever it is tested."""
    return bool(manifest.checkpoint.source or manifest.base_checkpoint.source)


def _named(checkpoint: Checkpoint) -> str:
    revision = checkpoint.revision
    short = revision[:8] if re.fullmatch(r"[0-9a-f]{40}", revision) else revision
    return f"`{checkpoint.source}`" + (f" at `{short}`" if short else "")


def _loading(manifest: ModelManifest) -> str:
    """Say by which path tests load the model: every diffusers pipeline by its own, others by tests of their family."""
    if "pipeline" in manifest.settings:
        return "tiny, `from_pretrained`"
    if not _weights(manifest):
        return "no weights"
    return "its own code" if (ROOT / "tests/wm_plugins" / manifest.family).is_dir() else NOTHING


def main(arguments: list[str]) -> None:
    """Print the table, or write it into the page."""
    page = PAGE.read_text(encoding="utf-8")
    if arguments == ["--write"]:
        PAGE.write_text(with_table(page), encoding="utf-8")
    else:
        print(table(measured_models(page)))


if __name__ == "__main__":
    main(sys.argv[1:])
