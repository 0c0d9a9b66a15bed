"""Photometric changes of pixels: what color jitter and augmenters share."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as in torchvision and PIL
STRIP_BYTES = 1 << 18  # large images are changed in strips of about this size


def through_float(function: Callable[..., np.ndarray], image: np.ndarray, max_value: float) -> np.ndarray:
    """Change an 8-bit image whose full scale is not 255 as a float image, and round."""
    changed = function(image.astype(np.float32), max_value)
    result: np.ndarray = np.clip(np.rint(changed), 0, max_value).astype(np.uint8)
    return result


def on_color(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """Apply `function`, which changes each pixel independently, to the first three channels; the others are copied."""
    if image.shape[2] == 3:
        return in_strips(function, image)
    result = image.copy()
    result[..., :3] = function(np.ascontiguousarray(image[..., :3]))
    return result


def in_strips(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """Apply `function`, which changes each pixel independently, to strips whose intermediate images fit the cache."""
    step = max(1, STRIP_BYTES // image[0].nbytes)
    if len(image) <= step:
        return function(image)
    result = np.empty_like(image)
    for top in range(0, len(image), step):
        result[top : top + step] = function(image[top : top + step])
    return result


def scale_values(image: np.ndarray, gain: float, offset: float, max_value: float) -> np.ndarray:
    """gain * image + offset, rounded for 8-bit images and clipped, whatever the number of channels."""
    flat = image.reshape(image.shape[0], -1)
    changed = cv2.addWeighted(flat, gain, flat, 0, offset)
    if image.dtype != np.uint8:
        np.clip(changed, 0, max_value, out=changed)
    return changed.reshape(image.shape)
