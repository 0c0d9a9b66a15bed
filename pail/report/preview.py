"""Show what each technique does to your own images, as a contact sheet or as an HTML page."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pail import pai
from pail.core.checks import close_match
from pail.pixels.panels import View, middle, shades, view
from pail.registry import FAMILIES, by_default
from pail.report.page import TEMPLATES, Cell, Picture, data_uri, in_words, printable

SEVERITIES = (0.25, 0.5, 0.75, 1.0)
SHEET_SIDE = 208  # pixels of an image on the sheet
PAGE_SIDE = 560  # and on the page, where it can be enlarged
GAP, MARGIN, LABEL, HEAD = 4, 24, 248, 92
PITCH = 10  # pixels for each character of the command
DETAIL = SHEET_SIDE // 2  # pixels of the enlarged part and of the difference
CELL = SHEET_SIDE + GAP + DETAIL
BETWEEN = 12  # pixels between the columns
WIDE, VERY_WIDE = 1.6, 6.0  # width / height above which details are below the image, and cells below each other
SEVERITY = 124  # pixels: width of the severity in front of a line
CHOICES = ("--techniques", "--preset")  # options that choose techniques
DEFAULTS, OF_PAPERS = "defaults", "papers' defaults"  # the title of the first column, where nothing else was set
SETTINGS = "the recipe's settings"
PAPER, INK, SOFT, LINE, PANEL = "#ffffff", "#16191d", "#565f6b", "#d5dae1", "#eceff3"
LEGEND = (
    "First the image with the mask's outline, then the framed part, enlarged, and what changed there, from black "
    "(nothing) to yellow (the whole range), with faint changes lifted."
)


class Row(NamedTuple):
    """A technique at several severities."""

    name: str
    cells: list[tuple[str, float, View]]  # title, share of the image, pictures
    settings: list[str]  # changed settings, in words


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
    options: Mapping[str, Mapping[str, Any]] | None = None,
    defects: Any = None,
    weights: Mapping[str, float] | None = None,
    anomalies: tuple[int, int] = (1, 1),
    severity: Any = None,
    tile: int | None = None,
) -> Image.Image:
    """Make a contact sheet with a row for each technique, a column with the defaults and one for each severity.

    Each cell shows the image with the outline of the mask, the enlarged anomaly, and the difference there. A row shows
    one image at one place; the next row uses the next image and the next source.

    Parameters
    ----------
    images : sequence of ndarray
        Normal images of any size, depth and number of channels. Images with more than 8 bits are stretched for display.
    sources : sequence of ndarray, optional
        Source images; without them, techniques use the image itself.
    techniques : str or sequence of str, optional
        Names or families of techniques; all by default.
    severities : sequence of float, default (0.25, 0.5, 0.75, 1.0)
        The columns.
    seed : int, default 0
        The same seed makes the same sheet.
    roi : None, "foreground", mask or list, optional
        Where anomalies may be inserted; a list has one entry for each image.
    command : str
        The command that generates a data set from these images; it is printed at the bottom.
    insertion : Anomaly_Insertion, optional
        The instance that inserts, if images need settings (`data_range`, `alpha`).
    options : dict of str to dict, optional
        Keywords of techniques by their names, instead of the defaults.
    defects : Defects, optional
        The bank of real defects for `real_defect`. If no techniques are named, only `real_defect` is shown.
    weights : dict of str to float, optional
        The weight of each technique in the data set, if weights differ; it is shown next to the technique.
    anomalies : (int, int), default (1, 1)
        How many anomalies an image gets.
    severity : float or (float, float), optional
        The severity of the first column.
    tile : int, optional
        The side of tiles into which the data set cuts the images, for the line below.

    Returns
    -------
    PIL.Image.Image
        The sheet, in RGB.

    Raises
    ------
    ValueError
        If there is no image or no severity, a technique is unknown, or a list of regions has the wrong length.
    """
    names = as_names(techniques, defects)
    columns = 1 + len(severities)
    width = _width(columns)
    given = options or {}, defects, weights or {}, anomalies, severity
    rows = _Rows(images, sources, severities, seed, roi, insertion, *given)
    strips = [_strip(row, width) for row in rows.rows(names, lambda image: _sides(image, columns))]
    footer = _wrap(_legend(seed, tile), _font(14), width - 2 * MARGIN)
    lines = _wrap(printable(command), _Pitch(), width - 2 * MARGIN - 24)
    top = HEAD + sum(strip.height for strip in strips)
    sheet = Image.new("RGB", (width, top + 20 * len(footer) + 24 * len(lines) + 68), PAPER)
    if not all(shape[1] >= VERY_WIDE * shape[0] for shape in rows.shapes(names)):
        _head(sheet, [rows.first_title(*names), *map(_title, severities)])
    else:
        _head(sheet, [])
    place = HEAD
    for strip in strips:
        sheet.paste(strip, (0, place))
        place += strip.height
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
    options: Mapping[str, Mapping[str, Any]] | None = None,
    defects: Any = None,
    weights: Mapping[str, float] | None = None,
    anomalies: tuple[int, int] = (1, 1),
    severity: Any = None,
    tile: int | None = None,
    narrowed: str | None = None,
) -> str:
    """Make the sheet of `preview` as a self-contained HTML page.

    Cells can be enlarged, techniques can be selected, and the command follows the selection. The page loads nothing:
    write the text to a file in UTF-8 and open it anywhere. Parameters and errors are those of `preview`. `narrowed` is
    the line to which the techniques are added if not all are ticked; by default it is `command` without its own.

    Returns
    -------
    str
        The page.
    """
    given = options or {}, defects, weights or {}, anomalies, severity
    rows = _Rows(images, sources, severities, seed, roi, insertion, *given)
    return TEMPLATES.get_template("preview.html").render(
        rows=[
            {
                "name": row.name,
                "technique": pai.TECHNIQUES[row.name],
                "settings": row.settings,
                "weight": rows.weights.get(row.name, 1),
                "cells": [_page_cell(row.name, *cell) for cell in row.cells],
                "kind": _kind(row),
            }
            for row in rows.rows(as_names(techniques, defects), _page_sides)
        ],
        legend=_legend(seed, tile),
        command=command,
        bare=without_techniques(command) if narrowed is None else narrowed,
    )


def _legend(seed: int, tile: int | None) -> str:
    cut = f" The data set has these images as tiles of {tile} pixels a side." if tile else ""
    return f"Seed {seed}. {LEGEND}{cut}"


def as_names(techniques: Any, defects: Any = None) -> list[str]:
    """Names of techniques, in the order of the registry, from names and families."""
    techniques = ["real"] if techniques is None and defects is not None else techniques
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
    """The command without its choice of techniques, or the unchanged command if its quotes are not closed."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    kept, skips = [], False
    for word in words:
        if not skips and word not in CHOICES and not word.startswith(tuple(f"{choice}=" for choice in CHOICES)):
            kept.append(word)
        skips = word in CHOICES and not skips
    return command if len(kept) == len(words) else shlex.join(kept)


class _Rows(NamedTuple):
    """The inputs from which rows are made."""

    images: Sequence[np.ndarray]
    sources: Sequence[np.ndarray] | None
    severities: Sequence[float]
    seed: int
    roi: Any
    insertion: pai.Anomaly_Insertion | None
    options: Mapping[str, Mapping[str, Any]]
    defects: Any
    weights: Mapping[str, float]
    anomalies: tuple[int, int]
    severity: Any

    def first_title(self, *names: str) -> str:
        """The title of the first cell of these techniques, of which real defects and drawn ones have no paper."""
        if self.severity is not None or self.anomalies != (1, 1) or any(self.options.get(name) for name in names):
            return SETTINGS
        return OF_PAPERS if all(pai.TECHNIQUES[name].reference for name in names) else DEFAULTS

    def settings(self, name: str) -> list[str]:
        """The settings of a technique that differ from the defaults, in words."""
        given = {"weight": self.weights.get(name), "severity": self.severity, **self.options.get(name, {})}
        if self.anomalies != (1, 1):
            given["anomalies"] = self.anomalies if self.anomalies[0] != self.anomalies[1] else self.anomalies[0]
        return [f"{key} {in_words(value)}" for key, value in given.items() if value is not None]

    def shapes(self, names: list[str]) -> list[tuple[int, ...]]:
        """The shape of the image of each row."""
        order = [*pai.TECHNIQUES]
        return [self.images[order.index(name) % len(self.images)].shape for name in names]

    def rows(self, names: list[str], sides: Callable[[np.ndarray], tuple[int, int]]) -> Iterator[Row]:
        """Make the rows one at a time. A row does not depend on which other rows are shown.

        `sides` returns for an image the size of its picture and the size of the enlarged part.
        """
        images, roi = self.images, self.roi
        if len(images) == 0 or len(self.severities) == 0:
            raise ValueError(
                f"`images` and `severities` must not be empty, got {len(images)} and {len(self.severities)}"
            )
        if isinstance(roi, list) and len(roi) != len(images):
            raise ValueError(f"`roi` must have one entry for each of the {len(images)} images, got {len(roi)}")
        insertion = self.insertion or pai.Anomaly_Insertion()
        order = [*pai.TECHNIQUES]
        for name in names:
            number, technique = order.index(name), pai.TECHNIQUES[name]
            image = images[number % len(images)]
            keywords: dict[str, Any] = {
                "roi": roi[number % len(images)] if isinstance(roi, list) else roi,
                "rng": (self.seed, number),
            }
            if technique.takes_source and self.sources:
                keywords["anom_source_img"] = self.sources[number % len(self.sources)]
            if technique.takes_defects:
                keywords["defects"] = self.defects
            options = self.options.get(name, {})
            if self.anomalies == (1, 1):
                insert = partial(getattr(insertion, name), image, **keywords, **options)
            else:
                several: dict[str, Any] = {
                    "techniques": name,
                    "options": {name: options},
                    "n_anomalies": self.anomalies,
                }
                insert = partial(insertion.insert, image, **keywords, **several)
            titles = [self.first_title(name), *map(_title, self.severities)]
            cells = _cells(insert, image, self.severities, self.severity, *sides(image))
            yield Row(name, [(title, *cell) for title, cell in zip(titles, cells, strict=True)], self.settings(name))


def _cells(
    insert: Callable[..., Any], image: np.ndarray, severities: Sequence[float], own: Any, side: int, detail: int
) -> list[tuple[float, View]]:
    """The same draws as in the data set and at each severity, looked at in one place, that of the first severity."""
    results = [insert(severity=severity) for severity in (*severities, own)]
    anchor = middle(results[0].m_a[..., 0])
    limits = shades(image, *(i_a for i_a, _ in results))  # the same for all pictures of a row
    cells = [
        (np.count_nonzero(m_a) / m_a.size, view(image, i_a, m_a, side, anchor, detail, limits)) for i_a, m_a in results
    ]
    return [cells[-1], *cells[:-1]]


def _sides(image: np.ndarray, columns: int) -> tuple[int, int]:
    """The longer side of an image on the sheet, and that of its details. Wide images use the full width."""
    ratio = image.shape[1] / image.shape[0]
    if ratio >= VERY_WIDE:
        return _width(columns) - 2 * MARGIN - LABEL - 2 * (DETAIL + GAP) - SEVERITY, DETAIL
    return (CELL, (CELL - GAP) // 2) if ratio >= WIDE else (SHEET_SIDE, DETAIL)


def _page_sides(image: np.ndarray) -> tuple[int, int]:
    """The same sizes for the page, where pictures can be enlarged."""
    ratio = image.shape[1] / image.shape[0]
    return (2 * PAGE_SIDE if ratio >= VERY_WIDE else PAGE_SIDE), PAGE_SIDE // 2


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


class _Pitch:
    """A monospaced font; in Pillow's default font, two hyphens look like a dash."""

    def getlength(self, line: str) -> float:
        return PITCH * len(line)


def _width(columns: int) -> int:
    return MARGIN + LABEL + columns * (CELL + BETWEEN) + MARGIN


def _wrap(line: str, font: Any, width: int) -> list[str]:
    """Wrap the text to lines of at most that width; words that are too long are cut."""
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


def _head(sheet: Image.Image, titles: Sequence[str]) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 20), "What each technique does", INK, _font(26))
    for index, title in enumerate(titles):
        draw.text((MARGIN + LABEL + index * (CELL + BETWEEN), HEAD - 30), title, INK, _font(17))


def _title(severity: float) -> str:
    return f"severity {severity:g}"


def _strip(row: Row, width: int) -> Image.Image:
    """A row of the sheet: the name of the technique, and its cells next to or below each other."""
    whole = row.cells[0][2].whole
    ratio = whole.shape[1] / whole.shape[0]
    texts = [
        (line, size, color) for value, size, color in _texts(row) for line in _wrap(value, _font(size), LABEL - 16)
    ]
    written = sum(size + 5 for _, size, _ in texts) + 12
    cells = [_line(cell) if ratio >= VERY_WIDE else _cell(cell[2], wide=ratio >= WIDE) for cell in row.cells]
    heights = [cell.height for cell in cells]
    height = max(written, sum(heights) + BETWEEN * len(cells) if ratio >= VERY_WIDE else max(heights))
    strip = Image.new("RGB", (width, height + 2 * GAP + 8), PAPER)
    draw = ImageDraw.Draw(strip)
    draw.line((MARGIN, 2, width - MARGIN, 2), LINE)
    y = 10
    for line, size, color in texts:
        draw.text((MARGIN, y), line, color, _font(size))
        y += size + 5
    left, top = MARGIN + LABEL, 8
    for cell in cells:
        strip.paste(cell, (left, top))
        if ratio >= VERY_WIDE:
            top += cell.height + BETWEEN
        else:
            left += CELL + BETWEEN
    return strip


def _texts(row: Row) -> list[tuple[str, int, str]]:
    technique = pai.TECHNIQUES[row.name]
    shown = (
        (row.name, 16, INK),
        (technique.family, 14, SOFT),
        (technique.summary, 14, INK),
        (technique.reference, 13, SOFT),
        *((setting, 13, INK) for setting in row.settings),
    )
    return [entry for entry in shown if entry[0]]


def _cell(pictures: View, *, wide: bool) -> Image.Image:
    """The three pictures of a cell, each centered in its place: details are next to the image, or below a wide one."""
    if wide:
        half, high = (CELL - GAP) // 2, pictures.whole.shape[0]
        low = max(pictures.zoom.shape[0], pictures.change.shape[0])
        boxes = [(0, 0, CELL, high), (0, high + GAP, half, low), (half + GAP, high + GAP, half, low)]
    else:
        boxes = [
            (0, 0, SHEET_SIDE, SHEET_SIDE),
            (SHEET_SIDE + GAP, 0, DETAIL, DETAIL),
            (SHEET_SIDE + GAP, DETAIL + GAP, DETAIL, DETAIL),
        ]
    cell = Image.new("RGB", (CELL, max(y + height for _, y, _, height in boxes)), PAPER)
    for shown, box in zip(pictures, boxes, strict=True):
        _paste(cell, shown, box)
    return cell


def _line(cell: tuple[str, float, View]) -> Image.Image:
    """The pictures of a cell of a very wide image next to each other, with the title in front."""
    title, _, pictures = cell
    height = max(18, *(shown.shape[0] for shown in pictures))
    line = Image.new("RGB", (SEVERITY + pictures.whole.shape[1] + 2 * (DETAIL + GAP), height), PAPER)
    for number, word in enumerate(_wrap(title, _font(14), SEVERITY - 8)):
        ImageDraw.Draw(line).text((0, 18 * number), word, INK, _font(14))
    left = SEVERITY
    for shown, width in zip(pictures, (pictures.whole.shape[1], DETAIL, DETAIL), strict=True):
        _paste(line, shown, (left, 0, width, height))
        left += width + GAP
    return line


def _paste(onto: Image.Image, shown: np.ndarray, place: tuple[int, int, int, int]) -> None:
    left, top, width, height = place
    at = left + (width - shown.shape[1]) // 2, top + (height - shown.shape[0]) // 2
    onto.paste(Image.fromarray(shown), at)


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


def _kind(row: Row) -> str:
    """How the page arranges the pictures of a row."""
    whole = row.cells[0][2].whole
    ratio = whole.shape[1] / whole.shape[0]
    return "lines" if ratio >= VERY_WIDE else "wide" if ratio >= WIDE else ""


def _page_cell(name: str, title: str, share: float, shown: View) -> Cell:
    captions = "The image with the mask's outline", "The framed part", "What changed there"
    pictures = [
        Picture(data_uri(image), caption, f"{name}: {caption[0].lower()}{caption[1:]}")
        for image, caption in zip(shown, captions, strict=True)
    ]
    return Cell(f"{name}, {title}", pictures, f"{title}: {100 * share:.2g} % of the image")
