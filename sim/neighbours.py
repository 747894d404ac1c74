"""Choice on a network by the members among everybody's neighbours, who are counted once and kept.

One collective: :mod:`sim.kernels_network`; a few: :mod:`sim.kernels_network_several`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.compact import EVERYBODY, Rows, columns
from sim.threads import in_parts

if TYPE_CHECKING:
    from sim.model import Economy

TELL = 16  # neighbours are told where at most one in so many switched, else all are counted
TIES, PEOPLE = 500_000, 100_000  # worth a thread of their own


@dataclass
class Near:
    """What is kept about a network of people who decide about one collective.

    Attributes
    ----------
    near : (N,) members among the neighbours of each person …
    seen : (N,) … when membership was this
    least : (N,) from how many on each of them joins
    offers : dues, eligible, offset, curve: what decisions are made by
    """

    near: NDArray[np.unsignedinteger]
    seen: NDArray[np.integer]
    least: NDArray[np.unsignedinteger]
    offers: tuple[Any, ...]


def fits(economy: Economy) -> bool:
    """Whether these counts are all there is to the economy's choices about one collective."""
    return len(economy.collectives) == 1 and _by_counts(economy)


def fits_several(economy: Economy) -> bool:
    """The same about a few collectives, where most people have few neighbours."""
    return len(economy.collectives) > 1 and _by_counts(economy) and economy.local_table is not None


def _by_counts(economy: Economy) -> bool:
    return (
        economy.graph is not None
        and economy.scenario.revision.protocol != "imitation"
        and not economy.has_own_decisions
    )


def revise(
    economy: Economy, rows: Rows | None, uniforms: NDArray[np.float64], *, in_turn: bool = False
) -> int:
    """These people (None: everybody) choose, at once or one after the other; how many moved."""
    from sim import kernels_network as kernels

    people, kept, graph = economy.population, _up_to_date(economy), economy.graph
    assert graph is not None
    if rows is None:
        parts = _everybody(economy, kept, people.membership, uniforms)
        moved, more = np.sum(parts, axis=0).tolist()
    else:
        moved, more = kernels.some(
            rows, kept.least, kept.near, people.membership, columns(people), kept.offers,
            graph.indptr, economy.noise, uniforms, graph.indices[: None if in_turn else 0],
        )  # fmt: skip
        if in_turn:
            kept.seen[:] = people.membership
    people.counts[0] += more
    return moved


def wanted(economy: Economy) -> NDArray[np.integer]:
    """The states that everybody's best response would be; nothing is changed."""
    states = economy.population.membership.copy()
    _everybody(economy, _up_to_date(economy), states, np.empty(0))
    return states


def _everybody(
    economy: Economy, kept: Near, states: NDArray, uniforms: NDArray[np.float64]
) -> list[tuple[int, int]]:
    """Everybody chooses at once; (moved, new members) of each part of them."""
    from sim import kernels_network as kernels

    graph, people, noise = economy.graph, columns(economy.population), economy.noise
    assert graph is not None

    def part(start: int, stop: int) -> tuple[int, int]:
        these = slice(start, stop)
        last = (tuple(column[these] for column in people), kept.offers)
        ties, near = graph.indptr[start : stop + 1], kept.near[these]
        if not noise:
            return kernels.respond(kept.least[these], near, states[these], *last, ties)
        return kernels.draw(near, states[these], *last, ties, noise, uniforms[these])

    return in_parts(len(states), part, PEOPLE if noise else 10 * PEOPLE)


def _up_to_date(economy: Economy) -> Near:
    """The counts as membership is now, whoever changed it."""
    from sim import kernels_network as kernels

    people, graph, kept = economy.population, economy.graph, economy.population.compact
    assert graph is not None
    dues, eligible = economy.dues, economy.eligible
    if kept is None or kept.offers[0][0] != dues[0] or kept.offers[1] is not eligible:
        offers = (dues.copy(), eligible, *economy.local_curve)
        kind = np.min_scalar_type(len(economy.local_curve.offset) + 1)  # degrees + 2
        near, least = np.empty(people.size, kind), np.empty(people.size, kind)
        kept = Near(near, people.membership.copy(), least, offers)
        people.keep(kept)
        _count(economy, kept)

        def part(start: int, stop: int) -> None:
            these = tuple(column[start:stop] for column in columns(people))
            kernels.least_near(these, offers, graph.indptr[start : stop + 1], least[start:stop])

        if not economy.noise:
            in_parts(people.size, part, PEOPLE // 4)
        return kept
    rows = kernels.switched(people.membership, kept.seen, people.size // TELL)
    if len(rows) * TELL > people.size:
        _count(economy, kept)
    elif len(rows):
        kernels.tell(rows, graph.indptr, graph.indices, people.membership, kept.seen, kept.near)
    return kept


def _count(economy: Economy, kept: Near) -> None:
    """Count the members near everybody."""
    from sim import kernels_network as kernels

    people, graph = economy.population, economy.graph
    assert graph is not None
    members = np.packbits(people.membership, bitorder="little")

    def part(start: int, stop: int) -> None:
        ties, near = graph.indptr[start : stop + 1], kept.near[start:stop]
        kernels.count_near(ties, graph.indices, members, near)

    in_parts(people.size, part, max(1, people.size * TIES // max(1, len(graph.indices))))
    kept.seen[:] = people.membership


# Several collectives --------------------------------------------------------------------------


@dataclass
class NearSeveral:
    """What is kept about a network of people who decide about several collectives.

    Attributes
    ----------
    near : (N,) members of each collective near each person, in one integer …
    seen : (N,) … when membership was this
    answer : (N,) the state that was her best response to who is near her, −1 where not known
    weight : (K+1,) what somebody in each state adds to ``near`` of her neighbours
    rules : dues, eligible, noise: what decisions are made by
    """

    near: NDArray[np.uint32]
    seen: NDArray[np.integer]
    answer: NDArray[np.int8]
    weight: NDArray[np.uint32]
    rules: tuple[Any, ...]


def choices(economy: Economy, rows: Rows | None, uniforms: NDArray[np.float64]) -> NDArray:
    """The states that these people (None: everybody) choose at once among several collectives."""
    from sim import kernels_network_several as kernels
    from sim.revision import by_formula

    people, kept = economy.population, _several_up_to_date(economy)
    who = EVERYBODY if rows is None else rows
    states = np.empty(people.size if rows is None else len(rows), people.membership.dtype)

    def part(start: int, stop: int) -> None:
        kernels.choices(
            start, stop, who, kept.near, people.membership, columns(people), economy.local_table,
            kept.rules, uniforms, kept.answer, states,
        )  # fmt: skip

    in_parts(len(states), part, PEOPLE)
    asked = np.flatnonzero(states == kernels.ASK)
    if len(asked):
        hers = uniforms[asked] if economy.noise else uniforms
        states[asked] = by_formula(economy, asked if rows is None else rows[asked], hers)
    return states


def in_turn(economy: Economy, rows: Rows, uniforms: NDArray[np.float64]) -> int:
    """These people choose one after the other among several collectives; how many moved."""
    from sim import kernels_network_several as kernels
    from sim.revision import by_formula

    people, kept, graph = economy.population, _several_up_to_date(economy), economy.graph
    assert graph is not None
    counts, moved, at, state = np.zeros(len(people.counts) + 1, np.int64), 0, 0, kernels.ASK
    while at < len(rows):
        at, more = kernels.in_turn(
            at, state, rows, kept.near, people.membership, columns(people), economy.local_table,
            kept.rules, uniforms, kept.answer, (graph.indptr, graph.indices), kept.weight, counts,
        )  # fmt: skip
        moved += more
        if at < len(rows):
            state = int(by_formula(economy, rows[at : at + 1], uniforms[at : at + 1])[0])
    kept.seen[:] = people.membership
    people.counts[:] += counts[1:]
    return moved


def _several_up_to_date(economy: Economy) -> NearSeveral:
    """The counts as membership is now, whoever changed it."""
    from sim import kernels_network
    from sim import kernels_network_several as kernels

    people, graph, kept = economy.population, economy.graph, economy.population.compact
    assert graph is not None
    dues, eligible, noise = rules = economy.dues.copy(), economy.eligible, economy.noise
    old = None if kept is None else kept.rules
    if old is None or old[1] is not eligible or old[2] != noise or (old[0] != dues).any():
        kept = NearSeveral(
            np.empty(people.size, np.uint32), people.membership.copy(),
            np.empty(people.size, np.int8), kernels.weights(len(dues)), rules,
        )  # fmt: skip
        people.keep(kept)
        _count_several(economy, kept)
        return kept
    rows = kernels_network.switched(people.membership, kept.seen, people.size // TELL)
    if len(rows) * TELL > people.size:
        _count_several(economy, kept)
    elif len(rows):
        kernels.tell(
            rows, graph.indptr, graph.indices, people.membership, kept.seen, kept.weight,
            kept.near, kept.answer,
        )  # fmt: skip
    return kept


def _count_several(economy: Economy, kept: NearSeveral) -> None:
    """Count the members of each collective near everybody."""
    from sim import kernels_network_several as kernels

    people, graph = economy.population, economy.graph
    assert graph is not None

    def part(start: int, stop: int) -> None:
        ties, near = graph.indptr[start : stop + 1], kept.near[start:stop]
        kernels.count_near(ties, graph.indices, people.membership, kept.weight, near)

    in_parts(people.size, part, max(1, people.size * TIES // max(1, len(graph.indices))))
    kept.seen[:] = people.membership
    kept.answer[:] = kernels.ASK
