import cv2
import numpy as np
import pytest
from common import as_type, call, frame_and_draw, make, photograph
from seeds import seeds

from pail.sfi.hard_aug_cutpaste import _mean_gray

ONLY = {
    "rotate": {"p_rotate": 1, "p_perm": 0, "p_jitter": 0},
    "perm": {"p_rotate": 0, "p_perm": 1, "p_jitter": 0},
    "jitter": {"p_rotate": 0, "p_perm": 0, "p_jitter": 1},
    "moved": {"p_rotate": 1, "p_perm": 1, "p_jitter": 0},
}


def insert(image, seed=0, *, severity=None, roi=None, **options):
    frame, draw = frame_and_draw(image, seed, severity=severity, roi=roi)
    return make("hard_aug_cutpaste", frame, draw, **options), draw.drawn


def moved(image, drawn):
    """The whole augmented copy, made the plain way."""
    rows, columns = image.shape[:2]
    planes = np.moveaxis(np.rot90(image, drawn.get("turns", [0])[0]), 2, 0)
    result = np.dstack([cv2.resize(np.ascontiguousarray(plane), (columns, rows)) for plane in planes])
    if "order" not in drawn:
        return result
    middle, center = rows // 2, columns // 2
    cells = [
        (slice(*vertical), slice(*horizontal))
        for vertical in ((0, middle), (middle, rows))
        for horizontal in ((0, center), (center, columns))
    ]
    copy = np.empty_like(result)
    for cell, origin in zip(cells, drawn["order"][0], strict=True):
        part = np.ascontiguousarray(result[cells[origin]])
        height, width = copy[cell].shape[:2]
        linear = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        copy[cell] = linear.reshape(height, width, -1)
    return copy


def test_two_uniform_points_span_the_rectangle():
    sides = []
    for seed in seeds("spans", 2000):
        (box, content, mask, opacity), _ = insert(photograph(200, 300), seed, **ONLY["perm"])
        assert mask is None and opacity == 1 and content.shape == (box.height, box.width, 3)
        assert 0 <= box.top <= 200 - box.height and 0 <= box.left <= 300 - box.width
        sides.append((box.height / 200, box.width / 300))
    sides = np.array(sides)
    assert np.allclose(sides.mean(axis=0), 1 / 3, atol=0.015)
    assert np.allclose(sides.std(axis=0), 18**-0.5, atol=0.012)
    assert abs(sides.prod(axis=1).mean() - 1 / 9) < 0.008
    for side in sides.T:  # triangular: the chance to be below x is 1 - (1 - x)^2
        assert np.allclose([np.mean(side < x) for x in (0.1, 0.3, 0.6)], [0.19, 0.51, 0.84], atol=0.035)


def test_corners_are_uniform():
    tops = []
    for seed in seeds("corners", 1000):
        box = insert(photograph(200, 200), seed, **ONLY["perm"])[0].box
        tops.append((box.top + 0.5) / (201 - box.height))
    assert np.allclose(np.quantile(tops, (0.25, 0.5, 0.75)), (0.25, 0.5, 0.75), atol=0.05)


def test_an_area_ratio_samples_as_cutpaste_does():
    areas, aspects = [], []
    for seed in seeds("areas", 400):
        box = insert(photograph(256, 256), seed, area_ratio=(0.05, 0.1), **ONLY["perm"])[0].box
        areas.append(box.height * box.width / 65536)
        aspects.append(box.width / box.height)
    assert min(areas) > 0.048 and max(areas) < 0.102 and abs(np.mean(areas) - 0.075) < 0.003
    assert 0.42 < np.mean(np.array(aspects) < 1) < 0.58
    assert min(aspects) > 0.28 and max(aspects) < 3.4


@pytest.mark.parametrize("steps", ["rotate", "perm", "moved"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(64, 64), (64, 90), (63, 63)])
def test_the_content_is_the_augmented_image_at_the_same_place(steps, dtype, shape):
    image = as_type(photograph(*shape), dtype)
    exact = shape[0] == shape[1] and (steps == "rotate" or shape[0] % 2 == 0)
    for seed in range(12):
        (box, content, _, _), drawn = insert(image, seed, **ONLY[steps])
        expected = moved(image, drawn)[box.slices].astype(float)
        if exact:
            assert np.array_equal(content, expected)
        else:
            scale = 255 if dtype == "uint8" else 65535 if dtype == "uint16" else 1
            assert np.abs(content - expected).max() < 0.03 * scale


def test_channels_beyond_four_move_too():
    image = np.random.default_rng(0).integers(0, 256, (51, 70, 9), np.uint8)
    (box, content, _, _), drawn = insert(image, 3, p_rotate=1, p_perm=0, p_jitter=0, angles=(90,), area_ratio=(1, 1))
    assert content.shape == (51, 70, 9) and box == (0, 0, 51, 70)
    assert np.abs(content - moved(image, drawn).astype(float)).mean() < 2


def test_the_order_of_the_quadrants_is_never_the_identity_and_all_others_come():
    orders = {tuple(insert(photograph(16, 16), seed, **ONLY["perm"])[1]["order"][0]) for seed in seeds("orders", 400)}
    assert (0, 1, 2, 3) not in orders
    assert len(orders) == 23


def test_at_least_one_step_is_taken_and_half_of_the_calls_take_each():
    drawn = [insert(photograph(32, 32), seed)[1] for seed in seeds("steps", 1500)]
    taken = np.array([["turns" in d, "order" in d, "brightness" in d] for d in drawn])
    assert taken.any(axis=1).all()
    assert np.allclose(taken.mean(axis=0), 1 / 2 + 1 / 24, atol=0.05)
    alone = [d["turns"][0] for d, (_, perm, jitter) in zip(drawn, taken, strict=True) if not (perm or jitter)]
    assert set(alone) == {1, 2, 3}
    angles = np.bincount([d["turns"][0] for d, (_, perm, _) in zip(drawn, taken, strict=True) if "turns" in d and perm])
    assert len(angles) == 4 and angles.min() > 0.7 * angles.mean()


def test_the_steps_that_are_forbidden_stay_out():
    for name, options in ONLY.items():
        drawn = [insert(photograph(32, 32), seed, **options)[1] for seed in range(20)]
        assert all(("turns" in d) == (name in ("rotate", "moved")) for d in drawn)
        assert all(("brightness" in d) == (name == "jitter") for d in drawn)
    assert "brightness" in insert(photograph(32, 32), p_rotate=1, p_perm=0, p_jitter=0, angles=(0, 360))[1]


def test_angles_are_counterclockwise():
    image = photograph(40, 40)
    insertion, _ = insert(image, 1, angles=(90,), area_ratio=(1, 1), **ONLY["rotate"])
    assert np.array_equal(insertion.content, np.rot90(image))
    insertion, _ = insert(image, 1, angles=(-90,), area_ratio=(1, 1), **ONLY["rotate"])
    assert np.array_equal(insertion.content, np.rot90(image, 3))


def test_contrast_turns_about_the_mean_of_the_whole_image():
    image = np.full((100, 100, 3), 60, np.uint8)
    image[:, :50] = 200
    for seed in range(60):
        (box, content, _, _), drawn = insert(image, seed, brightness=0, saturation=0, hue=0, **ONLY["jitter"])
        factor = drawn["contrast"][0]
        expected = np.clip(130 + factor * (image[box.slices] - 130.0), 0, 255)
        assert np.abs(content - expected).max() <= 3


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_the_mean_gray_is_that_of_the_image(channels):
    image = np.random.default_rng(0).integers(0, 4000, (300, 500, channels), np.uint16)
    gray = image[..., :3] @ (0.299, 0.587, 0.114) if channels in (3, 7) else image.mean(axis=2)
    if channels == 4:  # RGBA
        gray = image[..., :3] @ (0.299, 0.587, 0.114)
    assert abs(_mean_gray(frame_and_draw(image)[0]) - gray.mean()) < 0.01


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_mean_gray_of_a_weave_is_exact(dtype):
    """A mean over every fourth pixel is off by 190 of 255 levels."""
    image = np.full((512, 512), 60, np.uint8)
    image[::4], image[:, ::4] = 250, 250
    image = as_type(np.dstack([image] * 3), dtype)
    assert abs(_mean_gray(frame_and_draw(image)[0]) - image.mean(dtype=float)) < 1e-3 * image.max()


def test_saturation_changes_the_colors_and_not_the_gray():
    image = np.full((64, 64, 3), (150, 120, 90), np.uint8)
    options = {"brightness": 0, "contrast": 0, "hue": 0, "saturation": 0.6} | ONLY["jitter"]
    gray = np.dot((150, 120, 90), (0.299, 0.587, 0.114))
    factors = []
    for seed in seeds("saturation", 30):
        (_, content, _, _), drawn = insert(image, seed, **options)
        factor = drawn["saturation"][0]
        factors.append(factor)
        assert np.abs(content - (gray + factor * (image[0, 0] - gray))).max() <= 1
    assert 0.4 <= min(factors) < 0.6 and 1.4 < max(factors) <= 1.6


@pytest.mark.parametrize("gray", [0, 128, 255])
def test_a_constant_image_is_changed(gray):
    image = np.full((48, 48, 3), gray, np.uint8)
    assert all((call("hard_aug_cutpaste", image, rng=seed)[0] != image).any() for seed in range(60))


def test_severity_grows_the_area_and_the_strength():
    image = photograph(128, 128)
    for options in ({}, {"area_ratio": (0.02, 0.3)}):
        areas, changes = [], []
        for severity in (0, 0.25, 0.5, 0.75, 1):
            pairs = [call("hard_aug_cutpaste", image, rng=s, severity=severity, **options) for s in range(100)]
            areas.append(np.mean([np.count_nonzero(m_a) for _, m_a in pairs]))
            changes.append(np.mean([cv2.absdiff(i_a, image).mean() for i_a, _ in pairs]))
        assert areas == sorted(set(areas)) and changes == sorted(set(changes))


def test_the_rectangle_lies_in_an_roi_where_it_fits():
    roi = np.zeros((90, 120), np.uint8)
    roi[:, 60:] = 255
    fits = 0
    for seed in range(60):
        box = insert(photograph(90, 120), seed, roi=roi)[0].box
        assert np.count_nonzero(roi[box.slices]) == box.height * min(box.width, 60)
        fits += box.width <= 60
    assert fits > 20


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"angles": ()}, ValueError),
        ({"angles": (45,)}, ValueError),
        ({"angles": 90}, TypeError),
        ({"p_rotate": 1.5}, ValueError),
        ({"p_perm": "1"}, TypeError),
        ({"p_jitter": -1}, ValueError),
        ({"area_ratio": (0, 0.5)}, ValueError),
        ({"brightness": -0.1}, ValueError),
        ({"contrast": 1.1}, ValueError),
        ({"hue": 0.6}, ValueError),
    ],
)
def test_wrong_options_are_named(options, error):
    with pytest.raises(error, match=f"`{next(iter(options))}"):
        call("hard_aug_cutpaste", photograph(32, 32), **options)
