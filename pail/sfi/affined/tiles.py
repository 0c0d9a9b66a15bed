"""Divide an image into tiles, and warp tiles by random affine maps. Tiles of equal size are processed together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.ops import Box
from pail.core.sampler import Sampler

DEGENERATE = 0.05  # twice the area of a triangle, as a share of a tile: smaller ones are drawn again
REDRAWS = 20
LONG_ROW = 256  # pixels of a row of tiles, because OpenCV is slow for narrow images
SLACK = 1e-3  # pixels: rounding errors at the far border of a tile


class Block(NamedTuple):
    """Equal tiles that fill `box`: the full ones, those cropped at the right or lower border, or the corner."""

    box: Box
    height: int
    width: int
    row: int  # position of its first tile in the tiling
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
        """One of its tiles in the image."""
        return Box(self.box.top + row * self.height, self.box.left + column * self.width, self.height, self.width)


class Tiling(NamedTuple):
    """An image divided into tiles of `side` pixels; those at the right and lower border may be smaller."""

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
        """The up to four blocks of equal tiles."""
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
        result: np.ndarray = np.diff(np.diff(total, axis=0), axis=1).ravel()
        return result


# --------------------------------------------------------------------------------------------------------------------
# Affine maps


def affine_maps(sampler: Sampler, count: int, height: int, width: int) -> np.ndarray:
    """Maps (2, 3, count) from a tile's pixels to those of its content, each through three random pairs of pixels.

    The position of a pixel's content along an axis is row * map[axis, 0] + column * map[axis, 1] + map[axis, 2].
    Degenerate triangles are drawn again; if `REDRAWS` do not suffice, as in tiny tiles, the map is a translation by at
    least one pixel, if possible.
    """

    def draw(number: int) -> np.ndarray:
        """Triangles as (number, corner, row or column)."""
        return (sampler.rng.random((number, 3, 2)) * (height, width)).astype(np.int32)

    triangles = draw(2 * count)
    useless = np.flatnonzero(_degenerate(triangles, height, width))
    for _ in range(REDRAWS):
        if not len(useless):
            break
        triangles[useless] = again = draw(len(useless))
        useless = useless[_degenerate(again, height, width)]
    points = triangles.reshape(count, 2, 3, 2)  # (tile, target or origin, corner, row or column)
    failed = np.unique(useless // 2)
    unit = np.array([[0, 0], [1, 0], [0, 1]], np.int32)
    offsets = 1 + (sampler.rng.random(len(failed)) * (height * width - 1)).astype(np.int32)
    points[failed, 0] = unit
    points[failed, 1] = unit + np.stack(np.divmod(offsets % (height * width), width), axis=1)[:, None]
    sampler.keep("triangles", points)
    return _solve(points.transpose(1, 2, 3, 0).astype(np.float32))


def _degenerate(triangles: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which of the triangles (n, corner, axis) are too small to define a useful map."""
    corners = triangles.transpose(1, 2, 0)
    one, two = corners[1] - corners[0], corners[2] - corners[0]
    result: np.ndarray = np.abs(one[0] * two[1] - one[1] * two[0]) < max(DEGENERATE * height * width, 1)
    return result


def _solve(corners: np.ndarray) -> np.ndarray:
    """The maps (2, 3, count) from the first to the second of two triangles (triangle, corner, axis, count)."""
    target, origin = corners
    one, two = target[1] - target[0], target[2] - target[0]
    first, second = origin[1] - origin[0], origin[2] - origin[0]
    area = one[0] * two[1] - one[1] * two[0]
    down = (first * two[1] - second * one[1]) / area
    across = (second * one[0] - first * two[0]) / area
    return np.stack([down, across, origin[0] - down * target[0, 0] - across * target[0, 1]], axis=1)


def warp_tiles(
    image: np.ndarray, shape: tuple[int, int], maps: np.ndarray, origins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Warp the contents of n tiles of `shape`: their pixels (n, h, w, C) and where these are valid, uint8 {0, 255}.

    `origins` (n, 2) are the upper left corners (row, column) of the contents in the image, as float32.
    """
    height, width = shape
    row, column = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    # All tiles in one call, as long rows, because OpenCV is slow for many small images and for narrow ones.
    long = width * math.gcd(len(origins) * height, max(1, LONG_ROW // width))
    positions, valid = [], None
    for axis, size in enumerate(shape):
        down, across, offset = maps[axis, ..., None, None]
        where = down * row + offset + across * column
        strip = where.reshape(-1, long)
        inside = cv2.inRange(strip, -0.5, size - 0.5 - SLACK)
        valid = inside if valid is None else cv2.bitwise_and(valid, inside)
        np.clip(where, 0, size - 1, out=where)  # avoid bleeding from neighboring tiles
        where += origins[:, axis, None, None]
        positions.append(strip)
    warped = cv2.remap(image, positions[1], positions[0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert valid is not None
    return warped.reshape(-1, *shape, image.shape[2]), valid.reshape(-1, *shape)
