"""Names of files in each layout, and what goes beside images: masks, or polygons for YOLO."""

from __future__ import annotations

import cv2
import numpy as np

from pail.core.names import MIXED as MIXED
from pail.core.names import OWN as OWN
from pail.dataset.plan import Item
from pail.dataset.recipe import Recipe


def image_name(recipe: Recipe, item: Item, kind: str) -> str:
    """Where the image goes; `kind` is "good" or the technique."""
    suffix = f".{recipe.format}"
    if recipe.layout == "flat":
        return f"images/{item.number:06}{suffix}"
    if recipe.layout == "yolo":
        prefix = "good_" if item.is_good else ""
        return f"images/{'val' if item.split == 'test' else 'train'}/{prefix}{item.number:06}{suffix}"
    return f"{item.split}/{kind}/{item.number:06}{suffix}"


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


def polygons(mask: np.ndarray, label: int) -> str:
    """A line a part: the class and the corners of its outline as fractions of the sides. Holes are bridged."""
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parents = [] if hierarchy is None else hierarchy[0][:, 3].tolist()
    size = np.array(mask.shape[1::-1], float)
    lines = []
    for index, parent in enumerate(parents):
        if parent >= 0:
            continue
        outline = contours[index][:, 0]
        for hole in (contours[i][:, 0] for i, owner in enumerate(parents) if owner == index):
            outline = _bridge(outline, hole)
        corners = (_solid(outline) + 0.5) / size
        lines.append(f"{label} " + " ".join(f"{value:.6f}" for value in corners.ravel()))
    return "".join(line + "\n" for line in lines)


def _bridge(outline: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """One outline that goes to the hole where that is nearest, around it, and back."""
    apart = ((outline[:, None].astype(int) - hole[None]) ** 2).sum(axis=2)
    start, end = np.unravel_index(int(apart.argmin()), apart.shape)
    around = np.roll(hole, -int(end), axis=0)
    return np.concatenate([outline[: start + 1], around, around[:1], outline[start:]])


def _solid(outline: np.ndarray) -> np.ndarray:
    """At least three corners: a pixel or a line is a triangle to readers of polygons."""
    return outline if len(outline) >= 3 else np.concatenate([outline, *[outline[-1:]] * (3 - len(outline))])


def data_yaml(recipe: Recipe) -> str:
    """YOLO's description of the set; names of techniques are the classes.

    Without a `path`, readers take the file's own folder; a relative one is taken from the current folder.
    """
    names = "".join(f"  {label}: {name}\n" for label, name in enumerate(recipe.names))
    return f"train: images/train\nval: images/val\nnames:\n{names}"
