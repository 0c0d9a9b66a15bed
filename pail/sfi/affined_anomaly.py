"""Tiles of the image warped by random affine maps: as they are (AA), recoloured (AAC) or filled with a source (AAS)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.checks import MAX_SIDE, as_choice, as_number, as_sequence, as_size
from pail.core.composite import Insertion, through_mask
from pail.core.draw import Draw
from pail.core.frame import Frame
from pail.core.ops import resize as resized
from pail.core.ops import with_axis
from pail.pixels.damage import damaged
from pail.pixels.placing import FALLBACK_FRACTION, place
from pail.pixels.segments import colour_segments

VARIANTS = (None, "AA", "AAC", "AAS")
PAPER_SIDE = 256
SMALLEST_TILE = 4
SEVERITY_SCALE = (0.2, 1.8)  # of `p_patch`, for severities 0 and 1
DEGENERATE = 0.05  # triangles below this share of a tile (twice their area) make no useful map
REDRAWS = 20
ROI_SHARE = 0.75  # of the area of the tiles drawn without an ROI, so that the valid parts make up half of theirs
CHUNK_PIXELS = 1 << 17  # tiles are warped in batches that stay in the cache
RECOLOURED = 10  # segments
RANGE_LINES = 64  # of pixels that tell the range of levels
SSIM_WINDOW = 7
SSIM_SAMPLES = 8  # a side of a tile, at most twice
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def affined_anomlay(
    frame: Frame,
    draw: Draw,
    source: np.ndarray | None,
    *,
    resize: Any = None,
    patch_sizes: Any = (1 / 32, 1 / 16, 1 / 8, 1 / 4),
    p_patch: Any = 0.5,
    ssim_threshold: Any = 0.75,
    variant: Any = None,
    p_damage: Any = 0.5,
    n_damage: Any = 5,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.affined_anomlay`."""
    measured_at = as_size("resize", resize)
    sizes = as_sequence("patch_sizes", patch_sizes, lambda name, size: as_number(name, size, 0, 1, above=True))
    p_patch = as_number("p_patch", p_patch, 0, 1)
    ssim_threshold = as_number("ssim_threshold", ssim_threshold, -1, 2)
    p_damage = as_number("p_damage", p_damage, 0, 1)
    n_damage = int(as_number("n_damage", n_damage, 0, 100, integer=True))
    variant = _variant(frame, draw, variant, source)
    tiling = Tiling(*frame.shape, _tile_side(frame, draw, sizes, measured_at))
    work = _Work(frame, draw, tiling, ssim_threshold, paints=variant != "AAS")
    work.warp_all(_selected(frame, draw, tiling, p_patch))
    content = work.content
    if variant == "AAC" or (variant == "AA" and work.is_unchanged()):
        _recolour(frame, draw, content, work.mask)
    elif source is not None and variant == "AAS":
        content = _damaged_source(frame, draw, source, p_damage, n_damage)
    return through_mask(work.mask, content, draw.opacity())


def _variant(frame: Frame, draw: Draw, variant: Any, source: np.ndarray | None) -> str:
    """The variant asked for; else AAS with a source, AA or AAC without, and AAC where warping could change nothing."""
    variant = as_choice("variant", variant, VARIANTS)
    if variant == "AAS" and source is None:
        raise ValueError("`variant` 'AAS' needs `anom_source_img`, got None")
    if variant is None:
        variant = draw.choice("variant", ("AA", "AAC")) if source is None else "AAS"
    return "AAC" if variant == "AA" and _is_constant(frame) else variant


def _is_constant(frame: Frame) -> bool:
    pixels = frame.image.reshape(frame.height * frame.width, -1)
    sample = pixels[:: max(1, len(pixels) // 64)]
    return bool((sample == sample[0]).all() and (pixels == pixels[0]).all())


def _tile_side(frame: Frame, draw: Draw, sizes: list[float], measured_at: tuple[int, int] | None) -> int:
    """p in pixels. Sizes are parts of the shorter side; with `resize`, they are as long as at 256 pixels there."""
    scale = 1.0 if measured_at is None else PAPER_SIDE / min(measured_at)
    side = round(draw.choice("patch_size", sizes) * frame.side * scale)
    return draw.keep("tile", min(max(side, SMALLEST_TILE), frame.side))


def _damaged_source(frame: Frame, draw: Draw, source: np.ndarray, p_damage: float, n_damage: int) -> np.ndarray:
    content = resized(source, frame.shape)
    return damaged(content, draw, frame.peak, n_damage) if draw.flag("damaged", p_damage) else content


# --------------------------------------------------------------------------------------------------------------------
# Which tiles


class Block(NamedTuple):
    """Equal tiles: the full ones, those cut off at the right or lower border, or the corner; `box` holds them all."""

    box: Box
    height: int
    width: int
    row: int  # of its first tile in the tiling
    column: int

    def split(self, image: np.ndarray) -> np.ndarray:
        """A view of the image as (row of tiles, height, column of tiles, width, ...)."""
        part = image[self.box.slices]
        rows, columns = self.box.height // self.height, self.box.width // self.width
        return part.reshape(rows, self.height, columns, self.width, *image.shape[2:])

    def lines(self, image: np.ndarray) -> np.ndarray:
        """The same as (row of tiles, height, column of tiles), a line of a tile's pixels being one item."""
        rows, columns = self.box.height // self.height, self.box.width // self.width
        size = math.prod(image.shape[2:])
        flat = image.reshape(len(image), -1)[self.box.slices[0]]
        flat = flat[:, self.box.left * size : (self.box.left + self.box.width) * size]
        return flat.view(f"V{self.width * size * image.itemsize}").reshape(rows, self.height, columns)


class Tiling(NamedTuple):
    """An image cut into tiles of `side` pixels; those at the right and lower border may be smaller."""

    image_height: int
    image_width: int
    side: int

    @property
    def rows(self) -> int:
        return -(-self.image_height // self.side)

    @property
    def columns(self) -> int:
        return -(-self.image_width // self.side)

    @property
    def size(self) -> int:
        return self.rows * self.columns

    def blocks(self) -> Iterator[Block]:
        side = self.side
        high, wide = self.image_height // side, self.image_width // side
        below, beside = self.image_height - high * side, self.image_width - wide * side
        for row, top, height, tall in ((0, 0, high * side, side), (high, high * side, below, below)):
            for column, left, width, broad in ((0, 0, wide * side, side), (wide, wide * side, beside, beside)):
                if height and width:
                    yield Block(Box(top, left, height, width), tall, broad, row, column)

    def areas(self) -> np.ndarray:
        """Pixels of each tile."""
        heights, widths = np.full(self.rows, self.side), np.full(self.columns, self.side)
        heights[-1] = self.image_height - (self.rows - 1) * self.side
        widths[-1] = self.image_width - (self.columns - 1) * self.side
        return np.outer(heights, widths).ravel()

    def inside(self, roi: np.ndarray) -> np.ndarray:
        """Pixels of each tile that lie in the ROI."""
        rows, columns = np.arange(self.rows) * self.side, np.arange(self.columns) * self.side
        total = cv2.integral((roi > 0).view(np.uint8))
        total = total[np.append(rows, self.image_height)][:, np.append(columns, self.image_width)]
        return np.diff(np.diff(total, axis=0), axis=1).ravel()


def _selected(frame: Frame, draw: Draw, tiling: Tiling, p_patch: float) -> np.ndarray:
    """Sorted indices of the tiles to warp, each drawn with the same chance, at least one."""
    if draw.severity is not None:
        low, high = (min(p_patch * scale, 1.0) for scale in SEVERITY_SCALE)
        p_patch = draw.scaled("p_patch", low, high)
    flags = draw.rng.random(tiling.size) < p_patch
    flags[int(draw.rng.random() * tiling.size)] |= not flags.any()
    if frame.roi is not None:
        flags = _in_roi(draw, flags, tiling.areas(), tiling.inside(frame.roi))
    return draw.keep("tiles", np.flatnonzero(flags))


def _in_roi(draw: Draw, flags: np.ndarray, areas: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The flagged tiles that meet the ROI, and more that do until enough of the flagged area lies in it."""
    chosen = flags & (inside > 0)
    lacking = areas[flags].sum() * ROI_SHARE - inside[chosen].sum()
    order = draw.rng.permutation(len(flags))
    order = order[(inside[order] > 0) & ~chosen[order]]
    order = order[np.argsort(inside[order] < areas[order] / 2, kind="stable")]
    before = np.cumsum(inside[order]) - inside[order]
    chosen[order[before < lacking]] = True
    return chosen


# --------------------------------------------------------------------------------------------------------------------
# Affine maps


def _affine_maps(draw: Draw, count: int, height: int, width: int) -> np.ndarray:
    """Maps (2, 3, count) from a tile's pixels to its content's, by three random pixels each; see `_solved`."""
    triangles = _triangles(draw, 2 * count, height, width)
    useless = np.flatnonzero(_degenerate(triangles, height, width))
    for _ in range(REDRAWS):
        if not len(useless):
            break
        triangles[useless] = redrawn = _triangles(draw, len(useless), height, width)
        useless = useless[_degenerate(redrawn, height, width)]
    points = triangles.reshape(count, 2, 3, 2)  # (tile, target or origin, corner, row or column)
    moved = np.unique(useless // 2)
    points[moved] = _shifts(draw, len(moved), height, width)
    draw.keep("triangles", points)
    return _solved(points.transpose(1, 2, 3, 0).astype(np.float32))


def _solved(corners: np.ndarray) -> np.ndarray:
    """(2, 3, count): maps from the first of two triangles (triangle, corner, axis, count) to the second.

    The place of a pixel's content along an axis is row * map[axis, 0] + column * map[axis, 1] + map[axis, 2].
    """
    target, origin = corners
    one, two = target[1] - target[0], target[2] - target[0]
    first, second = origin[1] - origin[0], origin[2] - origin[0]
    area = one[0] * two[1] - one[1] * two[0]
    down = (first * two[1] - second * one[1]) / area
    across = (second * one[0] - first * two[0]) / area
    return np.stack([down, across, origin[0] - down * target[0, 0] - across * target[0, 1]], axis=1)


def _triangles(draw: Draw, count: int, height: int, width: int) -> np.ndarray:
    """(count, corner, row or column)."""
    return (draw.rng.random((count, 3, 2)) * (height, width)).astype(np.int32)


def _degenerate(triangles: np.ndarray, height: int, width: int) -> np.ndarray:
    corners = triangles.transpose(1, 2, 0)
    one, two = corners[1] - corners[0], corners[2] - corners[0]
    return np.abs(one[0] * two[1] - one[1] * two[0]) < max(DEGENERATE * height * width, 1)


def _shifts(draw: Draw, count: int, height: int, width: int) -> np.ndarray:
    """Corners of translations, by at least a pixel where there is room."""
    points = np.zeros((count, 2, 3, 2), np.int32)
    points[:, :, 1, 0] = points[:, :, 2, 1] = 1
    places = 1 + (draw.rng.random(count) * (height * width - 1)).astype(np.int32)
    shifts = np.stack(np.divmod(places % (height * width), width), axis=1)
    points[:, 1] += shifts[:, None]
    return points


# --------------------------------------------------------------------------------------------------------------------
# Warping


class Tile(NamedTuple):
    """A warped tile that was not accepted, with how much it resembles the original."""

    box: Box
    pixels: np.ndarray
    valid: np.ndarray
    similarity: float


class _Work:
    """What grows from tile to tile: the content, the mask, and the best of the tiles turned down."""

    def __init__(self, frame: Frame, draw: Draw, tiling: Tiling, threshold: float, *, paints: bool) -> None:
        self.frame, self.draw, self.tiling, self.threshold, self.paints = frame, draw, tiling, threshold, paints
        self.image = frame.crop()
        self.content = self.image.copy() if paints else self.image
        self.mask = np.zeros(frame.shape, np.uint8)
        self.best: Tile | None = None
        self.is_poor = False  # whether no tile was accepted

    def is_unchanged(self) -> bool:
        return self.is_poor and bool((self.content == self.image).all())

    def warp_all(self, selected: np.ndarray) -> None:
        rows, columns = np.divmod(selected, self.tiling.columns)
        accepted = False
        for block in self.tiling.blocks():
            row, column = rows - block.row, columns - block.column
            last_row, last_column = block.box.height // block.height, block.box.width // block.width
            here = (row >= 0) & (row < last_row) & (column >= 0) & (column < last_column)
            if here.any():
                accepted |= self._warp_block(block, row[here], column[here])
        if not accepted:
            self._accept_best()

    def _warp_block(self, block: Block, row: np.ndarray, column: np.ndarray) -> bool:
        maps = _affine_maps(self.draw, len(row), block.height, block.width)
        origins = self._origins(block, row, column)
        step = max(1, min(CHUNK_PIXELS // (block.height * block.width), MAX_SIDE // block.height))
        accepted = False
        for start in range(0, len(row), step):
            part = slice(start, start + step)
            accepted |= self._warp(block, row[part], column[part], maps[..., part], origins[part])
        return accepted

    def _origins(self, block: Block, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Upper left corners (row, column) of where the content comes from: the tile or, as often, another one."""
        count, columns = self.tiling.size, self.tiling.columns
        own = (row + block.row) * columns + column + block.column
        steps = 1 + (self.draw.rng.random(len(row)) * (count - 1)).astype(int)
        places = np.where(self.draw.rng.random(len(row)) < 0.5, own, (own + steps) % count)
        self.draw.keep("origins", places)
        corners = np.stack(np.divmod(places, columns), axis=1) * self.tiling.side
        limits = self.frame.height - block.height, self.frame.width - block.width
        return np.minimum(corners, limits).astype(np.float32)

    def _warp(self, block: Block, row: np.ndarray, column: np.ndarray, maps: np.ndarray, origins: np.ndarray) -> bool:
        """Warp a batch of tiles and keep those that are unlike the original."""
        warped, valid = _warped(self.image, block, maps, origins)
        if self.frame.roi is not None:
            valid &= block.split(self.frame.roi)[row, :, column]
        step = _stride(block)
        small, mask = (np.ascontiguousarray(array[:, ::step, ::step]) for array in (warped, valid))
        original = block.split(self.image)[:, ::step, :, ::step][row, :, column]
        similarity = similarities(small, original, mask, self.frame.peak)
        usable = valid.reshape(len(valid), -1).any(axis=1)
        keep = usable & (similarity < self.threshold)
        if not keep.any():
            self._remember(block, row, column, warped, valid, np.where(usable, similarity, math.inf))
            return False
        if self.paints:  # all of a tile: what is not valid stays outside the mask
            block.lines(self.content)[row[keep], :, column[keep]] = _lines(warped)[keep]
        block.lines(self.mask)[row[keep], :, column[keep]] = _lines(valid)[keep]
        return True

    def _remember(
        self,
        block: Block,
        row: np.ndarray,
        column: np.ndarray,
        warped: np.ndarray,
        valid: np.ndarray,
        similarity: np.ndarray,
    ) -> None:
        index = int(similarity.argmin())
        if similarity[index] < (math.inf if self.best is None else self.best.similarity):
            top, left = block.box.top + row[index] * block.height, block.box.left + column[index] * block.width
            box = Box(int(top), int(left), block.height, block.width)
            self.best = Tile(box, warped[index].copy(), valid[index].copy(), float(similarity[index]))

    def _accept_best(self) -> None:
        """The tile that least resembles the original, or a square of other pixels where no tile has any."""
        self.is_poor = True
        if self.best is None:
            self._paste_square()
            return
        box, pixels, valid, _ = self.best
        self.mask[box.slices] = valid
        if self.paints:
            region = self.content[box.slices]
            region[valid > 0] = pixels[valid > 0]

    def _paste_square(self) -> None:
        side = max(1, round(self.frame.side * FALLBACK_FRACTION))
        target = place(self.frame, self.draw, side, side)
        top, left = max(target.top, 0), max(target.left, 0)
        bottom, right = min(target.top + side, self.frame.height), min(target.left + side, self.frame.width)
        self.mask[top:bottom, left:right] = 255
        if self.paints:
            shift = side if self.frame.side > side else 0
            moved = np.roll(self.image, (shift, shift), (0, 1))
            self.content[top:bottom, left:right] = moved[top:bottom, left:right]


def _lines(tiles: np.ndarray) -> np.ndarray:
    """Contiguous tiles (n, h, w, ...) as (n, h), a line of a tile's pixels being one item."""
    count, height = tiles.shape[:2]
    flat = tiles.reshape(count * height, -1)
    return flat.view(f"V{flat.shape[1] * flat.itemsize}").reshape(count, height)


def _warped(image: np.ndarray, block: Block, maps: np.ndarray, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Contents (n, h, w, C) of a batch of tiles and where they are valid, uint8 {0, 255} (n, h, w)."""
    shape = len(origins), block.height, block.width
    row, column = np.arange(shape[1], dtype=np.float32)[:, None], np.arange(shape[2], dtype=np.float32)
    places, valid = [], None
    for axis, size in enumerate(shape[1:]):
        down, across, offset = maps[axis, ..., None, None]
        where = down * row + offset + across * column
        strip = where.reshape(-1, shape[2])
        inside = cv2.inRange(strip, -0.5, size - 0.5 - 1e-3)
        valid = inside if valid is None else cv2.bitwise_and(valid, inside)
        np.clip(where, 0, size - 1, out=where)  # pixels of neighbours do not shine in
        where += origins[:, axis, None, None]
        places.append(strip)
    warped = cv2.remap(image, places[1], places[0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert valid is not None
    return warped.reshape(*shape, image.shape[2]), valid.reshape(shape)


# --------------------------------------------------------------------------------------------------------------------
# Structural similarity


def _stride(block: Block) -> int:
    """Similarity is a decision: of large tiles every n-th pixel is enough."""
    return max(1, min(block.height, block.width) // SSIM_SAMPLES)


def similarities(one: np.ndarray, other: np.ndarray, valid: np.ndarray, peak: float) -> np.ndarray:
    """Mean SSIM of the greys of two batches of tiles (n, h, w, C) over the valid pixels, which alone are looked at."""
    count, height, width = valid.shape
    sheet = np.empty((height, 6, count, width), np.float32)  # x, y, xx, yy, xy and valid
    planes = sheet.transpose(1, 0, 2, 3)
    solid = planes[5]
    solid[...] = valid.transpose(1, 0, 2)
    solid *= np.float32(1 / 255)
    for target, tiles in zip(planes, (one, other), strict=False):
        np.multiply(_grey(tiles, peak).transpose(1, 0, 2), solid, out=target)
    for index, first, second in ((2, 0, 0), (3, 1, 1), (4, 0, 1)):
        np.multiply(planes[first], planes[second], out=planes[index])
    # Sums over windows that end at the tile's border are two small products.
    sums = (_band(height) @ sheet.reshape(height, -1)).reshape(-1, width) @ _band(width)
    x, y, xx, yy, xy, pixels = sums.reshape(sheet.shape).transpose(1, 0, 2, 3)
    share = 1 / np.maximum(pixels, 1)
    similarity = _ssim(x * share, y * share, xx * share, yy * share, xy * share) * solid
    ones = np.ones(width, np.float32)  # products are faster than sums along short axes
    return (similarity.sum(axis=0) @ ones) / np.maximum(solid.sum(axis=0) @ ones, 1)


def _band(size: int) -> np.ndarray:
    """Multiplying by it adds up a window about each place."""
    places = np.arange(size)
    return (np.abs(places[:, None] - places) <= SSIM_WINDOW // 2).astype(np.float32)


def _ssim(x: np.ndarray, y: np.ndarray, xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """SSIM from the means of x, y and their products in a window."""
    product, squares = x * y, x * x + y * y
    above = (2 * product + SSIM_C1) * (2 * (xy - product) + SSIM_C2)
    return above / ((squares + SSIM_C1) * (xx + yy - squares + SSIM_C2))


def _grey(tiles: np.ndarray, peak: float) -> np.ndarray:
    """Tiles (n, h, w, C) as (n, h, w) in [0, 255]."""
    count, height, width, channels = tiles.shape
    if channels == 3:
        grey = cv2.cvtColor(tiles.reshape(-1, width, 3), cv2.COLOR_RGB2GRAY).reshape(count, height, width)
    else:
        grey = tiles.astype(np.float32, copy=False) @ np.full(channels, 1 / channels, np.float32)
    return grey if peak == 255 else grey * np.float32(255 / peak)


# --------------------------------------------------------------------------------------------------------------------
# AAC


def _recolour(frame: Frame, draw: Draw, content: np.ndarray, mask: np.ndarray) -> None:
    """Set one channel of each of about ten segments of `content` about the mask to a level."""
    left, top, width, height = cv2.boundingRect(mask)
    box = Box(top, left, height, width)
    region = content[box.slices]
    labels = colour_segments(region, frame.peak, RECOLOURED)
    chosen = [draw.integer("channel", 0, frame.channels - 1) for _ in range(RECOLOURED)]
    flags = np.zeros((RECOLOURED, frame.channels), np.uint8)
    levels = np.zeros((RECOLOURED, frame.channels), region.dtype)
    flags[range(RECOLOURED), chosen] = 255
    levels[range(RECOLOURED), chosen] = _levels(frame, draw, RECOLOURED, region)
    where, painted = (resized(_looked_up(table, labels), (height, width), nearest=True) for table in (flags, levels))
    if frame.channels == 1:
        where = where[..., 0]
    region[...] = with_axis(cv2.copyTo(painted, where, np.ascontiguousarray(region)))


def _looked_up(table: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """table[labels] of (labels, channels)."""
    full = np.zeros((256, table.shape[1]), table.dtype)
    full[: len(table)] = table
    return with_axis(cv2.merge([cv2.LUT(labels, np.ascontiguousarray(column)) for column in full.T]))


def _levels(frame: Frame, draw: Draw, count: int, region: np.ndarray) -> list[float]:
    """U(0, 1) of the region's range; of full scale, and far from the one level there is, where it is constant."""
    lines = region[:: max(1, len(region) // RANGE_LINES)]
    low, high = float(lines.min()), float(lines.max())
    span = high - low if high > low else frame.peak
    levels = [span * draw.uniform("level", 0, 1) for _ in range(count)]
    if high == low:
        levels = [(low + frame.peak / 2) % frame.peak if abs(x - low) < frame.peak / 8 else x for x in levels]
    return [round(level) for level in levels] if frame.image.dtype.kind == "u" else levels
