"""A defect of another image, or a Perlin shape of it, augmented at random and pasted onto the object (BGAD)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.checks import as_flag, as_mask, as_number
from pail.core.composite import Insertion
from pail.core.draw import Draw
from pail.core.frame import Frame
from pail.core.ops import resize, with_axis
from pail.pixels import warp
from pail.pixels.foreground import foreground_of
from pail.pixels.perlin_mask import perlin_mask
from pail.pixels.placing import fallback_box

TRIES = 10
IN_PLACE = 2 / 3  # BGAD: a shape with more than this on the object stays where it is
SMALLEST_SHARE = 0.1  # of the area of a source mask, at severity 0
PLACING_SIDE = 128  # side of the thumbnail of the ROI on which distances to its border are measured
MAX_PIECES = 512  # the specks beyond so many pieces move as one
MARGIN = 4  # pixels around the shape that filters may look at
TILES = 8  # of CLAHE along a side of the image

Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


class Effect(NamedTuple):
    """A change of (content, mask), of the same size, by a generator; `dense` ones look at neighbours."""

    change: Change
    dense: bool = False


@dataclass(slots=True)
class Recipe:
    """What the drawn operations do: geometry first, then the rest in the order drawn."""

    warp: warp.Warp
    effects: list[Effect] = field(default_factory=list)


class Piece(NamedTuple):
    """A part of the shape: its place in the augmented source, its mask there, and the corner it is pasted to."""

    box: Box
    mask: np.ndarray
    top: int
    left: int

    @property
    def target(self) -> Box:
        return Box(self.top, self.left, self.box.height, self.box.width)


class Region(NamedTuple):
    """Where the shape should lie, None for anywhere, and whether it may not leave it."""

    mask: np.ndarray | None
    strict: bool


def rand_augmented_cut_paste(
    frame: Frame,
    draw: Draw,
    source: np.ndarray | None,
    *,
    mask: Any = None,
    in_fg_region: Any = True,
    source_mask: Any = None,
    n_aug: Any = 3,
    elastic: Any = True,
    min_area: Any = 1e-3,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.rand_augmented_cut_paste`."""
    count = int(as_number("n_aug", n_aug, 0, len(OPERATIONS), integer=True))
    elastic = as_flag("elastic", elastic)
    min_area = as_number("min_area", min_area, 0, 1)
    defect = None if source_mask is None else _as_source_mask(source_mask, frame, source)
    region = _region(frame, mask, as_flag("in_fg_region", in_fg_region))
    own = source is None and defect is None and not elastic
    recipe, shape = _drawn(frame, draw, defect, lambda: _recipe(frame, draw, count, elastic, own), min_area, region)
    pieces = _pieces(shape, region.mask, draw)
    final = _union(frame.shape, pieces)
    if region.mask is not None and region.strict:
        pieces, final = _kept_inside(pieces, final, region.mask, cv2.countNonZero(shape), draw)
    pixels = frame.crop() if source is None else resize(source, frame.shape)
    return _pasted(pixels, recipe, pieces, final, draw)


# --------------------------------------------------------------------------------------------------------------------
# Where


def _region(frame: Frame, mask: Any, in_fg_region: bool) -> Region:
    """The user's ROIs, else the automatic foreground, else all."""
    if mask is None and frame.roi is not None:
        return Region(frame.roi, strict=True)
    if mask is None:
        return Region(foreground_of(frame) if in_fg_region else None, strict=False)
    region = as_mask("mask", mask, frame.shape)
    if frame.roi is not None:
        region = cv2.bitwise_and(region, frame.roi)
        if not cv2.hasNonZero(region):
            raise ValueError("`mask` must share at least one pixel with `roi`, got two that do not meet")
    return Region(region, strict=True)


def _as_source_mask(value: Any, frame: Frame, source: np.ndarray | None) -> np.ndarray:
    """The anomaly in the source, at the image's size; a defect of a pixel is not lost when shrinking."""
    defect = as_mask("source_mask", value)
    sizes = [frame.shape] if source is None else [source.shape[:2], frame.shape]
    if defect.shape not in sizes:
        known = " or ".join(str(size) for size in dict.fromkeys(sizes))
        raise ValueError(f"`source_mask` must have the size of the source or the image, {known}, got {defect.shape}")
    resized = resize(defect, frame.shape, nearest=True)
    if not cv2.hasNonZero(resized):
        rows, columns = np.nonzero(defect)
        resized[rows * frame.height // defect.shape[0], columns * frame.width // defect.shape[1]] = 255
    return resized


# --------------------------------------------------------------------------------------------------------------------
# What: ten operations, three of which are drawn (defaults of albumentations where BGAD gives no number)


def _recipe(frame: Frame, draw: Draw, count: int, elastic: bool, own: bool) -> Recipe:
    """`own`: the image pastes itself, so that something has to happen."""
    names = tuple(OPERATIONS)
    picks = [names[i] for i in draw.rng.permutation(len(names))[:count]]
    draw.keep("operations", picks)
    recipe = Recipe(warp.Warp(frame.shape))
    if elastic:
        recipe.warp.steps += warp.elastic(frame.shape, draw.rng)
    for name in picks:
        OPERATIONS[name](frame, draw, recipe)
    if own and not recipe.warp.steps and not recipe.effects:
        recipe.warp.steps.append(warp.flip(frame.shape, vertical=True, horizontal=True))
    return recipe


def _one_of(draw: Draw, name: str, chance: float, options: Sequence[str], weights: Sequence[float]) -> str | None:
    """albumentations' OneOf: nothing, or one option by its weight."""
    fires, place = draw.rng.random(2)
    picked = options[int(np.searchsorted(np.cumsum(weights), place * sum(weights), side="right"))]
    return draw.keep(name, picked if fires < chance else None)


def _rotate90(frame: Frame, draw: Draw, recipe: Recipe) -> None:
    """RandomRotate90, p 0.5."""
    if draw.flag("rotate90"):
        recipe.warp.steps.append(warp.quarter_turns(frame.shape, draw.integer("quarter_turns", 0, 3)))


def _flip(frame: Frame, draw: Draw, recipe: Recipe) -> None:
    """Flip, p 0.5: upside down, left to right, or both."""
    if draw.flag("flip"):
        way = draw.choice("flip_direction", ("vertical", "horizontal", "both"))
        step = warp.flip(frame.shape, vertical=way != "horizontal", horizontal=way != "vertical")
        recipe.warp.steps.append(step)


def _transpose(frame: Frame, draw: Draw, recipe: Recipe) -> None:
    """Transpose, p 0.5."""
    if draw.flag("transpose"):
        recipe.warp.steps.append(warp.transpose(frame.shape))


def _optical_distortion(frame: Frame, draw: Draw, recipe: Recipe) -> None:
    """OpticalDistortion(distort_limit=1), p 1."""
    recipe.warp.steps.append(warp.optical_distortion(frame.shape, draw.uniform("optical_k", -1, 1)))


def _noise(frame: Frame, draw: Draw, recipe: Recipe) -> None:
    """One of IAAAdditiveGaussianNoise (one value a pixel) and GaussNoise (one a channel), p 0.2."""
    kind = _one_of(draw, "noise", 0.2, ("additive", "gauss"), (1, 1))
    if kind == "additive":
        _add_noise(frame, recipe, draw.uniform("noise_std", 0.01 * 255, 0.05 * 255), 1)
    elif kind == "gauss":
        _add_noise(frame, recipe, math.sqrt(draw.uniform("noise_variance", 10, 50)), frame.channels)


def _add_noise(frame: Frame, recipe: Recipe, std: float, planes: int) -> None:
    scale = np.float32(std * frame.peak / 255)

    def change(content: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Only where the mask is: normal numbers are dear."""
        where = np.flatnonzero(mask)
        values = content.reshape(-1, content.shape[2])
        noise = rng.standard_normal((len(where), planes), np.float32) * scale
        values[where] = _as_content(values[where] + noise, content.dtype, frame.peak)
        return content

    recipe.effects.append(Effect(change))


def _as_content(values: np.ndarray, dtype: np.dtype, peak: float) -> np.ndarray:
    clipped = np.clip(values, 0, peak)
    return np.rint(clipped).astype(np.uint8) if dtype == np.uint8 else clipped.astype(np.float32, copy=False)


def _blur(frame: Frame, draw: Draw, recipe: Recipe) -> None:
    """One of MotionBlur (3 to 7 pixels), MedianBlur 3 and Blur 3, p 0.2."""
    kind = _one_of(draw, "blur", 0.2, ("motion", "median", "box"), (0.2, 0.1, 0.1))
    if kind == "motion":
        kernel = _motion_kernel(draw)
        recipe.effects.append(Effect(lambda content, mask, rng: _filtered(content, kernel, frame.peak), dense=True))
    elif kind == "median":
        recipe.effects.append(Effect(lambda content, mask, rng: _median(content), dense=True))
    elif kind == "box":
        recipe.effects.append(Effect(lambda content, mask, rng: with_axis(cv2.blur(content, (3, 3))), dense=True))


def _motion_kernel(draw: Draw) -> np.ndarray:
    """A line between two different cells of a square of 3, 5 or 7."""
    side = draw.choice("blur_size", (3, 5, 7))
    start, end = draw.sample("blur_line", side * side, 2)
    kernel = np.zeros((side, side), np.uint8)
    cv2.line(kernel, divmod(start, side), divmod(end, side), 1)
    return kernel.astype(np.float32) / kernel.sum()


def _filtered(content: np.ndarray, kernel: np.ndarray, peak: float) -> np.ndarray:
    result = with_axis(cv2.filter2D(content, -1, kernel, borderType=cv2.BORDER_REFLECT_101))
    return result if content.dtype == np.uint8 else np.clip(result, 0, np.float32(peak))


def _median(content: np.ndarray) -> np.ndarray:
    if content.shape[2] in (1, 3, 4):
        return with_axis(cv2.medianBlur(content, 3))
    planes = [cv2.medianBlur(np.ascontiguousarray(content[..., i]), 3) for i in range(content.shape[2])]
    return np.stack(planes, axis=2)


def _shift_scale_rotate(frame: Frame, draw: Draw, recipe: Recipe) -> None:
    """ShiftScaleRotate(shift_limit=0.0625, scale_limit=0.2, rotate_limit=45), p 0.2."""
    if draw.flag("shift_scale_rotate", 0.2):
        shift = draw.uniform("shift_rows", -0.0625, 0.0625), draw.uniform("shift_columns", -0.0625, 0.0625)
        scale, angle = draw.uniform("shift_scale", 0.8, 1.2), draw.uniform("shift_angle", -45, 45)
        recipe.warp.steps.append(warp.shift_scale_rotate(frame.shape, shift, scale, angle))


def _distortion(frame: Frame, draw: Draw, recipe: Recipe) -> None:
    """One of OpticalDistortion (k within 0.05), GridDistortion (5 cells a side, within 0.3) and IAAPiecewiseAffine
    (4 x 4 points, moved by a normal of 0.03 to 0.05 of the side; bilinear between them), p 0.2."""
    kind = _one_of(draw, "distortion", 0.2, ("optical", "grid", "piecewise_affine"), (0.3, 0.1, 0.3))
    if kind == "optical":
        recipe.warp.steps.append(warp.optical_distortion(frame.shape, draw.uniform("distortion_k", -0.05, 0.05)))
    elif kind == "grid":
        rows, columns = draw.keep("distortion_cells", draw.rng.uniform(0.7, 1.3, (2, 5)).tolist())
        recipe.warp.steps.append(warp.grid_distortion(frame.shape, np.array(rows), np.array(columns)))
    elif kind == "piecewise_affine":
        shifts = draw.rng.normal(0, draw.uniform("distortion_scale", 0.03, 0.05), (4, 4, 2))
        recipe.warp.steps.append(warp.piecewise_affine(frame.shape, shifts))


def _sharpening(frame: Frame, draw: Draw, recipe: Recipe) -> None:
    """One of CLAHE (clip limit 1 to 2), IAASharpen, IAAEmboss and RandomBrightnessContrast (0.2 each), p 0.3."""
    kinds = ("clahe", "sharpen", "emboss", "brightness_contrast")
    kind = _one_of(draw, "sharpening", 0.3, kinds, (1, 1, 1, 1))
    if kind == "clahe":
        limit = draw.uniform("clahe_limit", 1, 2)
        recipe.effects.append(Effect(lambda content, mask, rng: _clahe(content, limit, frame), dense=True))
    elif kind in ("sharpen", "emboss"):
        kernel = _sharpen_kernel(draw) if kind == "sharpen" else _emboss_kernel(draw)
        recipe.effects.append(Effect(lambda content, mask, rng: _filtered(content, kernel, frame.peak), dense=True))
    elif kind == "brightness_contrast":
        contrast, brightness = draw.uniform("contrast", 0.8, 1.2), draw.uniform("brightness", -0.2, 0.2)
        recipe.effects.append(
            Effect(lambda content, mask, rng: _linear(content, contrast, brightness * frame.peak, frame.peak))
        )


def _blended(kernel: list[list[float]], alpha: float) -> np.ndarray:
    identity = np.zeros((3, 3), np.float32)
    identity[1, 1] = 1
    return (1 - alpha) * identity + np.float32(alpha) * np.array(kernel, np.float32)


def _sharpen_kernel(draw: Draw) -> np.ndarray:
    alpha, lightness = draw.uniform("sharpen_alpha", 0.2, 0.5), draw.uniform("sharpen_lightness", 0.5, 1)
    return _blended([[-1, -1, -1], [-1, 8 + lightness, -1], [-1, -1, -1]], alpha)


def _emboss_kernel(draw: Draw) -> np.ndarray:
    alpha, s = draw.uniform("emboss_alpha", 0.2, 0.5), draw.uniform("emboss_strength", 0.2, 0.7)
    return _blended([[-1 - s, -s, 0], [-s, 1, s], [0, s, 1 + s]], alpha)


def _linear(content: np.ndarray, factor: float, offset: float, peak: float) -> np.ndarray:
    if content.dtype == np.uint8:
        table = np.rint(np.clip(np.arange(256) * factor + offset, 0, 255)).astype(np.uint8)
        return with_axis(cv2.LUT(content, table))
    return np.clip(content * np.float32(factor) + np.float32(offset), 0, np.float32(peak))


def _clahe(content: np.ndarray, limit: float, frame: Frame) -> np.ndarray:
    """On the lightness of RGB, else on each channel, with tiles as large as on the whole image."""
    height, width, channels = content.shape
    tiles = max(1, round(TILES * width / frame.width)), max(1, round(TILES * height / frame.height))
    equalizer = cv2.createCLAHE(clipLimit=limit, tileGridSize=tiles)
    if channels == 3 and content.dtype == np.uint8:
        lab = cv2.cvtColor(content, cv2.COLOR_RGB2LAB)
        lab[..., 0] = equalizer.apply(np.ascontiguousarray(lab[..., 0]))
        return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    if channels == 3:
        lab = cv2.cvtColor(content / np.float32(frame.peak), cv2.COLOR_RGB2LAB)
        lab[..., 0] = _equalized(lab[..., 0], equalizer, 100)
        return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * np.float32(frame.peak), 0, np.float32(frame.peak))
    return np.stack([_equalized(content[..., i], equalizer, frame.peak) for i in range(channels)], axis=2)


def _equalized(plane: np.ndarray, equalizer: cv2.CLAHE, peak: float) -> np.ndarray:
    """CLAHE knows bytes: other values are moved as much as their byte is, and keep their finer differences."""
    if plane.dtype == np.uint8:
        return equalizer.apply(np.ascontiguousarray(plane))
    unit = np.float32(peak / 255)
    level = np.clip(np.rint(plane / unit), 0, 255).astype(np.uint8)
    change = equalizer.apply(level).astype(np.float32) - level
    return np.clip(plane + change * unit, 0, np.float32(peak))


def _hue_saturation_value(frame: Frame, draw: Draw, recipe: Recipe) -> None:
    """HueSaturationValue(20, 30, 20) in OpenCV's units, p 0.3; without three channels only the value moves."""
    if draw.flag("hue_saturation_value", 0.3):
        shifts = draw.uniform("hue", -20, 20), draw.uniform("saturation", -30, 30), draw.uniform("value", -20, 20)
        recipe.effects.append(Effect(lambda content, mask, rng: _shifted_hsv(content, shifts, frame.peak)))


def _shifted_hsv(content: np.ndarray, shifts: tuple[float, float, float], peak: float) -> np.ndarray:
    hue, saturation, value = shifts
    if content.shape[2] != 3:
        return _linear(content, 1, value * peak / 255, peak)
    hsv = cv2.cvtColor(content, cv2.COLOR_RGB2HSV)
    if content.dtype == np.uint8:
        steps = np.arange(256)
        tables = [(steps + round(hue)) % 180, *(np.clip(steps + round(v), 0, 255) for v in (saturation, value))]
        return cv2.cvtColor(cv2.LUT(hsv, np.stack(tables, axis=1).astype(np.uint8)[None]), cv2.COLOR_HSV2RGB)
    hsv[..., 0] = (hsv[..., 0] + np.float32(2 * hue)) % 360
    hsv[..., 1] = np.clip(hsv[..., 1] + np.float32(saturation / 255), 0, 1)
    hsv[..., 2] = np.clip(hsv[..., 2] + np.float32(value * peak / 255), 0, peak)
    return np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), 0, np.float32(peak))


OPERATIONS: dict[str, Callable[[Frame, Draw, Recipe], None]] = {
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


# --------------------------------------------------------------------------------------------------------------------
# The shape


def _drawn(
    frame: Frame,
    draw: Draw,
    defect: np.ndarray | None,
    recipe_of: Callable[[], Recipe],
    min_area: float,
    region: Region,
) -> tuple[Recipe, np.ndarray]:
    """A recipe and the shape that it leaves, redrawn while the shape is too small; never empty."""
    wanted = max(1.0, min_area * frame.height * frame.width)
    zoom = None if defect is None else _zoom(defect, draw)
    if defect is not None:  # a small defect stays small
        share = 1.0 if draw.severity is None else draw.drawn["defect_share"][-1]
        wanted = max(1.0, min(wanted, share * cv2.countNonZero(defect) / 2))
    best: tuple[Recipe, np.ndarray] | None = None
    most = 0
    for _ in range(TRIES):
        recipe = recipe_of()
        shape = _shape(frame, draw, defect, recipe, zoom)
        area = cv2.countNonZero(shape)
        if best is None or area > most:
            best, most = (recipe, shape), area
        if area >= wanted:
            break
    assert best is not None
    box = None if most >= wanted or (defect is not None and most) else fallback_box(frame, draw, region.mask)
    if box is not None and box.height * box.width > most:
        shape = np.zeros(frame.shape, np.uint8)
        shape[box.slices] = 255
        return best[0], shape
    return best


def _zoom(defect: np.ndarray, draw: Draw) -> warp.Step | None:
    """With a severity the defect is drawn smaller, about its centre."""
    if draw.severity is None:
        return None
    share = draw.keep("defect_share", SMALLEST_SHARE + (1 - SMALLEST_SHARE) * draw.severity)
    left, top, width, height = cv2.boundingRect(defect)
    return warp.zoom((top + (height - 1) / 2, left + (width - 1) / 2), math.sqrt(share))


def _shape(frame: Frame, draw: Draw, defect: np.ndarray | None, recipe: Recipe, zoom: warp.Step | None) -> np.ndarray:
    """The defect under the warp, or Perlin noise where the warp has something to show; a mask of its own."""
    if defect is None:
        return recipe.warp.drop_invalid(perlin_mask(frame, draw))
    if zoom is not None:
        recipe.warp.steps.insert(0, zoom)
    return recipe.warp.mask(defect)


# --------------------------------------------------------------------------------------------------------------------
# The pieces and their places


def _pieces(shape: np.ndarray, region: np.ndarray | None, draw: Draw) -> list[Piece]:
    """The shape where it is if most of it lies on the region, else its components, each at a place of its own."""
    box = _bounding_box(shape)
    part = shape[box.slices]
    whole = Piece(box, part, box.top, box.left)
    if region is None:
        return [whole]
    on_region = cv2.countNonZero(cv2.bitwise_and(part, region[box.slices]))
    if on_region > IN_PLACE * cv2.countNonZero(part):
        return [whole]
    places = _Places(region)
    pieces = _components(box, part)
    numbers = draw.rng.random((len(pieces), 3))
    moved = [places.move(piece, *where) for piece, where in zip(pieces, numbers.tolist(), strict=True)]
    draw.keep("places", [[piece.top, piece.left] for piece in moved])
    return moved


def _components(box: Box, part: np.ndarray) -> list[Piece]:
    """The 8-connected components, largest box first; the last piece holds all that are too many."""
    count, labels = cv2.connectedComponents(part, connectivity=8)
    places = _outer_boxes(part, labels)
    pieces = []
    for label, place in places[: MAX_PIECES - 1]:
        pieces.append(_piece(box, place.top, place.left, _binary(labels[place.slices] == label)))
    if len(places) >= MAX_PIECES:
        chosen = np.zeros(count, np.uint8)
        chosen[[label for label, _ in places[MAX_PIECES - 1 :]]] = 255
        specks = chosen[labels]
        around = _bounding_box(specks)
        pieces.append(_piece(box, around.top, around.left, np.ascontiguousarray(specks[around.slices])))
    return pieces


def _outer_boxes(part: np.ndarray, labels: np.ndarray) -> list[tuple[int, Box]]:
    """Label and bounding box of each component, from its outer contour: much faster than OpenCV's statistics."""
    contours, hierarchy = cv2.findContours(part, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour, (_, _, _, parent) in zip(contours, hierarchy[0].tolist(), strict=True):
        if parent < 0:  # the contours of holes have a parent
            column, row = contour[0, 0].tolist()
            left, top, width, height = cv2.boundingRect(contour)
            found.append((int(labels[row, column]), Box(top, left, height, width)))
    return sorted(found, key=lambda item: (-item[1].height * item[1].width, item[1]))


def _piece(box: Box, top: int, left: int, mask: np.ndarray) -> Piece:
    place = Box(box.top + top, box.left + left, *mask.shape)
    return Piece(place, mask, place.top, place.left)


def _bounding_box(mask: np.ndarray) -> Box:
    left, top, width, height = cv2.boundingRect(mask)
    return Box(top, left, height, width)


class _Places:
    """Points of a region by their distance to its border, in which the image's border counts."""

    def __init__(self, region: np.ndarray) -> None:
        self.shape = region.shape
        scale = min(1.0, PLACING_SIDE / max(region.shape))
        small = resize(region, (max(1, round(region.shape[0] * scale)), max(1, round(region.shape[1] * scale))))
        self.cell = region.shape[0] / small.shape[0], region.shape[1] / small.shape[1]
        solid = _binary(small == 255)
        if not cv2.hasNonZero(solid):  # an ROI thinner than a cell
            solid = _binary(small == small.max()) if small.any() else _cells(region, small.shape)
        ringed = cv2.copyMakeBorder(solid, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        self.distance = np.ascontiguousarray(cv2.distanceTransform(ringed, cv2.DIST_C, 3)[1:-1, 1:-1]).ravel()
        self.columns = small.shape[1]
        self.deepest = float(self.distance.max())

    def move(self, piece: Piece, pick: float, down: float, right: float) -> Piece:
        """The piece about a point that keeps its box inside the region, else about one deep in the region."""
        height, width = piece.box.height, piece.box.width
        needed = 1 + max(height // 2, width // 2) / min(self.cell)
        fitting = np.flatnonzero(self.distance >= (needed if needed <= self.deepest else max(self.deepest / 2, 1)))
        row, column = divmod(int(fitting[int(pick * len(fitting))]), self.columns)
        top = int((row + down) * self.cell[0]) - height // 2
        left = int((column + right) * self.cell[1]) - width // 2
        top, left = min(max(top, 0), self.shape[0] - height), min(max(left, 0), self.shape[1] - width)
        return piece._replace(top=top, left=left)


def _binary(mask: np.ndarray) -> np.ndarray:
    return mask.astype(np.uint8) * np.uint8(255)


def _cells(region: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The cells of a thumbnail that hold a pixel of the region."""
    cells = np.zeros(shape, np.uint8)
    rows, columns = np.nonzero(region)
    cells[rows * shape[0] // region.shape[0], columns * shape[1] // region.shape[1]] = 255
    return cells


def _union(shape: tuple[int, int], pieces: list[Piece]) -> np.ndarray:
    """The pieces at their places, (H, W)."""
    canvas = np.zeros(shape, np.uint8)
    for piece in pieces:
        canvas[piece.target.slices] |= piece.mask
    return canvas


def _kept_inside(
    pieces: list[Piece], final: np.ndarray, region: np.ndarray, area: int, draw: Draw
) -> tuple[list[Piece], np.ndarray]:
    """Cut to the region; where that or overlaps took more than half of `area`, grown inside until half is there."""
    final = cv2.bitwise_and(final, region)
    missing = min((area + 1) // 2, cv2.countNonZero(region)) - cv2.countNonZero(final)
    if missing <= 0:
        return pieces, final
    if not cv2.hasNonZero(final):
        seeds = np.flatnonzero(region)
        final.reshape(-1)[seeds[int(draw.rng.random() * len(seeds))]] = 255
        missing -= 1
    if missing > 0:
        free = np.flatnonzero(cv2.bitwise_and(region, cv2.bitwise_not(final)))
        distance = cv2.distanceTransform(cv2.bitwise_not(final), cv2.DIST_L2, 3).ravel()[free]
        nearest = np.argpartition(distance, missing - 1)[:missing]
        final.reshape(-1)[free[nearest]] = 255
    box = _bounding_box(final)
    return [Piece(box, final[box.slices], box.top, box.left), *pieces], final


# --------------------------------------------------------------------------------------------------------------------
# The content


def _pasted(pixels: np.ndarray, recipe: Recipe, pieces: list[Piece], final: np.ndarray, draw: Draw) -> Insertion:
    """The pieces' pixels of the augmented source at their places; later pieces win."""
    shape = pixels.shape[:2]
    moved = any((piece.top, piece.left) != (piece.box.top, piece.box.left) for piece in pieces)
    wanted = final
    if moved:
        wanted = _union(shape, [piece._replace(top=piece.box.top, left=piece.box.left) for piece in pieces])
    origin, content = _augmented(pixels, recipe, wanted, draw)
    box = _bounding_box(final)
    if not moved:
        inner = _shifted(box, origin)
        return Insertion(box, content[inner.slices], final[box.slices], draw.opacity())
    result = np.zeros((*shape, pixels.shape[2]), pixels.dtype)
    for piece in pieces:
        own = content[_shifted(piece.box, origin).slices]
        cv2.copyTo(np.ascontiguousarray(own), np.ascontiguousarray(piece.mask), result[piece.target.slices])
    return Insertion(box, result[box.slices], final[box.slices], draw.opacity())


def _shifted(box: Box, origin: Box) -> Box:
    return Box(box.top - origin.top, box.left - origin.left, box.height, box.width)


def _augmented(pixels: np.ndarray, recipe: Recipe, wanted: np.ndarray, draw: Draw) -> tuple[Box, np.ndarray]:
    """The augmented source about the pixels that are wanted, and where that lies."""
    box, dense = _bounding_box(wanted), any(effect.dense for effect in recipe.effects)
    if dense:
        top, left = max(box.top - MARGIN, 0), max(box.left - MARGIN, 0)
        bottom = min(box.top + box.height + MARGIN, wanted.shape[0])
        box = Box(top, left, bottom - top, min(box.left + box.width + MARGIN, wanted.shape[1]) - left)
    content = recipe.warp.image(pixels, box, None if dense else wanted)
    mask = np.ascontiguousarray(wanted[box.slices])
    for effect in recipe.effects:
        content = np.ascontiguousarray(effect.change(content, mask, draw.rng))
    return box, content
