"""A fiber: a thin curled thread on the surface, with its shadow."""

from __future__ import annotations

import math
from typing import Annotated

import cv2
import numpy as np

from pail.beyond.procedural.site import FAINTEST, Contrast, Light, Tone, blend, draw_light, find_site, focus
from pail.beyond.procedural.strokes import along, moved, smooth_field, smooth_noise, trace, trimmed
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.parameters import Pair
from pail.core.sampler import Sampler

SAMPLES = 96  # along a fiber
TINTS = (  # factors of the change for each channel of RGB
    (1.0, 1.0, 1.0),
    (1.0, 1.0, 1.0),
    (0.95, 1.0, 1.08),
    (1.1, 1.0, 0.85),
    (1.2, 0.9, 0.95),
)
SHADOW = 0.4  # of the amplitude


def fiber(
    image: NormalImage,
    sampler: Sampler,
    *,
    length: Annotated[tuple[float, float], Pair(0, 10, above=True, unit="fraction of the shorter side")],
    width: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")],
    curl: Annotated[tuple[float, float], Pair(0, 20, unit="full turns")],
    contrast: Contrast,
    tone: Tone,
    light: Light,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.fiber`."""
    side, rng = image.region_side, sampler.rng
    run = max(1.0, sampler.scaled("length", *length) * side)
    thick = max(1.0, sampler.scaled("width", *width) * side)
    turns = sampler.uniform("curl", *curl) * 2 * math.pi * sampler.choice("curl_side", (-1, 1))
    towards = draw_light(sampler, light)
    # Its curvature changes slowly, as that of a thread that was wound up.
    bend = 0.45 + 0.9 * smooth_noise(rng, SAMPLES, 6) + 0.5 * smooth_noise(rng, SAMPLES, 24)
    headings = sampler.uniform("angle", 0, 2 * math.pi) + np.cumsum(bend) * turns / SAMPLES
    points = along(headings, run / SAMPLES)

    drop = thick * sampler.uniform("height", 0.7, 2.0)
    body = trace(points, thick, drop + 0.6 * thick + 4, blur=focus(image))
    shadow = cv2.GaussianBlur(moved(body, -towards * drop), (0, 0), 0.5 * thick).reshape(body.shape)
    shadow = np.maximum(shadow - body, 0) * np.float32(SHADOW)
    lit = moved(body, towards * 0.3 * thick) * body  # the side of the thread that faces the light
    body *= np.clip(0.9 + 0.13 * smooth_field(rng, body.shape, max(3.0, 0.08 * run)), 0.55, 1)
    alpha = np.maximum(body, shadow)
    part = trimmed(alpha, FAINTEST, image.shape)
    alpha, body, shadow, lit = (np.ascontiguousarray(values[part]) for values in (alpha, body, shadow, lit))
    site = find_site(image, sampler, alpha, contrast, tone=tone)
    tint = np.float32(sampler.choice("tint", TINTS) if image.channels == 3 else 1)  # type: ignore[arg-type]

    def defect(original: np.ndarray, where: np.ndarray) -> np.ndarray:
        weight = np.maximum(alpha.reshape(-1)[where], 1e-3)
        solid = (body.reshape(-1)[where] / weight)[:, None]
        below = (shadow.reshape(-1)[where] / weight)[:, None] * (1 - solid)
        back = (lit.reshape(-1)[where] / weight)[:, None]
        # A thread hides what is below it, so part of the texture is removed.
        base = original + np.float32(0.35) * (site.level.astype(np.float32) - original)
        if site.darkens:
            thread = base + site.darker(original) * tint * (1.05 - 0.35 * back)
        else:
            thread = base + site.brighter(original) * (2 - tint) * (0.7 + 0.35 * back)
        result: np.ndarray = original + solid * (thread - original) + below * site.darker(original)
        return result

    weaker = np.float32(site.below / max(site.main, 1e-30))
    return blend(site, alpha, defect, np.maximum(body, shadow * weaker))
