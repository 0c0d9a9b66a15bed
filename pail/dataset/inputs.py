"""The input files of a run: list them, check that they are normal images, and compare them when the run is resumed."""

from __future__ import annotations

import hashlib
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.beyond.real.defects import Defects
from pail.core.image import MOST_IMAGES, as_normal_image, data_range_of
from pail.dataset.recipe import IN_MEMORY, Recipe
from pail.dataset.sizes import fitted
from pail.dataset.store import CLAIM, Store
from pail.dataset.tiles import too_small
from pail.io.listing import sift
from pail.io.read import MAX_PIXELS, Picture, UnreadableError, count_pages, looks_like_mask, read_picture, read_size
from pail.io.select import LABELS, Selection, excluded, no_images, normal_images, select
from pail.pixels.foreground import foreground_of
from pail.registry import TECHNIQUES

PAGE = "#page="  # between a file's name and the number of the page, from 1
MOST_COUNTED = 100  # TIFF files whose pages are counted for a warning
SHOWN = 3  # names in a message
FIRST = 8  # images that are checked for a background

FileStates = list[list[Any]]  # per file: role, name, size, modification time, and a checksum if requested


@dataclass(frozen=True)
class Inputs:
    """The stores and names of normal images, sources and regions."""

    normals: Store
    sources: Store | None
    rois: Store | None
    roi_names: dict[str, str]  # name of a normal image without its suffix: its mask
    defects: Defects | None = None  # the bank of real defects
    kinds: tuple[str, ...] = ()  # the kinds of the bank that may be drawn
    run: str = field(default_factory=lambda: uuid.uuid4().hex)  # decoded sources are cached for one run


class ValuesInUse(NamedTuple):
    """The window of values that a folder of images uses, and the number of images that were read."""

    low: float
    high: float
    images: int

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, the 0.1 and 99.9 % quantiles of {self.images} images"


def file_of(name: str) -> tuple[str, int]:
    """The file of a listed image, and its page number from 0."""
    file, mark, page = name.rpartition(PAGE)
    return (file, int(page) - 1) if mark and page.isdigit() else (name, 0)


def read_image(store: Store, name: str, recipe: Recipe) -> Picture:
    """Read a listed image."""
    file, page = file_of(name)
    return read_picture(store.read(file), page=page, max_pixels=recipe.max_pixels or MAX_PIXELS)


def find_images(argument: str, where: Any, recipe: Recipe, *, normal: bool = False) -> tuple[Store, Selection]:
    """Find the images that an argument selects, and warn about skipped files.

    Parameters
    ----------
    argument : str
        The name of the argument, for messages.
    where : path, URL or sequence of paths
        A folder, a glob pattern, paths or a file that lists them, see `pail.io.select.select`; or the URL of a folder.
    recipe : Recipe
        It defines which files are excluded and how folders are searched; no masks of `roi` are excluded.
    normal : bool
        Whether only normal images are wanted, so that masks, labels and test images are left out or refused.
    """
    is_remote = isinstance(where, str) and "://" in where and not where.startswith("file://")
    if is_remote:
        names = Store(where).remote_names()
        found = Selection(where, sift(names), tuple(name for name in sorted(names) if name.endswith(LABELS)))
    else:
        place = where.removeprefix("file://") if isinstance(where, str) else where
        found = select(argument, place, follow_links=recipe.follow_links, column=recipe.column)
    if found.listing.skipped_summary:
        hint = "; follow_links=True (--follow-links) follows them" if found.listing.links else ""
        warnings.warn(f"`{argument}`: {found.listing.skipped_summary}{hint}", UserWarning, stacklevel=2)
    patterns = recipe.exclude if argument != "roi" else ()
    notes: list[str] = []
    if normal:
        _check_own(argument, found)
        kept, notes = normal_images(argument, found, patterns, lambda root, name: _is_mask(root, name, recipe))
    else:
        kept = excluded(found, patterns)
    if not kept.names:
        raise no_images(argument, Store(found.root), found)
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return Store(kept.root), kept


def _check_own(argument: str, found: Selection) -> None:
    store = Store(found.root)
    if not found.chosen and store.exists(CLAIM) and any("/" in name for name in found.names):
        raise ValueError(
            f"`{argument}` must contain normal images only, got {store}, a data set of pail generate; pass "
            "the folder of its good images"
        )


def _is_mask(root: str, name: str, recipe: Recipe) -> bool:
    try:
        return looks_like_mask(read_image(Store(root), name, recipe).pixels)
    except (UnreadableError, OSError):
        return False


def read_bank(recipe: Recipe, given: Any = None) -> tuple[Defects | None, tuple[str, ...]]:
    """Read the bank of real defects, and find which of its kinds may be
    drawn.

    Parameters
    ----------
    recipe : Recipe
        It defines where the bank is, and which kinds are drawn.
    given : Defects or path, optional
        The bank, or its current path.
    """
    if recipe.defects is None:
        return None, ()
    place = recipe.defects if given is None else given
    if place == IN_MEMORY:
        raise ValueError(
            "`defects` must be given again: the recipe was made with a bank in memory, which a recipe cannot contain"
        )
    try:
        bank = place if isinstance(place, Defects) else Defects.read(place)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("`path`", "`defects`")) from None
    bank.identity  # noqa: B018 (reads all photographs, once, so that a pickle of the bank knows it)
    wanted = [recipe.options.get(name, {}).get("kinds") for name in recipe.names if TECHNIQUES[name].takes_defects]
    chosen = {kind for kinds in wanted for kind in ([kinds] if isinstance(kinds, str) else kinds or bank.kinds)}
    return bank, tuple(kind for kind in bank.kinds if kind in chosen)


def list_pages(store: Store, names: list[str], recipe: Recipe) -> list[str]:
    """A name for each page of multi-page files, or the names of the files with a warning that further pages are
    skipped."""
    stacks = {name: count for name, count in _pages(store, names, only_some=recipe.pages == "first") if count > 1}
    if not stacks:
        return names
    if recipe.pages == "first":
        warnings.warn(
            f"files such as {next(iter(stacks))!r} have several pages, of which the first is used; "
            "pages='all' (--pages all) uses all",
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


def check_regions(normals: Sequence[str], roi_names: dict[str, str], rois: Store) -> None:
    """Raise an error if no normal image has a mask with its name; warn if some have none."""
    without = [name for name in normals if stem_of(name) not in roi_names]
    if len(without) == len(normals):
        raise ValueError(
            f"`roi` must contain masks with the names of the images, such as {stem_of(normals[0])}.png, "
            f"got {rois} with {', '.join(sorted(roi_names.values())[:SHOWN])}"
        )
    if without:
        warnings.warn(
            f"{len(without)} of {len(normals)} images have no mask in {rois} and get no anomalies: "
            f"{', '.join(without[:SHOWN])}{', ...' * (len(without) > SHOWN)}; add masks with their names, or "
            "roi='auto'",
            UserWarning,
            stacklevel=2,
        )


def check_tiles(store: Store, names: Sequence[str], recipe: Recipe) -> None:
    """Raise an error if an image is smaller than a tile, according to the headers of local files. Remote files are
    checked later."""
    side = recipe.tile
    if side is None or recipe.size is not None or not store.is_local:
        return

    def size(name: str) -> tuple[int, int] | None:
        file, page = file_of(name)
        try:
            return read_size(store.path(file), page=page, max_pixels=recipe.max_pixels or MAX_PIXELS)
        except (UnreadableError, OSError):  # skipped when the set is made
            return None

    with ThreadPoolExecutor(8) as pool:
        for name, shape in zip(names, pool.map(size, names), strict=True):
            if shape is not None and min(shape) < side:
                raise ValueError(f"`tile` must fit into each image, got {name!r}: {too_small(shape, side)}")


def warn_of_background(store: Store, names: Sequence[str], recipe: Recipe) -> None:
    """Warn about the share of anomalies that will be on the background if `roi` is "none", estimated from the first
    images."""
    if recipe.roi != "none":
        return
    shares = {}
    for name in names[:FIRST]:
        try:
            pixels = fitted(read_image(store, name, recipe).pixels, recipe.size, recipe.fit)
            found = foreground_of(as_normal_image(pixels, recipe.data_range, alpha=recipe.alpha))
        except (UnreadableError, OSError, TypeError, ValueError, cv2.error):  # reported when the set is made
            continue
        shares[name] = 1 - cv2.countNonZero(found) / found.size
    behind = next((name for name, share in shares.items() if share > 0), None)
    if behind is not None:
        warnings.warn(
            f"`roi` is 'none': about {sum(shares.values()) / len(shares):.0%} of the anomalies will be on the "
            f"background, for example of {behind!r}; roi='auto' (--roi auto) keeps them on the object",
            UserWarning,
            stacklevel=2,
        )


def values_in_use(names: Sequence[str], read: Callable[[str], Picture], *, alpha: bool | None = None) -> ValuesInUse:
    """The 0.1 % and 99.9 % quantiles of the values in a folder.

    Parameters
    ----------
    names : sequence of str
        The files. At most 100 of them are read, spread evenly over the list, so that the same list gives the same
        values.
    read : callable
        Reads the image with a name. Files for which it raises UnreadableError or OSError are left out, as are those
        with NaN or infinity.
    alpha : bool, optional
        Whether the last of two or four channels is alpha, which is ignored; by default that of four channels, and that
        of two channels if the file says so.

    Returns
    -------
    ValuesInUse
        Two values, low < high, and the number of images that were read.

    Raises
    ------
    ValueError
        If no image can be read, if images differ in dtype, or if all values are equal.
    """
    used: list[str] = []

    def images() -> Iterator[np.ndarray]:
        count = min(MOST_IMAGES, len(names))
        for name in (names[index * len(names) // count] for index in range(count)):
            try:
                picture = read(name)
            except (UnreadableError, OSError):
                continue
            pixels = picture.pixels
            if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
                continue
            used.append(name)
            channels = pixels.shape[2] if pixels.ndim == 3 else 1
            has_alpha = True if alpha is None and picture.alpha and channels == 2 else alpha
            if has_alpha is not None and channels in (2, 4):
                # One channel is treated like a color channel, and of three channels none is alpha.
                pixels = pixels[..., :-1] if has_alpha else pixels.reshape(pixels.shape[0], -1)
            yield pixels

    try:
        low, high = data_range_of(images())
    except (TypeError, ValueError) as error:
        where = f" at {used[-1]}" if used else ""
        raise ValueError(
            f"`data_range` must be given as numbers for these images, because 'auto' finds none{where}: {error}"
        ) from error
    return ValuesInUse(low, high, len(used))


def stem_of(name: str) -> str:
    """The name of the mask of a normal image, without suffix."""
    return file_of(name)[0].rpartition(".")[0]


def file_states(roles: dict[str, tuple[Store | None, Sequence[str]]], *, checksums: bool) -> FileStates:
    """Size and modification time of all files, with checksums on request, to detect later changes."""
    states: FileStates = []
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
            states.append([role, name, *stamps[name], checksum])
    return states


def _checksum(store: Store, name: str) -> str:
    try:
        return hashlib.sha256(store.read(name)).hexdigest()
    except OSError as error:
        return f"unreadable: {type(error).__name__}"


def changed_files(before: FileStates, now: FileStates, *, checksums: bool) -> list[str]:
    """The differences in words, one entry for each file. With checksums, modification times are ignored."""

    def key(entry: list[Any]) -> tuple[Any, ...]:
        return tuple(entry[2:3] + entry[4:5]) if checksums else tuple(entry[2:4])

    old, new = ({(entry[0], entry[1]): key(entry) for entry in state} for state in (before, now))
    found = [f"{name} is new" for role, name in new if (role, name) not in old]
    found += [f"{name} was removed" for role, name in old if (role, name) not in new]
    found += [f"{name} was changed" for (role, name), entry in new.items() if old.get((role, name), entry) != entry]
    return found
