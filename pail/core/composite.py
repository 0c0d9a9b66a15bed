"""The only writer of outputs: outside the mask nothing else ever writes to an image."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.frame import Frame
from pail.core.ops import with_axis

FALLBACK_FRACTION = 1 / 16  # side of the square that stands in where a random mask stays empty
STRIP_BYTES = 1 << 18  # outputs are written in strips of about this size


class Insertion(NamedTuple):
    """What a technique wants to see inserted: `content` on `box` where `mask` is not 0.

    `content` is (h, w, C) in the frame's working dtype (float32 is accepted for uint8 frames too); `mask` is uint8
    (h, w) with 0 and 255, None for the whole box; `opacity` 1 is all content.
    """

    box: Box
    content: np.ndarray
    mask: np.ndarray | None = None
    opacity: float = 1.0


def to_dtype(content: np.ndarray, frame: Frame) -> np.ndarray:
    """Working values as the image's own: rounded for integers, clipped to [0, peak]."""
    dtype = frame.image.dtype
    if content.dtype == dtype and (dtype == np.uint8 and frame.peak == 255):
        return content
    if dtype.kind == "u":
        content = np.rint(content)
    return np.clip(content, 0, frame.peak).astype(dtype)


def through_mask(mask: np.ndarray, content: np.ndarray, opacity: float) -> Insertion:
    """An insertion from a mask and a content of the image's size: their part on the mask's bounding box."""
    left, top, width, height = cv2.boundingRect(mask)
    box = Box(top, left, height, width)
    return Insertion(box, content[box.slices], mask[box.slices], opacity)


def _clipped(frame: Frame, insertion: Insertion) -> Insertion:
    """The insertion cut to the image and to the ROI."""
    box, content, mask, opacity = insertion
    top, left = max(box.top, 0), max(box.left, 0)
    inside = Box(
        top, left, min(box.top + box.height, frame.height) - top, min(box.left + box.width, frame.width) - left
    )
    if inside != box:
        local = Box(top - box.top, left - box.left, inside.height, inside.width).slices
        content, mask = content[local], None if mask is None else mask[local]
    if frame.roi is not None:
        allowed = frame.roi[inside.slices]
        mask = allowed if mask is None else cv2.bitwise_and(mask, allowed)
    return Insertion(inside, content, mask, opacity)


def composite(frame: Frame, insertion: Insertion) -> tuple[np.ndarray, np.ndarray]:
    """Build ``(i_a, m_a)``: a fresh copy of the image, written to only where the mask is true."""
    box, content, mask, opacity = _clipped(frame, insertion)
    if box.height < 1 or box.width < 1 or (mask is not None and not cv2.hasNonZero(mask)):
        raise RuntimeError("internal error: a technique drew an empty mask; please report it with its record")
    i_a = frame.image.copy()
    m_a = np.zeros((*frame.shape, 1), np.uint8)
    m_a[box.slices] = 255 if mask is None else mask[..., None]
    for rows in _strips(box, content):
        part = Box(box.top + rows.start, box.left, rows.stop - rows.start, box.width)
        _paste(frame, i_a, part, content[rows], None if mask is None else mask[rows], opacity)
    return i_a.astype(frame.dtype, copy=False), m_a


def _strips(box: Box, content: np.ndarray) -> list[slice]:
    """Slices of the box's rows, so small that what is computed for one stays in the cache."""
    count = max(1, STRIP_BYTES // (box.width * content.shape[2] * content.itemsize))
    return [slice(top, min(top + count, box.height)) for top in range(0, box.height, count)]


def _paste(
    frame: Frame, i_a: np.ndarray, box: Box, content: np.ndarray, mask: np.ndarray | None, opacity: float
) -> None:
    """Blend `content` over the image on `box` and write it to `i_a` where the mask is true."""
    if mask is not None and not cv2.hasNonZero(np.ascontiguousarray(mask)):
        return
    if opacity < 1:
        original = frame.crop(box).astype(content.dtype, copy=False)
        content = with_axis(cv2.addWeighted(content, opacity, original, 1 - opacity, 0))
    content = to_dtype(content, frame)
    region = with_axis(i_a[box.slices])
    if frame.alpha:
        content = np.concatenate([content, region[..., -1:]], axis=2)
    if mask is None:
        region[...] = content
    else:
        cv2.copyTo(np.ascontiguousarray(content), np.ascontiguousarray(mask), region)
