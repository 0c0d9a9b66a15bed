"""Each way back to the original that docs/fidelity.md names does what it says."""

import re
from pathlib import Path

import numpy as np
import pytest
from common import NAMES, call, frame_and_draw, photograph
from seeds import seeds

import pail
from pail import pai

PAGE = (Path(__file__).parent.parent / "docs" / "fidelity.md").read_text(encoding="utf-8")
IMAGE, SOURCE = photograph(256, 256), photograph(256, 256, seed=1)
ROWS = [
    (names, back)
    for names, *_, back in re.findall(r"^\| (`.*?`) \| (.*?) \| (.*?) \| (.*?) \| (.*?) ?\|$", PAGE, re.M)
    if back
]


def drawn(name, count=300, source=None, **keywords):
    """What was drawn by name, and the masks."""
    results = [call(name, IMAGE, source, rng=s, **keywords) for s in seeds(name, count)]
    return [r.record["drawn"] for r in results], [r.m_a[..., 0] > 0 for r in results]


@pytest.mark.parametrize(("names", "back"), ROWS)
def test_what_a_row_names_are_keywords_of_its_technique(names, back):
    for name in re.findall(r"`(\w+)`", names):
        technique = "affined_anomlay" if name == "affine_anom_color_change" else name
        known = {*pai.TECHNIQUES[technique].parameters, "anom_source_img"}
        for keyword in re.findall(r"(\w+)=", back):
            assert keyword in known, (name, keyword)


@pytest.mark.parametrize("back", [b for _, b in ROWS if re.search(r"`[a-z_]+=[^`]+`", b)])
def test_every_way_back_is_tested(back):
    source = Path(__file__).read_text(encoding="utf-8")
    for keyword, value in re.findall(r"([a-z_]+)=([^=`]+?)(?=, [a-z_]+=|`)", back):
        assert f"{keyword}={value}" in source, f"{keyword}={value}"


def test_areas_of_cutpaste_in_the_paper():
    _, masks = drawn("cutpaste", area_ratio=(0.02, 0.15))
    areas = [mask.mean() for mask in masks]
    assert 0.018 < min(areas) < 0.03 and 0.14 < max(areas) < 0.155


def test_patches_of_the_originals_scar():
    _, masks = drawn("cutpaste_scar", width=(0.1, 0.4), length=(0.1, 0.4))
    assert 0.02 < np.mean([mask.mean() for mask in masks]) < 0.1


def test_rectangles_of_the_originals_simplex():
    _, masks = drawn("simplex_noise_anomlay", 60, size_range=(0.04, 0.5))
    assert 0.05 < np.mean([mask.mean() for mask in masks]) < 0.1


def test_the_originals_hard_augmentation():
    """Three of four calls are turned, all are permuted and jittered."""
    records, _ = drawn("hard_aug_cutpaste", 600, p_rotate=1, p_perm=1, p_jitter=1)
    assert 0.7 < np.mean([record["turns"] != 0 for record in records]) < 0.8
    assert all(record["perm"] and record["jitter"] for record in records)


@pytest.mark.parametrize("flag", [True, False])
def test_the_background_of_cdo_and_none(flag):
    """`skip_background=True` asks CDO's thresholds, `False` nothing."""
    image = np.full((256, 256, 3), 250, np.uint8)
    image[96:160, 96:160] = 128
    keywords = {True: dict(skip_background=True), False: dict(skip_background=False)}[flag]
    centres = []
    for s in seeds("cdo", 60):
        record = call("random_perturbation", image, rng=s, patch_number=(1, 1), **keywords).record["drawn"]
        centres.append((record["top"] + record["half_height"], record["left"] + record["half_width"]))
    inside = np.mean([96 <= row < 160 and 96 <= column < 160 for row, column in centres])
    assert inside == 1 if flag else inside < 0.3


def test_the_originals_perlin():
    options = dict(threshold="random", rotation=(0, 0), augment_source=False)
    results = [call("perlin_noise_pattern", IMAGE, SOURCE, rng=s, **options) for s in seeds("perlin", 40)]
    assert len({str(r.record["drawn"]["threshold"]) for r in results}) > 20
    assert all("augmenters" not in r.record["drawn"] for r in results)


def test_tasads_superpixels():
    _, (small, large) = (
        None,
        [
            np.mean([m.mean() for m in drawn("superpixel_anomaly", 40, SOURCE, **k)[1]])
            for k in ({}, dict(fraction=0.1))
        ],
    )
    assert large > 1.4 * small
    records, _ = drawn("superpixel_anomaly", 20, SOURCE, augment_source=True)
    assert all(len(record["augmenters"]) == 3 for record in records)


def test_no_elastic_deformation():
    """`elastic=False` drops the affine part, too: without operations the source is pasted as it is."""
    for s in seeds("elastic", 10):
        i_a, m_a = call("rand_augmented_cut_paste", IMAGE, SOURCE, rng=s, elastic=False, n_aug=0, in_fg_region=False)
        assert np.array_equal(i_a[m_a[..., 0] > 0], SOURCE[m_a[..., 0] > 0])


def test_no_least_area():
    areas = [m.mean() for m in drawn("rand_augmented_cut_paste", 60, SOURCE, min_area=0)[1]]
    assert min(areas) > 0


def test_fractals_of_the_original_and_of_the_paper():
    for options in (dict(system="barnsley"), dict(iterations=100000)):
        records, masks = drawn("fract_aug", 10, **options)
        assert all(mask.any() for mask in masks)
        assert len(records[0]["maps"]) == (4 if "system" in options else 2)
    frame, draw = frame_and_draw(IMAGE, 3)
    content = pai.TECHNIQUES["fract_aug"].function(frame, draw, None).content
    i_a = call("fract_aug", IMAGE, rng=3, anom_source_img=None).i_a
    assert content.size and not np.array_equal(i_a, IMAGE)


def test_every_tile_is_kept():
    """With `ssim_threshold=1` no tile is too like the original; twice as many are warped as at a low one."""
    kept, few = (
        np.mean([m.mean() for m in drawn("affined_anomlay", 20, ssim_threshold=value, variant="AA")[1]])
        for value in (1, 0.2)
    )
    assert kept > few
    assert "ssim_threshold=1" in PAGE


def test_warped_tiles_of_a_constant_image():
    flat = np.full((64, 64, 3), 90, np.uint8)
    i_a, m_a = pai.Anomaly_Insertion().affined_anomlay(flat, variant="AA", rng=0)
    changed = i_a[m_a[..., 0] > 0]
    assert (changed == changed[0]).all() and (changed != 90).all()


def test_tiles_of_the_originals_recolouring():
    sizes = {
        pail.Anomaly_Insertion().affine_anom_color_change(IMAGE, resize=(256, 256), rng=s).record["drawn"]["tile"]
        for s in seeds("tiles", 40)
    }
    assert sizes == {8, 16, 32, 64}


def test_the_page_speaks_of_every_technique():
    assert all(f"`{name}`" in PAGE for name in NAMES)
