"""Cheap learners to measure: a closed-form S seen through a test set of a few people."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from learners import bounds
from learners.finite.bayes import BayesPlatform
from learners.finite.generated import GENERATED_SIGNAL, generate
from learners.finite.strategies import Strategy
from learners.measured.bench import Outcome, RandomMembers


class Binomial:
    """S of the feature–label bound, measured on `people` people drawn afresh each time."""

    def __init__(self, uniqueness=0.05, gap=1.0, people=200):
        self.curve = bounds.feature_label(uniqueness, gap)
        self.people = people

    def __call__(self, alpha, rng):
        return rng.binomial(self.people, self.curve(alpha)) / self.people


class Logged(Binomial):
    """Notes each training in a file, takes its time, and dies or fails where it is told to.

    Waits until so many processes have been noted (``crew``). With the environment variable
    ``TRAININGS`` only so many go on, the next one waits (to be killed there).
    """

    def __init__(self, log, seconds=0.0, dies_at=-1.0, dies_once=True, fails_at=-1.0, crew=1,
                 **settings):  # fmt: skip
        super().__init__(**settings)
        self.log, self.seconds, self.fails_at = Path(log), seconds, fails_at
        self.dies_at, self.dies_once, self.crew = dies_at, dies_once, crew

    def __call__(self, alpha, rng):
        size = float(alpha[0])
        with open(self.log, "a") as file:
            file.write(f"{size} {os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
        time.sleep(self.seconds)
        end = time.monotonic() + 120
        while not self._may_go_on() and time.monotonic() < end:
            time.sleep(0.01)
        died = self.log.with_suffix(".died")
        if size == self.dies_at and not (self.dies_once and died.exists()):
            died.touch()
            os._exit(9)  # as the system does to a process that takes too much memory
        if size == self.fails_at:
            raise FloatingPointError("the loss is nan")
        return super().__call__(alpha, rng)

    def _may_go_on(self):
        lines = [line.split() for line in self.log.read_text().splitlines()]
        few = len(lines) <= int(os.environ.get("TRAININGS", len(lines)))
        return few and len({pid for _, pid, _ in lines}) >= self.crew


def two(people=100):
    """Two collectives; what the second has is taken from the first."""

    def learn(alpha, rng):
        a, b = alpha
        return rng.binomial(people, np.clip([5 * a - b, 3 * b], 0, 1)) / people

    return learn


def telling(says=None):
    """A learner that says more of each training than its success."""

    def learn(alpha, rng):
        also = {"members": 100 * alpha[0]} if says is None else {"accuracy": float(says)}
        return Outcome(alpha, also if alpha[0] > 0.05 else {"loss": 2.0})

    return learn


def wrong(gives):
    """A learner that gives something that is no success."""
    return lambda alpha, rng: float(gives) if isinstance(gives, str) else gives


def bayes_platform(uniqueness=0.1, gap=0.8):
    """The real thing: an exact platform on a generated universe, one collective."""
    universe = generate(uniqueness, gap, kinds=1)
    return BayesPlatform(universe, {"union": Strategy("feature_label", GENERATED_SIGNAL, "target")})


def bayes(people, **settings):
    """The Bayes platform trained on people who are drawn anew in each training."""
    platform = bayes_platform(**settings)
    return RandomMembers(lambda seed: platform, people)
