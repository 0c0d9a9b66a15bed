"""Combinations of features of data sets: their own recipes, other folders, quiet runs, shards without an image."""

import json

import cv2
import numpy as np
import pytest
from commands import pail_command
from common import photograph

import pail
from pail.dataset import recipe as recipes
from pail.dataset.replay import remake


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Six photographs with names like those of a set, and a folder of masks with the name that a set uses."""
    monkeypatch.chdir(tmp_path)
    for folder in ("parts", "masks"):
        (tmp_path / folder).mkdir()
    mask = np.zeros((60, 80), np.uint8)
    mask[10:50, 5:60] = 255
    for index in range(6):
        cv2.imwrite(f"parts/{index:06d}.png", photograph(60, 80, index))
        cv2.imwrite(f"masks/{index:06d}.png", mask)
    return tmp_path


def images_of(folder):
    return {path.name: path.read_bytes() for path in (folder / "images").rglob("*.png")}


def test_the_recipe_of_a_set_does_not_take_the_sets_masks_for_regions(parts):
    pail.generate("parts", "set", number=6, layout="flat", roi="masks", techniques=["SFI"], workers=1)
    pail.generate("parts", "again", recipe="set/recipe.toml", workers=1)
    assert recipes.load_options("set/recipe.toml")["roi"] == "masks"
    assert images_of(parts / "set") == images_of(parts / "again")


def test_replay_finds_moved_regions(parts, monkeypatch):
    pail.generate("parts", "set", number=6, layout="flat", roi="masks", techniques=["SFI"], workers=1)
    (parts / "elsewhere").mkdir()
    monkeypatch.chdir(parts / "elsewhere")
    lines = [json.loads(line) for line in (parts / "set" / "manifest.jsonl").read_text().splitlines()]
    index = next(line["index"] for line in lines if line["label"])
    with pytest.raises(ValueError, match="roi"):
        remake(parts / "set", index, parts / "parts")
    assert remake(parts / "set", index, parts / "parts", roi=parts / "masks").is_same


def test_replay_says_that_regions_were_not_from_a_folder(parts):
    pail.generate("parts", "set", number=2, layout="flat", roi="none", techniques=["SFI"], workers=1)
    with pytest.raises(ValueError, match=r"`roi` must not be given.*'none'"):
        remake("set", 0, "parts", roi="masks")


def test_replay_writes_new_files_only_and_with_the_sets_suffix(parts):
    pail.generate("parts", "set", number=2, layout="flat", techniques=["SFI"], workers=1)
    before = (parts / "parts" / "000000.png").read_bytes()
    taken = pail_command("replay", "set", "0", "--images", "parts", "-o", "parts/000000.png")
    assert taken.returncode == 2 and "--output must not name a file that exists" in taken.stderr
    assert (parts / "parts" / "000000.png").read_bytes() == before
    other = pail_command("replay", "set", "0", "--images", "parts", "-o", "x.jpg")
    assert other.returncode == 2 and "must end in .png" in other.stderr and not (parts / "x.jpg").exists()


def test_options_take_precedence_before_a_recipe_is_judged(parts):
    """A file that is invalid alone is valid together with an option."""
    (parts / "a.toml").write_text('layout = "mvtec"\ntest_share = 0.0\n')
    assert recipes.combined("a.toml", layout="flat").layout == "flat"
    (parts / "b.toml").write_text("overlap = 8\n")
    assert recipes.combined("b.toml", tile=64).overlap == 8
    (parts / "c.toml").write_text('[techniques.real_defect]\nplace = "same"\n')
    assert recipes.combined("c.toml", defects="bank").techniques["real_defect"]["place"] == "same"
    for name in "abc":
        with pytest.raises(ValueError, match="must"):
            recipes.combined(f"{name}.toml")


def test_a_shard_without_an_image_is_no_failure(parts):
    made = [pail.generate("parts", f"set{k}", number=4, layout="flat", shard=f"{k}/3", workers=1) for k in (1, 2, 3)]
    assert [summary.status for summary in made] == [0, 0, 0] and sum(summary.images for summary in made) > 0
    assert any(summary.planned == 0 for summary in made)


def test_quiet_says_why_nothing_was_made(parts):
    (parts / "deep").mkdir()
    cv2.imwrite("deep/a.png", np.full((40, 40), 5000, np.uint16))
    done = pail_command("generate", "deep", "set", "-n", "2", "--layout", "flat", "--format", "jpg", "-q")
    assert done.returncode == 1 and "Nothing was made" in done.stderr and "uint16" in done.stderr


def test_what_is_visible_by_one_rule_is_by_the_other(parts):
    (parts / "flat").mkdir()
    for index in range(4):
        cv2.imwrite(f"flat/{index}.png", np.full((64, 64), 60 + index, np.uint8))
    pail.generate(
        "flat", "set", number=6, layout="flat", data_range=100, severity=0, techniques=["cutpaste"], workers=1
    )
    lines = [json.loads(line) for line in (parts / "set" / "manifest.jsonl").read_text().splitlines()]
    assert all(line["visible"] > 0 for line in lines if line["label"])
    for seed in range(5):
        image = np.full((64, 64), 60, np.uint8)
        result = pail.Anomaly_Insertion(data_range=100).cutpaste(image, severity=0, rng=seed)
        assert pail.masks.difference(image, *result, data_range=100).any()


@pytest.mark.parametrize("size", [24, (31, 40), 200])
def test_float_images_that_reach_full_scale_are_resized_within_it(parts, size):
    (parts / "float").mkdir()
    for index in range(5):
        pixels = np.clip(photograph(61, 83, index) / np.float32(170), 0, 1).astype(np.float32)
        np.save(f"float/{index}.npy", pixels)
    summary = pail.generate("float", "set", number=5, layout="flat", size=size, techniques=["SFI"], format="tiff")
    assert not summary.skipped and summary.anomalies == 5
