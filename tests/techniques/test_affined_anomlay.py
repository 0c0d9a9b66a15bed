import zlib

import cv2
import numpy as np
import pytest
from common import call, frame_and_draw, make, photograph

from pail import pai
from pail.core.composite import composite
from pail.core.sampler import Sampler
from pail.sfi.affined.damage import DAMAGES, Canvas, damage
from pail.sfi.affined.similarity import similarities

FREE = {"ssim_threshold": 2.0}  # every tile is accepted


@pytest.fixture
def seeds(request):
    """Seeds for one test; the first numbers of the seeds 0, 1, 2, ... are too high."""
    return lambda count: [(zlib.crc32(request.node.originalname.encode()), i) for i in range(count)]


def drawn(image, source, seed, roi=None, severity=None, **options):
    """The outputs and the numbers that were drawn."""
    frame, draw = frame_and_draw(image, seed)
    frame.roi, draw.severity = roi, severity
    i_a, m_a = composite(frame, make("affined_anomlay", frame, draw, source, **options))
    return i_a, m_a[..., 0] > 0, draw.drawn


def touched(mask, side):
    """The tiles that the mask overlaps."""
    rows, columns = (-(-size // side) * side for size in mask.shape)
    whole = np.zeros((rows, columns), bool)
    whole[: mask.shape[0], : mask.shape[1]] = mask
    return whole.reshape(rows // side, side, columns // side, side).any(axis=(1, 3)).ravel()


def test_tiles_are_drawn_with_their_size_and_chance(seeds):
    image = photograph(256, 256)
    sizes, shares = [], []
    for seed in seeds(200):
        _, mask, numbers = drawn(image, None, seed, variant="AA", **FREE)
        side, tiles = numbers["tile"][0], numbers["tiles"][0]
        sizes.append(side)
        found = np.flatnonzero(touched(mask, side))
        assert set(found) <= set(tiles.tolist())
        assert len(found) > 0.95 * len(tiles)
        shares.append(len(tiles) * side**2 / 65536)
    assert {side: sizes.count(side) > 30 for side in (8, 16, 32, 64)} == dict.fromkeys((8, 16, 32, 64), True)
    assert 0.47 < np.mean(shares) < 0.53


def test_coverage_is_that_of_the_original(seeds):
    for size in (1 / 32, 1 / 8, 1 / 4):
        shares = [drawn(photograph(256, 256), None, seed, patch_sizes=(size,), **FREE)[1].mean() for seed in seeds(30)]
        assert 0.19 < np.mean(shares) < 0.28


@pytest.mark.parametrize("shape", [(200, 300), (257, 311), (7, 255), (61, 20)])
def test_tiles_at_the_border_are_cut_off(shape, seeds):
    image, reached = photograph(*shape), np.zeros(shape, bool)
    for seed in seeds(40):
        _, mask, numbers = drawn(image, None, seed, p_patch=1.0, patch_sizes=(1 / 4,), **FREE)
        side = numbers["tile"][0]
        assert len(numbers["tiles"][0]) == -(-shape[0] // side) * -(-shape[1] // side)
        reached |= mask
    assert reached[-1].mean() > 0.6 and reached[:, -1].mean() > 0.6


def reference(image, mapping, tile, origin):
    """One tile the slow way: OpenCV's affine warp of the content and of ones."""
    target, source = (points[:, ::-1].astype(np.float32) for points in mapping)
    matrix = cv2.getAffineTransform(source, target)
    side = tile[0].stop - tile[0].start
    content = image[origin]
    ones = cv2.warpAffine(np.ones((side, side), np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST)
    return cv2.warpAffine(content, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), ones > 0


def test_tiles_are_affine_warps_of_whole_tiles(seeds):
    image = photograph(256, 256)
    agreeing, differences, own = [], [], []
    for seed in seeds(4):
        i_a, mask, numbers = drawn(image, None, seed, variant="AA", patch_sizes=(1 / 8,), **FREE)
        squares = [np.s_[32 * r : 32 * r + 32, 32 * c : 32 * c + 32] for r, c in np.ndindex(8, 8)]
        for tile, place, mapping in zip(
            numbers["tiles"][0], numbers["origins"][0], numbers["triangles"][0], strict=True
        ):
            warped, valid = reference(image, mapping, squares[tile], squares[place])
            agreeing.append((mask[squares[tile]] == valid).mean())
            both = valid & mask[squares[tile]]
            differences.append(np.abs(warped.astype(int) - i_a[squares[tile]])[both].mean() if both.any() else 0)
        own += (numbers["tiles"][0] == numbers["origins"][0]).tolist()
    assert np.mean(agreeing) > 0.98
    assert np.mean(differences) < 3
    assert 0.35 < np.mean(own) < 0.65


def test_triangles_are_never_degenerate():
    for size in (1 / 32, 1 / 4):
        for points in drawn(photograph(256, 256), None, 1, patch_sizes=(size,))[2]["triangles"]:
            edges = points[:, :, 1:] - points[:, :, :1]
            doubled = edges[..., 0, 0] * edges[..., 1, 1] - edges[..., 0, 1] * edges[..., 1, 0]
            assert np.abs(doubled).min() >= 0.05 * (size * 256) ** 2 - 1e-6


def test_similarity_is_that_of_scikit_image():
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (5, 20, 24, 1), np.uint8)
    other = np.clip(one + rng.normal(0, (5, 20, 40, 80, 160), (20, 24, 1, 5)).transpose(3, 0, 1, 2), 0, 255)
    other = other.astype(np.uint8)
    found = similarities(one, other, np.full((5, 20, 24), 255, np.uint8), 255)
    for index in range(5):
        expected = structural_similarity(
            one[index, ..., 0], other[index, ..., 0], data_range=255, use_sample_covariance=False
        )
        assert abs(found[index] - expected) < 0.02
    assert np.allclose(similarities(one, one, np.full((5, 20, 24), 255, np.uint8), 255), 1)


def test_similarity_looks_at_valid_pixels_only():
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (1, 16, 16, 3), np.uint8)
    other, valid = one.copy(), np.zeros((1, 16, 16), np.uint8)
    other[:, :, 8:] = 0
    valid[:, :, :8] = 255
    assert np.allclose(similarities(one, other, valid, 255), 1, atol=1e-3)


def test_the_threshold_drops_tiles_and_never_all(seeds):
    image = photograph(128, 128)
    areas = [
        np.mean([drawn(image, None, s, ssim_threshold=t)[1].mean() for s in seeds(20)]) for t in (-1, 0.3, 0.75, 2)
    ]
    assert 0 < areas[0] < areas[1] < areas[2] <= areas[3]


def test_black_content_counts(seeds):
    image = photograph(128, 128).copy()
    image[:, 64:] = 0
    image[..., 0] = 0
    masks = [drawn(image, None, seed, **FREE)[1] for seed in seeds(30)]
    assert (
        0.8 < np.mean([mask[:, 64:].mean() for mask in masks]) / np.mean([mask[:, :64].mean() for mask in masks]) < 1.25
    )


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(64, 64, 3), (64, 64), (1, 1), (64, 64, 5)])
def test_a_constant_image_is_recolored(value, shape, seeds):
    image = np.full(shape, value, np.uint8)
    for seed in seeds(8):
        i_a, mask, _ = drawn(image, None, seed)
        assert (i_a != image).any()
        assert np.array_equal(i_a[~mask], image[~mask])


def test_a_constant_image_is_not_recolored_where_warping_is_asked_for(seeds):
    image = np.full((64, 64, 3), 90, np.uint8)
    for seed in seeds(8):
        numbers = drawn(image, None, seed, variant="AA")[2]
        assert "level" not in numbers
        i_a, m_a = call("affined_anomlay", image, variant="AA", rng=seed)
        assert len(np.unique(i_a[m_a[..., 0] > 0])) == 1 and (i_a != image).any()  # shifted as a whole, to be seen


def test_recoloring_sets_one_channel_of_each_segment(seeds):
    image, counts = photograph(128, 128), []
    for seed in seeds(20):
        plain, mask, _ = drawn(image, None, seed, variant="AA")
        i_a, same, numbers = drawn(image, None, seed, variant="AAC")
        assert np.array_equal(mask, same)
        changed = (i_a != plain)[mask]
        assert changed.any(axis=1).mean() > 0.9 and changed.sum(axis=1).max() == 1
        for channel in (0, 1, 2):
            levels = np.unique(i_a[..., channel][mask][changed[:, channel]])
            assert len(levels) <= numbers["channel"].count(channel)
        counts.append(len(numbers["channel"]))
    assert 4 < np.mean(counts) <= 10
    channels = [c for seed in seeds(120) for c in drawn(image, None, seed, variant="AAC")[2]["channel"]]
    assert [0.25 < channels.count(c) / len(channels) < 0.42 for c in (0, 1, 2)] == [True] * 3


def test_the_second_name_recolors(seeds):
    image = photograph(64, 64)
    for seed in seeds(6):
        expected = call("affined_anomlay", image, variant="AAC", rng=seed)
        assert all(map(np.array_equal, pai.Anomaly_Insertion().affine_anom_color_change(image, rng=seed), expected))
    with pytest.raises(ValueError, match="`variant`"):
        pai.Anomaly_Insertion().affine_anom_color_change(image, variant="AA")


def test_variants(seeds):
    image, source = photograph(64, 64), photograph(64, 64, 1)
    variants = [drawn(image, None, seed)[2]["variant"][0] for seed in seeds(100)]
    assert 35 < variants.count("AA") < 65 and set(variants) == {"AA", "AAC"}
    assert "damaged" in drawn(image, source, 0)[2]
    for variant in ("AA", "AAC"):
        assert np.array_equal(drawn(image, source, 1, variant=variant)[0], drawn(image, None, 1, variant=variant)[0])
    with pytest.raises(ValueError, match="`variant` 'AAS' needs `anom_source_img`"):
        call("affined_anomlay", image, variant="AAS")


def test_the_source_fills_the_tiles(seeds):
    image, source = photograph(96, 150), photograph(40, 60, 1)
    resized = cv2.resize(source, (150, 96), interpolation=cv2.INTER_LINEAR)
    for seed in seeds(5):
        i_a, mask, _ = drawn(image, source, seed, p_damage=0.0)
        assert np.array_equal(i_a[mask], resized[mask])


def test_the_source_is_damaged_as_often_and_as_much_as_asked_for(seeds):
    image, source = photograph(64, 64), photograph(64, 64, 1)
    for p_damage, low, high in ((0, 0, 0), (0.2, 22, 58), (0.5, 75, 125), (1, 200, 200)):
        assert low <= sum(drawn(image, source, s, p_damage=p_damage)[2]["damaged"][0] for s in seeds(200)) <= high
    changes = []
    for n_damage in (0, 1, 5, 20):
        results = [drawn(image, source, seed, p_damage=1, n_damage=n_damage) for seed in seeds(30)]
        assert {len(numbers.get("damage", ())) for _, _, numbers in results} == {n_damage}
        changes.append(np.mean([(i_a != source).any(2)[mask].mean() for i_a, mask, _ in results]))
    assert changes[0] == 0 and np.all(np.diff(changes) > 0)


def test_resize_scales_the_tiles():
    image = photograph(256, 256)
    assert drawn(image, None, 0, patch_sizes=(1 / 4,), resize=(256, 256))[2]["tile"] == [64]
    assert drawn(image, None, 0, patch_sizes=(1 / 4,), resize=(512, 600))[2]["tile"] == [32]
    assert drawn(image, None, 0, patch_sizes=(1 / 256,))[2]["tile"] == [4]


def test_a_region_holds_the_share_that_an_image_would(seeds):
    image = photograph(256, 256)
    roi = np.zeros((256, 256), np.uint8)
    roi[30:190, 50:230] = 255
    free = np.mean([drawn(image, None, seed)[1].mean() for seed in seeds(40)])
    held = [drawn(image, None, seed, roi=roi)[1] for seed in seeds(40)]
    assert not any((mask & (roi == 0)).any() for mask in held)
    assert 0.8 * free < np.mean([mask.sum() for mask in held]) / np.count_nonzero(roi) < 1.25 * free
    roi[...] = 0
    roi[201, 77] = 255
    for seed in seeds(10):
        assert np.argwhere(drawn(image, None, seed, roi=roi)[1]).tolist() == [[201, 77]]


def test_severity_grows_area_and_difference(seeds):
    image, source = photograph(96, 96), photograph(96, 96, 1)
    areas, changes = [], []
    for severity in (0, 0.25, 0.5, 0.75, 1):
        results = [drawn(image, source, seed, severity=severity) for seed in seeds(60)]
        areas.append(np.mean([mask.mean() for _, mask, _ in results]))
        changes.append(np.mean([np.abs(i_a.astype(int) - image)[mask].mean() for i_a, mask, _ in results]))
    assert np.all(np.diff(areas) > 0) and np.all(np.diff(changes) > 0)


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 1, 1), np.uint8), ((2, 3, 3), np.float32), ((90, 130, 5), np.float32)]
)
def test_damages_keep_size_and_range(name, shape, dtype, seeds):
    rng = np.random.default_rng(0)
    max_value = 255 if dtype == np.uint8 else 4095.0
    pixels = (rng.random(shape) * max_value).astype(dtype)
    for seed in seeds(5):
        result = DAMAGES[name](Canvas(pixels.copy(), max_value), Sampler(np.random.default_rng(seed)))
        assert result.shape == shape and result.dtype == dtype
        assert result.min() >= 0 and result.max() <= max_value


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_changes_a_part_of_the_picture(name, seeds):
    image = photograph(256, 256)
    shares = [
        np.mean((DAMAGES[name](Canvas(image.copy(), 255), Sampler(np.random.default_rng(s))) != image).any(2))
        for s in seeds(10)
    ]
    assert np.mean(shares) > 0.001
    if name in ("scratch", "thread", "crack", "fold", "cut"):
        assert np.mean(shares) < 0.2


def test_there_are_seventeen_damages_equally_likely():
    draw = Sampler(np.random.default_rng(0))
    image = photograph(32, 32)
    result = damage(image, draw, 255, 600)
    assert result.shape == image.shape and not np.shares_memory(result, image)
    counts = [draw.drawn["damage"].count(name) for name in DAMAGES]
    assert len(counts) == 17 and sum(counts) == 600 and min(counts) > 15 and max(counts) < 60


def test_damages_grow_with_the_picture(seeds):
    for name in ("hole", "oily_spot", "cut"):
        shares = []
        for side in (128, 512):
            white = np.full((side, side, 3), 255, np.uint8)
            results = [DAMAGES[name](Canvas(white.copy(), 255), Sampler(np.random.default_rng(s))) for s in seeds(20)]
            shares.append(np.mean([(result != 255).any(2).mean() for result in results]))
        assert abs(shares[0] / shares[1] - 1) < 0.25


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("resize", 256, TypeError),
        ("patch_sizes", (), ValueError),
        ("patch_sizes", (0,), ValueError),
        ("patch_sizes", (2,), ValueError),
        ("p_patch", 1.5, ValueError),
        ("ssim_threshold", "x", TypeError),
        ("variant", "ABC", ValueError),
        ("variant", 3, TypeError),
        ("p_damage", -1, ValueError),
        ("n_damage", 1.5, TypeError),
    ],
)
def test_wrong_options_are_named(name, value, error):
    with pytest.raises(error, match=f"`{name}"):
        call("affined_anomlay", photograph(32, 32), **{name: value})
