"""UCI Adult for tests, read once; they skip where it is absent."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

from learners.tabular.tables import Table, adult

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ALPHACRIT_DATA", ROOT.parent / "shared" / "data"))
FILE = DATA / "tabular_adult" / "adult.csv.gz"

needs_adult = pytest.mark.skipif(
    not FILE.exists(), reason=f"no {FILE}; set ALPHACRIT_DATA to the folder of the data"
)


@functools.cache
def table() -> Table:
    """Adult with a column that nobody has anything in yet."""
    return adult(FILE, extra={"watermark": ["yes"]})
