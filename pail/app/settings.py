"""The settings of the page, and the recipe that corresponds to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pail.app.parameters import Control, as_option, controls, same
from pail.core.checks import as_choice
from pail.dataset.recipe import Recipe, make_recipe
from pail.dataset.sizes import Size
from pail.registry import TECHNIQUES, Technique

DRAWS = 12  # on the sheet
LISTING = ("exclude", "follow_links", "column", "pages", "max_pixels")  # options that select images
KEPT = (  # options of a given recipe without a control on the page
    "format",
    "compression",
    "coco",
    "segmentation",
    "classes",
    "val_share",
    "test_share",
    "data_range",
    "source_range",
    "alpha",
    "fit",
    "tile",
    "overlap",
    *LISTING,
)
# Where anomalies may be inserted, and the `roi` of a recipe: on the object in images that show one on a background,
# everywhere, or in a painted region.
REGIONS = {"auto": "auto", "everywhere": "none", "painted": "regions"}
UNBOUND = ("use_mask", "in_fg_region", "skip_background")  # with these, a technique looks for the object by itself


@dataclass(frozen=True)
class Entry:
    """A technique with its changed parameters and its weight in the collection."""

    technique: str
    options: dict[str, Any] = field(default_factory=dict)
    weight: float = 1.0


@dataclass(frozen=True)
class PageSettings:
    """The values of the page's controls."""

    entries: tuple[Entry, ...]  # one technique, or the collection
    image: int = 0  # its index in the list of files
    severity: tuple[float, float] | None = None
    anomalies: tuple[int, int] = (1, 1)
    region: str = "auto"  # one of REGIONS, or "given": the masks of a given recipe
    painted: str = ""
    seed: int = 0
    size: Size = None


def offered(bank: object) -> dict[str, Technique]:
    """The techniques that the page lists. Those that need a bank of defects are listed only if there is one."""
    return {
        name: entry
        for name, entry in TECHNIQUES.items()
        if bank is not None or not getattr(entry, "takes_defects", False)
    }


def options(technique: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The changed parameters, from the values of their controls."""
    known = {control.name: control for control in controls(technique)}
    read = {name: as_option(known[name], value) for name, value in values.items()}
    changed = {name: value for name, value in read.items() if not same(value, known[name].default)}
    for name, value in changed.items():
        if value is None:
            raise ValueError(f"`{name}` must not be None: a recipe contains only numbers, strings and lists")
    return changed


def recipe(settings: PageSettings, images: int, given: Mapping[str, Any]) -> Recipe:
    """The recipe of a data set that contains what the page shows.

    It has the flat layout, in which images take turns: each image is used again after as many items as there are
    images.
    """
    if not settings.entries:
        raise ValueError("`collection` must contain a technique: add one first")
    tables = {
        entry.technique: {"weight": entry.weight, **_unbound(settings, entry), **entry.options}
        for entry in settings.entries
    }
    region = as_choice("region", settings.region, [*REGIONS, "given"])
    roi = given.get("roi") if region == "given" else REGIONS[region]
    kept = {name: given[name] for name in KEPT if name in given}
    return make_recipe(
        **kept,
        number=DRAWS * images,
        techniques=tables,
        anomalies=settings.anomalies,
        roi=roi,
        defects=given.get("defects") if any(TECHNIQUES[name].takes_defects for name in tables) else None,
        severity=settings.severity,
        size=settings.size,
        seed=settings.seed,
        layout="flat",
    )


def _unbound(settings: PageSettings, entry: Entry) -> dict[str, Any]:
    """The options with which a technique does not look for the object, if anomalies may be anywhere."""
    if settings.region != "everywhere":
        return {}
    return {name: False for name in UNBOUND if name in TECHNIQUES[entry.technique].parameters}


def collection_of(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a given recipe, in the form of the page."""
    made = make_recipe(**given)
    return [
        {
            "technique": name,
            "weight": entry.get("weight", 1.0),
            "options": {key: value for key, value in entry.items() if key != "weight"},
        }
        for name, entry in (made.techniques or {}).items()
    ]


def entries(value: Any) -> tuple[Entry, ...]:
    """The collection that the browser sends."""
    found = []
    for entry in value or ():
        if not isinstance(entry, Mapping) or entry.get("technique") not in TECHNIQUES:
            raise ValueError(
                f"`collection` must contain techniques, each one of {', '.join(TECHNIQUES)}; got {entry!r}"
            )
        found.append(Entry(entry["technique"], dict(entry.get("options") or {}), entry.get("weight", 1.0)))
    return tuple(found)


def put(value: Sequence[Mapping[str, Any]] | None, entry: Entry) -> list[dict[str, Any]]:
    """The collection with a new entry, which replaces an older one of the same technique, because a recipe has one
    table for each technique."""
    rest = [dict(old) for old in value or () if old.get("technique") != entry.technique]
    return [*rest, {"technique": entry.technique, "options": dict(entry.options), "weight": entry.weight}]


def control_values(technique: str, changed: Mapping[str, Any]) -> list[tuple[Control, Any]]:
    """Each control with the value that it shows for an entry of the collection."""
    return [(control, changed.get(control.name, control.default)) for control in controls(technique)]
