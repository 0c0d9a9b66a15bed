"""CutPaste-Scar: a thin strip of the image, recolored a little, turned and pasted elsewhere."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.checks import as_range
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.ops import with_axis
from pail.core.sampler import Sampler
from pail.pixels.augmenter import as_transform
from pail.pixels.placing import place
from pail.pixels.sources import change_patch

PAPER_WIDTH = (2 / 256, 16 / 256)  # fractions of the shorter side; the paper's images have 256 pixels
PAPER_LENGTH = (10 / 256, 25 / 256)


def cutpaste_scar(
    image: NormalImage,
    sampler: Sampler,
    *,
    rotation: Any = (-45, 45),
    width: Any = PAPER_WIDTH,
    length: Any = PAPER_LENGTH,
    transform: Any = True,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.cutpaste_scar`."""
    rotation = as_range("rotation", rotation, -360, 360)
    width = as_range("width", width, 0, 1, above=True)
    length = as_range("length", length, 0, 1, above=True)
    transform = as_transform("transform", transform)
    content = image.crop(_strip(image, sampler, width, length))
    content = change_patch(image, sampler, content, transform)
    content, alpha = _turn(content, sampler.uniform("angle", *rotation), image.shape)
    target = place(image, sampler, alpha.shape[0], alpha.shape[1], alpha)
    return Insertion(target, content, alpha, sampler.opacity())


def _strip(image: NormalImage, sampler: Sampler, width: tuple[float, float], length: tuple[float, float]) -> Box:
    """Where the strip is cut: upright, at least one pixel wide and never wider than long."""
    columns = max(1, round(sampler.scaled("width", *width) * image.region_side))
    rows = min(max(columns, round(sampler.scaled("length", *length) * image.region_side)), image.height)
    columns = min(columns, image.width)
    top = sampler.integer("source_top", 0, image.height - rows)
    return Box(top, sampler.integer("source_left", 0, image.width - columns), rows, columns)


def _turn(content: np.ndarray, angle: float, limit: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The strip and its support, turned on a canvas that holds them; both cut about the center to `limit`."""
    rows, columns = content.shape[:2]
    sine, cosine = abs(math.sin(math.radians(angle))), abs(math.cos(math.radians(angle)))
    height = min(math.ceil(rows * cosine + columns * sine - 1e-6), limit[0])
    width = min(math.ceil(rows * sine + columns * cosine - 1e-6), limit[1])
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, 1)
    matrix[:, 2] += (width - columns) / 2, (height - rows) / 2
    rotated = cv2.warpAffine(content, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    solid = np.full((rows, columns), 255, np.uint8)
    alpha = cv2.warpAffine(solid, matrix, (width, height), flags=cv2.INTER_NEAREST)
    if not cv2.hasNonZero(alpha):  # a strip of a pixel can fall between the pixels
        alpha[height // 2, width // 2] = 255
    return with_axis(rotated), alpha
