"""Changes of pixels that stay where they are: noise, blur, sharpening, contrast and color, as albumentations has them.

An effect takes (h, w, C) pixels in the working dtype, uint8 or float32 in [0, max_value], and returns as many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.ops import with_axis

TILES = 8  # of CLAHE along a side of the image
MARGIN = 4  # pixels around the shape that dense effects may look at

Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


class Effect(NamedTuple):
    """A change of pixels, given the mask of those that count and a generator; `dense` ones look at neighbors."""

    change: Change
    dense: bool = False

    @classmethod
    def of(cls, change: Callable[[np.ndarray], np.ndarray], *, dense: bool = False) -> Effect:
        """One that needs the pixels alone."""
        return cls(lambda content, mask, rng: change(content), dense)


def noise(std: float, planes: int, max_value: float) -> Effect:
    """Normal noise of `std` levels: one value a pixel for one plane, else one a channel."""
    scale = np.float32(std)

    def change(content: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Only where the mask is: normal numbers are dear."""
        where = np.flatnonzero(mask)
        values = content.reshape(-1, content.shape[2])
        added = rng.standard_normal((len(where), planes), np.float32) * scale
        values[where] = _to_range(values[where] + added, content.dtype, max_value)
        return content

    return Effect(change)


def _to_range(values: np.ndarray, dtype: np.dtype, max_value: float) -> np.ndarray:
    clipped = np.clip(values, 0, max_value)
    return np.rint(clipped).astype(np.uint8) if dtype == np.uint8 else clipped.astype(np.float32, copy=False)


# --------------------------------------------------------------------------------------------------------------------
# Filters


def convolution(kernel: np.ndarray, max_value: float) -> Effect:
    def change(content: np.ndarray) -> np.ndarray:
        result = with_axis(cv2.filter2D(content, -1, kernel, borderType=cv2.BORDER_REFLECT_101))
        return result if content.dtype == np.uint8 else np.clip(result, 0, np.float32(max_value))

    return Effect.of(change, dense=True)


def box_blur() -> Effect:
    """The mean of 3 x 3 pixels."""
    return Effect.of(lambda content: with_axis(cv2.blur(content, (3, 3))), dense=True)


def median_blur() -> Effect:
    """The median of 3 x 3 pixels."""
    return Effect.of(_median, dense=True)


def _median(content: np.ndarray) -> np.ndarray:
    if content.shape[2] in (1, 3, 4):
        return with_axis(cv2.medianBlur(content, 3))
    planes = [cv2.medianBlur(np.ascontiguousarray(content[..., i]), 3) for i in range(content.shape[2])]
    return np.stack(planes, axis=2)


def motion_kernel(side: int, start: int, end: int) -> np.ndarray:
    """A line between two cells, numbered row by row, of a square of `side` cells."""
    kernel = np.zeros((side, side), np.uint8)
    cv2.line(kernel, divmod(start, side), divmod(end, side), 1)
    return kernel.astype(np.float32) / kernel.sum()


def sharpen_kernel(alpha: float, lightness: float) -> np.ndarray:
    return _blend([[-1, -1, -1], [-1, 8 + lightness, -1], [-1, -1, -1]], alpha)


def emboss_kernel(alpha: float, strength: float) -> np.ndarray:
    s = strength
    return _blend([[-1 - s, -s, 0], [-s, 1, s], [0, s, 1 + s]], alpha)


def _blend(kernel: list[list[float]], alpha: float) -> np.ndarray:
    """`alpha` of the kernel, the rest of the pixel itself."""
    identity = np.zeros((3, 3), np.float32)
    identity[1, 1] = 1
    return (1 - alpha) * identity + np.float32(alpha) * np.array(kernel, np.float32)


# --------------------------------------------------------------------------------------------------------------------
# Contrast and color


def linear(factor: float, offset: float, max_value: float) -> Effect:
    """`factor` times the value, and `offset` levels."""
    return Effect.of(lambda content: _linear(content, factor, offset, max_value))


def _linear(content: np.ndarray, factor: float, offset: float, max_value: float) -> np.ndarray:
    if content.dtype == np.uint8:
        table = np.rint(np.clip(np.arange(256) * factor + offset, 0, 255)).astype(np.uint8)
        return with_axis(cv2.LUT(content, table))
    return np.clip(content * np.float32(factor) + np.float32(offset), 0, np.float32(max_value))


def clahe(limit: float, shape: tuple[int, int], max_value: float) -> Effect:
    """On the lightness of RGB, else on each channel, with tiles as large as on the whole image of `shape`."""

    def change(content: np.ndarray) -> np.ndarray:
        height, width = content.shape[:2]
        tiles = max(1, round(TILES * width / shape[1])), max(1, round(TILES * height / shape[0]))
        return _equalize(content, cv2.createCLAHE(clipLimit=limit, tileGridSize=tiles), max_value)

    return Effect.of(change, dense=True)


def _equalize(content: np.ndarray, equalizer: cv2.CLAHE, max_value: float) -> np.ndarray:
    channels = content.shape[2]
    if channels == 3 and content.dtype == np.uint8:
        lab = cv2.cvtColor(content, cv2.COLOR_RGB2LAB)
        lab[..., 0] = equalizer.apply(np.ascontiguousarray(lab[..., 0]))
        return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    if channels == 3:
        lab = cv2.cvtColor(content / np.float32(max_value), cv2.COLOR_RGB2LAB)
        lab[..., 0] = _equalize_plane(lab[..., 0], equalizer, 100)
        return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * np.float32(max_value), 0, np.float32(max_value))
    return np.stack([_equalize_plane(content[..., i], equalizer, max_value) for i in range(channels)], axis=2)


def _equalize_plane(plane: np.ndarray, equalizer: cv2.CLAHE, max_value: float) -> np.ndarray:
    """CLAHE knows bytes: other values are moved as much as their byte is, and keep their finer differences."""
    if plane.dtype == np.uint8:
        return equalizer.apply(np.ascontiguousarray(plane))
    unit = np.float32(max_value / 255)
    level = np.clip(np.rint(plane / unit), 0, 255).astype(np.uint8)
    change = equalizer.apply(level).astype(np.float32) - level
    return np.clip(plane + change * unit, 0, np.float32(max_value))


def shift_hsv(hue: float, saturation: float, value: float, max_value: float) -> Effect:
    """Shifts in OpenCV's units of bytes; without three channels only the value moves."""
    return Effect.of(lambda content: _shift_hsv(content, hue, saturation, value, max_value))


def _shift_hsv(content: np.ndarray, hue: float, saturation: float, value: float, max_value: float) -> np.ndarray:
    if content.shape[2] != 3:
        return _linear(content, 1, value * max_value / 255, max_value)
    hsv = cv2.cvtColor(content, cv2.COLOR_RGB2HSV)
    if content.dtype == np.uint8:
        steps = np.arange(256)
        tables = [(steps + round(hue)) % 180, *(np.clip(steps + round(v), 0, 255) for v in (saturation, value))]
        return cv2.cvtColor(cv2.LUT(hsv, np.stack(tables, axis=1).astype(np.uint8)[None]), cv2.COLOR_HSV2RGB)
    hsv[..., 0] = (hsv[..., 0] + np.float32(2 * hue)) % 360
    hsv[..., 1] = np.clip(hsv[..., 1] + np.float32(saturation / 255), 0, 1)
    hsv[..., 2] = np.clip(hsv[..., 2] + np.float32(value * max_value / 255), 0, max_value)
    return np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), 0, np.float32(max_value))
