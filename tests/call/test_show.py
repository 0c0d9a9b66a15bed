"""`pail.show`, and how a notebook displays a result."""

import base64
import html
import io
import re

import numpy as np
import pytest
from common import as_type, photograph
from PIL import Image

import pail


def inserted(image, **settings):
    return pail.Anomaly_Insertion(**settings).cutpaste(image, rng=0)


def pixels(picture):
    return np.asarray(picture.convert("RGB"))


def test_the_panels_are_what_they_are_called():
    image = photograph(64, 64)
    i_a, m_a = inserted(image)
    row = pixels(pail.show(image, i_a, m_a, side=64))
    normal, anomalous, mask, _, change = (row[22:, 72 * i : 72 * i + 64] for i in range(5))
    assert np.array_equal(normal, image)
    assert np.array_equal(mask, np.repeat(m_a, 3, axis=2))
    far = Image.fromarray(m_a[..., 0]).resize((16, 16), Image.Resampling.BOX)
    untouched = np.kron(np.asarray(far) == 0, np.ones((4, 4), bool))
    assert (anomalous == image)[untouched].mean() > 0.9  # all but the frame and the outline's rim
    assert not np.array_equal(anomalous, i_a), "the outline is drawn"
    assert not change[m_a[..., 0] == 0].reshape(-1, 3).max(axis=1).max() > 4 and change[m_a[..., 0] > 0].max() > 100


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(40, 60), (60, 40, 1), (40, 60, 2), (40, 60, 4), (3, 1), (200, 7, 3)])
def test_every_format_shows(shape, dtype):
    image = photograph(shape[0], shape[1])
    image = image[..., 0] if len(shape) == 2 else np.dstack([image, image])[..., : shape[2]]
    image = as_type(image, dtype)
    result = inserted(image)
    assert pixels(pail.show(image, *result)).std() > 0
    assert Image.open(io.BytesIO(result._repr_png_())).mode == "RGB"


def test_pil_images_and_other_masks_are_taken():
    image = photograph(48, 48)
    i_a, m_a = inserted(image)
    expected = pixels(pail.show(image, i_a, m_a))
    again = pail.show(Image.fromarray(image), Image.fromarray(i_a), m_a[..., 0] > 0)
    assert np.array_equal(pixels(again), expected)


def test_nothing_is_written_to():
    image = photograph(48, 48)
    result = inserted(image)
    before = result.i_a.tobytes(), result.m_a.tobytes()
    pail.show(image, *result)
    result._repr_html_()
    assert (result.i_a.tobytes(), result.m_a.tobytes()) == before


def test_a_notebook_shows_picture_and_words():
    result = inserted(photograph(48, 48))
    text = result._repr_html_()
    picture = base64.b64decode(re.search(r"base64,([^\"]+)", text)[1])
    assert picture == result._repr_png_()
    assert "cutpaste" in text and html.escape(repr(result)) in text


def test_what_does_not_fit_is_refused():
    image = photograph(48, 48)
    i_a, m_a = inserted(image)
    with pytest.raises(ValueError, match="`i_a` must have the shape and dtype of `i_n`"):
        pail.show(image[:40], i_a, m_a)
    with pytest.raises(ValueError, match="`m_a`"):
        pail.show(image, i_a, m_a[:40])
    with pytest.raises(ValueError, match="`side`"):
        pail.show(image, i_a, m_a, side=4)
    with pytest.raises(TypeError, match="`i_n`"):
        pail.show(None, i_a, m_a)
