"""The contact sheet and the pages: what they show, and how they behave in a real browser."""

import html
import re
import shlex
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from common import NAMES, as_type, photograph
from optional import need
from PIL import Image

import pail
from pail.pixels import panels
from pail.report import report
from pail.report.page import text
from pail.report.preview import (
    CELL,
    HEAD,
    LABEL,
    MARGIN,
    SHEET_SIDE,
    as_names,
    preview,
    preview_page,
    without_techniques,
)
from pail.report.report import GRID, Sample, Tally, report_page

COMMAND = "pail generate parts/ set/ -n 1000 --seed 3"
HOSTILE = "<img src=x onerror=alert(1)>\"'&\n\udcff.png"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def cell_of(sheet, row, column):
    """The column of the defaults is number 0."""
    left, top = MARGIN + LABEL + column * (CELL + 12), HEAD + row * (SHEET_SIDE + 20) + 8
    return np.asarray(sheet.crop((left, top, left + CELL, top + SHEET_SIDE)))


def make_lines(count, open_pictures):
    """Lines of a manifest, with pictures for them: every third image is normal."""
    for i in range(count):
        line = {"image": f"images/{i}.png", "mask": None, "techniques": [], "width": 96, "height": 64, "source": None}
        line |= {"area": 0.0, "bbox": None, "visible": 0.0, "record": None, "normal": "a.png"}
        open_pictures[line["image"]] = photograph(64, 96, i % 3)
        if i % 3:
            name = NAMES[i % 2]
            i_a, m_a = pail.Anomaly_Insertion().insert(photograph(64, 96, i % 3), None, techniques=name, rng=(7, i))
            line |= {"mask": f"masks/{i}.png", "techniques": [name], "area": float((m_a > 0).mean()), "visible": 0.9}
            line["bbox"] = [*cv2.boundingRect(m_a)]
            open_pictures |= {line["image"]: i_a, line["mask"]: m_a}
        yield line


class TestSheet:
    def test_one_row_a_technique_with_the_defaults_and_one_column_a_severity(self):
        sheet = preview([photograph(96, 128)], [photograph(80, 80, 5)], severities=(0.5, 1), command=COMMAND)
        assert sheet.mode == "RGB"
        assert sheet.width == 2 * MARGIN + LABEL + 3 * (CELL + 12)
        assert HEAD + len(NAMES) * (SHEET_SIDE + 20) < sheet.height < HEAD + len(NAMES) * (SHEET_SIDE + 20) + 200
        cells = [cell_of(sheet, row, column).tobytes() for row in range(len(NAMES)) for column in range(3)]
        assert len(set(cells)) == len(cells)

    def test_what_no_paper_has_stands_under_defaults(self):
        pages = {
            name: preview_page([photograph(64, 64)], techniques=name, severities=(1,), command="")
            for name in ("cutpaste", "scratch")
        }
        assert "cutpaste, papers&#x27; defaults" in pages["cutpaste"] and "scratch, defaults" in pages["scratch"]
        heads = [
            np.asarray(preview([photograph(64, 64)], techniques=names, severities=(1,), command=""))[:HEAD]
            for names in (["cutpaste"], ["fract_aug"], ["cutpaste", "dent"], ["dent"])
        ]
        assert np.array_equal(heads[0], heads[1]) and np.array_equal(heads[2], heads[3])
        assert not np.array_equal(heads[0], heads[2])

    def test_the_seed_decides(self):
        first, again, other = (
            preview([photograph(64, 64)], techniques="cutpaste", seed=seed, command="").tobytes() for seed in (1, 1, 2)
        )
        assert first == again != other

    def test_a_row_does_not_depend_on_the_others(self):
        images = [photograph(64, 64, 1), photograph(64, 64, 2)]
        whole = preview(images, severities=(1,), command=COMMAND)
        name = NAMES[4]
        alone = preview(images, severities=(1,), techniques=[name], command=COMMAND)
        assert np.array_equal(cell_of(whole, 4, 0), cell_of(alone, 0, 0))

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
    @pytest.mark.parametrize("shape", [(40, 40), (40, 40, 1), (31, 57, 3), (40, 40, 4), (48, 32, 6)])
    def test_any_depth_and_channels(self, dtype, shape):
        pixels = np.resize(photograph(shape[0], shape[1]), shape)
        sheet = preview([as_type(pixels, dtype)], techniques="cutpaste", severities=(1,), command=COMMAND)
        assert np.ptp(cell_of(sheet, 0, 0)) > 100

    @pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2, 3), (16, 16)])
    def test_any_size(self, shape):
        image = np.full(shape, 90, np.uint8)
        sheet = preview([image], techniques=["cutpaste", "fract_aug"], severities=(0, 1), command="")
        fewer = preview([image], techniques=["cutpaste"], severities=(0, 1), command="")
        assert sheet.height > fewer.height and sheet.width == fewer.width

    def test_the_first_column_has_the_defaults(self):
        image = photograph(96, 96)
        sheet = preview([image], techniques="cutpaste", severities=(0.5,), command="")
        changed = preview(
            [image],
            techniques="cutpaste",
            severities=(0.5,),
            command="",
            options={"cutpaste": {"area_ratio": (0.02, 0.03)}},
        )
        for column in (0, 1):
            assert not np.array_equal(cell_of(sheet, 0, column), cell_of(changed, 0, column))
        i_a, m_a = pail.Anomaly_Insertion().cutpaste(image, rng=(0, 0))
        half = pail.Anomaly_Insertion().cutpaste(image, rng=(0, 0), severity=0.5)
        own = panels.view(image, i_a, m_a, SHEET_SIDE, panels.middle(half.m_a[..., 0]))
        assert np.array_equal(cell_of(sheet, 0, 0)[:SHEET_SIDE, :SHEET_SIDE], own.whole)

    def test_the_first_column_has_what_the_recipe_says(self):
        image = photograph(96, 96)
        options = {"cutpaste": {"area_ratio": (0.02, 0.03)}}
        given = {"options": options, "severity": (0.3, 0.9), "anomalies": (2, 3), "seed": 4}
        sheet = preview([image], techniques="cutpaste", severities=(0.5,), command="", **given)
        keywords = {"techniques": "cutpaste", "options": options, "n_anomalies": (2, 3), "rng": (4, 0)}
        half = pail.Anomaly_Insertion().insert(image, severity=0.5, **keywords)
        own = pail.Anomaly_Insertion().insert(image, severity=(0.3, 0.9), **keywords)
        for column, (i_a, m_a) in enumerate((own, half)):
            shown = panels.view(image, i_a, m_a, SHEET_SIDE, panels.middle(half.m_a[..., 0]))
            assert np.array_equal(cell_of(sheet, 0, column)[:SHEET_SIDE, :SHEET_SIDE], shown.whole)

    @pytest.mark.parametrize(("shape", "share"), [((60, 1500), 0.5), ((60, 300), 0.16), ((90, 100), 0.1)])
    def test_wide_images_use_the_width(self, shape, share):
        image = np.full((*shape, 3), 255, np.uint8)
        image[::2] = (200, 60, 60)
        sheet = np.asarray(preview([image], techniques="cutpaste", severities=(0.5, 1), command="").convert("RGB"))
        red = ((sheet[..., 0] > 150) & (sheet[..., 1] < 190) & (sheet[..., 0] > sheet[..., 1] + 30)).any(axis=0)
        longest = max(len(run) for run in "".join("x" if entry else " " for entry in red).split())
        assert longest > share * sheet.shape[1]

    def test_real_defects_have_a_row(self):
        photo = photograph(64, 64).copy()
        mask = np.zeros((64, 64), bool)
        mask[20:30, 20:40] = True
        photo[mask] = 0
        bank = pail.Defects([photo], [mask])
        assert as_names(None, bank) == ["real_defect"]
        sheet = preview([photograph(96, 96, 2)], defects=bank, severities=(0.5,), command=COMMAND)
        assert sheet.height < HEAD + 2 * (SHEET_SIDE + 20) + 150
        page = preview_page([photograph(96, 96, 2)], defects=bank, severities=(0.5,), command=COMMAND)
        assert page.count('class="cell"') == 2 and "real_defect, defaults" in page

    def test_twelve_bits_in_sixteen_are_not_black(self):
        dim = photograph(64, 64).astype(np.uint16) * 16
        assert panels.to_display(dim, panels.shades(dim)).max() == 255

    def test_a_bright_alpha_channel_does_not_darken_what_is_shown(self):
        dim = np.dstack([photograph(64, 64).astype(np.uint16) * 16, np.full((64, 64), 65535, np.uint16)])
        assert panels.to_display(dim, panels.shades(dim)).max() == 255
        assert panels.shades(dim[..., 2:]) == panels.shades(dim[..., 2])

    @pytest.mark.parametrize("sign", [-1, 1])
    def test_an_anomaly_of_a_thermal_image_keeps_its_texture(self, sign):
        """Values of the image stay in the displayed range, and it keeps half of its contrast next to any anomaly."""
        image = (50_000 + photograph(96, 96)[..., 0].astype(np.uint16)).astype(np.uint16)
        spot = image.copy()
        spot[20:60, 20:60] = 50_128 + sign * 150 + (image[20:60, 20:60].astype(int) - 50_128) // 2
        for change in (spot, np.where(spot == image, image, np.uint16(30_000 if sign < 0 else 65_535))):
            low, high = panels.shades(image, change)
            assert high - low <= 1.51 * np.ptp(image)
        limits = panels.shades(image, spot)
        shown = panels.to_display(spot, limits)[20:60, 20:60]
        assert ((shown > 0) & (shown < 255)).mean() > 0.98 and shown.std() > 5
        assert panels.shades(image, image) == panels.shades(image)

    def test_a_row_of_a_sheet_is_shown_in_one_light(self):
        image = (50_000 + 2 * photograph(96, 96)[..., 0].astype(np.uint16)).astype(np.uint16)
        insertion = pail.Anomaly_Insertion(data_range=(49_000, 52_000))
        sheet = preview([image], techniques="cutpaste_scar", severities=(0.25, 1), command="", insertion=insertion)
        first, last = (cell_of(sheet, 0, column)[:SHEET_SIDE, :SHEET_SIDE] for column in (1, 2))
        assert (first == last).all(axis=2).mean() > 0.5

    def test_roi_for_each_image(self):
        image, roi = photograph(80, 80), np.zeros((80, 80), np.uint8)
        roi[:30, :30] = 255
        one = preview([image], roi=[roi], techniques="cutpaste", severities=(1,), command="")
        assert one.tobytes() != preview([image], techniques="cutpaste", severities=(1,), command="").tobytes()
        with pytest.raises(ValueError, match="`roi` must have one entry for each of the 1 images, got 2"):
            preview([image], roi=[roi, roi], command="")

    def test_long_and_unprintable_commands_are_wrapped(self):
        short = preview([photograph(32, 32)], techniques="cutpaste", severities=(1,), command="a")
        long = preview([photograph(32, 32)], techniques="cutpaste", severities=(1,), command="b\n" + "c" * 500)
        assert long.width == short.width and long.height > short.height + 100

    def test_own_techniques_have_a_row(self):
        def square(frame, draw):
            box = pail.place(frame, draw, 9, 9)
            return pail.Insertion(box, np.full_like(frame.crop(box), frame.max_value))

        pail.register("square", square)
        try:
            assert as_names("square") == ["square"]
            preview([np.zeros((64, 64), np.uint8)], techniques="square", command="")
        finally:
            pail.unregister("square")

    def test_errors_name_the_argument(self):
        with pytest.raises(ValueError, match=r"`techniques` must be names or families, each one of .*got \['nope'\]"):
            preview([photograph(32, 32)], techniques=["nope"], command="")
        with pytest.raises(ValueError, match="`images` and `severities` must not be empty, got 0 and 4"):
            preview([], command="")


class TestPanels:
    def test_the_crop_holds_the_piece_at_the_anchor(self):
        mask = np.zeros((200, 300), np.uint8)
        mask[10:50, 10:60], mask[150:160, 280:290] = 255, 255
        rows, columns = panels.crop_around(mask)
        assert rows.start <= 10 and rows.stop >= 50 and columns.start <= 10 and columns.stop >= 60
        assert panels.piece(mask)[:2] == (10, 10)
        rows, columns = panels.crop_around(mask, (155, 285))
        assert rows.start <= 150 and rows.stop >= 160 and columns.start <= 280 and columns.stop >= 290
        assert mask[panels.middle(mask)] == 255

    def test_the_thinnest_scratch_is_outlined(self):
        mask = np.zeros((4000, 4000), np.uint8)
        mask[2001, 1000:3000] = 255
        black = np.zeros((200, 200, 3), np.uint8)
        gap = np.abs(panels.outline(black, mask).astype(int) - panels.OUTLINE).max(axis=2)
        assert (gap < 40).sum() > 90

    def test_a_small_anomaly_is_seen_inside_its_outline(self):
        mask = np.zeros((200, 200), np.uint8)
        mask[100:104, 100:105] = 255
        shown = np.full((200, 200, 3), 90, np.uint8)
        shown[mask > 0] = (9, 200, 33)
        drawn = panels.outline(shown, mask)
        assert np.array_equal(drawn[mask > 0], shown[mask > 0])
        around = (drawn == panels.OUTLINE).all(axis=2)
        assert around.sum() == 6 * 7 - 4 * 5 and (drawn != shown).any(axis=2).sum() == 8 * 9 - 4 * 5

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_what_changed_is_bright_and_the_rest_black(self, dtype):
        before = as_type(np.full((20, 20, 3), 100, np.uint8), dtype)
        after = before.copy()
        after[5:9, 5:9, 1] = 0
        change = panels.difference(before, after, panels.Shades(0, 1.0 if dtype == "float32" else np.iinfo(dtype).max))
        bright = change.astype(int).sum(axis=2)
        assert bright[5:9, 5:9].min() > 200 > 30 > bright[0].max()


class TestCommand:
    @pytest.mark.parametrize(
        ("command", "bare"),
        [
            (COMMAND, COMMAND),
            ("pail generate a b --preset draem", "pail generate a b"),
            ("pail generate a b --techniques SFI -n 3", "pail generate a b -n 3"),
            ("pail generate a b --techniques=cutpaste", "pail generate a b"),
            ("pail generate 'a --techniques x' b", "pail generate 'a --techniques x' b"),
            ("pail generate 'my parts' b --techniques x", "pail generate 'my parts' b"),
            ("pail generate 'open", "pail generate 'open"),
        ],
    )
    def test_without_techniques(self, command, bare):
        assert without_techniques(command) == bare


class TestEscaping:
    def test_hostile_names(self):
        assert "<" not in text(HOSTILE) and '"' not in text(HOSTILE) and "\n" not in text(HOSTILE)
        text(HOSTILE).encode("utf-8")

    def test_pages_hold_no_markup_of_a_name(self):
        name = HOSTILE
        line = {"image": name, "mask": name, "techniques": [name], "area": 0.1, "bbox": [0, 0, 3, 3], "visible": 1.0}
        line |= {"width": 9, "height": 9}
        page = report_page(name, [line], {}.__getitem__, skipped=[{name: name}], facts={name: name})
        page += preview_page(
            [photograph(16, 16)], techniques="cutpaste", command=f"pail generate {shlex.quote(name)} x"
        )
        page.encode("utf-8")
        assert "<img src=x" not in page
        assert html.escape("<img src=x onerror=alert(1)>") in page


class TestReport:
    def test_counts_samples_and_memory(self):
        pictures, opened = {}, []

        def read(path):
            opened.append(path)
            return pictures[path]

        page = report_page("set", make_lines(30, pictures), read, samples=2)
        assert "<dd>30</dd>" in page and "<dd>20</dd>" in page and "<dd>10</dd>" in page
        assert len(opened) == 2 * 2 * 2 + 2  # image and mask of two samples of two techniques, and two normal images
        assert page.count("<svg viewBox") == 3 and page.count('class="map"') == 3

    def test_what_fell_short_is_listed(self):
        page = report_page("set", [], {}.get, lacking=["val has no <scratch>"])
        assert "<li>val has no &lt;scratch&gt;</li>" in page
        assert "Fell short" in page and "Fell short" not in report_page("set", [], {}.get)

    def test_same_manifest_same_page(self):
        pictures = {}
        lines = [*make_lines(40, pictures)]
        assert report_page("set", lines, pictures.get) == report_page("set", iter(lines), pictures.get)

    def test_what_cannot_be_read_is_said(self):
        page = report_page("set", make_lines(4, {}), {}.__getitem__)
        assert page.count("cannot be read: &#x27;") == 4

    def test_empty_and_normal_only(self):
        assert "No anomalies." in report_page("set", [], {}.get)
        pictures = {}
        lines = [line for line in make_lines(9, pictures) if not line["techniques"]]
        assert "No anomalies." in report_page("set", lines, pictures.get)

    def test_pil_images_and_several_techniques(self):
        pictures = {}
        lines = [
            {**line, "techniques": ["cutpaste", "gone", "cutpaste"]} for line in make_lines(6, pictures) if line["mask"]
        ]
        page = report_page("set", lines, lambda path: Image.fromarray(np.squeeze(pictures[path])))
        assert "<h3>gone</h3>" in page and page.count('<p class="soft">4 images</p>') == 2
        assert "cannot be read" not in page

    def test_many_skipped_files_are_counted(self):
        page = report_page("set", [], {}.get, skipped=({"file": f"{i}.png", "error": "0 bytes"} for i in range(1500)))
        assert "Skipped files (1,500)" in page and "And 500 more." in page

    def test_samples_are_few_and_from_everywhere(self):
        sample = Sample(50)
        for i in range(5000):
            sample.add({"image": i, "record": "left out"})
        numbers = [line["image"] for line in sample]
        assert len(numbers) == 50 and numbers == sorted(numbers) and "record" not in next(iter(sample))
        assert all(np.histogram(numbers, 5, (0, 5000))[0] > 2)

    def test_positions_and_areas(self):
        tally = Tally(Sample(1))
        tally.add({"area": 0.25, "bbox": [50, 0, 50, 25], "visible": 1, "width": 100, "height": 50})
        assert tally.heat.sum() == GRID * GRID // 4 and tally.heat[: GRID // 2, GRID // 2 :].all()
        assert tally.quantile(0.5) == 0.25
        tally.add({"area": 0, "bbox": [99, 49, 1, 1], "visible": 1, "width": 100, "height": 50})
        assert tally.heat[-1, -1] == 1

    @pytest.mark.parametrize("exact", [10, 3])
    def test_quantiles_lie_between_the_areas(self, monkeypatch, exact):
        monkeypatch.setattr(report, "EXACT", exact)
        tally = Tally(Sample(1))
        for area in (0.0207, 0.0204, 0.0209, 0.0206, 0.0208):
            tally.add({"area": area, "bbox": [0, 0, 9, 9], "visible": 1, "width": 100, "height": 50})
        found = [tally.quantile(share) for share in (0.05, 0.5, 0.95)]
        assert 0.0204 <= found[0] <= found[1] <= found[2] <= 0.0209
        assert exact < 5 or found == [0.0204, 0.0207, 0.0209]


@contextmanager
def browser_page(path, errors, requests, **settings):
    """A page in a real Chromium, with what it says and asks for."""
    sync_api = need("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=need("chromium"), args=ARGUMENTS)
        page = browser.new_page(**settings)
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        yield page
        browser.close()


def only_itself(path, requests):
    return [url for url in requests if url != path.as_uri() and not url.startswith("data:")] == []


@pytest.fixture(scope="module")
def preview_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("preview") / "preview.html"
    sources = [photograph(80, 80, 5)]
    page = preview_page(
        [photograph(96, 128)], sources, severities=(0.5, 1), command=f"{COMMAND} --techniques SFI,SBI,hybrid"
    )
    path.write_text(page, encoding="utf-8")
    return path


@pytest.mark.browser
@pytest.mark.slow
class TestBrowser:
    def test_ticks_and_command(self, preview_file):
        errors, requests = [], []
        with browser_page(preview_file, errors, requests) as page:
            line = page.locator("#command")
            assert line.inner_text() == f"{COMMAND} --techniques SFI,SBI,hybrid"
            assert page.locator(".cell:visible").count() == 3 * len(NAMES)
            page.get_by_label("fract_aug", exact=True).uncheck()
            assert line.inner_text() == f"{COMMAND} --techniques {','.join(n for n in NAMES if n != 'fract_aug')}"
            assert page.locator(".cell:visible").count() == 3 * (len(NAMES) - 1)
            page.get_by_role("button", name="Tick none").click()
            assert line.inner_text() == "Tick at least one technique." and page.locator("#copy").is_disabled()
            page.get_by_label("cutpaste", exact=True).check()
            page.get_by_label("superpixel_anomaly", exact=True).check()
            assert line.inner_text() == f"{COMMAND} --techniques cutpaste,superpixel_anomaly"
            page.get_by_role("button", name="Tick all").click()
            assert line.inner_text() == f"{COMMAND} --techniques SFI,SBI,hybrid"
        assert errors == [] and only_itself(preview_file, requests)

    def test_weights_stay_with_the_techniques_that_are_ticked(self, tmp_path):
        path = tmp_path / "preview.html"
        page = preview_page(
            [photograph(64, 64)],
            techniques=["cutpaste", "scratch", "dent"],
            severities=(1,),
            weights={"cutpaste": 2.0, "scratch": 0.5, "dent": 0.5},
            command=COMMAND,
            narrowed="pail generate parts/ set/ --recipe preview.toml",
        )
        path.write_text(page, encoding="utf-8")
        errors = []
        with browser_page(path, errors, []) as page:
            line = page.locator("#command")
            page.get_by_label("dent", exact=True).uncheck()
            bare = "pail generate parts/ set/ --recipe preview.toml"
            assert line.inner_text() == f"{bare} --techniques cutpaste=2.0,scratch=0.5"
            page.get_by_label("cutpaste", exact=True).uncheck()
            page.get_by_label("dent", exact=True).check()
            assert line.inner_text() == f"{bare} --techniques scratch,dent"
        assert errors == []

    def test_copy(self, preview_file):
        errors = []
        with browser_page(preview_file, errors, []) as page:
            page.get_by_role("button", name="Copy").click()
            page.wait_for_function("document.getElementById('said').textContent === 'Copied'")
            page.evaluate("document.body.insertAdjacentHTML('beforeend', '<textarea></textarea>')")
            page.locator("textarea").focus()
            page.keyboard.press("Control+V")
            assert page.locator("textarea").input_value() == page.locator("#command").inner_text()
        assert errors == []

    def test_enlarges_by_mouse_and_keyboard(self, preview_file):
        errors = []
        with browser_page(preview_file, errors, []) as page:
            page.locator(".cell").nth(2).click()
            assert page.locator("#large-title").inner_text() == "cutpaste, severity 1"
            pictures = page.locator("#large img")
            assert pictures.count() == 3 and pictures.first.bounding_box()["width"] > 350
            assert page.evaluate(
                "[...document.querySelectorAll('#large img')].every(image => image.naturalWidth > 100)"
            )
            page.keyboard.press("ArrowRight")
            assert page.locator("#large-title").inner_text() == "cutpaste_scar, papers' defaults"
            page.keyboard.press("Escape")
            assert not page.locator("#large").is_visible()
            assert page.evaluate("document.activeElement.dataset.title") == "cutpaste_scar, papers' defaults"
            page.keyboard.press("Enter")
            assert page.locator("#large").is_visible()
            page.get_by_role("button", name="Close").click()
            page.locator("input").first.focus()
            page.keyboard.press("Space")
            assert "cutpaste" not in re.split("[ ,]", page.locator("#command").inner_text())
        assert errors == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_fits_a_phone(self, preview_file, scheme):
        settings = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme}
        with browser_page(preview_file, [], [], **settings) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            colors = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
            ink, paper = (int(re.search(r"\d+", c)[0]) for c in page.evaluate(colors))
            assert (ink > paper) == (scheme == "dark") and abs(ink - paper) > 180

    def test_report(self, tmp_path):
        pictures, errors, requests = {}, [], []
        lines = [*make_lines(30, pictures)]
        skipped = [{"file": HOSTILE, "error": "truncated"}]
        path = tmp_path / "report.html"
        path.write_text(report_page(HOSTILE, lines, pictures.get, skipped=skipped), encoding="utf-8")
        with browser_page(path, errors, requests, viewport={"width": 360, "height": 740}) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            assert page.locator("h1").inner_text() == "<img src=x onerror=alert(1)>\"'&\\n\\udcff.png"
            assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
            page.locator(".cell").first.click()
            assert page.locator("#large img").count() == 3
        assert errors == [] and only_itself(path, requests)


class TestOptional:
    def test_a_missing_one_skips_by_name_or_fails(self, monkeypatch):
        monkeypatch.delenv("PAIL_TEST_ALL", raising=False)
        monkeypatch.delenv("CHROMIUM", raising=False)
        monkeypatch.setenv("PATH", "")
        with pytest.raises(pytest.skip.Exception, match=r"needs chromium .apt-get install chromium"):
            need("chromium")
        with pytest.raises(pytest.skip.Exception, match=r"needs no_such_module .pip install no_such_module"):
            need("no_such_module")
        monkeypatch.setenv("PAIL_TEST_ALL", "1")
        with pytest.raises(pytest.fail.Exception, match="needs chromium"):
            need("chromium")
        assert need("numpy") is np
