"""The only module that writes output images. It never writes outside the mask."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.image import NormalImage
from pail.core.ops import Box, as_bytes, largest_change, with_axis

STRIP_BYTES = 1 << 18  # outputs are written in strips of about this size
VISIBLE = 0.02  # of the range: smaller changes count as not visible
SHIFT = 0.05  # of the range: how far the image is shifted if nothing would be visible otherwise
SAMPLED_ROWS = 16


class Insertion(NamedTuple):
    """What a technique inserts: `content` on `box` where `mask` is not 0.

    `box` lies inside the image; `content` is (h, w, C) in the image's
    working dtype (float32 is also accepted for uint8 images); `mask` is
    uint8 (h, w) with 0 and 255, None for the whole box; an `opacity` of 1
    hides the image.
    """

    box: Box
    content: np.ndarray
    mask: np.ndarray | None = None
    opacity: float = 1.0


def to_dtype(content: np.ndarray, image: NormalImage) -> np.ndarray:
    """Convert working values to the dtype of the image: rounded for integers, clipped to the range or the window."""
    if content.dtype == np.uint8 and image.is_byte:
        return content
    return image.window.outside(content, image.pixels.dtype)


def through_mask(mask: np.ndarray, content: np.ndarray, opacity: float) -> Insertion:
    """An insertion from a mask and a content of the image's size, cropped to the bounding box of the mask."""
    box = Box.around(mask)
    return Insertion(box, content[box.slices], mask[box.slices], opacity)


def composite(image: NormalImage, insertion: Insertion, *, shift: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Build ``(i_a, m_a)``: a new copy of the image that is changed only
    where the mask is true.

    With `shift`, the content is the normal image itself, shifted toward the
    more distant end of the range, so that the change is visible.
    """
    box, content, mask, opacity = insertion
    if image.roi is not None:
        mask = _in_roi(image.roi[box.slices], mask)
    if box.area == 0 or (mask is not None and not cv2.hasNonZero(np.ascontiguousarray(mask))):
        raise RuntimeError("internal error: a technique drew an empty mask; please report it with its record")
    i_a = image.pixels.copy()
    m_a = np.zeros((*image.shape, 1), np.uint8)
    m_a[box.slices] = 255 if mask is None else mask[..., None]
    step = max(1, STRIP_BYTES // (box.width * content.shape[2] * content.itemsize))  # so that a strip fits the cache
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
    """Whether any pixel of the box (or of the mask (h, w) on it, if given) differs from the image by at least `VISIBLE`
    of the range. Checking a few rows usually suffices. Values outside of a window are clipped to it."""
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
    """Where, under a mask (h, w) on the box, an anomaly restored pixels of the normal image that an earlier anomaly had
    changed: uint8 {0, 255} (h, w). `image` contains the earlier anomalies."""
    assert image.normal is not None
    normal, before, after = (pixels[box.slices] for pixels in (image.normal.pixels, image.pixels, i_a))
    back = as_bytes((largest_change(after, normal) == 0) & (largest_change(before, normal) > 0))
    return cv2.bitwise_and(back, mask)


def _in_roi(allowed: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The part of the mask inside the ROI, or all of the ROI in the box if the mask has no pixel there."""
    inside = allowed if mask is None else cv2.bitwise_and(allowed, mask)
    return inside if cv2.hasNonZero(np.ascontiguousarray(inside)) else allowed


def _shifted(image: NormalImage, box: Box, opacity: float) -> np.ndarray:
    """The normal image shifted toward the more distant end of the range, pixel by pixel. A lower opacity shifts less.

    The shift is large enough to be visible after rounding to the dtype.
    """
    original = (image.normal or image).crop(box).astype(np.float32)
    share = (VISIBLE + (SHIFT - VISIBLE) * opacity if opacity < 1 else SHIFT) * image.max_value
    spacing = 1.0 if image.is_integer else image.window.spacing(image.pixels.dtype)
    step = np.float32(max(share, math.ceil(VISIBLE * image.max_value / spacing) * spacing))
    return np.where(original < image.max_value / 2, original + step, original - step)
