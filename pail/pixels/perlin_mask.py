"""Perlin noise above a threshold, as the shape of an anomaly."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.checks import as_number, as_range
from pail.core.image import NormalImage
from pail.core.ops import as_bytes, resize
from pail.core.sampler import Sampler
from pail.pixels.perlin import Noise
from pail.pixels.placing import fallback_box

MASK_TRIES = 10
LAST_SHARE = 0.05  # of the area: the highest noise, where ten masks in a row were empty
LEAST_SAMPLE = 10_000  # values, of which half a percent are enough to tell a level
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
    image: NormalImage,
    sampler: Sampler,
    options: PerlinOptions = PLAIN,
    *,
    roi: np.ndarray | None = None,
    shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """Perlin noise above a threshold as a mask: uint8 {0, 255} (H, W), with a pixel inside `roi` (None: anywhere).

    It is made at `shape`, the image's own by default, and has the image's size. The noise is redrawn, lattice
    included, while nothing of the mask is inside. A severity sets the share of the area that is covered. Where the
    frame has a region of interest, the noise is made over the bounding box of `roi`, and the area is that of `roi`.
    """
    box = image.whole if roi is None or image.roi is None else Box.around(roi)
    inside = roi if roi is None else roi[box.slices]
    mask = _mask_on_box(image, sampler, options, inside, box[2:], box[2:] if shape is None else shape)
    if box != image.whole:
        mask = cv2.copyMakeBorder(
            mask, box.top, image.height - box.bottom, box.left, image.width - box.right, cv2.BORDER_CONSTANT, value=0
        )
    if not cv2.hasNonZero(mask):
        mask[fallback_box(image, sampler, roi).slices] = 255
        mask = mask if roi is None else cv2.bitwise_and(mask, roi)
    return mask


def noise_mask(image: NormalImage, sampler: Sampler, shape: tuple[int, int]) -> np.ndarray:
    """Perlin noise of DRAEM's lattices above its threshold as a mask of any shape; may be empty."""
    return _mask_on_box(image, sampler, PLAIN, None, shape, shape)


def _mask_on_box(
    image: NormalImage,
    sampler: Sampler,
    options: PerlinOptions,
    inside: np.ndarray | None,
    size: tuple[int, int],
    shape: tuple[int, int],
) -> np.ndarray:
    """The mask at `size`, cut to `inside`, from noise at `shape`; all 0 where there is no pixel in it."""
    region = None if inside is None else resize(inside, shape, nearest=True)
    counted = None if image.roi is None else region
    for _ in range(MASK_TRIES):
        noise = draw_noise(sampler, shape, options.scales, options.rotation)
        mask = noise.above(_level(noise, sampler, options.threshold, counted))
        if options.threshold == "random" and cv2.countNonZero(mask) > MAX_RANDOM_COVERAGE * mask.size:
            continue
        mask = resize(mask, size, nearest=True)
        mask = mask if inside is None else cv2.bitwise_and(mask, inside)
        if cv2.hasNonZero(mask):
            return mask
    rotated = noise.rotated()
    values = rotated.ravel() if region is None else rotated[region > 0]
    if len(values) == 0:
        return mask
    mask = resize(as_bytes(rotated > _level_of_share(values, LAST_SHARE)), size, nearest=True)
    return mask if inside is None else cv2.bitwise_and(mask, inside)


def draw_noise(
    sampler: Sampler, shape: tuple[int, int], scales: tuple[int, int], angles: tuple[float, float] | None
) -> Noise:
    cells = 2 ** sampler.integer("perlin_scale", *scales), 2 ** sampler.integer("perlin_scale", *scales)
    angle = 0.0 if angles is None else sampler.uniform("angle", *angles)
    return Noise.drawn(shape, cells, sampler.rng, angle)


def _level(noise: Noise, sampler: Sampler, threshold: float | str, region: np.ndarray | None) -> float:
    """The level above which the noise is in the mask; with a severity, the one that leaves its share of the area."""
    if sampler.severity is not None:
        share = sampler.keep("coverage", sampler.at_severity("coverage"))
        return _level_of_share(_sampled(noise, region), share)
    if isinstance(threshold, str):
        values = noise.rotated()
        return sampler.uniform("threshold", float(values.min()), float(values.max()))
    return threshold


def _sampled(noise: Noise, region: np.ndarray | None) -> np.ndarray:
    """A sample of the noise in the region; denser where the region takes up little of the noise."""
    step = noise.sample_step
    if region is None:
        return noise.sample(step).ravel()
    count = cv2.countNonZero(region) / step**2
    if count < LEAST_SAMPLE:
        step = max(1, int(step * math.sqrt(count / LEAST_SAMPLE)))
    sample = noise.sample(step)
    values = sample[region[::step, ::step] > 0]
    return values if len(values) else sample.ravel()


def _level_of_share(values: np.ndarray, share: float) -> float:
    """The level that this share of the values exceeds, at least one of them."""
    place = max(len(values) - max(1, round(share * len(values))), 0)
    return float(np.nextafter(np.partition(values, place)[place], np.float32(-2)))
