"""Images from folders, glob patterns, paths or arrays, decoded when they are asked for."""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pail.core.checks import MAX_SIDE, as_choice, as_number, as_size, describe
from pail.core.ops import resize
from pail.dataset.images import ORIENTATION, SUFFIXES, UnreadableError, decode

PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "F")
Size = tuple[int, int]


class Cache:
    """Decoded images, until a number of bytes is reached. Processes that are forked share what it holds.

    A pickle of it is empty: a spawned process fills its own rather than getting gigabytes through a pipe.
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
    """A sequence of images as arrays (H, W, C), read when they are asked for.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    where : path, glob pattern, image or sequence of paths and images
        A folder is searched with all its subfolders, in the order of names.
    size : (int, int), optional
        Height and width to which images are resized.
    channels : {3, 1, None}, default 3
        Number of channels to which images are brought: grey is repeated, alpha dropped. None keeps them.
    cache : Cache, optional
        Where decoded images are kept.
    unreadable : {"raise", "skip"}, default "raise"
        What becomes of a file that is no image. To skip them, all files are decoded at once.
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
    ) -> None:
        self.name, self.size, self.channels = name, size, as_channels(channels)
        self.cache = Cache(0) if cache is None else cache
        self.entries = entries(name, where)
        if as_choice("unreadable", unreadable, ("raise", "skip")) == "skip":
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

    def check_sizes(self) -> None:
        """Raise where images differ in size, as their headers tell."""
        first: Size | None = None
        for index, entry in enumerate(self.entries):
            shape = entry.shape[:2] if isinstance(entry, np.ndarray) else _size_of(self.name, entry)
            first = shape if first is None else first
            if shape != first:
                raise ValueError(
                    f"`{self.name}` must hold images of one size where no `size` is given, got {first} (height, width) "
                    f"in {self.label(0)} and {shape} in {self.label(index)}; pass `size`"
                )

    def label(self, index: int) -> str:
        """The name of an image in messages."""
        entry = self.entries[index]
        return f"{self.name}[{index}]" if isinstance(entry, np.ndarray) else str(entry)

    def _load(self, index: int) -> np.ndarray:
        entry = self.entries[index]
        pixels = entry if isinstance(entry, np.ndarray) else _decode(self.name, entry)
        image = _with_channels(pixels, self.channels, self.label(index))
        image = (image if self.size is None else resize(image, self.size)).view()
        image.flags.writeable = False  # the user's own, or soon in the cache
        return image

    def _skip_unreadable(self) -> None:
        readable, bad = [], []
        for entry in self.entries:
            try:
                if not isinstance(entry, np.ndarray):
                    _decode(self.name, entry)
                readable.append(entry)
            except ValueError:
                bad.append(str(entry))
        if not readable:
            raise ValueError(f"`{self.name}` must hold an image that can be read, got {len(bad)} files that cannot")
        if bad:
            warnings.warn(f"{len(bad)} files of `{self.name}` cannot be read: {', '.join(bad)}", stacklevel=4)
        self.entries = readable


def entries(name: str, where: Any) -> list[Any]:
    """Paths and arrays, at least one."""
    if isinstance(where, str | os.PathLike):
        return _files(name, where)
    if isinstance(where, Image.Image) or (isinstance(where, np.ndarray) and where.ndim in (2, 3)):
        return [_as_array(name, where)]
    if not isinstance(where, Sequence | np.ndarray):
        raise TypeError(
            f"`{name}` must be a folder, a glob pattern, or a list of paths or images, got {describe(where)}"
        )
    if len(where) == 0:
        raise ValueError(f"`{name}` must not be empty, got no image")
    return [_entry(f"{name}[{index}]", entry) for index, entry in enumerate(where)]


def as_source(source: Any, cache: Cache | None = None, unreadable: str = "raise") -> Any:
    """What `Anomaly_Insertion.insert` takes for a source: None, or a callable that draws an image and reads it."""
    if source is None or (callable(source) and not isinstance(source, Image.Image)):
        return source
    return Drawn(Images("source", source, channels=None, cache=cache, unreadable=unreadable))


class Drawn:
    """A callable that draws one of the images, each as often."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        return self.images[int(rng.random() * len(self.images))]


def as_channels(value: Any) -> int | None:
    if value is None or (value in (1, 3) and not isinstance(value, bool)):
        return value
    raise ValueError(f"`channels` must be 3, 1 or None, got {describe(value)}")


def as_target_size(value: Any) -> Size | None:
    """(height, width), one number for both, or None."""
    if value is None or not isinstance(value, int | np.integer):
        return as_size("size", value)
    side = int(as_number("size", value, 1, MAX_SIDE, integer=True))
    return side, side


def _files(name: str, where: str | os.PathLike[str]) -> list[Path]:
    path = Path(where)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.name[0] != "."]
    elif glob.has_magic(str(where)):
        found = [Path(file) for file in glob.iglob(str(where), recursive=True) if Path(file).is_file()]  # noqa: PTH207
    else:
        raise ValueError(
            f"`{name}` must be a folder, a file or a glob pattern, got {str(where)!r}, which does not exist"
        )
    if not found:
        raise ValueError(f"`{name}` must hold an image ({', '.join(SUFFIXES)}), got none in {str(where)!r}")
    return sorted(found, key=lambda file: file.as_posix())


def _entry(name: str, entry: Any) -> Any:
    if isinstance(entry, str | os.PathLike):
        if not Path(entry).is_file():
            raise ValueError(f"`{name}` must be a file or an image, got {str(entry)!r}, which is no file")
        return Path(entry)
    return _as_array(name, entry)


def _as_array(name: str, image: Any) -> np.ndarray:
    if isinstance(image, Image.Image):
        image = _pixels(image)
    if not isinstance(image, np.ndarray):
        raise TypeError(f"`{name}` must be a path, an array or a PIL image, got {describe(image)}")
    if image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"`{name}` must have shape (H, W) or (H, W, C), got {describe(image)}")
    return image if image.ndim == 3 else image[..., None]


def _decode(name: str, path: Path) -> np.ndarray:
    try:
        pixels = decode(path.read_bytes())
    except (OSError, UnreadableError) as error:
        raise ValueError(f"`{name}` must hold images that can be read, got {path}: {error}") from error
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _size_of(name: str, path: Path) -> Size:
    """As the header tells, after the rotation that EXIF asks for."""
    try:
        with Image.open(path) as image:
            size = image.height, image.width
            return size[::-1] if image.getexif().get(ORIENTATION, 1) >= 5 else size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"`{name}` must hold images that can be read, got {path}: {error}") from error


def _pixels(image: Image.Image) -> np.ndarray:
    mode = "L" if image.mode == "1" else image.mode if image.mode in PLAIN_MODES else "RGB"
    array = np.array(image if mode == image.mode else image.convert(mode))
    return array if array.ndim == 3 else array[..., None]


def _with_channels(image: np.ndarray, channels: int | None, label: str) -> np.ndarray:
    found = image.shape[2]
    if channels is None or found == channels:
        return image
    if found not in (1, 2, 3, 4):
        raise ValueError(f"{label} has {found} channels, which `channels`={channels} cannot take; pass channels=None")
    colours = image[..., : 1 if found < 3 else 3]
    if channels == 3:
        return np.ascontiguousarray(colours) if colours.shape[2] == 3 else np.repeat(colours, 3, axis=2)
    return np.ascontiguousarray(colours if colours.shape[2] == 1 else _grey(colours))


def _grey(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.float64:  # which OpenCV's conversion does not take
        return (image @ (0.299, 0.587, 0.114))[..., None]
    return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[..., None]
