"""The location of files: a local folder, or any URL that fsspec supports (``s3://``, ``memory://``, ``file://``)."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pail._install import install_hint
from pail.core.sampler import Process
from pail.io.listing import Listing, sift, walk

CLAIM = ".pail/inputs.json"  # identifies the run that started a data set, and its files
LOCK = ".pail/lock"
PART = ".part"  # suffix of the temporary name under which a file is written
_NUMBERS = itertools.count()  # numbers of the temporary files of this process


class StoppedError(RuntimeError):
    """A file cannot be written: the disk is full, a limit is reached, or permission is missing."""


def _below(root: str, path: str) -> str:
    """A remote path as a name relative to the root."""
    return path.lstrip("/")[len(root.lstrip("/")) + 1 :]


def _drop(system: Any, path: str) -> None:
    with contextlib.suppress(Exception):  # file systems raise errors of many types, and only the first error counts
        if system.exists(path):
            system.rm(path)


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


MARKS = (
    "ETag",
    "etag",
    "checksum",
    "md5Hash",
    "mtime",
    "LastModified",
    "last_modified",
    "modified",
    "updated",
    "created",
)


def _remote_stamp(entry: dict[str, Any]) -> tuple[int, str]:
    """The size of a file, and the first available information on its state."""
    mark = next((str(entry[key]) for key in MARKS if entry.get(key) is not None), "")
    return int(entry["size"] or 0), mark


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoppedError(f"{path} cannot be written: {_reason(error)}") from error


class _Writer:
    """A file whose write errors are distinguished from other errors that occur while it is open."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self._file, self._named = file, path

    def write(self, data: bytes) -> int:
        with _named(self._named):
            return self._file.write(data)


class Store:
    """A folder. Names are relative, with forward slashes. A file either exists completely or not at all."""

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url).removeprefix("file://")
        self.is_local = "://" not in self.url
        self._path = Path(self.url).absolute()  # absolute, because the process or a worker may change its folder

    def __repr__(self) -> str:
        return self.url

    def _remote(self) -> tuple[Any, str]:
        try:
            import fsspec
        except ImportError as error:
            raise ImportError(f"{self.url} needs fsspec: {install_hint('cluster')}") from error
        system, path = fsspec.core.url_to_fs(self.url)
        return system, path.rstrip("/")

    def path(self, name: str) -> str:
        return str(self._path / name) if self.is_local else f"{self.url.rstrip('/')}/{name}"

    def read(self, name: str) -> bytes:
        if self.is_local:
            if not stat.S_ISREG((self._path / name).stat().st_mode):  # reading from a pipe would block
                raise OSError(errno.EINVAL, "not a regular file")
            return (self._path / name).read_bytes()
        system, root = self._remote()
        return bytes(system.cat_file(f"{root}/{name}"))

    def lines(self, name: str) -> Iterator[bytes]:
        """Iterate over the lines of a file."""
        if self.is_local:
            with (self._path / name).open("rb") as file:
                yield from file
            return
        system, root = self._remote()
        with system.open(f"{root}/{name}", "rb") as file:
            yield from file

    def write(self, name: str, data: bytes) -> None:
        """Write a file under a temporary name in the same folder, and rename it. A remote object is stored completely
        or not at all."""
        if not self.is_local:
            system, root = self._remote()
            try:
                system.pipe_file(f"{root}/{name}", data)
            except BaseException as error:
                _drop(system, f"{root}/{name}")
                if isinstance(error, OSError):
                    raise StoppedError(f"{self.path(name)} cannot be written: {_reason(error)}") from error
                raise
            return
        target = os.path.join(self._path, name)  # noqa: PTH118 (every image comes by here)
        folder, _, file = target.rpartition(os.sep)
        part = f"{folder}{os.sep}.{file}.{Process.token.hex()}{next(_NUMBERS)}{PART}"
        try:
            self._open_in_folder(part, folder, data)
            os.replace(part, target)  # noqa: PTH105
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.unlink(part)  # noqa: PTH108
            if isinstance(error, OSError):
                raise StoppedError(f"{target} cannot be written: {_reason(error)}") from error
            raise

    def _open_in_folder(self, part: str, folder: str, data: bytes) -> None:
        """Open a file for writing; its folder is created if it does not exist."""
        try:
            file = open(part, "wb", buffering=0)  # noqa: PTH123, SIM115
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            file = open(part, "wb", buffering=0)  # noqa: PTH123, SIM115
        with file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file for several writes. It gets its name at the end of the block, and is discarded if the block
        raises an error."""
        part = f"{name.rpartition('/')[0]}/.{name.rpartition('/')[2]}.{uuid.uuid4().hex}{PART}".lstrip("/")
        system, root = (None, "") if self.is_local else self._remote()
        file = None
        try:
            with _named(self.path(name)):
                if system is None:
                    (self._path / part).parent.mkdir(parents=True, exist_ok=True)
                    file = (self._path / part).open("wb")
                else:
                    file = system.open(f"{root}/{part}", "wb")
            yield _Writer(file, self.path(name))  # type: ignore[misc]
            with _named(self.path(name)):
                file.close()
                if system is None:
                    (self._path / part).replace(self._path / name)
                else:
                    system.mv(f"{root}/{part}", f"{root}/{name}")
        except BaseException:
            with contextlib.suppress(Exception):
                discard = getattr(file, "discard", None)
                discard() if discard else None  # the part of a remote file that was not uploaded yet
            with contextlib.suppress(Exception):
                file.close() if file else None
            if system is None:
                with contextlib.suppress(OSError):
                    (self._path / part).unlink()
            else:
                _drop(system, f"{root}/{part}")
            raise

    def size(self, name: str) -> int | None:
        """Size of a file in bytes, or None if it does not exist."""
        if self.is_local:
            try:
                found = os.stat(os.path.join(self._path, name))  # noqa: PTH116, PTH118
            except OSError:
                return None
            return found.st_size if stat.S_ISREG(found.st_mode) else None
        system, root = self._remote()
        try:
            found = system.info(f"{root}/{name}")
        except FileNotFoundError:
            return None
        return found["size"] if found["type"] == "file" else None

    def sizes(self) -> dict[str, int]:
        """Sizes in bytes of all files below; a single request for remote files."""
        system, root = self._remote()
        return {_below(root, path): entry["size"] for path, entry in system.find(root, detail=True).items()}

    def stamps(self, names: list[str]) -> dict[str, tuple[int, str]]:
        """Size of each file, and its modification time or checksum, from which changes are detected."""
        if self.is_local:
            return {name: self._stamp(name) for name in names}
        system, root = self._remote()
        found = {_below(root, path): entry for path, entry in system.find(root, detail=True).items()}
        missing = {"size": 0}
        return {name: _remote_stamp(found.get(name, missing)) for name in names}

    def _stamp(self, name: str) -> tuple[int, str]:
        try:
            found = (self._path / name).stat()
        except OSError:  # a broken link
            return 0, ""
        return found.st_size, str(found.st_mtime_ns)

    def exists(self, name: str) -> bool:
        if self.is_local:
            return (self._path / name).exists()
        system, root = self._remote()
        return bool(system.exists(f"{root}/{name}"))

    def names(self) -> list[str]:
        """All images below, sorted; links to folders are not followed."""
        return self.listing().names

    def listing(self, *, follow_links: bool = False) -> Listing:
        """All images below, and what was skipped; see `pail.io.listing`."""
        if self.is_local:
            return sift(*walk(self._path, follow_links=follow_links))
        return sift(self.remote_names())

    def remote_names(self) -> list[str]:
        """All files below a URL."""
        system, root = self._remote()
        return [_below(root, path) for path in system.find(root)]

    def is_empty(self) -> bool:
        """Whether there is no file or link below, except for a lock and an unfinished claim."""
        if self.is_local:
            return not any(
                self._counts(Path(folder), name)
                for folder, dirs, files in os.walk(self._path)
                for name in (*files, *(d for d in dirs if (Path(folder) / d).is_symlink()))
            )
        return not self.remote_names()

    def _counts(self, folder: Path, name: str) -> bool:
        inside = folder.relative_to(self._path).as_posix()
        return inside != LOCK.partition("/")[0] or not (name == LOCK.rpartition("/")[2] or name.endswith(PART))

    def remove(self, names: list[str]) -> None:
        """Delete files or folders with those names, if they exist."""
        import shutil

        for name in names:
            if self.is_local:
                path = self._path / name
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            else:
                system, root = self._remote()
                if system.exists(f"{root}/{name}"):
                    system.rm(f"{root}/{name}", recursive=True)

    def delete_temporary(self) -> None:
        """Delete the temporary files of a killed run."""
        if self.is_local and self._path.is_dir():
            for folder, _, files in os.walk(self._path):
                for file in files:
                    if file.startswith(".") and file.endswith(PART):
                        with contextlib.suppress(OSError):
                            (Path(folder) / file).unlink()
