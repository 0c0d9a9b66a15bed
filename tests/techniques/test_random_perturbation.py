import cv2
import numpy as np
import pytest
from common import as_type, call, frame_and_draw, make, photograph
from seeds import seeds

from pail.pixels.foreground import cdo_foreground
from pail.pixels.placing import place
from pail.sfi import random_perturbation as module


def insert(image, seed=0, *, severity=None, roi=None, **options):
    frame, draw = frame_and_draw(image, seed, severity=severity, roi=roi)
    return make("random_perturbation", frame, draw, **options), draw.drawn


def areas(**options):
    image = np.full((256, 256, 3), 128, np.uint8)
    found = []
    for seed in seeds("areas", 600):
        insertion, _ = insert(image, seed, skip_background=False, **options)
        box, _, mask, _ = insertion
        found.append(box.height * box.width if mask is None else np.count_nonzero(mask))
    return np.array(found) / 65536


def disc(side, background=235, part=90):
    image = np.full((side, side, 3), background, np.uint8)
    cv2.circle(image, (side // 2, side // 2), side // 4, (part, part, part), -1)
    return image


def centers(drawn):
    return [
        (top + height, left + width)
        for top, left, height, width in zip(
            drawn["top"], drawn["left"], drawn["half_height"], drawn["half_width"], strict=True
        )
    ]


def test_the_areas_are_those_of_the_papers_code():
    found = areas()
    assert abs(found.mean() - 0.0335) < 0.003
    assert np.allclose(np.quantile(found, (0.05, 0.5, 0.95)), (0.007, 0.031, 0.066), rtol=0.2)
    assert found.max() < 0.14


def test_sides_and_numbers_are_uniform():
    image = np.full((256, 256, 3), 128, np.uint8)
    drawn = [insert(image, seed, skip_background=False)[1] for seed in seeds("sides", 600)]
    counts = np.bincount([d["patch_number"][0] for d in drawn], minlength=5)[1:]
    assert len(counts) == 4 and (np.abs(counts - 150) < 45).all()
    for name in ("half_height", "half_width"):
        halves = np.concatenate([d[name] for d in drawn])
        assert halves.min() == 6 and halves.max() == 24
        assert abs(halves.mean() - 15) < 0.6


def test_the_mask_is_the_union_of_the_drawn_rectangles():
    image = photograph(130, 200)
    for seed in range(40):
        _, drawn = insert(image, seed)
        _, m_a = call("random_perturbation", image, rng=seed)
        expected = np.zeros((130, 200), np.uint8)
        for (row, column), height, width in zip(centers(drawn), drawn["half_height"], drawn["half_width"], strict=True):
            expected[row - height : row + height, column - width : column + width] = 255
        assert np.array_equal(m_a[..., 0], expected)


@pytest.mark.filterwarnings("ignore:`image` has values")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_noise_is_uniform_over_the_full_range_and_independent_between_channels(dtype):
    image = as_type(np.full((256, 256, 3), 128, np.uint8), dtype)
    top = 1 if dtype == "float32" else np.iinfo(dtype).max
    pixels = []
    for seed in seeds("noise", 12):
        i_a, m_a = call("random_perturbation", image, rng=seed, patch_number=(4, 4))
        pixels.append(i_a[m_a[..., 0] > 0] / top)
    pixels = np.concatenate(pixels).astype(float)
    counts = np.histogram(pixels, 64, (0, 1 + 1 / 255 if dtype == "uint8" else 1))[0]
    expected = pixels.size / 64
    assert ((counts - expected) ** 2 / expected).sum() < 63 + 5 * np.sqrt(2 * 63)
    assert np.abs(np.corrcoef(pixels.T) - np.eye(3)).max() < 4 / np.sqrt(len(pixels))
    assert pixels.min() < 1e-3 and pixels.max() > 1 - 1e-3
    if dtype != "uint8":
        assert len(np.unique(pixels)) > 20_000


def test_every_byte_is_equally_likely_and_12_bits_stay_12_bits():
    image = np.zeros((256, 256), np.uint8)
    i_a, m_a = call("random_perturbation", image, rng=0, size_range=(0.9, 0.9), patch_number=(1, 1))
    counts = np.bincount(i_a[m_a[..., 0] > 0], minlength=256)
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 255 + 5 * np.sqrt(2 * 255)
    i_a, m_a = call("random_perturbation", image.astype(np.uint16), rng=0, size_range=(0.9, 0.9), data_range=4095)
    noise = i_a[m_a[..., 0] > 0]
    assert noise.max() == 4095 and noise.min() == 0 and len(np.unique(noise)) == 4096
    i_a, _ = call("random_perturbation", np.zeros((256, 256), np.uint8), rng=0, size_range=(0.9, 0.9), data_range=100)
    assert i_a.max() == 100


def test_centers_lie_on_the_automatic_foreground():
    image = disc(256)
    allowed = cv2.circle(np.zeros((256, 256), np.uint8), (128, 128), 66, 1, -1)
    for seed in range(80):
        assert all(allowed[center] for center in centers(insert(image, seed)[1]))
    free = [center for seed in range(80) for center in centers(insert(image, seed, skip_background=False)[1])]
    assert 0.1 < np.mean([allowed[center] for center in free]) < 0.5


def test_centers_lie_on_the_foreground_of_the_papers_thresholds():
    image = disc(256, background=250, part=120)
    allowed = cdo_foreground(frame_and_draw(image)[0])
    assert 0.05 < np.mean(allowed > 0) < 0.5
    for seed in range(40):
        assert all(allowed[center] for center in centers(insert(image, seed, skip_background=True)[1]))


@pytest.mark.parametrize("gray", [0, 255])
def test_an_image_that_is_all_background_is_no_obstacle(gray):
    image = np.full((64, 64, 3), gray, np.uint8)
    places = {centers(insert(image, seed, skip_background=True)[1])[0] for seed in range(30)}
    assert len(places) > 20


def test_after_max_try_the_foreground_is_given_up():
    image = disc(256)
    outside = cv2.circle(np.ones((256, 256), np.uint8), (128, 128), 70, 0, -1)
    given_up = [outside[center] for seed in range(60) for center in centers(insert(image, seed, max_try=1)[1])]
    assert np.mean(given_up) > 0.4


def test_what_is_given_up_lies_anywhere(monkeypatch):
    """A foreground that no rectangle has its center on."""
    foreground = np.zeros((96, 96), np.uint8)
    foreground[0, 0] = 255
    monkeypatch.setattr(module, "coarse_foreground", lambda frame: foreground)
    drawn = [insert(photograph(96, 96), seed, max_try=2)[1] for seed in seeds("given up", 100)]
    for name in ("top", "left"):
        values = np.concatenate([one[name] for one in drawn])
        assert len(set(values.tolist())) > 40 and 30 < np.mean(values) < 54


def test_max_try_holds_in_an_roi(monkeypatch):
    """A foreground of a fiftieth of the ROI is found by two hundred tries and by twenty in a third of the calls."""
    roi, foreground = np.zeros((192, 192), np.uint8), np.zeros((96, 96), np.uint8)
    roi[16:176, 16:176] = 255
    foreground[40:49, 50:59] = 255
    monkeypatch.setattr(module, "coarse_foreground", lambda frame: foreground)
    shares = []
    for max_try in (20, 200):
        options = {"roi": roi, "max_try": max_try, "patch_number": (1, 1), "size_range": (0.1, 0.1)}
        drawn = [insert(photograph(192, 192), seed, **options)[1] for seed in seeds("max_try", 100)]
        shares.append(np.mean([foreground[row // 2, column // 2] > 0 for d in drawn for row, column in centers(d)]))
    assert shares[0] < 0.6 and shares[1] > 0.9


def test_a_foreground_outside_the_roi_costs_no_tries(monkeypatch):
    roi, foreground, tries = np.zeros((96, 96), np.uint8), np.zeros((96, 96), np.uint8), []
    roi[:, :40], foreground[:, 60:] = 255, 255
    monkeypatch.setattr(module, "coarse_foreground", lambda frame: foreground)
    monkeypatch.setattr(module, "place", lambda *arguments: tries.append(arguments) or place(*arguments))
    _, drawn = insert(photograph(96, 96), roi=roi, patch_number=(3, 3))
    assert len(tries) == 3 and all(roi[center] for center in centers(drawn))


def test_in_an_roi_most_of_every_rectangle_lies_inside_and_the_record_is_short():
    roi = np.zeros((200, 200), np.uint8)
    roi[120:190, 20:100] = 255
    for seed in range(40):
        (box, _, mask, _), drawn = insert(photograph(200, 200), seed, roi=roi)
        assert len(drawn["top"]) == len(drawn["left"]) == drawn["patch_number"][0]
        for row, column in centers(drawn):
            assert roi[max(row - 25, 0) : row + 25, max(column - 25, 0) : column + 25].any()
        solid = np.full(box[2:], 255, np.uint8) if mask is None else mask
        assert (solid & roi[box.slices]).sum() >= solid.sum() / 2


def test_severity_grows_the_area_and_the_strength():
    means = [areas(severity=severity).mean() for severity in (0, 0.25, 0.5, 0.75, 1)]
    assert means == sorted(set(means))
    opacities = [insert(photograph(64, 64), severity=s)[0].opacity for s in (0, 0.5, 1)]
    assert opacities[0] < opacities[1] < opacities[2] == 1


def test_the_whole_image_can_be_asked_for():
    assert call("random_perturbation", photograph(31, 45), size_range=(1, 1), rng=0)[1].all()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"patch_number": (0, 4)}, ValueError),
        ({"patch_number": (3, 2)}, ValueError),
        ({"patch_number": (1.5, 2)}, TypeError),
        ({"size_range": (0, 0.5)}, ValueError),
        ({"size_range": 0.5}, TypeError),
        ({"skip_background": 2}, TypeError),
        ({"max_try": 0}, ValueError),
    ],
)
def test_wrong_options_are_named(options, error):
    with pytest.raises(error, match=f"`{next(iter(options))}"):
        call("random_perturbation", photograph(32, 32), **options)
