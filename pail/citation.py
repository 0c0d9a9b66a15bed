"""BibTeX entries of the papers behind techniques."""

from __future__ import annotations

import difflib

from pail.core.checks import describe
from pail.references import BY_TECHNIQUE, REFERENCES
from pail.registry import FAMILIES, TECHNIQUES


def cite(*names: str) -> str:
    """Return the BibTeX entries of the papers behind techniques.

    Parameters
    ----------
    *names : str
        Techniques, or families ("SFI", "SBI", "hybrid"). Without names, the
        entries of all papers are returned.

    Returns
    -------
    str
        The entries in UTF-8, one for each paper, separated by empty lines.
        A registered technique is an entry of type ``misc`` with its
        `reference`.

    Raises
    ------
    TypeError
        If a name is not a str.
    ValueError
        If a name is unknown, or a technique of your own was registered
        without a `reference`.

    Examples
    --------
    >>> import pail
    >>> print(pail.cite("perlin_noise_pattern").splitlines()[0])
    @inproceedings{zavrtanik2021draem,
    """
    if not names:
        return "\n\n".join(paper.bibtex for paper in REFERENCES)
    entries = [_entry(technique) for name in names for technique in members(name)]
    return "\n\n".join(dict.fromkeys(entries))


def members(name: str) -> list[str]:
    """The techniques of a name or a family."""
    if not isinstance(name, str):
        raise TypeError(f"`names` must be names of techniques or families, got {describe(name)}")
    if name in FAMILIES:
        return [known for known, technique in TECHNIQUES.items() if technique.family == name]
    if name in TECHNIQUES:
        return [name]
    known = [*TECHNIQUES, *FAMILIES]
    close = difflib.get_close_matches(name, known)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"
    raise ValueError(f"`names` must be names of techniques or families, got {name!r}; {hint}")


def _entry(name: str) -> str:
    if name in BY_TECHNIQUE:
        return BY_TECHNIQUE[name].bibtex
    reference = TECHNIQUES[name].reference
    if not reference:
        raise ValueError(f"`names` must be techniques with a reference; {name!r} was registered without one")
    return f"@misc{{{name},\n  note = {{{reference}}}\n}}"
