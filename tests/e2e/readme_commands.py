"""Prints README's first or second command, so that what is proven is what a reader copies.

`python -m tests.e2e.readme_commands 1` prints the block that installs and runs the main job, `2` the block that
installs and tests. `--check` exits with 1 unless the second block runs pytest on exactly the default suite.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def commands() -> list[str]:
    """Return the shell blocks of README.md in order."""
    return [block.strip() for block in re.findall(r"```bash\n(.*?)```", README.read_text(), flags=re.DOTALL)]


def main(arguments: list[str]) -> int:
    """Print one block, or check that the test block is the one that CI runs."""
    run, test = commands()[:2]
    if arguments == ["--check"]:
        honest = "benchmark.py --wm FTmini --task ignav" in run and test.endswith("-m pytest")
        print(
            "README: run, then test"
            if honest
            else f"README's first two blocks are not the two commands:\n{run}\n{test}"
        )
        return 0 if honest else 1
    print({"1": run, "2": test}[arguments[0]])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
