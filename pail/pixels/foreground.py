"""The automatic foreground: objects on a plain background.

1. A thumbnail has no foreground if it has no contrast, or if its border looks like the whole image (a textured
   surface).
2. The background is a plane in each channel, fitted to the colors along the border without outliers.
3. The distance from the background is divided by Otsu's threshold. If only one sign of the difference in brightness
   separates better, it is used instead, as for objects on a background with vignetting.
4. The result is rejected if it covers most of the border, looks like the shading of a surface, or covers almost nothing
   or almost everything. Gaps are closed and specks removed.

If there is no foreground, the whole image is the foreground. All decisions are made on the thumbnail, and the mask is
enlarged with smooth edges.

References: Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man, and
Cybernetics, 1979. The code of the papers uses a fixed threshold for each category of MVTec AD instead; `cdo_foreground`
is that of CDO.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.image import NormalImage
from pail.core.ops import as_bytes, with_axis

THUMBNAIL_SIDE = 192  # of the thumbnail that decides on the foreground
COARSE_SIDE = 96  # ... and on whether a single point is on it
SMALLEST_SIDE = 8  # a thumbnail with a shorter side has no useful border
LEVELS = 8  # an image that spans fewer gray levels than this is constant
FLOAT_LEVELS = 4095  # gray levels of a float image
RELATIVE_SPAN = 0.03  # ... and so is one with a smaller span, as a share of its brightest pixel
EVEN_SPREAD, EVEN_MEAN = 0.8, 0.15  # of a surface: smallest spread of its border, largest difference of its mean, in
# spreads of the whole; the closest of all test scenes with an object, one in a corner, differs by 0.21 in the mean
SMALLEST_OBJECT = 0.001  # of the area
AREA_LIMITS = (0.01, 0.95)  # a smaller or larger foreground is rejected
BORDER_VOTE = 0.6  # the share of the border that must be background
BORDER_SHARE = 0.3  # shading of a surface reaches the border: at least this share of its frequency elsewhere
SEPARATION, SAFE_SEPARATION = 0.8, 0.9  # between-class variance / variance; the second for an object at the border
FINE_EDGES = 8  # a mask with longer edges than this, in sides of the image, is grain or a pattern
PLANE_ROUNDS = 3
SMALLEST_STEP = 24  # of 255: one sign of the difference with a lower threshold contains only noise
SIDE_GAIN = 0.05
GRAYS = np.arange(256)
CDO_SIDE = 256
CDO_DARK, CDO_BRIGHT = 30.0, 220.0
CDO_MEDIAN, CDO_DILATION = 7, 19  # at 256 x 256


def foreground_of(image: NormalImage) -> np.ndarray:
    """The automatic foreground of an image as uint8 {0, 255} (H, W)."""

    def find(normal: NormalImage) -> np.ndarray:
        mask = _object_mask(normal, THUMBNAIL_SIDE)
        return np.full(normal.shape, 255, np.uint8) if mask is None else _enlarged(mask, normal.shape)

    result: np.ndarray = image.cached("foreground", find)
    return result


def coarse_foreground(image: NormalImage) -> np.ndarray | None:
    """The automatic foreground as a small thumbnail, None for the whole image: enough to test a point."""
    result: np.ndarray | None = image.cached("coarse foreground", lambda normal: _object_mask(normal, COARSE_SIDE))
    return result


def is_surface(image: NormalImage) -> bool:
    """Whether an image is found to be a surface without a foreground at once, by its border alone."""
    result: bool = image.cached("surface", lambda normal: _is_even(_thumbnail(normal, THUMBNAIL_SIDE)))
    return result


def threshold_foreground(image: NormalImage, bg_threshold: float, bg_reverse: bool) -> np.ndarray:
    """The pixels whose gray is at most the threshold (of 0..255), or above it with `bg_reverse`."""
    image = image.normal or image
    pixels = image.crop() if image.window.clips else with_axis(image.pixels)[..., : image.channels]
    pixels = np.ascontiguousarray(pixels, np.float32 if pixels.dtype == np.float64 else pixels.dtype)
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.shape[2] == 3 else _mean(pixels)
    limit = bg_threshold * image.max_value / 255
    limit = limit if gray.dtype == np.float32 else math.floor(limit)
    return as_bytes(gray > limit if bg_reverse else gray <= limit)


def cdo_foreground(image: NormalImage) -> np.ndarray:
    """CDO's foreground: pixels that are neither dark nor bright, except close to dark or bright ones."""

    def find(normal: NormalImage) -> np.ndarray:
        mean = _mean(_thumbnail(normal, CDO_SIDE).astype(np.float32, copy=False))
        background = np.where((mean < CDO_DARK) | (mean > CDO_BRIGHT), np.uint8(255), np.uint8(0))
        scale = min(mean.shape) / CDO_SIDE
        # The nearest odd numbers of pixels.
        median, dilation = (2 * max(0, round((n * scale - 1) / 2)) + 1 for n in (CDO_MEDIAN, CDO_DILATION))
        background = cv2.medianBlur(background, median)
        background = cv2.dilate(background, cv2.getStructuringElement(cv2.MORPH_RECT, (dilation, dilation)))
        return _enlarged(cv2.bitwise_not(background), normal.shape)

    result: np.ndarray = image.cached("cdo foreground", find)
    return result


# --------------------------------------------------------------------------------------------------------------------
# Thumbnails


def _thumbnail(image: NormalImage, side: int) -> np.ndarray:
    """A quick, coarse copy of at most `side` pixels a side: (h, w, channels) in [0, 255], bytes of bytes or float32."""
    scale = min(1.0, side / max(image.shape))
    height, width = (max(1, round(length * scale)) for length in image.shape)
    pixels = with_axis(image.pixels)
    if scale < 0.5:  # every n-th pixel is enough
        pixels = with_axis(cv2.resize(pixels, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST_EXACT))
    pixels = np.ascontiguousarray(pixels[..., : image.channels])
    if image.window.clips:  # before averaging, so that a dead pixel counts only as black or white
        pixels = image.window.inside(pixels)
    small = with_axis(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR))
    return small if image.is_byte else small.astype(np.float32) * np.float32(255 / image.max_value)


def _mean(pixels: np.ndarray) -> np.ndarray:
    """The mean of the channels, (h, w)."""
    channels = pixels.shape[2]
    return pixels[..., 0] if channels == 1 else cv2.transform(pixels, np.full((1, channels), 1 / channels, np.float32))


def _median(values: np.ndarray) -> np.ndarray:
    """`np.median` of float32 along the last axis, without its overhead, which is more than the work here."""
    middle = values.shape[-1] // 2
    if values.shape[-1] % 2:
        return np.asarray(np.partition(values, middle)[..., middle])
    parted = np.partition(values, (middle - 1, middle))
    return np.asarray((parted[..., middle - 1] + parted[..., middle]) / np.float32(2))


def _enlarged(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A mask at another size, with smooth edges instead of steps."""
    if mask.shape == shape:
        return mask
    soft = cv2.resize(cv2.GaussianBlur(mask, (3, 3), 0), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.threshold(soft, 127, 255, cv2.THRESH_BINARY)[1]


def _border(pixels: np.ndarray) -> np.ndarray:
    """The pixels along the border, one a row."""
    edge = max(1, min(pixels.shape[:2]) // 64)
    middle = pixels[edge:-edge]
    strips = (pixels[:edge], pixels[-edge:], middle[:, :edge], middle[:, -edge:])
    return np.concatenate([strip.reshape(-1, *pixels.shape[2:]) for strip in strips])


# --------------------------------------------------------------------------------------------------------------------
# Objects on a background


def _object_mask(image: NormalImage, side: int) -> np.ndarray | None:
    """The foreground on a thumbnail of the image; None if there is none."""
    small = _thumbnail(image, side)
    if _is_constant(image, small) or _is_even(small):
        return None
    found = _separate(small)
    if found.separation < SEPARATION:  # a surface in any case
        return None
    mask = _mask_of(found)
    if _is_shade(mask, found.separation):
        return None
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    mask = _without_specks(mask)
    return mask if AREA_LIMITS[0] <= cv2.countNonZero(mask) / mask.size <= AREA_LIMITS[1] else None


def _without_specks(mask: np.ndarray) -> np.ndarray:
    """The pieces of the mask that are not too small for an object."""
    count, found = cv2.connectedComponentsWithAlgorithm(mask, 8, cv2.CV_16U, cv2.CCL_SPAGHETTI)
    labels = np.asarray(found, np.uint16)
    if count > 256:
        keep = np.bincount(labels.reshape(-1), minlength=count) >= SMALLEST_OBJECT * mask.size
        keep[0] = False
        return np.asarray(np.take(as_bytes(keep), labels))
    labels = labels.astype(np.uint8)  # whose histogram and table take a third of the time
    keep = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel() >= SMALLEST_OBJECT * mask.size
    keep[0] = False
    return cv2.LUT(labels, as_bytes(keep))


def _is_constant(image: NormalImage, small: np.ndarray) -> bool:
    """Whether too few of the image's own gray levels lie between the darkest and the brightest pixel."""
    low, high = float(small.min()), float(small.max())
    levels = image.max_value if image.pixels.dtype.kind == "u" else FLOAT_LEVELS
    return min(small.shape[:2]) < SMALLEST_SIDE or high - low < max(LEVELS * 255 / levels, RELATIVE_SPAN * high)


def _is_even(small: np.ndarray) -> bool:
    """Whether the border has the mean and the spread of the whole image in each channel: a fast test for a surface.

    An object on a background increases the spread inside, or changes the mean relative to the border.
    """

    def statistics(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if pixels.shape[2] > 4:
            pixels = pixels.astype(np.float32, copy=False)
            return pixels.mean(axis=(0, 1)), pixels.std(axis=(0, 1))
        mean, spread = cv2.meanStdDev(pixels)
        return mean[:, 0], spread[:, 0]

    border_mean, border_spread = statistics(np.ascontiguousarray(_border(small)[::4, None]))
    mean, spread = statistics(small)
    alike = (border_spread >= EVEN_SPREAD * spread) & (np.abs(border_mean - mean) <= EVEN_MEAN * spread)
    return bool(alike.all())


class _Split(NamedTuple):
    """A threshold of the distance from the background, and how well it separates the foreground from it."""

    levels: np.ndarray  # the distance, uint8
    threshold: int
    separation: float


def _separate(small: np.ndarray) -> _Split:
    """The pixels that are far from the background, or only brighter or darker ones if that separates better."""
    backgrounds = _background(small)
    far: np.ndarray | None = None
    for channel, background in enumerate(backgrounds):  # OpenCV's `split` takes three times as long
        plane = np.ascontiguousarray(small[..., channel]).astype(np.float32, copy=False)
        change = cv2.absdiff(plane, background)
        far = change if far is None else cv2.max(far, change)
    assert far is not None
    scale = 255 / max(float(far.max()), 1e-6)
    best = _split(far, scale)
    if best.separation >= SAFE_SEPARATION:
        return best
    mean = _mean(small.astype(np.float32, copy=False))
    side = mean - sum(backgrounds[1:], backgrounds[0]) / np.float32(len(backgrounds))
    for sign in (1, -1):
        split = _split(np.maximum(side * np.float32(sign), 0), scale)
        if split.threshold >= SMALLEST_STEP and split.separation > best.separation + SIDE_GAIN:
            best = split
    return best


@lru_cache(maxsize=16)
def _border_positions(height: int, width: int) -> np.ndarray:
    """(1, row, column) of every fourth pixel along the border, from -1/2 to 1/2 of the sides."""
    positions = np.ones((height, width, 3), np.float32)
    positions[..., 1] = (np.arange(height, dtype=np.float32) / height - np.float32(0.5))[:, None]
    positions[..., 2] = np.arange(width, dtype=np.float32) / width - np.float32(0.5)
    return _border(positions)[::4]


def _background(small: np.ndarray) -> list[np.ndarray]:
    """The plane in each channel through the colors along the border, without outliers."""
    height, width, channels = small.shape
    rows, columns = (np.arange(n, dtype=np.float32) / n - np.float32(0.5) for n in (height, width))
    positions, colors = _border_positions(height, width), _border(small)[::4].astype(np.float32, copy=False)
    plane = np.zeros((3, channels), np.float32)
    ridge = np.float32(1e-4) * np.eye(3, dtype=np.float32)  # makes the slope unique if all colors are outliers
    plane[0] = _median(colors.T)
    kept: np.ndarray | None = None
    for _ in range(PLANE_ROUNDS):
        off = np.abs(colors - positions @ plane) @ np.ones(channels, np.float32)
        is_near = off <= 2.5 * _median(off) + 1e-3
        if kept is not None and np.array_equal(is_near, kept):  # the same pixels have the same plane
            break
        near, kept = positions * is_near[:, None], is_near
        plane = np.linalg.solve(near.T @ positions + ridge, near.T @ colors)
    return [(a + b * rows)[:, None] + c * columns for a, b, c in plane.T]


def _split(far: np.ndarray, scale: float) -> _Split:
    """Otsu's threshold of a distance."""
    levels = cv2.medianBlur(cv2.convertScaleAbs(far, alpha=scale), 5)
    return _Split(levels, *_otsu(levels))


def _mask_of(found: _Split) -> np.ndarray:
    """The foreground of a split; a lower threshold adds the fainter half of a two-tone object."""
    levels, threshold, _ = found
    mask = as_bytes(levels > threshold)
    border = _border(levels)
    quartile = float(np.partition(border, len(border) * 3 // 4)[len(border) * 3 // 4])
    faint = min(threshold, max(threshold / 2, 4 * quartile))
    between = cv2.subtract(as_bytes(levels > int(faint)), mask)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    blobs = cv2.morphologyEx(between, cv2.MORPH_OPEN, disc)  # removes the slopes of edges, which are thin
    return cv2.bitwise_or(mask, blobs)


def _otsu(levels: np.ndarray) -> tuple[int, float]:
    """Otsu's threshold, and its between-class variance divided by the variance."""
    share = cv2.calcHist([levels], [0], None, [256], [0, 256]).ravel().astype(np.float64) / levels.size
    below = np.cumsum(share)
    sums = np.cumsum(share * GRAYS)
    between = (sums[-1] * below - sums) ** 2 / np.maximum(below * (1 - below), 1e-9)
    threshold = int(between.argmax())
    variance = float(share @ (GRAYS - sums[-1]) ** 2)
    return threshold, float(between[threshold]) / max(variance, 1e-9)


def _is_shade(mask: np.ndarray, separation: float) -> bool:
    """Whether the two classes are the shading of one surface, and not an object and its background."""
    on_border = float(_border(mask).mean()) / 255
    alike = on_border > BORDER_SHARE * cv2.countNonZero(mask) / mask.size
    edges = cv2.countNonZero(cv2.absdiff(mask[1:], mask[:-1]))
    edges += cv2.countNonZero(cv2.absdiff(mask[:, 1:], mask[:, :-1]))
    if on_border > 1 - BORDER_VOTE or (alike and edges > FINE_EDGES * math.sqrt(mask.size)):
        return True
    return separation < (SAFE_SEPARATION if alike else SEPARATION)
