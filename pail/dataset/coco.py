"""COCO's annotations beside any layout: one file for all, and one for each split where there are several."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import IO, Any

from pail.dataset.recipe import SPLITS, Recipe
from pail.dataset.store import Store

WHOLE = "annotations.json"


def file_of(split: str) -> str:
    """The file of one split."""
    return f"annotations_{split}.json"


def write_coco(
    out: Store, recipe: Recipe, entries: Callable[[], Iterator[dict[str, Any]]], splits: dict[str, int]
) -> None:
    """Write the annotations, an entry at a time, so that memory stays flat.

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
    """
    classes = recipe.classes_by_technique
    categories = [{"id": number, "name": name} for number, name in enumerate(recipe.class_names, 1)]
    names = {split: file_of(split) for split in SPLITS if splits.get(split)} if len(splits) > 1 else {}
    out.remove([file_of(split) for split in SPLITS if split not in names])
    with contextlib.ExitStack() as stack:
        every = {split: stack.enter_context(out.writing(name)) for split, name in names.items()}
        every[""] = stack.enter_context(out.writing(WHOLE))
        for file in every.values():
            file.write(b'{"info":{"description":"PAI-Lib"},"categories":' + json.dumps(categories).encode())
            file.write(b',"images":[')
        written = dict.fromkeys(every, 0)
        for entry in entries():
            line = entry["made"]
            image = {"id": line["index"], "file_name": line["image"], "height": line["height"], "width": line["width"]}
            _write(every, written, line["split"], image)
        for file in every.values():
            file.write(b'],"annotations":[')
        written = dict.fromkeys(every, 0)
        for entry in entries():
            line = entry["made"]
            for annotation in entry.get("annotations", ()):
                number = classes[annotation["category_id"]] + 1
                _write(every, written, line["split"], {**annotation, "image_id": line["index"], "category_id": number})
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
