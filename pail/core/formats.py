"""The image formats that are accepted: arrays and PIL images, and their channels."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from PIL import Image

from pail.core.checks import MAX_SIDE, describe
from pail.io import pil

MAX_CHANNELS = 16
DTYPES = ("u1", "u2", "f4", "f8")


def as_pixels(name: str, image: Any, alpha: bool | None = None) -> tuple[np.ndarray, bool]:
    """Contiguous array (H, W) or (H, W, C) of an accepted dtype, and whether its last channel is alpha.

    `alpha` None takes the fourth of four channels for alpha, and PIL's word for its modes; False says that there is
    none, True that the last of two or four channels is one.
    """
    if isinstance(image, Image.Image):
        array, has_alpha = pil.to_array(name, image)
    elif isinstance(image, np.ndarray):
        array, has_alpha = np.asarray(image), image.ndim == 3 and image.shape[2] == 4
    else:
        raise TypeError(f"`{name}` must be {_no_image(image)}")
    check_array(name, array)
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


def check_array(name: str, array: np.ndarray) -> None:
    """Raise where dtype or shape are not those of an image; the values are not looked at, and nothing is copied."""
    _check_dtype(name, array)
    _check_shape(name, array)


def _check_dtype(name: str, array: np.ndarray) -> None:
    if array.dtype.str[1:] not in DTYPES:
        raise TypeError(f"`{name}` must be of dtype uint8, uint16, float32 or float64, got {describe(array)}")


def _check_shape(name: str, array: np.ndarray) -> None:
    shape = array.shape
    if array.ndim not in (2, 3):
        raise ValueError(f"`{name}` must have shape (H, W) or (H, W, C), got {shape}")
    if array.size == 0:
        raise ValueError(f"`{name}` must not be empty, got shape {shape}")
    if array.ndim == 3 and shape[0] in (1, 3, 4) and (shape[2] > MAX_CHANNELS or shape[1] == shape[2] > 4):
        raise ValueError(
            f"`{name}` must have shape (H, W) or (H, W, C), got {shape}, which looks like (C, H, W); "
            "pass image.transpose(1, 2, 0), with at most 16 channels"
        )
    if array.ndim == 3 and shape[2] > MAX_CHANNELS:
        raise ValueError(f"`{name}` must have at most {MAX_CHANNELS} channels, got {shape[2]} in {shape}")
    if max(shape[:2]) > MAX_SIDE:
        raise ValueError(f"`{name}` must have sides of at most {MAX_SIDE} pixels, got {shape}")
