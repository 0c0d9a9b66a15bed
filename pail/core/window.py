"""The window of values that an image is read in: what is black to a technique, and what is white."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pail.core.checks import as_number, as_range, describe, is_pair

RANGE_LIMITS = (1e-30, 1e30)  # what float32, in which techniques compute, has room for
AUTO = "auto"
QUANTILES = (0.001, 0.999)
MOST_SAMPLES = 1 << 16  # pixels of an image whose quantiles are taken: 65 lie beyond the thousandth
FILLED = 1 / 20  # of its range: an image that fills less was probably meant in another
SAMPLED = 32  # rows and columns of a second look at an image, after one at a single row

DataRange = float | tuple[float, float] | None


class Window(NamedTuple):
    """The values [low, high] of an image's own that techniques see as 0 to `max_value`."""

    low: float
    high: float
    max_value: float  # high - low
    clips: bool  # whether values outside are allowed: kept where nothing is written, else taken for the nearer end

    def inside(self, pixels: np.ndarray) -> np.ndarray:
        """Values of an image as float32 in [0, max_value], a fresh array."""
        if not self.clips:
            return pixels.astype(np.float32)
        exact = np.float64 if pixels.dtype == np.float64 else np.float32  # before the cast, so that no digit is lost
        values = np.subtract(pixels, exact(self.low), dtype=exact)
        np.clip(values, 0, exact(self.max_value), out=values)
        result: np.ndarray = values.astype(np.float32, copy=False)
        return result

    def outside(self, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Values in [0, max_value] as those of an image: rounded for integers, never beyond the window."""
        if dtype.kind == "u":
            values = values + np.float32(self.low) if self.low else values
            rounded: np.ndarray = np.rint(values)
            np.clip(rounded, self.low, math.floor(self.high), out=rounded)
            return rounded.astype(dtype)
        values = values.astype(dtype, copy=False)  # clipped in the dtype that is kept
        values = values + dtype.type(self.low) if self.low else values
        clipped: np.ndarray = np.clip(values, dtype.type(self.low), dtype.type(self.high))
        return clipped

    def spacing(self, dtype: np.dtype) -> float:
        """The widest step from one float of the dtype to the next in the window, which far from 0 is a visible one."""
        return float(np.spacing(dtype.type(max(abs(self.low), abs(self.high)))))

    def clip(self, pixels: np.ndarray) -> np.ndarray:
        """Values of an image, those outside of the window at its nearer end."""
        result: np.ndarray = np.clip(pixels, pixels.dtype.type(self.low), pixels.dtype.type(self.high))
        return result


BYTES = Window(0.0, 255.0, 255.0, clips=False)  # of plain 8-bit images


def as_data_range(name: str, value: Any, *, auto: bool = False) -> Any:
    """None, a number as full scale, or (low, high); "auto" too, where that is allowed."""
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
    """The window of an array; raises where its values leave [0, full scale], or are not finite."""
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
    """The window of a pair (low, high), in numbers that the dtype has."""
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
        raise ValueError(f"`{keyword}` must hold more than one value of {array.dtype} images, got {data_range!r}")
    whole = array.dtype.kind == "u" and low == 0 and high == limit  # nothing lies outside
    return Window(low, high, high - low, clips=not whole)


def sample_values(name: str, pixels: np.ndarray, has_alpha: bool) -> np.ndarray:
    """Up to `MOST_SAMPLES` values or so of an image, spread over it, those of its colors alone."""
    step = max(1, math.ceil(math.sqrt(pixels.shape[0] * pixels.shape[1] / MOST_SAMPLES)))
    pixels = pixels[..., :-1] if has_alpha else pixels
    part = pixels[step // 2 :: step, step // 2 :: step].ravel()
    if step > 1 and part.min() == part.max():  # whether that is all there is, every pixel says
        part = np.append(part, [pixels.min(), pixels.max()])
    if part.dtype.kind == "f" and not np.isfinite(part).all():
        raise ValueError(f"`{name}` must not contain NaN or infinity")
    return part


def quantile_range(values: np.ndarray, lower: float, upper: float) -> tuple[float, float] | None:
    """Two quantiles, or the extremes where those are one value, or None where these are, too."""
    low, high = (float(end) for end in np.quantile(values, (lower, upper), method="nearest"))
    if low == high:
        low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else None


def auto_range(name: str, pixels: np.ndarray, has_alpha: bool) -> DataRange:
    """The window of one image by itself; None, the range of its dtype, where it has a single value."""
    window = quantile_range(sample_values(name, pixels, has_alpha), *QUANTILES)
    if window is None and pixels.dtype.kind == "f" and not 0 <= pixels.flat[0] <= 1:
        raise ValueError(f'`{name}` must hold more than one value for `data_range` "auto", got {pixels.flat[0]!s}')
    return window


def misfit(name: str, pixels: np.ndarray, window: Window) -> str:
    """What is odd about the window of an image, "" for nothing: most images are settled by a few pixels."""
    height, width = pixels.shape[:2]
    for part in (pixels[height // 2], pixels[:: max(1, height // SAMPLED), :: max(1, width // SAMPLED)], pixels):
        low, high = part.min(), part.max()
        if window.clips and high >= window.low and low <= window.high:
            return ""
        if not window.clips and float(high) - float(low) >= FILLED * window.max_value:
            return ""
    if window.clips:
        return f"`{name}` has values from {low!s} to {high!s}, all outside of `data_range` {tuple(window[:2])}"
    if low == high:  # a constant image fills nothing, and says nothing of its range
        return ""
    return (
        f"`{name}` has values from {low!s} to {high!s} but is read in a range of 0 to {window.max_value:g}, of which "
        f'that is less than a twentieth; `data_range=({low!s}, {high!s})` fits it, and "auto" finds it for each image'
    )
