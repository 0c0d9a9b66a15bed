"""Seventeen damages of a picture: scratches, holes, stains, folds ... Lengths are pixels of a 256-pixel image."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.image import PAPER_SIDE
from pail.core.ops import resize, with_axis
from pail.core.sampler import Sampler
from pail.pixels.color import LUMA

Color = tuple[int, int, int]
BLACK, DARK, LIQUID, OIL, GRAY, WHITE = ((v, v, v) for v in (0, 50, 80, 100, 128, 255))
BROWN, GLUE = (120, 80, 60), (180, 180, 140)


class Canvas(NamedTuple):
    """The picture being damaged, a copy that may be written to."""

    pixels: np.ndarray  # (h, w, C) in a working dtype
    max_value: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.pixels.shape[:2]

    def length(self, value: float) -> int:
        """A length at 256 pixels in pixels of this picture."""
        return max(1, round(value * min(self.shape) / PAPER_SIDE))


def damage(image: np.ndarray, sampler: Sampler, max_value: float, count: int) -> np.ndarray:
    """A copy of `image` (h, w, C) after `count` damages, each one of the seventeen."""
    pixels = image.copy()
    for _ in range(count):
        pixels = DAMAGES[sampler.choice("damage", tuple(DAMAGES))](Canvas(pixels, max_value), sampler)
    return pixels


# --------------------------------------------------------------------------------------------------------------------
# What is painted


def _paint(canvas: Canvas, shapes: np.ndarray, color: Color) -> np.ndarray:
    """Fill the pixels under a mask with a color; gray where the picture has not three channels."""
    box, pixels = Box.around(shapes), canvas.pixels
    channels = pixels.shape[2]
    levels = np.array(color if channels == 3 else [np.dot(color, LUMA)] * channels) * (canvas.max_value / 255)
    if box.area:
        region = pixels[box.slices]
        fill = np.empty_like(region, order="C")
        fill[...] = levels
        mask = np.ascontiguousarray(shapes[box.slices])
        region[...] = with_axis(cv2.copyTo(fill, mask, np.ascontiguousarray(region)))
    return pixels


def _blank(canvas: Canvas) -> np.ndarray:
    return np.zeros(canvas.shape, np.uint8)


def _point(canvas: Canvas, sampler: Sampler) -> tuple[int, int]:
    """A pixel in OpenCV's order."""
    row = sampler.integer("damage_row", 0, canvas.shape[0] - 1)
    return sampler.integer("damage_column", 0, canvas.shape[1] - 1), row


def _number(sampler: Sampler, low: int, high: int) -> int:
    return sampler.integer("damage_count", low, high)


def _size(canvas: Canvas, sampler: Sampler, low: int, high: int) -> int:
    return canvas.length(sampler.integer("damage_size", low, high))


def _lines(
    canvas: Canvas, sampler: Sampler, count: tuple[int, int], width: tuple[int, int], color: Color
) -> np.ndarray:
    mask = _blank(canvas)
    for _ in range(_number(sampler, *count)):
        cv2.line(mask, _point(canvas, sampler), _point(canvas, sampler), 255, _size(canvas, sampler, *width))
    return _paint(canvas, mask, color)


def _ellipses(
    canvas: Canvas, sampler: Sampler, count: tuple[int, int], size: tuple[int, int], color: Color
) -> np.ndarray:
    mask = _blank(canvas)
    for _ in range(_number(sampler, *count)):
        axes = _size(canvas, sampler, *size) // 2, _size(canvas, sampler, *size) // 2
        cv2.ellipse(mask, _point(canvas, sampler), axes, 0, 0, 360, 255, cv2.FILLED)
    return _paint(canvas, mask, color)


def scratch(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    return _lines(canvas, sampler, (1, 5), (1, 3), GRAY)


def cut(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    return _lines(canvas, sampler, (1, 1), (5, 10), BLACK)


def thread(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    return _lines(canvas, sampler, (1, 5), (1, 1), DARK)


def liquid(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    return _ellipses(canvas, sampler, (5, 10), (10, 30), LIQUID)


def contamination(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    return _ellipses(canvas, sampler, (5, 15), (5, 20), BROWN)


def glue_stain(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    return _ellipses(canvas, sampler, (3, 7), (10, 40), GLUE)


def oily_spot(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    return _ellipses(canvas, sampler, (3, 8), (20, 50), OIL)


def hole(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    mask = _blank(canvas)
    for _ in range(_number(sampler, 1, 3)):
        cv2.circle(mask, _point(canvas, sampler), _size(canvas, sampler, 5, 20), 255, cv2.FILLED)
    return _paint(canvas, mask, BLACK)


def fold(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    mask = _blank(canvas)
    column, _ = _point(canvas, sampler)
    cv2.line(mask, (column, 0), (column, canvas.shape[0] - 1), 255, _size(canvas, sampler, 1, 3))
    return _paint(canvas, mask, GRAY)


def crack(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    mask = _blank(canvas)
    for _ in range(_number(sampler, 1, 3)):
        points = np.array([_point(canvas, sampler) for _ in range(5)], np.int32)
        cv2.polylines(mask, [points], False, 255, canvas.length(2))
    return _paint(canvas, mask, BLACK)


def missing_piece(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    mask = _blank(canvas)
    left, top = _point(canvas, sampler)
    mask[top : top + _size(canvas, sampler, 20, 40), left : left + _size(canvas, sampler, 20, 40)] = 255
    return _paint(canvas, mask, WHITE)


# --------------------------------------------------------------------------------------------------------------------
# What is moved


def _quarter_box(canvas: Canvas, sampler: Sampler) -> tuple[slice, slice]:
    """A box with sides of a quarter of the picture's."""
    height, width = (max(1, size // 4) for size in canvas.shape)
    top = sampler.integer("damage_row", 0, canvas.shape[0] - height)
    left = sampler.integer("damage_column", 0, canvas.shape[1] - width)
    return slice(top, top + height), slice(left, left + width)


def flip(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    box = _quarter_box(canvas, sampler)
    canvas.pixels[box] = canvas.pixels[box][:, ::-1].copy()
    return canvas.pixels


def swap(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    one, other = _quarter_box(canvas, sampler), _quarter_box(canvas, sampler)
    first, second = canvas.pixels[one].copy(), canvas.pixels[other].copy()
    canvas.pixels[one], canvas.pixels[other] = second, first
    return canvas.pixels


def squeeze(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    """One axis pressed or stretched about the middle."""
    axis = sampler.choice("damage_axis", (0, 1))
    factor = sampler.uniform("damage_factor", 0.8, 1.2)
    matrix = np.eye(2, 3)
    matrix[1 - axis, 1 - axis] = factor
    matrix[1 - axis, 2] = (1 - factor) * (canvas.shape[axis] - 1) / 2
    size = canvas.shape[::-1]
    return with_axis(cv2.warpAffine(canvas.pixels, matrix, size, borderMode=cv2.BORDER_REFLECT))


def bent(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    """The upper corners drawn together by 0.2 to 0.5 of the width."""
    height, width = canvas.shape
    inset = sampler.uniform("damage_factor", 0.2, 0.5) * width / 2
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    bent_corners = corners + np.array([[inset, 0], [-inset, 0], [0, 0], [0, 0]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, bent_corners)
    warped = cv2.warpPerspective(canvas.pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return with_axis(warped)


# --------------------------------------------------------------------------------------------------------------------
# What is blurred


def _blur(canvas: Canvas, sigma: float) -> np.ndarray:
    """A Gaussian blur, on a smaller copy where it is wide."""
    sigma *= min(canvas.shape) / PAPER_SIDE
    step = max(1, int(sigma / 2))
    small = resize(canvas.pixels, (-(-canvas.shape[0] // step), -(-canvas.shape[1] // step)))
    soft = with_axis(cv2.GaussianBlur(small, (0, 0), max(sigma / step, 0.1), borderType=cv2.BORDER_REPLICATE))
    return resize(soft, canvas.shape)


def rough(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    return _blur(canvas, sampler.uniform("damage_radius", 1, 3))


def rough_texture(canvas: Canvas, sampler: Sampler) -> np.ndarray:
    return _blur(canvas, sampler.uniform("damage_radius", 3, 5))


DAMAGES: dict[str, Callable[[Canvas, Sampler], np.ndarray]] = {
    function.__name__: function
    for function in (
        scratch,
        hole,
        cut,
        squeeze,
        fold,
        flip,
        rough,
        crack,
        bent,
        liquid,
        contamination,
        missing_piece,
        swap,
        thread,
        glue_stain,
        oily_spot,
        rough_texture,
    )
}
