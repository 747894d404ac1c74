"""Who hears of a training, which cache is in use, and people drawn and put into collectives."""

from __future__ import annotations

import doctest
import threading

import numpy as np
import pytest

from learners import people, progress
from learners.measured.cache import Cache, cache_in_use, using
from learners.progress import listening, tell


def test_the_innermost_listener_hears_and_nobody_else() -> None:
    outer, inner = [], []
    tell("training", 1, 2)
    with listening(lambda *now: outer.append(now)):
        tell("training", 1, 2)
        with listening(lambda *now: inner.append(now)):
            tell("training", 2, 2)
        with listening(None):
            tell("training", 0, 3)
        with pytest.raises(ZeroDivisionError), listening(lambda *now: inner.append(now)):
            raise ZeroDivisionError
        tell("judging", 3, 3)
    tell("training", 1, 2)
    assert outer == [("training", 1, 2), ("judging", 3, 3)]
    assert inner == [("training", 2, 2)]


def test_another_thread_does_not_hear() -> None:
    heard: list[object] = []
    with listening(lambda *now: heard.append(now)):
        other = threading.Thread(target=tell, args=("training", 1, 2))
        other.start()
        other.join()
    assert heard == []


def test_the_cache_in_use_is_the_innermost_or_the_users(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ALPHACRIT_CACHE", str(tmp_path / "users"))
    one, other = Cache(tmp_path / "one"), Cache(tmp_path / "other")
    with using(one):
        with using(other):
            assert cache_in_use() is other
        assert cache_in_use() is one
        assert cache_in_use().trainings == tmp_path / "one" / "trainings"
    assert cache_in_use().folder == tmp_path / "users"


def test_clearing_all_takes_trainings_under_way_too(tmp_path) -> None:
    cache = Cache(tmp_path)
    cache.put({"a": 1}, {"sizes": [0.1]}, {"success": [0.5]})
    (digest,) = (entry.digest for entry in cache.entries())
    (cache.trainings / "x").mkdir(parents=True)
    assert cache.clear(digest) == 1 and cache.trainings.exists()
    assert cache.clear() == 0 and not cache.trainings.exists()


def test_random_members_are_as_many_as_the_sizes_say() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        sizes, n = rng.dirichlet(np.ones(4))[:3], int(rng.integers(1, 200))
        members = people.random_members(sizes, n)
        counts = np.bincount(members, minlength=4)[1:]
        assert np.all(np.abs(counts - sizes * n) <= 1.0)
        assert abs(counts.sum() - sizes.sum() * n) <= 0.5
        np.testing.assert_array_equal(members[members > 0], np.sort(members[members > 0]))
    assert doctest.testmod(people).failed == doctest.testmod(progress).failed == 0


def test_the_interval_covers_as_often_as_it_says_near_certainty_too() -> None:
    """Three trainings that each succeed with probability 0.9 all succeed 73 % of the time."""
    rng = np.random.default_rng(1)
    each = (rng.random((4000, 3, 2)) < 0.9).astype(float)
    low, high = people.mean_interval(np.ones(2), each, 0.9)
    assert low.shape == high.shape == (4000, 2)
    assert ((low <= 0.9) & (high >= 0.9)).mean() >= 0.9
    ones = (each[:, :, 0] == 1.0).all(axis=1)  # where Student's interval would be [1, 1]
    assert ones.mean() == pytest.approx(0.9**3, abs=0.03)
    assert high[ones, 0].min() == 1.0 and low[ones, 0].max() < 0.7
    assert np.all((low <= each.mean(axis=1)) & (each.mean(axis=1) <= high))


def test_the_interval_of_each_size_and_collective_is_its_own() -> None:
    each = np.random.default_rng(2).random((2, 5, 7, 3))  # (..., R, K)
    low, high = people.mean_interval(np.ones(3), each, 0.95)
    alone = people.mean_interval([1.0], each[1, 4, :, 2][:, None], 0.95)
    np.testing.assert_allclose([low[1, 4, 2], high[1, 4, 2]], [alone[0][0], alone[1][0]])


@pytest.mark.parametrize("weight", [[], [0.0, 0.0], [1.0, -1.0], [[1.0]]])
def test_weights_that_are_none(weight) -> None:
    class Some(people.PeoplePlatform):
        _measure_at = _measure_people = lambda self, *_: np.zeros((1, 1))

    with pytest.raises(ValueError, match="weight: got shape"):
        Some(weight, ["a"])
    heavy = Some([1.0, 3.0], ["a"]).draw_people(4000, np.random.default_rng(0))
    assert heavy.mean() == pytest.approx(0.75, abs=4 * np.sqrt(0.1875 / 4000))
    even = Some([2.0, 2.0, 2.0], ["a"]).draw_people(7, np.random.default_rng(0))
    assert sorted(np.bincount(even)) == [2, 2, 3]
