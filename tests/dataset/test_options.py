"""The options of a data set: one list for the recipe, `pail.generate`, the command line and the guide."""

import inspect
import re
from ast import literal_eval
from dataclasses import fields
from pathlib import Path

import pytest
import typer

import pail
from pail import cli
from pail.dataset.recipe import Recipe, combined, make_recipe

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


def command_line():
    """The option strings of `pail generate`."""
    command = typer.main.get_command(cli.app).commands["generate"]
    return {word for entry in command.params if entry.param_type_name == "option" for word in entry.opts}


def test_options_are_the_same_everywhere():
    assert sorted(set(keywords()) - set(RUN)) == OPTIONS
    assert sorted(guide()) == OPTIONS
    own = {word for words, _ in guide().values() for word in words}
    others = {"--source", "--recipe", "--workers", "--shard", "--dask", "--resume", "--overwrite", "--verify"}
    assert command_line() == own | others | {"--dry-run", "--quiet", "-q"}


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
