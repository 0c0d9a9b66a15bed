"""README, docs, docstrings and examples run unchanged."""

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from common import ALL, NAMES
from optional import need

import pail
from pail import pai
from pail.references import BY_TECHNIQUE
from pail.registry import is_own

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs").glob("*.md"))
MAINTAINERS = sorted((ROOT / "docs" / "maintainers").glob("*.md"))
PAGES = [ROOT / "README.md", *GUIDES, *MAINTAINERS]
OPTIONAL = ("torch", "torchvision", "albumentations", "gradio")
NEEDS = {"pail.torchvision": "torch", "pail.anomalib": "torch"}
NEEDS |= {f"pail.app.{name}": "gradio" for name in ("events", "page", "widgets")}
TRAINING = ("torch", "torchvision", "albumentations", "anomalib")  # modules of pail, named as what they are for


def blocks_of(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, monkeypatch, tmp_path):
    """From its first block to its last, as a reader would."""
    for package in OPTIONAL:
        if any(re.search(rf"\b(from|import) {package}\b|\bpail\.{package}\b", b) for b in blocks_of(page)):
            need(package)
    monkeypatch.chdir(tmp_path if page.name == "README.md" else ROOT)  # README saves a picture
    namespace = {"__name__": "__main__"}
    try:
        for index, block in enumerate(blocks_of(page)):
            exec(compile(block, f"{page.name}, block {index}", "exec"), namespace)
    finally:
        for name in [name for name in pail.TECHNIQUES if is_own(name)]:
            pail.unregister(name)


def test_the_first_block_runs_in_an_empty_folder(tmp_path):
    """It needs only the installed package, and no file of the project."""
    (tmp_path / "first.py").write_text(blocks_of(PAGES[0])[0])
    subprocess.run([sys.executable, "first.py"], cwd=tmp_path, check=True, capture_output=True)


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("tables")


def test_what_readme_repeats_is_that_of_the_library(tables):
    text = PAGES[0].read_text(encoding="utf-8")
    for part, made in tables.README.items():
        assert tables.fill(text, part, made()) == text, "run python docs/tables.py"


def test_what_guides_repeat_is_that_of_the_maintainers_tables(tables):
    parts = {"performance": (tables.TIMES, tables.times()), "fidelity": (tables.RESTORE, tables.restore())}
    parts["citation"] = tables.CITATION, tables.citation()
    parts["presets"] = tables.PRESETS, tables.presets()
    for name, (part, made) in parts.items():
        text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
        assert made.count("\n") > 11 and tables.fill(text, part, made) == text, "run python docs/tables.py"


def test_the_table_of_sizes_is_measured(tables):
    """With fewer draws than for the page, the areas agree only roughly."""

    def areas(table):
        return {name: float(area) for name, area in re.findall(r"^\| `(\w+)` \| ([\d.]+) %", table, re.M)}

    page, again = areas((ROOT / "docs" / "choosing.md").read_text(encoding="utf-8")), areas(tables.sizes(24))
    assert list(page) == list(again) == list(NAMES)
    assert all(0.4 < page[name] / again[name] < 2.5 for name in NAMES), "run python docs/tables.py"


def test_links_of_readme_become_absolute(tables):
    text = tables.absolute(PAGES[0].read_text(encoding="utf-8"), "https://host.org/us/pail")
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    assert len(targets) > 20 and all(target.startswith("https://") for target in targets)
    assert "(https://host.org/us/pail/blob/main/docs/control.md)" in text
    assert "(https://host.org/us/pail/raw/main/docs/pictures/gallery.webp)" in text
    assert 'src="https://host.org/us/pail/raw/main/docs/pictures/techniques/cutpaste.jpg"' in text


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def modules():
    return [m.name for m in pkgutil.walk_packages(pail.__path__, "pail.") if m.name != "pail.sfi.simplex_noise._kernel"]


@pytest.mark.parametrize("name", modules())
def test_docstring_examples(name):
    package = NEEDS.get(name, name.removeprefix("pail."))
    if package in OPTIONAL:
        need(package)
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0


@pytest.mark.parametrize("name", [*ALL, "insert"])
def test_every_parameter_is_documented(name):
    method = getattr(pai.Anomaly_Insertion, name)
    text = inspect.getdoc(method)  # Python 3.13 takes the indentation away by itself
    parameters = text.split("Parameters\n")[1].split("Returns\n")[0]
    for parameter in list(inspect.signature(method).parameters)[1:]:
        assert re.search(rf"^([a-z_]+, )*{parameter}(, [a-z_]+)* : ", parameters, re.M), parameter
    for section in ("Returns", "Examples", *(["References"] if name in BY_TECHNIQUE else [])):
        assert f"\n{section}\n---" in text


def public():
    """The functions, classes and methods that a user calls."""
    own = [getattr(pail, name) for name in pail.__all__ if inspect.isroutine(getattr(pail, name))]
    methods = [getattr(pai.Anomaly_Insertion, name) for name in [*ALL, "insert"]]
    helpers = [pail.masks.difference, pail.masks.soft, pail.masks.boxes, pail.masks.pieces, pail.roi.foreground]
    return [pai.Anomaly_Insertion, pail.PseudoAnomaly, *own, *methods, *helpers]


@pytest.mark.parametrize("thing", [*public(), *TRAINING], ids=lambda thing: getattr(thing, "__name__", thing))
def test_help_reads_well_at_80_columns(thing):
    """In the help of a class a method is indented by 8."""
    if thing in TRAINING:
        need("torch" if thing == "anomalib" else thing)
        module = importlib.import_module(f"pail.{thing}")
        classes = {"torch": "PseudoAnomalyDataset", "anomalib": "AnomalyGenerator"}
        thing = getattr(module, classes.get(thing, "InsertAnomaly"))
    text = inspect.getdoc(thing)
    wide = [line for line in text.splitlines() if len(line) > 72 and " : " not in line]
    assert not wide
    assert ">>> " in text or thing in (pail.import_imgaug, pail.place, pail.unregister), "no example"


@pytest.mark.parametrize("name", [*ALL, "insert"])
def test_defaults_in_docstrings_are_those_of_the_signature(name):
    method = getattr(pai.Anomaly_Insertion, name)
    documented = {}
    for names, default in re.findall(r"^([a-z_, ]+) : .*?, default (.+)$", inspect.getdoc(method), re.M):
        keys = names.split(", ")
        values = re.split(r", (?![^(]*\))| and ", default) if len(keys) > 1 else [default]
        values = values if len(values) == len(keys) else [default] * len(keys)
        documented |= dict(zip(keys, values, strict=True))
    parameters = inspect.signature(method).parameters
    assert documented
    for key, text in documented.items():
        assert eval(text) == parameters[key].default, key


TYPES = {  # what the docstring calls the kinds of parameters
    "Flag": "bool",
    "Size": r"\(int, int\)",
    "Mask": r"ndarray of bool or uint8 {0, 255}",
    "Augmenter": "callable",
    "Kinds": "str or sequence of str",
    "Several": r"sequence of (int|float)|pair of \(float, float\)|\(float, float\)",
}


def type_of(accepted):
    """The type in the docstring of a parameter, as a pattern."""
    kind = type(accepted).__name__
    if kind == "Choice":
        return re.escape("{" + ", ".join("None" if c is None else f'"{c}"' for c in accepted.choices) + "}")
    if kind in TYPES:
        return TYPES[kind]
    number = "int" if accepted.integer else "float"
    words = "".join(f' or "{word}"' for word in accepted.instead if word)
    return rf"\({number}, {number}\)" if kind == "Pair" else number + words


@pytest.mark.parametrize("name", ALL)
def test_types_and_bounds_in_docstrings_are_those_of_the_signature(name):
    technique = pai.TECHNIQUES[name]
    section = inspect.getdoc(technique.method).split("Parameters\n----------\n")[1].split("\n\n")[0]
    entries = re.findall(r"^(\w[\w, ]*) : (.*)\n((?: .*\n?)+)", section, re.M)
    documented = {key: (kind, " ".join(text.split())) for keys, kind, text in entries for key in keys.split(", ")}
    for key, accepted in technique.accepted.items():
        kind, text = documented[key]
        assert re.match(rf"({type_of(accepted)})(, |$)", kind), (key, kind)
        assert (", optional" in kind) == (technique.parameters[key] is None and kind[0] != "{"), key
        assert accepted.unit != "degrees" or "degrees" in text, key
        each = getattr(accepted, "each", accepted)
        if not hasattr(each, "low"):
            continue
        low, high = f"{each.low:g}", f"{each.high:g}"
        interval = f"{'(' if each.above else '['}{low}, {high}{')' if getattr(each, 'below', False) else ']'}"
        found = re.findall(r"\bin ([\[(]-?[\d.]+, -?[\d.]+[\])])", text)
        found += [f"[{ends.replace(' to ', ', ')}]" for ends in re.findall(r"\b\d+ to \d+\b", text)]
        assert set(found) <= {interval, "[0, 255]"}, (key, found)
        if each.high <= 1:
            assert found, f"say in the docstring of {key} that it is in {interval}"


def test_only_images_lie_among_the_sources():
    files = list((ROOT / "anom_source_imgs").iterdir())
    assert len(files) >= 6
    assert len(list((ROOT / "example_img").iterdir())) >= 3
    credits = (ROOT / "docs" / "credits.md").read_text(encoding="utf-8")
    for path in [*files, *(ROOT / "example_img").iterdir()]:
        assert cv2.imread(str(path)) is not None
        assert path.name in credits
    assert sum(path.stat().st_size for path in [*files, *(ROOT / "example_img").iterdir()]) < 5e6
