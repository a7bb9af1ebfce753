#!/usr/bin/env python3
"""Entry point: hands argv to the command line and returns its exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    _checkout = Path(__file__).resolve().parent
    sys.path.insert(0, str(_checkout))  # `python -P` leaves it out
    # Before anything of the checkout is imported: bytecode that somebody left there is not read (see the file).
    _file = _checkout / "harness" / "contracts" / "from_source.py"
    _from_source: dict[str, Any] = {"__name__": "from_source", "__file__": str(_file)}
    exec(compile(_file.read_bytes(), _file, "exec"), _from_source)
    _from_source["use_sources"]()

    from harness.cli.app import main

    sys.exit(main(sys.argv[1:]))
