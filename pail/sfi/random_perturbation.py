"""Rectangles of uniform noise over a few places of the image (CDO)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.checks import as_flag, as_number, as_range
from pail.core.composite import Insertion
from pail.core.draw import Draw
from pail.core.frame import Frame
from pail.pixels.foreground import cdo_foreground, coarse_foreground
from pail.pixels.placing import place

MAX_PATCHES = 1000
TRIES_IN_ROI = 20  # a place in an ROI costs far more than one in the image


def random_perturbation(
    frame: Frame,
    draw: Draw,
    *,
    patch_number: Any = (1, 4),
    size_range: Any = (1 / 20, 1 / 5),
    skip_background: Any = None,
    max_try: Any = 200,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.random_perturbation`."""
    fewest, most = as_range("patch_number", patch_number, 1, MAX_PATCHES, integer=True)
    size_range = as_range("size_range", size_range, 0, 1, above=True)
    skip = None if skip_background is None else as_flag("skip_background", skip_background)
    max_try = int(as_number("max_try", max_try, 1, 100_000, integer=True))
    foreground = _foreground(frame, skip)
    boxes = []
    for _ in range(draw.scaled_integer("patch_number", int(fewest), int(most))):
        height = _side(draw, "height", frame.height, size_range)
        width = _side(draw, "width", frame.width, size_range)
        boxes.append(_placed(frame, draw, height, width, foreground, max_try))
    return _noisy(frame, draw, boxes)


def _foreground(frame: Frame, skip_background: bool | None) -> np.ndarray | None:
    """Where centres may lie, None for everywhere: an image that is all background has no other place."""
    if skip_background is False:
        return None
    mask = cdo_foreground(frame) if skip_background else coarse_foreground(frame)
    if mask is None:
        return None
    return mask if cv2.hasNonZero(mask) else None


def _side(draw: Draw, name: str, size: int, size_range: tuple[float, float]) -> int:
    """Twice a half side in pixels, whose upper end is excluded: the paper's code draws range(H // 40, H // 10)."""
    lower, upper = (int(fraction * size / 2) for fraction in size_range)
    lower = max(lower, 1)
    side = 2 * draw.scaled_integer(f"half_{name}", lower, max(upper - 1, lower))
    return size if size < 3 or size_range[0] == 1 else min(side, size)


def _placed(frame: Frame, draw: Draw, height: int, width: int, foreground: np.ndarray | None, max_try: int) -> Box:
    """A place for a rectangle with its centre on the foreground, any place where the tries find none."""
    trial = Draw(draw.rng)  # refused places stay out of the record
    for _ in range(max_try if frame.roi is None else min(max_try, TRIES_IN_ROI)):
        box = place(frame, trial, height, width)
        if foreground is None or _centred_on(foreground, box, frame.shape):
            break
    draw.keep("top", box.top)
    draw.keep("left", box.left)
    return box


def _centred_on(foreground: np.ndarray, box: Box, shape: tuple[int, int]) -> bool:
    """Whether the centre lies on a foreground that may be a thumbnail of the image."""
    row, column = box.top + box.height // 2, box.left + box.width // 2
    if not (0 <= row < shape[0] and 0 <= column < shape[1]):
        return False
    return bool(foreground[row * foreground.shape[0] // shape[0], column * foreground.shape[1] // shape[1]])


def _noisy(frame: Frame, draw: Draw, boxes: list[Box]) -> Insertion:
    """Noise in all boxes, on the rectangle around them."""
    top, left = min([box.top for box in boxes]), min([box.left for box in boxes])
    height = max([box.top + box.height for box in boxes]) - top
    width = max([box.left + box.width for box in boxes]) - left
    areas = [box.height * box.width for box in boxes]
    noise = _noise(frame, draw.rng, sum(areas))
    hull = Box(top, left, height, width)
    if len(boxes) == 1:
        return Insertion(hull, noise.reshape(height, width, -1), opacity=draw.opacity())
    mask = np.zeros((height, width), np.uint8)
    content: np.ndarray = np.zeros((height, width, frame.channels), frame.working_dtype)
    for box, area in zip(boxes, areas, strict=True):
        local = box._replace(top=box.top - top, left=box.left - left).slices
        mask[local] = 255
        content[local] = noise[:area].reshape(box.height, box.width, -1)
        noise = noise[area:]
    return Insertion(hull, content, mask, draw.opacity())


def _noise(frame: Frame, rng: np.random.Generator, pixels: int) -> np.ndarray:
    """Uniform noise (pixels, channels), each channel by itself; all levels of an integer image are equally likely."""
    count = pixels * frame.channels
    if frame.image.dtype == np.uint8 and frame.peak == 255:
        words = rng.integers(0, 2**64 - 1, -(-count // 8), np.uint64, endpoint=True)  # eight pixels a word: the fastest
        noise: np.ndarray = words.view(np.uint8)[:count]
    elif frame.image.dtype == np.uint8:
        noise = rng.integers(0, int(frame.peak), count, np.uint8, endpoint=True)
    elif frame.image.dtype.kind == "u":
        noise = np.floor(rng.random(count, np.float32) * np.float32(int(frame.peak) + 1))
    else:
        noise = rng.random(count, np.float32) * np.float32(frame.peak)
    return noise.reshape(pixels, frame.channels)
