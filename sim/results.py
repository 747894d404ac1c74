"""Results on disk: one folder per scenario, written whole or not at all.

    results/<name>/<digest>/
        scenario.toml    the scenario as it was given
        resolved.json    every default filled in, every --set applied: what was really run
        meta.json        versions, seed, commit, host, durations, command, list of files
        runs.parquet     one tidy row per run
        series/          tidy long Parquet: run, replicate, epoch, collective, alpha, ...
        figures/         PNG and SVG
        files.json       the files that the scenario names, with SHA-256, if there are any
        files/           copies of them, but not of texts and models (sim.results_files)

A folder is made beside its final place and renamed at the end, so a reader never sees half of
one. ``series/`` and ``runs.parquet`` hold no times and no host: the same scenario, seed and
version give the same bytes. What differs from run to run is in ``meta.json`` alone, and where the
scenario's files lay in ``files.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learners.errors import ResultsError
from sim.folders import whole
from sim.provenance import provenance
from sim.results_files import folder_of_files, keep_files

if TYPE_CHECKING:
    import pandas as pd

    from sim.runs import RunResult
    from sim.scenario import Scenario
    from sim.sweep.store import SweepResults

FORMAT = 1
ROWS = 1 << 16  # of a row group of the series
_HARMLESS = {".DS_Store", "Thumbs.db"}


@dataclass(frozen=True)
class Results:
    """A results folder, opened; tables are read when they are first asked for.

    Attributes
    ----------
    folder : Path
        Where it lies.
    scenario : Scenario
        What was run, with every override applied (from ``resolved.json``).
    meta : dict
        ``meta.json``: versions, seed, commit, host, durations, command.
    runs : DataFrame
        One row per run: dotted parameters, ``replicate``, ``seed``, ``alpha.<collective>``,
        ``success.<collective>``, ``stopped``, ``spent``, ``welfare``, ``status``, ``error``.
    series : DataFrame
        Long: ``run``, ``replicate``, ``epoch``, ``collective``, ``alpha``, ``success``, ...
    """

    folder: Path
    meta: dict[str, Any]

    @cached_property
    def scenario(self) -> Scenario:
        return scenario_in(self.folder)

    @cached_property
    def runs(self) -> pd.DataFrame:
        return _table(self.folder / "runs.parquet")

    @cached_property
    def series(self) -> pd.DataFrame:
        return _table(self.folder / "series")

    def __repr__(self) -> str:
        name, digest = self.meta.get("scenario"), self.meta.get("digest")
        return f"<Results of {name} ({digest}) in {self.folder}>"


def load(path: str | os.PathLike[str], **options: Any) -> Scenario | Results | SweepResults:
    """Read a scenario file, or a results folder.

    Parameters
    ----------
    path : path
        A TOML file gives a ``Scenario``; a folder written by ``alphacrit run`` gives ``Results``,
        one of ``alphacrit sweep`` ``SweepResults``, also while it runs.
    **options
        ``overrides`` and ``seed`` of a scenario file (see ``sim.scenario.load``); none for a
        folder.

    Raises
    ------
    ScenarioError
        The file is not a valid scenario.
    ResultsError
        The folder is not one of ours, or is damaged.
    """
    from sim import scenario

    path = Path(path)
    if not path.is_dir():
        return scenario.load(path, **options)
    if options:
        raise TypeError(f"a results folder takes no {', '.join(options)}; it is already run")
    return open_results(path)


def open_results(folder: str | os.PathLike[str]) -> Results | SweepResults:
    """Open a results folder; ``ResultsError`` if it is not one of ours."""
    from sim.sweep import store

    folder = Path(folder)
    meta = read_meta(folder)
    if meta.get("kind") == store.KIND:
        return store.SweepResults(folder, meta)
    return Results(folder, meta)


def default_folder(scenario: Scenario) -> Path:
    """``results/<name>/<digest>`` under the working directory."""
    return Path("results") / scenario.name / scenario.digest


def check_folder(folder: Path, scenario: Scenario) -> None:
    """Raise ``ResultsError`` unless results of ``scenario`` may be written to ``folder``.

    Allowed are a place where nothing is, an empty folder, and a folder that holds finished
    results of the same scenario (same digest) and nothing that somebody else put there.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise ResultsError(f"{folder}: is a file; give a folder (--out DIR)")
    if not any(folder.iterdir()):
        return
    try:
        meta = read_meta(folder)
    except ResultsError:
        raise ResultsError(
            f"{folder}: is not empty and holds no alphacrit results; "
            "nothing was written. Give another folder (--out DIR)"
        ) from None
    if meta.get("digest") != scenario.digest:
        raise ResultsError(
            f"{folder}: holds results of another scenario ({meta.get('scenario')}, digest "
            f"{meta.get('digest')}; this one is {scenario.name}, {scenario.digest}); "
            "nothing was written. Give another folder (--out DIR)"
        )
    if meta.get("kind") != "run":
        raise ResultsError(
            f"{folder}: holds a {meta.get('kind')} of this scenario; nothing was written. "
            "Give another folder (--out DIR)"
        )
    foreign = sorted(set(_files(folder)) - set(meta.get("files", ())))
    if foreign:
        shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise ResultsError(
            f"{folder}: holds files that alphacrit did not write ({shown}); nothing was "
            "written, so that they are not lost. Move them, or give another folder (--out DIR)"
        )


def write(
    results: Sequence[RunResult],
    folder: Path | None = None,
    *,
    figures: Callable[[Path], None] | None = None,
    command: Sequence[str] = (),
    timing: dict[str, Any] | None = None,
) -> Path:
    """Write the runs of one scenario to ``folder``, whole or not at all.

    Parameters
    ----------
    results : sequence of RunResult
        Replicates of one scenario, in order.
    folder : Path, optional
        Default ``results/<name>/<digest>``.
    figures : callable, optional
        Is given the ``figures/`` folder (which exists) and draws into it.
    command : sequence of str
        The command line, for ``meta.json``.
    timing : dict
        Start and durations in seconds, for ``meta.json``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ResultsError
        The folder is not ours to replace, or the disk refused; then nothing has changed.
    """
    if not results:
        raise ValueError("no runs to write")
    scenario = results[0].scenario
    folder = default_folder(scenario) if folder is None else Path(folder)
    check_folder(folder, scenario)
    try:
        with whole(folder) as fresh:
            write_scenario(scenario, fresh)
            _write_tables(results, fresh)
            (fresh / "figures").mkdir()
            if figures is not None:
                figures(fresh / "figures")
            _write_meta(results, fresh, command, timing or {})
            check_folder(folder, scenario)  # somebody may have come in between
    except OSError as error:
        raise ResultsError(
            f"{folder}: cannot be written ({error.strerror or error}); give another --out DIR"
        ) from error
    return folder


# ---------------------------------------------------------------- the files


def write_scenario(scenario: Scenario, folder: Path) -> None:
    """Write ``scenario.toml``, ``resolved.json``, and what is kept of the files it names."""
    (folder / "scenario.toml").write_text(scenario.source, encoding="utf-8")
    _write_json(folder / "resolved.json", scenario.resolved())
    keep_files(scenario, folder)


def _write_tables(results: Sequence[RunResult], folder: Path) -> None:
    import pandas as pd

    runs = pd.DataFrame([_row(result) for result in results])
    _write_table(iter([runs]), folder / "runs.parquet")
    (folder / "series").mkdir()
    pieces = (piece for result in results for piece in result.record.pieces())
    _write_table(pieces, folder / "series" / "part-000000.parquet")


def _write_table(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    """Write a table that comes in pieces, never holding more than ``ROWS`` rows and one piece."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    with ExitStack() as files:
        writer: Any = None
        for some in _gathered(pieces):
            table = pa.Table.from_pandas(
                pd.concat(some, ignore_index=True), writer and writer.schema, preserve_index=False
            )
            if writer is None:
                writer = parquet.ParquetWriter(path, table.schema, compression="zstd")
                files.enter_context(writer)
            writer.write_table(table)


def _gathered(pieces: Iterator[pd.DataFrame]) -> Iterator[list[pd.DataFrame]]:
    """The pieces, as many at a time as make ``ROWS`` rows: a row group of Parquet each."""
    some: list[pd.DataFrame] = []
    rows = 0
    for piece in pieces:
        some.append(piece)
        rows += len(piece)
        if rows >= ROWS:
            yield some
            some, rows = [], 0
    if some:
        yield some


def _row(result: RunResult) -> dict[str, Any]:
    """One tidy row of ``runs.parquet``: parameters, then what came out."""
    summary = result.summary
    row: dict[str, Any] = dict(result.scenario.flat())
    row |= {"digest": summary["digest"], "replicate": summary["replicate"]}
    row |= {"seed": summary["seed"], "last_epoch": summary["epochs"]}
    for name, final in summary["final"].items():
        row[f"alpha.{name}"] = float(final["alpha"])
        row[f"success.{name}"] = float(final["success"])
    row |= {"stopped": summary["stopped"], "spent": float(summary["spent"])}
    return row | {"welfare": float(summary["welfare"]), "status": "ok", "error": ""}


def _write_meta(
    results: Sequence[RunResult], folder: Path, command: Sequence[str], timing: dict[str, Any]
) -> None:
    scenario = results[0].scenario
    meta = {
        "format": FORMAT,
        "kind": "run",
        "scenario": scenario.name,
        "digest": scenario.digest,
        "seed": scenario.seed,
        "replicates": len(results),
        "engine": ", ".join(sorted({result.summary["engine"] for result in results})),
        **provenance(),
        "command": list(command),
        "timing": timing,
        "files": sorted([*_files(folder), "meta.json"]),
    }
    _write_json(folder / "meta.json", meta)


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


# ---------------------------------------------------------------- reading


def _files(folder: Path) -> list[str]:
    """Files in ``folder``, relative, with '/', without what operating systems drop there."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not (path.is_dir() and not path.is_symlink()) and path.name not in _HARMLESS
    )


def read_meta(folder: Path) -> dict[str, Any]:
    """``meta.json`` of a folder; ``ResultsError`` if there is none of ours."""
    path = folder / "meta.json"
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultsError(f"{folder}: no results of alphacrit here (no meta.json)") from None
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read ({error})") from error
    if not isinstance(meta, dict) or "digest" not in meta or "format" not in meta:
        raise ResultsError(f"{path}: is not a meta.json of alphacrit")
    if meta["format"] != FORMAT:
        raise ResultsError(
            f"{path}: has format {meta['format']}; this version of alphacrit reads {FORMAT}"
        )
    return meta


def scenario_in(folder: Path) -> Scenario:
    """The scenario of a folder, from ``resolved.json``.

    Raises
    ------
    ResultsError
        It cannot be read, or files that it names are missing or changed.
    """
    from sim.scenario import from_resolved

    tables = tables_in(folder)
    return from_resolved(tables, folder_of_files(folder, tables))


def tables_in(folder: Path) -> dict[str, Any]:
    """The tables of ``resolved.json``; they can be read where the scenario's files are gone."""
    path = folder / "resolved.json"
    try:
        tables: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read ({error})") from error
    return tables


def _table(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read ({error})") from error
