"""One video an episode: what really happened beside what was imagined."""

from __future__ import annotations

import io
from typing import Iterator, Optional, Sequence, Tuple

import av
import numpy as np

from harness.contracts.observations import RGB
from harness.contracts.trajectories import DecisionFrames
from harness.records.pictures import resized

FRAMES_PER_SECOND = 6
_GREY = 60
_GAP = 4
_CODECS = (("libx264", {"preset": "veryfast", "crf": "24"}), ("mpeg4", {"q": "5"}))


def encode_video(decisions: Sequence[DecisionFrames]) -> bytes:
    """Return an MP4 with one frame a step: the real view and, beside or below it, the imagined one.

    Wide views (panoramas) are stacked, others lie side by side; grey stands for steps that were not imagined. H.264
    where the PyAV build has it, because browsers play it; MPEG-4 otherwise. One thread, so that workers do not
    compete for the same cores.
    """
    codec, options = _codec()
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=FRAMES_PER_SECOND, options=options)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for index, pair in enumerate(_pairs(decisions)):
            sheet = _sheet(*pair)
            if index == 0:
                stream.height, stream.width = sheet.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(sheet, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def _codec() -> Tuple[str, dict[str, str]]:
    for name, options in _CODECS:
        if name in av.codecs_available:
            return name, options
    raise RuntimeError(f"PyAV {av.__version__} has none of the video encoders {[name for name, _ in _CODECS]}")


def _pairs(decisions: Sequence[DecisionFrames]) -> Iterator[Tuple[RGB, Optional[RGB]]]:
    """Yield (real, imagined or None) for the start and for each executed step, all of the first view's size."""
    if not decisions:
        return
    height, width = decisions[0].before.shape[:2]
    yield decisions[0].before, None
    for decision in decisions:
        for number, real in enumerate(decision.real, start=1):
            imagined = decision.imagined.get(number)
            yield resized(real, height, width), None if imagined is None else resized(imagined, height, width)


def _sheet(real: RGB, imagined: Optional[RGB]) -> RGB:
    """Return both views on one sheet with even sides, as the chroma of yuv420p needs."""
    height, width = real.shape[:2]
    stacked = width >= 2 * height
    rows, columns = (2 * height + _GAP, width) if stacked else (height, 2 * width + _GAP)
    sheet = np.full((rows + rows % 2, columns + columns % 2, 3), _GREY, np.uint8)
    sheet[:height, :width] = real
    if imagined is not None:
        top, left = (height + _GAP, 0) if stacked else (0, width + _GAP)
        sheet[top : top + height, left : left + width] = imagined
    return sheet
