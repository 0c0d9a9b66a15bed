"""The compiled loop over opensimplex's 3-D noise. Imported at the first use only: importing numba is slow.

The package's own array functions run numba's parallel backend, which terminates the process when several threads call
it at once, or after a fork. This loop runs the kernel of the package in the calling thread.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from opensimplex.constants import GRADIENTS3
from opensimplex.internals import _noise3


def permutation(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random permutation and its gradient indices, the tables of an OpenSimplex object."""
    perm = rng.permutation(256)
    return perm, perm % (len(GRADIENTS3) // 3) * 3


@njit(cache=True, nogil=True)
def octaves(
    noise: np.ndarray,
    frequency: float,
    count: int,
    persistence: float,
    origin: int,
    step: int,
    perm: np.ndarray,
    gradients: np.ndarray,
) -> None:
    """Add `count` octaves to `noise` (H, W, C), the first with `frequency` cycles a pixel and amplitude 1.

    Its rows and columns are the pixels `origin`, `origin` + `step`, ...
    """
    for i in range(noise.shape[0]):
        for j in range(noise.shape[1]):
            for c in range(noise.shape[2]):
                total = 0.0
                amplitude = 1.0
                scale = frequency
                for _ in range(count):
                    x, y = (origin + j * step) * scale, (origin + i * step) * scale
                    total += amplitude * _noise3(x, y, c * scale, perm, gradients)
                    amplitude *= persistence
                    scale *= 2
                noise[i, j, c] += total
