"""Pages, docstrings, comments and messages use American spelling, and the standard terms of the field."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("pail", "docs", "examples", "benchmarks", "tests")

# Patterns of words and phrases, and what to write instead.
SPELLING = {
    r"anti-?clockwise": "counterclockwise",
    r"(behavi|col|neighb|fav)our\w*": "behavior, color, neighbor, favor",
    r"(cent|fib)re[sd]?": "center, fiber",
    r"grey\w*": "gray",
    r"analys(e|ed|es|ing)": "analyze",
    r"(normal|optim|initial|serial|random|visual|general|recogn|summar|organ|standard)is(e[sd]?|ing|ation)": "-ize",
    r"(label|model|travel|cancel)l(ed|ing)": "labeled, modeled, traveled, canceled",
    r"licence|artefacts?|catalogue|judgement|per cent": "license, artifact, catalog, judgment, percent",
    r"towards|afterwards|upwards|downwards|whilst": "toward, afterward, upward, downward, while",
}
TERMS = {
    r"beside": "next to",
    r"must hold": "must contain",
    r"must be out of": "must be one of",
    r"(be|got) a text|no text": "a str, not a str",
    r"[Cc]hance in \[": "probability in [",
    r"of (the|a) user's own": "registered, of the user",
    r"turned (by|strip|square|shape|defect|and scaled)": "rotated",
    r"times? of writing": "modification time",
    r"anew|afresh": "again, new",
    r"go(es|ne|ing)? on (with|as|in|into|writing|working)": "continue",
    r"asked for": "requested",
    r"come what may": "in any case",
    r"puts? back": "restore",
    r"too like": "too similar",
    r"seldom": "less often, rarely",
    r"answers with|goes by": "returns, is determined by",
    r"(?<!there )is no (image|mask|file|text|TIFF|JSON|area|path|technique)": "is not a",
    r"(?<!there )are no (images|masks|files|pairs)": "are not",
    r"which (is|are) none": "which is not one",
    r"wholly|thereof|lest": "completely, of it, so that not",
    r"what (came|becomes) of": "what was given, what to do with",
    r"whatever else|however that": "any other, in any way",
}
ALLOWED = {
    "tests/docs/test_language.py",
}


WORDS = {**SPELLING, **TERMS}
SPELLED, WORDED = (re.compile(r"\b(?:" + "|".join(words) + r")\b") for words in (SPELLING, WORDS))


def of_page(text):
    """The lines of a page without its code, each with its number and what it must not match."""
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, line, WORDED


def of_code(text):
    """The comments, docstrings and messages of a module, and its names as words, in the form of `of_page`."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], re.sub(r"_+|(?<=[a-z])(?=[A-Z])", " ", token.string), SPELLED
        elif token.type == tokenize.COMMENT or "STRING" in tokenize.tok_name[token.type]:
            for place, line in enumerate(token.string.splitlines()):
                yield token.start[0] + place, line, WORDED


def violations(path):
    text, found = path.read_text(encoding="utf-8"), []
    for number, line, pattern in (of_code if path.suffix == ".py" else of_page)(text):
        for match in pattern.finditer(line):
            better = next(new for old, new in WORDS.items() if re.fullmatch(old, match.group()))
            found.append(f"{path.name}:{number}: {match.group()!r}; write {better}")
    return found


def files(*suffixes):
    top = [path for path in ROOT.iterdir() if path.is_file()]
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    names = {path: path.relative_to(ROOT).as_posix() for path in (*top, *below) if path.suffix in suffixes}
    return sorted(path for path, name in names.items() if name not in ALLOWED)


@pytest.mark.parametrize("suffix", [".md", ".py", ".toml", ".html"])
def test_the_words_are_those_of_the_field(suffix):
    assert [line for path in files(suffix) for line in violations(path)] == []


@pytest.mark.parametrize(
    "text",
    [
        '"""Turned anticlockwise about its centre."""',
        "value = 1  # beside the mask",
        'raise ValueError(f"`{name}` must hold images")',
        "colour_of_the_mask = 1",
        "def normaliseImage(): ...",
    ],
)
def test_a_word_to_avoid_is_found(tmp_path, text):
    (tmp_path / "module.py").write_text(text)
    assert len(violations(tmp_path / "module.py")) >= 1


def test_code_of_a_page_is_not_judged(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```py\ncentre = 1  # beside\n```\nThe center is gray.\n\nA grey line beside it.\n")
    assert violations(page) == ["page.md:6: 'grey'; write gray", "page.md:6: 'beside'; write next to"]
