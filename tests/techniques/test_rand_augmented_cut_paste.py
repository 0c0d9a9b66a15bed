import zlib

import cv2
import numpy as np
import pytest
from common import call, checked, frame_and_draw, make, photograph

from pail.core.composite import composite
from pail.core.source import as_source
from pail.pixels.noise import perlin_mask
from pail.sbi.rand_augmented import operations, pieces, warp
from pail.sbi.rand_augmented import technique as module
from pail.sbi.rand_augmented.operations import OPERATIONS

NAME = "rand_augmented_cut_paste"
PLAIN = {"n_aug": 0, "elastic": False}  # the source as it is


@pytest.fixture
def seeds(request):
    """The requested number of seeds that no other test uses; the first uniform numbers of 0, 1, 2, ... are too high."""
    key = zlib.crc32(request.node.originalname.encode())
    return lambda count: [(key, i) for i in range(count)]


def inserted(image, source=None, seed=0, *, roi=None, severity=None, **options):
    frame, draw = frame_and_draw(image, seed, roi=roi, severity=severity)
    source = None if source is None else as_source(source, frame)
    i_a, m_a = composite(frame, make("rand_augmented_cut_paste", frame, draw, source, **options))
    return i_a, m_a[..., 0], draw


def coordinates(height, width):
    """A source whose pixels contain their coordinates."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint16)
    return np.dstack([rows, columns])


def square(shape, top, left, height, width):
    mask = np.zeros(shape, np.uint8)
    mask[top : top + height, left : left + width] = 255
    return mask


def two_spots(shape=(200, 160)):
    return square(shape, 10, 10, 20, 30) | square(shape, 170, 120, 12, 8)


def forced(monkeypatch, operation, image, seeds):
    """The results of the calls in which only this operation is drawn, by the names that it drew."""
    only = {operation: OPERATIONS[operation]}
    monkeypatch.setattr(operations, "OPERATIONS", only)
    for seed in seeds:
        i_a, mask, draw = inserted(
            image, image, seed, n_aug=1, elastic=False, source_mask=np.ones(image.shape[:2], bool)
        )
        yield i_a, mask, draw.drawn


def test_each_operation_is_drawn_in_three_of_ten_calls(seeds):
    image, picks = photograph(32, 32), []
    for seed in seeds(1000):
        picks.append(inserted(image, seed=seed)[2].drawn["operations"][0])
    assert all(len(set(pick)) == 3 for pick in picks)
    for name in OPERATIONS:
        assert 0.25 < np.mean([name in pick for pick in picks]) < 0.35
        assert 0.06 < np.mean([pick[0] == name for pick in picks]) < 0.14


def test_how_often_an_operation_acts(monkeypatch, seeds):
    image = photograph(24, 24)
    for name, chance in (("rotate90", 0.5), ("flip", 0.5), ("transpose", 0.5), ("shift_scale_rotate", 0.2)):
        acted = [drawn[name][0] for _, _, drawn in forced(monkeypatch, name, image, seeds(400))]
        assert abs(np.mean(acted) - chance) < 0.08
    shares = {"noise": (0.2, {"gauss": 0.1}), "blur": (0.2, {"motion": 0.1}), "distortion": (0.2, {"grid": 0.029})}
    for name, (chance, options) in {**shares, "sharpening": (0.3, {"clahe": 0.075})}.items():
        kinds = [drawn[name][0] for _, _, drawn in forced(monkeypatch, name, image, seeds(400))]
        assert abs(np.mean([kind is not None for kind in kinds]) - chance) < 0.08
        for option, share in options.items():
            assert abs(kinds.count(option) / len(kinds) - share) < 0.04
    k = [drawn["optical_k"][0] for _, _, drawn in forced(monkeypatch, "optical_distortion", image, seeds(400))]
    assert min(k) < -0.95 and max(k) > 0.95 and abs(np.mean(k)) < 0.1


def test_noise_has_the_drawn_strength(monkeypatch, seeds):
    image, seen = np.full((80, 80, 3), 128, np.uint8), set()
    for i_a, _, drawn in forced(monkeypatch, "noise", image, seeds(60)):
        change = i_a.astype(float) - 128
        kind = drawn["noise"][0]
        seen.add(kind)
        if kind is None:
            assert not change.any()
            continue
        std = drawn["noise_std"][0] if kind == "additive" else drawn["noise_variance"][0] ** 0.5
        assert abs(change.std() - std) < 0.06 * std + 0.1
        assert np.array_equal(change[..., 0], change[..., 1]) == (kind == "additive")
    assert seen == {None, "additive", "gauss"}


def test_blurs_smooth_and_sharpening_sharpens(monkeypatch, seeds):
    image = photograph(96, 96)
    edges = cv2.Laplacian(image, cv2.CV_32F).std()
    for i_a, _, drawn in forced(monkeypatch, "blur", image, seeds(60)):
        if drawn["blur"][0]:
            assert cv2.Laplacian(i_a, cv2.CV_32F).std() < edges
            assert abs(i_a.mean() - image.mean()) < 2
    for i_a, _, drawn in forced(monkeypatch, "sharpening", image, seeds(60)):
        if drawn["sharpening"][0] == "sharpen":
            assert cv2.Laplacian(i_a, cv2.CV_32F).std() > 1.3 * edges
        if drawn["sharpening"][0] == "brightness_contrast":
            expected = image * drawn["contrast"][0] + 255 * drawn["brightness"][0]
            assert np.abs(i_a - np.clip(expected, 0, 255)).max() <= 1


@pytest.mark.parametrize("operation", ["sharpening", "hue_saturation_value", "blur", "noise"])
def test_photometric_operations_do_the_same_to_fine_values(operation, monkeypatch, seeds):
    image = photograph(160, 160)
    coarse = list(forced(monkeypatch, operation, image, seeds(40)))
    fine = list(forced(monkeypatch, operation, image / np.float32(255), seeds(40)))
    between = cv2.add(image.astype(np.float32), 0.4) / np.float32(256)
    finer = list(forced(monkeypatch, operation, between, seeds(40)))
    for (a, _, drawn), (b, _, _), (c, _, _) in zip(coarse, fine, finer, strict=True):
        assert np.abs(a - b * 255.0).mean() < 2.5, drawn
        assert (np.abs(c * 255 - np.rint(c * 255)) > 0.05).any()


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 16])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_operation_takes_any_channels(channels, dtype, monkeypatch, seeds):
    image = np.random.default_rng(0).random((20, 30, channels))
    image = (image * 255).astype(np.uint8) if dtype == np.uint8 else image.astype(np.float32)
    for operation in OPERATIONS:
        for i_a, mask, _ in forced(monkeypatch, operation, image, seeds(25)):
            assert i_a.shape == image.shape and mask.any()
        monkeypatch.undo()


def test_without_foreground_the_mask_is_the_perlin_shape(seeds):
    image = photograph(128, 160)
    for seed in seeds(20):
        frame, draw = frame_and_draw(image, seed)
        draw.rng.permutation(len(OPERATIONS))
        shape = perlin_mask(frame, draw)
        i_a, mask, drawn = inserted(image, 255 - image, seed, in_fg_region=False, **PLAIN)
        if len(drawn.drawn["operations"]) == 1:
            assert np.array_equal(mask, shape)
            assert np.array_equal(i_a[mask > 0], 255 - image[mask > 0])


def test_a_source_mask_comes_along_with_its_pixels(seeds):
    image, spots = np.zeros((200, 160, 3), np.uint8), two_spots()
    source = np.repeat(spots[..., None], 3, axis=2)
    shares = []
    for seed in seeds(60):
        i_a, mask, _ = inserted(image, source, seed, source_mask=spots)
        shares.append((i_a[mask > 0] > 40).mean())
    assert np.mean(shares) > 0.93


def test_a_source_mask_may_have_the_sources_size():
    image, small = np.zeros((200, 160, 3), np.uint8), square((50, 40), 10, 20, 15, 10)
    source = np.repeat(small[..., None], 3, axis=2)
    i_a, mask, _ = inserted(image, source, source_mask=small, **PLAIN)
    assert np.array_equal(mask, cv2.resize(small, (160, 200), interpolation=cv2.INTER_NEAREST))
    assert (i_a[mask > 0] == 255).mean() > 0.8  # the rim is interpolated
    assert i_a[mask > 0].min() > 90
    dot = square((801, 641), 333, 222, 1, 1)
    assert inserted(image, source_mask=square((200, 160), 7, 9, 1, 1), seed=3, **PLAIN)[1].sum() == 255
    assert inserted(image, np.zeros((801, 641, 3), np.uint8), source_mask=dot, **PLAIN)[1].sum() == 255


def test_components_move_whole_with_their_pixels(monkeypatch, seeds):
    """Pieces outside the object are moved onto it: with the same shapes, and the same pixels as at their old places."""
    shape, foreground = (200, 160), square((200, 160), 60, 30, 110, 90)
    monkeypatch.setattr(module, "foreground_of", lambda frame: foreground)
    image = np.full((*shape, 2), 60_000, np.uint16)
    for seed in seeds(30):
        i_a, mask, _ = inserted(image, coordinates(*shape), seed, source_mask=two_spots(), **PLAIN)
        rows, columns = np.nonzero(mask)
        values = i_a[rows, columns].astype(int)
        shifts = {(int(r), int(c)) for r, c in values - np.column_stack([rows, columns])}
        assert len(shifts) == 2
        assert two_spots()[values[:, 0], values[:, 1]].all()
        assert not (mask[foreground == 0]).any()
        assert 20 * 30 <= np.count_nonzero(mask) <= 20 * 30 + 12 * 8


def test_pieces_reach_every_part_of_the_object(monkeypatch, seeds):
    foreground = square((200, 160), 60, 30, 110, 90)
    monkeypatch.setattr(module, "foreground_of", lambda frame: foreground)
    centers = []
    for seed in seeds(300):
        _, mask, _ = inserted(photograph(200, 160), seed=seed, source_mask=square((200, 160), 5, 5, 10, 10), **PLAIN)
        centers.append([np.nonzero(mask)[0].mean(), np.nonzero(mask)[1].mean()])
    centers = (np.array(centers) - [64.5, 34.5]) / [100, 80]
    assert centers.min() > -0.02 and centers.max() < 1.02
    assert np.abs(np.histogram(centers[:, 0], 4, (0, 1))[0] / 300 - 0.25).max() < 0.1
    assert np.abs(np.histogram(centers[:, 1], 4, (0, 1))[0] / 300 - 0.25).max() < 0.1


@pytest.mark.parametrize(("height", "moves"), [(80, False), (60, True)])
def test_two_thirds_on_the_object_stay_in_place(height, moves, monkeypatch, seeds):
    foreground = square((200, 160), 0, 0, height, 160)
    monkeypatch.setattr(module, "foreground_of", lambda frame: foreground)
    shape = square((200, 160), 20, 30, 80, 60)  # 60 of 80 or 40 of 80 rows on the object
    kept = [
        np.array_equal(inserted(photograph(200, 160), seed=s, source_mask=shape, **PLAIN)[1], shape) for s in seeds(10)
    ]
    assert (sum(kept) == 0) if moves else all(kept)


@pytest.mark.parametrize("box", [(10, 10, 40, 40), (100, 0, 4, 160), (0, 70, 200, 3), (77, 31, 1, 1), (199, 159, 1, 1)])
def test_a_users_region_holds_the_mask_and_half_of_its_area(box, seeds):
    image, region = photograph(200, 160), square((200, 160), *box)
    for seed in seeds(25):
        free = np.count_nonzero(inserted(image, seed=seed, in_fg_region=False)[1])
        for keywords in ({"mask": region}, {"mask": region > 0, "in_fg_region": False}):
            _, mask, _ = inserted(image, seed=seed, **keywords)
            assert not mask[region == 0].any()
            assert np.count_nonzero(mask) >= min(free // 2, np.count_nonzero(region))


def test_mask_and_roi_intersect():
    image, left, low = photograph(64, 64), square((64, 64), 0, 0, 64, 30), square((64, 64), 30, 0, 34, 64)
    _, m_a = call(NAME, image, mask=left, roi=low, rng=1)
    assert m_a.any() and not m_a[(left & low) == 0].any()
    with pytest.raises(ValueError, match="`mask`"):
        call(NAME, image, mask=left, roi=square((64, 64), 0, 40, 64, 20))


def test_specks_beyond_the_limit_move_as_one(monkeypatch):
    foreground = square((120, 120), 0, 0, 120, 50)
    monkeypatch.setattr(module, "foreground_of", lambda frame: foreground)
    specks = np.zeros((120, 120), bool)
    specks[::3, 60::3] = True
    monkeypatch.setattr(pieces, "MAX_PIECES", 20)
    _, mask, draw = inserted(photograph(120, 120), source_mask=specks, **PLAIN)
    assert len(draw.drawn["places"][0]) == 20
    assert np.count_nonzero(mask) > 0.9 * np.count_nonzero(specks)


def test_the_area_is_at_least_min_area(seeds):
    image = photograph(96, 96)
    smallest = [np.count_nonzero(inserted(image, seed=s, min_area=0.02)[1]) / 96**2 for s in seeds(150)]
    assert min(smallest) >= 0.02
    assert min(np.count_nonzero(inserted(image, seed=s)[1]) for s in seeds(150)) >= 9


def test_an_impossible_min_area_ends():
    _, mask, draw = inserted(photograph(64, 64), min_area=1)
    assert len(draw.drawn["operations"]) == module.TRIES
    assert mask.any()


def test_the_image_never_pastes_itself_unchanged(seeds):
    image = photograph(64, 64)
    for seed in seeds(60):
        for options in (PLAIN, {"n_aug": 1, "elastic": False}, {}):
            i_a, m_a = call(NAME, image, rng=seed, in_fg_region=False, **options)
            assert (i_a != image).any(axis=2)[m_a[..., 0] > 0].any()


def test_the_same_mask_for_every_dtype_and_number_of_channels(seeds):
    image = photograph(60, 90)
    others = [image[..., 0], image.astype(np.uint16) * 257, image / 255.0, np.dstack([image, image])]
    for seed in seeds(25):
        expected = inserted(image, seed=seed)[1]
        for other in others:
            assert np.array_equal(inserted(other, seed=seed)[1], expected)


@pytest.mark.parametrize("with_mask", [False, True])
def test_severity_makes_it_larger_and_stronger(with_mask, seeds):
    image = photograph(64, 64)
    options = {"source_mask": square((64, 64), 20, 24, 16, 20)} if with_mask else {}
    areas, changes = [], []
    for severity in (0, 0.25, 0.5, 0.75, 1):
        results = [inserted(image, 255 - image, seed, severity=severity, **options) for seed in seeds(100)]
        areas.append(np.mean([np.count_nonzero(mask) for _, mask, _ in results]))
        changes.append(np.mean([cv2.absdiff(i_a, image).mean() for i_a, _, _ in results]))
    assert (np.diff(areas) > 0.05 * areas[0]).all()
    assert (np.diff(changes) > 0.05 * changes[0]).all()


@pytest.mark.parametrize("name", ["mask", "in_fg_region", "source_mask", "n_aug", "elastic", "min_area"])
@pytest.mark.parametrize(
    "junk", ["x", 1.5, -1, float("nan"), object(), [], np.zeros((3, 3)), np.full((64, 64), 7, np.uint8)]
)
def test_junk_is_refused_by_name(name, junk):
    with pytest.raises((TypeError, ValueError), match=f"`{name}`"):
        call(NAME, photograph(64, 64), **{name: junk})


def test_a_source_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="`source_mask`"):
        call(NAME, photograph(64, 64), photograph(40, 40), source_mask=np.ones((40, 41), bool))
    with pytest.raises(ValueError, match="`mask`"):
        call(NAME, photograph(64, 64), mask=np.zeros((64, 64), bool))


def test_inputs_stay_as_they_are():
    image, source = photograph(64, 64), photograph(64, 64, 1)
    mask = square((64, 64), 0, 0, 60, 60)
    mask.flags.writeable = False
    for seed in range(30):
        before = mask.copy()
        inserted(image, source, seed, mask=mask, source_mask=mask, n_aug=seed % 4, elastic=bool(seed % 2))
        assert np.array_equal(mask, before)
    assert np.array_equal(image, photograph(64, 64)) and np.array_equal(source, photograph(64, 64, 1))


# --------------------------------------------------------------------------------------------------------------------
# Every keyword counts


@pytest.mark.parametrize("count", range(11))
def test_as_many_operations_as_asked_for(count):
    _, _, draw = inserted(photograph(48, 48), seed=5, n_aug=count, min_area=0)
    assert len(set(draw.drawn["operations"][0])) == len(draw.drawn["operations"][0]) == count


@pytest.mark.parametrize("operation", list(OPERATIONS))
def test_what_is_drawn_is_done(operation, monkeypatch, seeds):
    """If an operation is applied, the result differs from the source; otherwise it shows the source."""
    image, acted = photograph(64, 64), set()
    for i_a, _, drawn in forced(monkeypatch, operation, image, seeds(80)):
        idle = not any(drawn.get(operation, [True])) or drawn.get("quarter_turns") == [0]
        assert np.array_equal(i_a, image) == idle
        acted.add(not idle)
    assert True in acted


def test_operations_act_in_the_order_drawn(monkeypatch):
    """Of two effects that do not commute, the one drawn first is done first."""
    double = operations.effects.linear(2, 0, 255)
    more = operations.effects.linear(1, 10, 255)
    steps = {
        "double": lambda frame, draw, recipe: recipe.effects.append(double),
        "more": lambda frame, draw, recipe: recipe.effects.append(more),
    }
    monkeypatch.setattr(operations, "OPERATIONS", steps)
    image, seen = np.full((16, 16, 3), 50, np.uint8), set()
    for seed in range(20):
        whole = np.ones((16, 16), bool)
        i_a, _, draw = inserted(image, image, seed, n_aug=2, elastic=False, source_mask=whole)
        first = draw.drawn["operations"][0][0]
        seen.add(first)
        assert (i_a == (110 if first == "double" else 120)).all()
    assert len(seen) == 2


def test_elastic_moves_and_bends_the_source(seeds):
    """Without it the pixels stay where they are; with it their places differ by more than one affine map explains."""
    image = np.full((200, 160, 2), 60_000, np.uint16)
    whole, options = np.ones((200, 160), bool), {"n_aug": 0, "in_fg_region": False}
    residues = []
    for seed in seeds(10):
        still, _, _ = inserted(image, coordinates(200, 160), seed, source_mask=whole, elastic=False, **options)
        assert np.array_equal(still, coordinates(200, 160))
        i_a, mask, _ = inserted(image, coordinates(200, 160), seed, source_mask=whole, elastic=True, **options)
        rows, columns = np.nonzero(cv2.erode(mask, np.ones((5, 5))))
        values = i_a[rows, columns].astype(float)
        assert np.abs(values - np.column_stack([rows, columns])).mean() > 2
        basis = np.column_stack([rows, columns, np.ones(len(rows))])
        residues.append(np.std(values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]))
    assert np.mean(residues) > 0.32  # whole levels alone leave 0.29


def test_min_area_redraws_what_is_too_small(seeds):
    """The first shape stays where it is large enough, and not where it is smaller than `min_area`."""
    image, smaller = photograph(96, 96), 0
    for seed in seeds(40):
        free = inserted(image, 255 - image, seed, min_area=0, in_fg_region=False)
        area = np.count_nonzero(free[1]) / 96**2
        if area >= 0.1:
            kept = inserted(image, 255 - image, seed, min_area=0.1, in_fg_region=False)
            assert np.array_equal(kept[1], free[1]) and np.array_equal(kept[0], free[0])
        elif area < 0.05:
            _, mask, draw = inserted(image, 255 - image, seed, min_area=0.05, in_fg_region=False)
            assert len(draw.drawn["operations"]) > 1
            smaller += np.count_nonzero(mask) > area * 96**2
    assert smaller > 3


def test_a_source_mask_is_the_shape():
    """The mask is that of the defect, at its place, for any seed."""
    image, spots = photograph(200, 160), two_spots()
    for seed in range(10):
        i_a, mask, _ = inserted(image, 255 - image, seed, source_mask=spots, in_fg_region=False, **PLAIN)
        assert np.array_equal(mask, spots)
        assert np.array_equal(i_a[mask > 0], 255 - image[mask > 0])


def test_turns_are_counterclockwise(monkeypatch):
    image = photograph(40, 40)
    seen = set()
    for i_a, _, drawn in forced(monkeypatch, "rotate90", image, range(60)):
        turns = drawn.get("quarter_turns", [0])[0]
        assert np.array_equal(i_a, np.rot90(image, turns))
        seen.add(turns)
    assert seen == {0, 1, 2, 3}


@pytest.mark.parametrize("shape", [(300, 200), (120, 400)])
def test_what_dense_effects_see_around_the_shape_is_what_the_image_shows(shape):
    """Blurred with a margin or as a whole image: the same pixels inside the shape."""
    image, wanted = photograph(*shape), square(shape, 30, 0, 40, 60)
    for kernel in (operations.effects.motion_kernel(7, 0, 48), operations.effects.emboss_kernel(0.5, 0.5)):
        recipe = operations.Augmentation(warp.Warp(shape), [operations.effects.convolution(kernel, 255)])
        box, content = recipe.apply(image, wanted, np.random.default_rng(0))
        whole = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
        inside = wanted[box.slices] > 0
        assert np.array_equal(content[inside], whole[box.slices][inside])


def test_a_small_defect_is_not_redrawn():
    image, dot = photograph(96, 96), square((96, 96), 40, 50, 2, 2)
    _, mask, draw = inserted(image, 255 - image, source_mask=dot, in_fg_region=False, **PLAIN)
    assert np.array_equal(mask, dot) and len(draw.drawn["operations"]) == 1


def test_a_ring_is_one_piece(monkeypatch, seeds):
    monkeypatch.setattr(module, "foreground_of", lambda frame: square((120, 120), 0, 60, 120, 60))
    ring = square((120, 120), 20, 10, 30, 30) & ~square((120, 120), 28, 18, 14, 14)
    for seed in seeds(10):
        _, mask, draw = inserted(photograph(120, 120), seed=seed, source_mask=ring, **PLAIN)
        top, left = draw.drawn["places"][0][0]
        assert len(draw.drawn["places"][0]) == 1
        assert np.array_equal(mask[top : top + 30, left : left + 30], ring[20:50, 10:40])
        assert np.count_nonzero(mask) == np.count_nonzero(ring)


def test_kernels_mix_the_filter_with_the_pixel():
    """The sums of albumentations' kernels: 1 for emboss, lightness for sharpen."""
    assert np.isclose(operations.effects.emboss_kernel(0.3, 0.6).sum(), 1)
    assert np.isclose(operations.effects.sharpen_kernel(0.3, 0.6).sum(), 0.7 + 0.3 * 0.6)


def test_contrast_and_color_are_those_of_opencv():
    image, rng = photograph(96, 80), np.random.default_rng(0)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(int) + np.array([7, -20, 15])
    hsv = np.dstack([hsv[..., 0] % 180, np.clip(hsv[..., 1], 0, 255), np.clip(hsv[..., 2], 0, 255)])
    result = operations.effects.shift_hsv(7, -20, 15, 255).change(image, image[..., 0], rng)
    assert np.array_equal(result, cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB))
    gray = np.ascontiguousarray(image[..., :1])
    result = operations.effects.clahe(1.5, (96, 80), 255).change(gray, gray[..., 0], rng)
    assert np.array_equal(result[..., 0], cv2.createCLAHE(1.5, (8, 8)).apply(gray[..., 0]))


@pytest.mark.parametrize("size", [(64, 256), (40, 1000), (1000, 40)])
def test_every_fifth_of_a_long_image_holds_a_fifth(size):
    """After a rotation about the center, the ends show only mirrored pixels."""
    image, fifths, areas = photograph(*size), [], []
    for seed in range(100):
        _, m_a = checked("rand_augmented_cut_paste", image, rng=seed, in_fg_region=False)
        fifths.append([part.mean() / 255 for part in np.array_split(m_a[..., 0], 5, axis=int(np.argmax(size)))])
        areas.append(np.mean(m_a > 0))
    shares = np.array(fifths) / np.mean(areas) / 5
    assert np.all(np.abs(shares.mean(axis=0) - 0.2) < 3 * shares.std(axis=0) / 10)
