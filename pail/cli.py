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
# Parameters of Python that have another name, or none, on the command line.
OPTIONS = {"normals": "IMAGES", "images": "IMAGES", "folder": "IMAGES", "out": "OUT", "dataset": "DATASET",
           "index": "INDEX", "weights": "--techniques", "n_anomalies": "--anomalies", "purpose": "--for",
           "names": "TECHNIQUE"}  # fmt: skip
KNOWN = (
    "number", "per_image", "source", "techniques", "anomalies", "roi", "severity", "size", "fit", "data_range", "seed",
    "layout", "val_share", "test_share", "classes", "segmentation",
    "format", "compression", "coco", "exclude", "follow_links", "pages", "max_pixels", "recipe",
    "workers", "shard", "dask", "resume", "overwrite", "verify", "output", "port",
)  # fmt: skip
WRITTEN = "written by pail preview"  # which marks its files
HTML_MARK = f'<meta name="generator" content="{WRITTEN}">'
SOFTWARE = 0x0131  # EXIF
PICTURES, PAGES = (".png", ".jpg", ".jpeg", ".webp"), (".html", ".htm")  # of preview; the pictures hold EXIF
INTERRUPTED = 130  # the exit status after Ctrl-C, as a shell has it
_state = {"debug": False}


class Layout(str, Enum):
    """Layouts of data sets."""

    mvtec = "mvtec"
    flat = "flat"
    yolo = "yolo"


class Fit(str, Enum):
    """How images of other proportions are fitted."""

    crop = "crop"
    pad = "pad"
    stretch = "stretch"


class Pages(str, Enum):
    """Which images of a TIFF file with several are used."""

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
        bool, typer.Option("--version", help="Show version and exit.", callback=_version, is_eager=True)
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
    """List the techniques: family, paper, and the parameters with default, bounds and unit."""
    table = Table(show_lines=True)
    for title in ("technique", "family", "what it inserts", "parameters"):
        table.add_column(title, overflow="fold", no_wrap=title == "technique")
    for name, technique in pail.TECHNIQUES.items():
        parameters = "\n".join(_parameter(technique, key) for key in technique.parameters)
        what = f"{technique.summary}\n[dim]{technique.reference}[/dim]"
        table.add_row(f"[bold]{name}[/bold]", technique.family, what, parameters)
    out.print(table)


def _parameter(technique: pail.Technique, name: str) -> str:
    """A line: the default, and what is accepted where the technique says it."""
    line = escape(f"{name} = {_short(technique.parameters[name])}")
    accepted = technique.accepted.get(name)
    if accepted is None:
        return line
    return f"{line}: [dim]{escape(accepted.text)}{', ' * bool(accepted.unit)}{escape(accepted.unit)}[/dim]"


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
SEED = Annotated[int | None, typer.Option(help="The same seed makes the same bytes (0).", show_default=False)]
SEVERITY = Annotated[str | None, typer.Option(help="0 (faintest) to 1, or a range: 0.2,0.8.", show_default=False)]
SIZE = Annotated[
    str | None,
    typer.Option(help="256: shorter side, proportions kept; 256x320: height x width.", show_default=False),
]
FIT = Annotated[Fit | None, typer.Option(help="How images are fitted to height x width (crop).", show_default=False)]
DATA_RANGE = Annotated[
    str | None,
    typer.Option(help="Values in use: 4095; LOW,HIGH; or auto (0.1 and 99.9 % quantiles).", show_default=False),
]
EXCLUDE = Annotated[
    list[str] | None, typer.Option(help="Leave out files with such names: '*_mask.png'.", show_default=False)
]
RECIPE = Annotated[
    Path | None, typer.Option(help="Recipe file; command-line options take precedence.", show_default=False)
]


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

    A recipe for pail generate is written next to it (preview.toml). Files that pail preview did not write are never
    overwritten.
    """
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
    names, weights = _names(technique)
    recipe = make_recipe(
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
    sources = list(_read_few(source, make_recipe()).values()) if source else None
    command = _generate_command(images, source, recipe, seed or 0, None if html else technique)
    keywords: dict[str, Any] = {"techniques": names, "seed": seed or 0, "roi": regions, "command": command}
    keywords["insertion"] = insertion(recipe, recipe.alpha)
    if html:
        page = preview_page(normals, sources, **keywords)
        target.write_text(page.replace("<head>", f"<head>{HTML_MARK}", 1), encoding="utf-8")
    else:
        exif = Image.Exif()
        exif[SOFTWARE] = WRITTEN
        draw(normals, sources, **keywords).save(target, exif=exif)
    toml.write_text(f"# {WRITTEN}\n{to_toml(recipe)}", encoding="utf-8")
    out.print(f"{target}, {toml}\n{command}", highlight=False, soft_wrap=True)


def _generate_command(images: str, source: str | None, recipe: Any, seed: int, techniques: str | None) -> str:
    """The command that makes a data set of what a preview shows."""
    size, window = recipe.size, recipe.data_range
    given = {
        "--source": source,
        "--roi": recipe.roi,
        "--size": f"{size[0]}x{size[1]}" if isinstance(size, tuple) else size,
        "--fit": None if recipe.fit == "crop" else recipe.fit,
        "--seed": seed,
        "--data-range": ",".join(f"{v:g}" for v in window) if isinstance(window, tuple) else window and f"{window:g}",
        "--techniques": techniques,
    }
    words = ["pail", "generate", images, "set/", "-n", "1000"]
    words += [str(word) for name, value in given.items() if value is not None for word in (name, value)]
    words += [word for pattern in recipe.exclude for word in ("--exclude", pattern)]
    return shlex.join(words)


def _check_own(path: Path) -> None:
    """Raise if the file exists and pail preview did not write it."""
    if not path.exists():
        return
    own = False
    with contextlib.suppress(OSError, ValueError, SyntaxError):
        if path.suffix.lower() in (".toml", *PAGES):
            own = WRITTEN.encode() in path.read_bytes()[:4096]
        else:
            with Image.open(path) as image:
                own = image.getexif().get(SOFTWARE) == WRITTEN
    if not own:
        raise ValueError(f"`output` must not name a file that pail preview did not write, got {path}, which is there")


def _read_few(folder: str, recipe: Any, most: int = 8) -> dict[str, Any]:
    """A few images by their names, spread over the folder; files that cannot be read are left out."""
    from pail.dataset.inputs import list_images, read_image
    from pail.dataset.store import Store
    from pail.io.read import UnreadableError

    store, found = Store(folder), dict[str, Any]()
    names = list_images("images", store, recipe)
    for name in names[:: max(1, len(names) // most)]:
        try:
            picture = read_image(store, name, recipe)
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
    """The recipe with the values in use, and a few images with their regions, as `generate` has them."""
    import dataclasses

    from pail.dataset.inputs import Inputs, list_images, read_image, values_in_use
    from pail.dataset.make import region
    from pail.dataset.sizes import fitted
    from pail.dataset.store import Store

    originals, store = _read_few(folder, recipe), Store(folder)
    if recipe.data_range == "auto":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # printed above
            names = list_images("images", store, recipe)
        found = values_in_use(names, lambda name: read_image(store, name, recipe).pixels, alpha=recipe.alpha)
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
    recipe: Annotated[Path | None, typer.Option(help="Recipe file to start from.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the page (the first free one from 7860).", show_default=False)
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Find the right settings by looking: a local page that shows anomalies on your images as settings change.

    It exports a recipe for pail generate. Local only: no sharing, no telemetry. Ctrl-C stops it.
    """
    from pail.app import tune as serve

    page = serve(folder, source=source, recipe=recipe, port=port, browser=browser, wait=False)
    out.print(f"{page.local_url}\nCtrl-C stops it.", highlight=False, soft_wrap=True)
    page.block_thread()


@app.command()
def generate(
    images: IMAGES,
    out_folder: Annotated[str, typer.Argument(metavar="OUT", help="Folder of the data set.", show_default=False)],
    number: Annotated[
        int | None, typer.Option("--number", "-n", help="Anomalous images in total.", show_default=False)
    ] = None,
    per_image: Annotated[
        int | None, typer.Option(help="Anomalous images for each normal image (1).", show_default=False)
    ] = None,
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
    layout: Annotated[Layout | None, typer.Option(help="Folders and file names (mvtec).", show_default=False)] = None,
    purpose: Annotated[
        Purpose | None,
        typer.Option(
            "--for",
            help="training (default), or validation: one split, half good.",
            show_default=False,
        ),
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
        str | None, typer.Option(help="Masks in annotations.json: rle (default) or polygon.", show_default=False)
    ] = None,
    exclude: EXCLUDE = None,
    follow_links: Annotated[bool, typer.Option("--follow-links", help="Follow links to folders.")] = False,
    pages: Annotated[
        Pages | None, typer.Option(help="Images of TIFF files with several (first).", show_default=False)
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(help="Largest number of pixels of an image (179 million).", show_default=False)
    ] = None,
    recipe: RECIPE = None,
    workers: Annotated[int | None, typer.Option(help="Processes (all cores).", show_default=False)] = None,
    shard: Annotated[str | None, typer.Option(help="2/4: the second of four parts.", show_default=False)] = None,
    dask: Annotated[str | None, typer.Option(help="A Dask scheduler: tcp://host:8786.", show_default=False)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete the existing data set first.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Let --resume compare checksums instead of times of writing.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be made, write nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no summary.")] = False,
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
        claim = {"resume": resume, "overwrite": overwrite}
        _show_plan(images, out_folder, source, recipe, shard, options, verify=verify, **claim)
        return
    if purpose is Purpose.validation and not quiet:
        err.print("[yellow]Confirm thresholds that are set on pseudo-anomalies on real defects.[/yellow]")
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
    """After Ctrl-C, print the command that resumes the run, and exit as an interrupted program does.

    A second Ctrl-C does not wait for the workers. Errors in threads of the pool while it is shut down are not printed.
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
        err.print("\n[yellow]Interrupted. To resume:[/yellow]", highlight=False)
        err.print(shlex.join(["pail", *words, "--resume"]), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, before)
        if not pressed:
            threading.excepthook = report


@contextlib.contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Use the Dask cluster at an address, if there is one."""
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
    images: str,
    folder: str,
    source: str | None,
    recipe: Path | None,
    shard: str | None,
    options: Any,
    *,
    verify: bool,
    **claim: bool,
) -> None:
    from pail.dataset.recipe import combined
    from pail.dataset.run import check_claim, prepare_run

    checked = combined(recipe, **options)
    run = prepare_run(images, folder, source, checked, shard, verify=verify)
    check_claim(run, **claim)  # what would end the run ends this, too
    plan = run.plan
    if run.values:
        out.print(f"data_range: {run.values}", highlight=False)
    splits = ", ".join(f"{len(names)} in {split}" for split, names in plan.splits.items())
    pools = " and ".join(f"the {len(names)} of {split}" for split, names in plan.pools.items())
    out.print(
        f"{len(plan.numbers)} normal images ({splits}), {len(plan.sources)} sources: {len(plan.good)} good and "
        f"{plan.anomalies} anomalous images in {folder} ({checked.layout}). The anomalous ones are made only of "
        f"{pools}. Nothing is written.",
        highlight=False,
        soft_wrap=True,
    )
    _say_notes(checked)


def _say_notes(recipe: Any) -> None:
    from pail.dataset.layouts import notes

    for note in notes(recipe):
        err.print(f"[yellow]{escape(note)}[/yellow]", highlight=False, soft_wrap=True)


def _show(summary: Any) -> None:
    out.print(f"{summary.good} good and {summary.anomalies} anomalous images in {summary.out}", highlight=False)
    for name, count in sorted(summary.techniques.items()):
        out.print(f"  {name}: {count}", highlight=False)
    for line in summary.missing:
        err.print(f"[yellow]Fewer than requested:[/yellow] {escape(line)}", highlight=False, soft_wrap=True)
    for path in (summary.manifest, summary.report):
        out.print(path, highlight=False, soft_wrap=True)
    if summary.skipped:
        err.print(f"[yellow]{len(summary.skipped)} files skipped, see skipped.jsonl:[/yellow]")
        for entry in summary.skipped[:10]:
            err.print(f"  {entry['file']!r}: {entry['reason']}", markup=False, highlight=False)


@app.command()
def replay(
    dataset: Annotated[str, typer.Argument(help="Folder of the data set.", show_default=False)],
    index: Annotated[int, typer.Argument(help="Index of the image in manifest.jsonl.", show_default=False)],
    normals: Annotated[str, typer.Option("--images", help="Folder of normal images.", show_default=False)],
    source: SOURCE = None,
    target: Annotated[Path | None, typer.Option("--output", "-o", help="File to write the image to.")] = None,
) -> None:
    """Make one image of a data set again from its line of the manifest, and compare it."""
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
    """The console script. An error is printed as one line; --debug adds its traceback."""
    try:
        app(arguments)
    except (ValueError, TypeError, ImportError) as error:
        _fail("Error:", _in_options(str(error)), 2)
    except pail.StoppedError as error:
        _fail("Stopped:", f"{error}. Pass --resume to continue.", 1)
    except OSError as error:
        _fail("Error:", f"{error.filename}: {error.strerror}" if error.filename else str(error), 2)
    except Exception as error:
        hint = "" if _state["debug"] else " (--debug shows the traceback)"
        kind = "" if type(error).__name__ == "InsertionError" else f"{type(error).__name__}: "
        _fail("Failed:", f"{kind}{error}{hint}", 1)


def _in_options(text: str) -> str:
    """A message of the library with the names of command-line options."""

    def option(found: re.Match[str]) -> str:
        name, values = found[1], found[2]
        known = OPTIONS.get(name) or (f"--{name.replace('_', '-')}" if name in KNOWN else None)
        if known is None:
            return found[0]
        return f"{known} {values.replace(' ', '').strip('()')}" if values else known

    return re.sub(r"`(\w+)(?:\[\d+\])?(?:=([^`]*))?`", option, text)


def _fail(title: str, text: str, status: int) -> None:
    if _state["debug"]:
        err.print(traceback.format_exc(), markup=False, highlight=False, soft_wrap=True)
    err.print(f"[red]{title}[/red] {escape(text)}", highlight=False, soft_wrap=True)
    sys.exit(status)
