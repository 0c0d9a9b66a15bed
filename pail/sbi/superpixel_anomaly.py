"""A few superpixels of a rotated source, pasted at the same places of the image (TASAD).

1. The source is rotated by 0, 90 or 180 degrees clockwise and resized to the image. Without a source, the image itself
   is rotated by 90, 180 or 270 degrees.
2. It may be changed by three of four photometric augmenters (`augment_source`) or by the user's own.
3. It is divided into superpixels by SLIC; their number is one of `n_segments`, also in the region if there is one.
4. A share `fraction` of the superpixels, never all, is pasted unblended.

The paper's code takes 10 % of the superpixels with replacement; here `fraction` of them without. A superpixel that is
too large (more than twice the share, and more than a tenth of the region) is not used; this happens if only few labels
remain.

References: Shah, Urmonov, Kim, "Two-stage coarse-to-fine image anomaly segmentation and detection model", Image and
Vision Computing, 2023, https://doi.org/10.1016/j.imavis.2023.104817; Achanta et al., "SLIC superpixels compared to
state-of-the-art superpixel methods", IEEE TPAMI, 2012.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import cv2
import numpy as np

from pail.core.composite import Insertion, through_mask
from pail.core.image import NormalImage
from pail.core.ops import resize, with_axis
from pail.core.parameters import Flag, Number, Several
from pail.core.sampler import SEVERITY, Sampler
from pail.pixels.augmenter import Augmenter, apply_augmenter
from pail.pixels.draem import AUGMENTERS
from pail.pixels.placing import fallback_box
from pail.pixels.superpixels import enlarge, grid_labels, superpixels

TASAD_AUGMENTERS = ("gamma_contrast", "brightness", "sharpness", "autocontrast")
TASAD_COUNT = 3  # number of augmenters, all different
TASAD_TURNS = (0, 3, 2)  # quarters counterclockwise: TASAD's 0, 90 and 180 degrees clockwise
NONZERO_TURNS = (1, 2, 3)
ROTATIONS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}
FIRMER = 2  # factor on the compactness if texture breaks superpixels into pieces
MOST_SEGMENTS = 4000  # in the bounding box of a thin region
LEAST_CAP = 0.1  # of the region: a single superpixel may have this size for any `fraction`


def superpixel_anomaly(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    n_segments: Annotated[tuple[int, ...], Several(Number(1, 1_000_000, integer=True))],
    fraction: Annotated[float, Number(0, 1, above=True, below=True, unit="fraction of the superpixels")],
    compactness: Annotated[float, Number(1e-3, 1e6)],
    sigma: Annotated[float, Number(0, 100, unit="pixels")],
    rotate: Annotated[bool, Flag()],
    augment_source: Annotated[bool, Flag()],
    augmenter: Annotated[Any, Augmenter()],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.superpixel_anomaly`."""
    count = sampler.choice("n_segments", n_segments)
    content = _rotated_source(image, sampler, source, rotate)
    if augmenter is not None:
        content = resize(apply_augmenter(augmenter, content, sampler, image), image.shape)
    elif augment_source:
        for index in sampler.sample("augmenters", len(TASAD_AUGMENTERS), TASAD_COUNT):
            tasad = AUGMENTERS[TASAD_AUGMENTERS[index]]
            content = tasad(content, image.max_value, **tasad.sample(sampler))
    if sampler.severity is not None:
        fraction = sampler.scaled("fraction", *(min(fraction * scale, 0.9) for scale in SEVERITY["fraction"]))
    mask = _mask(image, sampler, content, count, fraction, compactness, sigma)
    return through_mask(mask, content, sampler.opacity())


def _rotated_source(image: NormalImage, sampler: Sampler, source: np.ndarray | None, rotate: bool) -> np.ndarray:
    """The source rotated by right angles, at the image's size; without a source the image, always rotated."""
    if source is None:
        pixels, turns = image.crop(), sampler.choice("quarter_turns", NONZERO_TURNS)
    else:
        pixels, turns = source, sampler.choice("quarter_turns", TASAD_TURNS) if rotate else 0
    if turns and pixels.shape[2] > 4:  # OpenCV rotates at most four channels
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
    elif turns:
        pixels = with_axis(cv2.rotate(pixels, ROTATIONS[turns]))
    return resize(pixels, image.shape)


def _mask(
    image: NormalImage,
    sampler: Sampler,
    content: np.ndarray,
    count: int,
    fraction: float,
    compactness: float,
    sigma: float,
) -> np.ndarray:
    """The union of some superpixels of `content` around the region, inside the region, at the image's size."""
    around = image.region_box
    pixels = content[around.slices]
    roi = None if image.roi is None else np.ascontiguousarray(image.roi[around.slices])
    # The number in the bounding box is such that the region has as many as an image without a region.
    count = min(round(count * around.area / image.region_area), MOST_SEGMENTS)
    cap = max(LEAST_CAP, min(1.0, 2 * fraction))
    for firmness in (compactness, FIRMER * compactness, None):
        if firmness is None:  # rectangles
            labels = grid_labels(pixels.shape[:2], count)
        else:
            labels = superpixels(pixels, image.max_value, count, compactness=firmness, sigma=sigma)
        areas, inside = _areas(roi, labels)
        most = cap * inside.sum()
        if len(areas) > 1 and ((inside > 0) & (inside <= most)).any():
            break  # some label is small enough
    sampler.keep("n_labels", len(areas))
    table = np.zeros(len(areas), np.uint8)
    table[sampler.keep("labels", _choose(sampler, areas, inside, fraction, most))] = 255
    if roi is None:
        return enlarge(table[labels], image.shape)
    mask = np.zeros(image.shape, np.uint8)
    mask[around.slices] = cv2.bitwise_and(enlarge(table[labels], around[2:]), roi)
    if not cv2.hasNonZero(mask):
        mask[fallback_box(image, sampler).slices] = 255  # the region is too small for a superpixel
    return mask


def _areas(roi: np.ndarray | None, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each label, and those inside the ROI: the same array without one."""
    areas = np.bincount(labels.ravel()).astype(float)
    if roi is None:
        return areas, areas
    finer = (4 * labels.shape[0], 4 * labels.shape[1])
    if roi.shape[0] > finer[0] and roi.shape[1] > finer[1]:  # sixteen samples per cell are enough, at an integer factor
        roi = resize(roi, finer, nearest=True)
    overlap = resize(roi, labels.shape).astype(float)
    return areas, np.bincount(labels.ravel(), weights=overlap.ravel(), minlength=len(areas)) / 255


def _choose(sampler: Sampler, areas: np.ndarray, inside: np.ndarray, fraction: float, most: float) -> list[int]:
    """Choose ceil(fraction K) of K labels, never all of them; with an ROI, K is the number that would fill it."""
    order = sampler.rng.permutation(len(areas))
    filled = inside / areas
    total = filled.sum()
    count = max(1, min(math.ceil(fraction * total - 1e-9), math.ceil(total) - 1))
    if inside is areas:
        return _choose_anywhere(order, areas, count, most)
    return _choose_in_roi(order, filled, inside, count, most)


def _choose_anywhere(order: np.ndarray, areas: np.ndarray, count: int, most: float) -> list[int]:
    """The first `count` labels whose total area is at most `most`; the smallest label if none is small enough."""
    chosen: list[int] = []
    total = 0.0
    for label in order.tolist():
        if total + areas[label] <= most:
            chosen.append(label)
            total += areas[label]
        if len(chosen) == count:
            break
    return chosen or [int(areas.argmin())]


def _choose_in_roi(order: np.ndarray, filled: np.ndarray, inside: np.ndarray, count: int, most: float) -> list[int]:
    """Labels mostly in the ROI first, then those with the largest share in it, equivalent to `count` whole ones.

    `filled` is the share of each label that lies in the ROI. At least one: the smallest if none is small enough.
    """
    others = order[filled[order] < 0.5]
    ranked = np.concatenate([order[filled[order] >= 0.5], others[np.argsort(-filled[others], kind="stable")]])
    ranked = ranked[inside[ranked] > 0]
    chosen: list[int] = []
    total = shares = 0.0
    for label in ranked.tolist():
        if total + inside[label] <= most:
            chosen.append(label)
            total += inside[label]
            shares += filled[label]
        if shares >= count - 0.5:
            break
    return chosen or [int(ranked[inside[ranked].argmin()] if len(ranked) else order[0])]
