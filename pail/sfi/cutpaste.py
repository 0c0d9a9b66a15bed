"""CutPaste: a rectangle of the image, recolored a little, pasted elsewhere."""

from __future__ import annotations

from typing import Annotated, Any

from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.ops import Box
from pail.core.parameters import Pair, Several
from pail.core.sampler import Sampler
from pail.pixels.placing import place
from pail.pixels.shapes import draw_aspect, rectangle_size, within_area
from pail.pixels.sources import change_patch

PAPER_AREA_RATIO = (0.02, 0.15)


def cutpaste(
    image: NormalImage,
    sampler: Sampler,
    transform: Any,
    *,
    area_ratio: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="share of the area")],
    aspect_ratio: Annotated[tuple[tuple[float, float], ...], Several(Pair(1e-3, 1e3), 2, unit="width / height")],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.cutpaste`."""
    area = sampler.scaled("area_ratio", *area_ratio) * image.region_area
    height, width = rectangle_size(area, draw_aspect(sampler, aspect_ratio), image.region_box[2:])
    if image.roi is not None:  # of a small region a row of pixels too many is much
        height, width = within_area((height, width), area)
    origin = Box(
        sampler.integer("source_top", 0, image.height - height),
        sampler.integer("source_left", 0, image.width - width),
        height,
        width,
    )
    target = _elsewhere(image, sampler, origin, same_allowed=transform is not False)
    content = change_patch(image, sampler, image.crop(origin), transform)
    return Insertion(target, content, opacity=sampler.opacity())


def _elsewhere(image: NormalImage, sampler: Sampler, origin: Box, *, same_allowed: bool) -> Box:
    """A place for the patch; an unchanged patch on its own place would be no anomaly."""
    target = place(image, sampler, origin.height, origin.width)
    for _ in range(9):
        if same_allowed or target != origin:
            break
        target = place(image, sampler, origin.height, origin.width)
    return target
