"""Reproduce one image of a data set from its manifest line, and compare the bytes."""

from __future__ import annotations

import json
import os
import re
import warnings
from dataclasses import replace
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from pail._version import __version__
from pail.beyond.real.defects import Defects
from pail.call.record import stack
from pail.dataset.finish import manifest_lines
from pail.dataset.inputs import Inputs, find_images, read_bank
from pail.dataset.make import Made, make_item
from pail.dataset.plan import Item
from pail.dataset.recipe import Recipe, make_recipe, parse_options
from pail.dataset.run import Paths
from pail.dataset.store import Store
from pail.io.read import UnreadableError, decode


class Remade(NamedTuple):
    """The file of the image, whether image and mask have the same bytes as in the set, and if not, what differs."""

    image: bytes
    suffix: str  # suffix of its name in the set
    is_same: bool
    reason: str = ""


def remake(
    dataset: str | os.PathLike[str],
    index: int,
    normals: Paths,
    source: Paths | None = None,
    defects: Any = None,
    roi: str | os.PathLike[str] | None = None,
) -> Remade:
    """Reproduce the image with that index, and compare it with the one in the set.

    `defects` is the bank of real defects or its current path, if it is not where the recipe says; `roi` is the current
    path of the folder of masks.
    """
    folder = Store(dataset)
    versions = _versions(folder)
    lines = _lines(folder, index)
    line = next((entry for entry in lines if entry["label"]), lines[0])
    recipe = make_recipe(**parse_options(folder.read("recipe.toml").decode()))
    if roi is not None and recipe.roi_folder is None:
        raise ValueError(
            f"`roi` must not be given, because the set was made with {recipe.roi!r}, not with a folder of masks"
        )
    recipe = recipe if roi is None else replace(recipe, roi=str(roi))
    if line.get("source") and source is None:
        raise ValueError("`source` must be given: the image was made with a source")
    rois = None if recipe.roi_folder is None else Store(recipe.roi_folder)
    listed = rois.listing(follow_links=recipe.follow_links).names if rois else []
    roi_names = {name.rpartition(".")[0]: name for name in listed}
    number = int(re.findall(r"\d{6,}", line["image"].rpartition("/")[2])[0])
    sources = (line["source"],) if line.get("source") else ()
    item = Item(index, number, line["split"], (line["normal"],), sources, is_good=line["label"] == 0)
    sources_store = None if source is None else _root("source", source, recipe)
    bank, kinds = _bank(recipe, line, defects)
    inputs = Inputs(_root("normals", normals, recipe, normal=True), sources_store, rois, roi_names, bank, kinds)
    made = make_item(recipe, inputs, item)
    if not made.lines:
        raise ValueError(f"`normals` must contain {line['normal']}: {made.skipped[0]['reason']}")
    if made.skipped:
        raise ValueError(f"`source` must contain {line['source']}: {made.skipped[0]['reason']}")
    differing = _differing(folder, lines, made)
    whole = made if recipe.tile is None else make_item(replace(recipe, tile=None, overlap=0), inputs, item)
    image = whole.files[whole.lines[0]["image"]]
    suffix = PurePosixPath(whole.lines[0]["image"]).suffix.lower()
    if not differing:
        return Remade(image, suffix, True)
    now = {"pail": __version__, **stack()}
    other = [
        f"{name} {was} then, {now.get(name, 'none')} now" for name, was in versions.items() if was != now.get(name)
    ]
    why = "; ".join(other) or "all versions are the same, so the input files differ or the set was changed"
    if recipe.roi_folder is not None:
        why += f"; the regions were read from {recipe.roi_folder}"
    return Remade(image, suffix, False, f"{', '.join(differing)} ({why})")


def _bank(recipe: Recipe, line: dict[str, Any], given: Any) -> tuple[Defects | None, tuple[str, ...]]:
    """The bank of real defects. Raises an error if it is not the one that the image was made with."""
    recorded = line["record"].get("defects") if line["label"] else None
    if recorded is None:
        return None, ()
    bank, kinds = read_bank(recipe, given)
    if bank is None or bank.identity != recorded["identity"]:
        now = "none" if bank is None else f"{bank.identity} with {len(bank)}"
        raise ValueError(
            f"`defects` must be the bank that the set was made with, {recorded['identity']} with {recorded['count']} "
            f"defects, got {now}"
        )
    return bank, kinds


def _root(argument: str, where: Paths, recipe: Recipe, *, normal: bool = False) -> Store:
    """The folder to which the names in the manifest are relative."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # these warnings were shown when the set was made
        return find_images(argument, where, recipe, normal=normal)[0]


def _versions(folder: Store) -> dict[str, str]:
    """The versions that the set was made with. Raises an error if they cannot be replayed."""
    try:
        description = json.loads(folder.read("dataset.json"))
        versions = {"pail": str(description["version"]), **description["stack"]}
    except (FileNotFoundError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"`dataset` must be a finished set, whose dataset.json names the versions that made it, got {folder}"
        ) from error
    if versions["pail"].split(".")[:2] != __version__.split(".")[:2]:
        raise ValueError(
            f"`dataset` must be made by version {'.'.join(__version__.split('.')[:2])} of the library, got "
            f"{versions['pail']} in {folder}"
        )
    return versions


def _differing(folder: Store, lines: list[dict[str, Any]], made: Made) -> list[str]:
    """The files with other bytes, and whether at least their pixels are the same."""
    if len(lines) != len(made.lines):
        return [f"there are {len(made.lines)} tiles instead of {len(lines)}"]
    found = []
    for line, own in zip(lines, made.lines, strict=True):
        for role in ("image", "mask"):
            if line[role] is None:
                continue
            there, here = folder.read(line[role]), made.files[own[role]] if own[role] else b""
            if there == here:
                continue
            try:
                same = decode(there).tobytes() == decode(here).tobytes()
            except UnreadableError:
                same = False
            of = f"{role} of tile {line['tile']['row']}, {line['tile']['column']}" if "tile" in line else role
            found.append(f"the {of} has {'the same pixels in other bytes' if same else 'other pixels'}")
    return found


def _lines(folder: Store, index: int) -> list[dict[str, Any]]:
    """The manifest line of an image, or the adjacent lines of its tiles."""
    lines = groupby(manifest_lines(folder), key=lambda line: line["index"])
    found = next((list(group) for number, group in lines if number == index), None)
    if found is None:
        raise ValueError(f"`index` must be in the manifest, got {index}")
    return found
