"""A scratch: a few nearly parallel grooves with a dark and a bright flank."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pail.beyond.procedural.site import FAINTEST, as_light, as_tone, draw_light, find_site, focus, shade
from pail.beyond.procedural.strokes import fill, flanks, ribbon, smooth_noise, smoothstep, tapered, trimmed
from pail.core.checks import as_range
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.sampler import Sampler

SPREAD = 6.0  # degrees between the strokes at most
SAMPLES = 28  # along a stroke
BEND = 0.06  # of its length: how far a stroke leaves the straight line at most


def scratch(
    image: NormalImage,
    sampler: Sampler,
    *,
    n_strokes: Any = (1, 4),
    length: Any = (0.1, 0.7),
    width: Any = (0.003, 0.012),
    contrast: Any = (2.5, 7.0),
    tone: Any = None,
    light: Any = None,
) -> Insertion:
    """Insert a scratch: one to four nearly parallel, gently curved strokes.

    They taper at both ends and skip where the pressure was low. Each is a
    groove: its core changes in the direction with more headroom, the wall
    that faces the light in the other one.

    Parameters
    ----------
    frame, draw : Frame, Draw
        The normal image, and the random numbers of the call.
    n_strokes : pair of int, default (1, 4)
        Strokes, at least 1.
    length : pair of float, default (0.1, 0.7)
        Length of the longest stroke, as a fraction of the shorter side of
        the region or image.
    width : pair of float, default (0.003, 0.012)
        Largest width of a stroke, likewise; at least one pixel.
    contrast : pair of float, default (2.5, 7.0)
        Change of the level, in units of the larger of the local spread and
        4 % of the range.
    tone : {None, "dark", "bright"}
        Of the core; None for the direction with more headroom.
    light : float, optional
        Where the light comes from, in degrees counterclockwise from the
        right; drawn by default.
    """
    n_strokes = as_range("n_strokes", n_strokes, 1, 100, integer=True)
    length = as_range("length", length, 0, 1, above=True)
    width = as_range("width", width, 0, 1, above=True)
    contrast = as_range("contrast", contrast, 0, 100, above=True)
    tone, light = as_tone(tone), as_light(light)

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
        t = np.linspace(-0.5, 0.5, SAMPLES)
        run = t * longest * share
        bend = sampler.uniform("bend", -BEND, BEND) * longest * share
        across = bend * (1 - 4 * t * t) + smooth_noise(rng, SAMPLES, 6) * 0.15 * thick
        if i:  # beside the first one, and not at the same height
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
    # The wall that faces the light stands out, the other one is hardly darker than the groove's shadow.
    bright, dark = 0.75 * away, 0.25 * near
    alpha = np.maximum(core, np.maximum(bright, dark))
    part = trimmed(alpha, FAINTEST, image.shape)
    alpha = np.ascontiguousarray(alpha[part])
    site = find_site(image, sampler, alpha, contrast, tone=tone)
    value = core[part] - bright[part] + dark[part]
    if not site.darkens:  # a bright core: its bright wall is one with it, and the other wall is in the shadow
        value = core[part] + 0.4 * bright[part] - near[part] * 0.75
        alpha = np.maximum(core[part], np.maximum(0.4 * bright[part], 0.75 * near[part]))
    return shade(site, alpha, value / np.maximum(alpha, 1e-3))


def _worn(rng: np.random.Generator, core: np.ndarray, angle: float, length: float, width: float) -> np.ndarray:
    """The strokes where the tool touched, (h, w): 1-D noise along them, and the fine lines of its grains."""
    where = np.flatnonzero(core)
    rows, columns = np.divmod(where, core.shape[1])
    # Not square to the strokes, so that neighbors do not skip at one place.
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
