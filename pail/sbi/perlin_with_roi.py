"""Foreign texture or shuffled structure, in the shape of Perlin noise on the foreground (MemSeg).

1. The region is the user's mask or the automatic foreground, within the region of interest.
2. The mask is Perlin noise above a threshold, inside the region (see `pail.pixels.noise`).
3. The content is a source image ("texture", with probability `p_texture`) or the image after three of DRAEM's
   augmenters, cut into a grid of cells that are shuffled ("structure"; always without a source).
4. The content is blended in with an opacity drawn from `transparency_range`.

The paper's grid has 4 x 8 cells; the default is 8 x 8, as in its best known implementation, and foreground thresholds
set by hand for each category are replaced by an automatic one.

Reference: Yang, Wu, Feng, "MemSeg: A semi-supervised method for image surface defect detection using differences and
commonalities", Engineering Applications of Artificial Intelligence, 2023, https://arxiv.org/abs/2205.00908.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

import cv2
import numpy as np

from pail.core.composite import Insertion, through_mask
from pail.core.image import NormalImage
from pail.core.mask import check_shape
from pail.core.ops import resize
from pail.core.parameters import Flag, Mask, Number, Pair
from pail.core.sampler import Sampler
from pail.pixels.augmenter import Augmenter, augmented_source
from pail.pixels.foreground import foreground_of, threshold_foreground
from pail.pixels.noise import CoarsestScale, FinestScale, PerlinOptions, Rotation, Threshold, perlin_mask


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
    if source is not None and sampler.flag("texture", p_texture):
        content = augmented_source(image, sampler, source, augmenter, always=False)
    else:
        content = augmented_source(image, sampler, None, augmenter, always=True)
        content = shuffle_cells(content, sampler, structure_grid_size)
    return through_mask(shape, content, opacity)


def _region(
    image: NormalImage, use_mask: bool, mask: np.ndarray | None, bg_threshold: float | None, bg_reverse: bool
) -> np.ndarray | None:
    """The region of the anomaly: the user's mask, else that of the given thresholds, else the automatic foreground.

    An automatic foreground without a pixel in the ROI is replaced by the ROI; for a user's mask this is an error.
    """
    if mask is not None and not use_mask:
        raise ValueError("`mask` must be None if `use_mask` is False, got a mask")
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
        raise ValueError("`mask` and `roi` must overlap in at least one pixel, got masks that do not overlap")
    return image.roi


def shuffle_cells(image: np.ndarray, sampler: Sampler, grid: int) -> np.ndarray:
    """The image cut into grid x grid near-equal cells, which are exchanged at random and resized if their sizes
    differ."""
    rows, columns = (np.linspace(0, size, min(grid, size) + 1).round().astype(int) for size in image.shape[:2])
    cells = [
        (slice(top, bottom), slice(left, right)) for top, bottom in pairwise(rows) for left, right in pairwise(columns)
    ]
    result = np.empty_like(image)
    for target, origin in zip(cells, sampler.sample("cells", len(cells), len(cells)), strict=True):
        result[target] = resize(image[cells[origin]], result[target].shape[:2])
    return result
