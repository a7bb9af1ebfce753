"""Images of models that run their authors' own code: linted, and labelled as a plugin image is recognised."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "wm_plugins").glob("*/Dockerfile"))
ANY_FILE = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.parent.name))


def test_models_with_code_of_their_own_have_one() -> None:
    assert {"nwm", "pathdreamer", "se3ds"} <= {file.parent.name for file in FILES}


@ANY_FILE
def test_it_is_a_plugin_image_of_this_protocol(file: Path) -> None:
    text = file.read_text()
    assert 'wiw.plugin="/plugin"' in text and "FROM ${WM_BASE}" in text, "the base's label says the protocol"
    users = [line for line in text.splitlines() if line.startswith("USER")]
    assert users[-1] == "USER 65532:65532", "what is installed by root must not run as root"


@ANY_FILE
def test_everything_copied_is_there(file: Path) -> None:
    joined = file.read_text().replace("\\\n", " ")
    for line in (line for line in joined.splitlines() if line.startswith("COPY ")):
        *sources, target = shlex.split(line)[1:]
        assert target == "/plugin/"
        for source in sources:
            assert list(ROOT.glob(source)), f"{source} is not in the checkout"


def test_hadolint_has_nothing_to_say() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    found = str(linter) if linter.exists() else shutil.which("hadolint")
    if not found:
        pytest.skip("hadolint is not installed (pip install -e '.[test]')")
    done = subprocess.run([found, *map(str, FILES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr
