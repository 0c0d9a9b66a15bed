"""The connected components of a shape, each moved as a whole to its own place inside a region.

A region and a shape are uint8 masks (H, W) of {0, 255}.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from pail.core.ops import Box, as_bytes, resize
from pail.core.sampler import Sampler

IN_PLACE = 2 / 3  # BGAD: a shape with more than this share on the object is not moved
PLACING_SIDE = 128  # pixels: side of the thumbnail on which distances to the border of the region are measured
MAX_PIECES = 512  # further pieces, which are specks, move together


class Piece(NamedTuple):
    """A piece of a shape: the box where it is cut out, its mask, and the box where it is pasted."""

    box: Box
    mask: np.ndarray
    target: Box


def place_pieces(shape: np.ndarray, region: np.ndarray | None, sampler: Sampler) -> list[Piece]:
    """The whole shape at its place if most of it lies in the region, else each component at its own place."""
    box = Box.around(shape)
    part = shape[box.slices]
    whole = [Piece(box, part, box)]
    if region is None:
        return whole
    on_region = cv2.countNonZero(cv2.bitwise_and(part, region[box.slices]))
    if on_region > IN_PLACE * cv2.countNonZero(part):
        return whole
    depth = _Depth(region)
    components = _components(box, part)
    numbers = sampler.rng.random((len(components), 3)).tolist()
    pieces = [Piece(*item, depth.place(item[0], *where)) for item, where in zip(components, numbers, strict=True)]
    sampler.keep("places", [[piece.target.top, piece.target.left] for piece in pieces])
    return pieces


def cover(shape: tuple[int, int], pieces: list[Piece], *, moved: bool = True) -> np.ndarray:
    """The mask of the pieces where they are pasted or, not `moved`, where they are cut out."""
    canvas = np.zeros(shape, np.uint8)
    for piece in pieces:
        canvas[(piece.target if moved else piece.box).slices] |= piece.mask
    return canvas


def confine(
    pieces: list[Piece], final: np.ndarray, region: np.ndarray, area: int, sampler: Sampler
) -> tuple[list[Piece], np.ndarray]:
    """Pieces and the mask that they cover, cut to the region.

    If cutting and overlaps removed more than half of `area`, the mask grows inside the region to half of it. A first,
    unmoved piece then covers the added pixels.
    """
    final = cv2.bitwise_and(final, region)
    missing = min((area + 1) // 2, cv2.countNonZero(region)) - cv2.countNonZero(final)
    if missing <= 0:
        return pieces, final
    if not cv2.hasNonZero(final):
        seeds = np.flatnonzero(region)
        final.reshape(-1)[seeds[int(sampler.rng.random() * len(seeds))]] = 255
        missing -= 1
    if missing > 0:
        free = np.flatnonzero(cv2.bitwise_and(region, cv2.bitwise_not(final)))
        distance = cv2.distanceTransform(cv2.bitwise_not(final), cv2.DIST_L2, 3).ravel()[free]
        nearest = np.argpartition(distance, missing - 1)[:missing]
        final.reshape(-1)[free[nearest]] = 255
    box = Box.around(final)
    return [Piece(box, final[box.slices], box), *pieces], final


# --------------------------------------------------------------------------------------------------------------------
# Components


def _components(box: Box, part: np.ndarray) -> list[tuple[Box, np.ndarray]]:
    """Box and mask of the 8-connected components of a shape in `box`, largest first; those beyond the limit are
    merged."""
    count, labels = cv2.connectedComponents(part, connectivity=8)
    found = _outer_boxes(part, labels)
    parts = [(place, as_bytes(labels[place.slices] == label)) for label, place in found[: MAX_PIECES - 1]]
    if len(found) >= MAX_PIECES:
        chosen = np.zeros(count, np.uint8)
        chosen[[label for label, _ in found[MAX_PIECES - 1 :]]] = 255
        specks = chosen[labels]
        around = Box.around(specks)
        parts.append((around, np.ascontiguousarray(specks[around.slices])))
    return [(place.shift(box.top, box.left), mask) for place, mask in parts]


def _outer_boxes(part: np.ndarray, labels: np.ndarray) -> list[tuple[int, Box]]:
    """Label and bounding box of each component, from its outer contour: much faster than OpenCV's statistics."""
    contours, hierarchy = cv2.findContours(part, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour, (_, _, _, parent) in zip(contours, hierarchy[0].tolist(), strict=True):
        if parent < 0:  # the contours of holes have a parent
            column, row = contour[0, 0].tolist()
            left, top, width, height = cv2.boundingRect(contour)
            found.append((int(labels[row, column]), Box(top, left, height, width)))
    return sorted(found, key=lambda item: (-item[1].area, item[1]))


# --------------------------------------------------------------------------------------------------------------------
# Depth in the region


class _Depth:
    """The distances of a region's points to its border, which includes the border of the image."""

    def __init__(self, region: np.ndarray) -> None:
        self.shape = region.shape
        scale = min(1.0, PLACING_SIDE / max(region.shape))
        small = resize(region, (max(1, round(region.shape[0] * scale)), max(1, round(region.shape[1] * scale))))
        self.cell = region.shape[0] / small.shape[0], region.shape[1] / small.shape[1]
        solid = as_bytes(small == 255)
        if not cv2.hasNonZero(solid):  # the region is thinner than a cell
            if small.any():
                solid = as_bytes(small == small.max())
            else:
                rows, columns = np.nonzero(region)
                solid[rows * solid.shape[0] // region.shape[0], columns * solid.shape[1] // region.shape[1]] = 255
        ringed = cv2.copyMakeBorder(solid, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        self.distance = np.ascontiguousarray(cv2.distanceTransform(ringed, cv2.DIST_C, 3)[1:-1, 1:-1]).ravel()
        self.columns = small.shape[1]
        self.deepest = float(self.distance.max())

    def place(self, box: Box, pick: float, down: float, right: float) -> Box:
        """The box moved to a random center that keeps it inside the region, else to one deep inside the region."""
        height, width = box.height, box.width
        needed = 1 + max(height // 2, width // 2) / min(self.cell)
        fitting = np.flatnonzero(self.distance >= (needed if needed <= self.deepest else max(self.deepest / 2, 1)))
        row, column = divmod(int(fitting[int(pick * len(fitting))]), self.columns)
        top = int((row + down) * self.cell[0]) - height // 2
        left = int((column + right) * self.cell[1]) - width // 2
        top, left = min(max(top, 0), self.shape[0] - height), min(max(left, 0), self.shape[1] - width)
        return Box(top, left, height, width)
