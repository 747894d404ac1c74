"""The numbers that the files of platforms that learn state, each by a way of its own."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from analysis.equilibria import equilibria
from analysis.report import equilibria_report
from analysis.theory_of import exact_platform, lower_bound_of
from analysis.threshold import critical_threshold
from learners.bounds import feature_label, gradient_control
from learners.finite.bayes import BayesPlatform
from learners.tabular.convex_platform import LogisticPlatform
from learners.tabular.row_strategies import Steer
from sim.runs import run
from sim.scenario import Scenario, load
from sim.success_of import success_function

from .test_claims import LIBRARY, end, says, scenario, success_at, suggests

EXACT = "experiments/learned/exact-platform.toml"
ERASURE = "experiments/learned/erasure.toml"
SELECTIVE = "experiments/learned/selective-recruiting.toml"
COLLIDING = "experiments/learned/colliding-exact.toml"
NOISE = "experiments/learned/label-noise.toml"
WORST = "experiments/learned/suboptimal.toml"
CONVEX = "experiments/learned/convex.toml"
PERCEPTRON = "experiments/learned/perceptron.toml"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
DATA = Path(os.environ.get("ALPHACRIT_DATA", SHARED))

close = partial(pytest.approx, abs=1e-9)


def platform(this: Scenario) -> BayesPlatform:
    exact = exact_platform(success_function(this))
    assert exact is not None
    return exact


def tips(this: Scenario) -> float:
    """The tipping point of the solver, by its list of equilibria."""
    (saddle,) = (point.alpha[0] for point in equilibria(this) if not point.stable)
    return saddle


def promised(this: Scenario) -> float | None:
    """The tipping point on the bound of the same situation."""
    return critical_threshold(this, success=lower_bound_of(success_function(this))).alpha_crit


def dies(file: str, **sets: object) -> bool:
    return end(file, **sets) == [0.0]  # type: ignore[arg-type]


def test_exact_platform() -> None:
    this = scenario(EXACT)
    assert len(platform(this).curve(0).steps) == 10
    says(EXACT, "0.0156802", tips(this))
    says(EXACT, "0.0740741", feature_label(0.05, 0.8).critical_mass(0.5))
    assert promised(this) == close(feature_label(0.05, 0.8).critical_mass(0.5))
    suggests(EXACT, "collectives.union.start=0.01")
    assert end(EXACT) == [1.0]
    assert dies(EXACT, collectives__union__start=0.01)
    low, high = 0.0, 0.1
    while high - low > 0.0005:
        middle = 0.5 * (low + high)
        dead = dies(EXACT, collectives__union__start=middle)
        low, high = (middle, high) if dead else (low, middle)
    says(EXACT, "0.018", high)
    assert abs(high - tips(this)) <= 2 / np.sqrt(40_000)


def test_selective_recruiting() -> None:
    this = scenario(SELECTIVE)
    willing = float(platform(this).universe.base.sum(axis=0)[0])
    says(SELECTIVE, "0.11", willing)
    says(SELECTIVE, "0.0812684", tips(this))
    says(SELECTIVE, "0.00893952", tips(this) * willing)
    assert end(SELECTIVE) == [pytest.approx(willing, abs=2 / np.sqrt(40_000))]
    everybody = ["willing", "others"]
    suggests(SELECTIVE, '\'collectives.union.recruits=["willing", "others"]\'')
    assert dies(SELECTIVE, collectives__union__recruits=everybody)
    # The stated 0.00893952 with room for the sample: a few hundred people decide it.
    assert dies(SELECTIVE, collectives__union__start=0.007)
    assert not dies(SELECTIVE, collectives__union__start=0.012)
    assert any("random share" in note for note in equilibria_report(this)["notes"])


def test_colliding_exact() -> None:
    union, guild = success_at(COLLIDING, 0.15, 0.12)
    says(COLLIDING, "0.877926", union)
    says(COLLIDING, "0.122074", guild)
    bound = platform(scenario(COLLIDING)).bound().at([0.15, 0.12])
    says(COLLIDING, "0.102667", float(bound[0]))
    assert bound[1] == 0.0
    says(COLLIDING, "0.375", 0.3 / (1 - 0.2))
    assert bound.max() < 0.375 < union  # on the bound both die
    assert end(COLLIDING) == [0.5, 0.0]
    suggests(COLLIDING, "collectives.union.start=0.12")
    assert end(COLLIDING, collectives__union__start=0.12) == [0.0, 0.5]


def test_label_noise() -> None:
    noisy = scenario(NOISE)
    plain = noisy.replace({"platform.label_noise": 0.0})
    for this, stated in ((noisy, "0.275"), (plain, "0.05")):
        says(NOISE, stated, platform(this).parameters["union"].positivity or 0.0)
    says(NOISE, "0.0332461", tips(noisy))
    says(NOISE, "0.365708", tips(plain))
    says(NOISE, "0.05", float(platform(plain).bound().at([1.0])[0]))
    says(NOISE, "0.263636", promised(noisy) or 0.0)
    assert promised(plain) is None
    suggests(NOISE, "platform.label_noise=0")
    assert end(NOISE) == [1.0]
    assert dies(NOISE, platform__label_noise=0)


@pytest.mark.once
def test_suboptimal() -> None:
    this = scenario(WORST)
    joint = this.replace({"platform.worst": "joint_tv"})
    says(WORST, "0.0156802", platform(this).curve(0).critical_mass(0.5))
    says(WORST, "0.0242862", tips(this))
    says(WORST, "0.111111", promised(this) or 0.0)
    says(WORST, "0.429168", tips(joint))
    says(WORST, "0.444444", promised(joint) or 0.0)
    suggests(WORST, "platform.worst=joint_tv")
    assert end(WORST) == [1.0]
    assert dies(WORST, platform__worst="joint_tv")


def test_the_kind_of_worst_case_is_not_forgotten() -> None:
    """Both in one process: the second must not get what was kept for the first."""
    joint = scenario(WORST).replace({"platform.worst": "joint_tv"})
    first, second = (success_function(s).at([0.1])[0] for s in (scenario(WORST), joint))
    assert first > 0.5
    assert second == 0.0


def test_convex() -> None:
    this = scenario(CONVEX)
    learned = success_function(this)
    assert isinstance(learned, LogisticPlatform)
    (steer,) = learned.strategies
    assert isinstance(steer, Steer)
    says(CONVEX, "0.591585", steer.data.critical_mass)
    assert learned.at([0.592])[0] == pytest.approx(1.0, abs=1e-6)
    assert learned.at([0.58])[0] < 0.99
    says(CONVEX, "0.609269", learned.at([0.4])[0])
    says(CONVEX, "0.201955", float(learned.lower_bound(0.4)))
    says(CONVEX, "0.338493", tips(this))
    says(CONVEX, "0.471551", promised(this) or 0.0)
    suggests(CONVEX, "collectives.union.start=0.28")
    assert end(CONVEX) == [1.0]
    assert dies(CONVEX, collectives__union__start=0.28)
    everybody = load(LIBRARY / CONVEX, {"collectives.union.start": 1.0})
    says(CONVEX, "0.88", run(everybody).summary["final"]["union"]["success"])


def test_perceptron() -> None:
    pytest.importorskip("torch")
    closed = gradient_control(pull=0.5, learning_rate=0.2, steps=20)
    says(PERCEPTRON, "0.641514", success_at(PERCEPTRON, 0.5)[0])
    says(PERCEPTRON, "0.641514", float(closed(0.5)))
    says(PERCEPTRON, "0.340637", closed.critical_mass(0.5))
    assert promised(scenario(PERCEPTRON)) == close(closed.critical_mass(0.5))
    says(PERCEPTRON, "0.341007", tips(scenario(PERCEPTRON)))
    suggests(PERCEPTRON, "collectives.union.start=0.3")
    assert end(PERCEPTRON) == [1.0]
    assert dies(PERCEPTRON, collectives__union__start=0.3)


def test_mushrooms_in_place_of_the_universe_made_to_order() -> None:
    """The README's command: the same economy on real data, its staircase above the bound."""
    file = DATA / "tabular_mushroom" / "mushroom.csv.gz"
    if not file.exists():
        pytest.skip(f"no {file}; set ALPHACRIT_DATA to the folder of the data")
    this = load(
        LIBRARY / EXACT,
        {
            "platform": {
                "learner": "bayes",
                "universe": str(file),
                "label": "class",
                "columns": ["odor", "habitat"],
            },
            "collectives.union.signal": {"set": {"odor": "n"}},
            "collectives.union.target": "p",
        },
    )
    stairs, bound = platform(this).curve(0), platform(this).bound()
    assert len(stairs.steps) == 7
    grid = np.linspace(0.0, 1.0, 501)
    assert (stairs(grid) - bound.at(grid[:, None])[:, 0]).min() >= -1e-12
    assert critical_threshold(this).alpha_crit == pytest.approx(0.32197, abs=1e-6)
    assert promised(this) == pytest.approx(0.464822, abs=1e-6)
    readme = (LIBRARY / "README.md").read_text(encoding="utf-8")
    assert "tips at 0.32197, by the bound at 0.464822" in readme


def test_erasure() -> None:
    this = scenario(ERASURE)
    bound = promised(this)
    assert bound == close(0.3 / (0.1 / 2 + 0.3))  # corollary 3.8 with S* = c = 0.9
    says(ERASURE, "0.857143", bound or 0.0)
    # By hand: at x the label that g(x) has wins from α = gap(x)/(1 + gap(x)) on.
    universe = platform(this).universe
    base = universe.base / universe.base.sum(axis=1, keepdims=True)
    plain = np.array([c[0] == universe.levels[0].index("no") for c in universe.codes])
    wanted = base[~plain].sum(axis=0).argmax()
    gap = np.maximum(base.max(axis=1) - base[:, wanted], 0.0)
    mass = universe.base.sum(axis=1)
    order = np.argsort(gap)
    enough = np.cumsum(mass[order]) > 0.9
    needed = gap[order][enough.argmax()]
    assert tips(this) == close(needed / (1 + needed)) == close(0.2)
    assert end(ERASURE) == [1.0]
    assert dies(ERASURE, **{"collectives.union.start": 0.15})
