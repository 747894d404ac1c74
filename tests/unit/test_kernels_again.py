"""Going only through those who may move leaves the people that going through everybody would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim import compact, kernels_classes
from sim.model import Economy
from tests.economies import scenario

OPEN = np.zeros(1, bool)  # nobody is in a group that may not join


def _walk(rng: np.random.Generator, cost: Any) -> list[float]:
    """Successes that jump, creep, stand still and hit somebody's threshold."""
    values = [float(rng.random())]
    for kind in rng.integers(0, 5, 40):
        last = values[-1]
        values.append(
            [
                float(rng.random()),
                last + float(rng.normal(0, 1e-4)),
                last,
                float(rng.choice(cost[np.argsort(np.abs(cost - last))[:50]])),
                last + float(rng.normal(0, 1e-9)),
            ][kind]
        )
    return np.clip(values, 0.0, 1.0).tolist()


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("shape", ["uniform", "lattice", "some without a threshold"])
def test_after_any_walk_of_success_everybody_is_where_she_would_be(shape: str, k: int) -> None:
    rng, size = np.random.default_rng([k, len(shape)]), 40_000
    cost = rng.random(size)
    factor = np.zeros(size)
    if shape == "lattice":
        cost = cost.round(4)
    if shape == "some without a threshold":
        factor[rng.integers(0, size, 20)] = 1.0
        cost[rng.integers(0, size, 20)] = 0.0
    people = (cost, factor, np.zeros(size, np.uint8))
    kept = kernels_classes.classes(*people, OPEN, 0.0)
    quick: Any = rng.integers(0, k + 1, size).astype(np.int8)
    whole, before, again = quick.copy(), None, 0
    for success in _walk(rng, cost):
        table = np.full((k + 1, k), 0.0)
        table[:, k - 1] = success
        given = (people, quick, (table, table, np.zeros(k), np.ones((1, k), bool)))
        moved = -1
        if before is not None:
            was = quick.copy()
            moved, counts = kernels_classes.respond_again(before, kept, success, k, *given)
            again += moved >= 0
            assert moved >= 0 or np.array_equal(was, quick)  # it says no before it does anything
        if moved < 0:
            moved, counts = kernels_classes.respond(
                0, size, kept, success, k, *given, compact.NOBODY
            )
        given = (people, whole, *given[2:])
        moves, members = kernels_classes.respond(0, size, kept, success, k, *given, compact.NOBODY)
        np.testing.assert_array_equal(quick, whole)
        assert moved == moves
        assert counts[1:].tolist() == members[1:].tolist()
        assert counts[k] == np.count_nonzero(quick == k)
        before = success
    assert 15 < again < 40  # both ways were gone


def world(**more: Any) -> Any:
    return scenario({
        "population.size": 30_000, "collectives.union.start": 0.4, "stop": {"when": "never"},
        "population.cost": {"dist": "uniform", "low": 0.0, "high": 1.0},
        "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.5}, **more,
    })  # fmt: skip


def _assigned(economy: Economy) -> None:
    economy.population.assign(np.arange(7, 400), np.ones(393, np.int8))


def _joined(economy: Economy) -> None:
    for row in range(100):
        economy.population.join(row, row % 2)


def _by_agents(economy: Economy) -> None:
    for person in list(economy.agents)[:100]:
        person.join("union" if person.row % 2 else None)


def _in_exchange(economy: Economy) -> None:
    """As many come as leave, so that no sum tells."""
    people = list(economy.agents)
    inside, outside = (
        np.flatnonzero(economy.population.membership == state)[:50] for state in (1, 0)
    )
    for row in inside.tolist():
        people[row].leave()
    for row in outside.tolist():
        people[row].join("union")


def _by_hand(economy: Economy) -> None:
    economy.population.moved()
    economy.population.membership[:300] = 1
    economy.population.recount()


def _dearer(economy: Economy) -> None:
    economy.population.edited()
    economy.population.cost[:300] += 0.2


@pytest.mark.parametrize(
    "meddle", [_assigned, _joined, _by_agents, _in_exchange, _by_hand, _dearer]
)
def test_whoever_moves_people_between_epochs(meddle: Callable[[Economy], None]) -> None:
    """As the plain engine, which asks everybody in every epoch."""
    plain, quick = Economy(world(), compiled=False), Economy(world(), compiled=True)
    for epoch in range(24):
        if epoch in (9, 15, 16):
            meddle(plain)
            meddle(quick)
        plain.step()
        quick.step()
        np.testing.assert_array_equal(quick.population.membership, plain.population.membership)
        assert quick.counts.tolist() == plain.counts.tolist()
        assert quick.counts[0] == np.count_nonzero(quick.population.membership)
    assert 0.1 < quick.alpha[0] < 0.9


def test_later_epochs_look_at_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the test above is one of them: without meddling hardly an epoch asks everybody."""
    asked = []
    whole = kernels_classes.respond
    monkeypatch.setattr(
        kernels_classes, "respond", lambda *given: asked.append(given[1]) or whole(*given)
    )
    economy = Economy(world(), compiled=True)
    for _ in range(24):
        economy.step()
    assert 2 <= len(asked) <= 12
    economy.population.recount()  # somebody wrote to the column
    economy.step()
    economy.step()
    once = len(asked)
    economy.columns  # agents can move people from now on  # noqa: B018
    economy.step()
    economy.step()
    assert len(asked) == once + 2


def test_a_sum_that_is_the_same_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that the tests above can fail: people who are moved unseen stay where they are."""
    economy = Economy(world(), compiled=True)
    for _ in range(20):
        economy.step()
    there = economy.population.membership.copy()
    answered = economy.population.answered
    _joined(economy)
    economy.population.rest(answered)
    economy.step()
    assert not np.array_equal(economy.population.membership, there)
    economy.population.recount()
    economy.step()
    np.testing.assert_array_equal(economy.population.membership, there)


def test_the_column_cannot_be_written_to_unsaid() -> None:
    """It would be wrong for ever after."""
    economy = Economy(world(), compiled=True)
    economy.step()
    with pytest.raises(ValueError, match="read-only"):
        economy.population.membership[:10] = 0
    economy.population.moved()
    economy.population.membership[:10] = 0
