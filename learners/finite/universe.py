"""Finite universes: everything a person can be, as a table P₀(x, y).

X points (combinations of features) and Y labels; P₀ is (X, Y), non-negative, and sums to 1. A
*cell* is one pair (x, y), numbered x·Y + y: it is what a person of the base population is. Points
without mass are allowed: a signal that nobody carried has to be somewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from learners.curves import Array, require_range
from learners.spelling import as_text, same

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]
WeightKind = Literal["auto", "count", "probability"]
SUM_TOLERANCE = 1e-9  # of probabilities made in memory
FILE_TOLERANCE = 1e-6  # of probabilities written in decimals


@dataclass(frozen=True, eq=False, repr=False)
class Universe:
    """P₀ over points and labels, with the names of what they stand for.

    Attributes
    ----------
    base : array of shape (X, Y), P₀(x, y), sums to 1, read-only
    labels : Y names
    columns : C names of features
    codes : integer array of shape (X, C), read-only
        ``levels[c][codes[x, c]]`` is the value of feature c at point x; no two rows are equal.
    levels : for each feature, its values as text

    Examples
    --------
    >>> from learners.finite.universe import Universe
    >>> Universe.from_array([[0.0, 0.0], [0.7, 0.3]])
    Universe(2 points of 1 feature, 2 labels)
    """

    base: Array
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    codes: Ints
    levels: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        base, codes = np.array(self.base, np.float64), np.array(self.codes, np.int64)
        require_table(base, "base", SUM_TOLERANCE)
        if len(self.labels) != base.shape[1] or len(set(self.labels)) < len(self.labels):
            raise ValueError(
                f"labels: got {len(self.labels)} names for {base.shape[1]} columns of base; "
                "must be one each, none twice"
            )
        if codes.shape != (len(base), len(self.columns)) or len(self.levels) != len(self.columns):
            raise ValueError(
                f"codes: got shape {codes.shape}; must be ({len(base)}, {len(self.columns)}), "
                "points by features"
            )
        for name, array in (("base", base), ("codes", codes)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        features = f"{len(self.columns)} feature{'s' * (len(self.columns) != 1)}"
        return f"Universe({len(self.base)} points of {features}, {len(self.labels)} labels)"

    # Making one -------------------------------------------------------------------------------

    @classmethod
    def from_array(cls, base: npt.ArrayLike, labels: Sequence[Any] | None = None) -> Self:
        """Points 0 … X−1 with one feature, ``x``, their own number.

        Parameters
        ----------
        base : array of shape (X, Y), P₀, probabilities that sum to 1 (tolerance 1e-9)
        labels : Y names; "0", "1", … where not given
        """
        table = require_table(np.asarray(base, dtype=np.float64), "base", SUM_TOLERANCE)
        names = range(table.shape[1]) if labels is None else labels
        return cls(
            base=table / table.sum(),
            labels=tuple(as_text(name) for name in names),
            columns=("x",),
            codes=np.arange(len(table))[:, None],
            levels=(tuple(str(x) for x in range(len(table))),),
        )

    @classmethod
    def from_counts(cls, counts: npt.ArrayLike, labels: Sequence[Any] | None = None) -> Self:
        """As `from_array`, from weights of any positive total, such as counts of people."""
        table = np.asarray(counts, dtype=np.float64)
        require_table(table, "counts", tolerance=None)
        table = table / table.max()  # the sum of huge counts could be infinite
        return cls.from_array(table / table.sum(), labels)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        label: str,
        weight: str | None = None,
        columns: Sequence[str] | None = None,
        weight_kind: WeightKind = "auto",
    ) -> Self:
        """The universe of a table of people or of points.

        Parameters
        ----------
        frame : DataFrame
            One row per person, or per pair of features and label with a weight; equal rows add up.
        label, weight : names of columns; every row weighs 1 where weight is None
        columns : names of the features; all other columns where not given
        weight_kind : {"auto", "count", "probability"}
            A probability column must sum to 1 (tolerance 1e-6), a count column to anything
            positive; auto: counts if all are whole numbers, else probabilities.

        Raises
        ------
        ValueError
            One line per problem: a column that is missing, a missing value, weights that are
            negative or sum to nothing, fewer than two labels.
        """
        from learners.finite.universe_file import frame_parts

        return cls(**frame_parts(frame, label, weight, columns, weight_kind))

    def with_label_noise(self, share: float) -> Self:
        """The universe in which a share of people, drawn at random, got a uniformly random label.

        P₀(y|x) becomes (1 − share)·P₀(y|x) + share/Y: the positivity constant p rises to at
        least share/Y (the third experiment of Hardt et al. 2023, section 5).
        """
        require_range("share", share, 0.0, 1.0, meaning="of people with a random label")
        even = self.mass[:, None] / len(self.labels)
        return replace(self, base=(1.0 - share) * self.base + share * even)

    def extended(self, codes: Ints, levels: tuple[tuple[str, ...], ...]) -> Self:
        """The same P₀ with more points, all without mass, after the present ones."""
        empty = np.zeros((len(codes), len(self.labels)))
        return replace(
            self,
            base=np.vstack([self.base, empty]),
            codes=np.vstack([self.codes, codes]),
            levels=levels,
        )

    # What it says -----------------------------------------------------------------------------

    @cached_property
    def mass(self) -> Array:
        """P₀(x), shape (X,)."""
        return self.base.sum(axis=1)

    @cached_property
    def given(self) -> Array:
        """P₀(y|x), shape (X, Y); 0 where x has no mass."""
        mass = self.mass[:, None]
        return np.divide(self.base, mass, out=np.zeros_like(self.base), where=mass > 0.0)

    @cached_property
    def digest(self) -> str:
        """12 hexadecimal digits that change with P₀, the labels or the features."""
        hashed = hashlib.sha256(repr((self.labels, self.columns, self.levels)).encode())
        hashed.update(np.ascontiguousarray(self.base).tobytes())
        hashed.update(np.ascontiguousarray(self.codes).tobytes())
        return hashed.hexdigest()[:12]

    def label_index(self, label: object) -> int:
        """Which column of P₀ a label is; ValueError with the labels there are otherwise."""
        found, text = same(label, self.labels), as_text(label)
        if found is None:
            raise ValueError(
                f"target: got {text!r}; must be a label of the universe" + one_of(text, self.labels)
            )
        return self.labels.index(found)

    def draw(self, size: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """N people drawn from P₀ as cells, shape (N,): one uniform per person."""
        edges = np.cumsum(self.base.ravel())
        last = int(np.flatnonzero(self.base.ravel())[-1])  # rounding must not reach beyond it
        cells = np.searchsorted(edges, rng.random(size), side="right")
        return np.minimum(cells, last).astype(np.int32)

    def people(self, cells: npt.ArrayLike) -> pd.DataFrame:
        """Features and label, as text, of people given as cells: one row each."""
        import pandas as pd

        point, label = np.divmod(np.asarray(cells), len(self.labels))
        table = {
            name: np.array(levels, dtype=object)[self.codes[point, c]]
            for c, (name, levels) in enumerate(zip(self.columns, self.levels, strict=True))
        }
        return pd.DataFrame({**table, "label": np.array(self.labels, dtype=object)[label]})


def one_of(got: str, allowed: Sequence[str], most: int = 12) -> str:
    """The tail of a message: what there is, and the nearest to what came."""
    from difflib import get_close_matches

    shown = ", ".join(allowed[:most]) + (", …" if len(allowed) > most else "")
    close = get_close_matches(got, allowed, n=1)
    return f" ({shown})" + (f'; did you mean "{close[0]}"?' if close else "")


def require_table(table: Array, name: str, tolerance: float | None) -> Array:
    """Return a table of weights over points and labels if it is one, else ValueError.

    With a tolerance the weights are probabilities and must sum to 1; without, to anything positive.
    """
    if table.ndim != 2 or table.shape[0] < 1 or table.shape[1] < 2:
        raise ValueError(
            f"{name}: got shape {table.shape}; must be (X, Y), points by at least two labels"
        )
    if not np.isfinite(table).all():
        raise ValueError(f"{name}: got nan or an infinite value; must be finite weights")
    if table.min() < 0.0:
        raise ValueError(f"{name}: got {table.min():g}; must be ≥ 0 (a probability or a count)")
    if table.max() <= 0.0:
        raise ValueError(f"{name}: got weights that are all 0; must have a positive sum")
    with np.errstate(over="ignore"):  # of huge counts; probabilities have a sum to speak of
        total = table.sum()
    if tolerance is not None and abs(total - 1.0) > tolerance:
        raise ValueError(
            f"{name}: got probabilities that sum to {total:.9g}; must sum to 1 "
            "(Universe.from_counts takes weights of any sum)"
        )
    if np.count_nonzero(table.sum(axis=0)) < 2:
        raise ValueError(
            f"{name}: got people of one label only; must be at least two (a platform that has seen "
            "one class has nothing to learn)"
        )
    return table
