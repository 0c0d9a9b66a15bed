"""Writes what the guides repeat: of `pail.TECHNIQUES`, of the maintainers' tables, and of measured anomalies.

python docs/tables.py                                # after a change of a technique, or a new benchmark
python docs/tables.py --base https://host/owner/repo # prints README with absolute links, for a package index
"""

import argparse
import re
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import pail
from pail.references import REFERENCES
from pail.registry import is_own

ROOT = Path(__file__).resolve().parent.parent
MAINTAINERS = ROOT / "docs" / "maintainers"
TECHNIQUES, BEYOND, PEERS, CITATION, TIMES, RESTORE, PRESETS = (
    "techniques",
    "beyond",
    "peers",
    "citation",
    "times",
    "restore",
    "presets",
)  # the parts of pages written here


def techniques() -> str:
    """The table of techniques, in the order in which they are registered."""
    measured = milliseconds()
    rows = ["| looks like | method | family | paper | what it inserts | ms |", "|---|---|---|---|---|---|"]
    for name, technique in ((name, pail.TECHNIQUES[name]) for name in pail.ELEVEN):
        paper = f"[{technique.reference}]({technique.url})" if technique.url else technique.reference
        rows.append(
            f"| {small(name)} | `{name}` | {technique.family} | {paper} | {technique.summary} | {measured[name]:.2g} |"
        )
    return "\n".join(rows)


def small(name: str) -> str:
    """The small picture of a technique."""
    return f'<img src="docs/pictures/techniques/{name}.jpg" width="96" alt="{name}">'


def beyond() -> str:
    """The table of the other techniques, which are drawn on request only."""
    measured = milliseconds()
    rows = ["| looks like | method | family | what it inserts | ms |", "|---|---|---|---|---|"]
    for name, technique in pail.TECHNIQUES.items():
        if name not in pail.ELEVEN and not is_own(name):
            paper = f" ([{technique.reference}]({technique.url}))" if technique.url else ""
            what = f"{technique.summary}{paper}"
            rows.append(f"| {small(name)} | `{name}` | {technique.family} | {what} | {measured[name]:.2g} |")
    return "\n".join(rows)


def peers() -> str:
    """The comparison of named defects with other libraries, a line for each kind."""
    page = (MAINTAINERS / "peers.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (\w+) \| ([\w-]+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", page, re.M)
    measured = {(kind, library): cells for kind, library, *cells in found}
    libraries = list(dict.fromkeys(library for _, library in measured))
    rows = [f"| ms at 1024x1024, changes outside of the mask | {' | '.join(libraries)} |"]
    rows.append("|---|" + "---|" * len(libraries))
    for kind in dict.fromkeys(kind for kind, _ in measured):
        cells = [measured.get((kind, library)) for library in libraries]
        shown = [f"{number(float(cell[1]))} ms, {float(cell[2][:-1]):.0f} %" if cell else "" for cell in cells]
        rows.append(f"| `{kind}` | {' | '.join(shown)} |")
    made = re.search(r"^(\d{4}-\d\d-\d\d, .*)$", page, re.M)
    return "\n".join([*rows, "", made[1]]) if made else "\n".join(rows)


def milliseconds(size: str = "256x256", channels: str = "RGB") -> dict[str, float]:
    """Median time of a call by technique, of the latest benchmark."""
    page = (MAINTAINERS / "performance.md").read_text(encoding="utf-8")
    return {name: float(ms) for name, ms in re.findall(rf"^\| (\w+) \| {size} \| {channels} \| ([\d.]+) ", page, re.M)}


def times() -> str:
    """Milliseconds of a call by technique at the sizes that users ask for."""
    sides = ("256x256", "512x512", "1024x1024", "4096x4096")
    columns = [milliseconds(side) for side in sides]
    rows = [f"| technique | {' | '.join(sides)} |", "|---|" + "---|" * len(sides)]
    for name in filter(columns[0].get, pail.TECHNIQUES):
        rows.append(f"| `{name}` | " + " | ".join(number(column[name]) for column in columns) + " |")
    return "\n".join(rows)


def number(value: float) -> str:
    """Two significant digits; whole numbers from 10 on."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def restore() -> str:
    """The differences from papers and original that a keyword restores, from the table of all of them."""
    page = (MAINTAINERS / "fidelity.md").read_text(encoding="utf-8")
    rows = ["| technique | PAI-Lib | paper or original | how to restore |", "|---|---|---|---|"]
    for row in re.findall(r"^\| `.*\|$", page, re.M):
        names, ours, theirs, _, keyword = (cell.strip() for cell in row.split("|")[1:-1])
        if keyword:
            rows.append(f"| {names} | {ours} | {theirs} | {keyword} |")
    return "\n".join(rows)


def sizes(draws: int = 200) -> str:
    """The anomalies on the bundled images with the default settings: area, pieces and contrast."""
    rows = ["| method | area of the image: median, 5 % to 95 % | pieces | change |", "|---|---|---|---|"]
    images, sources = bundled("example_img"), bundled("anom_source_imgs")
    for name, technique in ((name, pail.TECHNIQUES[name]) for name in pail.ELEVEN):
        seen = []
        for index in range(draws):
            keywords = {"anom_source_img": sources[index % len(sources)]} if technique.takes_source else {}
            seen.append(measure(name, images[index % len(images)], index, keywords))
        areas, pieces, changes = np.array(seen).T
        low, middle, high = np.percentile(areas, [5, 50, 95])
        area = f"{middle:.2g} %, {low:.2g} to {high:.2g}" if high < 10 else f"{middle:.0f} %, {low:.2g} to {high:.0f}"
        rows.append(f"| `{name}` | {area} | {np.median(pieces):.0f} | {np.median(changes):.0f} % |")
    return "\n".join(rows)


def bundled(folder: str) -> list[np.ndarray]:
    files = sorted((ROOT / folder).iterdir())
    return [cv2.resize(cv2.imread(str(file)), (256, 256), interpolation=cv2.INTER_AREA) for file in files]


def measure(name: str, image: np.ndarray, index: int, keywords: dict[str, Any]) -> tuple[float, int, float]:
    """Area and mean change in per cent, of the image and of the range, and the number of pieces."""
    i_a, m_a = getattr(pail.Anomaly_Insertion(), name)(image, rng=(0, index), **keywords)
    inside = m_a[..., 0] > 0
    pieces = cv2.connectedComponents(inside.astype(np.uint8))[0] - 1
    change = cv2.absdiff(i_a, image).max(axis=2)[inside].mean() / 255
    return 100 * inside.mean(), pieces, 100 * change


def presets() -> str:
    """The training data of each preset, one line each."""
    papers = {paper.key: paper for paper in REFERENCES}
    rows = ["| preset | paper | techniques and keywords | source | anomalous |", "|---|---|---|---|---|"]
    for name, preset in pail.PRESETS.items():
        paper = papers[preset.reference]
        calls = ", ".join(f"`{technique}({keywords(preset.options[technique])})`" for technique in preset.techniques)
        share = number(100 * preset.anomalous)
        rows.append(f"| `{name}` | [{paper.nickname}]({paper.url}) | {calls} | {preset.source} | {share} % |")
    return "\n".join(rows)


def keywords(options: Mapping[str, Any]) -> str:
    """Keywords as in a call; lengths in pixels of the papers' images are shown as fractions of 256."""
    return ", ".join(f"{key}={literal(value)}" for key, value in options.items())


def literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))})"
    if isinstance(value, float) and value * 256 == round(value * 256) and value not in (0.0, 0.25, 0.5, 1.0):
        return str(Fraction(value)) if value == 1 / 8 else f"{round(value * 256)}/256"
    return repr(value)


def citation() -> str:
    """How to cite the library, and the papers behind the techniques."""
    lines = ["```bibtex", pail.cite("affined_anomlay"), "```", ""]
    lines += [
        "Please cite the paper of each technique that you use, too. `pail cite cutpaste fract_aug` prints the BibTeX"
    ]
    lines += ["entries of those that are named, `pail cite` all of them, and `pail.cite` returns them in Python.", ""]
    for paper in REFERENCES:
        methods = ", ".join(f"`{name}`" for name in paper.techniques)
        lines.append(f"- {methods}: [{paper.nickname}]({paper.url}). {paper.text}")
    return "\n".join(lines)


README = {TECHNIQUES: techniques, BEYOND: beyond, PEERS: peers}


def fill(text: str, part: str, made: str) -> str:
    """Replace one of the marked parts of a page."""
    start, end = f"<!-- {part}: written by docs/tables.py -->", f"<!-- end of {part} -->"
    head, rest = text.split(start)
    return f"{head}{start}\n\n{made}\n\n{end}{rest.split(end)[1]}"


def absolute(text: str, base: str) -> str:
    """README with absolute links: pages to `blob`, pictures to `raw`."""
    pages = re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?://|#)([^)]+)\)", rf"[\1]({base}/blob/main/\2)", text)
    pictures = re.sub(r"!\[([^\]]*)\]\((?!https?://)([^)]+)\)", rf"![\1]({base}/raw/main/\2)", pages)
    return re.sub(r'src="(?!https?://)([^"]+)"', rf'src="{base}/raw/main/\1"', pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="address of the repository")
    options = parser.parse_args()
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for part, made in README.items():
        text = fill(text, part, made())
    if options.base:
        sys.stdout.write(absolute(text, options.base.rstrip("/")))
    else:
        readme.write_text(text, encoding="utf-8")
        parts = {"performance": (TIMES, times), "fidelity": (RESTORE, restore), "choosing": (TECHNIQUES, sizes)}
        parts |= {"presets": (PRESETS, presets), "citation": (CITATION, citation)}
        for name, (part, made) in parts.items():
            page = ROOT / "docs" / f"{name}.md"
            page.write_text(fill(page.read_text(encoding="utf-8"), part, made()), encoding="utf-8")


if __name__ == "__main__":
    main()
