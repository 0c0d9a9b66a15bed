"""An augmented source image, blended in where Perlin noise is above a threshold (DRAEM).

1. The mask is rotated Perlin noise above `threshold` (see `pail.pixels.noise`).
2. The content is the source after three of ten photometric augmenters (see `pail.pixels.draem`). Without a source it is
   the image itself.
3. The content is blended in with the opacity 1 - beta, beta drawn from `beta_range`.

Reference: Zavrtanik, Kristan, Skocaj, "DRAEM - A discriminatively trained reconstruction embedding for surface anomaly
detection", ICCV 2021, https://arxiv.org/abs/2108.07610.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from pail.core.composite import Insertion, through_mask
from pail.core.image import NormalImage
from pail.core.parameters import Flag, Pair, Size
from pail.core.sampler import Sampler
from pail.pixels.augmenter import Augmenter, augmented_source
from pail.pixels.noise import CoarsestScale, FinestScale, PerlinOptions, Rotation, Threshold, perlin_mask


def perlin_noise_pattern(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    resize: Annotated[tuple[int, int] | None, Size(instead=(None,))],
    threshold: Threshold,
    min_perlin_scale: CoarsestScale,
    perlin_scale: FinestScale,
    rotation: Rotation,
    beta_range: Annotated[tuple[float, float], Pair(0, 1, unit="fraction of the normal image")],
    augment_source: Annotated[bool, Flag()],
    augmenter: Annotated[Any, Augmenter()],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.perlin_noise_pattern`."""
    perlin = PerlinOptions.check(threshold, min_perlin_scale, perlin_scale, rotation)
    opacity = sampler.scaled("opacity", 1 - beta_range[1], 1 - beta_range[0])
    mask = perlin_mask(image, sampler, perlin, roi=image.roi, shape=resize)
    content = augmented_source(image, sampler, source, augmenter, always=augment_source or source is None)
    return through_mask(mask, content, opacity)
