"""The transform for albumentations."""

import json
import warnings

import numpy as np
import pytest
from common import photograph
from optional import need

need("albumentations")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import albumentations as A  # noqa: N812

from pail.albumentations import InsertAnomaly  # noqa: E402

IMAGE, SOURCE = photograph(64, 48), photograph(64, 64, seed=1)
EMPTY = np.zeros((64, 48), np.uint8)


def run(transform, image=IMAGE, mask=EMPTY, seed=0):
    sample = A.Compose([transform], seed=seed)(image=image, mask=mask)
    return sample["image"], sample["mask"]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_image_and_mask_change_together(dtype):
    image = IMAGE if dtype == np.uint8 else (IMAGE / 255).astype(np.float32)
    changed, mask = run(InsertAnomaly(SOURCE, p=1), image)
    assert changed.dtype == dtype and changed.shape == image.shape and mask.shape == EMPTY.shape
    assert set(np.unique(mask)) == {0, 1}
    assert np.array_equal(changed[mask == 0], image[mask == 0]) and not np.array_equal(changed, image)


def test_the_seed_of_the_pipeline_holds():
    runs = [run(InsertAnomaly(p=1), seed=seed)[0].tobytes() for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]
    pipeline = A.Compose([InsertAnomaly(p=1)], seed=3)
    several = [pipeline(image=IMAGE, mask=EMPTY)["image"].tobytes() for _ in range(3)]
    assert len(set(several)) == 3 and several[0] == runs[0]


def test_an_existing_mask_is_united():
    before = EMPTY.copy()
    before[:5] = 7
    _, mask = run(InsertAnomaly(techniques="random_perturbation", p=1, mask_value=2), mask=before)
    assert set(np.unique(mask)) == {0, 2, 7} and (mask[:5] != 0).all()


def test_p_is_the_share():
    count = sum(run(InsertAnomaly(p=0.5), seed=seed)[1].any() for seed in range(40))
    assert 8 < count < 32
    assert not run(InsertAnomaly(p=0))[1].any()


def test_a_pipeline_is_saved_and_loaded(tmp_path):
    pipeline = A.Compose([InsertAnomaly(techniques=["cutpaste"], severity=0.4, p=1), A.HorizontalFlip(p=1)], seed=1)
    loaded = A.from_dict(json.loads(json.dumps(A.to_dict(pipeline))))
    loaded.set_random_seed(5)
    pipeline.set_random_seed(5)
    assert loaded.transforms[0].techniques == ["cutpaste"] and loaded.transforms[0].severity == 0.4
    expected, found = (p(image=IMAGE, mask=EMPTY) for p in (pipeline, loaded))
    assert np.array_equal(expected["image"], found["image"]) and np.array_equal(expected["mask"], found["mask"])


def test_a_normalised_image_is_refused():
    with pytest.raises(ValueError, match="before Normalize"):
        run(InsertAnomaly(p=1), (IMAGE / 100 - 1).astype(np.float32))


@pytest.mark.parametrize(
    ("keywords", "name"),
    [({"p": 2}, "p"), ({"techniques": "nosuch"}, "techniques"), ({"source": "no/such/folder"}, "source")],
)
def test_bad_arguments_are_named(keywords, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        InsertAnomaly(**keywords)
