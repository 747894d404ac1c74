"""The files that a scenario names, and how a results folder keeps them.

Edge lists, universes, tables and rows are copied to ``files/``, so that the folder can be opened
anywhere. Data sets of texts and folders of models are not: they may be gigabytes, or not to be
published. ``files.json`` names every file:

    folder    the scenario file's, from which relative paths are
    files     by address: path, sha256, copied

Runs and series can be read without them; the scenario itself only where they are, unchanged.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learners.errors import ResultsError
from sim.trained import content_hash

if TYPE_CHECKING:
    from sim.scenario import Scenario

NAMES = "files.json"
COPIES = "files"
LEFT = ("platform.dataset", "platform.model")  # where they are
ADDRESSES = (
    "population.network.path", "platform.universe", "platform.data", "platform.table", *LEFT,
)  # fmt: skip


def keep_files(scenario: Scenario, folder: Path) -> None:
    """Copy the small files that a scenario names, and write ``files.json``, if it names any."""
    flat = scenario.flat()
    named = {key: (str(flat[key]), digest) for key, digest in scenario.files.items()}
    if not named:
        return
    base = _base(folder, [path for path, _ in named.values()])
    files = {}
    for key, (path, digest) in named.items():
        copied = key not in LEFT and not Path(path).is_absolute()
        if copied:
            base.mkdir(parents=True, exist_ok=True)
            (base / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(scenario.folder / path, base / path)
        files[key] = {"path": path, "sha256": digest, "copied": copied}
    content = {"folder": str(scenario.folder.resolve()), "files": files}
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (folder / NAMES).write_text(text + "\n", encoding="utf-8")


def folder_of_files(folder: Path, tables: Mapping[str, Any]) -> Path:
    """The folder from which a scenario's relative paths hold: that of the copies, or its own.

    Parameters
    ----------
    folder : Path
        Of results.
    tables : mapping
        The scenario's (``resolved.json``).

    Raises
    ------
    ResultsError
        Files are missing or changed, with all of them.
    """
    base = _base(folder, [path for key in ADDRESSES if (path := text_at(tables, key))])
    if not (folder / NAMES).exists():  # no files, or results of an earlier version
        return base
    own, files = _listed(folder / NAMES)
    here, there = _lacking(files, base), _lacking(files, own)
    if not here:
        return base
    if not there:
        return own
    wanted = ", ".join(str(base / files[key]["path"]) for key in here)
    raise ResultsError(
        f"{folder}: its scenario cannot be made again: {'; '.join(there.values())}. "
        f"Put back what was there, or make {wanted} of it; runs and series can be read without"
    )


def _lacking(files: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, str]:
    """What is missing or changed, by address, if paths are relative to ``folder``."""
    found = {}
    for key, entry in files.items():
        path = folder / entry["path"]
        try:
            known = content_hash(path) == entry["sha256"]
            why = "" if known else "is another one than in the run (SHA-256)"
        except FileNotFoundError:
            why = "does not exist (any more)"
        except OSError as error:
            why = f"cannot be read ({error.strerror})"
        if why:
            found[key] = f"{key}: {path} {why}"
    return found


def _listed(path: Path) -> tuple[Path, dict[str, dict[str, Any]]]:
    """The scenario's own folder, and the files by address."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = {
            key: {"path": str(entry["path"]), "sha256": str(entry["sha256"])}
            for key, entry in content["files"].items()
        }
        return Path(content["folder"]), files
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read ({error})") from error
    except (KeyError, TypeError, AttributeError):
        raise ResultsError(f"{path}: is not a files.json of alphacrit") from None


def _base(folder: Path, named: Sequence[str]) -> Path:
    """The folder in ``files/`` from which the relative paths ``named`` stay within ``files/``."""
    relative = [Path(name) for name in named if not Path(name).is_absolute()]
    up = max((path.parts.count("..") for path in relative), default=0)
    return folder.joinpath(COPIES, *(["here"] * up))


def text_at(tables: Mapping[str, Any], address: str) -> str:
    """The text at a dotted address; empty where there is none."""
    value: Any = tables
    for key in address.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""
