import random
import zlib

import cv2
import numpy as np
import pytest
from common import photograph
from skimage import data, segmentation

from pail.pixels.superpixels import ITERATIONS, SIDE, coarse_segments, enlarge, grid_labels, superpixels

TEXTURES = ("brick", "gravel", "grass", "coffee", "astronaut")


def picture(name):
    image = getattr(data, name)()
    image = np.repeat(image[..., None], 3, 2) if image.ndim == 2 else image
    return cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA)


def recall(truth, labels, tolerance=1):
    """Share of the true borders with one of `labels` close by."""
    near = cv2.dilate(segmentation.find_boundaries(labels).astype(np.uint8), np.ones((2 * tolerance + 1,) * 2))
    return near[segmentation.find_boundaries(truth)].mean()


def is_one_piece(labels, label):
    return cv2.connectedComponents((labels == label).astype(np.uint8), connectivity=4)[0] == 2


@pytest.mark.parametrize("options", [(25, 8, 1), (144, 8, 1), (144, 20, 0), (256, 8, 4)])
def test_superpixels_are_those_of_scikit_image_on_a_thumbnail(options):
    n_segments, compactness, sigma = options
    found = []
    for name in TEXTURES:
        small = cv2.resize(picture(name), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        expected = segmentation.slic(
            small, n_segments, compactness, max_num_iter=ITERATIONS, sigma=sigma * SIDE / 256, start_label=0
        )
        labels = superpixels(picture(name), 255, n_segments, compactness=compactness, sigma=sigma)
        assert abs(labels.max() - expected.max()) <= 2 + 0.03 * expected.max()
        found.append((recall(expected, labels) + recall(labels, expected)) / 2)
    assert np.nanmean(found) > 0.95


@pytest.mark.parametrize(("n_segments", "expected"), [(30, 25), (150, 144), (250, 256)])
def test_a_flat_image_is_cut_into_the_grid(n_segments, expected):
    assert superpixels(np.full((256, 256, 3), 128, np.uint8), 255, n_segments).max() + 1 == expected


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (8, 8), (7, 255), (257, 311), (5, 3000), (1500, 900)])
@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16])
def test_every_label_is_one_piece(shape, channels):
    rng = np.random.default_rng(zlib.crc32(b"test_every_label_is_one_piece"))
    image = rng.integers(0, 256, (*shape, channels), np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 3).reshape(image.shape)
    labels = superpixels(image, 255, 100)
    assert labels.shape[0] <= shape[0] and labels.shape[1] <= shape[1]
    assert labels.size <= SIDE**2 * 1.1
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert all(is_one_piece(labels, label) for label in range(labels.max() + 1))


def test_the_thumbnail_keeps_the_proportions():
    assert superpixels(photograph(1000, 250), 255, 30).shape == (256, 64)
    assert superpixels(photograph(60, 90), 255, 30).shape == (60, 90)


def test_the_depth_of_the_image_does_not_matter():
    image = photograph(200, 180)
    fine = superpixels(image.astype(np.float32) * 257, 65535, 100)
    assert recall(fine, superpixels(image, 255, 100)) > 0.95


def test_gray_counts_as_much_as_color():
    image = photograph(200, 180)[..., :1]
    rgb = superpixels(np.repeat(image, 3, 2), 255, 100)
    for channels in (1, 2, 5):
        labels = superpixels(np.repeat(image, channels, 2), 255, 100)
        assert recall(rgb, labels) > 0.8 and recall(labels, rgb) > 0.8


def test_compactness_and_sigma_do_what_they_say():
    image = picture("astronaut")
    cells = superpixels(np.full((256, 256, 3), 128, np.uint8), 255, 150)
    compact, loose = (superpixels(image, 255, 150, compactness=value) for value in (500, 4))
    assert recall(compact, cells) > 0.95 > 0.75 > recall(loose, cells)
    assert superpixels(picture("grass"), 255, 30, sigma=12).max() > 2 * superpixels(picture("grass"), 255, 30).max()


def test_segments_draw_nothing_and_repeat():
    image, mask = picture("gravel"), np.full((256, 256), 255, np.uint8)
    np.random.seed(3)  # noqa: NPY002 - the state that must stay as it is
    random.seed(3)
    cv2.setRNGSeed(3)
    before = np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    expected = cv2.randu(np.zeros(4), 0, 1).copy()
    cv2.setRNGSeed(3)
    results = [(superpixels(image, 255, 150), coarse_segments(image, mask, 255, 10)) for _ in range(3)]
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before  # noqa: NPY002
    assert np.array_equal(cv2.randu(np.zeros(4), 0, 1), expected)
    for fine, coarse in results:
        assert np.array_equal(fine, results[0][0]) and np.array_equal(coarse, results[0][1])


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2, 3), (64, 64), (5, 3000)])
def test_grid_labels_are_at_least_two(shape):
    for n_segments in (1, 2, 30, 100_000):
        labels = grid_labels(shape, n_segments)
        assert labels.max() >= 1 and np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert grid_labels((1, 1), 30).max() == 0


def test_the_grid_has_the_number_of_cells_that_fits():
    assert [grid_labels((256, 256), n).max() + 1 for n in (30, 150, 250)] == [25, 144, 256]
    assert grid_labels((1000, 250), 100).max() + 1 == 100


def test_an_enlarged_mask_keeps_its_area_and_has_no_stairs():
    small = np.zeros((64, 64), np.uint8)
    cv2.circle(small, (32, 32), 20, 255, cv2.FILLED)
    large = enlarge(small, (1024, 1024))
    assert np.isin(large, (0, 255)).all()
    assert abs(np.mean(large > 0) / np.mean(small > 0) - 1) < 0.03
    (outline,), _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    radii = np.hypot(*(outline[:, 0] - outline[:, 0].mean(axis=0)).T)
    assert radii.std() < 4  # stairs of 16 pixels: 5.3
    thin = np.zeros((64, 64), np.uint8)
    thin[30, 30] = 255
    assert enlarge(thin, (512, 512)).any()


def test_coarse_segments_follow_colors():
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, 100:] = 250
    labels = coarse_segments(image, np.full((200, 200), 255, np.uint8), 255, 10)
    assert labels.dtype == np.uint8
    width = labels.shape[1] // 2
    left, right = set(np.unique(labels[:, : width - 8])), set(np.unique(labels[:, width + 8 :]))
    assert len(left) >= 3 and len(right) >= 3 and not left & right


def test_coarse_segments_see_black_outside_of_the_mask():
    image, mask = np.full((200, 200, 3), 250, np.uint8), np.zeros((200, 200), np.uint8)
    mask[:, :100] = 255
    masked = coarse_segments(image, mask, 255, 10)
    image[:, 100:] = 0
    assert np.array_equal(masked, coarse_segments(image, np.full_like(mask, 255), 255, 10))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (3, 500), (40, 30)])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_coarse_segments_of_any_size(shape, channels):
    rng = np.random.default_rng(zlib.crc32(b"test_coarse_segments_of_any_size"))
    image = rng.integers(0, 256, (*shape, channels), np.uint8)
    labels = coarse_segments(image, np.full(shape, 255, np.uint8), 255, 10)
    assert labels.max() < 40
