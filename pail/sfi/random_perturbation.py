"""Rectangles of uniform noise over a few places of the image (CDO)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.checks import as_flag, as_number, as_range
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.ops import resize
from pail.core.sampler import Sampler
from pail.pixels.foreground import cdo_foreground, coarse_foreground
from pail.pixels.placing import place

MAX_PATCHES = 1000


def random_perturbation(
    image: NormalImage,
    sampler: Sampler,
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
    foreground = _foreground(image, skip)
    boxes = []
    for _ in range(sampler.scaled_integer("patch_number", int(fewest), int(most))):
        height = _side(sampler, "height", image.region_box.height, size_range)
        width = _side(sampler, "width", image.region_box.width, size_range)
        boxes.append(_place(image, sampler, height, width, foreground, max_try))
    return _fill(image, sampler, boxes)


def _foreground(image: NormalImage, skip_background: bool | None) -> np.ndarray | None:
    """Where centers may lie, None for everywhere: also where no place in the ROI could have its center there."""
    if skip_background is False:
        return None
    mask = cdo_foreground(image) if skip_background else coarse_foreground(image)
    if mask is None:
        return None
    allowed = mask if image.roi is None else cv2.bitwise_and(mask, resize(image.roi, mask.shape))
    return mask if cv2.hasNonZero(allowed) else None


def _side(sampler: Sampler, name: str, size: int, size_range: tuple[float, float]) -> int:
    """Twice a half side in pixels, whose upper end is excluded: the paper's code draws range(H // 40, H // 10)."""
    lower, upper = (int(fraction * size / 2) for fraction in size_range)
    lower = max(lower, 1)
    side = 2 * sampler.scaled_integer(f"half_{name}", lower, max(upper - 1, lower))
    return size if size < 3 or size_range[0] == 1 else min(side, size)


def _place(
    image: NormalImage, sampler: Sampler, height: int, width: int, foreground: np.ndarray | None, max_try: int
) -> Box:
    """A place for a rectangle with its center on the foreground, any place where the tries find none."""
    trial = Sampler(sampler.rng)  # refused places stay out of the record
    for _ in range(max_try):
        box = place(image, trial, height, width)
        if foreground is None or _is_centerd(box, foreground, image.shape):
            break
    sampler.keep("top", box.top)
    sampler.keep("left", box.left)
    return box


def _is_centerd(box: Box, foreground: np.ndarray, shape: tuple[int, int]) -> bool:
    """Whether the center lies on a foreground that may be a thumbnail of the image."""
    center = box.top + box.height // 2, box.left + box.width // 2
    row, column = (int(x * have / size) for x, have, size in zip(center, foreground.shape, shape, strict=True))
    return bool(foreground[row, column])


def _fill(image: NormalImage, sampler: Sampler, boxes: list[Box]) -> Insertion:
    """Noise in all boxes, on the rectangle around them."""
    top, left = min(box.top for box in boxes), min(box.left for box in boxes)
    hull = Box(top, left, max(box.bottom for box in boxes) - top, max(box.right for box in boxes) - left)
    noise = _noise(image, sampler.rng, sum(box.area for box in boxes))
    if len(boxes) == 1:
        return Insertion(hull, noise.reshape(*hull[2:], -1), opacity=sampler.opacity())
    mask = np.zeros(hull[2:], np.uint8)
    content: np.ndarray = np.zeros((*hull[2:], image.channels), image.working_dtype)
    for box in boxes:
        local = box.within(hull).slices
        mask[local] = 255
        content[local] = noise[: box.area].reshape(box.height, box.width, -1)
        noise = noise[box.area :]
    return Insertion(hull, content, mask, sampler.opacity())


def _noise(image: NormalImage, rng: np.random.Generator, pixels: int) -> np.ndarray:
    """Uniform noise (pixels, channels), each channel by itself; all levels of an integer image are equally likely."""
    count = pixels * image.channels
    if image.is_byte:  # eight bytes a word: the same bytes in a third of the time, 0.4 ms less at 1024 x 1024
        words = rng.integers(0, 2**64 - 1, -(-count // 8), np.uint64, endpoint=True)
        noise: np.ndarray = words.view(np.uint8)[:count]
    elif image.pixels.dtype == np.uint8 and not image.window.clips:
        noise = rng.integers(0, int(image.max_value), count, np.uint8, endpoint=True)
    elif image.is_integer:
        noise = np.floor(rng.random(count, np.float32) * np.float32(int(image.max_value) + 1))
    else:
        noise = rng.random(count, np.float32) * np.float32(image.max_value)
    return noise.reshape(pixels, image.channels)
