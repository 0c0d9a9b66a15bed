"""A thin strip of the image, slightly recolored, rotated and pasted at another place (CutPaste-Scar).

1. The strip, `width` x `length` of the region's shorter side and never wider than long, is cut upright anywhere in the
   image.
2. Its colors are jittered by up to 0.1 in brightness, contrast, saturation and hue.
3. It is rotated counterclockwise by an angle in degrees from `rotation`.
4. It is pasted, unblended, at a uniform place in the region. The mask is the rotated strip.

Reference: Li, Sohn, Yoon, Pfister, "CutPaste: Self-supervised learning for anomaly detection and localization",
CVPR 2021, https://arxiv.org/abs/2104.04015. The paper gives no ranges in pixels; the defaults, at 256 pixels, are those
of two implementations that agree.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import cv2
import numpy as np

from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.ops import Box, with_axis
from pail.core.parameters import Pair
from pail.core.sampler import Sampler
from pail.pixels.augmenter import change_patch
from pail.pixels.placing import place

Side = Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")]


def cutpaste_scar(
    image: NormalImage,
    sampler: Sampler,
    transform: Any,
    *,
    rotation: Annotated[tuple[float, float], Pair(-360, 360, unit="degrees")],
    width: Side,
    length: Side,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.cutpaste_scar`."""
    columns = max(1, round(sampler.scaled("width", *width) * image.region_side))
    rows = max(columns, round(sampler.scaled("length", *length) * image.region_side))
    rows, columns = min(rows, image.height), min(columns, image.width)
    top = sampler.integer("source_top", 0, image.height - rows)
    strip = Box(top, sampler.integer("source_left", 0, image.width - columns), rows, columns)
    content = change_patch(image, sampler, image.crop(strip), transform)
    content, mask = _rotate(content, sampler.uniform("angle", *rotation), image.shape)
    target = place(image, sampler, mask.shape[0], mask.shape[1], mask)
    return Insertion(target, content, mask, sampler.opacity())


def _rotate(content: np.ndarray, angle: float, limit: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The strip and its mask, rotated on a canvas that holds them, which is cropped about the center to `limit`."""
    rows, columns = content.shape[:2]
    sine, cosine = abs(math.sin(math.radians(angle))), abs(math.cos(math.radians(angle)))
    height = min(math.ceil(rows * cosine + columns * sine - 1e-6), limit[0])
    width = min(math.ceil(rows * sine + columns * cosine - 1e-6), limit[1])
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, 1)
    matrix[:, 2] += (width - columns) / 2, (height - rows) / 2
    rotated = cv2.warpAffine(content, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    solid = np.full((rows, columns), 255, np.uint8)
    mask = cv2.warpAffine(solid, matrix, (width, height), flags=cv2.INTER_NEAREST)
    if not cv2.hasNonZero(mask):  # a strip of one pixel can fall between the pixels
        mask[height // 2, width // 2] = 255
    return with_axis(rotated), mask
