"""Measuring: repeatable, parallel, resumed after a kill, and nothing trained twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from learners.errors import MissingError
from learners.measured.bench import Bench, RandomMembers, Setup, stream
from learners.measured.cache import Cache
from learners.measured.measure import measure, size_grid
from learners.measured.search_mass import measure_of, search_critical_mass
from learners.measured.table import TableSuccess, read_table
from learners.success import Bound, SuccessFunction
from tests.unit.noisy_learners import Binomial, bayes_platform

HERE = "tests.unit.noisy_learners"
ROOT = Path(__file__).resolve().parents[2]
SIZES = [0.02, 0.06, 0.1, 0.2, 0.5]


def binomial(**settings):
    return Setup(f"{HERE}:Binomial", settings, ("union",))


def logged(tmp_path, **settings):
    return Setup(f"{HERE}:Logged", {"log": str(tmp_path / "log"), **settings}, ("union",))


def trainings(tmp_path):
    log = tmp_path / "log"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


# ---------------------------------------------------------------- one measurement


def test_a_measurement_is_a_function_of_setup_sizes_seed_and_replicate(tmp_path):
    first = Bench(binomial(), 7, Cache(tmp_path / "a")).measure((0.1,), 2)
    again = Bench(binomial(), 7, Cache(tmp_path / "b")).measure((0.1,), 2)
    assert first.success == again.success and not again.cached
    by_hand = Binomial()(np.array([0.1]), np.random.default_rng(stream(7, [0.1], 2)))
    assert first.success == (float(by_hand[0]),)
    kept = Bench(binomial(), 7, Cache(tmp_path / "a")).measure((0.1,), 2)
    assert kept.cached and (kept.success, kept.seconds) == (first.success, first.seconds)


def test_what_else_was_measured_is_kept_and_comes_back(tmp_path):
    setup, sizes = Setup(f"{HERE}:telling", {}, ("union",)), [0.02, 0.1, 0.5]
    for workers in (2, 1):  # made, then from the cache
        table = measure(setup, sizes, 1, workers=workers, cache=Cache(tmp_path))
        np.testing.assert_array_equal(table.also["members"], [np.nan, 10.0, 50.0])
        np.testing.assert_array_equal(table.also["loss"], [2.0, np.nan, np.nan])
    back = read_table(table.save(tmp_path / "t.parquet"))
    assert list(back.frame)[-2:] == ["also.loss", "also.members"]
    for name, values in table.also.items():
        np.testing.assert_array_equal(back.also[name], values)
    assert Bench(setup, 0, Cache(tmp_path)).measure((0.5,), 0).also == {"members": 50.0}
    assert measure(binomial(), sizes, 1, cache=Cache(tmp_path)).also == {}


def test_what_else_was_measured_must_be_a_number(tmp_path):
    setup = Setup(f"{HERE}:telling", {"says": "nan"}, ("union",))
    with pytest.raises(ValueError, match="the learner gave accuracy = nan; must be a finite"):
        Bench(setup, 0, Cache(tmp_path)).measure((0.1,), 0)
    assert not list(Cache(tmp_path).entries())


def test_streams_differ_wherever_anything_does():
    given = [(s, a, r) for s in (0, 1) for a in ([0.0], [0.1], [0.1, 0.0], [0.0, 0.1])
             for r in (0, 1)]  # fmt: skip
    words = {tuple(stream(*each).generate_state(4).tolist()) for each in given}
    assert len(words) == len(given)
    nearby = np.nextafter(0.1, 1.0)
    assert stream(0, [0.1], 0).spawn_key != stream(0, [nearby], 0).spawn_key
    draws = [np.random.default_rng(stream(0, [a], 0)).random() for a in np.linspace(0, 1, 2000)]
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 4 / np.sqrt(2000)


def test_the_digest_is_of_everything_that_matters():
    base = Setup("m:f", {"a": 1, "b": [1, 2]}, ("x",), data="d")
    assert base.digest == Setup("m:f", {"b": (1, 2), "a": 1}, ("x",), data="d").digest
    others = [
        Setup("m:g", base.settings, ("x",), "d"),
        Setup("m:f", {"a": 2, "b": [1, 2]}, ("x",), "d"),
        Setup("m:f", base.settings, ("y",), "d"),
        Setup("m:f", base.settings, ("x",), "e"),
        Setup("m:f", base.settings, ("x",), "d", version=2),
    ]
    assert len({base.digest, *(setup.digest for setup in others)}) == 6


@pytest.mark.parametrize("gives", [[0.1, 0.2], "nan", [1.5], [-0.1], []])
def test_what_is_no_success_is_refused_and_not_kept(tmp_path, gives):
    setup = Setup(f"{HERE}:wrong", {"gives": gives}, ("union",))
    with pytest.raises(ValueError, match=r"the learner gave .*; must be 1 in \[0, 1\]") as caught:
        Bench(setup, 0, Cache(tmp_path)).measure((0.1,), 0)
    assert caught.value.__notes__ == ["while measuring at sizes [0.1], replicate 0"]
    assert list(Cache(tmp_path).entries()) == []


def test_bad_setups_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be 'package\.module:name'"):
        Setup("tests.unit", {}, ("x",))
    with pytest.raises(ValueError, match="must be JSON"):
        Setup("m:f", {"path": Path("x")}, ("x",))
    with pytest.raises(ValueError, match="none twice"):
        Setup("m:f", {}, ("x", "x"))
    for factory in ("no_such_module:f", f"{HERE}:no_such_name"):
        with pytest.raises(MissingError, match="there is no such learner"):
            Setup(factory, {}, ("x",)).learner()
    for wrong in (-1, 0.5, True, "a"):
        with pytest.raises(ValueError, match="seed: got"):
            Bench(binomial(), wrong, Cache(tmp_path))
    with pytest.raises(ValueError, match="must be ≥ 1 each"):
        measure(binomial(), SIZES, 0, cache=Cache(tmp_path))
    for sizes, message in (([], r"sizes: got shape \(0,\)"), ([0.5, 1.2], "alpha: got")):
        with pytest.raises(ValueError, match=message):
            measure(binomial(), sizes, cache=Cache(tmp_path))


class Rows(SuccessFunction):
    """A stand-in for a platform that is trained on people: S = share of members' points."""

    collectives, kind = ("a", "b"), "estimate"

    def __init__(self, points=None):
        self.points = points

    def at(self, alpha):
        raise NotImplementedError

    def draw_people(self, size, rng):
        return rng.integers(0, 2, size)

    def attach(self, points):
        return Rows(points)

    def by_membership(self, membership):
        return np.array([np.mean((membership == k) * self.points) for k in (1, 2)])


def test_random_members_of_a_platform_that_sees_people():
    seeds = []

    def platform(seed):
        seeds.append(seed)
        return Rows()

    learner = RandomMembers(platform, people=1000)
    rng = np.random.default_rng(0)
    draws = np.array([learner(np.array([0.2, 0.5]), rng).success for _ in range(300)])
    np.testing.assert_allclose(draws.mean(axis=0), [0.1, 0.25], atol=4 * 0.016 / np.sqrt(300))
    assert np.all(learner(np.array([0.0, 0.0]), rng).success == 0.0)
    everyone = learner(np.array([0.3, 0.7]), rng).success
    assert everyone.sum() == pytest.approx(0.5, abs=0.08)
    assert len(set(seeds)) == len(seeds) == 302  # each training has random numbers of its own
    with pytest.raises(ValueError, match="people: got 0"):
        RandomMembers(platform, people=0)


def test_a_bayes_platform_is_measured_and_its_step_is_found(tmp_path):
    """S of the universe jumps from 0 to 1 at one size; of N people it does so within 1/√N."""
    people = 20_000
    (step,) = bayes_platform().steps(0)
    setup = Setup(f"{HERE}:bayes", {"people": people}, ("union",))
    bench = Bench(setup, 1, Cache(tmp_path))
    found = search_critical_mass(measure_of(bench), 0.5, precision=0.005)
    assert found.reached and found.low - people**-0.5 <= step <= found.high + people**-0.5
    around = [step - 0.03, step + 0.03]
    table = measure(setup, around, 2, cache=Cache(tmp_path), workers=2)
    np.testing.assert_array_equal(table.success[:, 0], [0, 0, 1, 1])


# ---------------------------------------------------------------- many


def test_a_table_is_the_same_for_any_number_of_processes_and_near_the_truth(tmp_path):
    alone = measure(binomial(), SIZES, 30, seed=3, cache=Cache(tmp_path / "a"))
    many = measure(binomial(), SIZES, 30, seed=3, workers=2, cache=Cache(tmp_path / "b"))
    for name in ("sizes", "success", "replicate"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(many, name))
    assert alone.meta == many.meta and alone.meta["digest"] == binomial().digest
    np.testing.assert_array_equal(alone.sizes[:, 0], np.repeat(SIZES, 30))
    np.testing.assert_array_equal(alone.replicate, np.tile(np.arange(30), 5))
    truth = Binomial().curve(np.array(SIZES))
    error = np.abs(alone.success.reshape(5, 30).mean(axis=1) - truth)
    assert np.all(error <= 4.5 * np.sqrt(truth * (1 - truth) / (200 * 30)))


def test_nothing_is_trained_twice(tmp_path):
    cache, heard = Cache(tmp_path / "cache"), []
    setup = logged(tmp_path)
    first = measure(setup, SIZES, 2, cache=cache, progress=lambda *now: heard.append(now))
    assert heard == [(done, 10) for done in range(11)]
    assert len(trainings(tmp_path)) == 10
    heard.clear()
    more = measure(setup, [*SIZES, 0.3, 0.02, -0.0 + 0.02], 3, cache=cache, workers=2,
                   progress=lambda *now: heard.append(now))  # fmt: skip
    assert heard == [(done, 18) for done in range(10, 19)]
    assert len(trainings(tmp_path)) == 18  # 5 sizes × 1 more + 1 new size × 3
    kept = more.success.reshape(6, 3)[:5, :2]
    np.testing.assert_array_equal(kept, first.success.reshape(5, 2))
    measure(setup, SIZES, 2, seed=1, cache=cache)
    assert len(trainings(tmp_path)) == 28


def test_processes_use_one_thread_each_and_the_environment_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = dict(os.environ)
    measure(logged(tmp_path, crew=2), SIZES, 1, workers=2, cache=Cache(tmp_path / "c"))
    assert dict(os.environ) == before
    lines = trainings(tmp_path)
    assert {threads for _, _, threads in lines} == {"1"}
    assert len({pid for _, pid, _ in lines} - {str(os.getpid())}) == 2


def test_a_process_that_dies_is_replaced_and_nothing_is_lost(tmp_path):
    setup = logged(tmp_path, dies_at=0.1)
    table = measure(setup, SIZES, 4, workers=2, cache=Cache(tmp_path / "c"))
    assert len(table.success) == 20
    same = measure(binomial(), SIZES, 4, cache=Cache(tmp_path / "d"))
    np.testing.assert_array_equal(table.success, same.success)


def test_processes_that_always_die_are_given_up(tmp_path):
    setup = logged(tmp_path, dies_at=0.1, dies_once=False)
    cache = Cache(tmp_path / "c")
    with pytest.raises(MissingError, match=r"died \(out of memory\?\); \d measurements") as said:
        measure(setup, SIZES, 1, workers=2, cache=cache)
    # The third is begun when one of the first two is on disk; the other may die with it.
    kept = sum(entry.measurements for entry in cache.entries())
    assert kept >= 1 and f"; {5 - kept} measurements" in str(said.value)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_learner_that_fails_says_where_and_the_rest_is_kept(tmp_path, workers):
    setup = logged(tmp_path, fails_at=0.5)
    with pytest.raises(FloatingPointError, match="the loss is nan") as caught:
        measure(setup, SIZES, 1, workers=workers, cache=Cache(tmp_path / "c"))
    assert "while measuring at sizes [0.5], replicate 0" in caught.value.__notes__
    assert sum(entry.measurements for entry in Cache(tmp_path / "c").entries()) == 4


SCRIPT = """
    import sys
    from learners.measured.bench import Setup
    from learners.measured.cache import Cache
    from learners.measured.measure import measure
    if __name__ == "__main__":
        log, cache, workers = sys.argv[1:]
        setup = Setup("tests.unit.noisy_learners:Logged", {"log": log, "seconds": 0.1}, ("union",))
        sizes = [0.02, 0.06, 0.1, 0.2, 0.5]
        measure(setup, sizes, 8, workers=int(workers), cache=Cache(cache))
"""


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_measure_resumes_and_loses_no_measurement(tmp_path, workers):
    """SIGKILL it half way: what is on disk is whole, and only what is missing is trained."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    cache = Cache(tmp_path / "cache")
    process = subprocess.Popen(
        [sys.executable, script, tmp_path / "log", cache.folder, str(workers)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TRAININGS": "20"},
        stderr=subprocess.DEVNULL,  # where multiprocessing tells of what a kill leaves
    )
    _wait(lambda: len(trainings(tmp_path)) >= 10)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    pids = {int(pid) for _, pid, _ in trainings(tmp_path)}
    _wait(lambda: not any(_alive(pid) for pid in pids))  # nobody goes on without the parent

    begun, files = len(trainings(tmp_path)), _files(cache)
    kept = len(files)
    assert begun - workers <= kept <= begun < 40  # only the trainings under way are lost
    setup = logged(tmp_path, seconds=0.1)
    table = measure(setup, SIZES, 8, workers=2, cache=cache)
    assert len(trainings(tmp_path)) == begun + 40 - kept
    assert files.items() <= _files(cache).items()  # what was there was not touched
    same = measure(binomial(), SIZES, 8, cache=Cache(tmp_path / "other"))
    np.testing.assert_array_equal(table.success, same.success)


def _files(cache):
    return {
        path: json.loads(path.read_text())
        for path in cache.folder.rglob("*.json")
        if path.name != "setup.json"
    }


def _wait(what, seconds=120.0):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# ---------------------------------------------------------------- to a success function and back


def test_several_collectives_from_grid_to_success_function(tmp_path):
    sizes = size_grid([[0.05, 0.15, 0.3], [0.05, 0.2, 0.8]])
    assert sizes.shape == (4 * 4 - 1 - 1, 2)  # neither (0, 0) nor (0.3, 0.8)
    setup = Setup(f"{HERE}:two", {}, ("a", "b"))
    table = measure(setup, sizes, 40, cache=Cache(tmp_path / "c"))
    path = table.save(tmp_path / "two.parquet")
    success = TableSuccess(read_table(path, {"digest": setup.digest}))
    np.testing.assert_allclose(success.at([0.15, 0.05]), [0.7, 0.15], atol=4.5 * 0.5 / 4000**0.5)
    low, high = success.interval([0.15, 0.05])
    assert np.all(low < [0.7, 0.15]) and np.all(high > [0.7, 0.15])


def test_a_measured_curve_is_near_the_one_it_measures(tmp_path):
    sizes = np.concatenate([np.linspace(0.05, 0.2, 16), [0.3, 0.5, 1.0]])
    table = measure(binomial(people=2000), sizes, 5, cache=Cache(tmp_path / "c"))
    exact = Bound("union", Binomial().curve)
    fine = np.linspace(0.05, 1.0, 500)[:, None]
    assert np.max(np.abs(TableSuccess(table).at(fine) - exact.at(fine))) < 0.05
    curve = TableSuccess(table).curve()
    assert curve.critical_mass(0.6) == pytest.approx(exact.curve().critical_mass(0.6), abs=0.01)


@pytest.mark.parametrize(
    "damage",
    [
        {"success": [0.5]},
        {"success": [1.5], "seconds": 1.0},
        {"success": [0.5, 0.5], "seconds": 1.0},
        {"success": None, "seconds": 1.0},
        {"success": [0.5], "seconds": None},
        {"success": [0.5], "seconds": 1.0, "also": {"accuracy": "high"}},
        {"success": [0.5], "seconds": 1.0, "also": 3},
    ],
)
def test_a_damaged_result_in_the_cache_was_never_measured(tmp_path, damage):
    """JSON that is whole and says something else than a measurement."""
    kept, setup = Cache(tmp_path), binomial()
    first = Bench(setup, 0, kept).measure((0.1,), 0)
    (file,) = (p for p in tmp_path.rglob("*.json") if p.name != "setup.json")
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"result": damage}))
    again = Bench(setup, 0, kept).measure((0.1,), 0)
    assert not again.cached and again.success == first.success
    assert Bench(setup, 0, kept).measure((0.1,), 0).cached
