"""Optional dependencies of tests: a test is skipped if they are missing, and fails with PAIL_TEST_ALL=1."""

import importlib
import os
import shutil
from pathlib import Path

import pytest

from pail._install import install_hint

PROGRAMS = {"chromium": "apt-get install chromium, or set CHROMIUM to a browser's path"}
MODULES = {
    "dask": install_hint("cluster"),
    "distributed": install_hint("cluster"),
    "torch": install_hint("torch"),
    "torchvision": install_hint("benchmark"),
    "albumentations": install_hint("albumentations"),
    "faster_coco_eval": install_hint("coco"),
    "pycocotools": install_hint("test"),
    "sphinx": install_hint("docs"),
    "matplotlib": install_hint("test"),
    "gradio": install_hint("app"),
    "playwright": install_hint("browser"),
    "anomalib": install_hint("anomalib"),
}


def need(name: str):
    """The module of that name, or the path of the program; skips the test that lacks it."""
    if name in PROGRAMS:
        return os.environ.get(name.upper()) or shutil.which(name) or _missing(name, PROGRAMS[name])
    try:
        return importlib.import_module(name)
    except ImportError:
        return _missing(name, MODULES.get(name, f"pip install {name.partition('.')[0]}"))


def ball_screws() -> Path:
    """The folder of the public photographs of ball screws (BSData); skips the test without it."""
    place = os.environ.get("PAIL_BALL_SCREWS")
    if not place:
        pytest.skip("needs PAIL_BALL_SCREWS, the folder of BSData with data/ and label/", allow_module_level=True)
    return Path(place)


def good_screws(folder: Path, count: int) -> list[Path]:
    """The first photographs without an annotation."""
    defective = {path.stem for path in (folder / "label").glob("*.json")}
    return [path.resolve() for path in sorted((folder / "data").glob("*.jpg")) if path.stem not in defective][:count]


def _missing(name: str, how: str):
    reason = f"needs {name} ({how})"
    if os.environ.get("PAIL_TEST_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)
