"""A defect of another image, or a Perlin shape of it, augmented at random and pasted onto the object (BGAD)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.checks import as_flag, as_number
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.mask import as_mask
from pail.core.ops import resize
from pail.core.sampler import Sampler
from pail.pixels.foreground import foreground_of
from pail.pixels.perlin_mask import noise_mask
from pail.pixels.placing import fallback_box
from pail.sbi.rand_augmented import warp
from pail.sbi.rand_augmented.operations import OPERATIONS, Recipe, draw_recipe
from pail.sbi.rand_augmented.pieces import Piece, confine, cover, place_pieces

TRIES = 10
LARGEST_DEFECT = 0.5  # of the region: a given defect that is larger is made smaller by a severity


class Region(NamedTuple):
    """Where the shape should lie, None for anywhere, and whether it may not leave it."""

    mask: np.ndarray | None
    strict: bool


class Defect(NamedTuple):
    """The anomaly in the source, at the image's size, and the share of its area that a severity leaves."""

    mask: np.ndarray
    share: float | None


def rand_augmented_cut_paste(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    mask: Any = None,
    in_fg_region: Any = True,
    source_mask: Any = None,
    n_aug: Any = 3,
    elastic: Any = True,
    min_area: Any = 1e-3,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.rand_augmented_cut_paste`."""
    count = int(as_number("n_aug", n_aug, 0, len(OPERATIONS), integer=True))
    elastic = as_flag("elastic", elastic)
    min_area = as_number("min_area", min_area, 0, 1)
    defect = None if source_mask is None else _as_defect(source_mask, image, source, sampler)
    region = _region(image, mask, as_flag("in_fg_region", in_fg_region))

    def recipe_of() -> Recipe:
        recipe = draw_recipe(image, sampler, count, elastic=elastic)
        if source is None and defect is None and not elastic and recipe.is_empty:  # the image would paste itself
            recipe.warp.steps.append(warp.flip(image.shape, vertical=True, horizontal=True))
        return recipe

    wanted = max(1.0, min_area * image.region_area)
    recipe, shape = _draw_shape(image, sampler, defect, recipe_of, wanted, region)
    pieces = place_pieces(shape, region.mask, sampler)
    final = cover(image.shape, pieces)
    if region.mask is not None and region.strict:
        pieces, final = confine(pieces, final, region.mask, cv2.countNonZero(shape), sampler)
    pixels = image.crop() if source is None else resize(source, image.shape)
    return _paste(pixels, recipe, pieces, final, sampler)


# --------------------------------------------------------------------------------------------------------------------
# Masks given


def _region(image: NormalImage, mask: Any, in_fg_region: bool) -> Region:
    """The user's ROIs, else the automatic foreground, else all."""
    if mask is None and image.roi is not None:
        return Region(image.roi, strict=True)
    if mask is None:
        return Region(foreground_of(image) if in_fg_region else None, strict=False)
    region = as_mask("mask", mask, image.shape)
    if image.roi is not None:
        region = cv2.bitwise_and(region, image.roi)
        if not cv2.hasNonZero(region):
            raise ValueError("`mask` must share at least one pixel with `roi`, got two that do not meet")
    return Region(region, strict=True)


def _as_defect(value: Any, image: NormalImage, source: np.ndarray | None, sampler: Sampler) -> Defect:
    """The anomaly in the source; a defect of a pixel is not lost when shrinking."""
    defect = as_mask("source_mask", value)
    sizes = [image.shape] if source is None else [source.shape[:2], image.shape]
    if defect.shape not in sizes:
        known = " or ".join(str(size) for size in dict.fromkeys(sizes))
        raise ValueError(f"`source_mask` must have the size of the source or the image, {known}, got {defect.shape}")
    resized = resize(defect, image.shape, nearest=True)
    if not cv2.hasNonZero(resized):
        rows, columns = np.nonzero(defect)
        resized[rows * image.height // defect.shape[0], columns * image.width // defect.shape[1]] = 255
    return Defect(resized, _share(image, sampler, cv2.countNonZero(resized)))


def _share(image: NormalImage, sampler: Sampler, area: int) -> float | None:
    """The share of the defect's area that a severity leaves: at 1 all of it, or as much as a region has room for."""
    if sampler.severity is None:
        return None
    largest = 1.0 if image.roi is None else min(1.0, LARGEST_DEFECT * image.region_area / area)
    return sampler.keep("defect_share", largest * sampler.at_severity("defect_share"))


# --------------------------------------------------------------------------------------------------------------------
# The shape


def _draw_shape(
    image: NormalImage,
    sampler: Sampler,
    defect: Defect | None,
    recipe_of: Callable[[], Recipe],
    wanted: float,
    region: Region,
) -> tuple[Recipe, np.ndarray]:
    """A recipe and the shape that it leaves, redrawn while that has fewer pixels than wanted; never empty."""
    if defect is not None:  # a small defect stays small
        share = 1.0 if defect.share is None else defect.share
        wanted = max(1.0, min(wanted, share * cv2.countNonZero(defect.mask) / 2))
    best: tuple[Recipe, np.ndarray] | None = None
    most = 0
    for _ in range(TRIES):
        recipe = recipe_of()
        shape = _shape(image, sampler, defect, recipe)
        area = cv2.countNonZero(shape)
        if best is None or area > most:
            best, most = (recipe, shape), area
        if area >= wanted:
            break
    assert best is not None
    box = None if most >= wanted or (defect is not None and most) else fallback_box(image, sampler, region.mask)
    if box is not None and box.area > most:
        shape = np.zeros(image.shape, np.uint8)
        shape[box.slices] = 255
        return best[0], shape
    return best


def _shape(image: NormalImage, sampler: Sampler, defect: Defect | None, recipe: Recipe) -> np.ndarray:
    """The defect under the warp, or Perlin noise where the warp has something to show; a mask of its own."""
    if defect is None:
        return recipe.warp.drop_invalid(_blobs(image, sampler))
    if defect.share is not None:  # drawn smaller, about its center
        box = Box.around(defect.mask)
        center = box.top + (box.height - 1) / 2, box.left + (box.width - 1) / 2
        recipe.warp.steps.insert(0, warp.zoom(center, math.sqrt(defect.share)))
    return recipe.warp.mask(defect.mask)


def _blobs(image: NormalImage, sampler: Sampler) -> np.ndarray:
    """Perlin noise above its threshold, over the image, or over as many pixels as a region has in its middle."""
    if image.roi is None:
        return noise_mask(image, sampler, image.shape)
    around = image.region_box
    scale = math.sqrt(image.region_area / around.area)
    height, width = max(1, round(around.height * scale)), max(1, round(around.width * scale))
    box = Box(around.top + (around.height - height) // 2, around.left + (around.width - width) // 2, height, width)
    blobs = np.zeros(image.shape, np.uint8)
    blobs[box.slices] = noise_mask(image, sampler, (height, width))
    return blobs


# --------------------------------------------------------------------------------------------------------------------
# The content


def _paste(pixels: np.ndarray, recipe: Recipe, pieces: list[Piece], final: np.ndarray, sampler: Sampler) -> Insertion:
    """The pieces' pixels of the augmented source at their places; later pieces win."""
    moved = any(piece.target != piece.box for piece in pieces)
    wanted = cover(final.shape, pieces, moved=False) if moved else final
    origin, content = recipe.apply(pixels, wanted, sampler.rng)
    box = Box.around(final)
    if not moved:
        return Insertion(box, content[box.within(origin).slices], final[box.slices], sampler.opacity())
    result = np.zeros_like(pixels)
    for piece in pieces:
        own = content[piece.box.within(origin).slices]
        cv2.copyTo(np.ascontiguousarray(own), np.ascontiguousarray(piece.mask), result[piece.target.slices])
    return Insertion(box, result[box.slices], final[box.slices], sampler.opacity())
