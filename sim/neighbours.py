"""Choice about one collective on a network, by counts of members that are kept per person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.compact import Rows, columns
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
    """Whether these counts are all there is to the economy's choices."""
    return (
        economy.graph is not None
        and len(economy.collectives) == 1
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
