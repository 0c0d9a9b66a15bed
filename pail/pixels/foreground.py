"""The automatic foreground: parts on a plain background."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.image import NormalImage
from pail.core.ops import as_bytes, with_axis

THUMBNAIL_SIDE = 192  # the foreground is decided on a thumbnail of this side
COARSE_SIDE = 96  # ... and for the test of single points on one of this side
SMALLEST_SIDE = 8  # a thumbnail with a shorter side has no border to speak of
LEVELS = 8  # an image with less than this many gray levels between darkest and brightest is constant
FLOAT_LEVELS = 4095  # gray levels of a float image
RELATIVE_SPAN = 0.03  # ... and so is one with a smaller span, as a part of its brightest pixel
EVEN_SPREAD, EVEN_MEAN = 0.8, 0.15  # a surface's border against the whole; of all test scenes with a part the
# nearest, a part in a corner, differs by 0.21 in the mean
# nearest, a part in a corner, differs by 0.21 in the mean
SMALLEST_PART = 0.001  # of the area
AREA_LIMITS = (0.01, 0.95)  # a foreground smaller or larger than this is none
BORDER_VOTE = 0.6  # the part of the border that has to be background
BORDER_SHARE = 0.3  # a surface's light and shade are on the border, too: more than this as often as everywhere
SEPARATION, SAFE_SEPARATION = 0.8, 0.9  # between-class variance over variance; the second for a part on the border
FINE_EDGES = 8  # a mask with longer edges than this, in sides of the image, is grain or a pattern
PLANE_ROUNDS = 3
SMALLEST_STEP = 24  # of 255: a side whose threshold is lower holds noise only
SIDE_GAIN = 0.05
CDO_SIDE = 256
CDO_DARK, CDO_BRIGHT = 30.0, 220.0
CDO_MEDIAN, CDO_DILATION = 7, 19  # at 256 x 256


def foreground_of(image: NormalImage) -> np.ndarray:
    """The automatic foreground of an image as uint8 {0, 255} (H, W)."""
    return image.cached("foreground", _find)


def _find(image: NormalImage) -> np.ndarray:
    mask = _coarse(image, THUMBNAIL_SIDE)
    return np.full(image.shape, 255, np.uint8) if mask is None else _enlarged(mask, image.shape)


def coarse_foreground(image: NormalImage) -> np.ndarray | None:
    """The automatic foreground as a small thumbnail, None for the whole image: enough to test a point."""
    return image.cached("coarse foreground", lambda normal: _coarse(normal, COARSE_SIDE))


def _coarse(image: NormalImage, side: int) -> np.ndarray | None:
    small = _thumbnail(image, side)
    return None if _is_constant(image, small) or _is_even(small) else _parts(small)


def threshold_foreground(image: NormalImage, bg_threshold: float, bg_reverse: bool) -> np.ndarray:
    """The pixels whose gray is at most the threshold (of 0..255), or above it with `bg_reverse`."""
    image = image.normal or image
    pixels = image.crop() if image.window.clips else with_axis(image.pixels)[..., : image.channels]
    gray = _gray(np.ascontiguousarray(pixels, np.float32 if pixels.dtype == np.float64 else pixels.dtype))
    limit = bg_threshold * image.max_value / 255
    limit = limit if gray.dtype == np.float32 else math.floor(limit)
    return as_bytes(gray > limit if bg_reverse else gray <= limit)


def cdo_foreground(image: NormalImage) -> np.ndarray:
    """What is neither dark nor bright, without a wide seam along what is."""
    return image.cached("cdo foreground", _find_cdo)


def _find_cdo(image: NormalImage) -> np.ndarray:
    small = _thumbnail(image, CDO_SIDE)
    mean = _mean(small)
    background = np.where((mean < CDO_DARK) | (mean > CDO_BRIGHT), np.uint8(255), np.uint8(0))
    scale = min(mean.shape) / CDO_SIDE
    background = cv2.medianBlur(background, _odd(CDO_MEDIAN * scale))
    side = _odd(CDO_DILATION * scale)
    background = cv2.dilate(background, cv2.getStructuringElement(cv2.MORPH_RECT, (side, side)))
    return _enlarged(cv2.bitwise_not(background), image.shape)


def _thumbnail(image: NormalImage, side: int) -> np.ndarray:
    """A copy of at most `side` pixels, (h, w, channels) float32 in [0, 255], quicker and coarser than the image's."""
    scale = min(1.0, side / max(image.shape))
    height, width = (max(1, round(length * scale)) for length in image.shape)
    pixels = with_axis(image.pixels)
    if scale < 0.5:  # every few pixels say enough
        pixels = with_axis(cv2.resize(pixels, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST_EXACT))
    pixels = np.ascontiguousarray(pixels[..., : image.channels])
    if image.window.clips:  # before neighbors are averaged: a dead pixel is no more than black or white
        pixels = image.window.inside(pixels)
    small = with_axis(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR))
    return small.astype(np.float32) * np.float32(255 / image.max_value)


def _odd(length: float) -> int:
    """The nearest odd number of pixels."""
    return 2 * max(0, round((length - 1) / 2)) + 1


def _mean(pixels: np.ndarray) -> np.ndarray:
    """The mean of the channels, (h, w)."""
    channels = pixels.shape[2]
    return pixels[..., 0] if channels == 1 else cv2.transform(pixels, np.full((1, channels), 1 / channels, np.float32))


def _gray(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.shape[2] == 3 else _mean(pixels)


def _enlarged(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A mask at another size, its edges smooth instead of stepped."""
    if mask.shape == shape:
        return mask
    soft = cv2.resize(cv2.GaussianBlur(mask, (3, 3), 0), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.threshold(soft, 127, 255, cv2.THRESH_BINARY)[1]


def _is_constant(image: NormalImage, small: np.ndarray) -> bool:
    """Whether too few gray levels, of the image's own, lie between the darkest and the brightest pixel."""
    low, high = float(small.min()), float(small.max())
    levels = image.max_value if image.pixels.dtype.kind == "u" else FLOAT_LEVELS
    return min(small.shape[:2]) < SMALLEST_SIDE or high - low < max(LEVELS * 255 / levels, RELATIVE_SPAN * high)


def _is_even(small: np.ndarray) -> bool:
    """Whether the border has the mean and the spread of the whole in each channel: a surface, found cheaply.

    A part on a background adds to the spread inside, or moves the mean away from the border's.
    """
    rim_mean, rim_spread = _mean_and_spread(np.ascontiguousarray(_on_rim(small)[::4, None]))
    mean, spread = _mean_and_spread(small)
    alike = (rim_spread >= EVEN_SPREAD * spread) & (np.abs(rim_mean - mean) <= EVEN_MEAN * spread)
    return bool(alike.all())


def _mean_and_spread(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel."""
    if pixels.shape[2] > 4:
        return pixels.mean(axis=(0, 1)), pixels.std(axis=(0, 1))
    mean, spread = cv2.meanStdDev(pixels)
    return mean[:, 0], spread[:, 0]


def _parts(small: np.ndarray) -> np.ndarray | None:
    """The foreground of a thumbnail, or None where it has none."""
    found = _found(small)
    if _is_surface(found):
        return None
    mask = _tidied(found.mask)
    return mask if AREA_LIMITS[0] <= cv2.countNonZero(mask) / mask.size <= AREA_LIMITS[1] else None


class _Split(NamedTuple):
    mask: np.ndarray
    threshold: int
    separation: float


def _found(small: np.ndarray) -> _Split:
    """What is far from the background, or on one side of it where that parts better.

    A side alone holds parts on a background with shades of its own, like a vignette's.
    """
    planes, grounds = cv2.split(small), _background(small)
    far = cv2.absdiff(planes[0], grounds[0])
    for plane, ground in zip(planes[1:], grounds[1:], strict=True):
        far = cv2.max(far, cv2.absdiff(plane, ground))
    scale = 255 / max(float(far.max()), 1e-6)
    best = _split(far, scale)
    if best.separation >= SAFE_SEPARATION:
        return best
    side = _mean(small) - sum(grounds[1:], grounds[0]) / np.float32(len(grounds))
    for sign in (1, -1):
        split = _split(np.maximum(side * np.float32(sign), 0), scale)
        if split.threshold >= SMALLEST_STEP and split.separation > best.separation + SIDE_GAIN:
            best = split
    return best


def _on_rim(pixels: np.ndarray) -> np.ndarray:
    """The pixels along the border, one a row."""
    edge = max(1, min(pixels.shape[:2]) // 64)
    middle = pixels[edge:-edge]
    strips = (pixels[:edge], pixels[-edge:], middle[:, :edge], middle[:, -edge:])
    return np.concatenate([strip.reshape(-1, *pixels.shape[2:]) for strip in strips])


@lru_cache(maxsize=16)
def _rim_places(height: int, width: int) -> np.ndarray:
    """(1, row, column) of every fourth pixel along the border, from -1/2 to 1/2 of the sides."""
    places = np.ones((height, width, 3), np.float32)
    places[..., 1] = (np.arange(height, dtype=np.float32) / height - np.float32(0.5))[:, None]
    places[..., 2] = np.arange(width, dtype=np.float32) / width - np.float32(0.5)
    return _on_rim(places)[::4]


def _background(small: np.ndarray) -> list[np.ndarray]:
    """The plane in each channel through the colors along the border, less those that stand out from it."""
    height, width, channels = small.shape
    rows, columns = (np.arange(n, dtype=np.float32) / n - np.float32(0.5) for n in (height, width))
    on_rim, colors = _rim_places(height, width), _on_rim(small)[::4]
    plane = np.zeros((3, channels), np.float32)
    ridge = np.float32(1e-4) * np.eye(3, dtype=np.float32)  # colors that all stand out leave the slope open
    plane[0] = np.median(colors, axis=0)
    for _ in range(PLANE_ROUNDS):
        off = np.abs(colors - on_rim @ plane) @ np.ones(channels, np.float32)
        near = on_rim * (off <= 2.5 * np.median(off) + 1e-3)[:, None]
        plane = np.linalg.solve(near.T @ on_rim + ridge, near.T @ colors)
    return [a + b * rows[:, None] + c * columns for a, b, c in plane.T]


def _split(far: np.ndarray, scale: float) -> _Split:
    """Foreground and background by Otsu's threshold; a lower one adds the fainter half of a two-tone part."""
    levels = cv2.medianBlur(cv2.convertScaleAbs(far, alpha=scale), 5)
    threshold, separation = _otsu(levels)
    mask = as_bytes(levels > threshold)
    rim = _on_rim(levels)
    faint = min(threshold, max(threshold / 2, 4 * float(np.partition(rim, len(rim) * 3 // 4)[len(rim) * 3 // 4])))
    between = cv2.subtract(as_bytes(levels > int(faint)), mask)
    blobs = cv2.morphologyEx(between, cv2.MORPH_OPEN, _disc(5))  # an edge's slope is too thin to stay
    return _Split(cv2.bitwise_or(mask, blobs), threshold, separation)


def _otsu(levels: np.ndarray) -> tuple[int, float]:
    """Otsu's threshold and its between-class variance over the variance."""
    share = cv2.calcHist([levels], [0], None, [256], [0, 256]).ravel().astype(np.float64) / levels.size
    values = np.arange(256)
    below = np.cumsum(share)
    sums = np.cumsum(share * values)
    between = (sums[-1] * below - sums) ** 2 / np.maximum(below * (1 - below), 1e-9)
    threshold = int(between.argmax())
    variance = float(share @ (values - sums[-1]) ** 2)
    return threshold, float(between[threshold]) / max(variance, 1e-9)


def _is_surface(found: _Split) -> bool:
    """Whether the two classes are one surface's light and shade, not a part and its background."""
    mask = found.mask
    on_border = float(_on_rim(mask).mean()) / 255
    alike = on_border > BORDER_SHARE * cv2.countNonZero(mask) / mask.size
    edges = cv2.countNonZero(cv2.absdiff(mask[1:], mask[:-1]))
    edges += cv2.countNonZero(cv2.absdiff(mask[:, 1:], mask[:, :-1]))
    if on_border > 1 - BORDER_VOTE or (alike and edges > FINE_EDGES * math.sqrt(mask.size)):
        return True
    return found.separation < (SAFE_SEPARATION if alike else SEPARATION)


def _tidied(mask: np.ndarray) -> np.ndarray:
    """Small gaps closed, small specks dropped."""
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(3))
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 8, cv2.CV_16U, cv2.CCL_SPAGHETTI)
    keep = stats[:, cv2.CC_STAT_AREA] >= SMALLEST_PART * mask.size
    keep[0] = False
    return np.take(as_bytes(keep), np.asarray(labels))


def _disc(side: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
