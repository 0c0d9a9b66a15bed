"""A scratch: a few nearly parallel grooves with a dark and a bright flank."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from pail.beyond.procedural.site import FAINTEST, Contrast, Light, Tone, draw_light, find_site, focus, shade
from pail.beyond.procedural.strokes import fill, flanks, ribbon, smooth_noise, smoothstep, tapered, trimmed
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.parameters import Pair
from pail.core.sampler import Sampler

SPREAD = 6.0  # largest angle between strokes in degrees
SAMPLES = 28  # along a stroke
STRAIGHT = np.linspace(-0.5, 0.5, SAMPLES)
BEND = 0.06  # of its length: largest deviation of a stroke from a straight line


def scratch(
    image: NormalImage,
    sampler: Sampler,
    *,
    n_strokes: Annotated[tuple[int, int], Pair(1, 100, integer=True)],
    length: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")],
    width: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")],
    contrast: Contrast,
    tone: Tone,
    light: Light,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.scratch`."""
    side = image.region_side
    rng = sampler.rng
    longest = max(1.0, sampler.scaled("length", *length) * side)
    widest = max(1.0, sampler.scaled("width", *width) * side)
    angle = sampler.uniform("angle", 0, math.pi)
    towards = draw_light(sampler, light)
    outlines = []
    for i in range(sampler.scaled_integer("n_strokes", *n_strokes)):
        share = 1.0 if i == 0 else sampler.uniform("stroke_length", 0.25, 0.95)
        heading = angle + math.radians(sampler.uniform("stroke_angle", -SPREAD / 2, SPREAD / 2))
        thick = widest * (1.0 if i == 0 else sampler.uniform("stroke_width", 0.35, 0.9))
        t = STRAIGHT
        run = t * longest * share
        bend = sampler.uniform("bend", -BEND, BEND) * longest * share
        across = bend * (1 - 4 * t * t) + smooth_noise(rng, SAMPLES, 6) * 0.15 * thick
        if i:  # next to the first one, and shifted along it
            run = run + longest * (1 - share) * sampler.uniform("stroke_start", -0.5, 0.5)
            across = across + sampler.uniform("stroke_offset", -1, 1) * (4 * widest + 0.05 * longest)
        cosine, sine = math.cos(heading), math.sin(heading)
        points = np.stack([run * cosine - across * sine, run * sine + across * cosine], axis=1)
        pressure = np.clip(0.8 + 0.25 * smooth_noise(rng, SAMPLES, 9), 0.3, 1)
        half = thick / 2 * pressure * tapered(SAMPLES, *rng.uniform(0.04, 0.35, 2))
        outlines.append(ribbon(points, half, half))

    reach = max(0.9, 0.6 * widest)
    core = fill(outlines, reach + 3, blur=focus(image))
    core = _worn(rng, core, angle, longest, widest)
    away, near = flanks(core, towards, reach)
    # The wall that faces the light is clearly visible; the other one is hardly darker than the shadow in the groove.
    bright, dark = 0.75 * away, 0.25 * near
    alpha = np.maximum(core, np.maximum(bright, dark))
    part = trimmed(alpha, FAINTEST, image.shape)
    alpha = np.ascontiguousarray(alpha[part])
    site = find_site(image, sampler, alpha, contrast, tone=tone)
    value = core[part] - bright[part] + dark[part]
    if not site.darkens:  # a bright core merges with the bright wall, and the other wall is dark
        value = core[part] + 0.4 * bright[part] - near[part] * 0.75
        alpha = np.maximum(core[part], np.maximum(0.4 * bright[part], 0.75 * near[part]))
    return shade(site, alpha, value / np.maximum(alpha, 1e-3))


def _worn(rng: np.random.Generator, core: np.ndarray, angle: float, length: float, width: float) -> np.ndarray:
    """The parts of the strokes where the tool touched the surface, (h, w): 1-D noise along them, and fine lines of its
    grains."""
    where = np.flatnonzero(core)
    rows, columns = np.divmod(where, core.shape[1])
    # Not perpendicular to the strokes, so that adjacent strokes do not skip at the same place.
    along = columns * math.cos(angle + 0.9) + rows * math.sin(angle + 0.9)
    across = rows * math.cos(angle) - columns * math.sin(angle)
    along, across = along - along.min(), across - across.min()
    reach, breadth = max(1.0, float(along.max())), max(1.0, float(across.max()))
    knots = max(4, round(reach / max(4.0, length / 9)))
    touch = smoothstep(smooth_noise(rng, 512, knots) + 0.75 * smooth_noise(rng, 512, 4 * knots), -1.5, 0.1)
    lines = max(4, round(breadth / max(1.3, width / 5)))
    grains = np.clip(0.8 + 0.3 * smooth_noise(rng, 4 * lines, lines), 0.3, 1)
    worn = np.zeros(core.size, np.float32)
    worn[where] = touch[(along * (511 / reach)).astype(np.intp)]
    worn[where] *= grains[(across * ((len(grains) - 1) / breadth)).astype(np.intp)]
    result: np.ndarray = worn.reshape(core.shape) * core
    return result
