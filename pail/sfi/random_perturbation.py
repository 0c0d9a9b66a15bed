"""Rectangles of uniform noise at a few places of the image (CDO).

1. The number of rectangles is drawn from `patch_number`, the sides of each from `size_range`, a share of the region.
2. Each rectangle gets a uniform place whose center is on the foreground, or any place after `max_try` tries. The
   foreground is CDO's (`skip_background` True), automatic (None) or everything (False).
3. All rectangles are filled with noise, uniform over the range of values, independent in each pixel and channel.

The paper's code may draw no rectangle; here there is always one.

Reference: Cao, Xu, Liu, Shen, "Collaborative discrepancy optimization for reliable image anomaly localization", IEEE
Transactions on Industrial Informatics, 2023, https://doi.org/10.1109/TII.2023.3241579.
"""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np

from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.ops import Box, resize
from pail.core.parameters import Flag, Number, Pair
from pail.core.sampler import Sampler
from pail.pixels.foreground import cdo_foreground, coarse_foreground
from pail.pixels.placing import place

MAX_PATCHES = 1000


def random_perturbation(
    image: NormalImage,
    sampler: Sampler,
    *,
    patch_number: Annotated[tuple[int, int], Pair(1, MAX_PATCHES, integer=True)],
    size_range: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the sides")],
    skip_background: Annotated[bool | None, Flag(instead=(None,))],
    max_try: Annotated[int, Number(1, 100_000, integer=True)],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.random_perturbation`."""
    foreground = _foreground(image, skip_background)
    boxes = []
    for _ in range(sampler.scaled_integer("patch_number", *patch_number)):
        height = _side(sampler, "height", image.region_box.height, size_range)
        width = _side(sampler, "width", image.region_box.width, size_range)
        boxes.append(_place(image, sampler, height, width, foreground, max_try))
    return _fill(image, sampler, boxes)


def _foreground(image: NormalImage, skip_background: bool | None) -> np.ndarray | None:
    """Where centers may be; None for everywhere, also if the foreground and the ROI do not overlap."""
    if skip_background is False:
        return None
    mask = cdo_foreground(image) if skip_background else coarse_foreground(image)
    if mask is None:
        return None
    allowed = mask if image.roi is None else cv2.bitwise_and(mask, resize(image.roi, mask.shape))
    return mask if cv2.hasNonZero(allowed) else None


def _side(sampler: Sampler, name: str, size: int, size_range: tuple[float, float]) -> int:
    """An even side in pixels: like the paper's code, draw half of it from a range whose upper end is excluded."""
    lower, upper = (int(fraction * size / 2) for fraction in size_range)
    lower = max(lower, 1)
    side = 2 * sampler.scaled_integer(f"half_{name}", lower, max(upper - 1, lower))
    return size if size < 3 or size_range[0] == 1 else min(side, size)


def _place(
    image: NormalImage, sampler: Sampler, height: int, width: int, foreground: np.ndarray | None, max_try: int
) -> Box:
    """A place for a rectangle with its center on the foreground, or any place if `max_try` tries find none."""
    trial = Sampler(sampler.rng)  # rejected places are not recorded
    for _ in range(max_try):
        box = place(image, trial, height, width)
        if foreground is None:
            break
        # The foreground may be a thumbnail of the image.
        row = int((box.top + height // 2) * foreground.shape[0] / image.height)
        column = int((box.left + width // 2) * foreground.shape[1] / image.width)
        if foreground[row, column]:
            break
    sampler.keep("top", box.top)
    sampler.keep("left", box.left)
    return box


def _fill(image: NormalImage, sampler: Sampler, boxes: list[Box]) -> Insertion:
    """The boxes filled with noise, as an insertion on the rectangle around them."""
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
    """Uniform noise (pixels, channels); all levels of an integer image are equally likely."""
    count = pixels * image.channels
    if image.is_byte:  # eight bytes are drawn at a time, which takes a third of the time
        words = rng.integers(0, 2**64 - 1, -(-count // 8), np.uint64, endpoint=True)
        noise: np.ndarray = words.view(np.uint8)[:count]
    elif image.pixels.dtype == np.uint8 and not image.window.clips:
        noise = rng.integers(0, int(image.max_value), count, np.uint8, endpoint=True)
    elif image.is_integer:
        noise = np.floor(rng.random(count, np.float32) * np.float32(int(image.max_value) + 1))
    else:
        noise = rng.random(count, np.float32) * np.float32(image.max_value)
    return noise.reshape(pixels, image.channels)
