"""Small operations on pixels that keep the channel axis, which OpenCV drops from one-channel images."""

from __future__ import annotations

import cv2
import numpy as np


def as_bytes(mask: np.ndarray) -> np.ndarray:
    """A bool mask as uint8 {0, 255}."""
    return np.negative(mask.view(np.uint8))


def with_axis(array: np.ndarray) -> np.ndarray:
    """(h, w) as (h, w, 1): OpenCV drops the trailing axis of one-channel images."""
    return array[..., None] if array.ndim == 2 else array


def unchanged(content: np.ndarray, original: np.ndarray) -> bool:
    """Whether nothing would be seen, as where black is pasted on black; one row settles it nearly always."""
    middle = len(content) // 2
    return np.array_equal(content[middle], original[middle]) and np.array_equal(content, original)


def resize(image: np.ndarray, shape: tuple[int, int], *, nearest: bool = False) -> np.ndarray:
    """(h, w, C) at another height and width: area average when shrinking, linear when enlarging."""
    height, width = shape
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    if image.ndim == 2 or image.shape[2] <= 4:
        resized = cv2.resize(image, (width, height), interpolation=how)
        return resized if image.ndim == 2 else with_axis(resized)
    planes = [
        cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=how)
        for plane in np.moveaxis(image, 2, 0)
    ]
    return np.stack(planes, axis=2)  # OpenCV averages areas of at most four channels
