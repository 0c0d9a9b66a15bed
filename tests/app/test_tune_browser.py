"""`pail tune` as it is used: in a real browser, with the mouse, with the keyboard, and on a phone."""

import gc
import importlib.util
import io
import re
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from common import photograph
from optional import need
from PIL import Image
from test_tune import GRADIO, bright_square, write  # noqa: F401 - the fixture

from pail.app.draws import Bench
from pail.app.serve import tune
from pail.app.settings import offered
from pail.dataset import recipe as recipes
from pail.io.read import decode

need("gradio")
need("playwright.sync_api")
need("chromium")

NAMES = list(offered(None))
DRIVER = Path(__file__).parents[2] / "docs" / "tune_pictures.py"
_spec = importlib.util.spec_from_file_location("tune_pictures", DRIVER)
driver = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(driver)

pytestmark = [pytest.mark.browser, pytest.mark.slow, *(pytest.mark.filterwarnings(line) for line in GRADIO)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("browser")
    for i in range(3):
        write(root / "parts" / f"part{i}.png", photograph(384, 512, i))
    (root / "parts" / "part3.png").write_bytes(b"no image")
    for i in range(2):
        write(root / "sources" / f"{i}.png", photograph(200, 240, 10 + i))
    return root


@pytest.fixture(scope="module")
def server(folders):
    page = tune(folders / "parts", source=folders / "sources", browser=False, wait=False)
    yield page
    page.close()
    gc.collect()


@contextmanager
def browsing(server, width=1280, height=900, **settings):
    """An opened page. At the end there must be no error and no request to another host."""
    said, asked = [], []
    with driver.chromium(width, height, said, asked, **settings) as page:
        driver.opened(page, server.local_url)
        yield page
    assert said == []
    elsewhere = [url for url in asked if not url.startswith((server.local_url, "data:", "blob:"))]
    assert asked and elsewhere == []


def facts(page):
    return page.locator("#pail-main figcaption").first.inner_text()


def is_inside(page):
    """Whether nothing extends beyond the right edge."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_choose_drag_paint_collection_export(server, folders, tmp_path):
    """From the images to a data set with the bytes that the page showed."""
    with browsing(server) as page:
        driver.choose(page, 1, "cutpaste_scar")
        before = facts(page)
        driver.drag(page, "cutpaste_scar-width", 0.6, which=1)
        driver.settled(page)
        assert facts(page) != before and "cutpaste_scar" in facts(page)
        page.locator("#pail-region input[value=painted]").check()
        page.wait_for_selector("#pail-main .pail-hint")
        assert "Paint on the image" in page.locator("#pail-main").inner_text()
        assert page.locator("#pail-painter canvas").is_visible()
        page.wait_for_function("document.querySelector('#pail-painter canvas').width === 512")
        driver.paint(page, [[(0.1, 0.2), (0.8, 0.2)], [(0.1, 0.4), (0.8, 0.4)]])
        page.wait_for_selector("#pail-main .pail-parts")
        driver.settled(page)
        page.locator("#pail-add").click()
        driver.settled(page)
        page.locator("#pail-techniques input[value=fract_aug]").check()
        page.locator("#pail-weight input").fill("3")
        page.locator("#pail-add").click()
        page.wait_for_selector(".pail-row[data-name=fract_aug]")
        driver.settled(page)
        assert page.locator("#pail-sheet-settings input[value=collection]").is_checked()
        driver.unfold(page, "more")
        page.locator("#pail-seed input").fill("11")
        driver.settled(page)
        shown = page.locator("#pail-draws figcaption").all_inner_texts()
        assert {re.search(r"\((\w+)\)", text)[1] for text in shown} == {"cutpaste_scar", "fract_aug"}
        page.locator("#pail-export").click()
        links = page.locator("#pail-files a[download]")
        links.first.wait_for()
        files = {}
        for place in range(links.count()):
            with page.expect_download() as download:
                links.nth(place).click()
            files[download.value.suggested_filename] = Path(download.value.path()).read_bytes()
        python = page.locator("#pail-python textarea").input_value()
        text = page.locator("#pail-recipe textarea").input_value()
    assert files["recipe.toml"].decode() == text
    given = recipes.parse_options(text)
    assert (
        given["seed"] == 11 and given["roi"] == "regions" and set(given["techniques"]) == {"cutpaste_scar", "fract_aug"}
    )
    assert given["techniques"]["fract_aug"] == {"weight": 3} and given["techniques"]["cutpaste_scar"]["width"][1] > 0.1
    compare(files["pail-tune.zip"], folders, tmp_path)
    compare_call(python, tmp_path)


def compare(archive, folders, tmp_path):
    """Run the exported recipe as a user would, and compare with what was exported."""
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        opened.extractall(unpacked)
        names = [name for name in opened.namelist() if name.startswith(("images/", "masks/"))]
    command = [sys.executable, "-m", "pail", "generate", str(folders / "parts"), str(tmp_path / "set")]
    command += ["--source", str(folders / "sources"), "--recipe", "recipe.toml", "--quiet", "--workers", "1"]
    done = subprocess.run(command, cwd=unpacked, capture_output=True, text=True)
    assert done.returncode in (0, 3), done.stderr  # 3: one of the parts is not an image
    assert len(names) == 24
    region = decode((unpacked / "regions" / "part1.png").read_bytes()) > 0
    for name in names:
        made, shown = (tmp_path / "set" / name).read_bytes(), (unpacked / name).read_bytes()
        assert made == shown and np.array_equal(decode(made), decode(shown))
        if name.startswith("masks/"):
            assert decode(shown).any() and not decode(shown)[~region].any()


def compare_call(python, tmp_path):
    """The exported code makes the first of the examples."""
    script = f"{python}\nimport numpy\nnumpy.savez('call.npz', i_a=i_a, m_a=m_a)\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path / "unpacked", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    number = int(re.search(r"rng=\(11, (\d+)\)", python)[1])
    with np.load(tmp_path / "unpacked" / "call.npz") as made:
        for key, folder in (("i_a", "images"), ("m_a", "masks")):
            file = tmp_path / "unpacked" / folder / f"{number:06}.png"
            assert np.array_equal(np.squeeze(made[key]), np.squeeze(decode(file.read_bytes())))


def test_keyboard_only(server, tmp_path):
    """Every step without a mouse."""
    with browsing(server) as page:
        number = page.locator(".pail-result").get_attribute("data-number")
        page.locator("#pail-images input:checked").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("old => document.querySelector('.pail-result').dataset.number !== old", arg=number)
        tab_to(page, "#pail-severity input[type=range]")
        before = page.locator("#pail-main img").first.get_attribute("src")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert not page.locator("#pail-severity .pail-word input").is_checked()
        page.wait_for_function("before => document.querySelector('#pail-main img').src !== before", arg=before)
        tab_to(page, "#pail-outline")
        page.keyboard.press(" ")
        assert not page.locator("#pail-main svg").first.is_visible()
        tab_to(page, "[data-do=compare]")
        page.keyboard.down("Enter")
        assert page.locator("#pail-main .pail-original").first.is_visible()
        page.wait_for_timeout(500)
        page.keyboard.up("Enter")
        assert not page.locator("#pail-main .pail-original").first.is_visible()
        tab_to(page, "[data-do=undo]")
        page.keyboard.press("Enter")
        page.wait_for_function("document.querySelector('#pail-severity .pail-word input').checked")
        page.wait_for_selector("[data-do=redo][aria-disabled=false]")
        tab_to(page, "[data-do=redo]")
        page.keyboard.press("Enter")
        page.wait_for_function("!document.querySelector('#pail-severity .pail-word input').checked")
        tab_to(page, "#pail-region input[value=painted]")
        page.keyboard.press(" ")
        page.wait_for_selector("#pail-main .pail-hint")
        tab_to(page, "#pail-painter canvas")
        for key in (" ", "ArrowRight", "ArrowRight", "ArrowRight", " ", "ArrowDown", "ArrowDown", " "):
            page.keyboard.press(key)
        page.wait_for_selector("#pail-main .pail-parts")
        tab_to(page, "input[name=pail-technique]:checked")
        chosen = page.locator("input[name=pail-technique]:checked").get_attribute("value")
        page.keyboard.press("ArrowDown")
        page.wait_for_function(
            "old => !document.querySelector('#pail-main').innerText.includes(`(${old})`)", arg=chosen
        )
        name = page.locator("input[name=pail-technique]:checked").get_attribute("value")
        assert name != chosen
        tab_to(page, "#pail-fold-expert button")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#pail-of-{name} input[aria-valuetext]")
        tab_to(page, f"#pail-of-{name} input[type=range]")
        before = page.evaluate("document.activeElement.getAttribute('aria-valuetext')")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        after = page.evaluate("document.activeElement.getAttribute('aria-valuetext')")
        assert float(after) > float(before)
        driver.settled(page)
        tab_to(page, "#pail-add")
        page.keyboard.press("Enter")
        page.wait_for_selector(f".pail-row[data-name={name}]")
        driver.settled(page)
        tab_to(page, "#pail-out textarea, #pail-out input")
        page.keyboard.press("Control+a")
        page.keyboard.type(str(tmp_path / "set"))
        tab_to(page, "#pail-number input")
        page.keyboard.press("Control+a")
        page.keyboard.type("3")
        tab_to(page, "#pail-make")
        page.keyboard.press("Enter")
        page.wait_for_selector(".pail-report", timeout=60_000)
        assert (tmp_path / "set" / "report.html").is_file()
        tab_to(page, "#pail-export")
        page.keyboard.press("Enter")
        page.wait_for_selector("#pail-recipe textarea")
        page.wait_for_function("name => document.querySelector('#pail-recipe textarea').value.includes(name)", arg=name)


def tab_to(page, selector, most=90):
    """Press Tab until the element has the focus; a ring shows where it is."""
    for _ in range(most):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert page.evaluate(RINGED), f"{selector} shows no focus"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached with the Tab key")


RINGED = """(() => {
  const focused = document.activeElement, styles = [focused, focused.parentElement].map(e => getComputedStyle(e));
  return styles.some(style => style.outlineStyle !== 'none' || style.boxShadow !== 'none');
})()"""


PHONE = {"has_touch": True, "is_mobile": True}


@pytest.mark.parametrize(("width", "settings"), [(1280, {}), (390, PHONE)])
def test_widths(server, width, settings):
    with browsing(server, width, 844, **settings) as page:
        assert page.locator("[id^=pail-of-]:visible").count() == 0  # the expert parameters are folded
        driver.unfold(page, "expert")
        driver.unfold(page, "more")
        for name in NAMES:
            page.locator(f"#pail-techniques input[value='{name}']").check()
            page.wait_for_function(f"document.querySelector('#pail-main').innerText.includes('({name})')")
            assert is_inside(page), name
            shown = page.locator("[id^=pail-of-]:visible").evaluate_all("found => [...new Set(found.map(e => e.id))]")
            assert shown == [f"pail-of-{name}"]
        page.locator("#pail-region input[value=painted]").check()
        page.wait_for_selector("#pail-painter canvas")
        driver.settled(page)
        picture = page.locator("#pail-main .pail-nothing img").bounding_box()
        assert picture["width"] > 200 and picture["x"] + picture["width"] <= width, "next to what to do next"
        page.locator("#pail-add").click()
        page.locator("#pail-region input[value=auto]").check()
        driver.settled(page)
        page.locator("#pail-export").click()
        page.wait_for_selector("#pail-recipe textarea")
        assert is_inside(page)


@pytest.mark.parametrize(("width", "settings"), [(1280, {}), (390, PHONE)])
def test_image_and_severity_stay_on_the_screen(server, width, settings):
    with browsing(server, width, 844, **settings) as page:
        for scrolled in (0, 900, 2000):
            page.evaluate("to => window.scrollTo(0, to)", scrolled)
            page.wait_for_timeout(100)
            for selector in ("#pail-severity", "#pail-tools", "#pail-main .pail-view"):
                box = page.locator(selector).first.bounding_box()
                assert box["y"] >= 0 and box["y"] + box["height"] <= 844, (scrolled, selector, box)
        assert page.evaluate("window.scrollY") > 1_000
        stage = page.locator("#pail-stage").bounding_box()
        if width < 820:
            assert stage["height"] < 0.55 * 844  # the controls have the rest
            for button in page.locator(".pail-bar button, .pail-bar label").all():
                box = button.bounding_box()
                assert box["height"] >= 36 and box["width"] >= 30  # for a finger
        picture, severity = (page.locator(name).first.bounding_box() for name in ("#pail-main img", "#pail-severity"))
        assert picture["width"] >= 240 and severity["width"] >= 300


def test_the_focus_stays_below_the_image_on_a_phone(server):
    """Nothing that the tab key reaches is behind the image, which stays on the screen."""
    with browsing(server, 390, 844) as page:
        below = []
        for _ in range(29):
            page.keyboard.press("Tab")
            page.wait_for_timeout(50)
            below.append(
                page.evaluate(
                    """() => {
                      const [focused, stage] = [document.activeElement, document.querySelector("#pail-stage")];
                      if (!focused.closest("#pail-controls")) return null;
                      return focused.getBoundingClientRect().top - stage.getBoundingClientRect().bottom;
                    }"""
                )
            )
        below = [distance for distance in below if distance is not None]
        assert len(below) > 10 and min(below) >= -1


def test_the_outline_is_thin_and_has_a_switch(server):
    with browsing(server) as page:
        lines = page.locator(".pail-view path")
        assert lines.count() == 2 * (2 + 12)
        style = "found => found.map(e => [getComputedStyle(e).strokeWidth, getComputedStyle(e).vectorEffect].join(' '))"
        assert {*lines.evaluate_all(style)} == {"1px non-scaling-stroke", "2px non-scaling-stroke"}
        assert lines.first.is_visible() and page.locator("#pail-draws svg").first.is_visible()
        picture = page.locator("#pail-main .pail-view").first
        outlined = picture.screenshot()
        page.keyboard.press("o")
        assert not page.locator("#pail-outline").is_checked()
        assert not page.locator("#pail-main svg").first.is_visible()
        assert not page.locator("#pail-draws svg").first.is_visible()
        plain = picture.screenshot()
        changed = np.abs(pixels_of(outlined) - pixels_of(plain)).max(axis=2) > 8
        assert 0 < changed.mean() < 0.05  # nothing but lines
        page.locator("#pail-outline").check()
        page.locator("#pail-techniques input[value=fract_aug]").check()
        page.wait_for_function("document.querySelector('#pail-main').innerText.includes('fract_aug')")
        page.locator("#pail-outline").uncheck()
        driver.settled(page)
        page.locator("[data-do=another]").click()
        driver.settled(page)
        assert not page.locator("#pail-main svg").first.is_visible()  # the switch holds for what comes


def test_folded_parameters_follow_what_is_brought_back(server):
    """Controls get their values while they are folded."""
    with browsing(server) as page:
        driver.choose(page, 0, "fract_aug")
        driver.drag(page, "fract_aug-size_range", 0.8, which=1)
        driver.settled(page)
        page.locator("#pail-fold-expert button").click()
        page.keyboard.press("Control+z")
        driver.settled(page)
        for _ in range(10):  # one that is pressed while the page is still drawing is dropped
            page.keyboard.press("Control+y")
            driver.settled(page)
            page.wait_for_timeout(300)
            if "Changed parameters: size_range" in page.locator("#pail-main").inner_text():
                break
        assert "Changed parameters: size_range" in page.locator("#pail-main").inner_text()
        assert not page.locator("#pail-of-fract_aug").first.is_visible()
        driver.unfold(page, "expert")
        assert page.locator("#pail-fract_aug-size_range .changed").is_visible()


def pixels_of(picture):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), int)


def test_before_and_after(server):
    with browsing(server) as page:
        original, button = page.locator("#pail-main .pail-original").first, page.locator("[data-do=compare]")
        box = button.bounding_box()
        page.mouse.move(box["x"] + 9, box["y"] + 9)
        page.mouse.down()
        assert original.is_visible() and button.get_attribute("aria-pressed") == "true"
        page.wait_for_timeout(600)
        page.mouse.up()  # held: it goes
        assert not original.is_visible() and button.get_attribute("aria-pressed") == "false"
        button.click()  # a short click: it stays
        page.wait_for_timeout(600)
        assert original.is_visible() and not page.locator("#pail-main svg").first.is_visible()
        page.locator("#pail-techniques input[value=fract_aug]").check()  # until something changes
        assert not original.is_visible()
        driver.settled(page)
        page.keyboard.down("c")
        assert original.is_visible()
        page.wait_for_timeout(600)
        page.keyboard.up("c")
        assert not original.is_visible()
        driver.unfold(page, "more")
        page.locator("#pail-seed input").focus()
        page.keyboard.down("c")  # it is typed
        assert not original.is_visible()
        page.keyboard.up("c")


def test_undo_and_redo(server):
    with browsing(server) as page:
        page.locator("#pail-techniques input[value=cutpaste]").check()
        driver.settled(page)
        first = facts(page)
        driver.drag(page, "severity", 0.9, which=1)
        driver.settled(page)
        second = facts(page)
        page.locator("#pail-region input[value=painted]").check()
        page.wait_for_function("document.querySelector('#pail-painter canvas').width === 512")
        driver.paint(page, [[(0.1, 0.3), (0.9, 0.3)], [(0.1, 0.5), (0.9, 0.5)]])
        page.wait_for_selector("#pail-main .pail-parts")
        driver.settled(page)
        painted, drawn = facts(page), painted_pixels(page)
        assert drawn > 0
        step(page, "Control+z")  # the second stroke
        page.wait_for_function(f"{PAINTED} < {drawn}")
        assert painted_pixels(page) > 0
        step(page, "Control+Shift+z")
        page.wait_for_function(f"{PAINTED} === {drawn}")
        assert facts(page) == painted
        for _ in range(3):  # both strokes, and the choice of the region
            step(page)
        assert facts(page) == second and page.locator("#pail-region input[value=auto]").is_checked()
        assert not page.locator("#pail-painter canvas").is_visible()
        steps = 0
        while not page.locator("#pail-severity .pail-word input").is_checked():
            step(page, "Control+z")  # the drag: one step, or a few where the machine is slow
            steps += 1
        assert steps <= 4 and facts(page) == first
        step(page, "Control+z")  # the choice of the technique
        assert page.locator("[data-do=undo]").get_attribute("aria-disabled") == "true"
        for _ in range(steps + 1):
            step(page, "Control+y")
        assert facts(page) == second


def step(page, keys=""):
    """Undo or redo, with a key or the button, and wait for it."""
    before = page.locator(".pail-bar").get_attribute("data-steps")
    if keys:
        page.keyboard.press(keys)
    else:
        page.locator("[data-do=undo]").click()
    page.wait_for_function("old => document.querySelector('.pail-bar').dataset.steps !== old", arg=before)
    driver.settled(page)


PAINTED = """(() => {
  const canvas = document.querySelector('#pail-painter canvas');
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return data.filter((value, i) => i % 4 === 3 && value > 127).length;
})()"""


def painted_pixels(page):
    return page.evaluate(PAINTED)


def test_the_data_set_is_made_stopped_and_shown(server, folders, tmp_path):
    with browsing(server) as page:
        driver.choose(page, 0, "superpixel_anomaly")
        out, number = page.locator("#pail-out").locator("textarea, input"), page.locator("#pail-number input")
        assert str(Path.cwd()) in out.input_value()
        out.fill(str(folders / "sources"))
        page.locator("#pail-make").click()
        page.wait_for_selector("#pail-made .pail-error")
        assert "Nothing was written" in page.locator("#pail-made").inner_text()
        out.fill(str(tmp_path / "long"))
        number.fill("2000")
        page.locator("#pail-make").click()
        page.wait_for_selector(".pail-progress progress[value]", timeout=60_000)
    assert (tmp_path / "long").is_dir()
    with browsing(server) as page:  # the page was closed, and is opened again
        page.wait_for_selector(".pail-progress progress[value]", timeout=60_000)
        page.locator("#pail-stop").click()
        page.wait_for_selector("#pail-made .pail-error", timeout=60_000)
        assert re.search(r"Stopped at \d+ of 2000", page.locator("#pail-made").inner_text())
        assert not page.locator("#pail-stop").is_visible()
        page.locator("#pail-out").locator("textarea, input").fill(str(tmp_path / "short"))
        page.locator("#pail-number input").fill("5")
        page.locator("#pail-make").click()
        with page.expect_popup() as popup:
            page.locator(".pail-report").click(timeout=60_000)
        popup.value.wait_for_load_state()
        assert popup.value.url.startswith(server.local_url) and "short" in popup.value.title()
    assert len(list((tmp_path / "short" / "images").iterdir())) == 5


def test_dragging_leaves_no_stale_work(server, monkeypatch):
    """Of many quick changes, few are drawn, and the last one is shown."""
    drawn = []
    draw = Bench.draw

    def counted(self, settings, checked, item):
        drawn.append(settings.entries[0].options.get("size_range"))
        return draw(self, settings, checked, item)

    with browsing(server) as page:
        driver.choose(page, 0, "random_perturbation")
        monkeypatch.setattr(Bench, "draw", counted)
        moves = []
        driver.drag(page, "random_perturbation-size_range", 0.95, 1, 60, lambda: moves.append(1))
        driver.settled(page)
        page.wait_for_timeout(1500)
        last = float(driver.handle(page, "random_perturbation-size_range", 1).get_attribute("aria-valuetext"))
        sheets = drawn.count(drawn[-1])
    assert len(moves) == 60 and drawn[-1][1] == last
    distinct = [value for place, value in enumerate(drawn) if place == 0 or drawn[place - 1] != value]
    assert len(distinct) < 60 and sheets >= 12


def test_a_change_is_on_the_screen_soon(server):
    """At 512 pixels, the fastest of ten, because other load of the machine must not matter."""
    with browsing(server) as page:
        driver.choose(page, 0, "fract_aug")
        times = [driver.latency(page, "fract_aug-rotation") for _ in range(10)]
    assert min(times) < 300, times


def test_errors_are_shown_and_the_page_goes_on(server):
    with browsing(server) as page:
        page.locator("#pail-images input[value='3']").check(force=True)
        page.wait_for_selector("#pail-main .pail-error")
        assert "not an image" in page.locator("#pail-main").inner_text()
        driver.choose(page, 0, "hard_aug_cutpaste")
        box = page.get_by_role("textbox", name="angles")
        box.fill("(0, 45)")
        box.press("Enter")
        page.wait_for_selector("#pail-main .pail-error")
        assert "angles" in page.locator("#pail-main").inner_text()
        box.fill("(0, 90)")
        box.press("Enter")
        page.wait_for_selector("#pail-main .pail-parts")


def test_default_word_another_example_and_show(server):
    with browsing(server) as page:
        driver.choose(page, 0, "perlin_noise_pattern")
        field = page.locator("#pail-perlin_noise_pattern-threshold")
        driver.handle(page, "perlin_noise_pattern-threshold").press("ArrowRight")
        assert field.locator(".changed").count() == 1 and field.locator("input[type=number]").input_value() != "0.5"
        page.locator("#pail-add").click()
        page.wait_for_selector(".pail-row")
        field.locator(".pail-word input").check()
        assert field.locator(".off").count() == 1
        field.locator(".pail-reset").click()
        assert field.locator(".changed").count() == 0 and field.locator("input[type=number]").input_value() == "0.5"
        page.locator("#pail-techniques input[value=cutpaste]").check()
        page.get_by_role("button", name="Show perlin_noise_pattern").click()
        page.wait_for_selector("#pail-techniques input[value=perlin_noise_pattern]:checked")
        page.wait_for_function("document.querySelector('#pail-main').innerText.includes('perlin_noise_pattern')")
        assert field.locator(".changed").count() == 1
        driver.unfold(page, "more")
        seed = page.locator("#pail-seed input").input_value()
        page.locator("[data-do=another]").click()
        page.wait_for_function("seed => document.querySelector('#pail-seed input').value !== seed", arg=seed)
        page.get_by_role("button", name="Remove perlin_noise_pattern").click()
        page.wait_for_function("document.querySelectorAll('.pail-row').length === 0")
        page.wait_for_function("document.querySelector('#pail-draws .pail-error') !== null")
        assert "add one first" in page.locator("#pail-draws").inner_text()


def test_a_registered_technique_appears(bright_square, folders):  # noqa: F811
    page = tune(folders / "parts", browser=False, wait=False)
    try:
        with browsing(page) as shown:
            label = shown.locator("#pail-techniques label", has_text="bright_square")
            assert "a bright square ${x} {{y}} `z`" in label.inner_text()
            shown.locator(f"#pail-techniques input[value={bright_square}]").check()
            shown.wait_for_function("document.querySelector('#pail-main').innerText.includes('bright_square')")
            driver.unfold(shown, "expert")
            driver.handle(shown, "bright_square-size").wait_for()
            assert driver.handle(shown, "bright_square-size").count() == 1
            assert driver.handle(shown, "bright_square-span", 1).count() == 1
            assert shown.locator("#pail-bright_square-soft input[type=checkbox]").count() == 1
    finally:
        page.close()


def test_a_recipe_is_the_start(folders, tmp_path):
    text = "seed = 5\nseverity = [0.5, 1.0]\n[techniques.fract_aug]\nweight = 2.0\nsize_range = [0.2, 0.3]\n"
    text += "[techniques.cutpaste]\n"
    (tmp_path / "recipe.toml").write_text(text)
    page = tune(folders / "parts", recipe=tmp_path / "recipe.toml", browser=False, wait=False)
    try:
        with browsing(page) as shown:
            assert shown.locator("#pail-techniques input[value=fract_aug]").is_checked()
            driver.unfold(shown, "expert")
            boxes = shown.locator("#pail-fract_aug-size_range input[type=number]")
            assert [boxes.nth(i).input_value() for i in range(2)] == ["0.2", "0.3"]
            assert re.findall(r"fract_aug|cutpaste", shown.locator("#pail-collection").inner_text()) == [
                "fract_aug",
                "cutpaste",
            ]
            shown.locator("#pail-export").click()
            shown.wait_for_selector("#pail-recipe textarea")
            shown.wait_for_function("document.querySelector('#pail-recipe textarea').value !== ''")
            made = recipes.make_recipe(**recipes.parse_options(shown.locator("#pail-recipe textarea").input_value()))
    finally:
        page.close()
    given = recipes.make_recipe(**recipes.parse_options(text))
    assert (made.techniques, made.seed, made.severity) == (given.techniques, given.seed, given.severity)


def test_the_pictures_of_the_guide_are_made(tmp_path):
    """docs/tune_pictures.py makes them, and those in the repository have the expected sizes."""
    root = DRIVER.parent.parent
    page = tune(root / "example_img", source=root / "anom_source_imgs", browser=False, wait=False)
    try:
        assert driver.screenshots(page.local_url, tmp_path, tmp_path / "set") == []
    finally:
        page.close()
    for name in driver.NAMES:
        for file in (tmp_path / name, driver.PICTURES / name):
            with Image.open(file) as picture:
                assert picture.size == ((780, 1688) if "phone" in name else (1280, 900))
                assert np.asarray(picture.convert("L")).std() > 20 and file.stat().st_size < 300_000
    with Image.open(driver.PICTURES / "tune.webp") as picture:
        assert picture.n_frames > 15 and (driver.PICTURES / "tune.webp").stat().st_size < 2_000_000
