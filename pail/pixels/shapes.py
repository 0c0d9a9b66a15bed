"""Sizes of rectangles."""

from __future__ import annotations

import math

from pail.core.sampler import Sampler


def rectangle_size(area: float, aspect: float, shape: tuple[int, int]) -> tuple[int, int]:
    """(height, width) in pixels of a rectangle of `area` px^2 and `aspect` width / height inside `shape`.

    Where one side does not fit, the other grows to keep the area, as far as it fits.
    """
    rows, columns = shape
    width, height = math.sqrt(area * aspect), math.sqrt(area / aspect)
    if width > columns:
        width, height = columns, area / columns
    elif height > rows:
        width, height = area / rows, rows
    return min(max(round(height), 1), rows), min(max(round(width), 1), columns)


def within_area(size: tuple[int, int], area: float) -> tuple[int, int]:
    """(height, width) with the longer side shortened, where rounding made the rectangle larger than `area` px^2."""
    height, width = size
    if height * width <= area:
        return size
    if height >= width:
        return max(int(area / width), 1), width
    return height, max(int(area / height), 1)


def draw_aspect(sampler: Sampler, aspect_ratio: tuple[tuple[float, float], tuple[float, float]]) -> float:
    """Width / height: a coin chooses one of the two ranges, as in CutPaste."""
    return sampler.uniform("aspect", *sampler.choice("aspect_range", aspect_ratio))
