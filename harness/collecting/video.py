"""MP4 files with the same bytes for the same frames.

H.264 at a constant quantiser, on one thread: rate control by floating point and threads could differ from run to run.
Every clip starts with a key frame, so that a clip is decoded without its neighbours. Colours are converted here in
integers (BT.601, limited range), because converters choose other roundings on other CPUs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

import av
import numpy as np
import numpy.typing as npt

from harness.contracts.errors import Refusal
from harness.contracts.observations import RGB

CODEC = "libx264"
QUANTISER = 16
_LIMITED_RANGE, _SMPTE170M = 1, 6


def write_video(path: Path, clips: Sequence[RGB], fps: int, key_every: int) -> None:
    """Write clips uint8 [T, H, W, 3] of one size one after the other, a key frame every ``key_every`` frames."""
    if CODEC not in av.codecs_available:
        raise Refusal(f"PyAV {av.__version__} has no {CODEC} encoder.", "Install the `av` wheel of PyPI.")
    height, width = clips[0].shape[1:3]
    settings = f"qp={QUANTISER}:keyint={key_every}:min-keyint={key_every}:scenecut=0:bframes=0:aq-mode=0:mbtree=0"
    options = {"preset": "veryfast", "x264-params": settings}
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(CODEC, rate=fps, options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.color_range = _LIMITED_RANGE
        stream.codec_context.colorspace = _SMPTE170M
        for rgb in (frame for clip in clips for frame in clip):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planar(rgb), format="yuv420p")))
        container.mux(stream.encode())


def read_video(path: Path) -> Iterator[Tuple[float, RGB]]:
    """Yield (seconds, frame uint8 [H, W, 3]) of every frame."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        for frame in container.decode(stream):
            yield float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24")


def read_times(path: Path) -> Tuple[List[float], List[bool]]:
    """Return the time in seconds of every frame and whether it is a key frame, without decoding."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
        return [float(packet.pts * packet.time_base) for packet in packets], [p.is_keyframe for p in packets]


def planar(rgb: RGB) -> npt.NDArray[np.uint8]:
    """Return a frame [H, W, 3] as yuv420p [H * 3 / 2, W], in whole numbers of 1/65536."""
    red, green, blue = (rgb[:, :, channel].astype(np.int32) for channel in range(3))
    luma = (16829 * red + 33039 * green + 6416 * blue + (16 << 16) + (1 << 15)) >> 16
    height, width = luma.shape
    means = [_quartered(channel) for channel in (red, green, blue)]
    blue_difference = (-9714 * means[0] - 19070 * means[1] + 28784 * means[2] + (128 << 18) + (1 << 17)) >> 18
    red_difference = (28784 * means[0] - 24103 * means[1] - 4681 * means[2] + (128 << 18) + (1 << 17)) >> 18
    packed = np.empty(height * width * 3 // 2, np.uint8)
    packed[: height * width] = luma.ravel()
    quarter = height * width // 4
    packed[height * width : height * width + quarter] = blue_difference.ravel()
    packed[height * width + quarter :] = red_difference.ravel()
    return packed.reshape(height * 3 // 2, width)


def _quartered(channel: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the sums of blocks of 2 by 2."""
    sums: npt.NDArray[np.int32] = channel[::2, ::2] + channel[1::2, ::2] + channel[::2, 1::2] + channel[1::2, 1::2]
    return sums
