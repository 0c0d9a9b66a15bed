import itertools

import cv2
import numpy as np
import pytest
from common import as_type, call, checked, frame_and_draw, make, photograph
from seeds import seeds

from pail import pai
from pail.core.ops import Box
from pail.core.sampler import Sampler
from pail.sbi.fractal.chaos_game import Game, barnsley_maps, play, random_maps
from pail.sbi.fractal.technique import Cut, Rotation, _add_noise, _fractal, _jitter, _pad, _paste

GAME = Game(0j, 10_000, "random", 2)


def insert(image, seed=0, source=None, *, severity=None, roi=None, **options):
    frame, draw = frame_and_draw(image, seed, severity=severity, roi=roi)
    return make("fract_aug", frame, draw, source, **options), draw.drawn


def fractals(side, image_side=256, count=250, game=GAME):
    frame, _ = frame_and_draw(np.zeros((image_side, image_side), np.uint8))
    for seed in seeds("fractals", count):
        draw = Sampler(np.random.default_rng(seed))
        angle = draw.uniform("angle", 15, 75)
        yield _pad(_fractal(frame, draw, game, side, angle), side, 0, image_side).texture


@pytest.mark.parametrize(("side", "mean"), [(26, 0.49), (77, 0.31), (128, 0.24)])
def test_the_fill_of_the_square_is_the_papers(side, mean):
    fills = np.array([np.mean(mask > 0) for mask in fractals(side)])
    assert abs(fills.mean() - mean) < 0.04
    if side == 77:
        assert np.allclose(np.quantile(fills, (0.05, 0.5, 0.95)), (0.13, 0.32, 0.57), atol=0.06)
    assert fills.min() > 0.02


@pytest.mark.parametrize("image_side", [1024, 4096])
def test_the_fill_holds_at_other_sizes(image_side):
    side = round(0.3 * image_side)
    fills = np.mean([np.mean(mask > 0) for mask in fractals(side, image_side, 60)])
    same = np.mean([np.mean(mask > 0) for mask in fractals(round(0.3 * 256), 256, 60)])
    assert abs(fills - same) < 0.03


def test_the_shapes_are_fractal():
    """The box-counting dimension over boxes of 2 to 16 pixels lies between a curve's and a surface's."""
    dimensions = []
    for mask in fractals(128, count=80):
        counts = [
            np.count_nonzero(mask.reshape(128 // box, box, 128 // box, box).any(axis=(1, 3))) for box in (2, 4, 8, 16)
        ]
        dimensions.append(-np.polyfit(np.log((2, 4, 8, 16)), np.log(counts), 1)[0])
    assert np.mean(np.array(dimensions) > 1.1) > 0.95
    assert 1.2 < np.median(dimensions) < 1.9
    assert max(dimensions) < 2


def test_therandom_maps_have_the_singular_values_of_the_paper():
    rng = np.random.default_rng(0)
    for count in (2, 3, 12):
        for _ in range(60):
            maps, chances = random_maps(rng, count)
            values = np.linalg.svd(maps[:, :4].reshape(count, 2, 2), compute_uv=False)
            assert values.max() <= 1 + 1e-9
            assert (5 + count) / 2 - 1e-9 <= (values @ (1, 2)).sum() <= (6 + count) / 2 + 1e-9
            assert np.abs(maps[:, 4:]).max() <= 1
            area = values.prod(axis=1)
            assert np.allclose(chances, area / area.sum(), atol=1e-6)


def test_the_chaos_game_stays_on_the_attractor():
    """Each point comes from one of the maps; a game of halvings toward three corners leaves Sierpinski's holes."""
    maps = np.array([(0.5, 0, 0, 0.5, e, f) for e, f in ((0, 0), (0.5, 0), (0.25, 0.5))])
    for start in (0j, 1000 + 1000j):
        points = play(np.random.default_rng(0), Game(start, 10_000, "random", 3), maps, np.full(3, 1 / 3))
        assert points.shape == (10_000,)
        assert -1e-3 < points.real.min() < 0.02 and 0.98 < points.real.max() < 1.001
        assert not ((np.abs(points.real - 0.5) < 0.05) & (np.abs(points.imag - 0.3) < 0.1)).any()
        shares = [np.mean(points.imag > 0.5), np.mean((points.imag < 0.5) & (points.real < 0.5))]
        assert np.allclose(shares, 1 / 3, atol=0.03)


@pytest.mark.parametrize("iterations", [1, 7, 511, 513, 10_000, 60_001])
def test_as_many_points_as_iterations(iterations):
    rng = np.random.default_rng(0)
    assert len(play(rng, GAME._replace(iterations=iterations), *random_maps(rng, 2))) == iterations


def test_barnsleys_maps_come_from_the_fern():
    rng = np.random.default_rng(0)
    firsts = []
    for _ in range(300):
        maps, chances = barnsley_maps(rng)
        assert maps.shape == (4, 6) and abs(chances.sum() - 1) < 1e-9 and chances.min() >= 0
        firsts.append(chances[0])
    assert min(firsts) >= 0.005 and max(firsts) <= 0.85 and abs(np.mean(firsts) - 0.4275) < 0.05
    fills = [np.mean(mask > 0) for mask in fractals(77, count=100, game=GAME._replace(system="barnsley"))]
    assert min(fills) > 0 and 0.05 < np.mean(fills) < 0.35


def test_the_anomaly_lies_in_a_square_inside_the_margin():
    image = photograph(256, 320)
    sides, noisy = [], 0
    for seed in seeds("squares", 300):
        (box, _, mask, opacity), drawn = insert(image, seed)
        side = int(drawn["size"][0] * 256)
        reach = 3 * drawn["noise"][0]
        top, left = drawn["top"][0] - reach, drawn["left"][0] - reach
        assert opacity == 1 and box.top >= top and box.left >= left
        assert box.top + box.height <= top + side + 2 * reach and box.left + box.width <= left + side + 2 * reach
        assert 25 <= drawn["top"][0] <= 231 - side and 32 <= drawn["left"][0] <= 288 - side
        assert 15 <= drawn["angle"][0] <= 75 and mask.any()
        sides.append(drawn["size"][0])
        noisy += drawn["noise"][0]
    steps = np.arange(1, 301) / 300
    assert np.abs((np.sort(sides) - 0.1) / 0.4 - steps).max() < 0.1
    assert abs(noisy / 300 - 0.5) < 0.1


def test_the_noise_covers_the_dilated_fractal_and_nothing_else():
    image = np.full((256, 256, 3), 120, np.uint8)
    for seed in range(30):
        (box, content, mask, _), drawn = insert(image, seed)
        if not drawn["noise"][0]:
            assert content.dtype == np.uint8
            continue
        i_a, m_a = call("fract_aug", image, rng=seed)
        change = i_a.astype(int) - image
        halo = cv2.subtract(m_a[..., 0], cv2.erode(m_a[..., 0], np.ones((3, 3), np.uint8))) > 0
        assert np.array_equal(change[..., 0][halo], change[..., 2][halo])
        assert 7 < change[halo].std() < 13 and abs(change[halo].mean()) < 3
        assert mask.shape == (box.height, box.width)


def test_noise_dilation_and_rotation_follow_their_options():
    image = np.full((256, 256, 3), 120, np.uint8)
    seed = next(seed for seed in seeds("options", 20) if insert(image, seed)[1]["noise"][0])
    plain, calm, wide, noisy = (
        insert(image, seed, **options)[0]
        for options in ({"dilate": 0}, {"noise_amp": 0}, {"dilate": 8}, {"dilate": 0, "noise_amp": 30})
    )
    sizes = [insertion.box.height for insertion in (plain, calm, wide)]
    assert np.diff(sizes).tolist() == [6, 10]  # three and eight pixels on either side
    assert len(np.unique(calm.content)) < 5 < len(np.unique(plain.content))
    spread = [insertion.content[insertion.mask > 0].astype(float).std(axis=0).max() for insertion in (plain, noisy)]
    assert spread[1] > 2 * spread[0]
    angles = [insert(image, seed, rotation=(-80, -70))[1]["angle"][0] for seed in seeds("rotation", 10)]
    assert min(angles) >= -80 and max(angles) <= -70


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_noise_is_normal_and_the_same_in_all_channels(dtype):
    content, mask = np.full((300, 400, 3), 120, dtype), np.full((300, 400), 255, np.uint8)
    mask[:, 200:] = 0
    noise = _add_noise(content, mask, np.random.default_rng(0), 10.0).astype(float) - 120
    assert not noise[:, 200:].any() and not np.ptp(noise, axis=2).any()
    values = noise[:, :200, 0] / 10
    assert abs(values.mean()) < 0.02 and abs(values.std() - 1) < 0.02
    assert abs(np.mean(values**4) - 3) < 0.15 and 3.6 < values.max() < 5


def test_dilation_grows_the_support_and_follows_the_image():
    fractal = np.zeros((40, 40), np.uint8)
    fractal[20, 20] = 255
    for image_side, side, reach in ((256, 40, 3), (64, 40, 1), (1024, 160, 12)):
        cut = _pad(fractal, side, 3, image_side)
        rows = np.flatnonzero(cut.support.any(axis=1))
        assert cut.support.shape == (side + 2 * cut.pad,) * 2 and cut.pad == reach
        assert abs(len(rows) - (2 * reach + side / 40)) <= 2
        assert not (cut.texture & ~cut.support).any()


def test_without_jitter_and_noise_the_texture_is_the_rotated_square():
    """A quarter turn and mirrors need no interpolation, so every pixel can be told."""
    image = photograph(60, 60)
    frame, _ = frame_and_draw(image)
    texture = image[10:30, 15:35]
    whole = np.full((20, 20), 255, np.uint8)
    for rows, columns, angle in itertools.product((False, True), (False, True), (0, 90, 180)):
        square = Box(5, 8, 20, 20)
        content = _paste(frame, texture, Cut(whole, whole, 0), Rotation(rows, columns, angle), square, square)
        mirrored = texture[:: -1 if rows else 1, :: -1 if columns else 1]
        assert np.abs(content.astype(int) - np.rot90(mirrored, angle // 90)).max() <= 1
        part = square._replace(top=9, left=10, height=7, width=11)
        inner = _paste(frame, texture, Cut(whole, whole, 0), Rotation(rows, columns, angle), square, part)
        assert np.array_equal(inner, content[4:11, 2:13])


def test_one_of_three_changes_of_the_colors():
    texture = np.full((8, 8, 3), (100, 150, 50), np.uint8)
    kinds = []
    for seed in seeds("jitter", 300):
        draw = Sampler(np.random.default_rng(seed))
        result = _jitter(texture, draw, 255.0)
        kinds.append(draw.drawn["jitter"][0])
        if kinds[-1] == "channels":
            expected = texture[0, 0].astype(float)
            assert len(set(draw.drawn["channels"][0])) == 2
            for channel, gain in zip(draw.drawn["channels"][0], draw.drawn["gain"], strict=True):
                expected[channel] = min(expected[channel] * gain, 255)
            assert np.abs(result[0, 0] - expected).max() <= 1
    assert min(kinds.count(kind) for kind in ("color", "light", "channels")) > 70


@pytest.mark.filterwarnings("ignore:`image` has values")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [(20, 30), (64, 64), (300, 200)])
def test_the_texture_comes_from_the_source(dtype, size):
    image = as_type(np.zeros((64, 64, 3), np.uint8), dtype)
    source = np.zeros((*size, 3), np.uint8)
    source[..., 1] = 200
    greens = []
    for seed in range(20):
        i_a, m_a = call("fract_aug", image, source, rng=seed, noise_amp=0, margin=0)
        inside = i_a[m_a[..., 0] > 0].astype(float)
        greens.append(inside[:, 1].mean() > 2 * inside[:, 0].mean())
    assert np.mean(greens) > 0.6


def test_the_source_is_laid_over_the_image_as_if_resized():
    image = np.zeros((120, 120), np.uint8)
    source = np.zeros((60, 240), np.uint8)
    source[:, 120:] = 255
    for seed in range(40):
        (_, content, mask, _), drawn = insert(image, seed, source[..., None], noise_amp=0)
        if drawn["noise"][0]:
            continue
        left, side = drawn["source_left"][0], int(drawn["size"][0] * 120)
        values = content[mask > 0]
        if left >= 60:
            assert len(np.unique(values)) == 1
        if left + side <= 60:
            assert not values.any()


def test_the_mask_depends_neither_on_dtype_nor_on_channels():
    color = photograph(100, 90)
    for seed in range(10):
        expected = call("fract_aug", color, rng=seed)[1]
        for image in (as_type(color, "uint16"), as_type(color, "float32"), color[..., 0], np.dstack([color] * 3)):
            assert np.array_equal(call("fract_aug", image, rng=seed)[1], expected)


def test_floats_keep_their_levels():
    image = np.tile(np.linspace(0.2, 0.6, 256, dtype=np.float32), (256, 1))
    i_a, m_a = call("fract_aug", image, rng=2, size_range=(0.5, 0.5))
    assert len(np.unique(i_a[m_a[..., 0] > 0])) > 1000


def test_a_call_does_not_know_the_calls_before_it():
    image = photograph(96, 96)
    anomaly_insertion = pai.Anomaly_Insertion()
    first = anomaly_insertion.fract_aug(image, rng=3)
    for _ in range(50):
        anomaly_insertion.fract_aug(image)
    again = anomaly_insertion.fract_aug(image, rng=3)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])


@pytest.mark.parametrize("gray", [0, 128, 255])
def test_a_constant_image_is_changed(gray):
    image = np.full((96, 96, 3), gray, np.uint8)
    assert all((call("fract_aug", image, rng=seed)[0] != image).any() for seed in range(40))


def test_in_an_roi_half_of_the_anomaly_lies_inside():
    roi = np.zeros((128, 128), np.uint8)
    roi[64:, :70] = 255
    for seed in range(40):
        (box, _, mask, _), _ = insert(photograph(128, 128), seed, roi=roi, size_range=(0.1, 0.4))
        assert np.count_nonzero(mask & roi[box.slices]) >= np.count_nonzero(mask) / 2


def test_severity_grows_the_area_and_the_strength():
    image = photograph(128, 128)
    areas, changes = [], []
    for severity in (0, 0.25, 0.5, 0.75, 1):
        pairs = [call("fract_aug", image, rng=seed, severity=severity) for seed in range(60)]
        areas.append(np.mean([np.count_nonzero(m_a) for _, m_a in pairs]))
        changes.append(np.mean([cv2.absdiff(i_a, image).mean() for i_a, _ in pairs]))
    assert areas == sorted(set(areas)) and changes == sorted(set(changes))


def test_few_points_and_far_starts_still_give_a_mask():
    image = photograph(128, 128)
    for options in ({"iterations": 1}, {"iterations": 30}, {"initial_point": (1e6, -1e6)}, {"n_maps": 40}):
        for seed in range(10):
            assert call("fract_aug", image, rng=seed, **options)[1].any()
    fallbacks = ["maps" not in insert(image, seed)[1] for seed in seeds("fallbacks", 200)]
    assert np.mean(fallbacks) < 0.01


def test_a_square_stands_in_for_a_fractal_that_stays_empty():
    roi = np.zeros((96, 128), np.uint8)
    roi[40:72, 70:110] = 255
    for seed in range(20):
        (box, content, mask, _), drawn = insert(photograph(96, 128), seed, roi=roi, iterations=1)
        assert "maps" not in drawn and mask is None
        assert box[2:] == (2, 2) and content.shape == (2, 2, 3) and roi[box.slices].all()


def test_as_many_maps_as_asked_for():
    for count in (2, 3, 7):
        maps, chances = (insert(photograph(64, 64), 1, n_maps=count)[1][name][0] for name in ("maps", "chances"))
        assert len(maps) == len(chances) == count and abs(sum(chances) - 1) < 1e-9
    assert len(insert(photograph(64, 64), 1, n_maps=7, system="barnsley")[1]["maps"][0]) == 4


SHAPES = [(1, 1), (1, 9), (2, 3), (3, 3), (8, 8), (7, 255), (41, 30, 1), (33, 47, 5), (20, 20, 16), (9, 9, 2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("system", ["random", "barnsley"])
def test_every_size(shape, system):
    for seed, severity in enumerate((None, None, None, 0, 0.5, 1)):
        image = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        options = {"size_range": (1, 1), "margin": 0.49} if seed == 2 else {}
        checked("fract_aug", image, rng=seed, severity=severity, system=system, **options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"initial_point": (0, float("nan"))}, ValueError),
        ({"initial_point": (0, float("inf"))}, ValueError),
        ({"initial_point": 0}, TypeError),
        ({"initial_point": (0, 0, 0)}, ValueError),
        ({"iterations": 0}, ValueError),
        ({"iterations": 10.5}, TypeError),
        ({"system": "fern"}, ValueError),
        ({"system": 3}, TypeError),
        ({"n_maps": 1}, ValueError),
        ({"size_range": (0, 0.5)}, ValueError),
        ({"rotation": 15}, TypeError),
        ({"noise_amp": -1}, ValueError),
        ({"margin": 0.5}, ValueError),
        ({"dilate": 1.5}, TypeError),
    ],
)
def test_wrong_options_are_named(options, error):
    with pytest.raises(error, match=f"`{next(iter(options))}"):
        call("fract_aug", photograph(32, 32), **options)
