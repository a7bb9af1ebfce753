"""Runs pytest, and once more, alone, what failed; remembers which tests passed only then.

Some tests kill and time out real processes; on a busy machine one may be late. What fails twice fails the step. What
passes the second time is named at the end of CI, and fails CI when the history has it already: once is a busy machine,
twice is a fault.

    python .ci/twice.py RUN tests ARGUMENTS...   run pytest with these arguments; RUN is the id of this run of CI
    python .ci/twice.py RUN again ARGUMENTS...   the second half of it: pytest ran with these arguments, and failed
    python .ci/twice.py RUN told                 name what was flaky in RUN; exit code 1 where a test was so twice

The history has one line a flaky test, "RUN NAME", in the file that WIW_FLAKY_HISTORY names, else in pytest's cache.
Commands that run beside each other need caches of their own: WIW_PYTEST_CACHE names its folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("WIW_PYTEST_CACHE", ".pytest_cache"))


def history() -> Path:
    """Return the file of the history."""
    return Path(os.environ.get("WIW_FLAKY_HISTORY") or CACHE / "flaky.txt")


def run_twice(run: str, arguments: list[str]) -> int:
    """Run pytest, and what failed once more; return the exit code of the last time."""
    code = _pytest(arguments)
    return run_again(run, arguments, code) if code else 0


def run_again(run: str, arguments: list[str], code: int = 1) -> int:
    """Run once more what failed; return the exit code, or ``code`` where it was no test that failed."""
    failed = _failed()
    if not failed:
        return code
    code = _pytest([*arguments, "--last-failed", "-n", "0"])
    flaky = sorted(failed - _failed())
    history().parent.mkdir(parents=True, exist_ok=True)
    with history().open("a") as file:
        file.writelines(f"{run} {name}\n" for name in flaky)
    return code


def tell(run: str) -> int:
    """Print what was flaky in ``run``; return 1 where the history has one of those tests more than once."""
    lines = history().read_text().splitlines() if history().exists() else []
    seen = [tuple(line.split(" ", 1)) for line in lines]
    names = [name for _, name in seen]
    code = 0
    for name in dict.fromkeys(name for when, name in seen if when == run):
        again = names.count(name) > 1
        code = 1 if again else code
        print(f"flaky {f'{names.count(name)} times' if again else 'once'}: {name}", file=sys.stderr)
    if code:
        print(f"Make it sure, then take its lines out of {history()}.", file=sys.stderr)
    return code


def _pytest(arguments: list[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", "-o", f"cache_dir={CACHE}", *arguments]).returncode


def _failed() -> frozenset[str]:
    """Return the tests whose last outcome is a failure, as pytest keeps them."""
    path = CACHE / "v" / "cache" / "lastfailed"
    return frozenset(json.loads(path.read_text())) if path.exists() else frozenset()


def main(run: str, what: str, *arguments: str) -> int:
    """Run one of the three commands."""
    if what == "told":
        return tell(run)
    return (run_again if what == "again" else run_twice)(run, list(arguments))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
