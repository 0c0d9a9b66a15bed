"""Insert anomalies of several techniques: which ones, how many, and from which source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pail.beyond.presets import as_preset
from pail.beyond.real.defects import as_defects
from pail.call.record import of_given
from pail.call.result import PseudoAnomaly
from pail.call.run import add, begin, finish
from pail.call.state import Common, Settings
from pail.core.checks import as_number, as_range, close_match, describe
from pail.registry import FAMILIES, TECHNIQUES, by_default

MAX_ANOMALIES = 1000
SOURCE = "anom_source_img"


def insert(
    image: Any,
    source: Any,
    settings: Settings,
    common: Common,
    *,
    techniques: Any = None,
    weights: Any = None,
    n_anomalies: Any = 1,
    options: Any = None,
    defects: Any = None,
    preset: Any = None,
    bank_later: bool = False,
) -> PseudoAnomaly:
    """See `pail.pai.Anomaly_Insertion.insert`.

    With `bank_later`, which is for replays, a bank is only required if a real defect is drawn.
    """
    mix = as_mix(techniques, weights, options, defects, preset, bank_later=bank_later)
    chances = mix.cumulated()
    lowest, highest = as_count(n_anomalies)
    checked = {name: TECHNIQUES[name].check(mix.options.get(name, {})) for name in mix.names}
    pick_source = as_picker(source)
    call = begin(image, settings, common, defects=defects)
    # Families and presets are recorded as their members, and None as all names, so that techniques that are registered
    # later do not change a replay.
    arguments = {
        "techniques": tuple(mix.names),
        "weights": None if set(mix.shares) == {1.0} else tuple(mix.shares),
        "n_anomalies": n_anomalies,
        "options": options if preset is None else mix.options,
    }
    given = of_given(call, "insert", arguments, source)
    rng = call.rng
    for _ in range(lowest + int(rng.random() * (highest - lowest + 1))):
        name = mix.names[int(np.searchsorted(chances, rng.random(), side="right"))]
        found, where = pick_source(rng) if TECHNIQUES[name].takes_source else (None, SOURCE)
        add(call, name, found, checked[name], where)
    return finish(call, given)


class Mix(NamedTuple):
    """The techniques that a call may draw."""

    names: list[str]
    shares: list[float]  # the weight of each
    options: dict[str, dict[str, Any]]  # by technique

    def cumulated(self) -> np.ndarray:
        """The cumulative probabilities."""
        total = np.cumsum(self.shares)
        shares_up_to: np.ndarray = total / total[-1]
        return shares_up_to


def as_mix(
    techniques: Any,
    weights: Any,
    options: Any = None,
    defects: Any = None,
    preset: Any = None,
    *,
    bank_later: bool = False,
) -> Mix:
    """The techniques that a call may draw, with their weights and options. Families are replaced by their members.

    By default these are the eleven and the registered ones, or only `real_defect` if there is a bank. A technique that
    needs a bank is an error without one, unless the bank is passed later.
    """
    given = as_options(options)
    if preset is not None:
        if techniques is not None or weights is not None:
            other, value = ("weights", weights) if techniques is None else ("techniques", techniques)
            raise ValueError(
                f"`preset` must not be combined with `{other}`, because the preset defines which techniques are "
                f"drawn, got {describe(value)}"
            )
        chosen = as_preset(preset)
        techniques = list(chosen.techniques)
        given = {name: {**chosen.options[name], **given.pop(name, {})} for name in techniques} | given
    if techniques is None and defects is not None:
        techniques = "real"
    entries = _entries(techniques)
    names: list[str] = []
    shares: list[float] = []
    for members, weight in zip(entries, _weights(weights, len(entries)), strict=True):
        names += members
        shares += [weight / len(members)] * len(members)
    if sum(shares) <= 0:
        raise ValueError(f"`weights` must contain at least one positive value, got {weights!r}")
    takers = [name for name in names if TECHNIQUES[name].takes_defects]
    if (takers and not bank_later) or defects is not None:
        as_defects(defects)
    if defects is not None and not takers and preset is not None:
        raise ValueError(
            f"`preset` {preset!r} must be given without `defects`, because none of its techniques uses a "
            f"bank; images from which its techniques take their pixels are passed as `{SOURCE}`"
        )
    if defects is not None and not takers:
        raise ValueError(f"`techniques` must include 'real' if `defects` is given, got {describe(techniques)}")
    return Mix(names, shares, given)


def as_options(value: Any) -> dict[str, dict[str, Any]]:
    """Keywords of single techniques, by name. Names and values are checked and returned unchanged."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"`options` must be a dict of dicts with names of techniques as keys, got {describe(value)}")
    for name, keywords in value.items():
        _members(name, "options")
        if name not in TECHNIQUES or not isinstance(keywords, Mapping):
            raise TypeError(f"`options[{name!r}]` must be a dict of a technique's keywords, got {describe(keywords)}")
        known = TECHNIQUES[name].parameters
        for key in TECHNIQUES[name].unknown(keywords):
            raise TypeError(
                f"`options[{name!r}]` must contain keywords of the technique, each one of "
                f"{', '.join(known)}; got {key!r}{close_match(key, known)}"
            )
        TECHNIQUES[name].check(keywords)
    return {name: dict(keywords) for name, keywords in value.items()}


def _entries(techniques: Any) -> list[list[str]]:
    if techniques is None:
        return [[name] for name in by_default()]
    if isinstance(techniques, str):
        techniques = [techniques]
    if not isinstance(techniques, Sequence) or len(techniques) == 0:
        raise TypeError(
            f"`techniques` must be None, a name, a family or a non-empty sequence of them, got {describe(techniques)}"
        )
    return [_members(entry) for entry in techniques]


def _members(entry: Any, argument: str = "techniques") -> list[str]:
    if isinstance(entry, str) and entry in TECHNIQUES:
        return [entry]
    if isinstance(entry, str) and entry in FAMILIES:
        return [name for name, technique in TECHNIQUES.items() if technique.family == entry]
    known = ", ".join([*TECHNIQUES, *FAMILIES])
    error = ValueError if isinstance(entry, str) else TypeError
    meant = close_match(entry, [*TECHNIQUES, *FAMILIES])
    raise error(f"`{argument}` must be names or families, each one of {known}; got {describe(entry)}{meant}")


def _weights(weights: Any, count: int) -> list[float]:
    if weights is None:
        return [1.0] * count
    if isinstance(weights, str) or not isinstance(weights, Sequence | np.ndarray) or np.ndim(weights) != 1:
        raise TypeError(f"`weights` must be None or a sequence of numbers, got {describe(weights)}")
    if len(weights) != count:
        raise ValueError(f"`weights` must have one number for each of the {count} techniques, got {len(weights)}")
    return [as_number(f"weights[{i}]", weight, 0, 1e12) for i, weight in enumerate(weights)]


def as_count(value: Any) -> tuple[int, int]:
    """The lowest and highest number of anomalies of a call."""
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        low, high = as_range("n_anomalies", value, 1, MAX_ANOMALIES, integer=True)
        return int(low), int(high)
    count = int(as_number("n_anomalies", value, 1, MAX_ANOMALIES, integer=True))
    return count, count


def as_picker(source: Any) -> Callable[[np.random.Generator], tuple[Any, str]]:
    """A function that selects a source and its name for messages: the image itself, one of a list, or what a callable
    returns."""
    if isinstance(source, list | tuple):
        if len(source) == 0:
            raise ValueError("`anom_source_img` must not be an empty list")
        return lambda rng: _entry(source, int(rng.random() * len(source)))
    if callable(source) and not isinstance(source, Image.Image):
        return lambda rng: (_made(source, rng), SOURCE)
    return lambda rng: (source, SOURCE)


def _entry(sources: Sequence[Any], place: int) -> tuple[Any, str]:
    """A source of a list. None is refused, since it would mean the normal image."""
    name = f"{SOURCE}[{place}]"
    if sources[place] is None:
        raise TypeError(f"`{name}` must be an image, got None; cv2.imread returns None for a file it cannot read")
    return sources[place], name


def _made(function: Callable[[np.random.Generator], Any], rng: np.random.Generator) -> Any:
    try:
        image = function(rng)
    except Exception as error:
        raise ValueError(f"`anom_source_img` must return an image for a Generator, but it raised {error!r}") from error
    if image is None:
        raise TypeError("`anom_source_img` must be a callable that returns an image, but it returned None")
    return image
