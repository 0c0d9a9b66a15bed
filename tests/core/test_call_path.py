"""How far a reader of one call has to travel."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "call_path.py"


def test_a_call_of_cutpaste_is_read_in_an_afternoon():
    counts = runpy.run_path(str(SCRIPT))["measure"]("cutpaste")
    assert 20 < counts["functions"] <= 42 and 5 < counts["files"] <= 12


@pytest.mark.parametrize("name", ["perlin_noise_pattern", "affined_anomlay"])
def test_techniques_with_a_source_are_counted_too(name):
    counts = runpy.run_path(str(SCRIPT))["measure"](name)
    assert counts["functions"] <= counts["calls"] and counts["files"] <= counts["changes of file"]
