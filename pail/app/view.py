"""What the page shows, as HTML with its pictures inside: no file is served for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from pail.app.draws import Preview
from pail.app.parameters import shown
from pail.pixels.panels import Shades, as_bytes, crop_around, difference, fit, outline, shades, shrink
from pail.registry import FAMILIES, TECHNIQUES
from pail.report.page import data_uri, text

FAMILY = {
    "SFI": "From the image itself (source-free)",
    "SBI": "From another image (source-based)",
    "hybrid": "From both (hybrid)",
}
SIDE = 580  # pixels of the result's longer side at most
LINE = 3  # pixels that an outline is wide to one side
SMALL = 256  # of mask, difference and crop, and of the sheet's pictures


def result(draw: Preview, *, outlined: bool = True) -> str:
    """The anomaly, its mask, what changed, and the framed part enlarged."""
    limits = _shades(draw)
    crop = crop_around(draw.mask)
    pixels = as_bytes(draw.i_a, limits)
    whole = fit(pixels, min(SIDE, max(pixels.shape[:2])))
    whole = outline(whole, _around(draw.mask, whole), crop) if outlined else whole
    small = fit(pixels, SMALL)
    mask = np.repeat(shrink(draw.mask, *small.shape[:2])[..., None], 3, axis=2)
    changed = fit(difference(_bands(draw.normal), _bands(draw.i_a), limits), SMALL)
    zoom = fit(pixels[crop], SMALL)
    if outlined:
        zoom = outline(zoom, _around(draw.mask[crop], zoom))
    figures = _figure(mask, "Mask", "png"), _figure(changed, "Difference"), _figure(zoom, "The framed part")
    return (
        f'<div class="pail-result" data-number="{draw.number}">{_figure(whole, _facts(draw), alt="Result")}'
        f'<div class="pail-parts">{"".join(figures)}</div></div>'
    )


def sheet(draws: Sequence[Preview | Exception | None], *, outlined: bool = True) -> str:
    """The draws in order; one that failed says why, one to come is an empty place."""
    return f'<div class="pail-sheet">{"".join(_cell(draw, outlined=outlined) for draw in draws)}</div>'


def _cell(draw: Preview | Exception | None, *, outlined: bool) -> str:
    if draw is None:
        return '<figure class="pail-empty"></figure>'
    if isinstance(draw, Exception):
        return f"<figure>{error(draw)}</figure>"
    small = fit(as_bytes(draw.i_a, _shades(draw)), SMALL)
    small = outline(small, _around(draw.mask, small)) if outlined else small
    return _figure(small, _facts(draw), alt=f"Draw {draw.number}")


def error(raised: BaseException) -> str:
    """What went wrong, in the words of the error."""
    return f'<p class="pail-error" role="alert">{escape(str(raised) or type(raised).__name__)}</p>'


def escape(value: Any) -> str:
    """As HTML that a template of gradio leaves as it is."""
    spelled = text(value)
    for character in "$`{}\\":
        spelled = spelled.replace(character, f"&#{ord(character)};")
    return spelled


def strip(thumbnails: Sequence[tuple[int, str, str]], chosen: int) -> str:
    """Images to choose from: place in the list, name, picture."""
    return "".join(
        f'<label title="{escape(name)}"><input type="radio" name="pail-image" value="{place}"'
        f"{' checked' if place == chosen else ''}>{_thumbnail(name, picture)}"
        f"<span>{escape(name.rpartition('/')[2])}</span></label>"
        for place, name, picture in thumbnails
    )


def _thumbnail(name: str, picture: str) -> str:
    if not picture:
        return '<i class="pail-broken">no image</i>'
    return f'<img src="{picture}" alt="{escape(name)}">'


def techniques(chosen: str) -> str:
    """All techniques by family, with a line on what each makes."""
    groups = {family: [name for name in TECHNIQUES if TECHNIQUES[name].family == family] for family in FAMILIES}
    return "".join(
        f'<div role="group" aria-label="{escape(FAMILY[family])}"><h4>{escape(FAMILY[family])}</h4>'
        f"{''.join(_technique(name, chosen) for name in names)}</div>"
        for family, names in groups.items()
        if names
    )


def _technique(name: str, chosen: str) -> str:
    checked = " checked" if name == chosen else ""
    return (
        f'<label><input type="radio" name="pail-technique" value="{escape(name)}"{checked}>'
        f"<span><b>{escape(name)}</b> {escape(TECHNIQUES[name].summary)}</span></label>"
    )


def basket(entries: Sequence[Mapping[str, Any]]) -> str:
    """The rows of the basket; the buttons are read by the page's script."""
    if not entries:
        return '<p class="pail-soft">Empty. Put settings in that look like your defects.</p>'
    return "".join(_row(entry) for entry in entries)


def _row(entry: Mapping[str, Any]) -> str:
    name = escape(entry["technique"])
    options = ", ".join(f"{key} {shown(value)}" for key, value in entry["options"].items()) or "as by default"
    return (
        f'<div class="pail-row" data-name="{name}"><div><b>{name}</b><span>{escape(options)}</span></div>'
        f'<label>weight <input type="number" min="0" step="any" value="{escape(entry["weight"])}" '
        f'aria-label="Weight of {name}"></label>'
        f'<button type="button" data-do="edit" aria-label="Show {name}">Show</button>'
        f'<button type="button" data-do="remove" aria-label="Remove {name}">Remove</button></div>'
    )


def background(pixels: np.ndarray, side: int) -> str:
    """The normal image to paint on."""
    return data_uri(fit(as_bytes(pixels, shades(pixels)), side))


def _facts(draw: Preview) -> str:
    takes = any(TECHNIQUES[name].takes_source for name in draw.techniques)
    where = f", source {draw.source}" if takes and draw.source else ""
    made = " + ".join(draw.techniques)
    return f"{100 * draw.area:.2g} % of the image, {100 * draw.visible:.0f} % of it visible\n{made}{where}"


def _figure(image: np.ndarray, caption: str, kind: str = "jpeg", *, alt: str = "") -> str:
    """The size is said before the picture is read, so that nothing jumps."""
    height, width = image.shape[:2]
    lines = "".join(f"<span>{escape(line)}</span>" for line in caption.split("\n"))
    return (
        f'<figure><img src="{data_uri(image, kind)}" width="{width}" height="{height}" '
        f'alt="{escape(alt or caption)}"><figcaption>{lines}</figcaption></figure>'
    )


def _shades(draw: Preview) -> Shades:
    return shades(draw.normal)


def _around(mask: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """The mask with a margin, so that the outline goes around a thin anomaly rather than over it."""
    margin = max(1, math.ceil(LINE * max(mask.shape) / max(shown.shape[:2])))
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1)))


def _bands(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 2 or image.shape[2] != 4 else image[..., :3]
