"""What several test files use."""

import functools
import os
import signal
from contextlib import contextmanager

import cv2
import numpy as np

from pail import pai
from pail.core.draw import Draw
from pail.core.frame import Frame, as_frame
from pail.core.settings import Settings

NAMES = tuple(pai.TECHNIQUES)


def takes_source(name: str) -> bool:
    return pai.TECHNIQUES[name].takes_source


def call(name, image, source=None, **keywords):
    """One call of a technique by its name; the source only where it takes one."""
    if source is not None and takes_source(name):
        keywords["anom_source_img"] = source
    settings = {key: keywords.pop(key) for key in Settings._fields if key in keywords}
    return getattr(pai.Anomaly_Insertion(**settings), name)(image, **keywords)


@functools.lru_cache
def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A read-only RGB image with structure at several scales, as a surface has it."""
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


def check_contract(
    image: np.ndarray, before: np.ndarray, i_a: np.ndarray, m_a: np.ndarray, peak: float | None = None
) -> None:
    """The invariants of an insertion; `peak` is full scale where it is not the dtype's."""
    full = peak or (1.0 if image.dtype.kind == "f" else np.iinfo(image.dtype).max)
    change = np.abs(i_a.astype(np.float64) - image).max(initial=0)
    assert change >= 0.0199 * full, f"nothing visibly differs: {change / full:.4f} of the range"
    assert i_a.shape == image.shape and i_a.dtype == image.dtype
    assert i_a.flags.c_contiguous and m_a.flags.c_contiguous and i_a.flags.writeable
    assert m_a.shape == (*image.shape[:2], 1) and m_a.dtype == np.uint8
    assert np.isin(m_a, (0, 255)).all()
    assert m_a.any()
    outside = m_a[..., 0] == 0
    assert i_a[outside].tobytes() == np.ascontiguousarray(image[outside]).tobytes()
    assert np.array_equal(image, before)
    assert not np.shares_memory(i_a, image)
    if image.ndim == 3 and image.shape[2] == 4:
        assert np.array_equal(i_a[..., 3], image[..., 3])
    if image.dtype.kind == "f" and image.min() >= 0 and image.max() <= full:
        assert i_a.min() >= 0 and i_a.max() <= full


def frame_and_draw(image, seed=0, *, roi=None, severity=None, data_range=None) -> tuple[Frame, Draw]:
    """What a technique sees of a call."""
    frame = as_frame(image, data_range).restrict(roi)
    return frame, Draw(np.random.default_rng(seed), severity)


@contextmanager
def time_limit(seconds: int):
    """Ends a hanging block with a TimeoutError, where the platform has alarms."""
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
