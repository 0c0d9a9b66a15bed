"""The HTML that the page shows. Pictures are part of it, so that no file has to be served."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.app.draws import Preview
from pail.app.parameters import shown
from pail.pixels.panels import crop_around, difference, fit, outline, shades, shrink, to_display
from pail.registry import FAMILIES, TECHNIQUES
from pail.report.page import data_uri, environment, static, text

FAMILY = {
    "SFI": "From the image itself (source-free)",
    "SBI": "From another image (source-based)",
    "hybrid": "From both (hybrid)",
}
SIDE = 580  # pixels of the result's longer side at most
LINE = 3  # pixels that an outline is wide to one side
SMALL = 256  # of mask, difference and crop, and of the sheet's pictures


class Figure(NamedTuple):
    """A picture with its caption."""

    source: str  # data URI
    width: int
    height: int
    lines: list[str]
    alt: str


class Failure(NamedTuple):
    """Why there is no picture."""

    message: str


def escape(value: Any) -> str:
    """A value as HTML without characters that gradio's own templates would interpret."""
    spelled = text(value)
    for character in "$`{}\\":
        spelled = spelled.replace(character, f"&#{ord(character)};")
    return spelled


TEMPLATES = environment("pail.app", escape)


def html(template: str, **values: Any) -> str:
    """A template with values, each of which is escaped."""
    return TEMPLATES.get_template(f"{template}.html").render(**values)


def script(name: str) -> str:
    """The script of a component."""
    return static("pail.app", f"{name}.js")


def result(draw: Preview, *, outlined: bool = True) -> str:
    """The anomaly, its mask, what changed, and the framed part enlarged."""
    limits = shades(draw.normal)
    crop = crop_around(draw.mask)
    pixels = to_display(draw.i_a, limits)
    whole = fit(pixels, min(SIDE, max(pixels.shape[:2])))
    whole = outline(whole, _around(draw.mask, whole), crop) if outlined else whole
    small = fit(pixels, SMALL)
    mask = np.repeat(shrink(draw.mask, *small.shape[:2])[..., None], 3, axis=2)
    before, after = (
        image[..., :3] if image.ndim == 3 and image.shape[2] == 4 else image for image in (draw.normal, draw.i_a)
    )
    changed = fit(difference(before, after, limits), SMALL)
    zoom = fit(pixels[crop], SMALL)
    if outlined:
        zoom = outline(zoom, _around(draw.mask[crop], zoom))
    parts = [_figure(mask, "Mask", "png"), _figure(changed, "Difference"), _figure(zoom, "The framed part")]
    return html("result", number=draw.number, whole=_figure(whole, _facts(draw), alt="Result"), parts=parts)


def sheet(draws: Sequence[Preview | Exception | None], *, outlined: bool = True) -> str:
    """The draws in order: a failed one shows its error, one that is not made yet is an empty place."""
    return html("sheet", cells=[_cell(draw, outlined=outlined) for draw in draws])


def _cell(draw: Preview | Exception | None, *, outlined: bool) -> Figure | Failure | None:
    if draw is None:
        return None
    if isinstance(draw, Exception):
        return Failure(_message(draw))
    small = fit(to_display(draw.i_a, shades(draw.normal)), SMALL)
    small = outline(small, _around(draw.mask, small)) if outlined else small
    return _figure(small, _facts(draw), alt=f"Draw {draw.number}")


def error(raised: BaseException) -> str:
    """What went wrong, in the words of the error."""
    return html("error", message=_message(raised))


def _message(raised: BaseException) -> str:
    return str(raised) or type(raised).__name__


def strip(thumbnails: Sequence[tuple[int, str, str]], chosen: int) -> str:
    """Images to choose from: index in the list, name, picture."""
    return html("strip", thumbnails=thumbnails, chosen=chosen)


def techniques(chosen: str) -> str:
    """All techniques by family, with a line about each."""
    groups = [
        (FAMILY[family], [(name, entry) for name, entry in TECHNIQUES.items() if entry.family == family])
        for family in FAMILIES
    ]
    return html("techniques", groups=[group for group in groups if group[1]], chosen=chosen)


def collection(entries: Sequence[Mapping[str, Any]]) -> str:
    """The rows of the collection, whose buttons the page's script reads."""
    rows = []
    for entry in entries:
        options = ", ".join(f"{key} {shown(value)}" for key, value in entry["options"].items())
        rows.append({**entry, "options": options or "paper defaults"})
    return html("collection", entries=rows)


def background(pixels: np.ndarray, side: int) -> str:
    """The normal image to paint on."""
    return data_uri(fit(to_display(pixels, shades(pixels)), side))


def _facts(draw: Preview) -> str:
    takes = any(TECHNIQUES[name].takes_source for name in draw.techniques)
    where = f", source {draw.source}" if takes and draw.source else ""
    made = " + ".join(draw.techniques)
    return f"{100 * draw.area:.2g} % of the image, {100 * draw.visible:.0f} % of it visible\n{made}{where}"


def _figure(image: np.ndarray, caption: str, kind: str = "jpeg", *, alt: str = "") -> Figure:
    height, width = image.shape[:2]
    return Figure(data_uri(image, kind), width, height, caption.split("\n"), alt or caption)


def _around(mask: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """The mask with a margin, so that the outline goes around a thin anomaly rather than over it."""
    margin = max(1, math.ceil(LINE * max(mask.shape) / max(shown.shape[:2])))
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1)))
