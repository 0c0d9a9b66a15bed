"""A rotated square of a source, pasted in the shape of a random fractal (FractalAD).

1. The side of the square is drawn from `size_range`, a share of the region's shorter side. It is cut from the source as
   if that had the image's size, or from the image itself; `margin`, a share of either side, is kept free.
2. Its colors are jittered in one of three ways.
3. It is mirrored at random and rotated by an angle in degrees from `rotation`.
4. It is cut to a random fractal: the points of a chaos game on an iterated function system (see `chaos_game`), dilated
   with a random kernel of 3 x 3.
5. With probability 1/2 Gaussian noise with a standard deviation of `noise_amp`, of 255, is added on the fractal and on
   `dilate` pixels around it. The mask is what may have changed.
6. It is pasted, unblended, at a uniform place inside the margin or in the region.

A new fractal is drawn for each call at the paper's resolution, so that those of larger images are dense, too; the
paper's code plots 100,000 points.

Reference: Xia, Lv, He, Li, Liu, Ding, "FractalAD: A simple industrial anomaly detection method using fractal anomaly
generation and backbone knowledge distillation", 2023, https://arxiv.org/abs/2301.12739.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import cv2
import numpy as np

from pail.core.composite import Insertion
from pail.core.image import PAPER_SIDE, NormalImage
from pail.core.ops import Box, resize, with_axis
from pail.core.parameters import Choice, Number, Pair, Several
from pail.core.sampler import Sampler
from pail.pixels.color import color_jitter
from pail.pixels.placing import fallback_box, place
from pail.sbi.fractal.chaos_game import Game, draw_fractal

ENLARGED_LEVEL = 106  # threshold of an enlarged raster that keeps its mean fill; 127 would thin out single points
MAX_ITERATIONS = 1_000_000
FARTHEST = 1e6  # largest coordinate of the initial point
MAX_GAIN = 2.0  # largest gain of a channel
SPARSE = 2  # in sparse regions such as rings, the side is limited to this multiple of the square root of the area


class Cut(NamedTuple):
    """The fractal on its square, padded by `pad` pixels for the dilation; masks are uint8 {0, 255}."""

    texture: np.ndarray  # where the source is pasted
    support: np.ndarray  # where anything changes
    pad: int


class Rotation(NamedTuple):
    """How the square is mirrored and then rotated, in degrees counterclockwise."""

    flip_rows: bool
    flip_columns: bool
    angle: float


def fract_aug(
    image: NormalImage,
    sampler: Sampler,
    source: np.ndarray | None,
    *,
    initial_point: Annotated[tuple[float, ...], Several(Number(-FARTHEST, FARTHEST), 2)],
    iterations: Annotated[int, Number(1, MAX_ITERATIONS, integer=True, unit="points")],
    system: Annotated[str, Choice(("random", "barnsley"))],
    n_maps: Annotated[int, Number(2, 64, integer=True)],
    size_range: Annotated[tuple[float, float], Pair(0, 1, above=True, unit="fraction of the shorter side")],
    rotation: Annotated[tuple[float, float], Pair(-360, 360, unit="degrees")],
    noise_amp: Annotated[float, Number(0, 255, unit="gray levels of 0 to 255")],
    margin: Annotated[float, Number(0, 0.5, below=True, unit="fraction of the sides")],
    dilate: Annotated[int, Number(0, 100, integer=True, unit="pixels at 256 a side")],
) -> Insertion:
    """See `pail.pai.Anomaly_Insertion.fract_aug`."""
    game = Game(complex(*initial_point), iterations, system, n_maps)
    longest = min(image.region_side, SPARSE * math.sqrt(image.region_area))
    least = 3 if image.roi is None else 1  # three pixels per side may cover most of a small region
    side = min(max(int(sampler.scaled("size", *size_range) * longest), least), image.side)
    origin = _corner(image, sampler, "source_", side, margin)
    rotated = Rotation(sampler.flag("flip_rows"), sampler.flag("flip_columns"), sampler.uniform("angle", *rotation))
    noisy = sampler.flag("noise")
    fractal = _fractal(image, sampler, game, side, rotated.angle)
    if fractal is None:
        box = fallback_box(image, sampler)
        texture = _jitter(_texture(image, source, origin), sampler, image.max_value)
        return Insertion(box, resize(texture, box[2:]), opacity=sampler.opacity())
    cut = _pad(fractal, side, dilate * noisy, longest, whole=image.roi is None)
    square, box = _land(image, sampler, cut, side, margin)
    texture = _jitter(_texture(image, source, origin), sampler, image.max_value)
    content = _paste(image, texture, cut, rotated, square, box)
    mask = np.ascontiguousarray(cut.support[box.within(square).slices])
    if noisy:
        content = _add_noise(content, mask, sampler.rng, noise_amp * image.max_value / 255)
    return Insertion(box, content, mask, sampler.opacity())


def _corner(image: NormalImage, sampler: Sampler, prefix: str, side: int, margin: float) -> Box:
    """A uniform square inside the margin; anywhere in the image if the margin leaves no room."""
    corner = []
    for name, size in (("top", image.height), ("left", image.width)):
        low = math.ceil(margin * size)
        high = size - low - side
        corner.append(sampler.integer(prefix + name, *((low, high) if low <= high else (0, size - side))))
    return Box(corner[0], corner[1], side, side)


def _fractal(image: NormalImage, sampler: Sampler, game: Game, side: int, angle: float) -> np.ndarray | None:
    """The fractal on the rotated square; for larger images at the paper's resolution, so that it has the same
    density."""
    raster = min(max(round(side * PAPER_SIDE / max(image.region_side, PAPER_SIDE)), 3), side)
    center = (raster - 1) / 2
    whole = np.full((raster, raster), 255, np.uint8)
    matrix = cv2.getRotationMatrix2D((center, center), angle, 1)
    return draw_fractal(sampler, game, cv2.warpAffine(whole, matrix, (raster, raster), flags=cv2.INTER_NEAREST))


def _pad(fractal: np.ndarray, side: int, dilate: int, region_side: float, *, whole: bool = True) -> Cut:
    """The fractal at full size, and its dilation, which shrinks in small images and may be 0 in a small region."""

    def enlarge(mask: np.ndarray) -> np.ndarray:
        size = side + 2 * pad
        if mask.shape[0] == size:
            return mask
        smooth = cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR)
        return cv2.threshold(smooth, ENLARGED_LEVEL, 255, cv2.THRESH_BINARY)[1]

    raster = fractal.shape[0]
    border = round(dilate * min(1.0, region_side / PAPER_SIDE))
    if dilate and whole:
        border = max(1, border)
    pad = round(border * side / raster)
    texture = cv2.copyMakeBorder(fractal, border, border, border, border, cv2.BORDER_CONSTANT, value=0)
    support = cv2.dilate(texture, np.ones((3, 3), np.uint8), iterations=border) if border else texture
    enlarged = enlarge(texture)
    return Cut(enlarged, enlarge(support) if border else enlarged, pad)


def _land(image: NormalImage, sampler: Sampler, cut: Cut, side: int, margin: float) -> tuple[Box, Box]:
    """The place of the padded square, which may cross the border of the image, and the box that changes."""
    tight = Box.around(cut.support)
    if image.roi is None:
        top, left, _, _ = _corner(image, sampler, "", side, margin).shift(-cut.pad, -cut.pad)
    else:
        rows, columns = min(tight.height, image.height), min(tight.width, image.width)
        shape = np.ascontiguousarray(cut.support[tight._replace(height=rows, width=columns).slices])
        top, left, _, _ = place(image, sampler, rows, columns, shape).shift(-tight.top, -tight.left)
    square = Box(top, left, *cut.support.shape)
    return square, tight.shift(top, left).intersect(image.whole)


def _texture(image: NormalImage, source: np.ndarray | None, origin: Box) -> np.ndarray:
    """The square `origin` of the image, or of the source as if that had the image's size."""
    if source is None:
        return image.crop(origin)
    (rows, columns), (height, width) = source.shape[:2], image.shape
    top, left = int(origin.top * rows / height), int(origin.left * columns / width)
    bottom, right = int(origin.bottom * rows / height), int(origin.right * columns / width)
    part = source[top : max(bottom, top + 1), left : max(right, left + 1)]
    return resize(np.ascontiguousarray(part), origin[2:])


def _jitter(texture: np.ndarray, sampler: Sampler, max_value: float) -> np.ndarray:
    """One of three: weak color jitter, strong jitter of brightness and contrast, or random gains of two channels."""
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


def _paste(image: NormalImage, texture: np.ndarray, cut: Cut, rotated: Rotation, square: Box, box: Box) -> np.ndarray:
    """The mirrored and rotated texture on `box`; the original pixels where there is only the dilation."""
    sine, cosine = math.sin(math.radians(rotated.angle)), math.cos(math.radians(rotated.angle))
    vertical, horizontal = (-1 if flip else 1 for flip in rotated[:2])
    matrix = np.array([[horizontal * cosine, -horizontal * sine, 0], [vertical * sine, vertical * cosine, 0]])
    middle = (texture.shape[0] - 1) / 2
    corner = box.left - square.left - cut.pad - middle, box.top - square.top - cut.pad - middle
    matrix[:, 2] = matrix[:, :2] @ corner + middle
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    texture = with_axis(cv2.warpAffine(texture, matrix, box[:1:-1], flags=how, borderMode=cv2.BORDER_REPLICATE))
    if cut.pad == 0:
        return texture
    content = image.crop(box).copy()
    return with_axis(cv2.copyTo(texture, np.ascontiguousarray(cut.texture[box.within(square).slices]), content))


def _add_noise(content: np.ndarray, mask: np.ndarray, rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Content plus Gaussian noise, the same for all channels, drawn only where the mask is true."""
    where = np.flatnonzero(mask)
    values = rng.standard_normal(len(where), np.float32) * np.float32(sigma)
    if content.dtype == np.uint8:  # integers plus rounded noise: the same as rounding their sum
        noise: np.ndarray = np.zeros(mask.shape, np.int16)
        noise.reshape(-1)[where] = np.rint(values)
        return with_axis(cv2.add(content, cv2.merge([noise] * content.shape[2]), dtype=cv2.CV_8U))
    noise = np.zeros(mask.shape, np.float32)
    noise.reshape(-1)[where] = values
    result: np.ndarray = content + noise[..., None]
    return result
