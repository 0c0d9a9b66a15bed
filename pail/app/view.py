"""The HTML that the page shows. Pictures are part of it, so that no file has to be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.app.appearance import appearance, groups
from pail.app.draws import Preview
from pail.app.parameters import shown
from pail.beyond.real.defects import Defects
from pail.pixels.panels import crop_around, difference, fit, shades, shrink, to_display
from pail.registry import TECHNIQUES, Technique
from pail.report.page import data_uri, environment, static, text

SIDE = 760  # pixels of the result's longer side at most
LARGEST_FRAME = 0.4  # of the image: a larger part is not framed, since it is not much enlarged
MOST_KINDS = 6  # of a bank that are named in the head of the page
GAP = 2  # pixels between an anomaly and its outline
SMALL = 256  # of mask, difference and crop, and of the sheet's pictures


class Figure(NamedTuple):
    """A picture with its caption."""

    source: str  # data URI
    width: int
    height: int
    lines: list[str]
    alt: str
    original: str = ""  # data URI of the same view without the anomaly
    outline: str = ""  # of the mask, as an SVG path
    frame: tuple[int, int, int, int] | None = None  # left, top, width and height of what is enlarged beside


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


def result(draw: Preview, changed: Mapping[str, Any] | None = None) -> str:
    """The anomaly and the original, its mask, what changed, and the framed part enlarged.

    `changed` are the expert parameters that are not at their defaults, which the page may have folded away.
    """
    limits = shades(draw.normal, draw.i_a)
    crop = crop_around(draw.mask)
    before, after = (to_display(image, limits) for image in (draw.normal, draw.i_a))
    lines = [*_facts(draw), *([f"Changed parameters: {spelled(changed)}"] if changed else [])]
    whole = _compared(before, after, draw.mask, min(SIDE, max(after.shape[:2])), lines, "Image with the anomaly")
    scale = whole.width / after.shape[1]
    spans = [(span.start * scale, (span.stop - span.start) * scale) for span in (crop[1], crop[0])]
    (left, width), (top, height) = ((round(start), round(length)) for start, length in spans)
    if width * height < LARGEST_FRAME * whole.width * whole.height:
        whole = whole._replace(frame=(left, top, width, height))
    zoom = _compared(before[crop], after[crop], draw.mask[crop], SMALL, ["Close-up of the frame"], "Close-up")
    shape = fit(after, SMALL).shape[:2]
    mask = np.repeat(shrink(draw.mask, *shape)[..., None], 3, axis=2)
    normal, image = (
        image[..., :3] if image.ndim == 3 and image.shape[2] == 4 else image for image in (draw.normal, draw.i_a)
    )
    change = fit(difference(normal, image, limits), SMALL)
    parts = [zoom, _figure(change, ["What changed"]), _figure(mask, ["Mask"], "png")]
    return html("result", number=draw.number, whole=whole, parts=parts)


def _compared(before: np.ndarray, after: np.ndarray, mask: np.ndarray, side: int, lines: list[str], alt: str) -> Figure:
    """A view with and without the anomaly, and the outline of its mask."""
    shown = _figure(fit(after, side), lines, alt=alt)
    return shown._replace(original=data_uri(fit(before, side)), outline=_outline(mask, shown.width, shown.height))


def sheet(draws: Sequence[Preview | Exception | None]) -> str:
    """The draws in order: a failed one shows its error, one that is not made yet is an empty place."""
    return html("sheet", cells=[_cell(draw) for draw in draws])


def _cell(draw: Preview | Exception | None) -> Figure | Failure | None:
    if draw is None:
        return None
    if isinstance(draw, Exception):
        return Failure(reason(draw))
    shown = _figure(
        fit(to_display(draw.i_a, shades(draw.normal, draw.i_a)), SMALL), _facts(draw), alt=f"Example {draw.number}"
    )
    return shown._replace(outline=_outline(draw.mask, shown.width, shown.height))


def nothing(message: str, normal: np.ndarray | None, *, hint: bool = False) -> str:
    """The image without an anomaly, and why there is none: what is wrong, or a hint at what to do."""
    whole = None
    if normal is not None:
        side = min(SIDE, max(normal.shape[:2]))
        whole = _figure(fit(to_display(normal, shades(normal)), side), ["Without an anomaly"])
    return html("nothing", message=message, whole=whole, hint=hint)


def error(raised: BaseException) -> str:
    """What went wrong, in the words of the error."""
    return html("error", message=reason(raised))


def reason(raised: BaseException) -> str:
    """An error in its own words."""
    return str(raised) or type(raised).__name__


def strip(thumbnails: Sequence[tuple[int, str, str]], chosen: int) -> str:
    """Images to choose from: index in the list, name, picture."""
    return html("strip", thumbnails=thumbnails, chosen=chosen)


def techniques(chosen: str, offered: Mapping[str, Technique]) -> str:
    """The offered techniques by what their anomalies look like, with names and papers."""
    shown = [
        (title, [(name, appearance(name), offered[name].reference, offered[name].summary) for name in names])
        for title, names in groups(offered)
    ]
    return html("techniques", groups=shown, chosen=chosen)


def first_of(offered: Mapping[str, Technique]) -> str:
    """The technique that is offered first."""
    return groups(offered)[0][1][0]


def bank_in_words(bank: Defects) -> str:
    """How many defects of which kinds."""
    kinds = ", ".join(bank.kinds[:MOST_KINDS]) + ", ..." * (len(bank.kinds) > MOST_KINDS)
    return f"{len(bank)} defects of your own ({kinds})"


def progress(state: Any, link: str = "") -> str:
    """How far a data set is, or how it ended."""
    return html("progress", progress=state, link=link)


def spelled(options: Mapping[str, Any]) -> str:
    """Options in one line."""
    return ", ".join(f"{key} {shown(value)}" for key, value in options.items())


def collection(entries: Sequence[Mapping[str, Any]]) -> str:
    """The rows of the collection, whose buttons the page's script reads."""
    rows = []
    for entry in entries:
        looks = appearance(entry["technique"])
        rows.append({**entry, "looks": looks, "options": spelled(entry["options"]) or "default parameters"})
    return html("collection", entries=rows)


def background(pixels: np.ndarray, side: int) -> str:
    """The normal image to paint on."""
    return data_uri(fit(to_display(pixels, shades(pixels)), side))


def _facts(draw: Preview) -> list[str]:
    takes = any(TECHNIQUES[name].takes_source for name in draw.techniques)
    where = f", source {draw.source}" if takes and draw.source else ""
    made = " + ".join(f"{appearance(name)} ({name})" for name in draw.techniques)
    share, visible = f"{100 * draw.area:.2g}", f"{100 * draw.visible:.0f}"
    return [f"{made}{where}", f"{share} % of the image, {visible} % of it visible"]


def _figure(image: np.ndarray, lines: list[str], kind: str = "jpeg", *, alt: str = "") -> Figure:
    height, width = image.shape[:2]
    return Figure(data_uri(image, kind), width, height, lines, alt or lines[0])


def _outline(mask: np.ndarray, width: int, height: int) -> str:
    """The outline of a mask around a picture of that size, as an SVG path.

    It keeps a small distance, so that it goes around a thin anomaly rather than over it; the page draws it one or two
    pixels wide at any size.
    """
    small = shrink(mask, height, width)
    around = cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GAP + 1, 2 * GAP + 1)))
    contours, _ = cv2.findContours(around, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    lines = ("L".join(f"{x + 0.5:g} {y + 0.5:g}" for x, y in contour[:, 0].tolist()) for contour in contours)
    return "".join(f"M{line}Z" for line in lines)
