"""The boundary of the library: what comes in is checked here, and every output is built here.

A technique sees a validated `Frame` and a `Draw` and answers with an `Insertion`; `composite` turns that into
``(i_a, m_a)``. Outside the mask the image is bit-identical to the input because nothing else writes to an output.
"""

from __future__ import annotations

import math
import numbers
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.random.bit_generator import ISeedSequence
from PIL import Image

MAX_SIDE = 32_766  # cv2.remap addresses rows and columns with signed 16-bit integers
MAX_CHANNELS = 16
CONVERTED_MODES = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "RGBa": "RGBA", "PA": "RGBA"}
PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "F", "I;16", "I;16L", "I;16B", "I;16N")
FALLBACK_FRACTION = 1 / 16  # side of the square that stands in where a random mask stays empty
STRIP_BYTES = 1 << 18  # outputs are written in strips of about this size
FAINTEST_OPACITY = 0.15  # MemSeg's lower bound of the transparency range


class Box(NamedTuple):
    """A rectangle of pixels, rows before columns. It may reach over the image's border until it is cropped."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


class Insertion(NamedTuple):
    """What a technique wants to see inserted: `content` on `box` where `mask` is not 0.

    `content` is (h, w, C) in the frame's working dtype (float32 is accepted for uint8 frames too); `mask` is uint8
    (h, w) with 0 and 255, None for the whole box; `opacity` 1 is all content.
    """

    box: Box
    content: np.ndarray
    mask: np.ndarray | None = None
    opacity: float = 1.0


# --------------------------------------------------------------------------------------------------------------------
# Plain arguments


def describe(value: object) -> str:
    """A short text of what came, for an error message."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, Image.Image):
        return f"a PIL image of mode {value.mode} and size {value.size}"
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


def as_flag(name: str, value: object) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be True or False, got {describe(value)}")
    return bool(value)


def as_number(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    integer: bool = False,
    above: bool = False,
) -> float:
    """`value` as a finite number in [low, high], or (low, high] where `above` is set."""
    if not _is_number(value, integer):
        raise TypeError(f"`{name}` must be {_bounds(low, high, integer, above)}, got {describe(value)}")
    # Compared as it is: an int may be too large for a float, and that is out of range like any other.
    if not low <= value <= high or (above and value == low) or value in (math.inf, -math.inf):
        raise ValueError(f"`{name}` must be {_bounds(low, high, integer, above)}, got {describe(value)}")
    return int(value) if integer else float(value)


def _is_number(value: Any, integer: bool) -> bool:
    if type(value) is int or (type(value) is float and not integer):  # the usual case, without the abstract classes
        return True
    return not isinstance(value, (bool, np.bool_)) and isinstance(value, numbers.Integral if integer else numbers.Real)


def _bounds(low: float, high: float, integer: bool, above: bool) -> str:
    return f"{'an integer' if integer else 'a number'} in {'(' if above else '['}{low:g}, {high:g}]"


def as_range(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    integer: bool = False,
    above: bool = False,
) -> tuple[float, float]:
    """`value` as (lower, upper), both numbers as in `as_number` and in that order."""
    if not _is_pair(value):
        raise TypeError(f"`{name}` must be a pair (low, high), got {describe(value)}")
    lower = as_number(f"{name}[0]", value[0], low, high, integer=integer, above=above)
    upper = as_number(f"{name}[1]", value[1], low, high, integer=integer, above=above)
    if lower > upper:
        raise ValueError(f"`{name}` must be (low, high) with low <= high, got {value!r}")
    return lower, upper


def _is_pair(value: Any) -> bool:
    if type(value) is tuple:
        return len(value) == 2
    return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str) and np.shape(value)[:1] == (2,)


def as_sequence(name: str, value: Any, check: Callable[[str, Any], Any], *, empty: bool = False) -> list[Any]:
    """A non-empty sequence whose entries pass `check(name, entry)`."""
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray) or np.ndim(value) == 0:
        raise TypeError(f"`{name}` must be a sequence, got {describe(value)}")
    if len(value) == 0 and not empty:
        raise ValueError(f"`{name}` must not be empty")
    return [check(f"{name}[{i}]", entry) for i, entry in enumerate(value)]


def as_choice(name: str, value: Any, options: Sequence[Any]) -> Any:
    known = ", ".join(repr(option) for option in options)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"`{name}` must be one of {known}, got {describe(value)}")
    if value not in options:
        raise ValueError(f"`{name}` must be one of {known}, got {describe(value)}")
    return value


def as_size(name: str, value: Any) -> tuple[int, int] | None:
    """(height, width) in pixels, or None."""
    if value is None:
        return None
    if not _is_pair(value):
        raise TypeError(f"`{name}` must be (height, width) or None, got {describe(value)}")
    height, width = (int(as_number(f"{name}[{i}]", v, 1, MAX_SIDE, integer=True)) for i, v in enumerate(value))
    return height, width


def as_mask(name: str, value: Any, shape: tuple[int, int] | None = None) -> np.ndarray:
    """A bool or 0/255 mask (H, W) or (H, W, 1), array or PIL, as uint8 {0, 255} (H, W); never all false."""
    if isinstance(value, Image.Image):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray) or value.dtype not in (np.bool_, np.uint8):
        raise TypeError(f"`{name}` must be a bool or 0/255 uint8 mask, got {describe(value)}")
    mask = value[..., 0] if value.ndim == 3 and value.shape[2] == 1 else value
    if mask.ndim != 2 or mask.size == 0 or max(mask.shape) > MAX_SIDE:
        raise ValueError(f"`{name}` must be a mask of shape (H, W) or (H, W, 1), got {describe(value)}")
    if shape is not None and mask.shape != shape:
        raise ValueError(f"`{name}` must have the image's height and width {shape}, got {mask.shape}")
    mask = np.ascontiguousarray(mask).view(np.uint8)
    count = cv2.countNonZero(mask)
    if count == 0:
        raise ValueError(f"`{name}` must have at least one true pixel, got an empty mask")
    if value.dtype == np.bool_:
        return np.negative(mask)
    if cv2.sumElems(mask)[0] != 255.0 * count:
        raise ValueError(f"`{name}` must hold only 0 and 255, got other values")
    return mask


def as_bytes(mask: np.ndarray) -> np.ndarray:
    """A bool mask as uint8 {0, 255}."""
    return np.negative(mask.view(np.uint8))


# --------------------------------------------------------------------------------------------------------------------
# Images


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


def with_axis(array: np.ndarray) -> np.ndarray:
    """(h, w) as (h, w, 1): OpenCV drops the trailing axis of one-channel images."""
    return array[..., None] if array.ndim == 2 else array


def unchanged(content: np.ndarray, original: np.ndarray) -> bool:
    """Whether nothing would be seen, as where black is pasted on black; one row settles it nearly always."""
    middle = len(content) // 2
    return np.array_equal(content[middle], original[middle]) and np.array_equal(content, original)


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


def resize(image: np.ndarray, shape: tuple[int, int], *, nearest: bool = False) -> np.ndarray:
    """(h, w, C) at another height and width: area average when shrinking, linear when enlarging."""
    height, width = shape
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    if image.ndim == 2 or image.shape[2] <= 4:
        resized = cv2.resize(image, (width, height), interpolation=how)
        return resized if image.ndim == 2 else with_axis(resized)
    planes = [
        cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=how)
        for plane in np.moveaxis(image, 2, 0)
    ]
    return np.stack(planes, axis=2)  # OpenCV averages areas of at most four channels


def as_frame(image: Any, data_range: Any = None, name: str = "image") -> Frame:
    """Check the normal image; see `Frame`."""
    array, alpha = _as_pixels(name, image)
    if data_range is not None:
        data_range = as_number("data_range", data_range, 0, above=True)
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return Frame(native, array.dtype, _top_of_range(name, native, data_range), alpha)


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


# --------------------------------------------------------------------------------------------------------------------
# Random numbers


def as_rng(rng: Any, name: str = "rng") -> np.random.Generator:
    """A Generator from None (fresh entropy), an int, a sequence of ints, a SeedSequence or a Generator (kept)."""
    if isinstance(rng, bool | np.bool_ | str | bytes | float):
        raise TypeError(
            f"`{name}` must be None, an int, a sequence of ints, a SeedSequence or a Generator, got {describe(rng)}"
        )
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError, OverflowError) as error:
        raise type(error)(
            f"`{name}` must be None, a non-negative int, a sequence of such ints, a SeedSequence or a Generator, "
            f"got {describe(rng)}"
        ) from error


class _Process:
    """A token of this process that no fork and no pickle carries over."""

    token = secrets.token_bytes(16)

    @classmethod
    def renew(cls) -> None:
        cls.token = secrets.token_bytes(16)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Process.renew)


class _Words(ISeedSequence):
    """Random bytes as they are for the state of a PCG64: mixing them again would cost more than many a draw."""

    def __init__(self, random_bytes: bytes) -> None:
        self._words = np.frombuffer(random_bytes, np.uint64)

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        return self._words[:n_words].astype(dtype, copy=False)


class Stream:
    """An instance's random stream: a generator of its own for every call.

    In a process other than the one that made it (fork, pickle) it starts anew from fresh entropy: workers that
    inherit an instance must not all repeat the same draws.
    """

    def __init__(self, rng: Any = None) -> None:
        self._generator = as_rng(rng)
        self._token = _Process.token

    def next(self) -> np.random.Generator:
        if self._token != _Process.token:
            self._generator, self._token = np.random.default_rng(), _Process.token
        # A child for each call keeps calls of several threads apart: one call is one stream.
        return np.random.Generator(np.random.PCG64(_Words(self._generator.bytes(32))))  # type: ignore[arg-type]


@dataclass(slots=True)
class Draw:
    """The random numbers of one call, remembered by name, in the order in which they were drawn.

    `severity` None draws from the paper's distributions; a number in [0, 1] picks the place in a range with
    `scaled`, which everything uses that makes an anomaly larger or stronger.
    """

    rng: np.random.Generator
    severity: float | None = None
    drawn: dict[str, list[Any]] = field(default_factory=dict)

    def keep(self, name: str, value: Any) -> Any:
        self.drawn.setdefault(name, []).append(value)
        return value

    def uniform(self, name: str, low: float, high: float) -> float:
        return self.keep(name, low + (high - low) * self.rng.random())

    def integer(self, name: str, low: int, high: int) -> int:
        """Uniform on low..high, both included."""
        return self.keep(name, low + int(self.rng.random() * (high - low + 1)))

    def flag(self, name: str, probability: float = 0.5) -> bool:
        return self.keep(name, self.rng.random() < probability)

    def choice(self, name: str, options: Sequence[Any]) -> Any:
        return self.keep(name, options[int(self.rng.random() * len(options))])

    def sample(self, name: str, count: int, size: int) -> list[int]:
        """`size` of 0..count-1 without replacement, in random order."""
        return self.keep(name, self.rng.permutation(count)[:size].tolist())

    def scaled(self, name: str, low: float, high: float) -> float:
        """Uniform on [low, high]; with a severity, that part of the way from `low` to `high`."""
        place = self.rng.random()
        return self.keep(name, low + (high - low) * (place if self.severity is None else self.severity))

    def scaled_integer(self, name: str, low: int, high: int) -> int:
        """Uniform on low..high, both included; with a severity, that part of the way, rounded."""
        if self.severity is None:
            return self.integer(name, low, high)
        self.rng.random()
        return self.keep(name, round(low + (high - low) * self.severity))

    def opacity(self) -> float:
        """1, the paper's hard paste; with a severity, fainter below 1."""
        if self.severity is None:
            return 1.0
        return self.keep("opacity", FAINTEST_OPACITY + (1 - FAINTEST_OPACITY) * self.severity)


def as_severity(value: Any, rng: np.random.Generator) -> float | None:
    """None, or the number in [0, 1] that a call uses, drawn where a range is given."""
    if value is None:
        return None
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        low, high = as_range("severity", value, 0, 1)
        return low + (high - low) * rng.random()
    return as_number("severity", value, 0, 1)


# --------------------------------------------------------------------------------------------------------------------
# The output


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
