"""One call of a technique, in its natural order: validate, sample and draw, composite, record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pail import record
from pail.core.checks import as_flag
from pail.core.composite import Insertion, composite
from pail.core.draw import Draw, as_rng, as_severity
from pail.core.frame import as_frame
from pail.core.source import as_source
from pail.roi import as_roi


@dataclass(frozen=True, slots=True)
class Technique:
    """A registered technique: `function(frame, draw, [source,] **options)` answers with an `Insertion`."""

    function: Callable[..., Insertion]
    family: str  # "SFI", "SBI" or "hybrid"
    reference: str
    image_name: str = "image"  # the original's name of the first argument
    jitters: bool = False  # whether it follows the instance's `transform`

    def options(self, transform: bool) -> dict[str, Any]:
        """What a call with defaults has to pass on."""
        return {"transform": transform} if self.jitters else {}

    @property
    def takes_source(self) -> bool:
        return self.family != "SFI"


class Call(NamedTuple):
    """The keywords that every method has."""

    roi: Any
    severity: Any
    data_range: Any
    rng: Any
    return_record: Any


def run(name: str, technique: Technique, image: Any, source: Any, call: Call, options: dict[str, Any]) -> Any:
    """Insert one anomaly: ``(i_a, m_a)``, or ``(i_a, m_a, record)`` where the call asks for it."""
    return_record = as_flag("return_record", call.return_record)
    frame = as_frame(image, call.data_range, technique.image_name)
    frame.roi = as_roi(call.roi, frame)
    sources = (None if source is None else as_source(source, frame),) if technique.takes_source else ()
    rng = as_rng(call.rng)
    state = record.rng_state(rng) if return_record else None
    draw = Draw(rng, as_severity(call.severity, rng))
    i_a, m_a = composite(frame, technique.function(frame, draw, *sources, **options))
    if not return_record:
        return i_a, m_a
    head = record.head(name, record.of_image(frame), call, options, state, has_source=source is not None)
    return i_a, m_a, {**head, **record.of_draw(draw)}
