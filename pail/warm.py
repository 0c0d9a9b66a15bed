"""Import and compile in advance what first calls need."""

from __future__ import annotations

import numpy as np

from pail.pai import Anomaly_Insertion
from pail.registry import TECHNIQUES, is_own


def warm_up() -> None:
    """Import and compile what techniques need at their first call. This
    takes up to two seconds, once per process.

    Call it before you measure times, or in the parent process before
    workers are forked, which then inherit what was loaded.

    Examples
    --------
    >>> import pail
    >>> pail.warm_up()
    """
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    insertion = Anomaly_Insertion()
    for name, technique in TECHNIQUES.items():
        if not is_own(name) and not technique.takes_defects:
            getattr(insertion, name)(image, rng=0)
