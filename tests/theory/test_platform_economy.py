"""Agents on an exact Bayes platform that is retrained on their own data every epoch.

The agents tip where `equilibria` on the exact S says, within the sampling error of N people; the
analytic bound of the same signal asks for more; and it matters who joins.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.equilibria import equilibria
from analysis.report import equilibria_report
from analysis.threshold import critical_threshold
from learners.errors import ResultsError, ScenarioError
from learners.finite.bayes import BayesPlatform
from learners.measured.table import MeasuredTable
from sim.distributions import type_classes
from sim.model import Economy
from sim.results import open_results, write
from sim.runs import run
from sim.scenario import Scenario, load, loads
from sim.streams import Streams
from sim.success_of import success_function
from sim.trained_table import measured

N = 40_000
WATERMARK = """\
watermark,age,label,weight
no,old,a,610
no,old,b,90
no,young,a,80
no,young,b,170
yes,old,a,28
yes,old,b,2
yes,young,a,17
yes,young,b,3
"""
FORMATION = """\
name = "formation"
seed = 5
population = { size = 40_000, cost = 0.5 }
[collectives.union]
strategy = "feature_label"
signal = { set = { watermark = "yes" } }
target = "b"
[platform]
learner = "bayes"
universe = "p0.csv"
weight = "weight"
"""


@pytest.fixture(scope="module")
def formation(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    folder = tmp_path_factory.mktemp("universe")
    (folder / "p0.csv").write_text(WATERMARK)
    (folder / "formation.toml").write_text(FORMATION)
    return load(folder / "formation.toml")


def platform(scenario: Scenario) -> BayesPlatform:
    found = success_function(scenario)
    assert isinstance(found, BayesPlatform)
    return found


def forms(scenario: Scenario, start: float, replicate: int = 0) -> bool:
    """Whether the collective ends with everybody who may join, not with nobody."""
    economy = Economy(scenario.replace({"collectives.union.start": start}), replicate)
    final = economy.run().summary["final"]["union"]["alpha"]
    most = float(economy.eligible[economy.population.group, 0].mean())
    assert final in (0.0, pytest.approx(most))
    return bool(final > 0.0)


def tipping_point(scenario: Scenario, low: float, high: float, replicate: int = 0) -> float:
    """The start below which it dies, by halving, to a quarter of 1/√N."""
    while high - low > 0.25 / np.sqrt(N):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if forms(scenario, middle, replicate) else (middle, high)
    return high


# --- where it tips -------------------------------------------------------------------------------


def test_the_staircase_by_hand(formation: Scenario) -> None:
    """The planted point x is won where α·G(x) > (1 − α)(P₀(x, a) − P₀(x, b)), G share of ages."""
    ratio = np.array([(0.028 - 0.002) / 0.73, (0.017 - 0.003) / 0.27])
    curve = platform(formation).curve(0)
    assert curve.steps == pytest.approx(ratio / (1 + ratio), rel=1e-9)
    assert curve.levels == pytest.approx([0.0, 0.73, 1.0], abs=1e-12)


def test_agents_tip_where_the_exact_success_says(formation: Scenario) -> None:
    stable = {e.alpha[0] for e in equilibria(formation) if e.stable}
    (saddle,) = (e for e in equilibria(formation) if not e.stable)
    assert stable == {0.0, 1.0}
    crit = critical_threshold(formation).alpha_crit
    assert saddle.alpha[0] == pytest.approx(crit, abs=1e-9)
    for replicate in range(3):
        found = tipping_point(formation, 0.0, 0.2, replicate)
        assert found == pytest.approx(saddle.alpha[0], abs=2 / np.sqrt(N))


def test_the_bound_tips_later(formation: Scenario) -> None:
    known = platform(formation).parameters["union"]
    signal = {"uniqueness": known.uniqueness, "gap": known.gap}
    bound = formation.replace(
        {"platform": {"learner": "bound"}, "collectives.union.signal": signal}
    )
    exact, guaranteed = (critical_threshold(s).alpha_crit for s in (formation, bound))
    assert exact is not None
    assert guaranteed is not None
    assert guaranteed > exact + 4 / np.sqrt(N)
    # Between the two the collective forms, of which the bound knows nothing.
    between = 0.5 * (exact + guaranteed)
    assert forms(formation, between)
    assert not forms(bound, between)


def test_costs_that_differ_have_their_rest_points_on_the_steps(formation: Scenario) -> None:
    """F(α) is a step function of α; the agents end near a stable point of it."""
    mixed = formation.replace(
        {"population.cost": {"dist": "uniform", "low": 0.2, "high": 1.4}, "epochs": 100}
    )
    points = equilibria(mixed)
    stable = [e.alpha[0] for e in points if e.stable]
    middle, top = (0.73 - 0.2) / 1.2, (1.0 - 0.2) / 1.2
    assert stable == pytest.approx([0.0, top], abs=1e-9)  # S is 1 already where F = middle
    assert middle > platform(formation).curve(0).steps[-1]
    crit = platform(formation).curve(0).steps[0]
    assert [e.alpha[0] for e in points if not e.stable] == pytest.approx([crit], abs=1e-9)
    for start, end in ((0.5 * crit, 0.0), (2 * crit, top)):
        final = Economy(mixed.replace({"collectives.union.start": start})).run().summary["final"]
        assert final["union"]["alpha"] == pytest.approx(end, abs=2 / np.sqrt(N))


def test_between_trainings_people_see_what_was_measured(formation: Scenario) -> None:
    slow = formation.replace({"platform.retrain_every": 3, "collectives.union.start": 0.1})
    economy = Economy(slow.replace({"revision.rate": 0.1, "stop": {"when": "never"}}))
    seen = []
    for _ in range(7):
        economy.step()
        seen.append(float(economy.published[0]))
    assert seen[0] == seen[1] == seen[2]
    assert seen[3] == seen[4] == seen[5]


# --- who joins matters ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def features_only(formation: Scenario) -> Scenario:
    return formation.replace({"collectives.union.strategy": "feature_only"})


@pytest.fixture(scope="module")
def selective(features_only: Scenario) -> Scenario:
    """Only people of the target label are recruited: the only ones whose data change."""
    web = {"web": {"where": {"label": "b"}}}
    return features_only.replace({"population.groups": web, "collectives.union.recruits": ["web"]})


def test_groups_by_data_hold_exactly_these_people(selective: Scenario) -> None:
    economy = Economy(selective.replace({"collectives.union.start": 0.1}))
    people = economy.population
    points = economy.success.draw_people(N, Streams(selective.seed, 0).data)
    labels = platform(selective).universe.people(points)["label"].to_numpy()
    np.testing.assert_array_equal(people.group == 1, labels == "b")
    assert people.counts[0] == round(0.1 * N)
    assert np.all(people.group[people.membership == 1] == 1)
    (rest, web) = type_classes(selective)
    assert (rest.share, web.share) == pytest.approx((0.735, 0.265))
    assert (rest.name, web.name) == ("", "web")


def test_selective_recruiting_gives_leverage(features_only: Scenario, selective: Scenario) -> None:
    """Of random members only the share 0.265 who have the target label change anything.

    The tipping point is where two counts of about 0.028·N are equal, members that carry the signal
    by 0.09 per share: four standard deviations of their difference are the tolerance.
    """
    noise = 4 * np.sqrt(2 * 0.028 / N) / 0.09
    anybody = critical_threshold(features_only).alpha_crit
    assert anybody == pytest.approx(0.026 / 0.09, rel=1e-9)
    cases = ((features_only, anybody, noise), (selective, 0.265 * anybody, 0.265 * noise))
    for scenario, crit, tolerance in cases:
        found = tipping_point(scenario, 0.0, 2 * crit)
        assert found == pytest.approx(crit, abs=tolerance)
    assert forms(selective, 0.12)
    assert not forms(features_only, 0.12)


def test_the_report_says_what_size_alone_does_not_know(
    formation: Scenario, selective: Scenario
) -> None:
    report = equilibria_report(selective)
    assert report["success_kind"] == "exact"
    assert report["collectives"]["union"]["alpha_crit"] is None  # of random members, never enough
    assert any("random share" in note for note in report["notes"])
    assert any("particular data" in note for note in report["notes"])
    assert not any("particular data" in note for note in equilibria_report(formation)["notes"])


def test_groups_of_other_seeds_are_other_people_and_the_same_of_the_same(
    selective: Scenario,
) -> None:
    group = [Economy(selective, replicate).population.group for replicate in (0, 0, 1)]
    np.testing.assert_array_equal(group[0], group[1])
    assert np.any(group[0] != group[2])


# --- other platforms -----------------------------------------------------------------------------

GENERATED = """\
name = "generated"
population = { size = 2_000, cost = 0.6 }
[collectives.union]
strategy = "feature_label"
signal = { set = { signal = "yes" } }
target = "target"
start = 0.2
[platform]
learner = "bayes"
universe = "generated"
generated = { uniqueness = 0.05, gap = 0.8, kinds = 20, seed = 1 }
"""


def test_a_generated_universe_has_what_was_asked_and_label_noise_raises_p() -> None:
    known = platform(loads(GENERATED)).parameters["union"]
    assert (known.uniqueness, known.gap) == pytest.approx((0.05, 0.8))
    noisy = loads(GENERATED, overrides={"platform.label_noise": 0.5})
    assert platform(noisy).parameters["union"].gap == pytest.approx(0.4)
    assert noisy.digest != loads(GENERATED).digest


def test_the_worst_platform_asks_for_more() -> None:
    epsilon = {"platform.suboptimality": 0.02, "platform.worst": "conditional_tv"}
    worst = loads(GENERATED, overrides=epsilon)
    joint = loads(GENERATED, overrides=epsilon | {"platform.worst": "joint_tv"})
    exact, least = critical_threshold(loads(GENERATED)), critical_threshold(worst)
    assert exact.alpha_crit is not None
    assert least.alpha_crit is not None
    assert least.alpha_crit > exact.alpha_crit
    assert success_function(worst).kind == "lower_bound"
    assert Economy(worst).run().summary["final"]["union"]["alpha"] == 1.0
    sizes = np.linspace(0.0, 0.4, 9)[:, None]
    at_best = success_function(loads(GENERATED)).at(sizes)
    assert np.all(success_function(joint).at(sizes) <= at_best)
    assert joint.digest != worst.digest


ROWS = """\
name = "rows"
population = { size = 600, cost = 0.6 }
[collectives.union]
strategy = "feature_label"
signal = { set = { x3 = 3 } }
target = "1"
[platform]
learner = "logistic"
data = "generated"
generated = { rows = 600, features = 4, seed = 2 }
"""


def test_a_fitted_platform_tips_where_its_interpolated_success_says() -> None:
    """People are the rows themselves; only which of them are members is random."""
    rows = loads(ROWS)
    report = equilibria_report(rows)
    crit = report["collectives"]["union"]["alpha_crit"]
    assert report["success_kind"] == "estimate"
    assert any("interpolated" in note for note in report["notes"])
    assert 0 < crit < 0.5
    margin = 2 / np.sqrt(600)
    assert forms(rows, min(1.0, crit + margin))
    assert not forms(rows, max(0.0, crit - margin))


def test_steering_and_the_principal_of_an_exact_platform() -> None:
    steering = {"strategy": "gradient_neutralising", "signal": {"move": {"x1": 0.4}}}
    steering |= {"target": "1", "start": 0.9}
    steer = loads(ROWS).replace({"collectives.union": steering, "population.cost": 0.2})
    found = success_function(steer).at([[0.0], [0.2], [1.0]])[:, 0]
    assert found[0] == 0.0 < found[1] < found[2] == pytest.approx(1.0, abs=1e-6)
    assert Economy(steer).run().summary["final"]["union"]["alpha"] == 1.0

    paid = loads(GENERATED).replace(
        {
            "collectives.union.start": 0.0,
            "principal": {"policy": "subsidy", "budget": 1e4, "collective": "union"},
        }
    )
    done = Economy(paid).run().summary
    assert done["final"]["union"]["alpha"] == 1.0
    assert done["spent"] > 0.0
    assert any("by size" in note for note in equilibria_report(paid)["notes"])


# --- measured tables -----------------------------------------------------------------------------


@pytest.fixture
def tabled(tmp_path: Path) -> Scenario:
    """The fitted platform's success, measured at a few sizes and read back."""
    rows = loads(ROWS, folder=tmp_path)
    sizes = np.linspace(0.0, 1.0, 21)
    success = success_function(rows).at(sizes[:, None])
    MeasuredTable.of(rows.names, sizes, success, meta=measured(rows)).save(tmp_path / "s.parquet")
    return rows.replace({"platform": {"learner": "table", "table": "s.parquet"}})


def test_a_table_stands_for_the_platform_it_was_measured_on(tabled: Scenario) -> None:
    sizes = np.linspace(0.0, 1.0, 21)[:, None]
    found, truth = (success_function(s).at(sizes) for s in (tabled, loads(ROWS)))
    np.testing.assert_allclose(found, np.maximum.accumulate(truth), atol=0.01)
    measured_at = equilibria_report(tabled)["collectives"]["union"]["alpha_crit"]
    crit = critical_threshold(loads(ROWS)).alpha_crit
    assert measured_at == pytest.approx(crit, abs=0.05)
    assert Economy(tabled.replace({"collectives.union.start": 0.5})).run().summary["final"]
    assert loads(tabled.to_toml(), folder=tabled.folder) == tabled


def test_a_table_of_another_scenario_is_refused(tabled: Scenario) -> None:
    with pytest.raises(ResultsError, match="measured for another scenario") as caught:
        tabled.replace({"collectives.union.target": "0"})
    assert caught.value.exit_code == 7
    with pytest.raises(ResultsError, match="measured for another scenario"):
        tabled.replace({"collectives.union.signal": {"set": {"x3": 2}}})
    with pytest.raises(ScenarioError, match=r'platform.table: got "t.parquet", which does not exi'):
        tabled.replace({"platform.table": "t.parquet"})
    (tabled.folder / "note.parquet").write_text("no table")
    with pytest.raises(ResultsError, match="cannot be read"):
        tabled.replace({"platform.table": "note.parquet"})


def test_results_carry_the_data_with_them(formation: Scenario, tmp_path: Path) -> None:
    few = formation.replace({"population.size": 200})
    folder = write([run(few)], tmp_path / "there")
    assert open_results(folder.rename(tmp_path / "moved")).scenario == few
