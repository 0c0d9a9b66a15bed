"""The gallery: each technique as a row of normal image, source, pseudo-anomalous image, mask and difference.

Writes results/gallery.png and results/<family>/<technique>.png; another folder can be given as the first argument.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pail import pai

ROOT = Path(__file__).resolve().parent.parent
SIDE = 256
GAP = 8
LABEL_WIDTH = 250
HEADER = 34
COLUMNS = ("normal", "source", "pseudo-anomalous", "mask", "difference")
SEED = 6
FONT = ImageFont.load_default(size=17)


def bundled(folder: str) -> list[np.ndarray]:
    """The bundled images of a folder, RGB, SIDE pixels square."""
    return [
        np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        for path in sorted((ROOT / folder).iterdir())
    ]


def insert(name: str, index: int, images: list[np.ndarray], sources: list[np.ndarray]) -> list[np.ndarray | None]:
    """The five pictures of a row; the source is None where the technique takes none."""
    technique = pai.TECHNIQUES[name]
    image = images[(index + 1) % len(images)]
    source = sources[index % len(sources)] if technique.family == "SBI" else None
    arguments = {} if source is None else {"anom_source_img": source}
    i_a, m_a = getattr(pai.Anomaly_Insertion(), name)(image, **arguments, rng=(SEED, index))
    difference = np.abs(i_a.astype(int) - image).max(axis=2)
    return [image, source, i_a, m_a[..., 0], difference.astype(np.uint8)]


def draw_row(name: str, pictures: list[np.ndarray | None]) -> Image.Image:
    """A labelled row."""
    row = Image.new("RGB", (LABEL_WIDTH + len(COLUMNS) * (SIDE + GAP), SIDE + GAP), "white")
    text = ImageDraw.Draw(row)
    text.text((GAP, SIDE // 2 - 22), name, "black", FONT)
    text.text((GAP, SIDE // 2 + 2), pai.TECHNIQUES[name].family, "dimgray", FONT)
    for column, picture in enumerate(pictures):
        if picture is not None:
            row.paste(Image.fromarray(picture).convert("RGB"), (LABEL_WIDTH + column * (SIDE + GAP), GAP))
    return row


def with_header(rows: list[Image.Image]) -> Image.Image:
    """The rows below each other, under the names of the columns."""
    sheet = Image.new("RGB", (rows[0].width, HEADER + sum(row.height for row in rows)), "white")
    for column, title in enumerate(COLUMNS):
        ImageDraw.Draw(sheet).text((LABEL_WIDTH + column * (SIDE + GAP), GAP), title, "black", FONT)
    top = HEADER
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def main(folder: Path) -> None:
    images, sources = bundled("example_img"), bundled("anom_source_imgs")
    rows = []
    for index, name in enumerate(pai.TECHNIQUES):
        row = draw_row(name, insert(name, index, images, sources))
        path = folder / pai.TECHNIQUES[name].family / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with_header([row]).save(path)
        rows.append(row)
        print(path)
    with_header(rows).save(folder / "gallery.png")
    print(folder / "gallery.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results")
