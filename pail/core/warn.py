"""Warnings that point at the user's line, once for each."""

from __future__ import annotations

import sys
import warnings


class _Once(str):
    """A text that equals every other of its topic, so that Python shows one of them for a line and not one an image."""

    topic: str

    def __new__(cls, topic: str, text: str) -> _Once:
        self = super().__new__(cls, text)
        self.topic = topic
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Once) and other.topic == self.topic

    def __hash__(self) -> int:
        return hash(self.topic)


def warn_user(topic: str, text: str) -> None:
    """A UserWarning at the line outside of this package that called it.

    Python's default filter shows it once for that line and `topic`, however the numbers in the text differ.
    """
    image = sys._getframe(1)
    while image.f_back is not None and image.f_globals.get("__name__", "").partition(".")[0] == "pail":
        image = image.f_back
    module = image.f_globals.get("__name__", "<unknown>")
    registry = image.f_globals.setdefault("__warningregistry__", {})
    place = image.f_code.co_filename, image.f_lineno
    warnings.warn_explicit(_Once(topic, text), UserWarning, *place, module, registry)
