"""Warnings that point at the user's line, shown once per line."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator

Heard = tuple[str, str, type[Warning]]  # topic, text, category


class _Once(str):
    """A message that equals every other message of its topic, so that Python shows it once per line and not once per
    image."""

    topic: str

    def __new__(cls, topic: str, text: str) -> _Once:
        self = super().__new__(cls, text)
        self.topic = topic
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Once) and other.topic == self.topic

    def __hash__(self) -> int:
        return hash(self.topic)


def warn_user(topic: str, text: str, category: type[Warning] = UserWarning) -> None:
    """A warning at the line outside of this package that called it.

    Python's default filter shows it once for that line and `topic`, even if numbers in the text differ.
    """
    caller = sys._getframe(1)
    while caller.f_back is not None and caller.f_globals.get("__name__", "").partition(".")[0] == "pail":
        caller = caller.f_back
    module = caller.f_globals.get("__name__", "<unknown>")
    registry = caller.f_globals.setdefault("__warningregistry__", {})
    place = caller.f_code.co_filename, caller.f_lineno
    warnings.warn_explicit(_Once(topic, text), category, *place, module, registry)


@contextlib.contextmanager
def heard_warnings(*, wanted: bool) -> Iterator[list[Heard]]:
    """Collect the warnings of a block, each topic once, instead of showing them. Without `wanted`, nothing is changed.

    Only for processes with a single thread, since Python's warning filters apply to the whole process.
    """
    heard: dict[str, Heard] = {}
    if not wanted:
        yield []
        return
    found: list[Heard] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield found
    for entry in caught:
        text = entry.message.args[0] if isinstance(entry.message, Warning) and entry.message.args else entry.message
        topic = text.topic if isinstance(text, _Once) else str(text)
        heard.setdefault(topic, (topic, str.__str__(text) if isinstance(text, str) else str(text), entry.category))
    found += heard.values()
