"""The document of `alphacrit equilibria --json`."""

from __future__ import annotations

import json

import pytest

from analysis.report import equilibria_report
from tests.economies import scenario


def test_the_contract():
    world = scenario()
    report = json.loads(json.dumps(equilibria_report(world), allow_nan=False))
    assert report["scenario"] == "test" and report["digest"] == world.digest
    assert report["success_kind"] == "lower_bound"
    union = report["collectives"]["union"]
    assert union["alpha_crit"] == pytest.approx(0.0157480315, abs=1e-10)
    assert union["success_at_crit"] == pytest.approx(0.375, abs=1e-12)
    paid = union["investment"]
    assert paid["per_capita"] == pytest.approx(0.00371264, abs=5e-9)
    assert paid["total"] == pytest.approx(3.71264, abs=5e-6)
    assert (paid["unit"], paid["bound"]) == ("utility", "upper")
    assert [e["alpha"]["union"] for e in report["equilibria"]][::2] == [0.0, 1.0]
    assert [e["stable"] for e in report["equilibria"]] == [True, False, True]
    assert set(report["equilibria"][0]) >= {"alpha", "success", "stable", "residual"}
    assert report["notes"] == [] and "stationary" not in report


def test_where_no_size_suffices_numbers_are_null():
    report = equilibria_report(scenario({"population.free_riding": 1.0}))
    union = report["collectives"]["union"]
    assert union["alpha_crit"] is None and union["success_at_crit"] is None
    assert union["investment"]["per_capita"] is None and union["investment"]["total"] is None
    assert len(report["equilibria"]) == 1


def test_others_are_stated_and_the_reader_is_warned():
    report = equilibria_report(scenario({"collectives.guild.start": 0.05}, collectives=2))
    assert report["collectives"]["union"]["others"] == {"guild": 0.05}
    assert any("holds the other collectives" in note for note in report["notes"])
    network = {"population.network": {"kind": "watts_strogatz", "k": 4, "p": 0.1}}
    assert "well-mixed" in equilibria_report(scenario(network))["notes"][0]
    assert "copy" in equilibria_report(scenario({"revision.protocol": "imitation"}))["notes"][0]


def test_few_people_who_are_alike_get_their_stationary_law():
    logit = {"revision.protocol": "logit", "revision.noise": 0.2, "population.size": 20}
    report = equilibria_report(scenario({**logit, "revision.activation": "sequential"}))
    law = report["stationary"]
    assert len(law["probability_of_members"]) == 21
    assert sum(law["probability_of_members"]) == pytest.approx(1.0)
    mixed = {**logit, "population.cost": {"dist": "uniform", "low": 0.1, "high": 0.4}}
    assert "stationary" not in equilibria_report(scenario(mixed))


def test_the_edge_of_ties_between_two_open_collectives_is_said() -> None:
    from tests import economies

    both = economies.scenario({}, 2)
    assert any("every division is at rest" in note for note in equilibria_report(both)["notes"])
    rivals = economies.scenario({"collectives.union.signal.overlap": {"guild": 1.0}}, 2)
    notes = equilibria_report(rivals)["notes"]
    assert not any("every division is at rest" in note for note in notes)
