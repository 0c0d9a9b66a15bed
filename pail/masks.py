"""Masks of what visibly changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import cv2
import numpy as np

from pail.core.checks import as_mask, as_number, describe
from pail.core.frame import as_frame
from pail.core.ops import as_bytes, with_axis

__all__ = ["difference", "soft"]


def difference(i_n: Any, i_a: Any, m_a: Any, threshold: float = 0.02, *, data_range: float | None = None) -> np.ndarray:
    """The part of a mask where the image visibly changed.

    Parameters
    ----------
    i_n, i_a : ndarray or PIL.Image.Image
        The normal and the pseudo-anomalous image, of one shape and dtype.
    m_a : ndarray of shape (H, W, 1) or (H, W), bool or uint8 {0, 255}
        The mask of the anomaly.
    threshold : float, default 0.02
        The smallest visible change of any channel, as a fraction of the
        data range, in [0, 1].
    data_range : float, optional
        The value of full scale where it is not the dtype's.

    Returns
    -------
    ndarray of shape (H, W, 1) and dtype uint8
        255 where `m_a` is set and a channel differs by more than
        `threshold`, else 0. It can be empty.

    Raises
    ------
    TypeError, ValueError
        If an argument is no image or mask, or the images do not fit each
        other.

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
    return cv2.bitwise_and(as_bytes(change > threshold), mask)[..., None]


NSA_LOGISTIC = (20 / 255, 255 / 6)  # midpoint and steepness of NSA's labels, in fractions of the data range
NSA_RADIUS = 5  # pixels; of the disk over which NSA takes the median
FINE_LEVELS = 1020  # levels of the change in that median: more would be slow, and quarters of a gray level are enough


def soft(
    i_n: Any,
    i_a: Any,
    m_a: Any,
    *,
    full: float = 1.0,
    sigma: float = 1.0,
    logistic: Any = None,
    data_range: float | None = None,
) -> np.ndarray:
    """The local change of the image under a mask, as a graded label.

    Parameters
    ----------
    i_n, i_a : ndarray or PIL.Image.Image
        The normal and the pseudo-anomalous image, of one shape and dtype.
    m_a : ndarray of shape (H, W, 1) or (H, W), bool or uint8 {0, 255}
        The mask of the anomaly.
    full : float, default 1.0
        The change, as a fraction of the data range, from which on the label
        is 1; in (0, 1].
    sigma : float, default 1.0
        Standard deviation in pixels of the Gaussian that averages the
        change inside the mask; 0 for none.
    logistic : (float, float) or True, optional
        Labels as in NSA instead: ``1 / (1 + exp(-steepness * (change -
        midpoint)))`` of the mean change of the channels, median filtered
        over a disk with a radius of 5 pixels. Midpoint in [0, 1] and
        steepness in (0, 1e6], in fractions of the data range; True takes
        the paper's, ``(20 / 255, 255 / 6)``. `full` and `sigma` play no
        part.
    data_range : float, optional
        The value of full scale where it is not the dtype's.

    Returns
    -------
    ndarray of shape (H, W, 1) and dtype float32
        Values in [0, 1], 0 outside `m_a`.

    Raises
    ------
    TypeError, ValueError
        If an argument is no image or mask, or the images do not fit each
        other.

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
        # Averaged over the pixels of the mask only, so that the label does not fade towards its border.
        share = cv2.GaussianBlur(weight, (0, 0), sigma)
        change = cv2.GaussianBlur(change, (0, 0), sigma) / np.maximum(share, 1e-6) * weight
    return np.clip(change / np.float32(full), 0, 1)[..., None]


def _logistic(i_n: Any, i_a: Any, m_a: Any, logistic: Any, data_range: float | None) -> np.ndarray:
    """NSA's graded labels; see `soft`."""
    from skimage.filters import rank  # takes a moment to import
    from skimage.morphology import disk

    pair = NSA_LOGISTIC if logistic is True else logistic
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        raise TypeError(f"`logistic` must be None, True or a pair (midpoint, steepness), got {describe(logistic)}")
    midpoint = as_number("logistic[0]", pair[0], 0, 1)
    steepness = as_number("logistic[1]", pair[1], 0, 1e6, above=True)
    _, mask = _change(i_n, i_a, m_a, data_range)
    normal, changed = as_frame(i_n, data_range, "i_n"), as_frame(i_a, data_range, "i_a")
    distance = with_axis(cv2.absdiff(normal.image, changed.image))[..., : normal.channels]
    mean = distance.mean(axis=2, dtype=np.float32) / np.float32(normal.peak)
    levels = np.where(mask > 0, np.rint(mean * FINE_LEVELS), 0).astype(np.uint16)
    median = rank.median(levels, disk(NSA_RADIUS)).astype(np.float32) / FINE_LEVELS
    with np.errstate(over="ignore"):  # far below the midpoint it is 0
        label = 1 / (1 + np.exp(-np.float32(steepness) * (median - np.float32(midpoint))))
    return np.where(mask > 0, label, np.float32(0))[..., None]


def _change(i_n: Any, i_a: Any, m_a: Any, data_range: float | None) -> tuple[np.ndarray, np.ndarray]:
    """The largest change of a channel as a fraction of the data range, float32 (H, W), and the mask."""
    normal, changed = as_frame(i_n, data_range, "i_n"), as_frame(i_a, data_range, "i_a")
    if normal.image.shape != changed.image.shape or normal.image.dtype != changed.image.dtype:
        raise ValueError(
            f"`i_a` must have the shape and dtype of `i_n`, {normal.image.shape} {normal.image.dtype}, "
            f"got {changed.image.shape} {changed.image.dtype}"
        )
    mask = as_mask("m_a", m_a, normal.shape)
    distance = reduce(cv2.max, cv2.split(cv2.absdiff(normal.image, changed.image)))
    return distance.astype(np.float32) / np.float32(normal.peak), mask
