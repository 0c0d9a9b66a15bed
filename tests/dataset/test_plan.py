"""The plan of a data set: lazy, split by normal image, anomalies distributed evenly."""

import gc
import time
import tracemalloc
from collections import Counter

import pytest

from pail.dataset import plan as plans
from pail.dataset import recipe as recipes


def test_ten_million_items_cost_no_memory_and_microseconds():
    recipe = recipes.make_recipe(number=10_000_000, layout="flat")
    plan = plans.make_plan(recipe, [f"{i}.png" for i in range(100)], [f"s{i}.png" for i in range(50)])
    plan.item(0)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for index in range(0, plan.size, 5_000):
        plan.item(index)
    gc.collect()  # NumPy's generators leave cycles, which are freed in their own time
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert plan.size == 10_000_000 and grown < 20_000
    start = time.perf_counter()
    for index in range(plan.size - 1000, plan.size):
        plan.item(index)
    assert (time.perf_counter() - start) / 1000 < 1e-3
    assert plan.item(9_999_999) == plans.make_plan(recipe, list(plan.numbers), list(plan.sources)).item(9_999_999)


def planned(normals, **options):
    return plans.make_plan(recipes.make_recipe(**options), [f"n{i:03}.png" for i in range(normals)], [])


def items(plan):
    return [plan.item(index) for index in range(plan.size)]


@pytest.mark.parametrize("seed", range(12))
def test_anomalies_are_dealt_to_all_splits_and_not_by_name(seed):
    plan = planned(60, number=20, layout="yolo", val_share=0.3, test_share=0.1, seed=seed)
    anomalous = [item for item in items(plan) if not item.is_good]
    counts = Counter(item.split for item in anomalous)
    assert abs(counts["train"] - 12) <= 1 and abs(counts["val"] - 6) <= 1 and abs(counts["test"] - 2) <= 1
    used = [item.normals[0] for item in anomalous]
    assert len(set(used)) == 20 and sum(name >= "n030" for name in used) >= 4
    other = planned(60, number=20, layout="yolo", val_share=0.3, test_share=0.1, seed=seed + 100)
    assert {item.normals[0] for item in items(other) if not item.is_good} != set(used)


@pytest.mark.parametrize("layout", ["mvtec", "flat", "yolo"])
@pytest.mark.parametrize("number", [1, 7, 30, 61, 200])
def test_every_normal_image_gets_as_many(layout, number):
    plan = planned(30, number=number, layout=layout, seed=4)
    used = Counter(item.normals[0] for item in items(plan) if not item.is_good)
    pool = sum(len(names) for names in plan.pools.values())
    assert sum(used.values()) == number and pool == (9 if layout == "mvtec" else 30)
    assert len(used) == min(pool, number) and max(used.values()) - min(used.values()) <= 1
    assert all(plan.item(plan.turn(name) + len(plan.good)).normals[0] == name for name in used)


@pytest.mark.parametrize("layout", ["mvtec", "flat", "yolo"])
def test_a_part_and_its_damaged_copy_are_in_one_split(layout):
    plan = planned(50, number=120, layout=layout, val_share=0.2, test_share=0.3, seed=9)
    sides = {}
    for item in items(plan):
        for name in item.normals:
            sides.setdefault(name, set()).add(item.split)
    assert all(len(splits) == 1 for splits in sides.values())
    assert {split: len(names) for split, names in plan.splits.items()} == {"train": 25, "val": 10, "test": 15}
    if layout == "mvtec":
        assert {item.split for item in items(plan) if not item.is_good} == {"test"}


def test_shares_of_few_images():
    def counts(normals, **options):
        return {split: len(names) for split, names in planned(normals, **options).splits.items()}

    shares = {"val_share": 0.1, "test_share": 0.1}
    assert counts(3, layout="yolo", **shares) == {"train": 1, "val": 1, "test": 1}
    assert counts(2, layout="yolo", **shares) == {"train": 1, "val": 1, "test": 0}
    assert counts(1, layout="mvtec") == {"train": 0, "test": 1}
    assert counts(1, layout="yolo") == {"train": 1, "val": 0}
    assert counts(10, layout="flat") == {"train": 10}
    assert counts(10, layout="mvtec", test_share=1) == {"test": 10}
    assert counts(10, layout="yolo", val_share=0.5, test_share=0.5) == {"val": 5, "test": 5}


def test_shares_that_leak_or_do_not_fit_are_errors():
    with pytest.raises(ValueError, match="`test_share` must be above 0 in the mvtec layout"):
        recipes.make_recipe(test_share=0)
    with pytest.raises(ValueError, match="add up to 1"):
        recipes.make_recipe(layout="yolo", val_share=0.6, test_share=0.5)
    for name in ("val_share", "test_share"):
        with pytest.raises(ValueError, match=f"`{name}` must not be given"):
            recipes.make_recipe(purpose="validation", **{name: 0.5})


@pytest.mark.parametrize("layout", ["mvtec", "flat", "yolo"])
def test_a_validation_set_has_as_many_as_asked_for(layout):
    for options, anomalies, good in (
        ({}, 5, 5),
        ({"number": 40}, 40, 5),
        ({"number": 3}, 3, 3),
        ({"per_image": 4}, 20, 5),
    ):
        made = items(planned(10, purpose="validation", layout=layout, **options))
        sides = [{item.normals[0] for item in made if item.is_good is is_good} for is_good in (True, False)]
        assert sum(not item.is_good for item in made) == anomalies and sum(item.is_good for item in made) == good
        assert not sides[0] & sides[1] and {item.split for item in made} == {"val" if layout == "yolo" else "test"}
