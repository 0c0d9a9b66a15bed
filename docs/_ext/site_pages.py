"""The generated pages of the site: README, changelog, contributing, guides, notebooks and techniques."""

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import technique_pages
from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx

from pail import ELEVEN

# The guides in the order of a user's work, and the texts of their cards; other pages under docs/ follow.
GUIDES = {
    "tune": "Look first: sliders in the browser, your images, and a recipe at the end.",
    "datasets": "Labeled folders for anomalib, YOLO and COCO with one command, on one machine or many.",
    "training": "New anomalies in every epoch with PyTorch, torchvision and albumentations.",
    "real-defects": "Cut your own defects out of photographs, and paste them elsewhere.",
    "choosing": "Which technique for which defect, and how to check the choice.",
    "control": "Where an anomaly is placed, how strong it is, which technique makes it, and how to reproduce it.",
    "defects": "Scratches, cracks, stains and five more, drawn from their geometry.",
    "presets": "Reproduce the training data of a paper.",
    "large-images": "Tiles, 12 and 16 bits, windows of values, TIFF files with several pages.",
    "your-own-technique": "Register a function of your own for a defect that only your parts have.",
    "faq": "Installation, sources, colors, seeds, speed and licenses.",
    "detection": "How detectors trained with pseudo-anomalies find real defects, measured.",
    "performance": "How long a call takes, and what changes it.",
    "fidelity": "Where techniques differ from their papers, and the keywords that restore the paper's values.",
    "citation": "The papers behind the techniques.",
    "credits": "Where the bundled photographs come from, and under which licenses.",
}
NOTEBOOKS = {  # in the order of their menu
    "quickstart": "Every technique once, in a few cells.",
    "your_own_data_set": "Look, choose, generate and check, in ten minutes.",
    "training": "Train, set the threshold, and look at heat maps.",
}
NO_GUIDES = ("index", "start", "guides", "notebooks", "changelog", "contributing")
FROM_ROOT = {"README.md": "start", "CHANGELOG.md": "changelog", "CONTRIBUTING.md": "contributing"}
LINK = re.compile(r"(\]\(|(?:src|href)=\")([^)\s\"]+)")
FENCE = re.compile(r"(^```.*?^```$)", re.M | re.S)


def example_order(file: str) -> tuple[int, str]:
    """The position of an example in the gallery: first the techniques in the order of the registry, then the rest by
    name."""
    names = [f"plot_{name}.py" for name in ELEVEN]
    return (names.index(file) if file in names else len(names), file)


def for_the_site(text: str, from_root: bool = False) -> str:
    """A page with its relative links converted for the site; code is unchanged."""

    def link(match: re.Match[str]) -> str:
        before, target = match.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return match[0]
        if from_root:
            target = target.removeprefix("docs/") if target.startswith("docs/") else f"../{target}"
        for file, page in FROM_ROOT.items():
            target = target.replace(f"../{file}", f"{page}.md")
        return before + target.replace("../examples/notebooks/", "notebooks/")

    parts = FENCE.split(text)
    return "".join(part if index % 2 else LINK.sub(link, part) for index, part in enumerate(parts))


def plain_figures(gallery: object, file: str) -> None:
    """Before each example: its figures stand on the page itself, be it light or dark."""
    plt.style.use(Path(__file__).resolve().parents[1] / "figures.mplstyle")


def title_of(page: Path) -> str:
    """The heading of a page."""
    title = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.M)
    return title[1] if title else page.stem


def guides(docs: Path) -> list[str]:
    """The names of the existing guides, in the order of the menu."""
    there = {page.stem for page in docs.glob("*.md")} - set(NO_GUIDES)
    return [name for name in GUIDES if name in there] + sorted(there - GUIDES.keys())


def guides_page(docs: Path) -> str:
    """A card for each guide."""
    lines = ["# Guides", "", "::::{container} cards"]
    for name in guides(docs):
        title = title_of(docs / f"{name}.md")
        lines += [":::{container} card", f"**[{title}]({name}.md)**", "", GUIDES.get(name, ""), ":::"]
    return "\n".join([*lines, "::::", "", "```{toctree}", ":hidden:", "", *guides(docs), "```", ""])


def notebooks_page(docs: Path) -> str:
    """A card and a download for each notebook. Notebooks are copied to where they become pages."""
    folder = docs / "notebooks"
    folder.mkdir(exist_ok=True)
    files = {path.stem: path for path in (docs.parent / "examples" / "notebooks").glob("*.ipynb")}
    names = [name for name in NOTEBOOKS if name in files] + sorted(files.keys() - NOTEBOOKS.keys())
    lines = ["# Notebooks", "", "They run without changes, inside and outside of the project's folder.", ""]
    lines += ["::::{container} cards"]
    for name in names:
        copied = folder / f"{name}.ipynb"
        text = files[name].read_text(encoding="utf-8")
        copied.write_text(re.sub(r"\]\(\.\./(?!\.\./)", "](../../examples/", text), encoding="utf-8")
        title = next(line for line in json.loads(text)["cells"][0]["source"] if line.startswith("# "))[2:].strip()
        lines += [":::{container} card", f"**[{title}](notebooks/{name}.ipynb)**", "", NOTEBOOKS.get(name, ""), ":::"]
    lines += ["::::", "", "To run one: ", ""]
    lines += [f"- {{download}}`{name}.ipynb <../examples/notebooks/{name}.ipynb>`" for name in names]
    return "\n".join([*lines, "", "```{toctree}", ":hidden:", "", *(f"notebooks/{name}" for name in names), "```", ""])


def write_pages(app: Sphinx) -> None:
    """Write what is made at build time; after sphinx-gallery, whose pictures the pages show."""
    docs = Path(app.srcdir)
    for file, page in FROM_ROOT.items():
        text = for_the_site((docs.parent / file).read_text(encoding="utf-8"), from_root=True)
        (docs / f"{page}.md").write_text(text, encoding="utf-8")
    (docs / "guides.md").write_text(guides_page(docs), encoding="utf-8")
    (docs / "notebooks.md").write_text(notebooks_page(docs), encoding="utf-8")
    for name in technique_pages.TECHNIQUES:  # a whole figure as small as a thumbnail shows nothing
        thumb = docs / technique_pages.IMAGES / "thumb" / f"sphx_glr_plot_{name}_thumb.png"
        if thumb.exists() and technique_pages.picture(docs, name).exists():
            Image.open(technique_pages.picture(docs, name)).save(thumb)
    technique_pages.write(docs)


def read_page(app: Sphinx, name: str, content: list[str]) -> None:
    """Convert links of pages under docs/, which work on GitHub, to pages of the site."""
    if Path(app.env.doc2path(name)).suffix == ".md" and name not in FROM_ROOT.values():
        content[0] = for_the_site(content[0])


def leave_plain(app: Sphinx, env: object, node: nodes.Element, content: nodes.Element) -> nodes.Element | None:
    """Text in single backticks that is not a name of the API, such as a parameter, stays code. Typed roles still
    warn."""
    return content if node.get("reftype") == "obj" else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_pages, priority=900)
    app.connect("source-read", read_page)
    app.connect("missing-reference", leave_plain, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
