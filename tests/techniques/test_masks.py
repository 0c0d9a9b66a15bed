import numpy as np
import pytest
from common import as_type, call, frame_and_draw, photograph
from seeds import seeds

from pail import masks
from pail.pixels import placing


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_difference_is_what_changed_by_more_than_the_threshold(dtype):
    max_value = 1.0 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    normal = np.full((4, 6, 3), 0.4 * max_value).astype(dtype)
    changed = normal.copy()
    changed[0, :, 1] = np.array(0.45 * max_value).astype(dtype)
    changed[1, :, 2] = np.array(0.41 * max_value).astype(dtype)
    changed[2] = np.array(0.1 * max_value).astype(dtype)
    mask = np.zeros((4, 6, 1), np.uint8)
    mask[:2] = 255
    visible = masks.difference(normal, changed, mask)
    assert visible.shape == (4, 6, 1) and visible.dtype == np.uint8
    assert (visible[0] == 255).all() and not visible[1:].any()
    assert (masks.difference(normal, changed, mask, threshold=0.005)[:2] == 255).all()
    assert not masks.difference(normal, normal, mask).any()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_soft_grades_the_change(dtype):
    max_value = 1.0 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    normal = np.zeros((20, 20), dtype)
    changed = normal.copy()
    changed[:10] = np.array(0.2 * max_value).astype(dtype)
    changed[10:] = np.array(0.8 * max_value).astype(dtype)
    mask = np.zeros((20, 20), bool)
    mask[2:18] = True
    label = masks.soft(normal, changed, mask)
    assert label.shape == (20, 20, 1) and label.dtype == np.float32
    assert not label[~mask].any() and label.min() >= 0 and label.max() <= 1
    assert label[2:6].mean() == pytest.approx(0.2, abs=0.01)  # no fading at the mask's border
    assert label[14:18].mean() == pytest.approx(0.8, abs=0.01)
    assert masks.soft(normal, changed, mask, full=0.2, sigma=0)[mask].min() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_logistic_labels_are_those_of_nsa(dtype):
    peak = 1.0 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    normal = np.full((60, 60, 3), 0.3 * peak).astype(dtype)
    changed, mask = normal.copy(), np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    changed[10:30, 10:50] = np.array((0.3 + 20 / 255) * peak).astype(dtype)  # the paper's midpoint
    changed[30:50, 10:50] = np.array((0.3 + 60 / 255) * peak).astype(dtype)
    changed[40, 30] = 0  # a single pixel does not survive the median
    label = masks.soft(normal, changed, mask, logistic=True)
    assert label.shape == (60, 60, 1) and label.dtype == np.float32 and not label[~mask].any()
    assert label[15:23, 20:40].mean() == pytest.approx(0.5, abs=0.03)
    assert label[36:45, 20:40].min() == pytest.approx(1 / (1 + np.exp(-40 / 6)), abs=0.01)
    assert label[11, 11] == pytest.approx(1 / (1 + np.exp(20 / 6)), abs=0.03)  # in a corner most of the disk is outside
    wide = masks.soft(normal, changed, mask, logistic=(0.5, 10))
    assert wide[18, 30] == pytest.approx(1 / (1 + np.exp(10 * (0.5 - 20 / 255))), abs=0.01)
    for bad in (3, "nsa", (0.1,), (2, 1), (0.1, 0)):
        with pytest.raises((TypeError, ValueError), match="`logistic"):
            masks.soft(normal, changed, mask, logistic=bad)


def test_masks_of_a_real_insertion():
    for dtype in ("uint8", "uint16", "float32"):
        image = as_type(photograph(64, 64), dtype)
        i_a, m_a = call("random_perturbation", image, rng=0)
        visible, label = masks.difference(image, i_a, m_a), masks.soft(image, i_a, m_a)
        assert 0.8 < visible.sum() / m_a.sum() <= 1
        assert not label[m_a == 0].any() and label.max() > 0.1


def test_twelve_bits():
    normal, changed = np.zeros((4, 4), np.uint16), np.full((4, 4), 409, np.uint16)
    everything = np.ones((4, 4), bool)
    assert masks.difference(normal, changed, everything, 0.05, data_range=4095).all()
    assert not masks.difference(normal, changed, everything, 0.05).any()
    assert masks.soft(normal, changed, everything, data_range=4095).mean() == pytest.approx(0.1, abs=1e-3)


def test_images_and_masks_have_to_fit():
    image, mask = photograph(8, 8), np.ones((8, 8), bool)
    for bad, name in (
        ((image, image[:4], mask), "i_a"),
        ((image, image.astype(np.uint16), mask), "i_a"),
        ((None, image, mask), "i_n"),
        ((image, image, mask[:4]), "m_a"),
        ((image, image, None), "m_a"),
    ):
        for function in (masks.difference, masks.soft):
            with pytest.raises((TypeError, ValueError), match=f"`{name}`"):
                function(*bad)
    with pytest.raises(ValueError, match="`threshold`"):
        masks.difference(image, image, mask, 2)


def rois():
    l_shape = np.zeros((100, 120), np.uint8)
    l_shape[20:80, 30:45] = 255
    l_shape[65:80, 30:90] = 255
    pixel = np.zeros((100, 120), np.uint8)
    pixel[97, 3] = 255
    return {
        "L": l_shape,
        "pixel": pixel,
        "all": np.full((100, 120), 255, np.uint8),
        "checks": np.kron(np.indices((50, 60)).sum(axis=0) % 2, np.ones((2, 2))).astype(np.uint8) * 255,
    }


@pytest.mark.parametrize("kind", ["L", "pixel", "all", "checks"])
def test_place_covers_the_roi_as_well_as_it_can(kind):
    roi = rois()[kind]
    for height, width in ((10, 10), (15, 4), (40, 60), (100, 120), (1, 1)):
        sums = placing._window_sums((roi > 0).astype(np.uint8), height, width)
        best = min(sums.max(), height * width / 2)
        for seed in range(30):
            frame, draw = frame_and_draw(np.zeros(roi.shape, np.uint8), seed, roi=roi)
            box = placing.place(frame, draw, height, width)
            found = np.count_nonzero(roi[box.slices])
            assert found > 0
            if kind in ("L", "all"):
                assert found >= 0.9 * best
            assert 0 <= box.top <= 100 - height and 0 <= box.left <= 120 - width


def test_place_reaches_every_part_of_the_roi():
    roi = rois()["L"]
    hit = np.zeros(roi.shape, bool)
    for seed in seeds("place", 600):
        frame, draw = frame_and_draw(np.zeros(roi.shape, np.uint8), seed, roi=roi)
        hit[placing.place(frame, draw, 6, 6).slices] = True
    assert np.mean(hit[roi > 0]) > 0.9


def test_place_lays_a_sparse_shape_on_a_single_pixel_where_it_can():
    roi, shape = rois()["pixel"], np.zeros((30, 30), np.uint8)
    shape[15, 15] = 255
    for seed in range(20):
        frame, draw = frame_and_draw(np.zeros(roi.shape, np.uint8), seed, roi=roi)
        box = placing.place(frame, draw, 30, 30, shape)  # inside the image, where the pixel cannot reach the ROI's
        assert box.intersect(frame.whole) == box and roi[box.slices].any()
        other = np.zeros_like(roi)
        other[50, 60] = 255
        frame = frame.restrict(other)
        assert placing.place(frame, draw, 30, 30, shape)[:2] == (35, 45)


def test_place_without_an_roi_is_uniform():
    tops = []
    for seed in seeds("place anywhere", 500):
        frame, draw = frame_and_draw(np.zeros((50, 40), np.uint8), seed)
        tops.append(placing.place(frame, draw, 10, 10).top)
    assert min(tops) == 0 and max(tops) == 40 and abs(np.mean(tops) - 20) < 2


def test_boxes_and_pieces_belong_together():
    random = np.random.default_rng(0)
    for _ in range(20):
        mask = random.random((30, 41)) < random.uniform(0.02, 0.4)
        mask[3, 4] = True
        boxes, pieces = masks.boxes(mask), masks.pieces(mask[..., None].astype(np.uint8) * 255)
        assert boxes.dtype == np.int64 and pieces.dtype == np.uint8 and len(boxes) == len(pieces)
        assert np.array_equal(pieces.max(axis=0) > 0, mask) and ((pieces > 0).sum(axis=0) <= 1).all()
        assert [tuple(box[:2][::-1]) for box in boxes] == sorted(tuple(box[:2][::-1]) for box in boxes)
        for (left, top, right, bottom), piece in zip(boxes, pieces, strict=True):
            rows, columns = np.nonzero(piece)
            assert (left, top, right, bottom) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            touching = np.zeros((32, 43), bool)  # no other piece next to it, not even diagonally
            for y in range(3):
                for x in range(3):
                    touching[y : y + 30, x : x + 41] |= piece > 0
            assert not (touching[1:-1, 1:-1] & mask & (piece == 0)).any()


def test_boxes_of_what_is_no_mask():
    for function in (masks.boxes, masks.pieces):
        with pytest.raises(ValueError, match=r"`m_a`.*empty"):
            function(np.zeros((4, 4), bool))
        with pytest.raises(TypeError, match="`m_a`"):
            function("mask")
