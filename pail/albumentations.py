"""A transform for pipelines of albumentations: image and mask in, both out, with an anomaly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pail._install import install_hint

try:
    from albumentations import DualTransform
    from albumentations.core.type_definitions import Targets
except ImportError as error:
    raise ImportError(f"pail.albumentations needs AlbumentationsX: {install_hint('albumentations')}") from error

from pail.core.checks import as_number
from pail.inserter import Inserter, check_range
from pail.reading import as_source

__all__ = ["InsertAnomaly"]


class InsertAnomaly(DualTransform):
    """Insert pseudo-anomalies into images on their way through a pipeline of
    albumentations.

    Works with AlbumentationsX and with albumentations 2. The targets are
    image and mask; the anomaly is drawn into the mask, which has to be
    there for it to be kept.

    Parameters
    ----------
    source : path, glob pattern, image, sequence of paths or images, or callable, optional
        Where techniques that take a source find it, see
        `pail.torch.PseudoAnomalyDataset`. A pipeline can be saved where
        this is a path, a glob pattern or None.
    techniques, weights, n_anomalies, options, roi, severity : optional
        As for `Anomaly_Insertion.insert`.
    mask_value : int, default 1
        What the anomaly is in the mask.
    data_range : float, optional
        The value of full scale where it is not the dtype's (1 for floats).
    p : float, default 0.5
        Chance in [0, 1] that an image gets an anomaly.

    Raises
    ------
    ValueError
        If a float image leaves [0, 1]: insert before Normalize, not after
        it.

    Notes
    -----
    Random numbers come from the pipeline: its `seed`, or `set_random_seed`,
    repeats them.

    Examples
    --------
    >>> import albumentations as A
    >>> import numpy as np
    >>> from pail.albumentations import InsertAnomaly
    >>> pipeline = A.Compose([InsertAnomaly(techniques="SFI", p=1)], seed=0)
    >>> image = np.full((64, 64, 3), 90, np.uint8)
    >>> sample = pipeline(image=image, mask=np.zeros((64, 64), np.uint8))
    >>> sample["image"].shape, int(sample["mask"].max())
    ((64, 64, 3), 1)
    """

    _targets = (Targets.IMAGE, Targets.MASK)

    def __init__(
        self,
        source: Any = None,
        techniques: str | Sequence[str] | None = None,
        weights: Sequence[float] | None = None,
        n_anomalies: int | Sequence[int] = 1,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        roi: Any = None,
        severity: Any = None,
        mask_value: int = 1,
        data_range: float | None = None,
        p: float = 0.5,
    ) -> None:
        super().__init__(p=as_number("p", p, 0, 1))
        self.source, self.techniques, self.weights, self.n_anomalies = source, techniques, weights, n_anomalies
        self.options, self.roi, self.severity, self.data_range = options, roi, severity, data_range
        self.mask_value = int(as_number("mask_value", mask_value, 1, 255, integer=True))
        self._insert = Inserter(
            as_source(source),
            roi,
            data_range,
            techniques=techniques,
            weights=weights,
            n_anomalies=n_anomalies,
            options=options,
            severity=severity,
        )

    def apply(self, img: np.ndarray, i_a: np.ndarray, **params: Any) -> np.ndarray:
        """The pseudo-anomalous image."""
        return i_a

    def apply_to_mask(self, mask: np.ndarray, m_a: np.ndarray, **params: Any) -> np.ndarray:
        """The mask with the anomaly."""
        united = mask.copy()
        united[m_a[..., 0] != 0] = self.mask_value
        return united

    if hasattr(DualTransform, "sample_parameters"):  # AlbumentationsX

        def sample_parameters(self, params: Any, data: Any, targets: Any, sampling: Any) -> Any:
            """Insert once, for all targets."""
            from albumentations.core.transform_params import SampledParams

            return SampledParams(params=self._sampled(data, sampling.random_generator))

    else:

        def get_params_dependent_on_data(self, params: Any, data: Any) -> dict[str, np.ndarray]:
            """Insert once, for all targets."""
            return self._sampled(data, self.random_generator)

    def _sampled(self, data: Mapping[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
        image = data["image"]
        check_range(image, self.data_range)
        i_a, m_a = self._insert(image, rng.integers(2**32, size=4).tolist())
        return {"i_a": i_a, "m_a": m_a}
