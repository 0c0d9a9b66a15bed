"""A technique of the user's own goes wherever the eleven go."""

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from common import as_type, checked, photograph

import pail
from pail import pai

GUIDE = Path(__file__).parent.parent / "docs" / "your-own-technique.md"
IMAGE, SOURCE = photograph(96, 112), photograph(40, 50, seed=1)


def blurred_ellipse(frame, draw, *, size=(0.1, 0.3), sigma=3.0):
    height, width = (max(1, round(draw.scaled(side, *size) * frame.side)) for side in ("height", "width"))
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), (width // 2, height // 2), 0, 0, 360, 255, cv2.FILLED)
    box = pail.place(frame, draw, height, width, mask)
    content = cv2.GaussianBlur(frame.crop(box), (0, 0), sigma).reshape(height, width, frame.channels)
    return pail.Insertion(box, content, mask, draw.opacity())


def tinted(frame, draw, source, *, strength=0.5):
    box = pail.place(frame, draw, max(1, frame.height // 4), max(1, frame.width // 4))
    pixels = frame.crop(box) if source is None else source
    return pail.Insertion(box, np.broadcast_to(pixels.max(axis=(0, 1)), frame.crop(box).shape).copy(), None, strength)


@pytest.fixture
def own():
    pail.register("blurred_ellipse", blurred_ellipse, summary="a blurred ellipse", reference="ours")
    pail.register("tinted", tinted, family="hybrid")
    yield pai.Anomaly_Insertion(rng=1)
    pail.unregister("blurred_ellipse")
    pail.unregister("tinted")


@pytest.mark.parametrize("name", ["blurred_ellipse", "tinted"])
def test_the_contract_holds(own, name):
    for shape in ((1, 1), (2, 3), (7, 90), (96, 112)):
        for dtype in ("uint8", "uint16", "float32"):
            for channels in (None, 1, 3, 4, 6):
                base = np.concatenate([photograph(*shape), photograph(*shape, 1)], axis=2)
                image = as_type(base[..., 0] if channels is None else base[..., :channels], dtype)
                i_a, m_a = checked(name, image, on=own, rng=3)
                assert pail.masks.difference(image, i_a, m_a, threshold=0.0199).any()


def test_region_severity_record_and_replay(own):
    roi = np.zeros((96, 112), bool)
    roi[20:70, 10:60] = True
    areas = []
    for seed in range(20):
        faint, strong = (own.blurred_ellipse(IMAGE, roi=roi, severity=s, rng=seed) for s in (0, 1))
        assert not strong.m_a[~roi].any()
        areas.append((faint.m_a.sum(), strong.m_a.sum()))
        record = json.loads(json.dumps(strong.record))
        assert record["technique"] == "blurred_ellipse" and record["drawn"]["height"]
        assert np.array_equal(pail.replay(record, IMAGE).i_a, strong.i_a)
    assert np.mean([small < large for small, large in areas]) > 0.9


def test_it_is_drawn_by_insert_with_its_options(own):
    seen = set()
    for seed in range(40):
        result = own.insert(IMAGE, SOURCE, n_anomalies=2, rng=seed, options={"blurred_ellipse": {"size": (0.5, 0.5)}})
        seen |= {step["technique"] for step in result.record["steps"]}
        assert np.array_equal(pail.replay(result.record, IMAGE, SOURCE).i_a, result.i_a)
    assert {"blurred_ellipse", "tinted"} <= seen
    only = own.insert(IMAGE, techniques="blurred_ellipse", options={"blurred_ellipse": {"size": (0.5, 0.5)}}, rng=0)
    assert 0.1 < np.mean(only.m_a > 0) < 0.3


def test_it_is_listed_and_taken_away(own):
    assert "blurred_ellipse" in dir(own) and "blurred_ellipse" in pail.TECHNIQUES
    pail.unregister("tinted")
    with pytest.raises(AttributeError, match="tinted"):
        own.tinted(IMAGE)
    with pytest.raises(ValueError, match="`name`"):
        pail.unregister("cutpaste")
    pail.register("tinted", tinted, family="hybrid")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("cutpaste", blurred_ellipse), ValueError, "`name`"),
        (("two words", blurred_ellipse), ValueError, "`name`"),
        (("insert", blurred_ellipse), ValueError, "`name`"),
        ((3, blurred_ellipse), TypeError, "`name`"),
        (("spot", 3), TypeError, "`function`"),
        (("spot", lambda frame, draw, *, size: None), ValueError, "`function`"),
        (("spot", lambda frame, draw, *, roi=None: None), ValueError, "`function`"),
    ],
)
def test_what_cannot_be_registered_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        pail.register(*arguments)
    with pytest.raises(ValueError, match="`family`"):
        pail.register("spot", blurred_ellipse, family="SXI")


BAD = {
    "outside": lambda f, d: pail.Insertion(pail.Box(-1, 0, 2, 2), np.zeros((2, 2, 3), np.uint8)),
    "of another size": lambda f, d: pail.Insertion(pail.Box(0, 0, 2, 2), np.zeros((3, 2, 3), np.uint8)),
    "of another dtype": lambda f, d: pail.Insertion(pail.Box(0, 0, 2, 2), np.zeros((2, 2, 3), np.int64)),
    "not finite": lambda f, d: pail.Insertion(pail.Box(0, 0, 2, 2), np.full((2, 2, 3), np.nan, np.float32)),
    "of a bad mask": lambda f, d: pail.Insertion(
        pail.Box(0, 0, 2, 2), np.zeros((2, 2, 3), np.uint8), np.ones((2, 2), np.uint8)
    ),
    "nothing": lambda f, d: None,
}


@pytest.mark.parametrize("kind", BAD)
def test_what_a_technique_answers_is_checked(kind):
    pail.register("bad", BAD[kind])
    try:
        with pytest.raises((TypeError, ValueError), match="Insertion"):
            pai.Anomaly_Insertion().bad(IMAGE)
    finally:
        pail.unregister("bad")


def test_the_guide_is_enough(tmp_path):
    """Its code, as it stands, in an empty folder."""
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    (tmp_path / "guide.py").write_text("\n".join(blocks))
    subprocess.run([sys.executable, "guide.py"], cwd=tmp_path, check=True, capture_output=True)


def test_a_twelfth_technique_shows_in_the_table():
    code = (
        "import runpy, sys, pail\n"
        "pail.register('spot', lambda frame, draw, *, size=1: None, summary='a spot')\n"
        "sys.argv = ['pail']\nrunpy.run_module('pail', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "a spot" in done.stdout and pail.__version__ in done.stdout
