"""CutPaste: a rectangle of the image, recolored a little, pasted elsewhere."""

from __future__ import annotations

from typing import Any

from pail.core.box import Box
from pail.core.checks import as_range, as_sequence
from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.sampler import Sampler
from pail.pixels.augmenter import as_transform
from pail.pixels.placing import place
from pail.pixels.shapes import draw_aspect, rectangle_size, within_area
from pail.pixels.sources import change_patch

PAPER_AREA_RATIO = (0.02, 0.15)


def cutpaste(
    image: NormalImage,
    sampler: Sampler,
    *,
    area_ratio: Any = (0.2, 0.25),
    aspect_ratio: Any = ((0.3, 1), (1, 3.3)),
    transform: Any = True,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.cutpaste`."""
    area_ratio = as_range("area_ratio", area_ratio, 0, 1, above=True)
    aspect_ratio = as_aspect_ratio(aspect_ratio)
    transform = as_transform("transform", transform)
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


def as_aspect_ratio(value: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    ranges = as_sequence("aspect_ratio", value, lambda name, entry: as_range(name, entry, 1e-3, 1e3))
    if len(ranges) != 2:
        raise ValueError(f"`aspect_ratio` must be two ranges ((low, high), (low, high)), got {value!r}")
    return ranges[0], ranges[1]


def _elsewhere(image: NormalImage, sampler: Sampler, origin: Box, *, same_allowed: bool) -> Box:
    """A place for the patch; an unchanged patch on its own place would be no anomaly."""
    target = place(image, sampler, origin.height, origin.width)
    for _ in range(9):
        if same_allowed or target != origin:
            break
        target = place(image, sampler, origin.height, origin.width)
    return target
