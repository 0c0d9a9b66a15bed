"""A page for each technique, the cards that lead to them, and the table of costs.

Family and summary come from `TECHNIQUES`, the paper from `pail.references`, parameters from docstrings, the times of
the latest benchmark and the differences from the papers from docs/maintainers/, pictures from the gallery, and the text
about when to use it from techniques/when.toml.
"""

import re
import sys
from pathlib import Path

import pail
from pail import ELEVEN, Technique
from pail.references import BY_TECHNIQUE
from pail.registry import is_own

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SIZES = ("256x256", "1024x1024")
IMAGES = "auto_examples/images"
FAMILIES = {
    "SFI": "source-free (SFI): it needs the normal image only",
    "SBI": "source-based (SBI): it takes pixels from a source image, or from the image itself without one",
    "hybrid": "hybrid: it works with a source image and without one",
    "real": "of the family `real`: it takes defects from photographs of them",
    "published": "of the family `published`: it takes pixels from a source image, or from the image itself without one",
    "defects": "of the family `defects`: it draws the defect from its geometry, and needs the normal image only",
}
ON_REQUEST = "`insert` uses it only if the technique or its family is named."
TECHNIQUES = {name: technique for name, technique in pail.TECHNIQUES.items() if not is_own(name)}
GROUPS = {  # the techniques below their headings
    "The eleven": list(ELEVEN),
    "Defects an inspector can name": [name for name, one in TECHNIQUES.items() if one.family == "defects"],
    "Real defects, and two more papers": [
        name for name, one in TECHNIQUES.items() if one.family in ("real", "published")
    ],
}
EXAMPLES = dict.fromkeys(GROUPS["Defects an inspector can name"], "defects")  # whose pictures are on one page
ALIASES = {"affine_anom_color_change": "affined_anomlay"}  # the second name of a technique in the table of differences


def write(docs: Path) -> None:
    """All of them, into docs/techniques/."""
    folder = docs / "techniques"
    words = tomllib.loads((folder / "when.toml").read_text(encoding="utf-8"))
    if set(words) != set(TECHNIQUES):
        raise ValueError(f"techniques/when.toml and TECHNIQUES differ in {sorted(set(words) ^ set(TECHNIQUES))}")
    costs = read_costs((docs / "maintainers" / "performance.md").read_text(encoding="utf-8"))
    differences = read_differences((docs / "maintainers" / "fidelity.md").read_text(encoding="utf-8"))
    for name, technique in TECHNIQUES.items():
        page = technique_page(docs, name, technique, words[name], costs.get(name, {}), differences.get(name, []))
        (folder / f"{name}.md").write_text(page, encoding="utf-8")
    (folder / "cards.txt").write_text(cards(docs), encoding="utf-8")
    (docs / "api" / "methods.txt").write_text(methods(), encoding="utf-8")
    (folder / "index.md").write_text(index_page(words, costs), encoding="utf-8")


def read_costs(text: str) -> dict[str, dict[tuple[str, str], str]]:
    """The median ms of the last bench by technique, and by size and channels."""
    costs: dict[str, dict[tuple[str, str], str]] = {}
    for name, size, channels, ms in re.findall(r"^\| (\w+) \| (\d+x\d+) \| (gray|RGB) \| ([\d.]+) \|", text, re.M):
        costs.setdefault(name, {})[size, channels] = ms
    return costs


def read_differences(text: str) -> dict[str, list[str]]:
    """The rows of the table of differences by technique, without their first cell."""
    rows: dict[str, list[str]] = {}
    for names, rest in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|(.*)$", text, re.M):
        for name in re.findall(r"\w+", names):
            rows.setdefault(ALIASES.get(name, name), []).append(f"|{rest}")
    return rows


def picture(docs: Path, name: str) -> Path:
    """The small picture of a technique; examples/gallery.py makes it."""
    return docs / "pictures" / "techniques" / f"{name}.jpg"


def thumbnail(docs: Path, name: str) -> str:
    """That picture as a link, if it exists; a new technique may have none yet."""
    path = picture(docs, name)
    return f"[![{name}](/{path.relative_to(docs).as_posix()})](/techniques/{name}.md)" if path.exists() else ""


def cards(docs: Path) -> str:
    """All techniques as cards; a text that pages include."""
    lines: list[str] = []
    for title, names in GROUPS.items():
        lines += [f"**{title}**", "", "::::{container} cards techniques"]
        for name in names:
            text = f"**[{name.replace('_', '_<wbr>')}](/techniques/{name}.md)**"  # long names may break there
            lines += [":::{container} card", thumbnail(docs, name), "", text, "", TECHNIQUES[name].summary, ":::"]
        lines += ["::::", ""]
    return "\n".join(lines)


def methods() -> str:
    """The methods of the class in a table, for its page of the API."""
    rows = [f"| [`{name}`](/techniques/{name}.md) | {technique.summary} |" for name, technique in TECHNIQUES.items()]
    return "\n".join(["| method | inserts |", "|---|---|", *rows, ""])


def index_page(words: dict[str, dict[str, str]], costs: dict[str, dict[tuple[str, str], str]]) -> str:
    """The cards, then what each looks like and costs in one table."""
    lines = [
        "# Techniques",
        "",
        "Find the picture that is closest to the defects of your parts. Each page has pictures, parameters and when to",
        "use the technique; those of papers also say how it differs from the paper and the original library.",
        "",
        "```{include} cards.txt",
        "```",
        "",
        "## Which one resembles your defect",
        "",
        "| technique | what it looks like | family | ms at 256x256 | ms at 1024x1024 |",
        "|---|---|---|---|---|",
    ]
    for name, technique in TECHNIQUES.items():
        measured = " | ".join(costs.get(name, {}).get((size, "RGB"), "") for size in SIZES)
        looks = " ".join(words[name]["looks"].split())
        lines.append(f"| [{name}]({name}.md) | {looks} | {technique.family} | {measured} |")
    lines += [
        "",
        "Medians on one thread, RGB images; see [how long a call takes](../performance.md).",
        "",
        "```{toctree}",
        ":hidden:",
        "",
        *TECHNIQUES,
        "```",
        "",
    ]
    return "\n".join(lines)


def technique_page(
    docs: Path,
    name: str,
    technique: Technique,
    words: dict[str, str],
    costs: dict[tuple[str, str], str],
    differences: list[str],
) -> str:
    """The page of one technique."""
    paper = BY_TECHNIQUE.get(name)
    family = FAMILIES[technique.family]
    parts = [
        f"# {name}",
        f"Inserts {technique.summary}.",
        f"{family[0].upper()}{family[1:]}. {ON_REQUEST if name not in ELEVEN else ''}",
        f"Paper: [{paper.nickname}]({paper.url}). {paper.text}" if paper else "",
        pictures(docs, name),
        "## When to use it",
        f"**It looks like** {words['looks']}",
        f"**Use it** {words['use']}",
        f"**Do not use it** {words['avoid']}",
    ]
    if costs:
        parts += [
            "## Cost",
            cost_table(costs),
            "Median milliseconds of a call on one thread; see [how long a call takes](../performance.md).",
        ]
    parts += [
        "## Parameters",
        parameter_table(technique),
        f"```{{eval-rst}}\n.. currentmodule:: pail\n\n.. automethod:: Anomaly_Insertion.{name}\n```",
    ]
    if paper:
        parts += [
            "## Differences from the paper and the original",
            difference_table(differences),
            "What applies to all techniques is described in [differences from the papers](../fidelity.md).",
            "## How to cite it",
            f"```bibtex\n{paper.bibtex}\n```",
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def pictures(docs: Path, name: str) -> str:
    """The figures of the technique's example, and a link to its code."""
    example = EXAMPLES.get(name, name)
    found = sorted((docs / IMAGES).glob(f"sphx_glr_plot_{example}_[0-9]*.png"))
    found = [path for path in found if re.fullmatch(rf"sphx_glr_plot_{example}_\d+\.png", path.name)]
    if name in EXAMPLES and found:  # a figure for each of them, in their order
        found = [found[list(EXAMPLES).index(name)]]
    if not found:
        return ""
    figures = [f"![{name}, figure {number}](/{IMAGES}/{path.name})" for number, path in enumerate(found, 1)]
    lines = [f":::{{container}} wide-picture\n{figure}\n:::\n" for figure in figures]
    code = f"The code of these pictures: [{example} in the gallery](/auto_examples/plot_{example}.rst)."
    return "\n".join([*lines, code])


def parameter_table(technique: Technique) -> str:
    """The parameters with their defaults, bounds and units; the docstring below says what they mean."""
    rows = []
    for key, default in technique.parameters.items():
        accepted = technique.accepted[key]
        rows.append(f"| `{key}` | `{default!r}` | {accepted.text} | {accepted.unit} |")
    return "\n".join(["| parameter | default | accepts | unit |", "|---|---|---|---|", *rows])


def cost_table(costs: dict[tuple[str, str], str]) -> str:
    """The times at the usual sizes."""
    rows = [f"| {size} | {costs[size, 'gray']} | {costs[size, 'RGB']} |" for size in SIZES]
    return "\n".join(["| image | gray | RGB |", "|---|---|---|", *rows])


def difference_table(rows: list[str]) -> str:
    """What PAI-Lib does, what the paper or original does, the reason, and the keyword that restores it."""
    return (
        "\n".join(["| PAI-Lib | paper or original | reason | how to restore |", "|---|---|---|---|", *rows])
        if rows
        else "There is no difference that is specific to this technique."
    )
