"""From parts to the one table of a finished sweep.

``runs.parquet`` is sorted by point and replicate and holds no times and no host, so that it is the
same, byte for byte, however the runs were made. What they took is in ``timing.parquet``. At no
moment is more in memory than the index of the runs and some ten thousand rows.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from learners.errors import ResultsError
from learners.measured.cache import digest_of_file, write_whole
from sim.sweep import rows, tables
from sim.sweep.parts import CHECK, RUNS, TABLE, Index, cannot_write, index

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from sim.scenario import Scenario

TIMING = "timing.parquet"
GROUP = 50_000  # rows in memory, and in a row group of the file


def compact(folder: Path, base: Scenario) -> None:
    """Merge ``runs.parquet`` and all parts into a new ``runs.parquet``; the parts go.

    Killed at any moment, it leaves every run in at least one file. Runs of a part that is damaged
    are not in the table; the part stays where it is.

    Raises
    ------
    ResultsError
        The disk refuses, or a part turned out to be damaged.
    """
    found = index(folder)
    parts = [path for path in found.sources if path.parent.name == RUNS]
    if not parts:
        return
    try:
        timing = _timing(folder, found)
        _write(folder / TIMING, timing.schema, [timing])
        schema = table_schema(found.sources, base.flat(), base.names)
        _write(folder / TABLE, schema, _groups(found, schema))
        for path in parts:
            path.unlink(missing_ok=True)
    except tables.DamagedError as error:
        raise ResultsError(f"{error}; --resume sets it aside and makes its runs again") from error
    except OSError as error:
        raise cannot_write(folder, error) from error


def table_schema(
    sources: Sequence[Path], parameters: Iterable[str], collectives: Iterable[str]
) -> pa.Schema:
    """Columns of ``runs.parquet``: the base's parameters in their order, others, outcomes."""
    first = ["point", *parameters]
    last = ["digest", "replicate", "last_epoch"]
    last += [f"{what}.{name}" for name in collectives for what in ("alpha", "success")]
    last += ["stopped", "spent", "welfare", "status", "error"]
    schemas = []
    for path in sources:
        with tables.opened(path) as file:
            kept = [field for field in file.schema_arrow if field.name not in rows.PARTS_ONLY]
        schemas.append(_bare(kept))
    return tables.joint_schema(schemas, first, last)


def rows_of(found: Index, chosen: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Some rows of the index in their order, read from the files that they are in."""
    pieces, places = [], []
    sources, numbers = chosen["source"].to_numpy(), chosen["row"].to_numpy()
    for source in np.unique(sources):
        place = np.flatnonzero(sources == source)
        place = place[np.argsort(numbers[place])]  # files are read from top to bottom
        with tables.opened(found.sources[source]) as file:
            pieces.append(_taken(file, numbers[place], schema))
        places.append(place)
    table = tables.concat(pieces)
    return table.take(np.argsort(np.concatenate(places), kind="stable"))


def _groups(found: Index, schema: pa.Schema) -> Iterator[pa.Table]:
    for start in range(0, len(found.table), GROUP):
        yield rows_of(found, found.table.iloc[start : start + GROUP], schema)


def _taken(file: tables.ParquetFile, wanted: np.ndarray, schema: pa.Schema) -> pa.Table:
    """Rows by number, in increasing order, reading only the row groups that hold them."""
    names = [name for name in schema.names if name in file.schema_arrow.names]
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    ends = np.cumsum(sizes)
    pieces = []
    for group in np.unique(np.searchsorted(ends, wanted, side="right")):
        first = ends[group] - sizes[group]
        here = wanted[(wanted >= first) & (wanted < ends[group])] - first
        pieces.append(tables.with_schema(file.read_row_group(int(group), names).take(here), schema))
    return tables.concat(pieces)


def _timing(folder: Path, found: Index) -> pa.Table:
    """Seconds of every run, from the parts and from earlier compactions."""
    import pandas as pd
    import pyarrow as pa

    keys = ["point", "replicate"]
    frames = [pd.DataFrame({"point": [], "replicate": [], "seconds": []})]
    paths = [folder / TIMING, *(path for path in found.sources if path.name != TABLE)]
    for path in paths:
        with suppress(FileNotFoundError, tables.DamagedError):  # what they took can be lost
            frames.append(tables.read(path, [*keys, "seconds"]).to_pandas())
    every = pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)
    every = every.drop_duplicates(keys, keep="last").sort_values(keys)
    types = {"point": pa.int64(), "replicate": pa.int64(), "seconds": pa.float64()}
    return pa.table({name: pa.array(every[name].to_numpy(), t) for name, t in types.items()})


def _bare(fields: Sequence[pa.Field]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(field.name, field.type) for field in fields])


def _write(path: Path, schema: pa.Schema, groups: Sequence[pa.Table] | Iterator[pa.Table]) -> None:
    """Write a table piece by piece, whole or not at all."""
    from pyarrow import parquet

    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "xb") as file:
            options = {"compression": "zstd", "write_page_checksum": True}
            with parquet.ParquetWriter(file, schema, **options) as writer:
                for group in groups:
                    writer.write_table(group, row_group_size=GROUP)
            file.flush()
            os.fsync(file.fileno())
        _replace(beside, path)
    except BaseException:  # Ctrl-C too: leave nothing behind
        beside.unlink(missing_ok=True)
        raise


def _replace(beside: Path, path: Path) -> None:
    """Rename a table to its place; at every moment its digest is among those kept beside it."""
    if path.name == TABLE:
        check, digest = path.with_name(CHECK), digest_of_file(beside)
        old = check.read_text().split() if check.exists() else []
        write_whole(check, "\n".join([digest, *old, ""]).encode())
        os.replace(beside, path)
        write_whole(check, f"{digest}\n".encode())
    else:
        os.replace(beside, path)
