import numpy as np
import pytest
from common import as_type, call, frame_and_draw, make, photograph
from seeds import seeds

import pail
from pail import pai
from pail.core.image import as_normal_image
from pail.core.sampler import Sampler
from pail.pixels.augmenter import import_imgaug
from pail.pixels.placing import rectangle_size
from pail.sfi.cutpaste import PAPER_AREA_RATIO


def box_of(m_a):
    rows, columns = np.flatnonzero(m_a.any(axis=(1, 2))), np.flatnonzero(m_a.any(axis=(0, 2)))
    return rows[0], columns[0], len(rows), len(columns)


def ks_distance(values, low, high):
    """Largest distance between the distribution of `values` and the uniform one."""
    values = np.sort((np.asarray(values) - low) / (high - low))
    steps = np.arange(1, len(values) + 1) / len(values)
    return max(np.abs(values - steps).max(), np.abs(values - steps + 1 / len(values)).max())


def test_the_mask_is_one_filled_rectangle_of_the_drawn_area_and_aspect():
    image = photograph(256, 256)
    areas, aspects, corners = [], [], []
    for seed in seeds("areas", 1000):
        _, m_a = call("cutpaste", image, rng=seed)
        top, left, height, width = box_of(m_a)
        assert np.count_nonzero(m_a) == height * width
        areas.append(height * width / 65536)
        aspects.append(width / height)
        corners.append((top / (256 - height), left / (256 - width)))
    assert ks_distance(areas, 0.2, 0.25) < 0.06
    assert min(areas) > 0.19 and max(areas) < 0.26
    assert 0.45 < np.mean(np.array(aspects) < 1) < 0.55
    assert min(aspects) > 0.28 and max(aspects) < 3.4
    for axis in (0, 1):
        assert ks_distance([corner[axis] for corner in corners], 0, 1) < 0.06


def test_the_papers_areas():
    areas = [
        np.mean(call("cutpaste", photograph(256, 256), area_ratio=PAPER_AREA_RATIO, rng=s)[1] > 0)
        for s in seeds("papers areas", 500)
    ]
    assert ks_distance(areas, 0.02, 0.15) < 0.075


def test_without_transform_the_patch_is_a_crop_from_where_it_was_drawn():
    image = photograph(90, 120)
    for seed in range(20):
        frame, draw = frame_and_draw(image, seed)
        box, content, _, _ = make("cutpaste", frame, draw, False)
        top, left = draw.drawn["source_top"][0], draw.drawn["source_left"][0]
        assert np.array_equal(content, image[top : top + box.height, left : left + box.width])
        assert (box.top, box.left) != (top, left)


def test_an_unchanged_patch_is_never_pasted_on_its_own_place():
    """Of four places or so that there are, one in four would be its own."""
    image, same = photograph(8, 8), 0
    for seed in seeds("own place", 60):
        frame, draw = frame_and_draw(image, seed)
        box = make("cutpaste", frame, draw, False, area_ratio=(0.7, 0.8), aspect_ratio=((1, 1), (1, 1))).box
        same += (box.top, box.left) == (draw.drawn["source_top"][0], draw.drawn["source_left"][0])
    assert same == 0


def test_the_jitter_is_weak_and_follows_transform():
    image = np.full((64, 64, 3), (120, 90, 60), np.uint8)
    changes = [
        np.abs(pai.Anomaly_Insertion().cutpaste(image, rng=s)[0].astype(int) - image).max() for s in seeds("jitter", 50)
    ]
    assert 3 < np.mean(changes) < 60
    half = image.copy()
    half[:, 32:] = (20, 10, 40)
    for flag in (False, 0, np.False_, np.int64(0)):
        i_a, _ = pai.Anomaly_Insertion(transform=flag).cutpaste(half, rng=0)
        assert set(map(tuple, i_a.reshape(-1, 3).tolist())) == {(120, 90, 60), (20, 10, 40)}


@pytest.mark.parametrize("name", ["cutpaste", "cutpaste_scar"])
def test_a_callable_as_transform_gets_the_patch(name):
    """As an argument and as an attribute, as the original took it."""
    image, seen = photograph(64, 80), []

    def paint(patch):
        seen.append(patch.shape)
        return np.full_like(patch, 7)

    for instance in (pai.Anomaly_Insertion(paint), pai.Anomaly_Insertion()):
        instance.transform = paint
        i_a, m_a = getattr(instance, name)(image, rng=0)
        assert seen and (i_a[m_a[..., 0] > 0] == 7).all()
        seen.clear()


@pytest.mark.parametrize("name", ["cutpaste", "cutpaste_scar"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "float64", "gray", "four bands"])
def test_the_callable_sees_the_patch_as_the_user_gave_the_image(name, kind):
    image = photograph(40, 50)
    if kind == "gray":
        image = image[..., 0]
    elif kind == "four bands":
        image = np.dstack([image, image[..., :1]])
    else:
        image = as_type(image, kind)
    frame = as_normal_image(image, alpha=False)
    seen = []

    def invert(patch):
        seen.append(patch)
        return patch.max() - patch

    plain = make(name, frame, Sampler(np.random.default_rng(0)), False)
    result = make(name, frame, Sampler(np.random.default_rng(0)), invert)
    (patch,) = seen
    assert patch.dtype == image.dtype and patch.shape[2:] == image.shape[2:]
    assert result.box == plain.box and result.content.shape == plain.content.shape
    expected = patch.max() - plain.content.astype(float)
    assert np.abs(result.content - expected).max() <= 0.01 * patch.max()


@pytest.mark.parametrize("name", ["cutpaste", "cutpaste_scar"])
def test_a_transform_may_be_imgaugs_and_may_change_the_size(name):
    frame, draw = frame_and_draw(photograph(40, 50))
    assert (make(name, frame, draw, lambda patch: np.full((3, 2, 3), 9, np.uint8)).content == 9).all()
    frame, draw = frame_and_draw(np.full((40, 50, 3), 200, np.uint8))
    assert (make(name, frame, draw, import_imgaug().augmenters.Invert(1.0)).content == 55).all()


@pytest.mark.parametrize("name", ["cutpaste", "cutpaste_scar"])
@pytest.mark.parametrize(
    ("transform", "error"),
    [
        ("yes", TypeError),
        (2, TypeError),
        (None, TypeError),
        (1.0, TypeError),
        (lambda patch: 1 / 0, ValueError),
        (lambda patch: None, TypeError),
        (lambda patch: patch.astype(complex), TypeError),
    ],
)
def test_wrong_transforms_are_named(name, transform, error):
    instance = pai.Anomaly_Insertion()
    with pytest.raises(error, match=r"^`transform"):
        instance.transform = transform
        getattr(instance, name)(photograph(40, 50))
    result = getattr(pai.Anomaly_Insertion(np.array), name)(photograph(40, 50))
    with pytest.raises(error, match=r"^`transform"):
        pail.replay(result.record, photograph(40, 50), transform=transform)


@pytest.mark.parametrize(
    ("area", "aspect", "shape", "expected"),
    [
        (100, 1, (50, 50), (10, 10)),
        (400, 4, (50, 50), (10, 40)),
        (400, 4, (50, 20), (20, 20)),  # too wide: the height grows
        (400, 0.25, (20, 50), (20, 20)),  # too high: the width grows
        (900, 1, (10, 40), (10, 40)),  # more than there is
        (0.1, 1, (5, 5), (1, 1)),
    ],
)
def test_rectangle_size(area, aspect, shape, expected):
    assert rectangle_size(area, aspect, shape) == expected


@pytest.mark.parametrize("channels", [5, 16])
def test_a_patch_of_many_channels_and_few_pixels_comes_back_from_a_callable(channels):
    """Four rows of five columns and channels are not mistaken for an image with its channels in front."""
    image = np.full((40, 40, channels), 100, np.uint8)
    side = channels / 40
    seen = []

    def brighter(patch):
        seen.append(patch.shape)
        return patch + np.uint8(50)

    instance = pai.Anomaly_Insertion(transform=brighter)
    for rows in (1, 3, 4):
        share = rows * side / 40
        aspect = ((side * 40 / rows,) * 2,) * 2
        instance.cutpaste(image, area_ratio=(share, share), aspect_ratio=aspect, rng=0)
    assert {(1, channels), (3, channels), (4, channels)} <= {shape[:2] for shape in seen} | {s[1::-1] for s in seen}
