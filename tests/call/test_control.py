"""Where, how strong, which, and a record: the keywords that all methods have, and `insert`."""

import copy
import json
import pickle
from itertools import pairwise

import cv2
import numpy as np
import pytest
from common import ALL, NAMES, Expected, as_type, bank, call, checked, photograph, takes_source
from PIL import Image
from seeds import seeds

import pail
from pail import pai

STEPS = (0, 0.25, 0.5, 0.75, 1)
SHAPE = (96, 112)
IMAGE, SOURCE = photograph(*SHAPE), photograph(*SHAPE, seed=1)


def l_shape():
    roi = np.zeros(SHAPE, bool)
    roi[30:70, 40:52] = True
    roi[60:70, 40:80] = True
    return roi


@pytest.mark.parametrize("name", [*ALL, "insert"])
def test_no_pixel_lies_outside_a_small_l_shaped_roi(name):
    roi, areas = l_shape(), []
    for seed in range(200):
        _, m_a = checked(name, IMAGE, SOURCE, rng=seed, roi=roi)
        areas.append(np.count_nonzero(m_a))
    assert np.median(areas) > (2 if name in ("cutpaste_scar", "simplex_noise_anomlay", "chip") else 20)  # of 840 pixels


@pytest.mark.parametrize("name", ALL)
def test_a_single_pixel_of_roi_is_enough(name):
    for row, column in ((0, 0), (95, 111), (50, 3)):
        roi = np.zeros((*SHAPE, 1), np.uint8)
        roi[row, column] = 255
        for seed in range(5):
            _, m_a = call(name, IMAGE, SOURCE, rng=seed, roi=roi)
            assert np.count_nonzero(m_a) == 1 and m_a[row, column] == 255


@pytest.mark.parametrize("name", ALL)
def test_the_automatic_foreground_by_name(name):
    image = np.full((128, 128, 3), 20, np.uint8)
    cv2.circle(image, (64, 60), 36, (200, 190, 180), -1)
    allowed = cv2.dilate((image[..., 0] > 100).astype(np.uint8), np.ones((5, 5), np.uint8))
    for seed in range(10):
        _, m_a = call(name, image, SOURCE, rng=seed, roi="foreground")
        assert m_a.any() and not m_a[..., 0][allowed == 0].any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_severity_scales_area_and_contrast(name):
    areas, changes = [], []
    for severity in STEPS:
        results = [call(name, IMAGE, SOURCE, rng=seed, severity=severity) for seed in seeds(name, 200)]
        areas.append(np.mean([np.mean(m_a > 0) for _, m_a in results]))
        changes.append(np.mean([cv2.absdiff(i_a, IMAGE).mean() for i_a, _ in results]))
    assert all(a < b for a, b in pairwise(areas)), areas
    assert all(a < b for a, b in pairwise(changes)), changes
    assert changes[0] < 0.5 * changes[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_severity_range_lies_between_its_ends(name):
    means = []
    for severity in (0.1, (0.1, 0.9), 0.9):
        results = [call(name, IMAGE, SOURCE, rng=seed, severity=severity)[0] for seed in seeds(name, 100)]
        means.append(np.mean([cv2.absdiff(i_a, IMAGE).mean() for i_a in results]))
    assert means[0] < means[1] < means[2]


@pytest.mark.parametrize("name", ALL)
def test_a_record_replays_to_the_byte(name):
    roi = l_shape()
    for seed, keywords in enumerate(
        ({}, {"roi": roi}, {"severity": (0.2, 0.7)}, {"roi": "foreground"}, {"severity": 1})
    ):
        for image in (IMAGE, as_type(IMAGE, "uint16")[..., 0]):
            result = call(name, image, SOURCE, rng=seed, **keywords)
            i_a, m_a = result
            record = json.loads(json.dumps(result.record))
            assert record["technique"] == name and record["version"] == pail.__version__
            assert record["drawn"]
            again = pail.replay(record, image, SOURCE, defects=bank() if name == "real_defect" else None)
            assert np.array_equal(again[0], i_a) and np.array_equal(again[1], m_a)


@pytest.mark.parametrize("rng", [7, (1, 2), np.random.SeedSequence(4), None])
@pytest.mark.parametrize("kind", ["PCG64", "MT19937", "Philox", "SFC64", "PCG64DXSM"])
def test_a_record_holds_the_state_of_any_generator(kind, rng):
    generator = np.random.Generator(getattr(np.random, kind)(rng))
    generator.integers(0, 5, dtype=np.uint32)
    result = call("cutpaste", IMAGE, rng=generator)
    assert np.array_equal(pail.replay(json.loads(json.dumps(result.record)), IMAGE)[0], result.i_a)


@pytest.mark.parametrize("name", [*NAMES, "insert"])
def test_a_result_is_a_tuple_of_two(name):
    result = call(name, IMAGE, SOURCE, rng=1)
    i_a, m_a = result
    assert isinstance(result, tuple) and isinstance(result, pail.PseudoAnomaly) and len(result) == 2
    assert result[0] is i_a is result.i_a and result[1] is m_a is result.m_a
    for again in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert np.array_equal(again.i_a, i_a) and np.array_equal(again.m_a, m_a) and again.record == result.record
    assert "i_a" in repr(result) and len(repr(result)) < 100


def test_an_instances_draws_can_be_recorded_and_replayed():
    for transform in (True, False):
        instance = pai.Anomaly_Insertion(transform)
        for _ in range(3):
            result = instance.cutpaste(IMAGE)
            assert np.array_equal(pail.replay(result.record, IMAGE)[0], result.i_a)


def test_arguments_that_are_masks_or_objects():
    mask = l_shape()
    result = call("rand_augmented_cut_paste", IMAGE, SOURCE, mask=mask, source_mask=~mask, rng=0)
    assert np.array_equal(pail.replay(json.loads(json.dumps(result.record)), IMAGE, SOURCE)[0], result.i_a)
    invert = lambda pixels: 255 - pixels  # noqa: E731
    i_a, _ = result = call("perlin_noise_pattern", IMAGE, SOURCE, augmenter=invert, rng=0)
    record = json.loads(json.dumps(result.record))
    with pytest.raises(ValueError, match="augmenter"):
        pail.replay(record, IMAGE, SOURCE)
    assert np.array_equal(pail.replay(record, IMAGE, SOURCE, augmenter=invert)[0], i_a)


def test_records_that_do_not_fit_are_refused():
    record = call("fract_aug", IMAGE, SOURCE).record
    with pytest.raises(ValueError, match="version"):
        pail.replay({**record, "version": "0.0.0"}, IMAGE, SOURCE)
    with pytest.raises(ValueError, match="`image`"):
        pail.replay(record, IMAGE[:50], SOURCE)
    with pytest.raises(ValueError, match="`image`"):
        pail.replay(record, as_type(IMAGE, "uint16"), SOURCE)
    with pytest.raises(ValueError, match="`anom_source_img`"):
        pail.replay(record, IMAGE)
    with pytest.raises(ValueError, match="technique"):
        pail.replay({**record, "technique": "paint"}, IMAGE, SOURCE)
    with pytest.raises(ValueError, match="rng"):
        pail.replay({**record, "rng": {"bit_generator": "None"}}, IMAGE, SOURCE)
    with pytest.raises(TypeError, match="color"):
        pail.replay(record, IMAGE, SOURCE, color=3)
    for junk in (None, {}, [], "x", {**record, "arguments": {}}):
        with pytest.raises(TypeError, match="`record`"):
            pail.replay(junk, IMAGE)


@pytest.mark.parametrize(
    ("keyword", "value", "error"),
    [
        ("roi", np.ones((5, 5), bool), ValueError),
        ("roi", np.zeros(SHAPE, bool), ValueError),
        ("roi", np.full(SHAPE, 3, np.uint8), ValueError),
        ("roi", np.ones(SHAPE, complex), TypeError),
        ("roi", np.full(SHAPE, 0.5), ValueError),
        ("roi", "part", ValueError),
        ("roi", 4, TypeError),
        ("severity", -0.1, ValueError),
        ("severity", 1.1, ValueError),
        ("severity", (0.8, 0.2), ValueError),
        ("severity", "high", TypeError),
        ("severity", True, TypeError),
    ],
)
def test_bad_control_arguments_are_named(keyword, value, error):
    for name in ("fract_aug", "insert"):  # what all techniques share is checked before one is chosen
        with pytest.raises(error, match=f"`{keyword}"):
            call(name, IMAGE, SOURCE, **{keyword: value})


def test_every_method_checks_where_and_how_strong():
    for name in NAMES:
        for keyword in ("roi", "severity"):
            with pytest.raises(TypeError, match=f"`{keyword}"):
                call(name, IMAGE, SOURCE, **{keyword: object()})


def names_of(count=300, source=SOURCE, image=photograph(32, 32), **keywords):
    instance = pai.Anomaly_Insertion()
    records = [instance.insert(image, source, rng=seed, **keywords).record for seed in seeds("insert", count)]
    return [[step["technique"] for step in record["steps"]] for record in records]


def test_insert_draws_every_technique_evenly():
    drawn = [steps[0] for steps in names_of(660)]
    for name in NAMES:
        assert 30 < drawn.count(name) < 95


def test_insert_without_a_source_takes_the_image_itself():
    """As the methods do."""
    assert {steps[0] for steps in names_of(source=None)} == set(NAMES)
    assert {steps[0] for steps in names_of(30, source=None, techniques="SBI")} <= {n for n in NAMES if takes_source(n)}


def test_insert_takes_families_names_and_weights():
    assert {s[0] for s in names_of(60, techniques="hybrid")} == {"affined_anomlay"}
    assert {s[0] for s in names_of(100, techniques=["SBI"])} == {n for n in NAMES if pai.TECHNIQUES[n].family == "SBI"}
    drawn = [s[0] for s in names_of(300, techniques=["cutpaste", "SBI"], weights=[3, 1])]
    assert 190 < drawn.count("cutpaste") < 255
    assert {s[0] for s in names_of(30, techniques=["cutpaste", "fract_aug"], weights=[0, 1])} == {"fract_aug"}


def test_insert_several():
    counts = [len(steps) for steps in names_of(200, n_anomalies=(1, 3))]
    assert {1, 2, 3} == set(counts) and 45 < counts.count(2) < 90
    instance = pai.Anomaly_Insertion()
    for seed in range(20):
        i_a, m_a = result = checked("insert", IMAGE, SOURCE, on=instance, n_anomalies=3, rng=seed)
        record = result.record
        assert len(record["steps"]) == 3
        again = pail.replay(json.loads(json.dumps(record)), IMAGE, SOURCE)
        assert np.array_equal(again[0], i_a) and np.array_equal(again[1], m_a)


def test_insert_takes_lists_and_callables_of_sources():
    flat = [np.full((20, 20, 3), value, np.uint8) for value in (11, 77, 201)]
    black, instance = np.zeros((64, 64, 3), np.uint8), pai.Anomaly_Insertion()
    keywords = {"techniques": "superpixel_anomaly"}
    seen = {int(instance.insert(black, flat, rng=seed, **keywords)[0].max()) for seed in range(40)}
    assert seen == {11, 77, 201}
    seen = {
        int(instance.insert(black, lambda rng: Image.fromarray(flat[rng.integers(3)]), rng=seed, **keywords)[0].max())
        for seed in range(40)
    }
    assert seen == {11, 77, 201}
    result = instance.insert(black, flat, rng=3, **keywords)
    assert np.array_equal(pail.replay(result.record, black, flat)[0], result.i_a)


@pytest.mark.parametrize(
    ("keywords", "error", "words"),
    [
        ({"techniques": "paint"}, ValueError, "cutpaste, cutpaste_scar.*SFI"),
        ({"techniques": ["cutpaste", 3]}, TypeError, "`techniques`"),
        ({"techniques": []}, TypeError, "`techniques`"),
        ({"options": 3}, TypeError, "`options`"),
        ({"options": {"cutpaste": {"color": 3}}}, TypeError, "area_ratio.*color"),
        ({"options": {"paint": {}}}, ValueError, "paint"),
        ({"techniques": ["cutpaste"], "weights": [1, 2]}, ValueError, "`weights`"),
        ({"techniques": ["cutpaste"], "weights": [-1]}, ValueError, "`weights"),
        ({"techniques": ["cutpaste"], "weights": [0]}, ValueError, "`weights`"),
        ({"weights": 3}, TypeError, "`weights`"),
        ({"n_anomalies": 0}, ValueError, "`n_anomalies`"),
        ({"n_anomalies": (2, 1)}, ValueError, "`n_anomalies`"),
        ({"n_anomalies": 1.5}, TypeError, "`n_anomalies`"),
        ({"anom_source_img": []}, ValueError, "`anom_source_img`"),
        ({"anom_source_img": lambda rng: None, "techniques": "SBI"}, TypeError, "`anom_source_img`"),
        ({"anom_source_img": ["a.png"], "techniques": "SBI"}, TypeError, r"`anom_source_img\[0\]`"),
    ],
)
def test_insert_names_what_is_wrong(keywords, error, words):
    with pytest.raises(error, match=words):
        pai.Anomaly_Insertion().insert(IMAGE, **{"anom_source_img": SOURCE, **keywords})


def test_instances_name_the_anomaly_on_top():
    image = photograph(128, 128)
    result = pai.Anomaly_Insertion(rng=4).insert(image, n_anomalies=5)
    assert result.instances.dtype == np.uint16 and result.instances.shape == (128, 128)
    assert np.array_equal(result.instances > 0, result.m_a[..., 0] > 0)
    assert result.instances.max() == 5 == len(result.techniques)
    again = pickle.loads(pickle.dumps(result))
    assert np.array_equal(again.instances, result.instances)
    single = pai.Anomaly_Insertion(rng=4).cutpaste(image)
    assert np.array_equal(single.instances, (single.m_a[..., 0] > 0).astype(np.uint16))


# --------------------------------------------------------------------------------------------------------------------
# Several anomalies on one image


def check_layers(image, result):
    """Check several anomalies together: the contract relative to the normal image, and numbers that fit the mask."""
    Expected("insert", image, n_anomalies=len(result.techniques)).check(result)
    marked = result.m_a[..., 0] > 0
    assert result.instances.dtype == np.uint16 and np.array_equal(result.instances > 0, marked)
    assert result.instances.max() <= len(result.techniques)
    assert (result.instances == len(result.techniques)).any()  # nothing lies on the last one


def small_roi(shape, side=8):
    roi = np.zeros(shape, bool)
    roi[10 : 10 + side, 10 : 10 + side] = True
    return roi


def test_a_later_anomaly_cannot_give_back_the_normal_image():
    """Without jitter, a patch of a gray image equals the image: it must not undo the shift of the first anomaly."""
    gray, roi = np.full((64, 64, 3), 128, np.uint8), small_roi((64, 64))
    for seed in range(20):
        for count in (2, 3, 4):
            result = pai.Anomaly_Insertion(False).insert(
                gray, techniques="cutpaste", n_anomalies=count, roi=roi, rng=seed
            )
            check_layers(gray, result)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_several_anomalies_in_a_small_region_of_a_black_image(dtype):
    black, roi = np.zeros((128, 128, 3), dtype), small_roi((128, 128))
    for seed in range(40):
        result = pai.Anomaly_Insertion().insert(black, n_anomalies=2 + seed % 3, roi=roi, rng=seed)
        check_layers(black, result)
        again = pail.replay(json.loads(json.dumps(result.record)), black)
        assert np.array_equal(again.i_a, result.i_a) and np.array_equal(again.m_a, result.m_a)
        assert np.array_equal(again.instances, result.instances)


@pytest.fixture
def squares():
    """Techniques that insert a square at a given place: with one level, or with the pixels of the normal image."""

    def painted(frame, draw, *, top=0, left=0, side=8, level=0):
        content = np.full((side, side, frame.channels), level, frame.working_dtype)
        return pail.Insertion(pail.Box(top, left, side, side), content)

    def moving(frame, draw, *, side=8, level=0):
        content = np.full((side, side, frame.channels), level, frame.working_dtype)
        return pail.Insertion(pail.place(frame, draw, side, side), content)

    names = {"painted": painted, "painted_next": painted, "moving": moving}
    for name, function in names.items():
        pail.register(name, function)
    yield pai.Anomaly_Insertion()
    for name in names:
        pail.unregister(name)


def insert_in_order(instance, image, first, second, **keywords):
    """A seed for which the first and then the second technique is drawn, and its result."""
    for seed in range(100):
        result = instance.insert(image, techniques=[first, second], n_anomalies=2, options=keywords, rng=seed)
        if result.techniques == (first, second):
            return result
    raise AssertionError("not drawn")


def test_restored_pixels_leave_the_mask(squares):
    image = np.full((32, 32), 100, np.uint8)
    result = insert_in_order(
        squares,
        image,
        "painted",
        "painted_next",
        painted={"side": 12, "level": 200},
        painted_next={"top": 6, "side": 16, "level": 100},  # the image's own level, on half of it
    )
    # Nothing of the second is seen against the normal image: it is shifted, and everything of both stays.
    check_layers(image, result)
    assert (result.i_a[6:22, :16] != 100).all() and result.record["steps"][1]["drawn"]["shifted"]

    half = image.copy()
    half[6:22, 8:16] = 30
    result = insert_in_order(
        squares,
        half,
        "painted",
        "painted_next",
        painted={"side": 12, "level": 200},
        painted_next={"top": 6, "side": 16, "level": 100},
    )
    check_layers(half, result)
    wanted = np.zeros((32, 32), int)
    wanted[:12, :12] = 1
    wanted[6:22, :16] = 2
    wanted[6:12, :8] = 0  # put back as it was
    assert np.array_equal(result.instances, wanted)


def test_an_anomaly_is_not_hidden_where_there_is_room(squares):
    image = np.full((32, 32), 100, np.uint8)
    shown = 0
    for seed in range(60):
        result = squares.insert(
            image,
            techniques="moving",
            n_anomalies=2,
            options={"moving": {"side": 20, "level": 200}},
            roi=np.pad(np.ones((21, 21), bool), (0, 11)),
            rng=seed,
        )
        check_layers(image, result)
        shown += len(np.unique(result.instances)) == 3
    assert shown >= 55  # four places: drawn once, one of four hides it; four times, one of 256


def test_an_anomaly_that_covers_another_is_kept_where_there_is_no_room(squares):
    image = np.full((32, 32), 100, np.uint8)
    result = insert_in_order(
        squares,
        image,
        "painted",
        "painted_next",
        painted={"side": 8, "level": 200},
        painted_next={"side": 12, "level": 30},
    )
    check_layers(image, result)
    assert np.unique(result.instances).tolist() == [0, 2] and (result.i_a[:12, :12] == 30).all()


@pytest.mark.parametrize("bad", [None, "x.png", IMAGE.astype(np.int64)], ids=["None", "path", "int64"])
def test_a_bad_entry_of_a_list_of_sources_is_named(bad):
    """None, which cv2.imread returns for a missing file, must not stand for the image itself."""
    with pytest.raises(TypeError, match=r"`anom_source_img\[1\]` must"):
        for seed in range(20):
            pai.Anomaly_Insertion().insert(IMAGE, [IMAGE, bad], techniques="fract_aug", rng=seed)
