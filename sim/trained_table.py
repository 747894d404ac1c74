"""Success of a scenario from a table of measurements, if the table is of the same strategies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.scenario_platforms import TablePlatform
from sim.trained import BadData, Prepared, asked, file_hash, kept, unreadable

if TYPE_CHECKING:
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
    """Read the table.

    Raises
    ------
    BadData
        There is no such file.
    ResultsError
        It is no table of measurements, or one of another scenario.
    """
    from learners.measured.table import TableSuccess, read_table

    path = folder / platform.table
    try:
        digest = file_hash(path)
    except (OSError, ValueError) as error:
        what = "a table of measurements (alphacrit learn)"
        raise BadData([unreadable("table", platform.table, error, what)]) from None
    key = ("table of measurements", str(path), digest, asked(s), platform.level, platform.monotone)
    table = kept(("measured", key), lambda: read_table(path, expect=measured(s)))
    return Prepared(None, lambda: TableSuccess(table, platform.level, platform.monotone), key)
