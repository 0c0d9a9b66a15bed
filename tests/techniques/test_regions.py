"""Sizes and severity in a region of interest: sizes are fractions of the region and increase with the severity."""

import functools
from itertools import pairwise

import cv2
import numpy as np
import pytest
from common import ALL, NAMES, as_type, call, checked, frame_and_draw, photograph
from seeds import seeds

from pail.core.ops import Box

SIZED = [name for name in ALL if name != "real_defect"]  # that one has the size of its photograph
SIDE = 96
STEPS = (0, 0.25, 0.5, 0.75, 1)
COUNT = 30  # draws of each cell: the same seeds at each severity
IMAGE, SOURCE = photograph(SIDE, SIDE), photograph(SIDE, SIDE, seed=1)
KINDS = ("disc", "ring", "islands")
SHARES = (0.01, 0.05, 0.2, 0.6)
CENTERS = ((0.2, 0.2), (0.25, 0.75), (0.7, 0.2), (0.75, 0.7), (0.5, 0.47))  # of the islands


@functools.lru_cache
def region(kind, share):
    """A bool mask (SIDE, SIDE) that covers about that share of the image."""
    rows, columns = np.indices((SIDE, SIDE)) + 0.5
    distance = np.hypot(rows - SIDE / 2, columns - SIDE / 2)
    if kind == "islands":
        distance = np.min([np.hypot(rows - y * SIDE, columns - x * SIDE) for y, x in CENTERS], axis=0)
    if kind == "ring":
        inner = 0.2 * SIDE if share < 0.5 else 0.1 * SIDE
        distance = np.where(distance < inner, np.inf, distance)
    return distance <= np.sort(distance.ravel())[round(share * distance.size) - 1]


@functools.lru_cache
def drawn(name, kind, share):
    """Mean share of the region that is covered and mean change of its pixels, at each severity."""
    roi, rows = region(kind, share), []
    for severity in STEPS:
        results = [call(name, IMAGE, SOURCE, rng=s, roi=roi, severity=severity) for s in seeds(name + kind, COUNT)]
        assert not any(m_a[~roi].any() for _, m_a in results)
        covered = np.mean([np.count_nonzero(m_a) for _, m_a in results]) / np.count_nonzero(roi)
        rows.append((covered, np.mean([cv2.absdiff(i_a, IMAGE)[roi].mean() for i_a, _ in results])))
    return np.array(rows).T


ALWAYS = (("disc", 0.01), ("islands", 0.05), ("ring", 0.2), ("disc", 0.6))  # each kind and each share


@pytest.mark.parametrize(
    ("name", "kind", "share"),
    [
        pytest.param(name, kind, share, marks=() if (kind, share) in ALWAYS else pytest.mark.slow)
        for name in SIZED
        for kind in KINDS
        for share in SHARES
        if name in NAMES or share > 0.01  # in a hundred pixels there is no room for their shapes
    ],
)
def test_severity_in_a_region(name, kind, share):
    """More change at each step, hardly less area, and a faint start."""
    covered, change = drawn(name, kind, share)
    assert all(a < b for a, b in pairwise(change)), change
    assert change[0] < change[-1] / 3
    assert all(a < 1.03 * b for a, b in pairwise(covered)), covered
    assert covered[0] <= (0.2 if name == "cutpaste" else 0.1)
    assert covered[-1] < 0.95


@pytest.mark.parametrize("name", ALL)
def test_area_rises_with_severity_where_there_are_pixels_for_it(name):
    covered, _ = drawn(name, "disc", 0.6)
    assert all(a < b for a, b in pairwise(covered)), covered


@pytest.mark.parametrize("name", SIZED)
def test_a_region_with_room_holds_the_share_that_an_image_would(name):
    """A rectangle of the image's proportions: as if it were an image of its own."""
    roi = np.zeros((192, 192), bool)
    roi[40:136, 60:156] = True
    image, source = photograph(192, 192), photograph(192, 192, seed=1)
    cut = np.ascontiguousarray(image[roi].reshape(96, 96, 3))
    inside = np.mean([np.count_nonzero(call(name, image, source, rng=s, roi=roi)[1]) for s in seeds(name, 120)])
    alone = np.mean([np.count_nonzero(call(name, cut, SOURCE, rng=s)[1]) for s in seeds(name, 120)])
    if name == "perlin_with_roi_anomaly" or name == "rand_augmented_cut_paste":
        assert 0.03 < inside / 96**2 < 0.08
    else:
        assert 0.75 < inside / alone < 1.33


@pytest.mark.parametrize("name", ALL)
def test_the_automatic_foreground_is_a_region_like_any_other(name):
    image = np.full((96, 96, 3), 20, np.uint8)
    cv2.circle(image, (48, 46), 24, (200, 190, 180), -1)
    area = np.pi * 24**2
    covers = []
    for severity in (0, 1):
        masks = [call(name, image, SOURCE, rng=s, roi="foreground", severity=severity)[1] for s in seeds(name, 20)]
        covers.append(np.mean([np.count_nonzero(mask) for mask in masks]) / area)
    assert covers[0] < (0.25 if name == "cutpaste" else 0.11)
    assert covers[0] < covers[1] < 0.9


@pytest.mark.parametrize("name", ALL)
def test_regions_of_a_few_pixels_and_images_of_one(name):
    for pixels in (((0, 0),), ((5, 5), (5, 6)), ((2, 2), (30, 2), (30, 50)), tuple((k, k) for k in range(40))):
        roi = np.zeros((48, 60), bool)
        roi[tuple(np.transpose(pixels))] = True
        for severity in (None, 0, 1):
            i_a, m_a = call(name, IMAGE[:48, :60], SOURCE, rng=3, roi=roi, severity=severity)
            assert m_a.any() and not m_a[~roi].any()
            assert not np.array_equal(i_a, IMAGE[:48, :60])
    dot = np.full((1, 1, 3), 90, np.uint8)
    for severity in (None, 0, 1):
        assert call(name, dot, SOURCE, rng=3, roi=np.ones((1, 1), bool), severity=severity)[1].all()


def test_a_given_defect_is_as_large_as_a_region_has_room_for():
    defect = np.zeros((SIDE, SIDE), bool)
    defect[20:70, 20:70] = True
    roi, covers = region("disc", 0.05), []
    for severity in STEPS:
        masks = [
            call("rand_augmented_cut_paste", IMAGE, SOURCE, rng=s, source_mask=defect, roi=roi, severity=severity)[1]
            for s in seeds("given", 20)
        ]
        covers.append(np.mean([np.count_nonzero(mask) for mask in masks]) / np.count_nonzero(roi))
    assert all(a < b for a, b in pairwise(covers)), covers
    assert covers[0] < 0.1 and covers[-1] < 0.7


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_faintest_anomaly_that_is_shifted_is_visible(dtype):
    image = np.array(as_type(IMAGE, dtype))
    for share in (0, 1e-9, 0.01):
        checked("perlin_with_roi_anomaly", image, transparency_range=(share, share), rng=1)


def test_what_a_frame_says_of_its_region():
    image, roi = photograph(40, 60), np.zeros((40, 60), np.uint8)
    frame, _ = frame_and_draw(image)
    assert (frame.region_box, frame.region_side, frame.region_area) == (Box(0, 0, 40, 60), 40, 2400)
    roi[5, 10] = roi[30, 12] = 255
    held = frame.restrict(roi)
    assert (held.region_box, held.region_side, held.region_area) == (Box(5, 10, 26, 3), 3, 2)
    assert held.after(image).region_area == 2
    assert frame.region_area == 2400
    part = held.part(held.region_box)
    assert part.shape == (26, 3) and part.region_area == 2
    assert np.array_equal(part.crop(), image[5:31, 10:13])
