"""Success of a scenario from a table of measurements, if the table is of the same strategies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learners.errors import ResultsError
from sim.scenario_platforms import TablePlatform
from sim.toml_text import shown
from sim.trained import BadData, Prepared, asked, file_hash, kept, unreadable

if TYPE_CHECKING:
    from learners.measured.table import MeasuredTable
    from sim.scenario import Scenario


def measured(s: Scenario) -> dict[str, Any]:
    """What a table must say of itself to be one of this scenario's collectives.

    Whoever measures a scenario writes this into the table's metadata. The platform is not part of
    it: that is what the table stands for.
    """
    return {"collectives": list(s.names), "strategies": json.loads(asked(s))}


def setup_of(s: Scenario) -> dict[str, Any]:
    """What success by size of a scenario depends on, as JSON: the name of its measurements."""
    platform = s.platform.model_dump(mode="json", exclude={"retrain_every"}, exclude_none=True)
    files = {key: digest for key, digest in s.files.items() if key.startswith("platform.")}
    return {"platform": platform, "files": files, "seed": s.seed, **measured(s)}


def prepare_table(s: Scenario, platform: TablePlatform, folder: Path) -> Prepared:
    """Success from the table; raises as `read` does."""
    from learners.measured.table import TableSuccess

    table, digest = read(s, platform, folder)
    key = ("table of measurements", digest, asked(s), platform.level, platform.monotone)
    return Prepared(None, lambda: TableSuccess(table, platform.level, platform.monotone), key)


def read(s: Scenario, platform: TablePlatform, folder: Path) -> tuple[MeasuredTable, str]:
    """Read the table, and the digest of its file.

    Raises
    ------
    BadData
        There is no such file.
    ResultsError
        It is no table of measurements, or one of another scenario.
    """
    from learners.measured.table import read_table

    path = folder / platform.table
    try:
        digest = file_hash(path)
    except (OSError, ValueError) as error:
        what = "a table of measurements (alphacrit learn)"
        raise BadData([unreadable("table", platform.table, error, what)]) from None
    key = ("measured", str(path), digest, asked(s))

    def make() -> MeasuredTable:
        try:
            return read_table(path, expect=measured(s))
        except ResultsError as error:
            said = str(error).removeprefix(f"{path}: ")
            must = "" if "; " in said else "; must be a table of measurements (alphacrit learn)"
            text = f"platform.table: got {shown(platform.table)}, which {said}{must}"
            raise ResultsError(text) from None

    return kept(key, make), digest
