"""Simplex noise added to a rectangle of the image (RD++).

1. The sides of the rectangle are drawn from `size_range`, shares of the region's sides; its place is uniform.
2. The noise is a sum of `octaves` of OpenSimplex noise. The first has a wavelength of `frequency` times the region's
   shorter side, at least 2 pixels, and amplitude 1; each further one has half the wavelength and `persistence` times
   the amplitude of the previous one.
3. `amplitude`, as a share of full scale, times the noise is added to the image.

RD++ uses one noise pattern for a whole data set; here each call has its own.

Reference: Tien et al., "Revisiting reverse distillation for anomaly detection", CVPR 2023.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.parameters import Number, Pair
from pail.core.sampler import Sampler
from pail.pixels.placing import place
from pail.sfi.simplex_noise.noise import simplex


def simplex_noise_anomlay(
    image: NormalImage,
    sampler: Sampler,
    *,
    size_range: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the sides")],
    octaves: Annotated[int, Number(1, 16, integer=True)],
    persistence: Annotated[float, Number(0, 1, above=True)],
    amplitude: Annotated[float, Number(0, 1, above=True, unit="fraction of full scale")],
    frequency: Annotated[float, Number(0, 1, above=True, unit="fraction of the shorter side")],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.simplex_noise_anomlay`."""
    height, width = (
        min(max(round(sampler.scaled(name, *size_range) * size), 1), size)
        for name, size in (("height", image.region_box.height), ("width", image.region_box.width))
    )
    box = place(image, sampler, height, width)
    wavelength = max(2.0, frequency * image.region_side)
    noise = simplex((height, width, image.channels), wavelength, octaves, persistence, sampler.rng)
    content = image.crop(box).astype(np.float32) + noise * np.float32(amplitude * image.max_value)
    return Insertion(box, content, opacity=sampler.opacity())
