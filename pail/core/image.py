"""Input images: which arrays and PIL images are accepted, and the checked normal image."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pail.core.checks import MAX_SIDE, as_range, describe
from pail.core.ops import Box, read_only, with_axis
from pail.core.warn import warn_user
from pail.core.window import (
    AUTO,
    BYTES,
    QUANTILES,
    DataRange,
    Window,
    as_data_range,
    auto_range,
    misfit,
    quantile_range,
    sample_values,
    window_of,
)
from pail.io import pil

MAX_CHANNELS = 16
DTYPES = ("u1", "u2", "f4", "f8")
MOST_IMAGES = 100  # images from which a window of values is computed
PAPER_SIDE = 256  # side of the images for which papers give lengths in pixels


def as_pixels(name: str, image: Any, alpha: bool | None = None, channels: int | None = None) -> tuple[np.ndarray, bool]:
    """Contiguous array (H, W) or (H, W, C) of an accepted dtype, and whether its last channel is alpha.

    If `alpha` is None, the fourth of four channels is alpha, and for PIL images the mode decides. False means that
    there is no alpha, True that the last of two or four channels is alpha. An array with `channels` channels is not
    mistaken for one with its channels in front.
    """
    if isinstance(image, Image.Image):
        array, has_alpha = pil.to_array(name, image)
    elif isinstance(image, np.ndarray):
        array, has_alpha = np.asarray(image), image.ndim == 3 and image.shape[2] == 4
    else:
        raise TypeError(f"`{name}` must be {_no_image(image)}")
    check_array(name, array, channels)
    if alpha is not None:
        has_alpha = alpha and array.ndim == 3 and array.shape[2] in (2, 4)
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")), has_alpha


def _no_image(value: Any) -> str:
    if value is None:
        return "an image, got None; cv2.imread returns None for a file it cannot read"
    text = f"a numpy array or a PIL image, got {describe(value)}"
    if isinstance(value, str | os.PathLike):
        return f"{text}; open the file first"
    if hasattr(value, "detach") and hasattr(value, "permute"):
        return f"a numpy array or a PIL image, got a tensor; pass tensor.permute(1, 2, 0).numpy(), got {type(value)}"
    return f"{text}; pass numpy.asarray(image)" if hasattr(value, "__array__") else text


def check_array(name: str, array: np.ndarray, channels: int | None = None) -> None:
    """Raise an error if dtype or shape are not those of an image. The values are not checked, and nothing is copied."""
    shape = array.shape
    if array.dtype.str[1:] not in DTYPES:
        raise TypeError(f"`{name}` must be of dtype uint8, uint16, float32 or float64, got {describe(array)}")
    if array.ndim not in (2, 3):
        raise ValueError(f"`{name}` must have shape (H, W) or (H, W, C), got {shape}")
    if array.size == 0:
        raise ValueError(f"`{name}` must not be empty, got shape {shape}")
    in_front = array.ndim == 3 and shape[0] in (1, 3, 4) and shape[2] != channels
    if in_front and (shape[2] > MAX_CHANNELS or shape[1] == shape[2] > 4):
        raise ValueError(
            f"`{name}` must have shape (H, W) or (H, W, C), got {shape}, which looks like (C, H, W); "
            "pass image.transpose(1, 2, 0), with at most 16 channels"
        )
    if array.ndim == 3 and shape[2] > MAX_CHANNELS:
        raise ValueError(f"`{name}` must have at most {MAX_CHANNELS} channels, got {shape[2]} in {shape}")
    if max(shape[:2]) > MAX_SIDE:
        raise ValueError(f"`{name}` must have sides of at most {MAX_SIDE} pixels, got {shape}")


@dataclass(slots=True)
class NormalImage:
    """The checked normal image.

    Techniques work on `crop`: (h, w, channels) without alpha, uint8 for uint8 images and float32 in [0, max_value] for
    all others. A technique therefore has to handle only two dtypes, and 16 bits keep their precision. If the image has
    a window of values, 0 is its lower end and `max_value` its width. All arrays that are returned are read-only.
    """

    pixels: np.ndarray  # contiguous, native byte order, in the caller's shape; read-only
    dtype: np.dtype  # the caller's dtype, byte order included
    window: Window  # window of values
    alpha: bool
    roi: np.ndarray | None = None  # uint8 {0, 255} (H, W), read-only: where anomalies may land
    normal: NormalImage | None = None  # for an image with earlier anomalies, the image without them
    found: dict[str, Any] = field(default_factory=dict)  # values that are computed once for the normal image
    _region: tuple[Box, int] | None = None  # bounding box and number of pixels of the region, once computed
    height: int = field(init=False)
    width: int = field(init=False)
    shape: tuple[int, int] = field(init=False)  # (height, width)
    whole: Box = field(init=False)  # the whole image as a box
    max_value: float = field(init=False)  # the largest working value: the full-scale value, or the width of the window
    is_byte: bool = field(init=False)  # whether the values are plain bytes: uint8 with a full scale of 255
    # Of the region of interest, or of the whole image without one. Sizes that a technique draws are fractions of these.
    region_box: Box = field(init=False)  # its bounding box
    region_side: int = field(init=False)  # the shorter side of the box, against which lengths are measured
    region_area: int = field(init=False)  # number of its pixels

    def __post_init__(self) -> None:
        self.height, self.width = self.pixels.shape[:2]
        self.shape = self.height, self.width
        self.whole = Box(0, 0, self.height, self.width)
        self.max_value = self.window.max_value
        self.is_byte = self.pixels.dtype == np.uint8 and self.max_value == 255
        if self._region is None:
            whole, roi = self.whole, self.roi
            self._region = (whole, whole.area) if roi is None else (Box.around(roi), cv2.countNonZero(roi))
        self.region_box, self.region_area = self._region
        self.region_side = min(self.region_box[2:])

    @property
    def data_range(self) -> DataRange:
        """The `data_range` that gives another image of this dtype the same window."""
        return self.window[:2] if self.window.clips else self.window.high

    @property
    def peak(self) -> float:
        """Deprecated: `max_value`."""
        _warn_renamed("peak", "max_value")
        return self.max_value

    @property
    def image(self) -> np.ndarray:
        """Deprecated: `pixels`."""
        _warn_renamed("image", "pixels")
        return self.pixels

    @property
    def side(self) -> int:
        """The shorter side of the image."""
        return min(self.shape)

    @property
    def channels(self) -> int:
        return 1 if self.pixels.ndim == 2 else self.pixels.shape[2] - self.alpha

    @property
    def is_integer(self) -> bool:
        return self.pixels.dtype.kind == "u"

    @property
    def working_dtype(self) -> type:
        return np.uint8 if self.is_byte else np.float32

    def crop(self, box: Box | None = None) -> np.ndarray:
        """Pixels of `box` (all by default) in the working dtype. They are read-only; copy them to change them."""
        box = box or self.whole
        if not (0 <= box.top <= self.height - box.height and 0 <= box.left <= self.width - box.width):
            raise ValueError(f"`box` must lie inside the image of shape {self.shape}, got {box}")
        pixels = with_axis(self.pixels[box.slices])
        if self.alpha:
            pixels = np.ascontiguousarray(pixels[..., :-1])
        return read_only(pixels if self.is_byte else self.window.inside(pixels))

    def cached(self, name: str, find: Callable[[NormalImage], Any]) -> Any:
        """The result of `find` for the normal image, computed once."""
        if name not in self.found:
            self.found[name] = find(self.normal or self)
        return self.found[name]

    def restrict(self, roi: np.ndarray | None) -> NormalImage:
        """A copy with a region of interest."""
        return self if roi is None else replace(self, roi=read_only(roi), _region=None)

    def part(self, box: Box) -> NormalImage:
        """A crop of the image and its region as a separate image."""
        if box == self.whole:
            return self
        image = np.ascontiguousarray(self.pixels[box.slices])
        roi = None if self.roi is None else read_only(np.ascontiguousarray(self.roi[box.slices]))
        return replace(self, pixels=read_only(image), roi=roi, normal=None, found={}, _region=None)

    def after(self, image: np.ndarray) -> NormalImage:
        """The image for the next anomaly: new pixels, with everything that is known about the normal image."""
        normal = self.normal or self
        return NormalImage(
            read_only(image), self.dtype, self.window, self.alpha, self.roi, normal, self.found, self._region
        )


def _warn_renamed(old: str, new: str) -> None:
    """Warn about names of 0.2.0 that registered techniques may use; they will be removed in 0.4.0."""
    warnings.warn(
        f"NormalImage.{old} is now NormalImage.{new}; the old name will be removed in 0.4.0",
        DeprecationWarning,
        stacklevel=3,
    )


def as_normal_image(
    image: Any, data_range: Any = None, name: str = "image", alpha: bool | None = None, *, warns: bool = False
) -> NormalImage:
    """Check the normal image. With `warns`, warn if its values hardly fit their range."""
    pixels, has_alpha = as_pixels(name, image, alpha)
    if data_range is None and pixels.dtype == np.uint8:
        window = BYTES
    else:
        data_range = as_data_range("data_range", data_range, auto=True)
        if data_range == AUTO:
            data_range = auto_range(name, pixels, has_alpha)
        window = window_of(name, pixels, data_range)
    if warns and pixels.dtype != np.uint8:  # 8-bit images hardly ever have another range
        text = misfit(name, pixels[..., :-1] if has_alpha else pixels, window)
        if text:
            warn_user("range", text)
    dtype = image.dtype if isinstance(image, np.ndarray) else pixels.dtype
    return NormalImage(read_only(pixels), dtype, window, has_alpha)


def data_range_of(images: Any, quantiles: tuple[float, float] = QUANTILES) -> tuple[float, float]:
    """Return the window of values that images use, for `Anomaly_Insertion`.

    Parameters
    ----------
    images : iterable of ndarray or PIL.Image.Image
        Images of one dtype, such as ``(cv2.imread(path, -1) for path in
        paths)``; the first 100 are used, one at a time. A single image is
        the same as a list of one. Alpha is ignored.
    quantiles : (float, float), default (0.001, 0.999)
        Quantiles of the values that become the lower and the upper end of
        the window, in [0, 1].

    Returns
    -------
    (float, float)
        The lower and the upper end, in the values of the images.

    Raises
    ------
    TypeError
        If an entry is not an image, or the images differ in dtype.
    ValueError
        If there is no image, all pixels have the same value, or a value is
        NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> import pail
    >>> noise = np.random.default_rng(0).normal(0, 100, (64, 64))
    >>> thermal = (51_600 + noise).astype(np.uint16)
    >>> low, high = pail.data_range_of([thermal])
    >>> 51_200 < low < 51_400 < 51_800 < high < 52_000
    True
    >>> insertion = pail.Anomaly_Insertion(data_range=(low, high))
    >>> i_a, m_a = insertion.cutpaste(thermal)
    """
    lower, upper = as_range("quantiles", quantiles, 0, 1)
    if lower >= upper:
        raise ValueError(f"`quantiles` must be (low, high) with low < high, got {quantiles!r}")
    if isinstance(images, np.ndarray | Image.Image):
        images = [images]
    if isinstance(images, str) or not isinstance(images, Iterable):
        raise TypeError(f"`images` must be an iterable of images, got {describe(images)}")
    samples: list[np.ndarray] = []
    for index, image in enumerate(islice(images, MOST_IMAGES)):
        samples.append(sample_values(f"images[{index}]", *as_pixels(f"images[{index}]", image)))
        if samples[-1].dtype != samples[0].dtype:
            raise TypeError(f"`images` must have the same dtype, got {samples[0].dtype} and {samples[-1].dtype}")
    if not samples:
        raise ValueError("`images` must contain an image, got none")
    window = quantile_range(np.concatenate(samples), lower, upper)
    if window is None:
        raise ValueError(f"`images` must contain more than one value, got {samples[0][0]!s} everywhere")
    return window
