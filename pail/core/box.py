"""A rectangle of pixels."""

from __future__ import annotations

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
        """The bounding box of a uint8 mask (H, W); of no height and width where it is empty."""
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
        """What both cover; of no height or width where that is nothing."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        height = min(self.bottom, other.bottom) - top
        return Box(top, left, max(height, 0), max(min(self.right, other.right) - left, 0))
