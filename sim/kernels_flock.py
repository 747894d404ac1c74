"""Compiled loops behind :mod:`sim.flock`: what people do in one epoch, in many economies in turn.

Each function walks the economies ``live`` (L,) and gives back, for each of them, how many people
moved; memberships and counts are changed in place. No randomness of their own, one thread. The
choice of one person is the one of :mod:`sim.kernels`.

Arguments shared by all:

``people``     the columns, as rows of tables that economies share: a tuple (cost, free_riding,
               group, group_of); economy e has groups ``group[group_of[e]]``. Costs and free-riding
               factors are tuples (x, of, at, scale): hers are at[e] + scale[e]·x[of[e]]
``membership`` (E, N), ``counts`` (E, K)
``rules``      a tuple (dues (E, K), eligible (E, G+1, K), noise (E,))
``join``, ``forgo``  (L, K+1, K), see :class:`sim.payoffs.Offers`
``world``      (E,) which of the random worlds, a row of ``who`` and ``uniforms``, is whose
``who``        (worlds, n) who revises, in order; (worlds, 0) for everybody
``uniforms``   (worlds, n) one per reviser; (worlds, 0) for best response
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.kernels import _best, _one, _pick, _recount, sequential_one
from sim.kernels_compiled import njit

# Log odds outside of these are rare and leave the choice to the formula: near u = 1 its
# 1 + exp(d/η) rounds, and uniforms below 2⁻⁵³ nobody draws (but 0).
LOW_ODDS, HIGH_ODDS = -15.0, 37.0
DOUBT = np.int8(2)
BLOCK = 1024  # people in a loop whose counters are narrow, so that it does many at a time


def log_odds(uniforms: NDArray[np.float64]) -> NDArray[np.float32]:
    """ln(1/u − 1), wrong by less than 2⁻¹⁵ in float32; NaN where the formula must decide."""
    with np.errstate(divide="ignore", over="ignore"):
        odds = np.log((1 / uniforms - 1).astype(np.float32))
    if odds.min() < LOW_ODDS or odds.max() > HIGH_ODDS:
        odds[(odds < LOW_ODDS) | (odds > HIGH_ODDS)] = np.nan
    return odds


@njit(cache=True, inline="always")
def _column(quantity, e, out):
    """Costs or free-riding factors of economy e, written to ``out``."""
    x, of, at, scale = quantity
    row, low, width = x[of[e]], at[e], scale[e]
    for i in range(out.size):
        out[i] = low + width * row[i]
    return out


@njit(cache=True)
def everybody_chooses(
    live, people, rough, membership, counts, rules, join, forgo, world, uniforms, odds
):  # fmt: skip
    """Choice of everybody at once about one collective that everybody may join.

    Best response (η = 0) joins if d > 0. In logit joining has probability 1/(1 + exp(−d/η)), so a
    person with uniform u joins if d − η ln(1/u − 1) is not negative: no exponential per person and
    economy. The loop computes that in float32, from the tables ``rough`` of c and γ and from
    ``odds`` (worlds, N), see :func:`log_odds` (0 for best response). Who is nearer to 0 than the
    rounding is *in doubt* and asked by the formula in float64, so that nobody's choice changes.

    With v = 2⁻²⁴, costs a + sx, b = S − due − a and f the S that γ is multiplied with, all is off
    by less than v(3|b| + 12|f| + 6|sx| + 3·37η) + 2⁻¹⁵η, two thirds of what is allowed here.
    """
    (_, cost_of, at, width), (_, free_riding_of, low, span) = people[0], people[1]
    moved = np.zeros(live.size, np.int64)
    for a in range(live.size):
        e = live[a]
        m, bars = membership[e], odds[world[e]]
        c, f = rough[0][cost_of[e]], rough[1][free_riding_of[e]]
        due, noise, j0, j1 = rules[0][e, 0], rules[2][e], join[a, 0, 0], join[a, 1, 0]
        b0, b1 = np.float32(j0 - due - at[e]), np.float32(j1 - due - at[e])
        f0, f1 = np.float32(forgo[a, 0, 0]), np.float32(forgo[a, 1, 0])
        numbers = (b0, b1, f0, f1, np.float32(width[e]), np.float32(low[e]), np.float32(span[e]))
        most = max(abs(j0), abs(j1)) + max(abs(f0), abs(f1)) + abs(due) + abs(at[e])
        slack = 2.0**-14 * noise + 2.0**-20 * most + 1e-30  # below it float32 is no float any more
        if noise != 0.0 and not 1e-30 < noise < 1e30:
            slack = np.inf
        some, changes, members = _choose_roughly(
            m, c, f, bars, numbers, np.float32(noise), np.float32(slack)
        )
        if some & DOUBT:
            changes, members = _settle(
                m, people, e, join[a], forgo[a], due, noise, uniforms[world[e]], changes, members
            )
        moved[a], counts[e, 0] = changes, members
    return moved


@njit(cache=True, fastmath={"contract"})
def _choose_roughly(mine, costs, factors, odds, numbers, noise, slack):
    """Without branches, in narrow counters; who is in doubt keeps her state and gets a mark."""
    b0, b1, f0, f1, width, low, span = numbers
    some, changes, members = np.int8(0), np.int64(0), np.int64(0)
    for start in range(0, mine.size, BLOCK):
        m, c = mine[start : start + BLOCK], costs[start : start + BLOCK]
        f, bar = factors[start : start + BLOCK], odds[start : start + BLOCK]
        here, inside = np.int16(0), np.int16(0)
        for i in range(m.size):
            was, cost, factor = m[i], width * c[i], low + span * f[i]
            gap = (b1 if was else b0) - factor * (f1 if was else f0) - cost - noise * bar[i]
            allowed = slack + np.float32(2.0**-20) * abs(cost)
            joins, leaves = gap > allowed, gap < -allowed
            now = np.int8(1) if joins else (np.int8(0) if leaves else np.int8(was | DOUBT))
            some = np.int8(some | now)
            inside = np.int16(inside + np.int16(now))
            here = np.int16(here + np.int16(now ^ was))
            m[i] = now
        changes += np.int64(here)
        members += np.int64(inside)
    return some, changes, members


@njit(cache=True, fastmath=False)  # said, for who is compiled for a caller has her flags
def _settle(m, people, e, join, forgo, due, noise, uniforms, changes, members):
    """Let those in doubt choose by the formula; gives back the corrected numbers."""
    (x, of, at, width), (y, row, low, span) = people[0], people[1]
    c, f = x[of[e]], y[row[e]]
    for i in range(m.size):
        if m[i] & DOUBT:
            was = np.int64(m[i] & np.int8(1))
            cost, factor = at[e] + width[e] * c[i], low[e] + span[e] * f[i]
            d = join[was, 0] - factor * forgo[was, 0] - cost - due
            now = np.int64(_one(d, np.int8(was), noise, uniforms[i] if noise > 0.0 else 0.0))
            changes += (now ^ was) - np.int64(DOUBT)
            members += now - np.int64(m[i])
            m[i] = now
    return changes, members


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
            _recount(counts, was, now)
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
    cost, free_riding, group, group_of = people
    dues, eligible, noise = rules
    c, f = np.empty(membership.shape[1]), np.empty(membership.shape[1])
    everybody = who.shape[1] == 0
    moved = np.zeros(live.size, np.int64)
    for a in range(live.size):
        e = live[a]
        mine = (
            membership[e], counts[e], _column(cost, e, c), _column(free_riding, e, f),
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
    cost, free_riding, group, group_of = people
    dues, eligible, noise = rules
    c, f = np.empty(membership.shape[1]), np.empty(membership.shape[1])
    moved = np.zeros(live.size, np.int64)
    for a in range(live.size):
        e = live[a]
        before = membership[e].copy()
        counts[e, 0] = sequential_one(
            who[world[e]], _column(cost, e, c), _column(free_riding, e, f), group[group_of[e]],
            membership[e], curves[curve_of[e]][counts[e, 0]], curves[curve_of[e]], pivotal,
            counts[e, 0], dues[e], eligible[e], noise[e], uniforms[world[e]],
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
    cost, free_riding, group, group_of = people
    dues, eligible, _ = rules
    c, f = np.empty(membership.shape[1]), np.empty(membership.shape[1])
    wants = np.zeros(live.size, np.bool_)
    for a in range(live.size):
        e = live[a]
        wants[a] = _one_wants(
            membership[e], _column(cost, e, c), _column(free_riding, e, f), group[group_of[e]],
            join[a], forgo[a], dues[e], eligible[e],
        )  # fmt: skip
    return wants


@njit(cache=True)
def utilities(live, people, membership, dues, success, total):
    """(L, N) realised utility, see :func:`sim.payoffs.utility`; total (L,) is S over all k."""
    cost, free_riding, _, _ = people
    u, alone = np.empty((live.size, membership.shape[1])), success.shape[1] == 1
    c, f = np.empty(membership.shape[1]), np.empty(membership.shape[1])
    for a in range(live.size):
        e = live[a]
        c, f = _column(cost, e, c), _column(free_riding, e, f)
        m, mine, first, due = membership[e], u[a], success[a, 0], dues[e, 0]
        for i in range(m.size if alone else 0):
            own, paid = (first, c[i] + due) if m[i] else (0.0, 0.0)
            mine[i] = own - paid + f[i] * (total[a] - own)
        for i in range(0 if alone else m.size):
            own = success[a, m[i] - 1] if m[i] else 0.0
            paid = c[i] + dues[e, m[i] - 1] if m[i] else 0.0
            mine[i] = own - paid + f[i] * (total[a] - own)
    return u
