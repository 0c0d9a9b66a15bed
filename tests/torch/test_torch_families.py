"""Banks of real defects and presets in the data set class and the transforms."""

import cv2
import numpy as np
import pytest
from common import photograph
from optional import need

torch = need("torch")
from pail import TECHNIQUES, Defects  # noqa: E402
from pail.beyond.presets import PRESETS  # noqa: E402
from pail.torch import PseudoAnomalyDataset  # noqa: E402

IMAGES = np.stack([photograph(64, 72, seed) for seed in range(6)])


@pytest.fixture
def folder(tmp_path):
    """A bank as files: photographs with a dark bar, and its masks."""
    for seed in range(3):
        photo, mask = np.array(photograph(80, 90, 10 + seed)), np.zeros((80, 90), np.uint8)
        mask[20 + seed : 26 + seed, 30:50] = 255
        photo[mask > 0] //= 5
        cv2.imwrite(str(tmp_path / f"{seed}.png"), photo)
        cv2.imwrite(str(tmp_path / f"{seed}_mask.png"), mask)
    return tmp_path


def test_a_data_set_reads_a_bank_and_draws_its_defects_alone(folder):
    of_path = PseudoAnomalyDataset(IMAGES, defects=folder, p_anomaly=1)
    of_bank = PseudoAnomalyDataset(IMAGES, defects=Defects.read(folder), p_anomaly=1)
    for one, other in zip(of_path, of_bank, strict=True):
        assert one["technique"] == "real_defect" and one["label"] == 1
        assert torch.equal(one["image"], other["image"]) and torch.equal(one["mask"], other["mask"])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_make_what_the_process_makes(folder, method):
    data = PseudoAnomalyDataset(IMAGES, defects=folder, techniques=["real", "defects"], p_anomaly=1)
    data.set_epoch(0)
    loader = torch.utils.data.DataLoader(data, batch_size=2, num_workers=2, multiprocessing_context=method)
    images = torch.cat([batch["image"] for batch in loader])
    assert torch.equal(images, torch.stack([data[index]["image"] for index in range(len(data))]))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_techniques_and_share(name):
    data = PseudoAnomalyDataset(IMAGES, photograph(50, 60, 2), preset=name)
    assert data.p_anomaly == PRESETS[name].anomalous
    assert PseudoAnomalyDataset(IMAGES, preset=name, p_anomaly=0.25).p_anomaly == 0.25
    assert {sample["technique"] for sample in data} <= {"", *PRESETS[name].techniques}


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"techniques": "real"}, "`defects`"),
        ({"defects": 3}, "`defects`"),
        ({"defects": "no/such/folder"}, "`defects`"),
        ({"preset": "none"}, "`preset`"),
        ({"preset": "draem", "techniques": "SFI"}, "`preset`"),
    ],
)
def test_what_is_wrong_is_said_when_the_data_set_is_made(keywords, words):
    with pytest.raises((TypeError, ValueError), match=words):
        PseudoAnomalyDataset(IMAGES, **keywords)


def test_a_wrong_option_of_a_bank_is_said_at_once(folder):
    for options in ({"kinds": "crack"}, {"blend": "glue"}):
        with pytest.raises(ValueError, match=f"`{next(iter(options))}`"):
            PseudoAnomalyDataset(IMAGES, defects=folder, options={"real_defect": options})


def test_torchvision_pastes_real_defects(folder):
    need("torchvision")
    from pail.torchvision import InsertAnomaly

    image = torch.from_numpy(np.array(IMAGES[0])).permute(2, 0, 1)
    for keywords in ({"defects": folder}, {"preset": "cdo"}):
        changed, mask = InsertAnomaly(p=1, **keywords)(image)
        assert mask.any() and torch.equal(changed[:, mask[0] == 0], image[:, mask[0] == 0])


def test_albumentations_pastes_real_defects_and_is_saved(folder):
    A = need("albumentations")
    from pail.albumentations import InsertAnomaly

    pipeline = A.Compose([InsertAnomaly(defects=str(folder), p=1)], seed=3)
    sample = pipeline(image=np.array(IMAGES[0]), mask=np.zeros((64, 72), np.uint8))
    assert sample["mask"].any()
    again = A.from_dict(A.to_dict(pipeline))
    assert again.transforms[0].defects == str(folder)


def test_no_technique_is_beyond_what_was_tried():
    assert {name for name, entry in TECHNIQUES.items() if entry.takes_defects} == {"real_defect"}
