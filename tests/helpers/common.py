"""Helpers of several test files."""

import contextlib
import functools
import io
import itertools
import math
import os
import random
import signal
import sys
from contextlib import contextmanager

import cv2
import numpy as np
from PIL import Image

import pail
from pail import pai
from pail.call.state import Settings
from pail.core.image import NormalImage, as_normal_image
from pail.core.sampler import Sampler
from pail.registry import ELEVEN

NAMES = ELEVEN
ALL = tuple(pai.TECHNIQUES)  # the eleven, and those beyond them


def takes_source(name: str) -> bool:
    return pai.TECHNIQUES[name].takes_source


def call(name, image, source=None, *, on=None, **keywords):
    """One call of a technique, or of "insert", by its name, on an instance or with settings among the keywords.

    The source is passed only where the technique takes one, and `bank` where it takes a bank of defects.
    """
    if source is not None and (name == "insert" or takes_source(name)):
        keywords["anom_source_img"] = source
    if name in ALL and pai.TECHNIQUES[name].takes_defects:
        keywords.setdefault("defects", bank())
    settings = {key: keywords.pop(key) for key in Settings._fields if key in keywords}
    return getattr(on or pai.Anomaly_Insertion(**settings), name)(image, **keywords)


def make(name, image, sampler, *inputs, **options):
    """The Insertion of the function of a technique, with given options, and defaults for the others."""
    technique = pai.TECHNIQUES[name]
    if technique.jitters and not inputs:
        inputs = (True,)
    if technique.takes_defects and not inputs:
        inputs = (bank(),)
    return technique.function(image, sampler, *inputs, **technique.check(options))


@functools.lru_cache
def bank(full: float = 255) -> pail.Defects:
    """Two photographs of real defects, a spot and a line, of values up to `full`."""
    photos, masks = [], []
    for seed, (top, left, height, width) in enumerate([(20, 30, 12, 14), (50, 10, 4, 40)]):
        photo, mask = np.array(photograph(90, 110, 3 + seed)), np.zeros((90, 110), np.uint8)
        mask[top : top + height, left : left + width] = 255
        photo[mask > 0] = photo[mask > 0] // 4
        photos.append((photo * (full / 255)).astype(np.uint8))
        masks.append(mask)
    return pail.Defects(photos, masks, kinds=["spot", "line"])


@functools.lru_cache
def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A read-only RGB image with structure at several scales, like a surface."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 118.0)
    for cells in (2, 5, 12, 40):
        grid = rng.normal(0, 90 / cells**0.5, (cells, cells, 3)).astype(np.float32)
        image += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, 3)
    image = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    image.flags.writeable = False
    return image


def as_type(image: np.ndarray, dtype) -> np.ndarray:
    """A uint8 image with the depth of another dtype, low bits filled."""
    dtype = np.dtype(dtype)
    if dtype == np.uint8:
        return image
    fine = image / 255 * 0.97 + np.linspace(0, 0.03, image.size).reshape(image.shape)
    return fine.astype(dtype) if dtype.kind == "f" else np.round(fine * np.iinfo(dtype).max).astype(dtype)


def checked(name, image, source=None, *, on=None, **keywords):
    """Make a call, and check every invariant of an insertion against copies of the inputs."""
    expected = Expected(name, image, source, on=on, **keywords)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = call(name, image, source, on=on, **keywords)
    assert printed.getvalue() == "", f"printed {printed.getvalue()!r}"
    expected.check(result)
    return result


class Expected:
    """The conditions after a call, prepared before it from copies, without conversions of the library."""

    def __init__(self, name, image, source=None, *, on=None, **keywords):
        settings = {key: getattr(on, key) if on else keywords.get(key) for key in ("data_range", "alpha")}
        self.inputs = (image, source, keywords)
        self.before = frozen(self.inputs)
        self.normal = as_array(image).copy()
        self.low, self.high = range_of(self.normal.dtype, settings["data_range"])
        self.has_alpha = alpha_of(image, self.normal, settings["alpha"])
        self.region = region_of(keywords.get("roi"))
        if name == "rand_augmented_cut_paste" and keywords.get("mask") is not None:  # strictly kept, as a region is
            mask = region_of(keywords["mask"])
            self.region = mask if self.region is None else self.region & mask
        self.anomalies = 1 if name != "insert" else np.max(keywords.get("n_anomalies", 1))
        self.generators = global_generators()

    def check(self, result):
        i_a, m_a = result
        self.check_kind(i_a, m_a)
        inside = m_a[..., 0] > 0
        self.check_pixels(i_a, inside)
        self.check_instances(result, inside)
        self.check_inputs(result)

    def check_kind(self, i_a, m_a):
        assert type(i_a) is np.ndarray and type(m_a) is np.ndarray
        assert i_a.shape == self.normal.shape and i_a.dtype == self.normal.dtype, (i_a.shape, i_a.dtype)
        assert m_a.shape == (*self.normal.shape[:2], 1) and m_a.dtype == np.uint8, (m_a.shape, m_a.dtype)
        for array in (i_a, m_a):
            assert array.flags.c_contiguous and array.flags.writeable, "an output is not contiguous, or read-only"
        assert set(np.unique(m_a)) <= {0, 255}, f"the mask holds {np.unique(m_a)}"
        assert m_a.any(), "the mask is empty"

    def check_pixels(self, i_a, inside):
        assert i_a[~inside].tobytes() == self.normal[~inside].tobytes(), "pixels outside the mask differ"
        if self.region is not None:
            assert not inside[~self.region].any(), "the mask leaves the region"
        if self.has_alpha:
            assert np.array_equal(i_a[..., -1], self.normal[..., -1]), "alpha differs"
        after, before = (np.atleast_3d(a)[inside][:, : -1 if self.has_alpha else None] for a in (i_a, self.normal))
        assert after.min() >= self.low and after.max() <= self.high, f"{after.min()}..{after.max()} inside the mask"
        change = np.abs(after.astype(np.float64) - before).max() / (self.high - self.low)
        assert change >= 0.01999, f"nothing visibly differs: {change:.4f} of the range"

    def check_instances(self, result, inside):
        instances = result.instances
        assert instances.shape == inside.shape and instances.dtype == np.uint16
        assert np.array_equal(instances > 0, inside), "the instances are not those of the mask"
        assert instances.max() <= len(result.techniques) <= self.anomalies

    def check_inputs(self, result):
        assert self.generators == global_generators(), "a global generator was touched"
        outputs = (*result, result.instances)
        assert not any(np.may_share_memory(a, b) for a, b in itertools.combinations(outputs, 2)), "outputs share memory"
        assert frozen(self.inputs) == self.before, "an input was written to"
        for entry, output in itertools.product(arrays(self.inputs), outputs):
            assert not np.may_share_memory(entry, output), "an output aliases an input"


def frozen(value):
    """The part of a value that must be equal after a call, byte by byte; None for objects that may change."""
    if isinstance(value, dict):
        return [(key, frozen(entry)) for key, entry in value.items()]
    if isinstance(value, list | tuple):
        return [frozen(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.strides, value.flags.writeable, value.tobytes()
    if isinstance(value, Image.Image):
        return value.mode, value.size, value.tobytes()
    return value if isinstance(value, int | float | str) else None


def arrays(value):
    """The arrays in nested arguments."""
    if isinstance(value, dict | list | tuple):
        return [array for entry in (value.values() if isinstance(value, dict) else value) for array in arrays(entry)]
    return [value] if isinstance(value, np.ndarray) else []


PIL_AS = {"1": "L", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}


def as_array(image):
    """The pixels that an image stands for."""
    if not isinstance(image, Image.Image):
        return np.asarray(image)
    mode = PIL_AS.get(image.mode, image.mode)
    if mode == "P":
        mode = "RGBA" if "transparency" in image.info else "RGB"
    return np.asarray(image.convert(mode))


def alpha_of(image, pixels, said):
    """Whether the last channel is alpha: as given, else by PIL's mode, else the fourth of four."""
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if said is not None:
        return said and channels in (2, 4)
    return channels == 4 or (isinstance(image, Image.Image) and "A" in image.getbands())


def range_of(dtype, data_range):
    """The lowest and the highest legal value."""
    full = 1 if dtype.kind == "f" else np.iinfo(dtype).max
    low, high = data_range if isinstance(data_range, tuple) else (0, full if data_range is None else data_range)
    if dtype.kind == "f":
        return float(dtype.type(low)), float(dtype.type(high))
    return math.ceil(low), math.floor(high)


def region_of(mask):
    """Where a mask is true, for any dtype; None without a mask and for the automatic foreground."""
    if mask is None or isinstance(mask, str):
        return None
    mask = np.asarray(mask.convert("L") if isinstance(mask, Image.Image) else mask)
    mask = mask.view(np.uint8) if mask.dtype == bool else mask
    return (mask if mask.ndim == 2 else mask[..., 0]) != 0


def global_generators():
    """The states of the generators that belong to the user's program."""
    _, numbers, position, *gauss = np.random.get_state()  # noqa: NPY002
    states = [random.getstate(), numbers.tobytes(), position, gauss]
    if "torch" in sys.modules:
        states.append(sys.modules["torch"].get_rng_state().numpy().tobytes())
    return states


def frame_and_draw(image, seed=0, *, roi=None, severity=None, data_range=None) -> tuple[NormalImage, Sampler]:
    """The image and the sampler that a technique gets in a call."""
    frame = as_normal_image(image, data_range).restrict(roi)
    return frame, Sampler(np.random.default_rng(seed), severity)


@contextmanager
def time_limit(seconds: int):
    """Stop a hanging block with a TimeoutError, if the platform supports alarms."""
    if os.name != "posix":
        yield
        return

    def stop(*_):
        raise TimeoutError(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
