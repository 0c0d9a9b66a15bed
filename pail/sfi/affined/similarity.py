"""Structural similarity (SSIM) of many small tiles at once.

Reference: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
IEEE Transactions on Image Processing, 2004. As in scikit-image the window is uniform; here it is cropped at the border
of a tile and to the valid pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

WINDOW = 7  # pixels per side
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # stabilize the quotient


def similarities(one: np.ndarray, other: np.ndarray, valid: np.ndarray, max_value: float) -> np.ndarray:
    """Mean SSIM (n,) of the gray values of two batches of tiles (n, h, w, C), of their valid pixels only."""
    count, height, width = valid.shape
    planes = np.empty((6, height, count, width), np.float32)  # x, y, xx, yy, xy and valid
    solid = planes[5]
    np.multiply(valid.transpose(1, 0, 2), np.float32(1 / 255), out=solid)
    for target, tiles in zip(planes, (one, other), strict=False):
        np.multiply(_gray(tiles, max_value).transpose(1, 0, 2), solid, out=target)
    for index, first, second in ((2, 0, 0), (3, 1, 1), (4, 0, 1)):
        np.multiply(planes[first], planes[second], out=planes[index])
    similarity = _ssim(_window_means(planes))
    similarity *= solid
    ones = np.ones(width, np.float32)  # products are faster than sums along short axes
    result: np.ndarray = (similarity.sum(axis=0) @ ones) / np.maximum(solid.sum(axis=0) @ ones, 1)
    return result


def _window_means(planes: np.ndarray) -> np.ndarray:
    """Window means of all planes but the last, which holds the weight of the pixels."""
    height, width = planes.shape[1], planes.shape[3]
    sums = np.matmul(_band(height), planes.reshape(len(planes), height, -1))  # two small products
    sums = (sums.reshape(-1, width) @ _band(width)).reshape(planes.shape)
    share = 1 / np.maximum(sums[-1], 1)
    sums[:-1] *= share
    result: np.ndarray = sums[:-1]
    return result


def _band(size: int) -> np.ndarray:
    """The band matrix whose product with values along an axis is their sums over windows."""
    index = np.arange(size)
    result: np.ndarray = (np.abs(index[:, None] - index) <= WINDOW // 2).astype(np.float32)
    return result


def _ssim(means: np.ndarray) -> np.ndarray:
    """SSIM from the window means of x, y, xx, yy and xy, computed in place: allocating memory dominates the time."""
    x, y, variance, yy, covariance = means
    product = x * y
    squares = np.add(np.multiply(x, x, out=x), np.multiply(y, y, out=y), out=x)
    covariance -= product
    variance += yy
    variance -= squares
    product *= 2
    product += C1
    covariance *= 2
    covariance += C2
    squares += C1
    variance += C2
    product *= covariance
    squares *= variance
    product /= squares
    result: np.ndarray = product
    return result


def _gray(tiles: np.ndarray, max_value: float) -> np.ndarray:
    """Tiles (n, h, w, C) as (n, h, w) in [0, 255]."""
    count, height, width, channels = tiles.shape
    if channels == 3:
        gray = cv2.cvtColor(tiles.reshape(-1, width, 3), cv2.COLOR_RGB2GRAY).reshape(count, height, width)
    else:
        gray = tiles.astype(np.float32, copy=False) @ np.full(channels, 1 / channels, np.float32)
    return gray if max_value == 255 else gray * np.float32(255 / max_value)
