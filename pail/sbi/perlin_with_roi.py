"""Texture or shuffled structure seen through Perlin noise on the foreground (MemSeg)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pail.core.checks import as_flag, as_number, as_range
from pail.core.composite import Insertion, through_mask
from pail.core.image import NormalImage
from pail.core.mask import as_mask
from pail.core.ops import resize
from pail.core.sampler import Sampler
from pail.pixels.augmenter import as_augmenter
from pail.pixels.foreground import foreground_of, threshold_foreground
from pail.pixels.perlin_mask import PerlinOptions, perlin_mask
from pail.pixels.sources import augmented_source, shuffled


def perlin_with_roi_anomaly(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    use_mask: Any = True,
    transparency_range: Any = (0.15, 1.0),
    mask: Any = None,
    structure_grid_size: Any = 8,
    p_texture: Any = 0.5,
    bg_threshold: Any = None,
    bg_reverse: Any = None,
    threshold: Any = 0.5,
    min_perlin_scale: Any = 0,
    perlin_scale: Any = 6,
    rotation: Any = (-90, 90),
    augmenter: Any = None,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.perlin_with_roi_anomaly`."""
    transparency_range = as_range("transparency_range", transparency_range, 0, 1)
    grid = int(as_number("structure_grid_size", structure_grid_size, 1, 256, integer=True))
    p_texture = as_number("p_texture", p_texture, 0, 1)
    augmenter = as_augmenter("augmenter", augmenter)
    perlin = PerlinOptions.check(threshold, min_perlin_scale, perlin_scale, rotation)
    region = _region(image, use_mask, mask, bg_threshold, bg_reverse)
    opacity = sampler.scaled("opacity", *transparency_range)
    shape = perlin_mask(
        image,
        sampler,
        perlin,
        roi=region,
    )
    return through_mask(shape, _content(image, sampler, source, augmenter, grid, p_texture), opacity)


def _region(image: NormalImage, use_mask: Any, mask: Any, bg_threshold: Any, bg_reverse: Any) -> np.ndarray | None:
    """Where the anomaly may land: the user's mask, else the given thresholds, else the automatic foreground.

    An automatic foreground without a pixel in the ROI gives way to the ROI; a user's mask does not.
    """
    use_mask = as_flag("use_mask", use_mask)
    if bg_threshold is not None:
        bg_threshold = as_number("bg_threshold", bg_threshold, 0, 255)
    bg_reverse = bg_reverse is not None and as_flag("bg_reverse", bg_reverse)
    if mask is not None and not use_mask:
        raise ValueError("`mask` must be None where `use_mask` is False, got a mask")
    if mask is not None:
        region = as_mask("mask", mask, image.shape)
    elif not use_mask:
        return image.roi
    elif bg_threshold is not None:
        region = threshold_foreground(image, bg_threshold, bg_reverse)
    else:
        region = foreground_of(image)
    if image.roi is not None:
        region = cv2.bitwise_and(region, image.roi)
    if cv2.hasNonZero(region):
        return region
    if mask is not None:
        raise ValueError("`mask` must share at least one pixel with `roi`, got two that do not meet")
    return image.roi


def _content(
    image: NormalImage, sampler: Sampler, source: np.ndarray | None, augmenter: Any, grid: int, p_texture: float
) -> np.ndarray:
    """The source as texture, or the augmented image with its grid cells shuffled as structure."""
    if source is not None and sampler.flag("texture", p_texture):
        return (
            augmented_source(image, sampler, source, augmenter, always=False)
            if augmenter
            else resize(source, image.shape)
        )
    return shuffled(augmented_source(image, sampler, None, augmenter, always=True), sampler, grid)
