"""Writes what the documentation repeats of `pail.TECHNIQUES`: README's table. Run it after a change."""

from pathlib import Path

import pail

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- techniques: written by docs/tables.py -->", "<!-- end of techniques -->"


def techniques() -> str:
    """The table of techniques, in the order in which they are registered."""
    rows = ["| method | family | paper | what it inserts |", "|---|---|---|---|"]
    for name, technique in pail.TECHNIQUES.items():
        paper = f"[{technique.reference}]({technique.url})" if technique.url else technique.reference
        rows.append(f"| `{name}` | {technique.family} | {paper} | {technique.summary} |")
    return "\n".join(rows)


def fill(text: str) -> str:
    """README with a fresh table."""
    head, rest = text.split(START)
    return f"{head}{START}\n\n{techniques()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(fill(readme.read_text(encoding="utf-8")), encoding="utf-8")
