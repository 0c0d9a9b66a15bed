"""The plan of a data set is lazy: an item is a function of the recipe and its index."""

import gc
import time
import tracemalloc

from pail.dataset import plan as plans
from pail.dataset import recipe as recipes


def test_ten_million_items_cost_no_memory_and_microseconds():
    recipe = recipes.make(number=10_000_000, layout="flat")
    plan = plans.make(recipe, [f"{i}.png" for i in range(100)], [f"s{i}.png" for i in range(50)])
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
    assert plan.item(9_999_999) == plans.make(recipe, list(plan.train + plan.test), list(plan.sources)).item(9_999_999)
