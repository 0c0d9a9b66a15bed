"""Shapes with soft edges at subpixel positions, the shading of their flanks, and smooth noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from pail.core.ops import read_only

SHIFT = 4  # fractional bits of coordinates in OpenCV's drawing functions
FINE_PIXELS = 1 << 16  # canvases up to this number of pixels are drawn at four times their size, larger ones at twice
COARSE_RADIUS = 60  # pixels


def smooth_noise(rng: np.random.Generator, count: int, knots: float) -> np.ndarray:
    """Normal noise of `count` samples that is smooth between about `knots` random values: float32, spread about 1."""
    result: np.ndarray = smooth_rows(rng, 1, count, knots)[0]
    return result


def smooth_rows(rng: np.random.Generator, rows: int, count: int, knots: float) -> np.ndarray:
    """Rows of such noise, (rows, count)."""
    values = rng.standard_normal((rows, max(2, round(knots))), np.float32)
    return cv2.resize(values, (count, rows), interpolation=cv2.INTER_CUBIC)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], cell: float, octaves: int = 1) -> np.ndarray:
    """Normal noise over `shape` with blobs of about `cell` pixels; each octave half as wide and 0.6 times as strong."""
    field = np.zeros(shape, np.float32)
    weight, total = 1.0, 0.0
    for octave in range(octaves):
        size = [min(max(2, math.ceil(side / max(cell / 2**octave, 1)) + 1), side + 1) for side in shape]
        values = rng.standard_normal(size, np.float32)
        # bicubic for coarse octaves, in which the lattice would be visible otherwise
        how = cv2.INTER_CUBIC if octave < 2 else cv2.INTER_LINEAR
        layer = cv2.resize(values, shape[::-1], interpolation=how)
        cv2.scaleAdd(layer.reshape(shape), weight, field, field)
        total += weight * weight
        weight *= 0.6
    field *= np.float32(1.2 / math.sqrt(total))  # interpolation reduces the spread
    return field


def coarse_step(radius: float) -> int:
    """Distance in pixels between samples of a shape with a soft contour and that radius. Large shapes need fewer
    samples."""
    return max(1, round(radius / COARSE_RADIUS))


def enlarged(values: np.ndarray, step: int) -> np.ndarray:
    """Interpolate samples at every `step`-th pixel to all pixels."""
    if step == 1:
        return values
    size = values.shape[1] * step, values.shape[0] * step
    return cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)


def grain(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` independent uniform values in [-1, 1], float32, drawn as bytes, which is fast."""
    return np.frombuffer(rng.bytes(count), np.uint8).astype(np.float32) * np.float32(2 / 255) - 1


def smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((values - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    result: np.ndarray = t * t * (3 - 2 * t)
    return result


@lru_cache(maxsize=64)
def along_stroke(count: int) -> np.ndarray:
    """From 0 to 1 in that many steps, float32, read-only."""
    return read_only(np.linspace(0, 1, count, dtype=np.float32))


def tapered(count: int, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Profiles (n, count) from 0 to 1 and back to 0 along strokes. They widen over the shares `start` and narrow over
    the shares `end`, both (n, 1)."""
    t = along_stroke(count)
    result: np.ndarray = np.minimum(1, np.minimum(t / start, (1 - t) / end)) ** np.float32(0.7)
    return result


def along(headings: np.ndarray, step: float | np.ndarray) -> np.ndarray:
    """The points (..., n + 1, 2) of walks with those headings (..., n) in radians and steps of equal length."""
    points = np.zeros((*headings.shape[:-1], headings.shape[-1] + 1, 2))
    np.cumsum(np.cos(headings) * step, axis=-1, out=points[..., 1:, 0])
    np.cumsum(np.sin(headings) * step, axis=-1, out=points[..., 1:, 1])
    return points


def ribbon(points: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The outlines (..., 2 n, 2) of strokes that reach `left` and `right` pixels to either side of their points."""
    count = points.shape[-2]
    tangent = np.empty_like(points)
    tangent[..., 1:-1, :] = points[..., 2:, :] - points[..., :-2, :]
    tangent[..., 0, :] = points[..., 1, :] - points[..., 0, :]
    tangent[..., -1, :] = points[..., -1, :] - points[..., -2, :]
    normal = tangent[..., ::-1] / np.maximum(np.hypot(tangent[..., 0], tangent[..., 1]), 1e-9)[..., None]
    normal[..., 0] *= -1
    outline = np.empty((*points.shape[:-2], 2 * count, 2))
    outline[..., :count, :] = points + normal * left[..., None]
    outline[..., : count - 1 : -1, :] = points - normal * right[..., None]
    return outline


def fill(
    outlines: Sequence[np.ndarray] | np.ndarray,
    margin: float = 0,
    tones: np.ndarray | None = None,
    *,
    blur: float,
    shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """Coverage (h, w) float32 in [0, 1] of closed outlines (n, 2).

    It has the given `shape`, whose coordinates the outlines use, or the shape of their bounding box with a margin in
    pixels. `tones` are the values in [0, 1] that they are filled with, by default 1; later ones are on top.
    `blur` is that of the image, in pixels.
    """
    points = np.concatenate(outlines)
    canvas, scale, origin = _canvas(points, margin, shape)
    corners, start = _fixed_point(points, origin, scale), 0
    values = [255] * len(outlines) if tones is None else np.maximum(np.rint(255 * tones), 1).tolist()
    for outline, value in zip(outlines, values, strict=True):
        end = start + len(outline)
        cv2.fillPoly(canvas, [corners[start:end]], value, cv2.LINE_8, SHIFT)
        start = end
    return _reduced(canvas, scale, blur)


def trace(points: np.ndarray, width: float, margin: float, *, blur: float) -> np.ndarray:
    """Coverage, as in `fill`, of a curve of constant width, which may cross itself."""
    canvas, scale, origin = _canvas(points, margin + width)
    corners = _fixed_point(points, origin, scale)
    thickness = max(1, round(width * scale))
    cv2.polylines(canvas, [corners], False, 255, thickness, cv2.LINE_8, SHIFT)
    return _reduced(canvas, scale, blur)


def _canvas(
    points: np.ndarray, margin: float, shape: tuple[int, int] | None = None
) -> tuple[np.ndarray, int, np.ndarray]:
    """An enlarged canvas around the points, its scale, and the position of its corner."""
    if shape is None:
        columns, rows = np.ascontiguousarray(points.T)
        low = np.array([columns.min() - margin, rows.min() - margin])
        width = max(1, math.ceil(columns.max() + margin - low[0]))
        height = max(1, math.ceil(rows.max() + margin - low[1]))
    else:
        low, (height, width) = np.zeros(2), shape
    scale = 4 if width * height <= FINE_PIXELS else 2
    return np.zeros((height * scale, width * scale), np.uint8), scale, low


def _fixed_point(points: np.ndarray, origin: np.ndarray, scale: int) -> np.ndarray:
    """Points in OpenCV's coordinates, in which pixel centers are integers instead of half-integers."""
    result: np.ndarray = np.rint((points - origin) * (scale << SHIFT) - (1 << SHIFT) / 2).astype(np.int32)
    return result


def _reduced(canvas: np.ndarray, scale: int, blur: float) -> np.ndarray:
    """The canvas reduced to pixels, with the blur of the lens."""
    size = canvas.shape[1] // scale, canvas.shape[0] // scale
    coverage = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).reshape(size[::-1])
    coverage = cv2.GaussianBlur(coverage, (0, 0), blur, borderType=cv2.BORDER_CONSTANT)
    coverage = coverage.reshape(size[::-1]).astype(np.float32) * np.float32(1 / 255)
    strengthen(coverage)
    return coverage


def moved(coverage: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The coverage shifted by an offset (x, y) in pixels, filled with 0."""
    matrix = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float64)
    return cv2.warpAffine(coverage, matrix, coverage.shape[::-1], flags=cv2.INTER_LINEAR).reshape(coverage.shape)


def bent(pixels: np.ndarray, across: np.ndarray, down: np.ndarray, factor: np.float32) -> np.ndarray:
    """The pixels, each taken from the place that `factor` times the fields `across` and `down` (h, w) point to."""
    rows, columns = (np.arange(length, dtype=np.float32) for length in across.shape)
    map_x = across * factor + columns
    map_y = down * factor + rows[:, None]
    moved = cv2.remap(pixels, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved.reshape(pixels.shape)


def flank(coverage: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The rim next to a shape, in the direction of an offset (x, y) in pixels and as wide as it is long.

    Light falls on the far wall of a hollow, and on the near wall of a bump.
    """
    rim = moved(coverage, offset)
    rim -= coverage
    np.maximum(rim, 0, out=rim)
    return rim


def strengthen(coverage: np.ndarray) -> None:
    """Strengthen a coverage, in place, that covers no pixel by half, because the smallest defect has one pixel."""
    strongest = float(coverage.max())
    if strongest < 0.5:
        row, column = divmod(int(coverage.argmax()), coverage.shape[1])
        coverage *= np.float32(0.6 / max(strongest, 0.1))
        coverage[row, column] = 0.6


def trimmed(alpha: np.ndarray, least: float, limit: tuple[int, int]) -> tuple[slice, slice]:
    """The bounding box of pixels with an alpha of at least `least`, centered on the strongest pixel if it exceeds
    `limit`.

    A shape that covers no pixel by half is strengthened, in place, so that it covers at least one.
    """
    strengthen(alpha)
    row, column = divmod(int(alpha.argmax()), alpha.shape[1])
    left, top, width, height = cv2.boundingRect((alpha >= least).view(np.uint8))
    slices = []
    for start, size, most, max_value in ((top, height, limit[0], row), (left, width, limit[1], column)):
        if size > most:
            start, size = min(max(max_value - most // 2, start), start + size - most), most
        slices.append(slice(start, start + size))
    return slices[0], slices[1]
