"""The anomalib and Lightning code of docs/training.md, which is run if anomalib is installed."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from pail._install import install_hint

ROOT = Path(__file__).resolve().parents[2]
SMALL = {  # what the page leaves to defaults or sets for real sizes
    "Padim()": "Padim(pre_trained=False, pre_processor=Padim.configure_pre_processor((64, 64)))",  # without a download
    "number=200": "number=8, workers=1",
    'default_root_dir="results"': 'default_root_dir="results", accelerator="cpu", devices=1',
    "eval_batch_size=8)": "eval_batch_size=8, num_workers=0)",
    "size=256": "size=64",
    "Trainer(": 'Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, ',
}
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # theirs are not ours to mend
]


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Run the code block of the page that contains a word, in a folder with crops of a wall. Returns its names."""
    pytest.importorskip("anomalib", reason=f"needs anomalib ({install_hint('anomalib')})", exc_type=ImportError)
    wall, rng = skimage.data.brick(), np.random.default_rng(0)
    for folder, count in (("parts", 24), ("textures", 2), ("real", 4)):
        (tmp_path / folder).mkdir()
        for index in range(count):
            top, left = rng.integers(0, 512 - 96, 2)
            image = np.dstack([wall[top : top + 96, left : left + 96]] * 3)
            if folder == "real" and index % 2:
                cv2.line(image, (10, 20), (80, 60), (0, 0, 0), 7)
            cv2.imwrite(str(tmp_path / folder / f"{index:02}.png"), image)
    monkeypatch.chdir(tmp_path)

    def run(word):
        blocks = re.findall(
            r"^```py\n(.*?)^```", (ROOT / "docs" / "training.md").read_text(encoding="utf-8"), re.M | re.S
        )
        (block,) = [block for block in blocks if word in block]
        for name, small in SMALL.items():
            block = block.replace(name, small)
        namespace = {"__name__": "__main__"}
        exec(compile(block, f"training.md, {word}", "exec"), namespace)
        return namespace

    return run


def test_a_model_is_trained_and_thresholded_with_a_generated_set(page, capsys):
    found = page("Padim")
    assert float(found["model"].post_processor.image_threshold) > 0
    lines = re.findall(r"(\d\d)\.png ([\d.]+) (defective|good)", capsys.readouterr().out)
    assert [name for name, _, _ in lines] == ["00", "01", "02", "03"]
    scores = [float(score) for _, score, _ in lines]
    assert all((score >= 0.5) == (word == "defective") for score, (_, _, word) in zip(scores, lines, strict=True))
    assert min(scores[1], scores[3]) > max(scores[0], scores[2])


def test_lightning_tells_the_data_set_its_epoch(page, monkeypatch):
    from pail.torch import PseudoAnomalyDataset

    told, original = [], PseudoAnomalyDataset.set_epoch

    def set_epoch(self, epoch):
        told.append(epoch)
        original(self, epoch)

    monkeypatch.setattr(PseudoAnomalyDataset, "set_epoch", set_epoch)
    trainer = page("LightningDataModule")["trainer"]
    assert told == [0, 1, 2] and trainer.global_step == 3 * 3


@pytest.fixture
def batch():
    """Two images of a wall, in the form that anomalib passes to a model."""
    pytest.importorskip("anomalib", reason=f"needs anomalib ({install_hint('anomalib')})", exc_type=ImportError)
    import torch
    from anomalib.data import ImageBatch

    wall = np.dstack([skimage.data.brick()[:128, :128]] * 3).transpose(2, 0, 1) / np.float32(255)
    return ImageBatch(image=torch.from_numpy(np.stack([wall, wall[..., ::-1].copy()])))


def trained(model, batch):
    """Whether a step of training changes the model's weights."""
    import torch

    model.log = lambda *arguments, **keywords: None
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    before = [weight.detach().clone() for weight in weights]
    optimizer = torch.optim.SGD(weights, 0.1)
    loss = model.training_step(batch)["loss"]
    assert torch.isfinite(loss)
    loss.backward()
    optimizer.step()
    return any(not torch.equal(a, b) for a, b in zip(before, weights, strict=True))


def test_draem_trains_a_step_with_the_generator(batch, tmp_path):
    from anomalib.models import Draem

    from pail.anomalib import AnomalyGenerator

    model = Draem(dtd_dir=tmp_path)  # an empty folder instead of a download of textures
    model.augmenter = AnomalyGenerator(techniques=["SFI", "glass"], probability=1)
    assert trained(model.train(), batch)


def test_what_the_generator_returns_is_what_theirs_returns(batch):
    from anomalib.data.utils.generators import PerlinAnomalyGenerator

    from pail.anomalib import AnomalyGenerator

    for image in (batch.image, batch.image[0]):
        theirs, ours = PerlinAnomalyGenerator(probability=1.0)(image), AnomalyGenerator(probability=1)(image)
        for a, b in zip(theirs, ours, strict=True):
            assert a.shape == b.shape and a.dtype == b.dtype and a.device == b.device


def test_the_models_have_the_generator_where_the_guide_says(batch, tmp_path):
    from anomalib.data.utils.generators import PerlinAnomalyGenerator
    from anomalib.models import Draem, Dsr, Glass

    found = (
        Draem(dtd_dir=tmp_path).augmenter,
        Dsr().perlin_generator,
        Glass(pre_trained=False, anomaly_source_path=tmp_path).model.augmentor,
    )
    assert all(isinstance(generator, PerlinAnomalyGenerator) for generator in found)
