"""People who decide, or step, by a Python method of their own, one after the other.

What is around that method should cost no more than a loop over plain Python objects: people are
taken by row out of one list, and after a move the success is looked up by members, or by the closed
form in plain numbers. (:meth:`PeopleModel.own_decisions` is for people who decide together.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from learners.several import SeveralBound, renew

if TYPE_CHECKING:
    from sim.model import Economy

Rows = NDArray[np.integer]


def decide_in_turn(economy: Economy, rows: Rows) -> int:
    """Let people decide and move in this order, success renewed after each; how many moved."""
    people, columns, moved = economy.people(None), economy.columns, 0
    membership, to = columns.membership, columns.to
    with renewing(economy) as publish:
        for row in rows.tolist():
            person = people[row]
            name = person.decide()
            try:
                state = to[name]
            except (KeyError, TypeError):
                state = economy.state_decided(person, name)
            old = membership[row]
            if old != state:
                columns.move(row, old, state)
                publish()
                moved += 1
    return moved


def step_in_turn(economy: Economy, rows: Rows | None, *, renewed: bool) -> int:
    """Let people (None: all) take their own steps in order; how many are elsewhere at the end.

    With ``renewed`` success is published anew after the step of everybody who moved in it.
    """
    before, membership = economy.population.membership.copy(), economy.columns.membership
    if not renewed:
        for person in economy.people(rows):
            person.step()
    else:
        assert rows is not None
        people = economy.people(None)
        with renewing(economy) as publish:
            for row in rows.tolist():
                state = membership[row]
                people[row].step()
                if membership[row] != state:
                    publish()
    return int(np.count_nonzero(before != economy.population.membership))


@contextmanager
def renewing(economy: Economy) -> Iterator[Callable[[], None]]:
    """What publishes success after each of many moves.

    That is :meth:`Economy.publish`, or the same success by a quicker way.
    """
    success_at = None if economy.measures_itself else _success_at(economy)
    if success_at is None:
        yield economy.publish
        return
    names, moves = economy.collectives, economy.population.moves
    now: list[int] = []  # members when it was last published
    counts: Any = memoryview(economy.population.counts)  # type: ignore[arg-type]

    def publish() -> None:
        now[:] = map(add, counts, moves[1:])
        economy.publish_by_name(dict(zip(names, success_at(now), strict=True)))

    try:
        yield publish
    finally:
        if now:
            economy.measured_at = np.array(now)


def _success_at(economy: Economy) -> Callable[[list[int]], list[float]] | None:
    """Success by members, quicker than the platform says it, where there is such a way."""
    success, size = economy.success, economy.size
    if isinstance(success, SeveralBound) and success.size < 8:
        terms, out = tuple(term.tolist() for term in success.terms), [0.0] * success.size

        def closed_form(counts: list[int]) -> list[float]:
            renew(counts, size, terms, out)
            return out

        return closed_form
    if success.sees_people or success.size > 1:
        return None
    curve: Any = memoryview(economy.count_curve)  # type: ignore[arg-type]
    return lambda counts: [curve[counts[0]]]
