"""The ten photometric augmenters of DRAEM, of which a random three change a source image.

The augmenters are those of imgaug 0.4.0, computed with OpenCV. 8-bit images give imgaug's bytes; other images follow
the same formulas without rounding to 8 bits. `AUGMENTERS` at the end of the module lists them with the ranges of their
parameters. Of an 8-bit image, augmenters that change each value independently are look-up tables, which are composed
and applied at once.

Reference: Zavrtanik, Kristan, Skocaj, "DRAEM - A discriminatively trained reconstruction embedding for surface anomaly
detection", ICCV 2021, https://arxiv.org/abs/2108.07610.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pail.core.ops import with_axis
from pail.core.sampler import Sampler
from pail.pixels.color import scale_values, through_float

FINE_LEVELS = 1 << 16  # steps of the histograms of images that are not 8-bit
STRIP_BYTES = 1 << 18  # large images are changed in strips of about this size


class _Levels:
    """An 8-bit image and the pending look-up table, to be applied to it."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.channels = image.shape[2]
        self.table: np.ndarray | None = None  # (256,) for all channels or (C, 256)
        self._histogram: np.ndarray | None = None

    def counts(self) -> np.ndarray:
        """Histograms (C, 256) of the image after the pending table."""
        if self._histogram is None:
            self._histogram = _histogram(self.image, 256)
        if self.table is None:
            return self._histogram
        tables = np.broadcast_to(self.table, self._histogram.shape)
        moved = [np.bincount(t, c, 256) for t, c in zip(tables, self._histogram, strict=True)]
        return np.array(moved).astype(np.int64)

    def follow(self, table: np.ndarray | None) -> None:
        """Compose another table with the pending one; None changes nothing."""
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
        """The image after the pending table."""
        table = self.table
        if table is None:
            return self.image
        if table.ndim == 1 or self.channels == 1:
            return with_axis(cv2.LUT(self.image, table.reshape(-1)))

        def look_up(strip: np.ndarray) -> np.ndarray:
            # Plane by plane: 1.5 times as fast as OpenCV's table of several channels.
            return cv2.merge([cv2.LUT(plane, row) for plane, row in zip(cv2.split(strip), table, strict=True)])

        return _in_strips(look_up, self.image)


def _histogram(image: np.ndarray, levels: int) -> np.ndarray:
    """(C, levels) counts of an integer image."""
    counts = [cv2.calcHist([image], [c], None, [levels], [0, levels]).ravel() for c in range(image.shape[2])]
    return np.array(counts).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Augmenter:
    """One augmenter: `sample` draws its parameters, a call with (image, max_value, **parameters) applies it.

    `table` returns the look-up table (256,) or (C, 256), or None for no change, with which 8-bit images are changed
    where each value changes independently. Everything else goes through `function`.
    """

    sample: Callable[[Sampler], dict[str, Any]]
    function: Callable[..., np.ndarray]
    table: Callable[..., np.ndarray | None] | None = None

    def __call__(self, image: np.ndarray, max_value: float, **parameters: Any) -> np.ndarray:
        return _apply(image, max_value, [(self, parameters)])


def augment(image: np.ndarray, sampler: Sampler, max_value: float, *, count: int = 3) -> np.ndarray:
    """Apply `count` different augmenters in random order; returns a new array."""
    names = list(AUGMENTERS)
    chosen = sampler.keep("augmenters", [names[i] for i in sampler.rng.permutation(len(names))[:count]])
    return _apply(image, max_value, [(AUGMENTERS[name], AUGMENTERS[name].sample(sampler)) for name in chosen])


def _apply(image: np.ndarray, max_value: float, steps: list[tuple[Augmenter, dict[str, Any]]]) -> np.ndarray:
    if image.dtype == np.uint8 and max_value != 255:
        return through_float(lambda pixels, top: _apply(pixels, top, steps), image, max_value)
    if image.dtype == np.uint8:
        levels = _Levels(image)
        for augmenter, parameters in steps:
            if augmenter.table is not None:
                levels.follow(augmenter.table(levels, **parameters))
            elif augmenter.function is brightness and levels.channels < 3:
                levels.follow(_brightness_table(parameters["multiply"], parameters["add"], parameters["add_first"]))
            else:
                levels = _Levels(augmenter.function(levels.settle(), 255.0, **parameters))
        result = levels.settle()
    else:
        result = image
        for augmenter, parameters in steps:
            result = augmenter.function(result, max_value, **parameters)
    return image.copy() if result is image else result


def _on_color(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """Apply `function`, which changes each pixel independently, to the first three channels; the others are copied."""
    if image.shape[2] == 3:
        return _in_strips(function, image)
    result = image.copy()
    result[..., :3] = function(np.ascontiguousarray(image[..., :3]))
    return result


def _in_strips(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """Apply `function`, which changes each pixel independently, to strips whose intermediate images fit the cache."""
    step = max(1, STRIP_BYTES // image[0].nbytes)
    if len(image) <= step:
        return function(image)
    result = np.empty_like(image)
    for top in range(0, len(image), step):
        result[top : top + step] = function(image[top : top + step])
    return result


# --------------------------------------------------------------------------------------------------------------------
# The augmenters: `_<name>_table` for 8-bit images, `<name>` for the others or for both


def _gamma_table(levels: _Levels, gammas: list[float]) -> np.ndarray:
    exponents = np.resize(np.array(gammas, np.float32), levels.channels)
    return (np.linspace(0, 1, 256, dtype=np.float32) ** exponents[:, None] * 255).astype(np.uint8)


def gamma_contrast(image: np.ndarray, max_value: float, gammas: list[float]) -> np.ndarray:
    """max_value * (v / max_value) ** gamma, with a gamma for each channel (the three are repeated for further
    channels)."""
    # Rounding can leave values just below 0, of which a power is NaN.
    planes = cv2.split(np.maximum(image, 0) * np.float32(1 / max_value))
    raised = [cv2.pow(plane, gamma) for plane, gamma in zip(planes, np.resize(gammas, len(planes)), strict=True)]
    return np.minimum(with_axis(cv2.merge(raised)) * np.float32(max_value), np.float32(max_value))


@dataclass(frozen=True, slots=True)
class _ColorSpace:
    """A color space of OpenCV and its brightness channel."""

    to: int
    back: int
    channel: int
    max_value: float = 1.0  # of that channel in float images


SPACES = {
    "YCrCb": _ColorSpace(cv2.COLOR_RGB2YCrCb, cv2.COLOR_YCrCb2RGB, 0),
    "HSV": _ColorSpace(cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB, 2),
    "HLS": _ColorSpace(cv2.COLOR_RGB2HLS, cv2.COLOR_HLS2RGB, 1),
    "Lab": _ColorSpace(cv2.COLOR_RGB2Lab, cv2.COLOR_Lab2RGB, 0, 100),
    "Luv": _ColorSpace(cv2.COLOR_RGB2Luv, cv2.COLOR_Luv2RGB, 0, 100),
    "YUV": _ColorSpace(cv2.COLOR_RGB2YUV, cv2.COLOR_YUV2RGB, 0),
}


def _brighten(values: np.ndarray, multiply: float, add: float, add_first: bool, max_value: float) -> np.ndarray:
    """Multiply and add in place, and clip after each of the two."""
    for number, operation in ((add, np.add), (multiply, np.multiply))[:: 1 if add_first else -1]:
        operation(values, np.float32(number), out=values)
        np.clip(values, 0, max_value, out=values)
    return values


def _brightness_table(multiply: float, add: int, add_first: bool) -> np.ndarray:
    values = np.arange(256, dtype=np.float32)
    if not add_first:  # imgaug cuts decimals off between the two steps
        values = np.trunc(_brighten(values, multiply, 0, False, 255))
        multiply = 1.0
    return _brighten(values, multiply, add, add_first, 255).astype(np.uint8)


def brightness(
    image: np.ndarray, max_value: float, multiply: float, add: int, add_first: bool, space: str
) -> np.ndarray:
    """Multiply and add (in 255ths of full scale) on the brightness channel of a color space."""
    if image.shape[2] < 3:
        return _brighten(image.copy(), multiply, add * max_value / 255, add_first, max_value)
    color_space = SPACES[space]
    if image.dtype == np.uint8:
        table = _brightness_table(multiply, add, add_first)

        def change(color: np.ndarray) -> np.ndarray:
            converted = cv2.cvtColor(color, color_space.to)
            changed = cv2.LUT(cv2.extractChannel(converted, color_space.channel), table)
            cv2.insertChannel(changed, converted, color_space.channel)
            return cv2.cvtColor(converted, color_space.back)

    else:

        def change(color: np.ndarray) -> np.ndarray:
            converted = cv2.cvtColor(color * np.float32(1 / max_value), color_space.to)
            top = color_space.max_value
            _brighten(converted[..., color_space.channel], multiply, add / 255 * top, add_first, top)
            changed = cv2.cvtColor(converted, color_space.back)
            return np.clip(changed, 0, 1, out=changed) * np.float32(max_value)

    return _on_color(change, image)


def sharpness(image: np.ndarray, max_value: float, factor: float) -> np.ndarray:
    """factor * image + (1 - factor) * PIL's SMOOTH of it: below 1 blurred, above sharpened, except the border."""
    # SMOOTH is nine parts of a 3x3 box and four of the pixel itself.
    box, own = (1 - factor) * 9 / 13, factor + (1 - factor) * 4 / 13
    rounding = -0.49 if image.dtype == np.uint8 else 0  # PIL cuts decimals off
    blurred = cv2.blur(image, (3, 3)).reshape(image.shape[0], -1)
    result = cv2.addWeighted(blurred, box, image.reshape(blurred.shape), own, rounding).reshape(image.shape)
    if image.dtype != np.uint8:
        np.clip(result, 0, max_value, out=result)
    for edge in (0, -1):
        result[edge], result[:, edge] = image[edge], image[:, edge]
    return result


def hue_and_saturation(image: np.ndarray, max_value: float, hue: int, saturation: int) -> np.ndarray:
    """Rotate the hue by hue / 255 of 180 degrees and add saturation / 255 to the saturation.

    Images of fewer than three channels are not changed.
    """
    if image.shape[2] < 3:
        return image
    steps = int(np.float32(hue) / np.float32(255) * 180)  # of two degrees each, as in imgaug
    if image.dtype == np.uint8:
        table = ((np.arange(256) + steps) % 180).astype(np.uint8)

        def change(color: np.ndarray) -> np.ndarray:
            hues, saturations, values = cv2.split(cv2.cvtColor(color, cv2.COLOR_RGB2HSV))
            saturations = cv2.addWeighted(saturations, 1, saturations, 0, saturation)
            return cv2.cvtColor(cv2.merge([cv2.LUT(hues, table), saturations, values]), cv2.COLOR_HSV2RGB)

    else:
        shift = np.array([2 * steps % 360, saturation / 255, 0], np.float32)

        def change(color: np.ndarray) -> np.ndarray:
            hsv = cv2.cvtColor(color, cv2.COLOR_RGB2HSV)
            flat = hsv.reshape(len(hsv), -1)
            np.add(flat, np.tile(shift, hsv.shape[1]), out=flat)
            np.clip(hsv[..., 1], 0, 1, out=hsv[..., 1])
            return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)

    return _on_color(change, image)


def _sample_solarize(sampler: Sampler) -> dict[str, Any]:
    applies, threshold = sampler.flag("solarize"), sampler.uniform("solarize_threshold", 32, 128)
    return {"threshold": threshold if applies else None}


def _solarize_table(levels: _Levels, threshold: float | None) -> np.ndarray | None:
    if threshold is None:
        return None
    table = np.arange(256, dtype=np.uint8)
    table[int(threshold) :] = 255 - table[int(threshold) :]
    return table


def solarize(image: np.ndarray, max_value: float, threshold: float | None) -> np.ndarray:
    """Invert the values from `threshold`, rounded down, on; in 255ths of full scale. None changes nothing."""
    if threshold is None:
        return image
    limit = np.float32(int(threshold) * (max_value / 255) * (1 - 1e-6))  # a value on the threshold is inverted
    return np.where(image >= limit, np.float32(max_value) - image, image)


def _posterize_table(levels: _Levels, bits: int) -> np.ndarray | None:
    return None if bits == 8 else np.arange(256, dtype=np.uint8) & np.uint8(256 - (1 << (8 - bits)))


def posterize(image: np.ndarray, max_value: float, bits: int) -> np.ndarray:
    """Round each value down to one of 2 ** bits levels; 8 bits change nothing, for any dtype."""
    if bits == 8:
        return image
    step = (1 << (8 - bits)) * max_value / 255
    result: np.ndarray = np.floor(image * np.float32(1 / step) + np.float32(1e-5)) * np.float32(step)
    return result


def invert(image: np.ndarray, max_value: float) -> np.ndarray:
    return np.float32(max_value) - image


def _cut_off(counts: np.ndarray, cutoff: int) -> tuple[int, int]:
    """The lowest and highest level that remain when `cutoff` percent of the pixels are removed at either end."""
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


def _fine_levels(plane: np.ndarray, max_value: float) -> tuple[np.ndarray, float, float] | None:
    """A float plane as 16-bit levels, its minimum and the step of a level; None for a constant plane."""
    low, high = cv2.minMaxLoc(plane)[:2]
    if high - low <= 1e-7 * max_value:
        return None
    step = (high - low) / (FINE_LEVELS - 1)
    return ((plane - np.float32(low)) * np.float32(1 / step) + np.float32(0.5)).astype(np.uint16), low, step


def autocontrast(image: np.ndarray, max_value: float, cutoff: int) -> np.ndarray:
    """Stretch each channel to full scale, ignoring the `cutoff` percent of its pixels at either end."""
    planes = list(cv2.split(image))
    for c, plane in enumerate(planes):
        fine = _fine_levels(plane, max_value)
        if fine is None:
            continue
        first, last = _cut_off(_histogram(with_axis(fine[0]), FINE_LEVELS)[0], cutoff)
        if last > first:
            low, scale = fine[1] + first * fine[2], max_value / ((last - first) * fine[2])
            planes[c] = scale_values(with_axis(plane), scale, -low * scale, max_value)[..., 0]
    return with_axis(cv2.merge(planes))


def _equalize_table(levels: _Levels) -> np.ndarray:
    tables = np.tile(np.arange(256, dtype=np.uint8), (levels.channels, 1))
    for table, counts in zip(tables, levels.counts(), strict=True):
        step = _equalize_step(counts)
        if step:
            table[:] = np.minimum((step // 2 + np.cumsum(counts) - counts) // step, 255)
    return tables


def _equalize_step(counts: np.ndarray) -> int:
    """PIL's number of pixels for one output level; the highest level that occurs is not counted."""
    return int(counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255


def equalize(image: np.ndarray, max_value: float) -> np.ndarray:
    """Histogram equalization of each channel as PIL does it, on 65536 levels."""
    planes = list(cv2.split(image))
    for c, plane in enumerate(planes):
        fine = _fine_levels(plane, max_value)
        if fine is None:
            continue
        counts = _histogram(with_axis(fine[0]), FINE_LEVELS)[0]
        step = _equalize_step(counts)
        if step:
            ranks = np.minimum((np.cumsum(counts) - counts) / step, 255) * (max_value / 255)
            planes[c] = ranks.astype(np.float32)[fine[0]]
    return with_axis(cv2.merge(planes))


def rotate(image: np.ndarray, max_value: float, angle: float) -> np.ndarray:
    """Rotate by `angle` degrees counterclockwise about the center on the same canvas; the corners become 0."""
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


# Three gammas are drawn for gray images, too, because later random numbers must not depend on the channels.
AUGMENTERS: dict[str, Augmenter] = {
    "gamma_contrast": Augmenter(
        lambda sampler: {"gammas": [sampler.uniform("gamma", 0.5, 2.0) for _ in range(3)]}, gamma_contrast, _gamma_table
    ),
    "brightness": Augmenter(
        lambda sampler: {
            "multiply": sampler.uniform("brightness_multiply", 0.8, 1.2),
            "add": sampler.integer("brightness_add", -30, 30),
            "add_first": sampler.flag("brightness_add_first"),
            "space": sampler.choice("brightness_space", tuple(SPACES)),
        },
        brightness,
    ),
    "sharpness": Augmenter(lambda sampler: {"factor": sampler.uniform("sharpness", 0, 2)}, sharpness),
    "hue_and_saturation": Augmenter(
        lambda sampler: {
            "hue": sampler.integer("hue_add", -50, 50),
            "saturation": sampler.integer("saturation_add", -50, 50),
        },
        hue_and_saturation,
    ),
    "solarize": Augmenter(_sample_solarize, solarize, _solarize_table),
    "posterize": Augmenter(
        lambda sampler: {"bits": sampler.integer("posterize_bits", 1, 8)}, posterize, _posterize_table
    ),
    "invert": Augmenter(lambda sampler: {}, invert, lambda levels: np.arange(255, -1, -1, dtype=np.uint8)),
    "autocontrast": Augmenter(
        lambda sampler: {"cutoff": sampler.integer("autocontrast_cutoff", 0, 20)}, autocontrast, _autocontrast_table
    ),
    "equalize": Augmenter(lambda sampler: {}, equalize, _equalize_table),
    "rotate": Augmenter(lambda sampler: {"angle": sampler.uniform("augmenter_rotation", -45, 45)}, rotate),
}
