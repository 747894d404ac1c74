"""Every number that a file of the library states, and every `--set` that it suggests.

`says` looks a number up in the file's head and compares it, to the last digit that is printed, with
the number computed here. What cannot be computed from the scenario (published measurements) is only
looked up.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from analysis.equilibria import equilibria
from analysis.quantal import logit_chain
from analysis.threshold import critical_threshold, investment
from learners.bounds import feature_label
from sim.payoffs import recruit_payments
from sim.runs import run
from sim.scenario import Scenario, load
from sim.success_of import success_function
from sim.sweep.plan import plan_of

LIBRARY = Path(__file__).resolve().parents[2] / "scenarios"
BASELINE = "experiments/baseline.toml"
TWO = "experiments/two-tipping-points.toml"
DISJOINT = "experiments/disjoint-signals.toml"
COLLIDING = "experiments/colliding-signals.toml"
ALLIES = "experiments/same-target.toml"
PHASES = "experiments/phase-diagram.toml"
MATTERS = "experiments/what-matters.toml"
NETWORK = "experiments/network-seed.toml"
PRINCIPAL = "experiments/principal.toml"
QUANTAL = "experiments/quantal-response.toml"
FINITE = "experiments/finite-logit.toml"
FIGURE1 = "literature/hardt-2023/figure-1.toml"
FIGURE6 = "literature/hardt-2023/figure-6.toml"
NORMAL = "literature/granovetter-1978/normal-thresholds.toml"
BROKEN = "literature/granovetter-1978/domino-broken.toml"
DOMINO = "literature/granovetter-1978/domino.toml"
OLSON = "literature/olson-1965/homogeneous.toml"
SEGAL = "literature/segal-2003/divide-and-conquer.toml"
COLLIDE = "literature/karan-2025/figure-3-colliding.toml"
SEPARATE = "literature/karan-2025/figure-3-separate.toml"


@cache
def scenario(file: str) -> Scenario:
    return load(LIBRARY / file)


@cache
def head(file: str) -> str:
    """The comment at the top, in one line."""
    text = (LIBRARY / file).read_text(encoding="utf-8").split("schema = 1")[0]
    return " ".join(line.removeprefix("#").strip() for line in text.splitlines())


def says(file: str, stated: str, value: float) -> None:
    """The head states the number, and it is ``value`` rounded to the digits that it shows."""
    pattern = r"(?<![\d.])" + re.escape(stated) + r"(?![\d]|\.\d)"
    assert re.search(pattern, head(file)), f"{file} does not say {stated}"
    digits = len(stated.partition(".")[2])
    assert abs(float(stated) - value) <= 0.5001 * 10.0**-digits, f"{file}: {stated} is {value}"


def end(file: str, **sets: float) -> list[float]:
    """Final shares with `--set`; ``a__b=1`` stands for ``a.b=1``."""
    changed = load(LIBRARY / file, {key.replace("__", "."): v for key, v in sets.items()})
    return [each["alpha"] for each in run(changed).summary["final"].values()]


def suggests(file: str, command: str) -> None:
    assert f"`--set {command}`" in head(file)


def success_at(file: str, *alpha: float) -> list[float]:
    return success_function(scenario(file)).at(np.array(alpha)).tolist()


def test_a_wrong_number_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="does not say"):
        says(BASELINE, "0.0157480316", 0.0157480316)
    with pytest.raises(AssertionError, match=r"is 0\.0158"):
        says(BASELINE, "0.0157480315", 0.0158)


@pytest.mark.parametrize("file", [BASELINE, PRINCIPAL, SEGAL, OLSON])
def test_baseline_threshold(file: str) -> None:
    if file != SEGAL:
        says(file, "0.0157480315", critical_threshold(scenario(file)).alpha_crit or 0)
    if file != OLSON:
        says(file, "0.00371264", investment(scenario(file)).per_capita or 0)
        says(file, "37.1264", investment(scenario(file)).total or 0)


def test_baseline() -> None:
    says(BASELINE, "0.375", critical_threshold(scenario(BASELINE)).success_at_crit or 0)
    assert end(BASELINE) == [1.0]
    suggests(BASELINE, "collectives.union.start=0.015")
    low = scenario(BASELINE).replace({"collectives.union.start": 0.015})
    shares = run(low).series["alpha"].tolist()
    assert shares[:2] == [0.015, 0.0] and shares[-1] == 0.0


def test_two_tipping_points() -> None:
    points = equilibria(scenario(TWO))
    assert [point.stable for point in points] == [True, False, True, False, True]
    stated = ["0", "0.199746", "0.350509", "0.422435", "0.999993"]
    for text, point in zip(stated, points, strict=True):
        says(TWO, text, point.alpha[0])
    assert critical_threshold(scenario(TWO)).alpha_crit == pytest.approx(points[3].alpha[0])
    assert end(TWO) == [pytest.approx(0.35, abs=0.01)]
    for start, goal in ((0.15, 0.0), (0.45, 1.0)):
        suggests(TWO, f"collectives.union.start={start}")
        assert end(TWO, collectives__union__start=start) == [pytest.approx(goal, abs=0.001)]


def test_the_three_files_differ_only_in_overlap_and_target() -> None:
    files = [scenario(file).resolved() for file in (DISJOINT, COLLIDING, ALLIES)]
    for tables in files:
        for collective in tables["collectives"].values():
            collective["target"] = collective["signal"]["overlap"] = None
        tables["name"] = tables["title"] = None
    assert files[0] == files[1] == files[2]


@pytest.mark.parametrize("file", [DISJOINT, ALLIES])
def test_disjoint_signals_and_allies(file: str) -> None:
    union, guild = scenario(file).names
    zero = critical_threshold(scenario(file), union, others={guild: 0.0}).alpha_crit or 0
    says(file, "0.137931", zero)
    assert end(file) == [0.5, 0.5]
    assert success_at(file, 0.5, 0.5) == [1.0, 1.0]
    suggests(file, "collectives.union.start=0.0")
    assert end(file, collectives__union__start=0.0) == [0.0, 0.0]


def test_allies_that_each_alone_would_fail() -> None:
    says(ALLIES, "12.5", 12.5)
    both = {"collectives__union__start": 0.125, "collectives__guild__start": 0.125}
    assert end(ALLIES, **both) == [0.5, 0.5]
    for name in both:
        assert end(ALLIES, **(both | {name: 0.0})) == [0.0, 0.0]
    for start in (0.125, 0.3):  # no better than disjoint signals, as the file admits
        assert success_at(ALLIES, start, 0.12) == success_at(DISJOINT, start, 0.12)


def test_colliding_signals() -> None:
    says(COLLIDING, "0.406667", success_at(COLLIDING, 0.30, 0.12)[0])
    assert success_at(COLLIDING, 0.30, 0.12)[1] == 0.0
    says(COLLIDING, "0.9", success_at(COLLIDING, 0.5, 0.0)[0])
    assert end(COLLIDING) == [0.5, 0.0]
    start = {"collectives__union__start": 0.12, "collectives__guild__start": 0.3}
    assert end(COLLIDING, **start) == [0.0, 0.5]
    for share in (0.1, 0.3, 0.5):
        assert success_at(COLLIDING, share, share) == [0.0, 0.0]
    assert end(COLLIDING, collectives__guild__start=0.3) == [0.0, 0.0]


def test_network_seed() -> None:
    says(NETWORK, "0.1", success_at(NETWORK, 0.1)[0])
    says(NETWORK, "0.6", success_at(NETWORK, 0.2)[0])
    says(NETWORK, "0.137931", critical_threshold(scenario(NETWORK)).alpha_crit or 0)
    epochs = {}
    for p in (0.0, 0.02, 0.2):
        done = run(scenario(NETWORK).replace({"population.network.p": p})).summary
        assert done["final"]["union"]["alpha"] > 0.99
        epochs[p] = done["epochs"]
    assert 60 <= epochs[0.02] <= 90 and epochs[0.0] > 100 and epochs[0.2] < 20
    assert "`p=0.0`" in head(NETWORK)
    suggests(NETWORK, "population.network.p=0.2")
    suggests(NETWORK, "'population.network={ kind = \"complete\" }'")
    crowd = load(LIBRARY / NETWORK, {"population.network": '{ kind = "complete" }'})
    assert run(crowd).series["alpha"].tolist()[:2] == [0.02, 0.0]


def spent(file: str, budget: float) -> tuple[float, float]:
    summary = run(scenario(file).replace({"principal.budget": budget})).summary
    return summary["spent"], summary["final"]["union"]["alpha"]


@pytest.mark.parametrize("file", [PRINCIPAL, SEGAL])
def test_divide_and_conquer_spends_less_than_the_bound(file: str) -> None:
    paid, share = spent(file, float(scenario(file).principal.budget))
    says(file, "36.9026", paid)
    assert share == 1.0 and paid < (investment(scenario(file)).total or 0)
    # The same by hand: recruits up to the one with whom the collective carries itself.
    path = feature_label(0.01, 1.0)(np.arange(10_001) / 10_000)
    sums = np.cumsum(recruit_payments(path, np.full(10_000, 0.3), np.full(10_000, 0.2)))
    assert paid == pytest.approx(sums[-1], abs=1e-6)


def test_a_budget_that_is_too_small_is_lost() -> None:
    suggests(PRINCIPAL, "principal.budget=30")
    paid, share = spent(PRINCIPAL, 30.0)
    says(PRINCIPAL, "29.99", paid)
    assert share == 0.0
    summary = run(scenario(PRINCIPAL).replace({"principal.budget": 30.0}))
    assert summary.series["alpha"].max() == 0.01


def test_segal_closes_the_gap_as_the_population_grows() -> None:
    says(SEGAL, "0.00369026", spent(SEGAL, 38.0)[0] / 10_000)
    gaps = []
    for size in (1_000, 10_000, 100_000):
        larger = scenario(SEGAL).replace({"population.size": size, "principal.budget": size})
        bound = investment(larger).per_capita or 0
        gaps.append(bound - run(larger).summary["spent"] / size)
    assert gaps[0] > gaps[1] > gaps[2] > 0


def test_quantal_response() -> None:
    points = equilibria(scenario(QUANTAL))
    assert [point.stable for point in points] == [True, False, True]
    for text, point in zip(("0.00669", "0.01049", "0.95239"), points, strict=True):
        says(QUANTAL, text, point.alpha[0])
    assert end(QUANTAL) == [pytest.approx(0.952, abs=0.01)]
    suggests(QUANTAL, "collectives.union.start=0.0")
    assert end(QUANTAL, collectives__union__start=0.0) == [pytest.approx(0.0067, abs=0.004)]


def test_finite_logit() -> None:
    says(FINITE, "0.922885", logit_chain(scenario(FINITE)).mean_share)
    says(FINITE, "0.922044", logit_chain(scenario(FINITE), "others").mean_share)
    law = logit_chain(scenario(FINITE)).stationary
    assert law.argmax() == 19 and law[16:].sum() > 0.95


def test_hardt_figure_1() -> None:
    for uniqueness, stated in ((0.001, "0.001996"), (0.01, "0.019608"), (0.1, "0.166667")):
        says(FIGURE1, stated, feature_label(uniqueness, 1.0).critical_mass(0.5))
    curve = feature_label(0.01, 1.0, 0.2)
    says(FIGURE1, "0.75", float(curve(1.0)))
    says(FIGURE1, "0.038462", curve.critical_mass(0.5))


def test_hardt_figure_6() -> None:
    cost = investment(scenario(FIGURE6))
    says(FIGURE6, "0.0740741", critical_threshold(scenario(FIGURE6)).alpha_crit or 0)
    says(FIGURE6, "0.0176733", cost.per_capita or 0)
    says(FIGURE6, "176.733", cost.total or 0)
    says(FIGURE6, "0.0220916", (cost.per_capita or 0) / 0.8)
    assert end(FIGURE6) == [0.0]
    suggests(FIGURE6, "collectives.union.start=0.08")
    assert end(FIGURE6, collectives__union__start=0.08) == [1.0]


def test_granovetter_normal_thresholds() -> None:
    first = equilibria(scenario(NORMAL))
    says(NORMAL, "0.040211", first[0].alpha[0])
    assert end(NORMAL) == [pytest.approx(0.040211, abs=5 / np.sqrt(1e5))]
    suggests(NORMAL, "population.cost.sd=0.2")
    wide = scenario(NORMAL).replace({"population.cost.sd": 0.2})
    says(NORMAL, "0.999911", equilibria(wide)[-1].alpha[0])
    assert len(equilibria(wide)) == 1
    assert end(NORMAL, population__cost__sd=0.2) == [pytest.approx(0.999911, abs=0.001)]
    says(NORMAL, "0.122221", 0.122221)
    for sd, count in ((0.12222, 3), (0.122222, 1)):
        near = scenario(NORMAL).replace({"population.cost.sd": sd})
        assert len(equilibria(near)) == count


def test_granovetter_dominoes() -> None:
    assert [point.alpha for point in equilibria(scenario(DOMINO))] == [(1.0,)]
    members = run(scenario(DOMINO)).series["members"].tolist()
    assert members[:101] == list(range(101))
    stay = equilibria(scenario(BROKEN))
    says(BROKEN, "0.01", stay[0].alpha[0])
    says(BROKEN, "0.015", stay[1].alpha[0])
    assert end(BROKEN) == [0.01]
    suggests(BROKEN, "collectives.crowd.start=0.02")
    assert end(BROKEN, collectives__crowd__start=0.02) == [1.0]
    both = [scenario(file).population.cost.values for file in (DOMINO, BROKEN)]
    assert sum(a != b for a, b in zip(*both, strict=True)) == 1


def test_olson() -> None:
    assert end(OLSON) == [0.0]
    says(OLSON, "0.7", success_at(OLSON, 1.0)[0] - 0.3)
    for size, share in ((60, 1.0), (80, 0.0), (70, 1.0), (72, 0.0)):
        assert end(OLSON, population__size=size) == [share]
    suggests(OLSON, "population.size=60")
    suggests(OLSON, "population.size=80")


def test_karan() -> None:
    curve = feature_label(0.00125, 1.0)
    says(COLLIDE, "0.501", float(curve(0.0025)))
    says(COLLIDE, "0.876", float(curve(0.01)))
    says(COLLIDE, "0.439", success_at(COLLIDE, 0.02, 0.01)[0])
    assert success_at(COLLIDE, 0.01, 0.01) == [0.0, 0.0] == end(COLLIDE)
    suggests(COLLIDE, "collectives.software.start=0.02")
    assert end(COLLIDE, collectives__software__start=0.02) == [0.5, 0.0]
    says(SEPARATE, "0.8775", success_at(SEPARATE, 0.01, 0.01)[0])
    says(SEPARATE, "0.87625", success_at(SEPARATE, 0.01, 0.0)[0])
    assert end(SEPARATE) == [0.5, 0.5]
    # Read off the authors' figure: measured, not computed.
    for file, words in ((COLLIDE, "88% and 12%"), (COLLIDE, "49% for A alone"), (SEPARATE, "100")):
        assert words in head(file)


def tipping(file: str, cost: float, free_riding: float, uniqueness: float = 0.05) -> float | None:
    changes = {"population.cost.mean": cost, "population.free_riding": free_riding}
    changes |= {"collectives.union.signal.uniqueness": uniqueness}
    return critical_threshold(scenario(file).replace(changes), "union").alpha_crit


def test_the_border_of_the_phase_diagram_is_where_the_tipping_point_is_the_start() -> None:
    says(PHASES, "0.0574233", tipping(PHASES, 0.3, 0.2) or 0)
    for stated, cost, free_riding in (
        ("0.0836678", 0.5, 0.2),
        ("0.110356", 0.6, 0.2),
        ("0.0967690", 0.45, 0.4),
        ("0.121605", 0.5, 0.4),
    ):
        value = tipping(PHASES, cost, free_riding) or 0
        says(PHASES, stated, value)
        sets = {"population__cost__mean": cost, "population__free_riding": free_riding}
        assert (end(PHASES, **sets)[0] > 0.9) == (value < 0.1)
    assert tipping(PHASES, 0.6, 0.4) is None
    plan = plan_of(scenario(PHASES))
    assert len(plan.points) == 11 * 9 and plan.replications == 20


def test_the_points_for_sobols_indices_are_as_many_as_it_says() -> None:
    says(MATTERS, "0.0574233", tipping(MATTERS, 0.3, 0.2) or 0)
    says(MATTERS, "0.225011", tipping(MATTERS, 0.6, 0.2, 0.1) or 0)
    plan = plan_of(scenario(MATTERS))
    says(MATTERS, "384", len(plan.points))
    says(MATTERS, "64", plan.design_info()["samples"])
