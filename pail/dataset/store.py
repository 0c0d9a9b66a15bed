"""Where files lie: a local folder, or any URL that fsspec knows (``s3://``, ``memory://``, ``file://``)."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pail.io.listing import Listing, sift, walk

LOCK = ".pail/lock"
PART = ".part"  # the end of a name under which a file is written before it gets its own


class StoppedError(RuntimeError):
    """Nothing more can be written: disk full, limit reached, or no right."""


class Store:
    """A folder. Names are relative, with forward slashes; a file is there whole, or not at all."""

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url).removeprefix("file://")
        self.is_local = "://" not in self.url
        self._path = Path(self.url)

    def __repr__(self) -> str:
        return self.url

    def _remote(self) -> tuple[Any, str]:
        try:
            import fsspec
        except ImportError as error:
            raise ImportError(f'{self.url} needs fsspec: pip install "pai-lib[cluster]"') from error
        system, path = fsspec.core.url_to_fs(self.url)
        return system, path.rstrip("/")

    def path(self, name: str) -> str:
        return str(self._path / name) if self.is_local else f"{self.url.rstrip('/')}/{name}"

    def read(self, name: str) -> bytes:
        if self.is_local:
            if not stat.S_ISREG((self._path / name).stat().st_mode):  # a pipe would be waited for
                raise OSError(errno.EINVAL, "not a regular file")
            return (self._path / name).read_bytes()
        system, root = self._remote()
        return bytes(system.cat_file(f"{root}/{name}"))

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file, one after the other."""
        if self.is_local:
            with (self._path / name).open("rb") as file:
                yield from file
            return
        system, root = self._remote()
        with system.open(f"{root}/{name}", "rb") as file:
            yield from file

    def write(self, name: str, data: bytes) -> None:
        """Under a temporary name in the same folder, then renamed."""
        if not self.is_local:
            system, root = self._remote()
            system.pipe_file(f"{root}/{name}", data)  # an object is put whole
            return
        target = self._path / name
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex}{PART}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(target)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise StoppedError(f"{target} cannot be written: {error.strerror}") from error

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A file for many writes that gets its name at the end."""
        if not self.is_local:
            system, root = self._remote()
            with system.open(f"{root}/{name}", "wb") as file:
                yield file
            return
        target = self._path / name
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex}{PART}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                yield file
            part.replace(target)
        except OSError as error:
            raise StoppedError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def exists(self, name: str) -> bool:
        if self.is_local:
            return (self._path / name).exists()
        system, root = self._remote()
        return bool(system.exists(f"{root}/{name}"))

    def names(self) -> list[str]:
        """All images below, sorted; links to folders are not followed."""
        return self.listing().names

    def listing(self, *, follow_links: bool = False) -> Listing:
        """All images below, and what was passed over; see `pail.io.listing`."""
        if self.is_local:
            return sift(*walk(self._path, follow_links=follow_links))
        return sift(self._remote_names())

    def _remote_names(self) -> list[str]:
        system, root = self._remote()
        skip = len(root.lstrip("/")) + 1
        return [path.lstrip("/")[skip:] for path in system.find(root)]

    def is_empty(self) -> bool:
        """Whether no file and no link lies below, but for a lock and a claim that was not finished."""
        if self.is_local:
            return not any(
                self._counts(Path(folder), name)
                for folder, dirs, files in os.walk(self._path)
                for name in (*files, *(d for d in dirs if (Path(folder) / d).is_symlink()))
            )
        return not self._remote_names()

    def _counts(self, folder: Path, name: str) -> bool:
        inside = folder.relative_to(self._path).as_posix()
        return inside != LOCK.partition("/")[0] or not (name == LOCK.rpartition("/")[2] or name.endswith(PART))

    def remove(self, names: list[str]) -> None:
        """Files or folders of those names, where they are there."""
        import shutil

        for name in names:
            if self.is_local:
                path = self._path / name
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            else:
                system, root = self._remote()
                if system.exists(f"{root}/{name}"):
                    system.rm(f"{root}/{name}", recursive=True)

    def sweep(self) -> None:
        """Drop what a killed run left under temporary names."""
        if self.is_local and self._path.is_dir():
            for folder, _, files in os.walk(self._path):
                for file in files:
                    if file.startswith(".") and file.endswith(PART):
                        with contextlib.suppress(OSError):
                            (Path(folder) / file).unlink()
