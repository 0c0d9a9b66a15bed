"""Evaluate masks: which part visibly changed and how much, and the connected pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from pail.core.checks import as_number, describe
from pail.core.image import NormalImage, as_normal_image
from pail.core.mask import as_mask
from pail.core.ops import as_bytes, largest_change, with_axis
from pail.types import DataRangeLike

__all__ = ["boxes", "difference", "pieces", "soft"]


def difference(
    i_n: Any, i_a: Any, m_a: Any, threshold: float = 0.02, *, data_range: DataRangeLike | None = None
) -> np.ndarray:
    """Return the part of a mask where the image visibly changed.

    Parameters
    ----------
    i_n, i_a : ndarray or PIL.Image.Image
        The normal and the pseudo-anomalous image, of the same shape and
        dtype.
    m_a : ndarray of shape (H, W, 1) or (H, W), bool or uint8 {0, 255}
        The mask of the anomaly.
    threshold : float, default 0.02
        The smallest visible change of any channel, as a fraction of the
        data range, in [0, 1].
    data_range : float, (float, float) or "auto", optional
        As for `Anomaly_Insertion`: the full-scale value if it is not that
        of the dtype, or a window of values. Values outside of a window are
        clipped to it, and "auto" uses the window of `i_n`.

    Returns
    -------
    ndarray of shape (H, W, 1) and dtype uint8
        255 where `m_a` is set and a channel differs by at least `threshold`
        and by more than 0, else 0. It can be empty.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an image or mask, or the images do not fit
        each other.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import masks
    >>> normal = np.full((4, 4), 100, np.uint8)
    >>> changed = normal.copy()
    >>> changed[0] = 101
    >>> changed[1] = 150
    >>> visible = masks.difference(normal, changed, np.ones((4, 4), bool))
    >>> int((visible > 0).sum())
    4
    """
    threshold = as_number("threshold", threshold, 0, 1)
    change, mask = _change(i_n, i_a, m_a, data_range)
    visible = (change >= np.float32(threshold)) & (change > 0)
    return cv2.bitwise_and(as_bytes(visible), mask)[..., None]


NSA_LOGISTIC = (20 / 255, 255 / 6)  # midpoint and steepness of NSA's labels, in fractions of the data range
NSA_RADIUS = 5  # pixels: radius of the disk over which NSA takes the median
FINE_LEVELS = 1020  # levels of the change in that median: a quarter of a gray level is fine enough, and more are slow


def soft(
    i_n: Any,
    i_a: Any,
    m_a: Any,
    *,
    full: float = 1.0,
    sigma: float = 1.0,
    logistic: Any = None,
    data_range: DataRangeLike | None = None,
) -> np.ndarray:
    """Return the local change of the image under a mask as a graded label.

    Parameters
    ----------
    i_n, i_a : ndarray or PIL.Image.Image
        The normal and the pseudo-anomalous image, of the same shape and
        dtype.
    m_a : ndarray of shape (H, W, 1) or (H, W), bool or uint8 {0, 255}
        The mask of the anomaly.
    full : float, default 1.0
        The change, as a fraction of the data range, at and above which the
        label is 1; in (0, 1].
    sigma : float, default 1.0
        Standard deviation in pixels of the Gaussian that averages the
        change inside the mask; 0 for none.
    logistic : (float, float) or True, optional
        Labels as in NSA instead: ``1 / (1 + exp(-steepness * (change -
        midpoint)))`` of the mean change of the channels, median filtered
        over a disk with a radius of 5 pixels. Midpoint in [0, 1] and
        steepness in (0, 1e6], in fractions of the data range; True uses the
        paper's values, ``(20 / 255, 255 / 6)``. `full` and `sigma` are
        ignored.
    data_range : float, (float, float) or "auto", optional
        As for `Anomaly_Insertion`: the full-scale value if it is not that
        of the dtype, or a window of values. Values outside of a window are
        clipped to it, and "auto" uses the window of `i_n`.

    Returns
    -------
    ndarray of shape (H, W, 1) and dtype float32
        Values in [0, 1], 0 outside `m_a`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an image or mask, or the images do not fit
        each other.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import masks
    >>> normal, changed = np.zeros((4, 4)), np.full((4, 4), 0.25)
    >>> label = masks.soft(normal, changed, np.ones((4, 4), bool), full=0.5)
    >>> round(float(label.max()), 3)
    0.5
    """
    full = as_number("full", full, 0, 1, above=True)
    sigma = as_number("sigma", sigma, 0, 1000)
    if logistic is not None and logistic is not False:
        return _logistic(i_n, i_a, m_a, logistic, data_range)
    change, mask = _change(i_n, i_a, m_a, data_range)
    weight = (mask > 0).astype(np.float32)
    change *= weight
    if sigma > 0:
        # Averaged over the pixels of the mask only, so that the label does not fade toward its border.
        share = cv2.GaussianBlur(weight, (0, 0), sigma)
        change = cv2.GaussianBlur(change, (0, 0), sigma) / np.maximum(share, 1e-6) * weight
    return np.clip(change / np.float32(full), 0, 1)[..., None]


def boxes(m_a: Any) -> np.ndarray:
    """Return the bounding box of every connected piece of a mask.

    Pixels that touch at a side or a corner belong to one piece.

    Parameters
    ----------
    m_a : ndarray of shape (H, W, 1) or (H, W), bool or uint8 {0, 255}
        The mask of the anomaly.

    Returns
    -------
    ndarray of shape (N, 4) and dtype int64
        ``x_min, y_min, x_max, y_max`` in pixels; the maxima are exclusive,
        so that ``x_max - x_min`` is the width. The boxes are sorted from
        top to bottom, and from left to right if their tops are equal.

    Raises
    ------
    TypeError, ValueError
        If the argument is not a mask, or is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import masks
    >>> m_a = np.zeros((8, 8), bool)
    >>> m_a[1:3, 2:6] = True
    >>> m_a[5, 0] = True
    >>> masks.boxes(m_a).tolist()
    [[2, 1, 6, 3], [0, 5, 1, 6]]
    """
    return _components(m_a)[1]


def pieces(m_a: Any) -> np.ndarray:
    """Return every connected piece of a mask as a separate mask.

    Pixels that touch at a side or a corner belong to one piece.

    Parameters
    ----------
    m_a : ndarray of shape (H, W, 1) or (H, W), bool or uint8 {0, 255}
        The mask of the anomaly.

    Returns
    -------
    ndarray of shape (N, H, W) and dtype uint8
        255 on the piece, else 0. The pieces are in the order of `boxes`.

    Raises
    ------
    TypeError, ValueError
        If the argument is not a mask, or is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import masks
    >>> m_a = np.eye(4, dtype=bool)
    >>> m_a[0, 3] = True
    >>> [int((piece > 0).sum()) for piece in masks.pieces(m_a)]
    [4, 1]
    """
    labels, _, order = _components(m_a)
    return np.stack([as_bytes(labels == number) for number in order])


def _components(m_a: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An array (H, W) with the number of the piece at each pixel, the boxes, and the numbers in the order of the
    boxes."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(as_mask("m_a", m_a), connectivity=8)
    left, top, width, height = stats[1:, :4].astype(np.int64).T  # without the background, number 0
    order = np.lexsort((left, top))
    return labels, np.stack([left, top, left + width, top + height], axis=1)[order], order + 1


def _logistic(i_n: Any, i_a: Any, m_a: Any, logistic: Any, data_range: DataRangeLike | None) -> np.ndarray:
    """NSA's graded labels; see `soft`."""
    from skimage.filters import rank  # slow to import
    from skimage.morphology import disk

    pair = NSA_LOGISTIC if logistic is True else logistic
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        raise TypeError(f"`logistic` must be None, True or a pair (midpoint, steepness), got {describe(logistic)}")
    midpoint = as_number("logistic[0]", pair[0], 0, 1)
    steepness = as_number("logistic[1]", pair[1], 0, 1e6, above=True)
    normal, changed, mask = _checked(i_n, i_a, m_a, data_range)
    before, after = (with_axis(normal.window.clip(image.pixels))[..., : normal.channels] for image in (normal, changed))
    mean = cv2.absdiff(np.ascontiguousarray(before), np.ascontiguousarray(after)).reshape(before.shape)
    mean = mean.mean(axis=2, dtype=np.float32) / np.float32(normal.max_value)
    levels = np.where(mask > 0, np.rint(mean * FINE_LEVELS), 0).astype(np.uint16)
    median = rank.median(levels, disk(NSA_RADIUS)).astype(np.float32) / FINE_LEVELS  # type: ignore[no-untyped-call]
    with np.errstate(over="ignore"):  # far below the midpoint it is 0
        label = 1 / (1 + np.exp(-np.float32(steepness) * (median - np.float32(midpoint))))
    return np.where(mask > 0, label, np.float32(0))[..., None]


def _change(i_n: Any, i_a: Any, m_a: Any, data_range: DataRangeLike | None) -> tuple[np.ndarray, np.ndarray]:
    """The largest change of a channel as a fraction of the data range, float32 (H, W), and the mask."""
    normal, changed, mask = _checked(i_n, i_a, m_a, data_range)
    clip = normal.window.clip
    distance = largest_change(clip(normal.pixels), clip(changed.pixels))
    return distance.astype(np.float32) / np.float32(normal.max_value), mask


def _checked(
    i_n: Any, i_a: Any, m_a: Any, data_range: DataRangeLike | None
) -> tuple[NormalImage, NormalImage, np.ndarray]:
    """Two images of the same shape and dtype and their mask, checked."""
    normal = as_normal_image(i_n, data_range, "i_n")
    changed = as_normal_image(i_a, normal.window[:2] if normal.window.clips else data_range, "i_a")
    if normal.pixels.shape != changed.pixels.shape or normal.pixels.dtype != changed.pixels.dtype:
        raise ValueError(
            f"`i_a` must have the shape and dtype of `i_n`, {normal.pixels.shape} {normal.pixels.dtype}, "
            f"got {changed.pixels.shape} {changed.pixels.dtype}"
        )
    return normal, changed, as_mask("m_a", m_a, normal.shape)
