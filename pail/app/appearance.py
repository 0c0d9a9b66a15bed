"""What the anomalies of a technique look like, in the words of an inspector, and the order in which techniques are
listed."""

from __future__ import annotations

from collections.abc import Mapping

from pail.registry import TECHNIQUES, Technique

APPEARANCES = {
    "real_defect": "One of your own defects",
    "scratch": "Scratch",
    "crack": "Crack",
    "stain": "Stain",
    "pitting": "Pits",
    "dent": "Dent or bump",
    "chip": "Chipped edge",
    "fiber": "Fiber or hair",
    "corrosion": "Corrosion",
    "cutpaste": "Pasted patch of the part",
    "cutpaste_scar": "Pasted thin strip of the part",
    "simplex_noise_anomlay": "Cloudy spot",
    "random_perturbation": "Blocks of colored noise",
    "hard_aug_cutpaste": "Turned or recolored patch of the part",
    "affined_anomlay": "Warped tiles",
    "nsa": "Blended patch of the part",
    "glass": "Faint blotches of another material",
    "perlin_noise_pattern": "Blotches of another material",
    "perlin_with_roi_anomaly": "Blotches on the part only",
    "superpixel_anomaly": "Pieces of another material, along edges",
    "rand_augmented_cut_paste": "Distorted pieces of another material",
    "fract_aug": "Ragged, branching or dusty shapes",
}
FAMILIES = {  # in the order in which they are listed; other families follow under their own names
    "real": "Your own defects",
    "defects": "Defects with a name",
    "SFI": "Made from the image itself",
    "published": "Newer published techniques",
    "SBI": "Made from another image",
    "hybrid": "Made from both",
}


def appearance(name: str) -> str:
    """What the anomalies of a technique look like; for a registered technique its summary, or else its name."""
    return APPEARANCES.get(name) or TECHNIQUES[name].summary or name


def groups(offered: Mapping[str, Technique]) -> list[tuple[str, list[str]]]:
    """The available techniques, grouped under the titles of their families."""
    families = list(dict.fromkeys([*FAMILIES, *(entry.family for entry in offered.values())]))
    found = [
        (FAMILIES.get(family, family), [name for name, entry in offered.items() if entry.family == family])
        for family in families
    ]
    return [(title, names) for title, names in found if names]
