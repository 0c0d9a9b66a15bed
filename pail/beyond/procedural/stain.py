"""A stain: a few merged blots, through which the texture shows."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from pail.beyond.procedural.site import FAINTEST, Contrast, Tone, blend, find_site
from pail.beyond.procedural.strokes import coarse_step, enlarged, smooth_field, smoothstep, trimmed
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.parameters import Number, Pair
from pail.core.sampler import Sampler

TINTS = (  # factors of the change to darker for each channel of RGB, with a mean of 1
    (0.85, 1.0, 1.15),  # dirt, oil: grayish brown
    (0.7, 1.0, 1.3),  # coffee, rust water: brown
    (0.6, 0.95, 1.45),  # glue, resin: yellow
    (1.0, 1.0, 1.0),  # water
    (1.15, 1.0, 0.85),  # ink, coolant: bluish
)
WARP = 0.2  # of the radius of a blot: standard deviation of its contour from the ellipse
RIM = 0.4  # how much fainter a dried drop is inside than at its rim
OUTER = 1.7  # radii: largest distance of a warped contour


def stain(
    image: NormalImage,
    sampler: Sampler,
    *,
    n_blots: Annotated[tuple[int, int], Pair(1, 100, integer=True)],
    size: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")],
    opacity: Annotated[tuple[float, float], Pair(0, 1, unit="share that is hidden")],
    rim: Annotated[float, Number(0, 1, unit="probability")],
    contrast: Contrast,
    tone: Tone,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.stain`."""
    side, rng = image.region_side, sampler.rng
    largest = max(0.5, sampler.scaled("size", *size) * side / 2)
    hidden = sampler.scaled("opacity", *opacity)
    alpha = _cover(sampler, _blots(sampler, n_blots, largest), largest, rim)
    part = trimmed(alpha, FAINTEST, image.shape)
    alpha = np.ascontiguousarray(alpha[part])
    site = find_site(image, sampler, alpha, contrast, tone=tone or "hollow")
    tint = np.float32(sampler.choice("tint", TINTS) if image.channels == 3 else 1)  # type: ignore[arg-type]

    # A bright stain is a deposit, such as lime, which is thin and granular.
    crust = np.clip(0.7 + 0.22 * smooth_field(rng, alpha.shape, max(1.5, 0.02 * side), 3), 0.3, 1)

    def defect(original: np.ndarray, where: np.ndarray) -> np.ndarray:
        if site.darkens:
            change = site.darker(original) * tint
        else:
            change = site.brighter(original) * crust.reshape(-1)[where][:, None]
        flattened = np.float32(hidden) * (site.level.astype(np.float32) - original)
        # Toward the mean, but only so far that each pixel still changes in the direction of the stain.
        limit = 0.5 * np.abs(change)
        result: np.ndarray = original + change + np.clip(flattened, -limit, limit)
        return result

    return blend(site, alpha, defect, alpha if site.darkens else alpha * crust)


def _blots(sampler: Sampler, n_blots: tuple[int, int], largest: float) -> list[tuple[float, ...]]:
    """Ellipses, the first of which is the largest and in the middle: center x and y, radius, aspect and angle."""
    blots: list[tuple[float, ...]] = []
    for i in range(sampler.scaled_integer("n_blots", *n_blots)):
        radius = largest * (1 if i == 0 else sampler.uniform("blot_size", 0.3, 0.8))
        away = 0 if i == 0 else largest * sampler.uniform("blot_distance", 0.6, 1.5)
        bearing, turn = sampler.uniform("blot_bearing", 0, 2 * math.pi), sampler.uniform("angle", 0, math.pi)
        flat = sampler.uniform("aspect", 0.5, 1)
        blots.append((away * math.cos(bearing), away * math.sin(bearing), radius, flat, turn))
    return blots


def _cover(sampler: Sampler, blots: list[tuple[float, ...]], largest: float, rim: float) -> np.ndarray:
    """The alpha of the blots, whose common contour is irregular and soft."""
    rng = sampler.rng
    low = [min(blot[axis] - OUTER * blot[2] for blot in blots) - 1 for axis in (0, 1)]
    high = [max(blot[axis] + OUTER * blot[2] for blot in blots) + 1 for axis in (0, 1)]
    step = coarse_step(largest)
    shape = math.ceil((high[1] - low[1]) / step), math.ceil((high[0] - low[0]) / step)
    x = np.arange(shape[1], dtype=np.float32) * step + np.float32(low[0] + sampler.uniform("phase", 0, 1))
    y = (np.arange(shape[0], dtype=np.float32) * step + np.float32(low[1] + sampler.uniform("phase", 0, 1)))[:, None]
    inside = np.full(shape, -np.inf, np.float32)  # 1 in the middle of a blot, 0 on its contour
    for center_x, center_y, radius, flat, turn in blots:
        cosine, sine = np.float32(math.cos(turn) / radius), np.float32(math.sin(turn) / radius)
        dx, dy = x - np.float32(center_x), y - np.float32(center_y)
        u, v = dx * cosine + dy * sine, (dy * cosine - dx * sine) * np.float32(1 / flat)
        np.maximum(inside, (1 - np.sqrt(u * u + v * v)) * np.float32(radius / largest), out=inside)
    inside += np.float32(WARP) * smooth_field(rng, shape, 0.9 * largest / step, 3)
    edge = max(sampler.uniform("softness", 0.06, 0.4), 1.8 / largest)
    alpha = smoothstep(inside, 0, edge)
    alpha *= np.clip(0.8 + 0.17 * smooth_field(rng, shape, 0.6 * largest / step, 3), 0.4, 1)
    if sampler.flag("rim", rim):
        dried = (inside - np.float32(edge)) * np.float32(1 / max(0.07, 1.2 / largest))
        alpha *= np.float32(1 - RIM) + np.float32(RIM) * np.exp(-dried * dried)
    return enlarged(alpha, step)
