"""The anomalies that the page shows. They are images of the data set that its recipe describes, made by the same
code."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pail.app.folder import Folder, ImageCache, OutsideError
from pail.app.painted import Painted, as_mask, mask_file
from pail.app.settings import DRAWS, LISTING, PageSettings, recipe
from pail.beyond.real.defects import Defects
from pail.dataset.inputs import Inputs, stem_of, values_in_use
from pail.dataset.make import InsertionError, arguments, as_alpha, insertion, region, source_pixels
from pail.dataset.plan import Item, Plan, make_plan
from pail.dataset.recipe import ROI_WORDS, Recipe, make_recipe
from pail.dataset.tiles import Tile, tiles_of
from pail.io.read import Picture, UnreadableError
from pail.masks import difference
from pail.registry import TECHNIQUES


@dataclass(frozen=True)
class Preview:
    """One anomaly and the images that show it."""

    number: int  # number of the item in the data set
    image: str
    source: str | None
    normal: np.ndarray
    i_a: np.ndarray
    mask: np.ndarray  # (H, W)
    area: float  # share of the image
    visible: float  # share of the mask
    techniques: tuple[str, ...]
    tiles: tuple[Tile, ...] = ()  # into which the data set cuts the image

    @property
    def reached(self) -> int:
        """The number of tiles with a part of the anomaly."""
        return sum(cv2.hasNonZero(tile.cut(self.mask)) for tile in self.tiles)


class Bench:
    """The folders and the given recipe, which a preview needs in addition to the settings of the page."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        source: str | os.PathLike[str] | None = None,
        given: Mapping[str, Any] | None = None,
        defects: str | os.PathLike[str] | None = None,
    ) -> None:
        self.given = dict(given or {})
        bank = self.given.get("defects") if defects is None else defects
        self.defects = None if bank is None else _bank(bank)
        if bank is not None:
            self.given["defects"] = str(Path(bank).absolute())  # the exported recipe is run in another folder
        listing = make_recipe(**{name: self.given[name] for name in LISTING if name in self.given})
        only_first = replace(listing, pages="first")  # for sources and masks
        self.normals = ImageCache(Folder(folder, listing, normal=True), listing)
        self.sources = ImageCache(Folder(source, only_first, "source"), listing) if source is not None else None
        roi = self.given.get("roi")
        masks = replace(only_first, exclude=())
        self.rois = Folder(roi, masks, "roi") if roi not in (None, *ROI_WORDS) else None
        if self.rois is not None:
            self.given["roi"] = self.rois.absolute()  # the exported recipe is run in another folder
        if self.given.get("data_range") == "auto":
            found = values_in_use(self.names, self.normals.get, alpha=self.given.get("alpha"))
            self.given["data_range"] = (found.low, found.high)
        self.shown = [i for i, name in enumerate(self.names) if self.normals.folder.is_inside(name)]
        if not self.shown:
            raise ValueError(
                f"`folder` must contain images, got {folder}, which contains only links that lead out of it"
            )

    def folders(self) -> dict[str, str]:
        """The input folders as keywords of `pail.generate`."""
        found = {"normals": self.normals.folder.given}
        return {**found, "source": self.sources.folder.given} if self.sources else found

    @property
    def names(self) -> list[str]:
        return list(self.normals.folder.listed)

    def name(self, image: Any) -> str:
        """The name at an index of the list; the browser only sends indices."""
        if not isinstance(image, int) or isinstance(image, bool) or image not in self.shown:
            raise ValueError(f"`image` must be the number of an image that is shown, got {image!r}")
        return self.normals.folder.listed[image]

    def recipe(self, settings: PageSettings) -> Recipe:
        return recipe(settings, len(self.normals.folder.listed), self.given)

    def inputs(self, settings: PageSettings, name: str) -> Inputs:
        """The inputs of `make_item`: the folders, and the painted mask as if it were in a folder."""
        sources = self.sources.folder if self.sources else None
        drawn = any(TECHNIQUES[entry.technique].takes_defects for entry in settings.entries)
        bank = (self.defects, self.defects.kinds) if self.defects and drawn else (None, ())
        if settings.region == "painted":
            masks = {stem_of(name): mask_file(name)}
            return Inputs(self.normals.folder, sources, painted_masks(settings.painted), masks, *bank)
        if settings.region == "given" and self.rois:
            masks = {mask.rpartition(".")[0]: mask for mask in self.rois.listed}
            return Inputs(self.normals.folder, sources, self.rois, masks, *bank)
        return Inputs(self.normals.folder, sources, None, {}, *bank)

    def items(self, settings: PageSettings, *, whole_folder: bool = False) -> list[Item]:
        """The items of a sheet: twelve anomalies on the chosen image, or the first twelve items of the data set."""
        plan = self._plan(self.recipe(settings))
        count = len(plan.numbers)
        first = plan.turn(self.name(settings.image))
        numbers = range(DRAWS) if whole_folder else range(first, DRAWS * count, count)
        return [_alone(plan.item(number)) for number in numbers]

    def _plan(self, checked: Recipe) -> Plan:
        sources = tuple(self.sources.folder.listed) if self.sources else ()
        return _plan(checked.seed, checked.val_share, checked.test_share, tuple(self.names), sources)

    def draw(self, settings: PageSettings, checked: Recipe, item: Item) -> Preview:
        """Make an item like `make_item`, without encoding its files; decoded images are cached."""
        name = item.normals[0]
        original, picture = self.normals.get(name), self.normals.get(name, checked.size, checked.fit)
        pixels = picture.pixels
        tiles = tiles_of(pixels.shape, checked.tile, checked.overlap) if checked.tile else []
        found, source_name = self.source(item)
        source = None if found is None else source_pixels(found, checked)
        alpha, size = as_alpha(picture, checked), original.pixels.shape[:2]
        roi = region(checked, self.inputs(settings, name), name, pixels, size, alpha=alpha)
        result = insertion(checked, alpha).insert(
            pixels, source, **arguments(checked), defects=self.bank(checked), roi=roi, rng=(checked.seed, item.number)
        )
        mask = result.m_a[..., 0]
        left, top, width, height = cv2.boundingRect(mask)
        inside = slice(top, top + height), slice(left, left + width)
        changed = difference(pixels[inside], result.i_a[inside], result.m_a[inside], data_range=checked.data_range)
        covered = cv2.countNonZero(mask)
        visible = cv2.countNonZero(changed) / covered
        techniques = tuple(result.techniques)
        return Preview(
            item.number,
            name,
            source_name,
            pixels,
            result.i_a,
            mask,
            covered / mask.size,
            visible,
            techniques,
            tuple(tiles),
        )

    def bank(self, checked: Recipe) -> Defects | None:
        """The bank, if a technique of the recipe uses it."""
        return self.defects if checked.defects else None

    def source(self, item: Item) -> tuple[Picture | None, str | None]:
        """The first source that can be read, as in `make_item`."""
        for name in item.sources:
            assert self.sources is not None
            try:
                return self.sources.get(name), name
            except (UnreadableError, OSError):
                continue
        return None, None


def _alone(item: Item) -> Item:
    """The item without replacements for an image that cannot be read, because the page shows the error instead."""
    return Item(item.index, item.number, item.split, item.normals[:1], item.sources)


def _bank(path: str | os.PathLike[str]) -> Defects:
    try:
        return Defects.read(path)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("`path`", "`defects`")) from None


@lru_cache(maxsize=8)
def _plan(
    seed: int, val_share: float | None, test_share: float | None, names: tuple[str, ...], sources: tuple[str, ...]
) -> Plan:
    planned = Recipe(seed=seed, layout="flat", val_share=val_share, test_share=test_share)
    return make_plan(planned, list(names), list(sources))


@lru_cache(maxsize=4)
def painted_masks(data: str) -> Painted:
    return Painted(as_mask(data))


class Newest:
    """The newest request of each session, so that work on older ones can be stopped early."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: dict[str, int] = {}

    def take(self, session: str) -> int:
        """A new ticket, which replaces all earlier ones of the session."""
        with self._lock:
            self._tickets[session] = self.now(session) + 1
            return self._tickets[session]

    def now(self, session: str) -> int:
        return self._tickets.get(session, 0)


# Errors caused by invalid settings and unreadable files, which are shown on the page.
SHOWN = (ValueError, TypeError, OSError, ImportError, OutsideError, InsertionError, MemoryError, cv2.error)
