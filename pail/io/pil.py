"""PIL images as arrays and back: the only table of modes."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "F", "I;16", "I;16L", "I;16B", "I;16N")  # an array contains the same values
CONVERTED_MODES = {  # the other modes, and what they are converted to
    "1": "L",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "La": "LA",
    "PA": "RGBA",
}
# New pixels in these modes could only have one of the existing colors, so that the anomaly could disappear.
CLOSED_MODES = {"1": "L", "P": "RGB", "PA": "RGBA"}
UNSUPPORTED = {"I": "int32"}


def to_array(name: str, image: Image.Image) -> tuple[np.ndarray, bool]:
    """The pixels of a PIL image as (H, W) or (H, W, C), and whether the last channel is alpha.

    Raises
    ------
    TypeError
        If the mode is not in the table.
    ValueError
        If the image is empty, truncated or closed. Both errors name the argument.
    """
    mode = plain_mode(image)
    if mode is None:
        known = f"{image.mode} ({UNSUPPORTED[image.mode]})" if image.mode in UNSUPPORTED else image.mode
        raise TypeError(
            f"`{name}` must be a PIL image of mode 1, L, LA, P, RGB, RGBA, F or I;16, got mode {known}; "
            "convert it first"
        )
    if 0 in image.size:
        raise ValueError(f"`{name}` must not be empty, got a PIL image of size {image.size}")
    try:
        array = np.asarray(image.convert(mode) if mode != image.mode else image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # truncated, or closed
        raise ValueError(f"`{name}` must be an image whose pixels can be read, got a PIL image with {error}") from error
    return array.astype(array.dtype.newbyteorder("="), copy=False), mode in ("LA", "RGBA")


def plain_mode(image: Image.Image) -> str | None:
    """The mode in which an array contains the same values as the image, or None if there is none."""
    if image.mode == "P":
        return "RGBA" if "transparency" in image.info else "RGB"
    mode = CONVERTED_MODES.get(image.mode, image.mode)
    return mode if mode in PLAIN_MODES else None


def check_open(image: Image.Image) -> None:
    """Raise a TypeError if the mode cannot represent new values, as for bilevel images and palettes."""
    if image.mode in CLOSED_MODES:
        raise TypeError(
            f"a PIL image of mode {image.mode} cannot contain an anomaly, because its pixels can only have its "
            f'existing colors; pass image.convert("{CLOSED_MODES[image.mode]}")'
        )


def with_pixels(image: Image.Image, array: np.ndarray, mask: np.ndarray) -> Image.Image:
    """The image in its own mode with new pixels where `mask` (H, W) is true; all other pixels stay bit-identical.

    Parameters
    ----------
    image : PIL.Image.Image
        The image, which is not modified.
    array : ndarray
        Pixels in the form that `to_array` returns.
    mask : ndarray of shape (H, W)
        Where the new pixels are used. The mode must be one that `check_open` accepts.
    """
    if image.mode in PLAIN_MODES:
        big = image.mode == "I;16B"
        data: Any = array.astype(">u2") if big else array
        changed = Image.frombytes(image.mode, image.size, np.ascontiguousarray(data).tobytes())
        changed.info = dict(image.info)
        return changed
    plain = plain_mode(image)
    assert plain is not None  # to_array has read it
    changed = Image.frombytes(plain, image.size, np.ascontiguousarray(array).tobytes()).convert(image.mode)
    result = image.copy()
    result.paste(changed, mask=Image.fromarray((np.asarray(mask) > 0).astype(np.uint8) * np.uint8(255)))
    return result
