"""Source images, converted to what the normal image is."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pail.core.frame import Frame, _as_pixels, _top_of_range
from pail.core.ops import with_axis


def _match_channels(source: np.ndarray, channels: int) -> np.ndarray:
    """(h, w, K) as (h, w, channels): grey is repeated, colour averaged; missing channels are filled with the grey."""
    have = source.shape[2]
    if have == channels:
        return source
    if have > channels > 1:
        return np.ascontiguousarray(source[..., :channels])
    grey = source[..., :1]
    if have >= 3:
        grey = with_axis(cv2.cvtColor(np.ascontiguousarray(source[..., :3], _colour_dtype(source)), cv2.COLOR_RGB2GRAY))
    if channels == 1:
        return grey.astype(source.dtype, copy=False)
    return np.concatenate([source, *[grey] * (channels - have)], axis=2).astype(source.dtype, copy=False)


def _colour_dtype(image: np.ndarray) -> type:
    """OpenCV converts colours of uint8, uint16 and float32."""
    return np.float32 if image.dtype == np.float64 else image.dtype.type


def as_source(value: Any, frame: Frame, name: str = "anom_source_img") -> np.ndarray:
    """A source image in the frame's working dtype, range and channels, at its own size. Never write to it."""
    array, alpha = _as_pixels(name, value)
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    same_kind = native.dtype == frame.image.dtype
    top = _top_of_range(name, native, frame.peak if same_kind else None)
    pixels = with_axis(native)
    pixels = _match_channels(np.ascontiguousarray(pixels[..., :-1]) if alpha else pixels, frame.channels)
    if frame.working_dtype == np.uint8 and pixels.dtype == np.uint8:
        return pixels
    scaled = pixels.astype(np.float32) * np.float32(frame.peak / top)
    return np.rint(scaled).astype(np.uint8) if frame.working_dtype == np.uint8 else scaled
