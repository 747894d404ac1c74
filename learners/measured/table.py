"""A success function that was measured earlier and is read from a table (``learner = "table"``).

A table holds one row per measurement: the sizes of the K collectives, their success, which
replicate it was, how long it took, and what else was measured. On disk it is one Parquet file,
which carries in its schema, as JSON, what was measured: a table without its scenario is of no use.

From the rows to S: the mean of the replicates at each size; a fit that never falls in the
collective's own size where the theory says so; straight lines between the sizes. S_k is 0 where
α_k = 0, by definition; beyond the largest size that was measured S is held.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from learners.curves import Array, require_range
from learners.errors import ResultsError
from learners.measured.cache import canonical, write_whole
from learners.measured.measured_grid import measured_grid
from learners.measured.monotone import PiecewiseLinear
from learners.success import (
    Kind,
    SuccessFunction,
    require_index,
    require_names,
    require_simplex,
)

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
KIND = "measurements"
ALSO = "also."  # before the names of columns of what else was measured
_KEY = b"alphacrit"


@dataclass(frozen=True, eq=False)
class MeasuredTable:
    """Measurements of success.

    Attributes
    ----------
    collectives : tuple of str, K names
    sizes : float64 array of shape (M, K), α of each measurement
    success : float64 array of shape (M, K), in [0, 1]
    replicate : int array of shape (M,)
    seconds : float64 array of shape (M,), what each took when it was made
    meta : dict, JSON: what was measured (``setup``, ``digest``, ``seed`` …)
    also : dict of names to float64 arrays of shape (M,)
        What else was measured (``accuracy`` …), sorted by name; nan where a measurement lacks it.
    """

    collectives: tuple[str, ...]
    sizes: Array
    success: Array
    replicate: npt.NDArray[np.int64]
    seconds: Array
    meta: dict[str, Any]
    also: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        collectives: Iterable[str],
        sizes: npt.ArrayLike,
        success: npt.ArrayLike,
        replicate: npt.ArrayLike | None = None,
        seconds: npt.ArrayLike | None = None,
        meta: Mapping[str, Any] | None = None,
        also: Sequence[Mapping[str, float]] = (),
    ) -> MeasuredTable:
        """A table from arrays; sizes and success of shape (M, K), or (M,) for one collective.

        `also` has an entry for each of the M rows, or none at all.
        """
        names = require_names(collectives)
        alpha = require_simplex(_rows(sizes, len(names)), len(names))
        value = _rows(success, len(names))
        if value.shape != alpha.shape or not value.size or not np.all((value >= 0) & (value <= 1)):
            raise ValueError(
                f"success: got shape {value.shape}; must be {alpha.shape} as the sizes, "
                "at least one row, each in [0, 1]"
            )
        rows = len(alpha)
        number = np.zeros(rows, np.int64) if replicate is None else np.array(replicate, np.int64)
        took = np.zeros(rows) if seconds is None else np.array(seconds, np.float64)
        if number.shape != (rows,) or took.shape != (rows,):
            raise ValueError(f"replicate and seconds: must have {rows} entries, one per row")
        if len(also) not in (0, rows):
            raise ValueError(f"also: got {len(also)} entries; must be {rows}, one per row, or none")
        more = _columns(also)
        for array in (alpha, value, number, took, *more.values()):
            array.setflags(write=False)
        return cls(names, alpha, value, number, took, dict(meta or {}), more)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows: ``size.<name>`` …, ``success.<name>`` …, ``replicate``, ``seconds``, and
        ``also.<what>`` for whatever else was measured."""
        import pandas as pd

        columns: dict[str, Any] = {}
        for prefix, values in (("size", self.sizes), ("success", self.success)):
            columns |= {f"{prefix}.{name}": values[:, k] for k, name in enumerate(self.collectives)}
        columns |= {"replicate": self.replicate, "seconds": self.seconds}
        return pd.DataFrame(columns | {ALSO + what: each for what, each in self.also.items()})

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the Parquet file, whole or not at all."""
        import pyarrow as pa
        from pyarrow import parquet

        meta = {
            **self.meta,
            "format": FORMAT,
            "kind": KIND,
            "collectives": list(self.collectives),
        }
        table = pa.Table.from_pandas(self.frame, preserve_index=False)
        table = table.replace_schema_metadata({_KEY: canonical(meta).encode()})
        sink = pa.BufferOutputStream()
        parquet.write_table(table, sink, compression="zstd")
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, sink.getvalue().to_pybytes())
        except OSError as error:
            raise ResultsError(
                f"{path}: cannot be written ({error.strerror or error}); name another place"
            ) from error
        return path


def read_table(
    path: str | os.PathLike[str], expect: Mapping[str, Any] | None = None
) -> MeasuredTable:
    """Read a table of measurements, if it is one of what is wanted.

    Parameters
    ----------
    path : path
        A Parquet file written by `MeasuredTable.save`.
    expect : mapping, optional
        What the table's metadata must say: ``{"digest": …, "collectives": ["union"]}``.

    Raises
    ------
    ResultsError
        There is no such table, it is damaged, or it is of something else.
    """
    path = Path(path)
    meta, columns = _read(path)
    for key, wanted in (expect or {}).items():
        if meta.get(key) != (list(wanted) if isinstance(wanted, tuple) else wanted):
            raise ResultsError(
                f"{path}: was measured for another scenario: its {key} is {meta.get(key)!r}, "
                f"this scenario's is {wanted!r}; measure this one (alphacrit learn), "
                "or name its table"
            )
    try:
        names = meta["collectives"]
        sizes, success = (
            np.column_stack([columns[f"{prefix}.{name}"] for name in names])
            for prefix in ("size", "success")
        )
        replicate, seconds = columns["replicate"], columns["seconds"]
        more = {n.removeprefix(ALSO): each for n, each in columns.items() if n.startswith(ALSO)}
        also = [dict(zip(more, row, strict=True)) for row in zip(*more.values(), strict=True)]
        return MeasuredTable.of(names, sizes, success, replicate, seconds, meta, also)
    except (KeyError, TypeError, ValueError) as error:
        raise ResultsError(f"{path}: is damaged ({error})") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata and columns of a Parquet file of ours."""
    import pyarrow as pa
    from pyarrow import parquet

    if not path.is_file():
        raise ResultsError(f"{path}: there is no table of measurements here (alphacrit learn)")
    try:
        table = parquet.read_table(path)
        meta = json.loads((table.schema.metadata or {}).get(_KEY, b"null"))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ResultsError(f"{path}: cannot be read ({error})") from error
    if not isinstance(meta, dict) or meta.get("kind") != KIND:
        raise ResultsError(f"{path}: is not a table of measurements of alphacrit")
    if meta.get("format") != FORMAT:
        raise ResultsError(
            f"{path}: has format {meta.get('format')}; this version of alphacrit reads {FORMAT}"
        )
    return meta, {name: table[name].to_numpy() for name in table.column_names}


class TableSuccess(SuccessFunction):
    """S from a table of measurements.

    Parameters
    ----------
    table : MeasuredTable
        One collective: any sizes. Several: a grid that holds every combination of each
        collective's sizes (as far as they sum to 1 at most), with size 0 for each, so that
        each is measured without the others too.
    level : float in (0, 1)
        Of `interval`, at each size by itself.
    monotone : bool, optional
        S_k never falls when collective k grows and the others stay. Default: for one
        collective (theory, section 2).

    Notes
    -----
    The interval at a measured size is for the mean of all trainings there could be, from the r
    that there were, widened to hold the fit. Of them only success in [0, 1] is assumed
    (`learners.measured.bounded_mean`), so that it holds for outcomes that are nearly always 0 or
    1, too, and is wide for few replicates: about 0.8, 0.6, 0.4 and 0.2 for 3, 5, 10 and 20.
    Between two sizes of a monotone S it is [low of the left, high of the right], which covers
    whatever S does there; else the ends are interpolated as S is, and the level is not exact.

    `at` is O(rows·(2^K + log n)).
    """

    kind: Kind = "estimate"

    def __init__(
        self, table: MeasuredTable, level: float = 0.95, monotone: bool | None = None
    ) -> None:
        self.collectives = table.collectives
        self.level = require_range(
            "level", level, 0.0, 1.0, low_open=True, high_open=True, meaning="of the interval"
        )
        self.monotone = self.size == 1 if monotone is None else bool(monotone)
        try:
            self._grid = measured_grid(table.sizes, table.success, self.level, self.monotone)
        except ValueError as error:
            raise ResultsError(f"the table of measurements cannot be used: {error}") from error

    def __repr__(self) -> str:
        points = "×".join(str(axis.size) for axis in self._grid.axes)
        return f"TableSuccess({', '.join(self.collectives)}; {points} sizes)"

    @property
    def smallest(self) -> tuple[float, ...]:
        """The smallest size above 0 of each collective that was measured, K numbers."""
        return tuple(float(axis[1]) for axis in self._grid.axes)

    def at(self, alpha: npt.ArrayLike) -> Array:
        return self._interpolate(self._grid.values, require_simplex(alpha, self.size))

    def interval(self, alpha: npt.ArrayLike) -> tuple[Array, Array]:
        alpha, grid = require_simplex(alpha, self.size), self._grid
        if self.size > 1 or not self.monotone:
            return self._interpolate(grid.low, alpha), self._interpolate(grid.high, alpha)
        left = np.searchsorted(grid.axes[0], alpha, side="right") - 1  # the last size ≤ α
        right = np.searchsorted(grid.axes[0], alpha)  # the first size ≥ α
        high = np.append(grid.high, 1.0)  # beyond the last S may be anything above
        return grid.low[left, 0], high[right]

    def curve(self, k: int = 0) -> PiecewiseLinear | None:
        """S_k through the measured points, the others 0; None where it was not made monotone."""
        require_index("k", k, self.size)
        if not self.monotone:
            return None
        alone = tuple(slice(None) if j == k else 0 for j in range(self.size))
        values = self._grid.values[(*alone, k)]
        return PiecewiseLinear(tuple(self._grid.axes[k].tolist()), tuple(values.tolist()))

    def _interpolate(self, values: Array, alpha: Array) -> Array:
        """Straight lines between the grid's points, held beyond the last; 0 where α_k = 0."""
        axes = self._grid.axes
        if self.size == 1:
            result = np.interp(alpha, axes[0], values[:, 0])
        else:
            from scipy.interpolate import RegularGridInterpolator

            rows = np.minimum(alpha, [axis[-1] for axis in axes]).reshape(-1, self.size)
            result = RegularGridInterpolator(axes, values)(rows).reshape(alpha.shape)
        return np.where(alpha > 0.0, np.clip(result, 0.0, 1.0), 0.0)


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, Array]:
    """Rows of numbers by name as columns, nan where a row has no such number."""
    names = sorted({name for row in rows for name in row})  # the cache keeps no other order
    return {name: np.array([row.get(name, np.nan) for row in rows], np.float64) for name in names}


def _rows(values: npt.ArrayLike, size: int) -> Array:
    """Values as float64 of shape (M, K), where (M,) stands for one collective."""
    array = np.array(values, dtype=np.float64)
    return array[:, None] if array.ndim == 1 and size == 1 else array
