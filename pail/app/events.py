"""What happens when the page's controls change."""

from __future__ import annotations

import dataclasses
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from pail.app import view, widgets
from pail.app.draws import SHOWN, Bench, Newest, Preview
from pail.app.export import export, regions
from pail.app.history import History
from pail.app.making import Making, check_folder
from pail.app.parameters import Control
from pail.app.reports import Reports
from pail.app.settings import Entry, PageSettings, control_values, entries, offered, options, put
from pail.core.checks import as_number
from pail.dataset.recipe import make_recipe, to_toml
from pail.dataset.sizes import Size

THUMBNAILS = 24  # per page of the strip of thumbnails
CANVAS = 512  # pixels: longer side of the canvas for painting
SOON = 0.7  # seconds after which a sheet shows the examples made so far
LOOK = 0.25  # seconds between two progress updates of a data set
WORKERS = max(1, (os.cpu_count() or 2) - 1)  # leaves one core for the page
TO_PAINT = "Paint on the image under “Where”: anomalies land only there."
NOT_YET = "`folder`: a data set is being made already; wait for it, or stop it"


@dataclass
class Form:
    """The controls by name; every request contains their values."""

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
    """What the page's events call.

    For each session it stores the newest request and the steps that can be undone; for the server, the data set that is
    being made.
    """

    def __init__(self, bench: Bench, files: Path) -> None:
        self.bench, self.files, self.newest, self.history = bench, files, Newest(), History()
        self.reports = Reports()
        self.form = Form({})
        self.making: Making | None = None

    def settings(self, values: dict[str, Any], *, mixed: bool) -> PageSettings:
        """The settings for the values of the controls, with the techniques of the collection or the selected one."""
        name, known = values["technique"], offered(self.bench.defects)
        if name not in known:
            raise ValueError(f"`technique` must be one of {', '.join(known)}; got {name!r}")
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
            raise ValueError("`seed` must be a nonnegative integer, but the box is empty")
        return int(as_number("seed", value, 0, 2**63 - 1, integer=True))

    def _size(self, size: str) -> Size:
        """The size of the output as an option of a recipe."""
        if size == "given":
            return make_recipe(size=self.bench.given.get("size")).size
        return None if size == "own" else int(size)

    def draw(self, request: gr.Request, *values: Any) -> tuple[str, Any]:
        """Show the first anomaly or an error, and update the toolbar with what can be undone."""
        session, read = str(request.session_hash), self.form.read(values)
        self.newest.take(session)
        self.history.record(session, read)
        shown = self._shown(read)
        self.history.answered(session)
        undo, redo = self.history.steps(session)
        return shown, gr.update(undo=undo, redo=redo)

    def _shown(self, read: dict[str, Any]) -> str:
        if read["region"] == "painted" and not read["painted"]:
            return view.nothing(TO_PAINT, self._normal(read["image"]), hint=True)
        try:
            settings = self.settings(read, mixed=False)
            item = self.bench.items(settings)[0]
            drawn = self.bench.draw(settings, self.bench.recipe(settings), item)
            return view.result(drawn, settings.entries[0].options)
        except SHOWN as raised:
            return view.nothing(view.reason(raised), self._normal(read["image"]))

    def _normal(self, image: Any) -> np.ndarray | None:
        """The chosen image, if it can be read."""
        try:
            return self.bench.normals.get(self.bench.name(image)).pixels
        except SHOWN:
            return None

    def act(self, request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        """Handle a button of the toolbar: undo, redo, or another example, which uses another seed."""
        read, do = self.form.read(values), dict(event._data or {}).get("do")
        if do == "another":
            changed: dict[str, Any] = {"seed": secrets.randbelow(10**6)}
        else:
            changed = self.history.step(str(request.session_hash), read, {"undo": -1, "redo": 1}.get(do or "", 0))
        if "collection" in changed:
            changed["collection"] = widgets.collection_update(changed["collection"] or [])
        return [_put(changed, key) for key in read]

    def sheet(self, request: gr.Request, *values: Any) -> Iterator[Any]:
        """Show twelve examples; a newer request of the same session stops them."""
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
                yield view.sheet(draws)
        yield view.sheet(draws)

    def add(self, weight: float, *values: Any) -> tuple[Any, Any, str]:
        """Save the selected technique to the collection, which the sheet then shows."""
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
        """Load an entry of the collection into the controls."""
        entry = entries([event._data])[0]
        shown = {f"{entry.technique}.{c.name}": _value(c, v) for c, v in control_values(entry.technique, entry.options)}
        keys = [key for key in self.form.components if "." in key]
        return [entry.technique, *(_put(shown, key) for key in keys)]

    def paint_on(self, region: str, image: int) -> Any:
        """Show the image to paint on, if a region is painted."""
        if region != "painted":
            return gr.skip()
        try:
            return gr.update(background=view.background(self.bench.normals.get(self.bench.name(image)).pixels, CANVAS))
        except SHOWN:
            return gr.skip()  # the result shows the error

    def strip(self, page: int, chosen: int) -> str:
        indices = self.bench.shown[(page - 1) * THUMBNAILS : page * THUMBNAILS]
        names = self.bench.names
        return view.strip(
            [(index, names[index], self.bench.normals.thumbnail(names[index])) for index in indices], chosen
        )

    def export(self, *values: Any) -> tuple[Any, ...]:
        """Export the recipe, the call and the files of the examples on the sheet."""
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

    def make(self, folder: str, number: float, layout: str, *values: Any) -> Iterator[tuple[str, Any]]:
        """Make the data set of the examples on the sheet in a new folder, and show the progress."""
        read = self.form.read(values)
        try:
            if self.making is not None and self.making.is_running:
                raise ValueError(NOT_YET)
            settings = self.settings(read, mixed=read["sheet_settings"] == "collection")
            self.making = Making(self.work(settings, folder, number, layout))
        except SHOWN as raised:
            yield view.error(raised), gr.update(visible=self.making is not None and self.making.is_running)
            return
        yield from self.follow()

    def work(self, settings: PageSettings, folder: str, number: Any, layout: str) -> dict[str, Any]:
        """The arguments of `pail.generate`. The masks of a painted region are written next to the set."""
        out = check_folder(folder)
        count = int(as_number("number", number, 1, 10**7, integer=True))
        checked = dataclasses.replace(self.bench.recipe(settings), number=count)
        checked = make_recipe(**{**_given(checked), "layout": layout})
        masks = regions(self.bench, settings)
        if masks:
            beside = check_folder(out.with_name(f"{out.name}-regions"))
            for name, data in masks.items():
                (beside / name).parent.mkdir(parents=True, exist_ok=True)
                (beside / name).write_bytes(data)
            checked = dataclasses.replace(checked, roi=str(beside))
        recipe = Path(tempfile.mkdtemp(dir=self.files)) / "recipe.toml"
        recipe.write_text(to_toml(checked), encoding="utf-8")
        return {**self.bench.folders(), "out": str(out), "recipe": str(recipe), "workers": WORKERS}

    def follow(self) -> Iterator[tuple[str, Any]]:
        """Show the progress of the data set that is being made, if there is one, also after the page was reloaded."""
        making = self.making
        if making is None:
            yield "", gr.update(visible=False)
            return
        while making.is_running:
            yield view.progress(making.progress), gr.update(visible=True)
            time.sleep(LOOK)
        ended = making.progress
        link = self.reports.link(Path(ended.report)) if ended.report else ""
        yield view.progress(ended, link), gr.update(visible=False)

    def stop(self) -> None:
        """Stop the data set that is being made."""
        if self.making is not None:
            self.making.stop()


def _given(recipe: Any) -> dict[str, Any]:
    """The options of a recipe that are not None."""
    return {name: value for name, value in dataclasses.asdict(recipe).items() if value is not None}


def _put(shown: dict[str, Any], key: str) -> Any:
    return shown[key] if key in shown else gr.skip()


def _value(control: Control, value: Any) -> Any:
    """The value in the form that the control uses."""
    if control.kind in ("text", "choice"):
        return repr(tuple(value) if isinstance(value, list) else value)
    if control.kind == "kinds":
        return list(value or [])
    return list(value) if isinstance(value, tuple) else value
