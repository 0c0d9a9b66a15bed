"""The techniques beyond the eleven, in `insert`, in records and in related functions."""

import json
import pickle

import cv2
import numpy as np
import pytest
from common import checked, photograph

import pail
from pail import pai
from pail.beyond.presets import PRESETS

IMAGE = photograph(120, 150)
BEYOND = [name for name in pail.TECHNIQUES if name not in pail.ELEVEN]


def make_bank(folder=None):
    """Two photographs with a spot and a line; as files in a folder, or as arrays."""
    photos, masks = [], []
    for seed, (top, left, height, width) in enumerate([(20, 30, 12, 14), (50, 10, 4, 40)]):
        photo, mask = np.array(photograph(90, 110, 3 + seed)), np.zeros((90, 110), np.uint8)
        mask[top : top + height, left : left + width] = 255
        photo[mask > 0] = photo[mask > 0] // 4
        photos.append(photo)
        masks.append(mask)
    if folder is None:
        return pail.Defects(photos, masks, kinds=["spot", "line"])
    for index, (photo, mask) in enumerate(zip(photos, masks, strict=True)):
        cv2.imwrite(str(folder / f"{index}.png"), photo[..., ::-1])
        cv2.imwrite(str(folder / f"{index}_mask.png"), mask)
    return pail.Defects.read(folder)


BANK = make_bank()


def test_the_eleven_alone_are_drawn_by_default():
    insertion = pai.Anomaly_Insertion()
    drawn = {insertion.insert(IMAGE, rng=(0, seed)).techniques[0] for seed in range(150)}
    assert drawn == set(pail.ELEVEN)


def test_a_technique_of_the_users_own_is_drawn_by_default_whatever_its_family():
    def square(image, sampler):
        box = pail.place(image, sampler, 9, 9)
        return pail.Insertion(box, np.full_like(image.crop(box), image.max_value))

    pail.register("white_square", square, family="defects")
    try:
        drawn = {pai.Anomaly_Insertion().insert(IMAGE, rng=(0, seed)).techniques[0] for seed in range(150)}
    finally:
        pail.unregister("white_square")
    assert drawn == {*pail.ELEVEN, "white_square"}
    with pytest.raises(ValueError, match=r"`family`.*'real'"):
        pail.register("white_square", square, family="real")


@pytest.mark.parametrize("family", ["published", "defects"])
def test_a_family_is_its_techniques(family):
    drawn = {checked("insert", IMAGE, techniques=family, rng=(1, seed)).techniques[0] for seed in range(60)}
    assert drawn == {name for name in BEYOND if pail.TECHNIQUES[name].family == family}


def test_with_a_bank_alone_its_defects_are_drawn():
    results = [pai.Anomaly_Insertion().insert(IMAGE, defects=BANK, n_anomalies=2, rng=(2, i)) for i in range(8)]
    assert {name for result in results for name in result.techniques} == {"real_defect"}
    kinds = {step["drawn"]["kind"] for result in results for step in result.record["steps"]}
    assert kinds == {"spot", "line"}


def test_a_mix_of_all_families_replays_through_json():
    for seed in range(12):
        keywords = {"techniques": ["real", "SBI", "published", "defects"], "n_anomalies": 3, "rng": (3, seed)}
        result = pai.Anomaly_Insertion().insert(
            IMAGE, photograph(50, 60, 1), defects=BANK, roi="foreground", **keywords
        )
        record = json.loads(json.dumps(result.record))
        again = pail.replay(record, IMAGE, photograph(50, 60, 1), defects=BANK)
        assert np.array_equal(result.i_a, again.i_a) and np.array_equal(result.m_a, again.m_a)


def test_a_record_knows_its_bank_by_content(tmp_path):
    bank = make_bank(tmp_path)
    result = pai.Anomaly_Insertion().real_defect(IMAGE, bank, rng=0)
    (tmp_path / "moved").mkdir()
    for path in [*tmp_path.glob("*.png")]:
        path.rename(tmp_path / "moved" / path.name)
    again = pail.replay(result.record, IMAGE, defects=pail.Defects.read(tmp_path / "moved"))
    assert np.array_equal(again.i_a, result.i_a)
    with pytest.raises(ValueError, match="`defects` must be the bank of the record"):
        pail.replay(result.record, IMAGE, defects=BANK)
    with pytest.raises(TypeError, match=r"`defects`.*got None"):
        pail.replay(result.record, IMAGE)


def test_a_result_of_a_bank_pickles():
    result = pai.Anomaly_Insertion().real_defect(IMAGE, BANK, rng=0)
    again = pickle.loads(pickle.dumps(result))
    assert again.record == result.record and np.array_equal(again.i_a, result.i_a)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"techniques": "real"}, r"`defects`.*None"),
        ({"techniques": ["SFI", "real_defect"]}, r"`defects`.*None"),
        ({"defects": BANK, "techniques": "SFI"}, "`techniques` must include 'real'"),
        ({"defects": "folder"}, r"`defects`.*folder"),
        ({"preset": "draem", "defects": BANK}, "without `defects`.*`anom_source_img`"),
        ({"preset": "dream"}, r"`preset`.*did you mean 'draem'"),
        ({"preset": 3}, "`preset`"),
        ({"preset": "draem", "techniques": "SFI"}, "`preset` must not be combined with"),
        ({"preset": "draem", "weights": [1]}, "`preset` must not be combined with"),
        ({"preset": "draem", "options": {"perlin_noise_pattern": {"threshold": 7}}}, "`threshold`"),
    ],
)
def test_what_does_not_go_together_is_an_error(keywords, words):
    with pytest.raises((TypeError, ValueError), match=words):
        pai.Anomaly_Insertion().insert(IMAGE, **keywords)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_its_techniques_with_its_options(name):
    preset, source = PRESETS[name], photograph(50, 60, 1)
    insertion = pai.Anomaly_Insertion()
    for seed in range(3):
        by_name = insertion.insert(IMAGE, source, preset=name, rng=(4, seed))
        by_hand = insertion.insert(
            IMAGE,
            source,
            techniques=preset.techniques,
            options={key: dict(value) for key, value in preset.options.items()},
            rng=(4, seed),
        )
        assert np.array_equal(by_name.i_a, by_hand.i_a) and by_name.record == by_hand.record


def test_options_add_to_those_of_a_preset():
    result = pai.Anomaly_Insertion().insert(
        IMAGE, preset="cutpaste", options={"cutpaste": {"area_ratio": (0.5, 0.5)}}, rng=0
    )
    held = result.record["arguments"]["options"]["cutpaste"]
    assert list(held["area_ratio"]) == [0.5, 0.5] and "aspect_ratio" in held
    assert 0.4 < (result.m_a > 0).mean() < 0.6


@pytest.mark.parametrize("rotation", [(0, 0), (90, 90), (180, 180), (-180, 180)])
@pytest.mark.parametrize("shape", [(16, 400), (400, 16), (40, 52), (128, 128)])
def test_a_defect_as_large_as_the_image_is_made_to_fit(shape, rotation):
    """Its rounded edge may exceed the image by a row."""
    photo, mask = np.array(photograph(30, 30, 7)), np.zeros((30, 30), np.uint8)
    mask[2:28, 2:28] = 255
    photo[mask > 0] //= 4
    bank = pail.Defects([photo], [mask])
    for seed in range(12):
        for scale in ((0.7, 1.4), (2, 5)):
            checked("real_defect", photograph(*shape), defects=bank, rotation=rotation, scale=scale, rng=seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_float_bank_with_white_surroundings_is_taken(dtype):
    for seed in range(10):
        photo, mask = np.full((70, 80), 255, dtype), np.zeros((70, 80), np.uint8)
        top, left = (int(v) for v in np.random.default_rng(seed).integers(5, 40, 2))
        mask[top : top + 14, left : left + 21] = 255
        photo[mask > 0] = 30
        image = np.asarray(photograph(60, 60), dtype)
        for blend in ("transfer", "paste", "poisson"):
            insertion = pai.Anomaly_Insertion(data_range=255.0)
            checked("real_defect", image, on=insertion, defects=pail.Defects([photo], [mask]), blend=blend, rng=seed)


def test_options_of_no_technique_are_named_as_options():
    with pytest.raises(ValueError, match="`options` must be names"):
        pai.Anomaly_Insertion().insert(IMAGE, options={"a": 1})


def test_a_negative_zero_is_zero():
    checked("glass", IMAGE, beta_std=-0.0, rng=0)


@pytest.mark.parametrize("state", [[], {}, "x", {"bit_generator": "PCG64", "state": []}])
def test_a_damaged_state_is_named(state):
    record = json.loads(json.dumps(pai.Anomaly_Insertion().cutpaste(IMAGE).record))
    record["rng"]["state"] = state
    with pytest.raises((TypeError, ValueError), match="`record`"):
        pail.replay(record, IMAGE)
