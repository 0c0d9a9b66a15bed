"""Superpixels of a source, pasted onto the same places of the image (TASAD)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from pail.core.checks import as_flag, as_number, as_sequence
from pail.core.composite import Insertion, through_mask
from pail.core.draw import Draw
from pail.core.frame import Frame
from pail.core.ops import resize
from pail.pixels.augmenter import apply_augmenter, as_augmenter
from pail.pixels.draem import AUGMENTERS
from pail.pixels.placing import FALLBACK_FRACTION, place
from pail.pixels.segments import enlarged, grid_labels, superpixels

TASAD_AUGMENTERS = ("gamma_contrast", "brightness", "sharpness", "autocontrast")
TASAD_COUNT = 3  # of them, no two alike
TURNS = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}
SEVERITY_SCALE = (0.2, 2.0)  # of `fraction`, for severities 0 and 1
MOST = 0.5  # no more of the image is pasted, unless half of `fraction` asks for it


def superpixel_anomaly(
    frame: Frame,
    draw: Draw,
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
    count = draw.choice("n_segments", counts)
    content = _turned_source(frame, draw, source, rotate)
    if augmenter is not None:
        content = resize(apply_augmenter(augmenter, content, draw, frame), frame.shape)
    elif augment_source:
        content = _augmented(content, draw, frame.peak)
    labels = superpixels(content, frame.peak, count, compactness=compactness, sigma=sigma)
    if not labels.any():
        labels = grid_labels(frame.shape, count)
    return through_mask(_mask(frame, draw, labels, fraction), content, draw.opacity())


def _as_fraction(value: Any) -> float:
    fraction = as_number("fraction", value, 0, 1, above=True)
    if fraction == 1:
        raise ValueError(f"`fraction` must be a number in (0, 1), got {value!r}")
    return fraction


def _turned_source(frame: Frame, draw: Draw, source: np.ndarray | None, rotate: bool) -> np.ndarray:
    """The source turned by right angles, at the image's size; the image itself, without a source, is always turned."""
    if source is None:
        turns = draw.choice("quarter_turns", (1, 2, 3))
    else:
        turns = draw.choice("quarter_turns", (0, 1, 2)) if rotate else 0
    pixels = frame.crop() if source is None else source
    return resize(_turned(pixels, turns), frame.shape)


def _turned(pixels: np.ndarray, turns: int) -> np.ndarray:
    """Turned clockwise by `turns` right angles."""
    if turns == 0:
        return pixels
    if pixels.shape[2] > 4:  # OpenCV turns at most four channels
        return np.ascontiguousarray(np.rot90(pixels, -turns))
    turned = cv2.rotate(pixels, TURNS[turns])
    return turned[..., None] if turned.ndim == 2 else turned


def _augmented(pixels: np.ndarray, draw: Draw, peak: float) -> np.ndarray:
    for index in draw.sample("augmenters", len(TASAD_AUGMENTERS), TASAD_COUNT):
        augmenter = AUGMENTERS[TASAD_AUGMENTERS[index]]
        pixels = augmenter(pixels, peak, **augmenter.sample(draw))
    return pixels


def _mask(frame: Frame, draw: Draw, labels: np.ndarray, fraction: float) -> np.ndarray:
    """The union of some superpixels at the image's size."""
    if draw.severity is not None:
        low, high = (min(fraction * scale, 0.9) for scale in SEVERITY_SCALE)
        fraction = draw.scaled("fraction", low, high)
    chosen = draw.keep("labels", _chosen(frame.roi, draw, labels, fraction))
    table = np.zeros(int(labels.max()) + 1, np.uint8)
    table[chosen] = 255
    mask = enlarged(table[labels], frame.shape)
    if frame.roi is not None and not cv2.hasNonZero(cv2.bitwise_and(mask, frame.roi)):
        return _square(frame, draw)
    return mask


def _square(frame: Frame, draw: Draw) -> np.ndarray:
    """What stands in where the ROI is too small for a superpixel."""
    side = max(1, round(frame.side * FALLBACK_FRACTION))
    top, left, height, width = place(frame, draw, side, side)
    mask = np.zeros(frame.shape, np.uint8)
    mask[max(top, 0) : top + height, max(left, 0) : left + width] = 255
    return mask


def _chosen(roi: np.ndarray | None, draw: Draw, labels: np.ndarray, fraction: float) -> list[int]:
    """ceil(fraction K) of K labels, never all of two or more; with an ROI, those that lie in it and as much area."""
    areas = np.bincount(labels.ravel()).astype(float)
    count = max(1, min(math.ceil(fraction * len(areas) - 1e-9), len(areas) - 1))
    draw.keep("n_labels", len(areas))
    order = draw.rng.permutation(len(areas))
    chosen = _within(order, areas, count, labels.size * max(MOST, min(1.0, 2 * fraction)))
    if roi is None:
        return chosen
    finer = (4 * labels.shape[0], 4 * labels.shape[1])
    if roi.shape[0] > finer[0] and roi.shape[1] > finer[1]:  # sixteen pixels a cell tell enough, at a whole factor
        roi = resize(roi, finer, nearest=True)
    overlap = resize(roi, labels.shape).astype(float)
    inside = np.bincount(labels.ravel(), weights=overlap.ravel(), minlength=len(areas)) / 255
    return _inside(order, areas, inside, count, areas[chosen].sum() / 2)


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


def _inside(order: np.ndarray, areas: np.ndarray, inside: np.ndarray, count: int, wanted: float) -> list[int]:
    """Labels with half of their area in the ROI, then those with most in it, until there is enough of both."""
    mostly = inside[order] >= areas[order] / 2
    others = order[~mostly]
    ranked: Iterable[int] = np.concatenate([order[mostly], others[np.argsort(-inside[others], kind="stable")]]).tolist()
    chosen: list[int] = []
    total = 0.0
    for label in ranked:
        enough = total >= wanted and (len(chosen) >= count or total >= 2 * wanted)
        if chosen and (enough or inside[label] == 0):
            break
        chosen.append(label)
        total += inside[label]
    return chosen
