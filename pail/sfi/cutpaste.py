"""A rectangle of the image, slightly recolored, pasted at another place (CutPaste).

1. The rectangle has an area of `area_ratio` of the region and an aspect (width / height) from one of the two ranges of
   `aspect_ratio`, each with probability 1/2. It is cut anywhere in the image.
2. Its colors are jittered by up to 0.1 in brightness, contrast, saturation and hue.
3. It is pasted, unblended, at a uniform place in the region.

The paper draws areas from (0.02, 0.15), which is `PAPER_AREA_RATIO`; the default is that of PAI-Lib's original code.

Reference: Li, Sohn, Yoon, Pfister, "CutPaste: Self-supervised learning for anomaly detection and localization",
CVPR 2021, https://arxiv.org/abs/2104.04015.
"""

from __future__ import annotations

from typing import Annotated, Any

from pail.core.composite import Insertion
from pail.core.image import NormalImage
from pail.core.ops import Box
from pail.core.parameters import Pair, Several
from pail.core.sampler import Sampler
from pail.pixels.augmenter import change_patch
from pail.pixels.placing import place, rectangle_size

PAPER_AREA_RATIO = (0.02, 0.15)
TRIES = 10  # tries to find another place than that of the patch


def cutpaste(
    image: NormalImage,
    sampler: Sampler,
    transform: Any,
    *,
    area_ratio: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the area")],
    aspect_ratio: Annotated[tuple[tuple[float, float], ...], Several(Pair(1e-3, 1e3), 2, unit="width / height")],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.cutpaste`."""
    area = sampler.scaled("area_ratio", *area_ratio) * image.region_area
    aspect = sampler.uniform("aspect", *sampler.choice("aspect_range", aspect_ratio))
    height, width = rectangle_size(area, aspect, image.region_box[2:])
    if image.roi is not None and height * width > area:  # rounding up would matter in a small region
        if height >= width:
            height = max(int(area / width), 1)
        else:
            width = max(int(area / height), 1)
    top = sampler.integer("source_top", 0, image.height - height)
    origin = Box(top, sampler.integer("source_left", 0, image.width - width), height, width)
    for _ in range(TRIES):
        target = place(image, sampler, height, width)
        if transform is not False or target != origin:  # an unchanged patch at its own place would not be an anomaly
            break
    content = change_patch(image, sampler, image.crop(origin), transform)
    return Insertion(target, content, opacity=sampler.opacity())
