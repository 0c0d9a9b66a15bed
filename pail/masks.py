"""Shapes of anomalies, where they land, and masks of what visibly changed."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from pail.core import Box, Draw, Frame, as_bytes, as_frame, as_mask, as_number, with_axis

PLACING_SIDE = 64  # side of the thumbnail of the ROI on which places are weighed
PLACING_TRIES = 8
LUCKY_TRIES, LUCKY_SHARE = 3, 0.9


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


def draw_aspect(draw: Draw, aspect_ratio: tuple[tuple[float, float], tuple[float, float]]) -> float:
    """Width / height: a coin chooses one of the two ranges, as in CutPaste."""
    return draw.uniform("aspect", *draw.choice("aspect_range", aspect_ratio))


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


def difference(i_n: Any, i_a: Any, m_a: Any, threshold: float = 0.02, *, data_range: float | None = None) -> np.ndarray:
    """The part of a mask where the image visibly changed.

    Parameters
    ----------
    i_n, i_a : ndarray or PIL.Image.Image
        The normal and the pseudo-anomalous image, of one shape and dtype.
    m_a : ndarray of shape (H, W, 1) or (H, W), bool or uint8 {0, 255}
        The mask of the anomaly.
    threshold : float, default 0.02
        The smallest visible change of any channel, as a fraction of the data range, in [0, 1].
    data_range : float, optional
        The value of full scale where it is not the dtype's.

    Returns
    -------
    ndarray of shape (H, W, 1) and dtype uint8
        255 where `m_a` is set and a channel differs by more than `threshold`, else 0. It can be empty.

    Raises
    ------
    TypeError, ValueError
        If an argument is no image or mask, or the images do not fit each other.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import masks
    >>> normal = np.full((4, 4), 100, np.uint8)
    >>> changed = normal.copy()
    >>> changed[0] = 101
    >>> changed[1] = 150
    >>> int((masks.difference(normal, changed, np.ones((4, 4), bool)) > 0).sum())
    4
    """
    threshold = as_number("threshold", threshold, 0, 1)
    change, mask = _change(i_n, i_a, m_a, data_range)
    return cv2.bitwise_and(as_bytes(change > threshold), mask)[..., None]


def soft(
    i_n: Any, i_a: Any, m_a: Any, *, full: float = 1.0, sigma: float = 1.0, data_range: float | None = None
) -> np.ndarray:
    """The local change of the image under a mask, as a graded label.

    Parameters
    ----------
    i_n, i_a : ndarray or PIL.Image.Image
        The normal and the pseudo-anomalous image, of one shape and dtype.
    m_a : ndarray of shape (H, W, 1) or (H, W), bool or uint8 {0, 255}
        The mask of the anomaly.
    full : float, default 1.0
        The change, as a fraction of the data range, from which on the label is 1; in (0, 1].
    sigma : float, default 1.0
        Standard deviation in pixels of the Gaussian that averages the change inside the mask; 0 for none.
    data_range : float, optional
        The value of full scale where it is not the dtype's.

    Returns
    -------
    ndarray of shape (H, W, 1) and dtype float32
        Values in [0, 1], 0 outside `m_a`.

    Raises
    ------
    TypeError, ValueError
        If an argument is no image or mask, or the images do not fit each other.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import masks
    >>> label = masks.soft(np.zeros((4, 4)), np.full((4, 4), 0.25), np.ones((4, 4), bool), full=0.5)
    >>> round(float(label.max()), 3)
    0.5
    """
    full = as_number("full", full, 0, 1, above=True)
    sigma = as_number("sigma", sigma, 0, 1000)
    change, mask = _change(i_n, i_a, m_a, data_range)
    weight = (mask > 0).astype(np.float32)
    change *= weight
    if sigma > 0:
        # Averaged over the pixels of the mask only, so that the label does not fade towards its border.
        share = cv2.GaussianBlur(weight, (0, 0), sigma)
        change = cv2.GaussianBlur(change, (0, 0), sigma) / np.maximum(share, 1e-6) * weight
    return np.clip(change / np.float32(full), 0, 1)[..., None]


def _change(i_n: Any, i_a: Any, m_a: Any, data_range: float | None) -> tuple[np.ndarray, np.ndarray]:
    """The largest change of a channel as a fraction of the data range, float32 (H, W), and the mask."""
    normal, changed = as_frame(i_n, data_range, "i_n"), as_frame(i_a, data_range, "i_a")
    if normal.image.shape != changed.image.shape or normal.image.dtype != changed.image.dtype:
        raise ValueError(
            f"`i_a` must have the shape and dtype of `i_n`, {normal.image.shape} {normal.image.dtype}, "
            f"got {changed.image.shape} {changed.image.dtype}"
        )
    mask = as_mask("m_a", m_a, normal.shape)
    distance = with_axis(cv2.absdiff(normal.image, changed.image)).max(axis=2)
    return distance.astype(np.float32) / np.float32(normal.peak), mask
