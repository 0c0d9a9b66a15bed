"""A rectangle of a strongly augmented copy of the image, pasted at the same place (AnoSeg).

1. The rectangle lies between two uniform points of the region, or has an area of `area_ratio` of it as in CutPaste.
2. The copy is rotated by one of `angles` (probability `p_rotate`), its four quadrants are exchanged (`p_perm`) and its
   colors are jittered (`p_jitter`; see `pail.pixels.color`). At least one of the three changes it.
3. The rectangle of the copy is pasted, unblended.

Only the rectangle of the copy is computed. It covers a ninth of the image on average, so from 512 pixels per side on
this is 6 to 8 times as fast as augmenting the whole image and cropping. Each step is therefore a `View`, which reads
the pixels of any box from the view before it.

Reference: Song, Kong, Park, Kim, Kang, "AnoSeg: Anomaly segmentation network using self-supervised learning", 2021,
https://arxiv.org/abs/2110.03396. The paper has no code and gives no probabilities; those here are 1/2.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

import cv2
import numpy as np

from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.ops import Box, with_axis
from pail.core.parameters import Number, Pair, Several
from pail.core.sampler import SEVERITY, Sampler
from pail.pixels.color import LUMA, color_jitter
from pail.pixels.placing import place, rectangle_size

ASPECT_RATIO = ((0.3, 1.0), (1.0, 3.3))  # CutPaste's
ORDERS = tuple(itertools.permutations(range(4)))[1:]  # orders of the quadrants, without the identity
QUARTER = 90

Chance = Annotated[float, Number(0, 1, unit="probability")]
Strength = Annotated[float, Number(0, 1)]


class Steps(NamedTuple):
    """How the copy is augmented: quarter turns counterclockwise, origin of each quadrant, color jitter."""

    turns: int
    order: tuple[int, ...] | None
    jitter: bool


class View(NamedTuple):
    """An augmented image, of which only the requested boxes are computed."""

    shape: tuple[int, int]
    read: Callable[[Box], np.ndarray]


def hard_aug_cutpaste(
    image: NormalImage,
    sampler: Sampler,
    *,
    angles: Annotated[tuple[int, ...], Several(Number(-3600, 3600, integer=True, multiple_of=QUARTER), unit="degrees")],
    p_rotate: Chance,
    p_perm: Chance,
    p_jitter: Chance,
    area_ratio: Annotated[
        tuple[float, float] | None, Pair(0, 1, above=True, unit="fraction of the area", instead=(None,))
    ],
    brightness: Strength,
    contrast: Strength,
    saturation: Strength,
    hue: Annotated[float, Number(0, 0.5, unit="fraction of the circle")],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.hard_aug_cutpaste`."""
    turns = [angle // QUARTER % 4 for angle in angles]
    chances = {"rotate": p_rotate, "perm": p_perm, "jitter": p_jitter}
    strengths = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
    box = _rectangle(image, sampler, area_ratio)
    steps = _steps(sampler, turns, chances, image.shape)
    view = _fit(_rotate(image, steps.turns), image.shape)
    if steps.order is not None:
        view = _permute(view, steps.order)
    content = view.read(box)
    if steps.jitter:
        content = color_jitter(content, sampler, image.max_value, mean=_mean_gray(image), **strengths)
    return Insertion(box, content, opacity=sampler.opacity())


def _rectangle(image: NormalImage, sampler: Sampler, area_ratio: tuple[float, float] | None) -> Box:
    """The rectangle: with area and aspect ratio as in CutPaste, or between two random points."""
    around = image.region_box
    if area_ratio is not None:
        area = sampler.scaled("area_ratio", *area_ratio) * image.region_area
        aspect = sampler.uniform("aspect", *sampler.choice("aspect_range", ASPECT_RATIO))
        return place(image, sampler, *rectangle_size(area, aspect, around[2:]))
    quantiles = (0, 1) if sampler.severity is None else SEVERITY["quantile"]
    sides = []
    for name, size in (("height", around.height), ("width", around.width)):
        # The distance of two distinct uniform points of 0..size has the distribution function 1 - (1 - x)^2.
        quantile = sampler.scaled(f"{name}_quantile", *quantiles)
        sides.append(min(1 + int((1 - math.sqrt(1 - quantile)) * size), size))
    return place(image, sampler, sides[0], sides[1])


def _steps(sampler: Sampler, turns: Sequence[int], chances: dict[str, float], shape: tuple[int, int]) -> Steps:
    """Draw the steps; at least one of them changes the image."""
    possible = {"rotate": any(turns), "perm": min(shape) >= 2, "jitter": True}
    taken = {name: sampler.flag(name, chance) and possible[name] for name, chance in chances.items()}
    if not any(taken.values()):
        wanted = [name for name in chances if possible[name] and chances[name] > 0]
        taken[sampler.choice("forced", wanted or ["jitter"])] = True
    if taken["rotate"] and not (taken["perm"] or taken["jitter"]):
        turns = [turn for turn in turns if turn]
    return Steps(
        sampler.choice("turns", turns) if taken["rotate"] else 0,
        sampler.choice("order", ORDERS) if taken["perm"] else None,
        taken["jitter"],
    )


def _rotate(image: NormalImage, turns: int) -> View:
    """The image after quarter turns counterclockwise."""
    rows, columns = image.shape

    def read(box: Box) -> np.ndarray:
        top, left, height, width = box
        origin = {
            0: box,
            1: Box(left, columns - box.bottom, width, height),
            2: Box(rows - box.bottom, columns - box.right, height, width),
            3: Box(rows - box.right, top, width, height),
        }[turns]
        return np.rot90(image.crop(origin), turns)

    return View((rows, columns) if turns % 2 == 0 else (columns, rows), read)


def _fit(view: View, shape: tuple[int, int]) -> View:
    """The view resized to `shape`, linearly."""
    if view.shape == shape:
        return view
    scales = [have / want for have, want in zip(view.shape, shape, strict=True)]

    def read(box: Box) -> np.ndarray:
        firsts = [(start + 0.5) * scale - 0.5 for start, scale in zip(box[:2], scales, strict=True)]
        lasts = [first + (n - 1) * scale for first, n, scale in zip(firsts, box[2:], scales, strict=True)]
        top, left = (max(math.floor(first), 0) for first in firsts)
        bottom, right = (min(math.floor(last) + 2, size) for last, size in zip(lasts, view.shape, strict=True))
        part = np.ascontiguousarray(view.read(Box(top, left, bottom - top, right - left)))
        matrix = np.array([[scales[1], 0, firsts[1] - left], [0, scales[0], firsts[0] - top]])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return with_axis(cv2.warpAffine(part, matrix, box[:1:-1], flags=how, borderMode=cv2.BORDER_REPLICATE))

    return View(shape, read)


def _permute(view: View, order: Sequence[int]) -> View:
    """The view with its four quadrants exchanged: quadrant i, in reading order, comes from quadrant `order[i]`."""
    (middle, center), (rows, columns) = (size // 2 for size in view.shape), view.shape
    cells = [
        Box(top, left, height, width)
        for top, height in ((0, middle), (middle, rows - middle))
        for left, width in ((0, center), (center, columns - center))
    ]

    def quadrant(number: int) -> View:
        cell = cells[number]
        return View(cell[2:], lambda box: view.read(box.shift(cell.top, cell.left)))

    def read(box: Box) -> np.ndarray:
        parts = []
        for cell, origin in zip(cells, order, strict=True):
            part = cell.intersect(box)
            if part.area:
                parts.append((part.within(box), _fit(quadrant(origin), cell[2:]).read(part.within(cell))))
        if len(parts) == 1:
            return parts[0][1]
        result = np.empty((*box[2:], parts[0][1].shape[2]), parts[0][1].dtype)
        for part, content in parts:
            result[part.slices] = content
        return result

    return View(view.shape, read)


def _mean_gray(image: NormalImage) -> float:
    """The mean gray of the whole image, for the contrast; a subsample would alias with periodic texture."""
    pixels = image.crop() if image.window.clips else with_axis(image.pixels)
    means = cv2.mean(pixels if pixels.shape[2] <= 4 else np.ascontiguousarray(pixels[..., :3]))
    if image.channels < 3:
        return sum(means[: image.channels]) / image.channels
    return sum(weight * value for weight, value in zip(LUMA, means, strict=False))
