"""Color jitter against torchvision's formulas, DRAEM's augmenters against imgaug and PIL, the user's augmenters."""

from __future__ import annotations

import colorsys
import itertools
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from common import make
from PIL import Image, ImageOps
from seeds import seeds

from pail.core.image import as_normal_image
from pail.core.sampler import Sampler
from pail.pixels.augmenter import Augmenter, apply_augmenter, import_imgaug
from pail.pixels.color import apply_jitter, color_jitter
from pail.pixels.draem import AUGMENTERS, SPACES, augment, gamma_contrast

WEAK = {"brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1}
STRONG = {"brightness": 0.5, "contrast": 1.0, "saturation": 0.1, "hue": 0.5}
PEAKS = (1.0, 255.0, 4095.0, 65535.0)
SIZES = ((1, 1), (2, 3), (3, 2), (8, 8), (7, 255), (257, 311))


def draw_of(seed: int | tuple[int, int]) -> Sampler:
    return Sampler(np.random.default_rng(seed))


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def picture(height: int = 90, width: int = 110, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth color blobs over the whole range, some of it saturated."""
    soft = cv2.GaussianBlur(noise((height, width, channels), seed).astype(np.float32), (0, 0), 4)
    soft = (soft.reshape(height, width, channels) - 128) * 9 + 128
    return np.clip(soft, 0, 255).astype(np.uint8)


def calm(height: int = 90, width: int = 110, seed: int = 0) -> np.ndarray:
    """Colors that are not close to the ends of the range."""
    return (90 + picture(height, width, seed=seed) // 4).astype(np.uint8)


def colors(step: int = 15) -> np.ndarray:
    """Colors of the whole cube, as an image."""
    axis = np.arange(0, 256, step)
    return np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(axis.size, -1, 3).astype(np.uint8)


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    assert one.shape == other.shape
    return np.abs(one.astype(np.float64) - other.astype(np.float64))


# --------------------------------------------------------------------------------------------------------------------
# Color jitter


def reference_jitter(image: np.ndarray, max_value: float, order: list[int], factors: tuple[float, ...]) -> np.ndarray:
    """torchvision's formulas one after the other in float64, each clipped; hue through the standard library."""
    x = image.astype(np.float64) / max_value
    luma = np.array([0.299, 0.587, 0.114])
    for index in order:
        factor = factors[index]
        if index == 0:
            x = x * factor
        elif index == 1:
            x = factor * x + (1 - factor) * (x @ luma).mean()
        elif index == 2:
            x = factor * x + (1 - factor) * (x @ luma)[..., None]
        else:
            rotated = [colorsys.hsv_to_rgb((h + factor) % 1, s, v) for h, s, v in hsv_of(x)]
            x = np.array(rotated).reshape(x.shape)
        x = np.clip(x, 0, 1)
    return x * max_value


def hsv_of(x: np.ndarray) -> list[tuple[float, float, float]]:
    return [colorsys.rgb_to_hsv(*pixel) for pixel in x.reshape(-1, 3).tolist()]


def factors_of(draw: Sampler) -> tuple[list[int], tuple[float, ...]]:
    return draw.drawn["jitter_order"][0], tuple(
        draw.drawn[n][0] for n in ("brightness", "contrast", "saturation", "hue")
    )


@pytest.mark.parametrize("strength", [WEAK, STRONG], ids=["weak", "strong"])
@pytest.mark.parametrize("make", [picture, calm], ids=["saturated", "calm"])
def test_jitter_in_8_bits_follows_the_sequential_form(strength, make):
    image = make(24, 30)
    for seed in range(25):
        draw = draw_of(seed)
        result = color_jitter(image, draw, 255, **strength)
        gap = difference(result, reference_jitter(image, 255, *factors_of(draw)))
        assert result.dtype == np.uint8
        # Two or three times half a level of rounding, which a turn of the hue and a contrast of up to 2 enlarge.
        assert gap.max() <= (3.5 if strength is WEAK else 5)
        assert np.quantile(gap, 0.99) <= (1.6 if strength is WEAK else 2.5)
        assert gap.mean() < 0.6


@pytest.mark.parametrize("make", [picture, calm], ids=["saturated", "calm"])
def test_folding_three_changes_into_one_matrix_costs_no_more_than_rounding(make):
    image = make(24, 30)
    for seed in range(40):
        draw = draw_of(seed)
        result = color_jitter(image, draw, 255, **(WEAK | {"hue": 0}))
        # Up to three roundings of half a level, each enlarged by what follows.
        assert difference(result, reference_jitter(image, 255, *factors_of(draw))).max() <= 1.75


@pytest.mark.parametrize("max_value", PEAKS)
@pytest.mark.parametrize("strength", [WEAK, STRONG], ids=["weak", "strong"])
def test_jitter_of_float_images_is_the_sequential_form(max_value, strength):
    image = (picture(20, 24).astype(np.float32) / 255 * max_value).astype(np.float32)
    for seed in range(15):
        draw = draw_of(seed)
        result = color_jitter(image, draw, max_value, **strength)
        assert result.dtype == np.float32
        assert difference(result, reference_jitter(image, max_value, *factors_of(draw))).max() <= 2e-5 * max_value
        assert result.min() >= 0 and result.max() <= max_value


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 3, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]])
def test_jitter_clips_between_the_steps(order):
    """Brightness that saturates cannot be taken back by the contrast that follows."""
    image, factors = colors(51), (1.5, 0.4, 1.1, 0.3)
    gap = difference(apply_jitter(image, 255, order, factors), reference_jitter(image, 255, order, factors))
    assert gap.max() <= 2


def test_jitter_clips_what_saturation_has_widened_before_a_rotation():
    image = np.uint8([[[90, 90, 150], [150, 90, 90], [110, 110, 110], [90, 150, 90]]])
    for order in itertools.permutations(range(4)):
        for factors in itertools.product((0.7, 1.4), (0.5, 1.6), (0.4, 1.9), (-0.3, 0.1)):
            gap = difference(apply_jitter(image, 255, order, factors), reference_jitter(image, 255, order, factors))
            assert gap.max() <= 2.5, (order, factors)


def test_jitter_draws_torchvisions_ranges():
    draw, image = draw_of(0), noise((2, 2, 3))
    for _ in range(2000):
        color_jitter(image, draw, 255, brightness=0.5, contrast=1.0, saturation=0.1, hue=0.5)
    for name, low, high in (("brightness", 0.5, 1.5), ("contrast", 0, 2), ("saturation", 0.9, 1.1), ("hue", -0.5, 0.5)):
        values = (np.array(draw.drawn[name]) - low) / (high - low)
        assert values.min() >= 0 and values.max() <= 1
        grid = np.linspace(0, 1, 21)
        assert np.abs(np.searchsorted(np.sort(values), grid) / values.size - grid).max() < 0.04
    orders = [tuple(order) for order in draw.drawn["jitter_order"]]
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert counts.size == 24
    assert ((counts - 2000 / 24) ** 2 / (2000 / 24)).sum() < 49.7  # chi-square, 23 degrees of freedom, p = 0.001


def test_jitter_of_zero_changes_nothing_but_returns_a_new_array():
    image = noise((9, 11, 3))
    result = color_jitter(image, draw_of(1), 255, brightness=0, contrast=0, saturation=0, hue=0)
    assert np.array_equal(result, image) and not np.may_share_memory(result, image)


def test_brightness_above_one_reaches_below_zero_no_factor():
    draw = draw_of(0)
    for _ in range(200):
        color_jitter(noise((1, 1, 3)), draw, 255, brightness=3, contrast=0, saturation=0, hue=0)
    assert min(draw.drawn["brightness"]) >= 0 and max(draw.drawn["brightness"]) > 3


@pytest.mark.parametrize("channels", [1, 2])
def test_jitter_of_few_channels_has_neither_hue_nor_saturation(channels):
    image = picture(20, 30, channels)
    with_color = apply_jitter(image, 255, [3, 2, 1, 0], (1.2, 0.7, 1.9, 0.4))
    without = apply_jitter(image, 255, [1, 0, 2, 3], (1.2, 0.7, 1, 0))
    assert np.array_equal(with_color, without)
    middle = image.mean()
    expected = np.clip(np.clip(0.7 * image + 0.3 * middle, 0, 255) * 1.2, 0, 255)
    assert difference(with_color, expected).max() <= 1


@pytest.mark.parametrize("max_value", [255, 65535.0])
def test_jitter_of_many_channels_turns_the_hue_of_the_first_three(max_value):
    image = picture(20, 30, 6)
    image = image if max_value == 255 else (image * np.float32(max_value / 255)).astype(np.float32)
    order, factors = [0, 2, 3, 1], (1.3, 0.6, 1.5, 0.3)
    result = apply_jitter(image, max_value, order, factors)
    color = apply_jitter(np.ascontiguousarray(image[..., :3]), max_value, order, factors)
    assert difference(result[..., :3], color).max() <= max_value / 255
    bright = np.minimum(image * 1.3, max_value)
    rotated = reference_jitter(image[..., :3], max_value, [0, 2, 3], factors)
    expected = 0.6 * bright[..., 3:] + 0.4 * (rotated @ [0.299, 0.587, 0.114]).mean()
    assert difference(result[..., 3:], expected).max() <= 1.5 * max_value / 255


def test_contrast_turns_around_the_mean_it_is_given():
    image = np.full((4, 4, 3), 100, np.uint8)
    assert np.all(apply_jitter(image, 255, [1, 0, 2, 3], (1, 0.5, 1, 0)) == 100)
    assert np.all(apply_jitter(image, 255, [1, 0, 2, 3], (1, 0.5, 1, 0), mean=200) == 150)
    # The mean is that of the image before the jitter: brightness moves it along.
    assert np.all(apply_jitter(image, 255, [0, 1, 2, 3], (0.5, 0.5, 1, 0), mean=200) == 75)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16])
def test_jitter_keeps_shape_and_input(shape, channels):
    image = noise((*shape, channels))
    image.setflags(write=False)
    for working, max_value in ((image, 255), (image.astype(np.float32), 255.0)):
        working.setflags(write=False)
        result = color_jitter(working, draw_of(3), max_value, **STRONG)
        assert result.shape == working.shape and result.dtype == working.dtype
        assert not np.may_share_memory(result, working)


def test_jitter_takes_a_part_of_an_image():
    image = noise((40, 50, 3))
    part = image[5:25, 7:30]
    assert np.array_equal(
        color_jitter(part, draw_of(2), 255, **WEAK), color_jitter(part.copy(), draw_of(2), 255, **WEAK)
    )


def test_jitter_of_float_images_keeps_their_levels():
    ramp = np.linspace(0, 1, 4096, dtype=np.float32)
    image = np.stack([ramp, ramp**2, 1 - ramp], axis=-1)[None]
    assert np.unique(color_jitter(image, draw_of(0), 1.0, **WEAK)).size > 4096


def test_8_bit_images_with_another_full_scale_stay_in_it():
    image = (noise((30, 30, 3)) // 4).astype(np.uint8)
    bright = apply_jitter(image, 63, [0, 1, 2, 3], (3.0, 1, 1, 0))
    assert bright.dtype == np.uint8 and bright.max() == 63
    assert np.array_equal(AUGMENTERS["invert"](image, 63), 63 - image)


# --------------------------------------------------------------------------------------------------------------------
# The ten augmenters


@pytest.fixture(scope="module")
def iaa():
    pytest.importorskip("scipy")
    return import_imgaug().augmenters


def fixed(value):
    return import_imgaug().parameters.Deterministic(value)


def gamma_of_imgaug(iaa, image: np.ndarray, gammas: list[float]) -> np.ndarray:
    planes = [iaa.GammaContrast(fixed(gamma)).augment_image(image[..., c : c + 1]) for c, gamma in enumerate(gammas)]
    return np.concatenate(planes, axis=2)


@pytest.mark.parametrize("gammas", [[0.5, 1.0, 2.0], [1.31, 0.77, 1.93]])
def test_gamma_is_imgaugs(iaa, gammas):
    image = noise((60, 60, 3))
    assert np.array_equal(AUGMENTERS["gamma_contrast"](image, 255, gammas=gammas), gamma_of_imgaug(iaa, image, gammas))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("add_first", [False, True])
@pytest.mark.parametrize(("multiply", "add"), [(0.8, 30), (1.17, -21), (1.2, 30), (0.93, -30)])
def test_brightness_is_imgaugs(iaa, space, add_first, multiply, add):
    image = np.concatenate([colors(15), noise((18, 324, 3))])
    parts = [iaa.Multiply(fixed(multiply)), iaa.Add(fixed(add))]
    reference = iaa.WithBrightnessChannels(parts[::-1] if add_first else parts, to_colorspace=space)
    result = AUGMENTERS["brightness"](image, 255, multiply=multiply, add=add, add_first=add_first, space=space)
    assert np.array_equal(result, reference.augment_image(image))


def test_brightness_draws_as_draems_augmenter_does(iaa):
    """imgaug's MultiplyAndAddToBrightness is one of the cases above: both orders, all six spaces."""
    reference = iaa.MultiplyAndAddToBrightness(mul=(0.8, 1.2), add=(-30, 30))
    assert set(reference.to_colorspace.a) == set(SPACES)
    assert reference.children.random_order is True


@pytest.mark.parametrize("factor", [0.0, 0.37, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("shape", [(60, 70), (3, 3), (2, 9), (1, 1)])
def test_sharpness_is_imgaugs(iaa, factor, shape):
    image = noise((*shape, 3))
    reference = iaa.pillike.EnhanceSharpness(factor=fixed(factor)).augment_image(image)
    gap = difference(AUGMENTERS["sharpness"](image, 255, factor=factor), reference)
    assert gap.max() <= 1
    if factor % 1:  # PIL cuts decimals off, which whole factors do not have
        assert gap.mean() < 0.25


@pytest.mark.parametrize(("hue", "saturation"), [(0, 0), (50, 50), (-50, -50), (17, -33), (-3, 41)])
def test_hue_and_saturation_is_imgaugs(iaa, hue, saturation):
    image = np.concatenate([colors(15), noise((18, 324, 3))])
    reference = iaa.AddToHueAndSaturation(value_hue=fixed(hue), value_saturation=fixed(saturation))
    result = AUGMENTERS["hue_and_saturation"](image, 255, hue=hue, saturation=saturation)
    assert np.array_equal(result, reference.augment_image(image))


@pytest.mark.parametrize("threshold", [32.0, 77.9, 128.0])
def test_solarize_is_imgaugs(iaa, threshold):
    image = noise((40, 40, 3))
    reference = iaa.Solarize(1.0, threshold=fixed(threshold)).augment_image(image)
    assert np.array_equal(AUGMENTERS["solarize"](image, 255, threshold=threshold), reference)
    assert np.array_equal(AUGMENTERS["solarize"](image, 255, threshold=None), image)


@pytest.mark.parametrize("bits", range(1, 9))
def test_posterize_is_imgaugs(iaa, bits):
    image = noise((40, 40, 3))
    reference = iaa.Posterize(nb_bits=fixed(bits)).augment_image(image)
    assert np.array_equal(AUGMENTERS["posterize"](image, 255, bits=bits), reference)


def test_invert_is_imgaugs(iaa):
    image = noise((40, 40, 3))
    assert np.array_equal(AUGMENTERS["invert"](image, 255), iaa.Invert(p=1).augment_image(image))


HISTOGRAMS = {
    "picture": calm,
    "saturated": picture,
    "tiny": lambda: noise((3, 5, 3)),
    "one pixel": lambda: noise((1, 1, 3)),
    "constant": lambda: np.full((20, 20, 3), 77, np.uint8),
    "two values": lambda: np.where(noise((30, 30, 3)) > 90, 200, 40).astype(np.uint8),
}


@pytest.mark.parametrize("name", HISTOGRAMS)
@pytest.mark.parametrize("cutoff", [0, 1, 7, 20])
def test_autocontrast_is_pils(name, cutoff):
    """imgaug calls PIL.ImageOps.autocontrast in a way that Pillow 11 and later refuse."""
    image = HISTOGRAMS[name]()
    expected = np.asarray(ImageOps.autocontrast(Image.fromarray(image), cutoff=cutoff))
    assert np.array_equal(AUGMENTERS["autocontrast"](image, 255, cutoff=cutoff), expected)


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_equalize_is_pils_and_imgaugs(iaa, name):
    image = HISTOGRAMS[name]()
    result = AUGMENTERS["equalize"](image, 255)
    assert np.array_equal(result, np.asarray(ImageOps.equalize(Image.fromarray(image))))
    # imgaug asks PIL for small images; for large ones it has its own code, which differs where 255 does not occur.
    if image.size < 64 * 64 * 3:
        assert np.array_equal(result, iaa.pillike.Equalize().augment_image(image.copy()))
    if image.max(axis=(0, 1)).min() == 255:
        assert np.array_equal(result, iaa.pillike.Equalize().augment_image(image.copy()))


@pytest.mark.parametrize("angle", [-45.0, -12.3, 0.0, 30.0, 45.0])
@pytest.mark.parametrize("shape", [(61, 80), (64, 64), (1, 1), (2, 9)])
def test_rotation_is_imgaugs(iaa, angle, shape):
    image = picture(*shape)
    reference = iaa.Affine(rotate=fixed(-angle)).augment_image(image)  # imgaug's angles go clockwise
    assert difference(AUGMENTERS["rotate"](image, 255, angle=angle), reference).max() <= 1


def test_rotation_is_counterclockwise():
    image = np.zeros((41, 41, 3), np.uint8)
    image[19:22, 30:] = 255  # a bar that points right
    rotated = AUGMENTERS["rotate"](image, 255, angle=45)
    assert rotated[:15, 26:].any() and not rotated[26:, 26:].any()


@pytest.mark.parametrize("name", AUGMENTERS)
@pytest.mark.parametrize("max_value", PEAKS)
def test_float_images_follow_the_same_formulas(name, max_value):
    image = calm(60, 80)
    real = image.astype(np.float32) * np.float32(max_value / 255)
    for seed in range(12):
        parameters = AUGMENTERS[name].sample(draw_of(seed))
        result = AUGMENTERS[name](real, max_value, **parameters)
        assert result.dtype == np.float32 and result.min() >= 0 and result.max() <= max_value
        gap = difference(result * (255 / max_value), AUGMENTERS[name](image, 255, **parameters))
        # In 8 bits the color spaces themselves have steps, of several gray levels for Lab, Luv and HSV.
        coarse = name in ("brightness", "hue_and_saturation")
        assert np.quantile(gap, 0.99) <= (5 if coarse else 1.51)
        assert gap.mean() <= (2 if coarse else 1)


@pytest.mark.parametrize("name", [name for name in AUGMENTERS if name != "posterize"])
def test_float_images_keep_their_levels(name):
    ramp = np.linspace(0.05, 0.95, 8192, dtype=np.float32).reshape(64, 128)
    image = np.stack([ramp, ramp**2, ramp[::-1, ::-1]], axis=-1)
    for seed in range(4):
        result = AUGMENTERS[name](image, 1.0, **AUGMENTERS[name].sample(draw_of(seed)))
        assert np.unique(result).size > 2000


def test_posterize_leaves_the_levels_that_it_says():
    image = np.linspace(0, 65535, 5000, dtype=np.float32).reshape(50, 100, 1)
    for bits in range(1, 8):
        assert np.unique(AUGMENTERS["posterize"](image, 65535.0, bits=bits)).size == 2**bits
    assert np.array_equal(AUGMENTERS["posterize"](image, 65535.0, bits=8), image)


@pytest.mark.parametrize("name", AUGMENTERS)
@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16])
def test_every_augmenter_takes_every_image(name, channels):
    for shape in SIZES:
        eight = noise((*shape, channels))
        for image, max_value in (
            (eight, 255),
            (eight.astype(np.float32) / 255, 1.0),
            (eight.astype(np.float32) * 257, 65535.0),
        ):
            image.setflags(write=False)
            for seed in range(2):
                result = AUGMENTERS[name](image, max_value, **AUGMENTERS[name].sample(draw_of(seed)))
                assert result.shape == image.shape and result.dtype == image.dtype
                assert result.min() >= 0 and result.max() <= max_value
                assert not np.may_share_memory(result, image)


@pytest.mark.parametrize("name", AUGMENTERS)
def test_channels_beyond_the_third(name):
    """The first three are treated like a color image; only changes of color leave the others unchanged."""
    image = picture(40, 50, 5)
    parameters = {
        **AUGMENTERS[name].sample(draw_of(4)),
        **{"solarize": {"threshold": 99}, "posterize": {"bits": 3}}.get(name, {}),
    }
    result = AUGMENTERS[name](image, 255, **parameters)
    color = AUGMENTERS[name](np.ascontiguousarray(image[..., :3]), 255, **parameters)
    # OpenCV warps more than four channels with coarser weights.
    assert difference(result[..., :3], color).max() <= (6 if name == "rotate" else 0)
    stays = name in ("brightness", "hue_and_saturation")
    assert np.array_equal(result[..., 3:], image[..., 3:]) == stays


def test_gray_images():
    image = picture(40, 50, 1)
    assert np.array_equal(AUGMENTERS["hue_and_saturation"](image, 255, hue=40, saturation=40), image)
    bright = AUGMENTERS["brightness"](image, 255, multiply=1.2, add=10, add_first=False, space="Lab")
    assert difference(bright, np.clip(np.clip(image * 1.2, 0, 255) + 10, 0, 255)).max() <= 1
    first = AUGMENTERS["brightness"](image, 255, multiply=1.2, add=10, add_first=True, space="Lab")
    assert difference(first, np.clip(np.clip(image + 10.0, 0, 255) * 1.2, 0, 255)).max() <= 1


# --------------------------------------------------------------------------------------------------------------------
# Three of the ten


def test_augment_applies_what_it_records_in_that_order():
    """Tables that fold into one give the bytes of one augmenter after the other."""
    image = picture(50, 60)
    for seed in range(60):
        draw = draw_of(seed)
        result = augment(image, draw, 255)
        names = draw.drawn["augmenters"][0]
        again = draw_of(seed)
        again.rng.permutation(len(AUGMENTERS))
        expected = image
        for name in names:
            expected = AUGMENTERS[name](expected, 255, **AUGMENTERS[name].sample(again))
        assert len(set(names)) == 3
        assert np.array_equal(result, expected)
        assert not np.may_share_memory(result, image)


def test_all_ten_fold():
    image = picture(50, 60)
    draw = draw_of(5)
    augment(image, draw, 255, count=10)
    assert sorted(draw.drawn["augmenters"][0]) == sorted(AUGMENTERS)


def test_each_augmenter_is_chosen_equally_often_at_each_place():
    draw, image = draw_of(0), noise((2, 2, 3))
    calls = 3000
    for _ in range(calls):
        augment(image, draw, 255)
    chosen = np.array(draw.drawn["augmenters"])
    assert json.dumps(draw.drawn)  # the record is made of plain values
    for place in range(3):
        counts = np.array([(chosen[:, place] == name).sum() for name in AUGMENTERS])
        assert ((counts - calls / 10) ** 2 / (calls / 10)).sum() < 27.9  # 9 degrees of freedom, p = 0.001
    shares = np.array([(chosen == name).sum() for name in AUGMENTERS]) / calls
    assert np.abs(shares - 0.3).max() < 0.035


def test_parameters_have_draems_ranges():
    draw = draw_of(1)
    for _ in range(1500):
        for augmenter in AUGMENTERS.values():
            augmenter.sample(draw)
    ranges = {
        "gamma": (0.5, 2),
        "brightness_multiply": (0.8, 1.2),
        "sharpness": (0, 2),
        "solarize_threshold": (32, 128),
        "augmenter_rotation": (-45, 45),
    }
    for name, (low, high) in ranges.items():
        values = (np.sort(draw.drawn[name]) - low) / (high - low)
        assert values[0] >= 0 and values[-1] <= 1
        assert np.abs(values - np.linspace(0, 1, values.size)).max() < 0.05
    whole = {
        "brightness_add": 61,
        "hue_add": 101,
        "saturation_add": 101,
        "posterize_bits": 8,
        "autocontrast_cutoff": 21,
    }
    for name, count in whole.items():
        assert len(set(draw.drawn[name])) == count
    assert set(draw.drawn["posterize_bits"]) == set(range(1, 9))
    assert abs(np.mean(draw.drawn["solarize"]) - 0.5) < 0.05
    assert abs(np.mean(draw.drawn["brightness_add_first"]) - 0.5) < 0.05
    counts = [draw.drawn["brightness_space"].count(space) for space in SPACES]
    assert min(counts) > 190 and max(counts) < 310


def test_augmented_images_are_seldom_the_same():
    image = picture(40, 40)
    same = sum(np.array_equal(augment(image, draw_of(seed), 255), image) for seed in seeds("same", 400))
    assert same <= 4


def test_channels_and_dtype_do_not_change_what_is_drawn():
    records = []
    for image, max_value in (
        (picture(), 255),
        (picture(channels=1), 255),
        (picture(channels=5).astype(np.float32), 255.0),
    ):
        draw = draw_of(8)
        augment(image, draw, max_value, count=10)
        color_jitter(image, draw, max_value, **WEAK)
        records.append(draw.drawn)
    assert records[0] == records[1] == records[2]


# --------------------------------------------------------------------------------------------------------------------
# The user's own augmenter


def test_importing_the_library_does_not_import_imgaug():
    code = "import sys, pail, pail.pixels.augmenter; assert 'imgaug' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_imgaug_leaves_numpy_as_it_was(iaa):
    assert import_imgaug().augmenters is iaa
    if int(np.__version__.split(".")[0]) >= 2:
        assert not hasattr(np, "sctypes")


def test_a_missing_imgaug_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "imgaug", None)
    with pytest.raises(ImportError, match=r"pip install \"\.\[imgaug\]\""):
        import_imgaug()
    assert "sctypes" not in vars(np)


def test_what_an_augmenter_may_be(iaa):
    invert = iaa.Invert()
    assert Augmenter().check("augmenter", None) is None
    assert Augmenter().check("augmenter", np.flip) is np.flip
    assert Augmenter().check("augmenter", invert) is invert
    for wrong in ("invert", 3, [np.flip], np.zeros((3, 3))):
        with pytest.raises(TypeError, match="`my_augmenter` must be a callable"):
            Augmenter().check("my_augmenter", wrong)


FRAMES = {
    "uint8": (noise((20, 30, 3)), None),
    "gray": (noise((20, 30)), None),
    "one channel": (noise((20, 30, 1)), None),
    "RGBA": (noise((20, 30, 4)), None),
    "uint16": (noise((20, 30, 3)).astype(np.uint16) * 257, None),
    "12 bits": (noise((20, 30, 3)).astype(np.uint16) * 16, 4095),
    "float32": (noise((20, 30, 3)).astype(np.float32) / 255, None),
    "float64": (noise((20, 30, 5)).astype(np.float64) / 255, None),
    "7 bits": ((noise((20, 30, 3)) // 2).astype(np.uint8), 127),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_callable_sees_the_image_as_the_user_gave_it(name):
    image, data_range = FRAMES[name]
    frame = as_normal_image(image, data_range)
    seen = []

    def mirror(given: np.ndarray) -> np.ndarray:
        seen.append(given.copy())
        result = given[:, ::-1].copy()
        given[...] = 0  # must not reach the source
        return result

    pixels = frame.crop()
    before = pixels.copy()
    result = apply_augmenter(mirror, pixels, draw_of(0), frame)
    wanted = image[..., :3] if name == "RGBA" else image
    assert seen[0].dtype == image.dtype and seen[0].shape == wanted.shape
    assert difference(seen[0], wanted).max() <= 1e-6 * frame.max_value
    assert np.array_equal(pixels, before)
    assert result.dtype == frame.working_dtype
    assert np.array_equal(result, before[:, ::-1])


def test_an_augmenter_may_change_size_and_channels():
    frame = as_normal_image(noise((20, 30, 3)))
    result = apply_augmenter(lambda image: image[:7, :9, 0].copy(), frame.crop(), draw_of(0), frame)
    assert result.shape == (7, 9, 3)
    as_pil = apply_augmenter(lambda image: Image.fromarray(image).resize((5, 4)), frame.crop(), draw_of(0), frame)
    assert as_pil.shape == (4, 5, 3)


def test_a_callable_may_return_float64_for_float32():
    frame = as_normal_image(noise((20, 30, 3)).astype(np.float32), 255)
    result = apply_augmenter(lambda image: image.astype(np.float64), frame.crop(), draw_of(0), frame)
    assert np.array_equal(result, frame.pixels)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (lambda image: None, TypeError),
        (lambda image: 3, TypeError),
        (lambda image: image[:0], ValueError),
        (lambda image: image * 1.5, ValueError),
        (lambda image: image.astype(np.int32), TypeError),
    ],
)
def test_what_is_no_image_is_an_error_that_names_the_augmenter(bad, error):
    frame = as_normal_image(picture(20, 30))
    with pytest.raises(error, match="augmenter"):
        apply_augmenter(bad, frame.crop(), draw_of(0), frame)


def random_imgaug(iaa):
    noise_or_blur = iaa.OneOf([iaa.AdditiveGaussianNoise(scale=20), iaa.GaussianBlur((0.5, 2.0))])
    return iaa.Sequential(
        [iaa.SomeOf(2, [iaa.Add((-40, 40)), iaa.Multiply((0.5, 1.5)), iaa.Fliplr(0.5)]), noise_or_blur],
        random_order=True,
    )


def test_imgaug_augmenters_follow_the_draw_and_nothing_else(iaa):
    augmenter, frame = random_imgaug(iaa), as_normal_image(picture())
    states = [str(augmenter.random_state.state), str(import_imgaug().random.get_global_rng().state)]
    legacy = np.random.get_state()[1].copy()  # noqa: NPY002
    results = [apply_augmenter(augmenter, frame.crop(), draw_of(seed), frame) for seed in (0, 0, 1, 2, 3)]
    assert np.array_equal(results[0], results[1])
    assert any(not np.array_equal(results[0], other) for other in results[2:])
    assert states == [str(augmenter.random_state.state), str(import_imgaug().random.get_global_rng().state)]
    assert np.array_equal(legacy, np.random.get_state()[1])  # noqa: NPY002


def test_the_record_holds_the_seed_of_an_imgaug_augmenter(iaa):
    draw, frame = draw_of(0), as_normal_image(picture())
    apply_augmenter(iaa.Fliplr(1.0), frame.crop(), draw, frame)
    assert isinstance(draw.drawn["augmenter_seed"][0], int)


@pytest.mark.parametrize("name", FRAMES)
def test_imgaug_augmenters_get_8_bits(iaa, name):
    image, data_range = FRAMES[name]
    frame = as_normal_image(image, data_range)
    pixels = frame.crop()
    before = pixels.copy()
    result = apply_augmenter(iaa.Invert(1.0), pixels, draw_of(0), frame)
    assert result.dtype == frame.working_dtype and result.shape == before.shape
    assert np.array_equal(pixels, before)
    assert difference(result, frame.max_value - before.astype(np.float64)).max() <= max(
        0.6 * frame.max_value / 255, 1e-6
    )


def test_classes_derived_from_imgaugs_count_as_imgaugs(iaa):
    class Mine(iaa.Fliplr):
        pass

    draw, frame = draw_of(0), as_normal_image(picture())
    result = apply_augmenter(Mine(1.0), frame.crop(), draw, frame)
    assert np.array_equal(result, frame.pixels[:, ::-1]) and "augmenter_seed" in draw.drawn


# --------------------------------------------------------------------------------------------------------------------
# Structure


def test_the_structure_is_the_image_with_its_cells_at_other_places():
    cells = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    image = np.kron(cells, np.ones((8, 8), np.uint8))
    for seed in seeds("structure", 10):
        frame, draw = as_normal_image(image), Sampler(np.random.default_rng(seed))
        options = {"augmenter": lambda pixels: pixels, "p_texture": 0, "use_mask": False}
        box, content, mask, _ = make("perlin_with_roi_anomaly", frame, draw, None, **options)
        order = draw.drawn["cells"][-1]
        assert sorted(order) == list(range(64)) and order != sorted(order)
        expected = np.kron(cells.ravel()[order].reshape(8, 8), np.ones((8, 8), np.uint8))
        assert np.array_equal(content[mask > 0][:, 0], expected[box.slices][mask > 0])


def test_gamma_of_values_just_below_zero_is_zero():
    image = np.array([[[-1e-7, 0.0, 1.0]]], np.float32)
    assert gamma_contrast(image, 1.0, [0.7, 1.9, 0.9]).tolist() == [[[0.0, 0.0, 1.0]]]
