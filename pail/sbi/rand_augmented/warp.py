"""Geometric transforms of an image and its mask, composed on a coarse grid and sampled once.

A `Step` maps points of its result, (n, m, 2) with x before y in pixels, to the points of its input that they show.
The steps and their parameters are those of albumentations 1.3, which BGAD uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from pail.core.image import PAPER_SIDE
from pail.core.ops import Box, with_axis

Step = Callable[[np.ndarray], np.ndarray]

CELL = 16  # pixels between two nodes of the grid on which steps are composed
STRIP_PIXELS = 1 << 17  # maps are computed for about this many pixels at a time, so that they fit the cache
ELASTIC_ALPHA, ELASTIC_SIGMA, ELASTIC_AFFINE = 250, 50, 50  # PAI-Lib's alpha; the others are albumentations'
LONG = 2  # times the shorter side: in longer images, only the middle remains inside after a rotation about the center
FIELD_NODES = 256  # largest side of an elastic field


@dataclass(slots=True)
class Warp:
    """Steps in the order in which they are applied to an image of `shape`, on the same canvas."""

    shape: tuple[int, int]
    steps: list[Step] = field(default_factory=list)
    _nodes: np.ndarray | None = None

    @property
    def is_long(self) -> bool:
        return max(self.shape) > LONG * min(self.shape)

    def nodes(self) -> np.ndarray:
        """The points of the original that the nodes of the grid show, (n, m, 2) float32. No step may be added later."""
        if self._nodes is None:
            points = _grid(self.shape)
            for step in reversed(self.steps):
                points = step(points)
            size = np.array(self.shape[::-1])
            # Far enough that cells at the border, and the mirrored ends of long images, are not affected.
            reach = np.full(2, size.max()) if self.is_long else size + 4 * CELL
            self._nodes = np.minimum(np.maximum(points, -reach), 2 * reach).astype(np.float32)
        return self._nodes

    def drop_invalid(self, mask: np.ndarray) -> np.ndarray:
        """The mask without the pixels that show points outside the original.

        A long image keeps all of the mask, because a rotation moves most of it out of the canvas, and the original is
        mirrored.
        """
        if not self.steps or self.is_long:
            return mask
        high = (self.shape[1] - 0.5, self.shape[0] - 0.5)
        mask = mask.copy()
        for part, nodes in self._strips(Box.around(mask), mask):
            if (nodes < -0.5).any() or (nodes > high).any():
                inside = cv2.inRange(_at_pixels(nodes, part), (-0.5, -0.5), high)
                mask[part.slices] &= inside
        return mask

    def image(self, image: np.ndarray, box: Box, where: np.ndarray | None = None) -> np.ndarray:
        """What the warped (h, w, C) image shows on `box`, as a new array, bilinear, mirrored at the borders.

        With `where`, a uint8 mask of the canvas, pixels far from the mask may be 0.
        """
        if not self.steps:
            return image[box.slices].copy()
        result = np.zeros((box.height, box.width, image.shape[2]), image.dtype)
        for part, nodes in self._strips(box, where):
            maps = _at_pixels(nodes, part)
            seen = _sample(image, maps, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
            result[part.within(box).slices] = with_axis(seen)
        return result

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """The warped mask, nearest neighbor, 0 outside the original."""
        if not self.steps:
            return mask
        result = np.zeros_like(mask)
        for part, nodes in self._strips(self._reach(Box.around(mask)), None):
            maps = _at_pixels(nodes, part)
            result[part.slices] = _sample(mask, maps, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
        return result

    def _reach(self, seen: Box) -> Box:
        """The part of the result that can show a pixel of `seen`, in whole cells."""
        low, high = np.array([seen.left, seen.top]) - 1, np.array([seen.right, seen.bottom])
        nodes = self.nodes()
        corners = np.stack([nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, :-1], nodes[1:, 1:]])
        cells = ((corners.min(axis=0) <= high) & (corners.max(axis=0) >= low)).all(axis=2)
        box = Box.around(cells.view(np.uint8))
        top, left = box.top * CELL, box.left * CELL
        height, width = min(box.height * CELL, self.shape[0] - top), min(box.width * CELL, self.shape[1] - left)
        return Box(top, left, height, width)

    def _strips(self, box: Box, where: np.ndarray | None) -> Iterator[tuple[Box, np.ndarray]]:
        """Some rows of `box` at a time, as narrow as `where` allows, with the part of the grid around them."""
        nodes = self.nodes()
        rows = max(CELL, STRIP_PIXELS // max(box.width, 1))
        for top in range(box.top, box.bottom, rows):
            strip = Box(top, box.left, min(rows, box.bottom - top), box.width)
            if where is not None:
                left, _, width, _ = cv2.boundingRect(where[strip.slices])
                strip = strip._replace(left=box.left + left, width=width)
            if strip.width:
                bottom, right = (strip.bottom - 1) // CELL + 2, (strip.right - 1) // CELL + 2
                yield strip, nodes[strip.top // CELL : bottom, strip.left // CELL : right]


def _sample(image: np.ndarray, maps: np.ndarray, how: int, border: int) -> np.ndarray:
    sampled: np.ndarray = cv2.remap(image, maps, None, how, borderMode=border)  # type: ignore[call-overload]
    return sampled


def _grid(shape: tuple[int, int]) -> np.ndarray:
    """Nodes on the corners of cells of CELL x CELL pixels, the first on the corner of the image."""
    rows, columns = ((size - 1) // CELL + 2 for size in shape)
    points = np.empty((rows, columns, 2))
    points[..., 0] = CELL * np.arange(columns) - 0.5
    points[..., 1] = (CELL * np.arange(rows) - 0.5)[:, None]
    return points


def _at_pixels(nodes: np.ndarray, part: Box) -> np.ndarray:
    """The grid interpolated at every pixel of `part`. cv2.resize centers nodes in their cells, hence the half cell."""
    size = (nodes.shape[1] * CELL, nodes.shape[0] * CELL)
    top, left = part.top % CELL + CELL // 2, part.left % CELL + CELL // 2
    full = cv2.resize(np.ascontiguousarray(nodes), size, interpolation=cv2.INTER_LINEAR)
    return full[top : top + part.height, left : left + part.width]


# --------------------------------------------------------------------------------------------------------------------
# Steps


def affine(matrix: np.ndarray) -> Step:
    """An affine step from a 2 x 3 matrix that maps points of the result to points of the input."""
    matrix = np.asarray(matrix, np.float64)
    return lambda points: points @ matrix[:, :2].T + matrix[:, 2]


def on_unit_square(shape: tuple[int, int], matrix: np.ndarray) -> Step:
    """An affine step in coordinates of the unit square, so that its result is resized to the canvas."""
    matrix = np.asarray(matrix, np.float64)
    size = np.array(shape[::-1], np.float64)
    linear = matrix[:, :2] * size[:, None] / size
    return affine(np.column_stack([linear, linear @ np.array([0.5, 0.5]) + matrix[:, 2] * size - 0.5]))


def quarter_turns(shape: tuple[int, int], turns: int) -> Step:
    """Rotation by `turns` quarters counterclockwise, as np.rot90."""
    matrix = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    for _ in range(turns):
        matrix = np.array([[0, -1, 1], [1, 0, 0], [0, 0, 1]]) @ matrix
    return on_unit_square(shape, matrix[:2])


def flip(shape: tuple[int, int], *, vertical: bool, horizontal: bool) -> Step:
    x, y = (-1, 1) if horizontal else (1, 0), (-1, 1) if vertical else (1, 0)
    return on_unit_square(shape, np.array([[x[0], 0, x[1]], [0, y[0], y[1]]]))


def transpose(shape: tuple[int, int]) -> Step:
    return on_unit_square(shape, np.array([[0, 1, 0], [1, 0, 0]]))


def shift_scale_rotate(shape: tuple[int, int], shift: tuple[float, float], scale: float, angle: float) -> Step:
    """Scale, rotate by `angle` degrees counterclockwise and shift by `shift` (rows, columns), shares of the sides."""
    matrix = cv2.getRotationMatrix2D(((shape[1] - 1) / 2, (shape[0] - 1) / 2), angle, scale)
    matrix[:, 2] += np.array([shift[1] * shape[1], shift[0] * shape[0]])
    return affine(cv2.invertAffineTransform(matrix))


def zoom(center: tuple[float, float], scale: float) -> Step:
    """Scale about `center` (row, column)."""
    middle = np.array([center[1], center[0]])
    return lambda points: middle + (points - middle) / scale


def optical_distortion(shape: tuple[int, int], k: float) -> Step:
    """Radial distortion 1 + k r^2 + k r^4, where r is measured from the center in sides of the image."""
    size = np.array(shape[::-1], np.float64)

    def step(points: np.ndarray) -> np.ndarray:
        place = (points - size / 2) / size
        r2 = (place * place).sum(axis=2, keepdims=True)
        bent: np.ndarray = place * (1 + k * r2 + k * r2 * r2) * size + size / 2
        return bent

    return step


def grid_distortion(shape: tuple[int, int], row_steps: np.ndarray, column_steps: np.ndarray) -> Step:
    """Equal cells of the canvas, each of which shows a part of the input that is `*_steps` times as long."""

    def along(points: np.ndarray, size: int, steps: np.ndarray) -> np.ndarray:
        knots = np.linspace(0, size, len(steps) + 1)
        values = np.concatenate([[0], np.cumsum(steps) * (size / len(steps))])
        seen = np.interp(points + 0.5, knots, values) - 0.5
        moved: np.ndarray = seen + np.minimum(points + 0.5, 0) + np.maximum(points + 0.5 - size, 0)
        return moved

    return lambda points: np.stack(
        [along(points[..., 0], shape[1], column_steps), along(points[..., 1], shape[0], row_steps)], axis=2
    )


def displacement(shape: tuple[int, int], nodes: np.ndarray) -> Step:
    """Shift by a field (n, m, 2) of (x, y) pixels whose nodes span the canvas from its first to its last pixel."""
    field_ = np.ascontiguousarray(nodes, np.float32)
    scale = np.array([(n - 1) / max(size - 1, 1) for n, size in zip(nodes.shape[1::-1], shape[::-1], strict=True)])

    def step(points: np.ndarray) -> np.ndarray:
        maps = np.ascontiguousarray(points * scale, np.float32)
        moved: np.ndarray = points + _sample(field_, maps, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        return moved

    return step


def piecewise_affine(shape: tuple[int, int], shifts: np.ndarray) -> Step:
    """A grid of points, each shifted by (x, y) shares of the sides, `shifts` (n, m, 2), but not out of the image."""
    size = np.array(shape[::-1], np.float64) - 1
    unit = np.stack(np.meshgrid(np.linspace(0, 1, shifts.shape[1]), np.linspace(0, 1, shifts.shape[0])), axis=2)
    return displacement(shape, (np.clip(unit + shifts, 0, 1) - unit) * size)


def elastic(shape: tuple[int, int], rng: np.random.Generator) -> list[Step]:
    """albumentations' ElasticTransform for a canvas of 256 pixels a side, scaled to the image.

    Three points, a third of the shorter side from the center, move by up to 50 pixels along either axis and the image
    with them; then every pixel moves by alpha = 250 times uniform noise in [-1, 1] under a Gaussian of sigma = 50.
    The Gaussian removes all detail finer than a grid of 16 pixels, so the noise is made on this grid, with the variance
    of the mean of the pixels of a cell.
    """
    side = min(shape)
    unit = side / PAPER_SIDE
    center, third = np.array([shape[1] / 2, shape[0] / 2]), side / 3
    before = center + third * np.array([[1, 1], [1, -1], [-1, -1]])
    after = before + rng.uniform(-ELASTIC_AFFINE, ELASTIC_AFFINE, (3, 2)) * unit
    matrix = cv2.getAffineTransform(before.astype(np.float32), after.astype(np.float32))
    spacing = [max(CELL, size / unit / FIELD_NODES) for size in shape]
    nodes = [max(2, round(size / unit / space)) for size, space in zip(shape, spacing, strict=True)]
    noise = rng.uniform(-1, 1, (*nodes, 2)).astype(np.float32) / np.float32(np.sqrt(spacing[0] * spacing[1]))
    sigmas = [ELASTIC_SIGMA / space for space in spacing]
    smooth = cv2.GaussianBlur(noise, (0, 0), sigmas[1], sigmaY=sigmas[0], borderType=cv2.BORDER_REFLECT)
    return [affine(cv2.invertAffineTransform(matrix)), displacement(shape, smooth * (ELASTIC_ALPHA * unit))]
