"""The inverse question: the smallest value of one address with which a target is reached.

Let p(x) be the probability that a run with the value x reaches the target, and q a share. Supposing
that p only grows with x, the search brackets x* = inf {x : p(x) ≥ q} by bisection. Every candidate
is judged by a sequential test (``sim.sweep.sequential``) on the same replicates 0, 1, 2, …, so that
candidates differ by their value and not by their random worlds.

**Confidence.** With K tests (two ends, and the halvings that the tolerance takes) each errs with
probability at most δ/K, δ = 1 − confidence. As long as no decision is wrong, the candidates are
those of the bisection that knows p, which do not depend on chance; the first wrong decision is one
at such a candidate. So the probability of any wrong decision is at most δ, however much the common
random worlds tie the tests together.

Where runs do not decide, the search goes on beside a zone of undecided values, and its candidates
do depend on chance. Then the statement rests on more: that in each single world more never hinders.
A wrong "no" at any x ≥ x* would be one at x* too, for there are no fewer misses there; likewise a
wrong "yes". So all of them together are two tests, and err with probability at most 2δ/K ≤ δ.
Worlds in which more was seen to hinder are counted (``Solution.contradictions``).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

from learners.errors import NoSolutionError, ScenarioError
from sim.runs import run
from sim.scenario import Scenario
from sim.scenario_file import split_key
from sim.scenario_sweep_rules import address_problem, judge_of, takes_whole_numbers
from sim.scenario_variation import varied
from sim.sweep.question import Question, Solution, Trial
from sim.sweep.sequential import decide

Hear = Callable[[], None]
DEFAULT_STEPS = 1000  # a range is resolved to a thousandth where no tolerance is given


def solve(scenario: Scenario, question: Question, hear: Hear = lambda: None) -> Solution:
    """Find the smallest (or largest) value with which the target is reached.

    Parameters
    ----------
    scenario : Scenario
    question : Question
    hear : callable, optional
        Called after each candidate, for a progress bar (at most 2 + ``halvings``).

    Raises
    ------
    ScenarioError
        The address or an end of the range is not valid.
    NoSolutionError
        The target is not reached at the better end of the range.

    Notes
    -----
    Costs O(log(range/tolerance)) candidates, each a dozen runs where p is near 0 or 1, and about
    1/(p − q)² runs where it is near q.
    """
    whole = check_question(scenario, question)
    trials: list[Trial] = []
    error = (1 - question.confidence) / (2 + halvings(question, whole))

    def judged(value: float) -> bool | None:
        trials.append(_trial(varied(scenario, {question.address: value}), value, question, error))
        hear()
        return trials[-1].reached

    # The target is easier to reach at the good end of the range than at the bad one.
    number = round if whole else float
    bad, good = number(question.low), number(question.high)
    if question.largest:
        bad, good = good, bad
    if not judged(good):
        raise NoSolutionError(_no_solution(trials[-1], question))
    at_bad = judged(bad)
    if at_bad:
        return _solution(question, bad, None, trials)
    zone = (bad, bad) if at_bad is None else None
    worse, better = _bracket(judged, bad, good, _step(question, whole), zone)
    return _solution(question, better, None if zone and worse == bad else worse, trials)


def _bracket(
    judged: Callable[[float], bool | None],
    bad: float,
    good: float,
    step: float,
    zone: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Halve [bad, good] until it is no wider than ``step``, a zone of undecided values left out.

    The zone, given by its ends towards bad and towards good, grows from the first undecided
    candidate; the gaps on both sides of it are halved.
    """
    while True:
        left, right = (bad, good) if zone is None else (bad, zone[0])
        before = True  # the gap lies before the zone, or there is none
        if zone is not None and abs(right - left) <= step:
            left, right, before = zone[1], good, False
        if abs(right - left) <= step:
            return bad, good
        middle = (left + right) // 2 if isinstance(left, int) else (left + right) / 2
        if middle in (left, right):  # a tolerance finer than numbers are
            return bad, good
        match judged(middle):
            case None:
                ends = zone or (middle, middle)
                zone = (middle, ends[1]) if before else (ends[0], middle)
            case True:
                good, zone = middle, None if before else zone
            case False:
                bad, zone = middle, zone if before else None


def _step(question: Question, whole: bool) -> float:
    """How wide the bracket may be."""
    if whole:
        return 1
    width = question.high - question.low
    return (question.tolerance or width / DEFAULT_STEPS) * (1 + 1e-9)  # 100/2^k is not exact


def halvings(question: Question, whole: bool) -> int:
    """How often the range is halved where runs decide; two more candidates are its ends."""
    width = question.high - question.low
    return max(0, math.ceil(math.log2(width / _step(question, whole))))


def check_question(scenario: Scenario, question: Question) -> bool:
    """Whether whole numbers are looked for.

    Raises
    ------
    ScenarioError
        The question makes no sense for this scenario.
    """
    asked = question
    if asked.address != "population.size":
        scenario.require_people()
    problems = [
        f"{name}: got {value:g}; must be {must}"
        for name, value, must, good in (
            ("--find", asked.high, f"above {asked.low:g}", asked.high > asked.low),
            ("--share", asked.share, "in (0, 1)", 0 < asked.share < 1),
            ("--confidence", asked.confidence, "in (0, 1)", 0 < asked.confidence < 1),
            ("--tolerance", asked.tolerance or 1, "> 0", (asked.tolerance or 1) > 0),
        )
        if not good
    ]
    text = address_problem(asked.address, {})
    if not text and asked.address == "seed":
        text = "must not be the seed: no value of it is better than another"
    if text:
        problems.append(f"--find: {text}")
    if problems:
        raise ScenarioError(problems)
    whole = _check_ends(scenario, asked)
    _check_runs(asked, (1 - asked.confidence) / (2 + halvings(asked, whole)))
    return whole


def _check_ends(scenario: Scenario, asked: Question) -> bool:
    address = split_key(asked.address) or ()
    judge = judge_of(Scenario, scenario.resolved())
    whole = takes_whole_numbers(judge, address, asked.low)
    ends = [round(v) if whole and v == round(v) else v for v in (asked.low, asked.high)]
    texts = dict.fromkeys(text for value in ends if (text := judge(address, value)))
    if texts:
        raise ScenarioError([f"--find {asked.address}: {text}" for text in texts])
    return whole


def _check_runs(asked: Question, error: float) -> None:
    """Raise where not even runs that all agree could decide."""
    most, needed = asked.most_runs, 1
    if all(decide(h, most - h, asked.share, error) is not None for h in (0, most)):
        return
    while any(decide(h, needed - h, asked.share, error) is None for h in (0, needed)):
        needed += 1
    raise ScenarioError(
        f"--most-runs: got {most}; must be ≥ {needed} to decide at all with "
        f"share {asked.share:g} and confidence {asked.confidence:g} (runs)"
    )


def _trial(scenario: Scenario, value: float, asked: Question, error: float) -> Trial:
    """Replicates 0, 1, … until they decide."""
    outcomes: list[bool] = []
    reached = None
    while reached is None and len(outcomes) < asked.most_runs:
        outcomes.append(asked.target.reached(run(scenario, len(outcomes)).summary))
        hits = sum(outcomes)
        reached = decide(hits, len(outcomes) - hits, asked.share, error)
    return Trial(value, reached, tuple(outcomes))


def _no_solution(trial: Trial, asked: Question) -> str:
    often = f"{asked.target} in {trial.hits} of {len(trial.outcomes)} runs"
    if trial.reached is None:
        hint = "which does not decide; give more runs (--most-runs)"
    else:
        hint = f"which is less than the share {asked.share:g}; no value in the range reaches it"
    return f"{asked.address} = {trial.value:g} gives {often}, {hint}"


def _solution(
    asked: Question, value: float, short_of: float | None, trials: list[Trial]
) -> Solution:
    undecided = tuple(sorted(trial.value for trial in trials if trial.reached is None))
    count = _contradictions(trials, asked.largest)
    return Solution(asked, value, short_of, undecided, tuple(trials), count)


def _contradictions(trials: list[Trial], largest: bool) -> int:
    """Replicates that reach the target at a candidate and not at one that should be better."""
    ordered = sorted(trials, key=lambda trial: -trial.value if largest else trial.value)
    found = set()
    for worse, better in itertools.combinations(ordered, 2):
        pairs = zip(worse.outcomes, better.outcomes, strict=False)
        found |= {r for r, (before, after) in enumerate(pairs) if before and not after}
    return len(found)


__all__ = ["Question", "Solution", "Trial", "check_question", "halvings", "solve"]
