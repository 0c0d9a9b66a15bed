"""Records: everything that a call accepts can be stored as JSON, and a replay gives the same bytes or an error."""

import enum
import gc
import inspect
import json
import os
import weakref
import zlib
from collections import deque
from fractions import Fraction

import numpy as np
import pytest
from common import ALL, NAMES, as_type, bank, call, photograph, takes_source
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

import pail
from pail import pai
from pail.call.codec import NotHeldError, decode, encode
from pail.call.record import snapshot

EXAMPLES = 2000 if os.environ.get("PAIL_TEST_ALL") == "1" else 100
SHAPE = (40, 48)
IMAGE, SOURCE = photograph(*SHAPE), photograph(*SHAPE, seed=1)


def drawn(count=EXAMPLES):
    return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def through_json(record):
    again = json.loads(json.dumps(record, allow_nan=False))
    assert again == record
    return again


def check_replay(result, image, source=None, **keywords):
    """The record goes through JSON, and its replay gives the same bytes."""
    again = pail.replay(through_json(result.record), image, source, **keywords)
    assert again.i_a.tobytes() == result.i_a.tobytes() and again.m_a.tobytes() == result.m_a.tobytes()
    assert again.record == result.record or keywords


# The codec alone: type, dtype and every bit come back


def same(a, b):
    """Equal in type and value, where == is not enough: True and 1, 0.0 and -0.0, arrays of other dtypes, nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        if a.dtype.kind == "O":
            return all(same(x, y) for x, y in zip(a.ravel(), b.ravel(), strict=True))
        return a.tobytes() == b.tobytes() or bool(np.isnan(a).any() and np.array_equal(a, b, equal_nan=True))
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(k, m) and same(v, w) for (k, v), (m, w) in zip(a.items(), b.items(), strict=True)
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Image.Image):
        return (a.mode, a.size, a.tobytes()) == (b.mode, b.size, b.tobytes())
    return a == b or repr(a) == repr(b)


def arrays():
    dtypes = st.one_of(
        npst.boolean_dtypes(),
        npst.integer_dtypes(endianness="?"),
        npst.unsigned_integer_dtypes(endianness="?"),
        npst.floating_dtypes(endianness="?"),
        npst.complex_number_dtypes(),
        npst.unicode_string_dtypes(max_len=3),
    )
    return dtypes.flatmap(lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_side=6, min_side=0)))


def values():
    hashable = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=4) | st.sampled_from(["$list", "$", "$object"]),
        st.binary(max_size=4),
        st.complex_numbers(),
        st.fractions(),
        st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 3)),
    )
    numpy = st.one_of(arrays(), npst.scalar_dtypes().filter(lambda d: d.kind in "biuf").flatmap(npst.from_dtype))
    images = st.sampled_from(["1", "L", "RGB", "RGBA", "F", "CMYK"]).map(
        lambda mode: Image.fromarray(IMAGE).convert(mode)
    )
    return st.recursive(
        hashable | numpy | images,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(hashable | st.tuples(st.integers()), inner, max_size=3),
            st.sets(st.integers() | st.text(max_size=3), max_size=3),
        ),
        max_leaves=8,
    )


@drawn(2 * EXAMPLES)
@given(values())
def test_any_value_comes_back_as_it_was(value):
    assert same(decode("value", through_json(encode(snapshot(value)))), value)


class Kind(enum.IntEnum):
    TWO = 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Kind.TWO, 2),
        (deque([1, 2]), [1, 2]),
        (np.str_("a"), np.str_("a")),
        (np.longdouble(1) / 3, np.longdouble(1) / 3),
        (np.asfortranarray(np.arange(60.0).reshape(6, 10)), np.arange(60.0).reshape(6, 10)),
        (np.arange(90, dtype=np.int16)[::-3], np.arange(90, dtype=np.int16)[::-3].copy()),
        (np.full((6, 9), 255, np.uint8).view(bool), np.ones((6, 9), bool)),
        (np.array([[1, None], ["x", (2, [3])]], object), np.array([[1, None], ["x", (2, [3])]], object)),
    ],
    ids=str,
)
def test_what_is_close_to_a_plain_value_comes_back_as_it(value, expected):
    assert same(decode("value", through_json(encode(snapshot(value)))), expected)


@pytest.mark.parametrize("mode", ["P", "PA", "LA", "I;16", "I", "LAB", "YCbCr"])
def test_pil_images_keep_their_mode(mode):
    if mode == "PA":
        image = Image.fromarray(IMAGE).convert("P").convert("PA")
    else:
        image = Image.new(mode, (9, 7), 1000) if mode == "I;16" else Image.fromarray(IMAGE).convert(mode)
    if mode == "P":
        image.info["transparency"] = 3
    again = decode("value", through_json(encode(snapshot(image))))
    assert same(again, image) and again.getpalette() == image.getpalette()
    if mode in ("P", "PA"):
        assert again.convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


def test_a_set_is_written_in_one_order():
    names = [f"name{i}" for i in range(50)]
    assert encode({*names}) == encode({*reversed(names)}) == {"$set": sorted(names)}


def test_a_value_that_contains_itself_is_an_object():
    endless = []
    endless.append(endless)
    with pytest.raises(NotHeldError, match="value"):
        decode("value", through_json(encode(snapshot(endless))))


@pytest.mark.parametrize(
    "torn",
    [
        {"$array": "<f8", "shape": [3], "values": [1]},
        {"$array": "no dtype", "shape": [3], "values": [1, 2, 3]},
        {"$array": "|b1", "shape": [300], "bits": "AAAA", "values": [True]},
        {"$array": "|u1", "shape": [300]},
        {"$image": "L", "size": [3, 3], "data": "x"},
        {"$bytes": "?"},
        {"$float": "much"},
        {"$range": [0, 1, 0]},
        {"$dict": [[{"$list": []}, 1]]},
        {"$unknown": 1},
    ],
    ids=str,
)
def test_torn_values_are_named(torn):
    with pytest.raises(ValueError, match=r"`record`.*`roi`"):
        decode("roi", torn)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int32", "float16", "float32", "float64", ">u2"])
def test_masks_of_any_dtype_are_packed_as_bits(dtype):
    noise = np.random.default_rng(0).random((64, 64)) < 0.5
    mask = noise if dtype == "bool" else (noise * 255).astype(dtype)
    coded = encode(mask)
    assert same(decode("mask", coded), mask)
    assert len(json.dumps(coded)) < 850  # 512 bytes of bits, in base64


# Every accepted argument of every method


def ranges(low, high):
    """Two numbers in order, in every form that contains two numbers."""
    pair = st.tuples(st.floats(low, high), st.floats(low, high)).map(sorted)
    holders = st.sampled_from(
        [
            tuple,
            list,
            np.array,
            deque,
            lambda p: np.array(p, np.float32).clip(low, high),
            lambda p: np.array(p, object),
            lambda p: [np.float64(x) for x in p],
            lambda p: tuple(Fraction(x) for x in p),
        ]
    )
    return st.builds(lambda hold, p: hold(p), holders, pair)


def counts(low, high):
    """The same for integers."""
    pair = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)
    holders = [tuple, list, np.array, deque, lambda p: np.array(p, np.uint16), lambda p: tuple(map(np.int8, p))]
    return st.builds(lambda hold, p: hold(p), st.sampled_from(holders), pair)


def integers(low, high):
    kinds = st.sampled_from([int, np.int64, np.uint8, np.int16])
    return st.builds(lambda kind, v: kind(v), kinds, st.integers(low, high))


def numbers(low, high):
    kinds = st.sampled_from([float, np.float64, lambda x: np.float32(x).clip(low, high), Fraction])
    return st.builds(lambda kind, v: kind(v), kinds, st.floats(low, high))


def flags():
    return st.sampled_from([True, False, np.True_, np.False_, 1, 0])


def sequences(entry):
    return st.builds(
        lambda hold, e: hold(e), st.sampled_from([tuple, list, np.array]), st.lists(entry, min_size=1, max_size=3)
    )


def masks(shape=SHAPE):
    """A mask in every accepted form."""
    forms = [
        lambda m: m,
        lambda m: m[..., None],
        lambda m: m * np.uint8(255),
        lambda m: m * np.uint16(255),
        lambda m: m.astype(np.float32),
        lambda m: m * np.float64(255),
        lambda m: m.astype(np.uint32),
        lambda m: np.asfortranarray(m * np.uint8(255)),
        lambda m: np.repeat(m, 2, axis=1)[:, ::2],
        lambda m: (m * np.uint8(255)).view(bool),
        lambda m: Image.fromarray(m * np.uint8(255)),
        lambda m: Image.fromarray(m * np.uint8(255)).convert("1"),
    ]

    def mask(seed, form):
        rng = np.random.default_rng(seed)
        array = rng.random(shape) < 0.5
        array[rng.integers(4, 10) : 30, 8:40] = True
        return form(array)

    return st.builds(mask, st.integers(0, 99), st.sampled_from(forms))


# By name, of the eleven and what they share with the others; each parameter that no line names fails the test below.
ARGUMENTS = {
    "area_ratio": ranges(0.05, 0.5),
    "aspect_ratio": st.one_of(
        st.tuples(ranges(0.3, 1), ranges(1, 3)),
        st.lists(ranges(0.3, 3), min_size=2, max_size=2),
        st.just(np.array([[1, 2], [2, 3]])),
        st.just(np.array([[0.5, 1], [1, 2]], np.float32)),
    ),
    "rotation": ranges(-90, 90),
    "width": ranges(0.02, 0.3),
    "length": ranges(0.1, 0.5),
    "size_range": ranges(0.1, 0.5),
    "octaves": integers(1, 4),
    "persistence": numbers(0.1, 1),
    "amplitude": numbers(0.05, 1),
    "frequency": numbers(0.1, 1),
    "patch_number": st.sampled_from([(1, 2), [1, 3], np.array([2, 2]), (np.int64(1), 2), range(1, 3)]),
    "skip_background": st.none() | flags(),
    "max_try": integers(1, 50),
    "angles": sequences(st.sampled_from([0, 90, 180, 270])),
    "p_rotate": numbers(0, 1),
    "p_perm": numbers(0, 1),
    "p_jitter": numbers(0, 1),
    "brightness": numbers(0, 1),
    "contrast": numbers(0, 1),
    "saturation": numbers(0, 1),
    "hue": numbers(0, 0.5),
    "threshold": numbers(0.1, 0.6) | st.just("random"),
    "min_perlin_scale": integers(0, 2),
    "perlin_scale": integers(3, 6),
    "beta_range": ranges(0, 0.8),
    "augment_source": flags(),
    "augmenter": st.none(),
    "n_segments": sequences(st.integers(20, 60)),
    "fraction": numbers(0.02, 0.2),
    "compactness": numbers(1, 20),
    "sigma": numbers(0, 2),
    "rotate": flags(),
    "use_mask": st.just(True),
    "transparency_range": ranges(0.2, 1),
    "mask": st.none() | masks(),
    "source_mask": st.none() | masks(),
    "structure_grid_size": integers(1, 8),
    "p_texture": numbers(0, 1),
    "bg_threshold": st.none() | numbers(10, 200),
    "bg_reverse": flags(),
    "in_fg_region": flags(),
    "n_aug": integers(0, 4),
    "elastic": flags(),
    "min_area": numbers(0, 0.01),
    "initial_point": st.sampled_from([(0, 0), [0.5, 0.25], np.array([1, 2])]),
    "iterations": integers(100, 120),
    "system": st.sampled_from(["random", "barnsley", np.str_("random")]),
    "n_maps": integers(2, 4),
    "noise_amp": numbers(0, 20),
    "margin": numbers(0, 0.3),
    "dilate": integers(0, 4),
    "resize": st.sampled_from([None, (64, 64), [32, 48], np.array([64, 64])]),
    "patch_sizes": sequences(st.floats(0.1, 0.5)),
    "p_patch": numbers(0.2, 1),
    "ssim_threshold": numbers(0.5, 1),
    "variant": st.none(),
    "p_damage": numbers(0, 1),
    "n_damage": integers(0, 3),
    "roi": st.none() | st.just("foreground") | masks(),
    "severity": st.none() | numbers(0, 1) | ranges(0, 1),
}
CONTRASTS, LIGHTS, TONES = ranges(0.5, 20), st.none() | numbers(-360, 360), st.sampled_from([None, "dark", "bright"])
# Of the techniques beyond the eleven, whose keywords mean other things.
BEYOND = {
    "real_defect": {
        "kinds": st.sampled_from([None, "spot", ["line"], ("line", "spot"), np.array(["spot"]), np.str_("line")]),
        "blend": st.sampled_from([None, "paste", "transfer", "poisson", np.str_("paste")]),
        "place": st.sampled_from(["anywhere", "same"]),
        "rotation": ranges(-360, 360),
        "scale": ranges(0.2, 3),
        "flip": flags(),
        "contrast": ranges(0.1, 10),
    },
    "nsa": {
        "patch_number": counts(1, 5),
        "half_width": ranges(0.02, 0.5),
        "scale": ranges(0.1, 10),
        "shape": st.sampled_from([None, "rectangle", "ellipses"]),
        "blend": st.sampled_from(["poisson", "mixed", "paste"]),
        "skip_background": flags(),
        "min_overlap": numbers(0, 1),
    },
    "glass": {
        "use_mask": flags(),
        "beta_mean": numbers(0, 1),
        "beta_std": numbers(0, 1),
        "beta_range": ranges(0, 1),
        **{name: ARGUMENTS[name] for name in ("threshold", "min_perlin_scale", "perlin_scale", "rotation")},
        "augment_source": flags(),
    },
    "scratch": {
        "n_strokes": counts(1, 9),
        "length": ranges(0.05, 1),
        "width": ranges(0.002, 0.3),
        "contrast": CONTRASTS,
        "tone": TONES,
        "light": LIGHTS,
    },
    "crack": {
        "n_branches": counts(0, 9),
        "length": ranges(0.05, 1),
        "width": ranges(0.002, 0.3),
        "factor": ranges(0, 1),
        "contrast": CONTRASTS,
        "light": LIGHTS,
    },
    "stain": {
        "n_blots": counts(1, 5),
        "size": ranges(0.02, 1),
        "opacity": ranges(0, 1),
        "rim": numbers(0, 1),
        "contrast": CONTRASTS,
        "tone": TONES,
    },
    "pitting": {"n_pits": counts(1, 60), "radius": ranges(0.002, 0.5), "contrast": CONTRASTS, "light": LIGHTS},
    "dent": {"size": ranges(0.02, 1), "raised": st.none() | flags(), "contrast": CONTRASTS, "light": LIGHTS},
    "chip": {
        "size": ranges(0.02, 1),
        "fill_with": st.sampled_from([None, "background", "fracture"]),
        "contrast": CONTRASTS,
        "light": LIGHTS,
    },
    "fiber": {
        "length": ranges(0.05, 3),
        "width": ranges(0.002, 0.3),
        "curl": ranges(0, 20),
        "contrast": CONTRASTS,
        "tone": TONES,
        "light": LIGHTS,
    },
    "corrosion": {"size": ranges(0.02, 1), "opacity": ranges(0.2, 1), "contrast": CONTRASTS},
}


def options_of(name):
    """A few keywords of a technique."""
    known = {key: BEYOND.get(name, ARGUMENTS)[key] for key in pai.TECHNIQUES[name].parameters}
    return st.sets(st.sampled_from(sorted(known)), max_size=4).flatmap(
        lambda keys: st.fixed_dictionaries({key: known[key] for key in sorted(keys)})
    )


def test_every_argument_is_drawn():
    names = set()
    for name in NAMES:
        names |= set(inspect.signature(getattr(pai.Anomaly_Insertion, name)).parameters)
    assert names - {"self", "image", "img", "img_norm", "anom_source_img", "rng"} == set(ARGUMENTS)
    assert {*NAMES, *BEYOND} == set(ALL)
    for name, drawn_from in BEYOND.items():
        assert set(drawn_from) == set(pai.TECHNIQUES[name].parameters), name


def images():
    return st.sampled_from(
        [
            IMAGE,
            np.asfortranarray(IMAGE),
            as_type(IMAGE, "uint16")[..., 0],
            as_type(IMAGE, "float32"),
            as_type(IMAGE, ">u2"),
            np.repeat(IMAGE, 2, axis=1)[:, ::2],
            Image.fromarray(IMAGE),
            Image.fromarray(IMAGE).convert("LA"),
        ]
    )


def tables(names):
    """Options of a few of these techniques."""
    chosen = st.sets(st.sampled_from(names), max_size=3)
    return chosen.flatmap(lambda some: st.fixed_dictionaries({name: options_of(name) for name in sorted(some)}))


SOURCES = st.sampled_from([None, SOURCE, [SOURCE, IMAGE], (SOURCE, IMAGE), Image.fromarray(SOURCE), lambda rng: SOURCE])
COUNTS = st.sampled_from([1, 2, (1, 3), [2, 2], np.array([1, 2]), np.int8(2)])
FAMILIES = ["SFI", ["SBI", "cutpaste"], ("hybrid", "fract_aug"), list(NAMES), "defects", ["published", "real"], "real"]
WEIGHTS = [tuple, list, np.array, lambda w: [Fraction(x) for x in w]]


def several():
    """`insert` with techniques, families or a preset, and a bank where it may draw real defects."""

    def of_names(names):
        weights = st.none()
        if names is not None and not isinstance(names, str):
            few = st.lists(st.integers(1, 5), min_size=len(names), max_size=len(names))
            weights |= st.builds(lambda hold, w: hold(w), st.sampled_from(WEIGHTS), few)
        known = {"options": st.none() | tables(ALL), "n_anomalies": COUNTS, "techniques": st.just(names)}
        return st.fixed_dictionaries({**known, "weights": weights})

    def of_preset(name):
        options = st.none() | tables(sorted(pail.PRESETS[name].techniques))
        return st.fixed_dictionaries({"preset": st.just(name), "options": options, "n_anomalies": COUNTS})

    drawn_names = st.sampled_from([None, *FAMILIES]).flatmap(of_names)
    return st.tuples(st.just("insert"), drawn_names | st.sampled_from(sorted(pail.PRESETS)).flatmap(of_preset), SOURCES)


def calls():
    """A method, an image and keywords, with or without a source, and settings of the instance."""
    single = st.sampled_from(ALL).flatmap(
        lambda name: st.tuples(
            st.just(name), options_of(name), st.sampled_from([None, SOURCE] if takes_source(name) else [None])
        )
    )
    control = st.fixed_dictionaries({key: ARGUMENTS[key] for key in ("roi", "severity")})
    changed = {
        "transform": flags(),
        "alpha": st.sampled_from([None, False]),
        "window": st.none() | st.sampled_from([tuple, list, np.array]),
        "source_range": st.sampled_from([None, 255, 255.0, np.float32(255)]),
    }
    return st.tuples(single | several(), control, images(), st.integers(0, 2**32), st.fixed_dictionaries(changed))


def takes_bank(name, keywords):
    if name != "insert":
        return pai.TECHNIQUES[name].takes_defects
    names = keywords.get("techniques")
    return names is not None and "real" in ([names] if isinstance(names, str) else names)


@drawn(3 * EXAMPLES)
@given(calls())
def test_any_call_replays_to_the_byte(case):
    (name, options, source), control, image, seed, changed = case
    window = changed.pop("window")
    if window is not None:
        dtype = np.asarray(image).dtype
        full = 1 if dtype.kind == "f" else np.iinfo(dtype).max
        changed["data_range"], changed["source_range"] = window([0.1 * full, 0.9 * full]), 255
    instance, keywords = pai.Anomaly_Insertion(**changed), {**options, **control, "rng": seed}
    if source is not None and (name == "insert" or takes_source(name)):
        keywords["anom_source_img"] = source
    again = {}
    if takes_bank(name, keywords):
        keywords["defects"] = again["defects"] = bank()
    try:
        result = getattr(instance, name)(image, **keywords)
    except ValueError as error:  # two of the drawn regions do not overlap, or two options exclude each other
        assert "`" in str(error)
        return
    record = through_json(result.record)
    replayed = pail.replay(record, image, source, **again)
    for part in ("i_a", "m_a", "instances"):
        assert getattr(replayed, part).tobytes() == getattr(result, part).tobytes()
    assert replayed.record == record


@pytest.mark.parametrize("name", ALL)
def test_options_that_are_drawn_are_accepted(name):
    """The options of the calls above must be accepted."""

    @drawn(10)
    @given(options_of(name))
    def accepted(options):
        pai.TECHNIQUES[name].check(options)

    accepted()


# What the caller changes after the call


def test_nothing_that_is_changed_after_the_call_changes_its_record():
    roi, mask = np.zeros(SHAPE, bool), np.zeros(SHAPE, np.uint8)
    roi[5:35, 5:40], mask[8:30, 8:40] = True, 255
    image, source = IMAGE.copy(), SOURCE.copy()
    severity, sizes, ranges_ = [0.2, 0.9], np.array([0.3, 0.5]), [[0.5, 1], [1, 2]]
    options = {"rand_augmented_cut_paste": {"mask": mask, "n_aug": 2}, "cutpaste": {"aspect_ratio": ranges_}}
    options["fract_aug"] = {"size_range": sizes}
    weights, names, count = [1, 1.0, 2], ["rand_augmented_cut_paste", "cutpaste", "fract_aug"], [3, 5]
    keywords = {"techniques": names, "weights": weights, "n_anomalies": count, "options": options}
    result = pai.Anomaly_Insertion().insert(image, source, roi=roi, severity=severity, rng=2, **keywords)
    roi[:], mask[:], image[:], source[:], sizes[:] = False, 0, 0, 0, 0.1
    ranges_[0][1], severity[1], weights[0], count[1] = 0.6, 0.3, 100, 3
    names.append("affined_anomlay")
    options["fract_aug"]["margin"] = 0.4
    options.pop("cutpaste")
    check_replay(result, IMAGE, SOURCE)


@pytest.mark.parametrize(
    ("name", "keyword", "value", "change"),
    [
        ("cutpaste", "area_ratio", [0.1, 0.2], lambda v: v.reverse()),
        ("cutpaste", "aspect_ratio", np.array([[1, 2], [2, 3]]), lambda v: v.fill(1)),
        ("random_perturbation", "patch_number", deque([1, 3]), lambda v: v.rotate()),
        ("superpixel_anomaly", "n_segments", [30, 50], lambda v: v.clear()),
        ("hard_aug_cutpaste", "angles", np.array([0, 90]), lambda v: v.fill(180)),
        ("affined_anomlay", "patch_sizes", [0.25], lambda v: v.append(0.1)),
        ("affined_anomlay", "resize", [64, 64], lambda v: v.clear()),
        ("fract_aug", "initial_point", np.array([0.0, 1.0]), lambda v: v.fill(9)),
        ("rand_augmented_cut_paste", "mask", np.eye(*SHAPE) > 0, lambda v: v.fill(True)),
        ("rand_augmented_cut_paste", "source_mask", np.tri(*SHAPE) * 255, lambda v: v.fill(255)),
        ("perlin_with_roi_anomaly", "mask", Image.new("1", SHAPE[::-1], 1), lambda v: v.putpixel((3, 3), 0)),
        ("perlin_noise_pattern", "roi", Image.new("L", SHAPE[::-1], 255), lambda v: v.paste(0, (0, 0, 20, 40))),
        ("cutpaste_scar", "roi", np.asfortranarray(np.tri(*SHAPE)), lambda v: v.fill(1)),
        ("cutpaste", "severity", np.array([0.1, 0.9]), lambda v: v.fill(0.5)),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_a_changed_argument_does_not_change_the_record(name, keyword, value, change):
    result = call(name, IMAGE, SOURCE, rng=5, **{keyword: value})
    change(value)
    check_replay(result, IMAGE, SOURCE if takes_source(name) else None)


def test_settings_that_are_assigned_after_the_call_do_not_change_the_record():
    instance = pai.Anomaly_Insertion(rng=0)
    result = instance.cutpaste(IMAGE)
    instance.transform = False
    assert result.record["settings"]["transform"] is True
    check_replay(result, IMAGE)


def test_a_result_keeps_neither_image_nor_source_alive():
    image, source = IMAGE.copy(), SOURCE.copy()
    gone = weakref.ref(image), weakref.ref(source)
    result = call("fract_aug", image, source, rng=0)
    del image, source
    gc.collect()
    assert gone[0]() is None and gone[1]() is None
    check_replay(result, IMAGE, SOURCE)


# Objects that JSON cannot hold


def invert(pixels):
    return 255 - pixels


def test_an_object_among_the_options_of_insert_is_passed_again():
    options = {"perlin_noise_pattern": {"augmenter": invert, "threshold": 0.4}, "cutpaste": {"area_ratio": (0.1, 0.2)}}
    keywords = {"techniques": list(options), "n_anomalies": 4, "options": options, "rng": 1}
    result = pai.Anomaly_Insertion().insert(IMAGE, SOURCE, **keywords)
    assert set(result.techniques) == set(options)
    record = through_json(result.record)
    with pytest.raises(
        ValueError, match=r'`options\["perlin_noise_pattern"\]\["augmenter"\]` was <function invert'
    ) as e:
        pail.replay(record, IMAGE, SOURCE)
    assert 'replay(..., options={"perlin_noise_pattern": {"augmenter": ...}})' in str(e.value)
    check_replay(result, IMAGE, SOURCE, options={"perlin_noise_pattern": {"augmenter": invert}})
    check_replay(result, IMAGE, SOURCE, options=options)
    with pytest.raises(ValueError, match="`options` was passed again"):
        pail.replay(record, IMAGE, SOURCE, options={"perlin_noise_pattern": {"augmenter": np.flipud}})
    with pytest.raises(TypeError, match=r'`options\["perlin_noise_pattern"\]\["color"\]`.*"threshold"'):
        pail.replay(record, IMAGE, SOURCE, options={"perlin_noise_pattern": {"augmenter": invert, "color": 3}})


def test_an_object_of_a_technique_that_was_not_drawn_does_not_matter():
    options = {"perlin_noise_pattern": {"augmenter": invert}, "cutpaste": {"area_ratio": (0.1, 0.2)}}
    keywords = {"techniques": ["cutpaste", "perlin_noise_pattern"], "weights": [1, 0], "options": options, "rng": 1}
    result = pai.Anomaly_Insertion().insert(IMAGE, SOURCE, **keywords)
    again = pail.replay(through_json(result.record), IMAGE)
    assert np.array_equal(again.i_a, result.i_a)


def test_a_bank_is_needed_again_only_if_a_real_defect_was_drawn():
    """A bank that is passed although none was drawn does not matter, whichever it is."""
    seen = set()
    for seed in range(24):
        insertion = pai.Anomaly_Insertion(rng=seed)
        result = insertion.insert(IMAGE, techniques=["real", "cutpaste"], n_anomalies=2, defects=bank())
        record, used = through_json(result.record), "real_defect" in result.techniques
        seen.add(used)
        if used:
            with pytest.raises(TypeError, match="`defects`"):
                pail.replay(record, IMAGE)
            replays = [pail.replay(record, IMAGE, defects=bank())]
        else:
            assert record["defects"] is None
            replays = [pail.replay(record, IMAGE), pail.replay(record, IMAGE, defects=bank(100))]
        for again in replays:
            assert again.i_a.tobytes() == result.i_a.tobytes() and again.record == record
    assert seen == {True, False}


def test_masks_among_the_options_of_insert_replay():
    mask = np.zeros(SHAPE, np.float64)
    mask[4:30, 10:40] = 1
    options = {"rand_augmented_cut_paste": {"mask": mask, "source_mask": Image.fromarray(mask > 0)}}
    names = "rand_augmented_cut_paste"
    check_replay(pai.Anomaly_Insertion().insert(IMAGE, SOURCE, techniques=names, options=options, rng=3), IMAGE, SOURCE)


def test_a_transform_is_passed_again():
    result = pai.Anomaly_Insertion(invert).cutpaste(IMAGE, rng=0)
    with pytest.raises(ValueError, match=r"`transform` was <function invert.*transform=\.\.\."):
        pail.replay(through_json(result.record), IMAGE)
    check_replay(result, IMAGE, transform=invert)
    with pytest.raises(ValueError, match="`transform` was passed again"):
        pail.replay(result.record, IMAGE, transform=np.flipud)


# Other bytes are an error


def test_a_result_of_other_bytes_says_what_differs():
    record = through_json(call("cutpaste", IMAGE, rng=0).record)
    for part, words in (("i_a", "differ: the pseudo-anomalous image"), ("m_a", "differ: the mask")):
        other = {**record, "result": {**record["result"], part: "00000000"}}
        with pytest.raises(ValueError, match=words):
            pail.replay(other, IMAGE)
        other["stack"] = {**record["stack"], "opencv": "3.4.0", "pillow": "5.0"}
        other["version"] = record["version"] + ".post1"
        with pytest.raises(ValueError, match=r"opencv was 3\.4\.0 and is now .*; pillow was 5\.0") as error:
            pail.replay(other, IMAGE)
        assert f"pail was {other['version']}" in str(error.value) and "numpy" not in str(error.value)
    # The same bytes on other versions are sufficient; a data set stores the versions once, elsewhere.
    assert pail.replay({**record, "stack": {**record["stack"], "opencv": "3.4.0"}}, IMAGE).record == record
    assert pail.replay({key: value for key, value in record.items() if key != "stack"}, IMAGE).record == record


def test_another_pixel_anywhere_is_an_error():
    result = call("cutpaste", IMAGE, rng=0)
    row, column = np.argwhere(result.m_a[..., 0] == 0)[77]
    for change in range(1, 4):
        other = IMAGE.copy()
        other[row, column + change] ^= 1
        with pytest.raises(ValueError, match="`image`"):
            pail.replay(result.record, other)


def test_a_result_that_was_written_to_before_its_record_was_read_is_an_error():
    result = call("cutpaste", IMAGE, rng=0)
    result.i_a[...] = 0
    with pytest.raises(ValueError, match="modified before its record was read"):
        pail.replay(result.record, IMAGE)
    kept = call("cutpaste", IMAGE, rng=0)
    assert kept.record
    kept.i_a[...] = 0
    assert np.array_equal(pail.replay(kept.record, IMAGE).i_a, call("cutpaste", IMAGE, rng=0).i_a)


def test_the_checksums_are_those_of_zlib():
    for image in (IMAGE, as_type(IMAGE, ">u2")):
        result = call("cutpaste", image, rng=0)
        native = result.i_a.astype(result.i_a.dtype.newbyteorder("="))
        assert result.record["result"] == {
            "i_a": f"{zlib.crc32(native.tobytes()):08x}",
            "m_a": f"{zlib.crc32(result.m_a.tobytes()):08x}",
        }
        again = pail.replay(result.record, image.astype(image.dtype.newbyteorder("=")))
        assert np.array_equal(again.i_a, result.i_a)  # the order of the bytes is the image's


def test_a_source_has_to_come_in_the_form_of_the_call():
    instance = pai.Anomaly_Insertion()
    forms = {
        "one image": SOURCE,
        "a list of 1": [SOURCE],
        "a list of 2": (SOURCE, SOURCE),
        "a callable": lambda rng: SOURCE,
    }
    for form, source in forms.items():
        result = instance.insert(IMAGE, source, techniques="fract_aug", n_anomalies=2, rng=0)
        check_replay(result, IMAGE, source)
        for other, given_ in forms.items():
            if other != form:
                with pytest.raises(ValueError, match=f"`anom_source_img`.*, {form}, got {other}"):
                    pail.replay(result.record, IMAGE, given_)
        with pytest.raises(ValueError, match=f"`anom_source_img` must be given.*{form}"):
            pail.replay(result.record, IMAGE)
    with pytest.raises(ValueError, match=r"`anom_source_img`.*one image, got a list of 1"):
        pail.replay(call("fract_aug", IMAGE, SOURCE).record, IMAGE, [SOURCE])
    with pytest.raises(ValueError, match="`anom_source_img` must be that of the record"):
        pail.replay(call("fract_aug", IMAGE, SOURCE).record, IMAGE, SOURCE[::-1])


def test_a_source_that_was_not_used_is_ignored():
    for result in (
        call("cutpaste", IMAGE, rng=0),
        call("fract_aug", IMAGE, rng=0),
        pai.Anomaly_Insertion().insert(IMAGE, SOURCE, techniques="SFI", n_anomalies=2, rng=0),
        pai.Anomaly_Insertion().insert(IMAGE, techniques="SBI", rng=0),
    ):
        for source in (None, SOURCE, [SOURCE, IMAGE], lambda rng: SOURCE, "no image"):
            check_replay(result, IMAGE, source)


# Versions


def test_a_record_of_another_minor_version_is_refused_by_its_version(monkeypatch):
    record = through_json(call("cutpaste", IMAGE, rng=0).record)
    monkeypatch.setattr("pail.call.replay.__version__", "0.3.7")
    for version in ("0.3.0", "0.3.12", "0.3.0.dev1"):
        assert pail.replay({**record, "version": version}, IMAGE).record["result"] == record["result"]
    old = {key: record[key] for key in ("technique", "stack", "image", "rng", "settings", "arguments")}
    for version in ("0.2.0", "0.4.0", "1.3.0", "0.30.0"):
        with pytest.raises(ValueError, match=rf"version 0\.3\.x of the library, like 0\.3\.7, got one of '{version}'"):
            pail.replay({**old, "version": version}, IMAGE)


def test_what_is_no_record_is_refused():
    record = through_json(pai.Anomaly_Insertion().insert(IMAGE, SOURCE, n_anomalies=2, rng=0).record)
    for key in ("technique", "image", "anom_source_img", "rng", "settings", "arguments", "result", "steps"):
        words = rf"`record`.*{key}|`{key}` must be"
        with pytest.raises(TypeError, match="`record`"):
            pail.replay({k: v for k, v in record.items() if k != key}, IMAGE, SOURCE)
        for junk in (3, [], "x", {}, {"a": 1}, [[]]):
            with pytest.raises((TypeError, ValueError), match=words):
                pail.replay({**record, key: junk}, IMAGE, SOURCE)


def damaged(value, junk):
    """The value with an invalid entry at each place in turn."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        for changed in (junk, *damaged(entry, junk)):
            again = value.copy()
            again[key] = changed
            yield again


@pytest.mark.parametrize("junk", [None, [], {}, "junk", -1, 3.5e300], ids=str)
def test_damage_anywhere_in_a_record_is_named(junk):
    """An error names the damage, or it does not matter, as for a number that is drawn again."""
    result = pai.Anomaly_Insertion().insert(IMAGE, SOURCE, techniques=["glass", "cutpaste"], n_anomalies=2, rng=0)
    for record in damaged(through_json(result.record), junk):
        try:
            again = pail.replay(record, IMAGE, SOURCE)
        except (TypeError, ValueError) as error:
            assert "`" in str(error)
        else:
            assert again.i_a.tobytes() == result.i_a.tobytes() and again.m_a.tobytes() == result.m_a.tobytes()


# Registered techniques


@pytest.fixture
def registered():
    names = []

    def register(name, function, **keywords):
        if name in names:
            pail.unregister(name)
        else:
            names.append(name)
        pail.register(name, function, **keywords)

    yield register
    for name in names:
        pail.unregister(name)


def spot(level):
    def function(frame, draw, *, options=None):
        box = pail.place(frame, draw, 8, 8)
        return pail.Insertion(box, np.full_like(frame.crop(box), level))

    return function


def test_an_own_technique_that_is_registered_anew_is_an_error(registered):
    registered("spot", spot(250))
    single = pai.Anomaly_Insertion().spot(IMAGE, rng=0)
    several = pai.Anomaly_Insertion().insert(IMAGE, techniques=["spot", "cutpaste"], n_anomalies=3, rng=0)
    for result in (single, several):
        check_replay(result, IMAGE)
    registered("spot", spot(5))
    for result in (single, several):
        with pytest.raises(
            ValueError, match=r"pseudo-anomalous image\. Possible causes: spot is a registered technique"
        ):
            pail.replay(result.record, IMAGE)
    registered("spot", lambda frame, draw, *, color=3: spot(250)(frame, draw))
    with pytest.raises(ValueError, match="'spot' as it is registered, with color options, got one with 'options'"):
        pail.replay(pai.Anomaly_Insertion().spot(IMAGE).record | {"arguments": several_options(single)}, IMAGE)


def several_options(result):
    return {**result.record["arguments"], "options": 3}


def test_what_is_registered_later_does_not_change_a_replay(registered):
    """Families and None are recorded as the techniques that they stood for."""
    results = [
        pai.Anomaly_Insertion().insert(IMAGE, SOURCE, techniques=names, weights=weights, n_anomalies=4, rng=0)
        for names, weights in ((None, None), ("SFI", None), (["SBI", "cutpaste"], [1, 3]))
    ]
    registered("spot", spot(250))
    for result in results:
        check_replay(result, IMAGE, SOURCE)


@drawn(EXAMPLES // 2)
@given(values())
def test_any_option_of_an_own_technique_replays(value):
    """The technique gets an equal value again, and changes that it makes do not affect the record."""
    seen = []

    def remember(frame, draw, *, options=None):
        seen.append(snapshot(options))
        if isinstance(options, list | dict):
            options.clear()
        draw.keep("options", [options, value])
        return spot(0)(frame, draw)

    pail.register("remember", remember)
    try:
        result = pai.Anomaly_Insertion().remember(IMAGE, options=value, rng=0)
        check_replay(result, IMAGE)
        assert same(seen[0], seen[-1])
    finally:
        pail.unregister("remember")
