"""Perlin noise above a threshold, as the shape of an anomaly."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.core.checks import as_number, as_range
from pail.core.draw import Draw
from pail.core.frame import Frame
from pail.core.ops import as_bytes, resize
from pail.pixels.perlin import Noise, sample_step
from pail.pixels.placing import fallback_box

MASK_TRIES = 10
MAX_RANDOM_COVERAGE = 0.5  # a threshold drawn at random may cover nearly everything


class PerlinOptions(NamedTuple):
    """The noise and its threshold, validated."""

    threshold: float | str = 0.5
    scales: tuple[int, int] = (0, 5)  # exponents of the coarsest and the finest lattice
    rotation: tuple[float, float] | None = None

    @classmethod
    def check(cls, threshold: Any, min_perlin_scale: Any, perlin_scale: Any, rotation: Any) -> PerlinOptions:
        """From the methods' keywords; `perlin_scale` is exclusive, as in DRAEM."""
        low = int(as_number("min_perlin_scale", min_perlin_scale, 0, 14, integer=True))
        high = int(as_number("perlin_scale", perlin_scale, 1, 15, integer=True)) - 1
        if low > high:
            raise ValueError(
                f"`min_perlin_scale` must be below `perlin_scale` {perlin_scale!r}, got {min_perlin_scale!r}"
            )
        return cls(_as_threshold(threshold), (low, high), as_range("rotation", rotation, -360, 360))


def _as_threshold(value: Any) -> float | str:
    if isinstance(value, str):
        if value != "random":
            raise ValueError(f"`threshold` must be a number in [-1, 1] or 'random', got {value!r}")
        return value
    return as_number("threshold", value, -1, 1)


PLAIN = PerlinOptions()


def perlin_mask(
    frame: Frame,
    draw: Draw,
    options: PerlinOptions = PLAIN,
    *,
    roi: np.ndarray | None = None,
    shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """Perlin noise above a threshold as a mask: uint8 {0, 255} (H, W), with a pixel inside `roi` (None: anywhere).

    It is made at `shape`, the image's own by default, and has the image's size. The noise is redrawn, lattice
    included, while nothing of the mask is inside. A severity sets the share of the area that is covered. Where the
    image has an ROI that holds less than half of what was drawn, the threshold falls inside it until it does.
    """
    shape = frame.shape if shape is None else shape
    region = None if roi is None else resize(roi, shape, nearest=True)
    for _ in range(MASK_TRIES):
        noise = draw_noise(draw, shape, options.scales, options.rotation)
        level = _level(noise, draw, options.threshold)
        if frame.roi is not None and region is not None:
            level = _level_in_roi(noise, level, region)
        mask = noise.above(level)
        if options.threshold == "random" and cv2.countNonZero(mask) > MAX_RANDOM_COVERAGE * mask.size:
            continue
        mask = resize(mask, frame.shape, nearest=True)
        inside = mask if roi is None else cv2.bitwise_and(mask, roi)
        if cv2.hasNonZero(inside):
            return inside
    return _last_resort(frame, draw, noise, region, roi)


def draw_noise(
    draw: Draw, shape: tuple[int, int], scales: tuple[int, int], angles: tuple[float, float] | None
) -> Noise:
    cells = tuple(min(2 ** draw.integer("perlin_scale", *scales), size) for size in shape)
    angle = 0.0 if angles is None else draw.uniform("angle", *angles)
    return Noise.drawn(shape, (cells[0], cells[1]), draw.rng, angle)


def _level(noise: Noise, draw: Draw, threshold: float | str) -> float:
    if draw.severity is not None:
        share = draw.keep("coverage", draw.at_severity("coverage"))
        return _level_of_share(noise.sample().ravel(), share)
    if isinstance(threshold, str):
        values = noise.values()
        return draw.uniform("threshold", float(values.min()), float(values.max()))
    return threshold


def _level_of_share(values: np.ndarray, share: float) -> float:
    """The level that this share of the values exceeds, at least one of them."""
    place = max(len(values) - max(1, math.ceil(share * len(values))), 0)
    return float(np.nextafter(np.partition(values, place)[place], np.float32(-2)))


def _level_in_roi(noise: Noise, level: float, roi: np.ndarray) -> float:
    """`level`, or the lower one at which the ROI holds half of the area that exceeds `level` anywhere.

    Judged on a sample of the noise; the tenth on top makes up for what a sample misses.
    """
    step = sample_step(roi.shape)
    sample = noise.sample()
    values = sample[roi[::step, ::step] > 0]
    wanted = 1.1 * np.count_nonzero(sample > level) / 2
    if len(values) == 0 or np.count_nonzero(values > level) >= wanted:
        return level
    return _level_of_share(values, min(1.0, wanted / len(values)))


def _last_resort(
    frame: Frame, draw: Draw, noise: Noise, region: np.ndarray | None, roi: np.ndarray | None
) -> np.ndarray:
    """The highest twentieth of the noise inside the ROI, or a square where even that misses."""
    turned = noise.turned()
    values = turned.ravel() if region is None else turned[region > 0]
    if len(values):
        mask = resize(as_bytes(turned > _level_of_share(values, 0.05)), frame.shape, nearest=True)
        mask = mask if roi is None else cv2.bitwise_and(mask, roi)
        if cv2.hasNonZero(mask):
            return mask
    mask = np.zeros(frame.shape, np.uint8)
    mask[fallback_box(frame, draw, roi).slices] = 255
    return mask if roi is None else cv2.bitwise_and(mask, roi)
