"""The contract, for every registered technique: one property a test, over shapes and contents."""

import inspect
import random

import numpy as np
import pytest
from common import ALL, NAMES, as_type, call, checked, photograph, takes_source
from PIL import Image

from pail import pai

SMALL = [(1, 1), (2, 3), (8, 8), (7, 255), (64, 64)]
LARGE = [(257, 311), (300, 200), (900, 900)]
THIN_AND_DEEP = [(1, 1), (1, 9), (9, 1), (2, 3), (3, 2), (8, 8), (7, 255), (40, 30, 1), (33, 47, 5), (20, 20, 16)]
CONTENTS = ["photograph", "black", "gray", "white", "half black", "one channel zero"]
METHODS = [*ALL, "insert"]
BY_PIXELS = ("superpixel_anomaly", "affined_anomlay")  # low bits may move a superpixel, or drop a tile


def content(kind, shape):
    if kind == "photograph":
        return photograph(*shape)
    image = np.array(photograph(*shape))
    if kind == "half black":
        image[: -(-shape[0] // 2)] = 0
    elif kind == "one channel zero":
        image[..., 0] = 0
    else:
        image[:] = {"black": 0, "gray": 128, "white": 255}[kind]
    return image


@pytest.mark.parametrize("shape", [*SMALL, *(pytest.param(shape, marks=pytest.mark.slow) for shape in LARGE)], ids=str)
@pytest.mark.parametrize("name", ALL)
def test_invariants(name, shape):
    source = photograph(61, 47, seed=1)
    for kind in CONTENTS:
        image = content(kind, shape)
        for form in (image, np.array(image[..., 1]), np.array(image[..., 1:2])):
            for seed in range(3 if form.size < 1e5 else 1):
                checked(name, form, source if seed != 1 else None, rng=seed)


@pytest.mark.parametrize("name", ALL)
def test_invariants_on_a_large_image(name):
    """A short form of the slow cases."""
    for number, kind in enumerate(("photograph", "gray")):
        checked(name, content(kind, LARGE[number]), photograph(61, 47, seed=1), rng=number)


@pytest.mark.parametrize("severity", [None, 0, 1])
@pytest.mark.parametrize("name", ALL)
def test_invariants_on_noise_at_both_ends_of_severity(name, severity):
    for shape in THIN_AND_DEEP:
        for seed in range(8):
            image = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
            checked(name, image, photograph(61, 47, seed=1) if seed % 2 else None, rng=seed, severity=severity)


@pytest.mark.parametrize("name", ALL)
def test_a_pil_image_gives_what_its_array_gives(name):
    image, source = photograph(64, 81), photograph(40, 90, seed=1)
    from_array = call(name, image, source, rng=3)
    from_pil = call(name, Image.fromarray(image), Image.fromarray(source), rng=3)
    for one, other in zip(from_array, from_pil, strict=True):
        assert isinstance(other, np.ndarray)
        assert np.array_equal(one, other)


@pytest.mark.parametrize("name", METHODS)
def test_the_same_rng_gives_the_same_bytes(name):
    image = photograph(90, 70)
    for rng in (5, (5, 1), np.random.SeedSequence(5)):
        first, second = (call_any(name, image, rng=rng) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    other = call_any(name, image, rng=6)
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def call_any(name, image, **keywords):
    if name == "insert":
        return pai.Anomaly_Insertion().insert(image, photograph(50, 50, seed=1), **keywords)
    return call(name, image, photograph(50, 50, seed=1), **keywords)


@pytest.mark.parametrize("name", METHODS)
def test_instances_with_the_same_rng_agree_and_go_on(name):
    image = photograph(64, 80)
    one, other = pai.Anomaly_Insertion(rng=1), pai.Anomaly_Insertion(rng=1)
    results = [[call(name, image, on=instance) for _ in range(3)] for instance in (one, other)]
    for (image_a, mask_a), (image_b, mask_b) in zip(*results, strict=True):
        assert np.array_equal(image_a, image_b) and np.array_equal(mask_a, mask_b)
    assert not np.array_equal(results[0][0][0], results[0][1][0])


@pytest.mark.parametrize("name", ALL)
def test_a_result_does_not_depend_on_earlier_calls(name):
    image, instance = photograph(64, 80), pai.Anomaly_Insertion()
    first = call(name, image, on=instance, rng=2)
    for other in ALL:
        call(other, image, on=instance)
    again = call(name, image, on=instance, rng=2)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])


@pytest.mark.parametrize("name", METHODS)
def test_a_generator_is_used_and_advanced(name):
    image, generator = photograph(64, 64), np.random.default_rng(3)
    first, second = (call_any(name, image, rng=generator) for _ in range(2))
    assert not np.array_equal(first[0], second[0])
    again = call_any(name, image, rng=np.random.default_rng(3))
    assert np.array_equal(first[0], again[0])


@pytest.mark.parametrize("name", METHODS)
def test_no_global_random_state_is_read_or_written(name):
    import cv2

    image = photograph(64, 64)
    results = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        cv2.setRNGSeed(seed)
        state, python_state = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
        results.append(call_any(name, image, rng=0))
        assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
        assert random.getstate() == python_state
    assert np.array_equal(results[0][0], results[1][0])
    drawn = [np.empty((3, 3), np.float32) for _ in range(2)]
    for into, used in zip(drawn, (False, True), strict=True):
        cv2.setRNGSeed(9)
        if used:
            call_any(name, image, rng=0)
        cv2.randu(into, 0, 1)
    assert np.array_equal(*drawn)


@pytest.mark.parametrize("name", METHODS)
def test_nothing_is_printed(name, capfd):
    for size in (1, 8, 64):
        call_any(name, photograph(size, size))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ALL)
def test_something_changes_on_textured_images(name):
    image, source = photograph(128, 128), photograph(128, 128, seed=1)
    changed = [np.any(call(name, image, source, rng=seed)[0] != image) for seed in range(20)]
    assert all(changed)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("name", [name for name in ALL if name not in BY_PIXELS])
def test_depths_agree(name, dtype):
    """The same random numbers give the same mask and, except for rounding, the same image at every bit depth."""
    image, source = photograph(96, 80), photograph(96, 80, seed=1)
    i_8, m_8 = call(name, image, source, rng=4)
    i_n, m_n = call(name, as_type(image, dtype), as_type(source, dtype), rng=4)
    scale = 255 / (65535 if dtype == "uint16" else 1)
    assert np.mean(m_8 != m_n) < 0.01
    if name != "random_perturbation":  # its noise has the depth of the image
        both = (m_8[..., 0] > 0) & (m_n[..., 0] > 0)
        assert np.abs(i_n[..., :3] * scale - i_8)[both].mean() < 4


def test_the_registry_is_the_class():
    for name, technique in pai.TECHNIQUES.items():
        assert callable(getattr(pai.Anomaly_Insertion, name))
        assert technique.reference or technique.family in ("real", "defects")
    assert (
        len(NAMES) == 11
        and len(ALL) == 22
        and {pai.TECHNIQUES[name].family for name in NAMES} == {"SFI", "SBI", "hybrid"}
    )


@pytest.mark.parametrize("name", ALL)
def test_defaults_are_written_in_the_method_and_bounds_in_the_technique(name):
    technique = pai.TECHNIQUES[name]
    method = inspect.signature(getattr(pai.Anomaly_Insertion, name)).parameters
    function = inspect.signature(technique.function).parameters
    options = [p for p in function.values() if p.kind is p.KEYWORD_ONLY]
    assert options and all(option.default is option.empty for option in options)
    common = {"self", technique.image_name, "anom_source_img", "defects", "roi", "severity", "rng"}
    assert technique.parameters == {key: p.default for key, p in method.items() if key not in common}
    assert {option.name for option in options} == set(technique.parameters) == set(technique.accepted)
    for key, default in technique.parameters.items():
        checked = technique.accepted[key].check(key, default)
        assert technique.accepted[key].check(key, checked) == checked  # so that it does not matter how often
    for keyword in ("roi", "severity", "rng"):
        assert method[keyword].kind is inspect.Parameter.KEYWORD_ONLY


def test_the_originals_signatures_are_kept():
    positional = {
        "cutpaste": ["image", "area_ratio", "aspect_ratio"],
        "cutpaste_scar": ["image", "rotation"],
        "simplex_noise_anomlay": ["image"],
        "random_perturbation": ["image"],
        "hard_aug_cutpaste": ["image"],
        "perlin_noise_pattern": ["image", "anom_source_img", "resize"],
        "superpixel_anomaly": ["image", "anom_source_img"],
        "perlin_with_roi_anomaly": ["img", "anom_source_img", "use_mask", "transparency_range"],
        "rand_augmented_cut_paste": ["img_norm", "anom_source_img", "mask", "in_fg_region"],
        "fract_aug": ["image", "initial_point", "iterations", "anom_source_img"],
        "affined_anomlay": ["image", "resize", "anom_source_img"],
    }
    for name, expected in positional.items():
        parameters = inspect.signature(getattr(pai.Anomaly_Insertion, name)).parameters.values()
        assert [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD] == ["self", *expected]


def test_sources_are_taken_where_the_registry_says_so():
    for name in ALL:
        parameters = inspect.signature(getattr(pai.Anomaly_Insertion, name)).parameters
        assert takes_source(name) == ("anom_source_img" in parameters)
        assert pai.TECHNIQUES[name].takes_defects == ("defects" in parameters)
