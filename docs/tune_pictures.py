"""Writes the pictures of docs/tune.md from the page itself: python docs/tune_pictures.py (extras app and browser)."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
FRAMES = (1200, 720)  # width and height of the page in the animated picture
SHOWN = (900, 540)  # ... and of the picture
QUALITY = 82
COINS, SEED = 1, 139  # the image that is shown, and the seed
COIN = [(0.42, 0.5), (0.5, 0.44), (0.55, 0.52), (0.48, 0.6), (0.44, 0.54), (0.5, 0.52)]  # a stroke over one of them
NAMES = ("tune.jpg", "tune-region.jpg", "tune-make.jpg", "tune-export.jpg", "tune-phone.jpg")


@contextmanager
def chromium(width: int, height: int, said: list[str], asked: list[str], **settings: Any) -> Iterator[Any]:
    """A page in a real browser, with the errors that it reports and the addresses that it requests."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height}, **settings)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        yield page
        browser.close()


def opened(page: Any, url: str) -> None:
    """Wait until the first anomaly and its sheet are shown."""
    page.goto(url)
    page.wait_for_selector(".pail-parts", timeout=90_000)
    settled(page)


def settled(page: Any) -> None:
    """Wait until the sheet was updated after a change, or shows an error."""
    page.wait_for_timeout(350)
    page.wait_for_function(
        "document.querySelectorAll('.pail-sheet img, .pail-sheet .pail-error').length === 12 || "
        "document.querySelector('#pail-draws .pail-error')",
        timeout=60_000,
    )
    page.wait_for_timeout(350)


def choose(page: Any, image: int, technique: str) -> None:
    """Choose an image and a technique, and unfold its parameters."""
    page.locator(f"#pail-images input[value='{image}']").check(force=True)
    page.locator(f"#pail-techniques input[value='{technique}']").check()
    unfold(page, "expert")
    settled(page)


def unfold(page: Any, key: str) -> None:
    """Open a group of controls, unless it is open."""
    button = page.locator(f"#pail-fold-{key} button")
    if button.get_attribute("aria-expanded") != "true":
        button.click()


def handle(page: Any, key: str, which: int = 0) -> Any:
    return page.locator(f"#pail-{key} input[type=range]").nth(which)


def drag(page: Any, key: str, to: float, which: int = 0, steps: int = 12, each: Any = None) -> None:
    """Take a handle with the mouse to a place from 0 to 1; `each` is called at every step."""
    slider = handle(page, key, which)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    start = float(slider.input_value()) / 1000
    middle, length, y = box["x"] + 9, box["width"] - 18, box["y"] + box["height"] / 2
    page.mouse.move(middle + start * length, y)
    page.mouse.down()
    for step in range(1, steps + 1):
        page.mouse.move(middle + (start + (to - start) * step / steps) * length, y)
        if each is not None:
            each()
    page.mouse.up()


def paint(page: Any, strokes: list[list[tuple[float, float]]], each: Any = None) -> None:
    """Strokes on the canvas, in fractions of its sides."""
    canvas = page.locator("#pail-painter canvas")
    canvas.scroll_into_view_if_needed()
    for stroke in strokes:
        box = canvas.bounding_box()
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=5)
            if each is not None:
                each()
        page.mouse.up()


def latency(page: Any, key: str) -> float:
    """Milliseconds from a key on a handle to the frame in which the new result is drawn."""
    page.wait_for_timeout(900)  # the sheet of the change before has been made
    handle(page, key).focus()
    page.evaluate(
        """() => {
          window.shownAfter = null;
          const press = () => { window.pressed = performance.now(); };
          document.addEventListener('keydown', press, {once: true, capture: true});
          const observer = new MutationObserver(async () => {
            observer.disconnect();
            await document.querySelector('.pail-result img').decode();
            requestAnimationFrame(() => { window.shownAfter = performance.now() - window.pressed; });
          });
          observer.observe(document.querySelector('#pail-main'), {childList: true, subtree: true});
        }"""
    )
    page.keyboard.press("ArrowRight")
    page.wait_for_function("window.shownAfter !== null", timeout=30_000)
    return float(page.evaluate("window.shownAfter"))


def screenshots(url: str, folder: Path, out: Path) -> list[str]:
    """The pictures of the page, which makes a small data set in `out`; returns the errors that the browser reported."""
    said: list[str] = []
    with chromium(1280, 900, said, []) as page:
        opened(page, url)
        look_at(page, COINS, "stain", SEED)
        drag(page, "severity", 0.03)
        drag(page, "severity", 0.65, which=1)
        settled(page)
        _shoot(page, folder / "tune.jpg")
        page.locator("#pail-region input[value=painted]").check()
        page.wait_for_selector("#pail-main .pail-hint")
        paint(page, [COIN])
        settled(page)
        _shoot(page, folder / "tune-region.jpg", "#pail-region")
        page.locator("#pail-region input[value=auto]").check()
        _fill_collection(page)
        page.locator("#pail-sheet-images input[value=folder]").check()
        page.locator("#pail-out").locator("textarea, input").fill(str(out))
        page.locator("#pail-number input").fill("20")
        page.locator("#pail-make").click()
        page.wait_for_selector(".pail-report", timeout=60_000)
        settled(page)
        _shoot(page, folder / "tune-make.jpg", "#pail-collection", -70)
        page.locator("#pail-export").click()
        page.wait_for_selector("#pail-python textarea", timeout=60_000)
        page.wait_for_timeout(600)
        _shoot(page, folder / "tune-export.jpg", "#pail-export", -40)
    with chromium(390, 844, said, [], device_scale_factor=2, has_touch=True, is_mobile=True) as page:
        opened(page, url)
        look_at(page, COINS, "stain", SEED)
        drag(page, "severity", 0.03)
        drag(page, "severity", 0.65, which=1)
        settled(page)
        _shoot(page, folder / "tune-phone.jpg", "#pail-region", -480)
    return said


def look_at(page: Any, image: int, technique: str, seed: int) -> None:
    """An image, a technique and a seed, with everything else folded."""
    page.locator(f"#pail-images input[value='{image}']").check(force=True)
    page.locator(f"#pail-techniques input[value='{technique}']").check()
    unfold(page, "more")
    page.locator("#pail-seed input").fill(str(seed))
    page.locator("#pail-fold-more button").click()
    settled(page)


def _shoot(page: Any, path: Path, top: str = "body", below: int = 0) -> None:
    """A picture with an element at the top, or some pixels farther down."""
    box = "scrollY + document.querySelector(top).getBoundingClientRect().y"
    page.evaluate(f"([top, below]) => window.scrollTo(0, {box} + below)", [top, below])
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    page.screenshot(path=path, type="jpeg", quality=QUALITY)


def _fill_collection(page: Any) -> None:
    page.locator("#pail-weight input").fill("2")
    for technique in ("stain", "scratch", "pitting"):
        page.locator(f"#pail-techniques input[value='{technique}']").check()
        settled(page)
        page.locator("#pail-add").click()
        page.wait_for_selector(f".pail-row[data-name={technique}]")
        settled(page)
        page.locator("#pail-weight input").fill("1")


def animation(url: str, file: Path) -> list[str]:
    """A faint stain grows, a region is painted, and the outline goes and comes back."""
    said: list[str] = []
    frames: list[Image.Image] = []
    times: list[int] = []
    with chromium(*FRAMES, said, []) as page:
        opened(page, url)
        look_at(page, COINS, "stain", SEED)
        drag(page, "severity", 0.03)
        drag(page, "severity", 0.06, which=1)
        settled(page)

        def shoot(duration: int = 180, wait: int = 350) -> None:
            page.wait_for_timeout(wait)
            frames.append(
                Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)
            )
            times.append(duration)

        page.evaluate("window.scrollTo(0, document.querySelector('#pail-bench').offsetTop - 8)")
        shoot(1200)
        drag(page, "severity", 0.66, which=1, steps=12, each=shoot)
        settled(page)
        shoot(900)
        page.locator("#pail-region input[value=painted]").check()
        page.wait_for_selector("#pail-main .pail-hint")
        shoot(700, 700)
        paint(page, [COIN], each=lambda: shoot(140, 100))
        page.wait_for_selector("#pail-main .pail-parts")
        settled(page)
        shoot(1400)
        page.locator("#pail-outline").uncheck()
        shoot(1500)
        page.locator("#pail-outline").check()
        shoot(1500)
    frames[0].save(
        file, save_all=True, append_images=frames[1:], duration=times, loop=0, quality=60, method=4, minimize_size=True
    )
    return said


def main() -> int:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    from pail.app import tune

    folder = Path(tempfile.gettempdir()) / "pail"  # the pictures show it
    shutil.rmtree(folder, ignore_errors=True)
    for name, target in (("example_img", "parts"), ("anom_source_imgs", "textures")):
        shutil.copytree(name, folder / target)
    os.chdir(folder)
    page = tune(folder / "parts", source=folder / "textures", browser=False, wait=False)
    try:
        said = screenshots(page.local_url, PICTURES, folder / "set")
        said += animation(page.local_url, PICTURES / "tune.webp")
    finally:
        page.close()
    for name in (*NAMES, "tune.webp"):
        sys.stdout.write(f"{name}: {(PICTURES / name).stat().st_size / 1024:.0f} KB\n")
    sys.stdout.write("".join(f"{line}\n" for line in said))
    return len(said)


if __name__ == "__main__":
    sys.exit(main())
