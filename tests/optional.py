"""Packages that only some installations have."""

import importlib
import os

import pytest


def need(name: str):
    """The module of that name; where it is missing, skip the tests, or fail where PAIL_TEST_ALL=1 asks for all."""
    if os.environ.get("PAIL_TEST_ALL") == "1":
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"{name} is not installed")
