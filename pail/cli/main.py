"""The program: its options and streams, and how errors are printed and mapped to exit statuses."""

from __future__ import annotations

import re
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
import typer.core
from rich.console import Console
from rich.markup import escape

import pail
from pail.call.record import stack

COMMANDS = ("preview", "tune", "generate", "techniques", "cite", "replay")  # in the order of the help


class _Group(typer.core.TyperGroup):
    """The commands; --debug may be given before a command or anywhere after it."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=COMMANDS.index)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        before = [word for word in args[:end] if word != "--debug"]
        return super().parse_args(ctx, ["--debug"] * (len(before) < end) + before + args[end:])


app = typer.Typer(
    name="pail",
    cls=_Group,
    help="Pseudo-anomaly insertion: artificial defects in normal images, with exact masks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)
# Python parameters with another name, or no name, on the command line.
OPTIONS = {"normals": "IMAGES", "images": "IMAGES", "folder": "IMAGES", "out": "OUT", "dataset": "DATASET",
           "index": "INDEX", "weights": "--techniques", "n_anomalies": "--anomalies", "purpose": "--for",
           "names": "TECHNIQUE"}  # fmt: skip
KNOWN = (
    "number", "per_image", "source", "techniques", "defects", "preset", "anomalies", "roi", "severity", "size", "fit",
    "tile", "overlap", "data_range", "seed", "layout", "val_share", "test_share", "classes", "segmentation",
    "format", "compression", "coco", "exclude", "follow_links", "column", "pages", "max_pixels", "recipe",
    "workers", "shard", "dask", "resume", "overwrite", "verify", "output", "port",
)  # fmt: skip
_state = {"debug": False}


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
    """Pseudo-anomaly insertion: artificial defects in normal images, with exact masks."""
    _state["debug"] = debug
    warnings.showwarning = _warn


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    err.print(f"[yellow]Warning:[/yellow] {escape(in_options(str(message)))}", highlight=False, soft_wrap=True)


def run(arguments: list[str] | None = None) -> None:
    """The entry point of the console script. An error is printed on one line; --debug adds its traceback."""
    try:
        app(arguments)
    except (ValueError, TypeError, ImportError) as error:
        _fail("Error:", in_options(str(error)), 2)
    except pail.StoppedError as error:
        _fail("Stopped:", f"{error}. Pass --resume to continue.", 1)
    except OSError as error:
        _fail("Error:", f"{error.filename}: {error.strerror}" if error.filename else str(error), 2)
    except Exception as error:
        hint = "" if _state["debug"] else " (--debug shows the traceback)"
        kind = "" if type(error).__name__ == "InsertionError" else f"{type(error).__name__}: "
        _fail("Failed:", f"{kind}{error}{hint}", 1)


def in_options(text: str) -> str:
    """Replace names of parameters in a message of the library by names of command-line options."""

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
