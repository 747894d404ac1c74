"""Several collectives on one platform: the tight and the simple lower bound on each one's success.

Collectives m = 1 … K of sizes α_m plant signals g_m for targets y_m (feature–label strategy). With
ᾱ = Σα_m the platform trains on P = (1−ᾱ)P₀ + Σα_m P*_m, and S_m = Σ_x P*_m(x)·1{f(x) = y_m}.
Collectives with the same target are allies, the others rivals. The *signal overlap*
ω_mj = Pr_{x~P₀}{g_j(x) ∈ X*_m} is the share of j's signals that land in m's signal set; only
rivals' overlap hurts. Disjoint signals do not interfere and even help, through ᾱ.

Theory page, section 3 (the question is that of Karan et al., FAccT 2025, arXiv 2505.00195).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.bounds import EpsilonBound, feature_label, require_suboptimality
from learners.curves import Array, Hyperbola, require_range
from learners.success import (
    Kind,
    SuccessFunction,
    require_index,
    require_names,
    require_simplex,
)


class SeveralBound(SuccessFunction):
    """The simple bound: S_m ≥ 1 − ((1−ᾱ)/α_m)Δ_mξ_m − Σ_{j: y_j≠y_m}(α_j/α_m)ω_mj, and ε.

    Parameters
    ----------
    collectives : K names
    targets : K labels
        Collectives with equal targets are allies.
    uniqueness : array of shape (K,), in [0, 1], ξ
    gap : array of shape (K,), in [0, 1], Δ
    overlap : array of shape (K, K), in [0, 1], ω
        ω[m, j] is the share of j's signals that land in m's signal set; the diagonal is not used.
    suboptimality : float or array of shape (K,), in [0, 1), ε
    bound : {"hardt2023", "joint_tv", "conditional_tv"}
        hardt2023: each collective loses ε/(1−ε), as alone; joint_tv: 2ε/α_m, as alone;
        conditional_tv (ε < ½): Δ becomes (Δ+2ε)/(1−2ε), as alone, and rivals weigh
        (1+2ε)/(1−2ε) times as much.

    Notes
    -----
    One collective gives theorem 3.3. S_m = 0 at α_m = 0. Clipped to [0, 1].

    The factor on rivals is needed: a classifier that is wrong within ε at every x flips where
    the margin is at most 2εP(x), and P(x) holds the rivals' mass too. With W = (1−ᾱ)P₀(x),
    R the rivals' and A the allies' mass at x, a flip needs
    α_mP*_m + A − R − ΔW ≤ 2ε(W + α_mP*_m + A + R), so that
    α_mP*_m ≤ ((Δ+2ε)/(1−2ε))W + ((1+2ε)/(1−2ε))R.

    `at` costs O(rows·K²).
    """

    kind: Kind = "lower_bound"

    def __init__(
        self,
        collectives: Iterable[str],
        targets: Sequence[Hashable],
        uniqueness: npt.ArrayLike,
        gap: npt.ArrayLike,
        overlap: npt.ArrayLike,
        suboptimality: npt.ArrayLike = 0.0,
        bound: EpsilonBound = "hardt2023",
    ) -> None:
        self.collectives = require_names(collectives)
        K = self.size
        self.targets = tuple(targets)
        if len(self.targets) != K:
            raise ValueError(f"targets: got {len(self.targets)}; must be {K}, one per collective")
        self.bound: EpsilonBound = bound
        eps = np.asarray(suboptimality, dtype=np.float64)
        if eps.shape not in ((), (K,)):
            raise ValueError(f"suboptimality: got shape {eps.shape}; must be a number or ({K},)")
        eps = np.broadcast_to(eps, (K,))
        for value in eps:
            require_suboptimality(value.item(), bound)
        self.uniqueness = _unit_array("uniqueness", uniqueness, (K,), "ξ")
        self.gap = _unit_array("gap", gap, (K,), "Δ")
        self.overlap = _unit_array("overlap", overlap, (K, K), "ω")
        self.suboptimality = _frozen(eps)
        rivals = np.array([[a != b for b in self.targets] for a in self.targets])
        self._resistance, self._rivalry, self._fixed, self._lost = _frozen_all(
            _loss_terms(self.uniqueness, self.gap, self.overlap * rivals, eps, bound)
        )

    def __repr__(self) -> str:
        return f"SeveralBound({self.collectives!r}, targets={self.targets!r}, bound={self.bound!r})"

    def at(self, alpha: npt.ArrayLike) -> Array:
        sizes = require_simplex(alpha, self.size)  # (..., K)
        free = np.maximum(1.0 - sizes.sum(axis=-1, keepdims=True), 0.0)  # 1 − ᾱ, (..., 1)
        # Rival by rival: a matrix product would round a size alone and among many differently.
        rivalry = sum(sizes[..., j, None] * self._rivalry[:, j] for j in range(self.size))
        mass = free * self._resistance + rivalry + self._fixed  # (..., K)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            success = 1.0 - self._lost - mass / sizes
        return np.where(sizes > 0.0, np.clip(success, 0.0, 1.0), 0.0)

    @property
    def terms(self) -> tuple[Array, Array, Array, Array]:
        """r, w, a, b with S_m = clip(1 − b_m − ((1−ᾱ)r_m + Σ_j α_j w_mj + a_m)/α_m, 0, 1).

        Of shapes (K,), (K, K), (K,), (K,); for loops that cannot call `at`.
        """
        return self._resistance, self._rivalry, self._fixed, self._lost

    def curve(self, k: int = 0) -> Hyperbola:
        require_index("k", k, self.size)
        return feature_label(
            self.uniqueness[k].item(),
            self.gap[k].item(),
            self.suboptimality[k].item(),
            self.bound,
        )


def renew(counts: Any, size: int, terms: Any, out: Any) -> None:
    """Write S at these counts of members (K,) among ``size`` people into ``out`` (K,).

    :meth:`SeveralBound.at` in the same order of operations, to the bit for K < 8, for loops that
    ask after every move: plain Python on lists, or compiled (:mod:`sim.kernels_several`).
    ``terms`` are :attr:`SeveralBound.terms`.
    """
    resistance, rivalry, fixed, lost = terms
    total = 0.0
    for count in counts:
        total += count / size
    free = max(1.0 - total, 0.0)
    for k in range(len(counts)):
        share, rivals = counts[k] / size, 0.0
        for j in range(len(counts)):
            rivals += (counts[j] / size) * rivalry[k][j]
        mass = free * resistance[k] + rivals + fixed[k]
        out[k] = min(max(1.0 - lost[k] - mass / share, 0.0), 1.0) if share > 0.0 else 0.0


def _loss_terms(
    xi: Array, delta: Array, omega: Array, eps: Array, bound: EpsilonBound
) -> tuple[Array, Array, Array, Array]:
    """What S_m loses: (free·resistance + rivalry@α + fixed)/α_m + lost."""
    none = np.zeros_like(xi)
    if bound == "conditional_tv":
        inflated = (1.0 + 2.0 * eps) / (1.0 - 2.0 * eps)
        return (delta + 2.0 * eps) / (1.0 - 2.0 * eps) * xi, omega * inflated[:, None], none, none
    if bound == "joint_tv":
        return delta * xi, omega, 2.0 * eps, none
    return delta * xi, omega, none, eps / (1.0 - eps)


def tight_bound(
    base: npt.ArrayLike, planted: npt.ArrayLike, targets: npt.ArrayLike, alpha: npt.ArrayLike
) -> Array:
    """The tight bound on a finite universe, against the Bayes classifier (ε = 0).

    S_m ≥ 1 − (1/α_m) Σ_{x∈X*_m} [ max_{y≠y_m}{(1−ᾱ)P₀(x,y) + Σ_{j: y_j=y} α_jP*_j(x)}
    − (1−ᾱ)P₀(x,y_m) − Σ_{j≠m, y_j=y_m} α_jP*_j(x) ]₊, clipped to [0, 1], 0 at α_m = 0.

    Parameters
    ----------
    base : array of shape (X, Y), P₀(x, y)
        A probability table with at least two labels.
    planted : array of shape (K, X), P*_m(x)
        Law of the features that collective m's members report; X*_m is where it is positive.
    targets : integer array of shape (K,), y_m
        Columns of `base`.
    alpha : array of shape (..., K)

    Returns
    -------
    array of shape (..., K), in [0, 1]

    Notes
    -----
    O(rows·X·(Y+K)) time, O(rows·X·Y) memory.
    """
    table, signals, labels = _universe(base, planted, targets)
    K, Y = len(labels), table.shape[1]
    sizes = require_simplex(alpha, K)
    free = np.maximum(1.0 - sizes.sum(axis=-1), 0.0)[..., None, None]
    votes = signals[:, :, None] * (np.arange(Y) == labels[:, None])[:, None, :]  # (K, X, Y)
    joint = free * table + np.einsum("...k,kxy->...xy", sizes, votes)  # P, (..., X, Y)
    success = np.zeros(sizes.shape)
    for m, y in enumerate(labels):
        rival = np.delete(joint, y, axis=-1).max(axis=-1)  # (..., X)
        support = joint[..., y] - sizes[..., m, None] * signals[m]  # without m's own, (..., X)
        short = np.maximum(rival - support, 0.0)[..., signals[m] > 0.0].sum(axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = np.clip(1.0 - short / sizes[..., m], 0.0, 1.0)
        success[..., m] = np.where(sizes[..., m] > 0.0, bound, 0.0)
    return success


def _universe(
    base: npt.ArrayLike, planted: npt.ArrayLike, targets: npt.ArrayLike
) -> tuple[Array, Array, npt.NDArray[np.int64]]:
    table = np.asarray(base, dtype=np.float64)
    signals = np.asarray(planted, dtype=np.float64)
    labels = np.asarray(targets)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f"base: got shape {table.shape}; must be (X, Y) with at least two labels")
    if signals.ndim != 2 or signals.shape[1] != table.shape[0]:
        raise ValueError(f"planted: got shape {signals.shape}; must be (K, {table.shape[0]})")
    if labels.shape != signals.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(f"targets: got {targets!r}; must be {len(signals)} columns of base")
    if labels.min() < 0 or labels.max() >= table.shape[1]:
        raise ValueError(f"targets: got {targets!r}; must be in 0 … {table.shape[1] - 1}")
    for name, laws in (("base", table.reshape(1, -1)), ("planted", signals)):
        if not ((laws >= 0.0).all() and np.allclose(laws.sum(axis=1), 1.0, atol=1e-9)):
            raise ValueError(
                f"{name}: got sums {laws.sum(axis=1)}; must be probabilities that sum to 1"
            )
    return table, signals, labels.astype(np.int64)


def constructiveness(
    success: SuccessFunction, k: int | str, j: int | str, alpha: npt.ArrayLike
) -> Array:
    """CT(k, j) = S_k(with j) − S_k(alone): what j's presence does to k.

    Parameters
    ----------
    success : SuccessFunction of K ≥ 2 collectives
    k, j : index or name of a collective
    alpha : array of shape (..., K)
        Only α_k and α_j are used: in both terms all other collectives are absent.

    Returns
    -------
    array of shape (...), in [−1, 1]; negative where j harms k.

    References
    ----------
    Karan et al. (2025).
    """
    own, other = _index("k", k, success), _index("j", j, success)
    if own == other:
        raise ValueError(f"j: got {j!r}, the same collective as k; must be another one")
    sizes = require_simplex(alpha, success.size)
    alone = np.zeros_like(sizes)
    alone[..., own] = sizes[..., own]
    both = alone.copy()
    both[..., other] = sizes[..., other]
    return success.at(both)[..., own] - success.at(alone)[..., own]


def _index(name: str, collective: int | str, success: SuccessFunction) -> int:
    if isinstance(collective, str):
        if collective not in success.collectives:
            raise ValueError(
                f"{name}: got {collective!r}; must be one of {', '.join(success.collectives)}"
            )
        return success.collectives.index(collective)
    return require_index(name, collective, success.size)


def _unit_array(name: str, values: npt.ArrayLike, shape: tuple[int, ...], symbol: str) -> Array:
    given = np.asarray(values, dtype=np.float64)
    if given.shape != shape:
        raise ValueError(
            f"{name}: got shape {given.shape}; must be {shape} (collectives, {symbol})"
        )
    for value in given.ravel():
        require_range(name, value.item(), 0.0, 1.0, meaning=symbol)
    return _frozen(given)


def _frozen(values: Array) -> Array:
    copy = np.array(values, dtype=np.float64)
    copy.setflags(write=False)
    return copy


def _frozen_all(arrays: Iterable[Array]) -> tuple[Array, ...]:
    return tuple(_frozen(array) for array in arrays)
