"""Simultaneous choice about one collective on a network, by counts of members kept per person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.compact import EVERYBODY, Rows, columns, uniforms

if TYPE_CHECKING:
    from sim.model import Economy

TELL = 8  # neighbours are told where fewer than one in so many switched, else all are counted


@dataclass
class Near:
    """What is kept about a network of people who decide about one collective.

    Attributes
    ----------
    near : (N,) members among the neighbours of each person …
    seen : (N,) … when membership was this
    marks : (N,) all zero
    ask : who has not answered to what is near her now; None: everybody
    counted : whether ``near`` is up to date, or all are to be counted before it is read
    due, eligible : what decisions were made by
    """

    near: NDArray[np.int32]
    seen: NDArray[np.integer]
    marks: NDArray[np.uint8]
    ask: Rows | None
    due: float
    eligible: NDArray[np.bool_]
    counted: bool = False


def on_network(economy: Economy) -> int | None:
    """Everybody chooses at once about one collective, by the members among her neighbours.

    A best response asks those only for whom something has changed since they were asked: a member
    more or less near them, or their own state. Gives back how many moved, None if not for here.
    """
    from sim import kernels_network as kernels

    people, graph, protocol = economy.population, economy.graph, economy.scenario.revision.protocol
    if graph is None or len(economy.collectives) > 1 or protocol == "imitation":
        return None
    kept = people.compact
    if kept is None or kept.due != economy.dues[0] or kept.eligible is not economy.eligible:
        kept = Near(
            np.empty(people.size, np.int32), people.membership.copy(),
            np.zeros(people.size, np.uint8), None, float(economy.dues[0]), economy.eligible,
        )  # fmt: skip
        people.keep(kept)
    if kept.counted:
        _look_around(economy, kept)  # somebody may have been moved by hand
    if not kept.counted:
        _count(economy, kept)
    ask = kept.ask if protocol == "best_response" else None
    if ask is not None and not len(ask):
        return 0
    moved, more = kernels.respond(
        EVERYBODY if ask is None else ask, kept.near, *columns(people), people.membership,
        graph.indptr, *economy.local_curve, economy.dues, economy.eligible, economy.noise,
        uniforms(economy, people.size),
    )  # fmt: skip
    people.counts[0] += more
    kept.ask = EVERYBODY
    _look_around(economy, kept)
    return moved


def _look_around(economy: Economy, kept: Near) -> None:
    """Bring the members near each person up to date, and who is to be asked."""
    from sim import kernels_network as kernels

    people, graph = economy.population, economy.graph
    assert graph is not None
    rows = kernels.switched(people.membership, kept.seen)
    if TELL * len(rows) >= people.size:
        kept.counted = False
    elif len(rows):
        touched = kernels.tell(
            rows, graph.indptr, graph.indices, people.membership, kept.seen, kept.near, kept.marks
        )
        if kept.ask is not None:
            kept.ask = np.concatenate([kept.ask, touched])


def _count(economy: Economy, kept: Near) -> None:
    """Count the members near everybody; everybody is to be asked."""
    from sim import kernels_network as kernels

    people, graph = economy.population, economy.graph
    assert graph is not None
    members = np.packbits(people.membership, bitorder="little")
    kernels.count_near(graph.indptr, graph.indices, members, kept.near)
    kept.seen[:] = people.membership
    kept.ask, kept.counted = None, True
