"""Fuzzing: combinations of everything that a call accepts, damaged images, invalid values for every keyword, and a long
run.

``python tests/helpers/fuzz.py [count] [--seed N]`` tries `count` combinations (100,000 by default) on both cores, and
says how many were tried, how many refused and how many violated the contract; it ends with an error if one did. Each
kind of violation is printed with its smallest case, which ``--case "Case(...)"`` makes again. The cases are those of
test_combinations.py, drawn by a plain generator.
"""

import argparse
import gc
import inspect
import multiprocessing
import re
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import psutil
import strategies
from common import ALL, Expected, bank, call, photograph, time_limit
from PIL import Image
from strategies import check, laid_out, pixels, random_case

from pail import pai
from pail.call.insert import MAX_ANOMALIES

FLAWS = ("nan", "negative", "bright", "dtype", "channels", "empty")
NUMBERS = re.compile(r"\[.*|\d[\d.e+-]*", re.S)  # what differs between violations of one kind


def try_case(rng) -> tuple[str, object, str]:
    """Try a random case. Returns "valid" or the violation, the case, and its size for the report."""
    case = random_case(rng)
    try:
        check(case)
        return "valid", None, ""
    except Exception as error:
        return (
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            case.height * case.width,
            repr(case),
        )


def try_flaw(rng) -> tuple[str, object, str]:
    """Try a damaged image, which must be "refused" by an error that names the image."""
    case, flaw = random_case(rng), FLAWS[int(rng.integers(len(FLAWS)))]
    name = ALL[int(rng.integers(len(ALL)))]
    shown = f"{name}, {flaw}: {case!r}"
    try:
        with time_limit(20):
            call(name, flawed(laid_out(pixels(case), case.layout), flaw), rng=case.seed)
    except (TypeError, ValueError) as error:
        named = f"`{pai.TECHNIQUES[name].image_name}`" in str(error)
        return "refused" if named else f"the image is not named: {error!r}", case.height * case.width, shown
    except Exception as error:
        return repr(error), case.height * case.width, shown
    return f"{flaw} is taken", case.height * case.width, shown


def flawed(image: np.ndarray, flaw: str):
    if flaw == "dtype":
        return image.astype(np.int32)
    if flaw == "channels":
        return np.zeros((*image.shape[:2], 17), image.dtype)
    if flaw == "empty":
        return image[:0]
    image = np.clip(image.astype(np.float64), 0, 1)
    image.flat[image.size // 2] = {"nan": np.nan, "negative": -0.5, "bright": 300.0}[flaw]
    return image


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
    """ "valid", "refused", or the violation, for one invalid value of one keyword of a method."""
    image = photograph(24, 20)
    needed = {"defects": bank()} if name != "insert" and pai.TECHNIQUES[name].takes_defects else {}
    try:
        with time_limit(10):
            expected = Expected(name, image)
            expected.anomalies = MAX_ANOMALIES  # the junk may be a number of them
            try:
                result = getattr(pai.Anomaly_Insertion(), name)(image, **(needed | {keyword: JUNK[index]}))
            except (TypeError, ValueError) as error:
                named = f"`{keyword}" in str(error)
                return "refused" if named else f"{name}({keyword}={JUNK[index]!r}): not named: {error!r}"
            expected.check(result)
            return "valid"
    except BaseException as error:
        return f"{name}({keyword}={JUNK[index]!r}): {error!r}"


def all_junk() -> list[tuple[str, str, int]]:
    return [(n, k, i) for n in (*ALL, "insert") for k in keywords_of(n) for i in range(len(JUNK))]


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


def batch(work, seed: int, count: int) -> list[tuple[str, object, str]]:
    rng = np.random.default_rng(seed)
    return [work(rng) for _ in range(count)]


def junk_batch(part: list[tuple[str, str, int]]) -> list[tuple[str, object, str]]:
    return [(try_junk(*entry), 0, "") for entry in part]


def report(title: str, results: list[tuple[str, object, str]]) -> int:
    """Print the counts of the results, and the smallest case of each kind of violation."""
    said = [result for result, _, _ in results]
    violated = [entry for entry in results if entry[0] not in ("valid", "refused")]
    print(f"{title}: {len(said)} inputs, {said.count('refused')} refused, {len(violated)} violated", flush=True)
    kinds = defaultdict(list)
    for text, size, shown in violated:
        kinds[NUMBERS.sub("#", text)].append((size, len(shown), text, shown))
    for found in sorted(kinds.values(), key=len, reverse=True):
        _, _, text, shown = min(found)
        print(f"  {len(found)} times: {text[:400]}\n    {shown}")
    return len(violated)


def run(pool, title: str, work, count: int, seed: int, size: int = 250) -> int:
    """`count` inputs in parts, each with its own generator."""
    sizes = [min(size, count - start) for start in range(0, count, size)]
    seeds = [(seed, part) for part in range(len(sizes))]
    parts = pool.map(batch, [work] * len(sizes), seeds, sizes)
    return report(title, [result for part in parts for result in part])


def main(count: int, seed: int) -> int:
    start = time.perf_counter()
    print(f"seed {seed}", flush=True)
    with ProcessPoolExecutor(2) as pool:
        violated = run(pool, "combinations", try_case, count, seed)
        violated += run(pool, "images with a flaw", try_flaw, count // 10, seed + 1)
        junk = all_junk()
        parts = pool.map(junk_batch, [junk[first : first + 500] for first in range(0, len(junk), 500)])
        violated += report("junk at keywords", [result for part in parts for result in part])
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        soaked = [(result, 0, "") for result in pool.map(soak, ALL, chunksize=1)]
        violated += report("soak, techniques with 10,000 calls each", soaked)
    print(f"{time.perf_counter() - start:.0f} s")
    return violated


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", help="a case as it was printed, to be tried again")
    options = parser.parse_args()
    if options.case:
        check(eval(options.case, vars(strategies)))
        sys.exit(0)
    sys.exit(1 if main(options.count, options.seed) else 0)
