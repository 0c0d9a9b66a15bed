"""What each technique does to your own images: a contact sheet, and the same as a page."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pail import pai
from pail.core.checks import close_match
from pail.pixels.panels import View, middle, view
from pail.registry import FAMILIES, by_default
from pail.report.page import TEMPLATES, Cell, Picture, data_uri, printable

SEVERITIES = (0.25, 0.5, 0.75, 1.0)
SHEET_SIDE = 208  # pixels of an image on the sheet
PAGE_SIDE = 560  # and on the page, where it enlarges
GAP, MARGIN, LABEL, HEAD = 4, 24, 248, 92
PITCH = 10  # pixels for each character of the command
CELL = SHEET_SIDE + GAP + SHEET_SIDE // 2
PAPER, INK, SOFT, LINE, PANEL = "#ffffff", "#16191d", "#565f6b", "#d5dae1", "#eceff3"
LEGEND = (
    "Left: the image with the mask's outline. Right: the framed part, enlarged, and what changed there, from black "
    "(nothing) to yellow (the whole range), with faint changes lifted."
)


class Row(NamedTuple):
    """A technique at several severities."""

    name: str
    cells: list[tuple[float, float, View]]  # severity, share of the image, pictures


def preview(
    images: Sequence[np.ndarray],
    sources: Sequence[np.ndarray] | None = None,
    *,
    techniques: Any = None,
    severities: Sequence[float] = SEVERITIES,
    seed: int = 0,
    roi: Any = None,
    command: str,
    insertion: pai.Anomaly_Insertion | None = None,
) -> Image.Image:
    """A contact sheet with a row for each technique and a column for each severity.

    Each cell has the image with the mask's outline, the part around the anomaly enlarged, and what changed in it. A
    row is one image at one place; the next row takes the next image and the next source.

    Parameters
    ----------
    images : sequence of ndarray
        Normal images of any size, depth and number of channels. Depths beyond 8 bit are stretched for display.
    sources : sequence of ndarray, optional
        Source images; without them a technique takes the image itself.
    techniques : str or sequence of str, optional
        Names or families of techniques; all by default.
    severities : sequence of float, default (0.25, 0.5, 0.75, 1.0)
        The columns.
    seed : int, default 0
        The same seed makes the same sheet.
    roi : None, "foreground", mask or list, optional
        Where anomalies may land; a list has one entry for each image.
    command : str
        The line that generates a data set from these images; it stands below.
    insertion : Anomaly_Insertion, optional
        The instance that inserts, where images need settings (`data_range`, `alpha`).

    Returns
    -------
    PIL.Image.Image
        The sheet, in RGB.

    Raises
    ------
    ValueError
        If there is no image or no severity, a technique is unknown, or a list of regions has another length.
    """
    names = as_names(techniques)
    rows = _rows(images, sources, names, severities, seed, roi, insertion, SHEET_SIDE)
    footer = _wrap(f"Seed {seed}. {LEGEND}", _font(14), _width(severities) - 2 * MARGIN)
    lines = _wrap(printable(command), _Pitch(), _width(severities) - 2 * MARGIN - 24)
    top = HEAD + len(names) * (SHEET_SIDE + 2 * GAP + 8)
    sheet = Image.new("RGB", (_width(severities), top + 20 * len(footer) + 24 * len(lines) + 68), PAPER)
    _head(sheet, severities)
    for index, row in enumerate(rows):
        _draw_row(sheet, HEAD + index * (SHEET_SIDE + 2 * GAP + 8), row)
    _foot(sheet, top, footer, lines)
    return sheet


def preview_page(
    images: Sequence[np.ndarray],
    sources: Sequence[np.ndarray] | None = None,
    *,
    techniques: Any = None,
    severities: Sequence[float] = SEVERITIES,
    seed: int = 0,
    roi: Any = None,
    command: str,
    insertion: pai.Anomaly_Insertion | None = None,
) -> str:
    """The sheet of `preview` as one self-contained HTML page.

    Cells enlarge, techniques are ticked on and off, and the command follows the ticks. Nothing is fetched: write the
    text to a file in UTF-8 and open it anywhere. Parameters and errors are those of `preview`.

    Returns
    -------
    str
        The page.
    """
    rows = _rows(images, sources, as_names(techniques), severities, seed, roi, insertion, PAGE_SIDE)
    return TEMPLATES.get_template("preview.html").render(
        rows=[
            (row.name, pai.TECHNIQUES[row.name], [_page_cell(row.name, *cell) for cell in row.cells]) for row in rows
        ],
        seed=seed,
        legend=LEGEND,
        command=command,
        bare=without_techniques(command),
    )


def as_names(techniques: Any) -> list[str]:
    """Names of techniques, in the order of the registry, from names and families."""
    entries = by_default() if techniques is None else [techniques] if isinstance(techniques, str) else techniques
    unknown = [entry for entry in entries if entry not in pai.TECHNIQUES and entry not in FAMILIES]
    if unknown or len(entries) == 0:
        known = ", ".join([*pai.TECHNIQUES, *FAMILIES])
        meant = close_match(unknown[0], [*pai.TECHNIQUES, *FAMILIES]) if unknown else ""
        raise ValueError(
            f"`techniques` must be names or families, each one of {known}; got {unknown or entries!r}{meant}"
        )
    return [name for name, technique in pai.TECHNIQUES.items() if name in entries or technique.family in entries]


def without_techniques(command: str) -> str:
    """The command without its choice of techniques; as it is where its quotes do not close."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    kept, skips = [], False
    for word in words:
        if not skips and word != "--techniques" and not word.startswith("--techniques="):
            kept.append(word)
        skips = word == "--techniques" and not skips
    return command if len(kept) == len(words) else shlex.join(kept)


def _rows(
    images: Sequence[np.ndarray],
    sources: Sequence[np.ndarray] | None,
    names: list[str],
    severities: Sequence[float],
    seed: int,
    roi: Any,
    insertion: pai.Anomaly_Insertion | None,
    side: int,
) -> Iterator[Row]:
    """The rows, one at a time. What a row shows does not depend on which others are shown."""
    if len(images) == 0 or len(severities) == 0:
        raise ValueError(f"`images` and `severities` must not be empty, got {len(images)} and {len(severities)}")
    if isinstance(roi, list) and len(roi) != len(images):
        raise ValueError(f"`roi` must have one entry for each of the {len(images)} images, got {len(roi)}")
    insertion = insertion or pai.Anomaly_Insertion()
    order = [*pai.TECHNIQUES]
    for name in names:
        number = order.index(name)
        image = images[number % len(images)]
        keywords = {"roi": roi[number % len(images)] if isinstance(roi, list) else roi, "rng": (seed, number)}
        if pai.TECHNIQUES[name].takes_source and sources:
            keywords["anom_source_img"] = sources[number % len(sources)]
        insert = partial(getattr(insertion, name), image, **keywords)
        yield Row(name, [*_cells(insert, image, severities, side)])


def _cells(
    insert: Callable[..., Any], image: np.ndarray, severities: Sequence[float], side: int
) -> Iterator[tuple[float, float, View]]:
    """The same draws at each severity, looked at in the same place."""
    anchor = None
    for severity in severities:
        i_a, m_a = insert(severity=severity)
        anchor = anchor or middle(m_a[..., 0])
        yield severity, np.count_nonzero(m_a) / m_a.size, view(image, i_a, m_a, side, anchor)


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


class _Pitch:
    """Characters of one width, as a terminal has them: in Pillow's own font two hyphens read as a dash."""

    def getlength(self, line: str) -> float:
        return PITCH * len(line)


def _width(severities: Sequence[float]) -> int:
    return MARGIN + LABEL + len(severities) * (CELL + 12) + MARGIN


def _wrap(line: str, font: Any, width: int) -> list[str]:
    """The text in lines of at most that width; what has no spaces is cut where it must be."""
    lines = [""]
    for word in line.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        lines.append("")
        for character in word:
            if font.getlength(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line]


def _head(sheet: Image.Image, severities: Sequence[float]) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 20), "What each technique does", INK, _font(26))
    for index, severity in enumerate(severities):
        draw.text((MARGIN + LABEL + index * (CELL + 12), HEAD - 30), f"severity {severity:g}", INK, _font(17))


def _draw_row(sheet: Image.Image, top: int, row: Row) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.line((MARGIN, top - 6, sheet.width - MARGIN, top - 6), LINE)
    technique = pai.TECHNIQUES[row.name]
    y = top + 2
    for value, size, color in (
        (row.name, 16, INK),
        (technique.family, 14, SOFT),
        (technique.summary, 14, INK),
        (technique.reference, 13, SOFT),
    ):
        for line in _wrap(value, _font(size), LABEL - 16):
            draw.text((MARGIN, y), line, color, _font(size))
            y += size + 5
        y += 3
    for index, (_, _, pictures) in enumerate(row.cells):
        _paste(sheet, MARGIN + LABEL + index * (CELL + 12), top, pictures)


def _paste(sheet: Image.Image, left: int, top: int, pictures: View) -> None:
    """The three pictures of a cell, each in the middle of its place."""
    half = SHEET_SIDE // 2
    places = ((0, 0, SHEET_SIDE), (SHEET_SIDE + GAP, 0, half), (SHEET_SIDE + GAP, half + GAP, half))
    for shown, (x, y, side) in zip(pictures, places, strict=True):
        height, width = shown.shape[:2]
        sheet.paste(Image.fromarray(shown), (left + x + (side - width) // 2, top + y + (side - height) // 2))


def _foot(sheet: Image.Image, top: int, footer: list[str], lines: list[str]) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.line((MARGIN, top - 2, sheet.width - MARGIN, top - 2), LINE)
    for index, line in enumerate(footer):
        draw.text((MARGIN, top + 8 + 20 * index), line, SOFT, _font(14))
    top += 20 + 20 * len(footer)
    box = (MARGIN, top, sheet.width - MARGIN, top + 24 * len(lines) + 20)
    draw.rounded_rectangle(box, 6, PANEL)
    for index, line in enumerate(lines):
        for place, character in enumerate(line):
            draw.text((MARGIN + 12 + PITCH * (place + 0.5), top + 26 + 24 * index), character, INK, _font(16), "ms")


def _page_cell(name: str, severity: float, share: float, shown: View) -> Cell:
    captions = "The image with the mask's outline", "The framed part", "What changed there"
    pictures = [
        Picture(data_uri(image), caption, f"{name}: {caption[0].lower()}{caption[1:]}")
        for image, caption in zip(shown, captions, strict=True)
    ]
    caption = f"severity {severity:g}: {100 * share:.2g} % of the image"
    return Cell(f"{name}, severity {severity:g}", pictures, caption)
