"""torchvision's ColorJitter computed with OpenCV, and functions that the augmenters also use."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from pail.core.sampler import Sampler

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as in torchvision and PIL
STRIP_PIXELS = 1 << 16  # of a strip that fits the cache during its conversion to HSV and back
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)  # the numbers of the changes in an order


def through_float(function: Callable[..., np.ndarray], image: np.ndarray, max_value: float) -> np.ndarray:
    """Change an 8-bit image whose full scale is not 255 as a float image, and round."""
    changed = function(image.astype(np.float32), max_value)
    result: np.ndarray = np.clip(np.rint(changed), 0, max_value).astype(np.uint8)
    return result


def scale_values(image: np.ndarray, gain: float, offset: float, max_value: float) -> np.ndarray:
    """gain * image + offset, rounded for 8-bit images and clipped, for any number of channels."""
    flat = image.reshape(image.shape[0], -1)
    changed = cv2.addWeighted(flat, gain, flat, 0, offset)
    if image.dtype != np.uint8:
        np.clip(changed, 0, max_value, out=changed)
    return changed.reshape(image.shape)


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
    """`image` after brightness (0), contrast (1), saturation (2) and hue (3) in that order, by those factors.

    Brightness, contrast and saturation in any order have the form gain * (blend * x + (1 - blend) * gray(x)) + offset.
    They are collected and applied together: at the end; when a value could leave [0, max_value], so that values are
    clipped as if each change were applied separately; and before a rotation of the hue, which commutes with gain and
    offset but not with `blend`. The mean gray commutes with `blend`.
    """
    if image.dtype == np.uint8 and max_value != 255:
        return through_float(lambda pixels, top: apply_jitter(pixels, top, order, factors, mean), image, max_value)
    result, has_color, is_given = np.ascontiguousarray(image), image.shape[2] >= 3, mean is not None
    low, high = cv2.minMaxLoc(result.reshape(len(result), -1))[:2]
    lowest, highest = low, high  # of `result`, and of what it becomes with the collected changes
    gain, blend, offset = 1.0, 1.0, 0.0
    for change in order:
        factor = factors[change]
        if change == BRIGHTNESS:
            mean = None if mean is None else min(mean * factor, max_value)
            gain, offset = gain * factor, offset * factor
        elif change == CONTRAST:
            if mean is None:
                mean = gain * _mean_gray(result) + offset
            gain, offset = gain * factor, offset * factor + (1 - factor) * mean
        elif change == SATURATION and has_color:
            blend *= factor
        elif change == HUE and has_color and factor != 0:
            if blend != 1:
                result = _mix(result, gain, blend, offset, max_value)
                gain, blend, offset = 1.0, 1.0, 0.0
                low, high = max(lowest, 0.0), min(highest, max_value)  # more saturation widens them
            result = _rotate_hue(result, factor * 360)
            mean = mean if is_given else None
        spread = max(blend - 1, 0) * (high - low)
        lowest, highest = gain * (low - spread) + offset, gain * (high + spread) + offset
        if lowest < -max_value / 512 or highest > max_value + max_value / 512:
            result = _mix(result, gain, blend, offset, max_value)
            gain, blend, offset = 1.0, 1.0, 0.0
            low, high = max(lowest, 0.0), min(highest, max_value)
            mean = mean if is_given else None
    result = _mix(result, gain, blend, offset, max_value)
    return image.copy() if np.may_share_memory(result, image) else result


def _mix(image: np.ndarray, gain: float, blend: float, offset: float, max_value: float) -> np.ndarray:
    """gain * (blend * x + (1 - blend) * gray(x)) + offset of the first three channels, gain * x + offset of others."""
    if (gain, blend, offset) == (1, 1, 0):
        return image
    result = image
    if image.shape[2] != 3:
        result = scale_values(image, gain, offset, max_value)
        if blend == 1:
            return result
    own, (red, green, blue) = gain * blend, [gain * (1 - blend) * weight for weight in LUMA]
    rows = ((own + red, green, blue, offset), (red, own + green, blue, offset), (red, green, own + blue, offset))
    color = cv2.transform(np.ascontiguousarray(image[..., :3]), np.array(rows))
    if image.dtype != np.uint8:
        np.clip(color, 0, max_value, out=color)
    if image.shape[2] == 3:
        return color
    result[..., :3] = color
    return result


def _mean_gray(image: np.ndarray) -> float:
    if image.shape[2] < 3:
        return cv2.mean(image.reshape(len(image), -1))[0]
    red, green, blue, _ = cv2.mean(image if image.shape[2] <= 4 else np.ascontiguousarray(image[..., :3]))
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def _rotate_hue(image: np.ndarray, degrees: float) -> np.ndarray:
    """Rotate the hue of the first three channels; the others are copied.

    In float32 for 8 bits too, which is as fast as 8-bit HSV and does not round the hue.
    """
    rows, columns, channels = image.shape
    result = np.empty_like(image) if channels == 3 else image.copy()
    shifts = np.zeros((columns, 3), np.float32)
    shifts[:, 0] = degrees % 360  # OpenCV accepts hues above 360 degrees, but not below 0
    step = max(1, STRIP_PIXELS // columns)
    for top in range(0, rows, step):
        strip = image[top : top + step, :, :3].astype(np.float32)
        hsv = cv2.cvtColor(strip, cv2.COLOR_RGB2HSV)
        flat = hsv.reshape(len(hsv), -1)
        np.add(flat, shifts.reshape(-1), out=flat)
        cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, strip)
        result[top : top + step, :, :3] = strip if image.dtype != np.uint8 else cv2.convertScaleAbs(strip)
    return result
