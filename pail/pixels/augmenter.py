"""Patches and sources changed by the built-in augmentation or by the user's own.

An augmenter of the user's is a callable image -> image or an augmenter of imgaug. No other module knows imgaug, which
is optional.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pail._install import install_hint
from pail.core.checks import describe
from pail.core.composite import to_dtype
from pail.core.image import NormalImage
from pail.core.ops import resize
from pail.core.parameters import Parameter
from pail.core.sampler import Sampler
from pail.core.source import as_source
from pail.pixels.draem import augment
from pail.pixels.jitter import color_jitter


def import_imgaug() -> Any:
    """The imgaug package, on NumPy 2 too.

    imgaug 0.4.0 reads `numpy.sctypes` while it is imported and never again;
    NumPy 2 has no such name, so it is defined during the import only.
    """
    missing = "imgaug" not in sys.modules and not hasattr(np, "sctypes")
    if missing:
        vars(np)["sctypes"] = {
            "float": [np.float16, np.float32, np.float64, np.longdouble],
            "int": [np.int8, np.int16, np.int32, np.int64],
            "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
        }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import imgaug
            import imgaug.augmenters
    except ImportError as error:
        raise ImportError(f"imgaug is not installed: {install_hint('imgaug')}") from error
    finally:
        if missing:
            vars(np).pop("sctypes")
    return imgaug


def _is_imgaug(value: Any) -> bool:
    """Whether `value` is an augmenter of imgaug or of a class derived from one, without importing it."""
    return hasattr(value, "augment_image") and any(
        kind.__module__.partition(".")[0] == "imgaug" for kind in type(value).__mro__
    )


@dataclass(frozen=True)
class Augmenter(Parameter):
    """A callable image -> image, or an augmenter of imgaug."""

    instead: tuple[str | None, ...] = (None,)

    def usual(self, name: str, value: Any) -> Any:
        if callable(value) or _is_imgaug(value):
            return value
        raise TypeError(f"`{name}` must be {self.text}, got {describe(value)}")

    @property
    def kind(self) -> str:
        return "a callable that takes and returns an image, an imgaug augmenter"


def as_transform(name: str, value: Any) -> Any:
    """A flag, or an augmenter as in `Augmenter`."""
    if callable(value) or _is_imgaug(value):
        return value
    if isinstance(value, bool | np.bool_ | int | np.integer) and value in (0, 1):
        return bool(value)
    raise TypeError(
        f"`{name}` must be True, False or a callable that takes and returns an image, got {describe(value)}"
    )


def change_patch(image: NormalImage, sampler: Sampler, patch: np.ndarray, transform: Any) -> np.ndarray:
    """A patch after the instance's `transform`: True for CutPaste's color jitter, False for none, or an augmenter."""
    if transform is True:
        return color_jitter(patch, sampler, image.max_value, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    if transform is False:
        return patch
    return resize(apply_augmenter(transform, patch, sampler, image, "transform"), patch.shape[:2])


def augmented_source(
    image: NormalImage, sampler: Sampler, source: np.ndarray | None, augmenter: Any, *, always: bool
) -> np.ndarray:
    """The source, or the image itself without one, at the image's size, changed by the user's augmenter.

    Without one DRAEM's augmenters change it where `always` is set.
    """
    pixels = image.crop() if source is None else resize(source, image.shape)
    if augmenter is not None:
        return resize(apply_augmenter(augmenter, pixels, sampler, image), image.shape)
    return augment(pixels, sampler, image.max_value) if always else pixels


def apply_augmenter(
    augmenter: Any, pixels: np.ndarray, sampler: Sampler, image: NormalImage, name: str = "augmenter"
) -> np.ndarray:
    """`pixels` through the user's augmenter, back in the working dtype and channels; its size may have changed.

    A callable gets a copy in the image's own dtype and range, (h, w) for images of that shape and (h, w, C) otherwise.
    An imgaug augmenter gets 8 bits; a copy of it is used, seeded from `sampler`. Errors name it `name`.
    """
    dtype, is_imgaug = image.pixels.dtype, _is_imgaug(augmenter)
    if is_imgaug:
        worker = augmenter.deepcopy()
        worker.seed_(sampler.integer("augmenter_seed", 0, 2**31 - 1))
        own = pixels.copy()
        if not image.is_byte:
            own = np.clip(np.rint(pixels * np.float32(255 / image.max_value)), 0, 255).astype(np.uint8)
        function: Callable[[np.ndarray], Any] = worker.augment_image
    else:
        own = to_dtype(pixels, image)
        own = own.copy() if own is pixels or np.may_share_memory(own, pixels) else own
        function = augmenter
    try:
        result = function(own[..., 0] if image.pixels.ndim == 2 else own)
    except Exception as error:
        raise ValueError(f"`{name}` must turn an image into an image, but it raised {error!r}") from error
    if isinstance(result, np.ndarray):
        if not is_imgaug and result.dtype.kind == dtype.kind == "f":
            result = result.astype(dtype, copy=False)
        elif is_imgaug and dtype == np.uint8 and not image.is_byte:
            result = np.rint(result * np.float32(image.max_value / 255) + np.float32(image.window.low)).astype(np.uint8)
    # Four channels are four bands where the image has four, instead of three and alpha.
    return as_source(result, image, f"{name}(image)", alpha=False if image.channels == 4 else None)
