"""alphacrit: how collectives form on platforms that learn.

Everything a notebook needs is here under one name, and nothing is imported before it is used:

    import alphacrit

    scenario = alphacrit.load("scenarios/experiments/baseline.toml")
    alphacrit.critical_threshold(scenario, "union")     # the tipping point
    alphacrit.investment(scenario, "union")             # B, what it costs at most to get there
    result = alphacrit.run(scenario)                    # the people, one by one
    result.series                                       # a DataFrame over epochs

Scenarios
    ``load`` a file or a results folder, ``loads`` a text, ``Scenario``, ``fields`` (what every
    number of a scenario means)
Success functions
    ``success_function`` of a scenario; ``SuccessFunction``, ``Bound``, ``SeveralBound``;
    ``feature_label``, ``feature_only``, ``erasure``, ``gradient_neutralising``,
    ``gradient_control``; ``tight_bound``, ``constructiveness``
Measuring platforms that learn
    ``learn`` (a table of S over sizes), ``read_table``, ``TableSuccess``
Simulation
    ``run``, ``run_many``, ``RunResult``, ``Results``; ``Economy`` (a Mesa model) and ``Person``
    (a Mesa agent)
Analysis
    ``participation_map``, ``equilibria``, ``critical_threshold``, ``investment``,
    ``stationary_distribution``, ``mean_field_path``, ``equilibria_report``
Sweeps
    ``sweep`` (a scenario's ``[sweep]``, or what is missing of it), ``solve`` (the smallest value
    with which a target is reached)
Analysis of sweeps
    ``sweep_summary`` (a row per point, with intervals), ``sensitivity`` (Sobol's and Morris's
    indices), ``regression``, ``up_and_down`` (hysteresis), ``data_of_runs`` (any table of runs as
    a sweep), ``wilson`` and ``bootstrap_means``
Figures
    ``figures``: a module whose functions return matplotlib figures
Errors
    ``AlphacritError`` and below it ``ScenarioError``, ``NoSolutionError``, ``MissingError``,
    ``ResultsError``
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers; at run time __getattr__ reads _HOMES
    from alphacrit.running import run as run
    from analysis import figures
    from analysis.equilibria import equilibria as equilibria
    from analysis.hysteresis import up_and_down as up_and_down
    from analysis.intervals import bootstrap_means as bootstrap_means
    from analysis.intervals import wilson as wilson
    from analysis.mean_field import mean_field_path as mean_field_path
    from analysis.participation import participation_map as participation_map
    from analysis.quantal import stationary_distribution as stationary_distribution
    from analysis.regression import regression as regression
    from analysis.report import equilibria_report as equilibria_report
    from analysis.sensitivity import sensitivity as sensitivity
    from analysis.sweep_data import data_of_runs as data_of_runs
    from analysis.sweeps import sweep_summary as sweep_summary
    from analysis.threshold import critical_threshold as critical_threshold
    from analysis.threshold import investment as investment
    from learners.bounds import erasure as erasure
    from learners.bounds import feature_label as feature_label
    from learners.bounds import feature_only as feature_only
    from learners.bounds import gradient_control as gradient_control
    from learners.bounds import gradient_neutralising as gradient_neutralising
    from learners.errors import AlphacritError as AlphacritError
    from learners.errors import MissingError as MissingError
    from learners.errors import NoSolutionError as NoSolutionError
    from learners.errors import ResultsError as ResultsError
    from learners.errors import ScenarioError as ScenarioError
    from learners.measured.table import TableSuccess as TableSuccess
    from learners.measured.table import read_table as read_table
    from learners.several import SeveralBound as SeveralBound
    from learners.several import constructiveness as constructiveness
    from learners.several import tight_bound as tight_bound
    from learners.success import Bound as Bound
    from learners.success import SuccessFunction as SuccessFunction
    from sim.agents import Person as Person
    from sim.learning import learn as learn
    from sim.model import Economy as Economy
    from sim.results import Results as Results
    from sim.results import load as load
    from sim.runs import RunResult as RunResult
    from sim.runs import run_many as run_many
    from sim.scenario import Scenario as Scenario
    from sim.scenario import fields as fields
    from sim.scenario import loads as loads
    from sim.success_of import success_function as success_function
    from sim.sweep.face import solve as solve
    from sim.sweep.face import sweep as sweep

# module -> the public names that live in it
_HOMES = {
    "analysis.equilibria": ("equilibria",),
    "analysis.hysteresis": ("up_and_down",),
    "analysis.intervals": ("bootstrap_means", "wilson"),
    "analysis.mean_field": ("mean_field_path",),
    "analysis.participation": ("participation_map",),
    "analysis.quantal": ("stationary_distribution",),
    "analysis.regression": ("regression",),
    "analysis.report": ("equilibria_report",),
    "analysis.sensitivity": ("sensitivity",),
    "analysis.sweep_data": ("data_of_runs",),
    "analysis.sweeps": ("sweep_summary",),
    "analysis.threshold": ("critical_threshold", "investment"),
    "learners.bounds": (
        "erasure",
        "feature_label",
        "feature_only",
        "gradient_control",
        "gradient_neutralising",
    ),
    "learners.errors": (
        "AlphacritError",
        "MissingError",
        "NoSolutionError",
        "ResultsError",
        "ScenarioError",
    ),
    "learners.measured.table": ("TableSuccess", "read_table"),
    "learners.several": ("SeveralBound", "constructiveness", "tight_bound"),
    "learners.success": ("Bound", "SuccessFunction"),
    "sim.agents": ("Person",),
    "sim.model": ("Economy",),
    "sim.results": ("Results", "load"),
    "alphacrit.running": ("run",),
    "sim.runs": ("RunResult", "run_many"),
    "sim.scenario": ("Scenario", "fields", "loads"),
    "sim.learning": ("learn",),
    "sim.success_of": ("success_function",),
    "sim.sweep.face": ("solve", "sweep"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", "figures", *_HOME_OF]  # noqa: PLE0604 - names, from the table


def __getattr__(name: str) -> Any:
    """A public name, imported from its home when it is first asked for (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("alphacrit")
    elif name == "figures":
        value = import_module("analysis.figures")
    elif name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module 'alphacrit' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
