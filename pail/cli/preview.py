"""`pail preview`: show what each technique does to the user's images."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from pail.cli.images import read_few, read_some
from pail.cli.main import app, out
from pail.cli.options import IMAGES, RECIPE, SOURCE, takes_shared

WRITTEN = "written by pail preview"  # marks its own files
HTML_MARK = f'<meta name="generator" content="{WRITTEN}">'
SOFTWARE = 0x0131  # EXIF
PICTURES, PAGES = (".png", ".jpg", ".jpeg", ".webp"), (".html", ".htm")  # of preview; the pictures hold EXIF


NUMBER = 1000  # anomalous images of the set that is proposed, where no recipe says another


@app.command()
@takes_shared
def preview(
    images: IMAGES,
    source: SOURCE = None,
    given: Any = None,
    recipe: RECIPE = None,
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
    from pail.dataset.recipe import combined, to_toml
    from pail.report.preview import preview as draw
    from pail.report.preview import preview_page

    target = target or Path("preview.html" if html else "preview.png")
    toml = target.with_suffix(".toml")
    kinds = PAGES if html else PICTURES
    if target.suffix.lower() not in kinds:
        raise ValueError(f"`output` must end in {' or '.join(kinds)}{' with --html' * html}, got {target}")
    for path in (target, toml):
        _check_own(path)
    checked = combined(recipe, **given, **({"number": NUMBER} if recipe is None else {}))
    checked, normals, regions = read_some(images, checked)
    sources = list(read_few(*_found_sources(source, checked), checked).values()) if source else None
    bank, _ = read_bank(checked)
    of_recipe = _generate_command(images, source, {"--recipe": toml})
    command = of_recipe if recipe else _generate_command(images, source, _words(checked, given))
    keywords: dict[str, Any] = {
        "techniques": checked.names,
        "weights": _weights(checked),
        "options": checked.options,
        "anomalies": checked.anomalies,
        "severity": checked.severity,
        "defects": bank,
        "seed": checked.seed,
        "roi": regions,
        "command": command,
        "insertion": insertion(checked, checked.alpha),
        "tile": checked.tile,
    }
    if html:
        # With fewer techniques the keywords of a preset stay, and a bank is used only where it is drawn from.
        is_plain = recipe is None and checked.preset is None and checked.defects is None
        page = preview_page(normals, sources, **keywords, narrowed=None if is_plain else of_recipe)
        target.write_text(page.replace("<head>", f"<head>{HTML_MARK}", 1), encoding="utf-8")
    else:
        exif = Image.Exif()
        exif[SOFTWARE] = WRITTEN
        draw(normals, sources, **keywords).save(target, exif=exif)
    content = to_toml(_stored_in(toml.parent, checked))
    toml.write_text(f"{_mark(content)}\n{content}", encoding="utf-8")
    out.print(f"{target}, {toml}\n{command}", highlight=False, soft_wrap=True)


def _stored_in(folder: Path, recipe: Any) -> Any:
    """The recipe for a file in that folder. Relative folders of masks and defects are searched next to a recipe first,
    where another one of that name may be, so they become absolute unless the current folder is meant by both."""
    if folder.resolve() == Path.cwd().resolve():
        return recipe
    given = {"roi": recipe.roi_folder, "defects": recipe.defects}
    return replace(recipe, **{k: str(Path(v).absolute()) for k, v in given.items() if v is not None and "://" not in v})


def _weights(recipe: Any) -> dict[str, float]:
    """The weights of techniques where they differ, 1 on average."""
    weights = recipe.weights or [1.0]
    if len(set(weights)) == 1:
        return {}
    mean = sum(weights) / len(weights)
    return {name: float(f"{weight / mean:.4g}") for name, weight in zip(recipe.names, weights, strict=True)}


def _found_sources(source: str, recipe: Any) -> tuple[Any, list[str]]:
    from pail.dataset.inputs import find_images

    store, found = find_images("source", source, recipe)
    return store, found.names


def _generate_command(images: str, source: str | None, words: dict[str, Any]) -> str:
    """The command that makes a data set of what a preview shows; a list of words is an option that is repeated."""
    line = ["pail", "generate", images, "set/", *(["--source", source] if source else [])]
    for name, value in words.items():
        for word in value if isinstance(value, list) else [value]:
            line += [name] if word is True else [name, str(word)]
    return shlex.join(line)


def _words(recipe: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The shared options that were given, as the command line takes them; the number and the seed in any case."""
    found: dict[str, Any] = {"-n": recipe.number, "--seed": recipe.seed}
    for name in given:
        if name in ("seed", "weights"):
            continue
        value = getattr(recipe, name)
        option = f"--{name.replace('_', '-')}"
        if name == "techniques":
            weights = given.get("weights") or [1.0] * len(given[name])
            pairs = zip(given[name], weights, strict=True)
            found[option] = ",".join(word if weight == 1 else f"{word}={_number(weight)}" for word, weight in pairs)
        elif name == "exclude":
            found[option] = list(value)
        elif isinstance(value, tuple):
            found[option] = ("x" if name == "size" else ",").join(map(_number, value))
        else:
            found[option] = _number(value) if isinstance(value, float) else value
    return found


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
