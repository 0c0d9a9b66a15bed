"""Simplex noise added to a rectangle (RD++)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pail.core.checks import as_number, as_range
from pail.core.composite import Insertion
from pail.core.draw import Draw
from pail.core.frame import Frame
from pail.pixels.placing import place
from pail.pixels.simplex import simplex


def simplex_noise_anomlay(
    frame: Frame,
    draw: Draw,
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
        min(max(round(draw.scaled(name, *size_range) * size), 1), size)
        for name, size in (("height", frame.region_box.height), ("width", frame.region_box.width))
    )
    box = place(frame, draw, height, width)
    wavelength = max(2.0, frequency * frame.region_side)
    noise = simplex((height, width, frame.channels), wavelength, octaves, persistence, draw.rng)
    content = frame.crop(box).astype(np.float32) + noise * np.float32(amplitude * frame.peak)
    return Insertion(box, content, opacity=draw.opacity())
