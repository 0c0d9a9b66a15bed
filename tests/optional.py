"""What a test needs beyond the light set: skipped by name where it is missing, failed where everything is asked for."""

import importlib.util
import os
import shutil

import pytest

HINTS = {"chromium": "apt-get install chromium, or set CHROMIUM to a browser's path"}


def need(name):
    """A module or a program; the path of the program."""
    path = os.environ.get("CHROMIUM") if name == "chromium" else None
    path = path or shutil.which(name)
    if path or importlib.util.find_spec(name.partition(".")[0]):
        return path
    text = f"{name} is missing: {HINTS.get(name, 'install the extra that has it')}"
    if os.environ.get("PAIL_TEST_ALL") == "1":
        pytest.fail(text)
    pytest.skip(text, allow_module_level=True)
    return None
