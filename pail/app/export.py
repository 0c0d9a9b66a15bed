"""The export: the recipe, a call in Python, and a zip file of the examples on the sheet."""

from __future__ import annotations

import io
import pprint
import re
import shlex
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pail.app.draws import Bench, painted_masks
from pail.app.folder import ImageCache
from pail.app.painted import mask_file
from pail.app.settings import PageSettings
from pail.dataset.inputs import Inputs, stem_of
from pail.dataset.make import arguments, as_alpha, make_item, region, source_pixels
from pail.dataset.plan import Item
from pail.dataset.recipe import Recipe, to_toml
from pail.dataset.tiles import tiles_of
from pail.io.read import UnreadableError

PAINTED = "# The painted region is the folder regions/ of pail-tune.zip. Keep it in the same folder as this file."


@dataclass(frozen=True)
class Export:
    """The exported files, and the command that runs the recipe."""

    recipe: str
    python: str
    command: str
    archive: bytes
    failed: list[str]  # items that could not be made, and why


def export(bench: Bench, settings: PageSettings, *, whole_folder: bool = False) -> Export:
    """Export the recipe of these settings, and the files that `pail generate` makes from it for the items of the
    sheet."""
    checked = bench.recipe(settings)
    items = bench.items(settings, whole_folder=whole_folder)
    toml, line = to_toml(checked), command(bench, settings)
    if settings.region == "painted":
        toml = f"{PAINTED}\n{toml}"
    python, arrays = call(bench, settings, checked, items[0])
    files, failed = {"recipe.toml": toml.encode(), "call.py": python.encode(), "run.txt": f"{line}\n".encode()}, []
    files |= arrays
    for item in items:
        made = make_item(checked, bench.inputs(settings, item.normals[0]), item)
        files |= made.files
        if not made.lines:
            failed.append(f"{item.normals[0]}: {made.skipped[-1]['reason']}")
    files |= {f"regions/{name}": data for name, data in regions(bench, settings).items()}
    return Export(toml, python, line, _zip(files), failed)


def command(bench: Bench, settings: PageSettings) -> str:
    """The command that makes the data set, to be run in the folder of recipe.toml."""
    source = ["--source", bench.sources.folder.given] if bench.sources else []
    return shlex.join(["pail", "generate", bench.normals.folder.given, "set", *source, "--recipe", "recipe.toml"])


def call(bench: Bench, settings: PageSettings, checked: Recipe, item: Item) -> tuple[str, dict[str, bytes]]:
    """The first example as Python code, and the arrays that it loads if neither OpenCV nor Pillow reads the same
    pixels."""
    name = item.normals[0]
    files: dict[str, bytes] = {}
    lines: list[str] = []
    try:
        picture = bench.normals.get(name)
        pixels = bench.normals.get(name, checked.size, checked.fit).pixels
    except (UnreadableError, OSError) as error:
        return f"# {name} cannot be read: {error}\n", files
    paths, arguments = {"IMAGES": bench.normals.folder.absolute()}, "image"
    files |= _read(lines, "image", bench.normals, name, picture.pixels, f"IMAGES / {name!r}")
    if checked.size:
        files |= _resized(lines, picture.pixels, pixels)
    source_name = bench.source(item)[1]
    if bench.sources and source_name is not None:
        paths["SOURCES"] = bench.sources.folder.absolute()
        source = bench.sources.get(source_name)
        files |= _read(lines, "source", bench.sources, source_name, source.pixels, f"SOURCES / {source_name!r}")
        if source_pixels(source, checked).shape != source.pixels.shape:
            lines[-1] += "[..., :-1]"  # alpha of a source is not inserted
        arguments = "image, source"
    if checked.defects:
        paths["DEFECTS"] = checked.defects
        lines += ["defects = Defects.read(DEFECTS)"]
    keywords = [f"{key}={_literal(value)}" for key, value in _keywords(checked).items()]
    inputs = bench.inputs(settings, name)
    roi = region(checked, inputs, name, pixels, picture.pixels.shape, alpha=as_alpha(picture, checked))
    if inputs.rois is not None:
        where = f"HERE / {f'regions/{mask_file(name)}'!r}"
        if settings.region == "given" and bench.rois:
            paths["MASKS"] = bench.rois.absolute()
            where = f"MASKS / {inputs.roi_names[stem_of(name)]!r}"
        files |= _region(lines, inputs, name, where, roi)
    elif isinstance(roi, np.ndarray):  # without padding
        files |= _stored(lines, "region", roi > 0)
    if checked.defects:
        keywords += ["defects=defects"]
    if roi is not None:
        keywords += [f"roi={roi!r}" if isinstance(roi, str) else "roi=region"]
    keywords += [f"rng={(checked.seed, item.number)}"]
    instance = _instance(checked, as_alpha(picture, checked))
    after = []
    if checked.tile:
        corners = [(tile.top, tile.left) for tile in tiles_of(pixels.shape, checked.tile, checked.overlap)]
        part = f"top : top + {checked.tile}, left : left + {checked.tile}"
        after = [f"tiles = [(i_a[{part}], m_a[{part}]) for top, left in {corners}]"]
    return _script(paths, lines, f"pai.Anomaly_Insertion({instance})", [arguments, *keywords], after), files


def _script(paths: dict[str, Any], lines: list[str], instance: str, arguments: list[str], after: list[str]) -> str:
    """The text of a program: imports and folders that its lines use, the lines, the call of `insert`, and `after`."""
    body = "\n".join(lines)
    paths_code = ["HERE = Path()  # where pail-tune.zip was unpacked"] if "HERE" in body else []
    paths_code += [f"{key} = Path({path!r})" for key, path in paths.items() if re.search(rf"\b{key}\b", body)]
    imports = ["from pathlib import Path", ""]
    imports += [f"import {library}" for library, sign in (("cv2", "cv2."), ("numpy as np", "np.")) if sign in body]
    imports += ["from PIL import Image"] if "Image.open" in body else []
    text = [*imports, "", f"from pail import {'Defects, ' * ('DEFECTS' in paths)}pai", "", *paths_code, "", *lines]
    text += [f"i_a, m_a = {instance}.insert(", *(f"    {argument}," for argument in arguments), ")"]
    return "\n".join([*text, *after, ""])


# Several ways to read an image like `pail generate`. It depends on the file which of them gives the same pixels.
READERS: tuple[tuple[str, Callable[[Path], Any]], ...] = (
    ("np.array(Image.open({}))", lambda path: np.array(Image.open(path))),
    (
        "cv2.cvtColor(cv2.imread(str({})), cv2.COLOR_BGR2RGB)",
        lambda path: cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB),  # type: ignore[arg-type]
    ),
    ("cv2.imread(str({}), cv2.IMREAD_UNCHANGED)", lambda path: cv2.imread(str(path), cv2.IMREAD_UNCHANGED)),
)


def _read(
    lines: list[str], name: str, images: ImageCache, file: str, pixels: np.ndarray, where: str
) -> dict[str, bytes]:
    if images.folder.is_local:
        for text, read in READERS:
            if _agrees(partial(read, Path(images.folder.absolute(file))), pixels):
                lines += [f"{name} = {text.format(where)}"]
                return {}
    return _stored(lines, name, pixels)


def _resized(lines: list[str], whole: np.ndarray, pixels: np.ndarray) -> dict[str, bytes]:
    if whole.shape == pixels.shape:
        return {}
    size = pixels.shape[1], pixels.shape[0]
    for how in ("INTER_AREA", "INTER_LINEAR"):
        if _agrees(partial(cv2.resize, whole, size, interpolation=getattr(cv2, how)), pixels):
            lines += [f"image = cv2.resize(image, {size}, interpolation=cv2.{how})"]
            return {}
    return _stored(lines, "image", pixels)


def _region(lines: list[str], inputs: Inputs, name: str, where: str, mask: np.ndarray) -> dict[str, bytes]:
    """Add the lines that read a region and resize it to the image."""
    size = mask.shape[1], mask.shape[0]
    assert inputs.rois is not None
    data = inputs.rois.read(inputs.roi_names[stem_of(name)])

    def read() -> np.ndarray:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        return cv2.resize(found, size, interpolation=cv2.INTER_NEAREST) > 127  # type: ignore[arg-type]

    if (where.startswith("MASKS") and not inputs.rois.is_local) or not _agrees(read, mask > 0):
        return _stored(lines, "region", mask > 0)
    lines += [
        f"region = cv2.imread(str({where}), cv2.IMREAD_GRAYSCALE)",
        f"region = cv2.resize(region, {size}, interpolation=cv2.INTER_NEAREST) > 127",
    ]
    return {}


def _agrees(read: Callable[[], Any], pixels: np.ndarray) -> bool:
    try:
        found = read()
    except (OSError, ValueError, TypeError, cv2.error):
        return False
    return found is not None and found.dtype == pixels.dtype and np.array_equal(found, pixels)


def _stored(lines: list[str], name: str, pixels: np.ndarray) -> dict[str, bytes]:
    """Store the array as a file in the zip, and add the line that loads it."""
    memory = io.BytesIO()
    np.save(memory, pixels)
    lines += [f"{name} = np.load(HERE / {f'{name}.npy'!r})"]
    return {f"{name}.npy": memory.getvalue()}


def _keywords(checked: Recipe) -> dict[str, Any]:
    """The keywords of `insert`, without those that have their default values."""
    keywords = arguments(checked)
    keywords["options"] = {name: options for name, options in checked.options.items() if options} or None
    if all(weight == 1 for weight in keywords["weights"] or ()):
        del keywords["weights"]
    if keywords["n_anomalies"] == (1, 1):
        del keywords["n_anomalies"]
    if len(checked.names) == 1:
        keywords["techniques"] = checked.names[0]
    return {name: value for name, value in keywords.items() if value is not None}


def _instance(checked: Recipe, alpha: bool | None) -> str:
    given = {"data_range": checked.data_range, "source_range": checked.source_range, "alpha": alpha}
    return ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)


def _literal(value: Any) -> str:
    return pprint.pformat(value, width=10**6, sort_dicts=False)


def regions(bench: Bench, settings: PageSettings) -> dict[str, bytes]:
    """The painted mask for every image of the folder, with the names that `--roi` expects."""
    if settings.region != "painted":
        return {}
    return {mask_file(name): painted_masks(settings.painted).png for name in bench.names}


def _zip(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return memory.getvalue()
