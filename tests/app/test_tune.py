"""`pail tune` without a browser: controls from signatures, recipes that make what is shown, what is never served."""

import base64
import contextlib
import gc
import http.client
import io
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import zipfile
import zlib
from html import unescape
from pathlib import Path

import cv2
import numpy as np
import pytest
from common import photograph
from optional import need

import pail
from pail.app import view
from pail.app.appearance import APPEARANCES, appearance, groups
from pail.app.draws import SHOWN, Bench, Newest
from pail.app.export import export
from pail.app.folder import Folder, ImageCache, OutsideError
from pail.app.history import MOST_SESSIONS, MOST_STATES, History
from pail.app.making import free_folder
from pail.app.painted import MOST_SIDE, PREFIX, as_mask
from pail.app.parameters import Bounds, as_option, control, controls, parse, same
from pail.app.reports import Reports
from pail.app.serve import POLICY, Guard, refusal, tune
from pail.app.settings import DRAWS, Entry, PageSettings, collection_of, entries, offered, options, put, recipe
from pail.app.view import GAP, techniques
from pail.core.parameters import Number, Several
from pail.dataset import recipe as recipes
from pail.io.read import decode
from pail.io.write import encode

NAMES = list(offered(None))
SECRET = b"not for the page"
IMAGES = 6  # of a result: with and without the anomaly, the same for the close-up, what changed, and the mask

# gradio leaves event loops to the garbage collector, unclosed, and asks pandas for what it no longer needs.
GRADIO = [
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:.*no_silent_downcasting",
    "ignore:The copy keyword is deprecated",
]
pytestmark = [pytest.mark.filterwarnings(line) for line in GRADIO]


@pytest.fixture(scope="module", autouse=True)
def collected():
    """Collect garbage of gradio here, and not in a test of another file."""
    yield
    gc.collect()


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(pixels, path.suffix[1:], 1))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Parts of two sizes and sources, and next to them a private file."""
    root = tmp_path_factory.mktemp("tune")
    for i, (height, width) in enumerate([(96, 128), (96, 128), (80, 64)]):
        write(root / "parts" / ("deep" if i == 2 else ".") / f"part {i}.png", photograph(height, width, i))
    for i in range(2):
        write(root / "sources" / f"{i}.png", photograph(70, 90, 10 + i))
    write(root / "outside" / "secret.png", photograph(40, 40, 20))
    (root / "outside" / "secret.txt").write_bytes(SECRET)
    return root


@pytest.fixture
def bench(folders):
    return Bench(folders / "parts", folders / "sources")


def painting(height=48, width=64, *, rows=slice(10, 30), columns=slice(5, 40)):
    """The data that the canvas of the page sends."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[rows, columns] = 255
    return PREFIX + base64.b64encode(encode(pixels, "png", 1)).decode()


# --------------------------------------------------------------------------------------------------------------------
# Controls


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_has_a_control_with_its_default(name):
    found = {c.name: c for c in controls(name)}
    assert list(found) == list(pail.TECHNIQUES[name].parameters)
    for parameter, default in pail.TECHNIQUES[name].parameters.items():
        one = found[parameter]
        assert same(one.default, default) and len(one.help) > 10
        if one.kind in ("number", "range") and default is not None:
            values = default if isinstance(default, tuple) else (default,)
            assert all(one.bounds.low <= value <= one.bounds.high for value in values)
        assert (one.kind == "object") == (parameter in ("mask", "augmenter", "source_mask"))


@pytest.mark.parametrize(
    ("technique", "name", "kind", "bounds"),
    [
        ("cutpaste", "area_ratio", "range", (0, 1, False)),
        ("cutpaste", "aspect_ratio", "text", None),
        ("cutpaste_scar", "rotation", "range", (-180, 180, False)),
        ("simplex_noise_anomlay", "octaves", "number", (1, 16, True)),
        ("random_perturbation", "patch_number", "range", (1, 16, True)),
        ("random_perturbation", "skip_background", "choice", None),
        ("hard_aug_cutpaste", "hue", "number", (0, 0.5, False)),
        ("hard_aug_cutpaste", "area_ratio", "range", (0, 1, False)),
        ("hard_aug_cutpaste", "angles", "text", None),
        ("perlin_noise_pattern", "threshold", "number", (-1, 1, False)),
        ("perlin_noise_pattern", "augment_source", "flag", None),
        ("perlin_noise_pattern", "resize", "text", None),
        ("fract_aug", "system", "choice", None),
        ("fract_aug", "initial_point", "text", None),
        ("affined_anomlay", "resize", "text", None),
    ],
)
def test_kinds_and_bounds(technique, name, kind, bounds):
    found = next(c for c in controls(technique) if c.name == name)
    assert found.kind == kind
    assert bounds is None or (found.bounds.low, found.bounds.high, found.bounds.integer) == bounds


def test_words_beside_numbers_and_choices():
    threshold = next(c for c in controls("perlin_noise_pattern") if c.name == "threshold")
    assert threshold.has_word and threshold.word == "random"
    area = next(c for c in controls("hard_aug_cutpaste") if c.name == "area_ratio")
    assert area.has_word and area.word is None and 0 < area.start()[0] < area.start()[1] < 1
    variant = next(c for c in controls("affined_anomlay") if c.name == "variant")
    assert variant.choices == (None, "AA", "AAC", "AAS") and as_option(variant, "'AAC'") == "AAC"
    assert as_option(variant, "None") is None
    assert as_option(area, "") is None and as_option(area, [0.1, 0.2]) == [0.1, 0.2]


def test_small_fractions_get_room_on_the_slider():
    width = next(c for c in controls("cutpaste_scar") if c.name == "width").bounds
    assert width.place(1 / 16) >= 0.2 and width.place(width.low) == 0 and width.place(width.high) == 1
    assert Bounds(0, 1).place(7) == 1 and Bounds(0, 1).place(-7) == 0


def test_docstring_entries():
    section = "a, b : int, default 1 and 2\n    First line\n    and ``second``.\nc : bool"
    text = f"A thing.\n\nParameters\n----------\n{section}\n\nReturns\n-------\nint"
    assert parse(text) == {
        "a": "First line and ``second``.",
        "b": "First line and ``second``.",
        "c": "",
    }
    assert parse("Nothing here.") == {}


def test_what_is_typed():
    angles = control("angles", (0, 90), Several(Number(integer=True)))
    assert as_option(angles, " (90,) ") == (90,) and as_option(angles, "[1, 2]") == [1, 2]
    for bad in ("(1,", "__import__('os').getcwd()", "", "x"):
        with pytest.raises(ValueError, match=r"`angles` must be written as in Python, such as \(0, 90\), got"):
            as_option(angles, bad)


def test_what_is_the_same():
    assert same((0.2, 0.25), [0.2, 0.25]) and same(1, 1.0) and same(None, None) and same("a", "a")
    assert not same(True, 1) and not same((1,), (1, 2)) and not same(None, 0) and not same("1", 1)


def test_only_changes_are_kept():
    values = {"area_ratio": [0.2, 0.25], "aspect_ratio": "((0.3, 1), (1, 3.3))"}
    assert options("cutpaste", values) == {}
    assert options("cutpaste", {**values, "area_ratio": [0.02, 0.25]}) == {"area_ratio": [0.02, 0.25]}
    assert options("affined_anomlay", {"variant": "'AA'", "resize": "None"}) == {"variant": "AA"}
    with pytest.raises(ValueError, match="`aspect_ratio` must not be None"):
        options("cutpaste", {"aspect_ratio": "None"})


@pytest.fixture
def bright_square():
    def bright_square(frame, draw, *, size=0.2, span=(1, 3), soft=False, tint=None):
        """A square.

        Parameters
        ----------
        size : float, default 0.2
            Side as a fraction of the image's, in (0, 1].
        span : (int, int), default (1, 3)
            How many.
        """
        side = max(1, round(draw.scaled("side", 0.5 * size, size) * frame.side))
        box = pail.place(frame, draw, side, side)
        return pail.Insertion(box, np.full_like(frame.crop(box), frame.max_value), opacity=draw.opacity())

    pail.register("bright_square", bright_square, summary="a bright square ${x} {{y}} `z`")
    yield "bright_square"
    pail.unregister("bright_square")


def test_a_registered_technique_has_controls(bright_square, bench):
    kinds = {c.name: (c.kind, c.help) for c in controls(bright_square)}
    assert kinds == {
        "size": ("number", "Side as a fraction of the image's, in (0, 1]."),
        "span": ("range", "How many."),
        "soft": ("flag", ""),
        "tint": ("text", ""),
    }
    settings = PageSettings((Entry(bright_square, {"size": 0.5}),))
    draw = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    assert draw.techniques == (bright_square,) and draw.i_a[draw.mask > 0].max() == 255


# --------------------------------------------------------------------------------------------------------------------
# What is shown is what the recipe makes


MIX = tuple(Entry(name, weight=1 + place) for place, name in enumerate(NAMES))
CASES = {
    "defaults": {"entries": (Entry("cutpaste"),)},
    "changed": {
        "entries": (Entry("cutpaste_scar", {"width": [0.05, 0.1], "rotation": (-10, 80)}),),
        "image": 2,
        "seed": 7,
    },
    "word": {"entries": (Entry("perlin_noise_pattern", {"threshold": "random", "augment_source": False}),)},
    "defects": {
        "entries": (Entry("scratch"), Entry("chip"), Entry("nsa")),
        "severity": (0.3, 0.6),
        "anomalies": (2, 2),
    },
    "mix": {"entries": MIX, "image": 1, "anomalies": (1, 3), "severity": (0.2, 0.9)},
    "sized": {"entries": (Entry("fract_aug"),), "size": (72, 88)},
    "everywhere": {"entries": (Entry("perlin_with_roi_anomaly"), Entry("cutpaste")), "region": "everywhere"},
    "painted": {"entries": (Entry("random_perturbation"), Entry("fract_aug")), "region": "painted", "image": 2},
}


def unpack_and_generate(taken, folders, out, monkeypatch):
    """Unpack an export to out/zip, and make the set of its recipe in out/set."""
    assert taken.failed == []
    with zipfile.ZipFile(io.BytesIO(taken.archive)) as archive:
        archive.extractall(out / "zip")
    monkeypatch.chdir(out / "zip")
    pail.generate(folders / "parts", out / "set", source=folders / "sources", recipe="recipe.toml", workers=1)


@pytest.mark.parametrize("whole_folder", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_the_recipe_makes_what_is_shown(case, whole_folder, folders, bench, tmp_path, monkeypatch):
    given = CASES[case]
    settings = PageSettings(**given, painted=painting() if given.get("region") == "painted" else "")
    unpack_and_generate(export(bench, settings, whole_folder=whole_folder), folders, tmp_path, monkeypatch)
    items = bench.items(settings, whole_folder=whole_folder)
    assert len({item.number for item in items}) == DRAWS
    for item in items:
        draw = bench.draw(settings, bench.recipe(settings), item)
        for name, shown in ((f"images/{item.number:06}.png", draw.i_a), (f"masks/{item.number:06}.png", draw.mask)):
            made = (tmp_path / "set" / name).read_bytes()
            assert made == (tmp_path / "zip" / name).read_bytes()
            assert np.array_equal(decode(made), shown)
    if given.get("region") == "painted":
        region = cv2.resize(as_mask(painting()), (128, 96), interpolation=cv2.INTER_NEAREST) > 0
        mask = decode((tmp_path / "zip" / f"masks/{2:06}.png").read_bytes()) > 0
        assert mask.any() and not mask[~region].any()


@pytest.mark.parametrize("case", CASES)
def test_the_python_call_makes_the_first_draw(case, bench, tmp_path, monkeypatch):
    given = CASES[case]
    settings = PageSettings(**given, painted=painting() if given.get("region") == "painted" else "")
    taken = export(bench, settings)
    with zipfile.ZipFile(io.BytesIO(taken.archive)) as archive:
        archive.extractall(tmp_path)
        assert archive.read("call.py").decode() == taken.python
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(taken.python, names)
    imported = {line.split()[1] for line in taken.python.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= {"pathlib", "cv2", "numpy", "PIL", "pail"}
    absolute = [line for line in taken.python.splitlines() if str(bench.normals.folder.absolute()) in line]
    assert absolute == [f"IMAGES = Path({bench.normals.folder.absolute()!r})"]
    draw = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    assert np.array_equal(names["i_a"], draw.i_a) and np.array_equal(names["m_a"][..., 0], draw.mask)


GIVEN = {
    "tiles": {"tile": 40, "overlap": 8, "size": (72, 88)},
    "tiles of images as they are": {"tile": 64},
    "shares": {"val_share": 0.4, "test_share": 0.3},
    "all at once": {"tile": 32, "size": 50, "format": "tiff", "test_share": 0.34, "data_range": (0, 250), "coco": True},
}


@pytest.mark.parametrize("whole_folder", [False, True])
@pytest.mark.parametrize("case", GIVEN)
def test_a_given_recipe_makes_what_is_shown(case, whole_folder, folders, tmp_path, monkeypatch):
    """Options of a recipe without a control on the page: all exported files are those of the set."""
    bench = Bench(folders / "parts", folders / "sources", GIVEN[case])
    settings = PageSettings(
        (Entry("scratch"), Entry("superpixel_anomaly")), image=1, anomalies=(1, 2), size=GIVEN[case].get("size")
    )
    taken = export(bench, settings, whole_folder=whole_folder)
    unpack_and_generate(taken, folders, tmp_path, monkeypatch)
    items, checked = bench.items(settings, whole_folder=whole_folder), bench.recipe(settings)
    made = {path.relative_to(tmp_path / "set").as_posix(): path for path in (tmp_path / "set").glob("*/*.*")}
    exported = {path.relative_to(tmp_path / "zip").as_posix(): path for path in (tmp_path / "zip").glob("*/*.*")}
    numbers = {f"{item.number:06}" for item in items}
    expected = {
        name for name in made if name.partition("/")[2][:6] in numbers and name.startswith(("images/", "masks"))
    }
    assert set(exported) == expected
    assert all(path.read_bytes() == made[name].read_bytes() for name, path in exported.items())
    for item in items:
        draw = bench.draw(settings, checked, item)
        tiles = draw.tiles or [None]
        masks = []
        for tile in tiles:
            end = f"{item.number:06}" if tile is None else f"{item.number:06}_{tile.name}"
            shown, mask = (part if tile is None else tile.cut(part) for part in (draw.i_a, draw.mask))
            assert np.array_equal(decode(made[f"images/{end}.{checked.format}"].read_bytes()), shown)
            masks += [mask] if mask.any() else []
            assert (f"masks/{end}.png" in made) == mask.any()
        assert len(masks) == (draw.reached if draw.tiles else 1)
    names = {}
    exec(taken.python, names)
    first = bench.draw(settings, checked, items[0])
    assert np.array_equal(names["i_a"], first.i_a)
    if first.tiles:
        assert len(names["tiles"]) == len(first.tiles)
        for (image, mask), tile in zip(names["tiles"], first.tiles, strict=True):
            assert np.array_equal(image, tile.cut(first.i_a)) and np.array_equal(mask[..., 0], tile.cut(first.mask))
        words = f"cut into {len(first.tiles)} tiles, {first.reached} of them with an anomaly"
        assert words in view.result(first) and view.result(first).count('class="pail-grid"') == 1


def test_an_image_smaller_than_a_tile_is_named(folders):
    bench = Bench(folders / "parts", None, {"tile": 96})
    settings = PageSettings((Entry("cutpaste"),), image=bench.names.index("deep/part 2.png"))
    with pytest.raises(ValueError, match=r"\(80, 64\) are smaller than `tile`=96"):
        bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    for whole_folder in (False, True):  # an error that the page shows
        with pytest.raises(SHOWN, match=r"\(80, 64\) are smaller than `tile`=96"):
            export(bench, settings, whole_folder=whole_folder)


def test_gray_with_alpha_has_the_region_of_the_set(tmp_path, monkeypatch):
    """Alpha of two channels is not a second band when the object is searched."""
    from PIL import Image

    gray = np.full((64, 80), 250, np.uint8)
    gray[20:44, 24:60] = photograph(24, 36, 3)[..., 0] // 2
    alpha = np.random.default_rng(0).integers(1, 255, gray.shape, np.uint8)
    (tmp_path / "parts").mkdir()
    Image.merge("LA", [Image.fromarray(gray), Image.fromarray(alpha)]).save(tmp_path / "parts" / "a.png")
    bench = Bench(tmp_path / "parts")
    settings = PageSettings((Entry("cutpaste"),))
    taken = export(bench, settings)
    with zipfile.ZipFile(io.BytesIO(taken.archive)) as archive:
        archive.extractall(tmp_path / "zip")
    monkeypatch.chdir(tmp_path / "zip")
    names = {}
    exec(taken.python, names)
    for item in bench.items(settings):
        draw = bench.draw(settings, bench.recipe(settings), item)
        assert np.array_equal(decode((tmp_path / "zip" / f"images/{item.number:06}.png").read_bytes()), draw.i_a)
        assert not draw.mask[:15].any()
    first = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    assert np.array_equal(names["i_a"], first.i_a)


def odd_files(folder):
    """Files that no single reader of OpenCV or Pillow reads as `pail generate` does."""
    from PIL import Image

    image = photograph(48, 64, seed=4)
    write(folder / "alpha.png", np.dstack([image, image[..., 0]]))
    write(folder / "deep.png", image[..., 0].astype(np.uint16) * 256)
    write(folder / "gray.tiff", image[..., 0])
    Image.fromarray(image).save(folder / "photo.jpg")
    rotated = Image.Exif()
    rotated[0x0112] = 6
    Image.fromarray(image).save(folder / "turned.jpg", exif=rotated)
    Image.fromarray(image).convert("P").save(folder / "palette.png")


@pytest.mark.parametrize("size", [None, (40, 30), (60, 40)], ids=str)
def test_the_python_call_reads_files_of_all_kinds(size, tmp_path, monkeypatch):
    (tmp_path / "parts").mkdir()
    odd_files(tmp_path / "parts")
    bench = Bench(tmp_path / "parts", tmp_path / "parts")
    for place, name in enumerate(bench.names):
        settings = PageSettings((Entry("perlin_noise_pattern"),), image=place, size=size)
        taken = export(bench, settings)
        folder = tmp_path / "zips" / str(place)
        with zipfile.ZipFile(io.BytesIO(taken.archive)) as archive:
            archive.extractall(folder)
        monkeypatch.chdir(folder)
        names = {}
        exec(taken.python, names)
        draw = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
        assert names["image"].dtype == draw.normal.dtype, name
        assert np.array_equal(names["i_a"], draw.i_a) and np.array_equal(names["m_a"][..., 0], draw.mask), name


def test_a_painted_recipe_runs_wherever_the_zip_is_unpacked(folders, bench, tmp_path, monkeypatch):
    taken = export(bench, PageSettings((Entry("random_perturbation"),), region="painted", painted=painting()))
    with zipfile.ZipFile(io.BytesIO(taken.archive)) as archive:
        archive.extractall(tmp_path / "taken" / "away")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    recipe = tmp_path / "taken" / "away" / "recipe.toml"
    pail.generate(folders / "parts", "set", recipe=recipe, workers=1, number=6)
    made = [decode(file.read_bytes()) > 0 for file in Path("set/masks").iterdir()]
    assert len(made) == 6
    for mask in made:
        region = cv2.resize(as_mask(painting()), mask.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        assert mask.any() and not mask[~region].any()
    first = recipe.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ") and "regions/" in first
    assert "# " not in export(bench, PageSettings((Entry("random_perturbation"),))).recipe


def test_without_sources(folders):
    bench = Bench(folders / "parts")
    settings = PageSettings((Entry("perlin_noise_pattern"),))
    draw = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    taken = export(bench, settings)
    assert draw.source is None and "source" not in taken.python and "--source" not in taken.command


def test_area_and_visible_are_those_of_the_manifest(folders, bench, tmp_path):
    import json

    settings = PageSettings((Entry("superpixel_anomaly"),))
    (tmp_path / "recipe.toml").write_text(recipes.to_toml(bench.recipe(settings)))
    made = pail.generate(
        folders / "parts", tmp_path / "set", source=folders / "sources", recipe=tmp_path / "recipe.toml", workers=1
    )
    lines = [json.loads(line) for line in Path(made.manifest).read_text().splitlines()]
    for item in bench.items(settings, whole_folder=True)[:4]:
        draw, line = bench.draw(settings, bench.recipe(settings), item), lines[item.number]
        assert (round(draw.area, 6), round(draw.visible, 4)) == (line["area"], line["visible"])
        assert (draw.image, draw.source) == (line["normal"], line["source"])


def test_a_given_recipe_is_the_start(folders):
    given = recipes.parse_options("""
        format = "tiff"
        layout = "mvtec"
        data_range = 255
        [techniques.cutpaste]
        weight = 2.0
        area_ratio = [0.02, 0.15]
        [techniques.fract_aug]
    """)
    kept = collection_of(given)
    assert [entry["technique"] for entry in kept] == ["cutpaste", "fract_aug"]
    made = recipe(PageSettings(entries(kept)), 3, given)
    assert made.techniques == {"cutpaste": {"weight": 2.0, "area_ratio": [0.02, 0.15]}, "fract_aug": {"weight": 1.0}}
    assert (made.format, made.layout, made.data_range, made.number) == ("tiff", "flat", 255, 36)
    newer = put(kept, Entry("cutpaste", {}, 5))
    assert [(entry["technique"], entry["weight"]) for entry in newer] == [("fract_aug", 1.0), ("cutpaste", 5)]
    assert collection_of({}) == []


def test_masks_of_a_given_recipe(folders, tmp_path):
    for name in ("part 0", "part 1", "deep/part 2"):
        mask = np.zeros((96, 128), np.uint8)
        mask[:40] = 255
        write(tmp_path / "masks" / f"{name}.png", mask)
    bench = Bench(folders / "parts", None, {"roi": str(tmp_path / "masks")})
    settings = PageSettings((Entry("random_perturbation"),), region="given")
    draw = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    assert draw.mask[:40].any() and not draw.mask[40:].any()
    names = {}
    exec(export(bench, settings).python, names)
    assert np.array_equal(names["i_a"], draw.i_a)


@pytest.mark.parametrize("region", ["auto", "everywhere", "painted"])
def test_the_python_call_knows_what_padding_added(region, folders, tmp_path, monkeypatch):
    """No anomaly may be on repeated pixels, neither in the exported call nor in the data set."""
    bench = Bench(folders / "parts", None, {"fit": "pad"})
    painted = painting() if region == "painted" else ""
    for seed in range(3):
        settings = PageSettings(
            (Entry("cutpaste"),), image=1, size=(64, 192), region=region, painted=painted, seed=seed
        )
        taken = export(bench, settings)
        with zipfile.ZipFile(io.BytesIO(taken.archive)) as archive:
            archive.extractall(tmp_path / str(seed))
        monkeypatch.chdir(tmp_path / str(seed))
        names = {}
        exec(taken.python, names)
        draw = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
        assert np.array_equal(names["i_a"], draw.i_a) and np.array_equal(names["m_a"][..., 0], draw.mask)
        assert names["region"].any() and not names["region"].all()
        assert not names["m_a"][..., 0][~names["region"]].any()


@pytest.mark.filterwarnings("ignore:.*(skipped|several pages|next to images)")
def test_a_given_recipe_says_which_files_are_used(folders, tmp_path):
    """Names that it excludes, links to folders that it follows, and each page of files with several."""
    from PIL import Image

    parts = tmp_path / "parts"
    for index in range(2):
        write(parts / f"{index}.png", photograph(48, 64, index))
        write(parts / f"{index}_mask.png", photograph(48, 64, 5))
    pages = [Image.fromarray(photograph(48, 64, 7 + index)) for index in range(2)]
    pages[0].save(parts / "stack.tif", save_all=True, append_images=pages[1:])
    (parts / "linked").symlink_to(folders / "outside")
    given = {"exclude": ["*_mask.png"], "follow_links": True, "pages": "all"}
    bench = Bench(parts, None, given)
    assert bench.names == ["0.png", "1.png", "linked/secret.png", "stack.tif#page=1", "stack.tif#page=2"]
    assert len(bench.shown) == 5 and all(map(bench.normals.thumbnail, bench.names))
    assert Bench(parts).names == ["0.png", "0_mask.png", "1.png", "1_mask.png", "stack.tif"]
    settings = PageSettings((Entry("cutpaste"),), image=4)
    assert np.array_equal(bench.normals.get("stack.tif#page=2").pixels, np.asarray(pages[1]))
    taken = export(bench, settings)
    assert taken.failed == [] and recipes.parse_options(taken.recipe).items() >= given.items()
    (tmp_path / "recipe.toml").write_text(taken.recipe)
    pail.generate(parts, tmp_path / "set", recipe=tmp_path / "recipe.toml", workers=1)
    for item in bench.items(settings):
        draw = bench.draw(settings, bench.recipe(settings), item)
        assert np.array_equal(decode((tmp_path / "set" / f"images/{item.number:06}.png").read_bytes()), draw.i_a)
    (parts / "0.png").unlink()
    (parts / "0.png").symlink_to(folders / "outside" / "secret.png")  # a link to a file still leads out
    with pytest.raises(OutsideError):
        bench.normals.folder.read("0.png")


@pytest.mark.parametrize("form", ["pattern", "list"])
def test_a_pattern_or_a_list_instead_of_a_folder(tmp_path, form):
    for index in range(4):
        write(tmp_path / "parts" / f"line{index % 2}" / f"{index}.png", photograph(48, 64, index))
    (tmp_path / "parts.txt").write_text("parts/line1/3.png\nparts/line1/1.png\n")
    where = tmp_path / ("parts/line1/*.png" if form == "pattern" else "parts.txt")
    bench = Bench(where, where)
    assert sorted(name.rpartition("/")[2] for name in bench.names) == ["1.png", "3.png"]
    with pytest.raises(OutsideError):
        bench.normals.folder.read("../line0/0.png" if form == "pattern" else "parts/line0/0.png")
    settings = PageSettings((Entry("cutpaste"),))
    taken = export(bench, settings)
    assert taken.failed == [] and str(where) in taken.command
    (tmp_path / "recipe.toml").write_text(taken.recipe)
    pail.generate(where, tmp_path / "set", source=where, recipe=tmp_path / "recipe.toml", workers=1)
    for item in bench.items(settings):
        draw = bench.draw(settings, bench.recipe(settings), item)
        assert np.array_equal(decode((tmp_path / "set" / f"images/{item.number:06}.png").read_bytes()), draw.i_a)


def test_wrong_settings_say_what_is_wrong(bench):
    for settings, message in [
        (PageSettings((Entry("cutpaste", {"area_ratio": [2, 3]}),)), "area_ratio"),
        (PageSettings((Entry("cutpaste"),), severity=(0.5, 7)), r"`severity\[1\]`"),
        (PageSettings((Entry("cutpaste"),), region="painted"), "`region` must be painted, but it is empty"),
        (PageSettings((Entry("cutpaste"),), image=99), "`image` must be the number of an image"),
        (PageSettings((Entry("cutpaste"),), image="../outside/secret.png"), "`image` must be the number of an image"),
        (PageSettings((Entry("cutpaste", weight=0),)), "`weights` must contain at least one positive"),
        (PageSettings(()), "`collection` must contain a technique"),
    ]:
        with pytest.raises(ValueError, match=message):
            bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    with pytest.raises(ValueError, match="`collection` must contain techniques"):
        entries([{"technique": "os.system"}])
    with pytest.raises(ValueError, match="`folder` must be a folder with images"):
        Bench("no/such/folder")


# --------------------------------------------------------------------------------------------------------------------
# Files


def bomb(side):
    """A PNG of a few hundred bytes that claims to be enormous."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore:.*skipped")
def test_links_that_lead_out_are_not_listed_and_not_read(folders, tmp_path):
    parts = tmp_path / "parts"
    write(parts / "b.png", photograph(40, 40, 1))
    (parts / "a.png").symlink_to(folders / "outside" / "secret.png")
    (parts / "inside.png").symlink_to(parts / "b.png")
    (parts / "linked").symlink_to(folders / "outside")
    bench = Bench(parts)
    assert [bench.names[place] for place in bench.shown] == ["b.png", "inside.png"]
    with pytest.raises(OutsideError, match="leads out"):
        bench.normals.folder.read("a.png")
    with pytest.raises(ValueError, match="`image` must be the number"):
        bench.items(PageSettings((Entry("cutpaste"),), image=0))
    for name in (
        "../outside/secret.txt",
        str(folders / "outside" / "secret.txt"),
        "linked/secret.png",
        "b.png/../a.png",
    ):
        with pytest.raises(OutsideError):
            bench.normals.folder.read(name)
    assert ImageCache(bench.normals.folder).thumbnail("a.png") == ""
    (parts / "b.png").unlink()
    (parts / "b.png").symlink_to(folders / "outside" / "secret.png")  # changed while the page is open
    with pytest.raises(OutsideError):
        bench.normals.folder.read("b.png")


def test_a_source_that_leads_out_is_an_error_and_no_other_is_taken(folders, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a.png").symlink_to(folders / "outside" / "secret.png")
    bench = Bench(folders / "parts", tmp_path / "s")
    settings = PageSettings((Entry("fract_aug"),))
    with pytest.raises(OutsideError, match=r"a\.png is a link that leads out"):
        bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    with pytest.raises(OutsideError):
        export(bench, settings)
    with pytest.raises(ValueError, match="only links that lead out"):
        Bench(tmp_path / "s")


@pytest.mark.parametrize(("data", "message"), [(b"no image", "not an image"), (bomb(60_000), "pixels"), (b"", "empty")])
def test_a_bad_image_is_an_error_of_its_own_draw(data, message, tmp_path):
    write(tmp_path / "a.png", photograph(40, 40, 1))
    (tmp_path / "b.png").write_bytes(data)
    bench = Bench(tmp_path)
    settings = PageSettings((Entry("cutpaste"),), image=1)
    with pytest.raises(ValueError, match=message):
        bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    assert bench.normals.thumbnail("b.png") == "" and bench.normals.thumbnail("a.png").startswith("data:image/jpeg")
    taken = export(bench, settings)
    assert len(taken.failed) == DRAWS and message in taken.failed[0]
    with zipfile.ZipFile(io.BytesIO(taken.archive)) as archive:  # no other image stands in for it
        assert sorted(archive.namelist()) == ["call.py", "recipe.toml", "run.txt"]


def test_decoded_images_are_kept_within_a_bound(folders, monkeypatch):
    monkeypatch.setattr("pail.app.folder.KEPT", 100_000)
    images = ImageCache(Folder(folders / "parts"))
    first = images.get("part 0.png")
    assert images.get("part 0.png") is first and not first.pixels.flags.writeable
    for side in range(60, 90):
        images.get("part 0.png", (side, side))
    assert sum(kept.pixels.nbytes for kept in images._kept.values()) <= 100_000


def test_decoded_images_are_shared_by_threads(tmp_path, monkeypatch):
    """Many threads, a limit that is always reached, and the shortest switch interval of Python."""
    from concurrent.futures import ThreadPoolExecutor

    for index in range(12):
        write(tmp_path / f"{index:02}.png", np.full((8, 8), 20 * index, np.uint8))
    images = ImageCache(Folder(tmp_path))
    bound = 150 * 64
    monkeypatch.setattr("pail.app.folder.KEPT", bound)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(16) as pool:
            asked = [(k % 12, (8, 8 + k // 12 % 16)) for k in np.random.default_rng(0).permutation(6_000).tolist()]
            found = list(pool.map(lambda ask: images.get(f"{ask[0]:02}.png", ask[1]), asked))
    finally:
        sys.setswitchinterval(before)
    assert all(
        kept.pixels.shape == size and (kept.pixels == 20 * k).all()
        for kept, (k, size) in zip(found, asked, strict=True)
    )
    assert sum(kept.pixels.nbytes for kept in images._kept.values()) <= bound


def test_what_the_canvas_may_send():
    mask = as_mask(painting())
    assert mask.shape == (48, 64) and mask[10:30, 5:40].all() and np.count_nonzero(mask) == 20 * 35

    def sent(data):
        return PREFIX + base64.b64encode(data).decode()

    clear = encode(np.zeros((8, 8, 4), np.uint8), "png", 1)
    large = encode(np.full((8, MOST_SIDE + 1), 255, np.uint8), "png", 1)
    whole = base64.b64decode(painting().removeprefix(PREFIX))
    for data, message in [
        ("", "it is empty"),
        (sent(clear), "it is empty"),
        (sent(large), f"at most {MOST_SIDE} pixels"),
        (sent(bomb(60_000)), "pixels|PNG"),
        (sent(b"GIF89a"), "must be a PNG"),
        (sent(clear[:40]), "`region` must be a"),
        *((sent(whole[:end]), "`region` must be a") for end in range(0, len(whole) - 12, 9)),
        (PREFIX + "!!!", "must be a PNG"),
        (PREFIX + "A" * 3_000_000, "at most 2 MB"),
        ("file:///etc/passwd", "as sent by the page"),
        ({"path": "/etc/passwd"}, "as sent by the page"),
    ]:
        with pytest.raises(ValueError, match=message):
            as_mask(data)


def test_newest():
    newest = Newest()
    first = newest.take("a")
    assert newest.now("a") == first and newest.now("b") == 0
    assert newest.take("a") > first and newest.take("b") == 1


# --------------------------------------------------------------------------------------------------------------------
# The page, without a browser


@pytest.fixture
def page(bench, tmp_path):
    """The object that handles the events, with the values of a new page."""
    need("gradio")
    from pail.app.page import build

    return build(bench, tmp_path)[1]


class Asked:
    session_hash = "s"


def drawn(page, **changed):
    """The result that the page shows."""
    return page.draw(Asked, *values(page, **changed))[0]


def values(page, **changed):
    changed = {"technique": "cutpaste", **changed}
    return [changed.get(key, component.value) for key, component in page.form.components.items()]


def test_options_are_what_the_page_starts_with(folders, tmp_path, monkeypatch):
    """What the export of a fresh page says, and the set that it makes, is what the options say."""
    need("gradio")
    from pail.app import page as made
    from pail.app import serve

    class StopError(Exception):
        """Instead of serving."""

    built = []

    def build(bench, files):  # which are gone with the page that is not served
        built.append(made_build(bench, tmp_path)[1])
        raise StopError

    made_build = made.build
    monkeypatch.setattr(made, "build", build)
    path = tmp_path / "recipe.toml"
    path.write_text("tile = 48\nseverity = 0.9\n[techniques.fract_aug]\nmargin = 0.2\n")
    given = {
        "techniques": ["fract_aug", "SBI"],
        "weights": [2, 1],
        "severity": (0.1, 0.4),
        "anomalies": 2,
        "size": 64,
        "overlap": 4,
        "roi": "none",
        "seed": 7,
        "classes": "single",
        "exclude": ["deep/*"],
        "data_range": (0, 250),
    }
    with pytest.raises(StopError):
        serve.tune(folders / "parts", source=folders / "sources", recipe=path, **given)
    page = built[0]
    assert page.bench.names == ["part 0.png", "part 1.png"]
    _, text, *_, said = page.export(*values(page))
    assert said == ""
    (tmp_path / "export.toml").write_text(text)
    exported, expected = recipes.combined(tmp_path / "export.toml"), recipes.combined(path, **given)
    for name in ("severity", "anomalies", "size", "tile", "overlap", "roi", "seed", "classes", "exclude", "data_range"):
        assert getattr(exported, name) == getattr(expected, name), name
    assert exported.names == expected.names and exported.weights == expected.weights
    assert exported.options["fract_aug"] == {"margin": 0.2}


def test_the_page_has_a_control_for_every_parameter(page, bright_square, bench, tmp_path):
    from pail.app.page import build

    for name in NAMES:
        assert set(page.form.of(name)) == {c.name for c in controls(name) if c.kind != "object"}
    assert bright_square not in {key.partition(".")[0] for key in page.form.components}
    again = build(bench, tmp_path)[1]
    assert set(again.form.of(bright_square)) == {"size", "span", "soft", "tint"}
    shown = drawn(again, technique=bright_square)
    assert "bright_square" in shown and shown.count("<img") == IMAGES


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_page_shows_each_technique_as_by_default(page, bench, name):
    given = values(page, technique=name)
    shown = page.draw(Asked, *given)[0]
    assert shown.count("<img") == IMAGES and 'role="alert"' not in shown and "Changed" not in shown
    assert page.settings(page.form.read(given), mixed=False).entries == (Entry(name, {}),)


def test_wrong_settings_are_shown_and_the_page_goes_on(page):
    wrong = drawn(page, **{"cutpaste.aspect_ratio": "<b>(1"})
    assert 'role="alert"' in wrong and "aspect_ratio" in wrong and "<b>" not in wrong
    assert wrong.count("<img") == 1 and "Without an anomaly" in wrong  # the image stays
    assert "alert" in [*page.sheet(Asked, *values(page, severity=[3, 4]))][-1]
    assert "alert" in drawn(page, technique="os")
    assert "alert" in drawn(page, image="/etc/passwd") and "<img" not in drawn(page, image="/etc/passwd")
    for seed in (None, "", "x", -1, 1.5, 2**70):
        for said in (drawn(page, seed=seed), [*page.sheet(Asked, *values(page, seed=seed))][-1]):
            assert 'role="alert"' in said and "seed&#96;" in said
        assert "seed&#96;" in page.export(*values(page, seed=seed))[-1]
        assert "seed&#96;" in page.add(1, *values(page, seed=seed))[-1]
    assert drawn(page).count("<img") == IMAGES


def test_the_original_is_beside_the_anomaly(page, bench):
    """The button of the picture shows the image without the anomaly, which is the same everywhere else."""
    shown = drawn(page, severity=[1, 1])
    sources = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', shown)
    after, before = (decode(base64.b64decode(source)).astype(int) for source in sources[:2])
    settings = PageSettings((Entry("cutpaste"),), severity=(1, 1))
    draw = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    for one, own, other in ((before, draw.normal, draw.i_a), (after, draw.i_a, draw.normal)):
        assert 3 * np.abs(one - own)[draw.mask > 0].mean() < np.abs(one - other)[draw.mask > 0].mean()
    beside = cv2.dilate(draw.mask, np.ones((37, 37), np.uint8)) == 0  # JPEG has blocks of 16 pixels
    changed = np.abs(after - before).max(axis=2)
    assert changed[beside].max() <= 2 and changed[draw.mask > 0].max() > 20


@pytest.mark.parametrize("technique", ["cutpaste_scar", "perlin_noise_pattern", "random_perturbation"])
def test_the_outline_goes_around_the_anomaly(technique, page, bench):
    shown = drawn(page, technique=technique)
    settings = PageSettings((Entry(technique),))
    mask = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0]).mask
    path = re.search(r'<path d="([^"]+)"', shown)[1]
    assert shown.count(f'd="{path}"') == 2  # a dark rim, and the line
    rings = [
        np.array([point.split() for point in ring.removesuffix("Z").split("L")], float) for ring in path.split("M")[1:]
    ]
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, [np.floor(ring).astype(np.int32) for ring in rings], -1, 255, cv2.FILLED)
    assert filled[mask > 0].all()  # inside
    points = np.floor(np.concatenate(rings)).astype(int)
    far = cv2.distanceTransform(255 - mask, cv2.DIST_L2, 5)
    assert far[points[:, 1], points[:, 0]].max() <= GAP + 1  # and close


def test_a_region_that_is_not_painted_yet_is_no_error(page):
    shown = drawn(page, region="painted")
    assert "Paint on the image" in shown and "alert" not in shown and shown.count("<img") == 1
    assert drawn(page, region="painted", painted=painting()).count("<img") == IMAGES
    assert "alert" in [*page.sheet(Asked, *values(page, region="painted"))][-1]


def test_folded_parameters_that_are_changed_are_named(page):
    shown = drawn(page, **{"cutpaste.area_ratio": [0.02, 0.1]})
    assert "Changed parameters: area_ratio (0.02, 0.1)" in shown


def test_techniques_are_offered_by_what_they_look_like(page, bright_square):
    known = offered(None)
    shown = techniques("cutpaste", known)
    for name, technique in known.items():
        assert shown.count(f'value="{name}"') == 1
        assert appearance(name) in unescape(shown) and technique.reference in unescape(shown)
    assert all(appearance(name) != name and name in APPEARANCES for name in NAMES)
    assert appearance(bright_square) == "a bright square ${x} {{y}} `z`"
    names = [name for _, names in groups(known) for name in names]
    assert sorted(names) == sorted(known)


def test_everywhere_is_also_beside_the_part():
    """Techniques that search for the part do not do so, unless a parameter enables it."""
    given = recipe(PageSettings((Entry("perlin_with_roi_anomaly"), Entry("cutpaste")), region="everywhere"), 3, {})
    assert given.roi == "none" and given.options == {"perlin_with_roi_anomaly": {"use_mask": False}, "cutpaste": {}}
    own = Entry("perlin_with_roi_anomaly", {"use_mask": True})
    assert recipe(PageSettings((own,), region="everywhere"), 3, {}).options == {own.technique: own.options}
    with pytest.raises(ValueError, match="`region` must be one of 'auto', 'everywhere', 'painted'"):
        recipe(PageSettings((own,), region="somewhere"), 3, {})


@pytest.mark.parametrize("technique", ["perlin_with_roi_anomaly", "rand_augmented_cut_paste", "cutpaste"])
def test_where_anomalies_land(technique, tmp_path):
    image = np.full((96, 128, 3), 230, np.uint8)
    image[30:70, 40:90] = photograph(40, 50, 1) // 3
    write(tmp_path / "part.png", image)
    bench, landed = Bench(tmp_path), {}
    for region in ("auto", "everywhere"):
        settings = PageSettings((Entry(technique),), region=region)
        masks = [bench.draw(settings, bench.recipe(settings), item).mask for item in bench.items(settings)]
        outside = np.ones(image.shape[:2], bool)
        outside[28:72, 38:92] = False
        landed[region] = sum(int(np.count_nonzero(mask[outside])) for mask in masks)
    assert landed["auto"] == 0 < landed["everywhere"]


def test_a_newer_request_ends_the_sheet(page, monkeypatch):
    given = values(page)
    made = []
    draw = Bench.draw

    def counted(self, *arguments):
        made.append(1)
        if len(made) == 3:
            page.newest.take("s")
        return draw(self, *arguments)

    monkeypatch.setattr(Bench, "draw", counted)
    [*page.sheet(Asked, *given)]
    assert len(made) == 3
    made.clear()
    whole = [*page.sheet(Asked, *given)]  # the take inside comes again, at the third
    assert len(made) == 3 and not any(isinstance(part, str) and part.count("<img") == DRAWS for part in whole)
    monkeypatch.setattr(Bench, "draw", draw)
    assert [*page.sheet(Asked, *given)][-1].count("<img") == DRAWS


def test_collection_and_export(page):
    given = {"technique": "fract_aug", "fract_aug.system": "'barnsley'"}
    update, holds, said = page.add(2, *values(page, **given))
    assert holds == "collection" and said == ""
    assert update["value"] == [{"technique": "fract_aug", "options": {"system": "barnsley"}, "weight": 2}]
    _, text, python, command, files, said = page.export(
        *values(page, collection=update["value"], sheet_settings="collection")
    )
    assert said == ""
    assert recipes.parse_options(text)["techniques"] == {"fract_aug": {"weight": 2, "system": "barnsley"}}
    assert [Path(file).name for file in files] == ["recipe.toml", "pail-tune.zip"]
    assert Path(files[0]).read_text(encoding="utf-8") == text and "pail generate" in command and "fract_aug" in python
    brought = page.show_entry(type("Event", (), {"_data": update["value"][0]})())
    assert brought[0] == "fract_aug" and "'barnsley'" in brought
    assert "alert" in page.add(-1, *values(page))[2]
    assert "alert" in page.export(*values(page, sheet_settings="collection"))[-1]


# --------------------------------------------------------------------------------------------------------------------
# Real defects of the user


@pytest.fixture(scope="module")
def defects(tmp_path_factory):
    """A bank in the layout of MVTec AD: dark lines and bright holes on gray."""
    root = tmp_path_factory.mktemp("bank")
    for kind, level, box in (
        ("line", 20, (slice(30, 34), slice(20, 60))),
        ("hole", 235, (slice(40, 52), slice(70, 82))),
    ):
        photo = np.full((96, 128, 3), 120, np.uint8)
        photo[box] = level
        mask = np.zeros((96, 128), np.uint8)
        mask[box] = 255
        write(root / "test" / kind / "000.png", photo)
        write(root / "ground_truth" / kind / "000_mask.png", mask)
    return root


@pytest.mark.parametrize("kinds", [None, ["hole"]])
def test_a_bank_is_used_as_by_generate(kinds, folders, defects, tmp_path, monkeypatch):
    bench = Bench(folders / "parts", folders / "sources", defects=defects)
    entries = (Entry("real_defect", {"kinds": kinds} if kinds else {}), Entry("cutpaste"))
    settings = PageSettings(entries, severity=(0.5, 1), anomalies=(1, 2), seed=2)
    taken = export(bench, settings)
    assert recipes.parse_options(taken.recipe)["defects"] == str(defects) and taken.failed == []
    with zipfile.ZipFile(io.BytesIO(taken.archive)) as archive:
        archive.extractall(tmp_path / "zip")
    monkeypatch.chdir(tmp_path / "zip")
    pail.generate(folders / "parts", tmp_path / "set", source=folders / "sources", recipe="recipe.toml", workers=1)
    used = set()
    for item in bench.items(settings):
        draw = bench.draw(settings, bench.recipe(settings), item)
        used |= set(draw.techniques)
        made = (tmp_path / "set" / f"images/{item.number:06}.png").read_bytes()
        assert made == (tmp_path / "zip" / f"images/{item.number:06}.png").read_bytes()
        assert np.array_equal(decode(made), draw.i_a)
    assert used == {"real_defect", "cutpaste"}
    names = {}
    exec(taken.python, names)
    first = bench.draw(settings, bench.recipe(settings), bench.items(settings)[0])
    assert np.array_equal(names["i_a"], first.i_a)
    plain = PageSettings((Entry("cutpaste"),))  # nothing of the bank is in a recipe that does not draw from it
    assert bench.recipe(plain).defects is None and "Defects" not in export(bench, plain).python


def test_a_bank_is_on_the_page(folders, defects, tmp_path):
    need("gradio")
    from pail.app.page import build

    assert "real_defect" not in offered(None)
    page = build(Bench(folders / "parts", None, {"defects": str(defects)}), tmp_path)[1]
    assert next(iter(groups(offered(page.bench.defects)))) == ("Your own defects", ["real_defect"])
    assert page.form.components["technique"].value == "real_defect"
    assert page.form.of("real_defect")["kinds"].choices == [("hole", "hole"), ("line", "line")]
    shown = drawn(page, technique="real_defect")
    assert shown.count("<img") == IMAGES and "One of your own defects (real_defect)" in shown
    given = page.form.read(values(page, technique="real_defect", **{"real_defect.kinds": ["line"]}))
    assert page.settings(given, mixed=False).entries == (Entry("real_defect", {"kinds": ["line"]}),)
    assert "Changed parameters: kinds (line)" in drawn(page, technique="real_defect", **{"real_defect.kinds": ["line"]})
    said, _ = made(page, tmp_path / "set", 3, technique="real_defect")
    assert "Finished: 3 images" in said


def test_a_folder_without_defects_is_named(folders, tmp_path):
    with pytest.raises(ValueError, match=r"`defects` must be a folder or an annotation file, got .*no/such"):
        Bench(folders / "parts", defects="no/such")
    with pytest.raises(ValueError, match="`defects` must contain a defect that can be used"):
        Bench(folders / "parts", defects=folders / "parts")


# --------------------------------------------------------------------------------------------------------------------
# Undo


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_history():
    clock = Clock()
    history = History(clock)
    history.record("s", {"a": 1, "b": None})
    assert history.steps("s") == (0, 0)
    history.record("s", {"a": 1.0, "b": ""})  # as gradio spells the same
    assert history.steps("s") == (0, 0)
    for value in (2, 3, 4):  # a handle that is dragged, on an image that takes long
        clock.now += 0.2
        history.record("s", {"a": value, "b": ""})
        clock.now += 9
        history.answered("s")
    clock.now += 5
    history.record("s", {"a": 4, "b": [1, 2]})
    assert history.steps("s") == (2, 0) and history.steps("other") == (0, 0)
    assert history.step("s", {"a": 4, "b": (1, 2)}, -1) == {"b": None}
    assert history.step("s", {"a": 4, "b": ""}, -1) == {"a": 1}
    assert history.step("s", {"a": 1, "b": ""}, -1) == {} and history.steps("s") == (0, 2)
    assert history.step("s", {"a": 1, "b": ""}, 1) == {"a": 4}
    history.record("s", {"a": 9, "b": ""})  # what was undone is gone
    assert history.steps("s") == (2, 0) and history.step("s", {"a": 9, "b": ""}, 1) == {}
    assert history.step("s", {"a": 9, "b": 5}, -1) == {"b": None}  # a change that was not recorded yet


def test_each_stroke_of_the_brush_is_a_step():
    history = History(Clock())
    for painted in ("", "one", "two"):
        history.record("s", {"painted": painted})
    assert history.step("s", {"painted": "two"}, -1) == {"painted": "one"}


def test_the_history_is_bounded():
    clock = Clock()
    history = History(clock)
    for number in range(3 * MOST_STATES):
        clock.now += 10
        history.record("s", {"a": number, "large": "x"})
    assert history.steps("s") == (MOST_STATES - 1, 0)
    for number in range(MOST_SESSIONS):
        history.record(f"other {number}", {"a": 0})
    assert history.steps("s") == (0, 0)


class Pressed:
    def __init__(self, do):
        self._data = {"do": do}


def pressed(page, do, **changed):
    """The values of the page after a button of the toolbar was pressed."""
    given = values(page, **changed)
    answer = page.act(Asked, Pressed(do), *given)
    kept = {key: old if _skips(new) else new for key, old, new in zip(page.form.components, given, answer, strict=True)}
    return {key: kept[key] for key in ("technique", "severity", "seed", "collection", "region")}


def _skips(value):
    return isinstance(value, dict) and value.get("__type__") == "update" and len(value) == 1


def test_undo_and_redo_of_settings(page):
    drawn(page)
    changed = {"technique": "fract_aug", "severity": [0, 0.5]}
    assert page.draw(Asked, *values(page, **changed))[1]["undo"] == 1
    collected = [{"technique": "cutpaste", "options": {}, "weight": 1.0}]
    page.draw(Asked, *values(page, **changed, collection=collected))
    one = pressed(page, "undo", **changed, collection=collected)
    assert one["technique"] == "fract_aug" and one["collection"]["value"] == [] and "Empty" in one["collection"]["rows"]
    two = pressed(page, "undo", **changed)
    assert (two["technique"], two["severity"]) == ("cutpaste", None)
    update = page.draw(Asked, *values(page))[1]
    assert (update["undo"], update["redo"]) == (0, 2)
    assert pressed(page, "redo")["technique"] == "fract_aug"


def test_another_example_is_another_seed(page):
    first = drawn(page)
    after = pressed(page, "another")
    assert after["seed"] != 0 and after["technique"] == "cutpaste"
    assert drawn(page, seed=after["seed"]) != first


# --------------------------------------------------------------------------------------------------------------------
# Making the data set


def made(page, folder, number=5, layout="flat", **changed):
    """The final message of the page, and whether it showed progress."""
    said = [*page.make(str(folder), number, layout, *values(page, **changed))]
    return said[-1][0], [html for html, _ in said if "<progress" in html]


def test_a_set_is_made_as_by_the_exported_recipe(page, folders, tmp_path):
    given = {"technique": "fract_aug", "region": "painted", "painted": painting(), "severity": [0.2, 0.8], "seed": 3}
    said, progress = made(page, tmp_path / "new" / "set", DRAWS, **given)
    assert f"Finished: {DRAWS} images" in said and progress
    assert (tmp_path / "new" / "set" / "report.html").is_file()
    taken = export(page.bench, page.settings(page.form.read(values(page, **given)), mixed=False), whole_folder=True)
    with zipfile.ZipFile(io.BytesIO(taken.archive)) as archive:
        names = [name for name in archive.namelist() if name.startswith(("images/", "masks/"))]
        assert len(names) == 2 * DRAWS
        for name in names:
            assert archive.read(name) == (tmp_path / "new" / "set" / name).read_bytes()
        for name in ("part 0.png", "deep/part 2.png"):  # the region is next to the set, where its recipe finds it
            assert archive.read(f"regions/{name}") == (tmp_path / "new" / "set-regions" / name).read_bytes()
    kept = recipes.load_options(tmp_path / "new" / "set" / "recipe.toml")
    assert kept["roi"] == str(tmp_path / "new" / "set-regions")


def test_the_report_of_a_set_is_served_and_nothing_else(page, tmp_path):
    said, _ = made(page, tmp_path / "set", 2)
    link = re.search(r'href="(report/\d+)"', said)[1]
    report = (tmp_path / "set" / "report.html").read_bytes()
    assert page.reports.read(f"/{link}") == report
    for other in ("/report/0", "/report/2", "/report/-1", "/report/", "/report/1/../2", "/other/1", "/report/x"):
        assert page.reports.read(other) is None
    assert page.reports.link(tmp_path / "set" / "report.html") == link  # the same again


@pytest.mark.parametrize("layout", ["mvtec", "yolo"])
def test_a_set_in_another_layout(layout, page, tmp_path):
    said, _ = made(page, tmp_path / "set", 3, layout)
    assert "Finished" in said
    assert (tmp_path / "set" / ("ground_truth" if layout == "mvtec" else "labels")).is_dir()


def test_a_folder_with_files_is_refused(page, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    (tmp_path / "set-regions").mkdir()
    (tmp_path / "set-regions" / "other.png").write_text("keep")
    painted = {"region": "painted", "painted": painting()}
    for folder, changed, message in (
        (tmp_path / "mine", {}, "contains files. Nothing was written"),
        (tmp_path / "file", {}, "which is a file"),
        (" ", {}, "the box is empty"),
        (page.bench.normals.folder.absolute(), {}, "contains files"),
        (Path(page.bench.normals.folder.absolute()) / "set", {}, "must not be inside an input folder"),
        (tmp_path / "set", painted, "set-regions, which contains files"),
        (tmp_path / "set", {"severity": [3, 4]}, "severity"),
    ):
        said, _ = made(page, folder, **changed)
        assert 'role="alert"' in said and message in unescape(said)
    said, _ = made(page, tmp_path / "set", None)
    assert 'role="alert"' in said and "number" in said
    assert [path.read_text() for path in (tmp_path / "mine").iterdir()] == ["keep"]
    assert not (tmp_path / "set").exists() and not (Path(page.bench.normals.folder.absolute()) / "set").exists()
    (tmp_path / "empty").mkdir()
    assert "Finished" in made(page, tmp_path / "empty", 1)[0]
    assert free_folder(tmp_path / "free").name == "free" and free_folder(tmp_path / "mine").name == "mine-2"


def test_a_set_can_be_stopped_and_finished_later(page, folders, tmp_path):
    shown = page.make(str(tmp_path / "set"), 800, "flat", *values(page))
    said = next(shown)
    assert said[1]["visible"] is True
    while not re.search(r"\d of 800 images", said[0]):
        said = next(shown)
    refused = [*page.make(str(tmp_path / "second"), 1, "flat", *values(page))]
    assert "being made already" in refused[-1][0] and refused[-1][1]["visible"] is True
    shown.close()  # the page was closed, and another follows
    again = page.follow()
    assert "<progress" in next(again)[0]
    page.stop()
    ended = [*again][-1]
    assert re.search(r"Stopped at \d+ of 800 images", ended[0]) and ended[1]["visible"] is False
    there = len(list((tmp_path / "set" / "images").iterdir()))
    assert 0 < there < 800
    assert not (tmp_path / "second").exists()
    said, _ = made(page, tmp_path / "set")
    assert "contains files" in said  # and is not overwritten
    options = {"source": folders / "sources", "recipe": tmp_path / "set" / "recipe.toml", "workers": 1}
    assert pail.generate(folders / "parts", tmp_path / "set", **options, resume=True).anomalies == 800


def test_a_set_of_a_registered_technique(bright_square, bench, tmp_path):
    need("gradio")
    from pail.app.page import build

    own = build(bench, tmp_path)[1]
    said, _ = made(own, tmp_path / "set", 2, technique=bright_square)
    assert "Finished: 2 images" in said
    assert decode((tmp_path / "set" / "images" / "000000.png").read_bytes()).max() == 255


def test_a_set_that_fails_says_why(page, tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    work = page.work

    def broken(*given):
        return {**work(*given), "workers": "many"}

    monkeypatch.setattr(page, "work", broken)
    said, _ = made(page, tmp_path / "set", 1)
    assert 'role="alert"' in said and "workers" in said


# --------------------------------------------------------------------------------------------------------------------
# Over HTTP


@pytest.fixture(scope="module")
def server(folders, tmp_path_factory):
    need("gradio")
    os.environ["GRADIO_ALLOWED_PATHS"] = "/"  # the page does not follow it
    parts = tmp_path_factory.mktemp("served") / "parts"
    write(parts / "part.png", photograph(64, 64, 1))
    (parts / "link.png").symlink_to(folders / "outside" / "secret.png")
    (parts / "notes.txt").write_bytes(SECRET)
    page = tune(parts, source=folders / "sources", browser=False, wait=False)
    yield page, parts
    page.close()


def ask(page, path, *, method="GET", body=None, host=None, headers=None):
    """Status and body of a request whose path is sent unchanged."""
    port = page.server_port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or f"127.0.0.1:{port}")
    for key, value in (headers or {}).items():
        connection.putheader(key, value)
    if body is not None and "Content-Length" not in (headers or {}):
        connection.putheader("Content-Length", str(len(body)))
    with contextlib.closing(connection):
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer


def test_the_page_is_served_here_only(server):
    page, _ = server
    status, body, answer = ask(page, "/")
    assert status == 200 and b"gradio" in body
    policy = answer.getheader("content-security-policy")
    assert policy.startswith("default-src 'self'") and "http" not in policy
    assert page.local_url.startswith("http://127.0.0.1:") and not page.share and page.share_url is None
    assert page.analytics_enabled is False and os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    with socket.socket() as other, pytest.raises(OSError):  # all of 127/8 would answer if it listened everywhere
        other.settimeout(5)
        other.connect(("127.0.0.2", page.server_port))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:7860", ""])
def test_other_names_of_this_machine_are_refused(server, host):
    assert ask(server[0], "/", host=host or "0.0.0.0")[0] == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
def test_pages_elsewhere_cannot_send_requests(server, origin):
    headers = {"Origin": origin, "Content-Type": "application/json"}
    assert ask(server[0], "/gradio_api/queue/join", method="POST", body=b"{}", headers=headers)[0] == 403
    own = {**headers, "Origin": f"http://127.0.0.1:{server[0].server_port}"}
    assert ask(server[0], "/gradio_api/queue/join", method="POST", body=b"{}", headers=own)[0] != 403


def test_a_report_over_http(tmp_path):
    import asyncio

    (tmp_path / "report.html").write_bytes(b"<p>report</p>")
    reports, sent = Reports(), []
    path = f"/{reports.link(tmp_path / 'report.html')}"

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": [(b"host", b"localhost:1")]}
    asyncio.run(Guard(None, reports)(scope, None, send))
    assert sent[0]["status"] == 200 and sent[1]["body"] == b"<p>report</p>"
    assert (b"content-security-policy", POLICY.encode()) in sent[0]["headers"]


def test_no_file_is_served(server, folders):
    page, parts = server
    secret = folders / "outside" / "secret.txt"
    up = "../" * 12
    targets = [
        str(secret),
        str(parts / "part.png"),
        str(parts / "link.png"),
        str(parts / "notes.txt"),
        f"{parts}/../../{secret.relative_to(secret.anchor)}",
        f"{up}{str(secret)[1:]}",
        f"{up.replace('/', '%2f')}{str(secret)[1:]}",
        "/etc/passwd",
        "http://127.0.0.1:1/x",
        str(Path(pail.__file__)),
        "pyproject.toml",
    ]
    for target in targets:
        for prefix in ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/static/", "/assets/", "/svelte/", "/"):
            status, body, _ = ask(page, f"{prefix}{target}".replace(" ", "%20"))
            assert status >= 400, (prefix, target, status)
            assert SECRET not in body and b"root:" not in body and not body.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload",
        "/gradio_api/component_server",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/gradio_api/vibe-code",
        "/gradio_api/deep_link",
        "/gradio_api/info",
        "/monitoring",
        "/docs",
    ],
)
def test_what_the_page_does_not_need_is_not_there(server, path):
    for method in ("GET", "POST"):
        assert ask(server[0], path, method=method, body=b"{}")[0] == 404


def test_requests_are_bounded(server):
    page, _ = server
    join = "/gradio_api/queue/join"
    assert ask(page, join, method="POST", body=b"", headers={"Content-Length": str(9 << 20)})[0] == 413
    assert refusal("/", {b"host": b"localhost".decode(), b"content-length": "x"}) == 413


def test_a_body_without_a_length_is_bounded():
    import asyncio

    got = []

    async def app(scope, receive, send):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            got.append(len(message["body"]))

    async def receive():
        return {"type": "http.request", "body": bytes(1 << 20), "more_body": True}

    scope = {"type": "http", "path": "/gradio_api/queue/join", "headers": [(b"host", b"localhost:1")]}
    asyncio.run(Guard(app)(scope, receive, None))
    assert sum(got) == 8 << 20


def test_no_session_can_read_a_file_through_an_event(server):
    """Call the events of the page directly, with file names instead of numbers or pictures."""
    import json

    page, _ = server
    config = json.loads(ask(page, "/config")[1])
    known = {component["id"]: component["props"] for component in config["components"]}
    images = next(place for place, props in known.items() if props.get("elem_id") == "pail-images")
    first = next(
        event for event in config["dependencies"] if event["inputs"][:1] == [images] and len(event["inputs"]) > 9
    )
    data = [known[place].get("value") for place in first["inputs"]]
    data[0] = "../outside/secret.png"
    body = json.dumps({"data": data, "fn_index": first["id"], "session_hash": "abc"}).encode()
    head = {"Content-Type": "application/json"}
    assert ask(page, "/gradio_api/queue/join", method="POST", body=body, headers=head)[0] == 200
    said = ask(page, "/gradio_api/queue/data?session_hash=abc")[1].decode()
    assert "`image` must be the number of an image" in json.loads(f'"{_alert(said)}"') and "<img" not in said


def _alert(said):
    return re.search(r'role=\\"alert\\">(.*?)</p>', said)[1].replace("&#96;", "`").replace("&#x27;", "'")


# --------------------------------------------------------------------------------------------------------------------
# The command


def test_without_gradio(folders, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("pail.app.page", "pail.app.widgets"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(ImportError, match=r'needs gradio: pip install "\.\[app\]"'):
        tune(folders / "parts", browser=False, wait=False)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_command_serves_until_it_is_ended(folders):
    need("gradio")
    port = free_port()
    command = [sys.executable, "-m", "pail", "tune", str(folders / "parts"), "--source", str(folders / "sources")]
    command += ["--port", str(port), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout.readline().strip() == f"http://127.0.0.1:{port}/"
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[0]
        assert "Traceback" not in rest
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no/such/folder"], "IMAGES must be a folder with images"),
        (["{parts}", "--source", "no/such"], "--source must be a folder with images"),
        (["{parts}", "--defects", "no/such"], "--defects must be a folder or an annotation file"),
        (["{parts}", "--recipe", "no.toml"], "--recipe must be a file"),
        (["{parts}", "--port", "0"], "--port must be"),
        (["{parts}", "--tile", "9"], "--tile must be"),
        (["{parts}", "--techniques", "cutpast"], "did you mean 'cutpaste'"),
        (["{parts}", "--exclude", "*"], "IMAGES must"),
    ],
)
def test_the_command_says_what_is_wrong(folders, arguments, message):
    words = [word.format(parts=folders / "parts") for word in arguments]
    done = subprocess.run([sys.executable, "-m", "pail", "tune", *words], capture_output=True, text=True)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
