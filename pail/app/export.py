"""What is taken away: the recipe, the call in Python, and a zip of what the sheet shows."""

from __future__ import annotations

import io
import pprint
import shlex
import zipfile
from dataclasses import dataclass
from typing import Any

from pail.app.draws import Bench
from pail.app.painted import Painted, mask_file
from pail.app.settings import Settings
from pail.dataset import recipe as recipes
from pail.dataset.make import arguments, as_alpha, make, source_pixels
from pail.dataset.plan import Item
from pail.dataset.recipe import Recipe


@dataclass(frozen=True)
class Export:
    """The files, and the line that runs the recipe."""

    recipe: str
    python: str
    command: str
    archive: bytes
    failed: list[str]  # items that could not be made, and why


def export(bench: Bench, settings: Settings, *, whole_folder: bool = False) -> Export:
    """The recipe of these settings, and the files that `pail generate` makes of it for the items of the sheet."""
    checked = bench.recipe(settings)
    items = bench.items(settings, whole_folder=whole_folder)
    toml, python, line = recipes.dumps(checked), call(bench, settings, checked, items[0]), command(bench, settings)
    files, failed = {"recipe.toml": toml.encode(), "call.py": python.encode(), "run.txt": f"{line}\n".encode()}, []
    for item in items:
        made = make(checked, bench.inputs(settings, item.normals[0]), item)
        files |= made.files
        if made.line is None:
            failed.append(f"{item.normals[0]}: {made.skipped[-1]['reason']}")
    files |= _regions(bench, settings)
    return Export(toml, python, line, _zip(files), failed)


def command(bench: Bench, settings: Settings) -> str:
    """The line that makes the data set; with a painted region it is run where the zip was unpacked."""
    source = ["--source", bench.sources.folder.absolute()] if bench.sources else []
    return shlex.join(["pail", "generate", bench.normals.folder.absolute(), "set", *source, "--recipe", "recipe.toml"])


def call(bench: Bench, settings: Settings, checked: Recipe, item: Item) -> str:
    """The first draw in Python."""
    name = item.normals[0]
    needs_resize = checked.size is not None or settings.region in ("painted", "given")
    lines = ["from pathlib import Path", "from pail import pai", "from pail.io.read import decode"]
    lines += ["from pail.core.ops import resize"] if needs_resize else []
    image = _decoded(bench.normals.folder.absolute(name))
    lines += [f"image = resize({image}, {checked.size})" if checked.size else f"image = {image}"]
    keywords = _keywords(checked)
    positional = ["image"]
    if item.sources and bench.sources:
        found, source = bench.source(item)
        alpha = found is not None and source_pixels(found, checked).shape != found.pixels.shape
        lines += [f"source = {_decoded(bench.sources.folder.absolute(source or item.sources[0]))}"]
        lines[-1] += "[..., :-1]" * alpha
        positional += ["source"]
    if settings.region in ("painted", "given"):
        masks = bench.inputs(settings, name)
        path = f"regions/{mask_file(name)}" if settings.region == "painted" else _mask(masks, name)
        lines += ["from pail.io.read import read_mask"]
        lines += [f"region = resize(read_mask({path!r}, name={path!r}), image.shape[:2], nearest=True)"]
    words = [", ".join(positional)]
    words += [f"{key}={_literal(value)}" for key, value in keywords.items()]
    if settings.region != "all":
        words += ['roi="foreground"' if settings.region == "foreground" else "roi=region"]
    words += [f"rng={(checked.seed, item.number)}"]
    words = [f"    {word}," for word in words]
    instance = _instance(checked, as_alpha(bench.normals.get(name), checked))
    return "\n".join(
        [
            *lines,
            f"i_a, m_a = pai.Anomaly_Insertion({instance}).insert(",
            *words,
            ")",
            "",
        ]
    )


def _keywords(checked: Recipe) -> dict[str, Any]:
    """What `insert` gets, without what it does anyway."""
    keywords = arguments(checked)
    keywords["options"] = {name: options for name, options in checked.options.items() if options} or None
    if all(weight == 1 for weight in keywords["weights"] or ()):
        del keywords["weights"]
    if keywords["n_anomalies"] == (1, 1):
        del keywords["n_anomalies"]
    if len(checked.names) == 1:
        keywords["techniques"] = checked.names[0]
    return {name: value for name, value in keywords.items() if value is not None}


def _mask(inputs: Any, name: str) -> str:
    stem = name.rpartition(".")[0]
    if stem not in inputs.roi_names:
        raise ValueError(f"`roi` must have a mask for {name}, got none")
    return str(inputs.rois.absolute(inputs.roi_names[stem]))


def _instance(checked: Recipe, alpha: bool | None) -> str:
    given = {"data_range": checked.data_range, "source_range": checked.source_range, "alpha": alpha}
    return ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)


def _decoded(path: str) -> str:
    return f"decode(Path({path!r}).read_bytes())"


def _literal(value: Any) -> str:
    return pprint.pformat(value, width=10**6, sort_dicts=False)


def _regions(bench: Bench, settings: Settings) -> dict[str, bytes]:
    """The painted mask for every image of the folder, named as `--roi` reads it."""
    if settings.region != "painted":
        return {}
    masks = bench.inputs(settings, bench.name(settings.image)).rois
    assert isinstance(masks, Painted)
    return {f"regions/{mask_file(name)}": masks.png for name in bench.names}


def _zip(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return memory.getvalue()
