"""Perlin noise of any size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.ops import as_bytes

STRIP_PIXELS = 32_768  # noise is made in strips of about so many pixels
LARGE_SIDE = 2048  # pixels; masks of larger images are made on fewer and enlarged
SAMPLE_SIDE = 128  # side of the sample of a noise image on which quantiles are taken
FINE_CELL = 8  # pixels; the noise itself is turned where a lattice cell has fewer


def perlin(shape: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Gradient noise of `cells` (rows, columns) lattice cells over any `shape`: (H, W) float32 in [-1, 1]."""
    return Noise.drawn(shape, cells, rng).values()


def _lattice(size: int, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell, place in the cell and Perlin's fade 6t^5 - 15t^4 + 10t^3 of each pixel along one axis."""
    position = np.arange(size) * (cells / size)
    cell = np.minimum(position.astype(np.intp), cells - 1)
    t = (position - cell).astype(np.float32)
    return cell, t, t * t * t * (t * (t * 6 - 15) + 10)


def rotation_about_centre(shape: tuple[int, int], angle: float) -> np.ndarray:
    """The 2 x 3 matrix of cv2.warpAffine that turns an image by `angle` degrees anticlockwise."""
    return cv2.getRotationMatrix2D(((shape[1] - 1) / 2, (shape[0] - 1) / 2), angle, 1)


class Noise(NamedTuple):
    """Perlin noise over a lattice, before it is turned by `angle` degrees.

    Within a row of cells it is a product of a (rows, 4) and a (4, W) matrix: the weights of the rows, and the
    horizontally blended gradients above and below them. So any part of it can be had without the whole.
    """

    row: np.ndarray  # (H,): the row of cells of each row of pixels
    weights: np.ndarray  # (H, 4) float32
    basis: np.ndarray  # (rows of cells + 1, 2, W) float32
    angle: float = 0.0
    fine: bool = False  # whether a cell has only a few pixels

    @classmethod
    def drawn(
        cls, shape: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator, angle: float = 0.0
    ) -> Noise:
        angles = rng.random((cells[0] + 1, cells[1] + 1)) * (2 * np.pi)
        column, fx, sx = _lattice(shape[1], cells[1])
        row, fy, sy = _lattice(shape[0], cells[0])
        gx, gy = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        basis = np.empty((cells[0] + 1, 2, shape[1]), np.float32)
        basis[:, 0] = (1 - sx) * fx * gx[:, column] + sx * (fx - 1) * gx[:, column + 1]
        basis[:, 1] = (1 - sx) * gy[:, column] + sx * gy[:, column + 1]
        weights = np.stack([1 - sy, (1 - sy) * fy, sy, sy * (fy - 1)], axis=1) * np.float32(np.sqrt(2))
        fine = any(size < FINE_CELL * count for size, count in zip(shape, cells, strict=True))
        return cls(row, weights, basis, angle, fine)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.row), self.basis.shape[2]

    def _strips(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Slices of a few rows with their values, in one buffer that stays in the cache."""
        height, width = self.shape
        most = max(1, STRIP_PIXELS // width)
        buffer = np.empty((min(most, height), width), np.float32)
        edges = np.searchsorted(self.row, np.arange(len(self.basis))).tolist()
        for r, (start, end) in enumerate(pairwise(edges)):
            blend = self.basis[r : r + 2].reshape(4, -1)
            for top in range(start, end, most):
                rows = slice(top, min(top + most, end))
                yield rows, np.matmul(self.weights[rows], blend, out=buffer[: rows.stop - top])

    def values(self) -> np.ndarray:
        """The noise, not turned: (H, W) float32 in [-1, 1]."""
        noise = np.empty(self.shape, np.float32)
        for rows, values in self._strips():
            noise[rows] = values
        return noise

    def turned(self) -> np.ndarray:
        return _turned(self.values(), self.angle, cv2.INTER_LINEAR)

    def sample(self) -> np.ndarray:
        """The turned noise at every n-th pixel."""
        step = sample_step(self.shape)
        return self._thinned(step).turned()

    def _thinned(self, step: int) -> Noise:
        basis = np.ascontiguousarray(self.basis[..., ::step])
        return self._replace(row=self.row[::step], weights=self.weights[::step], basis=basis)

    def above(self, level: float) -> np.ndarray:
        """The turned noise above a level as a mask.

        The mask is turned, not the noise: nearest neighbour on bytes is a third of the cost. Fine noise is turned
        itself, since its interpolation lowers the peaks as it does in the paper's code.
        """
        if self.fine:
            return as_bytes(self.turned() > level)
        if max(self.shape) > LARGE_SIDE:  # cells are so large then that every n-th pixel gives the same outline
            small = self._thinned(-(-max(self.shape) // LARGE_SIDE)).above(level)
            smooth = cv2.resize(small, self.shape[::-1], interpolation=cv2.INTER_LINEAR)
            return cv2.threshold(smooth, 127, 255, cv2.THRESH_BINARY, smooth)[1]
        mask = np.empty(self.shape, np.uint8)
        for rows, values in self._strips():
            np.greater(values, level, out=mask[rows].view(bool))
            np.negative(mask[rows], out=mask[rows])
        return _turned(mask, self.angle, cv2.INTER_NEAREST)


def _turned(image: np.ndarray, angle: float, how: int) -> np.ndarray:
    """Turned about its centre on the same canvas, filled with 0."""
    if angle == 0:
        return image
    return cv2.warpAffine(image, rotation_about_centre(image.shape[:2], angle), image.shape[1::-1], flags=how)


def sample_step(shape: tuple[int, ...]) -> int:
    return -(-max(shape) // SAMPLE_SIDE)
