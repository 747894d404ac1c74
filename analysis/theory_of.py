"""The bound that theory has for what a platform learns, in its own measure of success."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from learners.finite.bayes import BayesPlatform
from learners.finite.worst_case import WorstCase
from learners.success import Bound, Kind, SuccessFunction, require_simplex
from learners.tabular.convex_platform import LogisticPlatform, Steer
from learners.tabular.gradient_platform import ControlPlatform

Floats = NDArray[np.float64]


class LowerBound(SuccessFunction):
    """A lower bound on the success of one collective, given as a function of its size."""

    kind: Kind = "lower_bound"

    def __init__(self, collective: str, promised: Callable[[Floats], Floats]) -> None:
        self.collectives, self._promised = (collective,), promised

    def at(self, alpha: ArrayLike) -> Floats:
        return self._promised(require_simplex(alpha, 1))


def exact_platform(success: SuccessFunction) -> BayesPlatform | None:
    """The exact platform, or the one whose worst case this is; None where there is neither."""
    if isinstance(success, WorstCase):
        return success.platform
    return success if isinstance(success, BayesPlatform) else None


def lower_bound_of(success: SuccessFunction) -> SuccessFunction | None:
    """The lower bound of the same situation; None where theory has none.

    Exact platforms have those of H23 section 3 from their ξ, Δ, p, τ and ω (worst cases those with
    the same ε), a steered convex model has theorem 4.2, a network under gradient control
    theorem 4.5 with the full pull. Fitted models with planted signals and tables have none.
    """
    if exact_platform(success) is not None:
        return _of_exact(success)
    name = success.collectives[0]
    if isinstance(success, ControlPlatform):
        return Bound(name, success.full_pull)
    if isinstance(success, LogisticPlatform) and success.size == 1 and _steers(success):
        return LowerBound(name, lambda alpha: success.lower_bound(alpha[..., 0])[..., None])
    return None


def _of_exact(success: SuccessFunction) -> SuccessFunction | None:
    try:
        if isinstance(success, WorstCase):
            return success.platform.bound(success.suboptimality, success.bound)
        assert isinstance(success, BayesPlatform)
        return success.bound()
    except ValueError:  # p = 0, erasing twice, several strategies: there is none
        return None


def _steers(platform: LogisticPlatform) -> bool:
    return isinstance(platform.strategies[0], Steer)
