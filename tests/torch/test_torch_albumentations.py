"""The transform for albumentations."""

import json
import warnings

import numpy as np
import pytest
from common import photograph
from optional import need

need("albumentations")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import albumentations as A  # noqa: N812

from pail import masks, pai  # noqa: E402
from pail.albumentations import InsertAnomaly  # noqa: E402

pytestmark = pytest.mark.heavy
IMAGE, SOURCE = photograph(64, 48), photograph(64, 64, seed=1)
EMPTY = np.zeros((64, 48), np.uint8)


def run(transform, image=IMAGE, mask=EMPTY, seed=0):
    sample = A.Compose([transform], seed=seed)(image=image, mask=mask)
    return sample["image"], sample["mask"]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_image_and_mask_change_together(dtype):
    image = IMAGE if dtype == np.uint8 else (IMAGE / 255).astype(np.float32)
    changed, mask = run(InsertAnomaly(SOURCE, p=1), image)
    assert changed.dtype == dtype and changed.shape == image.shape and mask.shape == EMPTY.shape
    assert set(np.unique(mask)) == {0, 1}
    assert np.array_equal(changed[mask == 0], image[mask == 0]) and not np.array_equal(changed, image)


def test_the_seed_of_the_pipeline_holds():
    runs = [run(InsertAnomaly(p=1), seed=seed)[0].tobytes() for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]
    pipeline = A.Compose([InsertAnomaly(p=1)], seed=3)
    several = [pipeline(image=IMAGE, mask=EMPTY)["image"].tobytes() for _ in range(3)]
    assert len(set(several)) == 3 and several[0] == runs[0]


def test_an_existing_mask_is_united():
    before = EMPTY.copy()
    before[:5] = 7
    _, mask = run(InsertAnomaly(techniques="random_perturbation", p=1, mask_value=2), mask=before)
    assert set(np.unique(mask)) == {0, 2, 7} and (mask[:5] != 0).all()


def test_p_is_the_share():
    count = sum(run(InsertAnomaly(p=0.5), seed=seed)[1].any() for seed in range(40))
    assert 8 < count < 32
    assert not run(InsertAnomaly(p=0))[1].any()


def test_a_pipeline_is_saved_and_loaded(tmp_path):
    pipeline = A.Compose([InsertAnomaly(techniques=["cutpaste"], severity=0.4, p=1), A.HorizontalFlip(p=1)], seed=1)
    loaded = A.from_dict(json.loads(json.dumps(A.to_dict(pipeline))))
    loaded.set_random_seed(5)
    pipeline.set_random_seed(5)
    assert loaded.transforms[0].techniques == ["cutpaste"] and loaded.transforms[0].severity == 0.4
    expected, found = (p(image=IMAGE, mask=EMPTY) for p in (pipeline, loaded))
    assert np.array_equal(expected["image"], found["image"]) and np.array_equal(expected["mask"], found["mask"])


def test_a_normalized_image_is_refused():
    with pytest.raises(ValueError, match="before Normalize"):
        run(InsertAnomaly(p=1), (IMAGE / 100 - 1).astype(np.float32))


@pytest.mark.parametrize(
    ("keywords", "name"),
    [({"p": 2}, "p"), ({"techniques": "nosuch"}, "techniques"), ({"source": "no/such/folder"}, "source")],
)
def test_bad_arguments_are_named(keywords, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        InsertAnomaly(**keywords)


OTHER = photograph(64, 48, seed=5)
HALVES = np.stack([np.where(np.arange(48)[:, None] < 24, IMAGE, 0), np.where(np.arange(48)[:, None] >= 24, IMAGE, 0)])
FORMAT = "coord_format" if hasattr(A.DualTransform, "sample_parameters") else "format"  # AlbumentationsX renamed it


def rectangles(**keywords):
    return InsertAnomaly(techniques="random_perturbation", p=1, **keywords)


def on_the_part():
    return InsertAnomaly(SOURCE, techniques="cutpaste", roi=lambda image: image.max(axis=2) > 0, p=1)


def inside_only(before, after, mask):
    """Whether an image changed, only inside the mask."""
    return np.array_equal(before[mask == 0], after[mask == 0]) and not np.array_equal(before, after)


def test_each_image_keeps_its_own_pixels_and_every_mask_is_united():
    names = {"image2": "image", "depth": "image", "mask2": "mask"}
    pipeline = A.Compose([rectangles()], additional_targets=names, seed=0)
    depth = (OTHER[..., :1] / 255).astype(np.float32)
    five = np.full((64, 48), 5, np.uint8)
    found = pipeline(image=IMAGE, image2=OTHER, depth=depth, mask=EMPTY, mask2=five, masks=[EMPTY, EMPTY])
    mask = found["mask"]
    for name, before in {"image": IMAGE, "image2": OTHER, "depth": depth}.items():
        assert inside_only(before, found[name], mask) and found[name].dtype == before.dtype
    assert np.array_equal(found["mask2"] == 1, mask == 1) and set(np.unique(found["mask2"])) == {1, 5}
    assert len(found["masks"]) == 2 and all(np.array_equal(np.squeeze(other), mask) for other in found["masks"])
    assert not EMPTY.any() and (five == 5).all()
    alone = A.Compose([rectangles()], seed=0)(image=OTHER, mask=EMPTY)  # the same draws
    assert np.array_equal(alone["image"], found["image2"]) and np.array_equal(alone["mask"], mask)


def test_a_mask_holds_what_any_image_lost():
    """The region is the part that is not black, so that the anomalies of two images differ."""
    found = A.Compose([on_the_part()], additional_targets={"image2": "image"}, seed=1)(
        image=HALVES[0], image2=HALVES[1], mask=EMPTY
    )
    changed = [(found[name] != before).any(axis=2) for name, before in zip(("image", "image2"), HALVES, strict=True)]
    assert not changed[0][:, 24:].any() and not changed[1][:, :24].any() and changed[0].any() and changed[1].any()
    assert not (changed[0] | changed[1])[found["mask"] == 0].any()


def test_images_and_their_masks():
    images = HALVES
    found = A.Compose([on_the_part()], seed=1)(images=images, masks=np.zeros((2, 64, 48), np.uint8))
    own = [np.squeeze(mask) for mask in found["masks"]]
    assert all(inside_only(*pair) for pair in zip(images, found["images"], own, strict=True))
    assert not np.array_equal(*own)
    found = A.Compose([rectangles()], seed=0)(images=images, mask=EMPTY)
    assert all(inside_only(*pair, found["mask"]) for pair in zip(images, found["images"], strict=True))
    with pytest.raises(ValueError, match="`masks` must have one mask for each of 2 images, got 3"):
        A.Compose([rectangles()])(images=images, masks=np.zeros((3, 64, 48), np.uint8))


@pytest.mark.parametrize("name", ["volume", "mask3d"])
def test_what_has_depth_is_refused_by_name(name):
    sample = {"image": IMAGE, name: np.zeros((2, 64, 48, 3)[: 4 if name == "volume" else 3], np.uint8)}
    with pytest.raises(TypeError, match=f"`{name}` must not be given"):
        rectangles()(**sample)


def test_a_sample_without_an_image_and_of_other_sizes_is_refused():
    with pytest.raises((TypeError, KeyError), match=r"must contain `image` or `images`|^'images'$"):
        rectangles()(mask=EMPTY)
    pair = rectangles()
    pair.add_targets({"image2": "image"})
    with pytest.raises(ValueError, match=r"height and width|aligned"):
        pair(image=IMAGE, image2=OTHER[:10])
    with pytest.raises(ValueError, match=r"height and width|aligned"):
        pair(image=IMAGE, mask=EMPTY[:10])
    with pytest.raises(ValueError, match=r"`image2`.*before Normalize"):
        pair(image=IMAGE, image2=(OTHER / 100).astype(np.float32))


def with_boxes(transform, boxes, kind="pascal_voc", fields=("labels",), **labels):
    params = A.BboxParams(**{FORMAT: kind}, label_fields=list(fields) or None)
    return A.Compose([transform], bbox_params=params, seed=0)(image=IMAGE, mask=EMPTY, bboxes=boxes, **labels)


def as_kind(corners, kind):
    left, top, right, bottom = np.asarray(corners, float).reshape(-1, 4).T
    if kind == "coco":
        return np.stack([left, top, right - left, bottom - top], 1)
    if kind == "yolo":
        return np.stack([(left + right) / 96, (top + bottom) / 128, (right - left) / 48, (bottom - top) / 64], 1)
    scale = (48, 64, 48, 64) if kind == "albumentations" else 1
    return np.stack([left, top, right, bottom], 1) / scale


@pytest.mark.parametrize("kind", ["pascal_voc", "coco", "yolo", "albumentations"])
@pytest.mark.parametrize("before", [[], [[1, 2, 10, 20]]], ids=["none", "one"])
def test_each_piece_adds_a_box_with_the_label(kind, before):
    boxes = as_kind(before, kind).tolist()
    found = with_boxes(rectangles(label="defect"), boxes, kind, labels=["bolt"] * len(before))
    pieces = masks.boxes(found["mask"] > 0)
    assert len(pieces) >= 2
    assert np.allclose(found["bboxes"], as_kind([*before, *pieces.tolist()], kind), atol=1e-4)
    assert list(found["labels"]) == ["bolt"] * len(before) + ["defect"] * len(pieces)


def test_labels_of_all_kinds():
    box = [[1.0, 2.0, 10.0, 20.0]]
    found = with_boxes(rectangles(label=7), box, labels=np.array([3]))
    assert set(found["labels"].tolist()) == {3, 7} and found["labels"].dtype.kind == "i"
    both = {"labels": "defect", "color": 2}
    found = with_boxes(rectangles(label=both), box, fields=both, labels=["bolt"], color=[9])
    assert found["labels"][0] == "bolt" and set(found["labels"][1:]) == {"defect"} and set(found["color"]) == {9, 2}
    found = with_boxes(rectangles(label=7), [[1, 2, 10, 20, 3]], fields=())
    assert [row[4] for row in found["bboxes"]] == [3] + [7] * (len(found["bboxes"]) - 1)
    found = with_boxes(rectangles(), box, labels=["bolt"])
    assert len(found["bboxes"]) == 1 and found["mask"].any()
    with pytest.raises(ValueError, match="`label` must be a number, as the labels of `labels` are"):
        with_boxes(rectangles(label="defect"), box, labels=[3])
    with pytest.raises(ValueError, match="`label` must contain a label for each of labels, color"):
        with_boxes(rectangles(label={"labels": "a"}), box, fields=both, labels=["bolt"], color=[9])
    with pytest.raises(ValueError, match="`label` must be a number if `bboxes` has no label fields"):
        with_boxes(rectangles(label="a"), [[1, 2, 10, 20, 3]], fields=())
    with pytest.raises(TypeError, match="`label`"):
        InsertAnomaly(label=[1])


def test_keypoints_stay():
    pipeline = A.Compose([rectangles()], keypoint_params=A.KeypointParams(**{FORMAT: "xy"}))
    assert np.array_equal(pipeline(image=IMAGE, keypoints=[[3, 4]])["keypoints"], [[3, 4]])


def test_a_replay_draws_the_same_anomaly_into_another_image():
    pipeline = A.ReplayCompose([InsertAnomaly(techniques="random_perturbation", p=0.5), A.HorizontalFlip(p=0.5)])
    pipeline.set_random_seed(3)
    kinds = set()
    for _ in range(8):
        first = pipeline(image=IMAGE, mask=EMPTY)
        again = A.ReplayCompose.replay(first["replay"], image=OTHER, mask=EMPTY)
        assert np.array_equal(first["mask"], again["mask"])
        is_flipped = first["replay"]["transforms"][1]["applied"]
        other = OTHER[:, ::-1] if is_flipped else OTHER
        assert np.array_equal(again["image"][again["mask"] == 0], other[again["mask"] == 0])
        kinds |= {bool(first["mask"].any()), "flipped" if is_flipped else "straight"}
    assert kinds == {True, False, "flipped", "straight"}


class Samples:
    """A minimal data set with a pipeline in the workers."""

    def __init__(self):
        self.pipeline = A.Compose([InsertAnomaly(p=0.5), A.HorizontalFlip(p=0.5)], seed=4)

    def __len__(self):
        return 8

    def __getitem__(self, index):
        found = self.pipeline(image=IMAGE, mask=EMPTY)
        return found["image"].copy(), found["mask"].copy()


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning", "ignore:This DataLoader will create")
def test_in_spawned_workers_the_run_repeats_and_samples_differ():
    need("torch")
    import torch
    from torch.utils.data import DataLoader

    passes = []
    for _ in range(2):
        torch.manual_seed(1)
        loader = DataLoader(Samples(), num_workers=2, multiprocessing_context="spawn")
        passes.append([(image[0].numpy(), mask[0].numpy()) for image, mask in loader])
    for (image, mask), (again, other) in zip(*passes, strict=True):
        assert np.array_equal(image, again) and np.array_equal(mask, other)
        assert any(np.array_equal(image[mask == 0], normal[mask == 0]) for normal in (IMAGE, IMAGE[:, ::-1]))
    assert len({image.tobytes() for image, _ in passes[0]}) > 3


def test_every_technique_is_tried_with_its_options():
    for name in pai.TECHNIQUES:
        with pytest.raises(TypeError, match="nosuch"):
            InsertAnomaly(options={name: {"nosuch": 1}})
    with pytest.raises(ValueError, match="`area_ratio"):
        InsertAnomaly(
            techniques=["fract_aug", "cutpaste"], weights=[1, 1e-9], options={"cutpaste": {"area_ratio": (2, 3)}}
        )
    for roi, error in (("background", ValueError), (np.zeros((8, 8), bool), ValueError), (5, TypeError)):
        with pytest.raises(error, match="`roi`"):
            InsertAnomaly(roi=roi)
    assert run(InsertAnomaly(roi=np.ones((64, 48), bool), p=1))[1].any()
