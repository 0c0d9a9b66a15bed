"""The work of a run: chunks of images that are made by any number of workers on any joblib backend."""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import cv2
import joblib

from pail.core.warn import Heard, heard_warnings, warn_user
from pail.dataset.inputs import Inputs
from pail.dataset.make import json_line, make_item
from pail.dataset.orphans import end_with
from pail.dataset.plan import CHUNK, Item
from pail.dataset.progress import Progress, ticking
from pail.dataset.recipe import Recipe
from pail.dataset.run import PARTS, Run
from pail.dataset.store import Store
from pail.registry import TECHNIQUES, is_own, register, unregister

Chunk = tuple[int, int, list[Heard]]  # number of images, number of skipped files, and warnings of a worker process


def part_of(chunk: int) -> str:
    """The file that lists what a chunk has made. It is written after all files of the chunk."""
    return f"{PARTS}/{chunk // 1000:06}/{chunk:09}.jsonl"


def work(run: Run, workers: int | None, *, progress: bool) -> None:
    """Make all images that an earlier run has not made."""
    own = {name: t for name, t in TECHNIQUES.items() if is_own(name) and name in run.recipe.names}
    total = min(run.chunks.stop * CHUNK, run.plan.size) - min(run.chunks.start * CHUNK, run.plan.size)
    with Progress(total, shown=progress) as bar, ONE_THREAD:
        finished = _finished(run)

        def tasks() -> Iterator[Any]:
            for chunk in run.chunks:
                if made := finished(chunk):
                    bar.before(made)
                    continue
                items = list(run.plan.items(chunk))
                part = part_of(chunk)
                yield joblib.delayed(_make_chunk)(
                    run.recipe, run.inputs, run.out, items, part, own, bar.path, os.getpid()
                )

        shown: set[str] = set()
        for images, skipped, heard in _results(tasks(), workers):
            bar.chunk(images, skipped)
            for topic, text, category in heard:
                if topic not in shown:
                    shown.add(topic)
                    warn_user(topic, text, category)


def _finished(run: Run) -> Callable[[int], int]:
    """A function that returns how many images of a chunk an earlier run has made, which is 0 unless all files of the
    chunk exist."""
    sizes: dict[str, int] | None = None  # sizes of all files, read in a single request for remote files

    def is_whole(name: str, expected: list[int]) -> bool:
        nonlocal sizes
        if run.out.is_local:
            size = run.out.size(name)
        else:
            sizes = run.out.sizes() if sizes is None else sizes
            size = sizes.get(name)
        return size == expected[0] and (not run.verify or zlib.crc32(run.out.read(name)) == expected[1])

    def finished(chunk: int) -> int:
        if not run.out.exists(part_of(chunk)):
            return 0
        try:
            entries = [json.loads(line) for line in islice(run.out.lines(part_of(chunk)), 1, None, 2)]
            whole = len(entries) == len(run.plan.indices(chunk))
            whole = whole and all(is_whole(name, what) for entry in entries for name, what in entry["files"].items())
        except (ValueError, KeyError, TypeError):  # a damaged part
            return 0
        return len(entries) if whole else 0

    return finished


def _results(tasks: Any, workers: int | None) -> Iterator[Chunk]:
    """Iterate over the results of the chunks, on the configured joblib backend or, by default, on loky processes."""
    backend, configured = joblib.parallel.get_active_backend()
    jobs = workers or configured or -1
    if type(backend).__name__ == "LokyBackend":
        if joblib.effective_n_jobs(jobs) == 1:
            for function, arguments, keywords in tasks:  # in this process
                yield function(*arguments, **keywords)
            return
        threads = {} if backend.inner_max_num_threads else {"inner_max_num_threads": 1}
        with joblib.parallel_config("loky", n_jobs=jobs, **threads):
            yield from joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="3*n_jobs")(tasks)
    elif not getattr(backend, "supports_return_generator", False):  # batches limit memory and update the bar
        pool = joblib.Parallel(n_jobs=jobs, batch_size=1)
        with pool:
            while some := list(islice(tasks, 3 * joblib.effective_n_jobs(jobs))):
                yield from pool(some)
    else:
        yield from joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(tasks)


def _make_chunk(
    recipe: Recipe,
    inputs: Inputs,
    out: Store,
    items: list[Item],
    part: str,
    own: dict[str, Any],
    ticks: str | None,
    runner: int,
) -> Chunk:
    """Make the files of some items, and then the part that lists them."""
    is_worker = end_with(runner)
    _register(own, only=recipe.techniques is None)
    lines, skipped = [], 0
    with ONE_THREAD, ticking(ticks) as tick, heard_warnings(wanted=is_worker) as heard:
        for item in items:
            made = make_item(recipe, inputs, item)
            for name, data in made.files.items():
                out.write(name, data)
            files = {name: [len(data), zlib.crc32(data)] for name, data in made.files.items()}
            beside = {"skipped": made.skipped, "files": files}
            lines += [
                json_line(made.lines),
                json_line({**beside, "annotations": made.annotations} if any(made.annotations) else beside),
            ]
            skipped += len(made.skipped)
            tick(len(made.skipped))
    out.write(part, b"".join(lines))
    return len(items), skipped, heard


class _OneThread:
    """Limit OpenCV to one thread during a block. Blocks may overlap in several threads of the process.

    OpenCV's number of threads is global to the process. BLAS and numba are limited by the environment of the workers.
    """

    def __init__(self) -> None:
        self._lock, self._users, self._before = threading.Lock(), 0, 1

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                cv2.setNumThreads(self._before)


ONE_THREAD = _OneThread()


def _register(own: dict[str, Any], *, only: bool) -> None:
    """Register the same techniques as in the parent process, because workers may be left from earlier runs."""
    stale = [name for name in TECHNIQUES if is_own(name) and (only or name in own)]
    for name in stale:
        if TECHNIQUES[name] is not own.get(name):
            unregister(name)
    for name, technique in own.items():
        if name not in TECHNIQUES:
            register(name, technique.function, family=technique.family, takes_source=technique.takes_source)
