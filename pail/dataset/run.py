"""A run: its inputs and its plan, which are checked before anything is written, and its claim on the output folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pail._version import __version__
from pail.beyond.presets import as_preset
from pail.beyond.real.defects import Defects
from pail.call.insert import as_mix
from pail.core.checks import describe
from pail.core.names import OWN
from pail.dataset.inputs import (
    FileStates,
    Inputs,
    ValuesInUse,
    changed_files,
    check_regions,
    check_tiles,
    file_states,
    find_images,
    list_pages,
    read_bank,
    read_image,
    values_in_use,
    warn_of_background,
)
from pail.dataset.labels import coco_encoder
from pail.dataset.plan import Plan, make_plan
from pail.dataset.recipe import IN_MEMORY, Recipe, parse_options, to_toml
from pail.dataset.store import CLAIM, LOCK, StoppedError, Store
from pail.inserter import try_mix
from pail.registry import TECHNIQUES

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

PARTS = ".pail/parts"  # a file for each finished chunk


@dataclass(frozen=True)
class Run:
    """Everything that a run needs, already checked."""

    inputs: Inputs
    out: Store
    plan: Plan
    chunks: range  # of this shard
    fingerprint: str  # hash of the lists of files, and the shard
    files: FileStates
    verify: bool = False
    values: ValuesInUse | None = None  # if `data_range` was "auto"
    given: tuple[str, str] = ("", "")  # the normal images and the sources as command-line arguments

    @property
    def recipe(self) -> Recipe:
        return self.plan.recipe

    @property
    def command(self) -> str:
        """The command that makes the data set again next to it."""
        source = ["--source", self.given[1]] if self.inputs.sources else []
        out = self.out.url.rstrip("/")
        recipe = f"{out}/recipe.toml" if self.out.is_local else "recipe.toml"  # which has to be downloaded first
        return shlex.join(["pail", "generate", self.given[0], f"{out}-again", *source, "--recipe", recipe])


def prepare_run(
    normals: Paths,
    out: str | os.PathLike[str],
    source: Paths | None,
    recipe: Recipe,
    shard: Any = None,
    *,
    verify: bool = False,
    bank: Any = None,
) -> Run:
    """List and check the inputs, find the range of values, and plan the images. Nothing is written."""
    out_store = Store(out)
    if recipe.coco:
        coco_encoder()
    normal_store, names = _found("normals", normals, recipe, out_store, normal=True)
    source_store, sources = _found("source", source, recipe, out_store)
    rois, masks = _found("roi", recipe.roi_folder, recipe, out_store)
    assert normal_store is not None
    roi_names = {name.rpartition(".")[0]: name for name in masks}
    if rois is not None:
        check_regions(names, roi_names, rois)
    files = file_states(
        {"normal": (normal_store, names), "source": (source_store, sources), "roi": (rois, masks)}, checksums=verify
    )
    names = list_pages(normal_store, names, recipe)
    check_tiles(normal_store, names, recipe)
    values = None
    if recipe.data_range == "auto":
        values = values_in_use(names, lambda name: read_image(normal_store, name, recipe), alpha=recipe.alpha)
        recipe = replace(recipe, data_range=(values.low, values.high))
    warn_of_background(normal_store, names, recipe)
    if recipe.defects not in (None, IN_MEMORY):
        _check_apart(out_store, Store(recipe.defects))
    defects, kinds = read_bank(recipe, bank)
    _check_kinds(recipe, defects)
    try_mix(as_mix(recipe.names, None, recipe.options, defects), recipe.severity, defects)
    _warn_of_sources(recipe, source)
    plan = make_plan(recipe, names, sources)
    first, count = _as_shard(shard)
    chunks = range(plan.chunks * first // count, plan.chunks * (first + 1) // count)
    lists = json.dumps([names, sources, sorted(roi_names.values())]).encode()
    inputs = Inputs(normal_store, source_store, rois, roi_names, defects, kinds)
    given = words_of("IMAGES", normals, normal_store), words_of("SOURCES", source, source_store)
    fingerprint = f"{hashlib.sha256(lists).hexdigest()} {first + 1}/{count}"
    return Run(inputs, out_store, plan, chunks, fingerprint, files, verify, values, given)


def _check_kinds(recipe: Recipe, bank: Defects | None) -> None:
    """Raise an error for a kind that is not in the bank, before a trial insertion raises a less specific one."""
    for name in recipe.names if bank is not None else ():
        if TECHNIQUES[name].takes_defects and bank is not None:
            try:
                bank.of_kinds(recipe.options.get(name, {}).get("kinds"))
            except (TypeError, ValueError) as error:
                raise type(error)(f"`options[{name!r}]`: {error}") from None


def _warn_of_sources(recipe: Recipe, source: Any) -> None:
    """Warn if the paper of a preset uses sources and none are given."""
    kind = as_preset(recipe.preset).source if recipe.preset else "none"
    if kind != "none" and source is None:
        what = {"textures": "textures", "normal": "other normal images", "defects": "real anomalous images"}[kind]
        warnings.warn(
            f"`preset` {recipe.preset!r} uses {what} as sources, but none are given: techniques use the image "
            "itself; pass source=FOLDER (--source FOLDER)",
            UserWarning,
            stacklevel=2,
        )


def _found(
    argument: str, where: Paths | None, recipe: Recipe, out: Store, *, normal: bool = False
) -> tuple[Store | None, list[str]]:
    """The images of an argument and their store, which must be separate from the data set."""
    if where is None:
        return None, []
    if isinstance(where, str | os.PathLike):
        _check_apart(out, Store(where))  # first, because the search may take long
    store, found = find_images(argument, where, recipe, normal=normal)
    if found.grows:
        _check_apart(out, store)
    elif out.is_local and store.is_local:
        inside = [
            name for name in found.names if Path(store.path(name)).resolve().is_relative_to(Path(out.url).resolve())
        ]
        if inside:
            raise ValueError(f"`out` must not contain input files, got {out}, which contains {store.path(inside[0])}")
    return store, found.names


def words_of(placeholder: str, where: Paths | None, store: Store | None) -> str:
    """The command-line argument that selects these images; for a Python list, the name of a file that would list
    them."""
    if isinstance(where, str | os.PathLike):
        return Store(where).url
    return "" if store is None else f"{placeholder}.txt"


def _check_apart(out: Store, other: Store) -> None:
    if not (out.is_local and other.is_local):
        return
    here, there = Path(out.url).resolve(), Path(other.url).resolve()
    if there in (here, *here.parents):
        raise ValueError(f"`out` must not be inside an input folder, got {here} in {there}")
    if here in there.parents:  # overwriting it would delete the inputs
        raise ValueError(f"`out` must not contain an input folder, got {here}, which contains {there}")


def _as_shard(shard: Any) -> tuple[int, int]:
    """The index of the shard, from 0, and the number of shards."""
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
def locked(out: Store) -> Iterator[None]:
    """Lock the output folder for one run at a time. The operating system releases the lock if the process dies. Object
    stores have no lock."""
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


def check_claim(run: Run, *, resume: bool, overwrite: bool) -> bool:
    """Whether the output folder contains a data set that this run started. Raises an error if it contains anything
    else."""
    if resume and overwrite:
        raise ValueError(
            "`resume` and `overwrite` must not both be given: one keeps the existing files, the other deletes them"
        )
    if run.out.is_local and Path(run.out.url).exists() and not Path(run.out.url).is_dir():
        raise ValueError(f"`out` must be a folder, got {run.out}")
    if run.out.is_empty():
        return False
    started = run.out.exists(CLAIM)
    if overwrite and started:
        return False
    if not resume:
        hint = "resume=True (--resume) or overwrite=True (--overwrite)" if started else "a new folder"
        raise ValueError(f"`out` must be new or empty, got {run.out}; pass {hint}")
    if not started:
        raise ValueError(f"`out` must be a data set that was started, to be resumed, got {run.out}")
    _check_same(run, _read_claim(run.out))
    return True


def _claim_of(run: Run) -> dict[str, Any]:
    return {
        "version": __version__,
        "inputs": run.fingerprint,
        "recipe": to_toml(run.recipe),
        "defects": None if run.inputs.defects is None else run.inputs.defects.identity,
        "verify": run.verify,
        "files": run.files,
    }


def _read_claim(out: Store) -> dict[str, Any]:
    try:
        claim = json.loads(out.read(CLAIM))
        claim["version"], claim["inputs"], claim["recipe"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"`out` must contain a valid {CLAIM}, got a damaged one in {out}, so the run cannot be resumed; "
            "overwrite=True (--overwrite) deletes the set and starts over"
        ) from error
    return dict(claim)


def _check_same(run: Run, claim: dict[str, Any]) -> None:
    """Raise an error if another run started the data set, because its files and those of this run would not fit
    together."""
    own = _claim_of(run)
    wanted = f"`out` must have been started with the same recipe, files and version, got {run.out}"
    if claim["version"] != own["version"]:
        raise ValueError(f"{wanted} of version {claim['version']}, but this is version {own['version']}")
    before, now = (parse_options(text) for text in (claim["recipe"], own["recipe"]))
    if claim.get("defects") != own["defects"]:
        raise ValueError(
            f"{wanted} with another bank of real defects, {claim.get('defects')}; `defects` is {own['defects']}"
        )
    for options in (before, now):
        options.pop("defects", None)  # the bank may have been moved
    other = sorted(name for name in {**before, **now} if before.get(name) != now.get(name))
    if other and (other != ["data_range"] or run.values is None):  # a measured window depends on the files
        raise ValueError(f"{wanted} with another {', '.join(other)}")
    if run.verify and not claim.get("verify"):
        raise ValueError(f"`verify` must have been set when the run was started, got no checksums in {run.out}")
    found = changed_files(claim.get("files", []), own["files"], checksums=run.verify)
    if found:
        more = f", and {len(found) - 3} more" if len(found) > 3 else ""
        raise ValueError(
            f"{wanted}; since then {', '.join(found[:3])}{more}. Start over with overwrite=True (--overwrite) or a new "
            "folder"
        )
    if claim["inputs"] != own["inputs"]:
        shards = (text.rpartition(" ")[2] for text in (claim["inputs"], own["inputs"]))
        raise ValueError(f"{wanted} of shard {', not '.join(shards)}")


def claim_output(run: Run, *, resume: bool, overwrite: bool) -> None:
    """Write the claim, and delete an existing data set. After that, an interrupted run can be resumed."""
    started = check_claim(run, resume=resume, overwrite=overwrite)
    run.out.delete_temporary()  # the lock ensures that they do not belong to another run
    if not started:
        # Files that name other files are deleted first, and the old claim is replaced last: if the run is interrupted
        # in between, the old data set can still be resumed, and the new one can be started again.
        files = [name for name in OWN if "." in name[1:]]
        run.out.remove([*files, PARTS, *(name for name in OWN if "." not in name)])
        run.out.write(CLAIM, json.dumps(_claim_of(run)).encode())
    run.out.write("recipe.toml", to_toml(run.recipe).encode())
