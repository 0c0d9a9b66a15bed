"""The gallery: one good part with defects, and every technique on a photograph, with the outlines of the exact masks.

python examples/gallery.py [FOLDER]  # FOLDER/part.png, gallery.png, beyond.png and <family>/<technique>.png; results
python examples/gallery.py --readme  # the pictures of README and site: docs/pictures/*.webp and techniques/*.jpg
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import pail
from pail import pai
from pail.pixels.panels import fit, outline

ROOT = Path(__file__).resolve().parent.parent
SIDE, GAP, TITLE, COLUMNS = 268, 8, 62, 3  # pixels of a picture, between pictures and for a tile's two lines of title
THUMBNAIL = 160
HEADER = 34  # pixels: height of the header of the picture of a technique
PAPER, INK = "#777d8500", "#777d85"  # a transparent background, and a text color that is legible in light and dark mode
FACTS = ("normal image", "source", "result", "mask", "difference")

# One good part, a coin, and the defects that are inserted into it, with their seeds.
COIN = (187, 95, 280, 188)  # its box in example_1
PART = 320  # pixels of its side
DEFECTS = {"scratch": 3, "crack": 3, "stain": 3, "chip": 5}
SEVERITY = 0.75

# The photographs and the seed of each technique; registered techniques use the last entry.
SCENES = {
    "cutpaste": ("example_3", None, 1),
    "cutpaste_scar": ("example_3", None, 1),
    "simplex_noise_anomlay": ("example_1", None, 9),
    "random_perturbation": ("example_2", None, 1),
    "hard_aug_cutpaste": ("example_0", None, 1),
    "perlin_noise_pattern": ("example_3", "streaks", 6),
    "superpixel_anomaly": ("example_0", "gravel", 3),
    "perlin_with_roi_anomaly": ("example_1", "streaks", 6),
    "rand_augmented_cut_paste": ("example_5", "gravel", 6),
    "fract_aug": ("example_0", "gravel", 9),
    "affined_anomlay": ("example_2", "streaks", 4),
    "real_defect": ("streaks", "bank", 2),
    "nsa": ("example_2", "example_3", 5),
    "glass": ("example_1", "gravel", 60),
    "scratch": ("streaks", None, 0),
    "crack": ("example_0", None, 0),
    "stain": ("example_3", None, 0),
    "pitting": ("coin", None, 0),
    "dent": ("streaks", None, 0),
    "chip": ("coin", None, 0),
    "fiber": ("example_2", None, 0),
    "corrosion": ("coin", None, 0),
    "": ("example_0", None, 0),
}
LEGENDS = {
    "gallery": "left: normal image\nright: pseudo-anomaly, its exact mask outlined\n\n"
    "SFI: source-free, from the image itself\nSBI: source-based, from a second image\nhybrid: either",
    "beyond": "left: pseudo-anomaly\nright: its exact mask outlined\n\n"
    "real: cut out of photographs of defects\npublished: of two more papers\ndefects: drawn from their geometry",
}


def photograph(name: str) -> np.ndarray:
    """A bundled photograph, or the coin."""
    if name == "coin":
        return np.repeat(coin()[..., None], 3, axis=2)
    folder = "example_img" if name.startswith("example") else "anom_source_imgs"
    return np.asarray(Image.open(ROOT / folder / f"{name}.jpg").convert("RGB"))


def coin() -> np.ndarray:
    """The good part, a gray image."""
    picture = Image.open(ROOT / "example_img" / "example_1.jpg").convert("L").crop(COIN)
    return np.asarray(picture.resize((PART, PART), Image.Resampling.LANCZOS))


def bank() -> pail.Defects:
    """Two real defects, a scratch and a gouge in the wood of a table, with masks as an annotator draws them."""
    table = np.asarray(Image.open(ROOT / "example_img" / "example_4.jpg").convert("L"))
    masks = []
    for width, line in ((5, ((53, 120), (77, 168), (102, 215))), (11, ((2, 158), (14, 142), (29, 124)))):
        mask = Image.new("L", table.shape[::-1])
        ImageDraw.Draw(mask).line(line, 255, width)
        masks.append(np.asarray(mask))
    return pail.Defects([table, table], masks, kinds=["scratch", "gouge"])


def insert(name: str) -> dict[str, np.ndarray]:
    """The pictures of a technique, without "source" if it takes none."""
    normal, source, seed = SCENES.get(name, SCENES[""])
    i_n = photograph(normal)
    if source == "bank":
        shown, sources = {}, {"defects": bank()}
    else:
        shown = sources = {"anom_source_img": photograph(source)} if source else {}
    named = {"roi": where(name), "severity": SEVERITY} if pai.TECHNIQUES[name].family == "defects" else {}
    i_a, m_a = getattr(pai.Anomaly_Insertion(), name)(i_n, **sources, **named, rng=seed)
    difference = np.abs(i_a.astype(int) - i_n).max(axis=2).astype(np.uint8)
    values = (i_n, *shown.values(), i_a, m_a[..., 0], difference)
    return dict(zip([fact for fact in FACTS if shown or fact != "source"], values, strict=True))


def where(name: str) -> str | None:
    """The region: the object. A chip finds its edge by itself, and includes the blurred rim outside of a region."""
    return None if name == "chip" else "foreground"


def defective(good: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The part with each defect, without and with the outline of its mask."""
    made = {}
    for name, seed in DEFECTS.items():
        i_a, m_a = getattr(pai.Anomaly_Insertion(), name)(good, roi=where(name), severity=SEVERITY, rng=seed)
        made[name] = i_a, outline(np.stack([i_a] * 3, axis=2), m_a[..., 0])
    return made


def part() -> Image.Image:
    """One good part, the same with a defect in each further column, and below it the outline of its mask."""
    good = coin()
    columns = [("good part", good, good), *((name, *pictures) for name, pictures in defective(good).items())]
    above, step = 48, PART + GAP
    sheet = Image.new("RGBA", (len(columns) * step - GAP, above + 2 * step - GAP), PAPER)
    text = ImageDraw.Draw(sheet)
    for index, (title, *pictures) in enumerate(columns):
        text.text((index * step, 2), title, INK, ImageFont.load_default(size=34))
        for line, picture in enumerate(pictures[: 2 if index else 1]):
            sheet.paste(Image.fromarray(picture).convert("RGB"), (index * step, above + line * step))
    below = "the exact mask of\neach defect,\noutlined"
    text.text((0, above + step + PART // 3), below, INK, ImageFont.load_default(size=34), spacing=12)
    return sheet


def part_narrow() -> Image.Image:
    """The same for the width of a phone: three columns, the last picture with an outline."""
    good = coin()
    made = defective(good)
    pictures = {"good part": good} | {name: plain for name, (plain, _) in made.items()} | {"its mask": made["chip"][1]}
    above, step = 48, PART + GAP
    sheet = Image.new("RGBA", (3 * step - GAP, 2 * (above + step) - GAP), PAPER)
    for index, (title, picture) in enumerate(pictures.items()):
        left, top = index % 3 * step, index // 3 * (above + step)
        ImageDraw.Draw(sheet).text((left, top + 2), title, INK, ImageFont.load_default(size=34))
        sheet.paste(Image.fromarray(picture).convert("RGB"), (left, top + above))
    return sheet


def window(mask: np.ndarray) -> tuple[slice, slice]:
    """A square around the whole mask, at least 0.45 of the image's side, so that small anomalies are visible, too."""
    left, top, width, height = cv2.boundingRect(mask)
    side = min(max(round(1.5 * max(width, height)), round(0.45 * min(mask.shape))), *mask.shape)
    x = min(max(0, left + width // 2 - side // 2), mask.shape[1] - side)
    y = min(max(0, top + height // 2 - side // 2), mask.shape[0] - side)
    return slice(y, y + side), slice(x, x + side)


def closer(name: str, pictures: dict[str, np.ndarray], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Before and after at `side` pixels; or after, as lines hide thin defects, without and with its outline."""
    part = window(pictures["mask"])
    normal, result = (fit(pictures[key][part], side) for key in ("normal image", "result"))
    return normal if name in pail.ELEVEN else result, outline(result, pictures["mask"][part])


def thumbnail(name: str, pictures: dict[str, np.ndarray]) -> np.ndarray:
    """The picture that shows the technique best."""
    return closer(name, pictures, THUMBNAIL)[1 if name in pail.ELEVEN else 0]


def tile(name: str, pictures: dict[str, np.ndarray]) -> Image.Image:
    """One technique of the gallery."""
    sheet = Image.new("RGBA", (2 * SIDE + GAP, TITLE + SIDE), PAPER)
    text = ImageDraw.Draw(sheet)
    text.text((0, 2), name, INK, ImageFont.load_default(size=27))
    text.text((0, 34), pai.TECHNIQUES[name].family, INK, ImageFont.load_default(size=21))
    for index, picture in enumerate(closer(name, pictures, SIDE)):
        sheet.paste(Image.fromarray(picture), (index * (SIDE + GAP), TITLE))
    return sheet


def legend(lines: str) -> Image.Image:
    """The tile that explains the others."""
    sheet = Image.new("RGBA", (2 * SIDE + GAP, TITLE + SIDE), PAPER)
    font = ImageFont.load_default(size=24)
    ImageDraw.Draw(sheet).text((GAP, TITLE + 30), lines, INK, font, spacing=12)
    return sheet


def together(tiles: list[Image.Image]) -> Image.Image:
    """The tiles in columns."""
    width, height = tiles[0].width + 3 * GAP, tiles[0].height + 2 * GAP
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * width - GAP, rows * height), PAPER)
    for index, picture in enumerate(tiles):
        sheet.paste(picture, (GAP + index % COLUMNS * width, GAP + index // COLUMNS * height))
    return sheet


def row(pictures: dict[str, np.ndarray]) -> Image.Image:
    """All pictures of a technique next to each other, whole and pixel by pixel, with their names above."""
    side = pictures["mask"].shape[0]
    sheet = Image.new("RGB", (len(pictures) * (side + GAP) - GAP, HEADER + side), "white")
    for index, (title, picture) in enumerate(pictures.items()):
        left = index * (side + GAP)
        ImageDraw.Draw(sheet).text((left, GAP), title, "black", ImageFont.load_default(size=17))
        sheet.paste(Image.fromarray(picture).convert("RGB").resize((side, side)), (left, HEADER))
    return sheet


def main(folder: Path, readme: bool) -> None:
    made = {name: insert(name) for name in pail.TECHNIQUES}
    folder.mkdir(parents=True, exist_ok=True)
    sheets = {"part": part(), "part-narrow": part_narrow()}
    for sheet, lines in LEGENDS.items():
        names = [name for name in made if (name in pail.ELEVEN) == (sheet == "gallery")]
        sheets[sheet] = together([*(tile(name, made[name]) for name in names), legend(lines)])
    for name, pictures in made.items():
        path = (
            folder / ("techniques" if readme else pai.TECHNIQUES[name].family) / f"{name}.{'jpg' if readme else 'png'}"
        )
        path.parent.mkdir(exist_ok=True)
        single = Image.fromarray(thumbnail(name, pictures)) if readme else row(pictures)
        single.save(path, quality=82)
        print(path)
    for sheet, picture in sheets.items():
        path = folder / f"{sheet}.{'webp' if readme else 'png'}"
        white = Image.new("RGBA", picture.size, "white")
        (picture if readme else Image.alpha_composite(white, picture).convert("RGB")).save(path, quality=82)
        print(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A picture of every technique.")
    parser.add_argument("folder", nargs="?", type=Path, help="where to; results, or docs/pictures with --readme")
    parser.add_argument("--readme", action="store_true", help="make the README's pictures")
    arguments = parser.parse_args()
    default = ROOT / ("docs/pictures" if arguments.readme else "results")
    main(arguments.folder or default, arguments.readme)
