"""`pail generate`: a data set from a folder of normal images."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

import pail
from pail._install import install_hint
from pail.cli.main import app, err, in_options, out
from pail.cli.options import (
    IMAGES,
    RECIPE,
    SOURCE,
    Layout,
    Purpose,
    takes_shared,
)

DASK_SECONDS = 10  # timeout for the response of a scheduler
INTERRUPTED = 130  # the usual exit status after Ctrl-C


@app.command()
@takes_shared
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
    given: Any = None,
    layout: Annotated[Layout | None, typer.Option(help="Folders and file names (mvtec).", show_default=False)] = None,
    purpose: Annotated[
        Purpose | None,
        typer.Option(
            "--for",
            help="training (default); validation: one split, half good.",
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
    image_format: Annotated[
        str | None, typer.Option("--format", help="png, tiff, jpg or bmp (png).", show_default=False)
    ] = None,
    compression: Annotated[int | None, typer.Option(help="PNG level, 0 to 9 (1).", show_default=False)] = None,
    coco: Annotated[bool, typer.Option("--coco", help="Also write annotations.json.")] = False,
    segmentation: Annotated[
        str | None, typer.Option(help="Masks in annotations.json: rle (default) or polygon.", show_default=False)
    ] = None,
    recipe: RECIPE = None,
    workers: Annotated[int | None, typer.Option(help="Number of processes (one per core).", show_default=False)] = None,
    shard: Annotated[
        str | None, typer.Option(help="Make one part: 2/4 is the second of four.", show_default=False)
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler: tcp://host:8786.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete the existing data set first.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Let --resume compare checksums, not file times.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be made, and write nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress bar and no summary.")] = False,
) -> None:
    """Make a labeled data set from a folder of normal images.

    Without --source the techniques take their texture from the image itself.

    \b
    Exit status:
    0    all images were made
    1    nothing was made, or the run was stopped
    2    wrong options
    3    some files were skipped
    4    fewer images than requested
    130  interrupted (Ctrl-C)
    """
    options = {
        **given,
        "number": number,
        "per_image": per_image,
        "layout": layout.value if layout else None,
        "purpose": purpose.value if purpose else None,
        "val_share": val_share,
        "test_share": test_share,
        "format": image_format,
        "compression": compression,
        "coco": True if coco else None,
        "segmentation": segmentation,
    }
    if dry_run:
        claim = {"resume": resume, "overwrite": overwrite}
        _show_plan(images, out_folder, source, recipe, shard, options, verify=verify, **claim)
        return
    if purpose is Purpose.validation and not quiet:
        err.print("[yellow]Thresholds that were set on pseudo-anomalies must be confirmed on real defects.[/yellow]")
    with _silent_tracker(), _resumable(), _cluster(dask), warnings.catch_warnings():
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
    if quiet:
        _show_failure(summary)
    else:
        alone = "defects" in given and "techniques" not in given and set(summary.techniques) == {"real_defect"}
        _show(summary, alone=alone)
    raise typer.Exit(summary.status)


@contextlib.contextmanager
def _silent_tracker() -> Iterator[None]:
    """Silence the process in which joblib tracks files and semaphores.

    After Ctrl-C it warns about each one that the workers have already removed, possibly below the command that resumes.
    """
    name, filters = "PYTHONWARNINGS", os.environ.get("PYTHONWARNINGS")
    own = "ignore::UserWarning:joblib.externals.loky.backend.resource_tracker"
    os.environ[name] = f"{filters},{own}" if filters else own
    try:
        yield
    finally:
        if filters is None:
            del os.environ[name]
        else:
            os.environ[name] = filters


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """After Ctrl-C, print the command that resumes the run, and exit with the status of an interrupted program.

    A second Ctrl-C does not wait for the workers. Errors in pool threads during shutdown are not printed.
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
    check_claim(run, **claim)  # raises the same errors as the run would
    plan = run.plan
    if run.values:
        out.print(f"data_range: {run.values}", highlight=False)
    splits = ", ".join(f"{len(names)} in {split}" for split, names in plan.splits.items())
    pools = " and ".join(f"the {len(names)} of {split}" for split, names in plan.pools.items())
    only = "only " if sum(map(len, plan.pools.values())) < len(plan.numbers) else ""
    cut = f", which are cut into tiles of {checked.tile}x{checked.tile} pixels" if checked.tile else ""
    out.print(
        f"{len(plan.numbers)} normal images ({splits}), {len(plan.sources)} sources: {len(plan.good)} good and "
        f"{plan.anomalies} anomalous images in {folder} ({checked.layout}){cut}. The anomalous ones are "
        f"made {only}from {pools}. Nothing is written.",
        highlight=False,
        soft_wrap=True,
    )
    _say_notes(checked)


def _say_notes(recipe: Any) -> None:
    from pail.dataset.layouts import notes

    for note in notes(recipe):
        err.print(f"[yellow]{escape(in_options(note))}[/yellow]", highlight=False, soft_wrap=True)


def _regions(summary: Any) -> str:
    """On how many images anomalies were restricted to the object."""
    on, off = summary.foreground, summary.everywhere
    some = f" ({', '.join(off[:3])}{', ...' * (len(off) > 3)})" if on else " normal images"
    parts = [f"on the object in {len(on)} of {len(on) + len(off)} normal images"] if on else []
    if off:
        parts.append(
            f"no object was found in {len(off)}{some}, where anomalies may be anywhere; --roi FOLDER reads masks"
        )
    return f"  region: {'; '.join(parts)}"


def _show_failure(summary: Any) -> None:
    """Print why nothing was made, also with --quiet."""
    if summary.status != 1:
        return
    reasons = summary.missing or [f"{entry['file']!r}: {entry['reason']}" for entry in summary.skipped]
    err.print(f"[red]Nothing was made:[/red] {escape('; '.join(reasons[:3]))}", highlight=False, soft_wrap=True)


def _show(summary: Any, *, alone: bool) -> None:
    if summary.planned == 0:
        out.print(f"This shard contains no image of the set in {summary.out}.", highlight=False, soft_wrap=True)
        return
    what = f"tiles of {summary.cut} images" if summary.cut else "images"
    out.print(f"{summary.good} good and {summary.anomalies} anomalous {what} in {summary.out}", highlight=False)
    if summary.splits.get("train") and "train" not in summary.pools:  # the mvtec layout
        pools = " and ".join(f"the {count} images of the {split} split" for split, count in summary.pools.items())
        out.print(
            f"  made only from {pools}; train/ has no anomalies: use --layout flat or yolo to train on them",
            highlight=False,
            soft_wrap=True,
        )
    for name, count in sorted(summary.techniques.items()):
        out.print(f"  {name}: {count}", highlight=False)
    for split, counts in summary.classes.items():
        shown = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        out.print(f"  pieces in {split}: {shown}", markup=False, highlight=False, soft_wrap=True)
    if alone:
        out.print(
            "  only real_defect is used, because --defects is given; --techniques real,SFI adds others",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if summary.foreground or summary.everywhere:
        out.print(_regions(summary), markup=False, highlight=False, soft_wrap=True)
    for line in summary.lacking:
        title, _, rest = line.partition(": ")
        err.print(f"[yellow]{title.capitalize()}:[/yellow] {escape(rest)}", highlight=False, soft_wrap=True)
    for line in summary.missing:
        err.print(f"[yellow]Fewer than requested:[/yellow] {escape(line)}", highlight=False, soft_wrap=True)
    for path in (summary.manifest, summary.report):
        out.print(path, highlight=False, soft_wrap=True)
    if summary.skipped:
        err.print(f"[yellow]{len(summary.skipped)} files were skipped, see skipped.jsonl:[/yellow]")
        for entry in summary.skipped[:10]:
            err.print(f"  {entry['file']!r}: {entry['reason']}", markup=False, highlight=False)
