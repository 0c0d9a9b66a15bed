"""The report of a finished set: what is in it, at a glance, out of its manifest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import cv2
import numpy as np

from pail import pai
from pail.dataset.recipe import SPLITS
from pail.pixels.panels import as_bytes, colors, crop_around, fit, outline, shades, shrink
from pail.report.page import cell, data_uri, page, picture, text

GRID = 64  # cells a side of the map of positions
DECADES = 5  # of area that the histogram spans, up to the whole image
BINS = 40  # a decade
COARSE = 8  # fine bins a bar
SIDE = 360  # pixels of a sample
MOST_SKIPPED = 1000  # rows of the table

Line = Mapping[str, Any]


class Sample:
    """A few lines out of many, each with the same chance, in bounded memory and the same at every run."""

    def __init__(self, size: int) -> None:
        self.size, self.seen = size, 0
        self.lines: list[tuple[int, Line]] = []
        self._rng = np.random.default_rng(0)

    def add(self, line: Line) -> None:
        if len(self.lines) < self.size:
            self.lines.append((self.seen, _kept(line)))
        elif (place := int(self._rng.random() * (self.seen + 1))) < self.size:
            self.lines[place] = self.seen, _kept(line)
        self.seen += 1

    def __iter__(self) -> Iterator[Line]:
        return (line for _, line in sorted(self.lines, key=lambda entry: entry[0]))


def _kept(line: Line) -> Line:
    """What a sample is shown with; a record may be large."""
    return {key: line.get(key) for key in ("image", "mask", "techniques", "area")}


@dataclass
class Tally:
    """What is counted of one technique, or of all."""

    sample: Sample
    count: int = 0
    area: float = 0.0
    visible: float = 0.0
    areas: np.ndarray = field(default_factory=lambda: np.zeros(DECADES * BINS, np.int64))
    heat: np.ndarray = field(default_factory=lambda: np.zeros((GRID, GRID), np.int64))

    def add(self, line: Line) -> None:
        area = float(line["area"])
        self.sample.add(line)
        self.count += 1
        self.area += area
        self.visible += float(line["visible"])
        self.areas[_bin(area)] += 1
        self.heat[_cells(line)] += 1

    def quantile(self, share: float) -> float:
        """An area that `share` of the anomalies stay below, as exact as the bins."""
        reached = np.cumsum(self.areas)
        place = int(np.searchsorted(reached, max(1, share * reached[-1])))
        return float(10 ** ((place + 0.5) / BINS - DECADES))


@dataclass
class Tallies:
    """What is counted of a whole set."""

    samples: int
    total: Tally = field(init=False)
    normal: Sample = field(init=False)
    techniques: dict[str, Tally] = field(default_factory=dict)
    splits: dict[str, dict[str, int]] = field(default_factory=dict)  # of each the images and the pieces a technique
    sizes: dict[str, list[int]] = field(default_factory=lambda: {"width": [], "height": []})

    def __post_init__(self) -> None:
        self.total, self.normal = Tally(Sample(0)), Sample(self.samples)

    def add(self, line: Line) -> None:
        for side, reached in self.sizes.items():
            value = int(line[side])
            reached[:] = (min(reached[0], value), max(reached[1], value)) if reached else (value, value)
        names = line["techniques"] or []
        counted = self.splits.setdefault(line.get("split", ""), {})
        for key in (
            "anomalous images" if names else "normal images",
            *(p["technique"] for p in line.get("pieces", ())),
        ):
            counted[key] = counted.get(key, 0) + 1
        if not names:
            self.normal.add(line)
            return
        self.total.add(line)
        for name in dict.fromkeys(names):
            self.techniques.setdefault(name, Tally(Sample(self.samples))).add(line)


def report_page(
    title: str,
    lines: Iterable[Line],
    open_picture: Callable[[str], Any],
    *,
    skipped: Iterable[Mapping[str, Any]] = (),
    facts: Mapping[str, Any] | None = None,
    samples: int = 8,
) -> str:
    """A self-contained HTML page about a finished set.

    Sample images of each technique, histograms of the area, maps of the position, and the files that were skipped.
    Nothing is fetched. The memory does not grow with the set.

    Parameters
    ----------
    title : str
        The name of the set.
    lines : iterable of dict
        The lines of the manifest, read once and in their order.
    open_picture : callable
        Makes an image (ndarray or PIL) of a path as the manifest has it: of the samples' images and masks only. One
        that raises leaves a note in place of the sample.
    skipped : iterable of dict, optional
        The skipped files, one row of the table each; its keys are the columns.
    facts : dict, optional
        What else is to be said of the set, by name: command, seed, version.
    samples : int, default 8
        Images a technique.

    Returns
    -------
    str
        The page.
    """
    tallies = Tallies(samples)
    for line in lines:
        tallies.add(line)
    known = [name for name in pai.TECHNIQUES if name in tallies.techniques]
    names = known + sorted(set(tallies.techniques) - set(known))
    body = [
        f"<h1>{text(title)}</h1>",
        _summary(tallies, facts or {}),
        "<h2>Techniques</h2>",
        _splits(tallies, names),
        _table(tallies, names) if names else '<p class="soft">No anomalies.</p>',
        *(_technique(name, tallies.techniques[name], open_picture) for name in names),
        _normals(tallies.normal, open_picture),
        _skipped(skipped),
    ]
    return page(f"Report: {title}", "\n".join(body), style=_STYLE)


def _bin(area: float) -> int:
    return min(max(int((math.log10(max(area, 1e-12)) + DECADES) * BINS), 0), DECADES * BINS - 1)


def _cells(line: Line) -> tuple[slice, slice]:
    """The cells of the map that a bounding box touches."""
    x, y, width, height = line["bbox"]
    return _stretch(y, height, line["height"]), _stretch(x, width, line["width"])


def _stretch(start: int, length: int, whole: int) -> slice:
    first = min(GRID - 1, int(start * GRID / whole))
    return slice(first, max(first + 1, math.ceil((start + length) * GRID / whole)))


def _percent(share: float) -> str:
    """A share in percent, with as many digits as it needs."""
    return f"{100 * share:.2g} %" if share < 0.0995 else f"{100 * share:.1f} %"


def _summary(tallies: Tallies, facts: Mapping[str, Any]) -> str:
    total = tallies.total
    entries = {
        "Images": f"{total.count + tallies.normal.seen:,}",
        "with anomalies": f"{total.count:,}",
        "normal": f"{tallies.normal.seen:,}",
    }
    if total.count:
        entries["Median area"] = _percent(total.quantile(0.5))
        entries["Visibly changed"] = f"{_percent(total.visible / total.count)} of the mask"
    if tallies.sizes["width"]:
        entries["Size"] = " by ".join(_span(tallies.sizes[side]) for side in ("width", "height"))
    cards = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in entries.items())
    rows = "".join(
        f"<tr><th>{text(name)}</th><td><code>{text(value)}</code></td></tr>" for name, value in facts.items()
    )
    maps = ""
    if total.count:
        maps = (
            '<section class="two"><figure><h2>Area of the anomalies</h2>'
            f"{_histogram(total)}</figure><figure><h2>Where they are</h2>{_map(total)}</figure></section>"
        )
    facts_table = f'<table class="facts">{rows}</table>' if rows else ""
    return f'<dl class="cards">{cards}</dl>{facts_table}{maps}'


def _span(reached: list[int]) -> str:
    low, high = reached
    return f"{low}" if low == high else f"{low} to {high}"


def _table(tallies: Tallies, names: list[str]) -> str:
    head = ("Technique", "Images", "Share", "Median area", "5 % to 95 %", "Visibly changed")
    rows = []
    for name in names:
        tally = tallies.techniques[name]
        values = (
            f"{tally.count:,}",
            _percent(tally.count / tallies.total.count),
            _percent(tally.quantile(0.5)),
            f"{_percent(tally.quantile(0.05))} to {_percent(tally.quantile(0.95))}",
            _percent(tally.visible / tally.count),
        )
        rows.append(f"<tr><th>{text(name)}</th>{''.join(f'<td>{value}</td>' for value in values)}</tr>")
    heads = "".join(f"<th>{name}</th>" for name in head)
    return (
        f'<div class="wide" tabindex="0"><table class="numbers"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        '<p class="soft">Areas are shares of the image; an image with anomalies of several techniques counts for '
        "each of them, with the area of all.</p>"
    )


def _splits(tallies: Tallies, names: list[str]) -> str:
    """Images, and connected pieces of each technique, in each split; nothing for lines that name no split."""
    splits = [split for split in SPLITS if split in tallies.splits]
    if not splits:
        return ""
    rows = "".join(
        f"<tr><th>{text(row)}</th>{''.join(f'<td>{tallies.splits[split].get(row, 0):,}</td>' for split in splits)}</tr>"
        for row in ("normal images", "anomalous images", *names)
    )
    heads = "".join(f"<th>{split}</th>" for split in ("", *splits))
    return (
        f'<div class="wide" tabindex="0"><table class="numbers"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        '<p class="soft">Images of each split, and the connected pieces of each technique, which labels name.</p>'
    )


def _technique(name: str, tally: Tally, open_picture: Callable[[str], Any]) -> str:
    technique = pai.TECHNIQUES.get(name)
    about = f"<p>{text(technique.summary)}</p>" if technique else ""
    cells = "".join(_sample(name, line, open_picture) for line in tally.sample)
    return (
        f'<section class="row"><div><h3>{text(name)}</h3>{about}'
        f'<p class="soft">{tally.count:,} images</p><div class="small">'
        f"<figure>{_histogram(tally)}</figure><figure>{_map(tally)}</figure></div></div>"
        f'<div class="cells">{cells}</div></section>'
    )


def _sample(name: str, line: Line, open_picture: Callable[[str], Any]) -> str:
    try:
        image, mask = np.asarray(open_picture(line["image"])), np.asarray(open_picture(line["mask"]))
        mask = mask.reshape(*mask.shape[:2], -1).max(axis=2)
        shown, crop = as_bytes(image, shades(image)), crop_around(mask)
    except Exception as error:  # whatever a reader raises: a report is made of what can be read
        return f'<figure><p class="soft">{text(line["image"])} cannot be read: {text(error)}</p></figure>'
    whole, part = outline(fit(shown, SIDE), mask, crop), fit(shown[crop], SIDE // 2)
    pictures = [
        picture(whole, "The image with the mask's outline", f"{name}: the image with the mask's outline"),
        picture(part, "The framed part", f"{name}: the framed part"),
        picture(_silhouette(mask, *whole.shape[:2]), "The mask", f"{name}: the mask"),
    ]
    return cell(line["image"], pictures, f"{_percent(float(line['area']))}, {line['image']}")


def _silhouette(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    return cv2.cvtColor(shrink(mask, height, width), cv2.COLOR_GRAY2RGB)


def _normals(sample: Sample, open_picture: Callable[[str], Any]) -> str:
    if not sample.seen:
        return ""
    cells = "".join(_normal(line, open_picture) for line in sample)
    return f'<h2>Normal images</h2><section class="row one"><div class="cells">{cells}</div></section>'


def _normal(line: Line, open_picture: Callable[[str], Any]) -> str:
    try:
        image = np.asarray(open_picture(line["image"]))
        shown = fit(as_bytes(image, shades(image)), SIDE)
    except Exception as error:
        return f'<figure><p class="soft">{text(line["image"])} cannot be read: {text(error)}</p></figure>'
    return cell(line["image"], [picture(shown, "Normal", "a normal image")], line["image"])


def _histogram(tally: Tally) -> str:
    """Bars over the logarithm of the area."""
    counts = tally.areas.reshape(-1, COARSE).sum(axis=1)
    highest, width = max(1, int(counts.max())), 100 / len(counts)
    bars = "".join(
        f'<rect x="{index * width + 0.15:.2f}" y="{50 - 48 * count / highest:.2f}" width="{width - 0.3:.2f}" '
        f'height="{48 * count / highest:.2f}"><title>{_edge(index)} to {_edge(index + 1)}: {count:,}</title></rect>'
        for index, count in enumerate(counts)
        if count
    )
    labels = "".join(_tick(decade) for decade in range(DECADES + 1))
    return (
        f'<svg viewBox="-9 0 118 60" role="img" aria-label="Histogram of the area; median '
        f'{_percent(tally.quantile(0.5))}">{bars}<line x1="0" x2="100" y1="50" y2="50"/>{labels}</svg>'
        "<figcaption>Area as a share of the image; the highest bar is "
        f"{highest:,} image{'s' if highest > 1 else ''}</figcaption>"
    )


def _edge(index: int) -> str:
    return f"{float(f'{100 * 10 ** (index * COARSE / BINS - DECADES):.2g}'):g} %"


def _tick(decade: int) -> str:
    """A mark on the axis and its label; small histograms show every second label."""
    x, kind = f"{100 * decade / DECADES:g}", "odd" if decade % 2 else "even"
    return (
        f'<line x1="{x}" x2="{x}" y1="50" y2="52"/><text class="{kind}" x="{x}" y="57" '
        f'text-anchor="middle">{_edge(decade * BINS // COARSE)}</text>'
    )


def _map(tally: Tally) -> str:
    """How often a place lies in an anomaly's bounding box."""
    share = tally.heat / max(1, tally.count)
    most = float(share.max())
    shown = cv2.resize(colors(share / max(most, 1e-12)), (256, 256), interpolation=cv2.INTER_LINEAR)
    return (
        f'<img class="map" src="{data_uri(shown, "png")}" alt="Map of the positions of the anomalies">'
        f"<figcaption>Their boxes over the image, from black (none) to yellow ({_percent(most)} of them)</figcaption>"
    )


def _skipped(skipped: Iterable[Mapping[str, Any]]) -> str:
    """The table of skipped files: the first of them, and how many more there are."""
    entries = iter(skipped)
    rows = [*islice(entries, MOST_SKIPPED)]
    more = sum(1 for _ in entries)
    if not rows:
        return '<h2>Skipped files</h2><p class="soft">None.</p>'
    columns = [*dict.fromkeys(key for row in rows for key in row)]
    heads = "".join(f"<th>{text(column)}</th>" for column in columns)
    cells = "".join(
        f"<tr>{''.join(f'<td>{text(row.get(column, str()))}</td>' for column in columns)}</tr>" for row in rows
    )
    note = f'<p class="soft">And {more:,} more.</p>' if more else ""
    return (
        f'<h2>Skipped files ({len(rows) + more:,})</h2><div class="wide" tabindex="0"><table><thead><tr>{heads}</tr>'
        f"</thead><tbody>{cells}</tbody></table></div>{note}"
    )


_STYLE = """
.cards { display: flex; flex-wrap: wrap; gap: .7rem; margin: .8rem 0; }
.cards div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .5rem .9rem; }
.cards dt { color: var(--soft); font-size: .86rem; }
.cards dd { margin: 0; font-size: 1.2rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
th { font-weight: 600; }
.numbers td, .numbers thead th:not(:first-child) { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.numbers th, .facts th { overflow-wrap: normal; white-space: nowrap; }
.wide { overflow-x: auto; }
.two { display: grid; grid-template-columns: 1.6fr 1fr; gap: 1rem 2rem; max-width: 62rem; }
.small { display: grid; grid-template-columns: 1.5fr 1fr; gap: .6rem; margin-top: .6rem; }
.small figcaption { font-size: .75rem; }
.one { grid-template-columns: minmax(0, 1fr); }
.one .panels { display: block; }
svg { display: block; width: 100%; background: var(--card); border-radius: 4px; }
svg rect { fill: var(--bar); }
svg line { stroke: var(--soft); stroke-width: .3; }
svg text { fill: var(--soft); font-size: 3.4px; }
.small svg text { font-size: 7px; }
.small svg .even { display: none; }
.map { display: block; width: 100%; max-width: 20rem; border-radius: 4px; }
.cells figcaption { overflow-wrap: anywhere; }
@media (max-width: 760px) {
  .two { grid-template-columns: 1fr; }
  .two svg text { font-size: 4px; }
  .small { max-width: 20rem; }
}
"""
