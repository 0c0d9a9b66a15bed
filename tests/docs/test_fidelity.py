"""Each keyword in the table of differences restores the described behavior."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from common import NAMES, call, photograph
from seeds import seeds

import pail
from pail import pai

PAGE = (Path(__file__).parents[2] / "docs" / "maintainers" / "fidelity.md").read_text(encoding="utf-8")
IMAGE, SOURCE = photograph(256, 256), photograph(256, 256, seed=1)
CELLS = [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| `.*\|$", PAGE, re.M)]
ROWS = [(cells[0], cells[4]) for cells in CELLS if cells[4]]


def drawn(name, count=300, source=None, **keywords):
    """The drawn numbers by name, and the masks."""
    results = [call(name, IMAGE, source, rng=s, **keywords) for s in seeds(name, count)]
    return [r.record["drawn"] for r in results], [r.m_a[..., 0] > 0 for r in results]


@pytest.mark.parametrize(("names", "back"), ROWS)
def test_what_a_row_names_are_keywords_of_its_technique(names, back):
    for name in re.findall(r"`(\w+)`", names):
        technique = "affined_anomlay" if name == "affine_anom_color_change" else name
        known = {*pai.TECHNIQUES[technique].parameters, "anom_source_img"}
        for keyword in re.findall(r"(\w+)=", back):
            assert keyword in known, (name, keyword)


TESTED: set[tuple[str, str, str]] = set()  # what `way_back` handed to tests, as the page has it


def way_back(name, **keywords):
    """Mark a test of keywords that restore a setting; a row of the technique has to name these keywords."""
    TESTED.update((name, keyword, repr(value)) for keyword, value in keywords.items())
    return pytest.mark.parametrize("keywords", [keywords], ids=str)


def test_every_way_back_has_a_test_that_uses_it():
    named = {
        (name, keyword, repr(ast.literal_eval(value)))
        for names, back in ROWS
        for name in re.findall(r"`(\w+)`", names)
        for keyword, value in re.findall(r"([a-z_]+)=([^=`]+?)(?=, [a-z_]+=|`)", back)
    }
    assert named == TESTED


@way_back("nsa", shape="rectangle")
def test_rectangles_of_nsa(keywords):
    for options, shapes in (({}, {"rectangle", "ellipses"}), (keywords, set())):
        draws, _ = drawn("nsa", 30, **options)
        assert {shape for one in draws for shape in np.atleast_1d(one.get("shape", []))} == shapes
        assert any("ellipses" in one for one in draws) == (not options)


@way_back("cutpaste", area_ratio=(0.02, 0.15))
def test_areas_of_cutpaste_in_the_paper(keywords):
    _, masks = drawn("cutpaste", **keywords)
    areas = [mask.mean() for mask in masks]
    assert 0.018 < min(areas) < 0.03 and 0.14 < max(areas) < 0.155


@way_back("cutpaste_scar", width=(0.1, 0.4), length=(0.1, 0.4))
def test_patches_of_the_originals_scar(keywords):
    _, masks = drawn("cutpaste_scar", **keywords)
    assert 0.02 < np.mean([mask.mean() for mask in masks]) < 0.1


@way_back("simplex_noise_anomlay", size_range=(0.04, 0.5))
def test_rectangles_of_the_originals_simplex(keywords):
    _, masks = drawn("simplex_noise_anomlay", 60, **keywords)
    assert 0.05 < np.mean([mask.mean() for mask in masks]) < 0.1


@way_back("hard_aug_cutpaste", p_rotate=1, p_perm=1, p_jitter=1)
def test_the_originals_hard_augmentation(keywords):
    """Three of four calls are rotated, all are permuted and jittered."""
    records, _ = drawn("hard_aug_cutpaste", 600, **keywords)
    assert 0.7 < np.mean([record["turns"] != 0 for record in records]) < 0.8
    assert all(record["perm"] and record["jitter"] for record in records)


@way_back("random_perturbation", skip_background=True)
def test_the_background_of_cdo(keywords):
    """True uses CDO's thresholds, and False, which the page also names, no foreground."""
    image = np.full((256, 256, 3), 250, np.uint8)
    image[96:160, 96:160] = 128

    def inside(**keywords):
        centers = []
        for s in seeds("cdo", 60):
            record = call("random_perturbation", image, rng=s, patch_number=(1, 1), **keywords).record["drawn"]
            centers.append((record["top"] + record["half_height"], record["left"] + record["half_width"]))
        return np.mean([96 <= row < 160 and 96 <= column < 160 for row, column in centers])

    assert inside(**keywords) == 1
    assert inside(skip_background=False) < 0.3


@way_back("perlin_noise_pattern", threshold="random", rotation=(0, 0), augment_source=False)
def test_the_originals_perlin(keywords):
    results = [call("perlin_noise_pattern", IMAGE, SOURCE, rng=s, **keywords) for s in seeds("perlin", 40)]
    assert len({str(r.record["drawn"]["threshold"]) for r in results}) > 20
    assert all("augmenters" not in r.record["drawn"] for r in results)


@way_back("superpixel_anomaly", fraction=0.1)
def test_tasads_share_of_superpixels(keywords):
    small, large = (
        np.mean([m.mean() for m in drawn("superpixel_anomaly", 40, SOURCE, **options)[1]]) for options in ({}, keywords)
    )
    assert large > 1.4 * small


@way_back("superpixel_anomaly", augment_source=True)
def test_tasads_augmenters(keywords):
    records, _ = drawn("superpixel_anomaly", 20, SOURCE, **keywords)
    assert all(len(record["augmenters"]) == 3 for record in records)
    assert all("augmenters" not in record for record in drawn("superpixel_anomaly", 20, SOURCE)[0])


@way_back("rand_augmented_cut_paste", elastic=False)
def test_no_elastic_deformation(keywords):
    """The affine part is dropped, too: without operations, the source is pasted unchanged."""
    for s in seeds("elastic", 10):
        i_a, m_a = call("rand_augmented_cut_paste", IMAGE, SOURCE, rng=s, n_aug=0, in_fg_region=False, **keywords)
        assert np.array_equal(i_a[m_a[..., 0] > 0], SOURCE[m_a[..., 0] > 0])


@way_back("rand_augmented_cut_paste", min_area=0)
def test_no_least_area(keywords):
    """A shape below the default's tenth of a percent occurs, and only with it."""
    areas, default = (
        [m.mean() for m in drawn("rand_augmented_cut_paste", 400, SOURCE, in_fg_region=False, **options)[1]]
        for options in (keywords, {})
    )
    assert min(areas) < 1e-3 <= min(default)


@way_back("fract_aug", system="barnsley")
def test_the_originals_fractals(keywords):
    records, _ = drawn("fract_aug", 10, **keywords)
    assert {len(record["maps"]) for record in records} == {4}
    assert {len(record["maps"]) for record in drawn("fract_aug", 10)[0]} == {2}


@way_back("fract_aug", iterations=100_000)
def test_points_of_the_papers_fractals(keywords):
    """Ten times as many points fill nearly the same shape."""
    few, many = (np.mean([m.mean() for m in drawn("fract_aug", 40, **options)[1]]) for options in ({}, keywords))
    assert 1 < many / few < 1.3


@way_back("fract_aug", anom_source_img=None)
def test_the_texture_of_the_papers_fractals(keywords):
    """Without a source, the square is cut from the image, and contains no red."""
    image, red = np.repeat(IMAGE[..., :1], 3, axis=2), np.zeros_like(IMAGE)
    red[..., 0] = 255

    def redness(i_a, m_a):
        values = i_a[m_a[..., 0] > 0].astype(int)
        return np.mean(values[:, 0] - values[:, 1])

    seen = [
        [redness(*call("fract_aug", image, rng=s, **options)) for s in seeds("fractal", 20)]
        for options in (keywords, {"anom_source_img": red})
    ]
    assert abs(np.mean(seen[0])) < 20 < 100 < np.mean(seen[1])


@way_back("affined_anomlay", ssim_threshold=1)
def test_every_tile_is_kept(keywords):
    """With a threshold of 1, no tile is discarded as too similar; with a low one, fewer are warped."""
    kept, few = (
        np.mean([m.mean() for m in drawn("affined_anomlay", 20, variant="AA", **options)[1]])
        for options in (keywords, {"ssim_threshold": 0.2})
    )
    assert kept > few


@way_back("affined_anomlay", variant="AA")
def test_warped_tiles_of_a_constant_image(keywords):
    flat = np.full((64, 64, 3), 90, np.uint8)
    i_a, m_a = pai.Anomaly_Insertion().affined_anomlay(flat, rng=0, **keywords)
    changed = i_a[m_a[..., 0] > 0]
    assert (changed == changed[0]).all() and (changed != 90).all()


@way_back("affine_anom_color_change", resize=(256, 256))
def test_tiles_of_the_originals_recoloring(keywords):
    sizes = {
        pail.Anomaly_Insertion().affine_anom_color_change(IMAGE, rng=s, **keywords).record["drawn"]["tile"]
        for s in seeds("tiles", 40)
    }
    assert sizes == {8, 16, 32, 64}


def test_the_page_speaks_of_every_technique():
    assert all(f"`{name}`" in PAGE for name in NAMES)
