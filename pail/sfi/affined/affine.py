"""Random affine maps of many equal tiles, and the tiles warped by them in one go."""

from __future__ import annotations

import math

import cv2
import numpy as np

from pail.core.sampler import Sampler

DEGENERATE = 0.05  # triangles below this share of a tile (twice their area) make no useful map
REDRAWS = 20
LONG_ROW = 256  # pixels
SLACK = 1e-3  # pixels: rounding puts the far border of a tile on either side


def affine_maps(sampler: Sampler, count: int, height: int, width: int) -> np.ndarray:
    """Maps (2, 3, count) from a tile's pixels to its content's, by three random pixels each; see `_solve`."""
    triangles = _triangles(sampler, 2 * count, height, width)
    useless = np.flatnonzero(_degenerate(triangles, height, width))
    for _ in range(REDRAWS):
        if not len(useless):
            break
        triangles[useless] = again = _triangles(sampler, len(useless), height, width)
        useless = useless[_degenerate(again, height, width)]
    points = triangles.reshape(count, 2, 3, 2)  # (tile, target or origin, corner, row or column)
    lost = np.unique(useless // 2)
    points[lost] = _shifts(sampler, len(lost), height, width)
    sampler.keep("triangles", points)
    return _solve(points.transpose(1, 2, 3, 0).astype(np.float32))


def _solve(corners: np.ndarray) -> np.ndarray:
    """(2, 3, count): maps from the first of two triangles (triangle, corner, axis, count) to the second.

    The place of a pixel's content along an axis is row * map[axis, 0] + column * map[axis, 1] + map[axis, 2].
    """
    target, origin = corners
    one, two = target[1] - target[0], target[2] - target[0]
    first, second = origin[1] - origin[0], origin[2] - origin[0]
    area = one[0] * two[1] - one[1] * two[0]
    down = (first * two[1] - second * one[1]) / area
    across = (second * one[0] - first * two[0]) / area
    return np.stack([down, across, origin[0] - down * target[0, 0] - across * target[0, 1]], axis=1)


def _triangles(sampler: Sampler, count: int, height: int, width: int) -> np.ndarray:
    """(count, corner, row or column)."""
    return (sampler.rng.random((count, 3, 2)) * (height, width)).astype(np.int32)


def _degenerate(triangles: np.ndarray, height: int, width: int) -> np.ndarray:
    corners = triangles.transpose(1, 2, 0)
    one, two = corners[1] - corners[0], corners[2] - corners[0]
    return np.abs(one[0] * two[1] - one[1] * two[0]) < max(DEGENERATE * height * width, 1)


def _shifts(sampler: Sampler, count: int, height: int, width: int) -> np.ndarray:
    """Corners of translations, by at least a pixel where there is room."""
    points = np.zeros((count, 2, 3, 2), np.int32)
    points[:, :, 1, 0] = points[:, :, 2, 1] = 1
    places = 1 + (sampler.rng.random(count) * (height * width - 1)).astype(np.int32)
    shifts = np.stack(np.divmod(places % (height * width), width), axis=1)
    points[:, 1] += shifts[:, None]
    return points


def warp_tiles(
    image: np.ndarray, shape: tuple[int, int], maps: np.ndarray, origins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Contents (n, h, w, C) of n tiles of `shape` and where they are valid, uint8 {0, 255} (n, h, w).

    `origins` (n, 2) are the upper left corners of what is warped, row before column, as float32.
    """
    height, width = shape
    row, column = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    # All tiles in one call, as long rows: OpenCV is slow at many small ones, and at narrow strips.
    long = width * math.gcd(len(origins) * height, max(1, LONG_ROW // width))
    places, valid = [], None
    for axis, size in enumerate(shape):
        down, across, offset = maps[axis, ..., None, None]
        where = down * row + offset + across * column
        strip = where.reshape(-1, long)
        inside = cv2.inRange(strip, -0.5, size - 0.5 - SLACK)
        valid = inside if valid is None else cv2.bitwise_and(valid, inside)
        np.clip(where, 0, size - 1, out=where)  # pixels of neighbors do not shine in
        where += origins[:, axis, None, None]
        places.append(strip)
    warped = cv2.remap(image, places[1], places[0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert valid is not None
    return warped.reshape(-1, *shape, image.shape[2]), valid.reshape(-1, *shape)
