"""Labels of objects: a piece each, its class, its outline and its runs, in every layout, split and shard."""

import json
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from coco import decoded
from commands import pail_command
from common import photograph
from hypothesis import given, settings
from hypothesis import strategies as st
from optional import need

import pail
from pail.dataset import recipe as recipes
from pail.dataset.labels import coco_annotations, layers, manifest_pieces, outlines, yolo_label
from pail.dataset.layouts import data_yaml

TWO = ["perlin_noise_pattern", "cutpaste"]


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for i in range(12):
        cv2.imwrite(str(folder / f"p{i:02}.png"), photograph(64, 72, i))
    return folder


def manifest(folder):
    return [json.loads(line) for line in (Path(folder) / "manifest.jsonl").read_text().splitlines()]


def mask_of(folder, line):
    return cv2.imread(str(folder / line["mask"]), cv2.IMREAD_UNCHANGED)


def drawn(row, shape):
    """A line of a YOLO label as its readers draw it: fractions times the sides, rounded down, filled."""
    number, *corners = row.split()
    assert len(corners) >= 6 and len(corners) % 2 == 0
    points = (np.array(corners, float).reshape(-1, 2) * (shape[1], shape[0])).astype(np.int32)
    return int(number), cv2.fillPoly(np.zeros(shape, np.uint8), [points], 255) > 0


def filled(points):
    """A polygon along the corners of pixels: which pixel centers lie inside, counted by crossings."""
    points = np.array(points, float).reshape(-1, 2)
    width, height = points.max(axis=0).astype(int)
    y, x = np.mgrid[:height, :width] + 0.5
    inside = np.zeros((height, width), bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


# One piece at a time


@st.composite
def instance_maps(draw):
    """Anomalies over each other, down to single pixels, at the border, with holes in holes."""
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    instances = np.zeros((height, width), np.uint16)
    for number in range(1, draw(st.integers(1, 3)) + 1):
        step = draw(st.integers(1, 4))
        cells = rng.random((-(-height // step), -(-width // step))) < draw(st.floats(0.05, 1))
        instances[cells.repeat(step, 0).repeat(step, 1)[:height, :width]] = number
    return instances


@settings(max_examples=150, deadline=None)
@given(instance_maps())
def test_pieces_and_outlines_are_the_mask(instances):
    shape = instances.shape
    techniques = ["cutpaste", "fract_aug", "cutpaste"]
    found = layers(instances, techniques)
    entries = manifest_pieces(found)
    assert sum(entry["pixels"] for entry in entries) == (instances > 0).sum()
    rows = yolo_label(found, shape, {"cutpaste": 4, "fract_aug": 7}).decode().splitlines()
    assert len(rows) == len(entries)
    whole = np.zeros(shape, np.uint16)
    for row, entry in zip(rows, entries, strict=True):
        number, mask = drawn(row, shape)
        assert number == {"cutpaste": 4, "fract_aug": 7}[entry["technique"]]
        assert list(cv2.boundingRect(mask.astype(np.uint8))) == entry["bbox"] and mask.sum() == entry["pixels"]
        assert cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] == 2
        owners = np.unique(instances[mask])
        assert len(owners) == 1 and techniques[owners[0] - 1] == entry["technique"]
        whole[mask] = owners[0]
    assert np.array_equal(whole, instances)
    for annotation, entry in zip(coco_annotations(found, shape, "polygon"), entries, strict=True):
        (polygon,) = annotation["segmentation"]
        assert filled(polygon).sum() == entry["pixels"] == annotation["area"] and annotation["bbox"] == entry["bbox"]
        assert len(polygon) >= 8


@settings(max_examples=100, deadline=None)
@given(instance_maps())
def test_runs_are_the_mask(instances):
    pytest.importorskip("faster_coco_eval", reason="needs faster_coco_eval, of the extra coco")
    found = layers(instances, ["a", "b", "c"])
    whole = np.zeros(instances.shape, bool)
    for annotation in coco_annotations(found, instances.shape, "rle"):
        mask = decoded(annotation["segmentation"])
        assert mask.shape == instances.shape and mask.sum() == annotation["area"] and not (whole & mask).any()
        assert list(cv2.boundingRect(mask.astype(np.uint8))) == annotation["bbox"]
        whole |= mask
    assert np.array_equal(whole, instances > 0)


def test_an_anomaly_that_is_covered_has_no_piece():
    instances = np.zeros((9, 9), np.uint16)
    instances[2:5, 2:5] = 2
    assert manifest_pieces(layers(instances, ["cutpaste", "fract_aug"])) == [
        {"technique": "fract_aug", "bbox": [2, 2, 3, 3], "pixels": 9}
    ]


def test_one_that_cuts_another_makes_two_pieces_of_it():
    instances = np.ones((9, 9), np.uint16)
    instances[4] = 2
    names = [entry["technique"] for entry in manifest_pieces(layers(instances, ["cutpaste", "fract_aug"]))]
    assert names == ["cutpaste", "cutpaste", "fract_aug"]


def test_a_ring_is_one_outline_with_its_hole():
    instances = np.zeros((60, 60), np.uint16)
    cv2.circle(instances, (30, 30), 20, 1, -1)
    cv2.circle(instances, (30, 30), 8, 0, -1)
    (row,) = yolo_label(layers(instances, ["x"]), (60, 60), {"x": 3}).decode().splitlines()
    assert np.array_equal(drawn(row, (60, 60))[1], instances > 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["checkerboard", "dots", "noise", "dense noise"])
def test_outlines_of_the_worst_masks_are_quick(kind):
    side = 2048
    rng = np.random.default_rng(0)
    y, x = np.indices((side, side))
    masks = {
        "checkerboard": (y + x) % 2 > 0,
        "dots": (y % 2 > 0) | (x % 2 > 0),
        "noise": rng.random((side, side)) < 0.5,
        "dense noise": rng.random((side, side)) < 0.8,
    }
    found = layers(masks[kind].astype(np.uint16), ["x"])
    outlines(layers(np.ones((3, 3), np.uint16), ["x"])[0], corners=False)  # compiled
    taken = []
    for _ in range(3):
        start = time.process_time()  # other processes do not count
        points, ends = outlines(found[0], corners=False)
        taken.append(time.process_time() - start)
    again = np.zeros((side, side), np.uint8)
    for start, end in pairwise(ends):
        cv2.fillPoly(again, [points[start:end]], 255)
    assert np.array_equal(again > 0, masks[kind])
    assert min(taken) < 1  # 0.2 to 0.3 seconds on an idle machine


# Sets


@pytest.mark.parametrize("layout", ["mvtec", "flat", "yolo"])
def test_pieces_of_the_manifest(parts, tmp_path, layout):
    out = tmp_path / "set"
    pail.generate(parts, out, number=16, layout=layout, workers=1, anomalies=(1, 3), techniques=TWO)
    several = 0
    for line in manifest(out):
        if not line["label"]:
            assert "pieces" not in line
            continue
        mask = mask_of(out, line)
        assert sum(piece["pixels"] for piece in line["pieces"]) == np.count_nonzero(mask)
        assert {piece["technique"] for piece in line["pieces"]} <= set(line["techniques"])
        boxes = np.array([piece["bbox"] for piece in line["pieces"]])
        low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
        assert [*low, *(high - low)] == line["bbox"] == list(cv2.boundingRect(mask))
        several += len(line["pieces"]) > len(set(line["techniques"]))
    assert several


def test_yolo_layout(parts, tmp_path):
    out = tmp_path / "set"
    summary = pail.generate(
        parts,
        out,
        number=40,
        layout="yolo",
        workers=1,
        anomalies=(1, 3),
        techniques=TWO,
        val_share=0.25,
        test_share=0.25,
    )
    assert (out / "data.yaml").read_text() == (
        "train: images/train\nval: images/val\ntest: images/test\n"
        'names:\n  0: "perlin_noise_pattern"\n  1: "cutpaste"\n'
    )
    lines = manifest(out)
    assert summary.splits == {"train": 6 + 20, "val": 3 + 10, "test": 3 + 10} and summary.status == 0
    for line in lines:
        label = out / line["image"].replace("images/", "labels/").replace(".png", ".txt")
        assert line["image"].startswith(f"images/{line['split']}/")
        rows = label.read_text().splitlines()
        if line["label"] == 0:
            assert rows == []
            continue
        pictures = [drawn(row, (64, 72)) for row in rows]
        assert np.array_equal(sum(mask for _, mask in pictures) > 0, mask_of(out, line) > 0)
        assert [TWO[number] for number, _ in pictures] == [piece["technique"] for piece in line["pieces"]]


@pytest.mark.parametrize(("classes", "names"), [("single", ["anomaly"]), ("dent: é #1", ["dent: é #1"])])
def test_one_class(parts, tmp_path, classes, names):
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    out = tmp_path / "set"
    pail.generate(parts, out, number=6, layout="yolo", workers=1, techniques=TWO, classes=classes, anomalies=2)
    assert yaml.safe_load((out / "data.yaml").read_text(encoding="utf-8"))["names"] == dict(enumerate(names))
    rows = [row for path in (out / "labels").rglob("*.txt") for row in path.read_text().splitlines()]
    assert rows and {row.split()[0] for row in rows} == {"0"}
    assert {piece["technique"] for line in manifest(out) for piece in line.get("pieces", ())} <= set(TWO)
    with pytest.raises(ValueError, match="same recipe"):
        pail.generate(parts, out, number=6, layout="yolo", workers=1, techniques=TWO, anomalies=2, resume=True)


def test_classes_do_not_depend_on_weights_and_own_techniques_come_last():
    plain = recipes.make_recipe(layout="yolo")
    assert recipes.make_recipe(techniques=TWO, weights=[1, 9]).class_numbers() == {TWO[0]: 0, TWO[1]: 1}
    pail.register("spot", lambda frame, draw: pail.Insertion(frame.whole, np.zeros((*frame.shape, frame.channels))))
    try:
        more = recipes.make_recipe(layout="yolo")
        assert more.class_names() == [*pail.ELEVEN, "spot"] and more.class_numbers()["spot"] == 11
        assert '  11: "spot"\n' in data_yaml(more, {})
    finally:
        pail.unregister("spot")
    assert plain.class_numbers() == {name: number for number, name in enumerate(pail.ELEVEN)}
    for wrong in ("", " ", "two\nlines", 3, ["a"]):
        with pytest.raises((TypeError, ValueError), match="`classes`"):
            recipes.make_recipe(classes=wrong)


def test_workers_forget_techniques_of_earlier_runs(parts, tmp_path):
    def spot(frame, draw, *, level=1.0):
        box = pail.place(frame, draw, 6, 6)
        return pail.Insertion(box, np.full((6, 6, frame.channels), level * frame.max_value, np.float32))

    def bar(frame, draw, *, level=1.0):
        box = pail.place(frame, draw, 3, 20)
        return pail.Insertion(box, np.full((3, 20, frame.channels), level * frame.max_value, np.float32))

    sides = []
    for function in (spot, bar):
        pail.register("spot", function)
        try:
            out = tmp_path / function.__name__
            pail.generate(parts, out, number=40, layout="flat", techniques=["spot"], workers=2)
            sides.append({tuple(piece["bbox"][2:]) for line in manifest(out) for piece in line["pieces"]})
        finally:
            pail.unregister("spot")
    assert sides == [{(6, 6)}, {(20, 3)}]
    summary = pail.generate(parts, tmp_path / "none", number=70, layout="flat", size=32, workers=2)
    assert "spot" not in summary.techniques


def coco_files(folder):
    return {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("annotations*.json"))}


@pytest.mark.parametrize("segmentation", ["rle", "polygon"])
@pytest.mark.parametrize(
    ("layout", "options", "names"),
    [
        ("mvtec", {"shard": "1/2"}, ["annotations.json", "annotations_test.json", "annotations_train.json"]),
        ("mvtec", {"shard": "2/2"}, ["annotations.json"]),
        ("flat", {}, ["annotations.json"]),
        ("flat", {"val_share": 0.3, "classes": "single"},
         ["annotations.json", "annotations_train.json", "annotations_val.json"]),
        ("yolo", {}, ["annotations.json", "annotations_train.json", "annotations_val.json"]),
        ("mvtec", {"purpose": "validation"}, ["annotations.json"]),
    ],
)  # fmt: skip
def test_the_truth_as_detections_scores_one(parts, tmp_path, segmentation, layout, options, names):
    need("faster_coco_eval")
    from faster_coco_eval import COCO, COCOeval_faster

    out = tmp_path / "set"
    pail.generate(
        parts, out, number=44, workers=1, coco=True, layout=layout, techniques=TWO, anomalies=(1, 2),
        segmentation=segmentation, **options,
    )  # fmt: skip
    lines = {line["index"]: line for line in manifest(out)}
    files = coco_files(out)
    assert list(files) == names
    for name, truth in files.items():
        split = name.removeprefix("annotations").removesuffix(".json").strip("_")
        own = [line for line in lines.values() if split in ("", line["split"])]
        assert [image["file_name"] for image in truth["images"]] == [line["image"] for line in own]
        pieces = [(line["index"], piece) for line in own for piece in line.get("pieces", ())]
        annotations = truth["annotations"]
        assert [entry["id"] for entry in annotations] == list(range(1, len(pieces) + 1))
        categories = {entry["id"]: entry["name"] for entry in truth["categories"]}
        assert min(categories) == 1
        for annotation, (index, piece) in zip(annotations, pieces, strict=True):
            expected = "anomaly" if options.get("classes") else piece["technique"]
            assert categories[annotation["category_id"]] == expected and annotation["image_id"] == index
            assert annotation["bbox"] == piece["bbox"] and annotation["area"] == piece["pixels"]
        if not annotations:
            continue
        coco = COCO(str(out / name))
        for index in {index for index, _ in pieces}:
            masks = [coco.annToMask(entry) for entry in coco.loadAnns(coco.getAnnIds(imgIds=[index]))]
            assert np.array_equal(sum(masks), mask_of(out, lines[index]) > 0)  # whole, and no pixel in two
        found = [
            {
                **{key: entry[key] for key in ("image_id", "category_id", "bbox")},
                "segmentation": coco.annToRLE(entry),
                "score": 1 - number / 1e6,
            }
            for number, entry in enumerate(annotations)
        ]
        for kind in ("bbox", "segm"):
            results = [
                {key: value for key, value in entry.items() if key != "segmentation" or kind == "segm"}
                for entry in found
            ]
            evaluation = COCOeval_faster(coco, coco.loadRes(results), kind)
            evaluation.params.maxDets = [1, 10, 1000]
            evaluation.evaluate()
            evaluation.accumulate()
            precision = evaluation.eval["precision"][:, :, :, 0, -1]
            assert (precision > -1).any() and (precision[precision > -1] == 1).all(), (name, kind)


def test_coco_of_a_resumed_and_of_a_parallel_run(parts, tmp_path):
    need("faster_coco_eval")
    options = {"number": 70, "coco": True, "layout": "yolo", "techniques": TWO, "size": 32}
    pail.generate(parts, tmp_path / "one", workers=1, **options)
    pail.generate(parts, tmp_path / "two", workers=2, **options)
    before = coco_files(tmp_path / "one")
    assert len(before) == 3 and coco_files(tmp_path / "two") == before
    pail.generate(parts, tmp_path / "one", workers=1, resume=True, **options)
    assert coco_files(tmp_path / "one") == before


# Splits, and what is said


def test_good_and_anomalous_images_of_a_flat_validation_set_keep_apart(parts, tmp_path):
    out = tmp_path / "set"
    pail.generate(parts, out, purpose="validation", layout="flat", workers=1, techniques="cutpaste")
    lines = manifest(out)
    assert len({line["image"] for line in lines}) == len(lines) == 12 == len(list((out / "images").iterdir()))
    for line in lines:
        same = np.array_equal(cv2.imread(str(out / line["image"])), cv2.imread(str(parts / line["normal"])))
        assert same == (line["label"] == 0)


def test_the_validation_images_of_mvtec_are_good_and_apart(parts, tmp_path):
    out = tmp_path / "set"
    summary = pail.generate(parts, out, number=5, workers=1, techniques="cutpaste", val_share=0.25)
    assert summary.splits == {"train": 5, "val": 3, "test": 4 + 5}
    assert len(list((out / "validation" / "good").iterdir())) == 3
    assert [path.name for path in (out / "validation").iterdir()] == ["good"]


@pytest.mark.filterwarnings("ignore:11 of 12 images have no mask")
def test_fewer_than_asked_for(parts, tmp_path):
    (tmp_path / "rois").mkdir()
    cv2.imwrite(str(tmp_path / "rois" / "p01.png"), np.full((64, 72), 255, np.uint8))
    options = ["-n", 24, "--layout", "flat", "--workers", 1, "--roi", tmp_path / "rois"]
    done = pail_command("generate", parts, tmp_path / "set", *options)
    lines = manifest(tmp_path / "set")
    assert done.returncode == 4 and 0 < len(lines) < 24
    assert f"{24 - len(lines)} of 24 anomalous images were not made" in done.stderr and "no mask" in done.stderr
    again = pail.generate(
        parts, tmp_path / "set", number=24, layout="flat", workers=1, roi=tmp_path / "rois", resume=True
    )
    assert again.status == 4 and len(again.missing) == 1


@pytest.mark.parametrize(("layout", "empty"), [("mvtec", "train"), ("yolo", "val")])
def test_one_normal_image_leaves_a_split_empty(tmp_path, layout, empty):
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), photograph(40, 40))
    summary = pail.generate(
        tmp_path / "in", tmp_path / "set", number=2, layout=layout, techniques="cutpaste", workers=1
    )
    assert (summary.anomalies, summary.status) == (2, 4)
    assert len(summary.missing) == 1 and f"the {empty} split is empty" in summary.missing[0]


def test_dry_run_says_what_anomalies_are_made_of(parts, tmp_path):
    done = pail_command("generate", parts, tmp_path / "set", "-n", 9, "--dry-run")
    assert "12 normal images (8 in train, 4 in test)" in done.stdout and "made only from the 4 of test" in done.stdout
    done = pail_command("generate", parts, tmp_path / "set", "--layout", "yolo", "--val-share", 0.5, "--dry-run")
    assert "made from the 6 of train and the 6 of val" in done.stdout


def test_a_set_says_where_anomalies_are(parts, tmp_path):
    done = pail_command("generate", parts, tmp_path / "set", "-n", 3, "--workers", 1)
    assert "made only from the 4 images of the test split; train/ has no anomalies" in done.stdout
    for options in (("--layout", "flat"), ("--for", "validation")):
        done = pail_command("generate", parts, tmp_path / options[1], "-n", 3, "--workers", 1, *options)
        assert done.returncode == 0 and "made only" not in done.stdout


@pytest.mark.parametrize(
    ("preset", "layout", "lacks"),
    [("cdo", "mvtec", "anomalies in train"), ("cdo", "flat", "good images"), ("cdo", "yolo", ""), ("nsa", "flat", "")],
)
def test_a_preset_in_a_layout_that_lacks_something(parts, tmp_path, preset, layout, lacks):
    command = ("generate", parts, tmp_path / "set", "--preset", preset, "--layout", layout, "--source", parts, "-n", 2)
    for more in (("--dry-run",), ("--workers", 1)):
        said = [line for line in pail_command(*command, *more).stderr.splitlines() if "--layout yolo" in line]
        assert len(said) == bool(lacks) and lacks in "".join(said)


def test_mvtec_of_another_format_is_said_at_once(parts, tmp_path):
    with pytest.warns(UserWarning, match="reads only .png, not .jpg"):
        pail.generate(parts, tmp_path / "one", number=1, format="jpg", workers=1, techniques="cutpaste")
    done = pail_command("generate", parts, tmp_path / "two", "-n", 1, "--format", "bmp", "--workers", 1)
    assert done.returncode == 0 and "reads only .png, not .bmp" in done.stderr and "warn(" not in done.stderr
    done = pail_command("generate", parts, tmp_path / "four", "--format", "bmp", "--dry-run")
    assert "reads only .png, not .bmp" in done.stderr
    pail.generate(parts, tmp_path / "three", number=1, format="jpg", layout="flat", workers=1, techniques="cutpaste")


def test_the_report_counts_splits_and_pieces(parts, tmp_path):
    out = tmp_path / "set"
    pail.generate(parts, out, number=9, layout="yolo", workers=1, techniques=TWO)
    pieces = sum(
        piece["technique"] == TWO[0]
        for line in manifest(out)
        if line["split"] == "val"
        for piece in line.get("pieces", ())
    )
    page = (out / "report.html").read_text()
    assert "<th></th><th>train</th><th>val</th>" in page
    row = page.partition(f"<th>{TWO[0]}</th>")[2].partition("</tr>")[0]
    assert row.endswith(f"<td>{pieces:,}</td>")
