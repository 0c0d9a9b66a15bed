"""Large images as tiles: the grid, the files and labels of a set, and that tiles are parts of the whole image."""

import json
from itertools import pairwise

import cv2
import numpy as np
import pytest
from coco import decoded
from commands import pail_command
from common import photograph
from optional import need

import pail
from pail.dataset.recipe import make_recipe
from pail.dataset.replay import remake
from pail.dataset.tiles import Tiling, as_tiling, tiles_of
from pail.io.read import decode


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for i in range(5):
        cv2.imwrite(str(folder / f"p{i}.png"), photograph(100, 130 + i, i)[..., ::-1])
    return folder


def manifest(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def read(folder, name):
    return decode((folder / name).read_bytes())


@pytest.mark.parametrize("shape", [(64, 64), (65, 200), (100, 131), (640, 64)])
@pytest.mark.parametrize("overlap", [0, 1, 32])
def test_tiles_cover_the_image_and_have_one_size(shape, overlap):
    found = tiles_of(shape, 64, overlap)
    covered = np.zeros(shape, int)
    for tile in found:
        assert tile.cut(covered).shape == (64, 64)
        covered[tile.slices] += 1
    assert covered.min() >= 1
    assert [(t.row, t.column) for t in found] == sorted({(t.row, t.column) for t in found})
    for one, other in pairwise(found):
        if one.row == other.row:
            assert one.left + 64 - other.left >= overlap


def test_the_grid_of_an_example():
    found = tiles_of((100, 200), 64, 8)
    assert sorted({t.top for t in found}) == [0, 36] and sorted({t.left for t in found}) == [0, 56, 112, 136]
    assert found[5].name == "r1_c1"
    tiling = Tiling([("a", (64, 64)), ("b", (100, 200)), ("c", (64, 65))], 64, 8)
    assert len(tiling) == 1 + 8 + 2 and tiling[0][0] == 0 and tiling[6] == (1, found[5]) and tiling[10][1].left == 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"tile": 31}, "`tile`"),
        ({"overlap": 3}, "`overlap` must not be given"),
        ({"tile": 64, "overlap": 33}, "`overlap`"),
        ({"tile": 64, "size": 63}, "`tile` must fit"),
        ({"tile": 64, "size": (64, 60)}, "`tile` must fit"),
    ],
)
def test_wrong_tiles_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        make_recipe(**options)
    assert as_tiling(None, 0) == (None, 0)


def test_an_image_smaller_than_a_tile_is_named(parts, tmp_path):
    with pytest.raises(ValueError, match=r"`tile` must fit into each image, got 'p0\.png'.*\(100, 130\)"):
        pail.generate(parts, tmp_path / "set", tile=128, workers=1)
    assert not (tmp_path / "set").exists()
    with pytest.raises(ValueError, match=r"got p: .*100"):
        Tiling([("p", (100, 130))], 128, 0)


@pytest.mark.parametrize("layout", ["mvtec", "flat", "yolo"])
def test_tiles_are_parts_of_the_whole(parts, tmp_path, layout):
    options = {"number": 6, "layout": layout, "workers": 1, "anomalies": (1, 2), "seed": 4}
    whole = pail.generate(parts, tmp_path / "whole", **options)
    summary = pail.generate(parts, tmp_path / "tiles", tile=64, overlap=10, **options)
    tiles, names = manifest(tmp_path / "tiles"), set()
    for line in manifest(tmp_path / "whole"):
        own = [tile for tile in tiles if tile["index"] == line["index"]]
        image = read(tmp_path / "whole", line["image"])
        mask = read(tmp_path / "whole", line["mask"]) if line["mask"] else np.zeros(image.shape[:2], np.uint8)
        grid = tiles_of(image.shape, 64, 10)
        assert [tile["tile"] for tile in own] == [
            {"row": t.row, "column": t.column, "top": t.top, "left": t.left} for t in grid
        ]
        techniques = []
        for entry, tile in zip(own, grid, strict=True):
            names.add(entry["image"])
            assert entry["image"].endswith(f"_{tile.name}.png") and entry["split"] == line["split"]
            assert np.array_equal(read(tmp_path / "tiles", entry["image"]), tile.cut(image))
            part = tile.cut(mask)
            assert entry["label"] == int(part.any())
            if part.any():
                assert np.array_equal(read(tmp_path / "tiles", entry["mask"]), part)
                assert entry["bbox"] == list(cv2.boundingRect(part)) and 0 <= entry["visible"] <= 1
                assert entry["area"] == pytest.approx((part > 0).mean(), abs=1e-5)
                assert sum(piece["pixels"] for piece in entry["pieces"]) == np.count_nonzero(part)
                techniques += entry["techniques"]
                assert {piece["technique"] for piece in entry["pieces"]} == set(entry["techniques"])
            else:
                assert entry["mask"] is None and entry["techniques"] == []
                if layout == "yolo":
                    label = entry["image"].replace("images/", "labels/").replace(".png", ".txt")
                    assert (tmp_path / "tiles" / label).read_bytes() == b""
        assert set(techniques) <= set(line["techniques"])
    assert len(names) == len(tiles) == summary.images and summary.missing == []
    assert summary.anomalies == sum(line["label"] for line in tiles) >= whole.anomalies
    assert {p.relative_to(tmp_path / "tiles").as_posix() for p in (tmp_path / "tiles").rglob("*_r*.png")} >= names


def test_resume_shards_and_workers_make_the_same(parts, tmp_path):
    options = {"number": 40, "layout": "flat", "tile": 64, "source": parts}
    pail.generate(parts, tmp_path / "one", workers=1, **options)
    lines = manifest(tmp_path / "one")
    for line in lines[::7]:
        (tmp_path / "one" / line["image"]).unlink()
    before = (tmp_path / "one" / "manifest.jsonl").read_bytes()
    pail.generate(parts, tmp_path / "one", workers=2, resume=True, **options)
    assert all((tmp_path / "one" / line["image"]).exists() for line in lines)
    assert (tmp_path / "one" / "manifest.jsonl").read_bytes() == before
    shards = b""
    for shard in ("1/2", "2/2"):
        pail.generate(parts, tmp_path / shard[0], workers=1, shard=shard, **options)
        shards += (tmp_path / shard[0] / "manifest.jsonl").read_bytes()
    assert shards == before
    with pytest.raises(ValueError, match="another tile"):
        pail.generate(parts, tmp_path / "one", workers=1, resume=True, **{**options, "tile": 65})


@pytest.mark.parametrize("layout", ["mvtec", "yolo"])
def test_replay_makes_the_whole_and_compares_its_tiles(parts, tmp_path, layout):
    out = tmp_path / "set"
    pail.generate(parts, out, number=4, tile=64, workers=1, layout=layout)
    for index in (0, 6, 8):
        made = remake(out, index, parts)
        assert made.is_same and decode(made.image).shape[:2] in {(100, 130 + i) for i in range(5)}
    line = next(entry for entry in manifest(out) if entry["index"] == 6 and entry["label"])
    damaged = read(out, line["image"]).copy()
    damaged[0, 0] ^= 1
    cv2.imwrite(str(out / line["image"]), damaged[..., ::-1])
    made = remake(out, 6, parts)
    assert f"image of tile {line['tile']['row']}, {line['tile']['column']} has other pixels" in made.reason


def test_coco_labels_of_tiles(parts, tmp_path):
    need("faster_coco_eval")
    out = tmp_path / "set"
    pail.generate(parts, out, number=5, tile=64, overlap=8, workers=1, layout="flat", coco=True)
    found, lines = json.loads((out / "annotations.json").read_text()), manifest(out)
    ids = [image["id"] for image in found["images"]]
    assert len(set(ids)) == len(lines) and [image["file_name"] for image in found["images"]] == [
        line["image"] for line in lines
    ]
    for number, line in zip(ids, lines, strict=True):
        union = np.zeros((64, 64), np.uint8)
        for entry in found["annotations"]:
            if entry["image_id"] == number:
                union |= decoded(entry["segmentation"])
        expected = read(out, line["mask"]) > 0 if line["mask"] else np.zeros((64, 64), bool)
        assert np.array_equal(union > 0, expected)


def test_the_command_counts_tiles(parts, tmp_path):
    command = ("generate", parts, tmp_path / "set", "--tile", 64, "-n", 3, "--layout", "yolo")
    assert "are cut into tiles of 64x64 pixels" in pail_command(*command, "--dry-run").stdout
    done = pail_command(*command, "--workers", 1)
    labels = [line["label"] for line in manifest(tmp_path / "set")]
    assert f"{labels.count(0)} good and {labels.count(1)} anomalous tiles of 8 images in" in done.stdout
