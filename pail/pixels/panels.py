"""Pictures of an anomaly: the image with the outline of the mask, an enlarged crop, and the difference."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

OUTLINE = (255, 221, 0)
UNDERLINE = (0, 0, 0)  # dark line below the frame, so that it is visible on bright surfaces
LARGE = 480  # pixels of a picture's longer side from which lines are 2 pixels wide, not 1
FRAME = (255, 255, 255)
PERCENTILES = (0.1, 99.9)  # of the normal image: displayed range of images with more than 8 bits
REACH = (
    0.5  # share of this range by which it may be extended at either end for the anomaly, which then keeps its texture
)
MARGIN = 0.3  # of the side of the anomaly: margin around it in the crop
SMALLEST_CROP = 1 / 8  # of the image's shorter side


class View(NamedTuple):
    """Three RGB pictures of one anomaly."""

    whole: np.ndarray
    zoom: np.ndarray
    change: np.ndarray


class Shades(NamedTuple):
    """The values that are displayed as black and as white."""

    low: float
    high: float


def shades(image: np.ndarray, *changed: np.ndarray) -> Shades:
    """The displayed range of an image: 0 to 255 for 8 bits, else the range of its values.

    The range is extended to the values of the changed copies, so that they are not clipped, unless that would take
    too much contrast from the image itself.
    """
    if image.dtype == np.uint8:
        return Shades(0, 255)
    # Every nth pixel is enough for a percentile, and is fast for large images.
    step = max(1, max(image.shape[:2]) // 1024)
    part = _bands(image)[::step, ::step]
    low, high = (float(end) for end in np.percentile(part, PERCENTILES))
    if high <= low:
        return Shades(0, float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0)
    lowest, highest = low, high
    for copy in changed:
        values = _bands(copy)[::step, ::step]
        values = values[values != part]
        if values.size:
            ends = np.percentile(values, PERCENTILES)
            lowest, highest = min(lowest, float(ends[0])), max(highest, float(ends[1]))
    reach = REACH * (high - low)
    return Shades(max(lowest, low - reach), min(highest, high + reach))


def to_display(image: np.ndarray, limits: Shades) -> np.ndarray:
    """An image with any bit depth and number of channels as 8-bit RGB: gray is repeated, and only three bands are
    used."""
    pixels = _bands(image)
    if pixels.dtype != np.uint8 or limits != (0, 255):
        scale = 255 / (limits.high - limits.low)
        pixels = np.clip((pixels.astype(np.float32) - limits.low) * scale, 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)


def _bands(image: np.ndarray) -> np.ndarray:
    """(H, W, 1) or (H, W, 3); two channels are gray and alpha."""
    pixels = image[..., None] if image.ndim == 2 else image
    return pixels[..., :1] if pixels.shape[2] < 3 else pixels[..., :3]


def fit(image: np.ndarray, side: int) -> np.ndarray:
    """The image with its longer side at `side` pixels."""
    scale = side / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST if scale > 6 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=method)


def view(
    i_n: np.ndarray,
    i_a: np.ndarray,
    m_a: np.ndarray,
    side: int,
    anchor: tuple[int, int] | None = None,
    detail: int | None = None,
    limits: Shades | None = None,
) -> View:
    """Show the anomaly in an image of `side` pixels, and crop and difference at half of that or `detail` pixels."""
    limits, detail = limits or shades(i_n, i_a), detail or side // 2
    mask = m_a.reshape(m_a.shape[:2])
    crop = crop_around(mask, anchor)
    shown = to_display(i_a, limits)
    whole = outline(fit(shown, side), mask, crop)
    change = difference(_bands(i_n[crop]), _bands(i_a[crop]), limits)
    return View(whole, fit(shown[crop], detail), fit(change, detail))


def crop_around(mask: np.ndarray, anchor: tuple[int, int] | None = None) -> tuple[slice, slice]:
    """A square around one piece of the mask, as far as the image reaches."""
    left, top, width, height = piece(mask, anchor)
    smallest = round(SMALLEST_CROP * min(mask.shape))
    side = max(round(max(width, height) * (1 + 2 * MARGIN)), smallest, 2)
    return _span(top, height, side, mask.shape[0]), _span(left, width, side, mask.shape[1])


def piece(mask: np.ndarray, anchor: tuple[int, int] | None = None) -> tuple[int, int, int, int]:
    """Left, top, width and height of the connected piece at `anchor`, or of the largest; else of the whole image."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8))
    if count < 2:
        return 0, 0, mask.shape[1], mask.shape[0]
    at = 0 if anchor is None else int(labels[anchor])
    left, top, width, height, _ = stats[at or 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    return int(left), int(top), int(width), int(height)


def middle(mask: np.ndarray) -> tuple[int, int]:
    """Row and column of the point deepest inside the largest piece, which a larger anomaly there covers too."""
    left, top, width, height = piece(mask)
    inside = cv2.distanceTransform((mask[top : top + height, left : left + width] > 0).astype(np.uint8), cv2.DIST_L2, 3)
    row, column = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return top + int(row), left + int(column)


def _span(start: int, length: int, side: int, limit: int) -> slice:
    """An interval of `side` pixels around another one, shifted into the image."""
    side = min(side, limit)
    first = min(max(0, start + length // 2 - side // 2), limit - side)
    return slice(first, first + side)


def shrink(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mask at another size, 0 and 255. Even the thinnest scratch stays visible."""
    small = mask
    for axis, size in enumerate((height, width)):
        if small.shape[axis] > size:
            small = np.maximum.reduceat(small, np.arange(size) * small.shape[axis] // size, axis=axis)
    return cv2.resize((small > 0).astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_NEAREST)


def outline(shown: np.ndarray, mask: np.ndarray, crop: tuple[slice, slice] | None = None) -> np.ndarray:
    """A displayed image with the outline of a mask (of any size), and the frame of the crop."""
    height, width = shown.shape[:2]
    small = shrink(mask, height, width)
    thin = 1 if max(height, width) < LARGE else 2
    result = shown.copy()
    if crop is not None and (crop[0].stop - crop[0].start, crop[1].stop - crop[1].start) != mask.shape:
        corners = [
            (_scaled(crop[1], mask.shape[1], width, end), _scaled(crop[0], mask.shape[0], height, end))
            for end in ("start", "stop")
        ]
        cv2.rectangle(result, corners[0], corners[1], UNDERLINE, thin + 1)
        cv2.rectangle(result, corners[0], corners[1], FRAME, thin)
    # Around the mask and not on it, so that a small anomaly is visible inside.
    line = cv2.dilate(small, np.ones((2 * thin + 1, 2 * thin + 1), np.uint8))
    rim = cv2.dilate(line, np.ones((3, 3), np.uint8))
    result[(rim > 0) & (line == 0)] //= 3
    result[(line > 0) & (small == 0)] = OUTLINE
    return result


def _scaled(span: slice, of: int, to: int, end: str) -> int:
    place: int = min(to - 1, round(getattr(span, end) * to / of))
    return place


def difference(i_n: np.ndarray, i_a: np.ndarray, limits: Shades) -> np.ndarray:
    """The largest change over the channels. Black is no change, and faint changes are amplified by a square root."""
    gap = cv2.absdiff(i_a, i_n) if i_a.dtype.kind == "u" else np.abs(i_a.astype(np.float32) - i_n)
    share = gap.reshape(*i_n.shape[:2], -1).max(axis=2).astype(np.float32) / (limits.high - limits.low)
    return colors(np.sqrt(np.clip(share, 0, 1)))


def colors(share: np.ndarray) -> np.ndarray:
    """RGB of values from 0 to 1, dark to bright."""
    table = cv2.applyColorMap((np.clip(share, 0, 1) * 255).round().astype(np.uint8), cv2.COLORMAP_INFERNO)
    rgb: np.ndarray = cv2.cvtColor(table, cv2.COLOR_BGR2RGB)
    return rgb
