"""The programs around the example detector, with an encoder of a few random weights, and parts to train on."""

import importlib.util
import sys
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from common import photograph
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
HEIGHT, WIDTH = 48, 64


@contextmanager
def program(*place):
    """A program of the project as a module, with one thread; its encoder lite0 is a tiny one."""
    threads, path = (torch.get_num_threads(), cv2.getNumThreads()), list(sys.path)
    torch.set_num_threads(1)
    sys.path.insert(0, str(ROOT / "examples"))
    import detector

    original = detector.load_encoder
    detector.load_encoder = lambda name, pretrained=True: (
        tiny(detector) if name == "lite0" else original(name, pretrained)
    )
    try:
        spec = importlib.util.spec_from_file_location(Path(place[-1]).stem, ROOT.joinpath(*place))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        detector.load_encoder = original
        sys.path[:] = path
        sys.modules.pop("detector", None)
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


def tiny(module):
    torch.manual_seed(0)
    stages = [nn.Sequential(nn.Conv2d(a, b, 3, s, 1), nn.ReLU()) for a, b, s in ((3, 8, 4), (8, 12, 2), (12, 16, 2))]
    return module.Encoder([*stages, nn.Linear(5, 2)]).requires_grad_(False).eval()


def write_parts(root):
    """A folder in the layout of MVTec AD: one part with noise; its defects are dark squares."""
    for index in range(12):
        for split in ("train/good", "test/good", "test/dark"):
            noise = np.random.default_rng(index + 20 * len(split)).normal(0, 6, (HEIGHT, WIDTH, 3))
            image = np.clip(photograph(HEIGHT, WIDTH) + noise, 0, 255).astype(np.uint8)
            if split == "test/dark":
                image[20:36, 24:40] = 0
                mask = np.zeros((HEIGHT, WIDTH), np.uint8)
                mask[20:36, 24:40] = 255
                write(root / "ground_truth" / "dark" / f"{index:03}_mask.png", mask)
            write(root / split / f"{index:03}.png", image)
    return root


def write(file, image):
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), image)
