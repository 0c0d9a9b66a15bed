"""Which values a parameter of a technique may have, as data that checks, documentation and sliders use.

A technique declares it once, in its signature::

    def technique(image, sampler, *, width: Annotated[tuple[float, float], Pair(0, 1, above=True)]) -> Insertion: ...

Each class has `check(name, value)`, which returns the normalized value or raises an error that names the argument, and
`text`, which describes what is accepted. A check returns a normalized value unchanged.
"""

from __future__ import annotations

import functools
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_origin

from pail.core.checks import (
    as_choice,
    as_flag,
    as_number,
    as_range,
    as_sequence,
    as_size,
    bounds_text,
    close_match,
    describe,
)
from pail.core.mask import as_mask


@dataclass(frozen=True, kw_only=True)
class Parameter(ABC):
    """Base class of all kinds of parameters: a unit in words, and special values that are accepted in addition."""

    unit: str = ""
    instead: tuple[str | None, ...] = ()  # None, or a word such as "random"

    def check(self, name: str, value: Any) -> Any:
        """Return the normalized value. Raises a TypeError or ValueError if it is invalid."""
        if (value is None or isinstance(value, str)) and value in self.instead:
            return value
        words = [word for word in self.instead if word is not None]
        if words and isinstance(value, str):
            raise ValueError(f"`{name}` must be {self.text}, got {describe(value)}{close_match(value, words)}")
        return self.usual(name, value)

    @abstractmethod
    def usual(self, name: str, value: Any) -> Any:
        """Like `check`, for values that are not in `instead`."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """A description of what is accepted in addition to `instead`."""

    @property
    def text(self) -> str:
        """A description of what is accepted, without the unit."""
        return " or ".join([self.kind, *map(repr, self.instead)])


@dataclass(frozen=True)
class Number(Parameter):
    """A number in [low, high]; `above` excludes the lower end, and `below` the upper one."""

    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    above: bool = False
    below: bool = False
    multiple_of: int = 1  # for integers

    def usual(self, name: str, value: Any) -> float:
        bounds = {"integer": self.integer, "above": self.above, "below": self.below}
        number = as_number(name, value, self.low, self.high, **bounds)
        if self.multiple_of != 1 and number % self.multiple_of:
            raise ValueError(f"`{name}` must be a multiple of {self.multiple_of}, got {number}")
        return number

    @property
    def kind(self) -> str:
        text = bounds_text(self.low, self.high, self.integer, self.above, self.below)
        return text if self.multiple_of == 1 else f"{text}, a multiple of {self.multiple_of}"


@dataclass(frozen=True)
class Pair(Parameter):
    """A range (low, high) of two numbers as in `Number`, with low <= high."""

    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    above: bool = False

    def usual(self, name: str, value: Any) -> tuple[float, float]:
        return as_range(name, value, self.low, self.high, integer=self.integer, above=self.above)

    @property
    def kind(self) -> str:
        ends = bounds_text(self.low, self.high, self.integer, self.above).partition(" in ")[2]
        return f"a pair (low, high){' of integers' if self.integer else ''} in {ends}"


@dataclass(frozen=True)
class Flag(Parameter):
    """True or False."""

    def usual(self, name: str, value: Any) -> bool:
        return as_flag(name, value)

    @property
    def kind(self) -> str:
        return "True or False"


@dataclass(frozen=True)
class Choice(Parameter):
    """One of a few values."""

    choices: tuple[Any, ...] = ()

    def usual(self, name: str, value: Any) -> Any:
        return as_choice(name, value, self.choices)

    @property
    def kind(self) -> str:
        return f"one of {', '.join(map(repr, self.choices))}"


@dataclass(frozen=True)
class Several(Parameter):
    """A non-empty sequence whose entries are all of one kind, with `count` entries if that is given."""

    each: Parameter
    count: int | None = None

    def usual(self, name: str, value: Any) -> tuple[Any, ...]:
        entries = as_sequence(name, value, self.each.check)
        if self.count is not None and len(entries) != self.count:
            raise ValueError(f"`{name}` must be {self.text}, got {describe(value)}")
        return tuple(entries)

    @property
    def kind(self) -> str:
        return f"a sequence{'' if self.count is None else f' of {self.count} entries'}, each {self.each.text}"


@dataclass(frozen=True)
class Size(Parameter):
    """(height, width) in pixels."""

    unit: str = "pixels"

    def usual(self, name: str, value: Any) -> tuple[int, int]:
        size = as_size(name, value)
        if size is None:
            raise TypeError(f"`{name}` must be {self.text}, got None")
        return size

    @property
    def kind(self) -> str:
        return "(height, width)"


@dataclass(frozen=True)
class Mask(Parameter):
    """A mask as in `as_mask`; only the technique can check its size."""

    def usual(self, name: str, value: Any) -> Any:
        return as_mask(name, value)

    @property
    def kind(self) -> str:
        return "a mask"


def parameters_of(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The `Parameter` annotations of a function by the name of the parameter. Parameters without one are left out.

    Raises
    ------
    ValueError
        If an annotation contains `Annotated` but cannot be evaluated, because it would not be checked.
    """
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        function = type(function).__call__
    function = inspect.unwrap(function)
    found: dict[str, Parameter] = {}
    for name, hint in getattr(function, "__annotations__", {}).items():
        if isinstance(hint, str):
            try:
                hint = eval(hint, function.__globals__)
            except Exception as error:
                if "Annotated" not in hint:  # for example, a name that is imported only for type checkers
                    continue
                raise ValueError(
                    f"`function` must have annotations that can be evaluated, but that of `{name}` raised {error!r}"
                ) from error
        if get_origin(hint) is Annotated:
            found.update((name, entry) for entry in hint.__metadata__ if isinstance(entry, Parameter))
    return found
