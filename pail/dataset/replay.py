"""One image of a set, made again from its line of the manifest."""

from __future__ import annotations

import os
from typing import Any

from pail.dataset import recipe as recipes
from pail.dataset.generate import lines
from pail.dataset.make import Inputs, make
from pail.dataset.plan import Item
from pail.dataset.store import Store


def remake(
    dataset: str | os.PathLike[str],
    index: int,
    normals: str | os.PathLike[str],
    source: str | os.PathLike[str] | None = None,
) -> tuple[bytes, bool]:
    """The file of the image with that index, and whether it is the one in the set."""
    folder = Store(dataset)
    line = _line(folder, index)
    recipe = recipes.make(**recipes.loads(folder.read("recipe.toml").decode()))
    if line.get("source") and source is None:
        raise ValueError("`source` must be given: the image was made with a source")
    rois = Store(recipe.roi) if recipe.roi not in (None, "foreground") else None
    roi_names = {name.rpartition(".")[0]: name for name in rois.names()} if rois else {}
    number = int(line["image"].rpartition("/")[2].partition(".")[0].removeprefix("good_"))
    sources = (line["source"],) if line.get("source") else ()
    item = Item(index, number, line["split"], (line["normal"],), sources, is_good=line["label"] == 0)
    inputs = Inputs(Store(normals), None if source is None else Store(source), rois, roi_names)
    made = make(recipe, inputs, item)
    if made.line is None:
        raise ValueError(f"`normals` must hold {line['normal']}: {made.skipped[0]['reason']}")
    data = made.files[made.line["image"]]
    return data, data == folder.read(line["image"]) and made.line == line


def _line(folder: Store, index: int) -> dict[str, Any]:
    for line in lines(folder):
        if line["index"] == index:
            return line
    raise ValueError(f"`index` must be in the manifest, got {index}")
