"""The names of files in each layout, and the files that a layout needs besides images."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pail.beyond.presets import as_preset
from pail.dataset.plan import Item
from pail.dataset.recipe import SPLITS, Recipe
from pail.dataset.tiles import Tile

GOOD = "good"
REST = "rest_"  # prefix in the name of a tile that the anomaly does not reach


def image_name(recipe: Recipe, item: Item, kind: str, tile: Tile | None = None) -> str:
    """The path of an image; `kind` is "good" or the technique. Names of tiles end in row and column."""
    suffix = f"_{tile.name}.{recipe.format}" if tile else f".{recipe.format}"
    prefix = "good_" if item.is_good and recipe.layout != "mvtec" else ""  # next to the anomalous images
    if recipe.layout == "flat":
        return f"images/{prefix}{item.number:06}{suffix}"
    if recipe.layout == "yolo":
        return f"images/{item.split}/{prefix}{item.number:06}{suffix}"
    if kind == GOOD and not item.is_good:
        prefix = REST  # it is next to tiles of normal images, which are numbered separately
    folder = "validation" if item.split == "val" else item.split
    return f"{folder}/{kind}/{prefix}{item.number:06}{suffix}"


def mask_name(recipe: Recipe, item: Item, kind: str, tile: Tile | None = None) -> str:
    """The path of the mask of an anomalous image."""
    end = f"_{tile.name}" if tile else ""
    if recipe.layout == "flat":
        return f"masks/{item.number:06}{end}.png"
    if recipe.layout == "yolo":
        return image_name(recipe, item, kind, tile).replace("images/", "masks/").rpartition(".")[0] + ".png"
    return f"ground_truth/{kind}/{item.number:06}{end}_mask.png"


def label_name(recipe: Recipe, item: Item, kind: str, tile: Tile | None = None) -> str:
    """The path of the YOLO label (an empty file for a good image), or "" in other layouts."""
    if recipe.layout != "yolo":
        return ""
    return image_name(recipe, item, kind, tile).replace("images/", "labels/").rpartition(".")[0] + ".txt"


def data_yaml(recipe: Recipe, splits: dict[str, int], kinds: Sequence[str] = ()) -> str:
    """The description of the set and its classes for YOLO; `splits` contains the number of images of each split.

    There is no `path` entry: readers then use the folder of the file, whereas a relative path would refer to the
    current folder.
    """
    folders = "".join(f"{split}: images/{split}\n" for split in SPLITS if split != "test" or splits.get("test"))
    names = "".join(
        f"  {label}: {json.dumps(name, ensure_ascii=False)}\n" for label, name in enumerate(recipe.class_names(kinds))
    )
    return f"{folders}names:\n{names}"


def notes(recipe: Recipe) -> list[str]:
    """Notes for the user about a layout, printed before images are made."""
    found = []
    if recipe.layout == "mvtec" and recipe.format != "png":
        found.append(
            f"anomalib's MVTecAD reads only .png, not .{recipe.format}: read this set with Folder, or use png."
        )
    if recipe.preset is not None and recipe.purpose == "training":
        lacks = {"mvtec": "anomalies in train"}
        if as_preset(recipe.preset).anomalous < 1:
            lacks["flat"] = "good images"
        if recipe.layout in lacks:
            found.append(
                f"`preset` {recipe.preset!r} defines training data, but layout {recipe.layout!r} has no "
                f"{lacks[recipe.layout]}: layout='yolo' (--layout yolo) has good and anomalous images in each split."
            )
    return found
