"""The mean-field path: how the participating shares move when the population is infinite.

    simultaneous   α_{t+1} = (1−ρ)α_t + ρF(S(α_t))
    sequential     within the epoch, time s from 0 to 1:  α′(s) = ρ(F(S(α(s))) − α_t)

for best response and logit: the share ρ revises once in an epoch, either seeing what was published
at its start, or one after the other in random order, success renewed after each. Imitators copy a
random other person with probability min(1, [u_other − u_own]₊). With ``retrain_every`` > 1 the
published success is stale between; *pivotal* people, and those who look at everybody else (a
complete network), reckon with the sizes as they are, and so with S as it would be now.

Who is a member counts where people imitate or are indifferent and stay as they are. There, and
wherever every type is listed, people are followed type by type, else by the participation map F.
A path of N people stays within O(1/√N) of this one for any fixed number of epochs, as long as it
does not come upon a tipping point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.laws import TypeTable, type_table
from analysis.participation import ParticipationMap, participation_map
from analysis.within_epoch import from_jump_to_jump, runge_kutta
from sim.payoffs import gain, logit_probabilities
from sim.scenario import Scenario

Floats = NDArray[np.float64]
State = Floats  # (J, K+1) shares of the population by type and membership, column 0 outside
Pull = Callable[[State, Floats, State], State]

MAX_TYPES = 20_000
FEW_TYPES = 500  # whose every change of mind in a sequential epoch is timed


class MeanField(Protocol):
    """How the infinite population of a scenario moves; its state is opaque to others."""

    start: Floats

    def sizes(self, state: Floats) -> Floats:
        """(K,) α of a state."""

    def success(self, state: Floats) -> Floats:
        """(K,) S of a state."""

    def seen(self, state: Floats, published: Floats) -> Floats:
        """(K,) success by which people decide in this state, where this one is published."""

    def after(self, state: Floats, published: Floats) -> Floats:
        """The state one epoch later, if this success is published at its start."""


def mean_field(
    scenario: Scenario, start: Mapping[str, float] | None = None, *, nodes: int = 400
) -> MeanField:
    """The dynamics of a scenario's infinite population; arguments as for `mean_field_path`."""
    network = scenario.population.network
    if network is not None and network.kind != "complete":
        raise ValueError("mean field: people on a network do not see the published success")
    if scenario.principal is not None:
        raise ValueError("mean field: a principal's payments depend on who is a member")
    pmap = participation_map(scenario)
    sizes = np.array([float(c.start) for c in scenario.collectives.values()])
    for name, size in (start or {}).items():
        if name not in scenario.names:
            raise ValueError(f"start: got {name!r}; must be one of {', '.join(scenario.names)}")
        sizes[scenario.names.index(name)] = size
    if scenario.revision.protocol == "imitation" or pmap.stepwise or _listed(pmap):
        return ByType(pmap, scenario, type_table(pmap.classes, nodes), sizes)
    return BySize(pmap, scenario, sizes)


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
    field, every = mean_field(scenario, start, nodes=nodes), scenario.platform.retrain_every
    count, k = scenario.epochs if epochs is None else int(epochs), len(scenario.names)
    state, published = field.start, field.success(field.start)
    path = [(field.sizes(state), published)]
    for epoch in range(count):
        if epoch % every == 0:
            published = path[-1][1]
        then = field.after(state, published)
        path.append((field.sizes(then), field.success(then)))
        if every == 1 and np.array_equal(then, state):
            break
        state = then
    path += [path[-1]] * (count + 1 - len(path))  # it came to rest before the end
    table = np.clip(np.array(path), 0.0, 1.0)  # (T+1, 2, K)
    return pd.DataFrame(
        {
            "epoch": np.repeat(np.arange(count + 1), k),
            "collective": np.tile(np.array(scenario.names, dtype=object), count + 1),
            "alpha": table[:, 0].ravel(),
            "success": table[:, 1].ravel(),
        }
    )


def _listed(pmap: ParticipationMap) -> bool:
    laws = [law for c in pmap.classes for law in (c.cost, c.free_riding)]
    types = [len(a[0]) if (a := law.atoms()) is not None else MAX_TYPES + 1 for law in laws]
    return max(types) <= MAX_TYPES


# ── by the participation map ─────────────────────────────────────────────────────────────────


class BySize:
    """The mean field whose state is the sizes α (K,): nobody is indifferent, F says it all."""

    def __init__(self, pmap: ParticipationMap, scenario: Scenario, sizes: Floats) -> None:
        self.pmap, self.rules, self.start = pmap, scenario.revision, sizes
        self.look_themselves = _look_themselves(scenario)

    def sizes(self, state: Floats) -> Floats:
        return state

    def success(self, state: Floats) -> Floats:
        return self.pmap.success.at(state)

    def seen(self, state: Floats, published: Floats) -> Floats:
        return self.success(state) if self.look_themselves else published

    def after(self, state: Floats, published: Floats) -> Floats:
        if self.rules.activation == "sequential":
            return self.within(state)[-1]
        rate = self.rules.rate
        return (1 - rate) * state + rate * self.pmap.share_at(self.seen(state, published))

    def within(self, state: Floats) -> Floats:
        """(SUBSTEPS + 1, K) sizes in the course of a sequential epoch."""
        return np.array(runge_kutta(partial(_drift, self.pmap, self.rules.rate, state), state))


def _look_themselves(scenario: Scenario) -> bool:
    """Whether people reckon with the sizes as they are, however old the published success is."""
    return scenario.revision.decides == "pivotal" or scenario.population.network is not None


def _drift(pmap: ParticipationMap, rate: float, was: Floats, alpha: Floats) -> Floats:
    return rate * (pmap.at(alpha) - was)


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


class ByType:
    """The mean field whose state (J, K+1) are the shares of each type and membership."""

    def __init__(
        self, pmap: ParticipationMap, scenario: Scenario, people: TypeTable, sizes: Floats
    ) -> None:
        self.pmap, self.rules, self.people = pmap, scenario.revision, people
        self.look_themselves = _look_themselves(scenario)
        self.start: State = _spread(people, sizes)
        imitating = self.rules.protocol == "imitation"
        self.pull = _imitating(people, pmap.dues) if imitating else _choosing(pmap, people)

    def sizes(self, state: State) -> Floats:
        return _sizes(state)

    def success(self, state: State) -> Floats:
        return self.pmap.success.at(np.clip(_sizes(state), 0.0, 1.0))

    def seen(self, state: State, published: Floats) -> Floats:
        return self.success(state) if self.look_themselves else published

    def after(self, state: State, published: Floats) -> State:
        if self.rules.activation != "sequential":
            chosen = self.pull(state, self.seen(state, published), state)
            return state + self.rules.rate * (chosen - state)

        def slope(now: State) -> State:
            return self.rules.rate * (self.pull(state, self.success(now), now) - state)

        if self.rules.protocol == "best_response" and len(state) <= FEW_TYPES:
            return from_jump_to_jump(slope, state, most=10 * len(state))
        return runge_kutta(slope, state)[-1]


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


def utilities(people: TypeTable, success: Floats, dues: Sequence[float]) -> Floats:
    """(J, K+1) realised utility by type and membership: S_k − c − dues_k + γΣ_{j≠k} S_j."""
    bonus = np.concatenate([[0.0], success])  # (K+1,)
    fee = np.concatenate([[0.0], dues])
    pays = np.concatenate([[0.0], np.ones(len(success))]) * people.cost[:, None] + fee
    riding = people.free_riding[:, None] * (success.sum() - bonus)
    return bonus - pays + riding


def _imitating(people: TypeTable, dues: Sequence[float]) -> Pull:
    """Pairwise proportional imitation of a random other person's membership."""
    options = np.concatenate([np.ones((len(people.cost), 1), bool), people.eligible], axis=1)

    def pull(state: State, success: Floats, now: State) -> State:
        utility = utilities(people, success, dues)
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
