"""Superpixels by scikit-image's SLIC on a thumbnail, and their masks at the image's size with smooth outlines.

Reference: Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", IEEE TPAMI, 2012. SLIC on
a thumbnail takes 4 ms instead of 24 to 300.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from pail.core.image import PAPER_SIDE
from pail.core.ops import resize, with_axis

SIDE = 128  # a thumbnail has about SIDE x SIDE pixels, at any aspect ratio
PIXELS_PER_SEGMENT = 16  # in a thumbnail at least
ITERATIONS = 3  # more would leave fewer segments on texture
LAB_RANGE = 100  # range of Lab from black to white
SMOOTHING = 0.9  # smoothing of an enlarged outline, in pixels of the thumbnail
COARSE_SIDE = 32  # of the thumbnail for coarse segments
COARSE_COMPACTNESS = 10
COARSE_SIGMA = 1
COARSE_FINEST = 128  # side up to which it is enlarged for smooth outlines
MEDIANS = 2


def superpixels(
    image: np.ndarray, max_value: float, n_segments: int, *, compactness: float = 8, sigma: float = 1
) -> np.ndarray:
    """Labels 0..K-1 of a thumbnail of the image (h, w, C), each one connected piece, as int32 (rows, columns).

    K is close to `n_segments` if the image is flat, and smaller if its texture breaks superpixels into pieces.
    """
    n_segments = max(1, min(n_segments, image.shape[0] * image.shape[1] // 4))
    small = _thumbnail(image, _small_shape(image.shape[:2], n_segments, SIDE), max_value)
    return _cluster(small, n_segments, compactness, sigma)


def coarse_segments(image: np.ndarray, mask: np.ndarray, max_value: float, count: int) -> np.ndarray:
    """About `count` superpixels, at most 255, of the image where the mask is true and of black where it is not.

    Labels uint8 of a thumbnail of at most COARSE_FINEST a side.
    """
    shape = image.shape[:2]
    count = max(1, min(count, shape[0] * shape[1] // 4))
    small_shape = _small_shape(shape, count, COARSE_SIDE)
    small = _thumbnail(image, small_shape, max_value) * _thumbnail(mask[..., None], small_shape, 255)
    labels: np.ndarray = _cluster(small, count, COARSE_COMPACTNESS, COARSE_SIGMA).astype(np.uint8)
    while 2 * max(labels.shape) <= min(max(shape), COARSE_FINEST):
        labels = cv2.resize(labels, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    # The median of labels is one of them, and rounds the corners of pixels. It comes last, since OpenCV takes ten times
    # as long for 64 pixels a side as for 128.
    for _ in range(MEDIANS):
        labels = cv2.medianBlur(labels, 3)
    return labels


def _cluster(small: np.ndarray, n_segments: int, compactness: float, sigma: float) -> np.ndarray:
    """SLIC of a thumbnail in [0, 1]; `sigma` is in pixels of an image of 256 pixels a side."""
    from skimage.segmentation import slic  # takes half a second to import

    color = _color(small)
    if sigma > 0:
        sigma *= math.sqrt(small.shape[0] * small.shape[1]) / PAPER_SIDE
        color = with_axis(cv2.GaussianBlur(color, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))
    # SLIC stretches its input to [0, 1], which would change the weight of color against position.
    spread = float(color.max() - color.min()) or 1.0
    labels = slic(
        color,
        n_segments=math.prod(_cells(small.shape[:2], n_segments)),
        compactness=compactness / spread,
        max_num_iter=ITERATIONS,
        convert2lab=False,
        start_label=0,
    )
    result: np.ndarray = labels.astype(np.int32)
    return result


def grid_labels(shape: tuple[int, int], n_segments: int) -> np.ndarray:
    """About `n_segments` rectangles as labels of a thumbnail, at least two where there are two pixels."""
    rows, columns = _cells(shape, n_segments)
    if rows * columns == 1:
        rows, columns = (min(2, shape[0]), 1) if shape[0] >= shape[1] else (1, min(2, shape[1]))
    small = _small_shape(shape, n_segments, SIDE)
    height, width = (
        min(max(have, cells), size) for have, cells, size in zip(small, (rows, columns), shape, strict=True)
    )
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    return (row[:, None] * columns + column).astype(np.int32)


def _cells(shape: tuple[int, int], n_segments: int) -> tuple[int, int]:
    """Rows and columns of about `n_segments` squares, rounded like SLIC at full size."""
    step = math.sqrt(shape[0] * shape[1] / n_segments)
    rows, columns = (min(max(1, round(size / step)), size) for size in shape)
    return rows, columns


def _small_shape(shape: tuple[int, int], n_segments: int, side: int) -> tuple[int, int]:
    """The shape of the thumbnail, which keeps the proportions of the image."""
    pixels = max(side * side, PIXELS_PER_SEGMENT * n_segments)
    scale = min(1.0, math.sqrt(pixels / (shape[0] * shape[1])))
    rows, columns = (max(1, round(size * scale)) for size in shape)
    return min(rows, pixels), min(columns, pixels)


def _thumbnail(image: np.ndarray, shape: tuple[int, int], max_value: float) -> np.ndarray:
    """The image at a small size as float32 in [0, 1]."""
    steps = [max(1, have // (2 * want)) for have, want in zip(image.shape, shape, strict=False)]
    strided = np.ascontiguousarray(image[:: steps[0], :: steps[1]])  # twice the size is enough for averaging
    return resize(strided, shape).astype(np.float32) * np.float32(1 / max_value)


def _color(small: np.ndarray) -> np.ndarray:
    """Lab of three channels; other numbers are scaled so that black and white are as far apart as in Lab.

    As in scikit-image the colors are stretched first, so that `compactness` does not depend on the contrast.
    """
    low, high = float(small.min()), float(small.max())
    small = (small - np.float32(low)) * np.float32(1 / (high - low) if high > low else 1)
    if small.shape[2] == 3:
        return cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    return small * np.float32(LAB_RANGE / math.sqrt(small.shape[2]))


def enlarge(small: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A mask uint8 {0, 255} of a thumbnail at the image's size, with smooth outlines instead of steps."""
    if small.shape == shape:
        return small
    soft = cv2.GaussianBlur(small, (0, 0), SMOOTHING, borderType=cv2.BORDER_REPLICATE)
    grown = cv2.threshold(cv2.resize(soft, shape[::-1]), 127, 255, cv2.THRESH_BINARY)[1]
    if cv2.hasNonZero(grown) or not cv2.hasNonZero(small):
        return grown
    return cv2.resize(small, shape[::-1], interpolation=cv2.INTER_NEAREST)  # the mask was too thin for the blur
