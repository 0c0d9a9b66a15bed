"""The command line: its output, with one line for an error. Help is read in a separate process."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields, replace
from html import unescape
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import pail_command
from common import photograph

import pail as library
from pail.dataset import recipe as recipes

GENERATE_OPTIONS = [
    "--number",
    "--per-image",
    "--source",
    "--techniques",
    "--defects",
    "--preset",
    "--anomalies",
    "--roi",
    "--severity",
    "--size",
    "--fit",
    "--tile",
    "--overlap",
    "--data-range",
    "--seed",
    "--layout",
    "--for",
    "--test-share",
    "--format",
    "--compression",
    "--coco",
    "--exclude",
    "--follow-links",
    "--column",
    "--pages",
    "--max-pixels",
    "--recipe",
    "--workers",
    "--shard",
    "--dask",
    "--resume",
    "--overwrite",
    "--verify",
    "--dry-run",
    "--quiet",
]

PREVIEW_OPTIONS = (
    "--recipe",
    "--anomalies",
    "--severity",
    "--tile",
    "--overlap",
    "--exclude",
    "--pages",
    "--max-pixels",
    "--source",
    "--techniques",
    "--defects",
    "--preset",
    "--classes",
    "--follow-links",
    "--column",
    "--roi",
    "--seed",
    "--size",
    "--fit",
    "--data-range",
    "--output",
    "--html",
)


def pail(*arguments, status=0, columns=80):
    """The output of a command on both streams."""
    if columns == 80:
        done = pail_command(*arguments)
    else:  # a terminal's width is read when the process starts
        command = [sys.executable, "-m", "pail", *map(str, arguments)]
        environment = {**os.environ, "COLUMNS": str(columns)}
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment)
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert "Traceback" not in said
    return said


def in_80_columns(*arguments):
    """The same in a process with a terminal of 80 columns."""
    command = [sys.executable, "-m", "pail", *arguments]
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8", env=environment)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for i in range(4):
        cv2.imwrite(str(folder / f"{i}.png"), photograph(48, 56, i))
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("generate", GENERATE_OPTIONS),
        ("preview", [*PREVIEW_OPTIONS]),
        ("tune", [option for option in PREVIEW_OPTIONS if option not in ("--output", "--html")]),
        ("replay", ["--images", "--source", "--defects", "--output"]),
    ],
)
def test_help_reads_well_at_80_columns(command, options):
    text = in_80_columns(command, "--help")
    assert max(map(len, text.splitlines())) <= 80
    assert [option for option in options if not re.search(rf"{option}\b", text)] == []


def test_help_names_arguments_as_errors_do_and_a_line_for_each_exit_status():
    lines = [line.strip() for line in in_80_columns("generate", "--help").splitlines()]
    assert any(line.startswith("Usage:") and "IMAGES" in line and "OUT" in line for line in lines)
    assert [line.split()[0] for line in lines[lines.index("Exit status:") + 1 :][:6]] == [
        "0",
        "1",
        "2",
        "3",
        "4",
        "130",
    ]
    for command, names in (("replay", ("DATASET", "INDEX")), ("tune", ("IMAGES",)), ("preview", ("IMAGES",))):
        usage = next(line for line in in_80_columns(command, "--help").splitlines() if "Usage:" in line)
        assert all(name in usage for name in names)


def test_the_table_lists_all_techniques():
    lines = in_80_columns("techniques").splitlines()
    assert [line.split()[0] for line in lines] == list(library.TECHNIQUES)
    for line, (name, technique) in zip(lines, library.TECHNIQUES.items(), strict=True):
        assert line.split(maxsplit=2) == [name, technique.family, technique.summary]


def test_named_techniques_are_shown_with_their_parameters():
    text = in_80_columns("techniques", "dent", "SFI", "dent")
    assert text.count("│ dent ") == 1 and "cutpaste_scar" in text and "fract_aug" not in text
    assert max(map(len, text.splitlines())) <= 80
    said = pail("techniques", "scrach", status=2)
    assert said.startswith("Error: TECHNIQUE must be ") and "did you mean scratch" in said


def test_the_table_says_default_bounds_and_unit_of_each_parameter():
    text = pail("techniques", *library.TECHNIQUES, columns=400)
    assert "area_ratio = (0.2, 0.25): a pair (low, high) in (0, 1], fraction of the area" in text
    assert "threshold = 0.5: a number in [-1, 1] or 'random', noise level" in text
    assert "variant = None: one of None, 'AA', 'AAC', 'AAS'" in text
    assert "angles = (0, 90, 180, 270): a sequence, each an integer in [-3600, 3600], a multiple of 90, degrees" in text


def test_preview_draws_a_picture_and_a_page(parts, tmp_path):
    said = pail("preview", parts, "--techniques", "cutpaste", "-o", tmp_path / "a.png")
    assert "pail generate" in said and cv2.imread(str(tmp_path / "a.png")).std() > 5
    pail("preview", parts, "--techniques", "cutpaste", "--html", "-o", tmp_path / "a.html", "--size", "32x40")
    assert "</html>" in (tmp_path / "a.html").read_text(encoding="utf-8")
    pail("generate", parts, tmp_path / "set", "--recipe", tmp_path / "a.toml", "-n", "3", "-q")
    assert {p.name for p in (tmp_path / "set" / "ground_truth").iterdir()} == {"cutpaste"}


RECIPE = """
number = 5
severity = [0.2, 0.6]
anomalies = [1, 2]
size = [44, 52]
tile = 32
overlap = 4
layout = "yolo"
format = "bmp"
roi = "masks"
defects = "bank"
exclude = ["3.png"]
[techniques.scratch]
weight = 3.0
width = [0.01, 0.02]
[techniques.real_defect]
weight = 1.0
place = "same"
"""


@pytest.fixture
def recipe(parts, tmp_path):
    """A recipe with masks and a bank next to it."""
    (tmp_path / "given" / "masks").mkdir(parents=True)
    for i in range(3):
        mask = np.zeros((48, 56), np.uint8)
        mask[:30] = 255
        cv2.imwrite(str(tmp_path / "given" / "masks" / f"{i}.png"), mask)
    for folder, pixels in (
        ("test/line", photograph(60, 70, 9).copy()),
        ("ground_truth/line", np.zeros((60, 70), np.uint8)),
    ):
        (tmp_path / "given" / "bank" / folder).mkdir(parents=True)
        pixels[20:24, 20:50] = 255 if pixels.ndim == 2 else 0
        end = "_mask" if pixels.ndim == 2 else ""
        cv2.imwrite(str(tmp_path / "given" / "bank" / folder / f"000{end}.png"), pixels)
    path = tmp_path / "given" / "recipe.toml"
    path.write_text(RECIPE)
    return path


def asked(command, monkeypatch):
    """The recipe of a printed command."""
    found = []

    def catch(*_, recipe, **options):
        names = {entry.name for entry in fields(recipes.Recipe)} | {"weights", "options"}
        found.append(recipes.combined(recipe, **{name: value for name, value in options.items() if name in names}))
        raise ValueError("caught")

    with monkeypatch.context() as patched:
        patched.setattr("pail.generate", catch)
        assert "caught" in pail(*shlex.split(command)[1:], status=2)
    return found[0]


@pytest.mark.parametrize("place", ["picture.png", "page.html"])
def test_a_recipe_is_previewed_with_everything_it_holds(place, recipe, parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    html = ["--html"] if place.endswith("html") else []
    said = pail("preview", parts, "--recipe", recipe, "--seed", 5, "--severity", 0.4, "-o", place, *html)
    command = next(line for line in said.splitlines() if line.startswith("pail generate"))
    expected = recipes.combined(recipe, seed=5, severity=0.4)
    toml = tmp_path / place
    assert recipes.combined(toml.with_suffix(".toml")) == asked(command, monkeypatch) == expected
    assert expected.number == 5 and expected.tile == 32 and expected.names == ["scratch", "real_defect"]
    pail(*shlex.split(command)[1:], "--workers", 1, "-q")
    pail("generate", parts, "other", "--recipe", recipe, "--seed", 5, "--severity", 0.4, "--workers", 1, "-q")
    ours, other = (tmp_path / name / "manifest.jsonl" for name in ("set", "other"))
    assert ours.read_bytes() == other.read_bytes()
    if html:
        page = toml.read_text(encoding="utf-8")
        for words in ("weight 1.5", "severity 0.4", "width (0.01, 0.02)", "anomalies (1, 2)", "tiles of 32 pixels"):
            assert words in page
        assert page.count("the recipe&#x27;s settings") >= 2
        bare = unescape(re.search(r'data-bare="([^"]+)"', page)[1])
        scratch = asked(f"{bare} --techniques scratch", monkeypatch)
        assert scratch == replace(expected, techniques=scratch.techniques, defects=None)
        assert scratch.techniques == {"scratch": {"weight": 1.0, "width": [0.01, 0.02]}}


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--techniques cutpaste=2,SBI --anomalies 2 --severity 0.3,0.7 --size 40x50 --fit pad --tile 32 --overlap 3",
        "--preset draem --roi none --data-range 0,254.5 --classes single --pages all --max-pixels 4000000",
        "--defects {bank} --exclude 3.png --exclude 0.png --follow-links --seed 9 --size 48 --roi {masks}",
        "--data-range auto --severity 1",
    ],
)
def test_what_preview_prints_is_what_it_writes(options, recipe, parts, tmp_path, monkeypatch):
    words = options.format(bank=recipe.parent / "bank", masks=recipe.parent / "masks").split()
    said = pail("preview", parts, *words, "-o", tmp_path / "a.html", "--html")
    command = next(line for line in said.splitlines() if line.startswith("pail generate"))
    written = recipes.combined(tmp_path / "a.toml")
    printed = asked(command, monkeypatch)
    assert printed == written and written.number == 1000
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    bare = unescape(re.search(r'data-bare="([^"]+)"', page)[1])
    for name in re.findall(r'autocomplete="off" value="(\w+)"', page):
        narrowed = asked(f"{bare} --techniques {name}", monkeypatch)
        assert narrowed.names == [name] and narrowed.options[name] == written.options.get(name, {})
        assert replace(narrowed, techniques=None, defects=None) == replace(
            written, techniques=None, defects=None, preset=None
        )


def test_folders_in_the_recipe_of_a_preview_in_another_folder_are_those_that_it_used(
    recipe, parts, tmp_path, monkeypatch
):
    """Next to the written recipe, other folders may have the same names."""
    monkeypatch.chdir(recipe.parent)
    (tmp_path / "out" / "masks").mkdir(parents=True)
    (tmp_path / "out" / "bank").mkdir()
    options = ("--roi", "masks", "--defects", "bank")
    for folder in ("../out", "."):
        pail("preview", parts, *options, "-o", f"{folder}/a.png")
        written = recipes.combined(f"{folder}/a.toml")
        for found, name in ((written.roi, "masks"), (written.defects, "bank")):
            assert Path(found).resolve() == (recipe.parent / name).resolve()
    monkeypatch.chdir(tmp_path)
    assert Path(recipes.combined("out/a.toml").roi).samefile(recipe.parent / "masks")


@pytest.mark.filterwarnings("ignore")
def test_preview_refuses_and_leaves_out_what_generate_does(recipe, parts, tmp_path):
    out = ("-o", tmp_path / "a.png")
    assert "--tile must fit into each image, got '0.png'" in pail("preview", parts, "--tile", 64, *out, status=2)
    assert "--roi must contain masks" in pail(
        "preview", parts, "--roi", recipe.parent / "bank" / "test", *out, status=2
    )
    said = pail("preview", parts, "--roi", recipe.parent / "masks", "--techniques", "cutpaste", *out)
    assert "1 of 4 images have no mask" in said
    assert "--recipe must be a file" in pail("preview", parts, "--recipe", "no.toml", *out, status=2)


def test_an_edited_recipe_of_a_preview_is_kept(parts, tmp_path):
    command, toml = ("preview", parts, "--techniques", "cutpaste", "-o", tmp_path / "a.png"), tmp_path / "a.toml"
    pail(*command)
    pail(*command)  # what nobody edited is written again
    first, _, content = toml.read_text().partition("\n")
    pictures = (tmp_path / "a.png").read_bytes()
    for text in (f"{first}\n{content}coco = true\n", f"{first.partition(',')[0]}\n{content}"):
        toml.write_text(text)
        said = pail(*command, "--seed", 1, status=2)
        assert "a.toml" in said and "edited" in said and said.count("\n") == 1
        assert toml.read_text() == text and (tmp_path / "a.png").read_bytes() == pictures


def test_generate_takes_each_form_of_its_options(parts, out):
    options = "-n 5 --techniques cutpaste=2,fract_aug --anomalies 1,2 --severity 0.2,0.8 --size 32x40 --seed 3"
    options += " --layout yolo --format bmp --roi foreground --test-share 0.5 --workers 1"
    assert "4 good and 5 anomalous" in pail("generate", parts, out, *options.split())
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert {(line["height"], line["width"]) for line in lines} == {(32, 40)}
    assert "the same bytes" in pail("replay", out, 6, "--images", parts)
    again = out.parent / "again"
    assert pail("generate", parts, again, "--recipe", out / "recipe.toml", "--workers", "1", "-q") == ""
    assert (again / "manifest.jsonl").read_bytes() == (out / "manifest.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ("--severity a,b", "severity"),
        ("--size 1,2,3", "size"),
        ("--techniques cutpaste=x", "techniques"),
        ("--techniques nope", "techniques"),
        ("--anomalies 0", "anomalies"),
        ("--shard 3/2", "shard"),
        ("--recipe nothing.toml", "recipe"),
        ("--source nothing", "source"),
        ("-n 2 --per-image 2", "per-image"),
        ("--preset draem --techniques SFI=2", "techniques"),
        ("--preset bgad --defects nowhere", "source"),
    ],
)
def test_wrong_options_are_one_line(parts, out, options, argument):
    said = pail("generate", parts, out, *options.split(), status=2)
    assert len(re.findall(rf"--{argument}\b", said)) == 1 and "`" not in said and said.count("\n") == 1
    assert not out.exists()


def test_unknown_choices_are_refused(parts, out):
    assert "--layout" in pail("generate", parts, out, "--layout", "voc", status=2)


def test_a_dry_run_touches_nothing(parts, out):
    assert "Nothing is written" in pail("generate", parts, out, "-n", "7", "--dry-run")
    assert not out.exists()


def test_a_folder_without_images(tmp_path, out):
    (tmp_path / "empty").mkdir()
    for command in (("generate", tmp_path / "empty", out), ("preview", tmp_path / "empty")):
        said = pail(*command, status=2)
        assert "IMAGES must" in said and said.count("\n") == 1
    assert not out.exists()


def test_what_cannot_be_written_or_read_is_one_line(parts, tmp_path):
    assert (
        pail("preview", parts, "--techniques", "cutpaste", "-o", tmp_path / "no" / "a.png", status=2).count("\n") == 1
    )
    assert pail("replay", Path(tmp_path), 0, "--images", parts, status=2).count("\n") == 1
