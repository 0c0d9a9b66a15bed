"""Threads, forks, pickles and long runs."""

import gc
import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from common import ALL, Expected, call, photograph

from pail import pai

IMAGE, SOURCE = photograph(64, 64), photograph(64, 64, seed=1)
LINUX = hasattr(os, "fork")


def test_eight_threads_share_an_instance():
    instance = pai.Anomaly_Insertion(rng=0)

    def work(task):
        name, seed = task
        return call(name, IMAGE, SOURCE, on=instance), call(name, IMAGE, SOURCE, on=instance, rng=seed)

    tasks = [(name, seed) for seed in range(12) for name in ALL]
    expected = {name: Expected(name, IMAGE, SOURCE) for name in ALL}
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, tasks))
    for (name, seed), (free, seeded) in zip(tasks, results, strict=True):
        expected[name].check(free)
        alone = call(name, IMAGE, SOURCE, rng=seed)
        assert np.array_equal(seeded[0], alone[0]) and np.array_equal(seeded[1], alone[1])
    free_images = {
        free[0].tobytes() for (name, _), (free, _) in zip(tasks, results, strict=True) if name == "random_perturbation"
    }
    assert len(free_images) == 12


INSTANCE = pai.Anomaly_Insertion(rng=0)


def draw_in_worker(instance, rng, pipe):
    instance = INSTANCE if instance is None else instance
    pipe.send([getattr(instance, name)(IMAGE, rng=rng)[0] for name in ("random_perturbation", "simplex_noise_anomlay")])


def in_processes(method, instance, rng, count=3):
    context = multiprocessing.get_context(method)
    results = []
    for _ in range(count):
        here, there = context.Pipe()
        process = context.Process(target=draw_in_worker, args=(instance, rng, there))
        process.start()
        assert here.poll(60), "the worker died"
        results.append(here.recv())
        process.join()
        assert process.exitcode == 0
    return results


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.skipif(not LINUX, reason="no fork")
def test_forked_workers_do_not_repeat_their_parent_or_each_other():
    INSTANCE.simplex_noise_anomlay(IMAGE)  # numba has run in the parent before the fork
    results = in_processes("fork", None, None)
    again = INSTANCE.random_perturbation(IMAGE)[0]
    images = {result[0].tobytes() for result in results} | {again.tobytes()}
    assert len(images) == 4


def test_spawned_and_pickled_instances_do_not_repeat_each_other():
    instance = pai.Anomaly_Insertion(rng=0)
    results = in_processes("spawn", instance, None, 2)
    parent = instance.random_perturbation(IMAGE)[0]
    assert len({result[0].tobytes() for result in results} | {parent.tobytes()}) == 3


def test_an_rng_with_the_call_gives_the_same_bytes_in_every_process():
    expected = [call(name, IMAGE, rng=(3, 1))[0] for name in ("random_perturbation", "simplex_noise_anomlay")]
    for method in ("fork", "spawn") if LINUX else ("spawn",):
        for result in in_processes(method, pai.Anomaly_Insertion(), (3, 1), 1):
            assert all(np.array_equal(a, b) for a, b in zip(result, expected, strict=True))


def test_a_pickled_instance_keeps_its_settings():
    copy = pickle.loads(pickle.dumps(pai.Anomaly_Insertion(False, rng=1)))
    assert copy.transform is False
    assert copy.cutpaste(IMAGE)[1].any()


def test_without_an_rng_every_instance_is_fresh():
    images = {pai.Anomaly_Insertion().random_perturbation(IMAGE)[0].tobytes() for _ in range(5)}
    assert len(images) == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_long_runs_leave_nothing_behind(name):
    """A short form of the soak that the fuzz script does with 10,000 calls."""
    process, small = psutil.Process(), photograph(24, 24)
    for seed in range(300):
        call(name, small, SOURCE, rng=seed)
    gc.collect()
    memory, files, threads = process.memory_info().rss, process.num_fds(), threading.active_count()
    for seed in range(1000):
        call(name, small, SOURCE, rng=seed)
    gc.collect()
    assert process.memory_info().rss - memory < 10e6
    assert process.num_fds() == files and threading.active_count() == threads
