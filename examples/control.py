"""The pictures of docs/control.md: one part, five severities, with and without a region of interest, and a mix."""

import sys
from pathlib import Path

import numpy as np
from gallery import GAP, SIDE, bundled
from PIL import Image

from pail import masks, pai, roi

ROOT = Path(__file__).resolve().parent.parent
SEVERITIES = (0, 0.25, 0.5, 0.75, 1)
SEED = 11
DRAWS = 200
PICTURES = ROOT / "docs" / "pictures"
MARKER = "<!-- the table below is written by `make pictures` -->"


def sheet(rows: list[list[np.ndarray]]) -> Image.Image:
    """Pictures in rows, a gap between them."""
    step = SIDE + GAP
    page = Image.new("RGB", (step * max(map(len, rows)) - GAP, step * len(rows) - GAP), "white")
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            page.paste(Image.fromarray(picture).convert("RGB"), (j * step, i * step))
    return page


def severity_sheet(part: np.ndarray, source: np.ndarray) -> Image.Image:
    """Three techniques, a row each, at five severities with the same draws."""
    insertion = pai.Anomaly_Insertion()
    return sheet(
        [
            [method(part, rng=SEED, severity=severity, **keywords)[0] for severity in SEVERITIES]
            for method, keywords in (
                (insertion.perlin_noise_pattern, {"anom_source_img": source, "roi": "foreground"}),
                (insertion.fract_aug, {"anom_source_img": source, "roi": "foreground"}),
                (insertion.cutpaste_scar, {"roi": "foreground"}),
            )
        ]
    )


def roi_sheet(part: np.ndarray, source: np.ndarray) -> Image.Image:
    """Without a region: image and mask; the region; with it: image and mask."""
    insertion, region = pai.Anomaly_Insertion(), roi.foreground(part)
    free = insertion.perlin_noise_pattern(part, source, rng=SEED + 1)
    kept = insertion.perlin_noise_pattern(part, source, rng=SEED + 1, roi=region)
    return sheet([[free[0], free[1][..., 0], region.astype(np.uint8) * 255, kept[0], kept[1][..., 0]]])


def mix_sheet(part: np.ndarray, sources: list[np.ndarray]) -> Image.Image:
    """Five mixed insertions, their masks, what visibly changed, and graded labels."""
    insertion = pai.Anomaly_Insertion()
    results = [insertion.insert(part, sources, n_anomalies=(1, 3), roi="foreground", rng=(SEED, i)) for i in range(5)]
    visible = [masks.difference(part, i_a, m_a)[..., 0] for i_a, m_a in results]
    graded = [(masks.soft(part, i_a, m_a, full=0.5)[..., 0] * 255).astype(np.uint8) for i_a, m_a in results]
    return sheet([[i_a for i_a, _ in results], [m_a[..., 0] for _, m_a in results], visible, graded])


def severity_table(part: np.ndarray, sources: list[np.ndarray]) -> str:
    """Mean area and mean change of every technique at the five severities, over DRAWS draws, as Markdown."""
    insertion = pai.Anomaly_Insertion()
    head = " | ".join(f"severity {severity}" for severity in SEVERITIES)
    lines = [f"| area in %, change in grey levels | {head} |", "|---" * (1 + len(SEVERITIES)) + "|"]
    for name, technique in pai.TECHNIQUES.items():
        cells = []
        for severity in SEVERITIES:
            results = []
            for seed in range(DRAWS):
                keywords = {"anom_source_img": sources[seed % len(sources)]} if technique.family == "SBI" else {}
                results.append(getattr(insertion, name)(part, **keywords, severity=severity, rng=seed))
            area = np.mean([np.mean(m_a > 0) for _, m_a in results])
            change = np.mean([np.abs(i_a.astype(int) - part).mean() for i_a, _ in results])
            cells.append(f"{area:.2%}, {change:.2f}".replace("%", ""))
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_table(page: Path, text: str) -> None:
    """Put the table behind the page's marker, up to the next heading."""
    before, after = page.read_text(encoding="utf-8").split(MARKER)
    rest = after[after.index("\n## ") :]
    page.write_text(f"{before}{MARKER}\n\n{text}\n{rest}", encoding="utf-8")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part, sources = bundled("example_img")[1], bundled("anom_source_imgs")
    severity_sheet(part, sources[0]).save(folder / "severity.jpg", quality=88)
    roi_sheet(part, sources[1]).save(folder / "roi.jpg", quality=88)
    mix_sheet(part, sources).save(folder / "mix.jpg", quality=88)
    if folder == PICTURES:
        write_table(ROOT / "docs" / "control.md", severity_table(part, sources))
    print(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
