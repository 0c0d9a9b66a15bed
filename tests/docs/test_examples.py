"""Every example runs as a real process and makes its pictures, and the committed ones are those that it makes."""

import ast
import os
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from common import NAMES
from optional import need
from skimage.metrics import structural_similarity

import pail
from pail import pai
from pail.registry import is_own

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PICTURES = ROOT / "docs" / "pictures"
ALL = [name for name in pail.TECHNIQUES if not is_own(name)]
SHEETS = {"gallery": NAMES, "beyond": [name for name in ALL if name not in NAMES]}
SAME = 0.97  # likeness from which on two pictures look the same; JPEG costs 0.005
PLOTS = sorted(path.stem for path in EXAMPLES.glob("plot_*.py"))
sys.path.insert(0, str(EXAMPLES))


def run(script, *arguments, folder, check=True, **variables):
    environment = {**os.environ, "PYTHONWARNINGS": "error", "MPLBACKEND": "Agg", **variables}
    command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, check=check, capture_output=True, text=True)


def picture(path):
    image, stored = cv2.imread(str(path)), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    if stored.ndim == 3 and stored.shape[2] == 4:  # as it looks on a white page
        opacity = stored[..., 3:] / 255
        image = (opacity * stored[..., :3] + (1 - opacity) * 255).round().astype(np.uint8)
    return image


def assert_not_blank(image):
    """The image has various gray levels, in addition to the background of the panels."""
    panels = image[(image < 250).any(axis=2)]
    assert len(panels) > 0.3 * image[..., 0].size and panels.std() > 15


def likeness(a, b):
    """Structural similarity of two pictures at half of their size; 1 means equal."""
    gray = [
        cv2.cvtColor(cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        for x in (a, b)
    ]
    return structural_similarity(*gray, data_range=255)


ALONE = """
import os, runpy, sys, traceback
import matplotlib.pyplot as plt
for folder in sys.argv[1:]:
    os.chdir(folder)
    try:
        runpy.run_path(next(name for name in os.listdir() if name.endswith(".py")), run_name="__main__")
    except BaseException:
        with open("failed.txt", "w") as file:
            traceback.print_exc(file=file)
    plt.close("all")
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Each plot, copied alone into an empty folder and run there; one process for all, as imports take longest."""
    need("matplotlib")
    root = tmp_path_factory.mktemp("alone")
    for name in PLOTS:
        (root / name).mkdir()
        shutil.copy(EXAMPLES / f"{name}.py", root / name)
    environment = {**os.environ, "PYTHONWARNINGS": "error", "MPLBACKEND": "Agg"}
    command = [sys.executable, "-c", ALONE, *(str(root / name) for name in PLOTS)]
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, timeout=300)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_runs_alone_in_an_empty_folder_and_makes_its_figures(name, alone):
    found = {path.name: path for path in (alone / name).iterdir()}
    assert "failed.txt" not in found, found["failed.txt"].read_text()
    count = len(found) - 1
    assert set(found) == {f"{name}.py", *(f"{name.removeprefix('plot_')}_{k}.png" for k in range(1, count + 1))}
    assert count >= (1 if name in ("plot_severity", "plot_roi", "plot_mix") else 2)
    figures = [picture(path) for path in found.values() if path.suffix == ".png"]
    for figure in figures:
        assert_not_blank(figure)
    assert all(a.shape != b.shape or not np.array_equal(a, b) for a, b in combinations(figures, 2))


def test_a_plot_takes_the_projects_photograph_where_there_is_one(tmp_path):
    """The helpers also have the same code in every plot."""
    need("matplotlib")
    texts = {}
    for name in PLOTS:
        text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                texts.setdefault(node.name, set()).add(ast.get_source_segment(text, node))
    assert {"photograph", "show", "vary", "grid"} < set(texts) and all(len(found) == 1 for found in texts.values())
    code = "from pathlib import Path\nimport numpy as np\nfrom PIL import Image\n" + texts["photograph"].pop()
    code += "\nimport os, sys\nos.chdir(sys.argv[1])\nprint(photograph(sys.argv[2], lambda: np.zeros((7, 5))).shape)"

    def shape_seen_from(folder):
        command = [sys.executable, "-c", code, str(folder), "example_img/example_0.jpg"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert [shape_seen_from(folder) for folder in (EXAMPLES, ROOT, tmp_path)] == ["(320, 320, 3)"] * 2 + ["(7, 5, 3)"]


@pytest.mark.parametrize("name", NAMES)
def test_every_technique_has_a_plot_with_its_paper(name):
    """In the form that sphinx-gallery reads: a title, a text, and cells."""
    text = (EXAMPLES / f"plot_{name}.py").read_text(encoding="utf-8")
    title, line, blank, *rest = ast.get_docstring(ast.parse(text)).splitlines()
    assert set(line) == {"="} and len(line) == len(title) and not blank
    technique = pai.TECHNIQUES[name]
    assert (technique.url or "https://doi.org/") in "\n".join(rest)
    assert text.count("\n# %%\n") == 2
    assert ("i_s = " in text) == technique.takes_source


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """Made with the ordinary dependencies alone: matplotlib is not among them."""
    missing = tmp_path_factory.mktemp("missing")
    (missing / "matplotlib.py").write_text("raise ImportError('there is no matplotlib')")
    path = os.pathsep.join(filter(None, [str(missing), os.environ.get("PYTHONPATH")]))
    folder = tmp_path_factory.mktemp("gallery")
    output = run("gallery.py", folder, folder=folder, PYTHONPATH=path).stdout
    assert all(str(folder / f"{sheet}.png") in output for sheet in ("part", *SHEETS))
    return folder


def columns(folder, name):
    """The pictures in the row of a technique: normal, source if there is one, result, mask and difference."""
    import gallery as module

    row = picture(folder / pai.TECHNIQUES[name].family / f"{name}.png").astype(int)
    side = row.shape[0] - module.HEADER
    lefts = range(0, row.shape[1], side + module.GAP)
    return [row[module.HEADER :, left : left + side] for left in lefts]


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_the_gallery_is_true(gallery, name):
    normal, *source, result, mask, difference = columns(gallery, name)
    assert len(source) == int(pai.TECHNIQUES[name].takes_source)
    assert normal.std() > 5 and result.std() > 5
    assert set(np.unique(mask)) == {0, 255}
    assert np.array_equal(normal[mask == 0], result[mask == 0])
    assert difference.any() and not difference[mask == 0].any()
    assert np.array_equal(difference[..., 0], np.abs(result - normal).max(axis=2))


def tiles(sheet, names):
    """The techniques' tiles of the gallery."""
    import gallery as module

    rows = -(-(len(names) + 1) // module.COLUMNS)
    height, width = sheet.shape[0] // rows, sheet.shape[1] // module.COLUMNS
    cells = [(i // module.COLUMNS * height, i % module.COLUMNS * width) for i in range(len(names))]
    return [sheet[top : top + height, left : left + width] for top, left in cells]


@pytest.mark.slow
@pytest.mark.parametrize("sheet", SHEETS)
def test_the_gallery_differs_between_techniques(sheet, gallery):
    import gallery as module

    made = tiles(picture(gallery / f"{sheet}.png"), SHEETS[sheet])
    below_the_title = [tile[module.TITLE + module.GAP :] for tile in made]
    for one, other in combinations(below_the_title, 2):
        assert likeness(one, other) < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("sheet", SHEETS)
def test_the_readmes_pictures_are_what_the_library_makes(sheet, gallery):
    """After an intended change: run make pictures, look at them, and commit them."""
    committed, made = picture(PICTURES / f"{sheet}.webp"), picture(gallery / f"{sheet}.png")
    assert committed.shape == made.shape
    for name, old, new in zip(
        SHEETS[sheet], *(tiles(image, SHEETS[sheet]) for image in (committed, made)), strict=True
    ):
        assert likeness(old, new) > SAME, name


def panels(sheet):
    """The first picture's panels by column: the good part, then each defect without and with its outline."""
    import gallery as module

    step = module.PART + module.GAP
    top = sheet.shape[0] - 2 * step + module.GAP
    rows = [sheet[top : top + module.PART], sheet[top + step : top + step + module.PART]]
    lefts = range(0, sheet.shape[1], step)
    return [[row[:, left : left + module.PART].astype(int) for row in rows] for left in lefts]


@pytest.mark.slow
def test_the_first_picture_shows_one_good_part_and_defects_in_their_exact_masks(gallery):
    import gallery as module

    (good, _), *defective = panels(picture(gallery / "part.png"))
    assert len(defective) == len(module.DEFECTS)
    for name, (plain, outlined) in zip(module.DEFECTS, defective, strict=True):
        _, mask = getattr(pai.Anomaly_Insertion(), name)(
            module.coin(), roi=module.where(name), severity=module.SEVERITY, rng=module.SEED
        )
        inside = mask[..., 0] > 0
        assert np.array_equal(plain[~inside], good[~inside]) and not np.array_equal(plain[inside], good[inside])
        near = cv2.dilate(inside.astype(np.uint8), np.ones((15, 15))) > 0
        assert np.array_equal(outlined[~near], plain[~near]), "the outline lies around the mask"
        assert not np.array_equal(outlined[near], plain[near])


@pytest.mark.slow
def test_the_first_picture_is_what_the_library_makes(gallery):
    """Column by column, as a defect is small in the whole picture."""
    committed, made = picture(PICTURES / "part.webp"), picture(gallery / "part.png")
    assert committed.shape == made.shape
    for old, new in zip(panels(committed), panels(made), strict=True):
        for one, other in zip(old, new, strict=True):
            assert likeness(one.astype(np.uint8), other.astype(np.uint8)) > SAME


@pytest.mark.parametrize("name", ALL)
def test_the_comparison_notices_another_look(name, monkeypatch):
    """A technique with another seed is distinguished from its tile."""
    import gallery as module

    old = np.asarray(module.tile(name, module.insert(name)))
    *photographs, seed = module.SCENES[name]
    monkeypatch.setitem(module.SCENES, name, (*photographs, seed + 1))
    assert likeness(old, np.asarray(module.tile(name, module.insert(name)))) < SAME


@pytest.mark.slow
def test_the_readmes_pictures_are_all_there_and_small(tmp_path):
    run("gallery.py", tmp_path, "--readme", folder=tmp_path)
    sheets = [tmp_path / f"{sheet}.webp" for sheet in ("part", *SHEETS)]
    for path in [*sheets, *(tmp_path / "techniques" / f"{name}.jpg" for name in ALL)]:
        committed = PICTURES / path.relative_to(tmp_path)
        assert likeness(picture(committed), picture(path)) > SAME, committed
        assert committed.stat().st_size < 600_000
    assert {path.stem for path in (PICTURES / "techniques").iterdir()} == set(ALL)


def test_the_quick_start_runs(tmp_path):
    output = run("quickstart.py", tmp_path, folder=tmp_path).stdout
    for name in NAMES:
        assert name in output
        assert_not_blank(picture(tmp_path / "quickstart" / f"{name}.png"))


@pytest.mark.slow
def test_downloads_run_alone(tmp_path):
    """They run without the project, and without packages that only training needs."""
    for name in ("quickstart.py", "on_your_images.py", "detector.py", "choose_techniques.py"):
        shutil.copy(EXAMPLES / name, tmp_path)
    cv2.imwrite(str(tmp_path / "part.jpg"), np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))

    def alone(*arguments, missing=()):
        code = "import runpy, sys; sys.argv = sys.argv[1:]; sys.modules.update(dict.fromkeys({!r}));"
        code = code.format(missing) + "runpy.run_path(sys.argv[0], run_name='__main__')"
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    alone("quickstart.py")
    assert {path.stem for path in (tmp_path / "results" / "quickstart").iterdir()} == set(NAMES)
    alone("on_your_images.py", ".", "--techniques", "cutpaste")
    assert [path.name for path in (tmp_path / "results" / "on_your_images").iterdir()] == ["part.png"]
    for name in ("detector.py", "choose_techniques.py"):
        assert "Exit status" in alone(name, "--help", missing=("torch", "sklearn", "cv2", "pail"))


def test_the_table_of_severities_is_written_into_the_page(tmp_path, monkeypatch):
    import severity_table

    monkeypatch.setattr(severity_table, "DRAWS", 1)
    page = tmp_path / "control.md"
    shutil.copy(ROOT / "docs" / "control.md", page)
    before = page.read_text(encoding="utf-8")
    text = severity_table.table()
    severity_table.write(page, text)
    after = page.read_text(encoding="utf-8")
    assert text in after and len(text.splitlines()) == 2 + len(NAMES)
    others = [[line for line in page.splitlines() if not line.startswith("| ")] for page in (before, after)]
    assert others[0] == others[1]


def test_on_your_images(tmp_path):
    """A gray, a color and a 16-bit image, among other files."""
    folder = tmp_path / "parts"
    (folder / "deeper").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name, image in {
        "gray.png": random.integers(0, 256, (40, 60), np.uint8),
        "deep.png": random.integers(0, 65536, (50, 50), np.uint16),
        "deep.tif": random.integers(0, 256, (50, 50), np.uint8),
        "color.jpg": random.integers(0, 256, (64, 48, 3), np.uint8),
    }.items():
        cv2.imwrite(str(folder / name), image)
    (folder / "bad.png").write_bytes((folder / "gray.png").read_bytes()[:100])
    (folder / "notes.txt").write_text("no image")
    finished = run("on_your_images.py", folder, "--techniques", "SFI", "--out", tmp_path / "out", folder=tmp_path)
    assert "bad.png is left out" in finished.stderr and "notes.txt is left out" in finished.stderr
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == ["color.png", "deep_png.png", "deep_tif.png", "gray.png"]
    for name in made:
        assert name in finished.stdout
        assert_not_blank(picture(tmp_path / "out" / name))


@pytest.mark.parametrize("case", ["empty", "missing"])
def test_on_your_images_without_images(tmp_path, case):
    folder = tmp_path / "parts"
    if case == "empty":
        folder.mkdir()
    finished = run("on_your_images.py", folder, folder=tmp_path, check=False)
    assert finished.returncode == 1 and "Traceback" not in finished.stderr
    expected = {"empty": f"there is no image in {folder}", "missing": f"{folder} is not a folder"}[case]
    assert finished.stderr.strip() == expected
