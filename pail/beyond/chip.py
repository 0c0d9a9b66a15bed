"""A chip: a faceted bite out of an edge."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.beyond.site import as_light, blend, draw_light, find_site, region_side
from pail.beyond.strokes import fill, grain, moved, smooth_field
from pail.core.box import Box
from pail.core.checks import as_choice, as_range
from pail.core.composite import Insertion
from pail.core.draw import Draw
from pail.core.frame import Frame
from pail.core.ops import with_axis
from pail.pixels.foreground import foreground_of

FILLS = (None, "background", "fracture")
CORNERS = (4, 8)  # of the broken line
BURIED = 0.45  # of a chip's width: how far its outline reaches beyond the edge
BLUR = 2.0  # pixels across which the edge of a photograph changes: the mirrored background stays clear of it


class _Edge(NamedTuple):
    """A point of an edge, and the unit vector (x, y) that points inwards."""

    x: float
    y: float
    inward: tuple[float, float]


def chip(
    frame: Frame,
    draw: Draw,
    *,
    size: Any = (0.03, 0.15),
    fill_with: Any = None,
    contrast: Any = (2.5, 6.0),
    light: Any = None,
) -> Insertion:
    """Insert a chip: a piece with a broken outline that is missing at an edge.

    The edge is that of the region, or else of the foreground, or else of
    the image. In the gap lies the background, mirrored at the edge, or the
    rough facets of the fracture. The broken line is bright.

    Parameters
    ----------
    frame, draw : Frame, Draw
        The normal image, and the random numbers of the call.
    size : pair of float, default (0.03, 0.15)
        Width along the edge, as a fraction of the shorter side of the
        region or image; at least one pixel. It is 0.35 to 0.8 times as
        deep.
    fill_with : {None, "background", "fracture"}
        What lies in the gap; drawn by default. There is no background
        beyond the border of the image.
    contrast : pair of float, default (2.5, 6.0)
        Change of the level by the fracture, in units of the larger of the
        local spread and 4 % of the range.
    light : float, optional
        Where the light comes from, in degrees counterclockwise from the
        right; drawn by default.
    """
    size = as_range("size", size, 0, 1, above=True)
    fill_with = as_choice("fill_with", fill_with, FILLS)
    contrast = as_range("contrast", contrast, 0, 100, above=True)
    light = as_light(light)

    rng = draw.rng
    width = max(1.0, draw.scaled("size", *size) * region_side(frame))
    depth = width * draw.uniform("depth", 0.35, 0.8)
    towards = draw_light(draw, light)
    solid, edge = _find_edge(frame, draw, width)
    shown = draw.choice("fill_with", FILLS[1:])
    shown = fill_with or shown
    if solid is None:
        shown = "fracture"
    box, bite = _bite(frame, draw, edge, width, depth)
    if solid is not None:
        inner = solid[box.slices].astype(np.float32) * np.float32(1 / 255)
        bite = bite * inner
    rim = np.maximum(moved(bite, np.array(edge.inward) * max(1.0, 0.05 * width)) - bite, 0) * np.float32(0.8)
    rim *= np.clip(0.7 + 0.4 * smooth_field(rng, rim.shape, max(2.0, 0.2 * width)), 0.1, 1)
    if solid is not None:
        rim = rim * inner
    alpha = np.maximum(bite, rim)
    if not alpha.any():
        alpha = np.full_like(alpha, 1.0)
    site = find_site(frame, draw, alpha, contrast, box=box)
    if shown == "background":
        new = _mirrored(site.pixels, frame, solid, box, edge)
    else:
        new = None
    facets = _facets(rng, alpha.shape, width, towards)

    def defect(original: np.ndarray, where: np.ndarray) -> np.ndarray:
        inside = np.minimum(bite.reshape(-1)[where] / np.maximum(alpha.reshape(-1)[where], 1e-3), 1)[:, None]
        if new is None:
            amount = facets.reshape(-1)[where][:, None] + np.float32(0.2) * grain(rng, len(where))[:, None]
            base = original + np.float32(0.6) * (site.level.astype(np.float32) - original)
            sign = 1 if site.is_bright else -1
            amount = amount - np.float32(0.45 * sign)
            gap = base + np.where(amount > 0, amount * site.brighter(base), -amount * site.darker(base))
        else:
            gap = new.reshape(-1, frame.channels)[where].astype(np.float32)
        return original + inside * (gap - original) + (1 - inside) * site.brighter(original)

    return blend(site, alpha, defect)


def _find_edge(frame: Frame, draw: Draw, width: float) -> tuple[np.ndarray | None, _Edge]:
    """The region or foreground that has an edge inside the image, or None, and a point of the edge."""
    solid = frame.roi if frame.roi is not None else foreground_of(frame)
    rim = cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero(cv2.bitwise_and(rim, solid))
    if len(rows):
        pick = draw.integer("edge", 0, len(rows) - 1)
        row, column = int(rows[pick]), int(columns[pick])
        reach = max(2, round(width / 2))
        top, left = max(row - reach, 0), max(column - reach, 0)
        moments = cv2.moments(solid[top : row + reach + 1, left : column + reach + 1], binaryImage=True)
        inward_x = moments["m10"] / moments["m00"] + left - column
        inward_y = moments["m01"] / moments["m00"] + top - row
        length = math.hypot(inward_x, inward_y)
        if length > 1e-6:
            return solid, _Edge(column + 0.5, row + 0.5, (inward_x / length, inward_y / length))
        return solid, _Edge(column + 0.5, row + 0.5, (0.0, 1.0))
    height, wide = frame.shape
    along = draw.uniform("edge", 0, 2 * (height + wide))
    if along < wide:
        return None, _Edge(along, 0.0, (0.0, 1.0))
    if along < 2 * wide:
        return None, _Edge(along - wide, float(height), (0.0, -1.0))
    if along < 2 * wide + height:
        return None, _Edge(0.0, along - 2 * wide, (1.0, 0.0))
    return None, _Edge(float(wide), along - 2 * wide - height, (-1.0, 0.0))


def _bite(frame: Frame, draw: Draw, edge: _Edge, width: float, depth: float) -> tuple[Box, np.ndarray]:
    """The box of a chip, and how much of each pixel it takes away: a broken line of straight facets."""
    rng = draw.rng
    count = draw.integer("corners", *CORNERS)
    angle = np.linspace(0, math.pi, count + 2)
    angle[1:-1] += rng.uniform(-0.35, 0.35, count) * math.pi / (count + 1)
    across = -np.cos(angle) * width / 2
    inwards = np.sin(angle) * depth * rng.uniform(0.65, 1.1, count + 2)
    # Fractures are rough: each facet breaks once more.
    fine = np.linspace(0, count + 1, 3 * (count + 1) + 1)
    across, inwards = (np.interp(fine, np.arange(count + 2), values) for values in (across, inwards))
    inwards[1:-1] += rng.standard_normal(len(fine) - 2) * 0.025 * width
    across = np.concatenate([[-width / 2], across, [width / 2]])
    inwards = np.concatenate([[-BURIED * width], inwards, [-BURIED * width]])
    inward_x, inward_y = edge.inward
    points = np.stack(
        [edge.x + inward_x * inwards - inward_y * across, edge.y + inward_y * inwards + inward_x * across], axis=1
    )
    low, high = np.floor(points.min(axis=0) - 3).astype(int), np.ceil(points.max(axis=0) + 3).astype(int)
    box = Box(int(low[1]), int(low[0]), int(high[1] - low[1]), int(high[0] - low[0])).intersect(frame.whole)
    return box, fill([points - (box.left, box.top)], shape=(box.height, box.width))


def _mirrored(
    pixels: np.ndarray, frame: Frame, solid: np.ndarray | None, box: Box, edge: _Edge
) -> np.ndarray:
    """What lies beyond the edge, mirrored at it; the background's mean where more of the part is found there."""
    assert solid is not None
    reach = max(box.height, box.width)
    around = Box(
        max(box.top - reach, 0),
        max(box.left - reach, 0),
        min(box.bottom + reach, frame.height) - max(box.top - reach, 0),
        min(box.right + reach, frame.width) - max(box.left - reach, 0),
    )
    inward_x, inward_y = (np.float32(value) for value in edge.inward)
    x = np.arange(box.left, box.right, dtype=np.float32) + np.float32(0.5 - edge.x)
    y = (np.arange(box.top, box.bottom, dtype=np.float32) + np.float32(0.5 - edge.y))[:, None]
    jump = 2 * np.maximum(x * inward_x + y * inward_y, 0) + np.float32(BLUR)
    map_x = x + np.float32(edge.x - 0.5 - around.left) - jump * inward_x
    map_y = y + np.float32(edge.y - 0.5 - around.top) - jump * inward_y
    source = frame.crop(around)
    outside = cv2.bitwise_not(solid[around.slices])
    free = cv2.erode(outside, np.ones((3, 3), np.uint8))
    free = free if cv2.hasNonZero(free) else outside
    if not cv2.hasNonZero(free):
        return pixels
    mirrored = with_axis(cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))
    is_free = cv2.remap(free, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    mean = source.reshape(-1, frame.channels)[np.flatnonzero(free)].mean(axis=0)
    weight = cv2.GaussianBlur(is_free, (0, 0), 1.0).astype(np.float32).reshape(*pixels.shape[:2], 1) / 255
    return mirrored.reshape(pixels.shape) * weight + mean.astype(np.float32) * (1 - weight)


def _facets(rng: np.random.Generator, shape: tuple[int, int], width: float, towards: np.ndarray) -> np.ndarray:
    """The light on a fracture, (h, w) about in [-1, 1]: a few planes that face it more or less, and roughness."""
    count = 5
    centers = rng.uniform(0, 1, (count, 2)) * np.array(shape)[::-1]
    tilt = rng.uniform(0, 2 * math.pi, count)
    facing = (np.cos(tilt) * towards[0] + np.sin(tilt) * towards[1]).astype(np.float32)
    bent = smooth_field(rng, shape, max(2.0, 0.25 * width)) * np.float32(0.12 * width)
    x = np.arange(shape[1], dtype=np.float32) + bent
    y = np.arange(shape[0], dtype=np.float32)[:, None] + bent
    away = np.stack([(x - np.float32(cx)) ** 2 + (y - np.float32(cy)) ** 2 for cx, cy in centers])
    planes = facing[away.argmin(axis=0)]
    planes = cv2.GaussianBlur(planes, (0, 0), max(0.6, 0.025 * width)).reshape(shape)
    return planes * np.float32(0.55) + smooth_field(rng, shape, max(1.5, 0.08 * width), 2) * np.float32(0.22)
