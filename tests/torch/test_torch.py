"""The data set for PyTorch, in the processes of real DataLoaders."""

import copy
import itertools
import os
import pickle
import random
import subprocess
import sys
import warnings

import cv2
import numpy as np
import pytest
from common import photograph
from optional import need
from PIL import Image

need("torch")

import torch  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from torch.utils.data.distributed import DistributedSampler  # noqa: E402

import pail  # noqa: E402
from pail import pai  # noqa: E402
from pail.torch import PseudoAnomalyDataset  # noqa: E402

IMAGES = np.stack([photograph(48, 48, seed=seed) for seed in range(12)])
SOURCES = np.stack([photograph(40, 40, seed=seed) for seed in range(20, 23)])
FORK = hasattr(os, "fork")
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings(
        "ignore:.*use of fork.*:DeprecationWarning", "ignore:This DataLoader will create:UserWarning"
    ),
]


def make(**keywords):
    return PseudoAnomalyDataset(IMAGES, SOURCES, seed=3, **{"p_anomaly": 0.6, **keywords})


def contents(sample):
    tensors = {key: value for key, value in sample.items() if isinstance(value, torch.Tensor)}
    return {key: value.numpy().tobytes() for key, value in tensors.items()} | {"technique": sample["technique"]}


def by_index(loader):
    """The bytes of each sample of one pass."""
    found = {}
    for batch in loader:
        for place, index in enumerate(batch["index"].tolist()):
            one = {key: value[place] for key, value in batch.items()}
            found[index] = contents(one)
    return found


def passes(count=2, data=None, **keywords):
    loader = DataLoader(make() if data is None else data, batch_size=5, **keywords)
    return [by_index(loader) for _ in range(count)]


def test_a_sample_is_what_the_documentation_says():
    sample = make(p_anomaly=1)[4]
    assert sample["image"].dtype == torch.float32 and sample["image"].shape == (3, 48, 48)
    assert sample["mask"].dtype == torch.float32 and sample["mask"].shape == (1, 48, 48)
    assert sample["label"].dtype == torch.int64 and sample["label"].ndim == 0 and sample["label"] == 1
    assert sample["technique"] in pai.TECHNIQUES and sample["index"] == 4
    assert sample["image"].min() >= 0 and sample["image"].max() <= 1
    assert set(sample["mask"].unique().tolist()) == {0, 1}


def test_the_same_anomaly_is_made_by_hand():
    data = make(p_anomaly=1, techniques=["cutpaste", "random_perturbation"])
    data.set_epoch(5)
    i_a, m_a = pai.Anomaly_Insertion().insert(IMAGES[7], techniques=["cutpaste", "random_perturbation"], rng=(3, 5, 7))
    sample = data[7]
    assert np.array_equal(sample["image"].numpy(), i_a.transpose(2, 0, 1).astype(np.float32) / np.float32(255))
    assert np.array_equal(sample["mask"].numpy()[0] == 1, m_a[..., 0] == 255)


def test_normal_samples_are_untouched():
    sample = make(p_anomaly=0)[2]
    assert np.array_equal(np.round(sample["image"].numpy() * 255).astype(np.uint8), IMAGES[2].transpose(2, 0, 1))
    assert sample["label"] == 0 and not sample["mask"].any() and sample["technique"] == ""


def test_p_anomaly_is_the_share_of_anomalies():
    data = PseudoAnomalyDataset(IMAGES, techniques="random_perturbation", p_anomaly=0.3)
    labels = [int(data[index]["label"]) for _ in range(30) for index in range(len(data))]
    assert 0.2 < np.mean(labels) < 0.4  # 360 draws: four standard errors


def test_epochs_differ_and_go_on_by_themselves():
    first, second = passes()
    assert set(first) == set(range(12)) and first != second
    said = make()
    for epoch, expected in enumerate((first, second)):
        said.set_epoch(epoch)
        assert by_index(DataLoader(said, batch_size=5)) == expected
    assert contents(said[0]) == contents(said[0]) != contents(said[1])


WORKERS = [
    pytest.param(*case, id="-".join(map(str, case)))
    for case in [(1, "fork", False), (4, "fork", False), (2, "fork", True), (2, "spawn", True), (2, "forkserver", True)]
]


@pytest.mark.parametrize(("workers", "method", "persistent"), WORKERS)
def test_workers_and_start_methods_do_not_matter(workers, method, persistent):
    if method != "spawn" and not FORK:
        pytest.skip("no fork")
    expected = passes()
    found = passes(
        num_workers=workers, multiprocessing_context=method, persistent_workers=persistent, shuffle=method == "fork"
    )
    assert found == expected


@pytest.mark.skipif(not FORK, reason="no fork")
def test_set_epoch_reaches_persistent_workers():
    data = make()
    loader = DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context="fork", persistent_workers=True)
    plain = make()
    for epoch in (0, 7, 0):
        data.set_epoch(epoch)
        plain.set_epoch(epoch)
        assert by_index(loader) == by_index(DataLoader(plain, batch_size=6))


@pytest.mark.skipif(not FORK, reason="no fork")
def test_distributed_ranks_make_what_one_process_makes():
    data = make()
    for epoch in range(2):
        data.set_epoch(epoch)
        together = {}
        for rank in range(3):
            sampler = DistributedSampler(data, num_replicas=3, rank=rank, seed=1)
            sampler.set_epoch(epoch)
            copied = pickle.loads(pickle.dumps(data))
            together |= by_index(
                DataLoader(
                    copied,
                    batch_size=2,
                    sampler=sampler,
                    num_workers=rank % 2,
                    multiprocessing_context="fork" if rank % 2 else None,
                )
            )
        assert together == by_index(DataLoader(data, batch_size=5))


@pytest.mark.parametrize("probability", [0, 1])
def test_pairs_hold_the_same_part(probability):
    flip = lambda image, mask: (image.flip(-1), mask.flip(-1)) if torch.rand(()) < 0.5 else (image, mask)  # noqa: E731
    data = make(pairs=True, p_anomaly=probability, transform=flip)
    for index in range(6):
        sample = data[index]
        outside = (sample["mask"] == 0).expand(3, -1, -1)
        assert torch.equal(sample["image"][outside], sample["normal"][outside])
        assert torch.equal(sample["image"], sample["normal"]) == (probability == 0)


def jitter(image, rng):
    return np.clip(image + rng.integers(-20, 20), 0, 255).astype(np.uint8)


def jitter_by_globals(image):
    shift = random.randrange(9) + np.random.randint(9) + int(torch.randint(9, ()))  # noqa: NPY002
    return np.minimum(image, 200) + np.uint8(shift)


@pytest.mark.skipif(not FORK, reason="no fork")
@pytest.mark.parametrize("augment", [jitter, jitter_by_globals])
def test_augment_comes_first_and_is_keyed_too(augment):
    data = make(augment=augment, pairs=True)
    alone = passes(data=data)
    assert alone == passes(data=make(augment=augment, pairs=True), num_workers=2, multiprocessing_context="fork")
    assert alone[0] != passes(1)[0]
    sample = next(s for s in (data[i] for i in range(12)) if s["label"])
    outside = (sample["mask"] == 0).expand(3, -1, -1)
    assert torch.equal(sample["image"][outside], sample["normal"][outside])


def global_states():
    return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002


def test_global_generators_stay_as_they_are():
    data, before = make(augment=jitter_by_globals), global_states()
    data[0]
    assert global_states() == before


@pytest.mark.parametrize("keyword", ["augment", "transform"])
def test_global_generators_are_put_back_where_the_users_code_raises(keyword):
    def fail(*_):
        random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
        raise RuntimeError("mine")

    data, before = make(p_anomaly=1, **{keyword: fail}), global_states()
    with pytest.raises(RuntimeError, match="mine"):
        data[0]
    assert global_states() == before


def test_no_global_generator_is_touched_without_the_users_code(monkeypatch):
    data = make(p_anomaly=1)

    def touched(*_):
        raise AssertionError("a global generator was touched")

    for module, names in ((random, ("seed", "getstate", "setstate", "random")), (np.random, ("seed", "get_state"))):
        for name in names:
            monkeypatch.setattr(module, name, touched)
    assert data[0]["label"] == 1


def test_transform_may_cut_the_anomaly_away():
    data = make(p_anomaly=1, transform=lambda image, mask: (image * 2 - 1, mask * 0))
    assert data[0]["label"] == 0 and data[0]["image"].min() < 0


@pytest.fixture
def folder(tmp_path):
    for index, image in enumerate(IMAGES[:3]):
        place = tmp_path / "normal" / ("a" if index else "b")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{index}.png")
    (tmp_path / "normal" / "notes.txt").write_text("no image")
    return tmp_path / "normal"


def test_folders_patterns_lists_and_arrays(folder):
    files = sorted(folder.rglob("*.png"), key=str)
    expected = [np.asarray(Image.open(file)) for file in files]
    for normal in (folder, str(folder), f"{folder}/**/*.png", files, expected, [Image.fromarray(e) for e in expected]):
        data = PseudoAnomalyDataset(normal, p_anomaly=0)
        found = [np.round(data[i]["image"].numpy() * 255).astype(np.uint8).transpose(1, 2, 0) for i in range(len(data))]
        assert np.array_equal(found, expected)


def test_channels_and_depths():
    gray = [image[..., 0] for image in IMAGES]
    assert PseudoAnomalyDataset(gray)[0]["image"].shape == (3, 48, 48)
    assert PseudoAnomalyDataset(gray, channels=None)[0]["image"].shape == (1, 48, 48)
    assert PseudoAnomalyDataset(IMAGES, channels=1)[0]["image"].shape == (1, 48, 48)
    assert PseudoAnomalyDataset([np.dstack([IMAGES[0], gray[0]])])[0]["image"].shape == (3, 48, 48)
    deep = IMAGES.astype(np.uint16) * 16
    for images, top in ((deep, 4095), (IMAGES.astype(np.float32), 255)):
        sample = PseudoAnomalyDataset(images, data_range=top, p_anomaly=1)[0]
        assert 0.5 < sample["image"].max() <= 1
    assert PseudoAnomalyDataset(IMAGES / 255, p_anomaly=1)[0]["image"].dtype == torch.float32


def test_sizes(tmp_path):
    images = [photograph(30, 50), photograph(64, 64)]
    data = PseudoAnomalyDataset(images, size=(32, 40), p_anomaly=1)
    assert next(iter(DataLoader(data, batch_size=2)))["image"].shape == (2, 3, 32, 40)
    assert PseudoAnomalyDataset(images, size=24)[0]["image"].shape == (3, 24, 24)
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    with pytest.raises(ValueError, match=r"same size.*30, 50.*0\.png.*64, 64.*1\.png.*pass `size`"):
        PseudoAnomalyDataset(tmp_path)


def test_roi_and_severity():
    region = np.zeros((48, 48), bool)
    region[10:30, 5:25] = True
    for roi in (region, lambda image: region):
        data = PseudoAnomalyDataset(IMAGES, roi=roi, severity=(0.3, 0.5), p_anomaly=1, n_anomalies=(2, 3))
        sample = data[0]
        assert not sample["mask"][0].numpy()[~region].any()
        assert sample["technique"].count(" + ") in (1, 2)


def test_a_source_may_be_a_callable():
    data = PseudoAnomalyDataset(
        IMAGES, lambda rng: np.full((9, 9, 3), rng.integers(256), np.uint8), techniques="SBI", p_anomaly=1
    )
    assert data[0]["label"] == 1


def test_the_cache_is_bounded_and_pickles_leave_it_behind(folder):
    each = 48 * 48 * 3
    data = PseudoAnomalyDataset(folder, cache=2 * each + 5, p_anomaly=0)
    before = [data[i]["image"] for i in range(3)]
    assert data.normal.cache.used == 2 * each
    for file in folder.rglob("*.png"):
        file.unlink()
    assert torch.equal(data[0]["image"], before[0]) and torch.equal(data[1]["image"], before[1])
    with pytest.raises(ValueError, match=r"2\.png|0\.png"):
        data[2]
    assert len(pickle.dumps(data)) < 10_000


@pytest.mark.skipif(not FORK, reason="no fork")
def test_forked_workers_share_the_cache(folder):
    data = PseudoAnomalyDataset(folder, cache=10**7, p_anomaly=0)
    for file in folder.rglob("*.png"):
        file.unlink()
    assert len(by_index(DataLoader(data, num_workers=2, multiprocessing_context="fork"))) == 3


def test_augment_cannot_write_into_the_cache():
    def spoil(image):
        image[:] = 0
        return image

    data = PseudoAnomalyDataset([photograph(20, 20)], cache=10**6, augment=spoil, p_anomaly=0)
    data[0]
    assert data.normal[0].any()


def test_bad_files_are_named(folder):
    bad = folder / "a" / "broken.png"
    bad.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"`normal`.*broken\.png"):
        PseudoAnomalyDataset(folder)
    with pytest.warns(UserWarning, match=r"broken\.png"):
        data = PseudoAnomalyDataset(folder, unreadable="skip")
    assert len(data) == 3
    bad.write_bytes((folder / "a" / "1.png").read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"broken\.png"):
        [sample for sample in PseudoAnomalyDataset(folder)]  # noqa: C416


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "text"),
    [
        ([[]], {}, ValueError, "`normal` must not be empty"),
        (["no/such/place"], {}, ValueError, "does not exist"),
        ([5], {}, TypeError, "`normal`"),
        ([["no.png"]], {}, ValueError, r"`normal\[0\]`.*no\.png"),
        ([IMAGES, []], {}, ValueError, "`source`"),
        ([IMAGES], {"p_anomaly": 1.5}, ValueError, "`p_anomaly`"),
        ([IMAGES], {"seed": -1}, ValueError, "`seed`"),
        ([IMAGES], {"techniques": "nosuch"}, ValueError, "`techniques`"),
        ([IMAGES], {"n_anomalies": 0}, ValueError, "`n_anomalies`"),
        ([IMAGES], {"severity": 2}, ValueError, "`severity`"),
        ([IMAGES], {"size": 0}, ValueError, "`size`"),
        ([IMAGES], {"cache": -1}, ValueError, "`cache`"),
        ([IMAGES], {"channels": 2}, ValueError, "`channels`"),
        ([IMAGES], {"augment": 3}, TypeError, "`augment`"),
        ([IMAGES], {"transform": 3}, TypeError, "`transform`"),
        ([IMAGES], {"unreadable": "maybe"}, ValueError, "`unreadable`"),
        ([IMAGES], {"dtype": torch.float16}, ValueError, "`dtype` must be torch.float32 or torch.uint8"),
        ([IMAGES], {"dtype": "uint8"}, ValueError, "`dtype`"),
        ([IMAGES], {"dtype": torch.uint8, "data_range": 200}, ValueError, "`data_range` must be None or 255"),
        (
            [IMAGES],
            {"dtype": torch.uint8, "data_range": np.array([9, 200])},
            ValueError,
            "`data_range` must be None or",
        ),
        ([IMAGES.astype(np.uint16)], {"dtype": torch.uint8}, ValueError, r"`dtype` .*uint16 in normal\[0\]"),
        ([IMAGES / 255], {"dtype": torch.uint8}, ValueError, r"`dtype` .*float64 in normal\[0\]"),
        ([IMAGES], {"roi": "background"}, ValueError, "`roi`"),
        ([IMAGES], {"roi": np.ones((9, 9), bool)}, ValueError, r"`roi` .*\(48, 48\)"),
        ([IMAGES], {"roi": lambda image: image}, ValueError, "`roi`"),
        ([IMAGES], {"roi": np.ones((48, 48), bool), "size": 24}, ValueError, r"`roi` .*\(24, 24\)"),
    ],
)
def test_bad_arguments_are_named(arguments, keywords, error, text):
    with pytest.raises(error, match=text):
        PseudoAnomalyDataset(*arguments, **keywords)


def test_a_technique_that_needs_a_source_says_so_when_the_data_set_is_made():
    def overlay(frame, draw, source):
        if source is None:
            raise ValueError("`anom_source_img` must be given")
        return pail.Insertion(frame.whole, 255 - frame.crop())

    pail.register("overlay", overlay, family="SBI")
    try:
        with pytest.raises(ValueError, match="`anom_source_img` must be given"):
            PseudoAnomalyDataset(IMAGES, techniques="overlay")
        assert PseudoAnomalyDataset(IMAGES, SOURCES, techniques="overlay", p_anomaly=1)[0]["technique"] == "overlay"
    finally:
        pail.unregister("overlay")


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=f"`normal`.*{tmp_path.name}"):
        PseudoAnomalyDataset(tmp_path)


def test_indices():
    data = make()
    assert data[-1]["index"] == 11 and data[np.int64(3)]["index"] == 3
    assert len(list(itertools.islice(data, 20))) == 12
    with pytest.raises(IndexError, match="`index`"):
        data[12]
    with pytest.raises(TypeError, match="`index`"):
        data[1.5]


def test_copies_count_for_themselves():
    data = make()
    data[0]
    copied = copy.deepcopy(data)
    first, second = contents(data[0]), contents(data[0])
    assert contents(copied[0]) == first != second


@pytest.mark.skipif(not FORK, reason="no fork")
def test_workers_start_after_opencv_has_used_its_threads():
    threads = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        cv2.GaussianBlur(photograph(2000, 2000), (21, 21), 3)
        assert len(by_index(DataLoader(make(), num_workers=2, multiprocessing_context="fork", timeout=60))) == 12
    finally:
        cv2.setNumThreads(threads)


def test_without_torch_the_error_names_the_extra():
    code = "import sys; sys.modules['torch'] = None\nimport pail.torch"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ".[torch]" in result.stderr


def test_augment_and_transform_by_torchvision():
    need("torchvision")
    from torchvision.transforms import v2

    data = make(
        augment=v2.RandomHorizontalFlip(0.5),
        transform=v2.Compose([v2.RandomCrop(40), v2.Normalize([0.5] * 3, [0.5] * 3)]),
    )
    sample = next(s for s in (data[i] for i in range(12)) if s["label"])
    assert type(sample["image"]) is torch.Tensor and sample["image"].shape == (3, 40, 40)
    assert sample["mask"].shape == (1, 40, 40) and sample["image"].min() < 0
    assert set(sample["mask"].unique().tolist()) == {0, 1}


def test_augment_and_transform_by_albumentations():
    need("albumentations")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import albumentations

    def build():
        flip = albumentations.Compose([albumentations.HorizontalFlip(p=0.5)])
        return make(augment=flip, transform=albumentations.Compose([albumentations.RandomCrop(40, 40)]), p_anomaly=1)

    sample = build()[0]
    assert sample["image"].shape == (3, 40, 40) and sample["mask"].shape == (1, 40, 40)
    if FORK:
        assert passes(1, build()) == passes(1, build(), num_workers=2, multiprocessing_context="fork")


def test_bytes_are_what_the_floats_are_made_of():
    for keywords in ({}, {"pairs": True, "p_anomaly": 1}, {"channels": 1}):
        floats, integers = make(**keywords), make(dtype=torch.uint8, **keywords)
        for index in range(8):
            sample, whole = floats[index], integers[index]
            for key in {"image", "mask", "normal"} & sample.keys():
                assert whole[key].dtype == torch.uint8 and whole[key].shape == sample[key].shape
            assert torch.equal(whole["image"].float() / 255, sample["image"])
            assert torch.equal(whole["mask"].float(), sample["mask"]) and set(whole["mask"].unique().tolist()) <= {0, 1}
            assert whole["label"] == sample["label"] and whole["technique"] == sample["technique"]
    batch = next(iter(DataLoader(make(dtype=torch.uint8, p_anomaly=1), batch_size=12)))
    assert batch["image"].dtype == batch["mask"].dtype == torch.uint8 and batch["mask"].flatten(1).any(1).all()


def test_bytes_where_an_image_or_a_transform_is_something_else():
    mixed = PseudoAnomalyDataset([IMAGES[0], IMAGES[1].astype(np.uint16) * 257], dtype=torch.uint8)
    mixed[0]
    with pytest.raises(ValueError, match=r"`dtype` .*uint16 in normal\[1\]"):
        mixed[1]
    sample = make(dtype=torch.uint8, transform=lambda image, mask: (image.flip(-1), mask.flip(-1)))[0]
    assert sample["image"].dtype == sample["mask"].dtype == torch.uint8
    halves = make(dtype=torch.uint8, transform=lambda image, mask: (image / 2, mask))  # chosen by the user
    assert halves[0]["image"].dtype == torch.float32 and halves[0]["mask"].dtype == torch.uint8


@pytest.mark.parametrize("name", sorted(name for name, entry in pai.TECHNIQUES.items() if not entry.takes_defects))
def test_each_technique_is_tried_when_the_data_set_is_made(name):
    """This includes techniques that are rarely drawn."""
    other = "cutpaste" if name != "cutpaste" else "fract_aug"
    for keyword, value in pai.TECHNIQUES[name].parameters.items():
        with pytest.raises((TypeError, ValueError), match=f"`{keyword}"):
            make(techniques=[other, name], weights=[1, 0], options={name: {keyword: object()}})
        assert make(techniques=[other, name], weights=[1, 0], options={name: {keyword: value}})


def test_options_that_are_masks_of_the_image_are_taken():
    mask = np.zeros((48, 48), bool)
    mask[5:40, 5:40] = True
    options = {"rand_augmented_cut_paste": {"source_mask": mask[:40, :40], "mask": mask}}
    data = make(techniques="rand_augmented_cut_paste", options=options, p_anomaly=1)
    assert data[0]["label"] == 1
    with pytest.raises(ValueError, match="`mask`"):
        make(techniques="rand_augmented_cut_paste", options={"rand_augmented_cut_paste": {"mask": mask & False}})


def left_part(image):
    region = np.zeros(image.shape[:2], bool)
    region[:, : image.shape[1] // 2] = True
    return region


def combined(**keywords):
    """All options together: a region by a function, severity, weights, options, several anomalies, augmentation,
    bytes."""
    return PseudoAnomalyDataset(
        list(IMAGES),
        SOURCES,
        techniques=["SFI", "fract_aug", "superpixel_anomaly"],
        weights=[2, 1, 0.5],
        n_anomalies=(1, 3),
        options={"fract_aug": {"n_maps": 3}, "cutpaste": {"area_ratio": (0.05, 0.1)}},
        severity=(0.3, 0.8),
        roi=left_part,
        p_anomaly=0.8,
        size=40,
        augment=jitter,
        pairs=True,
        cache=10**6,
        **{"seed": 5, "dtype": torch.uint8, **keywords},
    )


def test_everything_together_holds_what_each_promises():
    data, counts = combined(), set()
    for index in range(12):
        sample = data[index]
        mask, image, normal = sample["mask"].bool(), sample["image"], sample["normal"]
        assert image.shape == (3, 40, 40) and image.dtype == torch.uint8
        assert not mask[..., 20:].any() and bool(mask.any()) == bool(sample["label"])
        outside = ~mask.expand(3, -1, -1)
        assert torch.equal(image[outside], normal[outside]) and torch.equal(image, normal) == (sample["label"] == 0)
        counts.add(len(sample["technique"].split(" + ")) if sample["technique"] else 0)
    assert counts >= {0, 1, 2}


def test_everything_together_follows_seed_epoch_and_index():
    data = combined()
    expected = passes(data=data)
    assert expected[0] != expected[1]
    assert passes(data=combined()) == expected != passes(data=combined(seed=6))
    spawned = passes(data=combined(), num_workers=2, multiprocessing_context="spawn", persistent_workers=True)
    assert spawned == expected
    again = combined()
    again.set_epoch(1)
    assert contents(again[7]).items() <= expected[1][7].items()
    floats = combined(dtype=torch.float32)
    floats.set_epoch(1)
    sample = floats[7]
    assert sample["technique"] == expected[1][7]["technique"]
    assert (sample["image"] * 255).round().to(torch.uint8).numpy().tobytes() == expected[1][7]["image"]


@pytest.mark.parametrize("p_anomaly", [0, 1])
def test_normal_and_anomalous_samples_pass_the_same_check(p_anomaly, tmp_path):
    import tifffile

    for bad, error, words in (
        (IMAGES.astype(np.int64), TypeError, "int64"),
        (IMAGES.astype(np.float32), ValueError, r"normal\[2\].*\[0, 1\]"),
        (np.where(IMAGES > 0, np.nan, 0.5).astype(np.float32), ValueError, r"normal\[2\].*NaN"),
        (IMAGES.astype(np.uint16), ValueError, "data_range"),
    ):
        data_range = 9 if bad.dtype == np.uint16 else None
        with pytest.raises(error, match=words):
            PseudoAnomalyDataset(bad, p_anomaly=p_anomaly, data_range=data_range)[2]
    tifffile.imwrite(tmp_path / "a.tif", IMAGES[0].astype(np.float32), photometric="rgb")
    with pytest.raises(ValueError, match=r"a\.tif.*\[0, 1\]"):
        PseudoAnomalyDataset(tmp_path, p_anomaly=p_anomaly)[0]
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        PseudoAnomalyDataset(IMAGES, p_anomaly=p_anomaly, augment=lambda image: image.astype(np.float32))[0]


def test_a_stack_of_gray_images_is_many_images():
    grays = np.stack([photograph(40, 40, seed)[..., 0] for seed in range(17)])
    data = PseudoAnomalyDataset(grays, channels=None)
    assert len(data) == 17 and data[0]["image"].shape == (1, 40, 40)
    with pytest.raises(ValueError, match=r"`normal`.*images\[\.\.\., None\]"):
        PseudoAnomalyDataset(grays[:16])


def test_folders_are_listed_as_for_data_sets_on_disk(folder):
    from pail.dataset.store import Store

    for name in (".ipynb_checkpoints/0.png", ".thumbnails/1.png", "__MACOSX/2.png", ".3.png", "dir.png/4.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(IMAGES[0]).save(folder / name)
    data = PseudoAnomalyDataset(folder)
    names = [entry.path.relative_to(folder).as_posix() for entry in data.normal.entries]
    assert names == Store(folder).names() == ["a/1.png", "a/2.png", "b/0.png", "dir.png/4.jpg"]
    assert all(data[index]["image"].shape == (3, 48, 48) for index in range(4))


def test_alpha_of_gray_files_is_carried_through(tmp_path):
    alpha = np.arange(48 * 48, dtype=np.uint16).reshape(48, 48) % 200
    image = Image.fromarray(np.dstack([IMAGES[0][..., 0], alpha.astype(np.uint8)]))
    image.save(tmp_path / "a.png")
    for normal in (tmp_path, [image]):
        data = PseudoAnomalyDataset(normal, channels=None, p_anomaly=1, cache=10**6)
        for _ in range(3):
            sample = data[0]
            assert np.array_equal(np.round(sample["image"][1].numpy() * 255), alpha) and sample["mask"].any()


def test_pages_and_large_files(tmp_path):
    import tifffile

    with tifffile.TiffWriter(tmp_path / "scan.tif") as file:
        for image in IMAGES[:3]:
            file.write(image, photometric="rgb")
    data = PseudoAnomalyDataset(tmp_path, pages="all", p_anomaly=0)
    found = [np.round(data[i]["image"].numpy() * 255).astype(np.uint8).transpose(1, 2, 0) for i in range(3)]
    assert len(data) == 3 and np.array_equal(found, IMAGES[:3])
    with pytest.raises(ValueError, match=r"scan\.tif.*max_pixels"):
        PseudoAnomalyDataset(tmp_path, pages="all", max_pixels=48 * 48 - 1)


class TestTiles:
    def test_samples_are_tiles_of_the_whole(self):
        images = [photograph(100, 130, i) for i in range(3)]
        whole = PseudoAnomalyDataset(images, p_anomaly=0.7, techniques="cutpaste_scar", pairs=True, seed=3)
        tiles = PseudoAnomalyDataset(
            images, p_anomaly=0.7, techniques="cutpaste_scar", pairs=True, seed=3, tile=64, overlap=8
        )
        assert len(tiles) == 3 * 2 * 3 and repr(tiles).startswith("PseudoAnomalyDataset(18 tiles")
        whole.set_epoch(2)
        tiles.set_epoch(2)
        labels = set()
        for index in (*range(18), 4, 11):
            sample = tiles[index]
            of = whole[sample["index"]]
            row, column = sample["tile"].tolist()
            top, left = min(row * 56, 36), min(column * 56, 66)
            for name in ("image", "mask", "normal"):
                assert torch.equal(sample[name], of[name][:, top : top + 64, left : left + 64])
            assert sample["label"] == int(sample["mask"].any()) and bool(sample["technique"]) == bool(sample["label"])
            labels.add((int(sample["label"]), int(of["label"])))
        assert (1, 1) in labels and (0, 1) in labels

    def test_in_workers(self):
        images = [photograph(70, 70, i) for i in range(2)]
        data = PseudoAnomalyDataset(images, p_anomaly=1, tile=64, seed=1)
        alone = [data[i]["image"] for i in range(len(data))]
        again = PseudoAnomalyDataset(images, p_anomaly=1, tile=64, seed=1)
        loaded = torch.cat([batch["image"] for batch in DataLoader(again, batch_size=4, num_workers=2)])
        assert torch.equal(torch.stack(alone), loaded)

    def test_what_does_not_fit(self):
        images = [photograph(100, 130), photograph(50, 130)]
        with pytest.raises(ValueError, match=r"got normal\[1\]: .*\(50, 130\)"):
            PseudoAnomalyDataset(images, tile=64)
        data = PseudoAnomalyDataset(images[:1], tile=64, augment=lambda image: image[:90])
        with pytest.raises(ValueError, match="`augment` must keep height and width"):
            data[0]


class TestSelecting:
    def test_lists_patterns_and_what_is_left_out(self, tmp_path):
        for index in range(4):
            Image.fromarray(photograph(40, 48, index)).save(tmp_path / f"{index}.png")
        mask = np.zeros((40, 48), np.uint8)
        mask[3:9, 4:20] = 255
        Image.fromarray(mask).save(tmp_path / "0_mask.png")
        (tmp_path / "parts.csv").write_text("id,good\n1,2.png\n2,0.png\n")
        listed = PseudoAnomalyDataset(tmp_path / "parts.csv", column="good", p_anomaly=0)
        assert len(listed) == 2
        assert torch.equal(listed[0]["image"], torch.from_numpy(photograph(40, 48, 2).transpose(2, 0, 1).copy()) / 255)
        with pytest.warns(UserWarning, match="1 mask "):
            assert len(PseudoAnomalyDataset(tmp_path)) == 4
        assert len(PseudoAnomalyDataset(str(tmp_path / "*.png"), exclude=["*_mask.png", "3.*"])) == 3

    @pytest.mark.skipif(os.name != "posix", reason="symbolic links")
    def test_links(self, tmp_path):
        for name in ("parts", "more"):
            (tmp_path / name).mkdir()
            Image.fromarray(photograph(40, 48)).save(tmp_path / name / "a.png")
        (tmp_path / "parts" / "linked").symlink_to(tmp_path / "more")
        with pytest.warns(UserWarning, match="1 linked folder"):
            assert len(PseudoAnomalyDataset(tmp_path / "parts")) == 1
        assert len(PseudoAnomalyDataset(tmp_path / "parts", follow_links=True)) == 2


def test_an_automatic_range_is_that_of_a_data_set_on_disk(tmp_path):
    """Of images that are spread over the folder, and without alpha."""
    folder = tmp_path / "parts"
    folder.mkdir()
    for index in range(150):  # the later, the brighter
        gray = np.full((8, 9), index, np.uint8)
        gray[0] += 50
        Image.fromarray(np.dstack([gray, np.full_like(gray, 255)])).save(folder / f"{index:03}.png")
    made = pail.generate(folder, tmp_path / "set", number=1, layout="flat", data_range="auto", workers=1)
    for channels in (None, 1, 3):
        data = PseudoAnomalyDataset(folder, data_range="auto", channels=channels, techniques="cutpaste")
        assert data._insert.insertion.data_range == made.data_range and made.data_range[1] > 190
