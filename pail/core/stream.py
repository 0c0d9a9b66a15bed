"""The random stream of an instance: a generator of its own for every call."""

from __future__ import annotations

import os
import secrets
from typing import Any

import numpy as np

from pail.core.draw import as_rng


class _Process:
    """A token of this process that no fork and no pickle carries over."""

    token = secrets.token_bytes(16)

    @classmethod
    def renew(cls) -> None:
        cls.token = secrets.token_bytes(16)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Process.renew)


class Stream:
    """An instance's random stream: a generator of its own for every call.

    In a process other than the one that made it (fork, pickle) it starts anew from fresh entropy: workers that
    inherit an instance must not all repeat the same draws. A copy in the same process starts anew, too, where no
    seed was given; with one it goes on from where the original stands, as NumPy's generators do.
    """

    def __init__(self, rng: Any = None) -> None:
        self.is_seeded = rng is not None
        self._generator = as_rng(rng)
        self._token = _Process.token

    def next(self) -> np.random.Generator:
        if self._token != _Process.token:
            self._generator, self._token = np.random.default_rng(), _Process.token
        # A child for each call keeps calls of several threads apart: one call is one stream.
        return np.random.Generator(np.random.PCG64(int.from_bytes(self._generator.bytes(16), "little")))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a pickle, and of copy and deepcopy."""
        self.__dict__.update(state)
        if not self.is_seeded:
            self._generator, self._token = np.random.default_rng(), _Process.token
