"""The report of a finished data set, made from its manifest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import cv2
import numpy as np

from pail import pai
from pail.dataset.recipe import SPLITS
from pail.pixels.panels import colors, crop_around, fit, outline, shades, shrink, to_display
from pail.report.page import TEMPLATES, Cell, Picture, data_uri

GRID = 64  # cells per side of the map of positions
DECADES = 5  # decades of area in the histogram, up to the whole image
BINS = 40  # bins per decade
COARSE = 8  # bins for each bar
EXACT = 10_000  # number of areas that are kept; up to this number, quantiles are exact
SIDE = 360  # pixels of a sample
KIND = ", "  # separates a technique and the kind of a real defect
MOST_SKIPPED = 1000  # rows of the table of skipped files

Line = Mapping[str, Any]


class Sample:
    """A uniform random sample of a few lines, in bounded memory and the same in every run."""

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
    """The entries of a line that a sample needs, without the record, which may be large."""
    return {key: line.get(key) for key in ("image", "mask", "techniques", "area")}


@dataclass
class Tally:
    """The statistics of one technique, or of all."""

    sample: Sample
    count: int = 0
    visible: float = 0.0
    first: list[float] = field(default_factory=list)  # the first areas
    span: tuple[float, float] = (math.inf, -math.inf)  # the smallest and the largest area
    areas: np.ndarray = field(default_factory=lambda: np.zeros(DECADES * BINS, np.int64))
    heat: np.ndarray = field(default_factory=lambda: np.zeros((GRID, GRID), np.int64))

    def add(self, line: Line) -> None:
        area = float(line["area"])
        self.sample.add(line)
        self.count += 1
        self.span = min(self.span[0], area), max(self.span[1], area)
        if len(self.first) < EXACT:
            self.first.append(area)
        self.visible += float(line["visible"])
        self.areas[_bin(area)] += 1
        self.heat[_cells(line)] += 1

    def quantile(self, share: float) -> float:
        """The quantile of the areas at `share`. For more than `EXACT` anomalies it has the precision of the bins."""
        if self.count <= EXACT:
            return float(np.quantile(self.first, share, method="inverted_cdf"))
        reached = np.cumsum(self.areas)
        place = int(np.searchsorted(reached, max(1, share * reached[-1])))
        return float(np.clip(10 ** ((place + 0.5) / BINS - DECADES), *self.span))


@dataclass
class Tallies:
    """The statistics of a whole set."""

    samples: int
    total: Tally = field(init=False)
    normal: Sample = field(init=False)
    techniques: dict[str, Tally] = field(default_factory=dict)
    splits: dict[str, dict[str, int]] = field(default_factory=dict)  # per split: images, and pieces of each technique
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
            *(name for piece in line.get("pieces", ()) for name in _counted_as(piece)),
        ):
            counted[key] = counted.get(key, 0) + 1
        if not names:
            self.normal.add(line)
            return
        self.total.add(line)
        for name in dict.fromkeys(names):
            self.techniques.setdefault(name, Tally(Sample(self.samples))).add(line)


def _counted_as(piece: Mapping[str, Any]) -> list[str]:
    """The rows of the table in which a piece is counted: its technique, and its kind if it is a real defect."""
    kind = piece.get("kind")
    return [piece["technique"]] + ([] if kind is None else [f"{piece['technique']}{KIND}{kind}"])


def report_page(
    title: str,
    lines: Iterable[Line],
    open_picture: Callable[[str], Any],
    *,
    skipped: Iterable[Mapping[str, Any]] = (),
    facts: Mapping[str, Any] | None = None,
    lacking: Sequence[str] = (),
    samples: int = 8,
) -> str:
    """Make a self-contained HTML page about a finished set.

    It contains sample images of each technique, histograms of the area,
    maps of the position, and the skipped files. The page loads nothing, and
    the memory does not grow with the set.

    Parameters
    ----------
    title : str
        The name of the set.
    lines : iterable of dict
        The lines of the manifest, which are read once and in order.
    open_picture : callable
        Opens the path of an image or mask of a sample as an ndarray or PIL
        image. If it raises an error, a note replaces the sample.
    skipped : iterable of dict, optional
        The skipped files, one row of the table for each; the keys are the
        columns.
    facts : dict, optional
        Further facts by name: command, seed, version.
    lacking : sequence of str, optional
        What was requested but not made, one line for each.
    samples : int, default 8
        Number of samples of each technique, and of normal images.

    Returns
    -------
    str
        The page.
    """
    tallies = Tallies(samples)
    for line in lines:
        tallies.add(line)
    total, techniques = tallies.total, tallies.techniques
    known = [name for name in pai.TECHNIQUES if name in techniques]
    names = known + sorted(set(techniques) - set(known))
    splits = [split for split in SPLITS if split in tallies.splits]
    kinds = sorted({row for counts in tallies.splits.values() for row in counts if KIND in row})
    rows = ("normal images", "anomalous images", *names, *kinds)
    return TEMPLATES.get_template("report.html").render(
        title=title,
        cards=_cards(tallies),
        facts=facts or {},
        lacking=lacking,
        whole=_charts(total) if total.count else None,
        splits={
            "names": splits,
            "rows": [(row, [f"{tallies.splits[split].get(row, 0):,}" for split in splits]) for row in rows],
        }
        if splits
        else None,
        numbers=[(name, _numbers(techniques[name], total.count)) for name in names],
        techniques=[
            {
                "name": name,
                "summary": pai.TECHNIQUES[name].summary if name in pai.TECHNIQUES else "",
                "images": f"{techniques[name].count:,}",
                "charts": _charts(techniques[name]),
                "samples": [_sample(name, line, open_picture) for line in techniques[name].sample],
            }
            for name in names
        ],
        normals=[_normal(line, open_picture) for line in tallies.normal],
        skipped=_skipped(skipped),
    )


def _bin(area: float) -> int:
    return min(max(int((math.log10(max(area, 1e-12)) + DECADES) * BINS), 0), DECADES * BINS - 1)


def _cells(line: Line) -> tuple[slice, slice]:
    """The cells of the map that a bounding box overlaps."""
    x, y, width, height = line["bbox"]
    return _stretch(y, height, line["height"]), _stretch(x, width, line["width"])


def _stretch(start: int, length: int, whole: int) -> slice:
    first = min(GRID - 1, int(start * GRID / whole))
    return slice(first, max(first + 1, math.ceil((start + length) * GRID / whole)))


def _percent(share: float) -> str:
    """A share in percent, with a suitable number of digits."""
    return f"{100 * share:.2g} %" if share < 0.0995 else f"{100 * share:.1f} %"


def _cards(tallies: Tallies) -> dict[str, str]:
    """The most important numbers of the set, by name."""
    total = tallies.total
    cards = {
        "Images": f"{total.count + tallies.normal.seen:,}",
        "with anomalies": f"{total.count:,}",
        "normal": f"{tallies.normal.seen:,}",
    }
    if total.count:
        cards["Median area"] = _percent(total.quantile(0.5))
        cards["Visibly changed"] = f"{_percent(total.visible / total.count)} of the mask"
    if tallies.sizes["width"]:
        spans = (dict.fromkeys(tallies.sizes[side]) for side in ("width", "height"))  # one number, or the two ends
        cards["Size"] = " by ".join(" to ".join(map(str, span)) for span in spans)
    return cards


def _numbers(tally: Tally, total: int) -> list[str]:
    """The row of a technique in the table."""
    return [
        f"{tally.count:,}",
        _percent(tally.count / total),
        _percent(tally.quantile(0.5)),
        f"{_percent(tally.quantile(0.05))} to {_percent(tally.quantile(0.95))}",
        _percent(tally.visible / tally.count),
    ]


def _sample(name: str, line: Line, open_picture: Callable[[str], Any]) -> Cell:
    try:
        image, mask = np.asarray(open_picture(line["image"])), np.asarray(open_picture(line["mask"]))
        mask = mask.reshape(*mask.shape[:2], -1).max(axis=2)
        shown, crop = to_display(image, shades(image)), crop_around(mask)
    except Exception as error:  # readers may raise any error; the report shows the samples that can be read
        return Cell(line["image"], [], "", str(error))
    whole, part = outline(fit(shown, SIDE), mask, crop), fit(shown[crop], SIDE // 2)
    silhouette = cv2.cvtColor(shrink(mask, *whole.shape[:2]), cv2.COLOR_GRAY2RGB)
    pictures = [
        Picture(data_uri(whole), "The image with the mask's outline", f"{name}: the image with the mask's outline"),
        Picture(data_uri(part), "The framed part", f"{name}: the framed part"),
        Picture(data_uri(silhouette), "The mask", f"{name}: the mask"),
    ]
    return Cell(line["image"], pictures, f"{_percent(float(line['area']))}, {line['image']}")


def _normal(line: Line, open_picture: Callable[[str], Any]) -> Cell:
    try:
        image = np.asarray(open_picture(line["image"]))
        shown = fit(to_display(image, shades(image)), SIDE)
    except Exception as error:
        return Cell(line["image"], [], "", str(error))
    return Cell(line["image"], [Picture(data_uri(shown), "Normal", "a normal image")], line["image"])


def _charts(tally: Tally) -> dict[str, Any]:
    """The histogram of the logarithm of the area, and the map of how often a place is in the bounding box of an
    anomaly."""
    counts = tally.areas.reshape(-1, COARSE).sum(axis=1)
    highest, width = max(1, int(counts.max())), 100 / len(counts)
    edges = [f"{float(f'{100 * 10 ** (index * COARSE / BINS - DECADES):.2g}'):g} %" for index in range(len(counts) + 1)]
    bars = [
        {
            "x": f"{index * width + 0.15:.2f}",
            "y": f"{50 - 48 * count / highest:.2f}",
            "width": f"{width - 0.3:.2f}",
            "height": f"{48 * count / highest:.2f}",
            "title": f"{edges[index]} to {edges[index + 1]}: {count:,}",
        }
        for index, count in enumerate(counts)
        if count
    ]
    ticks = [
        {
            "x": f"{100 * decade / DECADES:g}",
            "kind": "odd" if decade % 2 else "even",  # small histograms show every second label
            "label": edges[decade * BINS // COARSE],
        }
        for decade in range(DECADES + 1)
    ]
    share = tally.heat / max(1, tally.count)
    most = float(share.max())
    shown = cv2.resize(colors(share / max(most, 1e-12)), (256, 256), interpolation=cv2.INTER_LINEAR)
    return {
        "median": _percent(tally.quantile(0.5)),
        "bars": bars,
        "ticks": ticks,
        "highest": f"{highest:,} image{'s' if highest > 1 else ''}",
        "map": data_uri(shown, "png"),
        "most": _percent(most),
    }


def _skipped(skipped: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The table of skipped files: the first ones, and the number of further ones."""
    entries = iter(skipped)
    rows = [*islice(entries, MOST_SKIPPED)]
    more = sum(1 for _ in entries)
    columns = [*dict.fromkeys(key for row in rows for key in row)]
    return (
        {
            "count": f"{len(rows) + more:,}",
            "columns": columns,
            "rows": [[row.get(column, "") for column in columns] for row in rows],
            "more": f"{more:,}" if more else "",
        }
        if rows
        else None
    )
