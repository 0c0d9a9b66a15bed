"""The random numbers of one call, by name, and its severity."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from pail.core.checks import as_number, as_range, describe

T = TypeVar("T")

SEVERITY = {  # what a severity scales in addition to the ranges of keywords: the values at 0 and at 1
    "opacity": (0.15, 1.0),  # of pastes without blending; the lower value is that of MemSeg's transparency range
    "coverage": (0.005, 0.1),  # of Perlin masks, as a share of the region; the paper's 95 % quantile is 0.095
    "quantile": (0.05, 0.95),  # of sides between two points: excludes a single pixel and the whole region
    "defect_share": (0.1, 1.0),  # of the area of a given defect
    "fraction": (0.2, 2.0),  # times the fraction of superpixels
    "p_patch": (0.2, 1.8),  # times the probability of a tile
}


def as_rng(rng: Any, name: str = "rng") -> np.random.Generator:
    """A Generator from an int, a sequence of ints, a SeedSequence, a Generator (returned unchanged), or None (seeded
    from the operating system)."""
    if isinstance(rng, bool | np.bool_ | str | bytes | float):
        raise TypeError(
            f"`{name}` must be None, an int, a sequence of ints, a SeedSequence or a Generator, got {describe(rng)}"
        )
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError, OverflowError) as error:
        raise type(error)(
            f"`{name}` must be None, a non-negative int, a sequence of such ints, a SeedSequence or a Generator, "
            f"got {describe(rng)}"
        ) from error


@dataclass(slots=True)
class Sampler:
    """The random numbers of one call, recorded by name in the order in
    which they are drawn.

    If `severity` is None, numbers are drawn from the ranges of the
    technique's keywords. Otherwise it is a number in [0, 1], and `scaled`
    returns the corresponding point of a range. Use `scaled` for everything
    that makes an anomaly larger or stronger.
    """

    rng: np.random.Generator
    severity: float | None = None
    drawn: dict[str, list[Any]] = field(default_factory=dict)

    def keep(self, name: str, value: T) -> T:
        self.drawn.setdefault(name, []).append(value)
        return value

    def uniform(self, name: str, low: float, high: float) -> float:
        return self.keep(name, low + (high - low) * self.rng.random())

    def uniforms(self, name: str, low: float, high: float, count: int) -> np.ndarray:
        """`count` uniform numbers, which are recorded unless there are none."""
        values = low + (high - low) * self.rng.random(count)
        if count:
            self.drawn.setdefault(name, []).extend(values.tolist())
        return values

    def integer(self, name: str, low: int, high: int) -> int:
        """A uniform integer in low..high, both included."""
        return self.keep(name, low + int(self.rng.random() * (high - low + 1)))

    def flag(self, name: str, probability: float = 0.5) -> bool:
        return self.keep(name, self.rng.random() < probability)

    def choice(self, name: str, options: Sequence[T]) -> T:
        return self.keep(name, options[int(self.rng.random() * len(options))])

    def sample(self, name: str, count: int, size: int) -> list[int]:
        """`size` different integers of 0..count-1, in random order."""
        return self.keep(name, self.rng.permutation(count)[:size].tolist())

    def scaled(self, name: str, low: float, high: float) -> float:
        """A uniform number in [low, high]; with a severity, the corresponding point between `low` and `high`."""
        place = self.rng.random()
        return self.keep(name, low + (high - low) * (place if self.severity is None else self.severity))

    def scaled_integer(self, name: str, low: int, high: int) -> int:
        """A uniform integer in low..high, both included; with a severity, the corresponding point, rounded."""
        if self.severity is None:
            return self.integer(name, low, high)
        self.rng.random()
        return self.keep(name, round(low + (high - low) * self.severity))

    def opacity(self) -> float:
        """The opacity of the paste: 1 as in the papers; with a severity, lower for a lower severity."""
        if self.severity is None:
            return 1.0
        return self.keep("opacity", self.at_severity("opacity"))

    def at_severity(self, name: str) -> float:
        """The value of an entry of `SEVERITY` at the severity of the call."""
        assert self.severity is not None
        low, high = SEVERITY[name]
        return low + (high - low) * self.severity


def as_severity(value: Any, rng: np.random.Generator) -> float | None:
    """The severity of a call: None or a number in [0, 1], which is drawn if a range is given."""
    if value is None:
        return None
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        low, high = as_range("severity", value, 0, 1)
        return low + (high - low) * rng.random()
    return as_number("severity", value, 0, 1)


class Process:
    """A token that identifies this process; it is not passed on by a fork or a pickle."""

    token = secrets.token_bytes(16)

    @classmethod
    def renew(cls) -> None:
        cls.token = secrets.token_bytes(16)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=Process.renew)


class Stream:
    """The random stream of an instance, which gives a separate generator to every call.

    In another process (fork, pickle) it is seeded from the operating system, so that workers that inherit an instance
    do not repeat the same numbers. A copy in the same process continues the stream if a seed was given, as NumPy's
    generators do; otherwise it starts an independent stream.
    """

    def __init__(self, rng: Any = None) -> None:
        self.is_seeded = rng is not None
        self._generator = as_rng(rng) if self.is_seeded else None  # seeded at its first use, which may never come
        self._token = Process.token

    def next(self) -> np.random.Generator:
        if self._generator is None or self._token != Process.token:
            self._generator, self._token = np.random.default_rng(), Process.token
        # A child for each call: concurrent calls in several threads do not share a generator.
        return np.random.Generator(np.random.PCG64(int.from_bytes(self._generator.bytes(16), "little")))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Used for pickle, copy and deepcopy."""
        self.__dict__.update(state)
        if not self.is_seeded:
            self._generator, self._token = np.random.default_rng(), Process.token
