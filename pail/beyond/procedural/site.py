"""The place of a procedural defect, the strength that makes it visible there, and its insertion into the image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np

from pail.core.composite import VISIBLE, Insertion
from pail.core.image import NormalImage
from pail.core.ops import Box, as_bytes
from pail.core.parameters import Choice, Number, Pair
from pail.core.sampler import Sampler
from pail.pixels.placing import place

FAINTEST = 0.1  # smaller alpha is set to 0 and does not belong to the mask
FAINTEST_AT_MOST = 0.5  # ... and neither does alpha that is too small to be visible, up to this value
MARGIN = 1.45  # factor on the smallest visible alpha, because the change differs between pixels
SMALLEST_SPREAD = 0.04  # of the range
HEADROOM = 0.7  # of the distance from the local level to an end of the range: largest amplitude
SPREAD_REACH = 1 / 32  # of the shorter side: distance of the pixels that are compared for the local spread
SAMPLES = 4096  # number of pixels from which a level is measured
HOLLOW = 0.1  # of the range: a hollow is dark if it can get darker by at least this much
LINES = 16  # rows and columns from which the sharpness of an image is measured
FOCUS_RATIOS, FOCUS_BLURS = (0.36, 0.5), (1.0, 0.55)  # maps the ratio of the two differences to blur in pixels
TONES = (None, "dark", "bright")

Contrast = Annotated[tuple[float, float], Pair(0, 100, above=True, unit="times the local spread")]
Light = Annotated[float | None, Number(-360, 360, unit="degrees", instead=(None,))]
Tone = Annotated[str | None, Choice(TONES)]
Defect = Callable[[np.ndarray, np.ndarray], np.ndarray]


def focus(image: NormalImage) -> float:
    """The blur of the image, as the standard deviation of a Gaussian in pixels. A defect must not be sharper.

    In a sharp image, adjacent pixels differ nearly as much as pixels at a distance of three; in a blurred one, by a
    third of that.
    """
    result: float = image.cached("focus", _find_focus)
    return result


def _find_focus(image: NormalImage) -> float:
    plane = image.pixels if image.pixels.ndim == 2 else image.pixels[..., image.channels // 2]
    near = far = 0.0
    for lines in (plane[:: max(1, image.height // LINES)], plane[:, :: max(1, image.width // LINES)].T):
        count, length = lines.shape
        if length > 3:
            values = np.ascontiguousarray(lines, lines.dtype if lines.dtype == np.uint8 else np.float32)
            near += cv2.norm(values[:, 1:], values[:, :-1], cv2.NORM_L2SQR) / (count * (length - 1))
            far += cv2.norm(values[:, 3:], values[:, :-3], cv2.NORM_L2SQR) / (count * (length - 3))
    ratio = math.sqrt(near / far) if far > 0 else 1.0
    share = min(max((ratio - FOCUS_RATIOS[0]) / (FOCUS_RATIOS[1] - FOCUS_RATIOS[0]), 0.0), 1.0)
    return FOCUS_BLURS[0] + share * (FOCUS_BLURS[1] - FOCUS_BLURS[0])


def draw_light(sampler: Sampler, light: float | None) -> np.ndarray:
    """The unit vector (x, y), y downward, that points to the light."""
    angle = sampler.uniform("light", 0, 360) if light is None else sampler.keep("light", light)
    return np.array([math.cos(math.radians(angle)), -math.sin(math.radians(angle))])


@dataclass(slots=True)
class Site:
    """The place of a defect and the measurements there.

    `above` and `below` are the largest changes to brighter and to darker that the amplitude allows. If `darkens`, the
    main direction is to darker.
    """

    image: NormalImage
    box: Box
    pixels: np.ndarray  # (h, w, C) in the working dtype; never modified
    level: np.ndarray  # (C,) the mean under the mask
    gray: float  # the mean level over the channels
    amplitude: float
    above: float
    below: float
    darkens: bool  # whether the main direction is to darker

    @property
    def main(self) -> float:
        return self.below if self.darkens else self.above

    @property
    def other(self) -> float:
        return self.above if self.darkens else self.below

    def brighter(self, original: np.ndarray) -> np.ndarray:
        """The change of pixels (n, C) to brighter. It is larger for dark pixels, so that colors fade to white."""
        top = self.image.max_value
        room = (np.float32(top) - original) * np.float32(1 / max(top - self.gray, 1e-30))
        return np.clip(room, 0.6, 1.5, out=room) * np.float32(self.above)

    def darker(self, original: np.ndarray) -> np.ndarray:
        """The change of pixels (n, C) to darker. It is larger for bright pixels, so that colors keep their hue."""
        share = original * np.float32(1 / max(self.gray, 1e-6 * self.image.max_value))
        return np.clip(share, 0.6, 1.5, out=share) * np.float32(-self.below)

    def glossier(self, original: np.ndarray) -> np.ndarray:
        """The change of pixels (n, C) to brighter in their own hue, like a highlight on metal.

        It is larger for bright pixels, so that texture keeps its contrast. The hue is averaged with that of the
        place, because very dark pixels have hardly any.
        """
        least = np.float32(0.02 * self.image.max_value)  # so that black gets brighter as well
        own = original @ np.full((self.image.channels, 1), 1 / self.image.channels, np.float32)
        share = own * np.float32(1 / max(self.gray, 1e-6 * self.image.max_value))
        strength = np.clip(share, 0.6, 1.5) * np.float32(self.above) / (own + (np.float32(self.gray) + least))
        change: np.ndarray = (original + (self.level.astype(np.float32) + least)) * strength
        room = (np.float32(self.image.max_value) - original) * np.float32(HEADROOM)
        np.minimum(change, room, out=change)
        return change


def find_site(
    image: NormalImage,
    sampler: Sampler,
    alpha: np.ndarray,
    contrast: tuple[float, float],
    *,
    tone: str | None = None,
    box: Box | None = None,
) -> Site:
    """Place a defect with that alpha (h, w), which is not larger than the image, and measure the place.

    The amplitude is `contrast` times the larger of the local spread and 4 % of the range. The main direction of the
    change is the one with more headroom, or the one of `tone`; "hollow" is dark wherever a darker change is visible.
    """
    mask = as_bytes(alpha >= FAINTEST)
    if box is None:
        box = place(image, sampler, alpha.shape[0], alpha.shape[1], mask)
    pixels = image.crop(box)
    level = mean_under(pixels, mask)
    factor = sampler.scaled("contrast", *contrast)
    amplitude = factor * max(_local_spread(image, box), SMALLEST_SPREAD * image.max_value)
    gray = sum(level.tolist()) / image.channels
    above, below = min(amplitude, HEADROOM * (image.max_value - gray)), min(amplitude, HEADROOM * gray)
    if tone == "hollow":
        dark = below >= min(amplitude, HOLLOW * image.max_value)
    else:
        dark = tone == "dark" if tone else gray > image.max_value / 2
    return Site(image, box, pixels, level, gray, amplitude, above, below, dark)


def mean_under(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean of each channel (C,) of pixels (h, w, C) where a mask is true; of some of them where there are many."""
    channels = pixels.shape[2]
    if channels <= 4:  # as many as OpenCV averages
        return np.array(cv2.mean(pixels, mask)[:channels])
    where = np.flatnonzero(mask > 0)
    some = pixels.reshape(-1, channels)[where[:: max(1, len(where) // SAMPLES)]]
    return np.asarray(some.mean(axis=0, dtype=np.float64))


def _local_spread(image: NormalImage, box: Box) -> float:
    """The standard deviation of the texture around a box.

    It is computed from differences at a short distance, like a variogram, so that the border between an object and its
    background, or a shadow, hardly increases it.
    """
    reach = max(1, round(image.side * SPREAD_REACH))
    top, left = max(box.top - reach, 0), max(box.left - reach, 0)
    around = Box(top, left, min(box.bottom + reach, image.height) - top, min(box.right + reach, image.width) - left)
    step = max(1, min(around.height, around.width) // 48, reach // 4)
    pixels = image.pixels[around.top : around.bottom : step, around.left : around.right : step]
    gray: np.ndarray
    if pixels.ndim == 2:
        gray = np.ascontiguousarray(pixels, np.float32)
    else:
        gray = np.ascontiguousarray(pixels[..., : image.channels], np.float32)
        gray = cv2.transform(gray, np.full((1, image.channels), 1 / image.channels, np.float32))
    lag = max(1, reach // step)
    means = [
        cv2.norm(one, other, cv2.NORM_L1) / one.size
        for one, other in ((gray[lag:], gray[:-lag]), (gray[:, lag:], gray[:, :-lag]))
        if one.size
    ]
    return sum(means) / len(means) * math.sqrt(math.pi) / 2 if means else 0.0


def blend(
    site: Site, alpha: np.ndarray, defect: Defect, strength: np.ndarray | None = None, *, is_solid: bool = False
) -> Insertion:
    """Make an insertion of ``defect(original, where)`` with an alpha for each pixel.

    `where` are the flat indices of the pixels of the mask in the box, `original` their values (n, C) float32; what
    `defect` returns is blended by alpha. If alpha is below 0.1, or if `strength` (the change in units of the main one,
    by default alpha) is too small to be visible, alpha is set to 0 and the pixel does not belong to the mask. With
    `is_solid`, enclosed pixels belong to the mask.
    """
    image, box = site.image, site.box
    strength = alpha if strength is None else strength
    visible = min(max(FAINTEST, MARGIN * VISIBLE * image.max_value / max(site.main, 1e-30)), FAINTEST_AT_MOST)
    mask = as_bytes(strength >= visible)
    if not cv2.hasNonZero(mask):
        mask = as_bytes(strength >= strength.max())
    if is_solid:
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(mask, outlines, -1, 255, cv2.FILLED)
    where = np.flatnonzero(mask > 0)  # several times as fast for flags as for bytes
    content = site.pixels.copy()
    flat = content.reshape(-1, image.channels)
    original = flat[where].astype(np.float32)
    weight = np.minimum(alpha.reshape(-1)[where], np.float32(1))[:, None].astype(np.float32, copy=False)
    changed = original + weight * (defect(original, where) - original)
    np.clip(changed, 0, np.float32(image.max_value), out=changed)
    flat[where] = np.rint(changed) if image.is_byte else changed
    return Insertion(box, content, mask)


def shade(site: Site, alpha: np.ndarray, value: np.ndarray, *, tinted: bool = False) -> Insertion:
    """Make an insertion that changes the level by `value` (h, w) in [-1, 1] (1 is the main direction) and keeps the
    texture.

    Brighter pixels fade to white, or keep the hue of the surface if `tinted`.
    """
    brighter = site.glossier if tinted else site.brighter

    def defect(original: np.ndarray, where: np.ndarray) -> np.ndarray:
        amount = value.reshape(-1)[where][:, None]
        if site.darkens:
            amount = -amount
        result: np.ndarray = original + np.where(
            amount > 0, amount * brighter(original), -amount * site.darker(original)
        )
        return result

    weaker = np.float32(site.other / max(site.main, 1e-30))
    return blend(site, alpha, defect, alpha * np.where(value < 0, weaker, np.float32(1)))
