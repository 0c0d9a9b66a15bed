"""Pictures with a known foreground: a shape of one surface is pasted onto another, so the ground truth is exact."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import skimage

Scene = tuple[np.ndarray, np.ndarray | None]  # picture, and its foreground or None where all of it is surface
SIZE = (256, 320)
PHOTOS = Path(skimage.__file__).parent / "data"


@cache
def photo(name: str) -> np.ndarray:
    """An RGB photograph from scikit-image."""
    return np.ascontiguousarray(cv2.imread(str(PHOTOS / name), cv2.IMREAD_COLOR)[..., ::-1])


def surface(name: str, shape: tuple[int, int] = SIZE, corner: tuple[int, int] = (0, 0)) -> np.ndarray:
    """A crop of a photograph as float32, enlarged if it is too small."""
    pixels = photo(name)[corner[0] :, corner[1] :]
    scale = max(1.0, shape[0] / pixels.shape[0], shape[1] / pixels.shape[1])
    if scale > 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return pixels[: shape[0], : shape[1]].astype(np.float32)


def plain(color: tuple[float, float, float], noise: float = 3.0, seed: int = 0) -> np.ndarray:
    grain = np.random.default_rng(seed).normal(0, noise, (*SIZE, 1))
    return (np.array(color, np.float32) + grain).astype(np.float32)


def disc(row: float, column: float, radius: float, shape: tuple[int, int] = SIZE) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def polygon(*corners: tuple[int, int], shape: tuple[int, int] = SIZE) -> np.ndarray:
    """Corners as (row, column)."""
    points = np.array([[column, row] for row, column in corners], np.int32)
    return cv2.fillPoly(np.zeros(shape, np.uint8), [points], 1).astype(bool)


def ring(row: float, column: float, radius: float) -> np.ndarray:
    return disc(row, column, radius) & ~disc(row, column, radius * 0.45)


def lay(part: np.ndarray, ground: np.ndarray, shape: np.ndarray) -> Scene:
    """Paste the object onto the background, with the soft edge of a lens."""
    alpha = cv2.GaussianBlur(shape.astype(np.float32), (3, 3), 0)[..., None]
    return np.clip(np.rint(part * alpha + ground * (1 - alpha)), 0, 255).astype(np.uint8), shape


def dark_on_bright() -> Scene:
    return lay(surface("gravel.png") * 0.5, plain((235, 236, 232)), polygon((60, 80), (70, 240), (200, 260), (190, 70)))


def bright_on_dark() -> Scene:
    return lay(surface("chelsea.png", corner=(100, 40)) * 0.6 + 80, plain((18, 20, 24)), disc(130, 170, 80))


def nut_on_black() -> Scene:
    return lay(surface("brick.png") * 0.5 + 90, plain((12, 12, 12)), ring(128, 160, 100))


def washers() -> Scene:
    shape = ring(70, 80, 45) | ring(180, 100, 50) | disc(90, 220, 40) | disc(190, 250, 30)
    return lay(surface("gravel.png") * 0.4 + 20, plain((200, 190, 170)), shape)


def part_over_the_border() -> Scene:
    return lay(surface("brick.png") * 0.6, plain((225, 225, 225)), polygon((90, 0), (90, 230), (180, 230), (180, 0)))


def part_in_a_corner() -> Scene:
    return lay(surface("retina.jpg", corner=(500, 300)), plain((40, 60, 45)), disc(0, 0, 150))


def part_under_a_lamp() -> Scene:
    light = np.linspace(0.55, 1.15, SIZE[1], dtype=np.float32)[None, :, None]
    picture, shape = lay(plain((60, 55, 50), 4), plain((190, 190, 190), 4, 1), disc(120, 150, 70))
    return np.clip(picture * light, 0, 255).astype(np.uint8), shape


def part_in_noise() -> Scene:
    return lay(plain((150, 150, 150), 22), plain((70, 70, 70), 22, 1), polygon((50, 60), (60, 250), (210, 200)))


def color_of_equal_gray() -> Scene:
    return lay(plain((185, 80, 80)), plain((80, 126, 110)), disc(140, 150, 75))


def small_part() -> Scene:
    return lay(
        plain((60, 62, 70), 4), plain((170, 168, 160), 4, 1), polygon((100, 120), (100, 175), (135, 175), (135, 120))
    )


def large_part() -> Scene:
    return lay(surface("grass.png") * 0.5, plain((220, 220, 225)), polygon((14, 16), (14, 300), (240, 304), (240, 20)))


def two_tone_part() -> Scene:
    part = np.where(np.arange(SIZE[1])[None, :, None] < 160, 80.0, 240.0).astype(np.float32)
    return lay(part, plain((15, 15, 15)), polygon((60, 60), (60, 260), (190, 260), (190, 60)))


def part_on_lawn() -> Scene:
    return lay(plain((238, 236, 230), 4), surface("grass.png") * 0.6, disc(128, 150, 85))


def part_on_gravel() -> Scene:
    return lay(surface("retina.jpg", corner=(500, 300)), surface("gravel.png"), disc(128, 150, 85))


def part_on_wood() -> Scene:
    wood = cv2.resize(photo("coffee.png")[:144, 455:599], SIZE[::-1]).astype(np.float32)
    return lay(plain((35, 45, 60), 6), wood, polygon((40, 90), (60, 250), (220, 230), (200, 70)))


def part_on_bricks() -> Scene:
    return lay(plain((245, 225, 60), 5), surface("brick.png"), polygon((50, 70), (50, 240), (200, 240), (200, 70)))


@cache
def _coins() -> np.ndarray:
    """The coins, flooded from inside and from the background up to the steepest edge between them."""
    from scipy.ndimage import binary_fill_holes
    from skimage.filters import sobel
    from skimage.segmentation import watershed

    gray = photo("coins.png")[..., 0]
    seeds = np.zeros(gray.shape, int)
    seeds[gray < 30] = 1
    seeds[gray > 150] = 2
    return binary_fill_holes(watershed(sobel(gray), seeds) == 2)


def coins() -> Scene:
    return photo("coins.png"), _coins()


def coins_four_times_as_large() -> Scene:
    picture = cv2.resize(photo("coins.png"), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    return picture, cv2.resize(_coins().astype(np.uint8), picture.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0


def eyeground() -> Scene:
    return photo("retina.jpg"), cv2.medianBlur(photo("retina.jpg")[..., 0], 9) > 25


def cell() -> Scene:
    """The circle through the steepest edges along rays from the middle of the cell."""
    return photo("cell.png"), disc(374, 428, 63, (660, 550))


def bricks() -> Scene:
    return photo("brick.png"), None


def lawn() -> Scene:
    return photo("grass.png"), None


def gravel() -> Scene:
    return photo("gravel.png"), None


def close_gravel() -> Scene:
    return cv2.resize(photo("gravel.png")[:128, :128], (512, 512), interpolation=cv2.INTER_CUBIC), None


def wood() -> Scene:
    return cv2.resize(photo("coffee.png")[:144, 455:599], (512, 512)), None


def close_wood() -> Scene:
    return cv2.resize(photo("coffee.png")[10:115, 470:575], (256, 256)), None


def white_noise() -> Scene:
    return np.random.default_rng(3).integers(0, 256, (*SIZE, 3), dtype=np.uint8), None


def sensor_noise() -> Scene:
    return np.clip(plain((128, 128, 128), 6), 0, 255).astype(np.uint8), None


def cloth() -> Scene:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    weave = 128 + 50 * np.sin(rows / 3.0) * np.sin(columns / 3.0)
    return np.repeat(weave[..., None], 3, 2).astype(np.uint8), None


def stripes() -> Scene:
    return np.repeat(np.where(np.arange(SIZE[1]) // 20 % 2, 200, 60)[None, :, None], SIZE[0], 0).astype(np.uint8), None


def clouds() -> Scene:
    grain = np.random.default_rng(5).normal(0, 1, SIZE).astype(np.float32)
    soft = cv2.GaussianBlur(grain, (0, 0), 12)
    return np.clip(128 + 35 * soft / soft.std(), 0, 255).astype(np.uint8), None


def ramp() -> Scene:
    return np.repeat(np.linspace(30, 220, SIZE[1])[None], SIZE[0], 0).astype(np.uint8), None


WITH_GROUND: tuple[Callable[[], Scene], ...] = (
    dark_on_bright,
    bright_on_dark,
    nut_on_black,
    washers,
    part_over_the_border,
    part_in_a_corner,
    part_under_a_lamp,
    part_in_noise,
    color_of_equal_gray,
    small_part,
    large_part,
    two_tone_part,
    part_on_lawn,
    part_on_gravel,
    part_on_wood,
    part_on_bricks,
    coins,
    coins_four_times_as_large,
    eyeground,
    cell,
)
FULL_FRAME: tuple[Callable[[], Scene], ...] = (
    bricks,
    lawn,
    gravel,
    close_gravel,
    wood,
    close_wood,
    white_noise,
    sensor_noise,
    cloth,
    stripes,
    clouds,
    ramp,
)
