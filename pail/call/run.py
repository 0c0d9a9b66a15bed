"""One anomaly: validate, draw and make it, see that it shows, composite."""

from __future__ import annotations

from functools import partial
from typing import Any

import cv2
import numpy as np

from pail.call.codec import snapshot
from pail.call.record import Given, fingerprint, of_call, of_given
from pail.call.result import PseudoAnomaly
from pail.call.state import Call, Step
from pail.core.composite import Insertion, composite, is_visible
from pail.core.draw import Draw, as_rng, as_severity
from pail.core.frame import Frame, as_frame
from pail.core.settings import Common, Settings
from pail.core.source import as_source
from pail.registry import TECHNIQUES, Technique, is_own
from pail.roi import as_roi

ATTEMPTS = 4  # at an anomaly that can be seen, before its content is shifted


def begin(image: Any, settings: Settings, common: Common, image_name: str = "image") -> Call:
    """Check what all calls have. One frame for the call: regions are those of the normal image."""
    frame = as_frame(image, settings.data_range, image_name, settings.alpha)
    frame = frame.restrict(as_roi(common.roi, frame))
    rng = as_rng(common.rng)
    return Call(frame, settings, common, rng, rng.bit_generator.state)


def add(call: Call, name: str, source: Any, options: dict[str, Any]) -> None:
    """Insert one more anomaly."""
    technique, settings = TECHNIQUES[name], call.settings
    frame = call.frame if call.i_a is None else call.frame.after(call.i_a)
    sources: tuple[np.ndarray | None, ...] = ()
    if technique.takes_source:
        sources = (
            None
            if source is None
            else as_source(source, frame, source_range=settings.source_range, alpha=settings.alpha, warns=True),
        )
    draw = Draw(call.rng, as_severity(call.common.severity, call.rng))
    if technique.jitters:
        options = {**options, "transform": settings.transform}
    own = is_own(name)
    call.i_a, m_a = _visible(frame, draw, technique, sources, options, checked=own)
    if call.m_a is None:
        call.m_a = m_a
    else:
        if call.instances is None:
            call.instances = (call.m_a[..., 0] > 0).astype(np.uint16)
        call.instances[m_a[..., 0] > 0] = len(call.steps) + 1
        call.m_a = cv2.bitwise_or(call.m_a, m_a).reshape(m_a.shape)
    if own:  # whose draws may be the caller's own objects
        draw.drawn = snapshot(draw.drawn)
    taken = None if not sources or sources[0] is None else fingerprint(sources[0])
    call.steps.append(Step(name, draw, technique.takes_source, taken))


def finish(call: Call, given: Given) -> PseudoAnomaly:
    """The result; it does not keep the normal image and the source alive."""
    assert call.i_a is not None and call.m_a is not None
    i_a = call.i_a.astype(call.frame.dtype, copy=False)
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
    frame: Frame,
    draw: Draw,
    technique: Technique,
    sources: tuple[np.ndarray | None, ...],
    options: dict[str, Any],
    *,
    checked: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """The anomaly, drawn again where nothing of it can be seen, and at last shifted in colour."""
    for _ in range(ATTEMPTS):
        draw.drawn.clear()
        insertion = technique.function(frame, draw, *sources, **options)
        if checked:
            _check(frame, insertion)
        i_a, m_a = composite(frame, insertion)
        if is_visible(frame, i_a, insertion.box):
            return i_a, m_a
    draw.keep("shifted", True)
    return composite(frame, insertion, shift=True)


def _check(frame: Frame, insertion: Any) -> None:
    """What a technique of the user's own has to keep to."""
    if not isinstance(insertion, Insertion):
        raise TypeError(f"a technique must return an Insertion, got {type(insertion).__name__}")
    box, content, mask, _ = insertion
    if box.intersect(frame.whole) != box or box.area == 0:
        raise ValueError(f"the box of an Insertion must lie inside the image of shape {frame.shape}, got {box}")
    shape = box.height, box.width
    if content.shape != (*shape, frame.channels) or content.dtype not in (frame.working_dtype, np.float32):
        raise ValueError(
            f"the content of an Insertion must have shape {(*shape, frame.channels)} and dtype "
            f"{np.dtype(frame.working_dtype)} or float32, got {content.shape} and {content.dtype}"
        )
    if content.dtype == np.float32 and not np.isfinite(content).all():
        raise ValueError("the content of an Insertion must be finite, got NaN or infinity")
    if mask is not None and (mask.shape != shape or mask.dtype != np.uint8 or not np.isin(mask, (0, 255)).all()):
        raise ValueError(f"the mask of an Insertion must be uint8 of shape {shape} with 0 and 255, got another")
