"""The only entry point for masks: every accepted mask becomes an array of 0 and 255."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from PIL import Image

from pail.core.checks import MAX_SIDE, describe
from pail.core.ops import as_bytes


def as_mask(name: str, value: Any, shape: tuple[int, int] | None = None) -> np.ndarray:
    """A mask (H, W) or (H, W, 1), array or PIL image, as a new uint8 array {0, 255} (H, W). An empty mask is an error.

    The mask contains bools, 0 and 255, or 0 and 1. `shape` is the required height and width.
    """
    mask = mask_array(name, value)
    if not isinstance(mask, np.ndarray) or mask.dtype.kind not in "buif":
        raise TypeError(f"`{name}` must be a mask of bool, 0 and 255 or 0 and 1, got {describe(value)}")
    mask = mask[..., 0] if mask.ndim == 3 and mask.shape[2] == 1 else mask
    if mask.ndim != 2 or mask.size == 0 or max(mask.shape) > MAX_SIDE:
        raise ValueError(f"`{name}` must be a mask of shape (H, W) or (H, W, 1), got {describe(value)}")
    if shape is not None:
        check_shape(name, mask, shape)
    mask = np.ascontiguousarray(mask)
    result = as_bytes(mask if mask.dtype == np.bool_ else mask != 0)
    if not cv2.hasNonZero(result):
        raise ValueError(f"`{name}` must have at least one true pixel, got an empty mask")
    if mask.dtype != np.bool_ and not _is_binary(mask):
        raise ValueError(f"`{name}` must contain only 0 and 255, or 0 and 1, got other values")
    return result


def check_shape(name: str, mask: np.ndarray, shape: tuple[int, int]) -> None:
    """Raise an error if a mask does not have the height and width of its image."""
    if mask.shape != shape:
        raise ValueError(f"`{name}` must have the image's height and width {shape}, got {mask.shape}")


def mask_array(name: str, value: Any) -> Any:
    """A PIL image as the array that it shows, and a bool array with 1 as the byte of True; other values are returned
    unchanged.

    Pillow returns mode "1" as bools whose true byte is 255, and mode "P" as indices into the palette, which do not tell
    which color is black. A palette image is read by its colors: black is false, and one other color is true.
    """
    if isinstance(value, np.ndarray) and value.dtype == np.bool_:
        return value.view(np.uint8) != 0
    if not isinstance(value, Image.Image):
        return value
    try:
        if value.mode == "1":
            return np.asarray(value.convert("L")) != 0
        if value.mode != "P":
            return np.asarray(value)
        colors = value.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # truncated, or closed
        raise ValueError(f"`{name}` must be a mask whose pixels can be read, got a PIL image with {error}") from error
    found = colors.getcolors(maxcolors=2)
    if found is None or len([color for _, color in found if color != (0, 0, 0)]) > 1:
        raise ValueError(f"`{name}` must contain black and one other color, got a PIL image of mode P with more colors")
    return np.asarray(colors).any(axis=2)


def _is_binary(mask: np.ndarray) -> bool:
    highest = mask.max()
    return highest in (1, 255) and bool(((mask == 0) | (mask == highest)).all())
