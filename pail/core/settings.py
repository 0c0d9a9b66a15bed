"""What an instance knows of its images, and what a call may say besides its own parameters."""

from __future__ import annotations

from typing import Any, NamedTuple


class Settings(NamedTuple):
    """The settings of an instance, unchecked: attributes can be assigned at any time."""

    transform: Any = True
    data_range: Any = None
    source_range: Any = None
    alpha: Any = None


class Common(NamedTuple):
    """The keywords that every method has."""

    roi: Any
    severity: Any
    rng: Any
