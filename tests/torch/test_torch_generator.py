"""The generator for models of anomalib, without anomalib; with it, see test_torch_anomalib.py."""

import numpy as np
import pytest
from common import photograph
from optional import need

need("torch")

import torch  # noqa: E402

from pail import masks  # noqa: E402
from pail.anomalib import AnomalyGenerator  # noqa: E402

pytestmark = pytest.mark.heavy
IMAGE = torch.from_numpy(photograph(48, 40).copy()).permute(2, 0, 1).contiguous() / 255


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("lead", [(), (3,)])
def test_shapes_dtypes_and_exact_masks(dtype, lead):
    images = IMAGE.to(dtype).expand(*lead, 3, 48, 40)
    before = images.clone()
    found, mask = AnomalyGenerator(photograph(40, 40, seed=1), probability=1)(images)
    assert found.shape == images.shape and mask.shape == (*lead, 1, 48, 40)
    assert found.dtype == mask.dtype == dtype and found.device == images.device
    assert torch.equal(images, before) and set(mask.unique().tolist()) == {0, 1}
    assert torch.equal(torch.where(mask > 0, images, found), images)  # nothing changed outside
    changed = (found != images).any(-3)
    assert changed.flatten(-2).any(-1).all()


def test_each_image_of_a_batch_has_its_own_anomaly_and_its_own_chance():
    torch.manual_seed(0)
    found, mask = AnomalyGenerator(probability=0.5)(IMAGE.expand(40, 3, 48, 40))
    anomalous = mask.flatten(1).any(1)
    assert 10 < anomalous.sum() < 30
    assert torch.equal(found[~anomalous], IMAGE.expand(40, 3, 48, 40)[~anomalous])
    assert len({m.numpy().tobytes() for m in mask[anomalous]}) == anomalous.sum()
    assert not AnomalyGenerator(probability=0)(IMAGE)[1].any()


def test_the_seed_of_pytorch_repeats_a_run():
    generator, results = AnomalyGenerator(probability=0.7), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(torch.cat(generator(IMAGE.expand(6, 3, 48, 40)), 1))
    assert torch.equal(results[0], results[1]) and not torch.equal(results[0], results[2])


def test_what_is_inserted_is_chosen(tmp_path):
    region = np.zeros((48, 40), np.uint8)
    region[:20] = 255
    generator = AnomalyGenerator(probability=1, techniques=["cutpaste", "nsa"], roi=region, severity=(0, 0.3))
    mask = generator(IMAGE.expand(5, 3, 48, 40))[1]
    assert mask[:, :, :20].any() and not mask[:, :, 20:].any()
    part, place = photograph(48, 40, seed=3).copy(), np.zeros((48, 40), np.uint8)
    part[10:14, 10:30], place[10:14, 10:30] = 0, 255
    from pail.beyond.real.defects import Defects

    found, mask = AnomalyGenerator(probability=1, defects=Defects([part], [place]))(IMAGE)
    assert len(masks.pieces(mask[0].numpy() > 0)) == 1 and not torch.equal(found, IMAGE)


def test_a_recipe_is_read_and_arguments_take_precedence(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("severity = 0.3\nanomalies = 2\n[techniques.cutpaste]\n[techniques.cutpaste_scar]\nweight = 3\n")
    keywords = AnomalyGenerator(recipe=recipe)._inserter.keywords
    assert keywords["techniques"] == ["cutpaste", "cutpaste_scar"] and list(keywords["weights"]) == [1, 3]
    assert keywords["severity"] == 0.3 and keywords["n_anomalies"] == (2, 2)
    keywords = AnomalyGenerator(recipe=recipe, techniques="fract_aug", severity=0.5)._inserter.keywords
    assert keywords["techniques"] == "fract_aug" and keywords["severity"] == 0.5


def test_values_that_left_the_range_by_rounding_are_kept():
    images = IMAGE.clone()
    images[:, 0, 0], images[:, 0, 1] = -1e-7, 1.0005
    assert images.max() > 1
    found, mask = AnomalyGenerator(probability=1)(images)
    assert torch.equal(torch.where(mask > 0, images, found), images)
    assert not torch.equal(found, images)


def test_gradients_end_at_it():
    images = IMAGE.clone().requires_grad_()
    found, mask = AnomalyGenerator(probability=1)(images)
    assert not found.requires_grad and not mask.requires_grad


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (np.zeros((3, 8, 8)), TypeError, "float tensor"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), TypeError, "uint8"),
        (torch.zeros(8, 8), ValueError, r"\(8, 8\)"),
        (torch.zeros(2, 3, 0, 8), ValueError, "shape"),
        (IMAGE * 4 - 2, ValueError, r"\[0, 1\]"),
    ],
)
def test_what_is_no_image_is_refused(image, error, words):
    with pytest.raises(error, match=words):
        AnomalyGenerator(probability=1)(image)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [({"probability": 2}, "probability"), ({"techniques": "perlin"}, "perlin"), ({"severity": 3}, "severity")],
)
def test_wrong_arguments_are_named_at_once(keywords, words):
    with pytest.raises((TypeError, ValueError), match=words):
        AnomalyGenerator(**keywords)
