"""Worker processes end with the process that started them, however that ended."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

SECONDS = 0.5  # between two looks

_watched: set[int] = set()


def end_with(runner: int) -> bool:
    """In a worker of the process `runner`: end this process when that one is gone.

    Workers outlive a run that was killed: they would go on with the chunks that they hold, perhaps into the folder of
    a set that was started over meanwhile, and keep the terminal's pipes open. In the process itself, and in processes
    that something else has started, such as Dask's, this does nothing. On Windows it does nothing either.

    Returns
    -------
    bool
        Whether this is such a worker.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid != runner:
        return False
    if os.name != "posix" or runner in _watched:
        return True
    _watched.add(runner)
    is_child = os.getppid() == runner  # not so under a fork server
    if _is_gone(runner, is_child=is_child):
        os._exit(1)
    threading.Thread(target=_watch, args=(runner, is_child), daemon=True).start()
    return True


def _watch(runner: int, is_child: bool) -> None:
    while not _is_gone(runner, is_child=is_child):
        time.sleep(SECONDS)
    os._exit(1)


def _is_gone(runner: int, *, is_child: bool) -> bool:
    """A child learns of it at once; that there is no such process shows when somebody has asked for its status."""
    if is_child and os.getppid() != runner:
        return True
    try:
        os.kill(runner, 0)  # sends nothing
    except ProcessLookupError:
        return True
    return False
