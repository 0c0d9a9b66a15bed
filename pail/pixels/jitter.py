"""torchvision's color jitter, with OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from pail.core.sampler import Sampler
from pail.pixels.color import LUMA, is_plain, on_color, scale_values, through_float

STRIP_PIXELS = 1 << 16  # a strip that stays in the cache while it goes to HSV and back


def color_jitter(
    image: np.ndarray,
    sampler: Sampler,
    max_value: float,
    *,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    mean: float | None = None,
) -> np.ndarray:
    """torchvision's ColorJitter: the four changes in random order, each with its own random strength.

    `image` is (h, w, C), uint8 or float32 in [0, max_value]; a new array is returned. `mean` is the gray mean around
    which contrast turns, for parts of an image; by default that of `image`. Images of fewer than three channels have no
    hue and no saturation; of more than three channels only the first three do.
    """
    order = sampler.sample("jitter_order", 4, 4)
    factors = (
        sampler.uniform("brightness", max(0.0, 1 - brightness), 1 + brightness),
        sampler.uniform("contrast", max(0.0, 1 - contrast), 1 + contrast),
        sampler.uniform("saturation", max(0.0, 1 - saturation), 1 + saturation),
        sampler.uniform("hue", -hue, hue),
    )
    return apply_jitter(image, max_value, order, factors, mean)


def weak_jitter(image: np.ndarray, sampler: Sampler, max_value: float) -> np.ndarray:
    """CutPaste's color jitter."""
    return color_jitter(image, sampler, max_value, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)


def apply_jitter(
    image: np.ndarray, max_value: float, order: list[int], factors: tuple[float, ...], mean: float | None = None
) -> np.ndarray:
    """`image` after brightness (0), contrast (1), saturation (2) and hue (3) in that order, by those factors."""
    if not is_plain(image, max_value):
        return through_float(lambda pixels, top: apply_jitter(pixels, top, order, factors, mean), image, max_value)
    state = _Jitter(np.ascontiguousarray(image), max_value, mean)
    steps = (state.brightness, state.contrast, state.saturation, state.hue)
    for index in order:
        steps[index](factors[index])
    state.settle()
    return image.copy() if np.may_share_memory(state.image, image) else state.image


class _Jitter:
    """An image and the changes that wait: gain * (blend * x + (1 - blend) * gray(x)) + offset.

    Brightness, contrast and saturation together always have that form, one 3x4 matrix. They are carried out when a
    value could leave [0, max_value], so that clipping happens where it does when each is done by itself, or when a hue
    needs them done. Hue turns commute with gain and offset, and gray values with `blend`.
    """

    def __init__(self, image: np.ndarray, max_value: float, mean: float | None) -> None:
        self.image, self.max_value = image, max_value
        self.given = mean is not None
        self.mean = mean
        self.low, self.high = cv2.minMaxLoc(image.reshape(image.shape[0], -1))[:2]
        self.gain, self.blend, self.offset = 1.0, 1.0, 0.0

    def brightness(self, factor: float) -> None:
        if self.mean is not None:
            self.mean = min(self.mean * factor, self.max_value)
        self._wait(self.gain * factor, self.blend, self.offset * factor)

    def contrast(self, factor: float) -> None:
        if self.mean is None:
            self.mean = self.gain * _gray_mean(self.image) + self.offset
        self._wait(self.gain * factor, self.blend, self.offset * factor + (1 - factor) * self.mean)

    def saturation(self, factor: float) -> None:
        if self.image.shape[2] >= 3:
            self._wait(self.gain, self.blend * factor, self.offset)

    def hue(self, shift: float) -> None:
        if self.image.shape[2] < 3 or shift == 0:
            return
        if self.blend != 1:
            self.settle()
        self.image = on_color(lambda color: _turn_hue(color, shift * 360), self.image)
        self._forget_mean()

    def settle(self) -> None:
        """Carry out what waits."""
        if (self.gain, self.blend, self.offset) != (1, 1, 0):
            self.image = self._carry_out()
            self.gain, self.blend, self.offset = 1.0, 1.0, 0.0

    def _wait(self, gain: float, blend: float, offset: float) -> None:
        self.gain, self.blend, self.offset = gain, blend, offset
        spread = max(blend - 1, 0) * (self.high - self.low)
        low = gain * (self.low - spread) + offset
        high = gain * (self.high + spread) + offset
        slack = self.max_value / 512
        if low < -slack or high > self.max_value + slack:
            self.settle()
            self.low, self.high = max(low, 0.0), min(high, self.max_value)
            self._forget_mean()

    def _forget_mean(self) -> None:
        if not self.given:
            self.mean = None

    def _carry_out(self) -> np.ndarray:
        if self.blend == 1 and self.image.shape[2] != 3:
            return scale_values(self.image, self.gain, self.offset, self.max_value)
        if self.image.shape[2] == 3:
            return self._mix(self.image)
        result = scale_values(self.image, self.gain, self.offset, self.max_value)
        result[..., :3] = self._mix(np.ascontiguousarray(self.image[..., :3]))
        return result

    def _mix(self, color: np.ndarray) -> np.ndarray:
        own = self.gain * self.blend
        red, green, blue = (self.gain * (1 - self.blend) * weight for weight in LUMA)
        rows = (
            (own + red, green, blue, self.offset),
            (red, own + green, blue, self.offset),
            (red, green, own + blue, self.offset),
        )
        mixed = cv2.transform(color, np.array(rows))
        if color.dtype != np.uint8:
            np.clip(mixed, 0, self.max_value, out=mixed)
        return mixed


def _gray_mean(image: np.ndarray) -> float:
    if image.shape[2] >= 3:
        red, green, blue, _ = cv2.mean(image if image.shape[2] <= 4 else np.ascontiguousarray(image[..., :3]))
        return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return cv2.mean(image.reshape(image.shape[0], -1))[0]


def _turn_hue(color: np.ndarray, degrees: float) -> np.ndarray:
    """Hue turned by `degrees`. In float32 for 8 bits too: as fast as 8-bit HSV and without its steps."""
    rows, columns = color.shape[:2]
    result = np.empty_like(color)
    shifts = np.zeros((columns, 3), np.float32)
    shifts[:, 0] = degrees % 360  # OpenCV takes hues beyond the full circle, but none below 0
    step = max(1, STRIP_PIXELS // columns)
    for top in range(0, rows, step):
        strip = color[top : top + step].astype(np.float32)
        hsv = cv2.cvtColor(strip, cv2.COLOR_RGB2HSV)
        flat = hsv.reshape(len(hsv), -1)
        np.add(flat, shifts.reshape(-1), out=flat)
        if color.dtype == np.uint8:
            cv2.convertScaleAbs(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, strip), result[top : top + step])
        else:
            cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, result[top : top + step])
    return result
