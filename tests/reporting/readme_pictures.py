"""Takes the README's pictures of the report from a real run.

    python benchmark.py --wm warp --task ignav
    python -m tests.reporting.readme_pictures runs/RUN --episode validation-0000-00

Writes overview.png, report.png (a Chromium shows the page) and episode.gif (the episode's video) into docs/pictures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tests.reporting.chromium import FLAGS, PATH

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
COLOURS = 256
GIF_WIDTH = 320
GIF_COLOURS = 64
FRAME_MS = 250


def screenshot(page: Path, size: tuple[int, int], target: Path, fragment: str = "") -> None:
    """Write what a browser window of ``size`` (width, height) shows of a page, in few colours."""
    if PATH is None:
        raise SystemExit("no Chromium found")
    url = page.absolute().as_uri() + (f"#{fragment}" if fragment else "")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        window = f"--window-size={size[0]},{size[1]}"
        flags = (*FLAGS, f"--user-data-dir={folder}/profile", "--virtual-time-budget=6000", window)
        subprocess.run((PATH, *flags, f"--screenshot={shot}", url), capture_output=True, timeout=300, check=True)
        Image.open(shot).convert("RGB").quantize(COLOURS, method=Image.Quantize.FASTOCTREE).save(target, optimize=True)


def animation(video: Path, target: Path) -> None:
    """Write a video as a small GIF."""
    import av

    with av.open(str(video)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    height = round(frames[0].height * GIF_WIDTH / frames[0].width)
    small = [frame.resize((GIF_WIDTH, height)).quantize(GIF_COLOURS) for frame in frames]
    small[0].save(target, save_all=True, append_images=small[1:], duration=FRAME_MS, loop=0, optimize=True)


def main(arguments: Sequence[str]) -> int:
    """Write the three pictures; return 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder with its report")
    parser.add_argument("--episode", required=True, help="the episode that is opened and shown as video")
    parser.add_argument("--out", type=Path, default=PICTURES)
    asked = parser.parse_args(arguments)
    folder = f"{asked.episode}-s0"
    page = asked.run / "report.html"
    screenshot(page, (1280, 1200), asked.out / "overview.png")
    screenshot(page, (1280, 1250), asked.out / "report.png", f"episode={folder}")
    animation(asked.run / "episodes" / folder / "video.mp4", asked.out / "episode.gif")
    for name in ("overview.png", "report.png", "episode.gif"):
        print(f"{asked.out / name}  {(asked.out / name).stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
