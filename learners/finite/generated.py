"""Universes made to order: a population with chosen ξ, Δ, p and τ.

Two features, ``signal`` (no, yes) and ``kind`` (0 … n−1), and two labels, "target" and "other".
The signal is g: ``set = { signal = "yes" }``. With s = (1−Δ)/2::

    signal = yes   P₀ = ξ      P₀(target|x) = s, behind by Δ
    signal = no    P₀ = 1−ξ    P₀(target|x) = low for a part of the kinds, high for the others
"""

from __future__ import annotations

import numpy as np

from learners.curves import Array, require_range
from learners.finite.strategies import SetColumns
from learners.finite.universe import Universe

GENERATED_SIGNAL = SetColumns({"signal": "yes"})


def generate(
    uniqueness: float,
    gap: float,
    positivity: float | None = None,
    sensitivity: float | None = None,
    kinds: int = 2,
    rng: np.random.Generator | None = None,
) -> Universe:
    """A universe whose signal has the parameters asked for, exactly.

    Parameters
    ----------
    uniqueness : float in [0, 1), ξ
    gap : float in [0, 1], Δ
    positivity : float in [0, (1−Δ)/2], p; (1−Δ)/2 where not given, or what τ asks for
    sensitivity : float in [0, (1−ξ)(1+Δ)/2], τ; what p gives where it is not given. Asks for ξ > 0
    kinds : int ≥ 1 (≥ 2 for both p and τ), kinds of people; the steps that S can have
    rng : who the kinds are, and how many of each carry the signal; all alike where not given

    Returns
    -------
    Universe
        2·kinds points; ``GENERATED_SIGNAL`` is the signal, "target" the label to plant.

    Examples
    --------
    >>> from learners.finite.strategies import Strategy, plan_all
    >>> plant = {"union": Strategy("feature_label", GENERATED_SIGNAL, "target")}
    >>> plan_all(generate(0.01, 0.8), plant)[1][0].parameters.uniqueness
    0.01
    """
    xi = require_range(
        "uniqueness", uniqueness, 0.0, 1.0, high_open=True, meaning="share of base data, ξ"
    )
    delta = require_range("gap", gap, 0.0, 1.0, meaning="difference of probabilities, Δ")
    behind = 0.5 * (1.0 - delta)
    if kinds < 1 or (kinds < 2 and None not in (positivity, sensitivity)):
        raise ValueError(f"kinds: got {kinds}; must be ≥ 1, and ≥ 2 to choose both p and τ")
    share, low, high = _target_rates(xi, behind, positivity, sensitivity)
    lows = kinds if share == 1.0 else max(1, round(share * kinds)) if kinds > 1 else 1
    lows = min(lows, kinds - 1) if share < 1.0 else lows
    people = np.concatenate([_split(lows, share, rng), _split(kinds - lows, 1.0 - share, rng)])
    target = np.concatenate([np.full(lows, low), np.full(kinds - lows, high)])
    without = (1.0 - xi) * people[:, None] * np.stack([target, 1.0 - target], axis=1)
    carrying = _split(kinds, xi, rng)[:, None] * np.array([behind, 1.0 - behind])
    base = np.concatenate([without, carrying])
    codes = np.stack([np.repeat([0, 1], kinds), np.tile(np.arange(kinds), 2)], axis=1)
    levels = (("no", "yes"), tuple(str(kind) for kind in range(kinds)))
    return Universe(base / base.sum(), ("target", "other"), ("signal", "kind"), codes, levels)


def _target_rates(
    xi: float, behind: float, p: float | None, tau: float | None
) -> tuple[float, float, float]:
    """Off the signal: the share of kinds with the low rate of the target, that rate, the high one.

    p = min(low, s) and τ = (1−ξ)·(share·|low − s| + (1 − share)·|high − s|).
    """
    if p is not None:
        rounding = behind * (1.0 + 1e-12)  # (1 − Δ)/2 as a user computes it
        p = min(require_range("positivity", p, 0.0, rounding, meaning="≤ (1 − Δ)/2, p"), behind)
    if tau is None:
        low = behind if p is None else p
        return 1.0, low, low
    if xi == 0.0:
        raise ValueError("sensitivity: got ξ = 0 with it; must have ξ > 0 (τ needs labels at g(x))")
    change = tau / (1.0 - xi)
    require_range(
        "sensitivity", tau, 0.0, (1.0 - behind) * (1.0 - xi), meaning="at most (1−ξ)(1+Δ)/2, τ"
    )
    if p is None:
        return 1.0, behind + change, behind + change
    if change <= behind - p:  # some at p, the others as where the signal is
        share = change / (behind - p) if behind > p else 1.0
        if share == 0.0:
            raise ValueError(f"sensitivity: got {tau:g} with p = {p:g}; must be > 0 (p < (1−Δ)/2)")
        return share, p, behind
    if behind == p:
        return 1.0, behind + change, behind + change
    share = (1.0 - behind - change) / ((1.0 - behind) - (behind - p))  # the others at rate 1
    if not 0.0 < share <= 1.0:
        raise ValueError(f"sensitivity: got {tau:g} with p = {p:g}; must be below (1−ξ)(1+Δ)/2")
    return share, p, 1.0


def _split(parts: int, total: float, rng: np.random.Generator | None) -> Array:
    if rng is None or parts < 2:
        return np.full(parts, total / max(parts, 1))
    return total * rng.dirichlet(np.ones(parts))
