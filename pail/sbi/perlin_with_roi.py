"""Texture or shuffled structure seen through Perlin noise on the foreground (MemSeg)."""

from __future__ import annotations

from typing import Annotated, Any

import cv2
import numpy as np

from pail.core.composite import Insertion, through_mask
from pail.core.image import NormalImage
from pail.core.mask import check_shape
from pail.core.ops import resize
from pail.core.parameters import Flag, Mask, Number, Pair
from pail.core.sampler import Sampler
from pail.pixels.augmenter import Augmenter
from pail.pixels.foreground import foreground_of, threshold_foreground
from pail.pixels.perlin_mask import CoarsestScale, FinestScale, PerlinOptions, Rotation, Threshold, perlin_mask
from pail.pixels.sources import augmented_source, shuffled


def perlin_with_roi_anomaly(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    use_mask: Annotated[bool, Flag()],
    transparency_range: Annotated[tuple[float, float], Pair(0, 1, unit="opacity")],
    mask: Annotated[np.ndarray | None, Mask(instead=(None,))],
    structure_grid_size: Annotated[int, Number(1, 256, integer=True, unit="cells")],
    p_texture: Annotated[float, Number(0, 1, unit="probability")],
    bg_threshold: Annotated[float | None, Number(0, 255, unit="gray level of 0 to 255", instead=(None,))],
    bg_reverse: Annotated[bool | None, Flag(instead=(None,))],
    threshold: Threshold,
    min_perlin_scale: CoarsestScale,
    perlin_scale: FinestScale,
    rotation: Rotation,
    augmenter: Annotated[Any, Augmenter()],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.perlin_with_roi_anomaly`."""
    perlin = PerlinOptions.check(threshold, min_perlin_scale, perlin_scale, rotation)
    region = _region(image, use_mask, mask, bg_threshold, bool(bg_reverse))
    opacity = sampler.scaled("opacity", *transparency_range)
    shape = perlin_mask(image, sampler, perlin, roi=region)
    content = _content(image, sampler, source, augmenter, structure_grid_size, p_texture)
    return through_mask(shape, content, opacity)


def _region(
    image: NormalImage, use_mask: bool, mask: np.ndarray | None, bg_threshold: float | None, bg_reverse: bool
) -> np.ndarray | None:
    """Where the anomaly may land: the user's mask, else the given thresholds, else the automatic foreground.

    An automatic foreground without a pixel in the ROI gives way to the ROI; a user's mask does not.
    """
    if mask is not None and not use_mask:
        raise ValueError("`mask` must be None where `use_mask` is False, got a mask")
    if mask is not None:
        check_shape("mask", mask, image.shape)
        region = mask
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
