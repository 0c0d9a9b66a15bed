import zlib

import cv2
import numpy as np
import pytest
from common import call, frame_and_draw, make, photograph
from scenes import photo

from pail.core.composite import composite
from pail.core.ops import resize
from pail.sbi.superpixel_anomaly import TASAD_AUGMENTERS


@pytest.fixture
def seeds(request):
    """Seeds for one test; the first numbers of the seeds 0, 1, 2, ... are too high."""
    return lambda count: [(zlib.crc32(request.node.originalname.encode()), i) for i in range(count)]


def drawn(image, source, seed, roi=None, severity=None, **options):
    """The outputs and the numbers that were drawn."""
    frame, draw = frame_and_draw(image, seed)
    frame.roi, draw.severity = roi, severity
    i_a, m_a = composite(frame, make("superpixel_anomaly", frame, draw, source, **options))
    return i_a, m_a[..., 0] > 0, draw.drawn


def test_the_mask_shows_the_turned_and_resized_source(seeds):
    image = photograph(120, 200)
    for size in ((120, 200), (50, 70), (300, 260)):
        source = photograph(*size, seed=1)
        for seed in seeds(6):
            i_a, m_a, numbers = drawn(image, source, seed)
            rotated = np.ascontiguousarray(np.rot90(source, numbers["quarter_turns"][0]))
            assert np.array_equal(i_a[m_a], resize(rotated, (120, 200))[m_a])


def test_turns_and_numbers_of_segments_are_equally_likely(seeds):
    numbers = [drawn(photograph(48, 48), photograph(48, 48, 1), seed)[2] for seed in seeds(300)]
    for name, options in (("quarter_turns", (0, 2, 3)), ("n_segments", (30, 150, 250))):
        counts = [sum(entry[name] == [option] for entry in numbers) for option in options]
        assert sum(counts) == 300 and min(counts) > 70


def test_without_a_source_the_image_is_turned(seeds):
    image = photograph(60, 60)
    turns = set()
    for seed in seeds(20):
        i_a, m_a, numbers = drawn(image, None, seed, rotate=seed[1] % 2 == 0)
        turns.add(numbers["quarter_turns"][0])
        assert np.array_equal(i_a[m_a], np.rot90(image, numbers["quarter_turns"][0])[m_a])
    assert turns == {1, 2, 3}


def test_rotate_false_leaves_the_source_as_it_is():
    image, source = photograph(60, 90), photograph(60, 90, 1)
    i_a, m_a, _ = drawn(image, source, 0, rotate=False)
    assert np.array_equal(i_a[m_a], source[m_a])


def test_a_share_of_the_labels_is_pasted(seeds):
    source, image = photograph(256, 256, 1), photograph(256, 256)
    shares = []
    for seed in seeds(60):
        _, m_a, numbers = drawn(image, source, seed)
        labels, count = numbers["labels"][0], numbers["n_labels"][0]
        assert len(set(labels)) == len(labels) <= max(1, int(np.ceil(0.05 * count - 1e-9)))
        shares.append(m_a.mean())
    assert 0.04 < np.mean(shares) < 0.08
    assert max(shares) < 0.11


@pytest.mark.parametrize("name", ["brick.png", "gravel.png", "grass.png", "coffee.png"])
@pytest.mark.parametrize("side", [256, 512])
def test_texture_is_covered_by_a_tenth_at_most(name, side, seeds):
    source = cv2.resize(photo(name), (side, side), interpolation=cv2.INTER_AREA)
    image = np.zeros_like(source)
    for n_segments in (30, 150, 250):
        shares = [drawn(image, source, seed, n_segments=(n_segments,))[1].mean() for seed in seeds(20)]
        assert 0.035 < np.mean(shares) < 0.09 and max(shares) < 0.102  # outlines are smoothed after the choice
    shares = [drawn(image, source, seed)[1].mean() for seed in seeds(60)]
    assert 0.045 < np.mean(shares) < 0.067


@pytest.mark.parametrize("name", ["brick.png", "gravel.png"])
def test_large_pieces_of_texture_have_outlines_of_their_own(name, seeds):
    source = cv2.resize(photo(name), (256, 256), interpolation=cv2.INTER_AREA)
    for seed in seeds(10):
        mask = drawn(np.zeros_like(source), source, seed, n_segments=(30,))[1].astype(np.uint8)
        _, _, boxes, _ = cv2.connectedComponentsWithStats(mask)
        assert mask.sum() < 0.85 * (boxes[1:, 2] * boxes[1:, 3]).sum()


def test_the_cap_grows_with_the_fraction(seeds):
    source = cv2.resize(photo("brick.png"), (256, 256), interpolation=cv2.INTER_AREA)
    for fraction in (0.1, 0.2, 0.4):
        shares = [drawn(source, source, seed, fraction=fraction)[1].mean() for seed in seeds(40)]
        assert max(shares) < 2 * fraction + 0.01 and 0.6 * fraction < np.mean(shares) < 1.4 * fraction


def test_the_cap_holds_in_an_roi(seeds):
    source, roi = cv2.resize(photo("brick.png"), (256, 256)), np.zeros((256, 256), np.uint8)
    roi[:, 40:200] = 255
    for seed in seeds(20):
        assert drawn(source, source, seed, roi, n_segments=(30,))[1].mean() < 0.102


@pytest.mark.parametrize(("name", "values"), [("compactness", (1, 8, 200)), ("sigma", (0, 1, 8))])
def test_compactness_and_sigma_shape_the_pieces(name, values, seeds):
    image, source = photograph(200, 200), photograph(200, 200, 1)
    for seed in seeds(5):
        masks = [drawn(image, source, seed, n_segments=(150,), **{name: value})[1] for value in values]
        assert not np.array_equal(masks[0], masks[1]) and not np.array_equal(masks[1], masks[2])


@pytest.mark.parametrize("n_segments", [30, 150, 250])
def test_labels_are_chosen_without_replacement_and_never_all(n_segments):
    source = np.full((128, 128, 3), 90, np.uint8)
    for fraction in (0.05, 0.3, 0.95, 0.999):
        numbers = drawn(source, source, 0, n_segments=(n_segments,), fraction=fraction)[2]
        count = numbers["n_labels"][0]
        assert len(numbers["labels"][0]) == min(int(np.ceil(fraction * count)), count - 1)


@pytest.mark.parametrize("n_segments", [30, 150, 250])
def test_noise_falls_back_to_a_grid(n_segments, seeds):
    source = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    shares = [drawn(source, source, seed, n_segments=(n_segments,))[1].mean() for seed in seeds(10)]
    assert max(shares) < 0.12


def test_the_size_of_the_pieces_follows_the_number_of_segments(seeds):
    def piece(n_segments):
        areas = []
        for seed in seeds(12):
            m_a = drawn(photograph(256, 256), photograph(256, 256, 1), seed, n_segments=(n_segments,))[1]
            areas.append(m_a.sum() / (cv2.connectedComponents(m_a.astype(np.uint8))[0] - 1))
        return np.mean(areas)

    assert piece(30) > 2 * piece(150) > 2 * piece(250)


def test_a_region_holds_the_share_that_an_image_would(seeds):
    image, source = photograph(200, 200), photograph(200, 200, 1)
    roi = np.zeros((200, 200), np.uint8)
    roi[20:110, 90:180] = 255
    free = np.mean([drawn(image, source, seed)[1].mean() for seed in seeds(30)])
    held = [drawn(image, source, seed, roi=roi)[1] for seed in seeds(30)]
    assert not any((mask & (roi == 0)).any() for mask in held)
    assert 0.7 * free < np.mean([mask.sum() for mask in held]) / np.count_nonzero(roi) < 1.4 * free


def test_a_single_pixel_of_roi_is_found(seeds):
    roi = np.zeros((300, 300), np.uint8)
    roi[123, 45] = 255
    for seed in seeds(10):
        assert np.argwhere(drawn(photograph(300, 300), photograph(300, 300, 1), seed, roi=roi)[1]).tolist() == [
            [123, 45]
        ]


def test_severity_grows_area_and_difference(seeds):
    image, source = photograph(96, 96), photograph(96, 96, 1)
    areas, changes = [], []
    for severity in (0, 0.25, 0.5, 0.75, 1):
        results = [drawn(image, source, seed, severity=severity) for seed in seeds(60)]
        areas.append(np.mean([mask.mean() for _, mask, _ in results]))
        changes.append(np.mean([np.abs(i_a.astype(int) - image)[mask].mean() for i_a, mask, _ in results]))
    assert np.all(np.diff(areas) > 0) and np.all(np.diff(changes) > 0)


def test_augmenters_of_tasad_and_of_the_user_change_the_source(seeds):
    image, source = photograph(64, 64), photograph(64, 64, 1)
    numbers = [drawn(image, source, seed, augment_source=True)[2]["augmenters"][0] for seed in seeds(40)]
    assert {index for chosen in numbers for index in chosen} == set(range(len(TASAD_AUGMENTERS)))
    assert all(len(set(chosen)) == 3 for chosen in numbers)
    i_a, m_a, _ = drawn(image, source, 0, augmenter=lambda pixels: 255 - pixels, rotate=False)
    assert np.array_equal(i_a[m_a], 255 - source[m_a])


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("n_segments", (), ValueError),
        ("n_segments", (0,), ValueError),
        ("n_segments", 30, TypeError),
        ("fraction", 0, ValueError),
        ("fraction", 1, ValueError),
        ("compactness", 0, ValueError),
        ("sigma", -1, ValueError),
        ("rotate", 2, TypeError),
        ("augment_source", None, TypeError),
        ("augmenter", 3, TypeError),
    ],
)
def test_wrong_options_are_named(name, value, error):
    with pytest.raises(error, match=f"`{name}"):
        call("superpixel_anomaly", photograph(32, 32), **{name: value})
