"""Options that several commands share, and the conversion of their str values."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer


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


def as_numbers(name: str, text: str | None, count: tuple[int, ...], kind: type = float) -> Any:
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


def as_names(text: str | None) -> tuple[list[str] | None, list[float] | None]:
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
            raise ValueError(f"`techniques` must contain weights such as cutpaste=2, got {part!r}") from None
    return names, weights if any(weight != 1 for weight in weights) else None


def as_data_range(text: str | None) -> Any:
    """ "auto", "4095" or "51200,52028"."""
    if text is None or text == "auto":
        return text
    try:
        return as_numbers("data_range", text, (1, 2))
    except ValueError:
        raise ValueError(f"`data_range` must be 4095, 51200,52028 or auto, got {text!r}") from None


IMAGES = Annotated[
    str,
    typer.Argument(
        metavar="IMAGES",
        help="Normal images: a folder, a pattern, or a list (.txt, .csv, .json).",
        show_default=False,
    ),
]
SOURCE = Annotated[str | None, typer.Option(help="Source images: a folder, a pattern or a list.", show_default=False)]
TECHNIQUES = Annotated[
    str | None,
    typer.Option(
        "--techniques", help="Names or families with weights: cutpaste,SBI=2. All by default.", show_default=False
    ),
]
DEFECTS = Annotated[str | None, typer.Option(help="Real defects: a folder or an annotation file.", show_default=False)]
CLASSES = Annotated[
    str | None,
    typer.Option(help="Classes in YOLO and COCO: technique (default), kind, single, NAME.", show_default=False),
]
PRESET = Annotated[str | None, typer.Option(help="The training data of a paper: draem, nsa, ...", show_default=False)]
ROI = Annotated[str | None, typer.Option(help="auto (default), none, foreground, or a folder.", show_default=False)]
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
    list[str] | None, typer.Option(help="Leave out files that match a pattern: '*_mask.png'.", show_default=False)
]
FOLLOW_LINKS = Annotated[bool, typer.Option("--follow-links", help="Follow links to folders.")]
COLUMN = Annotated[str | None, typer.Option(help="Column with the paths in a CSV or JSON list.", show_default=False)]
PAGES = Annotated[Pages | None, typer.Option(help="Pages used from multi-page TIFF files (first).", show_default=False)]
MAX_PIXELS = Annotated[
    int | None, typer.Option(help="Refuse larger images, in pixels (179 million).", show_default=False)
]
ANOMALIES = Annotated[str | None, typer.Option(help="Anomalies per image: 1, or a range 1,3.", show_default=False)]
TILE = Annotated[
    int | None, typer.Option(help="Cut images into square tiles with this side in pixels.", show_default=False)
]
OVERLAP = Annotated[int | None, typer.Option(help="Pixels that neighboring tiles share (0).", show_default=False)]
RECIPE = Annotated[
    Path | None, typer.Option(help="Recipe file; command-line options take precedence.", show_default=False)
]

# Options that `pail preview`, `tune` and `generate` have in common: which images are used, what is inserted and where,
# and what is made of image and labels. Only `pail generate` has what concerns the files of a set and the run that makes
# it. Each has `source` and `recipe` besides, which are no options of a recipe.
SHARED: dict[str, Any] = {
    "techniques": TECHNIQUES,
    "defects": DEFECTS,
    "preset": PRESET,
    "anomalies": ANOMALIES,
    "roi": ROI,
    "severity": SEVERITY,
    "size": SIZE,
    "fit": FIT,
    "tile": TILE,
    "overlap": OVERLAP,
    "data_range": DATA_RANGE,
    "seed": SEED,
    "classes": CLASSES,
    "exclude": EXCLUDE,
    "follow_links": FOLLOW_LINKS,
    "column": COLUMN,
    "pages": PAGES,
    "max_pixels": MAX_PIXELS,
}


def takes_shared(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the shared options in place of its parameter `given`.

    It gets those that the user gave as `given`, by the names and with the values that options of a recipe have.
    """
    parameters = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if parameter.name != "given":
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        parameters += [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=False if name == "follow_links" else None, annotation=kind
            )
            for name, kind in SHARED.items()
        ]

    @functools.wraps(command)
    def with_shared(**words: Any) -> None:
        given = _as_values({name: words.pop(name) for name in SHARED})
        command(**words, given=given)

    with_shared.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_shared.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_shared


def _as_values(words: dict[str, Any]) -> dict[str, Any]:
    """The shared options that were given, as a recipe takes them."""
    names, weights = as_names(words["techniques"])
    values = {
        **{name: word.value if isinstance(word, Enum) else word for name, word in words.items()},
        "techniques": names,
        "weights": weights,
        "anomalies": as_numbers("anomalies", words["anomalies"], (1, 2), int),
        "severity": as_numbers("severity", words["severity"], (1, 2)),
        "size": as_numbers("size", words["size"], (1, 2), int),
        "data_range": as_data_range(words["data_range"]),
        "exclude": words["exclude"] or None,
        "follow_links": words["follow_links"] or None,
    }
    return {name: value for name, value in values.items() if value is not None}
