"""Segments of an image, each with one channel set to a level."""

from __future__ import annotations

import cv2
import numpy as np

from pail.core.image import NormalImage
from pail.core.ops import Box, as_bytes, resize, with_axis
from pail.core.sampler import Sampler
from pail.pixels.superpixels import coarse_segments

SEGMENTS = 10
RANGE_LINES = 64  # rows and columns of pixels that are sampled for the range of levels


def recolor(image: NormalImage, sampler: Sampler, content: np.ndarray, mask: np.ndarray) -> None:
    """Set one channel of each of about ten segments of `content` under the mask to a level."""
    box = Box.around(mask)
    region = content[box.slices]
    labels = coarse_segments(region, mask[box.slices], image.max_value, SEGMENTS)
    count = int(labels.max()) + 1
    chosen = [sampler.integer("channel", 0, image.channels - 1) for _ in range(count)]
    channel = _spread(np.array(chosen, np.uint8), labels, region.shape[:2])
    level = _spread(np.array(_levels(image, sampler, count, region), region.dtype), labels, region.shape[:2])
    where = cv2.merge([as_bytes(channel == index) for index in range(image.channels)])
    paint = cv2.merge([level] * image.channels)
    region[...] = with_axis(cv2.copyTo(paint, where, np.ascontiguousarray(region)))


def _spread(values: np.ndarray, labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """values[labels] at the size `shape`."""
    table = np.zeros(256, values.dtype)
    table[: len(values)] = values
    return resize(cv2.LUT(labels, table), shape, nearest=True)


def _levels(image: NormalImage, sampler: Sampler, count: int, region: np.ndarray) -> list[float]:
    """Uniform levels, from 0 to the span of the region's values.

    In a constant region, levels are from 0 to full scale, and differ from that of the region by at least an eighth of
    it.
    """
    lines = region[:: max(1, len(region) // RANGE_LINES)]
    low, high = float(lines.min()), float(lines.max())
    span = high - low if high > low else image.max_value
    levels = [span * sampler.uniform("level", 0, 1) for _ in range(count)]
    if high == low:
        levels = [
            (low + image.max_value / 2) % image.max_value if abs(x - low) < image.max_value / 8 else x for x in levels
        ]
    return [round(level) for level in levels] if image.is_integer else levels
