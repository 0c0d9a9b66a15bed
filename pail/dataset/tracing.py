"""The compiled tracing of outlines, in a separate module because importing numba takes time.

`cv2.findContours` assigns holes to contours in a time that grows with the square of their number, which is minutes for
a mask of fine noise. This code visits every boundary edge once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def _compile(function: F) -> F:
    compiled: Any = njit(nogil=True)(function)
    with contextlib.suppress(RuntimeError):  # no writable folder: compiled again in each process
        compiled.enable_caching()
    return cast(F, compiled)


@_compile
def trace(pieces: np.ndarray, holes: np.ndarray, count: int, *, corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """Trace one closed outline around each piece, including its holes.

    Each hole is connected to the area above it by a bridge through the piece: a line from the first pixel of the hole
    up to the next pixel outside of the piece, which is traversed in both directions. Since the pixel above the first
    one is always higher than the hole, bridges never form a cycle, and a single traversal of the boundary visits all
    holes.

    Parameters
    ----------
    pieces : int32 array (H, W)
        The number of the 8-connected piece, from 1, or 0; the outermost rows and columns are 0.
    holes : int32 array (H, W)
        The number of the 4-connected component of the pixels that are 0 in `pieces`, from 1, which is the outside.
    count : int
        Number of pieces.
    corners : bool
        Whether outlines run along the corners of pixels, which is exact for readers that interpret coordinates as
        points of the plane, or through the centers of the boundary pixels, which is exact for `cv2.fillPoly`.

    Returns
    -------
    points : int32 array (N, 2)
        x and y of the points, piece by piece; pixel (0, 0) has its corners at 0 and 1.
    ends : int64 array (count + 1,)
        Points ``ends[k - 1]`` to ``ends[k]`` are those of piece k.
    """
    bridges, first, most = _bridges(pieces, holes, count)
    points = np.empty((most, 2), np.int32)
    ends = np.zeros(count + 1, np.int64)
    # An edge is a pixel and the direction in which it is passed, with the piece on the right: along the top to the
    # right (0), along the right side down (1), along the bottom to the left (2), along the left side up (3).
    steps = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    ending = np.array([[1, 0], [1, 1], [0, 1], [0, 0]]) if corners else np.zeros((4, 2), np.int64)
    size = 0
    for piece in range(1, count + 1):
        start = size
        y, x, direction = first[piece, 0], first[piece, 1], 0
        while True:
            size = _add(points, start, size, x + ending[direction, 0], y + ending[direction, 1])
            if bridges[y, x] >= 0 and direction % 2 == 0:
                y = bridges[y, x]
                direction = 2 - direction
                size = _add(points, start, size, x + ending[direction, 0], y + ending[direction, 1])
            ahead, outside = steps[direction], steps[(direction + 3) % 4]
            if pieces[y + ahead[1] + outside[1], x + ahead[0] + outside[0]] != 0:
                y, x = y + ahead[1] + outside[1], x + ahead[0] + outside[0]
                direction = (direction + 3) % 4
            elif pieces[y + ahead[1], x + ahead[0]] != 0:
                y, x = y + ahead[1], x + ahead[0]
            else:
                direction = (direction + 1) % 4
            if y == first[piece, 0] and x == first[piece, 1] and direction == 0:
                break
        if size - start > 1 and points[start, 0] == points[size - 1, 0] and points[start, 1] == points[size - 1, 1]:
            size -= 1
        ends[piece] = size
    return points[:size], ends


@_compile
def _bridges(pieces: np.ndarray, holes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Where holes are connected to outlines, and where outlines begin.

    Returns
    -------
    bridges : int32 array (H, W)
        At both ends of a bridge, the row of its other end; elsewhere -1.
    first : int32 array (count + 1, 2)
        y and x of the first pixel of each piece.
    most : int
        An upper bound of the number of points of all outlines.
    """
    height, width = pieces.shape
    bridges = np.full((height, width), -1, np.int32)
    first = np.zeros((count + 1, 2), np.int32)
    seen = np.zeros(pieces.size + 1, np.uint8)
    most = 4 * count
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            piece = pieces[y, x]
            if piece == 0:
                hole = holes[y, x]
                if hole > 1 and seen[hole] == 0:
                    seen[hole] = 1
                    top = y - 1
                    while pieces[top - 1, x] != 0:
                        top -= 1
                    bridges[top, x] = y - 1
                    bridges[y - 1, x] = top
                    most += 4
            else:
                if first[piece, 0] == 0:
                    first[piece] = y, x
                for value in (pieces[y - 1, x], pieces[y + 1, x], pieces[y, x - 1], pieces[y, x + 1]):
                    if value == 0:
                        most += 1
    return bridges, first, most


@_compile
def _add(points: np.ndarray, start: int, size: int, x: int, y: int) -> int:
    """Add a point to an outline, replacing the last one if it is on the same straight line. Returns the new number of
    points."""
    if size > start:
        dx, dy = x - points[size - 1, 0], y - points[size - 1, 1]
        if dx == 0 and dy == 0:
            return size
        if size > start + 1:
            before_x, before_y = points[size - 1, 0] - points[size - 2, 0], points[size - 1, 1] - points[size - 2, 1]
            if dx * before_y == dy * before_x and dx * before_x + dy * before_y > 0:
                size -= 1
    points[size] = x, y
    return size + 1
