"""The range of values that a folder of images uses, for images that fill little of their data type's range."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pail.core.window import MOST_IMAGES, data_range_of
from pail.io.read import UnreadableError


class FolderWindow(NamedTuple):
    """The lowest and highest value in use, and from how many images that is known."""

    low: float
    high: float
    images: int

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, the 0.1 and 99.9 % quantiles of {self.images} images"


def find(names: Sequence[str], read: Callable[[str], np.ndarray], *, alpha: bool | None = None) -> FolderWindow:
    """The 0.1 and 99.9 % quantiles of the values in a folder.

    Parameters
    ----------
    names : sequence of str
        The files. At most 100 of them are read, spread evenly over the list, so that the same list gives the same
        window.
    read : callable
        Makes an array (H, W) or (H, W, C) of a name. Files at which it raises UnreadableError or OSError are left
        out, and those that hold NaN or infinity.
    alpha : bool, optional
        Whether the last of two or four channels is alpha, which does not count; of four channels by default.

    Returns
    -------
    FolderWindow
        Two values of the images, low < high, and the number of images that were read.

    Raises
    ------
    ValueError
        If no image can be read, images differ in data type, or hold one value.
    """
    used: list[str] = []

    def images() -> Iterator[np.ndarray]:
        count = min(MOST_IMAGES, len(names))
        for name in (names[index * len(names) // count] for index in range(count)):
            try:
                pixels = read(name)
            except (UnreadableError, OSError):
                continue
            if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
                continue
            used.append(name)
            if alpha is not None and pixels.ndim == 3 and pixels.shape[2] in (2, 4):
                # One channel is as good as its colors, and three are never taken for alpha.
                pixels = pixels[..., :-1] if alpha else pixels.reshape(pixels.shape[0], -1)
            yield pixels

    try:
        low, high = data_range_of(images())
    except (TypeError, ValueError) as error:
        where = f" at {used[-1]}" if used else ""
        raise ValueError(f"`data_range` must be numbers for these images, 'auto' finds none{where}: {error}") from error
    return FolderWindow(low, high, len(used))
