"""Size and place of an anomaly: always inside the image, and inside the region of interest if it fits."""

from __future__ import annotations

import math

import cv2
import numpy as np

from pail.core.image import NormalImage
from pail.core.ops import Box
from pail.core.sampler import Sampler

FALLBACK_FRACTION = 1 / 16  # side of the square that replaces an empty random mask
REJECTION_TRIES = 8  # number of random places, before all places are compared
PICKS = 20  # number of places with the largest correlation whose overlap is checked


def place(image: NormalImage, sampler: Sampler, height: int, width: int, shape: np.ndarray | None = None) -> Box:
    """Find a box of that size inside the image, uniform over the places
    where all of it fits.

    `shape` is the uint8 mask (height, width) of the pixels that count, None
    for all. With an ROI, every pixel that counts has to be inside. If there
    is no such place, the box covers as much of the ROI as possible, and at
    least one pixel.
    """
    if image.roi is None:
        top = sampler.integer("top", 0, image.height - height)
        return Box(top, sampler.integer("left", 0, image.width - width), height, width)
    box = _place_in_roi(image.roi, sampler.rng, height, width, shape)
    sampler.keep("top", box.top)
    sampler.keep("left", box.left)
    return box


def fallback_box(image: NormalImage, sampler: Sampler, roi: np.ndarray | None = None) -> Box:
    """A square that replaces an empty random mask: a sixteenth of the region's side, in `roi` or the image's region."""
    side = max(1, round(image.region_side * FALLBACK_FRACTION))
    return place(image if roi is None else image.restrict(roi), sampler, side, side)


def rectangle_size(area: float, aspect: float, shape: tuple[int, int]) -> tuple[int, int]:
    """(height, width) in pixels of a rectangle of `area` px^2 and `aspect` width / height inside `shape`.

    If one side does not fit, the other one grows to keep the area, as far as it fits.
    """
    rows, columns = shape
    width, height = math.sqrt(area * aspect), math.sqrt(area / aspect)
    if width > columns:
        width, height = columns, area / columns
    elif height > rows:
        width, height = area / rows, rows
    return min(max(round(height), 1), rows), min(max(round(width), 1), columns)


def _place_in_roi(roi: np.ndarray, rng: np.random.Generator, height: int, width: int, shape: np.ndarray | None) -> Box:
    """Rejection sampling first, which is uniform over the places that fit; then an exact search."""
    shape = None if shape is None or cv2.countNonZero(shape) == height * width else shape
    around, tight = Box.around(roi), Box(0, 0, height, width) if shape is None else Box.around(shape)
    last_top, last_left = roi.shape[0] - height, roi.shape[1] - width

    def corners(top: int, left: int, bottom: int, right: int) -> Box:
        """The upper left corners in these rows and columns, both ends included, of boxes inside the image."""
        top, left = max(top, 0), max(left, 0)
        return Box(top, left, max(min(bottom, last_top) - top + 1, 0), max(min(right, last_left) - left + 1, 0))

    # The pixels that count lie inside the bounding box of the ROI.
    top, left = around.top - tight.top, around.left - tight.left
    fits = corners(top, left, top + around.height - tight.height, left + around.width - tight.width)
    if fits.area:
        full = height * width if shape is None else cv2.countNonZero(shape)
        for down, right in rng.random((REJECTION_TRIES, 2)).tolist():
            box = Box(fits.top + int(down * fits.height), fits.left + int(right * fits.width), height, width)
            if _overlap(roi, box, shape) == full:
                return box
        found = _fullest(roi, rng, fits, (height, width), shape)
        if found and _overlap(roi, found, shape) == full:
            return found
    # Nothing fits: the box has to overlap the bounding box of the ROI.
    meets = corners(around.top - height + 1, around.left - width + 1, around.bottom - 1, around.right - 1)
    found = _fullest(roi, rng, meets, (height, width), shape)
    if found:
        return found
    # No pixel of the shape can reach the ROI, as in a corner of the image: the box covers one of the ROI's.
    rows, columns = np.nonzero(roi)
    pick = int(rng.random() * len(rows))
    return Box(min(int(rows[pick]), last_top), min(int(columns[pick]), last_left), height, width)


def _overlap(roi: np.ndarray, box: Box, shape: np.ndarray | None) -> int:
    """Pixels of the shape, or of the box without one, inside the ROI."""
    part = roi[box.slices]
    return cv2.countNonZero(part if shape is None else cv2.bitwise_and(part, shape))


def _fullest(
    roi: np.ndarray, rng: np.random.Generator, corners: Box, size: tuple[int, int], shape: np.ndarray | None
) -> Box | None:
    """A random choice among the places with the largest overlap; None if no place overlaps."""
    rows = slice(corners.top, corners.top + corners.height - 1 + size[0])
    part = roi[rows, corners.left : corners.left + corners.width - 1 + size[1]]
    part = np.ascontiguousarray((part > 0).view(np.uint8))
    if shape is None:
        sums: np.ndarray = _window_sums(part, *size)
    else:
        sums = cv2.matchTemplate(part.astype(np.float32), (shape > 0).astype(np.float32), cv2.TM_CCORR)
    good = np.flatnonzero(sums >= sums.max() - 0.5)
    best, most = None, 0
    for pick in good[(rng.random(PICKS) * len(good)).astype(int)].tolist():
        row, column = divmod(pick, corners.width)
        trial = Box(corners.top + row, corners.left + column, *size)
        found = _overlap(roi, trial, shape)
        if found > most:
            best, most = trial, found
        if found >= sums.max() - 0.5:  # the correlation is rounded, whereas pixels are counted exactly
            break
    return best


def _window_sums(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sum of `values` under a (height, width) window at every position inside."""
    total = cv2.integral(values)
    return total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
