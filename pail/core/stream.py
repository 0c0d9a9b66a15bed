"""The random stream of an instance: a generator of its own for every call."""

from __future__ import annotations

import os
import secrets
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from pail.core.draw import as_rng


class _Process:
    """A token of this process that no fork and no pickle carries over."""

    token = secrets.token_bytes(16)

    @classmethod
    def renew(cls) -> None:
        cls.token = secrets.token_bytes(16)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Process.renew)


class _Words(ISeedSequence):
    """Random bytes as they are for the state of a PCG64: mixing them again would cost more than many a draw."""

    def __init__(self, random_bytes: bytes) -> None:
        self._words = np.frombuffer(random_bytes, np.uint64)

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray:
        return self._words[:n_words].astype(dtype, copy=False)


class Stream:
    """An instance's random stream: a generator of its own for every call.

    In a process other than the one that made it (fork, pickle) it starts anew from fresh entropy: workers that
    inherit an instance must not all repeat the same draws.
    """

    def __init__(self, rng: Any = None) -> None:
        self._generator = as_rng(rng)
        self._token = _Process.token

    def next(self) -> np.random.Generator:
        if self._token != _Process.token:
            self._generator, self._token = np.random.default_rng(), _Process.token
        # A child for each call keeps calls of several threads apart: one call is one stream.
        return np.random.Generator(np.random.PCG64(_Words(self._generator.bytes(32))))  # type: ignore[arg-type]
