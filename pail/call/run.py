"""Insert one anomaly: check the arguments, draw and make the anomaly, check that it is visible, and composite it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pail.beyond.real.defects import Defects, as_defects
from pail.call.answer import answer_of
from pail.call.record import Given, fingerprint, of_call, of_given, snapshot
from pail.call.result import PseudoAnomaly
from pail.call.state import Call, Common, Settings, Step
from pail.core.composite import Insertion, composite, is_visible
from pail.core.image import NormalImage, as_normal_image
from pail.core.ops import read_only
from pail.core.sampler import Sampler, as_rng, as_severity
from pail.core.source import as_source
from pail.core.window import AUTO
from pail.registry import TECHNIQUES
from pail.roi import as_roi

ATTEMPTS = 4  # to draw a visible anomaly, before its content is shifted


def begin(
    image: Any, settings: Settings, common: Common, image_name: str = "image", defects: Defects | None = None
) -> Call:
    """Check the arguments that all calls have in common. Regions are those of the normal image throughout the call."""
    image = as_normal_image(image, settings.data_range, image_name, settings.alpha, warns=True)
    if isinstance(settings.data_range, str) and settings.data_range == AUTO:  # the record contains the numbers
        settings = settings._replace(data_range=image.data_range)
    if common.roi is not None:
        image = image.restrict(as_roi(common.roi, image))
    rng = as_rng(common.rng)
    return Call(image, settings, common, rng, rng.bit_generator.state, defects)


def add(call: Call, name: str, source: Any, options: dict[str, Any], source_name: str = "anom_source_img") -> None:
    """Insert one more anomaly; its options are complete and already checked."""
    technique, settings = TECHNIQUES[name], call.settings
    image = call.image if call.i_a is None else call.image.after(call.i_a)
    inputs: tuple[Any, ...] = (settings.transform,) if technique.jitters else ()
    fingerprint_of_source = None
    if technique.takes_defects:
        inputs = (as_defects(call.defects), settings.source_range)
    elif technique.takes_source and source is None:
        inputs = (None,)
    elif technique.takes_source:
        pixels = as_source(
            source, image, source_name, source_range=settings.source_range, alpha=settings.alpha, warns=True
        )
        inputs, fingerprint_of_source = (read_only(pixels),), fingerprint(pixels)
    sampler = Sampler(call.rng, as_severity(call.common.severity, call.rng))
    i_a, m_a = _visible(call, name, image, sampler, inputs, options)
    if call.m_a is None:
        call.i_a, call.m_a = i_a, m_a
    else:
        call.lay(image, i_a, m_a)
    if technique.is_own:  # what it draws may be the caller's own objects
        sampler.drawn = snapshot(sampler.drawn)
    call.steps.append(Step(name, sampler, technique.takes_source, fingerprint_of_source, technique.takes_defects))


def finish(call: Call, given: Given) -> PseudoAnomaly:
    """The result, which does not keep references to the normal image and the source."""
    assert call.i_a is not None and call.m_a is not None
    i_a = call.i_a.astype(call.image.dtype, copy=False)
    names = tuple([step.name for step in call.steps])
    return PseudoAnomaly(i_a, call.m_a, names, partial(of_call, given, call.steps, i_a, call.m_a), call.instances)


def run(
    name: str,
    image: Any,
    source: Any,
    settings: Settings,
    common: Common,
    options: dict[str, Any],
    defects: Any = None,
) -> PseudoAnomaly:
    """Insert one anomaly of the technique with that name."""
    bank = as_defects(defects) if TECHNIQUES[name].takes_defects else None
    call = begin(image, settings, common, TECHNIQUES[name].image_name, bank)
    given = of_given(call, name, options, source)
    add(call, name, source, TECHNIQUES[name].check(options))
    return finish(call, given)


def _visible(
    call: Call,
    name: str,
    image: NormalImage,
    sampler: Sampler,
    inputs: tuple[Any, ...],
    options: dict[str, Any],
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the anomaly, again if it is not visible, and finally shift it in color.

    If there are earlier anomalies, it also has to be visible relative to the normal image. An anomaly that covers an
    earlier one completely is drawn again as well, and kept if no other draw is better.
    """
    technique = TECHNIQUES[name]
    make: Callable[[], Insertion | None] = partial(technique.function, image, sampler, *inputs, **options)
    if technique.is_own:
        make = partial(answer_of, name, technique, image, sampler, inputs, options)
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
        if call.shows(i_a, m_a):
            if not call.covers(m_a):
                return i_a, m_a
            covering = covering or (i_a, m_a, dict(sampler.drawn))
    if covering is not None:
        i_a, m_a, sampler.drawn = covering
        return i_a, m_a
    if hit is None:
        raise ValueError(
            f"the technique {name!r} must return an Insertion whose box reaches into the region of interest; "
            f"pail.place finds a place there. All {ATTEMPTS} draws missed it"
        )
    sampler.keep("shifted", True)
    return composite(image, hit, shift=True)
