"""A crack: a jagged dark line that branches and tapers to its tips."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from pail.beyond.procedural.site import FAINTEST, Contrast, Light, blend, draw_light, find_site, focus
from pail.beyond.procedural.strokes import along, fill, flanks, ribbon, smooth_field, smooth_noise, trimmed
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.parameters import Pair
from pail.core.sampler import Sampler

TURN = math.radians(15)  # standard deviation of a turn
PERSISTENCE = 0.86  # share of its deviation that a crack keeps at each step, so that it returns to its direction
STEPS = (8, 40)  # number of steps of a random walk
STEP = 0.02  # length of a step: of the shorter side, within the bounds of STEPS
PIECES = 3  # number of pieces of a step
LIP = 0.5  # of the amplitude: the bright edge


def crack(
    image: NormalImage,
    sampler: Sampler,
    *,
    n_branches: Annotated[tuple[int, int], Pair(0, 100, integer=True)],
    length: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")],
    width: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")],
    factor: Annotated[tuple[float, float], Pair(0, 1, unit="times the value")],
    contrast: Contrast,
    light: Light,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.crack`."""
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
    # A wide crack is black inside; where it is narrow, it is less dark.
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
    """The points of a crack and its heading at each: gradual turns from step to step, and jagged pieces in between."""
    rng = sampler.rng
    steps = min(max(round(length / max(STEP * side, 1)), STEPS[0]), STEPS[1])
    off, headings = 0.0, np.empty(steps)
    for i, turn in enumerate((rng.standard_normal(steps) * TURN).tolist()):
        off = PERSISTENCE * off + turn
        headings[i] = heading + off
    fine = np.repeat(headings, PIECES) + rng.standard_normal(steps * PIECES) * 0.45
    return along(fine, length / len(fine)), np.append(np.repeat(headings, PIECES), headings[-1])


def _ragged(sampler: Sampler, points: np.ndarray, width: np.ndarray) -> np.ndarray:
    """The outline of a crack of that width; both edges are jagged independently."""
    rng, count = sampler.rng, len(points)
    swell = np.exp(0.35 * smooth_noise(rng, count, count / 5))
    jags = np.clip(1 + 0.4 * rng.standard_normal((2, count)), 0.2, 2)
    half = np.maximum(width * swell / 2, 0.12)
    return ribbon(points, half * jags[0], half * jags[1])
