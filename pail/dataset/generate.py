"""A data set on disk: planned lazily, made in chunks by any number of workers, whole or resumable at any moment."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import joblib
from filelock import FileLock, Timeout

from pail._version import __version__
from pail.call.record import stack
from pail.core.checks import as_number, describe
from pail.dataset import plan as plans
from pail.dataset import recipe as recipes
from pail.dataset import window
from pail.dataset.coco import write_coco
from pail.dataset.inputs import (
    State,
    changes,
    check_normals,
    check_regions,
    list_images,
    list_pages,
    read,
    state_of,
)
from pail.dataset.labels import coco_encoder
from pail.dataset.layout import OWN, data_yaml, notes
from pail.dataset.make import SOURCES, Inputs, dump, make
from pail.dataset.plan import Item, Plan
from pail.dataset.progress import Progress, ticking
from pail.dataset.recipe import Recipe
from pail.dataset.store import LOCK, StoppedError, Store
from pail.inserter import try_techniques
from pail.io.read import decode
from pail.registry import TECHNIQUES, is_own, register, unregister

PARTS = ".pail/parts"
INPUTS = ".pail/inputs.json"


@dataclass
class Summary:
    """What a run has made."""

    out: str
    good: int = 0
    anomalies: int = 0
    techniques: dict[str, int] = field(default_factory=dict)
    skipped: list[dict[str, str]] = field(default_factory=list)
    splits: dict[str, int] = field(default_factory=dict)  # images in each
    missing: list[str] = field(default_factory=list)  # what was asked for and not made, and why
    data_range: float | tuple[float, float] | None = None  # found, where the recipe says "auto"

    @property
    def images(self) -> int:
        return self.good + self.anomalies

    @property
    def manifest(self) -> str:
        return f"{self.out.rstrip('/')}/manifest.jsonl"

    @property
    def report(self) -> str:
        return f"{self.out.rstrip('/')}/report.html"

    @property
    def status(self) -> int:
        """The exit status: 0 all made, 1 nothing made, 3 some files skipped, 4 fewer images than asked for."""
        return 1 if self.images == 0 else 4 if self.missing else 3 if self.skipped else 0


def generate(
    normals: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
    recipe: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    shard: str | tuple[int, int] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    verify: bool = False,
    progress: bool = False,
    **options: Any,
) -> Summary:
    """Make a labeled data set of pseudo-anomalies from a folder of normal
    images.

    Parameters
    ----------
    normals : path or URL
        Folder of normal images, with all folders below; a local path, or a
        URL that fsspec knows.
    out : path or URL
        Folder of the data set; new or empty.
    source : path or URL, optional
        Folder of source images. Without one the techniques use the normal
        image itself.
    recipe : path, optional
        A recipe file, whose options those given here override.
    workers : int, optional
        Number of processes; all cores by default. Inside
        ``joblib.parallel_config`` its backend is used (loky, threading,
        multiprocessing, dask, ...), and its ``n_jobs`` where `workers` is
        not given. The bytes do not depend on it.
    shard : str or (int, int), optional
        ``"2/4"``: the second of four parts. Their folders and, in order,
        their manifests add up to the whole set.
    resume : bool, default False
        Resume an interrupted run: the same files come out as of one that
        was not interrupted. Files that were made and are missing, or have
        another size, are made again.
    overwrite : bool, default False
        Delete the data set in `out` first.
    verify : bool, default False
        Keep checksums of all files that are read. A run that is resumed
        compares them instead of the time of writing, and compares the
        checksums of the files that were made.
    progress : bool, default False
        Whether a bar is shown.
    **options
        ``number`` (of anomalous images) or ``per_image``, ``techniques``,
        ``weights``, ``options`` (keywords of techniques), ``anomalies`` (in
        an image), ``roi`` ("foreground" or a folder of masks),
        ``severity``, ``size`` (pixels of the shorter side, or (height,
        width)), ``fit`` ("crop", "pad", "stretch"), ``seed``, ``layout``
        ("mvtec", "flat", "yolo"), ``purpose`` ("training", "validation"),
        ``val_share`` and ``test_share`` (of the normal images),
        ``classes`` ("technique", "single", or the name of the only class),
        ``format`` ("png", "tiff", "jpg", "bmp"), ``compression`` (of PNG, 0
        to 9), ``coco``, ``segmentation`` (of COCO: "rle", "polygon"),
        ``data_range`` (a number, (low, high), or "auto": the 0.1 and 99.9 %
        quantiles of up to 100 of the images), ``source_range``, ``alpha``,
        ``exclude`` (patterns of names), ``follow_links``, ``pages``
        ("first", "all"), ``max_pixels``.

    Returns
    -------
    Summary
        Counts, skipped files and paths.

    Raises
    ------
    TypeError, ValueError
        If an option is wrong, there is no image, `normals` holds more than
        normal images, or `out` holds something else; nothing has been
        touched then.
    StoppedError
        If the disk is full or a file cannot be written; ``resume=True``
        goes on.
    InsertionError
        If a technique fails for a reason that lies in no file.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, cv2, pail
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "parts").mkdir()
    >>> for i in range(4):
    ...     part = np.full((64, 64, 3), 40 * i + 60, np.uint8)
    ...     _ = cv2.imwrite(str(folder / "parts" / f"{i}.png"), part)
    >>> summary = pail.generate(
    ...     folder / "parts", folder / "set", number=6, workers=1
    ... )
    >>> summary.good, summary.anomalies
    (4, 6)
    """
    if resume and overwrite:
        raise ValueError(
            "`resume` and `overwrite` must not be given both: one keeps what is there, the other deletes it"
        )
    checked = recipes.make(**{**(recipes.load(recipe) if recipe else {}), **_given(options)})
    count = None if workers is None else int(as_number("workers", workers, 1, 1024, integer=True))
    sources = None if source is None else Store(source)
    run = _prepare(Store(normals), Store(out), sources, checked, shard, verify=verify)
    _check_claim(run, resume=resume, overwrite=overwrite)
    for note in notes(checked):
        warnings.warn(note, stacklevel=2)
    try:
        with _locked(run.out):
            _claim(run, resume=resume, overwrite=overwrite)
            if progress and run.window:
                sys.stderr.write(f"data_range: {run.window}\n")
            _work(run, count, progress=progress)
            return _finish(run)
    finally:
        SOURCES.forget(run.inputs.run)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True)
class Run:
    """All that a run needs, checked, before anything is touched."""

    inputs: Inputs
    out: Store
    plan: Plan
    chunks: range  # those of this shard
    fingerprint: str  # of the lists of files
    state: State  # of the files
    verify: bool = False
    window: window.FolderWindow | None = None  # where "auto" found one

    @property
    def recipe(self) -> Recipe:
        return self.plan.recipe


def prepare(
    normals: str | os.PathLike[str],
    out: str | os.PathLike[str],
    source: str | os.PathLike[str] | None = None,
    recipe: Recipe | None = None,
    shard: Any = None,
) -> Run:
    """What `generate` would do, without doing it."""
    return _prepare(
        Store(normals), Store(out), None if source is None else Store(source), recipe or recipes.make(), shard
    )


def _prepare(
    normals: Store, out: Store, source: Store | None, recipe: Recipe, shard: Any, *, verify: bool = False
) -> Run:
    rois = None if recipe.roi in (None, "foreground") else Store(str(recipe.roi))
    _check_apart(out, normals, source, rois)
    if recipe.coco:
        coco_encoder()
    names = list_images("normals", normals, recipe)
    sources = [] if source is None else list_images("source", source, recipe)
    masks = [] if rois is None else list_images("roi", rois, recipe)
    roi_names = {name.rpartition(".")[0]: name for name in masks}
    if rois is not None:
        check_regions(names, roi_names, rois)
    check_normals(normals, names, recipe)
    state = state_of({"normal": (normals, names), "source": (source, sources), "roi": (rois, masks)}, checksums=verify)
    names = list_pages(normals, names, recipe)
    found = None
    if recipe.data_range == "auto":
        found = window.find(names, lambda name: read(normals, name, recipe).pixels, alpha=recipe.alpha)
        recipe = replace(recipe, data_range=(found.low, found.high))
    try_techniques(recipe.names, recipe.options, recipe.severity)
    plan = plans.make(recipe, names, sources)
    first, count = _as_shard(shard)
    chunks = range(plan.chunks * first // count, plan.chunks * (first + 1) // count)
    lists = json.dumps([names, sources, sorted(roi_names.values())]).encode()
    inputs = Inputs(normals, source, rois, roi_names)
    fingerprint = f"{hashlib.sha256(lists).hexdigest()} {first + 1}/{count}"
    return Run(inputs, out, plan, chunks, fingerprint, state, verify, found)


def _check_apart(out: Store, *others: Store | None) -> None:
    if not out.is_local:
        return
    here = Path(out.url).resolve()
    for other in others:
        if other is None or not other.is_local:
            continue
        there = Path(other.url).resolve()
        if there in (here, *here.parents):
            raise ValueError(f"`out` must not lie inside a folder that is read, got {here} in {there}")
        if here in there.parents:  # overwriting it would drop what is read
            raise ValueError(f"`out` must not hold a folder that is read, got {here} around {there}")


def _as_shard(shard: Any) -> tuple[int, int]:
    """The place from 0 and the number of shards."""
    if shard is None:
        return 0, 1
    parts = shard.split("/") if isinstance(shard, str) else shard
    try:
        place, count = (int(part) for part in parts)
    except (TypeError, ValueError):
        raise ValueError(f"`shard` must be like '2/4', got {describe(shard)}") from None
    if not 1 <= place <= count:
        raise ValueError(f"`shard` must be like '2/4', from 1 to the number of shards, got {describe(shard)}")
    return place - 1, count


@contextlib.contextmanager
def _locked(out: Store) -> Iterator[None]:
    """One run at a time; the lock dies with its process. Object stores have none."""
    if not out.is_local:
        yield
        return
    path = Path(out.url) / LOCK
    lock = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise ValueError(f"`out` must not be in use: another run writes to {out}") from None
    except OSError as error:
        raise StoppedError(f"{out} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def _check_claim(run: Run, *, resume: bool, overwrite: bool) -> bool:
    """Whether the folder holds a started set that is this run's; raises where it holds anything else."""
    if run.out.is_local and Path(run.out.url).exists() and not Path(run.out.url).is_dir():
        raise ValueError(f"`out` must be a folder, got {run.out}")
    if run.out.is_empty():
        return False
    started = run.out.exists(INPUTS)
    if overwrite and started:
        return False
    if not resume:
        hint = "resume=True (--resume) or overwrite=True (--overwrite)" if started else "a new folder"
        raise ValueError(f"`out` must be new or empty, got {run.out}; pass {hint}")
    if not started:
        raise ValueError(f"`out` must be a started data set to resume, got {run.out}")
    _check_same(run, _read_claim(run.out))
    return True


def _own_claim(run: Run) -> dict[str, Any]:
    return {
        "version": __version__,
        "inputs": run.fingerprint,
        "recipe": recipes.dumps(run.recipe),
        "verify": run.verify,
        "files": run.state,
    }


def _read_claim(out: Store) -> dict[str, Any]:
    try:
        claim = json.loads(out.read(INPUTS))
        claim["version"], claim["inputs"], claim["recipe"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"`out` must hold a whole {INPUTS}, got a damaged one in {out}: the run cannot be resumed; "
            "overwrite=True (--overwrite) deletes the set and starts over"
        ) from error
    return dict(claim)


def _check_same(run: Run, claim: dict[str, Any]) -> None:
    """Raise where a started set is not that of this run: what was made and what is to be made would not fit."""
    own = _own_claim(run)
    wanted = f"`out` must have been started with the same recipe, files and version, got {run.out}"
    if claim["version"] != own["version"]:
        raise ValueError(f"{wanted} of version {claim['version']}, this is {own['version']}")
    before, now = (recipes.loads(text) for text in (claim["recipe"], own["recipe"]))
    other = sorted(name for name in {**before, **now} if before.get(name) != now.get(name))
    if other and (other != ["data_range"] or run.window is None):  # a window that was found follows the files
        raise ValueError(f"{wanted} with another {', '.join(other)}")
    if run.verify and not claim.get("verify"):
        raise ValueError(f"`verify` must have been set when the run was started, got no checksums in {run.out}")
    found = changes(claim.get("files", []), own["files"], checksums=run.verify)
    if found:
        more = f", and {len(found) - 3} more" if len(found) > 3 else ""
        raise ValueError(
            f"{wanted}; since then {', '.join(found[:3])}{more}. Start over with overwrite=True (--overwrite) or a new "
            "folder"
        )
    if claim["inputs"] != own["inputs"]:
        shards = (text.rpartition(" ")[2] for text in (claim["inputs"], own["inputs"]))
        raise ValueError(f"{wanted} of shard {' and not '.join(shards)}")


def _claim(run: Run, *, resume: bool, overwrite: bool) -> None:
    """Say in the folder whose it is. The claim comes first: a run that is ended any time after can be resumed."""
    started = _check_claim(run, resume=resume, overwrite=overwrite)
    run.out.sweep()  # under the lock: no other run's files
    if not started:
        # What names files goes before the files, and the old claim is replaced at last: ended in between, the old set
        # can be resumed, and the new one can be started over.
        files = [name for name in OWN if "." in name[1:]]
        run.out.remove([*files, PARTS, *(name for name in OWN if "." not in name)])
        run.out.write(INPUTS, json.dumps(_own_claim(run)).encode())
    run.out.write("recipe.toml", recipes.dumps(run.recipe).encode())


# --------------------------------------------------------------------------------------------------------------------
# The work


def _part(chunk: int) -> str:
    return f"{PARTS}/{chunk // 1000:06}/{chunk:09}.jsonl"


def _work(run: Run, count: int | None, *, progress: bool) -> None:
    own = {name: t for name, t in TECHNIQUES.items() if is_own(name) and name in run.recipe.names}
    total = min(run.chunks.stop * plans.CHUNK, run.plan.size) - min(run.chunks.start * plans.CHUNK, run.plan.size)
    with Progress(total, shown=progress) as bar, _one_thread():
        finished = _finished(run)
        tasks = (
            joblib.delayed(_make_chunk)(
                run.recipe, run.inputs, run.out, list(run.plan.items(chunk)), _part(chunk), own, bar.path
            )
            for chunk in run.chunks
            if not finished(chunk, bar)
        )
        for images, skipped in _results(tasks, count):
            bar.chunk(images, skipped)


def _finished(run: Run) -> Callable[[int, Progress], bool]:
    """Whether a chunk was made by an earlier run, and its files are still there."""
    sizes: dict[str, int] | None = None  # of all files, asked for once where they are far away

    def size(name: str) -> int | None:
        nonlocal sizes
        if run.out.is_local:
            return run.out.size(name)
        sizes = run.out.sizes() if sizes is None else sizes
        return sizes.get(name)

    def is_whole(name: str, expected: list[int]) -> bool:
        if size(name) != expected[0]:
            return False
        return not run.verify or zlib.crc32(run.out.read(name)) == expected[1]

    def finished(chunk: int, bar: Progress) -> bool:
        if not run.out.exists(_part(chunk)):
            return False
        try:
            entries = [json.loads(line) for line in islice(run.out.lines(_part(chunk)), 1, None, 2)]
            whole = len(entries) == len(run.plan.indices(chunk))
            whole = whole and all(is_whole(name, what) for entry in entries for name, what in entry["files"].items())
        except (ValueError, KeyError, TypeError):  # a torn part, which names what may be there
            return False
        if whole:
            bar.before(len(entries))
        return whole

    return finished


def _results(tasks: Any, count: int | None) -> Iterator[tuple[int, int]]:
    """What the chunks return, on joblib's configured backend; on processes of loky where none is configured."""
    backend, configured = joblib.parallel.get_active_backend()
    jobs = count or configured or -1
    if type(backend).__name__ == "LokyBackend":
        if joblib.effective_n_jobs(jobs) == 1:
            yield from _in_turn(tasks)
            return
        threads = {} if backend.inner_max_num_threads else {"inner_max_num_threads": 1}
        with joblib.parallel_config("loky", n_jobs=jobs, **threads):
            yield from joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="3*n_jobs")(tasks)
    elif not getattr(backend, "supports_return_generator", False):  # slices keep memory flat, and the bar moving
        pool = joblib.Parallel(n_jobs=jobs, batch_size=1)
        with pool:
            while some := list(islice(tasks, 3 * joblib.effective_n_jobs(jobs))):
                yield from pool(some)
    else:
        yield from joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(tasks)


def _in_turn(tasks: Any) -> Iterator[tuple[int, int]]:
    for function, arguments, keywords in tasks:
        yield function(*arguments, **keywords)


def _make_chunk(
    recipe: Recipe, inputs: Inputs, out: Store, items: list[Item], part: str, own: dict[str, Any], ticks: str | None
) -> tuple[int, int]:
    """Make the items' files, then, when all are there, the part that says so. Returns images and skipped files."""
    _register(own, only=recipe.techniques is None)
    lines, skipped = [], 0
    with _one_thread(), ticking(ticks) as tick:
        for item in items:
            made = make(recipe, inputs, item)
            for name, data in made.files.items():
                out.write(name, data)
            files = {name: [len(data), zlib.crc32(data)] for name, data in made.files.items()}
            beside = {"skipped": made.skipped, "files": files}
            lines += [
                dump(made.line),
                dump({**beside, "annotations": made.annotations} if made.annotations else beside),
            ]
            skipped += len(made.skipped)
            tick(len(made.skipped))
    out.write(part, b"".join(lines))
    return len(items), skipped


class _Threads:
    """OpenCV's threads, which are the process's: the first that asks for one puts them away, the last puts them back.

    Those of BLAS and numba are held by the workers' environment.
    """

    def __init__(self) -> None:
        self._lock, self._users, self._before = threading.Lock(), 0, 1

    def take(self) -> None:
        with self._lock:
            if self._users == 0:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._users += 1

    def give_back(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                cv2.setNumThreads(self._before)


_THREADS = _Threads()


def _register(own: dict[str, Any], *, only: bool) -> None:
    """The techniques of the user's own, as they are where the run was started: workers live on from earlier runs."""
    stale = [name for name in TECHNIQUES if is_own(name) and (only or name in own)]
    for name in stale:
        if TECHNIQUES[name] is not own.get(name):
            unregister(name)
    for name, technique in own.items():
        if name not in TECHNIQUES:
            register(name, technique.function, family=technique.family, takes_source=technique.takes_source)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    _THREADS.take()
    try:
        yield
    finally:
        _THREADS.give_back()


# --------------------------------------------------------------------------------------------------------------------
# The end


def _finish(run: Run) -> Summary:
    """The manifest and what is made from it. The parts stay, so that a finished set can be resumed, too."""
    summary = Summary(run.out.url, data_range=run.recipe.data_range)
    seen: dict[tuple[str, str], dict[str, str]] = {}
    lacking: list[dict[str, str]] = []  # the last normal image that was tried for each anomaly that is missing
    planned = (item for chunk in run.chunks for item in run.plan.items(chunk))
    with run.out.writing("manifest.jsonl") as manifest:
        for item, (line, beside) in zip(planned, _entries(run), strict=True):
            passed_over = json.loads(beside)["skipped"]
            for skipped in passed_over:
                seen.setdefault((skipped["role"], skipped["file"]), skipped)
            made = json.loads(line)
            if made is not None:
                manifest.write(line)
                _count(summary, made)
            elif not item.is_good:
                lacking.append(passed_over[-1])
    summary.skipped = [seen[key] for key in sorted(seen)]
    summary.missing = _missing(run, summary, lacking)
    run.out.write("skipped.jsonl", b"".join(dump(entry) for entry in summary.skipped))
    if run.recipe.layout == "yolo":
        run.out.write("data.yaml", data_yaml(run.recipe, summary.splits).encode())
    if run.recipe.coco:
        write_coco(run.out, run.recipe, lambda: _made(run), summary.splits)
    run.out.write("dataset.json", _description(run, summary))
    _report(run, summary)
    return summary


def _missing(run: Run, summary: Summary, lacking: list[dict[str, str]]) -> list[str]:
    """A line for each thing that was asked for and not made."""
    found = []
    if lacking:
        asked, example = summary.anomalies + len(lacking), lacking[0]
        found.append(
            f"{len(lacking)} of {asked} anomalous images were not made: no normal image that was tried for them can be "
            f"used, for example {example['file']!r}: {example['reason']}"
        )
    normals = len(run.plan.numbers)
    for split, names in run.plan.splits.items():
        if not names:
            share = run.recipe.shares[split]
            found.append(f"the {split} split is empty: its share is {share:g} of {normals} normal images")
    return found


def _made(run: Run) -> Iterator[dict[str, Any]]:
    """Of each item that was made the line of the manifest and, as "annotations", what COCO says of it."""
    for line, beside in _entries(run):
        made = json.loads(line)
        if made is not None:
            yield {**json.loads(beside), "made": made}


def _entries(run: Run) -> Iterator[tuple[bytes, bytes]]:
    """Of each item the line of the manifest, or null, and the line that tells its files and what it skipped."""
    for chunk in run.chunks:
        part = run.out.lines(_part(chunk))
        yield from zip(part, part, strict=True)


def lines(out: Store) -> Iterator[dict[str, Any]]:
    """The lines of a finished manifest."""
    for line in out.lines("manifest.jsonl"):
        yield json.loads(line)


def _count(summary: Summary, line: dict[str, Any]) -> None:
    summary.splits[line["split"]] = summary.splits.get(line["split"], 0) + 1
    if line["label"] == 0:
        summary.good += 1
        return
    summary.anomalies += 1
    for name in line["techniques"]:
        summary.techniques[name] = summary.techniques.get(name, 0) + 1


def _description(run: Run, summary: Summary) -> bytes:
    values = {
        "version": __version__,
        "stack": stack(),
        "command": command(run),
        "recipe": {name: value for name, value in asdict(run.recipe).items() if value is not None},
        "inputs": run.fingerprint,
        "counts": {
            "good": summary.good,
            "anomalies": summary.anomalies,
            "splits": summary.splits,
            "techniques": dict(sorted(summary.techniques.items())),
            "skipped": len(summary.skipped),
        },
    }
    return (json.dumps(values, indent=2) + "\n").encode()


def command(run: Run) -> str:
    """The line that makes the set again."""
    source = ["--source", run.inputs.sources.url] if run.inputs.sources else []
    return shlex.join(["pail", "generate", run.inputs.normals.url, run.out.url, *source, "--recipe", "recipe.toml"])


def _report(run: Run, summary: Summary) -> None:
    from pail.report.report import report_page  # with the panels and the page it draws

    facts = {"command": command(run), "seed": run.recipe.seed, "layout": run.recipe.layout, "version": __version__}
    name = Path(run.out.url.rstrip("/")).name or run.out.url
    page = report_page(
        name, lines(run.out), lambda path: decode(run.out.read(path)), skipped=summary.skipped, facts=facts
    )
    run.out.write("report.html", page.encode())
