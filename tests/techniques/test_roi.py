"""The automatic foreground on scenes with a known foreground, and the two special foregrounds of techniques."""

from __future__ import annotations

import doctest
import inspect
import itertools
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image
from scenes import FULL_FRAME, WITH_GROUND, Scene, bright_on_dark, dark_on_bright, gravel, photo, sensor_noise

from pail import pai, roi
from pail.core.image import as_normal_image
from pail.pixels.foreground import cdo_foreground, coarse_foreground, foreground_of, is_surface, threshold_foreground
from pail.roi import as_roi, foreground


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    return np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth)


@pytest.mark.parametrize("scene", WITH_GROUND, ids=lambda scene: scene.__name__)
def test_parts_on_a_background_are_found(scene: Callable[[], Scene]) -> None:
    picture, truth = scene()
    mask = foreground(picture)
    assert mask.dtype == bool
    assert overlap(mask, truth) >= 0.9
    assert not is_surface(as_normal_image(picture))


def test_an_even_surface_is_told_at_once_and_has_no_edge_to_chip_but_its_own() -> None:
    picture = np.random.default_rng(0).normal(150, 10, (256, 256)).astype(np.uint8)
    assert is_surface(as_normal_image(picture))
    for seed in range(8):
        left, top, width, height = cv2.boundingRect(pai.Anomaly_Insertion().chip(picture, rng=seed).m_a)
        assert left == 0 or top == 0 or left + width == 256 or top + height == 256


@pytest.mark.parametrize("scene", [*WITH_GROUND, *FULL_FRAME], ids=lambda scene: scene.__name__)
def test_the_coarse_foreground_answers_for_points_as_the_full_one_does(scene: Callable[[], Scene]) -> None:
    frame = as_normal_image(scene()[0])
    full, small = foreground_of(frame) > 0, coarse_foreground(frame)
    height, width = frame.shape
    rows, columns = np.indices(frame.shape)
    coarse = full | True if small is None else small[rows * len(small) // height, columns * small.shape[1] // width] > 0
    agreement = np.mean(coarse == full)
    assert agreement > 0.9 or coarse.all()  # where it knows less it leans to the whole image


@pytest.mark.parametrize("scene", FULL_FRAME, ids=lambda scene: scene.__name__)
def test_a_surface_that_fills_the_frame_is_all_foreground(scene: Callable[[], Scene]) -> None:
    picture, _ = scene()
    assert foreground(picture).all()


@pytest.mark.parametrize("name", ["coffee.png", "hubble_deep_field.jpg", "moon.png", "chelsea.png"])
def test_a_photograph_without_a_plain_background_is_all_foreground(name: str) -> None:
    assert foreground(photo(name)).all()


@pytest.mark.parametrize("scene", WITH_GROUND, ids=lambda scene: scene.__name__)
def test_mirroring_and_turning_the_scene_moves_the_mask_along(scene: Callable[[], Scene]) -> None:
    picture, truth = scene()
    assert overlap(foreground(picture[::-1]), truth[::-1]) >= 0.88
    assert overlap(foreground(np.rot90(picture)), np.rot90(truth)) >= 0.88


@pytest.mark.parametrize("scene", [bright_on_dark, dark_on_bright])
@pytest.mark.parametrize("side", [32, 64, 191, 192, 193, 383, 500, 1500])
def test_any_size(scene: Callable[[], Scene], side: int) -> None:
    picture, truth = scene()
    size = (side, side * 3 // 4)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    truth = cv2.resize(truth.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    assert overlap(foreground(small), truth) >= 0.88


DTYPES = {
    "uint16": (lambda v: v.astype(np.uint16) * 257, None),
    "big-endian uint16": (lambda v: (v.astype(np.uint16) * 257).astype(">u2"), None),
    "12 bits in uint16": (lambda v: v.astype(np.uint16) * 16, None),
    "12 bits with their range": (lambda v: v.astype(np.uint16) * 16, 4095),
    "float32": (lambda v: v.astype(np.float32) / 255, None),
    "float64": (lambda v: v / 255.0, None),
    "float32 to 255": (lambda v: v.astype(np.float32), 255),
    "dark float32": (lambda v: v.astype(np.float32) / 2550, None),
}


@pytest.mark.filterwarnings("ignore:`image` has values:UserWarning")  # that of a narrow range
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("scene", [bright_on_dark, dark_on_bright])
def test_every_dtype_and_range(scene: Callable[[], Scene], name: str) -> None:
    convert, data_range = DTYPES[name]
    picture, truth = scene()
    assert overlap(foreground(convert(picture), data_range=data_range), truth) >= 0.95


@pytest.mark.filterwarnings("ignore:`image` has values:UserWarning")  # that of a narrow range
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("scene", [gravel, sensor_noise])
def test_a_surface_stays_one_in_every_dtype(scene: Callable[[], Scene], name: str) -> None:
    convert, data_range = DTYPES[name]
    assert foreground(convert(scene()[0]), data_range=data_range).all()


@pytest.mark.parametrize("side", [150, 240, 600])
def test_every_number_of_channels(side: int) -> None:
    picture, truth = dark_on_bright()
    picture = cv2.resize(picture, (side, side))
    truth = cv2.resize(truth.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST) > 0
    for channels in range(1, 17):
        stack = np.repeat(picture[..., :1], channels, axis=2)
        assert overlap(foreground(stack), truth) >= 0.93, channels


def test_a_part_in_one_channel_of_sixteen_is_found() -> None:
    stack = np.full((200, 200, 16), 0.5, np.float32)
    stack[60:140, 50:150, 11] = 0.9
    truth = stack[..., 11] > 0.6
    assert overlap(foreground(stack), truth) >= 0.95


def test_pil_and_alpha() -> None:
    picture, truth = bright_on_dark()
    alpha = np.random.default_rng(0).integers(0, 256, (*truth.shape, 1), dtype=np.uint8)
    expected = foreground(picture)
    assert np.array_equal(foreground(Image.fromarray(picture)), expected)
    assert np.array_equal(foreground(np.concatenate([picture, alpha], axis=2)), expected)
    assert overlap(foreground(Image.fromarray(picture).convert("L")), truth) >= 0.9


TINY = [(1, 1), (1, 9), (2, 3), (4, 1), (5, 5), (8, 8), (8, 7), (9, 8), (7, 255), (3, 900)]


@pytest.mark.parametrize(("shape", "dtype"), [*itertools.product(TINY, (np.uint8, np.float32))])
def test_tiny_and_thin_images(shape: tuple[int, int], dtype: type) -> None:
    for channels in (0, 1, 3, 6):
        check_tiny(shape, channels, dtype)


def check_tiny(shape: tuple[int, int], channels: int, dtype: type) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*shape, *[channels] * (channels > 0))).astype(dtype)
    picture = picture / np.float32(255) if dtype == np.float32 else picture
    before = picture.copy()
    mask = foreground(picture)
    assert mask.shape == shape
    assert mask.dtype == bool
    assert mask.any()
    frame = as_normal_image(picture)
    for other in (threshold_foreground(frame, 128, True), cdo_foreground(frame)):
        assert other.shape == shape
        assert other.dtype == np.uint8
        assert set(np.unique(other)) <= {0, 255}
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("value", [0, 3, 128, 255])
@pytest.mark.parametrize("ripple", [0, 5])
def test_a_constant_image_is_all_foreground(value: int, ripple: int) -> None:
    picture = np.full((120, 90, 3), value, np.uint8)
    picture[40:80, 30:60] = min(255, value + ripple)
    assert foreground(picture).all()
    assert foreground(np.full((64, 64), value * 257, np.uint16)).all()
    assert foreground(np.full((64, 64), value / 255)).all()


@pytest.mark.parametrize("size, found", [(8, False), (16, False), (40, True), (192, True), (252, False)])
def test_parts_below_one_and_above_95_percent_are_none(size: int, found: bool) -> None:
    picture = np.full((256, 256), 220, np.uint8)
    start = (256 - size) // 2
    picture[start : start + size, start : start + size] = 60
    assert foreground(picture).all() != found


def test_specks_beside_a_part_are_dropped_and_pinholes_closed() -> None:
    picture = np.full((192, 192), 230, np.uint8)
    picture[50:140, 50:140] = 40
    picture[90, 90] = 230
    picture[10:13, 10:13] = 40
    mask = foreground(picture)
    assert mask[90, 90]
    assert not mask[:30].any()


def test_edges_of_an_enlarged_mask_are_smooth() -> None:
    """The outline of a disk, which the steps of a thumbnail would lengthen."""
    rows, columns = np.ogrid[:1536, :1536]
    picture = np.where((rows - 768) ** 2 + (columns - 768) ** 2 < 400**2, 40, 220).astype(np.uint8)
    mask = foreground(picture).view(np.uint8)
    outline = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0][:, 0, :]
    distance = np.hypot(*(outline - 768).T)
    assert np.abs(distance - 400).max() < 8


def test_as_roi() -> None:
    picture, _ = bright_on_dark()
    frame = as_normal_image(picture)
    found = as_roi("foreground", frame)
    assert as_roi(None, frame) is None
    assert found.dtype == np.uint8
    assert np.array_equal(found > 0, foreground(picture))
    with pytest.raises(ValueError, match="`roi` must be one of 'foreground'"):
        as_roi("background", frame)
    with pytest.raises(ValueError, match="`roi` must have at least one true pixel"):
        as_roi(np.zeros(frame.shape, bool), frame)


@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (1, 4), (40, 60)])
@pytest.mark.parametrize("convert", [*[pair[0] for pair in DTYPES.values()][:6:5], lambda v: v])
def test_threshold_foreground(convert: Callable[[np.ndarray], np.ndarray], shape: tuple[int, int]) -> None:
    """Brighter than the threshold with `bg_reverse`, the rest without."""
    for threshold, reverse in itertools.product((0, 99.5, 100, 100.5, 255), (False, True)):
        gray = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
        gray.flat[0] = 100
        gray = np.where(gray == threshold, gray + 1, gray).astype(np.uint8) if threshold not in (0, 255) else gray
        mask = threshold_foreground(as_normal_image(convert(gray)), threshold, reverse)
        assert np.array_equal(mask > 0, (gray > threshold) if reverse else (gray <= threshold)), (threshold, reverse)


def test_threshold_foreground_weighs_colors_and_keeps_the_threshold_itself_out_of_the_bright() -> None:
    colors = np.array([[(0, 255, 0), (255, 0, 0), (0, 0, 255), (100, 100, 100)]], np.uint8)
    frame = as_normal_image(colors)
    assert threshold_foreground(frame, 100, True).tolist() == [[255, 0, 0, 0]]
    assert threshold_foreground(frame, 100, False).tolist() == [[0, 255, 255, 255]]
    assert not threshold_foreground(frame, 255, True).any()  # all background: the caller decides


def test_cdo_foreground_leaves_dark_bright_and_a_seam_out() -> None:
    picture = np.full((256, 256, 3), 120, np.uint8)
    picture[:, :100] = 10
    picture[:, 200:] = 250
    columns = cdo_foreground(as_normal_image(picture))[128] > 0
    assert np.flatnonzero(columns).min() == 109  # the dilation reaches 9 pixels over the edge
    assert np.flatnonzero(columns).max() == 190
    assert columns[109:191].all()


@pytest.mark.parametrize("side", [64, 512, 1024])
def test_cdo_foreground_scales(side: int) -> None:
    picture = np.full((side, side), 120, np.uint8)
    picture[:, : side // 2] = 10
    share = np.count_nonzero(cdo_foreground(as_normal_image(picture))) / side**2
    assert share == pytest.approx(0.5 - 9 / 256, abs=0.015)


def test_cdo_foreground_takes_the_mean_of_the_channels_and_may_be_empty() -> None:
    assert cdo_foreground(as_normal_image(np.full((64, 64, 3), (0, 0, 255), np.uint8))).all()  # the mean is 85
    assert not cdo_foreground(as_normal_image(np.full((64, 64, 3), 5, np.uint8))).any()
    assert not cdo_foreground(as_normal_image(np.full((64, 64, 5), 0.9, np.float32))).any()


def test_the_examples_run() -> None:
    example = doctest.DocTestFinder().find(inspect.unwrap(foreground), "foreground", globs={})[0]
    assert doctest.DocTestRunner().run(example).failed == 0
    assert roi.foreground.__doc__
