"""An augmented source image, blended in where Perlin noise is above a threshold (DRAEM).

1. The mask is rotated Perlin noise above `threshold` (see `pail.pixels.noise`).
2. The content is the source after three of ten photometric augmenters (see `pail.pixels.draem`). Without a source it is
   the image itself.
3. The content is blended in with the opacity 1 - beta, beta drawn from `beta_range`.

Reference: Zavrtanik, Kristan, Skocaj, "DRAEM - A discriminatively trained reconstruction embedding for surface anomaly
detection", ICCV 2021, https://arxiv.org/abs/2108.07610.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pail.core.checks import as_flag, as_range, as_size
from pail.core.composite import Insertion, through_mask
from pail.core.image import NormalImage
from pail.core.sampler import Sampler
from pail.pixels.augmenter import as_augmenter, augmented_source
from pail.pixels.noise import PerlinOptions, perlin_mask


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
    mask = perlin_mask(image, sampler, perlin, roi=image.roi, shape=size)
    content = augmented_source(image, sampler, source, augmenter, always=augment_source or source is None)
    return through_mask(mask, content, opacity)
