"""Seventeen kinds of damage to a picture: scratches, holes, stains, folds ...

The kinds and their numbers are those of PAI-Lib's original code. Lengths are in pixels of an image whose shorter side
has 256 pixels and scale with the picture. Each kind is a function of a `Canvas` and a `Sampler` that returns the
damaged pixels; it may modify those of the canvas.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.image import PAPER_SIDE
from pail.core.ops import Box, resize, with_axis
from pail.core.sampler import Sampler
from pail.pixels.color import LUMA

Color = tuple[int, int, int]
BLACK, DARK, LIQUID, OIL, GRAY, WHITE = ((v, v, v) for v in (0, 50, 80, 100, 128, 255))
BROWN, GLUE = (120, 80, 60), (180, 180, 140)


class Canvas(NamedTuple):
    """A copy of the picture, which the damage may modify."""

    pixels: np.ndarray  # (h, w, C) in a working dtype
    max_value: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.pixels.shape[:2]

    def length(self, value: float) -> int:
        """A length at 256 pixels in pixels of this picture."""
        return max(1, round(value * min(self.shape) / PAPER_SIDE))


def damage(image: np.ndarray, sampler: Sampler, max_value: float, count: int) -> np.ndarray:
    """A copy of `image` (h, w, C) after `count` damages, each of a kind drawn from `DAMAGES`."""
    pixels = image.copy()
    for _ in range(count):
        pixels = DAMAGES[sampler.choice("damage", tuple(DAMAGES))](Canvas(pixels, max_value), sampler)
    return pixels


# --------------------------------------------------------------------------------------------------------------------
# Damage by paint


def _paint(canvas: Canvas, mask: np.ndarray, color: Color) -> np.ndarray:
    """Fill the pixels under a mask with a color, or with its gray value if the picture does not have three channels."""
    box, pixels = Box.around(mask), canvas.pixels
    channels = pixels.shape[2]
    levels = np.array(color if channels == 3 else [np.dot(color, LUMA)] * channels) * (canvas.max_value / 255)
    if box.area:
        region = pixels[box.slices]
        fill = np.empty_like(region, order="C")
        fill[...] = levels
        inside = np.ascontiguousarray(mask[box.slices])
        region[...] = with_axis(cv2.copyTo(fill, inside, np.ascontiguousarray(region)))
    return pixels


def _point(canvas: Canvas, sampler: Sampler) -> tuple[int, int]:
    """A random pixel, column first as in OpenCV."""
    row = sampler.integer("damage_row", 0, canvas.shape[0] - 1)
    return sampler.integer("damage_column", 0, canvas.shape[1] - 1), row


def _size(canvas: Canvas, sampler: Sampler, low: int, high: int) -> int:
    return canvas.length(sampler.integer("damage_size", low, high))


def lines(
    canvas: Canvas, sampler: Sampler, *, count: tuple[int, int], width: tuple[int, int], color: Color
) -> np.ndarray:
    """Straight lines between random points."""
    mask = np.zeros(canvas.shape, np.uint8)
    for _ in range(sampler.integer("damage_count", *count)):
        cv2.line(mask, _point(canvas, sampler), _point(canvas, sampler), 255, _size(canvas, sampler, *width))
    return _paint(canvas, mask, color)


def ellipses(
    canvas: Canvas, sampler: Sampler, *, count: tuple[int, int], size: tuple[int, int], color: Color
) -> np.ndarray:
    """Filled ellipses with axes along the rows and columns."""
    mask = np.zeros(canvas.shape, np.uint8)
    for _ in range(sampler.integer("damage_count", *count)):
        axes = _size(canvas, sampler, *size) // 2, _size(canvas, sampler, *size) // 2
        cv2.ellipse(mask, _point(canvas, sampler), axes, 0, 0, 360, 255, cv2.FILLED)
    return _paint(canvas, mask, color)


def holes(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    """One to three black discs."""
    mask = np.zeros(canvas.shape, np.uint8)
    for _ in range(sampler.integer("damage_count", 1, 3)):
        cv2.circle(mask, _point(canvas, sampler), _size(canvas, sampler, 5, 20), 255, cv2.FILLED)
    return _paint(canvas, mask, BLACK)


def fold(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    """A gray line from the top to the bottom."""
    mask = np.zeros(canvas.shape, np.uint8)
    column, _ = _point(canvas, sampler)
    cv2.line(mask, (column, 0), (column, canvas.shape[0] - 1), 255, _size(canvas, sampler, 1, 3))
    return _paint(canvas, mask, GRAY)


def cracks(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    """One to three black polylines through five random points."""
    mask = np.zeros(canvas.shape, np.uint8)
    for _ in range(sampler.integer("damage_count", 1, 3)):
        points = np.array([_point(canvas, sampler) for _ in range(5)], np.int32)
        cv2.polylines(mask, [points], False, 255, canvas.length(2))
    return _paint(canvas, mask, BLACK)


def missing_piece(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    """A white rectangle."""
    mask = np.zeros(canvas.shape, np.uint8)
    left, top = _point(canvas, sampler)
    mask[top : top + _size(canvas, sampler, 20, 40), left : left + _size(canvas, sampler, 20, 40)] = 255
    return _paint(canvas, mask, WHITE)


# --------------------------------------------------------------------------------------------------------------------
# Damage by movement


def _quarter_box(canvas: Canvas, sampler: Sampler) -> tuple[slice, slice]:
    """A random box with sides of a quarter of the picture's."""
    height, width = (max(1, size // 4) for size in canvas.shape)
    top = sampler.integer("damage_row", 0, canvas.shape[0] - height)
    left = sampler.integer("damage_column", 0, canvas.shape[1] - width)
    return slice(top, top + height), slice(left, left + width)


def flip(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    """A box mirrored from left to right."""
    box = _quarter_box(canvas, sampler)
    canvas.pixels[box] = canvas.pixels[box][:, ::-1].copy()
    return canvas.pixels


def swap(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    """Two boxes exchanged."""
    one, other = _quarter_box(canvas, sampler), _quarter_box(canvas, sampler)
    first, second = canvas.pixels[one].copy(), canvas.pixels[other].copy()
    canvas.pixels[one], canvas.pixels[other] = second, first
    return canvas.pixels


def squeeze(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    """One axis scaled by 0.8 to 1.2 about the center."""
    axis = sampler.choice("damage_axis", (0, 1))
    factor = sampler.uniform("damage_factor", 0.8, 1.2)
    matrix = np.eye(2, 3)
    matrix[1 - axis, 1 - axis] = factor
    matrix[1 - axis, 2] = (1 - factor) * (canvas.shape[axis] - 1) / 2
    size = canvas.shape[::-1]
    return with_axis(cv2.warpAffine(canvas.pixels, matrix, size, borderMode=cv2.BORDER_REFLECT))


def bend(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    """The upper corners moved toward each other by 0.2 to 0.5 of the width."""
    height, width = canvas.shape
    inset = sampler.uniform("damage_factor", 0.2, 0.5) * width / 2
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + np.array([[inset, 0], [-inset, 0], [0, 0], [0, 0]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    warped = cv2.warpPerspective(canvas.pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return with_axis(warped)


# --------------------------------------------------------------------------------------------------------------------
# Damage by blur


def blur(canvas: Canvas, sampler: Sampler, *, radius: tuple[float, float]) -> np.ndarray:
    """A Gaussian blur whose standard deviation is drawn from `radius`, on a smaller copy where it is wide."""
    sigma = sampler.uniform("damage_radius", *radius) * min(canvas.shape) / PAPER_SIDE
    step = max(1, int(sigma / 2))
    small = resize(canvas.pixels, (-(-canvas.shape[0] // step), -(-canvas.shape[1] // step)))
    soft = with_axis(cv2.GaussianBlur(small, (0, 0), max(sigma / step, 0.1), borderType=cv2.BORDER_REPLICATE))
    return resize(soft, canvas.shape)


# The order is part of the results for a seed and must not change.
DAMAGES: dict[str, Callable[[Canvas, Sampler], np.ndarray]] = {
    "scratch": partial(lines, count=(1, 5), width=(1, 3), color=GRAY),
    "hole": holes,
    "cut": partial(lines, count=(1, 1), width=(5, 10), color=BLACK),
    "squeeze": squeeze,
    "fold": fold,
    "flip": flip,
    "rough": partial(blur, radius=(1, 3)),
    "crack": cracks,
    "bent": bend,
    "liquid": partial(ellipses, count=(5, 10), size=(10, 30), color=LIQUID),
    "contamination": partial(ellipses, count=(5, 15), size=(5, 20), color=BROWN),
    "missing_piece": missing_piece,
    "swap": swap,
    "thread": partial(lines, count=(1, 5), width=(1, 1), color=DARK),
    "glue_stain": partial(ellipses, count=(3, 7), size=(10, 40), color=GLUE),
    "oily_spot": partial(ellipses, count=(3, 8), size=(20, 50), color=OIL),
    "rough_texture": partial(blur, radius=(3, 5)),
}
