"""The command line: `pail preview`, `pail tune`, `pail generate`, `pail techniques`, `pail replay`."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import pail
from pail.call.record import stack

app = typer.Typer(
    name="pail",
    help="Pseudo-anomaly insertion: realistic pseudo-defects in normal images, with exact masks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)
DASK_SECONDS = 10  # in which a scheduler has to answer
OPTIONS = {"`normals`": "`images`", "`n_anomalies`": "`anomalies`", "`purpose`": "`for`"}  # what Python calls otherwise


class Layout(str, Enum):
    """Layouts of data sets."""

    mvtec = "mvtec"
    flat = "flat"
    yolo = "yolo"


class Purpose(str, Enum):
    """What a data set is for."""

    training = "training"
    validation = "validation"


def _version(shown: bool) -> None:
    if shown:
        versions = ", ".join(f"{name} {version}" for name, version in stack().items())
        out.print(f"PAI-Lib {pail.__version__} ({versions})", highlight=False)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Say the versions.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Pseudo-anomaly insertion: realistic pseudo-defects in normal images, with exact masks."""


@app.command()
def techniques() -> None:
    """List the techniques: family, paper, parameters and their defaults."""
    table = Table(show_lines=True)
    for title in ("technique", "family", "what it inserts", "parameters"):
        table.add_column(title, overflow="fold", no_wrap=title == "technique")
    for name, technique in pail.TECHNIQUES.items():
        parameters = "\n".join(f"{key} = {_short(value)}" for key, value in technique.parameters.items())
        what = f"{technique.summary}\n[dim]{technique.reference}[/dim]"
        table.add_row(f"[bold]{name}[/bold]", technique.family, what, parameters)
    out.print(table)


def _short(value: Any) -> str:
    """A default at four digits: 2/256 is 0.007812."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return f"({', '.join(_short(entry) for entry in value)})"
    return repr(value)


def _numbers(name: str, text: str | None, count: tuple[int, ...], kind: type = float) -> Any:
    """ "0.2" or "0.2,0.8" as a number or a pair."""
    if text is None:
        return None
    try:
        values = [kind(part) for part in text.replace("x", ",").split(",")]
    except ValueError:
        values = []
    if len(values) not in count:
        example = "2 or 2,3" if kind is int else "0.2 or 0.2,0.8"
        raise ValueError(f"`{name}` must be {' or '.join(map(str, count))} numbers such as {example}, got {text!r}")
    return values[0] if len(values) == 1 else tuple(values)


def _names(text: str | None) -> tuple[list[str] | None, list[float] | None]:
    """ "cutpaste,fract_aug=2" as names and weights."""
    if not text:
        return None, None
    names, weights = [], []
    for part in text.split(","):
        name, _, weight = (piece.strip() for piece in part.partition("="))
        names.append(name)
        try:
            weights.append(float(weight or 1))
        except ValueError:
            raise ValueError(f"`techniques` must hold weights such as cutpaste=2, got {part!r}") from None
    return names, weights if any(weight != 1 for weight in weights) else None


IMAGES = Annotated[str, typer.Argument(help="Folder of normal images.", show_default=False)]
SOURCE = Annotated[str | None, typer.Option(help="Folder of source images.", show_default=False)]
TECHNIQUES = Annotated[
    str | None,
    typer.Option(
        "--techniques", help="Names or families with weights: cutpaste,SBI=2. All by default.", show_default=False
    ),
]
ROI = Annotated[str | None, typer.Option(help="foreground, or a folder of masks.", show_default=False)]
SEED = Annotated[int | None, typer.Option(help="The same seed makes the same bytes.", show_default=False)]
SEVERITY = Annotated[str | None, typer.Option(help="0 to 1, or a range: 0.2,0.8.", show_default=False)]
RECIPE = Annotated[Path | None, typer.Option(help="Options from a file; those given here win.", show_default=False)]


@app.command()
def preview(
    images: IMAGES,
    source: SOURCE = None,
    technique: TECHNIQUES = None,
    roi: ROI = None,
    seed: SEED = None,
    size: Annotated[str | None, typer.Option(help="Work at this size: 256, or 256x320.", show_default=False)] = None,
    target: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="preview.png, or preview.html with --html.", show_default=False),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="One self-contained page instead of a picture.")] = False,
) -> None:
    """Show on one sheet what each technique does to your images, at four severities.

    Beside it lies a recipe of the same name (preview.toml) for pail generate.
    """
    from pail.dataset import recipe as recipes
    from pail.dataset.preview import preview as draw
    from pail.dataset.preview import preview_page

    names, weights = _names(technique)
    working_size = _numbers("size", size, (1, 2), int)
    found = _read_some(images, working_size)
    normals = list(found.values())
    sources = list(_read_some(source, None).values()) if source else None
    regions: Any = roi if roi in (None, "foreground") else _masks_of(str(roi), found)
    given = {"--source": source, "--roi": roi, "--size": size, "--seed": seed or 0}
    given |= {"--techniques": technique if not html else None}
    words = ["pail", "generate", images, "set/", "-n", "1000"]
    words += [str(word) for name, value in given.items() if value is not None for word in (name, value)]
    command = shlex.join(words)
    keywords: dict[str, Any] = {"techniques": names, "seed": seed or 0, "roi": regions, "command": command}
    target = target or Path("preview.html" if html else "preview.png")
    if html:
        target.write_text(preview_page(normals, sources, **keywords), encoding="utf-8")
    else:
        draw(normals, sources, **keywords).save(target)
    recipe = recipes.make(techniques=names, weights=weights, roi=roi, seed=seed or 0, size=working_size, number=1000)
    target.with_suffix(".toml").write_text(recipes.dumps(recipe), encoding="utf-8")
    out.print(f"{target}\n{command}", highlight=False, soft_wrap=True)


def _read_some(folder: str, size: Any, most: int = 8) -> dict[str, Any]:
    """A few images by name, spread over the folder; those that cannot be read are left out."""
    from pail.core.ops import resize
    from pail.dataset.store import Store
    from pail.io.read import UnreadableError, read_picture

    store, found = Store(folder), dict[str, Any]()
    names = store.names()
    for name in names[:: max(1, len(names) // most)]:
        try:
            picture = read_picture(store.read(name), name=name)
        except (UnreadableError, OSError) as error:
            err.print(f"{name!r} is left out: {error}", markup=False, highlight=False)
            continue
        # Alpha of color images goes with the pixels; two channels would be taken for two bands.
        pixels = picture.pixels[..., 0] if picture.alpha and picture.pixels.shape[2] == 2 else picture.pixels
        found[name] = pixels if size is None else resize(pixels, (size, size) if isinstance(size, int) else size)
        if len(found) == most:
            break
    if not found:
        raise ValueError(f"`images` must be a folder with images that can be read, got {folder}")
    return found


def _masks_of(folder: str, images: dict[str, Any]) -> list[Any]:
    """The masks of the images, by name, as `generate` reads them."""
    from pail.dataset import recipe as recipes
    from pail.dataset.make import Inputs, region
    from pail.dataset.store import Store

    store = Store(folder)
    names = {name.rpartition(".")[0]: name for name in store.names()}
    inputs = Inputs(store, None, store, names)
    return [region(recipes.make(roi=folder), inputs, name, pixels.shape) for name, pixels in images.items()]


@app.command()
def tune(
    folder: IMAGES,
    source: SOURCE = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe to start from.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(help="Where the page is served (the first free one from 7860).", show_default=False)
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Find the right defects by looking: a page on this machine on which anomalies follow the settings.

    It leaves with a recipe for pail generate. Ctrl-C ends it.
    """
    from pail.app import tune as serve

    page = serve(folder, source=source, recipe=recipe, port=port, browser=browser, wait=False)
    out.print(f"{page.local_url}\nCtrl-C ends it.", highlight=False, soft_wrap=True)
    page.block_thread()


@app.command()
def generate(
    images: IMAGES,
    out_folder: Annotated[str, typer.Argument(metavar="OUT", help="Folder of the data set.", show_default=False)],
    number: Annotated[
        int | None, typer.Option("--number", "-n", help="Anomalous images in all.", show_default=False)
    ] = None,
    per_image: Annotated[int | None, typer.Option(help="... or for each normal image (1).", show_default=False)] = None,
    source: SOURCE = None,
    technique: TECHNIQUES = None,
    anomalies: Annotated[
        str | None, typer.Option(help="Anomalies in an image: 1, or a range 1,3.", show_default=False)
    ] = None,
    roi: ROI = None,
    severity: SEVERITY = None,
    size: Annotated[
        str | None, typer.Option(help="Size of the output: 256, or height x width 256x320.", show_default=False)
    ] = None,
    seed: SEED = None,
    layout: Annotated[Layout | None, typer.Option(help="mvtec by default.", show_default=False)] = None,
    purpose: Annotated[
        Purpose | None,
        typer.Option("--for", help="training, or a validation set: test only, half good.", show_default=False),
    ] = None,
    test_share: Annotated[
        float | None, typer.Option(help="Share of the normal images in the test split (0.3).", show_default=False)
    ] = None,
    image_format: Annotated[
        str | None, typer.Option("--format", help="png, tiff, jpg or bmp (png).", show_default=False)
    ] = None,
    compression: Annotated[int | None, typer.Option(help="PNG level, 0 to 9 (1).", show_default=False)] = None,
    coco: Annotated[bool, typer.Option("--coco", help="Also write annotations.json.")] = False,
    recipe: RECIPE = None,
    workers: Annotated[int | None, typer.Option(help="Processes (all cores).", show_default=False)] = None,
    shard: Annotated[str | None, typer.Option(help="2/4: the second of four parts.", show_default=False)] = None,
    dask: Annotated[str | None, typer.Option(help="A Dask scheduler: tcp://host:8786.", show_default=False)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was ended.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Drop the data set in OUT.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, touch nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No bar, no summary.")] = False,
) -> None:
    """Turn a folder of normal images into a labelled data set.

    Without --source the techniques take their texture from the image itself.
    Exit status: 0 all made, 3 some files were skipped, 1 nothing was made, 2 wrong options.
    """
    names, weights = _names(technique)
    options = {
        "number": number,
        "per_image": per_image,
        "techniques": names,
        "weights": weights,
        "anomalies": _numbers("anomalies", anomalies, (1, 2), int),
        "roi": roi,
        "severity": _numbers("severity", severity, (1, 2)),
        "size": _numbers("size", size, (1, 2), int),
        "seed": seed,
        "layout": layout.value if layout else None,
        "purpose": purpose.value if purpose else None,
        "test_share": test_share,
        "format": image_format,
        "compression": compression,
        "coco": True if coco else None,
    }
    if dry_run:
        _show_plan(images, out_folder, source, recipe, shard, options)
        return
    if purpose is Purpose.validation and not quiet:
        err.print("[yellow]Thresholds set on pseudo-anomalies want confirming on real defects.[/yellow]")
    with _cluster(dask):
        summary = pail.generate(
            images,
            out_folder,
            source=source,
            recipe=recipe,
            workers=workers,
            shard=shard,
            resume=resume,
            overwrite=overwrite,
            progress=not quiet,
            **options,
        )
    if not quiet:
        _show(summary)
    raise typer.Exit(summary.status)


@contextlib.contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """The backend for the call: Dask's where an address is given."""
    if address is None:
        yield
        return
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ValueError('`dask` needs distributed: pip install "pai-lib[cluster]"') from error
    import joblib

    try:
        client = Client(address, timeout=DASK_SECONDS)
    except (OSError, ValueError) as error:
        raise ValueError(f"`dask` must be the address of a running scheduler, got {address!r}: {error}") from None
    with client, joblib.parallel_config(backend="dask", client=client):
        yield


def _show_plan(
    images: str, folder: str, source: str | None, recipe: Path | None, shard: str | None, options: Any
) -> None:
    from pail.dataset import recipe as recipes
    from pail.dataset.generate import prepare

    given = {name: value for name, value in options.items() if value is not None}
    checked = recipes.make(**{**(recipes.load(recipe) if recipe else {}), **given})
    run = prepare(images, folder, source, checked, shard)
    plan = run.plan
    out.print(
        f"{len(plan.numbers)} normal images, {len(plan.sources)} sources: {len(plan.good)} good and "
        f"{plan.anomalies} anomalous images in {folder} ({checked.layout}). Nothing is written.",
        highlight=False,
    )


def _show(summary: Any) -> None:
    out.print(f"{summary.good} good and {summary.anomalies} anomalous images in {summary.out}", highlight=False)
    for name, count in sorted(summary.techniques.items()):
        out.print(f"  {name}: {count}", highlight=False)
    if summary.skipped:
        err.print(f"[yellow]{len(summary.skipped)} files skipped, see skipped.jsonl:[/yellow]")
        for entry in summary.skipped[:10]:
            err.print(f"  {entry['file']!r}: {entry['reason']}", markup=False, highlight=False)


@app.command()
def replay(
    dataset: Annotated[str, typer.Argument(help="Folder of the data set.", show_default=False)],
    index: Annotated[int, typer.Argument(help="The index of the image in manifest.jsonl.", show_default=False)],
    normals: Annotated[str, typer.Option("--images", help="Folder of normal images.", show_default=False)],
    source: SOURCE = None,
    target: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write the image; compared by default.")
    ] = None,
) -> None:
    """Make one image of a data set again, from its line of the manifest."""
    from pail.dataset.replay import remake

    image, same = remake(dataset, index, normals, source)
    if target is not None:
        target.write_bytes(image)
    out.print("the same bytes" if same else "[red]other bytes than in the data set[/red]")
    raise typer.Exit(0 if same else 1)


def run() -> None:
    """The console script: errors of the library are one line, not a traceback."""
    try:
        app()
    except (ValueError, TypeError, ImportError) as error:
        _fail("Error:", _in_options(str(error)), 2)
    except pail.StoppedError as error:
        _fail("Stopped:", f"{error}. --resume goes on.", 1)
    except OSError as error:
        _fail("Error:", f"{error.filename}: {error.strerror}" if error.filename else str(error), 2)


def _in_options(text: str) -> str:
    """An error of the library in the words of the command line."""
    for name, option in OPTIONS.items():
        text = text.replace(name, option)
    return text


def _fail(title: str, text: str, status: int) -> None:
    err.print(f"[red]{title}[/red] {escape(text)}", highlight=False, soft_wrap=True)
    sys.exit(status)
