"""The worst classifier for erasure within joint total variation, as a mixed-integer programme.

The adversary moves mass d of at most ε in total so that P′ = P + d⁺ − d⁻, and f(x) must be a best
label of P′ at x. What she wants is that f(x) ≠ f(g(x)) for as many people as can be. A label of
g(x) that makes some disagree may make others agree, so this is no knapsack.
"""

from __future__ import annotations

import numpy as np

from learners.curves import Array
from learners.errors import NoSolutionError
from learners.finite.plans import Plan
from learners.finite.universe import Ints

MOST_POINTS = 60  # a branch-and-bound search beyond this is a matter of luck


def worst_erasure_joint(plan: Plan, points: Ints, table: Array, suboptimality: float) -> float:
    """Least Pr_{x~P₀}{f(x) = f(g(x))} over f optimal for some P′ with TV(P, P′) ≤ ε.

    Parameters
    ----------
    plan : of an erasure
    points : (R,) integers, the points measured
    table : (R, Y), P there
    suboptimality : ε

    Raises
    ------
    NoSolutionError
        More than 60 points are involved; use conditional_tv, or fewer features.

    Notes
    -----
    Solved by HiGHS without a gap; its feasibility tolerance means that ε is met within about 1e-7
    of the largest entry of P.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    if len(points) > MOST_POINTS:
        raise NoSolutionError(
            f"bound: joint_tv for erasure is solved for at most {MOST_POINTS} points, got "
            f"{len(points)}; use conditional_tv, or a universe with fewer features"
        )
    scale = float(table.max())
    rows, low, high = _programme(plan, points, table / scale, suboptimality / scale)
    cells, moved = table.size, len(plan.moved)
    cost = np.concatenate([np.zeros(3 * cells), plan.universe.mass[plan.moved]])
    upper = np.concatenate(
        [np.full(cells, np.inf), (table / scale).ravel(), np.ones(cells + moved)]
    )
    whole = np.concatenate([np.zeros(2 * cells), np.ones(cells), np.zeros(moved)])
    solution = milp(
        cost,
        integrality=whole,
        bounds=Bounds(np.zeros(len(cost)), upper),
        constraints=LinearConstraint(rows, low, high),
        options={"mip_rel_gap": 0.0},
    )
    if solution.x is None:
        raise NoSolutionError(f"bound: the worst erasure was not found: {solution.message}")
    still = 1.0 - float(plan.universe.mass[plan.moved].sum())
    return still + float(solution.fun)


def _programme(plan: Plan, points: Ints, table: Array, budget: float) -> tuple[Array, Array, Array]:
    """Constraints low ≤ A·v ≤ high on v = (d⁺, d⁻, f, agree), each d and f of shape R·Y.

    f[x, y] = 1 where y is the label, one per point, and only where P′(x, y) is a highest entry;
    agree ≥ f[x, y] + f[g(x), y] − 1 for every moved x; Σd⁺ ≤ ε and Σd⁻ ≤ ε.
    """
    R, Y = table.shape
    here, there = (np.searchsorted(points, x) for x in (plan.moved, plan.signal[plan.moved]))
    size = 3 * R * Y + len(here)
    rows: list[Array] = []
    low: list[float] = []
    high: list[float] = []

    def add(entries: dict[int, float], least: float, most: float) -> None:
        row = np.zeros(size)
        row[list(entries)] = list(entries.values())
        rows.append(row)
        low.append(least)
        high.append(most)

    up, down, label, agree = 0, R * Y, 2 * R * Y, 3 * R * Y
    add({up + i: 1.0 for i in range(R * Y)}, 0.0, budget)
    add({down + i: 1.0 for i in range(R * Y)}, 0.0, budget)
    for x in range(R):
        add({label + x * Y + y: 1.0 for y in range(Y)}, 1.0, 1.0)
        for y in range(Y):
            for rival in set(range(Y)) - {y}:  # P′(x, rival) − P′(x, y) ≤ big·(1 − f[x, y])
                i, j = x * Y + y, x * Y + rival
                big = table[x, rival] + budget  # more than P′(x, rival) can be ahead
                entries = {up + j: 1.0, down + j: -1.0, up + i: -1.0, down + i: 1.0, label + i: big}
                add(entries, -np.inf, big + table[x, y] - table[x, rival])
    for m, (x, z) in enumerate(zip(here, there, strict=True)):
        for y in range(Y):
            add({label + x * Y + y: 1.0, label + z * Y + y: 1.0, agree + m: -1.0}, -np.inf, 1.0)
    return np.stack(rows), np.array(low), np.array(high)
