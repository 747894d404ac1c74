"""Sweeps and the inverse question in one call each, for a notebook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sim.scenario import Scenario
from sim.sweep import inverse
from sim.sweep.plan import Plan, plan_of
from sim.sweep.question import Question, Solution
from sim.sweep.runner import Options
from sim.sweep.runner import sweep as run_plan
from sim.sweep.store import SweepResults
from sim.sweep.target import target_of


def sweep(
    what: Scenario | Plan, folder: str | os.PathLike[str] | None = None, **options: Any
) -> SweepResults:
    """Run a scenario's ``[sweep]`` (or a plan), or what is missing of it, and open the results.

    Parameters
    ----------
    what : Scenario with a ``[sweep]``, or Plan
    folder : path, optional
        Default ``results/<name>/<digest>``.
    **options
        As in ``sim.sweep.runner.Options``; ``resume`` is on unless it is said to be off.

    Raises
    ------
    ScenarioError
        The scenario has no sweep, or one that cannot be run.
    ResultsError
        The folder holds something else.
    """
    plan = what if isinstance(what, Plan) else plan_of(what)
    place = None if folder is None else Path(folder)
    return run_plan(plan, place, Options(**{"resume": True, **options})).results


def solve(
    scenario: Scenario, address: str, low: float, high: float, target: str, **ways: Any
) -> Solution:
    """The smallest value of one number of a scenario with which a target is reached.

    Parameters
    ----------
    scenario : Scenario
    address : str
        What may vary, ``"principal.budget"``.
    low, high : float
        Range of its values.
    target : str
        ``"final.union.alpha>=0.5"``, ``"spent<=40"``, ``"welfare>=0.3"``, ``"epochs<=20"``.
    **ways
        ``share``, ``confidence``, ``tolerance``, ``largest``, ``most_runs`` of
        ``sim.sweep.question.Question``.

    Raises
    ------
    ScenarioError
        The address or an end of the range is not valid.
    NoSolutionError
        The target is not reached in the range.
    """
    question = Question(address, low, high, target_of(target, scenario.names), **ways)
    return inverse.solve(scenario, question)
