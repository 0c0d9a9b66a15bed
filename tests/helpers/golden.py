"""Record the results of a few calls of each technique as checksums and pictures; see tests/golden/README.md.

``python tests/helpers/golden.py`` writes all of them again; with names of techniques, only those. That is a decision,
with a line in the changelog.
"""

import argparse
import importlib.metadata
import json
import platform
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
from common import ALL, as_type, call, photograph

from pail.call.record import stack

FOLDER = Path(__file__).parents[1] / "golden"
CHECKSUMS = FOLDER / "checksums.json"
SIDE = 64


def opencv():
    return cv2.__version__.split(".")[0]


def versions():
    """The packages on which the bytes of the pictures depend."""
    return {**stack(), "opensimplex": importlib.metadata.version("opensimplex"), "machine": platform.machine()}


def checksum(name):
    """The checksum of the images and masks of four calls: regions, bit depths, severities."""
    roi = np.zeros((97, 118), bool)
    roi[20:70, 30:90] = True
    image, source = photograph(97, 118), photograph(61, 47, seed=1)
    deep = as_type(image, "uint16")
    calls = [
        (image, source, {}),
        (image, None, {"roi": roi}),
        (image[..., 0], source, {"severity": 0.7}),
        (deep, source, {"roi": roi, "severity": (0.2, 0.9)}),
    ]
    total = 0
    for seed, (normal, texture, keywords) in enumerate(calls):
        for part in call(name, normal, texture, rng=(7, seed), **keywords):
            total = zlib.crc32(part.tobytes(), total)
    return f"{total:08x}"


def scene():
    """A brushed disk on a dark background, and tiles as source; computed with integers, so equal in all versions."""
    rows, columns = np.indices((SIDE, SIDE))
    ground = 40 + rows // 4 + (rows * columns) % 7
    disc = 140 + columns // 2 + (rows * 5) % 11
    part = np.where((rows - 31) ** 2 + (columns - 33) ** 2 < 26**2, disc, ground)
    tiles = 60 + 120 * ((rows // 8 + columns // 8) % 2) + (rows + columns) % 9
    colors = np.array([0, -12, 18])
    return (part[..., None] + colors).astype(np.uint8), (tiles[..., None] + colors[::-1]).astype(np.uint8)


def picture(name, seed=1):
    """The image on the left and its mask on the right: uint8 (SIDE, 2 * SIDE, 3), RGB."""
    i_a, m_a = call(name, *scene(), severity=0.8, rng=seed)
    return np.hstack([i_a, np.repeat(m_a, 3, axis=2)])


def read(path):
    image = cv2.imread(str(path))
    assert image is not None, f"{path} is missing: run python tests/helpers/golden.py, and look at what it writes"
    return image[..., ::-1]


def write(path, image):
    assert cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


def main(words=None):
    parser = argparse.ArgumentParser(
        description="Write the recorded checksums and pictures of techniques again; see tests/golden/README.md."
    )
    parser.add_argument("techniques", nargs="*", metavar="technique", help=f"by default all: {', '.join(ALL)}")
    wanted = parser.parse_args(words).techniques
    for name in wanted:
        if name not in ALL:
            parser.error(f"a technique must be one of {', '.join(ALL)}, got {name!r}")
    made_with, sums = {"opencv": opencv(), "pictures": versions()}, {}
    if wanted:
        recorded = json.loads(CHECKSUMS.read_text(encoding="utf-8"))
        sums = recorded.pop("sums")
        if recorded != made_with:
            parser.error(
                f"the other techniques are recorded with {recorded}, and these are {made_with}: write all again"
            )
    sums = {name: checksum(name) if name in (wanted or ALL) else sums[name] for name in ALL}
    CHECKSUMS.write_text(json.dumps({**made_with, "sums": sums}, indent=2) + "\n", encoding="utf-8")
    for name in wanted or ALL:
        write(FOLDER / f"{name}.png", picture(name))
    sys.stdout.write(CHECKSUMS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
