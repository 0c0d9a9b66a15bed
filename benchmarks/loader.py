"""How fast the PyTorch data set is compared with decoding and inserting by hand, with 0, 1 and 2 workers.

Prints a table and writes it to docs/maintainers/performance.md and results/loader.json.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

import cv2
import numpy as np
import torch
from pages import PERFORMANCE, fill
from PIL import Image
from torch.utils.data import DataLoader, default_collate

from pail import pai, warm_up
from pail.torch import PseudoAnomalyDataset

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {"added": 0.15, "two workers": 1.7, "first batch": 1.0}
SIDE, BATCH = 256, 16
WORKERS = (0, 1, 2)
Seconds = dict[str, list[float]]


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


class ByHand:
    """The code that a user would write without the data set."""

    def __init__(self, files: list[Path], sources: list[Path]) -> None:
        self.files, self.sources, self.insertion = files, sources, pai.Anomaly_Insertion()

    def arrays(self, epoch: int, first: int) -> list[Any]:
        """A batch of images, decoded and with an anomaly each, and their masks."""
        return [
            self.insertion.insert(decode(self.files[index]), self.source, rng=(0, epoch, index))
            for index in range(first, first + BATCH)
        ]

    def tensors(self, epoch: int, first: int) -> Any:
        """A complete batch of the data set: float32 (C, H, W) in [0, 1], and masks of 0 and 1, collated."""
        samples = []
        for index, parts in enumerate(self.arrays(epoch, first), first):
            image, mask = (torch.from_numpy(part).permute(2, 0, 1).contiguous().float() / 255 for part in parts)
            samples.append({"image": image, "mask": mask, "label": 1, "index": index})
        return default_collate(samples)

    def source(self, rng: np.random.Generator) -> np.ndarray:
        return decode(self.sources[int(rng.random() * len(self.sources))])

    def pass_of_half(self, epoch: int, half: int) -> None:
        for first in range(half * BATCH, len(self.files), 2 * BATCH):
            self.tensors(epoch, first)


def timed(function: Callable[..., Any], *arguments: Any) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def in_turns(by_hand: ByHand, data: PseudoAnomalyDataset, epoch: int, seconds: Seconds) -> None:
    """Seconds of each batch in three ways, of the same images with the same anomalies.

    Each batch is made in all three ways in alternating order, so that other load of the machine slows all three
    equally.
    """
    data.set_epoch(epoch)
    batches = iter(DataLoader(data, batch_size=BATCH))
    ways = {
        "by hand": lambda first: by_hand.arrays(epoch, first),
        "tensors": lambda first: by_hand.tensors(epoch, first),
        "data set": lambda first: next(batches),
    }
    for turn, first in enumerate(range(0, len(data), BATCH)):
        for name in [*ways, *ways][turn % 3 : turn % 3 + 3]:
            seconds.setdefault(name, []).append(timed(ways[name], first))


def with_workers(
    by_hand: ByHand, data: PseudoAnomalyDataset, in_bytes: PseudoAnomalyDataset, epoch: int, seconds: Seconds
) -> None:
    """Seconds of passes with each number of workers, of their first batches, and of two processes by hand.

    Samples of uint8 become float tensors in the main process, which is part of their time.
    """
    data.set_epoch(epoch)
    in_bytes.set_epoch(epoch)
    for workers in WORKERS:
        for name, some in (("", data), (" uint8", in_bytes)):
            start, first = time.perf_counter(), 0.0
            for batch in DataLoader(
                some, batch_size=BATCH, num_workers=workers, multiprocessing_context="fork" if workers else None
            ):
                if some is in_bytes:  # as a training does on its device
                    batch["image"].float().div_(255), batch["mask"].float()
                first = first or time.perf_counter() - start
            seconds.setdefault(f"{workers} workers{name}", []).append(time.perf_counter() - start)
            seconds.setdefault(f"{workers} first{name}", []).append(first)
    seconds.setdefault("two processes", []).append(timed(two_processes, by_hand, epoch))


def two_processes(by_hand: ByHand, epoch: int) -> None:
    """A pass by hand, shared by two processes that send nothing back: an upper bound for two cores."""
    context = multiprocessing.get_context("fork")
    halves = [context.Process(target=by_hand.pass_of_half, args=(epoch, half)) for half in (0, 1)]
    for process in halves:
        process.start()
    for process in halves:
        process.join()


def measure(count: int, rounds: int) -> Seconds:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    warm_up()
    seconds: Seconds = {}
    with tempfile.TemporaryDirectory() as name:
        files, sources = write_images(Path(name), count, 0), write_images(Path(name), 16, 1)
        data, by_hand = PseudoAnomalyDataset(files, sources, p_anomaly=1), ByHand(files, sources)
        in_bytes = PseudoAnomalyDataset(files, sources, p_anomaly=1, dtype=torch.uint8)
        in_turns(by_hand, data, 0, {})
        for epoch in range(1, rounds + 1):
            in_turns(by_hand, data, epoch, seconds)
            with_workers(by_hand, data, in_bytes, epoch, seconds)
    return seconds


def ratio(seconds: Seconds, above: str, below: str) -> float:
    """The median ratio of times that were measured alternately."""
    return statistics.median(a / b for a, b in zip(seconds[above], seconds[below], strict=True))


def table(seconds: Seconds, count: int) -> list[str]:
    rates = {name: BATCH / statistics.median(seconds[name]) for name in ("by hand", "tensors", "data set")}
    firsts = {workers: statistics.median(seconds[f"{workers} first"]) for workers in WORKERS}
    added, added_tensors = (ratio(seconds, "data set", name) - 1 for name in ("by hand", "tensors"))
    gain, most = (ratio(seconds, "0 workers", name) for name in ("2 workers", "two processes"))
    missed = [
        name
        for name, is_missed in (
            ("added", added > TARGETS["added"]),
            ("two workers", gain < TARGETS["two workers"]),
            ("first batch", max(firsts.values()) > TARGETS["first batch"]),
        )
        if is_missed
    ]
    return [
        "| | images/s | first batch of an epoch, s |",
        "|---|---|---|",
        f"| decoding and inserting by hand | {rates['by hand']:.0f} | |",
        f"| the same, plus making batches of float tensors | {rates['tensors']:.0f} | |",
        f"| the data set in a loader, 0 workers | {rates['data set']:.0f} | {firsts[0]:.2f} |",
        *(
            f"| {workers} worker{'s' * (workers > 1)}{name.replace(' ', ', ')} "
            f"| {count / statistics.median(seconds[f'{workers} workers{name}']):.0f} "
            f"| {statistics.median(seconds[f'{workers} first{name}']):.2f} |"
            for workers in WORKERS[1:]
            for name in ("", " uint8")
        ),
        "",
        f"A loader without workers takes {added:+.0%} time compared with decoding and inserting by hand "
        "(target: less than "
        f"{TARGETS['added']:+.0%}), and {added_tensors:+.0%} compared with also making batches of float "
        "tensors. Two workers "
        f"deliver {gain:.2f} times the samples of none (target: {TARGETS['two workers']}); two separate "
        f"processes, which send no data to each other, reach {most:.2f} times. The slowest first batch arrived after "
        f"{max(firsts.values()):.2f} s "
        f"(target: {TARGETS['first batch']:g} s). With `dtype=torch.uint8` two workers make "
        f"{ratio(seconds, '2 workers', '2 workers uint8'):.2f} times as many as with float32, their "
        f"conversion included. Missed: {', '.join(missed) or 'none'}.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=480, help="a multiple of the batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    count = max(1, options.images // BATCH) * BATCH
    seconds = measure(count, options.rounds)
    head = (
        f"{SIDE}x{SIDE} JPEG files, each with an anomaly of any of the eleven techniques, batches of {BATCH}, fork; "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}. The "
        "ratios are medians over "
        f"{len(seconds['by hand'])} batches, each made in all ways alternately, and over {options.rounds} "
        "passes with workers."
    )
    lines = [head, "", *table(seconds, count)]
    print("\n".join(lines))
    if options.dry:
        return
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    (results / "loader.json").write_text(json.dumps(seconds, indent=1))
    fill(PERFORMANCE, "loader", lines)


if __name__ == "__main__":
    main()
