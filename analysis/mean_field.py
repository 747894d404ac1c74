"""The mean-field path: how the participating shares move when the population is infinite.

    simultaneous   α_{t+1} = (1−ρ)α_t + ρF(S(α_t))
    sequential     within the epoch, time s from 0 to 1:  α′(s) = ρ(F(S(α(s))) − α_t)

for best response and logit: the share ρ revises once in an epoch, either seeing what was published
at its start, or one after the other in random order, success renewed after each. Imitators copy a
random other person with probability min(1, [u_other − u_own]₊). With ``retrain_every`` > 1 the
published success is stale between.

Who is a member counts where people imitate or are indifferent and stay as they are. There, and
wherever every type is listed, people are followed type by type, else by the participation map F.
A path of N people stays within O(1/√N) of this one for any fixed number of epochs, as long as it
does not come upon a tipping point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.laws import TypeTable, type_table
from analysis.participation import ParticipationMap, participation_map
from sim.payoffs import gain, logit_probabilities
from sim.scenario import Scenario

Floats = NDArray[np.float64]
State = Floats  # (J, K+1) shares of the population by type and membership, column 0 outside
Pull = Callable[[State, Floats, State], State]

SUBSTEPS = 50  # of a sequential epoch
MAX_TYPES = 20_000


def mean_field_path(
    scenario: Scenario,
    epochs: int | None = None,
    start: Mapping[str, float] | None = None,
    *,
    nodes: int = 400,
) -> pd.DataFrame:
    """The path of α and S of the infinite population.

    Parameters
    ----------
    scenario : without a network (but the complete one) and without a principal
    epochs : by default the scenario's
    start : size of each collective at epoch 0; by default the scenario's starts. Those who are
        members then are a random sample of those who may be.
    nodes : types per class that stand for continuous laws where people are followed type by type

    Returns
    -------
    DataFrame with the columns epoch, collective, alpha, success; epochs 0 … T

    Raises
    ------
    ValueError
        On a network, or with a principal: there is no mean field for these.
    """
    network = scenario.population.network
    if network is not None and network.kind != "complete":
        raise ValueError("mean field: people on a network do not see the published success")
    if scenario.principal is not None:
        raise ValueError("mean field: a principal's payments depend on who is a member")
    pmap = participation_map(scenario)
    count = scenario.epochs if epochs is None else int(epochs)
    sizes = np.array([float(c.start) for c in scenario.collectives.values()])
    for name, size in (start or {}).items():
        if name not in scenario.names:
            raise ValueError(f"start: got {name!r}; must be one of {', '.join(scenario.names)}")
        sizes[scenario.names.index(name)] = size
    if scenario.revision.protocol == "imitation" or pmap.stepwise or _listed(pmap):
        people = type_table(pmap.classes, nodes)
        shares = _path_of_types(pmap, scenario, people, _spread(people, sizes), count)
    else:
        shares = _path_of_shares(pmap, scenario, sizes, count)
    success = pmap.success.at(shares)
    names = np.tile(np.array(scenario.names, dtype=object), count + 1)
    return pd.DataFrame(
        {
            "epoch": np.repeat(np.arange(count + 1), pmap.size),
            "collective": names,
            "alpha": shares.ravel(),
            "success": success.ravel(),
        }
    )


def _listed(pmap: ParticipationMap) -> bool:
    laws = [law for c in pmap.classes for law in (c.cost, c.free_riding)]
    types = [len(a[0]) if (a := law.atoms()) is not None else MAX_TYPES + 1 for law in laws]
    return max(types) <= MAX_TYPES


def _fixed(shares: list, count: int) -> Floats:
    """The path, its last row repeated where it came to rest before the end."""
    path = np.array(shares)
    rest = np.broadcast_to(path[-1], (count + 1 - len(path), *path.shape[1:]))
    return np.clip(np.concatenate([path, rest]), 0.0, 1.0)


# ── by the participation map ─────────────────────────────────────────────────────────────────


def _path_of_shares(
    pmap: ParticipationMap, scenario: Scenario, alpha: Floats, count: int
) -> Floats:
    rules, every = scenario.revision, scenario.platform.retrain_every
    path = [alpha]
    published = pmap.success.at(alpha)
    for epoch in range(count):
        if epoch % every == 0:
            published = pmap.success.at(alpha)
        if rules.activation == "sequential":
            then = _sequential(partial(_drift, pmap, rules.rate, alpha), alpha)
        else:
            then = (1 - rules.rate) * alpha + rules.rate * pmap.share_at(published)
        path.append(then)
        if every == 1 and np.array_equal(then, alpha):
            break
        alpha = then
    return _fixed(path, count)


def _drift(pmap: ParticipationMap, rate: float, was: Floats, alpha: Floats) -> Floats:
    return rate * (pmap.at(alpha) - was)


def _sequential(slope: Callable[[Floats], Floats], start: Floats) -> Floats:
    """α(1) of α′ = slope(α), α(0) = start, by Runge and Kutta's fourth-order rule.

    The error is O(SUBSTEPS⁻⁴), and a step's worth of each jump of the slope that is crossed.
    """
    alpha, step = start, 1.0 / SUBSTEPS
    for _ in range(SUBSTEPS):
        first = slope(alpha)
        second = slope(alpha + 0.5 * step * first)
        third = slope(alpha + 0.5 * step * second)
        fourth = slope(alpha + step * third)
        alpha = alpha + step / 6.0 * (first + 2.0 * second + 2.0 * third + fourth)
    return alpha


# ── type by type ─────────────────────────────────────────────────────────────────────────────


def _spread(people: TypeTable, sizes: Floats) -> State:
    """Members at the start: a random sample of those who may join and are in no earlier one."""
    state = np.zeros((len(people.weight), len(sizes) + 1))
    state[:, 0] = people.weight
    for k, size in enumerate(sizes):
        free = state[:, 0] * people.eligible[:, k]
        if size > free.sum() + 1e-9:
            raise ValueError(f"start: got {size}; at most {free.sum():.6g} of the people may join")
        taken = free * (min(1.0, size / free.sum()) if size > 0 else 0.0)
        state[:, k + 1] = taken
        state[:, 0] -= taken
    return state


def _path_of_types(
    pmap: ParticipationMap, scenario: Scenario, people: TypeTable, state: State, count: int
) -> Floats:
    rules, every = scenario.revision, scenario.platform.retrain_every
    dues = np.array(pmap.dues)
    pull = _imitating(people, dues) if rules.protocol == "imitation" else _choosing(pmap, people)

    def at(state: State) -> Floats:
        return pmap.success.at(np.clip(_sizes(state), 0.0, 1.0))

    path = [_sizes(state)]
    published = at(state)
    for epoch in range(count):
        if epoch % every == 0:
            published = at(state)
        if rules.activation == "sequential":
            was = state

            def slope(x: State, was: State = was) -> State:
                return rules.rate * (pull(was, at(x), x) - was)

            then = _sequential(slope, was)
        else:
            then = state + rules.rate * (pull(state, published, state) - state)
        path.append(_sizes(then))
        if every == 1 and np.array_equal(then, state):
            break
        state = then
    return _fixed(path, count)


def _sizes(state: State) -> Floats:
    sizes = state[:, 1:].sum(axis=0)
    return sizes / max(1.0, float(sizes.sum()))


def _choosing(pmap: ParticipationMap, people: TypeTable) -> Pull:
    """Best response or logit of everybody in ``state`` at the given success."""
    dues = np.array(pmap.dues)

    def pull(state: State, success: Floats, now: State) -> State:
        d = gain(success, success, people.cost[:, None], people.free_riding[:, None], dues)
        d = np.where(people.eligible, d, -np.inf)  # (J, K)
        if pmap.protocol == "logit":
            return people.weight[:, None] * logit_probabilities(d, pmap.noise)
        values = np.concatenate([np.zeros((len(d), 1)), d], axis=1)  # (J, K+1)
        best = values == values.max(axis=1, keepdims=True)
        stay = state * best  # in a tie people stay as they are
        stay[np.arange(len(d)), best.argmax(axis=1)] += (state * ~best).sum(axis=1)
        return stay

    return pull


def _imitating(people: TypeTable, dues: Floats) -> Pull:
    """Pairwise proportional imitation of a random other person's membership."""
    options = np.concatenate([np.ones((len(people.cost), 1), bool), people.eligible], axis=1)

    def pull(state: State, success: Floats, now: State) -> State:
        bonus = np.concatenate([[0.0], success])  # (K+1,)
        fee = np.concatenate([[0.0], dues])
        pays = np.concatenate([[0.0], np.ones(len(success))]) * people.cost[:, None] + fee
        riding = people.free_riding[:, None] * (success.sum() - bonus)
        utility = bonus - pays + riding  # (J, K+1), realised by type and membership
        then = state.copy()
        for k in range(state.shape[1]):
            # E[min(1, (u′ − u)₊)] over those met who are in k, for everybody who meets them
            excess = _mean_excess(utility[:, k], now[:, k])
            copies = excess(utility) - excess(utility + 1.0)  # (J, K+1)
            copies *= options[:, [k]]
            copies[:, k] = 0.0
            moved = state * copies
            then -= moved
            then[:, k] += moved.sum(axis=1)
        return then

    return pull


def _mean_excess(values: Floats, weights: Floats) -> Callable[[Floats], Floats]:
    """u ↦ Σ w (v − u)₊, by sorted sums."""
    order = np.argsort(values)
    v, w = values[order], weights[order]
    above = np.concatenate([np.cumsum(w[::-1])[::-1], [0.0]])
    worth = np.concatenate([np.cumsum((w * v)[::-1])[::-1], [0.0]])

    def excess(u: Floats) -> Floats:
        i = np.searchsorted(v, u, side="right")
        return np.maximum(worth[i] - u * above[i], 0.0)

    return excess
