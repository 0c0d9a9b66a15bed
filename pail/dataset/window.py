"""The range of values that a folder of images uses, for images that fill little of their data type's range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pail.dataset.images import UnreadableError

QUANTILES = (0.001, 0.999)
MOST_IMAGES = 100
FLOATS_AN_IMAGE = 65_536  # values of a float image that are looked at, spread evenly over it


class Window(NamedTuple):
    """The lowest and highest value in use, and from how many images that is known."""

    low: float
    high: float
    images: int

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, the 0.1 and 99.9 % quantiles of {self.images} images"


def find(names: Sequence[str], read: Callable[[str], np.ndarray], *, alpha: bool | None = None) -> Window:
    """The 0.1 and 99.9 % quantiles of the values in a folder.

    Parameters
    ----------
    names : sequence of str
        The files. At most 100 of them are read, spread evenly over the list, so that the same list gives the same
        window.
    read : callable
        Makes an array (H, W) or (H, W, C) of a name; files at which it raises UnreadableError or OSError are left
        out.
    alpha : bool, optional
        Whether the last of two or four channels is alpha, which does not count; of four channels by default.

    Returns
    -------
    Window
        Two values of the images, low < high, and the number of images that were read.

    Raises
    ------
    ValueError
        If no image can be read, images differ in data type, or hardly differ in their values.
    """
    count = min(MOST_IMAGES, len(names))
    values = _Values()
    for name in (names[index * len(names) // count] for index in range(count)):
        try:
            pixels = read(name)
        except (UnreadableError, OSError):
            continue
        channels = pixels.shape[2] if pixels.ndim == 3 else 1
        has_alpha = channels == 4 if alpha is None else alpha and channels in (2, 4)
        values.add(name, pixels[..., :-1] if has_alpha else pixels)
    if not values.images:
        raise ValueError("`data_range` must be numbers where no image can be read, got 'auto'")
    low, high = (values.quantile(share) for share in QUANTILES)
    if not low < high:
        raise ValueError(f"`data_range` must be numbers where the images hold one value, got 'auto' and {low:g}")
    return Window(low, high, values.images)


class _Values:
    """Counts of each value of integer images; a sample of those of float images."""

    def __init__(self) -> None:
        self.images = 0
        self._first, self._dtype = "", np.dtype(np.uint8)
        self._counts = np.zeros(0, np.int64)
        self._samples: list[np.ndarray] = []

    def add(self, name: str, pixels: np.ndarray) -> None:
        if not self.images:
            self._first, self._dtype = name, pixels.dtype
        elif pixels.dtype != self._dtype:
            raise ValueError(
                f"`data_range` must be numbers where images differ in data type, got 'auto' and {self._dtype} in "
                f"{self._first}, {pixels.dtype} in {name}"
            )
        self.images += 1
        if pixels.dtype.kind == "f":
            flat = pixels.ravel()
            flat = flat[:: max(1, flat.size // FLOATS_AN_IMAGE)]
            self._samples.append(flat[np.isfinite(flat)])
            return
        counts = np.bincount(pixels.ravel(), minlength=len(self._counts))
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    def quantile(self, share: float) -> float:
        if self._samples:
            values = np.concatenate(self._samples)
            if not values.size:
                raise ValueError("`data_range` must be numbers where the images hold no number, got 'auto'")
            return float(np.quantile(values, share, method="inverted_cdf"))
        reached = np.cumsum(self._counts)
        return int(np.searchsorted(reached, share * reached[-1]))
