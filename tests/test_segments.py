import cv2
import numpy as np
import pytest
from common import photograph
from skimage import data, segmentation

from pail.pixels.segments import SIDE, colour_segments, connected, enlarged, grid_labels, seed_grid, superpixels


def picture(name):
    image = getattr(data, name)()
    image = np.repeat(image[..., None], 3, 2) if image.ndim == 2 else image
    return cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA)


def unexplained(image, labels):
    """Share of the colour variance that is left within segments."""
    pixels = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(float)
    count = np.bincount(labels.ravel())
    sums = np.stack([np.bincount(labels.ravel(), channel) for channel in pixels.T])
    return 1 - ((sums**2 / count).sum() / len(pixels) - (pixels.mean(0) ** 2).sum()) / pixels.var(0).sum()


def recall(truth, labels, tolerance=3):
    """Share of the true borders with one of `labels` close by."""
    near = cv2.dilate(segmentation.find_boundaries(labels).astype(np.uint8), np.ones((2 * tolerance + 1,) * 2))
    return near[segmentation.find_boundaries(truth)].mean()


@pytest.mark.parametrize("n_segments", [150, 250])
def test_segments_are_like_those_of_scikit_image(n_segments):
    ratios = [compared(picture(name), n_segments) for name in ("brick", "coffee", "grass", "astronaut")]
    assert np.mean(ratios) < 1.15 and max(ratios) < 1.4


def compared(image, n_segments):
    """Unexplained variance in units of scikit-image's; asserts that number and borders agree."""
    reference = segmentation.slic(image, n_segments=n_segments, compactness=8, sigma=1, start_label=0)
    labels = superpixels(image, 255, n_segments)
    large = cv2.resize(labels, (256, 256), interpolation=cv2.INTER_NEAREST)
    assert abs((labels.max() + 1) / (reference.max() + 1) - 1) < 0.2
    assert recall(reference, large) > 0.8 and recall(large, reference) > 0.8
    return unexplained(image, large) / unexplained(image, reference)


@pytest.mark.parametrize(("n_segments", "expected"), [(30, 25), (150, 144), (250, 256)])
def test_a_flat_image_is_cut_into_the_grid(n_segments, expected):
    assert superpixels(np.full((256, 256, 3), 128, np.uint8), 255, n_segments).max() + 1 == expected


def test_texture_breaks_large_superpixels():
    assert 3 < superpixels(picture("grass"), 255, 30).max() + 1 < 20


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (8, 8), (7, 255), (257, 311), (5, 3000), (1500, 900)])
@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16])
def test_every_label_is_one_piece(shape, channels):
    image = np.random.default_rng(0).integers(0, 256, (*shape, channels), np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 3).reshape(image.shape)
    labels = superpixels(image, 255, 100)
    assert labels.shape[0] <= shape[0] and labels.shape[1] <= shape[1]
    assert labels.size <= SIDE**2 * 1.1
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    for label in range(labels.max() + 1):
        assert cv2.connectedComponents((labels == label).astype(np.uint8), connectivity=4)[0] == 2


def test_the_depth_of_the_image_does_not_matter():
    image = photograph(200, 180)
    fine = superpixels(image.astype(np.float32) * 257, 65535, 100)
    assert recall(fine, superpixels(image, 255, 100), tolerance=1) > 0.85


def test_compactness_and_sigma_do_what_they_say():
    image = picture("astronaut")
    cells = grid_labels((256, 256), 150)
    compact, loose = (superpixels(image, 255, 150, compactness=value) for value in (500, 4))
    assert recall(compact, cells, tolerance=1) > 0.95 > 0.75 > recall(loose, cells, tolerance=1)
    assert superpixels(image, 255, 30, sigma=12).max() > superpixels(image, 255, 30, sigma=0).max()


def test_fragments_join_the_neighbour_with_the_longest_border():
    labels = np.zeros((10, 10), np.int32)
    labels[:, 5:] = 1
    labels[2:4, 2:4] = 1  # an island in 0
    labels[0, 5] = 2  # two borders with 1, one with 0
    joined = connected(labels, 5)
    expected = np.zeros((10, 10), np.int32)
    expected[:, 5:] = 1
    assert np.array_equal(joined, expected)


def test_the_grid_has_the_number_of_seeds_that_fits():
    assert [seed_grid((256, 256), n)[:2] for n in (30, 150, 250)] == [(5, 5), (12, 12), (16, 16)]
    assert seed_grid((2, 3), 30).size == 1
    grid = seed_grid((1000, 250), 100)
    assert grid[:2] == (20, 5)


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2, 3), (64, 64), (5, 3000)])
def test_grid_labels_are_at_least_two(shape):
    labels = grid_labels(shape, 30)
    assert labels.max() >= 1 and np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert grid_labels((1, 1), 30).max() == 0


def test_an_enlarged_mask_keeps_its_area_and_has_no_stairs():
    small = np.zeros((64, 64), np.uint8)
    cv2.circle(small, (32, 32), 20, 255, cv2.FILLED)
    large = enlarged(small, (1024, 1024))
    assert np.isin(large, (0, 255)).all()
    assert abs(np.mean(large > 0) / np.mean(small > 0) - 1) < 0.03
    (outline,), _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    radii = np.hypot(*(outline[:, 0] - outline[:, 0].mean(axis=0)).T)
    assert radii.std() < 4  # stairs of 16 pixels: 5.3
    thin = np.zeros((64, 64), np.uint8)
    thin[30, 30] = 255
    assert enlarged(thin, (512, 512)).any()


def test_colour_segments_follow_colours_and_leave_opencvs_generator_alone():
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, 100:] = 250
    cv2.setRNGSeed(5)
    expected = cv2.randu(np.zeros(4), 0, 1).copy()
    cv2.setRNGSeed(5)
    labels = colour_segments(image, 255, 10)
    assert np.array_equal(cv2.randu(np.zeros(4), 0, 1), expected)
    width = labels.shape[1] // 2
    left, right = set(np.unique(labels[:, : width - 8])), set(np.unique(labels[:, width + 8 :]))
    assert len(left) >= 3 and len(right) >= 3 and not left & right
