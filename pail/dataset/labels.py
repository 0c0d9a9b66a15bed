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
    """The pieces of one anomaly: the 8-connected components of its visible part."""

    technique: str
    kind: str | None  # kind of a real defect
    label: str  # determines the class: technique or kind
    left: int  # position of the crop in the image
    top: int
    numbers: np.ndarray  # int32 (h, w) crop: the number of the piece from 1, or 0
    boxes: np.ndarray  # int32 (n, 4): left, top, width, height in the image
    areas: np.ndarray  # int32 (n,): pixels

    @property
    def named(self) -> dict[str, str]:
        """The kind of the anomaly, if it has one, as a dict."""
        return {} if self.kind is None else {"kind": self.kind}


def layers(
    instances: np.ndarray,
    techniques: Sequence[str],
    kinds: Sequence[str | None] | None = None,
    labels: Sequence[str] | None = None,
) -> list[Layer]:
    """The pieces of each anomaly. An anomaly that later ones cover completely has none.

    Parameters
    ----------
    instances : uint16 array (H, W)
        The number of the anomaly on top, counted from 1, and 0 elsewhere.
    techniques : sequence of str
        The technique of each anomaly.
    kinds : sequence of str or None, optional
        The kind of each anomaly that is a real defect.
    labels : sequence of str, optional
        The label of each anomaly, which determines its class. By default it is the technique.
    """
    found = []
    kinds = [None] * len(techniques) if kinds is None else kinds
    labels = techniques if labels is None else labels
    for number, (technique, kind, label) in enumerate(zip(techniques, kinds, labels, strict=True), 1):
        own = (instances == number).view(np.uint8)
        left, top, width, height = cv2.boundingRect(own)
        if not width:
            continue
        crop = own[top : top + height, left : left + width]
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(crop, connectivity=8)
        boxes = stats[1:, : cv2.CC_STAT_AREA] + np.array([left, top, 0, 0], np.int32)
        found.append(Layer(technique, kind, label, left, top, numbers, boxes, stats[1:, cv2.CC_STAT_AREA]))
    return found


def manifest_pieces(found: list[Layer]) -> list[dict[str, Any]]:
    """The entry of each piece in the manifest."""
    return [
        {"technique": layer.technique, **layer.named, "bbox": box, "pixels": pixels}
        for layer in found
        for box, pixels in zip(layer.boxes.tolist(), layer.areas.tolist(), strict=True)
    ]


def outlines(layer: Layer, *, corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """One closed outline around each piece of a layer, with its holes; see `tracing.trace`."""
    from pail.dataset.tracing import trace  # imported here, because numba compiles it at its first use

    numbers = cv2.copyMakeBorder(layer.numbers, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    _, holes = cv2.connectedComponents((numbers == 0).astype(np.uint8), connectivity=4)
    points, ends = trace(numbers, holes, len(layer.areas), corners=corners)
    points += np.array([layer.left - 1, layer.top - 1], np.int32)
    return points, ends


def yolo_label(found: list[Layer], shape: tuple[int, int], classes: dict[str, int]) -> bytes:
    """A line for each piece: its class and the corners of its outline as fractions of the sides.

    Corners are the centers of pixels, so that readers that round down and draw with `cv2.fillPoly` get the exact mask.
    For a piece with one or two corners, the last one is repeated, because readers require three.
    """
    text = [np.array([f"{(i + 0.5) / side:.6f} ".encode() for i in range(side)]) for side in (shape[1], shape[0])]
    written: list[bytes | memoryview] = []
    for layer in found:
        points, ends = outlines(layer, corners=False)
        corners = np.empty((len(points), 2), text[0].dtype)
        for axis in (0, 1):
            corners[:, axis] = text[axis][points[:, axis]]
        width, characters = corners.itemsize * 2, corners.view(np.uint8).reshape(-1).data
        head = f"{classes[layer.label]} ".encode()
        for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            again = [characters[(end - 1) * width : end * width]] * max(0, 3 - (end - start))
            written += [head, *again, characters[start * width : end * width - 1], b"\n"]
    return b"".join(written)


def coco_encoder() -> Any:
    """The module that encodes masks, from faster-coco-eval or pycocotools."""
    for name in ("faster_coco_eval.mask", "faster_coco_eval.core.mask", "pycocotools.mask"):
        try:
            module = __import__(name, fromlist=["frPyObjects"])
        except ImportError:
            continue
        if hasattr(module, "frPyObjects"):
            return module
    raise ImportError(f"`coco` needs a package that encodes masks: {install_hint('coco')}")


def coco_annotations(found: list[Layer], shape: tuple[int, int], segmentation: str) -> list[dict[str, Any]]:
    """The COCO annotations of the pieces. `category_id` is the label until the file is written, where ids are
    assigned."""
    annotations = []
    for layer in found:
        codes = _polygons(layer) if segmentation == "polygon" else _run_lengths(layer, shape)
        for box, pixels, code in zip(layer.boxes.tolist(), layer.areas.tolist(), codes, strict=True):
            annotations.append(
                {
                    "category_id": layer.label,
                    "segmentation": code,
                    "area": pixels,
                    "bbox": box,
                    "iscrowd": 0,
                }
            )
    return annotations


def _polygons(layer: Layer) -> Iterator[list[list[int]]]:
    """Polygons along the corners of pixels, from which COCO's own rasterizer reconstructs the exact mask."""
    points, ends = outlines(layer, corners=True)
    for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        yield [points[start:end].ravel().tolist()]


def _run_lengths(layer: Layer, shape: tuple[int, int]) -> list[dict[str, Any]]:
    """Run lengths in column order, computed in the box of each piece and compressed by COCO's encoder."""
    height, width = shape
    codes = []
    for number, (left, top, w, h) in enumerate(layer.boxes.tolist(), 1):
        rows = slice(top - layer.top, top - layer.top + h)
        columns = slice(left - layer.left, left - layer.left + w)
        inside = np.zeros((w, h + 2), np.int8)  # separates the runs of adjacent columns at first
        inside[:, 1:-1] = number == layer.numbers[rows, columns].T
        column, row = np.nonzero(np.diff(inside))
        turns = (column + left) * height + row + top
        apart = turns[2::2] > turns[1:-1:2]  # a run that reaches the bottom continues at the top of the next column
        kept = np.concatenate([[True], np.repeat(apart, 2), [True]])
        counts = np.diff(turns[kept], prepend=0, append=height * width)
        codes.append({"size": [height, width], "counts": counts.tolist()})
    encoded = coco_encoder().frPyObjects(codes, height, width)
    return [{"size": [height, width], "counts": code["counts"].decode("ascii")} for code in encoded]


def annotations_file(split: str) -> str:
    """The name of the file with the COCO annotations of one split."""
    return f"annotations_{split}.json"


def image_id(line: dict[str, Any]) -> int:
    """The id of an image or tile, which is unique across the shards of a set."""
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
    """Write the COCO annotations: one file for all images, and one for each
    split if there are several.

    Entries are written one at a time, so that memory does not grow.

    Parameters
    ----------
    out : Store
        The data set.
    recipe : Recipe
        The recipe of the data set.
    entries : callable
        Iterates over the entries of the parts: the manifest line as "made",
        and its annotations as "annotations".
    splits : dict
        The number of images of each split.
    kinds : sequence of str
        The possible kinds of real defects.
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
                number = classes[annotation["category_id"]] + 1
                _write(every, written, line["split"], {**annotation, "image_id": image_id(line), "category_id": number})
        for file in every.values():
            file.write(b"]}\n")


def _write(every: dict[str, IO[bytes]], written: dict[str, int], split: str, values: dict[str, Any]) -> None:
    """Write one image or annotation to the common file and to that of the split.

    Annotations are numbered from 1 in each file, because evaluators interpret 0 as "no match".
    """
    for key in ("", split):
        if key in every:
            file, number = every[key], written[key] + 1
            entry = values if "image_id" not in values else {"id": number, **values}
            file.write((b"" if number == 1 else b",") + json.dumps(entry, separators=(",", ":")).encode())
            written[key] = number
