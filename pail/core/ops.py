"""A rectangle of pixels, and OpenCV operations that keep the channel axis, which OpenCV drops for one channel."""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import cv2
import numpy as np


class Box(NamedTuple):
    """A rectangle of pixels, rows before columns."""

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def around(cls, mask: np.ndarray) -> Box:
        """The bounding box of a uint8 mask (H, W). For an empty mask, height and width are 0."""
        left, top, width, height = cv2.boundingRect(mask)
        return cls(top, left, height, width)

    @property
    def bottom(self) -> int:
        """The first row below."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The first column to the right."""
        return self.left + self.width

    @property
    def area(self) -> int:
        return self.height * self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def shift(self, rows: int, columns: int) -> Box:
        return Box(self.top + rows, self.left + columns, self.height, self.width)

    def within(self, outer: Box) -> Box:
        """The same box in the coordinates of `outer`."""
        return Box(self.top - outer.top, self.left - outer.left, self.height, self.width)

    def intersect(self, other: Box) -> Box:
        """The intersection of both boxes. If they do not overlap, height or width is 0."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        height = min(self.bottom, other.bottom) - top
        return Box(top, left, max(height, 0), max(min(self.right, other.right) - left, 0))


def as_bytes(mask: np.ndarray) -> np.ndarray:
    """A bool mask as a new array of uint8 {0, 255}, for any byte that represents True."""
    result: np.ndarray = (mask.view(np.uint8) != 0).view(np.uint8)
    np.negative(result, out=result)
    return result


def read_only(array: np.ndarray) -> np.ndarray:
    """A read-only view of an array."""
    view = array.view()
    view.flags.writeable = False
    return view


def with_axis(array: np.ndarray) -> np.ndarray:
    """(h, w) as (h, w, 1): OpenCV drops the trailing axis of one-channel images."""
    return array[..., None] if array.ndim == 2 else array


def largest_change(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The largest absolute difference over the channels between two images of the same shape and dtype, (h, w)."""
    change = cv2.absdiff(one, other)
    if change.ndim == 2:
        return change
    return reduce(cv2.max, [np.ascontiguousarray(change[..., channel]) for channel in range(change.shape[2])])


def resize(image: np.ndarray, shape: tuple[int, int], *, nearest: bool = False) -> np.ndarray:
    """Resize (h, w, C) to another height and width. Each axis is averaged when shrinking and linear when enlarging.

    All values stay in the range of values of the image, which OpenCV's rounding of float32 sums does not guarantee.
    """
    if image.shape[:2] == shape:
        return image
    shrinks = [want < have for want, have in zip(shape, image.shape, strict=False)]
    grows = [want > have for want, have in zip(shape, image.shape, strict=False)]
    if any(shrinks) and any(grows) and not nearest:
        image = resize(image, (shape[0], image.shape[1]) if shrinks[0] else (image.shape[0], shape[1]))
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR if any(grows) else cv2.INTER_AREA
    if image.ndim == 2 or image.shape[2] <= 4:
        resized = cv2.resize(image, shape[::-1], interpolation=how)
        resized = resized if image.ndim == 2 else with_axis(resized)
    else:  # OpenCV averages areas of at most four channels
        planes = [cv2.resize(np.ascontiguousarray(p), shape[::-1], interpolation=how) for p in np.moveaxis(image, 2, 0)]
        resized = np.stack(planes, axis=2)
    if image.dtype.kind == "f" and not nearest:
        low, high = cv2.minMaxLoc(image.reshape(image.shape[0], -1))[:2]
        np.clip(resized, low, high, out=resized)
    return resized
