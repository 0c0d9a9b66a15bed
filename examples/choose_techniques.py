"""Find out which insertions help to detect the defects of your own parts, by testing on a few real defects.

    python examples/choose_techniques.py parts/ --source textures/
    python examples/detector.py train parts/train/good --recipe choice/recipe.toml --out model/

`parts/` has the layout of MVTec AD: train/good, test/good and test/KIND, and ground_truth/KIND if there are masks. The
head of examples/detector.py is trained once for each technique and family and each seed, on features that are computed
once, and scored on the photographs of `test`. If some candidates are significantly better than the mix of the eleven
techniques, they are written to `recipe.toml`: the interval of the difference, corrected for the number of candidates,
must exclude 0. Otherwise no recipe is written. The photographs of `test` have then been used for a decision; test the
finished detector on others.

Exit status: 0 done, also without a significant difference; 2 wrong arguments or images. Needs the extra `benchmark`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

MIX, NEAREST = "mix of the eleven", "nearest feature alone"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", type=Path, help="folder in the layout of MVTec AD")
    parser.add_argument("--out", type=Path, default=Path("choice"), help="folder of the results (choice/)")
    parser.add_argument("--source", help="folder of textures; the parts themselves by default")
    parser.add_argument("--roi", choices=["foreground"], help="insert only on the object")
    parser.add_argument("--techniques", nargs="+", help="names and families to try; all by default")
    parser.add_argument("--metric", choices=["image", "pixel"], default="image", help="AUROC, or AP of pixels (image)")
    parser.add_argument("--encoder", default="lite0", help="as for detector.py (lite0)")
    parser.add_argument("--size", type=int, default=160, help="side of a square with as many pixels (160)")
    parser.add_argument("--bank", type=int, default=2000, help="features in the memory (2000)")
    parser.add_argument("--pool", type=int, default=200, help="insertions for each training (200)")
    parser.add_argument("--steps", type=int, default=200, help="steps of each training (200)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each candidate (3)")
    parser.add_argument("--rounds", type=int, default=500, help="rounds of the bootstrap (500)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    parse(None)  # here, because the packages below take seconds to import and --help does not need them

try:
    import detector  # the file next to this one
    import numpy as np
    import tomli_w
    import torch
    from tqdm import tqdm

    from pail.registry import TECHNIQUES, by_default
except ImportError as error:
    raise ImportError(
        f"pip install '.[benchmark]' in the folder of the project installs what this needs; {error}"
    ) from error

Scores = dict[str, list[Any]]  # per candidate and seed: a score for each photograph, or its PixelCounts


def candidates(names: list[str] | None) -> dict[str, list[str]]:
    """The candidates: each technique, and each family with several techniques."""
    families: dict[str, list[str]] = {}
    for name, technique in TECHNIQUES.items():
        if technique.family != "real":  # real defects need a bank
            families.setdefault(technique.family, []).append(name)
    singles = {name: [name] for members in families.values() for name in members}
    found = {f"family {family}": members for family, members in families.items() if len(members) > 1} | singles
    if names is None:
        return found
    wanted = {f"family {name}" if name in families else name for name in names}
    unknown = sorted(name.removeprefix("family ") for name in wanted - set(found))
    if unknown:
        raise ValueError(f"`--techniques` must be names or families, got {', '.join(unknown)}")
    return {name: members for name, members in found.items() if name in wanted}


def measure(options: argparse.Namespace) -> tuple[Scores, np.ndarray]:
    """Train every candidate with every seed, and score the photographs of `test`."""
    files, labels, masks = detector.read_layout(options.parts)
    if options.metric == "pixel" and masks is None:
        raise ValueError(f"{options.parts}/ground_truth must contain a mask of each defect for --metric pixel")
    normal = detector.photographs(options.parts / "train" / "good")
    if len(normal) < detector.FEWEST:
        raise ValueError(
            f"{options.parts}/train/good must contain at least {detector.FEWEST} photographs, got {len(normal)}"
        )
    size = detector.network_size(detector.common_size([*normal, *files]), options.size)
    truth = detector.read_masks(masks, size) if options.metric == "pixel" else None
    model = detector.Detector(options.encoder)
    features = {
        name: [torch.cat(maps).half() for maps in zip(*(model.features(b) for b in batches), strict=True)]
        for name, batches in (
            ("good", detector.read_all(normal, size, "features of good parts")),
            ("test", detector.read_all(files, size, "features of test")),
        )
    }
    tried = {MIX: list(by_default()), **candidates(options.techniques)}
    scores: Scores = {name: [] for name in (NEAREST, *tried)}

    def samples(of: str, chosen: list[int]) -> detector.Samples:
        fine, joint = (maps[chosen] for maps in features[of])
        return detector.Samples(fine, joint, model.distance(joint), torch.zeros(len(chosen), 1, *size))

    def keep(name: str, raw: torch.Tensor, which: str) -> None:
        maps = model.combined(raw, which)
        if truth is None:
            scores[name].append(detector.score_of(maps).numpy())
        else:
            large = torch.nn.functional.interpolate(maps[:, None], size, mode="bilinear")[:, 0]
            scores[name].append(detector.PixelCounts(large.numpy(), truth))

    bar = tqdm(total=options.seeds * len(tried), desc="training", disable=None)
    for seed in range(options.seeds):
        memory, inserted, held_out = detector.split(len(normal), seed)
        generator = torch.Generator().manual_seed(seed)
        model.remember(*(maps[memory].float() for maps in features["good"]), options.bank, generator)
        good, rest = samples("good", inserted), samples("good", held_out)
        test = samples("test", list(range(len(files))))
        model.set_distances(good)
        for name, techniques in tried.items():
            torch.manual_seed(seed)
            model.head = detector.Head(good.fine.shape[1], good.joint.shape[1])
            wanted = argparse.Namespace(source=options.source, roi=options.roi, techniques=techniques)
            wanted.defects = wanted.recipe = wanted.severity = None
            insertions = detector.Insertions(model, [normal[index] for index in inserted], size, wanted, seed)
            pool = insertions.pool(options.pool, quiet=True)
            detector.train_head(model, detector.from_pool(good, pool), options.steps, seed)
            detector.calibrate(model, rest)
            raw = test.raw_maps(model)
            keep(name, raw, "both")
            if name == MIX:
                keep(NEAREST, raw, "memory")
            bar.update()
    bar.close()
    return scores, labels


def value_of(scores: list[Any], labels: np.ndarray, chosen: np.ndarray, seeds: np.ndarray) -> float:
    """The metric on the chosen photographs, which may be repeated; the mean over the chosen seeds."""
    found = {}
    for seed in np.unique(seeds):
        if isinstance(scores[seed], detector.PixelCounts):
            weights = np.bincount(chosen, minlength=len(labels))
            found[seed] = scores[seed].metrics(weights)["pixel ap"]
        else:
            found[seed] = detector.roc_auc_score(labels[chosen], scores[seed][chosen])
    return float(np.mean([found[seed] for seed in seeds]))


def compare(scores: Scores, labels: np.ndarray, rounds: int) -> dict[str, dict[str, Any]]:
    """Each candidate's value, and its difference from the mix with an interval.

    Photographs and seeds are resampled in each round, in the same way for all candidates. The intervals have a joint
    confidence of 95 %: each excludes 5 % divided by the number of candidates.
    """
    rng, kinds = np.random.default_rng(0), [np.flatnonzero(labels == label) for label in (0, 1)]
    count = len(scores[MIX])
    everything = np.arange(len(labels)), np.arange(count)
    values = {name: value_of(some, labels, *everything) for name, some in scores.items()}
    gains: dict[str, list[float]] = {name: [] for name in scores if name != MIX}
    for _ in tqdm(range(rounds), "comparing", disable=None):
        chosen = np.concatenate([rng.choice(kind, len(kind)) for kind in kinds])
        seeds = rng.integers(0, count, count)
        mix = value_of(scores[MIX], labels, chosen, seeds)
        for name, gain in gains.items():
            gain.append(value_of(scores[name], labels, chosen, seeds) - mix)
    left_out = 100 * 0.05 / max(len(gains), 1)
    found: dict[str, dict[str, Any]] = {MIX: {"value": values[MIX]}}
    for name, gain in gains.items():
        interval = np.percentile(gain, [left_out / 2, 100 - left_out / 2]).tolist()
        found[name] = {"value": values[name], "difference": values[name] - values[MIX], "interval": interval}
    return found


def helpful(found: dict[str, dict[str, Any]]) -> list[str]:
    """The candidates whose interval is above 0, the best first."""
    better = [name for name, entry in found.items() if "interval" in entry and entry["interval"][0] > 0]
    return sorted((name for name in better if name != NEAREST), key=lambda name: -found[name]["value"])


def choose(options: argparse.Namespace) -> dict[str, Any]:
    for name in ("size", "bank", "pool", "steps", "seeds", "rounds"):
        if getattr(options, name) < 1:
            raise ValueError(f"`--{name}` must be at least 1, got {getattr(options, name)}")
    tried = candidates(options.techniques)
    scores, labels = measure(options)
    found = compare(scores, labels, options.rounds)
    better = helpful(found)
    metric = {"image": "image AUROC", "pixel": "pixel AP"}[options.metric]
    print(f"{'':28} {metric:12} compared with the mix")
    for name, entry in sorted(found.items(), key=lambda item: -item[1]["value"]):
        more = "" if name == MIX else "{:+.3f} [{:+.3f}, {:+.3f}]".format(entry["difference"], *entry["interval"])
        print(f"{name:28} {entry['value']:<12.3f} {more}{'  better' if name in better else ''}")
    if found[NEAREST]["interval"][0] > 0:
        print("The nearest feature alone is better than with the mix: see `--only memory` of detector.py.")
    options.out.mkdir(parents=True, exist_ok=True)
    result = {"metric": metric, "defective": int(labels.sum()), "candidates": found, "better": better}
    (options.out / "result.json").write_text(json.dumps(result, indent=1))
    recipe = options.out / "recipe.toml"
    recipe.unlink(missing_ok=True)  # left by an earlier call
    if not better:
        print(
            f"No significant difference with {int(labels.sum())} defective photographs and {options.seeds} seeds: no "
            "candidate is certainly better than the mix. Keep the mix."
        )
        return result
    names = dict.fromkeys(technique for name in better for technique in tried[name])
    with recipe.open("wb") as opened:
        tomli_w.dump({"techniques": {name: {"weight": 1.0} for name in names}}, opened)
    print(f"{recipe}: {', '.join(names)}")
    return result


def main(arguments: list[str] | None = None) -> Any:
    options = parse(arguments)
    try:
        return choose(options)
    except (ValueError, TypeError) as error:
        print(f"choose_techniques.py: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
