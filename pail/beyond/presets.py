"""The training data of papers: the techniques, their keywords, and the share of anomalous samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pail.core.checks import close_match, describe

SourceKind = Literal["none", "textures", "normal", "defects"]


@dataclass(frozen=True, slots=True)
class Preset:
    """The training data of a paper.

    Attributes
    ----------
    techniques : tuple of str
        The techniques, which are drawn equally often.
    options : mapping of str to mapping
        The keywords of each technique that the paper defines, in the form
        of `options` of `insert`.
    anomalous : float
        The share of training samples that get an anomaly, in (0, 1].
    source : {"none", "textures", "normal", "defects"}
        What the paper uses as the source: only the image itself, textures
        of another data set, other normal images of the same kind, or real
        anomalous images.
    reference : str
        The key of the paper.
    """

    techniques: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]]
    anomalous: float
    source: SourceKind
    reference: str

    def __post_init__(self) -> None:
        frozen = {name: MappingProxyType(dict(self.options.get(name, {}))) for name in self.techniques}
        object.__setattr__(self, "options", MappingProxyType(frozen))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as plain dicts, because read-only views cannot be pickled."""
        options = {name: dict(keywords) for name, keywords in self.options.items()}
        return Preset, (self.techniques, options, self.anomalous, self.source, self.reference)


def _one(technique: str, source: SourceKind, reference: str, anomalous: float, **options: Any) -> Preset:
    return Preset((technique,), {technique: options}, anomalous, source, reference)


CUTPASTE = {"area_ratio": (0.02, 0.15), "aspect_ratio": ((0.3, 1), (1, 3.3))}
SCAR = {"width": (2 / 256, 16 / 256), "length": (10 / 256, 25 / 256), "rotation": (-45, 45)}
DRAEM_NOISE = {"threshold": 0.5, "min_perlin_scale": 0, "perlin_scale": 6, "rotation": (-90, 90)}

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        # A batch has the same number of samples of each kind: normal, with a patch, and (3-way) with a scar.
        "cutpaste": _one("cutpaste", "none", "li2021cutpaste", 1 / 2, **CUTPASTE),
        "cutpaste-scar": _one("cutpaste_scar", "none", "li2021cutpaste", 1 / 2, **SCAR),
        "cutpaste-3way": Preset(
            ("cutpaste", "cutpaste_scar"),
            {"cutpaste": CUTPASTE, "cutpaste_scar": SCAR},
            2 / 3,
            "none",
            "li2021cutpaste",
        ),
        "draem": _one(
            "perlin_noise_pattern",
            "textures",
            "zavrtanik2021draem",
            1 / 2,
            **DRAEM_NOISE,
            beta_range=(0, 0.8),
            augment_source=True,
        ),
        "memseg": _one(
            "perlin_with_roi_anomaly",
            "textures",
            "yang2023memseg",
            1 / 2,
            **DRAEM_NOISE,
            transparency_range=(0.15, 1.0),
            structure_grid_size=8,
            p_texture=0.5,
            use_mask=True,
        ),
        # 0 to 4 patches, each number equally often; with 0 the sample stays normal.
        "cdo": _one(
            "random_perturbation", "none", "cao2023cdo", 4 / 5, patch_number=(1, 4), size_range=(1 / 20, 1 / 5)
        ),
        # Every image has a noisy copy.
        "rd++": _one(
            "simplex_noise_anomlay",
            "none",
            "tien2023rdpp",
            1 / 2,
            size_range=(10 / 256, 1 / 8),
            octaves=6,
            persistence=0.6,
            amplitude=0.2,
            frequency=1 / 8,
        ),
        "anoseg": _one(
            "hard_aug_cutpaste",
            "none",
            "song2021anoseg",
            1 / 2,
            angles=(0, 90, 180, 270),
            p_rotate=0.5,
            p_perm=0.5,
            p_jitter=0.5,
        ),
        "bgad": _one(
            "rand_augmented_cut_paste", "defects", "yao2023bgad", 1 / 2, n_aug=3, elastic=False, in_fg_region=True
        ),
        "fractalad": _one(
            "fract_aug",
            "none",
            "xia2023fractalad",
            1 / 2,
            iterations=100_000,
            system="random",
            n_maps=2,
            size_range=(0.1, 0.5),
            rotation=(15, 75),
            noise_amp=10,
            margin=0.1,
            dilate=3,
        ),
        "tasad": _one(
            "superpixel_anomaly",
            "textures",
            "shah2023tasad",
            1 / 2,
            n_segments=(30, 150, 250),
            fraction=0.1,
            compactness=8,
            sigma=1,
            rotate=True,
            augment_source=True,
        ),
        # What the original library does, as far as its keywords or ours can express it.
        "pai-lib": Preset(
            (
                "cutpaste",
                "cutpaste_scar",
                "simplex_noise_anomlay",
                "random_perturbation",
                "hard_aug_cutpaste",
                "perlin_noise_pattern",
                "superpixel_anomaly",
                "perlin_with_roi_anomaly",
                "rand_augmented_cut_paste",
                "fract_aug",
                "affined_anomlay",
            ),
            {
                "cutpaste": {"area_ratio": (0.2, 0.25), "aspect_ratio": ((0.3, 1), (1, 3.3))},
                "cutpaste_scar": {"width": (0.1, 0.4), "length": (0.1, 0.4), "rotation": (-45, 45)},
                "simplex_noise_anomlay": {"size_range": (10 / 256, 0.5)},
                "hard_aug_cutpaste": {"p_rotate": 1, "p_perm": 1, "p_jitter": 1},
                "perlin_noise_pattern": {"threshold": "random", "rotation": (0, 0), "augment_source": False},
                "superpixel_anomaly": {"n_segments": (30, 150, 250), "fraction": 0.05},
                "perlin_with_roi_anomaly": {"rotation": (0, 0), "transparency_range": (0.15, 1.0)},
                "fract_aug": {"system": "barnsley", "iterations": 10_000},
            },
            1 / 2,
            "textures",
            "shah2025pai",
        ),
        # Patches are blended into every training image; pixels outside of them count as normal.
        "nsa": _one(
            "nsa",
            "normal",
            "schlueter2022nsa",
            1.0,
            patch_number=(1, 4),
            half_width=(0.03, 0.4),
            scale=(0.7, 1.3),
            shape="rectangle",
            blend="poisson",
            min_overlap=0.25,
        ),
        "glass": _one(
            "glass",
            "textures",
            "chen2024glass",
            1 / 2,
            **DRAEM_NOISE,
            beta_mean=0.5,
            beta_std=0.1,
            beta_range=(0.2, 0.8),
            augment_source=True,
        ),
    }
)


def as_preset(name: Any) -> Preset:
    """The preset with that name."""
    if isinstance(name, str) and name in PRESETS:
        return PRESETS[name]
    error = ValueError if isinstance(name, str) else TypeError
    raise error(f"`preset` must be one of {', '.join(PRESETS)}; got {describe(name)}{close_match(name, PRESETS)}")
