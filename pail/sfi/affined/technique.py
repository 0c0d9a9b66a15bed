"""Tiles of the image warped by random affine maps: as they are (AA), recolored (AAC) or filled with a source (AAS)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.core import ops
from pail.core.box import Box
from pail.core.checks import MAX_SIDE, as_choice, as_number, as_sequence, as_size
from pail.core.composite import Insertion, through_mask
from pail.core.image import PAPER_SIDE, NormalImage
from pail.core.sampler import SEVERITY, Sampler
from pail.pixels.placing import fallback_box
from pail.sfi.affined.affine import affine_maps, warp_tiles
from pail.sfi.affined.damage import damage
from pail.sfi.affined.recolor import recolor
from pail.sfi.affined.similarity import sample_step, similarities
from pail.sfi.affined.tiles import Block, Tiling

VARIANTS = (None, "AA", "AAC", "AAS")
SMALLEST_TILE = 4
CHUNK_PIXELS = 1 << 17  # tiles are warped in batches that stay in the cache


def affined_anomlay(
    image: NormalImage,
    sampler: Sampler,
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
    variant = _variant(image, sampler, variant, source)
    around = image.region_box
    part = image.part(around)
    tiling = Tiling(*part.shape, _tile_side(part, sampler, sizes, measured_at))
    work = _Work(part, sampler, tiling, ssim_threshold, paints=variant != "AAS")
    work.warp_all(_select(part, sampler, tiling, p_patch))
    content = work.content
    if variant == "AAC":
        recolor(part, sampler, content, work.mask)
    elif source is not None and variant == "AAS":
        content = _from_source(image, sampler, source, p_damage, n_damage)[around.slices]
    insertion = through_mask(work.mask, content, sampler.opacity())
    return insertion._replace(box=insertion.box.shift(around.top, around.left))


def _variant(image: NormalImage, sampler: Sampler, variant: Any, source: np.ndarray | None) -> str:
    """The variant asked for; else AAS with a source, AA or AAC without, and AAC where warping would change nothing."""
    variant = as_choice("variant", variant, VARIANTS)
    if variant == "AAS" and source is None:
        raise ValueError("`variant` 'AAS' needs `anom_source_img`, got None")
    if variant is not None:
        return variant
    if source is not None:
        return "AAS"
    variant = sampler.choice("variant", ("AA", "AAC"))
    return "AAC" if _is_constant(image) else variant


def _is_constant(image: NormalImage) -> bool:
    pixels = (image.crop() if image.window.clips else image.pixels).reshape(image.height * image.width, -1)
    sample = pixels[:: max(1, len(pixels) // 64)]
    return bool((sample == sample[0]).all() and (pixels == pixels[0]).all())


def _tile_side(image: NormalImage, sampler: Sampler, sizes: list[float], measured_at: tuple[int, int] | None) -> int:
    """p in pixels. Sizes are parts of the shorter side; with `resize`, they are as long as at 256 pixels there.

    `image` is the part of the image around the region.
    """
    scale = 1.0 if measured_at is None else PAPER_SIDE / min(measured_at)
    side = round(sampler.choice("patch_size", sizes) * image.side * scale)
    smallest = SMALLEST_TILE
    if image.roi is not None:  # of a small region one such tile is much
        smallest = min(SMALLEST_TILE, max(2, image.side // SMALLEST_TILE))
    return sampler.keep("tile", min(max(side, smallest), image.side))


def _select(image: NormalImage, sampler: Sampler, tiling: Tiling, p_patch: float) -> np.ndarray:
    """Sorted indices of the tiles to warp, each drawn with the same chance; at least one that meets the region."""
    if sampler.severity is not None:
        low, high = (min(p_patch * scale, 1.0) for scale in SEVERITY["p_patch"])
        p_patch = sampler.scaled("p_patch", low, high)
    flags = sampler.rng.random(tiling.size) < p_patch
    spare = sampler.rng.random()
    if image.roi is None:
        flags[int(spare * tiling.size)] |= not flags.any()
    else:
        inside = tiling.inside(image.roi)
        flags &= inside > 0
        if not flags.any():  # a pixel of the region as likely as another
            flags[np.searchsorted(np.cumsum(inside), spare * inside.sum(), side="right")] = True
    return sampler.keep("tiles", np.flatnonzero(flags))


def _from_source(
    image: NormalImage, sampler: Sampler, source: np.ndarray, p_damage: float, n_damage: int
) -> np.ndarray:
    content = ops.resize(source, image.shape)
    return damage(content, sampler, image.max_value, n_damage) if sampler.flag("damaged", p_damage) else content


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

    def __init__(self, image: NormalImage, sampler: Sampler, tiling: Tiling, threshold: float, *, paints: bool) -> None:
        self.image, self.sampler, self.tiling, self.threshold, self.paints = image, sampler, tiling, threshold, paints
        self.pixels = image.crop()
        self.content = self.pixels.copy() if paints else self.pixels
        self.mask = np.zeros(image.shape, np.uint8)
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
        maps = affine_maps(self.sampler, len(row), *shape)
        origins = self._origins(block, row, column)
        step = max(1, min(CHUNK_PIXELS // (shape[0] * shape[1]), MAX_SIDE // shape[0]))
        accepted = False
        for start in range(0, len(row), step):
            part = slice(start, start + step)
            pixels, valid = warp_tiles(self.pixels, shape, maps[..., part], origins[part])
            accepted |= self._judge(_Batch(block, row[part], column[part], pixels, valid))
        return accepted

    def _origins(self, block: Block, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Upper left corners (row, column) of where the content comes from: the tile or, as often, another one."""
        count, columns = self.tiling.size, self.tiling.columns
        own = (row + block.row) * columns + column + block.column
        steps = 1 + (self.sampler.rng.random(len(row)) * (count - 1)).astype(int)
        places = np.where(self.sampler.rng.random(len(row)) < 0.5, own, (own + steps) % count)
        self.sampler.keep("origins", places)
        corners = np.stack(np.divmod(places, columns), axis=1) * self.tiling.side
        limits = self.image.height - block.height, self.image.width - block.width
        return np.minimum(corners, limits).astype(np.float32)

    def _judge(self, batch: _Batch) -> bool:
        """Keep the tiles of a batch that are unlike the original."""
        block, row, column, pixels, valid = batch
        if self.image.roi is not None:
            valid &= block.split(self.image.roi)[row, :, column]
        step = sample_step(block.height, block.width)
        small, mask = (np.ascontiguousarray(array[:, ::step, ::step]) for array in (pixels, valid))
        original = block.split(self.pixels)[:, ::step, :, ::step][row, :, column]
        similarity = similarities(small, original, mask, self.image.max_value)
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
        box = fallback_box(self.image, self.sampler)
        self.mask[box.slices] = 255
        if self.paints:
            away = box.height if self.image.side > box.height else 0
            self.content[box.slices] = np.roll(self.pixels, (away, away), (0, 1))[box.slices]
