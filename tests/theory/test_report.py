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


@pytest.mark.once
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


@pytest.mark.once
def test_the_edge_of_ties_between_two_open_collectives_is_said() -> None:
    from tests import economies

    both = economies.scenario({}, 2)
    assert any("every division is at rest" in note for note in equilibria_report(both)["notes"])
    rivals = economies.scenario({"collectives.union.signal.overlap": {"guild": 1.0}}, 2)
    notes = equilibria_report(rivals)["notes"]
    assert not any("every division is at rest" in note for note in notes)


@pytest.mark.once
def test_a_stretch_of_ties_is_told_by_its_two_ends(tmp_path) -> None:
    from tests.theory.test_equilibria import exact_platform

    report = equilibria_report(exact_platform(tmp_path, "unlike"))
    told = "From c0 0, c1 0, c2 1 to c0 0, c1 0.727273, c2 0.272727 every division is an equili"
    assert sum(note.startswith(told) for note in report["notes"]) == 1
    ends = [e["other_ends"] for e in report["equilibria"] if e["continuum"]]
    assert ends[0][0]["c1"] == pytest.approx(8 / 11, abs=1e-9)
    assert not any("Between the two ends" in note for note in report["notes"])


def test_an_answer_below_what_was_measured_is_called_a_guess(tmp_path) -> None:
    """A table is a straight line from 0 to its smallest size, which even one person climbs."""
    from learners.measured.table import MeasuredTable
    from sim.trained_table import measured
    from tests.theory.test_equilibria import exact_platform

    platform = exact_platform(tmp_path, "allies")
    alone = platform.replace({"collectives": {"c0": platform.collectives["c0"].model_dump()}})
    for sizes, guess in (([0.2, 0.5, 1.0], True), ([0.05, 0.08, 0.1, 0.5, 1.0], False)):
        success = [float(size > 0.09) for size in sizes]
        table = MeasuredTable.of(alone.names, sizes, success, meta=measured(alone))
        table.save(tmp_path / "t.parquet")
        tabled = alone.replace({"platform": {"learner": "table", "table": "t.parquet"}})
        report = equilibria_report(tabled)
        assert any("its smallest measured size" in note for note in report["notes"]) == guess
        crit = report["collectives"]["c0"]["alpha_crit"]
        assert (crit < 0.2) if guess else (0.08 < crit < 0.1)
