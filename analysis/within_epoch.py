"""A sequential epoch of the mean field: x′ = slope(x) from time 0 to 1, by two rules.

*Runge and Kutta's* fourth-order rule where the slope is smooth. *From jump to jump* where it is
constant between jumps, as it is while nobody of finitely many types changes her mind: each jump is
found by halving.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Slope = Callable[[Floats], Floats]

SUBSTEPS = 50
AFTER = 1e-12  # how far in time beyond a jump the path goes on


def runge_kutta(slope: Slope, start: Floats) -> list[Floats]:
    """x(0), x(1/n), … x(1) with n = `SUBSTEPS`.

    The error is O(n⁻⁴), and a step's worth of each jump of the slope that is crossed.
    """
    x, step = start, 1.0 / SUBSTEPS
    path = [x]
    for _ in range(SUBSTEPS):
        first = slope(x)
        second = slope(x + 0.5 * step * first)
        third = slope(x + 0.5 * step * second)
        fourth = slope(x + step * third)
        x = x + step / 6.0 * (first + 2.0 * second + 2.0 * third + fourth)
        path.append(x)
    return path


def from_jump_to_jump(slope: Slope, start: Floats, most: int) -> Floats:
    """x(1) where the slope is constant between jumps, to 1e-12 for each jump.

    A path that comes upon more than ``most`` jumps hovers between two slopes, each of which leads
    back to the other; then it is `runge_kutta`'s.
    """
    x, time, jumps = start, 0.0, 0
    now = slope(x)
    while time < 1.0:
        step = min(1.0 / SUBSTEPS, 1.0 - time)
        if np.array_equal(slope(x + step * now), now):
            x, time = x + step * now, time + step
            continue
        jumps += 1
        if jumps > most:
            return runge_kutta(slope, start)[-1]
        before, after = 0.0, step
        while after - before > AFTER:
            middle = 0.5 * (before + after)
            if np.array_equal(slope(x + middle * now), now):
                before = middle
            else:
                after = middle
        x, time = x + after * now, time + after
        now = slope(x)
    return x
