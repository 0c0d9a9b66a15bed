"""A folder that is looked into and never out of: a link that leads elsewhere is neither listed nor read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2

from pail.core.ops import resize
from pail.dataset.page import data_uri
from pail.dataset.store import Store
from pail.io.read import Picture, decode, read_picture
from pail.pixels.panels import as_bytes, fit, shades

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

    def absolute(self, name: str = "") -> str:
        """Where the folder or a file in it lies, from wherever one looks."""
        return str(Path(self.path(name)).absolute()) if self.is_local else self.path(name).rstrip("/")

    def is_inside(self, name: str) -> bool:
        """Whether the file, all links followed, lies in the folder."""
        return not self.is_local or Path(self.path(name)).resolve().is_relative_to(self._root)

    def read(self, name: str) -> bytes:
        if name not in self._known() or not self.is_inside(name):
            raise OutsideError(f"{name} is a link that leads out of {self.url}, and is not read")
        return super().read(name)

    def _known(self) -> frozenset[str]:
        if not hasattr(self, "_names"):
            self._names = frozenset(self.listed)
        return self._names


class Images:
    """Decoded images of a folder, those used lately within a bound, and thumbnails."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._kept: dict[tuple[str, tuple[int, int] | None], Picture] = {}
        self._thumbnails: dict[str, str] = {}

    def get(self, name: str, size: tuple[int, int] | None = None) -> Picture:
        """The image as `pail generate` has it, at a size; nobody may write to its pixels."""
        key = name, size
        picture = self._kept.pop(key, None)
        if picture is None:
            picture = read_picture(self.folder.read(name), name=name)
            picture = picture if size is None else replace(picture, pixels=resize(picture.pixels, size))
            picture.pixels.flags.writeable = False
        self._kept[key] = picture  # at the end again: used last
        while sum(kept.pixels.nbytes for kept in self._kept.values()) > KEPT and len(self._kept) > 1:
            self._kept.pop(next(iter(self._kept)), None)
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
