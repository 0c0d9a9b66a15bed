"""A registered technique can be used everywhere like the eleven."""

import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import pytest
from common import as_type, checked, photograph

import pail
from pail import pai
from pail.core.parameters import Choice, Number, Pair

GUIDE = Path(__file__).parents[2] / "docs" / "your-own-technique.md"
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


BOX = pail.Box(0, 0, 2, 2)
WHITE = np.zeros((2, 2, 3), np.uint8)


def answer(box=BOX, content=WHITE, mask=None, opacity=1.0):
    return lambda frame, draw: pail.Insertion(box, content, mask, opacity)


def broken(frame, draw):
    raise KeyError("size")


BAD = {  # what it answers, the error, and what that says
    "nothing": (lambda frame, draw: None, TypeError, "pail.Insertion"),
    "a tuple": (lambda frame, draw: (BOX, WHITE, None, 1.0), TypeError, "pail.Insertion"),
    "an image": (lambda frame, draw: frame.pixels, TypeError, "pail.Insertion"),
    "a tuple as box": (answer((0, 0, 2, 2)), TypeError, "box is a pail.Box"),
    "no box": (answer(None), TypeError, "box is a pail.Box"),
    "floats in the box": (answer(pail.Box(0.0, 0.0, 2.0, 2.0)), TypeError, "box contains integers"),
    "a text in the box": (answer(pail.Box(0, "0", 2, 2)), TypeError, "box contains integers"),
    "outside": (answer(pail.Box(-1, 0, 2, 2)), ValueError, "inside the image"),
    "below": (answer(pail.Box(95, 0, 2, 2)), ValueError, "inside the image"),
    "an empty box": (answer(pail.Box(3, 3, 0, 2), WHITE[:0]), ValueError, "has a pixel"),
    "a negative box": (answer(pail.Box(3, 3, -2, -2)), ValueError, "has a pixel"),
    "content of another size": (answer(content=np.zeros((3, 2, 3), np.uint8)), ValueError, "content"),
    "content without channels": (answer(content=np.zeros((2, 2), np.uint8)), ValueError, "content"),
    "content of another dtype": (answer(content=np.zeros((2, 2, 3), np.int64)), TypeError, "content"),
    "content of doubles": (answer(content=np.zeros((2, 2, 3))), TypeError, "content"),
    "content as a list": (answer(content=WHITE.tolist()), TypeError, "content is an array"),
    "no content": (answer(content=None), TypeError, "content is an array"),
    "content of objects": (answer(content=WHITE.astype(object)), TypeError, "content is an array"),
    "content of NaN": (answer(content=np.full((2, 2, 3), np.nan, np.float32)), ValueError, "finite"),
    "a mask of ones": (answer(mask=np.ones((2, 2), np.uint8)), ValueError, "0 and 255"),
    "a mask of zeros": (answer(mask=np.zeros((2, 2), np.uint8)), ValueError, "empty mask"),
    "a mask of bools": (answer(mask=np.ones((2, 2), bool)), TypeError, "astype"),
    "a mask of another size": (answer(mask=np.full((2, 3), 255, np.uint8)), ValueError, "mask"),
    "a mask with an axis": (answer(mask=np.full((2, 2, 1), 255, np.uint8)), ValueError, "mask"),
    "a mask as a list": (answer(mask=[[255, 255], [255, 255]]), TypeError, "mask"),
    "opacity None": (answer(opacity=None), TypeError, "opacity"),
    "opacity as text": (answer(opacity="full"), TypeError, "opacity"),
    "opacity NaN": (answer(opacity=float("nan")), ValueError, "opacity"),
    "opacity above 1": (answer(opacity=1.5), ValueError, "opacity"),
    "opacity below 0": (answer(opacity=-0.1), ValueError, "opacity"),
    "opacity True": (answer(opacity=True), TypeError, "opacity"),
    "an error": (broken, ValueError, "it raised KeyError"),
    "too few arguments": (lambda: None, TypeError, "it raised TypeError"),
    "writes to the crop": (lambda frame, draw: frame.crop(BOX).__setitem__(0, 0), ValueError, "read-only"),
}


@pytest.fixture
def registered():
    """`register` for the duration of a test."""
    names = []

    def register(name, function, **keywords):
        pail.register(name, function, **keywords)
        names.append(name)
        return pai.Anomaly_Insertion(rng=0)

    yield register
    for name in names:
        pail.unregister(name)


@pytest.mark.parametrize("kind", BAD)
def test_what_a_technique_answers_is_checked(registered, kind):
    function, error, words = BAD[kind]
    instance = registered("bad_one", function)
    for insert in (instance.bad_one, lambda image: instance.insert(image, techniques="bad_one")):
        with pytest.raises(error) as caught:
            insert(IMAGE)
        assert str(caught.value).startswith("the technique 'bad_one' must return") and words in str(caught.value)


def test_integers_of_numpy_and_half_opacity_are_fine(registered):
    def function(frame, draw):
        box = pail.Box(*np.array([3, 4, 5, 6]))
        return pail.Insertion(box, np.full((5, 6, 3), 255.0, np.float32), None, np.float32(0.5))

    result = checked("fine", IMAGE, on=registered("fine", function))
    assert np.abs(result.i_a[3:8, 4:10] - (IMAGE[3:8, 4:10] + 255.0) / 2).max() <= 0.5


def test_wrong_keywords_are_named(own):
    with pytest.raises(TypeError, match=r"'blurred_ellipse' takes the keywords size, sigma; got \['blur'\]"):
        own.blurred_ellipse(IMAGE, blur=3)


def annotated(
    frame,
    draw,
    *,
    size: Annotated[float, Number(0, 1, above=True, unit="fraction of the side")] = 0.2,
    span: "Annotated[tuple[int, int], Pair(1, 9, integer=True)]" = (1, 3),
    shape: Annotated[str, Choice(("square", "disk"))] = "square",
    mode: "Unknown" = None,  # noqa: F821
    extra=None,
):
    SEEN.update(size=size, span=span, shape=shape, mode=mode, extra=extra)
    return pail.Insertion(BOX, np.full((2, 2, 3), 255, np.uint8))


SEEN = {}


def test_annotated_options_are_checked_and_the_others_passed_as_they_are(registered):
    instance = registered("noted", annotated)
    anything = object()
    instance.noted(IMAGE, span=[2, 4], mode=anything, extra=[1])
    assert {"size": 0.2, "span": (2, 4), "shape": "square", "mode": anything, "extra": [1]} == SEEN
    wrong = {"size": (0, ValueError), "span": ((0, 3), ValueError), "shape": ("star", ValueError)}
    for key, (value, error) in {**wrong, "size ": ("big", TypeError)}.items():
        key = key.strip()
        with pytest.raises(error, match=rf"^`{key}(\[0\])?` must be"):
            instance.noted(IMAGE, **{key: value})
        with pytest.raises(error, match=rf"^`{key}(\[0\])?` must be"):  # before anything is drawn
            instance.insert(IMAGE, techniques="cutpaste", options={"noted": {key: value}})
    assert set(pail.TECHNIQUES["noted"].accepted) == {"size", "span", "shape"}
    assert pail.TECHNIQUES["noted"].accepted["size"].unit == "fraction of the side"


def test_annotations_are_found_behind_wrappers(registered):
    class Callable:
        def __call__(self, frame, draw, *, size: Annotated[float, Number(0, 1)] = 0.2):
            return pail.Insertion(BOX, np.full((2, 2, 3), 255, np.uint8))

    @functools.wraps(annotated)
    def wrapped(*arguments, **options):
        return annotated(*arguments, **options)

    for name, function in (("one", Callable()), ("two", functools.partial(annotated, extra=1)), ("three", wrapped)):
        with pytest.raises(ValueError, match=r"^`size` must be a number in .0, 1\], got 3 \(int\)"):
            getattr(registered(name, function), name)(IMAGE, size=3)


def test_a_default_or_an_annotation_that_cannot_be_right_is_named():
    def outside(frame, draw, *, size: Annotated[float, Number(0, 1)] = 2):
        """Nothing."""

    def unknown(frame, draw, *, size: "Annotated[float, Nimber(0, 1)]" = 2):  # noqa: F821
        """Nothing."""

    with pytest.raises(ValueError, match="`size` must be a number in"):
        pail.register("outside", outside)
    with pytest.raises(ValueError, match=r"annotations that can be evaluated, .* `size` raised NameError"):
        pail.register("unknown", unknown)
    assert not {"outside", "unknown"} & set(pail.TECHNIQUES)


def test_a_misspelled_method_names_the_one_that_was_meant(own):
    for wrong, meant in (
        ("affined_anomaly", "affined_anomlay"),
        ("simplex_noise_anomaly", "simplex_noise_anomlay"),
        ("cut_paste", "cutpaste"),
        ("blured_elipse", 0),
    ):
        with pytest.raises(AttributeError, match=f"{wrong!r}; did you mean {meant or 'blurred_ellipse'!r}"):
            getattr(own, wrong)
    with pytest.raises(AttributeError, match=r"has no attribute 'zzz'$"):
        own.zzz  # noqa: B018
    assert not hasattr(own, "_nothing")


def test_a_technique_that_misses_the_region_is_named(registered):
    roi = np.zeros((96, 112), bool)
    roi[50:, 50:] = True
    instance = registered("corner", answer())
    assert instance.corner(IMAGE).m_a[:2, :2].all()
    with pytest.raises(ValueError, match=r"'corner' must return an Insertion whose box reaches into the region"):
        instance.corner(IMAGE, roi=roi)

    def anywhere(frame, draw):  # above the region, or in the middle of it
        top = draw.choice("top", (0, 60))
        return pail.Insertion(pail.Box(top, 60, 5, 5), np.full((5, 5, 3), 255, np.uint8))

    instance = registered("anywhere", anywhere)
    made = 0
    for seed in range(30):
        try:
            _, m_a = instance.anywhere(IMAGE, roi=roi, rng=seed)
        except ValueError as error:
            assert "4 draws missed it" in str(error)
            continue
        made += 1
        assert not m_a[~roi].any()
    assert 24 <= made <= 30  # one of sixteen misses it four times


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_what_a_technique_gets_cannot_be_written_to(registered, dtype, channels):
    """This applies to the caller's image, the source, and arrays that are shared between draws."""
    seen = []

    def writes(frame, draw, source):
        for array in (frame.pixels, frame.roi, frame.crop(), frame.crop(BOX), source):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
            seen.append(array)
        return pail.Insertion(BOX, np.full((2, 2, frame.channels), frame.max_value, frame.working_dtype))

    base = np.concatenate([photograph(40, 50), photograph(40, 50, 1)], axis=2)
    image = as_type(base[..., 0] if channels is None else base[..., :channels], dtype).copy()
    before, source, roi = image.copy(), image[:20].copy(), np.ones((40, 50), bool)
    source_before = source.copy()
    instance = registered("writes", writes, family="SBI")
    checked("writes", image, source, on=instance, roi=roi)
    instance.insert(image, source, techniques="writes", n_anomalies=2, roi=roi)
    assert np.array_equal(image, before) and np.array_equal(source, source_before) and roi.all() and seen
    assert image.flags.writeable and source.flags.writeable and roi.flags.writeable


RESERVED = [
    *("SFI", "SBI", "hybrid", "sfi"),
    *("good", "Good", "mixed", "train", "test", "ground_truth", "images", "masks", "labels", "all", "manifest"),
    *("insert", "transform", "transparency_range", "data_range", "affine_anom_color_change"),
    *("image", "anom_source_img", "roi", "severity", "rng", "options", "techniques", "n_anomalies", "weights"),
    *("cutpaste", "CutPaste", "class", "_own", "1st", ""),
]


@pytest.mark.parametrize("name", RESERVED)
def test_names_that_mean_something_else_are_refused(name):
    before = dict(pail.TECHNIQUES)
    with pytest.raises(ValueError, match="`name` must be"):
        pail.register(name, blurred_ellipse)
    assert before == pail.TECHNIQUES


def test_every_attribute_and_every_file_of_a_data_set_is_refused():
    from pail.core import names as reserved

    names = {*dir(pai.Anomaly_Insertion()), *vars(pai.Anomaly_Insertion()), reserved.MIXED, *reserved.OWN}
    for name in names:
        with pytest.raises(ValueError, match="`name` must be"):
            pail.register(name, blurred_ellipse)


def test_the_guide_is_enough(tmp_path):
    """Its unchanged code runs in an empty folder."""
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


def test_a_technique_with_any_keywords_is_drawn_and_replayed(registered):
    def faded(image, sampler, **options):
        box = pail.place(image, sampler, 9, 9)
        return pail.Insertion(box, 255 - image.crop(box), opacity=options.get("share", 1.0))

    instance = registered("faded", faded)
    direct = instance.faded(IMAGE, share=0.5, rng=3)
    drawn = instance.insert(IMAGE, techniques="faded", options={"faded": {"share": 0.5}}, rng=3)
    for result in (direct, drawn):
        again = pail.replay(json.loads(json.dumps(result.record)), IMAGE)
        assert np.array_equal(again.i_a, result.i_a) and np.array_equal(again.m_a, result.m_a)
    full = instance.faded(IMAGE, rng=3)
    change, whole = (np.abs(found.i_a.astype(int) - IMAGE).max() for found in (direct, full))
    assert abs(change - whole / 2) <= 1
