"""The eight defects that an inspector can name: sizes, shapes, light, masks and the contract."""

import inspect
import math
from itertools import pairwise

import cv2
import numpy as np
import pytest
from common import as_type, checked, photograph

import pail
from pail import pai
from pail.beyond.methods import Beyond
from pail.core.ops import Box

KINDS = ("scratch", "crack", "stain", "pitting", "dent", "chip", "fiber", "corrosion")
DRAWS = 40


def insert(kind, image, **keywords):
    return getattr(pai.Anomaly_Insertion(), kind)(image, **keywords)


def surface(level=150, spread=3.0, side=256, seed=0):
    """An even gray surface with fine grain."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(level, spread, (side, side)), 0, 255).astype(np.uint8)


def change(image, i_a):
    """The signed change of the gray level as a fraction of the range."""
    difference = i_a.astype(np.float64) - image
    difference = difference.mean(axis=2) if difference.ndim == 3 else difference
    return difference / 255


def length_of(mask):
    """The longer side of the smallest rectangle around a mask."""
    points = cv2.findNonZero(np.ascontiguousarray(mask))
    return max(cv2.minAreaRect(points)[1]) + 1


# --------------------------------------------------------------------------------------------------------------------
# The contract


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract_holds_for_every_format(kind):
    for seed, shape in enumerate([(1, 1), (2, 3), (7, 90), (33, 33), (96, 112)]):
        for dtype in ("uint8", "uint16", "float32", "float64"):
            for channels in (None, 1, 3, 4, 7):
                base = np.concatenate([photograph(*shape), photograph(*shape, 1), photograph(*shape, 2)], axis=2)
                image = as_type(base[..., 0] if channels is None else base[..., :channels], dtype)
                image.flags.writeable = False
                checked(kind, image, rng=seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0, 255, 128])
def test_constant_images_show_the_defect(kind, level):
    for shape in ((64, 80), (64, 80, 3)):
        image = np.full(shape, level, np.uint8)
        for seed in range(4):
            result = checked(kind, image, rng=seed)
            assert "shifted" not in result.record["drawn"]  # it was seen without help


@pytest.mark.parametrize("kind", KINDS)
def test_saturated_images_and_single_pixels(kind):
    rows, columns = np.indices((60, 72))
    tiles = np.where((rows // 9 + columns // 9) % 2, 255, 0).astype(np.uint8)
    halves = np.where(columns < 36, 0, 255).astype(np.uint8)
    for image in (tiles, halves, np.stack([tiles, halves, 255 - tiles], axis=2), halves[:1, :1], halves[:1, 35:37]):
        for severity in (None, 0, 1):
            for seed in range(3):
                checked(kind, image, rng=seed, severity=severity)


@pytest.mark.parametrize("kind", KINDS)
def test_regions_hold(kind):
    image = photograph(96, 112)
    small, ring, point = (np.zeros((96, 112), bool) for _ in range(3))
    small[20:60, 30:80] = True
    ring[10:90, 10:100], ring[20:80, 20:90] = True, False
    point[95, 111] = True
    for roi in (small, ring, point):
        for seed in range(3):
            checked(kind, image, roi=roi, rng=seed)


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_makes_the_same_bytes(kind):
    image = photograph(96, 112)
    first, second, third = (insert(kind, image, rng=seed) for seed in (5, 5, 6))
    assert first.i_a.tobytes() == second.i_a.tobytes() and first.m_a.tobytes() == second.m_a.tobytes()
    assert first.i_a.tobytes() != third.i_a.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_16_bits_stay_16_bits(kind):
    """The change is the same part of the range, and has levels between those of 8 bits."""
    byte = surface(140)
    deep = byte.astype(np.uint16) * 257
    i_8, _ = insert(kind, byte, rng=3)
    i_16, m_16 = insert(kind, deep, rng=3)
    assert np.abs(i_16 / 257 - i_8.astype(np.float64)).max() <= 1.01
    assert len(np.unique(i_16[m_16[..., 0] > 0] % 257)) > 5


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_arguments_are_named(kind):
    image = photograph(32, 32)
    defaults = inspect.signature(getattr(Beyond, kind)).parameters
    ranges = [name for name, p in defaults.items() if isinstance(p.default, tuple)]
    assert ranges
    for name in ranges:
        for wrong in ((0.5, 0.1), (-1, 0.5), "no", (math.nan, 1)):
            with pytest.raises((TypeError, ValueError), match=f"`{name}"):
                insert(kind, image, **{name: wrong})
    for name, wrong in (("light", "north"), ("tone", "pink"), ("rim", 2), ("raised", "up"), ("fill_with", "gold")):
        if name in defaults:
            with pytest.raises((TypeError, ValueError), match=f"`{name}`"):
                insert(kind, image, **{name: wrong})


# --------------------------------------------------------------------------------------------------------------------
# What shows


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_what_a_person_would_outline(kind):
    """At least nine tenths of a mask visibly differ, in the median, on even and on textured surfaces."""
    for image in (surface(150), surface(60, 4.0), photograph(256, 256)):
        shares = []
        for seed in range(DRAWS):
            i_a, m_a = insert(kind, image, rng=seed)
            shares.append(np.count_nonzero(pail.masks.difference(image, i_a, m_a)) / np.count_nonzero(m_a))
        assert np.median(shares) >= 0.9, (image.shape, image.mean(), np.quantile(shares, [0.1, 0.5, 0.9]))


@pytest.mark.parametrize("kind", KINDS)
def test_severity_raises_area_and_change(kind):
    image = surface(150)
    areas, changes = [], []
    for severity in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawn = [insert(kind, image, rng=seed, severity=severity) for seed in range(DRAWS)]
        areas.append(np.mean([np.count_nonzero(m_a) for _, m_a in drawn]))
        changes.append(np.mean([np.abs(change(image, i_a)).sum() for i_a, _ in drawn]))
    assert all(later > 1.1 * earlier for earlier, later in pairwise(areas)), areas
    assert all(later > 1.2 * earlier for earlier, later in pairwise(changes)), changes


@pytest.mark.parametrize("kind", ["scratch", "fiber"])
def test_the_direction_has_more_headroom(kind):
    for level, sign in ((215, -1), (45, 1)):
        image = surface(level)
        for seed in range(8):
            i_a, m_a = insert(kind, image, rng=seed)
            assert sign * change(image, i_a)[m_a[..., 0] > 0].mean() > 0.01


@pytest.mark.parametrize(
    ("kind", "level", "options", "sign"),
    [(kind, level, {}, sign) for kind in ("stain", "corrosion") for level, sign in ((215, -1), (60, -1), (8, 1))]
    + [("stain", 60, {"tone": "bright"}, 1)],
)
def test_stains_and_corrosion_are_dark_wherever_that_can_be_seen(kind, level, options, sign):
    image = surface(level)
    for seed in range(8):
        i_a, m_a = insert(kind, image, rng=seed, **options)
        assert sign * change(image, i_a)[m_a[..., 0] > 0].mean() > 0.01


def test_amplitude_follows_contrast_and_the_local_spread():
    """4 % of the range on a smooth surface, the spread of the texture on a rough one."""
    strongest = {}
    for name, image in (("even", surface(200, 1.0)), ("rough", surface(200, 16.0))):
        changes = []
        for seed in range(12):
            i_a, _ = insert("stain", image, rng=seed, contrast=(3, 3), size=(0.3, 0.3), rim=0, n_blots=(1, 1))
            changes.append(np.quantile(-change(image, i_a), 0.99))
        strongest[name] = np.median(changes)
    assert 0.6 * 0.12 <= strongest["even"] <= 1.25 * 0.12
    assert 0.6 * 0.188 <= strongest["rough"] <= 1.7 * 0.188


def side_of(first, second, light, reach=3):
    """How much more of `second` is next to `first` toward the light than away from it, in [-1, 1]."""
    angle = math.radians(light)
    toward, away = (
        cv2.warpAffine(
            second.astype(np.float32),
            np.float64([[1, 0, -sign * reach * math.cos(angle)], [0, 1, sign * reach * math.sin(angle)]]),
            second.shape[::-1],
        )[first].sum()
        for sign in (1, -1)
    )
    return float(toward - away) / max(float(toward + away), 1e-9)


@pytest.mark.parametrize(
    ("kind", "options"), [("scratch", {}), ("pitting", {"n_pits": (1, 3), "radius": (0.02, 0.03)}), ("crack", {})]
)
def test_hollows_are_bright_away_from_the_light(kind, options):
    """The bright rim of a hollow is next to its dark inside, on the side away from the light. Of pits there are few,
    because the rim of one is next to the inside of another where they have merged."""
    image = surface(170, 0.5)
    for light in (0, 90, 180, 270, 45):
        sides = []
        for seed in range(12):
            i_a, _ = insert(kind, image, rng=seed, light=light, severity=1.0, **options)
            difference = change(image, i_a)
            sides.append(side_of(difference < -0.03, difference > 0.01, light))
        assert np.median(sides) < -0.5, (light, sides)


def test_the_mask_of_a_dent_has_no_holes():
    for seed in range(40):
        mask = insert("dent", surface(150), rng=seed).m_a[..., 0]
        assert cv2.connectedComponents(cv2.bitwise_not(mask), connectivity=4)[0] == 2  # with label 0, the dent


def test_dents_and_bumps_are_lit_on_opposite_sides():
    image = surface(128, 0.5)
    for raised, sign in ((False, -1), (True, 1)):
        for light in (0, 90, 200):
            toward = np.array([math.cos(math.radians(light)), -math.sin(math.radians(light))])
            i_a, _ = insert("dent", image, rng=1, raised=raised, light=light, severity=0.8)
            difference = change(image, i_a)
            bright, dark = (np.argwhere(part)[:, ::-1].mean(axis=0) for part in (difference > 0.03, difference < -0.03))
            assert sign * ((bright - dark) @ toward) > 5


def test_a_fiber_casts_its_shadow_away_from_the_light():
    image = surface(100, 0.5)
    for light in (0, 90, 180, 270):
        sides = []
        for seed in range(8):
            i_a, _ = insert("fiber", image, rng=seed, light=light, severity=1.0)
            difference = change(image, i_a)
            sides.append(side_of(difference > 0.1, difference < -0.02, light))
        assert np.median(sides) < -0.4, (light, sides)


def test_both_flanks_of_a_scratch_belong_to_the_mask():
    image = surface(170, 0.5)
    for seed in range(6):
        i_a, m_a = insert("scratch", image, rng=seed, width=(0.02, 0.02), severity=0.9)
        difference = change(image, i_a)
        assert (difference > 0.02).sum() > 20 and (difference < -0.02).sum() > 20
        assert (m_a[..., 0] > 0)[difference != 0].all()


# --------------------------------------------------------------------------------------------------------------------
# Shapes


@pytest.mark.parametrize("side", [256, 512])
def test_lengths_are_fractions_of_the_side(side):
    image = surface(150, side=side)
    for kind, name, share in (("scratch", "length", 0.5), ("dent", "size", 0.3), ("corrosion", "size", 0.3)):
        lengths = []
        for seed in range(16):
            options = {"n_strokes": (1, 1)} if kind == "scratch" else {}
            _, m_a = insert(kind, image, rng=seed, contrast=(6, 6), **{name: (share, share)}, **options)
            lengths.append(length_of(m_a) / side)
        assert 0.75 * share <= np.median(lengths) <= 1.35 * share, (kind, lengths)


def test_lengths_are_fractions_of_the_region():
    image, roi = surface(150), np.zeros((256, 256), bool)
    roi[60:124, 40:240] = True
    for kind, name, share in (("scratch", "length", 0.5), ("dent", "size", 0.3)):
        lengths = []
        for seed in range(16):
            options = {"n_strokes": (1, 1)} if kind == "scratch" else {}
            _, m_a = insert(kind, image, rng=seed, roi=roi, contrast=(6, 6), **{name: (share, share)}, **options)
            lengths.append(length_of(m_a) / 64)
        assert 0.65 * share <= np.median(lengths) <= 1.6 * share, (kind, lengths)


@pytest.mark.parametrize("kind", ["scratch", "crack", "fiber"])
def test_strokes_are_thin(kind):
    """The mask of a line defect is gone after an erosion of a few pixels, and long for its area."""
    image = surface(150)
    shares, slender = [], []
    for seed in range(DRAWS):
        _, m_a = insert(kind, image, rng=seed)
        mask = m_a[..., 0]
        left = cv2.erode(mask, np.ones((7, 7), np.uint8))
        shares.append(1 - np.count_nonzero(left) / np.count_nonzero(mask))
        slender.append(length_of(mask) ** 2 / np.count_nonzero(mask))
    assert np.median(shares) > 0.99 and np.mean(shares) > 0.93
    assert np.median(slender) > 4


@pytest.mark.parametrize("kind", ["scratch", "crack"])
def test_strokes_taper(kind):
    """A stroke is thinner near its ends than in the thickest part, a fiber is not."""
    image = surface(150, 0.5, 512)

    def ratios(kind, options):
        for seed in range(24):
            i_a, _ = insert(kind, image, rng=seed, contrast=(6, 6), light=0, **options)
            strength = np.maximum(-change(image, i_a), 0)
            where = np.argwhere(strength > 0.03)
            axis = np.linalg.svd(where - where.mean(axis=0), full_matrices=False)[2][0]
            place = (where - where.mean(axis=0)) @ axis
            bins = np.histogram(place, 10, weights=strength[tuple(where.T)])[0]
            yield (bins[0] + bins[-1]) / 2 / bins.max()

    lines = {"scratch": {"n_strokes": (1, 1), "length": (0.5, 0.5)}, "crack": {"n_branches": (0, 0)}}
    assert np.median(list(ratios(kind, lines[kind]))) < 0.5
    straight = {"length": (0.5, 0.5), "curl": (0, 0)}
    assert np.median(list(ratios("fiber", straight))) > 0.6


def test_a_chip_without_an_edge_is_at_the_border_of_the_image():
    """On a surface without foreground, and where the region is everything."""
    image = surface(150)
    for roi in (None, np.ones(image.shape, bool)):
        for seed in range(12):
            result = checked("chip", image, rng=seed, roi=roi, severity=0.7)
            mask = result.m_a[..., 0] > 0
            assert mask[[0, -1]].any() or mask[:, [0, -1]].any()
            assert 3 <= cv2.boundingRect(result.m_a)[2] <= 256 * 0.2


def test_a_chip_is_at_the_edge_of_the_part():
    image = np.full((200, 200), 30, np.uint8)
    cv2.circle(image, (100, 100), 60, 180, cv2.FILLED)
    for seed in range(12):
        mask = checked("chip", image, rng=seed, severity=0.8).m_a[..., 0] > 0
        rows, columns = np.nonzero(mask)
        away = np.hypot(rows - 100, columns - 100)
        assert away.max() < 63 and away.max() > 57 and away.min() < 58


@pytest.mark.parametrize(("level", "behind"), [(10, 200), (20, 230), (30, 120), (60, 200), (200, 20)])
def test_a_fracture_shows_on_black_and_on_bright_parts(level, behind):
    image = np.full((256, 256), behind, np.uint8)
    cv2.circle(image, (128, 128), 96, level, cv2.FILLED)
    grain = np.random.default_rng(0).integers(0, 8, image.shape, dtype=np.uint8)
    image = cv2.GaussianBlur(image + grain, (0, 0), 0.7)
    for severity in (None, 0.1, 0.9):
        shares = []
        for seed in range(12):
            i_a, m_a = insert("chip", image, rng=seed, fill_with="fracture", severity=severity)
            shares.append(np.count_nonzero(pail.masks.difference(image, i_a, m_a)) / np.count_nonzero(m_a))
        assert np.median(shares) > 0.85 and min(shares) > 0.7, (severity, shares)


def test_scratches_have_as_many_strokes_as_asked_and_are_nearly_parallel():
    image = surface(150, 0.5, 512)
    spreads = []
    for seed in range(12):
        result = insert("scratch", image, rng=seed, n_strokes=(4, 4))
        drawn = result.record["drawn"]
        assert drawn["n_strokes"] == 4
        spreads.append(np.ptp(drawn["stroke_angle"]))
    assert max(spreads) <= 6


def test_pits_are_as_many_as_asked_and_thin_out():
    image = surface(150, 0.5, 512)
    few, many = [], []
    for seed in range(10):
        for found, count in ((few, 3), (many, 60)):
            _, m_a = insert("pitting", image, rng=seed, n_pits=(count, count), radius=(0.004, 0.012))
            found.append(cv2.connectedComponents(m_a[..., 0])[0] - 1)
            if count == 60:
                where = np.argwhere(m_a[..., 0])
                away = np.hypot(*(where - np.median(where, axis=0)).T)
                inner, outer = (away < 0.4 * away.max()).mean(), (away >= 0.4 * away.max()).mean()
                assert inner / 0.16 > 1.5 * outer / 0.84
    assert max(few) <= 3 and np.mean(few) > 1.5
    assert 8 < np.mean(many) <= 60


def test_pits_merge_with_ragged_outlines():
    """Most of many pits are one piece, and the outline of a single pit is far from convex."""
    image = surface(150, 0.5, 512)
    shares, fullness = [], []
    for seed in range(16):
        _, m_a = insert("pitting", image, rng=seed, n_pits=(40, 40))
        areas = cv2.connectedComponentsWithStats(m_a[..., 0])[2][1:, cv2.CC_STAT_AREA]
        shares.append(areas.max() / areas.sum())
        _, m_a = insert("pitting", image, rng=seed, n_pits=(1, 1), radius=(0.04, 0.04), contrast=(6, 6))
        outlines, _ = cv2.findContours(m_a[..., 0], cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        largest = max(outlines, key=cv2.contourArea)
        fullness.append(cv2.contourArea(largest) / cv2.contourArea(cv2.convexHull(largest)))
    assert np.median(shares) > 0.8, shares
    assert np.median(fullness) < 0.82, fullness


def test_rims_of_pits_have_the_hue_of_the_surface():
    """A rim is brighter by the same factor in all channels, on a surface that is no neutral gray."""
    color = np.array([180, 135, 80], np.uint8)
    image = np.broadcast_to(color, (256, 256, 3)).copy()
    drawn = [insert("pitting", image, rng=seed, severity=0.8, contrast=(4, 4)).i_a for seed in range(8)]
    bright = np.concatenate([i_a[i_a[..., 1] > color[1] + 12] for i_a in drawn])
    assert len(bright) > 100 and bright.max() < 255
    assert np.quantile(np.ptp(bright / color.astype(np.float64), axis=1), 0.95) < 0.03


def test_branches_make_a_crack_branch():
    image = surface(150, 0.5)
    spans = {}
    for count in (0, 5):
        found = [insert("crack", image, rng=seed, n_branches=(count, count), length=(0.6, 0.6)) for seed in range(20)]
        spans[count] = np.mean([np.count_nonzero(m_a) for _, m_a in found])
    assert spans[5] > 1.3 * spans[0]


def test_cracks_multiply_the_image():
    image = surface(200, 1.0)
    for factor in (0.2, 0.6):
        darkest = []
        for seed in range(12):
            i_a, m_a = insert("crack", image, rng=seed, factor=(factor, factor), width=(0.03, 0.03), contrast=(1, 1))
            darkest.append(np.quantile((i_a / image)[m_a[..., 0] > 0], 0.05))
        assert abs(np.median(darkest) - factor) < 0.12


def test_stains_keep_texture():
    """Under a stain the texture is weaker, but still visible."""
    image = photograph(256, 256)[..., 0]
    fine = cv2.Laplacian(image, cv2.CV_32F)
    kept = []
    for seed in range(12):
        i_a, m_a = insert("stain", image, rng=seed, opacity=(0.5, 0.5), size=(0.3, 0.3), rim=0)
        inside = cv2.erode(m_a[..., 0], np.ones((15, 15), np.uint8)) > 0
        kept.append(np.corrcoef(fine[inside], cv2.Laplacian(i_a, cv2.CV_32F)[inside])[0, 1])
    assert np.median(kept) > 0.7


def test_dents_keep_texture_and_move_it():
    rows, columns = np.mgrid[:256, :256]
    image = (128 + 6 * np.sign(np.sin(rows / 4) * np.sin(columns / 4))).astype(np.uint8)
    i_a, m_a = insert("dent", image, rng=1, size=(0.3, 0.3), contrast=(2, 2))
    inside = m_a[..., 0] > 0
    before, after = (part - cv2.GaussianBlur(part.astype(np.float32), (0, 0), 6) for part in (image, i_a))
    assert 0.3 < np.corrcoef(before[inside], after[inside])[0, 1] < 0.99


def test_chips_lie_on_the_edge_of_the_region():
    image, roi = photograph(128, 128), np.zeros((128, 128), np.uint8)
    cv2.circle(roi, (64, 64), 40, 255, cv2.FILLED)
    rim = cv2.dilate(cv2.bitwise_not(roi), np.ones((3, 3), np.uint8)) > 0
    for seed in range(20):
        _, m_a = insert("chip", image, roi=roi > 0, rng=seed)
        assert (rim & (m_a[..., 0] > 0)).any()
        assert cv2.connectedComponents(m_a[..., 0])[0] - 1 <= 4


def test_chips_lie_on_the_edge_of_a_part_and_show_what_is_behind():
    background, part = np.full((160, 160, 3), (30, 60, 40), np.uint8), np.full((160, 160, 3), (190, 170, 160), np.uint8)
    shape = np.zeros((160, 160), np.uint8)
    cv2.circle(shape, (80, 80), 50, 255, cv2.FILLED)
    grain = np.random.default_rng(0).integers(0, 8, (160, 160, 1), dtype=np.uint8)
    image = np.where(shape[..., None] > 0, part, background) + grain
    for seed in range(12):
        i_a, m_a = insert("chip", image, fill_with="background", rng=seed, size=(0.15, 0.15))
        mask = m_a[..., 0] > 0
        assert (mask & (cv2.erode(shape, np.ones((5, 5), np.uint8)) == 0)).any()
        assert not (mask & (cv2.dilate(shape, np.ones((5, 5), np.uint8)) == 0)).any()
        gone = mask & (cv2.erode(shape, np.ones((3, 3), np.uint8)) > 0)
        assert (i_a[gone][:, 0] < 60).mean() > 0.4  # the background; the rest is the broken line and soft


def test_chips_lie_on_the_border_of_an_image_that_is_all_surface():
    image = surface(150, 8.0, 128)
    for seed in range(12):
        _, m_a = insert("chip", image, rng=seed, fill_with="background")
        box = Box.around(m_a[..., 0])
        assert box.top == 0 or box.left == 0 or box.bottom == 128 or box.right == 128


def test_corrosion_is_red_brown_in_color_and_rough_in_gray():
    gray = np.repeat(surface(170)[..., None], 3, axis=2)
    for seed in range(8):
        i_a, m_a = insert("corrosion", gray, rng=seed, severity=0.8)
        red, green, blue = i_a[m_a[..., 0] > 0].astype(float).mean(axis=0)
        assert red > green + 5 > blue + 5
        one = gray[..., 0]
        i_a, m_a = insert("corrosion", one, rng=seed, severity=0.8)
        inside = cv2.erode(m_a[..., 0], np.ones((5, 5), np.uint8)) > 0
        assert i_a[inside].mean() < one.mean() - 12
        assert (
            np.abs(cv2.Laplacian(i_a, cv2.CV_32F)[inside]).mean() > 1.3 * np.abs(cv2.Laplacian(one, cv2.CV_32F)).mean()
        )


def test_tints_are_for_rgb_only():
    """With any other number of channels all of an even surface's channels change alike."""
    image = np.repeat(surface(170, 1.0)[..., None], 6, axis=2)
    for kind in ("stain", "fiber", "corrosion"):
        i_a, _ = insert(kind, image, rng=1)
        assert np.ptp(i_a.astype(int), axis=2).max() <= 1


def test_defects_lie_everywhere():
    """Their places cover the image, up to its borders."""
    image = surface(150, side=96)
    for kind in ("scratch", "crack", "fiber", "pitting"):
        seen = np.zeros((96, 96), int)
        for seed in range(150):
            seen += insert(kind, image, rng=seed)[1][..., 0] > 0
        quarters = [seen[:48, :48].sum(), seen[:48, 48:].sum(), seen[48:, :48].sum(), seen[48:, 48:].sum()]
        assert max(quarters) < 2 * min(quarters)
        assert seen[:3].any() and seen[-3:].any() and seen[:, :3].any() and seen[:, -3:].any()
