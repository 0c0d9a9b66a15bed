"""Labels of the connected pieces of the anomalies: as entries of the manifest, for YOLO and for COCO."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import cv2
import numpy as np

from pail._install import install_hint
from pail.dataset.recipe import SPLITS, Recipe
from pail.dataset.store import Store
from pail.dataset.tiles import IDS


@dataclass(frozen=True)
class Layer:
    """The pieces of one anomaly: the 8-connected parts of what is seen of it."""

    technique: str
    kind: str | None  # of a real defect
    left: int  # of the crop in the image
    top: int
    numbers: np.ndarray  # int32 (h, w) crop: the number of the piece from 1, or 0
    boxes: np.ndarray  # int32 (n, 4): left, top, width, height in the image
    areas: np.ndarray  # int32 (n,): pixels

    @property
    def named(self) -> dict[str, str]:
        """Its kind, where it has one."""
        return {} if self.kind is None else {"kind": self.kind}

    def label(self, classes: dict[str, int]) -> str:
        """By which of the labels its class is found: its kind, where kinds are classes."""
        return label_of(self.technique, self.kind, classes)


def label_of(technique: str, kind: str | None, classes: dict[str, int]) -> str:
    """The label of a piece, whose class `classes` has: its technique, or its kind where techniques are no labels."""
    return technique if kind is None or technique in classes else kind


def layers(instances: np.ndarray, techniques: Sequence[str], kinds: Sequence[str | None] | None = None) -> list[Layer]:
    """The pieces of each anomaly; one that later anomalies cover entirely has none.

    Parameters
    ----------
    instances : uint16 array (H, W)
        k where the k-th anomaly is on top, counted from 1, and 0 elsewhere.
    techniques : sequence of str
        The technique of each anomaly.
    kinds : sequence of str or None, optional
        What each is called, if it is a real defect.
    """
    found = []
    kinds = [None] * len(techniques) if kinds is None else kinds
    for number, (technique, kind) in enumerate(zip(techniques, kinds, strict=True), 1):
        own = (instances == number).view(np.uint8)
        left, top, width, height = cv2.boundingRect(own)
        if not width:
            continue
        crop = own[top : top + height, left : left + width]
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(crop, connectivity=8)
        boxes = stats[1:, : cv2.CC_STAT_AREA] + np.array([left, top, 0, 0], np.int32)
        found.append(Layer(technique, kind, left, top, numbers, boxes, stats[1:, cv2.CC_STAT_AREA]))
    return found


def manifest_pieces(found: list[Layer]) -> list[dict[str, Any]]:
    """A short entry for each piece."""
    return [
        {"technique": layer.technique, **layer.named, "bbox": box, "pixels": pixels}
        for layer in found
        for box, pixels in zip(layer.boxes.tolist(), layer.areas.tolist(), strict=True)
    ]


def outlines(layer: Layer, *, corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """One closed outline around each piece of a layer, with its holes; see `tracing.trace`."""
    from pail.dataset.tracing import trace  # compiled by numba at its first use

    numbers = cv2.copyMakeBorder(layer.numbers, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    _, holes = cv2.connectedComponents((numbers == 0).astype(np.uint8), connectivity=4)
    points, ends = trace(numbers, holes, len(layer.areas), corners=corners)
    points += np.array([layer.left - 1, layer.top - 1], np.int32)
    return points, ends


def yolo_label(found: list[Layer], shape: tuple[int, int], classes: dict[str, int]) -> bytes:
    """A line for each piece: its class and the corners of its outline as fractions of the sides.

    Corners are the centers of pixels, so that readers that round down and draw with `cv2.fillPoly` get the mask. A
    piece of one or two corners repeats the last: readers ask for three.
    """
    text = [np.array([f"{(i + 0.5) / side:.6f} ".encode() for i in range(side)]) for side in (shape[1], shape[0])]
    written: list[bytes | memoryview] = []
    for layer in found:
        points, ends = outlines(layer, corners=False)
        corners = np.empty((len(points), 2), text[0].dtype)
        for axis in (0, 1):
            corners[:, axis] = text[axis][points[:, axis]]
        width, characters = corners.itemsize * 2, corners.view(np.uint8).reshape(-1).data
        head = f"{classes[layer.label(classes)]} ".encode()
        for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            again = [characters[(end - 1) * width : end * width]] * max(0, 3 - (end - start))
            written += [head, *again, characters[start * width : end * width - 1], b"\n"]
    return b"".join(written)


def coco_encoder() -> Any:
    """The module that encodes masks, of faster-coco-eval or pycocotools."""
    for name in ("faster_coco_eval.mask", "faster_coco_eval.core.mask", "pycocotools.mask"):
        try:
            module = __import__(name, fromlist=["frPyObjects"])
        except ImportError:
            continue
        if hasattr(module, "frPyObjects"):
            return module
    raise ImportError(f"`coco` needs an encoder of masks: {install_hint('coco')}")


def coco_annotations(found: list[Layer], shape: tuple[int, int], segmentation: str) -> list[dict[str, Any]]:
    """COCO's annotations of the pieces; `category_id` is still technique and kind, and ids come with the file."""
    annotations = []
    for layer in found:
        codes = _polygons(layer) if segmentation == "polygon" else _run_lengths(layer, shape)
        for box, pixels, code in zip(layer.boxes.tolist(), layer.areas.tolist(), codes, strict=True):
            annotations.append(
                {
                    "category_id": [layer.technique, layer.kind],
                    "segmentation": code,
                    "area": pixels,
                    "bbox": box,
                    "iscrowd": 0,
                }
            )
    return annotations


def _polygons(layer: Layer) -> Iterator[list[list[int]]]:
    """Along the corners of pixels, which COCO's own rasterizer turns into the mask."""
    points, ends = outlines(layer, corners=True)
    for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        yield [points[start:end].ravel().tolist()]


def _run_lengths(layer: Layer, shape: tuple[int, int]) -> list[dict[str, Any]]:
    """Runs down the columns of the image, counted in each piece's box and compressed by COCO's coder."""
    height, width = shape
    codes = []
    for number, (left, top, w, h) in enumerate(layer.boxes.tolist(), 1):
        rows = slice(top - layer.top, top - layer.top + h)
        columns = slice(left - layer.left, left - layer.left + w)
        inside = np.zeros((w, h + 2), np.int8)  # no run goes on into the next column yet
        inside[:, 1:-1] = number == layer.numbers[rows, columns].T
        column, row = np.nonzero(np.diff(inside))
        turns = (column + left) * height + row + top
        apart = turns[2::2] > turns[1:-1:2]  # a run that ends at the bottom goes on at the top
        kept = np.concatenate([[True], np.repeat(apart, 2), [True]])
        counts = np.diff(turns[kept], prepend=0, append=height * width)
        codes.append({"size": [height, width], "counts": counts.tolist()})
    encoded = coco_encoder().frPyObjects(codes, height, width)
    return [{"size": [height, width], "counts": code["counts"].decode("ascii")} for code in encoded]


def annotations_file(split: str) -> str:
    """The file with COCO's annotations of one split."""
    return f"annotations_{split}.json"


def image_id(line: dict[str, Any]) -> int:
    """The number of an image or tile, unique in all shards of a set."""
    index: int = line["index"]
    tile = line.get("tile")
    return index if tile is None else (index * IDS + tile["row"]) * IDS + tile["column"]


def write_coco(
    out: Store,
    recipe: Recipe,
    entries: Callable[[], Iterator[dict[str, Any]]],
    splits: dict[str, int],
    kinds: Sequence[str] = (),
) -> None:
    """Write COCO's annotations: one file for all images, and one for each split where there are several.

    Entries are written one at a time, so that memory stays flat.

    Parameters
    ----------
    out : Store
        The data set.
    recipe : Recipe
        Its recipe.
    entries : callable
        Iterates over the entries of the parts: the line of the manifest as "made", its annotations as "annotations".
    splits : dict
        The number of images of each split.
    kinds : sequence of str
        What real defects may be called.
    """
    classes = recipe.class_numbers(kinds)
    categories = [{"id": number, "name": name} for number, name in enumerate(recipe.class_names(kinds), 1)]
    names = {split: annotations_file(split) for split in SPLITS if splits.get(split)} if len(splits) > 1 else {}
    out.remove([annotations_file(split) for split in SPLITS if split not in names])
    with contextlib.ExitStack() as stack:
        every = {split: stack.enter_context(out.writing(name)) for split, name in names.items()}
        every[""] = stack.enter_context(out.writing("annotations.json"))
        for file in every.values():
            file.write(b'{"info":{"description":"PAI-Lib"},"categories":' + json.dumps(categories).encode())
            file.write(b',"images":[')
        written = dict.fromkeys(every, 0)
        for entry in entries():
            line = entry["made"]
            image = {"id": image_id(line), "file_name": line["image"], "height": line["height"], "width": line["width"]}
            _write(every, written, line["split"], image)
        for file in every.values():
            file.write(b'],"annotations":[')
        written = dict.fromkeys(every, 0)
        for entry in entries():
            line = entry["made"]
            for annotation in entry.get("annotations", ()):
                technique, kind = annotation["category_id"]
                number = classes[label_of(technique, kind, classes)] + 1
                _write(every, written, line["split"], {**annotation, "image_id": image_id(line), "category_id": number})
        for file in every.values():
            file.write(b"]}\n")


def _write(every: dict[str, IO[bytes]], written: dict[str, int], split: str, values: dict[str, Any]) -> None:
    """One more image or annotation, into the file of all and that of the split.

    Annotations are numbered from 1 in each file: evaluators take 0 for "no match".
    """
    for key in ("", split):
        if key in every:
            file, number = every[key], written[key] + 1
            entry = values if "image_id" not in values else {"id": number, **values}
            file.write((b"" if number == 1 else b",") + json.dumps(entry, separators=(",", ":")).encode())
            written[key] = number
