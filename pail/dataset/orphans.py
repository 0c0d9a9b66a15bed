"""Worker processes exit when the process that started them has exited for any reason."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

SECONDS = 0.5  # between two checks

_watched: set[int] = set()


def end_with(runner: int) -> bool:
    """In a worker of the process `runner`: exit when that process no longer exists.

    Workers outlive a run that was killed. They would continue with their chunks, possibly write into the folder of a
    set that was started over, and keep the pipes of the terminal open. In the process itself, in processes that
    something else started, such as Dask, and on Windows, this does nothing.

    Returns
    -------
    bool
        Whether this process is such a worker.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid != runner:
        return False
    if os.name != "posix" or runner in _watched:
        return True
    _watched.add(runner)
    is_child = os.getppid() == runner  # False with a fork server
    if _is_gone(runner, is_child=is_child):
        os._exit(1)
    threading.Thread(target=_watch, args=(runner, is_child), daemon=True).start()
    return True


def _watch(runner: int, is_child: bool) -> None:
    while not _is_gone(runner, is_child=is_child):
        time.sleep(SECONDS)
    os._exit(1)


def _is_gone(runner: int, *, is_child: bool) -> bool:
    """Whether the process has exited. A child notices it immediately; for other processes, it is noticed after their
    status was collected."""
    if is_child and os.getppid() != runner:
        return True
    try:
        os.kill(runner, 0)  # only checks that the process exists
    except ProcessLookupError:
        return True
    return False
