"""What the command line hands to the page, through one environment variable as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "ALPHACRIT_PAGE"


@dataclass(frozen=True)
class PageSettings:
    """Parameters
    ----------
    opened : one or two scenario files, or a results folder, shown first
    folders : whose scenarios may be switched to; none: those of the library
    """

    opened: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = field(default=())

    def to_json(self) -> str:
        """For the environment; paths are absolute."""
        return json.dumps(
            {
                "opened": [str(path.absolute()) for path in self.opened],
                "folders": [str(path.absolute()) for path in self.folders],
            }
        )


def from_environment(environment: Mapping[str, str] = os.environ) -> PageSettings:
    """The settings of this process; those of a page started by hand where there are none."""
    found = json.loads(environment.get(VARIABLE, "{}"))
    return PageSettings(
        tuple(map(Path, found.get("opened", ()))), tuple(map(Path, found.get("folders", ())))
    )
