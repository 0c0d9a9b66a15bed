"""Several techniques behind one call: which ones, how many, from which source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pail import record
from pail.core.checks import as_flag, as_number, as_range, describe
from pail.core.draw import as_rng
from pail.run import Call, Technique, run

FAMILIES = ("SFI", "SBI", "hybrid")
MAX_ANOMALIES = 1000


def insert(
    registry: Mapping[str, Technique],
    image: Any,
    source: Any,
    call: Call,
    *,
    techniques: Any,
    weights: Any,
    n_anomalies: Any,
    transform: bool,
) -> Any:
    """See `pail.pai.Anomaly_Insertion.insert`."""
    return_record = as_flag("return_record", call.return_record)
    names, chances = as_techniques(registry, techniques, weights, has_source=source is not None)
    lowest, highest = as_count(n_anomalies)
    pick_source = as_picker(source)
    rng = as_rng(call.rng)
    state = record.rng_state(rng) if return_record else None
    steps, i_a, m_a = [], image, None
    for _ in range(lowest + int(rng.random() * (highest - lowest + 1))):
        name = names[int(np.searchsorted(chances, rng.random(), side="right"))]
        step_source = pick_source(rng) if registry[name].takes_source else None
        step = call._replace(rng=rng)
        i_a, mask, *rest = run(name, registry[name], i_a, step_source, step, registry[name].options(transform))
        m_a = mask if m_a is None else cv2.bitwise_or(m_a, mask).reshape(mask.shape)
        steps += rest
    if not return_record:
        return i_a, m_a
    arguments = {"techniques": techniques, "weights": weights, "n_anomalies": n_anomalies, "transform": transform}
    head = record.head("insert", steps[0]["image"], call, arguments, state, has_source=source is not None)
    return i_a, m_a, {**head, "steps": steps}


def as_techniques(
    registry: Mapping[str, Technique], techniques: Any, weights: Any, *, has_source: bool
) -> tuple[list[str], np.ndarray]:
    """The techniques that a call may draw, and their cumulated chances. A family shares its weight equally."""
    entries = _entries(registry, techniques)
    shares = _weights(weights, len(entries))
    names, chances = [], []
    for members, share in zip(entries, shares, strict=True):
        usable = [name for name in members if has_source or registry[name].family != "SBI"]
        names += usable
        chances += [share / len(usable)] * len(usable) if usable else []
    if not names:
        raise ValueError(
            "`techniques` must leave one that needs no source where `anom_source_img` is None, got only SBI"
        )
    total = np.cumsum(chances)
    if total[-1] <= 0:
        raise ValueError(f"`weights` must give a chance to a technique that can be used, got {weights!r}")
    return names, total / total[-1]


def _entries(registry: Mapping[str, Technique], techniques: Any) -> list[list[str]]:
    if techniques is None:
        return [[name] for name in registry]
    if isinstance(techniques, str):
        techniques = [techniques]
    if not isinstance(techniques, Sequence) or len(techniques) == 0:
        raise TypeError(
            f"`techniques` must be None, a name, a family or a non-empty sequence of them, got {describe(techniques)}"
        )
    return [_members(registry, entry) for entry in techniques]


def _members(registry: Mapping[str, Technique], entry: Any) -> list[str]:
    if isinstance(entry, str) and entry in registry:
        return [entry]
    if isinstance(entry, str) and entry in FAMILIES:
        return [name for name, technique in registry.items() if technique.family == entry]
    known = ", ".join([*registry, *FAMILIES])
    error = ValueError if isinstance(entry, str) else TypeError
    raise error(f"`techniques` must hold names or families out of {known}; got {describe(entry)}")


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


def as_picker(source: Any) -> Callable[[np.random.Generator], Any]:
    """How a source is found: the image itself, one of a list, or what a callable makes."""
    if isinstance(source, list | tuple):
        if len(source) == 0:
            raise ValueError("`anom_source_img` must not be an empty list")
        return lambda rng: source[int(rng.random() * len(source))]
    if callable(source) and not isinstance(source, Image.Image):
        return lambda rng: _made(source, rng)
    return lambda rng: source


def _made(function: Callable[[np.random.Generator], Any], rng: np.random.Generator) -> Any:
    try:
        image = function(rng)
    except Exception as error:
        raise ValueError(f"`anom_source_img` must make an image from a Generator, but it raised {error!r}") from error
    if image is None:
        raise TypeError("`anom_source_img` must be a callable that returns an image, got None from it")
    return image
