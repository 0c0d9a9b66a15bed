"""What a test needs beyond the ordinary dependencies: skipped where it is missing, failed with PAIL_TEST_ALL=1."""

import importlib
import os
import shutil

import pytest

PROGRAMS = {"chromium": "apt-get install chromium, or set CHROMIUM to a browser's path"}
MODULES = {
    "dask": 'pip install "pai-lib[cluster]"',
    "distributed": 'pip install "pai-lib[cluster]"',
    "torch": 'pip install "pai-lib[torch]"',
    "torchvision": 'pip install "pai-lib[benchmark]"',
    "albumentations": 'pip install "pai-lib[albumentations]"',
    "faster_coco_eval": 'pip install "pai-lib[coco]"',
    "sphinx": 'pip install "pai-lib[docs]"',
    "matplotlib": 'pip install "pai-lib[test]"',
    "gradio": 'pip install "pai-lib[app]"',
    "playwright": 'pip install "pai-lib[browser]"',
    "anomalib": 'pip install "pai-lib[anomalib]"',
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
