"""Runs the benchmark, prints its table and writes it to results/benchmark.json and docs/maintainers/performance.md."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

from pages import PERFORMANCE, fill

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {  # ms at 256 and 1024, RGB
    "cutpaste": (0.15, 1.6),
    "cutpaste_scar": (0.15, 1.4),
    "simplex_noise_anomlay": (0.6, 6),
    "random_perturbation": (0.10, 0.6),
    "hard_aug_cutpaste": (0.12, 1.5),
    "perlin_noise_pattern": (0.9, 10),
    "superpixel_anomaly": (4, 6),
    "perlin_with_roi_anomaly": (0.7, 8),
    "rand_augmented_cut_paste": (1.1, 13),
    "fract_aug": (0.6, 2),
    "affined_anomlay": (0.6, 7),
    "real_defect": (1, 8),
    "nsa": (5, 50),
    "glass": (2, 18),
    **dict.fromkeys(("scratch", "crack", "stain", "pitting", "dent", "chip", "fiber"), (1, 8)),
    "corrosion": (2, 8),
}


def measure(select: str) -> list[dict]:
    """One run of pytest-benchmark: a row for each measurement."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raw.json"
        command = [sys.executable, "-m", "pytest", str(ROOT / "benchmarks"), "-q", "-p", "no:cacheprovider"]
        command += [f"--benchmark-json={path}", "--benchmark-disable-gc", "--benchmark-quiet", "-k", select]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        raw = json.loads(path.read_text())
    kept = ("median", "mean", "max", "rounds")
    return [{**entry["extra_info"], **{key: entry["stats"][key] for key in kept}} for entry in raw["benchmarks"]]


def calls_in(seconds: float) -> int:
    """How many calls one process makes in that time."""
    import cv2
    import numpy as np

    from pail import ELEVEN, pai

    cv2.setNumThreads(1)
    instance, image = pai.Anomaly_Insertion(), np.full((512, 512, 3), 90, np.uint8)
    names, count = [n for n in ELEVEN if n != "simplex_noise_anomlay"], 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        getattr(instance, names[count % len(names)])(image)
        count += 1
    return count


def throughput() -> dict:
    """Calls a second of one and of two processes."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(calls_in, [0.5, 0.5]))
        one = pool.submit(calls_in, 4).result() / 4
        two = sum(pool.map(calls_in, [4, 4])) / 4
    return {"one": one, "two": two, "ratio": two / one}


def first_calls() -> dict[str, float]:
    """Seconds of `import pail`, and of each technique's first call in a new process with an empty numba cache."""
    code = (
        "import time, sys, numpy as np\nt = time.perf_counter()\nfrom pail import pai\ni = time.perf_counter() - t\n"
        "t = time.perf_counter()\ngetattr(pai.Anomaly_Insertion(), sys.argv[1])(np.full((256, 256, 3), 90, np.uint8))\n"
        "print(i, time.perf_counter() - t)"
    )
    from pail import ELEVEN

    seconds = {}
    for name in ELEVEN:
        with tempfile.TemporaryDirectory() as cache:
            environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
            output = subprocess.run(
                [sys.executable, "-c", code, name], check=True, capture_output=True, text=True, env=environment
            )
        imported, seconds[name] = map(float, output.stdout.split())
        seconds["import pail"] = min(imported, seconds.get("import pail", imported))
    return seconds


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def table(rows: list[dict]) -> list[str]:
    """Median ms, images a second, ratio to the floor of the same run, mean / median, memory in image sizes."""
    floors = {(tuple(r["shape"]), r["channels"]): r["median"] for r in rows if r["technique"] == "floor"}
    lines = [
        "| technique | size | channels | median ms | target | images/s | x floor | mean / median | memory x image |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if "shape" not in row:
            continue
        height, width = row["shape"]
        at = {256: 0, 1024: 1}.get(height) if height == width and row["channels"] == "RGB" else None
        target = TARGETS[row["technique"]][at] if at is not None and row["technique"] in TARGETS else None
        missed = " (missed)" if target and row["median"] * 1000 > target else ""
        memory = f"{row['memory'] / row['image_bytes']:.1f}" if "memory" in row else ""
        lines.append(
            f"| {row['technique']} | {height}x{width} | {row['channels']} | {row['median'] * 1000:.3f} | "
            f"{'' if target is None else target}{missed} | {1 / row['median']:.0f} | "
            f"{row['median'] / floors[(height, width), row['channels']]:.1f} | {row['mean'] / row['median']:.2f} | {memory} |"
        )
    return lines


def control_table(rows: list[dict]) -> list[str]:
    lines = ["| technique | size | roi | severity | record |", "|---|---|---|---|---|"]
    added = {(r["technique"], r["size"], r["control"]): r["controlled"] - r["plain"] for r in rows if "control" in r}
    plain = {(r["technique"], r["size"], r["control"]): r["plain"] for r in rows if "control" in r}
    for name, size in dict.fromkeys((key[0], key[1]) for key in added):
        if name == "insert":
            lines.append(f"| insert over cutpaste | {size} | +{added[name, size, 'roi'] * 1e6:.0f} us | | |")
            continue
        cells = [f"{added[name, size, c] / plain[name, size, c]:+.0%}" for c in ("roi", "severity", "record")]
        lines.append(f"| {name} | {size} | {' | '.join(cells)} |")
    return lines


def versions() -> str:
    names = ("numpy", "opencv-python", "pillow", "opensimplex", "numba")
    return f"{processor()}; Python {platform.python_version()}, " + ", ".join(f"{n} {version(n)}" for n in names)


def main(select: str) -> None:
    rows = measure(select)
    first, rates = first_calls(), throughput()
    lines = [f"One thread of {versions()}.", "", *table(rows), ""]
    lines += ["What control adds to a call:", "", *control_table(rows), ""]
    lines += ["| first call in a new process | s |", "|---|---|", *(f"| {n} | {s:.2f} |" for n, s in first.items()), ""]
    lines.append(
        f"Two processes make {rates['ratio']:.2f} times the calls of one ({rates['two']:.0f} against {rates['one']:.0f} a second, 512x512)."
    )
    print("\n".join(lines))
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    (results / "benchmark.json").write_text(
        json.dumps({"stack": versions(), "rows": rows, "first": first, "processes": rates}, indent=1)
    )
    fill(PERFORMANCE, "techniques", lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", dest="select", default="test", help="pytest's choice of measurements")
    main(parser.parse_args().select)
