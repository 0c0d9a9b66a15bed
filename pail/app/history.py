"""Undo and redo: the values of the page's controls, one list for each session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_STATES = 60  # of a session
MOST_SESSIONS = 16  # the most recently used ones
ONE_MOVE = 2.5  # seconds: a change of the same control within this time after the last response is not a new step

Values = dict[str, Any]


@dataclass
class _Session:
    states: list[Values] = field(default_factory=list)
    place: int = -1  # index of the state that the page shows
    key: str = ""  # the control that was changed last
    time: float = 0.0


class History:
    """The earlier values of the controls of each session. All methods are thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def record(self, session: str, values: Mapping[str, Any]) -> None:
        """Add a state, unless the page already shows it. Dragging a handle is a single step."""
        with self._lock:
            self._record(self._of(session), values)

    def answered(self, session: str) -> None:
        """Note that the page got its response. A drag may continue after it, even if the response took long."""
        with self._lock:
            self._of(session).time = self._clock()

    def step(self, session: str, values: Mapping[str, Any], by: int) -> Values:
        """The controls to change and their new values, for a step back (-1) or forward (1) from the values of the
        page."""
        with self._lock:
            kept = self._of(session)
            self._record(kept, values)
            place = min(max(kept.place + by, 0), len(kept.states) - 1)
            before, after = kept.states[kept.place], kept.states[place]
            kept.place, kept.key = place, ""
            return {key: after[key] for key in _changed(before, after)}

    def steps(self, session: str) -> tuple[int, int]:
        """How many steps can be undone, and redone."""
        with self._lock:
            kept = self._of(session)
            return max(kept.place, 0), len(kept.states) - 1 - kept.place

    def _of(self, session: str) -> _Session:
        found = self._sessions.pop(session, None) or _Session()
        self._sessions[session] = found  # at the end: most recently used
        while len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return found

    def _record(self, kept: _Session, values: Mapping[str, Any]) -> None:
        if not kept.states:
            kept.states, kept.place = [dict(values)], 0
            return
        before = kept.states[kept.place]
        changed = _changed(before, values)
        if not changed:
            return
        now, key = self._clock(), changed[0] if len(changed) == 1 else ""
        is_dragged = key != "" and not isinstance(values[key], str)  # each stroke of the brush is a separate step
        goes_on = is_dragged and key == kept.key and now - kept.time < ONE_MOVE
        del kept.states[kept.place + 1 :]
        if goes_on:
            kept.states.pop()
        # A painted region is large, so states share unchanged values.
        kept.states.append({name: value if name in changed else before[name] for name, value in values.items()})
        del kept.states[:-MOST_STATES]
        kept.place, kept.key, kept.time = len(kept.states) - 1, key, now


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [key for key in after if not _alike(before.get(key), after[key])]


def _alike(one: Any, other: Any) -> bool:
    """Whether two values are equal; gradio sends None as an empty str, and a tuple as a list."""
    if one is None or one == "":
        return other is None or other == ""
    return bool(_plain(one) == _plain(other)) and isinstance(one, bool) == isinstance(other, bool)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value
