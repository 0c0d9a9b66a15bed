"""The example that chooses techniques by a few real defects, with minimal settings."""

import json

import numpy as np
import pytest
from optional import need

need("torch")
need("sklearn")
need("matplotlib")

import detectors  # noqa: E402

from pail.dataset.recipe import combined  # noqa: E402

pytestmark = [pytest.mark.heavy, pytest.mark.slow]
SMALL = ["--size", "48", "--bank", "40", "--pool", "8", "--steps", "3", "--seeds", "2", "--rounds", "20"]


@pytest.fixture(scope="module")
def example():
    with detectors.program("examples", "choose_techniques.py") as module:
        yield module


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return detectors.write_parts(tmp_path_factory.mktemp("parts"))


def scores(example, mix, **others):
    """Scores of 10 good and 10 defective photographs for 3 seeds; a number is how far the defective ones are above."""
    labels = np.repeat([0, 1], 10)
    given = {example.MIX: mix, example.NEAREST: 0, **others}
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=20) for _ in range(3)]
    return {name: [shift * labels + some for some in noise] for name, shift in given.items()}, labels


def choose(example, monkeypatch, tmp_path, measured):
    monkeypatch.setattr(example, "measure", lambda options: measured)
    names = [name for name in measured[0] if name not in (example.MIX, example.NEAREST)]
    return example.main([str(tmp_path), "--out", str(tmp_path), "--rounds", "100", "--techniques", *names])


@pytest.mark.parametrize("metric", ["image", "pixel"])
def test_every_candidate_is_compared_with_the_mix(example, parts, tmp_path, metric):
    names = ["cutpaste", "defects"]
    result = example.main([str(parts), "--out", str(tmp_path), *SMALL, "--metric", metric, "--techniques", *names])
    assert json.loads((tmp_path / "result.json").read_text()) == result
    found = result["candidates"]
    assert list(found) == [example.MIX, example.NEAREST, "family defects", "cutpaste"]
    assert all(0 <= entry["value"] <= 1 for entry in found.values())
    assert all(entry["interval"][0] <= entry["interval"][1] for name, entry in found.items() if name != example.MIX)
    assert (tmp_path / "recipe.toml").exists() == bool(result["better"])


def test_what_is_better_by_more_than_chance_becomes_a_recipe(example, monkeypatch, tmp_path):
    result = choose(example, monkeypatch, tmp_path, scores(example, 0, cutpaste=6, nsa=0.01))
    assert result["better"] == ["cutpaste"]
    recipe = combined(tmp_path / "recipe.toml")
    assert recipe.names == ["cutpaste"]


def test_where_nothing_can_be_told_there_is_no_recipe(example, monkeypatch, tmp_path, capsys):
    (tmp_path / "recipe.toml").write_text("of an earlier call")
    result = choose(example, monkeypatch, tmp_path, scores(example, 1, cutpaste=1.05, nsa=0.9))
    assert result["better"] == [] and not (tmp_path / "recipe.toml").exists()
    assert "No significant difference with 10 defective photographs" in capsys.readouterr().out


def test_the_nearest_feature_is_said_to_be_better_and_is_no_recipe(example, monkeypatch, tmp_path, capsys):
    measured, labels = scores(example, 0, cutpaste=0)
    measured[example.NEAREST] = [score + 8 * labels for score in measured[example.NEAREST]]
    result = choose(example, monkeypatch, tmp_path, (measured, labels))
    assert result["better"] == [] and "--only memory" in capsys.readouterr().out


def test_candidates_are_techniques_and_families_without_a_bank(example):
    found = example.candidates(None)
    assert {"cutpaste", "nsa", "scratch", "family SFI", "family defects"} <= set(found)
    assert "real_defect" not in found and len(found["family defects"]) == 8
    assert list(example.candidates(["SBI", "glass"])) == ["family SBI", "glass"]


def test_what_is_wrong_is_said_in_one_line(example, parts, tmp_path, capsys):
    for arguments, words in (
        ([str(parts), "--techniques", "scratches"], "scratches"),
        ([str(parts), "--seeds", "0"], "--seeds"),
        ([str(tmp_path)], "folder test"),
    ):
        with pytest.raises(SystemExit) as stopped:
            example.main([*arguments, "--out", str(tmp_path / "out")])
        assert stopped.value.code == 2
        error = capsys.readouterr().err
        assert error.startswith("choose_techniques.py: error: ") and words in error and error.count("\n") == 1
