"""Which files of a folder are images: the same rule for data sets on disk, data set classes and `pail tune`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif",
    ".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".npy",
)  # fmt: skip
# Image formats without a reader in this library: they are reported to the user instead of being ignored silently.
OTHER_IMAGES = (
    ".heic", ".heif", ".avif", ".jxl", ".jxr", ".j2k", ".jpx", ".jpf", ".exr", ".hdr", ".pfm", ".psd", ".psb", ".svg",
    ".dcm", ".nii", ".czi", ".nd2", ".lif", ".svs", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2",
    ".raw", ".tga", ".ico", ".npz",
)  # fmt: skip
FOREIGN_FOLDERS = ("__MACOSX",)  # created by macOS in archives: files with names of images that are not images


@dataclass(frozen=True)
class Listing:
    """The images below a folder, and what was skipped.

    Attributes
    ----------
    names : list of str
        Paths relative to the folder, with forward slashes, sorted.
    unread : dict of str to int
        Number of image files by suffix for which there is no reader.
    links : list of str
        Links to folders that were not followed, relative to the folder.
    """

    names: list[str]
    unread: dict[str, int] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)

    @property
    def skipped_summary(self) -> str:
        """One line about skipped files and folders that a user might miss, or an empty str."""
        parts = [f"{count} {suffix} file{'s' * (count > 1)} (no reader)" for suffix, count in self.unread.items()]
        if self.links:
            shown = ", ".join(self.links[:3]) + ", ..." * (len(self.links) > 3)
            parts.append(f"{len(self.links)} linked folder{'s' * (len(self.links) > 1)} ({shown})")
        return f"skipped: {', '.join(parts)}" if parts else ""


def list_images(folder: str | os.PathLike[str], *, follow_links: bool = False) -> Listing:
    """List the images below a local folder.

    Hidden files and folders (`.ipynb_checkpoints`, `.thumbnails`), `__MACOSX`, and folders with names of images are
    skipped. Links to files are included; links to folders are followed if `follow_links` is true, each folder once.
    """
    found, links = walk(folder, follow_links=follow_links)
    return sift(found, links)


def walk(
    folder: str | os.PathLike[str], *, follow_links: bool = False, depth: int | None = None
) -> tuple[list[str], list[str]]:
    """All files below a folder that are not hidden, and the links to folders that were not followed, unsorted.

    With a depth of 1, no subfolder is searched.
    """
    root = os.fspath(folder)
    files: list[str] = []
    links: list[str] = []
    visited = {os.path.realpath(root)}
    for place, folders, names in os.walk(root, followlinks=follow_links):
        inside = Path(place).relative_to(root)
        kept = []
        is_deepest = depth is not None and len(inside.parts) + 1 >= depth
        for name in [] if is_deepest else folders:
            relative = (inside / name).as_posix()
            if not is_shown(relative):
                continue
            if (Path(place) / name).is_symlink() and not follow_links:
                links.append(relative)
                continue
            if follow_links:  # a link may point to one of its parent folders, or two links to the same folder
                real = os.path.realpath(Path(place) / name)
                if real in visited:
                    continue
                visited.add(real)
            kept.append(name)
        folders[:] = kept
        files += [(inside / name).as_posix() for name in names if name[0] != "."]
    return files, links


def sift(names: Iterable[str], links: Iterable[str] = ()) -> Listing:
    """Select the images among relative names."""
    images: list[str] = []
    unread: Counter[str] = Counter()
    for name in names:
        if not is_shown(name):
            continue
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in SUFFIXES:
            images.append(name)
        elif suffix in OTHER_IMAGES:
            unread[suffix] += 1
    return Listing(sorted(images), dict(sorted(unread.items())), sorted(links))


def is_shown(name: str) -> bool:
    """Whether no part of the relative name is hidden or a folder of a macOS archive."""
    return not any(part[0] == "." or part in FOREIGN_FOLDERS for part in name.split("/") if part)
