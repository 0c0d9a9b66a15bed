"""NSA and GLASS: the definitions of their papers, and the contract."""

import json

import cv2
import numpy as np
import pytest
from common import as_type, checked, frame_and_draw, make, photograph
from scenes import bright_on_dark, surface
from seeds import seeds

import pail
from pail import masks, pai
from pail.beyond import nsa as nsa_module
from pail.beyond.glass import MILD, glass
from pail.beyond.nsa import nsa

IMAGE, SOURCE = photograph(120, 150), photograph(60, 70, seed=1)


def drawn(function, image=IMAGE, source=SOURCE, count=300, roi=None, severity=None, **options):
    """The insertions and the random numbers of many calls."""
    for seed in seeds(function.__name__, count):
        frame, draw = frame_and_draw(image, seed, roi=roi, severity=severity)
        yield make(function.__name__, frame, draw, source, **options), draw.drawn


@pytest.mark.parametrize("name", ["nsa", "glass"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_contract_holds(name, dtype):
    for shape in ((1, 1), (2, 3), (5, 90), (60, 70)):
        for channels in (None, 1, 3, 4, 6):
            base = np.concatenate([photograph(*shape), photograph(*shape, seed=1)], axis=2)
            image = as_type(base[..., 0] if channels is None else base[..., :channels], dtype)
            for source in (None, as_type(SOURCE, dtype)):
                for severity in (None, 0, 1):
                    checked(name, image, source, severity=severity, rng=3)


@pytest.mark.parametrize("name", ["nsa", "glass"])
def test_region_record_and_replay(name):
    insertion = pai.Anomaly_Insertion()
    roi = np.zeros(IMAGE.shape[:2], bool)
    roi[30:90, 20:80] = True
    for seed in range(15):
        result = getattr(insertion, name)(IMAGE, anom_source_img=SOURCE, roi=roi, rng=seed)
        assert not result.m_a[~roi].any()
        assert np.array_equal(pail.replay(json.loads(json.dumps(result.record)), IMAGE, SOURCE).i_a, result.i_a)


@pytest.mark.parametrize("name", ["nsa", "glass"])
def test_severity_makes_it_larger_and_stronger(name):
    insertion = pai.Anomaly_Insertion()
    areas, changes = [], []
    for severity in (0, 0.5, 1):
        results = [getattr(insertion, name)(IMAGE, anom_source_img=SOURCE, severity=severity, rng=i) for i in range(40)]
        areas.append(np.mean([r.m_a > 0 for r in results]))
        changes.append(np.mean([np.abs(r.i_a.astype(float) - IMAGE)[r.m_a[..., 0] > 0].mean() for r in results]))
    assert areas[0] < areas[1] < areas[2] and changes[0] < changes[1] < changes[2]


# --------------------------------------------------------------------------------------------------------------------
# NSA


def test_nsa_draws_sizes_scales_and_numbers_as_the_paper_does():
    heights, scales, numbers = [], [], []
    for _, numbers_of in drawn(nsa, count=600, shape="rectangle", blend="paste", skip_background=False):
        heights += numbers_of["half_height"]
        scales += numbers_of["scale"]
        numbers += numbers_of["patches"]
    # 0.03 + Gamma(2, 0.05): mean 0.13, median 0.1139, standard deviation 0.0707; clipped at 0.4
    assert min(heights) >= 0.03 and max(heights) <= 0.4
    assert np.mean(heights) == pytest.approx(0.13, abs=0.008)
    assert np.median(heights) == pytest.approx(0.1139, abs=0.008)
    # N(1, 0.5) clipped to [0.7, 1.3]: P(N < 0.7) = 0.274 on either side
    assert min(scales) == 0.7 and max(scales) == 1.3
    assert np.mean(np.array(scales) == 0.7) == pytest.approx(0.274, abs=0.04)
    assert np.mean(scales) == pytest.approx(1, abs=0.02)
    # one, and three coins
    assert sorted(set(numbers)) == [1, 2, 3, 4]
    assert np.mean(numbers) == pytest.approx(2.5, abs=0.12)


def test_nsa_pastes_pixels_of_the_source():
    image, source = np.zeros((100, 120, 3), np.uint8), np.full((100, 120, 3), 200, np.uint8)
    for insertion, _ in drawn(nsa, image, source, 30, blend="paste", shape="rectangle"):
        inside = insertion.mask > 0
        assert (insertion.content[inside] == 200).all() and set(np.unique(insertion.content)) <= {0, 200}
        contours, _ = cv2.findContours(insertion.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        assert 1 <= len(contours) <= 4


@pytest.mark.parametrize("blend", ["poisson", "mixed", "paste"])
def test_the_mask_of_nsa_is_what_visibly_changed(blend):
    image = surface("gravel.png", (120, 150)).astype(np.uint8)
    insertion = pai.Anomaly_Insertion()
    exact, visible = [], []
    for seed in range(25):
        result = insertion.nsa(
            image, anom_source_img=surface("brick.png", (120, 150)).astype(np.uint8), rng=seed, blend=blend
        )
        inside = result.m_a[..., 0] > 0
        assert np.array_equal(result.i_a[~inside], image[~inside])
        exact.append((result.i_a != image).any(axis=2)[inside].mean())
        visible.append(masks.difference(image, result.i_a, result.m_a).sum() / result.m_a.sum())
    assert np.mean(exact) > 0.95 and np.mean(visible) > 0.85


@pytest.mark.parametrize("severity", [0.3, 0.6])
def test_the_mask_of_a_faint_patch_is_what_visibly_changed_too(severity):
    image = surface("gravel.png", (120, 150)).astype(np.uint8)
    source = surface("brick.png", (120, 150)).astype(np.uint8)
    visible = []
    for seed in range(25):
        result = pai.Anomaly_Insertion().nsa(image, anom_source_img=source, rng=seed, severity=severity)
        visible.append(masks.difference(image, result.i_a, result.m_a).sum() / result.m_a.sum())
    assert np.mean(visible) > 0.8


def test_poisson_patches_take_on_the_light_of_their_place():
    picture = surface("gravel.png", (120, 150)) * 0.5
    image, source = (picture + 100).astype(np.uint8), picture[::-1].astype(np.uint8)
    change = {}
    for blend in ("poisson", "paste"):
        results = drawn(nsa, image, source, 30, blend=blend, shape="rectangle")
        change[blend] = np.mean([(i.content - image[i.box.slices])[i.mask > 0].mean() for i, _ in results])
    assert abs(change["poisson"]) < 0.25 * abs(change["paste"])


def test_nsa_takes_from_and_lands_on_the_foreground():
    image, truth = bright_on_dark()
    shares, origins = [], []
    for insertion, numbers in drawn(
        nsa, image, image[:, ::-1].copy(), 60, blend="paste", shape="rectangle", patch_number=(1, 1)
    ):
        height, width = insertion.mask.shape
        shares.append(truth[insertion.box.slices].mean())
        origins.append(truth[:, ::-1][numbers["source_top"][0] :, numbers["source_left"][0] :][:height, :width].mean())
    assert np.mean(np.array(shares) > 0.2) > 0.95 and np.mean(np.array(origins) > 0.15) > 0.9
    free = [
        truth[i.box.slices].mean()
        for i, _ in drawn(nsa, image, None, 60, skip_background=False, patch_number=(1, 1), blend="paste")
    ]
    assert np.mean(np.array(free) > 0.2) < 0.8


def test_ellipses_and_rectangles_are_drawn_as_often():
    kinds = [kind for _, numbers in drawn(nsa, count=200, blend="paste") for kind in numbers["shape"]]
    assert np.mean(np.array(kinds) == "ellipses") == pytest.approx(0.5, abs=0.08)
    _, draw = frame_and_draw(IMAGE, 0)
    fills = [(nsa_module._shape(draw, (60, 80), "ellipses") > 0).mean() for _ in range(200)]
    assert 0.15 < np.mean(fills) < 0.6 and np.std(fills) > 0.05


# --------------------------------------------------------------------------------------------------------------------
# GLASS


def test_glass_draws_combinations_lattices_and_opacities_as_the_paper_does():
    kinds, betas, scales, chosen = [], [], [], []
    for _, numbers in drawn(glass, count=500):
        kinds += numbers["combination"][-1:]
        betas += numbers["beta"]
        scales += numbers["perlin_scale"]
        chosen.append(numbers["augmenters"][0])
    assert min(betas) >= 0.2 and max(betas) <= 0.8
    assert np.mean(betas) == pytest.approx(0.5, abs=0.015) and np.std(betas) == pytest.approx(0.1, abs=0.012)
    assert sorted(set(scales)) == [0, 1, 2, 3, 4, 5]
    # An empty intersection is drawn again, so that the other two come out a little more often.
    counts = {kind: kinds.count(kind) / 500 for kind in ("first", "union", "intersection")}
    assert 0.3 < counts["first"] < 0.48 and 0.3 < counts["union"] < 0.48 and 0.12 < counts["intersection"] < 0.38
    assert all(len(set(names)) == 3 for names in chosen)
    each = [sum(name in names for names in chosen) / 500 for name in MILD]
    assert len(each) == 9 and np.allclose(each, 1 / 3, atol=0.08)


def test_unions_are_larger_and_intersections_smaller():
    areas = {}
    for insertion, numbers in drawn(glass, count=300):
        areas.setdefault(numbers["combination"][-1], []).append((insertion.mask > 0).sum() / IMAGE[..., 0].size)
    first, union, both = (np.mean(areas[kind]) for kind in ("first", "union", "intersection"))
    # Of one noise 0.05 of the area; of either of two independent ones 0.05 + 0.05 - 0.05 ** 2.
    assert first == pytest.approx(0.05, abs=0.012)
    assert union == pytest.approx(0.0975, abs=0.02)
    assert both < 0.3 * first


def test_glass_blends_the_source_in():
    image, source = np.zeros((90, 100, 3), np.uint8), np.full((90, 100, 3), 200, np.uint8)
    for insertion, numbers in drawn(glass, image, source, 20, augment_source=False):
        assert (insertion.content == 200).all()
        assert insertion.opacity == pytest.approx(1 - numbers["beta"][0])


def test_glass_stays_on_the_foreground():
    image, truth = bright_on_dark()
    on, everywhere = (
        [truth[i.box.slices][i.mask > 0].mean() for i, _ in drawn(glass, image, count=40, use_mask=use)]
        for use in (True, False)
    )
    assert np.mean(on) > 0.95 and np.mean(everywhere) < 0.6


def test_mild_augmentations_are_mild():
    image = surface("gravel.png", (64, 80)).astype(np.uint8)
    _, draw = frame_and_draw(image, 0)
    for name, change in MILD.items():
        for pixels, peak in ((image, 255.0), (as_type(image, "float32"), 1.0)):
            before = pixels.copy()
            result = change(pixels, draw, peak)
            assert result.shape == pixels.shape and result.dtype == pixels.dtype and np.array_equal(before, pixels)
            if name in ("contrast", "brightness", "color"):
                assert np.abs(result.astype(float) - pixels).mean() < 0.25 * peak
    assert np.ptp(MILD["gray"](photograph(20, 20), draw, 255.0).astype(int), axis=2).max() <= 1


# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("nsa", {"patch_number": (0, 2)}),
        ("nsa", {"patch_number": 3}),
        ("nsa", {"half_width": (0.2, 0.7)}),
        ("nsa", {"scale": (2, 1)}),
        ("nsa", {"shape": "star"}),
        ("nsa", {"blend": "alpha"}),
        ("nsa", {"min_overlap": 2}),
        ("nsa", {"skip_background": "yes"}),
        ("glass", {"beta_mean": 2}),
        ("glass", {"beta_std": -1}),
        ("glass", {"beta_range": (0.8, 0.2)}),
        ("glass", {"threshold": "high"}),
        ("glass", {"rotation": 4}),
        ("glass", {"use_mask": None}),
    ],
)
def test_bad_arguments_are_named(name, options):
    with pytest.raises((TypeError, ValueError), match=f"`{next(iter(options))}"):
        getattr(pai.Anomaly_Insertion(), name)(IMAGE, anom_source_img=SOURCE, **options)


def test_ellipses_of_a_small_patch_leave_a_mask():
    """Such as those that lie on its outermost pixels alone, which the blending needs."""
    for seed in (1695, *range(60)):
        checked("nsa", photograph(24, 24), photograph(24, 24, 1), rng=seed)
        checked("nsa", photograph(24, 24), photograph(24, 24, 1), rng=seed, shape="ellipses", half_width=(0.06, 0.08))
