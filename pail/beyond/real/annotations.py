"""Read annotated defects from disk, in the usual layouts and formats of inspection data.

Every reader fills a `Catalog` with the image, the mask and the kind of each annotated defect. Masks are read
immediately, because they define the defects; of the images only the headers are read.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
import json
import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from pail.core.ops import Box
from pail.io.listing import SUFFIXES, sift, walk
from pail.io.read import UnreadableError, read_mask, read_picture, read_size

DEFECT = "defect"  # the kind if no other is given
GOOD = ("good", "ok", "normal")  # folders of images without a defect
MASK_ENDINGS = ("_mask", "-mask")
MIN_PIXELS = 4  # smaller connected pieces of a mask are ignored as specks
MAX_POINT = 1e6  # larger coordinates are errors, and would overflow OpenCV's integers
IMAGES, MASKS, LABELS = "images", "masks", "labels"
TEST, TRUTH = "test", "ground_truth"


class AnnotationError(ValueError):
    """An annotation from which no mask can be made."""


@dataclass(frozen=True)
class Piece:
    """An annotated defect: its mask and its position in the image."""

    kind: str
    box: Box
    bits: bytes  # the mask on the box as packed bits
    image: int  # the number of the image

    @classmethod
    def of_mask(cls, kind: str, mask: np.ndarray, image: int, box: Box | None = None) -> Piece:
        """Create a piece from a non-empty mask (H, W) of the image, or from its part on `box`."""
        around = Box.around(mask)
        part = np.ascontiguousarray(mask[around.slices])
        place = around if box is None else around.shift(box.top, box.left)
        return cls(kind, place, np.packbits(part > 0).tobytes(), image)

    @property
    def mask(self) -> np.ndarray:
        """uint8 {0, 255} on the box."""
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=self.box.area)
        return np.negative(bits.reshape(self.box.height, self.box.width))


@dataclass
class Catalog:
    """Images with their defects, and what could not be used.

    Attributes
    ----------
    images : list
        Paths, arrays, or the bytes of files.
    shapes : list of (int, int)
        Their heights and widths.
    pieces : list of Piece
        The defects, grouped by image.
    skipped : list of str
        Everything that could not be read or has no matching file, with the reason.
    """

    images: list[Any] = field(default_factory=list)
    shapes: list[tuple[int, int]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def skip(self, name: Any, reason: Any) -> None:
        self.skipped.append(f"{name}: {reason}")

    def drop_repeated(self) -> None:
        """Keep one of several equal defects, because there may be one file for each split and one for all."""
        seen: set[tuple[str, Box, bytes]] = set()
        kept = []
        for piece in self.pieces:
            key = str(self.images[piece.image]), piece.box, piece.bits
            if key not in seen:
                seen.add(key)
                kept.append(piece)
        self.pieces = kept

    def add_image(self, image: Any, shape: tuple[int, int]) -> int:
        self.images.append(image)
        self.shapes.append(shape)
        return len(self.images) - 1

    def add_mask(self, name: Any, kind: str, mask: np.ndarray, image: Any, shape: tuple[int, int]) -> None:
        """Add every connected piece of a mask as a separate defect."""
        if mask.shape != shape:
            raise AnnotationError(f"the mask of {name} has height and width {mask.shape}, its image {shape}")
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        if count == 1:
            raise AnnotationError(f"the mask of {name} is empty")
        if cv2.countNonZero(mask) == mask.size:
            raise AnnotationError(
                f"the mask of {name} is true everywhere, so no pixel shows the surface without the defect"
            )
        large = [n for n in range(1, count) if stats[n, cv2.CC_STAT_AREA] >= MIN_PIXELS]
        if not large:
            raise AnnotationError(f"the mask of {name} has no piece of at least {MIN_PIXELS} pixels")
        number = self.add_image(image, shape)
        for n in large:
            left, top, width, height = (int(v) for v in stats[n, :4])
            box = Box(top, left, height, width)
            self.pieces.append(Piece.of_mask(kind, (labels[box.slices] == n).view(np.uint8), number, box))

    def add_shapes(self, name: Any, image: Any, shape: tuple[int, int], shapes: Iterable[tuple[str, Any]]) -> None:
        """Add the annotations of one image; each is a kind and a function that returns the mask for a shape."""
        number = None
        for index, (kind, make) in enumerate(shapes):
            try:
                mask = make(shape)
                if not cv2.hasNonZero(mask):
                    raise AnnotationError("it covers no pixel of the image")
                if cv2.countNonZero(mask) == mask.size:
                    raise AnnotationError("it covers the whole image, so no pixel shows the surface without the defect")
            except AnnotationError as error:
                self.skip(f"{name}, annotation {index + 1}", error)
                continue
            number = self.add_image(image, shape) if number is None else number
            self.pieces.append(Piece.of_mask(kind, mask, number))


def read_catalog(path: Path) -> Catalog:
    """Read all annotated defects of a folder, or of one annotation file.

    Annotation files come first, then folders of masks, then masks next to their images, then images with alpha.
    """
    catalog = Catalog()
    if path.is_file():
        files = _Files.of(path.parent)
        if path.suffix.lower() == ".json":
            _read_json(catalog, path, files)
        else:
            _read_alpha(catalog, path, path.name, DEFECT)
        return catalog
    files = _Files.of(path)
    annotated = _read_annotations(catalog, files)
    _read_mvtec(catalog, files)
    _read_mask_folders(catalog, files)
    _read_masks_beside(catalog, files)
    rest = [name for name in files.images if name not in files.used]
    for name in rest:
        if annotated or _parts(name) & set(GOOD):  # an image without an annotation is good
            continue
        _read_alpha(catalog, path / name, name, _folder_kind(name))
    for suffix, count in files.unread.items():
        catalog.skip(f"{count} {suffix} files", "no reader")
    catalog.drop_repeated()
    return catalog


@dataclass
class _Files:
    """The files below a folder, by relative name."""

    root: Path
    names: list[str]
    images: list[str]
    unread: dict[str, int]
    used: set[str] = field(default_factory=set)
    stems: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> _Files:
        names, links = walk(root)
        listing = sift(names, links)
        stems = defaultdict(list)
        for name in listing.names:
            if not _parts(name) & {MASKS, TRUTH}:
                stems[PurePosixPath(name).stem].append(name)
        return cls(root, sorted(names), listing.names, listing.unread, stems=dict(stems))

    def partner(self, start: str, told: str | None) -> Path | None:
        """The image of an annotation file: the path it contains, else the only image with that name or with the stem of
        the file."""
        if told:
            told = told.replace("\\", "/")
            for place in (Path(self.root / start).parent / told, self.root / told):
                if place.is_file():
                    self._use(place)
                    return place
        for stem in dict.fromkeys([PurePosixPath(told or start).stem, PurePosixPath(start).stem]):
            found = self.stems.get(stem, [])
            if told and len(found) > 1:
                found = [name for name in found if PurePosixPath(name).name == PurePosixPath(told).name] or found
            if len(found) == 1:
                self.used.add(found[0])
                return self.root / found[0]
            if len(found) > 1:
                raise AnnotationError(f"its image may be any of {', '.join(found[:3])}")
        return None

    def _use(self, place: Path) -> None:
        try:
            self.used.add(place.resolve().relative_to(self.root.resolve()).as_posix())
        except ValueError:  # outside of the folder
            return


def _parts(name: str) -> set[str]:
    return set(PurePosixPath(name).parts[:-1])


def _folder_kind(name: str) -> str:
    """The kind of a defect, taken from the folder of its file."""
    parent = PurePosixPath(name).parent.name
    return DEFECT if parent in ("", IMAGES, MASKS, LABELS, TEST, TRUTH, "train", "val") else parent


# --------------------------------------------------------------------------------------------------------------------
# Masks


def _read_mask_of(catalog: Catalog, root: Path, image: str, mask: str, kind: str) -> None:
    try:
        shape = read_size(root / image)
    except UnreadableError as error:
        catalog.skip(image, error)
        return
    try:
        catalog.add_mask(image, kind, read_mask(root / mask, name=mask), root / image, shape)
    except (UnreadableError, AnnotationError) as error:
        catalog.skip(mask, error)


def _read_mvtec(catalog: Catalog, files: _Files) -> None:
    """`test/<kind>/x.png` with `ground_truth/<kind>/x_mask.png`, at any depth."""
    masks = {}
    for name in files.images:
        parts = PurePosixPath(name).parts
        if TRUTH in parts[:-1]:
            at = parts.index(TRUTH)
            masks[(*parts[:at], *parts[at + 1 : -1], _without_ending(PurePosixPath(name).stem))] = name
    if not masks:
        return
    files.used.update(masks.values())
    for name in files.images:
        parts = PurePosixPath(name).parts
        if TEST not in parts[:-1]:
            continue
        at = parts.index(TEST)
        key = (*parts[:at], *parts[at + 1 : -1], PurePosixPath(name).stem)
        if name in files.used:  # its defects were read from an annotation file
            masks.pop(key, None)
            continue
        files.used.add(name)
        if key in masks:
            _read_mask_of(catalog, files.root, name, masks.pop(key), _folder_kind(name))
        elif not _parts(name) & set(GOOD):
            catalog.skip(name, f"no mask in {TRUTH}")
    for mask in masks.values():
        catalog.skip(mask, f"no image in {TEST}")
    files.used.update(name for name in files.images if _parts(name) & {"train", "validation"})


def _without_ending(stem: str) -> str:
    for ending in MASK_ENDINGS:
        if stem.lower().endswith(ending):
            return stem[: -len(ending)]
    return stem


def _read_mask_folders(catalog: Catalog, files: _Files) -> None:
    """`images/` with `masks/` of equal stems, at any depth."""
    masks: dict[tuple[str, ...], str] = {}
    images: dict[tuple[str, ...], str] = {}
    for name in files.images:
        parts = PurePosixPath(name).parts
        for folder, found in ((MASKS, masks), (IMAGES, images)):
            if folder in parts[:-1]:
                at = parts.index(folder)
                stem = PurePosixPath(name).stem
                found[(*parts[:at], *parts[at + 1 : -1], _without_ending(stem) if folder == MASKS else stem)] = name
    if not masks:
        return
    for key, name in images.items():
        if name in files.used:  # its defects were read from an annotation file
            continue
        files.used.add(name)
        if key in masks:
            _read_mask_of(catalog, files.root, name, masks[key], _folder_kind(name))
        else:
            catalog.skip(name, f"no mask in {MASKS}")
    for key, name in masks.items():
        files.used.add(name)
        if key not in images:
            catalog.skip(name, f"no image in {IMAGES}")


def _read_masks_beside(catalog: Catalog, files: _Files) -> None:
    """`x.png` with `x_mask.png`."""
    by_stem = {str(PurePosixPath(name).with_suffix("")): name for name in files.images}
    taken = files.used.copy()  # their defects were read from an annotation file
    pairs = {
        stem: _without_ending(stem)
        for stem, name in by_stem.items()
        if _without_ending(stem) != stem and name not in taken
    }
    files.used.update(by_stem[stem] for stem in pairs)
    for mask, image in pairs.items():
        if by_stem.get(image) in taken:
            continue
        if image in by_stem:
            files.used.add(by_stem[image])
            _read_mask_of(catalog, files.root, by_stem[image], by_stem[mask], _folder_kind(by_stem[image]))
        else:
            catalog.skip(by_stem[mask], "no image of that name")
    if pairs:
        for name in by_stem.values():
            if name not in files.used and not _parts(name) & set(GOOD):
                files.used.add(name)
                catalog.skip(name, "no mask of that name")


def _read_alpha(catalog: Catalog, path: Path, name: str, kind: str) -> None:
    """Read an image whose alpha channel is the mask."""
    try:
        picture = read_picture(path)
        pixels = picture.pixels
        if not picture.alpha or pixels.ndim != 3:
            catalog.skip(name, "no mask, no annotation and no alpha channel")
            return
        opacity = pixels[..., -1]
        top = 1.0 if opacity.dtype.kind == "f" else float(np.iinfo(opacity.dtype).max)
        mask = np.negative((opacity >= top / 2).view(np.uint8))
        catalog.add_mask(name, kind, mask, path, pixels.shape[:2])
    except (UnreadableError, AnnotationError) as error:
        catalog.skip(name, error)


# --------------------------------------------------------------------------------------------------------------------
# Annotation files


def _read_annotations(catalog: Catalog, files: _Files) -> bool:
    """Read the annotation files of labelme, COCO and YOLO. Returns whether there are any."""
    found = False
    for name in files.names:
        path = files.root / name
        if path.suffix.lower() == ".json":
            found |= _read_json(catalog, path, files)
    return _read_yolo(catalog, files) or found


def _read_json(catalog: Catalog, path: Path, files: _Files) -> bool:
    """Read one file of labelme or COCO. Returns False if it is neither."""
    name = path.relative_to(files.root).as_posix()
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        catalog.skip(name, error.strerror or error)
        return True
    except (ValueError, RecursionError) as error:
        catalog.skip(name, f"not JSON, or truncated: {error}")
        return True
    if isinstance(content, dict) and "shapes" in content:
        _read_labelme(catalog, name, content, files)
        return True
    if isinstance(content, dict) and "annotations" in content and "images" in content:
        _read_coco(catalog, name, content, files)
        return True
    if path == files.root / path.name and path.is_file() and len(files.names) == 1:
        catalog.skip(name, "neither labelme nor COCO")
    return False


def _read_labelme(catalog: Catalog, name: str, content: dict[str, Any], files: _Files) -> None:
    """Read one image with its polygons, rectangles, circles and masks."""
    try:
        shapes = _entries(content, "shapes")
        told = content.get("imagePath")
        place: Any = files.partner(name, told if isinstance(told, str) else None)
        if place is None and isinstance(content.get("imageData"), str):
            place = _from_base64(content["imageData"])
            shape = read_picture(place).pixels.shape[:2]
        elif place is None:
            raise AnnotationError(f"its image {told!r} does not exist")
        else:
            shape = read_size(place)
        _check_size(content.get("imageHeight"), content.get("imageWidth"), shape)
    except (AnnotationError, UnreadableError) as error:
        catalog.skip(name, error)
        return
    pairs = [(str(entry.get("label") or DEFECT), _LabelmeShape(entry)) for entry in shapes]
    catalog.add_shapes(name, place, shape, pairs)


def _entries(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = content[key]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise AnnotationError(f"`{key}` must be a list of objects")
    return entries


def _from_base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise AnnotationError(f"its image data are broken: {error}") from error


def _check_size(height: Any, width: Any, shape: tuple[int, int]) -> None:
    if isinstance(height, int) and isinstance(width, int) and (height, width) != shape:
        raise AnnotationError(f"it is of an image of height and width {(height, width)}, but the image has {shape}")


@dataclass(frozen=True)
class _LabelmeShape:
    entry: dict[str, Any]

    def __call__(self, shape: tuple[int, int]) -> np.ndarray:
        kind = self.entry.get("shape_type", "polygon")
        points = as_points(self.entry.get("points"))
        if kind == "polygon":
            return of_polygon(points, shape)
        if kind == "rectangle" and len(points) == 2:
            (left, top), (right, bottom) = points
            return of_polygon(np.array([(left, top), (right, top), (right, bottom), (left, bottom)]), shape)
        if kind == "circle" and len(points) == 2:
            angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
            rim = np.stack([np.cos(angle), np.sin(angle)], axis=1) * math.dist(*points)
            return of_polygon(points[0] + rim, shape)
        if kind == "mask" and len(points) == 2:
            return self._mask(points, shape)
        raise AnnotationError(f"a {kind!r} with {len(points)} points has no area")

    def _mask(self, points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        try:
            part = read_mask(_from_base64(self.entry.get("mask")), name="its mask")
        except UnreadableError as error:
            raise AnnotationError(f"its mask cannot be read: {error}") from error
        left, top = (int(v) for v in points.min(axis=0))
        mask = np.zeros(shape, np.uint8)
        inside = Box(top, left, *part.shape).intersect(Box(0, 0, *shape))
        if inside.area:
            mask[inside.slices] = part[inside.within(Box(top, left, *part.shape)).slices]
        return mask


def as_points(value: Any) -> np.ndarray:
    """Points (x, y) of an annotation, (n, 2)."""
    try:
        points = np.array(value, np.float64)
    except (TypeError, ValueError) as error:
        raise AnnotationError("its points are not pairs of numbers") from error
    if points.ndim != 2 or points.shape[1] != 2:
        raise AnnotationError("its points are not pairs of numbers")
    if not np.isfinite(points).all() or np.abs(points).max() > MAX_POINT:
        raise AnnotationError("its points are not finite, or far outside the image")
    return points


def of_polygon(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The mask of a polygon: the pixels whose centers are inside, by the even-odd rule if it crosses itself.

    A polygon that is too thin to contain a center covers the pixels along it.
    """
    if len(points) < 3:
        raise AnnotationError(f"a polygon has {len(points)} points; it needs three")
    mask = np.zeros(shape, np.uint8)
    centered = points - 0.5  # coordinates of annotations start at the corner of a pixel
    from skimage.draw import polygon  # takes half a second to import

    rows, columns = polygon(centered[:, 1], centered[:, 0], shape)  # type: ignore[no-untyped-call]
    if len(rows):
        mask[rows, columns] = 255
    else:
        cv2.fillPoly(mask, [np.rint(centered).astype(np.int32)], 255)
    return mask


# --------------------------------------------------------------------------------------------------------------------
# COCO


def _read_coco(catalog: Catalog, name: str, content: dict[str, Any], files: _Files) -> None:
    try:
        images, annotations = _entries(content, "images"), _entries(content, "annotations")
        categories = {
            entry.get("id"): str(entry.get("name")) for entry in _entries({"categories": [], **content}, "categories")
        }
    except AnnotationError as error:
        catalog.skip(name, error)
        return
    of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for entry in annotations:
        of_image[_as_key(entry.get("image_id"))].append(entry)
    for entry in images:
        told = entry.get("file_name")
        mine = of_image.pop(_as_key(entry.get("id")), [])
        if not isinstance(told, str):
            catalog.skip(f"{name}, image {entry.get('id')!r}", "it has no file name")
            continue
        try:
            place = files.partner(name, told)
            if not mine:
                continue  # a good image
            if place is None:
                raise AnnotationError("the image does not exist")
            shape = read_size(place)
            _check_size(entry.get("height"), entry.get("width"), shape)
        except (AnnotationError, UnreadableError) as error:
            catalog.skip(f"{name}, {told}", error)
            continue
        kinds = [categories.get(_as_key(one.get("category_id")), DEFECT) for one in mine]
        pairs = zip(kinds, (_CocoShape(one) for one in mine), strict=True)
        catalog.add_shapes(f"{name}, {told}", place, shape, pairs)
    for key, rest in of_image.items():
        catalog.skip(f"{name}, {len(rest)} annotations", f"there is no image with the id {key!r}")


def _as_key(value: Any) -> Any:
    return value if isinstance(value, int | str | float) else repr(value)


@dataclass(frozen=True)
class _CocoShape:
    entry: dict[str, Any]

    def __call__(self, shape: tuple[int, int]) -> np.ndarray:
        area = self.entry.get("segmentation")
        if isinstance(area, dict):
            return _of_run_lengths(area, shape)
        if not isinstance(area, list) or not area:
            raise AnnotationError("it has no segmentation; a box is not a mask")
        polygons = []
        for flat in area:
            if not isinstance(flat, list) or len(flat) % 2:
                raise AnnotationError("a polygon is not a list of an even number of coordinates")
            polygons.append(as_points([flat[i : i + 2] for i in range(0, len(flat), 2)] or None))
        mask = np.zeros(shape, np.uint8)
        for points in polygons:  # one by one, so that overlapping polygons do not form holes
            mask |= of_polygon(points, shape)
        return mask


def _of_run_lengths(area: dict[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """The mask of COCO's run lengths, in column order, as a list or compressed."""
    size, counts = area.get("size"), area.get("counts")
    if not isinstance(size, list) or [*size] != [*shape]:
        raise AnnotationError(
            f"its run lengths are of an image of height and width {size!r}, but the image has {shape}"
        )
    if isinstance(counts, str):
        counts = _decompressed(counts)
    if not isinstance(counts, list) or not all(isinstance(n, int) and n >= 0 for n in counts):
        raise AnnotationError("its run lengths are not a list of nonnegative numbers")
    if sum(counts) != shape[0] * shape[1]:
        raise AnnotationError(
            f"its run lengths add up to {sum(counts)} pixels, but the image has {shape[0] * shape[1]}"
        )
    values = np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8)
    return np.ascontiguousarray(np.negative(values.reshape(shape[1], shape[0]).T))


def _decompressed(text: str) -> list[int]:
    """Decompress COCO's run lengths: groups of five bits with a sign; from the third on, differences to the second to
    last."""
    counts: list[int] = []
    number = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise AnnotationError("its run lengths contain an invalid character")
        number |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number = shift = 0
    if shift:
        raise AnnotationError("its run lengths are truncated")
    return counts


# --------------------------------------------------------------------------------------------------------------------
# YOLO


def _read_yolo(catalog: Catalog, files: _Files) -> bool:
    """`labels/x.txt` with `images/x.*`: a class and the corners of a polygon on each line, as shares of the sides."""
    texts = [n for n in files.names if n.lower().endswith(".txt") and LABELS in PurePosixPath(n).parts[:-1]]
    if not texts:
        return False
    classes = _class_names(files)
    for name in texts:
        parts = list(PurePosixPath(name).parts)
        at = len(parts) - 2 - parts[-2::-1].index(LABELS)
        stem = PurePosixPath(*parts[:at], IMAGES, *parts[at + 1 :]).with_suffix("")
        candidates = [f"{stem}{suffix}" for suffix in SUFFIXES]
        image = next((path for path in files.images if path.lower() in {p.lower() for p in candidates}), None)
        try:
            lines = (files.root / name).read_text(encoding="utf-8-sig").splitlines()
            if image is None:
                raise AnnotationError(f"no image {stem}.*")
            files.used.add(image)
            shape = read_size(files.root / image)
        except (OSError, UnicodeDecodeError, AnnotationError, UnreadableError) as error:
            catalog.skip(name, error)
            continue
        pairs = []
        for line in filter(None, map(str.strip, lines)):
            number = line.split()[0]
            pairs.append((classes.get(number, f"class {number}"), _YoloShape(line)))
        catalog.add_shapes(name, files.root / image, shape, pairs)
    return True


def _class_names(files: _Files) -> dict[str, str]:
    """The names of classes by number, from `classes.txt` or the YAML file of the data set."""
    for name in files.names:
        if PurePosixPath(name).name in ("classes.txt", "obj.names"):
            lines = (files.root / name).read_text(encoding="utf-8-sig", errors="replace").splitlines()
            return {str(number): line.strip() for number, line in enumerate(lines) if line.strip()}
    for name in files.names:
        if PurePosixPath(name).suffix.lower() in (".yaml", ".yml") and importlib.util.find_spec("yaml"):
            import yaml

            try:
                content = yaml.safe_load((files.root / name).read_text(encoding="utf-8-sig"))
            except (OSError, UnicodeDecodeError, yaml.YAMLError):
                continue
            names = content.get("names") if isinstance(content, dict) else None
            if isinstance(names, list):
                return {str(number): str(text) for number, text in enumerate(names)}
            if isinstance(names, dict):
                return {str(number): str(text) for number, text in names.items()}
    return {}


@dataclass(frozen=True)
class _YoloShape:
    line: str

    def __call__(self, shape: tuple[int, int]) -> np.ndarray:
        try:
            numbers = [float(text) for text in self.line.split()[1:]]
        except ValueError as error:
            raise AnnotationError(f"a line contains something other than numbers: {self.line[:40]!r}") from error
        if len(numbers) == 4:
            raise AnnotationError("it is a box, which is not a mask")
        if len(numbers) % 2:
            raise AnnotationError("a polygon has an odd number of coordinates")
        points = as_points([numbers[i : i + 2] for i in range(0, len(numbers), 2)] or None)
        return of_polygon(points * shape[::-1], shape)


def warn_of(skipped: list[str], name: str) -> None:
    """Emit one warning about everything that could not be used; it names the first entries."""
    if skipped:
        shown = "; ".join(skipped[:5]) + ("; ..." if len(skipped) > 5 else "")
        warnings.warn(f"{len(skipped)} entries of {name} are not used: {shown}", UserWarning, stacklevel=3)


def count_kinds(pieces: Iterable[Piece]) -> Iterator[tuple[str, int]]:
    """Kinds and how often each occurs, in alphabetical order."""
    return iter(sorted(Counter(piece.kind for piece in pieces).items()))
