"""The progress of a run per image, while chunks of images are made in other processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MADE, SKIPPED = b".", b"-"
SECONDS = 0.1  # between two updates


@contextlib.contextmanager
def ticking(path: str | None) -> Iterator[Any]:
    """A function that reports one item and the number of files that were skipped for it.

    A worker appends bytes to a file of the process that shows the bar. If that file does not exist, as on another
    machine or when no bar is shown, nothing is reported, and the bar advances by whole chunks.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND) if path else None
    except OSError:
        file = None
    if file is None:
        yield lambda skipped: None
        return
    try:
        yield lambda skipped: os.write(file, MADE + SKIPPED * skipped)
    finally:
        os.close(file)


class Progress:
    """A progress bar that counts images; without `shown` it does nothing."""

    def __init__(self, total: int, *, shown: bool) -> None:
        self.path: str | None = None
        self._total, self._shown = total, shown
        self._noted = self._noted_skips = 0  # reported by workers for each item
        self._finished = self._skips = 0  # from finished chunks
        self._before = 0  # made by an earlier run
        self._drawn = self._drawn_before = 0
        self._end = threading.Event()

    def __enter__(self) -> Progress:
        if self._shown:
            from tqdm.auto import tqdm

            handle, self.path = tempfile.mkstemp(prefix="pail-", suffix=".progress")
            os.close(handle)
            self._notes = Path(self.path).open("rb")
            self._bar = tqdm(total=self._total, unit=" images", dynamic_ncols=True, postfix="0 skipped")
            self._thread = threading.Thread(target=self._follow, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.path is not None:
            self._end.set()
            self._thread.join()
            self._draw()
            self._bar.close()
            self._notes.close()
            with contextlib.suppress(OSError):
                Path(self.path).unlink()

    def before(self, images: int) -> None:
        """Add images of an earlier run, which do not count for the speed."""
        self._before += images

    def chunk(self, images: int, skipped: int) -> None:
        """Add a finished chunk."""
        self._finished += images
        self._skips += skipped

    def _follow(self) -> None:
        while not self._end.wait(SECONDS):
            self._draw()

    def _draw(self) -> None:
        notes = self._notes.read()  # those since the last update
        self._noted += notes.count(MADE)
        self._noted_skips += notes.count(SKIPPED)
        before, made = self._before, max(self._noted, self._finished)
        if before > self._drawn_before:
            self._bar.initial += before - self._drawn_before
            self._bar.n += before - self._drawn_before
            self._drawn_before = before
            self._bar.refresh()
        if made > self._drawn:
            self._bar.set_postfix_str(f"{max(self._noted_skips, self._skips)} skipped", refresh=False)
            self._bar.update(made - self._drawn)
            self._drawn = made
