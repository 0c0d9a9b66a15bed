"""A scratch: a few nearly parallel grooves with a dark and a bright flank."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from pail.beyond.procedural.site import FAINTEST, Contrast, Light, Tone, draw_light, find_site, focus, shade
from pail.beyond.procedural.strokes import fill, flank, ribbon, smooth_noise, smooth_rows, smoothstep, tapered, trimmed
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.parameters import Pair
from pail.core.sampler import Sampler

SPREAD = 6.0  # largest angle between strokes in degrees
SAMPLES = 28  # along a stroke
STRAIGHT = np.linspace(-0.5, 0.5, SAMPLES)
BOW = 1 - 4 * STRAIGHT**2  # deviation of a bent stroke from the straight line, 1 in the middle
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
    toward = draw_light(sampler, light)
    count = sampler.scaled_integer("n_strokes", *n_strokes)
    later = count - 1  # the other strokes, which are shorter, thinner, next to the first one and shifted along it
    share = np.concatenate([[1.0], sampler.uniforms("stroke_length", 0.25, 0.95, later)])[:, None]
    thick = widest * np.concatenate([[1.0], sampler.uniforms("stroke_width", 0.35, 0.9, later)])[:, None]
    heading = angle + np.radians(sampler.uniforms("stroke_angle", -SPREAD / 2, SPREAD / 2, count))[:, None]
    bend = sampler.uniforms("bend", -BEND, BEND, count)[:, None] * longest * share
    start = np.concatenate([[0.0], sampler.uniforms("stroke_start", -0.5, 0.5, later)])[:, None]
    offset = np.concatenate([[0.0], sampler.uniforms("stroke_offset", -1, 1, later)])[:, None]
    run = longest * (share * STRAIGHT + (1 - share) * start)
    across = bend * BOW + 0.15 * thick * smooth_rows(rng, count, SAMPLES, 6) + (4 * widest + 0.05 * longest) * offset
    cosine, sine = np.cos(heading), np.sin(heading)
    points = np.empty((count, SAMPLES, 2))
    points[..., 0] = run * cosine - across * sine
    points[..., 1] = run * sine + across * cosine
    pressure = np.clip(0.8 + 0.25 * smooth_rows(rng, count, SAMPLES, 9), 0.3, 1)
    ends = rng.uniform(0.04, 0.35, (2, count, 1))
    half = thick / 2 * pressure * tapered(SAMPLES, ends[0], ends[1])

    reach = max(0.9, 0.6 * widest)
    core = fill(ribbon(points, half, half), reach + 3, blur=focus(image))
    core = _worn(rng, core, angle, longest, widest)
    away, near = flank(core, -toward * reach), flank(core, toward * reach)
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
    where = np.flatnonzero(core > 0)
    rows, columns = np.divmod(where, core.shape[1])
    # Not perpendicular to the strokes, so that adjacent strokes do not skip at the same place.
    along = columns * math.cos(angle + 0.9) + rows * math.sin(angle + 0.9)
    across = rows * math.cos(angle) - columns * math.sin(angle)
    along, across = along - along.min(), across - across.min()
    reach, breadth = max(1.0, float(along.max())), max(1.0, float(across.max()))
    knots = max(4, round(reach / max(4.0, length / 9)))
    count = max(math.ceil(reach), 4 * knots)  # samples, about one a pixel
    touch = smoothstep(
        smooth_noise(rng, count, knots) + np.float32(0.75) * smooth_noise(rng, count, 4 * knots), -1.5, 0.1
    )
    lines = max(4, round(breadth / max(1.3, width / 5)))
    grains = np.clip(0.8 + 0.3 * smooth_noise(rng, 4 * lines, lines), 0.3, 1)
    worn = np.zeros(core.size, np.float32)
    kept = touch[(along * ((count - 1) / reach)).astype(np.intp)]
    kept *= grains[(across * ((len(grains) - 1) / breadth)).astype(np.intp)]
    worn[where] = kept * core.reshape(-1)[where]
    return worn.reshape(core.shape)
