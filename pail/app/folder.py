"""Folders from which only their own files are read: links that lead out of them are neither listed nor read."""

from __future__ import annotations

import glob
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2

from pail.dataset.inputs import file_of, find_images, list_pages, read_image
from pail.dataset.recipe import Recipe
from pail.dataset.sizes import Size, fitted
from pail.dataset.store import Store
from pail.io.read import Picture
from pail.pixels.panels import fit, shades, to_display
from pail.report.page import data_uri

THUMBNAIL = 104  # pixels of the longer side
KEPT = 96 << 20  # bytes of cached decoded images


class OutsideError(RuntimeError):
    """A file is a link that leads out of its folder. This is not a ValueError, because `make_item` would then use
    another file."""


class Folder(Store):
    """A store that reads only files that are actually below its folder, or below a link to a folder that it follows.

    `listed` are the images that `pail generate` lists for a recipe, so that items have the same numbers. They include
    links that lead out of the folder, which raise an error when they are read.
    """

    def __init__(
        self,
        url: str | os.PathLike[str],
        recipe: Recipe | None = None,
        argument: str = "folder",
        *,
        normal: bool = False,
    ) -> None:
        recipe = recipe or Recipe()
        if not _may_be_images(url):
            raise ValueError(f"`{argument}` must be a folder with images, a pattern or a list, got {url}")
        store, found = find_images(argument, url, recipe, normal=normal)
        super().__init__(store.url)
        self.given = str(url) if "://" in str(url) else str(Path(url).absolute())  # absolute, as for `pail generate`
        self._root = Path(self.url).resolve()
        self._follows = recipe.follow_links
        self._names = frozenset(found.names)
        self.listed: Sequence[str] = tuple(
            found.names if recipe.pages == "first" else list_pages(self, found.names, recipe)
        )

    def absolute(self, name: str = "") -> str:
        """The absolute path of the folder, or of a file in it."""
        return str(Path(self.path(name)).absolute()) if self.is_local else self.path(name).rstrip("/")

    def is_inside(self, name: str) -> bool:
        """Whether the file is in the folder after links were resolved."""
        if not self.is_local:
            return True
        path = Path(self.path(file_of(name)[0]))
        real = path.resolve()
        return real.is_relative_to(self._root) or (self._follows and real.is_relative_to(path.parent.resolve()))

    def read(self, name: str) -> bytes:
        if name not in self._names or not self.is_inside(name):
            raise OutsideError(f"{name} is a link that leads out of {self.url}; it is not read")
        return super().read(name)


def _may_be_images(url: str | os.PathLike[str]) -> bool:
    return "://" in str(url) or Path(url).exists() or glob.has_magic(str(url))


class ImageCache:
    """A thread-safe cache of the last decoded images of a folder, up to a number of bytes, and of thumbnails."""

    def __init__(self, folder: Folder, recipe: Recipe | None = None) -> None:
        self.folder, self._recipe = folder, recipe or Recipe()
        self._lock = threading.Lock()  # protects the cache; no file is read while it is locked
        self._kept: dict[tuple[str, Size, str], Picture] = {}
        self._thumbnails: dict[str, str] = {}

    def get(self, name: str, size: Size = None, fit: str = "crop") -> Picture:
        """The image as `pail generate` reads it, at a size. Its pixels must not be modified."""
        key = name, size, fit
        with self._lock:
            picture = self._kept.get(key)
        if picture is None:
            picture = read_image(self.folder, name, self._recipe)
            picture = replace(picture, pixels=fitted(picture.pixels, size, fit))
            picture.pixels.flags.writeable = False
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = picture  # at the end: most recently used
            while sum(kept.pixels.nbytes for kept in self._kept.values()) > KEPT and len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
        return picture

    def thumbnail(self, name: str) -> str:
        """A thumbnail as a data URI, or "" if the file is not an image."""
        if name not in self._thumbnails:
            try:
                pixels = read_image(self.folder, name, self._recipe).pixels
                self._thumbnails[name] = data_uri(fit(to_display(pixels, shades(pixels)), THUMBNAIL))
            except (ValueError, OSError, OutsideError, cv2.error):
                self._thumbnails[name] = ""
        return self._thumbnails[name]
