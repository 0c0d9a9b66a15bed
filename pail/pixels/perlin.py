"""Perlin noise over images of any size and proportions, turned by any angle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.box import Box

STRIP_PIXELS = 32_768  # noise is made in strips of about so many pixels
LARGE_SIDE = 2048  # pixels; masks of images of more pixels than a square of this side are made on fewer and enlarged
LONGEST_PART = 2  # times the shorter side: longer images are made part by part
SMALLEST_PART = 512  # pixels; a part is not made shorter
SAMPLE_SIDE = 256  # side of a square of as many pixels as the sample on which quantiles are taken
CELL_SAMPLES = 3  # along a cell at least, where there are as many pixels
COARSE_CELL = 16  # pixels; a cell keeps as many where a mask is made on fewer pixels
WASTE = 2.5  # times as large as a part of the image: such a canvas is made only where the part shows it
LEAST_CELL = 2  # pixels; the noise of a cell of one pixel is 0 everywhere
LEAST_SIDE = 8  # pixels; the shorter side of thinner images counts as so many
MOST_NODES = 512  # a side; a longer lattice repeats itself after so many cells

Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]


class Noise(NamedTuple):
    """Perlin noise over an image of `shape`, turned by `angle` degrees anticlockwise about its center.

    The lattice has no border: it covers whatever the image shows of it after turning, and starts at a random place
    of a cell. So each pixel has the same distribution, whatever the image's proportions.

    The canvas is the image before it is turned, continued as far as needed. Within a row of cells the noise on it is
    a product of a (rows, 4) and a (4, W) matrix: the weights of the rows, and the horizontally blended gradients above
    and below them. So any part of it can be had without the whole.
    """

    shape: tuple[int, int]
    pitch: tuple[float, float]  # cells a pixel, along the canvas's rows and columns
    start: tuple[float, float]  # where on the lattice the canvas's first pixel lies; cells
    gx: np.ndarray  # (n, m) float32: the gradients of the lattice's nodes, which repeat where that is too few
    gy: np.ndarray
    angle: float = 0.0

    @classmethod
    def drawn(
        cls, shape: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator, angle: float = 0.0
    ) -> Noise:
        """With `cells` (down, across) along the image's shorter side."""
        side = max(min(shape), LEAST_SIDE)
        most = max(1, side // LEAST_CELL)
        pitch = min(cells[0], most) / side, min(cells[1], most) / side
        start, count = [], []
        canvas = _canvas_around(Box(0, 0, *shape), shape, angle)
        for first, size, step, phase in zip(canvas[:2], canvas[2:], pitch, rng.random(2).tolist(), strict=True):
            low = math.floor(first * step + phase)
            start.append(phase - low)
            count.append(min(math.floor((first + size - 1) * step + phase) - low + 2, MOST_NODES))
        angles = rng.random((count[0], count[1]), np.float32) * np.float32(2 * np.pi)
        return cls(shape, pitch, (start[0], start[1]), np.cos(angles), np.sin(angles), angle)

    def rotated(self) -> np.ndarray:
        """The noise: (H, W) float32 in [-1, 1]."""
        return self._assembled(np.float32, None)

    @property
    def sample_step(self) -> int:
        """At every n-th pixel is enough of the noise to tell its quantiles, and not the same place of each cell."""
        step = math.ceil(math.sqrt(self.shape[0] * self.shape[1]) / SAMPLE_SIDE)
        return max(1, min(step, int(1 / (CELL_SAMPLES * max(self.pitch)))))

    def sample(self, step: int) -> np.ndarray:
        """The noise at every `step`-th pixel."""
        return self._thinned(step).rotated()

    def above(self, level: float) -> np.ndarray:
        """Where the noise is above a level, as a mask: uint8 {0, 255} (H, W)."""
        step = math.ceil(math.sqrt(self.shape[0] * self.shape[1]) / LARGE_SIDE)
        step = min(step, int(1 / (COARSE_CELL * max(self.pitch))))
        if step > 1:  # cells are so large that every n-th pixel gives the same outline
            small = self._thinned(step).above(level)
            smooth = cv2.resize(small, self.shape[::-1], interpolation=cv2.INTER_LINEAR)
            return cv2.threshold(smooth, 127, 255, cv2.THRESH_BINARY, smooth)[1]
        return self._assembled(np.uint8, level)

    def _thinned(self, step: int) -> Noise:
        """At every n-th pixel."""
        if step == 1:
            return self
        shape = -(-self.shape[0] // step), -(-self.shape[1] // step)
        pitch = self.pitch[0] * step, self.pitch[1] * step
        return Noise(shape, pitch, self.start, self.gx, self.gy, self.angle)

    def _assembled(self, dtype: type, level: float | None) -> np.ndarray:
        """The image, part by part: the canvas of a long one that is turned would be many times as large."""
        height, width = self.shape
        longest = min(max(LONGEST_PART * min(self.shape), SMALLEST_PART), LARGE_SIDE)
        if max(self.shape) <= longest:
            return self._part(Box(0, 0, height, width), dtype, level)
        whole: np.ndarray = np.empty(self.shape, dtype)
        for top in range(0, height, longest):
            for left in range(0, width, longest):
                part = Box(top, left, min(longest, height - top), min(longest, width - left))
                whole[part.slices] = self._part(part, dtype, level)
        return whole

    def _part(self, part: Box, dtype: type, level: float | None) -> np.ndarray:
        """What a part of the image shows: the noise, or with a level the mask above it."""
        canvas = _canvas_around(part, self.shape, self.angle)
        drawn = np.zeros(canvas[2:], dtype)
        if level is None:
            for place, values in self._strips(canvas, part):
                drawn[place] = values
        else:
            flags = drawn.view(bool)
            for place, values in self._strips(canvas, part):
                np.greater(values, level, out=flags[place])
        if self.angle != 0:  # the nearest value is one of the noise: interpolation would lower the peaks of fine noise
            matrix = np.array(_to_canvas(self.shape, self.angle))
            matrix[:, 2] += matrix[:, :2] @ (part.left, part.top) - (canvas.left, canvas.top)
            drawn = cv2.warpAffine(drawn, matrix, part[:1:-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
        return drawn if level is None else np.negative(drawn, out=drawn)

    def _strips(self, canvas: Box, part: Box) -> Iterator[tuple[slice | tuple[slice, slice], np.ndarray]]:
        """A few rows of the canvas at a time, and the noise there in a buffer that stays in the cache.

        Where the part takes up little of the canvas, only the columns that it shows.
        """
        row, fy, sy = self._lattice(0, canvas.top, canvas.height)
        column, fx, sx = self._lattice(1, canvas.left, canvas.width)
        nodes = np.arange(row[0], row[-1] + 2) % self.gx.shape[0]
        before, after = column % self.gx.shape[1], (column + 1) % self.gx.shape[1]
        gx, gy = self.gx[nodes], self.gy[nodes]
        basis = np.empty((len(nodes), 2, canvas.width), np.float32)
        basis[:, 0] = ((1 - sx) * fx) * np.take(gx, before, axis=1) + (sx * (fx - 1)) * np.take(gx, after, axis=1)
        basis[:, 1] = (1 - sx) * np.take(gy, before, axis=1) + sx * np.take(gy, after, axis=1)
        weights = np.stack([1 - sy, (1 - sy) * fy, sy, sy * (fy - 1)], axis=1) * np.float32(np.sqrt(2))
        most = min(max(1, STRIP_PIXELS // canvas.width), canvas.height)
        buffer = np.empty((most, canvas.width), np.float32)
        edges = np.searchsorted(row, np.arange(row[0], row[-1] + 2)).tolist()
        narrow = canvas.area > WASTE * part.area
        needed = _footprint(part, canvas, self.shape, self.angle) if narrow else None
        for r, (start, end) in enumerate(pairwise(edges)):
            blend = basis[r : r + 2].reshape(4, -1)
            for top in range(start, end, most):
                bottom = min(top + most, end)
                rows = slice(top, bottom)
                if needed is None:
                    yield rows, np.matmul(weights[rows], blend, out=buffer[: bottom - top])
                    continue
                columns = slice(int(needed[0, rows].min()), int(needed[1, rows].max()))
                if columns.start < columns.stop:
                    out = buffer[: bottom - top, : columns.stop - columns.start]
                    yield (rows, columns), np.matmul(weights[rows], blend[:, columns], out=out)

    def _lattice(self, axis: int, first: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cell, place in the cell and Perlin's fade 6t^5 - 15t^4 + 10t^3 of a stretch of the canvas along one axis."""
        position = np.arange(first, first + size) * self.pitch[axis] + self.start[axis]
        cell = np.floor(position)
        t = (position - cell).astype(np.float32)
        return cell.astype(np.intp), t, t * t * t * (t * (t * 6 - 15) + 10)


# --------------------------------------------------------------------------------------------------------------------
# The canvas


def _to_canvas(shape: tuple[int, int], angle: float) -> Matrix:
    """What takes (x, y, 1) of an image turned anticlockwise about its center to (x, y) of the canvas."""
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    return (cosine, -sine, x - cosine * x + sine * y), (sine, cosine, y - sine * x - cosine * y)


def _corners(part: Box, shape: tuple[int, int], angle: float) -> list[tuple[float, float]]:
    """(x, y) on the canvas of the corner pixels of a part of the image, one after the other around it."""
    (xx, xy, x0), (yx, yy, y0) = _to_canvas(shape, angle)
    left, top, right, bottom = part.left, part.top, part.right - 1, part.bottom - 1
    ends = (left, top), (right, top), (right, bottom), (left, bottom)
    return [(xx * x + xy * y + x0, yx * x + yy * y + y0) for x, y in ends]


def _canvas_around(part: Box, shape: tuple[int, int], angle: float) -> Box:
    """The part of the canvas that a part of the image shows, with a pixel to spare on each side."""
    if angle == 0:
        return part
    columns, rows = zip(*_corners(part, shape, angle), strict=True)
    left, top = math.floor(min(columns)) - 1, math.floor(min(rows)) - 1
    return Box(top, left, math.ceil(max(rows)) + 2 - top, math.ceil(max(columns)) + 2 - left)


def _footprint(part: Box, canvas: Box, shape: tuple[int, int], angle: float) -> np.ndarray:
    """First and last column (exclusive) of the canvas that the part needs in each of its rows: (2, rows)."""
    row = np.arange(canvas.height)
    low, high = np.full(canvas.height, np.inf), np.full(canvas.height, -np.inf)
    corners = [(x - canvas.left, y - canvas.top) for x, y in _corners(part, shape, angle)]
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        near = (row >= min(y0, y1) - 1) & (row <= max(y0, y1) + 1)
        for reach in (-1, 1):  # a pixel is needed by what lies less than a row above or below
            y = np.clip(row[near] + reach, min(y0, y1), max(y0, y1))
            for x in (x0, x1) if y0 == y1 else (x0 + (x1 - x0) * (y - y0) / (y1 - y0),):
                low[near], high[near] = np.minimum(low[near], x), np.maximum(high[near], x)
    seen = low <= high
    first = np.where(seen, np.floor(low) - 1, canvas.width)
    last = np.where(seen, np.ceil(high) + 2, 0)
    return np.clip([first, last], 0, canvas.width).astype(np.intp)
