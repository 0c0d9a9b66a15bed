"""Seventeen damages of a picture: scratches, holes, stains, folds ... Lengths are pixels of a 256-pixel image."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.image import PAPER_SIDE
from pail.core.ops import resize, with_axis
from pail.core.sampler import Draw
from pail.pixels.color import LUMA

Color = tuple[int, int, int]
BLACK, DARK, LIQUID, OIL, GRAY, WHITE = ((v, v, v) for v in (0, 50, 80, 100, 128, 255))
BROWN, GLUE = (120, 80, 60), (180, 180, 140)


class Canvas(NamedTuple):
    """The picture being damaged, a copy that may be written to."""

    pixels: np.ndarray  # (h, w, C) in a working dtype
    peak: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.pixels.shape[:2]

    def length(self, value: float) -> int:
        """A length at 256 pixels in pixels of this picture."""
        return max(1, round(value * min(self.shape) / PAPER_SIDE))


def damage(image: np.ndarray, draw: Draw, peak: float, count: int) -> np.ndarray:
    """A copy of `image` (h, w, C) after `count` damages, each one of the seventeen."""
    pixels = image.copy()
    for _ in range(count):
        pixels = DAMAGES[draw.choice("damage", tuple(DAMAGES))](Canvas(pixels, peak), draw)
    return pixels


# --------------------------------------------------------------------------------------------------------------------
# What is painted


def _paint(canvas: Canvas, shapes: np.ndarray, color: Color) -> np.ndarray:
    """Fill the pixels under a mask with a color; gray where the picture has not three channels."""
    box, pixels = Box.around(shapes), canvas.pixels
    channels = pixels.shape[2]
    levels = np.array(color if channels == 3 else [np.dot(color, LUMA)] * channels) * (canvas.peak / 255)
    if box.area:
        region = pixels[box.slices]
        fill = np.empty_like(region, order="C")
        fill[...] = levels
        mask = np.ascontiguousarray(shapes[box.slices])
        region[...] = with_axis(cv2.copyTo(fill, mask, np.ascontiguousarray(region)))
    return pixels


def _blank(canvas: Canvas) -> np.ndarray:
    return np.zeros(canvas.shape, np.uint8)


def _point(canvas: Canvas, draw: Draw) -> tuple[int, int]:
    """A pixel in OpenCV's order."""
    row = draw.integer("damage_row", 0, canvas.shape[0] - 1)
    return draw.integer("damage_column", 0, canvas.shape[1] - 1), row


def _number(draw: Draw, low: int, high: int) -> int:
    return draw.integer("damage_count", low, high)


def _size(canvas: Canvas, draw: Draw, low: int, high: int) -> int:
    return canvas.length(draw.integer("damage_size", low, high))


def _lines(canvas: Canvas, draw: Draw, count: tuple[int, int], width: tuple[int, int], color: Color) -> np.ndarray:
    mask = _blank(canvas)
    for _ in range(_number(draw, *count)):
        cv2.line(mask, _point(canvas, draw), _point(canvas, draw), 255, _size(canvas, draw, *width))
    return _paint(canvas, mask, color)


def _ellipses(canvas: Canvas, draw: Draw, count: tuple[int, int], size: tuple[int, int], color: Color) -> np.ndarray:
    mask = _blank(canvas)
    for _ in range(_number(draw, *count)):
        axes = _size(canvas, draw, *size) // 2, _size(canvas, draw, *size) // 2
        cv2.ellipse(mask, _point(canvas, draw), axes, 0, 0, 360, 255, cv2.FILLED)
    return _paint(canvas, mask, color)


def scratch(canvas: Canvas, draw: Draw) -> np.ndarray:
    return _lines(canvas, draw, (1, 5), (1, 3), GRAY)


def cut(canvas: Canvas, draw: Draw) -> np.ndarray:
    return _lines(canvas, draw, (1, 1), (5, 10), BLACK)


def thread(canvas: Canvas, draw: Draw) -> np.ndarray:
    return _lines(canvas, draw, (1, 5), (1, 1), DARK)


def liquid(canvas: Canvas, draw: Draw) -> np.ndarray:
    return _ellipses(canvas, draw, (5, 10), (10, 30), LIQUID)


def contamination(canvas: Canvas, draw: Draw) -> np.ndarray:
    return _ellipses(canvas, draw, (5, 15), (5, 20), BROWN)


def glue_stain(canvas: Canvas, draw: Draw) -> np.ndarray:
    return _ellipses(canvas, draw, (3, 7), (10, 40), GLUE)


def oily_spot(canvas: Canvas, draw: Draw) -> np.ndarray:
    return _ellipses(canvas, draw, (3, 8), (20, 50), OIL)


def hole(canvas: Canvas, draw: Draw) -> np.ndarray:
    mask = _blank(canvas)
    for _ in range(_number(draw, 1, 3)):
        cv2.circle(mask, _point(canvas, draw), _size(canvas, draw, 5, 20), 255, cv2.FILLED)
    return _paint(canvas, mask, BLACK)


def fold(canvas: Canvas, draw: Draw) -> np.ndarray:
    mask = _blank(canvas)
    column, _ = _point(canvas, draw)
    cv2.line(mask, (column, 0), (column, canvas.shape[0] - 1), 255, _size(canvas, draw, 1, 3))
    return _paint(canvas, mask, GRAY)


def crack(canvas: Canvas, draw: Draw) -> np.ndarray:
    mask = _blank(canvas)
    for _ in range(_number(draw, 1, 3)):
        points = np.array([_point(canvas, draw) for _ in range(5)], np.int32)
        cv2.polylines(mask, [points], False, 255, canvas.length(2))
    return _paint(canvas, mask, BLACK)


def missing_piece(canvas: Canvas, draw: Draw) -> np.ndarray:
    mask = _blank(canvas)
    left, top = _point(canvas, draw)
    mask[top : top + _size(canvas, draw, 20, 40), left : left + _size(canvas, draw, 20, 40)] = 255
    return _paint(canvas, mask, WHITE)


# --------------------------------------------------------------------------------------------------------------------
# What is moved


def _quarter_box(canvas: Canvas, draw: Draw) -> tuple[slice, slice]:
    """A box with sides of a quarter of the picture's."""
    height, width = (max(1, size // 4) for size in canvas.shape)
    top = draw.integer("damage_row", 0, canvas.shape[0] - height)
    left = draw.integer("damage_column", 0, canvas.shape[1] - width)
    return slice(top, top + height), slice(left, left + width)


def flip(canvas: Canvas, draw: Draw) -> np.ndarray:
    box = _quarter_box(canvas, draw)
    canvas.pixels[box] = canvas.pixels[box][:, ::-1].copy()
    return canvas.pixels


def swap(canvas: Canvas, draw: Draw) -> np.ndarray:
    one, other = _quarter_box(canvas, draw), _quarter_box(canvas, draw)
    first, second = canvas.pixels[one].copy(), canvas.pixels[other].copy()
    canvas.pixels[one], canvas.pixels[other] = second, first
    return canvas.pixels


def squeeze(canvas: Canvas, draw: Draw) -> np.ndarray:
    """One axis pressed or stretched about the middle."""
    axis = draw.choice("damage_axis", (0, 1))
    factor = draw.uniform("damage_factor", 0.8, 1.2)
    matrix = np.eye(2, 3)
    matrix[1 - axis, 1 - axis] = factor
    matrix[1 - axis, 2] = (1 - factor) * (canvas.shape[axis] - 1) / 2
    size = canvas.shape[::-1]
    return with_axis(cv2.warpAffine(canvas.pixels, matrix, size, borderMode=cv2.BORDER_REFLECT))


def bent(canvas: Canvas, draw: Draw) -> np.ndarray:
    """The upper corners drawn together by 0.2 to 0.5 of the width."""
    height, width = canvas.shape
    inset = draw.uniform("damage_factor", 0.2, 0.5) * width / 2
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


def rough(canvas: Canvas, draw: Draw) -> np.ndarray:
    return _blur(canvas, draw.uniform("damage_radius", 1, 3))


def rough_texture(canvas: Canvas, draw: Draw) -> np.ndarray:
    return _blur(canvas, draw.uniform("damage_radius", 3, 5))


DAMAGES: dict[str, Callable[[Canvas, Draw], np.ndarray]] = {
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
