"""The names of files in each layout, and the files that a layout needs besides images."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pail.beyond.presets import as_preset
from pail.dataset.plan import Item
from pail.dataset.recipe import SPLITS, Recipe
from pail.dataset.tiles import Tile

GOOD = "good"
REST = "rest_"  # before the number of an anomaly in the name of a tile that it does not reach


def image_name(recipe: Recipe, item: Item, kind: str, tile: Tile | None = None) -> str:
    """Where the image goes; `kind` is "good" or the technique. Names of tiles end in the row and column."""
    suffix = f"_{tile.name}.{recipe.format}" if tile else f".{recipe.format}"
    prefix = "good_" if item.is_good and recipe.layout != "mvtec" else ""  # in one folder with the anomalous images
    if recipe.layout == "flat":
        return f"images/{prefix}{item.number:06}{suffix}"
    if recipe.layout == "yolo":
        return f"images/{item.split}/{prefix}{item.number:06}{suffix}"
    if kind == GOOD and not item.is_good:
        prefix = REST  # beside the tiles of normal images, which have numbers of their own
    folder = "validation" if item.split == "val" else item.split
    return f"{folder}/{kind}/{prefix}{item.number:06}{suffix}"


def mask_name(recipe: Recipe, item: Item, kind: str, tile: Tile | None = None) -> str:
    """Where the mask of an anomalous image goes."""
    end = f"_{tile.name}" if tile else ""
    if recipe.layout == "flat":
        return f"masks/{item.number:06}{end}.png"
    if recipe.layout == "yolo":
        return image_name(recipe, item, kind, tile).replace("images/", "masks/").rpartition(".")[0] + ".png"
    return f"ground_truth/{kind}/{item.number:06}{end}_mask.png"


def label_name(recipe: Recipe, item: Item, kind: str, tile: Tile | None = None) -> str:
    """Where YOLO's label goes, an empty file for a good image; "" in other layouts."""
    if recipe.layout != "yolo":
        return ""
    return image_name(recipe, item, kind, tile).replace("images/", "labels/").rpartition(".")[0] + ".txt"


def data_yaml(recipe: Recipe, splits: dict[str, int], kinds: Sequence[str] = ()) -> str:
    """YOLO's description of the set and its classes; `splits` holds the number of images of each.

    Without a `path`, readers take the file's own folder; a relative one is taken from the current folder.
    """
    folders = "".join(f"{split}: images/{split}\n" for split in SPLITS if split != "test" or splits.get("test"))
    names = "".join(
        f"  {label}: {json.dumps(name, ensure_ascii=False)}\n" for label, name in enumerate(recipe.class_names(kinds))
    )
    return f"{folders}names:\n{names}"


def notes(recipe: Recipe) -> list[str]:
    """What users of a layout should know before images are made."""
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
                f"`preset` {recipe.preset!r} says what is trained on, and layout {recipe.layout!r} has no "
                f"{lacks[recipe.layout]}: layout='yolo' (--layout yolo) has good and anomalous images in each split."
            )
    return found
