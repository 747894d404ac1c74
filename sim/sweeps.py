"""Sequential best response to one collective: a sweep that asks only those who might move.

While the size stays in a band around where it is, only these can move: members who want to leave,
others who want to join, and whoever has her threshold in the band. Random order of all is random
order of those, and the rest need not be asked. Should the size leave the band when n of the m have
been asked, then the sweep is at the moment T in [0, 1] at which the n-th of m independent uniforms
falls, which is Beta(n, m − n + 1). Those whom a wider band adds have had their turn by then with
probability T each, and did not move; else they come in random order among the rest. So a sweep near
rest costs one look at everybody's threshold and a few people's decisions, and has the same law.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.compact import choice, columns, key, thresholds, wishes

if TYPE_CHECKING:
    from sim.model import Economy

WHOLE = 32  # a sweep asks everybody where more than one in so many would move at once
PER_WISH, SPARE = 4, 64  # sizes on either side of the present one that a sweep is prepared for
WIDER = 8  # by so much that band grows where it was too narrow


def in_turn(economy: Economy) -> int | None:
    """Everybody takes her best response in random order; how many moved, None if not for here."""
    if len(economy.collectives) > 1:
        return None
    offer = choice(economy)
    if offer is None:
        return None
    from sim import kernels_chance as chance
    from sim import kernels_thresholds as kernels

    people, rng, curve = economy.population, economy.streams.activation, economy.count_curve
    size, count = people.size, int(people.counts[0])
    if economy.published[0] != curve[count]:
        return None  # somebody was moved since, and nobody knows yet
    want = wishes(economy, offer)
    if not want:
        return 0  # and so nobody after her sees anything else
    theta = thresholds(economy)
    width = size if want * WHOLE > size else PER_WISH * want + SPARE
    rules = (*(table.copy() for table in offer.rules[:2]), *offer.rules[2:])
    before = people.membership if width == size else people.membership.copy()
    rows, band, moment, moved = np.empty(0, np.int32), None, 0.0, 0
    while True:
        least, most = max(count - width, 0), min(count + width, size)
        band, old = _band(curve[least : most + 1]), band
        if width >= size and old is None:
            rows = np.arange(size, dtype=np.int32)
        else:
            new = kernels.concerned(theta, before, *band, *(old or band), old is None)
            if moment:
                new = new[rng.random(len(new)) > moment]
            rows = np.concatenate([rows, new])
        chance.shuffle(rows, key(rng))
        asked, count, switched = kernels.in_turn(
            rows, theta, curve, np.float32(2 * kernels.MARGIN), count, least, most,
            columns(people), people.membership, rules,
        )  # fmt: skip
        moved += switched
        if asked == len(rows):
            break
        moment += (1 - moment) * rng.beta(asked, len(rows) - asked + 1)
        rows, width = rows[asked:], WIDER * width
    people.counts[0] = count
    return moved


def _band(success: NDArray[np.float64]) -> tuple[np.float32, np.float32]:
    """Thresholds below the first are met, above the second missed, at every one of these sizes."""
    from sim import kernels_thresholds as kernels

    return kernels.bounds(success.min())[0], kernels.bounds(success.max())[1]


def in_order(economy: Economy, rows: NDArray[np.integer]) -> int | None:
    """These people take their best response in this order; how many moved."""
    if len(economy.collectives) > 1:
        return None
    offer = choice(economy)
    people, size, curve = economy.population, economy.population.size, economy.count_curve
    if offer is None or economy.published[0] != curve[people.counts[0]]:
        return None
    from sim import kernels_thresholds as kernels

    theta = thresholds(economy)
    rules = (*(table.copy() for table in offer.rules[:2]), *offer.rules[2:])
    _, people.counts[0], moved = kernels.in_turn(
        rows, theta, curve, np.float32(2 * kernels.MARGIN),
        int(people.counts[0]), 0, size, columns(people), people.membership, rules,
    )  # fmt: skip
    return moved
