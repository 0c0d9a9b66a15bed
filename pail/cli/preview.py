"""`pail preview`: what each technique does to the user's own images."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from pail.cli.images import read_few, read_some
from pail.cli.main import app, out
from pail.cli.options import (
    CLASSES,
    COLUMN,
    DATA_RANGE,
    DEFECTS,
    EXCLUDE,
    FIT,
    FOLLOW_LINKS,
    IMAGES,
    PRESET,
    ROI,
    SEED,
    SIZE,
    SOURCE,
    TECHNIQUES,
    as_data_range,
    as_names,
    as_numbers,
)

WRITTEN = "written by pail preview"  # marks its own files
HTML_MARK = f'<meta name="generator" content="{WRITTEN}">'
SOFTWARE = 0x0131  # EXIF
PICTURES, PAGES = (".png", ".jpg", ".jpeg", ".webp"), (".html", ".htm")  # of preview; the pictures hold EXIF


@app.command()
def preview(
    images: IMAGES,
    source: SOURCE = None,
    technique: TECHNIQUES = None,
    defects: DEFECTS = None,
    preset: PRESET = None,
    classes: CLASSES = None,
    roi: ROI = None,
    seed: SEED = None,
    size: SIZE = None,
    fit: FIT = None,
    data_range: DATA_RANGE = None,
    exclude: EXCLUDE = None,
    follow_links: FOLLOW_LINKS = False,
    column: COLUMN = None,
    target: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="preview.png, or preview.html with --html.", show_default=False),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="One self-contained page instead of a picture.")] = False,
) -> None:
    """Show on one sheet what each technique does to your images, with its defaults and at four severities.

    A recipe for pail generate is written next to it (preview.toml). Files that pail preview did not write, and recipes
    that were edited since, are never overwritten.
    """
    from pail.dataset.inputs import read_bank
    from pail.dataset.make import insertion
    from pail.dataset.recipe import make_recipe, to_toml
    from pail.report.preview import preview as draw
    from pail.report.preview import preview_page

    target = target or Path("preview.html" if html else "preview.png")
    toml = target.with_suffix(".toml")
    kinds = PAGES if html else PICTURES
    if target.suffix.lower() not in kinds:
        raise ValueError(f"`output` must end in {' or '.join(kinds)}{' with --html' * html}, got {target}")
    for path in (target, toml):
        _check_own(path)
    names, weights = as_names(technique)
    recipe = make_recipe(
        techniques=names,
        weights=weights,
        defects=defects,
        preset=preset,
        classes=classes,
        roi=roi,
        seed=seed or 0,
        size=as_numbers("size", size, (1, 2), int),
        fit=fit.value if fit else None,
        data_range=as_data_range(data_range),
        exclude=exclude,
        follow_links=True if follow_links else None,
        column=column,
        number=1000,
    )
    recipe, normals, regions = read_some(images, recipe)
    sources = list(read_few(*_found_sources(source, recipe), recipe).values()) if source else None
    bank, _ = read_bank(recipe)
    command = _generate_command(images, source, recipe, seed or 0, technique)
    keywords: dict[str, Any] = {"techniques": recipe.names, "options": recipe.options, "defects": bank}
    keywords |= {"seed": seed or 0, "roi": regions, "command": command}
    keywords["insertion"] = insertion(recipe, recipe.alpha)
    if html:
        page = preview_page(normals, sources, **keywords)
        target.write_text(page.replace("<head>", f"<head>{HTML_MARK}", 1), encoding="utf-8")
    else:
        exif = Image.Exif()
        exif[SOFTWARE] = WRITTEN
        draw(normals, sources, **keywords).save(target, exif=exif)
    content = to_toml(recipe)
    toml.write_text(f"{_mark(content)}\n{content}", encoding="utf-8")
    out.print(f"{target}, {toml}\n{command}", highlight=False, soft_wrap=True)


def _found_sources(source: str, recipe: Any) -> tuple[Any, list[str]]:
    from pail.dataset.inputs import find_images

    store, found = find_images("source", source, recipe)
    return store, found.names


def _generate_command(images: str, source: str | None, recipe: Any, seed: int, techniques: str | None) -> str:
    """The command that makes a data set of what a preview shows."""
    size, window = recipe.size, recipe.data_range
    given = {
        "--source": source,
        "--roi": None if recipe.roi == "auto" else recipe.roi,
        "--size": f"{size[0]}x{size[1]}" if isinstance(size, tuple) else size,
        "--fit": None if recipe.fit == "crop" else recipe.fit,
        "--seed": seed,
        "--data-range": window and ",".join(map(_number, window if isinstance(window, tuple) else (window,))),
        "--techniques": techniques,
        "--defects": recipe.defects,
        "--preset": recipe.preset,
        "--classes": None if recipe.classes == "technique" else recipe.classes,
    }
    words = ["pail", "generate", images, "set/", "-n", "1000"]
    words += [str(word) for name, value in given.items() if value is not None for word in (name, value)]
    words += [word for pattern in recipe.exclude for word in ("--exclude", pattern)]
    words += ["--follow-links"] * recipe.follow_links + (["--column", recipe.column] if recipe.column else [])
    return shlex.join(words)


def _number(value: float) -> str:
    """A number with all digits, so that the command contains the exact number of the recipe."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _mark(content: str) -> str:
    """The first line of a recipe, from which later edits are detected."""
    return f"# {WRITTEN}, sha256 {hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _check_own(path: Path) -> None:
    """Raise if the file exists and pail preview did not write it, or it is a recipe that was edited since."""
    if not path.exists():
        return
    own, why = False, "pail preview did not write"
    with contextlib.suppress(OSError, ValueError, SyntaxError):
        if path.suffix.lower() == ".toml":
            first, _, content = path.read_text(encoding="utf-8").partition("\n")
            own = first == _mark(content)
            why = "was edited since pail preview wrote it" if first.startswith(f"# {WRITTEN}") else why
        elif path.suffix.lower() in PAGES:
            own = WRITTEN.encode() in path.read_bytes()[:4096]
        else:
            with Image.open(path) as image:
                own = image.getexif().get(SOFTWARE) == WRITTEN
    if not own:
        raise ValueError(
            f"`output` must not name a file that {why}, got {path}, which exists: rename it, or give another `output`"
        )
