"""An image cut into tiles, and which of them meet a region of interest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.box import Box


class Block(NamedTuple):
    """Equal tiles: the full ones, those cut off at the right or lower border, or the corner; `box` holds them all."""

    box: Box
    height: int
    width: int
    row: int  # of its first tile in the tiling
    column: int

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return self.box.height // self.height

    @property
    def columns(self) -> int:
        """Columns of tiles."""
        return self.box.width // self.width

    def split(self, image: np.ndarray) -> np.ndarray:
        """A view of the image as (row of tiles, height, column of tiles, width, ...)."""
        return image[self.box.slices].reshape(self.rows, self.height, self.columns, self.width, *image.shape[2:])

    def tile(self, row: int, column: int) -> Box:
        """The place of one of its tiles in the image."""
        return Box(self.box.top + row * self.height, self.box.left + column * self.width, self.height, self.width)


class Tiling(NamedTuple):
    """An image cut into tiles of `side` pixels; those at the right and lower border may be smaller."""

    image_height: int
    image_width: int
    side: int

    @property
    def rows(self) -> int:
        return -(-self.image_height // self.side)

    @property
    def columns(self) -> int:
        return -(-self.image_width // self.side)

    @property
    def size(self) -> int:
        return self.rows * self.columns

    def blocks(self) -> Iterator[Block]:
        side = self.side
        high, wide = self.image_height // side, self.image_width // side
        below, beside = self.image_height - high * side, self.image_width - wide * side
        for row, top, height, tall in ((0, 0, high * side, side), (high, high * side, below, below)):
            for column, left, width, broad in ((0, 0, wide * side, side), (wide, wide * side, beside, beside)):
                if height and width:
                    yield Block(Box(top, left, height, width), tall, broad, row, column)

    def inside(self, roi: np.ndarray) -> np.ndarray:
        """Pixels of each tile that lie in the ROI."""
        rows, columns = np.arange(self.rows) * self.side, np.arange(self.columns) * self.side
        total = cv2.integral((roi > 0).view(np.uint8))
        total = total[np.append(rows, self.image_height)][:, np.append(columns, self.image_width)]
        return np.diff(np.diff(total, axis=0), axis=1).ravel()
