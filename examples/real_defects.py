"""Show your own real defects, and what they look like on your good images.

    python examples/real_defects.py path/to/folder                       # photographs with masks or annotations
    python examples/real_defects.py path/to/folder --good path/to/good   # good images elsewhere
    python examples/real_defects.py --demo                               # without a folder

Writes `bank.png`, the defects that were read with their outlines, and `pasted.png`, some of them on good images, to the
folder `--out`. Good images are those in the folder that have no defect.

Exit status: 0 done, 1 if there is no good image, so that only `bank.png` is written, 2 wrong arguments.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import pail
from pail.io.select import normal_images, select
from pail.pixels.panels import view
from pail.reading import Images

COLUMNS = ("paste", "transfer", "poisson")
SIDE = 420  # pixels of the longer side of a picture
GAP, TITLE = 8, 28  # pixels between pictures, and of the line above them


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="or an annotation file")
    parser.add_argument("--good", help="good images: a folder, a glob pattern, or a list of paths")
    parser.add_argument("--demo", action="store_true", help="use a folder that is made for this")
    parser.add_argument("--rows", type=int, default=4, help="of pasted.png")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/real_defects"))
    options = parser.parse_args(arguments)
    if (options.folder is None) != options.demo:
        parser.error("name a folder, or --demo")
    return options


def good_images(folder: Path, bank: pail.Defects) -> list[Path]:
    """The images of the folder without a defect; in a category of MVTec AD, those of train/good."""
    root = folder if folder.is_dir() else folder.parent
    try:
        found, _ = normal_images("folder", select("folder", root), (), lambda place, name: "mask" in name)
    except ValueError:  # a layout with defects, but without a single folder of good images
        return []
    paths = [Path(found.root) / name for name in found.names]
    with_defects = {Path(photograph).resolve() for photograph in bank.photographs if isinstance(photograph, Path)}
    return [path for path in paths if path.resolve() not in with_defects]


def pasted(bank: pail.Defects, images: Images, rows: int, seed: int) -> Image.Image:
    """A row for each of a few good images: for each kind of blending, the image with the outline, and a detail."""
    lines = []
    for row in range(rows):
        image = images[row * len(images) // rows]
        cells = []
        for blend in COLUMNS:
            result = pail.Anomaly_Insertion().real_defect(image, bank, blend=blend, roi="foreground", rng=(seed, row))
            cells += view(image, result.i_a, result.m_a, SIDE, detail=SIDE // 2)[:2]
        height = max(cell.shape[0] for cell in cells) + GAP
        lines.append(np.hstack([padded(cell, height, cell.shape[1] + GAP) for cell in cells]))
    width = max(line.shape[1] for line in lines)
    title = np.full((TITLE, width, 3), 255, np.uint8)
    sheet = Image.fromarray(np.vstack([title, *(padded(line, len(line), width) for line in lines)]))
    for column, blend in enumerate(COLUMNS):
        ImageDraw.Draw(sheet).text((column * width // len(COLUMNS), 2), blend, "black", ImageFont.load_default(18))
    return sheet


def padded(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The image with white below and on the right."""
    space = (0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)
    return np.pad(image, space, constant_values=255)


def make_demo(folder: Path) -> None:
    """Bricks with holes, each with a mask next to it, and bricks without holes."""
    import skimage.data

    wall = skimage.data.brick()
    rng = np.random.default_rng(0)
    for number in range(6):
        top, left = rng.integers(0, 256, 2)
        image = wall[top : top + 256, left : left + 256].copy()
        if number < 4:
            mask = np.zeros(image.shape, np.uint8)
            center = tuple(int(v) for v in rng.integers(60, 196, 2))
            cv2.ellipse(mask, center, (6 + 4 * number, 9), 40 * number, 0, 360, 255, -1)
            image[mask > 0] //= 3
            cv2.imwrite(str(folder / f"{number}_mask.png"), mask)
        cv2.imwrite(str(folder / f"{number}.png"), image)
    (folder / "good").mkdir()
    for number in (4, 5):
        (folder / f"{number}.png").rename(folder / "good" / f"{number}.png")


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    if options.demo:
        options.folder = Path(tempfile.mkdtemp())
        make_demo(options.folder)
    bank = pail.Defects.read(options.folder)
    print(bank)
    options.out.mkdir(parents=True, exist_ok=True)
    bank.show().save(options.out / "bank.png")
    good = options.good or good_images(options.folder, bank)
    if not good:
        print(options.out / "bank.png")
        raise SystemExit("The folder has no image without a defect to paste these on: --good FOLDER names good images")
    images = Images("good", good)
    print(f"{len(images)} good images")
    pasted(bank, images, min(options.rows, len(images)), options.seed).save(options.out / "pasted.png")
    print(options.out / "bank.png", options.out / "pasted.png")


if __name__ == "__main__":
    main()
