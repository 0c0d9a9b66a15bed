"""Another image seen through a Perlin noise mask (DRAEM)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pail.core.checks import as_flag, as_range, as_size
from pail.core.composite import Insertion, through_mask
from pail.core.image import NormalImage
from pail.core.sampler import Sampler
from pail.pixels.augmenter import as_augmenter
from pail.pixels.perlin_mask import PerlinOptions, perlin_mask
from pail.pixels.sources import augmented_source


def perlin_noise_pattern(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    resize: Any = None,
    threshold: Any = 0.5,
    min_perlin_scale: Any = 0,
    perlin_scale: Any = 6,
    rotation: Any = (-90, 90),
    beta_range: Any = (0, 0.8),
    augment_source: Any = True,
    augmenter: Any = None,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.perlin_noise_pattern`."""
    size = as_size("resize", resize)
    beta_range = as_range("beta_range", beta_range, 0, 1)
    augment_source = as_flag("augment_source", augment_source)
    augmenter = as_augmenter("augmenter", augmenter)
    perlin = PerlinOptions.check(threshold, min_perlin_scale, perlin_scale, rotation)
    opacity = sampler.scaled("opacity", 1 - beta_range[1], 1 - beta_range[0])
    mask = perlin_mask(
        image,
        sampler,
        perlin,
        roi=image.roi,
        shape=size,
    )
    content = augmented_source(image, sampler, source, augmenter, always=augment_source or source is None)
    return through_mask(mask, content, opacity)
