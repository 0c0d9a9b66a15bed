"""The command line: `pail preview`, `tune`, `generate`, `techniques`, `cite` and `replay`."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import pail
from pail._install import install_hint
from pail.call.record import stack


class _Group(typer.core.TyperGroup):
    """The commands; --debug may stand before a command or anywhere behind it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        before = [word for word in args[:end] if word != "--debug"]
        return super().parse_args(ctx, ["--debug"] * (len(before) < end) + before + args[end:])


app = typer.Typer(
    name="pail",
    cls=_Group,
    help="Pseudo-anomaly insertion: realistic pseudo-defects in normal images, with exact masks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)
DASK_SECONDS = 10  # in which a scheduler has to answer
# What Python calls otherwise, or the command line takes without a name.
OPTIONS = {"normals": "IMAGES", "images": "IMAGES", "folder": "IMAGES", "out": "OUT", "dataset": "DATASET",
           "index": "INDEX", "n_anomalies": "--anomalies", "purpose": "--for", "names": "TECHNIQUE"}  # fmt: skip
KNOWN = (
    "number", "per_image", "source", "techniques", "anomalies", "roi", "severity", "size", "fit", "data_range", "seed",
    "layout", "val_share", "test_share", "classes", "segmentation",
    "format", "compression", "coco", "exclude", "follow_links", "pages", "max_pixels", "recipe",
    "workers", "shard", "dask", "resume", "overwrite", "verify", "output", "port",
)  # fmt: skip
WRITTEN = "written by pail preview"  # how its files are known again
HTML_MARK = f'<meta name="generator" content="{WRITTEN}">'
SOFTWARE = 0x0131  # EXIF
INTERRUPTED = 130  # the exit status after Ctrl-C, as a shell has it
_state = {"debug": False}


class Layout(str, Enum):
    """Layouts of data sets."""

    mvtec = "mvtec"
    flat = "flat"
    yolo = "yolo"


class Fit(str, Enum):
    """What becomes of images of other proportions."""

    crop = "crop"
    pad = "pad"
    stretch = "stretch"


class Pages(str, Enum):
    """Which images of a file that holds several."""

    first = "first"
    all = "all"


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
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Pseudo-anomaly insertion: realistic pseudo-defects in normal images, with exact masks."""
    _state["debug"] = debug
    warnings.showwarning = _warn


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    err.print(f"[yellow]Warning:[/yellow] {escape(_in_options(str(message)))}", highlight=False, soft_wrap=True)


@app.command()
def cite(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TECHNIQUE]...", help="Techniques or families; all by default.", show_default=False),
    ] = None,
) -> None:
    """Print the BibTeX entries of the papers behind techniques."""
    sys.stdout.write(pail.cite(*(names or ())) + "\n")


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


def _data_range(text: str | None) -> Any:
    """ "auto", "4095" or "51200,52028"."""
    if text is None or text == "auto":
        return text
    try:
        return _numbers("data_range", text, (1, 2))
    except ValueError:
        raise ValueError(f"`data_range` must be 4095, 51200,52028 or auto, got {text!r}") from None


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
SIZE = Annotated[
    str | None,
    typer.Option(help="256: the shorter side, proportions kept; 256x320: height x width.", show_default=False),
]
FIT = Annotated[Fit | None, typer.Option(help="To height x width (crop).", show_default=False)]
DATA_RANGE = Annotated[
    str | None,
    typer.Option(help="Values in use: 4095, LOW,HIGH, or auto (0.1 and 99.9 % quantiles).", show_default=False),
]
EXCLUDE = Annotated[
    list[str] | None, typer.Option(help="Pass over files of such names: '*_mask.png'.", show_default=False)
]
RECIPE = Annotated[Path | None, typer.Option(help="Options from a file; those given here win.", show_default=False)]


@app.command()
def preview(
    images: IMAGES,
    source: SOURCE = None,
    technique: TECHNIQUES = None,
    roi: ROI = None,
    seed: SEED = None,
    size: SIZE = None,
    fit: FIT = None,
    data_range: DATA_RANGE = None,
    exclude: EXCLUDE = None,
    target: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="preview.png, or preview.html with --html.", show_default=False),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="One self-contained page instead of a picture.")] = False,
) -> None:
    """Show on one sheet what each technique does to your images, at four severities.

    Beside it lies a recipe of the same name (preview.toml) for pail generate. Files that pail preview did not write
    are never overwritten.
    """
    from pail.dataset import recipe as recipes
    from pail.dataset.make import insertion
    from pail.report.preview import preview as draw
    from pail.report.preview import preview_page

    target = target or Path("preview.html" if html else "preview.png")
    toml = target.with_suffix(".toml")
    for path in (target, toml):
        _check_own(path)
    names, weights = _names(technique)
    recipe = recipes.make(
        techniques=names,
        weights=weights,
        roi=roi,
        seed=seed or 0,
        size=_numbers("size", size, (1, 2), int),
        fit=fit.value if fit else None,
        data_range=_data_range(data_range),
        exclude=exclude,
        number=1000,
    )
    recipe, normals, regions = _read_some(images, recipe)
    sources = list(_read_few(source, recipes.make()).values()) if source else None
    given = {"--source": source, "--roi": roi, "--size": size, "--fit": fit and fit.value, "--seed": seed or 0}
    if recipe.data_range is not None:
        window = recipe.data_range
        given["--data-range"] = ",".join(f"{v:g}" for v in window) if isinstance(window, tuple) else f"{window:g}"
    given |= {"--techniques": technique if not html else None}
    words = ["pail", "generate", images, "set/", "-n", "1000"]
    words += [str(word) for name, value in given.items() if value is not None for word in (name, value)]
    words += [word for pattern in exclude or () for word in ("--exclude", pattern)]
    command = shlex.join(words)
    keywords: dict[str, Any] = {"techniques": names, "seed": seed or 0, "roi": regions, "command": command}
    keywords["insertion"] = insertion(recipe, recipe.alpha)
    if html:
        page = preview_page(normals, sources, **keywords)
        target.write_text(page.replace("<head>", f"<head>{HTML_MARK}", 1), encoding="utf-8")
    else:
        exif = Image.Exif()
        exif[SOFTWARE] = WRITTEN
        draw(normals, sources, **keywords).save(target, exif=exif)
    toml.write_text(f"# {WRITTEN}\n{recipes.dumps(recipe)}", encoding="utf-8")
    out.print(f"{target}, {toml}\n{command}", highlight=False, soft_wrap=True)


def _check_own(path: Path) -> None:
    """Raise where a file is there that pail preview did not write."""
    if not path.exists():
        return
    own = False
    with contextlib.suppress(OSError, ValueError, SyntaxError):
        if path.suffix in (".toml", ".html"):
            own = WRITTEN.encode() in path.read_bytes()[:4096]
        else:
            with Image.open(path) as image:
                own = image.getexif().get(SOFTWARE) == WRITTEN
    if not own:
        raise ValueError(f"`output` must not name a file that pail preview did not write, got {path}, which is there")


def _read_few(folder: str, recipe: Any, most: int = 8) -> dict[str, Any]:
    """A few images by name as their files have them, spread over the folder; what cannot be read is left out."""
    from pail.dataset.inputs import list_images, read
    from pail.dataset.store import Store
    from pail.io.read import UnreadableError

    store, found = Store(folder), dict[str, Any]()
    names = list_images("images", store, recipe)
    for name in names[:: max(1, len(names) // most)]:
        try:
            picture = read(store, name, recipe)
            # Alpha of color images goes with the pixels; two channels would be taken for two bands.
            found[name] = picture.pixels[..., 0] if picture.alpha and picture.pixels.shape[2] == 2 else picture.pixels
        except (UnreadableError, OSError) as error:
            err.print(f"{name!r} is left out: {error}", markup=False, highlight=False)
        if len(found) == most:
            break
    if not found:
        raise ValueError(f"`images` must be a folder with images that can be read, got {folder}")
    return found


def _read_some(folder: str, recipe: Any) -> tuple[Any, list[Any], Any]:
    """A few images and their regions as `generate` has them, and the recipe with the range of values that was found."""
    import dataclasses

    from pail.dataset import window
    from pail.dataset.inputs import list_images, read
    from pail.dataset.make import Inputs, region
    from pail.dataset.sizes import fitted
    from pail.dataset.store import Store

    originals, store = _read_few(folder, recipe), Store(folder)
    if recipe.data_range == "auto":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said above
            names = list_images("images", store, recipe)
        found = window.find(names, lambda name: read(store, name, recipe).pixels, alpha=recipe.alpha)
        recipe = dataclasses.replace(recipe, data_range=(found.low, found.high))
        err.print(f"data_range: {found}", highlight=False)
    images = {name: fitted(pixels, recipe.size, recipe.fit) for name, pixels in originals.items()}
    rois = None if recipe.roi in (None, "foreground") else Store(recipe.roi)
    masks = {name.rpartition(".")[0]: name for name in rois.names()} if rois else {}
    inputs = Inputs(store, None, rois, masks)
    regions = [region(recipe, inputs, name, images[name], originals[name].shape[:2]) for name in images]
    alike = all(entry is None or isinstance(entry, str) for entry in regions)
    return recipe, list(images.values()), regions[0] if alike else regions


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
    size: SIZE = None,
    fit: FIT = None,
    data_range: DATA_RANGE = None,
    seed: SEED = None,
    layout: Annotated[Layout | None, typer.Option(help="mvtec by default.", show_default=False)] = None,
    purpose: Annotated[
        Purpose | None,
        typer.Option("--for", help="training, or a validation set: test only, half good.", show_default=False),
    ] = None,
    val_share: Annotated[
        float | None,
        typer.Option(help="Share of the normal images in the val split (yolo 0.3, others 0).", show_default=False),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(help="Share of the normal images in the test split (mvtec 0.3, others 0).", show_default=False),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="Classes of YOLO and COCO: technique (default), single, or a NAME.", show_default=False),
    ] = None,
    image_format: Annotated[
        str | None, typer.Option("--format", help="png, tiff, jpg or bmp (png).", show_default=False)
    ] = None,
    compression: Annotated[int | None, typer.Option(help="PNG level, 0 to 9 (1).", show_default=False)] = None,
    coco: Annotated[bool, typer.Option("--coco", help="Also write annotations.json.")] = False,
    segmentation: Annotated[
        str | None, typer.Option(help="Of COCO: rle (default) or polygon.", show_default=False)
    ] = None,
    exclude: EXCLUDE = None,
    follow_links: Annotated[bool, typer.Option("--follow-links", help="Search linked folders, too.")] = False,
    pages: Annotated[
        Pages | None, typer.Option(help="Of TIFF files with several images (first).", show_default=False)
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(help="Read images of up to so many pixels (179 million).", show_default=False)
    ] = None,
    recipe: RECIPE = None,
    workers: Annotated[int | None, typer.Option(help="Processes (all cores).", show_default=False)] = None,
    shard: Annotated[str | None, typer.Option(help="2/4: the second of four parts.", show_default=False)] = None,
    dask: Annotated[str | None, typer.Option(help="A Dask scheduler: tcp://host:8786.", show_default=False)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete the data set in OUT first.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare checksums, not times of writing, on --resume.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, touch nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No bar, no summary.")] = False,
) -> None:
    """Turn a folder of normal images into a labeled data set.

    Without --source the techniques take their texture from the image itself.
    Exit status: 0 all made, 3 some files were skipped, 4 fewer images than asked for, 1 nothing was made or the run was
    stopped, 2 wrong options, 130 interrupted (Ctrl-C).
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
        "fit": fit.value if fit else None,
        "data_range": _data_range(data_range),
        "seed": seed,
        "layout": layout.value if layout else None,
        "purpose": purpose.value if purpose else None,
        "val_share": val_share,
        "test_share": test_share,
        "classes": classes,
        "format": image_format,
        "compression": compression,
        "coco": True if coco else None,
        "segmentation": segmentation,
        "exclude": exclude or None,
        "follow_links": True if follow_links else None,
        "pages": pages.value if pages else None,
        "max_pixels": max_pixels,
    }
    if dry_run:
        _show_plan(images, out_folder, source, recipe, shard, options)
        return
    if purpose is Purpose.validation and not quiet:
        err.print("[yellow]Thresholds set on pseudo-anomalies want confirming on real defects.[/yellow]")
    with _resumable(), _cluster(dask), warnings.catch_warnings():
        if quiet:
            warnings.simplefilter("ignore")
        summary = pail.generate(
            images,
            out_folder,
            source=source,
            recipe=recipe,
            workers=workers,
            shard=shard,
            resume=resume,
            overwrite=overwrite,
            verify=verify,
            progress=not quiet,
            **options,
        )
    if not quiet:
        _show(summary)
    raise typer.Exit(summary.status)


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """After Ctrl-C the command that resumes the run, and the exit status of an interrupted program.

    A second Ctrl-C does not wait for the workers. Threads of the pool that stumble while it is torn down are not heard.
    """
    pressed: list[int] = []

    def interrupt(number: int, frame: Any) -> None:
        if pressed:
            os._exit(INTERRUPTED)
        pressed.append(number)
        raise KeyboardInterrupt

    before, report = signal.signal(signal.SIGINT, interrupt), threading.excepthook
    threading.excepthook = lambda what: None if pressed else report(what)
    try:
        yield
    except KeyboardInterrupt:
        words = [word for word in sys.argv[1:] if word not in ("--overwrite", "--resume")]
        err.print("\n[yellow]Stopped; --resume goes on:[/yellow]", highlight=False)
        err.print(shlex.join(["pail", *words, "--resume"]), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, before)
        if not pressed:
            threading.excepthook = report


@contextlib.contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """The backend for the call: Dask's where an address is given."""
    if address is None:
        yield
        return
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ValueError(f"`dask` needs distributed: {install_hint('cluster')}") from error
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
    if run.window:
        out.print(f"data_range: {run.window}", highlight=False)
    splits = ", ".join(f"{len(names)} in {split}" for split, names in plan.splits.items())
    pools = " and ".join(f"the {len(names)} of {split}" for split, names in plan.pools.items())
    out.print(
        f"{len(plan.numbers)} normal images ({splits}), {len(plan.sources)} sources: {len(plan.good)} good and "
        f"{plan.anomalies} anomalous images in {folder} ({checked.layout}). The anomalous ones are made of {pools} "
        "alone. Nothing is written.",
        highlight=False,
        soft_wrap=True,
    )
    _say_notes(checked)


def _say_notes(recipe: Any) -> None:
    from pail.dataset.layout import notes

    for note in notes(recipe):
        err.print(f"[yellow]{escape(note)}[/yellow]", highlight=False, soft_wrap=True)


def _show(summary: Any) -> None:
    out.print(f"{summary.good} good and {summary.anomalies} anomalous images in {summary.out}", highlight=False)
    for name, count in sorted(summary.techniques.items()):
        out.print(f"  {name}: {count}", highlight=False)
    for line in summary.missing:
        err.print(f"[yellow]Fewer than asked for:[/yellow] {escape(line)}", highlight=False, soft_wrap=True)
    for path in (summary.manifest, summary.report):
        out.print(path, highlight=False, soft_wrap=True)
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

    made = remake(dataset, index, normals, source)
    if target is not None:
        target.write_bytes(made.image)
    if made.is_same:
        out.print("the same bytes")
        return
    out.print(f"[red]other bytes than in the data set:[/red] {escape(made.reason)}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def run(arguments: list[str] | None = None) -> None:
    """The console script: an error is one line, with --debug its traceback."""
    try:
        app(arguments)
    except (ValueError, TypeError, ImportError) as error:
        _fail("Error:", _in_options(str(error)), 2)
    except pail.StoppedError as error:
        _fail("Stopped:", f"{error}. --resume goes on.", 1)
    except OSError as error:
        _fail("Error:", f"{error.filename}: {error.strerror}" if error.filename else str(error), 2)
    except Exception as error:
        hint = "" if _state["debug"] else " (--debug shows the traceback)"
        kind = "" if type(error).__name__ == "InsertionError" else f"{type(error).__name__}: "
        _fail("Failed:", f"{kind}{error}{hint}", 1)


def _in_options(text: str) -> str:
    """An error of the library in the words of the command line."""

    def option(found: re.Match[str]) -> str:
        name = found[1]
        return OPTIONS.get(name) or (f"--{name.replace('_', '-')}" if name in KNOWN else found[0])

    return re.sub(r"`(\w+)`", option, text)


def _fail(title: str, text: str, status: int) -> None:
    if _state["debug"]:
        err.print(traceback.format_exc(), markup=False, highlight=False, soft_wrap=True)
    err.print(f"[red]{title}[/red] {escape(text)}", highlight=False, soft_wrap=True)
    sys.exit(status)
