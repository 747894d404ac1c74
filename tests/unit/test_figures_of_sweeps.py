"""Figures of sweeps show the summary's numbers, with theory on top."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, QuadMesh

from alphacrit.cli import main
from analysis import figures
from analysis.boundary import axis_of, boundary
from analysis.equilibria import equilibria
from analysis.formation import outcome_of
from analysis.hysteresis import up_and_down
from analysis.sensitivity import sensitivity
from analysis.sweep_data import SweepData, data_of_runs, sweep_data
from analysis.sweeps import sweep_summary
from sim.scenario import loads
from sim.sweep.plan import plan_of
from sim.sweep.runner import Options, sweep
from tests.unit.sweeps import STUDY

MEAN, FREE, START = "population.cost.mean", "population.free_riding", "collectives.union.start"
COST = "population.cost"
VARY = {COST: [0.0, 0.2, 0.5], FREE: [0.0, 0.3]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures") / "made"
    base = loads(STUDY).replace({COST: 0.3, "collectives.union.signal.uniqueness": 0.045})
    sweep(plan_of(base, {"design": "grid", "replications": 4, "vary": VARY}), folder, Options())
    return folder


def marked(axes: Axes, gid: str) -> Any:
    (found,) = (each for each in axes.get_children() if each.get_gid() == gid)
    return found


def cells(axes: Axes) -> np.ndarray:
    mesh = marked(axes, "cells")
    assert isinstance(mesh, QuadMesh)
    return np.ma.filled(mesh.get_array().astype(float), np.nan)


def by_hand(rows: list[dict[str, Any]], addresses: list[str]) -> SweepData:
    return data_of_runs(pd.DataFrame(rows), loads(STUDY), addresses)


def test_the_phase_diagram_holds_the_formation_probabilities(made: Path) -> None:
    axes = figures.phase_diagram(made, COST, FREE).axes[0]
    table = sweep_summary(made).pivot(index=FREE, columns=COST, values="formed.union")
    np.testing.assert_array_equal(cells(axes), table.to_numpy())
    assert (axes.get_xlabel(), axes.get_ylabel()) == (COST, FREE)
    assert axes.get_title(loc="left") == "formation probability over 4 replicates"
    turned = figures.phase_diagram(made, FREE, COST).axes[0]
    np.testing.assert_array_equal(cells(turned), table.to_numpy().T)


def test_the_curve_on_it_is_that_of_theory(made: Path) -> None:
    data = sweep_data(made)
    figure = figures.phase_diagram(data, COST, FREE)
    drawn = marked(figure.axes[0], "unaided")
    assert isinstance(drawn, LineCollection)
    x, y = (axis_of(data.scenario, key, data.points[key].tolist()) for key in (COST, FREE))
    expected = boundary(data.scenario, x, y, "union")
    assert len(expected) > 3
    np.testing.assert_allclose(drawn.get_segments(), expected)
    (legend,) = figure.legends
    assert legend.get_texts()[0].get_text() == "theory: α_crit = 0.05, the start"


def test_an_average_hides_theory_and_a_slice_shows_it() -> None:
    rows = [
        {MEAN: m, FREE: f, START: s, "alpha.union": s * (m + f)}
        for m in (0.1, 0.5) for f in (0.0, 0.4) for s in (0.002, 0.5)
    ]  # fmt: skip
    data = by_hand(rows, [MEAN, FREE, START])
    averaged = figures.heat_map(data, MEAN, FREE).axes[0]
    assert "1 more parameter varies" in averaged.get_title(loc="left")
    np.testing.assert_allclose(cells(averaged), 0.251 * np.array([[0.1, 0.5], [0.5, 0.9]]))
    cut = figures.heat_map(data, MEAN, FREE, at={START: 0.5}).axes[0]
    np.testing.assert_allclose(cells(cut), 0.5 * np.array([[0.1, 0.5], [0.5, 0.9]]))
    assert not figures.phase_diagram(data, MEAN, FREE).legends
    assert figures.phase_diagram(data, START, MEAN, at={FREE: 0.0}).legends
    with pytest.raises(ValueError, match="no point of the sweep is there"):
        figures.heat_map(data, MEAN, FREE, at={START: 0.9})


def test_gaps_words_logarithms_and_designs_without_a_lattice() -> None:
    rule, gap = "revision.protocol", "collectives.union.signal.uniqueness"
    rows = [
        {rule: r, gap: g, "alpha.union": g, "status": "ok"}
        for r in ("best_response", "imitation") for g in (0.001, 0.01, 0.1)
    ]  # fmt: skip
    rows[1] |= {"status": "failed", "alpha.union": np.nan}
    axes = figures.heat_map(by_hand(rows, [rule, gap]), rule, gap).axes[0]
    drawn = cells(axes)
    assert np.isnan(drawn[1, 0]) and np.isfinite(drawn).sum() == 5
    assert axes.get_yscale() == "log"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["best_response", "imitation"]
    rng = np.random.default_rng(1)
    scattered = [
        {MEAN: m, FREE: f, "alpha.union": m} for m, f in rng.uniform(0.1, 0.4, (40, 2)).tolist()
    ]
    points = marked(figures.heat_map(by_hand(scattered, [MEAN, FREE])).axes[0], "points")
    assert len(points.get_offsets()) == 40
    assert sorted(points.get_array()) == pytest.approx(sorted(each[MEAN] for each in scattered))


def test_planes_that_are_none_are_refused(made: Path) -> None:
    with pytest.raises(ValueError, match="a plane has two parameters; 1 vary"):
        figures.heat_map(by_hand([{MEAN: 0.1, "alpha.union": 1.0}], [MEAN]))
    with pytest.raises(ValueError, match="must be two addresses"):
        figures.heat_map(made, COST, COST)
    with pytest.raises(ValueError, match=r"got population\.size; must be an address that varies"):
        figures.heat_map(made, "population.size")


def test_a_bifurcation_diagram_is_equilibria_and_the_two_ways(made: Path) -> None:
    base, values = sweep_data(made).scenario, [0.1, 0.4, 1.2]
    axes = figures.bifurcation(base, COST, values).axes[0]
    points = [(v, p) for v in values for p in equilibria(base.replace({COST: v}))]
    for stable, gid in ((True, "stable"), (False, "unstable")):
        line = marked(axes, gid)
        expected = [(v, p.alpha[0]) for v, p in points if p.stable == stable]
        assert list(zip(*line.get_data(), strict=True)) == expected
    ways = up_and_down(base, COST, values)
    for way in ("up", "down"):
        own = ways[ways["way"] == way]
        x, y = marked(axes, way).get_data()
        assert (x.tolist(), y.tolist()) == (own["value"].tolist(), own["alpha"].tolist())
    alone = figures.bifurcation(base, COST, values, by=None).axes[0]
    assert {each.get_gid() for each in alone.lines} == {"stable", "unstable"}


@pytest.mark.parametrize(("design", "names"), [("saltelli", ("first", "total")),
                                               ("morris", ("mu_star", "sigma"))])  # fmt: skip
def test_the_chart_of_indices(design: str, names: tuple[str, str], tmp_path: Path) -> None:
    vary = {MEAN: {"from": 0.1, "to": 0.5}, FREE: {"from": 0.0, "to": 0.4}}
    plan = plan_of(loads(STUDY), {"design": design, "samples": 8, "vary": vary})
    sweep(plan, tmp_path / "s", Options(series=False))
    found = sensitivity(tmp_path / "s", "welfare")
    axes = figures.sensitivity_chart(found).axes[0]
    order = found.table.sort_values("total" if design == "saltelli" else "mu_star")
    assert [t.get_text() for t in axes.get_yticklabels()] == order["address"].tolist()
    for name in names:
        assert marked(axes, name).get_xdata().tolist() == order[name].tolist()
    ends = [
        segment[:, 0].tolist() for segment in marked(axes, f"interval-{names[0]}").get_segments()
    ]
    np.testing.assert_allclose(ends, order[[f"{names[0]}.low", f"{names[0]}.high"]])


def test_spending_against_b(made: Path) -> None:
    data = sweep_data(made)
    payer = {"policy": "subsidy", "budget": 5.0, "collective": "union"}
    paying = replace(data, scenario=data.scenario.replace({"principal": payer}))
    table = pd.DataFrame({
        "bound": [1.0, 2.0, np.nan], "spent": [0.9, 0.5, 3.0], "spent.low": [0.8, 0.5, 3.0],
        "spent.high": [1.0, 0.5, 3.0], "formed.union": [1.0, 0.25, 0.0],
    })  # fmt: skip
    axes = figures.spending(paying, table).axes[0]
    assert marked(axes, "forms").get_xydata().tolist() == [[1.0, 0.9]]
    assert marked(axes, "does not form").get_xydata().tolist() == [[2.0, 0.5]]
    with pytest.raises(ValueError, match="has no principal"):
        figures.spending(data)


def test_the_command_draws_what_suits(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["analyze", str(made), "--figures", "--along", COST, "--out", str(tmp_path), "--json"]
    assert main(call) == 0
    files = {Path(name).name for name in json.loads(capsys.readouterr().out)["files"]}
    stems = ("phase.union", "heat.alpha.union", "bifurcation.union")
    assert files == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")}
    assert all((tmp_path / name).stat().st_size > 5000 for name in files)


def test_heat_maps_of_what_formed_agree_with_the_runs(made: Path) -> None:
    data = sweep_data(made)
    formed = outcome_of(data, "formed.union")
    heat = cells(figures.heat_map(data, COST, FREE, "formed.union").axes[0])
    assert heat.mean() == pytest.approx(formed.mean())
    assert set(np.unique(formed)) == {0.0, 1.0}
