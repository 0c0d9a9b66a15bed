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

SEVERITY = {  # what a severity scales besides the ranges that methods take: the values at 0 and at 1
    "opacity": (0.15, 1.0),  # of hard pastes; MemSeg's lower bound of the transparency range
    "coverage": (0.005, 0.1),  # of Perlin masks, a share of the region; the paper's 95 % quantile is 0.095
    "quantile": (0.05, 0.95),  # of sides between two points: neither a pixel nor the whole region comes out
    "defect_share": (0.1, 1.0),  # of the area of a given defect
    "fraction": (0.2, 2.0),  # times the fraction of superpixels
    "p_patch": (0.2, 1.8),  # times the chance of a tile
}


def as_rng(rng: Any, name: str = "rng") -> np.random.Generator:
    """A Generator from an int, a sequence of ints, a SeedSequence, a Generator (kept), or None (system entropy)."""
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
    """The random numbers of one call, remembered by name, in the order in
    which they were drawn.

    `severity` None draws from the ranges of the technique's keywords; a
    number in [0, 1] picks the place in a range with `scaled`, which
    everything uses that makes an anomaly larger or stronger.
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
        """So many uniform numbers; none are remembered where there is none."""
        values = low + (high - low) * self.rng.random(count)
        if count:
            self.drawn.setdefault(name, []).extend(values.tolist())
        return values

    def integer(self, name: str, low: int, high: int) -> int:
        """Uniform on low..high, both included."""
        return self.keep(name, low + int(self.rng.random() * (high - low + 1)))

    def flag(self, name: str, probability: float = 0.5) -> bool:
        return self.keep(name, self.rng.random() < probability)

    def choice(self, name: str, options: Sequence[T]) -> T:
        return self.keep(name, options[int(self.rng.random() * len(options))])

    def sample(self, name: str, count: int, size: int) -> list[int]:
        """`size` of 0..count-1 without replacement, in random order."""
        return self.keep(name, self.rng.permutation(count)[:size].tolist())

    def scaled(self, name: str, low: float, high: float) -> float:
        """Uniform on [low, high]; with a severity, that part of the way from `low` to `high`."""
        place = self.rng.random()
        return self.keep(name, low + (high - low) * (place if self.severity is None else self.severity))

    def scaled_integer(self, name: str, low: int, high: int) -> int:
        """Uniform on low..high, both included; with a severity, that part of the way, rounded."""
        if self.severity is None:
            return self.integer(name, low, high)
        self.rng.random()
        return self.keep(name, round(low + (high - low) * self.severity))

    def opacity(self) -> float:
        """1, the paper's hard paste; with a severity, fainter below 1."""
        if self.severity is None:
            return 1.0
        return self.keep("opacity", self.at_severity("opacity"))

    def at_severity(self, name: str) -> float:
        """What the severity of the call makes of an entry of `SEVERITY`."""
        assert self.severity is not None
        low, high = SEVERITY[name]
        return low + (high - low) * self.severity


def as_severity(value: Any, rng: np.random.Generator) -> float | None:
    """None, or the number in [0, 1] that a call uses, drawn where a range is given."""
    if value is None:
        return None
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        low, high = as_range("severity", value, 0, 1)
        return low + (high - low) * rng.random()
    return as_number("severity", value, 0, 1)


class Process:
    """A token of this process that no fork and no pickle carries over."""

    token = secrets.token_bytes(16)

    @classmethod
    def renew(cls) -> None:
        cls.token = secrets.token_bytes(16)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=Process.renew)


class Stream:
    """An instance's random stream: a generator of its own for every call.

    In another process (fork, pickle) it starts anew, seeded from the operating system: workers that inherit an instance
    must not all repeat the same draws. A copy in the same process starts anew, too, if no seed was given; with one it
    continues the stream where the original stands, as NumPy's generators do.
    """

    def __init__(self, rng: Any = None) -> None:
        self.is_seeded = rng is not None
        self._generator = as_rng(rng) if self.is_seeded else None  # seeded at its first use, which may never come
        self._token = Process.token

    def next(self) -> np.random.Generator:
        if self._generator is None or self._token != Process.token:
            self._generator, self._token = np.random.default_rng(), Process.token
        # A child for each call keeps calls of several threads apart: one call is one stream.
        return np.random.Generator(np.random.PCG64(int.from_bytes(self._generator.bytes(16), "little")))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a pickle, and of copy and deepcopy."""
        self.__dict__.update(state)
        if not self.is_seeded:
            self._generator, self._token = np.random.default_rng(), Process.token
