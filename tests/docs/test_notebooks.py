"""The notebooks run from a clean state, show their pictures, and are stored with them."""

import base64
import re
import sys
from pathlib import Path

import cv2
import nbformat
import numpy as np
import pytest
from common import NAMES
from optional import need

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import notebooks  # noqa: E402

FILES = {file.stem: file for file in sorted(notebooks.FOLDER.glob("*.ipynb"))}
NEEDS = {"training": ("torch", "sklearn", "matplotlib", "efficientnet_lite_pytorch")}
MOST_BYTES = 1_500_000


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(cell):
    """The pictures of a cell, decoded."""
    stored = [
        output["data"]["image/jpeg"] for output in cell.get("outputs", []) if "image/jpeg" in output.get("data", {})
    ]
    return [cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR) for text in stored]


def text_of(notebook):
    return "".join(output.get("text", "") for output in outputs(notebook))


def check(notebook):
    """No error, no warning, and pictures that are not blank."""
    assert not [
        output for output in outputs(notebook) if output.output_type == "error" or output.get("name") == "stderr"
    ]
    shown = [picture for cell in notebook.cells for picture in pictures(cell)]
    assert len(shown) >= 4 and all(picture.std() > 5 for picture in shown)


def check_quickstart(notebook):
    """Every technique has a title and a picture."""
    cell = notebook.cells[-2]
    titles = "".join(output["data"].get("text/markdown", "") for output in cell.outputs)
    assert re.findall(r"### (\w+)", titles) == list(NAMES) and len(pictures(cell)) == len(NAMES)


def check_training(notebook):
    """Defects that the model has not seen are found, and the two maps are better than the memory alone."""
    for name in ("image auroc", "pixel auroc"):
        both, memory, _ = (float(value) for value in re.findall(rf"^{name} +([\d.]+)", text_of(notebook), re.M))
        assert both > 0.8 and both > memory


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_it_runs_and_shows_what_is_stored(name, tmp_path, monkeypatch):
    for module in NEEDS.get(name, ()):
        need(module)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    stored, found = nbformat.read(FILES[name], as_version=4), notebooks.execute(FILES[name])
    check(found)
    sizes = [[[picture.shape for picture in pictures(cell)] for cell in book.cells] for book in (found, stored)]
    assert sizes[0] == sizes[1], "run python docs/notebooks.py"
    {"quickstart": check_quickstart, "training": check_training}.get(name, check)(found)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(set(FILES) - {"training"}))  # which has no files but what is installed
def test_a_download_runs_in_an_empty_folder(name, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    found = notebooks.execute(FILES[name], empty)
    check(found)
    assert not any(empty.iterdir())


@pytest.mark.parametrize("name", FILES)
def test_it_is_stored_from_a_clean_run(name):
    stored = nbformat.read(FILES[name], as_version=4)
    check(stored)
    counts = [cell.execution_count for cell in stored.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert FILES[name].stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", FILES)
def test_its_links_lead_somewhere(name):
    for cell in nbformat.read(FILES[name], as_version=4).cells:
        for target in re.findall(r"\]\(([^)#]+)\)", cell.source if cell.cell_type == "markdown" else ""):
            assert "://" in target or (notebooks.FOLDER / target).exists(), target
