"""Compiled loops behind :mod:`sim.flock`: what people do in one epoch, in many economies in turn.

Each function walks the economies ``live`` (L,) and gives back, for each of them, how many people
moved; memberships and counts are changed in place. No randomness of their own, one thread. The
choice of one person is the one of :mod:`sim.kernels`. (Numba does not see changes there: whoever
changes it touches this file too, or the compiled loops here remain what they were.)

Arguments shared by all:

``people``     the columns, as rows of tables that economies share: a tuple (cost, free_riding,
               group, cost_of, free_riding_of, group_of); economy e has costs ``cost[cost_of[e]]``
``membership`` (E, N), ``counts`` (E, K)
``rules``      a tuple (dues (E, K), eligible (E, G+1, K), noise (E,))
``join``, ``forgo``  (L, K+1, K), see :class:`sim.payoffs.Offers`
``world``      (E,) which of the random worlds, a row of ``who`` and ``uniforms``, is whose
``who``        (worlds, n) who revises, in order; (worlds, 0) for everybody
``uniforms``   (worlds, n) one per reviser; (worlds, 0) for best response
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sim.kernels import _best, _logit, _one, sequential_one

# Logit's closed form and its comparison of uniforms agree but for rounding. It is used where the
# two sides differ by more than NEAR, and where no uniform is so near 1 that 1 + exp(d/η) rounds.
NEAR = 1e-6
FAR_OUT = -15.0


@njit(cache=True)
def everybody_responds(live, people, membership, counts, rules, join, forgo):
    """Best response of everybody at once to one collective that everybody may join."""
    cost, free_riding, _, cost_of, free_riding_of, _ = people
    moved = np.zeros(live.size, np.int64)
    for a in range(live.size):
        e = live[a]
        c, f, m = cost[cost_of[e]], free_riding[free_riding_of[e]], membership[e]
        j0, j1, f0, f1 = join[a, 0, 0], join[a, 1, 0], forgo[a, 0, 0], forgo[a, 1, 0]
        due = rules[0][e, 0]
        changes, members = np.int32(0), np.int32(0)
        for i in range(m.size):
            was = m[i]
            d = (j1 if was else j0) - f[i] * (f1 if was else f0) - c[i] - due
            now = np.int8(d > 0.0) | (np.int8(d == 0.0) & was)
            changes += np.int32(now ^ was)
            members += np.int32(now)
            m[i] = now
        moved[a], counts[e, 0] = changes, members
    return moved


@njit(cache=True)
def everybody_draws(live, people, membership, counts, rules, join, forgo, world, uniforms, odds):
    """Logit choice of everybody at once about one collective that everybody may join.

    Joining has probability 1/(1 + exp(−d/η)), so a person with uniform u joins if
    d/η ≥ ln(1/u − 1), which is ``odds`` (worlds, N): no exponential per person and economy.
    """
    cost, free_riding, _, cost_of, free_riding_of, _ = people
    moved = np.zeros(live.size, np.int64)
    for a in range(live.size):
        e = live[a]
        c, f, m = cost[cost_of[e]], free_riding[free_riding_of[e]], membership[e]
        j0, j1, f0, f1 = join[a, 0, 0], join[a, 1, 0], forgo[a, 0, 0], forgo[a, 1, 0]
        due, noise, bar = rules[0][e, 0], rules[2][e], odds[world[e]]
        close = np.int32(0)
        for i in range(m.size):
            d = (j1 if m[i] else j0) - f[i] * (f1 if m[i] else f0) - c[i] - due
            gap = d / noise - bar[i]
            close += np.int32((abs(gap) < NEAR) | (bar[i] < FAR_OUT) | (bar[i] > 600.0))
        changes, members = np.int32(0), np.int32(0)
        u = uniforms[world[e]]
        for i in range(m.size):
            was = m[i]
            d = (j1 if was else j0) - f[i] * (f1 if was else f0) - c[i] - due
            now = _one(d, was, noise, u[i]) if close else np.int8(d / noise >= bar[i])
            changes += np.int32(now ^ was)
            members += np.int32(now)
            m[i] = now
        moved[a], counts[e, 0] = changes, members
    return moved


@njit(cache=True, inline="always")
def _pick(i, m, g, cost, free_riding, join, forgo, dues, eligible, noise, uniform):
    if noise > 0.0:
        return _logit(i, m, g, cost, free_riding, join, forgo, dues, eligible, noise, uniform)
    return _best(i, m, g, cost, free_riding, join, forgo, dues, eligible)


@njit(cache=True)
def _revise(
    m, counts, c, f, g, join, forgo, dues, eligible, noise, everybody, who, uniforms
):  # fmt: skip
    """The revisers of one economy choose at once; changes ``m`` and ``counts``."""
    moved = 0
    for t in range(m.size if everybody else who.size):
        i = np.int64(t if everybody else who[t])
        was, uniform = m[i], uniforms[t] if noise > 0.0 else 0.0
        now = _pick(i, was, g[i], c, f, join, forgo, dues, eligible, noise, uniform)
        if now != was:
            moved += 1
            if was:
                counts[was - 1] -= 1
            if now:
                counts[now - 1] += 1
            m[i] = now
    return moved


@njit(cache=True)
def _revise_one(
    m, counts, c, f, g, join, forgo, dues, eligible, noise, everybody, who, uniforms
):  # fmt: skip
    """:func:`_revise` for a single collective."""
    j0, j1, f0, f1, due = join[0, 0], join[1, 0], forgo[0, 0], forgo[1, 0], dues[0]
    moved, more = 0, 0
    for t in range(m.size if everybody else who.size):
        i = np.int64(t if everybody else who[t])
        was = m[i]
        if not eligible[g[i], 0]:
            continue
        d = (j1 if was else j0) - f[i] * (f1 if was else f0) - c[i] - due
        now = _one(d, was, noise, uniforms[t] if noise > 0.0 else 0.0)
        moved += now ^ was
        more += now - was
        m[i] = now
    counts[0] += more
    return moved


@njit(cache=True)
def revisers_respond(
    live, people, membership, counts, rules, join, forgo, world, who, uniforms
):  # fmt: skip
    """The revisers choose at once, all seeing the same offers: any rule, any collectives."""
    cost, free_riding, group, cost_of, free_riding_of, group_of = people
    dues, eligible, noise = rules
    everybody = who.shape[1] == 0
    moved = np.zeros(live.size, np.int64)
    for a in range(live.size):
        e = live[a]
        mine = (
            membership[e], counts[e], cost[cost_of[e]], free_riding[free_riding_of[e]],
            group[group_of[e]], join[a], forgo[a], dues[e], eligible[e], noise[e], everybody,
            who[world[e]], uniforms[world[e]],
        )  # fmt: skip
        moved[a] = _revise_one(*mine) if counts.shape[1] == 1 else _revise(*mine)
    return moved


@njit(cache=True)
def revisers_in_turn(
    live, people, membership, counts, rules, curves, curve_of, pivotal, world, who, uniforms
):  # fmt: skip
    """One collective, the revisers one at a time in order, success renewed after each.

    ``curves[curve_of[e]]`` is S at 0, 1, … N members, the last value twice.
    """
    cost, free_riding, group, cost_of, free_riding_of, group_of = people
    dues, eligible, noise = rules
    moved = np.zeros(live.size, np.int64)
    for a in range(live.size):
        e = live[a]
        before = membership[e].copy()
        counts[e, 0] = sequential_one(
            who[world[e]], cost[cost_of[e]], free_riding[free_riding_of[e]], group[group_of[e]],
            membership[e], curves[curve_of[e]], pivotal, counts[e, 0], dues[e], eligible[e],
            noise[e], uniforms[world[e]],
        )  # fmt: skip
        for i in range(before.size):
            moved[a] += before[i] != membership[e, i]
    return moved


@njit(cache=True)
def _one_wants(m, c, f, g, join, forgo, dues, eligible):
    for i in range(m.size):
        if _best(i, m[i], g[i], c, f, join, forgo, dues, eligible) != m[i]:
            return True
    return False


@njit(cache=True)
def somebody_wants(live, people, membership, rules, join, forgo):
    """(L,) whether anybody, a reviser or not, has a better response than what she does."""
    cost, free_riding, group, cost_of, free_riding_of, group_of = people
    dues, eligible, _ = rules
    wants = np.zeros(live.size, np.bool_)
    for a in range(live.size):
        e = live[a]
        wants[a] = _one_wants(
            membership[e], cost[cost_of[e]], free_riding[free_riding_of[e]], group[group_of[e]],
            join[a], forgo[a], dues[e], eligible[e],
        )  # fmt: skip
    return wants


@njit(cache=True)
def utilities(live, people, membership, dues, success, total):
    """(L, N) realised utility, see :func:`sim.payoffs.utility`; total (L,) is S over all k."""
    cost, free_riding, _, cost_of, free_riding_of, _ = people
    u = np.empty((live.size, membership.shape[1]))
    for a in range(live.size):
        e = live[a]
        c, f = cost[cost_of[e]], free_riding[free_riding_of[e]]
        for i in range(u.shape[1]):
            m = membership[e, i]
            own = success[a, m - 1] if m else 0.0
            paid = c[i] + dues[e, m - 1] if m else 0.0
            u[a, i] = own - paid + f[i] * (total[a] - own)
    return u
