"""Which images a data set has: item i is a function of the recipe, the lists of files and i."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pail.dataset.recipe import Recipe

CHUNK = 32  # items that are made, and resumed, together; the same for any number of workers
SPARES = 8  # files that are tried in place of one that cannot be read
DEFAULT_PER_IMAGE = 1


@dataclass(frozen=True, slots=True)
class Item:
    """One image of the set."""

    index: int  # in the set
    number: int  # in its name: of the normal image for good ones, of the anomaly for the others
    split: str  # "train" or "test"
    normals: tuple[str, ...]  # the one to take, and those in its place where it cannot be read
    sources: tuple[str, ...] = ()
    is_good: bool = False


@dataclass(frozen=True)
class Plan:
    """The lists of files, split by normal image, and how many anomalies are made."""

    recipe: Recipe
    train: tuple[str, ...]
    test: tuple[str, ...]
    sources: tuple[str, ...]
    numbers: dict[str, int]  # of each normal image, in the order of their names
    good: tuple[tuple[str, str], ...]  # (split, normal) of the images that stay good
    damaged: tuple[tuple[str, tuple[str, ...]], ...]  # (split, the normals whose damaged copies are in it)
    anomalies: int

    @property
    def size(self) -> int:
        return len(self.good) + self.anomalies

    @property
    def chunks(self) -> int:
        return -(-self.size // CHUNK)

    def indices(self, chunk: int) -> range:
        return range(chunk * CHUNK, min((chunk + 1) * CHUNK, self.size))

    def items(self, chunk: int) -> Iterator[Item]:
        return map(self.item, self.indices(chunk))

    def item(self, index: int) -> Item:
        if index < len(self.good):
            split, normal = self.good[index]
            return Item(index, self.numbers[normal], split, (normal,), is_good=True)
        number = index - len(self.good)
        split, normals, place = self._pool(number)
        first = np.random.default_rng((self.recipe.seed, number, 1)).integers(0, 2**62)
        return Item(index, number, split, _ring(normals, place), _ring(self.sources, int(first)))

    def _pool(self, number: int) -> tuple[str, tuple[str, ...], int]:
        """Normal images take turns; of several splits each gets its share."""
        place = number % sum(len(normals) for _, normals in self.damaged)
        for split, normals in self.damaged:
            if place < len(normals):
                return split, normals, place
            place -= len(normals)
        raise AssertionError("unreachable")


def _ring(names: tuple[str, ...], start: int) -> tuple[str, ...]:
    """Some names from a place on, around the end."""
    return tuple(names[(start + step) % len(names)] for step in range(min(SPARES, len(names)))) if names else ()


def _hash(seed: int, name: str) -> bytes:
    """A name may hold bytes that are no text."""
    return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()


def make(recipe: Recipe, normals: list[str], sources: list[str]) -> Plan:
    """Split the normal images by a hash of seed and name, so that a part and its damaged copy share a side."""
    ranked = sorted(normals, key=lambda name: _hash(recipe.seed, name))
    if recipe.purpose == "validation":
        half = max(1, len(ranked) // 2)
        good, damaged = (ranked[:half], ranked[half:]) if len(ranked) > 1 else (ranked, ranked)
        train, test = list[str](), sorted(normals)
        kept = [("test", name) for name in sorted(good)[: recipe.number]]
        pools = [("test", sorted(damaged))]
        return _plan(recipe, train, test, sources, normals, kept, pools, len(kept))
    count = min(max(round(recipe.test_share * len(ranked)), 1), len(ranked)) if recipe.test_share > 0 else 0
    test, train = sorted(ranked[:count]), sorted(ranked[count:])
    kept = [(split, name) for split, names in (("train", train), ("test", test)) for name in names]
    pools = [("train", train), ("test", test)]
    if recipe.layout == "mvtec":  # nothing damaged to train on
        pools = [("test", test or train)]
    if recipe.layout == "flat":
        kept, pools = [], [("train", sorted(normals))]
    number = recipe.number or (recipe.per_image or DEFAULT_PER_IMAGE) * sum(len(names) for _, names in pools)
    return _plan(recipe, train, test, sources, normals, kept, pools, number)


def _plan(
    recipe: Recipe,
    train: list[str],
    test: list[str],
    sources: list[str],
    normals: list[str],
    kept: list[tuple[str, str]],
    pools: list[tuple[str, list[str]]],
    anomalies: int,
) -> Plan:
    numbers = {name: number for number, name in enumerate(sorted(normals))}
    damaged = tuple((split, tuple(names)) for split, names in pools if names)
    return Plan(recipe, tuple(train), tuple(test), tuple(sources), numbers, tuple(kept), damaged, anomalies)
