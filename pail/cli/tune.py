"""`pail tune`: the local page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pail.cli.main import app, out
from pail.cli.options import DEFECTS, IMAGES, SOURCE


@app.command()
def tune(
    folder: IMAGES,
    source: SOURCE = None,
    defects: DEFECTS = None,
    recipe: Annotated[Path | None, typer.Option(help="Recipe file to start from.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the page (the first free one from 7860).", show_default=False)
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Open a local page that shows anomalies on your images while you change the settings.

    The page makes the data set or exports its recipe. Local only: no sharing, no telemetry. Ctrl-C stops it.
    """
    from pail.app import tune as serve

    page = serve(folder, source=source, defects=defects, recipe=recipe, port=port, browser=browser, wait=False)
    out.print(f"{page.local_url}\nCtrl-C stops it.", highlight=False, soft_wrap=True)
    page.block_thread()
