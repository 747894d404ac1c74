"""Arrow tables of a sweep: types of columns that depend on nothing but their values, and bytes.

Runs come in parts that know nothing of each other: a parameter can be all whole numbers in one and
a fraction in another, or absent. The rules here give the same table however the runs were parted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile


GROUP = 50_000  # rows in a row group of a file, which is read as a whole
THREADS = False  # one that reads can abort the process as it ends (apache/arrow 34314)


class DamagedError(Exception):
    """A file that is no whole table of ours."""


def column_type(values: Iterable[Any]) -> pa.DataType:
    """The one type that holds these Python values: of numbers a number, of a mixture text."""
    import pyarrow as pa

    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), type(None): pa.null()}
    return joint_type({types.get(kind, pa.string()) for kind in set(map(type, values))})


def joint_type(types: set[pa.DataType]) -> pa.DataType:
    """The type of a column whose parts have these types; null where all are empty."""
    import pyarrow as pa

    known = types - {pa.null()}
    if len(known) <= 1:
        return next(iter(known), pa.null())
    return pa.float64() if known == {pa.int64(), pa.float64()} else pa.string()


def cast(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Python values as an array of a type; what is no text becomes its JSON where text is due."""
    import pyarrow as pa

    if kind == pa.string():
        values = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
    return pa.array(values, kind)


def with_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of a schema, in its order; missing ones are empty."""
    import pyarrow as pa

    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
        elif table[field.name].type == field.type:
            columns.append(table[field.name])
        elif field.type == pa.string():
            columns.append(cast(table[field.name].to_pylist(), field.type))
        else:
            columns.append(table[field.name].cast(field.type))
    return pa.table(columns, schema=schema)


def joint_schema(
    schemas: Iterable[pa.Schema], first: Sequence[str], last: Sequence[str]
) -> pa.Schema:
    """Schema of all parts together: ``first`` names, then others by name, then ``last`` names.

    The same whatever the order of the parts. Columns of ``first`` and ``last`` that no part has
    are left out.
    """
    import pyarrow as pa

    types: dict[str, set[pa.DataType]] = {}
    for schema in schemas:
        for field in schema:
            types.setdefault(field.name, set()).add(field.type)
    known = {*first, *last}
    order = [*first, *sorted(types.keys() - known), *last]
    return pa.schema([(name, joint_type(types[name])) for name in order if name in types])


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables one below the other; of columns that one of them lacks, its rows are empty."""
    import pyarrow as pa

    if all(table.schema.equals(tables[0].schema) for table in tables[1:]):
        return pa.concat_tables(tables)
    names = list(dict.fromkeys(name for table in tables for name in table.column_names))
    schema = joint_schema([table.schema for table in tables], names, ())
    return pa.concat_tables([with_schema(table, schema) for table in tables])


def encode(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file, with a checksum on every page."""
    import pyarrow as pa
    from pyarrow import parquet

    sink, options = pa.BufferOutputStream(), {"compression": "zstd", "write_page_checksum": True}
    parquet.write_table(table, sink, row_group_size=GROUP, **options)
    return sink.getvalue().to_pybytes()


def decode(content: bytes) -> pa.Table:
    """The table of ``encode``."""
    import pyarrow as pa
    from pyarrow import parquet

    return parquet.ParquetFile(pa.BufferReader(content)).read(use_threads=THREADS)


def pack(table: pa.Table) -> bytes:
    """A table as bytes for another process, in a fortieth of the time of ``encode``."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def unpack(content: bytes) -> pa.Table:
    """The table of ``pack``."""
    import pyarrow as pa

    return pa.ipc.open_stream(content).read_all()


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A table from disk, the checksums of what is read verified.

    Raises
    ------
    DamagedError
        It is no whole table.
    FileNotFoundError
        It is not there (any more).
    """
    with opened(path) as file:
        return file.read(columns, use_threads=THREADS)


@contextmanager
def opened(path: Path) -> Iterator[ParquetFile]:
    """A Parquet file to read from; what goes wrong within the block is a ``DamagedError``."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with open(path, "rb") as file:
            yield parquet.ParquetFile(file, page_checksum_verification=True)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise DamagedError(f"{path}: {' '.join(str(error).split())[:200]}") from error
