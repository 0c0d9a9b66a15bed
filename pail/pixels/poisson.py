"""Poisson blending inside a mask (Perez et al., 2003): a patch takes on the colors around its new place.

Inside the mask the result has the gradients of the patch and meets the background without a step at the mask's border.
The equation is solved exactly there, with the background as boundary values, so nothing outside the mask takes part.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.fft import dstn, idstn

TOLERANCE = 1e-3  # residual of the equation relative to its right-hand side; about a tenth of a gray level
MAX_ITERATIONS = 60  # bounded: a thin or ragged mask converges slowly, and what is left then is not visible
DENSE_SIDE = 96  # up to this side, a sine transform as a product of matrices is faster than a fast transform


def blend(background: np.ndarray, patch: np.ndarray, mask: np.ndarray, *, mixed: bool = False) -> np.ndarray:
    """Blend a patch into a background of the same size.

    Parameters
    ----------
    background, patch : ndarray (h, w, C), uint8 or float32
        What is there and what is inserted, in the same range.
    mask : ndarray (h, w), uint8 {0, 255}
        Where the patch is inserted. Pixels on the border of the array belong to the mask too, but the values beyond
        the array are unknown: there the background itself is the boundary value, so these pixels do not change.
    mixed : bool, default False
        Take the stronger gradient of patch and background for each pair of neighbors, so that the texture of the
        background shows through.

    Returns
    -------
    ndarray (h, w, C), float32
        The blended pixels, not clipped; equal to the background outside the mask.
    """
    below = background.astype(np.float32)
    above = patch.astype(np.float32)
    inside = mask > 0
    inside[[0, -1]] = False
    inside[:, [0, -1]] = False
    if not inside.any():
        return below
    guidance = _divergence(below, above, mixed=mixed)
    # The unknown is the correction to the background, which is 0 outside: boundary values need no special case.
    known = _laplacian(below)
    correction = _solve(known - guidance, inside)
    result = below.copy()
    result[1:-1, 1:-1] += correction
    return result


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
    return image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:] - 4 * center


def _solve(right: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Solve ``-laplacian(u) = right`` inside the mask with u = 0 outside, on the inner pixels.

    A sine transform solves it on the whole rectangle. Where the mask is smaller, that solution preconditions the
    method of conjugate gradients, all channels at once.
    """
    right = np.moveaxis(right, 2, 0).astype(np.float32)
    within = inside[1:-1, 1:-1].astype(np.float32)
    solver = _Rectangle(within.shape)
    if within.all():
        return np.moveaxis(solver(right), 0, 2)
    right = right * within
    goal = TOLERANCE**2 * np.maximum(_dot(right, right), 1e-12)
    residual, correction = right, np.zeros_like(right)
    conditioned = solver(residual) * within
    direction, rho = conditioned, _dot(residual, conditioned)
    for _ in range(MAX_ITERATIONS):
        image = _minus_laplacian(direction) * within
        length = rho / np.maximum(_dot(direction, image), 1e-20)
        correction = correction + length * direction
        residual = residual - length * image
        if (_dot(residual, residual) <= goal).all():
            break
        conditioned = solver(residual) * within
        previous, rho = rho, _dot(residual, conditioned)
        direction = conditioned + rho / np.maximum(previous, 1e-20) * direction
    return np.moveaxis(correction, 0, 2)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The inner product of each channel, as (C, 1, 1)."""
    return np.einsum("chw,chw->c", a, b)[:, None, None]


def _minus_laplacian(u: np.ndarray) -> np.ndarray:
    """``-laplacian(u)`` with zeros beyond the border."""
    result = 4 * u
    result[:, 1:] -= u[:, :-1]
    result[:, :-1] -= u[:, 1:]
    result[:, :, 1:] -= u[:, :, :-1]
    result[:, :, :-1] -= u[:, :, 1:]
    return result


@lru_cache(maxsize=256)
def _sines(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The orthogonal matrix of the sine transform (DST-I) and the eigenvalues of the second difference."""
    k = np.arange(1, size + 1)
    matrix = np.sqrt(2 / (size + 1)) * np.sin(np.pi * np.outer(k, k) / (size + 1))
    values = 2 - 2 * np.cos(np.pi * k / (size + 1))
    return matrix.astype(np.float32), values.astype(np.float32)


class _Rectangle:
    """Solves the equation on a rectangle (h, w) with zeros around it."""

    def __init__(self, shape: tuple[int, int]) -> None:
        (self.rows, down), (self.columns, right) = _sines(shape[0]), _sines(shape[1])
        self.inverse = 1 / (down[:, None] + right[None])
        self.dense = max(shape) <= DENSE_SIDE

    def __call__(self, right: np.ndarray) -> np.ndarray:
        if self.dense:
            return self.rows @ ((self.rows @ right @ self.columns) * self.inverse) @ self.columns
        spectrum = dstn(right, 1, axes=(1, 2), norm="ortho") * self.inverse
        return idstn(spectrum, 1, axes=(1, 2), norm="ortho")
