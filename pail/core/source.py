"""Source images, converted to the format of the normal image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pail.core.image import NormalImage, as_pixels
from pail.core.ops import with_axis
from pail.core.warn import warn_user
from pail.core.window import Window, as_data_range, window_of

DARK = 1 / 8  # of its range: a source with only lower values was probably meant in another range
OUTSIDE = 1 / 2  # ... and so was a source with a larger share of its pixels outside of the window


def as_source(
    value: Any,
    image: NormalImage,
    name: str = "anom_source_img",
    *,
    source_range: Any = None,
    alpha: bool | None = None,
    warns: bool = False,
    keyword: str = "source_range",
) -> np.ndarray:
    """A source image in the working dtype, range and channels of the image, at its own size. It must not be modified.

    Its range is `source_range`, a number or a window. By default it is the range of the image if both have the same
    dtype, else the full range of its dtype. Values outside of a window are clipped to it. Errors about the range name
    `keyword`.
    """
    native, has_alpha = as_pixels(name, value, alpha, image.channels)
    given = as_data_range("source_range", source_range)
    default = image.data_range if native.dtype == image.pixels.dtype else None
    window = window_of(name, native, default if given is None else given, keyword)
    pixels = with_axis(native)
    same_bytes = image.is_byte and native.dtype == np.uint8 and window.max_value == image.max_value
    if window.clips and not same_bytes:
        pixels = window.inside(pixels)
    pixels = _match_channels(np.ascontiguousarray(pixels[..., :-1]) if has_alpha else pixels, image.channels)
    if warns and given is None and native.dtype != np.uint8:  # 8-bit sources hardly ever have another range
        _warn_if_unfit(name, native, window)
    if same_bytes:
        return pixels
    scaled = pixels.astype(np.float32) * np.float32(image.max_value / window.max_value)
    return np.rint(scaled).astype(np.uint8) if image.is_byte else scaled


def _warn_if_unfit(name: str, pixels: np.ndarray, window: Window) -> None:
    """Warn about a source that does not fit its range. A 12-bit source in uint16, or one of 0 to 1 with images of 0 to
    255, would be pasted nearly black; a source of full scale with images of a narrow window, black and white."""
    highest = pixels.max()
    if highest > 0 and highest - window.low < DARK * window.max_value:
        text = f"reaches {highest!s} at most"
    elif window.clips and np.mean((pixels < window.low) | (pixels > window.high)) > OUTSIDE:
        text = f"has values from {pixels.min()!s} to {highest!s}"
    else:
        return
    warn_user(
        "source range",
        f"`{name}` {text} but is read in a range of {window.low:g} to {window.high:g}; "
        "if that is not its range, pass `source_range`",
    )


def _match_channels(source: np.ndarray, channels: int) -> np.ndarray:
    """Convert (h, w, K) to (h, w, channels): gray is repeated, color is averaged, and missing channels are filled with
    the gray value."""
    have = source.shape[2]
    if have == channels:
        return source
    if have > channels > 1:
        return np.ascontiguousarray(source[..., :channels])
    gray = source[..., :1]
    if have >= 3:
        gray = with_axis(cv2.cvtColor(np.ascontiguousarray(source[..., :3], _color_dtype(source)), cv2.COLOR_RGB2GRAY))
    if channels == 1:
        return gray.astype(source.dtype, copy=False)
    return np.concatenate([source, *[gray] * (channels - have)], axis=2).astype(source.dtype, copy=False)


def _color_dtype(image: np.ndarray) -> type:
    """OpenCV converts colors of uint8, uint16 and float32."""
    return np.float32 if image.dtype == np.float64 else image.dtype.type
