"""Best response of everybody, or of some drawn at random, at once: two bytes say what each does.

Every person is in a *class* by her threshold θ of :mod:`sim.kernels_thresholds`: 1 … ``TOP`` cut
its range into equal pieces, 0 holds those below, ``NEVER`` those above, ``ASKED`` those without a
threshold. The published success, give or take the margin of θ, lies in the classes ``low`` …
``high``, mostly one: people in lower classes join, those in higher ones stay out, and whoever is in
one of these or in ``ASKED`` is *in doubt* and decides by the formula in float64. Thresholds and
success are put into classes by the same function, which never falls: a lower class means a smaller
θ. So nobody decides otherwise than by θ, and that is never otherwise than by the formula.

Who is in doubt is found by an index: ``where`` holds, class by class, in which part of the
population each of its people is. So the loop over everybody has one comparison to make, and takes
about as long as reading two bytes and changing one.
"""

from __future__ import annotations

import numpy as np

from sim.kernels_chance import below, bits
from sim.kernels_compiled import njit
from sim.kernels_thresholds import MARGIN, exact, thresholds

BLOCK = 8192
SPARSE = 4  # parts per person who may move, from which on parts are gone through by themselves
TOP, NEVER, ASKED = 65531, 65533, 65535
EDGE = 2.0**-10  # a threshold so far outside [0, 1] is on the same side of every success
NARROWEST = 2.0**-6  # classes much narrower than the margin are of no use


@njit(cache=True, nogil=True)
def class_of(value, first, scale):
    """The class of a threshold or success within [−``EDGE``, 1 + ``EDGE``]."""
    place = (value - first) * scale + 1.0
    place = place if place > 1.0 else 1.0
    return np.uint16(np.int32(place if place < TOP else TOP))


@njit(cache=True, nogil=True)
def part_of(size):
    """How many people are in a part; so that its number is below 2¹⁶."""
    return max(64, (size >> 16) + 1)


@njit(cache=True, nogil=True)
def classes(cost, free_riding, group, closed, due):
    """Everybody's class, ``where``, the people in lower classes than each, and first and scale."""
    size, first, last = cost.size, np.float32(1.0), np.float32(0.0)
    edges = np.float32(-EDGE), np.float32(1.0 + EDGE)
    for a in range(0, size, BLOCK):
        z = min(a + BLOCK, size)
        theta = thresholds(cost[a:z], free_riding[a:z], group[a:z], closed, due)
        for i in range(z - a):
            inside = (theta[i] >= edges[0]) & (theta[i] <= edges[1])
            first = theta[i] if inside & (theta[i] < first) else first
            last = theta[i] if inside & (theta[i] > last) else last
    start = np.float64(min(first, last))
    scale = (TOP - 1) / max(np.float64(last) - start, NARROWEST)
    found, people = np.empty(size, np.uint16), np.zeros(2**16 + 1, np.int64)
    for a in range(0, size, BLOCK):
        z = min(a + BLOCK, size)
        theta, c = thresholds(cost[a:z], free_riding[a:z], group[a:z], closed, due), found[a:z]
        for i in range(z - a):
            t = theta[i]
            k = class_of(np.float64(t), start, scale)
            k = np.uint16(0) if t < edges[0] else (np.uint16(NEVER) if t > edges[1] else k)
            c[i] = np.uint16(ASKED) if np.isnan(t) else k
        for i in range(z - a):
            people[np.int64(c[i]) + 1] += 1
    lower, where, part = np.cumsum(people), np.empty(size, np.uint16), part_of(size)
    place = lower.copy()
    for number in range(-(-size // part)):
        for k in found[number * part : (number + 1) * part]:
            where[np.uint64(place[k])] = number
            place[k] += 1
    return found, where, lower, start, scale


@njit(cache=True, nogil=True)
def respond(begin, end, kept, success, label, people, membership, rules, drawn):
    """Best response of the people from row ``begin`` to ``end``, at once.

    ``kept`` is what :func:`classes` gives, ``success`` that of the best collective and ``label``
    its state, ``people`` (cost, free_riding, group), ``rules`` (join, forgo, dues, eligible),
    ``drawn`` (N,) bytes 1 or 0 where only some respond, else empty. Writes ``membership``; gives
    back how many moved and, where all respond, (K+1,) how many of those in doubt are in each state;
    those who join in any case are all counted where ``begin`` is 0. The counter is as narrow as it
    may be and the loops have no branches, so that they do many people at a time.
    """
    classes, where, lower, first, scale = kept
    low, high = _around(success, first, scale)
    rows = _in_doubt(begin, end, classes, where, lower, low, high, drawn)
    none, taken = membership.dtype.type(0), membership.dtype.type(label)
    now, moved = _answers(rows, people, membership, rules)
    for start in range(begin, end, BLOCK):
        stop = min(start + BLOCK, end)
        c, m = classes[start:stop], membership[start:stop]
        if drawn.size:
            may, changes = drawn[start:stop], np.int16(0)
            for i in range(c.size):
                was = m[i]
                pick = (taken if c[i] < low else none) if may[i] else was
                changes = np.int16(changes + np.int16(pick != was))
                m[i] = pick
            moved += np.int64(changes)
        else:
            moved += _write(c, m, low, taken)
    counts = _written(rows, now, membership, rules)
    counts[label] += lower[low] if begin == 0 else 0
    return moved, counts


@njit(cache=True, nogil=True)
def respond_again(before, kept, success, label, people, membership, rules):
    """The same for all, in an epoch after :func:`respond` where success was ``before``.

    Nobody must have been moved since, nor ``label`` be another one. Only the parts of the
    population are gone through in which there are people of a class from the one success to the
    other, or in doubt: the others do what they did. Gives back −1 moved, and nothing is done, where
    there are so many of them that going through all is as quick.
    """
    classes, where, lower, first, scale = kept
    low, high = _around(success, first, scale)
    lowest, highest = _around(before, first, scale)
    lowest, highest = min(low, lowest), max(high, highest)
    part = part_of(classes.size)
    people_there = lower[np.int64(highest) + 1] - lower[lowest] + lower[ASKED + 1] - lower[ASKED]
    if people_there * SPARSE > classes.size // part or part > BLOCK:
        return np.int64(-1), np.zeros(rules[2].size + 1, np.int64)
    rows = _in_doubt(0, classes.size, classes, where, lower, low, high, np.empty(0, np.uint8))
    now, moved = _answers(rows, people, membership, rules)
    taken = membership.dtype.type(label)
    marked = np.zeros(-(-classes.size // part), np.bool_)
    for place in range(lower[lowest], lower[np.int64(highest) + 1]):
        number = np.int64(where[place])
        if not marked[number]:
            marked[number] = True
            here = slice(number * part, (number + 1) * part)
            moved += _write(classes[here], membership[here], low, taken)
    counts = _written(rows, now, membership, rules)
    counts[label] += lower[low]
    return moved, counts


@njit(cache=True, nogil=True)
def _around(success, first, scale):
    """The lowest and the highest class of thresholds that are as good as the success."""
    low = class_of(success - 2.0 * MARGIN, first, scale)
    return low, class_of(success + 2.0 * MARGIN, first, scale)


@njit(cache=True, nogil=True)
def _answers(rows, people, membership, rules):
    """What these people do, by the formula, and how many of them move; until :func:`_written` they
    are outside, as the loop over all will have them if they are of the class ``low`` or above."""
    now, moved = np.empty(rows.size, membership.dtype), np.int64(0)
    for j in range(rows.size):
        was = membership[rows[j]]
        now[j] = exact(rows[j], was, people, rules)
        moved += now[j] != was
        membership[rows[j]] = 0
    return now, moved


@njit(cache=True, nogil=True)
def _written(rows, now, membership, rules):
    """Let these people do so; (K+1,) how many are in each state."""
    counts = np.zeros(rules[2].size + 1, np.int64)
    for j in range(rows.size):
        membership[rows[j]] = now[j]
        counts[now[j]] += 1
    return counts


@njit(cache=True, nogil=True)
def _write(c, m, low, taken):
    """Let at most 2¹⁵ − 1 people be in ``taken`` who are in lower classes, the others in none; how
    many moved."""
    none, changes = m.dtype.type(0), np.int16(0)
    for i in range(c.size):
        was = m[i]
        pick = taken if c[i] < low else none
        changes = np.int16(changes + np.int16(pick != was))
        m[i] = pick
    return np.int64(changes)


@njit(cache=True, nogil=True)
def _in_doubt(begin, end, classes, where, lower, low, high, drawn):
    """Rows from ``begin`` to ``end`` of those in doubt, if they are drawn."""
    doubts = lower[np.int64(high) + 1] - lower[low] + lower[ASKED + 1] - lower[ASKED]
    rows, count, part = np.empty(doubts, np.int64), 0, part_of(classes.size)
    for number in range(np.int64(low), np.int64(high) + 2):
        k, last = np.uint16(number if number <= high else ASKED), np.int64(-1)
        for place in range(lower[k], lower[np.int64(k) + 1]):
            if where[place] == last:
                continue
            last = np.int64(where[place])
            for i in range(max(last * part, begin), min((last + 1) * part, end)):
                if classes[i] == k and (drawn.size == 0 or drawn[i] != 0):
                    rows[count] = i
                    count += 1
    return rows[:count]


# ---------------------------------------------------------------- who is drawn


@njit(cache=True, nogil=True)
def flip(begin, end, drawn, key, of_256, state):
    """Set people to ``state`` (1: drawn, 0: not), each with probability ``of_256``/256, the others
    to the other one; how many. Each has one byte of the random bits of her own number."""
    words, total = np.empty(BLOCK // 8, np.uint64), np.int64(0)
    coins, heads, other = words.view(np.uint8), np.uint8(of_256), np.uint8(1 - state)
    for start in range(begin, end, BLOCK):
        d, count = drawn[start : min(start + BLOCK, end)], np.int16(0)
        offset = np.uint64(start >> 3)
        for w in range(words.size):
            words[w] = bits(key, offset + np.uint64(w))
        for i in range(d.size):
            head = np.uint8(coins[i] < heads)
            count = np.int16(count + np.int16(head))
            d[i] = head ^ other
        total += np.int64(count)
    return total


@njit(cache=True)
def even_out(drawn, key, missing, state):
    """Set so many more people to ``state`` (less than 0: to the other one), drawn uniformly from
    those who are not there yet."""
    wanted, left, turn = np.uint8(state if missing > 0 else 1 - state), abs(missing), np.uint64(0)
    while left > 0:
        i = below(drawn.size, key, turn)
        turn += np.uint64(1)
        left -= drawn[i] != wanted
        drawn[i] = wanted
