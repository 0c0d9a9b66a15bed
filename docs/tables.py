"""Writes what the documentation repeats: README's table of techniques, from `pail.TECHNIQUES` and docs/performance.md.

    python docs/tables.py                                # after a change of a technique, or a new benchmark
    python docs/tables.py --base https://host/owner/repo # README with absolute links, for a package index, on standard output
"""

import argparse
import re
from pathlib import Path

import pail

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- techniques: written by docs/tables.py -->", "<!-- end of techniques -->"


def techniques() -> str:
    """The table of techniques, in the order in which they are registered."""
    times = milliseconds()
    rows = ["| looks like | method | family | paper | what it inserts | ms |", "|---|---|---|---|---|---|"]
    for name, technique in pail.TECHNIQUES.items():
        picture = f'<img src="docs/pictures/techniques/{name}.jpg" width="96" alt="{name}">'
        paper = f"[{technique.reference}]({technique.url})" if technique.url else technique.reference
        rows.append(f"| {picture} | `{name}` | {technique.family} | {paper} | {technique.summary} | {times[name]:.2g} |")
    return "\n".join(rows)


def milliseconds(size: str = "256x256", channels: str = "RGB") -> dict[str, float]:
    """Median time of a call by technique, of the latest benchmark."""
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    return {name: float(ms) for name, ms in re.findall(rf"^\| (\w+) \| {size} \| {channels} \| ([\d.]+) ", page, re.M)}


def fill(text: str) -> str:
    """README with a fresh table."""
    head, rest = text.split(START)
    return f"{head}{START}\n\n{techniques()}\n\n{END}{rest.split(END)[1]}"


def absolute(text: str, base: str) -> str:
    """README with links that lead somewhere wherever it is shown: pages to `blob`, pictures to `raw`."""
    pages = re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?://|#)([^)]+)\)", rf"[\1]({base}/blob/main/\2)", text)
    pictures = re.sub(r"!\[([^\]]*)\]\((?!https?://)([^)]+)\)", rf"![\1]({base}/raw/main/\2)", pages)
    return re.sub(r'src="(?!https?://)([^"]+)"', rf'src="{base}/raw/main/\1"', pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="address of the repository")
    options = parser.parse_args()
    readme = ROOT / "README.md"
    text = fill(readme.read_text(encoding="utf-8"))
    if options.base:
        print(absolute(text, options.base.rstrip("/")), end="")
    else:
        readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
