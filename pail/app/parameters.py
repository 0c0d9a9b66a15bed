"""The parameters of a technique as controls: kind, range and default come from its signature, the help from its
docstring."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pail.beyond.real.real_defect import Kinds
from pail.core.parameters import Choice, Flag, Mask, Number, Pair, Parameter
from pail.pixels.augmenter import Augmenter
from pail.registry import TECHNIQUES

WIDEST = 4  # times the default: largest value of a handle if much larger values are allowed
LEAST = 10  # ... and the smallest such limit for numbers from 1 on
FEW = 50  # largest number of integers for which a slider has separate positions
PACKED = 0.3  # of the range: for a smaller default, low values get more of the slider


@dataclass(frozen=True)
class Bounds:
    """The range of the handles; typed values may be outside."""

    low: float
    high: float
    integer: bool = False
    curve: int = 1  # the value is low + (high - low) * place ** curve

    def place(self, value: float) -> float:
        """The position of a value on the slider, 0 to 1."""
        share = (value - self.low) / (self.high - self.low)
        return float(min(max(share, 0.0), 1.0) ** (1 / self.curve))


@dataclass(frozen=True)
class Control:
    """One parameter."""

    name: str
    kind: str  # "flag", "choice", "kinds", "number", "range", "text" or "object", for which there is no control
    default: Any
    help: str = ""
    bounds: Bounds | None = None
    choices: tuple[Any, ...] = ()
    word: Any = None  # a value instead of numbers: None, or a str such as "random"
    has_word: bool = False

    def start(self) -> Any:
        """The positions of the handles while the word is selected: near the middle, apart from each other."""
        assert self.bounds is not None
        low, high = self.bounds.low, self.bounds.high
        values = [low + (high - low) * share for share in (0.25, 0.5)]
        values = [round(value) for value in values] if self.bounds.integer else values
        return values if self.kind == "range" else values[1]


def controls(technique: str) -> list[Control]:
    """The parameters of a technique in the order of its signature."""
    entry = TECHNIQUES[technique]
    documented = parse(inspect.getdoc(entry.method or entry.function) or "")
    return [
        control(name, default, entry.accepted.get(name), documented.get(name, ""))
        for name, default in entry.parameters.items()
    ]


def parse(docstring: str) -> dict[str, str]:
    """The description of each parameter, from the section Parameters of a numpydoc docstring."""
    _, found, section = docstring.partition("Parameters\n----------\n")
    lines = section.split("\n\n")[0].splitlines() if found else []
    entries: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if not line.startswith(" "):
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
            entries |= dict.fromkeys(names, "")
        else:
            entries |= {name: f"{entries[name]} {line.strip()}".strip() for name in names}
    return entries


def control(name: str, default: Any, accepted: Parameter | None = None, text: str = "") -> Control:
    """The control of one parameter. Values without handles are typed. Without `accepted`, the kind is guessed from the
    default."""
    text = text.replace("``", "").replace("`", "")
    accepted = accepted or _guessed(default)
    if isinstance(accepted, Choice):
        return Control(name, "choice", default, text, choices=accepted.choices)
    if isinstance(accepted, Kinds):
        return Control(name, "kinds", default, text)
    if isinstance(accepted, Mask | Augmenter):
        return Control(name, "object", default, text)
    if isinstance(accepted, Flag):
        choices = (*accepted.instead, True, False)
        kind = "choice" if accepted.instead else "flag"
        return Control(name, kind, default, text, choices=choices if accepted.instead else ())
    if not isinstance(accepted, Number | Pair):
        return Control(name, "text", default, text)
    kind = "range" if isinstance(accepted, Pair) else "number"
    values = default if isinstance(default, tuple | list) else (default,)
    bounds = _bounds(accepted, [value for value in values if _is_number(value)])
    word = accepted.instead[0] if accepted.instead else None
    return Control(
        name,
        kind,
        tuple(default) if isinstance(default, list) else default,
        text,
        bounds,
        word=word,
        has_word=bool(accepted.instead),
    )


def _guessed(default: Any) -> Parameter | None:
    """The accepted values of a parameter without an annotation, guessed from its default."""
    if isinstance(default, bool):
        return Flag()
    if _is_number(default):
        return Number(integer=isinstance(default, int))
    is_pair = isinstance(default, (tuple, list)) and len(default) == 2 and all(map(_is_number, default))
    if is_pair and default[0] < default[1]:  # two equal numbers are treated as a point, not a range
        return Pair(integer=all(isinstance(value, int) for value in default))
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bounds(accepted: Number | Pair, values: Sequence[float]) -> Bounds:
    """The bounds of the handles: those of the accepted values, limited to a multiple of the default, or to a full turn
    for angles."""
    low, high = accepted.low, accepted.high
    if accepted.unit == "degrees":
        low, high = max(low, -180), min(high, 180)
    elif values:
        largest = max(map(abs, values))
        reach = 1 if largest < 1 and not accepted.integer else max(WIDEST * largest, LEAST)
        least = 0 if math.isinf(low) and min(values) >= 0 else -reach
        low, high = max(low, least), min(high, reach)
    low, high = min((low, *values)), max((high, *values))
    bounds = Bounds(low, high if high > low else low + 1, accepted.integer)
    return _curved(bounds, max(values)) if values else bounds


def _curved(bounds: Bounds, value: float) -> Bounds:
    share = (value - bounds.low) / (bounds.high - bounds.low)
    few = bounds.integer and bounds.high - bounds.low <= FEW
    curve = 1 if few or bounds.low < 0 or share > PACKED else 2 if share > PACKED / 10 else 3
    return Bounds(bounds.low, bounds.high, bounds.integer, curve)


def as_option(control: Control, value: Any) -> Any:
    """The value of a control as the technique expects it. Raises an error for a str that is not a Python literal."""
    if control.kind == "choice":
        return next((choice for choice in control.choices if repr(choice) == value), value)
    if control.kind == "kinds":
        return list(value) if value else None
    if control.kind in ("number", "range") and value == "":
        return None  # gradio sends None in this form
    if control.kind != "text":
        return value
    try:
        return ast.literal_eval(str(value).strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        example = repr(control.default)
        raise ValueError(f"`{control.name}` must be written as in Python, such as {example}, got {value!r}") from None


def same(one: Any, other: Any) -> bool:
    """Whether two values are equivalent for a technique: a list equals a tuple, but 1 is not True."""
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(same, one, other))
    return (type(one) is type(other) and bool(one == other)) or (_is_number(one) and _is_number(other) and one == other)
