"""The pages of the site that are made of something else: README, changelog, contributing, guides and techniques."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import technique_pages
from docutils import nodes
from PIL import Image, ImageOps
from sphinx.application import Sphinx

from pail import TECHNIQUES

# The guides in the order of the menu; pages under docs/ that are not named follow.
GUIDES = (
    "control",
    "your-own-technique",
    "datasets",
    "training",
    "tune",
    "choosing",
    "detection",
    "performance",
    "fidelity",
    "architecture",
    "credits",
)
NO_GUIDES = ("index", "start", "guides", "changelog", "contributing", "release")
FROM_ROOT = {"README.md": "start", "CHANGELOG.md": "changelog", "CONTRIBUTING.md": "contributing"}
CARD, GAP = 300, 6  # pixels of a panel on a technique's card, and between the two
LINK = re.compile(r"(\]\(|(?:src|href)=\")([^)\s\"]+)")
FENCE = re.compile(r"(^```.*?^```$)", re.M | re.S)


def example_order(file: str) -> tuple[int, str]:
    """Where an example stands in the gallery: the techniques as they are registered, then the rest by name."""
    names = [f"plot_{name}.py" for name in TECHNIQUES]
    return (names.index(file) if file in names else len(names), file)


def keep_card(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """A scraper of sphinx-gallery that adds nothing to the page: it keeps result and crop of an example for its card.

    A whole figure, as small as a card, would show nothing.
    """
    import matplotlib.pyplot as plt

    path = technique_pages.card_path(Path(gallery_conf["src_dir"]), Path(block_vars["src_file"]).stem)
    axes = plt.figure(plt.get_fignums()[0]).axes if plt.get_fignums() else []
    panels = {
        ax.get_title().split(",")[0]: np.asarray(ax.get_images()[0].get_array()) for ax in axes if ax.get_images()
    }
    if {"result", "crop"} <= set(panels) and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        card = Image.new("RGBA", (2 * CARD + GAP, CARD))
        for column, title in enumerate(("result", "crop")):
            picture = ImageOps.fit(Image.fromarray(panels[title]).convert("RGB"), (CARD, CARD))
            card.paste(picture, (column * (CARD + GAP), 0))
        card.save(path)
    return ""


def for_the_site(text: str, from_root: bool = False) -> str:
    """A page with its relative links as the site needs them; code is left as it is."""

    def link(match: re.Match[str]) -> str:
        before, target = match.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return match[0]
        if from_root:
            target = target.removeprefix("docs/") if target.startswith("docs/") else f"../{target}"
        for file, page in FROM_ROOT.items():
            target = target.replace(f"../{file}", f"{page}.md")
        return before + target

    parts = FENCE.split(text)
    return "".join(part if index % 2 else LINK.sub(link, part) for index, part in enumerate(parts))


def title_and_opening(page: Path) -> tuple[str, str]:
    """The heading of a page and the first sentence below it."""
    text = page.read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.M)
    paragraphs = text[title.end() :].strip().split("\n\n") if title else []
    opening = next((p for p in paragraphs if re.match(r"[A-Za-z`*\[]", p)), "")
    sentence = re.split(r"(?<=[.:])\s", " ".join(opening.split()))[0].rstrip(":")
    return (title[1] if title else page.stem), sentence


def guides(docs: Path) -> list[str]:
    """The names of the guides that are there, in the order of the menu."""
    there = {page.stem for page in docs.glob("*.md")} - set(NO_GUIDES)
    return [name for name in GUIDES if name in there] + sorted(there - set(GUIDES))


def guides_page(docs: Path) -> str:
    """A card for each guide."""
    lines = ["# Guides", "", "::::{container} cards"]
    for name in guides(docs):
        title, sentence = title_and_opening(docs / f"{name}.md")
        lines += [":::{container} card", f"**[{title}]({name}.md)**", "", sentence, ":::"]
    return "\n".join([*lines, "::::", "", "```{toctree}", ":hidden:", "", *guides(docs), "```", ""])


def write_pages(app: Sphinx) -> None:
    """Write what is made at build time; after sphinx-gallery, whose pictures the pages show."""
    docs = Path(app.srcdir)
    for file, page in FROM_ROOT.items():
        text = for_the_site((docs.parent / file).read_text(encoding="utf-8"), from_root=True)
        text += "\n```{toctree}\n:hidden:\n\nrelease\n```\n" if page == "contributing" else ""
        (docs / f"{page}.md").write_text(text, encoding="utf-8")
    (docs / "guides.md").write_text(guides_page(docs), encoding="utf-8")
    for card in technique_pages.card_path(docs, "").parent.glob("*.png"):
        shutil.copyfile(card, docs / technique_pages.IMAGES / "thumb" / f"sphx_glr_{card.stem}_thumb.png")
    technique_pages.write(docs)


def read_page(app: Sphinx, name: str, content: list[str]) -> None:
    """The links of the pages under docs/, which hold on GitHub, lead to the site's pages."""
    if Path(app.env.doc2path(name)).suffix == ".md" and name not in FROM_ROOT.values():
        content[0] = for_the_site(content[0])


def leave_plain(app: Sphinx, env: object, node: nodes.Element, content: nodes.Element) -> nodes.Element | None:
    """Single backticks around what is no name of the API, such as a parameter, stay code; typed roles still warn."""
    return content if node.get("reftype") == "obj" else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_pages, priority=900)
    app.connect("source-read", read_page)
    app.connect("missing-reference", leave_plain, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
