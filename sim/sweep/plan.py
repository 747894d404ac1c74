"""What a sweep runs: the points of its design, each a scenario, times so many replicates.

>>> from sim.scenario import loads
>>> scenario = loads('''
... name = "olson"
... population = { size = 100, cost = 0.3 }
... collectives.union = { strategy = "feature_label", signal = { uniqueness = 0.01, gap = 1.0 } }
... platform = { learner = "bound" }
... sweep = { design = "grid", replications = 3, vary = { "population.cost" = [0.2, 0.4] } }
... ''')
>>> plan = plan_of(scenario)
>>> len(plan), plan.points[1].changes, plan.scenario_at(1).population.cost
(6, {'population.cost': 0.4}, 0.4)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from learners.errors import ScenarioError
from sim.scenario import Scenario
from sim.scenario_file import split_key
from sim.scenario_sweep import AnySweep, ListSweep
from sim.scenario_sweep_rules import judge_of, takes_whole_numbers
from sim.scenario_variation import varied
from sim.sweep.design import SAMPLED, Design, design_of
from sim.sweep.points_file import read_points
from sim.toml_text import inline

SHOWN = 5  # of a thousand points that break the same rule, the first few are named


@dataclass(frozen=True)
class Point:
    """One point of a design.

    Attributes
    ----------
    number : int
        From 0, in the order of the design.
    changes : mapping
        Dotted address → value, in the order of the plan's addresses. Values are Python values
        (a number, a text, a list or a table), fit for ``Scenario.replace``.
    """

    number: int
    changes: Mapping[str, Any]

    def __str__(self) -> str:
        changes = ", ".join(f"{key} = {inline(value)}" for key, value in self.changes.items())
        return f"point {self.number} ({changes})"


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep. Pickles; holds no scenario but the base.

    Attributes
    ----------
    scenario : Scenario
        What is varied, without its sweep.
    points : tuple of Point
        No two with the same changes; ``points[i].number == i``.
    replications : int
        Replicates 0 … replications − 1 of every point.
    worlds : "common" or "own"
        Whether replicate r has the same random world at every point.
    addresses : tuple of str
        What varies, in the order of the file.
    design : mapping
        What the design was, ready for JSON; see ``design_info``.
    notes : tuple of str
        What a user should know before it runs (points that coincide).
    """

    scenario: Scenario
    points: tuple[Point, ...]
    replications: int
    worlds: Literal["common", "own"] = "common"
    addresses: tuple[str, ...] = ()
    design: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of runs: points × replications."""
        return len(self.points) * self.replications

    def runs(self) -> Iterator[tuple[Point, int]]:
        """Every (point, replicate), point by point."""
        for point in self.points:
            for replicate in range(self.replications):
                yield point, replicate

    def scenario_at(self, point: Point | int) -> Scenario:
        """The scenario of a point; it has no sweep of its own.

        Raises
        ------
        ScenarioError
            The point is not a valid scenario (never for a plan that ``plan_of`` made, unless a
            file that the scenario names has changed since).
        """
        point = self.points[point] if isinstance(point, int) else point
        scenario = varied(self.scenario, point.changes)
        return scenario if self.worlds == "common" else _own_world(scenario)

    def design_info(self, numbers: Mapping[int, int] | None = None) -> dict[str, Any]:
        """The design as a JSON-able record, enough to analyse the sweep without the file.

        Parameters
        ----------
        numbers : mapping, optional
            Plan's point number → number of that point in a results folder, where they differ.

        Returns
        -------
        dict
            ``design``, ``addresses``, ``replications``, ``worlds`` and ``points`` (how many). For
            sampled designs also ``samples``, ``seed``, ``factors`` (one record for each address,
            see ``sim.sweep.design.Factor.info``), what else the design needs (``second_order``,
            ``levels``, ``scramble``), and ``rows``: the point number of each row of the design,
            which can meet a point twice (``sim.sweep.design.unit_sample`` makes the rows again).
        """
        info = {
            **self.design,
            "addresses": list(self.addresses),
            "replications": self.replications,
            "worlds": self.worlds,
            "points": len(self.points),
        }
        if "rows" in info and numbers is not None:
            info["rows"] = [numbers[row] for row in info["rows"]]
        return info


def plan_of(scenario: Scenario, sweep: AnySweep | Mapping[str, Any] | None = None) -> Plan:
    """The plan of a scenario's ``[sweep]``, every point of it checked.

    Parameters
    ----------
    scenario : Scenario
    sweep : one of the sweeps, or a mapping, optional
        In place of the scenario's own: the keys of a ``[sweep]`` table.

    Raises
    ------
    ScenarioError
        There is no sweep, the sweep is not valid, or some of its points are no valid scenarios.
    """
    if sweep is not None:
        tables = sweep if isinstance(sweep, Mapping) else sweep.model_dump(
            mode="json", by_alias=True, exclude_none=True
        )  # fmt: skip
        sweep = scenario.replace({"sweep": dict(tables)}).sweep
    else:
        sweep = scenario.sweep
    if sweep is None:
        words = 'missing; must be a table such as { design = "grid", vary = { … } }'
        raise ScenarioError(f"{scenario.name}: sweep: {words}")
    base = scenario.model_copy(update={"sweep": None})
    plan = _plan(base, sweep)
    _check_points(plan)
    return plan


def _plan(base: Scenario, sweep: AnySweep) -> Plan:
    """The plan, its points not yet checked."""
    judge = judge_of(Scenario, base.resolved())
    listed: tuple[tuple[str, ...], list[Any]] = ((), [])
    if isinstance(sweep, ListSweep):
        file = read_points(base.folder / sweep.points)
        listed = file.addresses, [values for _, values in file.rows]
    design = design_of(
        sweep,
        base.seed,
        lambda address, value: takes_whole_numbers(judge, split_key(address) or (), value),
        listed,
    )
    points, rows = _distinct(design)
    info, notes = dict(design.info), []
    if info["design"] in SAMPLED:
        info["rows"] = rows
    if len(points) < len(rows):
        notes.append(
            f"{len(rows) - len(points)} of the {len(rows)} points of the design are the same as "
            f"earlier ones; {len(points)} different ones are run"
        )
    return Plan(
        base, points, sweep.replications, sweep.worlds, design.addresses, info, tuple(notes)
    )


def _distinct(design: Design) -> tuple[tuple[Point, ...], list[int]]:
    """Every point once, in the order in which it comes first, and the point of each row."""
    numbers: dict[str, int] = {}
    points: list[Point] = []
    rows: list[int] = []
    for row in design.rows:
        changes = dict(zip(design.addresses, row, strict=True))
        number = numbers.setdefault(_identity(row), len(points))
        if number == len(points):
            points.append(Point(number, changes))
        rows.append(number)
    return tuple(points), rows


def _identity(row: tuple[Any, ...]) -> str:
    """A text that is the same for the same values; 1 and 1.0 are, 1 and true are not."""
    plain = [float(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in row]
    return json.dumps(plain, sort_keys=True, default=list)


def _check_points(plan: Plan) -> None:
    """Raise with the points that are no valid scenarios, the first few of them by name."""
    if "population.size" not in plan.addresses:
        plan.scenario.require_people()
    problems, wrong = [], 0
    for point in plan.points:
        try:
            plan.scenario_at(point).require_people()
        except ScenarioError as error:
            wrong += 1
            if wrong <= SHOWN:
                problems += [f"sweep: {point}: {problem}" for problem in error.problems]
    if wrong > SHOWN:
        problems.append(f"sweep: so with {wrong - SHOWN} more of {len(plan.points)} points")
    if problems:
        raise ScenarioError(problems)


def _own_world(scenario: Scenario) -> Scenario:
    """The same scenario with a seed of its own, made from its content (its seed included)."""
    content = hashlib.sha256(scenario.digest.encode()).digest()
    seed = int.from_bytes(content[:8]) >> 1  # 63 bits, as many as a scenario's seed may have
    return scenario.model_copy(update={"seed": seed})
