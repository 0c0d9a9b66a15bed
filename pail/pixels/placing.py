"""Where an anomaly lands: inside the image always, and inside the region of interest where there is room."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.image import NormalImage
from pail.core.sampler import Sampler

FALLBACK_FRACTION = 1 / 16  # side of the square that stands in where a random mask stays empty
REJECTION_TRIES = 8  # at a uniform place, before all places are weighed
PICKS = 20  # of places that a correlation promises


def place(image: NormalImage, sampler: Sampler, height: int, width: int, shape: np.ndarray | None = None) -> Box:
    """A box of that size inside the image, which has room for it: uniform over
    the places where all of it fits.

    `shape` is the uint8 mask (height, width) of the pixels that count, None
    for all. With an ROI, a place fits where every pixel that counts lies
    inside; where there is none, the box covers the ROI as well as it can,
    with one pixel at least.
    """
    if image.roi is None:
        top = sampler.integer("top", 0, image.height - height)
        return Box(top, sampler.integer("left", 0, image.width - width), height, width)
    box = _place_in_roi(image.roi, sampler.rng, height, width, shape)
    sampler.keep("top", box.top)
    sampler.keep("left", box.left)
    return box


def fallback_box(image: NormalImage, sampler: Sampler, roi: np.ndarray | None = None) -> Box:
    """Where a random mask stays empty: a square of a sixteenth of the region's side, in `roi` or in the image's."""
    side = max(1, round(image.region_side * FALLBACK_FRACTION))
    return place(image if roi is None else image.restrict(roi), sampler, side, side)


def _place_in_roi(roi: np.ndarray, rng: np.random.Generator, height: int, width: int, shape: np.ndarray | None) -> Box:
    """Rejection first, which is uniform over the fits as it is; then the exact answer."""
    shape = None if shape is None or cv2.countNonZero(shape) == height * width else shape
    tight = Box(0, 0, height, width) if shape is None else Box.around(shape)
    around = Box.around(roi)
    fits = _Corners.of_fits(around, tight, (height, width), roi.shape)
    if fits.size:
        full = height * width if shape is None else cv2.countNonZero(shape)
        for down, right in rng.random((REJECTION_TRIES, 2)).tolist():
            box = Box(fits.top + int(down * fits.rows), fits.left + int(right * fits.columns), height, width)
            if _overlap(roi, box, shape) == full:
                return box
        if (found := _fullest(roi, rng, fits, (height, width), shape)) and _overlap(roi, found, shape) == full:
            return found
    meets = _Corners.of_meets(around, (height, width), roi.shape)
    return _fullest(roi, rng, meets, (height, width), shape) or _touch(roi, rng, height, width)


class _Corners(NamedTuple):
    """A block of upper left corners."""

    top: int
    left: int
    rows: int
    columns: int

    @property
    def size(self) -> int:
        return self.rows * self.columns

    @classmethod
    def _between(cls, first: list[int], last: list[int]) -> _Corners:
        rows, columns = (max(end - start + 1, 0) for start, end in zip(first, last, strict=True))
        return cls(first[0], first[1], rows, columns)

    @classmethod
    def of_fits(cls, around: Box, tight: Box, size: tuple[int, int], limit: tuple[int, int]) -> _Corners:
        """Where the solid part of the shape lies inside the ROI's bounding box, and the box inside the image."""
        first = [max(around[i] - tight[i], 0) for i in (0, 1)]
        last = [min(around[i] + around[2 + i] - tight[i] - tight[2 + i], limit[i] - size[i]) for i in (0, 1)]
        return cls._between(first, last)

    @classmethod
    def of_meets(cls, around: Box, size: tuple[int, int], limit: tuple[int, int]) -> _Corners:
        """Where the box meets the ROI's bounding box."""
        first = [max(around[i] - size[i] + 1, 0) for i in (0, 1)]
        last = [min(around[i] + around[2 + i] - 1, limit[i] - size[i]) for i in (0, 1)]
        return cls._between(first, last)


def _overlap(roi: np.ndarray, box: Box, shape: np.ndarray | None) -> int:
    part = roi[box.slices]
    return cv2.countNonZero(part if shape is None else cv2.bitwise_and(part, shape))


def _fullest(
    roi: np.ndarray, rng: np.random.Generator, corners: _Corners, size: tuple[int, int], shape: np.ndarray | None
) -> Box | None:
    """One of the places with the largest overlap, uniformly; None where no place has any."""
    rows = slice(corners.top, corners.top + corners.rows - 1 + size[0])
    part = roi[rows, corners.left : corners.left + corners.columns - 1 + size[1]]
    part = np.ascontiguousarray((part > 0).view(np.uint8))
    if shape is None:
        sums: np.ndarray = _window_sums(part, *size)
    else:
        sums = cv2.matchTemplate(part.astype(np.float32), (shape > 0).astype(np.float32), cv2.TM_CCORR)
    good = np.flatnonzero(sums >= sums.max() - 0.5)
    best, most = None, 0
    for pick in good[(rng.random(PICKS) * len(good)).astype(int)].tolist():
        row, column = divmod(pick, corners.columns)
        trial = Box(corners.top + row, corners.left + column, *size)
        found = _overlap(roi, trial, shape)
        if found > most:
            best, most = trial, found
        if found >= sums.max() - 0.5:  # a correlation rounds: what counts is counted
            break
    return best


def _window_sums(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sum of `values` under a (height, width) window at every position inside."""
    total = cv2.integral(values)
    return total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]


def _touch(roi: np.ndarray, rng: np.random.Generator, height: int, width: int) -> Box:
    """A box over a pixel of the ROI that no pixel of the shape can reach, as in a corner of the image."""
    rows, columns = np.nonzero(roi)
    pick = int(rng.random() * len(rows))
    top, left = min(int(rows[pick]), roi.shape[0] - height), min(int(columns[pick]), roi.shape[1] - width)
    return Box(top, left, height, width)
