"""The validated normal image, whatever its format was."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.formats import as_pixels
from pail.core.ops import read_only, with_axis
from pail.core.warn import warn_user
from pail.core.window import AUTO, DataRange, Window, as_data_range, auto_range, misfit, window_of

PAPER_SIDE = 256  # pixels a side of the papers' images, at which their lengths are meant


@dataclass(slots=True)
class NormalImage:
    """The validated normal image.

    Techniques work on `crop`: (h, w, channels) without alpha, uint8 for
    uint8 images and float32 in [0, max_value] for all others, so that 16 bits
    stay 16 bits and a technique knows two dtypes only. Where the image has a
    window of values, 0 is its lower end and `max_value` its width. No array that
    an image hands out can be written to.
    """

    pixels: np.ndarray  # contiguous, native byte order, in the caller's shape; read-only
    dtype: np.dtype  # the caller's dtype, byte order included
    window: Window  # of its values
    alpha: bool
    roi: np.ndarray | None = None  # uint8 {0, 255} (H, W), read-only: where anomalies may land
    normal: NormalImage | None = None  # of an image with earlier anomalies: the one without
    found: dict[str, Any] = field(default_factory=dict)  # what was worked out once for the normal image
    _reference: tuple[Box, int] | None = None  # bounding box and pixels of the region, once they are known

    @property
    def max_value(self) -> float:
        """The largest working value: full scale, or the width of the window."""
        return self.window.max_value

    @property
    def data_range(self) -> DataRange:
        """What would give another image of this dtype the same window."""
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
    def height(self) -> int:
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        return self.pixels.shape[:2]

    @property
    def whole(self) -> Box:
        return Box(0, 0, *self.pixels.shape[:2])

    @property
    def side(self) -> int:
        """The shorter side of the image."""
        return min(self.pixels.shape[:2])

    @property
    def region_box(self) -> Box:
        """The bounding box of the region of interest, the whole image without one.

        Sizes that a technique draws are fractions of its height and width, of `region_side` and of `region_area`.
        """
        return self._region()[0]

    @property
    def region_side(self) -> int:
        """The shorter side of `region_box`, against which lengths are measured."""
        box = self.region_box
        return min(box.height, box.width)

    @property
    def region_area(self) -> int:
        """Pixels of the region of interest, of the whole image without one."""
        return self._region()[1]

    def _region(self) -> tuple[Box, int]:
        if self._reference is None:
            whole = self.whole
            self._reference = (
                (whole, whole.area) if self.roi is None else (Box.around(self.roi), cv2.countNonZero(self.roi))
            )
        return self._reference

    @property
    def channels(self) -> int:
        return 1 if self.pixels.ndim == 2 else self.pixels.shape[2] - self.alpha

    @property
    def is_byte(self) -> bool:
        """Whether the values are plain bytes: uint8 with a full scale of 255."""
        return self.pixels.dtype == np.uint8 and self.window.max_value == 255

    @property
    def is_integer(self) -> bool:
        return self.pixels.dtype.kind == "u"

    @property
    def working_dtype(self) -> type:
        return np.uint8 if self.is_byte else np.float32

    def crop(self, box: Box | None = None) -> np.ndarray:
        """Pixels of `box` (all by default) in the working dtype, read-only: copy what is to be changed."""
        if box is not None and (box.top < 0 or box.left < 0 or box.bottom > self.height or box.right > self.width):
            raise ValueError(f"`box` must lie inside the image of shape {self.shape}, got {box}")
        pixels = with_axis(self.pixels if box is None else self.pixels[box.slices])
        if self.alpha:
            pixels = np.ascontiguousarray(pixels[..., :-1])
        return read_only(pixels if self.is_byte else self.window.inside(pixels))

    def cached(self, name: str, find: Callable[[NormalImage], Any]) -> Any:
        """What `find` makes of the normal image, worked out at its first use."""
        if name not in self.found:
            self.found[name] = find(self.normal or self)
        return self.found[name]

    def restrict(self, roi: np.ndarray | None) -> NormalImage:
        """The image with a region of interest."""
        return self if roi is None else replace(self, roi=read_only(roi), _reference=None)

    def part(self, box: Box) -> NormalImage:
        """A part of the image, with its part of the region, as an image of its own."""
        if box == self.whole:
            return self
        image = np.ascontiguousarray(self.pixels[box.slices])
        roi = None if self.roi is None else read_only(np.ascontiguousarray(self.roi[box.slices]))
        return replace(self, pixels=read_only(image), roi=roi, normal=None, found={}, _reference=None)

    def after(self, image: np.ndarray) -> NormalImage:
        """The image for the next anomaly: another image, and all that is known of the normal one."""
        normal = self.normal or self
        return NormalImage(
            read_only(image), self.dtype, self.window, self.alpha, self.roi, normal, self.found, self._reference
        )


def _warn_renamed(old: str, new: str) -> None:
    """Names of 0.2.0 that techniques of users may have; they stay until 0.4.0."""
    warnings.warn(f"NormalImage.{old} is now NormalImage.{new}", DeprecationWarning, stacklevel=3)


def as_normal_image(
    image: Any, data_range: Any = None, name: str = "image", alpha: bool | None = None, *, warns: bool = False
) -> NormalImage:
    """Check the normal image; see `Frame`. With `warns`, values that hardly fit their range are pointed out."""
    data_range = as_data_range("data_range", data_range, auto=True)
    pixels, has_alpha = as_pixels(name, image, alpha)
    if data_range == AUTO:
        data_range = auto_range(name, pixels, has_alpha)
    window = window_of(name, pixels, data_range)
    if warns and pixels.dtype != np.uint8:  # bytes are hardly ever in another range
        text = misfit(name, pixels[..., :-1] if has_alpha else pixels, window)
        if text:
            warn_user("range", text)
    dtype = image.dtype if isinstance(image, np.ndarray) else pixels.dtype
    return NormalImage(read_only(pixels), dtype, window, has_alpha)
