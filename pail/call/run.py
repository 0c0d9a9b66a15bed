"""One anomaly: validate, draw and make it, see that it shows, composite."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pail.call import layers
from pail.call.answer import answer_of
from pail.call.codec import snapshot
from pail.call.record import Given, fingerprint, of_call, of_given
from pail.call.result import PseudoAnomaly
from pail.call.state import Call, Step
from pail.core.composite import Insertion, composite, is_visible
from pail.core.image import NormalImage, as_normal_image
from pail.core.ops import read_only
from pail.core.sampler import Sampler, as_rng, as_severity
from pail.core.settings import Common, Settings
from pail.core.source import as_source
from pail.core.window import AUTO
from pail.registry import TECHNIQUES, is_own
from pail.roi import as_roi

ATTEMPTS = 4  # at an anomaly that can be seen, before its content is shifted


def begin(image: Any, settings: Settings, common: Common, image_name: str = "image") -> Call:
    """Check what all calls have. One frame for the call: regions are those of the normal image."""
    image = as_normal_image(image, settings.data_range, image_name, settings.alpha, warns=True)
    if isinstance(settings.data_range, str) and settings.data_range == AUTO:  # the record holds the numbers
        settings = settings._replace(data_range=image.data_range)
    image = image.restrict(as_roi(common.roi, image))
    rng = as_rng(common.rng)
    return Call(image, settings, common, rng, rng.bit_generator.state)


def add(call: Call, name: str, source: Any, options: dict[str, Any]) -> None:
    """Insert one more anomaly."""
    technique, settings = TECHNIQUES[name], call.settings
    image = call.image if call.i_a is None else call.image.after(call.i_a)
    sources: tuple[np.ndarray | None, ...] = ()
    if technique.takes_source and source is None:
        sources = (None,)
    elif technique.takes_source:
        pixels = as_source(source, image, source_range=settings.source_range, alpha=settings.alpha, warns=True)
        sources = (read_only(pixels),)
    sampler = Sampler(call.rng, as_severity(call.common.severity, call.rng))
    if technique.jitters:
        options = {**options, "transform": settings.transform}
    i_a, m_a = _visible(call, name, image, sampler, sources, options)
    if call.m_a is None:
        call.m_a = m_a
    else:
        layers.lay(call, image, i_a, m_a)
    call.i_a = i_a
    if is_own(name):  # whose draws may be the caller's own objects
        sampler.drawn = snapshot(sampler.drawn)
    taken = None if not sources or sources[0] is None else fingerprint(sources[0])
    call.steps.append(Step(name, sampler, technique.takes_source, taken))


def finish(call: Call, given: Given) -> PseudoAnomaly:
    """The result; it does not keep the normal image and the source alive."""
    assert call.i_a is not None and call.m_a is not None
    i_a = call.i_a.astype(call.image.dtype, copy=False)
    names = tuple([step.name for step in call.steps])
    return PseudoAnomaly(i_a, call.m_a, names, partial(of_call, given, call.steps, i_a, call.m_a), call.instances)


def run(
    name: str, image: Any, source: Any, settings: Settings, common: Common, options: dict[str, Any]
) -> PseudoAnomaly:
    """Insert one anomaly of the technique of that name."""
    call = begin(image, settings, common, TECHNIQUES[name].image_name)
    given = of_given(call, name, options, source)
    add(call, name, source, options)
    return finish(call, given)


def _visible(
    call: Call,
    name: str,
    image: NormalImage,
    sampler: Sampler,
    sources: tuple[np.ndarray | None, ...],
    options: dict[str, Any],
) -> tuple[np.ndarray, np.ndarray]:
    """The anomaly, drawn again where nothing of it can be seen, and at last shifted in color.

    After others it has to be seen against the normal image, too. One that covers an earlier one wholly is drawn again
    as well, and kept where no other draw does better.
    """
    technique = TECHNIQUES[name]
    make: Callable[[], Insertion | None] = partial(technique.function, image, sampler, *sources, **options)
    if is_own(name):
        make = partial(answer_of, name, technique, image, sampler, sources, options)
    hit: Insertion | None = None
    covering: tuple[np.ndarray, np.ndarray, dict[str, Any]] | None = None
    for _ in range(ATTEMPTS):
        sampler.drawn.clear()
        insertion = make()
        if insertion is None:
            continue
        hit = insertion
        i_a, m_a = composite(image, insertion)
        if not is_visible(image, i_a, insertion.box):
            continue
        if call.m_a is None:
            return i_a, m_a
        if layers.shows(call, i_a, m_a):
            if not layers.covers(call, m_a):
                return i_a, m_a
            covering = covering or (i_a, m_a, dict(sampler.drawn))
    if covering is not None:
        i_a, m_a, sampler.drawn = covering
        return i_a, m_a
    if hit is None:
        raise ValueError(
            f"the technique {name!r} must return an Insertion whose box reaches into the region of interest; "
            f"pail.place finds a place there. {ATTEMPTS} draws missed it"
        )
    sampler.keep("shifted", True)
    return composite(image, hit, shift=True)
