#!/usr/bin/env python3
"""Entry point: hands argv to the command line and returns its exit code."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -P` leaves it out

from harness.cli.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
