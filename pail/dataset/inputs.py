"""Which files a run reads: listed, looked at for what is no normal image, and known again when the run is resumed."""

from __future__ import annotations

import fnmatch
import hashlib
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from pail.dataset.recipe import Recipe
from pail.dataset.store import Store
from pail.io.read import MAX_PIXELS, Picture, UnreadableError, count_pages, read_picture

PAGE = "#page="  # between a file's name and the number of the page, from 1
MARKS = ("mask", "masks", "label", "labels", "gt", "groundtruth", "ground_truth", "seg", "annotation")
LOOKED_AT = 5  # files that are opened to see whether they are masks
BINARY = 0.99  # share of a mask's pixels near one of its two values
MOST_COUNTED = 100  # TIFF files whose pages are counted for a warning
SHOWN = 3  # names in a message

State = list[list[Any]]  # role, name, size, stamp and, where they were asked for, checksum


def file_of(name: str) -> tuple[str, int]:
    """The file of a listed image, and its page from 0."""
    file, mark, page = name.rpartition(PAGE)
    return (file, int(page) - 1) if mark and page.isdigit() else (name, 0)


def read(store: Store, name: str, recipe: Recipe) -> Picture:
    """A listed image."""
    file, page = file_of(name)
    return read_picture(store.read(file), page=page, max_pixels=recipe.max_pixels or MAX_PIXELS)


def list_images(argument: str, store: Store, recipe: Recipe) -> list[str]:
    """The images of a folder, as the recipe has it; an error where there are none, a warning of what was left out."""
    listing = store.listing(follow_links=recipe.follow_links)
    if listing.passed_over:
        warnings.warn(f"`{argument}`: {listing.passed_over}{_way(listing.links)}", UserWarning, stacklevel=2)
    patterns = recipe.exclude if argument != "roi" else ()
    names = [name for name in listing.names if not _matches(name, patterns)]
    if not names:
        why = " that `exclude` leaves" if listing.names else ""
        raise ValueError(f"`{argument}` must be a folder with images{why}, got {store} with none")
    return names


def _way(links: Sequence[str]) -> str:
    return "; follow_links=True (--follow-links) follows them" if links else ""


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern fits the path, or the name of the file alone."""
    return any(fnmatch.fnmatchcase(part, p) for p in patterns for part in (name, name.rpartition("/")[2]))


def list_pages(store: Store, names: list[str], recipe: Recipe) -> list[str]:
    """A name for each page of files that hold several, or the files, with a warning where pages are passed over."""
    stacks = {name: count for name, count in _pages(store, names, only_some=recipe.pages == "first") if count > 1}
    if not stacks:
        return names
    if recipe.pages == "first":
        warnings.warn(
            f"files such as {next(iter(stacks))!r} hold several pages, of which the first is taken; "
            "pages='all' (--pages all) takes all",
            UserWarning,
            stacklevel=2,
        )
        return names
    return [
        entry
        for name in names
        for entry in ([f"{name}{PAGE}{k + 1}" for k in range(stacks[name])] if name in stacks else [name])
    ]


def _pages(store: Store, names: list[str], *, only_some: bool) -> Iterator[tuple[str, int]]:
    tiffs = [name for name in names if name.lower().endswith((".tif", ".tiff"))]
    if only_some:
        tiffs = tiffs[:: -(-len(tiffs) // MOST_COUNTED) or 1]

    def count(name: str) -> int:
        try:
            return count_pages(store.path(name) if store.is_local else store.read(name))
        except (UnreadableError, OSError):
            return 1

    with ThreadPoolExecutor(8) as pool:
        yield from zip(tiffs, pool.map(count, tiffs), strict=True)


def check_normals(store: Store, names: list[str], recipe: Recipe) -> None:
    """Raise where the folder holds more than normal images: a whole data set, or masks beside the images."""
    parts = [name.split("/") for name in names]
    roots = {part[0] for part in parts if len(part) > 1}
    trained = [part for part in parts if "train" in part[:-1] and part[part.index("train") + 1] == "good"]
    defects = [p for p in parts if "ground_truth" in p[:-1] or ("test" in p[:-2] and p[p.index("test") + 1] != "good")]
    if trained and defects:
        place = "/".join(trained[0][: trained[0].index("train")])
        folder = "/".join(part for part in (store.url.rstrip("/"), place, "train/good") if part)
        raise ValueError(
            f"`normals` must hold normal images only, got {store}, a data set with defects and ground truth such as "
            f"{'/'.join(defects[0])!r}; pass {folder}"
        )
    here = Path(store.path(""))
    if store.is_local and here.name == "test" and (here.parent / "ground_truth").is_dir() and roots - {"good"}:
        raise ValueError(
            f"`normals` must hold normal images only, got {store} beside ground truth; pass "
            f"{Path(store.url).parent / 'train' / 'good'}"
        )
    if store.exists(".pail/inputs.json") and roots:
        raise ValueError(
            f"`normals` must hold normal images only, got {store}, a data set of pail generate; pass the folder of "
            "its good images"
        )
    _check_masks(store, names, recipe)


def _check_masks(store: Store, names: list[str], recipe: Recipe) -> None:
    """Files that are named after another file of the folder and hold two values only."""
    stems = {name.rpartition(".")[0] for name in names}
    found: dict[str, list[str]] = {}
    for name in names:
        stem, _, suffix = name.rpartition(".")
        for mark in MARKS:
            before = stem[: -len(mark) - 1]
            if stem.lower().endswith(("_" + mark, "-" + mark)) and before in stems:
                found.setdefault(f"*{stem[len(before) :]}.{suffix}", []).append(name)
                break
    for pattern, members in found.items():
        if all(_is_mask(store, name, recipe) for name in members[:LOOKED_AT]):
            raise ValueError(
                f"`normals` must hold normal images only, got {len(members)} files such as {members[0]!r}, which look "
                f"like masks; exclude={pattern!r} (--exclude {pattern!r}) leaves them out"
            )


def _is_mask(store: Store, name: str, recipe: Recipe) -> bool:
    try:
        pixels = read(store, name, recipe).pixels
    except (UnreadableError, OSError):
        return False
    pixels = pixels.reshape(*pixels.shape[:2], -1)[..., :3].astype(np.float32)
    low, high = float(pixels.min()), float(pixels.max())
    near = np.minimum(pixels - low, high - pixels) <= 0.1 * (high - low)
    return bool(near.mean() >= BINARY)


def check_regions(normals: Sequence[str], roi_names: dict[str, str], rois: Store) -> None:
    """Raise where no normal image has a mask of its name; warn where some have none."""
    without = [name for name in normals if stem_of(name) not in roi_names]
    if len(without) == len(normals):
        raise ValueError(
            f"`roi` must hold masks that are named as the images, such as {stem_of(normals[0])}.png, got {rois} with "
            f"{', '.join(sorted(roi_names.values())[:SHOWN])}"
        )
    if without:
        warnings.warn(
            f"{len(without)} of {len(normals)} images have no mask in {rois} and get no anomalies: "
            f"{', '.join(without[:SHOWN])}{', ...' * (len(without) > SHOWN)}; add masks of their names, or "
            "roi='foreground'",
            UserWarning,
            stacklevel=2,
        )


def stem_of(name: str) -> str:
    """The name of a normal image under which its mask is found."""
    return file_of(name)[0].rpartition(".")[0]


def state_of(roles: dict[str, tuple[Store | None, Sequence[str]]], *, checksums: bool) -> State:
    """What files are and how to see that they were changed, for `.pail/inputs.json`."""
    state: State = []
    for role, (store, listed) in roles.items():
        if store is None:
            continue
        names = list(dict.fromkeys(file_of(name)[0] for name in listed))
        stamps = store.stamps(names)
        sums: Any = [None] * len(names)
        if checksums:
            with ThreadPoolExecutor(8) as pool:
                sums = pool.map(lambda name, store=store: _checksum(store, name), names)
        for name, checksum in zip(names, sums, strict=True):
            state.append([role, name, *stamps[name], checksum])
    return state


def _checksum(store: Store, name: str) -> str:
    try:
        return hashlib.sha256(store.read(name)).hexdigest()
    except OSError as error:
        return f"unreadable: {type(error).__name__}"


def changes(before: State, now: State, *, checksums: bool) -> list[str]:
    """What differs between two states, in words; with checksums the time of writing does not count."""

    def key(entry: list[Any]) -> tuple[Any, ...]:
        return tuple(entry[2:3] + entry[4:5]) if checksums else tuple(entry[2:4])

    old, new = ({(entry[0], entry[1]): key(entry) for entry in state} for state in (before, now))
    found = [f"{name} is new" for role, name in new if (role, name) not in old]
    found += [f"{name} is gone" for role, name in old if (role, name) not in new]
    found += [f"{name} was changed" for (role, name), entry in new.items() if old.get((role, name), entry) != entry]
    return found
