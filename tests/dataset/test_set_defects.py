"""Sets of real defects, of presets, and their classes."""

import json
import shutil

import cv2
import numpy as np
import pytest
from commands import pail_command
from common import photograph
from optional import need

import pail
from pail.dataset.recipe import combined, make_recipe
from pail.dataset.replay import remake
from pail.io.read import decode

# What a preset lacks in a layout; tests of the layouts have it.
LACKS = pytest.mark.filterwarnings("ignore:`preset` .* defines training data")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for i in range(8):
        cv2.imwrite(str(folder / f"p{i}.png"), photograph(72, 80, i)[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """Two kinds in the layout of MVTec AD."""
    root = tmp_path_factory.mktemp("bank")
    for kind, color in (("cut", 10), ("dirt", 240)):
        for i in range(3):
            image = photograph(72, 80, 20 + i).copy()
            mask = np.zeros((72, 80), np.uint8)
            cv2.ellipse(mask, (25 + 4 * i, 30), (9, 4 + i), 20 * i, 0, 360, 255, -1)
            image[mask > 0] = color
            for path, pixels in (("test/{}/{}.png", image), ("ground_truth/{}/{}_mask.png", mask)):
                file = root / path.format(kind, i)
                file.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(file), pixels)
    return root


def manifest(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def same(one, other):
    names = {p.relative_to(one).as_posix() for p in one.rglob("*.png")}
    assert names == {p.relative_to(other).as_posix() for p in other.rglob("*.png")}
    assert [name for name in names if (one / name).read_bytes() != (other / name).read_bytes()] == []


@pytest.fixture(scope="module")
def whole(parts, bank, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "set"
    pail.generate(parts, out, defects=bank, number=40, layout="yolo", classes="kind", workers=1, seed=2)
    return out


def test_real_defects_alone_with_a_class_for_each_kind(whole, parts, bank):
    lines = [line for line in manifest(whole) if line["label"]]
    assert {name for line in lines for name in line["techniques"]} == {"real_defect"}
    kinds = {piece["kind"] for line in lines for piece in line["pieces"]}
    assert kinds == {"cut", "dirt"}
    assert 'names:\n  0: "cut"\n  1: "dirt"\n' in (whole / "data.yaml").read_text()
    read = pail.Defects.read(bank)
    for line in lines[:12]:
        label = line["image"].replace("images/", "labels/").replace(".png", ".txt")
        rows = (whole / label).read_text().splitlines()
        assert [int(row.split()[0]) for row in rows] == [["cut", "dirt"].index(p["kind"]) for p in line["pieces"]]
        assert {read[line["record"]["steps"][0]["drawn"]["defect"]].kind} == {p["kind"] for p in line["pieces"]}
        normal = decode((parts / line["normal"]).read_bytes())
        again = pail.replay(line["record"], normal, defects=read)
        assert np.array_equal(again.i_a, decode((whole / line["image"]).read_bytes()))
    described = json.loads((whole / "dataset.json").read_text())
    assert described["defects"] == {"identity": read.identity, "count": 6, "kinds": ["cut", "dirt"]}
    classes = described["counts"]["classes"]
    assert list(classes) == ["train", "val"] and all(sum(c.values()) > 0 for c in classes.values())
    report = (whole / "report.html").read_text()
    assert "real_defect, cut" in report and "real_defect, dirt" in report


def test_a_bank_of_python_and_workers_make_the_same(whole, parts, bank, tmp_path):
    options = {"number": 40, "layout": "yolo", "classes": "kind", "seed": 2}
    pail.generate(parts, tmp_path / "workers", defects=bank, workers=2, **options)
    same(whole, tmp_path / "workers")
    read = pail.Defects.read(bank)
    pail.generate(parts, tmp_path / "object", defects=read, workers=2, **options)
    same(whole, tmp_path / "object")
    recipe = tmp_path / "object" / "recipe.toml"
    with pytest.raises(ValueError, match="`defects` must be given again"):
        pail.generate(parts, tmp_path / "again", recipe=recipe, workers=1)
    pail.generate(parts, tmp_path / "again", recipe=recipe, defects=read, workers=1)
    same(whole, tmp_path / "again")
    assert remake(tmp_path / "object", 9, parts, defects=bank).is_same


def test_replay_and_resume_know_the_bank(whole, parts, bank, tmp_path):
    assert remake(whole, 10, parts).is_same and remake(whole, 0, parts, defects="nowhere").is_same
    moved = shutil.copytree(bank, tmp_path / "moved")
    assert remake(whole, 10, parts, defects=moved).is_same
    assert "the same bytes" in pail_command("replay", whole, 10, "--images", parts, "--defects", moved).stdout
    options = {"number": 40, "layout": "yolo", "classes": "kind", "workers": 1, "seed": 2}
    copied = shutil.copytree(whole, tmp_path / "copied")
    pail.generate(parts, copied, defects=moved, resume=True, **options)
    (moved / "test" / "cut" / "0.png").unlink()
    with pytest.warns(UserWarning, match="no image in test"):
        with pytest.raises(ValueError, match=r"`defects` must be the bank that the set was made with, \w{16} with 6"):
            remake(whole, 10, parts, defects=moved)
        done = pail_command("replay", whole, 10, "--images", parts, "--defects", moved)
        assert done.returncode == 2 and "--defects must be the bank" in done.stderr
        with pytest.raises(ValueError, match="another bank of real defects"):
            pail.generate(parts, copied, defects=moved, resume=True, **options)


def test_replay_needs_the_bank_only_for_images_with_a_real_defect(parts, bank, tmp_path):
    moved = shutil.copytree(bank, tmp_path / "bank")
    out = tmp_path / "set"
    pail.generate(parts, out, defects=moved, techniques=["real", "cutpaste"], number=12, workers=1, seed=4)
    shutil.rmtree(moved)
    seen = set()
    for line in (line for line in manifest(out) if line["label"]):
        used = line["techniques"] == ["real_defect"]
        seen.add(used)
        if used:
            with pytest.raises(ValueError, match="`defects`"):
                remake(out, line["index"], parts)
        else:
            assert remake(out, line["index"], parts).is_same
    assert seen == {True, False}


def test_the_command_and_the_recipe(parts, bank, tmp_path):
    (tmp_path / "recipe.toml").write_text(
        'defects = "bank"\nclasses = "kind"\nlayout = "yolo"\nnumber = 6\n\n'
        '[techniques.real_defect]\nkinds = ["dirt"]\n\n[techniques.cutpaste]\nweight = 0.5\n'
    )
    shutil.copytree(bank, tmp_path / "bank")
    done = pail_command("generate", parts, tmp_path / "a", "--recipe", tmp_path / "recipe.toml", "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert 'names:\n  0: "dirt"\n  1: "cutpaste"\n' in (tmp_path / "a" / "data.yaml").read_text()
    assert "only real_defect" not in done.stdout and "pieces in train: " in done.stdout
    done = pail_command("generate", parts, tmp_path / "b", "--defects", bank, "-n", 4, "--workers", 1)
    assert done.returncode == 0 and "only real_defect is used, because --defects is given" in done.stdout
    done = pail_command(
        "generate", parts, tmp_path / "c", "--defects", bank, "-n", 12, "--techniques", "real,SFI", "--workers", 1
    )
    assert (
        done.returncode == 0 and len({line["techniques"][0] for line in manifest(tmp_path / "c") if line["label"]}) > 2
    )


def test_a_class_without_a_piece_is_listed(parts, bank, tmp_path):
    summary = pail.generate(parts, tmp_path / "set", defects=bank, number=1, layout="flat", classes="kind", workers=1)
    assert list(summary.classes) == ["train"] and sum(summary.classes["train"].values()) >= 1
    assert len(summary.lacking) == 1 and summary.lacking[0] in ("none of: cut", "none of: dirt") and summary.status == 0
    assert f"<li>{summary.lacking[0]}</li>" in (tmp_path / "set" / "report.html").read_text()
    both = pail.generate(parts, tmp_path / "c", defects=bank, number=1, layout="yolo", workers=1)
    assert sorted(map(sum, (counts.values() for counts in both.classes.values())))[0] == 0
    assert both.lacking == ["not in every split: val has no anomaly"]
    done = pail_command(
        "generate", parts, tmp_path / "b", "--defects", bank, "-n", 1, "--classes", "kind", "--workers", 1
    )
    assert "None of: " in done.stderr and "split" not in done.stderr


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"techniques": ["real"]}, "`defects` must be given"),
        ({"defects": "nowhere"}, "`defects` must be a folder or an annotation file, got 'nowhere'"),
        ({"defects": "nowhere", "techniques": "SFI"}, "`techniques` must include 'real'"),
        ({"preset": "dream"}, "`preset` must be one of .*did you mean 'draem'"),
        ({"preset": "draem", "techniques": ["cutpaste"]}, "`preset` must not be combined with"),
        ({"preset": "draem", "weights": [1]}, "`preset` must not be combined with"),
        ({"preset": "draem", "techniques": {"cutpaste": {}}}, "`techniques` must be those of the preset"),
        ({"preset": "draem", "defects": "nowhere"}, "`preset` 'draem' must be given without `defects`.* as `source`"),
    ],
)
def test_what_does_not_fit_is_said(parts, tmp_path, options, match):
    with pytest.raises(ValueError, match=match):
        pail.generate(parts, tmp_path / "set", workers=1, **options)
    assert not (tmp_path / "set").exists()


def test_unknown_kinds(parts, bank, tmp_path):
    with pytest.raises(ValueError, match=r"`options\['real_defect'\]`: `kinds` must be one of cut, dirt"):
        pail.generate(parts, tmp_path / "set", defects=bank, options={"real_defect": {"kinds": "hole"}}, workers=1)


@LACKS
@pytest.mark.parametrize(("preset", "per_good"), [("cutpaste", 1), ("cutpaste-3way", 2), ("cdo", 4), ("nsa", 1)])
@pytest.mark.parametrize("layout", ["mvtec", "flat", "yolo"])
def test_a_preset_says_which_share_is_anomalous(parts, tmp_path, preset, per_good, layout):
    summary = pail.generate(parts, tmp_path / "set", preset=preset, layout=layout, workers=1, size=48, source=parts)
    pool = {"mvtec": 2, "flat": 8, "yolo": 8}[layout]
    assert summary.anomalies == per_good * pool
    assert set(summary.techniques) <= set(pail.PRESETS[preset].techniques)
    recipe = tmp_path / "set" / "recipe.toml"
    assert combined(recipe) == make_recipe(preset=preset, layout=layout, size=48)
    again = pail.generate(parts, tmp_path / "set", recipe=recipe, workers=1, source=parts, resume=True)
    assert again.anomalies == summary.anomalies


@LACKS
def test_a_number_beats_the_presets_share(parts, tmp_path):
    assert pail.generate(parts, tmp_path / "a", preset="cdo", number=3, layout="flat", workers=1).anomalies == 3
    assert pail.generate(parts, tmp_path / "b", preset="cdo", per_image=1, layout="flat", workers=1).anomalies == 8


@LACKS
def test_a_preset_with_further_options(parts, tmp_path):
    with pytest.warns(UserWarning, match="'draem' uses textures as sources"):
        pail.generate(
            parts, tmp_path / "set", preset="draem", number=2, workers=1, layout="flat",
            options={"perlin_noise_pattern": {"threshold": 0.4}},
        )  # fmt: skip
    options = manifest(tmp_path / "set")[0]["record"]["arguments"]["options"]["perlin_noise_pattern"]
    assert options["threshold"] == 0.4 and options["perlin_scale"] == 6
    assert combined(tmp_path / "set" / "recipe.toml", techniques=["cutpaste"]).preset is None
    assert combined(tmp_path / "set" / "recipe.toml", preset="cdo").names == ["random_perturbation"]


MIXED = {"techniques": ["real", "defects", "published", "random_perturbation"], "anomalies": (1, 3)}


@LACKS
@pytest.mark.parametrize("segmentation", ["rle", pytest.param("polygon", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("layout", "options"),
    [
        ("mvtec", MIXED),
        ("mvtec", {**MIXED, "tile": 40, "overlap": 8}),
        ("mvtec", {**MIXED, "purpose": "validation", "classes": "single"}),
        ("flat", {"classes": "kind"}),
        ("flat", {**MIXED, "tile": 40, "val_share": 0.3, "roi": "foreground", "severity": (0.5, 1)}),
        ("flat", {"preset": "nsa", "shard": "1/2"}),
        ("yolo", {**MIXED, "test_share": 0.2, "size": (56, 70), "fit": "pad"}),
        ("yolo", {**MIXED, "tile": 40, "overlap": 20, "shard": "2/2"}),
    ],
)
def test_the_truth_scores_one_by_the_codes_of_coco(parts, bank, tmp_path, layout, options, segmentation):
    """Boxes and masks, class by class, in each file of a set; outlines of YOLO are the masks."""
    need("pycocotools")
    need("faster_coco_eval")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    if options.get("classes") == "kind" or "real" in options.get("techniques", ()):
        options = {**options, "defects": bank}
    if "preset" in options:
        options = {**options, "source": parts}
    out = tmp_path / "set"
    pail.generate(parts, out, number=36, layout=layout, coco=True, segmentation=segmentation, workers=1, **options)
    files, scored = sorted(out.glob("annotations*.json")), 0
    for file in files:
        truth = COCO(str(file))
        entries = truth.loadAnns(truth.getAnnIds())
        if not entries:
            continue
        found = [{**entry, "segmentation": truth.annToRLE(entry), "score": 1.0} for entry in entries]
        for kind in ("bbox", "segm"):
            run = COCOeval(truth, truth.loadRes(found), kind)
            run.params.maxDets = [1, 100, 10_000]
            run.evaluate()
            run.accumulate()
            precision = run.eval["precision"][:, :, :, 0, -1]
            assert (precision > -1).any() and precision[precision > -1].min() > 1 - 1e-9, (file.name, kind)
        scored += 1
    assert scored == 1 if len(files) == 1 else scored >= 2
    if options.get("classes") == "kind":
        assert [entry["name"] for entry in truth.loadCats(truth.getCatIds())] == ["cut", "dirt"]
    for line in manifest(out):
        if layout == "yolo" and line["label"]:
            mask = decode(out / line["mask"])
            drawn = np.zeros_like(mask)
            for row in (out / line["image"].replace("images/", "labels/")).with_suffix(".txt").read_text().splitlines():
                corners = np.array(row.split()[1:], float).reshape(-1, 2) * mask.shape[::-1]
                cv2.fillPoly(drawn, [corners.astype(np.int32)], 255)
            assert np.array_equal(drawn, mask)


@pytest.mark.parametrize("classes", ["kind", "technique"])
def test_kinds_that_are_called_like_techniques_keep_their_class(classes, parts, tmp_path):
    """As in a bank that is a set of the library: its folders have the names of techniques."""
    need("faster_coco_eval")
    photos = [photograph(60, 70, seed).copy() for seed in range(3)]
    masks = [np.zeros((60, 70), np.uint8) for _ in photos]
    for photo, mask in zip(photos, masks, strict=True):
        mask[20:26, 20:40] = 255
        photo[mask > 0] = 0
    kinds = ["real_defect", "scratch", "spot"]
    bank, out = pail.Defects(photos, masks, kinds=kinds), tmp_path / "set"
    options = {"techniques": ["real", "scratch", "dent"], "weights": [4, 1, 1], "anomalies": (1, 2), "coco": True}
    summary = pail.generate(parts, out, defects=bank, number=30, layout="yolo", classes=classes, workers=1, **options)
    found = json.loads((out / "annotations.json").read_text())
    names = [category["name"] for category in found["categories"]]
    assert names == ([*kinds, "dent"] if classes == "kind" else ["real_defect", "scratch", "dent"])
    counted = dict.fromkeys(names, 0)
    for line in manifest(out):
        if not line["label"]:
            continue
        expected = [
            piece.get("kind", piece["technique"]) if classes == "kind" else piece["technique"]
            for piece in line["pieces"]
        ]
        label = line["image"].replace("images/", "labels/").replace(".png", ".txt")
        assert [names[int(row.split()[0])] for row in (out / label).read_text().splitlines()] == expected
        number = next(image["id"] for image in found["images"] if image["file_name"] == line["image"])
        own = [entry for entry in found["annotations"] if entry["image_id"] == number]
        assert [names[entry["category_id"] - 1] for entry in own] == expected
        for name in expected:
            counted[name] += 1
    assert counted == {name: sum(counts[name] for counts in summary.classes.values()) for name in names}
    assert all(counted.values())
