"""Drawing people without replacement from populations that are only counted, at any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.int64]

# numpy's hypergeometric draws refuse populations from here on.
NUMPY_LIMIT = 1_000_000_000


def without_replacement(
    rng: np.random.Generator, people: ArrayLike, count: int, limit: int = NUMPY_LIMIT
) -> Counts:
    """How many of each class are among ``count`` people drawn: multivariate hypergeometric, (C,).

    Parameters
    ----------
    people : (C,) people in each class
    count : people to draw, at most all of them
    limit : population from which on the draw does without numpy's own

    Notes
    -----
    Large populations: everybody is taken with probability count/N, independently; then as many as
    are too many, or are missing, are put back or drawn, uniformly. As a set of people drawn so is
    uniform given its size at every stage, the law is exact. O(C + √N).
    """
    people = np.asarray(people, np.int64)
    total = int(people.sum())
    if not 0 <= count <= total:
        raise ValueError(f"count: got {count}; must be in 0 … {total} (people)")
    if count in (0, total):
        return people * (count > 0)
    if total < limit:
        return rng.multivariate_hypergeometric(people, count, method="marginals")
    drawn = rng.binomial(people, count / total)
    excess = int(drawn.sum()) - count
    if excess > 0:
        return drawn - _few(rng, drawn, excess)
    return drawn + _few(rng, people - drawn, -excess)


def _few(rng: np.random.Generator, people: Counts, count: int) -> Counts:
    """The same for few people: each is drawn by number."""
    ends = np.cumsum(people)
    chosen = rng.choice(int(ends[-1]), count, replace=False, shuffle=False)
    return np.bincount(np.searchsorted(ends, chosen, side="right"), minlength=len(people))


def members_among(
    rng: np.random.Generator, members: Counts, others: Counts, drawn: Counts
) -> Counts:
    """(C,) members among the ``drawn`` of each class: one hypergeometric draw each."""
    if len(members) and int((members + others).max()) >= NUMPY_LIMIT:
        pairs = zip(members, others, drawn.tolist(), strict=True)
        return np.array([without_replacement(rng, (m, o), n)[0] for m, o, n in pairs])
    return rng.hypergeometric(members, others, drawn)


def places(
    rng: np.random.Generator, part: Counts, held: Counts, members: Counts
) -> NDArray[np.bool_]:
    """Who of these is a member, by part; the ``held`` and ``members`` that are left are updated."""
    count = np.bincount(part, minlength=len(held))
    drawn = members_among(rng, members, held - members, count)
    order = rng.permutation(len(part))
    small = part.astype(np.uint16 if len(held) < 1 << 16 else np.int64)  # sorted by their digits
    order = order[np.argsort(small[order], kind="stable")]
    rank = np.arange(len(part)) - np.repeat(np.cumsum(count) - count, count)
    inside = np.zeros(len(part), bool)
    inside[order] = rank < np.repeat(drawn, count)
    held -= count
    members -= drawn
    return inside
