"""What docs/training.md shows of anomalib and Lightning, run where anomalib is installed."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from pail._install import install_hint

ROOT = Path(__file__).resolve().parent.parent
SMALL = {  # what the page leaves to defaults or sets for real sizes
    "Padim()": "Padim(pre_trained=False, pre_processor=Padim.configure_pre_processor((64, 64)))",  # without a download
    "number=200": "number=8, workers=1",
    'default_root_dir="results"': 'default_root_dir="results", accelerator="cpu", devices=1',
    "eval_batch_size=8)": "eval_batch_size=8, num_workers=0)",
    "size=256": "size=64",
    "Trainer(": 'Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, ',
}
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs are not ours to mend


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Runs the block of the page with that word in it, in a folder with crops of a wall; its names afterward."""
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
