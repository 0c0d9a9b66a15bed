"""Patches of another normal image, blended in seamlessly (NSA)."""

from __future__ import annotations

import math
from typing import Annotated

import cv2
import numpy as np

from pail.core.composite import VISIBLE, Insertion
from pail.core.image import NormalImage, as_normal_image
from pail.core.ops import Box, as_bytes, largest_change, resize
from pail.core.parameters import Choice, Flag, Number, Pair
from pail.core.sampler import Sampler
from pail.pixels import poisson
from pail.pixels.foreground import coarse_foreground
from pail.pixels.placing import place

SHAPES = ("rectangle", "ellipses", None)
BLENDS = ("poisson", "mixed", "paste")
GAMMA = (2.0, 0.05)  # shape and scale of the gamma distribution of half-widths
SEVERE = 0.237  # its 95 % quantile, which is used at a severity of 1
MEDIAN = 5  # pixels: size of the filter that removes single pixels from the mask
MAX_PATCHES = 100
PLACE_TRIES = 200  # tries to find a place with enough foreground, as in the paper's code


def nsa(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    patch_number: Annotated[tuple[int, int], Pair(1, MAX_PATCHES, integer=True)],
    half_width: Annotated[tuple[float, float], Pair(0, 0.5, above=True, unit="fraction of the sides")],
    scale: Annotated[tuple[float, float], Pair(0.1, 10, unit="times the size")],
    shape: Annotated[str | None, Choice(SHAPES)],
    blend: Annotated[str, Choice(BLENDS)],
    skip_background: Annotated[bool, Flag()],
    min_overlap: Annotated[float, Number(0, 1, unit="fraction of the area")],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.nsa`."""
    pixels = image.crop() if source is None else resize(source, image.shape)
    there = coarse_foreground(image) if skip_background else None
    here = there
    if skip_background and source is not None:
        here = coarse_foreground(as_normal_image(np.ascontiguousarray(pixels), image.max_value, "source", alpha=False))
    patches = []
    for _ in range(_count(sampler, *patch_number)):
        size = _size(image, sampler, half_width)
        origin = _box_on(here, sampler, "source_", size, image.shape, min_overlap)
        target = _rescaled(image, sampler, size, scale, half_width)
        mask = _shape(sampler, target, shape)
        box = _target(image, sampler, there, mask, min_overlap)
        if (
            source is None and origin[:2] == box[:2] and origin[2:] == box[2:]
        ):  # the patch would be inserted where it was cut out
            origin = origin._replace(top=(image.height - origin.height) // 2, left=image.width - origin.right)
        patches.append((box, resize(np.ascontiguousarray(pixels[origin.slices]), target), mask))
    return _inserted(image, sampler, patches, blend)


def _count(sampler: Sampler, fewest: int, most: int) -> int:
    """Number of patches: each beyond the fewest has probability 1/2; with a severity, the corresponding point of the
    range."""
    if sampler.severity is not None:
        return sampler.scaled_integer("patches", fewest, most)
    return sampler.keep("patches", fewest + int(sampler.rng.binomial(most - fewest, 0.5)))


def _size(image: NormalImage, sampler: Sampler, bounds: tuple[float, float]) -> tuple[int, int]:
    """Height and width of a patch in pixels, before it is resized."""
    sides = []
    for name, side, limit in zip(("height", "width"), image.region_box[2:], image.shape, strict=True):
        if sampler.severity is None:
            half = sampler.keep(f"half_{name}", min(bounds[0] + sampler.rng.gamma(*GAMMA), bounds[1]))
        else:
            half = sampler.scaled(f"half_{name}", bounds[0], min(bounds[0] + SEVERE, bounds[1]))
        sides.append(min(max(2 * int(half * side), 1), limit))
    return sides[0], sides[1]


def _rescaled(
    image: NormalImage,
    sampler: Sampler,
    size: tuple[int, int],
    bounds: tuple[float, float],
    half_width: tuple[float, float],
) -> tuple[int, int]:
    """The size of a patch at its new place. It keeps its proportions, and its sides stay within the bounds of
    patches."""
    factor = sampler.keep("scale", float(np.clip(sampler.rng.normal(1, 0.5), *bounds)))
    sides = [length * factor for length in size]
    limits = [(2 * half_width[0] * side, 2 * half_width[1] * side) for side in image.region_box[2:]]
    for (low, high), length in zip(limits, sides.copy(), strict=True):
        sides = [side * min(max(length, low), high) / length for side in sides]
    rows, columns = (
        poisson.favorable_side(min(max(round(side), 1), limit), limit)
        for side, limit in zip(sides, image.shape, strict=True)
    )
    return rows, columns


def _box_on(
    foreground: np.ndarray | None,
    sampler: Sampler,
    name: str,
    size: tuple[int, int],
    shape: tuple[int, int],
    least: float,
) -> Box:
    """A random place of a box in an image of that shape, uniform over the places with at least that share on the
    foreground.

    If no try finds one, the place with the largest share is used. `foreground` may be a thumbnail.
    """
    sums = None if foreground is None else cv2.integral((foreground > 0).view(np.uint8))
    best, most = Box(0, 0, *size), -1.0
    for _ in range(PLACE_TRIES):
        corner = [int(sampler.rng.random() * (have - want + 1)) for want, have in zip(size, shape, strict=True)]
        box = Box(corner[0], corner[1], *size)
        share = 1.0 if sums is None else _share(sums, box, shape)
        if share > most:
            best, most = box, share
        if share >= least:
            break
    sampler.keep(f"{name}top", best.top)
    sampler.keep(f"{name}left", best.left)
    return best


def _share(sums: np.ndarray, box: Box, shape: tuple[int, int]) -> float:
    """The share of a box that lies on the foreground, whose integral image is `sums`."""
    rows, columns = sums.shape[0] - 1, sums.shape[1] - 1
    top, left = box.top * rows // shape[0], box.left * columns // shape[1]
    bottom = max(top + 1, math.ceil(box.bottom * rows / shape[0]))
    right = max(left + 1, math.ceil(box.right * columns / shape[1]))
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return float(inside / ((bottom - top) * (right - left)))


def _shape(sampler: Sampler, size: tuple[int, int], shape: str | None) -> np.ndarray:
    """The mask of a patch, uint8 {0, 255}. The outermost pixels are reserved for the blending if the patch is large
    enough."""
    mask = np.zeros(size, np.uint8)
    kind = sampler.choice("shape", SHAPES[:2]) if shape is None else shape
    rows, columns = size
    if kind == "ellipses":
        for _ in range(sampler.integer("ellipses", 2, 5)):
            center = sampler.uniform("row", 0.25, 0.75) * rows, sampler.uniform("column", 0.25, 0.75) * columns
            axes = sampler.uniform("axis", 0.12, 0.4) * columns, sampler.uniform("axis", 0.12, 0.4) * rows
            box = ((center[1], center[0]), (2 * axes[0], 2 * axes[1]), sampler.uniform("angle", 0, 180))
            cv2.ellipse(mask, box, 255, cv2.FILLED)
    if kind == "rectangle" or not cv2.hasNonZero(mask):
        mask[:] = 255
    if min(size) > 2:
        mask[[0, -1]] = 0
        mask[:, [0, -1]] = 0
        if not cv2.hasNonZero(mask):  # the ellipses of a small patch may cover only its outermost pixels
            mask[1:-1, 1:-1] = 255
    return mask


def _target(image: NormalImage, sampler: Sampler, foreground: np.ndarray | None, mask: np.ndarray, least: float) -> Box:
    """The place of a patch: on the foreground, or in the region of interest, which takes precedence.

    In a region that only the outermost pixels of a patch can reach, such as a corner of the image, these belong to the
    patch.
    """
    height, width = mask.shape
    if image.roi is not None:
        box = place(image, sampler, height, width, mask)
        if cv2.hasNonZero(cv2.bitwise_and(np.ascontiguousarray(image.roi[box.slices]), mask)):
            return box
        mask[:] = 255
    if image.roi is not None or foreground is None:
        return place(image, sampler, height, width, mask)
    return _box_on(foreground, sampler, "", (height, width), image.shape, least)


def _inserted(
    image: NormalImage, sampler: Sampler, patches: list[tuple[Box, np.ndarray, np.ndarray]], blend: str
) -> Insertion:
    """Blend all patches in order, on the rectangle around them."""
    top, left = min(box.top for box, *_ in patches), min(box.left for box, *_ in patches)
    bottom, right = max(box.bottom for box, *_ in patches), max(box.right for box, *_ in patches)
    hull = Box(top, left, bottom - top, right - left)
    before = image.crop(hull)
    content = before.astype(np.float32)
    pasted = np.zeros(hull[2:], np.uint8)
    for box, patch, mask in patches:
        local = box.within(hull).slices
        if blend == "paste":
            content[local][mask > 0] = patch[mask > 0]
        else:
            content[local] = poisson.blend(content[local], patch, mask, mixed=blend == "mixed")
        pasted[local] |= mask
    if image.roi is not None:  # all visible changes may be outside of it
        pasted = cv2.bitwise_and(pasted, np.ascontiguousarray(image.roi[hull.slices]))
    np.clip(content, 0, image.max_value, out=content)
    opacity = sampler.opacity()
    return Insertion(hull, content, _changed(image, before, content, pasted, opacity), opacity)


def _changed(
    image: NormalImage, before: np.ndarray, after: np.ndarray, pasted: np.ndarray, opacity: float
) -> np.ndarray:
    """Where patches visibly change the image at this opacity, or where they change it most if nothing is visible."""
    change = largest_change(after, before.astype(np.float32)) * np.float32(opacity)
    visible = cv2.bitwise_and(as_bytes(change > VISIBLE * image.max_value), pasted)
    filtered = cv2.bitwise_and(cv2.medianBlur(visible, MEDIAN), pasted)
    strongest = cv2.bitwise_and(as_bytes(change > 0.5 * change.max()), pasted)
    for mask in (filtered, visible, strongest):
        if cv2.hasNonZero(mask):
            return mask
    return pasted
