"""A turned square of a source, cut out along a random fractal (FractalAD)."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import cv2
import numpy as np

from pail.core.box import Box
from pail.core.checks import as_choice, as_number, as_range, describe
from pail.core.composite import Insertion
from pail.core.draw import Draw
from pail.core.frame import Frame
from pail.core.ops import resize, unchanged, with_axis
from pail.pixels.jitter import colour_jitter
from pail.pixels.placing import FALLBACK_FRACTION, place

PAPER_SIDE = 256  # the paper's image; larger ones take its raster, enlarged, so that the points stay as dense
DISCARDED = 20  # steps on the way from the initial point to the fractal
WALKERS = 512
MAX_ITERATIONS = 1_000_000
REDRAWS = 10
TRIED_AT_ONCE = 64
LEAST_EXTENT = 1e-6
LEAST_FILL = 0.02
ENLARGED_LEVEL = 106  # keeps the mean fill of an enlarged raster; 127 would thin out single points
FARTHEST = 1e6  # of the initial point
MAX_GAIN = 2.0  # of a channel
BARNSLEY_FERN = np.array(  # rows (a, b, c, d, e, f): x' = a x + b y + e, y' = c x + d y + f
    [
        (0, 0, 0, 0.16, 0, 0),
        (0.85, 0.04, -0.04, 0.85, 0, 1.6),
        (0.2, -0.26, 0.23, 0.22, 0, 1.6),
        (-0.15, 0.28, 0.26, 0.24, 0, 0.44),
    ]
)
BARNSLEY_FIRST_CHANCE = (0.005, 0.85)


class Game(NamedTuple):
    """How the points of a fractal are drawn."""

    start: complex
    iterations: int
    system: str
    n_maps: int


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
    frame: Frame,
    draw: Draw,
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
    side = min(max(int(draw.scaled("size", *size_range) * frame.side), 3), frame.side)
    origin = _corner(frame, draw, "source_", side, margin)
    turn = Turn(draw.flag("flip_rows"), draw.flag("flip_columns"), draw.uniform("angle", *rotation))
    noisy = draw.flag("noise")
    cut = _padded(_fractal(frame, draw, game, side, turn.angle), side, dilate * noisy, frame.side)
    square, box = _landed(frame, draw, cut, side, margin)
    texture = _jittered(_texture(frame, source, origin), draw, frame.peak)
    content, mask = _pasted(frame, texture, cut, turn, square, box), _part(cut.support, square, box)
    if noisy or unchanged(content, frame.crop(box)):
        content = _with_noise(content, mask, draw.rng, noise_amp * frame.peak / 255)
    return Insertion(box, content, mask, draw.opacity())


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


def _corner(frame: Frame, draw: Draw, prefix: str, side: int, margin: float) -> Box:
    """A square anywhere inside the margin; anywhere in the image where that leaves no room."""
    corner = []
    for name, size in (("top", frame.height), ("left", frame.width)):
        low = math.ceil(margin * size)
        high = size - low - side
        corner.append(draw.integer(prefix + name, *((low, high) if low <= high else (0, size - side))))
    return Box(corner[0], corner[1], side, side)


# --------------------------------------------------------------------------------------------------------------------
# The fractal


def _fractal(frame: Frame, draw: Draw, game: Game, side: int, angle: float) -> np.ndarray:
    """The fractal on the turned square, as a raster that may be coarser than `side`; never empty."""
    raster = min(max(round(side * PAPER_SIDE / max(frame.side, PAPER_SIDE)), 3), side)
    centre = (raster - 1) / 2
    turned = cv2.warpAffine(
        np.full((raster, raster), 255, np.uint8),
        cv2.getRotationMatrix2D((centre, centre), angle, 1),
        (raster, raster),
        flags=cv2.INTER_NEAREST,
    )
    least = LEAST_FILL * min(raster * raster, game.iterations)
    for _ in range(REDRAWS):
        maps, chances = _random_maps(draw.rng, game.n_maps) if game.system == "random" else _barnsley_maps(draw.rng)
        stamp = draw.rng.integers(1, 2**9)
        drawn = _raster(_points(draw.rng, game, maps, chances), raster, int(stamp))
        if drawn is not None:
            cv2.bitwise_and(drawn, turned, drawn)
            if cv2.countNonZero(drawn) > least:
                draw.keep("maps", maps.tolist())
                draw.keep("chances", chances.tolist())
                draw.keep("stamp", int(stamp))
                return drawn
    return _fallback(raster, frame.side)


def _fallback(raster: int, image_side: int) -> np.ndarray:
    mask = np.zeros((raster, raster), np.uint8)
    side = min(max(1, round(FALLBACK_FRACTION * min(image_side, PAPER_SIDE))), raster)
    start = (raster - side) // 2
    mask[start : start + side, start : start + side] = 255
    return mask


def _random_maps(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` contractions (a, b, c, d, e, f) and their chances, proportional to how much area they keep."""
    weight = rng.uniform((5 + count) / 2, (6 + count) / 2)
    values = _singular_values(rng, count, weight)
    first, second = rng.uniform(0, 2 * math.pi, (2, count))
    mirrors = 2.0 * rng.integers(0, 2, (2, count)) - 1
    s1, s2 = values.T * mirrors
    a = s1 * np.cos(first) * np.cos(second) - s2 * np.sin(first) * np.sin(second)
    b = -s1 * np.cos(first) * np.sin(second) - s2 * np.sin(first) * np.cos(second)
    c = s1 * np.sin(first) * np.cos(second) + s2 * np.cos(first) * np.sin(second)
    d = -s1 * np.sin(first) * np.sin(second) + s2 * np.cos(first) * np.cos(second)
    area = np.abs(s1 * s2) + 1e-9
    return np.stack([a, b, c, d, *rng.uniform(-1, 1, (2, count))], axis=1), area / area.sum()


def _singular_values(rng: np.random.Generator, count: int, weight: float) -> np.ndarray:
    """(count, 2) values in [0, 1], the larger one first, with sum(s1 + 2 s2) = `weight`: uniform among all such."""
    tries = np.sort(rng.random((TRIED_AT_ONCE, count, 2)), axis=2)[..., ::-1]
    tries[:, -1, 0] = rng.random(TRIED_AT_ONCE)
    tries[:, -1, 1] = (weight - tries[:, :-1] @ (1, 2) @ np.ones(count - 1) - tries[:, -1, 0]) / 2
    good = np.flatnonzero((tries[:, -1, 1] >= 0) & (tries[:, -1, 1] <= tries[:, -1, 0]))
    return tries[good[0]] if len(good) else _singular_values_in_turn(rng, count, weight)


def _singular_values_in_turn(rng: np.random.Generator, count: int, weight: float) -> np.ndarray:
    """The same sum, map after map: for many maps, where trial and error does not get there."""
    values = np.empty((count, 2))
    left = weight
    for i in range(count - 1):
        spare = left - 3 * (count - 1 - i)  # what the other maps cannot take up
        s1 = rng.uniform(max(0.0, spare / 3), min(1.0, left))
        s2 = rng.uniform(max(0.0, (spare - s1) / 2), min(s1, (left - s1) / 2))
        values[i] = s1, s2
        left -= s1 + 2 * s2
    s2 = rng.uniform(max(0.0, (left - 1) / 2), left / 3)
    values[-1] = left - 2 * s2, s2
    return values


def _barnsley_maps(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Four of the fern's maps, drawn with replacement, with chances broken off a stick."""
    left, chances = 1.0, []
    for low, high in (BARNSLEY_FIRST_CHANCE, (0.0, 1.0), (0.0, 1.0)):
        chances.append(left * rng.uniform(low, high))
        left -= chances[-1]
    return BARNSLEY_FERN[rng.integers(0, 4, 4)], np.array([*chances, left])


def _points(rng: np.random.Generator, game: Game, maps: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Points x + iy of the chaos game, played by many walkers at once from the same start."""
    a, b, c, d, e, f = maps.T
    # In complex numbers an affine map is z -> keep z + mirror conj(z) + shift.
    factors = np.array([a + d + 1j * (c - b), a - d + 1j * (c + b), 2 * (e + 1j * f)], np.complex64) / 2
    walkers = min(game.iterations, max(WALKERS, game.iterations // DISCARDED))
    kept = -(-game.iterations // walkers)
    steps = DISCARDED + int(4 * math.log2(1 + abs(game.start) / 10)) + kept  # a far start needs a longer way
    dice = rng.random((steps, walkers), np.float32)
    chosen = np.zeros((steps, walkers), np.intp)
    for edge in np.cumsum(chances)[:-1]:
        chosen += dice >= edge
    places = np.empty((kept, walkers), np.complex64)
    place, mirrored = np.full(walkers, game.start, np.complex64), np.empty(walkers, np.complex64)
    for step, (keep, mirror, shift) in enumerate(zip(*np.take(factors, chosen, axis=1), strict=True), kept - steps):
        np.conjugate(place, out=mirrored)
        mirrored *= mirror
        place *= keep
        place += mirrored
        place += shift
        if step >= 0:
            places[step] = place
    return places.reshape(-1)[: game.iterations]


def _raster(points: np.ndarray, raster: int, stamp: int) -> np.ndarray | None:
    """The points, stretched over the square and stamped with a part of 3 x 3; None for a speck or a line."""
    x, y = points.real.copy(), points.imag.copy()  # contiguous, for speed
    left, bottom = x.min(), y.min()
    width, height = x.max() - left, y.max() - bottom
    if not min(width, height) > LEAST_EXTENT:
        return None
    columns = ((x - left) * ((raster - 1) / width) + 0.5).astype(np.int32)
    rows = raster - 1 - ((y - bottom) * ((raster - 1) / height) + 0.5).astype(np.int32)
    drawn = np.zeros(raster * raster, np.uint8)
    drawn[rows * raster + columns] = 255
    kernel = (stamp >> np.arange(9) & 1).astype(np.uint8).reshape(3, 3)
    return cv2.dilate(drawn.reshape(raster, raster), kernel)


# --------------------------------------------------------------------------------------------------------------------
# From the raster to the image


def _padded(fractal: np.ndarray, side: int, dilate: int, image_side: int) -> Cut:
    """The fractal at full size, and its dilation; lengths in pixels follow the image."""
    raster = fractal.shape[0]
    border = max(1, round(dilate * min(1.0, image_side / PAPER_SIDE))) if dilate else 0
    pad = round(border * side / raster)
    texture = cv2.copyMakeBorder(fractal, border, border, border, border, cv2.BORDER_CONSTANT, value=0)
    support = cv2.dilate(texture, np.ones((3, 3), np.uint8), iterations=border) if border else texture
    texture_full = _enlarged(texture, side + 2 * pad)
    return Cut(texture_full, _enlarged(support, side + 2 * pad) if border else texture_full, pad)


def _enlarged(mask: np.ndarray, side: int) -> np.ndarray:
    if mask.shape[0] == side:
        return mask
    smooth = cv2.resize(mask, (side, side), interpolation=cv2.INTER_LINEAR)
    return cv2.threshold(smooth, ENLARGED_LEVEL, 255, cv2.THRESH_BINARY)[1]


def _landed(frame: Frame, draw: Draw, cut: Cut, side: int, margin: float) -> tuple[Box, Box]:
    """The padded square in the image, and the part of it that changes, cut to the image."""
    left, top, width, height = cv2.boundingRect(cut.support)
    if frame.roi is None:
        corner = _corner(frame, draw, "", side, margin)
        square = Box(corner.top - cut.pad, corner.left - cut.pad, side + 2 * cut.pad, side + 2 * cut.pad)
    else:
        rows, columns = min(height, frame.height), min(width, frame.width)
        shape = np.ascontiguousarray(cut.support[top : top + rows, left : left + columns])
        found = place(frame, draw, rows, columns, shape)
        square = Box(found.top - top, found.left - left, side + 2 * cut.pad, side + 2 * cut.pad)
    first_row, first_column = max(square.top + top, 0), max(square.left + left, 0)
    last_row = min(square.top + top + height, frame.height)
    last_column = min(square.left + left + width, frame.width)
    return square, Box(first_row, first_column, last_row - first_row, last_column - first_column)


def _part(mask: np.ndarray, square: Box, box: Box) -> np.ndarray:
    """The part of a mask over the padded square that lies in `box`."""
    return np.ascontiguousarray(mask[box._replace(top=box.top - square.top, left=box.left - square.left).slices])


def _texture(frame: Frame, source: np.ndarray | None, origin: Box) -> np.ndarray:
    """A square of the image, or of the source as if it had the image's size."""
    if source is None:
        return frame.crop(origin)
    top, left, bottom, right = (
        int(edge * have / size)
        for edge, have, size in zip(
            (origin.top, origin.left, origin.top + origin.height, origin.left + origin.width),
            source.shape[:2] * 2,
            frame.shape * 2,
            strict=True,
        )
    )
    part = source[top : max(bottom, top + 1), left : max(right, left + 1)]
    return resize(np.ascontiguousarray(part), origin[2:])


def _jittered(texture: np.ndarray, draw: Draw, peak: float) -> np.ndarray:
    """One of three: a weak change of all, a strong one of brightness and contrast, other gains of two channels."""
    kind = draw.choice("jitter", ("colour", "light", "channels"))
    if kind == "colour":
        return colour_jitter(texture, draw, peak, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.2)
    if kind == "light":
        return colour_jitter(texture, draw, peak, brightness=1, contrast=1, saturation=0, hue=0)
    changed = texture.copy()
    for channel in draw.sample("channels", texture.shape[2], 2):
        gain = draw.uniform("gain", 0, MAX_GAIN)
        plane = texture[..., channel] * np.float32(gain)
        changed[..., channel] = np.minimum(plane, np.float32(peak))
    return changed


def _pasted(frame: Frame, texture: np.ndarray, cut: Cut, turn: Turn, square: Box, box: Box) -> np.ndarray:
    """The mirrored and turned texture on `box`; the original where only the dilation reaches."""
    sine, cosine = math.sin(math.radians(turn.angle)), math.cos(math.radians(turn.angle))
    vertical, horizontal = (-1 if flip else 1 for flip in turn[:2])
    matrix = np.array([[horizontal * cosine, -horizontal * sine, 0], [vertical * sine, vertical * cosine, 0]])
    middle = (texture.shape[0] - 1) / 2
    corner = box.left - square.left - cut.pad - middle, box.top - square.top - cut.pad - middle
    matrix[:, 2] = matrix[:, :2] @ corner + middle
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    turned = with_axis(cv2.warpAffine(texture, matrix, box[:1:-1], flags=how, borderMode=cv2.BORDER_REPLICATE))
    if cut.pad == 0:
        return turned
    content = frame.crop(box).copy()
    return with_axis(cv2.copyTo(turned, _part(cut.texture, square, box), content))


def _with_noise(content: np.ndarray, mask: np.ndarray, rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Content plus Gaussian noise, the same for all channels, drawn only where the mask is true."""
    where = np.flatnonzero(mask)
    values = _normal(rng, len(where)) * np.float32(sigma)
    if content.dtype == np.uint8:  # whole levels on whole levels: the same as rounding their sum
        noise: np.ndarray = np.zeros(mask.shape, np.int16)
        noise.reshape(-1)[where] = np.rint(values)
        return with_axis(cv2.add(content, cv2.merge([noise] * content.shape[2]), dtype=cv2.CV_8U))
    noise = np.zeros(mask.shape, np.float32)
    noise.reshape(-1)[where] = values
    return content + noise[..., None]


def _normal(rng: np.random.Generator, count: int) -> np.ndarray:
    """Standard normal numbers of 65536 levels: looked up, they cost a fifth of numpy's."""
    words = rng.integers(0, 2**64 - 1, -(-count // 4), np.uint64, endpoint=True)
    return _normal_quantiles()[words.view(np.uint16)[:count]]


@functools.cache
def _normal_quantiles() -> np.ndarray:
    grid = np.linspace(-5, 5, 20_001)
    density = np.exp(-grid * grid / 2)
    below = np.cumsum(density) - density / 2
    return np.interp((np.arange(2**16) + 0.5) / 2**16, below / density.sum(), grid).astype(np.float32)
