"""A crack: a jagged dark line that branches and tapers to its tips."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Annotated

import numpy as np

from pail.beyond.procedural.site import FAINTEST, Contrast, Light, blend, draw_light, find_site, focus
from pail.beyond.procedural.strokes import along, along_stroke, fill, flank, ribbon, smooth_field, smooth_rows, trimmed
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
    side, rng = image.region_side, sampler.rng
    run = max(1.0, sampler.scaled("length", *length) * side)
    widest = max(1.0, sampler.scaled("width", *width) * side)
    multiplied = sampler.scaled("factor", *factor[::-1])
    heading = sampler.uniform("angle", 0, 2 * math.pi)
    toward = draw_light(sampler, light)
    points, headings = _walk(rng, np.array([heading]), np.array([run]), side)
    points, headings = points[0], headings[0]
    start = sampler.uniform("widest_at", 0.0, 0.6)
    t = along_stroke(len(points))
    open_ = widest * np.where(t < start, 0.25 + 0.75 * t / max(start, 1e-3), (1 - t) / max(1 - start, 1e-3)) ** 0.8
    outlines = [*_ragged(rng, points[None], open_[None])]
    count = sampler.scaled_integer("n_branches", *n_branches)
    if count:
        at = (sampler.uniforms("branch_at", 0.1, 0.85, count) * (len(points) - 1)).astype(np.intp)
        off = np.radians(sampler.uniforms("branch_angle", 30, 60, count))
        off *= np.sign(sampler.uniforms("branch_side", -1, 1, count))
        shares = sampler.uniforms("branch_length", 0.12, 0.45, count)
        branches, _ = _walk(rng, headings[at] + off, run * shares, side)
        taper = (1 - along_stroke(branches.shape[1])) ** np.float32(0.8)
        outlines += [*_ragged(rng, branches + points[at][:, None], 0.7 * open_[at][:, None] * taper)]

    reach = max(0.8, 0.45 * widest)
    coverage = fill(outlines, reach + 3, blur=focus(image))
    # A wide crack is black inside; where it is narrow, it is less dark.
    gape = smooth_field(rng, coverage.shape, max(3.0, 0.05 * side)) * 0.22 + 0.85
    coverage *= np.clip(gape, 0.4, 1)
    lip = LIP * flank(coverage, -toward * reach)
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


def _walk(
    rng: np.random.Generator, heading: np.ndarray, length: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """The points (n, m, 2) of cracks and their headings at each (n, m): gradual turns from step to step, and jagged
    pieces in between."""
    steps = min(max(round(float(length.max()) / max(STEP * side, 1)), STEPS[0]), STEPS[1])
    turned = [
        list(accumulate(turns, lambda before, turn: PERSISTENCE * before + turn))
        for turns in (rng.standard_normal((len(heading), steps)) * TURN).tolist()
    ]
    headings = np.repeat(np.array(turned) + heading[:, None], PIECES, axis=1)
    fine = headings + rng.standard_normal(headings.shape) * 0.45
    return along(fine, (length / fine.shape[1])[:, None]), np.concatenate([headings, headings[:, -1:]], axis=1)


def _ragged(rng: np.random.Generator, points: np.ndarray, width: np.ndarray) -> np.ndarray:
    """The outlines of cracks of those widths (n, m); both edges are jagged independently."""
    rows, count = width.shape
    swell = np.exp(0.35 * smooth_rows(rng, rows, count, count / 5))
    jags = np.clip(1 + 0.4 * rng.standard_normal((2, rows, count)), 0.2, 2)
    half = np.maximum(width * swell / 2, 0.12)
    return ribbon(points, half * jags[0], half * jags[1])
