"""Superpixels of a source, pasted onto the same places of the image (TASAD)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from pail.core.checks import as_flag, as_number, as_sequence
from pail.core.composite import Insertion, through_mask
from pail.core.image import NormalImage
from pail.core.ops import resize, with_axis
from pail.core.sampler import SEVERITY, Sampler
from pail.pixels.augmenter import apply_augmenter, as_augmenter
from pail.pixels.draem import AUGMENTERS
from pail.pixels.placing import fallback_box
from pail.pixels.superpixels import enlarge, grid_labels, superpixels

TASAD_AUGMENTERS = ("gamma_contrast", "brightness", "sharpness", "autocontrast")
TASAD_COUNT = 3  # of them, no two alike
TASAD_TURNS = (0, 3, 2)  # quarters anticlockwise: TASAD's 0, 90 and 180 degrees clockwise
REAL_TURNS = (1, 2, 3)
ROTATIONS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}
FIRMER = 2  # times as compact
MOST_SEGMENTS = 4000  # in the bounding box of a thin region
LEAST_CAP = 0.1  # of the region: where `fraction` is small, a single superpixel may be as large


def superpixel_anomaly(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    n_segments: Any = (30, 150, 250),
    fraction: Any = 0.05,
    compactness: Any = 8,
    sigma: Any = 1,
    rotate: Any = True,
    augment_source: Any = False,
    augmenter: Any = None,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.superpixel_anomaly`."""
    counts = as_sequence("n_segments", n_segments, lambda name, n: int(as_number(name, n, 1, 1e6, integer=True)))
    fraction = _as_fraction(fraction)
    compactness = as_number("compactness", compactness, 1e-3, 1e6)
    sigma = as_number("sigma", sigma, 0, 100)
    rotate = as_flag("rotate", rotate)
    augment_source = as_flag("augment_source", augment_source)
    augmenter = as_augmenter("augmenter", augmenter)
    count = sampler.choice("n_segments", counts)
    content = _turn_source(image, sampler, source, rotate)
    if augmenter is not None:
        content = resize(apply_augmenter(augmenter, content, sampler, image), image.shape)
    elif augment_source:
        content = _augment(content, sampler, image.max_value)
    around = image.region_box
    dense = round(count * around.area / image.region_area)  # as many in the region as in an image without one
    partitions = _partitions(content[around.slices], image.max_value, min(dense, MOST_SEGMENTS), compactness, sigma)
    mask = _mask(image, sampler, partitions, _scale(sampler, fraction))
    return through_mask(mask, content, sampler.opacity())


def _as_fraction(value: Any) -> float:
    fraction = as_number("fraction", value, 0, 1, above=True)
    if fraction == 1:
        raise ValueError(f"`fraction` must be a number in (0, 1), got {value!r}")
    return fraction


def _scale(sampler: Sampler, fraction: float) -> float:
    if sampler.severity is None:
        return fraction
    low, high = (min(fraction * scale, 0.9) for scale in SEVERITY["fraction"])
    return sampler.scaled("fraction", low, high)


def _turn_source(image: NormalImage, sampler: Sampler, source: np.ndarray | None, rotate: bool) -> np.ndarray:
    """The source turned by right angles, at the image's size; the image itself, without a source, is always turned."""
    if source is None:
        turns = sampler.choice("quarter_turns", REAL_TURNS)
    else:
        turns = sampler.choice("quarter_turns", TASAD_TURNS) if rotate else 0
    pixels = image.crop() if source is None else source
    return resize(_turn(pixels, turns), image.shape)


def _turn(pixels: np.ndarray, turns: int) -> np.ndarray:
    """np.rot90, which is slower."""
    if turns == 0:
        return pixels
    if pixels.shape[2] > 4:  # OpenCV turns at most four channels
        return np.ascontiguousarray(np.rot90(pixels, turns))
    return with_axis(cv2.rotate(pixels, ROTATIONS[turns]))


def _augment(pixels: np.ndarray, sampler: Sampler, max_value: float) -> np.ndarray:
    for index in sampler.sample("augmenters", len(TASAD_AUGMENTERS), TASAD_COUNT):
        augmenter = AUGMENTERS[TASAD_AUGMENTERS[index]]
        pixels = augmenter(pixels, max_value, **augmenter.sample(sampler))
    return pixels


def _partitions(
    content: np.ndarray, max_value: float, count: int, compactness: float, sigma: float
) -> Iterator[np.ndarray]:
    """Superpixels; those that texture breaks up less, where these are too large; at last rectangles."""
    yield superpixels(content, max_value, count, compactness=compactness, sigma=sigma)
    yield superpixels(content, max_value, count, compactness=FIRMER * compactness, sigma=sigma)
    yield grid_labels(content.shape[:2], count)


def _mask(image: NormalImage, sampler: Sampler, partitions: Iterator[np.ndarray], fraction: float) -> np.ndarray:
    """The union of some labels at the image's size, of the first partition that has one within the cap."""
    around = image.region_box
    roi = None if image.roi is None else np.ascontiguousarray(image.roi[around.slices])
    cap = max(LEAST_CAP, min(1.0, 2 * fraction))
    for labels in partitions:
        areas, inside = _areas(roi, labels)
        most = cap * inside.sum()
        if len(areas) > 1 and ((inside > 0) & (inside <= most)).any():
            break
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
    """Pixels of each label, and those in the ROI: the same array without one."""
    areas = np.bincount(labels.ravel()).astype(float)
    return areas, areas if roi is None else _areas_in_roi(roi, labels, len(areas))


def _areas_in_roi(roi: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    finer = (4 * labels.shape[0], 4 * labels.shape[1])
    if roi.shape[0] > finer[0] and roi.shape[1] > finer[1]:  # sixteen pixels a cell tell enough, at a whole factor
        roi = resize(roi, finer, nearest=True)
    overlap = resize(roi, labels.shape).astype(float)
    return np.bincount(labels.ravel(), weights=overlap.ravel(), minlength=count) / 255


def _choose(sampler: Sampler, areas: np.ndarray, inside: np.ndarray, fraction: float, most: float) -> list[int]:
    """ceil(fraction K) of K labels, never all of two or more; with an ROI, of as many as would fill it."""
    order = sampler.rng.permutation(len(areas))
    filled = inside / areas
    total = filled.sum()
    count = max(1, min(math.ceil(fraction * total - 1e-9), math.ceil(total) - 1))
    return _within(order, areas, count, most) if inside is areas else _inside(order, filled, inside, count, most)


def _within(order: np.ndarray, areas: np.ndarray, count: int, most: float) -> list[int]:
    """The first `count` labels that together stay within an area of `most`; the smallest where none does."""
    chosen: list[int] = []
    total = 0.0
    for label in order.tolist():
        if total + areas[label] <= most:
            chosen.append(label)
            total += areas[label]
        if len(chosen) == count:
            break
    return chosen or [int(areas.argmin())]


def _inside(order: np.ndarray, filled: np.ndarray, inside: np.ndarray, count: int, most: float) -> list[int]:
    """Labels mostly in the ROI, then those with most in it, until they are as much as `count` whole ones.

    `filled` is the share of each label that lies in the ROI. At least one; the smallest where none is within `most`.
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
