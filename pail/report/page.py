"""Self-contained HTML pages from the templates of a package. They load nothing, and all text is escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

QUALITY = 86  # of JPEG


class Picture(NamedTuple):
    """An image of a page."""

    source: str  # data URI
    caption: str
    alt: str


class Cell(NamedTuple):
    """Pictures that are enlarged together, or the reason why there are none."""

    title: str
    pictures: list[Picture]
    caption: str
    unreadable: str = ""


@cache
def static(package: str, name: str) -> str:
    """The contents of a style or script of a package."""
    return (files(package) / "static" / name).read_text(encoding="utf-8")


def environment(package: str, quote: Callable[[Any], str]) -> Environment:
    """The templates of a package; `quote` escapes every value that is not markup."""
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else Markup(quote(value)),
    )
    made.globals["static"] = lambda name: Markup(static(package, name))
    return made


def text(value: Any) -> str:
    """A value as HTML text or attribute; control characters and invalid characters are shown as escapes."""
    spelled = str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    return html.escape(printable(spelled))


def printable(value: str) -> str:
    """The text on one line; characters that cannot be printed are shown as escapes."""
    if value.isprintable():  # such as a picture, of many thousand characters
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in value)


def in_words(value: Any) -> str:
    """A value for people: 2/256 as 0.007812."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(in_words, value))})"
    return "automatic" if value is None else str(value)


TEMPLATES = environment("pail.report", text)


def data_uri(image: np.ndarray, kind: str = "jpeg") -> str:
    """An RGB picture as the source of an `img`."""
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if kind == "jpeg" else []
    _, coded = cv2.imencode(f".{kind}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return f"data:image/{kind};base64,{base64.b64encode(coded.tobytes()).decode('ascii')}"
