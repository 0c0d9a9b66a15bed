"""The only writer of outputs: outside the mask nothing else ever writes to an image."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.image import NormalImage
from pail.core.ops import Box, as_bytes, largest_change, with_axis

STRIP_BYTES = 1 << 18  # outputs are written in strips of about this size
VISIBLE = 0.02  # of the range: a smaller change of every pixel would not be seen
SHIFT = 0.05  # of the range: how far the content moves where nothing would be seen otherwise
SAMPLED_ROWS = 16


class Insertion(NamedTuple):
    """What a technique wants to see inserted: `content` on `box` where `mask`
    is not 0.

    `box` lies inside the image; `content` is (h, w, C) in the image's
    working dtype (float32 is accepted for uint8 images too); `mask` is
    uint8 (h, w) with 0 and 255, None for the whole box; `opacity` 1 is all
    content.
    """

    box: Box
    content: np.ndarray
    mask: np.ndarray | None = None
    opacity: float = 1.0


def to_dtype(content: np.ndarray, image: NormalImage) -> np.ndarray:
    """Working values as the image's own: rounded for integers, clipped to the range or the window."""
    if content.dtype == np.uint8 and image.is_byte:
        return content
    return image.window.outside(content, image.pixels.dtype)


def through_mask(mask: np.ndarray, content: np.ndarray, opacity: float) -> Insertion:
    """An insertion from a mask and a content of the image's size: their part on the mask's bounding box."""
    box = Box.around(mask)
    return Insertion(box, content[box.slices], mask[box.slices], opacity)


def composite(image: NormalImage, insertion: Insertion, *, shift: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Build ``(i_a, m_a)``: a fresh copy of the image, written to only where
    the mask is true.

    With `shift` the content is the normal image itself, moved toward the
    far end of the range, so that it is seen.
    """
    box, content, mask, opacity = insertion
    if image.roi is not None:
        mask = _in_roi(image.roi[box.slices], mask)
    if box.area == 0 or (mask is not None and not cv2.hasNonZero(np.ascontiguousarray(mask))):
        raise RuntimeError("internal error: a technique drew an empty mask; please report it with its record")
    i_a = image.pixels.copy()
    m_a = np.zeros((*image.shape, 1), np.uint8)
    m_a[box.slices] = 255 if mask is None else mask[..., None]
    step = max(1, STRIP_BYTES // (box.width * content.shape[2] * content.itemsize))  # of which all copies fit the cache
    for top in range(0, box.height, step):
        rows = slice(top, min(top + step, box.height))
        part = Box(box.top + rows.start, box.left, rows.stop - rows.start, box.width)
        where = None if mask is None else np.ascontiguousarray(mask[rows])
        if where is not None and not cv2.hasNonZero(where):
            continue
        pixels = content[rows]
        if shift:
            pixels = _shifted(image, part, opacity)
        elif opacity < 1:
            original = image.crop(part).astype(pixels.dtype, copy=False)
            pixels = with_axis(cv2.addWeighted(pixels, opacity, original, 1 - opacity, 0))
        pixels, target = to_dtype(pixels, image), with_axis(i_a[part.slices])
        if image.alpha:
            pixels = np.concatenate([pixels, target[..., -1:]], axis=2)
        if where is None:
            target[...] = pixels
        else:
            cv2.copyTo(np.ascontiguousarray(pixels), where, target)
    return i_a, m_a


def is_visible(image: NormalImage, i_a: np.ndarray, box: Box, mask: np.ndarray | None = None) -> bool:
    """Whether a pixel of the box, of the mask (h, w) there if one is given, differs by at least `VISIBLE` of the range
    from the image's; a row or a few settle it nearly always. What lies outside of a window counts as its nearer end."""
    before, after = image.pixels[box.slices], i_a[box.slices]
    if image.window.clips:
        before, after = image.window.clip(before), image.window.clip(after)
    middle = box.height // 2
    for rows in (slice(middle, middle + 1), slice(0, None, max(1, box.height // SAMPLED_ROWS)), slice(None)):
        where = () if mask is None else (np.ascontiguousarray(mask[rows]),)
        if cv2.norm(before[rows], after[rows], cv2.NORM_INF, *where) >= VISIBLE * image.max_value:
            return True
    return False


def restored(image: NormalImage, i_a: np.ndarray, box: Box, mask: np.ndarray) -> np.ndarray:
    """Where, under a mask (h, w) on the box, an anomaly put back the normal image's pixels that an earlier one had
    changed: uint8 {0, 255} (h, w). `image` is that with the earlier ones."""
    assert image.normal is not None
    normal, before, after = (pixels[box.slices] for pixels in (image.normal.pixels, image.pixels, i_a))
    back = as_bytes((largest_change(after, normal) == 0) & (largest_change(before, normal) > 0))
    return cv2.bitwise_and(back, mask)


def _in_roi(allowed: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The part of the mask inside the ROI; all of the ROI in the box where the shape has no pixel there."""
    inside = allowed if mask is None else cv2.bitwise_and(allowed, mask)
    return inside if cv2.hasNonZero(np.ascontiguousarray(inside)) else allowed


def _shifted(image: NormalImage, box: Box, opacity: float) -> np.ndarray:
    """The normal image moved toward the far end of the range, pixel by pixel; less where the anomaly is to be faint.

    By as much as is visible at least, which rounding to the values that the dtype has must not undo.
    """
    original = (image.normal or image).crop(box).astype(np.float32)
    share = (VISIBLE + (SHIFT - VISIBLE) * opacity if opacity < 1 else SHIFT) * image.max_value
    spacing = 1.0 if image.is_integer else image.window.spacing(image.pixels.dtype)
    step = np.float32(max(share, math.ceil(VISIBLE * image.max_value / spacing) * spacing))
    return np.where(original < image.max_value / 2, original + step, original - step)
