"""Corrosion: grainy, patchy clusters with satellites; rust in color images."""

from __future__ import annotations

import math
from typing import Annotated

import cv2
import numpy as np

from pail.beyond.procedural.site import FAINTEST, Contrast, blend, find_site
from pail.beyond.procedural.strokes import coarse_step, enlarged, grain, smooth_field, smoothstep, trimmed
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.parameters import Pair
from pail.core.sampler import Sampler

RUST = np.array([(52, 34, 26), (112, 58, 34), (150, 84, 44), (186, 120, 66)], np.float32) / 255  # from old to fresh
SATELLITES = (4, 14)
PATCHY = 0.42  # weight of the noise relative to the envelope of the cluster


def corrosion(
    image: NormalImage,
    sampler: Sampler,
    *,
    size: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")],
    opacity: Annotated[tuple[float, float], Pair(0.2, 1, unit="share that is hidden")],
    contrast: Contrast,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.corrosion`."""
    side, rng = image.region_side, sampler.rng
    radius = max(0.5, sampler.scaled("size", *size) * side / 2)
    solid = sampler.scaled("opacity", *opacity)
    alpha, pattern = _cluster(sampler, radius)
    part = trimmed(alpha, FAINTEST, image.shape)
    alpha, pattern = np.ascontiguousarray(alpha[part]), np.ascontiguousarray(pattern[part])
    alpha *= np.float32(solid)
    site = find_site(image, sampler, alpha, contrast, tone="hollow")
    crust = smooth_field(rng, alpha.shape, max(1.5, 0.012 * side), 2)

    def defect(original: np.ndarray, where: np.ndarray) -> np.ndarray:
        rough = grain(rng, len(where))
        age = 0.32 * pattern.reshape(-1)[where] + 0.5 * crust.reshape(-1)[where] + 0.45 * rough
        texture = original - site.level.astype(np.float32)
        if image.channels == 3:
            return _rust(site.level, site.amplitude, image.max_value, age) + np.float32(0.3) * texture
        change = site.darker(original) if site.darkens else site.brighter(original)
        change *= np.clip(1 + 0.5 * age, 0.3, 2)[:, None]
        result: np.ndarray = original - np.float32(0.3) * texture + change
        return result

    return blend(site, alpha, defect)


def _cluster(sampler: Sampler, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """The alpha of a patchy ellipse with satellites around it, and the noise that makes it patchy."""
    rng = sampler.rng
    flat, turn = sampler.uniform("aspect", 0.45, 1), sampler.uniform("angle", 0, math.pi)
    step = coarse_step(radius)
    spread = radius / step  # the radius in samples
    extent = 2 * math.ceil(1.5 * spread + 1) + 1
    shape = extent, extent
    x = np.arange(extent, dtype=np.float32) - np.float32(extent / 2)
    y = x[:, None]
    cosine, sine = np.float32(math.cos(turn) / spread), np.float32(math.sin(turn) / spread)
    u, v = x * cosine + y * sine, (y * cosine - x * sine) * np.float32(1 / flat)
    envelope = 0.75 - np.sqrt(u * u + v * v)
    spots = np.zeros(shape, np.uint8)
    for _ in range(sampler.integer("n_satellites", *SATELLITES)):
        bearing, away = rng.uniform(0, 2 * math.pi), rng.uniform(0.75, 1.35) * spread
        center = [round((extent / 2 + away * f(bearing)) * 16) for f in (math.cos, math.sin)]
        cv2.circle(spots, center, round(16 * max(0.5, spread * rng.uniform(0.02, 0.09))), 255, cv2.FILLED, 8, 4)
    soft = cv2.GaussianBlur(spots, (0, 0), max(0.6, 0.03 * spread)).reshape(shape).astype(np.float32)
    pattern = smooth_field(rng, shape, max(2.0, 0.45 * spread), 5)
    np.clip(pattern, -1.7, 1.7, out=pattern)  # outside of the box the envelope dominates
    cover = envelope + np.float32(PATCHY) * pattern
    cover = np.maximum(cover, soft * np.float32(1 / 255) * (0.7 + 0.4 * pattern) - 0.15)
    return enlarged(smoothstep(cover, 0, 0.38), step), enlarged(pattern, step)


def _rust(level: np.ndarray, amplitude: float, max_value: float, age: np.ndarray) -> np.ndarray:
    """Colors of rust (n, 3), as bright as the surface and with a difference of at least `amplitude` from its color."""
    exposure = 0.5 + 0.8 * float(level.mean()) / max_value
    base = RUST[1] * max_value * exposure
    apart = float(np.abs(base - level).max())
    darken = np.float32(max(0.55, 1 - max(0.0, amplitude - apart) / max(float(base.max()), 1e-30)))
    position = np.clip(1.15 - 0.62 * age, 0, len(RUST) - 1.001)
    low = position.astype(np.intp)
    part = (position - low).astype(np.float32)[:, None]
    colors = RUST[low] * (1 - part) + RUST[low + 1] * part
    return colors * np.float32(max_value * exposure) * darken
