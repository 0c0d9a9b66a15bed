"""Making one item: read, insert, encode, and the line that says what was made. This runs in the workers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pail.core.frame import as_frame
from pail.core.ops import resize
from pail.dataset.layout import MIXED, image_name, label_name, mask_name, polygons
from pail.dataset.plan import Item
from pail.dataset.recipe import Recipe
from pail.dataset.store import Store
from pail.io.read import Picture, UnreadableError, read_mask, read_picture
from pail.io.write import encode
from pail.masks import difference
from pail.pai import Anomaly_Insertion

CACHE_BYTES = 48 << 20  # of decoded sources that a process keeps
TRIED = (UnreadableError, OSError, ValueError, TypeError)


@dataclass(frozen=True)
class Inputs:
    """Where things are read from."""

    normals: Store
    sources: Store | None
    rois: Store | None
    roi_names: dict[str, str]  # of normal images, without their suffix


@dataclass(frozen=True)
class Made:
    """Files and the line of the manifest, or no files and why."""

    line: dict[str, Any] | None
    files: dict[str, bytes]
    skipped: list[dict[str, str]]


class _Decoded:
    """Sources that were decoded lately, within a bound: every image takes one, and there are few."""

    def __init__(self, limit: int) -> None:
        self._limit, self._bytes = limit, 0
        self._kept: dict[tuple[str, str], Picture] = {}

    def get(self, store: Store, name: str) -> Picture:
        key = store.url, name
        if key not in self._kept:
            picture = read_picture(store.read(name), name=name)
            picture.pixels.flags.writeable = False
            self._kept[key] = picture
            self._bytes += picture.pixels.nbytes
            while self._bytes > self._limit and len(self._kept) > 1:
                self._bytes -= self._kept.pop(next(iter(self._kept))).pixels.nbytes
        return self._kept[key]


_SOURCES = _Decoded(CACHE_BYTES)


def make(recipe: Recipe, inputs: Inputs, item: Item) -> Made:
    """The item's files as bytes."""
    skipped: list[dict[str, str]] = []
    for name in item.normals:
        try:
            picture = read_picture(inputs.normals.read(name), name=name)
            pixels, alpha = _fit(picture.pixels, recipe.size), as_alpha(picture, recipe)
            if item.is_good:
                return _good(recipe, item, name, pixels, alpha, skipped)
            return _damaged(recipe, inputs, item, name, pixels, alpha, skipped)
        except TRIED as error:
            skipped.append({"file": name, "role": "normal", "reason": _reason(error)})
    return Made(None, {}, skipped)


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _fit(pixels: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    return pixels if size is None else resize(pixels, size)


def as_alpha(picture: Picture, recipe: Recipe) -> bool | None:
    """What `Anomaly_Insertion` is told of alpha: what the recipe says, else what the file says of two channels."""
    if recipe.alpha is None and picture.alpha and picture.pixels.shape[2] == 2:
        return True
    return recipe.alpha


def _good(
    recipe: Recipe, item: Item, name: str, pixels: np.ndarray, alpha: bool | None, skipped: list[dict[str, str]]
) -> Made:
    as_frame(pixels, recipe.data_range, alpha=alpha)  # what is no image for an insertion is none for a set
    target = image_name(recipe, item, "good")
    files = {target: encode(pixels, recipe.format, recipe.compression, alpha=bool(alpha))}
    if label := label_name(recipe, item, "good"):
        files[label] = b""
    line = {"index": item.index, "image": target, "mask": None, "label": 0, "split": item.split, "techniques": []}
    return Made({**line, "normal": name, "height": pixels.shape[0], "width": pixels.shape[1]}, files, skipped)


def _damaged(
    recipe: Recipe,
    inputs: Inputs,
    item: Item,
    name: str,
    pixels: np.ndarray,
    alpha: bool | None,
    skipped: list[dict[str, str]],
) -> Made:
    source, source_name = _source(recipe, inputs, item, skipped)
    roi = region(recipe, inputs, name, pixels.shape)
    instance = insertion(recipe, alpha)
    result = instance.insert(pixels, source, **arguments(recipe), roi=roi, rng=(recipe.seed, item.number))
    techniques = [step["technique"] for step in result.record["steps"]]
    kind = techniques[0] if len(set(techniques)) == 1 else MIXED
    target, beside = image_name(recipe, item, kind), mask_name(recipe, item, kind)
    mask = result.m_a[..., 0]
    files = {
        target: encode(result.i_a, recipe.format, recipe.compression, alpha=bool(alpha)),
        beside: encode(mask, "png", recipe.compression),
    }
    if label := label_name(recipe, item, kind):
        files[label] = polygons(mask, recipe.names.index(techniques[0])).encode()
    left, top, width, height = cv2.boundingRect(mask)
    pixels_set = cv2.countNonZero(mask)
    inside = slice(top, top + height), slice(left, left + width)  # nothing changes elsewhere
    changed = difference(pixels[inside], result.i_a[inside], result.m_a[inside], data_range=recipe.data_range)
    line = {
        "index": item.index,
        "image": target,
        "mask": beside,
        "label": 1,
        "split": item.split,
        "techniques": techniques,
        "normal": name,
        "source": source_name,
        "height": mask.shape[0],
        "width": mask.shape[1],
        "area": round(pixels_set / mask.size, 6),
        "bbox": [left, top, width, height],
        "visible": round(cv2.countNonZero(changed) / pixels_set, 4),
        "record": _lean(result.record, roi),
    }
    return Made(line, files, skipped)


def insertion(recipe: Recipe, alpha: bool | None) -> Anomaly_Insertion:
    """The instance for an image; `alpha` as `as_alpha` gives it."""
    return Anomaly_Insertion(data_range=recipe.data_range, source_range=recipe.source_range, alpha=alpha)


def arguments(recipe: Recipe) -> dict[str, Any]:
    """What `insert` gets for every image."""
    return {
        "techniques": recipe.names,
        "weights": recipe.weights,
        "n_anomalies": recipe.anomalies,
        "options": recipe.options,
        "severity": recipe.severity,
    }


def source_pixels(picture: Picture, recipe: Recipe) -> np.ndarray:
    """A source without alpha, where the file has it: nothing of it is inserted."""
    return picture.pixels if recipe.alpha is not None or not picture.alpha else picture.pixels[..., :-1]


def _source(
    recipe: Recipe, inputs: Inputs, item: Item, skipped: list[dict[str, str]]
) -> tuple[np.ndarray | None, str | None]:
    for name in item.sources:
        assert inputs.sources is not None
        try:
            return source_pixels(_SOURCES.get(inputs.sources, name), recipe), name
        except TRIED as error:
            skipped.append({"file": name, "role": "source", "reason": _reason(error)})
    return None, None


def region(recipe: Recipe, inputs: Inputs, name: str, shape: tuple[int, ...]) -> Any:
    """None, "foreground", or the mask of the normal image's name; an image without one has no region."""
    if recipe.roi in (None, "foreground") or inputs.rois is None:
        return recipe.roi
    mask_file = inputs.roi_names.get(name.rpartition(".")[0])
    if mask_file is None:
        raise ValueError(f"`roi` has no mask for {name}")
    mask = read_mask(inputs.rois.read(mask_file), name=mask_file)
    return resize(mask, (shape[0], shape[1]), nearest=True)


def _lean(record: dict[str, Any], region: Any) -> dict[str, Any]:
    """A mask is read again from its file; a line of the manifest does not hold it."""
    if isinstance(region, np.ndarray):
        record = {**record, "arguments": {**record["arguments"], "roi": "file"}}
    return record


def dump(line: dict[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
