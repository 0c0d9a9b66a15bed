"""Optional dependencies of tests: a test is skipped if they are missing, and fails with PAIL_TEST_ALL=1."""

import importlib
import os
import shutil

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


def _missing(name: str, how: str):
    reason = f"needs {name} ({how})"
    if os.environ.get("PAIL_TEST_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)
