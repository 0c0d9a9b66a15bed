"""A crack: a jagged dark line that branches and tapers to its tips."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pail.beyond.procedural.site import FAINTEST, as_light, blend, draw_light, find_site, focus
from pail.beyond.procedural.strokes import along, fill, flanks, ribbon, smooth_field, smooth_noise, trimmed
from pail.core.checks import as_range
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.sampler import Sampler

TURN = math.radians(15)  # standard deviation of a turn
PERSISTENCE = 0.86  # how much of its turns a crack keeps: it wanders about a direction
STEPS = (8, 40)  # of a walk
STEP = 0.02  # of the shorter side, within those bounds
PIECES = 3  # that a step breaks into
LIP = 0.5  # of the amplitude: the bright edge


def crack(
    image: NormalImage,
    sampler: Sampler,
    *,
    n_branches: Any = (0, 5),
    length: Any = (0.15, 0.8),
    width: Any = (0.002, 0.012),
    factor: Any = (0.2, 0.6),
    contrast: Any = (2.5, 6.0),
    light: Any = None,
) -> Insertion:
    """Insert a crack: a random walk that keeps its direction, with branches.

    It is widest somewhere on its way and tapers to the tips; its edges are
    ragged. It multiplies the image, which keeps the texture, and darkens
    by the amplitude at least; on a place so dark that this would not be
    seen, it is bright. The edge that faces the light has a faint lip.

    Parameters
    ----------
    frame, draw : Frame, Draw
        The normal image, and the random numbers of the call.
    n_branches : pair of int, default (0, 5)
        Branches, at 30 to 60 degrees to the crack.
    length : pair of float, default (0.15, 0.8)
        Length of the walk, as a fraction of the shorter side of the region
        or image.
    width : pair of float, default (0.002, 0.012)
        Largest width, likewise; at least one pixel.
    factor : pair of float, default (0.2, 0.6)
        What the image is multiplied by inside, in [0, 1].
    contrast : pair of float, default (2.5, 6.0)
        Change of the level at least, in units of the larger of the local
        spread and 4 % of the range.
    light : float, optional
        Where the light comes from, in degrees counterclockwise from the
        right; drawn by default.
    """
    n_branches = as_range("n_branches", n_branches, 0, 100, integer=True)
    length = as_range("length", length, 0, 1, above=True)
    width = as_range("width", width, 0, 1, above=True)
    factor = as_range("factor", factor, 0, 1)
    contrast = as_range("contrast", contrast, 0, 100, above=True)
    light = as_light(light)

    side = image.region_side
    run = max(1.0, sampler.scaled("length", *length) * side)
    widest = max(1.0, sampler.scaled("width", *width) * side)
    multiplied = sampler.scaled("factor", *factor[::-1])
    heading = sampler.uniform("angle", 0, 2 * math.pi)
    towards = draw_light(sampler, light)
    points, headings = _walk(sampler, heading, run, side)
    start = sampler.uniform("widest_at", 0.0, 0.6)
    t = np.linspace(0, 1, len(points))
    open_ = widest * np.where(t < start, 0.25 + 0.75 * t / max(start, 1e-3), (1 - t) / max(1 - start, 1e-3)) ** 0.8
    outlines = [_ragged(sampler, points, open_)]
    for _ in range(sampler.scaled_integer("n_branches", *n_branches)):
        at = int(sampler.uniform("branch_at", 0.1, 0.85) * (len(points) - 1))
        off = math.radians(sampler.uniform("branch_angle", 30, 60)) * (1 if sampler.flag("branch_left") else -1)
        share = sampler.uniform("branch_length", 0.12, 0.45)
        branch, _ = _walk(sampler, float(headings[min(at, len(headings) - 1)]) + off, run * share, side)
        taper = np.linspace(1, 0, len(branch)) ** 0.8
        outlines.append(_ragged(sampler, branch + points[at], 0.7 * float(open_[at]) * taper))

    reach = max(0.8, 0.45 * widest)
    coverage = fill(outlines, reach + 3, blur=focus(image))
    # Where it gapes it is black, where it is closed the light still gets in.
    gape = smooth_field(sampler.rng, coverage.shape, max(3.0, 0.05 * side)) * 0.22 + 0.85
    coverage *= np.clip(gape, 0.4, 1)
    lip = LIP * flanks(coverage, towards, reach)[0]
    alpha = np.maximum(coverage, lip)
    part = trimmed(alpha, FAINTEST, image.shape)
    alpha, coverage, lip = (np.ascontiguousarray(values[part]) for values in (alpha, coverage, lip))
    site = find_site(image, sampler, alpha, contrast, tone="hollow")

    def defect(original: np.ndarray, where: np.ndarray) -> np.ndarray:
        inside = (coverage.reshape(-1)[where] / np.maximum(alpha.reshape(-1)[where], 1e-3))[:, None]
        edge = (lip.reshape(-1)[where] / np.maximum(alpha.reshape(-1)[where], 1e-3))[:, None] * (1 - inside)
        if site.darkens:
            deep = np.minimum(original * np.float32(multiplied), original + site.darker(original))
            result: np.ndarray = original + inside * (deep - original) + edge * site.brighter(original)
            return result
        return np.asarray(original + inside * site.brighter(original) + edge * site.darker(original))

    return blend(site, alpha, defect)


def _walk(sampler: Sampler, heading: float, length: float, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The points of a crack and its heading at each: long turns from step to step, and jagged pieces in between."""
    rng = sampler.rng
    steps = min(max(round(length / max(STEP * side, 1)), STEPS[0]), STEPS[1])
    off, headings = 0.0, np.empty(steps)
    for i, turn in enumerate((rng.standard_normal(steps) * TURN).tolist()):
        off = PERSISTENCE * off + turn
        headings[i] = heading + off
    fine = np.repeat(headings, PIECES) + rng.standard_normal(steps * PIECES) * 0.45
    return along(fine, length / len(fine)), np.append(np.repeat(headings, PIECES), headings[-1])


def _ragged(sampler: Sampler, points: np.ndarray, width: np.ndarray) -> np.ndarray:
    """The outline of a crack of that width, each edge broken on its own."""
    rng, count = sampler.rng, len(points)
    swell = np.exp(0.35 * smooth_noise(rng, count, count / 5))
    jags = np.clip(1 + 0.4 * rng.standard_normal((2, count)), 0.2, 2)
    half = np.maximum(width * swell / 2, 0.12)
    return ribbon(points, half * jags[0], half * jags[1])
