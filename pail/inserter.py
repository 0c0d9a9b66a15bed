"""`insert` with keywords that stay, for the data set class and the transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from pail.call.result import PseudoAnomaly
from pail.pai import Anomaly_Insertion


class Inserter:
    """`Anomaly_Insertion.insert` with one source, region and set of keywords for all images.

    Parameters
    ----------
    source : None or callable
        As `pail.reading.as_source` gives it.
    roi : None, "foreground", mask or callable
        A callable makes the mask of an image.
    data_range, source_range : float, optional
        As for `Anomaly_Insertion`.
    **keywords
        As for `insert`. They are tried at once, so that what each image would raise for is raised here and not in a
        worker.
    """

    def __init__(
        self, source: Any, roi: Any, data_range: float | None = None, source_range: float | None = None, **keywords: Any
    ) -> None:
        self.source, self.roi, self.keywords = source, roi, keywords
        self.insertion = Anomaly_Insertion(data_range=data_range, source_range=source_range)
        trial = np.zeros((32, 32, 3), np.uint8)
        Anomaly_Insertion().insert(trial, None if source is None else trial, rng=0, **keywords)

    def __call__(self, image: np.ndarray, rng: Any, *, alpha: bool | None = None) -> PseudoAnomaly:
        """Insert into an image; `alpha` True says that the last of two channels is alpha, which an array does not."""
        roi = self.roi(image) if callable(self.roi) else self.roi
        insertion = self.insertion
        if alpha is not None:
            insertion = Anomaly_Insertion(
                data_range=insertion.data_range, source_range=insertion.source_range, alpha=alpha
            )
        return insertion.insert(image, self.source, roi=roi, rng=rng, **self.keywords)


def check_range(image: np.ndarray, data_range: float | None) -> None:
    """Raise for a float image outside [0, 1], as one that was normalised is."""
    if data_range is None and image.dtype.kind == "f" and not (image.min() >= 0 and image.max() <= 1):
        raise ValueError(
            f"a float image must lie in [0, 1], got values from {image.min():g} to {image.max():g}; "
            "insert before Normalize, not after it"
        )
