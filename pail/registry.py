"""The list of techniques, which the class, `insert`, the documentation and all other modules use."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

from pail.beyond.glass import glass
from pail.beyond.nsa import nsa
from pail.beyond.procedural.chip import chip
from pail.beyond.procedural.corrosion import corrosion
from pail.beyond.procedural.crack import crack
from pail.beyond.procedural.dent import dent
from pail.beyond.procedural.fiber import fiber
from pail.beyond.procedural.pitting import pitting
from pail.beyond.procedural.scratch import scratch
from pail.beyond.procedural.stain import stain
from pail.beyond.real.real_defect import real_defect
from pail.core.checks import as_choice, describe
from pail.core.composite import Insertion
from pail.core.names import GOOD, MIXED, OWN, WORDS
from pail.core.parameters import Parameter, parameters_of
from pail.references import BY_TECHNIQUE
from pail.sbi.fractal import fract_aug
from pail.sbi.perlin_noise_pattern import perlin_noise_pattern
from pail.sbi.perlin_with_roi import perlin_with_roi_anomaly
from pail.sbi.rand_augmented import rand_augmented_cut_paste
from pail.sbi.superpixel_anomaly import superpixel_anomaly
from pail.sfi.affined import affined_anomlay
from pail.sfi.cutpaste import cutpaste
from pail.sfi.cutpaste_scar import cutpaste_scar
from pail.sfi.hard_aug_cutpaste import hard_aug_cutpaste
from pail.sfi.random_perturbation import random_perturbation
from pail.sfi.simplex_noise import simplex_noise_anomlay

Family = Literal["SFI", "SBI", "hybrid", "real", "published", "defects"]
FAMILIES: tuple[str, ...] = get_args(Family)
OF_THE_ELEVEN = FAMILIES[:3]
COMMON = ("defects", "roi", "severity", "rng")  # keywords of every call, which no technique may have


@dataclass(frozen=True)
class Technique:
    """A technique, whose `function(image, sampler, [source, defects or transform,] **options)` returns an `Insertion`.

    The signature of the function defines which values an option may have, and the method of `Anomaly_Insertion` defines
    the default. A registered technique has no method; its function defines the defaults.
    """

    function: Callable[..., Insertion]
    family: Family
    reference: str
    summary: str  # one line: what it inserts
    url: str = ""  # of the paper
    takes_source: bool = False
    takes_defects: bool = False  # whether it takes a bank of real defects
    image_name: str = "image"  # the original library's name of the first argument
    jitters: bool = False  # whether it takes the instance's `transform`
    method: Callable[..., Any] | None = None
    is_own: bool = False  # whether a user added it

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Its own keywords and their defaults."""
        own = inspect.signature(self.function).parameters.values()
        names = [p.name for p in own if p.kind is p.KEYWORD_ONLY]
        shown = inspect.signature(self.method or self.function).parameters
        return {name: shown[name].default for name in sorted(names, key=list(shown).index)}

    @cached_property
    def accepted(self) -> dict[str, Parameter]:
        """Which values each keyword may have. Keywords of registered techniques without an annotation are left out."""
        return {name: entry for name, entry in parameters_of(self.function).items() if name in self.parameters}

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        return {name: self._checked(name, value) for name, value in self.parameters.items()}

    def _checked(self, name: str, value: Any) -> Any:
        return self.accepted[name].check(name, value) if name in self.accepted else value

    def check(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options of a call: the given ones, checked, and the defaults, which are valid."""
        checked = dict(self._defaults)
        for name, value in options.items():
            if name not in self.parameters or value is not self.parameters[name]:
                checked[name] = self._checked(name, value)
        return checked

    @cached_property
    def _takes_any(self) -> bool:
        kinds = {parameter.kind for parameter in inspect.signature(self.function).parameters.values()}
        return inspect.Parameter.VAR_KEYWORD in kinds

    def unknown(self, keywords: Iterable[Any]) -> list[Any]:
        """The keywords that the technique does not accept; a registered one with ``**options`` accepts any str."""
        return [
            key for key in keywords if key not in self.parameters and not (self._takes_any and isinstance(key, str))
        ]


TECHNIQUES: dict[str, Technique] = {
    "cutpaste": Technique(
        cutpaste,
        "SFI",
        BY_TECHNIQUE["cutpaste"].label,
        "a recolored rectangle of the image in another place",
        BY_TECHNIQUE["cutpaste"].url,
        jitters=True,
    ),
    "cutpaste_scar": Technique(
        cutpaste_scar,
        "SFI",
        BY_TECHNIQUE["cutpaste_scar"].label,
        "a thin, rotated, recolored strip of the image in another place",
        BY_TECHNIQUE["cutpaste_scar"].url,
        jitters=True,
    ),
    "simplex_noise_anomlay": Technique(
        simplex_noise_anomlay,
        "SFI",
        BY_TECHNIQUE["simplex_noise_anomlay"].label,
        "simplex noise added to a rectangle",
        BY_TECHNIQUE["simplex_noise_anomlay"].url,
    ),
    "random_perturbation": Technique(
        random_perturbation,
        "SFI",
        BY_TECHNIQUE["random_perturbation"].label,
        "one to four rectangles of uniform noise",
        BY_TECHNIQUE["random_perturbation"].url,
    ),
    "hard_aug_cutpaste": Technique(
        hard_aug_cutpaste,
        "SFI",
        BY_TECHNIQUE["hard_aug_cutpaste"].label,
        "a rectangle of a rotated, permuted, recolored copy",
        BY_TECHNIQUE["hard_aug_cutpaste"].url,
    ),
    "perlin_noise_pattern": Technique(
        perlin_noise_pattern,
        "SBI",
        BY_TECHNIQUE["perlin_noise_pattern"].label,
        "an augmented source in the shape of Perlin noise",
        BY_TECHNIQUE["perlin_noise_pattern"].url,
        takes_source=True,
    ),
    "superpixel_anomaly": Technique(
        superpixel_anomaly,
        "SBI",
        BY_TECHNIQUE["superpixel_anomaly"].label,
        "superpixels of a rotated source",
        BY_TECHNIQUE["superpixel_anomaly"].url,
        takes_source=True,
    ),
    "perlin_with_roi_anomaly": Technique(
        perlin_with_roi_anomaly,
        "SBI",
        BY_TECHNIQUE["perlin_with_roi_anomaly"].label,
        "texture or shuffled structure in the shape of Perlin noise, on the foreground",
        BY_TECHNIQUE["perlin_with_roi_anomaly"].url,
        takes_source=True,
        image_name="img",
    ),
    "rand_augmented_cut_paste": Technique(
        rand_augmented_cut_paste,
        "SBI",
        BY_TECHNIQUE["rand_augmented_cut_paste"].label,
        "warped and augmented pieces of a source, moved onto the object",
        BY_TECHNIQUE["rand_augmented_cut_paste"].url,
        takes_source=True,
        image_name="img_norm",
    ),
    "fract_aug": Technique(
        fract_aug,
        "SBI",
        BY_TECHNIQUE["fract_aug"].label,
        "a rotated square in the shape of a fractal",
        BY_TECHNIQUE["fract_aug"].url,
        takes_source=True,
    ),
    "affined_anomlay": Technique(
        affined_anomlay,
        "hybrid",
        BY_TECHNIQUE["affined_anomlay"].label,
        "warped tiles, unchanged, recolored or filled with a source",
        BY_TECHNIQUE["affined_anomlay"].url,
        takes_source=True,
    ),
    "real_defect": Technique(real_defect, "real", "", "a real defect of a bank in another place", takes_defects=True),
    "nsa": Technique(
        nsa,
        "published",
        BY_TECHNIQUE["nsa"].label,
        "patches of another normal image, blended without a seam",
        BY_TECHNIQUE["nsa"].url,
        takes_source=True,
    ),
    "glass": Technique(
        glass,
        "published",
        BY_TECHNIQUE["glass"].label,
        "a source in the shape of one Perlin noise, or of two combined",
        BY_TECHNIQUE["glass"].url,
        takes_source=True,
    ),
    "scratch": Technique(scratch, "defects", "", "one to four nearly parallel grooves"),
    "crack": Technique(crack, "defects", "", "a dark, ragged line with branches"),
    "stain": Technique(stain, "defects", "", "tinted or darker blots through which the texture shows"),
    "pitting": Technique(pitting, "defects", "", "a cluster of small pits"),
    "dent": Technique(dent, "defects", "", "a smooth hollow or bump, shaded by a light"),
    "chip": Technique(chip, "defects", "", "a piece broken out of the edge"),
    "fiber": Technique(fiber, "defects", "", "a thin curled fiber with its shadow"),
    "corrosion": Technique(corrosion, "defects", "", "grainy clusters of rust"),
}
ELEVEN = tuple(name for name, technique in TECHNIQUES.items() if technique.family in OF_THE_ELEVEN)


def register(
    name: str,
    function: Callable[..., Insertion],
    *,
    family: Family = "SFI",
    reference: str = "",
    summary: str = "",
    takes_source: bool | None = None,
) -> None:
    """Add a technique of your own as a method of every `Anomaly_Insertion`
    and a name for `insert`.

    Parameters
    ----------
    name : str
        The name of the method: an identifier that, regardless of case, is
        not the name of a technique or family, of an attribute of
        `Anomaly_Insertion`, of a keyword of its methods, or of a folder or
        a reserved word of data sets.
    function : callable
        ``function(image, sampler, **options)``, or ``function(image,
        sampler, source, **options)`` if it takes a source. It returns an
        `Insertion`. Its options are keyword-only and have defaults; those
        annotated with a class of `pail.core.parameters` are checked. It
        draws every random number from `sampler`, and reads pixels with
        ``image.crop``, which returns read-only arrays. What it returns is
        checked at every call. If there is a region of interest, the box has
        to overlap it, which `pail.place` ensures; after four draws that all
        miss it, an error is raised.
    family : {"SFI", "SBI", "hybrid", "published", "defects"}, default "SFI"
        Source-free, source-based or both, or one of the families beyond the
        eleven. In any case `insert` draws the technique by default.
    reference, summary : str, optional
        Where the technique is published, and one line that says what it
        inserts.
    takes_source : bool, optional
        Whether it takes a source; by default "SBI" and "hybrid" do.
        Without `anom_source_img` the source is None.

    Raises
    ------
    TypeError
        If the name is not a str, the function is not callable, or a default
        has a type that its annotation does not allow.
    ValueError
        If the name is taken or not an identifier, or an option has no
        default or one that its annotation does not allow.

    Examples
    --------
    >>> import numpy as np
    >>> import pail
    >>> def bright_square(image, sampler, *, size=0.2):
    ...     share = sampler.scaled("side", 0.5 * size, size)
    ...     side = max(1, round(share * image.side))
    ...     box = pail.place(image, sampler, side, side)
    ...     white = np.full_like(image.crop(box), image.max_value)
    ...     return pail.Insertion(box, white, opacity=sampler.opacity())
    >>> pail.register("bright_square", bright_square, summary="a square")
    >>> insertion = pail.Anomaly_Insertion()
    >>> image = np.zeros((64, 64), np.uint8)
    >>> i_a, m_a = insertion.bright_square(image, size=0.1)
    >>> int(i_a.max())
    255
    >>> pail.unregister("bright_square")
    """
    if not isinstance(name, str):
        raise TypeError(f"`name` must be a str, got {describe(name)}")
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise ValueError(f"`name` must be an identifier without an underscore in front, got {name!r}")
    # Names also become names of folders, and some file systems do not distinguish "Good" from "good".
    taken = {known.casefold(): "a technique" for known in TECHNIQUES} | _RESERVED
    if name.casefold() in taken:
        raise ValueError(f"`name` must be one that is not taken, got {name!r}, which is {taken[name.casefold()]}")
    if not callable(function):
        raise TypeError(f"`function` must be callable, got {describe(function)}")
    family = as_choice("family", family, tuple(known for known in FAMILIES if known != "real"))
    takes_source = family in ("SBI", "hybrid") if takes_source is None else takes_source
    technique = Technique(function, family, reference, summary, takes_source=takes_source, is_own=True)
    bad = [p for p, default in technique.parameters.items() if default is inspect.Parameter.empty or p in COMMON]
    if bad:
        raise ValueError(f"`function` must have options with defaults, other than {', '.join(COMMON)}; got {bad}")
    technique.check({})  # its defaults
    TECHNIQUES[name] = technique


def unregister(name: str) -> None:
    """Remove a technique that `register` added."""
    if not is_own(name):
        own = sorted(known for known in TECHNIQUES if is_own(known))
        raise ValueError(f"`name` must be a registered technique of your own, one of {own}; got {name!r}")
    del TECHNIQUES[name]


def read_defaults_of(methods: type) -> None:
    """Attach to each technique the method with its name."""
    TECHNIQUES.update({name: replace(entry, method=getattr(methods, name)) for name, entry in TECHNIQUES.items()})


def by_default() -> list[str]:
    """The techniques that are drawn if none are named: the eleven and the registered ones."""
    return [*ELEVEN, *(name for name, technique in TECHNIQUES.items() if technique.is_own)]


def is_own(name: str) -> bool:
    """Whether the technique was registered by a user."""
    return name in TECHNIQUES and TECHNIQUES[name].is_own


def reserve(names: Iterable[str], what: str) -> None:
    """Reserve names, which no technique may have; `what` describes them in messages."""
    _RESERVED.update({name.casefold(): what for name in names})


_RESERVED: dict[str, str] = {}  # lower-case name: what it is
reserve(FAMILIES, "a family of techniques")
reserve([GOOD, MIXED, *(name.partition(".")[0] or name for name in OWN), *WORDS], "a word of data sets")
