"""Make one image of a data set, in a worker: read, insert, encode, and describe in a line of the manifest."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import cv2
import numpy as np

from pail.beyond.real.defects import Defects
from pail.call.insert import insert
from pail.call.result import PseudoAnomaly
from pail.call.state import Common
from pail.core.image import NormalImage, as_normal_image
from pail.core.names import MIXED
from pail.core.ops import as_bytes, largest_change, resize
from pail.core.source import as_source
from pail.dataset.inputs import Inputs, read_image, stem_of
from pail.dataset.labels import coco_annotations, layers, manifest_pieces, yolo_label
from pail.dataset.layouts import GOOD, image_name, label_name, mask_name
from pail.dataset.plan import Item
from pail.dataset.recipe import Recipe
from pail.dataset.sizes import fitted, inside
from pail.dataset.tiles import Tile, tiles_of
from pail.io.read import Picture, UnreadableError, read_mask
from pail.io.write import encode
from pail.pai import Anomaly_Insertion
from pail.pixels.foreground import foreground_of
from pail.registry import TECHNIQUES
from pail.roi import as_roi

CACHE_BYTES = 48 << 20  # of decoded sources that a process caches, and of normal images at the size of the set
MOST_REMEMBERED = 1 << 17  # images for which a process remembers whether they have a foreground
VISIBLE = np.float32(0.02)  # of the range: a smaller change is not visible


class InsertionError(RuntimeError):
    """A technique failed for a reason that is not caused by a file, so that other images would fail, too."""


@dataclass(frozen=True)
class Made:
    """The files of an item and its manifest lines, one for each tile. Both are empty if no normal image can be used."""

    skipped: list[dict[str, str]]
    lines: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    annotations: list[list[dict[str, Any]]] = field(default_factory=list)  # COCO annotations of each line


@dataclass(frozen=True)
class _Normal:
    """A normal image as the set uses it."""

    frame: NormalImage
    alpha: bool | None  # as `as_alpha` gives it
    original: tuple[int, ...]  # height and width in its file

    @property
    def pixels(self) -> np.ndarray:
        return self.frame.pixels


Kept = TypeVar("Kept", Picture, _Normal)


class _Cache(Generic[Kept]):
    """Images that a run has read recently, up to a number of bytes. A set uses each of its files many times."""

    def __init__(self, limit: int) -> None:
        self._limit, self._bytes = limit, 0
        self._kept: dict[tuple[str, str, str], Kept] = {}
        self._lock = threading.Lock()  # a process may make images in several threads

    def get(self, key: tuple[str, str, str], read: Callable[[], Kept]) -> Kept:
        """What is kept for a run, a folder and a name, or what `read` makes of the file."""
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        found = read()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = found
                self._bytes += found.pixels.nbytes
            while self._bytes > self._limit and len(self._kept) > 1:
                self._bytes -= self._kept.pop(next(iter(self._kept))).pixels.nbytes
        return found

    def forget(self, run: str) -> None:
        with self._lock:
            for key in [key for key in self._kept if key[0] == run]:
                self._bytes -= self._kept.pop(key).pixels.nbytes


class _Remembered:
    """Remembers which images of a run have a foreground."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], bool] = {}

    def get(self, key: tuple[str, str], find: Callable[[], bool]) -> bool:
        found = self._known.get(key)
        if found is None:
            found = find()
            self._known[key] = found
            if len(self._known) > MOST_REMEMBERED:  # the oldest goes, as the newest is about to be needed again
                self._known.pop(next(iter(self._known)), None)
        return found

    def forget(self, run: str) -> None:
        for key in [key for key in self._known if key[0] == run]:
            self._known.pop(key, None)


class _Banks:
    """Keeps the bank of a run with its cut-outs in the process, because each task of a worker contains a pickle of
    it."""

    def __init__(self) -> None:
        self._kept: dict[str, Defects] = {}

    def get(self, inputs: Inputs) -> Defects | None:
        if inputs.defects is None:
            return None
        if inputs.run not in self._kept:
            self._kept = {inputs.run: inputs.defects}
        return self._kept[inputs.run]

    def forget(self, run: str) -> None:
        self._kept.pop(run, None)


BANKS = _Banks()
SOURCES = _Cache[Picture](CACHE_BYTES)
NORMALS = _Cache[_Normal](CACHE_BYTES)
FOREGROUNDS = _Remembered()


def make_item(recipe: Recipe, inputs: Inputs, item: Item) -> Made:
    """Make the files of an item as bytes. A file that cannot be used is skipped and replaced by the next one.

    Raises
    ------
    InsertionError
        If a technique fails although its image, its source and its region are valid.
    """
    skipped: list[dict[str, str]] = []
    for name in item.normals:
        try:
            normal = _read_normal(recipe, inputs, name)
            made = Made(skipped)
            if item.is_good:
                for tile in _tiles(recipe, name, normal.pixels):
                    _add_good(made, recipe, item, name, normal.pixels, normal.alpha, tile)
            else:
                _add_damaged(made, recipe, inputs, item, name, normal.frame, normal.alpha, normal.original)
            return made
        except (UnreadableError, OSError) as error:
            skipped.append({"file": name, "role": "normal", "reason": _reason(error)})
    return Made(skipped)


def _read_normal(recipe: Recipe, inputs: Inputs, name: str) -> _Normal:
    """A normal image at the size of the set. Its file is read unless the image is cached."""

    def read() -> _Normal:
        picture = read_image(inputs.normals, name, recipe)
        return _Normal(_checked(picture, recipe), as_alpha(picture, recipe), picture.pixels.shape[:2])

    return NORMALS.get((inputs.run, inputs.normals.url, name), read)


def _read_source(recipe: Recipe, inputs: Inputs, name: str) -> Picture:
    sources = inputs.sources
    assert sources is not None

    def read() -> Picture:
        picture = read_image(sources, name, recipe)
        picture.pixels.flags.writeable = False
        return picture

    return SOURCES.get((inputs.run, sources.url, name), read)


def _tiles(recipe: Recipe, name: str, pixels: np.ndarray) -> list[Tile | None]:
    """The tiles of an image, or None for the whole image."""
    if recipe.tile is None:
        return [None]
    try:
        return [*tiles_of(pixels.shape, recipe.tile, recipe.overlap)]
    except ValueError as error:
        raise InsertionError(f"{name!r} cannot be cut into tiles: {error}") from None


def _where(tile: Tile | None) -> dict[str, Any]:
    """The entry of a tile in its manifest line."""
    return (
        {} if tile is None else {"tile": {"row": tile.row, "column": tile.column, "top": tile.top, "left": tile.left}}
    )


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def as_alpha(picture: Picture, recipe: Recipe) -> bool | None:
    """The `alpha` of `Anomaly_Insertion`: that of the recipe, or for two channels that of the file."""
    if recipe.alpha is None and picture.alpha and picture.pixels.shape[2] == 2:
        return True
    return recipe.alpha


def _checked(picture: Picture, recipe: Recipe) -> NormalImage:
    """The image at the size of the set. Raises UnreadableError if the set cannot contain it, with or without an
    anomaly."""
    try:
        pixels = fitted(picture.pixels, recipe.size, recipe.fit)
        return as_normal_image(pixels, recipe.data_range, alpha=as_alpha(picture, recipe))
    except (TypeError, ValueError, cv2.error) as error:
        raise UnreadableError(str(error)) from error


def _encoded(pixels: np.ndarray, recipe: Recipe, alpha: bool | None) -> bytes:
    try:
        return encode(pixels, recipe.format, recipe.compression, alpha=bool(alpha))
    except ValueError as error:  # the format cannot represent this image
        raise UnreadableError(str(error)) from error


def encode_mask(mask: np.ndarray, compression: int) -> bytes:
    """Encode a mask as PNG. Masks are runs of equal bytes, for which run-length coding without a filter takes a fifth
    of the time."""
    parameters = [cv2.IMWRITE_PNG_COMPRESSION, compression, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # only in newer versions of OpenCV
        parameters += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    return cv2.imencode(".png", np.ascontiguousarray(mask), parameters)[1].tobytes()


def _add_good(
    made: Made,
    recipe: Recipe,
    item: Item,
    name: str,
    pixels: np.ndarray,
    alpha: bool | None,
    tile: Tile | None,
    source_name: str | None = None,
) -> None:
    """Make an image without an anomaly, or a tile that the anomalies of its image do not reach."""
    part = pixels if tile is None else tile.cut(pixels)
    target = image_name(recipe, item, GOOD, tile)
    made.files[target] = _encoded(part, recipe, alpha)
    if label := label_name(recipe, item, GOOD, tile):
        made.files[label] = b""
    line = {"index": item.index, "image": target, "mask": None, "label": 0, "split": item.split, "techniques": []}
    source = {} if source_name is None else {"source": source_name}
    made.lines.append(
        {**line, "normal": name, **source, "height": part.shape[0], "width": part.shape[1], **_where(tile)}
    )
    made.annotations.append([])


def _add_damaged(
    made: Made,
    recipe: Recipe,
    inputs: Inputs,
    item: Item,
    name: str,
    frame: NormalImage,
    alpha: bool | None,
    original: tuple[int, ...],
) -> None:
    """Make an image with anomalies, whole or as tiles."""
    roi = region(recipe, inputs, name, frame.pixels, original, alpha=alpha)
    result, source_name = _inserted(recipe, inputs, item, name, frame, alpha, roi, made.skipped)
    techniques = [step["technique"] for step in result.record["steps"]]
    kinds = [_kind_of(step) for step in result.record["steps"]]
    labels = [recipe.label(technique, kind) for technique, kind in zip(techniques, kinds, strict=True)]
    classes = recipe.class_numbers(inputs.kinds)
    for tile in _tiles(recipe, name, frame.pixels):
        mask, instances = result.m_a[..., 0], result.instances
        if tile is not None:
            mask, instances = tile.cut(mask), tile.cut(instances)
            if not cv2.hasNonZero(mask):
                _add_good(made, recipe, item, name, result.i_a, alpha, tile, source_name)
                continue
        seen = techniques if tile is None else [techniques[n - 1] for n in np.unique(instances).tolist() if n]
        kind = seen[0] if len(set(seen)) == 1 else MIXED
        target, beside = image_name(recipe, item, kind, tile), mask_name(recipe, item, kind, tile)
        made.files[target] = _encoded(result.i_a if tile is None else tile.cut(result.i_a), recipe, alpha)
        made.files[beside] = encode_mask(mask, recipe.compression)
        found = layers(instances, techniques, kinds, labels)
        shape = mask.shape[0], mask.shape[1]
        if label := label_name(recipe, item, kind, tile):
            made.files[label] = yolo_label(found, shape, classes)
        left, top, width, height = cv2.boundingRect(mask)
        pixels_set = cv2.countNonZero(mask)
        inside = slice(top, top + height), slice(left, left + width)  # nothing changes elsewhere
        visible = _visible(frame, result.i_a, mask, inside, tile)
        made.lines.append(
            {
                "index": item.index,
                "image": target,
                "mask": beside,
                "label": 1,
                "split": item.split,
                "techniques": seen,
                "normal": name,
                "source": source_name,
                "height": shape[0],
                "width": shape[1],
                **_where(tile),
                "region": _region_word(recipe, inputs, name, roi),
                "area": round(pixels_set / mask.size, 6),
                "bbox": [left, top, width, height],
                "pieces": manifest_pieces(found),
                "visible": round(visible / pixels_set, 4),
                "record": _lean(result.record, roi),
            }
        )
        made.annotations.append(coco_annotations(found, shape, recipe.segmentation) if recipe.coco else [])


def _kind_of(step: dict[str, Any]) -> str | None:
    """The kind of the real defect of a step; None for other techniques."""
    return step["drawn"]["kind"] if TECHNIQUES[step["technique"]].takes_defects else None


def _inserted(
    recipe: Recipe,
    inputs: Inputs,
    item: Item,
    name: str,
    frame: NormalImage,
    alpha: bool | None,
    roi: Any,
    skipped: list[dict[str, str]],
) -> tuple[PseudoAnomaly, str | None]:
    """Insert the anomaly with the first source that can be used, or without a source."""
    settings, keywords, pixels = insertion(recipe, alpha)._settings(), arguments(recipe), frame.pixels
    control = Common(roi, keywords.pop("severity"), (recipe.seed, item.number))
    bank = BANKS.get(inputs)
    for source_name in (*item.sources, None):
        try:
            source = None if source_name is None else source_pixels(_read_source(recipe, inputs, source_name), recipe)
        except (UnreadableError, OSError) as error:
            skipped.append({"file": str(source_name), "role": "source", "reason": _reason(error)})
            continue
        try:
            # Without the bank, a replay makes the images in which no real defect was drawn.
            return insert(pixels, source, settings, control, **keywords, defects=bank, bank_later=True), source_name
        except Exception as error:
            _blame_region(inputs, name, frame, roi)
            if source is None or (reason := _source_fault(recipe, frame, source)) is None:
                with_source = f" with source {source_name!r}" if source_name else ""
                text = f"anomaly {item.number}, of {name!r}{with_source}: {type(error).__name__}: {error}"
                raise InsertionError(text) from error
            skipped.append({"file": str(source_name), "role": "source", "reason": reason})
    raise AssertionError("unreachable")


def _blame_region(inputs: Inputs, name: str, frame: NormalImage, roi: Any) -> None:
    """Raise an error that names the region if an insertion failed because of it."""
    try:
        as_roi(roi, frame)
    except (TypeError, ValueError) as error:
        file = inputs.roi_names.get(stem_of(name), "")
        raise UnreadableError(f"its region {file} cannot be used: {error}") from error


def _source_fault(recipe: Recipe, frame: NormalImage, source: np.ndarray) -> str | None:
    """The error of a source, if it has one."""
    try:
        as_source(source, frame, source_range=recipe.source_range, alpha=recipe.alpha)
    except (TypeError, ValueError, cv2.error) as error:
        return str(error)
    return None


def _visible(
    frame: NormalImage, after: np.ndarray, mask: np.ndarray, inside: tuple[slice, slice], tile: Tile | None
) -> int:
    """Number of pixels of the mask that changed visibly, as in `pail.masks.difference`."""
    before = frame.pixels
    if tile is not None:
        before, after = tile.cut(before), tile.cut(after)
    before, after = before[inside], after[inside]
    if frame.window.clips:
        before, after = frame.window.clip(before), frame.window.clip(after)
    change = largest_change(before, after)
    if frame.is_byte:
        return cv2.countNonZero(cv2.bitwise_and(as_bytes(change >= math.ceil(VISIBLE * 255)), mask[inside]))
    seen = change.astype(np.float32) / np.float32(frame.max_value) >= VISIBLE
    return int(np.count_nonzero(seen & (mask[inside] > 0)))


def source_pixels(picture: Picture, recipe: Recipe) -> np.ndarray:
    """The pixels of a source without its alpha channel, which is not inserted."""
    return picture.pixels if recipe.alpha is not None or not picture.alpha else picture.pixels[..., :-1]


def insertion(recipe: Recipe, alpha: bool | None) -> Anomaly_Insertion:
    """The instance for an image; `alpha` is that of `as_alpha`."""
    return Anomaly_Insertion(data_range=recipe.data_range, source_range=recipe.source_range, alpha=alpha)


def arguments(recipe: Recipe) -> dict[str, Any]:
    """The keywords of `insert`, which are the same for every image."""
    return {
        "techniques": recipe.names,
        "weights": recipe.weights,
        "n_anomalies": recipe.anomalies,
        "options": recipe.options,
        "severity": recipe.severity,
    }


def region(
    recipe: Recipe,
    inputs: Inputs,
    name: str,
    pixels: np.ndarray,
    original: tuple[int, ...],
    *,
    alpha: bool | None = None,
) -> Any:
    """The region of an image: None, "foreground", or a mask.

    The mask has the name of the normal image and is resized like the image, whose original height and width are
    `original`. Padding is excluded. An image without a mask of its name cannot be used. With "auto", an image has a
    region if it shows an object on a background.
    """
    place = inside(original, recipe.size, recipe.fit)
    if recipe.roi_folder is None or inputs.rois is None:
        everywhere = recipe.roi == "none" or not has_foreground(recipe, inputs, name, pixels, place, alpha)
        if place is None:
            return None if everywhere else "foreground"
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[place] = 255 if everywhere else foreground_of(_shown(recipe, pixels, place, alpha))
        return mask
    mask_file = inputs.roi_names.get(stem_of(name))
    if mask_file is None:
        raise UnreadableError(f"`roi` has no mask for {name}")
    try:
        mask = read_mask(inputs.rois.read(mask_file), name=mask_file)
    except (UnreadableError, OSError) as error:
        raise UnreadableError(f"its region {mask_file} cannot be read: {_reason(error)}") from error
    mask = resize(mask, (original[0], original[1]), nearest=True)
    mask = fitted(mask, recipe.size, recipe.fit, nearest=True)
    if place is not None:
        shown = mask[place]
        mask = np.zeros_like(mask)
        mask[place] = shown
    return mask


def _region_word(recipe: Recipe, inputs: Inputs, name: str, roi: Any) -> str | None:
    """The entry about the region of an image in the manifest."""
    if recipe.roi == "none" or roi is None:
        return None
    if recipe.roi_folder is not None:
        return "mask"
    return "foreground" if FOREGROUNDS.get((inputs.run, name), lambda: True) else None


def _shown(recipe: Recipe, pixels: np.ndarray, place: Any, alpha: bool | None) -> NormalImage:
    """An image without its padding."""
    part = pixels if place is None else np.ascontiguousarray(pixels[place])
    return as_normal_image(part, recipe.data_range, alpha=recipe.alpha if alpha is None else alpha)


def has_foreground(
    recipe: Recipe, inputs: Inputs, name: str, pixels: np.ndarray, place: Any, alpha: bool | None
) -> bool:
    """Whether the image shows an object on a background. The result is remembered, because an image gets many
    anomalies."""

    def find() -> bool:
        found = foreground_of(_shown(recipe, pixels, place, alpha))
        return cv2.countNonZero(found) < found.size

    return FOREGROUNDS.get((inputs.run, name), find)


def _lean(record: dict[str, Any], region: Any) -> dict[str, Any]:
    """The record without entries that the set stores elsewhere: versions in dataset.json, and regions in their
    files."""
    record = {name: value for name, value in record.items() if name != "stack"}
    if isinstance(region, np.ndarray):
        record = {**record, "arguments": {**record["arguments"], "roi": "file"}}
    return record


def json_line(line: dict[str, Any] | list[Any]) -> bytes:
    """A line of the manifest or of a part as JSON."""
    return json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
