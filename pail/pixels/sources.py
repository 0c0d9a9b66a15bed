"""Pixels made ready for a technique: recolored patches, augmented and shuffled sources."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from pail.core.image import NormalImage
from pail.core.ops import resize
from pail.core.sampler import Sampler
from pail.pixels.augmenter import apply_augmenter
from pail.pixels.draem import augment
from pail.pixels.jitter import weak_jitter


def change_patch(image: NormalImage, sampler: Sampler, patch: np.ndarray, transform: Any) -> np.ndarray:
    """A patch after the instance's `transform`: jittered, as it is, or through an augmenter of the user's."""
    if transform is True:
        return weak_jitter(patch, sampler, image.max_value)
    if transform is False:
        return patch
    return resize(apply_augmenter(transform, patch, sampler, image, "transform"), patch.shape[:2])


def augmented_source(
    image: NormalImage, sampler: Sampler, source: np.ndarray | None, augmenter: Any, *, always: bool
) -> np.ndarray:
    """The source, or the image itself without one, at the image's size, changed by the user's augmenter or DRAEM's."""
    pixels = image.crop() if source is None else resize(source, image.shape)
    if augmenter is not None:
        return resize(apply_augmenter(augmenter, pixels, sampler, image), image.shape)
    return augment(pixels, sampler, image.max_value) if always else pixels


def shuffled(image: np.ndarray, sampler: Sampler, grid: int) -> np.ndarray:
    """The image cut into a grid of near-equal cells that change places at random."""
    rows, columns = (np.linspace(0, size, min(grid, size) + 1).round().astype(int) for size in image.shape[:2])
    cells = [
        (slice(top, bottom), slice(left, right)) for top, bottom in pairwise(rows) for left, right in pairwise(columns)
    ]
    result = np.empty_like(image)
    for target, origin in zip(cells, sampler.sample("cells", len(cells), len(cells)), strict=True):
        hole = result[target]
        hole[...] = resize(image[cells[origin]], hole.shape[:2])
    return result
