"""People who decide, or step, by a Python method of their own, one after the other.

What is around that method should cost no more than a loop over plain Python objects: people are
taken by row out of one list, and after a move the success of a single collective is looked up by
its members. (:meth:`PeopleModel.own_decisions` is for people who decide together.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sim.model import Economy

Rows = NDArray[np.integer]


def decide_in_turn(economy: Economy, rows: Rows) -> int:
    """Let people decide and move in this order, success renewed after each; how many moved."""
    people, columns, moved = economy.people(None), economy.columns, 0
    membership, to = columns.membership, columns.to
    with renewing(economy) as renew:
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
                renew()
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
        with renewing(economy) as renew:
            for row in rows.tolist():
                state = membership[row]
                people[row].step()
                if membership[row] != state:
                    renew()
    return int(np.count_nonzero(before != economy.population.membership))


@contextmanager
def renewing(economy: Economy) -> Iterator[Callable[[], None]]:
    """What publishes success after each of many moves.

    That is :meth:`Economy.publish`. Of one collective it is the same success out of the table of
    all counts.
    """
    from sim.model import Economy

    own = type(economy)
    overridden = own.publish is not Economy.publish or own.measure is not Economy.measure
    if overridden or economy.success.sees_people or len(economy.collectives) > 1:
        yield economy.publish
        return
    (name,), moves, members = economy.collectives, economy.population.moves, -1
    curve: Any = memoryview(economy.count_curve)  # type: ignore[arg-type]
    counts: Any = memoryview(economy.population.counts)  # type: ignore[arg-type]

    def renew() -> None:
        nonlocal members
        members = counts[0] + moves[1]
        economy.publish_by_name({name: curve[members]})

    try:
        yield renew
    finally:
        if members >= 0:
            economy.measured_at = np.array([members])
