"""Perlin and simplex noise, and the masks that Perlin noise makes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.core import FALLBACK_FRACTION, Box, Draw, Frame, as_bytes, as_number, as_range, resize

MASK_TRIES = 10
STRIP_PIXELS = 32_768  # noise is made in strips of about so many pixels
LARGE_SIDE = 2048  # pixels; masks of larger images are made on fewer and enlarged
SAMPLE_SIDE = 128  # side of the sample of a noise image on which quantiles are taken
COARSE_WAVELENGTH, COARSE_STEP = 32, 4  # longer waves of simplex noise are evaluated at every fourth pixel
FINE_CELL = 8  # pixels; the noise itself is turned where a lattice cell has fewer
SEVERITY_COVERAGE = (0.005, 0.1)  # share of the area at severity 0 and 1; the paper's 95 % quantile is 0.095
MAX_RANDOM_COVERAGE = 0.5  # a threshold drawn at random may cover nearly everything


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
        step = _step(self.shape)
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


def as_threshold(name: str, value: Any) -> float | str:
    if isinstance(value, str):
        if value != "random":
            raise ValueError(f"`{name}` must be a number in [-1, 1] or 'random', got {value!r}")
        return value
    return as_number(name, value, -1, 1)


def as_scales(min_perlin_scale: Any, perlin_scale: Any) -> tuple[int, int]:
    """Exponents of the coarsest and the finest lattice; `perlin_scale` is exclusive, as in DRAEM."""
    low = int(as_number("min_perlin_scale", min_perlin_scale, 0, 14, integer=True))
    high = int(as_number("perlin_scale", perlin_scale, 1, 15, integer=True)) - 1
    if low > high:
        raise ValueError(f"`min_perlin_scale` must be below `perlin_scale` {perlin_scale!r}, got {min_perlin_scale!r}")
    return low, high


def perlin_mask(
    frame: Frame,
    draw: Draw,
    *,
    threshold: Any = 0.5,
    min_perlin_scale: Any = 0,
    perlin_scale: Any = 6,
    rotation: Any = None,
    roi: np.ndarray | None = None,
    shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """Perlin noise above a threshold as a mask: uint8 {0, 255} (H, W), with a pixel inside `roi` (None: anywhere).

    It is made at `shape`, the image's own by default, and has the image's size. The noise is redrawn, lattice
    included, while nothing of the mask is inside. A severity sets the share of the area that is covered. Where the
    image has an ROI that holds less than half of what was drawn, the threshold falls inside it until it does.
    """
    threshold = as_threshold("threshold", threshold)
    scales = as_scales(min_perlin_scale, perlin_scale)
    angles = None if rotation is None else as_range("rotation", rotation, -360, 360)
    shape = frame.shape if shape is None else shape
    region = None if roi is None else resize(roi, shape, nearest=True)
    for _ in range(MASK_TRIES):
        noise = draw_noise(draw, shape, scales, angles)
        level = _level(noise, draw, threshold)
        if frame.roi is not None and region is not None:
            level = _level_in_roi(noise, level, region)
        mask = noise.above(level)
        if threshold == "random" and cv2.countNonZero(mask) > MAX_RANDOM_COVERAGE * mask.size:
            continue
        mask = resize(mask, frame.shape, nearest=True)
        inside = mask if roi is None else cv2.bitwise_and(mask, roi)
        if cv2.hasNonZero(inside):
            return inside
    return _last_resort(frame, draw, noise, region, roi)


def draw_noise(
    draw: Draw, shape: tuple[int, int], scales: tuple[int, int], angles: tuple[float, float] | None
) -> Noise:
    cells = tuple(min(2 ** draw.integer("perlin_scale", *scales), size) for size in shape)
    angle = 0.0 if angles is None else draw.uniform("angle", *angles)
    return Noise.drawn(shape, (cells[0], cells[1]), draw.rng, angle)


def _level(noise: Noise, draw: Draw, threshold: float | str) -> float:
    if draw.severity is not None:
        low, high = SEVERITY_COVERAGE
        share = draw.keep("coverage", low + (high - low) * draw.severity)
        return _level_of_share(noise.sample().ravel(), share)
    if isinstance(threshold, str):
        values = noise.values()
        return draw.uniform("threshold", float(values.min()), float(values.max()))
    return threshold


def _step(shape: tuple[int, ...]) -> int:
    return -(-max(shape) // SAMPLE_SIDE)


def _level_of_share(values: np.ndarray, share: float) -> float:
    """The level that this share of the values exceeds, at least one of them."""
    place = max(len(values) - max(1, math.ceil(share * len(values))), 0)
    return float(np.nextafter(np.partition(values, place)[place], np.float32(-2)))


def _level_in_roi(noise: Noise, level: float, roi: np.ndarray) -> float:
    """`level`, or the lower one at which the ROI holds half of the area that exceeds `level` anywhere.

    Judged on a sample of the noise; the tenth on top makes up for what a sample misses.
    """
    step = _step(roi.shape)
    sample = noise.sample()
    values = sample[roi[::step, ::step] > 0]
    wanted = 1.1 * np.count_nonzero(sample > level) / 2
    if len(values) == 0 or np.count_nonzero(values > level) >= wanted:
        return level
    return _level_of_share(values, min(1.0, wanted / len(values)))


def _last_resort(
    frame: Frame, draw: Draw, noise: Noise, region: np.ndarray | None, roi: np.ndarray | None
) -> np.ndarray:
    """The highest twentieth of the noise inside the ROI, or a square where even that misses."""
    turned = noise.turned()
    values = turned.ravel() if region is None else turned[region > 0]
    if len(values):
        mask = resize(as_bytes(turned > _level_of_share(values, 0.05)), frame.shape, nearest=True)
        mask = mask if roi is None else cv2.bitwise_and(mask, roi)
        if cv2.hasNonZero(mask):
            return mask
    mask = np.zeros(frame.shape, np.uint8)
    mask[fallback_square(frame, draw, roi).slices] = 255
    return mask if roi is None else cv2.bitwise_and(mask, roi)


def fallback_square(frame: Frame, draw: Draw, roi: np.ndarray | None) -> Box:
    """Where a random mask stays empty: a square of a sixteenth of the shorter side, on the ROI where there is one."""
    side = max(1, round(frame.side * FALLBACK_FRACTION))
    if roi is None:
        top, left = draw.integer("top", 0, frame.height - side), draw.integer("left", 0, frame.width - side)
        return Box(top, left, side, side)
    allowed = np.flatnonzero(roi)
    row, column = divmod(int(allowed[int(draw.rng.random() * len(allowed))]), frame.width)
    return Box(min(row, frame.height - side), min(column, frame.width - side), side, side)


def simplex(
    shape: tuple[int, int, int],
    wavelength: float,
    octaves: int,
    persistence: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Octaves of OpenSimplex noise, (H, W, C) float32: octave k has a wavelength of `wavelength` / 2^k pixels and
    the amplitude `persistence`^k; the channels are neighbouring planes of the third axis.
    """
    from pail import _simplex  # numba is imported and compiles at the first use

    tables = _simplex.permutation(rng)
    smooth = 0  # octaves of long waves
    while smooth < octaves and wavelength / 2**smooth >= COARSE_WAVELENGTH:
        smooth += 1
    noise = np.zeros(shape, np.float32)
    if smooth:
        size = (-(-shape[0] // COARSE_STEP) + 3, -(-shape[1] // COARSE_STEP) + 3, shape[2])
        coarse = np.zeros(size, np.float32)
        _simplex.octaves(coarse, 1 / wavelength, smooth, persistence, -COARSE_STEP, COARSE_STEP, *tables)
        noise = _enlarged(coarse, shape)
    fine = np.zeros(shape, np.float32)
    _simplex.octaves(fine, 2**smooth / wavelength, octaves - smooth, persistence, 0, 1, *tables)
    return noise + np.float32(persistence**smooth) * fine


def _enlarged(coarse: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Values at every COARSE_STEP-th pixel, from one step before the first on, at every pixel."""
    matrix = np.array([[1 / COARSE_STEP, 0, 1], [0, 1 / COARSE_STEP, 1]])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    planes = [cv2.warpAffine(coarse[..., c], matrix, shape[1::-1], flags=how) for c in range(shape[2])]
    return np.stack(planes, axis=2)
