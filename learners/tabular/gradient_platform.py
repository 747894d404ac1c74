"""Platforms that train a small network by gradient descent on people's rows.

`GradientPlatform`  collectives plant a signal, T steps are taken on what people report, and
                    S = Pr{f(g(x)) = y*}.
`ControlPlatform`   one collective adapts its reports at every step to steer the model to θ*;
                    S = 1 − ‖θ_T − θ*‖/‖θ₀ − θ*‖, the share of the distance closed, 0 where
                    negative: the scale of `learners.bounds.gradient_control`.

Both are estimates: by size, S is the mean over replicates with different initial weights (the same
ones at every size), with an interval for that mean. By membership one model is trained, from
the first of those starts ("scratch") or from where it was an epoch ago ("continue").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from learners.bounds import gradient_control
from learners.curves import Array, Curve, require_range, require_steps
from learners.people import Ints, PeoplePlatform, mean_interval
from learners.success import Kind
from learners.tabular.control import Control, ControlPath, run_control
from learners.tabular.gradient import Network
from learners.tabular.row_platform import RowPlatform
from learners.tabular.row_strategies import Plant
from learners.tabular.rows import Rows

__all__ = ["ControlPlatform", "GradientPlatform", "Retrain"]

Retrain = Literal["scratch", "continue"]


class _Trained(PeoplePlatform):
    """What the two share: replicates, their interval, and where the next training starts."""

    kind: Kind = "estimate"
    rows: Rows  # P₀

    def _prepare(
        self,
        network: Network,
        learning_rate: float,
        steps: int,
        replicates: int,
        retrain: Retrain,
        level: float,
        seed: int,
    ) -> None:
        if network.width != self.rows.width:
            raise ValueError(f"network: got width {network.width}; must be {self.rows.width}")
        if replicates < 2:
            raise ValueError(f"replicates: got {replicates}; must be ≥ 2, or there is no interval")
        if retrain not in get_args(Retrain):
            raise ValueError(f"retrain: got {retrain!r}; must be 'scratch' or 'continue'")
        self.network = network
        self.learning_rate = require_range("learning_rate", learning_rate, low_open=True)
        self.steps = require_steps(steps)
        self.retrain = retrain
        self.level = require_range("level", level, 0.0, 1.0, low_open=True, high_open=True)
        self._begin(seed, replicates)

    def _begin(self, seed: int, replicates: int) -> None:
        """Draw the initial weights of each replicate."""
        streams = [np.random.SeedSequence(seed, spawn_key=(r,)) for r in range(replicates)]
        first = [self.network.initial(np.random.default_rng(stream)) for stream in streams]
        self.starts = np.stack(first)  # (R, P)
        self.theta = self.starts[0]

    def reseeded(self, seed: int) -> Self:
        """As `PeoplePlatform.reseeded`, with other initial weights."""
        other = super().reseeded(seed)
        other._begin(seed, len(self.starts))
        return other

    def attach(self, points: npt.ArrayLike) -> Self:
        """The same platform for these people, untrained; person i is row points[i]."""
        bound = super().attach(points)
        bound.theta = self.starts[0]
        return bound

    def interval(self, alpha: npt.ArrayLike) -> tuple[Array, Array]:
        """Interval for the mean over initial weights; not for the test people's draw."""
        return mean_interval(alpha, self._replicates(alpha), self.level)

    def _start(self) -> Array:
        return self.theta if self.retrain == "continue" else self.starts[0]


class GradientPlatform(_Trained, RowPlatform):
    """A network trained by gradient descent on planted data.

    Parameters
    ----------
    network : Network
        With classes: logistic or softmax. hidden = () is a plain perceptron.
    rows : Rows, P₀
    collectives : mapping of names to Plant
    learning_rate : float, > 0, η
    steps : int, ≥ 1, T
        Full gradient steps of one training.
    test : Rows, optional
        Held-out people; absent: P₀ itself.
    replicates : int, ≥ 2, R
    retrain : {"scratch", "continue"}
        By membership only.
    level : float in (0, 1)
        Of the interval.
    seed : int

    Notes
    -----
    By size all replicates are trained side by side: O(R·T·n·P).
    """

    def __init__(
        self,
        network: Network,
        rows: Rows,
        collectives: Mapping[str, Plant],
        learning_rate: float,
        steps: int,
        test: Rows | None = None,
        replicates: int = 5,
        retrain: Retrain = "scratch",
        level: float = 0.95,
        seed: int = 0,
    ) -> None:
        if network.loss == "squared":
            raise ValueError("network: a squared loss has no classes; use logistic or softmax")
        found = np.unique(rows.labels)
        if not np.isin(found, np.arange(network.classes)).all() or len(found) < 2:
            raise ValueError(
                f"labels: got {found[:8].tolist()}; must be at least two of 0 … "
                f"{network.classes - 1}"
            )
        RowPlatform.__init__(self, rows, dict(collectives), test, seed)
        self._prepare(network, learning_rate, steps, replicates, retrain, level, seed)

    def _measure_at(self, sizes: Array) -> Array:
        trained = self._train(self.starts, self.training_set(sizes))
        return np.array([self._measure(theta) for theta in trained])

    def _measure_people(self, membership: Ints, sizes: Array) -> Array:
        training = self.training_set_of(membership)
        self.theta = self._train(self._start()[None], training)[0]
        return self._measure(self.theta)

    def _train(self, starts: Array, training: Rows) -> Array:
        return self.network.train(starts, training, self.learning_rate, self.steps)

    def _measure(self, theta: Array) -> Array:
        return np.array(
            [
                strategy.success(lambda x: self.network.predict(theta, x), self.test)
                for strategy in self.strategies
                if isinstance(strategy, Plant)
            ]
        )


class ControlPlatform(_Trained):
    """Gradient descent under the control of one collective, theorem 4.5.

    Parameters
    ----------
    network : Network
        With one score: squared (labels are any number) or logistic (labels 0 and 1).
    rows : Rows, P₀
    collective : str
        Its name.
    control : Control
    learning_rate, steps : η and T, with ηξ ≤ 1
    replicates, retrain, level, seed
        As in `GradientPlatform`. "continue": θ₀ of an epoch is θ_T of the one before, and S still
        counts from the very first start.

    Notes
    -----
    The collective cancels the gradient of P₀ as a whole. If particular people join, those who stay
    out have another one, and the model is left beside θ*.
    """

    def __init__(
        self,
        network: Network,
        rows: Rows,
        collective: str,
        control: Control,
        learning_rate: float,
        steps: int,
        replicates: int = 5,
        retrain: Retrain = "scratch",
        level: float = 0.95,
        seed: int = 0,
    ) -> None:
        network.require_one_score()
        super().__init__(rows.weight, (collective,), seed)
        self.rows = rows
        if control.target.shape != (network.size,) or control.pool.shape[1] != network.width:
            raise ValueError(
                f"control: got target of shape {control.target.shape} and a pool of "
                f"{control.pool.shape[1]} features; must be ({network.size},) and {network.width}"
            )
        gradient_control(control.pull, learning_rate, steps)  # refuses ηξ > 1
        self.control = control
        self._prepare(network, learning_rate, steps, replicates, retrain, level, seed)

    def path(self, alpha: float, replicate: int = 0) -> ControlPath:
        """The way to θ* of one replicate at size α in (0, 1]."""
        return run_control(
            self.network,
            self.rows,
            self.control,
            self.starts[replicate],
            alpha,
            self.learning_rate,
            self.steps,
        )

    @property
    def full_pull(self) -> Curve:
        """Theorem 4.5 with the full pull ξ: exact for a squared loss, out of reach for others."""
        return gradient_control(self.control.pull, self.learning_rate, self.steps)

    def _measure_at(self, sizes: Array) -> Array:
        alpha = float(sizes[0])
        if alpha == 0.0:
            return np.zeros((len(self.starts), 1))
        paths = [self.path(alpha, r) for r in range(len(self.starts))]
        return np.array([[self._closed(p.theta, p.distance[0])] for p in paths])

    def _measure_people(self, membership: Ints, sizes: Array) -> Array:
        points, draws = self._people()
        members = membership > 0
        others = None if members.all() else self._reported(points[~members])
        if others is not None and not members.any():
            start = self._start()[None]
            self.theta = self.network.train(start, others, self.learning_rate, self.steps)[0]
            return np.zeros(1)
        path = run_control(
            self.network,
            self.rows,
            self.control,
            self._start(),
            float(sizes[0]),
            self.learning_rate,
            self.steps,
            others=others,
            draws=draws[1, members],
        )
        self.theta = path.theta
        first = float(np.linalg.norm(self.starts[0] - self.control.target))
        return np.array([self._closed(path.theta, first)])

    def _reported(self, points: Ints) -> Rows:
        """The law of these people's own data."""
        counts = np.bincount(points, minlength=len(self.rows))
        return Rows(self.rows.features, self.rows.labels, counts.astype(np.float64))

    def _closed(self, theta: Array, distance: float) -> float:
        """1 − ‖θ − θ*‖/distance, 0 where the model went the other way."""
        left = float(np.linalg.norm(theta - self.control.target))
        return max(1.0 - left / distance, 0.0)
