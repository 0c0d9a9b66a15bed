"""Images from folders, glob patterns, paths or arrays, decoded when they are requested."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pail.core.checks import MAX_SIDE, as_choice, as_flag, as_number, as_patterns, as_size, describe
from pail.core.image import MAX_CHANNELS, as_pixels, check_array
from pail.core.ops import resize, with_axis
from pail.io import pil
from pail.io.read import MAX_PIXELS, UnreadableError, count_pages, looks_like_mask, read_picture, read_size
from pail.io.select import excluded, is_excluded, no_images, normal_images, select

Size = tuple[int, int]


@dataclass(frozen=True)
class Page:
    """The location of an image: a file, and a page in it."""

    path: Path
    number: int = 0
    of: int = 1  # number of pages that are used

    def __str__(self) -> str:
        return str(self.path) if self.of == 1 else f"{self.path}, page {self.number + 1} of {self.of}"


@dataclass(frozen=True)
class Given:
    """An image in memory."""

    pixels: np.ndarray
    alpha: bool


class Cache:
    """Decoded images up to a number of bytes. Forked processes share them.

    A pickled cache is empty: a spawned process fills its own instead of receiving gigabytes through a pipe.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0
        self.images: dict[Any, np.ndarray] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"limit": self.limit, "used": 0, "images": {}}

    @property
    def is_full(self) -> bool:
        return self.used >= self.limit

    def get(self, key: Any, load: Callable[[], np.ndarray]) -> np.ndarray:
        found = self.images.get(key)
        if found is None:
            found = load()
            if self.used + found.nbytes > self.limit:
                return found
            self.used += found.nbytes
            self.images[key] = found
        return found


class Images(Sequence[np.ndarray]):
    """A sequence of images as arrays (H, W, C), read when they are requested.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    where : path, glob pattern, image or sequence of paths and images
        A folder is searched with all its subfolders, sorted by name. A file may list paths, see
        `pail.io.select.select`.
    size : (int, int), optional
        Height and width to which images are resized.
    channels : {3, 1, None}, default 3
        Number of channels to which images are converted: gray is repeated, and alpha is dropped. None keeps the
        channels.
    cache : Cache, optional
        Where decoded images are kept.
    unreadable : {"raise", "skip"}, default "raise"
        What to do with a file that is not an image. To skip such files, all files are decoded immediately.
    pages : {"first", "all"}, default "first"
        Which pages of a multi-page TIFF file are images. For "all", all TIFF files are opened immediately.
    max_pixels : int, optional
        Files with more pixels are refused; None accepts any size.
    alpha : bool, default True
        Whether alpha is kept if `channels` is None.
    exclude : str or sequence of str, default ()
        Patterns of paths or names that are left out.
    follow_links : bool, default False
        Whether links to folders are followed.
    column : str, optional
        The column of a list of paths in CSV or JSON.
    normal : bool, default False
        Whether only normal images are wanted. Masks and labels next to images are then left out, and test images of a
        data set are an error.

    Attributes
    ----------
    gray_alpha : set of int
        Indices of the images read so far whose second of two channels is alpha, which cannot be seen from an array.
    """

    def __init__(
        self,
        name: str,
        where: Any,
        *,
        size: Size | None = None,
        channels: int | None = 3,
        cache: Cache | None = None,
        unreadable: str = "raise",
        pages: str = "first",
        max_pixels: int | None = MAX_PIXELS,
        alpha: bool = True,
        exclude: str | Sequence[str] = (),
        follow_links: bool = False,
        column: str | None = None,
        normal: bool = False,
    ) -> None:
        self.name, self.size, self.channels, self.alpha = name, size, as_channels(channels), alpha
        self.max_pixels = as_max_pixels(max_pixels)
        self.cache = Cache(0) if cache is None else cache
        self.gray_alpha: set[int] = set()
        self.entries = entries(
            name,
            where,
            exclude=as_patterns("exclude", exclude),
            follow_links=as_flag("follow_links", follow_links),
            column=column,
            normal=normal,
        )
        as_choice("unreadable", unreadable, ("raise", "skip"))
        if as_choice("pages", pages, ("first", "all")) == "all":
            self.entries = [page for entry in self.entries for page in self._pages(entry, unreadable)]
        if unreadable == "skip":
            self._skip_unreadable()

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: Any) -> Any:
        return self.cache.get((self.name, index), lambda: self._load(index))

    def fill_cache(self) -> None:
        """Decode images until the cache is full."""
        for index in range(len(self)):
            if self.cache.is_full:
                return
            self[index]

    def sizes(self) -> Iterator[Size]:
        """Height and width of each image. For files that are not resized, they are read from the header."""
        for entry in self.entries:
            if self.size is not None:
                yield self.size
            else:
                yield entry.pixels.shape[:2] if isinstance(entry, Given) else self._size_of(entry)

    def check_sizes(self) -> None:
        """Raise an error if the images differ in size according to their headers."""
        first: Size | None = None
        for index, shape in enumerate(self.sizes()):
            first = shape if first is None else first
            if shape != first:
                raise ValueError(
                    f"`{self.name}` must contain images of the same size if no `size` is given, got {first} "
                    f"(height, width) in {self.label(0)} and {shape} in {self.label(index)}; pass `size`"
                )

    def label(self, index: int) -> str:
        """The name of an image, for messages."""
        entry = self.entries[index]
        return f"{self.name}[{index}]" if isinstance(entry, Given) else str(entry)

    def _load(self, index: int) -> np.ndarray:
        entry = self.entries[index]
        given = entry if isinstance(entry, Given) else self._decode(entry)
        pixels, _ = as_pixels(self.label(index), given.pixels)
        pixels = with_axis(pixels)
        if given.alpha and not self.alpha:
            pixels = pixels[..., :-1]
        image = _with_channels(pixels, self.channels, self.label(index))
        if given.alpha and image.shape[2] == 2:
            self.gray_alpha.add(index)
        image = (image if self.size is None else resize(image, self.size)).view()
        image.flags.writeable = False  # it belongs to the user, or will be cached
        return image

    def _decode(self, page: Page) -> Given:
        try:
            name = str(page.path) if page.of == 1 else None
            picture = read_picture(page.path, page=page.number, max_pixels=self.max_pixels, name=name)
        except UnreadableError as error:
            raise self._unreadable(page, error) from error
        return Given(picture.pixels, picture.alpha)

    def _size_of(self, page: Page) -> Size:
        try:
            return read_size(page.path, page=page.number, max_pixels=self.max_pixels)
        except UnreadableError as error:
            raise self._unreadable(page, error) from error

    def _pages(self, entry: Any, unreadable: str) -> list[Any]:
        if isinstance(entry, Given):
            return [entry]
        try:
            count = count_pages(entry.path)
        except UnreadableError as error:
            if unreadable == "skip":  # the warning names it together with the others
                return [entry]
            raise self._unreadable(entry, error) from error
        return [Page(entry.path, number, count) for number in range(count)]

    def _unreadable(self, page: Page, error: UnreadableError) -> ValueError:
        return ValueError(f"`{self.name}` must contain images that can be read, got {page}: {error}")

    def _skip_unreadable(self) -> None:
        readable, bad = [], []
        for entry in self.entries:
            try:
                if not isinstance(entry, Given):
                    self._decode(entry)
                readable.append(entry)
            except ValueError:
                bad.append(str(entry))
        if not readable:
            raise ValueError(f"`{self.name}` must contain an image that can be read, got {len(bad)} files that cannot")
        if bad:
            warnings.warn(f"{len(bad)} files of `{self.name}` cannot be read: {', '.join(bad)}", stacklevel=4)
        self.entries = readable


def entries(
    name: str,
    where: Any,
    *,
    exclude: Sequence[str] = (),
    follow_links: bool = False,
    column: str | None = None,
    normal: bool = False,
) -> list[Page | Given]:
    """Files and images in memory, at least one."""
    if isinstance(where, str | os.PathLike):
        found = select(name, where, follow_links=follow_links, column=column)
        if found.listing.skipped_summary:
            warnings.warn(f"`{name}`, {str(where)!r}: {found.listing.skipped_summary}", UserWarning, stacklevel=4)
        kept, notes = normal_images(name, found, exclude, _is_mask) if normal else (excluded(found, exclude), [])
        if not kept.names:
            raise no_images(name, repr(str(where)), found)
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=4)
        return [Page(Path(kept.root) / file) for file in kept.names]
    if isinstance(where, Image.Image) or (isinstance(where, np.ndarray) and _is_single(name, where)):
        return [_given(name, where)]
    if not isinstance(where, Sequence | np.ndarray):
        raise TypeError(
            f"`{name}` must be a folder, a glob pattern, or a list of paths or images, got {describe(where)}"
        )
    if len(where) == 0:
        raise ValueError(f"`{name}` must not be empty, got no image")
    listed = [_entry(f"{name}[{index}]", entry) for index, entry in enumerate(where)]
    left = [entry for entry in listed if isinstance(entry, Given) or not is_excluded(entry.path.as_posix(), exclude)]
    if not left:
        raise ValueError(
            f"`{name}` must list an image that `exclude` does not leave out, got {len(listed)}, all of which "
            "are left out"
        )
    return left


def _is_single(name: str, array: np.ndarray) -> bool:
    """Whether the array is a single image and not a stack of images.

    An array (N, H, W) is a stack of gray images if its last axis is longer than the number of channels that an image
    may have. With few images, it could also be one image with its channels in front, which is an error.
    """
    if array.ndim != 3 or array.shape[2] <= MAX_CHANNELS:
        return array.ndim in (2, 3)
    if array.shape[0] > MAX_CHANNELS:
        return False
    raise ValueError(
        f"`{name}` of shape {array.shape} is ambiguous: it may be {array.shape[0]} gray images or one image with its "
        f"channels in front: pass images[..., None] or list(images) for the former, image.transpose(1, 2, 0) for the "
        "latter"
    )


def drawn_source(
    source: Any,
    cache: Cache | None = None,
    unreadable: str = "raise",
    max_pixels: int | None = MAX_PIXELS,
    **selecting: Any,
) -> Any:
    """The source argument of `Anomaly_Insertion.insert`: None, or a callable that draws an image and reads it."""
    if source is None or (callable(source) and not isinstance(source, Image.Image)):
        return source
    reading: dict[str, Any] = {"cache": cache, "unreadable": unreadable, "max_pixels": max_pixels, "alpha": False}
    return Drawn(Images("source", source, channels=None, **reading, **selecting))


class Drawn:
    """A callable that draws one of the images, each with the same probability."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        image: np.ndarray = self.images[int(rng.random() * len(self.images))]
        return image


def as_channels(value: Any) -> int | None:
    if value is None or (value in (1, 3) and not isinstance(value, bool)):
        return value
    raise ValueError(f"`channels` must be 3, 1 or None, got {describe(value)}")


def as_max_pixels(value: Any) -> int | None:
    return None if value is None else int(as_number("max_pixels", value, 1, 2**63, integer=True))


def as_target_size(value: Any) -> Size | None:
    """(height, width), one number for both, or None."""
    if value is None or not isinstance(value, int | np.integer):
        return as_size("size", value)
    side = int(as_number("size", value, 1, MAX_SIDE, integer=True))
    return side, side


def _is_mask(root: str, name: str) -> bool:
    try:
        return looks_like_mask(read_picture(Path(root) / name).pixels)
    except UnreadableError:
        return False


def _entry(name: str, entry: Any) -> Page | Given:
    if isinstance(entry, str | os.PathLike):
        if not Path(entry).is_file():
            raise ValueError(f"`{name}` must be a file or an image, got {str(entry)!r}, which is not a file")
        return Page(Path(entry))
    return _given(name, entry)


def _given(name: str, image: Any) -> Given:
    if not isinstance(image, Image.Image | np.ndarray):
        raise TypeError(f"`{name}` must be a path, an array or a PIL image, got {describe(image)}")
    if isinstance(image, Image.Image):
        return Given(*pil.to_array(name, image))
    check_array(name, image)  # without a copy, since it may be a view of many gigabytes
    return Given(image, image.ndim == 3 and image.shape[2] == 4)


def _with_channels(image: np.ndarray, channels: int | None, label: str) -> np.ndarray:
    found = image.shape[2]
    if channels is None or found == channels:
        return image
    if found not in (1, 2, 3, 4):
        raise ValueError(
            f"{label} has {found} channels, which cannot be converted to `channels`={channels}; pass channels=None"
        )
    colors = image[..., : 1 if found < 3 else 3]
    if channels == 3:
        return np.ascontiguousarray(colors) if colors.shape[2] == 3 else np.repeat(colors, 3, axis=2)
    return np.ascontiguousarray(colors if colors.shape[2] == 1 else _gray(colors))


def _gray(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.float64:  # which OpenCV's conversion does not support
        return (image @ (0.299, 0.587, 0.114))[..., None]
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[..., None]
