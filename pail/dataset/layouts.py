"""The names of files in each layout, and the files that a layout needs besides images."""

from __future__ import annotations

import json

from pail.dataset.plan import Item
from pail.dataset.recipe import SPLITS, Recipe


def image_name(recipe: Recipe, item: Item, kind: str) -> str:
    """Where the image goes; `kind` is "good" or the technique."""
    suffix = f".{recipe.format}"
    prefix = "good_" if item.is_good and recipe.layout != "mvtec" else ""  # in one folder with the anomalous images
    if recipe.layout == "flat":
        return f"images/{prefix}{item.number:06}{suffix}"
    if recipe.layout == "yolo":
        return f"images/{item.split}/{prefix}{item.number:06}{suffix}"
    folder = "validation" if item.split == "val" else item.split
    return f"{folder}/{kind}/{item.number:06}{suffix}"


def mask_name(recipe: Recipe, item: Item, kind: str) -> str:
    """Where the mask of an anomalous image goes."""
    if recipe.layout == "flat":
        return f"masks/{item.number:06}.png"
    if recipe.layout == "yolo":
        return image_name(recipe, item, kind).replace("images/", "masks/").rpartition(".")[0] + ".png"
    return f"ground_truth/{kind}/{item.number:06}_mask.png"


def label_name(recipe: Recipe, item: Item, kind: str) -> str:
    """Where YOLO's label goes, an empty file for a good image; "" in other layouts."""
    if recipe.layout != "yolo":
        return ""
    return image_name(recipe, item, kind).replace("images/", "labels/").rpartition(".")[0] + ".txt"


def data_yaml(recipe: Recipe, splits: dict[str, int]) -> str:
    """YOLO's description of the set and its classes; `splits` holds the number of images of each.

    Without a `path`, readers take the file's own folder; a relative one is taken from the current folder.
    """
    folders = "".join(f"{split}: images/{split}\n" for split in SPLITS if split != "test" or splits.get("test"))
    names = "".join(
        f"  {label}: {json.dumps(name, ensure_ascii=False)}\n" for label, name in enumerate(recipe.class_names)
    )
    return f"{folders}names:\n{names}"


def notes(recipe: Recipe) -> list[str]:
    """What users of a layout should know before images are made."""
    if recipe.layout == "mvtec" and recipe.format != "png":
        return [f"anomalib's MVTecAD reads only .png, not .{recipe.format}: read this set with Folder, or use png."]
    return []
