"""`cite`: BibTeX of a suite with the hash of each tier, and of the published protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.arguments import Json
from harness.cli.console import note, print_json, say
from harness.contracts.commands import FIRST_TASK
from harness.contracts.errors import Refusal

if TYPE_CHECKING:
    from tasks.suite import Suite

PROTOCOL = """\
@misc{zhang2025worldinworld,
  title         = {World-in-World: World Models in a Closed-Loop World},
  author        = {Zhang, Jiahan and Jiang, Muqing and Dai, Nanru and Lu, Taiming and Uzunoglu, Arda and Zhang, Shunchi
                   and Wei, Yana and Wang, Jiahao and Patel, Vishal M. and Liang, Paul Pu and Khashabi, Daniel
                   and Peng, Cheng and Chellappa, Rama and Shu, Tianmin and Yuille, Alan and Du, Yilun
                   and Chen, Jieneng},
  year          = {2025},
  eprint        = {2510.18135},
  archivePrefix = {arXiv},
  url           = {https://arxiv.org/abs/2510.18135}
}"""


def cite_command(
    suite: Annotated[str, typer.Option("--suite", help="Suite or family; a family means its newest.")] = "embedded",
    task: Annotated[str, typer.Option("--task", help="Task of the suite.")] = FIRST_TASK,
    as_json: Json = False,
) -> int:
    """Print BibTeX that says which data a result was measured on: suite@hash of every tier."""
    from tasks.registry import load_task
    from tasks.suite import load_suite

    load_task(task)
    chosen = load_suite(suite, task)
    hashes = tier_hashes(chosen)
    entries = [suite_entry(chosen, hashes), PROTOCOL]
    if as_json:
        print_json({"suite": chosen.name, "task": chosen.task, "tiers": hashes, "bibtex": "\n\n".join(entries)})
    else:
        say("\n\n".join(entries))
    return 0


def tier_hashes(suite: Suite) -> dict[str, str]:
    """Return the suite hash of each tier; those without one, and drafts, are named on stderr and left out."""
    hashes = {}
    for tier in suite.tiers:
        if suite.tiers[tier].status == "draft":
            note(f"tier {tier} is a draft: its hash may still change, so that it cannot be cited (docs/suites.md).")
            continue
        try:
            hashes[tier] = suite.hash(tier)
        except Refusal as refusal:
            note(f"tier {tier} has no hash here: {refusal.what} {refusal.next_step}".rstrip())
    return hashes


def suite_entry(suite: Suite, hashes: dict[str, str]) -> str:
    """Return the BibTeX entry of a suite.

    A name such as ``embedded-v1`` could be reused for other data; the hash covers episodes, scenes, cameras, actions
    and loop, so two papers that cite one hash measured on the same.
    """
    listed = "".join(f"\n                  {tier}: {suite.name}@{value}," for tier, value in hashes.items()).rstrip(",")
    tiers = f"Suite hash of each tier:{listed}" if hashes else "Suite hashes not available"
    return (
        f"@misc{{wiwbench-{suite.name.replace('@', '-')}-{suite.task},\n"
        f"  title        = {{{{WIW-Bench}}: suite {suite.name}, task {suite.task}}},\n"
        f"  author       = {{{{WIW-Bench contributors}}}},\n"
        f"  version      = {{{suite.name}}},\n"
        f"  howpublished = {{Benchmark software and data}},\n"
        f"  note         = {{{tiers}}}\n"
        f"}}"
    )
