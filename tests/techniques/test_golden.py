"""Checksums of a few calls of each technique, so that a moved draw is a decision and not an accident.

They hold for the major version of OpenCV that is named in the file. After a change that is meant to move draws:
``python tests/techniques/test_golden.py``, and a line in the changelog.
"""

import json
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from common import NAMES, as_type, call, photograph

FILE = Path(__file__).parents[1] / "golden" / "checksums.json"
GOLDEN = json.loads(FILE.read_text()) if FILE.exists() else {"opencv": "", "sums": {}}


def checksum(name):
    roi = np.zeros((97, 118), bool)
    roi[20:70, 30:90] = True
    image, source = photograph(97, 118), photograph(61, 47, seed=1)
    deep = as_type(image, "uint16")
    calls = [
        (image, source, {}),
        (image, None, {"roi": roi}),
        (image[..., 0], source, {"severity": 0.7}),
        (deep, source, {"roi": roi, "severity": (0.2, 0.9)}),
    ]
    total = 0
    for seed, (normal, texture, keywords) in enumerate(calls):
        for part in call(name, normal, texture, rng=(7, seed), **keywords):
            total = zlib.crc32(part.tobytes(), total)
    return f"{total:08x}"


@pytest.mark.skipif(
    cv2.__version__.split(".")[0] != GOLDEN["opencv"], reason=f"the checksums are of OpenCV {GOLDEN['opencv']}"
)
@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_are_those_of_the_last_release(name):
    assert checksum(name) == GOLDEN["sums"][name]


if __name__ == "__main__":
    sums = {name: checksum(name) for name in NAMES}
    FILE.write_text(json.dumps({"opencv": cv2.__version__.split(".")[0], "sums": sums}, indent=2) + "\n")
    sys.stdout.write(FILE.read_text())
