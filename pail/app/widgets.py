"""Controls that gradio does not provide: handles, a choice of images, the toolbar of the picture, painting, the
collection.

The values that they send are checked where they are used, because a browser can send anything.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from pail.app.parameters import Control
from pail.app.view import collection, html, script
from pail.report.page import in_words


def handles(control: Control, *, value: Any, key: str, word: str | None = None, title: str | None = None) -> gr.HTML:
    """One or two handles for numbers with their boxes, marks at the default, and a checkbox for the word if there is
    one."""
    bounds = control.bounds
    assert bounds is not None
    is_word = control.has_word and control.default == control.word
    standard = list(control.default) if isinstance(control.default, tuple) else control.default
    start = control.start() if is_word else standard
    numbers = start if isinstance(start, list) else [start]
    spec: dict[str, Any] = {"low": bounds.low, "high": bounds.high, "integer": bounds.integer, "curve": bounds.curve}
    spec |= {"word": control.word, "start": numbers, "standard": standard}
    default = word if word and is_word else in_words(control.default)
    markup = html(
        "handles",
        name=title or control.name,
        ends=("lowest", "highest") if control.kind == "range" else ("value",),
        marks=[] if is_word else [f"{bounds.place(number):.4f}" for number in numbers],
        word=(word or in_words(control.word)) if control.has_word else "",
        help=control.help,
        default=default,
    )
    return gr.HTML(value, html_template=markup, js_on_load=script("handles"), elem_id=key, spec=spec)


def images(strip: str, chosen: int) -> gr.HTML:
    """Thumbnails, one of which is selected."""
    return gr.HTML(
        chosen,
        html_template=html("images"),
        js_on_load=script("images"),
        elem_id="pail-images",
        strip=strip,
    )


def techniques(markup: str, chosen: str) -> gr.HTML:
    """The list of techniques, one of which is selected."""
    return gr.HTML(chosen, html_template=markup, js_on_load=script("techniques"), elem_id="pail-techniques")


def painter(background: str) -> gr.HTML:
    """The image to paint a region on; its value is the painted picture as a data URI."""
    return gr.HTML(
        "",
        html_template=html("painter"),
        js_on_load=script("painter"),
        elem_id="pail-painter",
        background=background,
    )


def fold(title: str, key: str) -> gr.Column:
    """A column that is unfolded by a button above it.

    gradio's accordion creates its controls only when it is opened, and loses the values that events have set before.
    """
    gr.HTML(
        html_template=html("fold", title=title, target=f"pail-{key}"),
        js_on_load=script("fold"),
        elem_id=f"pail-fold-{key}",
    )
    return gr.Column(elem_id=f"pail-{key}")


def tools() -> gr.HTML:
    """The toolbar of the picture: outline, original, another example, undo and redo."""
    return gr.HTML(
        html_template=html("tools"), js_on_load=script("tools"), elem_id="pail-tools", undo=0, redo=0, container=False
    )


def collection_rows(entries: list[dict[str, Any]]) -> gr.HTML:
    """The collection; its value is the list of entries."""
    return gr.HTML(
        entries,
        html_template="${rows}",
        js_on_load=script("collection"),
        elem_id="pail-collection",
        rows=collection(entries),
    )


def collection_update(entries: list[dict[str, Any]]) -> Any:
    """The update for a changed collection."""
    return gr.update(value=entries, rows=collection(entries))
