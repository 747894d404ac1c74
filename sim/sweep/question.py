"""What the inverse question asks, and what its answer rests on (``sim.sweep.inverse``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sim.sweep.target import Target


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes
    ----------
    address : str
        What may vary.
    low, high : float
        Range of its values, both ends included.
    target : Target
    share : float in (0, 1), symbol q
        Share of the random worlds in which the target must be reached.
    confidence : float in (0, 1)
        Probability at least with which the whole answer is right.
    tolerance : float > 0 or None
        Width of the bracket, in the unit of the value; None: a thousandth of the range. Whole
        numbers are found exactly.
    largest : bool
        Ask for the largest value instead, where more of it hinders.
    most_runs : int
        Runs at one candidate after which it stays undecided.
    """

    address: str
    low: float
    high: float
    target: Target
    share: float = 0.5
    confidence: float = 0.95
    tolerance: float | None = None
    largest: bool = False
    most_runs: int = 1000


@dataclass(frozen=True)
class Trial:
    """One candidate.

    Attributes
    ----------
    value : float
    reached : bool or None
        Whether p(value) ≥ q; None where ``most_runs`` did not decide.
    outcomes : tuple of bool
        Replicate 0, 1, …: whether it reached the target.
    """

    value: float
    reached: bool | None
    outcomes: tuple[bool, ...]

    @property
    def hits(self) -> int:
        """In how many of the runs the target was reached."""
        return sum(self.outcomes)


@dataclass(frozen=True)
class Solution:
    """The answer, with everything it rests on.

    Attributes
    ----------
    question : Question
    value : float
        The best value judged to reach the target: the answer, to the tolerance.
    short_of : float or None
        The nearest value judged not to; x* lies between the two. None: there is none, for even the
        end of the range reaches the target or is undecided.
    undecided : tuple of float
        Candidates at which ``most_runs`` did not decide, in ascending order.
    trials : tuple of Trial
        In the order in which they were made.
    contradictions : int
        Replicates that reached the target at one candidate and not at a better one: with any, more
        does not always help, and x* is one of several values between which it turns.
    """

    question: Question
    value: float
    short_of: float | None
    undecided: tuple[float, ...]
    trials: tuple[Trial, ...]
    contradictions: int

    @property
    def runs(self) -> int:
        """How many runs it took."""
        return sum(len(trial.outcomes) for trial in self.trials)

    def document(self) -> dict[str, Any]:
        """The answer as a JSON-able record."""
        asked = self.question
        return {
            "address": asked.address,
            "range": [asked.low, asked.high],
            "target": str(asked.target),
            "share": asked.share,
            "confidence": asked.confidence,
            "largest": asked.largest,
            "value": self.value,
            "short_of": self.short_of,
            "undecided": list(self.undecided),
            "contradictions": self.contradictions,
            "runs": self.runs,
            "trials": [
                {"value": t.value, "reached": t.reached, "hits": t.hits, "runs": len(t.outcomes)}
                for t in self.trials
            ],
        }
