"""Logit choice: quantal response equilibria, and the stationary law of a finite population.

A reviser joins with probability Λ(d/η), Λ(x) = 1/(1 + e^(−x)), d what joining gains her.

* Infinite population: the quantal response equilibria α = E Λ(d(α)/η) are the fixed points of the
  participation map under logit (`quantal_equilibria`).
* N people who are alike, one reviser at a time: the number of members m is a birth–death chain,

      m → m+1 with probability (N−m)/N · Λ(up_m/η)            up_m: gain an outsider sees at m
      m → m−1 with probability m/N · (1 − Λ(down_m/η))        down_m: gain a member sees at m

  with the stationary law π(m) ∝ C(N, m) Π_{j<m} Λ(up_j/η) / (1 − Λ(down_{j+1}/η)). Where both see
  the same, down_{j+1} = up_j = d_j, that is C(N, m)·exp(Σ_{j<m} d_j/η).

Each single revision leaves π as it is, whoever revises. So π is the law under every order of single
revisions: one person drawn at random per step, or everybody in turn (``activation =
"sequential"``) at any rate. It is not the law of many people revising at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy  # its parts are loaded when first asked for
from numpy.typing import ArrayLike, NDArray

from analysis.equilibria import Equilibrium, equilibria
from analysis.participation import participation_map
from learners.bounds import Curve
from sim.payoffs import gain
from sim.scenario import Scenario

Floats = NDArray[np.float64]


def quantal_equilibria(scenario: Scenario, noise: float | None = None) -> tuple[Equilibrium, ...]:
    """All quantal response equilibria of a scenario; ``noise`` η in utility, by default its own.

    At (k, c, γ, η) = (0.01, 0.5, 0.2, 0.1): 0.00669, 0.01049, 0.95239 (theory section 5).
    """
    eta = float(scenario.revision.noise) if noise is None else float(noise)
    if not eta > 0:
        raise ValueError(f"noise: got {eta}; must be > 0 (utility, η of logit)")
    changed = scenario.replace({"revision.protocol": "logit", "revision.noise": eta})
    return equilibria(participation_map(changed))


def log_stationary_distribution(up: ArrayLike, down: ArrayLike, noise: float) -> Floats:
    """log π(m), m = 0 … N; arguments as for `stationary_distribution`."""
    up, down = np.asarray(up, float), np.asarray(down, float)
    if up.shape != down.shape or up.ndim != 1 or not up.size:
        raise ValueError(f"up, down: got shapes {up.shape} and {down.shape}; must be (N,) both")
    if not noise > 0:
        raise ValueError(f"noise: got {noise}; must be > 0 (utility, η of logit)")
    size = len(up)
    m = np.arange(size + 1)
    joins = -np.logaddexp(0.0, -up / noise)  # log Λ(up_j/η)
    leaves = -np.logaddexp(0.0, down / noise)  # log (1 − Λ(down_{j+1}/η))
    ways = (
        scipy.special.gammaln(size + 1)
        - scipy.special.gammaln(m + 1)
        - scipy.special.gammaln(size - m + 1)
    )  # log C(N, m)
    log_pi = ways + np.concatenate([[0.0], np.cumsum(joins - leaves)])
    return log_pi - scipy.special.logsumexp(log_pi)


def stationary_distribution(up: ArrayLike, down: ArrayLike, noise: float) -> Floats:
    """Stationary law of the number of members, in closed form.

    Parameters
    ----------
    up : (N,) gain an outsider sees when j = 0 … N−1 people are members, utility
    down : (N,) gain a member sees when j = 1 … N people are members, herself included, utility
    noise : η > 0, utility

    Returns
    -------
    (N+1,) probabilities of m = 0 … N members

    Examples
    --------
    >>> stationary_distribution([0.0, 0.0], [0.0, 0.0], noise=1.0)
    array([0.25, 0.5 , 0.25])
    """
    return np.exp(log_stationary_distribution(up, down, noise))


def transition_matrix(up: ArrayLike, down: ArrayLike, noise: float) -> Floats:
    """(N+1, N+1) transition probabilities of the chain with one random reviser per step.

    Arguments as for `stationary_distribution`; rows sum to 1.
    """
    up, down = np.asarray(up, float), np.asarray(down, float)
    size = len(up)
    j = np.arange(size)
    births = (size - j) / size * np.exp(-np.logaddexp(0.0, -up / noise))
    deaths = (j + 1) / size * np.exp(-np.logaddexp(0.0, down / noise))
    matrix = np.diag(births, 1) + np.diag(deaths, -1)
    matrix[np.diag_indices(size + 1)] = 1.0 - matrix.sum(axis=1)
    return matrix


@dataclass(frozen=True)
class LogitChain:
    """The chain of a scenario: N people who are alike, one reviser at a time.

    Attributes
    ----------
    up, down : (N,) as in `stationary_distribution`
    noise : η, utility
    sees : what people see: "published" success (their own membership included), success
        with and without themselves ("pivotal"), or success of the "others" only
    """

    up: Floats
    down: Floats
    noise: float
    sees: str

    @property
    def stationary(self) -> Floats:
        """(N+1,) stationary law of the number of members."""
        return stationary_distribution(self.up, self.down, self.noise)

    @property
    def matrix(self) -> Floats:
        """(N+1, N+1) transition probabilities, one random reviser per step."""
        return transition_matrix(self.up, self.down, self.noise)

    @property
    def mean_share(self) -> float:
        """Mean participating share under the stationary law."""
        return float(self.stationary @ np.arange(len(self.up) + 1) / len(self.up))


def logit_chain(
    scenario: Scenario, sees: Literal["published", "pivotal", "others"] | None = None
) -> LogitChain:
    """The birth–death chain of a scenario's logit revisions.

    Parameters
    ----------
    scenario : one collective that everybody may join, people all alike, logit, no principal, no
        network but the complete one
    sees : by default what the scenario says: published success S(j/N) for atomistic people,
        members and outsiders alike; S((j+1)/N) with herself against S(j/N) without for pivotal
        ones; the other N−1 people's share on the complete network. "others" asks for theory
        section 5, where d_j = (1−γ)S(j/N) − c when j *others* are members.

    Raises
    ------
    ValueError
        Where the number of members alone is not a Markov chain.
    """
    need, free_riding = _alike(scenario)
    size = scenario.population.size
    network = scenario.population.network
    success = participation_map(scenario).success
    own = "complete" if network is not None else str(scenario.revision.decides)
    seen = own if sees is None else str(sees)
    level = success.at((np.arange(size + 1) / size)[:, None])[:, 0]  # S(j/N)
    if seen == "pivotal":
        up = down = gain(level[1:], level[:-1], need, free_riding)
    elif seen == "others":
        up = down = gain(level[:-1], level[:-1], need, free_riding)
    elif seen == "complete":
        others = success.at((np.arange(size) / max(size - 1, 1))[:, None])[:, 0]
        up = down = gain(others, others, need, free_riding)
    elif seen in ("published", "atomistic"):
        d = gain(level, level, need, free_riding)
        up, down = d[:-1], d[1:]
    else:
        raise ValueError(f"sees: got {sees!r}; must be published, pivotal or others")
    name = {"atomistic": "published", "complete": "others, of N−1"}.get(seen, seen)
    return LogitChain(up.copy(), down.copy(), float(scenario.revision.noise), name)


def _alike(scenario: Scenario) -> tuple[float, float]:
    """(c + dues, γ) of people who are all alike; ValueError where the chain does not apply."""
    network = scenario.population.network
    pmap = participation_map(scenario)
    laws = [(c.cost.atoms(), c.free_riding.atoms()) for c in pmap.classes]
    kinds = {
        (float(c), float(g))
        for cost, factor in laws
        if cost is not None and factor is not None
        for c in cost[0]
        for g in factor[0]
    }
    unmet = {
        "revision.protocol must be logit": pmap.protocol != "logit",
        "there must be one collective": pmap.size != 1,
        "everybody must be allowed to join": pmap.eligible_share(0) < 1 - 1e-9,
        "people must all be alike": len(kinds) != 1 or any(None in law for law in laws),
        "people must not be on a network": network is not None and network.kind != "complete",
        "the platform must retrain every epoch": scenario.platform.retrain_every != 1,
        "there must be no principal": scenario.principal is not None,
    }
    wrong = [reason for reason, broken in unmet.items() if broken]
    if wrong:
        raise ValueError("no closed-form stationary law: " + "; ".join(wrong))
    cost, free_riding = kinds.pop()
    return cost + pmap.dues[0], free_riding


def stochastically_stable(
    curve: Curve | Callable[[Floats], Floats], cost: float, free_riding: float, dues: float = 0.0
) -> Literal["all", "none", "both"]:
    """What the stationary law concentrates on as η → 0 and then N → ∞: all join, or nobody does.

    All-join is stochastically stable iff c + dues < (1−γ)∫₀¹ S (theory section 5), provided the two
    are the stable states. ∫₀¹ S = 1 − k ln((1+k)/k) for S = 1 − k(1−α)/α.
    """
    area = curve.integral(1.0) if isinstance(curve, Curve) else _integral(curve)
    surplus = (1.0 - free_riding) * area - cost - dues
    return "both" if surplus == 0 else "all" if surplus > 0 else "none"


def _integral(function: Callable[[Floats], Floats], pieces: int = 20_000) -> float:
    node, weight = np.polynomial.legendre.leggauss(4)
    cuts = np.linspace(0.0, 1.0, pieces + 1)
    x = cuts[:-1, None] + np.diff(cuts)[:, None] * 0.5 * (node + 1.0)
    return float(np.sum(function(x) @ weight) * 0.5 / pieces)
