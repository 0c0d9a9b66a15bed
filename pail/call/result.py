"""The result that every method returns."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from typing import Any

import numpy as np

from pail.call.show import png_of

Record = dict[str, Any]


class PseudoAnomaly(tuple[np.ndarray, np.ndarray]):
    """A pseudo-anomalous image and its mask: a tuple of exactly two arrays,
    with a record of how it was made.

    It behaves like the tuple ``(i_a, m_a)`` when it is unpacked, indexed,
    pickled or collated. A notebook displays it as a picture: the image with
    the outline of the mask, the mask, and the enlarged anomaly. `pail.show`
    adds the normal image and the difference.

    Attributes
    ----------
    i_a : ndarray
        The pseudo-anomalous image, of the shape and dtype of the normal
        one.
    m_a : ndarray of shape (H, W, 1) and dtype uint8
        255 where the anomaly was inserted, 0 elsewhere.
    techniques : tuple of str
        The techniques that were used, in order.
    instances : ndarray of shape (H, W) and dtype uint16
        k where the k-th anomaly of `techniques`, counted from 1, is on top,
        and 0 outside the mask.
    record : dict
        A JSON-serializable dict from which `pail.replay` reproduces the
        same bytes: technique, arguments, drawn numbers, the state of the
        generator, versions, and checksums of the image, the source and the
        result. It is computed on first access, from copies of the arguments
        that were made during the call, so that later changes of the
        arguments, the image or the source do not affect it. Read it before
        you modify `i_a` or `m_a`, because it contains their checksums.

    Examples
    --------
    >>> import numpy as np
    >>> from pail import pai
    >>> image = np.full((64, 64), 128, np.uint8)
    >>> result = pai.Anomaly_Insertion(rng=0).random_perturbation(image)
    >>> i_a, m_a = result
    >>> i_a is result.i_a, result.techniques
    (True, ('random_perturbation',))
    """

    techniques: tuple[str, ...]
    _record: Record | Callable[[], Record]
    _instances: np.ndarray | None

    def __new__(
        cls,
        i_a: np.ndarray,
        m_a: np.ndarray,
        techniques: tuple[str, ...],
        record: Record | Callable[[], Record],
        instances: np.ndarray | None = None,
    ) -> PseudoAnomaly:
        self = super().__new__(cls, (i_a, m_a))
        self.techniques = techniques
        self._record = record
        self._instances = instances
        return self

    @property
    def i_a(self) -> np.ndarray:
        """The pseudo-anomalous image."""
        return self[0]

    @property
    def m_a(self) -> np.ndarray:
        """The mask of the anomaly."""
        return self[1]

    @property
    def instances(self) -> np.ndarray:
        """The number of the anomaly on top at each pixel, counted from 1, and 0 outside the mask."""
        if self._instances is None:  # a single anomaly: computed from its mask
            self._instances = (self.m_a[..., 0] > 0).astype(np.uint16)
        return self._instances

    @property
    def record(self) -> Record:
        """A JSON-serializable dict from which `pail.replay` reproduces the same bytes."""
        if not isinstance(self._record, dict):
            self._record = self._record()
        return self._record

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.i_a, self.m_a, self.techniques, self.record, self._instances)

    def __repr__(self) -> str:
        share = np.count_nonzero(self.m_a) / self.m_a.size
        return f"PseudoAnomaly(i_a: {self.i_a.shape} {self.i_a.dtype}, m_a: {share:.2%} of the image)"

    def _repr_png_(self) -> bytes:
        """For notebooks: the image with the outline of the mask, the mask, and the enlarged anomaly."""
        return png_of(self.i_a, self.m_a)

    def _repr_html_(self) -> str:
        """For notebooks: the same picture with a caption."""
        picture = base64.b64encode(self._repr_png_()).decode()
        words = html.escape(f"{', '.join(self.techniques)} | {self!r}")
        return f'<img alt="{words}" src="data:image/png;base64,{picture}" style="max-width: 100%"><div>{words}</div>'
