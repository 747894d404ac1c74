"""Success under the worst platform that is ε-suboptimal, exactly.

The platform is trained on P as in `bayes`, but deploys the best classifier of some P′
near P, chosen against the collective::

    joint_tv         TV(P, P′) ≤ ε
    conditional_tv   TV(P(·|x), P′(·|x)) ≤ ε at every x

Planting: to undo y* at x the cheapest P′ takes half the margin P(x,y*) − max_{y≠y*}P(x,y) from y*
and gives it to the runner-up. With conditional_tv that can be done wherever the margin is at most
2εP(x); with joint_tv margins of 2ε can be bought in total, a knapsack that is solved exactly.
Erasure: a label can be put on top at x for the price of `price_of_label`. With conditional_tv f(x)
is any label that costs at most εP(x), and the adversary picks one at each g(x) and disagrees with
it wherever she can; with joint_tv it is a mixed-integer programme (`worst_erasure`).

Several collectives each face the classifier that is worst for them: a guarantee, not a forecast.

References
----------
Hardt et al. (2023), definition 2.1 (ε-suboptimal classifiers); theory page, section 2.
"""

from __future__ import annotations

import copy
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from learners.bounds import EpsilonBound, require_suboptimality
from learners.curves import Array
from learners.finite.bayes import BayesPlatform
from learners.finite.plans import Plan
from learners.finite.staircase import TIE
from learners.finite.universe import Ints
from learners.success import Kind, SuccessFunction, require_index, require_simplex

CHUNK = 1 << 20  # entries of the table in memory at a time
STATES = 1 << 17  # of the knapsack before it falls back on its bound


class WorstCase(SuccessFunction):
    """What each collective is left with under the worst ε-suboptimal classifier.

    Parameters
    ----------
    platform : BayesPlatform
    suboptimality : float, ε, in [0, 1); below ½ with conditional_tv
    bound : {"joint_tv", "conditional_tv"}
        How far P′ may be from P.

    Notes
    -----
    A lower bound on the success with any ε-suboptimal classifier, attained by one of them. `at`
    is O(rows·X*·Y) with conditional_tv; joint_tv adds a knapsack per row, which in practice
    takes milliseconds for hundreds of points. Should one need more than 2¹⁷ states (many points of
    exactly the same price per success), its fractional bound stands in: below the exact S by
    less than the weight of one point.
    """

    kind: Kind = "lower_bound"
    sees_people: ClassVar[bool] = True

    def __init__(self, platform: BayesPlatform, suboptimality: float, bound: EpsilonBound) -> None:
        self.suboptimality = require_suboptimality(suboptimality, bound)
        if bound == "hardt2023":
            raise ValueError(
                "bound: got 'hardt2023'; must be 'joint_tv' or 'conditional_tv' (the paper's term "
                "does not say how far P′ may be)"
            )
        for name, plan in zip(platform.collectives, platform.plans, strict=True):
            if plan.kind == "erasure" and not plan.parameters.idempotent:
                raise ValueError(
                    f"{name}: erasure must have g(g(x)) = g(x) for its worst case to be computed"
                )
        self.platform, self.bound = platform, bound
        self.collectives = platform.collectives

    def __repr__(self) -> str:
        return f"WorstCase({self.platform!r}, {self.suboptimality}, {self.bound!r})"

    def at(self, alpha: npt.ArrayLike) -> Array:
        sizes = require_simplex(alpha, self.size)
        rows = sizes.reshape(-1, self.size)
        mix = np.column_stack([np.maximum(1.0 - rows.sum(axis=1), 0.0), rows])
        success = np.zeros_like(rows)
        for k, plan in enumerate(self.platform.plans):
            points = plan.measured
            laws = [plan.universe.base, *(other.law for other in self.platform.plans)]
            flat = np.stack([law[points].ravel() for law in laws])  # (K+1, R·Y)
            step = max(1, CHUNK // flat.shape[1])
            for first in range(0, len(rows), step):
                part = slice(first, first + step)
                table = (mix[part] @ flat).reshape(-1, len(points), laws[0].shape[1])
                success[part, k] = self._worst(plan, points, table)
        success = np.where(rows > 0.0, np.clip(success, 0.0, 1.0), 0.0)
        return success.reshape(sizes.shape)

    def curve(self, k: int = 0) -> None:
        """None: no closed form."""
        require_index("k", k, self.size)

    def draw_people(self, size: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """As `BayesPlatform.draw_people`."""
        return self.platform.draw_people(size, rng)

    def attach(self, points: npt.ArrayLike) -> Self:
        """This platform for people whose cells are given, shape (N,)."""
        attached = copy.copy(self)
        attached.platform = self.platform.attach(points)
        return attached

    def by_membership(self, membership: npt.ArrayLike) -> Array:
        """Success (K,) when P is the law of the attached people's data."""
        sample = self.platform.sample
        if sample is None:
            return super().by_membership(membership)
        counts, members = sample.table(membership)
        points, success = sample.points, np.zeros(self.size)
        for k, plan in enumerate(self.platform.plans):
            table = counts[np.searchsorted(points, plan.measured)] / sample.size
            success[k] = self._worst(plan, plan.measured, table[None])[0]
        return np.where(members > 0, np.clip(success, 0.0, 1.0), 0.0)

    def _worst(self, plan: Plan, points: Ints, table: Array) -> Array:
        """Least success (rows,) for P given at the points measured, (rows, R, Y)."""
        if plan.kind == "erasure":
            if self.bound == "conditional_tv":
                return _erasure(plan, points, table, self.suboptimality)
            from learners.finite.worst_erasure import worst_erasure_joint

            return np.array(
                [worst_erasure_joint(plan, points, t, self.suboptimality) for t in table]
            )
        weights = plan.landing[points]
        margin, top = margins(table, plan.target)
        if self.bound == "conditional_tv":
            holds = margin > 2.0 * self.suboptimality * table.sum(axis=2) + TIE * top
            return holds @ weights
        wins = margin > TIE * top
        budget = 2.0 * self.suboptimality
        return np.array(
            [
                weights[won].sum() - most_value(weights[won], price[won], budget)
                for won, price in zip(wins, margin, strict=True)
            ]
        )


def margins(table: Array, target: int) -> tuple[Array, Array]:
    """P(x,y*) − max_{y≠y*}P(x,y) and max_y P(x,y), of tables (…, R, Y): two arrays (…, R)."""
    rival = np.delete(table, target, axis=-1).max(axis=-1)
    own = table[..., target]
    return own - rival, np.maximum(own, rival)


def most_value(values: Array, prices: Array, budget: float) -> float:
    """The most value that a budget buys of indivisible goods: the knapsack problem, exactly.

    Parameters
    ----------
    values, prices : arrays of shape (n,), ≥ 0
    budget : float, ≥ 0; may be met up to a relative 1e-12

    Notes
    -----
    Goods are taken up in order of value per price. After each one only the bundles are kept that
    no other beats in price and value (Nemhauser & Ullmann 1969) and that could still beat the best
    one known, when the rest of the budget bought fractions of the goods to come.
    """
    budget *= 1.0 + TIE
    fits = prices <= budget
    values, prices = values[fits], prices[fits]
    if values.size == 0 or prices.sum() <= budget:
        return float(values.sum())
    with np.errstate(divide="ignore"):
        rate = np.where(prices > 0.0, values / np.maximum(prices, 1e-300), np.inf)
    order = np.argsort(-rate, kind="stable")
    values, prices, rate = values[order], prices[order], np.append(rate[order], 0.0)
    worth, cost = (np.concatenate([[0.0], np.cumsum(goods)]) for goods in (values, prices))
    price, value, best = np.zeros(1), np.zeros(1), 0.0
    for i in range(len(values)):
        room = budget - price
        reach = np.searchsorted(cost, cost[i] + room, side="right") - 1  # goods i … reach−1 fit
        whole = value + worth[reach] - worth[i]
        best = max(best, float(whole.max()))
        at_most = whole + (room - (cost[reach] - cost[i])) * np.minimum(rate[reach], 1e300)
        hopeful = at_most > best + 1e-15
        if not hopeful.any():
            break
        if np.count_nonzero(hopeful) > STATES:
            return float(at_most.max())
        price, value = _undominated(price[hopeful], value[hopeful], prices[i], values[i], budget)
    return max(best, float(value.max()))


def _undominated(
    price: Array, value: Array, extra: float, gain: float, budget: float
) -> tuple[Array, Array]:
    """Bundles without and with one more good, those left out that cost more for no more value."""
    room = price + extra <= budget
    price = np.concatenate([price, price[room] + extra])
    value = np.concatenate([value, value[room] + gain])
    order = np.lexsort((-value, price))
    price, value = price[order], value[order]
    before = np.concatenate([[-1.0], np.maximum.accumulate(value)[:-1]])
    return price[value > before], value[value > before]


def price_of_label(table: Array) -> Array:
    """Least mass to move at x so that y is best there, shape (…, Y) for tables (…, Y).

    The root t of Σ_y′ (P(x,y′) − P(x,y) − t)₊ = t: all labels above a common level hand their
    excess to y. With j labels above it is (their sum − j·P(x,y))/(j+1); the true j gives the most.
    """
    ranked = -np.sort(-table, axis=-1)
    j = np.arange(1, table.shape[-1] + 1)
    above = np.cumsum(ranked, axis=-1)[..., None, :] - j * table[..., :, None]  # (…, Y, j)
    return np.maximum((above / (j + 1)).max(axis=-1), 0.0)


def _erasure(plan: Plan, points: Ints, table: Array, suboptimality: float) -> Array:
    """Worst erasure (rows,) with conditional_tv, for tables (rows, R, Y)."""
    mass = table.sum(axis=2, keepdims=True)
    limit = suboptimality * mass + TIE * table.max(axis=2, keepdims=True)
    possible = price_of_label(table) <= limit  # labels that f(x) can take, (rows, R, Y)
    here = np.searchsorted(points, plan.moved)
    home, there = np.unique(np.searchsorted(points, plan.signal[plan.moved]), return_inverse=True)
    other = possible[:, here].sum(axis=2, keepdims=True) - possible[:, here] > 0  # not y, somehow
    loss = np.zeros((len(table), len(home), table.shape[2]))
    weights = plan.universe.mass[plan.moved][:, None]
    for row, disagree in zip(loss, other, strict=True):
        np.add.at(row, there, disagree * weights)
    return 1.0 - np.where(possible[:, home], loss, 0.0).max(axis=2).sum(axis=1)
