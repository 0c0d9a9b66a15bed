"""One anomaly: validate, draw and make it, see that it shows, composite."""

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

ATTEMPTS = 4  # at an anomaly that can be seen, before its content is shifted


def begin(
    image: Any, settings: Settings, common: Common, image_name: str = "image", defects: Defects | None = None
) -> Call:
    """Check what all calls have. One image for the call: regions are those of the normal one."""
    image = as_normal_image(image, settings.data_range, image_name, settings.alpha, warns=True)
    if isinstance(settings.data_range, str) and settings.data_range == AUTO:  # the record holds the numbers
        settings = settings._replace(data_range=image.data_range)
    if common.roi is not None:
        image = image.restrict(as_roi(common.roi, image))
    rng = as_rng(common.rng)
    return Call(image, settings, common, rng, rng.bit_generator.state, defects)


def add(call: Call, name: str, source: Any, options: dict[str, Any], source_name: str = "anom_source_img") -> None:
    """Insert one more anomaly; its options are checked, and complete."""
    technique, settings = TECHNIQUES[name], call.settings
    image = call.image if call.i_a is None else call.image.after(call.i_a)
    inputs: tuple[Any, ...] = (settings.transform,) if technique.jitters else ()
    fingerprint_of_source = None
    if technique.takes_defects:
        inputs = (call.defects,)
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
    if technique.is_own:  # whose draws may be the caller's own objects
        sampler.drawn = snapshot(sampler.drawn)
    call.steps.append(Step(name, sampler, technique.takes_source, fingerprint_of_source))


def finish(call: Call, given: Given) -> PseudoAnomaly:
    """The result; it does not keep the normal image and the source alive."""
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
    """Insert one anomaly of the technique of that name."""
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
    """The anomaly, drawn again where nothing of it can be seen, and at last shifted in color.

    After others it has to be seen against the normal image, too. One that covers an earlier one wholly is drawn again
    as well, and kept where no other draw does better.
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
            f"pail.place finds a place there. {ATTEMPTS} draws missed it"
        )
    sampler.keep("shifted", True)
    return composite(image, hit, shift=True)
