"""Make the data set of the page's recipe: run `pail.generate` in a separate process that can be stopped.

The process reads its arguments from standard input, which stays open during the run. When it is closed, by
`Making.stop` or because the server has exited, the run is interrupted as with Ctrl-C.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from joblib.externals.loky.backend import reduction  # pickles functions in the same way as for workers

from pail.dataset.generate import generate
from pail.dataset.make import InsertionError
from pail.dataset.store import StoppedError
from pail.registry import TECHNIQUES, Technique, is_own, register

COUNT = re.compile(r"(\d+)/(\d+) \[")  # in the line of the progress bar
SECONDS_TO_END = 10  # after which a stopped process is killed
INTERRUPTED = 130
KINDS = (TypeError, ValueError, ImportError, OSError, StoppedError, InsertionError)  # shown without their type


@dataclass(frozen=True)
class Progress:
    """The progress of a run, and its result."""

    folder: str
    made: int = 0
    total: int = 0  # 0 until it is known
    state: str = "running"  # "done", "stopped" or "failed"
    message: str = ""  # why it failed
    report: str = ""  # the path of the report of a finished set
    images: int = 0
    skipped: int = 0
    missing: tuple[str, ...] = ()


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder of a new data set. Raises an error if it exists and is not empty."""
    if not str(folder).strip():
        raise ValueError("`folder` must be the name of a new folder, but the box is empty")
    path = Path(str(folder).strip()).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError(f"`folder` must be a new folder, got {path}, which is a file")
    if path.exists() and any(path.iterdir()):
        raise ValueError(
            f"`folder` must be new or empty, got {path}, which contains files. Nothing was written: choose another name"
        )
    return path


def free_folder(near: Path) -> Path:
    """A path that does not exist yet."""
    found, number = near, 1
    while found.exists():
        number += 1
        found = near.with_name(f"{near.name}-{number}")
    return found


class Making:
    """A run of `pail.generate` in another process."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._lock = threading.Lock()
        self._progress = Progress(str(arguments["out"]))
        self._stopped = False
        work = reduction.dumps((dict(arguments), {name: t for name, t in TECHNIQUES.items() if is_own(name)}))
        paths = [entry or str(Path.cwd()) for entry in sys.path]
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # the process exited early, which `_follow` reports
            self._process.stdin.write(work)
            self._process.stdin.flush()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    @property
    def progress(self) -> Progress:
        with self._lock:
            return self._progress

    @property
    def is_running(self) -> bool:
        return self.progress.state == "running"

    def stop(self) -> None:
        """Interrupt the run. The images made so far are kept, and `pail generate --resume` continues it."""
        self._stopped = True
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._thread.join(SECONDS_TO_END)
        if self._thread.is_alive():
            self._process.kill()
            self._thread.join()

    def _follow(self) -> None:
        """Read the progress of the process until it exits."""
        said = self._read_bar()
        assert self._process.stdout is not None
        answer = self._process.stdout.read()
        status = self._process.wait()
        self._process.stdout.close()
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        with self._lock:
            before = self._progress
            if answer.strip():
                self._progress = replace(before, **json.loads(answer))
            elif self._stopped or status == INTERRUPTED:
                self._progress = replace(before, state="stopped")
            else:
                self._progress = replace(
                    before, state="failed", message=said or f"the process exited with status {status}"
                )

    def _read_bar(self) -> str:
        """Read the progress bar. Returns the last other line of output."""
        assert self._process.stderr is not None
        said, line = "", b""
        with self._process.stderr as stream:
            while byte := stream.read(1):
                if byte not in b"\r\n":
                    line += byte
                    continue
                text = line.decode(errors="replace").strip()
                line = b""
                if found := COUNT.search(text):
                    with self._lock:
                        self._progress = replace(self._progress, made=int(found[1]), total=int(found[2]))
                elif text:
                    said = text
        return said


def main() -> int:
    """The main function of the process: read the arguments, make the data set, and print the result as JSON."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it for background processes
    arguments, own = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_interrupt_at_end, daemon=True).start()
    answer = _made(arguments, own)
    if answer is not None:
        sys.stdout.write(json.dumps(answer))
        sys.stdout.flush()
    return 0 if answer else INTERRUPTED


def _made(arguments: dict[str, Any], own: Mapping[str, Technique]) -> dict[str, Any] | None:
    try:
        for name, entry in own.items():
            register(name, entry.function, family=entry.family, takes_source=entry.takes_source)
        summary = generate(**arguments, progress=True)
    except KeyboardInterrupt:
        return None
    except KINDS as error:
        return {"state": "failed", "message": str(error) or type(error).__name__}
    made = {"images": summary.images, "skipped": len(summary.skipped), "missing": summary.missing}
    return {"state": "done", "report": summary.report, **made}


def _interrupt_at_end() -> None:
    sys.stdin.buffer.read()
    if os.name == "posix":
        os.kill(os.getpid(), signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
