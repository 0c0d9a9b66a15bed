"""The gallery: every technique on a bundled photograph, the normal image next to the result with its mask's outline.

python examples/gallery.py [FOLDER]    # FOLDER/gallery.png and FOLDER/<family>/<technique>.png; results by default
python examples/gallery.py --readme    # the pictures of the README: docs/pictures/gallery.jpg and techniques/*.jpg
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
HEADER = 34  # of a technique's own picture
FACTS = ("normal image", "source", "result", "mask", "difference")

# The photographs and the seed of each technique; what is registered in addition gets the last.
SCENES = {
    "cutpaste": ("example_3", None, 6),
    "cutpaste_scar": ("example_5", None, 1),
    "simplex_noise_anomlay": ("example_1", None, 9),
    "random_perturbation": ("example_2", None, 1),
    "hard_aug_cutpaste": ("example_0", None, 7),
    "perlin_noise_pattern": ("example_3", "wood", 9),
    "superpixel_anomaly": ("example_0", "gravel", 3),
    "perlin_with_roi_anomaly": ("example_1", "wood", 6),
    "rand_augmented_cut_paste": ("example_5", "gravel", 6),
    "fract_aug": ("example_4", "gravel", 7),
    "affined_anomlay": ("example_2", "wood", 9),
    "real_defect": ("wood", None, 2),
    "nsa": ("example_2", "example_3", 8),
    "glass": ("example_1", "veined_red", 26),
    "scratch": ("example_4", None, 3),
    "crack": ("example_0", None, 3),
    "stain": ("example_4", None, 1),
    "pitting": ("example_1", None, 3),
    "dent": ("example_0", None, 3),
    "chip": ("example_1", None, 3),
    "fiber": ("example_4", None, 5),
    "corrosion": ("example_1", None, 3),
    "": ("example_0", None, 0),
}


def photograph(name: str) -> np.ndarray:
    folder = "example_img" if name.startswith("example") else "anom_source_imgs"
    return np.asarray(Image.open(ROOT / folder / f"{name}.jpg").convert("RGB"))


def bank() -> pail.Defects:
    """The gouge in the wood of a photograph."""
    table = photograph("example_4")
    gouge = cv2.line(np.zeros(table.shape[:2], np.uint8), (2, 158), (29, 124), 255, 11)
    return pail.Defects([table], [gouge], kinds=["gouge"])


def insert(name: str) -> dict[str, np.ndarray]:
    """The pictures of a technique, without "source" where it takes none."""
    normal, source, seed = SCENES.get(name, SCENES[""])
    i_n = photograph(normal)
    sources = {"anom_source_img": photograph(source)} if source else {}
    technique = pai.TECHNIQUES[name]
    more = {"defects": bank()} if technique.takes_defects else {}
    if technique.family == "defects":
        more = {"roi": "foreground", "severity": 0.8}
    i_a, m_a = getattr(pai.Anomaly_Insertion(), name)(i_n, **sources, **more, rng=seed)
    difference = np.abs(i_a.astype(int) - i_n).max(axis=2).astype(np.uint8)
    values = (i_n, *sources.values(), i_a, m_a[..., 0], difference)
    return dict(zip([fact for fact in FACTS if sources or fact != "source"], values, strict=True))


def window(mask: np.ndarray) -> tuple[slice, slice]:
    """A square around the whole mask, at least 0.45 of the image's side, so that a small anomaly is seen too."""
    left, top, width, height = cv2.boundingRect(mask)
    side = min(max(round(1.5 * max(width, height)), round(0.45 * min(mask.shape))), *mask.shape)
    x = min(max(0, left + width // 2 - side // 2), mask.shape[1] - side)
    y = min(max(0, top + height // 2 - side // 2), mask.shape[0] - side)
    return slice(y, y + side), slice(x, x + side)


def closer(pictures: dict[str, np.ndarray], side: int) -> tuple[np.ndarray, np.ndarray]:
    """The normal image and the outlined result, both in the window, at `side` pixels."""
    part = window(pictures["mask"])
    normal, result = (fit(pictures[key][part], side) for key in ("normal image", "result"))
    return normal, outline(result, pictures["mask"][part])


def card(name: str, pictures: dict[str, np.ndarray]) -> Image.Image:
    """The result alone. What has a name is known without an outline, which would hide thin lines."""
    if pai.TECHNIQUES[name].family in ("real", "defects"):
        return Image.fromarray(fit(pictures["result"][window(pictures["mask"])], THUMBNAIL))
    return Image.fromarray(closer(pictures, THUMBNAIL)[1])


def tile(name: str, pictures: dict[str, np.ndarray]) -> Image.Image:
    """One technique of the gallery."""
    sheet = Image.new("RGB", (2 * SIDE + GAP, TITLE + SIDE), "white")
    text = ImageDraw.Draw(sheet)
    text.text((0, 2), name, "black", ImageFont.load_default(size=27))
    text.text((0, 34), pai.TECHNIQUES[name].family, "dimgray", ImageFont.load_default(size=21))
    for index, picture in enumerate(closer(pictures, SIDE)):
        sheet.paste(Image.fromarray(picture), (index * (SIDE + GAP), TITLE))
    return sheet


def legend() -> Image.Image:
    """The tile that explains the others."""
    sheet = Image.new("RGB", (2 * SIDE + GAP, TITLE + SIDE), "white")
    lines = (
        "left: normal image\nright: pseudo-anomaly, its exact mask outlined\n\n"
        "SFI: source-free, from the image itself\nSBI: source-based, from a second image\nhybrid: either"
    )
    ImageDraw.Draw(sheet).text((GAP, TITLE + 30), lines, "dimgray", ImageFont.load_default(size=24), spacing=12)
    return sheet


def together(tiles: list[Image.Image]) -> Image.Image:
    """The tiles in columns."""
    width, height = tiles[0].width + 3 * GAP, tiles[0].height + 2 * GAP
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width - GAP, rows * height), "white")
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
    made = {name: insert(name) for name in pai.TECHNIQUES}
    picture = together([*(tile(name, made[name]) for name in pail.ELEVEN), legend()])
    folder.mkdir(parents=True, exist_ok=True)
    for name, pictures in made.items():
        path = (
            folder / ("techniques" if readme else pai.TECHNIQUES[name].family) / f"{name}.{'jpg' if readme else 'png'}"
        )
        path.parent.mkdir(exist_ok=True)
        single = card(name, pictures) if readme else row(pictures)
        single.save(path, quality=82)
        print(path)
    path = folder / ("gallery.jpg" if readme else "gallery.png")
    picture.save(path, quality=82)
    print(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A picture of every technique.")
    parser.add_argument("folder", nargs="?", type=Path, help="where to; results, or docs/pictures with --readme")
    parser.add_argument("--readme", action="store_true", help="make the README's pictures")
    arguments = parser.parse_args()
    default = ROOT / ("docs/pictures" if arguments.readme else "results")
    main(arguments.folder or default, arguments.readme)
