"""Perlin and simplex noise against their definitions and the papers' numbers."""

import math

import numpy as np
import pytest
from common import frame_and_draw, photograph
from seeds import seeds

from pail.pixels.noise import Noise, PerlinOptions, draw_noise, perlin_mask
from pail.sfi.simplex_noise.noise import simplex


def plain_perlin(noise):
    """The definition, pixel by pixel: the position of a pixel after rotation, and the four gradients around it."""
    (height, width), turn = noise.shape, math.radians(noise.angle)
    fade = lambda t: 6 * t**5 - 15 * t**4 + 10 * t**3  # noqa: E731
    nodes, values = noise.gx.shape, np.empty(noise.shape)
    for i in range(height):
        for j in range(width):
            down, right = i - (height - 1) / 2, j - (width - 1) / 2
            y = (height - 1) / 2 + right * math.sin(turn) + down * math.cos(turn)
            x = (width - 1) / 2 + right * math.cos(turn) - down * math.sin(turn)
            y, x = y * noise.pitch[0] + noise.start[0], x * noise.pitch[1] + noise.start[1]
            r, c = math.floor(y), math.floor(x)
            fy, fx = y - r, x - c
            corner = []
            for a in (0, 1):
                for b in (0, 1):
                    node = (r + a) % nodes[0], (c + b) % nodes[1]
                    corner.append(noise.gx[node] * (fx - b) + noise.gy[node] * (fy - a))
            top = (1 - fade(fx)) * corner[0] + fade(fx) * corner[1]
            bottom = (1 - fade(fx)) * corner[2] + fade(fx) * corner[3]
            values[i, j] = math.sqrt(2) * ((1 - fade(fy)) * top + fade(fy) * bottom)
    return values


@pytest.mark.parametrize("shape", [(64, 64), (40, 56), (9, 300), (300, 9), (1, 30), (1, 1)])
@pytest.mark.parametrize("angle", [0.0, 1e-9, 33.0, 90.0, -71.0, 180.0, 360.0])
def test_perlin_is_its_definition(shape, angle):
    noise = Noise.drawn(shape, (1, 1), np.random.default_rng(3), angle)
    values = noise.values()
    assert values.dtype == np.float32 and values.shape == shape
    expected = plain_perlin(noise)
    slope = 0 if angle == 0 else 2.2 * max(noise.pitch)  # of the noise, over the half pixel that the nearest is away
    assert np.abs(values - expected).max() < 3e-6 + slope
    assert np.mean(values - expected) < 3e-6 + slope / 4
    assert np.array_equal(noise.above(0.2) > 0, values > 0.2)


@pytest.mark.parametrize("shape", [(100, 2600), (1500, 90)])
def test_a_long_image_is_made_in_parts_without_seams(shape):
    for angle in (45.0, -20.0):
        noise = Noise.drawn(shape, (2, 1), np.random.default_rng(5), angle)
        values = noise.values()
        assert max(np.abs(np.diff(values, axis=axis)).max() for axis in (0, 1)) < 0.12
        assert np.mean((noise.above(0.3) > 0) != (values > 0.3)) < 0.01


def test_perlin_range():
    values = [Noise.drawn((64, 64), (2, 2), np.random.default_rng(s)).values() for s in seeds("perlin range", 200)]
    assert -1.001 < np.min(values) < -0.8 and 0.8 < np.max(values) < 1.001


def first_draws(shape, rotation, count=500):
    """Coverage of the noise above 0.5 at the first draw, empty ones included."""
    covers = []
    for seed in seeds("perlin cover", count):
        _, draw = frame_and_draw(np.zeros(shape, np.uint8), seed)
        covers.append(np.mean(draw_noise(draw, shape, (0, 5), rotation).above(0.5) > 0))
    return np.array(covers)


@pytest.mark.parametrize(
    ("shape", "rotation", "empty", "mean", "median"),
    [
        ((256, 256), None, 0.044, 0.057, 0.054),
        ((256, 256), (-90, 90), 0.049, 0.052, 0.047),
        ((64, 64), (-90, 90), 0.049, 0.054, 0.052),
        ((64, 64), None, 0.044, 0.057, 0.054),
    ],
)
def test_coverage_of_draems_threshold(shape, rotation, empty, mean, median):
    covers = first_draws(shape, rotation)
    filled = covers[covers > 0]
    assert abs(np.mean(covers == 0) - empty) < 0.03
    assert abs(filled.mean() - mean) < 0.006
    assert abs(np.median(filled) - median) < 0.007


def test_masks_are_redrawn_until_they_hold_something():
    for seed in seeds("perlin masks", 300):
        frame, draw = frame_and_draw(np.zeros((32, 32), np.uint8), seed)
        assert perlin_mask(frame, draw, PerlinOptions(rotation=(-90, 90))).any()
    frame, draw = frame_and_draw(np.zeros((32, 32), np.uint8))
    assert 0 < np.mean(perlin_mask(frame, draw, PerlinOptions(threshold=1.0)) > 0) < 0.1  # nothing exceeds 1


def test_the_random_threshold_covers_at_most_half():
    for seed in range(100):
        frame, draw = frame_and_draw(np.zeros((48, 48), np.uint8), seed)
        assert 0 < np.mean(perlin_mask(frame, draw, PerlinOptions(threshold="random")) > 0) <= 0.5


@pytest.mark.parametrize("shape", [(500, 700), (64, 64), (3, 400)])
def test_parts_of_the_noise_are_the_noise(shape):
    """Strips, the mask and the sample come from the same values."""
    noise = Noise.drawn(shape, (min(5, shape[0]), 7), np.random.default_rng(1))
    values, step = noise.values(), noise.sample_step
    assert np.abs(noise.values(step) - values[::step, ::step]).max() < 1e-6
    assert np.mean((noise.above(0.3) > 0) != (values > 0.3)) < 1e-3


def test_masks_of_large_images_are_enlarged():
    """Masks from every second pixel and from every pixel differ only along the outline."""
    for seed in range(3):
        noise = Noise.drawn((2304, 2100), (16, 32), np.random.default_rng(seed), 20.0)
        assert np.mean((noise.above(0.5) > 0) != (noise.values() > 0.5)) < 0.005


def test_simplex_octaves():
    fields = np.stack([simplex((96, 96, 3), 32, 6, 0.6, np.random.default_rng(s)) for s in seeds("simplex", 20)])
    assert abs(fields.std() - 0.43) < 0.05
    assert abs(fields.mean()) < 0.05
    assert np.abs(fields).max() < 2.383
    assert np.corrcoef(fields[:, :, 1:].ravel(), fields[:, :, :-1].ravel())[0, 1] > 0.9
    assert np.corrcoef(fields[..., 0].ravel(), fields[..., 1].ravel())[0, 1] > 0.9


def test_simplex_is_opensimplex():
    from opensimplex import OpenSimplex

    from pail.sfi.simplex_noise import _kernel as _simplex

    reference = OpenSimplex(7)
    steps = np.arange(20) / 8
    expected = reference.noise3array(steps, steps[:9], steps[:3])
    noise = np.zeros((9, 20, 3), np.float32)
    _simplex.octaves(noise, 1 / 8, 1, 0.5, 0, 1, reference._perm, reference._perm_grad_index3)
    assert np.abs(np.moveaxis(expected, 0, 2) - noise).max() < 1e-6


@pytest.mark.parametrize("wavelength", [32, 50, 128, 512])
def test_long_waves_on_a_coarse_grid(wavelength):
    """Every fourth pixel and cubic interpolation, against every pixel."""
    from pail.sfi.simplex_noise import _kernel as _simplex

    for seed in range(5):
        fast = simplex((61, 83, 3), wavelength, 6, 0.6, np.random.default_rng(seed))
        plain = np.zeros(fast.shape, np.float32)
        _simplex.octaves(plain, 1 / wavelength, 6, 0.6, 0, 1, *_simplex.permutation(np.random.default_rng(seed)))
        assert np.abs(fast - plain).max() < 0.02  # times 0.2 x 255: a gray level


def test_perlin_mask_has_the_images_size_whatever_the_working_size():
    frame, draw = frame_and_draw(photograph(50, 70))
    assert perlin_mask(frame, draw, shape=(16, 16)).shape == (50, 70)
