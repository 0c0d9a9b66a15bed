"""What a technique can be told, as controls: kind, range, default and help, from its signature and its docstring."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from typing import Any

from pail.pai import Anomaly_Insertion
from pail.registry import TECHNIQUES, is_own

INTERVAL = re.compile(r"in [\[(](-?[\d.]+), (-?[\d.]+)[\])]")
BETWEEN = re.compile(r"(\d+) to (\d+)")
LEAST = re.compile(r"at least (\d+)")
WORD = re.compile(r' or "(\w+)"')
WIDEST = 4  # of the default, how far a number goes whose docstring names no end
FEW = 50  # whole numbers that a slider has room for
PACKED = 0.3  # of the range: a default below it spreads the low end over more of the slider


@dataclass(frozen=True)
class Bounds:
    """From where to where handles go; what is typed may lie outside."""

    low: float
    high: float
    integer: bool = False
    curve: int = 1  # the value is low + (high - low) * place ** curve

    def place(self, value: float) -> float:
        """Where a value stands on the slider, 0 to 1."""
        share = (value - self.low) / (self.high - self.low)
        return float(min(max(share, 0.0), 1.0) ** (1 / self.curve))


@dataclass(frozen=True)
class Control:
    """One parameter."""

    name: str
    kind: str  # "flag", "choice", "number", "range", "text" or "object", which no control can hold
    default: Any
    help: str = ""
    bounds: Bounds | None = None
    choices: tuple[Any, ...] = ()
    word: Any = None  # what stands in place of numbers: None, or a text such as "random"
    has_word: bool = False

    def start(self) -> Any:
        """Where the handles stand while the word is chosen: in the middle, apart."""
        assert self.bounds is not None
        low, high = self.bounds.low, self.bounds.high
        values = [low + (high - low) * share for share in (0.25, 0.5)]
        values = [round(value) for value in values] if self.bounds.integer else values
        return values if self.kind == "range" else values[1]


def controls(technique: str) -> list[Control]:
    """The parameters of a technique in the order of its signature."""
    documented = parse(_docstring(technique))
    parameters = TECHNIQUES[technique].parameters
    return [control(name, default, *documented.get(name, ("", ""))) for name, default in parameters.items()]


def _docstring(technique: str) -> str:
    """The method's; a user's technique has its function's, if it has one."""
    documented = TECHNIQUES[technique].function if is_own(technique) else getattr(Anomaly_Insertion, technique)
    return inspect.getdoc(documented) or ""


def parse(docstring: str) -> dict[str, tuple[str, str]]:
    """Type and description by name, from the section Parameters of a numpydoc docstring."""
    _, found, section = docstring.partition("Parameters\n----------\n")
    lines = section.split("\n\n")[0].splitlines() if found else []
    entries: dict[str, tuple[str, str]] = {}
    names: list[str] = []
    for line in lines:
        if not line.startswith(" "):
            head, _, kind = line.partition(" : ")
            names = [name.strip() for name in head.split(",")]
            entries |= dict.fromkeys(names, (kind, ""))
        else:
            entries |= {name: (entries[name][0], f"{entries[name][1]} {line.strip()}".strip()) for name in names}
    return entries


def control(name: str, default: Any, kind: str = "", text: str = "") -> Control:
    """The control of one parameter; what neither type nor default explains is typed."""
    plain = text.replace("``", "").replace("`", "")
    if kind.startswith("{"):
        choices = tuple(ast.literal_eval(f"[{kind[1 : kind.index('}')]}]"))
        return Control(name, "choice", default, plain, choices=choices)
    if kind.startswith(("callable", "ndarray")):
        return Control(name, "object", default, plain)
    if isinstance(default, bool):
        return Control(name, "flag", default, plain)
    if default is None and kind.startswith("bool"):
        return Control(name, "choice", default, plain, choices=(None, True, False))
    numbers = None if kind.startswith("sequence") else _numbers(name, default, kind, plain)
    return numbers or Control(name, "text", default, plain)


def _numbers(name: str, default: Any, kind: str, text: str) -> Control | None:
    """One handle for a number, two for a range; None for anything else."""
    word = WORD.search(kind)
    if default is None:
        pair, one = kind.startswith(("(float, float)", "(int, int)")), kind.startswith(("float", "int"))
        documented = one or (pair and INTERVAL.search(text))
        bounds = _documented(text, integer=kind.startswith(("(int", "int"))) if documented else None
        shape = "range" if pair else "number"
        return Control(name, shape, None, text, bounds, has_word=True) if bounds else None
    if _is_number(default):
        integer = isinstance(default, int) and not kind.startswith("float")
        bounds = _bounds(text, (default,), integer=integer)
        return Control(name, "number", default, text, bounds, word=word and word[1], has_word=word is not None)
    is_pair = isinstance(default, (tuple, list)) and len(default) == 2 and all(map(_is_number, default))
    if is_pair and default[0] < default[1]:  # two equal numbers are a point rather than a range
        integer = all(isinstance(value, int) for value in default) and not kind.startswith("(float")
        return Control(name, "range", tuple(default), text, _bounds(text, default, integer=integer))
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bounds(text: str, values: Any, *, integer: bool) -> Bounds:
    """As documented, widened to the default; else some way around the default."""
    low, high = min((0, *values)), max(values)
    found = _documented(text, integer=integer)
    if found:
        low, high = min((found.low, *values)), found.high
    elif least := LEAST.search(text):
        low, high = int(least[1]), max(WIDEST * high, 10)
    elif low < 0:
        low, high = -WIDEST * max(abs(low), abs(high)), WIDEST * max(abs(low), abs(high))
    else:
        high = max(WIDEST * high, 10) if integer else WIDEST * high if high >= 1 else 1
    high = max((high, *values))
    return _curved(Bounds(low, high if high > low else low + 1, integer), max(values))


def _documented(text: str, *, integer: bool) -> Bounds | None:
    """The first interval that a description names; angles go once around."""
    if found := INTERVAL.search(text) or BETWEEN.search(text):
        low, high = (int(end) if end.is_integer() else end for end in map(float, found.groups()))
        return Bounds(low, high, integer)
    return Bounds(-180, 180, integer) if "degrees" in text else None


def _curved(bounds: Bounds, value: float) -> Bounds:
    share = (value - bounds.low) / (bounds.high - bounds.low)
    few = bounds.integer and bounds.high - bounds.low <= FEW
    curve = 1 if few or bounds.low < 0 or share > PACKED else 2 if share > PACKED / 10 else 3
    return Bounds(bounds.low, bounds.high, bounds.integer, curve)


def as_option(control: Control, value: Any) -> Any:
    """The value of a control as the technique takes it; raises where a text is none that Python reads."""
    if control.kind == "choice":
        return next((choice for choice in control.choices if repr(choice) == value), value)
    if control.kind in ("number", "range") and value == "":
        return None  # as gradio sends None
    if control.kind != "text":
        return value
    try:
        return ast.literal_eval(str(value).strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        example = repr(control.default)
        raise ValueError(f"`{control.name}` must be written as in Python, such as {example}, got {value!r}") from None


def same(one: Any, other: Any) -> bool:
    """Whether two values are one to a technique: a list is as good as a tuple, 1 is not True."""
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(same, one, other))
    return (type(one) is type(other) and bool(one == other)) or (_is_number(one) and _is_number(other) and one == other)


def shown(value: Any) -> str:
    """A value for people: 2/256 as 0.007812."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(shown, value))})"
    return "automatic" if value is None else str(value)
