"""The papers: one entry for each, and everything that repeats them."""

import inspect
import re
from pathlib import Path

import pytest
from commands import pail_command
from common import NAMES

import pail
from pail import pai
from pail._install import SOURCE, install_hint
from pail.references import BY_TECHNIQUE, REFERENCES

ROOT = Path(__file__).resolve().parents[2]


def test_every_technique_has_one_paper():
    assert set(BY_TECHNIQUE) == {*NAMES, "nsa", "glass"}
    named = [name for paper in REFERENCES for name in paper.techniques]
    assert len(named) == len(set(named))
    assert len({paper.key for paper in REFERENCES}) == len(REFERENCES)


@pytest.mark.parametrize("paper", REFERENCES, ids=lambda paper: paper.key)
def test_an_entry_is_whole(paper):
    assert all(re.fullmatch(r"[^,]+, [^,]+", author) for author in paper.authors)
    assert paper.url.startswith("https://")
    assert re.fullmatch(r"10\.\d{4,}/\S+", paper.doi) or not paper.doi
    assert re.fullmatch(r"\d{4}\.\d{5}", paper.arxiv) or not paper.arxiv
    assert paper.volume or paper.venue == "arXiv" or paper.venue.startswith("Proceedings")
    assert (re.fullmatch(r"\d+(-\d+)?", paper.pages) is not None) == (paper.venue != "arXiv")


@pytest.mark.parametrize("name", BY_TECHNIQUE)
def test_a_docstring_names_the_paper(name):
    lines = inspect.getdoc(getattr(pai.Anomaly_Insertion, name)).split("References\n----------\n")[1]
    shown = " ".join(lines.split("\n\n")[0].split())
    assert shown == f".. [1] {BY_TECHNIQUE[name].text}"


def test_the_registry_repeats_the_papers():
    for name in BY_TECHNIQUE:
        technique = pai.TECHNIQUES[name]
        assert (technique.reference, technique.url) == (BY_TECHNIQUE[name].label, BY_TECHNIQUE[name].url)
    assert pai.TECHNIQUES["superpixel_anomaly"].reference == "Shah et al., TASAD, Image and Vision Computing 2023"
    assert pai.TECHNIQUES["fract_aug"].url == "https://arxiv.org/abs/2301.12739"


def parsed(bibtex):
    """Entries by key, each with its fields; braces have to match."""
    entries = {}
    for entry in bibtex.split("\n\n"):
        kind, key, body = re.fullmatch(r"@(\w+)\{(\w+),\n(.*)\n\}", entry, re.S).groups()
        assert entry.count("{") == entry.count("}") and key not in entries
        fields = dict(re.findall(r"^  (\w+) *= \{(.*)\},?$", body, re.M))
        assert len(fields) == len(body.splitlines())
        entries[key] = {"kind": kind, **fields}
    return entries


def test_bibtex_of_all():
    entries = parsed(pail.cite())
    assert list(entries) == [paper.key for paper in REFERENCES]
    assert entries["shah2023tasad"] == {
        "kind": "article",
        "author": "Shah, Rizwan Ali and Urmonov, Odilbek and Kim, Hyungwon",
        "title": "{Two-stage coarse-to-fine image anomaly segmentation and detection model}",
        "journal": "Image and Vision Computing",
        "volume": "139",
        "pages": "104817",
        "year": "2023",
        "doi": "10.1016/j.imavis.2023.104817",
    }
    assert entries["yao2023bgad"]["pages"] == "24490--24499"
    assert entries["xia2023fractalad"]["kind"] == "misc" and entries["xia2023fractalad"]["eprint"] == "2301.12739"


def test_techniques_and_families_are_cited_once_each():
    assert list(parsed(pail.cite("cutpaste", "cutpaste_scar", "fract_aug"))) == ["li2021cutpaste", "xia2023fractalad"]
    assert set(parsed(pail.cite("SFI"))) == {BY_TECHNIQUE[n].key for n in NAMES if pai.TECHNIQUES[n].family == "SFI"}


def test_wrong_names_get_close_matches():
    with pytest.raises(ValueError, match=r"`names`.*'cutpast'; did you mean cutpaste"):
        pail.cite("cutpast")
    with pytest.raises(ValueError, match=r"'zzz'; known are cutpaste, "):
        pail.cite("cutpaste", "zzz")
    with pytest.raises(TypeError, match=r"`names`.*3"):
        pail.cite(3)


def test_a_technique_of_the_users_own_is_cited_by_its_reference():
    def whole(frame, draw):
        return pail.Insertion(frame.whole, frame.crop(frame.whole))

    for name, reference in (("known", "Someone, A Paper, 2024"), ("unknown", "")):
        pail.register(name, whole, reference=reference)
    try:
        assert parsed(pail.cite("known")) == {"known": {"kind": "misc", "note": "Someone, A Paper, 2024"}}
        with pytest.raises(ValueError, match="'unknown' was registered without one"):
            pail.cite("unknown")
    finally:
        pail.unregister("known")
        pail.unregister("unknown")


def test_the_command_prints_bibtex_and_nothing_else():
    done = pail_command("cite", "perlin_noise_pattern", "superpixel_anomaly")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == pail.cite("perlin_noise_pattern", "superpixel_anomaly") + "\n"
    wrong = pail_command("cite", "perlin_noise_patern")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "TECHNIQUE must be" in wrong.stderr and "did you mean perlin_noise_pattern" in wrong.stderr


# Installing: nothing promises a release that there is not


TEXTS = [
    path
    for pattern in (
        "*.md",
        "*.cff",
        "pail/**/*.py",
        "docs/**/*.md",
        "docs/**/*.py",
        "examples/**/*.py",
        "tests/**/*.py",
    )
    for path in ROOT.glob(pattern)
] + list((ROOT / "examples").glob("**/*.ipynb"))


def test_the_package_index_is_named_only_where_a_release_is_made():
    name = "pai" + "-lib"
    assert len(TEXTS) > 150
    wrong = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in TEXTS
        if path != ROOT / "docs" / "maintainers" / "releasing.md"
        for line in path.read_text(encoding="utf-8").splitlines()
        if f"{name}[" in line or re.search(rf"pip install\b.*{name}", line)
    ]
    assert wrong == []


def test_what_is_installed_from_the_folder_exists():
    """Each extra that a page or a message names exists in the project."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(r"^(\w+) = \[", project.split("[project.optional-dependencies]")[1].split("\n[")[0], re.M)
    named = set()
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        for source, found in re.findall(r"pip install [\"']([^\"'\s]*)\[([\w,]+)\]", text):
            assert source in (SOURCE, r"\."), f"{path.name} installs {source!r}, not {SOURCE!r}"
            named |= set(found.split(","))
        named |= set(re.findall(r"install_hint\([\"'](\w+)[\"']\)", text))
    assert {"torch", "app", "coco", "cluster", "albumentations", "imgaug"} <= named <= set(extras)


def test_the_hint_is_a_command_and_a_place():
    assert install_hint("torch") == 'pip install ".[torch]" in the folder of the project'
    assert install_hint() == "pip install . in the folder of the project"
