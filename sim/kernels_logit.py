"""Logit choices of everybody at once: float32 where it cannot matter, float64 where it might.

A person chooses as by the float64 formula in :mod:`sim.kernels` at one uniform u with 53 bits,
u = (h + tail)/2¹⁶. The *head* h, 16 bits, is a quarter of a SplitMix64 number (that of row // 4)
and nearly always decides, with columns of c and γ in float32. Else she is *in doubt*: the tail is
drawn and the formula is asked. So no probability is approximated, and what anybody chooses does not
depend on the slice of people she is in (slices begin at multiples of four rows).

One collective: she joins if u(1 + E) ≥ 1, E = exp(d/η). The loop knows E up to a factor e^±δ, so
h(1 + E) ≥ 2¹⁶e^δ says yes for sure and (h + 1)(1 + E) < 2¹⁶e^−δ no. Several: she weighs outside,
z₀ = c, against z_k = S_k − γS_k − due_k; with E_j = exp((z_j − max z)/η), T their sum and e_j the
sum of the first ones, she is past option j if uT ≥ e_j. Ratios e_j/T are known up to e^±2δ.

Why δ = 2⁻¹⁴ + 2⁻²¹(B + F)/η does, where d = b − γf − c, b = S − due, B = max|S| + max|due|, and f
is the S that γ is multiplied with, F = max|f|. Let v = 2⁻²⁴. Rounding b, f, γ and c to float32 and
every step move d by at most v(2B + 5F + 3|d|), since |c| ≤ B + F + |d|; scaling by log₂e/η adds
2v|d|. The part without d is less than 2⁻²¹(B + F), the rest less than 2⁻¹⁶η for |d| ≤ 32η.
``_power`` is wrong by less than 2⁻¹⁸ of itself, sums and products by less than 2⁻¹⁷, the formula in
float64 by next to nothing of all this. Beyond 32η her E may be wrong by more, and it does not
matter: the true E and the rough one are then so large or small that any h from 1 to 65,534 decides
alike with both, and the other two are in doubt or right. So costs may be cut off at ``FAR``,
exponents at ±100. Where δ would be large (η below some 10⁻⁶) or η is beyond all measure, everybody
is in doubt.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.kernels import _exp, _logit
from sim.kernels_chance import GOLDEN, bits, mixed
from sim.kernels_compiled import njit
from sim.kernels_several import add_members, masks

BLOCK = 1024  # people looked at before those in doubt among them are asked
FAR = 1e30
ROUND = np.float32(1.5 * 2**23)  # who is added to a small number rounds it to an integer
ONE, DOUBT = np.float32(1.0), np.int8(2)


@njit(cache=True)
def rough(cost, free_riding, group, closed):
    """(N,) float32 columns of c and γ; c is ``FAR`` for who never joins (``closed`` (G+1,))."""
    c, factor = np.empty(cost.size, np.float32), np.empty(cost.size, np.float32)
    for i in range(cost.size):
        c[i] = FAR if closed[group[i]] else max(-FAR, min(cost[i], FAR))
        factor[i] = free_riding[i]
    return c, factor


@njit(cache=True, inline="always")
def _power(x):
    """2^x for |x| ≤ 110 in float32, wrong by less than 2⁻¹⁸ of it."""
    y = np.float32(x + ROUND)  # its last bits are the nearest integer
    r = x - (y - ROUND)
    p = np.float32(0.0095701)
    p = p * r + np.float32(0.05591786)
    p = p * r + np.float32(0.24024745)
    p = p * r + np.float32(0.69312181)
    p = np.float32(p * r + np.float32(0.99999926))
    return np.int32(p.view(np.int32) + (y.view(np.int32) << np.int32(23))).view(np.float32)


@njit(cache=True, inline="always")
def _heads(words, key, quarter):
    """Fill ``words`` with the numbers from this one on: four heads each, in order of rows."""
    counter = key + quarter * GOLDEN
    for i in range(words.size):
        words[i] = mixed(counter)
        counter += GOLDEN


@njit(cache=True, inline="always")
def uniform_of(head, key, row):
    """The uniform of this row with all its 53 bits."""
    tail = bits(~key, np.uint64(row)) >> np.uint64(27)
    return np.float64(np.int64((np.uint64(head) << np.uint64(37)) | tail)) * 2.0**-53


def bounds(noise: float, *terms: NDArray) -> tuple[float, float, float]:
    """log₂e/η, and 2¹⁶e^±δ: what is sure above and below (∞ and 0: nothing is)."""
    delta = 2.0**-14 + 2.0**-21 * sum(np.abs(term).max() for term in terms) / noise
    if not (1e-20 < noise < 1e20 and delta < 0.5):
        return 1.0, np.inf, 0.0
    return 1.4426950408889634 / noise, 65536.0 * np.exp(delta), 65536.0 * np.exp(-delta)


def logit(
    people: tuple[NDArray, ...], columns: tuple[NDArray, ...], membership: NDArray,
    rules: tuple[Any, ...], noise: float, key: np.uint64, first: int = 0,
    chosen: NDArray[np.uint8] | None = None,
) -> tuple[int, NDArray[np.int64]]:  # fmt: skip
    """Everybody's choice at once, or that of the chosen; writes ``membership``.

    Parameters
    ----------
    people : cost, free_riding, group of these people
    columns : what :func:`rough` makes of them
    rules : join, forgo, dues, eligible; of several collectives the same for people in all states
        and :func:`sim.kernels_several.few` of them
    first : the row of the first of these people, a multiple of four
    chosen : 1 for who chooses, 0 for who stays as she is

    Returns
    -------
    How many moved, and (K,) how many are members.
    """
    join, forgo, dues, eligible = rules
    who = (people, columns, membership, rules, float(noise), key, first, chosen)
    scale, above, below = bounds(noise, join, forgo, dues)
    if len(dues) == 1:
        base, factor = join[:, 0] - dues[0], forgo[:, 0]
        numbers = singles(base[0], factor[0], scale, -100.0 / scale, 100.0 / scale, above, below)
        alike = base[0] == base[1] and factor[0] == factor[1]
        inside = None if alike else singles(base[1], factor[1])
        moved, members = _choose_one(*who, numbers, inside)
        return moved, np.array([members])
    base, factor = join[0] - dues, forgo[0]
    sure = singles(scale, above**2 / 65536.0, below**2 / 65536.0)
    counts = np.zeros(len(dues), np.int64)
    moved = _choose_several(
        *who, sure, singles(*base), singles(*factor), masks(eligible), counts
    )  # fmt: skip
    return moved, counts


def singles(*numbers: float) -> tuple[np.float32, ...]:
    """Each of them rounded."""
    return tuple(np.float32(number) for number in numbers)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _choose_one(people, columns, membership, rules, noise, key, first, chosen, numbers, inside):
    """Without branches, in narrow counters, so that it does many people at a time.

    ``inside`` is the first two of the ``numbers`` as members see them, where that is not the same.
    """
    base, factor, scale, least, most, above, below = numbers
    moved, count = np.int64(0), np.int64(0)
    words, doubt = np.empty(BLOCK // 4, np.uint64), np.empty(BLOCK + 1, np.int64)
    heads = words.view(np.uint16)
    for start in range(0, membership.size, BLOCK):
        c, f = columns[0][start : start + BLOCK], columns[1][start : start + BLOCK]
        m = membership[start : start + BLOCK]
        if chosen is not None:
            may = chosen[start : start + BLOCK]
        _heads(words, key, np.uint64((first + start) // 4))
        changes, members, some = np.int16(0), np.int16(0), np.int8(0)
        for i in range(m.size):
            was = m[i]
            if inside is None:
                x = base - c[i] - f[i] * factor
            else:
                x = (inside[0] if was else base) - c[i] - f[i] * (inside[1] if was else factor)
            x = x if x > least else least
            x = x if x < most else most
            total, head = ONE + _power(x * scale), np.float32(heads[i])
            joins, leaves = head * total >= above, head * total + total < below
            now = np.int8(1) if joins else (np.int8(0) if leaves else np.int8(was | DOUBT))
            if chosen is not None:
                now = now if may[i] else was
            some = np.int8(some | now)
            members = np.int16(members + np.int16(now))
            changes = np.int16(changes + np.int16(now ^ was))
            m[i] = now
        moved += np.int64(changes)
        count += np.int64(members)
        if some & DOUBT:
            found = np.int64(0)
            for i in range(m.size):
                doubt[found] = i
                found += np.int64(m[i] >> np.int8(1))
            for i in doubt[:found]:
                u = uniform_of(heads[i], key, first + start + i)
                now = _exactly_one(start + i, np.int64(m[i] & np.int8(1)), people, rules, noise, u)
                moved += np.int64(now != m[i] & np.int8(1)) - 2
                count += np.int64(now) - np.int64(m[i])
                m[i] = now
    return moved, count


@njit(cache=True, fastmath=False)  # not as in the loops that call it
def _exactly_one(i, was, people, rules, noise, uniform):
    cost, free_riding, group = people
    join, forgo, dues, eligible = rules
    if not eligible[group[i], 0]:
        return np.int8(0)
    d = join[was, 0] - free_riding[i] * forgo[was, 0] - cost[i] - dues[0]
    return np.int8(uniform * (1.0 + _exp(d / noise)) >= 1.0)


@njit(cache=True, inline="always")
def _value(k, factor_of_her, group, base, factor, open_to):
    """b − γf of collective k, and next to nothing where she may not join."""
    may = (open_to[k] >> np.uint64(group)) & np.uint64(1)
    return base[k] - factor_of_her * factor[k] if may else np.float32(-FAR)


@njit(cache=True, inline="always")
def _weight(difference, scale):
    x = difference * scale
    return _power(x if x > np.float32(-100.0) else np.float32(-100.0))


@njit(cache=True, nogil=True, fastmath={"contract"})
def _choose_several(
    people, columns, membership, rules, noise, key, first, chosen, sure, base, factor, open_to,
    counts,
):  # fmt: skip
    """Offers are tuples: their loops are unrolled, and equal terms in them computed only once."""
    scale, above, below = sure
    moved, kind = np.int64(0), membership.dtype.type
    words, unsure = np.empty(BLOCK // 4, np.uint64), np.empty(BLOCK, np.int8)
    heads, pick = words.view(np.uint16), np.empty(BLOCK, membership.dtype)
    for start in range(0, membership.size, BLOCK):
        c, f = columns[0][start : start + BLOCK], columns[1][start : start + BLOCK]
        g, m = people[2][start : start + BLOCK], membership[start : start + BLOCK]
        if chosen is not None:
            may = chosen[start : start + BLOCK]
        _heads(words, key, np.uint64((first + start) // 4))
        some = np.int8(0)
        for i in range(m.size):
            top = c[i]
            for k in range(len(base)):
                z = _value(k, f[i], g[i], base, factor, open_to)
                top = z if z > top else top
            total = _weight(c[i] - top, scale)
            edge = total
            for k in range(len(base)):
                z = _value(k, f[i], g[i], base, factor, open_to)
                total = total + _weight(z - top, scale)
            part, now, doubt = np.float32(heads[i]) * total, kind(0), np.int8(0)
            for k in range(len(base)):
                past, before = part >= above * edge, part + total < below * edge
                now = kind(now + kind(past))
                doubt = np.int8(doubt | np.int8(not (past | before)))
                z = _value(k, f[i], g[i], base, factor, open_to)
                edge = edge + _weight(z - top, scale)
            if chosen is not None:
                now, doubt = now if may[i] else m[i], doubt if may[i] else np.int8(0)
            pick[i], unsure[i], some = now, doubt, np.int8(some | doubt)
        if some:
            for i in range(m.size):
                if unsure[i]:
                    u = uniform_of(heads[i], key, first + start + i)
                    pick[i] = _exactly(start + i, m[i], people, rules, noise, u)
        changes = np.int16(0)
        for i in range(m.size):
            changes = np.int16(changes + np.int16(pick[i] != m[i]))
            m[i] = pick[i]
        moved += np.int64(changes)
        add_members(m, counts)
    return moved


@njit(cache=True, fastmath=False)
def _exactly(i, was, people, rules, noise, uniform):
    cost, free_riding, group = people
    join, forgo, dues, eligible = rules
    return _logit(i, was, group[i], cost, free_riding, join, forgo, dues, eligible, noise, uniform)
