"""perlin_noise_pattern (DRAEM) and perlin_with_roi_anomaly (MemSeg)."""

import functools
import tracemalloc

import cv2
import numpy as np
import pytest
from common import call, frame_and_draw, make, photograph
from seeds import seeds

from pail.pixels.noise import PerlinOptions, perlin_mask
from pail.sbi.perlin_with_roi import shuffle_cells

BLACK = np.zeros((128, 128, 3), np.uint8)
WHITE = np.full((128, 128, 3), 255, np.uint8)


def inside_values(name, count, **keywords):
    """The one gray value that a white source leaves on a black image, call by call."""
    found = []
    for seed in seeds("perlin", count):
        i_a, m_a = call(name, BLACK, WHITE, rng=seed, **keywords)
        values = np.unique(i_a[m_a[..., 0] > 0])
        assert len(values) == 1
        found.append(values[0])
    return np.array(found)


def test_draems_opacity_is_uniform_and_constant_within_a_call():
    values = inside_values("perlin_noise_pattern", 400, augment_source=False)
    assert 50 <= values.min() <= 56 and values.max() >= 250
    assert np.abs(np.sort(values - 51) / 204 - np.linspace(0, 1, 400)).max() < 0.08


def test_beta_range():
    assert set(inside_values("perlin_noise_pattern", 20, augment_source=False, beta_range=(0, 0))) == {255}
    assert set(inside_values("perlin_noise_pattern", 20, augment_source=False, beta_range=(0.5, 0.5))) == {128}


@pytest.mark.parametrize("limits", [(0.15, 1.0), (0.15, 0.3), (0.6, 0.6)])
def test_memsegs_transparency_keeps_to_both_ends(limits):
    values = inside_values("perlin_with_roi_anomaly", 200, p_texture=1, use_mask=False, transparency_range=limits)
    low, high = np.round(255 * np.array(limits))
    assert low - 1 <= values.min() and values.max() <= high + 1
    assert values.max() - values.min() >= 0.9 * (high - low) - 1


def test_the_mask_does_not_depend_on_the_source():
    image = photograph(100, 140)
    masks = [call("perlin_noise_pattern", image, photograph(100, 140, seed), rng=5)[1] for seed in (1, 2)]
    assert np.array_equal(*masks)


def test_coverage_through_the_public_method():
    covers = [
        np.mean(call("perlin_noise_pattern", photograph(256, 256), rng=s, augment_source=False)[1] > 0)
        for s in seeds("perlin blend", 250)
    ]
    assert 0.045 < np.mean(covers) < 0.060
    assert np.quantile(covers, 0.95) < 0.13


def test_resize_changes_the_mask_only():
    image = photograph(90, 120)
    i_a, m_a = call("perlin_noise_pattern", image, rng=1, resize=(32, 32))
    assert i_a.shape == image.shape and m_a.any()


def test_the_mask_is_made_at_the_size_of_resize():
    """A mask of 32 pixels per side that is tripled consists of blocks."""
    blocks = []
    for seed in seeds("resize", 20):
        _, m_a = call("perlin_noise_pattern", photograph(96, 96), rng=seed, resize=(32, 32))
        blocks.append(np.array_equal(np.kron(m_a[::3, ::3, 0], np.ones((3, 3), np.uint8)), m_a[..., 0]))
    assert all(blocks)


def test_the_source_is_augmented_by_default():
    image, source = photograph(96, 96), photograph(96, 96, seed=1)
    kept = changed = 0
    for seed in range(20):
        plain = call("perlin_noise_pattern", image, source, rng=seed, augment_source=False, beta_range=(0, 0))
        augmented = call("perlin_noise_pattern", image, source, rng=seed, beta_range=(0, 0))
        inside = plain[1][..., 0] > 0
        kept += np.array_equal(plain[0][inside], source[inside])
        changed += not np.array_equal(augmented[0][inside], source[inside])
    assert kept == 20 and changed >= 18


def test_an_augmenter_of_the_users_replaces_draems():
    image, source = photograph(64, 64), photograph(64, 64, seed=1)
    for name, extra in (("perlin_noise_pattern", {"beta_range": (0, 0)}), ("superpixel_anomaly", {"rotate": False})):
        i_a, m_a = call(name, image, source, rng=2, augmenter=lambda pixels: 255 - pixels, **extra)
        inside = m_a[..., 0] > 0
        assert np.array_equal(i_a[inside], 255 - source[inside])


def test_an_imgaug_augmenter_is_accepted_and_reproducible():
    from pail.pixels.augmenter import import_imgaug

    import_imgaug()
    import imgaug.augmenters as iaa

    image, augmenter = photograph(64, 64), iaa.Multiply((0.2, 3.0))
    for name in ("perlin_noise_pattern", "perlin_with_roi_anomaly", "superpixel_anomaly"):
        one, other = (call(name, image, photograph(64, 64, 1), rng=3, augmenter=augmenter) for _ in range(2))
        assert np.array_equal(one[0], other[0])


def disc(value, background):
    image = np.full((128, 128, 3), background, np.uint8)
    cv2.circle(image, (60, 70), 35, (value,) * 3, -1)
    return image


@pytest.mark.parametrize(("value", "background"), [(200, 20), (20, 230), (150, 60)])
def test_the_mask_keeps_to_the_automatic_foreground(value, background):
    image = disc(value, background)
    allowed = cv2.dilate((image[..., 0] == value).astype(np.uint8), np.ones((5, 5), np.uint8))
    for seed in seeds("perlin with roi", 40):
        _, m_a = call("perlin_with_roi_anomaly", image, WHITE, rng=seed)
        assert not m_a[..., 0][allowed == 0].any()


def test_a_users_mask_and_thresholds_win():
    image, mask = photograph(128, 128), np.zeros((128, 128), bool)
    mask[20:60, 30:100] = True
    for seed in range(30):
        _, m_a = call("perlin_with_roi_anomaly", image, rng=seed, mask=mask)
        assert not m_a[..., 0][~mask].any()
    image = disc(200, 20)
    for seed in range(20):
        _, m_a = call("perlin_with_roi_anomaly", image, rng=seed, bg_threshold=100, bg_reverse=True)
        assert (image[m_a[..., 0] > 0] == 200).all()
        _, m_a = call("perlin_with_roi_anomaly", image, rng=seed, bg_threshold=100)
        assert (image[m_a[..., 0] > 0] == 20).all()


def test_all_background_falls_back_to_the_whole_image():
    assert call("perlin_with_roi_anomaly", WHITE, rng=0, bg_threshold=100)[1].any()


def test_texture_and_structure_are_drawn_evenly():
    image, textures = photograph(64, 64), 0
    for seed in seeds("texture or structure", 400):
        frame, draw = frame_and_draw(image, seed)
        make("perlin_with_roi_anomaly", frame, draw, np.full_like(image, 255), use_mask=False)
        textures += draw.drawn["texture"][0]
    assert 160 < textures < 240


@pytest.mark.parametrize("shape", [(64, 64), (60, 52), (5, 70), (1, 1)])
def test_shuffling_permutes_the_cells(shape):
    image = photograph(*shape)
    _, draw = frame_and_draw(image)
    mixed = shuffle_cells(image, draw, 8)
    assert mixed.shape == image.shape
    if shape == (64, 64):
        cells = lambda array: sorted(array.reshape(8, 8, 8, 8, 3).swapaxes(1, 2).reshape(64, -1).tolist())  # noqa: E731
        assert cells(mixed) == cells(image)
        assert not np.array_equal(mixed, image)


def test_mask_and_roi_must_meet():
    left, right = np.zeros((32, 32), bool), np.zeros((32, 32), bool)
    left[:, :5], right[:, 20:] = True, True
    with pytest.raises(ValueError, match="`mask`"):
        call("perlin_with_roi_anomaly", photograph(32, 32), mask=left, roi=right)


# --------------------------------------------------------------------------------------------------------------------
# Images of any proportions

PROPORTIONS = ((400, 400), (200, 800), (80, 2000), (2000, 80))


@functools.lru_cache
def shapes_of(size, rotation):
    """For 150 masks: the share of the image, and its distribution over the fifths of the longer side."""
    fifths = []
    for seed in seeds("proportions", 150):
        frame, draw = frame_and_draw(np.zeros(size, np.uint8), seed)
        mask = perlin_mask(frame, draw, PerlinOptions(rotation=rotation))
        fifths.append([np.mean(part > 0) / 5 for part in np.array_split(mask, 5, axis=int(np.argmax(size)))])
    return np.array(fifths)


@pytest.mark.parametrize("rotation", [(-90, 90), None])
@pytest.mark.parametrize("size", PROPORTIONS)
def test_every_fifth_of_the_length_holds_a_fifth(size, rotation):
    fifths = shapes_of(size, rotation) / shapes_of(size, rotation).sum(axis=1).mean()
    error = fifths.std(axis=0) / len(fifths) ** 0.5
    assert np.all(np.abs(fifths.mean(axis=0) - 0.2) < 3 * error)


@pytest.mark.parametrize("rotation", [(-90, 90), None])
def test_the_median_area_does_not_depend_on_the_proportions(rotation):
    square = 0.054  # at 1:1, from 2,000 masks
    for size in PROPORTIONS[1:]:
        assert abs(np.median(shapes_of(size, rotation).sum(axis=1)) / square - 1) < 0.1


@pytest.mark.parametrize("size", [(256, 256), (600, 700), (200, 5000), (5000, 200), (60, 1500)])
@pytest.mark.parametrize(("severity", "share"), [(0, 0.005), (0.5, 0.0525), (1, 0.1)])
def test_the_coverage_of_a_severity_is_met(size, severity, share):
    for seed in seeds("coverage", 4):
        frame, draw = frame_and_draw(np.zeros(size, np.uint8), seed, severity=severity)
        mask = perlin_mask(frame, draw, PerlinOptions(rotation=(-90, 90)))
        assert abs(np.mean(mask > 0) / share - 1) < 0.1


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 5000), (3000, 2), (7, 7), (5, 1200)])
def test_masks_of_thin_and_tiny_images_are_parts(size):
    covers = []
    for seed in seeds("thin", 30):
        frame, draw = frame_and_draw(np.zeros(size, np.uint8), seed)
        covers.append(np.mean(perlin_mask(frame, draw, PerlinOptions(rotation=(-90, 90))) > 0))
    assert min(covers) > 0
    assert np.prod(size) < 10 or np.mean(covers) < 0.2


def test_a_region_is_the_canvas_of_the_noise():
    """The mask covers the same share of a region as of an image, in pieces of the corresponding size."""
    image, roi = photograph(256, 256), np.zeros((256, 256), bool)
    roi[100:164, 30:94] = True
    masks = [call("perlin_noise_pattern", image, rng=seed, roi=roi)[1][..., 0] for seed in seeds("canvas", 150)]
    assert not any(mask[~roi].any() for mask in masks)
    assert 0.035 < np.mean([mask[roi].mean() / 255 for mask in masks]) < 0.065


def test_a_mask_of_a_long_image_takes_little_memory():
    frame, draw = frame_and_draw(np.zeros((100, 30_000), np.uint8), 2)
    tracemalloc.start()
    perlin_mask(frame, draw, PerlinOptions(rotation=(44, 46)))
    max_value = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max_value < 30 * frame.whole.area


def test_noise_at_one_pixel_in_a_ring_is_inside_the_ring():
    rows, columns = np.mgrid[:10, :6]
    distance = np.hypot((rows - 4.5) / 5, (columns - 2.5) / 3)
    ring = (distance > 0.6) & (distance < 0.95)
    for seed in range(60):
        mask = call(
            "perlin_noise_pattern", WHITE[:10, :6], BLACK, resize=(1, 1), threshold="random", roi=ring, rng=seed
        )[1]
        assert mask.any() and not (mask[..., 0] > 0)[~ring].any()
