"""The critical mass by measurement: the stated confidence holds, in few trainings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from learners import bounds
from learners.measured.bench import Bench, Setup
from learners.measured.cache import Cache
from learners.measured.monotone import monotone_fit
from learners.measured.search_mass import (
    binomial_noise,
    measure_of,
    search_critical_mass,
    size_axis,
    uniform_critical_mass,
)
from learners.measured.search_rule import CELLS, Evidence, Plan, choose

CURVE = bounds.feature_label(0.05, 1.0)  # S(α) = 1 − ((1−α)/α)·0.05
REPETITIONS = 200
HALF = CURVE.critical_mass(0.5)  # 0.0909


def binomial(people, seed, curve=CURVE):
    """Success on a test set of a few people; every training draws its own."""
    rng = np.random.default_rng([seed, people])
    return lambda size, replicate: rng.binomial(people, float(curve(size))) / people


def overdispersed(people, seed, spread=0.1):
    """Trainings differ besides: S of this training is drawn around S, then people are."""
    rng = np.random.default_rng([seed, people, 1])

    def measure(size, replicate):
        mean = float(np.clip(CURVE(size), 1e-9, 1 - 1e-9))
        count = mean * (1 - mean) / spread**2
        own = rng.beta(mean * count, (1 - mean) * count)
        return rng.binomial(people, own) / people

    return measure


def repeat(search, platform, truth, **options):
    """How often m was in the bracket throughout, and the trainings, of many searches."""
    held, trainings = 0, []
    for seed in range(REPETITIONS):
        wrong = []

        def watch(_, low, high, wrong=wrong):
            wrong.append(not low <= truth <= (math.inf if high is None else high))

        found = search(platform(seed), progress=watch, **options)
        held += not any(wrong)
        trainings.append(found.trainings)
        assert found.low <= (found.alpha or 1.0) <= (found.high or 1.0)
        if found.reached and found.high is not None:
            assert found.high - found.low <= options["precision"] + 1e-12
    return held / REPETITIONS, float(np.mean(trainings))


# ---------------------------------------------------------------- the guarantee

CASES = {
    "noise known, S* = 0.5": (lambda s: binomial(200, s), 0.5, 0.02, binomial_noise(200)),
    "noise known, S* = 0.8": (lambda s: binomial(1000, s), 0.8, 0.02, binomial_noise(1000)),
    "nothing assumed, S* = 0.5": (lambda s: binomial(200, s), 0.5, 0.04, None),
    "nothing assumed, trainings differ": (lambda s: overdispersed(500, s), 0.5, 0.04, None),
    "one person": (lambda s: binomial(1, s), 0.5, 0.2, None),
}


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("case", CASES)
def test_the_stated_confidence_holds(case):
    """m is in the bracket after every training, in at least 95% of 200 searches."""
    platform, target, precision, noise = CASES[case]
    held, trainings = repeat(
        search_critical_mass, platform, CURVE.critical_mass(target), target=target,
        precision=precision, noise=noise, confidence=0.95, max_trainings=400,
    )  # fmt: skip
    print(f"{case}: m in the bracket {held:.1%}, {trainings:.1f} trainings")
    assert held >= 0.95


@pytest.mark.once
@pytest.mark.parametrize("noise", [binomial_noise(20), None], ids=["noise known", "nothing known"])
def test_the_guarantee_is_not_an_empty_one(noise):
    """S = S* everywhere is the hardest: each bet is fair, and sooner or later one is lucky. The
    first size suffices, so the bracket must begin at 0; it ever does not in at most 1 − confidence
    of the searches, and in some.
    """

    def platform(seed):
        return binomial(20, seed, lambda size: 0.5)

    options = {"target": 0.5, "precision": 0.1, "noise": noise, "max_trainings": 80}
    sure, _ = repeat(search_critical_mass, platform, 0.0, confidence=0.95, **options)
    unsure, _ = repeat(search_critical_mass, platform, 0.0, confidence=0.5, **options)
    print(f"a stated 95% is {sure:.1%}, a stated 50% is {unsure:.1%}")
    assert sure >= 0.95
    assert 0.5 <= unsure < 0.95


@pytest.mark.once
def test_a_low_confidence_is_cheap():
    options = {"target": 0.5, "precision": 0.02, "noise": binomial_noise(50)}
    (_, many), (_, few) = (
        repeat(search_critical_mass, lambda s: binomial(50, s), HALF, confidence=c, **options)
        for c in (0.95, 0.5)
    )
    assert few < 0.7 * many


def test_noise_that_is_understated_breaks_the_guarantee():
    held, _ = repeat(
        search_critical_mass, lambda s: overdispersed(200, s), HALF, target=0.5,
        precision=0.02, noise=binomial_noise(200), max_trainings=400,
    )  # fmt: skip
    assert held < 0.95


@pytest.mark.parametrize("target", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("people", [1, 7, 50])
@pytest.mark.parametrize("known", [True, False])
def test_no_bet_gains_on_average_when_its_cell_is_right(target, people, known):
    """E[factor] ≤ 1 by enumerating a binomial test set, for any stake: Ville's premise."""
    evidence = Evidence(9, target, 3.0, binomial_noise(people) if known else None)
    successes = np.arange(people + 1)
    for bet in (-1, 1):
        for share in np.linspace(0, target if bet > 0 else 1 - target, 7):
            true = target - bet * share  # S ≤ S* where the bet is on "not below", and vice versa
            chance = binom.pmf(successes, people, true)
            for gap in (0.0, 0.01, 0.1, 0.5, 1.0):
                factor = np.exp(
                    [evidence._payoff(gap, bet * (x / people - target), bet) for x in successes]
                )
                assert chance @ factor <= 1.0 + 1e-12
    wrong = binom.pmf(successes, people, min(target + 0.1, 1.0))
    factor = [np.exp(evidence._payoff(0.1, x / people - target, 1)) for x in successes]
    if people == 50:  # and it does gain where the cell is wrong
        assert wrong @ np.array(factor) > 1.0


# ---------------------------------------------------------------- against the uniform grid


@pytest.mark.parametrize("people", [200, 1000])
def test_a_fifth_of_the_trainings_of_the_uniform_grid_at_most(people):
    """Same assumption, certificate and bracket width; the grid may choose its spacing."""
    options = {"target": 0.5, "precision": 0.02, "noise": binomial_noise(people)}
    held, here = repeat(search_critical_mass, lambda s: binomial(people, s), HALF, **options)
    grid = {}
    for points in (1, 2, 4):
        found = [
            uniform_critical_mass(binomial(people, seed), points=points, **options)
            for seed in range(10)
        ]
        assert all(each.reached for each in found)
        grid[points] = np.mean([each.trainings for each in found])
    print(f"n = {people}: search {here:.1f} ({held:.1%} right), grid {grid}")
    assert held >= 0.95
    assert here <= min(grid.values()) / 5


def test_a_fifth_even_of_a_grid_that_was_told_how_often_to_train():
    """The strictest rival: a grid one precision apart, each size trained r times, r the least with
    which the isotonic fit crosses S* in the right cell in 95% of 200 repetitions. It certifies
    nothing, and r was found by knowing m.
    """
    people, precision = 200, 0.02
    sizes = np.arange(1, 51) * precision
    truth = int(np.searchsorted(sizes, HALF))
    rng = np.random.default_rng(5)
    for r in range(1, 50):
        means = rng.binomial(people * r, CURVE(sizes), (REPETITIONS, sizes.size)) / (people * r)
        crossing = [np.searchsorted(monotone_fit(row, np.ones(sizes.size)), 0.5) for row in means]
        if np.mean(np.array(crossing) == truth) >= 0.95:
            break
    held, here = repeat(
        search_critical_mass, lambda s: binomial(people, s), HALF, target=0.5,
        precision=precision, noise=binomial_noise(people),
    )  # fmt: skip
    print(f"search {here:.1f} ({held:.1%}), told grid {r} × 50 = {r * 50}")
    assert held >= 0.95 and here <= r * 50 / 5


def test_on_a_fine_scale_it_is_logarithmic():
    """Range/precision ten times larger: a few trainings more, not ten times as many."""
    found = [
        np.mean([
            search_critical_mass(binomial(10**6, seed), 0.5, precision=precision,
                                 noise=binomial_noise(10**6)).trainings
            for seed in range(20)
        ])
        for precision in (0.1, 0.01, 0.001)
    ]  # fmt: skip
    assert found[2] <= 20 and np.all(np.diff(found) <= 6)


# ---------------------------------------------------------------- shapes of S


@pytest.mark.parametrize("noise", [0.01, None])
def test_a_step(noise):
    """An exact platform: S jumps from 0 to 1. Nothing assumed, a dozen on each side are needed."""
    for jump in (0.0371, 0.5, 0.99):
        found = search_critical_mass(
            lambda size, _, jump=jump: float(size >= jump), 0.5, precision=0.005, noise=noise
        )
        assert found.reached and found.low <= jump <= found.high
        assert found.trainings <= 40
        assert abs(found.alpha - jump) <= 0.005


def test_where_no_size_suffices_and_where_every_size_does():
    noise = binomial_noise(500)
    for seed in range(20):
        never = search_critical_mass(
            binomial(500, seed), 0.9, low=0.05, high=0.3, precision=0.01, noise=noise
        )  # S(0.3) = 0.883
        assert never.reached and never.high is None
        assert 0.29 <= never.low <= 0.3
        always = search_critical_mass(
            binomial(500, seed), 0.5, low=0.3, high=0.9, precision=0.05, noise=noise
        )
        assert always.reached and always.low == 0.0 and always.high <= 0.35
    whole = search_critical_mass(lambda size, _: 0.2, 0.5, precision=0.05, noise=0.01)
    assert (whole.high, whole.alpha) == (None, None) and whole.low >= 0.95


def test_out_of_trainings_the_bracket_is_wide_and_true():
    """S is exactly S* over a stretch wider than the precision: nothing can resolve it."""

    def plateau(size):
        return np.interp(size, [0, 0.3, 0.6, 1.0], [0.0, 0.5, 0.5, 1.0])

    for seed in range(20):
        found = search_critical_mass(
            binomial(200, seed, plateau), 0.5, noise=binomial_noise(200), max_trainings=150
        )
        assert not found.reached and found.trainings == 150
        assert found.low <= 0.3 <= (found.high or 1.0)


def test_a_logarithmic_scale_finds_masses_of_a_tenth_of_a_percent():
    """Hardt et al. (2023), section 5: 0.1% of the data do; precision is relative there."""
    curve = bounds.feature_label(0.001, 1.0)
    truth, held, trainings = curve.critical_mass(0.5), 0, []
    for seed in range(40):
        found = search_critical_mass(
            binomial(500, seed, curve), 0.5, precision=0.25, low=1e-4, high=0.1, scale="log",
            noise=binomial_noise(500),
        )  # fmt: skip
        held += found.low <= truth <= found.high
        trainings.append(found.trainings)
        assert found.reached and found.high / found.low <= 1.25 + 1e-9
    assert held >= 38 and np.mean(trainings) <= 20


def test_the_axis_of_sizes():
    np.testing.assert_allclose(size_axis(0.5), np.arange(1, 17) / 16, atol=1e-15)
    axis = size_axis(0.2, 0.1, 0.9)
    assert (axis[0], axis[-1], axis.size) == (0.1, 0.9, 4 * CELLS + 1)
    ratio = size_axis(0.25, 1e-4, 0.1, "log")
    assert ratio[CELLS] / ratio[0] <= 1.25 and (ratio[0], ratio[-1]) == (1e-4, 0.1)
    np.testing.assert_allclose(np.diff(np.log(ratio)), np.log(ratio[1] / ratio[0]), rtol=1e-9)


# ---------------------------------------------------------------- with the cache, and refusals


def test_a_search_repeats_itself_from_the_cache(tmp_path):
    log = tmp_path / "log"
    setup = Setup("tests.unit.noisy_learners:Logged", {"log": str(log), "people": 500}, ("union",))
    options = {"target": 0.5, "precision": 0.02, "noise": binomial_noise(500)}

    def search(**more):
        bench = Bench(setup, 3, Cache(tmp_path / "cache"))
        return search_critical_mass(measure_of(bench), **options, **more)

    cut = search(max_trainings=4)  # as if it had been killed
    assert not cut.reached and len(log.read_text().splitlines()) == 4
    whole = search()
    assert whole.measured[:4] == cut.measured
    assert whole.reached and len(log.read_text().splitlines()) == whole.trainings
    assert search() == whole and len(log.read_text().splitlines()) == whole.trainings
    assert whole.low <= HALF <= whole.high
    with pytest.raises(ValueError, match="collective: got 1; must be in 0 … 0"):
        measure_of(Bench(setup, 3, Cache(tmp_path)), 1)


def test_one_collective_of_several_is_searched_alone(tmp_path):
    bench = Bench(Setup("tests.unit.noisy_learners:two", {}, ("a", "b")), 0, Cache(tmp_path))
    for k, slope in ((0, 5.0), (1, 3.0)):
        found = search_critical_mass(
            measure_of(bench, k), 0.6, precision=0.05, noise=binomial_noise(100)
        )
        assert found.low <= 0.6 / slope <= found.high


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": 0.0}, r"target: got 0.0; must be in \(0, 1\)"),
        ({"target": 1.0}, "target: got 1.0"),
        ({"confidence": 1.0}, "confidence: got 1.0"),
        ({"noise": 0.0}, r"noise: got 0.0; must be > 0 \(sd of a training's success"),
        ({"precision": 0.0}, "precision: got 0.0"),
        ({"precision": 1.5}, "precision: got 1.5"),
        ({"precision": 1e-9}, "too fine for sizes"),
        ({"low": 0.5, "high": 0.5}, "high: got 0.5"),
        ({"scale": "log"}, "low: got 0.0"),
        ({"scale": "square"}, "must be 'linear' or 'log'"),
        ({"max_trainings": 0}, "max_trainings: got 0"),
        ({"measure": lambda size, _: math.nan}, r"measure: got nan; must be in \[0, 1\] \(success"),
    ],
)
def test_bad_input_is_refused(change, message):
    given = {"measure": lambda size, _: 0.5, "target": 0.5} | change
    with pytest.raises(ValueError, match=message):
        search_critical_mass(**given)


def test_the_bets_are_laid_before_the_outcome_is_seen():
    """Same past, other outcome: the same size and the same bet."""
    seen = []
    for last in (0.0, 1.0):
        evidence = Evidence(800, 0.5, 3.0, 0.05)
        for i, x in ((396, 0.2), (404, 0.8), (400, 0.5)):
            evidence.add(Plan(i), x)
        plan = choose(evidence)
        evidence.add(plan, last)
        seen.append((plan, choose(evidence)))
    assert seen[0][0] == seen[1][0] and seen[0][1] != seen[1][1]


@pytest.mark.parametrize("people", [10, 40, 300])
@pytest.mark.parametrize(("scale", "precision"), [("log", 0.1), ("linear", 0.02)])
def test_only_sizes_that_people_can_have_are_tried_and_the_true_one_is_held(
    people, scale, precision
):
    """S jumps at k people; between k − 1 and k there is nobody to ask."""
    for k in {1, 2, people // 3, int(0.9 * people), people}:
        tried = []

        def measure(size, replicate, k=k, tried=tried):
            tried.append(size * people)
            return 0.8 if round(size * people) >= k else 0.1

        found = search_critical_mass(
            measure, 0.5, precision=precision, low=1 / people, scale=scale, people=people
        )
        np.testing.assert_allclose(tried, np.rint(tried), atol=1e-9)
        assert found.reached
        high = math.inf if found.high is None else found.high
        assert found.low < k / people <= high + 1e-12
        wide = found.low * precision if scale == "log" else precision
        if found.high is not None and found.low > 0.0:
            assert high - found.low <= max(wide, 1 / people) + 1e-9


def test_a_single_person_is_narrow_enough():
    """Ten people, S* reached by nine: a precision of a tenth of a person changes nothing."""
    measure = lambda size, replicate: float(size > 0.85)  # noqa: E731
    found = search_critical_mass(measure, 0.5, precision=0.01, people=10)
    assert (found.low, found.high, found.reached) == (0.8, 0.9, True)


@pytest.mark.once
def test_out_of_trainings_a_rough_answer_is_certified():
    """Success of 0 or 1 that hardly depends on the size: what a thousand trainings do know."""
    for seed in range(5):
        rng = np.random.default_rng(seed)

        def measure(size, replicate, rng=rng):
            return float(rng.random() < norm.cdf((size * 300 - 27) / 7.7))

        found = search_critical_mass(
            measure, 0.5, precision=0.1, low=1 / 300, scale="log", people=300,
        )  # fmt: skip
        assert found.low <= 0.09 <= (found.high or 0.0)
        assert found.high - found.low < 0.06
        assert 0.4 < found.spread <= 0.51
