"""`pail techniques` and `pail cite`: list the techniques and print BibTeX entries."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

import pail
from pail.citation import members
from pail.cli.main import app, out
from pail.registry import FAMILIES


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
def techniques(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TECHNIQUE]...", help="Techniques or families whose parameters are shown.", show_default=False
        ),
    ] = None,
) -> None:
    """List the techniques with their families and what they insert.

    For named techniques, also show the paper and the parameters with default, bounds and unit.
    """
    if not names:
        width, wide = (max(map(len, column)) for column in (pail.TECHNIQUES, FAMILIES))
        for name, technique in pail.TECHNIQUES.items():
            line = f"[bold]{name:{width}}[/bold]  {technique.family:{wide}}  {escape(technique.summary)}"
            out.print(line, highlight=False, soft_wrap=True)
        return
    chosen = [name for entry in names for name in members(entry)]
    table = Table(show_lines=True)
    for title in ("technique", "family", "what it inserts", "parameters"):
        table.add_column(title, overflow="fold", no_wrap=title == "technique")
    for name in dict.fromkeys(chosen):
        technique = pail.TECHNIQUES[name]
        parameters = "\n".join(_parameter(technique, key) for key in technique.parameters)
        what = f"{technique.summary}\n[dim]{technique.reference}[/dim]"
        table.add_row(f"[bold]{name}[/bold]", technique.family, what, parameters)
    out.print(table)


def _parameter(technique: pail.Technique, name: str) -> str:
    """One line with the default of a parameter, and the accepted values if they are declared."""
    line = escape(f"{name} = {_short(technique.parameters[name])}")
    accepted = technique.accepted.get(name)
    if accepted is None:
        return line
    return f"{line}: [dim]{escape(accepted.text)}{', ' * bool(accepted.unit)}{escape(accepted.unit)}[/dim]"


def _short(value: Any) -> str:
    """A default with four digits: 2/256 is 0.007812."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return f"({', '.join(_short(entry) for entry in value)})"
    return repr(value)
