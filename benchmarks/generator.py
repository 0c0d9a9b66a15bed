"""Compare the time of `pail.anomalib.AnomalyGenerator` with that of anomalib's own generator; needs the extra
`anomalib`.

python benchmarks/generator.py
"""

import statistics
import time
from pathlib import Path

import cv2
import torch
from anomalib.data.utils.generators import PerlinAnomalyGenerator

import pail
from pail.anomalib import AnomalyGenerator

ROOT = Path(__file__).resolve().parent.parent
SOURCE = str(ROOT / "anom_source_imgs")
REPEATS = 25


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pail.warm_up()
    generators = {
        "anomalib, PerlinAnomalyGenerator": PerlinAnomalyGenerator(SOURCE, probability=1.0),
        "pail, all eleven": AnomalyGenerator(SOURCE, probability=1),
        'pail, preset="draem"': AnomalyGenerator(SOURCE, probability=1, preset="draem"),
        'pail, techniques="glass"': AnomalyGenerator(SOURCE, probability=1, techniques="glass"),
    }
    print("| ms per image, one thread | 256 x 256 | 1024 x 1024 |\n|---|---|---|")
    part = cv2.imread(str(ROOT / "example_img" / "example_1.jpg"))
    for name, generator in generators.items():
        cells = []
        for side in (256, 1024):
            image = torch.from_numpy(cv2.resize(part, (side, side))).permute(2, 0, 1) / 255
            times = []
            for _ in range(REPEATS):
                start = time.process_time()  # CPU time of this process only, independent of other processes
                generator(image)
                times.append(1000 * (time.process_time() - start))
            cells.append(f"{statistics.median(times):.1f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
