"""Mutable state of one call: its arguments, and the image and mask after each anomaly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.beyond.real.defects import Defects
from pail.core.composite import is_visible, restored
from pail.core.image import NormalImage
from pail.core.ops import Box
from pail.core.sampler import Sampler


class Settings(NamedTuple):
    """The properties that an instance defines for its images."""

    transform: Any = True
    data_range: Any = None
    source_range: Any = None
    alpha: Any = None


class Common(NamedTuple):
    """The keywords that are common to all methods."""

    roi: Any
    severity: Any
    rng: Any


@dataclass(slots=True)
class Step:
    """One anomaly of a call, with the data for its record."""

    name: str
    sampler: Sampler
    takes_source: bool
    source: int | None  # the fingerprint of its source
    takes_defects: bool = False


@dataclass(slots=True)
class Call:
    """A checked call, and the anomalies that were inserted so far.

    A later anomaly lies on top of earlier ones. It must not restore the pixels of the normal image everywhere, and it
    must not cover an earlier anomaly completely if there is another place.
    """

    image: NormalImage  # the normal image
    settings: Settings
    common: Common
    rng: np.random.Generator
    state: Mapping[str, Any]  # state of the generator before the first draw
    defects: Defects | None = None  # the bank
    i_a: np.ndarray | None = None
    m_a: np.ndarray | None = None
    instances: np.ndarray | None = None  # the number of the anomaly on top at each pixel, if there are several
    areas: list[int] = field(default_factory=list)  # pixels on top of each anomaly, if there are several
    steps: list[Step] = field(default_factory=list)

    def shows(self, i_a: np.ndarray, m_a: np.ndarray) -> bool:
        """Whether an anomaly is visible relative to the normal image, whose pixels it could restore."""
        box = Box.around(m_a)
        return self._overlap(box, m_a) is None or is_visible(self.image, i_a, box, m_a[..., 0][box.slices])

    def covers(self, m_a: np.ndarray) -> bool:
        """Whether an anomaly would completely cover an earlier one that is still visible."""
        box = Box.around(m_a)
        where = self._overlap(box, m_a)
        if where is None:
            return False
        lost = self._lost(self._numbered()[box.slices], where)
        return any(pixels > 0 and pixels == area for pixels, area in zip(lost, self.areas, strict=True))

    def lay(self, image: NormalImage, i_a: np.ndarray, m_a: np.ndarray) -> None:
        """Add an anomaly on top of the earlier ones, which are in `image`. The mask becomes the union without restored
        pixels."""
        instances, box = self._numbered(), Box.around(m_a)
        assert self.m_a is not None
        top, whole, part = m_a[..., 0][box.slices] > 0, self.m_a[..., 0][box.slices], instances[box.slices]
        where = self._overlap(box, m_a)
        if where is not None:
            self.areas[:] = [area - lost for area, lost in zip(self.areas, self._lost(part, where), strict=True)]
        np.copyto(whole, 255, where=top)
        np.copyto(part, len(self.areas) + 1, where=top)
        area = int(np.count_nonzero(top))
        if where is not None:
            back = restored(image, i_a, box, where) > 0
            np.copyto(whole, 0, where=back)
            np.copyto(part, 0, where=back)
            area -= int(np.count_nonzero(back))
        self.areas.append(area)
        self.i_a = i_a

    def _overlap(self, box: Box, m_a: np.ndarray) -> np.ndarray | None:
        """Where an anomaly overlaps earlier ones, uint8 {0, 255} on the box; None if it does not."""
        assert self.m_a is not None
        both: np.ndarray = cv2.bitwise_and(self.m_a[..., 0][box.slices], m_a[..., 0][box.slices])
        return both if cv2.hasNonZero(both) else None

    def _lost(self, part: np.ndarray, where: np.ndarray) -> list[int]:
        """The number of pixels on top that each earlier anomaly loses."""
        if len(self.areas) == 1:
            return [cv2.countNonZero(where)]
        result: list[int] = np.bincount(part[where > 0], minlength=len(self.areas) + 1)[1:].tolist()
        return result

    def _numbered(self) -> np.ndarray:
        """The number of the anomaly on top at each pixel, created when the second anomaly is inserted."""
        if self.instances is None:
            assert self.m_a is not None
            self.instances = (self.m_a[..., 0] > 0).astype(np.uint16)
            self.areas.append(cv2.countNonZero(self.m_a))
        return self.instances
