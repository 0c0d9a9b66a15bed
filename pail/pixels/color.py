"""Colors: torchvision's ColorJitter computed with OpenCV, and functions that the augmenters also use."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from pail.core.sampler import Sampler

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as in torchvision and PIL
STRIP_PIXELS = 1 << 16  # of a strip that fits the cache during its conversion to HSV and back
STRIP_BYTES = 1 << 18  # large images are changed in strips of about this size


def through_float(function: Callable[..., np.ndarray], image: np.ndarray, max_value: float) -> np.ndarray:
    """Change an 8-bit image whose full scale is not 255 as a float image, and round."""
    changed = function(image.astype(np.float32), max_value)
    result: np.ndarray = np.clip(np.rint(changed), 0, max_value).astype(np.uint8)
    return result


def on_color(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """Apply `function`, which changes each pixel independently, to the first three channels; the others are copied."""
    if image.shape[2] == 3:
        return in_strips(function, image)
    result = image.copy()
    result[..., :3] = function(np.ascontiguousarray(image[..., :3]))
    return result


def in_strips(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """Apply `function`, which changes each pixel independently, to strips whose intermediate images fit the cache."""
    step = max(1, STRIP_BYTES // image[0].nbytes)
    if len(image) <= step:
        return function(image)
    result = np.empty_like(image)
    for top in range(0, len(image), step):
        result[top : top + step] = function(image[top : top + step])
    return result


def scale_values(image: np.ndarray, gain: float, offset: float, max_value: float) -> np.ndarray:
    """gain * image + offset, rounded for 8-bit images and clipped, whatever the number of channels."""
    flat = image.reshape(image.shape[0], -1)
    changed = cv2.addWeighted(flat, gain, flat, 0, offset)
    if image.dtype != np.uint8:
        np.clip(changed, 0, max_value, out=changed)
    return changed.reshape(image.shape)


# --------------------------------------------------------------------------------------------------------------------
# Color jitter


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

    `image` is (h, w, C), uint8 or float32 in [0, max_value]; a new array is returned. Strengths are torchvision's:
    factors are drawn from 1 - strength to 1 + strength, the shift of the hue within `hue` of a full rotation. `mean`
    is the mean gray that contrast leaves unchanged, for crops of an image; by default that of `image`. Images of fewer
    than three channels have no hue and no saturation; of more than three channels only the first three do.
    """
    order = sampler.sample("jitter_order", 4, 4)
    factors = (
        sampler.uniform("brightness", max(0.0, 1 - brightness), 1 + brightness),
        sampler.uniform("contrast", max(0.0, 1 - contrast), 1 + contrast),
        sampler.uniform("saturation", max(0.0, 1 - saturation), 1 + saturation),
        sampler.uniform("hue", -hue, hue),
    )
    return apply_jitter(image, max_value, order, factors, mean)


def apply_jitter(
    image: np.ndarray, max_value: float, order: list[int], factors: tuple[float, ...], mean: float | None = None
) -> np.ndarray:
    """`image` after brightness (0), contrast (1), saturation (2) and hue (3) in that order, by those factors."""
    if image.dtype == np.uint8 and max_value != 255:
        return through_float(lambda pixels, top: apply_jitter(pixels, top, order, factors, mean), image, max_value)
    state = _Jitter(np.ascontiguousarray(image), max_value, mean)
    steps = (state.brightness, state.contrast, state.saturation, state.hue)
    for index in order:
        steps[index](factors[index])
    state.settle()
    return image.copy() if np.may_share_memory(state.image, image) else state.image


class _Jitter:
    """An image and the pending change: gain * (blend * x + (1 - blend) * gray(x)) + offset.

    Brightness, contrast and saturation together always have that form, one 3x4 matrix. The pending change is applied
    when a value could leave [0, max_value], so that values are clipped as if each change were applied separately, or
    when a change of hue requires it. Rotations of the hue commute with gain and offset, and gray values with `blend`.
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
        self.image = on_color(lambda color: _rotate_hue(color, shift * 360), self.image)
        if not self.given:
            self.mean = None

    def settle(self) -> None:
        """Apply the pending change."""
        if (self.gain, self.blend, self.offset) == (1, 1, 0):
            return
        image, channels = self.image, self.image.shape[2]
        if channels == 3:
            self.image = self._mix(image)
        else:
            self.image = scale_values(image, self.gain, self.offset, self.max_value)
            if self.blend != 1:
                self.image[..., :3] = self._mix(np.ascontiguousarray(image[..., :3]))
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
            if not self.given:
                self.mean = None

    def _mix(self, color: np.ndarray) -> np.ndarray:
        """The pending change of three channels."""
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


def _rotate_hue(color: np.ndarray, degrees: float) -> np.ndarray:
    """Rotate the hue. In float32 for 8 bits too, which is as fast as 8-bit HSV and does not round the hue."""
    rows, columns = color.shape[:2]
    result = np.empty_like(color)
    shifts = np.zeros((columns, 3), np.float32)
    shifts[:, 0] = degrees % 360  # OpenCV accepts hues above 360 degrees, but not below 0
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
