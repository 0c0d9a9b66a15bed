"""The images of a data set: item i is a function of the recipe, the lists of files and i."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pail.dataset.recipe import SPLITS, Recipe

CHUNK = 32  # items that are made and resumed together; independent of the number of workers
SPARES = 8  # files that are tried instead of one that cannot be read


@dataclass(frozen=True, slots=True)
class Item:
    """An image of the set."""

    index: int  # in the set
    number: int  # in its file name: number of the normal image for good images, of the anomaly for others
    split: str  # "train", "val" or "test"
    normals: tuple[str, ...]  # the normal image, and replacements if it cannot be read
    sources: tuple[str, ...] = ()
    is_good: bool = False


@dataclass(frozen=True)
class Plan:
    """The lists of files, the split of the normal images, and the number of anomalies."""

    recipe: Recipe
    splits: dict[str, tuple[str, ...]]  # the normal images of each split with a share above 0
    sources: tuple[str, ...]
    numbers: dict[str, int]  # number of each normal image, in the order of their names
    good: tuple[tuple[str, str], ...]  # (split, normal image) of the images that stay good
    pools: dict[
        str, tuple[str, ...]
    ]  # per split: normal images that get anomalies, in an order that depends on the seed
    deal: tuple[
        tuple[str, int], ...
    ]  # (split, index in its pool): the order in which normal images get anomalies, repeated
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
        split, place = self.deal[number % len(self.deal)]
        first = np.random.default_rng((self.recipe.seed, number, 1)).integers(0, 2**62)
        return Item(index, number, split, _ring(self.pools[split], place), _ring(self.sources, int(first)))

    def turn(self, normal: str) -> int:
        """The number of the first anomaly of a normal image; it gets the next one in each further round."""
        return next(n for n, (split, place) in enumerate(self.deal) if self.pools[split][place] == normal)


def _ring(names: tuple[str, ...], start: int) -> tuple[str, ...]:
    """Some names from an index on, continuing at the beginning."""
    return tuple(names[(start + step) % len(names)] for step in range(min(SPARES, len(names)))) if names else ()


def _hash(seed: int, name: str, purpose: str = "") -> bytes:
    """A keyed hash of a name, which may contain bytes that are not valid UTF-8."""
    return hashlib.sha256(f"{seed}/{purpose}{name}".encode("utf-8", "surrogateescape")).digest()


def make_plan(recipe: Recipe, normals: list[str], sources: list[str]) -> Plan:
    """Split the normal images by a hash of seed and name, so that a normal image and its anomalous copies are in the
    same split."""
    ranked = sorted(normals, key=lambda name: _hash(recipe.seed, name))
    if recipe.purpose == "validation":
        split = "val" if recipe.layout == "yolo" else "test"
        half = max(1, len(ranked) // 2)
        good, damaged = (ranked[:half], ranked[half:]) if len(ranked) > 1 else (ranked, ranked)
        asked = recipe.number or (
            recipe.per_image * len(damaged) if recipe.per_image else round(recipe.per_normal * len(good))
        )
        kept = [(split, name) for name in sorted(good)[:asked]]
        return _deal(recipe, {split: ranked}, sources, kept, {split: damaged}, asked)
    splits, start = dict[str, list[str]](), 0
    counts = _counts(recipe, len(ranked))
    for split in ("test", "val", "train"):
        splits[split] = ranked[start : start + counts[split]]
        start += counts[split]
    kept = [(split, name) for split in SPLITS for name in sorted(splits[split])]
    pools = splits
    if recipe.layout == "mvtec":  # no anomalous images for training
        pools = {"test": splits["test"]}
    if recipe.layout == "flat":
        kept = []
    number = recipe.number or round((recipe.per_image or recipe.per_normal) * sum(map(len, pools.values())))
    return _deal(recipe, splits, sources, kept, pools, number)


def _counts(recipe: Recipe, total: int) -> dict[str, int]:
    """Number of normal images of each split: at least one if its share is above 0 and there are enough images."""
    shares = recipe.shares
    needed = ("test", "train", "val") if recipe.layout == "mvtec" else ("train", "val", "test")
    counts = dict.fromkeys(SPLITS, 0)
    for split in [split for split in needed if shares[split] > 0][:total]:
        counts[split] = 1
    for split in ("test", "val", "train"):
        rest = total - sum(counts.values())
        wanted = total if split == "train" else round(shares[split] * total)
        if shares[split] > 0:
            counts[split] += min(rest, max(0, wanted - counts[split]))
    return counts


def _deal(
    recipe: Recipe,
    splits: dict[str, list[str]],
    sources: list[str],
    kept: list[tuple[str, str]],
    pools: dict[str, list[str]],
    anomalies: int,
) -> Plan:
    """Distribute the anomalies: every beginning of the order contains each split according to its share, and no image
    twice."""
    names = sorted(name for group in splits.values() for name in group)
    dealt = {
        split: tuple(sorted(group, key=lambda name: _hash(recipe.seed, name, "anomaly/")))
        for split, group in ((split, pools.get(split)) for split in SPLITS)
        if group
    }
    turns = sorted(
        ((place + 0.5) / len(group), SPLITS.index(split), split, place)
        for split, group in dealt.items()
        for place in range(len(group))
    )
    deal = tuple((split, place) for _, _, split, place in turns)
    numbers = {name: number for number, name in enumerate(names)}
    shown = {split: tuple(sorted(splits.get(split, ()))) for split in SPLITS}
    shown = {split: group for split, group in shown.items() if group or _has_share(recipe, split)}
    return Plan(recipe, shown, tuple(sources), numbers, tuple(kept), dealt, deal, anomalies)


def _has_share(recipe: Recipe, split: str) -> bool:
    return recipe.purpose == "training" and recipe.shares[split] > 0
