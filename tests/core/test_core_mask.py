"""The only entry point for masks: every accepted form gives the result of a plain bool mask."""

import json

import numpy as np
import pytest
from common import checked, photograph
from PIL import Image

import pail
from pail import pai
from pail.core.mask import as_mask
from pail.core.ops import as_bytes

IMAGE, SOURCE = photograph(48, 64), photograph(48, 64, seed=1)
CLEAN = np.zeros((48, 64), bool)
CLEAN[10:30, 20:50] = True
CLEAN[35, 5] = True


def palette_image(false=(0, 0, 0), true=(128, 0, 0), *, swapped=False):
    """A PIL image of mode P; `swapped` has the index 1 for false and 0 for true."""
    image = Image.fromarray((CLEAN ^ swapped).astype(np.uint8)).convert("P")
    image.putpalette([*(true if swapped else false), *(false if swapped else true)])
    return image


FORMS = {
    "bool of 255": lambda: (CLEAN * np.uint8(255)).view(bool),
    "bool of 7": lambda: (CLEAN * np.uint8(7)).view(bool),
    "bool of 255, Fortran": lambda: np.asfortranarray(CLEAN * np.uint8(255)).view(bool),
    "bool of 255, every second": lambda: np.repeat((CLEAN * np.uint8(255)).view(bool), 2, axis=1)[:, ::2],
    "bool of 255, last axis": lambda: (CLEAN * np.uint8(255)).view(bool)[..., None],
    "uint8 255": lambda: CLEAN * np.uint8(255),
    "int64": lambda: CLEAN.astype(np.int64),
    "float": lambda: CLEAN.astype(float),
    "big-endian": lambda: (CLEAN * 255).astype(">u2"),
    "PIL 1": lambda: Image.fromarray(CLEAN),
    "PIL 1 from L": lambda: Image.fromarray(CLEAN * np.uint8(255)).convert("1"),
    "PIL L": lambda: Image.fromarray(CLEAN * np.uint8(255)),
    "PIL P": palette_image,
    "PIL P, black last": lambda: palette_image(swapped=True),
    "PIL P, grays": lambda: Image.fromarray(CLEAN * np.uint8(255)).convert("P"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_mask(form):
    given = FORMS[form]()
    mask = as_mask("roi", given)
    assert mask.dtype == np.uint8 and mask.flags.c_contiguous
    assert np.array_equal(mask, CLEAN * np.uint8(255))
    assert not np.shares_memory(mask, np.asarray(given))


def made_with(mask):
    """The results of every function that accepts a mask."""
    insertion = pai.Anomaly_Insertion()
    changed = IMAGE.copy()
    changed[12:40] = 255 - changed[12:40]
    i_a, m_a = checked("cutpaste", IMAGE, on=insertion, roi=mask, rng=1)
    assert not m_a[~CLEAN].any()
    return [
        i_a,
        m_a,
        *insertion.insert(IMAGE, SOURCE, roi=mask, n_anomalies=3, rng=2),
        *insertion.perlin_with_roi_anomaly(IMAGE, SOURCE, mask=mask, rng=1),
        *insertion.rand_augmented_cut_paste(IMAGE, SOURCE, mask=mask, rng=1),
        *insertion.rand_augmented_cut_paste(IMAGE, SOURCE, source_mask=mask, rng=1),
        pail.masks.difference(IMAGE, changed, mask),
        pail.masks.soft(IMAGE, changed, mask),
        np.asarray(pail.show(IMAGE, changed, mask, side=64)),
    ]


@pytest.mark.parametrize("form", ["bool of 255", "bool of 7", "PIL 1", "PIL L", "PIL P, black last"])
def test_every_place_that_takes_a_mask(form):
    for made, wanted in zip(made_with(FORMS[form]()), made_with(CLEAN), strict=True):
        assert np.array_equal(made, wanted)


@pytest.mark.parametrize("form", ["bool of 255", "PIL 1", "PIL P, black last"])
def test_a_record_replays_with_a_mask_of_any_form(form):
    insertion = pai.Anomaly_Insertion()
    for call in (
        lambda mask: insertion.cutpaste(IMAGE, roi=mask, rng=3),
        lambda mask: insertion.perlin_with_roi_anomaly(IMAGE, SOURCE, mask=mask, rng=3),
    ):
        result = call(FORMS[form]())
        again = pail.replay(json.loads(json.dumps(result.record)), IMAGE, SOURCE)
        for made in (again, call(CLEAN)):
            assert np.array_equal(made.i_a, result.i_a) and np.array_equal(made.m_a, result.m_a)


def test_a_mask_that_is_changed_after_the_call_changes_nothing():
    roi = CLEAN.copy()
    mask = as_mask("roi", roi)
    roi[:] = True
    assert np.array_equal(mask, CLEAN * np.uint8(255))


def test_bytes_of_bools():
    assert as_bytes(np.array([0, 1, 2, 255], np.uint8).view(bool)).tolist() == [0, 255, 255, 255]


@pytest.mark.parametrize(
    ("mask", "error", "words"),
    [
        (np.full((48, 64), 7, np.uint8), ValueError, "0 and 255, or 0 and 1"),
        (np.full((48, 64), np.nan), ValueError, "0 and 255, or 0 and 1"),
        (-CLEAN.astype(np.int16), ValueError, "0 and 255, or 0 and 1"),
        (CLEAN.astype(complex), TypeError, "must be a mask"),
        (np.zeros((48, 64), bool), ValueError, "at least one true pixel"),
        (CLEAN[:-1], ValueError, "height and width"),
        (Image.new("RGB", (64, 48)), ValueError, r"shape \(H, W\)"),
        (Image.new("P", (64, 48)), ValueError, "at least one true pixel"),
        (Image.fromarray(IMAGE).quantize(4), ValueError, "black and one other color"),
        (palette_image((9, 9, 9)), ValueError, "black and one other color"),
        ("painted", ValueError, "'foreground'"),
        ([[True]], TypeError, "must be a mask"),
    ],
)
def test_what_is_no_mask_is_named(mask, error, words):
    with pytest.raises(error, match=f"`roi`.*{words}"):
        pai.Anomaly_Insertion().cutpaste(IMAGE, roi=mask)


def test_a_closed_pil_mask_is_named(tmp_path):
    Image.fromarray(CLEAN).save(tmp_path / "mask.png")
    image = Image.open(tmp_path / "mask.png")
    image.close()
    with pytest.raises(ValueError, match="`roi` must be a mask whose pixels can be read"):
        pai.Anomaly_Insertion().cutpaste(IMAGE, roi=image)
