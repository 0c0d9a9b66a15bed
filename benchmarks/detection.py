"""What pseudo-anomalies are worth for a detector that compares with good parts anyway: real defects of two kinds of parts.

    python benchmarks/detection.py --ball-screws BSData     # all runs that are missing, then docs/detection.md
    python benchmarks/detection.py --tables 1 --seeds 10    # one table alone
    python benchmarks/detection.py --report                 # the page from the runs that are there

The detector is that of examples/detector.py. Solar cells are those of the package elpv-dataset; ball screws are read from
a clone of the repository 2Obe/BSData (or the variable PAIL_BALL_SCREWS), and left out without it. Features of photographs
are computed once and cached in results/detection, and every run is a line of runs.jsonl there: what is stored is not repeated.
A seed decides split, memory and weights at the start, the same for all rows, so that differences are paired.
"""

import argparse
import functools
import importlib.util
import itertools
import json
import os
import platform
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))

import detector

from pail._install import install_hint
from pail.beyond.real.defects import Defects
from pail.reading import Images
from pail.registry import by_default
from pail.torch import PseudoAnomalyDataset

SETTINGS = {  # fixed before the first run, the same for all
    "side": 160,  # of a square with as many pixels as the network sees
    "bank": 2000,  # features in the memory
    "pool": 600,  # insertions
    "steps": 300,  # of 16 samples
    "held out": 100,  # insertions into held-out photographs
    "test normal": 200,  # good solar cells to test on
    "test places": 6,  # places on the ball screw to test on
}
TINY = {"side": 32, "bank": 50, "pool": 8, "steps": 2, "held out": 8, "test normal": 8, "test places": 2}
NAMES = {
    "mono": "monocrystalline solar cells",
    "poly": "polycrystalline solar cells",
    "screws": "ball screws",
}
MIX = "mix of the eleven"
FAMILY, HALF = "procedural", "procedural and the eleven"
PEER = "presets of pyimgano"
COUNTS = (1, 3, 10, 30)  # photographs of real defects
MAPS = detector.MAPS
WORDS = ("better", "worse")
TITLES = {"image auroc": "image AUROC", "pixel ap": "pixel AP"}
Job = tuple[str, str, int]  # data, arm, seed


# Data


@dataclass
class Data:
    """Photographs (N, H, W, C) with what is known of them, and their features."""

    images: np.ndarray
    labels: np.ndarray  # 1 for a defect
    masks: np.ndarray | None  # bool (N, H, W)
    groups: np.ndarray  # what must not be split: the place on the screw, or the cell itself
    usable: np.ndarray  # whether it is trained or tested on
    fine: np.ndarray
    joint: np.ndarray
    size: tuple[int, int]


def read_cells(kind: str) -> tuple[np.ndarray, ...]:
    """Cells that the experts thought to be defective with a probability of 1/3 are left out."""
    from elpv_dataset.utils import load_dataset

    images, chances, kinds = load_dataset()
    images, chances = images[kinds == kind, ..., None], chances[kinds == kind]
    return images, (chances > 0.5).astype(int), None, np.arange(len(images)), (chances == 0) | (chances > 0.5)


def read_screws(folder: Path) -> tuple[np.ndarray, ...]:
    """The photographs of `data`, cropped to the height and width that all of them have, and the polygons of `label`."""
    files = sorted((folder / "data").glob("01_*"))
    if not files:
        raise ValueError(f"{folder} must be a clone of 2Obe/BSData with data/01_*, got none")
    images, masks = [], []
    for file in files:
        image = Images("photograph", file)[0]
        mask = np.zeros(image.shape[:2], np.uint8)
        label = folder / "label" / f"{file.stem}.json"
        if label.exists():
            for shape in json.loads(label.read_text(encoding="utf-8"))["shapes"]:
                cv2.fillPoly(mask, [np.rint(shape["points"]).astype(np.int32)], 255)
        images.append(image)
        masks.append(mask > 0)
    height, width = (min(mask.shape[axis] for mask in masks) for axis in (0, 1))
    marks = np.stack([mask[:height, :width] for mask in masks])
    places = np.array(["_".join(file.stem.split("_")[2:4]) for file in files])
    labels = marks.any((1, 2)).astype(int)
    images = [image[:height, :width] for image in images]
    return np.stack(images), labels, marks, places, np.ones(len(files), bool)


def load_data(name: str, folder: Path, screws: Path | None, settings: dict[str, Any]) -> Data:
    """The photographs, with features that are computed once and then read from the folder."""
    images, labels, masks, groups, usable = read_screws(screws) if name == "screws" else read_cells(name)
    size = detector.network_size(images.shape[1:3], settings["side"])
    files = [folder / f"{name}_{settings['side']}_{part}.npy" for part in ("fine", "joint")]
    if not all(file.exists() for file in files):
        model = encoder()
        parts = [
            [maps.half().numpy() for maps in model.features(batch)]
            for batch in detector.read_all(list(images), size, f"features of {NAMES[name]}")
        ]
        folder.mkdir(parents=True, exist_ok=True)
        for file, maps in zip(files, zip(*parts, strict=True), strict=True):
            with file.with_suffix(".part").open("wb") as opened:
                np.save(opened, np.concatenate(maps))
            file.with_suffix(".part").replace(file)
    fine, joint = (np.load(file, mmap_mode="r") for file in files)
    return Data(images, labels, masks, groups, usable, fine, joint, size)


class Fast(detector.Detector):
    """With convolutions in bfloat16, for photographs and insertions alike: less than half the time."""

    def features(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            fine, joint = super().features(images)
        return fine.float(), joint.float()

    def logits(self, *maps: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return super().logits(*maps).float()


@functools.lru_cache(1)
def encoder() -> Fast:
    return Fast("lite0")


@dataclass
class Split:
    """Indices of photographs."""

    memory: np.ndarray
    inserted: np.ndarray
    held_out: np.ndarray
    test: np.ndarray
    defects: np.ndarray  # defective ones of the places that are trained on, which no test contains


def split(data: Data, seed: int, settings: dict[str, Any]) -> Split:
    """Cells one by one; ball screws by place, also between memory, insertions and held-out photographs."""
    rng = np.random.default_rng(seed)
    good = np.flatnonzero((data.labels == 0) & data.usable)
    bad = np.flatnonzero((data.labels == 1) & data.usable)
    if len(np.unique(data.groups)) == len(data.groups):
        order = rng.permutation(good)
        count = min(settings["test normal"], len(order) // 2)
        parts = detector.split(len(order) - count, seed)
        memory, inserted, held_out = (order[count:][part] for part in parts)
        return Split(memory, inserted, held_out, np.r_[order[:count], bad], bad[:0])
    places = rng.permutation(np.unique(data.groups[bad]))  # a place without defects is trained on
    count = settings["test places"]
    others = rng.permutation(np.setdiff1d(data.groups, places[:count]))
    cuts = [round(len(others) * share) for share in (0.5, 0.8)]
    train = [good[np.isin(data.groups[good], part)] for part in np.split(others, cuts)]
    is_test = np.isin(data.groups, places[:count]) & data.usable
    defects = rng.permutation(bad[~is_test[bad]])
    return Split(*train, np.flatnonzero(is_test), defects)


# Runs


def arms() -> dict[str, dict[str, Any]]:
    """What each row passes to the data set."""
    eleven = list(by_default())
    faint, strong = {"severity": (0, 0.4)}, {"severity": (0.6, 1)}
    halves = [0.5 / len(eleven)] * len(eleven)
    found: dict[str, dict[str, Any]] = {
        MIX: {},
        "the eleven, faint": faint,
        "the eleven, strong": strong,
        "the eleven, no source": {"source": None},
        "the eleven, other parts as source": {"source": "parts"},
        "SFI": {"techniques": "SFI"},
        "SBI": {"techniques": "SBI"},
        "glass": {"techniques": "glass"},
        "nsa": {"techniques": "nsa", "source": "parts"},
        FAMILY: {"techniques": "defects"},
        HALF: {"techniques": [*eleven, "defects"], "weights": [*halves, 0.5]},
    }
    found |= {name: {"techniques": name} for name in eleven}
    found[PEER] = {}
    for count in COUNTS:
        bank = {"photographs": count}
        found[f"{count} real"] = {**bank, "techniques": "real"}
        found[f"{count} real and the eleven"] = {**bank, "techniques": [*eleven, "real"], "weights": [*halves, 0.5]}
    return found


TABLES = {
    "1": lambda: [MIX],
    "2": lambda: [arm for arm in arms() if "real" not in arm],
    "3": lambda: [arm for arm in arms() if arm == MIX or "real" in arm],
}


def insertions(
    model: detector.Detector, data: Data, split_: Split, chosen: np.ndarray, arm: str, count: int, seed: int
) -> detector.Samples:
    """As many insertions into these photographs, and their features."""
    keywords = dict(arms()[arm])
    source = keywords.pop("source", str(ROOT / "anom_source_imgs"))
    if source == "parts":
        source = list(data.images[split_.inserted])
    photographs = keywords.pop("photographs", 0)
    if photographs:
        bank = split_.defects[:photographs]
        keywords["defects"] = Defects(list(data.images[bank]), list(data.masks[bank]))
    images = list(data.images[chosen])
    if arm == PEER:
        sample = of_peer(images, data.size, seed)
    else:
        samples = PseudoAnomalyDataset(images, source, size=data.size, seed=seed, cache=10**9, p_anomaly=1, **keywords)

        def sample(number: int) -> dict[str, torch.Tensor]:
            samples.set_epoch(number // len(samples))
            return samples[number % len(samples)]

    parts = []
    for first in range(0, count, detector.BATCH):
        some = [sample(number) for number in range(first, min(first + detector.BATCH, count))]
        stacks = [torch.stack([sample[name] for sample in some]) for name in ("image", "mask")]
        parts.append(detector.Samples.of(model, *stacks))
    return detector.Samples.joined(parts)


def of_peer(images: list[np.ndarray], size: tuple[int, int], seed: int) -> Callable[[int], dict[str, torch.Tensor]]:
    """A sample by number, from one of pyimgano's presets in turn, of those that change a place and not the whole image."""
    from pyimgano.synthesis import AnomalySynthesizer, SynthSpec
    from pyimgano.synthesis.presets import get_preset_names

    names = [name for name in get_preset_names() if name not in ("illumination", "warp", "defocus", "lens_distortion")]
    drawers = [AnomalySynthesizer(SynthSpec(name)) for name in names]
    normal = PseudoAnomalyDataset(images, size=size, seed=seed, cache=10**9, p_anomaly=0, dtype=torch.uint8)

    def sample(number: int) -> dict[str, torch.Tensor]:
        image = normal[number % len(normal)]["image"].numpy().transpose(1, 2, 0)
        drawer = drawers[np.random.default_rng((seed, number)).integers(len(drawers))]
        result = drawer.synthesize(image[..., 0] if image.shape[2] == 1 else np.ascontiguousarray(image), seed=number)
        changed = torch.from_numpy(result.image_u8.reshape(image.shape).transpose(2, 0, 1) / np.float32(255))
        return {"image": changed, "mask": torch.from_numpy((result.mask_u8 > 0).astype(np.float32))[None]}

    return sample


def plain(model: detector.Detector, data: Data, chosen: np.ndarray) -> detector.Samples:
    parts = []
    for block in np.array_split(chosen, max(1, len(chosen) // 64)):
        fine, joint = (torch.from_numpy(np.ascontiguousarray(maps[block])) for maps in (data.fine, data.joint))
        mask = torch.zeros(len(block), 1, *data.size, dtype=torch.uint8)
        parts.append(detector.Samples(fine, joint, model.distance(joint), mask))
    return detector.Samples.joined(parts)


_PREPARED: dict[tuple[int, int], Any] = {}


def prepared(data: Data, seed: int, settings: dict[str, Any]) -> tuple[Any, ...]:
    """What is the same for all rows of a seed: split, memory, and the samples without insertions of the row."""
    key = id(data), seed
    if key not in _PREPARED:
        _PREPARED.clear()
        parts, model = split(data, seed, settings), encoder()
        fine, joint = (torch.from_numpy(np.ascontiguousarray(maps[parts.memory])) for maps in (data.fine, data.joint))
        model.remember(fine, joint, settings["bank"], torch.Generator().manual_seed(seed))
        good, held_out, test = (plain(model, data, chosen) for chosen in (parts.inserted, parts.held_out, parts.test))
        model.distance_mean, model.distance_deviation = (
            value.reshape(1, 1, 1, 1) for value in (good.distance.mean(), good.distance.std())
        )
        of_mix = insertions(model, data, parts, parts.held_out, MIX, settings["held out"], 1000 + seed)
        _PREPARED[key] = parts, model, good, held_out, test, of_mix
    return _PREPARED[key]


def run(job: Job, data: Data, settings: dict[str, Any]) -> dict[str, Any]:
    """One training, and its scores of photographs that it never saw, by both maps and by each alone."""
    _, arm, seed = job
    start = time.process_time()
    parts, model, good, held_out, test, of_mix = prepared(data, seed, settings)
    torch.manual_seed(seed)
    model.head = detector.Head(data.fine.shape[1], data.joint.shape[1])
    pool = insertions(model, data, parts, parts.inserted, arm, settings["pool"], seed)
    detector.train_head(model, detector.from_pool(good, pool), settings["steps"], seed)

    detector.calibrate(model, held_out)
    pseudo = {MIX: of_mix}
    if arm != MIX:
        pseudo[arm] = insertions(model, data, parts, parts.held_out, arm, settings["held out"], 1000 + seed)
    raws = {name: samples.raw_maps(model) for name, samples in {"good": held_out, "test": test, **pseudo}.items()}
    labels = data.labels[parts.test]
    truth = None if data.masks is None else masks_at(data.masks[parts.test], data.size)
    found = {}
    for which in MAPS:
        maps = {name: model.combined(raw, which) for name, raw in raws.items()}
        scores = {name: detector.score_of(some).numpy() for name, some in maps.items()}
        large = None
        if truth is not None:
            large = torch.nn.functional.interpolate(maps["test"][:, None], data.size, mode="bilinear")[:, 0].numpy()
        metrics = detector.all_metrics(scores["test"], labels, large, truth)
        found[which] = {
            **{name: entry["value"] for name, entry in metrics.items()},
            "pseudo": auroc(scores["good"], scores[arm]),
            "pseudo, mix": auroc(scores["good"], scores[MIX]),
            "errors": errors(scores["test"], labels, detector.thresholds_of(scores["good"], scores[arm], 0.01)),
        }
    return {"job": job, "settings": settings, "maps": found, "seconds": round(time.process_time() - start, 1)}


def masks_at(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Reduced by area: a pixel is defective if half of it is."""
    reduced = [cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) for mask in masks]
    return np.stack(reduced) >= 0.5


def auroc(good: np.ndarray, bad: np.ndarray) -> float:
    return float(detector.roc_auc_score(np.r_[np.zeros(len(good)), np.ones(len(bad))], np.r_[good, bad]))


def errors(scores: np.ndarray, labels: np.ndarray, thresholds: dict[str, float]) -> dict[str, list[float]]:
    """False alarms and missed defects as shares, at each threshold and at the one with the fewest of both."""
    good, bad = scores[labels == 0], scores[labels == 1]

    def at(level: float) -> list[float]:
        return [float((good >= level).mean()), float((bad < level).mean())]

    best = min(np.unique(scores), key=lambda level: sum(at(level)))
    return {name: at(level) for name, level in {**thresholds, "best": best}.items()}


def read_runs(file: Path, settings: dict[str, Any]) -> dict[Job, dict[str, Any]]:
    """The stored runs; half a line at the end of an interrupted one is dropped, and other settings are an error."""
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            result = json.loads(line)
        except ValueError:
            continue
        if result["settings"] != settings:
            raise ValueError(f"{file} holds runs with other settings; name another --folder")
        found[tuple(result["job"])] = result
    return found


def run_all(jobs: Sequence[Job], options: argparse.Namespace, settings: dict[str, Any]) -> None:
    file = options.folder / "runs.jsonl"
    done = read_runs(file, settings)
    missing = [job for job in jobs if job not in done]
    if file.exists() and not file.read_text(encoding="utf-8").endswith("\n"):  # half a line, which is left there
        with file.open("a", encoding="utf-8") as opened:
            opened.write("\n")
    loaded = functools.lru_cache(3)(lambda name: load_data(name, options.folder, options.ball_screws, settings))
    for number, job in enumerate(missing, 1):
        result = run(job, loaded(job[0]), settings)
        with file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(result) + "\n")
        maps = result["maps"]
        line = " ".join(f"{which} {maps[which]['image auroc']:.3f}" for which in MAPS)
        line += "".join(f" {maps[which]['pixel ap']:.3f}" for which in MAPS if "pixel ap" in maps[which])
        print(f"{number}/{len(missing)} {job} {line} {result['seconds']:.0f} s", flush=True)


# The page


def by_seed(runs: dict[Job, dict[str, Any]], data: str, arm: str, which: str, metric: str) -> dict[int, float]:
    return {
        seed: result["maps"][which][metric]
        for (name, other, seed), result in sorted(runs.items())
        if (name, other) == (data, arm) and metric in result["maps"][which]
    }


def mean_and_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Of Student's t over the seeds; the interval is nan for fewer than three."""
    if not values:
        return (float("nan"),) * 3
    mean = float(np.mean(values))
    if len(values) < 3:
        return mean, float("nan"), float("nan")
    reach = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return mean, mean - reach, mean + reach


def difference(one: dict[int, float], other: dict[int, float]) -> tuple[float, float, float]:
    """Paired over the seeds that both have."""
    return mean_and_interval([one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())])


def shown(values: tuple[float, float, float], sign: str = "") -> str:
    mean, low, high = values
    return f"{mean:{sign}.3f}" + ("" if np.isnan(low) else f" [{low:{sign}.3f}, {high:{sign}.3f}]")


def verdict(values: tuple[float, float, float]) -> str:
    """A word only where the interval excludes 0."""
    _, low, high = values
    return WORDS[0] if low > 0 else WORDS[1] if high < 0 else ""


def seeds_of(runs: dict[Job, dict[str, Any]], data: str, arm: str) -> list[int]:
    return sorted(seed for name, other, seed in runs if (name, other) == (data, arm))


def present(runs: dict[Job, dict[str, Any]]) -> list[str]:
    return [data for data in NAMES if seeds_of(runs, data, MIX)]


def outcome(runs: dict[Job, dict[str, Any]]) -> list[str]:
    """The result in the first sentence: what the head adds to the nearest feature; then what of it is certain."""
    gains: dict[str, list[str]] = {"image auroc": [], "pixel ap": []}
    certain, undecided = [], []
    for metric, data in itertools.product(gains, present(runs)):
        both, memory = (by_seed(runs, data, MIX, which, metric) for which in ("both", "memory"))
        if both:
            gain = difference(both, memory)
            start, end = (np.mean(list(values.values())) for values in (memory, both))
            gains[metric].append(f"{shown(gain, '+')} on {NAMES[data]} (from {start:.3f} to {end:.3f})")
            (certain if verdict(gain) else undecided).append(f"{TITLES[metric]} on {NAMES[data]}")
    parts = [f"the {TITLES[metric]} by {listed(found)}" for metric, found in gains.items() if found]
    lines = [
        "**Adding a head that is trained on pseudo-anomalies to a comparison with good parts changes "
        + ", and ".join(parts)
        + ".**"
    ]
    if certain:
        lines.append(f"The interval excludes 0 for the {listed(certain)}.")
    if undecided:
        lines.append(f"It does not for the {listed(undecided)}, which is therefore undecided.")
    for arm in agreed(runs):
        further = []
        for data, metric in itertools.product(present(runs), TITLES):
            one, mix, memory = (
                by_seed(runs, data, *which, metric) for which in ((arm, "both"), (MIX, "both"), (MIX, "memory"))
            )
            if one and verdict(difference(one, mix)):
                end = np.mean(list(one.values()))
                further.append(
                    f"{shown(difference(one, memory), '+')} on {NAMES[data]} ({TITLES[metric]}, to {end:.3f})"
                )
        lines.append(f'With "{arm}" insertions instead of the mix of the eleven, the change is {listed(further)}.')
    return [*lines, ""]


def listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def first_table(runs: dict[Job, dict[str, Any]]) -> list[str]:
    lines = [
        "## Nearest feature, head, and both",
        "",
        "| parts | detector | image AUROC | image AP | pixel AP | AUPRO | image AUROC compared with the nearest feature |",
        "|---|---|---|---|---|---|---|",
    ]
    for data in present(runs):
        for which, title in zip(("memory", "head", "both"), ("nearest feature", "head", "both"), strict=True):
            cells = []
            for metric in ("image auroc", "image ap", "pixel ap", "pixel aupro"):
                found = by_seed(runs, data, MIX, which, metric)
                cells.append(shown(mean_and_interval(list(found.values()))) if found else "")
            gain = ""
            if which != "memory":
                pair = (by_seed(runs, data, MIX, name, "image auroc") for name in (which, "memory"))
                values = difference(*pair)
                gain = f"{shown(values, '+')} {verdict(values)}"
            lines.append(f"| {NAMES[data]} | {title} | {' | '.join(cells)} | {gain} |")
    counts = ", ".join(f"{NAMES[data]} {len(seeds_of(runs, data, MIX))}" for data in present(runs))
    return [*lines, "", f"Seeds: {counts}.", ""]


def arm_table(runs: dict[Job, dict[str, Any]], names: Sequence[str], data: str, which: str = "both") -> list[str]:
    """Rows of a table for one data set, compared with the mix."""
    has_pixels = bool(by_seed(runs, data, MIX, which, "pixel ap"))
    found = [arm for arm in names if seeds_of(runs, data, arm)]
    if len(found) < 2:
        return []
    columns = ["image auroc", *(["pixel ap"] if has_pixels else [])]
    head = [f"{TITLES[metric]} | compared with the mix" for metric in columns]
    lines = [f"| insertions | seeds | {' | '.join(head)} |", "|---|---|" + "---|---|" * len(columns)]
    for arm in found:
        cells = []
        for metric in columns:
            own, mix = (by_seed(runs, data, name, which, metric) for name in (arm, MIX))
            gain = difference(own, mix)
            cells += [
                shown(mean_and_interval(list(own.values()))),
                "" if arm == MIX else f"{shown(gain, '+')} {verdict(gain)}",
            ]
        lines.append(f"| {arm} | {len(seeds_of(runs, data, arm))} | {' | '.join(cells)} |")
    return lines


def second_table(runs: dict[Job, dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for data in present(runs):
        table = arm_table(runs, TABLES["2"](), data)
        lines += [f"### {NAMES[data].capitalize()}", "", *table, ""] if table else []
    if not lines:
        return []
    better, worse = (listed(agreed(runs, word, other)) or "none" for word, other in (WORDS, WORDS[::-1]))
    return [
        "## Which insertions",
        "",
        'In the detector "both". The mix draws from the eleven techniques with the textures of `anom_source_imgs` as source. "Procedural"',
        "are the eight defects that have a name, such as scratch and crack; the last row takes another library for comparison, pyimgano",
        "0.9.1, with equal chances for its 17 presets that change a place instead of the whole image. Better and worse are said only where",
        "the interval of the paired difference excludes 0; the order of the rows has no meaning.",
        "",
        f"Rows that are better than the mix in image AUROC or pixel AP on each kind of parts, and worse in neither: {better}.",
        f"Rows that are worse on each kind of parts, and better in neither: {worse}.",
        "",
        *lines,
    ]


def agreed(runs: dict[Job, dict[str, Any]], word: str = "better", never: str = "worse") -> list[str]:
    """The rows of the second table that differ from the mix on every kind of parts, in the same direction."""
    found = []
    for arm in TABLES["2"]():
        words = [
            {
                verdict(difference(*(by_seed(runs, data, name, "both", metric) for name in (arm, MIX))))
                for metric in TITLES
            }
            for data in present(runs)
            if seeds_of(runs, data, arm)
        ]
        if len(words) == len(NAMES) and all(word in some and never not in some for some in words):
            found.append(arm)
    return found


def third_table(runs: dict[Job, dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for which in ("both", "head"):
        table = arm_table(runs, TABLES["3"](), "screws", which)
        title = "Both maps" if which == "both" else "The head alone"
        lines += [f"{title}:", "", *table, ""] if table else []
    if not lines:
        return []
    gains = []
    for count in COUNTS:
        pair = (by_seed(runs, "screws", f"{count} real{half}", "both", "pixel ap") for half in ("", " and the eleven"))
        gain = difference(*pair)
        gains += [f"{shown(gain, '+')} with {count}"] if verdict(gain) else []
    if gains:
        lines += [
            "In all samples instead of half of them, real defects change the pixel AP of both maps by "
            + ", ".join(gains)
            + ".",
            "",
        ]
    return [
        "## A few real defects",
        "",
        "Photographs with real defects, from places on the screw that no test contains, whose defects are pasted with `real_defect`",
        "into all samples, or into half of them next to the eleven. The number is that of photographs.",
        "",
        *lines,
    ]


def fourth_table(runs: dict[Job, dict[str, Any]]) -> list[str]:
    """Whether pseudo-anomalies that were held out can choose insertions, maps and thresholds."""
    lines = [
        "## Can pseudo-anomalies choose?",
        "",
        "Kendall's rank correlation between the AUROC on held-out pseudo-anomalies and the AUROC on real defects: over the rows",
        "of the tables above, for each seed (across insertions), and over the seeds of one row (within). 1 is perfect agreement, 0 is none.",
        "The regret is what is lost in image AUROC by taking the row that is best on held-out insertions of the mix, instead of the best.",
        "",
        "| parts | across insertions | within | regret of choosing | regret of the mix |",
        "|---|---|---|---|---|",
    ]
    rows = [line for data in present(runs) if (line := _choice(runs, data))]
    if rows:
        lines += [*rows, ""]
    else:
        lines = ["## Can pseudo-anomalies choose?", ""]
    lines += [
        "Thresholds of the mix, as false alarms and missed defects: one from held-out good parts alone, one with the best F1 on held-out",
        "insertions, and the best there is, which needs the real defects. All are means over the seeds.",
        "",
        "| parts | good parts alone | held-out insertions | best possible |",
        "|---|---|---|---|",
    ]
    for data in present(runs):
        found = [runs[data, MIX, seed]["maps"]["both"]["errors"] for seed in seeds_of(runs, data, MIX)]
        cells = [
            "{:.0%} and {:.0%}".format(*np.mean([entry[name] for entry in found], axis=0))
            for name in ("normal", "pseudo", "best")
        ]
        lines.append(f"| {NAMES[data]} | {' | '.join(cells)} |")
    return [*lines, ""]


def _choice(runs: dict[Job, dict[str, Any]], data: str) -> str:
    names = [arm for arm in arms() if len(seeds_of(runs, data, arm)) >= 2]
    seeds = sorted(set.intersection(*(set(seeds_of(runs, data, arm)) for arm in names))) if len(names) > 4 else []
    if len(seeds) < 2:
        return ""
    across, chosen, plain_mix = [], [], []
    for seed in seeds:
        found = [runs[data, arm, seed]["maps"]["both"] for arm in names]
        pseudo, real = ([entry[name] for entry in found] for name in ("pseudo, mix", "image auroc"))
        across.append(stats.kendalltau(pseudo, real).statistic)
        chosen.append(max(real) - real[int(np.argmax(pseudo))])
        plain_mix.append(max(real) - real[names.index(MIX)])
    within = []
    for arm in names:
        found = [runs[data, arm, seed]["maps"]["both"] for seed in seeds_of(runs, data, arm)]
        tau = stats.kendalltau([e["pseudo"] for e in found], [e["image auroc"] for e in found]).statistic
        within += [] if np.isnan(tau) else [tau]
    cells = [shown(tuple(np.clip(mean_and_interval(values), -1, 1)), "+") for values in (across, within)]
    cells += [shown(mean_and_interval(values)) for values in (chosen, plain_mix)]
    return f"| {NAMES[data]} | {' | '.join(cells)} |"


def draw(runs: dict[Job, dict[str, Any]], file: Path) -> None:
    """Means and intervals of the three detectors: image AUROC for each data set, and pixel AP where there are masks."""
    panels = [
        (data, metric)
        for data in present(runs)
        for metric in ("image auroc", "pixel ap")
        if by_seed(runs, data, MIX, "both", metric)
    ]
    figure = Figure((2.6 * len(panels) + 0.6, 2.6), dpi=110, layout="constrained")
    for axes, (data, metric) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for place, which in enumerate(("memory", "head", "both")):
            mean, low, high = mean_and_interval(list(by_seed(runs, data, MIX, which, metric).values()))
            error = None if np.isnan(low) else [[mean - low], [high - mean]]
            axes.errorbar([place], [mean], error, fmt="o", capsize=4, color=("#777777", "#cc7a00", "#0050a0")[place])
            axes.annotate(f"{mean:.3f}", (place, mean), (7, 0), textcoords="offset points", fontsize=8, va="center")
        axes.set_xticks(range(3), ["nearest\nfeature", "head", "both"], fontsize=8)
        axes.set_xlim(-0.4, 2.9)
        axes.tick_params(axis="y", labelsize=8)
        axes.grid(axis="y", color="#dddddd")
        axes.set_axisbelow(True)
        axes.set_title(f"{NAMES[data]}\n{TITLES[metric]}", fontsize=9)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def write_page(runs: dict[Job, dict[str, Any]], page: Path, settings: dict[str, Any]) -> None:
    draw(runs, page.parent / "pictures" / "detection.png")
    lines = [
        "# What pseudo-anomalies are worth for a detector",
        "",
        *outcome(runs),
        *INTRODUCTION,
        "![Image AUROC and pixel AP of the three detectors, with intervals](pictures/detection.png)",
        "",
        *first_table(runs),
        *second_table(runs),
        *third_table(runs),
        *fourth_table(runs),
        "## Settings",
        "",
        "The settings were fixed before the first run, after trials with seed 100, which is in no table. After two runs",
        "with seed 0, the loss was moved to half the size of the images, to save time, and these runs were repeated. Settings:",
        "; ".join(f"{name} {value}" for name, value in settings.items())
        + f". Batches of {detector.BATCH}, AdamW with one cycle up to a rate of {detector.RATE}, a score of the highest {detector.TOP_SHARE:.0%} of the places.",
        f"Convolutions in bfloat16. torch {torch.__version__}, Python {platform.python_version()}.",
        "",
        *NOT_TESTED,
        *not_run(runs),
    ]
    page.write_text("\n".join(wrapped(lines)) + "\n", encoding="utf-8")


def not_run(runs: dict[Job, dict[str, Any]]) -> list[str]:
    """The rows of which there is no run on a data set."""
    lines = []
    for data in present(runs):
        names = [arm for arm in arms() if not seeds_of(runs, data, arm) and ("real" not in arm or data == "screws")]
        lines += ["", f"Not run on {NAMES[data]}: {'; '.join(names)}."] if names else []
    return lines


def wrapped(lines: Sequence[str]) -> list[str]:
    """Paragraphs at 128 columns; tables, headings and pictures as they are."""
    found: list[str] = []
    for is_text, block in itertools.groupby(lines, lambda line: bool(line) and not line.startswith(("|", "#", "!"))):
        if is_text:
            found += textwrap.wrap(" ".join(block), 128, break_long_words=False, break_on_hyphens=False)
        else:
            found += block
    return found


INTRODUCTION = [
    "This page helps to judge whether training with pseudo-anomalies is worth it for your parts. The detector is that of",
    "`examples/detector.py`, see [training](training.md#a-complete-detector): a frozen EfficientNet-Lite0, whose features of good parts are",
    'a memory ("nearest feature", which needs no pseudo-anomalies), and a small head that is trained on pseudo-anomalies in other good',
    'parts ("head"). "Both" is the sum of the two maps, each standardized on good parts that neither of them saw.',
    "",
    "The data are electroluminescence images of solar cells whose defects experts labeled (ELPV: 2,624 cells; Buerhop et al. 2018, Deitsch",
    "et al. 2019), tested on 200 good cells and all defective ones of a kind, and 1,035 photographs of ball screws, 325 of them with pitting outlined by",
    "hand (BSData: Schlagenhauf and Landwehr 2021), split by place on the screw, because photographs of one place show the same spot",
    "over weeks. No defect is used for training, except in the table on real defects. No photograph of either data set is in this project.",
    "",
    "Values are means with 95 % intervals of Student's t over seeds, which decide split, memory, insertions and weights; differences are",
    "paired. AUROC, AP (average precision) and AUPRO are 1 for a perfect detector; an AUROC of 0.5 is chance.",
    "",
]
NOT_TESTED = [
    "## What was not tested",
    "",
    "Other parts than these, other encoders, larger images, longer training, and regions of interest.",
    "The seeds share photographs, so that the intervals say how much the result depends on the split and on chance in training, and not how it",
    "would be on other parts. With this many rows, about one in twenty intervals excludes 0 by chance.",
    "On the ball screws the score of a whole photograph is hard to interpret: later photographs are dirtier everywhere, so that the",
    "whole photograph is far from the memory, with or without a defect. The metrics of pixels tell more there. The procedural family",
    "contains cracks and pits, which are the defects of these data, and its pits were compared by eye with some of these photographs",
    "while they were designed; how it does on other defects is unknown.",
]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ball-screws", type=Path, help="a clone of 2Obe/BSData; PAIL_BALL_SCREWS by default")
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--data", nargs="+", choices=list(NAMES), default=list(NAMES))
    parser.add_argument("--arms", nargs="+", choices=list(arms()), metavar="ROW", help="some rows of the tables alone")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--tiny", action="store_true", help="a few steps on a few photographs, to see that it works")
    parser.add_argument("--folder", type=Path, default=ROOT / "results" / "detection")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "detection.md")
    options = parser.parse_args(arguments)
    if options.ball_screws is None and "PAIL_BALL_SCREWS" in os.environ:
        options.ball_screws = Path(os.environ["PAIL_BALL_SCREWS"])
    settings = TINY if options.tiny else SETTINGS
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if not options.report:
        names = [name for name in options.data if name != "screws" or options.ball_screws]
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        no_peer = importlib.util.find_spec("pyimgano") is None
        if no_peer:
            print(f"Without the row {PEER}: {install_hint('peers')}")
        jobs = [
            (name, arm, seed)
            for table, seed, name in itertools.product(options.tables, seeds, names)
            for arm in TABLES[table]()
            if not options.arms or arm in options.arms
            if not (no_peer and arm == PEER)
            if table != "3" or name == "screws"
        ]
        run_all(list(dict.fromkeys(jobs)), options, settings)
    write_page(read_runs(options.folder / "runs.jsonl", settings), options.page, settings)


if __name__ == "__main__":
    main()
