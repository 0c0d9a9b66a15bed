"""Checks of plain arguments. Each returns the normalized value or raises an error that names the argument."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

MAX_SIDE = 32_766  # cv2.remap addresses rows and columns with signed 16-bit integers


def describe(value: object) -> str:
    """A short description of a value, for error messages."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, Image.Image):
        return f"a PIL image of mode {value.mode} and size {value.size}"
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


def as_flag(name: str, value: object) -> bool:
    """A bool; 0 and 1 are accepted as well."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, numbers.Integral) and value in (0, 1)):
        return bool(value)
    raise TypeError(f"`{name}` must be True or False, got {describe(value)}")


def as_number(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    integer: bool = False,
    above: bool = False,
    below: bool = False,
) -> float:
    """`value` as a finite number in [low, high]; `above` excludes the lower end, and `below` the upper one."""
    if not _is_number(value, integer):
        raise TypeError(f"`{name}` must be {bounds_text(low, high, integer, above, below)}, got {describe(value)}")
    # Compared without conversion: an int that is too large for a float is out of range like any other value.
    inside = low <= value <= high and not (above and value == low) and not (below and value == high)
    if not inside or value in (math.inf, -math.inf):
        raise ValueError(f"`{name}` must be {bounds_text(low, high, integer, above, below)}, got {describe(value)}")
    return int(value) if integer else float(value) + 0.0  # -0.0 is 0


def _is_number(value: Any, integer: bool) -> bool:
    if type(value) is int or (
        type(value) is float and not integer
    ):  # the usual case, which avoids the slow abstract base classes
        return True
    return not isinstance(value, (bool, np.bool_)) and isinstance(value, numbers.Integral if integer else numbers.Real)


def bounds_text(low: float, high: float, integer: bool = False, above: bool = False, below: bool = False) -> str:
    """A description of what `as_number` accepts."""
    ends = f"{'(' if above else '['}{low:g}, {high:g}{')' if below else ']'}"
    return f"{'an integer' if integer else 'a number'} in {ends}"


def as_range(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    integer: bool = False,
    above: bool = False,
) -> tuple[float, float]:
    """`value` as a pair (low, high) of numbers that `as_number` accepts, with low <= high."""
    if not is_pair(value):
        raise TypeError(f"`{name}` must be a pair (low, high), got {describe(value)}")
    lower = as_number(f"{name}[0]", value[0], low, high, integer=integer, above=above)
    upper = as_number(f"{name}[1]", value[1], low, high, integer=integer, above=above)
    if lower > upper:
        raise ValueError(f"`{name}` must be (low, high) with low <= high, got {value!r}")
    return lower, upper


def is_pair(value: Any) -> bool:
    """Whether a value is a sequence of two entries of any type."""
    if type(value) is tuple:
        return len(value) == 2
    return is_sequence(value) and len(value) == 2


def is_sequence(value: Any) -> bool:
    """Whether a value is a sequence. A str and an array without an axis are not."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, str)


def as_sequence(name: str, value: Any, check: Callable[[str, Any], Any], *, empty: bool = False) -> list[Any]:
    """A non-empty sequence whose entries are checked by `check(name, entry)`."""
    if not is_sequence(value):
        raise TypeError(f"`{name}` must be a sequence, got {describe(value)}")
    if len(value) == 0 and not empty:
        raise ValueError(f"`{name}` must not be empty")
    return [check(f"{name}[{i}]", entry) for i, entry in enumerate(value)]


def as_choice(name: str, value: Any, options: Sequence[Any]) -> Any:
    known = ", ".join(repr(option) for option in options)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"`{name}` must be one of {known}, got {describe(value)}")
    if value not in options:
        raise ValueError(f"`{name}` must be one of {known}, got {describe(value)}{close_match(value, options)}")
    return value


def close_match(value: Any, known: Iterable[Any]) -> str:
    """The end of a message about an unknown name: a suggestion of the known name that was probably meant."""
    names = {name.lower(): name for name in known if isinstance(name, str)}
    found = difflib.get_close_matches(str(value).lower(), names, 1)
    return f"; did you mean {names[found[0]]!r}?" if found else ""


def as_size(name: str, value: Any) -> tuple[int, int] | None:
    """(height, width) in pixels, or None."""
    if value is None:
        return None
    if not is_pair(value):
        raise TypeError(f"`{name}` must be (height, width) or None, got {describe(value)}")
    height, width = (int(as_number(f"{name}[{i}]", v, 1, MAX_SIDE, integer=True)) for i, v in enumerate(value))
    return height, width


def as_patterns(name: str, value: Any) -> tuple[str, ...]:
    """One or several patterns of file names."""
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, Sequence) or not all(isinstance(entry, str) and entry for entry in patterns):
        raise TypeError(
            f"`{name}` must be a pattern of file names such as '*_mask.png', or a sequence of patterns, got "
            f"{describe(value)}"
        )
    return tuple(patterns)
