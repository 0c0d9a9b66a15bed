"""Segments of an image, each with one channel set to a level."""

from __future__ import annotations

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.image import Frame
from pail.core.ops import as_bytes, resize, with_axis
from pail.core.sampler import Draw
from pail.pixels.superpixels import coarse_segments

SEGMENTS = 10
RANGE_LINES = 64  # of pixels that tell the range of levels


def recolor(frame: Frame, draw: Draw, content: np.ndarray, mask: np.ndarray) -> None:
    """Set one channel of each of about ten segments of `content` under the mask to a level."""
    box = Box.around(mask)
    region = content[box.slices]
    labels = coarse_segments(region, mask[box.slices], frame.peak, SEGMENTS)
    count = int(labels.max()) + 1
    chosen = [draw.integer("channel", 0, frame.channels - 1) for _ in range(count)]
    channel = _spread(np.array(chosen, np.uint8), labels, region.shape[:2])
    level = _spread(np.array(_levels(frame, draw, count, region), region.dtype), labels, region.shape[:2])
    where = cv2.merge([as_bytes(channel == index) for index in range(frame.channels)])
    paint = cv2.merge([level] * frame.channels)
    region[...] = with_axis(cv2.copyTo(paint, where, np.ascontiguousarray(region)))


def _spread(values: np.ndarray, labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """values[labels], at another size."""
    table = np.zeros(256, values.dtype)
    table[: len(values)] = values
    return resize(cv2.LUT(labels, table), shape, nearest=True)


def _levels(frame: Frame, draw: Draw, count: int, region: np.ndarray) -> list[float]:
    """U(0, 1) of the region's range; of full scale, and far from the one level there is, where it is constant."""
    lines = region[:: max(1, len(region) // RANGE_LINES)]
    low, high = float(lines.min()), float(lines.max())
    span = high - low if high > low else frame.peak
    levels = [span * draw.uniform("level", 0, 1) for _ in range(count)]
    if high == low:
        levels = [(low + frame.peak / 2) % frame.peak if abs(x - low) < frame.peak / 8 else x for x in levels]
    return [round(level) for level in levels] if frame.is_integer else levels
