"""A dent: a smooth hollow or bump that is visible only by its shading and the distorted texture."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from pail.beyond.procedural.site import FAINTEST, Contrast, Light, blend, draw_light, find_site
from pail.beyond.procedural.strokes import bent, coarse_step, enlarged, smooth_field, trimmed
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.parameters import Flag, Pair
from pail.core.sampler import Sampler

PULL = 0.12  # of the radius: displacement of the texture at the steepest slope
FLATTEST = 0.45  # smallest ratio of the axes of the ellipse
CRISP = 0.7  # exponent of the shading as a function of the slope; below 1 for a glossy surface
DEPTH = 0.35  # of the shading: overall darkening of a hollow


def dent(
    image: NormalImage,
    sampler: Sampler,
    *,
    size: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")],
    raised: Annotated[bool | None, Flag(instead=(None,))],
    contrast: Contrast,
    light: Light,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.dent`."""
    radius = max(0.5, sampler.scaled("size", *size) * image.region_side / 2)
    bump = sampler.flag("raised") if raised is None else raised
    flat, turn = sampler.uniform("aspect", FLATTEST, 1), sampler.uniform("angle", 0, math.pi)
    toward = draw_light(sampler, light)
    alpha, shade, slope_x, slope_y, steepest = _relief(sampler, radius, (flat, turn), toward, bump=bump)
    part = trimmed(alpha, FAINTEST, image.shape)
    alpha, shade = np.ascontiguousarray(alpha[part]), np.ascontiguousarray(shade[part])
    site = find_site(image, sampler, alpha, contrast)
    softened = 6 * 0.04 * image.max_value + site.amplitude
    pull = np.float32(PULL * radius * (-1 if bump else 1) * site.amplitude / softened)
    moved = bent(site.pixels, slope_x[part], slope_y[part], pull * steepest)

    def defect(original: np.ndarray, where: np.ndarray) -> np.ndarray:
        pixels = moved.reshape(-1, image.channels)[where].astype(np.float32)
        amount = shade.reshape(-1)[where][:, None]
        result: np.ndarray = pixels + np.where(
            amount > 0, amount * site.glossier(pixels), -amount * site.darker(pixels)
        )
        return result

    # On its rim, slopes perpendicular to the light are not visible.
    return blend(site, alpha, defect, alpha * np.minimum(1, 0.15 + 1.3 * np.abs(shade)), is_solid=True)


def _relief(
    sampler: Sampler, radius: float, ellipse: tuple[float, float], toward: np.ndarray, *, bump: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.float32]:
    """The alpha and the shading of a hollow or bump, its slopes in x and y, and 1 / the steepest slope.

    `ellipse` is the aspect ratio and the angle of its contour.
    """
    flat, turn = ellipse
    step = coarse_step(radius)
    count = 2 * math.ceil((1.2 * radius + 1) / step) + 1
    center_x, center_y = (count * step / 2 + sampler.uniform("phase", -0.5, 0.5) for _ in "xy")
    positions = (np.arange(count, dtype=np.float32) + np.float32(0.5)) * step
    x, y = positions - np.float32(center_x), (positions - np.float32(center_y))[:, None]
    cosine, sine = np.float32(math.cos(turn) / radius), np.float32(math.sin(turn) / radius)
    u, v = x * cosine + y * sine, (y * cosine - x * sine) * np.float32(1 / flat)
    inside = 1 - u * u - v * v
    inside += smooth_field(sampler.rng, inside.shape, 0.9 * radius / step) * np.float32(0.17)  # not an exact ellipse
    np.maximum(inside, 0, out=inside)
    # Height inside^2, whose slope is 0 on the contour and steepest at half of the radius.
    slope_x = inside * -4 * (u * cosine - v * np.float32(sine / flat))
    slope_y = inside * -4 * (u * sine + v * np.float32(cosine / flat))
    slope = np.hypot(slope_x, slope_y)
    steepest = np.float32(1 / max(float(slope.max()), 1e-9))
    shade = (slope_x * np.float32(toward[0]) + slope_y * np.float32(toward[1])) * steepest
    height = inside * inside
    # The height is that of a bump: slopes that rise toward the light are in the shade, whereas in a hollow they are
    # lit.
    shade *= np.float32(-1 if bump else 1)
    shade += np.float32(DEPTH if bump else -DEPTH) * height
    # Pixels without slope or depth are not visible as a dent.
    alpha = np.minimum(1, np.hypot(slope * steepest, DEPTH * height))
    shade /= np.maximum(alpha, 1e-3)
    shade = np.sign(shade) * np.minimum(np.abs(shade), 1) ** np.float32(CRISP)
    alpha, shade, slope_x, slope_y = (enlarged(values, step) for values in (alpha, shade, slope_x, slope_y))
    return alpha, shade, slope_x, slope_y, steepest
