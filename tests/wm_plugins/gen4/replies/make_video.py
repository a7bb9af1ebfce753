"""Writes ``video.mp4``: 121 frames of 96 x 96, frame i grey at level 2 i, so that a frame tells which one it is."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

FRAMES, SIZE, RATE = 121, 96, 24


def main() -> None:
    with av.open(str(Path(__file__).with_name("video.mp4")), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
        for index in range(FRAMES):
            grey = np.full((SIZE, SIZE, 3), 2 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
