"""The validated normal image, whatever its format was."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from pail.core.box import Box
from pail.core.checks import MAX_SIDE, as_number, describe
from pail.core.ops import with_axis

MAX_CHANNELS = 16
CONVERTED_MODES = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "RGBa": "RGBA", "PA": "RGBA"}
PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "F", "I;16", "I;16L", "I;16B", "I;16N")


def _pil_to_array(name: str, image: Image.Image) -> tuple[np.ndarray, bool]:
    """The pixels of a PIL image, and whether the last channel is alpha."""
    mode = image.mode
    if mode == "P":
        mode = "RGBA" if "transparency" in image.info else "RGB"
    mode = CONVERTED_MODES.get(mode, mode)
    if mode not in PLAIN_MODES:
        raise TypeError(
            f"`{name}` must be a PIL image of mode 1, L, LA, P, RGB, RGBA, F or I;16, "
            f"got mode {image.mode}; convert it first"
        )
    if 0 in image.size:
        raise ValueError(f"`{name}` must not be empty, got a PIL image of size {image.size}")
    return np.asarray(image.convert(mode) if mode != image.mode else image), mode in ("LA", "RGBA")


def _as_pixels(name: str, image: Any) -> tuple[np.ndarray, bool]:
    """Array (H, W) or (H, W, C) of an accepted dtype, and whether its last channel is alpha."""
    if isinstance(image, Image.Image):
        array, alpha = _pil_to_array(name, image)
    elif isinstance(image, np.ndarray):
        array, alpha = np.asarray(image), image.ndim == 3 and image.shape[2] == 4
    elif image is None:
        raise TypeError(f"`{name}` must be an image, got None; cv2.imread returns None for a file it cannot read")
    else:
        hint = "; open the file first" if isinstance(image, str | os.PathLike) else ""
        raise TypeError(f"`{name}` must be a numpy array or a PIL image, got {describe(image)}{hint}")
    if array.dtype.kind not in "uf" or array.dtype.itemsize > 8 or array.dtype.str[1:] not in ("u1", "u2", "f4", "f8"):
        raise TypeError(f"`{name}` must be of dtype uint8, uint16, float32 or float64, got {describe(image)}")
    if array.ndim not in (2, 3):
        raise ValueError(f"`{name}` must have shape (H, W) or (H, W, C), got {array.shape}")
    if array.size == 0:
        raise ValueError(f"`{name}` must not be empty, got shape {array.shape}")
    if array.ndim == 3 and array.shape[2] > MAX_CHANNELS:
        raise ValueError(f"`{name}` must have at most {MAX_CHANNELS} channels, got {array.shape[2]} in {array.shape}")
    if max(array.shape[:2]) > MAX_SIDE:
        raise ValueError(f"`{name}` must have sides of at most {MAX_SIDE} pixels, got {array.shape}")
    return array, alpha


def _top_of_range(name: str, array: np.ndarray, data_range: float | None) -> float:
    """The value of full scale; raises where the pixels leave [0, that value]."""
    integer = array.dtype.kind == "u"
    limit = float(np.iinfo(array.dtype).max) if integer else 1.0
    peak = limit if data_range is None else float(data_range)
    if integer and peak > limit:
        raise ValueError(f"`data_range` must be at most {limit:g} for {array.dtype} images, got {data_range!r}")
    if integer and peak == limit:
        return peak
    low, high = float(array.min()), float(array.max())
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`{name}` must not contain NaN")
    if low < 0 or high > peak:
        hint = "scale it, or pass its range as `data_range`" if not integer else "pass the right `data_range`"
        raise ValueError(f"`{name}` must lie in [0, {peak:g}], got values from {low:g} to {high:g}; {hint}")
    return peak


@dataclass(slots=True)
class Frame:
    """The validated normal image.

    Techniques work on `crop`: (h, w, channels) without alpha, uint8 for uint8 images and float32 in [0, peak] for
    all others, so that 16 bits stay 16 bits and a technique knows two dtypes only.
    """

    image: np.ndarray  # contiguous, native byte order, in the caller's shape; never written to
    dtype: np.dtype  # the caller's dtype, byte order included
    peak: float
    alpha: bool
    roi: np.ndarray | None = None  # uint8 {0, 255} (H, W): where anomalies may land

    @property
    def height(self) -> int:
        return self.image.shape[0]

    @property
    def width(self) -> int:
        return self.image.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        return self.image.shape[:2]

    @property
    def side(self) -> int:
        """S: the shorter side, against which lengths are measured."""
        return min(self.image.shape[:2])

    @property
    def channels(self) -> int:
        return 1 if self.image.ndim == 2 else self.image.shape[2] - self.alpha

    @property
    def working_dtype(self) -> type:
        return np.uint8 if self.image.dtype == np.uint8 and self.peak == 255 else np.float32

    def crop(self, box: Box | None = None) -> np.ndarray:
        """Pixels of `box` (all by default) in the working dtype. May be a view of the input: never write to it."""
        pixels = with_axis(self.image if box is None else self.image[box.slices])
        if self.alpha:
            pixels = np.ascontiguousarray(pixels[..., :-1])
        return pixels if self.working_dtype is np.uint8 else pixels.astype(np.float32)


def as_frame(image: Any, data_range: Any = None, name: str = "image") -> Frame:
    """Check the normal image; see `Frame`."""
    array, alpha = _as_pixels(name, image)
    if data_range is not None:
        data_range = as_number("data_range", data_range, 0, above=True)
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return Frame(native, array.dtype, _top_of_range(name, native, data_range), alpha)
