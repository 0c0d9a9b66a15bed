"""`pail replay`: one image of a data set, made again and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pail.cli.main import app, out
from pail.cli.options import DEFECTS, SOURCE


@app.command()
def replay(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Folder of the data set.", show_default=False)],
    index: Annotated[
        int, typer.Argument(metavar="INDEX", help="Index of the image in manifest.jsonl.", show_default=False)
    ],
    normals: Annotated[str, typer.Option("--images", help="Folder of normal images.", show_default=False)],
    source: SOURCE = None,
    defects: DEFECTS = None,
    roi: Annotated[
        str | None, typer.Option(help="Folder of masks, if it is not where it was.", show_default=False)
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--output", "-o", help="New file to write the image to.", show_default=False)
    ] = None,
) -> None:
    """Make one image of a data set again from its line of the manifest, and compare it."""
    from pail.dataset.replay import remake

    if target is not None and target.exists():
        raise ValueError(f"`output` must not name a file that exists, got {target}")
    made = remake(dataset, index, normals, source, defects, roi)
    if target is not None:
        if target.suffix.lower() != made.suffix:
            raise ValueError(f"`output` must end in {made.suffix}, as the image in the set does, got {target}")
        target.write_bytes(made.image)
    if made.is_same:
        out.print("the same bytes")
        return
    out.print(f"[red]other bytes than in the data set:[/red] {escape(made.reason)}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
