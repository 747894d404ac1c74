"""Everything the solvers say about a scenario, as one document for people and for JSON."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from analysis.by_size import Interpolated
from analysis.equilibria import Equilibrium, equilibria
from analysis.participation import participation_map
from analysis.quantal import logit_chain
from analysis.threshold import critical_threshold, investment
from learners.measured.table import TableSuccess
from learners.success import SuccessFunction
from sim.scenario import Scenario
from sim.scenario_platforms import PEOPLE_LEARNERS

SMALL = 200  # people up to whom the stationary law is written out


def equilibria_report(scenario: Scenario) -> dict[str, Any]:
    """What `alphacrit equilibria --json` prints.

    Returns
    -------
    dict with ``scenario``, ``digest``, ``success_kind``, ``collectives`` (α_crit, success there,
    the others' sizes, investment), ``equilibria`` (α, success, stable, residual), ``notes``, and
    for logit of few people who are alike ``stationary``. All numbers are finite or null.
    """
    pmap = participation_map(scenario)
    found = equilibria(pmap)
    collectives = {name: _collective(scenario, name) for name in scenario.names}
    report: dict[str, Any] = {
        "scenario": scenario.name,
        "digest": scenario.digest,
        "success_kind": pmap.success.kind,
        "protocol": scenario.revision.protocol,
        "collectives": collectives,
        "equilibria": [_equilibrium(e, scenario.names) for e in found],
        "notes": _notes(scenario, found)
        + _notes_on_ties(scenario, pmap.success, found)
        + _notes_on_people(scenario, pmap.success)
        + _notes_on_measuring(scenario, pmap.success, found, collectives),
    }
    chain = _stationary(scenario)
    if chain is not None:
        report["stationary"] = chain
    return _finite(report)


def _collective(scenario: Scenario, name: str) -> dict[str, Any]:
    threshold = critical_threshold(scenario, name)
    paid = investment(scenario, name, crit=threshold)
    return {
        "alpha_crit": threshold.alpha_crit,
        "success_at_crit": threshold.success_at_crit,
        "others": threshold.others,
        "method": threshold.method,
        "investment": {
            "per_capita": paid.per_capita,
            "total": paid.total,
            "unit": paid.unit,
            "bound": paid.bound,
            "in_success": paid.in_success,
            "method": paid.method,
            "tolerance": paid.tolerance,
        },
    }


def _equilibrium(point: Equilibrium, names: tuple[str, ...]) -> dict[str, Any]:
    found = {
        "alpha": dict(zip(names, point.alpha, strict=True)),
        "success": dict(zip(names, point.success, strict=True)),
        "stable": point.stable,
        "residual": point.residual,
        "continuum": point.continuum,
    }
    ends = [dict(zip(names, end, strict=True)) for end in point.other_ends]
    return found | ({"other_ends": ends} if ends else {})


def _notes(scenario: Scenario, found: tuple[Equilibrium, ...]) -> list[str]:
    revision, network = scenario.revision, scenario.population.network
    notes = []
    if network is not None and network.kind != "complete":
        notes.append(
            "These are the equilibria of the well-mixed population; on the network people see "
            "their neighbours instead."
        )
    if revision.protocol == "imitation":
        notes.append(
            "Imitators also rest wherever there is nobody better off to copy; these are the rest "
            "points of the participation map."
        )
    if revision.protocol == "logit":
        notes.append(f"Quantal response equilibria at noise {revision.noise:g}.")
    if revision.decides == "pivotal":
        notes.append("In the infinite population nobody is pivotal.")
    if scenario.principal is not None:
        notes.append("Without the principal's payments.")
        if scenario.platform.learner in PEOPLE_LEARNERS:
            notes.append("The principal prices her recruits by size, whoever they are.")
    if len(scenario.names) > 1:
        notes.append("Each α_crit holds the other collectives at the sizes stated.")
    stretches = {
        tuple(sorted((e.alpha, end))) for e in found for end in e.other_ends
    }  # told from both ends
    for one, other in sorted(stretches):
        notes.append(
            f"From {_divided(scenario, one)} to {_divided(scenario, other)} every division is an "
            "equilibrium: people are indifferent, and in a tie they stay."
        )
    if any(e.continuum and not e.other_ends for e in found):
        notes.append("Between the two ends marked as a continuum every share is an equilibrium.")
    return notes


def _divided(scenario: Scenario, alpha: tuple[float, ...]) -> str:
    """Sizes in words: ``union 0.25, guild 0.75``."""
    return ", ".join(f"{n} {a:.6g}" for n, a in zip(scenario.names, alpha, strict=True))


def _notes_on_ties(
    scenario: Scenario, success: SuccessFunction, found: tuple[Equilibrium, ...]
) -> list[str]:
    """Pairs of collectives between which the whole population may be divided in any way.

    Where everybody is a member and both do equally well at every division, ties keep people where
    they are; of this edge of rest points the solver names the corners and the middle, unless it
    found the whole stretch.
    """
    if scenario.revision.protocol != "best_response":
        return []
    names, notes = scenario.names, []
    open_to_all = [k for k, c in enumerate(scenario.collectives.values()) if c.recruits is None]
    for i, j in itertools.combinations(open_to_all, 2):
        divided = np.zeros((3, len(names)))
        divided[:, i] = (0.25, 0.5, 0.75)
        divided[:, j] = 1 - divided[:, i]
        s = success.at(divided)
        dues = [scenario.collectives[names[k]].dues for k in (i, j)]
        told = any(
            e.alpha[i] + e.alpha[j] == 1.0 == end[i] + end[j] for e in found for end in e.other_ends
        )
        if np.ptp(s[:, [i, j]] - dues) == 0 and s[0, i] > 0 and not told:
            notes.append(
                f"With everybody in {names[i]} or {names[j]} both do equally well however people "
                "are divided: where joining pays at all, every division is at rest, for in a tie "
                "people stay."
            )
    return notes


def _notes_on_people(scenario: Scenario, success: SuccessFunction) -> list[str]:
    """What the solvers' success by size leaves out where people are data points."""
    if scenario.platform.learner not in PEOPLE_LEARNERS:
        return []
    notes = [
        "People are data points, and the platform learns from those of the very people who join; "
        "here success goes by size, as if members were a random share of the population."
    ]
    chosen = [n for n, c in scenario.collectives.items() if c.recruits is not None]
    if chosen and any(group.where is not None for group in scenario.population.groups.values()):
        notes.append(
            f"{' and '.join(chosen)} recruit{'s' * (len(chosen) == 1)} people with particular "
            "data: runs can tip at another size than the one stated."
        )
    if isinstance(success, Interpolated):
        notes.append(f"Success is interpolated between trainings at {len(success.sizes)} sizes.")
    return notes


def _notes_on_measuring(
    scenario: Scenario,
    success: SuccessFunction,
    found: tuple[Equilibrium, ...],
    collectives: dict[str, dict[str, Any]],
) -> list[str]:
    """Where an answer rests on sizes below the smallest that was measured.

    There S is a straight line from 0, which any one person would climb; what S does there is not
    known.
    """
    if not isinstance(success, TableSuccess):
        return []
    notes = []
    for k, (name, least) in enumerate(zip(scenario.names, success.smallest, strict=True)):
        critical = collectives[name]["alpha_crit"]
        places = [e.alpha[k] for e in found if 0.0 < e.alpha[k] < least]
        if critical is not None and critical < least:
            places.append(critical)
        if places:
            what = "forms unaided" if critical == 0.0 else f"has α_crit {critical or 0:.6g}"
            if critical is None or critical >= least:
                what = f"is at rest at {min(places):.6g}"
            notes.append(
                f"{name} {what} by a straight line from 0 to its smallest measured size, "
                f"{least:.6g}: below that success was not measured, and the answer is a guess. "
                "Measure smaller sizes (alphacrit learn --from)."
            )
    return notes


def _stationary(scenario: Scenario) -> dict[str, Any] | None:
    people = scenario.population
    if scenario.revision.protocol != "logit" or people.infinite or people.size > SMALL:
        return None
    try:
        chain = logit_chain(scenario)
    except ValueError:
        return None
    return {
        "sees": chain.sees,
        "mean_share": chain.mean_share,
        "probability_of_members": chain.stationary.tolist(),
    }


def _finite(value: Any) -> Any:
    """Tables of plain numbers, with null where a float is not finite."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
