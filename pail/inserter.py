"""`insert` with fixed keywords, for the data set class and the transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from pail.beyond.real.defects import bank_of
from pail.call.insert import Mix, as_count, as_mix
from pail.call.result import PseudoAnomaly
from pail.pai import Anomaly_Insertion
from pail.registry import TECHNIQUES
from pail.types import DataRangeLike, Range

TRIAL_SIDE = 48  # pixels of the image on which techniques are tried


class Inserter:
    """`Anomaly_Insertion.insert` with one source, region and set of keywords for all images.

    Parameters
    ----------
    source : None or callable
        As `pail.reading.drawn_source` gives it.
    roi : None, "foreground", mask or callable
        A callable makes the mask of an image.
    data_range, source_range : float or (float, float), optional
        As for `Anomaly_Insertion`.
    example : callable, optional
        Returns an example of the images, on which a region is tried. Without it a mask is tried on an image of the
        mask's size, and a callable is not tried.
    defects : Defects or path, optional
        The bank of real defects, or the folder or annotation file to read it from.
    preset : str, optional
        As for `insert`, like all further keywords.
    **keywords
        Every technique that may be drawn is tried immediately with its options, so that an error is raised here and not
        in a worker.
    """

    def __init__(
        self,
        source: Any,
        roi: Any,
        data_range: DataRangeLike | None = None,
        source_range: float | Range | None = None,
        *,
        example: Callable[[], np.ndarray] | None = None,
        defects: Any = None,
        preset: str | None = None,
        **keywords: Any,
    ) -> None:
        self.source, self.roi = source, roi
        self.keywords = {**keywords, "defects": bank_of(defects), "preset": preset}
        self.insertion = Anomaly_Insertion(data_range=data_range, source_range=source_range)
        mix = as_mix(*(self.keywords.get(name) for name in ("techniques", "weights", "options", "defects", "preset")))
        as_count(keywords.get("n_anomalies", 1))
        try_mix(mix, keywords.get("severity"), self.keywords["defects"], with_source=source is not None)
        if self.roi is not None and example is not None:
            self(example(), 0)
        elif self.roi is not None and not callable(self.roi):
            trial = _noise(shape_of(self.roi) or (TRIAL_SIDE, TRIAL_SIDE))
            Anomaly_Insertion().insert(trial, techniques="random_perturbation", roi=self.roi, rng=0)

    def __call__(self, image: np.ndarray, rng: Any, *, alpha: bool | None = None) -> PseudoAnomaly:
        """Insert into an image. `alpha` True means that the last of two channels is alpha, which cannot be seen from an
        array."""
        roi = self.roi(image) if callable(self.roi) else self.roi
        insertion = self.insertion
        if alpha is not None:
            insertion = Anomaly_Insertion(
                data_range=insertion.data_range, source_range=insertion.source_range, alpha=alpha
            )
        return insertion.insert(image, self.source, roi=roi, rng=rng, **self.keywords)


def try_mix(mix: Mix, severity: Any = None, defects: Any = None, *, with_source: bool = True) -> None:
    """Insert with each technique once, so that a wrong keyword raises an error now and not for every image.

    An option that is a mask of the image determines the size of the trial image.
    """
    for name in dict.fromkeys(mix.names):
        keywords = mix.options.get(name, {})
        of_image, of_source = shape_of(keywords.get("mask")), shape_of(keywords.get("source_mask"))
        image = _noise(of_image or (None if with_source else of_source) or (TRIAL_SIDE, TRIAL_SIDE))
        source = image if of_source is None else _noise(of_source)
        Anomaly_Insertion().insert(
            image,
            source if with_source else None,
            techniques=name,
            options={name: keywords},
            defects=defects if TECHNIQUES[name].takes_defects else None,
            severity=severity,
            rng=0,
        )


def shape_of(value: Any) -> tuple[int, int] | None:
    """Height and width of a mask of any type, or None if it has no shape."""
    shape: Any = (value.height, value.width) if isinstance(value, Image.Image) else getattr(value, "shape", ())[:2]
    return (int(shape[0]), int(shape[1])) if len(shape) == 2 and 0 not in shape else None


def _noise(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


def check_range(image: np.ndarray, data_range: Any) -> None:
    """Raise an error for a float image with values outside [0, 1], such as a normalized one."""
    if data_range is None and image.dtype.kind == "f" and not (image.min() >= 0 and image.max() <= 1):
        raise ValueError(
            f"a float image must lie in [0, 1], got values from {image.min():g} to {image.max():g}; "
            "insert before Normalize, not after it"
        )
