"""Square tiles of large images."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from pail.core.checks import MAX_SIDE, as_number

SMALLEST = 32  # pixels of a tile's side
IDS = 1 << 12  # an upper bound of the number of tiles in a row


class Tile(NamedTuple):
    """A square part of an image."""

    row: int  # row in the grid, from 0
    column: int
    top: int  # position in the image
    left: int
    side: int

    @property
    def name(self) -> str:
        return f"r{self.row}_c{self.column}"

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)

    def cut(self, array: np.ndarray) -> np.ndarray:
        """Cut the tile out of an image or mask."""
        part: np.ndarray = array[self.slices]
        return part


def as_tiling(tile: Any, overlap: Any) -> tuple[int | None, int]:
    """The side of tiles, or None, and the number of pixels that neighboring tiles share."""
    if tile is None:
        if overlap:
            raise ValueError(f"`overlap` must not be given without `tile`, got {overlap!r}")
        return None, 0
    side = int(as_number("tile", tile, SMALLEST, MAX_SIDE, integer=True))
    return side, int(as_number("overlap", overlap, 0, side // 2, integer=True))


def tiles_of(shape: tuple[int, ...], side: int, overlap: int) -> list[Tile]:
    """The tiles of an image, row by row. All have the same size: the last ones of rows and columns are shifted inward
    and overlap more.

    Raises
    ------
    ValueError
        If the image is smaller than a tile.
    """
    if min(shape[:2]) < side:
        raise ValueError(too_small(shape, side))
    tops, lefts = (_starts(length, side, side - overlap) for length in shape[:2])
    return [Tile(row, column, top, left, side) for row, top in enumerate(tops) for column, left in enumerate(lefts)]


def too_small(shape: tuple[int, ...], side: int) -> str:
    """The reason why an image cannot be cut into tiles."""
    return f"its height and width {(shape[0], shape[1])} are smaller than `tile`={side}"


def _starts(length: int, side: int, step: int) -> list[int]:
    count = -(-(length - side) // step) + 1
    return [min(number * step, length - side) for number in range(count)]


class Tiling:
    """The tiles of several images as one sequence.

    Parameters
    ----------
    shapes : iterable of (str, (int, int))
        Label, height and width of each image.
    side, overlap : int
        As returned by `as_tiling`.

    Raises
    ------
    ValueError
        If an image is smaller than a tile; the message names it.
    """

    def __init__(self, shapes: Iterable[tuple[str, tuple[int, int]]], side: int, overlap: int) -> None:
        self.side, self.overlap = side, overlap
        self.shapes: list[tuple[int, int]] = []
        counts = []
        for label, shape in shapes:
            try:
                counts.append(len(tiles_of(shape, side, overlap)))
            except ValueError as error:
                raise ValueError(f"`tile` must fit into each image, got {label}: {error}") from None
            self.shapes.append(shape)
        self.ends = np.array(list(accumulate(counts)), np.int64)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> tuple[int, Tile]:
        """Return the number of the image, and the tile."""
        image = int(np.searchsorted(self.ends, index, side="right"))
        before = int(self.ends[image - 1]) if image else 0
        return image, tiles_of(self.shapes[image], self.side, self.overlap)[index - before]
