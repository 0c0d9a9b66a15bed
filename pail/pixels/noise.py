"""Perlin noise over images of any size and proportions, and the masks that DRAEM makes from it.

Noise on a lattice of 2^a x 2^b cells, a and b independent, is rotated and thresholded. DRAEM's code needs images whose
sides are multiples of the number of cells; here the noise is evaluated for any shape, and cells are measured on the
shorter side. Three choices differ from the paper's code:

- The lattice covers the whole rotated canvas, so rotation leaves no empty corners, and it starts at a random place of a
  cell.
- The mask is rotated with nearest-neighbor interpolation, instead of the noise.
- An empty mask (1 in 20 of the paper's) is drawn again, lattice included.

References: Perlin, "Improving noise", SIGGRAPH 2002; Zavrtanik, Kristan, Skocaj, "DRAEM", ICCV 2021,
https://arxiv.org/abs/2108.07610.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, NamedTuple

import cv2
import numpy as np

from pail.core.image import NormalImage
from pail.core.ops import Box, as_bytes, resize
from pail.core.parameters import Number, Pair
from pail.core.sampler import Sampler
from pail.pixels.placing import fallback_box

MASK_TRIES = 10
LAST_SHARE = 0.05  # of the area: covered by the highest noise after ten empty masks in a row
LEAST_SAMPLE = 10_000  # number of values, half a percent of which are enough to estimate a level
MAX_RANDOM_COVERAGE = 0.5  # a threshold drawn at random may cover nearly everything
STRIP_PIXELS = 32_768  # noise is computed in strips of about this many pixels
LARGE_SIDE = 2048  # pixels; masks of larger images are computed at a smaller size and enlarged
LONGEST_TILE = 2  # times the shorter side: longer images are computed tile by tile
SMALLEST_TILE = 512  # pixels; a tile is not made shorter
SAMPLE_SIDE = 256  # side of a square of as many pixels as the sample for quantiles
CELL_SAMPLES = 3  # samples along a cell at least, if it has that many pixels
COARSE_CELL = 16  # pixels: smallest cell if a mask is computed at a smaller size
WASTE = 2.5  # ratio of canvas to tile above which only the needed columns are computed
LEAST_CELL = 2  # pixels; the noise of a cell of one pixel is 0 everywhere
LEAST_SIDE = 8  # pixels; the shorter side of thinner images counts as this many
MOST_NODES = 512  # per side; a longer lattice repeats itself after this many cells

Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]


# --------------------------------------------------------------------------------------------------------------------
# Masks


# The keywords of the methods that make such a mask.
Threshold = Annotated[float | str, Number(-1, 1, unit="noise level", instead=("random",))]
CoarsestScale = Annotated[int, Number(0, 14, integer=True, unit="exponent of 2")]
FinestScale = Annotated[int, Number(1, 15, integer=True, unit="exponent of 2, exclusive")]
Rotation = Annotated[tuple[float, float], Pair(-360, 360, unit="degrees")]


class PerlinOptions(NamedTuple):
    """The noise and its threshold."""

    threshold: float | str = 0.5
    scales: tuple[int, int] = (0, 5)  # exponents of the coarsest and the finest lattice
    rotation: tuple[float, float] | None = None

    @classmethod
    def check(
        cls, threshold: float | str, min_perlin_scale: int, perlin_scale: int, rotation: tuple[float, float]
    ) -> PerlinOptions:
        """From the methods' keywords; `perlin_scale` is exclusive, as in DRAEM."""
        if min_perlin_scale >= perlin_scale:
            raise ValueError(
                f"`min_perlin_scale` must be below `perlin_scale` {perlin_scale!r}, got {min_perlin_scale!r}"
            )
        return cls(threshold, (min_perlin_scale, perlin_scale - 1), rotation)


PLAIN = PerlinOptions()


def perlin_mask(
    image: NormalImage,
    sampler: Sampler,
    options: PerlinOptions = PLAIN,
    *,
    roi: np.ndarray | None = None,
    shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """Perlin noise above a threshold as a mask: uint8 {0, 255} (H, W), with a pixel inside `roi` (None: anywhere).

    It is computed at `shape`, by default that of the image, and has the size of the image. Noise and lattice are
    redrawn while the mask has no pixel inside. A severity sets the share of the area that is covered. If the image has
    a region of interest, the noise spans the bounding box of `roi`, and the area is that of `roi`.
    """
    box = image.whole if roi is None or image.roi is None else Box.around(roi)
    inside = roi if roi is None else roi[box.slices]
    mask = _mask_on_box(image, sampler, options, inside, box[2:], box[2:] if shape is None else shape)
    if box != image.whole:
        mask = cv2.copyMakeBorder(
            mask, box.top, image.height - box.bottom, box.left, image.width - box.right, cv2.BORDER_CONSTANT, value=0
        )
    if not cv2.hasNonZero(mask):
        mask[fallback_box(image, sampler, roi).slices] = 255
        mask = mask if roi is None else cv2.bitwise_and(mask, roi)
    return mask


def noise_mask(image: NormalImage, sampler: Sampler, shape: tuple[int, int]) -> np.ndarray:
    """Perlin noise of DRAEM's lattices above its threshold as a mask of any shape; may be empty."""
    return _mask_on_box(image, sampler, PLAIN, None, shape, shape)


def _mask_on_box(
    image: NormalImage,
    sampler: Sampler,
    options: PerlinOptions,
    inside: np.ndarray | None,
    size: tuple[int, int],
    shape: tuple[int, int],
) -> np.ndarray:
    """The mask at `size` inside `inside`, from noise at `shape`; all 0 if `inside` has no pixel at `shape`."""
    region = None if inside is None else resize(inside, shape, nearest=True)
    counted = None if image.roi is None else region
    for _ in range(MASK_TRIES):
        noise = draw_noise(sampler, shape, options.scales, options.rotation)
        mask = noise.above(_level(noise, sampler, options.threshold, counted))
        if options.threshold == "random" and cv2.countNonZero(mask) > MAX_RANDOM_COVERAGE * mask.size:
            continue
        mask = resize(mask, size, nearest=True)
        mask = mask if inside is None else cv2.bitwise_and(mask, inside)
        if cv2.hasNonZero(mask):
            return mask
    values = noise.values()
    allowed = values.ravel() if region is None else values[region > 0]
    if len(allowed) == 0:
        return np.zeros(size, np.uint8)
    mask = resize(as_bytes(values > _level_of_share(allowed, LAST_SHARE)), size, nearest=True)
    return mask if inside is None else cv2.bitwise_and(mask, inside)


def draw_noise(
    sampler: Sampler, shape: tuple[int, int], scales: tuple[int, int], angles: tuple[float, float] | None
) -> Noise:
    """Noise on a lattice of two random powers of two, rotated by a random angle."""
    cells = 2 ** sampler.integer("perlin_scale", *scales), 2 ** sampler.integer("perlin_scale", *scales)
    angle = 0.0 if angles is None else sampler.uniform("angle", *angles)
    return Noise.drawn(shape, cells, sampler.rng, angle)


def _level(noise: Noise, sampler: Sampler, threshold: float | str, region: np.ndarray | None) -> float:
    """The noise level above which a pixel is in the mask; with a severity, the level that covers the corresponding
    share of the region."""
    if sampler.severity is None:
        if isinstance(threshold, str):
            values = noise.values()
            return sampler.uniform("threshold", float(values.min()), float(values.max()))
        return threshold
    share = sampler.keep("coverage", sampler.at_severity("coverage"))
    step = noise.sample_step
    if region is None:
        return _level_of_share(noise.values(step).ravel(), share)
    count = cv2.countNonZero(region) / step**2
    if count < LEAST_SAMPLE:  # a small region needs a denser sample
        step = max(1, int(step * math.sqrt(count / LEAST_SAMPLE)))
    sample = noise.values(step)
    inside = sample[region[::step, ::step] > 0]
    return _level_of_share(inside if len(inside) else sample.ravel(), share)


def _level_of_share(values: np.ndarray, share: float) -> float:
    """The level that this share of the values exceeds, at least one of them."""
    place = max(len(values) - max(1, round(share * len(values))), 0)
    return float(np.nextafter(np.partition(values, place)[place], np.float32(-2)))


# --------------------------------------------------------------------------------------------------------------------
# Noise


class Noise(NamedTuple):
    """Perlin noise over an image of `shape`, rotated by `angle` degrees counterclockwise about its center.

    The lattice has no border: it covers the whole rotated image, and starts at a random position in a cell. Each pixel
    therefore has the same distribution for any proportions of the image.

    The canvas is the image before the rotation, extended as far as needed. At a pixel in a cell, with u and v from 0
    to 1 across and down, and the fade s(t) = 6t^5 - 15t^4 + 10t^3, the noise is sqrt(2) times the blend, by s(u) and
    s(v), of the products of the four corners' unit gradients with the vectors from these corners. Within a row of
    cells that is a product of a (rows, 4) and a (4, W) matrix: the weights of the rows, and the horizontally blended
    gradients above and below them. So any part of the canvas can be computed without the rest.
    """

    shape: tuple[int, int]
    pitch: tuple[float, float]  # cells a pixel, along the canvas's rows and columns
    start: tuple[float, float]  # position of the first pixel of the canvas on the lattice, in cells
    gx: np.ndarray  # (n, m) float32: the gradients of the nodes of the lattice, repeated if necessary
    gy: np.ndarray
    angle: float = 0.0

    @classmethod
    def drawn(
        cls, shape: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator, angle: float = 0.0
    ) -> Noise:
        """Noise with random gradients and `cells` (down, across) along the image's shorter side."""
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

    def values(self, step: int = 1) -> np.ndarray:
        """The noise at every `step`-th pixel: float32 in [-1, 1]."""
        return self._thinned(step)._assembled(np.float32, None)

    @property
    def sample_step(self) -> int:
        """A step at which `values` are enough for quantiles, and several in each cell."""
        step = math.ceil(math.sqrt(self.shape[0] * self.shape[1]) / SAMPLE_SIDE)
        return max(1, min(step, int(1 / (CELL_SAMPLES * max(self.pitch)))))

    def above(self, level: float) -> np.ndarray:
        """Where the noise is above a level, as a mask: uint8 {0, 255} (H, W)."""
        step = math.ceil(math.sqrt(self.shape[0] * self.shape[1]) / LARGE_SIDE)
        step = min(step, int(1 / (COARSE_CELL * max(self.pitch))))
        if step > 1:  # cells are so large that every `step`-th pixel gives the same outline
            small = self._thinned(step).above(level)
            smooth = cv2.resize(small, self.shape[::-1], interpolation=cv2.INTER_LINEAR)
            return cv2.threshold(smooth, 127, 255, cv2.THRESH_BINARY, smooth)[1]
        return self._assembled(np.uint8, level)

    def _thinned(self, step: int) -> Noise:
        """The noise of an image of every `step`-th pixel."""
        if step == 1:
            return self
        shape = -(-self.shape[0] // step), -(-self.shape[1] // step)
        pitch = self.pitch[0] * step, self.pitch[1] * step
        return Noise(shape, pitch, self.start, self.gx, self.gy, self.angle)

    def _assembled(self, dtype: type, level: float | None) -> np.ndarray:
        """The noise, or the mask above a level, tile by tile: the canvas of a long rotated image would be huge."""
        height, width = self.shape
        longest = min(max(LONGEST_TILE * min(self.shape), SMALLEST_TILE), LARGE_SIDE)
        if max(self.shape) <= longest:
            return self._tile(Box(0, 0, height, width), dtype, level)
        whole: np.ndarray = np.empty(self.shape, dtype)
        for top in range(0, height, longest):
            for left in range(0, width, longest):
                tile = Box(top, left, min(longest, height - top), min(longest, width - left))
                whole[tile.slices] = self._tile(tile, dtype, level)
        return whole

    def _tile(self, tile: Box, dtype: type, level: float | None) -> np.ndarray:
        """The noise of a tile of the image, or the mask above a level."""
        canvas = _canvas_around(tile, self.shape, self.angle)
        drawn = np.zeros(canvas[2:], dtype)
        if level is None:
            for place, values in self._strips(canvas, tile):
                drawn[place] = values
        else:
            flags = drawn.view(bool)
            for place, values in self._strips(canvas, tile):
                np.greater(values, level, out=flags[place])
        if self.angle != 0:  # nearest neighbor, because interpolation would reduce the maxima of fine noise
            matrix = np.array(_to_canvas(self.shape, self.angle))
            matrix[:, 2] += matrix[:, :2] @ (tile.left, tile.top) - (canvas.left, canvas.top)
            drawn = cv2.warpAffine(drawn, matrix, tile[:1:-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
        return drawn if level is None else np.negative(drawn, out=drawn)

    def _strips(self, canvas: Box, tile: Box) -> Iterator[tuple[slice | tuple[slice, slice], np.ndarray]]:
        """A few rows of the canvas at a time, and the noise there in a buffer that fits the cache.

        If the canvas is much larger than its tile, only the columns that the tile needs are computed.
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
        strips = [
            (r, top, min(top + most, end))
            for r, (start, end) in enumerate(pairwise(edges))
            for top in range(start, end, most)
        ]
        if canvas.area <= WASTE * tile.area:
            for r, top, bottom in strips:
                rows = slice(top, bottom)
                yield rows, np.matmul(weights[rows], basis[r : r + 2].reshape(4, -1), out=buffer[: bottom - top])
            return
        needed, tops = _footprint(tile, canvas, self.shape, self.angle), [top for _, top, _ in strips]
        firsts = np.minimum.reduceat(needed[0], tops).tolist()
        lasts = np.maximum.reduceat(needed[1], tops).tolist()
        for (r, top, bottom), first, last in zip(strips, firsts, lasts, strict=True):
            if first < last:
                place, blend = (slice(top, bottom), slice(first, last)), basis[r : r + 2].reshape(4, -1)[:, first:last]
                out = buffer[: bottom - top, : last - first]
                yield place, np.matmul(weights[top:bottom], blend, out=out)

    def _lattice(self, axis: int, first: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cells, positions t in the cells and fades s(t) of `size` pixels of the canvas along one axis."""
        position = np.arange(first, first + size) * self.pitch[axis] + self.start[axis]
        cell = np.floor(position)
        t = (position - cell).astype(np.float32)
        return cell.astype(np.intp), t, t * t * t * (t * (t * 6 - 15) + 10)


# --------------------------------------------------------------------------------------------------------------------
# The canvas


def _to_canvas(shape: tuple[int, int], angle: float) -> Matrix:
    """The matrix from (x, y, 1) of an image rotated counterclockwise about its center to (x, y) of the canvas."""
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    return (cosine, -sine, x - cosine * x + sine * y), (sine, cosine, y - sine * x - cosine * y)


def _corners(tile: Box, shape: tuple[int, int], angle: float) -> list[tuple[float, float]]:
    """(x, y) on the canvas of the four corner pixels of a tile, in order around it."""
    (xx, xy, x0), (yx, yy, y0) = _to_canvas(shape, angle)
    left, top, right, bottom = tile.left, tile.top, tile.right - 1, tile.bottom - 1
    ends = (left, top), (right, top), (right, bottom), (left, bottom)
    return [(xx * x + xy * y + x0, yx * x + yy * y + y0) for x, y in ends]


def _canvas_around(tile: Box, shape: tuple[int, int], angle: float) -> Box:
    """The part of the canvas that a tile shows, with a margin of a pixel."""
    if angle == 0:
        return tile
    columns, rows = zip(*_corners(tile, shape, angle), strict=True)
    left, top = math.floor(min(columns)) - 1, math.floor(min(rows)) - 1
    return Box(top, left, math.ceil(max(rows)) + 2 - top, math.ceil(max(columns)) + 2 - left)


def _footprint(tile: Box, canvas: Box, shape: tuple[int, int], angle: float) -> np.ndarray:
    """First and last column (exclusive) of the canvas that the tile needs in each row: (2, rows)."""
    row = np.arange(canvas.height, dtype=np.float64)
    low, high = np.full(canvas.height, np.inf), np.full(canvas.height, -np.inf)
    corners = [(x - canvas.left, y - canvas.top) for x, y in _corners(tile, shape, angle)]
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        top, bottom = min(y0, y1), max(y0, y1)
        near = slice(max(0, math.ceil(top - 1)), max(0, math.floor(bottom + 1) + 1))
        nearest_low, nearest_high = low[near], high[near]
        for reach in (-1, 1):  # a pixel is needed if one less than a row above or below is needed
            y = np.clip(row[near] + reach, top, bottom)
            for x in (x0, x1) if y0 == y1 else (x0 + (x1 - x0) * (y - y0) / (y1 - y0),):
                np.minimum(nearest_low, x, out=nearest_low)
                np.maximum(nearest_high, x, out=nearest_high)
    seen = low <= high
    first = np.where(seen, np.floor(low) - 1, canvas.width)
    last = np.where(seen, np.ceil(high) + 2, 0)
    return np.clip([first, last], 0, canvas.width).astype(np.intp)
