"""Tiles of the image warped by random affine maps: as they are (AA), recolored (AAC) or filled with a source (AAS).

1. The part of the image around the region is divided into square tiles. Their side is one of `patch_sizes`, which are
   fractions of the shorter side. Each is selected with probability `p_patch`.
2. The content of a selected tile is its own or, with probability 1/2, another tile's. It is warped by the affine map
   through three random pairs of pixels. The mask holds the pixels that the warped content covers.
3. A tile is rejected where its structural similarity to the original is `ssim_threshold` or more. If all are, the
   least similar one is inserted.
4. AAC: one channel of each of about ten superpixels is set to a random level. AAS: the mask shows the source, which
   with probability `p_damage` is first damaged `n_damage` times.

PAI-Lib's original code is the only definition. It needs square images whose sides are multiples of the tiles', and
compares the warped tile with the original although only one of the two is masked; here both are masked.

Reference: Shah, Urmonov, Kim, "Self-Supervised Image Anomaly Detection Through Diverse Pseudo Anomaly Insertion", IEEE
Access, 2025, https://doi.org/10.1109/ACCESS.2025.3580864.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import cv2
import numpy as np

from pail.core import ops
from pail.core.checks import MAX_SIDE
from pail.core.composite import Insertion, through_mask
from pail.core.image import PAPER_SIDE, NormalImage
from pail.core.ops import Box
from pail.core.parameters import Choice, Number, Several, Size
from pail.core.sampler import SEVERITY, Sampler
from pail.pixels.placing import fallback_box
from pail.sfi.affined.damage import damage
from pail.sfi.affined.recolor import recolor
from pail.sfi.affined.similarity import similarities
from pail.sfi.affined.tiles import Block, Tiling, affine_maps, warp_tiles

SMALLEST_TILE = 4
SSIM_SAMPLES = 8  # samples per side of a tile, up to twice as many; for large tiles every n-th pixel is enough
BATCH_PIXELS = 1 << 17  # tiles are warped in batches that fit the cache

Chance = Annotated[float, Number(0, 1, unit="probability")]


def affined_anomlay(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    resize: Annotated[tuple[int, int] | None, Size(instead=(None,))],
    patch_sizes: Annotated[tuple[float, ...], Several(Number(0, 1, above=True), unit="fraction of the shorter side")],
    p_patch: Chance,
    ssim_threshold: Annotated[float, Number(-1, 2, unit="structural similarity")],
    variant: Annotated[str | None, Choice((None, "AA", "AAC", "AAS"))],
    p_damage: Chance,
    n_damage: Annotated[int, Number(0, 100, integer=True)],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.affined_anomlay`."""
    variant = _variant(image, sampler, variant, source)
    around = image.region_box
    part = image.part(around)
    tiling = Tiling(*part.shape, _tile_side(part, sampler, patch_sizes, resize))
    tiles = _WarpedTiles(part, sampler, tiling, ssim_threshold, keep_content=variant != "AAS")
    tiles.warp(_select(part, sampler, tiling, p_patch))
    content = tiles.content
    if variant == "AAC":
        recolor(part, sampler, content, tiles.mask)
    elif source is not None and variant == "AAS":
        content = ops.resize(source, image.shape)
        if sampler.flag("damaged", p_damage):
            content = damage(content, sampler, image.max_value, n_damage)
        content = content[around.slices]
    insertion = through_mask(tiles.mask, content, sampler.opacity())
    return insertion._replace(box=insertion.box.shift(around.top, around.left))


def _variant(image: NormalImage, sampler: Sampler, variant: str | None, source: np.ndarray | None) -> str:
    """The requested variant; else AAS with a source, AA or AAC without, and AAC if warping would change nothing."""
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


def _tile_side(
    image: NormalImage, sampler: Sampler, sizes: tuple[float, ...], measured_at: tuple[int, int] | None
) -> int:
    """The side of a tile in pixels.

    Sizes are shares of the shorter side; with `resize`, of 256 pixels of the image at that size.
    """
    scale = 1.0 if measured_at is None else PAPER_SIDE / min(measured_at)
    side = round(sampler.choice("patch_size", sizes) * image.side * scale)
    smallest = SMALLEST_TILE
    if image.roi is not None:  # a tile of that size may cover most of a small region
        smallest = min(SMALLEST_TILE, max(2, image.side // SMALLEST_TILE))
    return sampler.keep("tile", min(max(side, smallest), image.side))


def _select(image: NormalImage, sampler: Sampler, tiling: Tiling, p_patch: float) -> np.ndarray:
    """Sorted indices of the tiles to warp, each drawn with the same probability; at least one inside the region."""
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
        if not flags.any():  # the tile of a random pixel of the region
            flags[np.searchsorted(np.cumsum(inside), spare * inside.sum(), side="right")] = True
    return sampler.keep("tiles", np.flatnonzero(flags))


class _Rejected(NamedTuple):
    """A warped tile that is too similar to the original, and its similarity."""

    box: Box
    pixels: np.ndarray
    valid: np.ndarray
    similarity: float


class _WarpedTiles:
    """The content and the mask, to which tiles are added one by one, and the least similar rejected tile.

    Without `keep_content`, only the mask is needed.
    """

    def __init__(
        self, image: NormalImage, sampler: Sampler, tiling: Tiling, threshold: float, *, keep_content: bool
    ) -> None:
        self.image, self.sampler, self.tiling, self.threshold = image, sampler, tiling, threshold
        self.keep_content = keep_content
        self.pixels = image.crop()
        self.content = self.pixels.copy() if keep_content else self.pixels
        self.mask = np.zeros(image.shape, np.uint8)
        self.rejected: _Rejected | None = None

    def warp(self, selected: np.ndarray) -> None:
        """Warp the tiles with these indices, and insert those that are not too similar to the original, but at least
        one."""
        rows, columns = np.divmod(selected, self.tiling.columns)
        accepted = False
        for block in self.tiling.blocks():
            row, column = rows - block.row, columns - block.column
            here = (row >= 0) & (row < block.rows) & (column >= 0) & (column < block.columns)
            if here.any():
                accepted |= self._warp_block(block, row[here], column[here])
        if not accepted:
            self._insert_rejected()

    def _warp_block(self, block: Block, row: np.ndarray, column: np.ndarray) -> bool:
        shape = block.height, block.width
        maps = affine_maps(self.sampler, len(row), *shape)
        origins = self._origins(block, row, column)
        step = max(1, min(BATCH_PIXELS // (shape[0] * shape[1]), MAX_SIDE // shape[0]))
        accepted = False
        for start in range(0, len(row), step):
            batch = slice(start, start + step)
            pixels, valid = warp_tiles(self.pixels, shape, maps[..., batch], origins[batch])
            accepted |= self._insert_unlike(block, row[batch], column[batch], pixels, valid)
        return accepted

    def _origins(self, block: Block, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Upper left corners (row, column) of the contents: the tile's own or, with probability 1/2, another tile's."""
        count, columns = self.tiling.size, self.tiling.columns
        own = (row + block.row) * columns + column + block.column
        steps = 1 + (self.sampler.rng.random(len(row)) * (count - 1)).astype(int)
        origins = np.where(self.sampler.rng.random(len(row)) < 0.5, own, (own + steps) % count)
        self.sampler.keep("origins", origins)
        corners = np.stack(np.divmod(origins, columns), axis=1) * self.tiling.side
        limits = self.image.height - block.height, self.image.width - block.width
        result: np.ndarray = np.minimum(corners, limits).astype(np.float32)
        return result

    def _insert_unlike(
        self, block: Block, row: np.ndarray, column: np.ndarray, pixels: np.ndarray, valid: np.ndarray
    ) -> bool:
        """Insert those tiles of a batch that are not too similar to the original. Returns False if there is none.

        `pixels` (n, h, w, C) and `valid`, uint8 {0, 255} (n, h, w), are the tiles at `row` and `column` of the block.
        """
        if self.image.roi is not None:
            valid &= block.split(self.image.roi)[row, :, column]
        step = max(1, min(block.height, block.width) // SSIM_SAMPLES)
        small, mask = (np.ascontiguousarray(array[:, ::step, ::step]) for array in (pixels, valid))
        original = block.split(self.pixels)[:, ::step, :, ::step][row, :, column]
        similarity = similarities(small, original, mask, self.image.max_value)
        usable = valid.reshape(len(valid), -1).any(axis=1)
        unlike = usable & (similarity < self.threshold)
        if unlike.any():
            if self.keep_content:  # whole tiles: invalid pixels stay outside the mask
                block.split(self.content)[row[unlike], :, column[unlike]] = pixels[unlike]
            block.split(self.mask)[row[unlike], :, column[unlike]] = valid[unlike]
            return True
        similarity = np.where(usable, similarity, math.inf)
        least = int(similarity.argmin())
        if similarity[least] < (math.inf if self.rejected is None else self.rejected.similarity):
            box = block.tile(int(row[least]), int(column[least]))
            self.rejected = _Rejected(box, pixels[least].copy(), valid[least].copy(), float(similarity[least]))
        return False

    def _insert_rejected(self) -> None:
        """Insert the tile that is least similar to the original, or a translated square if no tile has a valid
        pixel."""
        if self.rejected is not None:
            box, pixels, valid, _ = self.rejected
            self.mask[box.slices] = valid
            if self.keep_content:
                cv2.copyTo(pixels, valid, self.content[box.slices])
            return
        box = fallback_box(self.image, self.sampler)
        self.mask[box.slices] = 255
        if self.keep_content:
            shift = box.height if self.image.side > box.height else 0
            self.content[box.slices] = np.roll(self.pixels, (shift, shift), (0, 1))[box.slices]
