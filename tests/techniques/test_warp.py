import zlib

import cv2
import numpy as np
import pytest

from pail.core.ops import Box
from pail.sbi.rand_augmented import warp

SHAPES = [(64, 64), (1, 1), (2, 3), (7, 255), (257, 311)]


@pytest.fixture
def seeds(request):
    """The requested number of seeds that no other test uses."""
    key = zlib.crc32(request.node.originalname.encode())
    return lambda count: [(key, i) for i in range(count)]


def noise(shape, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, channels), dtype=np.uint8)


def warped(image, *steps):
    return warp.Warp(image.shape[:2], list(steps)).image(image, Box(0, 0, *image.shape[:2]))


@pytest.mark.parametrize("shape", SHAPES)
def test_flips_are_exact(shape):
    image = noise(shape)
    assert np.array_equal(warped(image, warp.flip(shape, vertical=True, horizontal=False)), image[::-1])
    assert np.array_equal(warped(image, warp.flip(shape, vertical=False, horizontal=True)), image[:, ::-1])


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns_and_transposition_are_exact_on_squares(turns):
    image = noise((50, 50))
    assert np.array_equal(warped(image, warp.quarter_turns((50, 50), turns)), np.rot90(image, turns))
    assert np.array_equal(warped(image, warp.transpose((50, 50))), image.transpose(1, 0, 2))


def test_steps_act_in_their_order():
    image = noise((40, 40))
    steps = warp.quarter_turns((40, 40), 1), warp.flip((40, 40), vertical=True, horizontal=False)
    assert np.array_equal(warped(image, *steps), np.rot90(image)[::-1])


def test_a_turned_oblong_is_resized_to_the_canvas():
    image = cv2.resize(noise((5, 5)), (200, 100), interpolation=cv2.INTER_LINEAR)
    expected = cv2.resize(np.rot90(image).copy(), (200, 100), interpolation=cv2.INTER_LINEAR)
    assert cv2.absdiff(warped(image, warp.quarter_turns((100, 200), 1)), expected).max() <= 3


def test_a_box_shows_what_the_whole_shows():
    image, rng = noise((300, 200)), np.random.default_rng(4)
    bent = warp.Warp((300, 200), [*warp.elastic((300, 200), rng), warp.optical_distortion((300, 200), 0.6)])
    whole = bent.image(image, Box(0, 0, 300, 200))
    for box in (Box(3, 5, 100, 77), Box(299, 0, 1, 200), Box(16, 16, 16, 16), Box(130, 61, 170, 1)):
        assert cv2.absdiff(bent.image(image, box), whole[box.slices]).max() <= 1
    where = np.zeros((300, 200), np.uint8)
    where[40:45, 50:60] = where[280:290, 3:9] = 255
    some = bent.image(image, Box(0, 0, 300, 200), where)
    assert cv2.absdiff(some, whole)[where > 0].max() <= 1


def test_rotation_and_scale_are_those_of_opencv():
    image = cv2.GaussianBlur(noise((128, 160)), (0, 0), 4)
    matrix = cv2.getRotationMatrix2D((79.5, 63.5), 30, 1.1)
    matrix[:, 2] += 0.05 * 160, -0.02 * 128
    expected = cv2.warpAffine(image, matrix, (160, 128), borderMode=cv2.BORDER_REFLECT_101)
    result = warped(image, warp.shift_scale_rotate((128, 160), (-0.02, 0.05), 1.1, 30))
    assert cv2.absdiff(result, expected).max() <= 3


@pytest.mark.parametrize("k", [-0.8, -0.05, 0.4, 1])
def test_optical_distortion_is_that_of_opencv(k):
    image = cv2.GaussianBlur(noise((256, 320), 1), (0, 0), 6)[..., None]
    camera = np.array([[320, 0, 160], [0, 256, 128], [0, 0, 1]], np.float32)
    size = (320, 256)
    maps = cv2.initUndistortRectifyMap(camera, np.array([k, k, 0, 0, 0]), None, camera, size, cv2.CV_32FC1)
    expected = cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    result = warped(image, warp.optical_distortion((256, 320), k))[..., 0]
    difference = cv2.absdiff(result, expected)
    assert difference.mean() < 0.5
    assert np.percentile(difference, 99) <= 4


def test_grid_distortion_stretches_cells():
    ramp = np.tile(np.arange(200, dtype=np.float32), (100, 1))[..., None]
    step = warp.grid_distortion((100, 200), np.ones(5), np.array([0.7, 1.3, 1, 1, 1]))
    row = warped(ramp, step)[50, :, 0]
    assert np.allclose(row[[5, 25, 55, 75, 100, 180]], [3.35, 17.35, 47.65, 73.65, 100, 180], atol=0.3)
    assert np.allclose(warped(ramp, warp.grid_distortion((100, 200), np.ones(5), np.ones(5))), ramp, atol=0.05)


def test_piecewise_affine_moves_its_points_and_stays_inside():
    shifts = np.zeros((4, 4, 2))
    shifts[1, 2] = 0.05, -0.03
    shifts[0, 0] = -0.2, -0.2  # off the image
    moved = warp.piecewise_affine((151, 151), shifts)
    at = np.array([[[100.0, 50], [50, 100], [0, 0]]])
    assert np.allclose(moved(at), [[[107.5, 45.5], [50, 100], [0, 0]]], atol=0.2)


def test_elastic_scales_with_the_image(seeds):
    """The affine part moves points by tens of pixels at 256, the smooth field by about 0.8; both grow with the side."""
    small, large, residue = [], [], []
    for seed in seeds(200):
        for side, moves in ((256, small), (1024, large)):
            corner, bend = warp.elastic((side, side), np.random.default_rng(seed))
            center = np.full((1, 1, 2), side / 2)
            moves.append(np.abs(corner(center) - center).max() / side)
            if side == 256:
                residue.append(bend(center + 20) - center - 20)
    assert np.allclose(small, large, rtol=0.05)
    assert 0.03 < np.mean(small) < 0.3
    assert 0.5 < np.std(residue) < 1.2


def test_masks_follow_the_image_and_end_where_it_ends(seeds):
    mask = np.zeros((200, 120), np.uint8)
    mask[30:60, 70:110] = 255
    for seed in seeds(20):
        rng = np.random.default_rng(seed)
        bent = warp.Warp((200, 120), [*warp.elastic((200, 120), rng), warp.optical_distortion((200, 120), 0.5)])
        seen = bent.mask(mask)
        assert set(np.unique(seen)) <= {0, 255}
        image = bent.image(mask[..., None], Box(0, 0, 200, 120))[..., 0]
        valid = bent.drop_invalid(np.full((200, 120), 255, np.uint8))
        assert not (seen & ~valid).any()
        assert np.array_equal((image > 200) & (valid > 0), (image > 200) & (seen > 0) & (valid > 0))
        assert not (seen[(image < 50) & (valid > 0)]).any()


def test_pixels_without_origin_are_dropped():
    shifted = warp.Warp((100, 100), [warp.shift_scale_rotate((100, 100), (0, 0.25), 1, 0)])
    mask = np.full((100, 100), 255, np.uint8)
    valid = shifted.drop_invalid(mask)
    assert not valid[:, :25].any()
    assert valid[:, 25:].all()
    assert mask.all()


def test_extreme_points_are_survived():
    image = noise((9, 9))
    collapsed = warp.Warp((9, 9), [warp.zoom((4, 4), 1e-12)])
    assert collapsed.image(image, Box(0, 0, 9, 9)).shape == (9, 9, 3)
    assert collapsed.mask(np.full((9, 9), 255, np.uint8)).shape == (9, 9)
