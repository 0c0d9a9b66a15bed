"""Simplex noise added to a rectangle of the image (RD++).

1. The sides of the rectangle are drawn from `size_range`, shares of the region's sides; its place is uniform.
2. The noise is a sum of `octaves` of OpenSimplex noise. The first has a wavelength of `frequency` times the region's
   shorter side, at least 2 pixels, and amplitude 1; each further one has half the wavelength and `persistence` times
   the amplitude of the one before.
3. `amplitude`, as a share of full scale, times the noise is added to the image.

RD++ uses one noise pattern for a whole data set; here each call has its own.

Reference: Tien et al., "Revisiting reverse distillation for anomaly detection", CVPR 2023.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pail.core.checks import as_number, as_range
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.sampler import Sampler
from pail.pixels.placing import place
from pail.sfi.simplex_noise.noise import simplex


def simplex_noise_anomlay(
    image: NormalImage,
    sampler: Sampler,
    *,
    size_range: Any = (10 / 256, 1 / 8),
    octaves: Any = 6,
    persistence: Any = 0.6,
    amplitude: Any = 0.2,
    frequency: Any = 1 / 8,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.simplex_noise_anomlay`."""
    size_range = as_range("size_range", size_range, 0, 1, above=True)
    octaves = int(as_number("octaves", octaves, 1, 16, integer=True))
    persistence = as_number("persistence", persistence, 0, 1, above=True)
    amplitude = as_number("amplitude", amplitude, 0, 1, above=True)
    frequency = as_number("frequency", frequency, 0, 1, above=True)
    height, width = (
        min(max(round(sampler.scaled(name, *size_range) * size), 1), size)
        for name, size in (("height", image.region_box.height), ("width", image.region_box.width))
    )
    box = place(image, sampler, height, width)
    wavelength = max(2.0, frequency * image.region_side)
    noise = simplex((height, width, image.channels), wavelength, octaves, persistence, sampler.rng)
    content = image.crop(box).astype(np.float32) + noise * np.float32(amplitude * image.max_value)
    return Insertion(box, content, opacity=sampler.opacity())
