"""A bank of real defects, which are cut out of photographs when they are requested."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from pail.beyond.real.annotations import DEFECT, AnnotationError, Catalog, count_kinds, read_catalog, warn_of
from pail.core.checks import as_number, describe
from pail.core.image import as_pixels
from pail.core.mask import as_mask
from pail.core.ops import Box, resize, with_axis
from pail.io.read import UnreadableError, read_mask, read_picture
from pail.pixels import poisson
from pail.pixels.panels import fit, outline, shades, to_display

MARGIN = 0.6  # of the longer side of a defect: margin of the cut-out
MIN_MARGIN = 8  # pixels
SMALL_SIDE = 96  # pixels: side of the grid on which the surface below a defect is interpolated
RING, MIN_RING = 0.2, 2  # width of the ring around a defect: of the square root of its area; at least, in pixels
NEAR, FAR, MIN_WEIGHT = 0.03, 0.3, 0.02  # widths of the averages around a defect, in sides of the cut-out
MAX_BYTES = 256 << 20


class Defect(NamedTuple):
    """A defect and its surroundings.

    Attributes
    ----------
    pixels : ndarray (h, w) or (h, w, C)
        The cut-out of the photograph.
    mask : ndarray (h, w), uint8 {0, 255}
        Where the defect is.
    ring : ndarray (h, w), uint8 {0, 255}
        The pixels close around the defect that belong to no defect; they show the surface at its original place.
    surface : ndarray, shape and dtype of `pixels`
        An estimate of the surface below the defect: a smooth continuation of its surroundings.
    kind : str
        The kind of the defect.
    outline : ndarray (n, 2), float64
        Corners (x, y) of the outlines of the mask, which give its extent after an affine transform.
    box : Box
        The position of the cut-out in the photograph.
    shape : (int, int)
        Height and width of the photograph.
    alpha : bool
        Whether the last channel of `pixels` is alpha.
    """

    pixels: np.ndarray
    mask: np.ndarray
    ring: np.ndarray
    surface: np.ndarray
    kind: str
    outline: np.ndarray
    box: Box
    shape: tuple[int, int]
    alpha: bool = False

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self.pixels, self.mask, self.ring, self.surface, self.outline))


class Defects(Sequence[Defect]):
    """A bank of real defects: photographs of defective parts with their
    masks.

    Every connected piece of a mask is a defect. A photograph is read when
    one of its defects is requested.

    Parameters
    ----------
    images : sequence of paths, ndarray or PIL.Image.Image
        Photographs of defective parts.
    masks : sequence of paths, ndarray or PIL.Image.Image
        The masks of the defects in each image: bool, 0 and 255, or 0 and 1,
        with the image's height and width.
    kinds : str or sequence of str, optional
        The kind of the defects of each image, or of all images; "defect" by
        default.
    max_bytes : int, default 268435456
        Cut-outs are kept in memory up to this size.

    Attributes
    ----------
    skipped : tuple of str
        Everything that `read` could not use, with the reason.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or if an image or mask cannot be read, is
        empty, is true everywhere or has another size.

    Examples
    --------
    >>> import numpy as np
    >>> from pail.beyond.real.defects import Defects
    >>> photo = np.full((64, 64), 150, np.uint8)
    >>> mask = np.zeros((64, 64), bool)
    >>> mask[20:24, 30:40] = True
    >>> photo[mask] = 40
    >>> bank = Defects([photo], [mask], kinds="scratch")
    >>> bank
    <Defects: 1 of 1 image, scratch 1>
    >>> bank[0].kind, int((bank[0].mask > 0).sum())
    ('scratch', 40)
    """

    def __init__(self, images: Any, masks: Any, kinds: Any = None, *, max_bytes: int = MAX_BYTES) -> None:
        images, masks = _as_list("images", images), _as_list("masks", masks)
        if len(images) != len(masks):
            raise ValueError(f"`masks` must have one mask for each of the {len(images)} images, got {len(masks)}")
        names = _as_kinds(kinds, len(images))
        catalog = Catalog()
        for index, (image, mask, kind) in enumerate(zip(images, masks, names, strict=True)):
            pixels = _as_image(f"images[{index}]", image)
            shape = _pixels_of(pixels)[0].shape[:2]
            try:
                catalog.add_mask(f"images[{index}]", kind, _as_mask(f"masks[{index}]", mask), pixels, shape)
            except AnnotationError as error:
                raise ValueError(f"`masks[{index}]` must fit its image and be partly true: {error}") from error
        self._setup(catalog, max_bytes)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Defects:
        """Read a bank from a folder or an annotation file.

        The format is detected: the layout of MVTec AD (``test/<kind>`` with ``ground_truth/<kind>``), ``x.png`` with
        ``x_mask.png``, ``images/`` with ``masks/`` of equal stems, images with alpha, JSON of labelme, JSON of COCO
        with polygons or run lengths, polygons of YOLO (``images/`` with
        ``labels/``). The folder, label or category is the kind. A warning and
        `skipped` name files that cannot be read or have no matching file.

        Parameters
        ----------
        path : path
            The folder or file.
        max_bytes : int, default 268435456
            Cut-outs are kept in memory up to this size.

        Raises
        ------
        TypeError
            If the path is not a path.
        ValueError
            If the path does not exist, or contains no defect that can be used.
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"`path` must be a folder or an annotation file, got {describe(path)}")
        root = Path(path)
        if not root.exists():
            raise ValueError(f"`path` must be a folder or an annotation file, got {str(path)!r}, which does not exist")
        catalog = read_catalog(root)
        if not catalog.pieces:
            reasons = "; ".join(catalog.skipped[:5]) or "no annotation, no mask and no image with alpha"
            raise ValueError(f"`path` must contain a defect that can be used, got {str(path)!r}: {reasons}")
        warn_of(catalog.skipped, str(path))
        bank = cls.__new__(cls)
        bank._setup(catalog, max_bytes)
        return bank

    def _setup(self, catalog: Catalog, max_bytes: Any) -> None:
        self._images, self._shapes, self._pieces = catalog.images, catalog.shapes, catalog.pieces
        self.skipped = tuple(catalog.skipped)
        self._max_bytes = int(as_number("max_bytes", max_bytes, 0, 1 << 50, integer=True))
        self._kept: dict[int, Defect] = {}
        self._used = 0

    def __getstate__(self) -> dict[str, Any]:
        """A pickle does not contain cut-outs; another process makes its own."""
        return {**self.__dict__, "_kept": {}, "_used": 0}

    def __len__(self) -> int:
        return len(self._pieces)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        found = self._kept.get(number)
        if found is None:
            found = self._cut_out(number)
            if self._used + found.nbytes <= self._max_bytes:
                self._used += found.nbytes
                self._kept[number] = found
        return found

    def __repr__(self) -> str:
        found = len({piece.image for piece in self._pieces})
        kinds = ", ".join(f"{kind} {count}" for kind, count in count_kinds(self._pieces))
        return f"<Defects: {len(self)} of {found} image{'s' * (found > 1)}, {kinds}>"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that occur, in alphabetical order."""
        return tuple(kind for kind, _ in count_kinds(self._pieces))

    def of_kinds(self, kinds: Any = None) -> list[int]:
        """The indices of the defects of some kinds; of all by default.

        Raises
        ------
        TypeError, ValueError
            If a kind is not a str, or does not occur.
        """
        if kinds is None:
            return list(range(len(self)))
        wanted = [kinds] if isinstance(kinds, str) else kinds
        if not isinstance(wanted, Sequence) or len(wanted) == 0:
            raise TypeError(f"`kinds` must be None, a kind or a sequence of kinds, got {describe(kinds)}")
        for kind in wanted:
            if kind not in self.kinds:
                raise ValueError(f"`kinds` must be one of {', '.join(self.kinds)}; got {describe(kind)}")
        return [number for number, piece in enumerate(self._pieces) if piece.kind in wanted]

    @property
    def photographs(self) -> tuple[Any, ...]:
        """The photographs with defects: paths, or the objects that were passed."""
        return tuple(self._images)

    @cached_property
    def identity(self) -> str:
        """A checksum of the photographs, masks and kinds, which does not depend on their paths. All photographs are
        read for it."""
        whole = hashlib.sha256()
        digests = [hashlib.sha256(_bytes_of(image)).digest() for image in self._images]
        for piece in self._pieces:
            place = f"{piece.kind}\0{tuple(piece.box)}\0".encode()
            whole.update(digests[piece.image] + place + piece.bits)
        return whole.hexdigest()[:16]

    def show(self, *, count: int = 24, side: int = 128) -> Image.Image:
        """A sheet of cut-outs with the outlines of their masks.

        Parameters
        ----------
        count : int, default 24
            Largest number of cut-outs, 1 to 1000, spread evenly over the bank.
        side : int, default 128
            Pixels of the longer side of a picture, 32 to 1024.
        """
        count = int(as_number("count", count, 1, 1000, integer=True))
        side = int(as_number("side", side, 32, 1024, integer=True))
        shown = np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int)).tolist()
        columns = min(len(shown), max(1, round(math.sqrt(len(shown) * 1.6))))
        gap, line = 8, 16
        rows = -(-len(shown) // columns)
        sheet = Image.new("RGB", (columns * (side + gap) + gap, rows * (side + gap + line) + gap), "white")
        text = ImageDraw.Draw(sheet)
        for place, number in enumerate(shown):
            defect = self[number]
            pixels = with_axis(defect.pixels)[..., : -1 if defect.alpha else None]
            picture = fit(to_display(pixels, shades(pixels)), side)
            left, top = gap + place % columns * (side + gap), gap + place // columns * (side + gap + line)
            sheet.paste(Image.fromarray(outline(picture, defect.mask)), (left, top))
            text.text((left, top + side + 2), f"{number} {defect.kind}", fill="black")
        return sheet

    def _cut_out(self, number: int) -> Defect:
        piece = self._pieces[number]
        pixels, alpha = _pixels_of(self._images[piece.image])
        shape = self._shapes[piece.image]
        if pixels.shape[:2] != shape:
            raise ValueError(f"{self._images[piece.image]} has changed: it has height and width {pixels.shape[:2]}")
        margin = max(MIN_MARGIN, round(MARGIN * max(piece.box.height, piece.box.width)))
        box = Box(
            piece.box.top - margin, piece.box.left - margin, piece.box.height + 2 * margin, piece.box.width + 2 * margin
        ).intersect(Box(0, 0, *shape))
        mask = np.zeros(box[2:], np.uint8)
        mask[piece.box.within(box).slices] = piece.mask
        clean = self._clean(piece.image, box)
        part = np.ascontiguousarray(pixels[box.slices])
        surface = _surface(part, clean, mask)
        ring = cv2.bitwise_and(ring_around(mask), clean)
        found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        outline = np.concatenate(found)[:, 0].astype(np.float64)
        for array in (part, mask, ring, surface, outline):
            array.flags.writeable = False
        return Defect(part, mask, ring, surface, piece.kind, outline, box, shape, alpha)

    def _clean(self, image: int, box: Box) -> np.ndarray:
        """Where the photograph has no defect, on a box, with a distance of one pixel to each."""
        found = np.zeros(box[2:], np.uint8)
        for other in self._pieces:
            if other.image != image:
                continue
            common = other.box.intersect(box)
            if common.area:
                found[common.within(box).slices] |= other.mask[common.within(other.box).slices]
        return cv2.bitwise_not(cv2.dilate(found, np.ones((3, 3), np.uint8)))


def as_defects(value: Any) -> Defects:
    """Check the argument `defects`, which has to be a bank."""
    if not isinstance(value, Defects):
        raise TypeError(
            f"`defects` must be a bank of real defects, pail.Defects(images, masks) or pail.Defects.read(folder), "
            f"got {describe(value)}"
        )
    return value


def bank_of(value: Any) -> Defects | None:
    """The bank, which is read if a folder or an annotation file is given; None if nothing is given."""
    if value is None or not isinstance(value, str | os.PathLike):
        return None if value is None else as_defects(value)
    try:
        return Defects.read(value)
    except ValueError as error:
        raise ValueError(str(error).replace("`path`", "`defects`", 1)) from error


def ring_width(mask: np.ndarray) -> int:
    """The width of the ring around a defect whose level is compared."""
    return max(MIN_RING, round(RING * math.sqrt(cv2.countNonZero(mask))))


def ring_around(mask: np.ndarray) -> np.ndarray:
    """The pixels around a mask, uint8 {0, 255} (h, w)."""
    side = 2 * ring_width(mask) + 1
    near = cv2.dilate(cv2.dilate(mask, np.ones((side, 1), np.uint8)), np.ones((1, side), np.uint8))
    return cv2.bitwise_and(near, cv2.bitwise_not(mask))


def _surface(pixels: np.ndarray, clean: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The pixels in which defects are replaced by a smooth continuation of the clean surface, computed on few
    pixels."""
    scale = min(1.0, SMALL_SIDE / max(mask.shape))
    height, width = (max(3, round(size * scale)) for size in mask.shape)
    weight = resize((clean > 0).astype(np.float32), (height, width))[..., None]
    if not weight.any():  # no surface is visible, because the defect fills the cut-out
        return pixels.copy()
    values = resize(with_axis(pixels.astype(np.float32)) * (clean > 0)[..., None], (height, width))
    near, far = (_averaged(values, weight, share * max(height, width)) for share in (NEAR, FAR))
    # If a defect reaches the border of the cut-out, no clean pixel is near, but the solver needs a value there.
    smooth = np.where(near[1] > MIN_WEIGHT, near[0], far[0])
    hidden = np.where(weight[..., 0] < 0.5, np.uint8(255), np.uint8(0))
    filled = poisson.blend(smooth, np.zeros_like(smooth), hidden)
    if pixels.dtype.kind == "u":
        filled = np.clip(np.rint(filled), 0, np.iinfo(pixels.dtype).max)
    filled = resize(filled, mask.shape)
    if pixels.dtype.kind == "u":
        filled = np.rint(filled)
    else:
        filled = np.clip(filled, pixels.min(), pixels.max())
    surface = np.where(clean[..., None] > 0, with_axis(pixels), filled.astype(pixels.dtype))
    return np.ascontiguousarray(surface.reshape(pixels.shape))


def _averaged(values: np.ndarray, weight: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """The average of the valid values, weighted by distance, and the total weight at each pixel."""
    sigma = max(sigma, 1.0)
    spread = with_axis(cv2.GaussianBlur(weight, (0, 0), sigma))
    planes = [cv2.GaussianBlur(np.ascontiguousarray(plane), (0, 0), sigma) for plane in np.moveaxis(values, 2, 0)]
    return np.stack(planes, axis=2) / np.maximum(spread, 1e-6), spread


def _as_list(name: str, value: Any) -> list[Any]:
    if isinstance(value, str | os.PathLike) or not isinstance(value, Sequence | np.ndarray):
        raise TypeError(f"`{name}` must be a sequence of paths or images, got {describe(value)}")
    if len(value) == 0:
        raise ValueError(f"`{name}` must not be empty")
    return list(value)


def _as_kinds(value: Any, count: int) -> list[str]:
    kinds = [DEFECT if value is None else value] * count if value is None or isinstance(value, str) else value
    if not isinstance(kinds, Sequence) or not all(isinstance(kind, str) and kind for kind in kinds):
        raise TypeError(f"`kinds` must be None, a str or one str for each image, got {describe(value)}")
    if len(kinds) != count:
        raise ValueError(f"`kinds` must have one kind for each of the {count} images, got {len(kinds)}")
    return list(kinds)


def _as_image(name: str, value: Any) -> Any:
    """A path that can be read, or an array and whether it has alpha."""
    if isinstance(value, str | os.PathLike):
        try:
            read_picture(value)
        except UnreadableError as error:
            raise ValueError(f"`{name}` must be an image that can be read, got {str(value)!r}: {error}") from error
        return Path(value)
    pixels, alpha = as_pixels(name, value)
    return pixels.copy(), alpha


def _as_mask(name: str, value: Any) -> np.ndarray:
    if isinstance(value, str | os.PathLike):
        try:
            return read_mask(value, name=str(value))
        except UnreadableError as error:
            raise ValueError(f"`{name}` must be a mask that can be read, got {str(value)!r}: {error}") from error
    return as_mask(name, value)


def _pixels_of(image: Any) -> tuple[np.ndarray, bool]:
    """The pixels of a path, of a file's bytes or of an array, and whether the last channel is alpha."""
    if isinstance(image, tuple):
        return image
    try:
        picture = read_picture(image)
    except UnreadableError as error:
        raise ValueError(
            f"{image if isinstance(image, Path) else 'an image'} can no longer be read: {error}"
        ) from error
    return picture.pixels, picture.alpha


def _bytes_of(image: Any) -> bytes:
    if isinstance(image, tuple):
        return np.ascontiguousarray(image[0]).tobytes() + str((image[0].shape, image[0].dtype.str)).encode()
    return image if isinstance(image, bytes) else Path(image).read_bytes()
