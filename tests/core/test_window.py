"""Windows of values: 12-bit, thermal and other images that use a part of the range of their dtype."""

import copy
import itertools
import json
import pickle
import warnings

import cv2
import numpy as np
import pytest
from common import NAMES, as_type, call, checked, photograph, takes_source

import pail
from pail import pai

SHAPE = (96, 128)
LOW, HIGH = 51_188, 52_016
SPAN = HIGH - LOW
SOURCE = photograph(50, 60, seed=1)


def thermal(dtype=np.uint16, low=LOW, span=SPAN, noise=6):
    """A warm disk on a cool background, within `span` from `low` on, with a dead and a hot pixel outside of it."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    disc = ((rows - 48) ** 2 + (columns - 70) ** 2 < 30**2).astype(np.float32)
    share = 0.1 + 0.1 * columns / SHAPE[1] + 0.6 * cv2.GaussianBlur(disc, (0, 0), 1)
    share = share + np.random.default_rng(0).normal(0, noise / SPAN, SHAPE)
    image = low + span * np.clip(share, 0, 1)
    image = (image if np.dtype(dtype).kind == "f" else image.round()).astype(dtype)
    whole = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else low + 10 * span
    image[3, 4], image[60, 80] = low - span if np.dtype(dtype).kind == "f" else 0, whole
    return image


def inside(image, low, high):
    return (image >= low) & (image <= high)


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64", ">u2"])
@pytest.mark.parametrize("name", [*NAMES, "insert"])
def test_the_contract_holds_in_a_window(name, dtype):
    image, window = thermal(np.dtype(dtype)), (LOW, HIGH)
    instance = pai.Anomaly_Insertion(data_range=window)
    for seed, keywords in enumerate([{}, {"severity": 0}, {"severity": 1, "roi": "foreground"}]):
        if name == "insert":
            keywords = keywords | {"n_anomalies": 2}
        if name == "insert" or takes_source(name):
            keywords = keywords | {"anom_source_img": SOURCE if seed else None}
        i_a, m_a = checked(name, image, on=instance, rng=seed, **keywords)
        assert inside(i_a[m_a[..., 0] > 0], LOW, HIGH).all()
        assert pail.masks.difference(image, i_a, m_a, 0.0199, data_range=window).any()


@pytest.mark.parametrize("name", NAMES)
def test_a_window_is_the_same_picture_elsewhere(name):
    """An image that is shifted by the lower end gives the same result as from 0 on, within one level, and the same
    mask."""
    plain = as_type(photograph(*SHAPE), "uint16") // 80
    source = photograph(40, 50, seed=1) if takes_source(name) else None
    for seed in range(3):
        i_a, m_a = call(name, plain, source, rng=seed, data_range=819)
        shifted, mask = call(name, plain + 40_000, source, rng=seed, data_range=(40_000, 40_819))
        assert np.array_equal(mask, m_a)
        assert np.abs(shifted.astype(int) - 40_000 - i_a).max() <= 1


def test_the_foreground_of_a_thermal_image():
    image, truth = thermal(), np.zeros(SHAPE, bool)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    truth = (rows - 48) ** 2 + (columns - 70) ** 2 < 30**2
    found = pail.roi.foreground(image, data_range=(LOW, HIGH))
    assert np.count_nonzero(found & truth) / np.count_nonzero(found | truth) > 0.95
    _, m_a = call("perlin_with_roi_anomaly", image, SOURCE, rng=0, data_range=(LOW, HIGH))
    assert found[m_a[..., 0] > 0].all()  # it looks for it by itself
    assert not call("perlin_with_roi_anomaly", image, SOURCE, rng=0, data_range=(LOW, HIGH), bg_threshold=90)[1][
        found
    ].any()  # a threshold of 0 to 255, of the window


def test_the_faintest_scar_of_a_thermal_image_is_faint():
    image = thermal()
    changes = []
    for seed in range(20):
        i_a, m_a = call("cutpaste_scar", image, rng=seed, severity=0, data_range=(LOW, HIGH), roi="foreground")
        changes.append(np.abs(i_a.astype(int) - image)[m_a[..., 0] > 0].max())
    assert min(changes) >= 0.0199 * SPAN and np.median(changes) <= 0.12 * SPAN
    strong = [
        np.abs(call("cutpaste_scar", image, rng=seed, severity=1, data_range=(LOW, HIGH))[0].astype(int) - image).max()
        for seed in range(20)
    ]
    assert np.median(strong) > 2 * np.median(changes)


def test_precision_is_kept_in_windows_far_from_zero():
    """float64 around 1e9 with a span of 1, where float32 has a resolution of only 64."""
    image = 1e9 + as_type(photograph(64, 64), "float64")
    i_a, m_a = call("simplex_noise_anomlay", image, rng=0, data_range=(1e9, 1e9 + 1), severity=0)
    plain, mask = call("simplex_noise_anomlay", image - 1e9, rng=0, severity=0)
    assert np.array_equal(m_a, mask)
    assert np.abs(i_a - 1e9 - plain).max() < 1e-5


def test_negative_windows_of_floats():
    celsius = thermal(np.float32, low=-40.0, span=160.0)
    i_a, m_a = call("random_perturbation", celsius, rng=0, data_range=(-40, 120))
    values = i_a[m_a[..., 0] > 0]
    assert values.min() < -20 and values.max() > 100 and inside(values, -40, 120).all()


def test_twelve_bits_as_a_window_and_as_a_number():
    image = as_type(photograph(*SHAPE), "uint16") // 16
    for name in NAMES:
        one, other = (call(name, image, SOURCE, rng=1, data_range=given) for given in (4095, (0, 4095)))
        assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])
    image[0, 0] = 5000
    with pytest.raises(ValueError, match="`image` must lie in"):
        call("cutpaste", image, data_range=4095)
    i_a, _ = call("cutpaste", image, rng=0, roi=np.eye(*SHAPE, 3, dtype=bool), data_range=(0, 4095))
    assert i_a[0, 0].max() == 5000


def test_the_whole_range_as_a_window_is_none():
    image = photograph(*SHAPE)
    for name in NAMES:
        one, other = (call(name, image, SOURCE, rng=1, data_range=given) for given in (None, (0, 255)))
        assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])


@pytest.mark.parametrize("name", NAMES)
def test_bytes_in_a_window(name):
    image = (photograph(*SHAPE) // 4 + 100).astype(np.uint8)
    i_a, m_a = checked(name, image, SOURCE, rng=0, data_range=(100, 163.5))
    assert inside(i_a[m_a[..., 0] > 0], 100, 163).all()


def test_users_augmenters_see_values_of_the_image():
    image, seen = thermal(), []

    def darken(patch):
        seen.append((patch.dtype, patch.min() >= LOW, patch.max() <= HIGH))
        return np.full_like(patch, 0)  # below the window: taken for its lower end

    i_a, m_a = call("cutpaste", image, rng=0, data_range=(LOW, HIGH), transform=darken, roi="foreground")
    assert seen[0] == (np.uint16, True, True)
    assert (i_a[m_a[..., 0] > 0] == LOW).all()


def test_sources_in_windows():
    image, roi = thermal(), np.zeros(SHAPE, bool)
    roi[20:70, 40:100] = True

    def pasted(source, **settings):
        """The values that a plain source leaves; all of the region is mask at a threshold of -1 of the noise."""
        i_a, m_a = call(
            "superpixel_anomaly", image, source, rng=0, roi=roi, data_range=(LOW, HIGH), rotate=False, **settings
        )
        return np.unique(i_a[m_a[..., 0] > 0])

    other = np.full((30, 30), LOW + SPAN // 2, np.uint16)
    assert pasted(other).tolist() == [LOW + SPAN // 2]  # of the image's dtype: in its window
    assert pasted(np.full((30, 30), 51, np.uint8)).tolist() == [LOW + round(SPAN * 51 / 255)]
    assert pasted(np.full((30, 30), 400, np.uint16), source_range=(300, 500)).tolist() == [LOW + SPAN // 2]
    assert pasted(np.full((30, 30), 600, np.uint16), source_range=(300, 500)).tolist() == [HIGH]
    with pytest.warns(UserWarning, match="pass `source_range`"):
        assert pasted(np.full((30, 30), 60_000, np.uint16)).tolist() == [HIGH]


def test_displays_and_labels_use_the_window():
    image = thermal()
    changed = image.copy()
    changed[40:50, 60:80] -= 83  # a tenth of the window
    mask = np.zeros(SHAPE, bool)
    mask[40:50, 60:80] = True
    for window in ((LOW, HIGH), "auto"):
        visible = pail.masks.difference(image, changed, mask, 0.05, data_range=window)
        assert np.array_equal(visible[..., 0] > 0, mask)
    label = pail.masks.soft(image, changed, mask, data_range=(LOW, HIGH), sigma=0)
    assert label[mask].mean() == pytest.approx(83 / SPAN, abs=1e-3)
    whole = np.array(pail.show(image, changed, mask, side=128, data_range=(LOW, HIGH)))[22:, :128]
    raw = np.clip((image.astype(float) - LOW) / SPAN * 255, 0, 255)
    assert np.abs(whole[..., 0] - raw).max() <= 1


def test_what_changes_outside_of_the_window_is_not_visible():
    image = np.full((8, 8), 60_000, np.uint16)
    changed = image - 500
    assert not pail.masks.difference(image, changed, np.ones((8, 8), bool), data_range=(100, 900)).any()


# --------------------------------------------------------------------------------------------------------------------
# auto, and finding a window


def test_auto_is_the_window_of_each_image():
    image = thermal(noise=0)
    window = pail.data_range_of(image)
    assert LOW < window[0] < LOW + 0.15 * SPAN and LOW + 0.75 * SPAN < window[1] < HIGH
    for name in ("cutpaste", "insert"):
        one, other = (
            getattr(pai.Anomaly_Insertion(data_range=given), name)(image, rng=4) for given in (window, "auto")
        )
        assert np.array_equal(one.i_a, other.i_a) and np.array_equal(one.m_a, other.m_a)
        record = json.loads(json.dumps(other.record))
        assert record["settings"]["data_range"] == list(window)
        again = pail.replay(record, image)
        assert np.array_equal(again.i_a, other.i_a) and np.array_equal(again.m_a, other.m_a)


def test_auto_of_a_constant_image():
    i_a, m_a = call("cutpaste", np.full((32, 32), 500, np.uint16), rng=0, data_range="auto")
    assert m_a.any() and np.abs(i_a.astype(int) - 500).max() > 1310
    with pytest.raises(ValueError, match="more than one value"):
        call("cutpaste", np.full((32, 32), 300.0), data_range="auto")


def test_the_window_of_many_images():
    rng = np.random.default_rng(0)
    images = [rng.integers(1000 * i, 1000 * i + 1000, (300, 300)).astype(np.uint16) for i in range(10)]
    low, high = pail.data_range_of(iter(images))
    assert low == pytest.approx(10, abs=2) and high == pytest.approx(9990, abs=2)
    assert pail.data_range_of(images, (0.1, 0.9)) == pytest.approx((1000, 9000), abs=20)
    assert pail.data_range_of([image / 10_000 for image in images]) == pytest.approx((0.001, 0.999), abs=2e-4)
    alpha = np.dstack([images[0]] * 3 + [np.full((300, 300), 65_535, np.uint16)])
    assert pail.data_range_of([alpha])[1] < 1000
    sparse = np.full((300, 300), 7, np.uint16)
    sparse[150, 150] = 9
    assert pail.data_range_of(sparse) == (7, 9)  # no quantile knows that pixel


def test_a_hundred_images_at_most_are_looked_at():
    seen = []

    def images():
        for index in range(1000):
            seen.append(index)
            yield np.arange(64, dtype=np.uint16).reshape(8, 8)

    pail.data_range_of(images())
    assert len(seen) == 100


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([],), ValueError, "`images` must contain an image"),
        (("folder",), TypeError, "`images` must be an iterable"),
        ((3,), TypeError, "`images` must be an iterable"),
        (([np.zeros((4, 4))],), ValueError, "more than one value"),
        (([np.full((4, 4), np.nan)],), ValueError, r"`images\[0\]` must not contain NaN"),
        (([np.array([[0, np.inf]])],), ValueError, r"`images\[0\]` must not contain NaN or infinity"),
        (([np.eye(4), np.eye(4, dtype=np.uint8)],), TypeError, "same dtype"),
        (([np.eye(4, dtype=np.int32)],), TypeError, r"`images\[0\]`"),
        (([np.eye(4)], (0.9, 0.1)), ValueError, "`quantiles`"),
        (([np.eye(4)], (0.5, 0.5)), ValueError, "`quantiles`"),
        (([np.eye(4)], 0.5), TypeError, "`quantiles`"),
    ],
)
def test_what_has_no_window_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        pail.data_range_of(*arguments)


# --------------------------------------------------------------------------------------------------------------------
# Settings


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (True, TypeError, "a number, a pair"),
        ("wide", TypeError, "a number, a pair"),
        ((1, 2, 3), TypeError, "a number, a pair"),
        ((), TypeError, "a number, a pair"),
        ((1, "2"), TypeError, r"\[1\]"),
        ((False, 2), TypeError, r"\[0\]"),
        ((2, 1), ValueError, "low <= high"),
        ((2, 2), ValueError, "low < high"),
        ((0, np.nan), ValueError, r"\[1\]"),
        ((0, np.inf), ValueError, r"\[1\]"),
        ((-np.inf, 0), ValueError, r"\[0\]"),
        (0, ValueError, "in"),
        (-5, ValueError, "in"),
        (np.nan, ValueError, "in"),
        (1j, TypeError, "must be"),
        ({}, TypeError, "must be"),
    ],
)
def test_what_is_no_range_is_named(value, error, words):
    instance = pai.Anomaly_Insertion()
    for make in (
        lambda: pai.Anomaly_Insertion(data_range=value),
        lambda: setattr(instance, "data_range", value),
        lambda: pail.roi.foreground(thermal(), data_range=value),
        lambda: pail.masks.difference(thermal(), thermal(), np.ones(SHAPE, bool), data_range=value),
    ):
        with pytest.raises(error, match=f"`data_range.*{words}"):
            make()
    with pytest.raises(error, match="`source_range"):
        instance.source_range = value
    assert instance.data_range is None and instance.source_range is None


@pytest.mark.parametrize(
    ("image", "window"),
    [
        (np.eye(9, dtype=np.uint8), (0, 256)),
        (np.eye(9, dtype=np.uint16), (-1, 5)),
        (np.eye(9, dtype=np.uint16), (0.2, 0.8)),
        (np.eye(9, dtype=np.float32), (1e6, 1e6 + 1e-3)),
    ],
)
def test_a_window_that_the_dtype_does_not_have_is_named(image, window):
    with pytest.raises(ValueError, match="`data_range` must"):
        call("cutpaste", image, data_range=window)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_in_windows(bad):
    image = thermal(np.float32)
    image[5, 5] = bad
    with pytest.raises(ValueError, match="`image` must not contain NaN"):
        call("cutpaste", image, data_range=(LOW, HIGH))


def test_settings_are_checked_on_assignment_and_go_along():
    instance = pai.Anomaly_Insertion(rng=0)
    for name, bad in (("alpha", "yes"), ("alpha", 1), ("transform", "yes"), ("source_range", "auto")):
        with pytest.raises(TypeError, match=f"`{name}`"):
            setattr(instance, name, bad)
    instance.data_range, instance.source_range = [LOW, HIGH], np.array([1.0, 2.0])
    instance.alpha, instance.transform = False, False
    assert instance.data_range == (LOW, HIGH) and instance.source_range == (1, 2)
    ranges = "data_range=(51188.0, 52016.0), source_range=(1.0, 2.0)"
    assert repr(instance) == f"Anomaly_Insertion(transform=False, {ranges}, alpha=False, seeded)"
    image = thermal()
    wanted = pai.Anomaly_Insertion(False, data_range=(LOW, HIGH)).cutpaste(image, rng=1)
    for other in (instance, copy.copy(instance), copy.deepcopy(instance), pickle.loads(pickle.dumps(instance))):
        assert repr(other) == repr(instance)
        assert np.array_equal(other.cutpaste(image, rng=1).i_a, wanted.i_a)
    for name in ("transform", "data_range", "source_range", "alpha"):
        assert getattr(pai.Anomaly_Insertion, name).__doc__


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("rng", "`rng` must be passed to `Anomaly_Insertion` or to a call"),
        ("roi", "`roi` must be passed to a call"),
        ("severity", "`severity` must be passed to a call"),
        ("transparency_range", "`transparency_range` must be passed to `perlin_with_roi_anomaly`"),
        ("datarange", "transform, data_range, source_range, alpha, got 'datarange'; did you mean 'data_range'"),
        ("seed", "one of transform, .* got 'seed'"),
    ],
)
def test_assigning_what_has_no_effect_is_an_error(name, match):
    instance = pai.Anomaly_Insertion(rng=0)
    with pytest.raises(AttributeError, match=match):
        setattr(instance, name, 3)
    assert name not in vars(instance) and instance.transparency_range == [0.15, 1.0]


def test_subclasses_have_attributes_of_their_own():
    class Own(pai.Anomaly_Insertion):
        def __init__(self):
            super().__init__(rng=0)
            self.rng, self.camera = 3, "left"

    own = Own()
    own.data_range, own.counter = (LOW, HIGH), 1
    assert (own.rng, own.camera, own.counter, own.data_range) == (3, "left", 1, (LOW, HIGH))
    with pytest.raises(TypeError, match="`alpha`"):
        own.alpha = "yes"


def test_a_method_of_an_instance_can_be_replaced():
    instance = pai.Anomaly_Insertion(rng=0)
    instance.cutpaste = lambda image: "mine"
    assert instance.cutpaste(None) == "mine"


def test_records_hold_the_window():
    image = thermal()
    result = pai.Anomaly_Insertion(data_range=(LOW, HIGH)).insert(image, SOURCE, n_anomalies=2, rng=0)
    record = json.loads(json.dumps(result.record))
    assert record["settings"]["data_range"] == [LOW, HIGH]
    again = pail.replay(record, image, SOURCE)
    assert np.array_equal(again.i_a, result.i_a) and np.array_equal(again.m_a, result.m_a)


# --------------------------------------------------------------------------------------------------------------------
# The warning


def test_a_narrow_image_is_pointed_out_once_for_a_line():
    image = thermal()
    image[3, 4], image[60, 80] = LOW, HIGH
    instance = pai.Anomaly_Insertion()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for shift in range(3):
            instance.cutpaste(image + np.uint16(shift), rng=0)
        pail.roi.foreground(image)
    assert [str(w.message) for w in caught if w.filename == __file__] == [str(w.message) for w in caught]
    assert len(caught) == 2 and caught[0].category is UserWarning
    assert f"data_range=({LOW}, {HIGH})" in str(caught[0].message)


def test_what_fits_its_range_is_not_pointed_out():
    """Warnings are errors in the tests."""
    wide = as_type(photograph(*SHAPE), "uint16")
    call("cutpaste", wide, rng=0)
    call("cutpaste", wide // 16, rng=0)  # 12 bits: a sixteenth
    call("cutpaste", photograph(*SHAPE) // 64, rng=0)  # bytes
    call("cutpaste", np.full(SHAPE, 300, np.uint16), rng=0)  # constant
    call("cutpaste", thermal(), rng=0, data_range=(LOW, HIGH))
    call("cutpaste", thermal(), rng=0, data_range="auto")
    lonely = np.full((600, 700), 300, np.uint16)
    lonely[311, 413] = 9000  # a single pixel that a look at some does not meet
    call("cutpaste", lonely, rng=0)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_what_lies_outside_of_its_window_is_pointed_out(dtype):
    with pytest.warns(UserWarning, match="all outside of `data_range`"):
        call("cutpaste", np.full(SHAPE, 1, dtype), rng=0, data_range=(LOW, HIGH))


def test_alpha_does_not_hide_a_narrow_image():
    image = np.dstack(
        [np.linspace(1000, 2000, 96 * 128).reshape(SHAPE).astype(np.uint16)] * 3 + [np.full(SHAPE, 65535)]
    )
    with pytest.warns(UserWarning, match="less than a twentieth"):
        call("cutpaste", image.astype(np.uint16), rng=0)


@pytest.mark.parametrize(
    ("dtype", "low", "width"), [("f4", 1e6, 0.25), ("f4", 1e6, 0.125), ("f4", -5, 2e-6), ("f8", 1e15, 1)]
)
def test_a_window_of_a_few_floats_still_shows_its_anomalies(dtype, low, width):
    """Far from 0, adjacent floats differ by more than the faintest change."""
    values = (low + width * np.random.default_rng(0).random((24, 24))).astype(dtype)
    for image in (values, np.full_like(values, low)):
        for name, seed in itertools.product(("cutpaste_scar", "hard_aug_cutpaste", "affined_anomlay"), range(4)):
            checked(name, image, rng=seed, severity=0, data_range=(low, low + width))
