"""A defect of another image, or a Perlin shape of it, augmented at random and pasted onto the object (BGAD).

1. The shape is the given defect (`source_mask`) or Perlin noise above its threshold. It is drawn again while it has
   fewer pixels than `min_area` of the region.
2. An augmentation augments source and shape: an elastic deformation and `n_aug` of ten operations of albumentations.
3. If two thirds of the shape lie on the region it stays where it is; otherwise each of its connected components moves
   to its own place in the region. The region is `mask`, the region of interest or the automatic foreground.
4. The augmented pixels are pasted, unblended.

BGAD reads foreground masks from files; here they are computed (see `pail.pixels.foreground`). Geometric operations are
composed on a grid and sampled once, instead of one after the other.

Reference: Yao, Li, Zhang, Sun, Zhang, "Explicit boundary guided semi-push-pull contrastive learning for supervised
anomaly detection", CVPR 2023, https://arxiv.org/abs/2207.01463.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, NamedTuple

import cv2
import numpy as np

from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.mask import check_shape
from pail.core.ops import Box, resize
from pail.core.parameters import Flag, Mask, Number
from pail.core.sampler import Sampler
from pail.pixels.foreground import foreground_of
from pail.pixels.noise import noise_mask
from pail.pixels.placing import fallback_box
from pail.sbi.rand_augmented import warp
from pail.sbi.rand_augmented.operations import OPERATIONS, Augmentation, draw_augmentation
from pail.sbi.rand_augmented.pieces import Piece, confine, cover, place_pieces

TRIES = 10
LARGEST_DEFECT = 0.5  # of the region: with a severity, larger defects are scaled down to this share


class Region(NamedTuple):
    """The region of the shape, None for anywhere, and whether it is strict."""

    mask: np.ndarray | None
    strict: bool


class Defect(NamedTuple):
    """The defect in the source, at the image's size, and the share of its area that a severity leaves."""

    mask: np.ndarray
    share: float | None


def rand_augmented_cut_paste(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    mask: Annotated[np.ndarray | None, Mask(instead=(None,))],
    in_fg_region: Annotated[bool, Flag()],
    source_mask: Annotated[np.ndarray | None, Mask(instead=(None,))],
    n_aug: Annotated[int, Number(0, len(OPERATIONS), integer=True)],
    elastic: Annotated[bool, Flag()],
    min_area: Annotated[float, Number(0, 1, unit="fraction of the area")],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.rand_augmented_cut_paste`."""
    defect = None if source_mask is None else _as_defect(source_mask, image, source, sampler)
    region = _region(image, mask, in_fg_region)

    def draw_one() -> Augmentation:
        augmentation = draw_augmentation(image, sampler, n_aug, elastic=elastic)
        # Otherwise the image would be pasted onto itself.
        if source is None and defect is None and not elastic and augmentation.is_empty:
            augmentation.warp.steps.append(warp.flip(image.shape, vertical=True, horizontal=True))
        return augmentation

    wanted = max(1.0, min_area * image.region_area)
    augmentation, shape = _draw_shape(image, sampler, defect, draw_one, wanted, region)
    pieces = place_pieces(shape, region.mask, sampler)
    final = cover(image.shape, pieces)
    if region.mask is not None and region.strict:
        pieces, final = confine(pieces, final, region.mask, cv2.countNonZero(shape), sampler)
    pixels = image.crop() if source is None else resize(source, image.shape)
    return _paste(pixels, augmentation, pieces, final, sampler)


# --------------------------------------------------------------------------------------------------------------------
# Given masks


def _region(image: NormalImage, mask: np.ndarray | None, in_fg_region: bool) -> Region:
    """The user's regions, else the automatic foreground, else everything."""
    if mask is None and image.roi is not None:
        return Region(image.roi, strict=True)
    if mask is None:
        return Region(foreground_of(image) if in_fg_region else None, strict=False)
    check_shape("mask", mask, image.shape)
    if image.roi is not None:
        mask = cv2.bitwise_and(mask, image.roi)
        if not cv2.hasNonZero(mask):
            raise ValueError("`mask` and `roi` must overlap in at least one pixel, got masks that do not overlap")
    return Region(mask, strict=True)


def _as_defect(defect: np.ndarray, image: NormalImage, source: np.ndarray | None, sampler: Sampler) -> Defect:
    """The defect in the source at the size of the image, where even the smallest defect is kept, and its scale at a
    severity."""
    sizes = [image.shape] if source is None else [source.shape[:2], image.shape]
    if defect.shape not in sizes:
        known = " or ".join(str(size) for size in dict.fromkeys(sizes))
        raise ValueError(f"`source_mask` must have the size of the source or the image, {known}, got {defect.shape}")
    resized = resize(defect, image.shape, nearest=True)
    if not cv2.hasNonZero(resized):
        rows, columns = np.nonzero(defect)
        resized[rows * image.height // defect.shape[0], columns * image.width // defect.shape[1]] = 255
    if sampler.severity is None:
        return Defect(resized, None)
    room = 1.0 if image.roi is None else LARGEST_DEFECT * image.region_area / cv2.countNonZero(resized)
    return Defect(resized, sampler.keep("defect_share", min(1.0, room) * sampler.at_severity("defect_share")))


# --------------------------------------------------------------------------------------------------------------------
# The shape


def _draw_shape(
    image: NormalImage,
    sampler: Sampler,
    defect: Defect | None,
    draw_one: Callable[[], Augmentation],
    wanted: float,
    region: Region,
) -> tuple[Augmentation, np.ndarray]:
    """An augmentation and the shape it produces, redrawn while it has too few pixels; never empty."""
    if defect is not None:  # a small defect stays small
        share = 1.0 if defect.share is None else defect.share
        wanted = max(1.0, min(wanted, share * cv2.countNonZero(defect.mask) / 2))
    best: tuple[Augmentation, np.ndarray] | None = None
    most = 0
    for _ in range(TRIES):
        augmentation = draw_one()
        shape = _shape(image, sampler, defect, augmentation)
        area = cv2.countNonZero(shape)
        if best is None or area > most:
            best, most = (augmentation, shape), area
        if area >= wanted:
            break
    assert best is not None
    box = None if most >= wanted or (defect is not None and most) else fallback_box(image, sampler, region.mask)
    if box is not None and box.area > most:
        shape = np.zeros(image.shape, np.uint8)
        shape[box.slices] = 255
        return best[0], shape
    return best


def _shape(image: NormalImage, sampler: Sampler, defect: Defect | None, augmentation: Augmentation) -> np.ndarray:
    """The warped defect, or Perlin noise where the warp shows the source, as a new mask."""
    if defect is None:
        return augmentation.warp.drop_invalid(_blobs(image, sampler))
    if defect.share is not None:  # scaled down about its center
        box = Box.around(defect.mask)
        center = box.top + (box.height - 1) / 2, box.left + (box.width - 1) / 2
        augmentation.warp.steps.insert(0, warp.zoom(center, math.sqrt(defect.share)))
    return augmentation.warp.mask(defect.mask)


def _blobs(image: NormalImage, sampler: Sampler) -> np.ndarray:
    """Perlin noise above its threshold on the image, or on a box as large as the region in the region's center."""
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


def _paste(
    pixels: np.ndarray, augmentation: Augmentation, pieces: list[Piece], final: np.ndarray, sampler: Sampler
) -> Insertion:
    """The pieces of the augmented source at their targets; later pieces cover earlier ones."""
    moved = any(piece.target != piece.box for piece in pieces)
    wanted = cover(final.shape, pieces, moved=False) if moved else final
    origin, content = augmentation.apply(pixels, wanted, sampler.rng)
    box = Box.around(final)
    if not moved:
        return Insertion(box, content[box.within(origin).slices], final[box.slices], sampler.opacity())
    result = np.zeros_like(pixels)
    for piece in pieces:
        own = content[piece.box.within(origin).slices]
        cv2.copyTo(np.ascontiguousarray(own), np.ascontiguousarray(piece.mask), result[piece.target.slices])
    return Insertion(box, result[box.slices], final[box.slices], sampler.opacity())
