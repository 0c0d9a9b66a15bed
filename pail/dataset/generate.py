"""A data set on disk: planned lazily, made in chunks by any number of workers, whole or resumable at any moment."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import joblib
import numpy as np
from filelock import FileLock, Timeout

from pail._version import __version__
from pail.call.record import stack
from pail.core.checks import as_number, describe
from pail.dataset import plan as plans
from pail.dataset import recipe as recipes
from pail.dataset.coco import write_coco
from pail.dataset.layout import OWN, data_yaml
from pail.dataset.make import Inputs, dump, make
from pail.dataset.plan import Item, Plan
from pail.dataset.recipe import Recipe
from pail.dataset.store import LOCK, StoppedError, Store
from pail.io.read import decode
from pail.pai import Anomaly_Insertion
from pail.registry import TECHNIQUES, is_own, register

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

    @property
    def images(self) -> int:
        return self.good + self.anomalies

    @property
    def manifest(self) -> str:
        return f"{self.out.rstrip('/')}/manifest.jsonl"

    @property
    def status(self) -> int:
        """The exit status: 0 all made, 3 some files skipped, 1 nothing made."""
        return 1 if self.images == 0 else 3 if self.skipped else 0


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
    progress: bool = False,
    **options: Any,
) -> Summary:
    """Make a labelled data set of pseudo-anomalies from a folder of normal
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
        ``joblib.parallel_config`` its backend is used. The bytes do not
        depend on it.
    shard : str or (int, int), optional
        ``"2/4"``: the second of four parts. Their folders and, in order,
        their manifests add up to the whole set.
    resume : bool, default False
        Go on with a run that was ended: the same files come out as of one
        that was not.
    overwrite : bool, default False
        Drop the data set that is in `out`.
    progress : bool, default False
        Whether a bar is shown.
    **options
        ``number`` (of anomalous images) or ``per_image``, ``techniques``,
        ``weights``, ``options`` (keywords of techniques), ``anomalies`` (in
        an image), ``roi`` ("foreground" or a folder of masks),
        ``severity``, ``size`` (height, width), ``seed``, ``layout``
        ("mvtec", "flat", "yolo"), ``purpose`` ("training", "validation"),
        ``test_share``, ``format`` ("png", "tiff", "jpg", "bmp"),
        ``compression`` (of PNG, 0 to 9), ``coco``, ``data_range``,
        ``source_range``, ``alpha``.

    Returns
    -------
    Summary
        Counts, skipped files and paths.

    Raises
    ------
    TypeError, ValueError
        If an option is wrong, there is no image, or `out` holds something
        else; nothing has been touched then.
    StoppedError
        If the disk is full or a file cannot be written; ``resume=True``
        goes on.

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
    checked = recipes.make(**{**(recipes.load(recipe) if recipe else {}), **_given(options)})
    count = joblib.cpu_count() if workers is None else int(as_number("workers", workers, 1, 1024, integer=True))
    run = _prepare(Store(normals), Store(out), None if source is None else Store(source), checked, shard)
    _check_claim(run, resume=resume, overwrite=overwrite)
    with _locked(run.out):
        _claim(run, resume=resume, overwrite=overwrite)
        _work(run, count, progress=progress)
        return _finish(run)


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


def _prepare(normals: Store, out: Store, source: Store | None, recipe: Recipe, shard: Any) -> Run:
    names = normals.names()
    if not names:
        raise ValueError(f"`normals` must be a folder with images, got {normals} with none")
    sources = [] if source is None else source.names()
    if source is not None and not sources:
        raise ValueError(f"`source` must be a folder with images, got {source} with none")
    rois, roi_names = None, {}
    if recipe.roi not in (None, "foreground"):
        rois = Store(str(recipe.roi))
        roi_names = {name.rpartition(".")[0]: name for name in rois.names()}
        if not roi_names:
            raise ValueError(f"`roi` must be 'foreground' or a folder of masks, got {rois} with no image")
    _check_apart(out, normals, source, rois)
    _try(recipe)
    plan = plans.make(recipe, names, sources)
    first, count = _as_shard(shard)
    chunks = range(plan.chunks * first // count, plan.chunks * (first + 1) // count)
    lists = json.dumps([names, sources, sorted(roi_names.values())]).encode()
    inputs = Inputs(normals, source, rois, roi_names)
    return Run(inputs, out, plan, chunks, f"{hashlib.sha256(lists).hexdigest()} {first + 1}/{count}")


def _try(recipe: Recipe) -> None:
    """Each technique once, so that a wrong keyword is an error of the call and not of every image."""
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    for name in recipe.names:
        keywords = recipe.options.get(name, {})
        Anomaly_Insertion().insert(
            image, image, techniques=name, options={name: keywords}, severity=recipe.severity, rng=0
        )


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
    if json.loads(run.out.read(INPUTS)) != _own_claim(run):
        raise ValueError(f"`out` must have been started with the same recipe, files and version, got {run.out}")
    return True


def _own_claim(run: Run) -> dict[str, str]:
    return {"version": __version__, "inputs": run.fingerprint, "recipe": recipes.dumps(run.recipe)}


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


def _work(run: Run, count: int, *, progress: bool) -> None:
    own = {name: t for name, t in TECHNIQUES.items() if is_own(name) and name in run.recipe.names}
    todo = (chunk for chunk in run.chunks if not run.out.exists(_part(chunk)))
    tasks = (
        joblib.delayed(_make_chunk)(run.recipe, run.inputs, run.out, list(run.plan.items(chunk)), _part(chunk), own)
        for chunk in todo
    )
    for made in _bar(_results(tasks, count), len(run.chunks), progress=progress):
        del made


def _results(tasks: Any, count: int) -> Iterator[int]:
    backend = joblib.parallel.get_active_backend()[0]
    if type(backend).__name__ == "DaskDistributedBackend":
        yield from joblib.Parallel(return_as="generator", batch_size=1)(tasks)
    elif count == 1:
        for function, arguments, keywords in tasks:
            yield function(*arguments, **keywords)
    else:
        with joblib.parallel_config("loky", n_jobs=count, inner_max_num_threads=1):
            yield from joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="3*n_jobs")(tasks)


def _bar(results: Iterator[int], total: int, *, progress: bool) -> Iterator[int]:
    if not progress:
        return results
    from tqdm.auto import tqdm

    return iter(tqdm(results, total=total, unit="chunk", desc=f"{plans.CHUNK} images a chunk"))


def _make_chunk(recipe: Recipe, inputs: Inputs, out: Store, items: list[Item], part: str, own: dict[str, Any]) -> int:
    """Make the items' files, then, when all are there, the part that says so."""
    for name, technique in own.items():
        if name not in TECHNIQUES:
            register(name, technique.function, family=technique.family, takes_source=technique.takes_source)
    lines = []
    with _one_thread():
        for item in items:
            made = make(recipe, inputs, item)
            for name, data in made.files.items():
                out.write(name, data)
            lines.append({"made": made.line, "skipped": made.skipped})
    out.write(part, b"".join(dump(line) for line in lines))
    return len(items)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV's threads; those of BLAS and numba are held by the workers' environment."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


# --------------------------------------------------------------------------------------------------------------------
# The end


def _finish(run: Run) -> Summary:
    """The manifest and what is made from it. The parts stay, so that a finished set can be resumed, too."""
    summary = Summary(run.out.url)
    seen: dict[tuple[str, str], dict[str, str]] = {}
    with run.out.writing("manifest.jsonl") as manifest:
        for entry in _entries(run):
            for skipped in entry["skipped"]:
                seen.setdefault((skipped["role"], skipped["file"]), skipped)
            if entry["made"] is not None:
                manifest.write(dump(entry["made"]))
                _count(summary, entry["made"])
    summary.skipped = [seen[key] for key in sorted(seen)]
    run.out.write("skipped.jsonl", b"".join(dump(entry) for entry in summary.skipped))
    if run.recipe.layout == "yolo":
        run.out.write("data.yaml", data_yaml(run.recipe).encode())
    if run.recipe.coco:
        write_coco(run.out, run.recipe)
    run.out.write("dataset.json", _description(run, summary))
    _report(run, summary)
    return summary


def _entries(run: Run) -> Iterator[dict[str, Any]]:
    for chunk in run.chunks:
        for line in run.out.lines(_part(chunk)):
            yield json.loads(line)


def lines(out: Store) -> Iterator[dict[str, Any]]:
    """The lines of a finished manifest."""
    for line in out.lines("manifest.jsonl"):
        yield json.loads(line)


def _count(summary: Summary, line: dict[str, Any]) -> None:
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
    from pail.dataset.report import report_page  # with the panels and the page it draws

    facts = {"command": command(run), "seed": run.recipe.seed, "layout": run.recipe.layout, "version": __version__}
    name = Path(run.out.url.rstrip("/")).name or run.out.url
    page = report_page(
        name, lines(run.out), lambda path: decode(run.out.read(path)), skipped=summary.skipped, facts=facts
    )
    run.out.write("report.html", page.encode())
