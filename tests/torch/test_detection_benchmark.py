"""The benchmark of detectors, on a few tiny photographs."""

import json
import os

import cv2
import numpy as np
import pytest
from common import photograph
from optional import need

need("torch")
need("sklearn")
need("matplotlib")

import detectors  # noqa: E402

pytestmark = [pytest.mark.heavy, pytest.mark.slow]


@pytest.fixture(scope="module")
def detection():
    environment = dict(os.environ)
    with detectors.program("benchmarks", "detection.py") as module:
        yield module
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture(scope="module")
def screws(tmp_path_factory):
    """In the layout of BSData: 6 places, 4 photographs of each, of two heights, the last two with a polygon."""
    root = tmp_path_factory.mktemp("screws")
    for number in range(24):
        place, time = divmod(number, 4)
        name = f"01_2009{time:02}_{place}0000_000_crop_1"
        image = photograph(40 + 2 * (time % 2), 80, seed=place).copy()
        if time > 1:
            image[10:20, 20:40] = 0
            points = [[20, 10], [40, 10], [40, 20], [20, 20]]
            (root / "label").mkdir(exist_ok=True)
            shapes = [{"label": "Pitting", "points": points, "shape_type": "polygon"}]
            (root / "label" / f"{name}.json").write_text(json.dumps({"shapes": shapes}))
        detectors.write(root / "data" / f"{name}.png", image)
    return root


@pytest.fixture
def run(detection, screws, monkeypatch, tmp_path):
    """Runs the benchmark with these arguments on tiny data; cells come from no package."""

    def read_cells(kind):
        images = np.stack([photograph(48, 48, seed=index)[..., :1] for index in range(40)])
        return images, np.repeat([0, 1], 20), None, np.arange(40), np.arange(40) < 38

    monkeypatch.setattr(detection, "read_cells", read_cells)
    page = tmp_path / "docs" / "detection.md"
    page.parent.mkdir()

    def call(*arguments):
        detection.main(
            ["--tiny", "--folder", str(tmp_path), "--page", str(page), "--ball-screws", str(screws), *arguments]
        )
        return page.read_text(encoding="utf-8"), (tmp_path / "runs.jsonl").read_text().splitlines()

    return call


def test_runs_are_stored_once_and_become_a_page(detection, run, tmp_path):
    rows = ["--arms", detection.MIX, "3 real", "cutpaste"]
    text, lines = run("--seeds", "2", "--data", "mono", "screws", *rows)
    assert len(lines) == 2 * (2 + 3)  # the rows with real defects on ball screws alone
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npy")}
    assert len(before) == 4
    again = run("--seeds", "2", "--data", "mono", "screws", *rows)
    assert again == (text, lines) and before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npy")}
    assert text.splitlines()[2].startswith("**Adding a head that is trained on pseudo-anomalies")
    for words in ("| monocrystalline solar cells | both |", "| ball screws | both |", "| 3 real |", "| cutpaste |"):
        assert words in text
    assert all(len(line) <= 128 for line in text.splitlines() if line[:1] not in ("|", "!"))
    assert cv2.imread(str(tmp_path / "docs" / "pictures" / "detection.png")).std() > 5


def test_an_interrupted_run_is_repeated_and_other_settings_are_refused(detection, run, tmp_path):
    _, lines = run("--seeds", "1", "--data", "mono", "--tables", "1")
    result = json.loads(lines[0])
    (tmp_path / "runs.jsonl").write_text(lines[0][:50])
    _, again = run("--seeds", "1", "--data", "mono", "--tables", "1")
    assert json.loads(again[-1])["maps"] == result["maps"]  # the same run gives the same numbers
    with pytest.raises(ValueError, match="other settings"):
        detection.read_runs(tmp_path / "runs.jsonl", detection.SETTINGS)


def test_ball_screws_are_split_by_place(detection, screws):
    images, labels, masks, places, usable = detection.read_screws(screws)
    assert images.shape == (24, 40, 80, 3) and labels.sum() == 12 and usable.all()
    assert masks[labels == 1][:, 12:18, 22:38].all() and not masks[labels == 0].any()
    nothing = np.zeros((24, 1))
    data = detection.Data(images, labels, masks, places, usable, nothing, nothing, (32, 64))
    for seed in range(5):
        parts = detection.split(data, seed, detection.TINY)
        found = [set(places[chosen]) for chosen in (parts.memory, parts.inserted, parts.held_out, parts.test)]
        assert all(found) and sum(map(len, found)) == 6 == len(set.union(*found))
        assert not set(places[parts.defects]) & found[3] and labels[parts.defects].all()
        assert not labels[np.concatenate([parts.memory, parts.inserted, parts.held_out])].any()


def test_only_intervals_without_zero_are_called_better_or_worse(detection):
    mix = dict(enumerate([0.8, 0.81, 0.79, 0.8, 0.82]))
    for shifts, word in (
        ([0.05, 0.06, 0.05, 0.04, 0.05], "better"),
        ([-0.05, -0.06, -0.05, -0.04, -0.05], "worse"),
        ([0.05, -0.06, 0.05, -0.04, 0.01], ""),
        ([0.05, 0.06], ""),  # too few for an interval
    ):
        other = {seed: mix[seed] + shift for seed, shift in enumerate(shifts)}
        assert detection.verdict(detection.difference(other, mix)) == word


def test_rows_that_hold_on_every_kind_of_parts_are_named(detection):
    def runs(shifts):
        """Three seeds each; the shifts of two rows, in image AUROC and pixel AP, on each kind of parts."""
        found = {}
        for data, rows in shifts.items():
            for arm, (auroc, ap) in {detection.MIX: (0, 0), **rows}.items():
                for seed, noise in enumerate((0, 0.001, -0.001)):
                    entry = {"image auroc": 0.8 + seed / 10 + auroc + noise}
                    if data == "screws":
                        entry["pixel ap"] = 0.1 + seed / 10 + ap + noise
                    found[data, arm, seed] = {"maps": {"both": entry}}
        return found

    better = {"glass": (0.1, 0), "nsa": (0.1, 0)}
    shifts = {"mono": better, "poly": better, "screws": {"glass": (0, 0.2), "nsa": (-0.1, 0.2)}}
    assert detection.agreed(runs(shifts)) == ["glass"]
    assert detection.agreed(runs(shifts), *detection.WORDS[::-1]) == []
    assert detection.agreed(runs({name: shifts[name] for name in ("mono", "poly")})) == []  # not on all kinds


def test_without_the_other_library_its_row_is_left_out(detection, run, monkeypatch, capsys):
    find = detection.importlib.util.find_spec
    monkeypatch.setattr(detection.importlib.util, "find_spec", lambda name: None if name == "pyimgano" else find(name))
    _, lines = run("--seeds", "1", "--data", "mono", "--arms", detection.MIX, detection.PEER)
    assert [json.loads(line)["job"][1] for line in lines] == [detection.MIX]
    assert f"Without the row {detection.PEER}: pip install" in capsys.readouterr().out


def test_errors_at_thresholds(detection):
    scores, labels = np.array([0, 1, 2, 3, 2.5, 4, 5.0]), np.array([0, 0, 0, 0, 1, 1, 1])
    found = detection.errors(scores, labels, {"normal": 3.5, "pseudo": 1})
    assert found["normal"] == [0, pytest.approx(1 / 3)] and found["pseudo"] == [0.75, 0]
    assert sum(found["best"]) == 0.25
