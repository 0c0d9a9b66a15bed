"""Select images by a folder, a glob pattern, a list of paths, or a file that lists them."""

from __future__ import annotations

import csv
import fnmatch
import glob
import json
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from pail.core.checks import close_match, describe
from pail.io.listing import SUFFIXES, Listing, sift, walk

LISTS = (".txt", ".csv", ".json")  # files that list paths
COLUMNS = ("path", "file", "image", "filename")  # column names that are used if none is given
GOOD = "train/good/"  # the normal images of a category in the layout of MVTec AD
MARKS = ("mask", "masks", "label", "labels", "gt", "groundtruth", "ground_truth", "seg", "annotation", "annotations")
LABELS = (".json", ".txt", ".xml")  # annotation files next to images
TRUTH = "ground_truth"
LOOKED_AT = 5  # files that are opened to check whether they are masks
SHOWN = 3  # names in a message
WAYS = "a folder, a glob pattern, a list of paths, or a file that lists them (.txt, .csv, .json)"


@dataclass(frozen=True)
class Selection:
    """Selected images.

    Attributes
    ----------
    root : str
        The folder to which the names are relative.
    listing : Listing
        The names, and what was skipped.
    others : tuple of str
        Files that are not images, which may be annotations.
    grows : bool
        Whether a new file below the root could match the same argument.
    chosen : bool
        Whether each file was listed, so that no file is left out because of its name.
    """

    root: str
    listing: Listing
    others: tuple[str, ...] = ()
    grows: bool = True
    chosen: bool = False

    @property
    def names(self) -> list[str]:
        return self.listing.names


def is_several(where: Any) -> bool:
    """Whether the argument is a list of paths and not a single path."""
    return isinstance(where, Sequence) and not isinstance(where, str)


def select(argument: str, where: Any, *, follow_links: bool = False, column: str | None = None) -> Selection:
    """Find local images.

    Parameters
    ----------
    argument : str
        The name of the argument, for messages.
    where : path, str or sequence of paths
        A folder, which is searched with all folders below; a glob pattern; a file that lists paths, which are relative
        to its folder; an image; or paths.
    follow_links : bool
        Whether links to folders are followed.
    column : str, optional
        The column of a list in CSV or JSON.

    Raises
    ------
    TypeError, ValueError
        If the argument is none of these, does not exist, or lists a file that does not exist.
    """
    if is_several(where):
        return _selected(argument, "", [(os.fspath(_as_path(argument, path)), "") for path in where])
    path = Path(_as_path(argument, where))
    if path.is_dir():
        return _searched(str(path), *walk(path, follow_links=follow_links))
    if path.is_file():
        if path.suffix.lower() in LISTS:
            return _selected(argument, str(path.parent), _listed(argument, path, column))
        return Selection(str(path.parent), Listing([path.name]), grows=False, chosen=True)
    if glob.has_magic(str(where)):
        return _matching(str(where), follow_links)
    raise ValueError(f"`{argument}` must be {WAYS}, got {str(where)!r}, which does not exist")


def is_excluded(name: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern matches the path or the name of the file."""
    return any(fnmatch.fnmatchcase(part, p) for p in patterns for part in (name, name.rpartition("/")[2]))


def excluded(found: Selection, patterns: Sequence[str]) -> Selection:
    """The selection without the files that a pattern matches."""
    if not patterns:
        return found
    kept = [name for name in found.names if not is_excluded(name, patterns)]
    others = tuple(name for name in found.others if not is_excluded(name, patterns))
    return replace(found, listing=replace(found.listing, names=kept), others=others)


# --------------------------------------------------------------------------------------------------------------------
# Folders and patterns


def _searched(root: str, files: list[str], links: list[str], *, grows: bool = True) -> Selection:
    listing = sift(files, links)
    return Selection(root, listing, tuple(sorted(name for name in files if _suffix(name) in LABELS)), grows)


def _matching(pattern: str, follow_links: bool) -> Selection:
    """The images that match a glob pattern, in which ** stands for any number of folders."""
    parts = Path(pattern).parts
    first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    root, rest = Path(*parts[:first]), parts[first:]
    depth = None if "**" in rest else len(rest)
    files, links = walk(root, follow_links=follow_links, depth=depth)
    fitting = [name for name in files if fits(tuple(name.split("/")), rest)]
    crossed = [link for link in links if _may_lie_in(link.split("/"), rest)]
    return _searched(str(root), fitting, crossed, grows=depth is None)


def fits(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether a path matches a pattern, both given as their parts."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return len(pattern) == 1 or any(fits(parts[start:], pattern[1:]) for start in range(len(parts)))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and fits(parts[1:], pattern[1:])


def _may_lie_in(folder: list[str], pattern: tuple[str, ...]) -> bool:
    """Whether files below a folder may match a pattern."""
    for place, part in enumerate(pattern[:-1]):
        if part == "**" or place == len(folder):
            return True
        if not fnmatch.fnmatchcase(folder[place], part):
            return False
    return len(folder) < len(pattern)


# --------------------------------------------------------------------------------------------------------------------
# Lists


def _as_path(argument: str, where: Any) -> Any:
    if not isinstance(where, str | os.PathLike):
        raise TypeError(f"`{argument}` must be {WAYS}, got {describe(where)}")
    return where


def _selected(argument: str, base: str, entries: list[tuple[str, str]]) -> Selection:
    """The selection of listed files; each entry has its place in the list, for messages."""
    paths: dict[str, str] = {}
    missing: list[str] = []
    for entry, place in entries:
        path = os.path.normpath(os.path.join(base, entry))  # noqa: PTH118 (a link above is not followed)
        if not Path(path).is_file():
            missing.append(f"{entry!r}{place}")
        paths[os.path.abspath(path)] = path  # noqa: PTH100
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise ValueError(f"`{argument}` must list existing files, got {', '.join(missing[:SHOWN])}{more}")
    if not paths:
        raise ValueError(f"`{argument}` must list an image, got an empty list")
    root = os.path.abspath(base) if base else ""  # noqa: PTH100
    if not base or not all(Path(path).is_relative_to(root) for path in paths):
        try:
            root = os.path.commonpath([str(Path(path).parent) for path in paths])
        except ValueError as error:
            raise ValueError(f"`{argument}` must list files on one drive, got several: {error}") from None
    names = [Path(path).relative_to(root).as_posix() for path in paths]
    return Selection(root, Listing(names), grows=False, chosen=True)


def _listed(argument: str, path: Path, column: str | None) -> list[tuple[str, str]]:
    """The paths in a file, each with its line or entry."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"`{argument}` must be a list that can be read, got {path}: {error}") from None
    read = {".txt": _lines, ".csv": _rows, ".json": _objects}[path.suffix.lower()]
    return [(entry, f" ({place} of {path.name})") for entry, place in read(argument, path, text, column)]


def _lines(argument: str, path: Path, text: str, column: str | None) -> list[tuple[str, str]]:
    lines = ((line.strip(), f"line {number}") for number, line in enumerate(text.splitlines(), 1))
    return [(line, place) for line, place in lines if line and not line.startswith("#")]


def _rows(argument: str, path: Path, text: str, column: str | None) -> list[tuple[str, str]]:
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    rows = [row for row in csv.reader(text.splitlines(), delimiter=separator) if any(cell.strip() for cell in row)]
    if not rows:
        return []
    head = [cell.strip() for cell in rows[0]]
    if column is None and len(head) == 1 and (path.parent / head[0]).is_file():
        place, start = 0, 0  # no header row
    else:
        place, start = head.index(_column(argument, path, head, column)), 1
    return [
        (row[place].strip(), f"row {number}")
        for number, row in enumerate(rows[start:], start + 1)
        if place < len(row) and row[place].strip()
    ]


def _objects(argument: str, path: Path, text: str, column: str | None) -> list[tuple[str, str]]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{argument}` must be JSON, got {path}: {error}") from None
    if not isinstance(entries, list):
        raise ValueError(f"`{argument}` must be a JSON list of paths or of objects, got {path} with another value")
    found = []
    for number, entry in enumerate(entries, 1):
        value = entry
        if isinstance(entry, dict):
            value = entry[_column(argument, path, list(entry), column)]
        if not isinstance(value, str) or not value:
            raise ValueError(
                f"`{argument}` must be a JSON list of paths or of objects, got {value!r} as entry {number}"
            )
        found.append((value, f"entry {number}"))
    return found


def _column(argument: str, path: Path, names: list[str], column: str | None) -> str:
    """The column with the paths."""
    if column is not None:
        if column not in names:
            raise ValueError(
                f"`column` must be one of {', '.join(names)} in {path}, got {column!r}{close_match(column, names)}"
            )
        return column
    if len(names) == 1:
        return names[0]
    found = [name for wanted in COLUMNS for name in names if name.lower() == wanted]
    if not found:
        raise ValueError(f"`column` must be given: `{argument}` {path} has the columns {', '.join(names)}")
    return found[0]


# --------------------------------------------------------------------------------------------------------------------
# Normal images among other files


def normal_images(
    argument: str, found: Selection, exclude: Sequence[str], is_mask: Callable[[str, str], bool]
) -> tuple[Selection, list[str]]:
    """The normal images of a selection, and a line about what was left out.

    A category in the layout of MVTec AD stands for its `train/good`. Masks and labels next to images are left out;
    `is_mask` returns for a root and a name whether the file looks like a mask.

    Raises
    ------
    ValueError
        If the folder contains defects according to its layout, unless it is a single category.
    """
    if found.chosen:
        return excluded(found, exclude), []
    notes = []
    is_category = _is_category(found.names)
    kept = excluded(found, exclude)
    if is_category:
        notes.append(f"`{argument}`: {found.root} is a category in the layout of MVTec AD; its {GOOD[:-1]} is used")
        kept = _below(kept, GOOD)
    else:
        _check_apart(argument, kept)
    masks = _masks(kept, is_mask)
    labels = _labels(kept)
    if masks or labels:
        left = [f"{_counted(len(names), what)} ({_some(names)})" for names, what in ((masks, "mask"), (labels, "label"))
                if names]  # fmt: skip
        notes.append(
            f"`{argument}`: {' and '.join(left)} next to images in {kept.root} are left out; their images count as "
            "normal ones"
        )
        gone = set(masks)
        kept = replace(kept, listing=replace(kept.listing, names=[name for name in kept.names if name not in gone]))
    return kept, notes


def _is_category(names: Sequence[str]) -> bool:
    return any(name.startswith(GOOD) for name in names) and any(
        name.startswith(("test/", f"{TRUTH}/")) for name in names
    )


def _below(found: Selection, folder: str) -> Selection:
    names = [name.removeprefix(folder) for name in found.names if name.startswith(folder)]
    others = tuple(name.removeprefix(folder) for name in found.others if name.startswith(folder))
    return replace(
        found,
        root=f"{found.root.rstrip('/')}/{folder[:-1]}",
        listing=replace(found.listing, names=names),
        others=others,
    )


def _check_apart(argument: str, found: Selection) -> None:
    """Raise an error if several categories, or the test images of one, were selected."""
    parts = [name.split("/") for name in found.names]
    trained = [part for part in parts if "train" in part[:-1] and part[part.index("train") + 1] == "good"]
    defects = [p for p in parts if TRUTH in p[:-1] or ("test" in p[:-2] and p[p.index("test") + 1] != "good")]
    if trained and defects:
        place = "/".join(trained[0][: trained[0].index("train")])
        folder = "/".join(part for part in (found.root.rstrip("/"), place, GOOD[:-1]) if part)
        raise ValueError(
            f"`{argument}` must contain normal images only, got {found.root}, a data set with defects and ground truth "
            f"such as {'/'.join(defects[0])!r}; pass {folder}"
        )
    roots = {part[0] for part in parts if len(part) > 1}
    here = Path(found.root).absolute()
    if here.name == "test" and (here.parent / TRUTH).is_dir() and roots - {"good"}:
        raise ValueError(
            f"`{argument}` must contain normal images only, got {found.root}, which is next to ground truth; pass "
            f"{Path(found.root).parent / 'train' / 'good'}"
        )


def _masks(found: Selection, is_mask: Callable[[str, str], bool]) -> list[str]:
    """Files that are named after another image, or are in a folder of masks, and contain only two values."""
    stems = {_stem(name) for name in found.names}
    folders = defaultdict[str, set[str]](set)  # stem: folders that contain an image with it
    for stem in stems:
        folders[PurePosixPath(stem).name].add(stem.rpartition("/")[0])
    groups = defaultdict[str, list[str]](list)
    for name in found.names:
        stem, folder = _stem(name), name.rpartition("/")[0]
        mark = next((m for m in MARKS if stem.lower().endswith(("_" + m, "-" + m))), None)
        before = stem[: -len(mark) - 1] if mark else stem
        if TRUTH in name.split("/")[:-1]:
            groups[f"{TRUTH}/"].append(name)
        elif mark and before in stems:
            groups[f"*{stem[len(before) :]}{_suffix(name)}"].append(name)
        elif folder.rpartition("/")[2].lower() in MARKS and folders.get(PurePosixPath(before).name, set()) - {folder}:
            groups[f"{folder}/"].append(name)
    return [
        name
        for pattern, names in groups.items()
        if pattern == f"{TRUTH}/" or all(is_mask(found.root, name) for name in names[:LOOKED_AT])
        for name in names
    ]


def _labels(found: Selection) -> list[str]:
    """Annotation files that are named after an image."""
    files = {PurePosixPath(name).stem for name in found.names}
    return [name for name in found.others if PurePosixPath(name).stem in files]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:2]) + ", ..." * (len(names) > 2)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def no_images(argument: str, where: Any, found: Selection) -> ValueError:
    """The error if nothing was selected."""
    why = " that `exclude` does not leave out" if found.names else ""
    return ValueError(f"`{argument}` must contain an image{why} ({', '.join(SUFFIXES)}), got none in {where}")
