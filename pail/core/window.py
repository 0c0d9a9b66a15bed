"""The window of values of an image: which values are black and white for a technique."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pail.core.checks import as_number, as_range, describe, is_pair

RANGE_LIMITS = (1e-30, 1e30)  # what float32, in which techniques compute, can represent
AUTO = "auto"
QUANTILES = (0.001, 0.999)
MOST_SAMPLES = 1 << 16  # pixels of an image for its quantiles; 65 of them are beyond the 0.1 % quantile
FILLED = 1 / 20  # of its range: an image that uses less was probably meant in another range
SAMPLED = 32  # rows and columns of the second check of an image; the first check uses a single row

DataRange = float | tuple[float, float] | None


class Window(NamedTuple):
    """The range [low, high] of values of an image, which techniques see as 0 to `max_value`."""

    low: float
    high: float
    max_value: float  # high - low
    clips: bool  # whether values outside are allowed; they are kept outside the mask and clipped inside

    def inside(self, pixels: np.ndarray) -> np.ndarray:
        """Values of an image as float32 in [0, max_value], as a new array."""
        if not self.clips:
            return pixels.astype(np.float32)
        # Before the cast, so that no precision is lost.
        exact = np.float64 if pixels.dtype == np.float64 else np.float32
        values = np.subtract(pixels, exact(self.low), dtype=exact)
        np.clip(values, 0, exact(self.max_value), out=values)
        result: np.ndarray = values.astype(np.float32, copy=False)
        return result

    def outside(self, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Convert values in [0, max_value] back to those of an image: rounded for integers, never outside the
        window."""
        if dtype.kind == "u":
            values = values + np.float32(self.low) if self.low else values
            rounded: np.ndarray = np.rint(values)
            np.clip(rounded, self.low, math.floor(self.high), out=rounded)
            return rounded.astype(dtype)
        values = values.astype(dtype, copy=False)  # clipped in the final dtype
        values = values + dtype.type(self.low) if self.low else values
        clipped: np.ndarray = np.clip(values, dtype.type(self.low), dtype.type(self.high))
        return clipped

    def spacing(self, dtype: np.dtype) -> float:
        """The largest distance between adjacent floats of the dtype in the window, which far from 0 can be visible."""
        return float(np.spacing(dtype.type(max(abs(self.low), abs(self.high)))))

    def clip(self, pixels: np.ndarray) -> np.ndarray:
        """Clip the values of an image to the window."""
        result: np.ndarray = np.clip(pixels, pixels.dtype.type(self.low), pixels.dtype.type(self.high))
        return result


BYTES = Window(0.0, 255.0, 255.0, clips=False)  # the window of plain 8-bit images


def as_data_range(name: str, value: Any, *, auto: bool = False) -> Any:
    """A data range: None, a number as the full-scale value, or (low, high); also "auto" if that is allowed."""
    if value is None or (auto and isinstance(value, str) and value == AUTO):
        return value
    if is_pair(value):
        low, high = as_range(name, value, -RANGE_LIMITS[1], RANGE_LIMITS[1])
        if high - low < RANGE_LIMITS[0]:
            raise ValueError(f"`{name}` must be (low, high) with low < high, got {value!r}")
        return low, high
    if isinstance(value, str | bool | np.bool_ | Sequence | np.ndarray):
        words = ', a pair (low, high) or "auto"' if auto else " or a pair (low, high)"
        raise TypeError(f"`{name}` must be None, a number{words}, got {describe(value)}")
    return as_number(name, value, *RANGE_LIMITS)


def window_of(name: str, array: np.ndarray, data_range: DataRange, keyword: str = "data_range") -> Window:
    """The window of an array. Raises an error for values outside [0, full scale] and for values that are not finite."""
    if array.dtype == np.uint8 and data_range in (None, 255):  # the usual case
        return BYTES
    if isinstance(data_range, tuple):
        return _given(name, array, data_range, keyword)
    integer = array.dtype.kind == "u"
    limit = float(np.iinfo(array.dtype).max) if integer else 1.0
    max_value = limit if data_range is None else float(array.dtype.type(data_range) if not integer else data_range)
    if integer and max_value > limit:
        raise ValueError(f"`{keyword}` must be at most {limit:g} for {array.dtype} images, got {data_range!r}")
    if integer and max_value == limit:
        return Window(0.0, max_value, max_value, clips=False)
    low, high = array.min(), array.max()
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`{name}` must not contain NaN")
    if low < 0 or high > max_value:
        hint = f"pass the right `{keyword}`" if integer else f"scale it, or pass its range as `{keyword}`"
        raise ValueError(f"`{name}` must lie in [0, {max_value:g}], got values from {low!s} to {high!s}; {hint}")
    return Window(0.0, max_value, max_value, clips=False)


def _given(name: str, array: np.ndarray, data_range: tuple[float, float], keyword: str) -> Window:
    """The window of a pair (low, high), in values that the dtype can represent."""
    limit = float(np.iinfo(array.dtype).max) if array.dtype.kind == "u" else math.inf
    if array.dtype.kind == "u":
        if data_range[0] < 0 or data_range[1] > limit:
            raise ValueError(f"`{keyword}` must lie in [0, {limit:g}] for {array.dtype} images, got {data_range!r}")
        low, high = float(math.ceil(data_range[0])), float(math.floor(data_range[1]))
    else:
        low, high = (float(array.dtype.type(end)) for end in data_range)
        if not (math.isfinite(array.min()) and math.isfinite(array.max())):
            raise ValueError(f"`{name}` must not contain NaN or infinity")
    if low >= high:
        raise ValueError(f"`{keyword}` must span more than one value of {array.dtype} images, got {data_range!r}")
    whole = array.dtype.kind == "u" and low == 0 and high == limit  # no value is outside
    return Window(low, high, high - low, clips=not whole)


def sample_values(name: str, pixels: np.ndarray, has_alpha: bool) -> np.ndarray:
    """About `MOST_SAMPLES` color values of an image at most, spread evenly over it."""
    step = max(1, math.ceil(math.sqrt(pixels.shape[0] * pixels.shape[1] / MOST_SAMPLES)))
    pixels = pixels[..., :-1] if has_alpha else pixels
    part = pixels[step // 2 :: step, step // 2 :: step].ravel()
    if step > 1 and part.min() == part.max():  # check every pixel before the image counts as constant
        part = np.append(part, [pixels.min(), pixels.max()])
    if part.dtype.kind == "f" and not np.isfinite(part).all():
        raise ValueError(f"`{name}` must not contain NaN or infinity")
    return part


def quantile_range(values: np.ndarray, lower: float, upper: float) -> tuple[float, float] | None:
    """Two quantiles; or the minimum and maximum if the quantiles are equal; or None if these are equal, too."""
    low, high = (float(end) for end in np.quantile(values, (lower, upper), method="nearest"))
    if low == high:
        low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else None


def auto_range(name: str, pixels: np.ndarray, has_alpha: bool) -> DataRange:
    """The window of a single image, or None, which means the range of its dtype, if it is constant."""
    window = quantile_range(sample_values(name, pixels, has_alpha), *QUANTILES)
    if window is None and pixels.dtype.kind == "f" and not 0 <= pixels.flat[0] <= 1:
        raise ValueError(f'`{name}` must contain more than one value for `data_range` "auto", got {pixels.flat[0]!s}')
    return window


def misfit(name: str, pixels: np.ndarray, window: Window) -> str:
    """A description of why the window does not fit an image, or "" if it does. For most images a few pixels suffice."""
    height, width = pixels.shape[:2]
    for part in (pixels[height // 2], pixels[:: max(1, height // SAMPLED), :: max(1, width // SAMPLED)], pixels):
        low, high = part.min(), part.max()
        if window.clips and high >= window.low and low <= window.high:
            return ""
        if not window.clips and float(high) - float(low) >= FILLED * window.max_value:
            return ""
    if window.clips:
        return f"`{name}` has values from {low!s} to {high!s}, all outside of `data_range` {tuple(window[:2])}"
    if low == high:  # a constant image tells nothing about its range
        return ""
    return (
        f"`{name}` has values from {low!s} to {high!s} but is read in a range of 0 to {window.max_value:g}, of which "
        f'this is less than a twentieth; `data_range=({low!s}, {high!s})` fits it, and "auto" finds it for each image'
    )
