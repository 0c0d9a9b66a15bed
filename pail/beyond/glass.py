"""A mildly augmented source through combined Perlin noise (GLASS)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import cv2
import numpy as np

from pail.core.composite import Insertion, through_mask
from pail.core.image import NormalImage
from pail.core.ops import resize, with_axis
from pail.core.parameters import Flag, Number, Pair
from pail.core.sampler import Sampler
from pail.pixels.color import apply_jitter
from pail.pixels.draem import AUGMENTERS
from pail.pixels.foreground import foreground_of
from pail.pixels.noise import (
    MASK_TRIES,
    CoarsestScale,
    FinestScale,
    PerlinOptions,
    Rotation,
    Threshold,
    perlin_mask,
)

COMBINATIONS = ("first", "union", "intersection")
COUNT = 3  # number of the augmentations below that are applied


def glass(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    use_mask: Annotated[bool, Flag()],
    beta_mean: Annotated[float, Number(0, 1, unit="fraction of the normal image")],
    beta_std: Annotated[float, Number(0, 1, unit="fraction of the normal image")],
    beta_range: Annotated[tuple[float, float], Pair(0, 1, unit="fraction of the normal image")],
    threshold: Threshold,
    min_perlin_scale: CoarsestScale,
    perlin_scale: FinestScale,
    rotation: Rotation,
    augment_source: Annotated[bool, Flag()],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.glass`."""
    low, high = beta_range
    perlin = PerlinOptions.check(threshold, min_perlin_scale, perlin_scale, rotation)
    if sampler.severity is None:
        opacity = 1 - sampler.keep("beta", float(np.clip(sampler.rng.normal(beta_mean, beta_std), low, high)))
    else:
        opacity = sampler.scaled("opacity", 1 - high, 1 - low)
    mask = _mask(image, sampler, perlin, _region(image, use_mask))
    if source is None:
        content = with_axis(cv2.flip(image.crop(), -1))
    else:
        content = resize(source, image.shape)
    if augment_source:
        content = _augmented(content, sampler, image.max_value)
    return through_mask(mask, content, opacity)


def _region(image: NormalImage, use_mask: bool) -> np.ndarray | None:
    """The foreground inside the region of interest, or only the region if they do not overlap."""
    if not use_mask:
        return image.roi
    found = foreground_of(image)
    region = found if image.roi is None else cv2.bitwise_and(found, image.roi)
    return region if cv2.hasNonZero(region) else image.roi


def _mask(image: NormalImage, sampler: Sampler, perlin: PerlinOptions, region: np.ndarray | None) -> np.ndarray:
    options = COMBINATIONS if sampler.severity is None else COMBINATIONS[:2]
    for _ in range(MASK_TRIES):
        first = perlin_mask(image, sampler, perlin, roi=region)
        kind = sampler.choice("combination", options)
        if kind == "first":
            return first
        second = perlin_mask(image, sampler, perlin, roi=region)
        both = cv2.bitwise_or(first, second) if kind == "union" else cv2.bitwise_and(first, second)
        if cv2.hasNonZero(both):
            return both
    return first


def _augmented(pixels: np.ndarray, sampler: Sampler, max_value: float) -> np.ndarray:
    """Apply three different augmentations in random order; returns a new array."""
    names = list(MILD)
    chosen = sampler.keep("augmenters", [names[i] for i in sampler.rng.permutation(len(names))[:COUNT]])
    for name in chosen:
        pixels = MILD[name](pixels, sampler, max_value)
    return pixels


def _jitter(pixels: np.ndarray, sampler: Sampler, max_value: float, **ranges: tuple[float, float]) -> np.ndarray:
    """torchvision's color jitter with the given ranges of factors, applied in order."""
    neutral = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
    factors = [sampler.uniform(name, *ranges[name]) if name in ranges else value for name, value in neutral.items()]
    order = [list(neutral).index(name) for name in ranges]
    if len(order) == 2 and sampler.flag("jitter_order"):
        order.reverse()
    return apply_jitter(pixels, max_value, order, tuple(factors))


MILD: dict[str, Callable[[np.ndarray, Sampler, float], np.ndarray]] = {
    "contrast": lambda pixels, sampler, max_value: _jitter(pixels, sampler, max_value, contrast=(0.8, 1.2)),
    "brightness": lambda pixels, sampler, max_value: _jitter(pixels, sampler, max_value, brightness=(0.8, 1.2)),
    "color": lambda pixels, sampler, max_value: _jitter(
        pixels, sampler, max_value, saturation=(0.8, 1.2), hue=(-0.2, 0.2)
    ),
    "flip_columns": lambda pixels, sampler, max_value: with_axis(cv2.flip(pixels, 1)),
    "flip_rows": lambda pixels, sampler, max_value: with_axis(cv2.flip(pixels, 0)),
    "gray": lambda pixels, sampler, max_value: apply_jitter(pixels, max_value, [2], (1.0, 1.0, 0.0, 0.0)),
    "autocontrast": lambda pixels, sampler, max_value: AUGMENTERS["autocontrast"](pixels, max_value, cutoff=0),
    "equalize": lambda pixels, sampler, max_value: AUGMENTERS["equalize"](pixels, max_value),
    "rotation": lambda pixels, sampler, max_value: AUGMENTERS["rotate"](
        pixels, max_value, angle=sampler.uniform("source_rotation", -45, 45)
    ),
}
