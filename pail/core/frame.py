"""The validated normal image, whatever its format was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.formats import as_data_range, as_pixels, top_of_range
from pail.core.ops import with_axis

PAPER_SIDE = 256  # pixels a side of the papers' images, at which their lengths are meant


@dataclass(slots=True)
class Frame:
    """The validated normal image.

    Techniques work on `crop`: (h, w, channels) without alpha, uint8 for
    uint8 images and float32 in [0, peak] for all others, so that 16 bits
    stay 16 bits and a technique knows two dtypes only.
    """

    image: np.ndarray  # contiguous, native byte order, in the caller's shape; never written to
    dtype: np.dtype  # the caller's dtype, byte order included
    peak: float
    alpha: bool
    roi: np.ndarray | None = None  # uint8 {0, 255} (H, W): where anomalies may land
    normal: Frame | None = None  # of a frame with earlier anomalies: the one without
    found: dict[str, Any] = field(default_factory=dict)  # what was worked out once for the normal image
    _reference: tuple[Box, int] | None = None  # bounding box and pixels of the region, once they are known

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
    def whole(self) -> Box:
        return Box(0, 0, *self.image.shape[:2])

    @property
    def side(self) -> int:
        """The shorter side of the image."""
        return min(self.image.shape[:2])

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
        return 1 if self.image.ndim == 2 else self.image.shape[2] - self.alpha

    @property
    def is_byte(self) -> bool:
        """Whether the values are plain bytes: uint8 with a full scale of 255."""
        return self.image.dtype == np.uint8 and self.peak == 255

    @property
    def is_integer(self) -> bool:
        return self.image.dtype.kind == "u"

    @property
    def working_dtype(self) -> type:
        return np.uint8 if self.is_byte else np.float32

    def crop(self, box: Box | None = None) -> np.ndarray:
        """Pixels of `box` (all by default) in the working dtype. May be a view of the input: never write to it."""
        if box is not None and (box.top < 0 or box.left < 0 or box.bottom > self.height or box.right > self.width):
            raise ValueError(f"`box` must lie inside the image of shape {self.shape}, got {box}")
        pixels = with_axis(self.image if box is None else self.image[box.slices])
        if self.alpha:
            pixels = np.ascontiguousarray(pixels[..., :-1])
        return pixels if self.is_byte else pixels.astype(np.float32)

    def once(self, name: str, find: Callable[[Frame], Any]) -> Any:
        """What `find` makes of the normal image, worked out at its first use."""
        if name not in self.found:
            self.found[name] = find(self.normal or self)
        return self.found[name]

    def restrict(self, roi: np.ndarray | None) -> Frame:
        """The frame with a region of interest."""
        return self if roi is None else replace(self, roi=roi, _reference=None)

    def part(self, box: Box) -> Frame:
        """A part of the image, with its part of the region, as a frame of its own."""
        if box == self.whole:
            return self
        image = np.ascontiguousarray(self.image[box.slices])
        roi = None if self.roi is None else np.ascontiguousarray(self.roi[box.slices])
        return replace(self, image=image, roi=roi, normal=None, found={}, _reference=None)

    def after(self, image: np.ndarray) -> Frame:
        """The frame for the next anomaly: another image, and all that is known of the normal one."""
        normal = self.normal or self
        return Frame(image, self.dtype, self.peak, self.alpha, self.roi, normal, self.found, self._reference)


def as_frame(image: Any, data_range: Any = None, name: str = "image", alpha: bool | None = None) -> Frame:
    """Check the normal image; see `Frame`."""
    data_range = as_data_range("data_range", data_range)
    pixels, has_alpha = as_pixels(name, image, alpha)
    dtype = image.dtype if isinstance(image, np.ndarray) else pixels.dtype
    return Frame(pixels, dtype, top_of_range(name, pixels, data_range), has_alpha)
