"""Pseudo-anomalies in your own images: a labeled picture of each, to see which techniques suit them.

    python examples/on_your_images.py FOLDER [--source TEXTURES] [--techniques NAME ...] [--out OUT] [--seed 0]

Data sets of any size are made by `pail generate`, and a sheet of all techniques by `pail preview`.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from PIL import Image, ImageOps

import pail
from pail import pai


def images_of(folder: Path) -> dict[str, Image.Image]:
    """The images of a folder by file name. Other files are reported and left out; a folder without images is an
    error."""
    if not folder.is_dir():
        sys.exit(f"{folder} is not a folder")
    images = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        try:
            images[path.name] = ImageOps.exif_transpose(Image.open(path))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            print(f"{path.name} is left out: {error}", file=sys.stderr)
    if not images:
        sys.exit(f"there is no image in {folder}")
    return images


def main(arguments: argparse.Namespace) -> None:
    images = images_of(arguments.folder)
    sources = list(images_of(arguments.source).values()) if arguments.source else None
    arguments.out.mkdir(parents=True, exist_ok=True)
    insertion = pai.Anomaly_Insertion()
    stems = Counter(Path(name).stem for name in images)
    for index, (name, i_n) in enumerate(images.items()):
        result = insertion.insert(i_n, sources, techniques=arguments.techniques, rng=(arguments.seed, index))
        i_a, m_a = result
        stem = Path(name).stem
        path = arguments.out / f"{stem if stems[stem] == 1 else name.replace('.', '_')}.png"
        pail.show(i_n, i_a, m_a).save(path)
        print(f"{path}: {result.techniques[0]}, {(m_a > 0).mean():.1%} of the image")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pseudo-anomalies in your own images.")
    parser.add_argument("folder", type=Path, help="your normal images")
    parser.add_argument("--source", type=Path, help="a folder of textures; without it the images themselves")
    parser.add_argument("--techniques", nargs="+", choices=[*pai.TECHNIQUES, "SFI", "SBI", "hybrid"], metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("results/on_your_images"))
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args())
