"""Inputs: formats, layouts, sources, and everything that has to be refused."""

import subprocess
import sys

import numpy as np
import pytest
from common import NAMES, as_type, call, checked, photograph, takes_source
from PIL import Image

from pail import pai

IMAGE_NAME = {name: technique.image_name for name, technique in pai.TECHNIQUES.items()}
SBI = [name for name in NAMES if pai.TECHNIQUES[name].takes_source]


DTYPES = ("uint8", "uint16", "float32", "float64", ">u2", ">f4")


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("name", NAMES)
def test_every_format(name, channels):
    base = np.concatenate([photograph(37, 52, seed) for seed in range(6)], axis=2)
    sources = (None, photograph(30, 30, seed=7), as_type(photograph(30, 30, 7)[..., 0], "uint16"))
    for dtype in DTYPES:
        image = as_type(base[..., 0] if channels is None else base[..., :channels], dtype)
        for seed, source in enumerate(sources if takes_source(name) else sources[:1]):
            checked(name, image, source, rng=seed)


@pytest.mark.parametrize("name", NAMES)
def test_sixteen_bits_stay_sixteen_bits(name):
    ramp = np.linspace(3, 65500, 200 * 220).reshape(200, 220)
    image = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2).astype(np.uint16)
    source = np.ascontiguousarray(np.rot90(image))
    fine = 0
    for seed in range(6):
        i_a, m_a = call(name, image, source, rng=seed)
        values = i_a[m_a[..., 0] > 0]
        fine += np.mean(values % 257 != 0) > 0.5
    assert fine >= 4  # what 8 bits can express are the multiples of 257


@pytest.mark.parametrize("name", NAMES)
def test_twelve_bit_data(name):
    image = (as_type(photograph(60, 60), "uint16") // 16).astype(np.uint16)
    source = (as_type(photograph(60, 60, 1), "uint16") // 16).astype(np.uint16)
    for seed in range(5):
        assert checked(name, image, source, rng=seed, data_range=4095).i_a.max() <= 4095


@pytest.mark.parametrize("name", NAMES)
def test_layouts_give_what_their_copy_gives(name, tmp_path):
    image = photograph(48, 65)
    wide = np.zeros((48, 130, 3), np.uint8)
    wide[:, ::2] = image
    mapped = np.memmap(tmp_path / "image.bin", np.uint8, "w+", shape=image.shape)
    mapped[:] = image
    layouts = {
        "strided": wide[:, ::2],
        "fortran": np.asfortranarray(image),
        "negative": np.ascontiguousarray(image[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
        "mapped": np.memmap(tmp_path / "image.bin", np.uint8, "r", shape=image.shape),
        "read-only": image,
    }
    source = photograph(48, 65, 1)
    expected = call(name, image.copy(), source.copy(), rng=8)
    for kind, layout in layouts.items():
        i_a, m_a = call(name, layout, np.asfortranarray(source), rng=8)
        assert np.array_equal(i_a, expected[0]) and np.array_equal(m_a, expected[1]), kind
        assert type(i_a) is np.ndarray


PIL_FORMATS = {
    "1": ((40, 30), np.uint8),
    "L": ((40, 30), np.uint8),
    "LA": ((40, 30, 2), np.uint8),
    "P": ((40, 30, 3), np.uint8),
    "RGB": ((40, 30, 3), np.uint8),
    "RGBA": ((40, 30, 4), np.uint8),
    "CMYK": ((40, 30, 3), np.uint8),
    "I;16": ((40, 30), np.uint16),
    "F": ((40, 30), np.float32),
}


def pil_image(mode):
    image = photograph(40, 30)
    if mode == "I;16":
        return Image.fromarray(as_type(image[..., 0], "uint16"))
    if mode == "F":
        return Image.fromarray(as_type(image[..., 0], "float32"))
    return Image.fromarray(image).convert(mode)


@pytest.mark.parametrize("mode", PIL_FORMATS)
def test_pil_modes(mode):
    shape, dtype = PIL_FORMATS[mode]
    for name in ("cutpaste", "superpixel_anomaly"):
        i_a, m_a = call(name, pil_image(mode), pil_image("RGBA"), rng=1)
        assert i_a.shape == shape and i_a.dtype == dtype
        assert m_a.any()


def test_alpha_is_carried_through():
    for mode in ("LA", "RGBA"):
        image = pil_image(mode)
        alpha = np.arange(40 * 30).reshape(40, 30).astype(np.uint8)
        image.putalpha(Image.fromarray(alpha))
        for name in NAMES:
            assert np.array_equal(call(name, image, rng=0)[0][..., -1], alpha)


def test_a_palette_with_transparency_has_alpha():
    image = Image.fromarray(photograph(20, 20)).convert("P")
    image.info["transparency"] = 3
    assert pai.Anomaly_Insertion().cutpaste(image)[0].shape == (20, 20, 4)


@pytest.mark.parametrize("name", SBI)
def test_a_sources_value_range_is_converted(name):
    """A white source is white at every bit depth: the full scale of the image."""
    black = np.zeros((64, 64, 3), np.float32)
    for white in (np.full((9, 9, 3), 255, np.uint8), np.full((9, 9), 65535, np.uint16), np.ones((9, 9, 1))):
        peaks = [call(name, black, white, rng=seed)[0].max() for seed in range(8)]
        assert min(peaks) >= 0 and max(peaks) <= 1
        if name == "superpixel_anomaly":
            assert min(peaks) == 1


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (None, TypeError, "None; cv2.imread"),
        ([[1, 2], [3, 4]], TypeError, "list"),
        ("part.png", TypeError, "open the file first"),
        (3, TypeError, "int"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "empty"),
        (np.zeros((4, 4, 0), np.uint8), ValueError, "empty"),
        (np.zeros((4,), np.uint8), ValueError, r"shape \(H, W\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), ValueError, r"shape \(H, W\)"),
        (np.zeros((4, 4, 17), np.uint8), ValueError, "16 channels"),
        (np.zeros((1, 32767), np.uint8), ValueError, "32766"),
        (np.zeros((4, 4), np.int16), TypeError, "int16"),
        (np.zeros((4, 4), bool), TypeError, "bool"),
        (np.zeros((4, 4), complex), TypeError, "complex"),
        (np.zeros((4, 4), object), TypeError, "object"),
        (np.zeros((4, 4), np.float16), TypeError, "float16"),
        (np.zeros((4, 4), np.uint32), TypeError, "uint32"),
        (np.zeros((4, 4), "U1"), TypeError, "<U1"),
        (np.full((4, 4), np.nan, np.float32), ValueError, "NaN"),
        (np.full((4, 4), np.inf), ValueError, "inf"),
        (np.full((4, 4), 255.0), ValueError, "scale"),
        (np.full((4, 4), -0.1), ValueError, "-0.1"),
        (Image.new("I", (4, 4)), TypeError, "mode I"),
        (Image.new("L", (0, 4)), ValueError, "empty"),
    ],
)
def test_what_is_no_image_is_refused(image, error, words):
    """Images are checked before the technique, so one method with a source represents all."""
    with pytest.raises(error, match=words) as caught:
        call("superpixel_anomaly", image)
    assert "`image`" in str(caught.value)
    if image is not None:
        with pytest.raises(error, match="`anom_source_img`"):
            call("superpixel_anomaly", photograph(8, 8), image)


def test_every_method_names_its_image_and_its_source():
    for name in NAMES:
        with pytest.raises(TypeError, match=f"`{IMAGE_NAME[name]}`"):
            call(name, "part.png")
        if name in SBI:
            with pytest.raises(TypeError, match="`anom_source_img`"):
                call(name, photograph(8, 8), "part.png")


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_keyword_is_named(name):
    with pytest.raises(TypeError, match="color"):
        call(name, photograph(8, 8), color=3)


@pytest.mark.parametrize("name", NAMES)
def test_data_range(name):
    image = as_type(photograph(9, 9), "uint16")
    for value, error in ((0, ValueError), (-1, ValueError), ("a", TypeError), (70000, ValueError), (100, ValueError)):
        with pytest.raises(error, match="data_range"):
            call(name, image, data_range=value)
    call(name, np.full((9, 9), 200.0), data_range=255)


@pytest.mark.parametrize("rng", ["seed", 1.5, -1, [1, -2], {}, object(), True])
def test_what_is_no_rng_is_refused(rng):
    with pytest.raises((TypeError, ValueError), match="`rng`"):
        pai.Anomaly_Insertion(rng=rng)
    with pytest.raises((TypeError, ValueError), match="`rng`"):
        pai.Anomaly_Insertion().cutpaste(photograph(9, 9), rng=rng)


def test_transform_must_be_a_flag():
    with pytest.raises(TypeError, match="`transform`"):
        pai.Anomaly_Insertion(transform="yes")
    for flag in (0, 1):
        assert pai.Anomaly_Insertion(transform=flag).transform is bool(flag)


@pytest.mark.parametrize(
    ("name", "keyword", "value", "error"),
    [
        ("cutpaste", "area_ratio", (0.3, 0.2), ValueError),
        ("cutpaste", "area_ratio", (0, 0.2), ValueError),
        ("cutpaste", "area_ratio", 0.2, TypeError),
        ("cutpaste", "aspect_ratio", (0.3, 1), TypeError),
        ("cutpaste", "aspect_ratio", ((0.3, 1),), ValueError),
        ("cutpaste", "aspect_ratio", ((-1, 1), (1, 3)), ValueError),
        ("cutpaste_scar", "rotation", (45, -45), ValueError),
        ("cutpaste_scar", "width", (0.1, 2), ValueError),
        ("cutpaste_scar", "length", None, TypeError),
        ("simplex_noise_anomlay", "octaves", 2.5, TypeError),
        ("simplex_noise_anomlay", "amplitude", float("nan"), ValueError),
        ("random_perturbation", "patch_number", (0, 4), ValueError),
        ("random_perturbation", "skip_background", "yes", TypeError),
        ("hard_aug_cutpaste", "p_perm", 1.5, ValueError),
        ("hard_aug_cutpaste", "angles", (45,), ValueError),
        ("perlin_noise_pattern", "threshold", "low", ValueError),
        ("perlin_noise_pattern", "resize", (0, 3), ValueError),
        ("perlin_noise_pattern", "beta_range", (0, 1.2), ValueError),
        ("perlin_noise_pattern", "augmenter", 3, TypeError),
        ("perlin_noise_pattern", "perlin_scale", 0, ValueError),
        ("superpixel_anomaly", "n_segments", (), ValueError),
        ("superpixel_anomaly", "fraction", 1.5, ValueError),
        ("perlin_with_roi_anomaly", "mask", np.ones((3, 3), bool), ValueError),
        ("perlin_with_roi_anomaly", "mask", np.zeros((32, 32), bool), ValueError),
        ("perlin_with_roi_anomaly", "transparency_range", [1, 0], ValueError),
        ("rand_augmented_cut_paste", "mask", "left", TypeError),
        ("rand_augmented_cut_paste", "mask", np.full((32, 32), 7, np.uint8), ValueError),
        ("rand_augmented_cut_paste", "n_aug", 11, ValueError),
        ("fract_aug", "iterations", 0, ValueError),
        ("fract_aug", "initial_point", (0, float("inf")), ValueError),
        ("fract_aug", "system", "fern", ValueError),
        ("affined_anomlay", "variant", "ABC", ValueError),
        ("affined_anomlay", "patch_sizes", (0,), ValueError),
    ],
)
def test_bad_arguments_are_named(name, keyword, value, error):
    with pytest.raises(error, match=f"`{keyword}"):
        call(name, photograph(32, 32), **{keyword: value})


def test_import_is_light():
    heavy = ("numba", "opensimplex", "scipy", "matplotlib", "torch", "imgaug", "skimage")
    code = f"import sys, pail; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_only_simplex_needs_numba_and_only_segments_scikit_image():
    code = (
        "import sys, numpy as np\nfrom pail import pai\nA = pai.Anomaly_Insertion()\n"
        "from pail import ELEVEN\nfor n in ELEVEN:\n    if n not in ('simplex_noise_anomlay', 'superpixel_anomaly', 'affined_anomlay'): getattr(A, n)(np.full((64, 64, 3), 9, np.uint8))\n"  # noqa: E501
        "print([m for m in ('numba', 'scipy', 'skimage', 'imgaug', 'matplotlib') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
