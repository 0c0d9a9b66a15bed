"""A folder that is looked into and never out of: a link that leads elsewhere is neither listed nor read."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2

from pail.dataset.sizes import Size, fitted
from pail.dataset.store import Store
from pail.io.read import Picture, decode, read_picture
from pail.pixels.panels import as_bytes, fit, shades
from pail.report.page import data_uri

THUMBNAIL = 104  # pixels of the longer side
KEPT = 96 << 20  # bytes of decoded images that are kept


class OutsideError(RuntimeError):
    """A file that is a link to somewhere else. No ValueError: `make` would take another file in its place."""


class Folder(Store):
    """A store whose files lie below its own folder, really."""

    def __init__(self, url: str | os.PathLike[str]) -> None:
        super().__init__(url)
        self._root = Path(self.url).resolve()
        self.listed: Sequence[str] = tuple(self.names())  # links included: they count for the numbers of items
        self._names = frozenset(self.listed)

    def absolute(self, name: str = "") -> str:
        """Where the folder or a file in it lies, from wherever one looks."""
        return str(Path(self.path(name)).absolute()) if self.is_local else self.path(name).rstrip("/")

    def is_inside(self, name: str) -> bool:
        """Whether the file, all links followed, lies in the folder."""
        return not self.is_local or Path(self.path(name)).resolve().is_relative_to(self._root)

    def read(self, name: str) -> bytes:
        if name not in self._names or not self.is_inside(name):
            raise OutsideError(f"{name} is a link that leads out of {self.url}, and is not read")
        return super().read(name)


class Images:
    """Decoded images of a folder, those used lately within a bound, and thumbnails. Threads share them."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._lock = threading.Lock()  # of what is kept; nothing is read while it is held
        self._kept: dict[tuple[str, Size, str], Picture] = {}
        self._thumbnails: dict[str, str] = {}

    def get(self, name: str, size: Size = None, fit: str = "crop") -> Picture:
        """The image as `pail generate` has it, at a size; nobody may write to its pixels."""
        key = name, size, fit
        with self._lock:
            picture = self._kept.get(key)
        if picture is None:
            picture = read_picture(self.folder.read(name), name=name)
            picture = replace(picture, pixels=fitted(picture.pixels, size, fit))
            picture.pixels.flags.writeable = False
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = picture  # at the end: used last
            while sum(kept.pixels.nbytes for kept in self._kept.values()) > KEPT and len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
        return picture

    def thumbnail(self, name: str) -> str:
        """A small picture as a data URI; empty where the file is no image."""
        if name not in self._thumbnails:
            try:
                pixels = decode(self.folder.read(name))
                self._thumbnails[name] = data_uri(fit(as_bytes(pixels, shades(pixels)), THUMBNAIL))
            except (ValueError, OSError, OutsideError, cv2.error):
                self._thumbnails[name] = ""
        return self._thumbnails[name]
