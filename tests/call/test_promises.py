"""Promises that are easily broken: regions over several anomalies, exact places, ranges, copies, records, messages."""

import copy
import io
import json
import pickle
from collections import Counter

import cv2
import numpy as np
import pytest
import skimage.data
from common import ALL, as_type, bank, call, checked, frame_and_draw, photograph, takes_source
from PIL import Image
from scipy import stats
from seeds import seeds

import pail
from pail import pai
from pail.core.composite import Insertion, composite
from pail.core.ops import Box, resize
from pail.pixels.foreground import cdo_foreground, coarse_foreground, foreground_of, threshold_foreground
from pail.pixels.placing import place

IMAGE, SOURCE = photograph(96, 112), photograph(96, 112, seed=1)


# One frame a call: regions, the automatic foreground and alpha are those of the normal image


@pytest.mark.parametrize("n_anomalies", [2, 4])
def test_several_anomalies_stay_on_the_foreground_of_the_normal_image(n_anomalies):
    image = skimage.data.coins()[:300, :300]
    background = ~pail.roi.foreground(image)
    assert background.mean() > 0.2
    insertion = pai.Anomaly_Insertion()
    for seed in seeds("foreground", 60):
        _, m_a = insertion.insert(image, SOURCE, roi="foreground", n_anomalies=n_anomalies, rng=seed)
        assert not m_a[background].any()


@pytest.mark.parametrize(
    "find", [foreground_of, coarse_foreground, cdo_foreground, lambda frame: threshold_foreground(frame, 100, False)]
)
def test_foregrounds_are_those_of_the_normal_image_where_first_asked_for_after_an_anomaly(find):
    image = skimage.data.coins()[:300, :300]
    (frame, _), (same, _) = frame_and_draw(image), frame_and_draw(image)
    later = frame.after(255 - image).after(np.zeros_like(image))
    assert np.array_equal(find(later), find(same))
    other, _ = frame_and_draw(np.zeros_like(image))
    assert not np.array_equal(find(other), find(same))


def test_several_anomalies_keep_the_alpha_of_pil_images():
    for mode in ("LA", "RGBA"):
        image = Image.fromarray(IMAGE).convert(mode)
        alpha = (np.arange(96 * 112) % 251).astype(np.uint8).reshape(96, 112)
        image.putalpha(Image.fromarray(alpha))
        for seed in seeds("alpha", 50):
            i_a, _ = pai.Anomaly_Insertion().insert(image, SOURCE, n_anomalies=3, rng=seed)
            assert np.array_equal(i_a[..., -1], alpha)


@pytest.mark.parametrize("n_anomalies", [1, 3])
def test_insert_names_its_own_argument(n_anomalies):
    for seed in range(12):
        with pytest.raises(TypeError, match=r"^`image`"):
            pai.Anomaly_Insertion().insert(None, n_anomalies=n_anomalies, rng=seed)


def test_a_record_of_several_anomalies_holds_the_region_once():
    rng = np.random.default_rng(5)
    roi = rng.random((512, 512)) < 0.5
    one, many = (
        pai.Anomaly_Insertion().insert(photograph(512, 512), roi=roi, n_anomalies=n, techniques="cutpaste", rng=0)
        for n in (1, 8)
    )
    assert len(json.dumps(many.record)) < 1.3 * len(json.dumps(one.record))


# Places: whole where that is possible, uniform over all places that are


def place_many(roi, height, width, shape=None, count=2000):
    frame, _ = frame_and_draw(np.zeros(roi.shape, np.uint8))
    frame = frame.restrict(roi)
    boxes = []
    for seed in seeds(f"{roi.shape} {height} {width} {roi.sum()}", count):
        _, draw = frame_and_draw(np.zeros((2, 2), np.uint8), seed)
        boxes.append(place(frame, draw, height, width, shape))
    return boxes


def region(shape, *boxes):
    roi = np.zeros(shape, np.uint8)
    for top, left, height, width in boxes:
        roi[top : top + height, left : left + width] = 255
    return roi


def chi_square(values, low, high):
    """The p-value of a uniform distribution of integers in low..high."""
    counts = np.bincount(np.array(values) - low, minlength=high - low + 1)
    assert len(counts) == high - low + 1
    return stats.chisquare(counts).pvalue


def test_a_box_in_a_narrow_seam_is_never_cut():
    roi = region((1024, 1024), (333, 101, 14, 600))
    for box in place_many(roi, 10, 10, count=300):
        assert (roi[box.slices] == 255).all()


def test_places_in_a_region_at_an_odd_offset_are_uniform():
    roi = region((512, 512), (101, 333, 60, 60))
    boxes = place_many(roi, 21, 17)
    assert chi_square([box.top for box in boxes], 101, 101 + 60 - 21) > 1e-3
    assert chi_square([box.left for box in boxes], 333, 333 + 60 - 17) > 1e-3


def test_places_in_two_regions_are_uniform_over_all_fits():
    roi = region((300, 300), (7, 11, 30, 30), (251, 171, 20, 120))
    boxes = place_many(roi, 19, 19)
    fits = Counter(box.top < 100 for box in boxes)
    expected = np.array([12 * 12, 2 * 102]) / (12 * 12 + 2 * 102) * len(boxes)
    assert stats.chisquare([fits[True], fits[False]], expected).pvalue > 1e-3
    assert all((roi[box.slices] == 255).all() for box in boxes)


@pytest.mark.parametrize("angle", [0, 17, 45, 80])
def test_a_turned_shape_in_a_seam_is_never_cut_where_it_fits(angle):
    """A strip in a band of the same angle, 14 pixels wide."""
    roi, shape = np.zeros((400, 400), np.uint8), np.zeros((61, 61), np.uint8)
    along = np.array([np.cos(np.radians(angle)), -np.sin(np.radians(angle))])
    start, end = (tuple(int(v) for v in np.array([200, 200]) + sign * 150 * along) for sign in (-1, 1))
    cv2.line(roi, start, end, 255, 14)
    first, last = (tuple(int(v) for v in np.array([30, 30]) + sign * 20 * along) for sign in (-1, 1))
    cv2.line(shape, first, last, 255, 5)
    frame_area = np.count_nonzero(shape)
    for box in place_many(roi, 61, 61, shape, count=60):
        assert np.count_nonzero(roi[box.slices] & shape) == frame_area


def test_the_best_partial_place_only_where_nothing_fits():
    roi = region((100, 100), (50, 50, 5, 40))
    for box in place_many(roi, 20, 20, count=50):
        assert np.count_nonzero(roi[box.slices]) == 5 * 20
        assert box.intersect(Box(0, 0, 100, 100)) == box


@pytest.mark.parametrize("name", ["cutpaste_scar", "random_perturbation", "fract_aug"])
def test_anomalies_in_a_narrow_region_are_whole(name):
    """In a region that is large enough, an anomaly covers the same share as in an image."""
    roi = region((256, 256), (33, 21, 200, 180))
    options = {"size_range": (0.1, 0.2)} if name != "cutpaste_scar" else {}
    image, areas = photograph(256, 256), {}
    for where in (None, roi):
        masks = [call(name, image, rng=s, roi=where, **options)[1] for s in seeds("whole", 80)]
        areas[where is None] = np.median([np.count_nonzero(mask) for mask in masks])
    areas[True] *= 200 * 180 / 256**2 if name == "random_perturbation" else (180 / 256) ** 2
    assert abs(areas[True] - areas[False]) <= 0.2 * areas[True]


def test_a_box_outside_the_image_is_refused():
    frame, _ = frame_and_draw(IMAGE)
    for box in (Box(-1, 0, 4, 4), Box(0, 110, 4, 4), Box(95, 0, 2, 2)):
        with pytest.raises(ValueError, match="`box`"):
            frame.crop(box)


# Something visibly differs


GROUNDS = {
    "photograph": lambda: photograph(90, 100),
    "white": lambda: np.full((90, 100, 3), 255, np.uint8),
    "black": lambda: np.zeros((90, 100, 3), np.uint8),
    "gray": lambda: np.full((90, 100, 3), 128, np.uint8),
    "white 16 bit": lambda: np.full((90, 100), 65535, np.uint16),
    "constant float": lambda: np.full((90, 100, 3), 0.3, np.float32),
    "saturated spots": lambda: np.where(photograph(90, 100) > 128, 255, 0).astype(np.uint8),
}


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", [*ALL, "insert"])
def test_something_inside_the_mask_visibly_differs(name, ground):
    image = GROUNDS[ground]()
    sources = (None, SOURCE, image) if name == "insert" or takes_source(name) else (None,)
    for source in sources:
        for severity in (None, 0, 1):
            for seed in seeds(ground, 6):
                i_a, m_a = checked(name, image, source, rng=seed, severity=severity)
                assert pail.masks.difference(image, i_a, m_a, threshold=0.0199).any()


def test_an_image_of_two_levels_changes():
    """Full scale of 1: the smallest step is the range."""
    image = (photograph(40, 40) > 128).astype(np.uint8)
    for name in ALL:
        more = {"defects": bank(1)} if name == "real_defect" else {}
        i_a, m_a = call(name, image, rng=0, data_range=1, **more)
        assert i_a.max() <= 1 and (i_a != image)[m_a[..., 0] > 0].any()


# Ranges of values


@pytest.mark.parametrize("data_range", [0.1, 0.3, 1.1, 255.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saturated_float_image_is_accepted_and_its_result_again(dtype, data_range):
    image = (photograph(40, 40) / 255 * data_range).astype(dtype)
    image[:10] = data_range
    for name in ALL:
        for seed in range(3):
            i_a, _ = call(name, image, SOURCE, rng=seed, data_range=data_range)
            assert i_a.max() <= dtype(data_range) and i_a.dtype == dtype
    pai.Anomaly_Insertion(data_range=data_range).insert(image, n_anomalies=5, rng=0)


@pytest.mark.parametrize("data_range", [1e300, 1e-300, float("inf")])
def test_a_range_that_float32_has_no_room_for_is_refused(data_range):
    with pytest.raises(ValueError, match="`data_range`"):
        pai.Anomaly_Insertion(data_range=data_range)


def test_a_source_of_another_range_is_converted_or_warned_of():
    image = np.full((64, 64), 2000, np.uint16)
    white = np.full((64, 64), 4095, np.uint16)
    given = pai.Anomaly_Insertion(source_range=4095)
    i_a, m_a = given.superpixel_anomaly(image.astype(np.uint8), white, rng=0)
    assert (i_a[m_a[..., 0] > 0] == 255).all()
    with pytest.warns(UserWarning, match=r"`anom_source_img` reaches 4095.*`source_range`"):
        pai.Anomaly_Insertion().superpixel_anomaly(image.astype(np.uint8), white, rng=0)
    with pytest.warns(UserWarning, match="`source_range`"):
        pai.Anomaly_Insertion(data_range=255).superpixel_anomaly(
            np.full((64, 64), 9.0, np.float32), np.ones((64, 64), np.float32), rng=0
        )
    with pytest.raises(ValueError, match=r"`anom_source_img`.*`source_range`"):
        pai.Anomaly_Insertion(source_range=100).fract_aug(IMAGE, anom_source_img=white)
    with pytest.raises(TypeError, match="`source_range`"):
        pai.Anomaly_Insertion(source_range="12 bit")


def test_four_bands_are_four_bands_where_the_user_says_so():
    bands = np.concatenate([IMAGE, IMAGE[..., :1]], axis=2)
    i_a, m_a = pai.Anomaly_Insertion(alpha=False).random_perturbation(bands, rng=0)
    assert (i_a[..., 3] != bands[..., 3])[m_a[..., 0] > 0].mean() > 0.9
    i_a, _ = pai.Anomaly_Insertion().random_perturbation(bands, rng=0)
    assert np.array_equal(i_a[..., 3], bands[..., 3])
    i_a, _ = pai.Anomaly_Insertion(alpha=True).random_perturbation(bands[..., :2], rng=0)
    assert np.array_equal(i_a[..., 1], bands[..., 1])


# Copies of an instance


def draws(instance, count=2):
    return [instance.random_perturbation(IMAGE)[0].tobytes() for _ in range(count)]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_draw_anew_without_a_seed_and_go_on_with_one(duplicate):
    instance = pai.Anomaly_Insertion()
    draws(instance)
    twin, other = duplicate(instance), duplicate(instance)
    assert len({*draws(instance), *draws(twin), *draws(other)}) == 6
    seeded = pai.Anomaly_Insertion(rng=3)
    draws(seeded)
    twin = duplicate(seeded)
    assert draws(twin) == draws(seeded)


def test_numpy_takes_a_trailing_zero_for_nothing():
    """As documented for `rng`: different pairs with an index give different streams."""
    assert draws_of(5) == draws_of((5, 0)) != draws_of((5, 1))
    assert "(5, 0)" in pai.Anomaly_Insertion.__doc__


def draws_of(rng):
    return pai.Anomaly_Insertion().random_perturbation(IMAGE, rng=rng)[0].tobytes()


# What the original accepted


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32, np.float64, np.uint16])
def test_masks_of_0_and_1(kind):
    roi = np.zeros((96, 112), kind)
    roi[10:60, 20:70] = 1
    expected = call("cutpaste", IMAGE, rng=1, roi=roi > 0)
    assert np.array_equal(call("cutpaste", IMAGE, rng=1, roi=roi)[1], expected[1])
    assert np.array_equal(call("cutpaste", IMAGE, rng=1, roi=(roi > 0) * np.uint8(255))[1], expected[1])


def test_flags_take_0_and_1():
    one = call("perlin_with_roi_anomaly", IMAGE, SOURCE, rng=1, use_mask=0)
    assert np.array_equal(one[0], call("perlin_with_roi_anomaly", IMAGE, SOURCE, rng=1, use_mask=False)[0])
    with pytest.raises(TypeError, match="`use_mask`"):
        call("perlin_with_roi_anomaly", IMAGE, SOURCE, use_mask=2)


# Pixels


def test_each_axis_is_resized_in_its_own_way():
    """Stripes of one pixel shrink to gray, independent of the other axis."""
    stripes = np.zeros((2000, 100), np.uint8)
    stripes[::2] = 255
    assert np.abs(resize(stripes, (256, 256)).astype(int) - 128).max() <= 20
    assert np.abs(resize(np.ascontiguousarray(stripes.T), (256, 256)).astype(int) - 128).max() <= 20


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_values_between_two_levels_are_rounded(dtype):
    frame, _ = frame_and_draw(np.zeros((4, 8), dtype))
    content = np.tile(np.array([8.2, 8.8], np.float32), (4, 4))[..., None]
    i_a, _ = composite(frame, Insertion(frame.whole, content))
    assert (i_a[:, ::2] == 8).all() and (i_a[:, 1::2] == 9).all()


# Records


def test_a_record_says_what_its_bytes_depend_on():
    record = call("fract_aug", IMAGE, SOURCE, rng=0).record
    assert set(record["stack"]) == {"numpy", "opencv", "pillow", "scikit-image"} and record["image"]["checksum"]
    other = IMAGE.copy()
    other[50, 50] += 1
    with pytest.raises(ValueError, match="`image`"):
        pail.replay(record, other, SOURCE)
    with pytest.raises(ValueError, match="`anom_source_img`"):
        pail.replay(record, IMAGE, SOURCE[::-1])


@pytest.mark.parametrize(
    "settings", [{"transform": False}, {"data_range": 4095}, {"source_range": 255}, {"alpha": False}], ids=str
)
def test_a_record_holds_the_settings_of_the_instance(settings):
    image = (as_type(np.dstack([IMAGE, IMAGE[..., :1]]), "uint16") // 16).astype(np.uint16)
    instance = pai.Anomaly_Insertion(**settings)
    for kind in ("cutpaste", "superpixel_anomaly"):
        result = instance.insert(image, SOURCE, techniques=kind, n_anomalies=2, severity=(0.2, 1), rng=4)
        again = pail.replay(json.loads(json.dumps(result.record)), image, SOURCE)
        assert np.array_equal(again.i_a, result.i_a) and np.array_equal(again.m_a, result.m_a)


# Messages


def test_messages_say_what_to_do():
    with pytest.raises(ValueError, match=r"1\.0000001"):
        call("cutpaste", np.full((8, 8), np.float32(1.0000001)))
    for shape in ((3, 64, 64), (3, 16, 16), (1, 40, 40)):
        with pytest.raises(ValueError, match="transpose"):
            call("cutpaste", np.zeros(shape, np.uint8))

    class Tensor:
        def detach(self):
            return self

        def permute(self, *axes):
            return self

    with pytest.raises(TypeError, match=r"permute\(1, 2, 0\)\.numpy\(\)"):
        call("cutpaste", Tensor())


def test_a_pil_image_whose_pixels_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "part.png"
    Image.fromarray(IMAGE).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with path.open("rb") as file, pytest.raises(ValueError, match="`image`"):
        call("cutpaste", Image.open(file))
    buffer = io.BytesIO()
    Image.fromarray(IMAGE).save(buffer, "PNG")
    closed = Image.open(buffer)
    closed.close()
    with pytest.raises(ValueError, match="`image`"):
        call("cutpaste", closed)


def test_thin_float_images_do_not_warn():
    for shape in ((9, 1), (1, 9), (300, 1)):
        for name in ALL:
            for seed in range(4):
                call(name, photograph(*shape)[..., 0] / 255, SOURCE, rng=seed)


def test_what_would_be_ignored_is_refused():
    with pytest.raises(ValueError, match="`variant`"):
        pai.Anomaly_Insertion().affine_anom_color_change(IMAGE, variant="AA")
    with pytest.raises(ValueError, match="`mask`"):
        call("perlin_with_roi_anomaly", IMAGE, use_mask=False, mask=np.ones((96, 112), bool))


def test_insert_without_a_source_does_as_the_methods_do():
    """Pixels come from the image itself: for an image with two colors, the anomaly has no other color."""
    image = np.where(IMAGE[:96, :96, :1] > 120, np.uint8([200, 90, 40]), np.uint8([20, 60, 110]))
    for seed in seeds("itself", 20):
        i_a, m_a = checked("insert", image, techniques="superpixel_anomaly", rng=seed)
        assert {tuple(pixel) for pixel in i_a[m_a[..., 0] > 0].tolist()} <= {(200, 90, 40), (20, 60, 110)}
