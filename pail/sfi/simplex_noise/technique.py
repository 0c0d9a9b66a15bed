"""Simplex noise added to a rectangle (RD++)."""

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
