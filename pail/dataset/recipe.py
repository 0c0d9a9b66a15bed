"""The recipe of a data set: the options of `pail generate`, checked, and as a TOML file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from pail.beyond.presets import as_preset
from pail.beyond.real.defects import Defects
from pail.call.insert import as_count, as_mix, as_options
from pail.core.checks import (
    MAX_SIDE,
    as_choice,
    as_flag,
    as_number,
    as_patterns,
    as_range,
    as_size,
    close_match,
    describe,
)
from pail.core.window import as_data_range
from pail.dataset.sizes import FITS
from pail.dataset.tiles import SMALLEST, as_tiling
from pail.io.write import FORMATS
from pail.registry import TECHNIQUES, by_default

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LAYOUTS = ("mvtec", "flat", "yolo")
PAGES = ("first", "all")
PURPOSES = ("training", "validation")
SPLITS = ("train", "val", "test")
SHARES = {"mvtec": (0.0, 0.3), "flat": (0.0, 0.0), "yolo": (0.3, 0.0)}  # of the normal images in val and test
ROI_WORDS = ("auto", "none", "foreground")
IN_MEMORY = "pail.Defects"  # used instead of a path for a bank that was passed as an object
SEGMENTATIONS = ("rle", "polygon")
SINGLE = "anomaly"  # the name of the class if there is only one
MOST = 10**9  # images


Check = Callable[[str, Any], Any]  # converts an option (name and given value) to its value in a recipe


def _integer(low: int, high: int) -> Check:
    return lambda name, value: int(as_number(name, value, low, high, integer=True))


def _one_of(choices: Sequence[str]) -> Check:
    return lambda name, value: as_choice(name, value, choices)


def _share(name: str, value: Any) -> float:
    return as_number(name, value, 0, 1)


def _anomalies(name: str, value: Any) -> tuple[int, int]:
    try:
        return as_count(tuple(value) if isinstance(value, list) else value)
    except (TypeError, ValueError) as error:  # the message names the keyword of `insert`
        raise type(error)(str(error).replace("`n_anomalies", f"`{name}")) from None


def _window(name: str, value: Any) -> Any:
    return as_data_range(name, tuple(value) if isinstance(value, list) else value, auto=True)


def _severity(name: str, value: Any) -> float | tuple[float, float]:
    is_range = isinstance(value, Sequence) and not isinstance(value, str)
    return as_range(name, value, 0, 1) if is_range else as_number(name, value, 0, 1)


def _size(name: str, value: Any) -> int | tuple[int, int] | None:
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        return as_size(name, value)
    try:
        return int(as_number(name, value, 1, MAX_SIDE, integer=True))
    except TypeError:
        raise TypeError(
            f"`{name}` must be the length of the shorter side in pixels, or (height, width), got {describe(value)}"
        ) from None


def _roi(name: str, value: Any) -> str:
    if isinstance(value, (str, Path)) and str(value):
        return str(value)
    raise TypeError(f"`{name}` must be 'auto', 'none', 'foreground' or a folder of masks, got {describe(value)}")


def _preset(name: str, value: Any) -> str:
    as_preset(value)
    return str(value)


def _defects(name: str, value: Any) -> str:
    if isinstance(value, Defects):
        return IN_MEMORY
    if isinstance(value, (str, Path)) and str(value):
        return str(value)
    raise TypeError(f"`{name}` must be a folder or an annotation file of real defects, got {describe(value)}")


def _column(name: str, value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise TypeError(f"`{name}` must be the name of a column, got {describe(value)}")


def _classes(name: str, value: Any) -> str:
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value.strip()
    raise ValueError(f"`{name}` must be 'technique', 'kind', 'single' or the name of a class, got {describe(value)}")


def _option(default: Any, check: Check) -> Any:
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True)
class Recipe:
    """The checked options of a data set. Each is declared with its default and its check.

    Two equal recipes make the same bytes from the same files. `pail.generate` has a parameter for each option, whose
    docstring says what it means.
    """

    number: int | None = _option(None, _integer(1, MOST))
    per_image: int | None = _option(None, _integer(1, MOST))
    techniques: dict[str, dict[str, Any]] | None = None  # name: weight and keywords; see `_techniques`
    preset: str | None = _option(None, _preset)
    defects: str | None = _option(None, _defects)
    anomalies: tuple[int, int] = _option((1, 1), _anomalies)
    roi: str = _option("auto", _roi)
    severity: float | tuple[float, float] | None = _option(None, _severity)
    size: int | tuple[int, int] | None = _option(None, _size)
    fit: str = _option("crop", _one_of(FITS))
    tile: int | None = _option(None, _integer(SMALLEST, MAX_SIDE))
    overlap: int = _option(0, _integer(0, MAX_SIDE))
    seed: int = _option(0, _integer(0, 2**63 - 1))
    layout: str = _option("mvtec", _one_of(LAYOUTS))
    purpose: str = _option("training", _one_of(PURPOSES))
    val_share: float | None = _option(None, _share)  # None: the share of the layout in SHARES
    test_share: float | None = _option(None, _share)
    classes: str = _option("technique", _classes)
    format: str = _option("png", _one_of(FORMATS))
    compression: int = _option(1, _integer(0, 9))
    coco: bool = _option(False, as_flag)
    segmentation: str = _option("rle", _one_of(SEGMENTATIONS))
    # A number, (low, high), or "auto" until the run has read the images.
    data_range: Any = _option(None, _window)  # noqa: RUF009
    source_range: float | None = _option(None, as_data_range)
    alpha: bool | None = _option(None, as_flag)
    exclude: tuple[str, ...] = _option((), as_patterns)
    follow_links: bool = _option(False, as_flag)
    column: str | None = _option(None, _column)
    pages: str = _option("first", _one_of(PAGES))
    max_pixels: int | None = _option(None, _integer(1, 2**53))

    @property
    def roi_folder(self) -> str | None:
        """The folder of masks, if `roi` is not one of its keywords."""
        return None if self.roi in ROI_WORDS else self.roi

    @property
    def names(self) -> list[str]:
        return list(self.techniques or by_default())

    @property
    def weights(self) -> list[float] | None:
        return [entry.get("weight", 1.0) for entry in self.techniques.values()] if self.techniques else None

    def class_names(self, kinds: Sequence[str] = ()) -> list[str]:
        """The classes of labels in the order of their numbers; `kinds` are those of the real defects that may be
        drawn."""
        return list(dict.fromkeys(self.classes_by_label(kinds)[1]))

    def class_numbers(self, kinds: Sequence[str] = ()) -> dict[str, int]:
        """The number of the class of each label, from 0: labels are techniques, and kinds of real defects."""
        labels, classes = self.classes_by_label(kinds)
        names = list(dict.fromkeys(classes))
        return {label: names.index(name) for label, name in zip(labels, classes, strict=True)}

    def label(self, technique: str, kind: str | None) -> str:
        """By which of the labels the class of a piece is found: `kind` is that of a real defect."""
        return kind if self.classes == "kind" and kind is not None else technique

    def classes_by_label(self, kinds: Sequence[str]) -> tuple[list[str], list[str]]:
        """The possible labels of pieces, and the class of each label."""
        names = self.names
        if self.classes == "kind":
            labels = [label for name in names for label in (kinds if TECHNIQUES[name].takes_defects else [name])]
            return labels, labels
        if self.classes == "technique":
            return names, names
        return names, [SINGLE if self.classes == "single" else self.classes] * len(names)

    @property
    def per_normal(self) -> float:
        """Number of anomalous images for each good one if no number is given; a preset defines the share of anomalous
        images."""
        share = as_preset(self.preset).anomalous if self.preset else 0.5
        return share / (1 - share) if share < 1 else 1.0

    @property
    def shares(self) -> dict[str, float]:
        """The share of the normal images in each split."""
        val, test = (
            default if given is None else given
            for given, default in zip((self.val_share, self.test_share), SHARES[self.layout], strict=True)
        )
        return {"train": max(0.0, round(1 - val - test, 12)), "val": val, "test": test}

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        """Keywords of single techniques."""
        tables = (self.techniques or {}).items()
        return {name: {k: v for k, v in entry.items() if k != "weight"} for name, entry in tables}


def make_recipe(**options: Any) -> Recipe:
    """Make a recipe from given options; None means the default."""
    checks: dict[str, Any] = {entry.name: entry.metadata.get("check") for entry in fields(Recipe)}
    known = {*checks, "weights", "options"}
    for name in options:
        if name not in known:
            raise TypeError(
                f"`{name}` must be an option of a recipe: {', '.join(sorted(known))}{close_match(name, known)}"
            )
    given = {name: value for name, value in options.items() if value is not None}
    chosen = given.pop("techniques", None), given.pop("weights", None), given.pop("options", None)
    techniques: dict[str, dict[str, Any]] | None
    if "preset" in given:
        techniques = _of_preset(given["preset"], *chosen)
    elif "defects" in given and chosen[0] is None:
        techniques = _techniques(["real"], *chosen[1:])
    else:
        techniques = _techniques(*chosen)
    recipe = Recipe(techniques=techniques, **{name: checks[name](name, value) for name, value in given.items()})
    if recipe.number is not None and recipe.per_image is not None:
        raise ValueError("`number` and `per_image` must not both be given, got two numbers")
    _check_shares(recipe)
    _check_bank(recipe)
    as_tiling(recipe.tile, recipe.overlap)
    smallest = min(recipe.size) if isinstance(recipe.size, tuple) else recipe.size
    if recipe.tile is not None and smallest is not None and smallest < recipe.tile:
        raise ValueError(f"`tile` must fit into images of `size` {recipe.size}, got {recipe.tile}")
    return recipe


def combined(path: str | os.PathLike[str] | None, **options: Any) -> Recipe:
    """Combine the recipe of a file, if there is one, with options that take precedence over it."""
    return make_recipe(**combined_options(path, **options))


def combined_options(path: str | os.PathLike[str] | None, **options: Any) -> dict[str, Any]:
    """Combine the options of a file, if there is one, with options that take precedence over them.

    Options of the file that have no meaning together with the given ones are dropped, because they could not be unset
    otherwise. Techniques that are given by name keep their keywords of the file, or of the preset that it names.
    """
    given = {name: value for name, value in options.items() if value is not None}
    loaded = load_options(path, whole=False) if path else {}
    for name, other in (("number", "per_image"), ("per_image", "number")):
        if name in given and other not in given:
            loaded.pop(other, None)  # only one of them defines the number of images
    if given.get("purpose") == "validation":  # has one split
        loaded = {name: value for name, value in loaded.items() if name not in ("val_share", "test_share")}
    is_chosen = "techniques" in given or "preset" in given
    choice = _combined_choice(loaded, given)
    if is_chosen and not any(TECHNIQUES[name].takes_defects for name in _drawn(choice)):
        loaded.pop("defects", None)
    return {**loaded, **given, **choice}


def _combined_choice(loaded: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The options that define the techniques, removed from both dicts; given ones take precedence."""
    keys = ("preset", "techniques", "weights", "options")
    old, new = ({name: options.pop(name) for name in keys if name in options} for options in (loaded, given))
    tables = old.get("techniques")
    if "preset" in new:
        return new
    if not new or isinstance(new.get("techniques"), Mapping):
        return new or old
    if isinstance(tables, Mapping) and all(isinstance(entry, Mapping) for entry in tables.values()):
        old["techniques"], old["weights"] = list(tables), [entry.get("weight", 1.0) for entry in tables.values()]
        old["options"] = {name: {k: v for k, v in entry.items() if k != "weight"} for name, entry in tables.items()}
        if "preset" in old:
            del old["techniques"], old["weights"]
    if "techniques" in new:
        if "preset" in old:  # its keywords are those of the recipe, which may only name it
            of_preset, own = as_preset(old.pop("preset")).options, old.get("options", {})
            if isinstance(own, Mapping) and all(isinstance(entry, Mapping) for entry in own.values()):
                old["options"] = {
                    name: {**of_preset.get(name, {}), **own.get(name, {})} for name in {**of_preset, **own}
                }
        old.pop("weights", None)
    before, after = old.get("options", {}), new.get("options", {})
    are_tables = isinstance(before, Mapping) and isinstance(after, Mapping)
    if are_tables and all(isinstance(entry, Mapping) for entry in (*before.values(), *after.values())):
        new["options"] = {name: {**before.get(name, {}), **after.get(name, {})} for name in {**before, **after}}
    return {**old, **new}


def _drawn(choice: Mapping[str, Any]) -> list[str]:
    """The techniques that a choice draws."""
    if "preset" in choice:
        return list(as_preset(choice["preset"]).techniques)
    techniques = choice["techniques"]
    return as_mix(list(techniques) if isinstance(techniques, Mapping) else techniques, None, bank_later=True).names


def _check_shares(recipe: Recipe) -> None:
    """Raise an error if the splits cannot be made."""
    val, test = recipe.shares["val"], recipe.shares["test"]
    if recipe.purpose == "validation":
        for name, given in (("val_share", recipe.val_share), ("test_share", recipe.test_share)):
            if given is not None:
                raise ValueError(f"`{name}` must not be given for a validation set, which has one split, got {given}")
    elif val + test > 1 + 1e-9:
        raise ValueError(f"`val_share` and `test_share` must add up to 1 at most, got {val} and {test}")
    elif recipe.layout == "mvtec" and test == 0:
        raise ValueError(
            "`test_share` must be above 0 in the mvtec layout, where all anomalies are in the test split, got 0: "
            "with layout 'flat' or 'yolo', anomalies are made from training images"
        )


def _check_bank(recipe: Recipe) -> None:
    takers = [name for name in recipe.names if TECHNIQUES[name].takes_defects]
    if takers and recipe.defects is None:
        raise ValueError(f"`defects` must be given, as a folder or an annotation file, if {takers[0]} is drawn")
    if recipe.defects is not None and not takers and recipe.preset:
        raise ValueError(
            f"`preset` {recipe.preset!r} must be given without `defects`, because none of its techniques uses a bank; "
            "images from which its techniques take their pixels are passed as `source`"
        )
    if recipe.defects is not None and not takers:
        raise ValueError(f"`techniques` must include 'real' if `defects` is given, got {', '.join(recipe.names)}")


def _of_preset(preset: Any, techniques: Any, weights: Any, options: Any) -> dict[str, dict[str, Any]]:
    """The tables of the techniques of a preset, with the keywords of `options` or of other tables added."""
    names = as_preset(preset).techniques
    _check_tables(techniques)
    if isinstance(techniques, Mapping) and weights is None and options is None:
        other = [name for name in techniques if name not in names]
        if other:
            raise ValueError(f"`techniques` must be those of the preset, {', '.join(names)}; got {', '.join(other)}")
        options = {name: {k: v for k, v in entry.items() if k != "weight"} for name, entry in techniques.items()}
        techniques = None
    mix = as_mix(techniques, weights, options, preset=preset, bank_later=True)
    return {name: _plain({"weight": 1.0, **mix.options.get(name, {})}) for name in mix.names}


def _techniques(techniques: Any, weights: Any, options: Any) -> dict[str, dict[str, Any]] | None:
    """One table for each technique, from a list of names and families with weights, or from tables as in a recipe
    file."""
    _check_tables(techniques)
    if isinstance(techniques, Mapping):
        tables = {name: dict(entry) for name, entry in techniques.items()}
        if weights is not None or options is not None:
            raise ValueError("`techniques` must contain weights and options itself if it consists of tables")
        as_options({name: {k: v for k, v in entry.items() if k != "weight"} for name, entry in tables.items()})
        for name, entry in tables.items():
            entry["weight"] = as_number(f"techniques.{name}.weight", entry.get("weight", 1), 0, 1e12)
        as_mix(list(tables), [entry["weight"] for entry in tables.values()], bank_later=True)
        return {name: _plain(entry) for name, entry in tables.items()}
    if techniques is None and weights is None and options is None:
        return None
    keywords = as_options(options)
    mix = as_mix(techniques, weights, bank_later=True)
    cumulative = mix.cumulated()
    shares = [float(b - a) for a, b in zip([0.0, *cumulative[:-1]], cumulative, strict=True)]
    tables = {}
    for name, share in zip(mix.names, shares, strict=True):  # a technique may be listed twice
        entry = tables.setdefault(name, {"weight": 0.0, **keywords.get(name, {})})
        entry["weight"] = round(entry["weight"] + share, 12)
    return {name: _plain(entry) for name, entry in tables.items()}


def _check_tables(techniques: Any) -> None:
    for name, entry in techniques.items() if isinstance(techniques, Mapping) else ():
        if not isinstance(entry, Mapping):
            raise TypeError(f"`techniques.{name}` must be a table with a weight and keywords, got {describe(entry)}")


def _plain(value: Any) -> Any:
    """The value as TOML and JSON would return it, so that a recipe equals the one read from its file."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"`techniques` must contain only numbers, strings and lists of them, got {describe(value)}")


def load_options(path: str | os.PathLike[str], *, whole: bool = True) -> dict[str, Any]:
    """Load the options of a recipe file; with `whole`, they are checked together.

    A relative folder of masks or defects is searched next to the file first. The recipe of a finished set is an
    exception: its paths are those of the run, and the folders next to it belong to the set.
    """
    path = Path(path)
    try:
        options = parse_options(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"`recipe` must be a file that can be read, got {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"`recipe` must be TOML, got {path}: {error}") from error
    is_of_set = (path.parent / "dataset.json").exists() or (path.parent / ".pail").exists()
    for name in ("roi", "defects"):
        given = options.get(name)
        if is_of_set or not isinstance(given, str) or given in ROI_WORDS:
            continue
        if (path.parent / given).exists():
            options[name] = str(path.parent / given)  # stored together with its recipe
    if whole:
        make_recipe(**options)
    return options


def parse_options(text: str) -> dict[str, Any]:
    """Parse the text of a recipe file."""
    return dict(tomllib.loads(text))


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML, without options that are None."""
    import tomli_w

    values = {name: value for name, value in asdict(recipe).items() if value is not None}
    return tomli_w.dumps({name: list(v) if isinstance(v, tuple) else v for name, v in values.items()})
