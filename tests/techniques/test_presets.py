"""Presets: each number of the paper or its code, repeated here independently."""

import pickle

import numpy as np
import pytest
from common import photograph

import pail
from pail import pai
from pail.beyond.presets import PRESETS
from pail.references import REFERENCES

IMAGE, SOURCE = photograph(96, 112), photograph(96, 112, seed=1)
AT_256 = 1 / 256

PAPER_SAYS = {
    "cutpaste": ("li2021cutpaste", "none", 0.5, {"cutpaste": {"area_ratio": (0.02, 0.15)}}),
    "cutpaste-scar": (
        "li2021cutpaste",
        "none",
        0.5,
        {
            "cutpaste_scar": {
                "width": (2 * AT_256, 16 * AT_256),
                "length": (10 * AT_256, 25 * AT_256),
                "rotation": (-45, 45),
            }
        },
    ),
    "cutpaste-3way": (
        "li2021cutpaste",
        "none",
        2 / 3,
        {
            "cutpaste": {"area_ratio": (0.02, 0.15), "aspect_ratio": ((0.3, 1), (1, 3.3))},
            "cutpaste_scar": {"width": (2 * AT_256, 16 * AT_256), "length": (10 * AT_256, 25 * AT_256)},
        },
    ),
    "draem": (
        "zavrtanik2021draem",
        "textures",
        0.5,
        {
            "perlin_noise_pattern": {
                "threshold": 0.5,
                "min_perlin_scale": 0,
                "perlin_scale": 6,
                "rotation": (-90, 90),
                "beta_range": (0, 0.8),
                "augment_source": True,
            }
        },
    ),
    "memseg": (
        "yang2023memseg",
        "textures",
        0.5,
        {
            "perlin_with_roi_anomaly": {
                "transparency_range": (0.15, 1.0),
                "structure_grid_size": 8,
                "p_texture": 0.5,
                "threshold": 0.5,
                "rotation": (-90, 90),
            }
        },
    ),
    "cdo": ("cao2023cdo", "none", 0.8, {"random_perturbation": {"patch_number": (1, 4), "size_range": (0.05, 0.2)}}),
    "rd++": (
        "tien2023rdpp",
        "none",
        0.5,
        {
            "simplex_noise_anomlay": {
                "size_range": (10 * AT_256, 32 * AT_256),
                "octaves": 6,
                "persistence": 0.6,
                "amplitude": 0.2,
                "frequency": 32 * AT_256,
            }
        },
    ),
    "anoseg": ("song2021anoseg", "none", 0.5, {"hard_aug_cutpaste": {"angles": (0, 90, 180, 270), "p_perm": 0.5}}),
    "bgad": ("yao2023bgad", "defects", 0.5, {"rand_augmented_cut_paste": {"n_aug": 3, "elastic": False}}),
    "fractalad": (
        "xia2023fractalad",
        "none",
        0.5,
        {
            "fract_aug": {
                "iterations": 100_000,
                "n_maps": 2,
                "size_range": (0.1, 0.5),
                "rotation": (15, 75),
                "noise_amp": 10,
                "margin": 0.1,
                "dilate": 3,
            }
        },
    ),
    "tasad": (
        "shah2023tasad",
        "textures",
        0.5,
        {
            "superpixel_anomaly": {
                "n_segments": (30, 150, 250),
                "fraction": 0.1,
                "compactness": 8,
                "sigma": 1,
                "augment_source": True,
            }
        },
    ),
    "pai-lib": (
        "shah2025pai",
        "textures",
        0.5,
        {
            "cutpaste": {"area_ratio": (0.2, 0.25)},
            "cutpaste_scar": {"width": (0.1, 0.4), "length": (0.1, 0.4)},
            "perlin_noise_pattern": {"threshold": "random", "rotation": (0, 0), "augment_source": False},
            "superpixel_anomaly": {"fraction": 0.05},
            "fract_aug": {"system": "barnsley", "iterations": 10_000},
        },
    ),
    "nsa": (
        "schlueter2022nsa",
        "normal",
        1.0,
        {"nsa": {"patch_number": (1, 4), "half_width": (0.03, 0.4), "scale": (0.7, 1.3), "shape": "rectangle"}},
    ),
    "glass": (
        "chen2024glass",
        "textures",
        0.5,
        {"glass": {"beta_mean": 0.5, "beta_std": 0.1, "beta_range": (0.2, 0.8), "perlin_scale": 6, "threshold": 0.5}},
    ),
}


def test_there_is_one_for_each_paper():
    assert set(PRESETS) == set(PAPER_SAYS)
    keys = {paper.key for paper in REFERENCES}
    assert {preset.reference for preset in PRESETS.values()} <= keys
    assert len(PRESETS["pai-lib"].techniques) == 11


@pytest.mark.parametrize("name", PAPER_SAYS)
def test_the_numbers_are_the_papers(name):
    reference, source, anomalous, options = PAPER_SAYS[name]
    preset = PRESETS[name]
    assert (preset.reference, preset.source) == (reference, source)
    assert preset.anomalous == pytest.approx(anomalous)
    for technique, keywords in options.items():
        for key, value in keywords.items():
            assert preset.options[technique][key] == value, (technique, key)


@pytest.mark.parametrize("name", PAPER_SAYS)
def test_every_preset_runs(name):
    preset = PRESETS[name]
    for technique in preset.techniques:
        assert set(preset.options[technique]) <= set(pail.TECHNIQUES[technique].parameters)
    insertion = pai.Anomaly_Insertion()
    options = {technique: dict(keywords) for technique, keywords in preset.options.items()}
    seen = set()
    for seed in range(3 * len(preset.techniques)):
        result = insertion.insert(IMAGE, SOURCE, techniques=list(preset.techniques), options=options, rng=seed)
        assert result.m_a.any()
        seen |= set(result.techniques)
    assert seen <= set(preset.techniques)


def test_a_preset_cannot_be_changed_and_can_be_sent():
    preset = PRESETS["draem"]
    with pytest.raises(TypeError):
        preset.options["perlin_noise_pattern"]["threshold"] = 0.1
    with pytest.raises(AttributeError):
        preset.anomalous = 0.1
    with pytest.raises(TypeError):
        PRESETS["mine"] = preset
    assert pickle.loads(pickle.dumps(preset)) == preset


def test_cutpaste_of_the_paper_is_smaller_than_that_of_the_library():
    insertion = pai.Anomaly_Insertion()
    shares = {}
    for name in ("cutpaste", "pai-lib"):
        options = dict(PRESETS[name].options["cutpaste"])
        shares[name] = np.mean([(insertion.cutpaste(IMAGE, rng=i, **options).m_a > 0).mean() for i in range(60)])
    assert shares["cutpaste"] == pytest.approx(0.085, abs=0.015)
    assert shares["pai-lib"] == pytest.approx(0.225, abs=0.01)
