"""A chip: a piece with a faceted outline that is broken out of an edge."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import cv2
import numpy as np

from pail.beyond.procedural.site import (
    FAINTEST,
    MARGIN,
    Contrast,
    Light,
    blend,
    draw_light,
    find_site,
    focus,
    mean_under,
)
from pail.beyond.procedural.strokes import fill, grain, moved, smooth_field
from pail.core.composite import VISIBLE, Insertion
from pail.core.image import NormalImage
from pail.core.ops import Box, as_bytes
from pail.core.parameters import Choice, Pair
from pail.core.sampler import Sampler
from pail.pixels.foreground import coarse_foreground, is_surface

FILLS = (None, "background", "fracture")
CORNERS = (4, 8)  # number of corners of the fracture line
BURIED = 0.45  # of the width of a chip: how far its outline extends beyond the edge
BLUR = 3.0  # pixels: width of an edge in a photograph, which the mirrored background excludes


class _Edge(NamedTuple):
    """A point of an edge and its surroundings."""

    x: float
    y: float
    inward: tuple[float, float]  # the unit vector (x, y)
    around: Box
    solid: np.ndarray | None  # uint8 {0, 255} on that box: the material that can chip; None for the whole image


def chip(
    image: NormalImage,
    sampler: Sampler,
    *,
    size: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")],
    fill_with: Annotated[str | None, Choice(FILLS)],
    contrast: Contrast,
    light: Light,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.chip`."""
    rng = sampler.rng
    width = max(1.0, sampler.scaled("size", *size) * image.region_side)
    depth = width * sampler.uniform("depth", 0.35, 0.8)
    toward = draw_light(sampler, light)
    edge = _find_edge(image, sampler, width)
    shown = sampler.choice("fill_with", FILLS[1:])
    shown = "fracture" if edge.solid is None else fill_with or shown
    box, bite = _bite(image, sampler, edge, width, depth)
    rim = np.maximum(moved(bite, np.array(edge.inward) * max(1.0, 0.05 * width)) - bite, 0) * np.float32(0.8)
    rim *= np.clip(0.7 + 0.4 * smooth_field(rng, rim.shape, max(2.0, 0.2 * width)), 0.1, 1)
    within = None  # the material that is measured, without the pixels in which it is mixed with the background
    if edge.solid is not None:
        solid = edge.solid[box.within(edge.around).slices]
        gap = cv2.bitwise_and(as_bytes(bite >= FAINTEST), solid)
        # Only one piece breaks off, without pieces of neighboring objects that the outline crosses.
        count, labels = cv2.connectedComponents(gap, connectivity=8, ltype=cv2.CV_16U)
        if count > 2:
            bite = bite * (labels == 1 + int(np.argmax(np.bincount(labels.reshape(-1))[1:])))
        within = cv2.erode(solid, np.ones((3, 3), np.uint8)) > 0
        if image.roi is None:  # including the pixels in which object and background are mixed
            solid = cv2.dilate(solid, np.ones((3, 3), np.uint8))
        bite, rim = bite * (solid > 0), rim * (solid > 0)
    alpha = np.maximum(bite, rim)
    if alpha.max() < FAINTEST:  # a region of a few pixels, none of which the chip covers
        alpha = np.ones_like(alpha) if edge.solid is None else (solid > 0).astype(np.float32)
    measured = alpha if within is None or not (alpha[within] >= FAINTEST).any() else alpha * within
    site = find_site(image, sampler, measured, contrast, tone="hollow", box=box)
    beyond = _mirrored(image, site.pixels, box, edge) if shown == "background" else None
    facets = _facets(rng, alpha.shape, width, toward) if beyond is None else None

    def defect(original: np.ndarray, where: np.ndarray) -> np.ndarray:
        inside = np.minimum(bite.reshape(-1)[where] / np.maximum(alpha.reshape(-1)[where], 1e-3), 1)[:, None]
        if facets is not None:
            amount = facets.reshape(-1)[where][:, None] + np.float32(0.06) * grain(rng, len(where))[:, None]
            least = min(max(0.2, MARGIN * VISIBLE * image.max_value / max(site.main, 1e-30)), 1)
            base = original + np.float32(0.6) * (site.level.astype(np.float32) - original)
            gap = base + np.clip(amount, least, 1) * (site.darker(base) if site.darkens else site.brighter(base))
        else:
            assert beyond is not None
            gap = beyond.reshape(-1, image.channels)[where].astype(np.float32)
        result: np.ndarray = original + inside * (gap - original) + (1 - inside) * site.brighter(original)
        return result

    return blend(site, alpha, defect)


def _find_edge(image: NormalImage, sampler: Sampler, width: float) -> _Edge:
    """A random point of the edge of the region, else of the foreground, else of the image."""
    coarse = image.roi
    if coarse is None and not is_surface(image):
        coarse = coarse_foreground(image)
    if coarse is not None:
        rim = cv2.morphologyEx(coarse, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        candidates = np.flatnonzero(cv2.bitwise_and(rim, coarse))
        if len(candidates):
            row, column = divmod(int(candidates[sampler.integer("edge", 0, len(candidates) - 1)]), coarse.shape[1])
            down, right = image.height / coarse.shape[0], image.width / coarse.shape[1]
            return _edge_at(image, coarse, ((column + 0.5) * right, (row + 0.5) * down), width)
    height, wide = image.shape
    along = sampler.uniform("edge", 0, 2 * (height + wide))
    if along < 2 * wide:
        x, y, inward = along % wide, (0.0 if along < wide else float(height)), (0.0, 1.0 if along < wide else -1.0)
    else:
        along -= 2 * wide
        x, y, inward = (0.0 if along < height else float(wide)), along % height, (1.0 if along < height else -1.0, 0.0)
    return _Edge(x, y, inward, image.whole, None)


def _edge_at(image: NormalImage, coarse: np.ndarray, point: tuple[float, float], width: float) -> _Edge:
    """The edge near a point (x, y), with pixel accuracy if the mask is coarser than the image."""
    x, y = point
    reach = math.ceil(1.3 * width + 6 + 2 * image.height / coarse.shape[0])
    around = Box(int(y) - reach, int(x) - reach, 2 * reach + 1, 2 * reach + 1).intersect(image.whole)
    if coarse.shape == image.shape:
        solid = np.ascontiguousarray(coarse[around.slices])
    else:
        down, right = coarse.shape[0] / image.height, coarse.shape[1] / image.width
        matrix = np.array(
            [[right, 0, (around.left + 0.5) * right - 0.5], [0, down, (around.top + 0.5) * down - 0.5]], np.float64
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = around.width, around.height
        soft = cv2.warpAffine(coarse, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        solid = _sharpened(image.crop(around), soft.reshape(around.height, around.width))
    near = max(2, round(width / 2))
    window = Box(int(y) - near, int(x) - near, 2 * near + 1, 2 * near + 1).intersect(around)
    moments = cv2.moments(np.ascontiguousarray(solid[window.within(around).slices]), binaryImage=True)
    inward_x = inward_y = 0.0
    if moments["m00"]:
        inward_x = moments["m10"] / moments["m00"] + window.left + 0.5 - x
        inward_y = moments["m01"] / moments["m00"] + window.top + 0.5 - y
    length = math.hypot(inward_x, inward_y)
    inward = (inward_x / length, inward_y / length) if length > 1e-6 else (0.0, 1.0)
    for _ in range(reach):  # move to the edge of the finer mask
        row, column = math.floor(y) - around.top, math.floor(x) - around.left
        if not (0 <= row < around.height and 0 <= column < around.width) or solid[row, column]:
            break
        x, y = x + inward[0], y + inward[1]
    return _Edge(x, y, inward, around, solid)


def _sharpened(pixels: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """Refine a coarse mask: uncertain pixels are assigned to the side whose color is closer."""
    inside, outside = as_bytes(soft > 250), as_bytes(soft < 5)
    if not (cv2.hasNonZero(inside) and cv2.hasNonZero(outside)):
        return as_bytes(soft > 127)
    one, other = mean_under(pixels, inside), mean_under(pixels, outside)
    toward = np.append(one - other, (other @ other - one @ one) / 2)  # positive if `one` is closer
    nearer = as_bytes(cv2.transform(pixels.astype(np.float32), toward[None]) > 0)
    return cv2.bitwise_or(inside, cv2.bitwise_and(nearer, cv2.bitwise_not(outside)))


def _bite(image: NormalImage, sampler: Sampler, edge: _Edge, width: float, depth: float) -> tuple[Box, np.ndarray]:
    """The box of a chip, and its coverage of each pixel; the outline is a line of straight facets."""
    rng = sampler.rng
    count = sampler.integer("corners", *CORNERS)
    corners = np.arange(count + 2)
    angle = corners * (math.pi / (count + 1))
    angle[1:-1] += rng.uniform(-0.35, 0.35, count) * math.pi / (count + 1)
    across = -np.cos(angle) * width / 2
    inwards = np.sin(angle) * depth * rng.uniform(0.65, 1.1, count + 2)
    # Fractures are rough, so each facet is broken once more.
    fine = np.arange(3 * (count + 1) + 1) / 3
    across, inwards = (np.interp(fine, corners, values) for values in (across, inwards))
    inwards[1:-1] += rng.standard_normal(len(fine) - 2) * 0.025 * width
    across = np.concatenate([[-width / 2], across, [width / 2]])
    inwards = np.concatenate([[-BURIED * width], inwards, [-BURIED * width]])
    inward_x, inward_y = edge.inward
    x, y = edge.x + inward_x * inwards - inward_y * across, edge.y + inward_y * inwards + inward_x * across
    left, top, right, bottom = (
        math.floor(x.min() - 3),
        math.floor(y.min() - 3),
        math.ceil(x.max() + 3),
        math.ceil(y.max() + 3),
    )
    box = Box(top, left, bottom - top, right - left).intersect(edge.around)
    outline = np.column_stack([x - box.left, y - box.top])
    return box, fill([outline], shape=(box.height, box.width), blur=focus(image))


def _mirrored(image: NormalImage, pixels: np.ndarray, box: Box, edge: _Edge) -> np.ndarray:
    """The background beyond the edge, mirrored at the edge; its mean where the mirrored pixels belong to the object."""
    assert edge.solid is not None
    around = edge.around
    inward_x, inward_y = (np.float32(value) for value in edge.inward)
    x = np.arange(box.left, box.right, dtype=np.float32) + np.float32(0.5 - edge.x)
    y = (np.arange(box.top, box.bottom, dtype=np.float32) + np.float32(0.5 - edge.y))[:, None]
    jump = 2 * np.maximum(x * inward_x + y * inward_y, 0) + np.float32(BLUR)
    map_x = x + np.float32(edge.x - 0.5 - around.left) - jump * inward_x
    map_y = y + np.float32(edge.y - 0.5 - around.top) - jump * inward_y
    source = image.crop(around)
    outside = cv2.bitwise_not(edge.solid)
    free = cv2.erode(outside, np.ones((5, 5), np.uint8))
    free = free if cv2.hasNonZero(free) else outside
    if not cv2.hasNonZero(free):
        return pixels
    mirrored = cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    is_free = cv2.remap(free, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    mean = mean_under(source, free).astype(np.float32)
    weight = cv2.GaussianBlur(is_free, (0, 0), 1.0).reshape(*pixels.shape[:2], 1) * np.float32(1 / 255)
    result: np.ndarray = mirrored.reshape(pixels.shape) * weight + mean * (1 - weight)
    return result


def _facets(rng: np.random.Generator, shape: tuple[int, int], width: float, toward: np.ndarray) -> np.ndarray:
    """The shading of a fracture, (h, w) in about [-1, 1]: a few planes with different orientations, and roughness."""
    count = 5
    centers = rng.uniform(0, 1, (count, 2)) * np.array(shape)[::-1]
    tilt = rng.uniform(0, 2 * math.pi, count)
    facing = (np.cos(tilt) * toward[0] + np.sin(tilt) * toward[1]).astype(np.float32)
    bent = smooth_field(rng, shape, max(2.0, 0.25 * width)) * np.float32(0.12 * width)
    x = np.arange(shape[1], dtype=np.float32) + bent
    y = np.arange(shape[0], dtype=np.float32)[:, None] + bent
    center_x, center_y = centers.T.astype(np.float32)[..., None, None]
    away = (x - center_x) ** 2 + (y - center_y) ** 2
    planes = facing[away.argmin(axis=0)]
    planes = cv2.GaussianBlur(planes, (0, 0), max(0.6, 0.025 * width)).reshape(shape)
    result: np.ndarray = (
        planes * np.float32(0.38)
        + smooth_field(rng, shape, max(2.0, 0.15 * width), 3) * np.float32(0.1)
        + np.float32(0.65)
    )
    return result
