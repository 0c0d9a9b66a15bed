"""BGAD's ten operations of albumentations; an augmentation consists of a few random ones: first a warp, then effects.

Each docstring gives albumentations' name, the parameters and the probability p. Parameters are albumentations' defaults
where BGAD gives none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pail.core.image import NormalImage
from pail.core.ops import Box
from pail.core.sampler import Sampler
from pail.sbi.rand_augmented import effects, warp


@dataclass(slots=True)
class Augmentation:
    """The drawn operations: first the warp, then the effects, both in the order in which they were drawn."""

    warp: warp.Warp
    effects: list[effects.Effect] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.warp.steps and not self.effects

    def apply(self, pixels: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> tuple[Box, np.ndarray]:
        """The augmented pixels around the pixels in `wanted`, a uint8 mask, and their box."""
        box, dense = Box.around(wanted), any(effect.dense for effect in self.effects)
        if dense:
            margin = effects.MARGIN
            wide = Box(box.top - margin, box.left - margin, box.height + 2 * margin, box.width + 2 * margin)
            box = wide.intersect(Box(0, 0, *wanted.shape))
        content = self.warp.image(pixels, box, None if dense else wanted)
        mask = np.ascontiguousarray(wanted[box.slices])
        for effect in self.effects:
            content = np.ascontiguousarray(effect.change(content, mask, rng))
        return box, content


def draw_augmentation(image: NormalImage, sampler: Sampler, count: int, *, elastic: bool) -> Augmentation:
    """`count` different operations in random order, after an elastic deformation if `elastic` is set."""
    names = tuple(OPERATIONS)
    picks = [names[i] for i in sampler.rng.permutation(len(names))[:count]]
    sampler.keep("operations", picks)
    augmentation = Augmentation(warp.Warp(image.shape))
    if elastic:
        augmentation.warp.steps += warp.elastic(image.shape, sampler.rng)
    for name in picks:
        OPERATIONS[name](image, sampler, augmentation)
    return augmentation


def _one_of(
    sampler: Sampler, name: str, probability: float, options: Sequence[str], weights: Sequence[float]
) -> str | None:
    """albumentations' OneOf: with a probability, one of the options according to its weight."""
    fires, position = sampler.rng.random(2)
    picked = options[int(np.searchsorted(np.cumsum(weights), position * sum(weights), side="right"))]
    return sampler.keep(name, picked if fires < probability else None)


# --------------------------------------------------------------------------------------------------------------------
# Geometry


def _rotate90(image: NormalImage, sampler: Sampler, augmentation: Augmentation) -> None:
    """RandomRotate90, p 0.5."""
    if sampler.flag("rotate90"):
        augmentation.warp.steps.append(warp.quarter_turns(image.shape, sampler.integer("quarter_turns", 0, 3)))


def _flip(image: NormalImage, sampler: Sampler, augmentation: Augmentation) -> None:
    """Flip, p 0.5: upside down, left to right, or both."""
    if sampler.flag("flip"):
        direction = sampler.choice("flip_direction", ("vertical", "horizontal", "both"))
        step = warp.flip(image.shape, vertical=direction != "horizontal", horizontal=direction != "vertical")
        augmentation.warp.steps.append(step)


def _transpose(image: NormalImage, sampler: Sampler, augmentation: Augmentation) -> None:
    """Transpose, p 0.5."""
    if sampler.flag("transpose"):
        augmentation.warp.steps.append(warp.transpose(image.shape))


def _optical_distortion(image: NormalImage, sampler: Sampler, augmentation: Augmentation) -> None:
    """OpticalDistortion(distort_limit=1), p 1."""
    augmentation.warp.steps.append(warp.optical_distortion(image.shape, sampler.uniform("optical_k", -1, 1)))


def _shift_scale_rotate(image: NormalImage, sampler: Sampler, augmentation: Augmentation) -> None:
    """ShiftScaleRotate(shift_limit=0.0625, scale_limit=0.2, rotate_limit=45), p 0.2."""
    if sampler.flag("shift_scale_rotate", 0.2):
        shift = sampler.uniform("shift_rows", -0.0625, 0.0625), sampler.uniform("shift_columns", -0.0625, 0.0625)
        scale, angle = sampler.uniform("shift_scale", 0.8, 1.2), sampler.uniform("shift_angle", -45, 45)
        augmentation.warp.steps.append(warp.shift_scale_rotate(image.shape, shift, scale, angle))


def _distortion(image: NormalImage, sampler: Sampler, augmentation: Augmentation) -> None:
    """One of OpticalDistortion (k within 0.05), GridDistortion (5 cells a side, within 0.3) and IAAPiecewiseAffine
    (4 x 4 points, moved by a normal of 0.03 to 0.05 of the side; bilinear between them), p 0.2."""
    kind = _one_of(sampler, "distortion", 0.2, ("optical", "grid", "piecewise_affine"), (0.3, 0.1, 0.3))
    if kind == "optical":
        augmentation.warp.steps.append(
            warp.optical_distortion(image.shape, sampler.uniform("distortion_k", -0.05, 0.05))
        )
    elif kind == "grid":
        rows, columns = sampler.keep("distortion_cells", sampler.rng.uniform(0.7, 1.3, (2, 5)).tolist())
        augmentation.warp.steps.append(warp.grid_distortion(image.shape, np.array(rows), np.array(columns)))
    elif kind == "piecewise_affine":
        shifts = sampler.rng.normal(0, sampler.uniform("distortion_scale", 0.03, 0.05), (4, 4, 2))
        augmentation.warp.steps.append(warp.piecewise_affine(image.shape, shifts))


# --------------------------------------------------------------------------------------------------------------------
# Effects


def _noise(image: NormalImage, sampler: Sampler, augmentation: Augmentation) -> None:
    """One of IAAAdditiveGaussianNoise (one value a pixel) and GaussNoise (one a channel), p 0.2."""
    kind = _one_of(sampler, "noise", 0.2, ("additive", "gauss"), (1, 1))
    if kind is None:
        return
    if kind == "additive":
        std, planes = sampler.uniform("noise_std", 0.01 * 255, 0.05 * 255), 1
    else:
        std, planes = math.sqrt(sampler.uniform("noise_variance", 10, 50)), image.channels
    augmentation.effects.append(effects.noise(std * image.max_value / 255, planes, image.max_value))


def _blur(image: NormalImage, sampler: Sampler, augmentation: Augmentation) -> None:
    """One of MotionBlur (3 to 7 pixels), MedianBlur 3 and Blur 3, p 0.2."""
    kind = _one_of(sampler, "blur", 0.2, ("motion", "median", "box"), (0.2, 0.1, 0.1))
    if kind == "motion":
        side = sampler.choice("blur_size", (3, 5, 7))
        start, end = sampler.sample("blur_line", side * side, 2)
        augmentation.effects.append(effects.convolution(effects.motion_kernel(side, start, end), image.max_value))
    elif kind == "median":
        augmentation.effects.append(effects.median_blur())
    elif kind == "box":
        augmentation.effects.append(effects.box_blur())


def _sharpening(image: NormalImage, sampler: Sampler, augmentation: Augmentation) -> None:
    """One of CLAHE (clip limit 1 to 2), IAASharpen, IAAEmboss and RandomBrightnessContrast (0.2 each), p 0.3."""
    kinds = ("clahe", "sharpen", "emboss", "brightness_contrast")
    kind, max_value = _one_of(sampler, "sharpening", 0.3, kinds, (1, 1, 1, 1)), image.max_value
    if kind == "clahe":
        augmentation.effects.append(effects.clahe(sampler.uniform("clahe_limit", 1, 2), image.shape, max_value))
    elif kind == "sharpen":
        alpha, lightness = sampler.uniform("sharpen_alpha", 0.2, 0.5), sampler.uniform("sharpen_lightness", 0.5, 1)
        augmentation.effects.append(effects.convolution(effects.sharpen_kernel(alpha, lightness), max_value))
    elif kind == "emboss":
        alpha, strength = sampler.uniform("emboss_alpha", 0.2, 0.5), sampler.uniform("emboss_strength", 0.2, 0.7)
        augmentation.effects.append(effects.convolution(effects.emboss_kernel(alpha, strength), max_value))
    elif kind == "brightness_contrast":
        contrast, brightness = sampler.uniform("contrast", 0.8, 1.2), sampler.uniform("brightness", -0.2, 0.2)
        augmentation.effects.append(effects.linear(contrast, brightness * max_value, max_value))


def _hue_saturation_value(image: NormalImage, sampler: Sampler, augmentation: Augmentation) -> None:
    """HueSaturationValue(20, 30, 20) in OpenCV's units, p 0.3; images without three channels have only the value."""
    if sampler.flag("hue_saturation_value", 0.3):
        hue, saturation = sampler.uniform("hue", -20, 20), sampler.uniform("saturation", -30, 30)
        value, max_value = sampler.uniform("value", -20, 20), image.max_value
        augmentation.effects.append(
            effects.shift_hsv(hue, saturation, value, max_value)
            if image.channels == 3
            else effects.linear(1, value * max_value / 255, max_value)
        )


OPERATIONS: dict[str, Callable[[NormalImage, Sampler, Augmentation], None]] = {
    "rotate90": _rotate90,
    "flip": _flip,
    "transpose": _transpose,
    "optical_distortion": _optical_distortion,
    "noise": _noise,
    "blur": _blur,
    "shift_scale_rotate": _shift_scale_rotate,
    "distortion": _distortion,
    "sharpening": _sharpening,
    "hue_saturation_value": _hue_saturation_value,
}
