"""Where an anomaly lands."""

from __future__ import annotations

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.composite import FALLBACK_FRACTION
from pail.core.draw import Draw
from pail.core.frame import Frame

PLACING_SIDE = 64  # side of the thumbnail of the ROI on which places are weighed
PLACING_TRIES = 8
LUCKY_TRIES, LUCKY_SHARE = 3, 0.9


def place(frame: Frame, draw: Draw, height: int, width: int, shape: np.ndarray | None = None) -> Box:
    """A box of that size, uniform over the image; with an ROI, where most of it lies inside.

    `shape` is the uint8 mask (height, width) of the pixels that count, None for all. Without an ROI the box lies in
    the image. With one, the box covers the ROI as well as it can, and always covers at least one pixel of it.
    """
    if frame.roi is None:
        top = draw.integer("top", 0, max(frame.height - height, 0))
        return Box(top, draw.integer("left", 0, max(frame.width - width, 0)), height, width)
    return _place_in_roi(frame.roi, draw, height, width, shape)


def _place_in_roi(roi: np.ndarray, draw: Draw, height: int, width: int, shape: np.ndarray | None) -> Box:
    full = height * width if shape is None else cv2.countNonZero(shape)
    box = _lucky_place(roi, draw, height, width, shape, full) or _weighed_place(roi, draw, height, width, shape, full)
    draw.keep("top", box.top)
    draw.keep("left", box.left)
    return box


def _lucky_place(
    roi: np.ndarray, draw: Draw, height: int, width: int, shape: np.ndarray | None, full: int
) -> Box | None:
    """One of a few uniform places that lies inside nearly wholly: enough where the ROI is large."""
    for row, column in draw.rng.random((LUCKY_TRIES, 2)).tolist():
        box = Box(int(row * (roi.shape[0] - height + 1)), int(column * (roi.shape[1] - width + 1)), height, width)
        if _overlap(roi, box, shape) >= LUCKY_SHARE * full:
            return box
    return None


def _weighed_place(roi: np.ndarray, draw: Draw, height: int, width: int, shape: np.ndarray | None, full: int) -> Box:
    """A place that covers the ROI as well as a thumbnail promises, or the exact best where it cannot tell."""
    wanted = full / 2
    corners, promise = _candidates(roi, draw, height, width)
    best, most = None, 0
    for top, left in corners:
        box = Box(top, left, height, width)
        found = _overlap(roi, box, shape)
        if found > most:
            best, most = box, found
        if most >= wanted:
            break
    if best is None or (most < wanted and promise > 0.4):
        best = _best_place(roi, draw, height, width, shape)
    return best


def _overlap(roi: np.ndarray, box: Box, shape: np.ndarray | None) -> int:
    part = roi[box.slices]
    return cv2.countNonZero(part if shape is None else cv2.bitwise_and(part, shape))


def _window_sums(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sum of `values` under a (height, width) window at every position inside."""
    total = cv2.integral(values)
    return total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]


def _candidates(roi: np.ndarray, draw: Draw, height: int, width: int) -> tuple[list[tuple[int, int]], float]:
    """Corners drawn uniformly from those where a thumbnail of the ROI promises the fullest window, and how full."""
    rows, columns = roi.shape
    step = max(1, -(-max(rows, columns) // PLACING_SIDE))
    small = np.ascontiguousarray(roi[step // 2 :: step, step // 2 :: step])
    if not small.size or not cv2.hasNonZero(small):
        return [], 0.0
    h = min(max(round(height / step), 1), small.shape[0])
    w = min(max(round(width / step), 1), small.shape[1])
    sums = _window_sums(small, h, w)
    fullest = int(sums.max())
    good = np.flatnonzero(sums >= 0.95 * fullest)
    draws = draw.rng.random((PLACING_TRIES, 3))
    picks = good[(draws[:, 0] * len(good)).astype(int)]
    # The corner moves within its cell of the thumbnail, so that every pixel of the ROI can be reached.
    tops = ((picks // sums.shape[1] + draws[:, 1]) * step).astype(int)
    lefts = ((picks % sums.shape[1] + draws[:, 2]) * step).astype(int)
    tops, lefts = np.minimum(tops, rows - height).tolist(), np.minimum(lefts, columns - width).tolist()
    return list(zip(tops, lefts, strict=True)), fullest / (255 * h * w)


def _best_place(roi: np.ndarray, draw: Draw, height: int, width: int, shape: np.ndarray | None) -> Box:
    """The exact answer for an ROI that a thumbnail cannot show: one of the fullest places, over every pixel."""
    binary = (roi > 0).astype(np.uint8)
    if shape is None:
        sums = _window_sums(binary, height, width)
    else:
        sums = cv2.matchTemplate(binary.astype(np.float32), (shape > 0).astype(np.float32), cv2.TM_CCORR).round()
    if sums.max() < 1:  # every place inside the image misses: lay a pixel of the shape on one of the ROI
        return _aligned(roi, draw, height, width, shape)
    good = np.flatnonzero(sums >= sums.max())
    top, left = divmod(int(good[int(draw.rng.random() * len(good))]), sums.shape[1])
    return Box(top, left, height, width)


def _aligned(roi: np.ndarray, draw: Draw, height: int, width: int, shape: np.ndarray | None) -> Box:
    allowed = np.argwhere(roi)
    solid = np.argwhere(np.ones((height, width), np.uint8) if shape is None else shape)
    target = allowed[int(draw.rng.random() * len(allowed))]
    pixel = solid[int(draw.rng.random() * len(solid))]
    return Box(int(target[0] - pixel[0]), int(target[1] - pixel[1]), height, width)


def fallback_square(frame: Frame, draw: Draw, roi: np.ndarray | None) -> Box:
    """Where a random mask stays empty: a square of a sixteenth of the shorter side, on the ROI where there is one."""
    side = max(1, round(frame.side * FALLBACK_FRACTION))
    if roi is None:
        top, left = draw.integer("top", 0, frame.height - side), draw.integer("left", 0, frame.width - side)
        return Box(top, left, side, side)
    allowed = np.flatnonzero(roi)
    row, column = divmod(int(allowed[int(draw.rng.random() * len(allowed))]), frame.width)
    return Box(min(row, frame.height - side), min(column, frame.width - side), side, side)
