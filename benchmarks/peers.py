"""Compare the named defects and blended patches with those of other libraries: time of a call, and exactness of masks.

python benchmarks/peers.py    # after pip install ".[peers]"; results/peers.json and docs/maintainers/peers.md

For each kind, 30 seeds on a bundled photograph: the median CPU time, the share of changed pixels that lie outside of the
returned mask, and the share of the mask that visibly changed.
"""

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import version

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import cv2
import numpy as np
from pages import DOCS, fill
from report import ROOT, processor

import pail
from pail.core.composite import VISIBLE

SIDES = (256, 1024)
DRAWS = {256: 30, 1024: 10}
# Our techniques, and the corresponding presets of pyimgano and generators of defect-synthesis.
KINDS = {
    "scratch": ("scratch", "ScratchGenerator"),
    "crack": ("crack", "CrackGenerator"),
    "stain": ("stain", "StainGenerator"),
    "pitting": ("pit", "PittingGenerator"),
    "chip": ("edge_wear", None),
    "fiber": ("fiber", None),
    "corrosion": ("rust", None),
    "nsa": ("texture", None),  # blended by Poisson's equation in both
}
Draw = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def draws(kind: str) -> Iterator[tuple[str, Draw]]:
    """A function of image and seed for each library that has the kind."""
    preset, generator = KINDS[kind]
    insertion = pail.Anomaly_Insertion()
    yield "pai-lib", lambda image, seed: getattr(insertion, kind)(image, rng=seed)

    from pyimgano.synthesis import AnomalySynthesizer, SynthSpec

    synthesizer = AnomalySynthesizer(SynthSpec(preset, blend="poisson" if kind == "nsa" else "alpha"))

    def of_pyimgano(image: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        result = synthesizer.synthesize(image, seed=seed)
        return result.image_u8, result.mask_u8

    yield "pyimgano", of_pyimgano
    if generator is not None:
        import defect_synthesis

        drawer = getattr(defect_synthesis, generator)()

        def of_defect_synthesis(image: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
            random.seed(seed)  # it draws from the global generators
            np.random.seed(seed)  # noqa: NPY002
            result = drawer.apply(image)
            return result.image, result.anomaly_mask

        yield "defect-synthesis", of_defect_synthesis


def measure(kind: str, library: str, draw: Draw, image: np.ndarray) -> dict:
    """One row: milliseconds, share changed outside of the mask and visible share; medians over the seeds."""
    times, leaks, shares = [], [], []
    for seed in range(-2, DRAWS[image.shape[0]]):
        start = time.process_time()
        result, mask = draw(image, seed + 2)
        seconds = time.process_time() - start
        if seed < 0:  # first calls warm up
            continue
        changed = (result != image).any(axis=2)
        inside = np.asarray(mask).reshape(image.shape[:2]) > 0
        visible = np.abs(result.astype(int) - image).max(axis=2) >= VISIBLE * 255
        times.append(1000 * seconds)
        leaks.append(np.count_nonzero(changed & ~inside) / max(np.count_nonzero(changed), 1))
        shares.append(np.count_nonzero(visible & inside) / max(np.count_nonzero(inside), 1))
    medians = {"ms": np.median(times), "outside": np.mean(leaks), "visible": np.median(shares)}
    return {"kind": kind, "library": library, "side": image.shape[0]} | {k: float(v) for k, v in medians.items()}


def table(rows: list[dict]) -> list[str]:
    lines = [
        "| kind | library | ms at 256x256 | ms at 1024x1024 | changed outside of the mask | mask that "
        "visibly changed |",
        "|---|---|---|---|---|---|",
    ]
    found = {(row["kind"], row["library"], row["side"]): row for row in rows}
    for kind, library in dict.fromkeys((row["kind"], row["library"]) for row in rows):
        small, large = (found[kind, library, side] for side in SIDES)
        lines.append(
            f"| {kind} | {library} | {number(small['ms'])} | {number(large['ms'])} | {small['outside']:.1%} | "
            f"{small['visible']:.0%} |"
        )
    return lines


def number(value: float) -> str:
    """Two significant digits; whole numbers from 10 on."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def main() -> None:
    cv2.setNumThreads(1)
    photograph = cv2.imread(str(ROOT / "example_img" / "example_2.jpg"))
    images = [cv2.resize(photograph, (side, side), interpolation=cv2.INTER_AREA) for side in SIDES]
    rows = [measure(kind, library, draw, image) for kind in KINDS for library, draw in draws(kind) for image in images]
    stack = ", ".join(f"{name} {version(name)}" for name in ("pyimgano", "defect-synthesis", "numpy", "opencv-python"))
    head = f"{date.today():%Y-%m-%d}, CPU time of one thread of {processor()}; pai-lib {pail.__version__}, {stack}."
    (ROOT / "results").mkdir(exist_ok=True)
    (ROOT / "results" / "peers.json").write_text(json.dumps({"head": head, "rows": rows}, indent=1))
    print("\n".join([head, "", *table(rows)]))
    fill(DOCS / "maintainers" / "peers.md", "peers", [head, "", *table(rows)])


if __name__ == "__main__":
    main()
