"""CutPaste: a rectangle of the image, recoloured a little, pasted elsewhere."""

from __future__ import annotations

from typing import Any

from pail.core.box import Box
from pail.core.checks import as_range, as_sequence
from pail.core.composite import Insertion
from pail.core.draw import Draw
from pail.core.frame import Frame
from pail.pixels.augmenter import as_transform
from pail.pixels.placing import place
from pail.pixels.shapes import draw_aspect, rectangle_size, within_area
from pail.pixels.sources import change_patch

PAPER_AREA_RATIO = (0.02, 0.15)


def cutpaste(
    frame: Frame,
    draw: Draw,
    *,
    area_ratio: Any = (0.2, 0.25),
    aspect_ratio: Any = ((0.3, 1), (1, 3.3)),
    transform: Any = True,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.cutpaste`."""
    area_ratio = as_range("area_ratio", area_ratio, 0, 1, above=True)
    aspect_ratio = as_aspect_ratio(aspect_ratio)
    transform = as_transform("transform", transform)
    area = draw.scaled("area_ratio", *area_ratio) * frame.region_area
    height, width = rectangle_size(area, draw_aspect(draw, aspect_ratio), frame.region_box[2:])
    if frame.roi is not None:  # of a small region a row of pixels too many is much
        height, width = within_area((height, width), area)
    origin = Box(
        draw.integer("source_top", 0, frame.height - height),
        draw.integer("source_left", 0, frame.width - width),
        height,
        width,
    )
    target = _elsewhere(frame, draw, origin, same_allowed=transform is not False)
    content = change_patch(frame, draw, frame.crop(origin), transform)
    return Insertion(target, content, opacity=draw.opacity())


def as_aspect_ratio(value: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    ranges = as_sequence("aspect_ratio", value, lambda name, entry: as_range(name, entry, 1e-3, 1e3))
    if len(ranges) != 2:
        raise ValueError(f"`aspect_ratio` must be two ranges ((low, high), (low, high)), got {value!r}")
    return ranges[0], ranges[1]


def _elsewhere(frame: Frame, draw: Draw, origin: Box, *, same_allowed: bool) -> Box:
    """A place for the patch; an unchanged patch on its own place would be no anomaly."""
    target = place(frame, draw, origin.height, origin.width)
    for _ in range(9):
        if same_allowed or target != origin:
            break
        target = place(frame, draw, origin.height, origin.width)
    return target
