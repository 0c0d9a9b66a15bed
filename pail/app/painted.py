"""A region painted on the page: a small picture that the browser sends, checked before it is decoded."""

from __future__ import annotations

import base64
import binascii
import io

import numpy as np
from PIL import Image

from pail.core.ops import as_bytes, with_axis
from pail.dataset.inputs import stem_of
from pail.dataset.store import Store
from pail.io.read import read_picture
from pail.io.write import encode

PREFIX = "data:image/png;base64,"
MOST_BYTES = 2 << 20  # of the str that the browser sends
MOST_SIDE = 1024  # pixels


def as_mask(data: object) -> np.ndarray:
    """The painted pixels as a mask of 0 and 255, at the size of the canvas."""
    if not data:
        raise ValueError("`region` must be painted, but it is empty: paint where anomalies may land")
    if not isinstance(data, str) or not data.startswith(PREFIX) or len(data) > MOST_BYTES:
        raise ValueError(f"`region` must be a PNG of at most {MOST_BYTES >> 20} MB, as sent by the page")
    try:
        png = base64.b64decode(data[len(PREFIX) :], validate=True)
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            width, height = image.size
    except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"`region` must be a PNG, as sent by the page, got something else: {error}") from error
    if max(width, height) > MOST_SIDE:
        raise ValueError(f"`region` must have sides of at most {MOST_SIDE} pixels, got {width} x {height}")
    try:
        picture = read_picture(png)
    except ValueError as error:
        raise ValueError(
            f"`region` must be a complete PNG, as sent by the page, got a truncated one: {error}"
        ) from error
    pixels = with_axis(picture.pixels)
    mask = as_bytes(pixels[..., -1 if picture.alpha else 0] > 127)
    if not mask.any():
        raise ValueError("`region` must be painted, but it is empty: paint where anomalies may land")
    return mask


class Painted(Store):
    """A store with the same mask for every image, in the form that `--roi` reads."""

    def __init__(self, mask: np.ndarray) -> None:
        super().__init__("regions")
        self.png = encode(mask, "png", 9)

    def read(self, name: str) -> bytes:
        return self.png


def mask_file(name: str) -> str:
    """The name of the mask of an image in a folder of masks."""
    return stem_of(name) + ".png"
