"""The options of a data set: one list for the recipe, `pail.generate`, the command line and the guide."""

import inspect
import re
from ast import literal_eval
from dataclasses import fields
from pathlib import Path

import pytest
import typer
from commands import pail_command

import pail
from pail import cli
from pail.cli.options import SHARED
from pail.dataset.recipe import Recipe, combined, make_recipe, to_toml

GUIDE = Path(__file__).parents[2] / "docs" / "datasets.md"
RUN = ["source", "recipe", "workers", "shard", "resume", "overwrite", "verify", "progress"]  # no options of a recipe
IN_RECIPE = [entry.name for entry in fields(Recipe)]
OPTIONS = sorted([*IN_RECIPE, "weights", "options"])


def keywords():
    parameters = inspect.signature(pail.generate).parameters.values()
    return {entry.name: entry for entry in parameters if entry.kind is entry.KEYWORD_ONLY}


def guide():
    """The rows of the table: name, command line and default, as text."""
    text = GUIDE.read_text(encoding="utf-8").split("### All options")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    return {name.strip("`"): (re.findall(r"`(.+?)`", words), default.strip("`")) for name, words, default, _ in rows}


def command_line(name="generate"):
    """The option strings of a command."""
    command = typer.main.get_command(cli.app).commands[name]
    return {word for entry in command.params if entry.param_type_name == "option" for word in entry.opts}


# Options that are not those of all three commands, and why.
OF_FILES = {"--number", "-n", "--per-image", "--layout", "--for", "--val-share", "--test-share", "--format"}
OF_FILES |= {"--compression", "--coco", "--segmentation"}  # which files a set has: neither changes what is looked at
OF_RUNS = {"--workers", "--shard", "--dask", "--resume", "--overwrite", "--verify", "--dry-run", "--quiet", "-q"}
OF_PREVIEW = {"--output", "-o", "--html"}  # the file of the sheet
OF_TUNE = {"--port", "--browser"}  # where the page is


def test_the_three_commands_have_the_same_options():
    shared = command_line() - OF_FILES - OF_RUNS
    assert shared == {f"--{name.replace('_', '-')}" for name in (*SHARED, "source", "recipe")}
    assert command_line("preview") == shared | OF_PREVIEW and command_line("tune") == shared | OF_TUNE
    assert command_line() > OF_FILES | OF_RUNS


def test_shared_options_are_those_of_a_recipe():
    assert set(SHARED) <= set(IN_RECIPE)
    left = set(IN_RECIPE) - set(SHARED) - {"source_range", "alpha"}  # which the command line cannot say
    names = {"--for": "purpose"}
    assert left == {names.get(word, word[2:].replace("-", "_")) for word in OF_FILES - {"-n"}}


FORMS = {
    "techniques": "cutpaste=3,SBI",
    "defects": "bank",
    "preset": "draem",
    "anomalies": "1,3",
    "roi": "none",
    "severity": "0.2,0.6",
    "size": "64x80",
    "fit": "pad",
    "tile": "32",
    "overlap": "8",
    "data_range": "0,250",
    "seed": "7",
    "classes": "single",
    "exclude": "*_x.png",
    "follow_links": None,
    "column": "part",
    "pages": "all",
    "max_pixels": "1000000",
}


@pytest.mark.parametrize("command", ["generate", "preview", "tune"])
def test_each_shared_option_has_the_same_meaning(command, monkeypatch, tmp_path):
    """What the command line says arrives as the same values, whichever command is run."""
    assert set(FORMS) == set(SHARED)
    found = []

    def catch(*_, **options):
        found.append(options)
        raise ValueError("caught")

    monkeypatch.setattr("pail.generate", catch)
    monkeypatch.setattr("pail.app.tune", catch)
    monkeypatch.setattr("pail.dataset.recipe.combined", catch)
    words = []
    for name, word in FORMS.items():
        words += [f"--{name.replace('_', '-')}", *([] if word is None else [word])]
    place = [tmp_path / "set"] if command == "generate" else []
    output = ["-o", tmp_path / "p.png"] if command == "preview" else []
    assert "caught" in pail_command(command, "parts", *place, *words, *output).stderr
    assert {name: found[0][name] for name in (*SHARED, "weights")} == {
        "techniques": ["cutpaste", "SBI"],
        "weights": [3, 1],
        "defects": "bank",
        "preset": "draem",
        "anomalies": (1, 3),
        "roi": "none",
        "severity": (0.2, 0.6),
        "size": (64, 80),
        "fit": "pad",
        "tile": 32,
        "overlap": 8,
        "data_range": (0, 250),
        "seed": 7,
        "classes": "single",
        "exclude": ["*_x.png"],
        "follow_links": True,
        "column": "part",
        "pages": "all",
        "max_pixels": 1000000,
    }


def test_options_are_the_same_everywhere():
    assert sorted(set(keywords()) - set(RUN)) == OPTIONS
    assert sorted(guide()) == OPTIONS
    own = {word for words, _ in guide().values() for word in words}
    assert command_line() == own | OF_RUNS | {"--source", "--recipe"}


def test_only_the_recipe_has_defaults_and_the_guide_repeats_them():
    assert all(keywords()[name].default is None and keywords()[name].annotation for name in OPTIONS)
    table = guide()
    for entry in fields(Recipe):
        default = table[entry.name][1]
        assert (literal_eval(default) if default else None) == entry.default, entry.name


def test_every_option_is_documented_with_a_type_and_checked():
    parameters = inspect.getdoc(pail.generate).split("Parameters\n")[1].split("Returns\n")[0]
    documented = re.findall(r"^([a-z_, ]+) : \S", parameters, re.M)
    names = [name for line in documented for name in line.split(", ")]
    assert names == list(inspect.signature(pail.generate).parameters)
    for name in OPTIONS:
        with pytest.raises((TypeError, ValueError), match=rf"`{name}"):
            make_recipe(**{name: object()})


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - {"weights", "options"}))
def test_each_keyword_reaches_the_recipe(name, tmp_path):
    """A wrong value is an error of that option, which `generate` has thus passed on."""
    with pytest.raises((TypeError, ValueError), match=rf"`{name}"):
        pail.generate("example_img", tmp_path / "set", **{name: object()})


def test_what_is_passed_takes_precedence(tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text('number = 8\nseed = 3\nfit = "pad"\n')
    assert combined(file) == make_recipe(number=8, seed=3, fit="pad")
    assert combined(file, seed=4, layout=None) == make_recipe(number=8, seed=4, fit="pad")
    assert combined(file, per_image=2) == make_recipe(per_image=2, seed=3, fit="pad")
    with pytest.raises(ValueError, match="`number` and `per_image`"):
        combined(file, number=1, per_image=2)


TABLES = """
defects = "bank"
val_share = 0.2
[techniques.perlin_noise_pattern]
weight = 3.0
threshold = 0.3
[techniques.real_defect]
weight = 1.0
place = "same"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(TABLES)
    return path


def test_techniques_that_are_named_keep_their_keywords_in_the_file(file):
    named = combined(file, techniques=["cutpaste", "SBI"], weights=[1, 2])
    assert named.techniques["perlin_noise_pattern"] == {"weight": pytest.approx(2 / 15, abs=1e-6), "threshold": 0.3}
    assert "real_defect" not in named.names and named.options["cutpaste"] == {}
    assert combined(file, techniques="real").techniques == {"real_defect": {"weight": 1.0, "place": "same"}}
    more = combined(file, options={"perlin_noise_pattern": {"beta_range": (0.1, 0.2)}})
    assert more.names == ["perlin_noise_pattern", "real_defect"] and more.weights == [0.75, 0.25]
    assert more.options["perlin_noise_pattern"] == {"threshold": 0.3, "beta_range": [0.1, 0.2]}
    other = combined(file, techniques=["SBI"], options={"perlin_noise_pattern": {"threshold": 0.6}})
    assert other.options["perlin_noise_pattern"] == {"threshold": 0.6}
    tables = combined(file, techniques={"perlin_noise_pattern": {}})
    assert tables.techniques == {"perlin_noise_pattern": {"weight": 1.0}}
    assert combined(file, weights=[1, 3]).weights == [0.25, 0.75]


def test_what_others_leave_without_meaning_is_dropped(file, tmp_path):
    """It could not be unset on the command line."""
    assert combined(file).defects == "bank"
    for options in ({"techniques": "cutpaste"}, {"preset": "draem"}, {"techniques": {"crack": {}}}):
        assert combined(file, **options).defects is None
    assert combined(file, techniques=["real", "crack"]).defects == "bank"
    with pytest.raises(ValueError, match="`techniques` must include 'real'"):  # both are the user's words
        combined(file, techniques="cutpaste", defects="bank")
    assert combined(file, purpose="validation").val_share is None and combined(file).val_share == 0.2
    with pytest.raises(ValueError, match="`val_share`"):
        combined(file, purpose="validation", val_share=0.2)
    listed = tmp_path / "listed.toml"
    listed.write_text(
        'techniques = ["cutpaste", "crack"]\nweights = [1, 2]\n[options.cutpaste]\narea_ratio = [0.1, 0.2]'
    )
    assert combined(listed, techniques=["cutpaste"]).techniques == {
        "cutpaste": {"weight": 1.0, "area_ratio": [0.1, 0.2]}
    }
    assert combined(listed, preset="draem").names == ["perlin_noise_pattern"]
    both = combined(listed, options={"cutpaste": {"aspect_ratio": [[0.5, 1], [1, 2]]}, "crack": {"light": 3}})
    assert both.options == {
        "cutpaste": {"area_ratio": [0.1, 0.2], "aspect_ratio": [[0.5, 1], [1, 2]]},
        "crack": {"light": 3},
    }


@pytest.mark.parametrize(
    "text", ["techniques = 3", "[techniques]\ncutpaste = 3", "options = 3", "[options]\ncutpaste = 3"]
)
def test_a_file_with_wrong_tables_is_an_error_of_that_option(text, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    for given in ({}, {"weights": [1]}, {"options": {"cutpaste": {}}} if "techniques" in text else {}):
        with pytest.raises((TypeError, ValueError), match=r"`(techniques|options|weights)"):
            combined(path, **given)


def test_a_preset_in_the_file_keeps_its_keywords_for_its_techniques(tmp_path):
    made, path = make_recipe(preset="cutpaste-3way"), tmp_path / "recipe.toml"
    path.write_text(to_toml(made))
    assert combined(path, options={"cutpaste": {"area_ratio": (0.05, 0.1)}}).preset == "cutpaste-3way"
    one = combined(path, techniques=["cutpaste"])
    assert one.preset is None and one.options == {"cutpaste": made.options["cutpaste"]}


PRESET_TABLE = 'preset = "cutpaste-3way"\n[techniques.cutpaste]\narea_ratio = [0.3, 0.4]'
PRESET_OPTIONS = 'preset = "cutpaste-3way"\n[options.cutpaste]\narea_ratio = [0.3, 0.4]'


@pytest.mark.parametrize("text", ['preset = "cutpaste-3way"', 'preset = "bgad"', PRESET_TABLE, PRESET_OPTIONS])
@pytest.mark.parametrize("given", [["cutpaste"], ["SFI"], ["scratch", "rand_augmented_cut_paste"]])
def test_a_file_that_names_a_preset_and_the_recipe_of_its_set_combine_alike(text, given, tmp_path):
    """The recipe of a set or of a preview spells out the keywords that the file takes from the preset."""
    path, written = tmp_path / "recipe.toml", tmp_path / "written.toml"
    path.write_text(text)
    written.write_text(to_toml(combined(path)))
    assert combined(path, techniques=given) == combined(written, techniques=given)
    kept = [name for name in combined(path).names if name in combined(path, techniques=given).names]
    assert all(combined(path, techniques=given).options[name] == combined(path).options[name] for name in kept)
