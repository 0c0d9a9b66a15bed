"""The transform for torchvision v2."""

import tracemalloc

import numpy as np
import pytest
from common import as_type, photograph
from optional import need
from PIL import Image

need("torch")

import torch  # noqa: E402

from pail import masks  # noqa: E402
from pail.torchvision import InsertAnomaly  # noqa: E402

pytestmark = pytest.mark.heavy
PHOTO = photograph(48, 40)
IMAGE = torch.from_numpy(PHOTO.copy()).permute(2, 0, 1).contiguous()


def marked(image, mask, before, outside=0):
    """Whether the image changed, inside the mask only."""
    mask = mask.reshape(*image.shape[:-3], 1, *image.shape[-2:])
    same = (image == before) | (mask != outside)
    return bool(same.all()) and not torch.equal(image, before)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_image_alone_gives_image_and_mask(dtype):
    image = IMAGE if dtype == torch.uint8 else (IMAGE / 256).to(dtype)
    before = image.clone()
    changed, mask = InsertAnomaly(PHOTO, p=1)(image)
    assert changed.dtype == dtype and changed.shape == image.shape and mask.shape == (1, 48, 40)
    assert marked(changed, mask, image) and torch.equal(image, before)


def test_every_image_of_a_batch_has_a_draw_of_its_own():
    batch = IMAGE.expand(6, -1, -1, -1)
    changed, masks = InsertAnomaly(p=1, techniques="random_perturbation")(batch)
    assert changed.shape == batch.shape and masks.shape == (6, 1, 48, 40)
    assert marked(changed, masks, batch)
    assert len({image.numpy().tobytes() for image in changed}) == 6
    torch.manual_seed(0)
    _, masks = InsertAnomaly(p=0.5)(IMAGE.expand(40, -1, -1, -1))
    assert 8 < masks.flatten(1).any(1).sum() < 32


def test_pytorch_seeds_hold():
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(InsertAnomaly(p=1)(IMAGE)[0].numpy().tobytes())
    assert found[0] == found[1] != found[2]


def test_pil_images_stay_pil_images():
    changed, mask = InsertAnomaly(p=1)(Image.fromarray(PHOTO))
    assert isinstance(changed, Image.Image) and changed.size == (40, 48) and mask.any()


@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_a_normalized_image_is_refused(low):
    with pytest.raises(ValueError, match="before Normalize"):
        InsertAnomaly(p=1)(torch.linspace(low, 2.0, 300).reshape(3, 10, 10))


def test_bad_input_is_named():
    transform = InsertAnomaly(p=1)
    with pytest.raises(TypeError, match="int64"):
        transform(IMAGE.long())
    with pytest.raises(ValueError, match=r"\(C, H, W\)"):
        transform(IMAGE[0])
    with pytest.raises(TypeError, match="must contain an image"):
        transform({"label": 3})
    with pytest.raises(TypeError, match=r"tv_tensors\.Mask"):
        transform({"image": IMAGE, "label": 3})
    with pytest.raises(ValueError, match="`p`"):
        InsertAnomaly(p=-1)
    with pytest.raises(ValueError, match="`techniques`"):
        InsertAnomaly(techniques="nosuch")
    with pytest.raises(ValueError, match="`label`"):
        InsertAnomaly(label=-1)
    with pytest.raises(ValueError, match="`area_ratio"):
        InsertAnomaly(
            techniques=["fract_aug", "cutpaste"], weights=[1, 1e-9], options={"cutpaste": {"area_ratio": (2, 3)}}
        )
    with pytest.raises(ValueError, match="`roi`"):
        InsertAnomaly(roi="background")
    with pytest.raises(TypeError, match="must get an image, or a sample that contains one, got nothing"):
        transform()


@pytest.mark.parametrize("image", [IMAGE, Image.fromarray(PHOTO)], ids=["tensor", "PIL"])
def test_a_dict_with_an_image_alone_stays_a_dict(image):
    found = InsertAnomaly(p=1)({"picture": image})
    assert list(found) == ["picture", "mask"] and type(found["picture"]) is type(image)
    assert found["mask"].shape == (1, 48, 40) and found["mask"].any()
    assert [type(value) for value in InsertAnomaly(p=1)([image])] == [type(image), type(found["mask"])]
    with pytest.raises(TypeError, match=r"tv_tensors\.Mask"):
        InsertAnomaly(p=1)({"deep": {"picture": image}})


@pytest.fixture
def tv():
    need("torchvision")
    from torchvision import tv_tensors

    return tv_tensors


@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 48, 40), torch.uint8), ((48, 40), torch.bool), ((48, 40), torch.float32)]
)
def test_image_and_mask_keep_their_types(tv, shape, dtype):
    before = torch.zeros(shape, dtype=dtype)
    before[..., :4, :] = 1
    sample = {"label": 5, "picture": tv.Image(IMAGE), "masks": [tv.Mask(before)], "name": "a"}
    changed = InsertAnomaly(p=1, techniques="random_perturbation")(sample)
    mask = changed["masks"][0]
    assert type(changed["picture"]) is tv.Image and type(mask) is tv.Mask
    assert mask.shape == shape and mask.dtype == dtype and changed["label"] == 5 and changed["name"] == "a"
    assert mask[..., :4, :].all() and mask.sum() > before.sum() and mask.max() == 1
    assert marked(changed["picture"].as_subclass(torch.Tensor), mask.as_subclass(torch.Tensor), IMAGE)
    assert not before[..., 4:, :].any()


def test_batches_of_masks(tv):
    masks = tv.Mask(torch.zeros(3, 48, 40, dtype=torch.uint8))
    images, found = InsertAnomaly(p=1, mask_value=255)(tv.Image(IMAGE.expand(3, -1, -1, -1)), masks)
    assert found.shape == (3, 48, 40) and found.flatten(1).max(1).values.tolist() == [255] * 3
    assert marked(images.as_subclass(torch.Tensor), found.as_subclass(torch.Tensor), IMAGE.expand(3, -1, -1, -1))


def test_a_mask_of_another_size_is_refused(tv):
    with pytest.raises(ValueError, match="height and width"):
        InsertAnomaly(p=1)(tv.Image(IMAGE), tv.Mask(torch.zeros(1, 3, 3)))


def test_it_is_one_step_of_a_pipeline(tv):
    from torchvision.transforms import v2

    pipeline = v2.Compose(
        [
            v2.RandomHorizontalFlip(1),
            v2.ToDtype({tv.Image: torch.float32, "others": None}, scale=True),
            InsertAnomaly(PHOTO, p=1),
            v2.RandomCrop(32),
            v2.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    torch.manual_seed(0)
    image, mask = pipeline(tv.Image(IMAGE), tv.Mask(torch.zeros(1, 48, 40, dtype=torch.uint8)))
    assert image.shape == (3, 32, 32) and mask.shape == (1, 32, 32) and image.min() < 0


def plain(tensor):
    return tensor.as_subclass(torch.Tensor)


@pytest.mark.parametrize(
    ("batch", "shape"),
    [(3, (48, 40)), (3, (1, 48, 40)), (3, (2, 48, 40)), (3, (3, 2, 48, 40)), (2, (3, 1, 48, 40)), (0, (2, 1, 48, 40))],
)
def test_masks_that_do_not_fit_a_batch_are_refused(tv, batch, shape):
    image = tv.Image(IMAGE.expand(batch, -1, -1, -1) if batch else IMAGE)
    with pytest.raises(ValueError, match=rf"the mask .*must have shape .*{shape[0]}, "):
        InsertAnomaly(p=1)(image, tv.Mask(torch.zeros(shape, dtype=torch.uint8)))


@pytest.mark.parametrize("shape", [(3, 48, 40), (3, 1, 48, 40)])
def test_each_image_of_a_batch_has_its_own_mask(tv, shape):
    before = torch.zeros(shape, dtype=torch.uint8)
    images, found = InsertAnomaly(p=1)(tv.Image(IMAGE.expand(3, -1, -1, -1)), tv.Mask(before))
    assert found.shape == shape and marked(plain(images), plain(found), IMAGE.expand(3, -1, -1, -1))
    assert len({mask.numpy().tobytes() for mask in found}) == 3


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8])
def test_the_anomaly_is_appended_to_instance_masks(tv, dtype):
    before = torch.zeros((2, 48, 40), dtype=dtype)
    before[0, :5], before[1, -5:] = 1, 1
    image, found = InsertAnomaly(p=1, techniques="random_perturbation")(tv.Image(IMAGE), tv.Mask(before))
    assert type(found) is tv.Mask and found.dtype == dtype and len(found) > 2
    assert torch.equal(plain(found[:2]), before) and found.flatten(1).any(1).all() and found.max() == 1
    anomaly = plain(found[2:]).any(0, keepdim=True)
    assert marked(plain(image), anomaly, IMAGE)
    assert len(masks.boxes(anomaly[0].numpy())) == len(found) - 2
    assert torch.equal(InsertAnomaly(p=0)(tv.Image(IMAGE), tv.Mask(before))[1], before)


def corners_of(boxes):
    """Left, top, right and bottom of axis-aligned boxes in any format."""
    values, name = plain(boxes).double(), boxes.format.value
    if name.startswith("XYXY"):
        return torch.stack(
            [values[:, 0::2].amin(1), values[:, 1::2].amin(1), values[:, 0::2].amax(1), values[:, 1::2].amax(1)], 1
        )
    corner = values[:, :2] - (values[:, 2:4] / 2 if name.startswith("C") else 0)
    return torch.cat([corner, corner + values[:, 2:4]], 1)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("name", ["XYXY", "XYWH", "CXCYWH", "XYWHR", "CXCYWHR", "XYXYXYXY"])
def test_each_piece_adds_a_box_a_label_and_an_instance(tv, name, count):
    if name not in tv.BoundingBoxFormat.__members__:
        pytest.skip("no such format in this torchvision")
    width = {"XYXYXYXY": 8}.get(name, 4 + name.endswith("R"))
    before = tv.BoundingBoxes(torch.full((count, width), 9.0), format=name, canvas_size=(48, 40))
    target = {
        "boxes": before,
        "labels": torch.full((count,), 3),
        "masks": tv.Mask(torch.zeros((count, 48, 40), dtype=torch.uint8)),
        "image_id": torch.tensor([5]),
    }
    semantic = tv.Mask(torch.zeros((48, 40), dtype=torch.uint8))
    _, found, union = InsertAnomaly(p=1, label=8, techniques="random_perturbation")(tv.Image(IMAGE), target, semantic)
    expected = torch.from_numpy(masks.boxes(union.numpy() > 0)).double()
    boxes = found["boxes"]
    assert type(boxes) is tv.BoundingBoxes and boxes.format.value == name and tuple(boxes.canvas_size) == (48, 40)
    assert torch.equal(plain(boxes[:count]), plain(before)) and torch.equal(corners_of(boxes)[count:], expected)
    assert found["labels"].tolist() == [3] * count + [8] * len(expected) and found["labels"].dtype == torch.int64
    for mask, (left, top, right, bottom) in zip(found["masks"][count:], expected.int().tolist(), strict=True):
        assert masks.boxes(mask.numpy() > 0).tolist() == [[left, top, right, bottom]]
    assert torch.equal(plain(found["masks"][count:]).any(0), plain(union) > 0)
    assert found["image_id"].tolist() == [5] and len(target["labels"]) == count


def detection(tv, **changed):
    sample = {
        "image": tv.Image(IMAGE),
        "boxes": tv.BoundingBoxes([[1, 2, 9, 9], [3, 4, 9, 9]], format="XYXY", canvas_size=(48, 40)),
        "labels": torch.tensor([1, 2]),
        "mask": tv.Mask(torch.zeros((1, 48, 40), dtype=torch.uint8)),
    }
    return {key: value for key, value in {**sample, **changed}.items() if value is not None}


def test_boxes_without_a_label_stay(tv):
    sample = detection(tv)
    found = InsertAnomaly(p=1)(sample)
    assert torch.equal(found["boxes"], sample["boxes"]) and found["labels"].tolist() == [1, 2] and found["mask"].any()


@pytest.mark.parametrize(
    ("changed", "keywords", "error", "text"),
    [
        ({"labels": None}, {"label": 1}, TypeError, '"labels"'),
        ({"labels": torch.zeros(3)}, {"label": 1}, ValueError, '"labels" must have one entry for each of 2 boxes'),
        ({"mask": (3, 48, 40)}, {"label": 1}, ValueError, "as many instance masks as boxes, 2"),
        ({"mask": (2, 48, 40)}, {}, ValueError, "`label` must be given"),
        ({"boxes": (9, 9)}, {"label": 1}, ValueError, r"canvas_size \(48, 40\), got \(9, 9\)"),
        ({"image": 2, "mask": (2, 48, 40)}, {"label": 1}, ValueError, "a single image"),
    ],
)
def test_samples_that_do_not_fit_are_named(tv, changed, keywords, error, text):
    if isinstance(changed.get("mask"), tuple):
        changed = {**changed, "mask": tv.Mask(torch.zeros(changed["mask"], dtype=torch.uint8))}
    if "boxes" in changed:
        changed = {"boxes": tv.BoundingBoxes([[1, 2, 3, 4]] * 2, format="XYXY", canvas_size=changed["boxes"])}
    if "image" in changed:
        changed = {**changed, "image": tv.Image(IMAGE.expand(2, -1, -1, -1))}
    with pytest.raises(error, match=text):
        InsertAnomaly(p=1, **keywords)(detection(tv, **changed))


def test_boxes_and_instances_go_through_a_pipeline(tv):
    from torchvision.transforms import v2

    pipeline = v2.Compose(
        [InsertAnomaly(p=1, label=2), v2.RandomHorizontalFlip(1), v2.SanitizeBoundingBoxes(min_size=2)]
    )
    masks_before = tv.Mask(torch.zeros((2, 48, 40), dtype=torch.uint8))
    torch.manual_seed(0)
    found = pipeline(detection(tv, mask=masks_before))
    assert len(found["boxes"]) == len(found["labels"]) == len(found["mask"]) >= 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_tensors_come_back_on_their_device():
    image, mask = InsertAnomaly(p=1)(IMAGE.cuda())
    assert image.is_cuda and mask.is_cuda


def native(image):
    return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, -1)


PIL_MODES = ["L", "LA", "RGB", "RGBA", "F", "I;16", "I;16B", "CMYK", "YCbCr", "HSV", "LAB", "RGBa", "La", "RGBX"]


def pil_of(mode):
    if mode in ("I;16", "I;16B"):
        deep = as_type(PHOTO[..., 0], "uint16").astype(">u2" if mode == "I;16B" else "<u2")
        return Image.frombytes(mode, (40, 48), deep.tobytes())
    if mode == "F":
        return Image.fromarray(as_type(PHOTO[..., 0], "float32"))
    image = Image.fromarray(PHOTO)
    if mode in ("LA", "RGBA", "RGBa", "La"):
        image.putalpha(Image.fromarray((np.arange(48 * 40).reshape(48, 40) % 200 + 50).astype(np.uint8)))
    if mode == "La":
        return image.convert("LA").convert("La")
    return image if image.mode == mode else image.convert(mode)


@pytest.mark.parametrize("mode", PIL_MODES)
def test_pil_images_keep_their_mode_and_all_outside_the_mask(mode):
    image = pil_of(mode)
    before = native(image).copy()
    for seed in range(4):
        torch.manual_seed(seed)
        changed, mask = InsertAnomaly(PHOTO, p=1)(image)
        inside = mask[0].numpy() > 0
        assert changed.mode == mode and changed.size == image.size and np.array_equal(native(image), before)
        assert np.array_equal(native(changed)[~inside], before[~inside])
        assert (native(changed)[inside] != before[inside]).any()
        if mode in ("LA", "RGBA", "RGBa", "La"):
            assert np.array_equal(native(changed)[..., -1], before[..., -1])


@pytest.mark.parametrize("mode", [*PIL_MODES, "1", "P", "PA", "I"])
def test_a_pil_image_without_an_anomaly_is_the_very_image(mode):
    image = Image.new(mode, (40, 48)) if mode in ("1", "P", "PA", "I") else pil_of(mode)
    same, mask = InsertAnomaly(p=0)(image)
    assert same is image and mask.shape == (1, 48, 40) and not mask.any()


@pytest.mark.parametrize("mode", ["1", "P", "PA", "I"])
def test_pil_images_that_cannot_take_new_values_are_refused_by_name(mode):
    with pytest.raises(TypeError, match=rf"mode {mode}\b"):
        InsertAnomaly(p=1)(Image.new(mode, (40, 48)))


def test_a_region_is_made_of_the_pixels_of_a_pil_image():
    region = np.zeros((48, 40), bool)
    region[5:30, 5:30] = True
    seen = []

    def where(array):
        seen.append(array)
        return region

    _, mask = InsertAnomaly(p=1, roi=where)(pil_of("LA"))
    assert np.array_equal(seen[-1], np.asarray(pil_of("LA"))) and not mask[0].numpy()[~region].any()


def test_pieces_are_not_made_where_nothing_takes_them(tv):
    """A mask for each of many pieces would be many times the image."""
    image = tv.Image(torch.from_numpy(photograph(512, 512).copy()).permute(2, 0, 1).contiguous())
    options = {"perlin_noise_pattern": {"min_perlin_scale": 6, "perlin_scale": 7, "threshold": 0.3}}
    transform = InsertAnomaly(p=1, techniques="perlin_noise_pattern", options=options, label=1)
    boxes = tv.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=(512, 512))
    sample = {"image": image, "mask": tv.Mask(torch.zeros(512, 512, dtype=torch.uint8)), "boxes": boxes}
    transform({**sample, "labels": torch.zeros(0, dtype=torch.int64)})
    tracemalloc.start()
    changed = transform({**sample, "labels": torch.zeros(0, dtype=torch.int64)})
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    count = len(changed["boxes"])
    assert count > 300 and len(changed["labels"]) == count and most < count * 512 * 512 / 4
