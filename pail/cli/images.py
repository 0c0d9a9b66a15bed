"""Read a few of the user's images for a preview."""

from __future__ import annotations

import dataclasses
from typing import Any

from pail.cli.main import err


def read_few(store: Any, names: list[str], recipe: Any, most: int = 8) -> dict[str, Any]:
    """A few images by name, spread evenly over the folder. Files that cannot be read are left out."""
    from pail.dataset.inputs import read_image
    from pail.io.read import UnreadableError

    found = dict[str, Any]()
    for name in names[:: max(1, len(names) // most)]:
        try:
            picture = read_image(store, name, recipe)
            # Alpha of color images is part of the pixels; two channels would be read as two bands.
            found[name] = picture.pixels[..., 0] if picture.alpha and picture.pixels.shape[2] == 2 else picture.pixels
        except (UnreadableError, OSError) as error:
            err.print(f"{name!r} is left out: {error}", markup=False, highlight=False)
        if len(found) == most:
            break
    if not found:
        raise ValueError(f"`images` must be images that can be read, but {store} contains none")
    return found


def read_some(folder: str, recipe: Any) -> tuple[Any, list[Any], Any]:
    """The recipe with the measured window, and a few images with their regions, as in `generate`."""
    from pail.dataset.inputs import Inputs, find_images, read_image, values_in_use, warn_of_background
    from pail.dataset.make import region
    from pail.dataset.sizes import fitted
    from pail.dataset.store import Store

    store, selected = find_images("images", folder, recipe, normal=True)
    names = selected.names
    originals = read_few(store, names, recipe)
    if recipe.data_range == "auto":
        found = values_in_use(names, lambda name: read_image(store, name, recipe).pixels, alpha=recipe.alpha)
        recipe = dataclasses.replace(recipe, data_range=(found.low, found.high))
        err.print(f"data_range: {found}", highlight=False)
    warn_of_background(store, names, recipe)
    images = {name: fitted(pixels, recipe.size, recipe.fit) for name, pixels in originals.items()}
    rois = None if recipe.roi_folder is None else Store(recipe.roi_folder)
    masks = {name.rpartition(".")[0]: name for name in rois.names()} if rois else {}
    inputs = Inputs(store, None, rois, masks)
    regions = [region(recipe, inputs, name, images[name], originals[name].shape[:2]) for name in images]
    return recipe, list(images.values()), regions
