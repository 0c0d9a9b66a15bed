"""Selection of images: folders, patterns, lists, categories, and files next to images."""

import json
import os
import shlex
import shutil

import cv2
import numpy as np
import pytest
from commands import pail_command
from common import photograph

import pail
from pail.dataset.replay import remake
from pail.io.listing import Listing
from pail.io.select import Selection, fits, normal_images, select
from pail.reading import Images


def write(path, image=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), photograph(40, 48, len(path.name)) if image is None else image)


def mask(value=255):
    image = np.zeros((40, 48), np.uint8)
    image[5:9, 5:20] = value
    return image


@pytest.fixture
def parts(tmp_path):
    folder = tmp_path / "parts"
    for name in ("a.png", "line0/b.png", "line0/deep/c.png", "line1/d.jpg", "line1/a.png"):
        write(folder / name)
    return folder


def names(where, **keywords):
    return select("images", where, **keywords).names


ALL = ["a.png", "line0/b.png", "line0/deep/c.png", "line1/a.png", "line1/d.jpg"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.png", ["a.png", "line0/b.png", "line0/deep/c.png", "line1/a.png"]),
        ("**", ALL),
        ("*", ["a.png"]),
        ("*/*", ["line0/b.png", "line1/a.png", "line1/d.jpg"]),
        ("line[0]/**/*.png", ["line0/b.png", "line0/deep/c.png"]),
        ("**/deep/*", ["line0/deep/c.png"]),
        ("**/line1/**/?.jpg", ["line1/d.jpg"]),
        ("*.gif", []),
    ],
)
def test_patterns(parts, pattern, expected):
    (parts / "notes.md").write_text("no image")
    write(parts / ".hidden" / "e.png")
    found = select("images", f"{parts}/{pattern}")
    assert found.names == expected and found.root == str(parts)


def test_a_pattern_is_matched_part_by_part():
    assert fits(("a", "b"), ("**", "b")) and fits(("b",), ("**", "b")) and fits(("a", "b", "c"), ("a", "**"))
    assert not fits(("a", "b"), ("*",)) and not fits((), ("*",)) and not fits(("a",), ("a", "b"))


def test_a_folder_with_the_signs_of_patterns_is_a_folder(tmp_path):
    write(tmp_path / "parts[1]" / "a.png")
    assert names(tmp_path / "parts[1]") == ["a.png"]


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_links_in_patterns(parts, tmp_path):
    write(tmp_path / "more" / "e.png")
    (parts / "linked").symlink_to(tmp_path / "more")
    (parts / "round").symlink_to(parts)
    found = select("images", f"{parts}/**/*.png")
    assert "linked/e.png" not in found.names and found.listing.links == ["linked", "round"]
    assert "linked/e.png" in names(f"{parts}/**/*.png", follow_links=True)
    assert select("images", f"{parts}/line*/*.png").listing.links == []


LISTS = {
    "parts.txt": "# those of line 0\n\nline0/b.png\n  line1/d.jpg\nline0/b.png\n",
    "one.csv": "anything\nline0/b.png\nline1/d.jpg\n",
    "bare.csv": "line0/b.png\nline1/d.jpg\n",
    "named.csv": "part,Path\n1,line0/b.png\n2,line1/d.jpg\n",
    "semicolons.csv": "\ufefffile;part\nline0/b.png;1\n;\nline1/d.jpg;2\n",
    "paths.json": json.dumps(["line0/b.png", "line1/d.jpg"]),
    "objects.json": json.dumps([{"id": 1, "filename": "line0/b.png"}, {"id": 2, "filename": "line1/d.jpg"}]),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists(parts, name):
    (parts / name).write_text(LISTS[name], encoding="utf-8")
    found = select("images", parts / name)
    assert found.names == ["line0/b.png", "line1/d.jpg"] and found.root == str(parts)
    assert len(Images("normal", parts / name)) == 2


def test_a_column_by_name(parts):
    (parts / "two.csv").write_text("before,after\na.png,line0/b.png\n")
    assert names(parts / "two.csv", column="after") == ["line0/b.png"]
    (parts / "two.json").write_text(json.dumps([{"before": "a.png", "after": "line0/b.png"}]))
    assert names(parts / "two.json", column="before") == ["a.png"]
    for file in ("two.csv", "two.json"):
        with pytest.raises(ValueError, match=r"`column` must be given: .*before, after"):
            select("images", parts / file)
        with pytest.raises(ValueError, match=r"`column` must be one of before, after.*'aftr'; did you mean"):
            select("images", parts / file, column="aftr")


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("gone.txt", "a.png\nnope.png\nline0\n", r"'nope\.png' \(line 2 of gone\.txt\), 'line0' \(line 3"),
        ("gone.csv", "path\nnope.png\n", r"'nope\.png' \(row 2 of gone\.csv\)"),
        ("gone.json", '["nope.png"]', r"'nope\.png' \(entry 1 of gone\.json\)"),
        ("bad.json", "[", "must be JSON"),
        ("other.json", '{"a": 1}', "JSON list"),
        ("numbers.json", "[1]", "got 1 as entry 1"),
        ("empty.txt", "# nothing\n", "empty list"),
    ],
)
def test_wrong_lists_are_named(parts, name, text, match):
    (parts / name).write_text(text)
    with pytest.raises(ValueError, match=match):
        select("images", parts / name)


def test_paths(parts, tmp_path):
    write(tmp_path / "other" / "e.png")
    found = select("images", [parts / "a.png", str(tmp_path / "other" / "e.png"), parts / "a.png"])
    assert found.names == ["parts/a.png", "other/e.png"] and found.root == str(tmp_path)
    assert names([parts / "line1" / "d.jpg", parts / "a.png"]) == ["line1/d.jpg", "a.png"]
    assert names(parts / "line1" / "d.jpg") == ["d.jpg"]
    (parts / "up.txt").write_text("../other/e.png\na.png\n")
    assert names(parts / "up.txt") == ["other/e.png", "parts/a.png"]
    for wrong, match in ((3, "got 3"), ([3], "got 3"), ([], "empty"), ("nope", "does not exist")):
        with pytest.raises((TypeError, ValueError), match=match):
            select("images", wrong)


def chosen(*files, root="parts", others=()):
    return Selection(root, Listing(sorted(files)), tuple(others))


def test_a_category_stands_for_its_good_images():
    files = ["train/good/0.png", "train/good/1.png", "test/good/0.png", "test/cut/0.png", "ground_truth/cut/0_mask.png"]
    found, notes = normal_images("normals", chosen(*files), ("1.*",), lambda root, name: True)
    assert (found.root, found.names) == ("parts/train/good", ["0.png"])
    assert len(notes) == 1 and "train/good is used" in notes[0]
    alone, notes = normal_images("normals", chosen(*files[:2]), (), lambda root, name: True)
    assert alone.names == files[:2] and notes == []


def test_masks_and_labels_beside_images():
    files = ["a.png", "a_mask.png", "b.png", "b-gt.tif", "c_mask.png", "images/d.png", "masks/d.png", "masks/e.png"]
    given = chosen(*files, "ground_truth/x/y.png", others=["a.json", "labels/d.txt", "readme.txt"])
    found, notes = normal_images("normals", given, (), lambda root, name: True)
    assert found.names == ["a.png", "b.png", "c_mask.png", "images/d.png", "masks/e.png"]
    assert len(notes) == 1 and "4 masks ('" in notes[0] and "2 labels ('a.json', 'labels/d.txt')" in notes[0]
    found, notes = normal_images("normals", given, (), lambda root, name: False)
    assert set(files) <= set(found.names) and "1 mask ('ground_truth/x/y.png')" in notes[0]
    found, notes = normal_images("normals", given, ("*_mask.png", "*-gt.*", "masks/*", "*/y.png", "*.json"), max)
    assert found.names == ["a.png", "b.png", "images/d.png"] and "1 label " in notes[0]


def manifest(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def content(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*.png")) if ".pail" not in p.parts}


def test_each_form_makes_the_same_set(parts, tmp_path):
    (parts / "list.txt").write_text("\n".join(ALL))
    forms = {"folder": parts, "glob": f"{parts}/**", "list": parts / "list.txt", "paths": [parts / n for n in ALL]}
    sets = {}
    for form, where in forms.items():
        pail.generate(where, tmp_path / form, number=6, workers=1, layout="flat", source=where)
        sets[form] = content(tmp_path / form)
        assert {line["normal"] for line in manifest(tmp_path / form)} == set(ALL)
        assert remake(tmp_path / form, 3, where, where).is_same and remake(tmp_path / form, 3, parts, parts).is_same
        again = pail.generate(where, tmp_path / form, number=6, workers=1, layout="flat", source=where, resume=True)
        assert again.anomalies == 6
    assert sets["folder"] == sets["glob"] == sets["list"] == sets["paths"]
    command = json.loads((tmp_path / "glob" / "dataset.json").read_text())["command"]
    assert f"'{parts}/**'" in command
    assert pail_command(*shlex.split(command)[1:], "--workers", 1).returncode == 0  # as it is copied
    assert content(tmp_path / "glob-again") == sets["glob"]
    assert "IMAGES.txt" in json.loads((tmp_path / "paths" / "dataset.json").read_text())["command"]


def test_a_set_beside_listed_images_is_allowed_but_none_around_them(parts):
    (parts / "list.csv").write_text("a.png\nline0/b.png\n")
    pail.generate(parts / "list.csv", parts / "set", number=2, workers=1, layout="flat")
    shutil.rmtree(parts / "set")
    with pytest.raises(ValueError, match="`out` must not contain input files"):
        pail.generate(parts / "list.csv", parts / "line0", number=2, workers=1)
    with pytest.raises(ValueError, match="`out` must not be inside"):
        pail.generate(f"{parts}/**/*.png", parts / "other", number=2, workers=1)


def test_the_command_line_takes_them_all(parts, tmp_path):
    (parts / "two.csv").write_text("before,after\na.png,line0/b.png\nline1/a.png,line0/deep/c.png\n")
    for command in (["generate", parts / "two.csv", tmp_path / "set", "-n", 2, "--workers", 1],
                    ["preview", parts / "two.csv", "--techniques", "cutpaste", "-o", tmp_path / "p.png"]):  # fmt: skip
        done = pail_command(*command)
        assert done.returncode == 2 and "--column must be given" in done.stderr
        done = pail_command(*command, "--column", "after", "--exclude", "nothing*")
        assert done.returncode == 0, done.stderr
    assert "--column after" in " ".join(done.stdout.split())
    assert {line["normal"] for line in manifest(tmp_path / "set")} == {"line0/b.png", "line0/deep/c.png"}


def test_a_category_on_disk(parts, tmp_path):
    root = tmp_path / "bolt"
    for name in ("train/good/0.png", "train/good/1.png", "test/good/0.png", "test/cut/0.png"):
        write(root / name)
    write(root / "ground_truth" / "cut" / "0_mask.png", mask())
    done = pail_command("generate", root, tmp_path / "set", "-n", 2, "--workers", 1)
    assert done.returncode == 0 and done.stderr.count("Warning") == 1 and "train/good is used" in done.stderr
    assert {line["normal"] for line in manifest(tmp_path / "set")} == {"0.png", "1.png"}
    with pytest.warns(UserWarning, match="train/good is used"):
        assert len(Images("normal", root, normal=True)) == 2
    assert len(Images("source", root)) == 5
    assert len(Images("source", root, exclude=["*_mask.png", "test/*"])) == 2
    with pytest.raises(ValueError, match="train/good"):
        Images("normal", root / "test", normal=True)


def test_masks_of_the_data_set_class(parts):
    write(parts / "a_mask.png", mask())
    with pytest.warns(UserWarning, match="1 mask "):
        assert len(Images("normal", parts, normal=True)) == 5
    write(parts / "a_mask.png", photograph(40, 48, 9))
    assert len(Images("normal", parts, normal=True)) == 6
