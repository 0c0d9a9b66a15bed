"""A turned square of a source, cut out along a random fractal (FractalAD)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.checks import as_choice, as_number, as_range, describe
from pail.core.composite import Insertion
from pail.core.image import PAPER_SIDE, NormalImage
from pail.core.ops import resize, with_axis
from pail.core.sampler import Sampler
from pail.pixels.jitter import color_jitter
from pail.pixels.placing import fallback_box, place
from pail.sbi.fractal.chaos_game import Game, draw_fractal

ENLARGED_LEVEL = 106  # keeps the mean fill of an enlarged raster; 127 would thin out single points
MAX_ITERATIONS = 1_000_000
FARTHEST = 1e6  # of the initial point
MAX_GAIN = 2.0  # of a channel
SPARSE = 2  # times as long as the root of a region's area: so long at most counts the side of a ring or of islands


class Cut(NamedTuple):
    """The fractal on its square, with `pad` pixels around for the dilation; masks are uint8 {0, 255}."""

    texture: np.ndarray  # where the source is pasted
    support: np.ndarray  # where anything changes
    pad: int


class Turn(NamedTuple):
    """How the square is mirrored, then turned; degrees, anticlockwise."""

    flip_rows: bool
    flip_columns: bool
    angle: float


def fract_aug(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    initial_point: Any = (0, 0),
    iterations: Any = 10000,
    system: Any = "random",
    n_maps: Any = 2,
    size_range: Any = (0.1, 0.5),
    rotation: Any = (15, 75),
    noise_amp: Any = 10,
    margin: Any = 0.1,
    dilate: Any = 3,
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.fract_aug`."""
    game = _as_game(initial_point, iterations, system, n_maps)
    size_range = as_range("size_range", size_range, 0, 1, above=True)
    rotation = as_range("rotation", rotation, -360, 360)
    noise_amp = as_number("noise_amp", noise_amp, 0, 255)
    margin = as_number("margin", margin, 0, math.nextafter(0.5, 0))
    dilate = int(as_number("dilate", dilate, 0, 100, integer=True))
    longest = min(image.region_side, SPARSE * math.sqrt(image.region_area))
    least = 3 if image.roi is None else 1  # of a small region three pixels a side are much
    side = min(max(int(sampler.scaled("size", *size_range) * longest), least), image.side)
    origin = _corner(image, sampler, "source_", side, margin)
    turn = Turn(sampler.flag("flip_rows"), sampler.flag("flip_columns"), sampler.uniform("angle", *rotation))
    noisy = sampler.flag("noise")
    fractal = _fractal(image, sampler, game, side, turn.angle)
    if fractal is None:
        box = fallback_box(image, sampler)
        texture = _jitter(_texture(image, source, origin), sampler, image.max_value)
        return Insertion(box, resize(texture, box[2:]), opacity=sampler.opacity())
    cut = _pad(fractal, side, dilate * noisy, longest, whole=image.roi is None)
    square, box = _land(image, sampler, cut, side, margin)
    texture = _jitter(_texture(image, source, origin), sampler, image.max_value)
    content, mask = _paste(image, texture, cut, turn, square, box), _part(cut.support, square, box)
    if noisy:
        content = _add_noise(content, mask, sampler.rng, noise_amp * image.max_value / 255)
    return Insertion(box, content, mask, sampler.opacity())


def _as_game(initial_point: Any, iterations: Any, system: Any, n_maps: Any) -> Game:
    if isinstance(initial_point, str) or np.ndim(initial_point) != 1 or len(initial_point) != 2:
        raise TypeError(f"`initial_point` must be a point (x, y), got {describe(initial_point)}")
    x, y = (as_number(f"initial_point[{i}]", v, -FARTHEST, FARTHEST) for i, v in enumerate(initial_point))
    return Game(
        complex(x, y),
        int(as_number("iterations", iterations, 1, MAX_ITERATIONS, integer=True)),
        as_choice("system", system, ("random", "barnsley")),
        int(as_number("n_maps", n_maps, 2, 64, integer=True)),
    )


def _corner(image: NormalImage, sampler: Sampler, prefix: str, side: int, margin: float) -> Box:
    """A square anywhere inside the margin; anywhere in the image where that leaves no room."""
    corner = []
    for name, size in (("top", image.height), ("left", image.width)):
        low = math.ceil(margin * size)
        high = size - low - side
        corner.append(sampler.integer(prefix + name, *((low, high) if low <= high else (0, size - side))))
    return Box(corner[0], corner[1], side, side)


def _fractal(image: NormalImage, sampler: Sampler, game: Game, side: int, angle: float) -> np.ndarray | None:
    """The fractal on the turned square; larger images take the raster of the paper's, so that it stays as dense."""
    raster = min(max(round(side * PAPER_SIDE / max(image.region_side, PAPER_SIDE)), 3), side)
    center = (raster - 1) / 2
    whole = np.full((raster, raster), 255, np.uint8)
    matrix = cv2.getRotationMatrix2D((center, center), angle, 1)
    return draw_fractal(sampler, game, cv2.warpAffine(whole, matrix, (raster, raster), flags=cv2.INTER_NEAREST))


def _pad(fractal: np.ndarray, side: int, dilate: int, region_side: float, *, whole: bool = True) -> Cut:
    """The fractal at full size, and its dilation; lengths in pixels follow the region.

    In a small region, which a pixel around would widen much, there may be none; over the whole image is one always.
    """
    raster = fractal.shape[0]
    border = round(dilate * min(1.0, region_side / PAPER_SIDE))
    if dilate and whole:
        border = max(1, border)
    pad = round(border * side / raster)
    texture = cv2.copyMakeBorder(fractal, border, border, border, border, cv2.BORDER_CONSTANT, value=0)
    support = cv2.dilate(texture, np.ones((3, 3), np.uint8), iterations=border) if border else texture
    texture_full = _enlarge(texture, side + 2 * pad)
    return Cut(texture_full, _enlarge(support, side + 2 * pad) if border else texture_full, pad)


def _enlarge(mask: np.ndarray, side: int) -> np.ndarray:
    if mask.shape[0] == side:
        return mask
    smooth = cv2.resize(mask, (side, side), interpolation=cv2.INTER_LINEAR)
    return cv2.threshold(smooth, ENLARGED_LEVEL, 255, cv2.THRESH_BINARY)[1]


def _land(image: NormalImage, sampler: Sampler, cut: Cut, side: int, margin: float) -> tuple[Box, Box]:
    """The padded square, which may leave the image, and the part of the image that changes."""
    tight = Box.around(cut.support)
    if image.roi is None:
        top, left, _, _ = _corner(image, sampler, "", side, margin).shift(-cut.pad, -cut.pad)
    else:
        rows, columns = min(tight.height, image.height), min(tight.width, image.width)
        shape = np.ascontiguousarray(cut.support[tight._replace(height=rows, width=columns).slices])
        top, left, _, _ = place(image, sampler, rows, columns, shape).shift(-tight.top, -tight.left)
    square = Box(top, left, *cut.support.shape)
    return square, tight.shift(top, left).intersect(image.whole)


def _part(mask: np.ndarray, square: Box, box: Box) -> np.ndarray:
    """The part of a mask over the padded square that lies in `box`."""
    return np.ascontiguousarray(mask[box.within(square).slices])


def _texture(image: NormalImage, source: np.ndarray | None, origin: Box) -> np.ndarray:
    """A square of the image, or of the source as if it had the image's size."""
    if source is None:
        return image.crop(origin)
    top, left, bottom, right = (
        int(edge * have / size)
        for edge, have, size in zip(
            (origin.top, origin.left, origin.bottom, origin.right),
            source.shape[:2] * 2,
            image.shape * 2,
            strict=True,
        )
    )
    part = source[top : max(bottom, top + 1), left : max(right, left + 1)]
    return resize(np.ascontiguousarray(part), origin[2:])


def _jitter(texture: np.ndarray, sampler: Sampler, max_value: float) -> np.ndarray:
    """One of three: a weak change of all, a strong one of brightness and contrast, other gains of two channels."""
    kind = sampler.choice("jitter", ("color", "light", "channels"))
    if kind == "color":
        return color_jitter(texture, sampler, max_value, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.2)
    if kind == "light":
        return color_jitter(texture, sampler, max_value, brightness=1, contrast=1, saturation=0, hue=0)
    changed = texture.copy()
    for channel in sampler.sample("channels", texture.shape[2], 2):
        gain = sampler.uniform("gain", 0, MAX_GAIN)
        plane = texture[..., channel] * np.float32(gain)
        changed[..., channel] = np.minimum(plane, np.float32(max_value))
    return changed


def _paste(image: NormalImage, texture: np.ndarray, cut: Cut, turn: Turn, square: Box, box: Box) -> np.ndarray:
    """The mirrored and turned texture on `box`; the original where only the dilation reaches."""
    sine, cosine = math.sin(math.radians(turn.angle)), math.cos(math.radians(turn.angle))
    vertical, horizontal = (-1 if flip else 1 for flip in turn[:2])
    matrix = np.array([[horizontal * cosine, -horizontal * sine, 0], [vertical * sine, vertical * cosine, 0]])
    middle = (texture.shape[0] - 1) / 2
    corner = box.left - square.left - cut.pad - middle, box.top - square.top - cut.pad - middle
    matrix[:, 2] = matrix[:, :2] @ corner + middle
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    texture = with_axis(cv2.warpAffine(texture, matrix, box[:1:-1], flags=how, borderMode=cv2.BORDER_REPLICATE))
    if cut.pad == 0:
        return texture
    content = image.crop(box).copy()
    return with_axis(cv2.copyTo(texture, _part(cut.texture, square, box), content))


def _add_noise(content: np.ndarray, mask: np.ndarray, rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Content plus Gaussian noise, the same for all channels, drawn only where the mask is true."""
    where = np.flatnonzero(mask)
    values = rng.standard_normal(len(where), np.float32) * np.float32(sigma)
    if content.dtype == np.uint8:  # whole levels on whole levels: the same as rounding their sum
        noise: np.ndarray = np.zeros(mask.shape, np.int16)
        noise.reshape(-1)[where] = np.rint(values)
        return with_axis(cv2.add(content, cv2.merge([noise] * content.shape[2]), dtype=cv2.CV_8U))
    noise = np.zeros(mask.shape, np.float32)
    noise.reshape(-1)[where] = values
    return content + noise[..., None]
