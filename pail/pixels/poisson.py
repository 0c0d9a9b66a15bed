"""Poisson blending inside a mask (Perez et al., 2003): a patch adapts to the colors around its new place.

Inside the mask the result has the gradients of the patch and meets the background without a step at the mask's border.
The equation is solved exactly there, with the background as boundary values, so nothing outside the mask takes part.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from pail.core.ops import Box, with_axis

TOLERANCE = 3e-3  # residual of the equation relative to its right-hand side; a tenth of a gray level on photographs
MAX_ITERATIONS = 60  # a limit for irregular masks, which converge slowly; the remaining error is not visible
DENSE_SIDE = 128  # up to this side, a sine transform as a product of matrices is faster than a fast transform
MAX_DENSE_SIDE = 512  # ... and up to this one than a fast transform of an unfavorable length


def blend(background: np.ndarray, patch: np.ndarray, mask: np.ndarray, *, mixed: bool = False) -> np.ndarray:
    """Blend a patch into a background of the same size.

    Parameters
    ----------
    background, patch : ndarray (h, w, C), uint8 or float32
        The image and the patch to insert, in the same range of values.
    mask : ndarray (h, w), uint8 {0, 255}
        Where the patch is inserted. Beyond the array, both images continue with their border values.
    mixed : bool, default False
        Take the stronger gradient of patch and background for each pair of neighbors, so that the texture of the
        background shows through.

    Returns
    -------
    ndarray (h, w, C), float32
        The blended pixels, not clipped; equal to the background outside the mask.
    """
    result = background.astype(np.float32)
    box = Box.around(mask)
    if box.area == 0:
        return result
    # One pixel around the mask holds the boundary values.
    around = Box(box.top - 1, box.left - 1, box.height + 2, box.width + 2)
    below, above = _framed(background, around), _framed(patch, around)
    guidance = _divergence(below, above, mixed=mixed)
    # The unknown is the correction to the background, which is 0 outside: boundary values need no special case.
    correction = _solve(_laplacian(below) - guidance, mask[box.slices] > 0)
    result[box.slices] += correction
    return result


def _framed(image: np.ndarray, box: Box) -> np.ndarray:
    """The pixels of a box as float32; where it reaches beyond the image by a pixel, the border repeats."""
    inside = box.intersect(Box(0, 0, *image.shape[:2]))
    missing = inside.top - box.top, box.bottom - inside.bottom, inside.left - box.left, box.right - inside.right
    pixels = image[inside.slices].astype(np.float32)
    return with_axis(cv2.copyMakeBorder(pixels, *missing, cv2.BORDER_REPLICATE)) if any(missing) else pixels


def _divergence(below: np.ndarray, above: np.ndarray, *, mixed: bool) -> np.ndarray:
    """The divergence of the guidance field on the inner pixels."""
    if not mixed:
        return _laplacian(above)
    steps = []
    for axis in (0, 1):
        step, other = np.diff(above, axis=axis), np.diff(below, axis=axis)
        steps.append(np.where(np.abs(step) >= np.abs(other), step, other))
    rows, columns = steps
    return np.diff(rows, axis=0)[:, 1:-1] + np.diff(columns, axis=1)[1:-1]


def _laplacian(image: np.ndarray) -> np.ndarray:
    """The five-point Laplacian on the inner pixels."""
    center = image[1:-1, 1:-1]
    result: np.ndarray = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:] - 4 * center
    return result


def _solve(right: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Solve ``-laplacian(u) = right`` where `inside` with u = 0 elsewhere and around; (h, w, C) and (h, w).

    A sine transform solves it on the whole rectangle. Where the mask is smaller, that solution preconditions the
    method of conjugate gradients, all channels at once.
    """
    height, width = inside.shape
    right = np.ascontiguousarray(np.moveaxis(right, 2, 0), np.float32)
    if inside.all():
        return np.moveaxis(_Rectangle(height, width)(right), 0, 2)
    from scipy.fft import next_fast_len  # imported at its first use, because importing it takes time

    # The rectangle may be larger than that of the mask: sides for which the transform is fast take a half to a tenth.
    sides = [size if size <= DENSE_SIDE else next_fast_len(size + 1) - 1 for size in (height, width)]
    padding = (0, sides[0] - height), (0, sides[1] - width)
    within = np.pad(inside, padding).astype(np.float32)
    residual = np.pad(right, ((0, 0), *padding)) * within
    solver = _Rectangle(*within.shape)
    goal = TOLERANCE**2 * np.maximum(_dot(residual, residual), 1e-12)
    correction = np.zeros_like(residual)
    direction = solver(residual) * within
    rho = _dot(residual, direction)
    for _ in range(MAX_ITERATIONS):
        image = _minus_laplacian(direction)
        image *= within
        length = rho / np.maximum(_dot(direction, image), 1e-20)
        correction += length * direction
        image *= length
        residual -= image
        if (_dot(residual, residual) <= goal).all():
            break
        conditioned = solver(residual)
        conditioned *= within
        previous, rho = rho, _dot(residual, conditioned)
        direction *= rho / np.maximum(previous, 1e-20)
        direction += conditioned
    return np.moveaxis(correction[:, :height, :width], 0, 2)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The inner product of each channel, as (C, 1, 1)."""
    result: np.ndarray = np.einsum("chw,chw->c", a, b)[:, None, None]
    return result


def _minus_laplacian(u: np.ndarray) -> np.ndarray:
    """``-laplacian(u)`` with zeros beyond the border."""
    result = 4 * u
    result[:, 1:] -= u[:, :-1]
    result[:, :-1] -= u[:, 1:]
    result[:, :, 1:] -= u[:, :, :-1]
    result[:, :, :-1] -= u[:, :, 1:]
    return result


@lru_cache(maxsize=256)
def _eigenvalues(size: int) -> np.ndarray:
    """The eigenvalues of the second difference with zeros around, in the order of the sine transform (DST-I)."""
    return (2 - 2 * np.cos(np.pi * np.arange(1, size + 1) / (size + 1))).astype(np.float32)


def favorable_side(side: int, limit: int) -> int:
    """The nearest side of a patch, with its frame of one pixel, for which the transform is fast; it differs by up to 3
    %."""
    from scipy.fft import next_fast_len

    if side <= DENSE_SIDE:
        return side
    larger, smaller = side, side
    while next_fast_len(larger - 1) != larger - 1:
        larger += 1
    while next_fast_len(smaller - 1) != smaller - 1:
        smaller -= 1
    return larger if larger <= limit and larger - side < side - smaller else smaller


@lru_cache(maxsize=64)
def _sines(size: int) -> np.ndarray:
    """The orthogonal matrix of the sine transform, which is its own inverse."""
    k = np.arange(1, size + 1)
    result: np.ndarray = (np.sqrt(2 / (size + 1)) * np.sin(np.pi * np.outer(k, k) / (size + 1))).astype(np.float32)
    return result


class _Rectangle:
    """Solves the equation on a rectangle (h, w) with zeros around it, for (C, h, w)."""

    def __init__(self, height: int, width: int) -> None:
        from scipy.fft import next_fast_len

        self.inverse = 1 / (_eigenvalues(height)[:, None] + _eigenvalues(width)[None])
        fast = all(next_fast_len(size + 1) == size + 1 for size in (height, width))
        dense = max(height, width) <= (DENSE_SIDE if fast else MAX_DENSE_SIDE)
        self.matrices = (_sines(height), _sines(width)) if dense else None

    def __call__(self, right: np.ndarray) -> np.ndarray:
        if self.matrices is not None:
            rows, columns = self.matrices
            result: np.ndarray = rows @ ((rows @ right @ columns) * self.inverse) @ columns
            return result
        from scipy.fft import dstn, idstn

        spectrum = dstn(right, 1, axes=(1, 2), norm="ortho")
        spectrum *= self.inverse
        return np.asarray(idstn(spectrum, 1, axes=(1, 2), norm="ortho", overwrite_x=True))
