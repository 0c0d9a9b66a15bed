"""The bank of real defects in every format, errors in banks, and real defects moved to new places."""

import base64
import json
import os
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from common import as_type, checked, frame_and_draw, make, photograph
from PIL import Image
from scenes import bright_on_dark, surface
from seeds import seeds

import pail
from pail import pai
from pail.beyond.real import annotations
from pail.beyond.real.defects import Defects
from pail.beyond.real.defects import bank_of as bank_given
from pail.beyond.real.real_defect import real_defect
from pail.core.parameters import parameters_of

SHAPE = (60, 80)
IMAGE = photograph(120, 150)
SPOT = cv2.circle(np.zeros(SHAPE, np.uint8), (50, 30), 9, 255, cv2.FILLED)
BAR = cv2.rectangle(np.zeros(SHAPE, np.uint8), (10, 10), (24, 14), 255, cv2.FILLED)
BOTH = SPOT | BAR
CORNERS = [[20.0, 20.0], [40.0, 20.0], [40.0, 32.0], [20.0, 32.0]]  # (x, y): 20 columns, 12 rows


def photo(mask=SPOT, value=30, seed=0):
    """A surface with a dark defect."""
    image = photograph(*SHAPE, seed=seed) // 2 + 100
    image[mask > 0] = value
    return image


def save(path: Path, pixels) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write(path: Path, content) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def labelme(shapes, name="a.png", **more):
    shapes = [{"label": "pit", "shape_type": "polygon", **shape} for shape in shapes]
    return {"version": "5", "shapes": shapes, "imagePath": name, "imageHeight": 60, "imageWidth": 80, **more}


def coco(annotations_, **more):
    images = [{"id": 7, "file_name": "a.png", "height": 60, "width": 80}]
    listed = [{"id": i, "image_id": 7, "category_id": 3, **one} for i, one in enumerate(annotations_)]
    return {"images": images, "annotations": listed, "categories": [{"id": 3, "name": "pit"}], **more}


def run_lengths(mask):
    flat = (mask > 0).T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]])))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]]))
    return [int(n) for n in (counts if counts[-1] else counts[:-1])]


def compressed(counts):
    """COCO's compressed run lengths."""
    text = ""
    for i, count in enumerate(counts):
        number = count - (counts[i - 2] if i > 2 else 0)
        while True:
            code, number = number & 31, number >> 5
            more = number != (-1 if code & 16 else 0)
            text += chr(48 + (code | 32 if more else code))
            if not more:
                break
    return text


def whole_mask(bank, index):
    """The mask of a defect in its photograph."""
    defect = bank[index]
    mask = np.zeros(defect.shape, np.uint8)
    mask[defect.box.slices] = defect.mask
    return mask


# --------------------------------------------------------------------------------------------------------------------
# Formats


def mvtec(root):
    save(root / "test" / "scratch" / "000.png", photo(BAR))
    save(root / "ground_truth" / "scratch" / "000_mask.png", BAR)
    save(root / "test" / "pit" / "000.png", photo(SPOT, 200))
    save(root / "ground_truth" / "pit" / "000_mask.png", SPOT)
    save(root / "test" / "good" / "000.png", photo(np.zeros_like(SPOT)))
    save(root / "train" / "good" / "000.png", photo(np.zeros_like(SPOT)))
    return [("pit", SPOT), ("scratch", BAR)]


def beside(root):
    save(root / "x.png", photo(BOTH))
    save(root / "x_mask.png", BOTH)
    return [("defect", BAR), ("defect", SPOT)]


def folders(root):
    save(root / "images" / "pit" / "x.jpg", photo(SPOT))
    save(root / "masks" / "pit" / "x.png", SPOT)
    save(root / "images" / "y.png", photo(BAR))
    save(root / "masks" / "y.png", BAR)
    return [("pit", SPOT), ("defect", BAR)]


def alpha(root):
    save(root / "stain" / "x.png", np.dstack([photo(), SPOT]))
    return [("stain", SPOT)]


def labelme_files(root):
    save(root / "data" / "a.png", photo())
    rim = [[50.5 + 9.25 * np.cos(a), 30.5 + 9.25 * np.sin(a)] for a in np.linspace(0, 2 * np.pi, 60)]
    write(root / "label" / "a.json", labelme([{"points": rim}]))
    save(root / "data" / "good.png", photo())
    return [("pit", SPOT)]


def coco_polygons(root):
    save(root / "images" / "a.png", photo(BAR))
    corners = [10, 10, 25, 10, 25, 15, 10, 15]
    write(root / "annotations.json", coco([{"segmentation": [corners]}]))
    return [("pit", BAR)]


def coco_plain_run_lengths(root):
    save(root / "a.png", photo())
    write(root / "annotations.json", coco([{"segmentation": {"size": [60, 80], "counts": run_lengths(SPOT)}}]))
    return [("pit", SPOT)]


def coco_text_run_lengths(root):
    save(root / "a.png", photo(BOTH))
    text = compressed(run_lengths(BOTH))
    write(root / "annotations.json", coco([{"segmentation": {"size": [60, 80], "counts": text}, "iscrowd": 1}]))
    return [("pit", BOTH)]  # an annotation is one defect, in however many pieces


def yolo(root):
    save(root / "images" / "train" / "a.png", photo(BAR))
    line = " ".join(f"{x / 80:.6f} {y / 60:.6f}" for x, y in ((10, 10), (25, 10), (25, 15), (10, 15)))
    write(root / "labels" / "train" / "a.txt", f"1 {line}\n")
    write(root / "classes.txt", "spot\nscratch\n")
    return [("scratch", BAR)]


FORMATS = [
    mvtec,
    beside,
    folders,
    alpha,
    labelme_files,
    coco_polygons,
    coco_plain_run_lengths,
    coco_text_run_lengths,
    yolo,
]


def test_a_defect_that_two_formats_name_counts_once(tmp_path):
    """An annotation file next to folders of masks, and a file for each split next to one for all."""
    mvtec(tmp_path)
    corners = [10, 10, 25, 10, 25, 15, 10, 15]
    told = coco([{"segmentation": [corners]}])
    told["images"][0]["file_name"] = "test/scratch/000.png"
    write(tmp_path / "annotations.json", told)
    write(tmp_path / "annotations_test.json", told)
    bank = Defects.read(tmp_path)
    assert len(bank) == 2 and bank.kinds == ("pit",) and not bank.skipped  # the kind is the annotation's


def test_images_that_are_annotated_need_no_mask(tmp_path):
    coco_polygons(tmp_path)
    save(tmp_path / "masks" / "a.png", BAR)
    bank = Defects.read(tmp_path)
    assert len(bank) == 1 and not bank.skipped


def test_an_annotated_image_needs_no_mask_beside_it(tmp_path):
    coco_polygons(tmp_path)
    save(tmp_path / "images" / "a_mask.png", BAR)
    bank = Defects.read(tmp_path)
    assert len(bank) == 1 and not bank.skipped


def test_byte_order_marks_are_no_part_of_a_name(tmp_path):
    expected = yolo(tmp_path)
    for path in (tmp_path / "classes.txt", tmp_path / "labels" / "train" / "a.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert Defects.read(tmp_path).kinds == tuple(kind for kind, _ in expected)


def test_a_bank_that_does_not_exist_is_named_by_its_argument():
    with pytest.raises(ValueError, match="`defects` must be a folder"):
        bank_given("no/such/folder")


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.__name__)
def test_every_format_is_found_out_and_read(form, tmp_path):
    expected = form(tmp_path)
    bank = Defects.read(tmp_path)
    assert len(bank) == len(expected) and bank.skipped == ()
    found = [(bank[i].kind, whole_mask(bank, i)) for i in range(len(bank))]
    for kind, mask in expected:
        overlaps = [np.mean((mask > 0) == (other > 0)) for name, other in found if name == kind]
        assert max(overlaps, default=0) > 0.99, f"no {kind} like the one that was written"
    assert bank.kinds == tuple(sorted({kind for kind, _ in expected}))
    for index in range(len(bank)):
        defect = bank[index]
        assert defect.pixels.shape[:2] == defect.mask.shape == defect.ring.shape == defect.box[2:]
        assert defect.shape == SHAPE and not (defect.ring & defect.mask).any()
        assert not defect.pixels.flags.writeable
        with Image.open(next(p for p in tmp_path.rglob("*") if p == bank._images[bank._pieces[index].image])) as file:
            pixels = np.asarray(file)
        assert np.abs(defect.pixels.astype(int) - pixels[defect.box.slices]).max() <= 3  # readers of JPEG differ


def test_labelme_rectangles_circles_masks_and_embedded_images(tmp_path):
    file = save(tmp_path / "elsewhere" / "b.png", photo())
    data = base64.b64encode(file.read_bytes()).decode()
    shutil.rmtree(tmp_path / "elsewhere")
    part = save(tmp_path / "part.png", BAR[10:15, 10:25])
    mask = base64.b64encode(part.read_bytes()).decode()
    part.unlink()
    shapes = [
        {"shape_type": "rectangle", "points": [CORNERS[2], CORNERS[0]]},
        {"shape_type": "circle", "points": [[50, 30], [59, 30]]},
        {"shape_type": "mask", "points": [[10, 10], [24, 14]], "mask": mask, "label": "bar"},
    ]
    write(tmp_path / "b.json", labelme(shapes, "lost.png", imageData=data))
    bank = Defects.read(tmp_path / "b.json")
    assert [bank[i].kind for i in range(3)] == ["pit", "pit", "bar"]
    assert (whole_mask(bank, 0) > 0).sum() == pytest.approx(240, abs=35)
    assert (whole_mask(bank, 1) > 0).sum() == pytest.approx(np.pi * 81, rel=0.1)
    assert np.array_equal(whole_mask(bank, 2), BAR)
    assert bank.identity == pickle.loads(pickle.dumps(bank)).identity


def test_polygons_are_cut_at_the_image_and_may_cross_themselves(tmp_path):
    save(tmp_path / "a.png", photo())
    bow = [[10, 10], [40, 40], [40, 10], [10, 40]]
    over = [[60, 40], [200, 40], [200, 200], [60, 200]]
    write(tmp_path / "a.json", labelme([{"points": bow}, {"points": over}]))
    bank = Defects.read(tmp_path)
    assert (whole_mask(bank, 0) > 0).sum() == pytest.approx(450, rel=0.15)  # two triangles of half the square
    cut = whole_mask(bank, 1) > 0
    assert cut[41:, 61:].all() and cut.sum() == pytest.approx(400, rel=0.12)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_depths_are_kept(dtype, tmp_path):
    save(tmp_path / "x.png", as_type(photo()[..., 0].copy(), dtype))
    save(tmp_path / "x_mask.png", SPOT)
    assert Defects.read(tmp_path)[0].pixels.dtype == dtype


# --------------------------------------------------------------------------------------------------------------------
# What is wrong with banks


def named(tmp_path, *words):
    """One usable defect together with invalid ones, which a warning names."""
    with pytest.warns(UserWarning) as caught:
        bank = Defects.read(tmp_path)
    text = " | ".join([*bank.skipped, *(str(w.message) for w in caught)])
    for word in words:
        assert word in text, text
    assert len(bank) >= 1
    return bank


def test_masks_without_an_image_and_images_without_a_mask_are_named(tmp_path):
    beside(tmp_path)
    save(tmp_path / "lost_mask.png", SPOT)
    save(tmp_path / "plain.png", photo())
    assert len(named(tmp_path, "lost_mask.png", "no image of that name", "plain.png", "no mask of that name")) == 2


def test_the_layout_of_mvtec_names_what_has_no_partner(tmp_path):
    mvtec(tmp_path)
    save(tmp_path / "test" / "pit" / "001.png", photo())
    save(tmp_path / "ground_truth" / "pit" / "002_mask.png", SPOT)
    assert len(named(tmp_path, "test/pit/001.png", "ground_truth/pit/002_mask.png")) == 2


@pytest.mark.parametrize(
    ("mask", "word"),
    [
        (SPOT[:50], "height and width (50, 80)"),
        (np.zeros(SHAPE, np.uint8), "empty"),
        (np.full(SHAPE, 255, np.uint8), "true everywhere"),
        (cv2.rectangle(np.zeros(SHAPE, np.uint8), (5, 5), (6, 5), 255, -1), "at least 4 pixels"),
    ],
)
def test_masks_that_cannot_be_used_are_named(mask, word, tmp_path):
    beside(tmp_path)
    save(tmp_path / "y.png", photo())
    save(tmp_path / "y_mask.png", mask)
    named(tmp_path, "y", word)
    with pytest.raises(ValueError, match=r"`masks\[0\]`"):
        Defects([photo()], [mask])


def test_broken_files_are_named(tmp_path):
    beside(tmp_path)
    whole = save(tmp_path / "y.png", photo())
    save(tmp_path / "y_mask.png", SPOT)
    whole.write_bytes(whole.read_bytes()[:20])
    (tmp_path / "z_mask.png").write_bytes(b"no image")
    save(tmp_path / "z.png", photo())
    named(tmp_path, "y.png", "z_mask.png")


@pytest.mark.parametrize(
    ("shape", "word"),
    [
        ({"points": [[1, 1], [5, 5]]}, "2 points"),
        ({"points": []}, "not pairs of numbers"),
        ({"points": [[1, 1, 1]]}, "not pairs of numbers"),
        ({"points": "here"}, "not pairs of numbers"),
        ({"points": [[500, 500], [600, 500], [600, 600]]}, "no pixel"),
        ({"points": [[float("nan"), 1], [5, 5], [1, 5]]}, "not finite"),
        ({"points": [[1e30, 1], [5, 5], [1, 5]]}, "far outside"),
        ({"points": [[-5, -5], [100, -5], [100, 100], [-5, 100]]}, "whole image"),
        ({"points": [[1, 1], [5, 5]], "shape_type": "line"}, "'line'"),
        ({"points": [[1, 1], [5, 5]], "shape_type": "mask", "mask": "%%"}, "broken"),
    ],
)
def test_annotations_of_labelme_that_cannot_be_used_are_named(shape, word, tmp_path):
    save(tmp_path / "a.png", photo())
    write(tmp_path / "a.json", labelme([{"points": CORNERS}, shape]))
    assert len(named(tmp_path, "a.json, annotation 2", word)) == 1


@pytest.mark.parametrize(
    ("area", "word"),
    [
        ({"size": [60, 80], "counts": [10, 20]}, "add up to 30 pixels"),
        ({"size": [60, 80], "counts": [-5, 4805]}, "nonnegative numbers"),
        ({"size": [60, 70], "counts": [4200]}, "(60, 80)"),
        ({"size": [60, 80], "counts": compressed(run_lengths(SPOT))[:-1]}, "annotation 2"),
        ({"size": [60, 80], "counts": "é"}, "character"),
        ({"counts": [4800]}, "None"),
        ([], "no segmentation"),
        (None, "no segmentation"),
        ([[1, 1, 5]], "even number"),
        ([[1, 1, 5, 5]], "2 points"),
        ([["a", 1, 5, 5, 1, 1]], "not pairs of numbers"),
    ],
)
def test_annotations_of_coco_that_cannot_be_used_are_named(area, word, tmp_path):
    save(tmp_path / "a.png", photo())
    flat = [v for point in CORNERS for v in point]
    write(tmp_path / "c.json", coco([{"segmentation": [flat]}, {"segmentation": area}]))
    assert len(named(tmp_path, "annotation 2", word)) == 1


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("0 0.5 0.5 0.1 0.1", "box"),
        ("0 0.1 0.1 0.2 0.2 0.3", "odd number"),
        ("0 0.1 x 0.2 0.2 0.3 0.4", "something other than numbers"),
        ("0 0.1 0.1", "1 points"),
        ("0", "not pairs"),
    ],
)
def test_lines_of_yolo_that_cannot_be_used_are_named(line, word, tmp_path):
    yolo(tmp_path)
    path = tmp_path / "labels" / "train" / "a.txt"
    path.write_text(path.read_text() + line + "\n")
    write(tmp_path / "labels" / "lost.txt", "0 0.1 0.1 0.2 0.1 0.2 0.2")
    assert len(named(tmp_path, "annotation 2", word, "lost.txt", "no image images/lost.*")) == 1


def test_annotation_files_that_are_truncated_or_lie_are_named(tmp_path):
    labelme_files(tmp_path)
    good = (tmp_path / "label" / "a.json").read_text()
    write(tmp_path / "label" / "b.json", good[:-40])
    write(tmp_path / "label" / "c.json", labelme([{"points": CORNERS}], "lost.png"))
    write(tmp_path / "label" / "d.json", labelme([{"points": CORNERS}], "a.png", imageHeight=600))
    write(tmp_path / "label" / "e.json", {"shapes": "none"})
    write(tmp_path / "label" / "f.json", coco([{"segmentation": [[1, 1, 9, 1, 9, 9]], "image_id": 99}]))
    bank = named(
        tmp_path, "b.json", "truncated", "c.json", "does not exist", "d.json", "(600, 80)", "e.json", "f.json", "99"
    )
    assert len(bank) == 1


def test_a_bank_without_a_usable_defect_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="`path` must contain a defect"):
        Defects.read(tmp_path)
    save(tmp_path / "plain.png", photo())
    with pytest.raises(ValueError, match=r"plain\.png"):
        Defects.read(tmp_path)
    save(tmp_path / "plain_mask.png", np.zeros(SHAPE, np.uint8))
    with pytest.raises(ValueError, match="empty"):
        Defects.read(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        Defects.read(tmp_path / "nowhere")
    with pytest.raises(TypeError, match="`path`"):
        Defects.read(3)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (([], []), "images"),
        (([photo()], []), "masks"),
        ((photo(), SPOT[None]), "masks"),
        (("x.png", ["y.png"]), "images"),
        ((["nowhere.png"], [SPOT]), r"images\[0\]"),
        (([photo()], ["nowhere.png"]), r"masks\[0\]"),
        (([None], [SPOT]), r"images\[0\]"),
        (([photo()], [photo()]), r"masks\[0\]"),
        (([photo()], [SPOT], 3), "kinds"),
        (([photo()], [SPOT], ["a", "b"]), "kinds"),
        (([photo()], [SPOT], [""]), "kinds"),
    ],
)
def test_bad_arguments_of_a_bank_are_named(arguments, word):
    with pytest.raises((TypeError, ValueError), match=f"`{word}"):
        Defects(*arguments)


# --------------------------------------------------------------------------------------------------------------------
# The bank


def bank_of(*masks, kinds=None, value=30, **more):
    return Defects([photo(mask, value, seed=i) for i, mask in enumerate(masks)], list(masks), kinds, **more)


def test_a_bank_of_arrays_is_a_sequence():
    images, masks = [photo(BOTH), Image.fromarray(photo(SPOT))], [BOTH > 0, Image.fromarray(SPOT)]
    bank = Defects(images, masks, ["a", "b"])
    assert len(bank) == 3 and bank.kinds == ("a", "b") and bank.of_kinds("b") == [2] and bank.of_kinds() == [0, 1, 2]
    assert repr(bank) == "<Defects: 3 of 2 images, a 2, b 1>"
    assert bank[-1].kind == "b" and len(bank[1:]) == 2 and len(list(bank)) == 3
    with pytest.raises(IndexError):
        bank[3]
    with pytest.raises(ValueError, match="`kinds`"):
        bank.of_kinds("c")
    with pytest.raises(TypeError, match="`kinds`"):
        bank.of_kinds([])
    sheet = bank.show(side=64)
    assert sheet.mode == "RGB" and np.asarray(sheet).std() > 10


def test_photographs_that_are_changed_later_do_not_change_the_bank():
    image = photo()
    bank = Defects([image], [SPOT])
    image[:] = 0
    assert bank[0].pixels.mean() > 50


def test_the_ring_holds_no_defect_and_the_surface_none_of_it():
    near = SPOT | cv2.rectangle(np.zeros(SHAPE, np.uint8), (62, 26), (66, 34), 255, cv2.FILLED)
    image = np.full(SHAPE, 150, np.uint8)
    image += np.linspace(0, 60, SHAPE[1]).astype(np.uint8)[None]
    truth = image.copy()
    image[near > 0] = 10
    bank = Defects([image], [near])
    for defect in bank:
        assert (defect.pixels[defect.ring > 0] > 100).all() and (defect.ring > 0).sum() > 30
        assert np.abs(defect.surface.astype(int) - truth[defect.box.slices]).max() < 12


def test_cut_outs_are_kept_up_to_the_limit_and_pickles_hold_none(tmp_path):
    for i in range(6):
        save(tmp_path / f"{i}.png", photo(SPOT, seed=i))
        save(tmp_path / f"{i}_mask.png", SPOT)
    bank = Defects.read(tmp_path)
    assert bank[0] is bank[0]
    small = Defects.read(tmp_path, max_bytes=2 * bank[0].nbytes)
    first = [small[i] for i in range(6)]
    assert small[0] is first[0] and small[1] is first[1] and small[5] is not first[5]
    assert sum(defect.nbytes for defect in small._kept.values()) <= small._max_bytes
    data = pickle.dumps(small)
    assert len(data) < 10_000
    again = pickle.loads(data)
    assert np.array_equal(again[3].pixels, first[3].pixels)


def test_a_bank_is_identified_by_its_content(tmp_path):
    for folder in ("one", "two"):
        beside(tmp_path / folder)
    one, two = Defects.read(tmp_path / "one"), Defects.read(tmp_path / "two")
    assert one.identity == two.identity and len(one.identity) == 16
    save(tmp_path / "two" / "x_mask.png", SPOT)
    assert Defects.read(tmp_path / "two").identity != one.identity
    save(tmp_path / "one" / "x.png", photo(BOTH, 31))
    assert Defects.read(tmp_path / "one").identity != one.identity
    assert bank_of(SPOT).identity != bank_of(SPOT, kinds="pit").identity


def test_a_photograph_that_is_gone_is_named(tmp_path):
    beside(tmp_path)
    bank = Defects.read(tmp_path)
    (tmp_path / "x.png").unlink()
    with pytest.raises(ValueError, match=r"x\.png can no longer be read"):
        bank[0]


# --------------------------------------------------------------------------------------------------------------------
# The technique


def drawn(bank, image=IMAGE, count=40, roi=None, severity=None, **options):
    for seed in seeds("real defects", count):
        frame, draw = frame_and_draw(image, seed, roi=roi, severity=severity)
        yield make("real_defect", frame, draw, bank, **options), draw.drawn


@pytest.mark.parametrize("blend", ["paste", "transfer", "poisson"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_contract_holds(blend, dtype):
    bank = Defects([photo(BOTH), as_type(photo(SPOT)[..., 0].copy(), "uint16")], [BOTH, SPOT])
    for shape in ((1, 1), (2, 3), (5, 90), (60, 70)):
        for channels in (None, 1, 3, 4, 6):
            base = np.concatenate([photograph(*shape), photograph(*shape, seed=1)], axis=2)
            image = as_type(base[..., 0] if channels is None else base[..., :channels], dtype)
            for place in ("anywhere", "same"):
                for severity in (None, 0, 1):
                    checked("real_defect", image, defects=bank, blend=blend, place=place, severity=severity, rng=3)


def test_region_record_and_replay():
    insertion, bank = pai.Anomaly_Insertion(), bank_of(BOTH, SPOT)
    roi = np.zeros(IMAGE.shape[:2], bool)
    roi[30:90, 20:80] = True
    for seed in range(12):
        for place in ("anywhere", "same"):
            result = insertion.real_defect(IMAGE, bank, roi=roi, place=place, rng=seed)
            assert not result.m_a[~roi].any()
            record = json.loads(json.dumps(result.record))
            assert np.array_equal(pail.replay(record, IMAGE, defects=bank).i_a, result.i_a)


def test_a_defect_that_is_not_turned_is_pasted_as_it_is():
    even = np.full((*SHAPE, 3), 150, np.uint8)
    even[SPOT > 0] = (20, 60, 200)
    bank = Defects([even], [SPOT])
    still = {"rotation": (0, 0), "scale": (1, 1), "flip": False, "contrast": (1, 1)}
    image = np.full((*SHAPE, 3), 150, np.uint8)
    for blend in ("paste", "transfer", "poisson"):
        for insertion, _ in drawn(bank, image, 5, blend=blend, **still):
            assert np.array_equal(insertion.mask, SPOT[21:40, 41:60])
            inner = cv2.erode(insertion.mask, np.ones((7, 7), np.uint8)) > 0
            assert np.abs(insertion.content[inner] - (20, 60, 200)).max() < 2, blend


def test_level_and_spread_are_those_of_the_new_place():
    """A defect 60 levels darker than a surface of spread 6 is 60 levels darker there, and 90 where the spread is 9."""
    rng = np.random.default_rng(0)
    image = 150 + rng.normal(0, 6, SHAPE)
    image[SPOT > 0] -= 60
    bank = Defects([np.clip(image, 0, 255).astype(np.uint8)], [SPOT])
    for level, spread, expected in ((200, 6, 140), (220, 9, 130), (100, 1, 60), (200, 60, 80)):
        normal = np.clip(level + rng.normal(0, spread, (200, 200)), 0, 255).astype(np.float32)
        normal = (normal / 255).astype(np.float32)
        contents = [
            255 * i.content[i.mask > 0].mean()
            for i, _ in drawn(bank, normal, 20, blend="paste", contrast=(1, 1), rotation=(0, 0))
        ]
        assert np.mean(contents) == pytest.approx(expected, abs=9), (level, spread)


def test_transfer_keeps_the_texture_of_the_part():
    image = surface("gravel.png", (120, 150)).astype(np.uint8)
    bank = bank_of(SPOT, value=60)
    kept = {}
    for blend in ("transfer", "paste"):
        correlations = []
        for insertion, _ in drawn(bank, image, 15, blend=blend):
            inside = cv2.erode(insertion.mask, np.ones((3, 3), np.uint8)) > 0
            before = image[insertion.box.slices][inside].ravel()
            correlations.append(np.corrcoef(before, insertion.content[inside].ravel())[0, 1])
        kept[blend] = np.mean(correlations)
    assert kept["transfer"] > 0.85 and kept["paste"] < 0.5


def test_sizes_angles_flips_and_kinds_are_drawn_as_they_are_said():
    bank = bank_of(SPOT, BAR, BAR, kinds=["spot", "bar", "bar"])
    areas, ratios = [], []
    for insertion, numbers in drawn(bank, count=150, kinds="spot"):
        scale = numbers["scale"][0] * min(IMAGE.shape[:2]) / min(SHAPE)
        areas.append((insertion.mask > 0).sum() / (scale**2 * (SPOT > 0).sum()))
        ratios.append(numbers["scale"][0])
    assert np.mean(areas) == pytest.approx(1, abs=0.04) and np.std(areas) < 0.05
    assert min(ratios) >= 0.7 and max(ratios) <= 1.4 and np.mean(ratios) == pytest.approx(1.05, abs=0.05)
    defects, blends, flips = [], [], []
    for _, numbers in drawn(bank, count=150):
        defects += numbers["defect"]
        blends += numbers["blend"]
        flips += numbers["flip_rows"]
    assert np.allclose(np.bincount(defects) / 150, 1 / 3, atol=0.12)
    assert np.mean(np.array(blends) == "paste") == pytest.approx(0.5, abs=0.13) and "poisson" not in blends
    assert np.mean(flips) == pytest.approx(0.5, abs=0.13)


def test_the_angle_is_that_of_the_mask():
    bank = bank_of(BAR)
    for insertion, numbers in drawn(bank, count=25, scale=(1.5, 1.5), flip=False):
        rows, columns = np.nonzero(insertion.mask)
        covariance = np.cov(columns, -rows)
        found = 0.5 * np.degrees(np.arctan2(2 * covariance[0, 1], covariance[0, 0] - covariance[1, 1]))
        assert abs((found - numbers["angle"][0] + 90) % 180 - 90) < 4


def test_everything_fits_where_there_is_room():
    bank = bank_of(SPOT)
    image, truth = bright_on_dark()
    inside = [truth[i.box.slices][i.mask > 0].mean() for i, _ in drawn(bank, image, 40, scale=(0.5, 0.8))]
    assert np.mean(np.array(inside) > 0.97) > 0.9
    tops = [i.box.top for i, _ in drawn(bank, photograph(200, 200), 200, rotation=(0, 0), scale=(0.2, 0.2))]
    assert min(tops) < 8 and max(tops) > 170 and np.mean(tops) == pytest.approx(93, abs=12)


def test_a_defect_larger_than_the_region_is_made_smaller():
    large = cv2.rectangle(np.zeros(SHAPE, np.uint8), (4, 4), (75, 55), 255, cv2.FILLED)
    roi = np.zeros(IMAGE.shape[:2], np.uint8)
    roi[40:60, 50:80] = 255
    for insertion, _ in drawn(bank_of(large), count=20, roi=roi, scale=(1, 3)):
        assert insertion.box.height <= 21 and insertion.box.width <= 31
        assert roi[insertion.box.slices][insertion.mask > 0].mean() > 0.85
    for insertion, _ in drawn(bank_of(large), count=20, scale=(2, 3)):
        assert insertion.box.intersect(frame_and_draw(IMAGE)[0].whole) == insertion.box


def test_the_same_place_is_kept():
    for insertion, _ in drawn(bank_of(SPOT), count=30, place="same"):
        rows, columns = np.nonzero(insertion.mask)
        center = (insertion.box.top + rows.mean()) / 120, (insertion.box.left + columns.mean()) / 150
        assert center == pytest.approx((30.5 / 60, 50.5 / 80), abs=0.04)


def test_severity_makes_it_larger_and_stronger():
    insertion, bank = pai.Anomaly_Insertion(), bank_of(SPOT, BAR)
    areas, changes = [], []
    for severity in (0, 0.5, 1):
        results = [insertion.real_defect(IMAGE, bank, severity=severity, rng=i) for i in range(30)]
        areas.append(np.mean([r.m_a > 0 for r in results]))
        changes.append(np.mean([np.abs(r.i_a.astype(float) - IMAGE)[r.m_a[..., 0] > 0].mean() for r in results]))
    assert areas[0] < areas[1] < areas[2] and changes[0] < changes[1] < changes[2]


def test_a_color_defect_on_gray_and_a_gray_one_on_color():
    color, gray = Defects([photo()], [SPOT]), Defects([photo()[..., 0].copy()], [SPOT])
    checked("real_defect", as_type(IMAGE[..., 0].copy(), "uint16"), defects=color, rng=0)
    checked("real_defect", IMAGE, defects=gray, rng=0)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"blend": "alpha"}, "blend"),
        ({"place": "here"}, "place"),
        ({"rotation": 5}, "rotation"),
        ({"scale": (0, 1)}, "scale"),
        ({"flip": "yes"}, "flip"),
        ({"contrast": (2, 1)}, "contrast"),
    ],
)
def test_bad_arguments_are_named(options, word):
    known = parameters_of(real_defect)
    with pytest.raises((TypeError, ValueError), match=f"`{word}"):
        for name, value in options.items():
            known[name].check(name, value)


def test_a_bank_is_asked_for_and_its_kinds_are_known():
    with pytest.raises(ValueError, match="`kinds`"):
        next(drawn(bank_of(SPOT), kinds="crack"))
    with pytest.raises(TypeError, match="`defects`"):
        pail.Anomaly_Insertion().real_defect(IMAGE, [SPOT])


# --------------------------------------------------------------------------------------------------------------------
# A data set as it is


BALL_SCREWS = os.environ.get("PAIL_BALL_SCREWS")


@pytest.mark.skipif(BALL_SCREWS is None, reason="PAIL_BALL_SCREWS names no folder with the ball screws of BSData")
def test_ball_screws():
    bank = Defects.read(BALL_SCREWS)
    assert bank.kinds == ("Pitting",) and len(bank) > 300 and not bank.skipped
    assert len({piece.image for piece in bank._pieces}) == 325
    darker = [d.pixels[d.mask > 0].mean() < d.pixels[d.ring > 0].mean() for d in bank[::7] if (d.mask > 0).sum() > 100]
    assert np.mean(darker) > 0.8  # pits are dark


def test_run_lengths_as_text_are_read_back():
    for seed in range(20):
        mask = (np.random.default_rng(seed).random(SHAPE) < 0.4).astype(np.uint8) * 255
        assert annotations._decompressed(compressed(run_lengths(mask))) == run_lengths(mask)


@pytest.mark.parametrize("blend", ["paste", "transfer", "poisson"])
def test_the_range_of_a_bank_is_that_of_the_images_or_the_source_range(blend):
    """The same photograph at 8, 12 and 16 bits makes the same defect in an image of any depth."""
    byte = np.full((*SHAPE, 3), 120, np.uint8)
    inserted = {}
    for depth, image, data_range in (
        ("8", byte, None),
        ("12", byte.astype(np.uint16) * 16, 4080),
        ("16", byte.astype(np.uint16) * 257, None),
    ):
        for own, factor, full in (("8", 1, None), ("12", 16, 4080), ("16", 257, 65535)):
            pixels = photo().astype(np.uint8 if own == "8" else np.uint16) * factor
            insertion = pai.Anomaly_Insertion(data_range=data_range, source_range=full)
            i_a, _ = insertion.real_defect(image, Defects([pixels], [SPOT]), blend=blend, rng=1)
            inserted[depth, own] = i_a.astype(np.float64) / (image[0, 0, 0] / 120)
    for pair, i_a in inserted.items():
        assert np.abs(i_a - inserted["8", "8"]).max() <= 2, pair


def test_a_bank_with_the_range_of_its_images_needs_no_source_range():
    deep = [pixels.astype(np.uint16) * 16 for pixels in (IMAGE, photo())]
    first, second = (
        pai.Anomaly_Insertion(data_range=4080, source_range=given).real_defect(
            deep[0], Defects([deep[1]], [SPOT]), rng=2
        )
        for given in (None, 4080)
    )
    assert first.i_a.tobytes() == second.i_a.tobytes()


def test_a_bank_of_another_range_names_the_source_range():
    deep = IMAGE.astype(np.uint16) * 16
    full = Defects([photo().astype(np.uint16) * 257], [SPOT])
    with pytest.raises(ValueError, match=r"`defects` must lie in \[0, 4095\].*`source_range`"):
        pai.Anomaly_Insertion(data_range=4095).real_defect(deep, full, rng=0)
    bright = Defects([photo()], [SPOT])
    with pytest.raises(ValueError, match=r"`defects` must lie in \[0, 100\].*`data_range`"):
        pai.Anomaly_Insertion(data_range=100, source_range=65535).real_defect(IMAGE // 3, bright, rng=0)
    dim = Defects([photo().astype(np.uint16) * 8], [SPOT])
    with pytest.warns(UserWarning, match="`defects` reaches .* pass `source_range`"):
        pai.Anomaly_Insertion().real_defect(IMAGE, dim, rng=0)
