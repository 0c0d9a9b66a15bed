"""Measure how strong each technique is at five severities, as a Markdown table that is printed or written into a page.

python examples/severity_table.py [docs/control.md]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import pail
from pail import pai

ROOT = Path(__file__).resolve().parent.parent
SEVERITIES = (0, 0.25, 0.5, 0.75, 1)
DRAWS = 200
SIDE = 256
MARKER = "<!-- the table below is written by `make pictures` -->"


def photograph(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def cell(name: str, severity: float, i_n: np.ndarray, sources: list[np.ndarray]) -> str:
    """Mean area in percent and mean change in gray levels over DRAWS draws."""
    method, area, change = getattr(pai.Anomaly_Insertion(), name), 0.0, 0.0
    for seed in range(DRAWS):
        source = {"anom_source_img": sources[seed % len(sources)]} if pai.TECHNIQUES[name].family == "SBI" else {}
        i_a, m_a = method(i_n, **source, severity=severity, rng=seed)
        area += np.mean(m_a > 0) / DRAWS
        change += np.abs(i_a.astype(int) - i_n).mean() / DRAWS
    return f"{100 * area:.2f}, {change:.2f}"


def table() -> str:
    i_n = photograph(ROOT / "example_img" / "example_1.jpg")
    sources = [photograph(path) for path in sorted((ROOT / "anom_source_imgs").iterdir())]
    head = " | ".join(f"severity {severity}" for severity in SEVERITIES)
    lines = [f"| area in %, change in gray levels | {head} |", "|---" * (1 + len(SEVERITIES)) + "|"]
    for name in pail.ELEVEN:
        lines.append(f"| `{name}` | {' | '.join(cell(name, severity, i_n, sources) for severity in SEVERITIES)} |")
    return "\n".join(lines)


def write(page: Path, text: str) -> None:
    """Write the table after the marker of the page, up to the next heading."""
    before, after = page.read_text(encoding="utf-8").split(MARKER)
    page.write_text(f"{before}{MARKER}\n\n{text}\n{after[after.index(chr(10) + '## ') :]}", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]), table())
    else:
        print(table())
