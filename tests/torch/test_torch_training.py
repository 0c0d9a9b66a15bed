"""The example that trains a segmenter, on settings as small as they get."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from common import photograph
from optional import need

need("torch")
need("sklearn")

import torch  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.heavy, pytest.mark.slow]


@pytest.fixture(scope="module")
def one_thread():
    """As the scripts run in a process of their own; on a busy machine more of them wait for each other."""
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])


def load(script):
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def example(one_thread):
    return load(ROOT / "examples" / "train_segmenter.py")


@pytest.fixture
def detection(one_thread, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return load(ROOT / "benchmarks" / "detection.py")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A folder in the layout of MVTec AD; its defects are dark squares."""
    root = tmp_path_factory.mktemp("parts")
    for index in range(8):
        for split in ("train/good", "test/good", "test/dark"):
            image = photograph(64, 64, seed=index + 10 * len(split)).copy()
            file = root / split / f"{index:03}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            if split == "test/dark":
                image[20:36, 24:40] = 0
                mask = np.zeros((64, 64), np.uint8)
                mask[20:36, 24:40] = 255
                truth = root / "ground_truth" / "dark" / f"{index:03}_mask.png"
                truth.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(truth), mask)
            cv2.imwrite(str(file), image)
    return root


def run(example, parts, out, *more):
    torch.manual_seed(0)
    settings = ["--size", "32", "--batch", "4", "--workers", "0", "--rounds", "5", "--out", out, *more]
    return example.main([str(value) for value in [parts, *settings]])


def test_a_run_writes_its_result_and_its_cases(example, parts, tmp_path):
    result = run(example, parts, tmp_path, "--steps", 6)
    assert json.loads((tmp_path / "result.json").read_text()) == result
    names = {f"image {metric}, {kind}" for metric in ("auroc", "ap", "f1") for kind in ("top", "max")}
    assert names | {"pixel auroc", "pixel ap", "pixel aupro"} == set(result["metrics"])
    for entry in result["metrics"].values():
        assert 0 <= entry["value"] <= 1
        low, high = entry.get("interval", (0, 1))
        assert 0 <= low <= high <= 1
    assert cv2.imread(str(tmp_path / "cases.png")).shape == (12 * 32, 3 * 32 + 190, 3)


def test_an_interrupted_run_goes_on_from_its_checkpoint(example, parts, tmp_path, monkeypatch):
    whole = run(example, parts, tmp_path / "whole", "--steps", 6)
    calls, original = [], example.step

    def stop(*arguments):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(1)
        return original(*arguments)

    monkeypatch.setattr(example, "step", stop)
    with pytest.raises(KeyboardInterrupt):
        run(example, parts, tmp_path / "parted", "--steps", 6)
    monkeypatch.setattr(example, "step", original)
    assert run(example, parts, tmp_path / "parted", "--steps", 6)["metrics"] == whole["metrics"]


def test_the_frozen_encoder_stays_frozen(example, parts, tmp_path):
    need("efficientnet_lite_pytorch")
    before = example.load_lite0().state_dict()
    run(example, parts, tmp_path, "--steps", 2, "--encoder", "lite0")
    after = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["model"]
    assert all(torch.equal(after[f"encoder.{name}"], value) for name, value in before.items())


def test_aupro_of_a_perfect_and_of_a_useless_map(example):
    masks = np.zeros((2, 20, 20), bool)
    masks[0, 5:9, 5:9] = masks[1, 2:4, 10:18] = True
    assert example.aupro(masks.astype(float), masks) > 0.99
    assert example.aupro(np.random.default_rng(0).random((2, 20, 20)), masks) < 0.4


def test_a_folder_without_defects_is_refused(example, parts):
    with pytest.raises(ValueError, match="test"):
        example.read_mvtec(parts / "train")


def test_the_detection_table_is_written_from_its_runs(detection, monkeypatch, tmp_path):
    need("efficientnet_lite_pytorch")

    def cells(kind, seed, tiny):
        images = [photograph(48, 48, seed=index + 100 * seed) for index in range(20)]
        return detection.segmenter.Data(images[:8], images[8:], np.array([0, 1] * 6), None, [])

    monkeypatch.setattr(detection, "cells", cells)
    arms = ["cutpaste", detection.MIX, detection.SHUFFLED, detection.NEAREST]
    jobs = [(kind, arm, seed) for seed in (0, 1) for kind in detection.KINDS for arm in arms]
    for job in jobs:
        detection.stored(tmp_path, job).write_text(json.dumps(detection.run(job, True)))
    again = detection.run(jobs[1], True)
    assert again["metrics"] == json.loads(detection.stored(tmp_path, jobs[1]).read_text())["metrics"]
    detection.write_page(detection.collect(jobs, tmp_path), tmp_path / "detection.md", 2, detection.TINY)
    text = (tmp_path / "detection.md").read_text()
    assert all(text.count(f"| {arm} |") == 2 for arm in arms)
    assert cv2.imread(str(tmp_path / "pictures" / "detection.png")).any()


def test_only_intervals_without_zero_are_called_better_or_worse(detection):
    mix = np.array([0.8, 0.81, 0.79, 0.8, 0.82])
    assert detection.compare(np.add(mix, [0.05, 0.06, 0.05, 0.04, 0.05]), mix).endswith("better")
    assert detection.compare(np.subtract(mix, [0.05, 0.06, 0.05, 0.04, 0.05]), mix).endswith("worse")
    assert detection.compare(np.add(mix, [0.05, -0.06, 0.05, -0.04, 0.01]), mix).endswith("]")
