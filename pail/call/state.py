"""A call on its way: what was validated, and what grows from anomaly to anomaly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pail.core.image import NormalImage
from pail.core.sampler import Sampler
from pail.core.settings import Common, Settings


@dataclass(slots=True)
class Step:
    """One anomaly of a call, and what its record needs."""

    name: str
    sampler: Sampler
    takes_source: bool
    source: int | None  # the fingerprint of what it took


@dataclass(slots=True)
class Call:
    """A validated call and what grows from anomaly to anomaly."""

    image: NormalImage  # of the normal image
    settings: Settings
    common: Common
    rng: np.random.Generator
    state: Mapping[str, Any]  # of the generator, before the first draw
    i_a: np.ndarray | None = None
    m_a: np.ndarray | None = None
    instances: np.ndarray | None = None  # the number of the anomaly on top, where there are several
    areas: list[int] = field(default_factory=list)  # how many pixels of each are on top, where there are several
    steps: list[Step] = field(default_factory=list)
