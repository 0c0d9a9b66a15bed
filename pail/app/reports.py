"""The reports of the data sets that were made on the page, which the server serves by number."""

from __future__ import annotations

import threading
from pathlib import Path

PREFIX = "/report/"


class Reports:
    """The paths of reports by number; no other files are served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: list[Path] = []

    def link(self, path: Path) -> str:
        """The address of a report, relative to the page."""
        with self._lock:
            if path not in self._paths:
                self._paths.append(path)
            return f"{PREFIX[1:]}{self._paths.index(path) + 1}"

    def read(self, address: str) -> bytes | None:
        """The report at the path of a request; None if there is none."""
        number = address.removeprefix(PREFIX)
        if not address.startswith(PREFIX) or not number.isdecimal() or len(number) > 6:
            return None
        with self._lock:
            path = self._paths[int(number) - 1] if 1 <= int(number) <= len(self._paths) else None
        try:
            return path.read_bytes() if path else None
        except OSError:
            return None
