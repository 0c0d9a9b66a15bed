"""What changes colours and leaves shapes alone: colour jitter, DRAEM's ten augmenters and the user's own.

This is the only module that knows imgaug, which is optional. The ten augmenters are defined by imgaug 0.4.0 and are
done here with OpenCV; 8-bit images give imgaug's bytes, other images follow the same formulas without 8-bit steps.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pail.core import Draw, Frame, as_source, describe, to_dtype, with_axis

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as in torchvision and PIL
STRIP_PIXELS = 1 << 16  # a strip that stays in the cache while it goes to HSV and back
FINE_LEVELS = 1 << 16  # steps of the histograms of images that are not 8-bit
STRIP_BYTES = 1 << 18  # large images are changed in strips of about this size

# --------------------------------------------------------------------------------------------------------------------
# Both parts


def _through_float(function: Callable[..., np.ndarray], image: np.ndarray, peak: float) -> np.ndarray:
    """8-bit images whose full scale is not 255 take the way of the others."""
    changed = function(image.astype(np.float32), peak)
    return np.clip(np.rint(changed), 0, peak).astype(np.uint8)


def _is_plain(image: np.ndarray, peak: float) -> bool:
    return image.dtype != np.uint8 or peak == 255


def _on_colour(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """`function`, of each pixel by itself, on the first three channels; the others stay."""
    if image.shape[2] == 3:
        return _in_strips(function, image)
    result = image.copy()
    result[..., :3] = function(np.ascontiguousarray(image[..., :3]))
    return result


def _in_strips(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """`function`, of each pixel by itself, on strips whose intermediate images stay in the cache."""
    step = max(1, STRIP_BYTES // image[0].nbytes)
    if len(image) <= step:
        return function(image)
    result = np.empty_like(image)
    for top in range(0, len(image), step):
        result[top : top + step] = function(image[top : top + step])
    return result


def _scaled(image: np.ndarray, gain: float, offset: float, peak: float) -> np.ndarray:
    """gain * image + offset, rounded for 8-bit images and clipped, whatever the number of channels."""
    flat = image.reshape(image.shape[0], -1)
    changed = cv2.addWeighted(flat, gain, flat, 0, offset)
    if image.dtype != np.uint8:
        np.clip(changed, 0, peak, out=changed)
    return changed.reshape(image.shape)


# --------------------------------------------------------------------------------------------------------------------
# Colour jitter


def colour_jitter(
    image: np.ndarray,
    draw: Draw,
    peak: float,
    *,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    mean: float | None = None,
) -> np.ndarray:
    """torchvision's ColorJitter: the four changes in random order, each with its own random strength.

    `image` is (h, w, C), uint8 or float32 in [0, peak]; a new array comes back. `mean` is the grey mean around which
    contrast turns, for parts of an image; by default that of `image`. Images of fewer than three channels have no
    hue and no saturation; of more than three channels only the first three do.
    """
    order = draw.sample("jitter_order", 4, 4)
    factors = (
        draw.uniform("brightness", max(0.0, 1 - brightness), 1 + brightness),
        draw.uniform("contrast", max(0.0, 1 - contrast), 1 + contrast),
        draw.uniform("saturation", max(0.0, 1 - saturation), 1 + saturation),
        draw.uniform("hue", -hue, hue),
    )
    return jittered(image, peak, order, factors, mean)


def jittered(
    image: np.ndarray, peak: float, order: list[int], factors: tuple[float, ...], mean: float | None = None
) -> np.ndarray:
    """`image` after brightness (0), contrast (1), saturation (2) and hue (3) in that order, by those factors."""
    if not _is_plain(image, peak):
        return _through_float(lambda pixels, top: jittered(pixels, top, order, factors, mean), image, peak)
    state = _Jitter(np.ascontiguousarray(image), peak, mean)
    steps = (state.brightness, state.contrast, state.saturation, state.hue)
    for index in order:
        steps[index](factors[index])
    state.settle()
    return image.copy() if np.may_share_memory(state.image, image) else state.image


class _Jitter:
    """An image and the changes that wait: gain * (blend * x + (1 - blend) * grey(x)) + offset.

    Brightness, contrast and saturation together always have that form, one 3x4 matrix. They are carried out when a
    value could leave [0, peak], so that clipping happens where it does when each is done by itself, or when a hue
    needs them done. Hue turns commute with gain and offset, and grey values with `blend`.
    """

    def __init__(self, image: np.ndarray, peak: float, mean: float | None) -> None:
        self.image, self.peak = image, peak
        self.given = mean is not None
        self.mean = mean
        self.low, self.high = cv2.minMaxLoc(image.reshape(image.shape[0], -1))[:2]
        self.gain, self.blend, self.offset = 1.0, 1.0, 0.0

    def brightness(self, factor: float) -> None:
        if self.mean is not None:
            self.mean = min(self.mean * factor, self.peak)
        self._wait(self.gain * factor, self.blend, self.offset * factor)

    def contrast(self, factor: float) -> None:
        if self.mean is None:
            self.mean = self.gain * _grey_mean(self.image) + self.offset
        self._wait(self.gain * factor, self.blend, self.offset * factor + (1 - factor) * self.mean)

    def saturation(self, factor: float) -> None:
        if self.image.shape[2] >= 3:
            self._wait(self.gain, self.blend * factor, self.offset)

    def hue(self, shift: float) -> None:
        if self.image.shape[2] < 3 or shift == 0:
            return
        if self.blend != 1:
            self.settle()
        self.image = _on_colour(lambda colour: _turned(colour, shift * 360), self.image)
        self._forget_mean()

    def settle(self) -> None:
        """Carry out what waits."""
        if (self.gain, self.blend, self.offset) != (1, 1, 0):
            self.image = self._changed()
            self.gain, self.blend, self.offset = 1.0, 1.0, 0.0

    def _wait(self, gain: float, blend: float, offset: float) -> None:
        self.gain, self.blend, self.offset = gain, blend, offset
        spread = max(blend - 1, 0) * (self.high - self.low)
        low = gain * (self.low - spread) + offset
        high = gain * (self.high + spread) + offset
        slack = self.peak / 512
        if low < -slack or high > self.peak + slack:
            self.settle()
            self.low, self.high = max(low, 0.0), min(high, self.peak)
            self._forget_mean()

    def _forget_mean(self) -> None:
        if not self.given:
            self.mean = None

    def _changed(self) -> np.ndarray:
        if self.blend == 1 and self.image.shape[2] != 3:
            return _scaled(self.image, self.gain, self.offset, self.peak)
        if self.image.shape[2] == 3:
            return self._mixed(self.image)
        result = _scaled(self.image, self.gain, self.offset, self.peak)
        result[..., :3] = self._mixed(np.ascontiguousarray(self.image[..., :3]))
        return result

    def _mixed(self, colour: np.ndarray) -> np.ndarray:
        own = self.gain * self.blend
        red, green, blue = (self.gain * (1 - self.blend) * weight for weight in LUMA)
        rows = (
            (own + red, green, blue, self.offset),
            (red, own + green, blue, self.offset),
            (red, green, own + blue, self.offset),
        )
        mixed = cv2.transform(colour, np.array(rows))
        if colour.dtype != np.uint8:
            np.clip(mixed, 0, self.peak, out=mixed)
        return mixed


def _grey_mean(image: np.ndarray) -> float:
    if image.shape[2] >= 3:
        red, green, blue, _ = cv2.mean(image if image.shape[2] <= 4 else np.ascontiguousarray(image[..., :3]))
        return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return cv2.mean(image.reshape(image.shape[0], -1))[0]


def _turned(colour: np.ndarray, degrees: float) -> np.ndarray:
    """Hue turned by `degrees`. In float32 for 8 bits too: as fast as 8-bit HSV and without its steps."""
    rows, columns = colour.shape[:2]
    result = np.empty_like(colour)
    shifts = np.zeros((columns, 3), np.float32)
    shifts[:, 0] = degrees % 360  # OpenCV takes hues beyond the full circle, but none below 0
    step = max(1, STRIP_PIXELS // columns)
    for top in range(0, rows, step):
        strip = colour[top : top + step].astype(np.float32)
        hsv = cv2.cvtColor(strip, cv2.COLOR_RGB2HSV)
        flat = hsv.reshape(len(hsv), -1)
        np.add(flat, shifts.reshape(-1), out=flat)
        if colour.dtype == np.uint8:
            cv2.convertScaleAbs(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, strip), result[top : top + step])
        else:
            cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, result[top : top + step])
    return result


# --------------------------------------------------------------------------------------------------------------------
# The ten augmenters of DRAEM


class _Levels:
    """An 8-bit image and the look-up tables that wait to be applied to it as one."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.channels = image.shape[2]
        self.table: np.ndarray | None = None  # (256,) for all channels or (C, 256)
        self._histogram: np.ndarray | None = None

    def counts(self) -> np.ndarray:
        """(C, 256): how often each value occurs, waiting tables included."""
        if self._histogram is None:
            self._histogram = _histogram(self.image, 256)
        if self.table is None:
            return self._histogram
        tables = np.broadcast_to(self.table, self._histogram.shape)
        moved = [np.bincount(t, c, 256) for t, c in zip(tables, self._histogram, strict=True)]
        return np.array(moved).astype(np.int64)

    def follow(self, table: np.ndarray | None) -> None:
        """One more table, after those that wait; None changes nothing."""
        if table is None:
            return
        if self.table is None:
            self.table = table
        elif table.ndim == 1:
            self.table = table[self.table]
        elif self.table.ndim == 1:
            self.table = table[:, self.table]
        else:
            self.table = np.take_along_axis(table, self.table.astype(np.intp), axis=1)

    def settle(self) -> np.ndarray:
        if self.table is None:
            return self.image
        if self.table.ndim == 1 or self.channels == 1:
            return with_axis(cv2.LUT(self.image, self.table.reshape(-1)))
        return _in_strips(self._through_tables, self.image)

    def _through_tables(self, image: np.ndarray) -> np.ndarray:
        # Plane by plane: half again as fast as OpenCV's table of several channels.
        assert self.table is not None
        return cv2.merge([cv2.LUT(plane, row) for plane, row in zip(cv2.split(image), self.table, strict=True)])


def _histogram(image: np.ndarray, levels: int) -> np.ndarray:
    """(C, levels) counts of an integer image."""
    counts = [cv2.calcHist([image], [c], None, [levels], [0, levels]).ravel() for c in range(image.shape[2])]
    return np.array(counts).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Augmenter:
    """One augmenter: `sample` draws its parameters, a call with (image, peak, **parameters) applies it.

    `table` gives the look-up table of those that change each value by itself, for 8-bit images: (256,), (C, 256) or
    None for no change. `function` is the rest.
    """

    sample: Callable[[Draw], dict[str, Any]]
    function: Callable[..., np.ndarray]
    table: Callable[..., np.ndarray | None] | None = None

    def __call__(self, image: np.ndarray, peak: float, **parameters: Any) -> np.ndarray:
        return _augmented(image, peak, [(self, parameters)])


def augment(image: np.ndarray, draw: Draw, peak: float, *, count: int = 3) -> np.ndarray:
    """`count` of DRAEM's ten augmenters, no two alike, one after the other; a new array."""
    names = list(AUGMENTERS)
    chosen = draw.keep("augmenters", [names[i] for i in draw.rng.permutation(len(names))[:count]])
    return _augmented(image, peak, [(AUGMENTERS[name], AUGMENTERS[name].sample(draw)) for name in chosen])


def _augmented(image: np.ndarray, peak: float, steps: list[tuple[Augmenter, dict[str, Any]]]) -> np.ndarray:
    if not _is_plain(image, peak):
        return _through_float(lambda pixels, top: _augmented(pixels, top, steps), image, peak)
    result = image
    if image.dtype == np.uint8:
        result = _augmented_levels(image, steps)
    else:
        for augmenter, parameters in steps:
            result = augmenter.function(result, peak, **parameters)
    return image.copy() if result is image else result


def _augmented_levels(image: np.ndarray, steps: list[tuple[Augmenter, dict[str, Any]]]) -> np.ndarray:
    levels = _Levels(image)
    for augmenter, parameters in steps:
        if augmenter.table is not None:
            levels.follow(augmenter.table(levels, **parameters))
        elif augmenter.function is brightness and levels.channels < 3:
            levels.follow(_brightness_table(parameters["multiply"], parameters["add"], parameters["add_first"]))
        else:
            levels = _Levels(augmenter.function(levels.settle(), 255.0, **parameters))
    return levels.settle()


# 1. Gamma contrast


def _sample_gamma(draw: Draw) -> dict[str, Any]:
    # Three numbers for grey images too: what is drawn later must not depend on the channels.
    return {"gammas": [draw.uniform("gamma", 0.5, 2.0) for _ in range(3)]}


def _gamma_table(levels: _Levels, gammas: list[float]) -> np.ndarray:
    exponents = np.resize(np.array(gammas, np.float32), levels.channels)
    return (np.linspace(0, 1, 256, dtype=np.float32) ** exponents[:, None] * 255).astype(np.uint8)


def gamma_contrast(image: np.ndarray, peak: float, gammas: list[float]) -> np.ndarray:
    """peak * (v / peak) ** gamma, with a gamma for each channel (the three repeat beyond the third)."""
    planes = cv2.split(image * np.float32(1 / peak))
    raised = [cv2.pow(plane, gamma) for plane, gamma in zip(planes, np.resize(gammas, len(planes)), strict=True)]
    return np.minimum(with_axis(cv2.merge(raised)) * np.float32(peak), np.float32(peak))


# 2. Brightness


@dataclass(frozen=True, slots=True)
class _Space:
    """A colour space of OpenCV and its channel of brightness."""

    to: int
    back: int
    channel: int
    top: float = 1.0  # full scale of that channel in float images


SPACES = {
    "YCrCb": _Space(cv2.COLOR_RGB2YCrCb, cv2.COLOR_YCrCb2RGB, 0),
    "HSV": _Space(cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB, 2),
    "HLS": _Space(cv2.COLOR_RGB2HLS, cv2.COLOR_HLS2RGB, 1),
    "Lab": _Space(cv2.COLOR_RGB2Lab, cv2.COLOR_Lab2RGB, 0, 100),
    "Luv": _Space(cv2.COLOR_RGB2Luv, cv2.COLOR_Luv2RGB, 0, 100),
    "YUV": _Space(cv2.COLOR_RGB2YUV, cv2.COLOR_YUV2RGB, 0),
}


def _sample_brightness(draw: Draw) -> dict[str, Any]:
    return {
        "multiply": draw.uniform("brightness_multiply", 0.8, 1.2),
        "add": draw.integer("brightness_add", -30, 30),
        "add_first": draw.flag("brightness_add_first"),
        "space": draw.choice("brightness_space", tuple(SPACES)),
    }


def _brighter(values: np.ndarray, multiply: float, add: float, add_first: bool, peak: float) -> np.ndarray:
    """Clipped after each of the two steps; works on `values` itself."""
    for number, operation in ((add, np.add), (multiply, np.multiply))[:: 1 if add_first else -1]:
        operation(values, np.float32(number), out=values)
        np.clip(values, 0, peak, out=values)
    return values


def _brightness_table(multiply: float, add: int, add_first: bool) -> np.ndarray:
    values = np.arange(256, dtype=np.float32)
    if not add_first:  # imgaug cuts decimals off between the two steps
        values = np.trunc(_brighter(values, multiply, 0, False, 255))
        multiply = 1.0
    return _brighter(values, multiply, add, add_first, 255).astype(np.uint8)


def brightness(image: np.ndarray, peak: float, multiply: float, add: int, add_first: bool, space: str) -> np.ndarray:
    """Multiply and add (in 255ths of full scale) on the channel of brightness of a colour space."""
    if image.shape[2] < 3:
        return _brighter(image.copy(), multiply, add * peak / 255, add_first, peak)
    if image.dtype == np.uint8:
        table = _brightness_table(multiply, add, add_first)
        return _on_colour(lambda colour: _brightness_8(colour, SPACES[space], table), image)
    return _on_colour(
        lambda colour: _brightness_float(colour, peak, SPACES[space], multiply, add / 255, add_first), image
    )


def _brightness_8(colour: np.ndarray, space: _Space, table: np.ndarray) -> np.ndarray:
    converted = cv2.cvtColor(colour, space.to)
    changed = cv2.LUT(cv2.extractChannel(converted, space.channel), table)
    cv2.insertChannel(changed, converted, space.channel)
    return cv2.cvtColor(converted, space.back)


def _brightness_float(
    colour: np.ndarray, peak: float, space: _Space, multiply: float, add: float, add_first: bool
) -> np.ndarray:
    converted = cv2.cvtColor(colour * np.float32(1 / peak), space.to)
    _brighter(converted[..., space.channel], multiply, add * space.top, add_first, space.top)
    changed = cv2.cvtColor(converted, space.back)
    return np.clip(changed, 0, 1, out=changed) * np.float32(peak)


# 3. Sharpness


def _sample_sharpness(draw: Draw) -> dict[str, Any]:
    return {"factor": draw.uniform("sharpness", 0, 2)}


def sharpness(image: np.ndarray, peak: float, factor: float) -> np.ndarray:
    """factor * image + (1 - factor) * PIL's SMOOTH of it: below 1 blurred, above sharpened. The border stays."""
    # SMOOTH is nine parts of a 3x3 box and four of the pixel itself.
    box, own = (1 - factor) * 9 / 13, factor + (1 - factor) * 4 / 13
    rounding = -0.49 if image.dtype == np.uint8 else 0  # PIL cuts decimals off
    blurred = cv2.blur(image, (3, 3)).reshape(image.shape[0], -1)
    result = cv2.addWeighted(blurred, box, image.reshape(blurred.shape), own, rounding).reshape(image.shape)
    if image.dtype != np.uint8:
        np.clip(result, 0, peak, out=result)
    for edge in (0, -1):
        result[edge], result[:, edge] = image[edge], image[:, edge]
    return result


# 4. Hue and saturation


def _sample_hue_and_saturation(draw: Draw) -> dict[str, Any]:
    return {"hue": draw.integer("hue_add", -50, 50), "saturation": draw.integer("saturation_add", -50, 50)}


def hue_and_saturation(image: np.ndarray, peak: float, hue: int, saturation: int) -> np.ndarray:
    """Hue turned by hue / 255 of half the circle, saturation / 255 added to the saturation. Grey images stay."""
    if image.shape[2] < 3:
        return image
    steps = int(np.float32(hue) / np.float32(255) * 180)  # of two degrees each, as in imgaug
    if image.dtype == np.uint8:
        return _on_colour(lambda colour: _hue_and_saturation_8(colour, steps, saturation), image)
    return _on_colour(lambda colour: _hue_and_saturation_float(colour, 2 * steps, saturation / 255), image)


def _hue_and_saturation_8(colour: np.ndarray, steps: int, saturation: int) -> np.ndarray:
    hues, saturations, values = cv2.split(cv2.cvtColor(colour, cv2.COLOR_RGB2HSV))
    table = ((np.arange(256) + steps) % 180).astype(np.uint8)
    saturations = cv2.addWeighted(saturations, 1, saturations, 0, saturation)
    return cv2.cvtColor(cv2.merge([cv2.LUT(hues, table), saturations, values]), cv2.COLOR_HSV2RGB)


def _hue_and_saturation_float(colour: np.ndarray, degrees: float, saturation: float) -> np.ndarray:
    hsv = cv2.cvtColor(colour, cv2.COLOR_RGB2HSV)
    flat = hsv.reshape(len(hsv), -1)
    np.add(flat, np.tile(np.array([degrees % 360, saturation, 0], np.float32), hsv.shape[1]), out=flat)
    np.clip(hsv[..., 1], 0, 1, out=hsv[..., 1])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


# 5. Solarize, 6. posterize, 7. invert


def _sample_solarize(draw: Draw) -> dict[str, Any]:
    applies, threshold = draw.flag("solarize"), draw.uniform("solarize_threshold", 32, 128)
    return {"threshold": threshold if applies else None}


def _solarize_table(levels: _Levels, threshold: float | None) -> np.ndarray | None:
    if threshold is None:
        return None
    table = np.arange(256, dtype=np.uint8)
    table[int(threshold) :] = 255 - table[int(threshold) :]
    return table


def solarize(image: np.ndarray, peak: float, threshold: float | None) -> np.ndarray:
    """Values from the whole part of `threshold` (in 255ths of full scale) on are inverted."""
    if threshold is None:
        return image
    limit = np.float32(int(threshold) * (peak / 255) * (1 - 1e-6))  # a value on the threshold is inverted
    return np.where(image >= limit, np.float32(peak) - image, image)


def _sample_posterize(draw: Draw) -> dict[str, Any]:
    return {"bits": draw.integer("posterize_bits", 1, 8)}


def _posterize_table(levels: _Levels, bits: int) -> np.ndarray | None:
    return None if bits == 8 else np.arange(256, dtype=np.uint8) & np.uint8(256 - (1 << (8 - bits)))


def posterize(image: np.ndarray, peak: float, bits: int) -> np.ndarray:
    """2 ** bits levels, each value down to the next; 8 bits change nothing, whatever the dtype."""
    if bits == 8:
        return image
    step = (1 << (8 - bits)) * peak / 255
    return np.floor(image * np.float32(1 / step) + np.float32(1e-5)) * np.float32(step)


def _invert_table(levels: _Levels) -> np.ndarray:
    return np.arange(255, -1, -1, dtype=np.uint8)


def invert(image: np.ndarray, peak: float) -> np.ndarray:
    return np.float32(peak) - image


# 8. Autocontrast, 9. equalize


def _sample_autocontrast(draw: Draw) -> dict[str, Any]:
    return {"cutoff": draw.integer("autocontrast_cutoff", 0, 20)}


def _cut_off(counts: np.ndarray, cutoff: int) -> tuple[int, int]:
    """The lowest and highest level that are left when `cutoff` percent of the pixels are taken from either end."""
    total = np.cumsum(counts)
    cut = int(total[-1]) * cutoff // 100
    return int(np.argmax(total > cut)), int(np.argmax(total >= total[-1] - cut))


def _autocontrast_table(levels: _Levels, cutoff: int) -> np.ndarray:
    tables = np.tile(np.arange(256, dtype=np.float64), (levels.channels, 1))
    for table, counts in zip(tables, levels.counts(), strict=True):
        low, high = _cut_off(counts, cutoff)
        if high > low:
            scale = 255.0 / (high - low)
            table[:] = table * scale - low * scale
    return np.clip(tables, 0, 255).astype(np.uint8)


def _fine_levels(plane: np.ndarray, peak: float) -> tuple[np.ndarray, float, float] | None:
    """A float plane as 16-bit levels between its extremes, and these; None where they are the same."""
    low, high = cv2.minMaxLoc(plane)[:2]
    if high - low <= 1e-7 * peak:
        return None
    step = (high - low) / (FINE_LEVELS - 1)
    return ((plane - np.float32(low)) * np.float32(1 / step) + np.float32(0.5)).astype(np.uint16), low, step


def autocontrast(image: np.ndarray, peak: float, cutoff: int) -> np.ndarray:
    """Each channel stretched to full scale, without the `cutoff` percent at either end of its values."""
    planes = list(cv2.split(image))
    for c, plane in enumerate(planes):
        fine = _fine_levels(plane, peak)
        if fine is None:
            continue
        first, last = _cut_off(_histogram(with_axis(fine[0]), FINE_LEVELS)[0], cutoff)
        if last > first:
            low, scale = fine[1] + first * fine[2], peak / ((last - first) * fine[2])
            planes[c] = _scaled(with_axis(plane), scale, -low * scale, peak)[..., 0]
    return with_axis(cv2.merge(planes))


def _equalize_table(levels: _Levels) -> np.ndarray:
    tables = np.tile(np.arange(256, dtype=np.uint8), (levels.channels, 1))
    for table, counts in zip(tables, levels.counts(), strict=True):
        step = _equalize_step(counts)
        if step:
            table[:] = np.minimum((step // 2 + np.cumsum(counts) - counts) // step, 255)
    return tables


def _equalize_step(counts: np.ndarray) -> int:
    """PIL's number of pixels for one output level; the highest level that occurs does not count."""
    return int(counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255


def equalize(image: np.ndarray, peak: float) -> np.ndarray:
    """Histogram equalisation of each channel as PIL does it, on 65536 levels."""
    planes = list(cv2.split(image))
    for c, plane in enumerate(planes):
        fine = _fine_levels(plane, peak)
        if fine is None:
            continue
        counts = _histogram(with_axis(fine[0]), FINE_LEVELS)[0]
        step = _equalize_step(counts)
        if step:
            ranks = np.minimum((np.cumsum(counts) - counts) / step, 255) * (peak / 255)
            planes[c] = ranks.astype(np.float32)[fine[0]]
    return with_axis(cv2.merge(planes))


# 10. Rotation


def _sample_rotate(draw: Draw) -> dict[str, Any]:
    return {"angle": draw.uniform("augmenter_rotation", -45, 45)}


def rotate(image: np.ndarray, peak: float, angle: float) -> np.ndarray:
    """Turned by `angle` degrees, anticlockwise, about the centre on the same canvas; the corners become 0."""
    rows, columns = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, 1)
    if image.shape[2] != 3:
        return with_axis(cv2.warpAffine(image, matrix, (columns, rows)))
    # OpenCV 5 warps four channels in half the time of three.
    four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    result = np.empty_like(image)
    step = max(1, 4 * STRIP_BYTES // four[0].nbytes)
    for top in range(0, rows, step):
        strip = matrix - np.array([[0, 0, 0], [0, 0, top]])
        part = result[top : top + step]
        cv2.cvtColor(cv2.warpAffine(four, strip, (columns, len(part))), cv2.COLOR_RGBA2RGB, part)
    return result


def _sample_nothing(draw: Draw) -> dict[str, Any]:
    return {}


AUGMENTERS: dict[str, Augmenter] = {
    "gamma_contrast": Augmenter(_sample_gamma, gamma_contrast, _gamma_table),
    "brightness": Augmenter(_sample_brightness, brightness),
    "sharpness": Augmenter(_sample_sharpness, sharpness),
    "hue_and_saturation": Augmenter(_sample_hue_and_saturation, hue_and_saturation),
    "solarize": Augmenter(_sample_solarize, solarize, _solarize_table),
    "posterize": Augmenter(_sample_posterize, posterize, _posterize_table),
    "invert": Augmenter(_sample_nothing, invert, _invert_table),
    "autocontrast": Augmenter(_sample_autocontrast, autocontrast, _autocontrast_table),
    "equalize": Augmenter(_sample_nothing, equalize, _equalize_table),
    "rotate": Augmenter(_sample_rotate, rotate),
}


# --------------------------------------------------------------------------------------------------------------------
# The user's own augmenter


def import_imgaug() -> Any:
    """The imgaug package, on NumPy 2 too.

    imgaug 0.4.0 reads `numpy.sctypes` while it is imported and never again; NumPy 2 has no such name, so it is lent
    for that moment.
    """
    lent = "imgaug" not in sys.modules and not hasattr(np, "sctypes")
    if lent:
        vars(np)["sctypes"] = {
            "float": [np.float16, np.float32, np.float64, np.longdouble],
            "int": [np.int8, np.int16, np.int32, np.int64],
            "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
        }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import imgaug
            import imgaug.augmenters
    except ImportError as error:
        raise ImportError('imgaug is not installed: pip install "pai-lib[imgaug]"') from error
    finally:
        if lent:
            vars(np).pop("sctypes")
    return imgaug


def _is_imgaug(value: Any) -> bool:
    """Whether `value` is an augmenter of imgaug or of a class derived from one, without importing it."""
    return hasattr(value, "augment_image") and any(
        kind.__module__.partition(".")[0] == "imgaug" for kind in type(value).__mro__
    )


def as_augmenter(name: str, value: Any) -> Any:
    """None, a callable image -> image, or an augmenter of imgaug."""
    if value is None or callable(value) or _is_imgaug(value):
        return value
    raise TypeError(
        f"`{name}` must be None, a callable that takes and returns an image, or an imgaug augmenter, "
        f"got {describe(value)}"
    )


def apply_augmenter(augmenter: Any, image: np.ndarray, draw: Draw, frame: Frame) -> np.ndarray:
    """`image` through the user's augmenter, back in the working dtype and channels; its size may have changed.

    A callable gets a copy in the frame's own dtype and range, (h, w) for frames of that shape and (h, w, C) otherwise.
    An imgaug augmenter gets 8 bits; a copy of it works, seeded from `draw`.
    """
    if _is_imgaug(augmenter):
        return _through_imgaug(augmenter, image, draw, frame)
    own = to_dtype(image, frame)
    own = own.copy() if own is image or np.may_share_memory(own, image) else own
    result = _called(augmenter, own[..., 0] if frame.image.ndim == 2 else own)
    if isinstance(result, np.ndarray) and result.dtype.kind == frame.image.dtype.kind == "f":
        result = result.astype(frame.image.dtype, copy=False)
    return as_source(result, frame, name="augmenter(image)")


def _called(function: Callable[[np.ndarray], Any], image: np.ndarray) -> Any:
    try:
        return function(image)
    except Exception as error:
        raise ValueError(f"`augmenter` must turn an image into an image, but it raised {error!r}") from error


def _through_imgaug(augmenter: Any, image: np.ndarray, draw: Draw, frame: Frame) -> np.ndarray:
    worker = augmenter.deepcopy()
    worker.seed_(draw.integer("augmenter_seed", 0, 2**31 - 1))
    eight = image.copy()
    if not (image.dtype == np.uint8 and frame.peak == 255):
        eight = np.clip(np.rint(image * np.float32(255 / frame.peak)), 0, 255).astype(np.uint8)
    result = _called(worker.augment_image, eight[..., 0] if frame.image.ndim == 2 else eight)
    if frame.image.dtype == np.uint8 and frame.peak != 255 and isinstance(result, np.ndarray):
        result = np.rint(result * np.float32(frame.peak / 255)).astype(np.uint8)
    return as_source(result, frame, name="augmenter(image)")
