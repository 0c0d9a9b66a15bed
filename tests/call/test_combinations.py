"""The whole contract, and the replay of the record, on combinations of everything that a call accepts."""

import os
from collections import Counter

import numpy as np
import pytest
import strategies
from common import ALL, Expected, call, checked, photograph
from hypothesis import HealthCheck, given, settings
from strategies import (
    FORMS,
    MODES,
    OPTIONS,
    REGIONS,
    Case,
    arguments,
    cases,
    check,
    formed,
    random_case,
    region,
)

from pail import pai

EXAMPLES = 2000 if os.environ.get("PAIL_TEST_ALL") == "1" else 150


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases())
def test_any_combination_keeps_the_contract_and_replays(case):
    check(case)


def test_every_option_of_every_technique_is_drawn():
    assert {name: set(options) for name, options in OPTIONS.items()} == {
        name: set(pai.TECHNIQUES[name].parameters) for name in ALL
    }


def test_the_draws_reach_everything_that_is_not_pending():
    rng = np.random.default_rng(0)
    drawn = [random_case(rng) for _ in range(3000)]
    assert {case.method for case in drawn} == {*ALL, "insert"}
    assert {case.mode for case in drawn} == {*MODES, None}
    assert {case.region for case in drawn} == set(REGIONS)
    assert {case.form for case in drawn} == set(FORMS)
    keywords = Counter((case.method, keyword) for case in drawn for keyword in case.options)
    assert all(keywords[name, keyword] > 5 for name in ALL for keyword in OPTIONS[name])


def test_the_repr_of_a_case_makes_it_again():
    rng = np.random.default_rng(1)
    for case in [random_case(rng) for _ in range(300)]:
        assert eval(repr(case), vars(strategies)) == case


@pytest.mark.parametrize("form", FORMS)
def test_a_region_is_the_same_in_every_form(form):
    """Each form of a region has exactly the true pixels of the plain mask."""
    case = Case("cutpaste", 40, 50, 3, "uint8", "plain", None, "noise", seed=3)
    for kind in ("disc", "ring", "islands", "pixel", "line", "all"):
        mask = region(case, kind)
        shown = np.asarray(formed(mask, form)).reshape(40, 50)
        assert mask.any() and np.array_equal((shown.view(np.uint8) if shown.dtype == bool else shown) > 0, mask)


# The checker itself: each promise that is broken by hand is noticed


def broken(i_a, m_a, kind):
    inside, outside = (np.argwhere(mask)[0] for mask in (m_a[..., 0] > 0, m_a[..., 0] == 0))
    if kind == "a pixel outside":
        i_a[tuple(outside)] ^= 1
    elif kind == "alpha":
        i_a[(*inside, 3)] ^= 1
    elif kind == "a mask of ones":
        m_a //= 255
    elif kind == "an empty mask":
        m_a[:] = 0
    elif kind == "nothing differs":
        i_a[:] = IMAGE
    elif kind == "too bright":
        i_a[(*inside, 0)] = 255
    elif kind == "outside the region":
        m_a[tuple(outside)] = 255


IMAGE = np.concatenate([photograph(40, 50), photograph(40, 50, 1)[..., :1]], axis=2) // 2


class Broken:
    """An instance whose results are corrupted."""

    def __init__(self, kind):
        self.kind, self.plain = kind, pai.Anomaly_Insertion(data_range=200)
        self.data_range, self.alpha = 200, None

    def cutpaste(self, image, **keywords):
        result = self.plain.cutpaste(image, **keywords)
        i_a, m_a = result
        if self.kind == "an input":
            image[0, 0, 0] ^= 1
        elif self.kind == "a global generator":
            np.random.random()  # noqa: NPY002
        elif self.kind == "printed":
            print("done")  # noqa: T201
        elif self.kind == "an alias":
            image[:] = i_a
            return type(result)(image, m_a, result.techniques, {}, None)
        elif self.kind == "instances":
            return type(result)(i_a, m_a, result.techniques, {}, np.zeros(m_a.shape[:2], np.uint16))
        elif self.kind == "dtype":
            return type(result)(i_a.astype(np.uint16), m_a, result.techniques, {}, None)
        elif self.kind == "layout":
            return type(result)(np.asfortranarray(i_a), m_a, result.techniques, {}, None)
        broken(i_a, m_a, self.kind)
        return result


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("a pixel outside", "pixels outside"),
        ("alpha", "alpha"),
        ("a mask of ones", "mask holds"),
        ("an empty mask", "empty"),
        ("nothing differs", "nothing visibly"),
        ("too bright", "inside the mask"),
        ("outside the region", "leaves the region"),
        ("an input", "written to"),
        ("a global generator", "global generator"),
        ("printed", "printed"),
        ("an alias", "written to"),
        ("instances", "instances"),
        ("dtype", "uint16"),
        ("layout", "not contiguous"),
    ],
)
def test_the_checker_notices(kind, words):
    roi = np.zeros((40, 50), bool)
    roi[5:35, 5:45] = True
    checked("cutpaste", IMAGE.copy(), on=Broken(None), rng=0, roi=roi)
    with pytest.raises(AssertionError, match=words):
        checked("cutpaste", IMAGE.copy(), on=Broken(kind), rng=0, roi=roi)


def test_the_checker_notices_an_output_that_aliases_an_input():
    image = IMAGE.copy()
    expected = Expected("cutpaste", image, rng=0)
    result = call("cutpaste", image, rng=0)
    view = type(result)(image, result.m_a, result.techniques, {}, None)
    with pytest.raises(AssertionError, match="aliases"):
        expected.check_inputs(view)


def test_a_case_makes_the_same_arguments_again():
    rng = np.random.default_rng(5)
    for _ in range(50):
        case = random_case(rng)
        (one, _, first, _), (other, _, second, _) = arguments(case), arguments(case)
        assert np.array_equal(np.asarray(one), np.asarray(other)) and list(first) == list(second)
