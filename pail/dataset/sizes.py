"""Images at the size of a data set: proportions kept, cropped, padded, or stretched."""

from __future__ import annotations

import cv2
import numpy as np

from pail.core.checks import MAX_SIDE, describe
from pail.core.ops import resize, with_axis

FITS = ("crop", "pad", "stretch")
Size = int | tuple[int, int] | None


def fitted(pixels: np.ndarray, size: Size, fit: str = "crop", *, nearest: bool = False) -> np.ndarray:
    """An image or a mask at the size of the output.

    Parameters
    ----------
    pixels : ndarray of shape (H, W) or (H, W, C)
        The image as it is in its file.
    size : int, (int, int) or None
        Length of the shorter side in pixels, keeping the proportions; or
        height and width. None leaves the image unchanged.
    fit : {"crop", "pad", "stretch"}
        How an image with other proportions than height and width is fitted. "crop" takes the largest part around its
        center. "pad" keeps the whole image and repeats its outermost pixels on both sides; unlike bars of one color,
        these add no edge that a model could learn, and they do not change the background. "stretch" changes the
        proportions.
    nearest : bool
        Whether to use nearest-neighbor interpolation, as for masks.

    Returns
    -------
    ndarray
        The image at that size.

    Raises
    ------
    ValueError
        If the longer side would have more than 32,766 pixels.
    """
    if size is None:
        return pixels
    if isinstance(size, int):
        return resize(pixels, _with_shorter_side(pixels.shape, size), nearest=nearest)
    if fit == "crop":
        return resize(pixels[_middle(pixels.shape, size)], size, nearest=nearest)
    place = inside(pixels.shape, size, fit)
    if place is None:
        return resize(pixels, size, nearest=nearest)
    rows, columns = place
    small = resize(pixels, (rows.stop - rows.start, columns.stop - columns.start), nearest=nearest)
    borders = rows.start, size[0] - rows.stop, columns.start, size[1] - columns.stop
    if small.ndim == 3 and small.shape[2] > 4:  # OpenCV does not pad these
        return np.pad(small, (borders[:2], borders[2:], (0, 0)), mode="edge")
    padded = cv2.copyMakeBorder(small, *borders, cv2.BORDER_REPLICATE)
    return padded if small.ndim == 2 else with_axis(padded)


def inside(shape: tuple[int, ...], size: Size, fit: str) -> tuple[slice, slice] | None:
    """The rows and columns of the output that show an image of that shape; None if all of them do."""
    if fit != "pad" or size is None or isinstance(size, int):
        return None
    scale = min(want / have for want, have in zip(size, shape, strict=False))
    height, width = (max(1, min(want, round(have * scale))) for want, have in zip(size, shape, strict=False))
    if (height, width) == size:
        return None
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)


def _with_shorter_side(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    height, width = shape[:2]
    scale = side / min(height, width)
    longer = round(max(height, width) * scale)
    if longer > MAX_SIDE:
        raise ValueError(
            f"`size` {side} makes an image of height and width {describe((height, width))} longer than {MAX_SIDE}"
        )
    return (side, longer) if height <= width else (longer, side)


def _middle(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[slice, slice]:
    """The largest part around the center that has the proportions of the size."""
    scale = min(have / want for want, have in zip(size, shape, strict=False))
    height, width = (max(1, min(have, round(want * scale))) for want, have in zip(size, shape, strict=False))
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)
