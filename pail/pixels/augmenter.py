"""The user's own augmenter, one of imgaug included; the only module that knows imgaug, which is optional."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from pail._install import install_hint
from pail.core.checks import describe
from pail.core.composite import to_dtype
from pail.core.image import NormalImage
from pail.core.sampler import Sampler
from pail.core.source import as_source


def import_imgaug() -> Any:
    """The imgaug package, on NumPy 2 too.

    imgaug 0.4.0 reads `numpy.sctypes` while it is imported and never again;
    NumPy 2 has no such name, so it is lent for that moment.
    """
    lent = "imgaug" not in sys.modules and not hasattr(np, "sctypes")
    if lent:
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
        if lent:
            vars(np).pop("sctypes")
    return imgaug


def _is_imgaug(value: Any) -> bool:
    """Whether `value` is an augmenter of imgaug or of a class derived from one, without importing it."""
    return hasattr(value, "augment_image") and any(
        kind.__module__.partition(".")[0] == "imgaug" for kind in type(value).__mro__
    )


def as_augmenter(name: str, value: Any) -> Any:
    """None, a callable image -> image, or an augmenter of imgaug."""
    if value is None or callable(value) or _is_imgaug(value):
        return value
    raise TypeError(
        f"`{name}` must be None, a callable that takes and returns an image, or an imgaug augmenter, "
        f"got {describe(value)}"
    )


def as_transform(name: str, value: Any) -> Any:
    """A flag, or an augmenter as in `as_augmenter`."""
    if callable(value) or _is_imgaug(value):
        return value
    if isinstance(value, bool | np.bool_ | int | np.integer) and value in (0, 1):
        return bool(value)
    raise TypeError(
        f"`{name}` must be True, False or a callable that takes and returns an image, got {describe(value)}"
    )


def apply_augmenter(
    augmenter: Any, pixels: np.ndarray, sampler: Sampler, image: NormalImage, name: str = "augmenter"
) -> np.ndarray:
    """`pixels` through the user's augmenter, back in the working dtype and
    channels; its size may have changed.

    A callable gets a copy in the image's own dtype and range, (h, w) for
    frames of that shape and (h, w, C) otherwise. An imgaug augmenter gets 8
    bits; a copy of it works, seeded from `sampler`. Errors call it `name`.
    """
    if _is_imgaug(augmenter):
        return _as_result(_call_imgaug(augmenter, pixels, sampler, image, name), image, name)
    own = to_dtype(pixels, image)
    own = own.copy() if own is pixels or np.may_share_memory(own, pixels) else own
    result = _call(augmenter, own[..., 0] if image.pixels.ndim == 2 else own, name)
    if isinstance(result, np.ndarray) and result.dtype.kind == image.pixels.dtype.kind == "f":
        result = result.astype(image.pixels.dtype, copy=False)
    return _as_result(result, image, name)


def _as_result(result: Any, image: NormalImage, name: str) -> np.ndarray:
    """What came back, as a source: of four bands where the image has four, instead of three and alpha."""
    return as_source(result, image, f"{name}(image)", alpha=False if image.channels == 4 else None)


def _call(function: Callable[[np.ndarray], Any], image: np.ndarray, name: str) -> Any:
    try:
        return function(image)
    except Exception as error:
        raise ValueError(f"`{name}` must turn an image into an image, but it raised {error!r}") from error


def _call_imgaug(augmenter: Any, pixels: np.ndarray, sampler: Sampler, image: NormalImage, name: str) -> Any:
    worker = augmenter.deepcopy()
    worker.seed_(sampler.integer("augmenter_seed", 0, 2**31 - 1))
    eight = pixels.copy()
    if not image.is_byte:
        eight = np.clip(np.rint(pixels * np.float32(255 / image.max_value)), 0, 255).astype(np.uint8)
    result = _call(worker.augment_image, eight[..., 0] if image.pixels.ndim == 2 else eight, name)
    if image.pixels.dtype == np.uint8 and not image.is_byte and isinstance(result, np.ndarray):
        return np.rint(result * np.float32(image.max_value / 255) + np.float32(image.window.low)).astype(np.uint8)
    return result
