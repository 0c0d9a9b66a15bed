"""A real defect from a bank, moved to a new place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import cv2
import numpy as np

from pail.beyond.real.defects import Defect, Defects, ring_around, ring_width
from pail.core.checks import as_sequence, describe
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.ops import Box, as_bytes, resize, with_axis
from pail.core.parameters import Choice, Flag, Pair, Parameter
from pail.core.sampler import Sampler
from pail.core.source import as_source
from pail.pixels import placing, poisson
from pail.pixels.foreground import foreground_of

BLENDS = ("paste", "transfer", "poisson", None)
PLACES = ("anywhere", "same")
MIN_SAMPLES = 8  # pixels of a ring that are needed to measure a level
SOFT_EDGE, MIN_EDGE, MAX_EDGE = 0.035, 0.4, 2.0  # width of a soft edge: of the root of the area; limits in pixels
MIN_GAIN, MAX_GAIN = 2 / 3, 2.0  # limits of the factor by which the spread of a ring scales a defect
LEAST_SPREAD = 0.004  # of the range: a ring with a smaller spread is flat
JITTER = 0.02  # of the shorter side: largest distance from the original place with `place="same"`
PAD = 2  # pixels around a rotated defect, for its soft edge and its gradients
SHRINKS = 0.7  # below this factor an image is reduced before it is rotated


@dataclass(frozen=True)
class Kinds(Parameter):
    """One or several kinds of defects. Only the technique can check whether the bank has them."""

    def usual(self, name: str, value: Any) -> tuple[str, ...]:
        kinds = as_sequence(name, [value] if isinstance(value, str) else value, lambda _, kind: kind)
        if not all(isinstance(kind, str) for kind in kinds):
            raise TypeError(f"`{name}` must be {self.text}, got {describe(value)}")
        return tuple(kinds)

    @property
    def kind(self) -> str:
        return "a kind or a sequence of kinds"


class Transformed(NamedTuple):
    """A defect after its geometric transform, in the working values of the image."""

    pixels: np.ndarray  # (h + 2, w + 2, C) float32, or its difference from the surface; one more pixel on every side
    alpha: np.ndarray  # (h, w) float32 in [0.5, 1] in the mask
    mask: np.ndarray  # (h, w) uint8 {0, 255}
    scale: float  # total scale relative to the photograph


def real_defect(
    image: NormalImage,
    sampler: Sampler,
    defects: Defects,
    source_range: Any = None,
    *,
    kinds: Annotated[tuple[str, ...] | None, Kinds(instead=(None,))],
    blend: Annotated[str | None, Choice(BLENDS)],
    place: Annotated[str, Choice(PLACES)],
    rotation: Annotated[tuple[float, float], Pair(-360, 360, unit="degrees")],
    scale: Annotated[tuple[float, float], Pair(0, 100, above=True, unit="times the size")],
    flip: Annotated[bool, Flag()],
    contrast: Annotated[tuple[float, float], Pair(0, 10, above=True, unit="times the difference")],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.real_defect`."""
    defect = defects[sampler.choice("defect", defects.of_kinds(kinds))]
    sampler.keep("kind", defect.kind)
    how = sampler.choice("blend", BLENDS[:2]) if blend is None else blend
    flips = (sampler.flag("flip_rows"), sampler.flag("flip_columns")) if flip else (False, False)
    factor = min(image.shape) / min(defect.shape) * sampler.scaled("scale", *scale)
    linear = _linear(factor, sampler.uniform("angle", *rotation), flips)
    pixels = _working(image, defect, defect.pixels, source_range, warns=True)
    level = _level(pixels, defect.ring) if how == "paste" else None
    if how == "transfer":
        pixels = pixels - _working(image, defect, defect.surface, source_range)
    transformed = _transformed(image, defect, pixels, linear)
    box = _box(image, sampler, defect, transformed.mask, place)
    gain = sampler.uniform("contrast", *contrast)
    background = image.crop(box).astype(np.float32)
    if how == "poisson":
        content = _poisson(image, box, transformed, gain)
    else:
        if how == "transfer":
            content = background + transformed.pixels[1:-1, 1:-1] * np.float32(gain)
        else:
            content = _matched(image, box, transformed, gain, level)
        content -= background
        content *= transformed.alpha[..., None]
        content += background
    return Insertion(box, content, transformed.mask, sampler.opacity())


def _working(
    image: NormalImage, defect: Defect, pixels: np.ndarray, source_range: Any, *, warns: bool = False
) -> np.ndarray:
    """Pixels of a defect in the channels and the range of the image, as float32.

    `source_range` is that of photographs with more than 8 bits: 8-bit ones hardly ever have another range than their
    own, and the sources of the same call may be deeper.
    """
    keyword = "source_range"
    if pixels.dtype == np.uint8:
        source_range, keyword = None, "data_range"
    working = as_source(
        pixels, image, "defects", source_range=source_range, alpha=defect.alpha, warns=warns, keyword=keyword
    )
    return working.astype(np.float32, copy=False)


def _linear(factor: float, angle: float, flips: tuple[bool, bool]) -> np.ndarray:
    """The 2 x 2 matrix that mirrors, rotates by `angle` degrees counterclockwise and scales points (x, y)."""
    cosine, sine = factor * math.cos(math.radians(angle)), factor * math.sin(math.radians(angle))
    x, y = -1 if flips[1] else 1, -1 if flips[0] else 1
    return np.array([[cosine * x, sine * y], [-sine * x, cosine * y]])


def _transformed(image: NormalImage, defect: Defect, pixels: np.ndarray, linear: np.ndarray) -> Transformed:
    """The defect and its mask after one affine transform, which is reduced if they do not fit into the region."""
    points = defect.outline @ linear.T
    first, last = points.min(axis=0), points.max(axis=0)
    scale = math.hypot(*linear[0])  # of both axes
    room = image.region_box[:1:-1]  # x, y
    shrink = min(1.0, *(side / (span + scale) for side, span in zip(room, (last - first).tolist(), strict=True)))
    linear, scale = linear * shrink, scale * shrink
    low, high = np.floor(first * shrink), np.ceil(last * shrink)  # including the last pixel
    size = [int(v) + 1 + 2 * PAD for v in high - low]
    mask = defect.mask
    if scale < SHRINKS:  # area averaging, as in a lens
        smaller = [max(1, round(side * scale)) for side in mask.shape]
        factors = [new / old for new, old in zip(smaller, mask.shape, strict=True)]
        pixels, mask = (resize(part, (smaller[0], smaller[1])) for part in (pixels, mask))
        # The center of a pixel at x is at (x + 0.5) * factor - 0.5 in the smaller image.
        moved = np.array([(f - 1) / 2 for f in factors[::-1]])
        linear = linear @ np.diag([1 / f for f in factors[::-1]])
        shift = PAD - low - linear @ moved
    else:
        shift = PAD - low
    matrix = np.concatenate([linear, shift[:, None]], axis=1)
    soft = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR)
    hard = as_bytes(soft >= 128)
    hard[[0, -1]] = 0
    hard[:, [0, -1]] = 0
    if not cv2.hasNonZero(hard):  # smaller than a pixel
        row, column = (1 + int(v) for v in np.unravel_index(int(np.argmax(soft[1:-1, 1:-1])), soft[1:-1, 1:-1].shape))
        hard[row, column] = 255
    tight = Box.around(hard)
    # A defect that just fits may exceed the region by a row, because its edge was rounded up.
    if tight.height > room[1] or tight.width > room[0]:
        tight = Box(tight.top, tight.left, min(tight.height, room[1]), min(tight.width, room[0]))
        if not cv2.hasNonZero(np.ascontiguousarray(hard[tight.slices])):
            hard[tight.slices] = 255
    around = Box(tight.top - 1, tight.left - 1, tight.height + 2, tight.width + 2)
    return Transformed(
        _warped(pixels, matrix, size)[around.slices],
        np.maximum(_softened(soft, hard)[tight.slices].astype(np.float32) / 255, 0.5),
        np.ascontiguousarray(hard[tight.slices]),
        scale,
    )


def _softened(soft: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The soft edge of a mask, which is wider for larger defects, because a hard step would look unnatural."""
    sigma = min(SOFT_EDGE * math.sqrt(cv2.countNonZero(mask)), MAX_EDGE)
    return cv2.GaussianBlur(soft, (0, 0), sigma) if sigma >= MIN_EDGE else soft


def _warped(pixels: np.ndarray, matrix: np.ndarray, size: list[int]) -> np.ndarray:
    parts = [
        with_axis(
            cv2.warpAffine(
                np.ascontiguousarray(pixels[..., first : first + 4]),
                matrix,
                size,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )
        for first in range(0, pixels.shape[2], 4)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _box(image: NormalImage, sampler: Sampler, defect: Defect, mask: np.ndarray, place: str) -> Box:
    """The box where the defect is inserted."""
    height, width = mask.shape
    height, width = min(height, image.height), min(width, image.width)
    if place == "same":
        own = Box.around(defect.mask)
        centers = own.top + own.height / 2 + defect.box.top, own.left + own.width / 2 + defect.box.left
        corner = []
        for center, side, have, want in zip(centers, defect.shape, image.shape, (height, width), strict=True):
            moved = sampler.uniform("jitter", -JITTER, JITTER) * min(image.shape)
            corner.append(min(max(round(center / side * have + moved - want / 2), 0), have - want))
        box = Box(corner[0], corner[1], height, width)
        if image.roi is None or cv2.hasNonZero(cv2.bitwise_and(np.ascontiguousarray(image.roi[box.slices]), mask)):
            return box
    if image.roi is not None:
        return placing.place(image, sampler, height, width, mask)
    found = foreground_of(image)
    whole = cv2.countNonZero(found) == found.size
    return placing.place(image if whole else image.restrict(found), sampler, height, width, mask)


def _level(pixels: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and spread of each channel where a mask is true, or None if these are too few pixels."""
    if cv2.countNonZero(where) < MIN_SAMPLES:
        return None
    parts = [
        cv2.meanStdDev(np.ascontiguousarray(pixels[..., first : first + 4]), mask=where)
        for first in range(0, pixels.shape[2], 4)
    ]
    mean, spread = (np.concatenate(numbers)[:, 0].astype(np.float32) for numbers in zip(*parts, strict=True))
    return mean, spread


def _matched(
    image: NormalImage, box: Box, transformed: Transformed, gain: float, own: tuple[np.ndarray, np.ndarray] | None
) -> np.ndarray:
    """The pixels of the defect, with the level around it matched to that around the new place."""
    pixels = transformed.pixels[1:-1, 1:-1].copy()
    width = ring_width(transformed.mask)
    grown = Box(box.top - width, box.left - width, box.height + 2 * width, box.width + 2 * width)
    grown = grown.intersect(image.whole)
    mask = np.zeros(grown[2:], np.uint8)
    mask[box.within(grown).slices] = transformed.mask
    new = _level(image.crop(grown).astype(np.float32), ring_around(mask))
    if own is None or new is None:  # nothing to compare
        return pixels
    least = np.float32(LEAST_SPREAD * image.max_value)
    spread = np.clip(np.maximum(new[1], least) / np.maximum(own[1], least), MIN_GAIN, MAX_GAIN)
    spread *= np.float32(gain)
    pixels *= spread
    pixels += new[0] - own[0] * spread
    return pixels


def _poisson(image: NormalImage, box: Box, transformed: Transformed, gain: float) -> np.ndarray:
    """The defect's gradients on the new background."""
    grown = Box(box.top - 1, box.left - 1, box.height + 2, box.width + 2)
    inside = grown.intersect(image.whole)
    part = inside.within(grown).slices
    mask = cv2.copyMakeBorder(transformed.mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    blended = poisson.blend(
        image.crop(inside), transformed.pixels[part] * np.float32(gain), np.ascontiguousarray(mask[part])
    )
    return blended[box.within(inside).slices]
