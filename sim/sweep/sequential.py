"""A sequential test of whether a probability is at least q, valid at whatever moment it stops.

Z₁, Z₂, … are independent, 1 with probability p. Against H₀: p < q the evidence is the likelihood
of the hits averaged over all p′ in [q, 1], as a multiple of that at q itself,

    E = ∫_q^1 p′^s (1−p′)^f dp′ / [(1−q) q^s (1−q)^f],    s hits and f misses.

For every p ≤ q it is a supermartingale that begins at 1, so it ever exceeds 1/δ with probability at
most δ (Ville 1939): one may look after every run and stop when one likes. Against H₀: p ≥ q the
same holds with [0, q] in the place of [q, 1].

References
----------
Robbins 1970, Statistical methods related to the law of the iterated logarithm; Howard, Ramdas,
McAuliffe and Sekhon 2021, Time-uniform, nonparametric, nonasymptotic confidence sequences.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special


def log_evidence(hits: int, misses: int, share: float) -> tuple[float, float]:
    """ln E that p ≥ q, and ln E that p < q.

    Parameters
    ----------
    hits, misses : int ≥ 0
    share : float in (0, 1), symbol q

    Examples
    --------
    Ten hits in a row, q = 1/2: E = 2(1 − 2^−11)·2^10/11.

    >>> log_evidence(10, 0, 0.5)[0] - math.log(2 * (1 - 2**-11) * 2**10 / 11)
    0.0
    """
    a, b = hits + 1, misses + 1
    total = special.betaln(a, b) - hits * math.log(share) - misses * math.log1p(-share)
    with np.errstate(divide="ignore"):  # no evidence at all is ln 0
        above = total + np.log(special.betaincc(a, b, share)) - math.log1p(-share)
        below = total + np.log(special.betainc(a, b, share)) - math.log(share)
    return float(above), float(below)


def decide(hits: int, misses: int, share: float, error: float) -> bool | None:
    """Whether p ≥ q: True or False, each wrong with probability at most ``error``; None: not yet.

    Parameters
    ----------
    hits, misses : int ≥ 0
        So far; ask after every run.
    share : float in (0, 1), symbol q
    error : float in (0, 1), symbol δ
    """
    above, below = log_evidence(hits, misses, share)
    if max(above, below) < -math.log(error):
        return None
    return above > below
