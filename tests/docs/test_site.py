"""The documentation site: built without a warning, and read in a browser at two widths, in light and in dark."""

import functools
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from common import NAMES
from filelock import FileLock
from optional import need

import pail
from pail.references import BY_TECHNIQUE
from pail.registry import is_own

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.browser, pytest.mark.slow]
ALL = [name for name in pail.TECHNIQUES if not is_own(name)]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("plot_*.py"))
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
MODULES = {"masks", "roi", "__version__"}  # public names that are no classes or functions
SCREENS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# What a page looks like once all of its pictures are there.
LOOK = """async () => {
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map(i => i.complete || new Promise(r => { i.onload = i.onerror = r; })));
  const root = document.documentElement;
  window.scrollTo(5000, 0);
  const reached = window.scrollX;
  window.scrollTo(0, 0);
  const channels = color => (color.match(/[0-9.]+/g) || []).map(Number);
  const light = color => channels(color).slice(0, 3)
    .map(v => v / 255).map(v => v <= 0.04 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => {
    const color = e ? getComputedStyle(e).backgroundColor : "rgb(255, 255, 255)";
    return (channels(color)[3] ?? 1) > 0.9 ? color : ground(e.parentElement);
  };
  const faint = () => [...document.querySelectorAll("main :is(p, li, td, th, dt, h1, h2, a, code)")].filter(e => {
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
    return e.innerText && (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 3;
  }).map(e => e.innerText.slice(0, 40));
  return {
    theme: root.dataset.theme,
    ground: getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number),
    missing: [...document.images].filter(i => i.naturalWidth === 0).map(i => i.src),
    unnamed: [...document.images].filter(i => !i.hasAttribute("alt")).map(i => i.src),
    faint: faint(),
    cut: [...document.querySelectorAll("main :is(pre, .pst-scrollable-table-container, .wide-picture)")]
      .filter(e => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 60)),
    wider: Math.max(reached, root.scrollWidth - root.clientWidth),
  };
}"""


class Page(HTMLParser):
    """The links of a page, and its anchors."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        self.links += [found[key] for key in ("href", "src") if found.get(key)]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The built site: the one that PAIL_SITE names, or one that is built once for all workers."""
    if os.environ.get("PAIL_SITE"):
        return ROOT / os.environ["PAIL_SITE"]
    for module in ("sphinx", "sphinx_gallery", "numpydoc", "pydata_sphinx_theme", "myst_nb", "matplotlib"):
        need(module)
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(base / "site.lock"):
        if not (base / "site" / "index.html").exists():
            command = [sys.executable, str(ROOT / "docs" / "build.py"), str(base / "site")]
            run = subprocess.run(command, cwd=base, capture_output=True, text=True)
            assert run.returncode == 0, run.stdout + run.stderr
    return base / "site"


@pytest.fixture(scope="session")
def pages(site):
    """The pages of the site by their paths."""
    paths = [path for path in site.rglob("*.html") if "_static" not in path.parts]  # the theme keeps a template there
    return {path.relative_to(site).as_posix(): Page(path) for path in paths}


@pytest.fixture(scope="session")
def server(site):
    """The address of the site on a web server of this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()


@contextmanager
def browser_page(faults, **settings):
    """A page of Chromium; errors and requests to other hosts are added to `faults`."""
    sync_api = need("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=need("chromium"), args=ARGUMENTS)
        page = browser.new_page(**settings)
        page.set_default_timeout(20_000)
        page.on("console", lambda m: faults.append(f"{page.url}: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
        page.on("response", lambda answer: faults.append(f"{page.url}: {answer.url}") if answer.status >= 400 else None)
        page.on("request", lambda request: faults.append(request.url) if not is_here(request.url) else None)
        yield page
        browser.close()


def is_here(url):
    return urlsplit(url).hostname in (None, "127.0.0.1")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_in_a_browser(screen, theme, server, pages):
    """No error, no request to another host, no missing picture, and no horizontal scrolling."""
    faults = []
    with browser_page(faults, viewport=SCREENS[screen], color_scheme=theme) as page:
        for path in pages:
            page.goto(server + path)
            look = page.evaluate(LOOK)
            assert look["theme"] == theme, path
            assert (sum(look["ground"]) > 3 * 128) == (theme == "light"), path
            assert look["missing"] == [] and look["unnamed"] == [], path
            assert look["faint"] == [], f"text that is hard to read in {path}"
            assert look["cut"] == [], f"code, a table or a picture that is cut off in {path}"
            assert look["wider"] <= 0, f"{path} is {look['wider']} pixels wider than the {screen}"
    assert faults == []


def test_every_link_leads_somewhere(site, pages):
    """Links point to existing files of the site, and to existing anchors."""
    checked, broken = 0, []
    for path, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(urljoin(f"http://site/{path}", link))
            if urlsplit(target).netloc != "site" or not target.startswith("http"):
                continue
            file = unquote(urlsplit(target).path).lstrip("/")
            file = f"{file}index.html" if file.endswith("/") or not file else file
            there = (site / file).is_file() and (not anchor or unquote(anchor) in pages[file].anchors)
            checked += 1
            broken += [] if there else [f"{path}: {link}"]
    assert broken == [] and checked > 1000


def test_no_page_is_forgotten(site, pages):
    """Each guide, technique and example exists, and can be reached from the landing page."""
    guides = {path.stem for path in (ROOT / "docs").glob("*.md")}
    wanted = {f"{name}.html" for name in guides | {"start", "changelog", "contributing", "guides", "notebooks"}}
    wanted |= {f"maintainers/{path.stem}.html" for path in (ROOT / "docs" / "maintainers").glob("*.md")}
    wanted |= {f"techniques/{name}.html" for name in ALL} | {f"auto_examples/{name}.html" for name in EXAMPLES}
    wanted |= {f"notebooks/{path.stem}.html" for path in NOTEBOOKS}
    assert wanted <= set(pages)
    reached, front = {"index.html"}, ["index.html"]
    while front:
        path = front.pop()
        targets = {urlsplit(urljoin(f"http://site/{path}", link)) for link in pages[path].links}
        new = {t.path.lstrip("/") for t in targets if t.netloc == "site"} & set(pages) - reached
        reached |= new
        front += new
    assert wanted <= reached


def test_every_public_name_is_documented(pages):
    anchors = set().union(*(page.anchors for page in pages.values()))
    names = {f"pail.{name}" for name in set(pail.__all__) - MODULES}
    names |= {f"pail.Anomaly_Insertion.{name}" for name in (*ALL, "insert", "affine_anom_color_change")}
    names |= {"pail.roi.foreground", "pail.masks.difference", "pail.masks.soft", "pail.torch.PseudoAnomalyDataset"}
    assert names - anchors == set(), "each public name has a line under docs/api/"


@pytest.mark.parametrize("name", NAMES)
def test_a_technique_has_its_cost_paper_and_differences(name, site, pages):
    html = (site / "techniques" / f"{name}.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", html)
    bench = (ROOT / "docs" / "maintainers" / "performance.md").read_text(encoding="utf-8")
    for size in ("256x256", "1024x1024"):
        gray, rgb = re.findall(rf"^\| {name} \| {size} \| \w+ \| ([\d.]+) ", bench, re.M)
        assert re.search(rf"{size}\s+{re.escape(gray)}\s+{re.escape(rgb)}\s", text), size
    paper = BY_TECHNIQUE[name]
    assert paper.doi in html and paper.key in text and paper.authors[-1].split(",")[0] in text
    url = pail.TECHNIQUES[name].url
    assert url in pages[f"techniques/{name}.html"].links
    fidelity = (ROOT / "docs" / "maintainers" / "fidelity.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\|[^|]*`{name}`[^|]*\| ([\w ]{{12,}})", fidelity, re.M)
    assert rows and all(row.strip() in text for row in rows)
    assert all(heading in text for heading in ("When to use it", "It looks like", "Do not use it", "Parameters"))
    if f"plot_{name}" in EXAMPLES:
        assert f"sphx_glr_plot_{name}_001.png" in html and f"auto_examples/plot_{name}.html" in html


def test_types_lead_to_the_documentation_of_numpy_and_pillow(pages):
    links = pages["techniques/cutpaste.html"].links
    assert "https://numpy.org/doc/stable/reference/generated/numpy.ndarray.html#numpy.ndarray" in links
    assert any(link.endswith("Image.html#PIL.Image.Image") for link in links)


@pytest.mark.parametrize("name", [name for name in ALL if name not in NAMES])
def test_a_technique_beyond_the_eleven_has_its_pictures_and_words(name, site, pages):
    html = (site / "techniques" / f"{name}.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", html)
    assert all(heading in text for heading in ("When to use it", "It looks like", "Do not use it", "Parameters"))
    assert name not in BY_TECHNIQUE or BY_TECHNIQUE[name].key in text
    shown = set(re.findall(r"_images/(sphx_glr_plot_\w+_\d{3}\.png)", html))
    example = "plot_defects" if pail.TECHNIQUES[name].family == "defects" else f"plot_{name}"
    assert shown and all(file.startswith(f"sphx_glr_{example}_") for file in shown)
    assert f"../auto_examples/{example}.html" in pages[f"techniques/{name}.html"].links


def test_each_named_defect_shows_its_own_figure(site):
    names = [name for name in ALL if pail.TECHNIQUES[name].family == "defects"]
    pattern = r"_images/(sphx_glr_plot_defects_\d{3}\.png)"
    shown = [set(re.findall(pattern, (site / "techniques" / f"{name}.html").read_text())) for name in names]
    assert shown == [{f"sphx_glr_plot_defects_{number:03}.png"} for number in range(1, len(names) + 1)]


def test_the_landing_page_shows_picture_and_lines_and_leads_to_each_technique(site, pages):
    html = (site / "index.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", html)
    assert (
        "_images/part.webp" in html and "pip install" in text and "insertion.crack" in text and "detection.html" in html
    )
    assert {f"techniques/{name}.html" for name in ALL} <= set(pages["index.html"].links)
    assert all(f"_images/{name}.jpg" in html for name in ALL)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_a_page_with_its_pictures_and_a_download_that_is_the_file(path, site, pages):
    html = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
    stored = sum(
        "image/jpeg" in output.get("data", {})
        for cell in json.loads(path.read_text())["cells"]
        for output in cell.get("outputs", [])
    )
    assert stored and html.count("<img") >= stored
    downloads = [link for link in pages["notebooks.html"].links if link.endswith(f"{path.stem}.ipynb")]
    assert downloads and (site / downloads[0]).read_bytes() == path.read_bytes()


def test_the_guides_are_in_the_order_of_a_users_work(pages):
    order = ["tune", "datasets", "training", "real-defects", "choosing", "presets", "large-images", "faq"]
    links = [link.removesuffix(".html") for link in pages["guides.html"].links]
    places = [links.index(name) for name in order]
    assert places == sorted(places)


def test_a_picture_leads_to_its_full_size_and_a_wide_table_becomes_a_list_on_a_phone(server):
    faults = []
    with browser_page(faults, viewport=SCREENS["phone"]) as page:
        page.goto(f"{server}presets.html")
        cell = page.locator("table.stacked tbody tr").first.locator("td").first
        assert cell.get_attribute("data-label") == "preset" and cell.is_visible()
        page.goto(server)
        link = page.locator(".wide-picture a").first
        assert link.get_attribute("href").endswith("/_images/part.webp")
        assert link.locator("img").evaluate("image => image.naturalWidth") > 1000
    assert faults == []


@pytest.mark.parametrize("screen", SCREENS)
def test_search_finds_a_page(screen, server):
    faults = []
    with browser_page(faults, viewport=SCREENS[screen]) as page:
        page.goto(server)
        page.locator(".search-button:visible, .search-button-field:visible").first.click()
        page.locator("#pst-search-dialog input[type=search]").fill("superpixel")
        page.keyboard.press("Enter")
        page.locator("#search-results li a", has_text="superpixel_anomaly").first.click()
        page.wait_for_url("**/superpixel_anomaly.html*")
    assert faults == []


def test_search_works_from_the_disk(site):
    """Without a web server, as when the folder is unpacked and index.html is opened."""
    with browser_page([]) as page:
        page.goto(f"{(site / 'search.html').as_uri()}?q=severity")
        page.locator("#search-results li a", has_text="Control").first.click()
        page.wait_for_url("**/control.html*")


def test_links_of_a_page_hold_on_github_and_on_the_site():
    need("sphinx")
    sys.path.insert(0, str(ROOT / "docs" / "_ext"))
    try:
        from site_pages import for_the_site
    finally:
        sys.path.pop(0)
    code = "```python\nsee[0](docs/control.md)\n```\n"
    readme = "[a](docs/control.md#where) ![b](docs/pictures/mix.webp) [c](LICENSE) [d](https://x.org/a.md) [e](#f)\n"
    made = "[a](control.md#where) ![b](pictures/mix.webp) [c](../LICENSE) [d](https://x.org/a.md) [e](#f)\n"
    assert for_the_site(readme + code, from_root=True) == made + code
    assert for_the_site("[a](../README.md#b) [c](../CHANGELOG.md)") == "[a](start.md#b) [c](changelog.md)"
    assert for_the_site("[a](../examples/notebooks/training.ipynb)") == "[a](notebooks/training.ipynb)"
    assert for_the_site('<img src="docs/pictures/mix.webp">', from_root=True) == '<img src="pictures/mix.webp">'


def test_the_citation_names_this_version_and_the_paper():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {pail.__version__}\n" in text
    paper = BY_TECHNIQUE["affined_anomlay"]
    said = dict(re.findall(r'^  (\w+): "?(.*?)"?$', text, re.M))
    expected = {"title": paper.title, "journal": paper.venue, "volume": paper.volume, "doi": paper.doi}
    expected |= dict(zip(("start", "end"), paper.pages.split("-"), strict=True), year=str(paper.year))
    assert {name: said[name] for name in expected} == expected
    families, given = (re.findall(rf"{key}-names: (.*)", text) for key in ("family", "given"))
    assert paper.authors == tuple(f"{family}, {name}" for family, name in zip(families, given, strict=True))
