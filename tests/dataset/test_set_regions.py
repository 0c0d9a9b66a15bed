"""Where the anomalies of a set may be: on the object or anywhere, and the messages about it."""

import json
import warnings

import cv2
import numpy as np
import pytest
from commands import pail_command
from common import photograph

import pail
from pail.dataset.replay import remake
from pail.io.read import decode


def part(seed):
    """A disk with texture on a plain background."""
    rng = np.random.default_rng(seed)
    image = np.full((96, 128, 3), 215, np.uint8)
    disc = cv2.circle(np.zeros((96, 128), np.uint8), (64 + seed, 48), 30, 255, -1)
    image[disc > 0] = cv2.blur(rng.integers(20, 120, (96, 128, 3), np.uint8), (3, 3))[disc > 0]
    return image, disc


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for i in range(4):
        cv2.imwrite(str(folder / f"disc{i}.png"), part(i)[0])
    return folder


@pytest.fixture(scope="module")
def mixed(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    for file in parts.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    for i in range(2):
        cv2.imwrite(str(folder / f"texture{i}.png"), photograph(96, 128, i))
    return folder


def manifest(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def off_the_object(folder):
    """The share of the pixels of masks that are outside the disk, for images with one."""
    shares = []
    for line in manifest(folder):
        if line["label"] and line["normal"].startswith("disc"):
            mask = decode((folder / line["mask"]).read_bytes()) > 0
            disc = cv2.dilate(part(int(line["normal"][4]))[1], np.ones((7, 7)))
            shares.append((mask & (disc == 0)).sum() / mask.sum())
    return shares


def test_by_default_anomalies_are_on_the_object(mixed, tmp_path):
    summary = pail.generate(mixed, tmp_path / "set", number=24, layout="flat", workers=1, source=mixed)
    assert summary.foreground == [f"disc{i}.png" for i in range(4)]
    assert summary.everywhere == ["texture0.png", "texture1.png"]
    assert max(off_the_object(tmp_path / "set")) == 0
    for line in manifest(tmp_path / "set"):
        assert line["region"] == ("foreground" if line["normal"].startswith("disc") else None)
        normal = decode((mixed / line["normal"]).read_bytes())
        source = decode((mixed / line["source"]).read_bytes())
        again = pail.replay(line["record"], normal, source)
        assert np.array_equal(again.i_a, decode((tmp_path / "set" / line["image"]).read_bytes()))
    assert remake(tmp_path / "set", 3, mixed, mixed).is_same
    same = pail.generate(mixed, tmp_path / "same", number=24, layout="flat", workers=1, source=mixed, roi="foreground")
    for line in manifest(tmp_path / "set"):
        if line["region"]:
            file = line["image"]
            assert (tmp_path / "set" / file).read_bytes() == (tmp_path / "same" / file).read_bytes()
    assert same.foreground == summary.foreground


def test_none_is_everywhere_and_says_what_that_means(mixed, parts, tmp_path):
    with pytest.warns(UserWarning, match=r"`roi` is 'none': about (\d+)% of the anomalies.*'disc0\.png'.*--roi auto"):
        summary = pail.generate(mixed, tmp_path / "set", number=30, layout="flat", workers=1, roi="none")
    assert summary.foreground == summary.everywhere == []
    assert max(off_the_object(tmp_path / "set")) > 0.5
    assert {line["region"] for line in manifest(tmp_path / "set")} == {None}
    (tmp_path / "textures").mkdir()
    cv2.imwrite(str(tmp_path / "textures" / "a.png"), photograph(64, 64))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pail.generate(tmp_path / "textures", tmp_path / "other", number=1, layout="flat", workers=1, roi="none")


def test_the_command_has_the_same_default(mixed, tmp_path):
    done = pail_command("generate", mixed, tmp_path / "command", "-n", 6, "--workers", 1, "--layout", "flat")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert (
        "region: on the object in 4 of 6 normal images; no object was found in 2 (texture0.png, texture1.png), where"
        in said
    )
    assert "--roi FOLDER reads masks" in said
    pail.generate(mixed, tmp_path / "python", number=6, workers=1, layout="flat")
    assert (tmp_path / "command" / "manifest.jsonl").read_bytes() == (
        tmp_path / "python" / "manifest.jsonl"
    ).read_bytes()


def test_preview_and_a_dry_run_look_at_the_background(mixed, tmp_path):
    for command in (
        ("generate", mixed, tmp_path / "set", "--dry-run"),
        ("preview", mixed, "--techniques", "cutpaste", "-o", tmp_path / "p.png"),
    ):
        done = pail_command(*command, "--roi", "none")
        assert done.returncode == 0 and "of the anomalies will be on the background" in done.stderr
        assert "background" not in pail_command(*command).stderr
    text = (tmp_path / "p.toml").read_text()
    assert 'roi = "auto"' in text


def test_padding_is_no_region(parts, tmp_path):
    options = {"number": 6, "layout": "flat", "workers": 1, "size": (128, 128), "fit": "pad"}
    pail.generate(parts, tmp_path / "auto", **options)
    for line in manifest(tmp_path / "auto"):
        mask = decode((tmp_path / "auto" / line["mask"]).read_bytes())
        assert line["region"] == "foreground" and not mask[:16].any() and not mask[112:].any()


def test_the_region_of_each_image_is_named_however_many_images_there_are(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr("pail.dataset.make.MOST_REMEMBERED", 1)
    pail.generate(mixed, tmp_path / "set", number=18, layout="flat", workers=1, size=(128, 128), fit="pad")
    regions = {line["normal"]: line["region"] for line in manifest(tmp_path / "set") if line["label"]}
    assert len(regions) == 6
    for name, region in regions.items():
        assert region == ("foreground" if name.startswith("disc") else None)
