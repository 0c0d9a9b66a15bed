"""`pail replay`: reproduce one image of a data set and compare it."""

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
    roi: Annotated[str | None, typer.Option(help="Folder of masks, if it was moved.", show_default=False)] = None,
    target: Annotated[
        Path | None, typer.Option("--output", "-o", help="New file to write the image to.", show_default=False)
    ] = None,
) -> None:
    """Reproduce one image of a data set from its manifest line, and compare it."""
    from pail.dataset.replay import remake

    if target is not None and target.exists():
        raise ValueError(f"`output` must not name a file that exists, got {target}")
    made = remake(dataset, index, normals, source, defects, roi)
    if target is not None:
        if target.suffix.lower() != made.suffix:
            raise ValueError(f"`output` must end in {made.suffix} like the image in the set, got {target}")
        target.write_bytes(made.image)
    if made.is_same:
        out.print("the same bytes")
        return
    out.print(
        f"[red]the bytes differ from those in the data set:[/red] {escape(made.reason)}",
        highlight=False,
        soft_wrap=True,
    )
    raise typer.Exit(1)
