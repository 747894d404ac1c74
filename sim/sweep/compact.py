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
from numpy.typing import NDArray

from learners.errors import ResultsError
from learners.measured.cache import digest_of_file, write_whole
from sim.sweep import rows, tables
from sim.sweep.parts import CHECK, RUNS, TABLE, Index, cannot_write, index

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from sim.scenario import Scenario

TIMING = "timing.parquet"
GROUP = tables.GROUP  # rows in memory, and in a row group of the file
RECENT = 2  # row groups that are kept after they were read
STRETCH = 50  # rows that lie as they should, on average, from which on they are not copied
Kept = dict[tuple[int, int], "pa.Table"]  # row groups by source and number


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
    return _rows_of(found, chosen, schema, {})


def _rows_of(found: Index, chosen: pd.DataFrame, schema: pa.Schema, kept: Kept) -> pa.Table:
    """The same; ``kept`` holds the row groups that were read last, for whoever asks next."""
    sources, numbers = chosen["source"].to_numpy(), chosen["row"].to_numpy()
    pieces, places = [], []
    for source in np.unique(sources).tolist():
        mine = np.flatnonzero(sources == source)
        with tables.opened(found.sources[source]) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            ends = np.cumsum(sizes)
            of = np.searchsorted(ends, numbers[mine], side="right")
            for group in np.unique(of).tolist():
                place, name = mine[of == group], (source, group)
                whole = kept.pop(name) if name in kept else _group(file, group, schema)
                kept[name] = whole
                if len(kept) > RECENT:
                    del kept[next(iter(kept))]
                pieces.append(_picked(whole, numbers[place] - (ends[group] - sizes[group])))
                places.append(place)
    order = np.argsort(np.concatenate(places), kind="stable")
    return _picked(tables.concat(pieces), order).combine_chunks()  # how it is cut would show


def _picked(table: pa.Table, numbers: NDArray[np.int64]) -> pa.Table:
    """Rows by number; where they are most of the table, in stretches of it that are not copied."""
    ends = np.flatnonzero(np.diff(numbers) != 1) + 1
    if 2 * len(numbers) < len(table) or len(ends) > len(numbers) // STRETCH:
        return table.take(numbers)
    starts = [0, *ends.tolist()]
    stretches = zip(starts, [*ends.tolist(), len(numbers)], strict=True)
    return tables.concat([table.slice(numbers[a], b - a) for a, b in stretches])


def _groups(found: Index, schema: pa.Schema) -> Iterator[pa.Table]:
    kept: Kept = {}
    for start in range(0, len(found.table), GROUP):
        yield _rows_of(found, found.table.iloc[start : start + GROUP], schema, kept)


def _group(file: tables.ParquetFile, number: int, schema: pa.Schema) -> pa.Table:
    there = set(file.schema_arrow.names)
    names = [name for name in schema.names if name in there]
    return tables.with_schema(
        file.read_row_group(number, names, use_threads=tables.THREADS), schema
    )


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
