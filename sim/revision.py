"""Revision protocols: how the chosen people choose again, once per epoch.

best response   takes the best collective if it gains her anything, else none (ties: stay).
logit           takes each option with probability ∝ exp(d/η), d = 0 outside.
imitation       looks at one other person drawn at random (on a network: one neighbour) and copies
                her collective with probability min(1, [u_other − u_own]₊), where u is realised
                utility (pairwise proportional imitation, Schlag 1998).

*Simultaneous* people all see the same published success; *sequential* ones revise one at a time in
random order, success renewed after each. A share ρ means round(ρN) people, at least one, drawn
without replacement. On a network a person sees, in place of the published success, the success
at the membership share among her neighbours (0 without neighbours).

The numpy functions here are the reference; where a population is large the model hands the same
decision to :mod:`sim.kernels`, on a network to :mod:`sim.neighbours`, or a whole epoch to
:mod:`sim.compact`.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from learners.several import SeveralBound
from sim import compact, neighbours, own_rules
from sim.payoffs import Offers, choose, gain, gain_of_one, logit_probabilities, offers

if TYPE_CHECKING:
    from sim.model import Economy

Rows = NDArray[np.integer]
States = NDArray[np.integer]


def revise(economy: Economy) -> int:
    """Let the epoch's revisers choose; returns how many people moved."""
    sequential = economy.scenario.revision.activation == "sequential"
    if economy.compiled and not economy.has_own_steps:
        count = how_many(economy.scenario.revision.rate, economy.population.size)
        moved = compact.revise(economy, count, ordered=sequential)
        if moved is not None:
            if sequential:
                economy.publish()
            return moved
    rows = revisers(economy, ordered=sequential)
    if economy.has_own_steps:
        return own_rules.step_in_turn(economy, rows, renewed=sequential)
    if sequential:
        return _one_at_a_time(economy, np.arange(economy.population.size) if rows is None else rows)
    if economy.compiled and neighbours.fits(economy):
        count = economy.population.size if rows is None else len(rows)
        return neighbours.revise(economy, rows, _uniforms(economy, count))
    return economy.population.assign(rows, decide(economy, rows))


def revisers(economy: Economy, *, ordered: bool) -> Rows | None:
    """Who revises in this epoch: rows, in random order if ``ordered``; None for everybody.

    People whom the principal has under contract do not revise.
    """
    people, rng = economy.population, economy.streams.activation
    count = how_many(economy.scenario.revision.rate, people.size)
    free = None if people.signed is None else np.flatnonzero(~people.signed)
    if count == people.size and not ordered:
        return free
    if not ordered and compact.by_coin(economy, count):
        chosen: Rows = np.flatnonzero(compact.drawn(economy, count).view(np.bool_))
    elif compact.draws(economy):
        chosen = compact.rows_at_random(economy, count)
    elif count == people.size:
        chosen = _random_order(economy, people.size)
    else:
        chosen = rng.choice(people.size, count, replace=False, shuffle=ordered)
    return chosen if people.signed is None else chosen[~people.signed[chosen]]


def how_many(rate: float, size: int) -> int:
    """People who revise in an epoch: the nearest whole number to ρN, at least one."""
    return max(1, floor(rate * size + 0.5))


def _random_order(economy: Economy, size: int) -> Rows:
    uniforms = economy.streams.activation.random(size)
    if economy.compiled_sequential:
        from sim import kernels

        return kernels.shuffled(uniforms)
    order = np.arange(size, dtype=np.int32)
    for i in range(size - 1, 0, -1):  # Fisher and Yates, as the kernel does it
        j = int(uniforms[i] * (i + 1))
        order[i], order[j] = order[j], order[i]
    return order


# What people see ------------------------------------------------------------------------------


def current_offers(economy: Economy) -> Offers:
    """The offers (K+1, K) that everybody in one state sees alike: without a network, or where
    everybody knows everybody else."""
    people = economy.population
    if economy.network_kind == "complete":
        states = np.eye(len(people.counts) + 1, len(people.counts), -1, dtype=np.int64)
        others = np.maximum(people.counts - states, 0)  # a member does not count herself
        # Where everybody is a member nobody reads the outsiders' row, which would add up to N.
        most = np.maximum(others.sum(axis=1, keepdims=True), max(people.size - 1, 1))
        seen = economy.success.at(others / most)
        return Offers(seen, seen)
    pivotal = economy.scenario.revision.decides == "pivotal"
    published = None if pivotal else economy.published
    return offers(economy.success, people.counts, people.size, published=published)


def local_success(economy: Economy, rows: Rows) -> NDArray[np.float64]:
    """(n, K) success at the membership shares among each person's neighbours."""
    graph, membership = economy.graph, economy.population.membership
    assert graph is not None
    k, starts = len(economy.collectives), graph.indptr[rows]
    degree = graph.indptr[rows + 1] - starts  # graph.degree would be everybody's
    if economy.compiled:
        from sim import kernels

        near = kernels.count_near(rows, graph.indptr, graph.indices, membership, k)
    else:
        whose = np.repeat(np.arange(len(rows)), degree)
        edge = np.arange(degree.sum()) - np.repeat(np.cumsum(degree) - degree - starts, degree)
        state = membership[graph.indices[edge]].astype(np.int64)
        near = np.bincount(whose * (k + 1) + state, minlength=len(rows) * (k + 1))
        near = near.reshape(len(rows), k + 1)[:, 1:]
    return economy.success.at(near / np.maximum(degree, 1)[:, None])


def gains(economy: Economy, rows: Rows) -> NDArray[np.float64]:
    """(n, K) what each of these people gains by joining each collective; −∞ where she may not."""
    people = economy.population
    cost, free_riding = people.cost[rows, None], people.free_riding[rows, None]
    if economy.graph is not None:
        s_in = s_out = local_success(economy, rows)
    else:
        table = current_offers(economy)
        states = people.membership[rows]
        s_in, s_out = table.join[states], table.forgo[states]
    d = gain(s_in, s_out, cost, free_riding, economy.dues)
    return np.where(economy.eligible[people.group[rows]], d, -np.inf)


def gains_of_one(economy: Economy, row: int) -> list[float]:
    """:func:`gains` of one person; in Python's numbers where all see the published success."""
    if economy.network_kind is not None or economy.scenario.revision.decides == "pivotal":
        return gains(economy, np.array([row]))[0].tolist()
    columns, success = economy.columns, economy.published_by_name.values()
    own = columns.cost[row], columns.free_riding[row]
    d = [gain_of_one(s, *own, due) for s, due in zip(success, economy.dues.tolist(), strict=True)]
    if len(columns.to) == len(columns.names):
        return d
    may = economy.eligible[economy.population.group[row]].tolist()
    return [each if ok else -np.inf for each, ok in zip(d, may, strict=True)]


# How they choose ------------------------------------------------------------------------------


def decide(economy: Economy, rows: Rows | None) -> States:
    """The states that the given people (None: everybody) choose at once; nothing is changed."""
    if economy.has_own_decisions:
        return economy.own_decisions(rows)
    protocol = economy.scenario.revision.protocol
    if protocol == "imitation":
        return _imitate(economy, _explicit(economy, rows))
    count = economy.population.size if rows is None else len(rows)
    uniforms = _uniforms(economy, count)
    if economy.compiled and count:
        fast = _decide_compiled(economy, rows, uniforms)
        if fast is not None:
            return fast
    return by_formula(economy, _explicit(economy, rows), uniforms)


def by_formula(economy: Economy, rows: Rows, uniforms: NDArray[np.float64]) -> States:
    """The best responses of these people at once, or their logit choices, in numpy."""
    d = gains(economy, rows)
    if economy.scenario.revision.protocol == "logit":
        return _draw(d, economy.noise, uniforms)
    return choose(d, economy.population.membership[rows])


def _explicit(economy: Economy, rows: Rows | None) -> Rows:
    return np.arange(economy.population.size) if rows is None else rows


def _uniforms(economy: Economy, count: int) -> NDArray[np.float64]:
    """(count,) one uniform for each logit choice; none for a best response."""
    if economy.scenario.revision.protocol != "logit":
        return np.empty(0)
    return compact.uniforms(economy, count)


def _draw(d: NDArray[np.float64], noise: float, uniforms: NDArray[np.float64]) -> States:
    """Logit choice: the option into whose share of [0, 1) the uniform falls."""
    edges = np.cumsum(logit_probabilities(d, noise), axis=1)[:, :-1]
    states = (uniforms[:, None] >= edges).sum(axis=1)
    # A uniform beyond the last edge by rounding must not land on somebody else's collective.
    last = d.shape[1] - np.isfinite(d[:, ::-1]).argmax(axis=1)
    return np.minimum(states, np.where(np.isfinite(d).any(axis=1), last, 0))


def _decide_compiled(
    economy: Economy, rows: Rows | None, uniforms: NDArray[np.float64]
) -> States | None:
    """:func:`decide` by a kernel; None where there is none for the case."""
    from sim import kernels

    people, who = economy.population, compact.EVERYBODY if rows is None else rows
    columns = (people.cost, people.free_riding, people.group, people.membership)
    rules = (economy.dues, economy.eligible, economy.noise, uniforms)
    if economy.graph is not None:
        if neighbours.fits_several(economy):
            return neighbours.choices(economy, rows, uniforms)
        alone = rows is None and not economy.noise and neighbours.fits(economy)
        return neighbours.wanted(economy) if alone else None
    join, forgo = current_offers(economy)
    if rows is None and len(economy.collectives) == 1 and economy.eligible.all():
        return kernels.respond_one(
            people.cost, people.free_riding, people.membership, join, forgo, economy.dues,
            economy.noise, uniforms,
        )  # fmt: skip
    return kernels.respond(who, *columns, join, forgo, *rules)


# One at a time --------------------------------------------------------------------------------


def _one_at_a_time(economy: Economy, rows: Rows) -> int:
    """Sequential revision in the given order; the economy's success is renewed after each move."""
    if economy.has_own_decisions:
        return own_rules.decide_in_turn(economy, rows)
    protocol = economy.scenario.revision.protocol
    if protocol == "imitation":
        return _imitate_in_turn(economy, rows)
    uniforms = _uniforms(economy, len(rows))
    as_measured = economy.graph is not None or not economy.measures_itself
    if economy.compiled_sequential and len(economy.collectives) == 1 and as_measured:
        return _one_at_a_time_compiled(economy, rows, uniforms)
    if economy.compiled_sequential and economy.graph is None:
        return _switch_by_switch(economy, rows, uniforms)
    if economy.compiled_sequential and neighbours.fits_several(economy):
        moved = neighbours.in_turn(economy, rows, uniforms)
        economy.publish()
        return moved
    moved = 0
    for t in range(len(rows)):
        state = by_formula(economy, rows[t : t + 1], uniforms[t : t + 1])[0]
        moved += _move(economy, rows[t], state)
    return moved


def _move(economy: Economy, row: int, state: int) -> bool:
    if economy.population.membership[row] == state:
        return False
    economy.population.join(int(row), int(state))
    economy.publish()
    return True


def _one_at_a_time_compiled(economy: Economy, rows: Rows, uniforms: NDArray[np.float64]) -> int:
    """One collective, with success looked up in a table of all counts."""
    from sim import kernels, sweeps

    if economy.compiled and (moved := sweeps.in_order(economy, rows)) is not None:
        economy.publish()
        return moved
    if economy.graph is not None:
        moved = neighbours.revise(economy, rows, uniforms, in_turn=True)
        economy.publish()
        return moved
    people = economy.population
    before = people.membership.copy()
    pivotal = economy.scenario.revision.decides == "pivotal"
    kernels.sequential_one(
        rows, people.cost, people.free_riding, people.group, people.membership,
        economy.published[0], economy.count_curve, pivotal, int(people.counts[0]), economy.dues,
        economy.eligible, economy.noise, uniforms,
    )  # fmt: skip
    people.recount()
    economy.publish()
    return int(np.count_nonzero(before != people.membership))


def _switch_by_switch(economy: Economy, rows: Rows, uniforms: NDArray[np.float64]) -> int:
    """Several collectives: find the next one who moves, move her, renew the offers, go on."""
    from sim import kernels

    people, moved, start = economy.population, 0, 0
    if _renewable(economy):
        return _by_closed_form(economy, rows, uniforms)
    while start < len(rows):
        at, state = kernels.next_switch(
            start, rows, people.cost, people.free_riding, people.group, people.membership,
            *current_offers(economy), economy.dues, economy.eligible, economy.noise, uniforms,
        )  # fmt: skip
        if at < 0:
            break
        moved += _move(economy, rows[at], state)
        start = at + 1
    return moved


def _renewable(economy: Economy) -> bool:
    """Whether a compiled loop can say what success a move leads to."""
    if economy.success.sees_people or economy.network_kind is not None or economy.measures_itself:
        return False
    # From eight on numpy adds up in another order.
    return len(economy.dues) == 1 or (
        isinstance(economy.success, SeveralBound) and len(economy.dues) < 8
    )


def _by_closed_form(economy: Economy, rows: Rows, uniforms: NDArray[np.float64]) -> int:
    """The same in one loop, which renews the success itself."""
    from sim import kernels_several

    people, pivotal = economy.population, economy.scenario.revision.decides == "pivotal"
    rules = (*(table.copy() for table in current_offers(economy)), economy.dues, economy.eligible)
    moved = kernels_several.in_turn(
        rows, compact.columns(people), people.membership, people.counts, _terms(economy), pivotal,
        rules, economy.noise, uniforms,
    )  # fmt: skip
    if moved:
        economy.publish()
    return moved


def _terms(economy: Economy) -> tuple[NDArray[np.float64], ...]:
    """Of the closed form, for a compiled loop; empty where there is but one collective."""
    if isinstance(economy.success, SeveralBound):
        return economy.success.terms
    return np.empty(0), np.empty((0, 0)), np.empty(0), np.empty(0)


# Imitation ------------------------------------------------------------------------------------


def _imitate(economy: Economy, rows: Rows) -> States:
    """Each reviser meets one other person and copies her with probability min(1, [u′ − u]₊)."""
    people, rng = economy.population, economy.streams.revision
    met, known = _meet(economy, rows)
    coin = rng.random(len(rows))
    better = economy.utilities(met) - economy.utilities(rows)
    states = people.membership[met]
    may = _open_states(economy)
    copies = known & (coin < better) & may[people.group[rows], states]
    return np.where(copies, states, people.membership[rows])


def _imitate_in_turn(economy: Economy, rows: Rows) -> int:
    """:func:`_imitate` of one after the other, in a compiled loop if it can; how many moved."""
    if not (economy.compiled_sequential and _renewable(economy)):
        return sum(_move(economy, row, _imitate(economy, np.array([row]))[0]) for row in rows)
    from sim import kernels_imitation

    people, success = economy.population, economy.published.copy()
    curve = economy.count_curve if len(economy.dues) == 1 else np.empty(0)
    moved = kernels_imitation.in_turn(
        rows, economy.streams.revision.random((len(rows), 2)), compact.columns(people),
        people.membership, people.counts, success, curve, _terms(economy), economy.dues,
        _open_states(economy),
    )  # fmt: skip
    if moved:
        economy.publish()
    return moved


def _meet(economy: Economy, rows: Rows) -> tuple[Rows, NDArray[np.bool_]]:
    """Whom each of them meets, and whether there is anybody to meet."""
    size, graph = economy.population.size, economy.graph
    uniforms = economy.streams.revision.random(len(rows))
    if graph is None:
        other = (uniforms * (size - 1)).astype(np.int64)
        return np.where(other >= rows, other + 1, other) % size, np.full(len(rows), size > 1)
    degree = graph.indptr[rows + 1] - graph.indptr[rows]
    edge = graph.indptr[rows] + (uniforms * degree).astype(np.int64)
    return graph.indices[np.minimum(edge, len(graph.indices) - 1)], degree > 0


def _open_states(economy: Economy) -> NDArray[np.bool_]:
    """(G+1, K+1) which states each group may be in; outside is open to all."""
    return np.concatenate([np.ones((len(economy.eligible), 1), bool), economy.eligible], axis=1)


def could_imitate(economy: Economy) -> bool:
    """Whether anybody could copy somebody: there is one who fares better in a state open to her.

    On a network the better-off one may be nobody's neighbour; then this errs towards yes.
    """
    people = economy.population
    rows = np.arange(people.size)
    fares = economy.utilities(rows)
    may = _open_states(economy)
    for state in range(len(people.counts) + 1):
        inside = people.membership == state
        if inside.any():
            envies = (fares < fares[inside].max()) & ~inside & may[people.group, state]
            if envies.any():
                return True
    return False
