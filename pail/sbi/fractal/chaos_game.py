"""Random fractals: the points of iterated function systems, on a raster.

An iterated function system is a few contracting affine maps. In the chaos game, a point is moved repeatedly by a map
that is drawn with given probabilities; the visited points form the fractal. Random systems are drawn as in Anderson and
Farrell: rotations are uniform, and singular values are uniform among those whose weighted sum is a drawn value, so that
the fractal is neither a point nor a filled disk.

Reference: Anderson, Farrell, "Improving fractal pre-training", WACV 2022, https://arxiv.org/abs/2110.03091.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.sampler import Sampler

DISCARDED = 20  # first steps, in which the point approaches the fractal
WALKERS = 512
REDRAWS = 10
TRIED_AT_ONCE = 64
LEAST_EXTENT = 1e-6
LEAST_FILL = 0.02
BARNSLEY_FERN = np.array(  # rows (a, b, c, d, e, f): x' = a x + b y + e, y' = c x + d y + f
    [
        (0, 0, 0, 0.16, 0, 0),
        (0.85, 0.04, -0.04, 0.85, 0, 1.6),
        (0.2, -0.26, 0.23, 0.22, 0, 1.6),
        (-0.15, 0.28, 0.26, 0.24, 0, 0.44),
    ]
)
BARNSLEY_FIRST_PROBABILITY = (0.005, 0.85)


class Game(NamedTuple):
    """The parameters of a chaos game."""

    start: complex
    iterations: int
    system: str
    n_maps: int


def draw_fractal(sampler: Sampler, game: Game, window: np.ndarray) -> np.ndarray | None:
    """A random fractal, stretched over the square mask `window` and restricted to it; None if all tries are nearly
    empty."""
    least = LEAST_FILL * min(window.size, game.iterations)
    for _ in range(REDRAWS):
        maps, probabilities = (
            random_maps(sampler.rng, game.n_maps) if game.system == "random" else barnsley_maps(sampler.rng)
        )
        stamp = int(sampler.rng.integers(1, 2**9))
        mask = _raster(play(sampler.rng, game, maps, probabilities), len(window), stamp)
        if mask is not None and cv2.countNonZero(cv2.bitwise_and(mask, window, mask)) > least:
            for name, value in (("maps", maps.tolist()), ("chances", probabilities.tolist()), ("stamp", stamp)):
                sampler.keep(name, value)
            return mask
    return None


def random_maps(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` contractions (a, b, c, d, e, f) and their probabilities, proportional to the area that they preserve."""
    weight = rng.uniform((5 + count) / 2, (6 + count) / 2)
    values = _singular_values(rng, count, weight)
    angles = rng.uniform(0, 2 * math.pi, (2, count))  # before and after the axes are scaled
    (cos1, cos2), (sin1, sin2) = np.cos(angles), np.sin(angles)
    mirrors = 2.0 * rng.integers(0, 2, (2, count)) - 1
    s1, s2 = values.T * mirrors
    a = s1 * cos1 * cos2 - s2 * sin1 * sin2
    b = -s1 * cos1 * sin2 - s2 * sin1 * cos2
    c = s1 * sin1 * cos2 + s2 * cos1 * sin2
    d = -s1 * sin1 * sin2 + s2 * cos1 * cos2
    area = np.abs(s1 * s2) + 1e-9
    return np.stack([a, b, c, d, *rng.uniform(-1, 1, (2, count))], axis=1), area / area.sum()


def _singular_values(rng: np.random.Generator, count: int, weight: float) -> np.ndarray:
    """(count, 2) values in [0, 1], the larger one first, uniform among those with sum(s1 + 2 s2) = `weight`."""
    tries = np.sort(rng.random((TRIED_AT_ONCE, count, 2)), axis=2)[..., ::-1]
    tries[:, -1, 0] = rng.random(TRIED_AT_ONCE)
    tries[:, -1, 1] = (weight - tries[:, :-1] @ (1, 2) @ np.ones(count - 1) - tries[:, -1, 0]) / 2
    good = np.flatnonzero((tries[:, -1, 1] >= 0) & (tries[:, -1, 1] <= tries[:, -1, 0]))
    return tries[good[0]] if len(good) else _singular_values_in_turn(rng, count, weight)


def _singular_values_in_turn(rng: np.random.Generator, count: int, weight: float) -> np.ndarray:
    """Values with the same sum, drawn map by map: for many maps, for which rejection sampling fails."""
    values = np.empty((count, 2))
    left = weight
    for i in range(count - 1):
        spare = left - 3 * (count - 1 - i)  # the part that the other maps cannot take
        s1 = rng.uniform(max(0.0, spare / 3), min(1.0, left))
        s2 = rng.uniform(max(0.0, (spare - s1) / 2), min(s1, (left - s1) / 2))
        values[i] = s1, s2
        left -= s1 + 2 * s2
    s2 = rng.uniform(max(0.0, (left - 1) / 2), left / 3)
    values[-1] = left - 2 * s2, s2
    return values


def barnsley_maps(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Four of the fern's maps, drawn with replacement, with probabilities by stick breaking."""
    left, probabilities = 1.0, []
    for low, high in (BARNSLEY_FIRST_PROBABILITY, (0.0, 1.0), (0.0, 1.0)):
        probabilities.append(left * rng.uniform(low, high))
        left -= probabilities[-1]
    return BARNSLEY_FERN[rng.integers(0, 4, 4)], np.array([*probabilities, left])


def play(rng: np.random.Generator, game: Game, maps: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Points x + iy of the chaos game, played by many walkers at once from the same start."""
    a, b, c, d, e, f = maps.T
    # In complex numbers an affine map is z -> keep z + mirror conj(z) + shift.
    factors = np.array([a + d + 1j * (c - b), a - d + 1j * (c + b), 2 * (e + 1j * f)], np.complex64) / 2
    walkers = min(game.iterations, max(WALKERS, game.iterations // DISCARDED))
    kept = -(-game.iterations // walkers)
    steps = DISCARDED + int(4 * math.log2(1 + abs(game.start) / 10)) + kept  # a distant start needs more steps
    dice = rng.random((steps, walkers), np.float32)
    chosen = np.zeros((steps, walkers), np.intp)
    for edge in np.cumsum(probabilities)[:-1]:
        chosen += dice >= edge
    positions = np.empty((kept, walkers), np.complex64)
    position, mirrored = np.full(walkers, game.start, np.complex64), np.empty(walkers, np.complex64)
    for step, (keep, mirror, shift) in enumerate(zip(*np.take(factors, chosen, axis=1), strict=True), kept - steps):
        np.conjugate(position, out=mirrored)
        mirrored *= mirror
        position *= keep
        position += mirrored
        position += shift
        if step >= 0:
            positions[step] = position
    return positions.reshape(-1)[: game.iterations]


def _raster(points: np.ndarray, raster: int, stamp: int) -> np.ndarray | None:
    """The points stretched over the square and dilated with a random 3 x 3 kernel; None for a point or a line."""
    x, y = points.real.copy(), points.imag.copy()  # contiguous, for speed
    left, bottom = x.min(), y.min()
    width, height = x.max() - left, y.max() - bottom
    if not min(width, height) > LEAST_EXTENT:
        return None
    for values, least, extent in ((x, left, width), (y, bottom, height)):
        values -= least
        values *= (raster - 1) / extent
        values += 0.5
    drawn = np.zeros(raster * raster, np.uint8)
    drawn[(raster - 1 - y.astype(np.intp)) * raster + x.astype(np.intp)] = 255
    kernel = (stamp >> np.arange(9) & 1).astype(np.uint8).reshape(3, 3)
    return cv2.dilate(drawn.reshape(raster, raster), kernel)
