"""End to end: `pail.generate` against a bare loop that decodes, resizes and encodes the same images.

    python benchmarks/dataset.py [number of images]

The bare loop does what any tool has to do: for each image of the set it reads a file, resizes it, encodes it and its
mask as PNG of the same level, and writes both. It inserts nothing. Times are the best of several turns; what counts
are the ratios.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import psutil

import pail
from pail.dataset.images import decode, encode

ROOT = Path(__file__).resolve().parent.parent
TURNS = 3


def inputs(folder: Path, side: int) -> tuple[Path, Path]:
    """The example images at twice the side (as cameras give more than models take), and the sources."""
    normals = folder / "normals"
    normals.mkdir()
    images = [cv2.imread(str(path)) for path in sorted((ROOT / "example_img").glob("*.jpg"))]
    for number in range(12):
        image = cv2.resize(np.roll(images[number % len(images)], 7 * number, axis=1), (side, side))
        cv2.imwrite(str(normals / f"{number:02}.png"), image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return normals, ROOT / "anom_source_imgs"


def bare(normals: Path, out: Path, side: int, number: int, level: int = 1) -> float:
    """Seconds for `number` images and masks."""
    names = sorted(normals.glob("*.png"))
    mask = np.zeros((side, side), np.uint8)
    mask[side // 4 : side // 2, side // 4 : side // 2] = 255
    out.mkdir()
    start = time.perf_counter()
    for index in range(number):
        image = cv2.resize(decode(names[index % len(names)].read_bytes()), (side, side))
        (out / f"{index:06}.png").write_bytes(encode(image, "png", level))
        (out / f"{index:06}_mask.png").write_bytes(encode(mask, "png", level))
    return time.perf_counter() - start


def whole(folder: Path, out: Path, side: int, number: int, workers: int, level: int = 1) -> float:
    """Seconds for `number` anomalous images, the mix of all techniques."""
    start = time.perf_counter()
    pail.generate(
        folder / "normals",
        out,
        source=ROOT / "anom_source_imgs",
        number=number,
        size=(side, side),
        layout="flat",
        compression=level,
        workers=workers,
    )
    return time.perf_counter() - start


def best(function, *arguments) -> float:
    times = []
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            times.append(function(*arguments[:1], Path(folder) / "out", *arguments[1:]))
    return min(times)


def memory(folder: Path, side: int, number: int) -> list[int]:
    """MB of the largest worker, over the run."""
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            workers = [p for p in psutil.Process().children(recursive=True) if "loky" in " ".join(p.cmdline())]
            sizes = [p.memory_info().rss >> 20 for p in workers]
            if sizes:
                seen.append(max(sizes))

    watcher = threading.Thread(target=watch)
    watcher.start()
    out = folder / "memory"
    whole(folder, out, side, number, 2)
    done.set()
    watcher.join()
    shutil.rmtree(out)
    return seen


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    cv2.setNumThreads(1)
    for side, count in ((256, number), (1024, max(32, number // 4))):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            inputs(folder, side)
            whole(folder, folder / "warm", side, 64, 2)  # compiles, starts the workers
            loop = best(bare, folder / "normals", side, count)
            slow = best(bare, folder / "normals", side, count, 6)
            one, two = (best(whole, folder, side, count, workers) for workers in (1, 2))
            seen = memory(folder, side, count)
            print(
                f"{side}: bare loop {1000 * loop / count:.1f} ms an image (level 6: {slow / loop:.1f} x), "
                f"one process {one / loop:.2f} x of it, two {one / two:.2f} x the throughput, "
                f"largest worker {max(seen, default=0)} MB (in the middle {seen[len(seen) // 2] if seen else 0})"
            )


if __name__ == "__main__":
    main()
