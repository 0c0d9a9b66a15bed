"""Every technique at every size, on one thread, with new random numbers in each round. Run by report.py, which prints
the table."""

import os
import threading
import time
from functools import cache
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import cv2
import numpy as np
import psutil
import pytest

import pail
from pail import pai

ROOT = Path(__file__).resolve().parent.parent
SIZES = [(256, 256), (512, 512), (1024, 1024), (1080, 1920), (4096, 4096)]
CHANNELS = {"gray": None, "RGB": 3}
CONTROL = {"roi": "roi", "severity": 0.5, "record": True}
cv2.setNumThreads(1)


@cache
def bundled(folder: str, shape: tuple[int, int], channels: int | None) -> np.ndarray:
    """The first bundled image of a folder at a size, read-only."""
    path = sorted((ROOT / folder).iterdir())[0]
    image = cv2.resize(cv2.imread(str(path)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    image = image if channels else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    image.flags.writeable = False
    return image


@cache
def bank() -> pail.Defects:
    """A gouge in the wood of a bundled photograph."""
    table = cv2.imread(str(ROOT / "example_img" / "example_4.jpg"))
    gouge = cv2.line(np.zeros(table.shape[:2], np.uint8), (2, 158), (29, 124), 255, 11)
    return pail.Defects([table], [gouge])


def rounds(shape: tuple[int, int]) -> int:
    return 15 if max(shape) >= 4096 else 300 if max(shape) <= 512 else 60


def floor(image: np.ndarray, mask: np.ndarray, content: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least that any insertion does: copy, zeroed mask, masked paste on the mask's bounding box."""
    i_a, m_a = image.copy(), np.zeros((*image.shape[:2], 1), np.uint8)
    box = np.s_[: mask.shape[0], : mask.shape[1]]
    cv2.copyTo(content[box], mask, i_a[box])
    return i_a, m_a


def peak_memory(function) -> int:
    """Maximum of the resident memory during a call, in bytes, minus that before the call."""
    process, stop, seen = psutil.Process(), threading.Event(), []

    def watch():
        while not stop.is_set():
            seen.append(process.memory_info().rss)
            time.sleep(0.0005)

    start = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    function()
    stop.set()
    watcher.join()
    return max(0, max(seen, default=start) - start)


@pytest.mark.parametrize("shape", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("channels", CHANNELS)
def test_floor(benchmark, channels, shape):
    image = bundled("example_img", shape, CHANNELS[channels])
    mask = np.full((shape[0] // 4, shape[1] // 4), 255, np.uint8)
    benchmark.extra_info.update(technique="floor", shape=shape, channels=channels)
    benchmark.pedantic(floor, (image, mask, image), rounds=rounds(shape), iterations=1, warmup_rounds=3)


@pytest.mark.parametrize("shape", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("name", pai.TECHNIQUES)
def test_technique(benchmark, name, channels, shape):
    image = bundled("example_img", shape, CHANNELS[channels])
    source = bundled("anom_source_imgs", shape, CHANNELS[channels])
    technique = pai.TECHNIQUES[name]
    keywords = {"anom_source_img": source} if technique.family in ("SBI", "published") else {}
    keywords |= {"defects": bank()} if technique.takes_defects else {}
    method = getattr(pai.Anomaly_Insertion(rng=0), name)
    benchmark.pedantic(method, (image,), keywords, rounds=rounds(shape), iterations=1, warmup_rounds=3)
    memory = max(peak_memory(lambda: method(image, **keywords)) for _ in range(3))
    benchmark.extra_info.update(technique=name, shape=shape, channels=channels, memory=memory, image_bytes=image.nbytes)


@pytest.mark.parametrize("control", CONTROL)
@pytest.mark.parametrize("size", [256, 1024])
@pytest.mark.parametrize("name", [*pail.ELEVEN, "insert"])
def test_control(benchmark, name, size, control):
    """Measure the time that roi, severity and records add: each round times the plain and the controlled call
    alternately."""
    image, source = (bundled(folder, (size, size), 3) for folder in ("example_img", "anom_source_imgs"))
    roi = np.zeros((size, size), bool)
    roi[size // 8 : -size // 8, size // 8 : -size // 8] = True
    keywords = {"roi": {"roi": roi}, "severity": {"severity": 0.5}, "record": {}}[control]
    instance, technique = pai.Anomaly_Insertion(), "cutpaste" if name == "insert" else name
    taken = {"anom_source_img": source} if pai.TECHNIQUES[technique].family == "SBI" else {}
    plain, controlled = [], []
    for seed in range(rounds((size, size))):
        for times, extra in ((plain, {}), (controlled, keywords)):
            start = time.perf_counter()
            if name == "insert" and times is controlled:
                instance.insert(image, techniques="cutpaste", rng=seed)
            else:
                result = getattr(instance, technique)(image, rng=seed, **taken, **extra)
                if control == "record" and times is controlled:
                    result.record  # noqa: B018
            times.append(time.perf_counter() - start)
    benchmark.extra_info.update(
        technique=name,
        control=control,
        size=size,
        plain=float(np.median(plain)),
        controlled=float(np.median(controlled)),
    )
    benchmark.pedantic(lambda: None, rounds=1)
