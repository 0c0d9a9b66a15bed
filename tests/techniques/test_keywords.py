"""Every keyword of every technique has an effect: two values give different outputs for the same random numbers."""

import dataclasses
import functools

import numpy as np
import pytest
from common import ALL, bank, call, photograph

from pail import pai

IMAGE, SOURCE = photograph(128, 144), photograph(128, 144, seed=1)
PART = np.zeros((128, 144), bool)
PART[20:90, 30:120] = True


def invert(pixels):
    return np.ascontiguousarray(pixels[..., ::-1])


# What another value is, where no rule below makes one from the default, and what else has to be set for it to matter.
OTHER = {
    ("cutpaste", "area_ratio"): (0.02, 0.15),
    ("cutpaste", "aspect_ratio"): ((0.9, 1), (1, 1.1)),
    ("fract_aug", "initial_point"): (9, 9),
    ("fract_aug", "system"): "barnsley",
    ("fract_aug", "iterations"): 300,
    ("affined_anomlay", "variant"): "AAC",
    ("affined_anomlay", "resize"): (512, 512),
    ("affined_anomlay", "patch_sizes"): (0.5,),
    ("affined_anomlay", "ssim_threshold"): 0.1,
    ("fract_aug", "dilate"): 12,
    ("hard_aug_cutpaste", "angles"): (180,),
    ("hard_aug_cutpaste", "contrast"): 0.1,
    ("hard_aug_cutpaste", "area_ratio"): (0.02, 0.15),
    ("perlin_noise_pattern", "resize"): (32, 32),
    ("perlin_with_roi_anomaly", "mask"): PART,
    ("perlin_with_roi_anomaly", "bg_threshold"): 100,
    ("perlin_with_roi_anomaly", "bg_reverse"): True,
    ("rand_augmented_cut_paste", "mask"): PART,
    ("rand_augmented_cut_paste", "source_mask"): PART,
    ("rand_augmented_cut_paste", "min_area"): 0.2,
    ("random_perturbation", "skip_background"): True,
    ("random_perturbation", "max_try"): 1,
    ("superpixel_anomaly", "n_segments"): (60,),
    ("simplex_noise_anomlay", "octaves"): 1,
    ("real_defect", "kinds"): "line",
    ("real_defect", "blend"): "poisson",
    ("real_defect", "place"): "same",
    ("nsa", "half_width"): (0.2, 0.4),
    ("nsa", "shape"): "ellipses",
    ("nsa", "blend"): "mixed",
    ("dent", "raised"): True,
    ("chip", "fill_with"): "fracture",
    ("stain", "tone"): "bright",
    **{(name, "tone"): "dark" for name in ("scratch", "fiber")},
    **{(name, "light"): 90 for name in ("scratch", "crack", "pitting", "dent", "chip", "fiber")},
}
WITH = {
    ("affined_anomlay", "n_damage"): {"anom_source_img": SOURCE, "p_damage": 1},
    ("affined_anomlay", "p_damage"): {"anom_source_img": SOURCE},
    ("perlin_with_roi_anomaly", "bg_reverse"): {"bg_threshold": 100},
    ("perlin_with_roi_anomaly", "structure_grid_size"): {"p_texture": 0},
    ("rand_augmented_cut_paste", "in_fg_region"): {"image": "part"},
    ("perlin_with_roi_anomaly", "use_mask"): {"image": "part"},
    ("random_perturbation", "max_try"): {"image": "part"},
    ("random_perturbation", "skip_background"): {"image": "dark part"},
    ("fract_aug", "initial_point"): {"iterations": 20},
    ("nsa", "skip_background"): {"image": "part"},
    ("nsa", "min_overlap"): {"image": "part"},
    ("glass", "use_mask"): {"image": "part"},
    ("glass", "beta_std"): {"beta_range": (0, 1)},
    ("chip", "fill_with"): {"image": "part"},
}


def images(kind):
    if kind is None:
        return IMAGE
    part = np.full_like(IMAGE, 235 if kind == "part" else 5)
    part[40:70, 50:80] = IMAGE[40:70, 50:80] // 2 + 60
    return part


def another(default):
    """Another value of the kind of the default."""
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 2
    if isinstance(default, float):
        return default / 3
    if isinstance(default, tuple) and all(isinstance(entry, (int, float)) for entry in default):
        low, high = default
        return type(low)(low + (high - low) * 0.8) if isinstance(high, int) else low + (high - low) * 0.8, high
    raise AssertionError(f"say in OTHER what another value of {default!r} is")


def cases():
    for name in ALL:
        for keyword, default in pai.TECHNIQUES[name].parameters.items():
            yield pytest.param(name, keyword, default, id=f"{name}-{keyword}")


@pytest.mark.parametrize(("name", "keyword", "default"), list(cases()))
def test_two_values_of_a_keyword_differ(name, keyword, default):
    value = OTHER.get((name, keyword), invert if keyword == "augmenter" else None)
    value = another(default) if value is None else value
    extra = dict(WITH.get((name, keyword), {}))
    image = images(extra.pop("image", None))
    source = extra.pop("anom_source_img", None)
    source = SOURCE if pai.TECHNIQUES[name].family in ("SBI", "published") else source
    differ = 0
    for seed in range(25):
        one = call(name, image, source, rng=(len(name), seed), **(extra | {keyword: default}))
        other = call(name, image, source, rng=(len(name), seed), **(extra | {keyword: value}))
        differ += not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        if differ == 3:
            return
    pytest.fail(f"{differ} of 25 calls differ")


class Seen(Exception):  # noqa: N818
    """Raised to stop a call before its technique begins."""


@pytest.mark.parametrize("name", ALL)
def test_methods_pass_every_keyword_on(monkeypatch, name):
    """Every keyword is passed on unchanged under its own name."""
    technique, seen = pai.TECHNIQUES[name], {}

    @functools.wraps(technique.function)
    def function(*_, **keywords):
        seen.update(keywords)
        raise Seen

    monkeypatch.setitem(pai.TECHNIQUES, name, dataclasses.replace(technique, function=function))
    given = {keyword: object() for keyword in technique.parameters}
    needed = {"defects": bank()} if technique.takes_defects else {}
    vars(pai.TECHNIQUES[name])["accepted"] = {}  # so that any object passes the checks
    with pytest.raises(Seen):
        getattr(pai.Anomaly_Insertion(), name)(IMAGE, **needed, **given)
    assert seen == given
