"""albumentations' changes of pixel values: noise, blur, sharpening, contrast and color.

An effect takes (h, w, C) pixels in the working dtype, uint8 or float32 in [0, max_value], and returns the same number
of pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.ops import with_axis

TILES = 8  # tiles of CLAHE along a side of the image
MARGIN = 4  # pixels around the shape that dense effects may use

Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


class Effect(NamedTuple):
    """A change of pixels, given a mask of the needed pixels and a generator. `dense` effects also use neighboring
    pixels."""

    change: Change
    dense: bool = False

    @classmethod
    def of(cls, change: Callable[[np.ndarray], np.ndarray], *, dense: bool = False) -> Effect:
        """An effect that needs only the pixels."""
        return cls(lambda content, mask, rng: change(content), dense)


def noise(std: float, planes: int, max_value: float) -> Effect:
    """Normal noise of `std` levels: one value a pixel for one plane, else one a channel."""
    scale = np.float32(std)

    def change(content: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        where = np.flatnonzero(mask)  # drawing normals is expensive
        values = content.reshape(-1, content.shape[2])
        noisy = np.clip(values[where] + rng.standard_normal((len(where), planes), np.float32) * scale, 0, max_value)
        values[where] = np.rint(noisy) if content.dtype == np.uint8 else noisy
        return content

    return Effect(change)


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

    def change(content: np.ndarray) -> np.ndarray:
        if content.shape[2] in (1, 3, 4):
            return with_axis(cv2.medianBlur(content, 3))
        planes = [cv2.medianBlur(np.ascontiguousarray(content[..., i]), 3) for i in range(content.shape[2])]
        return np.stack(planes, axis=2)

    return Effect.of(change, dense=True)


def motion_kernel(side: int, start: int, end: int) -> np.ndarray:
    """A line between two cells, numbered row by row, of a square of `side` cells."""
    kernel = np.zeros((side, side), np.uint8)
    cv2.line(kernel, divmod(start, side), divmod(end, side), 1)
    result: np.ndarray = kernel.astype(np.float32) / kernel.sum()
    return result


def sharpen_kernel(alpha: float, lightness: float) -> np.ndarray:
    return _blend([[-1, -1, -1], [-1, 8 + lightness, -1], [-1, -1, -1]], alpha)


def emboss_kernel(alpha: float, strength: float) -> np.ndarray:
    s = strength
    return _blend([[-1 - s, -s, 0], [-s, 1, s], [0, s, 1 + s]], alpha)


def _blend(kernel: list[list[float]], alpha: float) -> np.ndarray:
    """`alpha` times the kernel plus 1 - alpha times the identity."""
    identity = np.zeros((3, 3), np.float32)
    identity[1, 1] = 1
    return (1 - alpha) * identity + np.float32(alpha) * np.array(kernel, np.float32)


# --------------------------------------------------------------------------------------------------------------------
# Contrast and color


def linear(factor: float, offset: float, max_value: float) -> Effect:
    """`factor` times the value plus `offset` levels."""

    def change(content: np.ndarray) -> np.ndarray:
        if content.dtype == np.uint8:
            table = np.rint(np.clip(np.arange(256) * factor + offset, 0, 255)).astype(np.uint8)
            return with_axis(cv2.LUT(content, table))
        result: np.ndarray = np.clip(content * np.float32(factor) + np.float32(offset), 0, np.float32(max_value))
        return result

    return Effect.of(change)


def clahe(limit: float, shape: tuple[int, int], max_value: float) -> Effect:
    """CLAHE of the lightness of RGB, else of each channel, with tiles as large as those of an image of `shape`."""

    def change(content: np.ndarray) -> np.ndarray:
        height, width, channels = content.shape
        tiles = max(1, round(TILES * width / shape[1])), max(1, round(TILES * height / shape[0]))
        equalizer, top = cv2.createCLAHE(clipLimit=limit, tileGridSize=tiles), np.float32(max_value)
        if channels != 3:
            planes = [_equalize_plane(content[..., i], equalizer, max_value) for i in range(channels)]
            return np.stack(planes, axis=2)
        is_byte = content.dtype == np.uint8
        lab = cv2.cvtColor(content if is_byte else content / top, cv2.COLOR_RGB2LAB)
        lab[..., 0] = _equalize_plane(lab[..., 0], equalizer, 100)
        rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
        return rgb if is_byte else np.clip(rgb * top, 0, top)

    return Effect.of(change, dense=True)


def _equalize_plane(plane: np.ndarray, equalizer: cv2.CLAHE, max_value: float) -> np.ndarray:
    """CLAHE of bytes; other values change as much as the nearest byte does, which keeps their finer differences."""
    if plane.dtype == np.uint8:
        return equalizer.apply(np.ascontiguousarray(plane))
    unit = np.float32(max_value / 255)
    level = np.clip(np.rint(plane / unit), 0, 255).astype(np.uint8)
    change = equalizer.apply(level).astype(np.float32) - level
    result: np.ndarray = np.clip(plane + change * unit, 0, np.float32(max_value))
    return result


def shift_hsv(hue: float, saturation: float, value: float, max_value: float) -> Effect:
    """Shifts of three channels, in OpenCV's units for bytes."""

    def change(content: np.ndarray) -> np.ndarray:
        hsv = cv2.cvtColor(content, cv2.COLOR_RGB2HSV)
        if content.dtype == np.uint8:
            steps = np.arange(256)
            tables = [(steps + round(hue)) % 180, *(np.clip(steps + round(v), 0, 255) for v in (saturation, value))]
            return cv2.cvtColor(cv2.LUT(hsv, np.stack(tables, axis=1).astype(np.uint8)[None]), cv2.COLOR_HSV2RGB)
        hsv[..., 0] = (hsv[..., 0] + np.float32(2 * hue)) % 360
        hsv[..., 1] = np.clip(hsv[..., 1] + np.float32(saturation / 255), 0, 1)
        hsv[..., 2] = np.clip(hsv[..., 2] + np.float32(value * max_value / 255), 0, max_value)
        return np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), 0, np.float32(max_value))

    return Effect.of(change)
