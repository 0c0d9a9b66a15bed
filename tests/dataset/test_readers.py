"""Data sets in the readers of other tools, if these are installed."""

import json
from collections import Counter

import cv2
import numpy as np
import pytest
from common import photograph
from optional import ball_screws, good_screws, need

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


def manifest(out):
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


REAL = {"number": 24, "workers": 1, "classes": "kind", "anomalies": (1, 3), "seed": 5}


@pytest.mark.parametrize("options", [{}, {"tile": 128, "overlap": 32}], ids=["whole", "tiles"])
def test_ultralytics_reads_real_defects_on_real_parts(options, tmp_path, monkeypatch):
    """What its polygons fill is the mask, and the classes are the kinds of the bank."""
    folder = ball_screws()
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    pytest.importorskip("ultralytics")
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    out = tmp_path / "set"
    mix = {"techniques": ["real", "scratch", "chip"], "weights": [2, 1, 1]}
    summary = pail.generate(good_screws(folder, 30), out, defects=folder, layout="yolo", **REAL, **mix, **options)
    assert summary.missing == [] and summary.skipped == []
    read = check_det_dataset(str(out / "data.yaml"), autodownload=False)
    assert list(read["names"].values()) == [*pail.Defects.read(folder).kinds, "scratch", "chip"]
    lines = {line["image"].rpartition("/")[2]: line for line in manifest(out)}
    seen = set()
    for split in ("train", "val"):
        data = YOLODataset(img_path=read[split], data=read, task="segment", augment=False, imgsz=96)
        for label in data.labels:
            name = label["im_file"].replace("\\", "/").rpartition("/")[2]
            line = lines[name]
            seen.add(name)
            assert line["split"] == split and label["shape"] == (line["height"], line["width"])
            filled = np.zeros((line["height"], line["width"]), np.uint8)
            for polygon in label["segments"]:
                corners = np.floor(np.float64(polygon) * (line["width"], line["height"])).astype(np.int32)
                cv2.fillPoly(filled, [corners], 255)
            mask = np.zeros_like(filled) if line["mask"] is None else cv2.imread(str(out / line["mask"]), 0)
            assert np.array_equal(filled, mask)
            found = Counter(read["names"][int(number)] for number in label["cls"].ravel())
            assert found == Counter(piece.get("kind", piece["technique"]) for piece in line.get("pieces", ()))
    assert seen == set(lines)


@pytest.mark.heavy
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # theirs are not ours to mend
@pytest.mark.parametrize("options", [{}, {"tile": 128}], ids=["whole", "tiles"])
def test_anomalib_reads_real_defects_on_real_parts(options, tmp_path):
    """Each image of the test split comes with its label and mask, and nothing else is read."""
    folder = ball_screws()
    need("anomalib")
    from anomalib.data import MVTecAD

    out = tmp_path / "screw"
    mix = {"techniques": ["real", "scratch"], "weights": [2, 1]}
    pail.generate(good_screws(folder, 30), out, defects=folder, **REAL, **mix, **options)
    lines = [line for line in manifest(out) if line["split"] != "val"]
    data = MVTecAD(root=tmp_path, category="screw", train_batch_size=4, eval_batch_size=4, num_workers=0)
    data.setup()
    found = {"train": data.train_data, "test": data.test_data}
    expected = {split: [line for line in lines if line["split"] == split] for split in found}
    for split, items in found.items():
        own = {str(out / line["image"]): line for line in expected[split]}
        kept = {str(path) for path in items.samples.image_path}
        if split == "test":  # of which a part may have become the validation set
            kept |= {str(path) for path in data.val_data.samples.image_path}
            assert kept == set(own)
        else:
            assert kept == set(own)
        for index in range(len(items)):
            item = items[index]
            line = own[str(item.image_path)]
            assert int(item.gt_label) == line["label"]
            mask = np.zeros((line["height"], line["width"]), bool)
            if line["mask"] is not None:
                mask = cv2.imread(str(out / line["mask"]), 0) > 0
            shown = np.zeros_like(mask) if item.gt_mask is None else np.asarray(item.gt_mask).squeeze() > 0
            assert np.array_equal(shown, mask)
            pixels = cv2.imread(str(out / line["image"]))[..., ::-1]
            assert np.abs(np.asarray(item.image).transpose(1, 2, 0) * 255 - pixels).max() < 1
