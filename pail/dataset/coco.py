"""annotations.json with RLE masks and boxes, beside any layout."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from pail.dataset.recipe import Recipe
from pail.dataset.store import Store
from pail.io.read import decode


def encoder() -> Any:
    """The module that encodes masks, of faster-coco-eval or pycocotools."""
    for name in ("faster_coco_eval.mask", "faster_coco_eval.core.mask", "pycocotools.mask"):
        try:
            module = __import__(name, fromlist=["encode"])
        except ImportError:
            continue
        if hasattr(module, "encode"):
            return module
    raise ImportError('`coco` needs an encoder of masks: pip install "pai-lib[coco]"')


def write_coco(out: Store, recipe: Recipe) -> None:
    """A line of the manifest at a time, so that the memory stays flat."""
    coder = encoder()
    labels = {name: label for label, name in enumerate(recipe.names, 1)}
    with out.writing("annotations.json") as file:
        file.write(b'{"info":{"description":"PAI-Lib"},"categories":')
        file.write(json.dumps([{"id": label, "name": name} for name, label in labels.items()]).encode())
        for key, entry in (("images", _image), ("annotations", _annotation)):
            file.write(f',"{key}":['.encode())
            first = True
            for line in out.lines("manifest.jsonl"):
                text = entry(json.loads(line), out, labels, coder)
                if text is not None:
                    file.write(b"" if first else b",")
                    file.write(json.dumps(text).encode())
                    first = False
            file.write(b"]")
        file.write(b"}\n")


def _image(line: dict[str, Any], out: Store, labels: dict[str, int], coder: Any) -> dict[str, Any]:
    return {"id": line["index"], "file_name": line["image"], "height": line["height"], "width": line["width"]}


def _annotation(line: dict[str, Any], out: Store, labels: dict[str, int], coder: Any) -> dict[str, Any] | None:
    """The mask of an image as one object, under its first technique."""
    if line["label"] == 0:
        return None
    mask = (decode(out.read(line["mask"])) > 0).astype(np.uint8)
    code = coder.encode(np.asfortranarray(mask))
    return {
        "id": line["index"],
        "image_id": line["index"],
        "category_id": labels[line["techniques"][0]],
        "segmentation": {"size": list(code["size"]), "counts": code["counts"].decode("ascii")},
        "area": int(mask.sum()),
        "bbox": line["bbox"],
        "iscrowd": 0,
    }
