"""Augmentation of patches and sources, built in or given by the user.

A user's augmenter is a callable that takes and returns an image, or an imgaug augmenter. No other module depends on
imgaug, which is optional.
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
from pail.pixels.color import color_jitter
from pail.pixels.draem import augment


def import_imgaug() -> Any:
    """Import the imgaug package, also on NumPy 2.

    imgaug 0.4.0 reads `numpy.sctypes` only while it is imported. NumPy 2
    does not have this name, so it is defined during the import.
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
    """Whether `value` is an imgaug augmenter or an instance of a derived class, without importing imgaug."""
    return hasattr(value, "augment_image") and any(
        kind.__module__.partition(".")[0] == "imgaug" for kind in type(value).__mro__
    )


@dataclass(frozen=True)
class Augmenter(Parameter):
    """A callable that takes and returns an image, or an imgaug augmenter."""

    instead: tuple[str | None, ...] = (None,)

    def usual(self, name: str, value: Any) -> Any:
        if callable(value) or _is_imgaug(value):
            return value
        raise TypeError(f"`{name}` must be {self.text}, got {describe(value)}")

    @property
    def kind(self) -> str:
        return "a callable that takes and returns an image, an imgaug augmenter"


def as_transform(name: str, value: Any) -> Any:
    """A bool, or an augmenter as in `Augmenter`."""
    if callable(value) or _is_imgaug(value):
        return value
    if isinstance(value, bool | np.bool_ | int | np.integer) and value in (0, 1):
        return bool(value)
    raise TypeError(
        f"`{name}` must be True, False or a callable that takes and returns an image, got {describe(value)}"
    )


def change_patch(image: NormalImage, sampler: Sampler, patch: np.ndarray, transform: Any) -> np.ndarray:
    """Apply the instance's `transform` to a patch: True is CutPaste's color jitter, False is none, or an augmenter."""
    if transform is True:
        return color_jitter(patch, sampler, image.max_value, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    if transform is False:
        return patch
    return resize(apply_augmenter(transform, patch, sampler, image, "transform"), patch.shape[:2])


def augmented_source(
    image: NormalImage, sampler: Sampler, source: np.ndarray | None, augmenter: Any, *, always: bool
) -> np.ndarray:
    """The source (or else the image itself) at the size of the image, changed by the user's augmenter.

    Without an augmenter, DRAEM's augmenters are used if `always` is set.
    """
    pixels = image.crop() if source is None else resize(source, image.shape)
    if augmenter is not None:
        return resize(apply_augmenter(augmenter, pixels, sampler, image), image.shape)
    return augment(pixels, sampler, image.max_value) if always else pixels


def apply_augmenter(
    augmenter: Any, pixels: np.ndarray, sampler: Sampler, image: NormalImage, name: str = "augmenter"
) -> np.ndarray:
    """Apply the user's augmenter to `pixels`, and convert the result to the working dtype and channels. Its size may
    change.

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
        raise ValueError(f"`{name}` must take and return an image, but it raised {error!r}") from error
    if isinstance(result, np.ndarray):
        if not is_imgaug and result.dtype.kind == dtype.kind == "f":
            result = result.astype(dtype, copy=False)
        elif is_imgaug and dtype == np.uint8 and not image.is_byte:
            result = np.rint(result * np.float32(image.max_value / 255) + np.float32(image.window.low)).astype(np.uint8)
    # If the image has four bands, four channels are not three and alpha.
    return as_source(result, image, f"{name}(image)", alpha=False if image.channels == 4 else None)
