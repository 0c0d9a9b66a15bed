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
    from pail.dataset.inputs import (
        Inputs,
        check_regions,
        check_tiles,
        find_images,
        list_pages,
        read_image,
        stem_of,
        values_in_use,
        warn_of_background,
    )
    from pail.dataset.make import region
    from pail.dataset.sizes import fitted

    store, selected = find_images("images", folder, recipe, normal=True)
    rois, masks = None, dict[str, str]()
    if recipe.roi_folder is not None:
        rois, found = find_images("roi", recipe.roi_folder, recipe)
        masks = {name.rpartition(".")[0]: name for name in found.names}
        check_regions(selected.names, masks, rois)
    names = list_pages(store, selected.names, recipe)
    check_tiles(store, names, recipe)
    if recipe.data_range == "auto":
        values = values_in_use(names, lambda name: read_image(store, name, recipe), alpha=recipe.alpha)
        recipe = dataclasses.replace(recipe, data_range=(values.low, values.high))
        err.print(f"data_range: {values}", highlight=False)
    warn_of_background(store, names, recipe)
    originals = read_few(store, [name for name in names if rois is None or stem_of(name) in masks], recipe)
    images = {name: fitted(pixels, recipe.size, recipe.fit) for name, pixels in originals.items()}
    inputs = Inputs(store, None, rois, masks)
    regions = [region(recipe, inputs, name, images[name], originals[name].shape[:2]) for name in images]
    return recipe, list(images.values()), regions
