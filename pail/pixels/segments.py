"""Superpixels: simple linear iterative clustering (SLIC) of a thumbnail, in a few milliseconds."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from pail.core.ops import resize, with_axis

SIDE = 128  # a thumbnail has about SIDE x SIDE pixels, whatever its proportions
PAPER_SIDE = 256  # of the images that the papers segment, at which `sigma` is meant
PIXELS_PER_SEGMENT = 16  # a thumbnail has at least as many
ITERATIONS = 5
MIN_SIZE = 0.5  # pieces below this share of the mean size join a neighbour, as in scikit-image
FAR = 1e9
COARSE_SIDE = 24  # of the thumbnail for coarse segments
COARSE_COMPACTNESS = 10
COARSE_ITERATIONS = 3
COARSE_FINEST = 256  # side up to which their outlines are smoothed
SMOOTHING = 0.9  # of an enlarged outline, in pixels of the thumbnail


class Grid(NamedTuple):
    """Seeds in `rows` x `columns` cells of `height` x `width` pixels; `step` is the side of a square of one's area."""

    rows: int
    columns: int
    height: int
    width: int

    @property
    def size(self) -> int:
        return self.rows * self.columns

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows * self.height, self.columns * self.width


def seed_grid(shape: tuple[int, int], n_segments: int, side: int = SIDE) -> Grid:
    """The grid of about `n_segments` seeds for an image of `shape`, on a thumbnail of about side x side pixels."""
    height, width = shape
    n_segments = max(1, min(n_segments, height * width // 4))
    pixels = max(side * side, PIXELS_PER_SEGMENT * n_segments)
    scale = min(1.0, math.sqrt(pixels / (height * width)))
    step = math.sqrt(height * width / n_segments)
    rows, columns = max(1, round(height / step)), max(1, round(width / step))
    rows, columns = min(rows, height), min(columns, width)
    return Grid(rows, columns, max(1, int(height * scale / rows)), max(1, int(width * scale / columns)))


def superpixels(
    image: np.ndarray, peak: float, n_segments: int, *, compactness: float = 8, sigma: float = 1, side: int = SIDE
) -> np.ndarray:
    """Labels 0..K-1 of a thumbnail of the image (h, w, C), each one connected piece, as int32 (rows, columns).

    K is near `n_segments` where the image is flat and smaller where its texture breaks superpixels into pieces.
    """
    shape = image.shape[:2]
    grid = seed_grid(shape, n_segments, side)
    small = _shrunk(image, grid.shape, peak)
    sigma *= math.sqrt(grid.shape[0] * grid.shape[1]) / PAPER_SIDE
    if sigma > 0:
        small = with_axis(cv2.GaussianBlur(small, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))
    colour = _colour(small) / np.float32(compactness)
    labels = _cluster(colour, grid, shape)
    return connected(labels, MIN_SIZE * labels.size / grid.size)


def grid_labels(shape: tuple[int, int], n_segments: int, side: int = SIDE) -> np.ndarray:
    """About `n_segments` rectangles as labels, at least two where there are two pixels."""
    grid = seed_grid(shape, n_segments, side)
    rows, columns = grid.rows, grid.columns
    if grid.size == 1:
        rows, columns = (min(2, shape[0]), 1) if shape[0] >= shape[1] else (1, min(2, shape[1]))
    height, width = (
        min(max(have, cells), size) for have, cells, size in zip(grid.shape, (rows, columns), shape, strict=True)
    )
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    return (row[:, None] * columns + column).astype(np.int32)


def _shrunk(image: np.ndarray, shape: tuple[int, int], peak: float) -> np.ndarray:
    """The image at a small size as float32 in [0, 255]."""
    steps = [max(1, have // (2 * want)) for have, want in zip(image.shape, shape, strict=False)]
    strided = np.ascontiguousarray(
        image[:: steps[0], :: steps[1]]
    )  # at twice the size, every step-th pixel says enough
    return resize(strided, shape).astype(np.float32) * np.float32(255 / peak)


def _colour(small: np.ndarray) -> np.ndarray:
    """Lab of three channels; else as many greys, together as far apart as black and white are in Lab."""
    channels = small.shape[2]
    if channels == 3:
        return cv2.cvtColor(small * np.float32(1 / 255), cv2.COLOR_RGB2LAB)
    return small * np.float32(100 / 255 / math.sqrt(channels))


def _cluster(colour: np.ndarray, grid: Grid, shape: tuple[int, int]) -> np.ndarray:
    """Nearest of the 3 x 3 centres about each pixel's cell, after a few rounds of k-means."""
    pixels = _by_cell(_features(colour, grid, shape), grid)
    centres = pixels.mean(axis=2).reshape(grid.rows, grid.columns, -1)
    nearest = np.empty((grid.size, 9, pixels.shape[2]), np.float32)
    distance = np.empty_like(nearest)
    for _ in range(ITERATIONS - 1):
        _mark_nearest(centres, pixels, distance, nearest)
        sums = _gathered((nearest @ pixels.transpose(0, 2, 1)).reshape(grid.rows, grid.columns, 9, -1))
        count = sums[..., -1:]
        centres = np.where(count > 0, sums / np.maximum(count, 1), centres)
    _mark_nearest(centres, pixels, distance, nearest)
    return _labels(_positions(distance, nearest), grid)


def _mark_nearest(centres: np.ndarray, pixels: np.ndarray, distance: np.ndarray, nearest: np.ndarray) -> None:
    """Write 1 into `nearest` (cell, 9, pixel) for the nearest of nine centres, ties included, and 0 for the others.

    `distance` gets |centre|^2 - 2 centre . pixel, which orders like the distance.
    """
    padded = np.zeros((centres.shape[0] + 2, centres.shape[1] + 2, centres.shape[2]), np.float32)
    padded[..., -1] = FAR
    inner = padded[1:-1, 1:-1]
    inner[..., :-1] = -2 * centres[..., :-1]
    inner[..., -1] = np.square(centres[..., :-1]).sum(axis=2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    around = windows.transpose(0, 1, 3, 4, 2).reshape(len(pixels), 9, centres.shape[2])
    np.matmul(around, pixels, out=distance)
    np.equal(distance, distance.min(axis=1, keepdims=True), out=nearest)


def _gathered(parts: np.ndarray) -> np.ndarray:
    """Add up, for each centre, what the nine cells around it found: (rows, columns, 9, F) to (rows, columns, F)."""
    rows, columns = parts.shape[:2]
    sums = np.zeros((rows + 2, columns + 2, parts.shape[3]), np.float32)  # nothing falls on the rim
    for index in range(9):
        row, column = divmod(index, 3)
        sums[row : row + rows, column : column + columns] += parts[:, :, index]
    return sums[1:-1, 1:-1]


def _positions(distance: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Which of the nine is marked: (cell, pixel); a product where there are no ties, since argmin is slow here."""
    weights = np.array([np.arange(9), np.ones(9)], np.float32)
    place, count = (weights @ nearest).transpose(1, 0, 2)
    return distance.argmin(axis=1) if count.max() > 1 else place.astype(np.intp)


def _features(colour: np.ndarray, grid: Grid, shape: tuple[int, int]) -> np.ndarray:
    """Colour, row and column in steps of the grid, and 1."""
    rows, columns = grid.shape
    step = math.sqrt(shape[0] * shape[1] / grid.size)
    features = np.empty((rows, columns, colour.shape[2] + 3), np.float32)
    features[..., :-3] = colour
    features[..., -3] = (np.arange(rows, dtype=np.float32) * np.float32(shape[0] / rows / step))[:, None]
    features[..., -2] = np.arange(columns, dtype=np.float32) * np.float32(shape[1] / columns / step)
    features[..., -1] = 1
    return features


def _by_cell(features: np.ndarray, grid: Grid) -> np.ndarray:
    """(h, w, F) as (cell, F, pixel)."""
    cells = features.reshape(grid.rows, grid.height, grid.columns, grid.width, -1).transpose(0, 2, 4, 1, 3)
    return np.ascontiguousarray(cells).reshape(grid.size, features.shape[2], -1)


def _labels(nearest: np.ndarray, grid: Grid) -> np.ndarray:
    """Which of the nine neighbours (cell, pixel) as labels of the thumbnail."""
    offsets = np.array([row * grid.columns + column for row in (-1, 0, 1) for column in (-1, 0, 1)], np.int32)
    labels = np.arange(grid.size, dtype=np.int32)[:, None] + offsets[nearest]
    labels = labels.reshape(grid.rows, grid.columns, grid.height, grid.width).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(labels).reshape(grid.shape)


# --------------------------------------------------------------------------------------------------------------------
# Connectivity


def connected(labels: np.ndarray, min_size: float) -> np.ndarray:
    """Each label as one 4-connected piece: one below `min_size` pixels joins the neighbour with the longest border."""
    pieces, count = _pieces(labels)
    large = np.bincount(pieces.ravel(), minlength=count) >= min_size
    names = np.cumsum(large, dtype=np.int32) - 1
    if names[-1] < 1:
        return np.zeros_like(labels)
    owner = np.where(large, names, np.int32(-1))
    if names[-1] + 1 < count:
        _join(owner, *_borders(pieces, large))
    return owner[pieces]


def _pieces(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Connected pieces of equal label, numbered from 0, and their number."""
    rows, columns = labels.shape
    # Between neighbours of equal label lies a passage, between others a wall.
    maze = np.zeros((2 * rows - 1, 2 * columns - 1), np.uint8)
    maze[::2, ::2] = 1
    maze[::2, 1::2] = labels[:, 1:] == labels[:, :-1]
    maze[1::2, ::2] = labels[1:] == labels[:-1]
    count, numbered = cv2.connectedComponents(maze, connectivity=4)
    return np.ascontiguousarray(numbered[::2, ::2]) - 1, count - 1


def _borders(pieces: np.ndarray, large: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (small piece, neighbour), those with the shortest border first."""
    count = len(large)
    codes = []
    for one, other in ((pieces[:, 1:], pieces[:, :-1]), (pieces[1:], pieces[:-1])):
        where = np.flatnonzero(one != other)
        first, second = one.ravel()[where], np.ascontiguousarray(other).ravel()[where]
        codes.append(np.minimum(first, second) * np.int64(count) + np.maximum(first, second))
    code = np.concatenate(codes)
    code, lengths = np.unique(code.astype(np.int32) if count < 46_000 else code, return_counts=True)
    code = code[np.argsort(lengths.astype(np.int16), kind="stable")]
    first, second = code // count, code % count
    piece, neighbour = np.stack([first, second], 1).ravel(), np.stack([second, first], 1).ravel()
    small = ~large[piece]
    return piece[small], neighbour[small]


def _join(owner: np.ndarray, piece: np.ndarray, neighbour: np.ndarray) -> None:
    """Give each piece without an owner (-1) that of its best neighbour, inwards from those that touch one."""
    while (open_pairs := owner[piece] < 0).any():
        piece, neighbour = piece[open_pairs], neighbour[open_pairs]
        found = owner[neighbour]
        known = found >= 0
        owner[piece[known]] = found[known]  # the last assignment holds: the longest border


# --------------------------------------------------------------------------------------------------------------------
# Back to the image


def enlarged(small: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A mask uint8 {0, 255} of a thumbnail at the image's size, with smooth outlines in place of stairs."""
    if small.shape == shape:
        return small
    soft = cv2.GaussianBlur(small, (0, 0), SMOOTHING, borderType=cv2.BORDER_REPLICATE)
    grown = cv2.threshold(cv2.resize(soft, shape[::-1]), 127, 255, cv2.THRESH_BINARY)[1]
    if cv2.hasNonZero(grown) or not cv2.hasNonZero(small):
        return grown
    return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_NEAREST)  # all of it was too thin to blur


# --------------------------------------------------------------------------------------------------------------------
# Coarse segments


def colour_segments(image: np.ndarray, peak: float, count: int) -> np.ndarray:
    """Labels below `count` (at most 255) as uint8: k-means on colour and place, in a tenth of a millisecond.

    They are those of a thumbnail whose sides are at most COARSE_FINEST, and need not be connected.
    """
    shape = image.shape[:2]
    if shape[0] * shape[1] < count:
        return np.zeros(shape, np.uint8)
    scale = min(1.0, COARSE_SIDE / max(shape))
    labels = _k_means(_shrunk(image, (max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))), peak), count)
    while 2 * max(labels.shape) <= min(max(shape), COARSE_FINEST):
        # The median of labels is one of them, and rounds off the corners of pixels.
        labels = cv2.medianBlur(cv2.resize(labels, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST), 3)
    return labels


def _k_means(small: np.ndarray, count: int) -> np.ndarray:
    rows, columns = small.shape[:2]
    if rows * columns <= count:
        return np.arange(rows * columns, dtype=np.uint8).reshape(rows, columns)
    step = math.sqrt(rows * columns / count)
    samples = np.empty((rows, columns, small.shape[2] + 2), np.float32)
    samples[..., :-2] = _colour(small) / np.float32(COARSE_COMPACTNESS)
    samples[..., -2] = np.arange(rows, dtype=np.float32)[:, None] / np.float32(step)
    samples[..., -1] = np.arange(columns, dtype=np.float32) / np.float32(step)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, COARSE_ITERATIONS, 0.0)
    # Initial labels and one attempt: nothing is drawn from OpenCV's generator.
    start, samples = _stripes(rows, columns, count), samples.reshape(rows * columns, -1)
    _, labels, _ = cv2.kmeans(samples, count, start, criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return labels.astype(np.uint8).reshape(rows, columns)


def _stripes(rows: int, columns: int, count: int) -> np.ndarray:
    """Where k-means starts, int32 (pixel, 1): two rows of stripes, or one where the image is narrow."""
    long, short = max(rows, columns), min(rows, columns)
    if long < count or short < 2 or count % 2:
        return (np.arange(rows * columns, dtype=np.int32) * count // (rows * columns))[:, None]
    high, wide = (count // 2, 2) if rows > columns else (2, count // 2)
    row, column = np.arange(rows) * high // rows, np.arange(columns) * wide // columns
    return (row[:, None] * wide + column).astype(np.int32).reshape(-1, 1)
