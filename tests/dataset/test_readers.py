"""Data sets in the readers of other tools, if these are installed."""

import json

import cv2
import numpy as np
import pytest
from common import photograph

import pail


@pytest.fixture
def parts(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for index in range(6):
        cv2.imwrite(str(folder / f"{index}.png"), photograph(90, 110, index))
    return folder


def test_ultralytics_reads_a_set_in_the_yolo_layout(parts, tmp_path, monkeypatch):
    """Each piece of the manifest is a polygon of its class."""
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    pytest.importorskip("ultralytics")  # AGPL: of no extra, and in no test that has to run
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    out = tmp_path / "set"
    pail.generate(parts, out, number=8, layout="yolo", techniques=["SFI", "defects"], anomalies=2, workers=1)
    read = check_det_dataset(str(out / "data.yaml"), autodownload=False)
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    expected = {
        line["image"].rpartition("/")[2]: sorted(piece["technique"] for piece in line.get("pieces", ()))
        for line in lines
    }
    found = {}
    for split in ("train", "val"):
        data = YOLODataset(img_path=read[split], data=read, task="segment", augment=False, imgsz=96)
        for label in data.labels:
            name = label["im_file"].replace("\\", "/").rpartition("/")[2]
            found[name] = sorted(read["names"][int(number)] for number in label["cls"].ravel())
            assert len(label["segments"]) == len(found[name])
            assert all(
                np.asarray(polygon).min() >= 0 and np.asarray(polygon).max() <= 1 for polygon in label["segments"]
            )
    assert found == expected
