"""A video's frames at the size of a view."""

from __future__ import annotations

import io

import av
import numpy as np
from PIL import Image

from harness.contracts.errors import EpisodeError
from harness.contracts.observations import RGB

MAX_FRAMES = 1024


def frames_of_video(content: bytes, height: int, width: int) -> list[RGB]:
    """Return the frames of a video file as uint8 [height, width, 3]; of another shape, the middle of each.

    A stranger's bytes: at most `MAX_FRAMES` are decoded, and what cannot be read raises EpisodeError.
    """
    frames: list[RGB] = []
    try:
        with av.open(io.BytesIO(content)) as container:
            for frame in container.decode(video=0):
                frames.append(_fitted(frame.to_ndarray(format="rgb24"), height, width))
                if len(frames) == MAX_FRAMES:
                    break
    except (av.error.FFmpegError, IndexError) as error:
        raise EpisodeError(f"the video of a task cannot be read: {error}.") from error
    if not frames:
        raise EpisodeError("the video of a task has no frames.")
    return frames


def _fitted(rgb: RGB, height: int, width: int) -> RGB:
    """Return the largest middle part of the wanted shape, resized by the mean of areas."""
    rows, columns = rgb.shape[:2]
    scale = min(rows / height, columns / width)
    part_rows, part_columns = round(scale * height), round(scale * width)
    top, left = (rows - part_rows) // 2, (columns - part_columns) // 2
    part = rgb[top : top + part_rows, left : left + part_columns]
    if part.shape[:2] == (height, width):
        return part
    resized: RGB = np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize((width, height), Image.Resampling.BOX))
    return resized
