"""Calls in every combination: method or `insert`, number, region, severity, range, dtype, channels, layout, PIL mode,
options and source. hypothesis (test_combinations.py) and a plain generator (fuzz.py) draw with the same code."""

import json
import warnings
from dataclasses import dataclass, field

import cv2
import numpy as np
from common import ALL, bank, checked, photograph, takes_source, time_limit
from PIL import Image

import pail

SIDES = 96  # pixels, of images that are neither tiny nor strips
TINY = ((1, 1), (1, 2), (2, 1), (2, 3), (3, 3), (1, 7), (9, 1))
STRIPS = ((8, 200), (200, 8), (1, 150), (150, 1), (3, 97))
CHANNELS = (None, None, 1, 2, 3, 3, 3, 4, 5, 16)
DTYPES = ("uint8", "uint8", "uint16", "float32", "float64", ">u2", ">f4")
LAYOUTS = ("plain", "plain", "fortran", "strided", "negative", "read-only")
MODES = {"1": 1, "L": 1, "LA": 2, "P": 1, "RGB": 3, "RGBA": 4, "I;16": 1, "F": 1}
CONTENTS = ("photograph", "photograph", "noise", "black", "white", "gray", "two levels", "gradient", "half black")
REGIONS = (None, None, "foreground", "disc", "ring", "islands", "pixel", "line", "all")
FORMS = (
    "bool", "strided bool", "odd bool", "(H, W, 1)", "uint8 0/1", "uint8 0/255", "uint16", "float32", "float64",
    "PIL 1", "PIL L",
)  # fmt: skip
SEVERITIES = (None, None, None, 0, 0.5, 1, (0, 1), (0.2, 0.8), (1, 1))
SOURCES = (
    None,
    None,
    "photograph",
    "small",
    "wide PIL",
    "gray",
    "16 bits",
    "float64",
    "five channels",
    "PIL P",
    "dark",
)
MANY_SOURCES = ("list", "list of PIL", "callable")  # for `insert`
RANGES = {"u1": (200, 1, 37.5), "u2": (4095, 1000), "f4": (255.0, 1e-3), "f8": (255.0, 1e-3)}
WINDOWS = {
    "u1": ((10, 200),),
    "u2": ((51_000, 52_000), (100, 4095)),
    "f4": ((-1.0, 1.0), (0.25, 0.5), (1e6, 1e6 + 0.25)),
    "f8": ((-40, 90),),
}
COUNTS = (1, 1, 2, 3, (1, 4), (2, 2))


class Inverted:
    """An augmenter whose repr is its name here, so that the repr of a case can be evaluated."""

    def __call__(self, pixels):
        return np.ascontiguousarray(pixels[..., ::-1])

    def __repr__(self):
        return "inverted"


inverted = Inverted()


@dataclass(frozen=True)
class Mask:
    """A mask of the image's size, described by words."""

    region: str
    form: str


ALL_SHARES = (0, 0.5, 1)  # chances and shares, both ends included
LENGTHS = ((1e-6, 1e-6), (1, 1), (1e-6, 1), (0.1, 0.4))  # shares above 0
TURNS = ((-360, 360), (0, 0), (-45, 45), (17.5, 17.5))
FLAGS = (True, False)
THRESHOLDS = (-1, 0, 0.5, 1, "random")
LATTICES = ((0, 1), (0, 6), (0, 15), (14, 15), (3, 4))  # min_perlin_scale below perlin_scale
AUGMENTERS = (None, inverted)
CONTRASTS = ((1e-6, 1e-6), (100, 100), (2.5, 7))
TONES = (None, "dark", "bright")
LIGHTS = (None, -360, 0, 37.5, 360)
MASKS = tuple(Mask(region, form) for region in ("disc", "pixel", "islands", "all") for form in FORMS)

# Values of every option, at both ends of what is allowed.
OPTIONS = {
    "cutpaste": {
        "area_ratio": LENGTHS,
        "aspect_ratio": (((1e-3, 1e-3), (1e3, 1e3)), ((1, 1), (1, 1)), ((0.3, 1), (1, 3.3))),
    },
    "cutpaste_scar": {"rotation": TURNS, "width": LENGTHS, "length": LENGTHS},
    "simplex_noise_anomlay": {
        "size_range": LENGTHS,
        "octaves": (1, 2, 16),
        "persistence": (1e-6, 0.6, 1),
        "amplitude": (1e-6, 0.2, 1),
        "frequency": (1e-6, 1 / 8, 1),
    },
    "random_perturbation": {
        "patch_number": ((1, 1), (1, 4), (3, 40)),
        "size_range": LENGTHS,
        "skip_background": (None, True, False),
        "max_try": (1, 5, 200),
    },
    "hard_aug_cutpaste": {
        "angles": ((0,), (90, 180), (-90,), (0, 90, 180, 270), (3600,)),
        "p_rotate": ALL_SHARES,
        "p_perm": ALL_SHARES,
        "p_jitter": ALL_SHARES,
        "area_ratio": (None, *LENGTHS),
        "brightness": ALL_SHARES,
        "contrast": ALL_SHARES,
        "saturation": ALL_SHARES,
        "hue": (0, 0.25, 0.5),
    },
    "perlin_noise_pattern": {
        "resize": (None, (1, 1), (64, 48), (7, 130)),
        "threshold": THRESHOLDS,
        "min_perlin_scale": LATTICES,
        "perlin_scale": LATTICES,
        "rotation": TURNS,
        "beta_range": ((0, 0), (1, 1), (0, 1), (0.2, 0.4)),
        "augment_source": FLAGS,
        "augmenter": AUGMENTERS,
    },
    "superpixel_anomaly": {
        "n_segments": ((1,), (2, 30), (1_000_000,)),
        "fraction": (1e-6, 0.3, 0.999),
        "compactness": (1e-3, 8, 1e6),
        "sigma": (0, 1, 100),
        "rotate": FLAGS,
        "augment_source": FLAGS,
        "augmenter": AUGMENTERS,
    },
    "perlin_with_roi_anomaly": {
        "use_mask": FLAGS,
        "transparency_range": ((0, 0), (1, 1), (0.15, 1)),
        "mask": MASKS,
        "structure_grid_size": (1, 8, 256),
        "p_texture": ALL_SHARES,
        "bg_threshold": (None, 0, 100, 255),
        "bg_reverse": (None, True, False),
        "threshold": THRESHOLDS,
        "min_perlin_scale": LATTICES,
        "perlin_scale": LATTICES,
        "rotation": TURNS,
        "augmenter": AUGMENTERS,
    },
    "rand_augmented_cut_paste": {
        "mask": MASKS,
        "in_fg_region": FLAGS,
        "source_mask": MASKS,
        "n_aug": (0, 3, 10),
        "elastic": FLAGS,
        "min_area": (0, 0.2, 1),
    },
    "fract_aug": {
        "initial_point": ((0, 0), (-1e6, 1e6)),
        "iterations": (1, 300, 20_000),
        "system": ("random", "barnsley"),
        "n_maps": (2, 7, 64),
        "size_range": LENGTHS,
        "rotation": TURNS,
        "noise_amp": (0, 10, 255),
        "margin": (0, 0.1, 0.499),
        "dilate": (0, 3, 100),
    },
    "affined_anomlay": {
        "resize": (None, (1, 1), (512, 512)),
        "patch_sizes": ((1e-6,), (1,), (1 / 8, 1 / 4)),
        "p_patch": ALL_SHARES,
        "ssim_threshold": (-1, 0.75, 2),
        "variant": (None, "AA", "AAC", "AAS"),
        "p_damage": ALL_SHARES,
        "n_damage": (0, 5, 100),
    },
    "real_defect": {
        "kinds": (None, "spot", ("line", "spot")),
        "blend": (None, "paste", "transfer", "poisson"),
        "place": ("anywhere", "same"),
        "rotation": TURNS,
        "scale": ((1e-6, 1e-6), (100, 100), (0.7, 1.4)),
        "flip": FLAGS,
        "contrast": ((1e-6, 1e-6), (10, 10), (0.7, 1.3)),
    },
    "nsa": {
        "patch_number": ((1, 1), (1, 4), (3, 40)),
        "half_width": ((1e-6, 1e-6), (0.5, 0.5), (0.03, 0.4)),
        "scale": ((0.1, 0.1), (10, 10), (0.7, 1.3)),
        "shape": (None, "rectangle", "ellipses"),
        "blend": ("poisson", "mixed", "paste"),
        "skip_background": FLAGS,
        "min_overlap": ALL_SHARES,
    },
    "glass": {
        "use_mask": FLAGS,
        "beta_mean": ALL_SHARES,
        "beta_std": ALL_SHARES,
        "beta_range": ((0, 0), (1, 1), (0.2, 0.8)),
        "threshold": THRESHOLDS,
        "min_perlin_scale": LATTICES,
        "perlin_scale": LATTICES,
        "rotation": TURNS,
        "augment_source": FLAGS,
    },
    "scratch": {
        "n_strokes": ((1, 1), (2, 100)),
        "length": LENGTHS,
        "width": LENGTHS,
        "contrast": CONTRASTS,
        "tone": TONES,
        "light": LIGHTS,
    },
    "crack": {
        "n_branches": ((0, 0), (2, 100)),
        "length": LENGTHS,
        "width": LENGTHS,
        "factor": ((0, 0), (1, 1), (0.2, 0.6)),
        "contrast": CONTRASTS,
        "light": LIGHTS,
    },
    "stain": {
        "n_blots": ((1, 1), (2, 100)),
        "size": LENGTHS,
        "opacity": ((0, 0), (1, 1), (0.2, 0.7)),
        "rim": ALL_SHARES,
        "contrast": CONTRASTS,
        "tone": TONES,
    },
    "pitting": {
        "n_pits": ((1, 1), (3, 1000)),
        "radius": ((1e-6, 1e-6), (0.5, 0.5), (0.003, 0.02)),
        "contrast": CONTRASTS,
        "light": LIGHTS,
    },
    "dent": {"size": LENGTHS, "raised": (None, True, False), "contrast": CONTRASTS, "light": LIGHTS},
    "chip": {
        "size": LENGTHS,
        "fill_with": (None, "background", "fracture"),
        "contrast": CONTRASTS,
        "light": LIGHTS,
    },
    "fiber": {
        "length": ((1e-6, 1e-6), (10, 10), (0.1, 0.8)),
        "width": LENGTHS,
        "curl": ((0, 0), (20, 20), (0.2, 1.2)),
        "contrast": CONTRASTS,
        "tone": TONES,
        "light": LIGHTS,
    },
    "corrosion": {"size": LENGTHS, "opacity": ((0.2, 0.2), (1, 1), (0.5, 0.9)), "contrast": CONTRASTS},
}


@dataclass(frozen=True)
class Case:
    """A call that is described by words and a seed; its repr recreates it."""

    method: str
    height: int
    width: int
    channels: int | None
    dtype: str
    layout: str
    mode: str | None
    content: str
    data_range: object = None
    alpha: bool | None = None
    transform: object = True
    region: str | None = None
    form: str = "bool"
    severity: object = None
    source: str | None = None
    options: dict = field(default_factory=dict)
    seed: int = 0


class FromGenerator:
    """Draws from a NumPy generator."""

    def __init__(self, rng):
        self._rng = rng

    def one(self, choices):
        return choices[int(self._rng.integers(len(choices)))]

    def integer(self, low, high):
        return int(self._rng.integers(low, high + 1))


class FromHypothesis:
    """Draws from a test of hypothesis, which shrinks toward the first of the choices."""

    def __init__(self, draw):
        from hypothesis import strategies

        self._draw, self._strategies = draw, strategies

    def one(self, choices):
        return self._draw(self._strategies.sampled_from(choices))

    def integer(self, low, high):
        return self._draw(self._strategies.integers(low, high))


def cases():
    """The hypothesis strategy."""
    from hypothesis import strategies

    return strategies.composite(lambda draw: draw_case(FromHypothesis(draw)))()


def random_case(rng) -> Case:
    return draw_case(FromGenerator(rng))


def draw_case(pick) -> Case:
    method = pick.one((*ALL, *["insert"] * 8))
    height, width = draw_size(pick)
    mode = pick.one(tuple(MODES)) if pick.one((False, False, False, True)) else None
    channels, dtype = pick.one(CHANNELS), pick.one(DTYPES)
    if mode is not None:
        dtype, channels = (
            {"I;16": "uint16", "F": "float32"}.get(mode, "uint8"),
            None if MODES[mode] == 1 else MODES[mode],
        )
    data_range = draw_range(pick, dtype) if mode is None else None
    with_alpha = channels in (2, 4) and mode is None
    source = None
    if method == "insert" or takes_source(method):
        source = pick.one((*SOURCES, *MANY_SOURCES) if method == "insert" else SOURCES)
    if height in (1, 3, 4) and channels == width > 4:
        width += 1  # (3, 16, 16) is refused: it looks like channels first
    region = pick.one(REGIONS)
    draw_options = draw_insert if method == "insert" else draw_technique
    return Case(
        method=method,
        height=height,
        width=width,
        channels=channels,
        dtype=dtype,
        layout=pick.one(LAYOUTS),
        mode=mode,
        content=pick.one(CONTENTS),
        data_range=data_range,
        alpha=pick.one((None, True, False)) if with_alpha else pick.one((None, None, None, False)),
        transform=pick.one((True, False, inverted)) if method.startswith("cutpaste") else pick.one(FLAGS),
        region=region,
        form=pick.one(FORMS),
        severity=pick.one(SEVERITIES),
        source=source,
        options=draw_options(pick, method, source is not None, region in (None, "all")),
        seed=pick.integer(0, 2**32 - 1),
    )


def draw_size(pick) -> tuple[int, int]:
    kind = pick.one(("any", "any", "any", "any", "tiny", "strip", "row"))
    if kind == "tiny":
        return pick.one(TINY)
    if kind == "strip":
        return pick.one(STRIPS)
    if kind == "row":
        length = pick.integer(1, SIDES)
        return pick.one(((1, length), (length, 1)))
    return pick.integer(2, SIDES), pick.integer(2, SIDES)


def draw_range(pick, dtype: str):
    kind = pick.one(("full", "full", "full", "scalar", "window"))
    name = np.dtype(dtype).str[1:]
    if kind == "scalar":
        return pick.one(RANGES[name])
    return pick.one(WINDOWS[name]) if kind == "window" else None


def draw_technique(pick, name: str, has_source: bool, is_whole: bool) -> dict:
    """Some options of a technique that are compatible with each other and with the region."""
    options = {}
    for keyword, values in OPTIONS[name].items():
        if pick.one((False, False, False, True)):
            options[keyword] = pick.one(values)
    for keyword in ("min_perlin_scale", "perlin_scale"):  # both or none: the one has to be below the other
        if keyword in options:
            options["min_perlin_scale"], options["perlin_scale"] = options[keyword]
            break
    if options.get("variant") == "AAS" and not has_source:
        del options["variant"]
    if (
        not is_whole or options.get("use_mask") is False
    ):  # two that do not meet, and a mask that is not used, are errors
        options.pop("mask", None)
    return options


def draw_insert(pick, _: str, has_source: bool, is_whole: bool) -> dict:
    techniques = pick.one(
        (
            None,
            None,
            "SFI",
            "SBI",
            ("hybrid", "cutpaste"),
            tuple(ALL[::3]),
            ALL[0],
            ALL[6],
            "defects",
            ("real", "published"),
        )
    )
    options = {"techniques": techniques, "n_anomalies": pick.one(COUNTS)}
    if isinstance(techniques, tuple) and pick.one((False, True)):
        options["weights"] = tuple(range(len(techniques), 0, -1))
    if pick.one((False, True)):
        drawn = {}
        for name in {pick.one(ALL), pick.one(ALL)}:
            keywords = draw_technique(pick, name, has_source, is_whole)
            drawn[name] = {key: value for key, value in keywords.items() if can_be_nested(value)}
        options["options"] = drawn
    return options


def can_be_nested(value) -> bool:
    """A record cannot contain objects, and an object inside of `options` cannot be passed again."""
    return not callable(value)


# From words to arguments


def pixels(case: Case) -> np.ndarray:
    rng = np.random.default_rng(case.seed)
    height, width, count = case.height, case.width, case.channels or 1
    shape = (height, width, count)
    if case.content in ("photograph", "half black", "two levels"):
        image = np.concatenate([photograph(200, 200, i)[:height, :width] for i in range(-(-count // 3))], axis=2)
        image = image[..., :count] / 255
        if case.content == "half black":
            image[: -(-height // 2)] = 0
        elif case.content == "two levels":
            image = (image > 0.5).astype(float)
    elif case.content == "noise":
        image = rng.random(shape)
    elif case.content == "gradient":
        image = np.linspace(0, 1, height * width * count).reshape(shape)
    else:
        image = np.full(shape, {"black": 0, "white": 1, "gray": 0.5}[case.content])
    image = scaled(image, np.dtype(case.dtype), case.data_range)
    return image[..., 0] if case.channels is None else image


def scaled(image: np.ndarray, dtype: np.dtype, data_range) -> np.ndarray:
    """Scale values from 0 to 1 to the data range; values exceed a window at both ends if possible."""
    full = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    if isinstance(data_range, tuple):
        low, high = data_range
        image = low + (image * 1.2 - 0.1) * (high - low)
        if dtype.kind == "u":
            image = np.clip(image, 0, full)
    else:
        image = image * (full if data_range is None else data_range)
    if dtype.kind == "u":
        return np.floor(image).astype(dtype)
    image = image.astype(dtype)
    return (
        image
        if isinstance(data_range, tuple)
        else np.clip(image, 0, dtype.type(full if data_range is None else data_range))
    )


def laid_out(image: np.ndarray, layout: str) -> np.ndarray:
    if layout == "fortran":
        return np.asfortranarray(image)
    if layout == "negative":
        return np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]
    if layout == "strided":
        return np.repeat(image, 2, axis=1)[:, ::2]
    image = image.copy()
    image.flags.writeable = layout != "read-only"
    return image


def as_pil(image: np.ndarray, mode: str) -> Image.Image:
    """A PIL image of the mode; those of three channels and of palettes are converted."""
    if mode == "1":
        return Image.fromarray((image > 127).astype(np.uint8) * 255).convert("1")
    if mode == "P":
        return Image.fromarray(np.stack([image] * 3, axis=2)).convert("P")
    return Image.fromarray(image)


def region(case: Case, kind: str) -> np.ndarray:
    """A region as a plain bool mask; at least one pixel is true."""
    rng = np.random.default_rng((case.seed, 1))
    rows, columns = np.mgrid[: case.height, : case.width]
    row, column = int(rng.integers(case.height)), int(rng.integers(case.width))
    distance, radius = np.hypot(rows - row, columns - column), 0.3 * max(case.height, case.width)
    mask = np.zeros((case.height, case.width), np.uint8)
    if kind == "disc":
        mask[distance <= radius] = 1
    elif kind == "ring":
        mask[(distance <= radius) & (distance >= 0.7 * radius)] = 1
    elif kind == "islands":
        for top, left in zip(rng.integers(0, case.height, 4), rng.integers(0, case.width, 4), strict=True):
            mask[top : top + 5, left : left + 7] = 1
    elif kind == "line":
        cv2.line(mask, (column, row), (case.width - 1 - column, case.height - 1), 1)
    elif kind == "all":
        mask[:] = 1
    if kind == "pixel" or not mask.any():
        mask[row, column] = 1
    return mask > 0


def formed(mask: np.ndarray, form: str):
    """A mask in one of the forms that users may pass."""
    number = mask.astype(np.uint8)
    if form == "odd bool":
        return (number * 6).view(bool)
    if form in ("PIL 1", "PIL L"):
        return Image.fromarray(number * 255).convert(form[-1])
    return {
        "bool": lambda: mask,
        "strided bool": lambda: np.repeat(mask, 2, axis=1)[:, ::2],
        "(H, W, 1)": lambda: number[..., None] * 255,
        "uint8 0/1": lambda: number,
        "uint8 0/255": lambda: number * 255,
        "uint16": lambda: number.astype(np.uint16) * 255,
        "float32": lambda: mask.astype(np.float32),
        "float64": lambda: mask.astype(np.float64) * 255,
    }[form]()


def source_of(kind: str | None):
    """A source by its word."""
    plain = photograph(60, 50, 9)
    if kind is None:
        return None
    return {
        "photograph": lambda: plain,
        "small": lambda: photograph(2, 3, 9),
        "wide PIL": lambda: Image.fromarray(photograph(9, 200, 9)),
        "gray": lambda: plain[..., 0],
        "16 bits": lambda: plain.astype(np.uint16) * 257,
        "float64": lambda: plain / 255,
        "five channels": lambda: np.concatenate([plain, plain[..., :2]], axis=2),
        "PIL P": lambda: Image.fromarray(plain).convert("P"),
        "dark": lambda: plain // 10,
        "list": lambda: [plain, plain[::2, :, 0]],
        "list of PIL": lambda: [Image.fromarray(plain).convert(mode) for mode in ("L", "RGBA", "P")],
        "callable": lambda: lambda rng: plain[: 1 + int(rng.integers(60))],
    }[kind]()


def range_of_source(kind: str | None) -> float:
    """Full scale of a source: without it, one of the image's dtype is taken to be in the image's range."""
    return {"16 bits": 65535.0, "float64": 1.0}.get(kind, 255.0)


def arguments(case: Case):
    """The image, the source and the keywords of a call, and the arguments that a replay needs again."""
    image = laid_out(pixels(case), case.layout)
    if case.mode is not None:
        image = as_pil(image, case.mode)
    options, again = {}, {}
    for keyword, value in case.options.items():
        options[keyword] = realized(case, value)
        if callable(value):
            again[keyword] = value
    keywords = {"rng": case.seed, "severity": case.severity, "transform": case.transform, **options}
    if callable(case.transform):
        again["transform"] = case.transform
    if case.region is not None:
        keywords["roi"] = case.region if case.region == "foreground" else formed(region(case, case.region), case.form)
    if takes_bank(case):
        of_bytes = np.dtype(case.dtype) == np.uint8 and isinstance(case.data_range, int | float)
        keywords["defects"] = again["defects"] = bank(case.data_range if of_bytes else 255)
    if case.alpha is not None:
        keywords["alpha"] = case.alpha
    if case.data_range is not None:
        keywords |= {"data_range": case.data_range, "source_range": range_of_source(case.source)}
    return image, source_of(case.source), keywords, again


def takes_bank(case: Case) -> bool:
    """Whether the call may draw a real defect."""
    if case.method != "insert":
        return pail.TECHNIQUES[case.method].takes_defects
    names = case.options.get("techniques")
    return names is not None and not {"real", "real_defect"}.isdisjoint((names,) if isinstance(names, str) else names)


def realized(case: Case, value):
    """An argument with its masks; lists and dicts are gone through."""
    if isinstance(value, Mask):
        return formed(region(case, value.region), value.form)
    if isinstance(value, dict):
        return {key: realized(case, entry) for key, entry in value.items()}
    return value


def check(case: Case, seconds: int = 20) -> None:
    """The contract, and the replay of the record through JSON."""
    image, source, keywords, again = arguments(case)
    with warnings.catch_warnings(), time_limit(seconds):
        warnings.simplefilter("ignore")  # of sources that look dark
        result = checked(case.method, image, source, **keywords)
        record = json.loads(json.dumps(result.record))
        if source is None and case.seed % 2:
            source = photograph(60, 50, 9)  # a source that the call did not have is ignored
        replayed = pail.replay(record, image, source, **again)
    for name in ("i_a", "m_a", "instances"):
        one, other = getattr(result, name), getattr(replayed, name)
        assert one.dtype == other.dtype and one.tobytes() == other.tobytes(), f"the replay gives another {name}"
