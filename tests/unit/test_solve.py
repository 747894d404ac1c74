"""The inverse question: brackets hold what they should, as often as they say."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from alphacrit.cli import main
from analysis.threshold import investment
from learners.bounds import feature_label
from learners.errors import NoSolutionError, ScenarioError
from sim.scenario import Scenario, loads
from sim.sweep import inverse
from sim.sweep.inverse import Question, Solution, solve
from sim.sweep.sequential import decide, log_evidence
from sim.sweep.target import Target, target_of

PRINCIPAL = """\
name = "principal"
seed = 1
population = { size = 10_000, cost = 0.3, free_riding = 0.2 }
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
[platform]
learner = "bound"
[principal]
policy = "subsidy"
budget = 40.0
collective = "union"
"""
JOINED = Target("final.union.alpha", ">=", 0.5)


def question(address: str, low: float, high: float, target: Target = JOINED, **more: Any) -> Any:
    return Question(address, low, high, target, **more)


# --- the sequential test -------------------------------------------------------------------------


@pytest.mark.parametrize(("hits", "misses"), [(0, 0), (3, 0), (7, 5), (2, 9), (40, 60)])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_the_evidence_is_the_average_likelihood_ratio(hits: int, misses: int, share: float) -> None:
    def ratio(p: float) -> float:
        return (p / share) ** hits * ((1 - p) / (1 - share)) ** misses

    above = integrate.quad(ratio, share, 1)[0] / (1 - share)
    below = integrate.quad(ratio, 0, share)[0] / share
    assert np.exp(log_evidence(hits, misses, share)) == pytest.approx([above, below], rel=1e-6)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_looking_after_every_run_errs_no_more_often_than_it_says(share: float) -> None:
    """Exact law of the first decision within 400 runs, by dynamic programming, at p = q."""
    error, wrong, right = 0.05, 0.0, 0.0
    law = np.array([1.0])  # of the number of hits, still undecided
    for n in range(1, 401):
        law = np.append(law * (1 - share), 0) + np.append(0, law * share)
        for hits in np.flatnonzero(law):
            verdict = decide(int(hits), n - int(hits), share, error)
            if verdict is not None:
                wrong, right = wrong + law[hits] * (not verdict), right + law[hits] * verdict
                law[hits] = 0.0
    # At p = q (which reaches the share) "no" is wrong; just below it "yes" is, with the same law.
    assert 0.001 < wrong <= error and 0.001 < right <= error
    # A test of fixed size 5 % that is looked at after every run errs more often than it says.
    assert _naive_error(share) > 2 * error


def _naive_error(share: float) -> float:
    law, wrong = np.array([1.0]), 0.0
    for n in range(1, 401):
        law = np.append(law * (1 - share), 0) + np.append(0, law * share)
        rejected = stats.binom.cdf(np.arange(n + 1), n, share) <= 0.05
        wrong += law[rejected].sum()
        law[rejected] = 0.0
    return wrong


# --- the closed form -----------------------------------------------------------------------------


def payments(size: int, cost: float = 0.3, free_riding: float = 0.2, k: float = 0.01) -> float:
    """Σ [c − (S(i/N) − γ S((i−1)/N))]₊ up to where an outsider comes by herself (theory 4)."""
    s = [max(0.0, 1 - (size / i - 1) * k) if i else 0.0 for i in range(size + 1)]
    turns = itertools.takewhile(lambda i: (1 - free_riding) * s[i - 1] <= cost, range(1, size + 1))
    return sum(max(0.0, cost - (s[i] - free_riding * s[i - 1])) for i in turns)


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("size", [1_000, 10_000])
def test_the_budget_of_identical_people_brackets_the_closed_form(size: int) -> None:
    scenario = loads(PRINCIPAL).replace({"population.size": size})
    bound = investment(scenario, "union").total
    asked = question("principal.budget", 0.0, 2 * bound, tolerance=1e-3 * bound)
    solution = solve(scenario, asked)
    exact = payments(size)
    assert solution.short_of is not None
    assert solution.short_of < exact <= solution.value + 1e-9
    assert solution.value - solution.short_of <= 1e-3 * bound
    assert solution.short_of < bound  # B is an upper bound, and the limit of the sum:
    assert exact == pytest.approx(bound, rel=100 / size)
    assert not solution.short_of < payments(size, cost=0.31) <= solution.value


def test_the_closed_form_is_the_one_of_the_theory_page() -> None:
    assert payments(10_000) / 10_000 == pytest.approx(0.00369026, abs=5e-9)
    assert feature_label(0.01, 1.0).critical_mass(0.375) == pytest.approx(0.0157480315)


def test_the_largest_cost_is_where_the_start_is_the_tipping_point() -> None:
    scenario = loads(PRINCIPAL).replace({"principal": None, "collectives.union.start": 0.02})
    asked = question("population.cost", 0.1, 0.9, largest=True, tolerance=1e-4)
    solution = solve(scenario, asked)
    exact = 0.8 * (1 - 49 * 0.01)  # (1 − γ) S(0.02)
    assert solution.short_of is not None
    assert solution.value <= exact <= solution.short_of
    assert solution.short_of - solution.value <= 1e-4


def test_a_whole_number_is_found_exactly() -> None:
    scenario = loads(PRINCIPAL)
    solution = solve(scenario, question("epochs", 1, 300, Target("epochs", ">=", 3)))
    assert (solution.value, solution.short_of) == (3, 2) and type(solution.value) is int


# --- with chance ---------------------------------------------------------------------------------


def fake_runs(monkeypatch: pytest.MonkeyPatch, edge: Callable[[int], float]) -> None:
    """Replicate r reaches the target where the budget is at least ``edge(r)``."""

    class Done:
        def __init__(self, scenario: Scenario, replicate: int) -> None:
            assert scenario.principal is not None
            self.summary = {"spent": float(scenario.principal.budget >= edge(replicate))}

    monkeypatch.setattr(inverse, "run", Done)


SPENT = Target("spent", ">=", 1.0)


def test_the_bracket_holds_the_quantile_as_often_as_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thresholds normal with mean 50: the value that reaches half of the worlds is 50."""
    scenario, wrong, undecided = loads(PRINCIPAL), 0, 0
    asked = question("principal.budget", 0.0, 100.0, SPENT, confidence=0.8, most_runs=150,
                     tolerance=1.0)  # fmt: skip
    for world in range(40):
        edges = np.random.default_rng(world).normal(50.3, 8, asked.most_runs)
        fake_runs(monkeypatch, lambda r, edges=edges: edges[r])
        solution = solve(scenario, asked)
        assert solution.short_of is not None and solution.contradictions == 0
        wrong += not solution.short_of < 50.3 <= solution.value
        undecided += bool(solution.undecided)
    assert stats.binomtest(wrong, 40, 0.2, alternative="greater").pvalue > 0.01
    assert undecided > 30  # a median is not found to 1 in 150 runs, and it says so


def test_a_share_asks_for_a_quantile(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = np.random.default_rng(3).uniform(0, 100, 2000)
    fake_runs(monkeypatch, lambda r: edges[r])
    brackets = []
    for share in (0.1, 0.5, 0.9):
        asked = question("principal.budget", 0, 100, SPENT, share=share, most_runs=500)
        brackets.append(solve(loads(PRINCIPAL), asked))
    for share, found in zip((10, 50, 90), brackets, strict=True):
        assert found.short_of is not None and found.short_of < share <= found.value
        assert found.value - found.short_of < 30


@pytest.mark.parametrize("largest", [False, True])
def test_an_undecided_end_is_not_the_end_of_the_search(
    monkeypatch: pytest.MonkeyPatch, largest: bool
) -> None:
    """Up to 10, every other world reaches the target: 50 % within chance; from 10 on, all do."""
    fake_runs(monkeypatch, lambda r: 0.0 if r % 2 else 10.0)
    ends = (0.0, 100.0)
    if largest:  # where more of it hinders, by symmetry
        monkeypatch.setattr(inverse, "varied", lambda s, new: s.replace(
            {key: 100.0 - value for key, value in new.items()}))  # fmt: skip
    asked = question("principal.budget", *ends, SPENT, largest=largest, most_runs=100)
    found = solve(loads(PRINCIPAL), asked)
    value = 100.0 - found.value if largest else found.value
    assert 10.0 <= value < 10.2 and found.short_of is None
    assert found.undecided[-1 if largest else 0] == ends[largest] and len(found.undecided) > 3


def test_more_that_hinders_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_runs(monkeypatch, lambda r: 30.0 + r % 2)
    assert solve(loads(PRINCIPAL), question("principal.budget", 0, 100, SPENT)).contradictions == 0

    class Turning:
        def __init__(self, scenario: Scenario, replicate: int) -> None:
            assert scenario.principal is not None
            budget = scenario.principal.budget
            self.summary = {"spent": float(budget > 90 or (40 < budget < 60 and replicate < 2))}

    monkeypatch.setattr(inverse, "run", Turning)
    assert solve(loads(PRINCIPAL), question("principal.budget", 0, 100, SPENT)).contradictions == 2


# --- no answer, and no question ------------------------------------------------------------------


def test_what_is_reached_everywhere_has_the_end_as_its_answer() -> None:
    found: Solution = solve(loads(PRINCIPAL), question("principal.budget", 50, 100))
    assert (found.value, found.short_of, len(found.trials)) == (50, None, 2)


def test_no_value_in_the_range_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NoSolutionError, match=r"principal.budget = 20 gives .* in 0 of 11 runs"):
        solve(loads(PRINCIPAL), question("principal.budget", 0, 20))
    find = ["solve", "principal", "--find", "principal.budget=0:20"]
    assert main([*find, "--target", "final.union.alpha>=0.5"]) == 5
    assert "no value in the range" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (question("principal.budgt", 0, 9), "--find principal.budgt: unknown key; must be one of"),
        (question("principal.budget", -1, 9), "--find principal.budget: got -1; must be ≥ 0"),
        (question("principal.budget", 9, 3), "--find: got 3; must be above 9"),
        (question("epochs", 1.5, 3), "--find epochs: got 1.5; must be a whole number"),
        (question("seed", 1, 3), "--find: must not be the seed"),
        (question("epochs", 1, 3, share=1.0), "--share: got 1; must be in (0, 1)"),
        (question("epochs", 1, 3, confidence=95), "--confidence: got 95; must be in (0, 1)"),
        (question("epochs", 1, 3, tolerance=-1.0), "--tolerance: got -1; must be > 0"),
        (question("epochs", 1, 3, most_runs=4), "--most-runs: got 4; must be ≥ 9 to decide at all"),
    ],
)
def test_a_question_that_makes_no_sense(asked: Question, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        solve(loads(PRINCIPAL), asked)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("final.union.alpha=0.5", "must be an outcome, >=, <=, > or <, and a number"),
        ("final.union.alpha>=half", "and a number: final.union.alpha>=0.5"),
        ("final.onion.alpha>=0.5", 'did you mean "final.union.alpha"?'),
        ("spent<=nan", "and a number"),
    ],
)
def test_a_target_that_is_none(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        target_of(text, ["union"])
    assert message in str(caught.value)


def test_targets_compare_as_they_are_written() -> None:
    summary = {"final": {"union": {"alpha": 0.5, "success": math.nan}}, "spent": 3.0}
    reached = [
        target_of(f" final.union.alpha {sign} 0.5", ["union"]).reached(summary)
        for sign in (">=", "<=", ">", "<")
    ]
    assert reached == [True, True, False, False]
    assert not target_of("final.union.success>=0", ["union"]).reached(summary)
    assert target_of("spent<4", ["union"]).reached(summary)


# --- the command ---------------------------------------------------------------------------------


def test_the_command_of_the_issue(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["solve", "principal", "--find", "principal.budget=0:100"]
    command += ["--target", "final.union.alpha>=0.5", "--confidence", "0.95"]
    assert main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["short_of"] < 36.9026 <= answer["value"] < answer["short_of"] + 0.1
    assert answer["confidence"] == 0.95 and answer["trials"][0]["value"] == 100
    assert main(command) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "principal.budget = 36.9140625" in words and "36.8164062 is not enough" in words


@pytest.mark.parametrize("find", ["principal.budget", "principal.budget=3", "=0:1", "a=0:inf"])
def test_a_range_that_is_none_is_a_matter_of_usage(find: str) -> None:
    assert main(["solve", "principal", "--find", find, "--target", "spent>=1"]) == 2
