"""How fast the PyTorch data set is beside decoding and inserting by hand, with 0, 1 and 2 workers.

Prints a table and writes it to docs/training.md and results/loader.json.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

import cv2
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader

from pail import pai, warm_up
from pail.torch import PseudoAnomalyDataset

ROOT = Path(__file__).resolve().parent.parent
MARKER = "## How fast"  # the last section of the page, which this script writes
TARGETS = {"added": 0.15, "two workers": 1.7, "first batch": 1.0}
SIDE, BATCH = 256, 16


def write_images(folder: Path, count: int, seed: int) -> list[Path]:
    """Photograph-like JPEG files: structure at several scales and some noise."""
    rng, files = np.random.default_rng(seed), []
    for index in range(count):
        image = np.full((SIDE, SIDE, 3), 118, np.float32)
        for cells in (2, 5, 12, 40):
            grid = rng.normal(0, 90 / cells**0.5, (cells, cells, 3)).astype(np.float32)
            image += cv2.resize(grid, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        image = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
        files.append(folder / f"{seed}_{index:03}.jpg")
        Image.fromarray(image).save(files[-1], quality=92)
    return files


def decode(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.array(image.convert("RGB"))


def by_hand(files: list[Path], sources: list[Path], epoch: int, *, batches: bool) -> float:
    """Seconds to decode each image, to insert an anomaly into it and, with `batches`, to stack float tensors."""
    insertion, tensors = pai.Anomaly_Insertion(), []
    start = time.perf_counter()
    for index, file in enumerate(files):
        i_a, m_a = insertion.insert(
            decode(file), lambda rng: decode(sources[int(rng.random() * len(sources))]), rng=(0, epoch, index)
        )
        if batches:
            tensors.append([torch.from_numpy(part).permute(2, 0, 1).float() / 255 for part in (i_a, m_a)])
        if len(tensors) == BATCH:
            for part in zip(*tensors, strict=True):
                torch.stack(part)
            tensors.clear()
    return time.perf_counter() - start


def by_loader(loader: DataLoader, data: PseudoAnomalyDataset, epoch: int) -> tuple[float, float]:
    """Seconds of a pass, and of its first batch."""
    data.set_epoch(epoch)
    start, first = time.perf_counter(), 0.0
    for _ in loader:
        first = first or time.perf_counter() - start
    return time.perf_counter() - start, first


def measure(count: int, rounds: int) -> dict[str, float]:
    """Medians over rounds that are taken in turns, so that a busy machine slows all alike."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    warm_up()
    with tempfile.TemporaryDirectory() as name:
        files, sources = write_images(Path(name), count, 0), write_images(Path(name), 16, 1)
        data = PseudoAnomalyDataset(files, sources, p_anomaly=1)
        loaders = {workers: DataLoader(data, batch_size=BATCH, num_workers=workers) for workers in (0, 1, 2)}
        seconds: dict[str, list[float]] = {}
        for epoch in range(rounds):
            seconds.setdefault("by hand", []).append(by_hand(files, sources, epoch, batches=False))
            seconds.setdefault("batches", []).append(by_hand(files, sources, epoch, batches=True))
            for workers, loader in loaders.items():
                total, first = by_loader(loader, data, epoch)
                seconds.setdefault(f"{workers} workers", []).append(total)
                seconds.setdefault(f"{workers} first", []).append(first)
    return {key: statistics.median(values) for key, values in seconds.items()}


def table(seconds: dict[str, float], count: int) -> list[str]:
    lines = ["| | images/s | first batch of an epoch, s |", "|---|---|---|"]
    lines.append(f"| decoding and inserting by hand | {count / seconds['by hand']:.0f} | |")
    lines.append(f"| and stacking float tensors | {count / seconds['batches']:.0f} | |")
    for workers in (0, 1, 2):
        rate, first = count / seconds[f"{workers} workers"], seconds[f"{workers} first"]
        lines.append(f"| {workers} workers | {rate:.0f} | {first:.2f} |")
    stacked = seconds["0 workers"] / seconds["batches"] - 1
    added = seconds["0 workers"] / seconds["by hand"] - 1
    gain = seconds["0 workers"] / seconds["2 workers"]
    slowest = max(seconds[f"{workers} first"] for workers in (0, 1, 2))
    missed = [
        name
        for name, is_missed in (
            ("added", added > TARGETS["added"]),
            ("two workers", gain < TARGETS["two workers"]),
            ("first batch", slowest > TARGETS["first batch"]),
        )
        if is_missed
    ]
    return [
        *lines,
        "",
        f"The data set adds {added:.0%} to decoding and inserting by hand (target {TARGETS['added']:.0%}), "
        f"{stacked:.0%} where that stacks batches of float tensors as well; two workers make "
        f"{gain:.2f} times the samples of none (target {TARGETS['two workers']}); the slowest first batch came after "
        f"{slowest:.2f} s (target {TARGETS['first batch']:g}). Missed: {', '.join(missed) or 'none'}.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=480)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    seconds = measure(options.images, options.rounds)
    head = (
        f"{SIDE}x{SIDE} JPEG files, an anomaly of any of the eleven techniques in each, batches of {BATCH}, fork; "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}, medians of {options.rounds} passes."
    )
    lines = [head, "", *table(seconds, options.images)]
    print("\n".join(lines))
    if options.dry:
        return
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    (results / "loader.json").write_text(json.dumps(seconds, indent=1))
    page = ROOT / "docs" / "training.md"
    page.write_text(page.read_text().split(MARKER)[0].rstrip() + f"\n\n{MARKER}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
