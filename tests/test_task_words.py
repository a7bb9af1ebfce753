"""The harness is neutral: its code names no task and none of a task's own words, but for a short list with reasons."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

from tasks.registry import list_tasks

ROOT = Path(__file__).parents[1]
WORDS = re.compile(
    rf"goal|geodesic|(?<![a-z])spl(?![a-z])|(?<![a-z])({'|'.join(list_tasks())}|ar|aeqa|manip)(?![a-z])", re.I
)

NAVIGATION = "the capability `navigation` of an environment, whose queries lead from a start to a goal"
FILES = "a name in files that were written before, or in the hash of a frozen suite"

ALLOWED = {
    "harness/wire/sdk.py": NAVIGATION,
    "harness/wire/client.py": NAVIGATION,
    "harness/wire/services.py": NAVIGATION,
    "harness/wire/codec/queries.py": NAVIGATION,
    "harness/running/frame_checks.py": NAVIGATION,
    "harness/contracts/trajectories.py": FILES,
    "harness/planning/config.py": FILES,
    "harness/records/episode_files.py": FILES,
    "harness/banking/player.py": FILES,
    "harness/banking/states.py": FILES,
    "harness/running/episode_runner.py": FILES,
    "harness/reporting/details.py": "the report's map draws the place that an episode asks for, if it does",
    "harness/studies/all_tables.py": "the share of episodes that are solved where they start, from the payload",
    "harness/contracts/arm_poses.py": "the poses that an arm is sent to",
    "harness/contracts/commands.py": "the one task that examples show",
    "harness/worldmodels/strangers.py": "the names of the project's families, of which one is called after its task",
    "harness/cli/datasets.py": "the published data of one task are what is prepared",
}
"""Files with a task's words in their code, and why."""


def words_of(path: Path) -> set[str]:
    """Return a task's words in a file's code; comments and docstrings may explain by example."""
    found, at_start = set(), True
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT):
            at_start = True
            continue
        docstring = token.type == tokenize.STRING and at_start
        at_start = False
        if not docstring and token.type in (tokenize.NAME, tokenize.STRING):
            found |= {match.group().lower() for match in WORDS.finditer(token.string)}
    return found


def sources() -> list[Path]:
    # What protoc wrote, and the study that trains the score of one task and is no part of a run.
    left_out = ("harness/wire/generated/", "harness/studies/learnt_score/")
    found = (path for path in sorted((ROOT / "harness").rglob("*.py")))
    return [path for path in found if not str(path.relative_to(ROOT)).startswith(left_out)]


@pytest.mark.parametrize("folder", sorted({path.parent for path in sources()}), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_code_of_the_harness_speaks_of_one_task(folder: Path) -> None:
    for path in (path for path in sources() if path.parent == folder):
        name = str(path.relative_to(ROOT))
        assert name in ALLOWED or not words_of(path), f"{name} speaks of {sorted(words_of(path))}"


def test_every_exception_is_needed() -> None:
    assert [name for name in ALLOWED if not (ROOT / name).exists() or not words_of(ROOT / name)] == []
