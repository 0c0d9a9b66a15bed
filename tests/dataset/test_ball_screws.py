"""The public photographs of ball screws (BSData), if the environment variable PAIL_BALL_SCREWS names their folder."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from commands import pail_command
from optional import ball_screws, good_screws, need

import pail

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder():
    return ball_screws()


@pytest.fixture(scope="module")
def good(folder, tmp_path_factory):
    """A list of the images without an annotation."""
    path = tmp_path_factory.mktemp("lists") / "good.txt"
    path.write_text("\n".join(map(str, good_screws(folder, 60))))
    return path


def test_one_command_makes_a_set_of_real_defects(folder, good, tmp_path):
    need("faster_coco_eval")
    need("pycocotools")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    out = tmp_path / "set"
    command = ("generate", good, out, "--defects", folder, "-n", 40, "--layout", "yolo", "--classes", "kind", "--coco")
    done = pail_command(*command)
    assert done.returncode == 0, done.stderr
    truth = COCO(str(out / "annotations.json"))
    assert [entry["name"] for entry in truth.loadCats(truth.getCatIds())] == list(pail.Defects.read(folder).kinds)
    found = [{**entry, "score": 1.0} for entry in truth.loadAnns(truth.getAnnIds())]
    for kind in ("bbox", "segm"):
        run = COCOeval(truth, truth.loadRes([dict(entry) for entry in found]), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
        assert run.stats[0] == pytest.approx(1)
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert sum(line["label"] for line in lines) == 40


def test_the_example_draws_the_bank_and_pasted_defects(folder, tmp_path):
    command = [sys.executable, ROOT / "examples" / "real_defects.py", folder, "--out", tmp_path]
    subprocess.run(command, check=True, capture_output=True)
    for name in ("bank.png", "pasted.png"):
        assert cv2.imread(str(tmp_path / name)).std() > 20
