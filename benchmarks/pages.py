"""The parts of pages that the benchmarks write."""

from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
PERFORMANCE = DOCS / "maintainers" / "performance.md"


def fill(page: Path, part: str, lines: list[str]) -> None:
    """Replace a marked part of a page."""
    start, end = f"<!-- {part}: written by `make bench` -->", f"<!-- end of {part} -->"
    text = page.read_text(encoding="utf-8")
    if text.count(start) != 1 or text.count(end) != 1:
        raise ValueError(f"{page} must contain {start!r} and {end!r} once each")
    head, rest = text.split(start)
    page.write_text(
        f"{head}{start}\n\n" + "\n".join(lines).strip() + f"\n\n{end}{rest.split(end)[1]}", encoding="utf-8"
    )
