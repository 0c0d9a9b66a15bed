"""Octaves of simplex noise."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import threading
from types import ModuleType

import cv2
import numpy as np

COARSE_WAVELENGTH, COARSE_STEP = 32, 4  # longer wavelengths are evaluated at every fourth pixel
_LOADING = threading.Lock()


def simplex(
    shape: tuple[int, int, int],
    wavelength: float,
    octaves: int,
    persistence: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Octaves of OpenSimplex noise, (H, W, C) float32: octave k has a wavelength of `wavelength` / 2^k pixels and
    the amplitude `persistence`^k; the channels are adjacent planes of the third axis.
    """
    compiled = _load()
    tables = compiled.permutation(rng)
    smooth = 0  # number of octaves with long wavelengths
    while smooth < octaves and wavelength / 2**smooth >= COARSE_WAVELENGTH:
        smooth += 1
    noise = np.zeros(shape, np.float32)
    if smooth:
        size = (-(-shape[0] // COARSE_STEP) + 3, -(-shape[1] // COARSE_STEP) + 3, shape[2])
        coarse = np.zeros(size, np.float32)
        compiled.octaves(coarse, 1 / wavelength, smooth, persistence, -COARSE_STEP, COARSE_STEP, *tables)
        noise = _enlarge(coarse, shape)
    fine = np.zeros(shape, np.float32)
    compiled.octaves(fine, 2**smooth / wavelength, octaves - smooth, persistence, 0, 1, *tables)
    return noise + np.float32(persistence**smooth) * fine


def _enlarge(coarse: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Interpolate values at every COARSE_STEP-th pixel, the first one step before the first pixel, to every pixel."""
    matrix = np.array([[1 / COARSE_STEP, 0, 1], [0, 1 / COARSE_STEP, 1]])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    planes = [cv2.warpAffine(coarse[..., c], matrix, shape[1::-1], flags=how) for c in range(shape[2])]
    return np.stack(planes, axis=2)


def _load() -> ModuleType:
    """The compiled loop. numba is imported and compiles at the first use.

    numba refuses functions that use its cache, such as those of opensimplex, if neither the folder of the package nor
    the user's home is writable. In this case a temporary folder is used, which is deleted when the process exits.
    """
    with _LOADING:
        try:
            from pail.sfi.simplex_noise import _kernel as _simplex
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
            _give_numba_a_cache()
            from pail.sfi.simplex_noise import _kernel as _simplex
    return _simplex


def _give_numba_a_cache() -> None:
    import numba

    folder = tempfile.mkdtemp(prefix="pail-numba-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # Set in the environment, which numba reads repeatedly and which child processes inherit.
    os.environ["NUMBA_CACHE_DIR"] = folder
    numba.config.reload_config()  # type: ignore[no-untyped-call]
    for name in [name for name in sys.modules if name.partition(".")[0] == "opensimplex"]:
        del sys.modules[name]  # modules of the failed import
