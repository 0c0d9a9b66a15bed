"""Measures data sets end to end; prints the tables and writes them to results/dataset.json and to the pages under docs/."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import cv2
import numpy as np
from pages import DOCS, PERFORMANCE, fill
from report import versions

import pail

COUNTS = {256: 512, 1024: 128}  # images a run: whole chunks, and the same number for one and two processes
NORMALS = 12
REPEATS = 3
MEMORY_IMAGES = 320


def photographs(folder: Path, side: int) -> Path:
    """Normal images as PNG, a quarter larger than the output, so that they are decoded and resized."""
    target = folder / f"normals{side}"
    target.mkdir()
    originals = [cv2.imread(str(path)) for path in sorted((ROOT / "example_img").iterdir())]
    rng = np.random.default_rng(0)
    for index in range(NORMALS):
        original = originals[index % len(originals)]
        top, left = (int(rng.integers(0, max(1, length // 8))) for length in original.shape[:2])
        enlarged = cv2.resize(original[top:, left:], (side * 5 // 4, side * 5 // 4), interpolation=cv2.INTER_CUBIC)
        grain = rng.normal(
            0, 2, enlarged.shape
        )  # a photograph that was enlarged compresses better than one that was not
        cv2.imwrite(str(target / f"{index:02}.png"), np.clip(enlarged + grain, 0, 255).astype(np.uint8))
    return target


def bare(normals: Path, out: Path, side: int, count: int, compression: int = 1) -> float:
    """Seconds to decode, resize, encode and write the same images with the same encoder, inserting nothing."""
    paths = sorted(normals.iterdir())
    out.mkdir()
    cv2.setNumThreads(1)
    start = time.perf_counter()
    for index in range(count):
        image = cv2.imdecode(np.frombuffer(paths[index % len(paths)].read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, compression])[1]
        (out / f"{index:06}.png").write_bytes(data.tobytes())
    return time.perf_counter() - start


def made(normals: Path, out: Path, side: int, count: int, **keywords) -> float:
    """Seconds of `pail.generate`: images, masks, manifest and report."""
    start = time.perf_counter()
    summary = pail.generate(
        normals, out, source=ROOT / "anom_source_imgs", number=count, size=side, layout="flat", **keywords
    )
    seconds = time.perf_counter() - start
    assert (summary.anomalies, summary.status) == (count, 0)
    return seconds


def weight(folder: Path) -> float:
    """Bytes of an image and its mask, on average."""
    images = [path.stat().st_size for name in ("images", "masks") for path in (folder / name).glob("*.png")]
    return sum(images) / len(list((folder / "images").iterdir()))


def measure(side: int, folder: Path) -> dict:
    """Measure everything at one size in alternating runs, and take the best of each. The end of a set, which is run
    once, is listed separately."""
    normals, count = photographs(folder, side), COUNTS[side]
    made(normals, folder / f"warm{side}", side, 64, workers=2)  # starts the processes, compiles what numba compiles
    seconds: dict[str, list[float]] = {name: [] for name in ("bare", "one", "two", "end")}
    for turn in range(REPEATS):
        at = folder / f"{side}-{turn}"
        at.mkdir()
        seconds["bare"].append(bare(normals, at / "bare", side, count))
        seconds["one"].append(made(normals, at / "one", side, count, workers=1))
        seconds["two"].append(made(normals, at / "two", side, count, workers=2))
        seconds["end"].append(made(normals, at / "one", side, count, workers=1, resume=True))
    six = made(normals, at / "six", side, count, workers=1, compression=6)
    end = min(seconds["end"])
    each = {name: (min(seconds[name]) - end) / count for name in ("one", "two")}
    each |= {"bare": min(seconds["bare"]) / count, "six": (six - end) / count, "end": end}
    return {"side": side, "count": count, **each, "bytes": weight(at / "one"), "bytes 6": weight(at / "six")}


def memory(normals: Path, out: Path, side: int) -> dict:
    """MB of a process that makes a set, after each third of the images and at its highest."""
    code = (
        "import sys, pail\npail.generate(sys.argv[1], sys.argv[2], source=sys.argv[3], number=int(sys.argv[4]), "
        "size=int(sys.argv[5]), layout='flat', workers=1)"
    )
    arguments = [normals, out, ROOT / "anom_source_imgs", MEMORY_IMAGES, side]
    import psutil

    process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT)
    found: list[tuple[int, float]] = []
    while process.poll() is None:
        try:
            used = psutil.Process(process.pid).memory_info().rss / 1e6
        except psutil.NoSuchProcess:
            break
        found.append((len(list((out / "images").glob("0*.png"))), used))
        time.sleep(0.02)
    assert process.wait() == 0
    thirds = [range(MEMORY_IMAGES * i // 3, MEMORY_IMAGES * (i + 1) // 3) for i in range(3)]
    return {
        "side": side,
        "highest": max(used for _, used in found),
        "thirds": [statistics.median([used for number, used in found if number in third]) for third in thirds],
    }


def table(rows: list[dict], used: dict) -> list[str]:
    """Times and ratios of one run."""
    lines = [
        "| size | bare loop | one process | ratio | two processes | throughput | level 6 | once a set |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['side']}x{row['side']} | {row['bare'] * 1e3:.1f} ms | {row['one'] * 1e3:.1f} ms | "
            f"x {row['one'] / row['bare']:.2f} | {row['two'] * 1e3:.1f} ms | x {row['one'] / row['two']:.2f} | "
            f"{row['six'] * 1e3:.1f} ms | {row['end']:.1f} s |"
        )
    first, second, third = used["thirds"]
    return [
        *lines,
        "",
        f"Memory of one process over {MEMORY_IMAGES} images at {used['side']}x{used['side']}: "
        f"{used['highest']:.0f} MB at "
        f"its highest; {first:.0f}, {second:.0f} and {third:.0f} MB in the median of each third.",
    ]


def expectation(rows: list[dict]) -> list[str]:
    """Time and disk space of ten thousand images."""
    lines = ["| 10,000 images with masks | two cores | PNG level 1 | PNG level 6 |", "|---|---|---|---|"]
    for row in rows:
        minutes = (row["two"] * 1e4 + row["end"]) / 60
        lines.append(
            f"| {row['side']}x{row['side']} | {minutes:.1f} min | {row['bytes'] / 1e5:.1f} GB | "
            f"{row['bytes 6'] / 1e5:.1f} GB |"
        )
    return lines


def main(sides: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [measure(side, folder) for side in sides]
        used = memory(folder / f"normals{sides[-1]}", folder / "memory", sides[-1])
    lines = [
        f"{versions()}; {os.cpu_count()} cores. Per image, best of {REPEATS} alternating runs.",
        "",
        *table(rows, used),
    ]
    expected = expectation(rows)
    print("\n".join([*lines, "", *expected]))
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    (results / "dataset.json").write_text(json.dumps({"stack": versions(), "rows": rows, "memory": used}, indent=1))
    fill(PERFORMANCE, "data sets", lines)
    fill(DOCS / "datasets.md", "times", expected)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sides", nargs="*", type=int, default=[256, 1024], help="sides of the images")
    main(parser.parse_args().sides)
