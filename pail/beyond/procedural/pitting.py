"""Pitting: a cluster of ragged pits that have merged, dark inside and bright on the wall that faces the light."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from pail.beyond.procedural.site import FAINTEST, Contrast, Light, draw_light, find_site, focus, shade
from pail.beyond.procedural.strokes import bent, fill, flank, moved, smooth_field, strengthen, trimmed
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.parameters import Pair
from pail.core.sampler import Sampler

CORNERS = 11  # number of corners of the outline of a pit
ANGLES = np.array(
    [[math.cos(2 * math.pi * i / CORNERS), math.sin(2 * math.pi * i / CORNERS)] for i in range(CORNERS)]
).T
MEDIANS = (
    0.15,
    0.6,
)  # position of the median radius of a cluster between the smallest (0) and the largest (1), on a log scale
SIZES = 0.6  # standard deviation of the logarithm of the radii of one cluster
GOLDEN_ANGLE = 2.39996  # radians between consecutive pits, which are therefore not next to each other
RAGGED = 0.4  # of the mean radius: displacement of the outlines
ROUGH = 0.4  # of the depth: roughness of the bottom
DARK, LIT = 0.8, 0.9  # of the amplitude: darkening by depth, and brightening of slopes
CRISP = 0.7  # exponent of the change
DENSITY = 1.15  # radius of the cluster, in mean radii times about the square root of the number of pits


def pitting(
    image: NormalImage,
    sampler: Sampler,
    *,
    n_pits: Annotated[tuple[int, int], Pair(1, 1000, integer=True)],
    radius: Annotated[tuple[float, float], Pair(0, 0.5, above=True, unit="fraction of the shorter side")],
    contrast: Contrast,
    light: Light,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.pitting`."""
    side, rng = image.region_side, sampler.rng
    count = sampler.scaled_integer("n_pits", *n_pits)
    smallest, largest = radius
    middle = sampler.scaled("median_radius", *(smallest * (largest / smallest) ** share for share in MEDIANS))
    radii = np.clip(middle * np.exp(SIZES * rng.standard_normal(count)), smallest, largest) * side
    # The largest are in the middle, where pits have merged.
    radii = np.maximum(np.sort(radii)[::-1], 0.5)
    typical = float(radii.mean())
    toward = draw_light(sampler, light)
    outlines = _outlines(sampler, radii)
    depths = np.sort(rng.uniform(0.7, 1, count))

    reach = max(0.9, 0.35 * typical)
    coverage = fill(outlines, reach + RAGGED * typical + 3, depths, blur=focus(image))
    cell = max(3.0, 1.8 * typical)
    first, second = (smooth_field(rng, coverage.shape, cell, 3) for _ in "xy")
    coverage = bent(coverage, first, second, np.float32(RAGGED * typical))
    strengthen(coverage)
    # Where a noise changes its sign it leaves a crease, like the ridges between the scales that broke out.
    rough = np.abs(first) - np.abs(second)
    depth = np.clip(1 + np.float32(ROUGH) * rough, 0.2, 1.8) * coverage
    # Slopes that face the light are bright: the far wall, and parts of the rough bottom.
    lit = moved(depth, -toward * reach) - depth
    # The far wall is bright where it is steep, not all along the rim.
    bright = flank(coverage, -toward * reach)
    bright *= np.clip(0.85 + 0.5 * second, 0, 1)
    alpha = np.maximum(coverage, bright)
    part = trimmed(alpha, FAINTEST, image.shape)
    alpha = np.ascontiguousarray(alpha[part])
    site = find_site(image, sampler, alpha, contrast, tone="hollow")
    value = (DARK * depth - LIT * lit - 0.5 * bright)[part] / np.maximum(alpha, 1e-3)
    # The boundary between dark and bright is sharp: a pixel of the rim is one of the two.
    value = np.sign(value) * np.minimum(np.abs(value), 1) ** np.float32(CRISP)
    return shade(site, alpha, value, tinted=True)


def _outlines(sampler: Sampler, radii: np.ndarray) -> np.ndarray:
    """Corners (n, corners, 2) of pits with these radii in pixels, around the middle of the cluster.

    The cluster is dense in the middle with single pits around, and elongated like a track or a contact area.
    """
    rng, count, typical = sampler.rng, len(radii), float(radii.mean())
    rank = (np.arange(count) + 0.5) / count
    away = rank**1.05 * np.exp(0.22 * rng.standard_normal(count)) * DENSITY * math.sqrt(count + 5) * typical
    bearing = (
        GOLDEN_ANGLE * np.arange(count) + rng.uniform(0, 0.9, count) + sampler.uniform("first_pit", 0, 2 * math.pi)
    )
    cosine, sine = np.cos(bearing), np.sin(bearing)
    along, across = away * cosine, away * sine * sampler.uniform("aspect", 0.4, 1)
    turn = sampler.uniform("angle", 0, math.pi)
    turn_x, turn_y = math.cos(turn), math.sin(turn)
    reaches = radii[:, None] * np.clip(1 + 0.32 * rng.standard_normal((count, CORNERS)), 0.35, 1.7)
    stretch = rng.uniform(0.65, 1.0, count)[:, None]
    x, y = reaches * ANGLES[0], reaches * ANGLES[1] * stretch
    cosine, sine = cosine[:, None], sine[:, None]
    outlines = np.empty((count, CORNERS, 2))
    outlines[..., 0] = x * cosine - y * sine + (along * turn_x - across * turn_y)[:, None]
    outlines[..., 1] = x * sine + y * cosine + (along * turn_y + across * turn_x)[:, None]
    return outlines
