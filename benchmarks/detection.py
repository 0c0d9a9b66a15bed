"""Which techniques help a detector find real defects: solar cells, trained on functional ones only.

    python benchmarks/detection.py             # all runs that are missing, on two cores, then docs/detection.md
    python benchmarks/detection.py --confirm   # then on new seeds: the mix against the mix that the table suggests
    python benchmarks/detection.py --report    # the page from the runs that are there

Each run trains a decoder on features of a frozen ImageNet encoder, on functional cells and insertions alone, and scores cells
that it never saw. Runs differ in the technique only: split, order, weights at the start and number of steps are the same for
all runs of a seed, so that differences are paired. A run that is stored in results/detection is not repeated.
"""

import argparse
import functools
import json
import multiprocessing
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

import cv2
import numpy as np
import torch
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))

import train_segmenter as segmenter

from pail import pai
from pail.reading import Images
from pail.torch import PseudoAnomalyDataset

KINDS = ("mono", "poly")
MIX, SHUFFLED, NEAREST, WEIGHTED = "mix of all", "shuffled labels", "nearest feature", "weighted mix"
WEAKER = ("cutpaste_scar", "simplex_noise_anomlay")  # worse than the mix on both kinds, see `weaker`
LOWEST = 0.2  # AUROC at the left of the figure
SMALL_WEIGHT = 0.25  # of these in the weighted mix
SETTINGS = {"size": 112, "steps": 120, "batch": 16, "rate": 3e-3}  # fixed before the first run, the same for all
TINY = {"size": 32, "steps": 2, "batch": 4, "rate": 3e-3}
Job = tuple[str, str, int]  # kind, arm, seed


def arms(leave_one_out: bool) -> dict[str, dict[str, Any]]:
    """What each arm passes to the data set."""
    found: dict[str, dict[str, Any]] = {name: {"techniques": [name]} for name in pai.TECHNIQUES}
    found |= {MIX: {}, "mix, severity 0 to 0.5": {"severity": (0, 0.5)}}
    if leave_one_out:
        for name in pai.TECHNIQUES:
            found[f"mix without {name}"] = {"techniques": [other for other in pai.TECHNIQUES if other != name]}
    weights = [SMALL_WEIGHT if name in WEAKER else 1.0 for name in pai.TECHNIQUES]
    return found | {SHUFFLED: {}, NEAREST: {}, WEIGHTED: {"techniques": list(pai.TECHNIQUES), "weights": weights}}


@functools.lru_cache(4)
def cells(kind: str, seed: int, tiny: bool) -> segmenter.Data:
    data = segmenter.read_elpv(kind, seed)
    if tiny:
        keep = np.r_[:8, -8:0]
        data = segmenter.Data(data.train[:8], [data.test[i] for i in keep], data.labels[keep], None, [])
    return data


def run(job: Job, tiny: bool) -> dict[str, Any]:
    """One training and its scores of every test cell."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    kind, arm, seed = job
    settings, start = TINY if tiny else SETTINGS, time.monotonic()
    data = cells(kind, seed, tiny)
    images = Images("test", data.test, size=(settings["size"],) * 2)
    torch.manual_seed(seed)
    model = segmenter.Lite0()
    if arm == NEAREST:
        scores = nearest(model, data, images)
    else:
        train(model, data, arm, seed, settings)
        scores = segmenter.score_images(segmenter.predict(model, images))["top"]
    metrics = {name: float(metric(data.labels, scores)) for name, metric in segmenter.IMAGE_METRICS.items()}
    return {"job": job, "settings": settings, "metrics": metrics, "seconds": time.monotonic() - start}


def train(model: torch.nn.Module, data: segmenter.Data, arm: str, seed: int, settings: dict[str, Any]) -> None:
    samples = PseudoAnomalyDataset(data.train, size=settings["size"], seed=seed, cache=10**9, **arms(True).get(arm, {}))
    options = argparse.Namespace(**settings, seed=seed, workers=0, out=None)
    if arm == SHUFFLED:
        segmenter.train(Shuffled(model), samples, options)
    else:
        segmenter.train(model, samples, options)


class Shuffled(torch.nn.Module):
    """A model whose answers are compared with the mask of another image of the batch."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images).roll(1, 0)


@torch.no_grad()
def nearest(model: segmenter.Lite0, data: segmenter.Data, images: Images) -> np.ndarray:
    """Without insertions: how far the farthest place of a cell is from the nearest place of functional ones."""

    def places(cells_: Images, index: int) -> torch.Tensor:
        pixels = torch.from_numpy(cells_[index].transpose(2, 0, 1).astype(np.float32) / 255)[None]
        middle, deep = model.features(segmenter.normalize(pixels))[2:]
        deep = torch.nn.functional.interpolate(deep, middle.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat([middle, deep], 1)[0].flatten(1).T

    model.eval()
    normal = Images("train", data.train, size=images.size)
    bank = torch.cat([places(normal, index) for index in range(len(normal))])
    few = torch.randperm(len(bank), generator=torch.Generator().manual_seed(0))[:4000]
    distances = [torch.cdist(places(images, index), bank[few]).min(1).values for index in range(len(images))]
    return np.array([float(distance.topk(min(3, len(distance))).values.mean()) for distance in distances])


def run_all(jobs: list[Job], folder: Path, options: argparse.Namespace) -> None:
    """The missing ones, seed by seed, so that an interrupted table has few but whole seeds."""
    missing = [job for job in jobs if not stored(folder, job).exists()]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, context) as pool:
        running = {pool.submit(run, job, options.tiny): job for job in missing}
        for done, future in enumerate(as_completed(running), 1):
            result = future.result()
            stored(folder, running[future]).write_text(json.dumps(result))
            print(f"{done}/{len(missing)} {running[future]} {result['metrics']['auroc']:.3f} {result['seconds']:.0f} s")


def stored(folder: Path, job: Job) -> Path:
    kind, arm, seed = job
    return folder / f"{kind}_{arm.replace(' ', '-').replace(',', '')}_{seed}.json"


def mean_and_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Of Student's t over the seeds."""
    mean, error = float(values.mean()), float(stats.sem(values)) if len(values) > 1 else float("nan")
    reach = float(stats.t.ppf(0.975, max(len(values) - 1, 1))) * error
    return mean, mean - reach, mean + reach


def compare(values: np.ndarray, mix: np.ndarray) -> str:
    """The paired difference from the mix; a word only where the interval excludes 0."""
    mean, low, high = mean_and_interval(values - mix)
    verdict = " better" if low > 0 else " worse" if high < 0 else ""
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]{verdict}"


def verdicts(found: dict[tuple[str, str], dict[str, np.ndarray]]) -> dict[str, list[str]]:
    """By row, for each kind of cell: better or worse than the mix, or nothing where the interval holds 0."""
    words: dict[str, list[str]] = {}
    for kind, arm in found:
        if arm != MIX:
            words.setdefault(arm, []).append(
                compare(found[kind, arm]["auroc"], found[kind, MIX]["auroc"]).split("]")[1]
            )
    return words


def weaker(found: dict[tuple[str, str], dict[str, np.ndarray]]) -> list[str]:
    """The techniques that are worse than the mix on both kinds of cells, each with an interval that leaves out 0."""
    return [name for name, words in verdicts(found).items() if name in pai.TECHNIQUES and set(words) == {" worse"}]


def summary(found: dict[tuple[str, str], dict[str, np.ndarray]]) -> list[str]:
    """What the two tables say together."""
    words = verdicts(found)
    lines = [
        "",
        "## Both kinds together",
        "",
        "Compared with the mix of all techniques, by intervals that exclude 0:",
        "",
    ]
    for title, wanted in (
        ("better on both kinds", {" better"}),
        ("worse on both kinds", {" worse"}),
        ("better on one and worse on the other", {" better", " worse"}),
        ("better on one, undecided on the other", {" better", ""}),
        ("worse on one, undecided on the other", {" worse", ""}),
        ("undecided on both", {""}),
    ):
        names = [arm for arm, said in words.items() if set(said) == wanted]
        lines.append(f"- {title}: {', '.join(names) or 'none'}")
    return lines


def collect(jobs: list[Job], folder: Path) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """By kind and arm: each metric over the seeds, in the seeds' order."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for kind, arm, seed in jobs:
        metrics = json.loads(stored(folder, (kind, arm, seed)).read_text())["metrics"]
        for name, value in metrics.items():
            found.setdefault((kind, arm), {}).setdefault(name, []).append(value)
    return {key: {name: np.array(v) for name, v in metrics.items()} for key, metrics in found.items()}


def outcome(found: dict[tuple[str, str], dict[str, np.ndarray]]) -> list[str]:
    """The result in two sentences: the mix, a detector that needs no pseudo-anomalies, and the best technique."""
    trained = {arm for _, arm in found}
    if NEAREST not in trained or not trained & set(pai.TECHNIQUES):  # some rows only
        return []
    mix, nearest_, best = [], [], []
    for kind in KINDS:
        means = {arm: metrics["auroc"].mean() for (other, arm), metrics in found.items() if other == kind}
        name = max((arm for arm in means if arm in pai.TECHNIQUES), key=means.__getitem__)
        mix.append(f"{means[MIX]:.3f}")
        nearest_.append(f"{means[NEAREST]:.3f}")
        best.append(f"`{name}` with {means[name]:.3f}")
    return [
        f"**Outcome.** On {' and '.join(f'{kind}crystalline' for kind in KINDS)} cells, the detector trained with all techniques reached an "
        f"image AUROC of {' and '.join(mix)},",
        f"and the one that only compares pretrained features, without any pseudo-anomaly, {' and '.join(nearest_)}. The single technique",
        f"with the highest mean was {', and '.join(best)}.",
        "",
    ]


def table(found: dict[tuple[str, str], dict[str, np.ndarray]], kind: str) -> list[str]:
    lines = ["| trained with | image AUROC | image AP | AUROC compared with the mix |", "|---|---|---|---|"]
    mix = found[kind, MIX]["auroc"]
    for (other, arm), metrics in found.items():
        if other != kind:
            continue
        cells_ = ["{:.3f} [{:.3f}, {:.3f}]".format(*mean_and_interval(metrics[name])) for name in ("auroc", "ap")]
        lines.append(f"| {arm} | {' | '.join(cells_)} | {'' if arm == MIX else compare(metrics['auroc'], mix)} |")
    return lines


def draw(found: dict[tuple[str, str], dict[str, np.ndarray]], file: Path) -> None:
    """Means and intervals of AUROC, a column for each kind of cell."""
    names = list(dict.fromkeys(arm for _, arm in found))
    picture = np.full((40 + 24 * len(names), 240 + 320 * len(KINDS), 3), 255, np.uint8)
    style = (cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    for row, arm in enumerate(names):
        y = 48 + 24 * row
        cv2.putText(picture, arm, (6, y + 4), *style)
        for column, kind in enumerate(KINDS):
            mean, low, high = mean_and_interval(found[kind, arm]["auroc"])
            left = 250 + 320 * column
            x = [
                int(left + 300 * (np.clip(np.nan_to_num(v, nan=mean), LOWEST, 1) - LOWEST) / (1 - LOWEST))
                for v in (mean, low, high)
            ]
            cv2.line(picture, (x[1], y), (x[2], y), (120, 120, 120), 2)
            cv2.circle(picture, (x[0], y), 4, (170, 60, 20), -1, cv2.LINE_AA)
    for column, kind in enumerate(KINDS):
        for level in (0.2, 0.4, 0.6, 0.8, 1.0):
            x = int(250 + 320 * column + 300 * (level - LOWEST) / (1 - LOWEST))
            cv2.line(picture, (x, 34), (x, picture.shape[0] - 8), (225, 225, 225), 1)
            cv2.putText(picture, f"{level:.1f}", (x - 10, 28), *style)
        cv2.putText(picture, f"image AUROC, {kind}", (250 + 320 * column, 13), *style)
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), picture)


def confirmation(found: dict[tuple[str, str], dict[str, np.ndarray]], seeds: range) -> list[str]:
    """What the weighted mix, which the table suggests, does on seeds that had no say in it."""
    names = ", ".join(f"`{name}`" for name in WEAKER)
    lines = [
        "",
        "## Should the mix be weighted?",
        "",
        f"Worse than the mix on both kinds of cells: {names}. A mix with their weights at {SMALL_WEIGHT} and",
        f"all others at 1 was therefore trained with seeds {seeds[0]} to {seeds[-1]}, which were not used for that choice. Only an interval that",
        "excludes 0 would be a reason to weight the mix by default:",
        "",
        "| cells | mix of all | weighted mix | difference |",
        "|---|---|---|---|",
    ]
    for kind in KINDS:
        mix, weighted = found[kind, MIX]["auroc"], found[kind, WEIGHTED]["auroc"]
        cells_ = ["{:.3f} [{:.3f}, {:.3f}]".format(*mean_and_interval(values)) for values in (mix, weighted)]
        lines.append(f"| {kind}crystalline | {' | '.join(cells_)} | {compare(weighted, mix)} |")
    return lines


def write_page(
    found: dict[tuple[str, str], dict[str, np.ndarray]],
    page: Path,
    seeds: int,
    settings: dict[str, Any],
    confirmed: dict[tuple[str, str], dict[str, np.ndarray]] | None = None,
) -> None:
    draw(found, page.parent / "pictures" / "detection.png")
    lines = [
        "# Which techniques help a detector",
        "",
        "This page helps to judge what pseudo-anomalies are worth for a detector, and which techniques to try first. Small detectors",
        "were trained with each technique and tested on real defects of solar cells.",
        "",
        *outcome(found),
        "The data are electroluminescence images of solar cells with defects labeled by experts (ELPV: 2,624 cells, CC BY-NC-SA;",
        "Buerhop et al. 2018, Deitsch et al. 2019). A decoder on a frozen EfficientNet-Lite0 is trained on functional cells and",
        "pseudo-anomalies alone. It then has to distinguish defective cells from functional ones that it has not seen. No defective",
        "cell is used for training.",
        "",
        'In the tables, "mix of all" draws from all eleven techniques. Two rows are for comparison: "shuffled labels" is trained with',
        'the masks of other images, and "nearest feature" needs no pseudo-anomalies: a cell\'s score is the largest distance of its pretrained',
        "features to the nearest features of functional cells. AUROC and AP (average precision) are 1 for a perfect detector; an",
        "AUROC of 0.5 is chance. Values are means with 95 % intervals (Student's t over the seeds). The order of the rows has no",
        "meaning. The last column is the paired difference from the mix, called better or worse only if its interval excludes 0.",
        "",
        f"Made by `python benchmarks/detection.py --seeds {seeds} --confirm`. Seeds 0 to {seeds - 1} determine split, weights and order, and are",
        f"the same for all rows. {settings['steps']} steps of {settings['batch']} images of {settings['size']} x "
        f"{settings['size']} pixels were fixed before the first run. torch {torch.__version__}, Python {platform.python_version()}.",
        "",
        "![Image AUROC with intervals](pictures/detection.png)",
    ]
    for kind in KINDS:
        lines += ["", f"## {kind.capitalize()}crystalline cells", "", *table(found, kind)]
    lines += summary(found)
    if confirmed:
        lines += confirmation(confirmed, range(seeds, 2 * seeds))
    lines += [
        "",
        "## What was not tested",
        "",
        "Not tested were detectors with more than a frozen encoder and a minute of training, localization (these cells have no masks),",
        "other parts than solar cells, other encoders, textures as sources, regions of interest, a severity chosen for each technique,",
        "and mixes without single techniques. With this many rows, about one in twenty intervals excludes 0 by chance.",
        "",
    ]
    page.write_text("\n".join(lines), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--leave-one-out", action="store_true")
    parser.add_argument("--arms", nargs="+", help="names of rows; all by default, the mix always")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--confirm", action="store_true", help="the weighted mix, on as many new seeds")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--tiny", action="store_true", help="a few steps on a few cells, to see that it works")
    parser.add_argument("--folder", type=Path, default=ROOT / "results" / "detection")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "detection.md")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in arms(options.leave_one_out) if not options.arms or name in (*options.arms, MIX)]
    jobs = [(kind, arm, seed) for seed in range(options.seeds) for kind in KINDS for arm in names if arm != WEIGHTED]
    new_seeds = range(options.seeds, 2 * options.seeds) if options.confirm else ()
    more = [(kind, arm, seed) for seed in new_seeds for kind in KINDS for arm in (MIX, WEIGHTED)]
    if not options.report:
        run_all(jobs + more, options.folder, options)
    settings, found = TINY if options.tiny else SETTINGS, collect(jobs, options.folder)
    if options.confirm and not options.tiny and weaker(found) != list(WEAKER):
        raise ValueError(f"`WEAKER` must be what the table says, {weaker(found)}, got {WEAKER}")
    write_page(found, options.page, options.seeds, settings, collect(more, options.folder))


if __name__ == "__main__":
    main()
