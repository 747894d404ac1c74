"""Data of people as rows: a table of features x, labels y and weights, the base law P₀.

References
----------
Hardt et al. (2023), section 2: an individual is one data point z = (x, y) drawn from P₀.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.curves import Array

__all__ = ["Rows", "SetColumns", "generated_rows", "stacked"]


@dataclass(frozen=True, eq=False)
class Rows:
    """A law on finitely many data points (x_i, y_i).

    Parameters
    ----------
    features : array of shape (n, d), finite
    labels : array of shape (n,), finite
        Classes 0 … C−1 as integers, or real numbers for least squares.
    weight : array of shape (n,), ≥ 0, optional
        P(i) up to a factor; kept as probabilities that sum to 1. Absent: all the same.

    Raises
    ------
    ValueError
        Shapes do not match, there is no row, something is not finite, or weights are
        negative or all 0.
    """

    features: Array
    labels: npt.NDArray[Any]
    weight: Array = None  # type: ignore[assignment]  # filled in by __post_init__

    def __post_init__(self) -> None:
        features = np.asarray(self.features, dtype=np.float64)
        labels = np.asarray(self.labels)
        if features.ndim != 2 or 0 in features.shape or labels.shape != features.shape[:1]:
            raise ValueError(
                f"rows: got features of shape {features.shape} and labels of shape "
                f"{labels.shape}; must be (n, d) and (n,) with n ≥ 1 and d ≥ 1"
            )
        if labels.dtype.kind not in "iuf":
            raise ValueError(f"labels: got {labels.dtype}; must be integers 0 … C−1 or numbers")
        for name, values in (("features", features), ("labels", labels)):
            bad = np.count_nonzero(~np.isfinite(values))
            if bad:
                raise ValueError(
                    f"{name}: {bad} of {values.size} entries are NaN or infinite; "
                    "must be finite (fill them in or drop those rows)"
                )
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "weight", _probabilities(self.weight, len(labels)))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def width(self) -> int:
        """d, the number of features."""
        return self.features.shape[1]


def _probabilities(weight: npt.ArrayLike | None, size: int) -> Array:
    if weight is None:
        return np.full(size, 1.0 / size)
    given = np.asarray(weight, dtype=np.float64)
    if given.shape != (size,):
        raise ValueError(f"weight: got shape {given.shape}; must be ({size},), one per row")
    if not (np.isfinite(given).all() and given.min() >= 0.0 and given.max() > 0.0):
        raise ValueError("weight: must be finite, ≥ 0 and not all 0 (counts or probabilities)")
    given = given / given.max()  # the sum of huge weights could be infinite
    return np.asarray(given / given.sum())


def stacked(laws: list[Rows], shares: npt.ArrayLike) -> Rows:
    """Σ_j share_j·law_j, as one table (shares ≥ 0; only their ratios matter)."""
    shares = np.asarray(shares, dtype=np.float64)
    return Rows(
        np.concatenate([law.features for law in laws]),
        np.concatenate([law.labels for law in laws]),
        np.concatenate([s * law.weight for s, law in zip(shares, laws, strict=True)]),
    )


@dataclass(frozen=True)
class SetColumns:
    """A signal g on features: these columns take these values, the others stay.

    Parameters
    ----------
    columns : tuple of int
        Indices of feature columns, none twice, at least one.
    values : tuple of float
        What they are set to, in the table's own units.

    Examples
    --------
    >>> SetColumns((1,), (5.0,))(np.array([[0.0, 0.0], [1.0, 2.0]])).tolist()
    [[0.0, 5.0], [1.0, 5.0]]
    """

    columns: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(int(column) for column in self.columns))
        object.__setattr__(self, "values", tuple(float(value) for value in self.values))
        distinct = len(set(self.columns)) == len(self.columns) == len(self.values)
        if not self.columns or not distinct or not np.isfinite(self.values).all():
            raise ValueError(
                f"signal: got columns {self.columns} and values {self.values}; must be at least "
                "one column, none twice, and one finite value each"
            )

    def __call__(self, features: npt.ArrayLike) -> Array:
        planted = np.array(features, dtype=np.float64)
        if not 0 <= min(self.columns) <= max(self.columns) < planted.shape[-1]:
            raise ValueError(
                f"signal: got columns {self.columns}; must be in 0 … {planted.shape[-1] - 1}"
            )
        planted[..., list(self.columns)] = self.values
        return planted


def generated_rows(
    rng: np.random.Generator,
    size: int,
    width: int,
    classes: int = 2,
    *,
    unused: int = 0,
    real_labels: bool = False,
) -> Rows:
    """Rows of a generalised linear model: x ~ N(0, 1)^d, y from softmax (or linear) in x.

    Parameters
    ----------
    rng : numpy Generator
    size, width, classes : int, n, d, C
    unused : int
        Of the d columns, how many at the end are 0 for everybody: room for a watermark.
    real_labels : bool
        y = θ·x + N(0, 1) instead of a class.
    """
    features = rng.normal(size=(size, width))
    features[:, width - unused :] = 0.0
    truth = rng.normal(size=(width, 1 if real_labels else classes))
    scores = features @ truth  # (n, C)
    if real_labels:
        return Rows(features, scores[:, 0] + rng.normal(size=size))
    return Rows(features, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1))
