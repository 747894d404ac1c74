"""One ``alphacrit analyze``: what is asked, what comes out, as tables, JSON, CSV and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alphacrit import terminal
from learners.errors import AlphacritError, ResultsError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.formation import Levels, Thresholds
    from analysis.regression import Regression
    from analysis.sensitivity import Sensitivity
    from analysis.sweep_data import SweepData

CRITICAL = (
    "above its critical threshold at the end; at half of those who may join or more where theory "
    "has no threshold > 0"
)


class AskError(ValueError):
    """What is asked of a sweep that it does not have; a fault of usage."""


@dataclass(frozen=True)
class Ask:
    """What is to be found out.

    Attributes
    ----------
    outcomes : tuple of str
        For indices, regression and heat maps; empty: the size of every collective.
    formed : float or None
        Share from which on a collective has formed; None: its critical threshold.
    confidence : float in (0, 1)
    x, y, along : str or None
        Addresses of the figures.
    """

    outcomes: tuple[str, ...] = ()
    formed: float | None = None
    confidence: float = 0.95
    x: str | None = None
    y: str | None = None
    along: str | None = None


@dataclass(frozen=True)
class Analysis:
    """What was found in a sweep; ``notes`` say what could not be, and why."""

    folder: Path
    ask: Ask
    data: SweepData
    levels: Levels
    thresholds: Thresholds
    summary: pd.DataFrame
    sensitivity: tuple[Sensitivity, ...]
    regression: tuple[Regression, ...]
    notes: tuple[str, ...]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Outcomes that were asked for."""
        return self.ask.outcomes or tuple(f"alpha.{name}" for name in self.data.scenario.names)

    def document(self) -> dict[str, Any]:
        """The JSON of ``alphacrit analyze``."""
        counts = self.summary[["runs", "failed", "missing"]].sum().to_dict()
        return {
            "scenario": self.data.scenario.name,
            "digest": self.data.scenario.digest,
            "folder": str(self.folder),
            "addresses": list(self.data.addresses),
            "confidence": self.ask.confidence,
            "formed": CRITICAL if self.ask.formed is None else f"at {self.ask.formed} or more",
            "runs": {"ok": counts["runs"], **{key: counts[key] for key in ("failed", "missing")}},
            "points": records(self.summary),
            "sensitivity": [_record(each) for each in self.sensitivity],
            "regression": [_record(each) for each in self.regression],
            "notes": list(self.notes),
        }


def analyse(folder: Path, ask: Ask, quiet: bool = False) -> Analysis:
    """Sum up a sweep.

    Raises
    ------
    ResultsError
        The folder is none of results.
    AskError
        It has no such outcome or address.
    """
    from analysis.formation import Thresholds, levels_of
    from analysis.sensitivity import DESIGNS, sensitivity
    from analysis.sweep_data import sweep_data
    from analysis.sweeps import sweep_summary

    data = sweep_data(folder)
    outcomes = _checked(data, ask)
    thresholds = Thresholds()
    with terminal.watch("solving thresholds", len(data.points), quiet) as progress:
        levels = levels_of(data, ask.formed, thresholds, progress.advance)
    summary = sweep_summary(data, confidence=ask.confidence, levels=levels)
    notes: list[str] = []
    options: Any = {"confidence": ask.confidence, "levels": levels}
    indices: list[Sensitivity] = []
    if any(each["design"] in DESIGNS for each in data.designs):
        indices = _each(outcomes, notes, lambda name: sensitivity(data, name, **options))
    lines = _regressions(data, outcomes, notes, options)
    return Analysis(
        folder, ask, data, levels, thresholds, summary, tuple(indices), tuple(lines), tuple(notes)
    )


def _regressions(
    data: SweepData, outcomes: tuple[str, ...], notes: list[str], options: Any
) -> list[Regression]:
    from analysis.regression import regression

    if not data.addresses:
        return []
    return _each(outcomes, notes, lambda name: regression(data, name, **options))


def _each(outcomes: tuple[str, ...], notes: list[str], find: Callable[[str], Any]) -> list[Any]:
    """What there is to find for every outcome; what there is not is noted once."""
    found = []
    for outcome in outcomes:
        try:
            found.append(find(outcome))
        except AlphacritError as error:
            if str(error) not in notes:
                notes.append(str(error))
    return found


def _checked(data: SweepData, ask: Ask) -> tuple[str, ...]:
    """The outcomes; ``AskError`` where something asked for is not there."""
    names = data.scenario.names
    known = [*data.outcomes, *(f"formed.{name}" for name in names)]
    for outcome in ask.outcomes:
        if outcome not in known:
            raise AskError(f"--outcome: got {outcome}; must be one of {', '.join(known)}")
    for option, address in (("--x", ask.x), ("--y", ask.y), ("--along", ask.along)):
        if address is not None and address not in data.addresses:
            has = ", ".join(data.addresses) or "none does"
            raise AskError(f"{option}: got {address}; must be an address that varies: {has}")
    if ask.along is not None and not data.is_numeric(ask.along):
        raise AskError(f"--along: got {ask.along}; its values must be numbers")
    return ask.outcomes or tuple(f"alpha.{name}" for name in names)


# --- files --------------------------------------------------------------------------------------


def write(
    found: Analysis, out: Path | None, csv: bool, figures: bool, quiet: bool = False
) -> list[Path]:
    """Write tables and figures to a folder; returns what was written.

    Raises
    ------
    ResultsError
        The disk refuses.
    AskError
        No folder is given for what is no sweep.
    """
    if out is None and not found.data.designs:
        raise AskError(f"--out: missing; {found.folder} is of one scenario and stays as it is")
    out = found.folder / "analysis" if out is None else out
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = list(_write_tables(found, out)) if csv else []
        return written + (list(_write_figures(found, out, quiet)) if figures else [])
    except OSError as error:
        raise ResultsError(
            f"{out}: cannot be written ({error.strerror or error}); give another --out DIR"
        ) from error


def _write_tables(found: Analysis, out: Path) -> Iterator[Path]:
    from learners.measured.cache import write_whole

    tables = {"points": found.summary, "runs": found.data.runs}
    for kind in ("sensitivity", "regression"):
        records = getattr(found, kind)
        if records:
            tables[kind] = _stacked(records)
    for name, table in tables.items():
        path = out / f"{name}.csv"
        write_whole(path, table.to_csv(index=False, lineterminator="\n").encode())
        yield path


def _stacked(records: tuple[Any, ...]) -> pd.DataFrame:
    """Tables of several outcomes one below the other, with the outcome before them."""
    import pandas as pd

    tables = []
    for each in records:
        table = each.table.copy()
        table.insert(0, "outcome", each.outcome)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _write_figures(found: Analysis, out: Path, quiet: bool) -> Iterator[Path]:
    from analysis import figures

    waiting = drawings(found)
    with terminal.watch("drawing", len(waiting), quiet) as progress:
        for name, draw in waiting.items():
            yield from figures.save(draw(), out / name)
            progress.advance()


def drawings(found: Analysis) -> dict[str, Callable[[], Figure]]:
    """The figures that suit a sweep, by the name of their file, each drawn when it is called."""
    from analysis import figures
    from analysis.figure_bifurcation import values_along
    from sim.scenario_platforms import SLOW_LEARNERS

    data, ask = found.data, found.ask
    names = data.scenario.names
    every: dict[str, Callable[[], Figure]] = {}
    if len(data.addresses) > 1:
        for name in names:
            every[f"phase.{name}"] = partial(
                figures.phase_diagram, data, ask.x, ask.y, name,
                levels=found.levels, thresholds=found.thresholds,
            )  # fmt: skip
        for outcome in found.outcomes:
            every[f"heat.{outcome}"] = partial(
                figures.heat_map, data, ask.x, ask.y, outcome, levels=found.levels
            )
    for indices in found.sensitivity:
        every[f"sensitivity.{indices.outcome}"] = partial(figures.sensitivity_chart, indices)
    if data.scenario.principal is not None:
        every["spending"] = partial(figures.spending, data, found.summary)
    numbers = [name for name in data.addresses if data.is_numeric(name)]
    quick = data.scenario.platform.learner not in SLOW_LEARNERS
    along = ask.along or (numbers[0] if len(numbers) == 1 and quick else None)
    if along is not None and along != "population.size" and data.points[along].nunique() > 1:
        values = values_along(data.scenario, along, data.points[along].tolist())
        for name in names:
            every[f"bifurcation.{name}"] = partial(
                figures.bifurcation, data.scenario, along, values, name
            )
    return every


# --- for programs -------------------------------------------------------------------------------


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings from column to value."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _record(found: Any) -> dict[str, Any]:
    """A frozen record with its tables as lists of rows."""
    import pandas as pd

    record = dict(vars(found))
    return {
        key: records(value) if isinstance(value, pd.DataFrame) else value
        for key, value in record.items()
    }
