"""The success function: who is in which collective ↦ success of each collective, in [0, 1].

K collectives with sizes α = (α₁ … α_K), α_k ≥ 0 and Σα_k ≤ 1, get S = (S₁ … S_K). This is the
narrow waist of the simulator: learners make S, agents decide by S, analysis solves with S. None
of them can tell a closed-form bound from a platform that trains a model. A success function says
what it is:

    exact         S itself
    lower_bound   what is guaranteed; the truth may be above it
    estimate      measured, with an interval
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from learners.curves import Array, Curve

Kind = Literal["exact", "lower_bound", "estimate"]
SIMPLEX_TOLERANCE = 1e-9


class SuccessFunction(ABC):
    """S of each collective, by sizes or by membership.

    A subclass sets `collectives` and `kind` and writes `at`; one that is trained on real rows
    overrides `by_membership`, because who joins can matter as much as how many: it sets
    `sees_people`, an economy then asks it once for `draw_people` and goes on with `attach`.

    Attributes
    ----------
    collectives : tuple of str, K names
    kind : {"exact", "lower_bound", "estimate"}
    sees_people : bool
        Whether a person is a data point, so that `by_membership` depends on who joined.
    also : mapping of names to floats
        What else is known of the model behind the last answer, such as its accuracy.
    """

    collectives: tuple[str, ...]
    kind: Kind
    sees_people: ClassVar[bool] = False
    also: Mapping[str, float] = MappingProxyType({})

    @property
    def size(self) -> int:
        """K, the number of collectives."""
        return len(self.collectives)

    @abstractmethod
    def at(self, alpha: npt.ArrayLike) -> Array:
        """Success at given sizes.

        Parameters
        ----------
        alpha : array of shape (..., K)
            Sizes as shares of the population, each ≥ 0, together ≤ 1 (tolerance 1e-9).

        Returns
        -------
        float64 array of shape (..., K), in [0, 1], the caller's own.

        Raises
        ------
        ValueError
            The last axis is not K long, or a row is outside the simplex.
        """

    def __call__(self, alpha: npt.ArrayLike) -> Array:
        return self.at(alpha)

    def interval(self, alpha: npt.ArrayLike) -> tuple[Array, Array] | None:
        """(low, high), each of shape (..., K), around an estimate; None where S is not one."""
        return None

    def by_membership(self, membership: npt.ArrayLike) -> Array:
        """Success, shape (K,), when person i is in collective membership[i] (0 = in none).

        Parameters
        ----------
        membership : integer array of shape (N,), values 0 … K
        """
        return self.at(shares(membership, self.size))

    def draw_people(self, size: int, rng: np.random.Generator) -> npt.NDArray[np.integer]:
        """Which data point each of N people is, shape (N,), drawn from the platform's data."""
        raise TypeError(f"{type(self).__name__} goes by sizes: its people are no data points")

    def attach(self, points: npt.ArrayLike) -> Self:
        """This platform for these people: a copy whose `by_membership` trains on their data.

        Parameters
        ----------
        points : integer array of shape (N,), as `draw_people` gives them
        """
        raise TypeError(f"{type(self).__name__} goes by sizes: its people are no data points")

    def reseeded(self, seed: int) -> Self:
        """The same platform with other random numbers of its own; itself where it has none."""
        return self

    def curve(self, k: int = 0) -> Curve | None:
        """Closed form of S_k when collective k is alone (all others 0), where there is one."""
        return None


class Bound(SuccessFunction):
    """The success function of one collective with a closed-form lower bound.

    Parameters
    ----------
    collective : str
        Its name.
    curve : Curve
        S(α), from `learners.bounds`.

    Notes
    -----
    `at` is a handful of vector operations, O(rows).
    """

    kind: Kind = "lower_bound"

    def __init__(self, collective: str, curve: Curve) -> None:
        self.collectives = require_names((collective,))
        self._curve = curve

    def __repr__(self) -> str:
        return f"Bound({self.collectives[0]!r}, {self._curve!r})"

    def at(self, alpha: npt.ArrayLike) -> Array:
        return self._curve(require_simplex(alpha, 1))

    def curve(self, k: int = 0) -> Curve:
        require_index("k", k, 1)
        return self._curve


def require_simplex(alpha: npt.ArrayLike, size: int) -> Array:
    """Return α as a float64 copy of shape (..., K) with every row in the simplex, else ValueError.

    Rounding up to 1e-9 is forgiven, and cut off where an entry is below 0 or above 1.
    """
    given = np.asarray(alpha, dtype=np.float64)
    if given.shape == (1,) and size == 1 and 0.0 <= given.item() <= 1.0:
        return given.copy()
    if given.ndim == 0 or given.shape[-1] != size:
        hint = "; write alpha[..., None] for many sizes of one collective" if size == 1 else ""
        raise ValueError(
            f"alpha: got an array of shape {given.shape}; must be (..., {size}), "
            f"one size per collective{hint}"
        )
    total = given[..., 0] if size == 1 else given.sum(axis=-1)
    # min and max are nan where any entry is, and a comparison with nan is False
    if given.size and not (
        given.min() >= -SIMPLEX_TOLERANCE and total.max() <= 1.0 + SIMPLEX_TOLERANCE
    ):
        inside = (given >= -SIMPLEX_TOLERANCE).all(axis=-1) & (total <= 1.0 + SIMPLEX_TOLERANCE)
        first = given[~inside][0]
        raise ValueError(
            f"alpha: got {first.tolist()}; must be ≥ 0 each and ≤ 1 together "
            "(shares of the population)"
        )
    return np.clip(given, 0.0, 1.0)


def require_membership(membership: npt.ArrayLike, size: int) -> npt.NDArray[np.integer]:
    """Return membership as an integer array of shape (N,) with values 0 … K, else ValueError."""
    members = np.asarray(membership)
    if members.ndim != 1 or members.size == 0 or members.dtype.kind not in "iu":
        raise ValueError(
            f"membership: got shape {members.shape} of {members.dtype}; must be integers, "
            "one per person (0 = in no collective)"
        )
    if members.min() < 0 or members.max() > size:
        outside = members[(members < 0) | (members > size)][0]
        raise ValueError(f"membership: got {outside}; must be in 0 … {size} (0 = in no collective)")
    return members


def shares(membership: npt.ArrayLike, size: int) -> Array:
    """Sizes α, shape (K,), of the collectives that people are in (0 = in none)."""
    members = require_membership(membership, size)
    counts = np.bincount(members, minlength=size + 1)
    return counts[1:] / members.size


def require_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the collectives' names as a tuple if there is at least one and none twice."""
    given = (names,) if isinstance(names, str) else tuple(names)
    valid = bool(given) and all(isinstance(name, str) and name for name in given)
    if not valid or len(set(given)) < len(given):
        raise ValueError(f"collectives: got {given!r}; must be at least one name, none twice")
    return given


def require_index(name: str, index: int, size: int) -> int:
    """Return the index of a collective if it is one of 0 … K−1, else ValueError."""
    if not 0 <= index < size:
        raise ValueError(f"{name}: got {index!r}; must be in 0 … {size - 1} (a collective)")
    return int(index)
