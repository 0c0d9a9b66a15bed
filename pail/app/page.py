"""The page: the layout of its controls, and the events that they trigger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from pail.app import view, widgets
from pail.app.draws import Bench
from pail.app.events import THUMBNAILS, Page, _value
from pail.app.making import free_folder
from pail.app.parameters import Bounds, Control
from pail.app.settings import collection_of, control_values, offered
from pail.beyond.real.defects import Defects
from pail.report.page import static

MOST_ANOMALIES = 10
SEVERITY = Control(
    "severity",
    "range",
    None,
    "0 is the faintest, 1 the strongest; each anomaly is drawn between the two handles.",
    Bounds(0, 1),
    has_word=True,
)
ANOMALIES = Control("anomalies", "range", (1, 1), "How many in an image.", Bounds(1, MOST_ANOMALIES, integer=True))
LAYOUTS = [
    ("images and masks, two folders (flat)", "flat"),
    ("train and test, for anomaly detection (MVTec AD)", "mvtec"),
    ("images and labels, for detectors (YOLO)", "yolo"),
]
HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def look() -> dict[str, Any]:
    """Theme and style for gradio's launch. System fonts are used, so that nothing is loaded from the network."""
    fonts = ["system-ui", "sans-serif"]
    theme = gr.themes.Default(
        primary_hue="blue", font=fonts, font_mono=["ui-monospace", "monospace"], spacing_size="sm", text_size="md"
    )
    return {"theme": theme, "css": static("pail.app", "page.css")}


def build(bench: Bench, files: Path) -> tuple[gr.Blocks, Page]:
    """Build the page of a bench and the object that handles its events. Exports are written below `files`."""
    page = Page(bench, files)
    with gr.Blocks(title=f"pail tune: {bench.normals.folder}", analytics_enabled=False, fill_width=True) as blocks:
        start = _start(bench)
        first = view.first_of(offered(bench.defects))
        technique = start[0]["technique"] if start else first
        _head(page)
        with gr.Row(elem_id="pail-bench"):
            with gr.Column(elem_id="pail-stage"):
                result, tools = _stage(page)
            with gr.Column(elem_id="pail-controls"):
                painter = _where(page)
                _techniques(page, technique, {entry["technique"]: entry["options"] for entry in start})
                _more(page)
                sheet = _sheet(page, start)
                brought = _collection(page)
                making = _make(page)
                _export(page)
        _follow(page, blocks.load, brought, tools, [result, tools], sheet, painter)
        blocks.load(page.follow, None, making, concurrency_limit=None, **HIDDEN)
    return blocks, page


def _start(bench: Bench) -> list[dict[str, Any]]:
    """The techniques of a given recipe."""
    given = bench.given
    return collection_of(given) if given.get("techniques") or given.get("preset") else []


def _head(page: Page) -> None:
    """The folder and its images."""
    shown = page.bench.shown
    sources = str(page.bench.sources.folder) if page.bench.sources else ""
    bank = view.bank_in_words(page.bench.defects) if page.bench.defects else ""
    head = view.html("head", folder=page.bench.normals.folder, count=len(shown), sources=sources, defects=bank)
    gr.HTML(head)
    strip = widgets.images(page.strip(1, shown[0]), shown[0])
    page.form.components["image"] = strip
    pages = -(-len(shown) // THUMBNAILS)
    if pages > 1:
        turn = gr.Slider(1, pages, 1, step=1, label=f"Images, {THUMBNAILS} at a time", elem_id="pail-pages")
        turn.input(lambda number, chosen: gr.update(strip=page.strip(number, chosen)), [turn, strip], strip, **HIDDEN)


def _stage(page: Page) -> tuple[Any, Any]:
    """The image with its toolbar, and the severity, which stay on the screen."""
    severity = page.bench.given.get("severity")
    severity = [severity, severity] if isinstance(severity, (int, float)) else severity
    page.form.components["severity"] = widgets.handles(
        SEVERITY, value=severity, key="pail-severity", word="automatic", title="Severity"
    )
    tools = widgets.tools()
    return gr.HTML(elem_id="pail-main"), tools


def _section(title: str, text: str = "") -> None:
    gr.HTML(view.html("section", title=title, text=text))


def _where(page: Page) -> Any:
    """Where anomalies may land; returns the painter."""
    _section("Where")
    regions = [("on the part (automatic)", "auto"), ("everywhere", "everywhere"), ("where I paint", "painted")]
    regions += [("the recipe's masks", "given")] if page.bench.rois else []
    chosen = "given" if page.bench.rois else "everywhere" if page.bench.given.get("roi") == "none" else "auto"
    page.form.components["region"] = gr.Radio(
        regions, value=chosen, show_label=False, label="Where anomalies may land", elem_id="pail-region"
    )
    with gr.Column(elem_id="pail-painting"):  # shown if a region is painted
        painter = page.form.components["painted"] = widgets.painter("")
    return painter


def _techniques(page: Page, technique: str, given: dict[str, dict[str, Any]]) -> None:
    """The list of techniques, and the folded parameters of each technique; those of the selected one are shown."""
    _section("What it looks like")
    known = offered(page.bench.defects)
    page.form.components["technique"] = widgets.techniques(view.techniques(technique, known), technique)
    with widgets.fold("Expert parameters of this technique", "expert"):
        for name in known:
            with gr.Group(elem_id=f"pail-of-{name}"):
                for control, value in control_values(name, given.get(name, {})):
                    component = _control(name, control, value, page.bench.defects)
                    if component is not None:
                        page.form.components[f"{name}.{control.name}"] = component


def _control(technique: str, control: Control, value: Any, bank: Defects | None) -> Any:
    """The component of a parameter; None for objects, which can only be passed in Python."""
    about = f"{control.help} Default: {control.default!r}.".strip()
    key = f"pail-{technique}-{control.name}"
    if control.kind in ("number", "range"):
        return widgets.handles(control, value=_value(control, value), key=key)
    if control.kind == "kinds":
        kinds = list(bank.kinds) if bank else []
        about = f"{control.help} None chosen: all."
        return gr.CheckboxGroup(kinds, value=list(value or []), label=control.name, info=about, elem_id=key)
    if control.kind == "flag":
        return gr.Checkbox(bool(value), label=control.name, info=about, elem_id=key)
    if control.kind == "choice":
        named = [("automatic" if choice is None else str(choice), repr(choice)) for choice in control.choices]
        return gr.Dropdown(named, value=repr(value), label=control.name, info=about, elem_id=key, filterable=False)
    if control.kind == "text":
        return gr.Textbox(_value(control, value), label=control.name, info=about, elem_id=key)
    gr.HTML(view.html("object", name=control.name))
    return None


def _more(page: Page) -> None:
    """The folded controls of number, size and seed."""
    given, add = page.bench.given, page.form.components
    anomalies = given.get("anomalies", [1, 1])
    with widgets.fold("Number, size and seed", "more"):
        add["anomalies"] = widgets.handles(
            ANOMALIES,
            value=[anomalies] * 2 if isinstance(anomalies, int) else anomalies,
            key="pail-anomalies",
            title="Anomalies in an image",
        )
        sizes = [("unchanged", "own"), *((f"{side} pixels", str(side)) for side in (256, 512, 1024))]
        sizes += [("the recipe's", "given")] if given.get("size") else []
        add["size"] = gr.Dropdown(
            sizes,
            value="given" if given.get("size") else "own",
            label="Size of the images, shorter side",
            info="Proportions are kept. Smaller is faster. The data set has this size, too.",
            elem_id="pail-size",
            filterable=False,
        )
        add["seed"] = gr.Number(
            given.get("seed", 0),
            label="Seed",
            info="The same seed makes the same anomalies. “Another example” draws a new one.",
            precision=0,
            minimum=0,
            elem_id="pail-seed",
        )


def _sheet(page: Page, start: list[dict[str, Any]]) -> Any:
    """The twelve examples, and the choice of their settings and images."""
    add = page.form.components
    _section("Twelve examples")
    with gr.Row():
        settings = [("these settings", "current"), ("my collection", "collection")]
        add["sheet_settings"] = gr.Radio(
            settings,
            value="collection" if start else "current",
            label="Of",
            elem_id="pail-sheet-settings",
        )
        images = [("this image", "one"), ("all images", "folder")]
        add["sheet_images"] = gr.Radio(images, value="one", label="On", elem_id="pail-sheet-images")
    return gr.HTML(elem_id="pail-draws")


def _collection(page: Page) -> Any:
    """The collection: saved settings with weights. Returns the event that loads an entry into the controls."""
    form = page.form
    text = "A data set can mix several kinds of anomalies; a weight of 2 makes one twice as frequent. Severity, where, "
    text += "number and size are the same for all of them."
    _section("Collection", text)
    rows = form.components["collection"] = widgets.collection_rows(_start(page.bench))
    said = gr.HTML()
    with gr.Row():
        weight = gr.Number(1, label="Weight", minimum=0, elem_id="pail-weight")
        add = gr.Button("Save to the collection", elem_id="pail-add")
    add.click(page.add, [weight, *form.inputs], [rows, form.components["sheet_settings"], said], **HIDDEN)
    rows.input(lambda kept: widgets.collection_update(kept or []), rows, rows, **HIDDEN)
    own = [component for key, component in form.components.items() if "." in key]
    return rows.select(page.show_entry, None, [form.components["technique"], *own], **HIDDEN)


def _make(page: Page) -> list[Any]:
    """The controls that make the data set of the twelve examples. Returns the progress component and the stop
    button."""
    _section("Make the data set", "Of what the twelve examples show, with exact masks, in a new folder.")
    folder = free_folder(Path.cwd() / f"{Path(page.bench.normals.folder.absolute()).name}-set")
    with gr.Group():
        out = gr.Textbox(str(folder), label="Folder, new or empty", elem_id="pail-out")
        number = gr.Number(100, label="Images with anomalies", precision=0, minimum=1, elem_id="pail-number")
        layout = gr.Dropdown(LAYOUTS, value="flat", label="Layout", elem_id="pail-layout", filterable=False)
    with gr.Row():
        go = gr.Button("Make the data set", elem_id="pail-make", variant="primary")
        stop = gr.Button("Stop", elem_id="pail-stop", variant="stop", visible=False)
    said = gr.HTML(elem_id="pail-made")
    go.click(page.make, [out, number, layout, *page.form.inputs], [said, stop], concurrency_limit=None, **HIDDEN)
    stop.click(page.stop, None, None, concurrency_limit=None, **HIDDEN)
    return [said, stop]


def _export(page: Page) -> None:
    """The export button and the exported files."""
    text = "To make the same data set on another machine, or from Python: the recipe of what the twelve examples show, "
    text += "its call in Python, and a zip file of the twelve images and masks."
    _section("Export", text)
    go = gr.Button("Export", elem_id="pail-export")
    said = gr.HTML(elem_id="pail-export-said")
    with gr.Column(visible=False) as taken:
        files = gr.File(label="Files", file_count="multiple", interactive=False, elem_id="pail-files")
        command = gr.Textbox(
            label="Command, to be run in the folder of recipe.toml", lines=1, buttons=["copy"], elem_id="pail-command"
        )
        recipe = gr.Textbox(label="recipe.toml", lines=6, buttons=["copy"], elem_id="pail-recipe")
        python = gr.Textbox(label="Python", lines=8, buttons=["copy"], elem_id="pail-python")
    go.click(page.export, page.form.inputs, [taken, recipe, python, command, files, said], **HIDDEN)


def _follow(page: Page, load: Any, brought: Any, tools: Any, shown: list[Any], sheet: Any, painter: Any) -> None:
    """Draw when a control changes: one request at a time, only the newest one, and the sheet last."""
    form = page.form
    triggers: list[Any] = [load]
    for key, component in form.components.items():
        if key in ("seed", "sheet_settings", "collection"):
            triggers += [component.change]
        elif isinstance(component, gr.Textbox):
            triggers += [component.submit, component.blur]
        else:
            triggers += [component.input]
    newest: dict[str, Any] = {"trigger_mode": "always_last", "concurrency_limit": 4, **HIDDEN}
    acted = tools.select(page.act, form.inputs, form.inputs, **HIDDEN)
    for first in (
        gr.on(triggers, page.draw, form.inputs, shown, **newest),
        brought.then(page.draw, form.inputs, shown, **newest),
        acted.then(page.draw, form.inputs, shown, **newest),
    ):
        first.then(page.sheet, form.inputs, sheet, **newest)
    choices = [form.components["region"], form.components["image"]]
    paint: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN}
    gr.on([choice.input for choice in choices], page.paint_on, choices, painter, **paint)
    acted.then(page.paint_on, choices, painter, **paint)
