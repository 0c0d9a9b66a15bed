"""The HTML that the page shows. Pictures are embedded, so that no file has to be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.app.appearance import appearance, groups
from pail.app.draws import Preview
from pail.beyond.real.defects import Defects
from pail.pixels.panels import crop_around, difference, fit, shades, shrink, to_display
from pail.registry import TECHNIQUES, Technique
from pail.report.page import data_uri, environment, in_words, static, text

SIDE = 760  # pixels: longest side of the result
LARGEST_FRAME = 0.4  # of the image: a larger part is not framed, because it would hardly be enlarged
MOST_KINDS = 6  # number of kinds of a bank that the head of the page names
GAP = 2  # pixels between an anomaly and its outline
SMALL = 256  # pixels: side of mask, difference and crop, and of the pictures on the sheet


class Figure(NamedTuple):
    """A picture with its caption."""

    source: str  # data URI
    width: int
    height: int
    lines: list[str]
    alt: str
    original: str = ""  # data URI of the same view without the anomaly
    outline: str = ""  # outline of the mask as an SVG path
    grid: str = ""  # the borders of tiles, as an SVG path
    frame: tuple[int, int, int, int] | None = None  # left, top, width and height of the enlarged part


class Failure(NamedTuple):
    """The reason why there is no picture."""

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
    """Show the anomaly and the original, the mask, the difference, and the enlarged part in the frame.

    `changed` are the expert parameters with other values than their defaults, which may be folded on the page.
    """
    limits = shades(draw.normal, draw.i_a)
    crop = crop_around(draw.mask)
    before, after = (to_display(image, limits) for image in (draw.normal, draw.i_a))
    lines = [*_facts(draw), *([f"Changed parameters: {spelled(changed)}"] if changed else [])]
    whole = _compared(before, after, draw.mask, min(SIDE, max(after.shape[:2])), lines, "Image with the anomaly")
    whole = whole._replace(grid=_grid(draw, whole))
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
    """Show the examples in order. A failed one shows its error, and one that is not made yet is left empty."""
    return html("sheet", cells=[_cell(draw) for draw in draws])


def _cell(draw: Preview | Exception | None) -> Figure | Failure | None:
    if draw is None:
        return None
    if isinstance(draw, Exception):
        return Failure(reason(draw))
    pixels = fit(to_display(draw.i_a, shades(draw.normal, draw.i_a)), SMALL)
    shown = _figure(pixels, _facts(draw), alt=f"Example {draw.number}")
    return shown._replace(outline=_outline(draw.mask, shown.width, shown.height), grid=_grid(draw, shown))


def nothing(message: str, normal: np.ndarray | None, *, hint: bool = False) -> str:
    """Show the image without an anomaly and the reason: an error, or a hint about what to do."""
    whole = None
    if normal is not None:
        side = min(SIDE, max(normal.shape[:2]))
        whole = _figure(fit(to_display(normal, shades(normal)), side), ["Without an anomaly"])
    return html("nothing", message=message, whole=whole, hint=hint)


def error(raised: BaseException) -> str:
    """Show the message of an error."""
    return html("error", message=reason(raised))


def reason(raised: BaseException) -> str:
    """The message of an error."""
    return str(raised) or type(raised).__name__


def strip(thumbnails: Sequence[tuple[int, str, str]], chosen: int) -> str:
    """Images to choose from: index in the list, name, picture."""
    return html("strip", thumbnails=thumbnails, chosen=chosen)


def techniques(chosen: str, offered: Mapping[str, Technique]) -> str:
    """The available techniques, listed by what their anomalies look like, with names and papers."""
    shown = [
        (title, [(name, appearance(name), offered[name].reference, offered[name].summary) for name in names])
        for title, names in groups(offered)
    ]
    return html("techniques", groups=shown, chosen=chosen)


def first_of(offered: Mapping[str, Technique]) -> str:
    """The technique that is listed first."""
    return groups(offered)[0][1][0]


def bank_in_words(bank: Defects) -> str:
    """The number of defects and their kinds, in words."""
    kinds = ", ".join(bank.kinds[:MOST_KINDS]) + ", ..." * (len(bank.kinds) > MOST_KINDS)
    return f"{len(bank)} defects of your own ({kinds})"


def progress(state: Any, link: str = "") -> str:
    """Show the progress of a data set, or its result."""
    return html("progress", progress=state, link=link)


def spelled(options: Mapping[str, Any]) -> str:
    """Options in one line."""
    return ", ".join(f"{key} {in_words(value)}" for key, value in options.items())


def collection(entries: Sequence[Mapping[str, Any]]) -> str:
    """The rows of the collection, whose buttons are handled by the script of the page."""
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
    cut = f"; cut into {len(draw.tiles)} tiles, {draw.reached} of them with an anomaly" if draw.tiles else ""
    return [f"{made}{where}", f"{share} % of the image, {visible} % of it visible{cut}"]


def _figure(image: np.ndarray, lines: list[str], kind: str = "jpeg", *, alt: str = "") -> Figure:
    height, width = image.shape[:2]
    return Figure(data_uri(image, kind), width, height, lines, alt or lines[0])


def _grid(draw: Preview, picture: Figure) -> str:
    """The borders of the tiles into which the data set cuts an image, on its picture."""
    across, down = picture.width / draw.normal.shape[1], picture.height / draw.normal.shape[0]
    corners = [(tile.left * across, tile.top * down) for tile in draw.tiles]
    sides = [(tile.side * across, tile.side * down) for tile in draw.tiles]
    return "".join(
        f"M{left:g} {top:g}h{width:g}v{height:g}h{-width:g}Z"
        for (left, top), (width, height) in zip(corners, sides, strict=True)
    )


def _outline(mask: np.ndarray, width: int, height: int) -> str:
    """The outline of a mask around a picture of that size, as an SVG path.

    It keeps a small distance, so that it surrounds a thin anomaly instead of covering it. The page draws it one or two
    pixels wide at any size.
    """
    small = shrink(mask, height, width)
    around = cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GAP + 1, 2 * GAP + 1)))
    contours, _ = cv2.findContours(around, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    lines = ("L".join(f"{x + 0.5:g} {y + 0.5:g}" for x, y in contour[:, 0].tolist()) for contour in contours)
    return "".join(f"M{line}Z" for line in lines)
