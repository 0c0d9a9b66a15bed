"""Tiles of the image warped by random affine maps: as they are (AA), recoloured (AAC) or filled with a source (AAS)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.core import ops
from pail.core.box import Box
from pail.core.checks import MAX_SIDE, as_choice, as_number, as_sequence, as_size
from pail.core.composite import Insertion, through_mask
from pail.core.draw import SEVERITY, Draw
from pail.core.frame import PAPER_SIDE, Frame
from pail.pixels.affine import affine_maps, warp_tiles
from pail.pixels.damage import damage
from pail.pixels.placing import fallback_box
from pail.pixels.recolour import recolour
from pail.pixels.similarity import sample_step, similarities
from pail.pixels.tiles import Block, Tiling

VARIANTS = (None, "AA", "AAC", "AAS")
SMALLEST_TILE = 4
CHUNK_PIXELS = 1 << 17  # tiles are warped in batches that stay in the cache


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
    around = frame.region_box
    part = frame.part(around)
    tiling = Tiling(*part.shape, _tile_side(part, draw, sizes, measured_at))
    work = _Work(part, draw, tiling, ssim_threshold, paints=variant != "AAS")
    work.warp_all(_select(part, draw, tiling, p_patch))
    content = work.content
    if variant == "AAC":
        recolour(part, draw, content, work.mask)
    elif source is not None and variant == "AAS":
        content = _from_source(frame, draw, source, p_damage, n_damage)[around.slices]
    insertion = through_mask(work.mask, content, draw.opacity())
    return insertion._replace(box=insertion.box.shift(around.top, around.left))


def _variant(frame: Frame, draw: Draw, variant: Any, source: np.ndarray | None) -> str:
    """The variant asked for; else AAS with a source, AA or AAC without, and AAC where warping would change nothing."""
    variant = as_choice("variant", variant, VARIANTS)
    if variant == "AAS" and source is None:
        raise ValueError("`variant` 'AAS' needs `anom_source_img`, got None")
    if variant is not None:
        return variant
    if source is not None:
        return "AAS"
    variant = draw.choice("variant", ("AA", "AAC"))
    return "AAC" if _is_constant(frame) else variant


def _is_constant(frame: Frame) -> bool:
    pixels = frame.image.reshape(frame.height * frame.width, -1)
    sample = pixels[:: max(1, len(pixels) // 64)]
    return bool((sample == sample[0]).all() and (pixels == pixels[0]).all())


def _tile_side(frame: Frame, draw: Draw, sizes: list[float], measured_at: tuple[int, int] | None) -> int:
    """p in pixels. Sizes are parts of the shorter side; with `resize`, they are as long as at 256 pixels there.

    `frame` is the part of the image around the region.
    """
    scale = 1.0 if measured_at is None else PAPER_SIDE / min(measured_at)
    side = round(draw.choice("patch_size", sizes) * frame.side * scale)
    smallest = SMALLEST_TILE
    if frame.roi is not None:  # of a small region one such tile is much
        smallest = min(SMALLEST_TILE, max(2, frame.side // SMALLEST_TILE))
    return draw.keep("tile", min(max(side, smallest), frame.side))


def _select(frame: Frame, draw: Draw, tiling: Tiling, p_patch: float) -> np.ndarray:
    """Sorted indices of the tiles to warp, each drawn with the same chance; at least one that meets the region."""
    if draw.severity is not None:
        low, high = (min(p_patch * scale, 1.0) for scale in SEVERITY["p_patch"])
        p_patch = draw.scaled("p_patch", low, high)
    flags = draw.rng.random(tiling.size) < p_patch
    spare = draw.rng.random()
    if frame.roi is None:
        flags[int(spare * tiling.size)] |= not flags.any()
    else:
        inside = tiling.inside(frame.roi)
        flags &= inside > 0
        if not flags.any():  # a pixel of the region as likely as another
            flags[np.searchsorted(np.cumsum(inside), spare * inside.sum(), side="right")] = True
    return draw.keep("tiles", np.flatnonzero(flags))


def _from_source(frame: Frame, draw: Draw, source: np.ndarray, p_damage: float, n_damage: int) -> np.ndarray:
    content = ops.resize(source, frame.shape)
    return damage(content, draw, frame.peak, n_damage) if draw.flag("damaged", p_damage) else content


class _Batch(NamedTuple):
    """Warped tiles of a block, by row and column in it."""

    block: Block
    row: np.ndarray
    column: np.ndarray
    pixels: np.ndarray  # (n, h, w, C)
    valid: np.ndarray  # uint8 {0, 255} (n, h, w)


class _Tile(NamedTuple):
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
        self.best: _Tile | None = None

    def warp_all(self, selected: np.ndarray) -> None:
        rows, columns = np.divmod(selected, self.tiling.columns)
        accepted = False
        for block in self.tiling.blocks():
            row, column = rows - block.row, columns - block.column
            here = (row >= 0) & (row < block.rows) & (column >= 0) & (column < block.columns)
            if here.any():
                accepted |= self._warp_block(block, row[here], column[here])
        if not accepted:
            self._accept_best()

    def _warp_block(self, block: Block, row: np.ndarray, column: np.ndarray) -> bool:
        shape = block.height, block.width
        maps = affine_maps(self.draw, len(row), *shape)
        origins = self._origins(block, row, column)
        step = max(1, min(CHUNK_PIXELS // (shape[0] * shape[1]), MAX_SIDE // shape[0]))
        accepted = False
        for start in range(0, len(row), step):
            part = slice(start, start + step)
            pixels, valid = warp_tiles(self.image, shape, maps[..., part], origins[part])
            accepted |= self._judge(_Batch(block, row[part], column[part], pixels, valid))
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

    def _judge(self, batch: _Batch) -> bool:
        """Keep the tiles of a batch that are unlike the original."""
        block, row, column, pixels, valid = batch
        if self.frame.roi is not None:
            valid &= block.split(self.frame.roi)[row, :, column]
        step = sample_step(block.height, block.width)
        small, mask = (np.ascontiguousarray(array[:, ::step, ::step]) for array in (pixels, valid))
        original = block.split(self.image)[:, ::step, :, ::step][row, :, column]
        similarity = similarities(small, original, mask, self.frame.peak)
        usable = valid.reshape(len(valid), -1).any(axis=1)
        keep = usable & (similarity < self.threshold)
        if not keep.any():
            self._remember(batch, np.where(usable, similarity, math.inf))
            return False
        if self.paints:  # all of a tile: what is not valid stays outside the mask
            block.split(self.content)[row[keep], :, column[keep]] = pixels[keep]
        block.split(self.mask)[row[keep], :, column[keep]] = valid[keep]
        return True

    def _remember(self, batch: _Batch, similarity: np.ndarray) -> None:
        index = int(similarity.argmin())
        if similarity[index] < (math.inf if self.best is None else self.best.similarity):
            box = batch.block.tile(int(batch.row[index]), int(batch.column[index]))
            pixels, valid = batch.pixels[index].copy(), batch.valid[index].copy()
            self.best = _Tile(box, pixels, valid, float(similarity[index]))

    def _accept_best(self) -> None:
        """The tile that least resembles the original, or a square of other pixels where no tile has any."""
        if self.best is None:
            self._paste_square()
            return
        box, pixels, valid, _ = self.best
        self.mask[box.slices] = valid
        if self.paints:
            cv2.copyTo(pixels, valid, self.content[box.slices])

    def _paste_square(self) -> None:
        box = fallback_box(self.frame, self.draw)
        self.mask[box.slices] = 255
        if self.paints:
            away = box.height if self.frame.side > box.height else 0
            self.content[box.slices] = np.roll(self.image, (away, away), (0, 1))[box.slices]
