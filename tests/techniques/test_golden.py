"""Checksums and pictures of a few calls of each technique, so that results do not change by accident.

The checksums hold for the major version of OpenCV that their file names; the pictures to the byte for the versions that
it lists, and within a tolerance elsewhere. ``python tests/helpers/golden.py`` writes both after a change that is meant.
"""

import json

import golden
import numpy as np
import pytest
from common import ALL

RECORDED = json.loads(golden.CHECKSUMS.read_text(encoding="utf-8"))
EXACT = golden.versions() == RECORDED["pictures"]
MOST_MOVED = 0.1  # of the mask's area, with other versions
MOST_CHANGE = 4  # of 255, the mean inside the masks, with other versions


@pytest.mark.skipif(golden.opencv() != RECORDED["opencv"], reason=f"the checksums are of OpenCV {RECORDED['opencv']}")
@pytest.mark.parametrize("name", ALL)
def test_the_bytes_are_those_of_the_last_release(name):
    assert golden.checksum(name) == RECORDED["sums"][name]


def compare(name, made, folder, exact=EXACT):
    """Fail if a picture differs from the recorded one, and write files that show the difference to `folder`."""
    expected = golden.read(golden.FOLDER / f"{name}.png")
    difference = np.abs(expected.astype(int) - made)
    masks = [image[:, golden.SIDE :, 0] > 0 for image in (expected, made)]
    moved = np.count_nonzero(masks[0] != masks[1]) / np.count_nonzero(masks[0])
    change = difference[:, : golden.SIDE][masks[0] | masks[1]].mean()
    if not difference.any() or (not exact and moved <= MOST_MOVED and change <= MOST_CHANGE):
        return
    golden.write(folder / f"{name}_expected.png", expected)
    golden.write(folder / f"{name}_made.png", made)
    golden.write(folder / f"{name}_difference.png", np.minimum(difference * 4, 255).astype(np.uint8))
    pytest.fail(
        f"{name} looks different: {moved:.1%} of the mask moved, what is inside changed by {change:.2f} of 255; "
        f"see {folder}/{name}_expected.png, _made.png and _difference.png (four times as bright)",
        pytrace=False,
    )


@pytest.mark.parametrize("name", ALL)
def test_the_picture_is_the_recorded_one(name, tmp_path):
    compare(name, golden.picture(name), tmp_path)


@pytest.mark.parametrize("name", ALL)
def test_another_draw_is_noticed_and_shown(name, tmp_path):
    """By the tolerance for other versions as well."""
    for exact in (True, False):
        with pytest.raises(pytest.fail.Exception, match=f"{name} looks different.*{name}_expected.png"):
            compare(name, golden.picture(name, seed=2), tmp_path, exact)
    shown = {path.name: golden.read(path) for path in tmp_path.iterdir()}
    assert set(shown) == {f"{name}_{kind}.png" for kind in ("expected", "made", "difference")}
    assert shown[f"{name}_difference.png"].any()


def test_a_single_pixel_is_noticed_by_the_same_versions_alone(tmp_path):
    made = golden.read(golden.FOLDER / "cutpaste.png").copy()
    made[3, 5, 1] ^= 1
    compare("cutpaste", made, tmp_path, exact=False)
    with pytest.raises(pytest.fail.Exception):
        compare("cutpaste", made, tmp_path, exact=True)


def test_every_picture_belongs_to_a_technique_and_is_small():
    pictures = {path.stem: path.stat().st_size for path in golden.FOLDER.glob("*.png")}
    assert set(pictures) == set(ALL) and max(pictures.values()) < 10_000


@pytest.fixture
def recorded_copy(tmp_path, monkeypatch):
    """A folder like tests/golden that may be written to."""
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    monkeypatch.setattr(golden, "CHECKSUMS", tmp_path / "checksums.json")
    golden.CHECKSUMS.write_text(json.dumps({**RECORDED, "sums": dict.fromkeys(ALL, "old")}), encoding="utf-8")
    monkeypatch.setattr(golden, "versions", lambda: RECORDED["pictures"])
    monkeypatch.setattr(golden, "opencv", lambda: RECORDED["opencv"])
    return tmp_path


@pytest.mark.parametrize("words", [["--help"], ["no_technique"], ["pitting", "--unknown"]])
def test_asking_for_help_or_a_wrong_name_writes_nothing(words, recorded_copy, capsys):
    before = golden.CHECKSUMS.read_bytes()
    with pytest.raises(SystemExit):
        golden.main(words)
    said = capsys.readouterr()
    assert "usage" in said.out + said.err
    assert golden.CHECKSUMS.read_bytes() == before
    assert [path.name for path in recorded_copy.iterdir()] == ["checksums.json"]


def test_names_limit_what_is_written(recorded_copy, monkeypatch, capsys):
    golden.main(["dent", "chip"])
    sums = json.loads(golden.CHECKSUMS.read_text(encoding="utf-8"))["sums"]
    assert {name for name, value in sums.items() if value != "old"} == {"dent", "chip"}
    assert {path.name for path in recorded_copy.iterdir()} == {"checksums.json", "dent.png", "chip.png"}
    monkeypatch.setattr(golden, "versions", lambda: {"numpy": "0"})
    with pytest.raises(SystemExit):  # the file has one set of versions for all
        golden.main(["dent"])
    assert "write all again" in capsys.readouterr().err
