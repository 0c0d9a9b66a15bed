"""The page: its controls, and what happens when they change."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from pail.app import view, widgets
from pail.app.draws import SHOWN, Bench, Newest, Preview
from pail.app.export import export
from pail.app.parameters import Bounds, Control
from pail.app.settings import Entry, PageSettings, collection_of, control_values, entries, options, put
from pail.core.checks import as_number
from pail.dataset.recipe import make_recipe
from pail.dataset.sizes import Size
from pail.registry import TECHNIQUES
from pail.report.page import static

THUMBNAILS = 24  # on a page of the strip
CANVAS = 512  # pixels of the longer side of what is painted on
SOON = 0.7  # seconds after which a sheet shows what it has
MOST_ANOMALIES = 10
SEVERITY = Control(
    "severity",
    "range",
    None,
    "From 0, the faintest that the technique makes, to 1, the strongest.",
    Bounds(0, 1),
    has_word=True,
)
ANOMALIES = Control("anomalies", "range", (1, 1), "Number in an image.", Bounds(1, MOST_ANOMALIES, integer=True))
HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def look() -> dict[str, Any]:
    """Theme and style, which gradio takes at its launch. System fonts: nothing is fetched from elsewhere."""
    fonts = ["system-ui", "sans-serif"]
    theme = gr.themes.Default(
        primary_hue="blue", font=fonts, font_mono=["ui-monospace", "monospace"], spacing_size="sm", text_size="md"
    )
    return {"theme": theme, "css": static("pail.app", "page.css")}


@dataclass
class Form:
    """The controls by name, whose values every request brings along."""

    components: dict[str, Any]

    @property
    def inputs(self) -> list[Any]:
        return list(self.components.values())

    def read(self, values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.components, values, strict=True))

    def of(self, technique: str) -> dict[str, Any]:
        """The controls of one technique by parameter."""
        prefix = f"{technique}."
        return {key.removeprefix(prefix): c for key, c in self.components.items() if key.startswith(prefix)}


class Page:
    """What the page's events call. It keeps nothing of a session but which request is the newest."""

    def __init__(self, bench: Bench, files: Path) -> None:
        self.bench, self.files, self.newest = bench, files, Newest()
        self.form = Form({})

    def settings(self, values: dict[str, Any], *, mixed: bool) -> PageSettings:
        """The settings that the values stand for; with the techniques of the collection, or the chosen one."""
        name = values["technique"]
        if name not in TECHNIQUES:
            raise ValueError(f"`technique` must be one of {', '.join(TECHNIQUES)}; got {name!r}")
        given = {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}
        chosen = entries(values["collection"]) if mixed else (Entry(name, options(name, given)),)
        return PageSettings(
            chosen,
            values["image"],
            None if values["severity"] == "" else values["severity"],
            values["anomalies"],
            values["region"],
            values["painted"] or "",
            self._seed(values["seed"]),
            self._size(values["size"]),
        )

    def _seed(self, value: Any) -> int:
        if value is None or value == "":
            raise ValueError("`seed` must be an integer from 0, and the box is empty")
        return int(as_number("seed", value, 0, 2**63 - 1, integer=True))

    def _size(self, size: str) -> Size:
        """The size of the output, as a recipe has it."""
        if size == "given":
            return make_recipe(size=self.bench.given.get("size")).size
        return None if size == "own" else int(size)

    def draw(self, request: gr.Request, *values: Any) -> str:
        """The first draw, or what is wrong."""
        self.newest.take(str(request.session_hash))
        try:
            read = self.form.read(values)
            settings = self.settings(read, mixed=False)
            item = self.bench.items(settings)[0]
            return view.result(self.bench.draw(settings, self.bench.recipe(settings), item), outlined=read["outline"])
        except SHOWN as raised:
            return view.error(raised)

    def sheet(self, request: gr.Request, *values: Any) -> Iterator[Any]:
        """Twelve draws; a newer request of the same session ends them."""
        session = str(request.session_hash)
        ticket, read, shown = self.newest.now(session), self.form.read(values), time.monotonic()
        try:
            settings = self.settings(read, mixed=read["sheet_settings"] == "collection")
            checked = self.bench.recipe(settings)
            items = self.bench.items(settings, whole_folder=read["sheet_images"] == "folder")
        except SHOWN as raised:
            yield view.error(raised)
            return
        draws: list[Preview | Exception | None] = [None] * len(items)
        for place, item in enumerate(items):
            try:
                draws[place] = self.bench.draw(settings, checked, item)
            except SHOWN as raised:
                draws[place] = raised
            if self.newest.now(session) != ticket:
                yield gr.skip()
                return
            if time.monotonic() - shown > SOON:
                shown = time.monotonic()
                yield view.sheet(draws, outlined=read["outline"])
        yield view.sheet(draws, outlined=read["outline"])

    def add(self, weight: float, *values: Any) -> tuple[Any, Any, str]:
        """Save the chosen technique to the collection, which the sheet then shows."""
        read = self.form.read(values)
        try:
            settings = self.settings(read, mixed=False)
            self.bench.recipe(settings)
            kept = put(read["collection"], Entry(read["technique"], settings.entries[0].options, weight))
            self.bench.recipe(PageSettings(entries(kept)))
        except SHOWN as raised:
            return gr.skip(), gr.skip(), view.error(raised)
        return widgets.collection_update(kept), "collection", ""

    def show_entry(self, event: gr.EventData) -> list[Any]:
        """Bring an entry of the collection back into the controls."""
        entry = entries([event._data])[0]
        shown = {f"{entry.technique}.{c.name}": _value(c, v) for c, v in control_values(entry.technique, entry.options)}
        keys = [key for key in self.form.components if "." in key]
        return [entry.technique, *(_put(shown, key) for key in keys)]

    def paint_on(self, region: str, image: int) -> tuple[Any, Any]:
        """Show what is painted on, where a region is painted."""
        if region != "painted":
            return gr.update(visible="hidden"), gr.skip()
        try:
            picture = view.background(self.bench.normals.get(self.bench.name(image)).pixels, CANVAS)
        except SHOWN:
            return gr.update(visible=True), gr.skip()  # the result says what is wrong
        return gr.update(visible=True), gr.update(background=picture)

    def strip(self, page: int, chosen: int) -> str:
        places = self.bench.shown[(page - 1) * THUMBNAILS : page * THUMBNAILS]
        names = self.bench.names
        return view.strip(
            [(place, names[place], self.bench.normals.thumbnail(names[place])) for place in places], chosen
        )

    def export(self, *values: Any) -> tuple[Any, ...]:
        """Export the recipe, the call and the files of what the sheet shows."""
        read = self.form.read(values)
        try:
            settings = self.settings(read, mixed=read["sheet_settings"] == "collection")
            made = export(self.bench, settings, whole_folder=read["sheet_images"] == "folder")
            folder = Path(tempfile.mkdtemp(dir=self.files))
            (folder / "recipe.toml").write_text(made.recipe, encoding="utf-8")
            (folder / "pail-tune.zip").write_bytes(made.archive)
        except SHOWN as raised:
            return gr.update(visible=False), "", "", "", None, view.error(raised)
        failed = view.error(ValueError("Not made: " + "; ".join(made.failed))) if made.failed else ""
        files = [str(folder / "recipe.toml"), str(folder / "pail-tune.zip")]
        return gr.update(visible=True), made.recipe, made.python, made.command, files, failed


def _put(shown: dict[str, Any], key: str) -> Any:
    return shown[key] if key in shown else gr.skip()


def _value(control: Control, value: Any) -> Any:
    """As the control holds it."""
    if control.kind in ("text", "choice"):
        return repr(tuple(value) if isinstance(value, list) else value)
    return list(value) if isinstance(value, tuple) else value


def build(bench: Bench, files: Path) -> tuple[gr.Blocks, Page]:
    """The page of a bench, and what its events call; what is exported is written below `files`."""
    page = Page(bench, files)
    with gr.Blocks(title=f"pail tune: {bench.normals.folder}", analytics_enabled=False, fill_width=True) as blocks:
        start = collection_of(bench.given.get("techniques"))
        technique = start[0]["technique"] if start else next(iter(TECHNIQUES))
        _head(page)
        with gr.Row(elem_id="pail-bench"):
            with gr.Column(elem_id="pail-result"):
                result = gr.HTML(elem_id="pail-main")
            with gr.Column(elem_id="pail-controls"):
                _controls(page, technique, {entry["technique"]: entry["options"] for entry in start})
                painting = _common(page)
            with gr.Column(elem_id="pail-sheet"):
                sheet = _sheet(page, start)
                brought = _collection(page)
                _export(page)
        _follow(page, blocks.load, brought, result, sheet)
        _follow_painting(page, painting)
    return blocks, page


def _head(page: Page) -> None:
    """The folder and its images."""
    shown = page.bench.shown
    sources = str(page.bench.sources.folder) if page.bench.sources else ""
    gr.HTML(view.html("head", folder=page.bench.normals.folder, count=len(shown), sources=sources))
    strip = widgets.images(page.strip(1, shown[0]), shown[0])
    page.form.components["image"] = strip
    pages = -(-len(shown) // THUMBNAILS)
    if pages > 1:
        turn = gr.Slider(1, pages, 1, step=1, label=f"Images, {THUMBNAILS} at a time", elem_id="pail-pages")
        turn.input(lambda number, chosen: gr.update(strip=page.strip(number, chosen)), [turn, strip], strip, **HIDDEN)


def _controls(page: Page, technique: str, given: dict[str, dict[str, Any]]) -> None:
    """The techniques, and a group of controls for each, of which the chosen one's is shown."""
    page.form.components["technique"] = widgets.techniques(view.techniques(technique), technique)
    for name in TECHNIQUES:
        with gr.Group(elem_id=f"pail-of-{name}"):
            for control, value in control_values(name, given.get(name, {})):
                component = _control(name, control, value)
                if component is not None:
                    page.form.components[f"{name}.{control.name}"] = component


def _control(technique: str, control: Control, value: Any) -> Any:
    """The component of a parameter; None for what only Python can pass."""
    about = f"{control.help} Default: {control.default!r}.".strip()
    key = f"pail-{technique}-{control.name}"
    if control.kind in ("number", "range"):
        return widgets.handles(control, value=_value(control, value), key=key)
    if control.kind == "flag":
        return gr.Checkbox(bool(value), label=control.name, info=about, elem_id=key)
    if control.kind == "choice":
        named = [("automatic" if choice is None else str(choice), repr(choice)) for choice in control.choices]
        return gr.Dropdown(named, value=repr(value), label=control.name, info=about, elem_id=key, filterable=False)
    if control.kind == "text":
        return gr.Textbox(_value(control, value), label=control.name, info=about, elem_id=key)
    gr.HTML(view.html("object", name=control.name))
    return None


def _common(page: Page) -> tuple[Any, Any]:
    """What holds for every technique; the group that is painted in, and the painter."""
    given, add = page.bench.given, page.form.components
    severity = given.get("severity")
    severity = [severity, severity] if isinstance(severity, (int, float)) else severity
    anomalies = given.get("anomalies", [1, 1])
    with gr.Group():
        add["severity"] = widgets.handles(SEVERITY, value=severity, key="pail-severity", word="default")
        add["anomalies"] = widgets.handles(
            ANOMALIES, value=[anomalies] * 2 if isinstance(anomalies, int) else anomalies, key="pail-anomalies"
        )
        regions = [("the whole image", "all"), ("automatic foreground", "foreground"), ("painted", "painted")]
        regions += [("the recipe's masks", "given")] if page.bench.rois else []
        roi = given.get("roi")
        chosen = "given" if page.bench.rois else "all" if roi is None else "foreground"
        add["region"] = gr.Radio(regions, value=chosen, label="Where anomalies may land", elem_id="pail-region")
        with gr.Column(visible="hidden") as painting:
            painter = add["painted"] = widgets.painter("")
        with gr.Row():
            add["seed"] = gr.Number(given.get("seed", 0), label="Seed", precision=0, minimum=0, elem_id="pail-seed")
            dice = gr.Button("Random", elem_id="pail-dice", min_width=80)
        sizes = [("unchanged", "own"), *((f"{side} pixels", str(side)) for side in (256, 512, 1024))]
        sizes += [("the recipe's", "given")] if given.get("size") else []
        add["size"] = gr.Dropdown(
            sizes,
            value="given" if given.get("size") else "own",
            label="Size of the output, shorter side",
            info="Pixels of the shorter side; proportions are kept. Smaller is faster. The recipe has this size.",
            elem_id="pail-size",
            filterable=False,
        )
    dice.click(lambda: secrets.randbelow(10**6), None, add["seed"], **HIDDEN)
    return painting, painter


def _sheet(page: Page, start: list[dict[str, Any]]) -> Any:
    """Twelve draws, of which settings and which images."""
    add = page.form.components
    gr.HTML(view.html("section", title="Twelve draws", text=""))
    with gr.Row():
        settings = [("current settings", "current"), ("collection", "collection")]
        add["sheet_settings"] = gr.Radio(
            settings,
            value="collection" if start else "current",
            label="Settings",
            elem_id="pail-sheet-settings",
        )
        images = [("current image", "one"), ("all images", "folder")]
        add["sheet_images"] = gr.Radio(images, value="one", label="Images", elem_id="pail-sheet-images")
        add["outline"] = gr.Checkbox(True, label="Outline of the mask", elem_id="pail-outline")
    return gr.HTML(elem_id="pail-draws")


def _collection(page: Page) -> Any:
    """Saved settings with weights. Returns the event that brings one back into the controls."""
    form = page.form
    text = "Severity, anomalies, region and size are the same for all of its techniques."
    gr.HTML(view.html("section", title="Collection", text=text))
    rows = form.components["collection"] = widgets.collection_rows(collection_of(page.bench.given.get("techniques")))
    said = gr.HTML()
    with gr.Row():
        weight = gr.Number(1, label="Weight", minimum=0, elem_id="pail-weight")
        add = gr.Button("Save to the collection", elem_id="pail-add", variant="primary")
    add.click(page.add, [weight, *form.inputs], [rows, form.components["sheet_settings"], said], **HIDDEN)
    rows.input(lambda kept: widgets.collection_update(kept or []), rows, rows, **HIDDEN)
    own = [component for key, component in form.components.items() if "." in key]
    return rows.select(page.show_entry, None, [form.components["technique"], *own], **HIDDEN)


def _export(page: Page) -> None:
    """The button and what it exports."""
    text = "The recipe of what the sheet shows, its call in Python, and a zip file of the twelve images and masks. "
    text += "The recipe makes the same anomalies again."
    gr.HTML(view.html("section", title="Export", text=text))
    go = gr.Button("Export", elem_id="pail-export", variant="primary")
    said = gr.HTML(elem_id="pail-export-said")
    with gr.Column(visible=False) as taken:
        files = gr.File(label="Files", file_count="multiple", interactive=False, elem_id="pail-files")
        command = gr.Textbox(label="Command, run beside recipe.toml", lines=1, buttons=["copy"], elem_id="pail-command")
        recipe = gr.Textbox(label="recipe.toml", lines=6, buttons=["copy"], elem_id="pail-recipe")
        python = gr.Textbox(label="Python", lines=8, buttons=["copy"], elem_id="pail-python")
    go.click(page.export, page.form.inputs, [taken, recipe, python, command, files, said], **HIDDEN)


def _follow(page: Page, load: Any, brought: Any, result: Any, sheet: Any) -> None:
    """Draw when anything changes: one at a time, and then only the newest; the sheet comes after."""
    triggers: list[Any] = [load]
    for key, component in page.form.components.items():
        if key in ("seed", "sheet_settings", "collection"):
            triggers += [component.change]
        elif isinstance(component, gr.Textbox):
            triggers += [component.submit, component.blur]
        else:
            triggers += [component.input]
    newest: dict[str, Any] = {"trigger_mode": "always_last", "concurrency_limit": 4, **HIDDEN}
    for first in (
        gr.on(triggers, page.draw, page.form.inputs, result, **newest),
        brought.then(page.draw, page.form.inputs, result, **newest),
    ):
        first.then(page.sheet, page.form.inputs, sheet, **newest)


def _follow_painting(page: Page, painting: tuple[Any, Any]) -> None:
    """What is painted on, where a region is painted."""
    choices = [page.form.components["region"], page.form.components["image"]]
    gr.on([choice.input for choice in choices], page.paint_on, choices, painting, trigger_mode="always_last", **HIDDEN)
