"""Fuzzing: any image through any technique, junk at every keyword, and a soak.

``python tests/fuzz.py [count]`` (100,000 by default) reports how many inputs were tried, how many refused and how many
violated the contract, and ends with an error if one did. test_properties.py draws its cases from here, too.
"""

import argparse
import gc
import inspect
import multiprocessing
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from common import NAMES, as_type, call, check_contract, photograph, time_limit

from pail import pai

CHOICES = {
    "name": NAMES,
    "height": (1, 2, 3, 5, 8, 13, 31, 48, 77),
    "width": (1, 2, 3, 7, 8, 17, 33, 60, 101),
    "channels": (None, None, 1, 2, 3, 3, 3, 4, 5, 16),
    "dtype": ("uint8", "uint8", "uint16", "float32", "float64", ">u2"),
    "layout": ("plain", "plain", "fortran", "reversed", "strided", "read-only", "pil"),
    "content": ("photograph", "noise", "black", "white", "grey", "half", "gradient", "channel"),
    "source": (None, "same", "small", "wide", "grey", "deep"),
    "roi": (None, None, None, "pixel", "block", "noise", "all"),
    "severity": (None, None, None, 0, 0.5, 1, (0.2, 0.8)),
    "flaw": (None,) * 20 + ("nan", "negative", "bright", "dtype", "channels", "empty"),
}


@dataclass(frozen=True)
class Case:
    """An image and a call, by words and a seed."""

    name: str
    height: int
    width: int
    channels: int | None
    dtype: str
    layout: str
    content: str
    source: str | None
    roi: str | None
    severity: object
    flaw: str | None
    seed: int

    def region(self) -> np.ndarray:
        """The ROI as a bool mask."""
        rng = np.random.default_rng(self.seed)
        roi = np.zeros((self.height, self.width), bool)
        row, column = rng.integers(self.height), rng.integers(self.width)
        if self.roi == "block":
            roi[row : row + 9, column : column + 9] = True
        elif self.roi == "noise":
            roi |= rng.random(roi.shape) < 0.3
        elif self.roi == "all":
            roi[:] = True
        roi[row, column] = True
        return roi


def cases():
    """The hypothesis strategy of sound cases."""
    from hypothesis import strategies as st

    drawn = {name: st.sampled_from(options) for name, options in CHOICES.items()}
    drawn["flaw"] = st.none()
    drawn["height"], drawn["width"] = st.integers(1, 90), st.integers(1, 90)
    return st.builds(Case, **drawn, seed=st.integers(0, 2**32))


def random_case(rng) -> Case:
    picks = {name: options[rng.integers(len(options))] for name, options in CHOICES.items()}
    return Case(**picks, seed=int(rng.integers(2**32)))


def pixels(case: Case) -> np.ndarray:
    rng = np.random.default_rng(case.seed)
    shape = (case.height, case.width, case.channels or 1)
    if case.content in ("photograph", "half", "channel"):
        planes = [photograph(case.height, case.width, i)[..., :3] for i in range(-(-shape[2] // 3))]
        image = np.concatenate(planes, axis=2)[..., : shape[2]].copy()
        if case.content == "half":
            image[: -(-case.height // 2)] = 0
        if case.content == "channel":
            image[..., 0] = 0
    elif case.content == "noise":
        image = rng.integers(0, 256, shape, np.uint8)
    elif case.content == "gradient":
        image = np.linspace(0, 255, np.prod(shape)).reshape(shape).astype(np.uint8)
    else:
        image = np.full(shape, {"black": 0, "white": 255, "grey": 128}[case.content], np.uint8)
    image = as_type(image, case.dtype)
    return image[..., 0] if case.channels is None else image


def laid_out(image: np.ndarray, layout: str) -> np.ndarray:
    if layout == "fortran":
        return np.asfortranarray(image)
    if layout == "reversed":
        return np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]
    if layout == "strided":
        return np.repeat(image, 2, axis=1)[:, ::2]
    if layout == "read-only":
        image = image.copy()
        image.flags.writeable = False
    return image


def source_of(kind: str | None):
    return {
        None: None,
        "same": photograph(40, 50, 9),
        "small": photograph(2, 3, 9),
        "wide": Image.fromarray(photograph(9, 200, 9)),
        "grey": photograph(30, 30, 9)[..., 0],
        "deep": as_type(photograph(30, 30, 9), "float64"),
    }[kind]


def as_generated(case: Case):
    """The image of a case as an array, and the call that inserts into it."""
    image = laid_out(pixels(case), case.layout)
    given = image
    as_pil = case.layout == "pil" and image.dtype == np.uint8 and case.channels in (None, 3, 4)
    if as_pil:
        given = Image.fromarray(image)
    keywords = {"rng": case.seed, "severity": case.severity}
    if case.roi is not None:
        keywords["roi"] = case.region()
    return image, lambda: call(case.name, given, source_of(case.source), **keywords)


def flawed(image: np.ndarray, flaw: str):
    if flaw == "dtype":
        return image.astype(np.int32)
    if flaw == "channels":
        return np.zeros((*image.shape[:2], 17), image.dtype)
    if flaw == "empty":
        return image[:0]
    image = image.astype(np.float64)
    image.flat[image.size // 2] = {"nan": np.nan, "negative": -0.5, "bright": 300.0}[flaw]
    return image


def try_case(case: Case) -> str:
    """ "valid", "refused", or what went wrong."""
    image, insert = as_generated(case)
    try:
        with time_limit(10):
            if case.flaw is None:
                before = image.copy()
                i_a, m_a = insert()
                check_contract(image, before, i_a, m_a)
                if case.roi is not None:
                    assert not m_a[~case.region()].any(), "outside the ROI"
                return "valid"
            try:
                call(case.name, flawed(image, case.flaw), rng=case.seed)
            except (TypeError, ValueError) as error:
                name = f"`{pai.TECHNIQUES[case.name].image_name}`"
                return "refused" if name in str(error) else f"{case}: {name} is not named: {error!r}"
            return f"{case}: taken"
    except BaseException as error:
        return f"{case}: {error!r}"


JUNK = (
    None, True, False, 0, 1, -1, 3, 255, 2**40, -(2**70), 0.0, 0.5, 1.5, -0.1, 1e-300, 1e300,
    float("nan"), float("inf"), 1j, "", "x", "random", "barnsley", "AAC", "foreground", b"x",
    (), [], {}, set(), object(), len, int, ..., (0, 0), (0, 1), (1, 0), (1, 1), (0.1, 0.2), (0.2, 0.1), (-1, 2),
    (0, float("nan")), (None, None), ("a", "b"), (1, 2, 3), ((0.3, 1), (1, 3.3)), ((1, 0.3), (1, 3)), [0.5],
    (1e-9, 1e-9), (1e9, 2e9), (3, 5), (90,), (30, 150), np.float64(0.3), np.int8(3), np.array(2),
    np.array([0.1, 0.2]), np.array([]), np.zeros((2, 2)), np.ones((24, 20), bool), np.zeros((24, 20), bool),
    np.full((24, 20), 255, np.uint8), np.zeros((24, 20, 3), np.uint8), np.array("x"), np.array([None, 1]),
    Image.new("L", (20, 24), 255), Image.new("1", (3, 3)), np.random.default_rng(0), range(3),
)  # fmt: skip


def keywords_of(name: str) -> list[str]:
    """The keywords of a method without the image."""
    return list(inspect.signature(getattr(pai.Anomaly_Insertion, name)).parameters)[2:]


def try_junk(name: str, keyword: str, index: int) -> str:
    """As `try_case`, for one junk value at one keyword of a method of the class."""
    image = photograph(24, 20)
    try:
        with time_limit(10):
            try:
                i_a, m_a = getattr(pai.Anomaly_Insertion(), name)(image, **{keyword: JUNK[index]})
            except (TypeError, ValueError) as error:
                named = f"`{keyword}" in str(error)
                return "refused" if named else f"{name}({keyword}={JUNK[index]!r}): not named: {error!r}"
            check_contract(image, photograph(24, 20), i_a, m_a)
            return "valid"
    except BaseException as error:
        return f"{name}({keyword}={JUNK[index]!r}): {error!r}"


def all_junk() -> list[tuple[str, str, int]]:
    return [(n, k, i) for n in (*NAMES, "insert") for k in keywords_of(n) for i in range(len(JUNK))]


def soak(name: str, count: int = 10_000) -> str:
    """`count` calls in one process: growth of the memory after the first 500, in bytes, must stay below 20 MB."""
    process, image, source = psutil.Process(), photograph(24, 24), photograph(24, 24, 1)
    for seed in range(count):
        call(name, image, source, rng=seed)
        if seed == 500:
            gc.collect()
            start = process.memory_info().rss, process.num_fds(), threading.active_count()
    gc.collect()
    growth = process.memory_info().rss - start[0]
    left = process.num_fds() - start[1], threading.active_count() - start[2]
    return (
        "valid"
        if growth < 20e6 and left == (0, 0)
        else f"soak of {name}: {growth / 1e6:.1f} MB, files and threads {left}"
    )


def batch(seed: int, count: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [try_case(random_case(rng)) for _ in range(count)]


def junk_batch(part: list[tuple[str, str, int]]) -> list[str]:
    return [try_junk(*entry) for entry in part]


def report(title: str, results: list[str]) -> int:
    violated = [result for result in results if result not in ("valid", "refused")]
    print(f"{title}: {len(results)} inputs, {results.count('refused')} refused, {len(violated)} violated", flush=True)
    for text in violated[:20]:
        print("  ", text)
    return len(violated)


def main(count: int, seed: int) -> int:
    with ProcessPoolExecutor(2) as pool:
        size = 500
        sizes = [min(size, count - start) for start in range(0, count, size)]
        parts = pool.map(batch, [seed * 1_000_003 + i for i in range(len(sizes))], sizes)
        violated = report("images", [result for part in parts for result in part])
        junk = all_junk()
        parts = pool.map(junk_batch, [junk[start : start + size] for start in range(0, len(junk), size)])
        violated += report("junk at keywords", [result for part in parts for result in part])
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        violated += report("soak, techniques with 10,000 calls each", pool.map(soak, NAMES, chunksize=1))
    return violated


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sys.exit(1 if main(options.count, options.seed) else 0)

assert set(CHOICES) | {"seed"} == {field.name for field in fields(Case)}
